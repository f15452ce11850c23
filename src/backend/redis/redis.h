/*
 * The parts of the Redis backend. One thread at a time is in all of this, the one that drives the backend; only `info` is looked at by others.
 *
 *     settings.c  the user's options         lease.lua, server.lua  what lends, in the server
 *     url.c       the text form of them      lease_call.c           an ask as the script's arguments, its answer as a reply
 *     fault.c     errors and their kinds     call.c                 commands on their way
 *     link.c      the connection             store.c, inspect.c     values, numbers, diagnostics
 *     backend.c   the vtable
 */
#ifndef FC_BACKEND_REDIS_H
#define FC_BACKEND_REDIS_H

#include <flowctl/redis.h>
#include <flowctl/sys/backend.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- settings ---- */

/* Complete and checked; texts are owned. */
struct fc_redis_settings {
    char *host, *unix_socket, *user, *password;
    int port, database;
    char prefix[FLOWCTL_REDIS_PREFIX_MAX + 1];
    uint64_t connect_timeout_ns, reply_timeout_ns, backoff_min_ns, backoff_max_ns;
    flowctl_redis_start start;
};

flowctl_status fc_redis_settings_read(struct fc_redis_settings *s, const flowctl_redis_options *o, flowctl_error *err);
void fc_redis_settings_free(struct fc_redis_settings *s);

/* What a URL says; the texts are owned by the caller; what it does not say stays. */
flowctl_status fc_redis_url_read(struct fc_redis_settings *s, const char *url, flowctl_error *err);

/* ---- errors ---- */

flowctl_redis_fault fc_redis_fault_of(const char *message);
flowctl_status fc_redis_fault_status(flowctl_redis_fault fault);

/* How much of a server's answer to AUTH can be shown: some repeat what they were sent. */
size_t fc_redis_shown(const char *message, const char *secret);

/* ---- the connection ---- */

struct fc_redis;
struct fc_redis_call;
struct fc_redis_script;

/* What becomes of a call: its reply, or NULL and why there is none. An error reply comes as the latter. */
typedef void fc_redis_done(struct fc_redis *r, struct fc_redis_call *call, const redisReply *reply, flowctl_status status);

/* A command, until it is answered. */
struct fc_redis_call {
    struct fc_redis_call *next; /* of those that are held, or sent */
    fc_redis_done *done;
    const struct fc_redis_script *script; /* that must be loaded for it; NULL: none */
    const struct fc_redis_script *loads;  /* that it loads; NULL: none */
    bool again;                           /* sent a second time, the script having been lost */
    bool secret;                          /* has the password in it */
    uint64_t ticket, sent_ns;
    flowctl_session_id session; /* of a lease */
    uint64_t seq;
    void *context;
    char *command; /* as it goes over the wire; by hiredis */
    size_t bytes;
};

struct fc_redis_calls {
    struct fc_redis_call *first, *last;
};

enum fc_redis_phase { FC_REDIS_DOWN, FC_REDIS_CONNECTING, FC_REDIS_GREETING, FC_REDIS_READY };

struct fc_redis {
    flowctl_backend_base base;
    struct fc_redis_settings settings;
    enum fc_redis_phase phase;
    uint64_t deadline_ns;  /* down: the next attempt; before ready: the end of this one */
    uint64_t heard_ns;     /* when it answered last */
    redisContext *context; /* NULL if down */
    bool doomed;           /* the connection is of no use any more: closed at the end of the poll */
    bool unsent, watched_unsent;
    unsigned attempts;  /* in a row, without anything got out of them */
    unsigned greetings; /* answers that are missing until ready */
    uint64_t random;
    int epoll, event;
    _Atomic bool interrupted;              /* since the last wait returned */
    struct fc_redis_calls held, sent;      /* sent: answers come in this order */
    const struct fc_redis_script *loading; /* is on its way; NULL: none */
    flowctl_redis_fault fault;             /* the last */
    pthread_mutex_t lock;                  /* of info */
    flowctl_redis_info info;
};

flowctl_status fc_redis_link_open(struct fc_redis *r, flowctl_error *err);
void fc_redis_link_close(struct fc_redis *r);
/* Does what is due. When it is to be called again. */
uint64_t fc_redis_link_poll(struct fc_redis *r, uint64_t now_ns);
void fc_redis_link_wait(struct fc_redis *r, uint64_t until_ns);
void fc_redis_link_interrupt(struct fc_redis *r);

/* Notes an error, of which the message has so many bytes at most. */
void fc_redis_note(struct fc_redis *r, flowctl_redis_fault fault, const char *message, size_t shown);
/* That this connection is of no use any more, and why. */
void fc_redis_lose(struct fc_redis *r, flowctl_redis_fault fault, const char *message);

/* ---- calls ---- */

/* A call of this command; NULL without memory. */
struct fc_redis_call *fc_redis_call_new(fc_redis_done *done, uint64_t ticket, int count, const char **arguments,
                                        const size_t *lengths);
/* Sends it, or holds it until there is a connection; after a failure, until the next attempt, it is answered at once. */
void fc_redis_call_send(struct fc_redis *r, struct fc_redis_call *call);
/* Sends it, ready or not. */
void fc_redis_call_write(struct fc_redis *r, struct fc_redis_call *call);
/* An answer, to the first that was sent. */
void fc_redis_call_answered(struct fc_redis *r, const redisReply *reply);
/* Sends all that are held. */
void fc_redis_calls_release(struct fc_redis *r);
/* None will be answered by the server. */
void fc_redis_calls_give_up(struct fc_redis *r, flowctl_status status);

/* ---- what calls are for ---- */

/* Its text, and its name for the server. From the files of that name, when the library is built. */
struct fc_redis_script {
    const char *text, *sha;
};
extern const struct fc_redis_script fc_redis_lease_script, fc_redis_put_script;

struct fc_redis_arguments {
    const char *argv[24];
    size_t lengths[24];
    int count;
    char text[1024];
    size_t used;
};

void fc_redis_add_text(struct fc_redis_arguments *a, const char *text);
void fc_redis_add_bytes(struct fc_redis_arguments *a, const void *bytes, size_t count);
void fc_redis_add_number(struct fc_redis_arguments *a, uint64_t number);
/* prefix kind{name} */
void fc_redis_add_key(struct fc_redis_arguments *a, const char *prefix, const char *kind, const char *name);

/* Whether it can be asked; and the arguments behind the key. */
flowctl_status fc_redis_check_ask(const flowctl_lease_ask *ask);
void fc_redis_add_ask(struct fc_redis_arguments *a, const flowctl_lease_ask *ask);
/* Whether this is the answer to that ask, and no other's. */
bool fc_redis_is_answer_to(const redisReply *from, flowctl_session_id session, uint64_t seq);
/* False: not an answer of this script. Fills in all but size, session and seq. */
bool fc_redis_read_answer(const redisReply *from, flowctl_lease_reply *reply);
bool fc_redis_read_rate(const redisReply *from, flowctl_rate *rate);
/* Of what "inspect" answers; there must be room for all the members. */
bool fc_redis_read_state(const redisReply *from, flowctl_limit_state *state, flowctl_member_state *members);

flowctl_backend_lease_fn fc_redis_lease;
flowctl_backend_get_fn fc_redis_get;
flowctl_backend_put_fn fc_redis_put;
flowctl_backend_increment_fn fc_redis_increment;
flowctl_backend_inspect_fn fc_redis_inspect;

#endif

/**
 * @file sys/backend.h  Writing a backend: where limits are kept that several processes share.
 *
 * A backend is one `static const flowctl_backend_ops` and the functions in it. It has one job: to lend (sys/lease.h). One that can run code next to its
 * state, or lock it, lets the ledger do the arithmetic (sys/ledger.h) and only loads and stores. The rest of the slots are optional: small values, counters
 * and diagnostics; what a backend has no slot for is refused by name to whoever asks for it.
 *
 *     static const flowctl_backend_ops ops = {
 *         .size = sizeof ops, .version = FLOWCTL_BACKEND_VERSION, .name = "mine", .instance_bytes = sizeof(struct mine),
 *         .capabilities = FLOWCTL_CAN_PERSIST, .open = mine_open, .close = mine_close, .lease = mine_lease};
 *
 * INSTANCES. The library allocates `instance_bytes`, zeroed, and the instance begins with a flowctl_backend_base that it fills in before `open`.
 *
 * ANSWERS. A slot that takes a ticket answers later, from any thread, or before it returns, through flowctl_answer_…; once. A ticket that is never answered
 * times out, one that is answered twice or late is ignored, except that a lease reply that comes late still counts for what it says. `close` returns when
 * no answer will be given any more.
 *
 * THREADS. Slots are called by one thread at a time (the backend's own, or the one inside flowctl_backend_poll), and never by one that decides; but for
 * `interrupt`. A slot may take as long as its store takes; but while it does, no other limit of this backend is refilled: a backend that waits for a network
 * answers later.
 *
 * SLEEPING. With nothing to do the backend's thread sleeps. A backend that has something to wait for, as a socket, needs no thread of its own if it has `wait` and
 * `interrupt`: then its thread sleeps in `wait`, and calls `poll` after it. With FLOWCTL_DRIVE_POLL the program sleeps, in its event loop, by the `descriptor`.
 *
 * STABILITY. Slots are only added at the end; `size` and `version` say which there are. See docs/api-stability.md, and docs/writing-a-backend.md for a walk
 * through examples/backend_file.c.
 */
#ifndef FLOWCTL_SYS_BACKEND_H
#define FLOWCTL_SYS_BACKEND_H

#include <flowctl/backend.h>
#include <flowctl/sys/lease.h>

FLOWCTL_BEGIN

#define FLOWCTL_BACKEND_VERSION 1

/** The longest key, in bytes, and value. Keys are text. An empty or longer key is refused with INVALID_ARGUMENT, a longer value with OUT_OF_RANGE. */
#define FLOWCTL_STORE_KEY_MAX 255
#define FLOWCTL_STORE_VALUE_MAX 4096

/** flowctl_store_put.expected: whatever is there now. */
#define FLOWCTL_ANY_VERSION UINT64_MAX

/** A value to be stored. Only valid until the slot returns. */
typedef struct flowctl_store_put {
    size_t size;
    const char *key;
    const void *value; /**< NULL: remove. */
    size_t bytes;
    uint64_t ttl_ns;   /**< Gone after so long; 0: it stays. */
    uint64_t expected; /**< The version that it replaces; 0: there is none yet; FLOWCTL_ANY_VERSION. Otherwise CONFLICT. */
} flowctl_store_put;

/** The answer to get, put and increment. `value` only needs to be valid during the answer. */
typedef struct flowctl_store_reply {
    size_t size;
    flowctl_status status; /**< OK, NOT_FOUND (get), CONFLICT (put), or why there is no answer. */
    const void *value;     /**< get. */
    size_t bytes;
    uint64_t number;  /**< increment: the value after it. */
    uint64_t version; /**< Of the value there is now (get, put): above 0, and another one after each change. */
} flowctl_store_reply;

typedef struct flowctl_backend_base flowctl_backend_base;

/** Whom a backend answers: the library, or a decorator. */
typedef struct flowctl_backend_host {
    size_t size;
    void (*leased)(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_reply *reply);
    void (*stored)(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_reply *reply);
    void (*inspected)(flowctl_backend_base *base, uint64_t ticket, flowctl_status status, const flowctl_limit_state *state);
    void (*changed)(flowctl_backend_base *base, const char *key);
    void (*wake)(flowctl_backend_base *base);
    uint64_t (*now)(flowctl_backend_base *base);
} flowctl_backend_host;

/** The beginning of every instance. Read-only for the backend. */
struct flowctl_backend_base {
    const struct flowctl_backend_ops *ops;
    const flowctl_backend_host *host;
    void *host_context;
};

/** The answer to `lease`. Any thread. */
static inline void flowctl_answer_lease(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_reply *reply) {
    base->host->leased(base, ticket, reply);
}
/** The answer to `get`, `put` and `increment`. Any thread. */
static inline void flowctl_answer_store(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_reply *reply) {
    base->host->stored(base, ticket, reply);
}
/** The answer to `inspect`: once for each limit, then once with state NULL, which ends it. Any thread. */
static inline void flowctl_answer_inspect(flowctl_backend_base *base, uint64_t ticket, flowctl_status status,
                                          const flowctl_limit_state *state) {
    base->host->inspected(base, ticket, status, state);
}
/** What is watched may have changed. Any thread. */
static inline void flowctl_tell_changed(flowctl_backend_base *base, const char *key) { base->host->changed(base, key); }
/** Asks for a call of `poll` soon. Any thread. */
static inline void flowctl_ask_for_poll(flowctl_backend_base *base) { base->host->wake(base); }
/** The time, by the clock that the backend was opened with. Any thread. */
static inline uint64_t flowctl_backend_time(flowctl_backend_base *base) { return base->host->now(base); }

/* One type per slot. */

/** Connects. `config` is what the user gave (flowctl_backend_options.config), valid only during the call. Fails with a status and a message. */
typedef flowctl_status flowctl_backend_open_fn(flowctl_backend_base *base, const void *config, flowctl_error *err);
/** Ends everything; no answer after it returned. */
typedef void flowctl_backend_close_fn(flowctl_backend_base *base);
/**
 * Lends. The ask and its texts are only valid until the slot returns. A limit is kept from its first session on: an ask that is refused, or of a session that the
 * store does not know (`seq` above 1), is answered and leaves nothing behind; but a store that can have lost the limit may begin its quarantine with the latter.
 */
typedef void flowctl_backend_lease_fn(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_ask *ask);
typedef void flowctl_backend_get_fn(flowctl_backend_base *base, uint64_t ticket, const char *key);
typedef void flowctl_backend_put_fn(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_put *put);
/** Adds `by` to a number that begins at 0 and never expires; beyond what it can hold: OUT_OF_RANGE. Numbers and values do not share keys. */
typedef void flowctl_backend_increment_fn(flowctl_backend_base *base, uint64_t ticket, const char *key, uint64_t by);
/** From now on changes of `key` are told, in the order of things but not each one (`on` false: no longer). That a value expired is not told. */
typedef flowctl_status flowctl_backend_watch_fn(flowctl_backend_base *base, const char *key, bool on);
/** The state of one limit, or of all (NULL). Ends with OK, or NOT_FOUND if the one is not there. */
typedef void flowctl_backend_inspect_fn(flowctl_backend_base *base, uint64_t ticket, const char *limit);
/** What this instance can do, FLOWCTL_CAN_… bits, if that is not what slots and `capabilities` of the vtable say: for decorators. */
typedef uint32_t flowctl_backend_able_fn(const flowctl_backend_base *base);
/** Does what is due. Returns when to be called again, at the latest (FLOWCTL_FOREVER: when asked for). */
typedef uint64_t flowctl_backend_poll_fn(flowctl_backend_base *base, uint64_t now_ns);
/**
 * Sleeps until the backend's clock reads `until_ns` (FLOWCTL_FOREVER: no limit), or there is something for `poll` to do, or `interrupt` was called since it returned last: then
 * it returns at once. To return for no reason does no harm. Only with FLOWCTL_DRIVE_THREAD.
 */
typedef void flowctl_backend_wait_fn(flowctl_backend_base *base, uint64_t until_ns);
/**
 * Makes `wait` return, and `descriptor` readable until the next `poll`. Any thread, several at once, also while another slot runs; not before `open` nor after `close`
 * has returned, and not in the child of a fork. Quick: it may be called for a decision that was denied, and with locks held that answers take, so whatever it locks must not be
 * held while answering.
 */
typedef void flowctl_backend_interrupt_fn(flowctl_backend_base *base);
/**
 * A descriptor that is readable while there is something for `poll` to do, or `interrupt` was called since the last `poll`; always the same one. -1: none. Called once, after
 * `open`, with FLOWCTL_DRIVE_POLL.
 */
typedef int flowctl_backend_descriptor_fn(const flowctl_backend_base *base);
/** For decorators: the instance inside. A decorator's `wait` and `interrupt` are only used if the one inside has them, too. */
typedef flowctl_backend_base *flowctl_backend_inner_fn(const flowctl_backend_base *base);

typedef struct flowctl_backend_ops {
    size_t size;
    unsigned version;
    const char *name; /**< One word. */
    size_t instance_bytes;
    uint32_t capabilities; /**< What the slots do not tell: FLOWCTL_CAN_PERSIST, …_SERVER_TIME, …_SHARE, …_EXACT. */
    flowctl_backend_open_fn *open;           /**< Required. */
    flowctl_backend_close_fn *close;         /**< Required. */
    flowctl_backend_lease_fn *lease;         /**< Required. */
    flowctl_backend_get_fn *get;             /**< With put. */
    flowctl_backend_put_fn *put;             /**< With get. */
    flowctl_backend_increment_fn *increment; /**< Optional, as all below. */
    flowctl_backend_watch_fn *watch;         /**< Needs get. */
    flowctl_backend_inspect_fn *inspect;
    flowctl_backend_poll_fn *poll;
    flowctl_backend_able_fn *able;
    flowctl_backend_wait_fn *wait;             /**< With interrupt; needs poll. */
    flowctl_backend_interrupt_fn *interrupt;   /**< With wait. */
    flowctl_backend_descriptor_fn *descriptor; /**< Needs interrupt. */
    flowctl_backend_inner_fn *inner;
    /* Version 1 ends here. */
} flowctl_backend_ops;

/**
 * Checks a vtable once: size, version, required slots, slots that belong together, instance size.
 * @return OK, INVALID_ARGUMENT, BAD_SIZE; the message names the slot. flowctl_backend_open calls it; decorators do for what they wrap.
 */
FLOWCTL_API flowctl_status flowctl_backend_check(const flowctl_backend_ops *ops, flowctl_error *err);

/** The capability bits of a vtable: those it states, and those that its slots show. */
FLOWCTL_API uint32_t flowctl_backend_ops_capabilities(const flowctl_backend_ops *ops);

/**
 * The instance of an open backend, if it is one of `ops`, or decorates one that is; NULL otherwise, and in the child of a fork. For backends with calls of their own
 * that take a flowctl_backend. Any thread: what such a call shares with slots, the backend has to lock.
 */
FLOWCTL_API flowctl_backend_base *flowctl_backend_instance(flowctl_backend *backend, const flowctl_backend_ops *ops);

FLOWCTL_END
#endif

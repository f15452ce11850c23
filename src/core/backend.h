/*
 * An open backend: the vtable's instance, who waits for its answers, and who drives it. "Driving" is one pass over all that is due, by one thread at a
 * time: the backend's own, or the program's.
 */
#ifndef FC_CORE_BACKEND_H
#define FC_CORE_BACKEND_H

#include "base/memory.h"
#include "clock/clock.h"
#include "core/due.h"
#include "core/turns.h"

#include <flowctl/store.h>
#include <flowctl/sys/backend.h>
#include <stdatomic.h>

struct fc_leased;

/* A call of a user's thread that waits for the store. On its stack. */
struct fc_call {
    struct fc_call *next;
    uint64_t ticket;
    enum { FC_CALL_GET, FC_CALL_PUT, FC_CALL_INCREMENT, FC_CALL_INSPECT, FC_CALL_LEASE, FC_CALL_WATCH } kind;
    const char *key;
    const flowctl_store_put *put;
    const flowctl_lease_ask *ask;
    uint64_t by;
    bool on;      /* watch */
    void *buffer; /* get */
    size_t room;
    flowctl_inspector *inspector;
    void *context;
    /* the answer */
    flowctl_store_reply reply;
    bool sent, sending, done;
    unsigned visitors; /* threads that are telling the inspector */
};

/* The last words of a limiter that is gone. */
struct fc_farewell {
    struct fc_farewell *next;
    flowctl_lease_ask ask;
    char limit[FLOWCTL_LIMIT_ID_MAX + 1];
};

struct fc_watch {
    struct fc_watch *next;
    flowctl_watcher *watcher;
    void *context;
    char key[FLOWCTL_STORE_KEY_MAX + 1];
};

struct fc_slot {
    struct fc_leased *leased; /* NULL: free */
    size_t next_free;
};

struct flowctl_backend {
    const flowctl_backend_ops *ops;
    flowctl_backend_base *instance;
    flowctl_allocator allocator;
    flowctl_clock *clock;
    uint32_t capabilities;
    flowctl_drive drive;
    bool waits;     /* has `wait` and `interrupt` */
    int descriptor; /* -1: none */
    uint64_t call_timeout_ns, max_asks_per_sec;
    char member[FLOWCTL_MEMBER_NAME_MAX + 1];

    pthread_mutex_t driver; /* who drives. Taken before `lock` */
    pthread_mutex_t lock;   /* of what follows */
    pthread_cond_t changed;
    struct fc_slot *slots;  /* of members; a ticket tells which */
    size_t room, free_slot; /* the first of a list */
    struct fc_due_heap due; /* all members; room as above */
    struct fc_turns turns;
    bool in_pass; /* of fc_members_drive */
    uint64_t generation;
    struct fc_call *calls;
    struct fc_farewell *farewells;
    struct fc_watch *watches;

    struct fc_sleeper sleeper; /* the thread's */
    pthread_t thread;
    _Atomic uint64_t busy_members;           /* in use lately */
    _Atomic uint64_t round_trip_ns;          /* of asks, as a rule */
    struct fc_leased *_Atomic hurried;       /* members that are due sooner than planned: a list */
    _Atomic uint64_t awake_at_ns;            /* when the next pass is planned, by the backend's clock */
    _Atomic bool stopping, orphan;           /* orphan: in the child of a fork */
    struct flowctl_backend *next, *previous; /* all open backends (core/fork.c) */
};

static inline uint64_t fc_backend_now(const flowctl_backend *b) { return b->clock->ops->now(b->clock); }

/* Somebody wants to be driven at `due_ns`. Any thread; takes a leaf lock or interrupts, and only if it is sooner than planned. */
void fc_backend_wake(flowctl_backend *b, uint64_t due_ns);

/* One pass. Returns when the next is due. */
uint64_t fc_backend_drive(flowctl_backend *b);

/* One pass by another thread than the one that polls, with FLOWCTL_DRIVE_POLL. That one looks again, since what it was told may be so no longer. */
void fc_backend_assist(flowctl_backend *b);

/* How far asks of one busy member have to be apart, so that those of all are not too many: for what is allowed, and for the turns that there are. */
uint64_t fc_backend_spacing_ns(const flowctl_backend *b);
void fc_backend_note_round_trip(flowctl_backend *b, uint64_t ns);

/* A limiter becomes a member, and leaves. Leaving returns once no thread is inside. */
flowctl_status fc_backend_enter(flowctl_backend *b, struct fc_leased *s);
void fc_backend_leave(flowctl_backend *b, struct fc_leased *s, struct fc_farewell *farewell);

/* A member is due at `due_ns` already, if that is sooner than planned. As fc_backend_wake. */
void fc_backend_hurry(flowctl_backend *b, struct fc_leased *s, uint64_t due_ns);

/* A member that can't leave meanwhile; NULL if there is none of that ticket. It may be due at another time after it. */
struct fc_leased *fc_members_visit(flowctl_backend *b, uint64_t ticket);
void fc_members_end_visit(flowctl_backend *b, struct fc_leased *s);

/* Drives those that are due. Returns when the next is. Under `lock`, which is given up meanwhile. */
uint64_t fc_members_drive(flowctl_backend *b);
void fc_members_free(flowctl_backend *b);

/* Puts a call before the store and waits, at most so long. Returns the status of the answer. */
flowctl_status fc_call_wait(flowctl_backend *b, struct fc_call *call, uint64_t max_wait_ns);

/* Sends the calls that were not sent yet. Under `lock`, which it gives up meanwhile. */
void fc_calls_send(flowctl_backend *b);

/* The host's part for calls. */
void fc_calls_stored(flowctl_backend *b, uint64_t ticket, const flowctl_store_reply *reply);
void fc_calls_inspected(flowctl_backend *b, uint64_t ticket, flowctl_status status, const flowctl_limit_state *state);
void fc_calls_leased(flowctl_backend *b, uint64_t ticket, const flowctl_lease_reply *reply);
void fc_calls_changed(flowctl_backend *b, const char *key);

/*
 * Tickets of calls have the highest bit, those of members have not. A member's: 31 bits that are new for each limiter, 8 that count its sessions, so that an
 * answer to an earlier one is not taken for the present one's, and its slot.
 */
#define FC_TICKET_CALL (UINT64_C(1) << 63)
#define FC_TICKET_SLOT_BITS 24
#define FC_TICKET_SESSION_MASK (UINT64_C(0xff) << FC_TICKET_SLOT_BITS)
#define FC_TICKET_SLOT_MASK ((UINT64_C(1) << FC_TICKET_SLOT_BITS) - 1)

/* All open backends, so that a child of a fork can be told that it holds nothing. */
void fc_fork_enter(flowctl_backend *b);
void fc_fork_leave(flowctl_backend *b);

#endif

/* The handle behind every kind of limiter. */
#ifndef FC_CORE_LIMITER_H
#define FC_CORE_LIMITER_H

#include "base/memory.h"
#include "clock/clock.h"
#include "core/bookings.h"
#include "core/counters.h"

#include <flowctl/observe.h>
#include <flowctl/reservation.h>
#include <flowctl/settle.h>

/*
 * A change of a limiter's settings. What is not named stays. `now_ns` NULL: the clock is read at the right moment.
 */
struct fc_change {
    enum { FC_CHANGE_LIMIT, FC_CHANGE_PAUSE, FC_CHANGE_RESUME, FC_CHANGE_RESET, FC_CHANGE_RESTORE } kind;
    bool with_rate, with_burst; /* FC_CHANGE_LIMIT */
    flowctl_rate rate;
    uint64_t burst;
    int64_t there; /* FC_CHANGE_RESTORE: what is there, in units (not doubled) of which `unit` make a permit */
    uint64_t unit;
};

/*
 * What a kind of limiter does; all slots are required. The verbs have checked the handle, the cost (not 0) and the time; what is counted, the
 * kind counts. Each may find the limiter closed and then answers fc_refused(FLOWCTL_CLOSED, …). `now_ns` as a pointer: NULL lets the kind
 * read the clock, where the moment matters.
 */
struct fc_limiter_ops {
    flowctl_decision (*decide)(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns);
    flowctl_decision (*peek)(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns);
    uint64_t (*take_up_to)(flowctl_limiter *limiter, uint64_t max_permits, uint64_t now_ns);
    /* `reservation` and `receipt` may be NULL; they come zeroed. */
    flowctl_decision (*reserve)(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns,
                                flowctl_reservation *reservation);
    flowctl_decision (*acquire)(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns,
                                flowctl_receipt *receipt);
    uint64_t (*cancel)(flowctl_limiter *limiter, const flowctl_reservation *reservation, uint64_t now_ns);
    uint64_t (*due)(flowctl_limiter *limiter, const flowctl_reservation *reservation, uint64_t now_ns);
    /* What was booked and is due counts as used. */
    void (*sweep)(flowctl_limiter *limiter);
    flowctl_settlement (*settle)(flowctl_limiter *limiter, const flowctl_receipt *receipt, uint64_t actual,
                                 const uint64_t *now_ns);
    flowctl_status (*change)(flowctl_limiter *limiter, const struct fc_change *change, const uint64_t *now_ns,
                             flowctl_error *err);
    flowctl_status (*snapshot)(flowctl_limiter *limiter, void *buffer, size_t room, size_t *length, flowctl_error *err,
                               uint64_t now_ns);
    flowctl_status (*restore)(flowctl_limiter *limiter, const void *blob, size_t length, uint64_t elapsed_ns,
                              flowctl_error *err, uint64_t now_ns);
    /* Fills in rate, burst, tokens, debt and grid. */
    flowctl_status (*read)(flowctl_limiter *limiter, flowctl_limiter_info *info, uint64_t now_ns);
};

/*
 * The slow path of a cell that is short: asked before a denial, it may bring permits (by moving the word back) and answers whether to look
 * again. May block only as long as its limiter's options allow. NULL: the cell is the truth.
 */
typedef bool (*fc_refill_hook)(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns, void *context);

/* Two readings of the counters, for the actual rate. */
struct fc_mark {
    uint64_t now_ns, permits;
};

/* What settling has charged beyond zero and time has not paid for yet. */
struct fc_debt {
    uint64_t most_permits;
    uint64_t units, end; /* how much at the most, until V has reached `end` */
};

/* A thread inside acquire that waits. On its own stack. */
struct fc_waiter {
    struct fc_waiter *next, *previous;
    struct fc_sleeper *sleeper;
};

struct flowctl_limiter {
    struct fc_cell cell; /* the only line that a decision needs, besides the thread's own stripe */
    struct fc_terms_slot terms[2];
    const struct fc_limiter_ops *ops;
    flowctl_clock *clock;
    struct fc_leased *leased; /* the store's side of a shared limit; NULL: this process's own */
    fc_refill_hook refill;
    void *refill_context;
    flowctl_allocator allocator;
    size_t bytes; /* of this block, id included */
    _Atomic bool closed, dry_run;
    _Atomic bool near_limit; /* on_near_limit was called and is not due again yet */
    const flowctl_listener *_Atomic listener;
    pthread_mutex_t lock; /* of everything below, and of changes to the terms */
    flowctl_rate rate;
    uint64_t burst_permits;
    bool lenient;
    struct fc_debt debt;
    flowctl_settlement settled; /* all settlements, summed */
    uint64_t cancelled_permits;
    struct fc_bookings bookings;
    struct fc_waiter *waiters;
    uint64_t waiter_count;
    uint64_t guests; /* threads inside acquire that will tell a listener about it */
    pthread_cond_t nobody_inside;
    struct fc_mark marks[2]; /* older, newer */
    struct fc_counters counters;
    char id[];
};
_Static_assert(sizeof(struct flowctl_limiter) <= 1536 - FC_ALIGN - sizeof(void *), "token_bucket.h says: less than 1.5 KiB");

static inline uint64_t fc_limiter_now(const flowctl_limiter *limiter) {
    unsigned id = limiter->cell.system_clock;
    return id != 0 ? fc_system_now((clockid_t)id) : limiter->clock->ops->now(limiter->clock);
}

/* A decision that grants nothing, for a reason that is no verdict. */
static inline flowctl_decision fc_refused(flowctl_status status, uint64_t now_ns) {
    return (flowctl_decision){.verdict = FLOWCTL_DENY,
                              .status = status,
                              .retry_after_ns = FLOWCTL_FOREVER,
                              .now_ns = now_ns,
                              .tier = FLOWCTL_NO_TIER};
}

struct fc_limiter_setup {
    const char *id;       /* NULL: "" */
    flowctl_clock *clock; /* not NULL */
    const flowctl_allocator *allocator;
    const struct fc_limiter_ops *ops;
};

/* A thread begins and ends to wait. Under the lock; destroy waits until nobody does. */
void fc_limiter_wait(flowctl_limiter *limiter, struct fc_waiter *waiter, struct fc_sleeper *sleeper);
void fc_limiter_stop_waiting(flowctl_limiter *limiter, struct fc_waiter *waiter);

/* Allocates and fills in what all kinds share; cell, terms, rate and burst are the kind's. */
flowctl_status fc_limiter_create(const struct fc_limiter_setup *setup, flowctl_limiter **limiter, flowctl_error *err);

#endif

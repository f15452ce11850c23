/* The handle behind every kind of limiter. */
#ifndef FC_CORE_LIMITER_H
#define FC_CORE_LIMITER_H

#include "base/memory.h"
#include "clock/clock.h"
#include "core/cell.h"
#include "core/counters.h"
#include "core/waiters.h"

#include <flowctl/limiter.h>

/*
 * What a kind of limiter does; all slots are required. The verbs have checked the handle, the cost (not 0) and the time; what is counted, the
 * kind counts. Each may find the limiter closed and then answers fc_refused(FLOWCTL_CLOSED, …).
 */
struct fc_limiter_ops {
    flowctl_decision (*decide)(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns);
    flowctl_decision (*peek)(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns);
    uint64_t (*take_up_to)(flowctl_limiter *limiter, uint64_t max_permits, uint64_t now_ns);
    flowctl_decision (*reserve)(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns);
    flowctl_decision (*acquire)(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns);
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

struct flowctl_limiter {
    struct fc_cell cell; /* the only line that a decision needs, besides the thread's own stripe */
    const struct fc_limiter_ops *ops;
    flowctl_clock *clock;
    struct fc_bucket_slope slope;
    flowctl_rate rate;
    uint64_t burst_permits;
    fc_refill_hook refill;
    void *refill_context;
    flowctl_allocator allocator;
    size_t bytes;           /* of this block, id included */
    pthread_mutex_t lock;   /* of everything below, and of changes to the profile */
    struct fc_waiters waiters;
    struct fc_mark marks[2]; /* older, newer */
    bool closed;
    bool moved; /* the anchor is not where it was at create */
    struct fc_counters counters;
    char id[];
};
_Static_assert(sizeof(struct flowctl_limiter) <= 1024 - FC_ALIGN - sizeof(void *), "token_bucket.h says: less than 1 KiB");

static inline uint64_t fc_limiter_now(const flowctl_limiter *limiter) {
    return limiter->cell.monotonic_clock ? fc_monotonic_now() : limiter->clock->ops->now(limiter->clock);
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
    const char *id; /* NULL: "" */
    flowctl_clock *clock; /* not NULL */
    const flowctl_allocator *allocator;
    const struct fc_limiter_ops *ops;
};

/* Allocates and fills in what all kinds share; cell, rate and slope are the kind's. */
flowctl_status fc_limiter_create(const struct fc_limiter_setup *setup, flowctl_limiter **limiter, flowctl_error *err);

#endif

/* Counters that many threads add to: spread over cache lines by thread, summed when read. */
#ifndef FC_CORE_COUNTERS_H
#define FC_CORE_COUNTERS_H

#include <flowctl/limiter.h>
#include <stdatomic.h>

#define FC_STRIPES 8

struct fc_stripe {
    _Alignas(64) _Atomic uint64_t allowed;
    _Atomic uint64_t beyond_one, denied, never, waited, wait_ns, dry_run_allowed;
};

struct fc_counters {
    struct fc_stripe stripes[FC_STRIPES];
};

/* Which stripe this thread adds to, 1 … FC_STRIPES; 0 until it asked. */
extern _Thread_local unsigned fc_own_stripe __attribute__((tls_model("initial-exec"), visibility("hidden")));
unsigned fc_choose_stripe(void);

static inline struct fc_stripe *fc_stripe_of(struct fc_counters *counters) {
    unsigned own = fc_own_stripe;
    return &counters->stripes[(own != 0 ? own : fc_choose_stripe()) - 1];
}

static inline void fc_add(_Atomic uint64_t *counter, uint64_t n) {
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* One call that was granted `permits`, at least 1. One addition in the common case of 1. */
static inline void fc_count_allowed(struct fc_counters *counters, uint64_t permits) {
    struct fc_stripe *s = fc_stripe_of(counters);
    fc_add(&s->allowed, 1);
    if (permits != 1) fc_add(&s->beyond_one, permits - 1);
}

static inline void fc_count_denied(struct fc_counters *counters) { fc_add(&fc_stripe_of(counters)->denied, 1); }
static inline void fc_count_never(struct fc_counters *counters) { fc_add(&fc_stripe_of(counters)->never, 1); }

static inline void fc_count_waited(struct fc_counters *counters, uint64_t wait_ns) {
    struct fc_stripe *s = fc_stripe_of(counters);
    fc_add(&s->waited, 1);
    fc_add(&s->wait_ns, wait_ns);
}

void fc_counters_sum(const struct fc_counters *counters, flowctl_counters *sum);

#endif

#include "core/counters.h"

_Thread_local unsigned fc_own_stripe;

unsigned fc_choose_stripe(void) {
    static _Atomic unsigned threads;
    fc_own_stripe = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % FC_STRIPES + 1;
    return fc_own_stripe;
}

static uint64_t value(const _Atomic uint64_t *counter) { return atomic_load_explicit(counter, memory_order_relaxed); }

void fc_counters_sum(const struct fc_counters *counters, flowctl_counters *sum) {
    *sum = (flowctl_counters){0};
    for (unsigned i = 0; i < FC_STRIPES; i++) {
        const struct fc_stripe *s = &counters->stripes[i];
        uint64_t allowed = value(&s->allowed);
        sum->allowed += allowed;
        sum->allowed_permits += allowed + value(&s->beyond_one);
        sum->denied += value(&s->denied);
        sum->never += value(&s->never);
        sum->waited += value(&s->waited);
        sum->wait_ns += value(&s->wait_ns);
        sum->dry_run_allowed += value(&s->dry_run_allowed);
    }
}

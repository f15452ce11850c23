#include "conformance.h"

/* A sum that stops at the largest value: by then the limit was exceeded by more than can be written. */
static fct_amount add(fct_amount a, fct_amount b) {
    const fct_amount most = (((fct_amount)1 << 126) - 1) * 2 + 1;
    fct_amount sum;
    return __builtin_add_overflow(a, b, &sum) ? most : sum;
}

void fct_conformance_init(struct fct_conformance *c, const flowctl_rate *rate, uint64_t burst) {
    *c = (struct fct_conformance){.rate = *rate, .burst = (fct_amount)burst * rate->period_ns};
    c->excess = -c->burst;
}

/* Products fit: 2^64 ns times the permits of a period, at most 10 per ns of 2^59, and 2^64 permits times a period of 2^59. */
void fct_conformance_add(struct fct_conformance *c, uint64_t time_ns, uint64_t permits) {
    fct_amount drained = c->any ? (fct_amount)(time_ns - c->last_ns) * c->rate.permits : 0;
    c->last_ns = time_ns;
    if (drained >= c->held) c->held = 0, c->since_ns = time_ns, c->inside = 0;
    else c->held -= drained;
    c->held = add(c->held, (fct_amount)permits * c->rate.period_ns);
    c->inside += permits;
    c->total += permits;
    c->any = true;
    if (c->held - c->burst <= c->excess) return;
    c->excess = c->held - c->burst;
    c->from_ns = c->since_ns, c->until_ns = time_ns, c->permits = c->inside;
}

double fct_conformance_excess(const struct fct_conformance *c) { return (double)c->excess / (double)c->rate.period_ns; }

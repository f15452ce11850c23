#include "backlog.h"

#include <flowctl/token_bucket.h>

void fct_backlog_init(struct fct_backlog *backlog, const flowctl_rate *rate) {
    *backlog = (struct fct_backlog){.rate = *rate};
}

/*
 * Nothing overflows: a level at most 2^59 permits and a cost below 2^64, times a period below 2^59, stay below 2^124; and
 * a rate at most 10 per ns has fewer than 2^63 permits in its period, which 2^64 ns drain below 2^127.
 */
void fct_backlog_add(struct fct_backlog *b, uint64_t time_ns, uint64_t cost) {
    if (b->too_high) return;
    if (time_ns != b->last_ns) {
        fct_u128 drained = (fct_u128)(time_ns - b->last_ns) * b->rate.permits;
        b->level = b->level > drained ? b->level - drained : 0;
        b->last_ns = time_ns;
    }
    b->level += (fct_u128)cost * b->rate.period_ns;
    if (b->level > b->peak) b->peak = b->level;
    if (b->peak > (fct_u128)FLOWCTL_BURST_MAX * b->rate.period_ns) b->too_high = true;
}

bool fct_backlog_smallest_burst(const struct fct_backlog *b, uint64_t *burst) {
    if (b->too_high) return false;
    *burst = (uint64_t)((b->peak + b->rate.period_ns - 1) / b->rate.period_ns);
    if (*burst == 0) *burst = 1;
    return true;
}

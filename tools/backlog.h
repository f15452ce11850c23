/*
 * The smallest burst that denies nothing: what would pile up if every request were granted and the rate drained it. A
 * bucket that holds the highest level ever reached grants everything; one permit less, and that moment's request is
 * denied. Exact, in rationals. Pure.
 */
#ifndef FCT_BACKLOG_H
#define FCT_BACKLOG_H

#include "wide.h"

#include <flowctl/rate.h>
#include <stdbool.h>

struct fct_backlog {
    flowctl_rate rate; /* lowest terms, period at most FLOWCTL_PERIOD_MAX_NS */
    uint64_t last_ns;
    fct_u128 level, peak; /* in permits x rate.period_ns */
    bool too_high;        /* above what a burst can be, FLOWCTL_BURST_MAX: the rest does not matter */
};

void fct_backlog_init(struct fct_backlog *backlog, const flowctl_rate *rate);

/* One request; times must not go back. */
void fct_backlog_add(struct fct_backlog *backlog, uint64_t time_ns, uint64_t cost);

/* In whole permits, at least 1, since no bucket holds less. False if no burst can be that high. */
bool fct_backlog_smallest_burst(const struct fct_backlog *backlog, uint64_t *burst);

#endif

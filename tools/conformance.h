/*
 * Whether dated admissions keep a limit: did more than burst + rate x length pass in any interval?
 *
 * One pass in order of time, with a vessel that drains at the rate: what it holds above the burst is the excess of the worst interval that ends there.
 * Amounts are counted in 1/period_ns of a permit, so that a nanosecond drains a whole number of them and nothing is rounded. It shares no code with the
 * library, and knows nothing of how a limiter works. Pure.
 */
#ifndef FCT_CONFORMANCE_H
#define FCT_CONFORMANCE_H

#include <flowctl/rate.h>
#include <stdbool.h>

__extension__ typedef __int128 fct_amount;

struct fct_conformance {
    flowctl_rate rate;
    fct_amount burst, held;
    uint64_t last_ns, since_ns, inside; /* since: when the vessel was empty last, and what came in since */
    bool any;
    /* what was found */
    fct_amount excess;                   /* of the worst interval, in 1/period_ns of a permit; at most 0: the limit held */
    uint64_t from_ns, until_ns, permits; /* that interval, and what passed in it */
    uint64_t total;
};

void fct_conformance_init(struct fct_conformance *c, const flowctl_rate *rate, uint64_t burst);

/* One admission; times must not go back. */
void fct_conformance_add(struct fct_conformance *c, uint64_t time_ns, uint64_t permits);

/* The excess in permits, for people; its sign is that of the exact one. */
double fct_conformance_excess(const struct fct_conformance *c);

#endif

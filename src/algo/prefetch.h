/*
 * How much to ask for ahead of need. Pure. It only decides what is asked, never what may be used: nothing here can break a limit.
 *
 * What is held idle is held from the others, so the amount follows what was *admitted* lately (by what was attempted, members keep each other from what
 * they can't get anyway), enough for two refreshes and a round trip, and at most a fair part of the burst. Whoever was short asks for twice as much. What lies idle
 * for four refreshes goes back, but for a quarter of the fair part, and all of it if another needs more than there is. A limit of which the fair part is
 * less than two permits, or than a cost in use, is asked for one by one: nothing ahead of need, all or nothing, and what was held goes back first, since two
 * that collect parts of one burst would wait for each other.
 *
 * One by one by wish (`one_by_one`) it is so for any limit, and stricter: nobody who went away is asked for, and what was not fetched within a refresh goes back.
 */
#ifndef FC_ALGO_PREFETCH_H
#define FC_ALGO_PREFETCH_H

#include <flowctl/rate.h>
#include <stdbool.h>

struct fc_prefetch {
    double rate;             /* admitted lately, permits per nanosecond */
    uint64_t used;           /* at the last plan */
    uint64_t planned_ns;     /* when that was; 0: never */
    uint64_t used_when_idle; /* at the last plan, as above */
    uint64_t short_since_ns; /* held no more than planned, or something was used, then: what is held is idle for long once this is old */
    uint64_t largest; /* the largest cost that was short, lately: decays */
    uint64_t missing; /* what was short last, and when */
    uint64_t missing_ns;
};

/* What is known when a plan is made. */
struct fc_prefetch_now {
    uint64_t now_ns;
    uint64_t used; /* sum of what was used */
    int64_t held;  /* what is held; below zero: owed */
    uint64_t missing; /* the largest cost refused since the last plan, or the cost of the first that waits; 0: nobody was short */
    uint64_t queued; /* what all that wait want together */
    flowctl_rate rate;
    uint64_t burst, members;
    bool scarce; /* somebody else needs more than there is */
    bool one_by_one;
    uint64_t refresh_ns, round_trip_ns;
};

struct fc_prefetch_plan {
    uint64_t give_back; /* of what is held, first */
    uint64_t want, need;
    bool soon; /* what is used is to be reported at once: until then it is missing to all */
};

struct fc_prefetch_plan fc_prefetch_plan(struct fc_prefetch *p, const struct fc_prefetch_now *now);

#endif

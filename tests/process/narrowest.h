/* The smallest interval that holds more than its burst + rate x length: what to look at first when a run was over the limit. */
#ifndef FLOWCTL_TESTS_NARROWEST_H
#define FLOWCTL_TESTS_NARROWEST_H

#include "support/oracle.h"

struct narrowest {
    bool found;
    size_t first, last; /* events at its ends */
    uint64_t permits;   /* in it */
};

/* What was allowed besides (oracle_judge_allowing), in order of time. */
struct allowances {
    const struct oracle_event *list;
    size_t count;
};

/* Events in order of time. Of windows of one length that with the most permits. False in `found` also without memory. */
struct narrowest narrowest_over(const struct oracle_event *events, size_t count, const struct oracle_limit *limit,
                                struct allowances allowed);

#endif

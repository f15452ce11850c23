/* Buckets for tests: made or the test is over; and random ones that lie where trouble is likely. */
#ifndef FLOWCTL_TESTS_BUCKET_SETUP_H
#define FLOWCTL_TESTS_BUCKET_SETUP_H

#include "support/oracle.h"

#include <flowctl/flowctl.h>

/* A token bucket that starts full; `clock` NULL: monotonic. */
flowctl_limiter *test_bucket(flowctl_rate rate, uint64_t burst, flowctl_clock *clock);

/* A manual clock at start_ns. */
flowctl_clock *test_clock(uint64_t start_ns);

/* What the oracle must hold a bucket to. */
struct oracle_limit test_limit(flowctl_rate rate, uint64_t burst);

/* A bucket on a manual clock of its own, at start_ns, with start_permits. */
struct bucket_setup {
    flowctl_rate rate;
    uint64_t burst, start_ns, start_permits;
    flowctl_clock *clock;
    flowctl_limiter *limiter;
};

/* Chooses rate (1 per 10 years … 10^10/s), burst, start and level. */
void bucket_setup_random(struct bucket_setup *setup, uint64_t *random);
void bucket_setup_make(struct bucket_setup *setup);
void bucket_setup_free(struct bucket_setup *setup);

/* A step of time, at most `most`: nothing, a nanosecond, or around the moments at which a permit or a full bucket is due. */
uint64_t bucket_setup_random_step(const struct bucket_setup *setup, uint64_t *random, uint64_t most);

#endif

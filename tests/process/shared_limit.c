#include "process/shared_limit.h"

#include "admission_ring.h"

#include <stdio.h>
#include <string.h>

static bool open_local(struct shared_limit *limit, const struct shared_limit_terms *terms) {
    flowctl_error err;
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    o.id = terms->id;
    o.rate = terms->rate;
    o.burst = terms->burst;
    o.start = terms->start_empty ? FLOWCTL_START_EMPTY : FLOWCTL_START_FULL;
    if (flowctl_token_bucket_create(&o, &limit->limiter, &err) != FLOWCTL_OK)
        return fprintf(stderr, "%s: %s\n", terms->member, err.message), false;
    /* In this order the difference is too small by the time in between, so that nothing is dated after its use. */
    uint64_t boottime_ns = fct_ring_now_ns();
    limit->to_boottime_ns = boottime_ns - flowctl_clock_now(NULL);
    return true;
}

bool shared_limit_open(struct shared_limit *limit, const struct shared_limit_terms *terms) {
    *limit = (struct shared_limit){NULL, 0};
    if (terms->backend == NULL || strcmp(terms->backend, "local") == 0) return open_local(limit, terms);
    return fprintf(stderr, "%s: --backend: \"%s\": there is only local\n", terms->member, terms->backend), false;
}

uint64_t shared_limit_now_ns(const struct shared_limit *limit) {
    (void)limit;
    return flowctl_clock_now(NULL);
}

void shared_limit_close(struct shared_limit *limit) {
    flowctl_limiter_destroy(limit->limiter);
    limit->limiter = NULL;
}

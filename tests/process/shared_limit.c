#include "process/shared_limit.h"

#include "admission_ring.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define OPEN_TRIES_NS (30 * FLOWCTL_NS_PER_SEC)

static flowctl_token_bucket_options options_of(const struct shared_limit_terms *terms) {
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    o.id = terms->id;
    o.rate = terms->rate;
    o.burst = terms->burst;
    return o;
}

static bool complain(const struct shared_limit_terms *terms, const flowctl_error *err) {
    return fprintf(stderr, "%s: %s\n", terms->member, err->message), false;
}

/* ---- a bucket of one's own ---- */

static bool open_local(struct shared_limit *limit, const struct shared_limit_terms *terms) {
    flowctl_error err;
    flowctl_token_bucket_options o = options_of(terms);
    o.start = terms->start_empty ? FLOWCTL_START_EMPTY : FLOWCTL_START_FULL;
    if (flowctl_token_bucket_create(&o, &limit->limiter, &err) != FLOWCTL_OK) return complain(terms, &err);
    /* In this order the difference is too small by the time in between, so that nothing is dated after its use. */
    uint64_t boottime_ns = fct_ring_now_ns();
    limit->to_boottime_ns = boottime_ns - flowctl_clock_now(NULL);
    return true;
}

/* ---- a shared one ---- */

static flowctl_status open_once(struct shared_limit *limit, const struct shared_limit_terms *terms, flowctl_error *err) {
    flowctl_fault_config config = {sizeof config, limit->url.ops, limit->url.config, limit->faults};
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    if (!terms->faulty) return fct_backend_url_open(&limit->url, terms->member, FLOWCTL_DRIVE_THREAD, &limit->backend, err);
    o.ops = flowctl_fault_backend();
    o.config = &config;
    o.member = terms->member;
    return flowctl_backend_open(&o, &limit->backend, err);
}

/* Another worker may have been stopped just then, with the store's lock in its hands; or a server is away, silent, or out of memory. */
static bool may_pass(flowctl_status status) {
    return status == FLOWCTL_UNAVAILABLE || status == FLOWCTL_TIMED_OUT || status == FLOWCTL_NO_MEMORY;
}

static bool open_backend(struct shared_limit *limit, const struct shared_limit_terms *terms) {
    flowctl_error err;
    flowctl_status status;
    uint64_t until_ns = fct_ring_now_ns() + OPEN_TRIES_NS;
    while (may_pass(status = open_once(limit, terms, &err)) && fct_ring_now_ns() < until_ns)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return status == FLOWCTL_OK || complain(terms, &err);
}

static bool open_shared(struct shared_limit *limit, const struct shared_limit_terms *terms) {
    flowctl_error err;
    if (fct_backend_url_read(&limit->url, terms->backend, &err) != FLOWCTL_OK) return complain(terms, &err);
    if (terms->faulty) {
        if (flowctl_faults_create(terms->seed, &limit->faults, &err) != FLOWCTL_OK) return complain(terms, &err);
        flowctl_faults_set(limit->faults, &terms->faults);
    }
    if (!open_backend(limit, terms)) return false;
    flowctl_token_bucket_options o = options_of(terms);
    o.backend = limit->backend;
    o.sharing.ttl_ns = terms->ttl_ns;
    o.sharing.refresh_ns = terms->refresh_ns;
    return flowctl_token_bucket_create(&o, &limit->limiter, &err) == FLOWCTL_OK || complain(terms, &err);
}

/* ---- either ---- */

bool shared_limit_open(struct shared_limit *limit, const struct shared_limit_terms *terms) {
    *limit = (struct shared_limit){NULL};
    bool local = terms->backend == NULL || strcmp(terms->backend, "local") == 0;
    if (local ? open_local(limit, terms) : open_shared(limit, terms)) return true;
    shared_limit_close(limit);
    return false;
}

uint64_t shared_limit_now_ns(const struct shared_limit *limit) {
    return flowctl_clock_now(limit->backend != NULL ? flowctl_clock_boottime() : NULL);
}

void shared_limit_close(struct shared_limit *limit) {
    flowctl_limiter_destroy(limit->limiter);
    flowctl_backend_destroy(limit->backend);
    flowctl_faults_destroy(limit->faults);
    fct_backend_url_cleanup(&limit->url);
    *limit = (struct shared_limit){NULL};
}

#include "unit/fixture.h"

#include <stdlib.h>

/* ---- errors ---- */

flowctl_error fixture_error(void) {
    flowctl_error err;
    memset(&err, 0x5a, sizeof err);
    return err;
}

bool fixture_error_untouched(const flowctl_error *err) {
    flowctl_error fresh = fixture_error();
    return memcmp(err, &fresh, sizeof fresh) == 0;
}

void fixture_assert_failed(const flowctl_error *err, flowctl_status status) {
    assert_int_equal(err->status, status);
    const char *end = memchr(err->message, '\0', sizeof err->message);
    assert_non_null(end);
    assert_true(end > err->message);
    assert_null(strchr(err->message, '\n'));
}

/* ---- allocators ---- */

/* Stands before every block. */
union header {
    size_t bytes;
    max_align_t align;
};

static void *counted_allocate(size_t bytes, void *context) {
    struct counted *c = context;
    if (++c->calls == c->fail_at) return NULL;
    union header *h = malloc(sizeof *h + c->skew + bytes);
    if (h == NULL) abort();
    memset(h, 0xa5, sizeof *h + c->skew + bytes); /* nobody may count on zeroes */
    h->bytes = bytes;
    c->blocks++, c->bytes += bytes;
    return (char *)(h + 1) + c->skew;
}

static void counted_release(void *block, size_t bytes, void *context) {
    struct counted *c = context;
    if (block == NULL) {
        c->wrong_releases++;
        return;
    }
    char *start = (char *)block - c->skew - sizeof(union header);
    union header h;
    memcpy(&h, start, sizeof h);
    if (h.bytes != bytes) c->wrong_releases++;
    c->blocks--, c->bytes -= bytes;
    free(start);
}

void counted_init(struct counted *c) { *c = (struct counted){.allocator = {counted_allocate, counted_release, c}}; }

/* ---- a bucket on a manual clock ---- */

flowctl_token_bucket_options bucket_options(flowctl_rate rate, uint64_t burst, uint64_t start_permits) {
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    o.id = "unit";
    o.rate = rate;
    o.burst = burst;
    o.start = FLOWCTL_START_AT;
    o.start_permits = start_permits;
    return o;
}

struct bucket bucket_with(flowctl_token_bucket_options options) {
    struct bucket b;
    assert_int_equal(flowctl_clock_manual_create(FIXTURE_START_NS, NULL, &b.clock, NULL), FLOWCTL_OK);
    options.clock = b.clock;
    assert_int_equal(flowctl_token_bucket_create(&options, &b.limiter, NULL), FLOWCTL_OK);
    return b;
}

struct bucket bucket_new(flowctl_rate rate, uint64_t burst, uint64_t start_permits) {
    return bucket_with(bucket_options(rate, burst, start_permits));
}

void bucket_free(struct bucket *b) {
    flowctl_limiter_destroy(b->limiter);
    flowctl_clock_destroy(b->clock);
}

flowctl_counters bucket_counters(const struct bucket *b) {
    flowctl_counters sum;
    assert_int_equal(flowctl_limiter_counters(b->limiter, &sum), FLOWCTL_OK);
    return sum;
}

flowctl_limiter_info bucket_info(const struct bucket *b) {
    flowctl_limiter_info info;
    assert_int_equal(flowctl_limiter_read(b->limiter, &info), FLOWCTL_OK);
    return info;
}

/* ---- threads inside acquire ---- */

static void *call(void *argument) {
    struct caller *c = argument;
    c->decision = flowctl_acquire(c->limiter, c->permits, c->max_wait_ns);
    atomic_store(&c->returned, true);
    return NULL;
}

void caller_start(struct caller *c, flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns) {
    c->limiter = limiter, c->permits = permits, c->max_wait_ns = max_wait_ns;
    c->decision = (flowctl_decision){.verdict = FLOWCTL_NEVER};
    atomic_init(&c->returned, false);
    assert_int_equal(pthread_create(&c->thread, NULL, call, c), 0);
}

void caller_start_asleep_for(struct caller *c, const struct bucket *b, uint64_t permits, uint64_t max_wait_ns) {
    unsigned before = flowctl_clock_sleepers(b->clock);
    caller_start(c, b->limiter, permits, max_wait_ns);
    AWAIT(flowctl_clock_sleepers(b->clock) == before + 1);
}

void caller_start_asleep(struct caller *c, const struct bucket *b, uint64_t permits) {
    caller_start_asleep_for(c, b, permits, FLOWCTL_FOREVER);
}

static void *join(struct caller *c) {
    struct timespec limit;
    void *result;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 30;
    assert_int_equal(pthread_timedjoin_np(c->thread, &result, &limit), 0);
    return result;
}

flowctl_decision caller_join(struct caller *c) {
    assert_null(join(c));
    return c->decision;
}

void caller_cancel(struct caller *c) {
    assert_int_equal(pthread_cancel(c->thread), 0);
    assert_ptr_equal(join(c), PTHREAD_CANCELED);
    assert_false(caller_returned(c));
}

bool caller_returned(struct caller *c) { return atomic_load(&c->returned); }

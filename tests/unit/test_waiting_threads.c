/* Waiting in acquire on the monotonic clock, and many threads that wait and give up at once. */
#include "unit/fixture.h"

#include "support/oracle.h"
#include "support/seed.h"

#define SEC FLOWCTL_NS_PER_SEC

static void assert_closed(struct caller *c) {
    flowctl_decision d = caller_join(c);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.status, FLOWCTL_CLOSED);
    assert_int_equal(d.granted, 0);
    assert_true(d.retry_after_ns == FLOWCTL_FOREVER);
}

/* ---- the monotonic clock ---- */

static flowctl_limiter *monotonic_bucket(flowctl_rate rate, uint64_t burst) {
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    flowctl_limiter *l;
    o.rate = rate, o.burst = burst, o.start = FLOWCTL_START_EMPTY;
    assert_int_equal(flowctl_token_bucket_create(&o, &l, NULL), FLOWCTL_OK);
    return l;
}

static void await_waiters(flowctl_limiter *l, uint64_t waiters) {
    flowctl_limiter_info info;
    AWAIT(flowctl_limiter_read(l, &info) == FLOWCTL_OK && info.waiters == waiters);
}

static void on_the_monotonic_clock_nobody_returns_before_due(void **state) {
    (void)state;
    flowctl_limiter *l = monotonic_bucket(flowctl_per_second(2000), 1);
    uint64_t last = 0;
    for (int i = 0; i < 20; i++) {
        flowctl_decision d = flowctl_acquire(l, 1, FLOWCTL_FOREVER);
        assert_int_equal(d.verdict, FLOWCTL_ALLOW);
        assert_true(flowctl_clock_now(NULL) >= d.now_ns);
        assert_true(d.now_ns >= last + 500000);
        last = d.now_ns;
    }
    flowctl_limiter_destroy(l);
}

static void on_the_monotonic_clock_close_cancel_and_destroy_work_too(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct caller callers[3];
        flowctl_limiter *l = monotonic_bucket(flowctl_per_day(1), 10);
        for (size_t i = 0; i < COUNT(callers); i++) caller_start(&callers[i], l, 1, FLOWCTL_FOREVER);
        await_waiters(l, COUNT(callers));
        caller_cancel(&callers[round % 3]);
        await_waiters(l, COUNT(callers) - 1);
        if (round % 2 == 0) flowctl_limiter_close(l);
        flowctl_limiter_destroy(l);
        for (size_t i = 0; i < COUNT(callers); i++)
            if (i != (size_t)round % 3) assert_closed(&callers[i]);
    }
}

static void a_deadline_on_the_monotonic_clock_is_denied_at_once(void **state) {
    (void)state;
    flowctl_limiter *l = monotonic_bucket(flowctl_per_day(1), 1);
    flowctl_decision d = flowctl_acquire(l, 1, FLOWCTL_NS_PER_HOUR); /* or hangs */
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_true(d.retry_after_ns > FLOWCTL_NS_PER_HOUR && d.retry_after_ns <= FLOWCTL_NS_PER_DAY);
    flowctl_limiter_destroy(l);
}

/* ---- a storm ---- */

#define STORM_THREADS 4
#define STORM_CALLS 300

struct storm {
    flowctl_limiter *limiter;
    uint64_t random;
    unsigned failed;
    struct oracle_log log;
};

static void *storm(void *argument) {
    struct storm *s = argument;
    for (int i = 0; i < STORM_CALLS; i++) {
        uint64_t n = 1 + test_below(&s->random, 4);
        flowctl_decision d = flowctl_acquire(s->limiter, n, FLOWCTL_FOREVER);
        if (d.verdict != FLOWCTL_ALLOW || d.granted != n) s->failed++;
        oracle_record(&s->log, d.now_ns, d.granted);
    }
    return NULL;
}

static void *give_up_again_and_again(void *argument) {
    flowctl_limiter *l = argument;
    for (int i = 0; i < 100; i++) {
        struct caller c;
        caller_start(&c, l, 3, FLOWCTL_FOREVER);
        pthread_cancel(c.thread); /* asleep, about to, or served already */
        pthread_join(c.thread, NULL);
    }
    return NULL;
}

/* Threads that wait, threads that give up, all at once: everybody is served, within the limit. */
static void a_storm_serves_everybody_within_the_limit(void **state) {
    (void)state;
    struct storm storms[STORM_THREADS];
    struct oracle_log all = {0};
    uint64_t random = test_seed("waiters_storm");
    pthread_t threads[STORM_THREADS], quitter;
    flowctl_limiter *l = monotonic_bucket(flowctl_per_second(10000), 8);
    for (size_t i = 0; i < STORM_THREADS; i++) {
        storms[i] = (struct storm){.limiter = l, .random = test_random(&random)};
        assert_int_equal(pthread_create(&threads[i], NULL, storm, &storms[i]), 0);
    }
    assert_int_equal(pthread_create(&quitter, NULL, give_up_again_and_again, l), 0);
    pthread_join(quitter, NULL);
    for (size_t i = 0; i < STORM_THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(storms[i].failed, 0);
        oracle_append(&all, &storms[i].log);
        oracle_free(&storms[i].log);
    }
    assert_true(oracle_passes("storm", &all, &(struct oracle_limit){10000, SEC, 8}));
    oracle_free(&all);
    flowctl_limiter_destroy(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_the_monotonic_clock_nobody_returns_before_due),
        cmocka_unit_test(on_the_monotonic_clock_close_cancel_and_destroy_work_too),
        cmocka_unit_test(a_deadline_on_the_monotonic_clock_is_denied_at_once),
        cmocka_unit_test(a_storm_serves_everybody_within_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

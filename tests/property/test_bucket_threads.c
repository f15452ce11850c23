/*
 * G1 under threads: everything that several threads were granted, merged by date, never shows more than burst + rate x length in any window.
 * Real time, the callers' own skewed times, and waiting with threads that are cancelled while they wait.
 */
#include "support/bucket_setup.h"
#include "support/hammer.h"
#include "support/seed.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define THREADS 4

static bool granted(flowctl_decision d, struct oracle_event *admitted) {
    *admitted = (struct oracle_event){d.now_ns, d.granted};
    return d.granted != 0;
}

/* The clock is read inside the library. */
static bool in_real_time(void *target, uint64_t *random, struct oracle_event *admitted) {
    return granted(flowctl_decide(target, 1 + test_below(random, 4)), admitted);
}

/* Any verb that doesn't wait, at times that are late, early, or long gone. */
static bool at_skewed_times(void *target, uint64_t *random, struct oracle_event *admitted) {
    uint64_t now_ns = flowctl_clock_now(NULL), skew = test_magnitude(random, 5 * FLOWCTL_NS_PER_MS);
    uint64_t permits = 1 + test_below(random, 4);
    now_ns = test_below(random, 8) != 0 ? now_ns - skew : now_ns + skew / 16;
    switch (test_below(random, 4)) {
    case 0:
        *admitted = (struct oracle_event){now_ns, flowctl_try_acquire_up_to_at(target, permits, now_ns)};
        return admitted->permits != 0;
    case 1: *admitted = (struct oracle_event){now_ns, permits}; return flowctl_try_acquire_at(target, permits, now_ns);
    case 2: return granted(flowctl_reserve_at(target, permits, test_below(random, 200000), NULL, now_ns), admitted);
    default: return granted(flowctl_decide_at(target, permits, now_ns), admitted);
    }
}

static void hammer(hammer_attempt attempt, flowctl_rate rate, uint64_t burst, uint64_t attempts, uint64_t seed) {
    struct oracle_log log = {NULL, 0, 0};
    struct oracle_limit limit = test_limit(rate, burst);
    flowctl_limiter *l = test_bucket(rate, burst, NULL);
    hammer_run(&(struct hammer){attempt, l, THREADS, attempts, seed}, &log);
    flowctl_counters counters;
    assert_int_equal(flowctl_limiter_counters(l, &counters), FLOWCTL_OK);
    struct oracle_verdict v = oracle_judge(&log, &limit);
    assert_true(oracle_passes("threads", &log, &limit));
    assert_true(counters.allowed_permits == v.total);
    assert_true(counters.allowed == log.count);
    assert_true(counters.allowed + counters.denied + counters.never == THREADS * attempts);
    flowctl_limiter_destroy(l);
    oracle_free(&log);
}

static void never_over_in_real_time(void **state) {
    uint64_t seed = *(uint64_t *)*state;
    hammer(in_real_time, flowctl_per_second(1000000), 100, 100000, seed);
    hammer(in_real_time, flowctl_per_second(30000000), 10, 100000, seed);
    hammer(in_real_time, flowctl_per_second(UINT64_C(10000000000)), 1000, 100000, seed);
    hammer(in_real_time, flowctl_per(7, 13 * FLOWCTL_NS_PER_US), 5, 100000, seed);
    hammer(in_real_time, flowctl_per(999999937, FLOWCTL_NS_PER_YEAR), 4, 20000, seed);
}

static void never_over_at_skewed_times(void **state) {
    uint64_t seed = *(uint64_t *)*state;
    hammer(at_skewed_times, flowctl_per_second(1000000), 100, 50000, seed);
    hammer(at_skewed_times, flowctl_per_second(UINT64_C(10000000000)), 1000000, 50000, seed);
    hammer(at_skewed_times, flowctl_per(7, 13 * FLOWCTL_NS_PER_US), 5, 50000, seed);
}

/* ---- waiting ---- */

static bool by_waiting(void *target, uint64_t *random, struct oracle_event *admitted) {
    if (test_below(random, 3) == 0) return in_real_time(target, random, admitted);
    uint64_t permits = 1 + test_below(random, 4);
    return granted(flowctl_acquire(target, permits, test_below(random, 2 * FLOWCTL_NS_PER_MS)), admitted);
}

static void never_over_when_threads_wait(void **state) {
    hammer(by_waiting, flowctl_per_second(20000), 5, 1500, *(uint64_t *)*state);
}

/* A thread that acquires until it is cancelled. What it was granted it has written down before it can be cancelled again. */
struct patient {
    flowctl_limiter *limiter;
    struct oracle_log log;
    uint64_t random;
    pthread_t thread;
};

static void *acquire_for_ever(void *argument) {
    struct patient *p = argument;
    int state;
    for (;;) {
        struct oracle_event e;
        bool took = granted(flowctl_acquire(p->limiter, 1 + test_below(&p->random, 4), FLOWCTL_FOREVER), &e);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
        if (took) oracle_record(&p->log, e.time_ns, e.permits);
        pthread_setcancelstate(state, NULL);
        pthread_testcancel();
    }
    return NULL;
}

static void start(struct patient *p) { assert_int_equal(pthread_create(&p->thread, NULL, acquire_for_ever, p), 0); }

static void stop(struct patient *p) {
    pthread_cancel(p->thread);
    pthread_join(p->thread, NULL);
}

/* The manual clock moves while waiters are cancelled at random; in the end all that time produced was used or is there. */
static void waiters_that_are_cancelled_cost_nobody_a_permit(void **state) {
    uint64_t random = *(uint64_t *)*state;
    const uint64_t start_ns = 1000, burst = 5, step_ns = 100 * FLOWCTL_NS_PER_US;
    const flowctl_rate rate = flowctl_per_second(20000); /* 2 permits a step */
    flowctl_clock *clock = test_clock(start_ns);
    flowctl_limiter *l = test_bucket(rate, burst, clock);
    struct oracle_limit limit = test_limit(rate, burst);
    struct oracle_log all = {NULL, 0, 0};
    struct patient patients[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        patients[i] = (struct patient){.limiter = l, .random = random + i};
        start(&patients[i]);
    }
    for (int i = 0; i < 1000; i++) {
        while (flowctl_clock_sleepers(clock) < THREADS) sched_yield(); /* everybody waits, so nothing overflows */
        struct patient *p = &patients[test_below(&random, THREADS)];
        if (test_below(&random, 2) == 0) stop(p), start(p);
        flowctl_clock_advance(clock, step_ns);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        /* One that moved up and is due must have had its permits before it is stopped. */
        while (flowctl_clock_sleepers(clock) < THREADS - i) sched_yield();
        stop(&patients[i]);
        oracle_append(&all, &patients[i].log);
        oracle_free(&patients[i].log);
    }
    assert_true(oracle_passes("cancelled", &all, &limit));
    flowctl_limiter_info info;
    assert_int_equal(flowctl_limiter_read(l, &info), FLOWCTL_OK);
    assert_int_equal(info.waiters, 0);
    assert_int_equal(info.debt, 0);
    struct oracle_verdict v = oracle_judge(&all, &limit);
    assert_int_equal(v.total + info.tokens, burst + 1000 * 2);
    flowctl_limiter_destroy(l);
    flowctl_clock_destroy(clock);
    oracle_free(&all);
}

int main(void) {
    uint64_t seed = test_seed("bucket_threads");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(never_over_in_real_time, &seed),
        cmocka_unit_test_prestate(never_over_at_skewed_times, &seed),
        cmocka_unit_test_prestate(never_over_when_threads_wait, &seed),
        cmocka_unit_test_prestate(waiters_that_are_cancelled_cost_nobody_a_permit, &seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The oracle finds what it must find, and nothing else. */
#include "support/hammer.h"
#include "support/oracle.h"
#include "support/planted.h"
#include "support/seed.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static struct oracle_verdict judge(const struct oracle_event *events, size_t count, struct oracle_limit limit) {
    struct oracle_log log = {NULL, 0, 0};
    for (size_t i = 0; i < count; i++) oracle_record(&log, events[i].time_ns, events[i].permits);
    struct oracle_verdict v = oracle_judge(&log, &limit);
    oracle_free(&log);
    return v;
}

static void an_empty_run_is_a_burst_below_the_limit(void **state) {
    (void)state;
    struct oracle_verdict v = judge(NULL, 0, (struct oracle_limit){1, 10, 3});
    assert_true(v.excess == -30);
}

static void one_nanosecond_too_early_is_found(void **state) {
    (void)state;
    const struct oracle_limit limit = {7, 13, 2};
    const struct oracle_event exact[] = {{100, 2}, {102, 1}}, early[] = {{100, 2}, {101, 1}};
    assert_true(judge(exact, 2, limit).excess <= 0); /* 2 ns make 14/13 */
    struct oracle_verdict v = judge(early, 2, limit);
    assert_true(v.excess == 13 - 7); /* 1 ns makes 7/13 */
    assert_int_equal(v.from_ns, 100);
    assert_int_equal(v.until_ns, 101);
    assert_int_equal(v.admitted, 3);
}

static void order_does_not_matter(void **state) {
    (void)state;
    const struct oracle_limit limit = {1, 10, 1};
    const struct oracle_event events[] = {{20, 1}, {0, 1}, {10, 1}, {9, 1}};
    assert_true(judge(events, 4, limit).excess > 0);
}

static void the_largest_numbers_fit(void **state) {
    (void)state;
    const struct oracle_limit limit = {UINT64_C(3153600000000000000), UINT64_C(315360000000000000), UINT64_C(1) << 61};
    const struct oracle_event events[] = {{0, UINT64_C(1) << 61}, {UINT64_MAX, UINT64_C(1) << 61}, {UINT64_MAX, 1}};
    assert_true(judge(events, 2, limit).excess == 0);
    assert_true(judge(events, 3, limit).excess == (oracle_amount)limit.period_ns);
}

/* ---- planted defects: one thread, given times ---- */

/* Times that often lie just before, on and just behind the moments at which a permit is due. */
static struct oracle_verdict run_alone(enum planted_defect defect, struct oracle_limit limit, uint64_t steps,
                                       uint64_t *random) {
    struct planted bucket;
    struct oracle_log log = {NULL, 0, 0};
    planted_init(&bucket, defect, limit.permits, limit.period_ns, limit.burst, 0);
    uint64_t now_ns = 0, gap_ns = limit.period_ns / limit.permits;
    static const uint64_t thousandths[] = {1, 1, 7, 333, 999, 5000};
    for (uint64_t i = 0; i < steps; i++) {
        if (test_below(random, 3) == 0) now_ns += gap_ns - test_below(random, gap_ns / 2048 + 1);
        else now_ns += (thousandths[test_below(random, 6)] * gap_ns + 999) / 1000;
        if (planted_take(&bucket, 1, now_ns)) oracle_record(&log, now_ns, 1);
    }
    struct oracle_verdict v = oracle_judge(&log, &limit);
    oracle_free(&log);
    return v;
}

static double worst_alone(enum planted_defect defect, struct oracle_limit limit, uint64_t steps, uint64_t seed) {
    double worst = -1e300;
    for (int i = 0; i < 50; i++) {
        struct oracle_verdict v = run_alone(defect, limit, steps, &seed);
        if (oracle_excess(&v, &limit) > worst) worst = oracle_excess(&v, &limit);
    }
    return worst;
}

static void rounding_defects_are_found(void **state) {
    uint64_t seed = *(uint64_t *)*state;
    const struct oracle_limit slow = {1, 1000000000, 2}, odd = {7, 13000001, 1}, fast = {30000000, 1000000000, 10};
    assert_true(worst_alone(PLANTED_NOTHING, slow, 400, seed) <= 0);
    assert_true(worst_alone(PLANTED_NOTHING, odd, 400, seed) <= 0);
    assert_true(worst_alone(PLANTED_NOTHING, fast, 20000, seed) <= 0);
    assert_true(worst_alone(PLANTED_WHOLE_PERMITS, slow, 400, seed) > 0.5);
    assert_true(worst_alone(PLANTED_FLOOR_CLIP, odd, 400, seed) > 0);
    assert_true(worst_alone(PLANTED_EMISSION_INTERVAL, fast, 20000, seed) > 0.5);
}

/* ---- planted defects: threads ---- */

static uint64_t monotonic_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* Some other thread's turn, on a machine of any number of cores. */
static void let_others(void) {
    static _Thread_local unsigned turn;
    if (++turn % 8 == 0) sched_yield();
}

static uint64_t late_clock(void) {
    sched_yield();
    return monotonic_ns();
}

static bool attempt(void *target, uint64_t *random, struct oracle_event *admitted) {
    struct planted *bucket = target;
    admitted->permits = 1 + test_below(random, 3);
    admitted->time_ns = monotonic_ns();
    return planted_take(bucket, admitted->permits, admitted->time_ns);
}

static double excess_of_threads(enum planted_defect defect, uint64_t seed) {
    const struct oracle_limit limit = {1, 2000, 20}; /* 500 000/s: below what the threads ask for */
    struct planted bucket;
    struct oracle_log log = {NULL, 0, 0};
    planted_init(&bucket, defect, limit.permits, limit.period_ns, limit.burst, monotonic_ns());
    bucket.clock = late_clock, bucket.between = let_others;
    hammer_run(&(struct hammer){attempt, &bucket, 4, 50000, seed}, &log);
    struct oracle_verdict v = oracle_judge(&log, &limit);
    oracle_free(&log);
    return oracle_excess(&v, &limit);
}

static void threading_defects_are_found(void **state) {
    uint64_t seed = *(uint64_t *)*state;
    assert_true(excess_of_threads(PLANTED_NOTHING, seed) <= 0);
    assert_true(excess_of_threads(PLANTED_LOST_SWAP, seed) > 0);
    assert_true(excess_of_threads(PLANTED_LATE_CLOCK, seed) > 0);
}

int main(void) {
    uint64_t seed = test_seed("oracle");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_run_is_a_burst_below_the_limit),
        cmocka_unit_test(one_nanosecond_too_early_is_found),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(the_largest_numbers_fit),
        cmocka_unit_test_prestate(rounding_defects_are_found, &seed),
        cmocka_unit_test_prestate(threading_defects_are_found, &seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The smallest burst, against cases worked out by hand and against the bucket itself. */
#include "backlog.h"

#include <flowctl/flowctl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SEC FLOWCTL_NS_PER_SEC

static struct fct_backlog of(uint64_t permits, uint64_t period_ns) {
    struct fct_backlog b;
    flowctl_rate rate = flowctl_per(permits, period_ns);
    fct_backlog_init(&b, &rate);
    return b;
}

static uint64_t smallest(const struct fct_backlog *b) {
    uint64_t burst = 0;
    assert_true(fct_backlog_smallest_burst(b, &burst));
    return burst;
}

static void drains_evenly(void **state) {
    (void)state;
    struct fct_backlog b = of(1, SEC);
    for (int i = 0; i < 5; i++) fct_backlog_add(&b, 100 * SEC, 1);
    assert_int_equal(smallest(&b), 5);
    fct_backlog_add(&b, 102 * SEC, 3); /* 5 - 2 + 3 */
    assert_int_equal(smallest(&b), 6);
    fct_backlog_add(&b, 1000 * SEC, 6); /* long empty: what drained then is not saved up */
    assert_int_equal(smallest(&b), 6);
    fct_backlog_add(&b, 1000 * SEC, 1);
    assert_int_equal(smallest(&b), 7);
}

static void fractions_round_up(void **state) {
    (void)state;
    struct fct_backlog b = of(7, 13 * SEC);
    fct_backlog_add(&b, 0, 1);
    fct_backlog_add(&b, SEC, 1); /* 1 - 7/13 + 1 */
    assert_int_equal(smallest(&b), 2);
    fct_backlog_add(&b, 13 * SEC, 5); /* 2 - 13 x 7/13 < 0, so exactly 5 */
    assert_int_equal(smallest(&b), 5);
    fct_backlog_add(&b, 26 * SEC, 2);
    fct_backlog_add(&b, 26 * SEC + 1, 4); /* a hair below 6 */
    assert_int_equal(smallest(&b), 6);
}

static void never_below_one(void **state) {
    (void)state;
    struct fct_backlog b = of(1, SEC);
    assert_int_equal(smallest(&b), 1);
    fct_backlog_add(&b, 5, 0);
    assert_int_equal(smallest(&b), 1);
}

static void stops_at_what_a_bucket_holds(void **state) {
    (void)state;
    uint64_t burst;
    struct fct_backlog b = of(10 * FLOWCTL_PERIOD_MAX_NS - 1, FLOWCTL_PERIOD_MAX_NS);
    fct_backlog_add(&b, 1, FLOWCTL_BURST_MAX);
    assert_int_equal(smallest(&b), FLOWCTL_BURST_MAX);
    fct_backlog_add(&b, UINT64_MAX, UINT64_MAX); /* the greatest of everything */
    assert_false(fct_backlog_smallest_burst(&b, &burst));
    fct_backlog_add(&b, UINT64_MAX, 1);
    assert_false(fct_backlog_smallest_burst(&b, &burst));

    b = of(1, FLOWCTL_PERIOD_MAX_NS);
    fct_backlog_add(&b, 1, FLOWCTL_BURST_MAX);
    fct_backlog_add(&b, 2, 1); /* one permit minus a hair too many */
    assert_false(fct_backlog_smallest_burst(&b, &burst));
}

/* Denials of a bucket that sees the same requests. */
static unsigned denials(flowctl_rate rate, uint64_t burst, const uint64_t *times, const uint64_t *costs, unsigned count) {
    flowctl_token_bucket_options options = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    flowctl_limiter *limiter;
    unsigned denied = 0;
    assert_int_equal(flowctl_clock_manual_create(times[0], NULL, &options.clock, NULL), FLOWCTL_OK);
    options.rate = rate;
    options.burst = burst;
    assert_int_equal(flowctl_token_bucket_create(&options, &limiter, NULL), FLOWCTL_OK);
    for (unsigned i = 0; i < count; i++) denied += !flowctl_try_acquire_at(limiter, costs[i], times[i]);
    flowctl_limiter_destroy(limiter);
    flowctl_clock_destroy(options.clock);
    return denied;
}

static void holds_in_a_bucket(void **state) {
    (void)state;
    enum { COUNT = 200 };
    uint64_t times[COUNT], costs[COUNT], random = 1;
    for (unsigned round = 0; round < 200; round++) {
        flowctl_rate rate = flowctl_per(1 + round % 17, (1 + round % 11) * SEC);
        struct fct_backlog b = of(rate.permits, rate.period_ns);
        uint64_t now = 1000 * SEC;
        for (unsigned i = 0; i < COUNT; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            now += (random >> 60) * SEC;
            times[i] = now;
            costs[i] = 1 + (random >> 50) % 9;
            fct_backlog_add(&b, times[i], costs[i]);
        }
        uint64_t burst = smallest(&b);
        assert_int_equal(denials(rate, burst, times, costs, COUNT), 0);
        if (burst > 1) assert_int_not_equal(denials(rate, burst - 1, times, costs, COUNT), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drains_evenly),     cmocka_unit_test(fractions_round_up),
        cmocka_unit_test(never_below_one),   cmocka_unit_test(stops_at_what_a_bucket_holds),
        cmocka_unit_test(holds_in_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The clocks of the system: monotonic and boottime. */
#include "unit/fixture.h"

#include "clock/clock.h"

static uint64_t system_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * FLOWCTL_NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void there_is_one_and_it_is_always_the_same(void **state) {
    (void)state;
    assert_non_null(flowctl_clock_monotonic());
    assert_ptr_equal(flowctl_clock_monotonic(), flowctl_clock_monotonic());
}

/* By its handle, by NULL, and by the shortcut that limiters take. */
static void every_way_to_read_it_is_clock_monotonic(void **state) {
    (void)state;
    uint64_t before = system_now();
    uint64_t readings[] = {flowctl_clock_now(flowctl_clock_monotonic()), flowctl_clock_now(NULL), fc_monotonic_now(), 0};
    readings[COUNT(readings) - 1] = system_now();
    for (size_t i = 0; i < COUNT(readings); i++) {
        assert_true(readings[i] >= before);
        before = readings[i];
    }
}

static void it_never_goes_back(void **state) {
    (void)state;
    uint64_t last = 0;
    for (int i = 0; i < 100000; i++) {
        uint64_t now = flowctl_clock_now(NULL);
        assert_true(now >= last);
        last = now;
    }
}

static void nobody_sets_or_destroys_it(void **state) {
    (void)state;
    uint64_t before = system_now();
    assert_int_equal(flowctl_clock_set(flowctl_clock_monotonic(), 0), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_clock_advance(flowctl_clock_monotonic(), FLOWCTL_PERIOD_MAX_NS), FLOWCTL_INVALID_ARGUMENT);
    flowctl_clock_destroy(flowctl_clock_monotonic());
    assert_true(flowctl_clock_now(flowctl_clock_monotonic()) >= before);
    assert_true(flowctl_clock_now(flowctl_clock_monotonic()) <= system_now());
}

static void its_sleepers_are_not_counted(void **state) {
    (void)state;
    assert_int_equal(flowctl_clock_sleepers(flowctl_clock_monotonic()), 0);
}

static void a_sleep_ends_when_the_time_has_come_and_not_before(void **state) {
    (void)state;
    struct fc_sleeper s;
    assert_true(fc_sleeper_init(&s));
    for (int i = 0; i < 5; i++) {
        uint64_t until = system_now() + FLOWCTL_NS_PER_MS;
        flowctl_clock_monotonic()->ops->sleep(flowctl_clock_monotonic(), &s, until);
        assert_true(system_now() >= until);
    }
    fc_sleeper_cleanup(&s);
}

static void a_wake_ends_a_sleep(void **state) {
    (void)state;
    struct fc_sleeper s;
    assert_true(fc_sleeper_init(&s));
    fc_sleeper_wake(&s);
    flowctl_clock_monotonic()->ops->sleep(flowctl_clock_monotonic(), &s, FLOWCTL_FOREVER); /* or hangs */
    fc_sleeper_cleanup(&s);
}

/* ---- boottime ---- */

static uint64_t boottime_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * FLOWCTL_NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void boottime_is_clock_boottime(void **state) {
    (void)state;
    flowctl_clock *clock = flowctl_clock_boottime();
    assert_ptr_equal(clock, flowctl_clock_boottime());
    assert_ptr_not_equal(clock, flowctl_clock_monotonic());
    for (int i = 0; i < 1000; i++) {
        uint64_t before = boottime_now(), reading = flowctl_clock_now(clock);
        assert_in_range(reading, before, boottime_now());
    }
    assert_int_equal(fc_clock_system_id(clock), CLOCK_BOOTTIME);
    assert_int_equal(fc_clock_system_id(flowctl_clock_monotonic()), CLOCK_MONOTONIC);
}

static void nobody_sets_or_destroys_boottime(void **state) {
    (void)state;
    flowctl_clock *clock = flowctl_clock_boottime();
    assert_int_equal(flowctl_clock_set(clock, 0), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_clock_advance(clock, 1), FLOWCTL_INVALID_ARGUMENT);
    flowctl_clock_destroy(clock);
    assert_int_equal(flowctl_clock_sleepers(clock), 0);
    assert_true(flowctl_clock_now(clock) <= boottime_now());
}

static void a_sleep_by_boottime_ends_when_its_time_has_come(void **state) {
    (void)state;
    flowctl_clock *clock = flowctl_clock_boottime();
    struct fc_sleeper s;
    assert_true(fc_sleeper_init(&s));
    for (int i = 0; i < 5; i++) {
        uint64_t until = boottime_now() + FLOWCTL_NS_PER_MS;
        while (boottime_now() < until)
            clock->ops->sleep(clock, &s, until); /* it may be woken early by a rounding of two clocks */
    }
    clock->ops->sleep(clock, &s, 0); /* long past: returns */
    fc_sleeper_wake(&s);
    clock->ops->sleep(clock, &s, FLOWCTL_FOREVER); /* or hangs */
    fc_sleeper_cleanup(&s);
}

/* Limiters may live by it, shared or not. */
static void a_limiter_by_boottime(void **state) {
    (void)state;
    flowctl_token_bucket_options o = bucket_options(flowctl_per_second(1000), 1, 1);
    flowctl_limiter *l;
    o.clock = flowctl_clock_boottime();
    assert_int_equal(flowctl_token_bucket_create(&o, &l, NULL), FLOWCTL_OK);
    uint64_t before = boottime_now();
    flowctl_decision d = flowctl_decide(l, 1);
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_in_range(d.now_ns, before, boottime_now());
    assert_int_equal(flowctl_acquire(l, 1, FLOWCTL_NS_PER_SEC).verdict, FLOWCTL_ALLOW);
    assert_true(boottime_now() >= before + FLOWCTL_NS_PER_MS - FLOWCTL_NS_PER_US);
    flowctl_limiter_destroy(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_one_and_it_is_always_the_same),
        cmocka_unit_test(every_way_to_read_it_is_clock_monotonic),
        cmocka_unit_test(it_never_goes_back),
        cmocka_unit_test(nobody_sets_or_destroys_it),
        cmocka_unit_test(its_sleepers_are_not_counted),
        cmocka_unit_test(a_sleep_ends_when_the_time_has_come_and_not_before),
        cmocka_unit_test(a_wake_ends_a_sleep),
        cmocka_unit_test(boottime_is_clock_boottime),
        cmocka_unit_test(nobody_sets_or_destroys_boottime),
        cmocka_unit_test(a_sleep_by_boottime_ends_when_its_time_has_come),
        cmocka_unit_test(a_limiter_by_boottime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

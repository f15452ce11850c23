#include "unit/fixture.h"

#include "clock/clock.h"

static flowctl_clock *clock_at(uint64_t now_ns) {
    flowctl_clock *clock;
    assert_int_equal(flowctl_clock_manual_create(now_ns, NULL, &clock, NULL), FLOWCTL_OK);
    return clock;
}

/* ---- time ---- */

static void stands_still_until_it_is_told(void **state) {
    (void)state;
    static const uint64_t times[] = {0, 1, 12345, UINT64_MAX};
    for (size_t i = 0; i < COUNT(times); i++) {
        flowctl_clock *clock = clock_at(times[i]);
        for (int k = 0; k < 3; k++) assert_int_equal(flowctl_clock_now(clock), times[i]);
        flowctl_clock_destroy(clock);
    }
}

static void can_be_set_forwards_and_backwards(void **state) {
    (void)state;
    static const uint64_t times[] = {200, 100, 0, UINT64_MAX, 5};
    flowctl_clock *clock = clock_at(100);
    for (size_t i = 0; i < COUNT(times); i++) {
        assert_int_equal(flowctl_clock_set(clock, times[i]), FLOWCTL_OK);
        assert_int_equal(flowctl_clock_now(clock), times[i]);
    }
    flowctl_clock_destroy(clock);
}

static void advancing_stops_at_the_end_of_time(void **state) {
    (void)state;
    static const struct {
        uint64_t from, by, to;
    } rows[] = {
        {100, 5, 105},
        {100, 0, 100},
        {0, UINT64_MAX, UINT64_MAX},
        {1, UINT64_MAX, UINT64_MAX},
        {5, UINT64_MAX - 5, UINT64_MAX},
        {5, UINT64_MAX - 6, UINT64_MAX - 1},
        {UINT64_MAX, 1, UINT64_MAX},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        flowctl_clock *clock = clock_at(rows[i].from);
        assert_int_equal(flowctl_clock_advance(clock, rows[i].by), FLOWCTL_OK);
        assert_int_equal(flowctl_clock_now(clock), rows[i].to);
        flowctl_clock_destroy(clock);
    }
}

static void *advance_often(void *clock) {
    for (int i = 0; i < 5000; i++) flowctl_clock_advance(clock, 3);
    return NULL;
}

static void advances_of_many_threads_add_up(void **state) {
    (void)state;
    pthread_t threads[4];
    flowctl_clock *clock = clock_at(7);
    for (size_t i = 0; i < COUNT(threads); i++) assert_int_equal(pthread_create(&threads[i], NULL, advance_often, clock), 0);
    for (size_t i = 0; i < COUNT(threads); i++) pthread_join(threads[i], NULL);
    assert_int_equal(flowctl_clock_now(clock), 7 + 3 * 5000 * COUNT(threads));
    flowctl_clock_destroy(clock);
}

/* ---- sleepers ---- */

struct sleep {
    flowctl_clock *clock;
    uint64_t until_ns;
    pthread_t thread;
    struct fc_sleeper sleeper;
    atomic_bool returned;
};

static void *sleep_until(void *argument) {
    struct sleep *s = argument;
    s->clock->ops->sleep(s->clock, &s->sleeper, s->until_ns);
    atomic_store(&s->returned, true);
    return NULL;
}

/* Returns once it sleeps. */
static void start(struct sleep *s, flowctl_clock *clock, uint64_t until_ns) {
    unsigned before = flowctl_clock_sleepers(clock);
    *s = (struct sleep){.clock = clock, .until_ns = until_ns};
    assert_true(fc_sleeper_init(&s->sleeper));
    assert_int_equal(pthread_create(&s->thread, NULL, sleep_until, s), 0);
    AWAIT(flowctl_clock_sleepers(clock) == before + 1);
}

static void finish(struct sleep *s) {
    AWAIT(atomic_load(&s->returned));
    pthread_join(s->thread, NULL);
    fc_sleeper_cleanup(&s->sleeper);
}

static void wakes_those_that_are_due_and_only_those(void **state) {
    (void)state;
    static const uint64_t until[] = {300, 200, 500, 201, UINT64_MAX};
    struct sleep sleeps[COUNT(until)];
    flowctl_clock *clock = clock_at(100);
    for (size_t i = 0; i < COUNT(until); i++) start(&sleeps[i], clock, until[i]);
    assert_int_equal(flowctl_clock_sleepers(clock), 5);

    flowctl_clock_set(clock, 199);
    assert_int_equal(flowctl_clock_sleepers(clock), 5);
    flowctl_clock_set(clock, 200);
    finish(&sleeps[1]);
    assert_int_equal(flowctl_clock_sleepers(clock), 4);
    flowctl_clock_set(clock, 0); /* backwards wakes nobody */
    flowctl_clock_advance(clock, 300);
    finish(&sleeps[0]);
    finish(&sleeps[3]);
    assert_int_equal(flowctl_clock_sleepers(clock), 2);
    assert_false(atomic_load(&sleeps[2].returned));
    flowctl_clock_set(clock, UINT64_MAX);
    finish(&sleeps[2]);
    finish(&sleeps[4]);
    assert_int_equal(flowctl_clock_sleepers(clock), 0);
    flowctl_clock_destroy(clock);
}

static void whoever_is_due_already_does_not_sleep(void **state) {
    (void)state;
    struct fc_sleeper s;
    flowctl_clock *clock = clock_at(100);
    assert_true(fc_sleeper_init(&s));
    clock->ops->sleep(clock, &s, 100); /* or hangs */
    clock->ops->sleep(clock, &s, 99);
    clock->ops->sleep(clock, &s, 0);
    fc_sleeper_cleanup(&s);
    flowctl_clock_destroy(clock);
}

static void a_sleeper_can_be_woken_by_itself(void **state) {
    (void)state;
    struct sleep sleeps[3];
    flowctl_clock *clock = clock_at(0);
    for (size_t i = 0; i < COUNT(sleeps); i++) start(&sleeps[i], clock, 10);
    /* from the middle, the end and the beginning of the list */
    static const size_t order[] = {1, 0, 2};
    for (unsigned i = 0; i < COUNT(order); i++) {
        fc_sleeper_wake(&sleeps[order[i]].sleeper);
        finish(&sleeps[order[i]]);
        assert_int_equal(flowctl_clock_sleepers(clock), COUNT(order) - 1 - i);
    }
    flowctl_clock_destroy(clock);
}

static void a_cancelled_sleeper_is_forgotten(void **state) {
    (void)state;
    struct sleep gone, stays;
    flowctl_clock *clock = clock_at(0);
    start(&stays, clock, 10);
    start(&gone, clock, 10);
    assert_int_equal(pthread_cancel(gone.thread), 0);
    assert_int_equal(pthread_join(gone.thread, NULL), 0);
    fc_sleeper_cleanup(&gone.sleeper);
    assert_int_equal(flowctl_clock_sleepers(clock), 1);
    flowctl_clock_set(clock, 10);
    finish(&stays);
    flowctl_clock_destroy(clock);
}

/* ---- create and bad input ---- */

static void an_error_is_untouched_on_success_and_not_needed(void **state) {
    (void)state;
    flowctl_error err = fixture_error();
    flowctl_clock *clock;
    assert_int_equal(flowctl_clock_manual_create(1, NULL, &clock, &err), FLOWCTL_OK);
    assert_true(fixture_error_untouched(&err));
    flowctl_clock_destroy(clock);
}

static void null_is_an_invalid_argument(void **state) {
    (void)state;
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_clock_manual_create(1, NULL, NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    fixture_assert_failed(&err, FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "out-pointer clock is NULL");
    assert_int_equal(flowctl_clock_manual_create(1, NULL, NULL, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_clock_set(NULL, 1), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_clock_advance(NULL, 1), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_clock_sleepers(NULL), 0);
    flowctl_clock_destroy(NULL);
}

static void half_an_allocator_is_refused(void **state) {
    (void)state;
    struct counted c;
    counted_init(&c);
    c.allocator.release = NULL;
    flowctl_error err = fixture_error();
    flowctl_clock *clock = (flowctl_clock *)&c;
    assert_int_equal(flowctl_clock_manual_create(1, &c.allocator, &clock, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_null(clock);
    assert_contains(err.message, "allocator");
    assert_int_equal(c.calls, 0);
}

static void each_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    flowctl_status status = FLOWCTL_NO_MEMORY;
    for (unsigned n = 1; status != FLOWCTL_OK; n++) {
        struct counted c;
        counted_init(&c);
        c.fail_at = n, c.skew = 8;
        flowctl_error err = fixture_error();
        flowctl_clock *clock = (flowctl_clock *)&c;
        status = flowctl_clock_manual_create(1, &c.allocator, &clock, &err);
        if (status == FLOWCTL_OK) {
            assert_true(c.blocks > 0 && n > 1);
            assert_int_equal(flowctl_clock_now(clock), 1);
        } else {
            assert_int_equal(status, FLOWCTL_NO_MEMORY);
            fixture_assert_failed(&err, FLOWCTL_NO_MEMORY);
            assert_null(clock);
        }
        flowctl_clock_destroy(clock);
        assert_int_equal(c.blocks + c.bytes + c.wrong_releases, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stands_still_until_it_is_told),
        cmocka_unit_test(can_be_set_forwards_and_backwards),
        cmocka_unit_test(advancing_stops_at_the_end_of_time),
        cmocka_unit_test(advances_of_many_threads_add_up),
        cmocka_unit_test(wakes_those_that_are_due_and_only_those),
        cmocka_unit_test(whoever_is_due_already_does_not_sleep),
        cmocka_unit_test(a_sleeper_can_be_woken_by_itself),
        cmocka_unit_test(a_cancelled_sleeper_is_forgotten),
        cmocka_unit_test(an_error_is_untouched_on_success_and_not_needed),
        cmocka_unit_test(null_is_an_invalid_argument),
        cmocka_unit_test(half_an_allocator_is_refused),
        cmocka_unit_test(each_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

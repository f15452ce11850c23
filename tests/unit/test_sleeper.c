#include "unit/fixture.h"

#include "clock/clock.h"

struct sleep {
    struct fc_sleeper sleeper;
    uint64_t until_ns;
    pthread_t thread;
    atomic_bool may_wake, woke_early, returned;
};

static void *sleep_until(void *argument) {
    struct sleep *s = argument;
    fc_sleeper_wait(&s->sleeper, s->until_ns);
    atomic_store(&s->woke_early, !atomic_load(&s->may_wake));
    atomic_store(&s->returned, true);
    return NULL;
}

static void start(struct sleep *s, uint64_t until_ns) {
    *s = (struct sleep){.until_ns = until_ns};
    assert_true(fc_sleeper_init(&s->sleeper));
    assert_int_equal(pthread_create(&s->thread, NULL, sleep_until, s), 0);
}

static void finish(struct sleep *s) {
    AWAIT(atomic_load(&s->returned));
    pthread_join(s->thread, NULL);
    fc_sleeper_cleanup(&s->sleeper);
}

static void a_wake_before_the_wait_is_remembered(void **state) {
    (void)state;
    struct fc_sleeper s;
    assert_true(fc_sleeper_init(&s));
    fc_sleeper_wake(&s);
    fc_sleeper_wait(&s, FLOWCTL_FOREVER); /* or hangs */
    fc_sleeper_cleanup(&s);
}

static void a_wake_lasts_until_it_is_consumed(void **state) {
    (void)state;
    struct fc_sleeper s;
    assert_true(fc_sleeper_init(&s));
    fc_sleeper_wake(&s);
    fc_sleeper_wake(&s);
    fc_sleeper_wait(&s, FLOWCTL_FOREVER); /* or hangs */
    fc_sleeper_wait(&s, FLOWCTL_FOREVER);
    fc_sleeper_rise(&s); /* all wakes so far */
    uint64_t until = fc_monotonic_now() + 2 * FLOWCTL_NS_PER_MS;
    fc_sleeper_wait(&s, until);
    assert_true(fc_monotonic_now() >= until);
    fc_sleeper_cleanup(&s);
}

static void a_time_that_is_over_ends_the_wait_at_once(void **state) {
    (void)state;
    struct fc_sleeper s;
    assert_true(fc_sleeper_init(&s));
    fc_sleeper_wait(&s, 0);
    fc_sleeper_wait(&s, fc_monotonic_now());
    fc_sleeper_cleanup(&s);
}

/* Whatever far time it is given, a thread sleeps until it is woken. (The pause can only hide a failure, not make one.) */
static void far_times_are_slept_for(void **state) {
    (void)state;
    static const uint64_t until[] = {FLOWCTL_FOREVER, FLOWCTL_FOREVER - 1, UINT64_C(1) << 63, FLOWCTL_PERIOD_MAX_NS};
    for (size_t i = 0; i < COUNT(until); i++) {
        struct sleep s;
        start(&s, until[i]);
        nanosleep(&(struct timespec){0, 5000000}, NULL);
        atomic_store(&s.may_wake, true);
        fc_sleeper_wake(&s.sleeper);
        finish(&s);
        assert_false(atomic_load(&s.woke_early));
    }
}

static void a_cancelled_wait_leaves_nothing_locked(void **state) {
    (void)state;
    struct sleep s;
    start(&s, FLOWCTL_FOREVER);
    assert_int_equal(pthread_cancel(s.thread), 0);
    void *result;
    assert_int_equal(pthread_join(s.thread, &result), 0);
    assert_ptr_equal(result, PTHREAD_CANCELED);
    fc_sleeper_wake(&s.sleeper); /* or hangs */
    fc_sleeper_wait(&s.sleeper, FLOWCTL_FOREVER);
    fc_sleeper_cleanup(&s.sleeper);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wake_before_the_wait_is_remembered),      cmocka_unit_test(a_wake_lasts_until_it_is_consumed),
        cmocka_unit_test(a_time_that_is_over_ends_the_wait_at_once), cmocka_unit_test(far_times_are_slept_for),
        cmocka_unit_test(a_cancelled_wait_leaves_nothing_locked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

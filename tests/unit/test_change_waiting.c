/* Changes and pauses while threads wait in acquire, and what every verb says during a pause. */
#include "unit/fixture.h"

#include "core/limiter.h"

#define SEC FLOWCTL_NS_PER_SEC
#define MS FLOWCTL_NS_PER_MS
#define NOW FIXTURE_START_NS

static void set_ms(const struct bucket *b, uint64_t later_ms) { flowctl_clock_set(b->clock, NOW + later_ms * MS); }
static void assert_ok(flowctl_status status) { assert_int_equal(status, FLOWCTL_OK); }
static struct bucket empty_bucket(void) { return bucket_new(flowctl_per_second(10), 10, 0); }

static void assert_served(struct caller *c, uint64_t due_ms) {
    flowctl_decision d = caller_join(c);
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_int_equal(d.granted, c->permits);
    assert_int_equal(d.now_ns - NOW, due_ms * MS);
    assert_int_equal(d.flags, 0);
}

/* ---- new times ---- */

static void those_that_wait_are_served_earlier_by_a_higher_rate(void **state) {
    (void)state;
    struct caller a, c;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 4);
    caller_start_asleep(&c, &b, 6);
    set_ms(&b, 100); /* three and nine to go */
    assert_ok(flowctl_set_rate(b.limiter, flowctl_per_second(30), NULL));
    AWAIT(flowctl_clock_sleepers(b.clock) == 2);
    flowctl_clock_set(b.clock, NOW + 200 * MS - 1);
    assert_int_equal(flowctl_clock_sleepers(b.clock), 2);
    set_ms(&b, 200);
    assert_served(&a, 200);
    set_ms(&b, 400);
    assert_served(&c, 400);
    bucket_free(&b);
}

static void and_later_by_a_lower_one(void **state) {
    (void)state;
    struct caller a;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 4);
    set_ms(&b, 100);
    assert_ok(flowctl_set_rate(b.limiter, flowctl_per_second(1), NULL));
    AWAIT(flowctl_clock_sleepers(b.clock) == 1);
    set_ms(&b, 3099);
    assert_int_equal(flowctl_clock_sleepers(b.clock), 1);
    set_ms(&b, 3100);
    assert_served(&a, 3100);
    assert_int_equal(bucket_counters(&b).wait_ns, 3100 * MS);
    bucket_free(&b);
}

static void whose_deadline_can_not_be_met_any_more_is_denied_at_once(void **state) {
    (void)state;
    struct caller hasty, patient;
    struct bucket b = empty_bucket();
    caller_start_asleep_for(&hasty, &b, 4, 1000 * MS);
    caller_start_asleep(&patient, &b, 2);
    set_ms(&b, 100);
    assert_ok(flowctl_set_rate(b.limiter, flowctl_per_second(1), NULL));
    flowctl_decision d = caller_join(&hasty); /* the clock stands still */
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.status, FLOWCTL_OK);
    assert_int_equal(d.granted, 0);
    assert_int_equal(d.now_ns, NOW + 100 * MS);
    assert_int_equal(d.retry_after_ns, 3000 * MS);
    AWAIT(flowctl_clock_sleepers(b.clock) == 1);
    set_ms(&b, 1100); /* one had come before the change */
    assert_served(&patient, 1100);
    flowctl_counters sum = bucket_counters(&b);
    assert_true(sum.allowed == 1 && sum.denied == 1 && sum.allowed_permits == 2);
    bucket_free(&b);
}

/* change.h: "those that want more than the new burst NEVER". */
static void who_waits_for_more_than_a_smaller_burst_is_told_never(void **state) {
    (void)state;
    struct caller large, small;
    struct bucket b = empty_bucket();
    caller_start_asleep(&large, &b, 8);
    caller_start_asleep(&small, &b, 2);
    assert_ok(flowctl_set_burst(b.limiter, 5, NULL));
    flowctl_decision d = caller_join(&large);
    assert_int_equal(d.verdict, FLOWCTL_NEVER);
    assert_int_equal(d.granted, 0);
    assert_true(d.retry_after_ns == FLOWCTL_FOREVER);
    AWAIT(flowctl_clock_sleepers(b.clock) == 1);
    set_ms(&b, 200);
    assert_served(&small, 200);
    flowctl_counters sum = bucket_counters(&b);
    assert_true(sum.allowed == 1 && sum.never == 1 && sum.denied == 0);
    bucket_free(&b);
}

/*
 * A clock that lets something happen while it is read: between a waiter's look at its due time and its look at the clock. Its sleep returns at once, at the
 * time it was to sleep until.
 */
struct tricky_clock {
    flowctl_clock base;
    uint64_t now_ns;
    bool slept;
    void (*between)(flowctl_limiter *limiter, uint64_t now_ns);
    flowctl_limiter *limiter;
};

static uint64_t tricky_now(const flowctl_clock *clock) {
    struct tricky_clock *t = (struct tricky_clock *)clock;
    void (*between)(flowctl_limiter *, uint64_t) = t->between;
    if (!t->slept || between == NULL) return t->now_ns;
    if (pthread_mutex_trylock(&t->limiter->lock) != 0) return t->now_ns; /* read under the lock, nothing can come between */
    pthread_mutex_unlock(&t->limiter->lock);
    t->between = NULL;
    between(t->limiter, t->now_ns - 1 * MS);
    return t->now_ns;
}

static void tricky_sleep(flowctl_clock *clock, struct fc_sleeper *sleeper, uint64_t until_ns) {
    struct tricky_clock *t = (struct tricky_clock *)clock;
    (void)sleeper;
    t->slept = true;
    if (until_ns > t->now_ns && until_ns < NOW + 100 * SEC) t->now_ns = until_ns;
    else if (until_ns == FLOWCTL_FOREVER) flowctl_limiter_resume_at(t->limiter, t->now_ns); /* nobody else would */
}

static void tricky_destroy(flowctl_clock *clock) { (void)clock; }

static void make_slow(flowctl_limiter *l, uint64_t now_ns) {
    assert_ok(flowctl_set_limit_at(l, flowctl_per_second(1), 10, now_ns, NULL));
}
static void make_pause(flowctl_limiter *l, uint64_t now_ns) { assert_ok(flowctl_limiter_pause_at(l, now_ns)); }

static void nobody_is_let_through_before_a_due_time_that_has_just_moved(void **state) {
    (void)state;
    static void (*const changes[])(flowctl_limiter *, uint64_t) = {make_slow, make_pause};
    static const struct fc_clock_ops ops = {tricky_now, tricky_sleep, tricky_destroy};
    unsigned early = 0;
    for (size_t i = 0; i < COUNT(changes); i++) {
        struct tricky_clock t = {.base = {&ops}, .now_ns = NOW, .between = changes[i]};
        flowctl_token_bucket_options o = bucket_options(flowctl_per_second(10), 10, 0);
        o.clock = &t.base;
        assert_ok(flowctl_token_bucket_create(&o, &t.limiter, NULL));
        flowctl_decision d = flowctl_acquire(t.limiter, 3, FLOWCTL_FOREVER);
        assert_int_equal(d.verdict, FLOWCTL_ALLOW);
        if (d.now_ns > t.now_ns)
            print_error("change %zu: let through at %ju, dated %ju\n", i, t.now_ns - NOW, d.now_ns - NOW);
        early += d.now_ns > t.now_ns;
        flowctl_limiter_destroy(t.limiter);
    }
    assert_int_equal(early, 0);
}

/* ---- pause ---- */

static void assert_paused(flowctl_decision d, uint64_t remaining) {
    assert_int_equal(d.status, FLOWCTL_OK);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.granted, 0);
    assert_int_equal(d.remaining, remaining);
    assert_true(d.retry_after_ns == FLOWCTL_FOREVER);
    assert_int_equal(d.flags, FLOWCTL_FLAG_PAUSED);
}

static void while_paused_every_verb_is_denied_and_takes_nothing(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 7);
    flowctl_reservation r;
    flowctl_receipt receipt;
    assert_ok(flowctl_limiter_pause(b.limiter));
    for (uint64_t ms = 0; ms <= 10000; ms += 5000) {
        set_ms(&b, ms);
        assert_false(flowctl_try_acquire(b.limiter, 1));
        assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 100), 0);
        assert_paused(flowctl_decide(b.limiter, 1), 7);
        assert_paused(flowctl_peek(b.limiter, 1), 7);
        assert_paused(flowctl_reserve(b.limiter, 1, FLOWCTL_FOREVER, &r), 7);
        assert_int_equal(flowctl_cancel(&r), 0);
        assert_paused(flowctl_acquire(b.limiter, 1, 0), 7);
        assert_paused(flowctl_acquire_estimate(b.limiter, 1, 0, &receipt), 7);
        assert_true(flowctl_time_until(b.limiter, 1) == FLOWCTL_FOREVER);
        assert_int_equal(flowctl_decide(b.limiter, 11).verdict, FLOWCTL_NEVER);
        assert_int_equal(flowctl_decide(b.limiter, 0).verdict, FLOWCTL_ALLOW);
    }
    assert_true(bucket_info(&b).paused);
    assert_int_equal(bucket_info(&b).tokens, 7);
    assert_int_equal(bucket_counters(&b).allowed, 0);
    bucket_free(&b);
}

static void after_a_resume_it_goes_on_with_what_was_there(void **state) {
    (void)state;
    static const uint64_t paused_ns[] = {0, 1, 5 * SEC, 15 * FLOWCTL_NS_PER_YEAR};
    for (size_t i = 0; i < COUNT(paused_ns); i++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 10, 7);
        flowctl_clock_advance(b.clock, 150 * MS); /* 8.5 */
        assert_ok(flowctl_limiter_pause(b.limiter));
        flowctl_clock_advance(b.clock, paused_ns[i]);
        assert_ok(flowctl_limiter_resume(b.limiter));
        assert_false(bucket_info(&b).paused);
        assert_int_equal(bucket_info(&b).tokens, 8);
        assert_int_equal(flowctl_time_until(b.limiter, 9), 50 * MS);
        assert_true(flowctl_try_acquire(b.limiter, 8));
        assert_false(flowctl_try_acquire(b.limiter, 1));
        bucket_free(&b);
    }
}

static void pausing_and_resuming_twice_is_once(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 5);
    assert_ok(flowctl_limiter_resume(b.limiter)); /* without a pause: nothing */
    set_ms(&b, 100);
    assert_ok(flowctl_limiter_resume(b.limiter));
    assert_int_equal(bucket_info(&b).tokens, 6);
    assert_ok(flowctl_limiter_pause(b.limiter));
    set_ms(&b, 200);
    assert_ok(flowctl_limiter_pause(b.limiter));
    assert_ok(flowctl_limiter_pause_at(b.limiter, NOW + 250 * MS));
    set_ms(&b, 300);
    assert_ok(flowctl_limiter_resume(b.limiter));
    assert_ok(flowctl_limiter_resume(b.limiter));
    assert_int_equal(bucket_info(&b).tokens, 6);
    set_ms(&b, 400);
    assert_int_equal(bucket_info(&b).tokens, 7);
    bucket_free(&b);
}

static void settings_can_be_changed_during_a_pause(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 7);
    assert_ok(flowctl_limiter_pause(b.limiter));
    set_ms(&b, 1000);
    assert_ok(flowctl_set_limit(b.limiter, flowctl_per_second(2), 5, NULL));
    assert_paused(flowctl_decide(b.limiter, 1), 5);
    assert_int_equal(bucket_info(&b).burst, 5);
    assert_int_equal(bucket_info(&b).rate.period_ns, 500 * MS);
    set_ms(&b, 2000);
    assert_ok(flowctl_limiter_reset(b.limiter));
    assert_paused(flowctl_decide(b.limiter, 1), 0);
    set_ms(&b, 3000);
    assert_ok(flowctl_limiter_resume(b.limiter));
    assert_int_equal(flowctl_time_until(b.limiter, 1), 500 * MS);
    bucket_free(&b);
}

static void a_reservation_waits_out_the_pause(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    flowctl_reservation r, late;
    flowctl_reserve(b.limiter, 5, FLOWCTL_FOREVER, &r);
    flowctl_reserve(b.limiter, 2, FLOWCTL_FOREVER, &late);
    set_ms(&b, 200);
    assert_ok(flowctl_limiter_pause(b.limiter));
    set_ms(&b, 60000);
    assert_true(flowctl_reservation_due_ns(&r) == FLOWCTL_FOREVER);
    assert_int_equal(flowctl_cancel(&late), 2); /* can be given back meanwhile */
    assert_ok(flowctl_limiter_resume(b.limiter));
    assert_int_equal(flowctl_reservation_due_ns(&r), NOW + 60300 * MS);
    assert_int_equal(flowctl_time_until(b.limiter, 1), 400 * MS);
    bucket_free(&b);
}

static void those_that_wait_wait_out_the_pause(void **state) {
    (void)state;
    struct caller before, during;
    struct bucket b = empty_bucket();
    caller_start_asleep(&before, &b, 5);
    set_ms(&b, 200);
    assert_ok(flowctl_limiter_pause(b.limiter));
    AWAIT(flowctl_clock_sleepers(b.clock) == 1);
    caller_start_asleep(&during, &b, 1);
    set_ms(&b, 60000);
    assert_int_equal(flowctl_clock_sleepers(b.clock), 2);
    assert_int_equal(bucket_info(&b).waiters, 2);
    assert_ok(flowctl_limiter_resume(b.limiter));
    AWAIT(flowctl_clock_sleepers(b.clock) == 2);
    set_ms(&b, 60300);
    assert_served(&before, 60300);
    set_ms(&b, 60400);
    assert_served(&during, 60400);
    bucket_free(&b);
}

static void a_deadline_ends_the_wait_for_a_resume(void **state) {
    (void)state;
    struct caller before, during;
    struct bucket b = empty_bucket();
    caller_start_asleep_for(&before, &b, 5, 1000 * MS);
    assert_ok(flowctl_limiter_pause(b.limiter));
    AWAIT(flowctl_clock_sleepers(b.clock) == 1);
    caller_start_asleep_for(&during, &b, 1, 2000 * MS);
    set_ms(&b, 999);
    assert_int_equal(flowctl_clock_sleepers(b.clock), 2);
    set_ms(&b, 1000);
    assert_paused(caller_join(&before), 0);
    set_ms(&b, 2000);
    assert_paused(caller_join(&during), 0);
    assert_int_equal(bucket_counters(&b).denied, 2);
    assert_ok(flowctl_limiter_resume(b.limiter));
    assert_int_equal(flowctl_time_until(b.limiter, 1), 100 * MS); /* nothing is left of them */
    bucket_free(&b);
}

static void who_gives_up_during_a_pause_leaves_nothing(void **state) {
    (void)state;
    struct caller a, c;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 5);
    assert_ok(flowctl_limiter_pause(b.limiter));
    AWAIT(flowctl_clock_sleepers(b.clock) == 1);
    caller_start_asleep(&c, &b, 2);
    caller_cancel(&a);
    assert_ok(flowctl_limiter_resume(b.limiter));
    AWAIT(flowctl_clock_sleepers(b.clock) == 1);
    set_ms(&b, 200);
    assert_served(&c, 200);
    bucket_free(&b);
}

static void closing_ends_a_pause_for_those_that_wait(void **state) {
    (void)state;
    struct caller a;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 5);
    assert_ok(flowctl_limiter_pause(b.limiter));
    flowctl_limiter_close(b.limiter);
    assert_int_equal(caller_join(&a).status, FLOWCTL_CLOSED);
    assert_int_equal(flowctl_decide(b.limiter, 1).status, FLOWCTL_CLOSED);
    bucket_free(&b);
}

/* limiter.h: every thread that waits returns with CLOSED, also if somebody with a later time took its place for over. */
static void closing_sends_away_whom_a_later_time_took_for_served(void **state) {
    (void)state;
    struct caller a;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 5);
    assert_int_equal(flowctl_reserve_at(b.limiter, 10, 0, NULL, NOW + 1000 * SEC).verdict, FLOWCTL_ALLOW);
    flowctl_reservation r;
    assert_int_equal(flowctl_reserve_at(b.limiter, 1, FLOWCTL_FOREVER, &r, NOW + 1000 * SEC).verdict, FLOWCTL_DELAY);
    flowctl_limiter_close(b.limiter);
    for (int looks = 0; looks < 2000 && !caller_returned(&a); looks++) nanosleep(&(struct timespec){0, 100000}, NULL);
    bool returned = caller_returned(&a);
    set_ms(&b, 1000); /* so that the test ends, too */
    flowctl_decision d = caller_join(&a);
    bucket_free(&b);
    assert_true(returned);
    assert_int_equal(d.status, FLOWCTL_CLOSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_wait_are_served_earlier_by_a_higher_rate),
        cmocka_unit_test(and_later_by_a_lower_one),
        cmocka_unit_test(whose_deadline_can_not_be_met_any_more_is_denied_at_once),
        cmocka_unit_test(who_waits_for_more_than_a_smaller_burst_is_told_never),
        cmocka_unit_test(nobody_is_let_through_before_a_due_time_that_has_just_moved),
        cmocka_unit_test(while_paused_every_verb_is_denied_and_takes_nothing),
        cmocka_unit_test(after_a_resume_it_goes_on_with_what_was_there),
        cmocka_unit_test(pausing_and_resuming_twice_is_once),
        cmocka_unit_test(settings_can_be_changed_during_a_pause),
        cmocka_unit_test(a_reservation_waits_out_the_pause),
        cmocka_unit_test(those_that_wait_wait_out_the_pause),
        cmocka_unit_test(a_deadline_ends_the_wait_for_a_resume),
        cmocka_unit_test(who_gives_up_during_a_pause_leaves_nothing),
        cmocka_unit_test(closing_ends_a_pause_for_those_that_wait),
        cmocka_unit_test(closing_sends_away_whom_a_later_time_took_for_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

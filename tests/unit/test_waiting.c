/* Waiting in acquire. All times are told to a manual clock, so that "not yet" can be seen as surely as "now". */
#include "unit/fixture.h"

#include "core/limiter.h"
#include "support/seed.h"

#define SEC FLOWCTL_NS_PER_SEC
#define MS FLOWCTL_NS_PER_MS
#define NOW FIXTURE_START_NS

/* One permit every 100 ms, nothing there. */
static struct bucket empty_bucket(void) { return bucket_new(flowctl_per_second(10), 10, 0); }

static void set_ms(const struct bucket *b, uint64_t later_ms) {
    assert_int_equal(flowctl_clock_set(b->clock, NOW + later_ms * MS), FLOWCTL_OK);
}

static void assert_served(struct caller *c, uint64_t due_ms) {
    flowctl_decision d = caller_join(c);
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_int_equal(d.status, FLOWCTL_OK);
    assert_int_equal(d.granted, c->permits);
    assert_int_equal(d.retry_after_ns, 0);
    assert_int_equal(d.now_ns - NOW, due_ms * MS);
    assert_int_equal(d.tier, FLOWCTL_NO_TIER);
}

static void assert_closed(struct caller *c) {
    flowctl_decision d = caller_join(c);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.status, FLOWCTL_CLOSED);
    assert_int_equal(d.granted, 0);
    assert_true(d.retry_after_ns == FLOWCTL_FOREVER);
}

/* Asserts that `asleep` threads sleep on, once those that were moved have looked around. */
static void assert_asleep(const struct bucket *b, unsigned asleep) { AWAIT(flowctl_clock_sleepers(b->clock) == asleep); }

/* ---- being served ---- */

static void permits_that_are_there_need_no_wait(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 4);
    flowctl_decision d = flowctl_acquire(b.limiter, 4, FLOWCTL_FOREVER); /* or hangs */
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_int_equal(d.granted, 4);
    assert_int_equal(d.now_ns, NOW);
    assert_int_equal(bucket_counters(&b).waited, 0);
    bucket_free(&b);
}

static void a_waiter_is_served_when_due_and_not_before(void **state) {
    (void)state;
    struct caller a;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 3);
    flowctl_limiter_info info = bucket_info(&b);
    assert_int_equal(info.waiters, 1);
    assert_int_equal(info.debt, 3);
    assert_int_equal(info.tokens, 0);
    flowctl_clock_set(b.clock, NOW + 300 * MS - 1);
    assert_int_equal(flowctl_clock_sleepers(b.clock), 1);
    assert_false(caller_returned(&a));
    set_ms(&b, 300);
    assert_served(&a, 300);
    assert_int_equal(bucket_info(&b).waiters, 0);
    flowctl_counters sum = bucket_counters(&b);
    assert_true(sum.allowed == 1 && sum.allowed_permits == 3 && sum.waited == 1 && sum.wait_ns == 300 * MS && sum.denied == 0);
    bucket_free(&b);
}

static void first_come_is_first_served_whatever_it_costs(void **state) {
    (void)state;
    struct caller big, small, middle;
    struct bucket b = empty_bucket();
    caller_start_asleep(&big, &b, 10);
    caller_start_asleep(&small, &b, 1);
    caller_start_asleep(&middle, &b, 5);
    assert_int_equal(bucket_info(&b).waiters, 3);
    set_ms(&b, 999); /* nine permits: enough for the small ones, and they don't get them */
    assert_int_equal(flowctl_clock_sleepers(b.clock), 3);
    set_ms(&b, 1000);
    assert_served(&big, 1000);
    assert_asleep(&b, 2);
    set_ms(&b, 1599);
    assert_served(&small, 1100);
    assert_asleep(&b, 1);
    set_ms(&b, 1600);
    assert_served(&middle, 1600);
    bucket_free(&b);
}

static void nobody_else_succeeds_while_threads_wait(void **state) {
    (void)state;
    struct caller a;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 5);
    set_ms(&b, 400);
    assert_false(flowctl_try_acquire(b.limiter, 1));
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 1), 0);
    assert_int_equal(flowctl_time_until(b.limiter, 1), 200 * MS);
    assert_int_equal(flowctl_acquire(b.limiter, 1, 199 * MS).verdict, FLOWCTL_DENY);
    set_ms(&b, 500);
    assert_served(&a, 500);
    bucket_free(&b);
}

static void a_late_wake_still_has_its_permits(void **state) {
    (void)state;
    struct caller a;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 5);
    set_ms(&b, 1000000);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 1000), 10); /* others took all there was meanwhile */
    assert_served(&a, 500);
    assert_int_equal(bucket_counters(&b).wait_ns, 500 * MS); /* until due, not until awake */
    bucket_free(&b);
}

static void one_step_of_the_clock_serves_all_that_are_due(void **state) {
    (void)state;
    struct caller callers[8];
    struct bucket b = empty_bucket();
    for (size_t i = 0; i < COUNT(callers); i++) caller_start_asleep(&callers[i], &b, 2);
    set_ms(&b, 1000);
    for (size_t i = 0; i < 5; i++) assert_served(&callers[i], 200 * (i + 1));
    assert_asleep(&b, 3);
    set_ms(&b, 100000);
    for (size_t i = 5; i < COUNT(callers); i++) assert_served(&callers[i], 200 * (i + 1));
    bucket_free(&b);
}

static void a_clock_that_steps_back_delays_and_loses_nothing(void **state) {
    (void)state;
    struct caller a;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 3);
    flowctl_clock_set(b.clock, 0);
    assert_int_equal(flowctl_clock_sleepers(b.clock), 1);
    set_ms(&b, 299);
    assert_int_equal(flowctl_clock_sleepers(b.clock), 1);
    set_ms(&b, 300);
    assert_served(&a, 300);
    bucket_free(&b);
}

static void each_of_many_is_due_at_the_sum_of_all_before_it(void **state) {
    (void)state;
    uint64_t random = test_seed("waiters_many"), sum = 0;
    struct caller callers[40];
    struct bucket b = empty_bucket();
    for (size_t i = 0; i < COUNT(callers); i++) caller_start_asleep(&callers[i], &b, 1 + test_below(&random, 10));
    for (size_t i = 0; i < COUNT(callers); i++) {
        sum += callers[i].permits;
        set_ms(&b, 100 * sum);
        assert_served(&callers[i], 100 * sum);
        assert_asleep(&b, (unsigned)(COUNT(callers) - 1 - i));
    }
    bucket_free(&b);
}

/* ---- deadlines ---- */

static void a_deadline_before_the_due_time_is_denied_at_once(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    uint64_t word = atomic_load(&b.limiter->cell.word);
    static const uint64_t waits[] = {0, 1, 300 * MS - 1};
    for (size_t i = 0; i < COUNT(waits); i++) {
        flowctl_decision d = flowctl_acquire(b.limiter, 3, waits[i]); /* or hangs: the clock stands still */
        assert_int_equal(d.verdict, FLOWCTL_DENY);
        assert_int_equal(d.status, FLOWCTL_OK);
        assert_int_equal(d.granted, 0);
        assert_int_equal(d.retry_after_ns, 300 * MS);
        assert_int_equal(d.now_ns, NOW);
    }
    assert_true(atomic_load(&b.limiter->cell.word) == word);
    assert_int_equal(bucket_counters(&b).denied, COUNT(waits));
    assert_int_equal(bucket_counters(&b).waited, 0);
    bucket_free(&b);
}

static void a_deadline_at_the_due_time_is_enough(void **state) {
    (void)state;
    struct caller a;
    struct bucket b = empty_bucket();
    caller_start(&a, b.limiter, 3, 300 * MS);
    assert_asleep(&b, 1);
    set_ms(&b, 300);
    assert_served(&a, 300);
    bucket_free(&b);
}

static void a_deadline_counts_those_ahead(void **state) {
    (void)state;
    struct caller a;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 5);
    flowctl_decision d = flowctl_acquire(b.limiter, 1, 600 * MS - 1);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.retry_after_ns, 600 * MS);
    set_ms(&b, 500);
    assert_served(&a, 500);
    bucket_free(&b);
}

struct at_call {
    struct bucket b;
    uint64_t permits, now_ns;
    flowctl_decision decision;
};

static void *call_at(void *argument) {
    struct at_call *c = argument;
    c->decision = flowctl_acquire_at(c->b.limiter, c->permits, FLOWCTL_FOREVER, c->now_ns);
    return NULL;
}

static void the_at_form_waits_from_its_time_until_the_clock_is_there(void **state) {
    (void)state;
    struct at_call c = {.b = empty_bucket(), .permits = 5, .now_ns = NOW + 100 * MS};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, call_at, &c), 0);
    assert_asleep(&c.b, 1);
    set_ms(&c.b, 499);
    assert_int_equal(flowctl_clock_sleepers(c.b.clock), 1);
    set_ms(&c.b, 500);
    pthread_join(thread, NULL);
    assert_int_equal(c.decision.verdict, FLOWCTL_ALLOW);
    assert_int_equal(c.decision.now_ns, NOW + 500 * MS);
    assert_int_equal(bucket_counters(&c.b).wait_ns, 400 * MS);
    bucket_free(&c.b);
}

/* ---- giving up ---- */

static void whoever_gives_up_lets_those_behind_move_up(void **state) {
    (void)state;
    static const struct {
        size_t gone;
        uint64_t due_ms[3];
        uint64_t next_ms; /* when one more permit would be there */
    } rows[] = {{0, {0, 400, 600}, 700}, {1, {300, 0, 500}, 600}, {2, {300, 700, 0}, 800}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        static const uint64_t permits[] = {3, 4, 2};
        struct caller callers[3];
        struct bucket b = empty_bucket();
        for (size_t k = 0; k < 3; k++) caller_start_asleep(&callers[k], &b, permits[k]);
        caller_cancel(&callers[rows[i].gone]);
        assert_asleep(&b, 2);
        assert_int_equal(bucket_info(&b).waiters, 2);
        assert_int_equal(flowctl_time_until(b.limiter, 1), rows[i].next_ms * MS);
        for (size_t k = 0; k < 3; k++) {
            if (k == rows[i].gone) continue;
            set_ms(&b, rows[i].due_ms[k] - 1);
            assert_int_equal(flowctl_clock_sleepers(b.clock), bucket_info(&b).waiters);
            set_ms(&b, rows[i].due_ms[k]);
            assert_served(&callers[k], rows[i].due_ms[k]);
        }
        flowctl_counters sum = bucket_counters(&b);
        assert_int_equal(sum.allowed, 2);
        assert_int_equal(sum.allowed_permits, 9 - permits[rows[i].gone]);
        bucket_free(&b);
    }
}

static void the_only_one_that_gives_up_leaves_the_bucket_as_it_was(void **state) {
    (void)state;
    struct caller a;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 4);
    uint64_t word = atomic_load(&b.limiter->cell.word);
    caller_start_asleep(&a, &b, 9);
    caller_cancel(&a);
    assert_true(atomic_load(&b.limiter->cell.word) == word);
    assert_true(flowctl_try_acquire(b.limiter, 4));
    bucket_free(&b);
}

/* What has come in meanwhile is used at once, and what is left over is there for anybody. */
static void those_that_move_up_may_be_due_at_once(void **state) {
    (void)state;
    struct caller big, small;
    struct bucket b = empty_bucket();
    caller_start_asleep(&big, &b, 10);
    caller_start_asleep(&small, &b, 2);
    set_ms(&b, 800);
    assert_int_equal(flowctl_clock_sleepers(b.clock), 2);
    caller_cancel(&big);
    assert_served(&small, 800);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 100), 6);
    bucket_free(&b);
}

/* One that called with a time ahead of the clock's can't be moved to before its call. */
static void moving_up_never_dates_anything_before_its_call(void **state) {
    (void)state;
    struct caller a;
    struct at_call c = {.b = empty_bucket(), .permits = 2, .now_ns = NOW + 400 * MS};
    pthread_t thread;
    caller_start_asleep(&a, &c.b, 9);
    assert_int_equal(pthread_create(&thread, NULL, call_at, &c), 0);
    assert_asleep(&c.b, 2);
    set_ms(&c.b, 300);
    caller_cancel(&a);
    set_ms(&c.b, 10000);
    pthread_join(thread, NULL);
    assert_int_equal(c.decision.verdict, FLOWCTL_ALLOW);
    if (c.decision.now_ns < c.now_ns) print_error("called at %ju, dated %ju\n", c.now_ns - NOW, c.decision.now_ns - NOW);
    assert_true(c.decision.now_ns >= c.now_ns);
    assert_true(bucket_counters(&c.b).wait_ns <= 1000 * MS);
    bucket_free(&c.b);
}

static void giving_up_never_brings_permits(void **state) {
    (void)state;
    struct caller a, c;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 5);
    caller_start_asleep(&c, &b, 5);
    /* somebody with a later time was granted permits behind the queue: the places before cannot be given away any more */
    assert_true(flowctl_try_acquire_at(b.limiter, 3, NOW + 2000 * MS));
    caller_cancel(&a);
    caller_cancel(&c);
    assert_true(flowctl_try_acquire_up_to_at(b.limiter, 100, NOW + 2000 * MS) <= 10 - 3);
    bucket_free(&b);
}

static void random_ones_give_up_and_the_others_close_ranks(void **state) {
    (void)state;
    uint64_t random = test_seed("waiters_give_up");
    for (int round = 0; round < 10; round++) {
        struct caller callers[16];
        bool gone[COUNT(callers)] = {false};
        struct bucket b = empty_bucket();
        unsigned asleep = COUNT(callers);
        for (size_t i = 0; i < COUNT(callers); i++) caller_start_asleep(&callers[i], &b, 1 + test_below(&random, 10));
        for (int k = 0; k < 8; k++) {
            size_t i = (size_t)test_below(&random, COUNT(callers));
            if (gone[i]) continue;
            caller_cancel(&callers[i]);
            gone[i] = true;
            assert_asleep(&b, --asleep);
        }
        uint64_t sum = 0;
        for (size_t i = 0; i < COUNT(callers); i++) {
            if (gone[i]) continue;
            sum += callers[i].permits;
            set_ms(&b, 100 * sum);
            assert_served(&callers[i], 100 * sum);
        }
        assert_int_equal(bucket_counters(&b).allowed_permits, sum);
        assert_int_equal(flowctl_time_until(b.limiter, 1), 100 * MS);
        bucket_free(&b);
    }
}

/* A reservation was told its time and keeps it: those before it close ranks, and those behind it that fit into the room come before it. */
static void a_reservation_in_the_queue_keeps_its_time(void **state) {
    (void)state;
    struct caller a, c, behind;
    flowctl_reservation r;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 3);
    caller_start_asleep(&c, &b, 2);
    assert_int_equal(flowctl_reserve(b.limiter, 2, FLOWCTL_FOREVER, &r).now_ns, NOW + 700 * MS);
    caller_start_asleep(&behind, &b, 1);
    caller_cancel(&a);
    assert_asleep(&b, 2);
    assert_int_equal(flowctl_time_until(b.limiter, 1), 800 * MS);
    assert_int_equal(flowctl_reservation_due_ns(&r), NOW + 700 * MS);
    set_ms(&b, 200);
    assert_served(&c, 200);
    set_ms(&b, 299);
    assert_int_equal(flowctl_clock_sleepers(b.clock), 1);
    set_ms(&b, 300);
    assert_served(&behind, 300);
    bucket_free(&b);
}

static void behind_a_reservation_places_can_still_be_given_back(void **state) {
    (void)state;
    struct caller a, behind;
    struct bucket b = empty_bucket();
    caller_start_asleep(&a, &b, 3);
    flowctl_reserve(b.limiter, 2, FLOWCTL_FOREVER, NULL);
    caller_start_asleep(&behind, &b, 4);
    caller_cancel(&behind);
    assert_int_equal(flowctl_time_until(b.limiter, 1), 600 * MS);
    set_ms(&b, 300);
    assert_served(&a, 300);
    bucket_free(&b);
}

/* ---- close and destroy ---- */

static void closing_sends_everybody_away(void **state) {
    (void)state;
    struct caller callers[5];
    struct bucket b = empty_bucket();
    for (size_t i = 0; i < COUNT(callers); i++) caller_start_asleep(&callers[i], &b, 2);
    flowctl_limiter_close(b.limiter);
    for (size_t i = 0; i < COUNT(callers); i++) assert_closed(&callers[i]);
    assert_int_equal(bucket_counters(&b).allowed, 0);
    assert_int_equal(b.limiter->waiters, 0);
    assert_int_equal(flowctl_clock_sleepers(b.clock), 0);
    bucket_free(&b);
}

static void whoever_gives_up_after_close_does_no_harm(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct caller a, c;
        struct bucket b = empty_bucket();
        caller_start_asleep(&a, &b, 2);
        caller_start_asleep(&c, &b, 2);
        flowctl_limiter_close(b.limiter);
        pthread_cancel(a.thread); /* may come too late */
        pthread_join(a.thread, NULL);
        assert_closed(&c);
        bucket_free(&b);
    }
}

static void destroying_waits_until_everybody_has_left(void **state) {
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct caller callers[3];
        struct bucket b = empty_bucket();
        for (size_t i = 0; i < COUNT(callers); i++) caller_start_asleep(&callers[i], &b, 1 + i);
        bucket_free(&b); /* the clock too: nobody touches it any more either */
        for (size_t i = 0; i < COUNT(callers); i++) assert_closed(&callers[i]);
    }
}

/* The clock serves some while destroy sends away the others: each gets one of the two answers. */
static void destroying_races_with_being_served(void **state) {
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct caller callers[4];
        struct bucket b = empty_bucket();
        for (size_t i = 0; i < COUNT(callers); i++) caller_start_asleep(&callers[i], &b, 1);
        set_ms(&b, 100 * (uint64_t)(round % 5));
        flowctl_limiter_destroy(b.limiter);
        for (size_t i = 0; i < COUNT(callers); i++) {
            flowctl_decision d = caller_join(&callers[i]);
            bool due = i < (size_t)(round % 5);
            assert_int_equal(d.verdict, due ? FLOWCTL_ALLOW : FLOWCTL_DENY); /* whoever is due has its permits, closed or not */
            assert_int_equal(d.status, due ? FLOWCTL_OK : FLOWCTL_CLOSED);
        }
        flowctl_clock_destroy(b.clock);
    }
}

static void destroying_races_with_giving_up(void **state) {
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct caller callers[3];
        struct bucket b = empty_bucket();
        for (size_t i = 0; i < COUNT(callers); i++) caller_start_asleep(&callers[i], &b, 1);
        for (size_t i = 0; i < COUNT(callers); i++) pthread_cancel(callers[i].thread);
        flowctl_limiter_destroy(b.limiter);
        for (size_t i = 0; i < COUNT(callers); i++) pthread_join(callers[i].thread, NULL);
        flowctl_clock_destroy(b.clock);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(permits_that_are_there_need_no_wait),
        cmocka_unit_test(a_waiter_is_served_when_due_and_not_before),
        cmocka_unit_test(first_come_is_first_served_whatever_it_costs),
        cmocka_unit_test(nobody_else_succeeds_while_threads_wait),
        cmocka_unit_test(a_late_wake_still_has_its_permits),
        cmocka_unit_test(one_step_of_the_clock_serves_all_that_are_due),
        cmocka_unit_test(a_clock_that_steps_back_delays_and_loses_nothing),
        cmocka_unit_test(each_of_many_is_due_at_the_sum_of_all_before_it),
        cmocka_unit_test(a_deadline_before_the_due_time_is_denied_at_once),
        cmocka_unit_test(a_deadline_at_the_due_time_is_enough),
        cmocka_unit_test(a_deadline_counts_those_ahead),
        cmocka_unit_test(the_at_form_waits_from_its_time_until_the_clock_is_there),
        cmocka_unit_test(whoever_gives_up_lets_those_behind_move_up),
        cmocka_unit_test(the_only_one_that_gives_up_leaves_the_bucket_as_it_was),
        cmocka_unit_test(those_that_move_up_may_be_due_at_once),
        cmocka_unit_test(moving_up_never_dates_anything_before_its_call),
        cmocka_unit_test(giving_up_never_brings_permits),
        cmocka_unit_test(random_ones_give_up_and_the_others_close_ranks),
        cmocka_unit_test(a_reservation_in_the_queue_keeps_its_time),
        cmocka_unit_test(behind_a_reservation_places_can_still_be_given_back),
        cmocka_unit_test(closing_sends_everybody_away),
        cmocka_unit_test(whoever_gives_up_after_close_does_no_harm),
        cmocka_unit_test(destroying_waits_until_everybody_has_left),
        cmocka_unit_test(destroying_races_with_being_served),
        cmocka_unit_test(destroying_races_with_giving_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

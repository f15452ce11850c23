#include "unit/fixture.h"

#include "core/limiter.h"
#include "support/bucket_setup.h"
#include "support/seed.h"

#define SEC FLOWCTL_NS_PER_SEC
#define MS FLOWCTL_NS_PER_MS
#define YEAR FLOWCTL_NS_PER_YEAR
#define NOW FIXTURE_START_NS

static uint64_t word_of(const struct bucket *b) { return atomic_load(&b->limiter->cell.word); }

static void assert_decision(flowctl_decision d, flowctl_verdict verdict, uint64_t granted, uint64_t remaining,
                            uint64_t retry_after_ns, uint64_t now_ns) {
    assert_int_equal(d.status, FLOWCTL_OK);
    if (d.verdict != verdict) fail_msg("%s, not %s", flowctl_verdict_name(d.verdict), flowctl_verdict_name(verdict));
    assert_int_equal(d.granted, granted);
    assert_int_equal(d.remaining, remaining);
    assert_int_equal(d.retry_after_ns, retry_after_ns);
    assert_int_equal(d.now_ns, now_ns);
    assert_int_equal(d.tier, FLOWCTL_NO_TIER);
    assert_int_equal(d.flags, 0);
}

/* ---- start ---- */

static flowctl_limiter *started(flowctl_start start, uint64_t permits) {
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    flowctl_limiter *l;
    o.rate = flowctl_per(1, 10 * YEAR), o.burst = 20; /* on the monotonic clock, but nothing comes while we look */
    o.start = start, o.start_permits = permits;
    assert_int_equal(flowctl_token_bucket_create(&o, &l, NULL), FLOWCTL_OK);
    return l;
}

static void starts_as_full_as_it_is_told(void **state) {
    (void)state;
    static const struct {
        flowctl_start start;
        uint64_t permits, there;
    } rows[] = {{FLOWCTL_START_FULL, 0, 20},
                {FLOWCTL_START_EMPTY, 0, 0},
                {FLOWCTL_START_AT, 0, 0},
                {FLOWCTL_START_AT, 7, 7},
                {FLOWCTL_START_AT, 20, 20}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        flowctl_limiter *l = started(rows[i].start, rows[i].permits);
        assert_int_equal(flowctl_peek(l, 1).remaining, rows[i].there);
        assert_int_equal(flowctl_try_acquire_up_to(l, UINT64_MAX), rows[i].there);
        flowctl_limiter_destroy(l);
    }
}

/* ---- verbs ---- */

static void a_decision_tells_everything(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 5);
    assert_decision(flowctl_decide(b.limiter, 2), FLOWCTL_ALLOW, 2, 3, 0, NOW);
    assert_decision(flowctl_decide(b.limiter, 4), FLOWCTL_DENY, 0, 3, 100 * MS, NOW);
    assert_decision(flowctl_decide(b.limiter, 5), FLOWCTL_DENY, 0, 3, 200 * MS, NOW);
    assert_decision(flowctl_decide(b.limiter, 6), FLOWCTL_NEVER, 0, 3, FLOWCTL_FOREVER, NOW);
    assert_decision(flowctl_decide(b.limiter, 3), FLOWCTL_ALLOW, 3, 0, 0, NOW);
    assert_decision(flowctl_decide_at(b.limiter, 1, NOW + 30 * MS), FLOWCTL_DENY, 0, 0, 70 * MS, NOW + 30 * MS);
    assert_decision(flowctl_decide_at(b.limiter, 1, NOW + 150 * MS), FLOWCTL_ALLOW, 1, 0, 0, NOW + 150 * MS);
    assert_decision(flowctl_decide_at(b.limiter, 5, NOW + 10 * SEC), FLOWCTL_ALLOW, 5, 0, 0, NOW + 10 * SEC);
    bucket_free(&b);
}

static void try_takes_all_or_nothing(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 5);
    assert_true(flowctl_try_acquire(b.limiter, 3));
    assert_false(flowctl_try_acquire(b.limiter, 3));
    assert_true(flowctl_try_acquire(b.limiter, 2));
    assert_false(flowctl_try_acquire(b.limiter, 1));
    bucket_free(&b);
}

static void up_to_takes_what_is_there(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 50, 7);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 3), 3);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 100), 4);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 100), 0);
    assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, UINT64_MAX, NOW + 250 * MS), 2);
    assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, UINT64_MAX, NOW + 300 * MS), 1); /* the half permit was kept */
    bucket_free(&b);
}

static void peek_is_what_decide_would_say_and_takes_nothing(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 4);
    uint64_t word = word_of(&b);
    assert_decision(flowctl_peek(b.limiter, 4), FLOWCTL_ALLOW, 0, 4, 0, NOW);
    assert_decision(flowctl_peek(b.limiter, 5), FLOWCTL_DENY, 0, 4, 100 * MS, NOW);
    assert_decision(flowctl_peek(b.limiter, 6), FLOWCTL_NEVER, 0, 4, FLOWCTL_FOREVER, NOW);
    assert_true(word_of(&b) == word);
    assert_int_equal(flowctl_time_until(b.limiter, 4), 0);
    assert_int_equal(flowctl_time_until(b.limiter, 5), 100 * MS);
    assert_true(flowctl_time_until(b.limiter, 6) == FLOWCTL_FOREVER);
    assert_true(word_of(&b) == word);
    bucket_free(&b);
}

static void reserve_books_behind_earlier_bookings(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 2);
    assert_decision(flowctl_reserve(b.limiter, 2, 0, NULL), FLOWCTL_ALLOW, 2, 0, 0, NOW);
    assert_decision(flowctl_reserve(b.limiter, 1, FLOWCTL_FOREVER, NULL), FLOWCTL_DELAY, 1, 0, 100 * MS, NOW + 100 * MS);
    assert_decision(flowctl_reserve(b.limiter, 5, FLOWCTL_FOREVER, NULL), FLOWCTL_DELAY, 5, 0, 600 * MS, NOW + 600 * MS);
    assert_decision(flowctl_reserve_at(b.limiter, 1, FLOWCTL_FOREVER, NULL, NOW + 50 * MS), FLOWCTL_DELAY, 1, 0, 650 * MS,
                    NOW + 700 * MS);
    assert_decision(flowctl_reserve(b.limiter, 6, FLOWCTL_FOREVER, NULL), FLOWCTL_NEVER, 0, 0, FLOWCTL_FOREVER, NOW);
    bucket_free(&b);
}

static void a_booking_beyond_its_longest_wait_is_denied_with_the_wait(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 2);
    uint64_t word = word_of(&b);
    assert_decision(flowctl_reserve(b.limiter, 3, 100 * MS - 1, NULL), FLOWCTL_DENY, 0, 2, 100 * MS, NOW);
    assert_decision(flowctl_reserve(b.limiter, 5, 0, NULL), FLOWCTL_DENY, 0, 2, 300 * MS, NOW);
    assert_true(word_of(&b) == word);
    assert_decision(flowctl_reserve(b.limiter, 3, 100 * MS, NULL), FLOWCTL_DELAY, 3, 0, 100 * MS, NOW + 100 * MS);
    bucket_free(&b);
}

static void while_bookings_are_ahead_nobody_else_succeeds(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 0);
    flowctl_reserve(b.limiter, 3, FLOWCTL_FOREVER, NULL);
    for (uint64_t t = NOW; t < NOW + 400 * MS; t += 50 * MS) {
        assert_false(flowctl_try_acquire_at(b.limiter, 1, t));
        assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, 5, t), 0);
        assert_int_equal(flowctl_time_until_at(b.limiter, 1, t), NOW + 400 * MS - t);
    }
    assert_true(flowctl_try_acquire_at(b.limiter, 1, NOW + 400 * MS));
    bucket_free(&b);
}

static void a_cost_above_the_burst_is_never_from_every_verb(void **state) {
    (void)state;
    static const uint64_t costs[] = {6,         7, UINT64_C(1) << 32, UINT64_C(1) << 57, UINT64_C(1) << 63, UINT64_MAX - 1,
                                     UINT64_MAX};
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 5);
    uint64_t word = word_of(&b);
    for (size_t i = 0; i < COUNT(costs); i++) {
        assert_decision(flowctl_decide(b.limiter, costs[i]), FLOWCTL_NEVER, 0, 5, FLOWCTL_FOREVER, NOW);
        assert_decision(flowctl_peek(b.limiter, costs[i]), FLOWCTL_NEVER, 0, 5, FLOWCTL_FOREVER, NOW);
        assert_decision(flowctl_reserve(b.limiter, costs[i], FLOWCTL_FOREVER, NULL), FLOWCTL_NEVER, 0, 5, FLOWCTL_FOREVER,
                        NOW);
        assert_decision(flowctl_acquire(b.limiter, costs[i], FLOWCTL_FOREVER), FLOWCTL_NEVER, 0, 5, FLOWCTL_FOREVER,
                        NOW); /* or hangs */
        assert_false(flowctl_try_acquire(b.limiter, costs[i]));
    }
    assert_true(word_of(&b) == word);
    bucket_free(&b);
}

static void a_denial_changes_nothing(void **state) {
    (void)state;
    uint64_t random = test_seed("token_bucket_denial");
    struct bucket b = bucket_new(flowctl_per_second(10), 50, 3);
    for (int i = 0; i < 10000; i++) {
        uint64_t word = word_of(&b), n = 4 + test_below(&random, 50), t = NOW + test_below(&random, 100 * MS);
        switch (test_below(&random, 4)) {
        case 0: assert_false(flowctl_try_acquire_at(b.limiter, n, t)); break;
        case 1: assert_int_equal(flowctl_decide_at(b.limiter, n, t).granted, 0); break;
        case 2: assert_int_equal(flowctl_reserve_at(b.limiter, n, 0, NULL, t).granted, 0); break;
        default: assert_int_equal(flowctl_acquire_at(b.limiter, n, 0, t).granted, 0); break;
        }
        assert_true(word_of(&b) == word);
    }
    bucket_free(&b);
}

/* Any rate and burst: denied a nanosecond before retry_after, allowed at it; and a booking is due then. */
static void retry_after_is_exact(void **state) {
    (void)state;
    uint64_t random = test_seed("token_bucket_retry");
    unsigned denials = 0;
    for (int i = 0; i < 20000; i++) {
        struct bucket_setup s;
        bucket_setup_random(&s, &random);
        bucket_setup_make(&s);
        uint64_t now = s.start_ns;
        for (int k = 0; k < 4; k++) {
            now += bucket_setup_random_step(&s, &random, YEAR);
            flowctl_decision d = flowctl_decide_at(s.limiter, test_magnitude(&random, s.burst), now);
            assert_true(d.verdict == FLOWCTL_ALLOW || d.verdict == FLOWCTL_DENY);
        }
        uint64_t n = test_magnitude(&random, s.burst);
        flowctl_decision d = flowctl_peek_at(s.limiter, n, now);
        /* beyond the horizon the anchor moves, which has tests of its own */
        if (d.verdict == FLOWCTL_DENY && d.retry_after_ns < 5 * YEAR) {
            denials++;
            assert_true(d.retry_after_ns > 0);
            assert_int_equal(flowctl_peek_at(s.limiter, n, now + d.retry_after_ns - 1).verdict, FLOWCTL_DENY);
            assert_int_equal(flowctl_peek_at(s.limiter, n, now + d.retry_after_ns).verdict, FLOWCTL_ALLOW);
            assert_int_equal(flowctl_reserve_at(s.limiter, n, d.retry_after_ns - 1, NULL, now).verdict, FLOWCTL_DENY);
            assert_int_equal(flowctl_reserve_at(s.limiter, n, d.retry_after_ns, NULL, now).now_ns, now + d.retry_after_ns);
        }
        bucket_setup_free(&s);
    }
    assert_true(denials > 1000);
}

/* ---- extremes ---- */

static void the_extremes_of_rate_and_burst_work(void **state) {
    (void)state;
    static const struct {
        flowctl_rate rate;
        uint64_t burst, one_after_ns;
    } rows[] = {
        {{UINT64_C(10000000000), SEC}, 1, 1},
        {{UINT64_C(10000000000), SEC}, FLOWCTL_BURST_MAX, 1},
        {{1, 10 * YEAR}, 1, 10 * YEAR},
        {{1, 10 * YEAR}, FLOWCTL_BURST_MAX, 10 * YEAR},
        {{10, 1}, 10, 1},
        {{UINT64_MAX, UINT64_MAX}, 1, 1}, /* one per nanosecond */
        {{1, SEC}, FLOWCTL_BURST_MAX, SEC},
        {{999999937, 10 * YEAR}, FLOWCTL_BURST_MAX, 10 * YEAR / 999999937 + 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bucket b = bucket_new(rows[i].rate, rows[i].burst, rows[i].burst);
        assert_int_equal(flowctl_try_acquire_up_to(b.limiter, UINT64_MAX), rows[i].burst);
        assert_int_equal(flowctl_time_until(b.limiter, 1), rows[i].one_after_ns);
        assert_false(flowctl_try_acquire_at(b.limiter, 1, NOW + rows[i].one_after_ns - 1));
        assert_true(flowctl_try_acquire_at(b.limiter, 1, NOW + rows[i].one_after_ns));
        bucket_free(&b);
    }
}

/* ---- times in any order ---- */

static void before_its_first_moment_a_bucket_is_as_it_was_then(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 2);
    assert_decision(flowctl_decide_at(b.limiter, 1, 0), FLOWCTL_ALLOW, 1, 1, 0, NOW);
    assert_decision(flowctl_decide_at(b.limiter, 2, NOW - 1), FLOWCTL_DENY, 0, 1, 100 * MS, NOW);
    assert_true(flowctl_try_acquire_at(b.limiter, 1, 5));
    assert_false(flowctl_try_acquire_at(b.limiter, 1, NOW));
    bucket_free(&b);
}

static void an_old_time_sees_fewer_permits_and_creates_none(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 0);
    assert_true(flowctl_try_acquire_at(b.limiter, 2, NOW + 500 * MS));
    assert_int_equal(flowctl_peek_at(b.limiter, 1, NOW + 300 * MS).remaining, 1);
    assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, 5, NOW + 300 * MS), 1);
    assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, 5, NOW), 0);
    assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, 5, NOW + 500 * MS), 2); /* five in all */
    bucket_free(&b);
}

/* The clock alternates between two times: no more than the burst and what the later one brings, once. */
static void a_clock_that_steps_back_and_forth_brings_nothing_twice(void **state) {
    (void)state;
    static const uint64_t ahead[] = {1, SEC, YEAR, 9 * YEAR, 15 * YEAR};
    for (size_t i = 0; i < COUNT(ahead); i++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 5, 5);
        uint64_t granted = 0;
        for (int k = 0; k < 20; k++) {
            flowctl_clock_set(b.clock, k % 2 == 0 ? NOW : NOW + ahead[i]);
            granted += flowctl_try_acquire_up_to(b.limiter, 1000);
        }
        assert_int_equal(granted, ahead[i] < SEC ? 5 : 10);
        bucket_free(&b);
    }
}

static void the_end_of_time_grants_no_more_than_a_burst(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 5);
    flowctl_clock_set(b.clock, UINT64_MAX);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 1000), 5);
    flowctl_decision d = flowctl_decide(b.limiter, 1);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_true(d.retry_after_ns == FLOWCTL_FOREVER); /* there is no later time */
    assert_int_equal(flowctl_reserve(b.limiter, 1, FLOWCTL_FOREVER, NULL).verdict, FLOWCTL_DENY);
    assert_int_equal(flowctl_acquire(b.limiter, 1, FLOWCTL_FOREVER).verdict, FLOWCTL_DENY); /* or hangs */
    flowctl_clock_set(b.clock, NOW);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 1000), 0);
    flowctl_clock_set(b.clock, UINT64_MAX);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 1000), 0);
    bucket_free(&b);
}

/* Years without a call, over and over: exactly the burst each time, and the rate goes on exactly. */
static void the_rate_goes_on_beyond_every_horizon(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per(7, 13 * SEC), 5, 5);
    uint64_t now = NOW;
    for (int i = 0; i < 20; i++) {
        now += 25 * YEAR - 3 * (uint64_t)i;
        assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, 1000, now), 5);
        uint64_t wait = flowctl_time_until_at(b.limiter, 5, now);
        assert_true(wait == 65 * SEC / 7 || wait == 65 * SEC / 7 + 1);
        assert_int_equal(flowctl_peek_at(b.limiter, 5, now + wait - 1).verdict, FLOWCTL_DENY);
        assert_int_equal(flowctl_peek_at(b.limiter, 5, now + wait).verdict, FLOWCTL_ALLOW);
    }
    bucket_free(&b);
}

/* limiter.h: "Times may come in any order: an old one never creates permits, it only sees fewer." Where it sees none, it says until when. */
static void behind_a_far_time_retry_after_is_still_exact(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 5);
    uint64_t far = NOW + 30 * YEAR;
    assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, 1000, far), 5);
    flowctl_decision d = flowctl_decide_at(b.limiter, 2, NOW);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(flowctl_peek_at(b.limiter, 2, d.now_ns + d.retry_after_ns).verdict, FLOWCTL_ALLOW);
    assert_int_equal(flowctl_peek_at(b.limiter, 2, d.now_ns + d.retry_after_ns - 1).verdict, FLOWCTL_DENY);
    bucket_free(&b);
}

/* limiter.h: a cost above the burst is NEVER, at once. */
static void behind_a_far_time_never_is_still_never(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 5);
    assert_true(flowctl_try_acquire_at(b.limiter, 1, NOW + 30 * YEAR));
    assert_int_equal(flowctl_decide_at(b.limiter, 6, NOW).verdict, FLOWCTL_NEVER);
    assert_int_equal(flowctl_peek_at(b.limiter, UINT64_MAX, NOW).verdict, FLOWCTL_NEVER);
    assert_int_equal(flowctl_reserve_at(b.limiter, 6, FLOWCTL_FOREVER, NULL, NOW).verdict, FLOWCTL_NEVER);
    assert_int_equal(flowctl_acquire_at(b.limiter, 6, FLOWCTL_FOREVER, NOW).verdict, FLOWCTL_NEVER);
    bucket_free(&b);
}

/* limiter.h: "nothing is taken, ever": whatever time is asked about, later answers are the same. */
static void peeking_and_reading_at_a_far_time_change_no_later_answer(void **state) {
    (void)state;
    static const uint64_t times[] = {NOW + YEAR, NOW + 11 * YEAR, UINT64_MAX};
    for (size_t i = 0; i < COUNT(times); i++) {
        for (int how = 0; how < 3; how++) {
            struct bucket b = bucket_new(flowctl_per_second(10), 5, 5);
            flowctl_limiter_info info;
            if (how == 0) assert_int_equal(flowctl_peek_at(b.limiter, 1, times[i]).verdict, FLOWCTL_ALLOW);
            if (how == 1) assert_int_equal(flowctl_time_until_at(b.limiter, 5, times[i]), 0);
            if (how == 2) assert_int_equal(flowctl_limiter_read_at(b.limiter, &info, times[i]), FLOWCTL_OK);
            flowctl_decision d = flowctl_decide_at(b.limiter, 5, NOW);
            if (d.verdict != FLOWCTL_ALLOW)
                fail_msg("after a look at %ju, %s for %ju ns", times[i], flowctl_verdict_name(d.verdict), d.retry_after_ns);
            bucket_free(&b);
        }
    }
}

/* G3: so does a request that was denied, or could never be granted. */
static void a_denial_at_a_far_time_changes_no_later_answer(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 5);
    assert_int_equal(flowctl_decide_at(b.limiter, 6, UINT64_MAX).verdict, FLOWCTL_NEVER);
    assert_int_equal(flowctl_decide_at(b.limiter, 5, NOW).verdict, FLOWCTL_ALLOW);
    bucket_free(&b);
}

/* Bookings reach 2^59 units ahead, 1.8 years at the least, however long the bucket has been running. */
static void bookings_reach_years_ahead_at_any_age(void **state) {
    (void)state;
    static const uint64_t ages[] = {0, 3 * YEAR, 7 * YEAR, 19 * YEAR / 2, 12 * YEAR, 100 * YEAR};
    struct bucket b = bucket_new(flowctl_per(1, YEAR), 5, 5);
    for (size_t i = 0; i < COUNT(ages); i++) {
        uint64_t now = NOW + ages[i];
        flowctl_try_acquire_up_to_at(b.limiter, 5, now);
        flowctl_decision peeked = flowctl_peek_at(b.limiter, 1, now),
                         d = flowctl_reserve_at(b.limiter, 1, FLOWCTL_FOREVER, NULL, now);
        if (d.verdict != FLOWCTL_DELAY)
            fail_msg("%ju years old: %s, due in %g years", ages[i] / YEAR, flowctl_verdict_name(d.verdict),
                     (double)d.retry_after_ns / (double)YEAR);
        assert_int_equal(d.retry_after_ns, peeked.retry_after_ns);
    }
    bucket_free(&b);
}

static void a_booking_too_far_ahead_is_denied_and_takes_nothing(void **state) {
    (void)state;
    struct bucket b =
        bucket_new(flowctl_per(10, 1), FLOWCTL_BURST_MAX, 0); /* a unit is a permit: a whole burst can be booked */
    const uint64_t half = FLOWCTL_BURST_MAX / 2;
    assert_int_equal(flowctl_reserve(b.limiter, half, FLOWCTL_FOREVER, NULL).verdict, FLOWCTL_DELAY);
    flowctl_decision d = flowctl_reserve(b.limiter, half - 1, FLOWCTL_FOREVER, NULL);
    assert_decision(d, FLOWCTL_DELAY, half - 1, d.remaining, FLOWCTL_BURST_MAX / 10 + 1, NOW + FLOWCTL_BURST_MAX / 10 + 1);
    uint64_t word = word_of(&b);
    d = flowctl_reserve(b.limiter, 2, FLOWCTL_FOREVER, NULL);
    assert_decision(d, FLOWCTL_DENY, 0, 0, FLOWCTL_BURST_MAX / 10 + 1, NOW);
    assert_int_equal(flowctl_acquire(b.limiter, 2, FLOWCTL_FOREVER).verdict, FLOWCTL_DENY); /* or hangs */
    assert_true(word_of(&b) == word);
    assert_int_equal(flowctl_reserve(b.limiter, 1, FLOWCTL_FOREVER, NULL).verdict, FLOWCTL_DELAY);
    bucket_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_as_full_as_it_is_told),
        cmocka_unit_test(a_decision_tells_everything),
        cmocka_unit_test(try_takes_all_or_nothing),
        cmocka_unit_test(up_to_takes_what_is_there),
        cmocka_unit_test(peek_is_what_decide_would_say_and_takes_nothing),
        cmocka_unit_test(reserve_books_behind_earlier_bookings),
        cmocka_unit_test(a_booking_beyond_its_longest_wait_is_denied_with_the_wait),
        cmocka_unit_test(while_bookings_are_ahead_nobody_else_succeeds),
        cmocka_unit_test(a_cost_above_the_burst_is_never_from_every_verb),
        cmocka_unit_test(a_denial_changes_nothing),
        cmocka_unit_test(retry_after_is_exact),
        cmocka_unit_test(the_extremes_of_rate_and_burst_work),
        cmocka_unit_test(before_its_first_moment_a_bucket_is_as_it_was_then),
        cmocka_unit_test(an_old_time_sees_fewer_permits_and_creates_none),
        cmocka_unit_test(a_clock_that_steps_back_and_forth_brings_nothing_twice),
        cmocka_unit_test(the_end_of_time_grants_no_more_than_a_burst),
        cmocka_unit_test(the_rate_goes_on_beyond_every_horizon),
        cmocka_unit_test(behind_a_far_time_retry_after_is_still_exact),
        cmocka_unit_test(behind_a_far_time_never_is_still_never),
        cmocka_unit_test(peeking_and_reading_at_a_far_time_change_no_later_answer),
        cmocka_unit_test(a_denial_at_a_far_time_changes_no_later_answer),
        cmocka_unit_test(bookings_reach_years_ahead_at_any_age),
        cmocka_unit_test(a_booking_too_far_ahead_is_denied_and_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

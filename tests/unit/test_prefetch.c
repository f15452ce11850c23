/* How much is asked for ahead of need. 20000 per second, burst 2000, 8 members, a refresh of 10 ms, a round trip of 1 ms: 100 ms of the rate. */
#include "unit/fixture.h"

#include "algo/prefetch.h"
#include "support/seed.h"

#define MS FLOWCTL_NS_PER_MS

struct member {
    struct fc_prefetch p;
    struct fc_prefetch_now now;
    struct fc_prefetch_plan plan;
};

static struct member usual(void) {
    return (struct member){.now = {.now_ns = FIXTURE_START_NS,
                                   .rate = {20000, FLOWCTL_NS_PER_SEC},
                                   .burst = 2000,
                                   .members = 8,
                                   .refresh_ns = 10 * MS,
                                   .round_trip_ns = MS}};
}

static struct member small(void) {
    struct member m = usual();
    m.now.rate = flowctl_per(10, FLOWCTL_NS_PER_SEC);
    m.now.burst = 1;
    return m;
}

/* The next plan, a refresh later. */
static void plan(struct member *m, int64_t held, uint64_t missing) {
    m->now.now_ns += m->now.refresh_ns;
    m->now.held = held;
    m->now.missing = missing;
    m->plan = fc_prefetch_plan(&m->p, &m->now);
}

/* Uses so many per refresh for long, with what it takes. */
static void use(struct member *m, uint64_t permits) {
    for (int i = 0; i < 100; i++) {
        m->now.used += permits;
        plan(m, 0, 0);
    }
}

/* A quarter of the fair part, 2000 / 16; nothing of a limit that is too small to lie around. */
static void without_need_a_member_asks_for_what_it_holds_at_rest(void **state) {
    (void)state;
    struct member m = usual(), tiny = small();
    plan(&m, 0, 0);
    assert_int_equal(m.plan.want, 31);
    for (int i = 0; i < 10; i++) {
        plan(&m, 31, 0), plan(&tiny, 0, 0);
        assert_int_equal(m.plan.want + m.plan.give_back, 0);
        assert_int_equal(tiny.plan.want + tiny.plan.need + tiny.plan.give_back, 0);
    }
}

static void ahead_for_two_refreshes_and_a_round_trip_of_what_was_admitted(void **state) {
    (void)state;
    struct member m = usual();
    use(&m, 25);
    assert_in_range(m.plan.want, 64, 66); /* 25 x 2.1 x 1.25 */
    assert_int_equal(m.plan.need, 1);
    m.now.used += 25;
    plan(&m, 50, 0);
    assert_in_range(m.plan.want, 14, 16);
    plan(&m, 1000, 0);
    assert_int_equal(m.plan.want, 0);
}

static void at_most_a_quarter_of_the_burst_or_the_fair_part(void **state) {
    (void)state;
    struct member m = usual();
    use(&m, 100000);
    assert_int_equal(m.plan.want, 500);
    m.now.members = 1;
    use(&m, 100000);
    assert_int_equal(m.plan.want, 1000);
}

static void who_is_short_asks_for_more_and_for_all_that_waits(void **state) {
    (void)state;
    struct member m = usual();
    plan(&m, 0, 1);
    assert_int_equal(m.plan.want, 31); /* a quarter of its part */
    assert_int_equal(m.plan.need, 1);
    m.now.queued = 200;
    plan(&m, 0, 1);
    assert_int_equal(m.plan.want, 200);
    m.now.queued = 100000;
    plan(&m, 0, 1);
    assert_int_equal(m.plan.want, 500);
}

static void what_is_idle_for_four_refreshes_goes_back(void **state) {
    (void)state;
    struct member m = usual();
    plan(&m, 0, 0);
    for (int i = 0; i < 3; i++) {
        plan(&m, 71, 0);
        assert_int_equal(m.plan.give_back, 0);
    }
    plan(&m, 71, 0);
    assert_int_equal(m.plan.give_back, 40);
    /* Not while some of it is used. */
    for (int i = 0; i < 20; i++) {
        m.now.used++;
        plan(&m, 40, 0);
        assert_int_equal(m.plan.give_back, 0);
    }
}

static void what_takes_long_to_earn_is_held_longer(void **state) {
    (void)state;
    struct member m = small();
    plan(&m, 0, 0);
    for (int i = 0; i < 9; i++) plan(&m, 1, 0), assert_int_equal(m.plan.give_back, 0);
    plan(&m, 1, 0); /* 100 ms */
    assert_int_equal(m.plan.give_back, 1);
    m.now.rate = flowctl_per(1, FLOWCTL_PERIOD_MAX_NS);
    plan(&m, 0, 0);
    for (int i = 0; i < 15; i++) plan(&m, 1, 0), assert_int_equal(m.plan.give_back, 0);
    plan(&m, 1, 0); /* but not for ever */
    assert_int_equal(m.plan.give_back, 1);
}

static void a_small_limit_is_decided_one_by_one_and_reported_soon(void **state) {
    (void)state;
    struct member m = small();
    plan(&m, 0, 0);
    assert_int_equal(m.plan.want, 0);
    plan(&m, 0, 1);
    assert_int_equal(m.plan.want, 1);
    assert_int_equal(m.plan.need, 1);
    assert_true(m.plan.soon);
    m = usual();
    plan(&m, 0, 1);
    assert_false(m.plan.soon);
}

static void a_large_cost_is_all_or_nothing_and_what_was_held_goes_back_first(void **state) {
    (void)state;
    struct member m = usual();
    plan(&m, 100, 126); /* the fair part is 125 */
    assert_int_equal(m.plan.give_back, 100);
    assert_int_equal(m.plan.want, 126);
    assert_int_equal(m.plan.need, 126);
    assert_true(m.plan.soon);
    plan(&m, 126, 126);
    assert_int_equal(m.plan.give_back, 0);
    assert_int_equal(m.plan.want, 0);
    m = usual();
    plan(&m, 100, 125);
    assert_int_equal(m.plan.give_back, 0);
    assert_int_equal(m.plan.need, 1);
}

static void a_large_cost_is_forgotten_in_time(void **state) {
    (void)state;
    struct member m = usual();
    plan(&m, 0, 126);
    for (int i = 0; i < 500 && m.plan.soon; i++) plan(&m, 0, 0);
    assert_false(m.plan.soon);
}

static void a_refusal_is_remembered_for_four_refreshes(void **state) {
    (void)state;
    struct member m = small();
    plan(&m, 0, 1);
    for (int i = 0; i < 3; i++) plan(&m, 0, 0), assert_int_equal(m.plan.want, 1);
    plan(&m, 0, 0);
    assert_int_equal(m.plan.want, 0);
    plan(&m, 0, 1);
    plan(&m, 1, 0); /* or until it is there */
    plan(&m, 0, 0);
    assert_int_equal(m.plan.want, 0);
}

static void a_debt_is_paid_by_what_comes_next(void **state) {
    (void)state;
    struct member m = small();
    m.now.burst = 10;
    plan(&m, -3, 2);
    assert_int_equal(m.plan.want, 5);
    assert_int_equal(m.plan.need, 5);
    plan(&m, -30, 2);
    assert_int_equal(m.plan.want, 10);
    assert_int_equal(m.plan.need, 10);
    plan(&m, -3, 0);
    assert_int_equal(m.plan.give_back, 0);
}

/* ---- one by one, by wish ---- */

static struct member strict(void) {
    struct member m = usual();
    m.now.one_by_one = true;
    return m;
}

static void one_by_one_nothing_is_asked_for_ahead(void **state) {
    (void)state;
    struct member m = strict();
    plan(&m, 0, 0);
    assert_int_equal(m.plan.want + m.plan.need + m.plan.give_back, 0);
    use(&m, 100);
    assert_int_equal(m.plan.want + m.plan.need + m.plan.give_back, 0);
    assert_true(m.plan.soon);
}

static void one_by_one_what_is_lacking_is_asked_for_whole(void **state) {
    (void)state;
    struct member m = strict();
    for (uint64_t missing = 1; missing <= 2000; missing += 333) {
        plan(&m, 0, missing);
        assert_int_equal(m.plan.want, missing);
        assert_int_equal(m.plan.need, missing);
        assert_int_equal(m.plan.give_back, 0);
    }
    plan(&m, 2, 3); /* parts are not collected */
    assert_int_equal(m.plan.give_back, 2);
    assert_int_equal(m.plan.need, 3);
}

static void one_by_one_several_that_wait_are_asked_for_together(void **state) {
    (void)state;
    struct member m = strict();
    m.now.queued = 12;
    plan(&m, 0, 5);
    assert_int_equal(m.plan.need, 5);
    assert_int_equal(m.plan.want, 12);
    m.now.queued = 100000;
    plan(&m, 0, 5);
    assert_int_equal(m.plan.want, 2000); /* the burst */
}

static void one_by_one_a_refusal_is_not_remembered(void **state) {
    (void)state;
    struct member m = strict();
    plan(&m, 0, 3);
    assert_int_equal(m.plan.want, 3);
    plan(&m, 0, 0);
    assert_int_equal(m.plan.want, 0);
}

/* But for who was refused since the last plan, and may come back. */
static void one_by_one_what_nobody_came_for_goes_back_at_once(void **state) {
    (void)state;
    struct member m = strict();
    plan(&m, 0, 3);
    plan(&m, 3, 0);
    assert_int_equal(m.plan.give_back, 3);
    plan(&m, 5, 3);
    assert_int_equal(m.plan.give_back, 2);
    assert_int_equal(m.plan.want, 0);
    plan(&m, 3, 3);
    assert_int_equal(m.plan.give_back, 0);
    plan(&m, 1, 0);
    assert_int_equal(m.plan.give_back, 1);
}

static void one_by_one_a_debt_is_paid_too(void **state) {
    (void)state;
    struct member m = strict();
    plan(&m, -3, 2);
    assert_int_equal(m.plan.want, 5);
    assert_int_equal(m.plan.need, 5);
    plan(&m, -3, 0);
    assert_int_equal(m.plan.want + m.plan.give_back, 0);
}

/* What is given back is held; what is needed is wanted, and no more than the burst. */
static void any_values(void **state) {
    (void)state;
    uint64_t r = test_seed("prefetch");
    struct member m = usual();
    for (int i = 0; i < 200000; i++) {
        if (test_below(&r, 50) == 0) {
            m = usual();
            m.now.burst = test_magnitude(&r, FLOWCTL_BURST_MAX);
            m.now.rate = flowctl_per(test_magnitude(&r, 10 * FLOWCTL_NS_PER_SEC), test_magnitude(&r, FLOWCTL_PERIOD_MAX_NS));
            m.now.members = test_below(&r, 100);
            m.now.refresh_ns = test_magnitude(&r, FLOWCTL_NS_PER_HOUR);
            m.now.round_trip_ns = test_magnitude(&r, FLOWCTL_NS_PER_HOUR);
            m.now.one_by_one = test_below(&r, 4) == 0;
        }
        m.now.now_ns = test_below(&r, 10) ? m.now.now_ns : test_random(&r);
        m.now.used += test_magnitude(&r, FLOWCTL_BURST_MAX);
        m.now.queued = test_below(&r, 2) ? 0 : test_random(&r);
        int64_t held = (int64_t)test_magnitude(&r, FLOWCTL_BURST_MAX);
        plan(&m, test_below(&r, 4) ? held : -held, test_below(&r, 2) ? 0 : test_magnitude(&r, UINT64_MAX));
        assert_true(m.plan.need <= m.plan.want && m.plan.want <= m.now.burst);
        assert_true(m.plan.give_back <= (uint64_t)(m.now.held > 0 ? m.now.held : 0));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_need_a_member_asks_for_what_it_holds_at_rest),
        cmocka_unit_test(ahead_for_two_refreshes_and_a_round_trip_of_what_was_admitted),
        cmocka_unit_test(at_most_a_quarter_of_the_burst_or_the_fair_part),
        cmocka_unit_test(who_is_short_asks_for_more_and_for_all_that_waits),
        cmocka_unit_test(what_is_idle_for_four_refreshes_goes_back),
        cmocka_unit_test(what_takes_long_to_earn_is_held_longer),
        cmocka_unit_test(a_small_limit_is_decided_one_by_one_and_reported_soon),
        cmocka_unit_test(a_large_cost_is_all_or_nothing_and_what_was_held_goes_back_first),
        cmocka_unit_test(a_large_cost_is_forgotten_in_time),
        cmocka_unit_test(a_refusal_is_remembered_for_four_refreshes),
        cmocka_unit_test(a_debt_is_paid_by_what_comes_next),
        cmocka_unit_test(one_by_one_nothing_is_asked_for_ahead),
        cmocka_unit_test(one_by_one_what_is_lacking_is_asked_for_whole),
        cmocka_unit_test(one_by_one_several_that_wait_are_asked_for_together),
        cmocka_unit_test(one_by_one_a_refusal_is_not_remembered),
        cmocka_unit_test(one_by_one_what_nobody_came_for_goes_back_at_once),
        cmocka_unit_test(one_by_one_a_debt_is_paid_too),
        cmocka_unit_test(any_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Taking an estimate and settling the actual cost. 10 permits per second; all times are told. */
#include "unit/fixture.h"

#include "core/limiter.h"

#include <flowctl/snapshot.h>

#define SEC FLOWCTL_NS_PER_SEC
#define MS FLOWCTL_NS_PER_MS
#define NOW FIXTURE_START_NS

static flowctl_receipt taken(const struct bucket *b, uint64_t estimate) {
    flowctl_receipt r;
    flowctl_decision d = flowctl_acquire_estimate(b->limiter, estimate, 0, &r);
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_int_equal(d.granted, estimate);
    assert_int_equal(r.permits, estimate);
    assert_ptr_equal(r.limiter, b->limiter);
    return r;
}

static void assert_settled(flowctl_settlement s, uint64_t given_back, uint64_t forfeited, uint64_t charged,
                           uint64_t unsettled) {
    assert_int_equal(s.status, FLOWCTL_OK);
    assert_int_equal(s.given_back, given_back);
    assert_int_equal(s.forfeited, forfeited);
    assert_int_equal(s.charged, charged);
    assert_int_equal(s.unsettled, unsettled);
}

static void set_ms(const struct bucket *b, uint64_t later_ms) { flowctl_clock_set(b->clock, NOW + later_ms * MS); }

static uint64_t tokens(const struct bucket *b) { return bucket_info(b).tokens; }

/* ---- used less ---- */

static void what_time_has_not_replaced_goes_back(void **state) {
    (void)state;
    static const struct {
        uint64_t later_ns, actual, given_back;
    } rows[] = {{0, 0, 50},
                {0, 20, 30},
                {1, 0, 49},
                {50 * MS, 0, 49},
                {100 * MS, 0, 49},
                {100 * MS + 1, 0, 48},
                {4 * SEC, 0, 10},
                {4 * SEC, 40, 10},
                {4 * SEC, 45, 5},
                {4 * SEC + MS, 40, 9},
                {4900 * MS, 0, 1},
                {4900 * MS + 1, 0, 0},
                {5 * SEC, 0, 0},
                {1000 * SEC, 0, 0},
                {30 * FLOWCTL_NS_PER_YEAR, 0, 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 100, 70);
        flowctl_receipt r = taken(&b, 50);
        flowctl_clock_set(b.clock, NOW + rows[i].later_ns);
        uint64_t there = tokens(&b), unused = 50 - rows[i].actual;
        assert_settled(flowctl_settle(&r, rows[i].actual), rows[i].given_back, unused - rows[i].given_back, 0, 0);
        assert_int_equal(tokens(&b), there + rows[i].given_back < 100 ? there + rows[i].given_back : 100);
        flowctl_counters sum = bucket_counters(&b);
        assert_int_equal(sum.given_back_permits, rows[i].given_back);
        assert_int_equal(sum.forfeited_permits, unused - rows[i].given_back);
        assert_int_equal(sum.charged_permits + sum.unsettled_permits, 0);
        bucket_free(&b);
    }
}

static void the_actual_cost_as_estimated_changes_nothing(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 100, 70);
    flowctl_receipt r = taken(&b, 50);
    uint64_t word = atomic_load(&b.limiter->cell.word);
    assert_settled(flowctl_settle(&r, 50), 0, 0, 0, 0);
    assert_true(atomic_load(&b.limiter->cell.word) == word);
    bucket_free(&b);
}

static void the_lenient_rule_gives_all_of_it_back_up_to_the_burst(void **state) {
    (void)state;
    static const struct {
        uint64_t later_ms, given_back, tokens;
    } rows[] = {{0, 50, 70}, {1000, 50, 80}, {4000, 50, 100}, {100000, 50, 100}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        flowctl_token_bucket_options o = bucket_options(flowctl_per_second(10), 100, 70);
        o.settle = FLOWCTL_SETTLE_LENIENT;
        struct bucket b = bucket_with(o);
        flowctl_receipt r = taken(&b, 50);
        set_ms(&b, rows[i].later_ms);
        assert_settled(flowctl_settle(&r, 0), rows[i].given_back, 0, 0, 0);
        assert_int_equal(tokens(&b), rows[i].tokens);
        assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 1000), rows[i].tokens);
        assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 1000), 0);
        bucket_free(&b);
    }
}

/* ---- used more ---- */

struct charge_row {
    uint64_t max_debt, actual, charged, tokens, debt, next_ms;
};

/* The burst is 10, all there; the estimate 4. */
static const struct charge_row charges[] = {
    {0, 7, 3, 3, 0, 0},                  /* from what is there */
    {0, 10, 6, 0, 0, 100},               /* all of it */
    {0, 15, 11, 0, 5, 600},              /* and into the debt, by default as deep as the burst */
    {0, 20, 16, 0, 10, 1100},            /* to its bottom */
    {0, 21, 16, 0, 10, 1100},            /* and no deeper */
    {0, UINT64_MAX, 16, 0, 10, 1100},    /* whatever is asked */
    {FLOWCTL_NO_DEBT, 10, 6, 0, 0, 100}, /* */
    {FLOWCTL_NO_DEBT, 11, 6, 0, 0, 100}, /* none */
    {3, 13, 9, 0, 3, 400},               /* a depth of its own */
    {3, 14, 9, 0, 3, 400},               /* */
    {1000, 1010, 1006, 0, 1000, 100100}, /* deeper than the burst */
    {FLOWCTL_BURST_MAX, 1010, 1006, 0, 1000, 100100},
};

static void more_is_charged_from_what_is_there_and_then_as_debt(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(charges); i++) {
        const struct charge_row *row = &charges[i];
        flowctl_token_bucket_options o = bucket_options(flowctl_per_second(10), 10, 10);
        o.max_debt = row->max_debt;
        struct bucket b = bucket_with(o);
        flowctl_receipt r = taken(&b, 4);
        uint64_t extra = row->actual - 4;
        assert_settled(flowctl_settle(&r, row->actual), 0, 0, row->charged, extra - row->charged);
        assert_int_equal(tokens(&b), row->tokens);
        assert_int_equal(bucket_info(&b).debt, row->debt);
        assert_int_equal(flowctl_time_until(b.limiter, 1), row->next_ms * MS);
        flowctl_counters sum = bucket_counters(&b);
        assert_int_equal(sum.charged_permits, row->charged);
        assert_int_equal(sum.unsettled_permits, extra - row->charged);
        assert_int_equal(sum.allowed_permits, 4);
        bucket_free(&b);
    }
}

static void debt_is_bounded_over_many_charges_until_time_has_paid(void **state) {
    (void)state;
    flowctl_token_bucket_options o = bucket_options(flowctl_per_second(10), 10, 10);
    o.max_debt = 8;
    struct bucket b = bucket_with(o);
    flowctl_receipt r[6];
    for (size_t i = 0; i < COUNT(r); i++) r[i] = taken(&b, 1);
    assert_settled(flowctl_settle(&r[0], 10), 0, 0, 9, 0); /* 4 were there: 5 are owed */
    assert_settled(flowctl_settle(&r[1], 3), 0, 0, 2, 0);  /* 7 */
    assert_settled(flowctl_settle(&r[2], 5), 0, 0, 1, 3);  /* 8: full */
    assert_settled(flowctl_settle(&r[3], 2), 0, 0, 0, 1);
    set_ms(&b, 800); /* paid */
    assert_int_equal(bucket_info(&b).debt, 0);
    assert_settled(flowctl_settle(&r[4], 101), 0, 0, 8, 92);
    set_ms(&b, 1599);
    assert_settled(flowctl_settle(&r[5], 101), 0, 0, 0, 100);
    bucket_free(&b);
}

/* The charge goes behind what is booked, and what is booked keeps its time. */
static void a_charge_behind_bookings_does_not_move_them(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 4);
    flowctl_reservation booked;
    flowctl_receipt r = taken(&b, 4);
    assert_int_equal(flowctl_reserve(b.limiter, 5, FLOWCTL_FOREVER, &booked).now_ns, NOW + 500 * MS);
    assert_settled(flowctl_settle(&r, 7), 0, 0, 3, 0);
    assert_int_equal(flowctl_reservation_due_ns(&booked), NOW + 500 * MS);
    assert_int_equal(flowctl_time_until(b.limiter, 1), 900 * MS);
    assert_int_equal(flowctl_reserve(b.limiter, 1, FLOWCTL_FOREVER, NULL).now_ns, NOW + 900 * MS);
    bucket_free(&b);
}

/* ---- once, and wrong calls ---- */

static void a_receipt_settles_once(void **state) {
    (void)state;
    static const uint64_t actual[] = {0, 4, 9};
    for (size_t i = 0; i < COUNT(actual); i++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
        flowctl_receipt r = taken(&b, 4), zeroed = {0};
        assert_int_equal(flowctl_settle(&r, actual[i]).status, FLOWCTL_OK);
        flowctl_counters before = bucket_counters(&b);
        for (size_t k = 0; k < COUNT(actual); k++) {
            assert_int_equal(flowctl_settle(&r, actual[k]).status, FLOWCTL_INVALID_ARGUMENT);
            assert_int_equal(flowctl_settle_at(&r, actual[k], NOW).status, FLOWCTL_INVALID_ARGUMENT);
            assert_int_equal(flowctl_settle(&zeroed, actual[k]).status, FLOWCTL_INVALID_ARGUMENT);
            assert_int_equal(flowctl_settle(NULL, actual[k]).status, FLOWCTL_INVALID_ARGUMENT);
        }
        flowctl_counters after = bucket_counters(&b);
        assert_memory_equal(&before, &after, sizeof before);
        bucket_free(&b);
    }
}

static void what_was_not_granted_leaves_nothing_to_settle(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 3);
    flowctl_receipt r;
    memset(&r, 0x5a, sizeof r);
    assert_int_equal(flowctl_acquire_estimate(b.limiter, 4, 0, &r).verdict, FLOWCTL_DENY);
    assert_int_equal(flowctl_settle(&r, 0).status, FLOWCTL_INVALID_ARGUMENT);
    memset(&r, 0x5a, sizeof r);
    assert_int_equal(flowctl_acquire_estimate(b.limiter, 11, FLOWCTL_FOREVER, &r).verdict, FLOWCTL_NEVER);
    assert_int_equal(flowctl_settle(&r, 0).status, FLOWCTL_INVALID_ARGUMENT);
    memset(&r, 0x5a, sizeof r);
    assert_int_equal(flowctl_acquire_estimate(NULL, 1, 0, &r).status, FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_settle(&r, 0).status, FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_acquire_estimate(b.limiter, 1, 0, NULL).status, FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_acquire_estimate_at(b.limiter, 1, 0, NULL, NOW).status, FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(tokens(&b), 3);
    bucket_free(&b);
}

/* Work of which nothing is known before: all of it is charged at the end. */
static void an_estimate_of_nothing_can_be_settled(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 3);
    flowctl_receipt r;
    assert_int_equal(flowctl_acquire_estimate(b.limiter, 0, 0, &r).verdict, FLOWCTL_ALLOW);
    assert_settled(flowctl_settle(&r, 5), 0, 0, 5, 0);
    assert_int_equal(bucket_info(&b).debt, 2);
    assert_int_equal(flowctl_acquire_estimate(b.limiter, 0, 0, &r).verdict, FLOWCTL_ALLOW); /* in debt too */
    assert_settled(flowctl_settle(&r, 0), 0, 0, 0, 0);
    bucket_free(&b);
}

static void a_closed_limiter_settles_nothing(void **state) {
    (void)state;
    static const uint64_t actual[] = {0, 4, 9};
    for (size_t i = 0; i < COUNT(actual); i++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
        flowctl_receipt r = taken(&b, 4), late;
        flowctl_limiter_close(b.limiter);
        flowctl_settlement s = flowctl_settle(&r, actual[i]);
        assert_int_equal(s.status, FLOWCTL_CLOSED);
        assert_int_equal(s.given_back + s.forfeited + s.charged + s.unsettled, 0);
        assert_int_equal(flowctl_settle(&r, actual[i]).status, FLOWCTL_INVALID_ARGUMENT); /* zeroed whatever the answer */
        assert_int_equal(flowctl_acquire_estimate(b.limiter, 1, 0, &late).status, FLOWCTL_CLOSED);
        assert_int_equal(flowctl_settle(&late, 1).status, FLOWCTL_INVALID_ARGUMENT);
        flowctl_counters sum = bucket_counters(&b);
        assert_int_equal(sum.given_back_permits + sum.forfeited_permits + sum.charged_permits + sum.unsettled_permits, 0);
        bucket_free(&b);
    }
}

/* ---- across changes ---- */

static void age_is_counted_by_the_rates_in_between(void **state) {
    (void)state;
    static const struct { uint64_t rate, given_back; } rows[] = {{10, 30}, {20, 20}, {5, 35}, {40, 0}, {1, 39}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 100, 70);
        flowctl_receipt r = taken(&b, 50);
        assert_int_equal(flowctl_set_limit_at(b.limiter, flowctl_per_second(rows[i].rate), 100, NOW + SEC, NULL), FLOWCTL_OK);
        assert_settled(flowctl_settle_at(&r, 0, NOW + 2 * SEC), rows[i].given_back, 50 - rows[i].given_back, 0, 0);
        bucket_free(&b);
    }
}

static void a_smaller_burst_takes_from_receipts_what_it_is_smaller_by(void **state) {
    (void)state;
    static const struct {
        uint64_t bursts[2], given_back;
    } rows[] = {{{80, 80}, 30}, {{120, 120}, 50}, {{80, 100}, 30}, {{120, 100}, 30},
                {{50, 50}, 0},  {{1, 100}, 0},    {{99, 98}, 48}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 100, 70);
        flowctl_receipt r = taken(&b, 50);
        for (size_t k = 0; k < 2; k++) assert_int_equal(flowctl_set_burst(b.limiter, rows[i].bursts[k], NULL), FLOWCTL_OK);
        assert_settled(flowctl_settle(&r, 0), rows[i].given_back, 50 - rows[i].given_back, 0, 0);
        bucket_free(&b);
    }
}

static void a_pause_does_not_age(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 100, 70);
    flowctl_receipt r = taken(&b, 50), other = taken(&b, 10);
    assert_int_equal(flowctl_limiter_pause_at(b.limiter, NOW + SEC), FLOWCTL_OK);
    assert_settled(flowctl_settle_at(&other, 5, NOW + 50 * SEC), 0, 5, 0, 0); /* 10 were refilled before the pause */
    assert_int_equal(flowctl_limiter_resume_at(b.limiter, NOW + 100 * SEC), FLOWCTL_OK);
    assert_settled(flowctl_settle_at(&r, 0, NOW + 101 * SEC), 30, 20, 0, 0);
    bucket_free(&b);
}

static void during_a_pause_debt_is_charged_and_not_paid(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
    flowctl_receipt r = taken(&b, 4);
    assert_int_equal(flowctl_limiter_pause(b.limiter), FLOWCTL_OK);
    set_ms(&b, 5000);
    assert_settled(flowctl_settle(&r, 13), 0, 0, 9, 0);
    set_ms(&b, 9000);
    assert_int_equal(bucket_info(&b).debt, 3);
    assert_int_equal(flowctl_limiter_resume(b.limiter), FLOWCTL_OK);
    assert_int_equal(flowctl_time_until(b.limiter, 1), 400 * MS);
    bucket_free(&b);
}

static void debt_survives_a_change_of_the_limit(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
    flowctl_receipt r = taken(&b, 4), other = taken(&b, 1);
    assert_settled(flowctl_settle(&r, 17), 0, 0, 13, 0); /* 5 were there, 8 are owed */
    assert_int_equal(flowctl_set_limit(b.limiter, flowctl_per(7, 13 * SEC), 3, NULL), FLOWCTL_OK);
    assert_int_equal(bucket_info(&b).debt, 8);
    assert_settled(flowctl_settle(&other, 10), 0, 0, 2, 7); /* max_debt stays 10 */
    bucket_free(&b);
}

static void empties(flowctl_limiter *l) { assert_int_equal(flowctl_limiter_reset(l), FLOWCTL_OK); }

static void after_a_reset_nothing_goes_back_by_either_rule(void **state) {
    (void)state;
    for (int rule = FLOWCTL_SETTLE_AGED; rule <= FLOWCTL_SETTLE_LENIENT; rule++) {
        flowctl_token_bucket_options o = bucket_options(flowctl_per_second(10), 100, 70);
        o.settle = (flowctl_settle_rule)rule;
        struct bucket b = bucket_with(o);
        flowctl_receipt r = taken(&b, 50);
        empties(b.limiter);
        flowctl_settlement s = flowctl_settle(&r, 0);
        if (s.given_back != 0) print_error("rule %d: %ju came back\n", rule, s.given_back);
        assert_int_equal(s.given_back, 0); /* change.h: "Permits on a receipt can't go back any more." */
        assert_int_equal(s.forfeited, 50);
        assert_int_equal(tokens(&b), 0);
        bucket_free(&b);
    }
}

static void receipts_of_after_a_reset_are_good(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 100, 70);
    empties(b.limiter);
    set_ms(&b, 5000);
    flowctl_receipt r = taken(&b, 50);
    assert_settled(flowctl_settle(&r, 10), 40, 0, 0, 0);
    bucket_free(&b);
}

/* ---- bookings ahead, and waiting ---- */

static void what_goes_back_moves_bookings_towards_the_present(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 50, 50);
    flowctl_reservation near, far;
    flowctl_receipt r = taken(&b, 50);
    flowctl_reserve(b.limiter, 30, FLOWCTL_FOREVER, &near);
    flowctl_reserve(b.limiter, 10, FLOWCTL_FOREVER, &far);
    assert_int_equal(flowctl_reservation_due_ns(&near), NOW + 3000 * MS);
    assert_settled(flowctl_settle(&r, 30), 20, 0, 0, 0);
    assert_int_equal(flowctl_reservation_due_ns(&near), NOW + 1000 * MS);
    assert_int_equal(flowctl_reservation_due_ns(&far), NOW + 2000 * MS);
    assert_int_equal(flowctl_time_until(b.limiter, 1), 2100 * MS);
    bucket_free(&b);
}

static void what_goes_back_wakes_those_that_wait(void **state) {
    (void)state;
    struct caller a, c;
    struct bucket b = bucket_new(flowctl_per_second(10), 50, 50);
    flowctl_receipt r = taken(&b, 50);
    caller_start_asleep(&a, &b, 20);
    caller_start_asleep(&c, &b, 10);
    assert_settled(flowctl_settle(&r, 28), 22, 0, 0, 0);
    assert_int_equal(caller_join(&a).now_ns, NOW); /* due at once */
    AWAIT(flowctl_clock_sleepers(b.clock) == 1);
    set_ms(&b, 800);
    assert_int_equal(caller_join(&c).now_ns, NOW + 800 * MS);
    bucket_free(&b);
}

/* Something else was charged behind the bookings: there is no moving them. */
static void behind_a_charge_nothing_can_go_back_to_bookings(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 50, 50);
    flowctl_reservation booked;
    flowctl_receipt r = taken(&b, 40), other = taken(&b, 10);
    flowctl_reserve(b.limiter, 30, FLOWCTL_FOREVER, &booked);
    assert_settled(flowctl_settle(&other, 15), 0, 0, 5, 0);
    assert_settled(flowctl_settle(&r, 10), 0, 30, 0, 0);
    assert_int_equal(flowctl_reservation_due_ns(&booked), NOW + 3000 * MS);
    bucket_free(&b);
}

struct taker {
    struct bucket b;
    flowctl_receipt receipt;
    flowctl_decision decision;
};

static void *take_five(void *argument) {
    struct taker *t = argument;
    t->decision = flowctl_acquire_estimate(t->b.limiter, 5, FLOWCTL_FOREVER, &t->receipt);
    return NULL;
}

/* 500 ms of waiting don't age it; what the rate made behind the due time does. */
static void a_receipt_after_waiting_is_as_old_as_its_due_time(void **state) {
    (void)state;
    static const struct { uint64_t settle_ms, given_back; } rows[] = {{500, 5}, {501, 4}, {600, 4}, {700, 3}, {1000, 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct taker t = {.b = bucket_new(flowctl_per_second(10), 10, 0)};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, take_five, &t), 0);
        AWAIT(flowctl_clock_sleepers(t.b.clock) == 1);
        set_ms(&t.b, 500);
        pthread_join(thread, NULL);
        assert_int_equal(t.decision.verdict, FLOWCTL_ALLOW);
        assert_settled(flowctl_settle_at(&t.receipt, 0, NOW + rows[i].settle_ms * MS), rows[i].given_back,
                       5 - rows[i].given_back, 0, 0);
        bucket_free(&t.b);
    }
}

/* ---- dry run ---- */

static void what_a_dry_run_let_through_settles_to_nothing(void **state) {
    (void)state;
    static const uint64_t actual[] = {0, 5, 500};
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 3);
    flowctl_limiter_set_dry_run(b.limiter, true);
    for (size_t i = 0; i < COUNT(actual); i++) {
        flowctl_receipt r;
        flowctl_decision d = flowctl_acquire_estimate(b.limiter, 5, 0, &r);
        assert_int_equal(d.verdict, FLOWCTL_ALLOW);
        assert_int_equal(d.flags, FLOWCTL_FLAG_DRY_RUN);
        assert_settled(flowctl_settle(&r, actual[i]), 0, 0, 0, 0);
        assert_int_equal(flowctl_settle(&r, 0).status, FLOWCTL_INVALID_ARGUMENT);
        assert_int_equal(tokens(&b), 3);
    }
    flowctl_receipt charged = taken(&b, 3); /* what was there is charged, and settles as always */
    assert_settled(flowctl_settle(&charged, 1), 2, 0, 0, 0);
    assert_int_equal(tokens(&b), 2);
    bucket_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_time_has_not_replaced_goes_back),
        cmocka_unit_test(the_actual_cost_as_estimated_changes_nothing),
        cmocka_unit_test(the_lenient_rule_gives_all_of_it_back_up_to_the_burst),
        cmocka_unit_test(more_is_charged_from_what_is_there_and_then_as_debt),
        cmocka_unit_test(debt_is_bounded_over_many_charges_until_time_has_paid),
        cmocka_unit_test(a_charge_behind_bookings_does_not_move_them),
        cmocka_unit_test(a_receipt_settles_once),
        cmocka_unit_test(what_was_not_granted_leaves_nothing_to_settle),
        cmocka_unit_test(an_estimate_of_nothing_can_be_settled),
        cmocka_unit_test(a_closed_limiter_settles_nothing),
        cmocka_unit_test(age_is_counted_by_the_rates_in_between),
        cmocka_unit_test(a_smaller_burst_takes_from_receipts_what_it_is_smaller_by),
        cmocka_unit_test(a_pause_does_not_age),
        cmocka_unit_test(during_a_pause_debt_is_charged_and_not_paid),
        cmocka_unit_test(debt_survives_a_change_of_the_limit),
        cmocka_unit_test(after_a_reset_nothing_goes_back_by_either_rule),
        cmocka_unit_test(receipts_of_after_a_reset_are_good),
        cmocka_unit_test(what_goes_back_moves_bookings_towards_the_present),
        cmocka_unit_test(what_goes_back_wakes_those_that_wait),
        cmocka_unit_test(behind_a_charge_nothing_can_go_back_to_bookings),
        cmocka_unit_test(a_receipt_after_waiting_is_as_old_as_its_due_time),
        cmocka_unit_test(what_a_dry_run_let_through_settles_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* src/algo/window_lease.h: a store that lends a window, and its holders. The proof under faults is tests/sim. */
#include "fixture.h"

#include "algo/window_lease.h"

#define MS UINT64_C(1000)
#define TTL_US (200 * MS)

/* No allowance for leaps, so that times are round: a lease ends here 210 ms after it was given. */
static const struct fc_window_settings settings = {100, 1000 * MS, TTL_US, 0, 10 * MS};

struct shop {
    struct fc_window_store store;
    struct fc_window_slot slots[66];
    struct fc_window_session sessions[3];
};

static void open_shop(struct shop *s) { fc_window_store_init(&s->store, &settings, 1, 0, s->slots, 66, s->sessions, 3); }

static struct fc_window_id id(uint64_t n) { return (struct fc_window_id){n, n}; }

/* By the holders' clocks time passes without leaps: `step_max` is 0 here, so that only their vouching moves the store's. */
static struct fc_window_answer ask(struct shop *s, struct fc_window_holder *h, uint64_t want, uint64_t now_ms) {
    struct fc_window_request r = fc_window_ask(h, want, now_ms * MS * 1000);
    struct fc_window_answer a = fc_window_lend(&s->store, 0, &r);
    fc_window_answered(h, &a, now_ms * MS * 1000, now_ms * MS * 1000);
    return a;
}

static void credit_that_is_out_counts_as_used(void **state) {
    (void)state;
    struct shop s;
    struct fc_window_holder a, b;
    open_shop(&s);
    fc_window_holder_init(&a, id(1), TTL_US * 1000), fc_window_holder_init(&b, id(2), TTL_US * 1000);
    ask(&s, &a, 70, 0), ask(&s, &b, 70, 0);
    assert_int_equal(fc_window_usable(&a, 0), 70);
    assert_int_equal(fc_window_usable(&b, 0), 30);
    assert_false(fc_window_use(&b, 31, 0));
    assert_true(fc_window_use(&b, 30, 0));
    ask(&s, &b, 70, 0);
    assert_int_equal(fc_window_usable(&b, 0), 0);
    assert_int_equal(s.store.dated, 30);
    fc_window_give_up(&a, 50, 0);
    ask(&s, &a, 0, 0), ask(&s, &b, 60, 0);
    assert_int_equal(fc_window_usable(&b, 0), 50);
}

static void a_use_leaves_the_window_one_window_after_its_report(void **state) {
    (void)state;
    struct shop s;
    struct fc_window_holder h;
    open_shop(&s);
    fc_window_holder_init(&h, id(1), TTL_US * 1000);
    ask(&s, &h, 100, 0);
    assert_true(fc_window_use(&h, 100, 1));
    for (uint64_t ms = 100; ms <= 1000; ms += 100) assert_int_equal(ask(&s, &h, 100, ms).granted, 100);
    assert_int_equal(ask(&s, &h, 100, 1099).granted, 100);
    assert_int_equal(ask(&s, &h, 100, 1101).granted, 200);
}

static void credit_never_accounted_for_is_dated_at_the_end_of_its_lease(void **state) {
    (void)state;
    struct shop s;
    struct fc_window_holder lost, h;
    open_shop(&s);
    fc_window_holder_init(&lost, id(1), TTL_US * 1000), fc_window_holder_init(&h, id(2), TTL_US * 1000);
    ask(&s, &lost, 100, 0);
    uint64_t ms = 0;
    for (; ask(&s, &h, 100, ms).granted == 0; ms += 10) assert_true(ms < 2000);
    assert_in_range(ms, 1210, 1230);
}

static void a_lost_answer_is_made_good_by_the_next(void **state) {
    (void)state;
    struct shop s;
    struct fc_window_holder h;
    open_shop(&s);
    fc_window_holder_init(&h, id(1), TTL_US * 1000);
    struct fc_window_request first = fc_window_ask(&h, 10, 0), second = fc_window_ask(&h, 5, 0);
    struct fc_window_answer lost = fc_window_lend(&s.store, 0, &first), came = fc_window_lend(&s.store, 0, &second);
    assert_true(fc_window_answered(&h, &came, 0, 0));
    assert_int_equal(fc_window_usable(&h, 0), 15);
    assert_true(fc_window_answered(&h, &lost, 0, 0)); /* late */
    assert_int_equal(fc_window_usable(&h, 0), 15);
    assert_int_equal(fc_window_lend(&s.store, 0, &first).outcome, FC_WINDOW_STALE);
    assert_int_equal(s.store.out, 15);
}

static void what_lapsed_is_given_back(void **state) {
    (void)state;
    struct shop s;
    struct fc_window_holder h;
    open_shop(&s);
    fc_window_holder_init(&h, id(1), TTL_US * 1000);
    ask(&s, &h, 40, 0);
    assert_int_equal(fc_window_usable(&h, 200 * MS * 1000), 0);
    ask(&s, &h, 100, 205);
    assert_int_equal(fc_window_usable(&h, 206 * MS * 1000), 100);
    assert_int_equal(s.store.out, 100);
}

static void a_dead_session_keeps_its_credit_and_reports_it_nowhere(void **state) {
    (void)state;
    struct shop s;
    struct fc_window_holder h;
    open_shop(&s);
    fc_window_holder_init(&h, id(1), TTL_US * 1000);
    ask(&s, &h, 40, 0);
    fc_window_quarantine(&s.store);
    struct fc_window_request r = fc_window_ask(&h, 0, 0);
    struct fc_window_answer a = fc_window_lend(&s.store, 0, &r);
    assert_int_equal(a.outcome, FC_WINDOW_DEAD);
    assert_false(fc_window_answered(&h, &a, 0, 0));
    fc_window_reopen(&h, id(2));
    assert_int_equal(fc_window_usable(&h, 0), 40);
    assert_true(fc_window_use(&h, 30, 0));
    assert_int_equal(h.used, 0);
    assert_int_equal(ask(&s, &h, 100, 0).granted, 0);
    assert_int_equal(fc_window_usable(&h, 199 * MS * 1000), 10);
    assert_int_equal(fc_window_usable(&h, 200 * MS * 1000), 0);
    for (uint64_t ms = 100; ms <= 1200; ms += 100) assert_int_equal(ask(&s, &h, 100, ms).granted, 0);
    assert_int_equal(ask(&s, &h, 100, 1215).granted, 100);
}

static void a_report_of_more_than_was_granted_is_dead(void **state) {
    (void)state;
    struct shop s;
    open_shop(&s);
    struct fc_window_request r = {.id = id(1), .seq = 1, .want = 10};
    assert_int_equal(fc_window_lend(&s.store, 0, &r).granted, 10);
    r = (struct fc_window_request){.id = id(1), .seq = 2, .used = 6, .back = 5};
    assert_int_equal(fc_window_lend(&s.store, 0, &r).outcome, FC_WINDOW_DEAD);
    r.used = UINT64_MAX;
    assert_int_equal(fc_window_lend(&s.store, 0, &r).outcome, FC_WINDOW_DEAD);
    assert_int_equal(s.store.out, 10);
}

static void more_holders_than_sessions_are_told_so(void **state) {
    (void)state;
    struct shop s;
    struct fc_window_holder h[4];
    open_shop(&s);
    for (uint64_t i = 0; i < 4; i++) {
        fc_window_holder_init(&h[i], id(i + 1), TTL_US * 1000);
        assert_int_equal(ask(&s, &h[i], 10, 0).outcome, i < 3 ? FC_WINDOW_ANSWERED : FC_WINDOW_FULL);
    }
    ask(&s, &h[0], 0, 150);
    ask(&s, &h[0], 0, 300);
    ask(&s, &h[0], 0, 450); /* the others' leases are over, as far as one holder can tell */
    assert_int_equal(ask(&s, &h[3], 10, 450).outcome, FC_WINDOW_ANSWERED);
}

/* One holder's vouching moves the clock, but not what another was lent after the answer it vouches by. */
static void catching_up_ends_no_lease_of_the_late_clock(void **state) {
    (void)state;
    struct shop s;
    struct fc_window_holder a, b;
    open_shop(&s);
    fc_window_holder_init(&a, id(1), TTL_US * 1000), fc_window_holder_init(&b, id(2), TTL_US * 1000);
    ask(&s, &a, 0, 0);
    ask(&s, &b, 100, 500); /* the store's clock stands still */
    ask(&s, &a, 0, 501);
    assert_int_equal(s.store.out, 100);
    assert_int_equal(fc_window_usable(&b, 600 * MS * 1000), 100);
}

/* What a holder knows of a store that was, says nothing to the one that is. */
static void the_clock_of_another_store_is_ignored(void **state) {
    (void)state;
    struct shop s;
    open_shop(&s);
    struct fc_window_request r = {.id = id(1), .seq = 1};
    uint64_t clock_us = fc_window_lend(&s.store, 0, &r).clock_us;
    r = (struct fc_window_request){.id = id(1), .seq = 2, .clock_us = clock_us, .turn = 1, .since_us = 5 * MS, .store = 2};
    assert_int_equal(fc_window_lend(&s.store, 0, &r).clock_us, clock_us);
    r.store = 1, r.seq = 3;
    assert_int_equal(fc_window_lend(&s.store, 0, &r).clock_us, clock_us + 5 * MS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credit_that_is_out_counts_as_used),
        cmocka_unit_test(a_use_leaves_the_window_one_window_after_its_report),
        cmocka_unit_test(credit_never_accounted_for_is_dated_at_the_end_of_its_lease),
        cmocka_unit_test(a_lost_answer_is_made_good_by_the_next),
        cmocka_unit_test(what_lapsed_is_given_back),
        cmocka_unit_test(a_dead_session_keeps_its_credit_and_reports_it_nowhere),
        cmocka_unit_test(a_report_of_more_than_was_granted_is_dead),
        cmocka_unit_test(more_holders_than_sessions_are_told_so),
        cmocka_unit_test(catching_up_ends_no_lease_of_the_late_clock),
        cmocka_unit_test(the_clock_of_another_store_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

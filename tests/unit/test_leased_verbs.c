/* Verbs that are different over a lease: settle, dry run, those that are refused; and how a member leaves. */
#include "unit/script.h"

#include <flowctl/snapshot.h>

#define MS FLOWCTL_NS_PER_MS

static flowctl_receipt take(flowctl_limiter *l, uint64_t estimate) {
    flowctl_receipt r;
    assert_int_equal(flowctl_acquire_estimate(l, estimate, 0, &r).verdict, FLOWCTL_ALLOW);
    return r;
}

/* Makes it report what was used. */
static void report(struct shared *s) {
    unsigned before = s->script.asks;
    while (s->script.asks == before) shared_pass(s, MS);
    script_grant(&s->script, 0, 0);
}

/* ---- settle ---- */

static void what_was_not_reported_goes_back(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 20, FLOWCTL_AWAY_CLOSED);
    flowctl_receipt r = take(s.limiter, 10);
    shared_skip(&s, 5 * MS); /* no time makes a lent permit old */
    flowctl_settlement settled = flowctl_settle(&r, 4);
    assert_int_equal(settled.given_back, 6);
    assert_int_equal(settled.forfeited, 0);
    assert_int_equal(shared_info(s.limiter).held, 16);
    assert_int_equal(shared_info(s.limiter).used_permits, 4);
    assert_int_equal(flowctl_settle(&r, 4).status, FLOWCTL_INVALID_ARGUMENT);
    report(&s);
    assert_int_equal(script_ask(&s.script, 0)->ask.used, 4);
    shared_free(&s);
}

static void what_was_reported_is_forfeited(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 20, FLOWCTL_AWAY_CLOSED);
    flowctl_receipt r = take(s.limiter, 10);
    report(&s);
    assert_int_equal(script_ask(&s.script, 0)->ask.used, 10);
    flowctl_settlement settled = flowctl_settle(&r, 4);
    assert_int_equal(settled.given_back, 0);
    assert_int_equal(settled.forfeited, 6);
    assert_int_equal(shared_info(s.limiter).used_permits, 10);
    shared_free(&s);
}

/* A waiter that was served, and an ask after that, at one reading of the clock. */
static void what_was_waited_for_is_settled_like_that(void **state) {
    (void)state;
    for (int reported = 0; reported < 2; reported++) {
        struct shared s;
        shared_with(&s, 0, FLOWCTL_AWAY_CLOSED);
        shared_ask_again(&s);
        script_grant(&s.script, 0, 20);
        flowctl_receipt r = take(s.limiter, 10);
        if (reported) report(&s);
        assert_int_equal(flowctl_settle(&r, 0).given_back, reported ? 0 : 10);
        shared_free(&s);
    }
}

static void more_is_charged_from_what_is_held_and_then_as_debt(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    o.max_debt = 30;
    shared_begin(&s, &o, 20);
    flowctl_receipt r = take(s.limiter, 10);
    flowctl_settlement settled = flowctl_settle(&r, 100);
    assert_int_equal(settled.charged, 40);
    assert_int_equal(settled.unsettled, 50);
    flowctl_limiter_info info;
    flowctl_limiter_read(s.limiter, &info);
    assert_int_equal(info.debt, 30);
    assert_int_equal(shared_info(s.limiter).held, 0);
    assert_int_equal(shared_info(s.limiter).used_permits, 20); /* what is owed is reported once it is lent */
    assert_false(flowctl_try_acquire(s.limiter, 1));
    shared_pass(&s, 2 * SHARED_REFRESH_NS);
    assert_true(script_ask(&s.script, 0)->ask.want > 30);
    script_grant(&s.script, 0, 25);
    assert_false(flowctl_try_acquire(s.limiter, 1));
    flowctl_limiter_read(s.limiter, &info);
    assert_int_equal(info.debt, 5);
    shared_skip(&s, 2 * SHARED_TTL_NS); /* the end of a lease forgives nothing */
    flowctl_limiter_read(s.limiter, &info);
    assert_int_equal(info.debt, 5);
    shared_pass(&s, SHARED_TTL_NS);
    script_grant(&s.script, 0, 7);
    assert_int_equal(flowctl_try_acquire_up_to(s.limiter, 10), 2);
    shared_free(&s);
}

static void settling_after_close_is_closed(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 20, FLOWCTL_AWAY_CLOSED);
    flowctl_receipt r = take(s.limiter, 10);
    flowctl_limiter_close(s.limiter);
    assert_int_equal(flowctl_settle(&r, 4).status, FLOWCTL_CLOSED);
    shared_free(&s);
}

/* ---- refused ---- */

static void verbs_that_need_the_store_are_refused_by_name(void **state) {
    (void)state;
    struct shared s;
    flowctl_reservation reservation;
    unsigned char blob[256] = {0};
    size_t length;
    shared_with(&s, 20, FLOWCTL_AWAY_CLOSED);
    flowctl_decision d = flowctl_reserve(s.limiter, 1, 0, &reservation);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.status, FLOWCTL_UNSUPPORTED);
    assert_int_equal(flowctl_cancel(&reservation), 0);
    assert_int_equal(flowctl_limiter_reset(s.limiter), FLOWCTL_UNSUPPORTED);
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_limiter_snapshot(s.limiter, blob, sizeof blob, &length, &err), FLOWCTL_UNSUPPORTED);
    fixture_assert_failed(&err, FLOWCTL_UNSUPPORTED);
    assert_contains(err.message, "snapshot");
    assert_contains(err.message, "shared");
    assert_contains(err.message, "script");
    assert_int_equal(flowctl_limiter_restore(s.limiter, blob, sizeof blob, 0, &err), FLOWCTL_UNSUPPORTED);
    assert_contains(err.message, "restore");
    flowctl_counters sum;
    flowctl_limiter_counters(s.limiter, &sum);
    assert_int_equal(sum.allowed + sum.denied, 0);
    shared_free(&s);
}

/* ---- dry run ---- */

static void a_dry_run_lets_everything_through_and_reports_what_it_had(void **state) {
    (void)state;
    struct shared s;
    flowctl_receipt r;
    shared_with(&s, 5, FLOWCTL_AWAY_CLOSED);
    flowctl_limiter_set_dry_run(s.limiter, true);
    assert_true(flowctl_try_acquire(s.limiter, 5));
    flowctl_decision d = flowctl_decide(s.limiter, 3);
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_int_equal(d.flags, FLOWCTL_FLAG_DRY_RUN);
    d = flowctl_acquire(s.limiter, 3, FLOWCTL_FOREVER); /* nobody waits */
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_int_equal(flowctl_try_acquire_up_to(s.limiter, 7), 7);
    assert_int_equal(flowctl_acquire_estimate(s.limiter, 2, FLOWCTL_FOREVER, &r).verdict, FLOWCTL_ALLOW);
    assert_int_equal(flowctl_settle(&r, 100).charged, 0);
    shared_skip(&s, 2 * SHARED_TTL_NS);
    assert_true(flowctl_try_acquire(s.limiter, 1));
    assert_int_equal(shared_info(s.limiter).used_permits, 5);
    flowctl_counters sum;
    flowctl_limiter_counters(s.limiter, &sum);
    assert_int_equal(sum.dry_run_allowed, 5);
    assert_int_equal(sum.allowed_permits, 5);
    shared_free(&s);
}

static void a_cost_of_nothing(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 5, FLOWCTL_AWAY_CLOSED);
    assert_int_equal(flowctl_decide(s.limiter, 0).verdict, FLOWCTL_ALLOW);
    assert_true(flowctl_try_acquire(s.limiter, 0));
    assert_int_equal(shared_info(s.limiter).held, 5);
    shared_free(&s);
}

/* ---- leaving ---- */

static const flowctl_lease_ask *farewell(struct shared *s) {
    flowctl_limiter_destroy(s->limiter);
    s->limiter = NULL;
    unsigned before = s->script.asks;
    flowctl_backend_poll(s->backend);
    assert_int_equal(s->script.asks, before + 1);
    return &script_ask(&s->script, 0)->ask;
}

static void who_leaves_gives_back_what_it_held(void **state) {
    (void)state;
    for (int closed_before = 0; closed_before < 2; closed_before++) {
        struct shared s;
        shared_with(&s, 20, FLOWCTL_AWAY_CLOSED);
        assert_true(flowctl_try_acquire(s.limiter, 3));
        flowctl_session_id session = script_ask(&s.script, 1)->ask.session;
        if (closed_before) flowctl_limiter_close(s.limiter), flowctl_limiter_close(s.limiter);
        const flowctl_lease_ask *ask = farewell(&s);
        assert_true(ask->leaves);
        assert_int_equal(ask->used, 3);
        assert_int_equal(ask->back, 17);
        assert_int_equal(ask->want, 0);
        assert_int_equal(ask->seq, 2);
        assert_int_equal(ask->session.lo, session.lo);
        script_grant(&s.script, 0, 0); /* nobody hears it */
        shared_free(&s);
    }
}

static void who_leaves_while_a_policy_decides(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 20, FLOWCTL_AWAY_LOCAL_SHARE);
    assert_true(flowctl_try_acquire(s.limiter, 3));
    shared_pass(&s, SHARED_TTL_NS + 100 * MS);
    assert_true(flowctl_try_acquire(s.limiter, 50)); /* not the store's */
    const flowctl_lease_ask *ask = farewell(&s);
    assert_int_equal(ask->used, 3);
    assert_int_equal(ask->back, 17);
    shared_free(&s);
}

static void who_never_asked_leaves_without_a_word(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    s.limiter = shared_create(&o);
    flowctl_limiter_destroy(s.limiter);
    s.limiter = NULL;
    shared_pass(&s, SHARED_TTL_NS);
    assert_int_equal(s.script.asks, 0);
    shared_free(&s);
}

/* The last words are said even if the backend goes at once. */
static void the_last_words_are_said_before_the_store_is_closed(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 20, FLOWCTL_AWAY_CLOSED);
    flowctl_limiter_destroy(s.limiter);
    flowctl_backend_destroy(s.backend);
    assert_int_equal(s.script.asks, 2);
    assert_true(script_ask(&s.script, 0)->ask.leaves);
    assert_int_equal(s.script.closed, 1);
    flowctl_clock_destroy(s.clock);
}

static void what_a_member_leaves_is_there_for_others_at_once(void **state) {
    (void)state;
    for (int close_first = 0; close_first < 2; close_first++) {
        struct shared s;
        shared_open(&s, flowctl_memory_backend(), NULL);
        flowctl_token_bucket_options o = shared_options(&s);
        o.rate = flowctl_per(1, FLOWCTL_NS_PER_DAY);
        s.limiter = shared_create(&o);
        flowctl_limiter *second = shared_create(&o);
        shared_pass(&s, MS);
        assert_false(flowctl_try_acquire(s.limiter, 40));
        shared_pass(&s, 2 * SHARED_REFRESH_NS);
        assert_true(shared_info(s.limiter).held >= 40);
        if (close_first) flowctl_limiter_close(s.limiter);
        flowctl_limiter_destroy(s.limiter);
        s.limiter = second;
        assert_false(flowctl_try_acquire(second, 100));
        shared_pass(&s, 2 * SHARED_REFRESH_NS);
        assert_true(flowctl_try_acquire(second, 100));
        shared_free(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_reported_goes_back),
        cmocka_unit_test(what_was_reported_is_forfeited),
        cmocka_unit_test(what_was_waited_for_is_settled_like_that),
        cmocka_unit_test(more_is_charged_from_what_is_held_and_then_as_debt),
        cmocka_unit_test(settling_after_close_is_closed),
        cmocka_unit_test(verbs_that_need_the_store_are_refused_by_name),
        cmocka_unit_test(a_dry_run_lets_everything_through_and_reports_what_it_had),
        cmocka_unit_test(a_cost_of_nothing),
        cmocka_unit_test(who_leaves_gives_back_what_it_held),
        cmocka_unit_test(who_leaves_while_a_policy_decides),
        cmocka_unit_test(who_never_asked_leaves_without_a_word),
        cmocka_unit_test(the_last_words_are_said_before_the_store_is_closed),
        cmocka_unit_test(what_a_member_leaves_is_there_for_others_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

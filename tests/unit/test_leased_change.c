/* Settings that change for all members, and pauses that are one's own. */
#include "unit/script.h"

#define MS FLOWCTL_NS_PER_MS

static flowctl_limiter_info read_info(flowctl_limiter *l) {
    flowctl_limiter_info info;
    assert_int_equal(flowctl_limiter_read(l, &info), FLOWCTL_OK);
    return info;
}

static uint64_t all_there(flowctl_limiter *l) {
    uint64_t sum = 0;
    while (flowctl_try_acquire(l, 1)) sum++;
    return sum;
}

/* ---- two members, one store ---- */

struct two {
    struct shared s;
    flowctl_limiter *other;
};

static void two_open(struct two *t) {
    shared_open(&t->s, flowctl_memory_backend(), NULL);
    flowctl_token_bucket_options o = shared_options(&t->s);
    t->s.limiter = shared_create(&o);
    t->other = shared_create(&o);
    shared_pass(&t->s, MS);
}

static void two_free(struct two *t) {
    flowctl_limiter_destroy(t->other);
    shared_free(&t->s);
}

/* Both want something each millisecond. */
static void both_busy(struct two *t, uint64_t ns) {
    for (uint64_t at_ns = 0; at_ns < ns; at_ns += MS) {
        all_there(t->s.limiter), all_there(t->other);
        shared_pass(&t->s, MS);
    }
}

static void a_change_is_seen_by_others_within_a_refresh(void **state) {
    (void)state;
    struct two t;
    two_open(&t);
    both_busy(&t, 100 * MS);
    assert_int_equal(flowctl_set_limit(t.s.limiter, flowctl_per_second(500), 60, NULL), FLOWCTL_OK);
    assert_int_equal(read_info(t.s.limiter).burst, 100); /* in force once the store says so */
    both_busy(&t, 2 * SHARED_REFRESH_NS + 2 * MS);
    flowctl_limiter *const members[] = {t.s.limiter, t.other};
    for (size_t i = 0; i < COUNT(members); i++) {
        flowctl_limiter_info info = read_info(members[i]);
        assert_int_equal(info.burst, 60);
        assert_int_equal(info.rate.permits, 1);
        assert_int_equal(info.rate.period_ns, 2 * MS);
        assert_int_equal(shared_info(members[i]).config_version, 1);
    }
    two_free(&t);
}

static void an_idle_member_sees_a_change_when_it_renews(void **state) {
    (void)state;
    struct two t;
    two_open(&t);
    shared_pass(&t.s, 300 * MS);
    assert_int_equal(flowctl_set_burst(t.s.limiter, 7, NULL), FLOWCTL_OK);
    shared_pass(&t.s, SHARED_REFRESH_NS + MS);
    assert_int_equal(read_info(t.s.limiter).burst, 7);
    shared_pass(&t.s, SHARED_TTL_NS / 2);
    assert_int_equal(read_info(t.other).burst, 7);
    two_free(&t);
}

/* Both change at once: the first that the store hears of is in force, for both. */
static void of_two_changes_at_once_one_is_in_force(void **state) {
    (void)state;
    struct two t;
    two_open(&t);
    flowctl_set_burst(t.s.limiter, 50, NULL);
    flowctl_set_burst(t.other, 70, NULL);
    both_busy(&t, 100 * MS);
    assert_int_equal(read_info(t.s.limiter).burst, read_info(t.other).burst);
    uint64_t first = read_info(t.s.limiter).burst;
    assert_true(first == 50 || first == 70);
    flowctl_set_burst(t.other, 80, NULL);
    flowctl_set_burst(t.other, 90, NULL);
    both_busy(&t, 100 * MS);
    assert_int_equal(read_info(t.s.limiter).burst, 90);
    assert_int_equal(shared_info(t.s.limiter).config_version, 3);
    two_free(&t);
}

static void the_higher_version_at_create_is_in_force(void **state) {
    (void)state;
    struct two t;
    two_open(&t);
    flowctl_token_bucket_options o = shared_options(&t.s);
    o.burst = 11;
    flowctl_limiter *same = shared_create(&o);
    shared_pass(&t.s, MS);
    assert_int_equal(read_info(same).burst, 100);
    o.sharing.config_version = 5;
    flowctl_limiter *higher = shared_create(&o);
    both_busy(&t, 30 * MS);
    assert_int_equal(read_info(t.other).burst, 11);
    assert_int_equal(read_info(higher).burst, 11);
    o.sharing.config_version = 4;
    o.burst = 12;
    flowctl_limiter *lower = shared_create(&o);
    both_busy(&t, 30 * MS);
    assert_int_equal(read_info(lower).burst, 11);
    assert_int_equal(shared_info(lower).config_version, 5);
    flowctl_limiter_destroy(same), flowctl_limiter_destroy(higher), flowctl_limiter_destroy(lower);
    two_free(&t);
}

static void settings_that_can_not_be_are_refused(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    flowctl_error err;
    assert_int_equal(flowctl_set_rate(s.limiter, flowctl_per_second(0), &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "rate");
    assert_int_equal(flowctl_set_burst(s.limiter, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_set_burst(s.limiter, FLOWCTL_BURST_MAX + 1, &err), FLOWCTL_OUT_OF_RANGE);
    assert_int_equal(flowctl_set_rate(s.limiter, flowctl_per(1, FLOWCTL_PERIOD_MAX_NS + 1), &err), FLOWCTL_OUT_OF_RANGE);
    shared_pass(&s, 3 * SHARED_REFRESH_NS);
    assert_int_equal(s.script.asks, 1); /* nothing was changed, nothing is told */
    flowctl_limiter_close(s.limiter);
    assert_int_equal(flowctl_set_burst(s.limiter, 5, &err), FLOWCTL_CLOSED);
    shared_free(&s);
}

/* ---- what is held ---- */

/* The answer that makes the burst larger brings permits that could not be counted before. */
static void a_burst_that_becomes_large_is_counted_right(void **state) {
    (void)state;
    static const uint64_t bursts[] = {101, 1000, 1000000, UINT64_C(1) << 40, FLOWCTL_BURST_MAX};
    for (size_t i = 0; i < COUNT(bursts); i++) {
        struct shared s;
        shared_open_script(&s);
        flowctl_token_bucket_options o = shared_options(&s);
        o.rate = flowctl_per(1, FLOWCTL_NS_PER_DAY);
        o.burst = 1;
        o.max_debt = FLOWCTL_NO_DEBT;
        shared_begin(&s, &o, 1);
        assert_int_equal(flowctl_set_burst(s.limiter, bursts[i], NULL), FLOWCTL_OK);
        shared_pass(&s, 2 * SHARED_REFRESH_NS);
        assert_int_equal(script_ask(&s.script, 0)->ask.terms.burst, bursts[i]);
        assert_int_equal(script_ask(&s.script, 0)->ask.terms.version, 1);
        script_grant(&s.script, 0, bursts[i] - 1);
        assert_int_equal(shared_info(s.limiter).held, bursts[i]);
        assert_int_equal(flowctl_try_acquire_up_to(s.limiter, UINT64_MAX), bursts[i]);
        assert_false(flowctl_try_acquire(s.limiter, 1));
        assert_int_equal(shared_info(s.limiter).used_permits, bursts[i]);
        shared_free(&s);
    }
}

/* What a smaller burst has no room for was not used: it goes back. */
static void what_a_smaller_burst_cuts_goes_back(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 40, FLOWCTL_AWAY_CLOSED);
    assert_true(flowctl_try_acquire(s.limiter, 5));
    assert_int_equal(flowctl_set_burst(s.limiter, 10, NULL), FLOWCTL_OK);
    shared_pass(&s, 2 * SHARED_REFRESH_NS);
    script_grant(&s.script, 0, 0);
    flowctl_sharing_info info = shared_info(s.limiter);
    assert_int_equal(info.held, 10);
    assert_int_equal(info.back_permits, 25);
    assert_int_equal(info.used_permits, 5);
    assert_int_equal(flowctl_decide(s.limiter, 11).verdict, FLOWCTL_NEVER);
    shared_free(&s);
}

/* An answer that is too late to lend anything still tells the settings. */
static void settings_come_by_a_late_answer_too(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 0, FLOWCTL_AWAY_CLOSED);
    struct caller c;
    struct bucket b = {s.clock, s.limiter};
    caller_start_asleep(&c, &b, 50);
    shared_pass(&s, 2 * SHARED_REFRESH_NS);
    unsigned late = s.script.asks;
    shared_skip(&s, 2 * SHARED_TTL_NS);
    s.script.says.terms = script_ask(&s.script, late)->ask.terms;
    s.script.says.terms.burst = 49;
    s.script.says.terms.version = 3;
    script_grant(&s.script, late, 0);
    assert_int_equal(read_info(s.limiter).burst, 49);
    assert_int_equal(caller_join(&c).verdict, FLOWCTL_NEVER);
    shared_free(&s);
}

/* ---- pause ---- */

static void a_pause_is_ones_own_and_keeps_what_is_held(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    assert_int_equal(flowctl_limiter_pause(s.limiter), FLOWCTL_OK);
    assert_int_equal(flowctl_limiter_pause(s.limiter), FLOWCTL_OK);
    flowctl_decision d = flowctl_decide(s.limiter, 1);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.flags, FLOWCTL_FLAG_PAUSED);
    assert_int_equal(d.retry_after_ns, FLOWCTL_FOREVER);
    assert_false(flowctl_try_acquire(s.limiter, 1));
    assert_int_equal(flowctl_try_acquire_up_to(s.limiter, 9), 0);
    assert_true(read_info(s.limiter).paused);
    shared_pass(&s, 2 * SHARED_REFRESH_NS);
    if (s.script.asks > 1) assert_int_equal(script_ask(&s.script, 0)->ask.want, 0);
    script_grant(&s.script, 0, 0);
    assert_false(flowctl_try_acquire(s.limiter, 1)); /* an answer does not end it */
    assert_int_equal(flowctl_limiter_resume(s.limiter), FLOWCTL_OK);
    assert_true(flowctl_try_acquire(s.limiter, 10));
    shared_free(&s);
}

static void a_paused_lease_is_renewed_and_ends_like_any(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    flowctl_limiter_pause(s.limiter);
    s.script.generous = true;
    shared_pass(&s, 5 * SHARED_TTL_NS);
    assert_int_equal(shared_info(s.limiter).state, FLOWCTL_LEASE_ACTIVE);
    s.script.generous = false;
    shared_pass(&s, 2 * SHARED_TTL_NS);
    assert_int_equal(shared_info(s.limiter).state, FLOWCTL_LEASE_EXPIRED);
    flowctl_limiter_resume(s.limiter);
    assert_false(flowctl_try_acquire(s.limiter, 1));
    shared_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_seen_by_others_within_a_refresh),
        cmocka_unit_test(an_idle_member_sees_a_change_when_it_renews),
        cmocka_unit_test(of_two_changes_at_once_one_is_in_force),
        cmocka_unit_test(the_higher_version_at_create_is_in_force),
        cmocka_unit_test(settings_that_can_not_be_are_refused),
        cmocka_unit_test(a_burst_that_becomes_large_is_counted_right),
        cmocka_unit_test(what_a_smaller_burst_cuts_goes_back),
        cmocka_unit_test(settings_come_by_a_late_answer_too),
        cmocka_unit_test(a_pause_is_ones_own_and_keeps_what_is_held),
        cmocka_unit_test(a_paused_lease_is_renewed_and_ends_like_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

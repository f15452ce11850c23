/* Limiters that hold nothing ahead of need: every request asks the store. */
#include "unit/script.h"

#define MS FLOWCTL_NS_PER_MS

static struct bucket as_bucket(const struct shared *s) { return (struct bucket){s->clock, s->limiter}; }

static flowctl_token_bucket_options strict_options(const struct shared *s) {
    flowctl_token_bucket_options o = shared_options(s);
    o.sharing.one_by_one = true;
    return o;
}

/* A limiter that was asked for once, for nothing, a while ago. */
static void strict_with_script(struct shared *s) {
    shared_open_script(s);
    flowctl_token_bucket_options o = strict_options(s);
    shared_begin(s, &o, 0);
    shared_pass(s, 2 * SHARED_REFRESH_NS);
    assert_int_equal(s->script.asks, 1);
    assert_int_equal(script_ask(&s->script, 1)->ask.want, 0);
}

/* The next ask, as soon as there is one. */
static const flowctl_lease_ask *next_ask(struct shared *s) {
    unsigned before = s->script.asks;
    for (uint64_t end_ns = shared_now(s) + SHARED_TTL_NS; s->script.asks == before; shared_pass(s, MS))
        assert_true(shared_now(s) < end_ns);
    return &script_ask(&s->script, 0)->ask;
}

static void nothing_is_held_at_rest(void **state) {
    (void)state;
    struct shared s;
    shared_open(&s, flowctl_memory_backend(), NULL);
    flowctl_token_bucket_options o = strict_options(&s);
    s.limiter = shared_create(&o);
    for (int i = 0; i < 50; i++) {
        shared_pass(&s, SHARED_TTL_NS / 10);
        assert_int_equal(shared_info(s.limiter).held, 0);
    }
    assert_int_equal(shared_info(s.limiter).state, FLOWCTL_LEASE_ACTIVE);
    assert_int_equal(shared_info(s.limiter).granted_permits, 0);
    shared_free(&s);
}

/* ---- trying ---- */

static void a_try_is_denied_and_asks_for_what_it_lacks(void **state) {
    (void)state;
    struct shared s;
    strict_with_script(&s);
    flowctl_decision d = flowctl_decide(s.limiter, 3);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_in_range(d.retry_after_ns, 1, MS);
    flowctl_backend_poll(s.backend);
    const flowctl_lease_ask *ask = &script_ask(&s.script, 0)->ask;
    assert_int_equal(s.script.asks, 2);
    assert_int_equal(ask->want, 3);
    assert_int_equal(ask->need, 3);
    script_grant(&s.script, 0, 3);
    shared_skip(&s, d.retry_after_ns);
    assert_true(flowctl_try_acquire(s.limiter, 3));
    assert_int_equal(shared_info(s.limiter).held, 0);
    shared_free(&s);
}

static void who_does_not_come_back_within_a_refresh_finds_nothing(void **state) {
    (void)state;
    struct shared s;
    strict_with_script(&s);
    assert_false(flowctl_try_acquire(s.limiter, 3));
    flowctl_backend_poll(s.backend);
    script_grant(&s.script, 0, 3);
    shared_pass(&s, SHARED_REFRESH_NS - 1);
    assert_int_equal(shared_info(s.limiter).held, 3);
    shared_pass(&s, SHARED_REFRESH_NS / 8);
    assert_int_equal(shared_info(s.limiter).held, 0);
    assert_int_equal(script_ask(&s.script, 0)->ask.back, 3);
    assert_int_equal(script_ask(&s.script, 0)->ask.want, 0);
    shared_free(&s);
}

/* Also where an answer takes longer than a refresh. */
static void a_slow_answer_stays_for_a_refresh_too(void **state) {
    (void)state;
    struct shared s;
    strict_with_script(&s);
    for (int i = 0; i < 3; i++) {
        flowctl_decision d = flowctl_decide(s.limiter, 1);
        assert_int_equal(d.verdict, FLOWCTL_DENY);
        if (i != 0) assert_in_range(d.retry_after_ns, 24 * MS, 26 * MS); /* it is known by then */
        flowctl_backend_poll(s.backend);
        shared_pass(&s, 25 * MS);
        script_grant(&s.script, 0, 1);
        shared_pass(&s, SHARED_REFRESH_NS - 1);
        assert_true(flowctl_try_acquire(s.limiter, 1));
        shared_pass(&s, MS);
        script_grant(&s.script, 0, 0); /* the report */
        shared_pass(&s, 2 * SHARED_REFRESH_NS);
    }
    shared_free(&s);
}

/* Whoever was denied meanwhile may be the one that comes back. */
static void what_somebody_asked_for_again_stays(void **state) {
    (void)state;
    struct shared s;
    strict_with_script(&s);
    assert_false(flowctl_try_acquire(s.limiter, 3));
    flowctl_backend_poll(s.backend);
    assert_false(flowctl_try_acquire(s.limiter, 3));
    script_grant(&s.script, 0, 3);
    shared_pass(&s, SHARED_REFRESH_NS * 3 / 2);
    assert_int_equal(shared_info(s.limiter).held, 3);
    assert_true(flowctl_try_acquire(s.limiter, 3));
    shared_free(&s);
}

/* A store that has none: who tries no more is not asked for any more. */
static void a_try_that_was_not_repeated_is_forgotten(void **state) {
    (void)state;
    struct shared s;
    strict_with_script(&s);
    assert_false(flowctl_try_acquire(s.limiter, 3));
    flowctl_backend_poll(s.backend);
    script_grant(&s.script, 0, 0);
    unsigned before = s.script.asks;
    shared_pass(&s, SHARED_TTL_NS / 4);
    assert_int_equal(s.script.asks, before);
    shared_free(&s);
}

/* ---- waiting ---- */

static void acquire_waits_a_round_trip(void **state) {
    (void)state;
    struct shared s;
    struct caller c;
    strict_with_script(&s);
    struct bucket b = as_bucket(&s);
    for (int i = 0; i < 5; i++) {
        caller_start_asleep(&c, &b, 4);
        uint64_t began_ns = shared_now(&s);
        const flowctl_lease_ask *ask = next_ask(&s);
        assert_int_equal(ask->want, 4);
        assert_int_equal(ask->need, 4);
        shared_skip(&s, 2 * MS);
        script_grant(&s.script, 0, 4);
        flowctl_decision d = caller_join(&c);
        assert_int_equal(d.verdict, FLOWCTL_ALLOW);
        assert_in_range(d.now_ns - began_ns, 2 * MS, 4 * MS); /* a millisecond of it is this test's step */
        ask = next_ask(&s);
        assert_int_equal(ask->used, 4 * (i + 1)); /* reported soon */
        assert_int_equal(ask->want, 0);
        script_grant(&s.script, 0, 0);
        shared_pass(&s, 2 * MS); /* a report holds up nobody */
    }
    shared_free(&s);
}

/* A store that had none is asked once in a refresh. */
static void acquire_in_vain_asks_again_after_a_refresh(void **state) {
    (void)state;
    struct shared s;
    struct caller c;
    strict_with_script(&s);
    struct bucket b = as_bucket(&s);
    caller_start_asleep(&c, &b, 4);
    unsigned before = s.script.asks;
    for (int i = 0; i < 20; i++) {
        next_ask(&s);
        script_grant(&s.script, 0, 0);
    }
    uint64_t began_ns = shared_now(&s);
    for (int i = 0; i < 20; i++) {
        next_ask(&s);
        script_grant(&s.script, 0, 0);
    }
    assert_int_equal(s.script.asks, before + 40);
    assert_in_range(shared_now(&s) - began_ns, 19 * SHARED_REFRESH_NS, 22 * SHARED_REFRESH_NS);
    next_ask(&s);
    script_grant(&s.script, 0, 4);
    assert_int_equal(caller_join(&c).verdict, FLOWCTL_ALLOW);
    shared_free(&s);
}

static void several_that_wait_are_asked_for_together(void **state) {
    (void)state;
    struct shared s;
    struct caller c[3];
    strict_with_script(&s);
    struct bucket b = as_bucket(&s);
    for (int i = 0; i < 3; i++) caller_start_asleep(&c[i], &b, 4);
    const flowctl_lease_ask *ask = next_ask(&s);
    assert_int_equal(ask->need, 4);
    assert_int_equal(ask->want, 12);
    script_grant(&s.script, 0, 6);
    assert_int_equal(caller_join(&c[0]).verdict, FLOWCTL_ALLOW);
    ask = next_ask(&s);
    assert_int_equal(ask->back, 2); /* parts are not collected */
    assert_int_equal(ask->need, 4);
    assert_int_equal(ask->want, 8);
    script_grant(&s.script, 0, 8);
    for (int i = 1; i < 3; i++) assert_int_equal(caller_join(&c[i]).verdict, FLOWCTL_ALLOW);
    assert_int_equal(shared_info(s.limiter).held, 0);
    shared_free(&s);
}

static void what_a_waiter_left_behind_goes_back(void **state) {
    (void)state;
    struct shared s;
    struct caller c;
    strict_with_script(&s);
    struct bucket b = as_bucket(&s);
    caller_start_asleep(&c, &b, 4);
    next_ask(&s);
    caller_cancel(&c);
    script_grant(&s.script, 0, 4);
    assert_int_equal(shared_info(s.limiter).held, 4);
    const flowctl_lease_ask *ask = next_ask(&s);
    assert_int_equal(ask->back, 4);
    assert_int_equal(ask->want, 0);
    shared_free(&s);
}

/* ---- several members ---- */

/* Nothing lies idle in one while another needs all of it. */
static void what_one_does_not_use_is_the_others(void **state) {
    (void)state;
    struct shared s;
    struct caller c;
    shared_open(&s, flowctl_memory_backend(), NULL);
    flowctl_token_bucket_options o = strict_options(&s);
    o.rate = flowctl_per(1, FLOWCTL_NS_PER_HOUR);
    o.burst = 10;
    s.limiter = shared_create(&o);
    flowctl_limiter *other = shared_create(&o);
    struct bucket b = as_bucket(&s), b_other = {s.clock, other};
    shared_pass(&s, 100 * MS);
    caller_start_asleep(&c, &b, 3);
    shared_pass(&s, MS);
    assert_int_equal(caller_join(&c).verdict, FLOWCTL_ALLOW);
    shared_pass(&s, 2 * MS);
    caller_start_asleep(&c, &b_other, 7); /* to the last permit */
    shared_pass(&s, MS);
    assert_int_equal(caller_join(&c).verdict, FLOWCTL_ALLOW);
    assert_int_equal(shared_info(s.limiter).held + shared_info(other).held, 0);
    flowctl_limiter_destroy(other);
    shared_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_held_at_rest),
        cmocka_unit_test(a_try_is_denied_and_asks_for_what_it_lacks),
        cmocka_unit_test(who_does_not_come_back_within_a_refresh_finds_nothing),
        cmocka_unit_test(a_slow_answer_stays_for_a_refresh_too),
        cmocka_unit_test(what_somebody_asked_for_again_stays),
        cmocka_unit_test(a_try_that_was_not_repeated_is_forgotten),
        cmocka_unit_test(acquire_waits_a_round_trip),
        cmocka_unit_test(acquire_in_vain_asks_again_after_a_refresh),
        cmocka_unit_test(several_that_wait_are_asked_for_together),
        cmocka_unit_test(what_a_waiter_left_behind_goes_back),
        cmocka_unit_test(what_one_does_not_use_is_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

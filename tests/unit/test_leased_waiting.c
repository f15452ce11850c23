/* Threads that wait in acquire for what a store will lend. */
#include "unit/script.h"

#include "core/limiter.h"

#define MS FLOWCTL_NS_PER_MS

static struct bucket as_bucket(const struct shared *s) { return (struct bucket){s->clock, s->limiter}; }

/* Asks for what is missing, and is granted so much. */
static void grant_next(struct shared *s, uint64_t grant) {
    unsigned before = s->script.asks;
    while (s->script.asks == before) shared_pass(s, MS);
    script_grant(&s->script, 0, grant);
}

static void grants_serve_the_first_that_came(void **state) {
    (void)state;
    struct shared s;
    struct caller c[4];
    shared_with(&s, 0, FLOWCTL_AWAY_CLOSED);
    struct bucket b = as_bucket(&s);
    for (int i = 0; i < 4; i++) caller_start_asleep(&c[i], &b, 10);
    assert_int_equal(bucket_info(&b).waiters, 4);
    grant_next(&s, 9);
    const flowctl_lease_ask *ask = &script_ask(&s.script, 0)->ask;
    assert_true(ask->want >= 10);
    assert_false(flowctl_try_acquire(s.limiter, 1)); /* what is there is the first one's */
    assert_int_equal(flowctl_clock_sleepers(s.clock), 4);
    assert_int_equal(shared_info(s.limiter).held, 9);
    for (int i = 0; i < 4; i++) {
        grant_next(&s, 10);
        flowctl_decision d = caller_join(&c[i]);
        assert_int_equal(d.verdict, FLOWCTL_ALLOW);
        assert_int_equal(d.granted, 10);
        assert_int_equal(d.now_ns, shared_now(&s));
    }
    assert_int_equal(shared_info(s.limiter).used_permits, 40);
    assert_int_equal(shared_info(s.limiter).held, 9);
    flowctl_counters sum = bucket_counters(&b);
    assert_int_equal(sum.allowed_permits, 40);
    assert_int_equal(sum.waited, 4);
    shared_free(&s);
}

static void one_grant_serves_many(void **state) {
    (void)state;
    enum { MANY = 20 };
    struct shared s;
    struct caller c[MANY];
    shared_with(&s, 0, FLOWCTL_AWAY_CLOSED);
    struct bucket b = as_bucket(&s);
    for (int i = 0; i < MANY; i++) caller_start_asleep(&c[i], &b, 5);
    grant_next(&s, 100);
    for (int i = 0; i < MANY; i++) assert_int_equal(caller_join(&c[i]).verdict, FLOWCTL_ALLOW);
    assert_int_equal(shared_info(s.limiter).held, 0);
    shared_free(&s);
}

static void a_deadline_is_kept(void **state) {
    (void)state;
    struct shared s;
    struct caller c, behind;
    shared_with(&s, 0, FLOWCTL_AWAY_CLOSED);
    struct bucket b = as_bucket(&s);
    uint64_t end_ns = shared_now(&s) + 50 * MS;
    caller_start_asleep_for(&c, &b, 10, 50 * MS);
    caller_start_asleep(&behind, &b, 3);
    grant_next(&s, 3); /* less than the first needs */
    flowctl_clock_set(s.clock, end_ns - 1);
    assert_int_equal(flowctl_clock_sleepers(s.clock), 2);
    flowctl_clock_set(s.clock, end_ns);
    flowctl_decision d = caller_join(&c);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.status, FLOWCTL_OK);
    assert_true(d.retry_after_ns != FLOWCTL_FOREVER);
    assert_int_equal(caller_join(&behind).verdict, FLOWCTL_ALLOW); /* moved up */
    assert_int_equal(shared_info(s.limiter).held, 0);
    assert_int_equal(shared_info(s.limiter).used_permits, 3);
    shared_free(&s);
}

static void a_cancelled_thread_takes_nothing(void **state) {
    (void)state;
    struct shared s;
    struct caller c, behind;
    shared_with(&s, 0, FLOWCTL_AWAY_CLOSED);
    struct bucket b = as_bucket(&s);
    caller_start_asleep(&c, &b, 10);
    caller_start_asleep(&behind, &b, 4);
    grant_next(&s, 4);
    caller_cancel(&c);
    assert_int_equal(caller_join(&behind).verdict, FLOWCTL_ALLOW);
    assert_int_equal(shared_info(s.limiter).used_permits, 4);
    shared_free(&s);
}

static void closing_ends_all_waits(void **state) {
    (void)state;
    struct shared s;
    struct caller c[3];
    shared_with(&s, 0, FLOWCTL_AWAY_CLOSED);
    struct bucket b = as_bucket(&s);
    for (int i = 0; i < 3; i++) caller_start_asleep(&c[i], &b, 10);
    flowctl_limiter_close(s.limiter);
    for (int i = 0; i < 3; i++) assert_int_equal(caller_join(&c[i]).status, FLOWCTL_CLOSED);
    flowctl_sharing_info info;
    assert_int_equal(flowctl_limiter_sharing(s.limiter, &info), FLOWCTL_CLOSED);
    assert_int_equal(flowctl_limiter_wait_ready(s.limiter, 0), FLOWCTL_CLOSED);
    script_grant(&s.script, 0, 50); /* nobody is there to take it */
    shared_free(&s);
}

static void destroying_ends_all_waits(void **state) {
    (void)state;
    struct shared s;
    struct caller c[3];
    shared_with(&s, 0, FLOWCTL_AWAY_CLOSED);
    struct bucket b = as_bucket(&s);
    for (int i = 0; i < 3; i++) caller_start_asleep(&c[i], &b, 10);
    flowctl_limiter_destroy(s.limiter);
    for (int i = 0; i < 3; i++) assert_int_equal(caller_join(&c[i]).status, FLOWCTL_CLOSED);
    s.limiter = NULL;
    shared_free(&s);
}

/* What was there for the first that waited goes back when the lease ends, and it goes on waiting. */
static void waiting_goes_on_over_the_end_of_a_lease(void **state) {
    (void)state;
    struct shared s;
    struct caller c;
    shared_with(&s, 0, FLOWCTL_AWAY_CLOSED);
    struct bucket b = as_bucket(&s);
    caller_start_asleep(&c, &b, 10);
    grant_next(&s, 9);
    shared_pass(&s, 2 * SHARED_TTL_NS);
    flowctl_sharing_info info = shared_info(s.limiter);
    assert_int_equal(info.state, FLOWCTL_LEASE_EXPIRED);
    assert_int_equal(info.back_permits, 9);
    assert_int_equal(flowctl_clock_sleepers(s.clock), 1);
    grant_next(&s, 1);
    shared_pass(&s, MS);
    assert_int_equal(flowctl_clock_sleepers(s.clock), 1); /* the 9 are gone */
    grant_next(&s, 9);
    assert_int_equal(caller_join(&c).verdict, FLOWCTL_ALLOW);
    shared_free(&s);
}

static void a_policy_serves_who_waits(void **state) {
    (void)state;
    struct shared s;
    struct caller c;
    shared_with(&s, 0, FLOWCTL_AWAY_LOCAL_SHARE);
    struct bucket b = as_bucket(&s);
    caller_start_asleep(&c, &b, 10);
    uint64_t began_ns = shared_now(&s) + SHARED_TTL_NS - SHARED_TTL_NS / 5000 - 1;
    shared_pass(&s, SHARED_TTL_NS);
    assert_int_equal(shared_info(s.limiter).state, FLOWCTL_LEASE_EXPIRED);
    shared_pass(&s, 10 * MS);
    flowctl_decision d = caller_join(&c);
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_int_equal(d.now_ns, began_ns + 10 * MS);
    assert_int_equal(shared_info(s.limiter).away_permits, 10);
    shared_free(&s);
}

static void more_than_the_burst_never(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 0, FLOWCTL_AWAY_CLOSED);
    flowctl_decision d = flowctl_acquire(s.limiter, 101, FLOWCTL_FOREVER);
    assert_int_equal(d.verdict, FLOWCTL_NEVER);
    assert_int_equal(d.retry_after_ns, FLOWCTL_FOREVER);
    shared_free(&s);
}

/* All or nothing, and nothing is kept for it meanwhile: two that collect parts would wait for each other. */
static void a_large_cost_is_asked_for_whole(void **state) {
    (void)state;
    struct shared s;
    struct caller c;
    shared_with(&s, 30, FLOWCTL_AWAY_CLOSED);
    struct bucket b = as_bucket(&s);
    caller_start_asleep(&c, &b, 80);
    unsigned before = s.script.asks;
    while (s.script.asks == before) shared_pass(&s, MS);
    const flowctl_lease_ask *ask = &script_ask(&s.script, 0)->ask;
    assert_int_equal(ask->back, 30); /* what was held goes back */
    assert_int_equal(ask->need, 80);
    assert_true(ask->want >= 80);
    script_grant(&s.script, 0, 80);
    assert_int_equal(caller_join(&c).verdict, FLOWCTL_ALLOW);
    shared_free(&s);
}

static void every_large_cost_is_served_in_the_end(void **state) {
    (void)state;
    enum { MEMBERS = 4 };
    struct shared s;
    struct caller c[MEMBERS];
    flowctl_limiter *l[MEMBERS];
    shared_open(&s, flowctl_memory_backend(), NULL);
    flowctl_token_bucket_options o = shared_options(&s);
    for (int i = 0; i < MEMBERS; i++) l[i] = shared_create(&o);
    uint64_t began_ns = shared_now(&s);
    for (int i = 0; i < MEMBERS; i++) {
        caller_start(&c[i], l[i], 100, FLOWCTL_FOREVER);
        AWAIT(flowctl_clock_sleepers(s.clock) == (unsigned)i + 1);
    }
    for (int left = MEMBERS; left > 0; left = (int)flowctl_clock_sleepers(s.clock)) shared_pass(&s, MS);
    for (int i = 0; i < MEMBERS; i++) assert_int_equal(caller_join(&c[i]).verdict, FLOWCTL_ALLOW);
    assert_in_range(shared_now(&s) - began_ns, 300 * MS, 700 * MS); /* 400 permits, a burst of 100, 1000/s */
    for (int i = 0; i < MEMBERS; i++) flowctl_limiter_destroy(l[i]);
    shared_free(&s);
}

/* What others hold at rest does not stand in the way of a cost that needs all of the burst. */
static void a_cost_of_the_whole_burst_is_served_while_others_rest(void **state) {
    (void)state;
    enum { OTHERS = 3 };
    struct shared s;
    struct caller c;
    flowctl_limiter *others[OTHERS];
    shared_open(&s, flowctl_memory_backend(), NULL);
    flowctl_token_bucket_options o = shared_options(&s);
    s.limiter = shared_create(&o);
    for (int i = 0; i < OTHERS; i++) others[i] = shared_create(&o);
    shared_pass(&s, 100 * MS);
    for (int i = 0; i < OTHERS; i++) flowctl_try_acquire(others[i], 1);
    shared_pass(&s, 2 * SHARED_TTL_NS);
    uint64_t began_ns = shared_now(&s);
    caller_start(&c, s.limiter, 100, 20 * SHARED_TTL_NS);
    AWAIT(flowctl_clock_sleepers(s.clock) == 1);
    while (flowctl_clock_sleepers(s.clock) != 0) shared_pass(&s, MS);
    assert_int_equal(caller_join(&c).verdict, FLOWCTL_ALLOW);
    assert_in_range(shared_now(&s) - began_ns, 0, SHARED_TTL_NS);
    for (int i = 0; i < OTHERS; i++) flowctl_limiter_destroy(others[i]);
    shared_free(&s);
}

/* While another is saved for, a part of what a waiter needs goes back: the two would wait for each other. */
static void parts_go_back_while_another_is_saved_for(void **state) {
    (void)state;
    struct shared s;
    struct caller c;
    shared_with(&s, 0, FLOWCTL_AWAY_CLOSED);
    struct bucket b = as_bucket(&s);
    caller_start_asleep(&c, &b, 10);
    grant_next(&s, 4);
    assert_int_equal(shared_info(s.limiter).held, 4);
    s.script.says.scarce = true;
    grant_next(&s, 0);
    assert_int_equal(script_ask(&s.script, 0)->ask.back, 0); /* not known yet */
    grant_next(&s, 0);
    assert_int_equal(script_ask(&s.script, 0)->ask.back, 4);
    assert_int_equal(script_ask(&s.script, 0)->ask.need, 10);
    assert_int_equal(shared_info(s.limiter).held, 0);
    grant_next(&s, 10);
    assert_int_equal(caller_join(&c).verdict, FLOWCTL_ALLOW);
    shared_free(&s);
}

/* Between the attempt and the second look permits come: an acquire that does not wait takes them, or does not say so. */
static bool bring(flowctl_limiter *l, uint64_t permits, uint64_t now_ns, void *context) {
    struct shared *s = context;
    (void)l, (void)permits, (void)now_ns;
    script_grant(&s->script, 0, 5);
    return false;
}

static void no_wait_and_allow_is_always_charged(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 0, FLOWCTL_AWAY_CLOSED);
    shared_ask_again(&s);
    fc_refill_hook hook = s.limiter->refill;
    void *context = s.limiter->refill_context;
    s.limiter->refill = bring, s.limiter->refill_context = &s;
    flowctl_decision d = flowctl_acquire(s.limiter, 5, 0);
    s.limiter->refill = hook, s.limiter->refill_context = context;
    assert_int_equal(d.granted, d.verdict == FLOWCTL_ALLOW ? 5 : 0);
    assert_int_equal(shared_info(s.limiter).held, 5 - d.granted);
    flowctl_counters sum;
    flowctl_limiter_counters(s.limiter, &sum);
    assert_int_equal(sum.allowed_permits, d.granted);
    assert_int_equal(sum.denied, d.granted == 0 ? 2 : 1);
    shared_free(&s);
}

static void a_paused_waiter_is_served_after_resume(void **state) {
    (void)state;
    struct shared s;
    struct caller c;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    flowctl_limiter_pause(s.limiter);
    struct bucket b = as_bucket(&s);
    caller_start_asleep(&c, &b, 5);
    shared_pass(&s, 5 * MS);
    flowctl_limiter_resume(s.limiter);
    assert_int_equal(caller_join(&c).verdict, FLOWCTL_ALLOW);
    assert_int_equal(shared_info(s.limiter).held, 5);
    shared_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grants_serve_the_first_that_came),
        cmocka_unit_test(one_grant_serves_many),
        cmocka_unit_test(a_deadline_is_kept),
        cmocka_unit_test(a_cancelled_thread_takes_nothing),
        cmocka_unit_test(closing_ends_all_waits),
        cmocka_unit_test(destroying_ends_all_waits),
        cmocka_unit_test(waiting_goes_on_over_the_end_of_a_lease),
        cmocka_unit_test(a_policy_serves_who_waits),
        cmocka_unit_test(more_than_the_burst_never),
        cmocka_unit_test(a_large_cost_is_asked_for_whole),
        cmocka_unit_test(every_large_cost_is_served_in_the_end),
        cmocka_unit_test(a_cost_of_the_whole_burst_is_served_while_others_rest),
        cmocka_unit_test(parts_go_back_while_another_is_saved_for),
        cmocka_unit_test(no_wait_and_allow_is_always_charged),
        cmocka_unit_test(a_paused_waiter_is_served_after_resume),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

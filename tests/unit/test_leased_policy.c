/* While the store is away: each policy in numbers. 1000/s, burst 100; the store goes at the start. */
#include "unit/script.h"

#define MS FLOWCTL_NS_PER_MS

static uint64_t all_there(flowctl_limiter *l) {
    uint64_t sum = 0;
    while (flowctl_try_acquire(l, 1)) sum++;
    return sum;
}

/* Lets the lease end, unused. */
static void lose(struct shared *s) {
    shared_pass(s, SHARED_TTL_NS);
    assert_int_equal(shared_info(s->limiter).state, FLOWCTL_LEASE_EXPIRED);
    assert_int_equal(shared_info(s->limiter).held, 0);
}

static void lose_as_one_of(struct shared *s, uint64_t members, flowctl_away away) {
    shared_open_script(s);
    flowctl_token_bucket_options o = shared_options(s);
    o.sharing.away = away;
    s->script.says.members = members;
    shared_begin(s, &o, 10);
    lose(s);
}

/* Takes all that is there each `step_ns`, for `ns`. */
static uint64_t take_for(struct shared *s, uint64_t ns, uint64_t step_ns) {
    uint64_t sum = 0;
    for (uint64_t at_ns = 0; at_ns < ns; at_ns += step_ns) {
        shared_pass(s, step_ns);
        sum += all_there(s->limiter);
    }
    return sum;
}

static void closed_grants_nothing(void **state) {
    (void)state;
    struct shared s;
    lose_as_one_of(&s, 1, FLOWCTL_AWAY_CLOSED);
    assert_int_equal(take_for(&s, 3 * FLOWCTL_NS_PER_SEC, MS), 0);
    flowctl_decision d = flowctl_decide(s.limiter, 1);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_true(d.retry_after_ns > 0 && d.retry_after_ns < FLOWCTL_NS_PER_SEC);
    assert_int_equal(flowctl_decide(s.limiter, 101).verdict, FLOWCTL_NEVER);
    assert_int_equal(shared_info(s.limiter).away_permits, 0);
    shared_free(&s);
}

static void open_grants_everything(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_OPEN);
    shared_skip(&s, SHARED_TTL_NS);
    /* At once, and whoever finds that the lease is over. */
    assert_true(flowctl_try_acquire(s.limiter, 100));
    for (int i = 0; i < 1000; i++) {
        shared_pass(&s, 10);
        assert_int_equal(flowctl_decide(s.limiter, 100).verdict, FLOWCTL_ALLOW);
    }
    assert_int_equal(flowctl_decide(s.limiter, 101).verdict, FLOWCTL_NEVER);
    flowctl_sharing_info info = shared_info(s.limiter);
    assert_int_equal(info.away_permits, 100100);
    assert_int_equal(info.used_permits, 0);
    assert_int_equal(info.back_permits, 10);
    shared_free(&s);
}

static void a_local_share_is_the_rate_and_burst_by_the_members(void **state) {
    (void)state;
    static const uint64_t members[] = {1, 2, 4, 100};
    for (size_t i = 0; i < COUNT(members); i++) {
        struct shared s;
        lose_as_one_of(&s, members[i], FLOWCTL_AWAY_LOCAL_SHARE);
        assert_int_equal(all_there(s.limiter), 0); /* begins empty */
        assert_int_equal(take_for(&s, FLOWCTL_NS_PER_SEC, MS), 1000 / members[i]);
        shared_pass(&s, 10 * FLOWCTL_NS_PER_SEC);
        assert_int_equal(all_there(s.limiter), 100 / members[i]);
        flowctl_sharing_info info = shared_info(s.limiter);
        assert_int_equal(info.away_permits, 1000 / members[i] + 100 / members[i]);
        assert_int_equal(info.used_permits, 0);
        assert_int_equal(info.state, FLOWCTL_LEASE_EXPIRED);
        shared_free(&s);
    }
}

/* More than a share can ever hold is no "never": it fits once the store is back. */
static void more_than_a_share_is_not_never(void **state) {
    (void)state;
    struct shared s;
    lose_as_one_of(&s, 4, FLOWCTL_AWAY_LOCAL_SHARE);
    flowctl_decision d = flowctl_decide(s.limiter, 26);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_true(d.retry_after_ns != FLOWCTL_FOREVER);
    assert_int_equal(flowctl_peek(s.limiter, 100).verdict, FLOWCTL_DENY);
    assert_int_equal(flowctl_acquire(s.limiter, 100, 0).verdict, FLOWCTL_DENY);
    assert_false(flowctl_try_acquire(s.limiter, 100));
    assert_int_equal(flowctl_decide(s.limiter, 101).verdict, FLOWCTL_NEVER);
    assert_int_equal(flowctl_peek(s.limiter, 101).verdict, FLOWCTL_NEVER);
    assert_int_equal(flowctl_acquire(s.limiter, 101, FLOWCTL_FOREVER).verdict, FLOWCTL_NEVER);
    shared_free(&s);
}

/* Uses 300/s of what a store lends, and then the store goes. */
static void use_and_lose(struct shared *s, uint64_t reuse_ns) {
    shared_open_script(s);
    flowctl_token_bucket_options o = shared_options(s);
    o.sharing.away = FLOWCTL_AWAY_REUSE_LAST;
    o.sharing.reuse_ns = reuse_ns;
    shared_begin(s, &o, 10);
    s->script.generous = true;
    for (int i = 0; i < 1000; i++) {
        flowctl_try_acquire_up_to(s->limiter, i % 10 < 3);
        shared_pass(s, MS);
    }
    s->script.generous = false;
    shared_pass(s, 100 * MS);                  /* an ask is lost: nothing came back of it */
    take_for(s, SHARED_TTL_NS - 100 * MS, MS); /* what is held is used up */
    shared_pass(s, 2 * SHARED_TTL_NS);
    assert_int_equal(shared_info(s->limiter).state, FLOWCTL_LEASE_EXPIRED);
}

static void reuse_last_grants_what_was_lent_lately(void **state) {
    (void)state;
    struct shared s;
    use_and_lose(&s, 100 * FLOWCTL_NS_PER_SEC);
    all_there(s.limiter);
    uint64_t got = take_for(&s, FLOWCTL_NS_PER_SEC, MS);
    assert_in_range(got, 200, 400);
    shared_free(&s);
}

static void reuse_last_ends_after_its_time(void **state) {
    (void)state;
    struct shared s;
    use_and_lose(&s, 5 * FLOWCTL_NS_PER_SEC);
    uint64_t before = shared_info(s.limiter).away_permits;
    uint64_t got = take_for(&s, 10 * FLOWCTL_NS_PER_SEC, MS);
    assert_in_range(got, 3 * 200, 5 * 400 + 100);
    assert_int_equal(shared_info(s.limiter).away_permits, before + got);
    assert_int_equal(take_for(&s, 10 * FLOWCTL_NS_PER_SEC, MS), 0);
    assert_int_equal(shared_info(s.limiter).state, FLOWCTL_LEASE_EXPIRED);
    shared_free(&s);
}

static void who_was_lent_nothing_reuses_nothing(void **state) {
    (void)state;
    struct shared s;
    lose_as_one_of(&s, 1, FLOWCTL_AWAY_REUSE_LAST);
    assert_int_equal(take_for(&s, FLOWCTL_NS_PER_SEC, MS), 0);
    shared_free(&s);
}

/* ---- pause ---- */

/* A pause neither prolongs what a policy grants nor loses it. */
static void a_pause_keeps_the_policys_bucket(void **state) {
    (void)state;
    struct shared s;
    lose_as_one_of(&s, 2, FLOWCTL_AWAY_LOCAL_SHARE);
    shared_pass(&s, 40 * MS); /* 20 permits */
    assert_int_equal(flowctl_limiter_pause(s.limiter), FLOWCTL_OK);
    assert_int_equal(shared_info(s.limiter).state, FLOWCTL_LEASE_EXPIRED);
    shared_pass(&s, FLOWCTL_NS_PER_SEC);
    flowctl_decision d = flowctl_decide(s.limiter, 1);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.flags, FLOWCTL_FLAG_PAUSED);
    assert_int_equal(flowctl_limiter_resume(s.limiter), FLOWCTL_OK);
    assert_int_equal(all_there(s.limiter), 20);
    assert_int_equal(take_for(&s, 40 * MS, MS), 20);
    assert_int_equal(shared_info(s.limiter).away_permits, 40);
    shared_free(&s);
}

static void pauses_do_not_prolong_reuse(void **state) {
    (void)state;
    struct shared s;
    use_and_lose(&s, 5 * FLOWCTL_NS_PER_SEC);
    uint64_t got = 0;
    for (int i = 0; i < 10; i++) {
        got += take_for(&s, FLOWCTL_NS_PER_SEC, MS);
        flowctl_limiter_pause(s.limiter);
        flowctl_limiter_resume(s.limiter);
    }
    assert_in_range(got, 3 * 200, 5 * 400 + 100);
    assert_int_equal(take_for(&s, FLOWCTL_NS_PER_SEC, MS), 0);
    shared_free(&s);
}

/* ---- the store is back ---- */

static void the_store_is_back(void **state) {
    (void)state;
    static const flowctl_away policies[] = {FLOWCTL_AWAY_CLOSED, FLOWCTL_AWAY_OPEN, FLOWCTL_AWAY_LOCAL_SHARE,
                                            FLOWCTL_AWAY_REUSE_LAST};
    for (size_t i = 0; i < COUNT(policies); i++) {
        struct shared s;
        lose_as_one_of(&s, 1, policies[i]);
        shared_pass(&s, FLOWCTL_NS_PER_SEC);
        unsigned asks = s.script.asks;
        while (s.script.asks == asks) shared_pass(&s, MS);
        script_grant(&s.script, 0, 5);
        flowctl_sharing_info info = shared_info(s.limiter);
        assert_int_equal(info.state, FLOWCTL_LEASE_ACTIVE);
        assert_int_equal(info.held, 5);
        assert_int_equal(all_there(s.limiter), 5); /* and nothing of the policy's */
        info = shared_info(s.limiter);
        assert_int_equal(info.used_permits, 5);
        assert_int_equal(info.away_permits, 0);
        shared_free(&s);
    }
}

/* What the store does not know is never reported to it. */
static void what_a_policy_granted_is_not_reported(void **state) {
    (void)state;
    struct shared s;
    lose_as_one_of(&s, 1, FLOWCTL_AWAY_LOCAL_SHARE);
    assert_true(take_for(&s, FLOWCTL_NS_PER_SEC, MS) > 0);
    assert_int_equal(script_ask(&s.script, 0)->ask.used, 0);
    assert_int_equal(script_ask(&s.script, 0)->ask.back, 10);
    shared_free(&s);
}

/* Without a first answer for a lease's length, the policy decides. */
static void a_store_that_never_was_there(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    o.sharing.away = FLOWCTL_AWAY_LOCAL_SHARE;
    s.limiter = shared_create(&o);
    shared_pass(&s, SHARED_TTL_NS);
    assert_int_equal(take_for(&s, FLOWCTL_NS_PER_SEC, MS), 1000); /* members are not known: alone */
    shared_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_grants_nothing),
        cmocka_unit_test(open_grants_everything),
        cmocka_unit_test(a_local_share_is_the_rate_and_burst_by_the_members),
        cmocka_unit_test(more_than_a_share_is_not_never),
        cmocka_unit_test(reuse_last_grants_what_was_lent_lately),
        cmocka_unit_test(reuse_last_ends_after_its_time),
        cmocka_unit_test(who_was_lent_nothing_reuses_nothing),
        cmocka_unit_test(a_pause_keeps_the_policys_bucket),
        cmocka_unit_test(pauses_do_not_prolong_reuse),
        cmocka_unit_test(the_store_is_back),
        cmocka_unit_test(what_a_policy_granted_is_not_reported),
        cmocka_unit_test(a_store_that_never_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

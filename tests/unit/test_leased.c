/* What a limiter makes of the answers of a store, and when a lease is over. */
#include "unit/script.h"

#define END_NS (FIXTURE_START_NS + SHARED_TTL_NS - SHARED_TTL_NS / 5000 - 1) /* a clock may be fast by 200 in a million */

/* ---- states ---- */

static void without_an_answer_nothing_is_granted(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    s.limiter = shared_create(&o);
    assert_int_equal(shared_info(s.limiter).state, FLOWCTL_LEASE_NONE);
    assert_false(flowctl_try_acquire(s.limiter, 1));
    assert_int_equal(flowctl_try_acquire_up_to(s.limiter, 1), 0);
    assert_int_equal(flowctl_acquire(s.limiter, 1, 0).verdict, FLOWCTL_DENY);
    shared_pass(&s, SHARED_TTL_NS - 1);
    assert_int_equal(shared_info(s.limiter).state, FLOWCTL_LEASE_NONE);
    shared_pass(&s, 1);
    assert_int_equal(shared_info(s.limiter).state, FLOWCTL_LEASE_EXPIRED);
    assert_int_equal(shared_info(s.limiter).store, FLOWCTL_TIMED_OUT);
    shared_free(&s);
}

static void the_first_ask_says_who_and_what(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    o.sharing.config_version = 7;
    s.limiter = shared_create(&o);
    assert_int_equal(s.script.asks, 0); /* create asks nobody */
    flowctl_backend_poll(s.backend);
    const flowctl_lease_ask *ask = &script_ask(&s.script, 1)->ask;
    assert_int_equal(ask->size, sizeof *ask);
    assert_int_equal(ask->seq, 1);
    assert_true((ask->session.hi | ask->session.lo) != 0);
    assert_int_equal(ask->used | ask->back | ask->seen_clk_ns | ask->since_ns, 0);
    assert_true(ask->start_full);
    assert_false(ask->leaves);
    assert_int_equal(ask->terms.rate.permits, 1);
    assert_int_equal(ask->terms.rate.period_ns, FLOWCTL_NS_PER_MS);
    assert_int_equal(ask->terms.burst, 100);
    assert_int_equal(ask->terms.ttl_ns, SHARED_TTL_NS);
    assert_int_equal(ask->terms.version, 7);
    shared_free(&s);
}

static void an_answer_is_a_lease_from_the_sending_of_the_ask(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    s.limiter = shared_create(&o);
    flowctl_backend_poll(s.backend);
    shared_skip(&s, 5 * FLOWCTL_NS_PER_MS); /* on its way */
    s.script.says.members = 3;
    script_grant(&s.script, 1, 10);
    flowctl_sharing_info info = shared_info(s.limiter);
    assert_int_equal(info.state, FLOWCTL_LEASE_ACTIVE);
    assert_int_equal(info.store, FLOWCTL_OK);
    assert_int_equal(info.held, 10);
    assert_int_equal(info.members, 3);
    assert_int_equal(info.lease_left_ns, END_NS - shared_now(&s));
    assert_int_equal(info.round_trip_ns, 5 * FLOWCTL_NS_PER_MS);
    assert_int_equal(info.asks, 1);
    assert_int_equal(info.replies, 1);
    assert_int_equal(info.failures, 0);
    assert_int_equal(info.sessions, 1);
    assert_int_equal(info.granted_permits, 10);
    shared_free(&s);
}

struct heard {
    unsigned count;
    flowctl_lease_state from[8], to[8];
};

static void hear(void *context, flowctl_limiter *l, flowctl_lease_state from, flowctl_lease_state to) {
    struct heard *h = context;
    flowctl_sharing_info info;
    assert_int_equal(flowctl_limiter_sharing(l, &info), FLOWCTL_OK); /* no lock is held */
    flowctl_try_acquire(l, 1);
    h->from[h->count] = from, h->to[h->count++] = to;
}

static void the_listener_is_told_of_each_state(void **state) {
    (void)state;
    struct shared s;
    struct heard heard = {0};
    flowctl_listener listener = FLOWCTL_LISTENER_INIT;
    listener.context = &heard;
    listener.on_lease = hear;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    s.limiter = shared_create(&o);
    flowctl_limiter_set_listener(s.limiter, &listener);
    flowctl_backend_poll(s.backend);
    assert_int_equal(heard.count, 0);
    script_grant(&s.script, 0, 10);
    shared_pass(&s, SHARED_TTL_NS);
    script_grant(&s.script, 0, 10);
    script_grant(&s.script, 0, 0);
    assert_int_equal(heard.count, 3);
    static const flowctl_lease_state want[] = {FLOWCTL_LEASE_NONE, FLOWCTL_LEASE_ACTIVE, FLOWCTL_LEASE_EXPIRED,
                                               FLOWCTL_LEASE_ACTIVE};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(heard.from[i], want[i]);
        assert_int_equal(heard.to[i], want[i + 1]);
    }
    flowctl_limiter_set_listener(s.limiter, NULL);
    shared_free(&s);
}

/* A listener of the release before has no on_lease. */
static void an_older_listener_is_not_told(void **state) {
    (void)state;
    struct shared s;
    struct heard heard = {0};
    flowctl_listener listener = FLOWCTL_LISTENER_INIT;
    listener.context = &heard;
    listener.on_lease = hear;
    listener.size = offsetof(flowctl_listener, on_lease);
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    s.limiter = shared_create(&o);
    assert_int_equal(flowctl_limiter_set_listener(s.limiter, &listener), FLOWCTL_OK);
    flowctl_backend_poll(s.backend);
    script_grant(&s.script, 0, 10);
    assert_int_equal(heard.count, 0);
    flowctl_limiter_set_listener(s.limiter, NULL);
    shared_free(&s);
}

static void states_have_names(void **state) {
    (void)state;
    static const char *const names[] = {"NONE", "ACTIVE", "EXPIRED", "LOCAL", "UNKNOWN"};
    for (unsigned i = 0; i < COUNT(names); i++)
        assert_string_equal(flowctl_lease_state_name((flowctl_lease_state)i), names[i]);
    struct bucket b = bucket_new(flowctl_per_second(1), 1, 1);
    assert_int_equal(shared_info(b.limiter).state, FLOWCTL_LEASE_LOCAL);
    assert_int_equal(flowctl_limiter_wait_ready(b.limiter, 0), FLOWCTL_OK);
    bucket_free(&b);
}

/* ---- the end of a lease, to the nanosecond ---- */

/* Permits that a decision dated so got, by each verb. */
static uint64_t by_try(flowctl_limiter *l, uint64_t now_ns) { return flowctl_try_acquire_at(l, 1, now_ns); }
static uint64_t by_up_to(flowctl_limiter *l, uint64_t now_ns) { return flowctl_try_acquire_up_to_at(l, 1, now_ns); }
static uint64_t by_decide(flowctl_limiter *l, uint64_t now_ns) {
    flowctl_decision d = flowctl_decide_at(l, 1, now_ns);
    assert_int_equal(d.status, FLOWCTL_OK);
    assert_int_equal(d.now_ns, now_ns);
    assert_int_equal(d.verdict, d.granted == 1 ? FLOWCTL_ALLOW : FLOWCTL_DENY);
    if (d.granted == 0) assert_int_equal(d.remaining, 0);
    return d.granted;
}
static uint64_t by_peek(flowctl_limiter *l, uint64_t now_ns) {
    flowctl_decision d = flowctl_peek_at(l, 1, now_ns);
    if (d.verdict != FLOWCTL_ALLOW) assert_int_equal(d.remaining, 0);
    return d.verdict == FLOWCTL_ALLOW;
}
static uint64_t by_time_until(flowctl_limiter *l, uint64_t now_ns) { return flowctl_time_until_at(l, 1, now_ns) == 0; }
static uint64_t by_acquire(flowctl_limiter *l, uint64_t now_ns) { return flowctl_acquire_at(l, 1, 0, now_ns).granted; }
static uint64_t by_estimate(flowctl_limiter *l, uint64_t now_ns) {
    flowctl_receipt r;
    return flowctl_acquire_estimate_at(l, 1, 0, &r, now_ns).granted;
}
static uint64_t by_read(flowctl_limiter *l, uint64_t now_ns) {
    flowctl_limiter_info info;
    assert_int_equal(flowctl_limiter_read_at(l, &info, now_ns), FLOWCTL_OK);
    return info.tokens != 0;
}
static uint64_t by_sharing(flowctl_limiter *l, uint64_t now_ns) {
    flowctl_sharing_info info;
    assert_int_equal(flowctl_limiter_sharing_at(l, &info, now_ns), FLOWCTL_OK);
    assert_int_equal(info.granted_permits, info.used_permits + info.back_permits + info.held);
    assert_int_equal(info.state, info.held != 0 ? FLOWCTL_LEASE_ACTIVE : FLOWCTL_LEASE_EXPIRED);
    assert_int_equal(info.lease_left_ns, info.held != 0 ? END_NS - now_ns : 0);
    return info.held != 0;
}

static void a_lease_is_over_at_its_end_by_every_verb(void **state) {
    (void)state;
    static uint64_t (*const verbs[])(flowctl_limiter *, uint64_t) = {by_try,      by_up_to,      by_decide,
                                                                     by_peek,     by_time_until, by_acquire,
                                                                     by_estimate, by_read,       by_sharing};
    for (size_t i = 0; i < COUNT(verbs); i++) {
        struct shared s;
        shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
        assert_int_equal(verbs[i](s.limiter, END_NS - 1), 1);
        assert_int_equal(verbs[i](s.limiter, END_NS), 0);
        assert_int_equal(verbs[i](s.limiter, END_NS + 1), 0);
        shared_free(&s);
    }
}

static void settling_at_the_end_gives_nothing_back(void **state) {
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct shared s;
        flowctl_receipt r;
        shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
        flowctl_acquire_estimate_at(s.limiter, 4, 0, &r, END_NS - 2);
        flowctl_settlement settled = flowctl_settle_at(&r, 1, END_NS - 1 + (uint64_t)late);
        assert_int_equal(settled.given_back, late ? 0 : 3);
        assert_int_equal(settled.forfeited, late ? 3 : 0);
        shared_free(&s);
    }
}

/* Peeking and reading at a time to come change nothing now. */
static void looking_ahead_ends_no_lease(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    by_peek(s.limiter, END_NS), by_read(s.limiter, END_NS), by_sharing(s.limiter, END_NS), by_time_until(s.limiter, END_NS);
    assert_int_equal(shared_info(s.limiter).held, 10);
    assert_true(flowctl_try_acquire(s.limiter, 10));
    shared_free(&s);
}

static void what_is_held_at_the_end_goes_back(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    assert_true(flowctl_try_acquire(s.limiter, 3));
    shared_skip(&s, SHARED_TTL_NS);
    flowctl_sharing_info info = shared_info(s.limiter);
    assert_int_equal(info.used_permits, 3);
    assert_int_equal(info.back_permits, 7);
    flowctl_backend_poll(s.backend);
    assert_int_equal(script_ask(&s.script, 0)->ask.used, 3);
    assert_int_equal(script_ask(&s.script, 0)->ask.back, 7);
    shared_free(&s);
}

/* Somebody dates a decision far ahead: that ends the lease. The next one counts from the true time of its ask. */
static void a_wrong_date_makes_no_lease_longer(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    const uint64_t ahead_ns = 100 * FLOWCTL_NS_PER_SEC;
    assert_false(flowctl_try_acquire_at(s.limiter, 1, shared_now(&s) + ahead_ns));
    shared_pass(&s, SHARED_REFRESH_NS * 2);
    assert_int_equal(s.script.asks, 2);
    script_grant(&s.script, 2, 10);
    assert_true(shared_info(s.limiter).lease_left_ns < SHARED_TTL_NS);
    uint64_t granted = 0;
    for (int i = 0; i < 300; i++) {
        shared_skip(&s, FLOWCTL_NS_PER_SEC);
        granted += flowctl_try_acquire_up_to(s.limiter, 10);
    }
    assert_int_equal(granted, 0);
    shared_free(&s);
}

/* ---- asking ---- */

/* One look a refresh is enough, however long the answer takes and whoever is denied meanwhile. */
static void while_an_answer_is_awaited_nobody_spins(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 1, FLOWCTL_AWAY_CLOSED);
    shared_pass(&s, 2 * SHARED_REFRESH_NS);
    assert_true(flowctl_try_acquire(s.limiter, 1));
    assert_false(flowctl_try_acquire(s.limiter, 1));
    s.polls = 0;
    for (int i = 0; i < 20; i++) {
        shared_pass(&s, SHARED_REFRESH_NS);
        assert_false(flowctl_try_acquire(s.limiter, 1));
    }
    assert_in_range(s.polls, 1, 120);
    shared_free(&s);
}

static void an_idle_lease_is_renewed_at_a_third(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    s.script.generous = true;
    shared_pass(&s, 30 * SHARED_TTL_NS);
    assert_int_equal(shared_info(s.limiter).state, FLOWCTL_LEASE_ACTIVE);
    assert_in_range(s.script.asks, 70, 100);
    assert_in_range(s.polls, 100, 600); /* at each eighth refresh at the most */
    shared_free(&s);
}

/* Also where refreshes are so far apart that the next look would come after its end. */
static void an_idle_lease_is_renewed_however_seldom_it_is_looked_at(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    o.sharing.refresh_ns = SHARED_TTL_NS / 4;
    shared_begin(&s, &o, 10);
    s.script.generous = true;
    for (int i = 0; i < 300; i++) {
        shared_pass(&s, SHARED_TTL_NS / 10);
        assert_int_equal(shared_info(s.limiter).state, FLOWCTL_LEASE_ACTIVE);
        assert_true(shared_info(s.limiter).lease_left_ns > SHARED_TTL_NS / 2);
    }
    assert_in_range(s.script.asks, 80, 100);
    shared_free(&s);
}

static void in_use_it_asks_once_a_refresh(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    s.script.generous = true;
    for (int i = 0; i < 1000; i++) {
        flowctl_try_acquire_up_to(s.limiter, 3);
        shared_pass(&s, FLOWCTL_NS_PER_MS);
    }
    assert_in_range(s.script.asks, 90, 110);
    shared_free(&s);
}

static void a_store_that_is_away_is_asked_four_times_a_lease(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    shared_pass(&s, 5 * SHARED_TTL_NS);
    unsigned before = s.script.asks;
    for (int i = 0; i < 1000; i++) {
        assert_false(flowctl_try_acquire(s.limiter, 1));
        shared_pass(&s, 10 * FLOWCTL_NS_PER_MS);
    }
    assert_in_range(s.script.asks - before, 20, 41);
    flowctl_sharing_info info = shared_info(s.limiter);
    assert_int_equal(info.store, FLOWCTL_TIMED_OUT);
    assert_in_range(info.asks - info.replies - info.failures, 0, 1);
    shared_free(&s);
}

/* ---- answers that go astray ---- */

static void an_error_is_told_and_changes_nothing(void **state) {
    (void)state;
    static const flowctl_status errors[] = {FLOWCTL_UNAVAILABLE, FLOWCTL_NOT_PERMITTED, FLOWCTL_NO_MEMORY, FLOWCTL_SYSTEM};
    for (size_t i = 0; i < COUNT(errors); i++) {
        struct shared s;
        shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
        shared_ask_again(&s);
        script_refuse(&s.script, 0, errors[i]);
        script_refuse(&s.script, 0, errors[i]); /* twice */
        flowctl_sharing_info info = shared_info(s.limiter);
        assert_int_equal(info.store, errors[i]);
        assert_int_equal(info.held, 10);
        assert_int_equal(info.state, FLOWCTL_LEASE_ACTIVE);
        unsigned asks = s.script.asks;
        shared_pass(&s, SHARED_REFRESH_NS * 20);
        assert_true(s.script.asks > asks);
        script_grant(&s.script, 0, 0);
        assert_int_equal(shared_info(s.limiter).store, FLOWCTL_OK);
        shared_free(&s);
    }
}

static void an_answer_twice_counts_once(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    s.script.granted = 0;
    script_grant(&s.script, 1, 10);
    assert_int_equal(shared_info(s.limiter).held, 10);
    assert_int_equal(shared_info(s.limiter).replies, 1);
    shared_free(&s);
}

/* The store lent 10 to an ask whose answer never came: the next answer shows it, and it goes back. */
static void a_lost_grant_is_counted_back(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    assert_true(flowctl_try_acquire(s.limiter, 10));
    shared_ask_again(&s);
    while (s.script.asks < 3) shared_pass(&s, SHARED_REFRESH_NS);
    unsigned lost = s.script.asks - 1;
    uint64_t before = s.script.granted;
    s.script.granted += 7; /* to the last but one */
    script_grant(&s.script, 0, 5);
    flowctl_sharing_info info = shared_info(s.limiter);
    assert_int_equal(info.held, 5);
    assert_int_equal(info.back_permits, 7);
    assert_int_equal(info.used_permits, 10);
    s.script.granted = before;
    script_grant(&s.script, lost, 7); /* now it comes */
    assert_int_equal(shared_info(s.limiter).held, 5);
    assert_int_equal(shared_info(s.limiter).back_permits, 7);
    shared_ask_again(&s);
    assert_int_equal(script_ask(&s.script, 0)->ask.back, 7);
    shared_free(&s);
}

/* An answer that comes after its lease is over brings nothing. */
static void a_late_grant_is_counted_back(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    shared_pass(&s, SHARED_TTL_NS / 2);
    unsigned late = s.script.asks;
    shared_skip(&s, 2 * SHARED_TTL_NS);
    script_grant(&s.script, late, 7);
    flowctl_sharing_info info = shared_info(s.limiter);
    assert_int_equal(info.held, 0);
    assert_int_equal(info.back_permits, 17);
    assert_int_equal(info.state, FLOWCTL_LEASE_EXPIRED);
    shared_free(&s);
}

/* A late answer still counts for the lease that it makes longer. */
static void an_answer_after_its_time_out_still_counts(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    assert_true(flowctl_try_acquire(s.limiter, 10));
    shared_pass(&s, SHARED_TTL_NS - 10 * FLOWCTL_NS_PER_MS);
    assert_true(shared_info(s.limiter).failures > 0);
    script_grant(&s.script, s.script.asks - 1, 7);
    flowctl_sharing_info info = shared_info(s.limiter);
    assert_int_equal(info.held, 7);
    assert_int_equal(info.store, FLOWCTL_OK);
    assert_true(info.lease_left_ns > SHARED_TTL_NS / 10);
    shared_free(&s);
}

static void answers_to_nobody_are_ignored(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    flowctl_lease_reply r = {.size = sizeof r, .seq = 99, .grant = 5, .granted = 15, .lease_ns = SHARED_TTL_NS, .identity = 1};
    script_reply(&s.script, 1, &r); /* a seq that was never asked */
    r.seq = 1;
    static const uint64_t tickets[] = {0, 1, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(1) << 32, UINT64_C(5) << 32 | 77};
    for (size_t i = 0; i < COUNT(tickets); i++)
        if (tickets[i] != script_ask(&s.script, 1)->ticket) flowctl_answer_lease(s.script.base, tickets[i], &r);
    assert_int_equal(shared_info(s.limiter).held, 10);
    uint64_t ticket = script_ask(&s.script, 1)->ticket;
    flowctl_limiter_destroy(s.limiter);
    s.limiter = NULL;
    flowctl_answer_lease(s.script.base, ticket, &r);
    flowctl_token_bucket_options o = shared_options(&s);
    s.limiter = shared_create(&o); /* perhaps in the same place */
    flowctl_answer_lease(s.script.base, ticket, &r);
    assert_int_equal(shared_info(s.limiter).held, 0);
    shared_free(&s);
}

/* ---- a session that is dead ---- */

static void answer_dead(struct shared *s, unsigned n) {
    flowctl_lease_reply dead = {.dead = true, .seq = script_ask(&s->script, n)->ask.seq, .identity = 1};
    dead.terms = script_ask(&s->script, n)->ask.terms;
    script_reply(&s->script, n, &dead);
}

static void a_dead_session_is_followed_by_another(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    assert_true(flowctl_try_acquire(s.limiter, 4));
    shared_ask_again(&s);
    unsigned old = s.script.asks;
    answer_dead(&s, old);
    flowctl_sharing_info info = shared_info(s.limiter);
    assert_int_equal(info.sessions, 2);
    assert_int_equal(info.held, 0); /* what was held is void */
    assert_int_equal(info.used_permits, 4);
    assert_int_equal(info.back_permits, 6);
    assert_false(flowctl_try_acquire(s.limiter, 1));
    shared_pass(&s, 1);
    const flowctl_lease_ask *ask = &script_ask(&s.script, 0)->ask, *before = &script_ask(&s.script, old)->ask;
    assert_int_equal(s.script.asks, old + 1);
    assert_int_equal(ask->seq, 1);
    assert_int_equal(ask->used | ask->back | ask->seen_clk_ns, 0);
    assert_true(ask->session.hi != before->session.hi && ask->session.lo != before->session.lo);
    s.script.granted = 0;
    script_grant(&s.script, 0, 8);
    info = shared_info(s.limiter);
    assert_int_equal(info.granted_permits, 18); /* over all sessions */
    assert_int_equal(info.held, 8);
    shared_free(&s);
}

/* What the store lent to a session that it has ended is no credit of the next one. */
static void answers_to_an_earlier_session_bring_nothing(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    while (s.script.asks < 5) shared_pass(&s, SHARED_REFRESH_NS);
    answer_dead(&s, 5);
    shared_pass(&s, 1);
    assert_int_equal(script_ask(&s.script, 0)->ask.seq, 1);
    while (script_ask(&s.script, 0)->ask.seq < 4) shared_pass(&s, SHARED_REFRESH_NS);
    assert_int_equal(shared_info(s.limiter).held, 0);
    s.script.granted = 10;
    script_grant(&s.script, 3, 30); /* of the first session */
    flowctl_sharing_info info = shared_info(s.limiter);
    assert_int_equal(info.held, 0);
    assert_int_equal(info.granted_permits, 10);
    answer_dead(&s, 4);
    script_refuse(&s.script, 2, FLOWCTL_UNAVAILABLE);
    assert_int_equal(shared_info(s.limiter).sessions, 2);
    s.script.granted = 0;
    script_grant(&s.script, 0, 5);
    assert_int_equal(shared_info(s.limiter).held, 5);
    shared_free(&s);
}

/* ---- quarantine ---- */

static void quarantine_is_told(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    s.script.says.quarantine_ns = 1750 * FLOWCTL_NS_PER_MS;
    shared_begin(&s, &o, 0);
    flowctl_sharing_info info = shared_info(s.limiter);
    assert_int_equal(info.state, FLOWCTL_LEASE_ACTIVE);
    assert_int_equal(info.quarantine_ns, 1750 * FLOWCTL_NS_PER_MS);
    assert_int_equal(flowctl_limiter_wait_ready(s.limiter, 0), FLOWCTL_TIMED_OUT);
    shared_skip(&s, 750 * FLOWCTL_NS_PER_MS);
    assert_int_equal(shared_info(s.limiter).quarantine_ns, FLOWCTL_NS_PER_SEC);
    s.script.says.quarantine_ns = 0;
    shared_pass(&s, SHARED_REFRESH_NS);
    script_grant(&s.script, 0, 1);
    assert_int_equal(shared_info(s.limiter).quarantine_ns, 0);
    assert_int_equal(flowctl_limiter_wait_ready(s.limiter, 0), FLOWCTL_OK);
    shared_free(&s);
}

/* A refusal says when to ask again. */
static void retry_after_is_what_the_store_says(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 1, FLOWCTL_AWAY_CLOSED);
    assert_true(flowctl_try_acquire(s.limiter, 1));
    assert_false(flowctl_try_acquire(s.limiter, 1));
    shared_pass(&s, 2 * SHARED_REFRESH_NS);
    s.script.says.retry_after_ns = 123 * FLOWCTL_NS_PER_MS;
    script_grant(&s.script, 0, 0);
    flowctl_decision d = flowctl_decide(s.limiter, 1);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.retry_after_ns, 123 * FLOWCTL_NS_PER_MS);
    assert_int_equal(flowctl_time_until(s.limiter, 1), d.retry_after_ns);
    assert_int_equal(flowctl_decide(s.limiter, 101).verdict, FLOWCTL_NEVER);
    shared_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_answer_nothing_is_granted),
        cmocka_unit_test(the_first_ask_says_who_and_what),
        cmocka_unit_test(an_answer_is_a_lease_from_the_sending_of_the_ask),
        cmocka_unit_test(the_listener_is_told_of_each_state),
        cmocka_unit_test(an_older_listener_is_not_told),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(a_lease_is_over_at_its_end_by_every_verb),
        cmocka_unit_test(settling_at_the_end_gives_nothing_back),
        cmocka_unit_test(looking_ahead_ends_no_lease),
        cmocka_unit_test(what_is_held_at_the_end_goes_back),
        cmocka_unit_test(a_wrong_date_makes_no_lease_longer),
        cmocka_unit_test(while_an_answer_is_awaited_nobody_spins),
        cmocka_unit_test(an_idle_lease_is_renewed_at_a_third),
        cmocka_unit_test(an_idle_lease_is_renewed_however_seldom_it_is_looked_at),
        cmocka_unit_test(in_use_it_asks_once_a_refresh),
        cmocka_unit_test(a_store_that_is_away_is_asked_four_times_a_lease),
        cmocka_unit_test(an_error_is_told_and_changes_nothing),
        cmocka_unit_test(an_answer_twice_counts_once),
        cmocka_unit_test(a_lost_grant_is_counted_back),
        cmocka_unit_test(a_late_grant_is_counted_back),
        cmocka_unit_test(an_answer_after_its_time_out_still_counts),
        cmocka_unit_test(answers_to_nobody_are_ignored),
        cmocka_unit_test(a_dead_session_is_followed_by_another),
        cmocka_unit_test(answers_to_an_earlier_session_bring_nothing),
        cmocka_unit_test(quarantine_is_told),
        cmocka_unit_test(retry_after_is_what_the_store_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

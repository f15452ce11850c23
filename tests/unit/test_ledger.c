/* What a store lends, rule by rule: 1000 per second, a burst of 100, leases of 1 s, unless a test says otherwise. */
#include "unit/fixture.h"

#include "support/seed.h"

#include <flowctl/sys/ledger.h>
#include <stdlib.h>

#define ROOM 8
#define MS FLOWCTL_NS_PER_MS
#define TTL (1000 * MS)
/* How long by the ledger's clock it keeps a lease: two steps of TTL/4, and as much for a guard. */
#define KEPT (TTL * 7 / 4)

struct world {
    uint64_t now_ns, identity;
    flowctl_lease_terms terms;
    bool start_full;
    flowctl_lease_reply reply;
    _Alignas(flowctl_ledger) unsigned char bytes[FLOWCTL_LEDGER_BYTES(ROOM)];
};

static flowctl_ledger *ledger_of(struct world *w) { return (flowctl_ledger *)(void *)w->bytes; }

static void world_begin(struct world *w, flowctl_rate rate, uint64_t burst) {
    *w = (struct world){.now_ns = FIXTURE_START_NS, .identity = 7, .start_full = true, .terms = {rate, burst, TTL, 1}};
    flowctl_ledger_init(ledger_of(w), ROOM, w->identity, FLOWCTL_LEDGER_FIRST);
}

static struct world usual(void) {
    struct world w;
    world_begin(&w, flowctl_per(1000, FLOWCTL_NS_PER_SEC), 100);
    return w;
}

/* Session `who` asks; the grant. Every ledger that an ask leaves is sound. */
static uint64_t ask_with(struct world *w, flowctl_lease_ask *a) {
    w->reply = (flowctl_lease_reply){.size = sizeof w->reply};
    flowctl_ledger_ask(ledger_of(w), a, w->now_ns, w->identity, &w->reply);
    assert_true(flowctl_ledger_is_sound(ledger_of(w), sizeof w->bytes));
    return w->reply.grant;
}

static flowctl_lease_ask plain(const struct world *w, uint64_t who, uint64_t seq, uint64_t want) {
    return (flowctl_lease_ask){.size = sizeof(flowctl_lease_ask),
                               .limit = "limit",
                               .member = "member",
                               .session = {1, who},
                               .seq = seq,
                               .want = want,
                               .terms = w->terms,
                               .start_full = w->start_full};
}

static uint64_t ask(struct world *w, uint64_t who, uint64_t seq, uint64_t want) {
    flowctl_lease_ask a = plain(w, who, seq, want);
    return ask_with(w, &a);
}

static uint64_t report(struct world *w, uint64_t who, uint64_t seq, uint64_t want, uint64_t used, uint64_t back) {
    flowctl_lease_ask a = plain(w, who, seq, want);
    a.used = used;
    a.back = back;
    return ask_with(w, &a);
}

static uint64_t need(struct world *w, uint64_t who, uint64_t seq, uint64_t all) {
    flowctl_lease_ask a = plain(w, who, seq, all);
    a.need = all;
    return ask_with(w, &a);
}

static void pass(struct world *w, uint64_t ns) { w->now_ns += ns; }

/* Passes time in steps that the clock follows, without a member. */
static void pass_seen(struct world *w, uint64_t ns) {
    for (; ns > TTL / 8; ns -= TTL / 8) {
        pass(w, TTL / 8);
        ask(w, 99, 2, 0);
    }
    pass(w, ns);
    ask(w, 99, 2, 0);
}

static int64_t level(struct world *w) {
    flowctl_limit_state state = {.size = sizeof state};
    flowctl_ledger_inspect(ledger_of(w), w->now_ns, &state, NULL, 0);
    return state.level;
}

/* ---- lending ---- */

static void what_is_lent_and_what_can_be_are_at_most_the_burst(void **state) {
    (void)state;
    struct world w = usual();
    assert_int_equal(ask(&w, 1, 1, 60), 60);
    assert_int_equal(w.reply.granted, 60);
    assert_int_equal(w.reply.lease_ns, TTL);
    pass(&w, 500 * MS); /* 500 permits are earned, and have no room */
    assert_int_equal(level(&w), 40);
    assert_int_equal(ask(&w, 2, 1, 1000), 40);
    assert_int_equal(ask(&w, 3, 1, 1), 0);
}

static void used_permits_come_back_by_time_and_unused_ones_at_once(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 100);
    report(&w, 1, 2, 0, 30, 0);
    assert_int_equal(level(&w), 0);
    pass(&w, 10 * MS);
    assert_int_equal(level(&w), 10);
    pass(&w, 100 * MS);
    assert_int_equal(level(&w), 30);
    report(&w, 1, 3, 0, 30, 20);
    assert_int_equal(level(&w), 50);
    assert_int_equal(ledger_of(&w)->out, 50);
}

static void a_repeated_ask_grants_nothing_and_older_sums_change_nothing(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 20);
    assert_int_equal(report(&w, 1, 3, 10, 15, 2), 10);
    assert_int_equal(report(&w, 1, 3, 10, 15, 2), 0);
    assert_int_equal(w.reply.granted, 30);
    assert_int_equal(report(&w, 1, 2, 10, 5, 0), 0);
    assert_int_equal(w.reply.granted, 30);
    assert_int_equal(ledger_of(&w)->used, 15);
    assert_int_equal(ledger_of(&w)->back, 2);
    /* But its sums count, if they are larger: they are true whenever they come. */
    report(&w, 1, 2, 10, 18, 2);
    assert_int_equal(ledger_of(&w)->used, 18);
}

static void all_or_nothing(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 60);
    assert_int_equal(need(&w, 2, 1, 41), 0);
    assert_int_equal(w.reply.retry_after_ns, 1 * MS);
    assert_int_equal(ledger_of(&w)->out, 60);
    assert_int_equal(need(&w, 2, 2, 40), 40);
}

static void who_needs_more_than_there_is_is_saved_for(void **state) {
    (void)state;
    struct world w = usual();
    report(&w, 1, 1, 100, 0, 0);
    report(&w, 1, 2, 0, 100, 0);
    assert_int_equal(need(&w, 2, 1, 50), 0);
    pass(&w, 20 * MS);
    assert_int_equal(ask(&w, 1, 3, 0), 0);
    assert_int_equal(report(&w, 3, 1, 20, 0, 0), 0); /* the 20 that there are are another's */
    pass(&w, 31 * MS);
    assert_int_equal(report(&w, 3, 2, 20, 0, 0), 1); /* what is more than the 50 */
    assert_int_equal(need(&w, 2, 2, 50), 50);
    pass(&w, 10 * MS);
    assert_true(report(&w, 3, 3, 20, 0, 0) > 0);
}

static void who_does_not_come_again_is_saved_for_an_eighth_of_a_lease(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 100);
    report(&w, 1, 2, 0, 100, 0);
    assert_int_equal(need(&w, 2, 1, 100), 0);
    pass(&w, TTL / 8);
    assert_int_equal(ask(&w, 3, 1, 50), 0);
    pass(&w, 1);
    assert_true(ask(&w, 3, 2, 50) > 0);
}

static void nobody_is_saved_for_who_needs_more_than_the_burst(void **state) {
    (void)state;
    struct world w = usual();
    assert_int_equal(need(&w, 2, 1, 101), 0);
    assert_int_equal(ask(&w, 1, 1, 10), 10);
}

static void one_member_holds_at_most_twice_its_part(void **state) {
    (void)state;
    struct world w = usual();
    for (uint64_t who = 1; who <= 5; who++) ask(&w, who, 1, 1);
    report(&w, 1, 2, 0, 1, 0);
    pass(&w, 200 * MS);
    assert_int_equal(report(&w, 1, 3, 100, 1, 0), 40);
    assert_int_equal(w.reply.members, 5);
    assert_int_equal(report(&w, 1, 4, 100, 1, 0), 0);
}

static void where_several_are_short_each_gets_its_part(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 100);
    report(&w, 1, 2, 0, 100, 0);
    for (uint64_t who = 2; who <= 4; who++) assert_int_equal(ask(&w, who, 1, 50), 0);
    pass(&w, 30 * MS);
    assert_int_equal(ask(&w, 2, 2, 50), 10);
    assert_int_equal(ask(&w, 3, 2, 5), 5);
}

/* ---- sessions ---- */

static void a_lease_is_kept_until_it_must_be_over_for_its_holder(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 60);
    pass_seen(&w, KEPT);
    assert_int_equal(ledger_of(&w)->out, 60);
    pass_seen(&w, 1);
    assert_int_equal(ledger_of(&w)->out, 0);
    assert_int_equal(ledger_of(&w)->expired, 60);
    assert_int_equal(ledger_of(&w)->count, 0);
}

static void an_ask_renews_all_that_is_held(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 60);
    pass_seen(&w, KEPT);
    ask(&w, 1, 2, 0);
    pass_seen(&w, KEPT);
    assert_int_equal(ledger_of(&w)->out, 60);
    /* A repetition does not: it may be old. */
    ask(&w, 1, 2, 0);
    pass_seen(&w, 1);
    assert_int_equal(ledger_of(&w)->out, 0);
}

static void an_unknown_session_is_dead_and_changes_nothing(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 60);
    flowctl_ledger before = *ledger_of(&w);
    assert_int_equal(report(&w, 2, 2, 10, 5, 5), 0);
    assert_true(w.reply.dead);
    assert_int_equal(w.reply.granted, 0);
    assert_memory_equal(&before, ledger_of(&w), sizeof before);
}

static void another_account_of_the_same_name_is_dead_too(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 60);
    report(&w, 1, 2, 0, 61, 0);
    assert_true(w.reply.dead);
    report(&w, 1, 3, 0, 30, 31);
    assert_true(w.reply.dead);
    report(&w, 1, 4, 0, UINT64_MAX, UINT64_MAX);
    assert_true(w.reply.dead);
    flowctl_lease_ask a = plain(&w, 1, 5, 0);
    a.seen_identity = 6;
    ask_with(&w, &a);
    assert_true(w.reply.dead);
    assert_int_equal(ledger_of(&w)->out, 60);
    report(&w, 1, 6, 0, 30, 30);
    assert_false(w.reply.dead);
}

static void who_leaves_leaves_nothing_behind(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 60);
    flowctl_lease_ask a = plain(&w, 1, 2, 0);
    a.used = 10;
    a.back = 30; /* 20 were granted by an answer that was lost */
    a.leaves = true;
    ask_with(&w, &a);
    assert_int_equal(ledger_of(&w)->count, 0);
    assert_int_equal(ledger_of(&w)->out, 0);
    assert_int_equal(ledger_of(&w)->back, 50);
    assert_int_equal(level(&w), 90);
    ask_with(&w, &a);
    assert_true(w.reply.dead);
}

static void there_is_room_for_so_many_sessions(void **state) {
    (void)state;
    struct world w = usual();
    for (uint64_t who = 1; who <= ROOM; who++) ask(&w, who, 1, 1);
    assert_int_equal(ask(&w, ROOM + 1, 1, 1), 0);
    assert_int_equal(w.reply.status, FLOWCTL_NO_MEMORY);
    pass_seen(&w, KEPT + 1);
    assert_int_equal(ask(&w, ROOM + 1, 1, 1), 1);
}

/* ---- time ---- */

static void a_step_moves_the_clock_by_a_quarter_of_a_lease(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 60);
    uint64_t clk = w.reply.clk_ns;
    pass(&w, 3600 * FLOWCTL_NS_PER_SEC);
    ask(&w, 2, 1, 0);
    assert_int_equal(w.reply.clk_ns, clk + TTL / 4);
    w.now_ns -= 3600 * FLOWCTL_NS_PER_SEC;
    ask(&w, 2, 2, 0);
    assert_int_equal(w.reply.clk_ns, clk + TTL / 4);
    assert_int_equal(ledger_of(&w)->out, 60);
}

static void after_a_step_back_permits_are_earned_at_once(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 100);
    report(&w, 1, 2, 0, 100, 0);
    w.now_ns -= 900 * FLOWCTL_NS_PER_SEC;
    assert_int_equal(report(&w, 1, 3, 10, 100, 0), 0);
    pass(&w, 10 * MS);
    assert_int_equal(report(&w, 1, 4, 10, 100, 0), 10);
}

static uint64_t vouch(struct world *w, uint64_t who, uint64_t seq, uint64_t seen_clk_ns, uint64_t since_ns) {
    flowctl_lease_ask a = plain(w, who, seq, 0);
    a.seen_identity = w->identity;
    a.seen_clk_ns = seen_clk_ns;
    a.since_ns = since_ns;
    ask_with(w, &a);
    return w->reply.clk_ns;
}

static void a_member_vouches_for_the_time_since_its_last_answer(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 0);
    uint64_t clk = w.reply.clk_ns;
    ask(&w, 2, 1, 60);
    pass(&w, 600 * MS);
    assert_int_equal(vouch(&w, 1, 2, clk, 600 * MS), clk + 600 * MS);
    /* By a clock that was never shown, or of a session that is not known, nothing is proven. */
    assert_int_equal(vouch(&w, 1, 3, clk + 601 * MS, TTL), clk + 600 * MS);
    assert_int_equal(vouch(&w, 3, 2, clk, TTL), clk + 600 * MS);
    assert_int_equal(vouch(&w, 1, 4, UINT64_MAX, UINT64_MAX), clk + 600 * MS);
}

static void who_vouches_ends_no_lease_younger_than_its_word(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 0);
    uint64_t clk = w.reply.clk_ns;
    pass(&w, 1700 * MS); /* nobody asks: the clock stands */
    assert_int_equal(ask(&w, 2, 1, 60), 60);
    pass(&w, 500 * MS);
    vouch(&w, 1, 2, clk, 2200 * MS);
    assert_int_equal(ledger_of(&w)->out, 60);
    pass_seen(&w, KEPT - 500 * MS - TTL / 4);
    assert_int_equal(ledger_of(&w)->out, 60);
    pass_seen(&w, TTL);
    assert_int_equal(ledger_of(&w)->out, 0);
}

static void what_was_held_left_no_room_until_it_was_over(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 100);
    pass(&w, MS);
    ask(&w, 2, 1, 0);
    uint64_t clk = w.reply.clk_ns;
    pass(&w, KEPT + 1);
    vouch(&w, 2, 2, clk, KEPT);
    assert_int_equal(ledger_of(&w)->expired, 100);
    assert_int_equal(level(&w), 1);
}

/* ---- another run of the store ---- */

static void another_run_lends_nothing_until_all_leases_are_over(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 60);
    w.identity = 8;
    ask(&w, 1, 2, 10);
    assert_true(w.reply.dead);
    assert_int_equal(w.reply.quarantine_ns, KEPT + 1);
    assert_int_equal(w.reply.identity, 8);
    assert_int_equal(ask(&w, 2, 1, 10), 0);
    assert_int_equal(w.reply.retry_after_ns, KEPT + 1);
    for (int i = 0; i < 7; i++) pass(&w, TTL / 4), assert_int_equal(ask(&w, 2, 2 + (uint64_t)i, 10), 0);
    pass(&w, 1);
    assert_int_equal(ask(&w, 2, 9, 10), 0); /* over, and empty */
    assert_int_equal(w.reply.quarantine_ns, 0);
    pass(&w, 20 * MS);
    assert_int_equal(ask(&w, 2, 10, 10), 10);
}

static void a_store_that_lost_its_state_begins_so_too(void **state) {
    (void)state;
    struct world w = usual();
    flowctl_ledger_init(ledger_of(&w), ROOM, w.identity, FLOWCTL_LEDGER_LOST);
    assert_int_equal(ask(&w, 1, 1, 10), 0);
    assert_int_equal(w.reply.quarantine_ns, KEPT + 1);
}

static void longer_leases_that_were_lost_with_the_state_make_a_quarantine_longer(void **state) {
    (void)state;
    struct world w = usual();
    flowctl_ledger_init(ledger_of(&w), ROOM, w.identity, FLOWCTL_LEDGER_LOST);
    ask(&w, 1, 1, 0);
    w.terms.version = 2;
    w.terms.ttl_ns = 4 * TTL;
    ask(&w, 2, 1, 0);
    assert_int_equal(w.reply.quarantine_ns, 4 * TTL + TTL / 2 + TTL + 1);
}

static void a_first_ledger_begins_full_only_if_asked(void **state) {
    (void)state;
    struct world w = usual();
    w.start_full = false;
    assert_int_equal(ask(&w, 1, 1, 10), 0);
    pass(&w, 10 * MS);
    assert_int_equal(ask(&w, 1, 2, 10), 10);
}

/* ---- settings ---- */

static void the_higher_version_is_in_force_and_of_equal_ones_the_first(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 0);
    w.terms.burst = 50;
    ask(&w, 1, 2, 0);
    assert_int_equal(w.reply.terms.burst, 100);
    w.terms.version = 2;
    ask(&w, 1, 3, 0);
    assert_int_equal(w.reply.terms.burst, 50);
    assert_int_equal(level(&w), 50);
    w.terms.version = 1;
    w.terms.burst = 100;
    ask(&w, 1, 4, 0);
    assert_int_equal(w.reply.terms.burst, 50);
}

static void a_smaller_burst_is_owed_by_those_who_hold_more(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 80);
    w.terms.version = 2;
    w.terms.burst = 50;
    assert_int_equal(ask(&w, 2, 1, 10), 0);
    assert_int_equal(level(&w), -30);
    assert_int_equal(report(&w, 1, 2, 0, 0, 40), 0);
    assert_int_equal(level(&w), 10);
}

static void what_was_earned_is_earned_at_the_old_rate(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 100);
    report(&w, 1, 2, 0, 100, 0);
    pass(&w, 10 * MS + MS / 2);
    w.terms.version = 2;
    w.terms.rate = flowctl_per(1, 7 * FLOWCTL_NS_PER_SEC);
    report(&w, 1, 3, 0, 100, 0);
    assert_int_equal(level(&w), 10);
    pass(&w, 3500 * MS - 1); /* half a permit was there */
    assert_int_equal(level(&w), 10);
    pass(&w, 1);
    assert_int_equal(level(&w), 11);
}

static void asks_that_cannot_be(void **state) {
    (void)state;
    struct world w = usual();
    flowctl_lease_ask a = plain(&w, 1, 0, 0);
    ask_with(&w, &a);
    assert_int_equal(w.reply.status, FLOWCTL_INVALID_ARGUMENT);
    a.seq = 1, a.want = 1, a.need = 2;
    ask_with(&w, &a);
    assert_int_equal(w.reply.status, FLOWCTL_INVALID_ARGUMENT);
    a.need = 1, a.limit = NULL;
    ask_with(&w, &a);
    assert_int_equal(w.reply.status, FLOWCTL_INVALID_ARGUMENT);
    const flowctl_lease_terms no[] = {{{0, 1}, 1, TTL, 1},
                                      {{1, 0}, 1, TTL, 1},
                                      {{1, FLOWCTL_PERIOD_MAX_NS + 1}, 1, TTL, 1},
                                      {{11, 1}, 1, TTL, 1},
                                      {{UINT64_MAX, 1}, 1, TTL, 1},
                                      {{1, 1}, 0, TTL, 1},
                                      {{1, 1}, FLOWCTL_BURST_MAX + 1, TTL, 1},
                                      {{1, 1}, 1, FLOWCTL_TTL_MIN_NS - 1, 1},
                                      {{1, 1}, 1, FLOWCTL_TTL_MAX_NS + 1, 1}};
    for (size_t i = 0; i < COUNT(no); i++) {
        a = plain(&w, 1, 1, 0);
        a.terms = no[i];
        ask_with(&w, &a);
        assert_int_equal(w.reply.status, FLOWCTL_OUT_OF_RANGE);
    }
    assert_int_equal(ledger_of(&w)->terms.burst, 0);
}

/* ---- exactness ---- */

/* Asks that come often take nothing from what is earned. */
static void assert_earns(flowctl_rate rate, uint64_t every_ns, uint64_t asks, uint64_t expected) {
    struct world w;
    world_begin(&w, rate, 1000);
    w.start_full = false;
    uint64_t granted = 0;
    for (uint64_t i = 1; i <= asks + 1; i++) {
        report(&w, 1, i, 1, granted, 0);
        granted = w.reply.granted;
        pass(&w, every_ns);
    }
    assert_int_equal(granted, expected);
}

static void no_fraction_is_ever_lost(void **state) {
    (void)state;
    const uint64_t second = FLOWCTL_NS_PER_SEC;
    assert_earns(flowctl_per(1, 86400 * second), 100 * MS, 864000, 1);
    assert_earns(flowctl_per(1, 86400 * second), 100 * MS, 863999, 0);
    assert_earns(flowctl_per(7, 13 * second), 10 * MS, 130000, 700);
    assert_earns(flowctl_per(7, 13 * second), 10 * MS, 129999, 699);
    assert_earns(flowctl_per(1, 10), 3, 1000, 300);
}

static void the_largest_and_the_smallest_values(void **state) {
    (void)state;
    struct world w;
    world_begin(&w, flowctl_per(10, 1), FLOWCTL_BURST_MAX);
    w.now_ns = UINT64_MAX - 10 * FLOWCTL_NS_PER_SEC;
    assert_int_equal(ask(&w, 1, 1, UINT64_MAX), FLOWCTL_BURST_MAX);
    report(&w, 1, 2, 0, FLOWCTL_BURST_MAX, 0);
    pass(&w, 10 * FLOWCTL_NS_PER_SEC);
    assert_int_equal(report(&w, 1, 3, UINT64_MAX, FLOWCTL_BURST_MAX, 0), 100 * FLOWCTL_NS_PER_SEC);
    assert_int_equal(need(&w, 2, 1, UINT64_MAX), 0);

    world_begin(&w, flowctl_per(1, FLOWCTL_PERIOD_MAX_NS), FLOWCTL_BURST_MAX);
    w.now_ns = 0;
    assert_int_equal(ask(&w, 1, 1, UINT64_MAX), FLOWCTL_BURST_MAX);
    report(&w, 1, 2, 0, FLOWCTL_BURST_MAX, 0);
    pass(&w, FLOWCTL_PERIOD_MAX_NS - 1);
    assert_int_equal(report(&w, 1, 3, 1, FLOWCTL_BURST_MAX, 0), 0);
    assert_int_equal(w.reply.retry_after_ns, 1);
    pass(&w, 1);
    assert_int_equal(report(&w, 1, 4, 1, FLOWCTL_BURST_MAX, 0), 1);
}

static void the_shortest_and_the_longest_lease(void **state) {
    (void)state;
    const uint64_t ttls[] = {FLOWCTL_TTL_MIN_NS, FLOWCTL_TTL_MAX_NS};
    for (size_t i = 0; i < COUNT(ttls); i++) {
        struct world w = usual();
        w.terms.ttl_ns = ttls[i];
        ask(&w, 1, 1, 60);
        for (int step = 0; step < 7; step++) pass(&w, ttls[i] / 4), ask(&w, 2, 2, 0);
        assert_int_equal(ledger_of(&w)->out, 60);
        pass(&w, 1);
        ask(&w, 2, 2, 0);
        assert_int_equal(ledger_of(&w)->out, 0);
    }
}

/* ---- bytes that come from elsewhere ---- */

static void what_is_no_ledger(void **state) {
    (void)state;
    struct world good = usual(), w;
    ask(&good, 1, 1, 60);
    report(&good, 1, 2, 0, 20, 10);
    pass(&good, 100 * MS);
    ask(&good, 1, 2, 0);
    flowctl_ledger *l = ledger_of(&w);
    flowctl_ledger_session *s = (flowctl_ledger_session *)(void *)(l + 1);
    const size_t bytes = sizeof w.bytes;
#define ASSERT_UNSOUND(change)                           \
    do {                                                 \
        w = good;                                        \
        assert_true(flowctl_ledger_is_sound(l, bytes));  \
        change;                                          \
        assert_false(flowctl_ledger_is_sound(l, bytes)); \
    } while (0)
    ASSERT_UNSOUND(l->magic ^= 1);
    ASSERT_UNSOUND(l->count = ROOM + 1);
    ASSERT_UNSOUND(l->room = ROOM + 1);
    ASSERT_UNSOUND(l->room = UINT32_MAX);
    ASSERT_UNSOUND(l->out++);
    ASSERT_UNSOUND(l->granted++);
    ASSERT_UNSOUND(l->level_lo++); /* full as it is */
    ASSERT_UNSOUND(l->level_hi = INT64_MAX);
    ASSERT_UNSOUND(s->used = 61);
    ASSERT_UNSOUND(s->back = 41);
    ASSERT_UNSOUND(s->granted = UINT64_MAX);
    ASSERT_UNSOUND(s->name[FLOWCTL_MEMBER_NAME_MAX] = 'x');
    ASSERT_UNSOUND(l->terms.rate.period_ns = 0);
    ASSERT_UNSOUND(l->terms.burst = 0);
    ASSERT_UNSOUND(l->terms.ttl_ns = 0);
    ASSERT_UNSOUND(l->shortest_ttl_ns = 0);
    ASSERT_UNSOUND(l->longest_ttl_ns = 0);
#undef ASSERT_UNSOUND
    w = good;
    assert_false(flowctl_ledger_is_sound(l, sizeof *l - 1));
    assert_false(flowctl_ledger_is_sound(l, sizeof *l));
    memset(w.bytes, 0, sizeof w.bytes);
    assert_false(flowctl_ledger_is_sound(l, bytes));
    flowctl_ledger_init(l, ROOM, 1, FLOWCTL_LEDGER_FIRST);
    assert_true(flowctl_ledger_is_sound(l, bytes));
}

static uint64_t any(uint64_t *r) {
    switch (test_below(r, 4)) {
    case 0: return test_below(r, 4);
    case 1: return test_below(r, 200);
    case 2: return test_magnitude(r, UINT64_MAX);
    default: return UINT64_MAX - test_below(r, 3);
    }
}

/* Whatever is asked, and whenever. */
static void a_ledger_stays_sound(void **state) {
    (void)state;
    uint64_t r = test_seed("ledger");
    struct world w = usual();
    for (int i = 0; i < 100000; i++) {
        if (test_below(&r, 500) == 0) {
            world_begin(&w, flowctl_per(1 + test_below(&r, 2000), test_magnitude(&r, FLOWCTL_NS_PER_SEC)),
                        test_magnitude(&r, FLOWCTL_BURST_MAX));
        }
        flowctl_lease_ask a = plain(&w, test_below(&r, 12), 1 + any(&r) / 2, any(&r));
        a.need = test_below(&r, 3) ? 0 : any(&r);
        a.used = any(&r), a.back = any(&r), a.seen_clk_ns = any(&r), a.since_ns = any(&r);
        a.seen_identity = test_below(&r, 2) ? w.identity : any(&r);
        a.leaves = test_below(&r, 20) == 0;
        a.terms.version = test_below(&r, 10) ? 1 : any(&r);
        if (test_below(&r, 2)) a.terms.burst = any(&r);
        if (test_below(&r, 200) == 0) w.identity++;
        w.now_ns = test_below(&r, 20) == 0 ? any(&r) : w.now_ns + test_below(&r, 200 * MS);
        ask_with(&w, &a);
    }
}

static void looking_changes_nothing(void **state) {
    (void)state;
    struct world w = usual();
    ask(&w, 1, 1, 60);
    ask(&w, 2, 1, 0);
    pass(&w, 100 * MS);
    struct world before = w;
    flowctl_member_state members[ROOM];
    flowctl_limit_state s = {.size = sizeof s};
    flowctl_ledger_inspect(ledger_of(&w), w.now_ns, &s, members, ROOM);
    assert_memory_equal(before.bytes, w.bytes, sizeof w.bytes);
    assert_int_equal(s.level, 40);
    assert_int_equal(s.out, 60);
    assert_int_equal(s.member_count, 2);
    assert_string_equal(members[0].name, "member");
    assert_int_equal(members[0].granted, 60);
    assert_true(members[0].active);
    assert_false(members[1].active);
    assert_int_equal(members[0].expires_in_ns, KEPT - 100 * MS);
    flowctl_ledger_inspect(ledger_of(&w), w.now_ns, &s, members, 1);
    assert_int_equal(s.member_count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_lent_and_what_can_be_are_at_most_the_burst),
        cmocka_unit_test(used_permits_come_back_by_time_and_unused_ones_at_once),
        cmocka_unit_test(a_repeated_ask_grants_nothing_and_older_sums_change_nothing),
        cmocka_unit_test(all_or_nothing),
        cmocka_unit_test(who_needs_more_than_there_is_is_saved_for),
        cmocka_unit_test(who_does_not_come_again_is_saved_for_an_eighth_of_a_lease),
        cmocka_unit_test(nobody_is_saved_for_who_needs_more_than_the_burst),
        cmocka_unit_test(one_member_holds_at_most_twice_its_part),
        cmocka_unit_test(where_several_are_short_each_gets_its_part),
        cmocka_unit_test(a_lease_is_kept_until_it_must_be_over_for_its_holder),
        cmocka_unit_test(an_ask_renews_all_that_is_held),
        cmocka_unit_test(an_unknown_session_is_dead_and_changes_nothing),
        cmocka_unit_test(another_account_of_the_same_name_is_dead_too),
        cmocka_unit_test(who_leaves_leaves_nothing_behind),
        cmocka_unit_test(there_is_room_for_so_many_sessions),
        cmocka_unit_test(a_step_moves_the_clock_by_a_quarter_of_a_lease),
        cmocka_unit_test(after_a_step_back_permits_are_earned_at_once),
        cmocka_unit_test(a_member_vouches_for_the_time_since_its_last_answer),
        cmocka_unit_test(who_vouches_ends_no_lease_younger_than_its_word),
        cmocka_unit_test(what_was_held_left_no_room_until_it_was_over),
        cmocka_unit_test(another_run_lends_nothing_until_all_leases_are_over),
        cmocka_unit_test(a_store_that_lost_its_state_begins_so_too),
        cmocka_unit_test(longer_leases_that_were_lost_with_the_state_make_a_quarantine_longer),
        cmocka_unit_test(a_first_ledger_begins_full_only_if_asked),
        cmocka_unit_test(the_higher_version_is_in_force_and_of_equal_ones_the_first),
        cmocka_unit_test(a_smaller_burst_is_owed_by_those_who_hold_more),
        cmocka_unit_test(what_was_earned_is_earned_at_the_old_rate),
        cmocka_unit_test(asks_that_cannot_be),
        cmocka_unit_test(no_fraction_is_ever_lost),
        cmocka_unit_test(the_largest_and_the_smallest_values),
        cmocka_unit_test(the_shortest_and_the_longest_lease),
        cmocka_unit_test(what_is_no_ledger),
        cmocka_unit_test(a_ledger_stays_sound),
        cmocka_unit_test(looking_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a member asks, and what it makes of an answer. Leases of 1 s; times by the member's clock. */
#include "unit/fixture.h"

#include "algo/session.h"

#define MS FLOWCTL_NS_PER_MS
#define TTL (1000 * MS)
/* What is left of a lease by a clock that may be 200 ppm fast. */
#define USABLE (TTL - TTL / 5000 - 1)
#define START FIXTURE_START_NS

static const flowctl_session_id id = {1, 2};

struct member {
    struct fc_session s;
    int64_t held;
    uint64_t credit;
    flowctl_lease_ask ask;
};

static struct member usual(void) {
    struct member m = {.held = 0};
    fc_session_begin(&m.s, id);
    return m;
}

static void ask(struct member *m, uint64_t now_ns) { fc_session_ask(&m->s, now_ns, m->held, &m->ask); }

static flowctl_lease_reply reply(uint64_t seq, uint64_t grant, uint64_t granted) {
    return (flowctl_lease_reply){.size = sizeof(flowctl_lease_reply),
                                 .session = id,
                                 .seq = seq,
                                 .grant = grant,
                                 .granted = granted,
                                 .lease_ns = TTL,
                                 .identity = 7,
                                 .clk_ns = 1000 + seq};
}

static enum fc_session_news hear(struct member *m, uint64_t now_ns, const flowctl_lease_reply *r) {
    enum fc_session_news news = fc_session_reply(&m->s, now_ns, r, &m->credit);
    m->held += (int64_t)m->credit;
    return news;
}

static enum fc_session_news granted(struct member *m, uint64_t now_ns, uint64_t seq, uint64_t grant, uint64_t sum) {
    flowctl_lease_reply r = reply(seq, grant, sum);
    return hear(m, now_ns, &r);
}

static void asks_count_and_report_what_is_used(void **state) {
    (void)state;
    struct member m = usual();
    ask(&m, START);
    assert_int_equal(m.ask.seq, 1);
    assert_true(m.ask.session.hi == id.hi && m.ask.session.lo == id.lo);
    assert_int_equal(m.ask.used + m.ask.back + m.ask.seen_clk_ns + m.ask.since_ns + m.ask.seen_identity, 0);
    assert_int_equal(granted(&m, START, 1, 60, 60), FC_NEWS_LEASE);
    assert_int_equal(m.held, 60);
    m.held -= 25;
    ask(&m, START);
    assert_int_equal(m.ask.seq, 2);
    assert_int_equal(m.ask.used, 25);
    m.held -= 10;
    fc_session_give_up(&m.s, 10);
    ask(&m, START);
    assert_int_equal(m.ask.used, 25);
    assert_int_equal(m.ask.back, 10);
}

static void what_is_owed_is_reported_when_it_is_lent(void **state) {
    (void)state;
    struct member m = usual();
    ask(&m, START);
    granted(&m, START, 1, 60, 60);
    m.held -= 80;
    ask(&m, START);
    assert_int_equal(m.ask.used, 60);
    granted(&m, START, 2, 30, 90);
    ask(&m, START);
    assert_int_equal(m.held, 10);
    assert_int_equal(m.ask.used, 80);
}

static void a_lease_counts_from_the_sending(void **state) {
    (void)state;
    struct member m = usual();
    ask(&m, START);
    assert_false(fc_session_valid(&m.s, START));
    granted(&m, START + 400 * MS, 1, 60, 60);
    assert_int_equal(m.s.until_ns, START + USABLE);
    assert_true(fc_session_valid(&m.s, START + USABLE - 1));
    assert_false(fc_session_valid(&m.s, START + USABLE));
    /* The latest sending counts, in whatever order they are answered. */
    ask(&m, START + 500 * MS);
    ask(&m, START + 600 * MS);
    granted(&m, START + 700 * MS, 3, 0, 60);
    assert_int_equal(m.s.until_ns, START + 600 * MS + USABLE);
    granted(&m, START + 700 * MS, 2, 0, 60);
    assert_int_equal(m.s.until_ns, START + 600 * MS + USABLE);
}

static void an_answer_after_the_lease_brings_nothing(void **state) {
    (void)state;
    struct member m = usual();
    ask(&m, START);
    assert_int_equal(granted(&m, START + USABLE, 1, 60, 60), FC_NEWS_LEASE);
    assert_int_equal(m.credit, 0);
    ask(&m, START + USABLE);
    assert_int_equal(m.ask.back, 60);
    assert_int_equal(m.ask.used, 0);
}

static void a_grant_whose_answer_was_lost_goes_back(void **state) {
    (void)state;
    struct member m = usual();
    ask(&m, START);
    ask(&m, START);
    ask(&m, START);
    granted(&m, START, 3, 10, 60);
    assert_int_equal(m.held, 10);
    /* And is worth nothing if it comes after all. */
    assert_int_equal(granted(&m, START, 1, 50, 50), FC_NEWS_NOTHING);
    ask(&m, START);
    assert_int_equal(m.ask.back, 50);
    assert_int_equal(m.ask.used, 0);
}

static void answers_in_another_order_than_they_were_served(void **state) {
    (void)state;
    struct member m = usual();
    for (int i = 0; i < 6; i++) ask(&m, START);
    /* Served: 5 (20), 6 (10), 4. Heard: 4, 5, 6. */
    assert_int_equal(granted(&m, START, 4, 0, 30), FC_NEWS_LEASE);
    assert_int_equal(granted(&m, START, 5, 20, 20), FC_NEWS_NOTHING);
    assert_int_equal(granted(&m, START, 6, 10, 30), FC_NEWS_NOTHING);
    assert_int_equal(m.held, 0);
    ask(&m, START);
    assert_int_equal(m.ask.back, 30);
    assert_int_equal(m.ask.used, 0);
}

static void an_answer_that_knows_less_changes_nothing(void **state) {
    (void)state;
    struct member m = usual();
    for (int i = 0; i < 6; i++) ask(&m, START + (uint64_t)i);
    granted(&m, START + 9, 4, 0, 30);
    uint64_t until_ns = m.s.until_ns;
    assert_int_equal(granted(&m, START + 9, 5, 0, 20), FC_NEWS_NOTHING);
    assert_int_equal(granted(&m, START + 9, 6, 20, 40), FC_NEWS_NOTHING); /* 20 before it: less than 30 */
    assert_int_equal(m.s.granted, 30);
    assert_int_equal(m.s.until_ns, until_ns);
    assert_int_equal(m.held, 0);
}

static void answers_that_are_not_for_this_session(void **state) {
    (void)state;
    struct member m = usual();
    ask(&m, START);
    flowctl_lease_reply r = reply(1, 10, 10);
    r.session.lo++;
    assert_int_equal(hear(&m, START, &r), FC_NEWS_NOTHING);
    r.dead = true;
    assert_int_equal(hear(&m, START, &r), FC_NEWS_NOTHING);
    r = reply(2, 10, 10); /* of an ask that was not sent */
    assert_int_equal(hear(&m, START, &r), FC_NEWS_NOTHING);
    r = reply(1, 11, 10);
    assert_int_equal(hear(&m, START, &r), FC_NEWS_NOTHING);
    r = reply(1, 10, 10);
    r.status = FLOWCTL_UNAVAILABLE;
    assert_int_equal(hear(&m, START, &r), FC_NEWS_NOTHING);
    assert_int_equal(m.held, 0);
    assert_int_equal(granted(&m, START, 1, 10, 10), FC_NEWS_LEASE);
    assert_int_equal(granted(&m, START, 1, 10, 10), FC_NEWS_NOTHING);
    assert_int_equal(m.held, 10);
}

static void another_run_of_the_store_prolongs_nothing(void **state) {
    (void)state;
    struct member m = usual();
    ask(&m, START);
    granted(&m, START, 1, 10, 10);
    ask(&m, START + 1);
    assert_int_equal(m.ask.seen_identity, 7);
    flowctl_lease_reply r = reply(2, 10, 20);
    r.identity = 8;
    assert_int_equal(hear(&m, START + 1, &r), FC_NEWS_NOTHING);
    assert_int_equal(m.s.until_ns, START + USABLE);
    r.dead = true;
    assert_int_equal(hear(&m, START + 1, &r), FC_NEWS_DEAD);
}

static void dead_is_heard_unless_it_is_old(void **state) {
    (void)state;
    struct member m = usual();
    ask(&m, START);
    ask(&m, START);
    granted(&m, START, 2, 0, 0);
    flowctl_lease_reply r = reply(1, 0, 0);
    r.dead = true;
    assert_int_equal(hear(&m, START, &r), FC_NEWS_NOTHING);
    ask(&m, START);
    r.seq = 3;
    assert_int_equal(hear(&m, START, &r), FC_NEWS_DEAD);
    fc_session_begin(&m.s, (flowctl_session_id){3, 4});
    assert_false(fc_session_valid(&m.s, 0));
}

static void more_asks_on_their_way_than_are_remembered(void **state) {
    (void)state;
    struct member m = usual();
    for (int i = 0; i < FC_SESSION_ASKS + 1; i++) ask(&m, START);
    assert_int_equal(granted(&m, START, 1, 10, 10), FC_NEWS_LEASE);
    assert_int_equal(m.held, 0);
    assert_int_equal(m.s.until_ns, 0);
    assert_int_equal(granted(&m, START, 2, 10, 20), FC_NEWS_LEASE);
    assert_int_equal(m.held, 10);
    ask(&m, START);
    assert_int_equal(m.ask.back, 10);
}

static void an_ask_tells_what_is_known_of_the_time(void **state) {
    (void)state;
    struct member m = usual();
    ask(&m, START);
    granted(&m, START + 5 * MS, 1, 0, 0);
    ask(&m, START + 105 * MS);
    assert_int_equal(m.ask.seen_clk_ns, 1001);
    assert_int_equal(m.ask.since_ns, 100 * MS - 100 * MS / 5000 - 1);
    /* An answer that was long on its way says less than the older one. */
    granted(&m, START + 200 * MS, 2, 0, 0);
    ask(&m, START + 205 * MS);
    assert_int_equal(m.ask.seen_clk_ns, 1001);
    flowctl_lease_reply r = reply(3, 0, 0);
    r.clk_ns = 1001 + 201 * MS;
    hear(&m, START + 206 * MS, &r);
    ask(&m, START + 206 * MS);
    assert_int_equal(m.ask.seen_clk_ns, r.clk_ns);
    assert_int_equal(m.ask.since_ns, 0);
    ask(&m, START); /* a clock that went back */
    assert_int_equal(m.ask.since_ns, 0);
}

static void at_the_end_of_time(void **state) {
    (void)state;
    struct member m = usual();
    ask(&m, UINT64_MAX - 10);
    granted(&m, UINT64_MAX - 9, 1, 60, 60);
    assert_int_equal(m.s.until_ns, UINT64_MAX);
    assert_int_equal(m.held, 60);
    fc_session_begin(&m.s, id);
    m.held = 0;
    ask(&m, 0);
    granted(&m, 0, 1, UINT64_MAX / 4, UINT64_MAX / 4);
    assert_int_equal(m.held, UINT64_MAX / 4);
    assert_int_equal(m.s.until_ns, USABLE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_count_and_report_what_is_used),
        cmocka_unit_test(what_is_owed_is_reported_when_it_is_lent),
        cmocka_unit_test(a_lease_counts_from_the_sending),
        cmocka_unit_test(an_answer_after_the_lease_brings_nothing),
        cmocka_unit_test(a_grant_whose_answer_was_lost_goes_back),
        cmocka_unit_test(answers_in_another_order_than_they_were_served),
        cmocka_unit_test(an_answer_that_knows_less_changes_nothing),
        cmocka_unit_test(answers_that_are_not_for_this_session),
        cmocka_unit_test(another_run_of_the_store_prolongs_nothing),
        cmocka_unit_test(dead_is_heard_unless_it_is_old),
        cmocka_unit_test(more_asks_on_their_way_than_are_remembered),
        cmocka_unit_test(an_ask_tells_what_is_known_of_the_time),
        cmocka_unit_test(at_the_end_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

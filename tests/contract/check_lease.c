/* Lending, as one process sees it. */
#include "link.h"

#include <stdlib.h>
#include <string.h>

#define TTL_NS (50 * FLOWCTL_NS_PER_MS)
#define LONG_TTL_NS (5 * FLOWCTL_NS_PER_SEC)
#define FAST flowctl_per(1000, FLOWCTL_NS_PER_MS)

static void vtable(const struct contract_subject *s) {
    flowctl_error err = {FLOWCTL_OK, 0, ""};
    if (flowctl_backend_check(s->ops, &err) != FLOWCTL_OK) contract_fail(__FILE__, __LINE__, "%s", err.message);
    if (s->ops->able == NULL) EXPECT_NUMBER(flowctl_backend_ops_capabilities(s->ops), ==, s->capabilities);
    struct link *l = link_open(s);
    link_close(l);
}

/* As many answers as calls; with repeats, at least as many. */
static void answers(const struct contract_subject *s) {
    struct link *l = link_open(s);
    struct member m = member_of(l, "answers", terms_of(FAST, 100, TTL_NS, 1));
    for (int i = 0; i < 20; i++) {
        member_ask(&m, 1, 0);
        EXPECT_NUMBER(m.reply.status, ==, FLOWCTL_OK);
    }
    link_rest(l, 20 * FLOWCTL_NS_PER_MS);
    EXPECT_NUMBER(link_last_ticket(l), ==, 20);
    for (uint64_t t = 1; t <= 20; t++) {
        EXPECT_NUMBER(link_answers(l, t), >=, 1);
        EXPECT(s->faulty || link_answers(l, t) == 1);
    }
    link_close(l);
}

/* No answer after close, also if some were due. */
static void close_at_once(const struct contract_subject *s) {
    for (int i = 0; i < 20; i++) {
        struct link *l = link_open(s);
        struct member m = member_of(l, "close", terms_of(FAST, 100, TTL_NS, 1));
        member_ask(&m, 1, 0);
        link_close(l);
    }
}

static void burst(const struct contract_subject *s) {
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "burst", 100, LONG_TTL_NS / 100);
    struct member m[5];
    uint64_t sum = 0;
    for (int i = 0; i < 5; i++) {
        m[i] = member_of(l, "burst", terms);
        uint64_t grant = member_ask(&m[i], 40, 0);
        if (i == 0) EXPECT_NUMBER(grant, ==, 40);
        if (i == 4 && !s->faulty) EXPECT(m[i].reply.grant == 0 && m[i].reply.retry_after_ns != 0);
        sum += grant;
    }
    EXPECT_NUMBER(sum, <=, 100);
    EXPECT_NUMBER(sum, >=, 80);
    EXPECT_NUMBER(m[4].reply.members, ==, 5);
    link_close(l);
}

/* An ask that comes again grants nothing, nor does one that comes late. */
static void repeated(const struct contract_subject *s) {
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "repeated", 100, TTL_NS);
    struct member m = member_of(l, "repeated", terms);
    EXPECT_NUMBER(member_ask(&m, 10, 0), ==, 10);
    flowctl_lease_reply again = link_lease(l, &m.ask);
    EXPECT_NUMBER(again.grant, ==, 0);
    EXPECT_NUMBER(again.granted, ==, 10);
    m.ask.seq = 2;
    EXPECT_NUMBER(member_ask(&m, 10, 0), ==, 10); /* as number 3 */
    m.ask.seq = 2;
    again = link_lease(l, &m.ask);
    EXPECT_NUMBER(again.grant, ==, 0);
    EXPECT_NUMBER(again.granted, ==, 20);
    link_close(l);
}

static void unknown_session(const struct contract_subject *s) {
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "unknown", 100, TTL_NS);
    struct member ghost = member_of(l, "unknown", terms), m = member_of(l, "unknown", terms);
    ghost.ask.seq = 6;
    ghost.ask.used = 50;
    member_ask(&ghost, 10, 0);
    EXPECT_NUMBER(ghost.reply.status, ==, FLOWCTL_OK);
    EXPECT(ghost.reply.dead);
    EXPECT(ghost.reply.grant == 0 && ghost.reply.granted == 0);
    EXPECT_NUMBER(ghost.reply.terms.burst, ==, 100);
    EXPECT_NUMBER(member_ask(&m, 100, 0), ==, 100);
    link_close(l);
}

/* What a session held is lent again only when its lease is over, with the margin of sys/ledger.h; and it is, then. */
static void expiry(const struct contract_subject *s) {
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "expiry", 100, TTL_NS);
    struct member gone = member_of(l, "expiry", terms), next = member_of(l, "expiry", at_rate(terms, FAST));
    uint64_t sent_ns = link_now(), gained = 0;
    EXPECT_NUMBER(member_ask(&gone, 100, 0), ==, 100);
    while (gained == 0) {
        EXPECT_NUMBER(link_now() - sent_ns, <, 40 * TTL_NS);
        gained = member_ask(&next, 1, 0);
        link_rest(l, 2 * FLOWCTL_NS_PER_MS);
    }
    EXPECT_NUMBER(next.seen_ns - sent_ns + FLOWCTL_NS_PER_MS, >=, TTL_NS + 3 * TTL_NS / 4);
    member_ask(&gone, 0, 0);
    EXPECT(gone.reply.dead);
    link_close(l);
}

/* A session that asks keeps what it holds. */
static void renewal(const struct contract_subject *s) {
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "renewal", 100, TTL_NS);
    struct member holds = member_of(l, "renewal", terms), wants = member_of(l, "renewal", at_rate(terms, FAST));
    EXPECT_NUMBER(member_ask(&holds, 100, 0), ==, 100);
    for (uint64_t until_ns = link_now() + 4 * TTL_NS; link_now() < until_ns; link_rest(l, 2 * FLOWCTL_NS_PER_MS)) {
        uint64_t before_ns = holds.seen_ns;
        member_ask(&holds, 0, 0);
        if (holds.seen_ns - before_ns > TTL_NS) break; /* this machine stood still for longer than the lease */
        EXPECT(!holds.reply.dead);
        EXPECT_NUMBER(holds.reply.lease_ns, ==, TTL_NS);
        EXPECT_NUMBER(member_ask(&wants, 1, 0), ==, 0);
    }
    link_close(l);
}

static void reports(const struct contract_subject *s) {
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "reports", 100, LONG_TTL_NS / 100);
    struct member a = member_of(l, "reports", terms), b = member_of(l, "reports", terms);
    EXPECT_NUMBER(member_ask(&a, 100, 0), ==, 100);
    EXPECT_NUMBER(member_ask(&b, 40, 0), ==, 0);
    a.ask.used = 50; /* is gone */
    member_ask(&a, 0, 0);
    EXPECT_NUMBER(member_ask(&b, 40, 0), ==, 0);
    a.ask.back = 30; /* is there at once */
    member_ask(&a, 0, 0);
    EXPECT_NUMBER(member_ask(&b, 40, 0), ==, 30);
    a.ask.back = 10, a.ask.used = 20; /* sums don't fall, */
    member_ask(&a, 0, 0);
    EXPECT_NUMBER(a.reply.granted, ==, 100);
    EXPECT_NUMBER(member_ask(&b, 100, 0), ==, 0);
    link_close(l);
}

/* Who reports more than was lent, or knows another run of the store, has an account of the same name at most: that pays for nothing. */
static void not_its_account(const struct contract_subject *s) {
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "account", 100, LONG_TTL_NS / 100);
    struct member a = member_of(l, "account", terms), b = member_of(l, "account", terms);
    EXPECT_NUMBER(member_ask(&a, 100, 0), ==, 100);
    EXPECT(a.reply.identity != 0);
    static const uint64_t reports[][2] = {{0, UINT64_MAX}, {0, 101}, {101, 0}, {UINT64_MAX, 1}, {60, 41}};
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        a.ask.used = reports[i][0], a.ask.back = reports[i][1];
        member_ask(&a, 0, 0);
        EXPECT(a.reply.dead && a.reply.granted == 0);
    }
    a.ask.used = 0, a.ask.back = 50;
    a.ask.seen_identity += 1;
    member_ask(&a, 0, 0);
    EXPECT(a.reply.dead);
    EXPECT_NUMBER(member_ask(&b, 100, 0), ==, 0);
    link_close(l);
}

static void need(const struct contract_subject *s) {
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "need", 10, LONG_TTL_NS / 100);
    struct member a = member_of(l, "need", terms), b = member_of(l, "need", terms);
    EXPECT_NUMBER(member_ask(&a, 6, 0), ==, 6);
    EXPECT_NUMBER(member_ask(&b, 8, 8), ==, 0);
    EXPECT(b.reply.retry_after_ns != 0);
    a.ask.back = 5;
    member_ask(&a, 0, 0);
    EXPECT_NUMBER(member_ask(&b, 9, 8), >=, 8);
    link_close(l);
}

static void leaving(const struct contract_subject *s) {
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "leaving", 100, LONG_TTL_NS / 100);
    struct member a = member_of(l, "leaving", terms), b = member_of(l, "leaving", terms);
    EXPECT_NUMBER(member_ask(&a, 60, 0), ==, 60);
    a.ask.used = 10;
    member_leave(&a);
    EXPECT_NUMBER(member_ask(&b, 100, 0), ==, 90);
    a.ask.leaves = false;
    member_ask(&a, 1, 0);
    EXPECT(a.reply.dead);
    link_close(l);
}

/* The higher version is in force; of the same version, the one that came first. */
static void settings(const struct contract_subject *s) {
    struct link *l = link_open(s);
    flowctl_lease_terms first = terms_of(FAST, 10, TTL_NS, 7), other = first, newer = first;
    other.burst = 20;
    newer.burst = 30, newer.version = 8;
    struct member a = member_of(l, "settings", first), b = member_of(l, "settings", other),
                  c = member_of(l, "settings", newer);
    member_ask(&a, 0, 0);
    member_ask(&b, 0, 0);
    EXPECT_NUMBER(b.reply.terms.burst, ==, 10);
    member_ask(&c, 0, 0);
    EXPECT_NUMBER(c.reply.terms.burst, ==, 30);
    member_ask(&a, 0, 0);
    EXPECT_NUMBER(a.reply.terms.burst, ==, 30);
    EXPECT_NUMBER(a.reply.terms.version, ==, 8);
    link_close(l);
}

/* Every id is a limit of its own, of any bytes. */
static void ids(const struct contract_subject *s) {
    static char longest[FLOWCTL_LIMIT_ID_MAX + 1], nearly[FLOWCTL_LIMIT_ID_MAX + 1];
    const char *all[] = {"a",      "A",        "a b",      "a ", "a\"b", "a'b",         "{a}", "{a}b", "a\nb",  "a\r\nb",
                         "%s%n%d", "\xc3\xbc", "\xff\x01", "*",  "..",   "/etc/passwd", "a:b", "a:x",  longest, nearly};
    memset(longest, 'x', sizeof longest - 1);
    memset(nearly, 'x', sizeof nearly - 2);
    struct link *l = link_open(s);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            struct member m = member_of(l, all[i], terms_of(FAST, round == 0 ? i + 1 : 1000, TTL_NS, 1));
            member_ask(&m, 0, 0);
            EXPECT_NUMBER(m.reply.status, ==, FLOWCTL_OK);
            EXPECT_NUMBER(m.reply.terms.burst, ==, i + 1);
        }
    link_close(l);
}

static void refused(struct link *l, flowctl_lease_ask ask) {
    flowctl_lease_reply r = link_lease(l, &ask);
    EXPECT(r.status == FLOWCTL_INVALID_ARGUMENT || r.status == FLOWCTL_OUT_OF_RANGE);
    EXPECT(r.grant == 0 && r.granted == 0 && r.lease_ns == 0);
}

static void bad_asks(const struct contract_subject *s) {
    static char too_long[FLOWCTL_LIMIT_ID_MAX + 2];
    memset(too_long, 'x', sizeof too_long - 1);
    struct link *l = link_open(s);
    flowctl_lease_ask good = member_of(l, "bad", terms_of(FAST, 10, TTL_NS, 1)).ask;
    good.seq = 1, good.want = 5;
#define WITH(field, value)            \
    do {                              \
        flowctl_lease_ask bad = good; \
        bad.field = (value);          \
        refused(l, bad);              \
    } while (0)
    WITH(limit, too_long);
    WITH(limit, "");
    WITH(seq, 0);
    WITH(need, 6);
    WITH(terms.rate.permits, 0);
    WITH(terms.rate.period_ns, 0);
    WITH(terms.rate, flowctl_per(UINT64_MAX, 1));
    WITH(terms.burst, 0);
    WITH(terms.burst, UINT64_MAX);
    WITH(terms.ttl_ns, 0);
    WITH(terms.ttl_ns, UINT64_MAX);
    if (s->capabilities & FLOWCTL_CAN_INSPECT) {
        struct inspected *in = link_inspect(l, NULL);
        EXPECT_NUMBER(in->count, ==, 0);
        free(in);
    }
    EXPECT_NUMBER(link_lease(l, &good).status, ==, FLOWCTL_OK);
    link_close(l);
}

/* Refill is what the time between two answers makes, not more, and less only by what can't be told. */
static void refill(const struct contract_subject *s) {
    enum { PER_MS = 20, BURST = 2000 };
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "refill", BURST, LONG_TTL_NS / 10);
    struct member m = member_of(l, "refill", terms);
    EXPECT_NUMBER(member_ask(&m, BURST, 0), ==, BURST);
    m.ask.terms = at_rate(terms, flowctl_per(PER_MS, FLOWCTL_NS_PER_MS));
    m.ask.used = m.granted;
    uint64_t a0_ns = link_now(), sum = 0;
    member_ask(&m, 0, 0);
    uint64_t a1_ns = m.seen_ns, full_ns = BURST / PER_MS * FLOWCTL_NS_PER_MS;
    for (int i = 0; i < 6; i++) {
        uint64_t before_ns = i == 0 ? a0_ns : m.seen_ns;
        link_rest(l, 9 * FLOWCTL_NS_PER_MS);
        uint64_t b0_ns = link_now();
        sum += member_ask(&m, BURST, 0);
        m.ask.used = m.granted;
        if (m.seen_ns - before_ns > full_ns / 2) break; /* this machine stood still; the bucket may have been full */
        uint64_t least = (b0_ns - a1_ns) * PER_MS / FLOWCTL_NS_PER_MS;
        EXPECT_NUMBER(sum, <=, (m.seen_ns - a0_ns) * PER_MS / FLOWCTL_NS_PER_MS + 1);
        EXPECT(s->faulty || sum + 2 >= least);
    }
    link_close(l);
}

/* Many, or an answer that says that there is no room; and room again when one leaves. */
static void many_sessions(const struct contract_subject *s) {
    enum { MANY = 300 };
    static struct member m[MANY + 1];
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "many", 1000, LONG_TTL_NS / 10);
    unsigned n = 0;
    for (; n < MANY; n++) {
        m[n] = member_of(l, "many", terms);
        member_ask(&m[n], n == 0 ? 5 : 0, 0);
        if (m[n].reply.status != FLOWCTL_OK) break;
    }
    EXPECT_NUMBER(n, >=, s->sessions);
    if (n < MANY) EXPECT_NUMBER(m[n].reply.status, ==, FLOWCTL_NO_MEMORY);
    member_ask(&m[0], 0, 0);
    EXPECT(m[0].reply.status == FLOWCTL_OK && !m[0].reply.dead);
    EXPECT_NUMBER(m[0].reply.granted, ==, 5);
    member_leave(&m[1]);
    m[MANY] = member_of(l, "many", terms);
    EXPECT_NUMBER(member_ask(&m[MANY], 7, 0), ==, 7);
    link_close(l);
}

const struct contract_check contract_lease_checks[] = {
    {"vtable", vtable, 0, true},
    {"answers", answers, FLOWCTL_CAN_LEND, true},
    {"close_at_once", close_at_once, FLOWCTL_CAN_LEND, true},
    {"burst", burst, FLOWCTL_CAN_LEND, true},
    {"repeated", repeated, FLOWCTL_CAN_LEND, true},
    {"unknown_session", unknown_session, FLOWCTL_CAN_LEND, true},
    {"expiry", expiry, FLOWCTL_CAN_LEND, true},
    {"renewal", renewal, FLOWCTL_CAN_LEND, true},
    {"reports", reports, FLOWCTL_CAN_LEND, false},
    {"not_its_account", not_its_account, FLOWCTL_CAN_LEND, true},
    {"need", need, FLOWCTL_CAN_LEND, false},
    {"leaving", leaving, FLOWCTL_CAN_LEND, false},
    {"settings", settings, FLOWCTL_CAN_LEND, true},
    {"ids", ids, FLOWCTL_CAN_LEND, true},
    {"bad_asks", bad_asks, FLOWCTL_CAN_LEND, true},
    {"refill", refill, FLOWCTL_CAN_LEND | FLOWCTL_CAN_SERVER_TIME, true},
    {"many_sessions", many_sessions, FLOWCTL_CAN_LEND, false},
    {NULL, NULL, 0, false},
};

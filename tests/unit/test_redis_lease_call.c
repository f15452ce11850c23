/* An ask as the arguments of the script that lends, and what the script answers as a reply. */
#include "unit/fixture.h"

#include "base/wide.h"
#include "redis.h"
#include "support/seed.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Where an argument stands. */
enum {
    VERB,
    SESSION,
    NAME,
    LEAVES,
    SEQ,
    WANT,
    NEED,
    USED,
    BACK,
    IDENTITY,
    CLK,
    SINCE,
    RATE,
    P,
    Q,
    G,
    BURST,
    TTL,
    VERSION,
    ARGUMENTS
};

static flowctl_lease_ask usual(void) {
    return (flowctl_lease_ask){.size = sizeof(flowctl_lease_ask),
                               .limit = "limit",
                               .member = "ann",
                               .session = {UINT64_C(0x0123456789abcdef), 7},
                               .seq = 1,
                               .terms = {flowctl_per(1000, FLOWCTL_NS_PER_SEC), 100, FLOWCTL_NS_PER_SEC, 1}};
}

static const char *text(const struct fc_redis_arguments *a, int at) {
    static char copy[128];
    assert_true(a->lengths[at] < sizeof copy);
    memcpy(copy, a->argv[at], a->lengths[at]);
    copy[a->lengths[at]] = '\0';
    return copy;
}

static uint64_t number(const struct fc_redis_arguments *a, int at) {
    char *end;
    uint64_t value = strtoull(text(a, at), &end, 10);
    assert_true(*end == '\0' && a->lengths[at] != 0);
    return value;
}

/* Filled in where it is: it points into itself. */
static void fill(struct fc_redis_arguments *a, const flowctl_lease_ask *ask) {
    *a = (struct fc_redis_arguments){.count = 0};
    assert_int_equal(fc_redis_check_ask(ask), FLOWCTL_OK);
    fc_redis_add_ask(a, ask);
    assert_int_equal(a->count, ARGUMENTS);
    assert_true(a->used <= sizeof a->text);
}

/* ---- arguments ---- */

static void every_field_has_its_place(void **state) {
    (void)state;
    flowctl_lease_ask ask = usual();
    ask.seq = 2, ask.want = 30, ask.need = 4, ask.used = 5, ask.back = 6;
    ask.seen_identity = 0xab, ask.seen_clk_ns = 7999, ask.since_ns = 8000, ask.leaves = true, ask.terms.version = 9;
    struct fc_redis_arguments a;
    fill(&a, &ask);
    assert_string_equal(text(&a, VERB), "lease");
    assert_string_equal(text(&a, SESSION), "0123456789abcdef0000000000000007");
    assert_string_equal(text(&a, NAME), "ann");
    assert_string_equal(text(&a, LEAVES), "1");
    assert_string_equal(text(&a, SEQ), "2");
    assert_string_equal(text(&a, WANT), "30");
    assert_string_equal(text(&a, NEED), "4");
    assert_string_equal(text(&a, USED), "5");
    assert_string_equal(text(&a, BACK), "6");
    assert_string_equal(text(&a, IDENTITY), "00000000000000ab");
    assert_string_equal(text(&a, CLK), "7"); /* never more than it was */
    assert_string_equal(text(&a, SINCE), "8");
    assert_memory_equal(a.argv[RATE], &ask.terms.rate, sizeof ask.terms.rate);
    assert_string_equal(text(&a, P), "1");
    assert_string_equal(text(&a, Q), "1000");
    assert_string_equal(text(&a, G), "1000000");
    assert_string_equal(text(&a, BURST), "100");
    assert_string_equal(text(&a, TTL), "1000000");
    assert_string_equal(text(&a, VERSION), "9");
}

static void who_has_seen_nothing_says_so(void **state) {
    (void)state;
    flowctl_lease_ask ask = usual();
    ask.member = NULL;
    struct fc_redis_arguments a;
    fill(&a, &ask);
    assert_string_equal(text(&a, NAME), "");
    assert_string_equal(text(&a, LEAVES), "0");
    assert_string_equal(text(&a, IDENTITY), "0");
    assert_string_equal(text(&a, CLK), "0");
}

/* With the command, the script's name, and the longest key there can be. */
static void there_is_room_for_the_largest_ask(void **state) {
    char limit[FLOWCTL_LIMIT_ID_MAX + 1], member[200], prefix[FLOWCTL_REDIS_PREFIX_MAX + 1];
    struct fc_redis_arguments a = {.count = 0};
    (void)state;
    memset(limit, 'l', sizeof limit), limit[sizeof limit - 1] = '\0';
    memset(member, 'm', sizeof member), member[sizeof member - 1] = '\0';
    memset(prefix, 'p', sizeof prefix), prefix[sizeof prefix - 1] = '\0';
    flowctl_lease_ask ask = {.size = sizeof ask,
                             .limit = limit,
                             .member = member,
                             .session = {UINT64_MAX, UINT64_MAX},
                             .seq = UINT64_C(1) << 52,
                             .want = UINT64_MAX,
                             .need = UINT64_MAX,
                             .used = UINT64_MAX,
                             .back = UINT64_MAX,
                             .seen_identity = UINT64_MAX,
                             .seen_clk_ns = UINT64_MAX,
                             .since_ns = UINT64_MAX,
                             .terms = {{UINT64_C(3153599999999999999), FLOWCTL_PERIOD_MAX_NS},
                                       UINT64_C(1) << 50,
                                       FLOWCTL_NS_PER_HOUR,
                                       UINT64_C(1) << 53},
                             .leaves = true};
    assert_int_equal(fc_redis_check_ask(&ask), FLOWCTL_OK);
    fc_redis_add_text(&a, "EVALSHA");
    fc_redis_add_text(&a, fc_redis_lease_script.sha);
    fc_redis_add_text(&a, "1");
    fc_redis_add_key(&a, prefix, "", limit);
    fc_redis_add_ask(&a, &ask);
    assert_true((size_t)a.count <= sizeof a.argv / sizeof *a.argv);
    assert_true(a.used <= sizeof a.text);
    assert_int_equal(a.lengths[3], FLOWCTL_REDIS_PREFIX_MAX + FLOWCTL_LIMIT_ID_MAX + 2);
    assert_int_equal(a.lengths[4 + NAME], FLOWCTL_MEMBER_NAME_MAX);
    assert_string_equal(text(&a, 4 + SINCE), "18446744073709551");
}

static flowctl_status check(flowctl_lease_ask ask) { return fc_redis_check_ask(&ask); }

static void refuses_what_no_double_counts(void **state) {
    (void)state;
    flowctl_lease_ask ask = usual();
    ask.terms.burst = UINT64_C(1) << 50, ask.terms.version = UINT64_C(1) << 53, ask.seq = UINT64_C(1) << 52;
    assert_int_equal(check(ask), FLOWCTL_OK);
    ask.terms.burst++;
    assert_int_equal(check(ask), FLOWCTL_OUT_OF_RANGE);
    ask.terms.burst--, ask.terms.version++;
    assert_int_equal(check(ask), FLOWCTL_OUT_OF_RANGE);
    ask.terms.version--, ask.seq++;
    assert_int_equal(check(ask), FLOWCTL_OUT_OF_RANGE);
}

static void refuses_what_no_ledger_takes(void **state) {
    char limit[FLOWCTL_LIMIT_ID_MAX + 2];
    (void)state;
    memset(limit, 'l', sizeof limit), limit[sizeof limit - 1] = '\0';
#define REFUSED(status, change)                 \
    {                                           \
        flowctl_lease_ask ask = usual();        \
        change;                                 \
        assert_int_equal(check(ask), (status)); \
    }
    REFUSED(FLOWCTL_INVALID_ARGUMENT, ask.limit = NULL)
    REFUSED(FLOWCTL_INVALID_ARGUMENT, ask.limit = "")
    REFUSED(FLOWCTL_INVALID_ARGUMENT, ask.limit = limit)
    REFUSED(FLOWCTL_INVALID_ARGUMENT, ask.seq = 0)
    REFUSED(FLOWCTL_INVALID_ARGUMENT, ask.need = 1)
    REFUSED(FLOWCTL_OUT_OF_RANGE, ask.terms.burst = 0)
    REFUSED(FLOWCTL_OUT_OF_RANGE, ask.terms.rate.permits = 0)
    REFUSED(FLOWCTL_OUT_OF_RANGE, ask.terms.rate.period_ns = 0)
    REFUSED(FLOWCTL_OUT_OF_RANGE, ask.terms.rate = flowctl_per(11, 1))
    REFUSED(FLOWCTL_OUT_OF_RANGE, ask.terms.rate.period_ns = FLOWCTL_PERIOD_MAX_NS + 1)
    REFUSED(FLOWCTL_OUT_OF_RANGE, ask.terms.ttl_ns = FLOWCTL_NS_PER_MS)
    REFUSED(FLOWCTL_OUT_OF_RANGE, ask.terms.ttl_ns = FLOWCTL_NS_PER_HOUR + 1)
    REFUSED(FLOWCTL_OK, ask.limit = limit + 1)
#undef REFUSED
}

/* ---- the rate ---- */

/* What the script counts by is the rate; where a double can't hold it, a little less, by a part of 10^12 at most. */
static void assert_rate(flowctl_rate rate) {
    const uint64_t exact_max = UINT64_C(1) << 52;
    flowctl_lease_ask ask = usual();
    ask.terms.rate = rate;
    struct fc_redis_arguments a;
    fill(&a, &ask);
    uint64_t p = number(&a, P), q = number(&a, Q), g = number(&a, G);
    assert_true(p != 0 && q != 0 && g != 0 && p <= exact_max && q <= exact_max && g <= exact_max && q <= exact_max / g);
    /* p / q permits per us against rate: p x period_ns <= q x permits x 1000. All below 2^120. */
    fc_u128 script = (fc_u128)p * rate.period_ns, asked = (fc_u128)q * rate.permits * 1000;
    if (script > asked)
        fail_msg("%" PRIu64 " per %" PRIu64 " ns is more as %" PRIu64 " / %" PRIu64, rate.permits, rate.period_ns, p, q);
    if (asked - script > asked / UINT64_C(1000000000000))
        fail_msg("%" PRIu64 " per %" PRIu64 " ns is much less as %" PRIu64 " / %" PRIu64, rate.permits, rate.period_ns, p, q);
    /* Usual ones are exact, and the unit of a permit's part is the ledger's. */
    if (rate.permits <= exact_max / 1000 && rate.period_ns <= exact_max) {
        assert_true(script == asked);
        assert_int_equal(q * g, rate.period_ns);
    }
}

static void rates_at_their_limits(void **state) {
    static const uint64_t counts[] =
        {1, 2, 3, 7, 10, 999, 1000, 1001, UINT64_C(4503599627370), UINT64_C(4503599627371), UINT64_C(1) << 52};
    static const uint64_t periods[] = {1,
                                       3,
                                       1000,
                                       1001,
                                       FLOWCTL_NS_PER_SEC,
                                       UINT64_C(205891132094649),
                                       (UINT64_C(1) << 52) - 1,
                                       UINT64_C(1) << 52,
                                       (UINT64_C(1) << 52) + 1,
                                       FLOWCTL_NS_PER_YEAR,
                                       FLOWCTL_PERIOD_MAX_NS - 1,
                                       FLOWCTL_PERIOD_MAX_NS};
    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++)
        for (size_t j = 0; j < COUNT(periods); j++)
            if ((fc_u128)counts[i] * FLOWCTL_NS_PER_SEC <= (fc_u128)FLOWCTL_RATE_MAX_PER_SEC * periods[j])
                assert_rate(flowctl_per(counts[i], periods[j]));
    assert_rate(flowctl_per(10, 1));
    assert_rate(flowctl_per(UINT64_C(3153600000000000000), FLOWCTL_PERIOD_MAX_NS));
    assert_rate(flowctl_per(UINT64_C(3153599999999999999), FLOWCTL_PERIOD_MAX_NS));
    assert_rate(flowctl_per(UINT64_C(3153599999999999899), FLOWCTL_PERIOD_MAX_NS - 10));
}

static void any_rate(void **state) {
    uint64_t r = test_seed("any_rate");
    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t period_ns = test_magnitude(&r, FLOWCTL_PERIOD_MAX_NS);
        fc_u128 most = (fc_u128)FLOWCTL_RATE_MAX_PER_SEC * period_ns / FLOWCTL_NS_PER_SEC;
        assert_rate(flowctl_per(test_magnitude(&r, (uint64_t)most), period_ns));
    }
}

/* ---- answers ---- */

#define IDENTITY_TEXT "$16\r\n00000000000000ab\r\n"
#define RATE_TEXT "$16\r\n\x07\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\r\n"

/* The parts of a good answer, in RESP; the rate has zero bytes. */
static const struct {
    const char *resp;
    size_t bytes;
} good[] = {
#define PART(resp) \
    { resp, sizeof resp - 1 }
    PART(":0\r\n"),  PART(":30\r\n"),  PART(":70\r\n"),      PART(":1000000\r\n"), PART(":12\r\n"),
    PART(":13\r\n"), PART(":1\r\n"),   PART(":4\r\n"),       PART(":5000\r\n"),    PART(IDENTITY_TEXT),
    PART(RATE_TEXT), PART(":100\r\n"), PART(":2000000\r\n"), PART(":3\r\n"),
#undef PART
};
enum { PARTS = sizeof good / sizeof *good };

/* Of an answer with so many parts, one of which is another. */
static bool read_answer(size_t parts, size_t at, const char *other, flowctl_lease_reply *reply) {
    redisReader *reader = redisReaderCreate();
    char header[24];
    void *answer = NULL;
    int length = snprintf(header, sizeof header, "*%zu\r\n", parts);
    redisReaderFeed(reader, header, (size_t)length);
    for (size_t i = 0; i < parts; i++) {
        if (i == at) redisReaderFeed(reader, other, strlen(other));
        else if (i < PARTS) redisReaderFeed(reader, good[i].resp, good[i].bytes);
        else redisReaderFeed(reader, ":1\r\n", 4);
    }
    assert_int_equal(redisReaderGetReply(reader, &answer), REDIS_OK);
    assert_non_null(answer);
    *reply = (flowctl_lease_reply){.size = sizeof *reply};
    bool fine = fc_redis_read_answer(answer, reply);
    freeReplyObject(answer);
    redisReaderFree(reader);
    return fine;
}

static void every_part_is_read(void **state) {
    flowctl_lease_reply r;
    (void)state;
    assert_true(read_answer(PARTS, SIZE_MAX, NULL, &r));
    assert_false(r.dead);
    assert_int_equal(r.grant, 30);
    assert_int_equal(r.granted, 70);
    assert_int_equal(r.lease_ns, FLOWCTL_NS_PER_SEC);
    assert_int_equal(r.retry_after_ns, 12000);
    assert_int_equal(r.quarantine_ns, 13000);
    assert_true(r.scarce);
    assert_int_equal(r.members, 4);
    assert_int_equal(r.clk_ns, 5000000);
    assert_int_equal(r.identity, 0xab);
    assert_int_equal(r.terms.rate.permits, 7);
    assert_int_equal(r.terms.rate.period_ns, 9);
    assert_int_equal(r.terms.burst, 100);
    assert_int_equal(r.terms.ttl_ns, 2 * FLOWCTL_NS_PER_SEC);
    assert_int_equal(r.terms.version, 3);
    assert_int_equal(r.status, FLOWCTL_OK);
}

static void a_newer_script_may_say_more(void **state) {
    flowctl_lease_reply r;
    (void)state;
    assert_true(read_answer(PARTS + 3, SIZE_MAX, NULL, &r));
    assert_true(read_answer(PARTS + 3, PARTS + 1, "$3\r\nabc\r\n", &r));
    assert_int_equal(r.grant, 30);
}

static void a_shorter_answer_is_none(void **state) {
    flowctl_lease_reply r;
    (void)state;
    for (size_t parts = 0; parts < PARTS; parts++) assert_false(read_answer(parts, SIZE_MAX, NULL, &r));
}

static void a_part_of_another_type_is_none(void **state) {
    static const char *const others[] = {"$-1\r\n",
                                         "+OK\r\n",
                                         "-ERR\r\n",
                                         "*0\r\n",
                                         "$1\r\n1\r\n",
                                         "$0\r\n\r\n",
                                         ":-1\r\n",
                                         ":9007199254740993\r\n",
                                         ":9223372036854775807\r\n"};
    static const char *const identities[] = {"$16\r\n0000000000000000\r\n",  "$16\r\n00000000000000AB\r\n",
                                             "$16\r\n0x000000000000ab\r\n",  "$16\r\n-0000000000000ab\r\n",
                                             "$16\r\n 000000000000abc\r\n",  "$15\r\n0000000000000ab\r\n",
                                             "$17\r\n000000000000000ab\r\n", ":171\r\n"};
    static const char *const rates[] = {"$15\r\n123456789012345\r\n", "$17\r\n12345678901234567\r\n", ":7\r\n"};
    flowctl_lease_reply r;
    (void)state;
    for (size_t at = 0; at < PARTS; at++)
        for (size_t i = 0; i < COUNT(others); i++)
            if (read_answer(PARTS, at, others[i], &r)) fail_msg("part %zu is read from %s", at, others[i]);
    for (size_t i = 0; i < COUNT(identities); i++)
        if (read_answer(PARTS, 9, identities[i], &r)) fail_msg("an identity is read from %s", identities[i]);
    for (size_t i = 0; i < COUNT(rates); i++)
        if (read_answer(PARTS, 10, rates[i], &r)) fail_msg("a rate is read from %s", rates[i]);
}

static void numbers_at_their_limits(void **state) {
    flowctl_lease_reply r;
    (void)state;
    for (size_t at = 0; at < PARTS; at++) {
        if (at == 9 || at == 10) continue;
        assert_true(read_answer(PARTS, at, ":9007199254740992\r\n", &r));
        assert_true(read_answer(PARTS, at, ":0\r\n", &r));
    }
    assert_true(read_answer(PARTS, 8, ":9007199254740992\r\n", &r));
    assert_int_equal(r.clk_ns, UINT64_C(9007199254740992000));
    assert_true(read_answer(PARTS, 9, "$16\r\nffffffffffffffff\r\n", &r));
    assert_int_equal(r.identity, UINT64_MAX);
}

static void what_is_no_list_is_no_answer(void **state) {
    static const char *const answers[] = {"$-1\r\n", "+OK\r\n", ":1\r\n", "-ERR\r\n", "*-1\r\n", "*0\r\n", "$4\r\nabcd\r\n"};
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        flowctl_lease_reply r = {.size = sizeof r};
        redisReader *reader = redisReaderCreate();
        void *answer = NULL;
        redisReaderFeed(reader, answers[i], strlen(answers[i]));
        assert_int_equal(redisReaderGetReply(reader, &answer), REDIS_OK);
        assert_false(fc_redis_read_answer(answer, &r));
        freeReplyObject(answer);
        redisReaderFree(reader);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_has_its_place),
        cmocka_unit_test(who_has_seen_nothing_says_so),
        cmocka_unit_test(there_is_room_for_the_largest_ask),
        cmocka_unit_test(refuses_what_no_double_counts),
        cmocka_unit_test(refuses_what_no_ledger_takes),
        cmocka_unit_test(rates_at_their_limits),
        cmocka_unit_test(any_rate),
        cmocka_unit_test(every_part_is_read),
        cmocka_unit_test(a_newer_script_may_say_more),
        cmocka_unit_test(a_shorter_answer_is_none),
        cmocka_unit_test(a_part_of_another_type_is_none),
        cmocka_unit_test(numbers_at_their_limits),
        cmocka_unit_test(what_is_no_list_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

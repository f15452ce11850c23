/* Values, numbers, watching, inspection. */
#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static flowctl_store_put put_of(const char *key, const char *text, uint64_t expected) {
    return (flowctl_store_put){.key = key, .value = text, .bytes = text == NULL ? 0 : strlen(text), .expected = expected};
}

static void expect_value(struct link *l, const char *key, const char *text) {
    struct stored got = link_get(l, key);
    EXPECT_NUMBER(got.reply.status, ==, text == NULL ? FLOWCTL_NOT_FOUND : FLOWCTL_OK);
    if (text == NULL) return;
    EXPECT_NUMBER(got.reply.bytes, ==, strlen(text));
    EXPECT(memcmp(got.value, text, strlen(text)) == 0);
    EXPECT(got.reply.version != 0);
}

static void values(const struct contract_subject *s) {
    struct link *l = link_open(s);
    expect_value(l, "k", NULL);
    EXPECT_NUMBER(link_put(l, put_of("k", "x", 5)).reply.status, ==, FLOWCTL_CONFLICT);
    struct stored first = link_put(l, put_of("k", "one", 0));
    EXPECT_NUMBER(first.reply.status, ==, FLOWCTL_OK);
    expect_value(l, "k", "one");
    EXPECT_NUMBER(link_get(l, "k").reply.version, ==, first.reply.version);
    struct stored refused = link_put(l, put_of("k", "two", 0));
    EXPECT_NUMBER(refused.reply.status, ==, FLOWCTL_CONFLICT);
    EXPECT_NUMBER(refused.reply.version, ==, first.reply.version);
    expect_value(l, "k", "one");
    struct stored second = link_put(l, put_of("k", "two", first.reply.version));
    EXPECT_NUMBER(second.reply.status, ==, FLOWCTL_OK);
    EXPECT_NUMBER(second.reply.version, !=, first.reply.version);
    EXPECT_NUMBER(link_put(l, put_of("k", "three", first.reply.version)).reply.status, ==, FLOWCTL_CONFLICT);
    EXPECT_NUMBER(link_put(l, put_of("k", "four", FLOWCTL_ANY_VERSION)).reply.status, ==, FLOWCTL_OK);
    expect_value(l, "k", "four");
    expect_value(l, "K", NULL);
    link_close(l);
}

/* Removed and made again, a value has no version that it had before: who read it then would believe that nothing happened. */
static void removal(const struct contract_subject *s) {
    struct link *l = link_open(s);
    struct stored first = link_put(l, put_of("k", "one", 0));
    EXPECT_NUMBER(link_put(l, put_of("k", NULL, first.reply.version + 1)).reply.status, ==, FLOWCTL_CONFLICT);
    EXPECT_NUMBER(link_put(l, put_of("k", NULL, first.reply.version)).reply.status, ==, FLOWCTL_OK);
    expect_value(l, "k", NULL);
    EXPECT_NUMBER(link_put(l, put_of("k", NULL, FLOWCTL_ANY_VERSION)).reply.status, ==, FLOWCTL_OK);
    EXPECT_NUMBER(link_put(l, put_of("k", NULL, first.reply.version)).reply.status, ==, FLOWCTL_CONFLICT);
    struct stored again = link_put(l, put_of("k", "one", 0));
    EXPECT_NUMBER(again.reply.status, ==, FLOWCTL_OK);
    EXPECT_NUMBER(again.reply.version, !=, first.reply.version);
    link_close(l);
}

static void value_expiry(const struct contract_subject *s) {
    enum { TTL_MS = 60 };
    struct link *l = link_open(s);
    flowctl_store_put put = put_of("k", "soon gone", 0);
    put.ttl_ns = TTL_MS * FLOWCTL_NS_PER_MS;
    uint64_t sent_ns = link_now();
    struct stored first = link_put(l, put);
    EXPECT_NUMBER(first.reply.status, ==, FLOWCTL_OK);
    put.key = "stays", put.expected = FLOWCTL_ANY_VERSION;
    link_put(l, put);
    link_put(l, put_of("stays", "stays", FLOWCTL_ANY_VERSION));
    struct stored got = link_get(l, "k");
    if (link_now() - sent_ns < put.ttl_ns) EXPECT_NUMBER(got.reply.status, ==, FLOWCTL_OK);
    link_rest(l, put.ttl_ns + 5 * FLOWCTL_NS_PER_MS);
    expect_value(l, "k", NULL);
    expect_value(l, "stays", "stays");
    EXPECT_NUMBER(link_put(l, put_of("k", "x", first.reply.version)).reply.status, ==, FLOWCTL_CONFLICT);
    EXPECT_NUMBER(link_put(l, put_of("k", "x", 0)).reply.status, ==, FLOWCTL_OK);
    link_close(l);
}

static bool is_refusal(flowctl_status status) {
    return status == FLOWCTL_INVALID_ARGUMENT || status == FLOWCTL_OUT_OF_RANGE;
}

static void value_sizes(const struct contract_subject *s) {
    static char key[FLOWCTL_STORE_KEY_MAX + 2], odd[] = "a b\n\"{}\xff%s", content[FLOWCTL_STORE_VALUE_MAX + 1];
    struct link *l = link_open(s);
    for (size_t i = 0; i < sizeof content; i++) content[i] = (char)(i * 7);
    memset(key, 'k', sizeof key - 1);
    flowctl_store_put put = {.key = key, .value = content, .bytes = sizeof content - 1, .expected = FLOWCTL_ANY_VERSION};
    EXPECT(is_refusal(link_put(l, put).reply.status));
    put.key = "";
    EXPECT(is_refusal(link_put(l, put).reply.status));
    key[FLOWCTL_STORE_KEY_MAX] = '\0';
    put.key = key;
    EXPECT_NUMBER(link_put(l, put).reply.status, ==, FLOWCTL_OK);
    put.bytes++;
    EXPECT(is_refusal(link_put(l, put).reply.status));
    struct stored got = link_get(l, key);
    EXPECT_NUMBER(got.reply.bytes, ==, FLOWCTL_STORE_VALUE_MAX);
    EXPECT(memcmp(got.value, content, FLOWCTL_STORE_VALUE_MAX) == 0);
    EXPECT_NUMBER(link_put(l, put_of(odd, "", 0)).reply.status, ==, FLOWCTL_OK);
    expect_value(l, odd, ""); /* nothing is a value, too */
    key[FLOWCTL_STORE_KEY_MAX - 1] = '\0';
    expect_value(l, key, NULL);
    link_close(l);
}

static void numbers(const struct contract_subject *s) {
    struct link *l = link_open(s);
    EXPECT_NUMBER(link_increment(l, "n", 3).reply.number, ==, 3);
    EXPECT_NUMBER(link_increment(l, "n", 0).reply.number, ==, 3);
    EXPECT_NUMBER(link_increment(l, "n", UINT64_C(1) << 40).reply.number, ==, (UINT64_C(1) << 40) + 3);
    EXPECT_NUMBER(link_increment(l, "N", 1).reply.number, ==, 1);
    if (s->capabilities & FLOWCTL_CAN_STORE) {
        expect_value(l, "n", NULL);
        link_put(l, put_of("n", "a value", 0));
        EXPECT_NUMBER(link_increment(l, "n", 1).reply.number, ==, (UINT64_C(1) << 40) + 4);
        expect_value(l, "n", "a value");
    }
    EXPECT(is_refusal(link_increment(l, "", 1).reply.status));
    link_close(l);
}

/* More keys than a small table has room for, in any order. */
static void many_keys(const struct contract_subject *s) {
    enum { KEYS = 200 };
    struct link *l = link_open(s);
    char key[32], text[32];
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < KEYS; i++) {
            flowctl_store_put put;
            snprintf(key, sizeof key, "key %u", (i * 77) % KEYS);
            snprintf(text, sizeof text, "value %u", (i * 77) % KEYS);
            if (round == 1) expect_value(l, key, text);
            if (round == 1 && i % 2 == 0) continue;
            put = put_of(key, round == 1 ? NULL : text, FLOWCTL_ANY_VERSION);
            put.ttl_ns = 100 * FLOWCTL_NS_PER_SEC;
            EXPECT_NUMBER(link_put(l, put).reply.status, ==, FLOWCTL_OK);
            expect_value(l, key, round == 1 ? NULL : text);
        }
    link_close(l);
}

static void watching(const struct contract_subject *s) {
    struct link *l = link_open(s), *other = s->capabilities & FLOWCTL_CAN_SHARE ? link_open(s) : l;
    EXPECT_NUMBER(link_watch(l, "w", true), ==, FLOWCTL_OK);
    link_put(other, put_of("not w", "x", FLOWCTL_ANY_VERSION));
    link_put(other, put_of("w", "x", FLOWCTL_ANY_VERSION));
    for (int i = 0; link_changes(l, "w") == 0; i++) {
        EXPECT_NUMBER(i, <, 1000);
        link_rest(l, FLOWCTL_NS_PER_MS);
    }
    EXPECT_NUMBER(link_watch(l, "w", false), ==, FLOWCTL_OK);
    link_rest(l, 20 * FLOWCTL_NS_PER_MS);
    unsigned before = link_changes(l, "w");
    link_put(other, put_of("w", "y", FLOWCTL_ANY_VERSION));
    link_rest(l, 50 * FLOWCTL_NS_PER_MS);
    EXPECT_NUMBER(link_changes(l, "w"), ==, before);
    if (other != l) link_close(other);
    link_close(l);
}

static void inspection(const struct contract_subject *s) {
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "seen", 100, FLOWCTL_NS_PER_SEC / 20);
    terms.ttl_ns = FLOWCTL_NS_PER_SEC, terms.version = 3;
    struct member m = member_of(l, "seen", terms),
                  other = member_of(l, "other\n", terms_of(flowctl_per_second(1), 1, terms.ttl_ns, 1));
    m.ask.member = "somebody on\na machine";
    EXPECT_NUMBER(member_ask(&m, 60, 0), ==, 60);
    m.ask.used = 10, m.ask.back = 20;
    member_ask(&m, 0, 0);
    member_ask(&other, 0, 0);
    struct inspected *in = link_inspect(l, "seen");
    EXPECT_NUMBER(in->status, ==, FLOWCTL_OK);
    EXPECT_NUMBER(in->count, ==, 1);
    const flowctl_limit_state *state = &in->limits[0].state;
    const flowctl_member_state *member = &in->limits[0].members[0];
    EXPECT(strcmp(in->limits[0].limit, "seen") == 0);
    EXPECT(state->terms.burst == 100 && state->terms.version == 3);
    EXPECT(state->out == 30 && state->level == 60);
    EXPECT(state->granted == 60 && state->used == 10 && state->back == 20);
    EXPECT_NUMBER(state->member_count, ==, 1);
    EXPECT(member->session.hi == m.ask.session.hi && member->session.lo == m.ask.session.lo);
    EXPECT(strcmp(member->name, m.ask.member) == 0);
    EXPECT(member->granted == 60 && member->used == 10 && member->back == 20 && member->seq == 2);
    EXPECT(member->expires_in_ns != 0 && member->expires_in_ns <= 2 * terms.ttl_ns);
    free(in);
    in = link_inspect(l, NULL);
    EXPECT_NUMBER(in->count, ==, 2);
    free(in);
    in = link_inspect(l, "never");
    EXPECT_NUMBER(in->status, ==, FLOWCTL_NOT_FOUND);
    EXPECT_NUMBER(in->count, ==, 0);
    free(in);
    link_close(l);
}

const struct contract_check contract_store_checks[] = {
    {"values", values, FLOWCTL_CAN_STORE, false},
    {"removal", removal, FLOWCTL_CAN_STORE, false},
    {"value_expiry", value_expiry, FLOWCTL_CAN_STORE, false},
    {"value_sizes", value_sizes, FLOWCTL_CAN_STORE, false},
    {"many_keys", many_keys, FLOWCTL_CAN_STORE, false},
    {"numbers", numbers, FLOWCTL_CAN_COUNT, false},
    {"watching", watching, FLOWCTL_CAN_WATCH, false},
    {"inspection", inspection, FLOWCTL_CAN_LEND | FLOWCTL_CAN_INSPECT, false},
    {NULL, NULL, 0, false},
};

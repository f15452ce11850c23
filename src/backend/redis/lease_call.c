/* An ask as the arguments of lease.lua, and its answer as a reply. */
#include "redis.h"

#include "base/wide.h"

#include <flowctl/sys/ledger.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST_MAX (UINT64_C(1) << 50)
#define EXACT_MAX (UINT64_C(1) << 52) /* of what doubles count exactly, half: sums of two have to be exact too */
#define COUNTED_MAX (INT64_C(1) << 53)

/* ---- arguments ---- */

/* What stands behind the others. */
static void add_what_is_there(struct fc_redis_arguments *a, size_t count) {
    a->argv[a->count] = a->text + a->used;
    a->lengths[a->count++] = count;
    a->used += count;
}

void fc_redis_add_bytes(struct fc_redis_arguments *a, const void *bytes, size_t count) {
    memcpy(a->text + a->used, bytes, count);
    add_what_is_there(a, count);
}

void fc_redis_add_text(struct fc_redis_arguments *a, const char *text) { fc_redis_add_bytes(a, text, strlen(text)); }

void fc_redis_add_number(struct fc_redis_arguments *a, uint64_t number) {
    char text[24];
    fc_redis_add_bytes(a, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, number));
}

void fc_redis_add_key(struct fc_redis_arguments *a, const char *prefix, const char *kind, const char *name) {
    add_what_is_there(a, (size_t)snprintf(a->text + a->used, sizeof a->text - a->used, "%s%s{%s}", prefix, kind, name));
}

/* ---- the rate, as p / q permits per microsecond, and what a permit's part is counted in: q x g ---- */

static void add_rate(struct fc_redis_arguments *a, flowctl_rate rate) {
    uint64_t terms[2] = {rate.permits, rate.period_ns}, period = rate.period_ns, unit = 1000;
    /* A period that is too long in nanoseconds is taken in microseconds. */
    if (period > EXACT_MAX) unit = 1, period = period / 1000 + (period % 1000 != 0);
    fc_u128 p = (fc_u128)rate.permits * unit, q = period, g = fc_gcd(q, p);
    if (p / g <= EXACT_MAX) {
        p /= g, q /= g;
    } else {
        /* Too fine for a double: the next lower rate with as large terms as fit. */
        fc_u128 less = EXACT_MAX * q / p;
        p = p * less / q;
        q = less;
        g = 1;
    }
    fc_redis_add_bytes(a, terms, sizeof terms);
    fc_redis_add_number(a, (uint64_t)p);
    fc_redis_add_number(a, (uint64_t)q);
    fc_redis_add_number(a, (uint64_t)g);
}

/* ---- an ask ---- */

flowctl_status fc_redis_check_ask(const flowctl_lease_ask *ask) {
    flowctl_ledger none;
    flowctl_lease_reply reply = {.size = sizeof reply};
    size_t length = ask->limit == NULL ? 0 : strlen(ask->limit);
    if (length == 0 || length > FLOWCTL_LIMIT_ID_MAX) return FLOWCTL_INVALID_ARGUMENT;
    /* What no ledger takes. */
    flowctl_ledger_init(&none, 0, 1, FLOWCTL_LEDGER_FIRST);
    flowctl_ledger_ask(&none, ask, 0, 1, &reply);
    if (reply.status != FLOWCTL_OK && reply.status != FLOWCTL_NO_MEMORY) return reply.status;
    bool fits = ask->terms.burst <= BURST_MAX && ask->terms.version <= 2 * EXACT_MAX && ask->seq <= EXACT_MAX;
    return fits ? FLOWCTL_OK : FLOWCTL_OUT_OF_RANGE;
}

void fc_redis_add_ask(struct fc_redis_arguments *a, const flowctl_lease_ask *ask) {
    char session[33], identity[17] = "0";
    snprintf(session, sizeof session, "%016" PRIx64 "%016" PRIx64, ask->session.hi, ask->session.lo);
    if (ask->seen_identity != 0) snprintf(identity, sizeof identity, "%016" PRIx64, ask->seen_identity);
    fc_redis_add_text(a, "lease");
    fc_redis_add_text(a, session);
    const char *member = ask->member != NULL ? ask->member : "";
    fc_redis_add_bytes(a, member, strnlen(member, FLOWCTL_MEMBER_NAME_MAX));
    fc_redis_add_text(a, ask->leaves ? "1" : "0");
    fc_redis_add_number(a, ask->seq);
    fc_redis_add_number(a, ask->want);
    fc_redis_add_number(a, ask->need);
    fc_redis_add_number(a, ask->used);
    fc_redis_add_number(a, ask->back);
    fc_redis_add_text(a, identity);
    fc_redis_add_number(a, ask->seen_clk_ns / 1000);
    fc_redis_add_number(a, ask->since_ns / 1000);
    add_rate(a, ask->terms.rate);
    fc_redis_add_number(a, ask->terms.burst);
    fc_redis_add_number(a, ask->terms.ttl_ns / 1000);
    fc_redis_add_number(a, ask->terms.version);
}

/* ---- an answer ---- */

enum { DEAD, GRANT, GRANTED, LEASE, RETRY, QUARANTINE, SCARCE, MEMBERS, CLK, IDENTITY, RATE, BURST, TTL, VERSION, ANSWERS };

bool fc_redis_read_rate(const redisReply *from, flowctl_rate *rate) {
    uint64_t terms[2];
    if (from->type != REDIS_REPLY_STRING || from->len != sizeof terms) return false;
    memcpy(terms, from->str, sizeof terms);
    *rate = (flowctl_rate){.permits = terms[0], .period_ns = terms[1]};
    return true;
}

static uint64_t number(const redisReply *from, int at) { return (uint64_t)from->element[at]->integer; }

static bool read_identity(const redisReply *from, uint64_t *identity) {
    if (from->type != REDIS_REPLY_STRING || from->len != 16 || strspn(from->str, "0123456789abcdef") != 16) return false;
    *identity = strtoull(from->str, NULL, 16);
    return *identity != 0;
}

/* Answers come in order, and name whom they are for: so that one which was lost on the way, by whatever stands between, does not shift all the others. */
bool fc_redis_is_answer_to(const redisReply *from, flowctl_session_id session, uint64_t seq) {
    char name[33];
    if (from->type != REDIS_REPLY_ARRAY || from->elements < ANSWERS + 2) return false;
    const redisReply *id = from->element[ANSWERS], *number = from->element[ANSWERS + 1];
    snprintf(name, sizeof name, "%016" PRIx64 "%016" PRIx64, session.hi, session.lo);
    return id->type == REDIS_REPLY_STRING && id->len == 32 && memcmp(id->str, name, 32) == 0 &&
           number->type == REDIS_REPLY_INTEGER && (uint64_t)number->integer == seq;
}

bool fc_redis_read_answer(const redisReply *from, flowctl_lease_reply *reply) {
    flowctl_rate rate;
    if (from->type != REDIS_REPLY_ARRAY || from->elements < ANSWERS) return false; /* a newer one may say more */
    for (int i = 0; i < ANSWERS; i++) {
        const redisReply *each = from->element[i];
        if (i == IDENTITY || i == RATE) continue;
        if (each->type != REDIS_REPLY_INTEGER || each->integer < 0 || each->integer > COUNTED_MAX) return false;
    }
    if (!read_identity(from->element[IDENTITY], &reply->identity) || !fc_redis_read_rate(from->element[RATE], &rate))
        return false;
    reply->dead = number(from, DEAD) != 0;
    reply->grant = number(from, GRANT);
    reply->granted = number(from, GRANTED);
    reply->lease_ns = number(from, LEASE) * 1000;
    reply->retry_after_ns = number(from, RETRY) * 1000;
    reply->quarantine_ns = number(from, QUARANTINE) * 1000;
    reply->scarce = number(from, SCARCE) != 0;
    reply->members = number(from, MEMBERS);
    reply->clk_ns = number(from, CLK) * 1000;
    reply->terms = (flowctl_lease_terms){rate, number(from, BURST), number(from, TTL) * 1000, number(from, VERSION)};
    return true;
}

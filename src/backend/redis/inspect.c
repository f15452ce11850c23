/* Diagnostics: the keys of limits by SCAN, each looked at by the script itself, without an ask. One limit after the other. */
#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_A_STEP "100"

enum { RATE, BURST, TTL, VERSION, LEVEL, OUT, GRANTED, USED, BACK, EXPIRED, QUARANTINE, CLK, SESSIONS, STATES };
enum { ID, SEQ, HAD, SPENT, RETURNED, EXPIRES, ACTIVE, NAME, PARTS };

struct inspection {
    uint64_t ticket;
    bool one;              /* limit */
    size_t waiting;        /* limits that are being looked at */
    char cursor[24];       /* of SCAN; "0": done */
    flowctl_status status; /* the first that went wrong */
};

static void end(struct fc_redis *r, struct inspection *to) {
    flowctl_answer_inspect(&r->base, to->ticket, to->status, NULL);
    free(to);
}

/* 32 hexadecimal digits. */
static bool read_session(const char *text, flowctl_session_id *id) {
    char half[17] = "", *end;
    memcpy(half, text, 16);
    id->hi = strtoull(half, &end, 16);
    if (*end != '\0') return false;
    memcpy(half, text + 16, 16);
    id->lo = strtoull(half, &end, 16);
    return *end == '\0';
}

static bool read_member(const redisReply *from, flowctl_member_state *m) {
    if (from->type != REDIS_REPLY_ARRAY || from->elements < PARTS || from->element[ID]->type != REDIS_REPLY_STRING ||
        from->element[NAME]->type != REDIS_REPLY_STRING || from->element[ID]->len != 32)
        return false;
    if (!read_session(from->element[ID]->str, &m->session)) return false;
    m->seq = (uint64_t)from->element[SEQ]->integer;
    m->granted = (uint64_t)from->element[HAD]->integer;
    m->used = (uint64_t)from->element[SPENT]->integer;
    m->back = (uint64_t)from->element[RETURNED]->integer;
    m->expires_in_ns = (uint64_t)from->element[EXPIRES]->integer * 1000;
    m->active = from->element[ACTIVE]->integer != 0;
    snprintf(m->name, sizeof m->name, "%.*s", (int)from->element[NAME]->len, from->element[NAME]->str);
    return true;
}

bool fc_redis_read_state(const redisReply *from, flowctl_limit_state *state, flowctl_member_state *members) {
    if (from->type != REDIS_REPLY_ARRAY || from->elements < STATES || from->element[SESSIONS]->type != REDIS_REPLY_ARRAY ||
        !fc_redis_read_rate(from->element[RATE], &state->terms.rate))
        return false;
    const redisReply *sessions = from->element[SESSIONS];
    state->terms.burst = (uint64_t)from->element[BURST]->integer;
    state->terms.ttl_ns = (uint64_t)from->element[TTL]->integer * 1000;
    state->terms.version = (uint64_t)from->element[VERSION]->integer;
    state->level = from->element[LEVEL]->integer;
    state->out = (uint64_t)from->element[OUT]->integer;
    state->granted = (uint64_t)from->element[GRANTED]->integer;
    state->used = (uint64_t)from->element[USED]->integer;
    state->back = (uint64_t)from->element[BACK]->integer;
    state->expired = (uint64_t)from->element[EXPIRED]->integer;
    state->quarantine_ns = (uint64_t)from->element[QUARANTINE]->integer * 1000;
    state->clk_ns = (uint64_t)from->element[CLK]->integer * 1000;
    state->members = members;
    for (size_t i = 0; i < sessions->elements; i++)
        state->member_count += read_member(sessions->element[i], &members[state->member_count]);
    return true;
}

/* False: the key is gone, or not a limit. */
static bool tell(struct fc_redis *r, const struct inspection *to, const char *limit, const redisReply *from) {
    if (from->type != REDIS_REPLY_ARRAY || from->elements < STATES) return false;
    flowctl_limit_state state = {.size = sizeof state, .limit = limit};
    flowctl_member_state *members = calloc(from->element[SESSIONS]->elements + 1, sizeof *members);
    bool fine = members != NULL && fc_redis_read_state(from, &state, members);
    if (fine) flowctl_answer_inspect(&r->base, to->ticket, FLOWCTL_OK, &state);
    free(members);
    return fine;
}

static void scan(struct fc_redis *r, struct inspection *to);

/* Next, when all of a step have been looked at. */
static void go_on(struct fc_redis *r, struct inspection *to) {
    if (to->waiting != 0) return;
    if (to->one || to->status != FLOWCTL_OK || strcmp(to->cursor, "0") == 0) end(r, to);
    else scan(r, to);
}

struct look {
    struct inspection *to;
    char limit[FLOWCTL_LIMIT_ID_MAX + 1];
};

static void looked_at(struct fc_redis *r, struct fc_redis_call *call, const redisReply *from, flowctl_status status) {
    struct look *look = call->context;
    struct inspection *to = look->to;
    bool told = status == FLOWCTL_OK && tell(r, to, look->limit, from);
    /* Of all, those that went meanwhile, or are not ours, are left out. */
    if (to->one && status == FLOWCTL_OK && !told) to->status = FLOWCTL_NOT_FOUND;
    else if (status != FLOWCTL_OK && (to->one || status != FLOWCTL_UNSUPPORTED)) to->status = status;
    to->waiting--;
    free(look);
    go_on(r, to);
}

static bool look_at(struct fc_redis *r, struct inspection *to, const char *limit) {
    struct fc_redis_arguments a = {.count = 0};
    struct look *look = malloc(sizeof *look);
    if (look == NULL) return false;
    look->to = to;
    snprintf(look->limit, sizeof look->limit, "%s", limit);
    fc_redis_add_text(&a, "EVALSHA");
    fc_redis_add_text(&a, fc_redis_lease_script.sha);
    fc_redis_add_text(&a, "1");
    fc_redis_add_key(&a, r->settings.prefix, "", limit);
    fc_redis_add_text(&a, "inspect");
    struct fc_redis_call *call = fc_redis_call_new(looked_at, 0, a.count, a.argv, a.lengths);
    if (call == NULL) return free(look), false;
    call->script = &fc_redis_lease_script;
    call->context = look;
    fc_redis_call_send(r, call);
    return true;
}

/* prefix{limit} */
static bool limit_of(const struct fc_redis *r, const redisReply *key, char *limit) {
    size_t before = strlen(r->settings.prefix) + 1;
    if (key->type != REDIS_REPLY_STRING || key->len < before + 2 || key->len - before - 1 > FLOWCTL_LIMIT_ID_MAX)
        return false;
    memcpy(limit, key->str + before, key->len - before - 1);
    limit[key->len - before - 1] = '\0';
    return key->str[key->len - 1] == '}';
}

static void scanned(struct fc_redis *r, struct fc_redis_call *call, const redisReply *from, flowctl_status status) {
    struct inspection *to = call->context;
    char limit[FLOWCTL_LIMIT_ID_MAX + 1];
    to->status = status;
    if (status == FLOWCTL_OK &&
        (from->type != REDIS_REPLY_ARRAY || from->elements != 2 || from->element[0]->type != REDIS_REPLY_STRING))
        to->status = FLOWCTL_UNSUPPORTED;
    if (to->status != FLOWCTL_OK) {
        end(r, to);
        return;
    }
    const redisReply *keys = from->element[1];
    snprintf(to->cursor, sizeof to->cursor, "%s", from->element[0]->str);
    to->waiting = 1; /* this step itself */
    for (size_t i = 0; i < keys->elements; i++) {
        if (!limit_of(r, keys->element[i], limit)) continue;
        to->waiting++;
        if (!look_at(r, to, limit)) to->waiting--, to->status = FLOWCTL_NO_MEMORY;
    }
    to->waiting--;
    go_on(r, to);
}

static void scan(struct fc_redis *r, struct inspection *to) {
    struct fc_redis_arguments a = {.count = 0};
    char pattern[FLOWCTL_REDIS_PREFIX_MAX + 4];
    snprintf(pattern, sizeof pattern, "%s{*}", r->settings.prefix);
    fc_redis_add_text(&a, "SCAN");
    fc_redis_add_text(&a, to->cursor);
    fc_redis_add_text(&a, "MATCH");
    fc_redis_add_text(&a, pattern);
    fc_redis_add_text(&a, "COUNT");
    fc_redis_add_text(&a, KEYS_A_STEP);
    struct fc_redis_call *call = fc_redis_call_new(scanned, 0, a.count, a.argv, a.lengths);
    if (call == NULL) {
        to->status = FLOWCTL_NO_MEMORY;
        end(r, to);
        return;
    }
    call->context = to;
    fc_redis_call_send(r, call);
}

void fc_redis_inspect(flowctl_backend_base *base, uint64_t ticket, const char *limit) {
    struct fc_redis *r = (struct fc_redis *)base;
    struct inspection *to = calloc(1, sizeof *to);
    if (to == NULL || (limit != NULL && (*limit == '\0' || strlen(limit) > FLOWCTL_LIMIT_ID_MAX))) {
        flowctl_answer_inspect(base, ticket, to == NULL ? FLOWCTL_NO_MEMORY : FLOWCTL_INVALID_ARGUMENT, NULL);
        free(to);
        return;
    }
    *to = (struct inspection){.ticket = ticket, .one = limit != NULL, .waiting = 1, .cursor = "0"};
    if (limit == NULL) scan(r, to);
    else if (!look_at(r, to, limit)) to->status = FLOWCTL_NO_MEMORY, end(r, to);
}

#include "sim/redis_store.h"

#include "base/wide.h"
#include "redis.h"
#include "sim/credit_world.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__extension__ typedef __int128 level;

#define ROOM 200 /* more than any simulation fills */
#define SUMS (UINT64_C(1) << 52)
#define LARGEST_PERIOD (UINT64_C(1) << 52) /* that the script counts in nanoseconds */

extern const struct fc_redis_script fc_redis_simulated_script;

struct state {
    _Alignas(flowctl_ledger) unsigned char bytes[FLOWCTL_LEDGER_BYTES(ROOM)];
};

struct dump {
    char *bytes;
    size_t length;
};

struct store {
    const char *sha;
    bool compared;
    char key[64];
    flowctl_ledger seen; /* the script's */
    uint64_t finer;
    bool is_part; /* less than one permit, not less than none */
    struct dump dumps[CREDIT_SNAPSHOTS];
    /* What it is compared with. */
    struct state model, snapshots[CREDIT_SNAPSHOTS];
    flowctl_rate rate, snapshot_rates[CREDIT_SNAPSHOTS]; /* in force, as it was asked for */
    char why[200];                                       /* the first difference */
};

static redisContext *server;

/* ---- the server ---- */

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

static redisReply *checked(void *reply) {
    redisReply *r = reply;
    if (r == NULL) die("the server is gone: %s", server->errstr);
    if (r->type == REDIS_REPLY_ERROR) die("the server: %s", r->str);
    return r;
}

static redisReply *next_reply(void) {
    void *reply = NULL;
    redisGetReply(server, &reply);
    return checked(reply);
}

struct redis_store_script redis_store_load(const char *text) {
    struct redis_store_script script = {.compared = false};
    redisReply *reply = checked(redisCommand(server, "SCRIPT LOAD %s", text));
    snprintf(script.sha, sizeof script.sha, "%s", reply->str);
    freeReplyObject(reply);
    return script;
}

void redis_store_connect(void) {
    flowctl_redis_options options = FLOWCTL_REDIS_OPTIONS_INIT;
    struct fc_redis_settings settings;
    flowctl_error err;
    options.url = getenv("FLOWCTL_TEST_REDIS_UNIX");
    if (options.url == NULL) die("FLOWCTL_TEST_REDIS_UNIX is not set: run this by tests/servers/with_redis.py");
    if (fc_redis_settings_read(&settings, &options, &err) != FLOWCTL_OK) die("%s", err.message);
    server = redisConnectUnix(settings.unix_socket);
    if (server == NULL || server->err != 0)
        die("%s: %s", settings.unix_socket, server != NULL ? server->errstr : "no memory");
    fc_redis_settings_free(&settings);
    redis_store_load(fc_redis_simulated_script.text);
}

void redis_store_disconnect(void) { redisFree(server); }

/* EVALSHA with what stands in `a`, the key, the script's arguments; and the time and the run behind it. */
static void send_script(const struct store *s, const struct fc_redis_arguments *a, uint64_t now_ns, uint64_t identity) {
    const char *argv[40] = {"EVALSHA", s->sha, "1", s->key};
    size_t lengths[40], count = 4;
    char now[24], run[81], hex[17];
    for (size_t i = 0; i < count; i++) lengths[i] = strlen(argv[i]);
    for (int i = 0; i < a->count; i++, count++) argv[count] = a->argv[i], lengths[count] = a->lengths[i];
    argv[count] = now, lengths[count++] = (size_t)snprintf(now, sizeof now, "%" PRIu64, now_ns / 1000);
    argv[count] = run, lengths[count++] = (size_t)snprintf(run, sizeof run, "%080" PRIx64, identity);
    argv[count] = hex, lengths[count++] = (size_t)snprintf(hex, sizeof hex, "%016" PRIx64, identity);
    if (redisAppendCommandArgv(server, (int)count, argv, lengths) != REDIS_OK) die("no memory");
}

/* ---- the script's ledger ---- */

enum {
    FORMAT,
    P,
    Q,
    G,
    BURST,
    TTL,
    VERSION,
    LONGEST,
    SHORTEST,
    TIME,
    CLK,
    QUARANTINE,
    WHOLE,
    PART,
    OUT,
    GRANTED,
    USED,
    BACK,
    EXPIRED,
    HEAD_NEED,
    HEAD_UNTIL,
    COUNT,
    FIRST,
    COUNTED,
    ACTIVE,
    HUNGRY,
    NUMBERS
};

struct fields {
    int64_t numbers[NUMBERS];
    uint64_t permits, period_ns;
    char head[32], run[80];
};

/*
 * Parts of a permit, in which the ledger counts, to one that the script counts in: it is 1/period_ns, unless the rate is counted by the microsecond, or is a
 * lower one.
 */
static uint64_t finer(uint64_t p, uint64_t g, uint64_t period_ns) {
    return period_ns > LARGEST_PERIOD || (fc_u128)p * g % 1000 != 0 ? 1000 : 1;
}

/* The rate that the script counts by, p / q permits per microsecond. */
static flowctl_rate counted_rate(uint64_t p, uint64_t q, uint64_t g, uint64_t period_ns) {
    uint64_t f = finer(p, g, period_ns);
    return flowctl_per((uint64_t)((fc_u128)p * g * f / 1000), q * g * f);
}

static uint64_t hexadecimal(const char *digits) {
    char text[17] = "";
    memcpy(text, digits, 16);
    return strtoull(text, NULL, 16);
}

static uint64_t ns(int64_t us) { return (uint64_t)us * 1000; }

static void see(struct store *s, const redisReply *reply) {
    struct fields f;
    s->seen = (flowctl_ledger){.room = 0};
    if (reply->type == REDIS_REPLY_NIL) return;
    if (reply->len < sizeof f) die("a ledger of %zu bytes", reply->len);
    memcpy(&f, reply->str, sizeof f);
    const int64_t *n = f.numbers;
    s->finer = finer((uint64_t)n[P], (uint64_t)n[G], f.period_ns);
    flowctl_rate rate = counted_rate((uint64_t)n[P], (uint64_t)n[Q], (uint64_t)n[G], f.period_ns);
    s->is_part = n[PART] >= 0 && n[PART] < n[Q] * n[G];
    level value = (level)n[WHOLE] * (level)rate.period_ns + (level)n[PART] * (level)s->finer;
    s->seen = (flowctl_ledger){
        .count = (uint32_t)n[COUNT],
        .identity = hexadecimal(f.run + 64),
        .terms = {rate, (uint64_t)n[BURST], ns(n[TTL]), (uint64_t)n[VERSION]},
        .longest_ttl_ns = ns(n[LONGEST]),
        .shortest_ttl_ns = ns(n[SHORTEST]),
        .time_ns = ns(n[TIME]),
        .clk_ns = ns(n[CLK]),
        .quarantine_until_clk_ns = ns(n[QUARANTINE]),
        .level_hi = (uint64_t)((fc_u128)value >> 64),
        .level_lo = (uint64_t)(fc_u128)value,
        .out = (uint64_t)n[OUT],
        .granted = (uint64_t)n[GRANTED],
        .used = (uint64_t)n[USED],
        .back = (uint64_t)n[BACK],
        .expired = (uint64_t)n[EXPIRED],
        .head = {hexadecimal(f.head), hexadecimal(f.head + 16)},
        .head_need = (uint64_t)n[HEAD_NEED],
        .head_until_clk_ns = ns(n[HEAD_UNTIL]),
    };
}

/* ---- comparing ---- */

static flowctl_ledger *model_of(struct store *s) { return (flowctl_ledger *)(void *)s->model.bytes; }

__attribute__((format(printf, 2, 3))) static void differ(struct store *s, const char *format, ...) {
    if (s->why[0] != '\0') return;
    va_list args;
    va_start(args, format);
    vsnprintf(s->why, sizeof s->why, format, args);
    va_end(args);
}

static void same(struct store *s, const char *what, uint64_t model, uint64_t script) {
    if (model != script) differ(s, "%s: %" PRIu64 " in the ledger, %" PRIu64 " in the script", what, model, script);
}

static void same_sum(struct store *s, const char *what, uint64_t model, uint64_t script) {
    same(s, what, model % SUMS, script % SUMS);
}

static void same_id(struct store *s, const char *what, flowctl_session_id model, flowctl_session_id script) {
    same(s, what, model.hi, script.hi);
    same(s, what, model.lo, script.lo);
}

/* Up to and with the last moment of a quarantine, which is a microsecond. */
static void same_quarantine(struct store *s, const char *what, uint64_t model, uint64_t script) {
    same(s, what, model != 0 ? model + 999 : 0, script);
}

/* What the ledger may know more of the level, in its parts of a permit: a change of the settings loses up to two of the script's. */
static uint64_t loss(const struct store *s) { return s->finer == 1 ? 0 : 2 * s->finer; }

static void same_wait(struct store *s, uint64_t model, uint64_t script) {
    uint64_t apart = model > script ? model - script : script - model, rounding = model >> 50;
    if ((model == 0) != (script == 0) || apart > 1000 + rounding + loss(s))
        differ(s, "a wait of %" PRIu64 " ns by the ledger, %" PRIu64 " by the script", model, script);
}

static void same_terms(struct store *s, const flowctl_lease_terms *model, const flowctl_lease_terms *script) {
    same(s, "permits of the rate", s->rate.permits, script->rate.permits);
    same(s, "period of the rate", s->rate.period_ns, script->rate.period_ns);
    same(s, "burst", model->burst, script->burst);
    same(s, "ttl", model->ttl_ns, script->ttl_ns);
    same(s, "version", model->version, script->version);
}

static void compare_replies(struct store *s, const flowctl_lease_reply *model, const flowctl_lease_reply *script) {
    if (model->status != FLOWCTL_OK) die("the ledger answers %s", flowctl_status_text(model->status));
    same(s, "dead", model->dead, script->dead);
    same(s, "grant", model->grant, script->grant);
    same(s, "granted", model->granted, script->granted);
    same(s, "lease", model->lease_ns, script->lease_ns);
    same(s, "scarce", model->scarce, script->scarce);
    same(s, "members", model->members, script->members);
    same(s, "identity", model->identity, script->identity);
    same(s, "clk", model->clk_ns, script->clk_ns);
    same_terms(s, &model->terms, &script->terms);
    same_quarantine(s, "quarantine", model->quarantine_ns, script->quarantine_ns);
    if (model->quarantine_ns != 0) same_quarantine(s, "retry_after", model->retry_after_ns, script->retry_after_ns);
    else same_wait(s, model->retry_after_ns, script->retry_after_ns);
}

static level level_of(const flowctl_ledger *l) { return (level)((fc_u128)l->level_hi << 64 | l->level_lo); }

/* Exactly, but for that loss; then the ledger goes on from the script's. */
static void compare_levels(struct store *s, flowctl_ledger *model, const flowctl_ledger *script) {
    level less = level_of(model) - level_of(script);
    if (less < 0 || less > (level)loss(s))
        differ(s, "level: %.0f of 1/period below the ledger's %.9f permits", (double)less,
               (double)level_of(model) / (double)model->terms.rate.period_ns);
    model->level_hi = script->level_hi, model->level_lo = script->level_lo;
}

static void compare_ledgers(struct store *s, flowctl_ledger *model, const flowctl_ledger *script) {
    same(s, "sessions", model->count, script->count);
    same(s, "permits that are counted by", model->terms.rate.permits, script->terms.rate.permits);
    same(s, "period that is counted by", model->terms.rate.period_ns, script->terms.rate.period_ns);
    same(s, "burst", model->terms.burst, script->terms.burst);
    same(s, "longest ttl", model->longest_ttl_ns, script->longest_ttl_ns);
    same(s, "shortest ttl", model->shortest_ttl_ns, script->shortest_ttl_ns);
    same(s, "time", model->time_ns, script->time_ns);
    same(s, "clock", model->clk_ns, script->clk_ns);
    same(s, "end of the quarantine", model->quarantine_until_clk_ns, script->quarantine_until_clk_ns);
    same(s, "written by", model->identity, script->identity);
    same(s, "out", model->out, script->out);
    same_sum(s, "granted in all", model->granted, script->granted);
    same_sum(s, "used in all", model->used, script->used);
    same_sum(s, "back in all", model->back, script->back);
    same_sum(s, "expired in all", model->expired, script->expired);
    same(s, "saved", model->head_need, script->head_need);
    if (model->head_need != 0) {
        same_id(s, "saved for", model->head, script->head);
        same(s, "saved until", model->head_until_clk_ns, script->head_until_clk_ns);
    }
    compare_levels(s, model, script);
    if (!s->is_part) differ(s, "the part of a permit is none");
}

static void compare_members(struct store *s, const flowctl_member_state *model, const flowctl_member_state *script) {
    same(s, "seq of a member", model->seq, script->seq);
    same(s, "granted to a member", model->granted, script->granted);
    same(s, "used by a member", model->used, script->used);
    same(s, "back from a member", model->back, script->back);
    same(s, "end of a member", model->expires_in_ns, script->expires_in_ns);
    same(s, "a member is active", model->active, script->active);
    if (strcmp(model->name, script->name) != 0) differ(s, "a member is %s, or %s", model->name, script->name);
}

/* What people are told, some time after the last ask. */
static void compare_inspections(struct store *s, const redisReply *reply, uint64_t now_ns) {
    flowctl_member_state members[2][ROOM];
    flowctl_limit_state model = {.size = sizeof model}, script = {.size = sizeof script};
    flowctl_ledger_inspect(model_of(s), now_ns, &model, members[0], ROOM);
    if (!fc_redis_read_state(reply, &script, members[1])) die("what is told can't be read");
    same_terms(s, &model.terms, &script.terms);
    if (model.level != script.level)
        differ(s, "level told: %" PRId64 ", %" PRId64 " by the script", model.level, script.level);
    same(s, "out, as told", model.out, script.out);
    same_sum(s, "granted, as told", model.granted, script.granted);
    same_sum(s, "used, as told", model.used, script.used);
    same_sum(s, "back, as told", model.back, script.back);
    same_sum(s, "expired, as told", model.expired, script.expired);
    same_quarantine(s, "quarantine, as told", model.quarantine_ns, script.quarantine_ns);
    same(s, "clock, as told", model.clk_ns, script.clk_ns);
    same(s, "members, as told", model.member_count, script.member_count);
    for (size_t i = 0; i < model.member_count && s->why[0] == '\0'; i++) {
        size_t j = 0;
        while (j < script.member_count &&
               memcmp(&members[0][i].session, &members[1][j].session, sizeof members[0][i].session) != 0)
            j++;
        if (j == script.member_count) differ(s, "the script does not know %s", members[0][i].name);
        else compare_members(s, &members[0][i], &members[1][j]);
    }
}

/* ---- an ask ---- */

static uint64_t argument(const struct fc_redis_arguments *a, int at) {
    char text[24] = "";
    memcpy(text, a->argv[at], a->lengths[at]);
    return strtoull(text, NULL, 10);
}

/* The ask as it arrives: whole microseconds, and a rate that doubles can hold. */
static flowctl_lease_ask arriving(const flowctl_lease_ask *ask, const struct fc_redis_arguments *a) {
    enum { P_ARGUMENT = 13 };
    flowctl_lease_ask cut = *ask;
    cut.since_ns -= cut.since_ns % 1000;
    cut.terms.rate = counted_rate(argument(a, P_ARGUMENT), argument(a, P_ARGUMENT + 1), argument(a, P_ARGUMENT + 2),
                                  ask->terms.rate.period_ns);
    return cut;
}

/* The script's answer; a moment later it is asked for what it tells people. */
static void ask_script(struct store *s, const struct fc_redis_arguments *a, uint64_t now_ns, uint64_t identity,
                       flowctl_lease_reply *reply) {
    send_script(s, a, now_ns, identity);
    if (redisAppendCommand(server, "HGET %s @", s->key) != REDIS_OK) die("no memory");
    redisReply *answer = next_reply();
    if (!fc_redis_read_answer(answer, reply)) die("what the script answers can't be read");
    freeReplyObject(answer);
    answer = next_reply();
    see(s, answer);
    freeReplyObject(answer);
}

static void ask_model(struct store *s, const flowctl_lease_ask *ask, const struct fc_redis_arguments *a, uint64_t now_ns,
                      uint64_t identity, flowctl_lease_reply *reply) {
    flowctl_lease_ask cut = arriving(ask, a);
    const flowctl_ledger *l = model_of(s);
    uint64_t version = l->terms.burst != 0 ? l->terms.version : UINT64_MAX;
    flowctl_ledger_ask(model_of(s), &cut, now_ns, identity, reply);
    if (l->terms.version != version) s->rate = ask->terms.rate;
}

static void redis_ask(void *store, const flowctl_lease_ask *ask, uint64_t now_ns, uint64_t identity,
                      flowctl_lease_reply *reply) {
    struct store *s = store;
    struct fc_redis_arguments a = {.count = 0}, inspect = {.count = 0};
    uint64_t later_ns = now_ns - now_ns % 1000;
    *reply = (flowctl_lease_reply){.size = sizeof *reply, .session = ask->session, .seq = ask->seq};
    if ((reply->status = fc_redis_check_ask(ask)) != FLOWCTL_OK) return;
    fc_redis_add_ask(&a, ask);
    fc_redis_add_text(&inspect, "inspect");
    now_ns -= now_ns % 1000;
    ask_script(s, &a, now_ns, identity, reply);
    if (!s->compared) return;
    flowctl_lease_reply model = {.size = sizeof model};
    ask_model(s, ask, &a, now_ns, identity, &model);
    compare_replies(s, &model, reply);
    compare_ledgers(s, model_of(s), &s->seen);
    later_ns += s->seen.granted % 3 * (s->seen.terms.ttl_ns / 8);
    send_script(s, &inspect, later_ns, identity);
    redisReply *told = next_reply();
    compare_inspections(s, told, later_ns);
    freeReplyObject(told);
}

/* ---- a store ---- */

static void *redis_open(const struct credit_config *config) {
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL) abort();
    s->compared = config->script == NULL || config->script->compared;
    s->sha = config->script != NULL ? config->script->sha : fc_redis_simulated_script.sha;
    snprintf(s->key, sizeof s->key, "sim:%d:{limit}", (int)getpid());
    return s;
}

static void redis_close(void *store) {
    struct store *s = store;
    for (size_t i = 0; i < CREDIT_SNAPSHOTS; i++) free(s->dumps[i].bytes);
    free(s);
}

static void redis_wipe(void *store, uint64_t identity) {
    struct store *s = store;
    freeReplyObject(checked(redisCommand(server, "DEL %s", s->key)));
    s->seen = (flowctl_ledger){.room = 0};
    memset(&s->model, 0, sizeof s->model);
    flowctl_ledger_init(model_of(s), ROOM, identity, FLOWCTL_LEDGER_LOST);
}

/* A limit that is not there may always have been lost. So somebody asks until it lends, and until it is full, before all else. */
static void redis_begin(void *store, const flowctl_lease_terms *terms, uint64_t now_ns, uint64_t identity) {
    struct store *s = store;
    uint64_t quarter_ns = terms->ttl_ns / 4,
             fill_ns = (uint64_t)((fc_u128)terms->burst * terms->rate.period_ns / terms->rate.permits) + 1000;
    flowctl_lease_ask ask = {.size = sizeof ask,
                             .limit = "limit",
                             .member = "nobody",
                             .session = {UINT64_MAX, UINT64_MAX},
                             .terms = *terms};
    flowctl_lease_reply reply;
    redis_wipe(s, identity);
    now_ns -= fill_ns + 8 * quarter_ns;
    for (ask.seq = 1; ask.seq <= 9; ask.seq++) redis_ask(s, &ask, now_ns + (ask.seq - 1) * quarter_ns, identity, &reply);
    ask.leaves = true;
    redis_ask(s, &ask, now_ns + 8 * quarter_ns + fill_ns, identity, &reply);
    if (level_of(&s->seen) != (level)terms->burst * (level)s->seen.terms.rate.period_ns) differ(s, "it does not begin full");
}

static const flowctl_ledger *redis_ledger(void *store) { return &((struct store *)store)->seen; }

static const char *redis_fault(void *store, char *why, size_t bytes) {
    struct store *s = store;
    if (!s->compared) return NULL;
    if (model_of(s)->terms.burst != 0 && !flowctl_ledger_is_sound(model_of(s), sizeof s->model)) {
        snprintf(why, bytes, "the ledger is not sound");
        return "O4";
    }
    if (s->why[0] == '\0') return NULL;
    snprintf(why, bytes, "%s", s->why);
    return "equality";
}

static void redis_snapshot(void *store) {
    struct store *s = store;
    const size_t last = CREDIT_SNAPSHOTS - 1;
    redisReply *dump = checked(redisCommand(server, "DUMP %s", s->key));
    if (dump->type != REDIS_REPLY_STRING) die("a limit can't be dumped");
    free(s->dumps[last].bytes);
    memmove(&s->dumps[1], &s->dumps[0], last * sizeof *s->dumps);
    memmove(&s->snapshots[1], &s->snapshots[0], last * sizeof *s->snapshots);
    memmove(&s->snapshot_rates[1], &s->snapshot_rates[0], last * sizeof *s->snapshot_rates);
    s->dumps[0] = (struct dump){malloc(dump->len), dump->len};
    if (s->dumps[0].bytes == NULL) abort();
    memcpy(s->dumps[0].bytes, dump->str, dump->len);
    freeReplyObject(dump);
    s->snapshots[0] = s->model;
    s->snapshot_rates[0] = s->rate;
}

static void redis_restore(void *store, size_t copies_ago) {
    struct store *s = store;
    const struct dump *d = &s->dumps[copies_ago];
    freeReplyObject(checked(redisCommand(server, "RESTORE %s 0 %b REPLACE", s->key, d->bytes, d->length)));
    s->model = s->snapshots[copies_ago];
    s->rate = s->snapshot_rates[copies_ago];
    redisReply *reply = checked(redisCommand(server, "HGET %s @", s->key));
    see(s, reply);
    freeReplyObject(reply);
}

const struct credit_store_ops redis_store = {
    .open = redis_open,
    .close = redis_close,
    .begin = redis_begin,
    .ask = redis_ask,
    .ledger = redis_ledger,
    .fault = redis_fault,
    .snapshot = redis_snapshot,
    .restore = redis_restore,
    .wipe = redis_wipe,
};

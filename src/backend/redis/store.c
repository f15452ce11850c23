/* Values and numbers. */
#include "redis.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void answer(struct fc_redis *r, uint64_t ticket, flowctl_status status) {
    flowctl_answer_store(&r->base, ticket, &(flowctl_store_reply){.size = sizeof(flowctl_store_reply), .status = status});
}

static bool is_key(const char *key) { return key != NULL && *key != '\0' && strlen(key) <= FLOWCTL_STORE_KEY_MAX; }

static void send_call(struct fc_redis *r, uint64_t ticket, fc_redis_done *done, const struct fc_redis_script *script,
                      struct fc_redis_arguments *a) {
    struct fc_redis_call *call = fc_redis_call_new(done, ticket, a->count, a->argv, a->lengths);
    if (call == NULL) {
        answer(r, ticket, FLOWCTL_NO_MEMORY);
        return;
    }
    call->script = script;
    fc_redis_call_send(r, call);
}

/* ---- values ---- */

/* Not what this library writes. */
static flowctl_status foreign(struct fc_redis *r) {
    fc_redis_note(r, FLOWCTL_REDIS_FOREIGN_KEY, "the key of a value holds something else", SIZE_MAX);
    return FLOWCTL_UNSUPPORTED;
}

static bool is_text(const redisReply *reply) { return reply->type == REDIS_REPLY_STRING; }
static bool is_pair(const redisReply *reply) { return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2; }

static flowctl_status read_value(struct fc_redis *r, const redisReply *from, flowctl_store_reply *reply) {
    if (!is_pair(from)) return foreign(r);
    const redisReply *version = from->element[0], *value = from->element[1];
    if (!is_text(version) && !is_text(value)) return FLOWCTL_NOT_FOUND;
    if (!is_text(version) || !is_text(value)) return foreign(r);
    reply->version = strtoull(version->str, NULL, 10);
    reply->value = value->str;
    reply->bytes = value->len;
    return reply->version != 0 ? FLOWCTL_OK : foreign(r);
}

static void got(struct fc_redis *r, struct fc_redis_call *call, const redisReply *from, flowctl_status status) {
    flowctl_store_reply reply = {.size = sizeof reply, .status = status};
    if (status == FLOWCTL_OK) reply.status = read_value(r, from, &reply);
    flowctl_answer_store(&r->base, call->ticket, &reply);
}

void fc_redis_get(flowctl_backend_base *base, uint64_t ticket, const char *key) {
    struct fc_redis *r = (struct fc_redis *)base;
    struct fc_redis_arguments a = {.count = 0};
    if (!is_key(key)) {
        answer(r, ticket, FLOWCTL_INVALID_ARGUMENT);
        return;
    }
    fc_redis_add_text(&a, "HMGET");
    fc_redis_add_key(&a, r->settings.prefix, "value:", key);
    fc_redis_add_text(&a, "version");
    fc_redis_add_text(&a, "value");
    send_call(r, ticket, got, NULL, &a);
}

static void was_put(struct fc_redis *r, struct fc_redis_call *call, const redisReply *from, flowctl_status status) {
    flowctl_store_reply reply = {.size = sizeof reply, .status = status};
    if (status == FLOWCTL_OK && (!is_pair(from) || !is_text(from->element[1]))) reply.status = foreign(r);
    else if (status == FLOWCTL_OK) {
        reply.status = from->element[0]->integer != 0 ? FLOWCTL_OK : FLOWCTL_CONFLICT;
        reply.version = strtoull(from->element[1]->str, NULL, 10);
    }
    flowctl_answer_store(&r->base, call->ticket, &reply);
}

/* Drawn, so that no value ever has one that another had before; 63 bits, for those that have no unsigned ones. */
static bool draw_version(uint64_t *version) {
    if (getrandom(version, sizeof *version, 0) != (ssize_t)sizeof *version) return false;
    *version = *version >> 1 | 1;
    return true;
}

static flowctl_status check_put(const flowctl_store_put *put, uint64_t *version) {
    if (!is_key(put->key)) return FLOWCTL_INVALID_ARGUMENT;
    if (put->value != NULL && put->bytes > FLOWCTL_STORE_VALUE_MAX) return FLOWCTL_OUT_OF_RANGE;
    return draw_version(version) ? FLOWCTL_OK : FLOWCTL_SYSTEM;
}

void fc_redis_put(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_put *put) {
    struct fc_redis *r = (struct fc_redis *)base;
    struct fc_redis_arguments a = {.count = 0};
    uint64_t version, ttl_ms = put->ttl_ns / FLOWCTL_NS_PER_MS + (put->ttl_ns % FLOWCTL_NS_PER_MS != 0);
    flowctl_status status = check_put(put, &version);
    if (status != FLOWCTL_OK) {
        answer(r, ticket, status);
        return;
    }
    if (ttl_ms > INT64_MAX / FLOWCTL_NS_PER_MS) ttl_ms = 0; /* the server counts in a date */
    fc_redis_add_text(&a, "EVALSHA");
    fc_redis_add_text(&a, fc_redis_put_script.sha);
    fc_redis_add_text(&a, "1");
    fc_redis_add_key(&a, r->settings.prefix, "value:", put->key);
    fc_redis_add_text(&a, put->value != NULL ? "put" : "remove");
    if (put->expected == FLOWCTL_ANY_VERSION) fc_redis_add_text(&a, "any");
    else fc_redis_add_number(&a, put->expected);
    fc_redis_add_number(&a, version);
    fc_redis_add_number(&a, ttl_ms);
    a.argv[a.count] = put->value != NULL ? put->value : "";
    a.lengths[a.count++] = put->value != NULL ? put->bytes : 0;
    send_call(r, ticket, was_put, &fc_redis_put_script, &a);
}

/* ---- numbers ---- */

static void added(struct fc_redis *r, struct fc_redis_call *call, const redisReply *from, flowctl_status status) {
    flowctl_store_reply reply = {.size = sizeof reply, .status = status};
    if (status == FLOWCTL_OK && from->type == REDIS_REPLY_INTEGER) reply.number = (uint64_t)from->integer;
    else if (status == FLOWCTL_OK) reply.status = FLOWCTL_UNSUPPORTED;
    flowctl_answer_store(&r->base, call->ticket, &reply);
}

void fc_redis_increment(flowctl_backend_base *base, uint64_t ticket, const char *key, uint64_t by) {
    struct fc_redis *r = (struct fc_redis *)base;
    struct fc_redis_arguments a = {.count = 0};
    if (!is_key(key) || by > INT64_MAX) {
        answer(r, ticket, is_key(key) ? FLOWCTL_OUT_OF_RANGE : FLOWCTL_INVALID_ARGUMENT);
        return;
    }
    fc_redis_add_text(&a, "INCRBY");
    fc_redis_add_key(&a, r->settings.prefix, "number:", key);
    fc_redis_add_number(&a, by);
    send_call(r, ticket, added, NULL, &a);
}

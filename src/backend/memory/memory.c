/*
 * The embedded default: limits, values and numbers in this process's memory. It lives as long as those who were lent anything by it,
 * so nothing that was lent can ever have been forgotten: one identity, and every new limit is the first of its name.
 */
#include "table.h"

#include <flowctl/sys/backend.h>
#include <flowctl/sys/ledger.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 4, FIRST_SWEEP = 64 };

#define IDENTITY UINT64_C(1)

struct limit {
    struct fc_entry entry;
    flowctl_ledger *ledger;
};

struct value {
    struct fc_entry entry;
    uint64_t version, expires_ns; /* FLOWCTL_FOREVER: never */
    size_t bytes;
    unsigned char *content; /* NULL: made, but not filled in */
};

struct number {
    struct fc_entry entry;
    uint64_t number;
};

struct memory {
    flowctl_backend_base base;
    struct fc_table limits, values, numbers, watched;
    uint64_t version; /* of the last change of any value: none comes twice */
    size_t sweep_at;  /* so many values are looked through for expired ones */
};

static bool fits(const char *text, size_t most) { return text != NULL && *text != '\0' && strlen(text) <= most; }

static flowctl_status memory_open(flowctl_backend_base *base, const void *config, flowctl_error *err) {
    (void)config, (void)err;
    ((struct memory *)base)->sweep_at = FIRST_SWEEP;
    return FLOWCTL_OK;
}

static void free_ledger(void *context, void *entry) {
    (void)context;
    free(((struct limit *)entry)->ledger);
}

static void free_content(void *context, void *entry) {
    (void)context;
    free(((struct value *)entry)->content);
}

static void memory_close(flowctl_backend_base *base) {
    struct memory *m = (struct memory *)base;
    fc_table_each(&m->limits, free_ledger, NULL);
    fc_table_each(&m->values, free_content, NULL);
    fc_table_clear(&m->limits);
    fc_table_clear(&m->values);
    fc_table_clear(&m->numbers);
    fc_table_clear(&m->watched);
}

/* ---- lending ---- */

static struct limit *add_limit(struct memory *m, const char *id) {
    struct limit *l = fc_table_add(&m->limits, id, sizeof *l);
    if (l == NULL) return NULL;
    l->ledger = malloc(FLOWCTL_LEDGER_BYTES(FIRST_ROOM));
    if (l->ledger == NULL) return fc_table_remove(&m->limits, l), NULL;
    flowctl_ledger_init(l->ledger, FIRST_ROOM, IDENTITY, FLOWCTL_LEDGER_FIRST);
    return l;
}

static bool grow(struct limit *l) {
    uint32_t room = 2 * l->ledger->room;
    flowctl_ledger *larger = room < l->ledger->room ? NULL : realloc(l->ledger, FLOWCTL_LEDGER_BYTES(room));
    if (larger == NULL) return false;
    flowctl_ledger_extend(larger, room);
    l->ledger = larger;
    return true;
}

/* A limit is kept from the first session on: an ask that is refused, or of a session that can't be, leaves nothing behind. */
static bool needs_no_limit(const flowctl_lease_ask *ask, uint64_t now_ns, flowctl_lease_reply *reply) {
    flowctl_ledger none;
    flowctl_ledger_init(&none, 0, IDENTITY, FLOWCTL_LEDGER_FIRST);
    flowctl_ledger_ask(&none, ask, now_ns, IDENTITY, reply);
    return reply->status != FLOWCTL_NO_MEMORY;
}

static void lend(struct memory *m, const flowctl_lease_ask *ask, flowctl_lease_reply *reply) {
    uint64_t now_ns = flowctl_backend_time(&m->base);
    struct limit *l = fc_table_find(&m->limits, ask->limit);
    if (l == NULL && (needs_no_limit(ask, now_ns, reply) || (l = add_limit(m, ask->limit)) == NULL)) return;
    do flowctl_ledger_ask(l->ledger, ask, now_ns, IDENTITY, reply);
    while (reply->status == FLOWCTL_NO_MEMORY && grow(l));
}

static void memory_lease(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_ask *ask) {
    flowctl_lease_reply reply = {.size = sizeof reply, .session = ask->session, .seq = ask->seq};
    if (!fits(ask->limit, FLOWCTL_LIMIT_ID_MAX)) reply.status = FLOWCTL_INVALID_ARGUMENT;
    else lend((struct memory *)base, ask, &reply);
    flowctl_answer_lease(base, ticket, &reply);
}

/* ---- values ---- */

static void remove_value(struct memory *m, struct value *v) {
    free(v->content);
    fc_table_remove(&m->values, v);
}

/* The value there is; one that expired is gone. */
static struct value *live_value(struct memory *m, const char *key) {
    struct value *v = fc_table_find(&m->values, key);
    if (v == NULL || v->expires_ns == FLOWCTL_FOREVER || flowctl_backend_time(&m->base) < v->expires_ns) return v;
    return remove_value(m, v), NULL;
}

struct sweep {
    struct memory *m;
    uint64_t now_ns;
};

static void drop_if_expired(void *context, void *entry) {
    struct sweep *s = context;
    struct value *v = entry;
    if (v->expires_ns != FLOWCTL_FOREVER && s->now_ns >= v->expires_ns) remove_value(s->m, v);
}

/* What nobody asks for again goes, once there are twice as many values as after the last sweep. */
static void sweep(struct memory *m) {
    if (m->values.count < m->sweep_at) return;
    fc_table_each(&m->values, drop_if_expired, &(struct sweep){m, flowctl_backend_time(&m->base)});
    m->sweep_at = 2 * m->values.count + FIRST_SWEEP;
}

static void memory_get(flowctl_backend_base *base, uint64_t ticket, const char *key) {
    flowctl_store_reply reply = {.size = sizeof reply, .status = FLOWCTL_NOT_FOUND};
    struct value *v = NULL;
    if (!fits(key, FLOWCTL_STORE_KEY_MAX)) reply.status = FLOWCTL_INVALID_ARGUMENT;
    else v = live_value((struct memory *)base, key);
    if (v != NULL)
        reply = (flowctl_store_reply){.size = sizeof reply, .value = v->content, .bytes = v->bytes, .version = v->version};
    flowctl_answer_store(base, ticket, &reply);
}

static uint64_t expires_ns(uint64_t now_ns, uint64_t ttl_ns) {
    return ttl_ns == 0 || ttl_ns > FLOWCTL_FOREVER - now_ns ? FLOWCTL_FOREVER : now_ns + ttl_ns;
}

static struct value *write_value(struct memory *m, struct value *v, const flowctl_store_put *put) {
    unsigned char *content = malloc(put->bytes + 1);
    if (content == NULL) return NULL;
    if (v == NULL) sweep(m);
    if (v == NULL && (v = fc_table_add(&m->values, put->key, sizeof *v)) == NULL) return free(content), NULL;
    free(v->content);
    v->content = memcpy(content, put->value, put->bytes);
    v->bytes = put->bytes;
    v->expires_ns = expires_ns(flowctl_backend_time(&m->base), put->ttl_ns);
    v->version = ++m->version;
    return v;
}

static flowctl_status change(struct memory *m, const flowctl_store_put *put, uint64_t *version) {
    if (!fits(put->key, FLOWCTL_STORE_KEY_MAX)) return FLOWCTL_INVALID_ARGUMENT;
    if (put->value != NULL && put->bytes > FLOWCTL_STORE_VALUE_MAX) return FLOWCTL_OUT_OF_RANGE;
    struct value *v = live_value(m, put->key);
    *version = v == NULL ? 0 : v->version;
    if (put->expected != FLOWCTL_ANY_VERSION && put->expected != *version) return FLOWCTL_CONFLICT;
    if (put->value == NULL) {
        if (v != NULL) remove_value(m, v);
        *version = 0;
    } else {
        if ((v = write_value(m, v, put)) == NULL) return FLOWCTL_NO_MEMORY;
        *version = v->version;
    }
    if (fc_table_find(&m->watched, put->key) != NULL) flowctl_tell_changed(&m->base, put->key);
    return FLOWCTL_OK;
}

static void memory_put(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_put *put) {
    flowctl_store_reply reply = {.size = sizeof reply};
    reply.status = change((struct memory *)base, put, &reply.version);
    flowctl_answer_store(base, ticket, &reply);
}

static flowctl_status memory_watch(flowctl_backend_base *base, const char *key, bool on) {
    struct memory *m = (struct memory *)base;
    if (!fits(key, FLOWCTL_STORE_KEY_MAX)) return FLOWCTL_INVALID_ARGUMENT;
    struct fc_entry *there = fc_table_find(&m->watched, key);
    if (on && there == NULL && fc_table_add(&m->watched, key, sizeof *there) == NULL) return FLOWCTL_NO_MEMORY;
    if (!on && there != NULL) fc_table_remove(&m->watched, there);
    return FLOWCTL_OK;
}

/* ---- numbers ---- */

static flowctl_status add_to(struct memory *m, const char *key, uint64_t by, uint64_t *sum) {
    if (!fits(key, FLOWCTL_STORE_KEY_MAX)) return FLOWCTL_INVALID_ARGUMENT;
    struct number *n = fc_table_find(&m->numbers, key);
    if (n == NULL && (n = fc_table_add(&m->numbers, key, sizeof *n)) == NULL) return FLOWCTL_NO_MEMORY;
    if (by > UINT64_MAX - n->number) return FLOWCTL_OUT_OF_RANGE;
    *sum = n->number += by;
    return FLOWCTL_OK;
}

static void memory_increment(flowctl_backend_base *base, uint64_t ticket, const char *key, uint64_t by) {
    flowctl_store_reply reply = {.size = sizeof reply};
    reply.status = add_to((struct memory *)base, key, by, &reply.number);
    flowctl_answer_store(base, ticket, &reply);
}

/* ---- looking at it ---- */

struct inspection {
    flowctl_backend_base *base;
    uint64_t ticket;
    flowctl_status status;
};

static void inspect_limit(void *context, void *entry) {
    struct inspection *to = context;
    struct limit *l = entry;
    size_t room = l->ledger->count;
    flowctl_member_state *members = calloc(room + 1, sizeof *members);
    flowctl_limit_state state = {.size = sizeof state, .limit = l->entry.key};
    if (members == NULL) {
        to->status = FLOWCTL_NO_MEMORY;
        return;
    }
    flowctl_ledger_inspect(l->ledger, flowctl_backend_time(to->base), &state, members, room);
    flowctl_answer_inspect(to->base, to->ticket, FLOWCTL_OK, &state);
    free(members);
}

static void memory_inspect(flowctl_backend_base *base, uint64_t ticket, const char *limit) {
    struct memory *m = (struct memory *)base;
    struct inspection to = {base, ticket, FLOWCTL_OK};
    struct limit *one = limit == NULL ? NULL : fc_table_find(&m->limits, limit);
    if (limit == NULL) fc_table_each(&m->limits, inspect_limit, &to);
    else if (one != NULL) inspect_limit(&to, one);
    else to.status = FLOWCTL_NOT_FOUND;
    flowctl_answer_inspect(base, ticket, to.status, NULL);
}

const flowctl_backend_ops *flowctl_memory_backend(void) {
    static const flowctl_backend_ops ops = {
        .size = sizeof ops,
        .version = FLOWCTL_BACKEND_VERSION,
        .name = "memory",
        .instance_bytes = sizeof(struct memory),
        .capabilities = FLOWCTL_CAN_SERVER_TIME | FLOWCTL_CAN_EXACT,
        .open = memory_open,
        .close = memory_close,
        .lease = memory_lease,
        .get = memory_get,
        .put = memory_put,
        .increment = memory_increment,
        .watch = memory_watch,
        .inspect = memory_inspect,
    };
    return &ops;
}

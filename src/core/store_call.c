/* Calls of users' threads that wait for the store: values, counters, inspection, a probe. */
#include "base/error.h"
#include "core/backend.h"

#include <string.h>

/* ---- waiting ---- */

static void unlist(flowctl_backend *b, struct fc_call *call) {
    struct fc_call **at = &b->calls;
    while (*at != call) at = &(*at)->next;
    *at = call->next;
}

static bool finished(const struct fc_call *c) { return c->done && !c->sending && c->visitors == 0; }

static struct timespec monotonic_time(uint64_t ns) {
    return (struct timespec){(time_t)(ns / FLOWCTL_NS_PER_SEC), (long)(ns % FLOWCTL_NS_PER_SEC)};
}

/* Under the lock. With FLOWCTL_DRIVE_POLL nobody else may be driving. */
static void wait_a_while(flowctl_backend *b, const struct fc_call *call, uint64_t until_ns) {
    uint64_t now_ns = fc_monotonic_now(), step_ns = now_ns + FLOWCTL_NS_PER_MS;
    if (b->drive == FLOWCTL_DRIVE_POLL) {
        pthread_mutex_unlock(&b->lock);
        fc_backend_assist(b);
        pthread_mutex_lock(&b->lock);
        if (finished(call)) return;
    }
    /* Its time may be over, while the store still reads what is the caller's. */
    if (until_ns <= now_ns || (b->drive == FLOWCTL_DRIVE_POLL && until_ns > step_ns)) until_ns = step_ns;
    struct timespec until = monotonic_time(until_ns);
    pthread_cond_timedwait(&b->changed, &b->lock, &until);
}

static uint64_t later(uint64_t ns, uint64_t by_ns) {
    /* A time that timespec can hold, and that never comes. */
    return by_ns > FLOWCTL_PERIOD_MAX_NS ? ns + FLOWCTL_PERIOD_MAX_NS : ns + by_ns;
}

flowctl_status fc_call_wait(flowctl_backend *b, struct fc_call *call, uint64_t max_wait_ns) {
    uint64_t until_ns = later(fc_monotonic_now(), max_wait_ns < b->call_timeout_ns ? max_wait_ns : b->call_timeout_ns);
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    pthread_mutex_lock(&b->lock);
    call->ticket = FC_TICKET_CALL | (++b->generation & INT32_MAX) << 32 | 1;
    call->next = b->calls;
    b->calls = call;
    pthread_mutex_unlock(&b->lock);
    fc_backend_wake(b, 0);
    pthread_mutex_lock(&b->lock);
    while (!finished(call) && (fc_monotonic_now() < until_ns || call->sending || call->visitors != 0))
        wait_a_while(b, call, until_ns);
    if (!call->done) call->reply.status = FLOWCTL_TIMED_OUT;
    unlist(b, call);
    pthread_mutex_unlock(&b->lock);
    pthread_setcancelstate(state, NULL);
    return call->reply.status;
}

/* ---- sending ---- */

/* Answered by its return. */
static void send_watch(flowctl_backend *b, const struct fc_call *c) {
    flowctl_store_reply reply = {.size = sizeof reply, .status = b->ops->watch(b->instance, c->key, c->on)};
    fc_calls_stored(b, c->ticket, &reply);
}

static void send(flowctl_backend *b, struct fc_call *c) {
    switch (c->kind) {
    case FC_CALL_GET: b->ops->get(b->instance, c->ticket, c->key); break;
    case FC_CALL_PUT: b->ops->put(b->instance, c->ticket, c->put); break;
    case FC_CALL_INCREMENT: b->ops->increment(b->instance, c->ticket, c->key, c->by); break;
    case FC_CALL_INSPECT: b->ops->inspect(b->instance, c->ticket, c->key); break;
    case FC_CALL_LEASE: b->ops->lease(b->instance, c->ticket, c->ask); break;
    case FC_CALL_WATCH: send_watch(b, c); break;
    }
}

void fc_calls_send(flowctl_backend *b) {
    for (;;) {
        struct fc_call *c = b->calls;
        while (c != NULL && c->sent) c = c->next;
        if (c == NULL) return;
        c->sent = c->sending = true;
        pthread_mutex_unlock(&b->lock);
        send(b, c);
        pthread_mutex_lock(&b->lock);
        c->sending = false;
        pthread_cond_broadcast(&b->changed);
    }
}

/* ---- answers ---- */

static struct fc_call *find(flowctl_backend *b, uint64_t ticket) {
    struct fc_call *c = b->calls;
    while (c != NULL && (c->ticket != ticket || c->done)) c = c->next;
    return c;
}

static void finish(flowctl_backend *b, struct fc_call *c) {
    c->done = true;
    pthread_cond_broadcast(&b->changed);
}

void fc_calls_stored(flowctl_backend *b, uint64_t ticket, const flowctl_store_reply *reply) {
    pthread_mutex_lock(&b->lock);
    struct fc_call *c = find(b, ticket);
    if (c != NULL) {
        c->reply = *reply;
        if (reply->status == FLOWCTL_OK && c->kind == FC_CALL_GET) {
            if (reply->bytes > c->room) c->reply.status = FLOWCTL_OUT_OF_RANGE;
            else if (reply->bytes != 0) memcpy(c->buffer, reply->value, reply->bytes);
        }
        c->reply.value = NULL;
        finish(b, c);
    }
    pthread_mutex_unlock(&b->lock);
}

void fc_calls_leased(flowctl_backend *b, uint64_t ticket, const flowctl_lease_reply *reply) {
    pthread_mutex_lock(&b->lock);
    struct fc_call *c = find(b, ticket);
    if (c != NULL) {
        c->reply.status = reply->status;
        finish(b, c);
    }
    pthread_mutex_unlock(&b->lock);
}

void fc_calls_inspected(flowctl_backend *b, uint64_t ticket, flowctl_status status, const flowctl_limit_state *state) {
    pthread_mutex_lock(&b->lock);
    struct fc_call *c = find(b, ticket);
    if (c != NULL && state == NULL) {
        c->reply.status = status;
        finish(b, c);
    } else if (c != NULL) {
        c->visitors++;
        pthread_mutex_unlock(&b->lock);
        c->inspector(c->context, state);
        pthread_mutex_lock(&b->lock);
        c->visitors--;
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
}

void fc_calls_changed(flowctl_backend *b, const char *key) {
    pthread_mutex_lock(&b->lock);
    struct fc_watch *w = b->watches;
    while (w != NULL && strcmp(w->key, key) != 0) w = w->next;
    flowctl_watcher *watcher = w != NULL ? w->watcher : NULL;
    void *context = w != NULL ? w->context : NULL;
    pthread_mutex_unlock(&b->lock);
    if (watcher != NULL) watcher(context, key);
}

/* ---- the calls ---- */

/* Whether the backend can do that at all, and the key is one. */
static flowctl_status check(const flowctl_backend *b, uint32_t capability, const char *verb, const char *key,
                            flowctl_error *err) {
    if (b == NULL || key == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "%s: the %s is NULL", verb, b == NULL ? "backend" : "key");
    if (atomic_load(&b->orphan))
        return fc_fail(err, FLOWCTL_CLOSED, FC_NO_TEXT, "%s: the backend was opened before a fork: open one in the child",
                       verb);
    if (!(b->capabilities & capability))
        return fc_fail(err, FLOWCTL_UNSUPPORTED, FC_NO_TEXT, "%s: the backend \"%.40s\" can't %s", verb, b->ops->name,
                       flowctl_capability_name(capability));
    size_t bytes = strlen(key);
    if (bytes == 0 || bytes > FLOWCTL_STORE_KEY_MAX)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "%s: the key has %zu bytes: 1 to %d", verb, bytes,
                       FLOWCTL_STORE_KEY_MAX);
    return FLOWCTL_OK;
}

static flowctl_status explain(const flowctl_backend *b, flowctl_status status, const char *verb, const char *key,
                              flowctl_error *err) {
    if (status == FLOWCTL_OK) return status;
    return fc_fail(err, status, FC_NO_TEXT, "%s \"%.60s\" at backend \"%.40s\": %s", verb, key, b->ops->name,
                   flowctl_status_text(status));
}

flowctl_status flowctl_store_get(flowctl_backend *b, const char *key, void *buffer, size_t room, size_t *bytes,
                                 uint64_t *version, uint64_t max_wait_ns, flowctl_error *err) {
    flowctl_status status = check(b, FLOWCTL_CAN_STORE, "get", key, err);
    if (status != FLOWCTL_OK) return status;
    if (bytes == NULL || (buffer == NULL && room != 0))
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "get: %s is NULL",
                       bytes == NULL ? "the out-pointer bytes" : "the buffer");
    struct fc_call call = {.kind = FC_CALL_GET, .key = key, .buffer = buffer, .room = room};
    status = fc_call_wait(b, &call, max_wait_ns);
    if (status == FLOWCTL_OK || status == FLOWCTL_OUT_OF_RANGE) *bytes = call.reply.bytes;
    if (version != NULL && status == FLOWCTL_OK) *version = call.reply.version;
    return explain(b, status, "get", key, err);
}

static flowctl_status put(flowctl_backend *b, const flowctl_store_put *what, uint64_t *version, uint64_t max_wait_ns,
                          const char *verb, flowctl_error *err) {
    struct fc_call call = {.kind = FC_CALL_PUT, .key = what->key, .put = what};
    flowctl_status status = fc_call_wait(b, &call, max_wait_ns);
    if (version != NULL && status == FLOWCTL_OK) *version = call.reply.version;
    return explain(b, status, verb, what->key, err);
}

flowctl_status flowctl_store_set(flowctl_backend *b, const char *key, const void *value, size_t bytes, uint64_t ttl_ns,
                                 uint64_t expected, uint64_t *version, uint64_t max_wait_ns, flowctl_error *err) {
    flowctl_status status = check(b, FLOWCTL_CAN_STORE, "set", key, err);
    if (status != FLOWCTL_OK) return status;
    if (value == NULL && bytes != 0) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "set: the value is NULL");
    if (bytes > FLOWCTL_STORE_VALUE_MAX)
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT, "set \"%.60s\": the value has %zu bytes: at most %d", key,
                       bytes, FLOWCTL_STORE_VALUE_MAX);
    flowctl_store_put what = {sizeof what, key, value != NULL ? value : "", bytes, ttl_ns, expected};
    return put(b, &what, version, max_wait_ns, "set", err);
}

flowctl_status flowctl_store_remove(flowctl_backend *b, const char *key, uint64_t expected, uint64_t max_wait_ns,
                                    flowctl_error *err) {
    flowctl_status status = check(b, FLOWCTL_CAN_STORE, "remove", key, err);
    if (status != FLOWCTL_OK) return status;
    flowctl_store_put what = {sizeof what, key, NULL, 0, 0, expected};
    return put(b, &what, NULL, max_wait_ns, "remove", err);
}

flowctl_status flowctl_store_increment(flowctl_backend *b, const char *key, uint64_t by, uint64_t *value,
                                       uint64_t max_wait_ns, flowctl_error *err) {
    flowctl_status status = check(b, FLOWCTL_CAN_COUNT, "increment", key, err);
    if (status != FLOWCTL_OK) return status;
    struct fc_call call = {.kind = FC_CALL_INCREMENT, .key = key, .by = by};
    status = fc_call_wait(b, &call, max_wait_ns);
    if (value != NULL && status == FLOWCTL_OK) *value = call.reply.number;
    return explain(b, status, "increment", key, err);
}

flowctl_status flowctl_backend_inspect(flowctl_backend *b, const char *limit, flowctl_inspector *inspector, void *context,
                                       uint64_t max_wait_ns, flowctl_error *err) {
    flowctl_status status = check(b, FLOWCTL_CAN_INSPECT, "inspect", limit != NULL ? limit : "all", err);
    if (status != FLOWCTL_OK) return status;
    if (inspector == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "inspect: the inspector is NULL");
    struct fc_call call = {.kind = FC_CALL_INSPECT, .key = limit, .inspector = inspector, .context = context};
    return explain(b, fc_call_wait(b, &call, max_wait_ns), "inspect", limit != NULL ? limit : "all", err);
}

/* ---- watching ---- */

static struct fc_watch *find_watch(flowctl_backend *b, const char *key) {
    struct fc_watch *w = b->watches;
    while (w != NULL && strcmp(w->key, key) != 0) w = w->next;
    return w;
}

static void forget_watch(flowctl_backend *b, struct fc_watch *watch) {
    struct fc_watch **at = &b->watches;
    while (*at != NULL && *at != watch) at = &(*at)->next;
    if (*at == NULL) return;
    *at = watch->next;
    fc_release(&b->allocator, watch, sizeof *watch);
}

static struct fc_watch *note_watch(flowctl_backend *b, const char *key, flowctl_watcher *watcher, void *context) {
    struct fc_watch *w = find_watch(b, key);
    if (w == NULL) {
        w = fc_allocate(&b->allocator, sizeof *w);
        if (w == NULL) return NULL;
        memcpy(w->key, key, strlen(key) + 1); /* its length was checked */
        w->next = b->watches;
        b->watches = w;
    }
    w->watcher = watcher;
    w->context = context;
    return w;
}

flowctl_status flowctl_store_watch(flowctl_backend *b, const char *key, flowctl_watcher *watcher, void *context,
                                   flowctl_error *err) {
    flowctl_status status = check(b, FLOWCTL_CAN_WATCH, "watch", key, err);
    if (status != FLOWCTL_OK) return status;
    pthread_mutex_lock(&b->lock);
    struct fc_watch *w = watcher != NULL ? note_watch(b, key, watcher, context) : find_watch(b, key);
    if (watcher == NULL) forget_watch(b, w);
    pthread_mutex_unlock(&b->lock);
    if (watcher != NULL && w == NULL) return explain(b, FLOWCTL_NO_MEMORY, "watch", key, err);
    struct fc_call call = {.kind = FC_CALL_WATCH, .key = key, .on = watcher != NULL};
    status = fc_call_wait(b, &call, FLOWCTL_FOREVER);
    if (status != FLOWCTL_OK && watcher != NULL) {
        pthread_mutex_lock(&b->lock);
        forget_watch(b, find_watch(b, key));
        pthread_mutex_unlock(&b->lock);
    }
    return explain(b, status, "watch", key, err);
}

/* ---- a probe ---- */

#define PROBE_KEY "flowctl.probe"

/* The most harmless thing that the backend can do. */
static struct fc_call probe_call(const flowctl_backend *b, const flowctl_lease_ask *ask) {
    if (b->capabilities & FLOWCTL_CAN_STORE) return (struct fc_call){.kind = FC_CALL_GET, .key = PROBE_KEY};
    if (b->capabilities & FLOWCTL_CAN_COUNT) return (struct fc_call){.kind = FC_CALL_INCREMENT, .key = PROBE_KEY};
    return (struct fc_call){.kind = FC_CALL_LEASE, .key = PROBE_KEY, .ask = ask};
}

flowctl_status flowctl_backend_probe(flowctl_backend *b, uint64_t max_wait_ns, flowctl_backend_probed *probed,
                                     flowctl_error *err) {
    if (probed == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "probe: the out-pointer probed is NULL");
    *probed = (flowctl_backend_probed){.status = FLOWCTL_INVALID_ARGUMENT};
    flowctl_status status = check(b, FLOWCTL_CAN_LEND, "probe", PROBE_KEY, err);
    if (status != FLOWCTL_OK) return status;
    const flowctl_lease_ask ask = {.size = sizeof ask,
                                   .limit = PROBE_KEY,
                                   .member = b->member,
                                   .seq = 1,
                                   .leaves = true,
                                   .terms = {{1, FLOWCTL_NS_PER_SEC}, 1, FLOWCTL_NS_PER_SEC, 0}};
    struct fc_call call = probe_call(b, &ask);
    uint64_t began_ns = fc_monotonic_now();
    status = fc_call_wait(b, &call, max_wait_ns);
    if (status == FLOWCTL_NOT_FOUND || status == FLOWCTL_OUT_OF_RANGE) status = FLOWCTL_OK; /* an answer */
    *probed = (flowctl_backend_probed){status, b->capabilities, fc_monotonic_now() - began_ns};
    return explain(b, status, "probe", PROBE_KEY, err);
}

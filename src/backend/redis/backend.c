/* The vtable, and the lease. */
#include "redis.h"

#include <string.h>

/* ---- lending ---- */

static void refuse(struct fc_redis *r, uint64_t ticket, const flowctl_lease_ask *ask, flowctl_status status) {
    flowctl_answer_lease(&r->base, ticket,
                         &(flowctl_lease_reply){.size = sizeof(flowctl_lease_reply),
                                                .status = status,
                                                .session = ask->session,
                                                .seq = ask->seq});
}

static void lent(struct fc_redis *r, struct fc_redis_call *call, const redisReply *from, flowctl_status status) {
    flowctl_lease_reply reply = {.size = sizeof reply, .status = status, .session = call->session, .seq = call->seq};
    if (status == FLOWCTL_OK && !fc_redis_is_answer_to(from, call->session, call->seq)) {
        fc_redis_lose(r, FLOWCTL_REDIS_OTHER, "an answer is not for what was asked: one was lost on the way");
        reply.status = FLOWCTL_UNAVAILABLE;
    } else if (status == FLOWCTL_OK && !fc_redis_read_answer(from, &reply)) {
        fc_redis_note(r, FLOWCTL_REDIS_OTHER, "what the script answers can't be read", SIZE_MAX);
        reply = (flowctl_lease_reply){.size = sizeof reply,
                                      .status = FLOWCTL_UNSUPPORTED,
                                      .session = call->session,
                                      .seq = call->seq};
    }
    flowctl_answer_lease(&r->base, call->ticket, &reply);
}

void fc_redis_lease(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_ask *ask) {
    struct fc_redis *r = (struct fc_redis *)base;
    struct fc_redis_arguments a = {.count = 0};
    struct fc_redis_call *call = NULL;
    fc_redis_add_text(&a, "EVALSHA");
    fc_redis_add_text(&a, fc_redis_lease_script.sha);
    fc_redis_add_text(&a, "1");
    flowctl_status status = fc_redis_check_ask(ask);
    if (status == FLOWCTL_OK) {
        fc_redis_add_key(&a, r->settings.prefix, "", ask->limit);
        fc_redis_add_ask(&a, ask);
        call = fc_redis_call_new(lent, ticket, a.count, a.argv, a.lengths);
        if (call == NULL) status = FLOWCTL_NO_MEMORY;
    }
    if (status != FLOWCTL_OK) {
        refuse(r, ticket, ask, status);
        return;
    }
    call->script = &fc_redis_lease_script;
    call->session = ask->session;
    call->seq = ask->seq;
    fc_redis_call_send(r, call);
}

/* ---- opening ---- */

static void redis_close(flowctl_backend_base *base) {
    struct fc_redis *r = (struct fc_redis *)base;
    fc_redis_link_close(r);
    fc_redis_settings_free(&r->settings);
    pthread_mutex_destroy(&r->lock);
}

static flowctl_status redis_open(flowctl_backend_base *base, const void *config, flowctl_error *err) {
    struct fc_redis *r = (struct fc_redis *)base;
    r->epoll = r->event = -1;
    flowctl_status status = fc_redis_settings_read(&r->settings, config, err);
    if (status != FLOWCTL_OK) return status;
    pthread_mutex_init(&r->lock, NULL);
    status = fc_redis_link_open(r, err);
    if (status != FLOWCTL_OK) redis_close(base);
    return status;
}

static uint64_t redis_poll(flowctl_backend_base *base, uint64_t now_ns) {
    return fc_redis_link_poll((struct fc_redis *)base, now_ns);
}
static void redis_wait(flowctl_backend_base *base, uint64_t until_ns) {
    fc_redis_link_wait((struct fc_redis *)base, until_ns);
}
static void redis_interrupt(flowctl_backend_base *base) { fc_redis_link_interrupt((struct fc_redis *)base); }
static int redis_descriptor(const flowctl_backend_base *base) { return ((const struct fc_redis *)base)->epoll; }

const flowctl_backend_ops *flowctl_redis_backend(void) {
    static const flowctl_backend_ops ops = {
        .size = sizeof ops,
        .version = FLOWCTL_BACKEND_VERSION,
        .name = "redis",
        .instance_bytes = sizeof(struct fc_redis),
        .capabilities = FLOWCTL_CAN_SHARE | FLOWCTL_CAN_PERSIST | FLOWCTL_CAN_SERVER_TIME | FLOWCTL_CAN_EXACT,
        .open = redis_open,
        .close = redis_close,
        .lease = fc_redis_lease,
        .get = fc_redis_get,
        .put = fc_redis_put,
        .increment = fc_redis_increment,
        .inspect = fc_redis_inspect,
        .poll = redis_poll,
        .wait = redis_wait,
        .interrupt = redis_interrupt,
        .descriptor = redis_descriptor,
    };
    return &ops;
}

flowctl_status flowctl_redis_info_read(flowctl_backend *backend, flowctl_redis_info *info) {
    struct fc_redis *r = (struct fc_redis *)flowctl_backend_instance(backend, flowctl_redis_backend());
    if (r == NULL || info == NULL) return FLOWCTL_INVALID_ARGUMENT;
    pthread_mutex_lock(&r->lock);
    *info = r->info;
    pthread_mutex_unlock(&r->lock);
    return FLOWCTL_OK;
}

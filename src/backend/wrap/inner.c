#include "inner.h"

#include "base/error.h"

#include <stdlib.h>

flowctl_status fc_inner_open(struct fc_inner *inner, const flowctl_backend_ops *ops, const void *config,
                             const flowctl_backend_host *host, flowctl_backend_base *outer, flowctl_error *err) {
    flowctl_status status = flowctl_backend_check(ops, err);
    if (status != FLOWCTL_OK) return status;
    flowctl_backend_base *base = calloc(1, ops->instance_bytes);
    if (base == NULL)
        return fc_fail(err, FLOWCTL_NO_MEMORY, FC_NO_TEXT, "no memory for an instance of \"%s\": %zu bytes", ops->name,
                       ops->instance_bytes);
    base->ops = ops;
    base->host = host;
    base->host_context = outer;
    status = ops->open(base, config, err);
    if (status == FLOWCTL_OK) inner->base = base;
    else free(base);
    return status;
}

void fc_inner_close(struct fc_inner *inner) {
    if (inner->base == NULL) return;
    inner->base->ops->close(inner->base);
    free(inner->base);
    inner->base = NULL;
}

uint32_t fc_inner_able(const struct fc_inner *inner) {
    const flowctl_backend_ops *ops = inner->base->ops;
    return ops->able != NULL ? ops->able(inner->base) : flowctl_backend_ops_capabilities(ops);
}

static void refuse(struct fc_inner *inner, uint64_t ticket) {
    flowctl_answer_store(inner->base, ticket,
                         &(flowctl_store_reply){.size = sizeof(flowctl_store_reply), .status = FLOWCTL_UNSUPPORTED});
}

void fc_inner_get(struct fc_inner *inner, uint64_t ticket, const char *key) {
    if (inner->base->ops->get != NULL) inner->base->ops->get(inner->base, ticket, key);
    else refuse(inner, ticket);
}

void fc_inner_put(struct fc_inner *inner, uint64_t ticket, const flowctl_store_put *put) {
    if (inner->base->ops->put != NULL) inner->base->ops->put(inner->base, ticket, put);
    else refuse(inner, ticket);
}

void fc_inner_increment(struct fc_inner *inner, uint64_t ticket, const char *key, uint64_t by) {
    if (inner->base->ops->increment != NULL) inner->base->ops->increment(inner->base, ticket, key, by);
    else refuse(inner, ticket);
}

flowctl_status fc_inner_watch(struct fc_inner *inner, const char *key, bool on) {
    return inner->base->ops->watch != NULL ? inner->base->ops->watch(inner->base, key, on) : FLOWCTL_UNSUPPORTED;
}

void fc_inner_inspect(struct fc_inner *inner, uint64_t ticket, const char *limit) {
    if (inner->base->ops->inspect != NULL) inner->base->ops->inspect(inner->base, ticket, limit);
    else flowctl_answer_inspect(inner->base, ticket, FLOWCTL_UNSUPPORTED, NULL);
}

uint64_t fc_inner_poll(struct fc_inner *inner, uint64_t now_ns) {
    return inner->base->ops->poll != NULL ? inner->base->ops->poll(inner->base, now_ns) : FLOWCTL_FOREVER;
}

int fc_inner_descriptor(const struct fc_inner *inner) {
    return inner->base->ops->descriptor != NULL ? inner->base->ops->descriptor(inner->base) : -1;
}

void fc_outer_wake(flowctl_backend_base *inner) { flowctl_ask_for_poll(fc_outer(inner)); }
uint64_t fc_outer_now(flowctl_backend_base *inner) { return flowctl_backend_time(fc_outer(inner)); }

/* The backend inside a decorator: made, asked and closed. What it has no slot for, it answers with UNSUPPORTED. */
#ifndef FC_BACKEND_WRAP_INNER_H
#define FC_BACKEND_WRAP_INNER_H

#include <flowctl/sys/backend.h>

struct fc_inner {
    flowctl_backend_base *base; /* NULL: not open */
};

/* Checks, makes and opens. Its answers go to `host`, with host_context `outer`. */
flowctl_status fc_inner_open(struct fc_inner *inner, const flowctl_backend_ops *ops, const void *config,
                             const flowctl_backend_host *host, flowctl_backend_base *outer, flowctl_error *err);
void fc_inner_close(struct fc_inner *inner);

/* The decorator that an inner instance belongs to. */
static inline flowctl_backend_base *fc_outer(flowctl_backend_base *inner) { return inner->host_context; }

uint32_t fc_inner_able(const struct fc_inner *inner);
void fc_inner_get(struct fc_inner *inner, uint64_t ticket, const char *key);
void fc_inner_put(struct fc_inner *inner, uint64_t ticket, const flowctl_store_put *put);
void fc_inner_increment(struct fc_inner *inner, uint64_t ticket, const char *key, uint64_t by);
flowctl_status fc_inner_watch(struct fc_inner *inner, const char *key, bool on);
void fc_inner_inspect(struct fc_inner *inner, uint64_t ticket, const char *limit);
uint64_t fc_inner_poll(struct fc_inner *inner, uint64_t now_ns);
int fc_inner_descriptor(const struct fc_inner *inner);

/* For slots of a decorator's host that have nothing to do but pass on. */
void fc_outer_wake(flowctl_backend_base *inner);
uint64_t fc_outer_now(flowctl_backend_base *inner);

#endif

/**
 * @file sys/trace.h  A backend that tells everything that is said to another and back.
 *
 *     flowctl_trace_config trace = {sizeof trace, flowctl_memory_backend(), NULL, to_stderr, NULL};
 *     where.ops = flowctl_trace_backend();
 *     where.config = &trace;
 */
#ifndef FLOWCTL_SYS_TRACE_H
#define FLOWCTL_SYS_TRACE_H

#include <flowctl/sys/backend.h>

FLOWCTL_BEGIN

/** One line of text without its end; valid during the call. Any thread that asks or answers. */
typedef void flowctl_trace_sink(void *context, uint64_t now_ns, const char *line);

typedef struct flowctl_trace_config {
    size_t size;
    const flowctl_backend_ops *inner; /**< The backend that is traced, */
    const void *inner_config;         /**< and its configuration. */
    flowctl_trace_sink *sink;
    void *context;
} flowctl_trace_config;

/** Its ops. Capabilities are those of the inner backend. */
FLOWCTL_API const flowctl_backend_ops *flowctl_trace_backend(void);

FLOWCTL_END
#endif

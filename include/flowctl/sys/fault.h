/**
 * @file sys/fault.h  A backend that mistreats another: delay, loss, repetition, disorder, failure. For tests of programs, and of backends.
 *
 * What happens is drawn from `seed` and how many requests, or replies, came before, so the same calls in the same order meet the same faults, also if the rates
 * were changed in between. What is lost is never answered: the caller's time-out has to see to it. All of it works on requests before the inner backend sees them,
 * and on replies before the caller does. Asks for an inspection are not repeated, and what it and `watch` tell passes as it is.
 * It sleeps as the inner backend does.
 */
#ifndef FLOWCTL_SYS_FAULT_H
#define FLOWCTL_SYS_FAULT_H

#include <flowctl/sys/backend.h>

FLOWCTL_BEGIN

/** Chances are in millionths, per call. They may be changed while in use (flowctl_faults_set). */
typedef struct flowctl_fault_rates {
    uint32_t drop_request, drop_reply;
    uint32_t duplicate_request, duplicate_reply;
    uint32_t delay_request, delay_reply; /**< By up to max_delay_ns, evenly: this is also what puts them out of order. */
    uint32_t fail;                       /**< Answered with fail_status, and not passed on. */
    uint64_t max_delay_ns;
    flowctl_status fail_status; /**< OK: UNAVAILABLE. */
} flowctl_fault_rates;

/** Faults that are shared by the config and whoever changes them. Thread-safe through its functions. */
typedef struct flowctl_faults flowctl_faults;
FLOWCTL_API flowctl_status flowctl_faults_create(uint64_t seed, flowctl_faults **faults, flowctl_error *err);
FLOWCTL_API void flowctl_faults_destroy(flowctl_faults *faults);
FLOWCTL_API void flowctl_faults_set(flowctl_faults *faults, const flowctl_fault_rates *rates);

/** What was done so far. */
typedef struct flowctl_fault_counts {
    uint64_t calls, dropped_requests, dropped_replies, duplicated_requests, duplicated_replies, delayed, failed;
} flowctl_fault_counts;
FLOWCTL_API void flowctl_faults_count(flowctl_faults *faults, flowctl_fault_counts *counts);

typedef struct flowctl_fault_config {
    size_t size;
    const flowctl_backend_ops *inner;
    const void *inner_config;
    flowctl_faults *faults; /**< Must outlive the backend. */
} flowctl_fault_config;

/** Its ops. Capabilities are those of the inner backend. */
FLOWCTL_API const flowctl_backend_ops *flowctl_fault_backend(void);

FLOWCTL_END
#endif

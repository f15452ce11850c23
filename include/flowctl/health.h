/**
 * @file health.h  Health of components, published through a backend with expiry: who is silent is not healthy.
 */
#ifndef FLOWCTL_HEALTH_H
#define FLOWCTL_HEALTH_H

#include <flowctl/backend.h>

FLOWCTL_BEGIN

/** In order: the worst of several is the largest. */
typedef enum flowctl_health {
    FLOWCTL_HEALTH_OK = 0,
    FLOWCTL_HEALTH_DEGRADED = 1,
    FLOWCTL_HEALTH_FAILED = 2,
    FLOWCTL_HEALTH_SILENT = 3 /**< Nothing was published, or it has expired. */
} flowctl_health;

#define FLOWCTL_HEALTH_DETAIL_MAX 199

typedef struct flowctl_health_report {
    flowctl_health health;
    uint64_t number; /**< Reports of a component are numbered by the store: which of two is newer. 0: silent. */
    char detail[FLOWCTL_HEALTH_DETAIL_MAX + 1];
} flowctl_health_report;

/** "OK"; "UNKNOWN" for a value that is none. Static. */
FLOWCTL_API const char *flowctl_health_name(flowctl_health health);

/** Publishes; it expires after `ttl_ns` (at least 1 ms). `detail` may be NULL; longer ones are cut. Not SILENT. Needs STORE. Waits for the store. */
FLOWCTL_API flowctl_status flowctl_health_publish(flowctl_backend *backend, const char *component, flowctl_health health,
                                                  const char *detail, uint64_t ttl_ns, uint64_t max_wait_ns,
                                                  flowctl_error *err);

/** Reads one component. OK also if it is silent. */
FLOWCTL_API flowctl_status flowctl_health_read(flowctl_backend *backend, const char *component,
                                               flowctl_health_report *report, uint64_t max_wait_ns, flowctl_error *err);

/** The worst of several components; `reports` (may be NULL) receives one for each. A component that can't be read is SILENT. */
FLOWCTL_API flowctl_health flowctl_health_worst(flowctl_backend *backend, const char *const *components, size_t count,
                                                flowctl_health_report *reports, uint64_t max_wait_ns);

FLOWCTL_END
#endif

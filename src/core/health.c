#include <flowctl/health.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/backend.h"

#include <flowctl/store.h>
#include <stdio.h>
#include <string.h>

#define COMPONENT_MAX_BYTES 200

/* A report as it is stored: version, health, two bytes of nothing, then the detail without a terminator. */
#define REPORT_VERSION 1
#define REPORT_FIXED 4

const char *flowctl_health_name(flowctl_health health) {
    switch (health) {
    case FLOWCTL_HEALTH_OK: return "OK";
    case FLOWCTL_HEALTH_DEGRADED: return "DEGRADED";
    case FLOWCTL_HEALTH_FAILED: return "FAILED";
    case FLOWCTL_HEALTH_SILENT: return "SILENT";
    }
    return "UNKNOWN";
}

static flowctl_status make_key(const char *component, char key[FLOWCTL_STORE_KEY_MAX + 1], flowctl_error *err) {
    if (component == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "health: the component is NULL");
    if (component[0] == '\0' || strlen(component) > COMPONENT_MAX_BYTES)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "health: the component has %zu bytes: 1 to %d",
                       strlen(component), COMPONENT_MAX_BYTES);
    snprintf(key, FLOWCTL_STORE_KEY_MAX + 1, "flowctl.health.%s", component);
    return FLOWCTL_OK;
}

flowctl_status flowctl_health_publish(flowctl_backend *b, const char *component, flowctl_health health, const char *detail,
                                      uint64_t ttl_ns, uint64_t max_wait_ns, flowctl_error *err) {
    char key[FLOWCTL_STORE_KEY_MAX + 1];
    unsigned char report[REPORT_FIXED + FLOWCTL_HEALTH_DETAIL_MAX] = {REPORT_VERSION, (unsigned char)health};
    flowctl_status status = make_key(component, key, err);
    if (status != FLOWCTL_OK) return status;
    if ((unsigned)health >= FLOWCTL_HEALTH_SILENT)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "health of \"%.60s\": %d: FLOWCTL_HEALTH_OK, _DEGRADED or _FAILED", component, (int)health);
    if (ttl_ns < FLOWCTL_NS_PER_MS)
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT, "health of \"%.60s\": ttl_ns is %llu: at least 1 ms",
                       component, (unsigned long long)ttl_ns);
    size_t bytes = detail != NULL ? strnlen(detail, FLOWCTL_HEALTH_DETAIL_MAX) : 0;
    if (bytes != 0) memcpy(report + REPORT_FIXED, detail, bytes);
    return flowctl_store_set(b, key, report, REPORT_FIXED + bytes, ttl_ns, FLOWCTL_VERSION_ANY, NULL, max_wait_ns, err);
}

flowctl_status flowctl_health_read(flowctl_backend *b, const char *component, flowctl_health_report *report,
                                   uint64_t max_wait_ns, flowctl_error *err) {
    char key[FLOWCTL_STORE_KEY_MAX + 1];
    unsigned char stored[REPORT_FIXED + FLOWCTL_HEALTH_DETAIL_MAX];
    size_t bytes = 0;
    uint64_t version = 0;
    if (report == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "health: the out-pointer report is NULL");
    *report = (flowctl_health_report){.health = FLOWCTL_HEALTH_SILENT};
    flowctl_status status = make_key(component, key, err);
    if (status != FLOWCTL_OK) return status;
    status = flowctl_store_get(b, key, stored, sizeof stored, &bytes, &version, max_wait_ns, err);
    if (status == FLOWCTL_NOT_FOUND) return FLOWCTL_OK;
    if (status != FLOWCTL_OK) return status;
    if (bytes < REPORT_FIXED || stored[0] != REPORT_VERSION || stored[1] >= FLOWCTL_HEALTH_SILENT)
        return fc_fail(err, FLOWCTL_SYNTAX, 0, "health of \"%.60s\": what is stored there is no report of this version",
                       component);
    report->health = (flowctl_health)stored[1];
    report->number = version;
    memcpy(report->detail, stored + REPORT_FIXED, bytes - REPORT_FIXED);
    return FLOWCTL_OK;
}

flowctl_health flowctl_health_worst(flowctl_backend *b, const char *const *components, size_t count,
                                    flowctl_health_report *reports, uint64_t max_wait_ns) {
    flowctl_health worst = FLOWCTL_HEALTH_OK;
    for (size_t i = 0; i < count; i++) {
        flowctl_health_report one;
        /* What can't be read is silent. */
        if (flowctl_health_read(b, components[i], &one, max_wait_ns, NULL) != FLOWCTL_OK)
            one = (flowctl_health_report){.health = FLOWCTL_HEALTH_SILENT};
        if (one.health > worst) worst = one.health;
        if (reports != NULL) reports[i] = one;
    }
    return worst;
}

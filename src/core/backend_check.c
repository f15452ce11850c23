/* What a vtable must have, and what it can do. */
#include "base/error.h"

#include <flowctl/sys/backend.h>
#include <string.h>

static const struct {
    uint32_t bit;
    const char *name;
} names[] = {
    {FLOWCTL_CAN_LEND, "LEND"},       {FLOWCTL_CAN_SHARE, "SHARE"},
    {FLOWCTL_CAN_PERSIST, "PERSIST"}, {FLOWCTL_CAN_SERVER_TIME, "SERVER_TIME"},
    {FLOWCTL_CAN_EXACT, "EXACT"},     {FLOWCTL_CAN_STORE, "STORE"},
    {FLOWCTL_CAN_COUNT, "COUNT"},     {FLOWCTL_CAN_WATCH, "WATCH"},
    {FLOWCTL_CAN_INSPECT, "INSPECT"},
};

/* What a vtable states itself; the others are shown by slots. */
#define STATED (FLOWCTL_CAN_SHARE | FLOWCTL_CAN_PERSIST | FLOWCTL_CAN_SERVER_TIME | FLOWCTL_CAN_EXACT)

const char *flowctl_capability_name(uint32_t bit) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].bit == bit) return names[i].name;
    return "UNKNOWN";
}

static uint32_t shown(const flowctl_backend_ops *ops) {
    uint32_t bits = 0;
    if (ops->lease != NULL) bits |= FLOWCTL_CAN_LEND;
    if (ops->get != NULL && ops->put != NULL) bits |= FLOWCTL_CAN_STORE;
    if (ops->increment != NULL) bits |= FLOWCTL_CAN_COUNT;
    if (ops->watch != NULL) bits |= FLOWCTL_CAN_WATCH;
    if (ops->inspect != NULL) bits |= FLOWCTL_CAN_INSPECT;
    return bits;
}

uint32_t flowctl_backend_ops_capabilities(const flowctl_backend_ops *ops) {
    return ops == NULL ? 0 : (ops->capabilities & STATED) | shown(ops);
}

static const char *missing_slot(const flowctl_backend_ops *ops) {
    if (ops->open == NULL) return "open";
    if (ops->close == NULL) return "close";
    if (ops->lease == NULL) return "lease";
    if (ops->get == NULL && ops->put != NULL) return "get";
    if (ops->put == NULL && ops->get != NULL) return "put";
    if (ops->get == NULL && ops->watch != NULL) return "get";
    if (ops->wait == NULL && ops->interrupt != NULL) return "wait";
    if (ops->interrupt == NULL && (ops->wait != NULL || ops->descriptor != NULL)) return "interrupt";
    if (ops->poll == NULL && ops->wait != NULL) return "poll";
    return NULL;
}

static const char *why(const flowctl_backend_ops *ops, const char *slot) {
    if (strcmp(slot, "put") == 0) return "get needs it";
    if (strcmp(slot, "get") == 0) return ops->put != NULL ? "put needs it" : "watch needs it";
    if (strcmp(slot, "wait") == 0) return "interrupt needs it";
    if (strcmp(slot, "interrupt") == 0) return ops->wait != NULL ? "wait needs it" : "descriptor needs it";
    if (strcmp(slot, "poll") == 0) return "wait needs it";
    return "every backend needs it";
}

static bool is_a_word(const char *name) { return name != NULL && *name != '\0' && strpbrk(name, " \t\r\n") == NULL; }

static flowctl_status refuse_claim(const flowctl_backend_ops *ops, uint32_t claimed, flowctl_error *err) {
    uint32_t bit = claimed & (~claimed + 1);
    return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                   "backend ops of \"%s\": capabilities: bit 0x%x (%s) is no property to state: the slots that are there tell it",
                   ops->name, (unsigned)bit, flowctl_capability_name(bit));
}

/* Nothing behind `version` is looked at before size and version are known to be ours. */
static flowctl_status check_frame(const flowctl_backend_ops *ops, flowctl_error *err) {
    if (ops == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "ops: NULL; give a backend, as flowctl_memory_backend()");
    if (ops->size < offsetof(flowctl_backend_ops, name))
        return fc_fail(err, FLOWCTL_BAD_SIZE, FC_NO_TEXT, "backend ops: size: %zu; set it to sizeof(flowctl_backend_ops)",
                       ops->size);
    if (ops->version != FLOWCTL_BACKEND_VERSION)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "backend ops: version: %u; this library knows %d (set it to FLOWCTL_BACKEND_VERSION)", ops->version,
                       FLOWCTL_BACKEND_VERSION);
    if (ops->size != sizeof *ops)
        return fc_fail(err, FLOWCTL_BAD_SIZE, FC_NO_TEXT, "backend ops: size: %zu; version %d has %zu", ops->size,
                       FLOWCTL_BACKEND_VERSION, sizeof *ops);
    return FLOWCTL_OK;
}

flowctl_status flowctl_backend_check(const flowctl_backend_ops *ops, flowctl_error *err) {
    flowctl_status status = check_frame(ops, err);
    if (status != FLOWCTL_OK) return status;
    if (!is_a_word(ops->name))
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "backend ops: name: %s%s%s; it must be one word",
                       ops->name ? "\"" : "", ops->name ? ops->name : "NULL", ops->name ? "\"" : "");
    const char *slot = missing_slot(ops);
    if (slot != NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "backend ops of \"%s\": %s: NULL; %s", ops->name, slot,
                       why(ops, slot));
    if (ops->instance_bytes < sizeof(flowctl_backend_base))
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "backend ops of \"%s\": instance_bytes: %zu; an instance begins with a flowctl_backend_base, %zu bytes",
                       ops->name, ops->instance_bytes, sizeof(flowctl_backend_base));
    uint32_t claimed = ops->capabilities & ~(STATED | shown(ops));
    return claimed == 0 ? FLOWCTL_OK : refuse_claim(ops, claimed, err);
}

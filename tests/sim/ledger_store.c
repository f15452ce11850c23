#include "sim/credit_store.h"

#include "sim/credit_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 24

struct state {
    _Alignas(flowctl_ledger) unsigned char bytes[FLOWCTL_LEDGER_BYTES(ROOM)];
};

struct store {
    enum credit_defect defect;
    struct state now, snapshots[CREDIT_SNAPSHOTS];
};

static flowctl_ledger *ledger_of(struct store *s) { return (flowctl_ledger *)(void *)s->now.bytes; }

static void *ledger_open(const struct credit_config *config) {
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL) abort();
    s->defect = config->defect;
    return s;
}

static void ledger_begin(void *store, const flowctl_lease_terms *terms, uint64_t now_ns, uint64_t identity) {
    struct store *s = store;
    (void)terms, (void)now_ns; /* those of the first ask */
    planted_ledger_init(s->defect, ledger_of(s), ROOM, identity, FLOWCTL_LEDGER_FIRST);
}

static void ledger_ask(void *store, const flowctl_lease_ask *ask, uint64_t now_ns, uint64_t identity,
                       flowctl_lease_reply *reply) {
    struct store *s = store;
    if (s->defect == CREDIT_SOUND) flowctl_ledger_ask(ledger_of(s), ask, now_ns, identity, reply);
    else planted_ledger_ask(s->defect, ledger_of(s), ask, now_ns, identity, reply);
}

static const flowctl_ledger *ledger_now(void *store) { return ledger_of(store); }

static const char *ledger_fault(void *store, char *why, size_t bytes) {
    struct store *s = store;
    const flowctl_ledger *l = ledger_of(s);
    if (s->defect != CREDIT_SOUND) return NULL; /* a control has to be found by what it does */
    if (flowctl_ledger_is_sound(l, sizeof s->now)) return NULL;
    snprintf(why, bytes, "the ledger is not sound: granted %llu, used %llu, back %llu, expired %llu, out %llu",
             (unsigned long long)l->granted, (unsigned long long)l->used, (unsigned long long)l->back,
             (unsigned long long)l->expired, (unsigned long long)l->out);
    return "O4";
}

static void ledger_snapshot(void *store) {
    struct store *s = store;
    memmove(&s->snapshots[1], &s->snapshots[0], (CREDIT_SNAPSHOTS - 1) * sizeof *s->snapshots);
    s->snapshots[0] = s->now;
}

static void ledger_restore(void *store, size_t copies_ago) {
    struct store *s = store;
    s->now = s->snapshots[copies_ago];
}

static void ledger_wipe(void *store, uint64_t identity) {
    struct store *s = store;
    memset(&s->now, 0, sizeof s->now);
    planted_ledger_init(s->defect, ledger_of(s), ROOM, identity, FLOWCTL_LEDGER_LOST);
}

const struct credit_store_ops ledger_store = {
    .open = ledger_open,
    .close = free,
    .begin = ledger_begin,
    .ask = ledger_ask,
    .ledger = ledger_now,
    .fault = ledger_fault,
    .snapshot = ledger_snapshot,
    .restore = ledger_restore,
    .wipe = ledger_wipe,
};

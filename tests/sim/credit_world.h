/*
 * A store that lends credit, members, and an adversary: asks and answers that are late, lost, doubled or overtake each other; members that pause (also
 * between reading the clock and the use), are killed, leave, or live beside their successor; clocks that drift; steps of the store's time; stores
 * that restart, go back to an older state, or lose it; settings that change.
 *
 * Judged: O1, what was admitted over any interval; O1', after every event, that what members may still use and what can be lent are at most the burst; O4, the ledger's own
 * sums, and that its bytes are sound, at every ask.
 */
#ifndef FLOWCTL_TESTS_CREDIT_WORLD_H
#define FLOWCTL_TESTS_CREDIT_WORLD_H

#include "sim/harness.h"

#include "sim/credit_store.h"
#include "sim/planted_ledger.h"

enum credit_event {
    CREDIT_SET,  /* the limit. a: which of the bursts, b: which of the TTLs */
    CREDIT_PASS, /* a: us, b: ns */
    CREDIT_ASK,  /* a: permits wanted, b: bit 0 all or nothing, bit 1 leaves and is started again */
    CREDIT_SERVE, /* an ask reaches the store. a: which of those on their way, b: bit 0 loses the answer, bit 1 leaves the ask to come again */
    CREDIT_LOSE,    /* an ask is lost. a: which */
    CREDIT_ANSWER,  /* an answer reaches its member. a: which, b: 1 leaves it to come again */
    CREDIT_USE,     /* a: permits, 0 all */
    CREDIT_GIVE_UP, /* a: permits */
    CREDIT_PAUSE,   /* a: 1 more than the permits of an operation that has read the clock */
    CREDIT_RESUME,
    CREDIT_KILL,     /* a, b: the clock of the next process */
    CREDIT_STEP,     /* of the store's time. a: which */
    CREDIT_SNAPSHOT, /* the state is copied */
    CREDIT_RESTART,  /* another run of the store, a: 0 with its state, else with so old a copy */
    CREDIT_WIPE,     /* the state is lost. a: 0 with the run, 1 while it goes on */
    CREDIT_CONFIG    /* a member is told other settings. a: which, b: of the rate */
};

struct redis_store_script;

struct credit_config {
    size_t members;
    bool steps, restarts, configs;
    enum credit_defect defect;
    const struct credit_store_ops *store;    /* NULL: ledger_store */
    const struct redis_store_script *script; /* a planted one; NULL: the product's */
};

/* USED: permits admitted by rate x time. */
enum credit_measure { CREDIT_EXCESS_MOST, CREDIT_MARGIN_LEAST, CREDIT_USED, CREDIT_DEAD };

void credit_generate(const void *config, uint64_t seed, struct sim_list *list);
void credit_run(const void *config, const struct sim_event *events, const size_t *kept, size_t count, bool told,
                struct sim_result *result);

/* The worst excess by O1 and U + L - B by O1', in permits, of all runs since it was last asked. */
struct credit_worst {
    double excess, lent;
} credit_worst(void);

#endif

/*
 * What lends in a simulation, wherever its state is: a ledger in memory, or a script in a server. It has a past that it can be put back to.
 */
#ifndef FLOWCTL_TESTS_CREDIT_STORE_H
#define FLOWCTL_TESTS_CREDIT_STORE_H

#include <flowctl/sys/ledger.h>

#define CREDIT_SNAPSHOTS 4

struct credit_config;

struct credit_store_ops {
    void *(*open)(const struct credit_config *config);
    void (*close)(void *store);
    /* A limit of which nobody was lent anything yet, and that lends at once. */
    void (*begin)(void *store, const flowctl_lease_terms *terms, uint64_t now_ns, uint64_t identity);
    void (*ask)(void *store, const flowctl_lease_ask *ask, uint64_t now_ns, uint64_t identity, flowctl_lease_reply *reply);
    /* As the last ask left it; the sessions need not be behind it. Burst 0: there was none. */
    const flowctl_ledger *(*ledger)(void *store);
    /* The oracle that finds something wrong with it, and what; NULL: none does. */
    const char *(*fault)(void *store, char *why, size_t bytes);
    void (*snapshot)(void *store);
    void (*restore)(void *store, size_t copies_ago); /* 0: the last */
    void (*wipe)(void *store, uint64_t identity);
};

/* The product's ledger, with the defect that the configuration plants. */
extern const struct credit_store_ops ledger_store;

#endif

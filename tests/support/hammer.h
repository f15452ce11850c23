/* Threads that hammer one thing at the same moment, and the merged log of what it admitted. */
#ifndef FLOWCTL_TESTS_HAMMER_H
#define FLOWCTL_TESTS_HAMMER_H

#include "support/oracle.h"

/* One attempt: true if it was admitted, and then its date and permits are filled in. `random` is the thread's own. */
typedef bool (*hammer_attempt)(void *target, uint64_t *random, struct oracle_event *admitted);

struct hammer {
    hammer_attempt attempt;
    void *target;
    unsigned threads;
    uint64_t attempts; /* by each thread */
    uint64_t seed;
};

/* Runs it to the end; the admissions of all threads are appended to `log`. */
void hammer_run(const struct hammer *hammer, struct oracle_log *log);

#endif

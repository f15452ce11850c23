/*
 * Simulations as lists of events. A seed makes a list, a run judges it; a list that fails is shrunk and told. A run is a function of the
 * events that are left in it (their arguments hold all the chance there is), so that any part of a list can be replayed.
 */
#ifndef FLOWCTL_TESTS_HARNESS_H
#define FLOWCTL_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_event {
    uint16_t kind, who;
    uint32_t a, b;
};

struct sim_list {
    struct sim_event *events;
    size_t count, capacity;
};

void sim_add(struct sim_list *list, unsigned kind, size_t who, uint64_t a, uint64_t b);

/* What a run came to. */
struct sim_result {
    const char *oracle; /* the one that failed; NULL: none */
    char why[240];
    size_t at;                /* the event it failed at, counted among those that were run */
    double measures[8];       /* summed up over seeds */
    const char *const *names; /* of the measures, to a NULL */
};

struct sim_case {
    const char *name;
    const void *config;
    uint64_t seeds; /* of the short run; of a control: in how many it must be found */
    void (*generate)(const void *config, uint64_t seed, struct sim_list *list);
    /* Runs the events numbered in `kept`; `told` prints what happens. */
    void (*run)(const void *config, const struct sim_event *events, const size_t *kept, size_t count, bool told,
                struct sim_result *result);
};

struct sim_options {
    uint64_t first, seeds; /* seeds 0: as many as each case says */
    const char *only;      /* cases whose name contains it; NULL: all */
    size_t budget;         /* runs that a shrinking may take: seconds, of a simulation in memory */
};

/* --seeds N --seed S --only NAME; false, and a message, if there is anything else. */
bool sim_options_read(struct sim_options *options, int argc, char **argv);

/* No seed may fail; the first that does is shrunk and printed. Prints what was measured; sums, if not NULL, receives it. */
bool sim_holds(const struct sim_case *c, const struct sim_options *options, double sums[8]);

/* A planted defect: some seed must fail, by one of the oracles that hold without it; prints which, and the length it shrinks to. */
bool sim_finds(const struct sim_case *c, const struct sim_options *options);

#endif

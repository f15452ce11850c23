/*
 * How much of a shared limit is used: members that take as the core takes, asking by plan, over a network that delays and loses. Here the schedule is
 * that of real life, in steps of 50 us; the oracles of sim/credit_world.h are judged too.
 */
#ifndef FLOWCTL_TESTS_CREDIT_USE_H
#define FLOWCTL_TESTS_CREDIT_USE_H

#include "sim/planted_ledger.h"

enum credit_demand {
    CREDIT_EVEN,     /* all alike */
    CREDIT_SKEWED,   /* each half as much as the one before */
    CREDIT_ONE,      /* one has it all */
    CREDIT_SHIFTING, /* every 300 ms two others have three quarters of it */
    CREDIT_NEWCOMER  /* as CREDIT_EVEN, but the last starts half-way */
};

struct credit_scene {
    const char *name;
    size_t members;
    uint64_t per_sec, burst;
    double load; /* demand by rate; above 1: saturating */
    enum credit_demand demand;
    bool waits; /* who is short waits, in a queue; or else is refused and gone */
    uint64_t largest_cost;
    uint64_t refresh_ns, delay_ns; /* delay_ns: one way, at least; up to three times as long */
    unsigned loss_percent;         /* of asks, and of answers */
    uint64_t fault_every_ns;       /* in the first half of the run, kills and pauses; 0: none */
    bool restarts;                 /* the faults are restarts of the store */
    int64_t step_ns;               /* the store's time steps once, at the end of that half */
    enum credit_defect defect;
    uint64_t length_ns;
    double least_use; /* of the demand, or the rate if that is less, three heartbeats after the last fault and the quarantine that it made */
    double most_use; /* of a control: it has to be found by using less; 0: it is none */
};

struct credit_use {
    double use;           /* as above */
    double use_faulty;    /* in the first half, from three heartbeats after the start */
    double poorest;       /* of the members' parts, by the fair one */
    double asks_per_sec;  /* of a member */
    uint64_t newcomer_ns; /* until the newcomer has 0.9 of its part over 50 ms; 0: never */
    double excess, lent;  /* O1, O1': in permits */
    bool sound;           /* O4 */
};

struct credit_use credit_use_run(const struct credit_scene *scene, uint64_t seed);

#endif

/* What a worker asks for, and when: seeded, with the time as an argument. */
#ifndef FLOWCTL_TESTS_DEMAND_H
#define FLOWCTL_TESTS_DEMAND_H

#include <stdint.h>

enum demand_pattern {
    DEMAND_STEADY,   /* evenly */
    DEMAND_BURSTY,   /* four times as fast for a while, then not at all */
    DEMAND_SHIFTING, /* from nothing to four times as fast, another speed every now and then */
    DEMAND_WAVES     /* four times as fast for a while, then not at all; all processes at the same time */
};

struct demand {
    enum demand_pattern pattern;
    double per_ns; /* permits asked for on the average */
    uint64_t most; /* permits of one question: 1 ... most, as likely each */
    uint64_t random;
    uint64_t next_ns, shift_ns; /* the next question; the next change of speed */
    double factor;
};

/* The permits to ask for now; 0: nothing yet, come back after *wait_ns. What a long pause has missed is not asked for. */
uint64_t demand_next(struct demand *demand, uint64_t now_ns, uint64_t *wait_ns);

#endif

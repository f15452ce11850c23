/*
 * Limiters that are wrong on purpose, each by one step that looks harmless. The oracle must find every one of them; one without a defect shows that
 * it is the defect that is found, and not the way of looking.
 */
#ifndef FLOWCTL_TESTS_PLANTED_H
#define FLOWCTL_TESTS_PLANTED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum planted_defect {
    PLANTED_NOTHING,
    PLANTED_WHOLE_PERMITS,    /* counts in whole permits, rounded down: a full bucket keeps the phase of the grid */
    PLANTED_FLOOR_CLIP,       /* counts in units, but clips the overflow at floor(x) instead of ceil(x) */
    PLANTED_LATE_CLOCK,       /* reads the clock a second time, behind the word, and refills up to that */
    PLANTED_LOST_SWAP,        /* takes a compare-and-swap that lost for one that won */
    PLANTED_EMISSION_INTERVAL /* a time per permit in whole nanoseconds (GCRA) */
};

struct planted {
    enum planted_defect defect;
    uint64_t permits, period_ns, burst, start_ns;
    uint64_t unit;           /* units to a permit */
    uint64_t (*clock)(void); /* for PLANTED_LATE_CLOCK; may pass the processor on, so that others come in between */
    void (*between)(void);   /* called between the word and the swap; NULL: nothing */
    _Atomic uint64_t word;
};

/* A full bucket. */
void planted_init(struct planted *bucket, enum planted_defect defect, uint64_t permits, uint64_t period_ns, uint64_t burst,
                  uint64_t start_ns);

/* True if `permits` were granted at now_ns, which is the date of the decision. Any thread. */
bool planted_take(struct planted *bucket, uint64_t permits, uint64_t now_ns);

#endif

/*
 * What happened when, in a fixed number of slots of equal width, without knowing in advance how long the log is: when it
 * outgrows them, the slots get wider. Widths are those of clocks and calendars (1 s, 5 s, ... 1 h, ... 1 d) and slots
 * begin at multiples of them. Pure.
 */
#ifndef FCT_TIMELINE_H
#define FCT_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#define FCT_TIMELINE_SLOTS 30

struct fct_slot {
    uint64_t passed;  /* requests granted at once */
    uint64_t held_up; /* requests denied, delayed, or that can never pass */
};

struct fct_timeline {
    struct fct_slot slots[FCT_TIMELINE_SLOTS];
    uint64_t origin_ns, width_ns; /* width 0: nothing yet */
    unsigned used;                /* slots up to the last one with a request */
};

/* Times must not go back. */
void fct_timeline_add(struct fct_timeline *timeline, uint64_t time_ns, bool passed);

#endif

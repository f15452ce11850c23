/* How long the waits were, by powers of ten. Pure. */
#ifndef FCT_WAIT_MAGNITUDES_H
#define FCT_WAIT_MAGNITUDES_H

#include <stdint.h>

#define FCT_WAIT_MAGNITUDES 9

/* counts[i]: waits up to 10^i ms, and longer than 10^(i-1) ms; the last one: all longer waits. */
struct fct_wait_magnitudes {
    uint64_t counts[FCT_WAIT_MAGNITUDES];
};

void fct_wait_magnitudes_add(struct fct_wait_magnitudes *waits, uint64_t wait_ns);

/* The longest wait counted in counts[i]; FLOWCTL_FOREVER for the last. */
uint64_t fct_wait_magnitude_ns(unsigned i);

#endif

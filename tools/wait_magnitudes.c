#include "wait_magnitudes.h"

#include <flowctl/rate.h>

uint64_t fct_wait_magnitude_ns(unsigned i) {
    if (i + 1 >= FCT_WAIT_MAGNITUDES) return FLOWCTL_FOREVER;
    uint64_t ns = FLOWCTL_NS_PER_MS;
    while (i-- > 0) ns *= 10;
    return ns;
}

void fct_wait_magnitudes_add(struct fct_wait_magnitudes *waits, uint64_t wait_ns) {
    unsigned i = 0;
    while (wait_ns > fct_wait_magnitude_ns(i)) i++;
    waits->counts[i]++;
}

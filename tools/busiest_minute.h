/* The UTC minute with the most requests, the first one if several. Times must not go back. Pure. */
#ifndef FCT_BUSIEST_MINUTE_H
#define FCT_BUSIEST_MINUTE_H

#include <stdint.h>

struct fct_minute {
    uint64_t start_ns;
    uint64_t requests; /* 0: no minute yet */
    uint64_t cost;     /* stops at UINT64_MAX */
};

struct fct_busiest_minute {
    struct fct_minute current, best;
};

void fct_busiest_minute_add(struct fct_busiest_minute *busiest, uint64_t time_ns, uint64_t cost);

/* The busiest of all, the current one included. */
struct fct_minute fct_busiest_minute_get(const struct fct_busiest_minute *busiest);

#endif

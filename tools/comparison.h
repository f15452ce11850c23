/* Two limits side by side over one log: which requests they would have treated differently. Pure. */
#ifndef FCT_COMPARISON_H
#define FCT_COMPARISON_H

#include <flowctl/limiter.h>

#define FCT_DIFFERENCES_SHOWN 10

struct fct_difference {
    uint64_t line;
    uint64_t time_ns; /* of the decision */
    bool first_passed;
};

/* A request passes if it is granted at once. */
struct fct_comparison {
    uint64_t both, first_only, shadow_only, neither;
    struct fct_difference differences[FCT_DIFFERENCES_SHOWN]; /* the first ones, in the order of decisions */
    unsigned shown;
    uint64_t wait_difference_max_ns;   /* of requests that both granted, at once or later */
    uint64_t wait_difference_max_line; /* the first such; 0: none */
};

void fct_comparison_add(struct fct_comparison *c, uint64_t line, uint64_t time_ns, const flowctl_decision *first,
                        const flowctl_decision *shadow);

#endif

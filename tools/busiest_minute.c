#include "busiest_minute.h"

#include <flowctl/rate.h>

struct fct_minute fct_busiest_minute_get(const struct fct_busiest_minute *b) {
    return b->current.requests > b->best.requests ? b->current : b->best;
}

void fct_busiest_minute_add(struct fct_busiest_minute *b, uint64_t time_ns, uint64_t cost) {
    if (b->current.requests == 0 || time_ns - b->current.start_ns >= FLOWCTL_NS_PER_MIN) {
        b->best = fct_busiest_minute_get(b);
        b->current = (struct fct_minute){.start_ns = time_ns - time_ns % FLOWCTL_NS_PER_MIN};
    }
    b->current.requests++;
    if (__builtin_add_overflow(b->current.cost, cost, &b->current.cost)) b->current.cost = UINT64_MAX;
}

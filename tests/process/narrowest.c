#include "process/narrowest.h"

#include <stdlib.h>

/*
 * With S(i) permits before event i, t its time and A(t) what was allowed besides before t, the window from event i to event j is over the limit if
 *
 *     [S(j + 1) - rate x t(j) - A(t(j))] - [S(i) - rate x t(i) - A(t(i))] > burst.
 *
 * For each j the latest i is wanted whose second bracket is small enough. One with a larger bracket than a later one is never the
 * latest, so those that are left ascend, and the latest can be found by halving.
 */
struct candidate {
    oracle_amount level;
    size_t at;
    uint64_t before; /* S */
};

/* How many of the ascending candidates are below. */
static size_t below(const struct candidate *c, size_t count, oracle_amount level) {
    size_t low = 0;
    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (c[middle].level < level) low = middle + 1;
        else count = middle;
    }
    return low;
}

static bool is_better(const struct narrowest *best, const struct oracle_event *e, const struct candidate *from, size_t last,
                      uint64_t permits) {
    if (!best->found) return true;
    uint64_t length = e[last].time_ns - e[from->at].time_ns, shortest = e[best->last].time_ns - e[best->first].time_ns;
    return length != shortest ? length < shortest : permits > best->permits;
}

struct narrowest narrowest_over(const struct oracle_event *events, size_t count, const struct oracle_limit *limit,
                                struct allowances allowed) {
    const oracle_amount burst = (oracle_amount)limit->burst * limit->period_ns;
    struct narrowest best = {.found = false};
    struct candidate *kept = malloc((count + 1) * sizeof *kept);
    size_t depth = 0, next = 0;
    uint64_t sum = 0, besides = 0;
    for (size_t j = 0; j < count && kept != NULL; j++) {
        for (; next < allowed.count && allowed.list[next].time_ns < events[j].time_ns; next++)
            besides += allowed.list[next].permits;
        oracle_amount drained = (oracle_amount)(events[j].time_ns - events[0].time_ns) * limit->permits +
                                (oracle_amount)besides * limit->period_ns;
        oracle_amount level = (oracle_amount)sum * limit->period_ns - drained;
        /* Of several at the very same time the first holds the most. */
        if (j == 0 || events[j].time_ns != events[j - 1].time_ns) {
            while (depth > 0 && kept[depth - 1].level >= level) depth--;
            kept[depth++] = (struct candidate){level, j, sum};
        }
        sum += events[j].permits;
        size_t fit = below(kept, depth, (oracle_amount)sum * limit->period_ns - drained - burst);
        if (fit == 0) continue;
        const struct candidate *from = &kept[fit - 1];
        if (is_better(&best, events, from, j, sum - from->before))
            best = (struct narrowest){true, from->at, j, sum - from->before};
    }
    free(kept);
    return best;
}

#include "support/planted.h"

#include <stddef.h>

__extension__ typedef unsigned __int128 wide;

void planted_init(struct planted *b, enum planted_defect defect, uint64_t permits, uint64_t period_ns, uint64_t burst,
                  uint64_t start_ns) {
    b->defect = defect;
    b->permits = permits, b->period_ns = period_ns, b->burst = burst, b->start_ns = start_ns;
    b->unit = defect == PLANTED_WHOLE_PERMITS ? 1 : 4096;
    b->clock = NULL, b->between = NULL;
    atomic_init(&b->word, defect == PLANTED_EMISSION_INTERVAL ? start_ns : 0 - burst * b->unit);
}

/* Units produced from the start to now, rounded down, or up. */
static uint64_t produced(const struct planted *b, uint64_t now_ns, bool up) {
    wide x = (wide)(now_ns - b->start_ns) * b->permits * b->unit;
    return (uint64_t)((x + (up ? b->period_ns - 1 : 0)) / b->period_ns);
}

/* The generic cell rate algorithm with an interval that is cut to whole nanoseconds; the word is the theoretical arrival time. */
static bool take_by_interval(struct planted *b, uint64_t permits, uint64_t now_ns) {
    uint64_t interval = b->period_ns / b->permits, seen = atomic_load(&b->word);
    for (;;) {
        uint64_t arrival = (seen > now_ns ? seen : now_ns) + permits * interval;
        if (arrival > now_ns + b->burst * interval) return false;
        if (atomic_compare_exchange_strong(&b->word, &seen, arrival)) return true;
    }
}

bool planted_take(struct planted *b, uint64_t permits, uint64_t now_ns) {
    if (b->defect == PLANTED_EMISSION_INTERVAL) return take_by_interval(b, permits, now_ns);
    bool clip_up = b->defect != PLANTED_FLOOR_CLIP && b->defect != PLANTED_WHOLE_PERMITS;
    uint64_t burst = b->burst * b->unit, units = permits * b->unit, seen = atomic_load(&b->word);
    for (;;) {
        uint64_t used_ns = now_ns;
        if (b->between != NULL) b->between();
        if (b->defect == PLANTED_LATE_CLOCK) used_ns = b->clock();
        uint64_t there = produced(b, used_ns, false) - seen, base = seen;
        if ((int64_t)there >= (int64_t)burst) base = produced(b, used_ns, clip_up) - burst, there = burst;
        if ((int64_t)there < (int64_t)units) return false;
        bool won = atomic_compare_exchange_strong(&b->word, &seen, base + units);
        if (won || b->defect == PLANTED_LOST_SWAP) return true;
    }
}

#include "timeline.h"

#include <flowctl/rate.h>
#include <stddef.h>

/* Each width divides the next, so that slots merge whole. From a day on they double. */
static uint64_t wider(uint64_t width_ns) {
    static const uint64_t widths[] = {1 * FLOWCTL_NS_PER_SEC,  5 * FLOWCTL_NS_PER_SEC,  10 * FLOWCTL_NS_PER_SEC,
                                      30 * FLOWCTL_NS_PER_SEC, 1 * FLOWCTL_NS_PER_MIN,  5 * FLOWCTL_NS_PER_MIN,
                                      10 * FLOWCTL_NS_PER_MIN, 30 * FLOWCTL_NS_PER_MIN, 1 * FLOWCTL_NS_PER_HOUR,
                                      3 * FLOWCTL_NS_PER_HOUR, 6 * FLOWCTL_NS_PER_HOUR, 12 * FLOWCTL_NS_PER_HOUR,
                                      1 * FLOWCTL_NS_PER_DAY};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        if (widths[i] > width_ns) return widths[i];
    return width_ns * 2;
}

static void widen(struct fct_timeline *t) {
    uint64_t width_ns = wider(t->width_ns), origin_ns = t->origin_ns - t->origin_ns % width_ns;
    struct fct_slot merged[FCT_TIMELINE_SLOTS] = {{0, 0}};
    for (unsigned i = 0; i < t->used; i++) {
        uint64_t into = (t->origin_ns + i * t->width_ns - origin_ns) / width_ns; /* never beyond i */
        merged[into].passed += t->slots[i].passed;
        merged[into].held_up += t->slots[i].held_up;
        t->slots[i] = (struct fct_slot){0, 0};
    }
    t->used = (unsigned)((t->origin_ns + (t->used - 1) * t->width_ns - origin_ns) / width_ns) + 1;
    for (unsigned i = 0; i < t->used; i++) t->slots[i] = merged[i];
    t->origin_ns = origin_ns;
    t->width_ns = width_ns;
}

void fct_timeline_add(struct fct_timeline *t, uint64_t time_ns, bool passed) {
    if (t->width_ns == 0) {
        t->width_ns = wider(0);
        t->origin_ns = time_ns - time_ns % t->width_ns;
        t->used = 1;
    }
    while ((time_ns - t->origin_ns) / t->width_ns >= FCT_TIMELINE_SLOTS) widen(t);
    unsigned slot = (unsigned)((time_ns - t->origin_ns) / t->width_ns);
    if (slot >= t->used) t->used = slot + 1;
    if (passed) t->slots[slot].passed++;
    else t->slots[slot].held_up++;
}

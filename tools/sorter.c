#include "sorter.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM ((size_t)1024)

static bool is_before(const struct fct_pending *a, const struct fct_pending *b) {
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->line < b->line;
}

/* ---- the lane ---- */

static struct fct_pending *lane_at(const struct fct_lane *lane, size_t i) {
    return &lane->ring[(lane->first + i) & (lane->room - 1)];
}

static bool lane_takes(const struct fct_lane *lane, uint64_t time_ns) {
    return lane->count == 0 || time_ns >= lane_at(lane, lane->count - 1)->time_ns;
}

static bool lane_grow(struct fct_lane *lane) {
    size_t room = lane->room == 0 ? FIRST_ROOM : lane->room * 2;
    struct fct_pending *ring = realloc(lane->ring, room * sizeof *ring);
    if (ring == NULL) return false;
    /* What had wrapped around to the front now follows the old end. */
    if (lane->first + lane->count > lane->room)
        memcpy(ring + lane->room, ring, (lane->first + lane->count - lane->room) * sizeof *ring);
    lane->ring = ring;
    lane->room = room;
    return true;
}

static bool lane_push(struct fct_lane *lane, const struct fct_pending *event) {
    if (lane->count == lane->room && !lane_grow(lane)) return false;
    *lane_at(lane, lane->count++) = *event;
    return true;
}

static void lane_pop(struct fct_lane *lane, struct fct_pending *event) {
    *event = *lane_at(lane, 0);
    lane->first = (lane->first + 1) & (lane->room - 1);
    lane->count--;
}

/* ---- the heap ---- */

/* Moves a hole instead of swapping: half the writes. */
static bool heap_push(struct fct_stragglers *s, const struct fct_pending *event) {
    if (s->count == s->room) {
        size_t room = s->room == 0 ? FIRST_ROOM : s->room * 2;
        struct fct_pending *heap = realloc(s->heap, room * sizeof *heap);
        if (heap == NULL) return false;
        s->heap = heap;
        s->room = room;
    }
    size_t hole = s->count++;
    while (hole > 0 && is_before(event, &s->heap[(hole - 1) / 2])) {
        s->heap[hole] = s->heap[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    s->heap[hole] = *event;
    return true;
}

static void heap_pop(struct fct_stragglers *s, struct fct_pending *event) {
    *event = s->heap[0];
    const struct fct_pending *last = &s->heap[--s->count];
    size_t hole = 0, child;
    while ((child = 2 * hole + 1) < s->count) {
        if (child + 1 < s->count && is_before(&s->heap[child + 1], &s->heap[child])) child++;
        if (!is_before(&s->heap[child], last)) break;
        s->heap[hole] = s->heap[child];
        hole = child;
    }
    s->heap[hole] = *last;
}

/* ---- both ---- */

void fct_sorter_init(struct fct_sorter *sorter, uint64_t window_ns, size_t max_pending) {
    *sorter = (struct fct_sorter){.window_ns = window_ns, .max_pending = max_pending};
}

void fct_sorter_cleanup(struct fct_sorter *sorter) {
    free(sorter->lane.ring);
    free(sorter->stragglers.heap);
}

bool fct_sorter_push(struct fct_sorter *s, const struct fct_pending *event) {
    if (event->time_ns > s->newest_ns) s->newest_ns = event->time_ns;
    return lane_takes(&s->lane, event->time_ns) ? lane_push(&s->lane, event) : heap_push(&s->stragglers, event);
}

static bool oldest_is_straggler(const struct fct_sorter *s) {
    if (s->stragglers.count == 0) return false;
    return s->lane.count == 0 || is_before(&s->stragglers.heap[0], lane_at(&s->lane, 0));
}

bool fct_sorter_pop(struct fct_sorter *s, struct fct_pending *event) {
    if (oldest_is_straggler(s)) return heap_pop(&s->stragglers, event), true;
    if (s->lane.count == 0) return false;
    lane_pop(&s->lane, event);
    return true;
}

bool fct_sorter_pop_due(struct fct_sorter *s, struct fct_pending *event) {
    size_t pending = s->lane.count + s->stragglers.count;
    if (pending == 0) return false;
    uint64_t oldest_ns = oldest_is_straggler(s) ? s->stragglers.heap[0].time_ns : lane_at(&s->lane, 0)->time_ns;
    bool due = s->newest_ns - oldest_ns >= s->window_ns;
    if (!due && pending <= s->max_pending) return false;
    if (!due) s->overflows++;
    return fct_sorter_pop(s, event);
}

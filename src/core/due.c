#include "core/due.h"

static struct fc_due *at(const struct fc_due_heap *heap, size_t place) { return heap->items[place - 1]; }

static void set(struct fc_due_heap *heap, size_t place, struct fc_due *item) {
    heap->items[place - 1] = item;
    item->place = place;
}

static void rise(struct fc_due_heap *heap, struct fc_due *item) {
    size_t place = item->place;
    for (; place > 1 && at(heap, place / 2)->at_ns > item->at_ns; place /= 2) set(heap, place, at(heap, place / 2));
    set(heap, place, item);
}

static void sink(struct fc_due_heap *heap, struct fc_due *item) {
    size_t place = item->place;
    for (size_t below = 2 * place; below <= heap->count; below = 2 * place) {
        if (below < heap->count && at(heap, below + 1)->at_ns < at(heap, below)->at_ns) below++;
        if (at(heap, below)->at_ns >= item->at_ns) break;
        set(heap, place, at(heap, below));
        place = below;
    }
    set(heap, place, item);
}

void fc_due_put(struct fc_due_heap *heap, struct fc_due *item, uint64_t at_ns) {
    if (item->place == 0) set(heap, ++heap->count, item);
    item->at_ns = at_ns;
    rise(heap, item);
    sink(heap, item);
}

void fc_due_remove(struct fc_due_heap *heap, struct fc_due *item) {
    if (item->place == 0) return;
    struct fc_due *last = at(heap, heap->count--);
    if (last != item) {
        set(heap, item->place, last);
        rise(heap, last);
        sink(heap, last);
    }
    item->place = 0;
}

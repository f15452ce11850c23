/* What is due first: a binary heap of items that know their places in it. Who uses it makes room for all of them beforehand. */
#ifndef FC_CORE_DUE_H
#define FC_CORE_DUE_H

#include <stddef.h>
#include <stdint.h>

struct fc_due {
    uint64_t at_ns;
    size_t place; /* from 1; 0: not in a heap */
};

struct fc_due_heap {
    struct fc_due **items; /* that of place 1 is due first */
    size_t count;
};

/* Puts an item in, or to where it belongs by now. */
void fc_due_put(struct fc_due_heap *heap, struct fc_due *item, uint64_t at_ns);
void fc_due_remove(struct fc_due_heap *heap, struct fc_due *item);

/* NULL: there is none. */
static inline struct fc_due *fc_due_first(const struct fc_due_heap *heap) {
    return heap->count != 0 ? heap->items[0] : NULL;
}

#endif

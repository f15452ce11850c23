#include "sim/shrink.h"

#include <stdlib.h>
#include <string.h>

/* kept without [from, from + length), into `left`. */
static size_t without(const size_t *kept, size_t count, size_t from, size_t length, size_t *left) {
    memcpy(left, kept, from * sizeof *kept);
    memcpy(left + from, kept + from + length, (count - from - length) * sizeof *kept);
    return count - length;
}

size_t sim_shrink(size_t *kept, size_t count, sim_fails fails, void *context, size_t budget) {
    size_t *left = malloc((count + 1) * sizeof *left);
    if (left == NULL) abort();
    size_t part = (count + 1) / 2;
    while (part > 0 && count > 0 && budget > 0) {
        bool shorter = false;
        /* From the end: what comes last depends most on what came before. */
        for (size_t end = count; end > 0 && budget > 0;) {
            size_t length = part < end ? part : end, from = end - length;
            size_t n = without(kept, count, from, length, left);
            budget--;
            if (fails(context, left, n)) {
                memcpy(kept, left, n * sizeof *kept);
                count = n;
                shorter = true;
            }
            end = from;
        }
        /* Singles are tried until none can go: one that is out may let go another. */
        if (part > 1 || !shorter) part /= 2;
    }
    free(left);
    return count;
}

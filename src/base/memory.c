#include "base/memory.h"

#include "base/error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *default_allocate(size_t bytes, void *context) {
    (void)context;
    return malloc(bytes);
}

static void default_release(void *block, size_t bytes, void *context) {
    (void)bytes, (void)context;
    free(block);
}

flowctl_status fc_allocator_choose(const flowctl_allocator *given, flowctl_allocator *chosen, flowctl_error *err) {
    *chosen = (flowctl_allocator){default_allocate, default_release, NULL};
    if (given == NULL || (given->allocate == NULL && given->release == NULL)) return FLOWCTL_OK;
    if (given->allocate == NULL || given->release == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "allocator: %s is NULL: give both functions, or neither for malloc",
                       given->allocate == NULL ? "allocate" : "release");
    *chosen = *given;
    return FLOWCTL_OK;
}

/* An allocator promises no more than malloc's alignment: take more, and keep the true start before the aligned block. */
#define EXTRA (FC_ALIGN + sizeof(void *))

void *fc_allocate(const flowctl_allocator *allocator, size_t bytes) {
    if (bytes > SIZE_MAX - EXTRA) return NULL;
    char *start = allocator->allocate(bytes + EXTRA, allocator->context);
    if (start == NULL) return NULL;
    uintptr_t first = (uintptr_t)start + sizeof(void *);
    char *block = start + sizeof(void *) + (FC_ALIGN - first % FC_ALIGN) % FC_ALIGN;
    memset(block, 0, bytes);
    memcpy(block - sizeof(void *), &start, sizeof start);
    return block;
}

void fc_release(const flowctl_allocator *allocator, void *block, size_t bytes) {
    if (block == NULL) return;
    flowctl_allocator own = *allocator;
    void *start;
    memcpy(&start, (char *)block - sizeof(void *), sizeof start);
    own.release(start, bytes + EXTRA, own.context);
}

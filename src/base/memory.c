#include "base/memory.h"

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

flowctl_allocator fc_allocator_or_default(const flowctl_allocator *allocator) {
    if (allocator != NULL && allocator->allocate != NULL && allocator->release != NULL) return *allocator;
    return (flowctl_allocator){default_allocate, default_release, NULL};
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

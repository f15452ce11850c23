/* Memory through the caller's allocator, aligned and zeroed. */
#ifndef FC_BASE_MEMORY_H
#define FC_BASE_MEMORY_H

#include <flowctl/allocator.h>
#include <flowctl/status.h>

/* A cache line. */
#define FC_ALIGN 64

/* The caller's allocator, or malloc and free for NULL or one without functions. INVALID_ARGUMENT for half an allocator. */
flowctl_status fc_allocator_choose(const flowctl_allocator *given, flowctl_allocator *chosen, flowctl_error *err);

/* `bytes` zeroed bytes at a multiple of FC_ALIGN, NULL if there are none. */
void *fc_allocate(const flowctl_allocator *allocator, size_t bytes);

/* Gives back what fc_allocate returned for the same `bytes`. Works when `allocator` lies inside the block. NULL-safe. */
void fc_release(const flowctl_allocator *allocator, void *block, size_t bytes);

#endif

/** @file allocator.h  Memory from the caller, per object. */
#ifndef FLOWCTL_ALLOCATOR_H
#define FLOWCTL_ALLOCATOR_H

#include <flowctl/export.h>
#include <stddef.h>

FLOWCTL_BEGIN

/**
 * Where an object takes its memory from. Each object keeps a copy of the struct; `context` must outlive it.
 * Both functions or neither (then malloc and free); half an allocator is INVALID_ARGUMENT.
 * Both functions are called by the thread that creates or destroys the object, and never by a decision. Those of a backend also by threads that create or
 * destroy limiters on it, and by its own: they must be safe for that.
 */
typedef struct flowctl_allocator {
    void *(*allocate)(size_t bytes, void *context);            /**< As malloc: NULL when there is none. */
    void (*release)(void *block, size_t bytes, void *context); /**< `block` is never NULL. */
    void *context;
} flowctl_allocator;

FLOWCTL_END
#endif

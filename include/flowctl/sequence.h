/**
 * @file sequence.h  Sequence numbers: unique over all processes, rising in each, with gaps.
 *
 * A sequence takes blocks of numbers from the store and hands them out one by one. Numbers of a block that a process did not use are a gap. Two processes take
 * turns by blocks, so numbers of different processes are not in the order of time, unless `block` is 1.
 */
#ifndef FLOWCTL_SEQUENCE_H
#define FLOWCTL_SEQUENCE_H

#include <flowctl/backend.h>

FLOWCTL_BEGIN

typedef struct flowctl_sequence flowctl_sequence;

/** `name`: at most 200 bytes. `block` 1 … 2^32, 0: 1000. Needs COUNT (else UNSUPPORTED). Asks the store for nothing yet. */
FLOWCTL_API flowctl_status flowctl_sequence_create(flowctl_backend *backend, const char *name, uint64_t block,
                                                   flowctl_sequence **sequence, flowctl_error *err);
/** NULL-safe. The rest of its block is a gap. */
FLOWCTL_API void flowctl_sequence_destroy(flowctl_sequence *sequence);

/** The next number, from 1. Waits for the store, at most so long, once per block; any thread. @return OK; TIMED_OUT; UNAVAILABLE; INVALID_ARGUMENT… */
FLOWCTL_API flowctl_status flowctl_sequence_next(flowctl_sequence *sequence, uint64_t max_wait_ns, uint64_t *number,
                                                 flowctl_error *err);

FLOWCTL_END
#endif

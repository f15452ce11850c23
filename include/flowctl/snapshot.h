/**
 * @file snapshot.h  A limiter's state as bytes, to be restored later or elsewhere.
 *
 * The blob is versioned, the same on every machine (little-endian), and ends in a checksum. It holds the id, the rate and burst, and what was in the
 * bucket or owed. It does not hold bookings (they count as used), counters, or any time: clocks of different machines don't compare, so who
 * restores says how long it has been. Nor does it hold whether the limiter was paused or in dry run.
 */
#ifndef FLOWCTL_SNAPSHOT_H
#define FLOWCTL_SNAPSHOT_H

#include <flowctl/limiter.h>

FLOWCTL_BEGIN

/** Room that a snapshot of a limiter with an id of `id_bytes` (without its terminator) needs. */
#define FLOWCTL_SNAPSHOT_BYTES(id_bytes) (64 + (size_t)(id_bytes))

/**
 * Writes a snapshot. `*length` becomes its length, also when `room` is too small (then OUT_OF_RANGE, nothing written; buffer may be NULL
 * with room 0). @return OK, INVALID_ARGUMENT, OUT_OF_RANGE, CLOSED; UNSUPPORTED over a lease (sharing.h). Any thread; a short lock.
 */
FLOWCTL_API flowctl_status flowctl_limiter_snapshot(flowctl_limiter *limiter, void *buffer, size_t room, size_t *length,
                                                    flowctl_error *err);
FLOWCTL_API flowctl_status flowctl_limiter_snapshot_at(flowctl_limiter *limiter, void *buffer, size_t room, size_t *length,
                                                       uint64_t now_ns, flowctl_error *err);

/**
 * Gives a limiter that has not granted anything yet (call it right after create) the state of a snapshot: what it had, plus what its rate produced in `elapsed_ns`, at most
 * its burst and the limiter's own. Give 0 if it is not known how long it has been. The limiter's own rate and burst stay.
 * @return OK; INVALID_ARGUMENT (used already; another limiter's id; another kind); SYNTAX (damaged, cut short, or no snapshot;
 *         err->offset tells where); OUT_OF_RANGE (a version that this library does not know); CLOSED; UNSUPPORTED over a lease. On failure nothing has changed.
 */
FLOWCTL_API flowctl_status flowctl_limiter_restore(flowctl_limiter *limiter, const void *blob, size_t length,
                                                   uint64_t elapsed_ns, flowctl_error *err);
FLOWCTL_API flowctl_status flowctl_limiter_restore_at(flowctl_limiter *limiter, const void *blob, size_t length,
                                                      uint64_t elapsed_ns, uint64_t now_ns, flowctl_error *err);

FLOWCTL_END
#endif

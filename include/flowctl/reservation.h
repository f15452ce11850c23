/**
 * @file reservation.h  Permits booked ahead of time, and given back if plans change.
 *
 *     flowctl_reservation r;
 *     flowctl_decision d = flowctl_reserve(l, 5, flowctl_millis(200), &r);
 *     if (d.verdict == FLOWCTL_DELAY) arm_timer(d.retry_after_ns);   // and send when it fires
 *     ...
 *     flowctl_cancel(&r);                                            // or not at all
 *
 * WHAT A CANCEL GIVES BACK. All of it, as room: what was booked last goes back into the bucket at once; threads that wait in acquire
 * behind it move up; otherwise the place is offered to the next that fits. Room that finds no taker before its time has passed is lost, and counted
 * (flowctl_counters.expired_permits). Nothing is ever added to the bucket that time would not have produced: rules that just add
 * the permits back let too many through (docs/algorithms.md).
 *
 * THREADS. Any; a short lock, never blocks otherwise. COST: constant; with bookings ahead, a walk along them for cancel, for reserve while
 * there is a cancelled place, and for a change of the settings (some 10 ns each). A reservation that has to wait takes about 110 bytes from
 * the limiter's allocator (31 at a time, kept for the next until the limiter is destroyed).
 */
#ifndef FLOWCTL_RESERVATION_H
#define FLOWCTL_RESERVATION_H

#include <flowctl/limiter.h>

FLOWCTL_BEGIN

/** The means to cancel. A value: may be copied, and moved to another thread; all copies are the same reservation. */
typedef struct flowctl_reservation {
    flowctl_limiter *limiter; /**< Must not have been destroyed. */
    void *place;              /**< Private. */
    uint64_t ticket;          /**< Private. 0: nothing to cancel. */
    uint64_t permits;
} flowctl_reservation;

/**
 * Books `permits` at the first time they fit behind all earlier bookings, or into a place that was cancelled, if that is at most
 * `max_wait_ns` ahead, and charges them. ALLOW: use them now. DELAY: use them after retry_after_ns (at now_ns). DENY: not booked, nothing
 * charged; retry_after_ns is then how long it would have been. While bookings are ahead, nobody's try succeeds. Bookings reach 2^59
 * units ahead (info.units_per_permit), which is 1.8 years at the least; what would lie beyond is DENY.
 * NEVER: more than the burst. Paused: DENY, FLOWCTL_FOREVER. Status NO_MEMORY, CLOSED, INVALID_ARGUMENT: DENY, not booked.
 * `reservation` may be NULL if it will never be cancelled. It is filled in whatever the answer; unless that is DELAY there is nothing in
 * it to cancel (permits that were granted at once can only be settled: settle.h).
 */
FLOWCTL_API flowctl_decision flowctl_reserve(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns,
                                             flowctl_reservation *reservation);
FLOWCTL_API flowctl_decision flowctl_reserve_at(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns,
                                                flowctl_reservation *reservation, uint64_t now_ns);

/**
 * Gives a reservation back. @return its permits; 0 if there was nothing to give back: it is due already, was cancelled before, or
 * was granted at once, or the limiter is closed. Idempotent, also for copies and when threads race; the struct is not written. NULL
 * and a zeroed reservation are 0.
 */
FLOWCTL_API uint64_t flowctl_cancel(const flowctl_reservation *reservation);
FLOWCTL_API uint64_t flowctl_cancel_at(const flowctl_reservation *reservation, uint64_t now_ns);

/**
 * When it is due, as things are now: a time of the limiter's clock. Earlier than was said if the rate was raised meanwhile, later if it was
 * lowered (its place is kept, in permits); FLOWCTL_FOREVER while the limiter is paused, and once it is closed. 0: its time has come, or
 * there was nothing to wait for; also after a cancel, which the caller must remember. Who uses permits at the time first told, after the rate
 * was lowered, uses them that much too early.
 */
FLOWCTL_API uint64_t flowctl_reservation_due_ns(const flowctl_reservation *reservation);
FLOWCTL_API uint64_t flowctl_reservation_due_at(const flowctl_reservation *reservation, uint64_t now_ns);

FLOWCTL_END
#endif

/**
 * @file change.h  Other settings for a limiter in use.
 *
 * A change takes effect at one moment, the same for all threads. What is in the bucket stays, clipped to a smaller burst, and never more: a
 * larger burst has to fill. Over any interval, permits granted are at most the burst at its beginning + the sum of rate x time since. A decision
 * that overlaps the change is one made before it. Less than one unit (info.units_per_permit) is lost per change, none gained.
 *
 * Threads that wait in acquire are re-timed and woken: those whose deadline can't be met any more return DENY at once, those that want more
 * than the new burst NEVER. Reservations keep their place, in permits (ask flowctl_reservation_due_ns), also one for more than a new, smaller
 * burst: it is the one thing that may pass above the burst, once. Nobody else is told: an event loop that has armed a timer asks again after a
 * change that it makes. A smaller burst takes from receipts what it is smaller by (settle.h).
 *
 * THREADS. Any; writers take turns; a walk along the bookings that are ahead. A writer that is stopped in the middle of a change holds up
 * whoever takes the same short lock (other writers, acquire when it has to wait, reserve, settle, reading), and no decision.
 *
 *     flowctl_set_rate(l, flowctl_per_second(500), &err);
 *     flowctl_limiter_pause(l); ... flowctl_limiter_resume(l);
 */
#ifndef FLOWCTL_CHANGE_H
#define FLOWCTL_CHANGE_H

#include <flowctl/limiter.h>

FLOWCTL_BEGIN

/** @return OK; INVALID_ARGUMENT, OUT_OF_RANGE as at create, and then nothing has changed (rate 0 is refused: pause instead); CLOSED. */
FLOWCTL_API flowctl_status flowctl_set_rate(flowctl_limiter *limiter, flowctl_rate rate, flowctl_error *err);
FLOWCTL_API flowctl_status flowctl_set_rate_at(flowctl_limiter *limiter, flowctl_rate rate, uint64_t now_ns,
                                               flowctl_error *err);
FLOWCTL_API flowctl_status flowctl_set_burst(flowctl_limiter *limiter, uint64_t burst, flowctl_error *err);
FLOWCTL_API flowctl_status flowctl_set_burst_at(flowctl_limiter *limiter, uint64_t burst, uint64_t now_ns, flowctl_error *err);
/** Both in one change. */
FLOWCTL_API flowctl_status flowctl_set_limit(flowctl_limiter *limiter, flowctl_rate rate, uint64_t burst, flowctl_error *err);
FLOWCTL_API flowctl_status flowctl_set_limit_at(flowctl_limiter *limiter, flowctl_rate rate, uint64_t burst, uint64_t now_ns,
                                                flowctl_error *err);

/**
 * Stops the limiter's time: nothing is refilled and nothing granted. Decisions are DENY, flagged FLOWCTL_FLAG_PAUSED, with retry_after_ns
 * FLOWCTL_FOREVER; acquire waits, as long as it may. What is in the bucket stays. Idempotent. @return OK, INVALID_ARGUMENT, CLOSED.
 */
FLOWCTL_API flowctl_status flowctl_limiter_pause(flowctl_limiter *limiter);
FLOWCTL_API flowctl_status flowctl_limiter_pause_at(flowctl_limiter *limiter, uint64_t now_ns);

/** Goes on with what was there at the pause: the time between is not credited. Idempotent. */
FLOWCTL_API flowctl_status flowctl_limiter_resume(flowctl_limiter *limiter);
FLOWCTL_API flowctl_status flowctl_limiter_resume_at(flowctl_limiter *limiter, uint64_t now_ns);

/** Empties the bucket: no free burst. Bookings and debt stay. Permits on a receipt can't go back any more. UNSUPPORTED over a lease (sharing.h). */
FLOWCTL_API flowctl_status flowctl_limiter_reset(flowctl_limiter *limiter);
FLOWCTL_API flowctl_status flowctl_limiter_reset_at(flowctl_limiter *limiter, uint64_t now_ns);

FLOWCTL_END
#endif

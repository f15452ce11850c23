/**
 * @file settle.h  Work whose cost is known only at the end: take an estimate, settle the actual cost.
 *
 *     flowctl_receipt receipt;
 *     if (flowctl_acquire_estimate(l, 800, flowctl_seconds(2), &receipt).verdict == FLOWCTL_ALLOW) {
 *         uint64_t used = stream_answer();
 *         flowctl_settle(&receipt, used);
 *     }
 *
 * DOWN (used less). The bucket refilled while the permits were out; to add all of them back would let more than the limit through.
 * What goes back is at most the estimate less what the rate has produced since (the aged rule: exact, proof in docs/algorithms.md), so an
 * estimate that is settled within its own cost's time gets something back, an older one nothing. The rest is forfeited, and counted. With
 * FLOWCTL_SETTLE_LENIENT all of it goes back, capped at the burst; then an interval may hold up to the permits that were given back in it,
 * beyond the aged rule, too many.
 *
 * UP (used more). The difference is charged at once, beyond zero if need be: up to max_debt permits, and then nobody is granted anything
 * until time has paid for it (max_debt is the burst, unless the options say otherwise). With debt an interval of length W holds at most burst + max_debt + rate x W. What does not even fit the
 * debt is reported as unsettled, and counted: the limit was exceeded by that much, and the limiter can't help it.
 */
#ifndef FLOWCTL_SETTLE_H
#define FLOWCTL_SETTLE_H

#include <flowctl/limiter.h>

FLOWCTL_BEGIN

/** What was taken, and when. A value, of which one copy may be settled, once: a second copy would be believed. One that is never
 * settled stays charged with its estimate. */
typedef struct flowctl_receipt {
    flowctl_limiter *limiter; /**< NULL: nothing to settle. Must not have been destroyed. */
    uint64_t permits;         /**< The estimate. */
    uint64_t age_hi, age_lo;  /**< Private. */
} flowctl_receipt;

/** What settling did. given_back + forfeited is what was not used; charged + unsettled is what was used beyond the estimate. */
typedef struct flowctl_settlement {
    flowctl_status status; /**< OK; INVALID_ARGUMENT (NULL, or settled before); CLOSED. */
    uint64_t given_back;
    uint64_t forfeited;
    uint64_t charged;
    uint64_t unsettled;
} flowctl_settlement;

/**
 * As flowctl_acquire, with a receipt: blocks as long as that may, with max_wait_ns 0 not at all. Not granted: the receipt is zeroed.
 * `receipt` NULL is INVALID_ARGUMENT.
 */
FLOWCTL_API flowctl_decision flowctl_acquire_estimate(flowctl_limiter *limiter, uint64_t estimate, uint64_t max_wait_ns,
                                                      flowctl_receipt *receipt);
FLOWCTL_API flowctl_decision flowctl_acquire_estimate_at(flowctl_limiter *limiter, uint64_t estimate, uint64_t max_wait_ns,
                                                         flowctl_receipt *receipt, uint64_t now_ns);

/**
 * Settles a receipt with the actual cost (0: the work was not done), and zeroes it, whatever the answer. Any thread; a short lock. In the `_at`
 * form now_ns must not be before the time of any decision made so far, or too much goes back: a limiter can't know the latest one. The
 * other form sees to that itself.
 */
FLOWCTL_API flowctl_settlement flowctl_settle(flowctl_receipt *receipt, uint64_t actual);
FLOWCTL_API flowctl_settlement flowctl_settle_at(flowctl_receipt *receipt, uint64_t actual, uint64_t now_ns);

FLOWCTL_END
#endif

/**
 * @file limiter.h  One handle, one set of verbs, one decision: for every kind of limiter.
 *
 * A limiter is made by its kind's create function (token_bucket.h) and used through the verbs here. They differ by what happens
 * when the permits are not there:
 *
 *     flowctl_try_acquire        no, and nothing changes (the 95 % case: one call, one bool)
 *     flowctl_try_acquire_up_to  as many as there are
 *     flowctl_decide             no, with when and why
 *     flowctl_acquire            waits, at most so long
 *     flowctl_acquire_estimate               waits, with a receipt: the actual cost is settled later (settle.h)
 *     flowctl_reserve            books them: come back then (reservation.h)
 *     flowctl_peek               nothing is taken, ever
 *
 * Each verb has a form ending in `_at` that takes the time, in nanoseconds of the limiter's clock, and reads no clock. Times may come
 * in any order: an old one never creates permits, it only sees fewer.
 *
 * WHAT HOLDS (G1): over any interval of length W, the permits granted by decisions dated in it are at most burst + rate x W, exactly,
 * under any number of threads and any order of times. A decision is dated `now_ns` of flowctl_decision (a reservation at its due time).
 *
 * Two things go beyond it, by bounds that their headers give: what settling charges as debt (settle.h), and a reservation for more than a burst
 * that was lowered after it was booked (change.h).
 *
 * THREADS. Every verb may be called by any thread at any time between create and destroy. Only flowctl_acquire and
 * flowctl_acquire_estimate block. The try forms take no lock, allocate nothing and make no system call beyond the clock (but for a grant
 * at a time more than 10 years from the limiter's anchor: that takes a short lock, once).
 *
 * FORK. In the child a limiter is a private copy with the state of the moment; do not use it if another thread was inside a verb.
 *
 * NULL AND CLOSED. A NULL handle or a closed one grants nothing: the decision's verdict is DENY, its status tells why.
 *
 * COST 0 asks for nothing: allowed, changes nothing. A cost above the burst can never fit: NEVER, at once, from acquire too.
 */
#ifndef FLOWCTL_LIMITER_H
#define FLOWCTL_LIMITER_H

#include <flowctl/rate.h>
#include <flowctl/status.h>
#include <stdbool.h>
#include <stdint.h>

FLOWCTL_BEGIN

typedef struct flowctl_limiter flowctl_limiter;

/** DENY is zero, so that a decision nobody filled in grants nothing. */
typedef enum flowctl_verdict {
    FLOWCTL_DENY = 0,  /**< Not now; nothing was taken. Ask again after retry_after_ns. */
    FLOWCTL_ALLOW = 1, /**< Granted now. */
    FLOWCTL_DELAY = 2, /**< Granted and charged; use it after retry_after_ns. Only reserve says so. */
    FLOWCTL_NEVER = 3  /**< Can't fit at any time: more than the burst. */
} flowctl_verdict;

/** The name of a verdict, "ALLOW"; "UNKNOWN" for a value that is none. Static. */
FLOWCTL_API const char *flowctl_verdict_name(flowctl_verdict verdict);

/** flowctl_decision.tier when no tier decided. */
#define FLOWCTL_NO_TIER (-1)

typedef struct flowctl_decision {
    flowctl_verdict verdict;
    flowctl_status status; /**< OK; INVALID_ARGUMENT (NULL handle); CLOSED; SYSTEM (acquire); NO_MEMORY, UNSUPPORTED (reserve). Not OK always
                                comes with DENY. */
    uint64_t granted;        /**< Permits charged: the cost, or 0. */
    uint64_t remaining;      /**< Whole permits left after this decision, at now_ns. */
    uint64_t retry_after_ns; /**< DENY: the same request would fit after so long, if nobody else took any. DELAY: until due.
                                  ALLOW: 0. NEVER, and a status that is not OK: FLOWCTL_FOREVER. */
    uint64_t now_ns;         /**< The time the decision was made at; for reserve and acquire, when its permits are due. */
    int32_t tier;            /**< The tier that decided, or FLOWCTL_NO_TIER. */
    uint32_t flags;          /**< How it came about: FLOWCTL_FLAG_…, or 0. */
} flowctl_decision;

/** The limiter is in dry run (observe.h) and would have refused. */
#define FLOWCTL_FLAG_DRY_RUN UINT32_C(1)
/** The limiter is paused (change.h). */
#define FLOWCTL_FLAG_PAUSED UINT32_C(2)

/**
 * Takes `permits`, all or none, if they are there. False also for NULL, closed, and more than the burst.
 * Never blocks. Cost: one clock read and one compare-and-swap.
 */
FLOWCTL_API bool flowctl_try_acquire(flowctl_limiter *limiter, uint64_t permits);
FLOWCTL_API bool flowctl_try_acquire_at(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns);

/** Takes as many whole permits as there are, at most `max_permits`. @return how many, 0 if none. Never blocks. */
FLOWCTL_API uint64_t flowctl_try_acquire_up_to(flowctl_limiter *limiter, uint64_t max_permits);
FLOWCTL_API uint64_t flowctl_try_acquire_up_to_at(flowctl_limiter *limiter, uint64_t max_permits, uint64_t now_ns);

/** As try_acquire, and tells verdict, remaining permits and when to try again. Never blocks. A denial costs one division more. */
FLOWCTL_API flowctl_decision flowctl_decide(flowctl_limiter *limiter, uint64_t permits);
FLOWCTL_API flowctl_decision flowctl_decide_at(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns);

/** What decide would answer; takes and counts nothing. Never blocks. */
FLOWCTL_API flowctl_decision flowctl_peek(flowctl_limiter *limiter, uint64_t permits);
FLOWCTL_API flowctl_decision flowctl_peek_at(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns);

/** How long until `permits` are there, if nobody else took any: 0 if now, FLOWCTL_FOREVER if never. Never blocks. */
FLOWCTL_API uint64_t flowctl_time_until(flowctl_limiter *limiter, uint64_t permits);
FLOWCTL_API uint64_t flowctl_time_until_at(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns);

/**
 * Takes `permits`, waiting for them at most `max_wait_ns` (FLOWCTL_FOREVER: as long as it takes). First come, first served.
 * When they are due is known at once: if that is later than `max_wait_ns`, it answers DENY without waiting, and nothing was taken.
 * ALLOW once they are due; a thread that the scheduler wakes late has them still. Status CLOSED if the limiter is closed meanwhile.
 * A pthread cancellation point: a cancelled thread's place goes to those behind it, nobody loses a permit.
 * In the `_at` form the wait begins at `now_ns` and ends when the limiter's clock reaches the due time.
 */
FLOWCTL_API flowctl_decision flowctl_acquire(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns);
FLOWCTL_API flowctl_decision flowctl_acquire_at(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns,
                                                uint64_t now_ns);

/** What happened so far. Sums over all threads, each exact; read one after the other, so not of one instant. */
typedef struct flowctl_counters {
    uint64_t allowed;            /**< Calls that were granted, at once or after waiting. */
    uint64_t allowed_permits;    /**< Permits granted by them. */
    uint64_t denied;             /**< Calls refused for now. */
    uint64_t never;              /**< Calls refused for ever: cost above the burst. */
    uint64_t waited;             /**< Of the allowed: those that were not due at once. */
    uint64_t wait_ns;            /**< The waiting of those, from call to due time, summed. */
    uint64_t dry_run_allowed;    /**< Calls that a dry run let through, or gave more than was there. */
    uint64_t cancelled_permits;  /**< Of the allowed permits: given back by cancelled reservations. */
    uint64_t expired_permits;    /**< Cancelled permits whose place found no taker in time. */
    uint64_t given_back_permits; /**< Of the allowed permits: given back by settling. */
    uint64_t forfeited_permits;  /**< Not used, and too old to give back. */
    uint64_t charged_permits;    /**< Charged by settling, beyond what was allowed. */
    uint64_t unsettled_permits;  /**< Used, and beyond what could be charged. */
} flowctl_counters;

/** @return OK; INVALID_ARGUMENT for NULL. Works on a closed limiter. Takes a short lock that decisions never take. */
FLOWCTL_API flowctl_status flowctl_limiter_counters(flowctl_limiter *limiter, flowctl_counters *counters);

/** The state of a limiter, for people and metrics. */
typedef struct flowctl_limiter_info {
    const char *id;    /**< As given at create; lives as long as the limiter. */
    flowctl_rate rate; /**< The effective rate: exactly what was asked for, in lowest terms. */
    uint64_t burst;    /**< Permits. */
    uint64_t tokens;   /**< Whole permits there now. */
    uint64_t debt;     /**< Permits booked ahead of time, or owed by settling, rounded up; 0 unless tokens is 0. */
    uint64_t waiters;  /**< Threads inside acquire that wait. */
    bool paused;
    bool dry_run;
    double rate_per_sec;       /**< `rate` as a number. */
    double actual_per_sec;     /**< Permits granted per second, lately: see flowctl_limiter_read. */
    double utilisation;        /**< actual_per_sec / rate_per_sec; above 1 while a burst is used up. */
    uint64_t units_per_permit; /**< The grid the limiter counts on. */
    uint64_t exact_every_ns; /**< Refill is counted without any rounding at times that are whole multiples of this after the
                                    limiter's start: 1, 1000, 10^6 or 10^9; 0 if the rate is too odd for its burst: then one unit
                                    at the most is lost per overflow. Never a unit too many, in either case. */
    uint64_t now_ns;         /**< The time this was read at. */
} flowctl_limiter_info;

/**
 * Reads the state. `actual_per_sec` is the average since a mark that lies 1 to 2 s back when this is called at least once a second,
 * and since the previous call (or create) when it is called less often.
 * @return OK, INVALID_ARGUMENT, CLOSED. Takes a short lock that decisions never take.
 */
FLOWCTL_API flowctl_status flowctl_limiter_read(flowctl_limiter *limiter, flowctl_limiter_info *info);
FLOWCTL_API flowctl_status flowctl_limiter_read_at(flowctl_limiter *limiter, flowctl_limiter_info *info, uint64_t now_ns);

/**
 * Closes: from now on every verb answers CLOSED, and every thread that waits in acquire returns with CLOSED. The handle stays valid.
 * Idempotent; NULL-safe. A decision that overlaps the call was made before it.
 */
FLOWCTL_API void flowctl_limiter_close(flowctl_limiter *limiter);

/**
 * Closes, waits until the threads that wait in acquire have left it, and frees. Other calls must have returned, and none may begin:
 * only a waiting acquire may be inside (flowctl_limiter_close first, then join your threads, where you can't know). NULL-safe. May
 * block for as long as a waiter takes to wake up. Not from a cancellation handler of a thread inside this limiter.
 */
FLOWCTL_API void flowctl_limiter_destroy(flowctl_limiter *limiter);

FLOWCTL_END
#endif

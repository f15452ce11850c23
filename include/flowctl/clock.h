/**
 * @file clock.h  Where the time of a decision comes from.
 *
 * Times are nanoseconds from an origin of the clock's own. A limiter reads its clock once per call, unless the call is given the
 * time. Clocks are shared: many limiters may use one; it must outlive them.
 *
 * The monotonic clock is CLOCK_MONOTONIC: never stepped by an administrator, stands still while the machine sleeps.
 * The boottime clock goes on then: leases are measured by it.
 * A manual clock stands still until it is told: for tests, simulations, and logs that carry their own time.
 */
#ifndef FLOWCTL_CLOCK_H
#define FLOWCTL_CLOCK_H

#include <flowctl/allocator.h>
#include <flowctl/status.h>
#include <stdint.h>

FLOWCTL_BEGIN

typedef struct flowctl_clock flowctl_clock;

/** The process's monotonic clock; the default everywhere. Never fails, never destroyed. Any thread. */
FLOWCTL_API flowctl_clock *flowctl_clock_monotonic(void);

/**
 * As the monotonic clock, but goes on while the machine sleeps (where the system has such a clock): for leases, and the default of limits that processes
 * share. Never fails, never destroyed. Any thread.
 */
FLOWCTL_API flowctl_clock *flowctl_clock_boottime(void);

/** Creates a manual clock that reads `start_ns`. `allocator` NULL: malloc. @return OK, INVALID_ARGUMENT, NO_MEMORY, SYSTEM. */
FLOWCTL_API flowctl_status flowctl_clock_manual_create(uint64_t start_ns, const flowctl_allocator *allocator,
                                                       flowctl_clock **clock, flowctl_error *err);

/** Frees a manual clock. No limiter may use it any more. NULL and the system's clocks are left alone. */
FLOWCTL_API void flowctl_clock_destroy(flowctl_clock *clock);

/**
 * Sets a manual clock, forwards or backwards, and wakes every acquire() whose permits are now due.
 * @return OK; INVALID_ARGUMENT for NULL or a clock that is not manual. Any thread; holds a short lock.
 */
FLOWCTL_API flowctl_status flowctl_clock_set(flowctl_clock *clock, uint64_t now_ns);

/** As flowctl_clock_set, `delta_ns` later than now; stops at UINT64_MAX. */
FLOWCTL_API flowctl_status flowctl_clock_advance(flowctl_clock *clock, uint64_t delta_ns);

/** The time now. NULL reads the monotonic clock. Any thread, never blocks; about the cost of clock_gettime. */
FLOWCTL_API uint64_t flowctl_clock_now(const flowctl_clock *clock);

/**
 * How many threads sleep on a manual clock inside acquire(), not counting those that were woken and are on their way; 0 for other
 * clocks. For tests that step time: once it is back at the number of waiting threads, all that this step set off has happened.
 */
FLOWCTL_API unsigned flowctl_clock_sleepers(flowctl_clock *clock);

FLOWCTL_END
#endif

/**
 * @file flowctl.h  libflowctl: rate limiting and backpressure for programs that move data.
 *
 * Include this one; it includes the rest. What is said here holds for every header.
 *
 * - Time and durations are uint64_t nanoseconds, and say so in their names (`_ns`). FLOWCTL_FOREVER is the longest.
 * - Amounts are permits, whole, uint64_t. Rates are fractions (flowctl_rate).
 * - A function that can fail returns a flowctl_status and takes an optional flowctl_error last; on failure nothing has changed and
 *   out-parameters are set to NULL or left alone. There is no thread-local or global last error.
 * - To be denied is a verdict, not an error.
 * - `create` allocates and returns a handle, `destroy` frees it and accepts NULL. Handles are opaque. Strings and options that are
 *   passed in are copied unless it says otherwise.
 * - Options structs begin with their size; start from their `_INIT` or `_init`. Zero is the default. A library that is newer than the
 *   caller fills in defaults; one that is older refuses what it does not know (FLOWCTL_BAD_SIZE) unless that is all zero.
 * - Unless it says otherwise a function may be called by any thread, does not block, does not allocate, makes no callback.
 *   Not for signal handlers.
 * - No global state, no background thread, no output; but for backends, each of which has a thread unless it is told to have none (backend.h).
 */
#ifndef FLOWCTL_H
#define FLOWCTL_H

#include <flowctl/allocator.h>
#include <flowctl/backend.h>
#include <flowctl/change.h>
#include <flowctl/clock.h>
#include <flowctl/health.h>
#include <flowctl/limiter.h>
#include <flowctl/observe.h>
#include <flowctl/rate.h>
#include <flowctl/reservation.h>
#include <flowctl/sequence.h>
#include <flowctl/settle.h>
#include <flowctl/sharing.h>
#include <flowctl/snapshot.h>
#include <flowctl/status.h>
#include <flowctl/store.h>
#include <flowctl/token_bucket.h>
#include <flowctl/version.h>

#endif

/**
 * @file observe.h  Watching a limiter: dry run, and listeners. Neither costs a decision anything while it is off.
 */
#ifndef FLOWCTL_OBSERVE_H
#define FLOWCTL_OBSERVE_H

#include <flowctl/limiter.h>
#include <flowctl/sharing.h>

FLOWCTL_BEGIN

/**
 * Dry run on or off, in use. A limiter in dry run decides, charges and counts as always, and then lets everything through, at once. What it would
 * have denied becomes ALLOW, flagged FLOWCTL_FLAG_DRY_RUN, counted in flowctl_counters.dry_run_allowed, and charges nothing (a receipt for it
 * settles to nothing). What it would have let wait is charged for when it would have been granted, and becomes ALLOW with the flag. peek and
 * time_until say the same. A thread that waits already goes on waiting; a closed limiter and a wrong call stay what they are.
 * @return OK, INVALID_ARGUMENT.
 */
FLOWCTL_API flowctl_status flowctl_limiter_set_dry_run(flowctl_limiter *limiter, bool on);

/**
 * Callbacks, each may be NULL. They are called by the thread that asked, after its decision, with no lock held; they may call any verb of this
 * or another limiter, and are called for those too (it is theirs to stop: a grant asked for in on_denied may be denied), but must not close or
 * destroy this one. They delay that thread and nobody else. Only decisions are told: not cancel, settle, peek, or a change.
 *
 *     static flowctl_listener watch = FLOWCTL_LISTENER_INIT;
 *     watch.on_denied = log_denied;
 *     flowctl_limiter_set_listener(l, &watch);
 */
typedef struct flowctl_listener {
    size_t size; /**< sizeof this struct, as set by the initialiser. */
    void *context;
    /** Granted, at once or after waiting. */
    void (*on_allowed)(void *context, flowctl_limiter *limiter, uint64_t permits, const flowctl_decision *decision);
    /** Refused, now or for ever. In dry run: as it would have been. */
    void (*on_denied)(void *context, flowctl_limiter *limiter, uint64_t permits, const flowctl_decision *decision);
    /** A grant left `near_limit_permits` or less. Once, until at least twice as many (or a full burst) were there again. */
    void (*on_near_limit)(void *context, flowctl_limiter *limiter, uint64_t remaining);
    uint64_t near_limit_permits;
    /** A shared limit's lease began, ended or came back (sharing.h). By a thread of the backend, or the one that polls it; may not close or destroy, nor call the store. */
    void (*on_lease)(void *context, flowctl_limiter *limiter, flowctl_lease_state from, flowctl_lease_state to);
} flowctl_listener;

#define FLOWCTL_LISTENER_INIT \
    { sizeof(flowctl_listener), 0, 0, 0, 0, 0, 0 }

/**
 * Sets the listener, in use; NULL: none. It is not copied: it must live, unchanged, until no thread can be inside a call that began before
 * it was replaced. @return OK; INVALID_ARGUMENT; BAD_SIZE.
 */
FLOWCTL_API flowctl_status flowctl_limiter_set_listener(flowctl_limiter *limiter, const flowctl_listener *listener);

FLOWCTL_END
#endif

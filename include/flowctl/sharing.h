/**
 * @file sharing.h  A limit that several processes share: what is held, and what happens while the store is away.
 *
 * A limiter with a backend decides on permits that the store has lent to it, in its own memory, as fast as one without. A lease lasts `ttl`, is renewed long
 * before it ends, and is asked for ahead of need; the decision never waits for the store.
 *
 * WHAT HOLDS. Over any interval of length W, the permits granted by all limiters of one id at one store, in all processes, are at most
 * burst + rate x W, by the clock that they share (one machine: CLOCK_BOOTTIME; several: plus rate x the difference of their clocks, which only dates
 * them): with EXACT backends whatever is lost, delayed, stopped or killed. There is no term in the lease's length, nor in the number of processes. Why: docs/sharing.md.
 *
 * WHAT IS USED. Nearly all of the rate, if burst >= rate x (2 x refresh + round trip); with a smaller burst less, never more. Refresh is the one in effect: many limiters
 * in use on one backend ask less often each (flowctl_backend_options.max_asks_per_sec). flowctl_sharing_info has it, and the burst that the rate needs by it.
 * Who dies takes what it held with it for 1.75 x ttl. At first, and after the store has lost its state, nothing is lent for as long (quarantine), unless the store knows that nothing can be out.
 *
 * WHILE THE STORE IS AWAY, once the lease is over, the policy of the limiter decides. In numbers, for a members of which k are cut off, over any W:
 *
 *     policy                    over the limit by at most                    grants at least
 *     FLOWCTL_AWAY_CLOSED       0                                            nothing
 *     FLOWCTL_AWAY_OPEN         k x (10^10/s x W + burst): all that is asked everything
 *     FLOWCTL_AWAY_LOCAL_SHARE  k/a x (rate x W + burst), a as last told     rate / a for each, less one permit
 *     FLOWCTL_AWAY_REUSE_LAST   for X only, then 0: k x (r x X + what was    r, what the store last lent it per second (at most rate), for X
 *                               held last); r x X summed is at most
 *                               rate x X if nobody else was lent more meanwhile
 *
 * If all members are cut off, LOCAL_SHARE and REUSE_LAST together stay within burst + rate x W, plus what was out when the store went (at most burst).
 * A thread that waits already, for more than a share's burst, is served by it once: over by its cost less burst / a.
 * The local bucket of a policy begins empty, but for OPEN. What it grants is counted apart (flowctl_sharing_info.away_permits).
 *
 * ONE BY ONE. With `one_by_one` nothing is held ahead of need: every request asks the store for just what it lacks, all or nothing. For limits so small, or so strict
 * about order between members, that nothing may lie idle in one. A request costs the store an ask and its report, and whoever makes it a round trip: acquire waits for it (and up to a
 * refresh more, if the ask before was in vain). Of threads that wait together the first is asked for whole, and the others for as much as there is. A try is denied first,
 * and asks: retry_after_ns tells when the answer may be there. What came stays for a refresh: who tries again within it is served, and else it goes back.
 *
 * VERBS over a lease. try, up_to, decide, peek, acquire, acquire_estimate: as without. settle: gives back what was not reported yet (at most one refresh
 * old), else it is forfeited; charges beyond the estimate up to max_debt: the limit may be exceeded by max_debt per member. flowctl_reserve needs bookings in the
 * store: UNSUPPORTED, as are reset, snapshot and restore; name them in `needs` to be told at create. pause and resume are this limiter's own. set_rate, set_burst
 * and set_limit change the settings for all: with the next version, seen by every member in use within one refresh and a round trip, and by one at rest
 * when it renews its lease (ttl / 3). Without its settings told yet, a limiter shows its own.
 * retry_after_ns of a denial is an estimate: when the next answer of the store may be there.
 */
#ifndef FLOWCTL_SHARING_H
#define FLOWCTL_SHARING_H

#include <flowctl/backend.h>
#include <flowctl/limiter.h>

FLOWCTL_BEGIN

/** What a limiter does once its lease is over and the store does not answer. */
typedef enum flowctl_away {
    FLOWCTL_AWAY_CLOSED = 0,
    FLOWCTL_AWAY_OPEN = 1,
    FLOWCTL_AWAY_LOCAL_SHARE = 2,
    FLOWCTL_AWAY_REUSE_LAST = 3
} flowctl_away;

/** flowctl_sharing_options.needs: verbs that not every backend can serve. */
#define FLOWCTL_NEEDS_RESERVE UINT32_C(1)
#define FLOWCTL_NEEDS_RESET UINT32_C(2)
#define FLOWCTL_NEEDS_SNAPSHOT UINT32_C(4)

/** How a limiter with a backend shares. Part of the options of each kind of limiter. Zero means default. */
typedef struct flowctl_sharing_options {
    flowctl_away away;
    uint64_t reuse_ns;   /**< X of FLOWCTL_AWAY_REUSE_LAST; 0: 10 x ttl. */
    uint64_t ttl_ns;     /**< 0: 1 s. 10 ms … 1 h. A store that is away is noticed after so long at the latest. */
    uint64_t refresh_ns; /**< How often it asks, at most, while there is demand. 1 ms … ttl / 4; 0: four times in the time that fills the burst, 1 … 10 ms. Less often if many do. */
    uint64_t config_version; /**< Of two settings for one id the higher version is in force. */
    uint32_t capabilities;   /**< FLOWCTL_CAN_… that the backend must have, besides LEND. */
    uint32_t needs;          /**< FLOWCTL_NEEDS_… */
    bool one_by_one;         /**< Nothing is held ahead of need: see above. */
} flowctl_sharing_options;

/** Where a shared limiter stands. */
typedef enum flowctl_lease_state {
    FLOWCTL_LEASE_NONE = 0,    /**< No answer yet. Nothing is granted. */
    FLOWCTL_LEASE_ACTIVE = 1,  /**< The lease is valid. */
    FLOWCTL_LEASE_EXPIRED = 2, /**< The lease is over and the store is away: the policy decides. */
    FLOWCTL_LEASE_LOCAL = 3    /**< Not shared. */
} flowctl_lease_state;

/** "ACTIVE"; "UNKNOWN" for a value that is none. Static. */
FLOWCTL_API const char *flowctl_lease_state_name(flowctl_lease_state state);

typedef struct flowctl_sharing_info {
    flowctl_lease_state state;
    flowctl_status store;   /**< What the store said last: OK, UNAVAILABLE, TIMED_OUT… */
    uint64_t lease_left_ns; /**< Until the lease is over. */
    uint64_t held;          /**< Permits that are lent and not used. */
    uint64_t members; /**< Members that wanted something lately or hold something, as the store last told; 0: not known. */
    uint64_t quarantine_ns;  /**< Nothing is lent for so long yet, as the store last told. */
    uint64_t config_version; /**< Of the settings in force, which flowctl_limiter_read shows. */
    uint64_t round_trip_ns;  /**< A slow one, lately. */
    uint64_t asks, replies;  /**< So far. */
    uint64_t failures;       /**< Asks that were answered with an error, or not at all in time. */
    uint64_t sessions;       /**< Begun so far; more than 1 if the store forgot one. */
    uint64_t granted_permits, used_permits, back_permits; /**< Sums over all sessions: granted = used + back + held. */
    uint64_t away_permits; /**< Granted by the policy while the store was away: not known to the store. */
    uint64_t refresh_ns; /**< How often it asks, at most, by now: that of the options, or more, if many limiters of its backend are in use. */
    uint64_t burst_needed; /**< The burst by which all of the rate can be used, at this refresh and round trip: rate x (2 x refresh + round trip). */
} flowctl_sharing_info;

/** Reads it. @return OK; INVALID_ARGUMENT; CLOSED. A limiter without a backend is FLOWCTL_LEASE_LOCAL. A short lock that decisions never take. */
FLOWCTL_API flowctl_status flowctl_limiter_sharing(flowctl_limiter *limiter, flowctl_sharing_info *info);
FLOWCTL_API flowctl_status flowctl_limiter_sharing_at(flowctl_limiter *limiter, flowctl_sharing_info *info, uint64_t now_ns);

/** Waits until the limiter has a lease, at most so long. @return OK; TIMED_OUT; CLOSED; INVALID_ARGUMENT. For the start of a program. Blocks. */
FLOWCTL_API flowctl_status flowctl_limiter_wait_ready(flowctl_limiter *limiter, uint64_t max_wait_ns);

FLOWCTL_END
#endif

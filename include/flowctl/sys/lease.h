/**
 * @file sys/lease.h  What a member and a store say to each other about one limit. For authors of backends.
 *
 * A store lends permits: a member (one limiter handle in one process) asks, and is granted credit, which it spends by itself until the lease is over.
 * Each side of the talk survives loss, repetition and disorder of the other's words, since nothing in them is a step: all amounts are sums since the
 * beginning of the session.
 *
 *     session   one member's account, named by 128 random bits, new at the start and whenever the store says `dead`
 *     granted   all that the store has lent to the session
 *     used      of that, what was spent        (never decreases)
 *     back      of that, what never will be    (never decreases)
 *     out       granted - used - back: what may still be spent, as far as the store knows
 *
 * Why no more than the limit passes, whatever is lost or delayed: docs/sharing.md.
 */
#ifndef FLOWCTL_SYS_LEASE_H
#define FLOWCTL_SYS_LEASE_H

#include <flowctl/rate.h>
#include <stdbool.h>

FLOWCTL_BEGIN

/** The longest id of a limit, and name of a member, in bytes, without the terminator. */
#define FLOWCTL_LIMIT_ID_MAX 127
#define FLOWCTL_MEMBER_NAME_MAX 47

typedef struct flowctl_session_id {
    uint64_t hi, lo;
} flowctl_session_id;

/** A limit's settings. Of two, the one with the higher version is in force; of the same version, the one that came first. */
typedef struct flowctl_lease_terms {
    flowctl_rate rate;
    uint64_t burst;
    uint64_t ttl_ns; /**< How long a lease lasts. */
    uint64_t version;
} flowctl_lease_terms;

/** What a member asks. */
typedef struct flowctl_lease_ask {
    size_t size;
    const char *limit;  /**< The id; at most FLOWCTL_LIMIT_ID_MAX bytes. */
    const char *member; /**< A name for people; at most FLOWCTL_MEMBER_NAME_MAX bytes. */
    flowctl_session_id session;
    uint64_t seq;  /**< 1, 2, … in each session. One that is not above the last is a repetition, and grants nothing. */
    uint64_t want; /**< More permits, at most. 0: only report, and renew what is held. */
    uint64_t need; /**< Fewer than so many are of no use; at most `want`. 0 or 1: any number is welcome. */
    uint64_t used, back;
    uint64_t seen_identity; /**< `identity` of the replies to this session, 0 before the first. */
    uint64_t seen_clk_ns;   /**< `clk_ns` of one of them, 0 before the first. */
    uint64_t since_ns; /**< How long ago that was, by the member's clock, made shorter by what that clock may be fast. */
    flowctl_lease_terms terms;
    bool start_full; /**< A limit that nobody ever used begins full, where that is safe. */
    bool leaves;     /**< The last ask of the session: what is not used comes back, and what may still come is not used. */
} flowctl_lease_ask;

/** What the store answers. */
typedef struct flowctl_lease_reply {
    size_t size;
    flowctl_status status; /**< OK, or why there is no answer: UNAVAILABLE, NOT_PERMITTED, NO_MEMORY, SYSTEM… The rest is then 0. */
    flowctl_session_id session; /**< Of the ask. */
    uint64_t seq;               /**< Of the ask. */
    bool dead; /**< The session is not known (any more): begin a new one. `grant`, `granted` and `lease_ns` are then 0. */
    uint64_t grant;          /**< What this ask was granted. */
    uint64_t granted;        /**< The session's sum, this grant included. */
    uint64_t lease_ns;       /**< What is held may be used for so long from the *sending* of the ask. */
    uint64_t retry_after_ns; /**< Refused: when what was needed may be there. 0: not known. */
    uint64_t quarantine_ns;  /**< Nothing is granted to anybody for so long: the store can't know yet what it lent before. */
    bool scarce;             /**< Another needs more at once than there is: what lies idle had better come back. */
    uint64_t members;        /**< Sessions that wanted something lately or hold something, this one included. */
    uint64_t identity;       /**< Of the store's run that answered: not 0. */
    uint64_t clk_ns;         /**< The limit's own clock. */
    flowctl_lease_terms terms; /**< The settings in force. */
} flowctl_lease_reply;

/** One session, as the store sees it. */
typedef struct flowctl_member_state {
    char name[FLOWCTL_MEMBER_NAME_MAX + 1];
    flowctl_session_id session;
    uint64_t seq, granted, used, back;
    uint64_t expires_in_ns; /**< What it holds comes back to the limit then, unless it asks again. */
    bool active;
} flowctl_member_state;

/** A limit, as the store sees it. */
typedef struct flowctl_limit_state {
    size_t size;
    const char *limit;
    flowctl_lease_terms terms;
    int64_t level; /**< Whole permits that can be lent now; below 0: owed. */
    uint64_t out;  /**< Lent, and neither used nor back. */
    uint64_t granted, used, back,
        expired; /**< Sums of all sessions ever: granted = used + back + expired + out, but for what was charged beyond. */
    uint64_t quarantine_ns;
    uint64_t clk_ns;
    const flowctl_member_state *members;
    size_t member_count;
} flowctl_limit_state;

FLOWCTL_END
#endif

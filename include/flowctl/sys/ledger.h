/**
 * @file sys/ledger.h  The lender's arithmetic: one limit's state, and what an ask does to it. For authors of backends.
 *
 * A ledger is a block of plain memory without pointers. A backend that can lock its state, or change it in one step, keeps one for each limit, calls
 * flowctl_ledger_ask for each ask, and stores the block: that is all. Whoever is stopped or killed before the block is stored has asked nothing.
 *
 * THE RULE (docs/sharing.md, Theorem A). L permits can be lent, O are lent and neither used nor back. Refill raises L to at most burst - O; a grant moves permits
 * from L to O; a report of use takes them from O, one of credit not used moves them from O to L; a session whose lease is over by the limit's own clock,
 * with a margin, is removed and what it held leaves O. So L + O never exceeds the burst, and what members may still use is never more than O.
 *
 * Exact: L is kept in 1/period_ns of a permit, in which refill is a whole number for every nanosecond.
 *
 * COST. One pass over the sessions. Pure: reads no clock, allocates nothing. THREADS: one at a time per ledger.
 */
#ifndef FLOWCTL_SYS_LEDGER_H
#define FLOWCTL_SYS_LEDGER_H

#include <flowctl/sys/lease.h>

FLOWCTL_BEGIN

/** TTLs that are allowed. */
#define FLOWCTL_TTL_MIN_NS (10 * FLOWCTL_NS_PER_MS)
#define FLOWCTL_TTL_MAX_NS FLOWCTL_NS_PER_HOUR

/** A session's account. Private; public so that a ledger's size is known. */
typedef struct flowctl_ledger_session {
    flowctl_session_id session;
    uint64_t seq, granted, used, back;
    uint64_t renewed_clk_ns, expires_clk_ns, wanted_clk_ns, short_clk_ns; /* short: got less than it wanted, then */
    char name[FLOWCTL_MEMBER_NAME_MAX + 1];
} flowctl_ledger_session;

/** A limit's state. Private, as above. */
typedef struct flowctl_ledger {
    uint64_t magic;
    uint32_t room, count; /* sessions there may be, and are */
    uint64_t identity;    /* of the store's run that wrote this */
    flowctl_lease_terms terms;
    uint64_t longest_ttl_ns, shortest_ttl_ns; /* ever */
    uint64_t time_ns, clk_ns;                 /* of the last ask: the store's time, and the limit's own clock */
    uint64_t quarantine_until_clk_ns;
    uint64_t level_hi, level_lo; /* L in 1/period_ns permits, a signed 128-bit number */
    uint64_t out;                /* O */
    uint64_t granted, used, back, expired;
    flowctl_session_id head; /* who needs more than there was, and is saved for */
    uint64_t head_need, head_until_clk_ns;
    /* the sessions follow: flowctl_ledger_sessions() */
} flowctl_ledger;

/** Where the sessions lie: right behind the ledger. */
static inline flowctl_ledger_session *flowctl_ledger_sessions(flowctl_ledger *ledger) {
    return (flowctl_ledger_session *)(void *)(ledger + 1);
}

/** Bytes of a ledger with room for so many sessions at once. */
#define FLOWCTL_LEDGER_BYTES(room) (sizeof(flowctl_ledger) + (size_t)(room) * sizeof(flowctl_ledger_session))

/** How the ledger comes to be. */
typedef enum flowctl_ledger_origin {
    FLOWCTL_LEDGER_FIRST = 0, /**< Nobody can ever have been lent anything under this id: lends at once. */
    FLOWCTL_LEDGER_LOST = 1 /**< There may have been another before: lends nothing until every lease of that one is over. */
} flowctl_ledger_origin;

/** Makes a new ledger in FLOWCTL_LEDGER_BYTES(room) bytes. `identity`: see flowctl_ledger_ask. The settings are those of the first ask. */
FLOWCTL_API void flowctl_ledger_init(flowctl_ledger *ledger, uint32_t room, uint64_t identity, flowctl_ledger_origin origin);

/** Tells a ledger whose block was made larger (flowctl_ledger_ask: NO_MEMORY) how many sessions there is room for now; never fewer. */
FLOWCTL_API void flowctl_ledger_extend(flowctl_ledger *ledger, uint32_t room);

/** Whether bytes that come from elsewhere are a ledger: its frame, counts and sums fit. */
FLOWCTL_API bool flowctl_ledger_is_sound(const flowctl_ledger *ledger, size_t bytes);

/**
 * Does what an ask asks, and writes the reply (its size must be set).
 *
 * `now_ns` is the store's time; it may step: backwards it costs time, forwards by d it lets min(rate x d, burst) pass once. Leases do not end by it, but by the
 * ledger's own clock, which such steps move by TTL/4 at the most.
 * `identity` names the store's present run, or machine start: one in which nothing that was granted can have been forgotten, and whose time goes on. If it is not
 * the one that wrote the ledger, all sessions end, and nothing is lent until all their leases are over ("quarantine"). Not 0.
 *
 * reply->status: OK; NO_MEMORY (no room for another session); INVALID_ARGUMENT, OUT_OF_RANGE (settings or an ask that can't be).
 */
FLOWCTL_API void flowctl_ledger_ask(flowctl_ledger *ledger, const flowctl_lease_ask *ask, uint64_t now_ns, uint64_t identity,
                                    flowctl_lease_reply *reply);

/**
 * The state at `now_ns`, for people; nothing is changed. Fills in `state` but for `limit`, and up to `room` members.
 */
FLOWCTL_API void flowctl_ledger_inspect(const flowctl_ledger *ledger, uint64_t now_ns, flowctl_limit_state *state,
                                        flowctl_member_state *members, size_t room);

FLOWCTL_END
#endif

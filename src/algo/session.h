/*
 * A member's side of a lease (sys/lease.h): what it asks, and what it makes of an answer. Pure: times are arguments.
 *
 * The permits themselves are somewhere else: `held`, in a limiter's cell, is what may be used now (below zero: charged beyond it). The session only keeps
 * the sums, so that used = granted - back - held at any moment, with no count per decision.
 *
 * Four things keep what a member may use below what the store counts as out, whatever is lost or late: a lease counts from the sending of the ask
 * that the store answered; a grant whose answer is passed by a newer one was counted as `back` then, and is worth nothing when it comes; an answer
 * that knows of less than was granted already, or is of another run of the store, prolongs nothing; and one to a session that the store does not know ends
 * the session, with all it holds.
 */
#ifndef FC_ALGO_SESSION_H
#define FC_ALGO_SESSION_H

#include <flowctl/sys/lease.h>

/* How much faster than the store's a member's clock may run, in millionths: a lease is used for that much less. */
#define FC_DRIFT_PPM 200

#define FC_SESSION_ASKS 16 /* of which the time of sending is remembered */

struct fc_session {
    flowctl_session_id id;
    uint64_t seq;           /* of the last ask */
    uint64_t newest_seq;    /* of the newest ask that was answered */
    uint64_t granted, back; /* sums, as far as is known here */
    uint64_t used;          /* as last reported */
    uint64_t seen_identity, seen_clk_ns, seen_at_ns;
    uint64_t until_ns; /* what is held may be used before this time of the member's clock */
    uint64_t sent_ns[FC_SESSION_ASKS];
};

enum fc_session_news {
    FC_NEWS_NOTHING, /* an old answer, or one that says it can't */
    FC_NEWS_LEASE,   /* a new one: add the credit to what is held */
    FC_NEWS_DEAD     /* the store does not know the session: what is held is void; begin another */
};

void fc_session_begin(struct fc_session *s, flowctl_session_id id);

/* Fills in session, seq, used, back and times of an ask that is sent now; `held` is what is held at this moment. */
void fc_session_ask(struct fc_session *s, uint64_t now_ns, int64_t held, flowctl_lease_ask *ask);

/* An answer has come. *credit: how much more is held from now on, until s->until_ns. */
enum fc_session_news fc_session_reply(struct fc_session *s, uint64_t now_ns, const flowctl_lease_reply *reply,
                                      uint64_t *credit);

/* Permits that were held and will not be used: given up, or the lease was over before. The caller takes them away first. */
static inline void fc_session_give_up(struct fc_session *s, uint64_t permits) { s->back += permits; }

static inline bool fc_session_valid(const struct fc_session *s, uint64_t now_ns) { return now_ns < s->until_ns; }

#endif

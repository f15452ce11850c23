/* What the files of the token bucket share. */
#ifndef FC_CORE_BUCKET_H
#define FC_CORE_BUCKET_H

#include "core/limiter.h"

/* The terms in force and the word, of one moment, with a time at which they can be judged. */
struct fc_sight {
    struct fc_terms terms;
    struct fc_view view;
    uint64_t now_ns; /* to judge by: as asked for, but not before the terms began */
    bool too_old; /* what was asked for lies behind an anchor that was moved, where nothing is known: nothing can be granted */
    bool over;    /* the lease is over: nothing can be granted */
    uint64_t retry_ns; /* with permits from a store: when there may be more, as a guess */
    bool far; /* it lies out of the anchor's reach: this is how it would look from an anchor nearby; move it before you write */
};

/* Looks, and changes nothing. False: closed. */
bool fc_bucket_see(flowctl_limiter *l, uint64_t now_ns, struct fc_sight *sight);

/*
 * The same for those who will write, under the lock: first the word, then the clock (unless the time is given), so that whoever was granted what lies
 * before the word had read the clock before. Moves the anchor if need be.
 */
bool fc_bucket_see_then_read_clock(flowctl_limiter *l, const uint64_t *given_ns, struct fc_sight *sight);

/* ---- answers ---- */

/* `now_ns` is what was asked for. */
flowctl_decision fc_bucket_allow(const struct fc_sight *s, uint64_t permits, uint64_t date_ns, uint64_t after);
flowctl_decision fc_bucket_deny(const struct fc_sight *s, uint64_t due_ns, uint64_t now_ns);
flowctl_decision fc_bucket_never(const struct fc_sight *s, uint64_t now_ns);
flowctl_decision fc_bucket_above_burst(const struct fc_sight *s, uint64_t permits, uint64_t now_ns);
void fc_bucket_count_refusal(flowctl_limiter *l, const flowctl_decision *d);

/*
 * Takes `permits`, all or none, and counts it. True: *answer is final, and *age, unless NULL, the age at the grant. False: they are not there now.
 */
bool fc_bucket_at_once(flowctl_limiter *l, uint64_t permits, uint64_t now_ns, flowctl_decision *answer, fc_u128 *age);

/* ---- changes ---- */

/* Puts terms in force that hold `there` units of their own at now. Under the lock. For create. */
void fc_bucket_begin(flowctl_limiter *l, struct fc_terms *terms, int64_t there, uint64_t now_ns);

/* Moves an anchor that is too far behind `now`. Under the lock, or (the second) not yet. */
void fc_bucket_move_anchor(flowctl_limiter *l, uint64_t now_ns);
void fc_bucket_move_anchor_unlocked(flowctl_limiter *l, uint64_t now_ns);

/* Says what is wrong with a rate or burst that were asked for; `rate` and `burst` are the nearest that are right. */
flowctl_status fc_bucket_explain(enum fc_bucket_fault fault, const char *id, flowctl_rate asked, uint64_t asked_burst,
                                 const flowctl_rate *rate, uint64_t burst, flowctl_error *err);

/* ---- permits from a store ---- */

/* What a limiter holds is changed, all at one moment. */
struct fc_lend {
    bool take_all;     /* takes away what is held, */
    uint64_t take;     /* or so much of it at most, */
    uint64_t add;      /* and brings so much */
    uint64_t until_ns; /* usable before; 0: there is no end */
    bool sealed;       /* what was taken before can't go back any more (settle.h) */
    bool paused;
    bool local;        /* nothing is held: from now on time makes permits, at `rate`, up to `burst` */
    flowctl_rate rate; /* with `local` */
    uint64_t burst;    /* with `local`; otherwise of the limit */
};

/* What was found at that moment. */
struct fc_lent {
    uint64_t now_ns;
    uint64_t taken;
    int64_t held;     /* after it; below zero: charged beyond what was lent */
    uint64_t missing; /* cost of the first that waits, 0: nobody; */
    uint64_t queued;  /* and of all that wait */
};

/* Under the lock. The time is read if `given_ns` is NULL. False: closed. */
bool fc_bucket_lend(flowctl_limiter *l, const struct fc_lend *lend, const uint64_t *given_ns, struct fc_lent *lent);

/* The same, and changes nothing: decisions go on meanwhile. Under the lock. */
bool fc_bucket_look(flowctl_limiter *l, uint64_t now_ns, struct fc_lent *lent);

/* ---- the operations, by file ---- */

flowctl_decision fc_bucket_decide(flowctl_limiter *l, uint64_t permits, uint64_t now_ns);
flowctl_decision fc_bucket_peek(flowctl_limiter *l, uint64_t permits, uint64_t now_ns);
uint64_t fc_bucket_take_up_to(flowctl_limiter *l, uint64_t max_permits, uint64_t now_ns);
flowctl_decision fc_bucket_reserve(flowctl_limiter *l, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns,
                                   flowctl_reservation *reservation);
flowctl_decision fc_bucket_acquire(flowctl_limiter *l, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns,
                                   flowctl_receipt *receipt);
uint64_t fc_bucket_cancel(flowctl_limiter *l, const flowctl_reservation *reservation, uint64_t now_ns);
uint64_t fc_bucket_due(flowctl_limiter *l, const flowctl_reservation *reservation, uint64_t now_ns);
void fc_bucket_sweep(flowctl_limiter *l);
flowctl_settlement fc_bucket_settle(flowctl_limiter *l, const flowctl_receipt *receipt, uint64_t actual,
                                    const uint64_t *now_ns);
flowctl_status fc_bucket_change(flowctl_limiter *l, const struct fc_change *change, const uint64_t *now_ns,
                                flowctl_error *err);
flowctl_status fc_bucket_snapshot(flowctl_limiter *l, void *buffer, size_t room, size_t *length, flowctl_error *err,
                                  uint64_t now_ns);
flowctl_status fc_bucket_restore(flowctl_limiter *l, const void *blob, size_t length, uint64_t elapsed_ns,
                                 flowctl_error *err, uint64_t now_ns);
flowctl_status fc_bucket_read(flowctl_limiter *l, flowctl_limiter_info *info, uint64_t now_ns);

#endif

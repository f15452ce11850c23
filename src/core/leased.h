/*
 * The store's side of a limiter that is shared: when to ask, what to make of an answer, and what to do while there is none. One for each limiter with
 * a backend. The rules are algo/session.h and algo/prefetch.h; here they meet the cell and the clock.
 *
 * Locks: what is not atomic is guarded by the limiter's lock, but for the place in the backend's table. Nobody who holds a limiter's lock takes the backend's.
 */
#ifndef FC_CORE_LEASED_H
#define FC_CORE_LEASED_H

#include "algo/prefetch.h"
#include "algo/session.h"
#include "core/due.h"
#include "core/limiter.h"
#include "core/turns.h"

#include <flowctl/sharing.h>

/* How often a limiter asks by itself, by its limit. */
#define FC_REFRESH_LEAST_NS FLOWCTL_NS_PER_MS
#define FC_REFRESH_MOST_NS (10 * FLOWCTL_NS_PER_MS)

struct fc_leased {
    struct fc_due planned; /* first: when the backend will drive it; the backend's lock */
    struct fc_turn turn;   /* to ask */
    flowctl_limiter *limiter;
    flowctl_backend *backend;
    uint64_t ticket; /* the backend's name for it; without the session */
    uint64_t users;  /* threads of the backend that are inside; the backend's lock */
    struct fc_leased *next_hurried;
    _Atomic bool hurried;           /* listed by its backend as due sooner than planned */
    _Atomic uint64_t due_ns;        /* when it is to be driven */
    _Atomic uint64_t until_ns;      /* when the lease, or the policy, is over; 0: there is no end */
    _Atomic uint64_t missing;       /* the largest cost refused since the last plan */
    _Atomic uint64_t retry_at_ns;   /* when there may be more, as a guess */
    _Atomic uint64_t next_ask_ns;   /* not before */
    _Atomic uint64_t asked_ns;      /* when it last asked */
    _Atomic uint64_t round_trip_ns; /* a slow one, lately */
    _Atomic uint64_t refresh_ns;    /* how often it asks while it is busy: that of the options, or more if many are */

    flowctl_sharing_options options; /* with all defaults filled in */
    flowctl_lease_terms terms;       /* asked for, and once told: in force */
    struct fc_session session;
    struct fc_prefetch prefetch;
    flowctl_lease_state state;
    flowctl_status store;
    bool unanswered; /* the last ask */
    bool local;      /* the policy's own bucket decides */
    bool paused;
    bool scarce;  /* somebody else needs more than there is, as the store last told */
    bool soon;    /* what is used is to be reported at once, or after soon_ns if many are busy */
    bool busy;    /* and counted as such by the backend */
    bool pending; /* settings that the store was not told yet */
    bool start_full;
    unsigned failed_in_a_row;
    uint64_t busy_ns; /* when something was used, or missing, last */
    uint64_t soon_ns;
    uint64_t members, quarantine_until_ns;
    uint64_t asks, replies, failures, sessions;
    uint64_t granted_before, back_before; /* of earlier sessions */
    uint64_t away_permits, away_began;    /* what was allowed in all when the policy took over */
    flowctl_rate own_rate;                /* of the policy's own bucket */
    uint64_t own_burst;
    double lent_rate;         /* permits per nanosecond, when the store answered last */
    flowctl_lease_state told; /* to the listener */
};

/* Makes a limiter a member, of which nothing is held yet. `options->…` are checked and completed. For create. */
flowctl_status fc_leased_attach(flowctl_limiter *l, flowctl_backend *backend, const flowctl_sharing_options *options,
                                bool start_full, flowctl_error *err);

/* Takes what is held, so that it can go back. Under the lock; the limiter is closed next. */
void fc_leased_wind_up(flowctl_limiter *l);

/* Says farewell to the store; no thread of the backend is inside any more afterwards. */
void fc_leased_detach(flowctl_limiter *l);
void fc_leased_free(flowctl_limiter *l);

/* Whether it is one of those that the backend counts as busy. Under the lock, as below. */
void fc_leased_count_busy(struct fc_leased *s, bool busy);

/* How often it asks, by how many limiters of its backend are busy; it is one of them if it was in use lately. */
void fc_leased_keep_pace(struct fc_leased *s, uint64_t now_ns);

/* An account of its own, with nothing granted yet. */
void fc_leased_begin_session(struct fc_leased *s);

/* All that the limiter ever allowed. */
uint64_t fc_leased_allowed(const struct fc_leased *s);

/* The refill hook. */
bool fc_leased_short(flowctl_limiter *l, uint64_t permits, uint64_t now_ns, void *context);

/* A thread waits for more. Under the lock. */
void fc_leased_waited_for(flowctl_limiter *l);

/* The lease, or the policy, is over. Under the lock. */
void fc_leased_lapse(flowctl_limiter *l, uint64_t now_ns);

/* When a denied request may be worth another try. */
uint64_t fc_leased_retry_at(const flowctl_limiter *l, uint64_t now_ns);

/* The verbs that are different, or refused, over a lease. */
flowctl_status fc_leased_change(flowctl_limiter *l, const struct fc_change *c, const uint64_t *now_ns, flowctl_error *err);
flowctl_status fc_leased_refuse(const flowctl_limiter *l, const char *verb, flowctl_error *err);

/* For the backend: does what is due, and takes an answer to an ask of that ticket. */
void fc_leased_drive(struct fc_leased *s);
void fc_leased_answer(struct fc_leased *s, uint64_t ticket, const flowctl_lease_reply *reply);

#endif

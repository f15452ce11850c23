/*
 * A sliding window lent out by one store to many holders: at most `limit` uses in any interval of the length of the window, over all of them.
 * Pure: times come in as arguments; no clock, no lock, no memory, no I/O.
 *
 * THE STORE counts
 *
 *     out     credit that is lent: it may be used this very moment, so it counts as used now
 *     dated   uses of the last window, each at the latest time at which it can have been: when it was reported, or, of credit that was never accounted
 *             for, when its lease ended
 *
 * and lends at most limit - out - dated. Whatever was used in (s, s + window] is then, at s + window, either still out or dated behind s: it
 * is counted, and so are later grants. Dates are kept in slots, as late as the latest in the slot, which only makes them count longer; that
 * costs 1 / slots of the limit at most. (Dating a credit when it is lent is the mistake to avoid: it may be used a whole lease later, when
 * its date has left the window.)
 *
 * A SESSION is one incarnation of a holder. What it reports are running sums, so that a lost report is made good by the next one:
 *
 *     used + back <= granted      back: never to be used, given up or lapsed          out = granted - used - back
 *
 * Answers carry `granted` as a sum too: the next answer brings what a lost one would have. A report that the store cannot place is DEAD and
 * changes nothing: of an unknown session that is not at its first request (its credit is dated already; paying for another lease with it
 * would free what is still out), or of more than was granted. The holder opens a new session, and may use what it had until its end. A new
 * incarnation frees nothing of an older one.
 *
 * TIME in the store is a clock of its own: it sums up the steps of a wall clock, none taken as negative or as more than step_max. So it is
 * fast by step_max at most for each leap of the wall clock, and leases and dates are kept longer by two of these: for two leaps within a
 * window. Where requests are rare it runs late. A holder vouches for more: the clock in an answer to it, and its own monotonic time since.
 * Then the clock catches up, by a leap of its own; but what was lent or dated after that answer, by the late clock, has not aged by it: its
 * times are moved along. (Or one holder's vouching would end the lease that another was given by the late clock a moment ago.) The answer
 * must have come from this store: one that has lost its state takes another identity, and its clock and turns begin anew. A lease ends at the
 * holder ttl after its request was *sent*, here ttl + 2 step_max + guard after it came in.
 *
 * A store that may have lost state begins a quarantine: no sessions, no grants, for as long as lost leases may live and then the window.
 */
#ifndef FC_ALGO_WINDOW_LEASE_H
#define FC_ALGO_WINDOW_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fc_window_id {
    uint64_t hi, lo; /* random: never the same again, also after a fork */
};

struct fc_window_request {
    struct fc_window_id id;
    uint64_t seq;        /* from 1 in each session */
    uint64_t want;       /* permits more than are held; 0 prolongs the lease */
    uint64_t used, back; /* sums of the session */
    uint64_t clock_us;   /* the store's clock in an answer to this session, */
    uint64_t turn;       /* its turn (0: no answer yet) and store, */
    uint64_t store;
    uint64_t since_us; /* and own monotonic time since it came */
};

enum fc_window_outcome { FC_WINDOW_ANSWERED, FC_WINDOW_DEAD, FC_WINDOW_STALE, FC_WINDOW_FULL };

struct fc_window_answer {
    struct fc_window_id id;
    enum fc_window_outcome outcome;
    uint64_t seq;
    uint64_t granted; /* the session's sum */
    uint64_t clock_us, turn, store;
};

/* ---- the store ---- */

struct fc_window_settings {
    uint64_t limit;       /* > 0 */
    uint64_t window_us;   /* > 0 */
    uint64_t ttl_us;      /* what holders have */
    uint64_t step_max_us; /* costs 2 step_max / window of the limit; at least the usual time between requests */
    uint64_t guard_us;    /* at least the drift of the machines' clocks over ttl */
};

/* Uses, all dated at the latest of them. */
struct fc_window_slot {
    uint64_t opened_us, latest_us;
    uint64_t turn; /* of the latest */
    uint64_t uses;
};

struct fc_window_session {
    struct fc_window_id id;
    uint64_t seq, granted, used, back;
    uint64_t ends_us, turn; /* the turn that set it */
};

struct fc_window_store {
    struct fc_window_settings settings;
    uint64_t identity;
    uint64_t turn;              /* requests served: what was before what, where the clock stands still */
    uint64_t clock_us, wall_us; /* the clock does not begin at 0, so that there are dates before it */
    uint64_t quarantined_until_us, quarantine_turn;
    uint64_t counted_us, slot_us; /* how long a use counts: the window, and what the clock may be fast */
    struct fc_window_slot *slots; /* a ring, the oldest first */
    size_t slot_first, slot_count, slot_capacity;
    struct fc_window_session *sessions;
    size_t session_count, session_capacity;
    uint64_t out, dated;
};

/*
 * `slots` (at least 3; 66 lose 1/64 of the limit) and `sessions` stay the caller's. With all sessions taken, another holder is answered FULL
 * and lent nothing until one ends. The store begins as one that has never lent anything: if it may have, begin a quarantine. `identity` is
 * random: never the same again.
 */
void fc_window_store_init(struct fc_window_store *store, const struct fc_window_settings *settings, uint64_t identity,
                          uint64_t wall_us, struct fc_window_slot *slots, size_t slot_capacity,
                          struct fc_window_session *sessions, size_t session_capacity);

/* Nothing is lent until all that was lent before has ended and left the window. */
void fc_window_quarantine(struct fc_window_store *store);

/* One request, at a reading of the wall clock. STALE: an older one than was seen; its report counts, and it needs no answer. */
struct fc_window_answer fc_window_lend(struct fc_window_store *store, uint64_t wall_us,
                                       const struct fc_window_request *request);

/* ---- the holder ---- */

struct fc_window_holder {
    struct fc_window_id id;
    uint64_t ttl_ns; /* shortened by the drift of this machine's clock */
    uint64_t seq, granted, used, back;
    uint64_t credit, until_ns;
    uint64_t orphan, orphan_until_ns;            /* of a session that died: usable, and counted nowhere */
    uint64_t clock_us, turn, store, clock_at_ns; /* the newest of the store's clock, and when it came */
};

void fc_window_holder_init(struct fc_window_holder *holder, struct fc_window_id id, uint64_t ttl_ns);

/* The next request, sent now. */
struct fc_window_request fc_window_ask(struct fc_window_holder *holder, uint64_t want, uint64_t now_ns);

/*
 * An answer to the request that was sent at sent_ns. Answers come in any order or never; one that is older than what is known brings nothing.
 * False: the session is dead, and fc_window_reopen() is due.
 */
bool fc_window_answered(struct fc_window_holder *holder, const struct fc_window_answer *answer, uint64_t sent_ns,
                        uint64_t now_ns);
void fc_window_reopen(struct fc_window_holder *holder, struct fc_window_id id);

/* Credit that may be used at this time, and its use: all of it or nothing. */
uint64_t fc_window_usable(const struct fc_window_holder *holder, uint64_t now_ns);
bool fc_window_use(struct fc_window_holder *holder, uint64_t permits, uint64_t now_ns);

/* Gives up credit that is not wanted (at most what there is); the next request reports it. */
void fc_window_give_up(struct fc_window_holder *holder, uint64_t permits, uint64_t now_ns);

#endif

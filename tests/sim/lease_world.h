/*
 * A store that lends a sliding window, holders, and an adversary: requests and answers that are late, lost, doubled or overtake each other,
 * holders that pause or are killed, leaps of the store's clock, and stores that lose their state.
 *
 * Judged: uses in any interval of the window's length, at each use; the store's own sums; that a holder never has more than the store counts
 * as out.
 */
#ifndef FLOWCTL_TESTS_LEASE_WORLD_H
#define FLOWCTL_TESTS_LEASE_WORLD_H

#include "sim/harness.h"

#include "algo/window_lease.h"

enum lease_event {
    LEASE_PASS,  /* a: us */
    LEASE_ASK,   /* a: permits wanted, b: 0 loses the request */
    LEASE_SERVE, /* a request reaches the store. a: which of those on their way, b: bit 0 loses the answer, bit 1 leaves the request to come again */
    LEASE_ANSWER,  /* an answer reaches its holder. a: which, b: 1 leaves it to come again */
    LEASE_USE,     /* a: permits, 0 all */
    LEASE_GIVE_UP, /* a: permits */
    LEASE_PAUSE,   /* a: 0 ends it */
    LEASE_KILL,
    LEASE_LEAP, /* a: which */
    LEASE_WIPE, /* the store loses all it knows, and notices */
    LEASE_LIVE, /* the loop of a holder in real life: a: permits used at most, b: its dice */
    LEASE_MEASURE
};

enum lease_defect {
    LEASE_SOUND,
    LEASE_COPY,              /* the copy of the store, right */
    LEASE_DATED_AT_GRANT,    /* a credit counts from when it was lent */
    LEASE_EXPIRED_FORGOTTEN, /* credit that was never accounted for counts as not used */
    LEASE_UNPLACED_PAID,     /* a report of a session that ended pays for the next one */
    LEASE_NEW_FREES_OLD,     /* a new incarnation frees what the old one had */
    LEASE_NO_QUARANTINE,     /* a store that lost its state begins as if nothing had been lent */
    LEASE_QUARANTINE_SHORT,  /* or waits for leases to end, but not for the window */
    LEASE_FROM_ANSWER,       /* the lease is counted from the answer, not from the request */
    LEASE_WALL_CLOCK,        /* leases and dates go by the wall clock */
    LEASE_ROUNDED_DOWN,      /* a date is the beginning of its slot */
    LEASE_VOUCH_ENDS,        /* catching up ends leases that were given by the late clock */
    LEASE_VOUCH_ANY,         /* the clock of another store is believed */
    LEASE_VOUCH_AGES         /* or ages dates that were given by it */
};

struct lease_config {
    size_t holders;
    uint64_t limit, window_us, ttl_us;
    uint64_t step_max_us; /* 0: a quarter of ttl */
    size_t slots;
    unsigned leaps;
    bool wipes, realistic;
    bool twice; /* requests often come twice, and the store often loses its state */
    enum lease_defect defect;
};

enum lease_measure { LEASE_MOST, LEASE_SHARE, LEASE_DEAD, LEASE_GRANTS };

void lease_generate(const void *config, uint64_t seed, struct sim_list *list);
void lease_run(const void *config, const struct sim_event *events, const size_t *kept, size_t count, bool told,
               struct sim_result *result);

#endif

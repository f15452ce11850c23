/*
 * Members, each with a replica and a queue of records on their way; one log; and an adversary, who decides on every delay, pause, kill, point
 * of restart, stalled link, late record of the dead, leap of the broker's clock and gap. The truth is the same fold over the whole log from
 * its start.
 *
 * Judged: at every event the sum of usable shares; at every record that a learned replica applies, lo <= E <= hi for every member, and the
 * hash if its intervals are closed; with a window, uses in any interval of its length.
 */
#ifndef FLOWCTL_TESTS_CLAIM_WORLD_H
#define FLOWCTL_TESTS_CLAIM_WORLD_H

#include "sim/harness.h"
#include "sim/planted_claim.h"

enum claim_event {
    CLAIM_PASS,         /* a: ms */
    CLAIM_SEND,         /* a: what to claim, b: anything */
    CLAIM_BEAT,         /* as the loop of a member: at its heartbeat, or when its target has moved; a: jitter */
    CLAIM_APPEND,       /* a: 0 loses the record */
    CLAIM_APPEND_GHOST, /* a: of which */
    CLAIM_DELIVER,      /* a: records at most */
    CLAIM_STALL,        /* a: ms */
    CLAIM_PAUSE,        /* a: 0 ends it */
    CLAIM_KILL, /* and start again; a: 0 from the end of the log, or from up to so many records before; b: ms of delay of what is on its way */
    CLAIM_GAP,  /* a: records skipped */
    CLAIM_LEAP, /* a: which */
    CLAIM_TICK,
    CLAIM_USE, /* a: permits, 0 all */
    CLAIM_LEAVE,
    CLAIM_DEMAND,    /* a: share, in thousandths of the limit */
    CLAIM_DUPLICATE, /* of a record appended before; a: of which */
    CLAIM_MEASURE    /* from here on use is measured */
};

/* What a member does wrong (the fold's mistakes are planted_fold). */
enum claim_defect {
    CLAIM_SOUND,
    CLAIM_ONE_PHASE,         /* uses its target at once */
    CLAIM_BEFORE_ACCEPT,     /* uses what its replica says is free, before its own record comes back */
    CLAIM_RAISE_ON_OLDER,    /* raises at a record of its own that is not the one it sent last */
    CLAIM_LOWER_LATE,        /* publishes a smaller base and lowers its limit when that comes back */
    CLAIM_LEASE_FROM_APPLY,  /* counts the time from when the record came back, not from when it was sent */
    CLAIM_WINDOW_LEAVE_ZERO, /* leaves with base 0 whatever it still counts */
    CLAIM_WINDOW_BASE_SHARE  /* its base is its share, whatever it still counts */
};

struct claim_config {
    size_t members;
    size_t table;        /* entries in a replica's table; 0: enough */
    uint64_t limit;      /* permits */
    uint64_t window_ms;  /* 0: rate */
    uint64_t ttl_log_ms; /* 0: the least allowed */
    unsigned rounds;     /* per cent of calm rounds, in which everybody speaks and hears */
    bool stalls, gaps, leaves, duplicates;
    unsigned leaps; /* of the broker's clock, per run at most */
    bool realistic; /* heartbeats and fair targets, few faults: to measure use */
    enum claim_defect defect;
    enum planted_fold fold;
};

enum claim_measure { CLAIM_USABLE, CLAIM_SERVED, CLAIM_CALM, CLAIM_LEARNED, CLAIM_RAISES, CLAIM_CLOSED, CLAIM_RELEARNED };

void claim_generate(const void *config, uint64_t seed, struct sim_list *list);
void claim_run(const void *config, const struct sim_event *events, const size_t *kept, size_t count, bool told,
               struct sim_result *result);

#endif

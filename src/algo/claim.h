/*
 * One limit shared over an ordered log: every member claims a share of it, and everybody folds the same claims in the same order. Pure:
 * records, offsets and times come in as arguments; no clock, no lock, no memory, no I/O.
 *
 * A share is a fraction of the limit, a whole number of 1/FC_CLAIM_WHOLE. Rate, burst or window never enter the fold: who has the share s has
 * the rate R * s and the burst B * s, or a window of its own of fc_claim_permits(s, N).
 *
 * THE REPLICA (struct fc_claim_log). A member j is entitled to E_j, which is what a fold over the whole log would say. A replica that starts
 * in the middle cannot know E_j, but always knows an interval lo_j <= E_j <= hi_j. A record says
 *
 *     base    what its sender uses at most from now on, until it applies a later record of its own; never above its E
 *     claim   what it asks for
 *     applied the last offset that its sender had applied when it wrote the record
 *
 * and moves the interval: down to base, and then up as far as the others leave room: lo by what is above the others' hi, hi by what is above
 * the others' lo. E moves by the same rule with the others' E, and the rule rises with E_j and falls with the others': so it stays between
 * the ends. Sums of E never pass the whole; a member uses its own lo only, so sums of what is used don't either, whatever each of them knows.
 *
 * "base is never above E" does not hold for what was on its way while its sender was dropped. So base pulls lo up to it (E is base then) only
 * if the sender had applied a record at or behind the one at which this replica first saw it: it knew of its own return, then. A replica that
 * has learned and yet sees such a base above its hi is wrong, and learns again.
 *
 * Learning takes until the log's clock has run ttl_log from the first record seen: everybody not heard of by then has been dropped. The log's
 * clock sums up the steps of the append times, none of them taken as negative or as more than step_max: it may run slow, and fast by one step
 * per leap of the broker's clock. Never the append time itself: a leap of an hour would drop everybody at once, with their shares still in
 * use.
 *
 * Tombstones are ticks: the compaction of the log may need them, the fold does not; they would free what their sender still counts.
 *
 * THE MEMBER (struct fc_claim_self) keeps what E promises:
 *     (a) it lowers its own limit first, and publishes the smaller base then,
 *     (b) it raises its limit only when it applies its own record that it sent last: everybody else folds that record at the same place,
 *     (c) a share is usable until ttl after that record was *sent*, and ttl_log is longer by what the log's clock may be fast: it is over here before
 *         anybody drops the member,
 *     (d) base covers what it still counts, which for a bucket is nothing and for a sliding window its uses of the last W: they weigh on the limit
 *         for as long, so ttl_log is longer by W too.
 * A new incarnation starts with nothing, and its local bucket starts empty. A fork, or a process that lost its memory, is a new incarnation.
 * Records of one incarnation must be in the log at most once and in order (with Kafka: an idempotent producer).
 */
#ifndef FC_ALGO_CLAIM_H
#define FC_ALGO_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FC_CLAIM_WHOLE (UINT64_C(1) << 40)

/* A share as permits of a limit, rounded down, and permits as a share, rounded up (at most the whole); limit > 0. */
uint64_t fc_claim_permits(uint64_t share, uint64_t limit);
uint64_t fc_claim_share(uint64_t permits, uint64_t limit);

struct fc_claim_id {
    uint64_t member;      /* the same after a restart */
    uint64_t incarnation; /* never the same again */
};

/* What one record says; base, claim, demand and need are shares. */
struct fc_claim_record {
    struct fc_claim_id id;
    uint64_t seq; /* from 1, by one incarnation */
    uint64_t base, claim;
    uint64_t demand; /* what it could use; 0: it leaves */
    uint64_t need;   /* what it takes to admit the cost that waits; 0: nothing waits */
    int64_t applied; /* -1: nothing */
};

/* ---- the replica ---- */

struct fc_claim_settings {
    uint64_t ttl_log_ms;  /* fc_claim_ttl_log_ms(), the same for all members */
    uint64_t step_max_ms; /* two heartbeats, the same for all members */
};

struct fc_claim_member {
    struct fc_claim_id id;
    uint64_t seq;
    uint64_t lo, hi;
    uint64_t demand, need;
    uint64_t heard_ms;    /* by the log's clock */
    int64_t first;        /* the offset at which it (re)appeared here */
    int64_t needed_since; /* the offset at which its need arose */
};

/* Why a replica has forgotten everything and learns again. */
enum fc_claim_reason { FC_CLAIM_GAP, FC_CLAIM_CONTRADICTION, FC_CLAIM_TABLE_FULL, FC_CLAIM_REASONS };

struct fc_claim_log {
    struct fc_claim_settings settings;
    struct fc_claim_member *members;
    size_t count, capacity;
    uint64_t clock_ms; /* since learning began */
    int64_t stamp_ms;  /* append time of the last record */
    int64_t next;      /* the offset that comes next; -1: any */
    uint64_t forgot[FC_CLAIM_REASONS];
};

enum fc_claim_outcome {
    FC_CLAIM_IGNORED, /* a tick, or a record older than one seen */
    FC_CLAIM_APPLIED,
    FC_CLAIM_FORGOT /* everything; then applied as the first record of a new beginning */
};

/* The least ttl_log for shares usable for ttl; window_ms is 0 for a bucket. guard_ms is at least drift and the grain of append times. */
uint64_t fc_claim_ttl_log_ms(uint64_t ttl_ms, uint64_t step_max_ms, uint64_t guard_ms, uint64_t window_ms);

/*
 * A replica that has seen nothing. `members` stays the caller's: one entry for each incarnation heard of within ttl_log. If there are more
 * than capacity (> 0), the replica forgets and learns again: while there are too many it never learns, and its member's share ends. Never
 * over.
 */
void fc_claim_log_init(struct fc_claim_log *log, const struct fc_claim_settings *settings, struct fc_claim_member *members,
                       size_t capacity);

/*
 * The next record of the log, in the order of offsets. NULL: one that makes no claim on this limit (of another limit, a tombstone, not
 * readable); it ticks and counts for gaps all the same. An offset that is not the next one, above or below, is a gap.
 */
enum fc_claim_outcome fc_claim_apply(struct fc_claim_log *log, int64_t offset, int64_t stamp_ms,
                                     const struct fc_claim_record *record);

/* Whether shares may be used and claimed. */
static inline bool fc_claim_learned(const struct fc_claim_log *log) { return log->clock_ms > log->settings.ttl_log_ms; }

/* NULL if it is not known (any more). */
const struct fc_claim_member *fc_claim_find(const struct fc_claim_log *log, struct fc_claim_id id);

/* Whether every interval is a point. Replicas that are closed at the same offset have the same hash; if not, one of them is wrong. */
bool fc_claim_closed(const struct fc_claim_log *log);
uint64_t fc_claim_hash(const struct fc_claim_log *log);

/* ---- the member ---- */

/* More records than these on their way, and a share is not prolonged by the oldest. */
#define FC_CLAIM_IN_FLIGHT 64

struct fc_claim_sent {
    uint64_t seq, ns;
};

struct fc_claim_self {
    struct fc_claim_id id;
    uint64_t ttl_ns; /* shortened by the drift of this machine's clock */
    uint64_t seq;    /* of the record sent last */
    uint64_t share, until_ns;
    uint64_t claim; /* last published: lo may be above it, at a base that covers uses of before */
    uint64_t base;  /* last published */
    bool leaving;
    struct fc_claim_sent sent[FC_CLAIM_IN_FLIGHT];
};

/* What a record is to ask for. */
struct fc_claim_wish {
    uint64_t claim, demand, need;
    uint64_t counted; /* (d): fc_claim_share() of the uses in the last W, W stretched by the drift; 0 for a bucket */
};

void fc_claim_self_init(struct fc_claim_self *self, struct fc_claim_id id, uint64_t ttl_ns);

/* The share that is usable at a local monotonic time. At its end tokens end too. */
static inline uint64_t fc_claim_usable(const struct fc_claim_self *self, uint64_t now_ns) {
    return now_ns < self->until_ns ? self->share : 0;
}

/*
 * The next record to send, and the moment it counts as sent. It may lower the usable share: the caller puts that into force before it hands
 * the record to anybody, and reads `counted` after that. A replica that has not learned claims nothing.
 */
struct fc_claim_record fc_claim_publish(struct fc_claim_self *self, const struct fc_claim_log *log,
                                        const struct fc_claim_wish *wish, uint64_t now_ns);

/* After fc_claim_apply() of a record: if it is one's own it sets and prolongs the usable share. */
void fc_claim_own(struct fc_claim_self *self, const struct fc_claim_log *log, const struct fc_claim_record *record,
                  uint64_t now_ns);

/*
 * From now on nothing is usable and records claim nothing; the next one should be published at once. A tombstone may follow when
 * fc_claim_gone(): the last record had nothing left to count. Leaving without one is safe too.
 */
void fc_claim_leave(struct fc_claim_self *self);
static inline bool fc_claim_gone(const struct fc_claim_self *self) { return self->leaving && self->base == 0; }

/*
 * What to claim: the demands last heard of are served by max-min (everybody gets its demand or an equal part of what is left), and slack is
 * divided evenly. `least` is the share below which nothing would ever be admitted (largest cost / burst), 0 if there is none: if it can't be
 * had by everybody it goes to as many as fit and the others get 0, first those who need it (by the offset at which the need arose), then by a
 * rank that changes from turn to turn (turn_ms, in append time). Targets of different members need not agree; the fold sees to the limit.
 */
uint64_t fc_claim_target(const struct fc_claim_log *log, struct fc_claim_id id, const struct fc_claim_wish *wish,
                         uint64_t least, uint64_t turn_ms);

#endif

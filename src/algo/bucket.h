/*
 * The token bucket as pure arithmetic: (profile, word, now, cost) -> (verdict, word'). No clock, no lock, no memory, no I/O.
 * Why it is correct: docs/algorithms.md. Names there and here: V is what the rate has produced, C what was consumed or overflowed.
 *
 * Amounts are counted in units, `unit` to a permit, so chosen that refill is a whole number of units at the times that matter
 * (fc_bucket_profile_make). x(t) = x1 + (t - t0) * P / Q units; V = floor(x). The word C and V live modulo 2^64 and are compared by their
 * signed difference. Both are kept doubled, so that they are even and the lowest bit of the word is free for a tag (core/cell.h): wherever a
 * 64-bit amount of units stands below, it is twice the number. A decision at t sees
 *
 *     V - C >= burst   full: what overflowed is gone, available = burst, and C moves from ceil(x) - burst
 *     V - C <  burst   available = V - C (negative: booked ahead), and C moves from C
 *
 * so that the base that C moves from is never below x - burst, and C never passes x unless the bucket was full: that is all the proof needs.
 */
#ifndef FC_ALGO_BUCKET_H
#define FC_ALGO_BUCKET_H

#include "base/wide.h"

#include <flowctl/rate.h>
#include <stdbool.h>
#include <stdint.h>

/* How far from its anchor t0 a profile may be evaluated. */
#define FC_HORIZON_NS FLOWCTL_PERIOD_MAX_NS

/* Bounds in units (not doubled): burst + refill over the horizon + booked ahead stay below 2^62, so that doubled differences have a sign. */
#define FC_BURST_UNITS_MAX (UINT64_C(1) << 59)
#define FC_REFILL_UNITS_PER_NS_MAX 10 /* x 10 years < 3.2 x 10^18 */
#define FC_DEBT_UNITS_MAX FC_BURST_UNITS_MAX

/* P / Q scaled by 2^FC_SCALE_BITS, rounded up: dt * mult >> FC_SCALE_BITS is floor(dt * P / Q) exactly, for dt < 2^64 and Q < 2^59. */
#define FC_SCALE_BITS 124

/* What a decision needs, and no more: 48 bytes, so that it shares a cache line with the word. */
struct fc_bucket_profile {
    uint64_t t0_ns;            /* the anchor */
    uint64_t x1;               /* x at the anchor, a whole number of units */
    uint64_t mult_hi, mult_lo; /* see FC_SCALE_BITS */
    uint64_t burst;            /* in units */
    uint64_t unit;             /* units to a permit */
};

/* The same refill as a fraction, units (not doubled) per ns in lowest terms, for the way back from units to time. */
struct fc_bucket_slope {
    uint64_t p, q;           /* p is 0 while nothing is refilled */
    uint64_t exact_every_ns; /* the grid on which x is whole: 1, 10^3, 10^6, 10^9, or 0 for none of these */
};

/* floor(x) and ceil(x) at a time, modulo 2^64. */
struct fc_bucket_level {
    uint64_t floor, ceil;
};

enum fc_bucket_fault {
    FC_BUCKET_FINE,
    FC_BUCKET_RATE_ZERO,
    FC_BUCKET_RATE_HIGH,
    FC_BUCKET_RATE_LOW,
    FC_BUCKET_PERIOD_LONG,
    FC_BUCKET_BURST_ZERO,
    FC_BUCKET_BURST_HIGH
};

/*
 * Chooses the grid and fills in profile (anchored at 0, x1 = 0) and slope. `rate` is reduced in place; with a fault it becomes the
 * nearest rate that can be represented, and so does `burst`. `booked` permits must be countable too.
 */
enum fc_bucket_fault fc_bucket_profile_make(flowctl_rate *rate, uint64_t *burst, uint64_t booked,
                                            struct fc_bucket_profile *profile, struct fc_bucket_slope *slope);

/* The same grid and burst without any refill. */
void fc_bucket_profile_halt(struct fc_bucket_profile *profile, struct fc_bucket_slope *slope);

/* An amount, negative or not, in another grid's units, rounded down. */
int64_t fc_bucket_carry(int64_t amount, uint64_t unit, uint64_t other_unit);

/*
 * Moves the anchor of a profile to the last whole unit boundary at or before now, which lies at or behind the anchor, and clips the word as
 * a full bucket is clipped. Exact for any distance; afterwards all is within the horizon again. Returns the new word.
 */
uint64_t fc_bucket_reanchor(struct fc_bucket_profile *profile, const struct fc_bucket_slope *slope, uint64_t word,
                            uint64_t now_ns);

/* The first time at which V reaches `level` (modulo 2^64); FLOWCTL_FOREVER if that is beyond 64 bits. */
uint64_t fc_bucket_time_of(const struct fc_bucket_profile *profile, const struct fc_bucket_slope *slope, uint64_t level);

/* Whether `now` can be evaluated: at or behind the anchor, and not beyond the horizon. */
static inline bool fc_bucket_in_reach(const struct fc_bucket_profile *p, uint64_t now_ns) {
    return now_ns >= p->t0_ns && now_ns - p->t0_ns < FC_HORIZON_NS;
}

/* x at a time in reach. */
static inline struct fc_bucket_level fc_bucket_level_at(const struct fc_bucket_profile *p, uint64_t now_ns) {
    uint64_t dt = now_ns - p->t0_ns;
    /* dt * mult >> 64; the fraction of x is its low 60 bits, and they are zero exactly if x is whole (docs/algorithms.md). */
    fc_u128 sum = (fc_u128)dt * p->mult_hi + (uint64_t)(((fc_u128)dt * p->mult_lo) >> 64);
    const int shift = FC_SCALE_BITS - 64;
    return (struct fc_bucket_level){p->x1 + 2 * (uint64_t)(sum >> shift),
                                    p->x1 + 2 * (uint64_t)((sum + ((UINT64_C(1) << shift) - 1)) >> shift)};
}

/* Units there are; negative: booked ahead. */
static inline int64_t fc_bucket_available(const struct fc_bucket_profile *p, struct fc_bucket_level x, uint64_t word) {
    int64_t there = (int64_t)(x.floor - word);
    return there < (int64_t)p->burst ? there : (int64_t)p->burst;
}

/* The word that consumption starts from. */
static inline uint64_t fc_bucket_base(const struct fc_bucket_profile *p, struct fc_bucket_level x, uint64_t word) {
    return (int64_t)(x.floor - word) < (int64_t)p->burst ? word : x.ceil - p->burst;
}

/* Takes `units` (at most burst) at level x: all or none. */
static inline bool fc_bucket_take(const struct fc_bucket_profile *p, struct fc_bucket_level x, uint64_t word, uint64_t units,
                                  uint64_t *after) {
    if (fc_bucket_available(p, x, word) < (int64_t)units) return false;
    *after = fc_bucket_base(p, x, word) + units;
    return true;
}

/* `permits` in units; false if that is more than the burst, however large it is. */
static inline bool fc_bucket_units(const struct fc_bucket_profile *p, uint64_t permits, uint64_t *units) {
    return !__builtin_mul_overflow(permits, p->unit, units) && *units <= p->burst;
}

/* Whole permits that are there, at most the burst. */
static inline uint64_t fc_bucket_permits(const struct fc_bucket_profile *p, struct fc_bucket_level x, uint64_t word) {
    int64_t there = fc_bucket_available(p, x, word);
    return there <= 0 ? 0 : (uint64_t)there / p->unit;
}

#endif

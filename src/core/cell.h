/*
 * The cell: one word that all threads compare-and-swap, and the profile it is judged by, in one cache line.
 *
 * The word's lowest bit is a tag: it says which of the limiter's two sets of terms is in force (core/terms.h). Whoever changes the terms writes the
 * other set and then moves word and tag in one swap; so a decision made by the old terms fails to swap afterwards, and a writer that is
 * stopped anywhere holds up nobody.
 *
 * The profile here is a copy of the one in force, for the hot path. It is guarded by `gate`, in the same line: a count, the tag that the copy
 * belongs to, and a bit that is set while the copy is being written and while the limiter is paused or closed. A reader takes the gate, the
 * profile, the word, and the gate again; whatever it can't judge by itself (gate shut or moved, tags that differ, a time out of the profile's
 * reach) it leaves to the slow path, which reads the terms.
 */
#ifndef FC_CORE_CELL_H
#define FC_CORE_CELL_H

#include "algo/bucket.h"

#include <stdatomic.h>

struct fc_cell {
    _Alignas(64) _Atomic uint64_t word;
    /* struct fc_bucket_profile, field by field */
    _Atomic uint64_t t0_ns, x1, mult_hi, mult_lo, burst, unit;
    _Atomic uint32_t gate;
    _Atomic bool plain;     /* nothing but this cell decides, and nobody listens */
    uint8_t system_clock;   /* of which clock_gettime tells the time, without a call through a pointer; 0: none */
    _Atomic uint16_t reach; /* how far from t0 the profile may be used: FC_REACH_… */
};
_Static_assert(sizeof(struct fc_cell) == 64, "the hot data is one cache line");

#define FC_GATE_SHUT UINT32_C(1)
#define FC_GATE_TAG_SHIFT 1
#define FC_GATE_STEP UINT32_C(4)

/*
 * Reach: ten bits, shifted to the left by the lowest six; rounded down. A lease that is over is found by every decision itself, as what lies too far
 * from an anchor always was.
 */
#define FC_REACH_BITS 10
#define FC_REACH_SHIFT 6
#define FC_REACH_MASK ((1U << FC_REACH_SHIFT) - 1)

static inline uint16_t fc_reach_pack(uint64_t ns) {
    unsigned shift = 0;
    if (ns > FC_HORIZON_NS) ns = FC_HORIZON_NS;
    for (; ns >> FC_REACH_BITS != 0; ns >>= 1) shift++;
    return (uint16_t)(ns << FC_REACH_SHIFT | shift);
}

static inline uint64_t fc_reach_ns(const struct fc_cell *cell) {
    unsigned packed = atomic_load_explicit(&cell->reach, memory_order_acquire);
    return (uint64_t)(packed >> FC_REACH_SHIFT) << (packed & FC_REACH_MASK);
}

/* The tag in the word. */
#define FC_TAG UINT64_C(1)

/* What one look at the cell saw: profile and word belong together. */
struct fc_view {
    struct fc_bucket_profile profile;
    uint64_t word; /* without its tag */
    uint64_t tag;
    uint64_t reach_ns; /* only filled in by looking at the cell */
};

/* Whether the cell may judge that time by itself. */
static inline bool fc_view_covers(const struct fc_view *v, uint64_t now_ns) {
    return now_ns >= v->profile.t0_ns && now_ns - v->profile.t0_ns < v->reach_ns;
}

enum fc_outcome {
    FC_TAKEN,
    FC_SHORT, /* not enough there */
    FC_NEVER_FITS,
    FC_SLOW /* the slow path must look */
};

static inline void fc_cell_load_profile(const struct fc_cell *cell, struct fc_bucket_profile *p) {
    /* Acquire, so that the second look at the gate comes after them. */
    p->t0_ns = atomic_load_explicit(&cell->t0_ns, memory_order_acquire);
    p->x1 = atomic_load_explicit(&cell->x1, memory_order_acquire);
    p->mult_hi = atomic_load_explicit(&cell->mult_hi, memory_order_acquire);
    p->mult_lo = atomic_load_explicit(&cell->mult_lo, memory_order_acquire);
    p->burst = atomic_load_explicit(&cell->burst, memory_order_acquire);
    p->unit = atomic_load_explicit(&cell->unit, memory_order_acquire);
}

static inline void fc_cell_shut(struct fc_cell *cell) {
    atomic_fetch_or_explicit(&cell->gate, FC_GATE_SHUT, memory_order_acq_rel);
}

/* Shows a profile whose tag the word carries, usable before `until_ns`, under the lock. `shut`: the gate stays shut. */
static inline void fc_cell_show_until(struct fc_cell *cell, const struct fc_bucket_profile *p, uint64_t tag, bool shut,
                                      uint64_t until_ns) {
    fc_cell_shut(cell);
    /* Release, so that they come after the gate was shut. */
    atomic_store_explicit(&cell->t0_ns, p->t0_ns, memory_order_release);
    atomic_store_explicit(&cell->x1, p->x1, memory_order_release);
    atomic_store_explicit(&cell->mult_hi, p->mult_hi, memory_order_release);
    atomic_store_explicit(&cell->mult_lo, p->mult_lo, memory_order_release);
    atomic_store_explicit(&cell->burst, p->burst, memory_order_release);
    atomic_store_explicit(&cell->unit, p->unit, memory_order_release);
    atomic_store_explicit(&cell->reach, fc_reach_pack(until_ns > p->t0_ns ? until_ns - p->t0_ns : 0), memory_order_release);
    uint32_t count = (atomic_load_explicit(&cell->gate, memory_order_relaxed) & ~(FC_GATE_STEP - 1)) + FC_GATE_STEP;
    atomic_store_explicit(&cell->gate, count | (uint32_t)(tag << FC_GATE_TAG_SHIFT) | (shut ? FC_GATE_SHUT : 0),
                          memory_order_release);
}

static inline void fc_cell_show(struct fc_cell *cell, const struct fc_bucket_profile *p, uint64_t tag, bool shut) {
    fc_cell_show_until(cell, p, tag, shut, UINT64_MAX);
}

/* False if the copy can't be used now. */
static inline bool fc_cell_look(const struct fc_cell *cell, struct fc_view *view) {
    uint32_t gate = atomic_load_explicit(&cell->gate, memory_order_acquire);
    fc_cell_load_profile(cell, &view->profile);
    view->reach_ns = fc_reach_ns(cell);
    uint64_t word = atomic_load_explicit(&cell->word, memory_order_acquire);
    view->word = word & ~FC_TAG;
    view->tag = word & FC_TAG;
    return (gate & (FC_GATE_STEP - 1)) == view->tag << FC_GATE_TAG_SHIFT &&
           atomic_load_explicit(&cell->gate, memory_order_relaxed) == gate;
}

static inline bool fc_cell_swap(struct fc_cell *cell, const struct fc_view *seen, uint64_t after) {
    uint64_t expected = seen->word | seen->tag;
    return atomic_compare_exchange_strong_explicit(&cell->word, &expected, after | seen->tag, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

/* After a lost swap: lets the winner keep the line for a moment. */
static inline void fc_cell_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Takes `permits`, all or none, at now: the hot path. A lost swap looks again; `now` stays, it is the decision's date. */
static inline enum fc_outcome fc_cell_take(struct fc_cell *cell, uint64_t permits, uint64_t now_ns) {
    for (;; fc_cell_pause()) {
        struct fc_view v;
        uint64_t units, after;
        if (!fc_cell_look(cell, &v) || !fc_view_covers(&v, now_ns)) return FC_SLOW;
        if (!fc_bucket_units(&v.profile, permits, &units)) return FC_NEVER_FITS;
        if (!fc_bucket_take(&v.profile, fc_bucket_level_at(&v.profile, now_ns), v.word, units, &after)) return FC_SHORT;
        if (fc_cell_swap(cell, &v, after)) return FC_TAKEN;
    }
}

#endif

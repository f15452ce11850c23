/*
 * The terms a limiter decides by, two sets of them: the word's tag says which one is in force. They are written by one thread at a time, under the
 * limiter's lock, and always the set that is not in force; readers take neither lock nor turn, and are never held up by a writer.
 */
#ifndef FC_CORE_TERMS_H
#define FC_CORE_TERMS_H

#include "core/cell.h"

/*
 * Age counts what a bucket would have refilled in any case, in permits, and what a smaller burst took away: a receipt for n permits can give back n less
 * what the age grew by (core/settle.c). It never goes back. In 2^-32 permits, 128 bits wide.
 */
#define FC_AGE_BITS 32

/* An age that leaves nothing of any receipt. */
#define FC_AGE_OVER ((fc_u128)1 << (63 + FC_AGE_BITS))

struct fc_terms {
    fc_u128 age; /* when these terms began */
    struct fc_bucket_profile profile;
    struct fc_bucket_slope slope;
    uint64_t began;         /* V when they began: profile.x1, until the anchor moves */
    uint64_t paused;        /* nothing is refilled and nothing granted */
    uint64_t lent;          /* permits come from a store, not from time */
    uint64_t largest;       /* permits: a cost above the burst, up to so many, may fit again; 0: none */
    uint64_t until_ns;      /* the lease: nothing is granted from then on; 0: there is no end */
    uint64_t older_unknown; /* the anchor was moved because of its distance: what was there before is not known */
};

#define FC_TERMS_WORDS (sizeof(struct fc_terms) / sizeof(uint64_t))

struct fc_terms_slot {
    _Alignas(64) _Atomic uint64_t stamp; /* odd while it is written */
    _Atomic uint64_t words[FC_TERMS_WORDS];
};

/* Writes the set that is not in force while the word carries `tag`. Under the lock. */
void fc_terms_write(struct fc_terms_slot slots[2], uint64_t tag, const struct fc_terms *terms);

/* The terms in force and the word that belongs to them. Lock-free. */
void fc_terms_read(const struct fc_cell *cell, const struct fc_terms_slot slots[2], struct fc_terms *terms,
                   struct fc_view *view);

/* The age at a time in reach, rounded down, or up. */
fc_u128 fc_terms_age(const struct fc_terms *terms, uint64_t now_ns, bool up);

#endif

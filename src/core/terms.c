#include "core/terms.h"

#include <string.h>

_Static_assert(sizeof(struct fc_terms) % sizeof(uint64_t) == 0, "terms are copied as words");

void fc_terms_write(struct fc_terms_slot slots[2], uint64_t tag, const struct fc_terms *terms) {
    struct fc_terms_slot *slot = &slots[1 - tag];
    uint64_t words[FC_TERMS_WORDS], stamp = atomic_load_explicit(&slot->stamp, memory_order_relaxed) | 1;
    memcpy(words, terms, sizeof words);
    /* Read-modify-write, so that no store below is seen before it. */
    atomic_exchange_explicit(&slot->stamp, stamp, memory_order_acq_rel);
    for (unsigned i = 0; i < FC_TERMS_WORDS; i++) atomic_store_explicit(&slot->words[i], words[i], memory_order_release);
    atomic_store_explicit(&slot->stamp, stamp + 1, memory_order_release);
}

/*
 * A look at a slot, with the word read while the slot stood still: if the word's tag then names this slot, the two belong together, since a slot is
 * only written while the word names the other. False: look again.
 */
static bool look_at(const struct fc_cell *cell, const struct fc_terms_slot *slot, uint64_t tag, struct fc_terms *terms,
                    uint64_t *word) {
    uint64_t words[FC_TERMS_WORDS], stamp = atomic_load_explicit(&slot->stamp, memory_order_acquire);
    for (unsigned i = 0; i < FC_TERMS_WORDS; i++) words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
    *word = atomic_load_explicit(&cell->word, memory_order_acquire);
    memcpy(terms, words, sizeof words);
    return stamp % 2 == 0 && (*word & FC_TAG) == tag && atomic_load_explicit(&slot->stamp, memory_order_relaxed) == stamp;
}

void fc_terms_read(const struct fc_cell *cell, const struct fc_terms_slot slots[2], struct fc_terms *terms,
                   struct fc_view *view) {
    uint64_t word = atomic_load_explicit(&cell->word, memory_order_acquire), tag;
    do tag = word & FC_TAG;
    while (!look_at(cell, &slots[tag], tag, terms, &word));
    view->profile = terms->profile;
    view->word = word & ~FC_TAG;
    view->tag = tag;
}

fc_u128 fc_terms_age(const struct fc_terms *terms, uint64_t now_ns, bool up) {
    struct fc_bucket_level x = fc_bucket_level_at(&terms->profile, now_ns);
    fc_u128 since = (fc_u128)((up ? x.ceil : x.floor) - terms->began) << FC_AGE_BITS;
    return terms->age + (since + (up ? terms->profile.unit - 1 : 0)) / terms->profile.unit;
}

#include "unit/fixture.h"

#include "core/terms.h"
#include "support/bucket_setup.h"
#include "support/seed.h"
#include "unit/reference.h"

#define SEC FLOWCTL_NS_PER_SEC

struct pair {
    struct fc_cell cell;
    struct fc_terms_slot slots[2];
};

/* Terms all of whose fields hold the same number, so that a mixture shows. */
static struct fc_terms terms_of(uint64_t n) {
    return (struct fc_terms){.age = (fc_u128)n << 64 | n,
                             .profile = {n, n, n, n, n, n},
                             .slope = {n, n, n},
                             .began = n,
                             .paused = n,
                             .older_unknown = n};
}

static bool is_of(const struct fc_terms *t, uint64_t n) {
    const struct fc_bucket_profile *p = &t->profile;
    return t->age == ((fc_u128)n << 64 | n) && p->t0_ns == n && p->x1 == n && p->mult_hi == n && p->mult_lo == n &&
           p->burst == n && p->unit == n && t->slope.p == n && t->slope.q == n && t->slope.exact_every_ns == n &&
           t->began == n && t->paused == n && t->older_unknown == n;
}

static void assert_read(const struct pair *p, uint64_t n, uint64_t word, uint64_t tag) {
    struct fc_terms terms;
    struct fc_view view;
    fc_terms_read(&p->cell, p->slots, &terms, &view);
    assert_true(is_of(&terms, n));
    assert_true(view.word == word && view.tag == tag);
    assert_memory_equal(&view.profile, &terms.profile, sizeof view.profile);
}

/* Each step of a change, and what somebody who looks in between sees. */
static void what_is_written_is_read_only_once_the_word_names_it(void **state) {
    (void)state;
    static struct pair p;
    struct fc_terms terms = terms_of(7);
    fc_terms_write(p.slots, 1, &terms);
    atomic_store(&p.cell.word, 100 | 0);
    assert_read(&p, 7, 100, 0);
    for (uint64_t n = 8, tag = 0; n < 20; n++, tag = 1 - tag) {
        uint64_t word = 100 * n;
        terms = terms_of(n);
        fc_terms_write(p.slots, tag, &terms);
        assert_read(&p, n - 1, n == 8 ? 100 : word - 100, tag); /* written, not in force */
        atomic_store(&p.cell.word, word | (1 - tag));
        assert_read(&p, n, word, 1 - tag);
    }
}

static void a_set_that_is_half_written_is_nobodys_business(void **state) {
    (void)state;
    static struct pair p;
    struct fc_terms terms = terms_of(7);
    memset(&p, 0, sizeof p);
    fc_terms_write(p.slots, 1, &terms);
    /* a writer that was stopped: the stamp of the other set is odd, and some of its words are new */
    atomic_store(&p.slots[1].stamp, 1);
    for (size_t i = 0; i < FC_TERMS_WORDS / 2; i++) atomic_store(&p.slots[1].words[i], 9);
    assert_read(&p, 7, 0, 0);
    /* and one that began again leaves an even stamp, ahead of both */
    terms = terms_of(8);
    fc_terms_write(p.slots, 0, &terms);
    assert_int_equal(atomic_load(&p.slots[1].stamp) % 2, 0);
    assert_true(atomic_load(&p.slots[1].stamp) > 1);
    atomic_store(&p.cell.word, 2 | 1);
    assert_read(&p, 8, 2, 1);
}

/* ---- threads ---- */

static struct pair shared;
static atomic_bool writer_done;

static void *write_terms(void *argument) {
    (void)argument;
    for (uint64_t n = 2; n <= 200000; n += 2) {
        uint64_t tag = atomic_load(&shared.cell.word) & FC_TAG;
        struct fc_terms terms = terms_of(n);
        fc_terms_write(shared.slots, tag, &terms);
        atomic_store(&shared.cell.word, n | (1 - tag));
    }
    atomic_store(&writer_done, true);
    return NULL;
}

/* Counts readings in which terms and word don't belong together. */
static void *read_terms(void *argument) {
    (void)argument;
    uintptr_t mixed = 0;
    while (!atomic_load(&writer_done)) {
        struct fc_terms terms;
        struct fc_view view;
        fc_terms_read(&shared.cell, shared.slots, &terms, &view);
        mixed += !is_of(&terms, view.word);
    }
    return (void *)mixed;
}

static void terms_and_word_always_belong_together(void **state) {
    (void)state;
    pthread_t writer, readers[2];
    memset(&shared, 0, sizeof shared);
    atomic_store(&writer_done, false);
    for (size_t i = 0; i < COUNT(readers); i++) assert_int_equal(pthread_create(&readers[i], NULL, read_terms, NULL), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_terms, NULL), 0);
    pthread_join(writer, NULL);
    for (size_t i = 0; i < COUNT(readers); i++) {
        void *mixed;
        pthread_join(readers[i], &mixed);
        assert_null(mixed);
    }
}

/* ---- age ---- */

/* What was refilled since the terms began, in 2^-32 permits, from the rate as it was asked for. */
static fc_u128 aged(const flowctl_rate *rate, uint64_t ns, uint64_t *rest) {
    struct big age = big_div(big_shift(big_mul(big_of(ns), rate->permits), FC_AGE_BITS), rate->period_ns, rest);
    assert_true(age.limb[3] == 0 && age.limb[2] == 0);
    return (fc_u128)age.limb[1] << 64 | age.limb[0];
}

/* Down is at most the truth, up at least; both within a unit, and what 2^-32 permits can tell. */
static void age_is_what_would_have_been_refilled(void **state) {
    (void)state;
    uint64_t random = test_seed("terms_age");
    for (int i = 0; i < 20000; i++) {
        struct bucket_setup s;
        struct fc_terms t = {.age = test_random(&random)};
        bucket_setup_random(&s, &random);
        flowctl_rate rate = s.rate;
        assert_int_equal(fc_bucket_profile_make(&rate, &s.burst, 0, &t.profile, &t.slope), FC_BUCKET_FINE);
        t.profile.t0_ns = test_below(&random, UINT64_C(1) << 62);
        t.profile.x1 = t.began = 2 * test_random(&random);
        uint64_t ns = test_magnitude(&random, FC_HORIZON_NS) - 1, rest;
        fc_u128 truth = t.age + aged(&s.rate, ns, &rest), down = fc_terms_age(&t, t.profile.t0_ns + ns, false),
                up = fc_terms_age(&t, t.profile.t0_ns + ns, true), unit = ((fc_u128)2 << FC_AGE_BITS) / t.profile.unit + 1;
        assert_true(down <= truth && truth - down <= unit);
        assert_true(up >= truth + (rest != 0) && up - truth <= unit + 1);
    }
}

static void a_moved_anchor_does_not_rejuvenate(void **state) {
    (void)state;
    flowctl_rate rate = flowctl_per_second(10);
    uint64_t burst = 10;
    struct fc_terms t = {.age = 5};
    assert_int_equal(fc_bucket_profile_make(&rate, &burst, 0, &t.profile, &t.slope), FC_BUCKET_FINE);
    uint64_t before = t.profile.x1;
    fc_bucket_reanchor(&t.profile, &t.slope, before, 100 * SEC); /* began stays where it was */
    assert_true(fc_terms_age(&t, 100 * SEC, false) == 5 + ((fc_u128)1000 << FC_AGE_BITS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_only_once_the_word_names_it),
        cmocka_unit_test(a_set_that_is_half_written_is_nobodys_business),
        cmocka_unit_test(terms_and_word_always_belong_together),
        cmocka_unit_test(age_is_what_would_have_been_refilled),
        cmocka_unit_test(a_moved_anchor_does_not_rejuvenate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

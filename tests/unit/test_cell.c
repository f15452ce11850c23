#include "unit/fixture.h"

#include "core/cell.h"

#define START UINT64_C(1000)
#define BURST 100

static struct fc_bucket_slope slope;

/* One permit per second, full, with this tag. */
static struct fc_bucket_profile cell_init_tagged(struct fc_cell *cell, uint64_t burst, uint64_t tag) {
    flowctl_rate rate = flowctl_per_second(1);
    struct fc_bucket_profile profile;
    memset(cell, 0, sizeof *cell);
    assert_int_equal(fc_bucket_profile_make(&rate, &burst, 0, &profile, &slope), FC_BUCKET_FINE);
    profile.t0_ns = START;
    atomic_store(&cell->word, (0 - profile.burst) | tag);
    fc_cell_show(cell, &profile, tag, false);
    return profile;
}

static void cell_init(struct fc_cell *cell, uint64_t burst) { cell_init_tagged(cell, burst, 0); }

static uint64_t word_of(const struct fc_cell *cell) { return atomic_load(&cell->word); }

static void takes_until_there_is_nothing_left(void **state) {
    (void)state;
    struct fc_cell cell;
    cell_init(&cell, BURST);
    assert_int_equal(fc_cell_take(&cell, 60, START), FC_TAKEN);
    assert_int_equal(fc_cell_take(&cell, 41, START), FC_SHORT);
    assert_int_equal(fc_cell_take(&cell, 40, START), FC_TAKEN);
    assert_int_equal(fc_cell_take(&cell, 1, START), FC_SHORT);
    assert_int_equal(fc_cell_take(&cell, 1, START + FLOWCTL_NS_PER_SEC - 1), FC_SHORT);
    assert_int_equal(fc_cell_take(&cell, 1, START + FLOWCTL_NS_PER_SEC), FC_TAKEN);
}

static void what_is_not_taken_leaves_the_word_alone(void **state) {
    (void)state;
    struct fc_cell cell;
    cell_init(&cell, BURST);
    fc_cell_take(&cell, 60, START);
    uint64_t word = word_of(&cell);
    static const struct {
        uint64_t permits, now_ns;
        enum fc_outcome outcome;
    } rows[] = {
        {41, START, FC_SHORT},
        {BURST, START, FC_SHORT},
        {BURST + 1, START, FC_NEVER_FITS},
        {UINT64_MAX, START, FC_NEVER_FITS},
        {UINT64_C(1) << 54, START, FC_NEVER_FITS}, /* times the unit, modulo 2^64, this would be little */
        {1, START - 1, FC_SLOW},
        {1, 0, FC_SLOW},
        {1, START + FC_HORIZON_NS, FC_SLOW},
        {1, UINT64_MAX, FC_SLOW},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(fc_cell_take(&cell, rows[i].permits, rows[i].now_ns), rows[i].outcome);
        assert_true(word_of(&cell) == word);
    }
}

static void a_shut_gate_sends_everybody_to_the_slow_path(void **state) {
    (void)state;
    struct fc_cell cell;
    struct fc_view view;
    struct fc_bucket_profile profile = cell_init_tagged(&cell, BURST, 0);
    for (int i = 0; i < 3; i++) {
        assert_true(fc_cell_look(&cell, &view));
        fc_cell_shut(&cell);
        assert_false(fc_cell_look(&cell, &view));
        assert_int_equal(fc_cell_take(&cell, 1, START), FC_SLOW);
        assert_int_equal(fc_cell_take(&cell, UINT64_MAX, START), FC_SLOW);
        fc_cell_show(&cell, &profile, 0, i == 1);
        if (i != 1) assert_int_equal(fc_cell_take(&cell, 1, START), FC_TAKEN);
        else assert_int_equal(fc_cell_take(&cell, 1, START), FC_SLOW); /* shown, and to stay shut */
        fc_cell_show(&cell, &profile, 0, false);
    }
}

/* Closing shuts a gate that nobody opens again; closing twice must not open it. */
static void a_gate_that_is_shut_twice_is_shut(void **state) {
    (void)state;
    struct fc_cell cell;
    struct fc_view view;
    cell_init(&cell, BURST);
    fc_cell_shut(&cell);
    fc_cell_shut(&cell);
    assert_false(fc_cell_look(&cell, &view));
}

static void a_swap_is_lost_when_word_or_tag_moved(void **state) {
    (void)state;
    for (uint64_t tag = 0; tag < 2; tag++) {
        struct fc_cell cell;
        struct fc_view seen;
        cell_init_tagged(&cell, BURST, tag);
        assert_true(fc_cell_look(&cell, &seen));
        assert_int_equal(seen.tag, tag);
        assert_int_equal(seen.word % 2, 0);
        assert_true(fc_cell_swap(&cell, &seen, seen.word + 2));
        assert_true(word_of(&cell) == ((seen.word + 2) | tag)); /* the tag is kept */
        assert_false(fc_cell_swap(&cell, &seen, seen.word + 4));
        assert_true(word_of(&cell) == ((seen.word + 2) | tag));
        atomic_store(&cell.word, seen.word | (1 - tag)); /* the same word by other terms */
        assert_false(fc_cell_swap(&cell, &seen, seen.word + 2));
    }
}

static void takes_by_either_tag_and_only_if_word_and_copy_agree(void **state) {
    (void)state;
    for (uint64_t tag = 0; tag < 2; tag++) {
        struct fc_cell cell;
        cell_init_tagged(&cell, BURST, tag);
        assert_int_equal(fc_cell_take(&cell, 60, START), FC_TAKEN);
        assert_int_equal(word_of(&cell) % 2, tag);
        atomic_store(&cell.word, word_of(&cell) ^ FC_TAG); /* a writer that swapped and has not shown its copy yet */
        assert_int_equal(fc_cell_take(&cell, 1, START), FC_SLOW);
        assert_int_equal(fc_cell_take(&cell, UINT64_MAX, START), FC_SLOW);
        atomic_store(&cell.word, word_of(&cell) ^ FC_TAG);
        assert_int_equal(fc_cell_take(&cell, 40, START), FC_TAKEN);
    }
}

/* The gate's count tells two copies of the same tag apart, or a look that overlaps both would mix them. */
static void every_copy_that_is_shown_moves_the_gate(void **state) {
    (void)state;
    struct fc_cell cell;
    struct fc_bucket_profile profile = cell_init_tagged(&cell, BURST, 0);
    for (uint64_t i = 1; i < 9; i++) {
        uint32_t gate = atomic_load(&cell.gate);
        fc_cell_show(&cell, &profile, i % 2, i % 3 == 0);
        uint32_t moved = atomic_load(&cell.gate);
        assert_int_equal(moved / FC_GATE_STEP, gate / FC_GATE_STEP + 1);
        assert_int_equal(moved >> FC_GATE_TAG_SHIFT & 1, i % 2);
        assert_int_equal(moved & FC_GATE_SHUT, i % 3 == 0);
    }
}

/* ---- threads ---- */

/* Enough takes that the threads really meet, whoever the scheduler favours. */
#define THREADS 4
#define TAKES 300000

static struct fc_cell shared;
static pthread_barrier_t start_line;

/* Returns how many of its takes got something. */
static void *take_often(void *argument) {
    (void)argument;
    uintptr_t taken = 0;
    pthread_barrier_wait(&start_line);
    for (int i = 0; i < TAKES; i++) taken += fc_cell_take(&shared, 1, START) == FC_TAKEN;
    return (void *)taken;
}

static uint64_t taken_by_all(void) {
    pthread_t threads[THREADS];
    uint64_t sum = 0;
    assert_int_equal(pthread_barrier_init(&start_line, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, take_often, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *taken;
        pthread_join(threads[i], &taken);
        sum += (uintptr_t)taken;
    }
    pthread_barrier_destroy(&start_line);
    return sum;
}

/* There are as many permits as takes: one that gave up after a lost swap would leave some behind. */
static void a_lost_swap_is_tried_again(void **state) {
    (void)state;
    cell_init(&shared, THREADS * TAKES);
    assert_int_equal(taken_by_all(), THREADS * TAKES);
    assert_int_equal(fc_cell_take(&shared, 1, START), FC_SHORT);
}

/* Fewer permits than takes: one that took a lost swap for a won one would hand out too many. */
static void a_lost_swap_grants_nothing(void **state) {
    (void)state;
    cell_init(&shared, THREADS * TAKES / 2);
    assert_int_equal(taken_by_all(), THREADS * TAKES / 2);
}

static atomic_bool writer_done;

/* Every field and the word hold the same even number, so that a mixture shows; the word moves first, with its tag, as a writer's does. */
static void *write_profiles(void *argument) {
    (void)argument;
    for (uint64_t i = 2; i <= 200000; i += 2) {
        uint64_t tag = i / 2 % 2;
        atomic_store(&shared.word, i | tag);
        fc_cell_show(&shared, &(struct fc_bucket_profile){i, i, i, i, i, i}, tag, false);
    }
    atomic_store(&writer_done, true);
    return NULL;
}

/* Counts views in which two numbers differ. */
static void *look_for_mixtures(void *argument) {
    (void)argument;
    uintptr_t mixed = 0;
    while (!atomic_load(&writer_done)) {
        struct fc_view v;
        if (!fc_cell_look(&shared, &v)) continue;
        const struct fc_bucket_profile *p = &v.profile;
        mixed += p->t0_ns != v.word || p->x1 != v.word || p->mult_hi != v.word || p->mult_lo != v.word ||
                 p->burst != v.word || p->unit != v.word;
    }
    return (void *)mixed;
}

static void a_view_never_mixes_two_profiles(void **state) {
    (void)state;
    pthread_t writer, readers[2];
    memset(&shared, 0, sizeof shared);
    atomic_store(&writer_done, false);
    for (size_t i = 0; i < COUNT(readers); i++)
        assert_int_equal(pthread_create(&readers[i], NULL, look_for_mixtures, NULL), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_profiles, NULL), 0);
    pthread_join(writer, NULL);
    for (size_t i = 0; i < COUNT(readers); i++) {
        void *mixed;
        pthread_join(readers[i], &mixed);
        assert_null(mixed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_until_there_is_nothing_left),
        cmocka_unit_test(what_is_not_taken_leaves_the_word_alone),
        cmocka_unit_test(a_shut_gate_sends_everybody_to_the_slow_path),
        cmocka_unit_test(a_gate_that_is_shut_twice_is_shut),
        cmocka_unit_test(a_swap_is_lost_when_word_or_tag_moved),
        cmocka_unit_test(takes_by_either_tag_and_only_if_word_and_copy_agree),
        cmocka_unit_test(every_copy_that_is_shown_moves_the_gate),
        cmocka_unit_test(a_lost_swap_is_tried_again),
        cmocka_unit_test(a_lost_swap_grants_nothing),
        cmocka_unit_test(a_view_never_mixes_two_profiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

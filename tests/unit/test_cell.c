#include "unit/fixture.h"

#include "core/cell.h"

#define START UINT64_C(1000)
#define BURST 100

static struct fc_bucket_slope slope;

/* One permit per second, full. */
static void cell_init(struct fc_cell *cell, uint64_t burst) {
    flowctl_rate rate = flowctl_per_second(1);
    struct fc_bucket_profile profile;
    memset(cell, 0, sizeof *cell);
    assert_int_equal(fc_bucket_profile_make(&rate, &burst, START, &profile, &slope), FC_BUCKET_FINE);
    fc_cell_store_profile(cell, &profile);
    atomic_store(&cell->word, 0 - profile.burst);
}

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
        {UINT64_C(1) << 55, START, FC_NEVER_FITS}, /* times the unit, modulo 2^64, this would be little */
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
    cell_init(&cell, BURST);
    for (int i = 0; i < 3; i++) {
        assert_true(fc_cell_look(&cell, &view));
        fc_cell_shut(&cell);
        assert_false(fc_cell_look(&cell, &view));
        assert_int_equal(fc_cell_take(&cell, 1, START), FC_SLOW);
        assert_int_equal(fc_cell_take(&cell, UINT64_MAX, START), FC_SLOW);
        fc_cell_open(&cell);
        assert_int_equal(fc_cell_take(&cell, 1, START), FC_TAKEN);
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

static void a_swap_is_lost_when_the_word_moved(void **state) {
    (void)state;
    struct fc_cell cell;
    cell_init(&cell, BURST);
    uint64_t seen = word_of(&cell);
    assert_true(fc_cell_swap(&cell, seen, seen + 1));
    assert_false(fc_cell_swap(&cell, seen, seen + 2));
    assert_true(word_of(&cell) == seen + 1);
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

/* Every field and the word hold the same number, so that a mixture shows. */
static void *write_profiles(void *argument) {
    (void)argument;
    for (uint64_t i = 1; i <= 100000; i++) {
        fc_cell_shut(&shared);
        fc_cell_store_profile(&shared, &(struct fc_bucket_profile){i, i, i, i, i, i});
        atomic_store(&shared.word, i);
        fc_cell_open(&shared);
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
        cmocka_unit_test(a_swap_is_lost_when_the_word_moved),
        cmocka_unit_test(a_lost_swap_is_tried_again),
        cmocka_unit_test(a_lost_swap_grants_nothing),
        cmocka_unit_test(a_view_never_mixes_two_profiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit/script.h"

#include <flowctl/sequence.h>
#include <flowctl/store.h>

#include <stdlib.h>

static flowctl_backend *open_memory(flowctl_drive drive) {
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *b;
    o.ops = flowctl_memory_backend();
    o.drive = drive;
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    return b;
}

static flowctl_sequence *make(flowctl_backend *b, const char *name, uint64_t block) {
    flowctl_sequence *s;
    assert_int_equal(flowctl_sequence_create(b, name, block, &s, NULL), FLOWCTL_OK);
    return s;
}

static uint64_t next(flowctl_sequence *s) {
    uint64_t number;
    assert_int_equal(flowctl_sequence_next(s, 5 * FLOWCTL_NS_PER_SEC, &number, NULL), FLOWCTL_OK);
    return number;
}

static void numbers_begin_at_one_and_have_no_gap_alone(void **state) {
    (void)state;
    flowctl_backend *b = open_memory(FLOWCTL_DRIVE_POLL);
    flowctl_sequence *s = make(b, "a", 7);
    for (uint64_t i = 1; i <= 100; i++) assert_int_equal(next(s), i);
    flowctl_sequence_destroy(s);
    flowctl_backend_destroy(b);
}

static void a_block_that_was_not_used_up_is_a_gap(void **state) {
    (void)state;
    flowctl_backend *b = open_memory(FLOWCTL_DRIVE_POLL);
    flowctl_sequence *s = make(b, "a", 0), *again, *other;
    assert_int_equal(next(s), 1);
    flowctl_sequence_destroy(s);
    again = make(b, "a", 0);
    assert_int_equal(next(again), 1001);
    other = make(b, "b", 1);
    assert_int_equal(next(other), 1);
    assert_int_equal(next(other), 2);
    flowctl_sequence_destroy(again), flowctl_sequence_destroy(other);
    flowctl_backend_destroy(b);
}

static void with_blocks_of_one_two_take_turns(void **state) {
    (void)state;
    flowctl_backend *b = open_memory(FLOWCTL_DRIVE_POLL);
    flowctl_sequence *s[2] = {make(b, "a", 1), make(b, "a", 1)};
    for (uint64_t i = 1; i <= 20; i++) assert_int_equal(next(s[i % 2]), i);
    flowctl_sequence_destroy(s[0]), flowctl_sequence_destroy(s[1]);
    flowctl_backend_destroy(b);
}

/* ---- many threads ---- */

enum { THREADS = 4, SEQUENCES = 2, EACH = 5000, ALL = THREADS * SEQUENCES * EACH };

struct taker {
    pthread_t thread;
    flowctl_sequence *sequence;
    uint64_t numbers[EACH];
};

static void *take(void *argument) {
    struct taker *t = argument;
    for (int i = 0; i < EACH; i++)
        if (flowctl_sequence_next(t->sequence, 20 * FLOWCTL_NS_PER_SEC, &t->numbers[i], NULL) != FLOWCTL_OK) return t;
    return NULL;
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void numbers_are_unique_and_rise_in_each_thread(void **state) {
    (void)state;
    static struct taker takers[THREADS * SEQUENCES];
    static uint64_t all[ALL];
    flowctl_backend *b = open_memory(FLOWCTL_DRIVE_THREAD);
    flowctl_sequence *s[SEQUENCES];
    for (int i = 0; i < SEQUENCES; i++) s[i] = make(b, "a", 50);
    for (int i = 0; i < THREADS * SEQUENCES; i++) {
        takers[i].sequence = s[i % SEQUENCES];
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take, &takers[i]), 0);
    }
    size_t count = 0;
    for (int i = 0; i < THREADS * SEQUENCES; i++) {
        void *failed;
        pthread_join(takers[i].thread, &failed);
        assert_null(failed);
        for (int j = 0; j < EACH; j++) {
            if (j > 0) assert_true(takers[i].numbers[j] > takers[i].numbers[j - 1]);
            all[count++] = takers[i].numbers[j];
        }
    }
    qsort(all, ALL, sizeof *all, ascending);
    for (int i = 1; i < ALL; i++) assert_true(all[i] != all[i - 1]);
    assert_in_range(all[ALL - 1], ALL, ALL + SEQUENCES * 50);
    for (int i = 0; i < SEQUENCES; i++) flowctl_sequence_destroy(s[i]);
    flowctl_backend_destroy(b);
}

/* ---- a store that does not answer ---- */

static void a_lost_block_is_a_gap(void **state) {
    (void)state;
    struct shared s;
    uint64_t number = 77;
    shared_open_script(&s);
    flowctl_sequence *q = make(s.backend, "a", 10);
    assert_int_equal(s.script.calls, 0); /* nothing is asked for yet */
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_sequence_next(q, 2 * FLOWCTL_NS_PER_MS, &number, &err), FLOWCTL_TIMED_OUT);
    fixture_assert_failed(&err, FLOWCTL_TIMED_OUT);
    assert_int_equal(number, 77);
    flowctl_answer_store(s.script.base, s.script.call_ticket, &(flowctl_store_reply){.number = 10}); /* too late */
    assert_int_equal(flowctl_sequence_next(q, 0, &number, NULL), FLOWCTL_TIMED_OUT);
    flowctl_sequence_destroy(q);
    shared_free(&s);
}

struct impatient {
    flowctl_sequence *sequence;
    flowctl_status status;
    atomic_bool began;
};

static void *wait_long(void *argument) {
    struct impatient *i = argument;
    uint64_t number;
    atomic_store(&i->began, true);
    i->status = flowctl_sequence_next(i->sequence, 600 * FLOWCTL_NS_PER_MS, &number, NULL);
    return NULL;
}

/* Who is in a hurry does not wait for one that is patient. */
static void each_thread_waits_as_long_as_it_said(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    struct impatient patient = {.sequence = make(s.backend, "a", 10)};
    pthread_t thread;
    uint64_t number;
    pthread_create(&thread, NULL, wait_long, &patient);
    AWAIT(atomic_load(&patient.began));
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    uint64_t began_ns = flowctl_clock_now(NULL);
    assert_int_equal(flowctl_sequence_next(patient.sequence, 10 * FLOWCTL_NS_PER_MS, &number, NULL), FLOWCTL_TIMED_OUT);
    assert_true(flowctl_clock_now(NULL) - began_ns < 300 * FLOWCTL_NS_PER_MS);
    pthread_join(thread, NULL);
    assert_int_equal(patient.status, FLOWCTL_TIMED_OUT);
    flowctl_sequence_destroy(patient.sequence);
    shared_free(&s);
}

static void used_up(void **state) {
    (void)state;
    flowctl_backend *b = open_memory(FLOWCTL_DRIVE_POLL);
    uint64_t there, number;
    assert_int_equal(flowctl_store_increment(b, "flowctl.sequence.a", UINT64_MAX - 15, &there, FLOWCTL_NS_PER_SEC, NULL),
                     FLOWCTL_OK);
    flowctl_sequence *s = make(b, "a", 10);
    for (uint64_t i = 0; i < 10; i++) assert_int_equal(next(s), UINT64_MAX - 14 + i);
    flowctl_error err;
    assert_int_equal(flowctl_sequence_next(s, FLOWCTL_NS_PER_SEC, &number, &err), FLOWCTL_OUT_OF_RANGE);
    flowctl_sequence_destroy(s);
    flowctl_backend_destroy(b);
}

static void wrong_calls(void **state) {
    (void)state;
    struct shared s;
    flowctl_sequence *q = NULL;
    uint64_t number;
    char name[202];
    memset(name, 'x', sizeof name);
    name[201] = '\0';
    shared_open_script(&s);
    flowctl_error err;
    assert_int_equal(flowctl_sequence_create(s.backend, "a", 0, NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_sequence_create(NULL, "a", 0, &q, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_sequence_create(s.backend, NULL, 0, &q, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_sequence_create(s.backend, "", 0, &q, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_sequence_create(s.backend, name, 0, &q, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_sequence_create(s.backend, "a", (UINT64_C(1) << 32) + 1, &q, &err), FLOWCTL_OUT_OF_RANGE);
    assert_null(q);
    name[200] = '\0';
    assert_int_equal(flowctl_sequence_create(s.backend, name, UINT64_C(1) << 32, &q, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_sequence_next(NULL, 0, &number, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_sequence_next(q, 0, NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    flowctl_sequence_destroy(q);
    flowctl_sequence_destroy(NULL);
    shared_free(&s);
    shared_open(&s, &script_ops_lend, &s.script);
    assert_int_equal(flowctl_sequence_create(s.backend, "a", 0, &q, &err), FLOWCTL_UNSUPPORTED);
    assert_contains(err.message, "COUNT");
    assert_contains(err.message, "lender");
    shared_free(&s);
}

static void without_memory(void **state) {
    (void)state;
    struct counted c;
    flowctl_backend *b;
    flowctl_sequence *s;
    counted_init(&c);
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    o.ops = flowctl_memory_backend();
    o.drive = FLOWCTL_DRIVE_POLL;
    o.allocator = &c.allocator;
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    c.fail_at = c.calls + 1;
    flowctl_error err;
    assert_int_equal(flowctl_sequence_create(b, "a", 0, &s, &err), FLOWCTL_NO_MEMORY);
    assert_null(s);
    flowctl_backend_destroy(b);
    assert_int_equal(c.blocks + c.wrong_releases, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_begin_at_one_and_have_no_gap_alone),
        cmocka_unit_test(a_block_that_was_not_used_up_is_a_gap),
        cmocka_unit_test(with_blocks_of_one_two_take_turns),
        cmocka_unit_test(numbers_are_unique_and_rise_in_each_thread),
        cmocka_unit_test(a_lost_block_is_a_gap),
        cmocka_unit_test(each_thread_waits_as_long_as_it_said),
        cmocka_unit_test(used_up),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The sorter, against the plain rule: leave by time, then by arrival, once something is a window newer. */
#include "sorter.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint64_t arrivals;

static void begin(struct fct_sorter *s, uint64_t window_ns, size_t max_pending) {
    arrivals = 0;
    fct_sorter_init(s, window_ns, max_pending);
}

static bool push(struct fct_sorter *s, uint64_t time_ns, uint64_t cost) {
    return fct_sorter_push(s, &(struct fct_pending){time_ns, arrivals++, cost});
}

static void expect_pop(struct fct_sorter *s, uint64_t time_ns, uint64_t sequence) {
    struct fct_pending event = {0, 0, 0};
    assert_true(fct_sorter_pop_due(s, &event));
    assert_int_equal(event.time_ns, time_ns);
    assert_int_equal(event.line, sequence);
}

static void leaves_when_the_window_has_passed(void **state) {
    (void)state;
    struct fct_sorter s;
    struct fct_pending event;
    begin(&s, 10, 100);
    assert_false(fct_sorter_pop_due(&s, &event));
    assert_true(push(&s, 5, 0) && push(&s, 14, 0) && push(&s, 3, 0));
    expect_pop(&s, 3, 2);
    assert_false(fct_sorter_pop_due(&s, &event));
    assert_true(push(&s, 15, 0));
    expect_pop(&s, 5, 0);
    assert_false(fct_sorter_pop_due(&s, &event));
    assert_true(fct_sorter_pop(&s, &event) && event.time_ns == 14);
    assert_true(fct_sorter_pop(&s, &event) && event.time_ns == 15);
    assert_false(fct_sorter_pop(&s, &event));
    fct_sorter_cleanup(&s);
}

static void without_a_window_the_order_of_arrival(void **state) {
    (void)state;
    struct fct_sorter s;
    const uint64_t times[] = {5, 3, 9, 9, 0, UINT64_MAX, 1};
    begin(&s, 0, 100);
    for (uint64_t i = 0; i < 7; i++) {
        assert_true(push(&s, times[i], 0));
        expect_pop(&s, times[i], i);
    }
    fct_sorter_cleanup(&s);
}

static void equal_times_keep_their_order(void **state) {
    (void)state;
    struct fct_sorter s;
    struct fct_pending event;
    begin(&s, UINT64_MAX, 10000);
    for (uint64_t i = 0; i < 3000; i++) assert_true(push(&s, i * 7 % 3, i));
    uint64_t last_time = 0, last_sequence = 0;
    for (uint64_t i = 0; i < 3000; i++) {
        assert_true(fct_sorter_pop(&s, &event));
        assert_true(event.time_ns > last_time || event.line >= last_sequence);
        assert_true(event.time_ns >= last_time);
        last_time = event.time_ns, last_sequence = event.line;
    }
    fct_sorter_cleanup(&s);
}

/* The lane's ring, filled from its middle around its end, and grown then. */
static void grows_while_wrapped(void **state) {
    (void)state;
    struct fct_sorter s;
    struct fct_pending event;
    uint64_t pushed = 0, popped = 0;
    begin(&s, UINT64_MAX, 100000);
    for (unsigned pops = 700; pops < 30000; pops *= 2) {
        for (unsigned i = 0; i < pops + pops / 2; i++, pushed++) assert_true(push(&s, pushed / 2, pushed));
        for (unsigned i = 0; i < pops; i++, popped++) {
            assert_true(fct_sorter_pop(&s, &event));
            assert_int_equal(event.cost, popped);
        }
    }
    for (; popped < pushed; popped++) {
        assert_true(fct_sorter_pop(&s, &event));
        assert_int_equal(event.cost, popped);
    }
    assert_int_equal(s.stragglers.count, 0);
    fct_sorter_cleanup(&s);
}

static void overflow_lets_the_oldest_go(void **state) {
    (void)state;
    struct fct_sorter s;
    struct fct_pending event;
    begin(&s, UINT64_MAX, 3);
    const uint64_t times[] = {50, 10, 40};
    for (int i = 0; i < 3; i++) {
        assert_true(push(&s, times[i], 0));
        assert_false(fct_sorter_pop_due(&s, &event));
    }
    assert_true(push(&s, 30, 0));
    expect_pop(&s, 10, 1);
    assert_false(fct_sorter_pop_due(&s, &event));
    assert_true(push(&s, 5, 0));
    expect_pop(&s, 5, 4);
    assert_int_equal(s.overflows, 2);
    fct_sorter_cleanup(&s);
}

enum { COUNT = 4000 };

/* What must leave next: among those that may, the smallest (time, arrival); COUNT if none may. */
static unsigned next_by_rule(const uint64_t *times, const bool *gone, unsigned arrived, uint64_t newest, uint64_t window) {
    unsigned best = COUNT;
    for (unsigned i = 0; i < arrived; i++)
        if (!gone[i] && newest - times[i] >= window && (best == COUNT || times[i] < times[best])) best = i;
    return best;
}

static void agrees_with_the_rule(void **state) {
    (void)state;
    static uint64_t times[COUNT];
    static bool gone[COUNT];
    uint64_t random = 42;
    for (unsigned round = 0; round < 4; round++) {
        struct fct_sorter s;
        struct fct_pending event;
        uint64_t newest = 0, window = (uint64_t[]){0, 7, 60, 3000}[round];
        memset(gone, 0, sizeof gone);
        begin(&s, window, COUNT);
        for (unsigned i = 0; i < COUNT; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            times[i] = 100 + i / 3 + (random >> 40) % ((random >> 33) % 5 == 0 ? 90 : 3);
            if (times[i] > newest) newest = times[i];
            assert_true(push(&s, times[i], times[i] + i));
            for (unsigned next; (next = next_by_rule(times, gone, i + 1, newest, window)) != COUNT; gone[next] = true) {
                assert_true(fct_sorter_pop_due(&s, &event));
                assert_int_equal(event.line, next);
                assert_int_equal(event.cost, times[next] + next);
            }
            assert_false(fct_sorter_pop_due(&s, &event));
        }
        for (unsigned next; (next = next_by_rule(times, gone, COUNT, newest, 0)) != COUNT; gone[next] = true) {
            assert_true(fct_sorter_pop(&s, &event));
            assert_int_equal(event.line, next);
        }
        assert_int_equal(s.overflows, 0);
        fct_sorter_cleanup(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_when_the_window_has_passed), cmocka_unit_test(without_a_window_the_order_of_arrival),
        cmocka_unit_test(equal_times_keep_their_order),      cmocka_unit_test(grows_while_wrapped),
        cmocka_unit_test(overflow_lets_the_oldest_go),       cmocka_unit_test(agrees_with_the_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The parts of the report that are kept while a log goes by: timeline, busiest minute, magnitudes of waits. */
#include "busiest_minute.h"
#include "timeline.h"
#include "wait_magnitudes.h"

#include <flowctl/rate.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SEC FLOWCTL_NS_PER_SEC

/* Adds requests at the times, every third held up; then every slot must hold what lies in it. */
static void check(const uint64_t *times, unsigned count) {
    struct fct_timeline t = {.width_ns = 0};
    for (unsigned i = 0; i < count; i++) fct_timeline_add(&t, times[i], i % 3 != 0);
    assert_in_range(t.used, 1, FCT_TIMELINE_SLOTS);
    assert_int_equal(t.origin_ns % t.width_ns, 0);
    assert_in_range(times[0] - t.origin_ns, 0, t.width_ns - 1);
    assert_int_equal((times[count - 1] - t.origin_ns) / t.width_ns, t.used - 1);
    for (unsigned slot = 0; slot < FCT_TIMELINE_SLOTS; slot++) {
        uint64_t passed = 0, held_up = 0;
        for (unsigned i = 0; i < count; i++)
            if ((times[i] - t.origin_ns) / t.width_ns == slot) *(i % 3 != 0 ? &passed : &held_up) += 1;
        assert_int_equal(t.slots[slot].passed, passed);
        assert_int_equal(t.slots[slot].held_up, held_up);
    }
}

static void any_span(void **state) {
    (void)state;
    enum { COUNT = 300 };
    uint64_t times[COUNT];
    for (uint64_t step = 1; step < UINT64_C(60000000000000000); step = step * 3 + 1)
        for (uint64_t first = 0; first < 4; first++) {
            for (unsigned i = 0; i < COUNT; i++) times[i] = first * 12345678901234567 % 86400000000000 + i * step;
            check(times, COUNT);
        }
}

static void one_leap(void **state) {
    (void)state;
    const uint64_t times[] = {7 * SEC, 8 * SEC, 16725225600 * SEC};
    check(times, 3);
    check(times, 1);
}

/* Whatever the span, it is worth looking at: not all in a slot or two. */
static void uses_its_slots(void **state) {
    (void)state;
    for (uint64_t span = 60 * SEC; span < UINT64_C(16725225600) * SEC; span += span / 7) {
        struct fct_timeline t = {.width_ns = 0};
        for (unsigned i = 0; i <= 100; i++) fct_timeline_add(&t, span / 100 * i, true);
        assert_in_range(t.used, 6, FCT_TIMELINE_SLOTS);
    }
}

static void busiest_minute(void **state) {
    (void)state;
    struct fct_busiest_minute b = {{0, 0, 0}, {0, 0, 0}};
    assert_int_equal(fct_busiest_minute_get(&b).requests, 0);
    for (uint64_t second = 59; second < 62; second++) fct_busiest_minute_add(&b, second * SEC, 5);
    assert_int_equal(fct_busiest_minute_get(&b).start_ns, 60 * SEC);
    assert_int_equal(fct_busiest_minute_get(&b).requests, 2);
    assert_int_equal(fct_busiest_minute_get(&b).cost, 10);
    for (int i = 0; i < 2; i++) fct_busiest_minute_add(&b, 600 * SEC, UINT64_MAX);
    assert_int_equal(fct_busiest_minute_get(&b).start_ns, 60 * SEC); /* as many, but later */
    fct_busiest_minute_add(&b, 659 * SEC, 1);
    assert_int_equal(fct_busiest_minute_get(&b).start_ns, 600 * SEC);
    assert_int_equal(fct_busiest_minute_get(&b).cost, UINT64_MAX);
    fct_busiest_minute_add(&b, 660 * SEC, 1);
    assert_int_equal(fct_busiest_minute_get(&b).requests, 3);
}

static void wait_magnitudes(void **state) {
    (void)state;
    struct fct_wait_magnitudes w = {{0}};
    const uint64_t waits[] = {1, FLOWCTL_NS_PER_MS, FLOWCTL_NS_PER_MS + 1, SEC, SEC + 1, FLOWCTL_FOREVER};
    for (unsigned i = 0; i < 6; i++) fct_wait_magnitudes_add(&w, waits[i]);
    assert_int_equal(w.counts[0], 2);
    assert_int_equal(w.counts[1], 1);
    assert_int_equal(w.counts[3], 1);
    assert_int_equal(w.counts[4], 1);
    assert_int_equal(w.counts[FCT_WAIT_MAGNITUDES - 1], 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_span),       cmocka_unit_test(one_leap),        cmocka_unit_test(uses_its_slots),
        cmocka_unit_test(busiest_minute), cmocka_unit_test(wait_magnitudes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The shrinker: finds the few events that matter, keeps their order, and respects its budget. */
#include "sim/shrink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define EVENTS 1000

struct wanted {
    size_t all[4], count, calls;
};

static bool has(const size_t *kept, size_t count, size_t what) {
    for (size_t i = 0; i < count; i++)
        if (kept[i] == what) return true;
    return false;
}

static bool has_all(void *context, const size_t *kept, size_t count) {
    struct wanted *w = context;
    w->calls++;
    for (size_t i = 0; i < w->count; i++)
        if (!has(kept, count, w->all[i])) return false;
    return true;
}

/* 700 matters only as long as 900 is there. */
static bool has_chain(void *context, const size_t *kept, size_t count) {
    (void)context;
    return has(kept, count, 3) && (!has(kept, count, 900) || has(kept, count, 700));
}

static size_t shrunk(size_t kept[EVENTS], sim_fails fails, void *context, size_t budget) {
    for (size_t i = 0; i < EVENTS; i++) kept[i] = i;
    return sim_shrink(kept, EVENTS, fails, context, budget);
}

static void only_what_matters_is_left(void **state) {
    (void)state;
    size_t kept[EVENTS];
    struct wanted w = {{0, 1, 512, EVENTS - 1}, 4, 0};
    assert_int_equal(shrunk(kept, has_all, &w, 100000), 4);
    for (size_t i = 0; i < 4; i++) assert_int_equal(kept[i], w.all[i]);
    assert_true(w.calls < EVENTS);
}

static void nothing_may_be_left(void **state) {
    (void)state;
    size_t kept[EVENTS];
    struct wanted w = {.count = 0};
    assert_int_equal(shrunk(kept, has_all, &w, 100000), 0);
}

static void one_that_is_out_lets_go_another(void **state) {
    (void)state;
    size_t kept[EVENTS];
    assert_int_equal(shrunk(kept, has_chain, NULL, 100000), 1);
    assert_int_equal(kept[0], 3);
}

static void stops_at_its_budget(void **state) {
    (void)state;
    size_t kept[EVENTS];
    struct wanted w = {{7, 500}, 2, 0};
    size_t count = shrunk(kept, has_all, &w, 5);
    assert_int_equal(w.calls, 5);
    assert_true(count < EVENTS && has_all(&w, kept, count));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_matters_is_left),
        cmocka_unit_test(nothing_may_be_left),
        cmocka_unit_test(one_that_is_out_lets_go_another),
        cmocka_unit_test(stops_at_its_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

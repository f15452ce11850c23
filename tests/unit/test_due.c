/* What is due first, against a search through all. */
#include "unit/fixture.h"

#include "core/due.h"
#include "support/seed.h"

enum { ITEMS = 40 };

struct world {
    struct fc_due *room[ITEMS], items[ITEMS];
    struct fc_due_heap heap;
};

static uint64_t first_of(const struct world *w) {
    uint64_t first_ns = FLOWCTL_FOREVER;
    for (int i = 0; i < ITEMS; i++)
        if (w->items[i].place != 0 && w->items[i].at_ns < first_ns) first_ns = w->items[i].at_ns;
    return first_ns;
}

static void check(const struct world *w) {
    size_t count = 0;
    for (int i = 0; i < ITEMS; i++) {
        if (w->items[i].place == 0) continue;
        assert_ptr_equal(w->room[w->items[i].place - 1], &w->items[i]);
        count++;
    }
    assert_int_equal(w->heap.count, count);
    const struct fc_due *first = fc_due_first(&w->heap);
    assert_true((first == NULL) == (count == 0));
    if (first != NULL) assert_int_equal(first->at_ns, first_of(w));
}

static void any_order(void **state) {
    (void)state;
    uint64_t r = test_seed("due");
    for (int run = 0; run < 200; run++) {
        struct world w = {.heap = {.count = 0}};
        w.heap.items = w.room;
        uint64_t below = 1 + test_below(&r, 100); /* many alike, or few */
        for (int i = 0; i < 200; i++) {
            struct fc_due *item = &w.items[test_below(&r, ITEMS)];
            if (test_below(&r, 3) == 0) fc_due_remove(&w.heap, item);
            else fc_due_put(&w.heap, item, test_below(&r, 50) == 0 ? FLOWCTL_FOREVER : test_below(&r, below));
            check(&w);
        }
    }
}

static void taken_out_one_by_one_they_are_in_order(void **state) {
    (void)state;
    uint64_t r = test_seed("due");
    struct world w = {.heap = {.count = 0}};
    w.heap.items = w.room;
    for (int i = 0; i < ITEMS; i++) fc_due_put(&w.heap, &w.items[i], test_random(&r));
    uint64_t before_ns = 0;
    for (struct fc_due *first; (first = fc_due_first(&w.heap)) != NULL; fc_due_remove(&w.heap, first)) {
        assert_true(first->at_ns >= before_ns);
        before_ns = first->at_ns;
    }
    check(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order),
        cmocka_unit_test(taken_out_one_by_one_they_are_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

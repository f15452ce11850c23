#include "unit/fixture.h"

#include "base/memory.h"

static bool all_zero(const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0) return false;
    return true;
}

static void no_allocator_means_malloc(void **state) {
    (void)state;
    flowctl_allocator without_functions = {NULL, NULL, &without_functions}, chosen;
    const flowctl_allocator *given[] = {NULL, &without_functions};
    for (size_t i = 0; i < COUNT(given); i++) {
        flowctl_error err = fixture_error();
        assert_int_equal(fc_allocator_choose(given[i], &chosen, &err), FLOWCTL_OK);
        assert_true(fixture_error_untouched(&err));
        void *block = fc_allocate(&chosen, 100);
        assert_non_null(block);
        fc_release(&chosen, block, 100);
    }
}

static void half_an_allocator_is_refused_by_name(void **state) {
    (void)state;
    struct counted c;
    counted_init(&c);
    flowctl_allocator no_release = c.allocator, no_allocate = c.allocator, chosen;
    no_release.release = NULL;
    no_allocate.allocate = NULL;
    flowctl_error err = fixture_error();
    assert_int_equal(fc_allocator_choose(&no_release, &chosen, &err), FLOWCTL_INVALID_ARGUMENT);
    fixture_assert_failed(&err, FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "allocator");
    assert_contains(err.message, "release");
    assert_int_equal(fc_allocator_choose(&no_allocate, &chosen, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "allocator: allocate");
    assert_int_equal(fc_allocator_choose(&no_allocate, &chosen, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(c.calls, 0);
}

static void a_whole_allocator_is_copied(void **state) {
    (void)state;
    struct counted c;
    flowctl_allocator chosen;
    counted_init(&c);
    assert_int_equal(fc_allocator_choose(&c.allocator, &chosen, NULL), FLOWCTL_OK);
    assert_ptr_equal(chosen.context, &c);
    c.allocator = (flowctl_allocator){NULL, NULL, NULL};
    fc_release(&chosen, fc_allocate(&chosen, 1), 1);
    assert_int_equal(c.calls, 1);
    assert_int_equal(c.blocks, 0);
}

static void blocks_are_aligned_and_zeroed_wherever_the_allocator_puts_them(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 63, 64, 65, 1000};
    for (size_t skew = 0; skew < 130; skew++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            struct counted c;
            counted_init(&c);
            c.skew = skew;
            unsigned char *block = fc_allocate(&c.allocator, sizes[i]);
            assert_int_equal((uintptr_t)block % FC_ALIGN, 0);
            assert_true(all_zero(block, sizes[i]));
            memset(block, 0xff, sizes[i]); /* all of it is ours: a sanitizer sees it if not */
            fc_release(&c.allocator, block, sizes[i]);
            assert_int_equal(c.blocks + c.bytes + c.wrong_releases, 0);
        }
    }
}

static void no_memory_is_null(void **state) {
    (void)state;
    struct counted c;
    counted_init(&c);
    c.fail_at = 1;
    assert_null(fc_allocate(&c.allocator, 10));
}

static void a_size_beyond_the_address_space_is_null_without_asking(void **state) {
    (void)state;
    struct counted c;
    counted_init(&c);
    for (size_t less = 0; less < FC_ALIGN + sizeof(void *); less++) assert_null(fc_allocate(&c.allocator, SIZE_MAX - less));
    assert_int_equal(c.calls, 0);
}

static void releasing_nothing_does_nothing(void **state) {
    (void)state;
    struct counted c;
    counted_init(&c);
    fc_release(&c.allocator, NULL, 10);
    assert_int_equal(c.wrong_releases, 0);
}

/* Every object keeps its allocator inside itself. */
static void the_allocator_may_lie_inside_the_block(void **state) {
    (void)state;
    struct counted c;
    counted_init(&c);
    flowctl_allocator *inside = fc_allocate(&c.allocator, sizeof *inside);
    *inside = c.allocator;
    fc_release(inside, inside, sizeof *inside);
    assert_int_equal(c.blocks + c.bytes + c.wrong_releases, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_allocator_means_malloc),
        cmocka_unit_test(half_an_allocator_is_refused_by_name),
        cmocka_unit_test(a_whole_allocator_is_copied),
        cmocka_unit_test(blocks_are_aligned_and_zeroed_wherever_the_allocator_puts_them),
        cmocka_unit_test(no_memory_is_null),
        cmocka_unit_test(a_size_beyond_the_address_space_is_null_without_asking),
        cmocka_unit_test(releasing_nothing_does_nothing),
        cmocka_unit_test(the_allocator_may_lie_inside_the_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

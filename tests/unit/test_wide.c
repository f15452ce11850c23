#include "unit/fixture.h"

#include "base/wide.h"
#include "support/seed.h"

#define U128_MAX (~(fc_u128)0)

static void gcd_of_known_pairs(void **state) {
    (void)state;
    static const struct {
        uint64_t a, b, gcd;
    } rows[] = {{12, 18, 6}, {18, 12, 6}, {7, 13, 1},         {0, 5, 5},
                {5, 0, 5},   {0, 0, 0},   {1, UINT64_MAX, 1}, {UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    for (size_t i = 0; i < COUNT(rows); i++) assert_int_equal(fc_gcd(rows[i].a, rows[i].b), rows[i].gcd);
    assert_true(fc_gcd((fc_u128)6 << 100, (fc_u128)4 << 100) == (fc_u128)2 << 100);
}

static void the_gcd_divides_both_and_leaves_nothing_in_common(void **state) {
    (void)state;
    uint64_t random = test_seed("wide_gcd");
    for (int i = 0; i < 10000; i++) {
        fc_u128 factor = test_magnitude(&random, UINT64_MAX);
        fc_u128 a = factor * test_magnitude(&random, UINT64_MAX), b = factor * test_magnitude(&random, UINT64_MAX);
        fc_u128 common = fc_gcd(a, b);
        assert_true(a % common == 0 && b % common == 0 && common % factor == 0);
        assert_true(fc_gcd(a / common, b / common) == 1);
    }
}

static void products_are_exact_and_in_lowest_terms(void **state) {
    (void)state;
    uint64_t random = test_seed("wide_fraction");
    for (int i = 0; i < 10000; i++) {
        uint32_t part[4];
        for (int k = 0; k < 4; k++) part[k] = (uint32_t)(test_magnitude(&random, UINT32_MAX));
        struct fc_fraction f = {1, 1};
        assert_true(fc_fraction_mul(&f, part[0], part[1]) && fc_fraction_mul(&f, part[2], part[3]));
        /* f = (p0 p2) / (p1 p3), cross-multiplied: every product stays below 2^128 */
        assert_true(f.num * ((fc_u128)part[1] * part[3]) == f.den * ((fc_u128)part[0] * part[2]));
        assert_true(fc_gcd(f.num, f.den) == 1);
    }
}

static void reduces_before_it_multiplies(void **state) {
    (void)state;
    struct fc_fraction f = {(fc_u128)1 << 100, 3};
    assert_true(fc_fraction_mul(&f, (fc_u128)3 << 90, (fc_u128)1 << 100));
    assert_true(f.num == (fc_u128)1 << 90 && f.den == 1);
}

static void a_product_that_does_not_fit_changes_nothing(void **state) {
    (void)state;
    struct fc_fraction f = {U128_MAX, 1};
    assert_false(fc_fraction_mul(&f, 2, 1));
    assert_true(f.num == U128_MAX && f.den == 1);
    f = (struct fc_fraction){1, U128_MAX};
    assert_false(fc_fraction_mul(&f, 1, 2));
    assert_true(f.num == 1 && f.den == U128_MAX);
    /* the upper term fits, the lower one does not */
    f = (struct fc_fraction){1, (fc_u128)1 << 127};
    assert_false(fc_fraction_mul(&f, 3, 2));
    assert_true(f.num == 1 && f.den == (fc_u128)1 << 127);
}

static void zero_times_anything_is_zero(void **state) {
    (void)state;
    struct fc_fraction f = {0, 1};
    assert_true(fc_fraction_mul(&f, UINT64_MAX, 7));
    assert_true(f.num == 0 && f.den == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gcd_of_known_pairs),
        cmocka_unit_test(the_gcd_divides_both_and_leaves_nothing_in_common),
        cmocka_unit_test(products_are_exact_and_in_lowest_terms),
        cmocka_unit_test(reduces_before_it_multiplies),
        cmocka_unit_test(a_product_that_does_not_fit_changes_nothing),
        cmocka_unit_test(zero_times_anything_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

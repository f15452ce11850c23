#include "unit/fixture.h"

#include "base/wide.h"
#include "support/seed.h"
#include "unit/reference.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double least = 1.0 / (10 * 365 * 86400.0); /* 1 per 10 years */

static flowctl_rate rate_of(double x) {
    flowctl_rate rate = {0, 0};
    flowctl_error err = fixture_error();
    if (flowctl_rate_from_double(x, &rate, &err) != FLOWCTL_OK) fail_msg("%.17g: %s", x, err.message);
    assert_true(fixture_error_untouched(&err));
    return rate;
}

static void what_a_person_writes_becomes_the_fraction_that_was_meant(void **state) {
    (void)state;
    static const struct {
        double x;
        uint64_t permits, seconds;
    } rows[] = {
        {1, 1, 1},
        {1000, 1000, 1},
        {0.1, 1, 10},
        {0.7, 7, 10},
        {1 / 3.0, 1, 3},
        {2 / 3.0, 2, 3},
        {7 / 13.0, 7, 13},
        {1.5e6, 1500000, 1},
        {1e10, 10000000000, 1},
        {9999999999.5, 19999999999, 2},
        {0.001, 1, 1000},
        {1e-8, 1, 100000000},
        {1 / 60.0, 1, 60},
        {1 / 3600.0, 1, 3600},
        {1 / 86400.0, 1, 86400},
        {100 / 86400.0, 1, 864},
        {1 / 31536000.0, 1, 31536000},
        {1 / 315360000.0, 1, 315360000},
        {3.14159, 314159, 100000},
        {99.99, 9999, 100},
        {33333.333333333336, 100000, 3},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        flowctl_rate rate = rate_of(rows[i].x);
        if ((fc_u128)rate.permits * rows[i].seconds * FLOWCTL_NS_PER_SEC != (fc_u128)rows[i].permits * rate.period_ns)
            fail_msg("%.17g became %ju per %ju ns", rows[i].x, rate.permits, rate.period_ns);
        assert_true(fc_gcd(rate.permits, rate.period_ns) == 1);
    }
}

static void small_fractions_come_back_as_they_were(void **state) {
    (void)state;
    uint64_t random = test_seed("rate_double_fractions");
    for (int i = 0; i < 100000; i++) {
        uint64_t permits = test_magnitude(&random, 1 << 20), seconds = test_magnitude(&random, 1 << 20);
        flowctl_rate rate = rate_of((double)permits / (double)seconds);
        assert_true((fc_u128)rate.permits * seconds * FLOWCTL_NS_PER_SEC == (fc_u128)permits * rate.period_ns);
    }
}

/*
 * Whether x is the double nearest to the rate: it lies within half a step of x = m / 2^s, so
 * (2m - 1) * period <= permits * 10^9 * 2^(s+1) <= (2m + 1) * period.
 * (At a power of two the step below is half as long; to allow the longer one there costs the test nothing.)
 */
static bool reads_as(flowctl_rate rate, double x) {
    int exponent;
    uint64_t m = (uint64_t)ldexp(frexp(x, &exponent), 53);
    unsigned s = (unsigned)(53 - exponent); /* 19 … 82 for rates in range */
    struct big value = big_shift(big_mul(big_of(rate.permits), FLOWCTL_NS_PER_SEC), s + 1);
    struct big low = big_mul(big_of(2 * m - 1), rate.period_ns), high = big_mul(big_of(2 * m + 1), rate.period_ns);
    return big_compare(low, value) <= 0 && big_compare(value, high) <= 0;
}

static double random_in_range(uint64_t *random) {
    uint64_t bits, low, high;
    double most = 1e10;
    memcpy(&low, &least, sizeof low);
    memcpy(&high, &most, sizeof high);
    bits = low + test_below(random, high - low + 1); /* doubles above 0 are ordered as their bits are */
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void every_double_in_range_reads_as_itself(void **state) {
    (void)state;
    uint64_t random = test_seed("rate_double_all");
    unsigned wrong = 0;
    for (int i = 0; i < 100000; i++) {
        double x = random_in_range(&random);
        flowctl_rate rate = rate_of(x);
        assert_true(rate.period_ns <= FLOWCTL_PERIOD_MAX_NS);
        if (reads_as(rate, x)) continue;
        if (wrong++ == 0)
            print_error("%.17g became %ju per %ju ns, %.17g\n", x, rate.permits, rate.period_ns,
                        (double)rate.permits * 1e9 / (double)rate.period_ns);
    }
    if (wrong != 0) fail_msg("%u of 100000 doubles became a rate that reads as another", wrong);
}

static void neighbours_of_the_limits_are_inside(void **state) {
    (void)state;
    const double inside[] =
        {1e10,           nextafter(1e10, 0), 1e9 / (double)FLOWCTL_PERIOD_MAX_NS, nextafter(least, 1), 1, nextafter(1, 2),
         nextafter(1, 0)};
    for (size_t i = 0; i < COUNT(inside); i++) {
        flowctl_rate rate = rate_of(inside[i]);
        assert_true(rate.permits > 0 && rate.period_ns <= FLOWCTL_PERIOD_MAX_NS);
        assert_true((fc_u128)rate.permits <= (fc_u128)10 * rate.period_ns);
        flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
        flowctl_limiter *limiter;
        o.rate = rate, o.burst = 1;
        assert_int_equal(flowctl_token_bucket_create(&o, &limiter, NULL), FLOWCTL_OK);
        flowctl_limiter_destroy(limiter);
    }
}

static void assert_refused(double x, flowctl_status expected, const char *part) {
    flowctl_rate rate = {77, 88};
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_rate_from_double(x, &rate, &err), expected);
    fixture_assert_failed(&err, expected);
    assert_int_equal(err.offset, -1);
    assert_contains(err.message, "permits_per_sec");
    assert_contains(err.message, part);
    assert_true(rate.permits == 77 && rate.period_ns == 88);
    assert_int_equal(flowctl_rate_from_double(x, &rate, NULL), expected);
}

static void what_is_no_rate_at_all_is_an_invalid_argument(void **state) {
    (void)state;
    static const struct {
        double x;
        const char *value;
    } rows[] = {{0, "is 0:"},
                {-0.0, "is -0:"},
                {-1, "is -1:"},
                {-5e-324, "is -4.9406564584124654e-324:"},
                {-1e300, "is -1.0000000000000001e+300:"},
                {NAN, "nan"},
                {INFINITY, "is inf"},
                {-INFINITY, "is -inf"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_refused(rows[i].x, FLOWCTL_INVALID_ARGUMENT, rows[i].value);
        assert_refused(rows[i].x, FLOWCTL_INVALID_ARGUMENT, "must be a finite number above 0");
    }
}

/* The message ends in the number to use instead. */
static void beyond_the_limits_the_nearest_is_named_and_accepted(void **state) {
    (void)state;
    const double outside[] = {1e11, 1e18,  1e19,   1e300,   DBL_MAX, nextafter(1e10, 1e11), nextafter(least, 0),
                              1e-9, 1e-20, 1e-300, DBL_MIN, 5e-324};
    for (size_t i = 0; i < COUNT(outside); i++) {
        flowctl_error err = fixture_error();
        flowctl_rate rate;
        assert_refused(outside[i], FLOWCTL_OUT_OF_RANGE, "the nearest that can be represented is ");
        flowctl_rate_from_double(outside[i], &rate, &err);
        double nearest = strtod(strstr(err.message, "represented is ") + strlen("represented is "), NULL);
        assert_true(nearest == (outside[i] > 1 ? 1e10 : least));
        rate_of(nearest);
    }
}

/* Else a message could say "is 1e+10: the nearest is 10000000000". */
static void a_refused_value_is_written_with_all_its_digits(void **state) {
    (void)state;
    static const double outside[] = {10000000001, 10000000000.000002};
    for (size_t i = 0; i < COUNT(outside); i++) {
        flowctl_error err = fixture_error();
        flowctl_rate rate;
        assert_int_equal(flowctl_rate_from_double(outside[i], &rate, &err), FLOWCTL_OUT_OF_RANGE);
        double named = strtod(strstr(err.message, " is ") + strlen(" is "), NULL);
        if (named != outside[i]) fail_msg("%.17g is not named: %s", outside[i], err.message);
    }
}

static void null_is_an_invalid_argument_that_is_named(void **state) {
    (void)state;
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_rate_from_double(1, NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    fixture_assert_failed(&err, FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "rate: the out-pointer is NULL");
    assert_int_equal(flowctl_rate_from_double(1, NULL, NULL), FLOWCTL_INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_person_writes_becomes_the_fraction_that_was_meant),
        cmocka_unit_test(small_fractions_come_back_as_they_were),
        cmocka_unit_test(every_double_in_range_reads_as_itself),
        cmocka_unit_test(neighbours_of_the_limits_are_inside),
        cmocka_unit_test(what_is_no_rate_at_all_is_an_invalid_argument),
        cmocka_unit_test(beyond_the_limits_the_nearest_is_named_and_accepted),
        cmocka_unit_test(a_refused_value_is_written_with_all_its_digits),
        cmocka_unit_test(null_is_an_invalid_argument_that_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

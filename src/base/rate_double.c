/* From a double to the fraction it was meant to be. */
#include "base/error.h"
#include "base/wide.h"

#include <flowctl/rate.h>

/*
 * Walks the continued fraction of x: its convergents are the best approximations by small fractions. The first that reads as the
 * same double is what a person wrote: 0.1 is 1/10. Exact for every double in range: terms stay below 2^63.
 */
static void simplest_fraction(double x, uint64_t *num, uint64_t *den) {
    uint64_t n0 = 0, d0 = 1, n1 = 1, d1 = 0;
    double rest = x;
    for (int i = 0; i < 64; i++) {
        if (rest >= 9e18) break;
        uint64_t term = (uint64_t)rest, n, d;
        if (__builtin_mul_overflow(term, n1, &n) || __builtin_add_overflow(n, n0, &n)) break;
        if (__builtin_mul_overflow(term, d1, &d) || __builtin_add_overflow(d, d0, &d)) break;
        if (n > INT64_MAX || d > FLOWCTL_PERIOD_MAX_NS) break;
        n0 = n1, d0 = d1, n1 = n, d1 = d;
        if ((double)n / (double)d == x) break;
        double part = rest - (double)term;
        if (part <= 0) break;
        rest = 1 / part;
    }
    *num = n1, *den = d1;
}

flowctl_status flowctl_rate_from_double(double permits_per_sec, flowctl_rate *rate, flowctl_error *err) {
    if (rate == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "rate: the out-pointer is NULL");
    if (!(permits_per_sec > 0) || permits_per_sec > 1.7976931348623157e308)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "permits_per_sec is %g: must be a finite number above 0", permits_per_sec);
    const double least = 1e9 / (double)FLOWCTL_PERIOD_MAX_NS;
    if (permits_per_sec > (double)FLOWCTL_RATE_MAX_PER_SEC)
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT,
                       "permits_per_sec is %g: the nearest that can be represented is 10000000000", permits_per_sec);
    if (permits_per_sec < least)
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT,
                       "permits_per_sec is %g: the nearest that can be represented is %.17g (1 per 10 years)",
                       permits_per_sec, least);
    uint64_t num, den;
    simplest_fraction(permits_per_sec, &num, &den);
    struct fc_fraction value = {1, 1};
    if (!fc_fraction_mul(&value, num, den) || !fc_fraction_mul(&value, 1, FLOWCTL_NS_PER_SEC) ||
        value.num > UINT64_MAX || value.den > FLOWCTL_PERIOD_MAX_NS) {
        /* Too fine for 64 bits: whole permits per the longest period, rounded down, is within 2^-50 of it. */
        value.num = (fc_u128)(permits_per_sec / 1e9 * (double)FLOWCTL_PERIOD_MAX_NS);
        value.den = FLOWCTL_PERIOD_MAX_NS;
    }
    *rate = flowctl_per((uint64_t)value.num, (uint64_t)value.den);
    return FLOWCTL_OK;
}

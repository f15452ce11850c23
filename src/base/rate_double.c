/* From a double to the fraction it was meant to be. */
#include "base/error.h"
#include "base/wide.h"

#include <flowctl/rate.h>
#include <math.h>

/* A double as what it is: mantissa / 2^shift, the mantissa a whole number of 53 bits. */
struct exact {
    uint64_t mantissa;
    int shift;
};

static struct exact exact_of(double x) {
    int exponent;
    double part = frexp(x, &exponent); /* 0.5 <= part < 1 */
    return (struct exact){(uint64_t)ldexp(part, 53), 53 - exponent};
}

/*
 * Whether num / den per nanosecond, times 10^9, is nearest to this double of all: |num * 10^9 / den - m / 2^shift| is at most half of 2^-shift.
 * Called with fractions so near that both products are about equal, and then they fit 128 bits: the mantissa has 53, the denominator 59.
 */
static bool reads_as(const struct exact *x, const struct fc_fraction *f) {
    fc_u128 left = f->num * FLOWCTL_NS_PER_SEC, right = x->mantissa * f->den;
    if (left >> (127 - x->shift) != 0) return false;
    left <<= x->shift;
    fc_u128 apart = left > right ? left - right : right - left;
    return 2 * apart <= f->den;
}

/* The first convergent of a fraction that reads as the same double, if there is one whose period is in range; times `scale` nanoseconds. */
static bool first_that_reads(const struct exact *x, fc_u128 den, uint64_t scale_ns, struct fc_fraction *found) {
    struct fc_convergents c = fc_convergents_of(x->mantissa, den);
    while (fc_convergents_step(&c)) {
        struct fc_fraction f = c.now;
        if (!fc_fraction_mul(&f, 1, scale_ns) || f.den > FLOWCTL_PERIOD_MAX_NS) return false;
        if (f.num != 0 && reads_as(x, &f)) return *found = f, true;
    }
    return false;
}

/*
 * What a person wrote is a small fraction per second: 0.1 is 1 per 10 s. Where that would take too long a period, a fraction per nanosecond
 * is fine enough; but for the very lowest rate, which reads as 1 per 10 years.
 */
static struct fc_fraction simplest_fraction(double permits_per_sec) {
    struct exact x = exact_of(permits_per_sec);
    struct fc_fraction f = {1, FLOWCTL_PERIOD_MAX_NS};
    const fc_u128 one = (fc_u128)1 << x.shift;
    if (!first_that_reads(&x, one, FLOWCTL_NS_PER_SEC, &f)) first_that_reads(&x, one * FLOWCTL_NS_PER_SEC, 1, &f);
    return f;
}

flowctl_status flowctl_rate_from_double(double permits_per_sec, flowctl_rate *rate, flowctl_error *err) {
    if (rate == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "rate: the out-pointer is NULL");
    if (!(permits_per_sec > 0) || !isfinite(permits_per_sec))
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "permits_per_sec is %.17g: must be a finite number above 0", permits_per_sec);
    const double least = 1e9 / (double)FLOWCTL_PERIOD_MAX_NS;
    if (permits_per_sec > (double)FLOWCTL_RATE_MAX_PER_SEC)
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT,
                       "permits_per_sec is %.17g: the nearest that can be represented is 10000000000", permits_per_sec);
    if (permits_per_sec < least)
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT,
                       "permits_per_sec is %.17g: the nearest that can be represented is %.17g (1 per 10 years)",
                       permits_per_sec, least);
    struct fc_fraction f = simplest_fraction(permits_per_sec);
    *rate = flowctl_per((uint64_t)f.num, (uint64_t)f.den);
    return FLOWCTL_OK;
}

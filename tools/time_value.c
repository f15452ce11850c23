#include "time_value.h"

#include "civil_time.h"
#include "date_text.h"
#include "wide.h"

/* Beyond so many digits a number is too large, or they are decimals that are cut off: the sum stays below 10^37. */
#define DIGITS_MAX 36
/* No exponent that makes sense is larger; what is larger needs no more than to stay so. */
#define EXPONENT_MAX 9999

/* digits x 10^exponent, all digits beyond DIGITS_MAX cut off. */
struct decimal {
    fct_u128 digits;
    int exponent;
};

static bool read_digit_run(struct fct_cursor *c, struct decimal *d, int *count, bool decimals) {
    const char *first = c->at;
    for (; c->at < c->end && fct_is_digit(*c->at); c->at++) {
        bool kept = *count < DIGITS_MAX;
        if (kept) d->digits = d->digits * 10 + (unsigned)(*c->at - '0');
        if (kept && d->digits != 0) ++*count; /* zeros in front are no digits */
        if (kept && decimals) d->exponent--;
        if (!kept && !decimals && d->exponent < EXPONENT_MAX) d->exponent++;
    }
    return c->at > first || fct_broken(c, "a digit belongs here");
}

static bool read_exponent(struct fct_cursor *c, struct decimal *d) {
    int exponent = 0;
    bool negative = c->at < c->end && *c->at == '-';
    if (c->at < c->end && (*c->at == '-' || *c->at == '+')) c->at++;
    const char *first = c->at;
    for (; c->at < c->end && fct_is_digit(*c->at); c->at++)
        if (exponent < EXPONENT_MAX) exponent = exponent * 10 + (*c->at - '0');
    d->exponent += negative ? -exponent : exponent;
    return c->at > first || fct_broken(c, "a digit belongs here");
}

static bool read_decimal(struct fct_cursor *c, struct decimal *d) {
    int count = 0;
    *d = (struct decimal){0, 0};
    if (!read_digit_run(c, d, &count, false)) return false;
    if (c->at < c->end && *c->at == '.' && (c->at++, !read_digit_run(c, d, &count, true))) return false;
    return c->at == c->end || (*c->at != 'e' && *c->at != 'E') || (c->at++, read_exponent(c, d));
}

/* d x 10^shift, rounded down; false if that reaches `limit`, which is below 2^64. */
static bool scale(const struct decimal *d, int shift, uint64_t limit, uint64_t *value) {
    fct_u128 v = d->digits;
    int power = d->exponent + shift;
    for (; power < 0 && v != 0; power++) v /= 10;
    for (; power > 0 && v != 0 && v < limit; power--) v *= 10;
    *value = (uint64_t)v;
    return v < limit;
}

/* Seconds stay below 10^11 until the year 5138; ms, us and ns are above it from March 1973. */
static int power_of_unit(const struct decimal *d, enum fct_time_unit unit) {
    uint64_t whole;
    switch (unit) {
    case FCT_TIME_S: return 9;
    case FCT_TIME_MS: return 6;
    case FCT_TIME_US: return 3;
    case FCT_TIME_NS: return 0;
    case FCT_TIME_AUTO: break;
    }
    if (scale(d, 0, UINT64_C(100000000000), &whole)) return 9;
    if (scale(d, 0, UINT64_C(100000000000000), &whole)) return 6;
    if (scale(d, 0, UINT64_C(100000000000000000), &whole)) return 3;
    return 0;
}

static bool read_number(struct fct_cursor *c, enum fct_time_unit unit, uint64_t *time_ns) {
    struct decimal d;
    const char *first = c->at;
    if (!read_decimal(c, &d)) return false;
    return scale(&d, power_of_unit(&d, unit), FCT_TIME_END_NS, time_ns) ||
           fct_broken_at(c, first, "the time is not in 1970 to 2500: is it in the --time-unit?");
}

/* What tells the kinds of a time apart is the first byte that is no digit. */
static bool read_any(struct fct_cursor *c, enum fct_time_unit unit, uint64_t *time_ns) {
    const char *mark = c->at;
    while (mark < c->end && fct_is_digit(*mark)) mark++;
    if (c->at < c->end && *c->at == '-') return fct_broken(c, "the time lies before 1970");
    if (mark == c->at) return fct_broken(c, "a time belongs here: a date or a number");
    if (mark < c->end && *mark == '/') return fct_read_clf_date(c, time_ns);
    if (mark < c->end && *mark == '-') return fct_read_iso_date(c, time_ns);
    return read_number(c, unit, time_ns);
}

bool fct_time_value(const char *text, size_t length, enum fct_time_unit unit, uint64_t *time_ns, struct fct_fault *fault) {
    struct fct_cursor c = {text, text, text + length, fault};
    while (c.at < c.end && *c.at == ' ') c.at++;
    while (c.end > c.at && c.end[-1] == ' ') c.end--;
    return read_any(&c, unit, time_ns) && (c.at == c.end || fct_broken(&c, "nothing belongs behind the time"));
}

/* Rates, durations and counts as people write them. Exact: decimals are fractions from the first digit to the last. */
#include "base/error.h"
#include "base/wide.h"

#include <flowctl/rate.h>
#include <string.h>

struct cursor {
    const char *text, *at;
    const char *what; /* "rate", "duration", "count": for messages */
    flowctl_error *err;
};

struct word {
    const char *name;
    uint64_t value;
};

static const struct word periods[] = {
    {"ns", 1},
    {"nanosecond", 1},
    {"nanoseconds", 1},
    {"us", FLOWCTL_NS_PER_US},
    {"\xc2\xb5s", FLOWCTL_NS_PER_US}, /* µs */
    {"microsecond", FLOWCTL_NS_PER_US},
    {"microseconds", FLOWCTL_NS_PER_US},
    {"ms", FLOWCTL_NS_PER_MS},
    {"millisecond", FLOWCTL_NS_PER_MS},
    {"milliseconds", FLOWCTL_NS_PER_MS},
    {"s", FLOWCTL_NS_PER_SEC},
    {"sec", FLOWCTL_NS_PER_SEC},
    {"second", FLOWCTL_NS_PER_SEC},
    {"seconds", FLOWCTL_NS_PER_SEC},
    {"m", FLOWCTL_NS_PER_MIN},
    {"min", FLOWCTL_NS_PER_MIN},
    {"minute", FLOWCTL_NS_PER_MIN},
    {"minutes", FLOWCTL_NS_PER_MIN},
    {"h", FLOWCTL_NS_PER_HOUR},
    {"hour", FLOWCTL_NS_PER_HOUR},
    {"hours", FLOWCTL_NS_PER_HOUR},
    {"d", FLOWCTL_NS_PER_DAY},
    {"day", FLOWCTL_NS_PER_DAY},
    {"days", FLOWCTL_NS_PER_DAY},
    {"w", 7 * FLOWCTL_NS_PER_DAY},
    {"week", 7 * FLOWCTL_NS_PER_DAY},
    {"weeks", 7 * FLOWCTL_NS_PER_DAY},
    {"y", FLOWCTL_NS_PER_YEAR},
    {"year", FLOWCTL_NS_PER_YEAR},
    {"years", FLOWCTL_NS_PER_YEAR},
};

static const struct word multiples[] = {
    {"", 1},
    {"k", UINT64_C(1000)},
    {"K", UINT64_C(1000)},
    {"M", UINT64_C(1000000)},
    {"G", UINT64_C(1000000000)},
    {"T", UINT64_C(1000000000000)},
    {"Ki", UINT64_C(1) << 10},
    {"Mi", UINT64_C(1) << 20},
    {"Gi", UINT64_C(1) << 30},
    {"Ti", UINT64_C(1) << 40},
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* A word ends where a number, a space or a '/' begins; bytes above 127 belong to it (µ). */
static size_t word_length(const char *at) {
    size_t n = 0;
    while ((at[n] >= 'a' && at[n] <= 'z') || (at[n] >= 'A' && at[n] <= 'Z') || (unsigned char)at[n] > 127) n++;
    return n;
}

static const struct word *find(const struct word *words, size_t count, const char *at, size_t length) {
    for (size_t i = 0; i < count; i++)
        if (strlen(words[i].name) == length && memcmp(words[i].name, at, length) == 0) return &words[i];
    return NULL;
}

static int offset_of(const struct cursor *c) { return (int)(c->at - c->text); }

static flowctl_status syntax(const struct cursor *c, const char *remedy) {
    if (*c->at == '\0')
        return fc_fail(c->err, FLOWCTL_SYNTAX, offset_of(c), "%s \"%.60s\": ends too early: %s", c->what, c->text, remedy);
    return fc_fail(c->err, FLOWCTL_SYNTAX, offset_of(c), "%s \"%.60s\": can't read \"%.20s\": %s", c->what, c->text, c->at,
                   remedy);
}

static flowctl_status too_long(const struct cursor *c) {
    return fc_fail(c->err, FLOWCTL_OUT_OF_RANGE, offset_of(c),
                   "%s \"%.60s\": needs more than 64 bits to be exact: use fewer digits", c->what, c->text);
}

/* Digits up to here may stand in a text; the value has to fit 64 bits only in lowest terms, with its multiple and period. */
#define DIGITS_MAX (((fc_u128)1 << 96) - 1)

/* Zeroes behind the point change nothing until another digit follows. */
static bool append_digit(fc_u128 *digits, fc_u128 *scale, unsigned *zeroes, bool point, char digit) {
    if (point && digit == '0') return ++*zeroes, true;
    for (unsigned i = 0; i <= *zeroes; i++) {
        *digits *= 10;
        if (point) *scale *= 10;
        if (*digits > DIGITS_MAX || *scale > DIGITS_MAX) return false;
    }
    *zeroes = 0;
    *digits += (unsigned)(digit - '0');
    return true;
}

/* DIGITS ["." DIGITS] into an exact fraction. A length of nothing is a length, where a rate of nothing is no rate: 0 only if it is allowed. */
static flowctl_status read_number(struct cursor *c, struct fc_fraction *value, bool zero_allowed) {
    const char *first = c->at;
    if (*c->at == '-') return syntax(c, "negative values are not allowed");
    if (!is_digit(*c->at)) return syntax(c, "a number belongs here, as 600 or 1.5");
    fc_u128 digits = 0, scale = 1;
    unsigned zeroes = 0;
    bool point = false;
    for (; is_digit(*c->at) || (*c->at == '.' && !point); c->at++) {
        if (*c->at == '.') {
            point = true;
            if (!is_digit(c->at[1])) return c->at++, syntax(c, "a digit belongs behind the point");
        } else if (!append_digit(&digits, &scale, &zeroes, point, *c->at)) {
            return too_long(c);
        }
    }
    if (digits == 0 && !zero_allowed) return c->at = first, syntax(c, "must be more than 0");
    fc_u128 common = fc_gcd(digits, scale);
    *value = (struct fc_fraction){digits / common, scale / common};
    return FLOWCTL_OK;
}

static flowctl_status read_multiple(struct cursor *c, struct fc_fraction *value, flowctl_unit *unit) {
    size_t length = word_length(c->at);
    bool bytes = length > 0 && c->at[length - 1] == 'B';
    const struct word *found = find(multiples, sizeof multiples / sizeof *multiples, c->at, length - bytes);
    if (found == NULL)
        return syntax(c, "a multiple is k, M, G, T (powers of 1000) or Ki, Mi, Gi, Ti (of 1024), with B for bytes");
    if (!fc_fraction_mul(value, found->value, 1)) return too_long(c);
    if (unit != NULL) *unit = bytes ? FLOWCTL_UNIT_BYTES : FLOWCTL_UNIT_PERMITS;
    c->at += length;
    return FLOWCTL_OK;
}

static flowctl_status read_period(struct cursor *c, uint64_t *ns) {
    size_t length = word_length(c->at);
    const struct word *found = find(periods, sizeof periods / sizeof *periods, c->at, length);
    if (found == NULL) return syntax(c, "a period is one of ns us ms s min h d w y");
    *ns = found->value;
    c->at += length;
    return FLOWCTL_OK;
}

static flowctl_status read_end(struct cursor *c) {
    return *c->at == '\0' ? FLOWCTL_OK : syntax(c, "nothing belongs behind the end");
}

static flowctl_status begin(struct cursor *c, const char *what, const char *text, const void *out, flowctl_error *err) {
    *c = (struct cursor){text, text, what, err};
    if (text == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "%s: text is NULL", what);
    if (out == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "%s: the out-pointer is NULL", what);
    return FLOWCTL_OK;
}

flowctl_status flowctl_rate_parse(const char *text, flowctl_rate *rate, flowctl_unit *unit, flowctl_error *err) {
    struct cursor c;
    struct fc_fraction value, count = {1, 1};
    flowctl_unit counted = FLOWCTL_UNIT_PERMITS;
    uint64_t period = 0;
    flowctl_status s = begin(&c, "rate", text, rate, err);
    if (s == FLOWCTL_OK) s = read_number(&c, &value, false);
    if (s == FLOWCTL_OK) s = read_multiple(&c, &value, &counted);
    if (s != FLOWCTL_OK) return s;
    if (*c.at != '/') return syntax(&c, "a rate is COUNT/PERIOD, as 600/min");
    c.at++;
    if (is_digit(*c.at) || *c.at == '-') s = read_number(&c, &count, false);
    if (s == FLOWCTL_OK) s = read_period(&c, &period);
    if (s == FLOWCTL_OK) s = read_end(&c);
    if (s != FLOWCTL_OK) return s;
    if (!fc_fraction_mul(&value, count.den, count.num) || !fc_fraction_mul(&value, 1, period) || value.num > UINT64_MAX ||
        value.den > UINT64_MAX)
        return c.at = text, too_long(&c);
    *rate = flowctl_per((uint64_t)value.num, (uint64_t)value.den);
    if (unit != NULL) *unit = counted;
    return FLOWCTL_OK;
}

/* A fraction that must be a whole number of 64 bits. */
static flowctl_status whole(struct cursor *c, const struct fc_fraction *value, const char *of, uint64_t *out) {
    c->at = c->text;
    if (value->den != 1)
        return fc_fail(c->err, FLOWCTL_OUT_OF_RANGE, 0, "%s \"%.60s\": is not a whole number of %s", c->what, c->text, of);
    if (value->num > UINT64_MAX) return too_long(c);
    *out = (uint64_t)value->num;
    return FLOWCTL_OK;
}

flowctl_status flowctl_duration_parse(const char *text, uint64_t *ns, flowctl_error *err) {
    struct cursor c;
    struct fc_fraction value = {0, 1};
    uint64_t period = 1;
    flowctl_status s = begin(&c, "duration", text, ns, err);
    if (s != FLOWCTL_OK) return s;
    s = read_number(&c, &value, true);
    /* "0" is the one duration that needs no unit. */
    if (s == FLOWCTL_OK && !(value.num == 0 && *c.at == '\0')) s = read_period(&c, &period);
    if (s == FLOWCTL_OK) s = read_end(&c);
    if (s != FLOWCTL_OK) return s;
    if (!fc_fraction_mul(&value, period, 1)) return too_long(&c);
    return whole(&c, &value, "nanoseconds", ns);
}

flowctl_status flowctl_count_parse(const char *text, uint64_t *count, flowctl_unit *unit, flowctl_error *err) {
    struct cursor c;
    struct fc_fraction value = {0, 1};
    flowctl_unit counted = FLOWCTL_UNIT_PERMITS;
    uint64_t result = 0;
    flowctl_status s = begin(&c, "count", text, count, err);
    if (s != FLOWCTL_OK) return s;
    s = read_number(&c, &value, true);
    if (s == FLOWCTL_OK) s = read_multiple(&c, &value, &counted);
    if (s == FLOWCTL_OK) s = read_end(&c);
    if (s == FLOWCTL_OK) s = whole(&c, &value, "permits or bytes", &result);
    if (s != FLOWCTL_OK) return s;
    *count = result;
    if (unit != NULL) *unit = counted;
    return FLOWCTL_OK;
}

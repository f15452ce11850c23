#include "text.h"

#include "wide.h"

#include <flowctl/rate.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>

static bool continues(unsigned char byte) { return (byte & 0xC0) == 0x80; }

/* Bytes of the UTF-8 character at `at`, 0 if there is none. Surrogates and overlong forms are none. */
static size_t utf8_length(const unsigned char *at) {
    if (at[0] < 0x80) return 1;
    if (at[0] < 0xC2) return 0;
    if (!continues(at[1])) return 0;
    if (at[0] < 0xE0) return 2;
    if (!continues(at[2])) return 0;
    if (at[0] < 0xF0) {
        bool overlong = at[0] == 0xE0 && at[1] < 0xA0, surrogate = at[0] == 0xED && at[1] > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    if (at[0] > 0xF4 || !continues(at[3])) return 0;
    bool overlong = at[0] == 0xF0 && at[1] < 0x90, beyond = at[0] == 0xF4 && at[1] > 0x8F;
    return overlong || beyond ? 0 : 4;
}

/* C0, DEL, and C1 (U+0080 ... U+009F), which some terminals obey too. */
static bool is_control(const unsigned char *at) { return at[0] < 0x20 || at[0] == 0x7F || (at[0] == 0xC2 && at[1] < 0xA0); }

void fct_text_printable(char *out, size_t size, const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;
    while (*at != '\0') {
        size_t length = utf8_length(at);
        bool plain = length != 0 && !is_control(at);
        size_t add = plain ? length : 1;
        if (used + add >= size) break;
        if (plain) memcpy(out + used, at, length);
        else out[used] = '?';
        used += add;
        at += length != 0 ? length : 1;
    }
    out[used] = '\0';
}

/* "3 h 5 min", "3 h". */
static void two_units(char *out, size_t size, uint64_t ns, uint64_t large_ns, const char *large, uint64_t small_ns,
                      const char *small) {
    uint64_t rest = ns % large_ns / small_ns;
    if (rest == 0) snprintf(out, size, "%" PRIu64 " %s", ns / large_ns, large);
    else snprintf(out, size, "%" PRIu64 " %s %" PRIu64 " %s", ns / large_ns, large, rest, small);
}

void fct_text_duration(char *out, size_t size, uint64_t ns) {
    if (ns == FLOWCTL_FOREVER) snprintf(out, size, "for ever");
    else if (ns < FLOWCTL_NS_PER_US) snprintf(out, size, "%" PRIu64 " ns", ns);
    else if (ns < FLOWCTL_NS_PER_MS) snprintf(out, size, "%.4g us", (double)ns / 1e3);
    else if (ns < FLOWCTL_NS_PER_SEC) snprintf(out, size, "%.4g ms", (double)ns / 1e6);
    else if (ns < FLOWCTL_NS_PER_MIN) snprintf(out, size, "%.3g s", (double)ns / 1e9);
    else if (ns < FLOWCTL_NS_PER_HOUR) two_units(out, size, ns, FLOWCTL_NS_PER_MIN, "min", FLOWCTL_NS_PER_SEC, "s");
    else if (ns < FLOWCTL_NS_PER_DAY) two_units(out, size, ns, FLOWCTL_NS_PER_HOUR, "h", FLOWCTL_NS_PER_MIN, "min");
    else two_units(out, size, ns, FLOWCTL_NS_PER_DAY, "d", FLOWCTL_NS_PER_HOUR, "h");
}

static const struct {
    uint64_t ns;
    const char *name;
} periods[] = {{FLOWCTL_NS_PER_SEC, "s"}, {FLOWCTL_NS_PER_MIN, "min"}, {FLOWCTL_NS_PER_HOUR, "h"}, {FLOWCTL_NS_PER_DAY, "day"}};
#define PERIODS (sizeof periods / sizeof *periods)

/* In integers: a rate rounded down by an ulp is a rate that denies something. */
void fct_text_rate(char *out, size_t size, uint64_t permits, uint64_t period_ns) {
    size_t i = 0;
    while (i + 1 < PERIODS && (fct_u128)permits * periods[i].ns < period_ns) i++;
    fct_u128 total = (fct_u128)permits * periods[i].ns;
    unsigned decimals = total < (fct_u128)10 * period_ns ? 2 : total < (fct_u128)100 * period_ns ? 1 : 0;
    unsigned scale = decimals == 2 ? 100 : decimals == 1 ? 10 : 1;
    /* Of less than 2^63 permits per 1 ns, a product per day stays below 2^110. */
    fct_u128 rounded = (total * scale + period_ns - 1) / period_ns;
    uint64_t whole = (uint64_t)(rounded / scale), rest = (uint64_t)(rounded % scale);
    if (rest == 0) snprintf(out, size, "%" PRIu64 "/%s", whole, periods[i].name);
    else snprintf(out, size, "%" PRIu64 ".%0*" PRIu64 "/%s", whole, (int)decimals, rest, periods[i].name);
}

void fct_text_exact_rate(char *out, size_t size, uint64_t permits, uint64_t period_ns) {
    static const char *const names[] = {"ns", "us", "ms", "s"};
    unsigned unit = 0;
    for (; unit < 3 && period_ns % 1000 == 0; unit++) period_ns /= 1000;
    snprintf(out, size, "%" PRIu64 "/%" PRIu64 "%s", permits, period_ns, names[unit]);
}

void fct_text_short_number(char *out, size_t size, double value) {
    static const char *const powers[] = {"", " k", " M", " G", " T", " P", " E"};
    unsigned power = 0;
    /* 999.5 would be shown as "1e+03" by %.3g. */
    while (value >= 999.5 && power + 1 < sizeof powers / sizeof *powers) value /= 1000, power++;
    snprintf(out, size, "%.3g%s", value, powers[power]);
}

bool fct_text_is_utf8(void) { return strcmp(nl_langinfo(CODESET), "UTF-8") == 0; }

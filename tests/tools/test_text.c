/* Values as people read them, and texts that must not do harm. */
#include "text.h"

#include <flowctl/rate.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect_duration(uint64_t ns, const char *expected) {
    char text[32];
    fct_text_duration(text, sizeof text, ns);
    assert_string_equal(text, expected);
}

static void durations(void **state) {
    (void)state;
    expect_duration(0, "0 ns");
    expect_duration(999, "999 ns");
    expect_duration(1500, "1.5 us");
    expect_duration(FLOWCTL_NS_PER_MS, "1 ms");
    expect_duration(1500 * FLOWCTL_NS_PER_MS, "1.5 s");
    expect_duration(200 * FLOWCTL_NS_PER_SEC, "3 min 20 s");
    expect_duration(30 * FLOWCTL_NS_PER_MIN, "30 min");
    expect_duration(25 * FLOWCTL_NS_PER_HOUR, "1 d 1 h");
    expect_duration(FLOWCTL_FOREVER, "for ever");
}

static void expect_number(double value, const char *expected) {
    char text[32];
    fct_text_short_number(text, sizeof text, value);
    assert_string_equal(text, expected);
}

static void short_numbers(void **state) {
    (void)state;
    expect_number(0, "0");
    expect_number(999, "999");
    expect_number(999.7, "1 k");
    expect_number(12345, "12.3 k");
    expect_number(2.5e9, "2.5 G");
    expect_number(1.8e19, "18 E");
}

static void expect_rate(uint64_t permits, uint64_t period_ns, const char *expected, const char *exactly) {
    char text[64];
    fct_text_rate(text, sizeof text, permits, period_ns);
    assert_string_equal(text, expected);
    fct_text_exact_rate(text, sizeof text, permits, period_ns);
    assert_string_equal(text, exactly);
}

/* Rounded up: what is read off the report must be enough. */
static void rates(void **state) {
    (void)state;
    expect_rate(367, 300 * FLOWCTL_NS_PER_SEC, "1.23/s", "367/300s");
    expect_rate(73, 60 * FLOWCTL_NS_PER_SEC, "1.22/s", "73/60s");
    expect_rate(734, 601 * FLOWCTL_NS_PER_SEC, "1.23/s", "734/601s");
    expect_rate(1, FLOWCTL_NS_PER_SEC, "1/s", "1/1s");
    expect_rate(3, 4 * FLOWCTL_NS_PER_SEC, "45/min", "3/4s");
    expect_rate(1, 100 * FLOWCTL_NS_PER_MS, "10/s", "1/100ms");
    expect_rate(999, 1000000, "999000/s", "999/1ms");
    expect_rate(1999, 20 * FLOWCTL_NS_PER_SEC, "100/s", "1999/20s");
    expect_rate(1, 2 * FLOWCTL_NS_PER_YEAR, "0.01/day", "1/63072000s");
    expect_rate(10, 1, "10000000000/s", "10/1ns");
    expect_rate(1, UINT64_MAX, "0.01/day", "1/18446744073709551615ns");
}

static void expect_printable(const char *text, const char *expected) {
    char out[16];
    fct_text_printable(out, sizeof out, text);
    assert_string_equal(out, expected);
}

static void printable(void **state) {
    (void)state;
    expect_printable("", "");
    expect_printable("plain", "plain");
    expect_printable("\x1b[31m\n\x7f", "?[31m??");
    expect_printable("\xc2\xb5s \xe2\x82\xac \xf0\x9f\x98\x80", "\xc2\xb5s \xe2\x82\xac \xf0\x9f\x98\x80");
    expect_printable("\xc2\x9b", "?");                             /* a control sequence of one character */
    expect_printable("\xc0\xaf\xed\xa0\x80", "?????");             /* overlong, surrogate */
    expect_printable("\xf4\x90\x80\x80 \xe0\x80\x80", "???? ???"); /* beyond Unicode, overlong */
    expect_printable("a\xe2\x82", "a??");                          /* cut off */
    expect_printable("123456789012345\xc2\xb5", "123456789012345");
    expect_printable("12345678901234\xc2\xb5", "12345678901234"); /* not half a character */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(durations), cmocka_unit_test(short_numbers), cmocka_unit_test(rates),
                                       cmocka_unit_test(printable)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Times as fields of a log: dates of three kinds, and numbers, exact to the nanosecond. */
#include "civil_time.h"
#include "time_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* From a block of the exact size: reading one byte too many is an error that sanitizers see. */
static bool read(const char *text, enum fct_time_unit unit, uint64_t *time_ns, struct fct_fault *fault) {
    size_t length = strlen(text);
    char *copy = malloc(length + (length == 0));
    memcpy(copy, text, length);
    bool is_time = fct_time_value(copy, length, unit, time_ns, fault);
    free(copy);
    return is_time;
}

static void expect(const char *text, enum fct_time_unit unit, uint64_t expected) {
    uint64_t time_ns = 0;
    struct fct_fault fault = {"", 0};
    if (!read(text, unit, &time_ns, &fault)) fail_msg("%s: column %zu: %s", text, fault.column, fault.reason);
    if (time_ns != expected) fail_msg("%s: %" PRIu64 " is not %" PRIu64, text, time_ns, expected);
}

static void expect_fault(const char *text, size_t column, const char *reason) {
    uint64_t time_ns;
    struct fct_fault fault = {"", 0};
    if (read(text, FCT_TIME_AUTO, &time_ns, &fault)) fail_msg("%s is no time", text);
    if (fault.column != column || strstr(fault.reason, reason) == NULL)
        fail_msg("%s: column %zu: %s", text, fault.column, fault.reason);
}

#define MOMENT UINT64_C(1431857103000000000) /* 2015-05-17T10:05:03Z */

static void dates(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t rest_ns;
    } cases[] = {
        {"2015-05-17T10:05:03Z", 0},
        {"2015-05-17t10:05:03z", 0},
        {"2015-05-17 10:05:03", 0},
        {"  2015-05-17 10:05:03 ", 0},
        {"2015-05-17T12:35:03+02:30", 0},
        {"2015-05-17T12:35:03 +0230", 0},
        {"2015-05-17T08:05:03-02", 0},
        {"2015-05-17 10:05:03 Z", 0},
        {"2015-05-17T10:05:03.5Z", 500000000},
        {"2015-05-17T10:05:03,123", 123000000},
        {"2015-05-17T10:05:03.123456789+00:00", 123456789},
        {"2015-05-17T10:05:03.1234567899999Z", 123456789},
        {"2015-05-17T10:05:03.000000001", 1},
        {"17/May/2015:10:05:03 +0000", 0},
        {"17/May/2015:12:05:03 +0200", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].text, FCT_TIME_AUTO, MOMENT + cases[i].rest_ns);
    expect("2015-05-17T10:04:60.5Z", FCT_TIME_AUTO, MOMENT - UINT64_C(2500000000)); /* a leap second */
    expect("1970-01-01T00:00:00Z", FCT_TIME_MS, 0);
    expect("2500-12-31T23:59:59.999999999Z", FCT_TIME_AUTO, FCT_TIME_END_NS - 1);
}

static void numbers(void **state) {
    (void)state;
    expect("1431857103", FCT_TIME_AUTO, MOMENT);
    expect("1431857103.000000001", FCT_TIME_AUTO, MOMENT + 1); /* a double would lose it */
    expect("1431857103.1234567899", FCT_TIME_AUTO, MOMENT + 123456789);
    expect("1431857103123.4567", FCT_TIME_AUTO, MOMENT + 123456700);
    expect("1431857103123456.789", FCT_TIME_AUTO, MOMENT + 123456789);
    expect("1431857103123456789", FCT_TIME_AUTO, MOMENT + 123456789);
    expect("1.431857103e9", FCT_TIME_AUTO, MOMENT);
    expect("1431857103123456789e-9", FCT_TIME_AUTO, MOMENT + 123456789);
    expect("0.001431857103E+12", FCT_TIME_AUTO, MOMENT);
    expect("000000000000000000000000000000000000000000001431857103", FCT_TIME_AUTO, MOMENT);
    expect("1431857103.0000000000000000000000000000000000000000000000009", FCT_TIME_AUTO, MOMENT);
    expect("0", FCT_TIME_AUTO, 0);
    expect("0e9999999999", FCT_TIME_AUTO, 0);
    expect("9e-99999999999", FCT_TIME_S, 0);
    expect("0.000000001", FCT_TIME_S, 1);
}

/* Where one unit ends and the next begins; and each unit where its number would be taken for another. */
static void units(void **state) {
    (void)state;
    expect("16756761599.999999999", FCT_TIME_AUTO, FCT_TIME_END_NS - 1);
    expect_fault("99999999999.9", 1, "1970 to 2500");
    expect("100000000000", FCT_TIME_AUTO, UINT64_C(100000000000) * 1000000);
    expect_fault("99999999999999", 1, "1970 to 2500");
    expect("100000000000000", FCT_TIME_AUTO, UINT64_C(100000000000000) * 1000);
    expect_fault("99999999999999999", 1, "1970 to 2500");
    expect("100000000000000000", FCT_TIME_AUTO, UINT64_C(100000000000000000));
    expect("16756761599999999999", FCT_TIME_AUTO, FCT_TIME_END_NS - 1);
    expect_fault("16756761600000000000", 1, "1970 to 2500");
    expect("5", FCT_TIME_S, 5000000000);
    expect("5", FCT_TIME_MS, 5000000);
    expect("5", FCT_TIME_US, 5000);
    expect("5", FCT_TIME_NS, 5);
    expect("5.9", FCT_TIME_NS, 5);
    expect("0.0015", FCT_TIME_MS, 1500);
}

static void faults(void **state) {
    (void)state;
    expect_fault("", 1, "a date or a number");
    expect_fault("yesterday", 1, "a date or a number");
    expect_fault("-1", 1, "before 1970");
    expect_fault("12x", 3, "nothing belongs behind");
    expect_fault("1.", 3, "a digit");
    expect_fault("1e", 3, "a digit");
    expect_fault("1e9999999", 1, "1970 to 2500");
    expect_fault("99999999999999999999999999999999999999999999", 1, "1970 to 2500");
    expect_fault("2015-13-01T00:00:00Z", 6, "no such month");
    expect_fault("2015-02-29T00:00:00Z", 9, "no such day");
    expect_fault("2501-01-01T00:00:00Z", 1, "1970 to 2500");
    expect_fault("1969-12-31T23:59:59Z", 1, "1970 to 2500");
    expect_fault("1970-01-01T00:00:00+00:01", 1, "before 1970");
    expect_fault("2015-05-17", 11, "a time is yyyy-mm-ddTHH:MM:SS");
    expect_fault("2015-05-17T10:05", 17, "a time is yyyy-mm-ddTHH:MM:SS");
    expect_fault("2015-05-17T24:00:00", 12, "no such time");
    expect_fault("2015-05-17T10:05:03.Z", 21, "decimals");
    expect_fault("2015-05-17T10:05:03+2", 22, "an offset is");
    expect_fault("2015-05-17T10:05:03+02:3", 25, "an offset is");
    expect_fault("2015-05-17T10:05:03+24:00", 20, "an offset is");
    expect_fault("2015-05-17T10:05:03 CET", 20, "an offset is");
    expect_fault("2015-05-17T10:05:03Zx", 21, "nothing belongs behind");
    expect_fault("17/May/2015:10:05:03", 21, "a time is dd/Mon/yyyy");
    expect_fault("32/May/2015:10:05:03 +0000", 1, "no such day");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(dates), cmocka_unit_test(numbers), cmocka_unit_test(units),
                                       cmocka_unit_test(faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Dates and times, against the C library's own calendar. */
#include "civil_time.h"

#include <flowctl/rate.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_day_agrees_with_libc(void **state) {
    (void)state;
    uint64_t expected_ns = 0, time_ns;
    for (unsigned year = FCT_YEAR_MIN; year <= FCT_YEAR_MAX; year++)
        for (unsigned month = 1; month <= 12; month++)
            for (unsigned day = 1; day <= fct_days_in_month(year, month); day++, expected_ns += FLOWCTL_NS_PER_DAY) {
                struct fct_civil civil = {year, month, day, 0, 0, 0, 0};
                assert_true(fct_civil_to_ns(&civil, &time_ns));
                assert_int_equal(time_ns, expected_ns);
                time_t seconds = (time_t)(time_ns / FLOWCTL_NS_PER_SEC);
                struct tm utc;
                gmtime_r(&seconds, &utc);
                assert_int_equal(utc.tm_year + 1900, year);
                assert_int_equal(utc.tm_mon + 1, month);
                assert_int_equal(utc.tm_mday, day);
            }
}

static void months(void **state) {
    (void)state;
    assert_int_equal(fct_days_in_month(2015, 0), 0);
    assert_int_equal(fct_days_in_month(2015, 13), 0);
    assert_int_equal(fct_days_in_month(2000, 2), 29);
    assert_int_equal(fct_days_in_month(2100, 2), 28);
    assert_int_equal(fct_days_in_month(2016, 2), 29);
    assert_int_equal(fct_days_in_month(2015, 2), 28);
}

static void zones_and_the_beginning(void **state) {
    (void)state;
    uint64_t time_ns = 7;
    struct fct_civil east = {1970, 1, 1, 0, 59, 59, 60}, west = {1970, 1, 1, 0, 0, 0, -60}, even = {1970, 1, 1, 1, 0, 0, 60};
    assert_false(fct_civil_to_ns(&east, &time_ns));
    assert_int_equal(time_ns, 7);
    assert_true(fct_civil_to_ns(&west, &time_ns));
    assert_int_equal(time_ns, FLOWCTL_NS_PER_HOUR);
    assert_true(fct_civil_to_ns(&even, &time_ns));
    assert_int_equal(time_ns, 0);
}

static void leap_second(void **state) {
    (void)state;
    uint64_t leap_ns, next_ns;
    struct fct_civil leap = {2016, 12, 31, 23, 59, 60, 0}, next = {2017, 1, 1, 0, 0, 0, 0};
    assert_true(fct_civil_to_ns(&leap, &leap_ns));
    assert_true(fct_civil_to_ns(&next, &next_ns));
    assert_int_equal(leap_ns, next_ns);
}

static void iso(void **state) {
    (void)state;
    char text[FCT_ISO_TIME_SIZE];
    struct fct_civil civil = {2015, 5, 17, 10, 5, 3, 0};
    uint64_t time_ns;
    fct_civil_to_ns(&civil, &time_ns);
    fct_iso_time(text, sizeof text, time_ns);
    assert_string_equal(text, "2015-05-17T10:05:03Z");
    fct_iso_time(text, sizeof text, time_ns + 1);
    assert_string_equal(text, "2015-05-17T10:05:03.000000001Z");
    fct_iso_time(text, sizeof text, 0);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    fct_iso_time(text, sizeof text, UINT64_MAX);
    assert_string_equal(text, "2554-07-21T23:34:33.709551615Z");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_agrees_with_libc),
        cmocka_unit_test(months),
        cmocka_unit_test(zones_and_the_beginning),
        cmocka_unit_test(leap_second),
        cmocka_unit_test(iso),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

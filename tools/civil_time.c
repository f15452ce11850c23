#include "civil_time.h"

#include <flowctl/rate.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static bool is_leap(unsigned year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

unsigned fct_days_in_month(unsigned year, unsigned month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12) return 0;
    return days[month - 1] + (unsigned)(month == 2 && is_leap(year));
}

/* Leap years from year 1 up to and including `year`. */
static unsigned leap_years(unsigned year) { return year / 4 - year / 100 + year / 400; }

static unsigned days_since_1970(unsigned year, unsigned month, unsigned day) {
    static const uint16_t before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned leap_days = leap_years(year - 1) - leap_years(1969) + (unsigned)(month > 2 && is_leap(year));
    return (year - 1970) * 365 + leap_days + before_month[month - 1] + day - 1;
}

/* Integer arithmetic instead of timegm: no locks, no locale, no struct tm, millions of times per second. */
bool fct_civil_to_ns(const struct fct_civil *civil, uint64_t *time_ns) {
    int64_t minutes = (int64_t)days_since_1970(civil->year, civil->month, civil->day) * 1440 +
                      (int64_t)(civil->hour * 60 + civil->minute) - civil->offset_minutes;
    if (minutes < 0) return false;
    *time_ns = ((uint64_t)minutes * 60 + civil->second) * FLOWCTL_NS_PER_SEC;
    return true;
}

void fct_iso_time(char *out, size_t size, uint64_t time_ns) {
    struct tm utc;
    time_t seconds = (time_t)(time_ns / FLOWCTL_NS_PER_SEC);
    uint64_t rest_ns = time_ns % FLOWCTL_NS_PER_SEC;
    char date[FCT_ISO_TIME_SIZE];
    gmtime_r(&seconds, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    if (rest_ns == 0) snprintf(out, size, "%.19sZ", date);
    else snprintf(out, size, "%.19s.%09" PRIu64 "Z", date, rest_ns);
}

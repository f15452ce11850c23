/* Between calendar dates (proleptic Gregorian, UTC) and nanoseconds since 1970. Pure. */
#ifndef FCT_CIVIL_TIME_H
#define FCT_CIVIL_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FCT_YEAR_MIN 1970
#define FCT_YEAR_MAX 2500 /* 64 bits of nanoseconds reach to 2554 */
/* The first moment of the year after, in UTC. */
#define FCT_TIME_END_NS (UINT64_C(193944) * 86400 * 1000000000)

struct fct_civil {
    unsigned year, month, day;     /* 1 ... 12, 1 ... 31 */
    unsigned hour, minute, second; /* second 60 is a leap second, and the same moment as second 0 of the next minute */
    int offset_minutes;            /* local time minus UTC */
};

/* Days in a month; 0 for a month that is none. */
unsigned fct_days_in_month(unsigned year, unsigned month);

/* Fields must be in range. False if the moment lies before 1970. */
bool fct_civil_to_ns(const struct fct_civil *civil, uint64_t *time_ns);

/* ISO 8601, "2015-05-17T10:05:03Z", with nine decimals if it is not a whole second. `size` at least FCT_ISO_TIME_SIZE. */
#define FCT_ISO_TIME_SIZE 32
void fct_iso_time(char *out, size_t size, uint64_t time_ns);

#endif

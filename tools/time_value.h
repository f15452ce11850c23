/*
 * A time as a field of a log holds it: a date (RFC 3339, ISO 8601, or that of the common log format), or a number since 1970.
 * A number is read digit by digit and never passes through a double: exact to the nanosecond, digits beyond are cut off.
 * Pure.
 */
#ifndef FCT_TIME_VALUE_H
#define FCT_TIME_VALUE_H

#include "cursor.h"

#include <stdint.h>

/* What a bare number counts. */
enum fct_time_unit {
    FCT_TIME_AUTO, /* by its magnitude: seconds below 10^11, ms below 10^14, us below 10^17, else ns */
    FCT_TIME_S,
    FCT_TIME_MS,
    FCT_TIME_US,
    FCT_TIME_NS
};

/* Spaces around it are skipped. On a fault, its column counts from `text`. */
bool fct_time_value(const char *text, size_t length, enum fct_time_unit unit, uint64_t *time_ns, struct fct_fault *fault);

#endif

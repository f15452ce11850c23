/*
 * Dates as logs write them, to nanoseconds since 1970. Each reads at the cursor and leaves it behind the date; on a fault,
 * at the byte that is wrong. Pure.
 */
#ifndef FCT_DATE_TEXT_H
#define FCT_DATE_TEXT_H

#include "cursor.h"

#include <stdint.h>

/* "17/May/2015:10:05:03 +0000", of the common and the combined log format. */
bool fct_read_clf_date(struct fct_cursor *cursor, uint64_t *time_ns);

/*
 * RFC 3339, and what ISO 8601 and loggers vary: "2015-05-17T10:05:03.123456789+02:00"; T may be t or a space, the point a
 * comma, the offset Z, z, +hh:mm, +hhmm or +hh, a space before it; without one it is UTC. Decimals beyond the ninth are
 * cut off.
 */
bool fct_read_iso_date(struct fct_cursor *cursor, uint64_t *time_ns);

#endif

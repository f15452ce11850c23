/*
 * The smallest rate that denies nothing at a given burst. A bucket that is full at first denies nothing if and only if in
 * every window, from one request to another, cost <= burst + rate x length; so it is the greatest (cost - burst) / length of
 * all windows. Found exactly, in one pass, for a file as for a stream.
 *
 * How: draw each request as a point, its time to the right and what was asked for before it upwards. Then the rate sought is
 * the steepest line from a point to one further right that is lowered by the burst; and for any end, the best beginning
 * lies on the lower convex hull of the points. Beginnings below the best rate so far (those from which the hull rises less
 * steeply) can't win any more. What is left of the hull is kept: of ordinary logs a few points, even of hours.
 */
#ifndef FCT_SMALLEST_RATE_H
#define FCT_SMALLEST_RATE_H

#include "wide.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Points of the hull, 32 bytes each, that are kept at the most. */
#define FCT_HULL_MAX ((size_t)1 << 18)

struct fct_hull_point {
    uint64_t time_ns;
    fct_u128 before; /* permits asked for before this moment */
};

enum fct_rate_kind {
    FCT_RATE_FOUND,
    FCT_RATE_ANY,     /* the burst is enough for everything: any rate will do */
    FCT_RATE_NONE,    /* requests of one moment cost more than the burst: no rate helps */
    FCT_RATE_TOO_HIGH /* more than a limit's rate can be */
};

struct fct_rate_needed {
    enum fct_rate_kind kind;
    uint64_t permits, period_ns; /* FOUND: in lowest terms. ANY: 0 per 1 */
    uint64_t moment_max;         /* NONE: the greatest cost of one moment; stops at UINT64_MAX */
    bool exact;                  /* false: a lower bound, since more than the hull's room was needed */
};

struct fct_smallest_rate {
    uint64_t burst;
    struct fct_hull_point *hull; /* those in use: hull[first] ... hull[first + count - 1] */
    size_t first, count, room;
    fct_u128 total;   /* permits asked for, up to now */
    fct_u128 permits; /* the best rate so far: permits / period_ns, not in lowest terms */
    uint64_t period_ns;
    uint64_t moment_max; /* the greatest cost of one moment above the burst, or 0 */
    bool thinned;        /* the hull became too large: then the rate is a lower bound */
};

/* `room`: points to keep, at least 8. False: no memory. */
bool fct_smallest_rate_init(struct fct_smallest_rate *s, uint64_t burst, size_t room);
void fct_smallest_rate_cleanup(struct fct_smallest_rate *s);

/* One request; times must not go back. */
void fct_smallest_rate_add(struct fct_smallest_rate *s, uint64_t time_ns, uint64_t cost);

/* For what has been added so far. */
struct fct_rate_needed fct_smallest_rate_get(const struct fct_smallest_rate *running);

#endif

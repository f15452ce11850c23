#include "smallest_rate.h"

#include <flowctl/rate.h>
#include <stdlib.h>
#include <string.h>

bool fct_smallest_rate_init(struct fct_smallest_rate *s, uint64_t burst, size_t room) {
    *s = (struct fct_smallest_rate){.burst = burst, .room = room, .period_ns = 1};
    s->hull = malloc(room * sizeof *s->hull); /* what is not used is never touched */
    return s->hull != NULL;
}

void fct_smallest_rate_cleanup(struct fct_smallest_rate *s) { free(s->hull); }

/* ---- slopes ---- */

/* Permits over nanoseconds. */
struct slope {
    fct_u128 rise;
    uint64_t run;
};

/* a x b, up to 192 bits. */
struct product {
    fct_u128 high; /* in units of 2^64 */
    uint64_t low;
};

static struct product multiply(fct_u128 a, uint64_t b) {
    fct_u128 low = (fct_u128)(uint64_t)a * b;
    return (struct product){(a >> 64) * b + (low >> 64), (uint64_t)low};
}

static bool is_steeper(struct slope a, struct slope b) {
    struct product left = multiply(a.rise, b.run), right = multiply(b.rise, a.run);
    return left.high != right.high ? left.high > right.high : left.low > right.low;
}

static struct slope best(const struct fct_smallest_rate *s) { return (struct slope){s->permits, s->period_ns}; }

static struct slope edge(const struct fct_hull_point *from, const struct fct_hull_point *to) {
    return (struct slope){to->before - from->before, to->time_ns - from->time_ns};
}

/* ---- the hull ---- */

static struct fct_hull_point *front(const struct fct_smallest_rate *s) { return &s->hull[s->first]; }
static struct fct_hull_point *back(const struct fct_smallest_rate *s) { return &s->hull[s->first + s->count - 1]; }

static void drop_front(struct fct_smallest_rate *s) { s->first++, s->count--; }

/* From the front the hull must rise more steeply than the best rate, or its next point is a better beginning. */
static void drop_beaten(struct fct_smallest_rate *s) {
    while (s->count >= 2 && !is_steeper(edge(front(s), front(s) + 1), best(s))) drop_front(s);
}

/* How much higher `to` lies than `from` above a line of the best rate: as if the burst were off by as much. Roughly. */
static double height(const struct fct_smallest_rate *s, const struct fct_hull_point *from, const struct fct_hull_point *to) {
    return (double)(to->before - from->before) -
           (double)s->permits / (double)s->period_ns * (double)(to->time_ns - from->time_ns);
}

/*
 * Where the hull rises little, points go; what was best from one of them is then found from a neighbour, and a little too
 * low: as if the burst were larger by 8 / room at the most. The whole hull rises by no more than the burst, and of the steps
 * that are left any two in a row rise by more than the limit: so no more than a quarter of the room is left.
 */
static void thin(struct fct_smallest_rate *s) {
    const double limit = 8 * (double)s->burst / (double)s->room;
    struct fct_hull_point *kept = front(s);
    for (struct fct_hull_point *point = kept + 1; point < back(s); point++)
        if (height(s, kept, point + 1) > limit) *++kept = *point;
    *++kept = *back(s);
    s->count = (size_t)(kept - front(s)) + 1;
    s->thinned = true;
}

/* At the end of its room the hull moves to the front; if less than half is free there, it is thinned. */
static void make_room(struct fct_smallest_rate *s) {
    if (s->first + s->count < s->room) return;
    if (s->count > s->room / 2) thin(s);
    memmove(s->hull, front(s), s->count * sizeof *s->hull);
    s->first = 0;
}

/* Keeps the hull convex: a point above the line from its neighbour to the new one is not on it. */
static void begin_moment(struct fct_smallest_rate *s, uint64_t time_ns) {
    struct fct_hull_point point = {time_ns, s->total};
    if (s->moment_max != 0) s->first = s->count = 0; /* no rate is sought any more */
    while (s->count >= 2 && !is_steeper(edge(back(s), &point), edge(back(s) - 1, back(s)))) s->count--;
    make_room(s);
    s->hull[s->first + s->count++] = point;
    drop_beaten(s);
}

/* ---- windows ---- */

/* From `from` to now, lowered by the burst; false if that is no rise, or no window. */
static bool lowered(const struct fct_smallest_rate *s, const struct fct_hull_point *from, uint64_t time_ns,
                    struct slope *slope) {
    fct_u128 cost = s->total - from->before;
    if (cost <= s->burst || time_ns == from->time_ns) return false;
    *slope = (struct slope){cost - s->burst, time_ns - from->time_ns};
    return true;
}

/* The front is the best beginning at the rate so far; if it beats that, those behind it may do better still. */
static void end_window(struct fct_smallest_rate *s, uint64_t time_ns) {
    struct slope slope, next;
    if (!lowered(s, front(s), time_ns, &slope) || !is_steeper(slope, best(s))) return;
    while (s->count >= 2 && lowered(s, front(s) + 1, time_ns, &next) && !is_steeper(slope, next)) {
        slope = next;
        drop_front(s);
    }
    s->permits = slope.rise;
    s->period_ns = slope.run;
    drop_beaten(s);
}

/* A window costs most when the moment at which it ends is over. Reads the hull, and only forgets points of it. */
static void end_moment(struct fct_smallest_rate *s) {
    if (s->count == 0) return;
    fct_u128 cost = s->total - back(s)->before;
    if (cost > s->burst && cost > s->moment_max) s->moment_max = cost > UINT64_MAX ? UINT64_MAX : (uint64_t)cost;
    if (s->moment_max == 0) end_window(s, back(s)->time_ns);
}

void fct_smallest_rate_add(struct fct_smallest_rate *s, uint64_t time_ns, uint64_t cost) {
    if (cost == 0) return;
    if (s->count == 0 || back(s)->time_ns != time_ns) {
        end_moment(s);
        begin_moment(s, time_ns);
    }
    s->total += cost;
}

/* ---- the answer ---- */

static uint64_t greatest_common_divisor(fct_u128 a, uint64_t b) {
    while (b != 0) {
        uint64_t rest = (uint64_t)(a % b);
        a = b;
        b = rest;
    }
    return (uint64_t)a;
}

struct fct_rate_needed fct_smallest_rate_get(const struct fct_smallest_rate *running) {
    const struct slope largest = {FLOWCTL_RATE_MAX_PER_SEC, FLOWCTL_NS_PER_SEC};
    struct fct_smallest_rate s = *running; /* the hull is shared, and only read */
    end_moment(&s);
    if (s.moment_max != 0) return (struct fct_rate_needed){.kind = FCT_RATE_NONE, .moment_max = s.moment_max, .exact = true};
    if (s.permits == 0) return (struct fct_rate_needed){.kind = FCT_RATE_ANY, .period_ns = 1, .exact = true};
    uint64_t divisor = greatest_common_divisor(s.permits, s.period_ns);
    if (is_steeper(best(&s), largest) || s.permits / divisor > INT64_MAX)
        return (struct fct_rate_needed){.kind = FCT_RATE_TOO_HIGH, .exact = true};
    return (struct fct_rate_needed){.kind = FCT_RATE_FOUND,
                                    .permits = (uint64_t)(s.permits / divisor),
                                    .period_ns = s.period_ns / divisor,
                                    .exact = !s.thinned};
}

#include "date_text.h"

#include "civil_time.h"

#include <string.h>

static bool check_year(struct fct_cursor *c, const char *year, const struct fct_civil *t) {
    if (t->year >= FCT_YEAR_MIN && t->year <= FCT_YEAR_MAX) return true;
    return fct_broken_at(c, year, "the year is not in 1970 to 2500");
}

static bool check_day(struct fct_cursor *c, const char *day, const struct fct_civil *t) {
    if (t->day >= 1 && t->day <= fct_days_in_month(t->year, t->month)) return true;
    return fct_broken_at(c, day, "the month has no such day");
}

/* HH:MM:SS */
static bool read_clock(struct fct_cursor *c, struct fct_civil *t, const char *shape) {
    const char *first = c->at;
    if (!fct_read_digits(c, 2, &t->hour, shape) || !fct_skip(c, ':', shape) || !fct_read_digits(c, 2, &t->minute, shape) ||
        !fct_skip(c, ':', shape) || !fct_read_digits(c, 2, &t->second, shape))
        return false;
    if (t->hour > 23 || t->minute > 59 || t->second > 60) return fct_broken_at(c, first, "the day has no such time");
    return true;
}

static bool finish(struct fct_cursor *c, const char *first, const struct fct_civil *t, uint64_t *time_ns) {
    return fct_civil_to_ns(t, time_ns) || fct_broken_at(c, first, "the time lies before 1970");
}

/* ---- common log format ---- */

static const char clf_shape[] = "a time is dd/Mon/yyyy:HH:MM:SS +zzzz";

static bool read_month_name(struct fct_cursor *c, unsigned *month) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (c->end - c->at >= 3)
        for (unsigned i = 0; i < 12; i++)
            if (memcmp(c->at, names + 3 * i, 3) == 0) {
                *month = i + 1;
                c->at += 3;
                return true;
            }
    return fct_broken(c, "a month belongs here, Jan to Dec");
}

static bool read_clf_day(struct fct_cursor *c, struct fct_civil *t) {
    const char *day = c->at;
    if (!fct_read_digits(c, 2, &t->day, clf_shape) || !fct_skip(c, '/', clf_shape) || !read_month_name(c, &t->month) ||
        !fct_skip(c, '/', clf_shape))
        return false;
    const char *year = c->at;
    return fct_read_digits(c, 4, &t->year, clf_shape) && check_year(c, year, t) && check_day(c, day, t);
}

static bool read_clf_zone(struct fct_cursor *c, struct fct_civil *t) {
    static const char shape[] = "a time zone is +hhmm or -hhmm";
    const char *first = c->at;
    unsigned hours, minutes;
    if (c->at == c->end || (*c->at != '+' && *c->at != '-')) return fct_broken(c, shape);
    bool west = *c->at++ == '-';
    if (!fct_read_digits(c, 2, &hours, shape) || !fct_read_digits(c, 2, &minutes, shape)) return false;
    if (hours > 23 || minutes > 59) return fct_broken_at(c, first, shape);
    t->offset_minutes = (int)(hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

bool fct_read_clf_date(struct fct_cursor *c, uint64_t *time_ns) {
    struct fct_civil t;
    const char *first = c->at;
    return read_clf_day(c, &t) && fct_skip(c, ':', clf_shape) && read_clock(c, &t, clf_shape) &&
           fct_skip(c, ' ', clf_shape) && read_clf_zone(c, &t) && finish(c, first, &t, time_ns);
}

/* ---- RFC 3339 and ISO 8601 ---- */

static const char iso_shape[] = "a time is yyyy-mm-ddTHH:MM:SS, decimals and an offset";

static bool read_iso_day(struct fct_cursor *c, struct fct_civil *t) {
    const char *year = c->at;
    if (!fct_read_digits(c, 4, &t->year, iso_shape) || !fct_skip(c, '-', iso_shape)) return false;
    const char *month = c->at;
    if (!fct_read_digits(c, 2, &t->month, iso_shape) || !fct_skip(c, '-', iso_shape)) return false;
    const char *day = c->at;
    if (!fct_read_digits(c, 2, &t->day, iso_shape) || !check_year(c, year, t)) return false;
    if (t->month < 1 || t->month > 12) return fct_broken_at(c, month, "the year has no such month");
    return check_day(c, day, t);
}

static bool skip_iso_separator(struct fct_cursor *c) {
    if (c->at == c->end || (*c->at != 'T' && *c->at != 't' && *c->at != ' ')) return fct_broken(c, iso_shape);
    c->at++;
    return true;
}

static bool read_decimals(struct fct_cursor *c, uint64_t *ns) {
    uint64_t digit_ns = 100000000;
    *ns = 0;
    if (c->at == c->end || (*c->at != '.' && *c->at != ',')) return true;
    const char *first = ++c->at;
    for (; c->at < c->end && fct_is_digit(*c->at); c->at++, digit_ns /= 10) *ns += digit_ns * (unsigned)(*c->at - '0');
    return c->at > first || fct_broken(c, "decimals belong behind the point");
}

static bool read_iso_offset(struct fct_cursor *c, struct fct_civil *t) {
    static const char shape[] = "an offset is Z, +hh:mm or -hh:mm";
    unsigned hours, minutes = 0;
    t->offset_minutes = 0;
    if (c->end - c->at >= 2 && *c->at == ' ' && (c->at[1] == '+' || c->at[1] == '-' || c->at[1] == 'Z')) c->at++;
    if (c->at == c->end) return true;
    if (*c->at == 'Z' || *c->at == 'z') return c->at++, true;
    const char *first = c->at;
    if (*c->at != '+' && *c->at != '-') return fct_broken(c, shape);
    bool west = *c->at++ == '-';
    if (!fct_read_digits(c, 2, &hours, shape)) return false;
    bool colon = c->at < c->end && *c->at == ':';
    if (colon) c->at++;
    if ((colon || (c->at < c->end && fct_is_digit(*c->at))) && !fct_read_digits(c, 2, &minutes, shape)) return false;
    if (hours > 23 || minutes > 59) return fct_broken_at(c, first, shape);
    t->offset_minutes = (int)(hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

bool fct_read_iso_date(struct fct_cursor *c, uint64_t *time_ns) {
    struct fct_civil t;
    uint64_t decimals_ns;
    const char *first = c->at;
    if (!read_iso_day(c, &t) || !skip_iso_separator(c) || !read_clock(c, &t, iso_shape) || !read_decimals(c, &decimals_ns) ||
        !read_iso_offset(c, &t) || !finish(c, first, &t, time_ns))
        return false;
    *time_ns += decimals_ns;
    return true;
}

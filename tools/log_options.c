#include "log_options.h"

#include "command.h"
#include "pattern.h"
#include "usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COLUMN_MAX 1000000

static int read_format(struct fct_replay_options *o, const char *name, const char *value) {
    char known[128];
    if (value == NULL || strcmp(value, "auto") == 0) return FCT_EXIT_DONE;
    o->format = fct_log_format_find(value);
    if (o->format != NULL) return FCT_EXIT_DONE;
    fct_log_format_names(known, sizeof known);
    return fct_usage_error(name, "--format: \"%s\": is none of %s", value, known);
}

/* ---- which option goes with which format ---- */

/* `format` NULL is automatic: combined, or JSON, or with a --time also CSV. */
static int check_combination(const struct fct_log_format *format, const char *name, const struct fct_log_words *w) {
    bool combined = format == &fct_format_combined, regex = format == &fct_format_regex, csv = format == &fct_format_csv;
    if (combined && w->time != NULL)
        return fct_usage_error(name, "--time: the format combined has its time in a place of its own; leave --time out");
    if (combined && w->time_unit != NULL)
        return fct_usage_error(name, "--time-unit: the format combined has no numbers as times; leave --time-unit out");
    if (regex && w->time != NULL)
        return fct_usage_error(name, "--time: the format regex takes the time from the group (?<time>...) of its --pattern");
    if (regex && w->pattern == NULL)
        return fct_usage_error(name, "--pattern is missing: the format regex needs it, as '^(?<time>\\S+) '");
    if (!regex && w->pattern != NULL) return fct_usage_error(name, "--pattern: is for --format regex only");
    if (!csv && w->no_header) return fct_usage_error(name, "--no-header: is for --format csv only");
    if (csv && w->time == NULL)
        return fct_usage_error(name, "--time is missing: the format csv needs %s with the time",
                               w->no_header ? "the number of the column" : "the name of the field");
    return FCT_EXIT_DONE;
}

/* ---- names and columns ---- */

/* "3"; 0 if it is no number of a column. */
static size_t column_number(const char *text) {
    size_t column = 0;
    for (; fct_is_digit(*text) && column <= COLUMN_MAX; text++) column = column * 10 + (size_t)(*text - '0');
    return *text == '\0' && column <= COLUMN_MAX ? column : 0;
}

static int read_time(struct fct_replay_options *o, const char *name, const struct fct_log_words *w) {
    o->fields.time = w->time != NULL ? w->time : "time";
    if (o->fields.time[0] == '\0') return fct_usage_error(name, "--time: \"\": a field has a name");
    if (!w->no_header) return FCT_EXIT_DONE;
    o->fields.time_column = column_number(o->fields.time);
    if (o->fields.time_column != 0) return FCT_EXIT_DONE;
    return fct_usage_error(name, "--time: \"%s\": with --no-header it takes the number of a column, from 1", o->fields.time);
}

static int read_time_unit(struct fct_replay_options *o, const char *name, const char *value) {
    static const char *const units[] =
        {[FCT_TIME_AUTO] = "auto", [FCT_TIME_S] = "s", [FCT_TIME_MS] = "ms", [FCT_TIME_US] = "us", [FCT_TIME_NS] = "ns"};
    int chosen = value == NULL ? FCT_TIME_AUTO : fct_choose(value, units, 5);
    if (chosen < 0) return fct_usage_error(name, "--time-unit: \"%s\": is none of auto, s, ms, us, ns", value);
    o->fields.time_unit = (enum fct_time_unit)chosen;
    return FCT_EXIT_DONE;
}

static int read_constant_cost(struct fct_replay_options *o, const char *name, const char *value) {
    flowctl_error err = {.offset = -1};
    if (flowctl_count_parse(value, &o->cost, NULL, &err) != FLOWCTL_OK)
        return fct_usage_error_in(name, "--cost", value, &err);
    if (o->cost == 0)
        return fct_usage_error(name, "--cost: 0: a limit on requests that cost nothing limits nothing, give at least 1");
    if (o->limit.unit == FLOWCTL_UNIT_BYTES)
        fprintf(stderr,
                "%s: note: the limit is in bytes, but --cost counts every request as %" PRIu64
                "; leave --cost out to count its bytes\n",
                name, o->cost);
    return FCT_EXIT_DONE;
}

/* A name that the format can't have is better found now than on every line. */
static int check_cost_field(struct fct_replay_options *o, const char *name, bool no_header) {
    static const char prefix[] = "column:";
    const char *field = o->fields.cost;
    bool combined = o->format == &fct_format_combined || (o->format == NULL && !o->fields.given);
    if (combined && strcmp(field, "bytes") != 0)
        return fct_usage_error(name,
                               o->format == NULL
                                   ? "--cost: \"%s\": is neither bytes nor a number; if it is a field of JSON or CSV, "
                                     "give --time or --format, too"
                                   : "--cost: \"%s\": is neither bytes nor a number",
                               field);
    if (!no_header) return FCT_EXIT_DONE;
    if (strncmp(field, prefix, strlen(prefix)) == 0) o->fields.cost_column = column_number(field + strlen(prefix));
    if (o->fields.cost_column != 0) return FCT_EXIT_DONE;
    return fct_usage_error(name, "--cost: \"%s\": with --no-header it takes a column, as column:3, or a number of permits",
                           field);
}

static int read_cost(struct fct_replay_options *o, const char *name, const struct fct_log_words *w) {
    o->cost = 1;
    if (w->cost != NULL && (w->cost[0] == '\0' || strchr("+-.0123456789", w->cost[0]) != NULL))
        return read_constant_cost(o, name, w->cost);
    o->fields.cost = w->cost;
    if (w->cost == NULL && o->limit.unit == FLOWCTL_UNIT_BYTES) o->fields.cost = "bytes";
    return o->fields.cost == NULL ? FCT_EXIT_DONE : check_cost_field(o, name, w->no_header);
}

/* ---- the pattern ---- */

/* A group "cost" is the cost without being asked for; another one must be. */
static int read_pattern(struct fct_replay_options *o, const char *name, const struct fct_log_words *w) {
    flowctl_error err = {.offset = -1};
    if (w->pattern == NULL) return FCT_EXIT_DONE;
    o->pattern = fct_pattern_compile(w->pattern, &err);
    if (o->pattern == NULL) return fct_usage_error_in(name, "--pattern", w->pattern, &err);
    if (!fct_pattern_has(o->pattern, "time"))
        return fct_usage_error(name, "--pattern: has no group for the time: put (?<time>...) around it");
    if (w->cost == NULL && fct_pattern_has(o->pattern, "cost")) o->fields.cost = "cost";
    if (o->fields.cost != NULL && !fct_pattern_has(o->pattern, o->fields.cost))
        return fct_usage_error(name, "--pattern: has no group for the cost: put (?<%s>...) around it, or give --cost",
                               o->fields.cost);
    fct_pattern_choose(o->pattern, (const char *[]){"time", o->fields.cost});
    o->fields.pattern = o->pattern;
    return FCT_EXIT_DONE;
}

int fct_log_options_read(struct fct_replay_options *o, const char *name, const struct fct_log_words *w) {
    o->fields.given = w->time != NULL;
    int status = read_format(o, name, w->format);
    if (status == FCT_EXIT_DONE) status = check_combination(o->format, name, w);
    if (status == FCT_EXIT_DONE) status = read_time(o, name, w);
    if (status == FCT_EXIT_DONE) status = read_time_unit(o, name, w->time_unit);
    if (status == FCT_EXIT_DONE) status = read_cost(o, name, w);
    if (status == FCT_EXIT_DONE) status = read_pattern(o, name, w);
    return status;
}

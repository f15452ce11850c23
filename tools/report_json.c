#include "report_json.h"

#include "civil_time.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- fields; each function is false without memory ---- */

/* Takes the reference. NULL is no null here, but a value for which there was no memory. */
static bool put(struct json_object *o, const char *key, struct json_object *value) {
    if (value != NULL && json_object_object_add(o, key, value) == 0) return true;
    json_object_put(value);
    return false;
}

static bool put_null(struct json_object *o, const char *key) { return json_object_object_add(o, key, NULL) == 0; }

static bool put_bool(struct json_object *o, const char *key, bool value) {
    return put(o, key, json_object_new_boolean(value));
}

static bool put_text(struct json_object *o, const char *key, const char *text) {
    return put(o, key, json_object_new_string(text));
}

/* JSON readers can rely on 63 bits at most. */
static bool put_number(struct json_object *o, const char *key, uint64_t value) {
    return put(o, key, json_object_new_int64(value > INT64_MAX ? INT64_MAX : (int64_t)value));
}

static bool put_number_if(struct json_object *o, const char *key, bool any, uint64_t value) {
    return any ? put_number(o, key, value) : put_null(o, key);
}

/* 9 digits are enough for every purpose; for the exact value there are two integers. */
static bool put_real(struct json_object *o, const char *key, double value) {
    static char form[] = "%.9g";
    struct json_object *real = json_object_new_double(value);
    if (real != NULL) json_object_set_serializer(real, json_object_double_to_json_string, form, NULL);
    return put(o, key, real);
}

static bool put_moment(struct json_object *o, const char *key, bool any, uint64_t time_ns) {
    char text[FCT_ISO_TIME_SIZE];
    if (!any) return put_null(o, key);
    fct_iso_time(text, sizeof text, time_ns);
    return put_text(o, key, text);
}

/* A file's name may be any bytes; a JSON text may not. */
static bool put_printable(struct json_object *o, const char *key, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy == NULL) return false;
    fct_text_printable(copy, size, text);
    bool done = put_text(o, key, copy);
    free(copy);
    return done;
}

/* An empty object or list inside another, to be filled; NULL without memory. */
static struct json_object *put_inner(struct json_object *o, const char *key, struct json_object *inner) {
    return put(o, key, inner) ? inner : NULL;
}

/* ---- the report ---- */

static bool put_rate(struct json_object *o, const char *key, const flowctl_rate *rate) {
    struct json_object *inner = put_inner(o, key, json_object_new_object());
    return inner != NULL && put_number(inner, "permits", rate->permits) && put_number(inner, "period_ns", rate->period_ns);
}

static bool put_cost_kind(struct json_object *o, const struct fct_replay_options *s) {
    return s->fields.cost != NULL ? put_printable(o, "cost", s->fields.cost) : put_number(o, "cost", s->cost);
}

static bool put_busiest_minute(struct json_object *o, const struct fct_judge *judge) {
    struct fct_minute minute = fct_busiest_minute_get(&judge->busiest);
    struct json_object *inner = put_inner(o, "busiest_minute", json_object_new_object());
    return inner != NULL && put_moment(inner, "start", minute.requests != 0, minute.start_ns) &&
           put_number(inner, "requests", minute.requests) && put_number(inner, "cost", minute.cost);
}

/* Null, not a number, for "none": a script that puts it into a configuration should fail. */
static bool put_smallest_burst(struct json_object *o, const struct fct_judge *judge) {
    uint64_t burst = 0;
    bool any = judge->tally.requests != 0 && fct_backlog_smallest_burst(&judge->backlog, &burst);
    return put_number_if(o, "smallest_burst", any, burst);
}

/* An object in any case, so that CSV has the same columns for every log. */
static bool put_smallest_rate(struct json_object *o, const struct fct_judge *judge) {
    struct fct_rate_needed needed = fct_smallest_rate_get(&judge->smallest_rate);
    bool any = judge->tally.requests != 0 && (needed.kind == FCT_RATE_FOUND || needed.kind == FCT_RATE_ANY);
    double per_sec = (double)needed.permits * 1e9 / (double)needed.period_ns;
    struct json_object *inner = put_inner(o, "smallest_rate", json_object_new_object());
    return inner != NULL && put_number_if(inner, "permits", any, needed.permits) &&
           put_number_if(inner, "period_ns", any, needed.period_ns) &&
           (any ? put_real(inner, "per_sec", per_sec) : put_null(inner, "per_sec")) && put_bool(inner, "exact", needed.exact);
}

static bool append_difference(struct json_object *list, const struct fct_difference *d) {
    struct json_object *item = json_object_new_object();
    if (item != NULL && put_number(item, "line", d->line) && put_moment(item, "time", true, d->time_ns) &&
        put_text(item, "passes", d->first_passed ? "limit" : "shadow") && json_object_array_add(list, item) == 0)
        return true;
    json_object_put(item);
    return false;
}

static bool put_differences(struct json_object *o, const struct fct_comparison *c) {
    struct json_object *list = put_inner(o, "differences", json_object_new_array());
    for (unsigned i = 0; list != NULL && i < c->shown; i++)
        if (!append_difference(list, &c->differences[i])) return false;
    return list != NULL;
}

static bool put_shadow(struct json_object *outer, const struct fct_report *r) {
    const struct fct_comparison *c = r->comparison;
    const struct fct_limit *limit = &r->options->shadow;
    if (r->shadow == NULL) return put_null(outer, "shadow");
    struct json_object *o = put_inner(outer, "shadow", json_object_new_object());
    return o != NULL && put_printable(o, "limit", limit->text) && put_number(o, "permits", limit->rate.permits) &&
           put_number(o, "period_ns", limit->rate.period_ns) && put_number(o, "burst", limit->burst) &&
           put_bool(o, "exact", fct_judge_is_exact(r->shadow)) && put_number(o, "both", c->both) &&
           put_number(o, "limit_only", c->first_only) && put_number(o, "shadow_only", c->shadow_only) &&
           put_number(o, "neither", c->neither) && put_number(o, "wait_difference_max_ns", c->wait_difference_max_ns) &&
           put_number_if(o, "wait_difference_max_line", c->wait_difference_max_line != 0, c->wait_difference_max_line) &&
           put_differences(o, c);
}

static bool put_setting(struct json_object *o, const struct fct_report *r) {
    const struct fct_replay_options *s = r->options;
    return put_printable(o, "file", s->file) && put_bool(o, "complete", r->complete) &&
           put_printable(o, "limit", s->limit.text) && put_rate(o, "rate", &s->limit.rate) &&
           put_number(o, "burst", s->limit.burst) && put_text(o, "mode", s->mode == FCT_MODE_DENY ? "deny" : "delay") &&
           put_cost_kind(o, s) && (r->format != NULL ? put_text(o, "format", r->format) : put_null(o, "format")) &&
           put_number(o, "sort_window_ns", s->sort_window_ns) && put_bool(o, "exact", fct_judge_is_exact(r->judge));
}

static bool put_counts(struct json_object *o, const struct fct_report *r) {
    const struct fct_tally *t = &r->judge->tally;
    return put_number(o, "lines", r->lines) && put_number(o, "broken", r->broken) && put_number(o, "requests", t->requests) &&
           put_number(o, "allowed", t->allowed) && put_number(o, "allowed_permits", t->allowed_permits) &&
           put_number(o, "denied", t->denied) && put_number(o, "delayed", t->delayed) && put_number(o, "never", t->never) &&
           put_number(o, "late", t->late) && put_number(o, "window_overflows", r->window_overflows);
}

static bool put_findings(struct json_object *o, const struct fct_report *r) {
    const struct fct_tally *t = &r->judge->tally;
    bool any = t->requests != 0;
    return put_number(o, "retry_after_max_ns", t->retry_after_max_ns) && put_number(o, "delay_max_ns", t->delay_max_ns) &&
           put_number(o, "never_cost_max", t->never_cost_max) && put_moment(o, "first_time", any, t->first_ns) &&
           put_moment(o, "last_time", any, t->last_ns) && put_busiest_minute(o, r->judge) &&
           put_smallest_burst(o, r->judge) && put_smallest_rate(o, r->judge) && put_shadow(o, r);
}

struct json_object *fct_report_to_json(const struct fct_report *report) {
    struct json_object *object = json_object_new_object();
    if (object == NULL) return NULL;
    if (put_setting(object, report) && put_counts(object, report) && put_findings(object, report)) return object;
    json_object_put(object);
    return NULL;
}

bool fct_report_write_json(const struct fct_report *report, FILE *out) {
    struct json_object *object = fct_report_to_json(report);
    if (object == NULL) return false;
    errno = 0;
    const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                                  JSON_C_TO_STRING_NOSLASHESCAPE);
    /* A piece for which there was no memory is left out of the text, and only errno tells. */
    bool whole = text != NULL && errno != ENOMEM;
    if (whole) fprintf(out, "%s\n", text);
    json_object_put(object);
    return whole;
}

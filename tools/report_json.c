#include "report_json.h"

#include "civil_time.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* JSON readers can rely on 63 bits at most, and so does jansson. */
static json_t *number(uint64_t value) { return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value); }

static json_t *moment(uint64_t time_ns) {
    char text[FCT_ISO_TIME_SIZE];
    fct_iso_time(text, sizeof text, time_ns);
    return json_string(text);
}

/* A file's name may be any bytes; a JSON text may not. */
static json_t *printable(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy == NULL) return NULL;
    fct_text_printable(copy, size, text);
    json_t *value = json_string(copy);
    free(copy);
    return value;
}

static json_t *cost_kind(const struct fct_replay_options *o) {
    return o->fields.cost != NULL ? printable(o->fields.cost) : number(o->cost);
}

static json_t *busiest_minute(const struct fct_judge *judge) {
    struct fct_minute minute = fct_busiest_minute_get(&judge->busiest);
    bool any = minute.requests != 0;
    return json_pack("{s:o, s:o, s:o}", "start", any ? moment(minute.start_ns) : json_null(), "requests",
                     number(minute.requests), "cost", number(minute.cost));
}

/* Null, not a number, for "none": a script that puts it into a configuration should fail. */
static json_t *smallest_burst(const struct fct_judge *judge) {
    uint64_t burst;
    if (judge->tally.requests == 0 || !fct_backlog_smallest_burst(&judge->backlog, &burst)) return json_null();
    return number(burst);
}

/* An object in any case, so that CSV has the same columns for every log. */
static json_t *smallest_rate(const struct fct_judge *judge) {
    struct fct_rate_needed needed = fct_smallest_rate_get(&judge->smallest_rate);
    bool any = judge->tally.requests != 0 && (needed.kind == FCT_RATE_FOUND || needed.kind == FCT_RATE_ANY);
    double per_sec = (double)needed.permits * 1e9 / (double)needed.period_ns;
    return json_pack("{s:o, s:o, s:o, s:b}", "permits", any ? number(needed.permits) : json_null(), "period_ns",
                     any ? number(needed.period_ns) : json_null(), "per_sec", any ? json_real(per_sec) : json_null(),
                     "exact", needed.exact);
}

static json_t *differences(const struct fct_comparison *c) {
    json_t *list = json_array();
    for (unsigned i = 0; list != NULL && i < c->shown; i++) {
        const struct fct_difference *d = &c->differences[i];
        json_array_append_new(list, json_pack("{s:o, s:o, s:s}", "line", number(d->line), "time", moment(d->time_ns),
                                              "passes", d->first_passed ? "limit" : "shadow"));
    }
    return list;
}

static json_t *shadow(const struct fct_report *r) {
    const struct fct_comparison *c = r->comparison;
    const struct fct_limit *limit = &r->options->shadow;
    if (r->shadow == NULL) return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "limit", printable(limit->text),
                     "permits", number(limit->rate.permits), "period_ns", number(limit->rate.period_ns), "burst",
                     number(limit->burst), "exact", fct_judge_is_exact(r->shadow), "both", number(c->both), "limit_only",
                     number(c->first_only), "shadow_only", number(c->shadow_only), "neither", number(c->neither),
                     "wait_difference_max_ns", number(c->wait_difference_max_ns), "wait_difference_max_line",
                     c->wait_difference_max_line != 0 ? number(c->wait_difference_max_line) : json_null(), "differences",
                     differences(c));
}

/* Takes the reference; false without memory. */
static bool put(json_t *object, const char *key, json_t *value) { return json_object_set_new(object, key, value) == 0; }

static bool put_setting(json_t *o, const struct fct_report *r) {
    const struct fct_replay_options *s = r->options;
    return put(o, "file", printable(s->file)) && put(o, "complete", json_boolean(r->complete)) &&
           put(o, "limit", printable(s->limit.text)) &&
           put(o, "rate",
               json_pack("{s:o, s:o}", "permits", number(s->limit.rate.permits), "period_ns",
                         number(s->limit.rate.period_ns))) &&
           put(o, "burst", number(s->limit.burst)) &&
           put(o, "mode", json_string(s->mode == FCT_MODE_DENY ? "deny" : "delay")) && put(o, "cost", cost_kind(s)) &&
           put(o, "format", r->format != NULL ? json_string(r->format) : json_null()) &&
           put(o, "sort_window_ns", number(s->sort_window_ns)) && put(o, "exact", json_boolean(fct_judge_is_exact(r->judge)));
}

static bool put_counts(json_t *o, const struct fct_report *r) {
    const struct fct_tally *t = &r->judge->tally;
    return put(o, "lines", number(r->lines)) && put(o, "broken", number(r->broken)) &&
           put(o, "requests", number(t->requests)) && put(o, "allowed", number(t->allowed)) &&
           put(o, "allowed_permits", number(t->allowed_permits)) && put(o, "denied", number(t->denied)) &&
           put(o, "delayed", number(t->delayed)) && put(o, "never", number(t->never)) && put(o, "late", number(t->late)) &&
           put(o, "window_overflows", number(r->window_overflows));
}

static bool put_findings(json_t *o, const struct fct_report *r) {
    const struct fct_tally *t = &r->judge->tally;
    bool any = t->requests != 0;
    return put(o, "retry_after_max_ns", number(t->retry_after_max_ns)) && put(o, "delay_max_ns", number(t->delay_max_ns)) &&
           put(o, "never_cost_max", number(t->never_cost_max)) &&
           put(o, "first_time", any ? moment(t->first_ns) : json_null()) &&
           put(o, "last_time", any ? moment(t->last_ns) : json_null()) &&
           put(o, "busiest_minute", busiest_minute(r->judge)) && put(o, "smallest_burst", smallest_burst(r->judge)) &&
           put(o, "smallest_rate", smallest_rate(r->judge)) && put(o, "shadow", shadow(r));
}

json_t *fct_report_to_json(const struct fct_report *report) {
    json_t *object = json_object();
    if (object == NULL) return NULL;
    if (put_setting(object, report) && put_counts(object, report) && put_findings(object, report)) return object;
    json_decref(object);
    return NULL;
}

bool fct_report_write_json(const struct fct_report *report, FILE *out) {
    json_t *object = fct_report_to_json(report);
    if (object == NULL) return false;
    json_dumpf(object, out, JSON_INDENT(2) | FCT_REAL_FORM);
    fputc('\n', out);
    json_decref(object);
    return true;
}

#include "report_json.h"

#include "civil_time.h"
#include "json_fields.h"

static bool put_moment(struct json_object *o, const char *key, bool any, uint64_t time_ns) {
    char text[FCT_ISO_TIME_SIZE];
    if (!any) return fct_json_null(o, key);
    fct_iso_time(text, sizeof text, time_ns);
    return fct_json_text(o, key, text);
}

static bool put_cost_kind(struct json_object *o, const struct fct_replay_options *s) {
    return s->fields.cost != NULL ? fct_json_printable(o, "cost", s->fields.cost) : fct_json_number(o, "cost", s->cost);
}

static bool put_busiest_minute(struct json_object *o, const struct fct_judge *judge) {
    struct fct_minute minute = fct_busiest_minute_get(&judge->busiest);
    struct json_object *inner = fct_json_inner(o, "busiest_minute", json_object_new_object());
    return inner != NULL && put_moment(inner, "start", minute.requests != 0, minute.start_ns) &&
           fct_json_number(inner, "requests", minute.requests) && fct_json_number(inner, "cost", minute.cost);
}

/* Null, not a number, for "none": a script that puts it into a configuration should fail. */
static bool put_smallest_burst(struct json_object *o, const struct fct_judge *judge) {
    uint64_t burst = 0;
    bool any = judge->tally.requests != 0 && fct_backlog_smallest_burst(&judge->backlog, &burst);
    return fct_json_number_if(o, "smallest_burst", any, burst);
}

/* An object in any case, so that CSV has the same columns for every log. */
static bool put_smallest_rate(struct json_object *o, const struct fct_judge *judge) {
    struct fct_rate_needed needed = fct_smallest_rate_get(&judge->smallest_rate);
    bool any = judge->tally.requests != 0 && (needed.kind == FCT_RATE_FOUND || needed.kind == FCT_RATE_ANY);
    double per_sec = (double)needed.permits * 1e9 / (double)needed.period_ns;
    struct json_object *inner = fct_json_inner(o, "smallest_rate", json_object_new_object());
    return inner != NULL && fct_json_number_if(inner, "permits", any, needed.permits) &&
           fct_json_number_if(inner, "period_ns", any, needed.period_ns) &&
           (any ? fct_json_real(inner, "per_sec", per_sec) : fct_json_null(inner, "per_sec")) &&
           fct_json_bool(inner, "exact", needed.exact);
}

static bool append_difference(struct json_object *list, const struct fct_difference *d) {
    struct json_object *item = fct_json_append(list);
    return item != NULL && fct_json_number(item, "line", d->line) && put_moment(item, "time", true, d->time_ns) &&
           fct_json_text(item, "passes", d->first_passed ? "limit" : "shadow");
}

static bool put_differences(struct json_object *o, const struct fct_comparison *c) {
    struct json_object *list = fct_json_inner(o, "differences", json_object_new_array());
    for (unsigned i = 0; list != NULL && i < c->shown; i++)
        if (!append_difference(list, &c->differences[i])) return false;
    return list != NULL;
}

static bool put_shadow(struct json_object *outer, const struct fct_report *r) {
    const struct fct_comparison *c = r->comparison;
    const struct fct_limit *limit = &r->options->shadow;
    if (r->shadow == NULL) return fct_json_null(outer, "shadow");
    struct json_object *o = fct_json_inner(outer, "shadow", json_object_new_object());
    return o != NULL && fct_json_printable(o, "limit", limit->text) && fct_json_number(o, "permits", limit->rate.permits) &&
           fct_json_number(o, "period_ns", limit->rate.period_ns) && fct_json_number(o, "burst", limit->burst) &&
           fct_json_bool(o, "exact", fct_judge_is_exact(r->shadow)) && fct_json_number(o, "both", c->both) &&
           fct_json_number(o, "limit_only", c->first_only) && fct_json_number(o, "shadow_only", c->shadow_only) &&
           fct_json_number(o, "neither", c->neither) &&
           fct_json_number(o, "wait_difference_max_ns", c->wait_difference_max_ns) &&
           fct_json_number_if(o, "wait_difference_max_line", c->wait_difference_max_line != 0, c->wait_difference_max_line) &&
           put_differences(o, c);
}

static bool put_setting(struct json_object *o, const struct fct_report *r) {
    const struct fct_replay_options *s = r->options;
    return fct_json_printable(o, "file", s->file) && fct_json_bool(o, "complete", r->complete) &&
           fct_json_printable(o, "limit", s->limit.text) && fct_json_rate(o, "rate", &s->limit.rate) &&
           fct_json_number(o, "burst", s->limit.burst) &&
           fct_json_text(o, "mode", s->mode == FCT_MODE_DENY ? "deny" : "delay") && put_cost_kind(o, s) &&
           (r->format != NULL ? fct_json_text(o, "format", r->format) : fct_json_null(o, "format")) &&
           fct_json_number(o, "sort_window_ns", s->sort_window_ns) && fct_json_bool(o, "exact", fct_judge_is_exact(r->judge));
}

static bool put_counts(struct json_object *o, const struct fct_report *r) {
    const struct fct_tally *t = &r->judge->tally;
    return fct_json_number(o, "lines", r->lines) && fct_json_number(o, "broken", r->broken) &&
           fct_json_number(o, "requests", t->requests) && fct_json_number(o, "allowed", t->allowed) &&
           fct_json_number(o, "allowed_permits", t->allowed_permits) && fct_json_number(o, "denied", t->denied) &&
           fct_json_number(o, "delayed", t->delayed) && fct_json_number(o, "never", t->never) &&
           fct_json_number(o, "late", t->late) && fct_json_number(o, "window_overflows", r->window_overflows);
}

static bool put_findings(struct json_object *o, const struct fct_report *r) {
    const struct fct_tally *t = &r->judge->tally;
    bool any = t->requests != 0;
    return fct_json_number(o, "retry_after_max_ns", t->retry_after_max_ns) &&
           fct_json_number(o, "delay_max_ns", t->delay_max_ns) && fct_json_number(o, "never_cost_max", t->never_cost_max) &&
           put_moment(o, "first_time", any, t->first_ns) && put_moment(o, "last_time", any, t->last_ns) &&
           put_busiest_minute(o, r->judge) && put_smallest_burst(o, r->judge) && put_smallest_rate(o, r->judge) &&
           put_shadow(o, r);
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
    bool whole = fct_json_write(object, true, out);
    json_object_put(object);
    return whole;
}

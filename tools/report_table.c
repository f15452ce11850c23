/* The report for a person at a terminal. */
#include "civil_time.h"
#include "report.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

#define BAR_COLUMNS 40

struct marks {
    const char *passed, *held_up, *dash;
};

static struct marks choose_marks(void) {
    if (fct_text_is_utf8()) return (struct marks){"\xe2\x96\x88", "\xe2\x96\x91", "\xe2\x80\x93"};
    return (struct marks){"#", ".", "-"};
}

static void repeat(FILE *out, const char *mark, uint64_t times) {
    while (times-- > 0) fputs(mark, out);
}

/* A bar in proportion; what is there at all gets one mark. */
static uint64_t bar_length(uint64_t value, uint64_t greatest) {
    uint64_t length = (uint64_t)((double)value * BAR_COLUMNS / (double)greatest + 0.5);
    return length == 0 && value != 0 ? 1 : length;
}

static void write_count(FILE *out, const char *label, uint64_t count, uint64_t of) {
    fprintf(out, "  %-20s %12" PRIu64 "  %5.1f %%\n", label, count, of == 0 ? 0.0 : 100.0 * (double)count / (double)of);
}

static void write_cost_kind(const struct fct_replay_options *o, FILE *out) {
    char field[64];
    fct_text_printable(field, sizeof field, o->fields.cost != NULL ? o->fields.cost : "");
    if (o->fields.cost == NULL) fprintf(out, "%" PRIu64 "\n", o->cost);
    else if (strcmp(field, "bytes") == 0) fputs("its bytes\n", out);
    else fprintf(out, "its \"%s\"\n", field);
}

static void write_setting(const struct fct_report *r, FILE *out) {
    const struct fct_replay_options *o = r->options;
    char file[256], limit[128];
    fct_text_printable(file, sizeof file, o->file);
    fct_text_printable(limit, sizeof limit, o->limit.text);
    fprintf(out, "%s\nlimit %s, burst %" PRIu64 ", %s, a request costs ", file, limit, o->limit.burst,
            o->mode == FCT_MODE_DENY ? "deny" : "delay");
    write_cost_kind(o, out);
    if (!r->complete) fputs("INTERRUPTED: the log was not read to its end\n", out);
}

/* The remedy comes with the finding: these requests would fail for ever, however slowly they came. */
static void write_never(const struct fct_report *r, FILE *out) {
    const struct fct_tally *t = &r->judge->tally;
    if (t->never == 0) return;
    fprintf(out,
            "\n! %" PRIu64 " requests cost more than the burst and can NEVER pass: raise --burst to at least %" PRIu64 "\n",
            t->never, t->never_cost_max);
}

/* What did not happen, and seldom does, is left out. */
static void write_counts(const struct fct_report *r, FILE *out) {
    const struct fct_tally *t = &r->judge->tally;
    bool delay = r->options->mode == FCT_MODE_DELAY;
    fprintf(out, "\n%-22s %12" PRIu64 "\n", "requests", t->requests);
    write_count(out, "allowed", t->allowed, t->requests);
    if (delay) write_count(out, "  of these delayed", t->delayed, t->requests);
    if (!delay || t->denied != 0) write_count(out, "denied", t->denied, t->requests);
    if (t->never != 0) write_count(out, "never", t->never, t->requests);
    if (t->late != 0) write_count(out, "late", t->late, t->requests);
    if (r->broken != 0) write_count(out, "broken lines", r->broken, r->lines);
}

/* Times of decisions, not of lines: they differ for late ones. */
static void write_span(const struct fct_tally *t, const char *dash, FILE *out) {
    char first[FCT_ISO_TIME_SIZE], last[FCT_ISO_TIME_SIZE], length[48];
    fct_iso_time(first, sizeof first, t->first_ns);
    fct_iso_time(last, sizeof last, t->last_ns);
    fct_text_duration(length, sizeof length, t->last_ns - t->first_ns);
    fprintf(out, "%-22s %s %s %s (%s)\n", "time", first, dash, last, length);
}

/* First for reading, then for --limit; who reads only the first must not configure too little. */
static void write_smallest_rate(const struct fct_smallest_rate *s, bool delay, FILE *out) {
    struct fct_rate_needed needed = fct_smallest_rate_get(s);
    char rate[48], exactly[64];
    fprintf(out, "%-22s ", "smallest rate");
    switch (needed.kind) {
    case FCT_RATE_FOUND:
        fct_text_rate(rate, sizeof rate, needed.permits, needed.period_ns);
        fct_text_exact_rate(exactly, sizeof exactly, needed.permits, needed.period_ns);
        fprintf(out, "%s (%s %s) would %s nothing at this burst\n", rate, needed.exact ? "exactly" : "at least", exactly,
                delay ? "delay" : "deny");
        break;
    case FCT_RATE_ANY: fputs("any: the burst is as much as the whole log asks for\n", out); break;
    case FCT_RATE_NONE:
        fprintf(out, "none: up to %" PRIu64 " permits are asked for at once; raise --burst to that\n", needed.moment_max);
        break;
    case FCT_RATE_TOO_HIGH: fputs("more than any limit can have\n", out); break;
    }
}

static void write_findings(const struct fct_report *r, const char *dash, FILE *out) {
    const struct fct_tally *t = &r->judge->tally;
    struct fct_minute minute = fct_busiest_minute_get(&r->judge->busiest);
    bool delay = r->options->mode == FCT_MODE_DELAY;
    char text[48];
    uint64_t burst;
    fputc('\n', out);
    write_span(t, dash, out);
    if (delay) fct_text_duration(text, sizeof text, t->delay_max_ns), fprintf(out, "%-22s %s\n", "worst delay", text);
    if (!delay || t->denied != 0)
        fct_text_duration(text, sizeof text, t->retry_after_max_ns), fprintf(out, "%-22s %s\n", "worst retry-after", text);
    fct_iso_time(text, sizeof text, minute.start_ns);
    fprintf(out, "%-22s %s, %" PRIu64 " requests, cost %" PRIu64 "\n", "busiest minute", text, minute.requests, minute.cost);
    fprintf(out, "%-22s ", "smallest burst");
    if (fct_backlog_smallest_burst(&r->judge->backlog, &burst))
        fprintf(out, "%" PRIu64 " would %s nothing at this rate\n", burst, delay ? "delay" : "deny");
    else fprintf(out, "more than any bucket can hold, %" PRIu64 "\n", FLOWCTL_BURST_MAX);
    write_smallest_rate(&r->judge->smallest_rate, delay, out);
}

/* What a reader must know to trust the numbers; nothing if all is plain. */
static void write_notes(const struct fct_report *r, FILE *out) {
    if (!fct_judge_is_exact(r->judge))
        fputs("note: this rate and burst are too odd to be counted without rounding; decisions may be stricter by a hair\n",
              out);
    if (r->judge->tally.late != 0)
        fputs("note: late lines were older than the sort window, and were decided at the newest time; raise --sort-window\n",
              out);
    if (r->window_overflows != 0)
        fprintf(out, "note: %" PRIu64 " lines were decided before the sort window had passed, to keep memory bounded\n",
                r->window_overflows);
}

/* Passed and held up in one bar, all bars to one scale: the length is the load, the tail what the limit does to it. */
static void write_timeline(const struct fct_report *r, const struct marks *marks, FILE *out) {
    const struct fct_timeline *t = &r->judge->timeline;
    bool delay = r->options->mode == FCT_MODE_DELAY;
    uint64_t greatest = 1;
    char width[48], start[FCT_ISO_TIME_SIZE];
    for (unsigned i = 0; i < t->used; i++)
        if (t->slots[i].passed + t->slots[i].held_up > greatest) greatest = t->slots[i].passed + t->slots[i].held_up;
    fct_text_duration(width, sizeof width, t->width_ns);
    fprintf(out, "\nrequests per %s   %s allowed%s   %s %s\n", width, marks->passed, delay ? " at once" : "", marks->held_up,
            delay ? "delayed" : "denied");
    if (r->judge->tally.never != 0) fprintf(out, "(%s includes what can never pass)\n", marks->held_up);
    for (unsigned i = 0; i < t->used; i++) {
        uint64_t passed = bar_length(t->slots[i].passed, greatest), held_up = bar_length(t->slots[i].held_up, greatest);
        fct_iso_time(start, sizeof start, t->origin_ns + i * t->width_ns);
        fprintf(out, "%s ", start);
        repeat(out, marks->passed, passed);
        repeat(out, marks->held_up, held_up);
        if (t->slots[i].held_up != 0) fprintf(out, " %" PRIu64 " + %" PRIu64, t->slots[i].passed, t->slots[i].held_up);
        else if (t->slots[i].passed != 0) fprintf(out, " %" PRIu64, t->slots[i].passed);
        fputc('\n', out);
    }
}

/* Only magnitudes that occurred: few rows for most logs. */
static void write_waits(const struct fct_report *r, const struct marks *marks, FILE *out) {
    const struct fct_wait_magnitudes *w = &r->judge->waits;
    uint64_t greatest = 0;
    char bound[48];
    for (unsigned i = 0; i < FCT_WAIT_MAGNITUDES; i++)
        if (w->counts[i] > greatest) greatest = w->counts[i];
    if (greatest == 0) return;
    fprintf(out, "\n%s\n", r->options->mode == FCT_MODE_DELAY ? "delays" : "retry-after of what was denied");
    for (unsigned i = 0; i < FCT_WAIT_MAGNITUDES; i++) {
        if (w->counts[i] == 0) continue;
        bool last = i + 1 == FCT_WAIT_MAGNITUDES;
        fct_text_duration(bound, sizeof bound, fct_wait_magnitude_ns(last ? i - 1 : i));
        fprintf(out, "%8s %-11s ", last ? "above" : "up to", bound);
        repeat(out, marks->held_up, bar_length(w->counts[i], greatest));
        fprintf(out, " %" PRIu64 "\n", w->counts[i]);
    }
}

bool fct_report_write_table(const struct fct_report *report, FILE *out) {
    struct marks marks = choose_marks();
    write_setting(report, out);
    write_never(report, out);
    write_counts(report, out);
    if (report->judge->tally.requests == 0) return true;
    write_findings(report, marks.dash, out);
    if (report->shadow != NULL) fct_report_write_shadow(report, out);
    write_notes(report, out);
    write_timeline(report, &marks, out);
    write_waits(report, &marks, out);
    return true;
}

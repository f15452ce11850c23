/* Two limits side by side: the four counts, and where they first differ. */
#include "civil_time.h"
#include "report.h"
#include "text.h"

#include <inttypes.h>

static void write_row(FILE *out, const char *label, uint64_t passed, uint64_t held_up) {
    fprintf(out, "  %-20s %14" PRIu64 "  %14" PRIu64 "\n", label, passed, held_up);
}

static void write_square(const struct fct_comparison *c, bool delay, FILE *out) {
    fprintf(out, "  %-20s %14s  %14s\n", "", delay ? "shadow at once" : "shadow allowed",
            delay ? "shadow held up" : "shadow denied");
    write_row(out, delay ? "limit at once" : "limit allowed", c->both, c->first_only);
    write_row(out, delay ? "limit held up" : "limit denied", c->shadow_only, c->neither);
}

static void write_differences(const struct fct_comparison *c, bool delay, FILE *out) {
    char time[FCT_ISO_TIME_SIZE];
    if (c->shown == 0) {
        fputs("no request is treated differently\n", out);
        return;
    }
    fputs("the first that are treated differently\n", out);
    for (unsigned i = 0; i < c->shown; i++) {
        const struct fct_difference *d = &c->differences[i];
        fct_iso_time(time, sizeof time, d->time_ns);
        fprintf(out, "  line %-12" PRIu64 " %s  only the %s %s it\n", d->line, time, d->first_passed ? "limit" : "shadow",
                delay ? "passes" : "allows");
    }
}

void fct_report_write_shadow(const struct fct_report *r, FILE *out) {
    const struct fct_comparison *c = r->comparison;
    const struct fct_limit *limit = &r->options->shadow;
    bool delay = r->options->mode == FCT_MODE_DELAY;
    char text[128];
    fct_text_printable(text, sizeof text, limit->text);
    fprintf(out, "\nshadow limit %s, burst %" PRIu64 "\n", text, limit->burst);
    write_square(c, delay, out);
    if (c->wait_difference_max_line != 0) {
        fct_text_duration(text, sizeof text, c->wait_difference_max_ns);
        fprintf(out, "greatest difference of waits: %s, line %" PRIu64 "\n", text, c->wait_difference_max_line);
    }
    write_differences(c, delay, out);
    if (!fct_judge_is_exact(r->shadow))
        fputs("note: the shadow limit may have been rounded, and be stricter by a hair\n", out);
}

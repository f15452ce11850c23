#include "hammer.h"

#include "json_fields.h"
#include "text.h"

#include <inttypes.h>

static double allowed_in(const struct fct_hammer_options *o, uint64_t ns) {
    return (double)ns * (double)o->limit.rate.permits / (double)o->limit.rate.period_ns;
}

double fct_hammer_use(const struct fct_hammer_result *r) {
    double made = allowed_in(r->options, r->length_ns);
    return made > 0 ? (double)r->sum / made : 0;
}

static uint64_t asks(const struct fct_hammer_result *r) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < r->options->processes; i++) sum += atomic_load(&r->board->seats[i].asks);
    return sum;
}

static double share(const struct fct_hammer_result *r, uint64_t worker) {
    return r->sum != 0 ? (double)r->granted[worker] / (double)r->sum : 0;
}

/* ---- JSON ---- */

static bool put_worker(struct json_object *list, const struct fct_hammer_result *r, uint64_t i) {
    char trouble[256];
    const struct fct_hammer_seat *s = &r->board->seats[i];
    const char *what = fct_hammer_trouble(s, trouble, sizeof trouble);
    struct json_object *o = fct_json_append(list);
    return o != NULL && fct_json_number(o, "pid", (uint64_t)s->pid) && fct_json_number(o, "granted", r->granted[i]) &&
           fct_json_real(o, "share", share(r, i)) && fct_json_number(o, "denied", atomic_load(&s->denied)) &&
           fct_json_number(o, "asks", atomic_load(&s->asks)) && fct_json_number(o, "failures", atomic_load(&s->failures)) &&
           fct_json_number(o, "sessions", atomic_load(&s->sessions)) &&
           fct_json_number(o, "away_permits", atomic_load(&s->away)) &&
           fct_json_number(o, "round_trip_ns", atomic_load(&s->round_trip)) &&
           (what != NULL ? fct_json_text(o, "trouble", what) : fct_json_null(o, "trouble"));
}

static bool put_workers(struct json_object *o, const struct fct_hammer_result *r) {
    struct json_object *list = fct_json_inner(o, "processes", json_object_new_array());
    for (uint64_t i = 0; list != NULL && i < r->options->processes; i++)
        if (!put_worker(list, r, i)) return false;
    return list != NULL;
}

static bool put_worst(struct json_object *o, const struct fct_conformance *c) {
    struct json_object *inner = fct_json_inner(o, "worst", json_object_new_object());
    return inner != NULL && fct_json_number(inner, "from_ns", c->from_ns) &&
           fct_json_number(inner, "until_ns", c->until_ns) && fct_json_number(inner, "permits", c->permits);
}

static bool put_all(struct json_object *o, const struct fct_hammer_result *r) {
    const struct fct_hammer_options *s = r->options;
    return fct_json_printable(o, "backend", s->url.shown) && fct_json_printable(o, "id", s->id) &&
           fct_json_rate(o, "rate", &s->limit.rate) && fct_json_number(o, "burst", s->limit.burst) &&
           fct_json_number(o, "cost", s->cost) && fct_json_number(o, "length_ns", r->length_ns) &&
           fct_json_bool(o, "complete", !r->interrupted) && fct_json_number(o, "granted", r->sum) &&
           fct_json_number(o, "admissions", r->admissions) &&
           fct_json_real(o, "allowed", (double)s->limit.burst + allowed_in(s, r->length_ns)) &&
           fct_json_real(o, "use", fct_hammer_use(r)) && fct_json_real(o, "excess", fct_conformance_excess(&r->judged)) &&
           fct_json_bool(o, "held", r->judged.excess <= 0) && put_worst(o, &r->judged) &&
           fct_json_number(o, "other_admissions", r->others) && fct_json_number(o, "asks", asks(r)) && put_workers(o, r);
}

static bool write_json(const struct fct_hammer_result *r, FILE *out) {
    struct json_object *o = json_object_new_object();
    bool written = o != NULL && put_all(o, r) && fct_json_write(o, true, out);
    json_object_put(o);
    return written;
}

/* ---- table ---- */

static void write_setting(const struct fct_hammer_result *r, FILE *out) {
    const struct fct_hammer_options *o = r->options;
    char url[160], id[160], limit[128], length[48];
    fct_text_printable(url, sizeof url, o->url.shown);
    fct_text_printable(id, sizeof id, o->id);
    fct_text_printable(limit, sizeof limit, o->limit.text);
    fct_text_duration(length, sizeof length, r->length_ns);
    fprintf(out, "\"%s\" at %s\nlimit %s, burst %" PRIu64 ", %" PRIu64 " processes, %s, a request costs %" PRIu64 "\n", id,
            url, limit, o->limit.burst, o->processes, length, o->cost);
    if (r->interrupted) fputs("INTERRUPTED: the run was shorter than asked for\n", out);
}

static void write_findings(const struct fct_hammer_result *r, FILE *out) {
    const struct fct_conformance *c = &r->judged;
    char length[48];
    fprintf(out, "\n%-10s %14" PRIu64 "  permits, in %" PRIu64 " admissions\n", "granted", r->sum, r->admissions);
    fprintf(out, "%-10s %14.0f  permits: burst + rate x duration\n", "allowed",
            (double)r->options->limit.burst + allowed_in(r->options, r->length_ns));
    fprintf(out, "%-10s %14.4f  of rate x duration\n", "use", fct_hammer_use(r));
    fprintf(out, "%-10s %14.6f  permits: %s\n", "excess", fct_conformance_excess(c),
            c->excess <= 0 ? "the limit held" : "OVER THE LIMIT");
    fct_text_duration(length, sizeof length, c->until_ns - c->from_ns);
    fprintf(out, "%-10s %14" PRIu64 "  permits in %s, from %.6f s (BOOTTIME)\n", "worst", c->permits, length,
            (double)c->from_ns / 1e9);
    fprintf(out, "%-10s %14" PRIu64 "  to the store, %.1f permits each\n", "asks", asks(r),
            asks(r) != 0 ? (double)r->sum / (double)asks(r) : 0);
    if (r->others != 0)
        fprintf(out, "note: %" PRIu64 " admissions that were in the directory were judged with these\n", r->others);
}

static void write_workers(const struct fct_hammer_result *r, FILE *out) {
    fprintf(out, "\n%7s %8s %12s %7s %12s %8s %8s %8s %10s\n", "process", "pid", "granted", "share", "denied", "asks",
            "failures", "sessions", "away");
    for (uint64_t i = 0; i < r->options->processes; i++) {
        char trouble[256];
        const struct fct_hammer_seat *s = &r->board->seats[i];
        const char *what = fct_hammer_trouble(s, trouble, sizeof trouble);
        fprintf(out,
                "%7" PRIu64 " %8ld %12" PRIu64 " %6.1f%% %12" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %10" PRIu64
                "%s%s\n",
                i + 1, (long)s->pid, r->granted[i], 100 * share(r, i), atomic_load(&s->denied), atomic_load(&s->asks),
                atomic_load(&s->failures), atomic_load(&s->sessions), atomic_load(&s->away), what != NULL ? "  " : "",
                what != NULL ? what : "");
    }
}

/* A second opinion, in one line: it need not be believed that the judge is right. */
static void write_check(const struct fct_hammer_options *o, FILE *out) {
    char log[256];
    if (o->log == NULL) return;
    fct_text_printable(log, sizeof log, o->log);
    fprintf(out,
            "\nadmissions: %s/admissions.txt, TIME_NS PERMITS a line (CLOCK_BOOTTIME). To check them with something else:\n"
            "  awk -v rate=%.17g -v burst=%" PRIu64 " '{h -= ($1-t)/1e9*rate; if (h < 0) h = 0; h += $2; t = $1;"
            " if (h > m) m = h} END {print \"excess\", m-burst}' %s/admissions.txt\n",
            log, allowed_in(o, FLOWCTL_NS_PER_SEC), o->limit.burst, log);
}

static bool write_table(const struct fct_hammer_result *r, FILE *out) {
    write_setting(r, out);
    write_findings(r, out);
    write_workers(r, out);
    write_check(r->options, out);
    return true;
}

bool fct_hammer_write(const struct fct_hammer_result *r, FILE *out) {
    return r->options->json ? write_json(r, out) : write_table(r, out);
}

#include "inspect.h"

#include "json_fields.h"
#include "text.h"
#include "wide.h"

#include <inttypes.h>
#include <string.h>

#define SESSION_SIZE 9
#define NAME_COLUMNS 32

/* The beginning of 128 random bits is enough to tell sessions apart. */
static void short_session(char out[SESSION_SIZE], flowctl_session_id id) {
    snprintf(out, SESSION_SIZE, "%08" PRIx32, (uint32_t)(id.hi >> 32));
}

static uint64_t out_of(const flowctl_member_state *m) { return m->granted - m->used - m->back; }

/* ---- JSON ---- */

static bool put_member(struct json_object *list, const flowctl_member_state *m) {
    char session[33];
    struct json_object *o = fct_json_append(list);
    snprintf(session, sizeof session, "%016" PRIx64 "%016" PRIx64, m->session.hi, m->session.lo);
    return o != NULL && fct_json_printable(o, "name", m->name) && fct_json_text(o, "session", session) &&
           fct_json_number(o, "seq", m->seq) && fct_json_number(o, "granted", m->granted) &&
           fct_json_number(o, "used", m->used) && fct_json_number(o, "back", m->back) &&
           fct_json_number(o, "out", out_of(m)) && fct_json_number(o, "expires_in_ns", m->expires_in_ns) &&
           fct_json_bool(o, "active", m->active);
}

static bool put_members(struct json_object *o, const flowctl_limit_state *s) {
    struct json_object *list = fct_json_inner(o, "members", json_object_new_array());
    for (size_t i = 0; list != NULL && i < s->member_count; i++)
        if (!put_member(list, &s->members[i])) return false;
    return list != NULL;
}

static bool put_limit(struct json_object *list, const flowctl_limit_state *s) {
    struct json_object *o = fct_json_append(list);
    return o != NULL && fct_json_printable(o, "id", s->limit) && fct_json_rate(o, "rate", &s->terms.rate) &&
           fct_json_number(o, "burst", s->terms.burst) && fct_json_number(o, "ttl_ns", s->terms.ttl_ns) &&
           fct_json_number(o, "version", s->terms.version) && fct_json_signed(o, "level", s->level) &&
           fct_json_number(o, "out", s->out) && fct_json_number(o, "granted", s->granted) &&
           fct_json_number(o, "used", s->used) && fct_json_number(o, "back", s->back) &&
           fct_json_number(o, "expired", s->expired) && fct_json_number(o, "quarantine_ns", s->quarantine_ns) &&
           fct_json_number(o, "clk_ns", s->clk_ns) && put_members(o, s);
}

static bool put_all(struct json_object *o, const struct fct_inspect_options *options, const struct fct_limits *all) {
    if (!fct_json_printable(o, "backend", options->url.text)) return false;
    struct json_object *list = fct_json_inner(o, "limits", json_object_new_array());
    for (size_t i = 0; list != NULL && i < all->count; i++)
        if (!put_limit(list, &all->seen[i].state)) return false;
    return list != NULL;
}

static bool write_json(const struct fct_inspect_options *options, const struct fct_limits *all, FILE *out) {
    struct json_object *o = json_object_new_object();
    bool written = o != NULL && put_all(o, options, all) && fct_json_write(o, options->watch_ns == 0, out);
    json_object_put(o);
    return written;
}

/* ---- table ---- */

/* The rate as it was most likely written; a fraction that has no short form is shown as it is. */
static void rate_text(char *out, size_t size, const flowctl_rate *r) {
    flowctl_rate read;
    fct_text_rate(out, size, r->permits, r->period_ns);
    bool exact = flowctl_rate_parse(out, &read, NULL, NULL) == FLOWCTL_OK &&
                 (fct_u128)read.permits * r->period_ns == (fct_u128)r->permits * read.period_ns;
    if (!exact) fct_text_exact_rate(out, size, r->permits, r->period_ns);
}

static void write_head(FILE *out) {
    fprintf(out, "%-24s %12s %10s %8s %8s %10s %10s %8s  %s\n", "id", "rate", "burst", "ttl", "version", "level", "out",
            "members", "quarantine");
}

static void write_limit(const flowctl_limit_state *s, FILE *out) {
    char id[160], rate[64], ttl[48], quarantine[48] = "-";
    fct_text_printable(id, sizeof id, s->limit);
    rate_text(rate, sizeof rate, &s->terms.rate);
    fct_text_duration(ttl, sizeof ttl, s->terms.ttl_ns);
    if (s->quarantine_ns != 0) fct_text_duration(quarantine, sizeof quarantine, s->quarantine_ns);
    fprintf(out, "%-24s %12s %10" PRIu64 " %8s %8" PRIu64 " %10" PRId64 " %10" PRIu64 " %8zu  %s\n", id, rate,
            s->terms.burst, ttl, s->terms.version, s->level, s->out, s->member_count, quarantine);
}

static void write_members(const flowctl_limit_state *s, FILE *out) {
    fprintf(out, "\n%-*s %-8s %8s %12s %12s %10s %8s %11s  %s\n", NAME_COLUMNS, "member", "session", "seq", "granted",
            "used", "back", "out", "expires in", "active");
    for (size_t i = 0; i < s->member_count; i++) {
        const flowctl_member_state *m = &s->members[i];
        char who[64], session[SESSION_SIZE], expires[48];
        fct_text_printable(who, sizeof who, m->name);
        short_session(session, m->session);
        fct_text_duration(expires, sizeof expires, m->expires_in_ns);
        fprintf(out, "%-*s %s %8" PRIu64 " %12" PRIu64 " %12" PRIu64 " %10" PRIu64 " %8" PRIu64 " %11s  %s\n", NAME_COLUMNS,
                who, session, m->seq, m->granted, m->used, m->back, out_of(m), expires, m->active ? "yes" : "no");
    }
    if (s->member_count == 0) fputs("(none)\n", out);
}

static bool write_table(const struct fct_inspect_options *options, const struct fct_limits *all, FILE *out) {
    if (all->count == 0) return fputs("no limits\n", out), true;
    write_head(out);
    for (size_t i = 0; i < all->count; i++) write_limit(&all->seen[i].state, out);
    if (options->id != NULL) write_members(&all->seen[0].state, out);
    return true;
}

bool fct_inspect_write(const struct fct_inspect_options *options, const struct fct_limits *all, FILE *out) {
    return options->json ? write_json(options, all, out) : write_table(options, all, out);
}

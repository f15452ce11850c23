/* A line for each thing that is said, and the thing itself passed on. */
#include "inner.h"

#include "base/error.h"

#include <flowctl/sys/trace.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 2048, QUOTED_BYTES = 4 * FLOWCTL_STORE_KEY_MAX + 3 };

struct trace {
    flowctl_backend_base base;
    struct fc_inner inner;
    flowctl_trace_sink *sink;
    void *context;
};

__attribute__((format(printf, 2, 3))) static void tell(flowctl_backend_base *base, const char *format, ...) {
    struct trace *t = (struct trace *)base;
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    t->sink(t->context, flowctl_backend_time(base), line);
}

/* A text in quotes; what would break or forge a line is written as \xHH. Too long: cut. */
struct quoted {
    char text[QUOTED_BYTES];
};

static struct quoted quote(const char *text) {
    static const char digits[] = "0123456789abcdef";
    struct quoted q = {"NULL"};
    if (text == NULL) return q;
    size_t n = 0;
    q.text[n++] = '"';
    for (const char *c = text; *c != '\0' && n + 6 <= sizeof q.text; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte >= 0x20 && byte != 0x7f && byte != '"' && byte != '\\') {
            q.text[n++] = *c;
            continue;
        }
        q.text[n++] = '\\', q.text[n++] = 'x';
        q.text[n++] = digits[byte >> 4], q.text[n++] = digits[byte & 15];
    }
    q.text[n++] = '"';
    q.text[n] = '\0';
    return q;
}

/* ---- what is asked ---- */

static void trace_lease(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_ask *a) {
    tell(base,
         "lease #%" PRIu64 " %s session=%016" PRIx64 "%016" PRIx64 " seq=%" PRIu64 " want=%" PRIu64 " need=%" PRIu64
         " used=%" PRIu64 " back=%" PRIu64 " rate=%" PRIu64 "/%" PRIu64 "ns burst=%" PRIu64 " ttl=%" PRIu64
         "ns version=%" PRIu64 " member=%s%s%s",
         ticket, quote(a->limit).text, a->session.hi, a->session.lo, a->seq, a->want, a->need, a->used, a->back,
         a->terms.rate.permits, a->terms.rate.period_ns, a->terms.burst, a->terms.ttl_ns, a->terms.version,
         quote(a->member).text, a->start_full ? " start_full" : "", a->leaves ? " leaves" : "");
    flowctl_backend_base *inner = ((struct trace *)base)->inner.base;
    inner->ops->lease(inner, ticket, a);
}

static void trace_get(flowctl_backend_base *base, uint64_t ticket, const char *key) {
    tell(base, "get #%" PRIu64 " %s", ticket, quote(key).text);
    fc_inner_get(&((struct trace *)base)->inner, ticket, key);
}

static void trace_put(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_put *p) {
    tell(base, "put #%" PRIu64 " %s bytes=%zu ttl=%" PRIu64 "ns expected=%" PRIu64 "%s", ticket, quote(p->key).text,
         p->bytes, p->ttl_ns, p->expected, p->value == NULL ? " remove" : "");
    fc_inner_put(&((struct trace *)base)->inner, ticket, p);
}

static void trace_increment(flowctl_backend_base *base, uint64_t ticket, const char *key, uint64_t by) {
    tell(base, "increment #%" PRIu64 " %s by=%" PRIu64, ticket, quote(key).text, by);
    fc_inner_increment(&((struct trace *)base)->inner, ticket, key, by);
}

static flowctl_status trace_watch(flowctl_backend_base *base, const char *key, bool on) {
    flowctl_status status = fc_inner_watch(&((struct trace *)base)->inner, key, on);
    tell(base, "watch %s %s: %s", quote(key).text, on ? "on" : "off", flowctl_status_name(status));
    return status;
}

static void trace_inspect(flowctl_backend_base *base, uint64_t ticket, const char *limit) {
    tell(base, "inspect #%" PRIu64 " %s", ticket, quote(limit).text);
    fc_inner_inspect(&((struct trace *)base)->inner, ticket, limit);
}

static uint64_t trace_poll(flowctl_backend_base *base, uint64_t now_ns) {
    return fc_inner_poll(&((struct trace *)base)->inner, now_ns);
}

static uint32_t trace_able(const flowctl_backend_base *base) { return fc_inner_able(&((const struct trace *)base)->inner); }

/* ---- what is answered ---- */

static void leased(flowctl_backend_base *inner, uint64_t ticket, const flowctl_lease_reply *r) {
    tell(fc_outer(inner),
         "leased #%" PRIu64 " %s seq=%" PRIu64 "%s grant=%" PRIu64 " granted=%" PRIu64 " lease=%" PRIu64
         "ns retry_after=%" PRIu64 "ns quarantine=%" PRIu64 "ns members=%" PRIu64 " identity=%016" PRIx64 " clk=%" PRIu64
         " version=%" PRIu64,
         ticket, flowctl_status_name(r->status), r->seq, r->dead ? " dead" : "", r->grant, r->granted, r->lease_ns,
         r->retry_after_ns, r->quarantine_ns, r->members, r->identity, r->clk_ns, r->terms.version);
    flowctl_answer_lease(fc_outer(inner), ticket, r);
}

static void stored(flowctl_backend_base *inner, uint64_t ticket, const flowctl_store_reply *r) {
    tell(fc_outer(inner), "stored #%" PRIu64 " %s bytes=%zu number=%" PRIu64 " version=%" PRIu64, ticket,
         flowctl_status_name(r->status), r->bytes, r->number, r->version);
    flowctl_answer_store(fc_outer(inner), ticket, r);
}

static void inspected(flowctl_backend_base *inner, uint64_t ticket, flowctl_status status, const flowctl_limit_state *s) {
    if (s == NULL) tell(fc_outer(inner), "inspected #%" PRIu64 " end: %s", ticket, flowctl_status_name(status));
    else
        tell(fc_outer(inner), "inspected #%" PRIu64 " %s level=%" PRId64 " out=%" PRIu64 " members=%zu", ticket,
             quote(s->limit).text, s->level, s->out, s->member_count);
    flowctl_answer_inspect(fc_outer(inner), ticket, status, s);
}

static void changed(flowctl_backend_base *inner, const char *key) {
    tell(fc_outer(inner), "changed %s", quote(key).text);
    flowctl_tell_changed(fc_outer(inner), key);
}

/* ---- sleeping ---- */

/* Only called if the inner backend has them. */
static void trace_wait(flowctl_backend_base *base, uint64_t until_ns) {
    flowctl_backend_base *inner = ((struct trace *)base)->inner.base;
    inner->ops->wait(inner, until_ns);
}

static void trace_interrupt(flowctl_backend_base *base) {
    flowctl_backend_base *inner = ((struct trace *)base)->inner.base;
    inner->ops->interrupt(inner);
}

static int trace_descriptor(const flowctl_backend_base *base) {
    return fc_inner_descriptor(&((const struct trace *)base)->inner);
}

static flowctl_backend_base *trace_inner(const flowctl_backend_base *base) {
    return ((const struct trace *)base)->inner.base;
}

/* ---- from open to close ---- */

static flowctl_status trace_open(flowctl_backend_base *base, const void *config, flowctl_error *err) {
    static const flowctl_backend_host host = {
        .size = sizeof host,
        .leased = leased,
        .stored = stored,
        .inspected = inspected,
        .changed = changed,
        .wake = fc_outer_wake,
        .now = fc_outer_now,
    };
    const flowctl_trace_config *c = config;
    struct trace *t = (struct trace *)base;
    if (c == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "config: NULL; give a flowctl_trace_config");
    if (c->size != sizeof *c)
        return fc_fail(err, FLOWCTL_BAD_SIZE, FC_NO_TEXT, "config: size: %zu; set it to sizeof(flowctl_trace_config)",
                       c->size);
    if (c->sink == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "config: sink: NULL; give a function that takes the lines");
    t->sink = c->sink;
    t->context = c->context;
    return fc_inner_open(&t->inner, c->inner, c->inner_config, &host, base, err);
}

static void trace_close(flowctl_backend_base *base) { fc_inner_close(&((struct trace *)base)->inner); }

const flowctl_backend_ops *flowctl_trace_backend(void) {
    static const flowctl_backend_ops ops = {
        .size = sizeof ops,
        .version = FLOWCTL_BACKEND_VERSION,
        .name = "trace",
        .instance_bytes = sizeof(struct trace),
        .open = trace_open,
        .close = trace_close,
        .lease = trace_lease,
        .get = trace_get,
        .put = trace_put,
        .increment = trace_increment,
        .watch = trace_watch,
        .inspect = trace_inspect,
        .poll = trace_poll,
        .able = trace_able,
        .wait = trace_wait,
        .interrupt = trace_interrupt,
        .descriptor = trace_descriptor,
        .inner = trace_inner,
    };
    return &ops;
}

#include "unit/script.h"

struct instance {
    flowctl_backend_base base;
    struct script *script;
};

static struct script *script_of(const flowctl_backend_base *base) { return ((const struct instance *)base)->script; }

/* ---- the slots ---- */

static flowctl_status script_open(flowctl_backend_base *base, const void *config, flowctl_error *err) {
    (void)err;
    struct instance *i = (struct instance *)base;
    memcpy(&i->script, &(const void *){config}, sizeof i->script);
    i->script->base = base;
    i->script->opened++;
    return FLOWCTL_OK;
}

static void script_close(flowctl_backend_base *base) { script_of(base)->closed++; }

static void script_lease(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_ask *ask) {
    struct script *s = script_of(base);
    s->ask[++s->asks % SCRIPT_ASKS] = (struct script_ask){ticket, *ask};
    if (s->in_lease != NULL) s->in_lease(s);
    if (s->generous) script_grant(s, 0, ask->want);
}

static void note_call(flowctl_backend_base *base, uint64_t ticket) {
    struct script *s = script_of(base);
    s->calls++;
    s->call_ticket = ticket;
}

static void script_get(flowctl_backend_base *base, uint64_t ticket, const char *key) { (void)key, note_call(base, ticket); }
static void script_put(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_put *put) {
    (void)put, note_call(base, ticket);
}
static void script_increment(flowctl_backend_base *base, uint64_t ticket, const char *key, uint64_t by) {
    (void)key, (void)by, note_call(base, ticket);
}
static void script_inspect(flowctl_backend_base *base, uint64_t ticket, const char *limit) {
    (void)limit, note_call(base, ticket);
}
static flowctl_status script_watch(flowctl_backend_base *base, const char *key, bool on) {
    (void)key, (void)on;
    return script_of(base)->watch_status;
}
static uint64_t script_poll(flowctl_backend_base *base, uint64_t now_ns) {
    (void)now_ns;
    script_of(base)->polls++;
    return FLOWCTL_FOREVER;
}

const flowctl_backend_ops script_ops = {.size = sizeof script_ops,
                                        .version = FLOWCTL_BACKEND_VERSION,
                                        .name = "script",
                                        .instance_bytes = sizeof(struct instance),
                                        .open = script_open,
                                        .close = script_close,
                                        .lease = script_lease,
                                        .get = script_get,
                                        .put = script_put,
                                        .increment = script_increment,
                                        .watch = script_watch,
                                        .inspect = script_inspect,
                                        .poll = script_poll};

const flowctl_backend_ops script_ops_lend = {.size = sizeof script_ops_lend,
                                             .version = FLOWCTL_BACKEND_VERSION,
                                             .name = "lender",
                                             .instance_bytes = sizeof(struct instance),
                                             .open = script_open,
                                             .close = script_close,
                                             .lease = script_lease};

/* ---- answers ---- */

const struct script_ask *script_ask(const struct script *s, unsigned n) {
    if (n == 0) n = s->asks;
    assert_true(n != 0 && n <= s->asks && n + SCRIPT_ASKS > s->asks);
    return &s->ask[n % SCRIPT_ASKS];
}

void script_reply(struct script *s, unsigned n, const flowctl_lease_reply *reply) {
    flowctl_lease_reply copy = *reply;
    copy.size = sizeof copy;
    copy.session = script_ask(s, n)->ask.session;
    flowctl_answer_lease(s->base, script_ask(s, n)->ticket, &copy);
}

void script_grant(struct script *s, unsigned n, uint64_t grant) {
    flowctl_lease_reply reply = s->says;
    const flowctl_lease_ask *ask = &script_ask(s, n)->ask;
    reply.seq = ask->seq;
    reply.grant = grant;
    reply.granted = s->granted += grant;
    if (reply.lease_ns == 0) reply.lease_ns = ask->terms.ttl_ns;
    if (reply.members == 0) reply.members = 1;
    if (reply.identity == 0) reply.identity = 1;
    if (reply.terms.burst == 0) reply.terms = ask->terms;
    script_reply(s, n, &reply);
}

void script_refuse(struct script *s, unsigned n, flowctl_status status) {
    script_reply(s, n, &(flowctl_lease_reply){.status = status, .seq = script_ask(s, n)->ask.seq});
}

/* ---- shared limiters ---- */

static void open_by(struct shared *s, flowctl_backend_options o) {
    s->limiter = NULL;
    s->polls = 0;
    assert_int_equal(flowctl_clock_manual_create(FIXTURE_START_NS, NULL, &s->clock, NULL), FLOWCTL_OK);
    o.clock = s->clock;
    o.drive = FLOWCTL_DRIVE_POLL;
    assert_int_equal(flowctl_backend_open(&o, &s->backend, NULL), FLOWCTL_OK);
}

void shared_open(struct shared *s, const flowctl_backend_ops *ops, const void *config) {
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    o.ops = ops;
    o.config = config;
    open_by(s, o);
}

void shared_open_paced(struct shared *s, uint64_t max_asks_per_sec) {
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    o.ops = flowctl_memory_backend();
    o.max_asks_per_sec = max_asks_per_sec;
    open_by(s, o);
}

void shared_open_script(struct shared *s) {
    s->script = (struct script){.base = NULL};
    shared_open(s, &script_ops, &s->script);
}

flowctl_token_bucket_options shared_options(const struct shared *s) {
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    o.id = "shared";
    o.rate = flowctl_per_second(1000);
    o.burst = 100;
    o.backend = s->backend;
    o.sharing.ttl_ns = SHARED_TTL_NS;
    o.sharing.refresh_ns = SHARED_REFRESH_NS;
    return o;
}

flowctl_limiter *shared_create(const flowctl_token_bucket_options *o) {
    flowctl_limiter *l;
    flowctl_error err = {.message = ""};
    if (flowctl_token_bucket_create(o, &l, &err) != FLOWCTL_OK) fail_msg("%s", err.message);
    return l;
}

void shared_begin(struct shared *s, const flowctl_token_bucket_options *o, uint64_t held) {
    s->limiter = shared_create(o);
    flowctl_backend_poll(s->backend);
    assert_int_equal(s->script.asks, 1);
    script_grant(&s->script, 1, held);
}

void shared_with(struct shared *s, uint64_t held, flowctl_away away) {
    shared_open_script(s);
    flowctl_token_bucket_options o = shared_options(s);
    o.sharing.away = away;
    shared_begin(s, &o, held);
}

void shared_free(struct shared *s) {
    flowctl_limiter_destroy(s->limiter);
    flowctl_backend_destroy(s->backend);
    flowctl_clock_destroy(s->clock);
}

uint64_t shared_now(const struct shared *s) { return flowctl_clock_now(s->clock); }

void shared_pass(struct shared *s, uint64_t ns) {
    uint64_t end_ns = shared_now(s) + ns;
    for (;;) {
        uint64_t next_ns = flowctl_backend_poll(s->backend);
        s->polls++;
        assert_true(next_ns > shared_now(s));
        if (next_ns > end_ns) break;
        flowctl_clock_set(s->clock, next_ns);
    }
    flowctl_clock_set(s->clock, end_ns);
}

void shared_skip(struct shared *s, uint64_t ns) { flowctl_clock_advance(s->clock, ns); }

void shared_ask_again(struct shared *s) {
    unsigned before = s->script.asks;
    assert_false(flowctl_try_acquire(s->limiter, 50));
    shared_pass(s, 2 * SHARED_REFRESH_NS);
    assert_int_equal(s->script.asks, before + 1);
}

flowctl_sharing_info shared_info(flowctl_limiter *l) {
    flowctl_sharing_info info;
    assert_int_equal(flowctl_limiter_sharing(l, &info), FLOWCTL_OK);
    assert_int_equal(info.granted_permits, info.used_permits + info.back_permits + info.held);
    return info;
}

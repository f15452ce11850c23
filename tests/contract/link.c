#include "link.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { ANSWERS = 512 };

struct answer {
    uint64_t ticket;
    unsigned count; /* an inspection counts when it ends */
    flowctl_lease_reply leased;
    struct stored stored;
};

struct link {
    const flowctl_backend_ops *ops;
    flowctl_backend_base *base;
    pthread_mutex_t lock; /* of all below */
    uint64_t tickets;
    struct answer answers[ANSWERS];
    struct inspected inspected;
    char changed[FLOWCTL_STORE_KEY_MAX + 1];
    unsigned changes;
    bool closed;
};

uint64_t link_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * FLOWCTL_NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* ---- the host ---- */

static struct link *link_of(flowctl_backend_base *base) {
    struct link *l = base->host_context;
    pthread_mutex_lock(&l->lock);
    EXPECT(!l->closed);
    return l;
}

static struct answer *answer_to(struct link *l, uint64_t ticket) {
    EXPECT(ticket != 0 && ticket <= l->tickets);
    struct answer *a = &l->answers[ticket % ANSWERS];
    if (a->ticket != ticket) return NULL; /* so late that nobody waits for it */
    a->count++;
    return a;
}

static void leased(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_reply *reply) {
    struct link *l = link_of(base);
    struct answer *a = answer_to(l, ticket);
    EXPECT_NUMBER(reply->size, ==, sizeof *reply);
    if (a != NULL && a->count == 1) a->leased = *reply;
    pthread_mutex_unlock(&l->lock);
}

static void stored(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_reply *reply) {
    struct link *l = link_of(base);
    struct answer *a = answer_to(l, ticket);
    EXPECT_NUMBER(reply->size, ==, sizeof *reply);
    EXPECT_NUMBER(reply->bytes, <=, FLOWCTL_STORE_VALUE_MAX);
    if (a != NULL && a->count == 1) {
        a->stored.reply = *reply;
        if (reply->bytes != 0) memcpy(a->stored.value, reply->value, reply->bytes);
    }
    pthread_mutex_unlock(&l->lock);
}

static void keep_state(struct inspected *in, const flowctl_limit_state *state) {
    EXPECT_NUMBER(in->count, <, sizeof in->limits / sizeof *in->limits);
    EXPECT_NUMBER(strlen(state->limit), <=, FLOWCTL_LIMIT_ID_MAX);
    size_t i = in->count++, most = sizeof in->limits[i].members / sizeof *in->limits[i].members;
    strcpy(in->limits[i].limit, state->limit);
    in->limits[i].state = *state;
    for (size_t m = 0; m < most && m < state->member_count; m++) in->limits[i].members[m] = state->members[m];
}

static void inspected(flowctl_backend_base *base, uint64_t ticket, flowctl_status status, const flowctl_limit_state *state) {
    struct link *l = link_of(base);
    if (state != NULL) {
        keep_state(&l->inspected, state);
    } else {
        l->inspected.status = status;
        answer_to(l, ticket);
    }
    pthread_mutex_unlock(&l->lock);
}

static void changed(flowctl_backend_base *base, const char *key) {
    struct link *l = link_of(base);
    EXPECT_NUMBER(strlen(key), <=, FLOWCTL_STORE_KEY_MAX);
    strcpy(l->changed, key);
    l->changes++;
    pthread_mutex_unlock(&l->lock);
}

static void wake(flowctl_backend_base *base) { (void)base; /* it is polled all the time */ }

static uint64_t now(flowctl_backend_base *base) {
    (void)base;
    return link_now();
}

/* ---- from open to close ---- */

struct link *link_open(const struct contract_subject *subject) {
    static const flowctl_backend_host host = {sizeof host, leased, stored, inspected, changed, wake, now};
    flowctl_error err = {FLOWCTL_OK, 0, ""};
    struct link *l = calloc(1, sizeof *l);
    flowctl_backend_base *base = calloc(1, subject->ops->instance_bytes);
    EXPECT(l != NULL && base != NULL);
    pthread_mutex_init(&l->lock, NULL);
    l->ops = subject->ops;
    l->base = base;
    *base = (flowctl_backend_base){subject->ops, &host, l};
    if (l->ops->open(base, subject->config(), &err) != FLOWCTL_OK)
        contract_fail(__FILE__, __LINE__, "open: %s", err.message);
    return l;
}

void link_close(struct link *l) {
    l->ops->close(l->base);
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    pthread_mutex_unlock(&l->lock);
    pthread_mutex_destroy(&l->lock);
    free(l->base);
    free(l);
}

static void nap(uint64_t ns) {
    nanosleep(&(struct timespec){(time_t)(ns / FLOWCTL_NS_PER_SEC), (long)(ns % FLOWCTL_NS_PER_SEC)}, NULL);
}

void link_rest(struct link *l, uint64_t ns) {
    uint64_t until_ns = link_now() + ns;
    for (uint64_t t = link_now(); t < until_ns; t = link_now()) {
        if (l->ops->poll != NULL) l->ops->poll(l->base, t);
        uint64_t left_ns = until_ns - t;
        nap(left_ns < 200000 ? left_ns : 200000);
    }
}

/* ---- calls ---- */

static uint64_t begin(struct link *l) {
    pthread_mutex_lock(&l->lock);
    uint64_t ticket = ++l->tickets;
    memset(&l->answers[ticket % ANSWERS], 0, sizeof l->answers[0]);
    l->answers[ticket % ANSWERS].ticket = ticket;
    pthread_mutex_unlock(&l->lock);
    return ticket;
}

unsigned link_answers(struct link *l, uint64_t ticket) {
    pthread_mutex_lock(&l->lock);
    unsigned count = l->answers[ticket % ANSWERS].count;
    pthread_mutex_unlock(&l->lock);
    return count;
}

uint64_t link_last_ticket(const struct link *l) { return l->tickets; }

static struct answer *await_answer(struct link *l, uint64_t ticket) {
    uint64_t until_ns = link_now() + 2 * FLOWCTL_NS_PER_SEC;
    while (link_answers(l, ticket) == 0) {
        if (link_now() > until_ns)
            contract_fail(__FILE__, __LINE__, "call %llu was never answered", (unsigned long long)ticket);
        link_rest(l, 20000);
    }
    return &l->answers[ticket % ANSWERS];
}

flowctl_lease_reply link_lease(struct link *l, const flowctl_lease_ask *ask) {
    uint64_t ticket = begin(l);
    l->ops->lease(l->base, ticket, ask);
    flowctl_lease_reply reply = await_answer(l, ticket)->leased;
    EXPECT_NUMBER(reply.seq, ==, ask->seq);
    EXPECT(reply.session.hi == ask->session.hi && reply.session.lo == ask->session.lo);
    EXPECT_NUMBER(reply.grant, <=, ask->want);
    return reply;
}

void link_send(struct link *l, const flowctl_lease_ask *ask) { l->ops->lease(l->base, begin(l), ask); }

struct stored link_get(struct link *l, const char *key) {
    uint64_t ticket = begin(l);
    l->ops->get(l->base, ticket, key);
    return await_answer(l, ticket)->stored;
}

struct stored link_put(struct link *l, flowctl_store_put put) {
    uint64_t ticket = begin(l);
    put.size = sizeof put;
    l->ops->put(l->base, ticket, &put);
    return await_answer(l, ticket)->stored;
}

struct stored link_increment(struct link *l, const char *key, uint64_t by) {
    uint64_t ticket = begin(l);
    l->ops->increment(l->base, ticket, key, by);
    return await_answer(l, ticket)->stored;
}

flowctl_status link_watch(struct link *l, const char *key, bool on) { return l->ops->watch(l->base, key, on); }

unsigned link_changes(struct link *l, const char *key) {
    pthread_mutex_lock(&l->lock);
    unsigned count = strcmp(l->changed, key) == 0 ? l->changes : 0;
    pthread_mutex_unlock(&l->lock);
    return count;
}

struct inspected *link_inspect(struct link *l, const char *limit) {
    struct inspected *copy = malloc(sizeof *copy);
    EXPECT(copy != NULL);
    uint64_t ticket = begin(l);
    memset(&l->inspected, 0, sizeof l->inspected);
    l->ops->inspect(l->base, ticket, limit);
    await_answer(l, ticket);
    *copy = l->inspected;
    return copy;
}

/* ---- members ---- */

flowctl_lease_terms terms_of(flowctl_rate rate, uint64_t burst, uint64_t ttl_ns, uint64_t version) {
    return (flowctl_lease_terms){rate, burst, ttl_ns, version};
}

struct member member_of(struct link *l, const char *limit, flowctl_lease_terms terms) {
    struct member m = {.link = l};
    m.ask =
        (flowctl_lease_ask){.size = sizeof m.ask, .limit = limit, .member = "examinee", .terms = terms, .start_full = true};
    EXPECT(getrandom(&m.ask.session, sizeof m.ask.session, 0) == (ssize_t)sizeof m.ask.session);
    return m;
}

uint64_t member_ask(struct member *m, uint64_t want, uint64_t need) {
    uint64_t before = m->granted, since_ns = link_now() - m->seen_ns;
    m->ask.seq++;
    m->ask.want = want;
    m->ask.need = need;
    m->ask.since_ns = m->ask.seen_clk_ns == 0 ? 0 : since_ns - since_ns / 1000;
    m->reply = link_lease(m->link, &m->ask);
    if (m->reply.status != FLOWCTL_OK || m->reply.dead) return 0;
    m->seen_ns = link_now();
    m->ask.seen_clk_ns = m->reply.clk_ns;
    m->ask.seen_identity = m->reply.identity;
    if (m->reply.granted > before) m->granted = m->reply.granted;
    return m->granted - before;
}

void member_leave(struct member *m) {
    m->ask.back = m->granted - m->ask.used;
    m->ask.leaves = true;
    member_ask(m, 0, 0);
}

/*
 * A store that can't know whether there was such a limit before lends nothing at first, and begins empty. So: by a rate that fills at once wait that out, and
 * until it is full; then set the rate that stands still.
 */
flowctl_lease_terms make_full(struct link *l, const char *limit, uint64_t burst, uint64_t ttl_ns) {
    struct member m = member_of(l, limit, terms_of(flowctl_per(burst, FLOWCTL_NS_PER_MS), burst, ttl_ns, 1));
    uint64_t until_ns = link_now() + 30 * ttl_ns + 2 * FLOWCTL_NS_PER_SEC;
    do {
        member_ask(&m, 0, 0);
        EXPECT_NUMBER(m.reply.status, ==, FLOWCTL_OK);
        EXPECT(link_now() < until_ns);
        link_rest(l, 2 * FLOWCTL_NS_PER_MS);
    } while (m.reply.quarantine_ns != 0);
    for (int i = 0; i < 2; i++) link_rest(l, 2 * FLOWCTL_NS_PER_MS), member_ask(&m, 0, 0);
    m.ask.terms.version = 2;
    m.ask.terms.rate = flowctl_per_hour(1);
    member_ask(&m, 0, 0);
    EXPECT_NUMBER(m.reply.terms.version, ==, 2);
    member_leave(&m);
    return m.ask.terms;
}

flowctl_lease_terms at_rate(flowctl_lease_terms terms, flowctl_rate rate) {
    return terms_of(rate, terms.burst, terms.ttl_ns, terms.version + 1);
}

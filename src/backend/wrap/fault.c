/* Delay, loss, repetition, disorder and failure, drawn from a seed. */
#include "inner.h"
#include "message.h"

#include "base/error.h"

#include <flowctl/sys/fault.h>
#include <pthread.h>
#include <stdlib.h>

enum { CHANCES = 1000000 };

struct flowctl_faults {
    pthread_mutex_t lock;
    uint64_t seed, requests, replies; /* how many there were: with the seed, what happens to the next */
    flowctl_fault_rates rates;
    flowctl_fault_counts counts;
};

struct fault {
    flowctl_backend_base base;
    struct fc_inner inner;
    flowctl_faults *faults;
    pthread_mutex_t lock; /* of the queue */
    struct fc_message *queue;
};

/* What happens to one message: so many copies arrive, each so much later. */
struct fate {
    unsigned copies;
    uint64_t delay_ns[2];
    flowctl_status fail; /* OK: none */
};

/* ---- drawing ---- */

flowctl_status flowctl_faults_create(uint64_t seed, flowctl_faults **faults, flowctl_error *err) {
    if (faults == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "faults: NULL; give a place for the handle");
    *faults = NULL;
    flowctl_faults *f = calloc(1, sizeof *f);
    if (f == NULL) return fc_fail(err, FLOWCTL_NO_MEMORY, FC_NO_TEXT, "no memory for faults: %zu bytes", sizeof *f);
    if (pthread_mutex_init(&f->lock, NULL) != 0) {
        free(f);
        return fc_fail(err, FLOWCTL_SYSTEM, FC_NO_TEXT, "no mutex for faults");
    }
    f->seed = seed;
    *faults = f;
    return FLOWCTL_OK;
}

void flowctl_faults_destroy(flowctl_faults *faults) {
    if (faults == NULL) return;
    pthread_mutex_destroy(&faults->lock);
    free(faults);
}

void flowctl_faults_set(flowctl_faults *faults, const flowctl_fault_rates *rates) {
    pthread_mutex_lock(&faults->lock);
    faults->rates = *rates;
    pthread_mutex_unlock(&faults->lock);
}

void flowctl_faults_count(flowctl_faults *faults, flowctl_fault_counts *counts) {
    pthread_mutex_lock(&faults->lock);
    *counts = faults->counts;
    pthread_mutex_unlock(&faults->lock);
}

/* Numbers 0, 1, … of one message each: a finaliser over seed and place, so that a rate that is changed moves no other draw. */
struct draw {
    uint64_t state;
};

static uint64_t next(struct draw *d) {
    uint64_t x = d->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static struct draw draw_of(uint64_t seed, unsigned stream, uint64_t number) {
    struct draw d = {seed ^ (2 * number + stream) * UINT64_C(0xd1342543de82ef95)};
    d.state = next(&d);
    return d;
}

static bool happens(struct draw *d, uint32_t chance) { return next(d) % CHANCES < chance; }

static uint64_t delay(struct draw *d, uint32_t chance, uint64_t most_ns, uint64_t *count) {
    bool late = happens(d, chance);
    uint64_t ns = next(d);
    if (!late) return 0;
    ++*count;
    return most_ns == FLOWCTL_FOREVER ? ns : ns % (most_ns + 1);
}

static struct fate fate_of(struct draw *d, uint32_t drop, uint32_t duplicate, uint32_t late, uint64_t most_ns,
                           uint64_t *dropped, uint64_t *duplicated, uint64_t *delayed) {
    struct fate fate = {.copies = 1};
    bool lost = happens(d, drop), twice = happens(d, duplicate);
    if (lost) ++*dropped, fate.copies = 0;
    else if (twice) ++*duplicated, fate.copies = 2;
    for (unsigned i = 0; i < fate.copies; i++) fate.delay_ns[i] = delay(d, late, most_ns, delayed);
    return fate;
}

static struct fate request_fate(flowctl_faults *f) {
    pthread_mutex_lock(&f->lock);
    struct draw d = draw_of(f->seed, 0, f->requests++);
    f->counts.calls++;
    struct fate fate = {0};
    if (happens(&d, f->rates.fail)) {
        f->counts.failed++;
        fate.fail = f->rates.fail_status == FLOWCTL_OK ? FLOWCTL_UNAVAILABLE : f->rates.fail_status;
    } else {
        fate = fate_of(&d, f->rates.drop_request, f->rates.duplicate_request, f->rates.delay_request, f->rates.max_delay_ns,
                       &f->counts.dropped_requests, &f->counts.duplicated_requests, &f->counts.delayed);
    }
    pthread_mutex_unlock(&f->lock);
    return fate;
}

static struct fate reply_fate(flowctl_faults *f) {
    pthread_mutex_lock(&f->lock);
    struct draw d = draw_of(f->seed, 1, f->replies++);
    struct fate fate = fate_of(&d, f->rates.drop_reply, f->rates.duplicate_reply, f->rates.delay_reply, f->rates.max_delay_ns,
                               &f->counts.dropped_replies, &f->counts.duplicated_replies, &f->counts.delayed);
    pthread_mutex_unlock(&f->lock);
    return fate;
}

/* ---- passing on ---- */

static void deliver(struct fault *f, const struct fc_message *m) {
    flowctl_backend_base *inner = f->inner.base;
    switch (m->kind) {
    case FC_ASK_LEASE: inner->ops->lease(inner, m->ticket, &m->ask); break;
    case FC_ASK_GET: fc_inner_get(&f->inner, m->ticket, m->name); break;
    case FC_ASK_PUT: fc_inner_put(&f->inner, m->ticket, &m->put); break;
    case FC_ASK_INCREMENT: fc_inner_increment(&f->inner, m->ticket, m->increment.key, m->increment.by); break;
    case FC_ASK_INSPECT: fc_inner_inspect(&f->inner, m->ticket, m->name); break;
    case FC_LEASED: flowctl_answer_lease(&f->base, m->ticket, &m->leased); break;
    case FC_STORED: flowctl_answer_store(&f->base, m->ticket, &m->stored); break;
    }
}

static uint64_t later(uint64_t now_ns, uint64_t ns) { return ns > FLOWCTL_FOREVER - now_ns ? FLOWCTL_FOREVER : now_ns + ns; }

/* Without memory for the copy it is as if there had been no delay. */
static void send(struct fault *f, const struct fc_message *m, uint64_t delay_ns) {
    struct fc_message *copy = delay_ns == 0 ? NULL : fc_message_copy(m);
    if (copy == NULL) {
        deliver(f, m);
        return;
    }
    copy->due_ns = later(flowctl_backend_time(&f->base), delay_ns);
    pthread_mutex_lock(&f->lock);
    fc_message_queue(&f->queue, copy);
    pthread_mutex_unlock(&f->lock);
    flowctl_ask_for_poll(&f->base);
}

static void suffer(struct fault *f, const struct fc_message *m, struct fate fate) {
    for (unsigned i = 0; i < fate.copies; i++) send(f, m, fate.delay_ns[i]);
}

static void fail(flowctl_backend_base *base, const struct fc_message *m, flowctl_status status) {
    if (m->kind == FC_ASK_LEASE) {
        flowctl_lease_reply reply = {.size = sizeof reply, .status = status, .session = m->ask.session, .seq = m->ask.seq};
        flowctl_answer_lease(base, m->ticket, &reply);
    } else if (m->kind == FC_ASK_INSPECT) {
        flowctl_answer_inspect(base, m->ticket, status, NULL);
    } else {
        flowctl_answer_store(base, m->ticket, &(flowctl_store_reply){.size = sizeof(flowctl_store_reply), .status = status});
    }
}

static void request(flowctl_backend_base *base, const struct fc_message *m) {
    struct fault *f = (struct fault *)base;
    struct fate fate = request_fate(f->faults);
    /* The rows of two inspections of one ticket could not be told apart. */
    if (m->kind == FC_ASK_INSPECT && fate.copies == 2) fate.copies = 1;
    if (fate.fail != FLOWCTL_OK) fail(base, m, fate.fail);
    else suffer(f, m, fate);
}

static void fault_lease(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_ask *ask) {
    request(base, &(struct fc_message){.kind = FC_ASK_LEASE, .ticket = ticket, .ask = *ask});
}
static void fault_get(flowctl_backend_base *base, uint64_t ticket, const char *key) {
    request(base, &(struct fc_message){.kind = FC_ASK_GET, .ticket = ticket, .name = key});
}
static void fault_put(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_put *put) {
    request(base, &(struct fc_message){.kind = FC_ASK_PUT, .ticket = ticket, .put = *put});
}
static void fault_increment(flowctl_backend_base *base, uint64_t ticket, const char *key, uint64_t by) {
    request(base, &(struct fc_message){.kind = FC_ASK_INCREMENT, .ticket = ticket, .increment = {key, by}});
}
static void fault_inspect(flowctl_backend_base *base, uint64_t ticket, const char *limit) {
    request(base, &(struct fc_message){.kind = FC_ASK_INSPECT, .ticket = ticket, .name = limit});
}
static flowctl_status fault_watch(flowctl_backend_base *base, const char *key, bool on) {
    return fc_inner_watch(&((struct fault *)base)->inner, key, on);
}
static uint32_t fault_able(const flowctl_backend_base *base) { return fc_inner_able(&((const struct fault *)base)->inner); }

static void reply(flowctl_backend_base *inner, const struct fc_message *m) {
    struct fault *f = (struct fault *)fc_outer(inner);
    suffer(f, m, reply_fate(f->faults));
}

static void leased(flowctl_backend_base *inner, uint64_t ticket, const flowctl_lease_reply *r) {
    reply(inner, &(struct fc_message){.kind = FC_LEASED, .ticket = ticket, .leased = *r});
}
static void stored(flowctl_backend_base *inner, uint64_t ticket, const flowctl_store_reply *r) {
    reply(inner, &(struct fc_message){.kind = FC_STORED, .ticket = ticket, .stored = *r});
}
static void inspected(flowctl_backend_base *inner, uint64_t ticket, flowctl_status status, const flowctl_limit_state *state) {
    flowctl_answer_inspect(fc_outer(inner), ticket, status, state);
}
static void changed(flowctl_backend_base *inner, const char *key) { flowctl_tell_changed(fc_outer(inner), key); }

/* ---- what is due ---- */

static struct fc_message *take(struct fault *f, uint64_t now_ns) {
    pthread_mutex_lock(&f->lock);
    struct fc_message *m = fc_message_due(&f->queue, now_ns);
    pthread_mutex_unlock(&f->lock);
    return m;
}

static uint64_t next_due_ns(struct fault *f) {
    pthread_mutex_lock(&f->lock);
    uint64_t due_ns = f->queue == NULL ? FLOWCTL_FOREVER : f->queue->due_ns;
    pthread_mutex_unlock(&f->lock);
    return due_ns;
}

static uint64_t fault_poll(flowctl_backend_base *base, uint64_t now_ns) {
    struct fault *f = (struct fault *)base;
    for (struct fc_message *m; (m = take(f, now_ns)) != NULL; free(m)) deliver(f, m);
    uint64_t inner_ns = fc_inner_poll(&f->inner, now_ns), due_ns = next_due_ns(f);
    return inner_ns < due_ns ? inner_ns : due_ns;
}

/* ---- sleeping ---- */

/* Only called if the inner backend has them. */
static void fault_wait(flowctl_backend_base *base, uint64_t until_ns) {
    flowctl_backend_base *inner = ((struct fault *)base)->inner.base;
    inner->ops->wait(inner, until_ns);
}

static void fault_interrupt(flowctl_backend_base *base) {
    flowctl_backend_base *inner = ((struct fault *)base)->inner.base;
    inner->ops->interrupt(inner);
}

static int fault_descriptor(const flowctl_backend_base *base) {
    return fc_inner_descriptor(&((const struct fault *)base)->inner);
}

static flowctl_backend_base *fault_inner(const flowctl_backend_base *base) {
    return ((const struct fault *)base)->inner.base;
}

/* ---- from open to close ---- */

static flowctl_status fault_open(flowctl_backend_base *base, const void *config, flowctl_error *err) {
    static const flowctl_backend_host host = {
        .size = sizeof host,
        .leased = leased,
        .stored = stored,
        .inspected = inspected,
        .changed = changed,
        .wake = fc_outer_wake,
        .now = fc_outer_now,
    };
    const flowctl_fault_config *c = config;
    struct fault *f = (struct fault *)base;
    if (c == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "config: NULL; give a flowctl_fault_config");
    if (c->size != sizeof *c)
        return fc_fail(err, FLOWCTL_BAD_SIZE, FC_NO_TEXT, "config: size: %zu; set it to sizeof(flowctl_fault_config)",
                       c->size);
    if (c->faults == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "config: faults: NULL; make them with flowctl_faults_create");
    if (pthread_mutex_init(&f->lock, NULL) != 0) return fc_fail(err, FLOWCTL_SYSTEM, FC_NO_TEXT, "no mutex for the queue");
    f->faults = c->faults;
    flowctl_status status = fc_inner_open(&f->inner, c->inner, c->inner_config, &host, base, err);
    if (status != FLOWCTL_OK) pthread_mutex_destroy(&f->lock);
    return status;
}

/* The inner backend first: it may still answer until it is closed. */
static void fault_close(flowctl_backend_base *base) {
    struct fault *f = (struct fault *)base;
    fc_inner_close(&f->inner);
    for (struct fc_message *m; (m = take(f, FLOWCTL_FOREVER)) != NULL;) free(m);
    pthread_mutex_destroy(&f->lock);
}

const flowctl_backend_ops *flowctl_fault_backend(void) {
    static const flowctl_backend_ops ops = {
        .size = sizeof ops,
        .version = FLOWCTL_BACKEND_VERSION,
        .name = "fault",
        .instance_bytes = sizeof(struct fault),
        .open = fault_open,
        .close = fault_close,
        .lease = fault_lease,
        .get = fault_get,
        .put = fault_put,
        .increment = fault_increment,
        .watch = fault_watch,
        .inspect = fault_inspect,
        .poll = fault_poll,
        .able = fault_able,
        .wait = fault_wait,
        .interrupt = fault_interrupt,
        .descriptor = fault_descriptor,
        .inner = fault_inner,
    };
    return &ops;
}

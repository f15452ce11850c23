#include "core/backend.h"

#include "base/error.h"
#include "core/leased.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_NS FLOWCTL_NS_PER_SEC

/* ---- what the vtable's instance says ---- */

static void on_leased(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_reply *reply) {
    flowctl_backend *b = base->host_context;
    if (ticket & FC_TICKET_CALL) {
        fc_calls_leased(b, ticket, reply);
        return;
    }
    struct fc_leased *leased = fc_members_visit(b, ticket);
    if (leased == NULL) return;
    fc_leased_answer(leased, ticket, reply);
    fc_members_end_visit(b, leased);
}

static void on_stored(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_reply *reply) {
    fc_calls_stored(base->host_context, ticket, reply);
}

static void on_inspected(flowctl_backend_base *base, uint64_t ticket, flowctl_status status, const flowctl_limit_state *state) {
    fc_calls_inspected(base->host_context, ticket, status, state);
}

static void on_changed(flowctl_backend_base *base, const char *key) { fc_calls_changed(base->host_context, key); }
static void on_wake(flowctl_backend_base *base) { fc_backend_wake(base->host_context, 0); }
static uint64_t host_now(flowctl_backend_base *base) { return fc_backend_now(base->host_context); }

static const flowctl_backend_host host = {
    .size = sizeof host,
    .leased = on_leased,
    .stored = on_stored,
    .inspected = on_inspected,
    .changed = on_changed,
    .wake = on_wake,
    .now = host_now,
};

/* ---- driving ---- */

/* Whoever sleeps until the next pass makes it now. */
static void rouse(flowctl_backend *b) {
    if (b->waits) b->ops->interrupt(b->instance);
    else if (b->drive == FLOWCTL_DRIVE_THREAD) fc_sleeper_wake(&b->sleeper);
}

void fc_backend_wake(flowctl_backend *b, uint64_t due_ns) {
    if (atomic_load(&b->orphan)) return; /* what would be interrupted is the parent's */
    uint64_t awake_ns = atomic_load(&b->awake_at_ns);
    while (due_ns < awake_ns) {
        if (!atomic_compare_exchange_weak(&b->awake_at_ns, &awake_ns, due_ns)) continue;
        rouse(b);
        return;
    }
}

/* Nobody waits for the answers. Under the lock, which is given up meanwhile. */
static void say_farewells(flowctl_backend *b) {
    for (struct fc_farewell *f; (f = b->farewells) != NULL;) {
        b->farewells = f->next;
        pthread_mutex_unlock(&b->lock);
        b->ops->lease(b->instance, FC_TICKET_CALL, &f->ask);
        fc_release(&b->allocator, f, sizeof *f);
        pthread_mutex_lock(&b->lock);
    }
}

uint64_t fc_backend_drive(flowctl_backend *b) {
    pthread_mutex_lock(&b->driver);
    atomic_store(&b->awake_at_ns, FLOWCTL_FOREVER);
    pthread_mutex_lock(&b->lock);
    say_farewells(b);
    fc_calls_send(b);
    uint64_t next_ns = fc_members_drive(b);
    pthread_mutex_unlock(&b->lock);
    if (b->ops->poll != NULL) {
        uint64_t poll_ns = b->ops->poll(b->instance, fc_backend_now(b));
        if (poll_ns < next_ns) next_ns = poll_ns;
    }
    /* Whoever asked to be driven since has written an earlier time. */
    uint64_t awake_ns = atomic_load(&b->awake_at_ns);
    while (next_ns < awake_ns && !atomic_compare_exchange_weak(&b->awake_at_ns, &awake_ns, next_ns)) {
    }
    if (awake_ns < next_ns) next_ns = awake_ns;
    pthread_mutex_unlock(&b->driver);
    return next_ns;
}

void fc_backend_assist(flowctl_backend *b) {
    fc_backend_drive(b);
    /* Also if nothing is due sooner: this pass may have taken the readiness of the descriptor from the one that polls. */
    if (b->waits) b->ops->interrupt(b->instance);
}

static void sleep_until(flowctl_backend *b, uint64_t until_ns) {
    if (b->waits) b->ops->wait(b->instance, until_ns);
    else b->clock->ops->sleep(b->clock, &b->sleeper, until_ns);
}

static void *run(void *argument) {
    flowctl_backend *b = argument;
    while (!atomic_load(&b->stopping)) {
        uint64_t next_ns = fc_backend_drive(b);
        if (!atomic_load(&b->stopping)) sleep_until(b, next_ns);
    }
    return NULL;
}

uint64_t flowctl_backend_poll(flowctl_backend *b) {
    if (b == NULL || atomic_load(&b->orphan)) return FLOWCTL_FOREVER;
    return b->drive == FLOWCTL_DRIVE_POLL ? fc_backend_drive(b) : FLOWCTL_FOREVER;
}

int flowctl_backend_descriptor(const flowctl_backend *b) {
    return b == NULL || atomic_load(&b->orphan) ? -1 : b->descriptor;
}

/* ---- decorators ---- */

static flowctl_backend_base *inside(const flowctl_backend_base *base) {
    return base->ops->inner != NULL ? base->ops->inner(base) : NULL;
}

/* A decorator waits by what it decorates. */
static bool can_wait(const flowctl_backend_base *base) {
    while (base != NULL && base->ops->wait != NULL) base = inside(base);
    return base == NULL;
}

flowctl_backend_base *flowctl_backend_instance(flowctl_backend *b, const flowctl_backend_ops *ops) {
    if (b == NULL || atomic_load(&b->orphan)) return NULL;
    flowctl_backend_base *base = b->instance;
    while (base != NULL && base->ops != ops) base = inside(base);
    return base;
}

/* ---- opening ---- */

void flowctl_backend_options_init(flowctl_backend_options *options, size_t size) {
    if (options == NULL || size < sizeof options->size) return;
    memset(options, 0, size);
    options->size = size;
}

static void name_member(flowctl_backend *b, const char *name) {
    char host_name[256] = "";
    if (name == NULL) gethostname(host_name, sizeof host_name - 1);
    if (name != NULL) snprintf(b->member, sizeof b->member, "%s", name);
    else snprintf(b->member, sizeof b->member, "%.30s:%ld", host_name, (long)getpid());
}

static flowctl_status check_options(const flowctl_backend_options *o, flowctl_error *err) {
    if (o->size != sizeof *o)
        return fc_fail(err, FLOWCTL_BAD_SIZE, FC_NO_TEXT,
                       "backend: options.size is %zu, this library knows %zu: start from FLOWCTL_BACKEND_OPTIONS_INIT",
                       o->size, sizeof *o);
    flowctl_status status = flowctl_backend_check(o->ops, err);
    if (status != FLOWCTL_OK) return status;
    if (o->drive != FLOWCTL_DRIVE_THREAD && o->drive != FLOWCTL_DRIVE_POLL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "backend \"%.40s\": drive is %d: FLOWCTL_DRIVE_THREAD or FLOWCTL_DRIVE_POLL", o->ops->name,
                       (int)o->drive);
    if (o->drive == FLOWCTL_DRIVE_THREAD && o->clock != NULL && fc_clock_system_id(o->clock) == 0)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "backend \"%.40s\": clock is a manual one, by which no thread can sleep: use FLOWCTL_DRIVE_POLL",
                       o->ops->name);
    if (o->member != NULL && strlen(o->member) > FLOWCTL_MEMBER_NAME_MAX)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "backend \"%.40s\": member has %zu bytes: at most %d",
                       o->ops->name, strlen(o->member), FLOWCTL_MEMBER_NAME_MAX);
    return FLOWCTL_OK;
}

static bool make_locks(flowctl_backend *b) {
    if (!fc_monotonic_cond_init(&b->changed)) return false;
    if (pthread_mutex_init(&b->lock, NULL) != 0) goto fail;
    if (pthread_mutex_init(&b->driver, NULL) != 0) goto fail_driver;
    if (fc_sleeper_init(&b->sleeper)) return true;
    pthread_mutex_destroy(&b->driver);
fail_driver:
    pthread_mutex_destroy(&b->lock);
fail:
    pthread_cond_destroy(&b->changed);
    return false;
}

/* Not in a forked child: to destroy a condition is to wait for those who wait for it, and the threads that did are not there. */
static void release_locks(flowctl_backend *b) {
    fc_sleeper_cleanup(&b->sleeper);
    pthread_mutex_destroy(&b->driver);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->changed);
}

static void release(flowctl_backend *b) {
    flowctl_allocator allocator = b->allocator;
    for (struct fc_watch *w; (w = b->watches) != NULL;) {
        b->watches = w->next;
        fc_release(&allocator, w, sizeof *w);
    }
    for (struct fc_farewell *f; (f = b->farewells) != NULL;) {
        b->farewells = f->next;
        fc_release(&allocator, f, sizeof *f);
    }
    fc_members_free(b);
    if (!atomic_load(&b->orphan)) release_locks(b);
    fc_release(&allocator, b->instance, b->ops->instance_bytes);
    fc_release(&allocator, b, sizeof *b);
}

/* A backend whose instance is not open yet; NULL if there is no memory or no lock. */
static flowctl_backend *prepare(const flowctl_backend_options *o, const flowctl_allocator *allocator) {
    flowctl_backend *b = fc_allocate(allocator, sizeof *b);
    if (b == NULL) return NULL;
    b->ops = o->ops;
    b->allocator = *allocator;
    b->clock = o->clock != NULL ? o->clock : flowctl_clock_boottime();
    b->drive = o->drive;
    b->descriptor = -1;
    b->max_asks_per_sec = o->max_asks_per_sec != 0 ? o->max_asks_per_sec : FLOWCTL_ASKS_PER_SEC;
    b->call_timeout_ns = o->call_timeout_ns != 0 ? o->call_timeout_ns : DEFAULT_TIMEOUT_NS;
    name_member(b, o->member);
    b->instance = fc_allocate(allocator, o->ops->instance_bytes);
    if (b->instance == NULL) goto fail;
    *b->instance = (flowctl_backend_base){o->ops, &host, b};
    if (make_locks(b)) return b;
    fc_release(allocator, b->instance, o->ops->instance_bytes);
fail:
    fc_release(allocator, b, sizeof *b);
    return NULL;
}

/* The thread handles no signals: a handler of the program's must not run with what the thread has locked. But for those of its own faults. */
static bool start_thread(flowctl_backend *b) {
    sigset_t none, before;
    sigfillset(&none);
    sigdelset(&none, SIGSEGV), sigdelset(&none, SIGBUS), sigdelset(&none, SIGFPE), sigdelset(&none, SIGILL);
    pthread_sigmask(SIG_SETMASK, &none, &before);
    bool started = pthread_create(&b->thread, NULL, run, b) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

flowctl_status flowctl_backend_open(const flowctl_backend_options *options, flowctl_backend **backend, flowctl_error *err) {
    flowctl_allocator allocator;
    if (backend == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "backend: the out-pointer backend is NULL");
    *backend = NULL;
    if (options == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "backend: options is NULL");
    flowctl_status status = check_options(options, err);
    if (status == FLOWCTL_OK) status = fc_allocator_choose(options->allocator, &allocator, err);
    if (status != FLOWCTL_OK) return status;
    flowctl_backend *b = prepare(options, &allocator);
    if (b == NULL)
        return fc_fail(err, FLOWCTL_NO_MEMORY, FC_NO_TEXT, "backend \"%.40s\": no memory for %zu bytes", options->ops->name,
                       sizeof *b + options->ops->instance_bytes);
    status = b->ops->open(b->instance, options->config, err);
    if (status != FLOWCTL_OK) goto fail;
    b->capabilities = b->ops->able != NULL ? b->ops->able(b->instance) : flowctl_backend_ops_capabilities(b->ops);
    b->waits = can_wait(b->instance);
    if (b->waits && b->ops->descriptor != NULL && b->drive == FLOWCTL_DRIVE_POLL)
        b->descriptor = b->ops->descriptor(b->instance);
    fc_fork_enter(b);
    if (b->drive == FLOWCTL_DRIVE_THREAD && !start_thread(b)) {
        fc_fork_leave(b);
        b->ops->close(b->instance);
        status = fc_fail(err, FLOWCTL_SYSTEM, FC_NO_TEXT, "backend \"%.40s\": the system gives no thread", b->ops->name);
        goto fail;
    }
    *backend = b;
    return FLOWCTL_OK;
fail:
    release(b);
    return status;
}

void flowctl_backend_destroy(flowctl_backend *b) {
    if (b == NULL) return;
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    if (!atomic_load(&b->orphan)) {
        atomic_store(&b->stopping, true);
        if (b->drive == FLOWCTL_DRIVE_THREAD) rouse(b), pthread_join(b->thread, NULL);
        fc_backend_drive(b); /* the last farewells */
        b->ops->close(b->instance);
        fc_fork_leave(b);
    }
    release(b);
    pthread_setcancelstate(state, NULL);
}

uint32_t flowctl_backend_capabilities(const flowctl_backend *b) { return b == NULL ? 0 : b->capabilities; }
const char *flowctl_backend_name(const flowctl_backend *b) { return b == NULL ? "" : b->ops->name; }

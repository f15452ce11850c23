#include "hammer.h"

#include "admission_ring.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READY_MOST_NS (10 * FLOWCTL_NS_PER_SEC)
#define READY_SLICE_NS (50 * FLOWCTL_NS_PER_MS)
#define NAP_MIN_NS (20 * FLOWCTL_NS_PER_US)
#define NAP_MAX_NS (5 * FLOWCTL_NS_PER_MS)
#define TELL_EVERY_NS (100 * FLOWCTL_NS_PER_MS)

struct worker {
    const struct fct_hammer_options *options;
    struct fct_hammer_board *board;
    struct fct_hammer_seat *seat;
    pid_t parent;
    flowctl_backend *backend;
    flowctl_limiter *limiter;
    struct fct_ring ring;
    uint64_t granted, denied, told_ns;
};

void fct_hammer_name(char *out, size_t size, pid_t parent, unsigned number) {
    snprintf(out, size, "hammer.%ld.%u", (long)parent, number);
}

flowctl_token_bucket_options fct_hammer_bucket(const struct fct_hammer_options *options) {
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    o.id = options->id;
    o.rate = options->limit.rate;
    o.burst = options->limit.burst;
    o.sharing = options->sharing;
    return o;
}

static void nap(uint64_t ns) {
    nanosleep(&(struct timespec){(time_t)(ns / FLOWCTL_NS_PER_SEC), (long)(ns % FLOWCTL_NS_PER_SEC)}, NULL);
}

static void set_stage(struct worker *w, enum fct_hammer_stage stage) { atomic_store(&w->seat->stage, (int)stage); }

/* The message first: who sees the stage reads it. */
static bool fail(struct worker *w, const char *message) {
    snprintf(w->seat->message, sizeof w->seat->message, "%s", message);
    set_stage(w, FCT_HAMMER_FAILED);
    return false;
}

/* Whoever started us may have been killed: then nobody wants a result any more. */
static bool is_wanted(const struct worker *w) { return getppid() == w->parent; }

/* ---- telling ---- */

static void tell(struct worker *w, uint64_t now_ns) {
    flowctl_sharing_info info;
    atomic_store_explicit(&w->seat->granted, w->granted, memory_order_relaxed);
    atomic_store_explicit(&w->seat->denied, w->denied, memory_order_relaxed);
    w->told_ns = now_ns;
    if (flowctl_limiter_sharing(w->limiter, &info) != FLOWCTL_OK) return;
    atomic_store_explicit(&w->seat->asks, info.asks, memory_order_relaxed);
    atomic_store_explicit(&w->seat->failures, info.failures, memory_order_relaxed);
    atomic_store_explicit(&w->seat->sessions, info.sessions, memory_order_relaxed);
    atomic_store_explicit(&w->seat->away, info.away_permits, memory_order_relaxed);
    atomic_store_explicit(&w->seat->round_trip, info.round_trip_ns, memory_order_relaxed);
}

/* ---- beginning ---- */

static bool open_limit(struct worker *w, const char *member) {
    flowctl_error err = {.offset = -1};
    flowctl_token_bucket_options o = fct_hammer_bucket(w->options);
    if (fct_backend_url_open(&w->options->url, member, FLOWCTL_DRIVE_THREAD, &w->backend, &err) != FLOWCTL_OK)
        return fail(w, err.message);
    o.backend = w->backend;
    return flowctl_token_bucket_create(&o, &w->limiter, &err) == FLOWCTL_OK || fail(w, err.message);
}

/* An interrupt came before the beginning. */
static bool is_called_off(const struct worker *w) {
    return !is_wanted(w) || (atomic_load(&w->board->begin_ns) == 0 && atomic_load(&w->board->end_ns) != FCT_HAMMER_NO_END);
}

/* A store that is new lends nothing for a while. In short waits, since it may all be called off. */
static bool get_ready(struct worker *w) {
    char message[128];
    flowctl_sharing_info info;
    flowctl_status status = FLOWCTL_TIMED_OUT;
    uint64_t until_ns = fct_ring_now_ns() + READY_MOST_NS + 4 * w->options->sharing.ttl_ns;
    while (status == FLOWCTL_TIMED_OUT && fct_ring_now_ns() < until_ns) {
        if (is_called_off(w)) return false;
        status = flowctl_limiter_wait_ready(w->limiter, READY_SLICE_NS);
    }
    if (status == FLOWCTL_OK) return true;
    if (flowctl_limiter_sharing(w->limiter, &info) == FLOWCTL_OK && info.store != FLOWCTL_OK) status = info.store;
    snprintf(message, sizeof message, "no lease: %s", flowctl_status_text(status));
    return fail(w, message);
}

/* All begin at the same time. False: there is no beginning any more. */
static bool wait_for_all(struct worker *w) {
    uint64_t begin_ns;
    set_stage(w, FCT_HAMMER_READY);
    while ((begin_ns = atomic_load(&w->board->begin_ns)) == 0) {
        if (is_called_off(w)) return false;
        nap(FLOWCTL_NS_PER_MS);
    }
    uint64_t now_ns = fct_ring_now_ns();
    if (begin_ns > now_ns) nap(begin_ns - now_ns);
    set_stage(w, FCT_HAMMER_RUNNING);
    return true;
}

/* ---- working ---- */

/* Dates are those of the decisions: the backend's clock is that of the files. */
static void enter(struct worker *w, const flowctl_decision *d) {
    struct fct_admission a = {d->now_ns, fct_ring_now_ns(), d->granted, 0};
    fct_ring_append(&w->ring, &a);
    w->granted += d->granted;
    fct_ring_answered(&w->ring, a.used_ns);
}

static void wait_for_more(struct worker *w, const flowctl_decision *d) {
    uint64_t ns = d->retry_after_ns < NAP_MIN_NS ? NAP_MIN_NS : d->retry_after_ns;
    w->denied++;
    fct_ring_refused(&w->ring, w->options->cost);
    nap(ns < NAP_MAX_NS ? ns : NAP_MAX_NS);
}

static bool hammer(struct worker *w) {
    for (uint64_t now_ns; (now_ns = fct_ring_now_ns()) < atomic_load_explicit(&w->board->end_ns, memory_order_relaxed);) {
        if (!fct_ring_reserve(&w->ring)) return fail(w, w->ring.message);
        flowctl_decision d = flowctl_decide(w->limiter, w->options->cost);
        if (d.verdict == FLOWCTL_ALLOW) enter(w, &d);
        else wait_for_more(w, &d);
        if (now_ns - w->told_ns < TELL_EVERY_NS) continue;
        tell(w, now_ns);
        if (!is_wanted(w)) return false;
    }
    return true;
}

/* What is held goes back before the backend closes. */
static void leave(struct worker *w) {
    if (w->limiter != NULL) tell(w, fct_ring_now_ns());
    flowctl_limiter_destroy(w->limiter);
    flowctl_backend_destroy(w->backend);
    fct_ring_cleanup(&w->ring);
}

static bool live(struct worker *w, const char *directory, unsigned number) {
    char name[FCT_RING_NAME_SIZE];
    fct_hammer_name(name, sizeof name, w->parent, number);
    if (!fct_ring_create(&w->ring, directory, name, FCT_RING_WORKER)) return fail(w, w->ring.message);
    return open_limit(w, name) && get_ready(w) && wait_for_all(w) && hammer(w);
}

void fct_hammer_work(const struct fct_hammer_options *options, struct fct_hammer_board *board, unsigned number,
                     const char *directory, pid_t parent) {
    struct worker w = {.options = options, .board = board, .seat = &board->seats[number], .parent = parent};
    w.ring.fd = -1;
    signal(SIGINT, SIG_IGN); /* from the terminal it comes to all: the parent tells when to end */
    signal(SIGXFSZ, SIG_IGN);
    if (live(&w, directory, number)) set_stage(&w, FCT_HAMMER_DONE);
    leave(&w);
    _exit(atomic_load(&w.seat->stage) == FCT_HAMMER_FAILED);
}

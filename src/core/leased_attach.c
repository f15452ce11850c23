/* How a limiter becomes a member of a shared limit, and how it leaves. And what it shows of itself. */
#include "base/error.h"
#include "base/wide.h"
#include "core/backend.h"
#include "core/bucket.h"
#include "core/leased.h"

#include <flowctl/sys/ledger.h>
#include <string.h>

#define DEFAULT_TTL_NS FLOWCTL_NS_PER_SEC
#define DEFAULT_REUSE_TTLS 10

/* ---- options ---- */

static flowctl_status unsupported(const char *id, const char *what, const flowctl_backend *b, flowctl_error *err) {
    return fc_fail(err, FLOWCTL_UNSUPPORTED, FC_NO_TEXT,
                   "limiter \"%.40s\": %s: the backend \"%.30s\" can't; leave it out, or choose another", id, what,
                   b->ops->name);
}

static flowctl_status check_capabilities(const char *id, const flowctl_backend *b, const flowctl_sharing_options *o,
                                         flowctl_error *err) {
    uint32_t lacking = (o->capabilities | FLOWCTL_CAN_LEND) & ~b->capabilities;
    /* The lowest one is named. */
    if (lacking != 0) return unsupported(id, flowctl_capability_name(lacking & (0 - lacking)), b, err);
    if (o->needs & FLOWCTL_NEEDS_RESERVE) return unsupported(id, "reserve", b, err);
    if (o->needs & FLOWCTL_NEEDS_RESET) return unsupported(id, "reset", b, err);
    if (o->needs & FLOWCTL_NEEDS_SNAPSHOT) return unsupported(id, "snapshot and restore", b, err);
    if (o->needs != 0)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "limiter \"%.40s\": needs is %#x: this library does not know all of it", id, (unsigned)o->needs);
    return FLOWCTL_OK;
}

/* Fills in the defaults. */
static flowctl_status check_times(const char *id, flowctl_sharing_options *o, flowctl_error *err) {
    if (o->ttl_ns == 0) o->ttl_ns = DEFAULT_TTL_NS;
    if (o->ttl_ns < FLOWCTL_TTL_MIN_NS || o->ttl_ns > FLOWCTL_TTL_MAX_NS)
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT, "limiter \"%.40s\": ttl_ns is %llu: 10 ms to 1 h", id,
                       (unsigned long long)o->ttl_ns);
    if (o->refresh_ns != 0 && (o->refresh_ns < FC_REFRESH_LEAST_NS || o->refresh_ns > o->ttl_ns / 4))
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT,
                       "limiter \"%.40s\": refresh_ns is %llu: 1 ms to a quarter of ttl_ns, %llu", id,
                       (unsigned long long)o->refresh_ns, (unsigned long long)(o->ttl_ns / 4));
    if (o->reuse_ns == 0) o->reuse_ns = DEFAULT_REUSE_TTLS * o->ttl_ns;
    if ((unsigned)o->away > FLOWCTL_AWAY_REUSE_LAST)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "limiter \"%.40s\": away is %d: FLOWCTL_AWAY_CLOSED, _OPEN, _LOCAL_SHARE or _REUSE_LAST", id,
                       (int)o->away);
    return FLOWCTL_OK;
}

static flowctl_status check(const flowctl_limiter *l, const flowctl_backend *b, flowctl_sharing_options *o,
                            flowctl_error *err) {
    size_t bytes = strlen(l->id);
    if (atomic_load(&b->orphan))
        return fc_fail(err, FLOWCTL_CLOSED, FC_NO_TEXT,
                       "limiter \"%.40s\": the backend was opened before a fork: open one in the child", l->id);
    if (bytes == 0 || bytes > FLOWCTL_LIMIT_ID_MAX)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "limiter \"%.20s\": the id has %zu bytes: a shared limit is found by it, give it 1 to %d", l->id,
                       bytes, FLOWCTL_LIMIT_ID_MAX);
    if (l->clock != b->clock)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "limiter \"%.40s\": clock is not that of its backend: leave it NULL, or open the backend with it",
                       l->id);
    if (l->lenient) return unsupported(l->id, "FLOWCTL_SETTLE_LENIENT", b, err);
    flowctl_status status = check_capabilities(l->id, b, o, err);
    return status == FLOWCTL_OK ? check_times(l->id, o, err) : status;
}

/* ---- attach, detach ---- */

flowctl_status fc_leased_attach(flowctl_limiter *l, flowctl_backend *b, const flowctl_sharing_options *options,
                                bool start_full, flowctl_error *err) {
    flowctl_sharing_options o = *options;
    flowctl_status status = check(l, b, &o, err);
    if (status != FLOWCTL_OK) return status;
    struct fc_leased *s = fc_allocate(&l->allocator, sizeof *s);
    if (s == NULL)
        return fc_fail(err, FLOWCTL_NO_MEMORY, FC_NO_TEXT, "limiter \"%.40s\": no memory for %zu bytes", l->id, sizeof *s);
    uint64_t now_ns = fc_limiter_now(l);
    s->limiter = l;
    s->backend = b;
    s->options = o;
    s->start_full = start_full;
    s->terms = (flowctl_lease_terms){l->rate, l->burst_permits, o.ttl_ns, o.config_version};
    fc_leased_keep_pace(s, now_ns);
    fc_leased_begin_session(s);
    /* Without any answer for so long the store is away. */
    atomic_store(&s->until_ns, now_ns + o.ttl_ns);
    atomic_store(&s->due_ns, now_ns);
    l->leased = s;
    l->refill = fc_leased_short;
    l->refill_context = s;
    struct fc_lend nothing = {.take_all = true, .until_ns = now_ns + o.ttl_ns, .burst = l->burst_permits};
    struct fc_lent lent;
    pthread_mutex_lock(&l->lock);
    fc_bucket_lend(l, &nothing, &now_ns, &lent);
    pthread_mutex_unlock(&l->lock);
    status = fc_backend_enter(b, s);
    if (status != FLOWCTL_OK) {
        l->leased = NULL;
        fc_release(&l->allocator, s, sizeof *s);
        return fc_fail(err, status, FC_NO_TEXT, "limiter \"%.40s\": no memory for one more at its backend", l->id);
    }
    fc_backend_wake(b, now_ns);
    return FLOWCTL_OK;
}

void fc_leased_wind_up(flowctl_limiter *l) {
    struct fc_lend lend = {.take_all = true, .sealed = true, .burst = l->burst_permits};
    struct fc_lent lent;
    uint64_t now_ns = fc_limiter_now(l);
    fc_leased_lapse(l, now_ns);
    fc_leased_count_busy(l->leased, false);
    /* A closed one has been wound up, or is in the child of a fork and holds nothing. */
    if (!l->leased->local && fc_bucket_lend(l, &lend, &now_ns, &lent)) fc_session_give_up(&l->leased->session, lent.taken);
}

/* The end of the session. NULL if there is no memory for that, or nothing to tell. */
static struct fc_farewell *farewell(struct fc_leased *s) {
    if (s->session.seq == 0) return NULL;
    struct fc_farewell *f = fc_allocate(&s->backend->allocator, sizeof *f);
    if (f == NULL) return NULL;
    f->ask.size = sizeof f->ask;
    memcpy(f->limit, s->limiter->id, strlen(s->limiter->id) + 1); /* its length was checked */
    f->ask.limit = f->limit;
    f->ask.member = s->backend->member;
    f->ask.terms = s->terms;
    f->ask.leaves = true;
    fc_session_ask(&s->session, fc_limiter_now(s->limiter), 0, &f->ask);
    return f;
}

void fc_leased_detach(flowctl_limiter *l) {
    struct fc_leased *s = l->leased;
    pthread_mutex_lock(&l->lock);
    fc_leased_wind_up(l);
    struct fc_farewell *f = atomic_load(&s->backend->orphan) ? NULL : farewell(s);
    l->closed = true;
    fc_cell_shut(&l->cell);
    pthread_mutex_unlock(&l->lock);
    fc_backend_leave(s->backend, s, f);
}

void fc_leased_free(flowctl_limiter *l) {
    fc_release(&l->allocator, l->leased, sizeof *l->leased);
    l->leased = NULL;
}

/* ---- reading ---- */

/* By which all of the rate can be used: what it earns in two refreshes and a round trip. */
static uint64_t burst_needed(const struct fc_leased *s) {
    flowctl_rate rate = s->limiter->rate;
    fc_u128 ahead_ns = (fc_u128)2 * atomic_load(&s->refresh_ns) + s->round_trip_ns;
    return (uint64_t)((rate.permits * ahead_ns + rate.period_ns - 1) / rate.period_ns);
}

static void read_locked(struct fc_leased *s, flowctl_sharing_info *info, uint64_t now_ns) {
    struct fc_lent look = {.held = 0};
    uint64_t until_ns = atomic_load(&s->until_ns);
    /* As it would be found; a time to come ends nothing now. */
    bool over = until_ns != 0 && now_ns >= until_ns;
    bool holds = !s->local && fc_bucket_look(s->limiter, fc_limiter_now(s->limiter), &look) && look.held > 0;
    uint64_t held = holds ? (uint64_t)look.held : 0;
    info->state = over ? FLOWCTL_LEASE_EXPIRED : s->state;
    info->store = s->store;
    info->lease_left_ns = info->state == FLOWCTL_LEASE_ACTIVE && until_ns > now_ns ? until_ns - now_ns : 0;
    info->held = over ? 0 : held;
    info->members = s->members;
    info->quarantine_ns = s->quarantine_until_ns > now_ns ? s->quarantine_until_ns - now_ns : 0;
    info->config_version = s->terms.version;
    info->round_trip_ns = s->round_trip_ns;
    info->asks = s->asks, info->replies = s->replies, info->failures = s->failures, info->sessions = s->sessions;
    info->granted_permits = s->granted_before + s->session.granted;
    info->back_permits = s->back_before + s->session.back + held - info->held;
    info->used_permits = info->granted_permits - info->back_permits - info->held;
    info->away_permits = s->away_permits + (s->local ? fc_leased_allowed(s) - s->away_began : 0);
    info->refresh_ns = atomic_load(&s->refresh_ns);
    info->burst_needed = burst_needed(s);
}

flowctl_status flowctl_limiter_sharing_at(flowctl_limiter *l, flowctl_sharing_info *info, uint64_t now_ns) {
    if (l == NULL || info == NULL) return FLOWCTL_INVALID_ARGUMENT;
    *info = (flowctl_sharing_info){.state = FLOWCTL_LEASE_LOCAL};
    pthread_mutex_lock(&l->lock);
    bool open = !l->closed;
    if (open && l->leased != NULL) read_locked(l->leased, info, now_ns);
    pthread_mutex_unlock(&l->lock);
    return open ? FLOWCTL_OK : FLOWCTL_CLOSED;
}

flowctl_status flowctl_limiter_sharing(flowctl_limiter *l, flowctl_sharing_info *info) {
    return flowctl_limiter_sharing_at(l, info, l == NULL ? 0 : fc_limiter_now(l));
}

/* With FLOWCTL_DRIVE_POLL nobody else may be driving. */
static void poll_for(flowctl_backend *b) {
    if (b->drive == FLOWCTL_DRIVE_POLL && !atomic_load(&b->orphan)) fc_backend_assist(b);
}

flowctl_status flowctl_limiter_wait_ready(flowctl_limiter *l, uint64_t max_wait_ns) {
    if (l == NULL) return FLOWCTL_INVALID_ARGUMENT;
    uint64_t now_ns = fc_monotonic_now(),
             until_ns = max_wait_ns > FLOWCTL_FOREVER - now_ns ? FLOWCTL_FOREVER : now_ns + max_wait_ns;
    for (;;) {
        flowctl_sharing_info info;
        if (l->leased != NULL) poll_for(l->leased->backend);
        flowctl_status status = flowctl_limiter_sharing(l, &info);
        if (status != FLOWCTL_OK) return status;
        bool ready = info.state == FLOWCTL_LEASE_LOCAL || (info.state == FLOWCTL_LEASE_ACTIVE && info.quarantine_ns == 0);
        if (ready) return FLOWCTL_OK;
        if (fc_monotonic_now() >= until_ns) return FLOWCTL_TIMED_OUT;
        nanosleep(&(struct timespec){0, FLOWCTL_NS_PER_MS}, NULL);
    }
}

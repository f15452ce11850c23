/* The verbs: what all kinds of limiters share. Checks the call, reads the clock once, asks the kind. */
#include "core/limiter.h"

#include "base/error.h"

#include <string.h>

const char *flowctl_verdict_name(flowctl_verdict verdict) {
    switch (verdict) {
    case FLOWCTL_DENY: return "DENY";
    case FLOWCTL_ALLOW: return "ALLOW";
    case FLOWCTL_DELAY: return "DELAY";
    case FLOWCTL_NEVER: return "NEVER";
    }
    return "UNKNOWN";
}

/* ---- create, close, destroy ---- */

flowctl_status fc_limiter_create(const struct fc_limiter_setup *setup, flowctl_limiter **limiter, flowctl_error *err) {
    flowctl_allocator allocator;
    flowctl_status status = fc_allocator_choose(setup->allocator, &allocator, err);
    if (status != FLOWCTL_OK) return status;
    const char *id = setup->id != NULL ? setup->id : "";
    size_t id_bytes = strlen(id) + 1, bytes = sizeof(flowctl_limiter) + id_bytes;
    flowctl_limiter *l = fc_allocate(&allocator, bytes);
    if (l == NULL) return fc_fail(err, FLOWCTL_NO_MEMORY, FC_NO_TEXT, "limiter \"%.60s\": no memory for %zu bytes", id, bytes);
    l->ops = setup->ops;
    l->clock = setup->clock;
    l->cell.monotonic_clock = setup->clock == flowctl_clock_monotonic();
    l->allocator = allocator;
    l->bytes = bytes;
    memcpy(l->id, id, id_bytes);
    if (pthread_mutex_init(&l->lock, NULL) != 0) goto fail;
    if (!fc_waiters_init(&l->waiters)) {
        pthread_mutex_destroy(&l->lock);
        goto fail;
    }
    *limiter = l;
    return FLOWCTL_OK;
fail:
    fc_release(&allocator, l, bytes);
    return fc_fail(err, FLOWCTL_SYSTEM, FC_NO_TEXT, "limiter \"%.60s\": the system gives no lock", id);
}

void flowctl_limiter_close(flowctl_limiter *limiter) {
    if (limiter == NULL) return;
    pthread_mutex_lock(&limiter->lock);
    limiter->closed = true;
    fc_cell_shut(&limiter->cell);
    fc_waiters_wake_all(&limiter->waiters);
    pthread_mutex_unlock(&limiter->lock);
}

void flowctl_limiter_destroy(flowctl_limiter *limiter) {
    if (limiter == NULL) return;
    flowctl_limiter_close(limiter);
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    pthread_mutex_lock(&limiter->lock);
    while (limiter->waiters.count != 0) pthread_cond_wait(&limiter->waiters.empty, &limiter->lock);
    pthread_mutex_unlock(&limiter->lock);
    pthread_setcancelstate(state, NULL);
    fc_waiters_cleanup(&limiter->waiters);
    pthread_mutex_destroy(&limiter->lock);
    fc_release(&limiter->allocator, limiter, limiter->bytes);
}

/* ---- verbs ---- */

/* A cost of nothing: allowed by any limiter that is open, and changes nothing. */
static flowctl_decision granted_nothing(flowctl_limiter *limiter, uint64_t now_ns) {
    flowctl_decision d = limiter->ops->peek(limiter, 1, now_ns);
    if (d.status != FLOWCTL_OK) return d;
    d.verdict = FLOWCTL_ALLOW;
    d.granted = 0;
    d.retry_after_ns = 0;
    return d;
}

/* An open gate says so by itself; a shut one may be shut for a moment only, and the lock tells. */
static bool is_open(flowctl_limiter *limiter) {
    struct fc_view v;
    if (fc_cell_look(&limiter->cell, &v)) return true;
    pthread_mutex_lock(&limiter->lock);
    bool open = !limiter->closed;
    pthread_mutex_unlock(&limiter->lock);
    return open;
}

bool flowctl_try_acquire_at(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns) {
    if (limiter == NULL) return false;
    if (permits == 0) return is_open(limiter);
    if (limiter->cell.plain_bucket) {
        switch (fc_cell_take(&limiter->cell, permits, now_ns)) {
        case FC_TAKEN: fc_count_allowed(&limiter->counters, permits); return true;
        case FC_SHORT: fc_count_denied(&limiter->counters); return false;
        case FC_NEVER_FITS:
        case FC_SLOW: break;
        }
    }
    return limiter->ops->decide(limiter, permits, now_ns).verdict == FLOWCTL_ALLOW;
}

bool flowctl_try_acquire(flowctl_limiter *limiter, uint64_t permits) {
    return limiter != NULL && flowctl_try_acquire_at(limiter, permits, fc_limiter_now(limiter));
}

uint64_t flowctl_try_acquire_up_to_at(flowctl_limiter *limiter, uint64_t max_permits, uint64_t now_ns) {
    if (limiter == NULL || max_permits == 0) return 0;
    return limiter->ops->take_up_to(limiter, max_permits, now_ns);
}

uint64_t flowctl_try_acquire_up_to(flowctl_limiter *limiter, uint64_t max_permits) {
    return limiter == NULL ? 0 : flowctl_try_acquire_up_to_at(limiter, max_permits, fc_limiter_now(limiter));
}

flowctl_decision flowctl_decide_at(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns) {
    if (limiter == NULL) return fc_refused(FLOWCTL_INVALID_ARGUMENT, now_ns);
    if (permits == 0) return granted_nothing(limiter, now_ns);
    return limiter->ops->decide(limiter, permits, now_ns);
}

flowctl_decision flowctl_decide(flowctl_limiter *limiter, uint64_t permits) {
    return flowctl_decide_at(limiter, permits, limiter == NULL ? 0 : fc_limiter_now(limiter));
}

flowctl_decision flowctl_peek_at(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns) {
    if (limiter == NULL) return fc_refused(FLOWCTL_INVALID_ARGUMENT, now_ns);
    if (permits == 0) return granted_nothing(limiter, now_ns);
    return limiter->ops->peek(limiter, permits, now_ns);
}

flowctl_decision flowctl_peek(flowctl_limiter *limiter, uint64_t permits) {
    return flowctl_peek_at(limiter, permits, limiter == NULL ? 0 : fc_limiter_now(limiter));
}

uint64_t flowctl_time_until_at(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns) {
    return flowctl_peek_at(limiter, permits, now_ns).retry_after_ns;
}

uint64_t flowctl_time_until(flowctl_limiter *limiter, uint64_t permits) {
    return flowctl_peek(limiter, permits).retry_after_ns;
}

flowctl_decision flowctl_reserve_at(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns) {
    if (limiter == NULL) return fc_refused(FLOWCTL_INVALID_ARGUMENT, now_ns);
    if (permits == 0) return granted_nothing(limiter, now_ns);
    return limiter->ops->reserve(limiter, permits, max_wait_ns, now_ns);
}

flowctl_decision flowctl_reserve(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns) {
    return flowctl_reserve_at(limiter, permits, max_wait_ns, limiter == NULL ? 0 : fc_limiter_now(limiter));
}

flowctl_decision flowctl_acquire_at(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns) {
    if (limiter == NULL) return fc_refused(FLOWCTL_INVALID_ARGUMENT, now_ns);
    if (permits == 0) return granted_nothing(limiter, now_ns);
    return limiter->ops->acquire(limiter, permits, max_wait_ns, now_ns);
}

flowctl_decision flowctl_acquire(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns) {
    return flowctl_acquire_at(limiter, permits, max_wait_ns, limiter == NULL ? 0 : fc_limiter_now(limiter));
}

/* ---- reading ---- */

flowctl_status flowctl_limiter_counters(const flowctl_limiter *limiter, flowctl_counters *counters) {
    if (limiter == NULL || counters == NULL) return FLOWCTL_INVALID_ARGUMENT;
    fc_counters_sum(&limiter->counters, counters);
    return FLOWCTL_OK;
}

/* Permits per second since the older mark; renews the marks once the newer one is a second old. Under the lock. */
static double actual_rate(flowctl_limiter *l, uint64_t now_ns) {
    flowctl_counters sum;
    fc_counters_sum(&l->counters, &sum);
    struct fc_mark *older = &l->marks[0], *newer = &l->marks[1];
    if (now_ns > newer->now_ns && now_ns - newer->now_ns >= FLOWCTL_NS_PER_SEC) {
        *older = *newer;
        *newer = (struct fc_mark){now_ns, sum.allowed_permits};
    }
    if (now_ns <= older->now_ns || sum.allowed_permits <= older->permits) return 0;
    return (double)(sum.allowed_permits - older->permits) * 1e9 / (double)(now_ns - older->now_ns);
}

flowctl_status flowctl_limiter_read_at(flowctl_limiter *limiter, flowctl_limiter_info *info, uint64_t now_ns) {
    if (limiter == NULL || info == NULL) return FLOWCTL_INVALID_ARGUMENT;
    *info = (flowctl_limiter_info){.id = limiter->id, .now_ns = now_ns};
    flowctl_status status = limiter->ops->read(limiter, info, now_ns);
    if (status != FLOWCTL_OK) return status;
    info->rate_per_sec = (double)info->rate.permits * 1e9 / (double)info->rate.period_ns;
    pthread_mutex_lock(&limiter->lock);
    info->waiters = limiter->waiters.count;
    info->actual_per_sec = actual_rate(limiter, now_ns);
    pthread_mutex_unlock(&limiter->lock);
    info->utilisation = info->actual_per_sec / info->rate_per_sec;
    return FLOWCTL_OK;
}

flowctl_status flowctl_limiter_read(flowctl_limiter *limiter, flowctl_limiter_info *info) {
    return flowctl_limiter_read_at(limiter, info, limiter == NULL ? 0 : fc_limiter_now(limiter));
}

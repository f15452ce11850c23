/* The verbs: what all kinds of limiters share. Checks the call, reads the clock once, asks the kind. */
#include "core/limiter.h"

#include "base/error.h"
#include "core/leased.h"

#include <flowctl/change.h>
#include <flowctl/snapshot.h>

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
    if (l == NULL)
        return fc_fail(err, FLOWCTL_NO_MEMORY, FC_NO_TEXT, "limiter \"%.60s\": no memory for %zu bytes", id, bytes);
    l->ops = setup->ops;
    l->clock = setup->clock;
    l->cell.system_clock = fc_clock_system_id(setup->clock);
    l->allocator = allocator;
    l->bytes = bytes;
    memcpy(l->id, id, id_bytes);
    if (pthread_mutex_init(&l->lock, NULL) != 0) goto fail;
    if (pthread_cond_init(&l->nobody_inside, NULL) != 0) {
        pthread_mutex_destroy(&l->lock);
        goto fail;
    }
    *limiter = l;
    return FLOWCTL_OK;
fail:
    fc_release(&allocator, l, bytes);
    return fc_fail(err, FLOWCTL_SYSTEM, FC_NO_TEXT, "limiter \"%.60s\": the system gives no lock", id);
}

void fc_limiter_wait(flowctl_limiter *l, struct fc_waiter *waiter, struct fc_sleeper *sleeper) {
    *waiter = (struct fc_waiter){l->waiters, NULL, sleeper};
    if (l->waiters != NULL) l->waiters->previous = waiter;
    l->waiters = waiter;
    l->waiter_count++;
}

void fc_limiter_stop_waiting(flowctl_limiter *l, struct fc_waiter *waiter) {
    if (waiter->next != NULL) waiter->next->previous = waiter->previous;
    if (waiter->previous != NULL) waiter->previous->next = waiter->next;
    else l->waiters = waiter->next;
    if (--l->waiter_count == 0) pthread_cond_broadcast(&l->nobody_inside);
}

void flowctl_limiter_close(flowctl_limiter *limiter) {
    if (limiter == NULL) return;
    pthread_mutex_lock(&limiter->lock);
    if (limiter->leased != NULL) fc_leased_wind_up(limiter);
    limiter->closed = true;
    fc_cell_shut(&limiter->cell);
    for (struct fc_waiter *w = limiter->waiters; w != NULL; w = w->next) fc_sleeper_wake(w->sleeper);
    pthread_mutex_unlock(&limiter->lock);
}

void flowctl_limiter_destroy(flowctl_limiter *limiter) {
    if (limiter == NULL) return;
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    if (limiter->leased != NULL) fc_leased_detach(limiter);
    flowctl_limiter_close(limiter);
    pthread_mutex_lock(&limiter->lock);
    while (limiter->waiter_count != 0 || limiter->guests != 0) pthread_cond_wait(&limiter->nobody_inside, &limiter->lock);
    pthread_mutex_unlock(&limiter->lock);
    pthread_setcancelstate(state, NULL);
    if (limiter->leased != NULL) fc_leased_free(limiter);
    fc_bookings_cleanup(&limiter->bookings, &limiter->allocator);
    pthread_cond_destroy(&limiter->nobody_inside);
    pthread_mutex_destroy(&limiter->lock);
    fc_release(&limiter->allocator, limiter, limiter->bytes);
}

/* ---- who watches ---- */

/* The hot path asks one flag whether anything but the cell matters. */
static void refresh_plain(flowctl_limiter *l) {
    atomic_store(&l->cell.plain, !atomic_load(&l->dry_run) && atomic_load(&l->listener) == NULL);
}

flowctl_status flowctl_limiter_set_dry_run(flowctl_limiter *limiter, bool on) {
    if (limiter == NULL) return FLOWCTL_INVALID_ARGUMENT;
    pthread_mutex_lock(&limiter->lock);
    atomic_store(&limiter->dry_run, on);
    refresh_plain(limiter);
    pthread_mutex_unlock(&limiter->lock);
    return FLOWCTL_OK;
}

flowctl_status flowctl_limiter_set_listener(flowctl_limiter *limiter, const flowctl_listener *listener) {
    if (limiter == NULL) return FLOWCTL_INVALID_ARGUMENT;
    const size_t least = offsetof(flowctl_listener, on_lease); /* v1 ends here */
    if (listener != NULL && listener->size != sizeof *listener && listener->size != least) return FLOWCTL_BAD_SIZE;
    pthread_mutex_lock(&limiter->lock);
    atomic_store(&limiter->listener, listener);
    atomic_store(&limiter->near_limit, false);
    refresh_plain(limiter);
    pthread_mutex_unlock(&limiter->lock);
    return FLOWCTL_OK;
}

/* Twice as much as the threshold, or a full bucket, must have been there before it is told again. */
static void tell_near_limit(flowctl_limiter *l, const flowctl_listener *listener, const flowctl_decision *d) {
    uint64_t near = listener->near_limit_permits, before = d->remaining + d->granted;
    uint64_t burst = atomic_load_explicit(&l->cell.burst, memory_order_relaxed) /
                     atomic_load_explicit(&l->cell.unit, memory_order_relaxed);
    if ((before > near && before / 2 >= near) || before >= burst) atomic_store(&l->near_limit, false);
    if (d->remaining <= near && !atomic_exchange(&l->near_limit, true))
        listener->on_near_limit(listener->context, l, d->remaining);
}

static void tell(flowctl_limiter *l, uint64_t permits, const flowctl_decision *d) {
    const flowctl_listener *listener = atomic_load(&l->listener);
    if (listener == NULL) return;
    bool allowed = d->verdict == FLOWCTL_ALLOW || d->verdict == FLOWCTL_DELAY;
    if (allowed && listener->on_allowed != NULL) listener->on_allowed(listener->context, l, permits, d);
    if (!allowed && listener->on_denied != NULL) listener->on_denied(listener->context, l, permits, d);
    if (allowed && listener->on_near_limit != NULL) tell_near_limit(l, listener, d);
}

/* What a dry run makes of a decision that is not ALLOW. */
static flowctl_decision let_through(flowctl_decision d, uint64_t permits) {
    d.verdict = FLOWCTL_ALLOW;
    d.granted = permits;
    d.retry_after_ns = 0;
    d.flags |= FLOWCTL_FLAG_DRY_RUN;
    return d;
}

/* The end of every decision of a limiter that is watched. */
static flowctl_decision conclude(flowctl_limiter *l, uint64_t permits, flowctl_decision d) {
    if (atomic_load_explicit(&l->cell.plain, memory_order_relaxed) || d.status != FLOWCTL_OK) return d;
    tell(l, permits, &d);
    if (!atomic_load(&l->dry_run) || d.verdict == FLOWCTL_ALLOW) return d;
    if (d.verdict != FLOWCTL_DELAY) fc_add(&fc_stripe_of(&l->counters)->dry_run_allowed, 1);
    return let_through(d, permits);
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

static bool is_open(const flowctl_limiter *limiter) { return !atomic_load_explicit(&limiter->closed, memory_order_acquire); }

static uint64_t now_of(const flowctl_limiter *limiter) { return limiter == NULL ? 0 : fc_limiter_now(limiter); }

bool flowctl_try_acquire_at(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns) {
    if (limiter == NULL) return false;
    if (permits == 0) return is_open(limiter);
    if (atomic_load_explicit(&limiter->cell.plain, memory_order_relaxed)) {
        switch (fc_cell_take(&limiter->cell, permits, now_ns)) {
        case FC_TAKEN: fc_count_allowed(&limiter->counters, permits); return true;
        case FC_SHORT:
            if (limiter->refill != NULL) break;
            fc_count_denied(&limiter->counters);
            return false;
        case FC_NEVER_FITS:
        case FC_SLOW: break;
        }
    }
    return flowctl_decide_at(limiter, permits, now_ns).verdict == FLOWCTL_ALLOW;
}

bool flowctl_try_acquire(flowctl_limiter *limiter, uint64_t permits) {
    return limiter != NULL && flowctl_try_acquire_at(limiter, permits, fc_limiter_now(limiter));
}

/* What a call for up to so many got, for those who watch. */
static uint64_t conclude_up_to(flowctl_limiter *l, uint64_t max_permits, uint64_t got, uint64_t now_ns) {
    flowctl_decision d = l->ops->peek(l, 1, now_ns);
    if (d.status != FLOWCTL_OK) return got;
    d.verdict = got != 0 ? FLOWCTL_ALLOW : FLOWCTL_DENY;
    d.granted = got;
    if (got != 0) d.retry_after_ns = 0;
    tell(l, got != 0 ? got : max_permits, &d);
    if (got == max_permits || !atomic_load(&l->dry_run)) return got;
    fc_add(&fc_stripe_of(&l->counters)->dry_run_allowed, 1);
    return max_permits;
}

uint64_t flowctl_try_acquire_up_to_at(flowctl_limiter *limiter, uint64_t max_permits, uint64_t now_ns) {
    if (limiter == NULL || max_permits == 0) return 0;
    uint64_t got = limiter->ops->take_up_to(limiter, max_permits, now_ns);
    if (atomic_load_explicit(&limiter->cell.plain, memory_order_relaxed)) return got;
    return conclude_up_to(limiter, max_permits, got, now_ns);
}

uint64_t flowctl_try_acquire_up_to(flowctl_limiter *limiter, uint64_t max_permits) {
    return flowctl_try_acquire_up_to_at(limiter, max_permits, now_of(limiter));
}

flowctl_decision flowctl_decide_at(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns) {
    if (limiter == NULL) return fc_refused(FLOWCTL_INVALID_ARGUMENT, now_ns);
    if (permits == 0) return granted_nothing(limiter, now_ns);
    return conclude(limiter, permits, limiter->ops->decide(limiter, permits, now_ns));
}

flowctl_decision flowctl_decide(flowctl_limiter *limiter, uint64_t permits) {
    return flowctl_decide_at(limiter, permits, now_of(limiter));
}

flowctl_decision flowctl_peek_at(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns) {
    if (limiter == NULL) return fc_refused(FLOWCTL_INVALID_ARGUMENT, now_ns);
    if (permits == 0) return granted_nothing(limiter, now_ns);
    flowctl_decision d = limiter->ops->peek(limiter, permits, now_ns);
    bool through = d.status == FLOWCTL_OK && d.verdict != FLOWCTL_ALLOW &&
                   atomic_load_explicit(&limiter->dry_run, memory_order_relaxed);
    return through ? let_through(d, 0) : d;
}

flowctl_decision flowctl_peek(flowctl_limiter *limiter, uint64_t permits) {
    return flowctl_peek_at(limiter, permits, now_of(limiter));
}

uint64_t flowctl_time_until_at(flowctl_limiter *limiter, uint64_t permits, uint64_t now_ns) {
    return flowctl_peek_at(limiter, permits, now_ns).retry_after_ns;
}

uint64_t flowctl_time_until(flowctl_limiter *limiter, uint64_t permits) {
    return flowctl_peek(limiter, permits).retry_after_ns;
}

/* In dry run nobody waits: what would have waited is booked for when it would have been granted. */
static flowctl_decision acquire(flowctl_limiter *l, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns,
                                flowctl_receipt *receipt) {
    if (!atomic_load_explicit(&l->dry_run, memory_order_relaxed))
        return l->ops->acquire(l, permits, max_wait_ns, now_ns, receipt);
    /* What a store will lend can't be booked. */
    if (l->leased != NULL) return l->ops->decide(l, permits, now_ns);
    return l->ops->reserve(l, permits, max_wait_ns, now_ns, NULL);
}

static void leave(void *limiter) {
    flowctl_limiter *l = limiter;
    pthread_mutex_lock(&l->lock);
    if (--l->guests == 0) pthread_cond_broadcast(&l->nobody_inside);
    pthread_mutex_unlock(&l->lock);
}

/* Whoever destroys the limiter waits for those who wait in acquire; those who are watched stay until they have told of it. */
static void acquire_and_tell(flowctl_limiter *l, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns,
                             flowctl_receipt *receipt, flowctl_decision *d, bool *charged) {
    pthread_mutex_lock(&l->lock);
    l->guests++;
    pthread_mutex_unlock(&l->lock);
    pthread_cleanup_push(leave, l);
    *d = acquire(l, permits, max_wait_ns, now_ns, receipt);
    *charged = d->verdict == FLOWCTL_ALLOW || d->verdict == FLOWCTL_DELAY;
    *d = conclude(l, permits, *d);
    pthread_cleanup_pop(1);
}

/* Behind a wait nothing of the limiter is touched: it may be gone. */
static flowctl_decision acquire_maybe_watched(flowctl_limiter *l, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns,
                                              flowctl_receipt *receipt, bool *charged) {
    flowctl_decision d;
    if (!atomic_load_explicit(&l->cell.plain, memory_order_relaxed)) {
        acquire_and_tell(l, permits, max_wait_ns, now_ns, receipt, &d, charged);
        return d;
    }
    d = l->ops->acquire(l, permits, max_wait_ns, now_ns, receipt);
    *charged = d.verdict == FLOWCTL_ALLOW;
    return d;
}

flowctl_decision flowctl_acquire_at(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns) {
    if (limiter == NULL) return fc_refused(FLOWCTL_INVALID_ARGUMENT, now_ns);
    if (permits == 0) return granted_nothing(limiter, now_ns);
    bool charged;
    return acquire_maybe_watched(limiter, permits, max_wait_ns, now_ns, NULL, &charged);
}

flowctl_decision flowctl_acquire(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns) {
    return flowctl_acquire_at(limiter, permits, max_wait_ns, now_of(limiter));
}

/* ---- reservations ---- */

flowctl_decision flowctl_reserve_at(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns,
                                    flowctl_reservation *reservation, uint64_t now_ns) {
    if (reservation != NULL) *reservation = (flowctl_reservation){.limiter = limiter, .permits = permits};
    if (limiter == NULL) return fc_refused(FLOWCTL_INVALID_ARGUMENT, now_ns);
    if (permits == 0) return granted_nothing(limiter, now_ns);
    return conclude(limiter, permits, limiter->ops->reserve(limiter, permits, max_wait_ns, now_ns, reservation));
}

flowctl_decision flowctl_reserve(flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns,
                                 flowctl_reservation *reservation) {
    return flowctl_reserve_at(limiter, permits, max_wait_ns, reservation, now_of(limiter));
}

static bool can_be_cancelled(const flowctl_reservation *r) { return r != NULL && r->limiter != NULL && r->ticket != 0; }

uint64_t flowctl_cancel_at(const flowctl_reservation *reservation, uint64_t now_ns) {
    return can_be_cancelled(reservation) ? reservation->limiter->ops->cancel(reservation->limiter, reservation, now_ns) : 0;
}

uint64_t flowctl_cancel(const flowctl_reservation *reservation) {
    return can_be_cancelled(reservation) ? flowctl_cancel_at(reservation, fc_limiter_now(reservation->limiter)) : 0;
}

uint64_t flowctl_reservation_due_at(const flowctl_reservation *reservation, uint64_t now_ns) {
    return can_be_cancelled(reservation) ? reservation->limiter->ops->due(reservation->limiter, reservation, now_ns) : 0;
}

uint64_t flowctl_reservation_due_ns(const flowctl_reservation *reservation) {
    return can_be_cancelled(reservation) ? flowctl_reservation_due_at(reservation, fc_limiter_now(reservation->limiter)) : 0;
}

/* ---- settling ---- */

/* flowctl_receipt.age_hi of what a dry run let through: there is nothing to settle. No age is that high. */
#define NOT_CHARGED UINT64_MAX

flowctl_decision flowctl_acquire_estimate_at(flowctl_limiter *limiter, uint64_t estimate, uint64_t max_wait_ns,
                                             flowctl_receipt *receipt, uint64_t now_ns) {
    if (receipt != NULL) *receipt = (flowctl_receipt){.limiter = NULL};
    if (receipt == NULL || limiter == NULL) return fc_refused(FLOWCTL_INVALID_ARGUMENT, now_ns);
    bool charged = true;
    flowctl_decision d = estimate == 0 ? granted_nothing(limiter, now_ns)
                                       : acquire_maybe_watched(limiter, estimate, max_wait_ns, now_ns, receipt, &charged);
    if (d.verdict != FLOWCTL_ALLOW) return d;
    receipt->limiter = limiter;
    receipt->permits = estimate;
    if (!charged) receipt->age_hi = NOT_CHARGED;
    return d;
}

flowctl_decision flowctl_acquire_estimate(flowctl_limiter *limiter, uint64_t estimate, uint64_t max_wait_ns,
                                          flowctl_receipt *receipt) {
    return flowctl_acquire_estimate_at(limiter, estimate, max_wait_ns, receipt, now_of(limiter));
}

static flowctl_settlement settle(flowctl_receipt *receipt, uint64_t actual, const uint64_t *now_ns) {
    if (receipt == NULL || receipt->limiter == NULL) return (flowctl_settlement){.status = FLOWCTL_INVALID_ARGUMENT};
    flowctl_receipt once = *receipt;
    receipt->limiter = NULL;
    if ((actual == once.permits || once.age_hi == NOT_CHARGED) && is_open(once.limiter))
        return (flowctl_settlement){.status = FLOWCTL_OK};
    return once.limiter->ops->settle(once.limiter, &once, actual, now_ns);
}

flowctl_settlement flowctl_settle_at(flowctl_receipt *receipt, uint64_t actual, uint64_t now_ns) {
    return settle(receipt, actual, &now_ns);
}

flowctl_settlement flowctl_settle(flowctl_receipt *receipt, uint64_t actual) { return settle(receipt, actual, NULL); }

/* ---- changes ---- */

static flowctl_status change(flowctl_limiter *limiter, struct fc_change what, const uint64_t *now_ns, flowctl_error *err) {
    if (limiter == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "change: the limiter is NULL");
    return limiter->ops->change(limiter, &what, now_ns, err);
}

static struct fc_change only_rate(flowctl_rate rate) {
    return (struct fc_change){FC_CHANGE_LIMIT, .with_rate = true, .rate = rate};
}

static struct fc_change only_burst(uint64_t burst) {
    return (struct fc_change){FC_CHANGE_LIMIT, .with_burst = true, .burst = burst};
}

static struct fc_change both(flowctl_rate rate, uint64_t burst) {
    return (struct fc_change){FC_CHANGE_LIMIT, .with_rate = true, .with_burst = true, .rate = rate, .burst = burst};
}

flowctl_status flowctl_set_rate(flowctl_limiter *limiter, flowctl_rate rate, flowctl_error *err) {
    return change(limiter, only_rate(rate), NULL, err);
}

flowctl_status flowctl_set_rate_at(flowctl_limiter *limiter, flowctl_rate rate, uint64_t now_ns, flowctl_error *err) {
    return change(limiter, only_rate(rate), &now_ns, err);
}

flowctl_status flowctl_set_burst(flowctl_limiter *limiter, uint64_t burst, flowctl_error *err) {
    return change(limiter, only_burst(burst), NULL, err);
}

flowctl_status flowctl_set_burst_at(flowctl_limiter *limiter, uint64_t burst, uint64_t now_ns, flowctl_error *err) {
    return change(limiter, only_burst(burst), &now_ns, err);
}

flowctl_status flowctl_set_limit(flowctl_limiter *limiter, flowctl_rate rate, uint64_t burst, flowctl_error *err) {
    return change(limiter, both(rate, burst), NULL, err);
}

flowctl_status flowctl_set_limit_at(flowctl_limiter *limiter, flowctl_rate rate, uint64_t burst, uint64_t now_ns,
                                    flowctl_error *err) {
    return change(limiter, both(rate, burst), &now_ns, err);
}

#define FC_PLAIN_CHANGE(verb, what)                                                         \
    flowctl_status flowctl_limiter_##verb(flowctl_limiter *limiter) {                       \
        return change(limiter, (struct fc_change){.kind = what}, NULL, NULL);               \
    }                                                                                       \
    flowctl_status flowctl_limiter_##verb##_at(flowctl_limiter *limiter, uint64_t now_ns) { \
        return change(limiter, (struct fc_change){.kind = what}, &now_ns, NULL);            \
    }
FC_PLAIN_CHANGE(pause, FC_CHANGE_PAUSE)
FC_PLAIN_CHANGE(resume, FC_CHANGE_RESUME)
FC_PLAIN_CHANGE(reset, FC_CHANGE_RESET)

/* ---- snapshots ---- */

flowctl_status flowctl_limiter_snapshot_at(flowctl_limiter *limiter, void *buffer, size_t room, size_t *length,
                                           uint64_t now_ns, flowctl_error *err) {
    if (limiter == NULL || length == NULL || (buffer == NULL && room != 0))
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "snapshot: %s is NULL",
                       limiter == NULL  ? "the limiter"
                       : length == NULL ? "the out-pointer length"
                                        : "the buffer");
    return limiter->ops->snapshot(limiter, buffer, room, length, err, now_ns);
}

flowctl_status flowctl_limiter_snapshot(flowctl_limiter *limiter, void *buffer, size_t room, size_t *length,
                                        flowctl_error *err) {
    return flowctl_limiter_snapshot_at(limiter, buffer, room, length, now_of(limiter), err);
}

flowctl_status flowctl_limiter_restore_at(flowctl_limiter *limiter, const void *blob, size_t length, uint64_t elapsed_ns,
                                          uint64_t now_ns, flowctl_error *err) {
    if (limiter == NULL || blob == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "restore: %s is NULL",
                       limiter == NULL ? "the limiter" : "the blob");
    return limiter->ops->restore(limiter, blob, length, elapsed_ns, err, now_ns);
}

flowctl_status flowctl_limiter_restore(flowctl_limiter *limiter, const void *blob, size_t length, uint64_t elapsed_ns,
                                       flowctl_error *err) {
    return flowctl_limiter_restore_at(limiter, blob, length, elapsed_ns, now_of(limiter), err);
}

/* ---- reading ---- */

flowctl_status flowctl_limiter_counters(flowctl_limiter *limiter, flowctl_counters *counters) {
    if (limiter == NULL || counters == NULL) return FLOWCTL_INVALID_ARGUMENT;
    fc_counters_sum(&limiter->counters, counters);
    limiter->ops->sweep(limiter);
    pthread_mutex_lock(&limiter->lock);
    counters->cancelled_permits = limiter->cancelled_permits;
    counters->expired_permits = limiter->bookings.expired;
    counters->given_back_permits = limiter->settled.given_back;
    counters->forfeited_permits = limiter->settled.forfeited;
    counters->charged_permits = limiter->settled.charged;
    counters->unsettled_permits = limiter->settled.unsettled;
    pthread_mutex_unlock(&limiter->lock);
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
    flowctl_limiter_info seen = {.id = limiter->id, .now_ns = now_ns};
    flowctl_status status = limiter->ops->read(limiter, &seen, now_ns);
    if (status != FLOWCTL_OK) return status;
    *info = seen;
    info->rate_per_sec = (double)info->rate.permits * 1e9 / (double)info->rate.period_ns;
    pthread_mutex_lock(&limiter->lock);
    info->waiters = limiter->waiter_count;
    info->dry_run = atomic_load(&limiter->dry_run);
    info->actual_per_sec = actual_rate(limiter, now_ns);
    pthread_mutex_unlock(&limiter->lock);
    info->utilisation = info->actual_per_sec / info->rate_per_sec;
    return FLOWCTL_OK;
}

flowctl_status flowctl_limiter_read(flowctl_limiter *limiter, flowctl_limiter_info *info) {
    return flowctl_limiter_read_at(limiter, info, limiter == NULL ? 0 : fc_limiter_now(limiter));
}

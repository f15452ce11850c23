/* The token bucket behind the verbs. */
#include <flowctl/token_bucket.h>

#include "base/error.h"
#include "core/limiter.h"

#include <string.h>

/* ---- the slow path of the cell ---- */

/* What the slow path found: the decision can be made now (at a time that may have moved), or not at all. */
enum settled { SETTLED_AGAIN, SETTLED_CLOSED, SETTLED_TOO_OLD };

static void reanchor(flowctl_limiter *l, uint64_t now_ns) {
    struct fc_bucket_profile moved;
    uint64_t word, after;
    fc_cell_shut(&l->cell);
    do {
        fc_cell_load_profile(&l->cell, &moved);
        word = atomic_load_explicit(&l->cell.word, memory_order_acquire);
        after = fc_bucket_reanchor(&moved, &l->slope, word, now_ns);
    } while (!fc_cell_swap(&l->cell, word, after));
    fc_cell_store_profile(&l->cell, &moved);
    l->moved = true;
    fc_cell_open(&l->cell);
}

/* Under the lock: makes the cell ready for a decision at *now_ns. */
static enum settled settle_locked(flowctl_limiter *l, uint64_t *now_ns) {
    struct fc_bucket_profile p;
    if (l->closed) return SETTLED_CLOSED;
    fc_cell_load_profile(&l->cell, &p);
    if (*now_ns < p.t0_ns) {
        /* Before the bucket's first moment it is as it was then. Behind an anchor that has moved, what was there then is not known any more. */
        if (l->moved) return SETTLED_TOO_OLD;
        *now_ns = p.t0_ns;
    } else if (!fc_bucket_in_reach(&p, *now_ns)) {
        reanchor(l, *now_ns);
    }
    return SETTLED_AGAIN;
}

static enum settled settle(flowctl_limiter *l, uint64_t *now_ns) {
    pthread_mutex_lock(&l->lock);
    enum settled s = settle_locked(l, now_ns);
    pthread_mutex_unlock(&l->lock);
    return s;
}

/* ---- decisions ---- */

static flowctl_decision decision(flowctl_verdict verdict, uint64_t now_ns) {
    return (flowctl_decision){.verdict = verdict, .status = FLOWCTL_OK, .now_ns = now_ns, .tier = FLOWCTL_NO_TIER};
}

static flowctl_decision allow(const struct fc_view *v, uint64_t permits, uint64_t now_ns, uint64_t after) {
    flowctl_decision d = decision(FLOWCTL_ALLOW, now_ns);
    d.granted = permits;
    d.remaining = fc_bucket_permits(&v->profile, fc_bucket_level_at(&v->profile, now_ns), after);
    return d;
}

static flowctl_decision deny(const flowctl_limiter *l, const struct fc_view *v, uint64_t units, uint64_t now_ns) {
    flowctl_decision d = decision(FLOWCTL_DENY, now_ns);
    uint64_t due_ns = fc_bucket_time_of(&v->profile, &l->slope, v->word + units);
    d.remaining = fc_bucket_permits(&v->profile, fc_bucket_level_at(&v->profile, now_ns), v->word);
    d.retry_after_ns = due_ns == FLOWCTL_FOREVER ? FLOWCTL_FOREVER : due_ns - now_ns;
    return d;
}

static flowctl_decision never(const struct fc_view *v, uint64_t now_ns) {
    flowctl_decision d = decision(FLOWCTL_NEVER, now_ns);
    d.remaining = fc_bucket_permits(&v->profile, fc_bucket_level_at(&v->profile, now_ns), v->word);
    d.retry_after_ns = FLOWCTL_FOREVER;
    return d;
}

/* Behind an anchor that has moved nothing can be granted; from the anchor on, and with nothing left there, it can. */
static flowctl_decision too_old(const flowctl_limiter *l, uint64_t now_ns) {
    flowctl_decision d = decision(FLOWCTL_DENY, now_ns);
    d.retry_after_ns = atomic_load_explicit(&l->cell.t0_ns, memory_order_acquire) - now_ns;
    return d;
}

/*
 * A look at the cell that belongs to one time at which it can be judged. False: *answer is the whole answer.
 * *now_ns may move, see settle_locked.
 */
static bool look(flowctl_limiter *l, uint64_t *now_ns, struct fc_view *v, flowctl_decision *answer) {
    while (!fc_cell_look(&l->cell, v) || !fc_bucket_in_reach(&v->profile, *now_ns)) {
        switch (settle(l, now_ns)) {
        case SETTLED_AGAIN: continue;
        case SETTLED_CLOSED: *answer = fc_refused(FLOWCTL_CLOSED, *now_ns); return false;
        case SETTLED_TOO_OLD: *answer = too_old(l, *now_ns); return false;
        }
    }
    return true;
}

/* One attempt at all or nothing; FC_SLOW: the word moved meanwhile, look again. */
static enum fc_outcome attempt(flowctl_limiter *l, const struct fc_view *v, uint64_t permits, uint64_t now_ns, bool take,
                               flowctl_decision *answer) {
    uint64_t units, after;
    if (!fc_bucket_units(&v->profile, permits, &units)) {
        *answer = never(v, now_ns);
        return FC_NEVER_FITS;
    }
    if (!fc_bucket_take(&v->profile, fc_bucket_level_at(&v->profile, now_ns), v->word, units, &after)) {
        *answer = deny(l, v, units, now_ns);
        return FC_SHORT;
    }
    if (take && !fc_cell_swap(&l->cell, v->word, after)) return FC_SLOW;
    *answer = allow(v, permits, now_ns, take ? after : v->word);
    return FC_TAKEN;
}

static bool refilled(flowctl_limiter *l, uint64_t permits, uint64_t now_ns) {
    return l->refill != NULL && l->refill(l, permits, now_ns, l->refill_context);
}

static flowctl_decision bucket_decide(flowctl_limiter *l, uint64_t permits, uint64_t now_ns) {
    struct fc_view v;
    flowctl_decision answer;
    for (;; fc_cell_pause()) {
        if (!look(l, &now_ns, &v, &answer)) return answer;
        switch (attempt(l, &v, permits, now_ns, true, &answer)) {
        case FC_TAKEN: fc_count_allowed(&l->counters, permits); return answer;
        case FC_NEVER_FITS: fc_count_never(&l->counters); return answer;
        case FC_SHORT:
            if (refilled(l, permits, now_ns)) continue;
            fc_count_denied(&l->counters);
            return answer;
        case FC_SLOW: break;
        }
    }
}

static flowctl_decision bucket_peek(flowctl_limiter *l, uint64_t permits, uint64_t now_ns) {
    struct fc_view v;
    flowctl_decision answer;
    if (look(l, &now_ns, &v, &answer)) attempt(l, &v, permits, now_ns, false, &answer);
    if (answer.verdict == FLOWCTL_ALLOW) answer.granted = 0;
    return answer;
}

static uint64_t bucket_take_up_to(flowctl_limiter *l, uint64_t max_permits, uint64_t now_ns) {
    struct fc_view v;
    flowctl_decision answer;
    for (;; fc_cell_pause()) {
        if (!look(l, &now_ns, &v, &answer)) return 0;
        uint64_t there = fc_bucket_permits(&v.profile, fc_bucket_level_at(&v.profile, now_ns), v.word);
        uint64_t permits = there < max_permits ? there : max_permits;
        if (permits == 0) {
            if (refilled(l, 1, now_ns)) continue;
            fc_count_denied(&l->counters);
            return 0;
        }
        if (attempt(l, &v, permits, now_ns, true, &answer) != FC_TAKEN) continue;
        fc_count_allowed(&l->counters, permits);
        return permits;
    }
}

/* ---- booking ahead ---- */

struct booking {
    uint64_t permits, max_wait_ns, now_ns;
    uint64_t units, start, end, due_ns;
};

static uint64_t later(uint64_t ns, uint64_t by_ns) { return by_ns > FLOWCTL_FOREVER - ns ? FLOWCTL_FOREVER : ns + by_ns; }

/* Under the lock: moves the word behind the first place where the permits fit. False: *answer says why not. */
static bool book(flowctl_limiter *l, struct booking *b, flowctl_decision *answer) {
    for (;; fc_cell_pause()) {
        struct fc_view v;
        switch (settle_locked(l, &b->now_ns)) {
        case SETTLED_AGAIN: break;
        case SETTLED_CLOSED: return *answer = fc_refused(FLOWCTL_CLOSED, b->now_ns), false;
        case SETTLED_TOO_OLD: return *answer = too_old(l, b->now_ns), false;
        }
        uint64_t latest_ns = later(b->now_ns, b->max_wait_ns);
        fc_cell_look(&l->cell, &v); /* nobody shuts the gate while we hold the lock */
        if (!fc_bucket_units(&v.profile, b->permits, &b->units)) return *answer = never(&v, b->now_ns), false;
        if (!fc_bucket_book(&v.profile, &l->slope, v.word, b->units, b->now_ns, latest_ns, &b->end, &b->due_ns))
            return *answer = deny(l, &v, b->units, b->now_ns), false;
        if (!fc_cell_swap(&l->cell, v.word, b->end)) continue;
        b->start = b->end - b->units;
        *answer = allow(&v, b->permits, b->due_ns, b->end);
        return true;
    }
}

static void count_refusal(flowctl_limiter *l, const flowctl_decision *d) {
    if (d->status != FLOWCTL_OK) return;
    if (d->verdict == FLOWCTL_NEVER) fc_count_never(&l->counters);
    else fc_count_denied(&l->counters);
}

/* Permits that are there need no lock. True: *answer is final. */
static bool at_once(flowctl_limiter *l, uint64_t permits, uint64_t now_ns, flowctl_decision *answer) {
    struct fc_view v;
    for (;; fc_cell_pause()) {
        if (!look(l, &now_ns, &v, answer)) return true;
        switch (attempt(l, &v, permits, now_ns, true, answer)) {
        case FC_TAKEN: fc_count_allowed(&l->counters, permits); return true;
        case FC_NEVER_FITS: fc_count_never(&l->counters); return true;
        case FC_SHORT: return false;
        case FC_SLOW: break;
        }
    }
}

static flowctl_decision bucket_reserve(flowctl_limiter *l, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns) {
    flowctl_decision answer;
    if (at_once(l, permits, now_ns, &answer)) return answer;
    struct booking b = {.permits = permits, .max_wait_ns = max_wait_ns, .now_ns = now_ns};
    pthread_mutex_lock(&l->lock);
    bool booked = book(l, &b, &answer);
    if (booked) fc_waiters_wall(&l->waiters, b.end);
    pthread_mutex_unlock(&l->lock);
    if (!booked) {
        count_refusal(l, &answer);
        return answer;
    }
    fc_count_allowed(&l->counters, permits);
    if (b.due_ns == b.now_ns) return answer;
    fc_count_waited(&l->counters, b.due_ns - b.now_ns);
    answer.verdict = FLOWCTL_DELAY;
    answer.retry_after_ns = b.due_ns - b.now_ns;
    return answer;
}

struct seat {
    flowctl_limiter *limiter;
    uint64_t permits, called_ns;
    uint64_t left_ns; /* when the wait was over */
    bool served;
    struct fc_waiter waiter;
};

/*
 * Leaves the queue: served, closed, or (a cancelled thread) before its time. Whoever destroys the limiter waits for the unlock, so nothing of the
 * limiter is touched behind it.
 */
static void stand_up(void *argument) {
    struct seat *s = argument;
    flowctl_limiter *l = s->limiter;
    pthread_mutex_lock(&l->lock);
    if (s->served) {
        fc_count_allowed(&l->counters, s->permits);
        fc_count_waited(&l->counters, s->waiter.due_ns - s->called_ns);
    } else if (!l->closed) {
        fc_waiters_give_up(&l->waiters, &s->waiter, &l->cell, &l->slope, fc_limiter_now(l));
    }
    fc_waiters_leave(&l->waiters, &s->waiter);
    pthread_mutex_unlock(&l->lock);
    fc_sleeper_cleanup(&s->waiter.sleeper);
}

/* Sleeps until due; the due time may come nearer meanwhile. False if closed first. */
static bool wait_until_due(struct seat *s) {
    flowctl_limiter *l = s->limiter;
    for (;;) {
        pthread_mutex_lock(&l->lock);
        uint64_t due_ns = s->waiter.due_ns;
        bool closed = l->closed;
        pthread_mutex_unlock(&l->lock);
        s->left_ns = fc_limiter_now(l);
        if (s->left_ns >= due_ns) return true;
        if (closed) return false;
        l->clock->ops->sleep(l->clock, &s->waiter.sleeper, due_ns);
    }
}

/* Books and sits down; false if it got its answer without a seat. */
static bool sit_down(struct seat *s, struct booking *b, flowctl_decision *answer) {
    flowctl_limiter *l = s->limiter;
    if (!fc_sleeper_init(&s->waiter.sleeper)) return *answer = fc_refused(FLOWCTL_SYSTEM, b->now_ns), false;
    pthread_mutex_lock(&l->lock);
    bool booked = book(l, b, answer), seated = booked && b->due_ns > b->now_ns;
    if (seated) {
        s->waiter.units = b->units, s->waiter.start = b->start, s->waiter.end = b->end, s->waiter.due_ns = b->due_ns;
        fc_waiters_join(&l->waiters, &s->waiter);
    }
    pthread_mutex_unlock(&l->lock);
    if (seated) return true;
    fc_sleeper_cleanup(&s->waiter.sleeper);
    if (booked) fc_count_allowed(&l->counters, b->permits);
    else count_refusal(l, answer);
    return false;
}

static flowctl_decision bucket_acquire(flowctl_limiter *l, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns) {
    flowctl_decision answer;
    if (at_once(l, permits, now_ns, &answer)) return answer;
    struct booking b = {.permits = permits, .max_wait_ns = max_wait_ns, .now_ns = now_ns};
    struct seat seat = {.limiter = l, .permits = permits};
    if (!sit_down(&seat, &b, &answer)) return answer;
    seat.called_ns = b.now_ns;
    pthread_cleanup_push(stand_up, &seat);
    seat.served = wait_until_due(&seat);
    pthread_cleanup_pop(1);
    if (!seat.served) return fc_refused(FLOWCTL_CLOSED, seat.left_ns);
    answer.now_ns = seat.waiter.due_ns;
    return answer;
}

/* ---- reading ---- */

static flowctl_status bucket_read(flowctl_limiter *l, flowctl_limiter_info *info, uint64_t now_ns) {
    struct fc_view v;
    flowctl_decision answer;
    if (!look(l, &now_ns, &v, &answer) && answer.status != FLOWCTL_OK) return answer.status;
    info->rate = l->rate;
    info->burst = l->burst_permits;
    info->units_per_permit = v.profile.unit;
    info->exact_every_ns = l->slope.exact_every_ns;
    if (!fc_bucket_in_reach(&v.profile, now_ns)) return FLOWCTL_OK; /* older than is known: no tokens */
    struct fc_bucket_level x = fc_bucket_level_at(&v.profile, now_ns);
    int64_t there = fc_bucket_available(&v.profile, x, v.word);
    info->tokens = fc_bucket_permits(&v.profile, x, v.word);
    info->debt = there >= 0 ? 0 : ((uint64_t)-there + v.profile.unit - 1) / v.profile.unit;
    return FLOWCTL_OK;
}

static const struct fc_limiter_ops bucket_ops = {
    .decide = bucket_decide,
    .peek = bucket_peek,
    .take_up_to = bucket_take_up_to,
    .reserve = bucket_reserve,
    .acquire = bucket_acquire,
    .read = bucket_read,
};

/* ---- create ---- */

void flowctl_token_bucket_options_init(flowctl_token_bucket_options *options, size_t size) {
    if (options == NULL || size < sizeof options->size) return;
    memset(options, 0, size);
    options->size = size;
}

/* Copies options of another release's size: what it did not know is default; what we do not know must be. */
static flowctl_status copy_options(const flowctl_token_bucket_options *from, flowctl_token_bucket_options *to,
                                   flowctl_error *err) {
    const size_t least = offsetof(flowctl_token_bucket_options, start_permits) + sizeof from->start_permits; /* v1 ends here */
    *to = (flowctl_token_bucket_options)FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    if (from->size < least || from->size > 4096)
        return fc_fail(err, FLOWCTL_BAD_SIZE, FC_NO_TEXT,
                       "token bucket: options.size is %zu, this library knows %zu: start from FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT",
                       from->size, sizeof *to);
    for (size_t i = sizeof *to; i < from->size; i++)
        if (((const char *)from)[i] != 0)
            return fc_fail(err, FLOWCTL_BAD_SIZE, FC_NO_TEXT,
                           "token bucket: options.size is %zu and asks for something this library (%zu) does not know: upgrade it",
                           from->size, sizeof *to);
    memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
    return FLOWCTL_OK;
}

static flowctl_status explain(enum fc_bucket_fault fault, const flowctl_token_bucket_options *asked, const flowctl_rate *rate,
                              uint64_t burst, flowctl_error *err) {
    const char *id = asked->id != NULL ? asked->id : "";
    unsigned long long permits = asked->rate.permits, period = asked->rate.period_ns;
    switch (fault) {
    case FC_BUCKET_FINE: break;
    case FC_BUCKET_RATE_ZERO:
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "token bucket \"%.40s\": rate is %llu per %llu ns: both must be at least 1", id, permits, period);
    case FC_BUCKET_BURST_ZERO:
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "token bucket \"%.40s\": burst is 0: a bucket that holds nothing grants nothing, give at least 1", id);
    case FC_BUCKET_BURST_HIGH:
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT,
                       "token bucket \"%.40s\": burst is %llu: the nearest that can be represented is %llu", id,
                       (unsigned long long)asked->burst, (unsigned long long)burst);
    case FC_BUCKET_RATE_HIGH:
    case FC_BUCKET_RATE_LOW:
    case FC_BUCKET_PERIOD_LONG:
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT,
                       "token bucket \"%.40s\": rate is %llu per %llu ns, %s: the nearest that can be represented is %llu per %llu ns",
                       id, permits, period,
                       fault == FC_BUCKET_RATE_HIGH  ? "above 10^10 per second"
                       : fault == FC_BUCKET_RATE_LOW ? "below 1 per 10 years"
                                                     : "whose period in lowest terms is above 10 years",
                       (unsigned long long)rate->permits, (unsigned long long)rate->period_ns);
    }
    return FLOWCTL_OK;
}

static flowctl_status start_level(const flowctl_token_bucket_options *o, uint64_t *permits, flowctl_error *err) {
    const char *id = o->id != NULL ? o->id : "";
    if (o->start != FLOWCTL_START_AT && o->start_permits != 0)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "token bucket \"%.40s\": start_permits is %llu, but start is not FLOWCTL_START_AT", id,
                       (unsigned long long)o->start_permits);
    switch (o->start) {
    case FLOWCTL_START_FULL: return *permits = o->burst, FLOWCTL_OK;
    case FLOWCTL_START_EMPTY: return *permits = 0, FLOWCTL_OK;
    case FLOWCTL_START_AT:
        if (o->start_permits <= o->burst) return *permits = o->start_permits, FLOWCTL_OK;
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "token bucket \"%.40s\": start_permits is %llu: at most the burst, %llu", id,
                       (unsigned long long)o->start_permits, (unsigned long long)o->burst);
    }
    return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                   "token bucket \"%.40s\": start is %d: FLOWCTL_START_FULL, _EMPTY or _AT", id, (int)o->start);
}

flowctl_status flowctl_token_bucket_create(const flowctl_token_bucket_options *options, flowctl_limiter **limiter,
                                           flowctl_error *err) {
    flowctl_token_bucket_options o;
    struct fc_bucket_profile profile;
    struct fc_bucket_slope slope;
    uint64_t start = 0;
    if (limiter == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "token bucket: the out-pointer limiter is NULL");
    *limiter = NULL;
    if (options == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "token bucket: options is NULL");
    flowctl_status status = copy_options(options, &o, err);
    if (status != FLOWCTL_OK) return status;
    flowctl_rate rate = o.rate;
    uint64_t burst = o.burst;
    enum fc_bucket_fault fault = fc_bucket_profile_make(&rate, &burst, 0, &profile, &slope);
    if (fault != FC_BUCKET_FINE) return explain(fault, &o, &rate, burst, err);
    status = start_level(&o, &start, err);
    if (status != FLOWCTL_OK) return status;

    struct fc_limiter_setup setup = {o.id, o.clock != NULL ? o.clock : flowctl_clock_monotonic(), o.allocator, &bucket_ops};
    flowctl_limiter *l;
    status = fc_limiter_create(&setup, &l, err);
    if (status != FLOWCTL_OK) return status;
    l->rate = rate;
    l->burst_permits = burst;
    l->slope = slope;
    profile.t0_ns = fc_limiter_now(l);
    l->marks[0].now_ns = l->marks[1].now_ns = profile.t0_ns;
    fc_cell_store_profile(&l->cell, &profile);
    atomic_store_explicit(&l->cell.word, 0 - start * profile.unit, memory_order_release);
    l->cell.plain_bucket = true;
    *limiter = l;
    return FLOWCTL_OK;
}

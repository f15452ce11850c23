#include "core/leased.h"

#include "base/error.h"
#include "base/wide.h"
#include "core/backend.h"
#include "core/bucket.h"

#include <sys/random.h>
#include <unistd.h>

/* For so many refreshes a limiter that was in use is driven at each of them, and otherwise at so many. */
#define BUSY_REFRESHES 8
/* Those at rest are looked at together, at multiples of this: many of them are not to wake the backend one by one. */
#define TOGETHER_NS (10 * FLOWCTL_NS_PER_MS)
/* What is to be reported at once is looked for so often. */
#define SOON_NS FLOWCTL_NS_PER_MS

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

const char *flowctl_lease_state_name(flowctl_lease_state state) {
    switch (state) {
    case FLOWCTL_LEASE_NONE: return "NONE";
    case FLOWCTL_LEASE_ACTIVE: return "ACTIVE";
    case FLOWCTL_LEASE_EXPIRED: return "EXPIRED";
    case FLOWCTL_LEASE_LOCAL: return "LOCAL";
    }
    return "UNKNOWN";
}

static uint64_t refresh_ns(const struct fc_leased *s) { return atomic_load_explicit(&s->refresh_ns, memory_order_relaxed); }

static bool is_busy(const struct fc_leased *s, uint64_t now_ns) {
    return now_ns - s->busy_ns < BUSY_REFRESHES * refresh_ns(s);
}

void fc_leased_count_busy(struct fc_leased *s, bool busy) {
    if (busy && !s->busy) atomic_fetch_add(&s->backend->busy_members, 1);
    if (!busy && s->busy) atomic_fetch_sub(&s->backend->busy_members, 1);
    s->busy = busy;
}

/*
 * All of the rate can be used if the burst lasts for two refreshes and a round trip: unless it was told, a limiter asks four times in the time that its
 * burst lasts, but not ever more often for a limit that is small, nor more seldom for one that is large.
 */
static uint64_t refresh_wanted(const struct fc_leased *s) {
    if (s->options.refresh_ns != 0) return s->options.refresh_ns;
    fc_u128 quarter_ns = (fc_u128)s->limiter->burst_permits * s->limiter->rate.period_ns / s->limiter->rate.permits / 4;
    return quarter_ns > FC_REFRESH_MOST_NS ? FC_REFRESH_MOST_NS : most((uint64_t)quarter_ns, FC_REFRESH_LEAST_NS);
}

void fc_leased_keep_pace(struct fc_leased *s, uint64_t now_ns) {
    fc_leased_count_busy(s, is_busy(s, now_ns));
    uint64_t spacing_ns = fc_backend_spacing_ns(s->backend);
    s->soon_ns = most(SOON_NS, spacing_ns);
    /* Not so seldom that a lease could end; and a store may have told a shorter one than was asked for. */
    atomic_store(&s->refresh_ns, least(most(refresh_wanted(s), spacing_ns), s->terms.ttl_ns / 4));
}

static void wake(struct fc_leased *s, uint64_t at_ns) { fc_backend_hurry(s->backend, s, at_ns); }

/* What it asked is answered, or given up. */
static void no_longer_asks(struct fc_leased *s) {
    s->unanswered = false;
    fc_turn_end(&s->backend->turns, &s->turn);
}

/* ---- what is held ---- */

static struct fc_lend usual(const struct fc_leased *s) {
    return (struct fc_lend){.until_ns = atomic_load(&s->until_ns),
                            .paused = s->paused,
                            .local = s->local,
                            .rate = s->own_rate,
                            .burst = s->local ? s->own_burst : s->limiter->burst_permits};
}

void fc_leased_begin_session(struct fc_leased *s) {
    flowctl_session_id id;
    s->granted_before += s->session.granted;
    s->back_before += s->session.back;
    if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id) {
        /* Early in the life of a machine, if at all: then as different as a process and a moment can be. */
        id.hi = fc_monotonic_now() ^ (uint64_t)(uintptr_t)s;
        id.lo = (uint64_t)getpid() << 32 ^ fc_system_now(CLOCK_REALTIME);
    }
    fc_session_begin(&s->session, id);
    s->sessions++;
    no_longer_asks(s);
    atomic_store(&s->next_ask_ns, 0);
}

/* ---- the store is away ---- */

uint64_t fc_leased_allowed(const struct fc_leased *s) {
    flowctl_counters sum;
    fc_counters_sum(&s->limiter->counters, &sum);
    return sum.allowed_permits;
}

/* What a policy makes of the limit; false: nothing is granted. */
static bool own_limit(struct fc_leased *s) {
    const flowctl_limiter *l = s->limiter;
    uint64_t members = most(1, s->members), *burst = &s->own_burst;
    flowctl_rate *rate = &s->own_rate;
    struct fc_bucket_profile p;
    struct fc_bucket_slope slope;
    *rate = l->rate;
    *burst = most(1, l->burst_permits / members);
    switch (s->options.away) {
    case FLOWCTL_AWAY_CLOSED: return false;
    case FLOWCTL_AWAY_OPEN:
        *rate = flowctl_per_second(FLOWCTL_RATE_MAX_PER_SEC);
        *burst = l->burst_permits;
        break;
    case FLOWCTL_AWAY_LOCAL_SHARE:
        if (rate->period_ns > FLOWCTL_PERIOD_MAX_NS / members) return false;
        rate->period_ns *= members;
        break;
    case FLOWCTL_AWAY_REUSE_LAST: {
        double last = s->lent_rate * 1e9, most_per_sec = (double)l->rate.permits * 1e9 / (double)l->rate.period_ns;
        if (last < most_per_sec && flowctl_rate_from_double(last, rate, NULL) != FLOWCTL_OK) return false;
        break;
    }
    }
    return fc_bucket_profile_make(rate, burst, 0, &p, &slope) == FC_BUCKET_FINE;
}

/* The end of what a policy granted. */
static void count_away(struct fc_leased *s) {
    if (!s->local) return;
    s->away_permits += fc_leased_allowed(s) - s->away_began;
    s->local = false;
}

static void let_policy_decide(struct fc_leased *s, uint64_t now_ns, struct fc_lend *lend) {
    bool first = s->state != FLOWCTL_LEASE_EXPIRED;
    lend->until_ns = 0;
    lend->local = (first || s->options.away != FLOWCTL_AWAY_REUSE_LAST) && own_limit(s);
    if (lend->local) lend->rate = s->own_rate, lend->burst = s->own_burst;
    /* All that is asked: from the first on. */
    if (lend->local && s->options.away == FLOWCTL_AWAY_OPEN) lend->add = lend->burst;
    if (lend->local && s->options.away == FLOWCTL_AWAY_REUSE_LAST)
        lend->until_ns = s->options.reuse_ns > FLOWCTL_FOREVER - now_ns ? 0 : now_ns + s->options.reuse_ns;
    s->state = FLOWCTL_LEASE_EXPIRED;
}

void fc_leased_lapse(flowctl_limiter *l, uint64_t now_ns) {
    struct fc_leased *s = l->leased;
    struct fc_lent lent;
    uint64_t until_ns = atomic_load(&s->until_ns);
    if (until_ns == 0 || now_ns < until_ns) return;
    bool was_local = s->local;
    count_away(s);
    struct fc_lend lend = usual(s);
    lend.take_all = lend.sealed = true;
    let_policy_decide(s, now_ns, &lend);
    atomic_store(&s->until_ns, lend.until_ns);
    if (!fc_bucket_lend(l, &lend, &now_ns, &lent)) return;
    if (!was_local) fc_session_give_up(&s->session, lent.taken);
    s->local = lend.local;
    s->away_began = fc_leased_allowed(s);
}

/* ---- the decisions' side ---- */

/* Who is short now is asked for at once, if that may be: not so late that what came has gone back. */
static uint64_t answer_at(const struct fc_leased *s, uint64_t now_ns) {
    return most(now_ns, atomic_load(&s->next_ask_ns)) + most(atomic_load(&s->round_trip_ns), SOON_NS);
}

uint64_t fc_leased_retry_at(const flowctl_limiter *l, uint64_t now_ns) {
    uint64_t at_ns = atomic_load_explicit(&l->leased->retry_at_ns, memory_order_relaxed);
    if (at_ns > now_ns) return at_ns;
    return l->leased->options.one_by_one ? answer_at(l->leased, now_ns) : now_ns + refresh_ns(l->leased);
}

static void note_missing(struct fc_leased *s, uint64_t permits, uint64_t now_ns) {
    uint64_t seen = atomic_load_explicit(&s->missing, memory_order_relaxed);
    while (permits > seen && !atomic_compare_exchange_weak(&s->missing, &seen, permits)) {
    }
    if (seen != 0) return; /* somebody has said so already */
    wake(s, most(now_ns, atomic_load(&s->next_ask_ns)));
}

bool fc_leased_short(flowctl_limiter *l, uint64_t permits, uint64_t now_ns, void *context) {
    struct fc_leased *s = context;
    uint64_t until_ns = atomic_load(&s->until_ns);
    if (until_ns != 0 && now_ns >= until_ns) {
        pthread_mutex_lock(&l->lock);
        fc_leased_lapse(l, now_ns);
        pthread_mutex_unlock(&l->lock);
        wake(s, 0);
        return !l->closed;
    }
    note_missing(s, permits, now_ns);
    return false;
}

void fc_leased_waited_for(flowctl_limiter *l) {
    struct fc_leased *s = l->leased;
    wake(s, most(fc_limiter_now(l), atomic_load(&s->next_ask_ns)));
}

/* ---- asking ---- */

static uint64_t used_of(const struct fc_leased *s, int64_t held) {
    return s->granted_before + s->session.granted - s->back_before - s->session.back - (held > 0 ? (uint64_t)held : 0);
}

static struct fc_prefetch_plan plan(struct fc_leased *s, const struct fc_lent *look) {
    uint64_t refused = atomic_exchange(&s->missing, 0);
    struct fc_prefetch_now now = {.now_ns = look->now_ns,
                                  .used = used_of(s, look->held),
                                  .held = look->held,
                                  .missing = look->missing != 0 ? look->missing : refused,
                                  .queued = look->queued,
                                  .rate = s->limiter->rate,
                                  .burst = s->limiter->burst_permits,
                                  .members = s->members,
                                  .scarce = s->scarce,
                                  .one_by_one = s->options.one_by_one,
                                  .refresh_ns = refresh_ns(s),
                                  .round_trip_ns = s->round_trip_ns};
    struct fc_prefetch_plan p = fc_prefetch_plan(&s->prefetch, &now);
    if (s->paused) p.want = p.need = 0;
    s->soon = p.soon;
    if (now.missing != 0) s->busy_ns = look->now_ns;
    return p;
}

/* A sixteenth more or less, another after each ask, so that members do not march in step. */
static uint64_t jittered(const struct fc_leased *s, uint64_t ns) {
    uint64_t seed = s->session.id.lo + s->session.seq, mixed = (seed ^ seed >> 29) * UINT64_C(0x9E3779B97F4A7C15);
    return ns - ns / 16 + (mixed >> 32) % (ns / 8 + 1);
}

/* Prepares an ask: what it reports is true of the moment at which it is dated. */
static bool prepare(struct fc_leased *s, const struct fc_prefetch_plan *p, flowctl_lease_ask *ask) {
    struct fc_lend lend = usual(s);
    struct fc_lent lent = {.held = 0};
    /* The clock's time. The moment of the change may be later, if a decision was given a time to come: the lease is not longer for that. */
    uint64_t now_ns = fc_limiter_now(s->limiter);
    lend.take = p->give_back;
    lend.sealed = true;
    /* A policy's own bucket stays as it is. */
    if (!s->local && !fc_bucket_lend(s->limiter, &lend, &now_ns, &lent)) return false;
    fc_session_give_up(&s->session, lent.taken);
    uint64_t reported = s->session.used;
    fc_session_ask(&s->session, now_ns, lent.held, ask);
    if (ask->used != reported) s->busy_ns = now_ns;
    ask->want = p->want;
    ask->need = p->need;
    ask->terms = s->terms;
    ask->start_full = s->start_full;
    s->unanswered = true;
    s->asks++;
    /* One by one, a report is not to hold up who comes next. */
    bool only_reports = s->options.one_by_one && ask->want == 0;
    atomic_store(&s->next_ask_ns, now_ns + (only_reports ? s->soon_ns : jittered(s, refresh_ns(s))));
    atomic_store(&s->asked_ns, now_ns);
    atomic_store(&s->retry_at_ns, now_ns + most(s->round_trip_ns, 1));
    return true;
}

/* How long to wait for an answer before the ask is taken for lost. */
static uint64_t patience(const struct fc_leased *s) {
    return least(most(4 * s->round_trip_ns, most(refresh_ns(s), s->terms.ttl_ns / 16)), s->terms.ttl_ns / 4);
}

/* After failures asks come less often, up to four in a lease. */
static void fail(struct fc_leased *s, flowctl_status status, uint64_t now_ns) {
    s->failures++;
    s->store = status;
    no_longer_asks(s);
    unsigned doublings = s->failed_in_a_row < 10 ? s->failed_in_a_row : 10;
    s->failed_in_a_row++;
    atomic_store(&s->next_ask_ns, now_ns + least(refresh_ns(s) << doublings, s->terms.ttl_ns / 4));
}

/* A lease in which nothing happens is renewed then. */
static uint64_t renew_at(const struct fc_leased *s) { return atomic_load(&s->asked_ns) + jittered(s, s->terms.ttl_ns / 3); }

static uint64_t together(const struct fc_leased *s, uint64_t at_ns) {
    uint64_t step_ns = least(TOGETHER_NS, s->terms.ttl_ns / 16);
    return at_ns + step_ns - 1 - (at_ns - 1) % step_ns;
}

/* When to come again if nothing happens. */
static uint64_t next_due(const struct fc_leased *s, uint64_t now_ns) {
    uint64_t until_ns = atomic_load(&s->until_ns);
    bool busy = is_busy(s, now_ns), soon = busy && s->soon && s->failed_in_a_row == 0,
         hurry = s->pending || atomic_load(&s->missing) != 0 || s->session.seq == 0;
    uint64_t next_ns = hurry ? 0 : now_ns + (busy ? 1 : BUSY_REFRESHES) * refresh_ns(s);
    next_ns = most(least(next_ns, renew_at(s)), atomic_load(&s->next_ask_ns));
    if (!busy && !hurry) next_ns = together(s, next_ns);
    if (soon) next_ns = least(next_ns, now_ns + s->soon_ns);
    /* While an answer is awaited nothing is asked, whoever is short. */
    if (s->unanswered) next_ns = atomic_load(&s->asked_ns) + patience(s);
    else if (atomic_load(&s->turn.wanted)) next_ns = FLOWCTL_FOREVER; /* it comes when it has its turn */
    else if (atomic_load(&s->turn.held)) next_ns = 0;
    if (until_ns != 0) next_ns = least(next_ns, until_ns);
    return most(next_ns, now_ns + 1);
}

/* Who was short since the first look hurried a time that was replaced: that is why there is a second. */
static void plan_next(struct fc_leased *s) {
    uint64_t now_ns = fc_limiter_now(s->limiter);
    fc_leased_keep_pace(s, now_ns);
    atomic_store(&s->due_ns, next_due(s, now_ns));
    if (atomic_load(&s->missing) != 0) wake(s, next_due(s, now_ns));
}

static bool used_since(const struct fc_leased *s, const struct fc_lent *look) {
    uint64_t held = look->held > 0 ? (uint64_t)look->held : 0;
    return s->session.granted - s->session.back - held != s->session.used;
}

/* The first moment for the next ask. */
static uint64_t may_ask_at(const struct fc_leased *s, const struct fc_lent *look) {
    bool soon = s->soon && s->failed_in_a_row == 0 && used_since(s, look);
    uint64_t next_ns = atomic_load(&s->next_ask_ns);
    return soon ? least(next_ns, atomic_load(&s->asked_ns) + s->soon_ns) : next_ns;
}

static bool worth_asking(const struct fc_leased *s, const struct fc_prefetch_plan *p, const struct fc_lent *look) {
    bool used = used_since(s, look), renew = look->now_ns >= renew_at(s);
    return s->asks == 0 || s->state != FLOWCTL_LEASE_ACTIVE || p->want != 0 || p->give_back != 0 || used || renew ||
           s->pending || s->session.seq == 0;
}

static bool prepare_to_ask(struct fc_leased *s, flowctl_lease_ask *ask) {
    flowctl_limiter *l = s->limiter;
    struct fc_lent look;
    uint64_t now_ns = fc_limiter_now(l);
    fc_leased_lapse(l, now_ns);
    fc_leased_keep_pace(s, now_ns);
    if (s->unanswered && now_ns >= atomic_load(&s->asked_ns) + patience(s)) fail(s, FLOWCTL_TIMED_OUT, now_ns);
    if (s->unanswered || !fc_bucket_look(l, now_ns, &look)) return false;
    look.now_ns = now_ns; /* the clock's, as in prepare */
    if (s->local) look.held = 0;
    if (now_ns < may_ask_at(s, &look) || !fc_turn_take(&s->backend->turns, &s->turn)) return false;
    struct fc_prefetch_plan p = plan(s, &look);
    return worth_asking(s, &p, &look) && prepare(s, &p, ask);
}

/* Under the lock. True: `ask` is to be sent. */
static bool decide_to_ask(struct fc_leased *s, flowctl_lease_ask *ask) {
    atomic_store(&s->turn.wanted, false);
    bool asks = prepare_to_ask(s, ask);
    if (!s->unanswered) fc_turn_end(&s->backend->turns, &s->turn); /* not needed after all */
    return asks;
}

static void tell(struct fc_leased *s);

/* Under the lock. */
static uint64_t ticket_now(const struct fc_leased *s) {
    return s->ticket | (s->sessions << FC_TICKET_SLOT_BITS & FC_TICKET_SESSION_MASK);
}

void fc_leased_drive(struct fc_leased *s) {
    flowctl_limiter *l = s->limiter;
    flowctl_lease_ask ask = {.size = sizeof ask, .limit = l->id, .member = s->backend->member};
    pthread_mutex_lock(&l->lock);
    bool open = !l->closed, send = open && decide_to_ask(s, &ask);
    uint64_t ticket = ticket_now(s);
    if (open) plan_next(s);
    else atomic_store(&s->due_ns, FLOWCTL_FOREVER);
    pthread_mutex_unlock(&l->lock);
    tell(s);
    if (send) s->backend->ops->lease(s->backend->instance, ticket, &ask);
}

/* ---- answers ---- */

/* Settings that are in force at the store, in force here too. */
static void follow_terms(struct fc_leased *s, const flowctl_lease_terms *told) {
    flowctl_rate rate = told->rate;
    uint64_t burst = told->burst;
    struct fc_bucket_profile p;
    struct fc_bucket_slope slope;
    if (told->version < s->terms.version) return; /* ours will be */
    if (told->ttl_ns == 0 || fc_bucket_profile_make(&rate, &burst, s->limiter->debt.most_permits, &p, &slope) != FC_BUCKET_FINE)
        return;
    s->terms = *told;
    s->pending = false;
    s->limiter->rate = rate;
    s->limiter->burst_permits = burst;
}

/* Under the lock. */
static void take_lease(struct fc_leased *s, const flowctl_lease_reply *reply, uint64_t credit, uint64_t now_ns) {
    flowctl_limiter *l = s->limiter;
    struct fc_lent lent;
    follow_terms(s, &reply->terms);
    fc_bookings_tell_never(&l->bookings, l->burst_permits);
    s->members = reply->members;
    s->scarce = reply->scarce;
    s->lent_rate = s->prefetch.rate;
    s->quarantine_until_ns = reply->quarantine_ns != 0 ? now_ns + reply->quarantine_ns : 0;
    if (now_ns >= s->session.until_ns) return; /* too late to be of use */
    count_away(s);
    atomic_store(&s->until_ns, s->session.until_ns);
    struct fc_lend lend = usual(s);
    /* What a policy's bucket had is not the store's. */
    lend.take_all = s->state == FLOWCTL_LEASE_EXPIRED;
    lend.sealed = s->state == FLOWCTL_LEASE_EXPIRED;
    lend.add = credit;
    if (!fc_bucket_lend(l, &lend, &now_ns, &lent)) return;
    /* What a smaller burst cut off. */
    if (!lend.take_all) fc_session_give_up(&s->session, lent.taken);
    s->state = FLOWCTL_LEASE_ACTIVE;
    if (s->options.one_by_one) {
        /* The next plan gives back what nobody came back for. */
        if (credit != 0) atomic_store(&s->next_ask_ns, most(atomic_load(&s->next_ask_ns), now_ns + refresh_ns(s)));
        atomic_store(&s->retry_at_ns, 0); /* what was to come is there */
    }
    if (credit == 0 && reply->retry_after_ns != 0)
        atomic_store(&s->retry_at_ns, now_ns + most(least(reply->retry_after_ns, FLOWCTL_PERIOD_MAX_NS), refresh_ns(s)));
    if (lent.missing != 0) s->busy_ns = now_ns;
}

/* What was held is void. */
static void end_session(struct fc_leased *s, uint64_t now_ns) {
    struct fc_lend lend = usual(s);
    struct fc_lent lent;
    lend.take_all = lend.sealed = true;
    if (!s->local && fc_bucket_lend(s->limiter, &lend, &now_ns, &lent)) fc_session_give_up(&s->session, lent.taken);
    fc_leased_begin_session(s);
}

static void measure(struct fc_leased *s, uint64_t seq, uint64_t now_ns) {
    if (s->session.seq - seq >= FC_SESSION_ASKS) return;
    uint64_t sent_ns = s->session.sent_ns[seq % FC_SESSION_ASKS], took_ns = now_ns > sent_ns ? now_ns - sent_ns : 0;
    /* A slow one lately: at once when it is slower, little by little when it is faster. */
    s->round_trip_ns = most(took_ns, s->round_trip_ns - s->round_trip_ns / 32);
    fc_backend_note_round_trip(s->backend, took_ns);
}

/* Under the lock. */
static void take_answer(struct fc_leased *s, const flowctl_lease_reply *reply) {
    uint64_t credit, now_ns = fc_limiter_now(s->limiter);
    bool awaited = s->unanswered && reply->seq == s->session.seq;
    fc_leased_lapse(s->limiter, now_ns);
    if (reply->status != FLOWCTL_OK) {
        if (awaited) fail(s, reply->status, now_ns);
        return;
    }
    switch (fc_session_reply(&s->session, now_ns, reply, &credit)) {
    case FC_NEWS_NOTHING: return;
    case FC_NEWS_DEAD: end_session(s, now_ns); break;
    case FC_NEWS_LEASE:
        measure(s, reply->seq, now_ns);
        take_lease(s, reply, credit, now_ns);
        break;
    }
    s->replies++;
    s->store = FLOWCTL_OK;
    s->failed_in_a_row = 0;
    if (awaited) no_longer_asks(s);
}

/* To the listener, of a state that is new: with no lock held. */
static void tell(struct fc_leased *s) {
    flowctl_limiter *l = s->limiter;
    const flowctl_listener *listener = atomic_load(&l->listener);
    pthread_mutex_lock(&l->lock);
    flowctl_lease_state from = s->told, to = s->state;
    s->told = to;
    pthread_mutex_unlock(&l->lock);
    if (from == to || listener == NULL || listener->size < sizeof *listener || listener->on_lease == NULL) return;
    listener->on_lease(listener->context, l, from, to);
}

void fc_leased_answer(struct fc_leased *s, uint64_t ticket, const flowctl_lease_reply *reply) {
    flowctl_limiter *l = s->limiter;
    pthread_mutex_lock(&l->lock);
    if (!l->closed && ticket == ticket_now(s)) {
        take_answer(s, reply);
        plan_next(s);
    }
    pthread_mutex_unlock(&l->lock);
    tell(s);
}

/* ---- verbs ---- */

flowctl_status fc_leased_refuse(const flowctl_limiter *l, const char *verb, flowctl_error *err) {
    return fc_fail(err, FLOWCTL_UNSUPPORTED, FC_NO_TEXT,
                   "limiter \"%.60s\": %s: its state is kept by the backend \"%.30s\", not here", l->id, verb,
                   l->leased->backend->ops->name);
}

static flowctl_status change_limit(flowctl_limiter *l, const struct fc_change *c, flowctl_error *err) {
    struct fc_leased *s = l->leased;
    flowctl_lease_terms terms = s->terms;
    if (c->with_rate) terms.rate = c->rate;
    if (c->with_burst) terms.burst = c->burst;
    flowctl_rate rate = terms.rate;
    uint64_t burst = terms.burst;
    struct fc_bucket_profile p;
    struct fc_bucket_slope slope;
    enum fc_bucket_fault fault = fc_bucket_profile_make(&rate, &burst, l->debt.most_permits, &p, &slope);
    if (fault != FC_BUCKET_FINE) return fc_bucket_explain(fault, l->id, terms.rate, terms.burst, &rate, burst, err);
    terms.rate = rate;
    terms.version++;
    s->terms = terms;
    s->pending = true;
    return FLOWCTL_OK;
}

static flowctl_status pause_own(flowctl_limiter *l, bool paused, const uint64_t *now_ns) {
    struct fc_leased *s = l->leased;
    struct fc_lent lent;
    s->paused = paused;
    struct fc_lend lend = usual(s);
    if (!fc_bucket_lend(l, &lend, now_ns, &lent)) return FLOWCTL_CLOSED;
    if (!s->local) fc_session_give_up(&s->session, lent.taken);
    return FLOWCTL_OK;
}

flowctl_status fc_leased_change(flowctl_limiter *l, const struct fc_change *c, const uint64_t *now_ns, flowctl_error *err) {
    flowctl_status status = FLOWCTL_OK;
    if (c->kind == FC_CHANGE_RESET) return fc_leased_refuse(l, "reset", err);
    pthread_mutex_lock(&l->lock);
    if (l->closed) status = fc_fail(err, FLOWCTL_CLOSED, FC_NO_TEXT, "limiter \"%.60s\": is closed", l->id);
    else if (c->kind == FC_CHANGE_LIMIT) status = change_limit(l, c, err);
    else status = pause_own(l, c->kind == FC_CHANGE_PAUSE, now_ns);
    pthread_mutex_unlock(&l->lock);
    wake(l->leased, 0);
    return status;
}

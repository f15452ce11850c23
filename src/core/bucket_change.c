/*
 * Other terms for a bucket in use: settings, pause, a moved anchor. The writer prepares the set of terms that is not in force and then moves
 * word and tag in one swap. It looks at the word before it reads the clock: a swap that succeeds has been passed by nobody since, so every decision by
 * the old terms was dated before. Stopped anywhere, it holds up no decision.
 */
#include "core/bucket.h"
#include "core/leased.h"

#include "base/error.h"

/* Shows the hot path the terms that are in force now. */
static void show(flowctl_limiter *l, const struct fc_terms *terms, uint64_t tag) {
    fc_cell_show_until(&l->cell, &terms->profile, tag, terms->paused || l->closed,
                       terms->until_ns != 0 ? terms->until_ns : FLOWCTL_FOREVER);
}

/* Puts `next` in force, from the word `seen`. False: the word moved. The new word lies ahead of every old one, so that no old look fits it. */
static bool enforce(flowctl_limiter *l, const struct fc_view *seen, const struct fc_terms *next, uint64_t after) {
    uint64_t expected = seen->word | seen->tag, tag = 1 - seen->tag;
    fc_terms_write(l->terms, seen->tag, next);
    return atomic_compare_exchange_strong_explicit(&l->cell.word, &expected, after | tag, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

void fc_bucket_begin(flowctl_limiter *l, struct fc_terms *terms, int64_t there, uint64_t now_ns) {
    terms->profile.t0_ns = now_ns;
    terms->began = terms->profile.x1;
    /* A new limiter's word is 0 with tag 0; terms that nobody can see yet are written as its other set, and put in force. */
    struct fc_view seen = {.word = 0, .tag = 1};
    fc_terms_write(l->terms, seen.tag, terms);
    atomic_store(&l->cell.word, terms->profile.x1 - (uint64_t)there);
    show(l, terms, 0);
}

void fc_bucket_move_anchor(flowctl_limiter *l, uint64_t now_ns) {
    struct fc_terms terms, next;
    struct fc_view seen;
    uint64_t after;
    do {
        fc_terms_read(&l->cell, l->terms, &terms, &seen);
        if (now_ns < terms.profile.t0_ns || fc_bucket_in_reach(&terms.profile, now_ns)) return; /* somebody else did */
        next = terms;
        after = fc_bucket_reanchor(&next.profile, &terms.slope, seen.word, now_ns);
        next.age = terms.age + FC_AGE_OVER;
        next.began = next.profile.x1;
        next.older_unknown = true;
    } while (!enforce(l, &seen, &next, after));
    fc_bookings_sweep(&l->bookings, now_ns, next.profile.unit);
    show(l, &next, 1 - seen.tag);
}

void fc_bucket_move_anchor_unlocked(flowctl_limiter *l, uint64_t now_ns) {
    pthread_mutex_lock(&l->lock);
    fc_bucket_move_anchor(l, now_ns);
    pthread_mutex_unlock(&l->lock);
}

bool fc_bucket_see_then_read_clock(flowctl_limiter *l, const uint64_t *given_ns, struct fc_sight *s) {
    for (;;) {
        if (!fc_bucket_see(l, 0, s)) return false;
        uint64_t now_ns = given_ns != NULL ? *given_ns : fc_limiter_now(l);
        if (now_ns < s->terms.profile.t0_ns) now_ns = s->terms.profile.t0_ns;
        s->now_ns = now_ns;
        s->over = s->terms.until_ns != 0 && now_ns >= s->terms.until_ns;
        if (fc_bucket_in_reach(&s->terms.profile, now_ns)) return true;
        fc_bucket_move_anchor(l, now_ns);
    }
}

/* ---- settings ---- */

flowctl_status fc_bucket_explain(enum fc_bucket_fault fault, const char *id, flowctl_rate asked, uint64_t asked_burst,
                                 const flowctl_rate *rate, uint64_t burst, flowctl_error *err) {
    unsigned long long permits = asked.permits, period = asked.period_ns;
    switch (fault) {
    case FC_BUCKET_FINE: break;
    case FC_BUCKET_RATE_ZERO:
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "token bucket \"%.24s\": rate is %llu per %llu ns: both must be at least 1", id, permits, period);
    case FC_BUCKET_BURST_ZERO:
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "token bucket \"%.24s\": burst is 0: a bucket that holds nothing grants nothing, give at least 1", id);
    case FC_BUCKET_BURST_HIGH:
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT,
                       "token bucket \"%.24s\": burst is %llu: the nearest that can be represented is %llu", id,
                       (unsigned long long)asked_burst, (unsigned long long)burst);
    case FC_BUCKET_RATE_HIGH:
    case FC_BUCKET_RATE_LOW:
    case FC_BUCKET_PERIOD_LONG:
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT,
                       "token bucket \"%.24s\": rate is %llu per %llu ns, %s: the nearest that can be represented is %llu per %llu ns",
                       id, permits, period,
                       fault == FC_BUCKET_RATE_HIGH  ? "above 10^10 per second"
                       : fault == FC_BUCKET_RATE_LOW ? "below 1 per 10 years"
                                                     : "whose period in lowest terms is above 10 years",
                       (unsigned long long)rate->permits, (unsigned long long)rate->period_ns);
    }
    return FLOWCTL_OK;
}

/* What a change needs to know of the moment it takes effect. */
struct moment {
    struct fc_sight sight;
    struct fc_bucket_level x;
    int64_t there; /* units there, by the old terms */
};

static bool arrive(flowctl_limiter *l, const uint64_t *given_ns, struct moment *m) {
    if (!fc_bucket_see_then_read_clock(l, given_ns, &m->sight)) return false;
    fc_bookings_sweep(&l->bookings, m->sight.now_ns, m->sight.terms.profile.unit);
    m->x = fc_bucket_level_at(&m->sight.terms.profile, m->sight.now_ns);
    m->there = fc_bucket_available(&m->sight.terms.profile, m->x, m->sight.view.word);
    return true;
}

/* Permits that the new grid must be able to count below zero: what is booked and owed now, or may be owed. */
static uint64_t booked_permits(const flowctl_limiter *l, const struct moment *m, const struct fc_change *c) {
    uint64_t ahead = m->there < 0 ? (uint64_t)-m->there / m->sight.terms.profile.unit + 1 : 0;
    if (c->kind == FC_CHANGE_RESTORE && c->there < 0) ahead = (uint64_t)-c->there / c->unit + 1;
    return ahead > l->debt.most_permits ? ahead : l->debt.most_permits;
}

/* What the age grows by at a change: what was refilled so far, and what a smaller burst takes away. */
static fc_u128 age_after(const flowctl_limiter *l, const struct moment *m, const struct fc_change *c, uint64_t burst) {
    fc_u128 age = fc_terms_age(&m->sight.terms, m->sight.now_ns, true);
    if (burst < l->burst_permits) age += (fc_u128)(l->burst_permits - burst) << FC_AGE_BITS;
    return c->kind == FC_CHANGE_RESET || c->kind == FC_CHANGE_RESTORE ? age + FC_AGE_OVER : age;
}

/* The word by the new terms: the same permits there, or booked, less what is rounded away. */
static uint64_t word_after(flowctl_limiter *l, const struct moment *m, const struct fc_change *c, const struct fc_terms *next) {
    const struct fc_bucket_profile *old = &m->sight.terms.profile, *new = &next->profile;
    int64_t there = c->kind == FC_CHANGE_RESET && m->there > 0 ? 0 : m->there;
    bool restore = c->kind == FC_CHANGE_RESTORE;
    int64_t carried =
        restore ? fc_bucket_carry(2 * c->there, 2 * c->unit, new->unit) : fc_bucket_carry(there, old->unit, new->unit);
    if (carried > (int64_t) new->burst) carried = (int64_t) new->burst;
    uint64_t word = new->x1 - (uint64_t)carried;
    if (l->bookings.first == NULL) return word;
    uint64_t tail = fc_bookings_plan_carry(&l->bookings, old, m->x, next);
    return (int64_t)(tail - word) > 0 ? tail : word;
}

static void carry_debt(flowctl_limiter *l, const struct moment *m, const struct fc_terms *next, uint64_t word) {
    uint64_t old_unit = m->sight.terms.profile.unit;
    if ((int64_t)(m->x.floor - l->debt.end) >= 0) l->debt.units = 0;
    l->debt.units = (uint64_t)-fc_bucket_carry(-(int64_t)l->debt.units, old_unit, next->profile.unit);
    l->debt.end = word;
}

/* One attempt. False: the word moved meanwhile. */
static bool change_once(flowctl_limiter *l, const struct moment *m, const struct fc_change *c, struct fc_terms *next,
                        uint64_t burst) {
    next->profile.t0_ns = m->sight.now_ns;
    next->profile.x1 = m->sight.view.word + next->profile.burst + 2;
    next->began = next->profile.x1;
    next->older_unknown = false;
    next->age = age_after(l, m, c, burst);
    if (next->paused) fc_bucket_profile_halt(&next->profile, &next->slope);
    uint64_t after = word_after(l, m, c, next);
    if (!enforce(l, &m->sight.view, next, after)) return false;
    if (l->bookings.first != NULL) fc_bookings_follow(&l->bookings);
    carry_debt(l, m, next, after);
    show(l, next, 1 - m->sight.view.tag);
    return true;
}

static bool used(const flowctl_limiter *l) {
    flowctl_counters sum;
    fc_counters_sum(&l->counters, &sum);
    return sum.allowed != 0 || l->settled.charged != 0;
}

static flowctl_status change_locked(flowctl_limiter *l, const struct fc_change *c, const uint64_t *now_ns, flowctl_error *err) {
    for (;; fc_cell_pause()) {
        struct moment m;
        struct fc_terms next = {.lent = false};
        if (!arrive(l, now_ns, &m)) return fc_fail(err, FLOWCTL_CLOSED, FC_NO_TEXT, "limiter \"%.60s\": is closed", l->id);
        if (c->kind == FC_CHANGE_RESTORE && used(l))
            return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                           "limiter \"%.60s\": has granted permits already: restore it right after create", l->id);
        flowctl_rate rate = c->with_rate ? c->rate : l->rate;
        uint64_t burst = c->with_burst ? c->burst : l->burst_permits;
        enum fc_bucket_fault fault =
            fc_bucket_profile_make(&rate, &burst, booked_permits(l, &m, c), &next.profile, &next.slope);
        if (fault != FC_BUCKET_FINE) return fc_bucket_explain(fault, l->id, c->rate, c->burst, &rate, burst, err);
        next.paused = c->kind == FC_CHANGE_PAUSE || (c->kind != FC_CHANGE_RESUME && m.sight.terms.paused);
        if (!change_once(l, &m, c, &next, burst)) continue;
        l->rate = rate;
        l->burst_permits = burst;
        fc_bookings_tell_never(&l->bookings, burst);
        return FLOWCTL_OK;
    }
}

/* ---- permits from a store ---- */

/* What is held for whoever comes next: up to the first that waits, or to the word. */
static int64_t held_units(const flowctl_limiter *l, const struct moment *m) {
    return l->bookings.first != NULL ? (int64_t)(m->x.floor - l->bookings.first->place.start) : m->there;
}

static void look_at_queue(const flowctl_limiter *l, struct fc_lent *lent) {
    lent->missing = l->bookings.first != NULL ? l->bookings.first->permits : 0;
    lent->queued = 0;
    for (const struct fc_booking *b = l->bookings.first; b != NULL; b = b->next) lent->queued += b->permits;
}

/* The terms that follow: permits that are there until they are used, or (local) those of a small bucket of one's own. */
static void lent_terms(const flowctl_limiter *l, const struct moment *m, const struct fc_lend *lend, struct fc_terms *next) {
    flowctl_rate rate = lend->local ? lend->rate : l->rate;
    uint64_t burst = lend->burst;
    *next = (struct fc_terms){.paused = lend->paused, .lent = !lend->local, .until_ns = lend->until_ns};
    if (lend->local) next->largest = l->burst_permits;
    /* Both were found to be representable when they were set. */
    fc_bucket_profile_make(&rate, &burst, booked_permits(l, m, &(struct fc_change){.kind = FC_CHANGE_LIMIT}), &next->profile,
                           &next->slope);
    if (!lend->local || lend->paused) fc_bucket_profile_halt(&next->profile, &next->slope);
    next->profile.t0_ns = m->sight.now_ns;
    next->profile.x1 = m->sight.view.word + next->profile.burst + 2;
    next->began = next->profile.x1;
    next->age = m->sight.terms.lent ? m->sight.terms.age : fc_terms_age(&m->sight.terms, m->sight.now_ns, true);
    if (lend->sealed) next->age += FC_AGE_OVER;
}

/* Moves V by what is taken and brought: who waits comes nearer, or is due. */
static void move_level(struct moment *m, const flowctl_limiter *l, const struct fc_lend *lend, struct fc_lent *lent) {
    uint64_t unit = m->sight.terms.profile.unit;
    int64_t held = held_units(l, m);
    uint64_t there = held > 0 ? (uint64_t)held / unit : 0;
    lent->taken = lend->take_all || lend->take > there ? there : lend->take;
    /* What a smaller burst has no room for. */
    if (there - lent->taken > lend->burst) lent->taken = there - lend->burst;
    /* A fraction of a permit is left of a local bucket, at the most: it goes with the rest. */
    uint64_t down = lend->take_all && held > 0 ? (uint64_t)held : lent->taken * unit, up = lend->add * unit;
    m->x.floor += up - down;
    m->x.ceil += up - down;
    m->there += (int64_t)up - (int64_t)down;
    held += (int64_t)up - (int64_t)down;
    lent->held = held >= 0 ? held / (int64_t)unit : -(int64_t)(((uint64_t)-held + unit - 1) / unit);
}

bool fc_bucket_look(flowctl_limiter *l, uint64_t now_ns, struct fc_lent *lent) {
    struct moment m;
    if (!arrive(l, &now_ns, &m)) return false;
    int64_t held = held_units(l, &m), unit = (int64_t)m.sight.terms.profile.unit;
    *lent = (struct fc_lent){.now_ns = m.sight.now_ns, .held = held >= 0 ? held / unit : -((-held + unit - 1) / unit)};
    look_at_queue(l, lent);
    return true;
}

/* Whether what is brought can only be counted by the terms that follow. */
static bool finer(const struct moment *m, const struct fc_lend *lend, const struct fc_terms *next) {
    return lend->add != 0 && next->profile.unit != m->sight.terms.profile.unit;
}

static bool lend_in_steps(flowctl_limiter *l, const struct fc_lend *lend, const uint64_t *given_ns, struct fc_lent *lent) {
    struct fc_lend first = *lend, then = *lend;
    first.add = 0;
    then.take_all = then.sealed = false, then.take = 0;
    if (!fc_bucket_lend(l, &first, given_ns, lent)) return false;
    uint64_t taken = lent->taken;
    bool open = fc_bucket_lend(l, &then, given_ns, lent);
    lent->taken += taken;
    return open;
}

bool fc_bucket_lend(flowctl_limiter *l, const struct fc_lend *lend, const uint64_t *given_ns, struct fc_lent *lent) {
    for (;; fc_cell_pause()) {
        struct moment m;
        struct fc_terms next;
        if (!arrive(l, given_ns, &m)) return false;
        lent->now_ns = m.sight.now_ns;
        lent_terms(l, &m, lend, &next);
        if (finer(&m, lend, &next)) return lend_in_steps(l, lend, given_ns, lent);
        move_level(&m, l, lend, lent);
        struct fc_change none = {.kind = FC_CHANGE_LIMIT};
        uint64_t after = word_after(l, &m, &none, &next);
        if (!enforce(l, &m.sight.view, &next, after)) continue;
        if (l->bookings.first != NULL) fc_bookings_follow(&l->bookings);
        carry_debt(l, &m, &next, after);
        show(l, &next, 1 - m.sight.view.tag);
        fc_bookings_sweep(&l->bookings, m.sight.now_ns, next.profile.unit);
        look_at_queue(l, lent);
        return true;
    }
}

/* ---- the verb ---- */

flowctl_status fc_bucket_change(flowctl_limiter *l, const struct fc_change *c, const uint64_t *now_ns, flowctl_error *err) {
    if (l->leased != NULL) return fc_leased_change(l, c, now_ns, err);
    pthread_mutex_lock(&l->lock);
    flowctl_status status = change_locked(l, c, now_ns, err);
    pthread_mutex_unlock(&l->lock);
    return status;
}

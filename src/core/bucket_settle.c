/* Settling: the actual cost of what was taken as an estimate. */
#include "core/bucket.h"
#include "core/leased.h"

/* How much older than when a receipt was signed. */
static fc_u128 grown(const struct fc_sight *s, const flowctl_receipt *r) {
    fc_u128 signed_at = (fc_u128)r->age_hi << 64 | r->age_lo, age = fc_terms_age(&s->terms, s->now_ns, true);
    return age > signed_at ? age - signed_at : 0;
}

/* Whether the bucket was emptied since: then nothing goes back by any rule. */
static bool reset_since(const struct fc_sight *s, const flowctl_receipt *r) { return grown(s, r) >= FC_AGE_OVER; }

/* What the rate has produced since a receipt was signed, in permits, rounded up; at most all of it. */
static uint64_t faded(const struct fc_sight *s, const flowctl_receipt *r) {
    fc_u128 permits = (grown(s, r) + (((fc_u128)1 << FC_AGE_BITS) - 1)) >> FC_AGE_BITS;
    return permits > r->permits ? r->permits : (uint64_t)permits;
}

static flowctl_settlement give_back(flowctl_limiter *l, const flowctl_receipt *r, uint64_t unused, const uint64_t *given_ns) {
    flowctl_settlement result = {.status = FLOWCTL_OK, .forfeited = unused};
    for (;; fc_cell_pause()) {
        struct fc_sight s;
        if (!fc_bucket_see_then_read_clock(l, given_ns, &s)) return (flowctl_settlement){.status = FLOWCTL_CLOSED};
        if (s.over) {
            fc_leased_lapse(l, s.now_ns);
            continue;
        }
        fc_bookings_sweep(&l->bookings, s.now_ns, s.view.profile.unit);
        uint64_t fresh = l->lenient && !reset_since(&s, r) ? unused : r->permits - faded(&s, r);
        uint64_t back = unused < fresh ? unused : fresh;
        if (back == 0) return result;
        /* Bookings move with the word. If something else was charged behind them, there is no moving it. */
        if (l->bookings.last != NULL && l->bookings.last->place.end != s.view.word) return result;
        uint64_t units = back * s.view.profile.unit, after = s.view.word - units;
        if (l->bookings.first != NULL) after = fc_bookings_plan_back(&l->bookings, units, &s.terms, s.now_ns);
        if (!fc_cell_swap(&l->cell, &s.view, after)) continue;
        if (l->bookings.first != NULL) fc_bookings_follow(&l->bookings);
        result.given_back = back;
        result.forfeited = unused - back;
        return result;
    }
}

/* What is owed of earlier charges, at the most. */
static uint64_t owed(const flowctl_limiter *l, struct fc_bucket_level x) {
    return (int64_t)(x.floor - l->debt.end) >= 0 ? 0 : l->debt.units;
}

/* Whole permits that can be charged now: what is there, and what the debt still allows. */
static uint64_t chargeable(const flowctl_limiter *l, const struct fc_sight *s, struct fc_bucket_level x, uint64_t extra) {
    const struct fc_bucket_profile *p = &s->view.profile;
    int64_t there = fc_bucket_available(p, x, s->view.word);
    uint64_t most = l->debt.most_permits * p->unit, ahead = there < 0 ? (uint64_t)-there : 0;
    uint64_t room = most > owed(l, x) ? most - owed(l, x) : 0, countable = 2 * FC_DEBT_UNITS_MAX - ahead;
    if (ahead > 2 * FC_DEBT_UNITS_MAX) countable = 0;
    if (room > countable) room = countable;
    uint64_t permits = (room + (there > 0 ? (uint64_t)there : 0)) / p->unit;
    return extra < permits ? extra : permits;
}

static flowctl_settlement charge(flowctl_limiter *l, uint64_t extra, const uint64_t *given_ns) {
    for (;; fc_cell_pause()) {
        struct fc_sight s;
        if (!fc_bucket_see_then_read_clock(l, given_ns, &s)) return (flowctl_settlement){.status = FLOWCTL_CLOSED};
        if (s.over) {
            fc_leased_lapse(l, s.now_ns);
            continue;
        }
        const struct fc_bucket_profile *p = &s.view.profile;
        struct fc_bucket_level x = fc_bucket_level_at(p, s.now_ns);
        uint64_t permits = chargeable(l, &s, x, extra), base = fc_bucket_base(p, x, s.view.word);
        uint64_t after = base + permits * p->unit;
        if (!fc_cell_swap(&l->cell, &s.view, after)) continue;
        int64_t beyond = (int64_t)(after - ((int64_t)(base - x.floor) > 0 ? base : x.floor));
        if (beyond > 0) {
            l->debt.units = owed(l, x) + (uint64_t)beyond;
            l->debt.end = after;
        }
        return (flowctl_settlement){.status = FLOWCTL_OK, .charged = permits, .unsettled = extra - permits};
    }
}

static void count(flowctl_limiter *l, const flowctl_settlement *s) {
    l->settled.given_back += s->given_back;
    l->settled.forfeited += s->forfeited;
    l->settled.charged += s->charged;
    l->settled.unsettled += s->unsettled;
}

flowctl_settlement fc_bucket_settle(flowctl_limiter *l, const flowctl_receipt *r, uint64_t actual, const uint64_t *now_ns) {
    pthread_mutex_lock(&l->lock);
    flowctl_settlement s =
        actual < r->permits ? give_back(l, r, r->permits - actual, now_ns) : charge(l, actual - r->permits, now_ns);
    count(l, &s);
    pthread_mutex_unlock(&l->lock);
    return s;
}

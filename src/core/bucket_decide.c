/* Deciding without waiting. */
#include "core/bucket.h"
#include "core/leased.h"

/* ---- looking ---- */

bool fc_bucket_see(flowctl_limiter *l, uint64_t now_ns, struct fc_sight *s) {
    if (atomic_load_explicit(&l->closed, memory_order_acquire)) return false;
    fc_terms_read(&l->cell, l->terms, &s->terms, &s->view);
    struct fc_bucket_profile *p = &s->terms.profile;
    s->too_old = now_ns < p->t0_ns && s->terms.older_unknown;
    s->now_ns = now_ns < p->t0_ns ? p->t0_ns : now_ns;
    s->over = s->terms.until_ns != 0 && s->now_ns >= s->terms.until_ns;
    s->retry_ns = s->terms.lent || s->terms.largest != 0 ? fc_leased_retry_at(l, now_ns) : FLOWCTL_FOREVER;
    s->far = !fc_bucket_in_reach(p, s->now_ns);
    if (!s->far) return true;
    /* Ages are counted from when the terms began; so far away, nothing of a receipt is left. */
    s->view.word = fc_bucket_reanchor(p, &s->terms.slope, s->view.word, s->now_ns);
    s->terms.age += FC_AGE_OVER;
    s->terms.began = p->x1;
    s->view.profile = *p;
    return true;
}

/* ---- answers ---- */

static flowctl_decision decision(flowctl_verdict verdict, uint64_t now_ns) {
    return (flowctl_decision){.verdict = verdict, .status = FLOWCTL_OK, .now_ns = now_ns, .tier = FLOWCTL_NO_TIER};
}

static uint64_t remaining(const struct fc_sight *s, uint64_t word, uint64_t now_ns) {
    return s->too_old || s->over ? 0 : fc_bucket_permits(&s->view.profile, fc_bucket_level_at(&s->view.profile, now_ns), word);
}

flowctl_decision fc_bucket_allow(const struct fc_sight *s, uint64_t permits, uint64_t date_ns, uint64_t after) {
    flowctl_decision d = decision(FLOWCTL_ALLOW, date_ns);
    d.granted = permits;
    d.remaining = remaining(s, after, date_ns);
    return d;
}

flowctl_decision fc_bucket_deny(const struct fc_sight *s, uint64_t due_ns, uint64_t now_ns) {
    flowctl_decision d = decision(FLOWCTL_DENY, s->too_old ? now_ns : s->now_ns);
    d.remaining = remaining(s, s->view.word, s->now_ns);
    if (due_ns == FLOWCTL_FOREVER && !s->terms.paused && s->retry_ns > d.now_ns) due_ns = s->retry_ns;
    d.retry_after_ns = due_ns == FLOWCTL_FOREVER ? FLOWCTL_FOREVER : due_ns - d.now_ns;
    if (s->terms.paused) d.flags = FLOWCTL_FLAG_PAUSED;
    return d;
}

flowctl_decision fc_bucket_never(const struct fc_sight *s, uint64_t now_ns) {
    flowctl_decision d = fc_bucket_deny(s, FLOWCTL_FOREVER, now_ns);
    d.verdict = FLOWCTL_NEVER;
    d.retry_after_ns = FLOWCTL_FOREVER;
    return d;
}

/* More than the burst: never, unless the burst is that of a policy, for as long as a store is away. */
flowctl_decision fc_bucket_above_burst(const struct fc_sight *s, uint64_t permits, uint64_t now_ns) {
    return permits > s->terms.largest ? fc_bucket_never(s, now_ns) : fc_bucket_deny(s, FLOWCTL_FOREVER, now_ns);
}

void fc_bucket_count_refusal(flowctl_limiter *l, const flowctl_decision *d) {
    if (d->status != FLOWCTL_OK) return;
    if (d->verdict == FLOWCTL_NEVER) fc_count_never(&l->counters);
    else fc_count_denied(&l->counters);
}

/* ---- all or nothing ---- */

/* What would be the answer now; FC_TAKEN: `*after` is the word it takes. */
static enum fc_outcome judge(const struct fc_sight *s, uint64_t permits, uint64_t now_ns, uint64_t *after,
                             flowctl_decision *answer) {
    const struct fc_bucket_profile *p = &s->view.profile;
    uint64_t units, word = s->view.word;
    if (!fc_bucket_units(p, permits, &units)) {
        *answer = fc_bucket_above_burst(s, permits, now_ns);
        return answer->verdict == FLOWCTL_NEVER ? FC_NEVER_FITS : FC_SHORT;
    }
    if (s->terms.paused || s->over) return *answer = fc_bucket_deny(s, FLOWCTL_FOREVER, now_ns), FC_SHORT;
    bool fits = fc_bucket_take(p, fc_bucket_level_at(p, s->now_ns), word, units, after);
    if (!fits) return *answer = fc_bucket_deny(s, fc_bucket_time_of(p, &s->terms.slope, word + units), now_ns), FC_SHORT;
    if (s->too_old) return *answer = fc_bucket_deny(s, s->now_ns, now_ns), FC_SHORT;
    *answer = fc_bucket_allow(s, permits, s->now_ns, *after);
    return FC_TAKEN;
}

/* One attempt to take; FC_SLOW: the word or the anchor moved meanwhile, look again. */
static enum fc_outcome attempt(flowctl_limiter *l, const struct fc_sight *s, uint64_t permits, uint64_t now_ns,
                               flowctl_decision *answer) {
    uint64_t after;
    enum fc_outcome outcome = judge(s, permits, now_ns, &after, answer);
    if (outcome != FC_TAKEN) return outcome;
    if (s->far) return fc_bucket_move_anchor_unlocked(l, s->now_ns), FC_SLOW;
    return fc_cell_swap(&l->cell, &s->view, after) ? FC_TAKEN : FC_SLOW;
}

static bool refilled(flowctl_limiter *l, uint64_t permits, uint64_t now_ns) {
    return l->refill != NULL && l->refill(l, permits, now_ns, l->refill_context);
}

bool fc_bucket_at_once(flowctl_limiter *l, uint64_t permits, uint64_t now_ns, flowctl_decision *answer, fc_u128 *age) {
    struct fc_sight s;
    for (;; fc_cell_pause()) {
        if (!fc_bucket_see(l, now_ns, &s)) return *answer = fc_refused(FLOWCTL_CLOSED, now_ns), false;
        switch (attempt(l, &s, permits, now_ns, answer)) {
        case FC_TAKEN:
            fc_count_allowed(&l->counters, permits);
            if (age != NULL) *age = fc_terms_age(&s.terms, s.now_ns, false);
            return true;
        case FC_NEVER_FITS: fc_count_never(&l->counters); return true;
        case FC_SHORT:
            if (refilled(l, permits, now_ns)) continue;
            return false;
        case FC_SLOW: break;
        }
    }
}

/* The common case, with the cell's line alone: granted, by terms in reach. */
static bool granted_by_cell(flowctl_limiter *l, uint64_t permits, uint64_t now_ns, flowctl_decision *answer) {
    for (;; fc_cell_pause()) {
        struct fc_view v;
        uint64_t units, after;
        if (!fc_cell_look(&l->cell, &v) || !fc_view_covers(&v, now_ns)) return false;
        struct fc_bucket_level x = fc_bucket_level_at(&v.profile, now_ns);
        if (!fc_bucket_units(&v.profile, permits, &units) || !fc_bucket_take(&v.profile, x, v.word, units, &after))
            return false;
        if (!fc_cell_swap(&l->cell, &v, after)) continue;
        *answer = decision(FLOWCTL_ALLOW, now_ns);
        answer->granted = permits;
        answer->remaining = fc_bucket_permits(&v.profile, x, after);
        fc_count_allowed(&l->counters, permits);
        return true;
    }
}

flowctl_decision fc_bucket_decide(flowctl_limiter *l, uint64_t permits, uint64_t now_ns) {
    flowctl_decision answer;
    if (granted_by_cell(l, permits, now_ns, &answer)) return answer;
    if (!fc_bucket_at_once(l, permits, now_ns, &answer, NULL)) fc_bucket_count_refusal(l, &answer);
    return answer;
}

flowctl_decision fc_bucket_peek(flowctl_limiter *l, uint64_t permits, uint64_t now_ns) {
    struct fc_sight s;
    flowctl_decision answer;
    uint64_t after;
    if (!fc_bucket_see(l, now_ns, &s)) return fc_refused(FLOWCTL_CLOSED, now_ns);
    if (judge(&s, permits, now_ns, &after, &answer) != FC_TAKEN) return answer;
    answer.granted = 0;
    answer.remaining = remaining(&s, s.view.word, s.now_ns);
    return answer;
}

uint64_t fc_bucket_take_up_to(flowctl_limiter *l, uint64_t max_permits, uint64_t now_ns) {
    struct fc_sight s;
    flowctl_decision answer;
    for (;; fc_cell_pause()) {
        if (!fc_bucket_see(l, now_ns, &s)) return 0;
        uint64_t there = s.terms.paused || s.over ? 0 : remaining(&s, s.view.word, s.now_ns);
        uint64_t permits = there < max_permits ? there : max_permits;
        if (permits == 0) {
            if (refilled(l, 1, now_ns)) continue;
            fc_count_denied(&l->counters);
            return 0;
        }
        if (attempt(l, &s, permits, now_ns, &answer) != FC_TAKEN) continue;
        fc_count_allowed(&l->counters, permits);
        return permits;
    }
}

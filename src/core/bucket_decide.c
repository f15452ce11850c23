/* Deciding without waiting. */
#include "core/bucket.h"

/* ---- looking ---- */

enum fc_seen fc_bucket_see(flowctl_limiter *l, uint64_t *now_ns, bool locked, struct fc_sight *sight) {
    for (;;) {
        if (atomic_load_explicit(&l->closed, memory_order_acquire)) return FC_SEEN_CLOSED;
        fc_terms_read(&l->cell, l->terms, &sight->terms, &sight->view);
        uint64_t began_ns = sight->terms.profile.t0_ns;
        if (*now_ns < began_ns) {
            /* Behind an anchor that has moved, what was there is not known any more. Anywhere else the time is the beginning of the terms. */
            if (sight->terms.older_unknown) return FC_SEEN_TOO_OLD;
            *now_ns = began_ns;
        }
        if (fc_bucket_in_reach(&sight->terms.profile, *now_ns)) return sight->terms.paused ? FC_SEEN_PAUSED : FC_SEEN;
        if (!locked) pthread_mutex_lock(&l->lock);
        fc_bucket_move_anchor(l, *now_ns);
        if (!locked) pthread_mutex_unlock(&l->lock);
    }
}

static flowctl_decision decision(flowctl_verdict verdict, uint64_t now_ns) {
    return (flowctl_decision){.verdict = verdict, .status = FLOWCTL_OK, .now_ns = now_ns, .tier = FLOWCTL_NO_TIER};
}

static uint64_t remaining(const struct fc_view *v, uint64_t word, uint64_t now_ns) {
    return fc_bucket_permits(&v->profile, fc_bucket_level_at(&v->profile, now_ns), word);
}

bool fc_bucket_judge(flowctl_limiter *l, uint64_t *now_ns, bool locked, struct fc_sight *sight, flowctl_decision *answer) {
    switch (fc_bucket_see(l, now_ns, locked, sight)) {
    case FC_SEEN: return true;
    case FC_SEEN_PAUSED:
        *answer = fc_bucket_deny(sight, FLOWCTL_FOREVER, *now_ns);
        answer->flags = FLOWCTL_FLAG_PAUSED;
        return false;
    case FC_SEEN_CLOSED: *answer = fc_refused(FLOWCTL_CLOSED, *now_ns); return false;
    case FC_SEEN_TOO_OLD:
        /* From the anchor on, and with nothing left there, it can be judged again. */
        *answer = decision(FLOWCTL_DENY, *now_ns);
        answer->retry_after_ns = sight->terms.profile.t0_ns - *now_ns;
        return false;
    }
    return false;
}

/* ---- answers ---- */

flowctl_decision fc_bucket_allow(const struct fc_view *v, uint64_t permits, uint64_t now_ns, uint64_t after) {
    flowctl_decision d = decision(FLOWCTL_ALLOW, now_ns);
    d.granted = permits;
    d.remaining = remaining(v, after, now_ns);
    return d;
}

flowctl_decision fc_bucket_deny(const struct fc_sight *s, uint64_t due_ns, uint64_t now_ns) {
    flowctl_decision d = decision(FLOWCTL_DENY, now_ns);
    d.remaining = remaining(&s->view, s->view.word, now_ns);
    d.retry_after_ns = due_ns == FLOWCTL_FOREVER ? FLOWCTL_FOREVER : due_ns - now_ns;
    return d;
}

flowctl_decision fc_bucket_never(const struct fc_view *v, uint64_t now_ns) {
    flowctl_decision d = decision(FLOWCTL_NEVER, now_ns);
    d.remaining = remaining(v, v->word, now_ns);
    d.retry_after_ns = FLOWCTL_FOREVER;
    return d;
}

void fc_bucket_count_refusal(flowctl_limiter *l, const flowctl_decision *d) {
    if (d->status != FLOWCTL_OK) return;
    if (d->verdict == FLOWCTL_NEVER) fc_count_never(&l->counters);
    else fc_count_denied(&l->counters);
}

/* ---- all or nothing ---- */

/* One attempt; FC_SLOW: the word moved meanwhile, look again. */
static enum fc_outcome attempt(flowctl_limiter *l, const struct fc_sight *s, uint64_t permits, uint64_t now_ns, bool take,
                               flowctl_decision *answer) {
    const struct fc_view *v = &s->view;
    uint64_t units, after;
    if (!fc_bucket_units(&v->profile, permits, &units)) {
        *answer = fc_bucket_never(v, now_ns);
        return FC_NEVER_FITS;
    }
    if (!fc_bucket_take(&v->profile, fc_bucket_level_at(&v->profile, now_ns), v->word, units, &after)) {
        *answer = fc_bucket_deny(s, fc_bucket_time_of(&v->profile, &s->terms.slope, v->word + units), now_ns);
        return FC_SHORT;
    }
    if (take && !fc_cell_swap(&l->cell, v, after)) return FC_SLOW;
    *answer = fc_bucket_allow(v, permits, now_ns, take ? after : v->word);
    return FC_TAKEN;
}

bool fc_bucket_at_once(flowctl_limiter *l, uint64_t permits, uint64_t now_ns, flowctl_decision *answer, fc_u128 *age) {
    struct fc_sight s;
    for (;; fc_cell_pause()) {
        if (!fc_bucket_judge(l, &now_ns, false, &s, answer)) return false;
        switch (attempt(l, &s, permits, now_ns, true, answer)) {
        case FC_TAKEN:
            fc_count_allowed(&l->counters, permits);
            if (age != NULL) *age = fc_terms_age(&s.terms, now_ns, false);
            return true;
        case FC_NEVER_FITS: fc_count_never(&l->counters); return true;
        case FC_SHORT:
            if (l->refill != NULL && l->refill(l, permits, now_ns, l->refill_context)) continue;
            return false;
        case FC_SLOW: break;
        }
    }
}

flowctl_decision fc_bucket_decide(flowctl_limiter *l, uint64_t permits, uint64_t now_ns) {
    flowctl_decision answer;
    if (!fc_bucket_at_once(l, permits, now_ns, &answer, NULL)) fc_bucket_count_refusal(l, &answer);
    return answer;
}

flowctl_decision fc_bucket_peek(flowctl_limiter *l, uint64_t permits, uint64_t now_ns) {
    struct fc_sight s;
    flowctl_decision answer;
    if (fc_bucket_judge(l, &now_ns, false, &s, &answer)) attempt(l, &s, permits, now_ns, false, &answer);
    if (answer.verdict == FLOWCTL_ALLOW) answer.granted = 0;
    return answer;
}

uint64_t fc_bucket_take_up_to(flowctl_limiter *l, uint64_t max_permits, uint64_t now_ns) {
    struct fc_sight s;
    flowctl_decision answer;
    for (;; fc_cell_pause()) {
        uint64_t there = 0;
        if (fc_bucket_judge(l, &now_ns, false, &s, &answer)) there = remaining(&s.view, s.view.word, now_ns);
        else if (answer.status != FLOWCTL_OK) return 0;
        uint64_t permits = there < max_permits ? there : max_permits;
        if (permits == 0) {
            if (l->refill != NULL && l->refill(l, 1, now_ns, l->refill_context)) continue;
            fc_count_denied(&l->counters);
            return 0;
        }
        if (attempt(l, &s, permits, now_ns, true, &answer) != FC_TAKEN) continue;
        fc_count_allowed(&l->counters, permits);
        return permits;
    }
}

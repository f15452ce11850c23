#include "algo/prefetch.h"

#define IDLE_REFRESHES 4
#define IDLE_REFRESHES_MOST 16

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Follows what was admitted: half of the way in two refreshes. */
static void follow(struct fc_prefetch *p, const struct fc_prefetch_now *n) {
    uint64_t since_ns = n->now_ns - p->planned_ns, used = n->used > p->used ? n->used - p->used : 0;
    if (p->planned_ns != 0 && since_ns != 0) {
        double weight = (double)since_ns / (double)(since_ns + 2 * n->refresh_ns);
        p->rate += weight * ((double)used / (double)since_ns - p->rate);
    }
    p->used = n->used;
    p->planned_ns = n->now_ns;
}

/* What is missing stays so until it is held, or a while after who asked for it went away: who is refused often comes again. */
static uint64_t still_missing(struct fc_prefetch *p, const struct fc_prefetch_now *n, uint64_t held) {
    if (n->missing != 0) p->missing = n->missing, p->missing_ns = n->now_ns;
    bool old = n->now_ns - p->missing_ns >= IDLE_REFRESHES * n->refresh_ns;
    if (n->missing == 0 && (old || held >= p->missing)) p->missing = 0;
    return p->missing;
}

static double earned_in(const struct fc_prefetch_now *n, uint64_t ns) {
    return (double)n->rate.permits / (double)n->rate.period_ns * (double)ns;
}

/* How long what is held has to last. */
static uint64_t ahead_ns(const struct fc_prefetch_now *n) { return 2 * n->refresh_ns + n->round_trip_ns; }

/* A fair part of the burst: what a member may hold idle. */
static uint64_t fair_part(const struct fc_prefetch_now *n) { return most(1, n->burst / (2 * most(1, n->members))); }

/*
 * Whether the limit is large enough to lie around in several members: for the costs in use. One that is spent within a refresh is held ahead as well, as far as
 * it goes: asked for one by one it would pass a cost per refresh and member.
 */
static bool can_hold(const struct fc_prefetch *p, const struct fc_prefetch_now *n) {
    return fair_part(n) >= most(2, p->largest);
}

/*
 * What should be held; at rest a quarter of the fair part, so that who comes after a while is not refused. Who is short, or uses much, may go beyond the
 * fair part: the others use less.
 */
static uint64_t target_of(const struct fc_prefetch *p, const struct fc_prefetch_now *n, uint64_t missing) {
    double ahead = p->rate * 1.25 * (double)ahead_ns(n), limit = (double)most(fair_part(n), n->burst / 4);
    uint64_t quarter = fair_part(n) / 4;
    double rest = n->scarce ? 0 : (double)quarter;
    if (missing != 0) ahead = 2 * ahead + (double)most(missing, n->queued);
    if (ahead < rest) ahead = rest;
    return (uint64_t)(ahead < limit ? ahead : limit);
}

/* What is not used for long is given back: for as long as it takes to earn it again, within bounds. */
static bool idle_for_long(struct fc_prefetch *p, const struct fc_prefetch_now *n, uint64_t missing, uint64_t target,
                          uint64_t held) {
    bool idle = missing == 0 && held > target + target / 2;
    if (!idle || n->used != p->used_when_idle) p->short_since_ns = n->now_ns;
    p->used_when_idle = n->used;
    uint64_t refreshes = IDLE_REFRESHES;
    while (refreshes < IDLE_REFRESHES_MOST && earned_in(n, refreshes * n->refresh_ns) < (double)held) refreshes++;
    return idle && n->now_ns - p->short_since_ns >= refreshes * n->refresh_ns;
}

/*
 * A limit that is too small to hold permits ahead, or a cost above the fair part, or while another is saved for: all of it or nothing, and what was held goes
 * back first.
 */
static void plan_one(struct fc_prefetch_plan *plan, uint64_t missing, uint64_t held) {
    plan->soon = true;
    if (missing <= held) return;
    if (missing > 1) plan->give_back = held, held = 0;
    plan->want = plan->need = missing - held;
}

/* One by one by wish: who was refused within the last refresh may come back for what is there. */
static uint64_t still_awaited(struct fc_prefetch *p, const struct fc_prefetch_now *n) {
    if (n->missing != 0) p->missing = n->missing, p->missing_ns = n->now_ns;
    else if (n->now_ns - p->missing_ns >= n->refresh_ns) p->missing = 0;
    return p->missing;
}

/* Of several that wait the first gets all or nothing, and the others as much as there is. */
static void plan_by_need(struct fc_prefetch *p, struct fc_prefetch_plan *plan, const struct fc_prefetch_now *n, uint64_t held) {
    uint64_t awaited = still_awaited(p, n);
    plan_one(plan, n->missing, held);
    if (plan->want != 0) plan->want = most(plan->want, n->queued);
    else plan->give_back = held - least(held, awaited);
}

/* Held ahead as far as the limit is large enough for that, and else one by one. */
static void plan_ahead(struct fc_prefetch *p, struct fc_prefetch_plan *plan, const struct fc_prefetch_now *n, uint64_t held) {
    uint64_t missing = still_missing(p, n, held), target = 0;
    p->largest = most(n->missing, p->largest - (p->largest + 63) / 64);
    if (can_hold(p, n) && !(n->scarce && missing > held)) {
        target = target_of(p, n, missing);
        if (most(target, missing) > held) plan->want = most(target, missing) - held, plan->need = 1;
    } else {
        plan_one(plan, missing, held);
    }
    if (plan->give_back == 0 && idle_for_long(p, n, missing, target, held))
        plan->give_back = held - target, p->short_since_ns = n->now_ns;
}

struct fc_prefetch_plan fc_prefetch_plan(struct fc_prefetch *p, const struct fc_prefetch_now *n) {
    struct fc_prefetch_plan plan = {0, 0, 0, false};
    uint64_t held = n->held > 0 ? (uint64_t)n->held : 0, owed = n->held < 0 ? (uint64_t)-n->held : 0;
    follow(p, n);
    if (n->one_by_one) plan_by_need(p, &plan, n, held);
    else plan_ahead(p, &plan, n, held);
    /* A debt is paid by what comes next. */
    if (plan.want != 0) plan.want += owed, plan.need += plan.need > 1 ? owed : 0;
    plan.want = least(plan.want, n->burst);
    plan.need = least(plan.need, plan.want);
    return plan;
}

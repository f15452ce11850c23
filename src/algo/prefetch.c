#include "algo/prefetch.h"

#define IDLE_REFRESHES 4

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

/* A fair part of the burst: what a member may hold idle. */
static uint64_t fair_part(const struct fc_prefetch_now *n) { return most(1, n->burst / (2 * most(1, n->members))); }

/* Whether the limit is large enough to hold permits ahead of need: for two refreshes and a round trip, and for the costs in use. */
static bool can_hold(const struct fc_prefetch *p, const struct fc_prefetch_now *n) {
    double needs = (double)n->rate.permits / (double)n->rate.period_ns * (double)(2 * n->refresh_ns + n->round_trip_ns);
    return (double)n->burst >= needs && fair_part(n) >= most(2, p->largest);
}

struct fc_prefetch_plan fc_prefetch_plan(struct fc_prefetch *p, const struct fc_prefetch_now *n) {
    struct fc_prefetch_plan plan = {0, 0, 0};
    uint64_t part = fair_part(n), target = 0, held = n->held > 0 ? (uint64_t)n->held : 0;
    follow(p, n);
    p->largest = most(n->missing, p->largest - (p->largest + 63) / 64);
    if (can_hold(p, n)) {
        double ahead = p->rate * 1.25 * (double)(2 * n->refresh_ns + n->round_trip_ns);
        target = ahead < (double)part ? (uint64_t)ahead : part;
        if (n->missing != 0) target = least(part, most(2 * target, most(n->missing, n->queued)));
    }
    if (n->missing > held) {
        bool alone = n->missing > part && held != 0;
        if (alone) plan.give_back = held, held = 0;
        plan.want = most(n->missing - held, target > held ? target - held : 0);
        plan.need = n->missing - held;
        if (n->missing <= part) plan.need = 1;
    } else if (target > held) {
        plan.want = target - held;
    }
    /* A debt is paid by what comes next. */
    if (n->held < 0 && plan.want != 0)
        plan.want += (uint64_t)-n->held, plan.need = plan.need > 1 ? plan.need + (uint64_t)-n->held : plan.need;
    plan.want = least(plan.want, n->burst);
    plan.need = least(plan.need, plan.want);
    bool idle = n->missing == 0 && held > target + target / 2;
    if (!idle) p->short_since_ns = n->now_ns;
    else if (n->now_ns - p->short_since_ns >= IDLE_REFRESHES * n->refresh_ns)
        plan.give_back += held - target, p->short_since_ns = n->now_ns;
    return plan;
}

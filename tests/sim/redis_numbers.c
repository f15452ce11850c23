#include "sim/redis_numbers.h"

#include "base/wide.h"
#include "sim/credit_world.h"
#include "sim/redis_store.h"
#include "support/seed.h"

#include <stdio.h>

#define STEPS 150
#define MEMBERS 4
#define START_NS (50 * FLOWCTL_NS_PER_YEAR)
#define END_NS (250 * FLOWCTL_NS_PER_YEAR) /* a double counts microseconds up to there */

enum numbers_event {
    NUMBERS_CHANGE, /* who: the TTL, a: the rate, b: the burst */
    NUMBERS_PASS,   /* a, b: us, and how many times that; who 1: backwards */
    NUMBERS_FILL,   /* until the limit is full, or a part of that. a: halved so many times, b: and 2 less than so many us */
    NUMBERS_WAIT,   /* as long as the last answer said. b: as above */
    NUMBERS_ASK,    /* a: of what is wanted and needed, b: of what was used and comes back */
    NUMBERS_VOUCH,  /* the next ask of who tells the clock of the last answer. a: how long ago, in us */
    NUMBERS_LEAVE,
    NUMBERS_RESTART,
    NUMBERS_WIPE
};

/* 3^30 and 3^20 share no factor with anything; the last four don't fit into doubles as they are. */
static const flowctl_rate rates[] = {
    {1000, FLOWCTL_NS_PER_SEC},
    {10, 1},
    {1, 1},
    {1, 3},
    {7, UINT64_C(205891132094649)},
    {1000000007, UINT64_C(3486784401)},
    {1, FLOWCTL_NS_PER_YEAR},
    {3, FLOWCTL_PERIOD_MAX_NS},
    {1, UINT64_C(1) << 52},
    {1, (UINT64_C(1) << 52) + 1},
    {7919, FLOWCTL_PERIOD_MAX_NS - 7},
    {(UINT64_C(1) << 52) - 1, (UINT64_C(1) << 52) - 3},
    {UINT64_C(2999999999999999999), FLOWCTL_PERIOD_MAX_NS - 1},
};
static const uint64_t bursts[] =
    {1, 2, 7, 100, 1000003, (UINT64_C(1) << 32) + 1, (UINT64_C(1) << 49) - 1, UINT64_C(1) << 50};
static const uint64_t ttls_ms[] = {10, 1000, 3600000};

struct member {
    flowctl_session_id id;
    uint64_t seq, granted, used, back, seen_identity, seen_clk_ns, since_us;
    bool vouches;
};

struct world {
    void *store;
    uint64_t now_ns, identity, retry_after_ns;
    flowctl_lease_terms terms;
    struct member members[MEMBERS];
};

/* ---- a run ---- */

static void change(struct world *w, const struct sim_event *e) {
    w->terms =
        (flowctl_lease_terms){rates[e->a % (sizeof rates / sizeof *rates)], bursts[e->b % (sizeof bursts / sizeof *bursts)],
                              ttls_ms[e->who % 3] * FLOWCTL_NS_PER_MS, w->terms.version + 1};
}

static void pass(struct world *w, uint64_t by_ns) {
    if (w->now_ns + by_ns < END_NS && by_ns < END_NS) w->now_ns += by_ns;
}

static void step_back(struct world *w, uint64_t by_ns) {
    if (by_ns <= w->now_ns - START_NS) w->now_ns -= by_ns;
}

/* About so long: the moments at which something changes are missed by a little, too. */
static void pass_about(struct world *w, uint64_t by_ns, uint32_t more) {
    pass(w, by_ns + more % 5 * 1000 - (by_ns > 2000 ? 2000 : 0));
}

static uint64_t until_full(const flowctl_ledger *l) {
    __extension__ typedef __int128 level;
    level missing = ((level)l->terms.burst - (level)l->out) * (level)l->terms.rate.period_ns -
                    (level)((fc_u128)l->level_hi << 64 | l->level_lo);
    level ns = l->terms.burst == 0 ? 0 : missing / (level)l->terms.rate.permits;
    return ns > END_NS ? END_NS : (uint64_t)ns;
}

/* Nothing, one, some, all there can be, more. */
static uint64_t amount(const struct world *w, uint32_t which) {
    const uint64_t burst = w->terms.burst, amounts[] = {0, 1, 2, 7, burst / 8, burst / 2, burst, burst + 1, UINT64_MAX};
    return amounts[which % 9];
}

static uint64_t part_of(uint64_t all, uint32_t which) {
    const uint64_t parts[] = {0, all, all / 2, all != 0};
    return parts[which % 4];
}

static void renew(struct member *m) { *m = (struct member){.id = {m->id.hi, m->id.lo + 1}}; }

static void ask(struct world *w, const struct sim_event *e, bool leaves) {
    struct member *m = &w->members[e->who % MEMBERS];
    m->used += part_of(m->granted - m->used - m->back, e->b);
    m->back += part_of(m->granted - m->used - m->back, e->b / 4);
    uint64_t want = leaves ? 0 : amount(w, e->a), need = amount(w, e->a / 9);
    flowctl_lease_ask a = {.size = sizeof a,
                           .limit = "limit",
                           .member = "member",
                           .session = m->id,
                           .seq = ++m->seq,
                           .want = want,
                           .need = need < want ? need : want,
                           .used = m->used,
                           .back = m->back,
                           .seen_identity = m->seen_identity,
                           .seen_clk_ns = m->vouches ? m->seen_clk_ns : 0,
                           .since_ns = m->since_us * 1000,
                           .terms = w->terms,
                           .leaves = leaves};
    flowctl_lease_reply reply;
    redis_store.ask(w->store, &a, w->now_ns, w->identity, &reply);
    w->retry_after_ns = reply.retry_after_ns;
    m->vouches = false;
    m->granted = reply.granted;
    m->seen_identity = reply.identity;
    m->seen_clk_ns = reply.clk_ns;
    if (reply.dead || leaves) renew(m);
}

static void happen(struct world *w, const struct sim_event *e, bool told) {
    struct member *m = &w->members[e->who % MEMBERS];
    switch ((enum numbers_event)e->kind) {
    case NUMBERS_CHANGE: change(w, e); break;
    case NUMBERS_PASS:
        if (e->who == 0) pass(w, (uint64_t)e->a * e->b * 1000);
        else step_back(w, (uint64_t)e->a * e->b * 1000);
        break;
    case NUMBERS_FILL: pass_about(w, until_full(redis_store.ledger(w->store)) >> e->a % 32, e->b); break;
    case NUMBERS_WAIT: pass_about(w, w->retry_after_ns, e->b); break;
    case NUMBERS_ASK: ask(w, e, false); break;
    case NUMBERS_VOUCH:
        m->vouches = m->seen_clk_ns < END_NS / 2;
        m->since_us = e->a;
        break;
    case NUMBERS_LEAVE: ask(w, e, true); break;
    case NUMBERS_RESTART: w->identity++; break;
    case NUMBERS_WIPE: redis_store.wipe(w->store, ++w->identity); break;
    }
    if (!told) return;
    const flowctl_ledger *l = redis_store.ledger(w->store);
    printf("  event %u of %u: %u, %u; now %llu us; burst %llu, %llu per %llu ns; out %llu, clock %llu us\n", e->kind, e->who,
           e->a, e->b, (unsigned long long)w->now_ns / 1000, (unsigned long long)w->terms.burst,
           (unsigned long long)w->terms.rate.permits, (unsigned long long)w->terms.rate.period_ns,
           (unsigned long long)l->out, (unsigned long long)l->clk_ns / 1000);
}

void numbers_run(const void *config, const struct sim_event *events, const size_t *kept, size_t count, bool told,
                 struct sim_result *result) {
    struct world w = {.store = redis_store.open(config), .now_ns = START_NS, .identity = 1};
    change(&w, &(struct sim_event){.kind = NUMBERS_CHANGE});
    redis_store.wipe(w.store, w.identity);
    for (size_t i = 0; i < MEMBERS; i++) w.members[i].id.hi = i + 1;
    for (size_t i = 0; i < count && result->oracle == NULL; i++) {
        result->at = i;
        happen(&w, &events[kept[i]], told);
        result->oracle = redis_store.fault(w.store, result->why, sizeof result->why);
    }
    redis_store.close(w.store);
}

/* ---- the events ---- */

/* Of any magnitude up to 20 years. */
static void pass_some(uint64_t *r, struct sim_list *list) {
    uint64_t most = UINT64_C(1) << test_below(r, 50), us = test_below(r, most);
    sim_add(list, NUMBERS_PASS, test_below(r, 20) == 0, us % 1000000 + 1, us / 1000000 + 1);
}

static void one(uint64_t *r, struct sim_list *list) {
    uint64_t dice = test_below(r, 100), who = test_below(r, MEMBERS);
    if (dice < 10) pass_some(r, list);
    else if (dice < 25) sim_add(list, NUMBERS_FILL, 0, test_below(r, 4) ? 1 + test_below(r, 20) : 0, test_below(r, 5));
    else if (dice < 35) sim_add(list, NUMBERS_WAIT, 0, 0, test_below(r, 5));
    else if (dice < 85) sim_add(list, NUMBERS_ASK, who, test_below(r, 81), test_below(r, 16));
    else if (dice < 92) sim_add(list, NUMBERS_CHANGE, test_below(r, 3), test_random(r), test_random(r));
    else if (dice < 96) sim_add(list, NUMBERS_VOUCH, who, test_below(r, UINT64_C(1) << test_below(r, 33)), 0);
    else if (dice < 98) sim_add(list, NUMBERS_LEAVE, who, 0, test_below(r, 16));
    else sim_add(list, test_below(r, 4) != 0 ? NUMBERS_RESTART : NUMBERS_WIPE, 0, 0, 0);
}

void numbers_generate(const void *config, uint64_t seed, struct sim_list *list) {
    uint64_t random = test_random(&seed);
    (void)config;
    sim_add(list, NUMBERS_CHANGE, test_below(&random, 2), test_random(&random), test_random(&random));
    while (list->count < STEPS) one(&random, list);
}

#include "sim/credit_use.h"

#include "algo/prefetch.h"
#include "base/wide.h"
#include "sim/credit_member.h"
#include "support/oracle.h"
#include "support/seed.h"

#include <stdlib.h>
#include <string.h>

#define TICK_NS 100000
#define MEMBERS_MAX 16
#define ROOM 64
#define ON_THE_WAY 128
#define QUEUE 256
#define START_NS (UINT64_C(86400) * FLOWCTL_NS_PER_SEC)
#define TTL_NS FLOWCTL_NS_PER_SEC

struct message {
    bool is_answer;
    uint64_t due_ns, sent_ns;
    size_t who;
    char name[8];
    flowctl_lease_ask ask;
    flowctl_lease_reply reply;
};

struct worker {
    struct credit_member m;
    struct fc_prefetch prefetch;
    bool running, soon;
    uint64_t paused_until_ns, asked_ns, plan_ns, reported, round_trip_ns;
    uint64_t next_cost, missing;
    uint64_t queue[QUEUE]; /* costs that wait: a ring */
    uint64_t queue_first, queue_end, queued;
    uint64_t admitted, recent, recent_at_ns;
};

struct stage {
    const struct credit_scene *s;
    struct credit_use *result;
    uint64_t random, now_ns, identity, fault_ns, quiet_ns;
    int64_t skew_ns;
    uint64_t leapt_ns;
    flowctl_lease_terms terms;
    _Alignas(flowctl_ledger) unsigned char store[FLOWCTL_LEDGER_BYTES(ROOM)];
    struct worker workers[MEMBERS_MAX];
    struct message messages[ON_THE_WAY]; /* without gaps */
    size_t message_count;
    struct oracle_log log;
    uint64_t asks, measured, measured_faulty;
};

static flowctl_ledger *ledger_of(struct stage *g) { return (flowctl_ledger *)(void *)g->store; }
static uint64_t elapsed(const struct stage *g) { return g->now_ns - START_NS; }
static uint64_t clock_of(const struct stage *g, const struct worker *w) { return credit_member_clock(&w->m, g->now_ns); }
static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Three heartbeats after the last fault, and the quarantine that it may have made. */
static bool is_quiet(const struct stage *g) { return elapsed(g) >= g->quiet_ns; }

/* ---- the network ---- */

static uint64_t delay(struct stage *g) { return g->s->delay_ns + test_below(&g->random, 2 * g->s->delay_ns + 1); }

static struct message *send(struct stage *g, size_t who) {
    static struct message lost;
    if (test_below(&g->random, 100) < g->s->loss_percent) return &lost;
    if (g->message_count == ON_THE_WAY) return &lost;
    struct message *m = &g->messages[g->message_count++];
    *m = (struct message){.who = who, .due_ns = g->now_ns + delay(g)};
    return m;
}

static void serve(struct stage *g, const struct message *ask) {
    flowctl_lease_ask a = ask->ask;
    flowctl_lease_reply reply = {.size = sizeof reply};
    uint64_t time_ns = (uint64_t)((int64_t)g->now_ns + g->skew_ns);
    a.member = ask->name;
    if (g->s->defect == CREDIT_SOUND) flowctl_ledger_ask(ledger_of(g), &a, time_ns, g->identity, &reply);
    else planted_ledger_ask(g->s->defect, ledger_of(g), &a, time_ns, g->identity, &reply);
    g->result->sound &= flowctl_ledger_is_sound(ledger_of(g), sizeof g->store);
    struct message *m = send(g, ask->who);
    m->is_answer = true;
    m->sent_ns = ask->sent_ns;
    m->reply = reply;
}

static void hear(struct stage *g, const struct message *m) {
    struct worker *w = &g->workers[m->who];
    if (!w->running) return;
    uint64_t took_ns = g->now_ns - m->sent_ns;
    w->round_trip_ns = most(took_ns, w->round_trip_ns - w->round_trip_ns / 64);
    if (credit_member_answer(&w->m, clock_of(g, w), &m->reply) == FC_NEWS_DEAD) w->asked_ns = 0, w->reported = w->m.used;
}

static void deliver(struct stage *g) {
    for (size_t i = 0; i < g->message_count;) {
        struct message m = g->messages[i];
        if (m.due_ns > g->now_ns || (m.is_answer && g->workers[m.who].paused_until_ns > g->now_ns)) {
            i++;
            continue;
        }
        g->messages[i] = g->messages[--g->message_count];
        if (m.is_answer) hear(g, &m);
        else serve(g, &m);
    }
}

/* ---- members ---- */

static bool use(struct stage *g, struct worker *w, uint64_t cost) {
    if (!credit_member_use(&w->m, clock_of(g, w), cost)) return false;
    oracle_record(&g->log, g->now_ns + g->leapt_ns, cost);
    w->admitted += cost;
    w->recent += cost;
    if (is_quiet(g)) g->measured += cost;
    else if (elapsed(g) >= TTL_NS && elapsed(g) < g->s->length_ns / 2) g->measured_faulty += cost;
    return true;
}

static double weight(const struct stage *g, size_t who) {
    size_t n = g->s->members, of = elapsed(g) / (300 * FLOWCTL_NS_PER_MS) * 2;
    switch (g->s->demand) {
    case CREDIT_ONE: return who == 0;
    case CREDIT_SKEWED: return 1.0 / (double)(UINT64_C(2) << who) / (1 - 1.0 / (double)(UINT64_C(1) << n));
    case CREDIT_SHIFTING: return who == of % n || who == (of + 1) % n ? 0.375 : 0.25 / (double)(n - 2);
    default: return 1.0 / (double)n;
    }
}

/* How many requests come in a tick: as many as should on average, by chance. */
static uint64_t arrivals(struct stage *g, size_t who) {
    double cost = (double)(1 + g->s->largest_cost) / 2;
    double expected = (double)g->s->per_sec * g->s->load * weight(g, who) * TICK_NS / 1e9 / cost;
    double noisy = expected * (double)test_below(&g->random, 2001) / 1000;
    uint64_t whole = (uint64_t)noisy;
    return whole + ((double)test_below(&g->random, 1000000) < (noisy - (double)whole) * 1e6);
}

static void enqueue(struct worker *w, uint64_t cost) {
    if (w->queue_end - w->queue_first == QUEUE) return;
    w->queue[w->queue_end++ % QUEUE] = cost;
    w->queued += cost;
}

/* Those that wait go first; then those that come. */
static void work(struct stage *g, size_t who) {
    struct worker *w = &g->workers[who];
    while (w->queue_first != w->queue_end && use(g, w, w->queue[w->queue_first % QUEUE]))
        w->queued -= w->queue[w->queue_first++ % QUEUE];
    for (uint64_t n = arrivals(g, who); n != 0; n--) {
        bool fits = w->queue_first == w->queue_end && use(g, w, w->next_cost);
        if (!fits && g->s->waits) enqueue(w, w->next_cost);
        if (!fits) w->missing = most(w->missing, w->next_cost);
        w->next_cost = 1 + test_below(&g->random, g->s->largest_cost);
    }
}

static void ask(struct stage *g, size_t who) {
    struct worker *w = &g->workers[who];
    bool waiting = w->queue_first != w->queue_end;
    struct fc_prefetch_now now = {.now_ns = clock_of(g, w),
                                  .used = w->m.used,
                                  .held = w->m.held,
                                  .missing = waiting ? w->queue[w->queue_first % QUEUE] : w->missing,
                                  .queued = w->queued,
                                  .rate = w->m.terms.rate,
                                  .burst = w->m.terms.burst,
                                  .members = most(1, w->m.members),
                                  .refresh_ns = g->s->refresh_ns,
                                  .round_trip_ns = w->round_trip_ns};
    struct fc_prefetch_plan plan = fc_prefetch_plan(&w->prefetch, &now);
    /* Never in step with the others. */
    w->plan_ns = g->now_ns + g->s->refresh_ns * (240 + test_below(&g->random, 33)) / 256;
    w->missing = 0;
    w->soon = plan.soon;
    if (plan.give_back != 0) credit_member_give_up(&w->m, plan.give_back);
    bool idle = plan.want == 0 && plan.give_back == 0 && w->m.used == w->reported;
    if (idle && w->asked_ns != 0 && g->now_ns - w->asked_ns < TTL_NS / 3) return;
    struct message *m = send(g, who);
    credit_member_ask(&w->m, clock_of(g, w), plan.want, plan.need, &m->ask);
    memcpy(m->name, w->m.name, sizeof m->name);
    m->sent_ns = w->asked_ns = g->now_ns;
    w->reported = w->m.used;
    g->asks++;
}

static void live(struct stage *g, size_t who) {
    struct worker *w = &g->workers[who];
    if (!w->running || w->paused_until_ns > g->now_ns) return;
    credit_member_lapse(&w->m, clock_of(g, w));
    work(g, who);
    bool soon = w->soon && w->m.used != w->reported && g->now_ns - w->asked_ns >= FLOWCTL_NS_PER_MS;
    if (soon || g->now_ns >= w->plan_ns) ask(g, who);
}

static void start(struct stage *g, size_t who) {
    struct worker *w = &g->workers[who];
    uint64_t names = w->m.names, admitted = w->admitted;
    memset(w, 0, sizeof *w);
    w->m.names = names;
    w->m.defect = g->s->defect;
    credit_member_start(&w->m, who, &g->terms, (int64_t)test_below(&g->random, 1u << 30),
                        (int64_t)test_below(&g->random, 401) - 200);
    w->running = true;
    w->admitted = admitted;
    w->next_cost = 1;
    w->plan_ns = g->now_ns + test_below(&g->random, g->s->refresh_ns);
    w->round_trip_ns = 4 * g->s->delay_ns;
    w->recent_at_ns = g->now_ns;
}

/* ---- faults and oracles ---- */

static void fault(struct stage *g) {
    if (g->s->fault_every_ns == 0 || elapsed(g) < g->fault_ns || elapsed(g) >= g->s->length_ns / 2) return;
    g->fault_ns = elapsed(g) + g->s->fault_every_ns / 2 + test_below(&g->random, g->s->fault_every_ns);
    struct worker *w = &g->workers[test_below(&g->random, g->s->members)];
    if (g->s->restarts) g->identity++;
    else if (test_below(&g->random, 2)) start(g, (size_t)(w - g->workers));
    else w->paused_until_ns = g->now_ns + test_below(&g->random, FLOWCTL_NS_PER_SEC);
}

static void check(struct stage *g) {
    const flowctl_ledger *l = ledger_of(g);
    if (l->terms.burst == 0) return;
    oracle_amount level = (oracle_amount)((fc_u128)l->level_hi << 64 | l->level_lo),
                  period = (oracle_amount)l->terms.rate.period_ns;
    uint64_t usable = 0;
    for (size_t i = 0; i < g->s->members; i++)
        if (g->workers[i].running) usable += credit_member_usable(&g->workers[i].m, g->now_ns);
    double lent = (double)usable + (level > 0 && l->identity == g->identity ? (double)level / (double)period : 0) -
                  (double)l->terms.burst;
    if (lent > g->result->lent) g->result->lent = lent;
}

static void watch_newcomer(struct stage *g) {
    struct worker *w = &g->workers[g->s->members - 1];
    if (g->s->demand != CREDIT_NEWCOMER || g->result->newcomer_ns != 0 || !w->running) return;
    if (g->now_ns - w->recent_at_ns < 50 * FLOWCTL_NS_PER_MS) return;
    double part = (double)g->s->per_sec / (double)g->s->members * 0.050;
    if ((double)w->recent >= 0.9 * part) g->result->newcomer_ns = g->now_ns - START_NS - g->s->length_ns / 2;
    w->recent = 0;
    w->recent_at_ns = g->now_ns;
}

static void conclude(struct stage *g) {
    const struct credit_scene *s = g->s;
    struct oracle_limit limit = {s->per_sec, FLOWCTL_NS_PER_SEC, s->burst};
    struct oracle_verdict v = oracle_judge(&g->log, &limit);
    double seconds = (double)(s->length_ns - g->quiet_ns) / 1e9, load = s->load < 1 ? s->load : 1;
    g->result->excess = oracle_excess(&v, &limit);
    g->result->use = (double)g->measured / ((double)s->per_sec * seconds * load);
    g->result->use_faulty =
        (double)g->measured_faulty / ((double)s->per_sec * ((double)s->length_ns / 2 - TTL_NS) / 1e9 * load);
    g->result->asks_per_sec = (double)g->asks / (double)s->members / ((double)s->length_ns / 1e9);
    double least = 1e18, all = 0;
    for (size_t i = 0; i < s->members; i++) {
        double own = (double)g->workers[i].admitted;
        least = own < least ? own : least;
        all += own;
    }
    g->result->poorest = all > 0 ? least / (all / (double)s->members) : 0;
}

struct credit_use credit_use_run(const struct credit_scene *s, uint64_t seed) {
    struct credit_use result = {.sound = true, .lent = -1e18};
    struct stage *g = calloc(1, sizeof *g);
    if (g == NULL) abort();
    g->s = s;
    g->result = &result;
    g->random = seed;
    g->now_ns = START_NS;
    g->identity = 1;
    g->fault_ns = s->fault_every_ns;
    g->quiet_ns =
        TTL_NS + (s->fault_every_ns != 0 || s->step_ns != 0 ? s->length_ns / 2 : 0) + (s->restarts ? TTL_NS * 7 / 4 : 0);
    g->terms = (flowctl_lease_terms){flowctl_per(s->per_sec, FLOWCTL_NS_PER_SEC), s->burst, TTL_NS, 1};
    planted_ledger_init(s->defect, ledger_of(g), ROOM, g->identity, FLOWCTL_LEDGER_FIRST);
    for (size_t i = 0; i + (s->demand == CREDIT_NEWCOMER) < s->members; i++) start(g, i);
    for (; elapsed(g) < s->length_ns; g->now_ns += TICK_NS) {
        if (s->demand == CREDIT_NEWCOMER && !g->workers[s->members - 1].running && elapsed(g) >= s->length_ns / 2)
            start(g, s->members - 1);
        if (s->step_ns != 0 && g->skew_ns == 0 && elapsed(g) >= s->length_ns / 2) {
            g->skew_ns = s->step_ns;
            if (s->step_ns > 0) g->leapt_ns = (uint64_t)s->step_ns;
        }
        fault(g);
        deliver(g);
        for (size_t i = 0; i < s->members; i++) live(g, i);
        if (elapsed(g) % FLOWCTL_NS_PER_MS == 0) check(g);
        watch_newcomer(g);
    }
    conclude(g);
    oracle_free(&g->log);
    free(g);
    return result;
}

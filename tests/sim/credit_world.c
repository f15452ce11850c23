#include "sim/credit_world.h"

#include "base/wide.h"
#include "sim/credit_member.h"
#include "support/oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS_MAX 8
#define ON_THE_WAY 48
#define START_NS (UINT64_C(86400) * FLOWCTL_NS_PER_SEC)

struct ask_on_the_way {
    flowctl_lease_ask ask;
    size_t who;
    char name[8];
};

struct answer_on_the_way {
    flowctl_lease_reply reply;
    size_t who;
};

struct world {
    const struct credit_config *c;
    struct sim_result *result;
    bool told;
    uint64_t now_ns;
    int64_t skew_ns;                    /* of the store's time */
    uint64_t leapt_ns;                  /* the sum of its forward steps, each of which lets as much pass as time would */
    uint64_t last_step_ns, before_last; /* when it stepped forward: two within a lease are allowed for */
    uint64_t identity, version;
    flowctl_lease_terms terms;  /* at first */
    uint64_t most_burst, slope; /* ever, of the settings; the rate per second */
    bool begun;
    const struct credit_store_ops *ops;
    void *store;
    size_t snapshots;
    struct credit_member members[MEMBERS_MAX];
    struct ask_on_the_way asks[ON_THE_WAY];
    struct answer_on_the_way answers[ON_THE_WAY];
    size_t ask_count, answer_count;
    struct oracle_log log;
};

static const flowctl_ledger *ledger_of(struct world *w) { return w->ops->ledger(w->store); }

static struct credit_worst worst = {-1e18, -1e18};

struct credit_worst credit_worst(void) {
    struct credit_worst w = worst;
    worst = (struct credit_worst){-1e18, -1e18};
    return w;
}

__attribute__((format(printf, 2, 3))) static void tell(const struct world *w, const char *format, ...) {
    if (!w->told) return;
    va_list args;
    va_start(args, format);
    printf("  %11.6f ms  ", (double)(w->now_ns - START_NS) / 1e6);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

__attribute__((format(printf, 3, 4))) static void fail(struct world *w, const char *oracle, const char *format, ...) {
    if (w->result->oracle != NULL) return;
    va_list args;
    va_start(args, format);
    vsnprintf(w->result->why, sizeof w->result->why, format, args);
    va_end(args);
    w->result->oracle = oracle;
}

static unsigned long long llu(uint64_t n) { return (unsigned long long)n; }
static double ms(uint64_t ns) { return (double)ns / 1e6; }

/* A session as people see it: whose, and the how many-th. */
#define SESSION "%llu.%llu"
#define SESSION_OF(id) llu((id).hi - 1), llu((id).lo)

/* ---- oracles ---- */

static oracle_amount level_of(const flowctl_ledger *l) { return (oracle_amount)((fc_u128)l->level_hi << 64 | l->level_lo); }

static uint64_t usable(const struct world *w) {
    uint64_t sum = 0;
    for (size_t i = 0; i < w->c->members; i++) sum += credit_member_usable(&w->members[i], w->now_ns);
    return sum;
}

static void check_lent(struct world *w) {
    const flowctl_ledger *l = ledger_of(w);
    if (!w->begun || l->terms.burst == 0) return;
    oracle_amount level = level_of(l), period = (oracle_amount)l->terms.rate.period_ns;
    /* What another run of the store has written is not lent before it was looked at. */
    if (level < 0 || l->identity != w->identity) level = 0;
    oracle_amount over = (oracle_amount)usable(w) * period + level - (oracle_amount)w->most_burst * period;
    double permits = (double)over / (double)period;
    if (permits > worst.lent) worst.lent = permits;
    if (over > 0)
        fail(w, "O1'", "members may use %llu and %.3f more can be lent: %.3f above the burst", llu(usable(w)),
             (double)level / (double)period, permits);
}

static void check_ledger(struct world *w) {
    char why[200];
    const char *oracle = w->ops->fault(w->store, why, sizeof why);
    if (oracle != NULL) fail(w, oracle, "%s", why);
}

static void check_admitted(struct world *w) {
    struct oracle_limit limit = {w->slope, FLOWCTL_NS_PER_SEC, w->most_burst};
    struct oracle_verdict v = oracle_judge(&w->log, &limit);
    double excess = oracle_excess(&v, &limit), elapsed = (double)(w->now_ns - START_NS) / 1e9;
    if (excess > worst.excess) worst.excess = excess;
    w->result->measures[CREDIT_EXCESS_MOST] = excess;
    w->result->measures[CREDIT_USED] = elapsed > 0 ? (double)v.total / (elapsed * (double)w->slope) : 0;
    if (v.excess > 0)
        fail(w, "O1", "%.3f permits too many from %.6f to %.6f ms", excess, ms(v.from_ns - START_NS),
             ms(v.until_ns - START_NS));
}

/* ---- the store ---- */

static uint64_t store_time(const struct world *w) { return (uint64_t)((int64_t)w->now_ns + w->skew_ns); }

static void begin(struct world *w, const struct sim_event *e) {
    static const uint64_t bursts[] = {100, 100, 400, 50, 7, 1}, ttls_ms[] = {100, 100, 1000, 10};
    if (w->begun) return;
    w->begun = true;
    w->terms = (flowctl_lease_terms){flowctl_per(1000, FLOWCTL_NS_PER_SEC), e != NULL ? bursts[e->a % 6] : 100,
                                     (e != NULL ? ttls_ms[e->b % 4] : 100) * FLOWCTL_NS_PER_MS, 1};
    w->version = 1;
    w->most_burst = w->terms.burst;
    w->slope = w->terms.rate.permits;
    w->ops->begin(w->store, &w->terms, store_time(w), w->identity);
    for (size_t i = 0; i < w->c->members; i++) credit_member_start(&w->members[i], i, &w->terms, 0, 0);
    tell(w, "1000 per second, burst %llu, leases of %.0f ms", llu(w->terms.burst), ms(w->terms.ttl_ns));
}

static void lend(struct world *w, const struct ask_on_the_way *a, flowctl_lease_reply *reply) {
    flowctl_lease_ask ask = a->ask;
    ask.member = a->name;
    ask.start_full = true;
    *reply = (flowctl_lease_reply){.size = sizeof *reply};
    w->ops->ask(w->store, &ask, store_time(w), w->identity, reply);
    w->result->measures[CREDIT_DEAD] += reply->dead;
    const flowctl_ledger *l = ledger_of(w);
    tell(w, "store: " SESSION " seq %llu wants %llu, used %llu, back %llu: %s %llu of %llu; L %.3f, O %llu, clock %.6f ms%s",
         SESSION_OF(ask.session), llu(ask.seq), llu(ask.want), llu(ask.used), llu(ask.back),
         reply->dead                   ? "dead"
         : reply->status != FLOWCTL_OK ? "no"
                                       : "lent",
         llu(reply->grant), llu(reply->granted), (double)level_of(l) / (double)l->terms.rate.period_ns, llu(l->out),
         ms(l->clk_ns), reply->quarantine_ns != 0 ? ", quarantine" : "");
    check_ledger(w);
}

static void serve(struct world *w, const struct sim_event *e) {
    if (w->ask_count == 0) return;
    size_t i = e->a % w->ask_count;
    struct ask_on_the_way a = w->asks[i];
    if ((e->b & 2) == 0) memmove(&w->asks[i], &w->asks[i + 1], (--w->ask_count - i) * sizeof *w->asks);
    struct answer_on_the_way answer = {.who = a.who};
    lend(w, &a, &answer.reply);
    if ((e->b & 1) == 0 && w->answer_count < ON_THE_WAY) w->answers[w->answer_count++] = answer;
}

/* Forward: not more often than the guard of a lease allows for. */
static void step(struct world *w, uint32_t which) {
    const int64_t second = FLOWCTL_NS_PER_SEC, ttl = (int64_t)w->terms.ttl_ns;
    const int64_t steps[] = {-3600 * second, -second, -ttl / 4, ttl / 4, ttl, 3600 * second};
    int64_t by = steps[which % 6];
    if (by > 0 && w->before_last != 0 && w->now_ns - w->before_last < 2 * w->terms.ttl_ns) return;
    if (by > 0) w->before_last = w->last_step_ns, w->last_step_ns = w->now_ns, w->leapt_ns += (uint64_t)by;
    w->skew_ns += by;
    tell(w, "the store's time steps by %.3f ms", (double)by / 1e6);
}

static void snapshot(struct world *w) {
    if (ledger_of(w)->terms.burst == 0) return;
    w->ops->snapshot(w->store);
    if (w->snapshots < CREDIT_SNAPSHOTS) w->snapshots++;
}

static void restart(struct world *w, uint32_t which) {
    if (which > w->snapshots) return;
    w->identity++;
    if (which != 0) w->ops->restore(w->store, which - 1);
    tell(w, which != 0 ? "fail-over: the state of %u copies ago" : "the store restarts with its state (%u)", which);
}

static void wipe(struct world *w, bool goes_on) {
    if (!goes_on) w->identity++;
    w->snapshots = 0;
    w->ops->wipe(w->store, w->identity);
    tell(w, "the store loses its state%s", goes_on ? ", and goes on" : "");
}

/* ---- members ---- */

static uint64_t clock_of(const struct world *w, const struct credit_member *m) { return credit_member_clock(m, w->now_ns); }

static void start(struct world *w, size_t who, const struct sim_event *e) {
    struct credit_member *m = &w->members[who];
    int64_t drift = (int64_t)(e->b % 401) - 200;
    m->defect = w->c->defect;
    credit_member_start(m, who, &w->terms, (int64_t)e->a * 1000, drift);
    tell(w, "member %zu starts as " SESSION ", its clock %lld ppm fast", who, SESSION_OF(m->session.id), (long long)drift);
}

static void ask(struct world *w, size_t who, const struct sim_event *e) {
    struct credit_member *m = &w->members[who];
    if (m->paused || w->ask_count == ON_THE_WAY) return;
    struct ask_on_the_way *a = &w->asks[w->ask_count++];
    bool leaves = (e->b & 2) != 0;
    if (leaves && m->held > 0) credit_member_give_up(m, (uint64_t)m->held);
    uint64_t want = leaves ? 0 : e->a;
    credit_member_ask(m, clock_of(w, m), want, (e->b & 1) != 0 ? want : 0, &a->ask);
    a->ask.leaves = leaves;
    a->who = who;
    memcpy(a->name, m->name, sizeof a->name);
    tell(w, "member %zu asks " SESSION " seq %llu, wants %llu%s, used %llu, back %llu, held %lld%s", who,
         SESSION_OF(m->session.id), llu(a->ask.seq), llu(want), a->ask.need != 0 ? " or nothing" : "", llu(a->ask.used),
         llu(a->ask.back), (long long)m->held, leaves ? ", and leaves" : "");
    if (leaves) start(w, who, &(struct sim_event){.a = 0, .b = 200});
}

static void answered(struct world *w, const struct sim_event *e) {
    if (w->answer_count == 0) return;
    size_t i = e->a % w->answer_count;
    struct answer_on_the_way a = w->answers[i];
    struct credit_member *m = &w->members[a.who];
    if (m->paused) return;
    if (e->b == 0) memmove(&w->answers[i], &w->answers[i + 1], (--w->answer_count - i) * sizeof *w->answers);
    enum fc_session_news news = credit_member_answer(m, clock_of(w, m), &a.reply);
    int64_t left_ns = (int64_t)(m->session.until_ns - clock_of(w, m));
    tell(w, "member %zu hears of " SESSION " seq %llu: %s; holds %lld, for %.6f ms", a.who, SESSION_OF(a.reply.session),
         llu(a.reply.seq),
         news == FC_NEWS_LEASE  ? "a lease"
         : news == FC_NEWS_DEAD ? "dead"
                                : "nothing",
         (long long)m->held, m->session.until_ns != 0 ? (double)left_ns / 1e6 : 0.0);
}

static void use(struct world *w, size_t who, uint64_t clock_ns, uint64_t dated_ns, uint64_t cost) {
    struct credit_member *m = &w->members[who];
    if (cost == 0) cost = m->held > 0 ? (uint64_t)m->held : 1;
    if (!credit_member_use(m, clock_ns, cost)) return;
    oracle_record(&w->log, dated_ns, cost);
    tell(w, "member %zu uses %llu, holds %lld", who, llu(cost), (long long)m->held);
}

static void pause_member(struct world *w, size_t who, uint32_t operation) {
    struct credit_member *m = &w->members[who];
    if (m->paused) return;
    m->paused = true;
    m->paused_op_cost = operation;
    m->until_paused_op_ns = w->now_ns + w->leapt_ns;
    m->paused_op_now_ns = clock_of(w, m);
    tell(w, "member %zu stops%s", who, operation != 0 ? ", having read the clock for an operation" : "");
}

static void resume(struct world *w, size_t who) {
    struct credit_member *m = &w->members[who];
    if (!m->paused) return;
    m->paused = false;
    tell(w, "member %zu goes on", who);
    if (m->paused_op_cost != 0) use(w, who, m->paused_op_now_ns, m->until_paused_op_ns, m->paused_op_cost - 1);
}

static void configure(struct world *w, size_t who, const struct sim_event *e) {
    static const uint64_t rates[] = {1000, 100, 3000, 1500}, bursts[] = {100, 10, 250, 60};
    struct credit_member *m = &w->members[who];
    if (!w->c->configs) return;
    m->terms.version = ++w->version;
    m->terms.rate = e->b % 2 ? flowctl_per(rates[e->b % 4] * 7, 7 * FLOWCTL_NS_PER_SEC)
                             : flowctl_per(rates[e->b % 4] / 4, FLOWCTL_NS_PER_SEC / 4);
    m->terms.burst = bursts[e->a % 4];
    m->terms.ttl_ns = w->terms.ttl_ns * (1 + e->a / 4 % 2);
    if (m->terms.burst > w->most_burst) w->most_burst = m->terms.burst;
    if (rates[e->b % 4] > w->slope) w->slope = rates[e->b % 4];
    tell(w, "member %zu is told other settings, version %llu: %llu per second, burst %llu", who, llu(w->version),
         llu(rates[e->b % 4]), llu(m->terms.burst));
}

/* ---- a run ---- */

static void happen(struct world *w, const struct sim_event *e) {
    size_t who = e->who % w->c->members;
    if (e->kind == CREDIT_SET || !w->begun) begin(w, e->kind == CREDIT_SET ? e : NULL);
    switch ((enum credit_event)e->kind) {
    case CREDIT_SET: break;
    case CREDIT_PASS: w->now_ns += (uint64_t)e->a * 1000 + e->b; break;
    case CREDIT_ASK: ask(w, who, e); break;
    case CREDIT_SERVE: serve(w, e); break;
    case CREDIT_LOSE:
        if (w->ask_count == 0) break;
        memmove(&w->asks[e->a % w->ask_count], &w->asks[w->ask_count - 1], sizeof *w->asks);
        w->ask_count--;
        break;
    case CREDIT_ANSWER: answered(w, e); break;
    case CREDIT_USE:
        if (!w->members[who].paused) use(w, who, clock_of(w, &w->members[who]), w->now_ns + w->leapt_ns, e->a);
        break;
    case CREDIT_GIVE_UP:
        if (!w->members[who].paused && w->members[who].held >= (int64_t)e->a) credit_member_give_up(&w->members[who], e->a);
        break;
    case CREDIT_PAUSE: pause_member(w, who, e->a); break;
    case CREDIT_RESUME: resume(w, who); break;
    case CREDIT_KILL: start(w, who, e); break;
    case CREDIT_STEP: step(w, e->a); break;
    case CREDIT_SNAPSHOT: snapshot(w); break;
    case CREDIT_RESTART: restart(w, e->a % (CREDIT_SNAPSHOTS + 1)); break;
    case CREDIT_WIPE: wipe(w, e->a == 1); break;
    case CREDIT_CONFIG: configure(w, who, e); break;
    }
    check_lent(w);
}

void credit_run(const void *config, const struct sim_event *events, const size_t *kept, size_t count, bool told,
                struct sim_result *result) {
    static const char *const names[] = {"excess", "", "use", "dead", NULL};
    struct world *w = calloc(1, sizeof *w);
    if (w == NULL) abort();
    w->c = config;
    w->ops = w->c->store != NULL ? w->c->store : &ledger_store;
    w->store = w->ops->open(config);
    w->result = result;
    w->told = told;
    w->now_ns = START_NS;
    w->identity = 1;
    result->names = names;
    for (size_t i = 0; i < count && result->oracle == NULL; i++) {
        result->at = i;
        happen(w, &events[kept[i]]);
    }
    if (w->begun) check_admitted(w);
    w->ops->close(w->store);
    oracle_free(&w->log);
    free(w);
}

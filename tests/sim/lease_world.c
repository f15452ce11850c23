#include "sim/lease_world.h"

#include "sim/planted_lease.h"
#include "support/seed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 3000
#define REALISTIC_MS 12000
#define HOLDERS_MAX 8
#define SESSIONS 64
#define SLOTS_MAX 128
#define ON_THE_WAY 64
#define USES 65536
#define ASK_EVERY_US 10000
#define WANT 40

struct holder {
    struct fc_window_holder h;
    uint64_t incarnation;
    bool paused;
    uint64_t paused_until_us, ask_us; /* in real life */
};

struct request {
    struct fc_window_request r;
    size_t who;
    uint64_t sent_us;
};

struct answer {
    struct fc_window_answer a;
    size_t who;
    uint64_t sent_us;
};

struct use {
    uint64_t us, permits;
};

struct world {
    const struct lease_config *c;
    struct sim_result *result;
    bool told, wiped, measuring;
    uint64_t now_us, leapt_us;
    int64_t skew_us;
    unsigned leaps;
    uint64_t stores; /* opened so far: their identities */
    struct holder holders[HOLDERS_MAX];
    struct request requests[ON_THE_WAY];
    struct answer answers[ON_THE_WAY];
    size_t request_count, answer_count;
    struct fc_window_store store;
    struct fc_window_slot slots[SLOTS_MAX];
    struct fc_window_session sessions[SESSIONS];
    struct use uses[USES];
    size_t used_first, used_end;
    uint64_t used_in_window, most, used, measured_from_us;
};

static uint64_t least_of(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t ns(uint64_t us) { return us * 1000; }

__attribute__((format(printf, 2, 3))) static void tell(const struct world *w, const char *format, ...) {
    if (!w->told) return;
    va_list args;
    va_start(args, format);
    printf("  %9.3f ms  ", (double)w->now_us / 1000);
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

/* ---- lists of events ---- */

static uint64_t below(uint64_t *r, uint64_t n) { return test_below(r, n); }

static void rare(const struct lease_config *c, uint64_t *r, size_t who, struct sim_list *list) {
    uint64_t dice = below(r, 10);
    if (dice < 5) sim_add(list, LEASE_PAUSE, who, below(r, 3) == 0, 0);
    else if (dice < 7) sim_add(list, LEASE_KILL, who, 0, 0);
    else if (dice < 9 && c->leaps != 0) sim_add(list, LEASE_LEAP, 0, below(r, 6), 0);
    else if (c->wipes && (c->twice || below(r, 4) == 0)) sim_add(list, LEASE_WIPE, 0, 0, 0);
}

/* Everybody asks, is answered, and uses most of it. */
static void calm_round(const struct lease_config *c, uint64_t *r, struct sim_list *list) {
    sim_add(list, LEASE_PASS, 0, test_magnitude(r, c->ttl_us / 4), 0);
    for (size_t i = 0; i < c->holders; i++) {
        sim_add(list, LEASE_ASK, i, 1 + below(r, c->limit), 1);
        sim_add(list, LEASE_SERVE, 0, 0, 0);
        sim_add(list, LEASE_ANSWER, 0, 0, 0);
        if (below(r, 2)) sim_add(list, LEASE_USE, i, 0, 0);
    }
}

static void adversary(const struct lease_config *c, uint64_t *r, struct sim_list *list) {
    /* In parts of the lease and of the window, so that all that ends soon is met. */
    const uint64_t longests[] = {c->ttl_us / 8, c->ttl_us / 2, c->window_us / 2, c->window_us};
    uint64_t longest = longests[below(r, 4)];
    sim_add(list, LEASE_MEASURE, 0, 0, 0);
    while (list->count < STEPS) {
        size_t who = (size_t)below(r, c->holders);
        uint64_t dice = below(r, 100);
        if (below(r, 100) < 5) calm_round(c, r, list);
        else if (dice < 18) sim_add(list, LEASE_PASS, 0, test_magnitude(r, longest), 0);
        else if (dice < 36) sim_add(list, LEASE_ASK, who, below(r, 4) == 0 ? 0 : 1 + below(r, c->limit), below(r, 20));
        else if (dice < 56)
            sim_add(list, LEASE_SERVE, 0, below(r, 3) ? 0 : test_random(r),
                    (below(r, 20) == 0) | (below(r, c->twice ? 3 : 20) == 0) << 1);
        else if (dice < 74) sim_add(list, LEASE_ANSWER, 0, below(r, 3) ? 0 : test_random(r), below(r, 20) == 0);
        else if (dice < 92) sim_add(list, LEASE_USE, who, below(r, 2) ? 0 : 1 + below(r, c->limit), 0);
        else if (dice < 94) sim_add(list, LEASE_GIVE_UP, who, 1 + below(r, c->limit), 0);
        else rare(c, r, who, list);
    }
}

static void real_life(const struct lease_config *c, uint64_t *r, struct sim_list *list) {
    for (uint64_t ms = 0; ms < REALISTIC_MS; ms++) {
        if (ms == c->window_us / 1000) sim_add(list, LEASE_MEASURE, 0, 0, 0);
        sim_add(list, LEASE_PASS, 0, 1000, 0);
        for (size_t i = 0; i < c->holders; i++) sim_add(list, LEASE_LIVE, i, below(r, 3), test_random(r));
    }
}

void lease_generate(const void *config, uint64_t seed, struct sim_list *list) {
    const struct lease_config *c = config;
    uint64_t random = test_random(&seed);
    if (c->realistic) real_life(c, &random, list);
    else adversary(c, &random, list);
}

/* ---- what happens ---- */

static void open_store(struct world *w) {
    const struct lease_config *c = w->c;
    uint64_t step = c->step_max_us != 0 ? c->step_max_us : c->ttl_us / 4;
    struct fc_window_settings s = {c->limit, c->window_us, c->ttl_us, step, c->ttl_us / 20};
    fc_window_store_init(&w->store, &s, ++w->stores, w->now_us + (uint64_t)w->skew_us, w->slots, c->slots, w->sessions,
                         SESSIONS);
}

static void wipe(struct world *w) {
    open_store(w);
    w->wiped = true;
    if (w->c->defect != LEASE_NO_QUARANTINE) fc_window_quarantine(&w->store);
    if (w->c->defect == LEASE_QUARANTINE_SHORT) w->store.quarantined_until_us -= w->store.counted_us;
    tell(w, "the store loses its state");
}

/* The first half of an id tells who it is, for people and for LEASE_NEW_FREES_OLD. */
static struct fc_window_id new_id(struct holder *h, size_t who) { return (struct fc_window_id){who + 1, ++h->incarnation}; }

static void start(struct world *w, size_t who) {
    struct holder *h = &w->holders[who];
    fc_window_holder_init(&h->h, new_id(h, who), ns(w->c->ttl_us));
    h->paused = false;
    h->paused_until_us = h->ask_us = 0;
    tell(w, "holder %zu starts as %zu.%llu", who, who, (unsigned long long)h->incarnation);
}

static struct fc_window_answer lend(struct world *w, const struct fc_window_request *r) {
    uint64_t wall_us = w->now_us + (uint64_t)w->skew_us;
    struct fc_window_answer a = w->c->defect == LEASE_SOUND || w->c->defect == LEASE_NO_QUARANTINE ||
                                        w->c->defect == LEASE_QUARANTINE_SHORT || w->c->defect == LEASE_FROM_ANSWER
                                    ? fc_window_lend(&w->store, wall_us, r)
                                    : planted_lend(&w->store, w->c->defect, wall_us, r);
    tell(w,
         "store: %llu.%llu seq %llu wants %llu, used %llu, back %llu: %s, granted %llu; out %llu, dated %llu, clock %.3f ms",
         (unsigned long long)r->id.hi - 1, (unsigned long long)r->id.lo, (unsigned long long)r->seq,
         (unsigned long long)r->want, (unsigned long long)r->used, (unsigned long long)r->back,
         (const char *const[]){"answered", "dead", "stale", "full"}[a.outcome], (unsigned long long)a.granted,
         (unsigned long long)w->store.out, (unsigned long long)w->store.dated, (double)w->store.clock_us / 1000);
    w->result->measures[LEASE_DEAD] += a.outcome == FC_WINDOW_DEAD;
    return a;
}

static void answered(struct world *w, const struct answer *a) {
    struct holder *h = &w->holders[a->who];
    uint64_t before = fc_window_usable(&h->h, ns(w->now_us));
    uint64_t sent_us = w->c->defect == LEASE_FROM_ANSWER ? w->now_us : a->sent_us;
    if (!fc_window_answered(&h->h, &a->a, ns(sent_us), ns(w->now_us))) fc_window_reopen(&h->h, new_id(h, a->who));
    uint64_t credit = fc_window_usable(&h->h, ns(w->now_us));
    w->result->measures[LEASE_GRANTS] += credit > before;
    tell(w, "holder %zu hears of its seq %llu: has %llu until %.3f ms", a->who, (unsigned long long)a->a.seq,
         (unsigned long long)credit, (double)h->h.until_ns / 1e6);
}

static void use(struct world *w, size_t who, uint64_t most) {
    struct holder *h = &w->holders[who];
    uint64_t can = fc_window_usable(&h->h, ns(w->now_us)), n = least_of(can, most);
    if (n == 0 || w->used_end - w->used_first >= USES || !fc_window_use(&h->h, n, ns(w->now_us))) return;
    w->uses[w->used_end++ % USES] = (struct use){w->now_us, n};
    w->used_in_window += n;
    if (w->measuring) w->used += n;
    for (; w->uses[w->used_first % USES].us + w->c->window_us <= w->now_us; w->used_first++)
        w->used_in_window -= w->uses[w->used_first % USES].permits;
    if (w->used_in_window > w->most) w->most = w->used_in_window;
    tell(w, "holder %zu uses %llu, %llu in the window", who, (unsigned long long)n, (unsigned long long)w->used_in_window);
    if (w->used_in_window > w->c->limit)
        fail(w, "window", "%llu uses of %llu in a window", (unsigned long long)w->used_in_window,
             (unsigned long long)w->c->limit);
}

static void ask(struct world *w, size_t who, const struct sim_event *e) {
    struct holder *h = &w->holders[who];
    if (h->paused || w->request_count == ON_THE_WAY) return;
    struct request r = {fc_window_ask(&h->h, e->a, ns(w->now_us)), who, w->now_us};
    if (e->b != 0) w->requests[w->request_count++] = r;
}

static void serve(struct world *w, const struct sim_event *e) {
    if (w->request_count == 0) return;
    size_t i = e->a % w->request_count;
    struct request r = w->requests[i];
    /* In order, but for those that overtake. */
    if ((e->b & 2) == 0) memmove(&w->requests[i], &w->requests[i + 1], (--w->request_count - i) * sizeof *w->requests);
    struct answer a = {lend(w, &r.r), r.who, r.sent_us};
    if ((e->b & 1) == 0 && w->answer_count < ON_THE_WAY && a.a.outcome != FC_WINDOW_STALE) w->answers[w->answer_count++] = a;
}

static void hear(struct world *w, const struct sim_event *e) {
    if (w->answer_count == 0) return;
    size_t i = e->a % w->answer_count;
    struct answer a = w->answers[i];
    if (w->holders[a.who].paused) return;
    if (e->b == 0) memmove(&w->answers[i], &w->answers[i + 1], (--w->answer_count - i) * sizeof *w->answers);
    answered(w, &a);
}

static void leap(struct world *w, uint32_t which) {
    static const int64_t leaps_us[] = {-3600000000, -1000000, -100000, 100000, 1000000, 3600000000};
    int64_t by = leaps_us[which % 6];
    uint64_t apart = w->c->window_us + 2 * w->c->ttl_us; /* two leaps within what counts */
    if (w->leaps == w->c->leaps || (by > 0 && w->leapt_us != 0 && w->now_us - w->leapt_us < apart / 2)) return;
    if (by > 0) w->leapt_us = w->now_us;
    w->leaps++;
    w->skew_us += by;
    tell(w, "the store's wall clock leaps by %lld ms", (long long)by / 1000);
}

/* One turn of a holder's loop: pauses, kills, lost requests and answers by the dice; a round trip takes no time. */
static void live(struct world *w, size_t who, const struct sim_event *e) {
    static const uint64_t pauses_us[] = {50000, 300000, 1500000};
    struct holder *h = &w->holders[who];
    uint64_t dice = e->b;
    if (w->now_us < h->paused_until_us) return;
    if (test_below(&dice, 5000) == 0) {
        h->paused_until_us = w->now_us + pauses_us[test_below(&dice, 3)];
        return;
    }
    if (test_below(&dice, 5000) == 0) start(w, who);
    uint64_t burst = test_below(&dice, 100) == 0 ? UINT64_MAX : e->a;
    use(w, who, burst);
    if (w->now_us < h->ask_us) return;
    h->ask_us = w->now_us + ASK_EVERY_US;
    uint64_t held = fc_window_usable(&h->h, ns(w->now_us));
    struct fc_window_request r = fc_window_ask(&h->h, held < WANT ? WANT - held : 0, ns(w->now_us));
    if (test_below(&dice, 50) == 0) return;
    struct answer a = {lend(w, &r), who, w->now_us};
    if (test_below(&dice, 50) != 0) answered(w, &a);
}

static void happen(struct world *w, const struct sim_event *e) {
    struct holder *h = &w->holders[e->who];
    switch ((enum lease_event)e->kind) {
    case LEASE_PASS: w->now_us += e->a; return;
    case LEASE_ASK: ask(w, e->who, e); return;
    case LEASE_SERVE: serve(w, e); return;
    case LEASE_ANSWER: hear(w, e); return;
    case LEASE_USE:
        if (!h->paused) use(w, e->who, e->a == 0 ? UINT64_MAX : e->a);
        return;
    case LEASE_GIVE_UP: fc_window_give_up(&h->h, e->a, ns(w->now_us)); return;
    case LEASE_PAUSE: h->paused = e->a != 0; return;
    case LEASE_KILL: start(w, e->who); return;
    case LEASE_LEAP: leap(w, e->a); return;
    case LEASE_WIPE: wipe(w); return;
    case LEASE_LIVE: live(w, e->who, e); return;
    case LEASE_MEASURE: w->measuring = true, w->measured_from_us = w->now_us; return;
    }
}

/* The store's sums are what its sessions and slots say; and nobody holds what the store does not know of. */
static void check(struct world *w) {
    uint64_t out = 0, dated = 0, held = 0;
    for (size_t i = 0; i < w->store.session_count; i++)
        out += w->sessions[i].granted - w->sessions[i].used - w->sessions[i].back;
    for (size_t i = 0; i < w->store.slot_count; i++) dated += w->slots[(w->store.slot_first + i) % w->c->slots].uses;
    if (out != w->store.out || dated != w->store.dated || (out + dated > w->c->limit && w->c->defect == LEASE_SOUND))
        fail(w, "sums", "out %llu of %llu, dated %llu of %llu", (unsigned long long)w->store.out, (unsigned long long)out,
             (unsigned long long)w->store.dated, (unsigned long long)dated);
    for (size_t i = 0; i < w->c->holders; i++) held += fc_window_usable(&w->holders[i].h, ns(w->now_us));
    if (held > out && !w->wiped) fail(w, "held", "%llu usable, %llu out", (unsigned long long)held, (unsigned long long)out);
}

static void begin(struct world *w, const struct lease_config *c, struct sim_result *result, bool told) {
    memset(w, 0, offsetof(struct world, uses));
    w->c = c, w->result = result, w->told = told;
    w->now_us = 1000;
    w->skew_us = 7200000000;
    w->used_first = w->used_end = 0;
    w->used_in_window = w->most = w->used = w->measured_from_us = 0;
    open_store(w);
    for (size_t i = 0; i < c->holders; i++) start(w, i);
}

void lease_run(const void *config, const struct sim_event *events, const size_t *kept, size_t count, bool told,
               struct sim_result *result) {
    static const char *const names[] = {"most in a window", "use of the limit", "dead", "grants", NULL};
    static struct world w;
    begin(&w, config, result, told);
    for (size_t i = 0; i < count && result->oracle == NULL; i++) {
        result->at = i;
        happen(&w, &events[kept[i]]);
        check(&w);
    }
    double windows = (double)(w.now_us - w.measured_from_us) / (double)w.c->window_us;
    result->names = names;
    result->measures[LEASE_MOST] = (double)w.most;
    result->measures[LEASE_SHARE] = windows == 0 ? 0 : (double)w.used / windows / (double)w.c->limit;
}

#include "sim/claim_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)
#define TTL_MS UINT64_C(1000)
#define STEP_MAX_MS UINT64_C(400)
#define HEARTBEAT_MS UINT64_C(200)
#define GUARD_MS UINT64_C(50)
#define LEAP_APART_MS 1000 /* the clock may be fast by two leaps within ttl_log */

#define MEMBERS_MAX 8
#define TABLE 96
#define QUEUE 64
#define GHOSTS 16
#define LOG_MAX 12000
#define SEEN_MAX (LOG_MAX * 12)
#define USES 256

struct entry {
    int64_t stamp_ms;
    struct fc_claim_record record;
    uint64_t buried; /* the member of a tombstone */
    bool tick;
};

/* Records on their way, in order. */
struct queue {
    struct entry entries[QUEUE];
    size_t head, tail;
    uint64_t stalled_until_ms;
};

struct use {
    uint64_t ms, permits;
};

struct process {
    bool alive, paused;
    uint64_t incarnation, demand;
    size_t next; /* offset to apply */
    struct fc_claim_log log;
    struct fc_claim_member table[TABLE];
    struct fc_claim_self self;
    struct queue out;
    uint64_t sent_ms, jitter_ms;
    struct use uses[USES];
    size_t used_first, used_end;
};

/* E of a member after a record. */
struct seen {
    struct fc_claim_id id;
    uint64_t share;
};

struct world {
    const struct claim_config *c;
    struct sim_result *result;
    bool told;
    uint64_t now_ms;
    int64_t skew_ms;
    uint64_t leapt_ms;
    unsigned leaps;
    struct process processes[MEMBERS_MAX];
    struct queue ghosts[GHOSTS];
    size_t ghost_count;
    struct entry entries[LOG_MAX];
    size_t seen_at[LOG_MAX + 1];
    uint64_t hashes[LOG_MAX];
    size_t count;
    struct seen seen[SEEN_MAX];
    struct fc_claim_log truth;
    struct fc_claim_member truth_table[TABLE];
    struct use uses[LOG_MAX];
    size_t used_first, used_end;
    uint64_t used_in_window;
    bool measuring, calm;
    double area, served, asked, calm_served, calm_asked, measured_ms;
};

static uint64_t least_of(uint64_t a, uint64_t b) { return a < b ? a : b; }

__attribute__((format(printf, 2, 3))) static void tell(const struct world *w, const char *format, ...) {
    if (!w->told) return;
    va_list args;
    va_start(args, format);
    printf("  %6llu ms  ", (unsigned long long)w->now_ms - 1000);
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

/* Shares as per cent of the limit, for people. */
static double pct(uint64_t share) { return 100.0 * (double)share / (double)FC_CLAIM_WHOLE; }

static uint64_t ns(const struct world *w) { return w->now_ms * NS_PER_MS; }
static size_t number_of(const struct world *w, const struct process *p) { return (size_t)(p - w->processes); }

static struct fc_claim_settings settings(const struct claim_config *c) {
    uint64_t least = fc_claim_ttl_log_ms(TTL_MS, STEP_MAX_MS, GUARD_MS, c->window_ms);
    return (struct fc_claim_settings){c->ttl_log_ms != 0 ? c->ttl_log_ms : least, STEP_MAX_MS};
}

static void fold(const struct world *w, struct fc_claim_log *log, size_t offset, const struct entry *e) {
    const struct fc_claim_record *record = e->tick || e->buried != 0 ? NULL : &e->record;
    if (w->c->fold == PLANTED_FOLD_NOTHING) fc_claim_apply(log, (int64_t)offset, e->stamp_ms, record);
    else planted_claim_apply(log, w->c->fold, (int64_t)offset, e->stamp_ms, record, e->buried);
}

/* ---- the log and the truth ---- */

static void append(struct world *w, struct entry e) {
    if (w->count == LOG_MAX || w->seen_at[w->count] + TABLE > SEEN_MAX) return;
    e.stamp_ms = (int64_t)w->now_ms + w->skew_ms;
    w->entries[w->count] = e;
    fold(w, &w->truth, w->count, &e);
    size_t end = w->seen_at[w->count];
    for (size_t i = 0; i < w->truth.count; i++)
        w->seen[end++] = (struct seen){w->truth.members[i].id, w->truth.members[i].lo};
    w->hashes[w->count] = fc_claim_hash(&w->truth);
    if (e.tick) tell(w, "@%zu tick", w->count);
    else if (e.buried != 0) tell(w, "@%zu tombstone of member %llu", w->count, (unsigned long long)e.buried - 1);
    else
        tell(w, "@%zu member %llu.%llu seq %llu base %.4g%% claim %.4g%% applied %lld", w->count,
             (unsigned long long)e.record.id.member - 1, (unsigned long long)e.record.id.incarnation,
             (unsigned long long)e.record.seq, pct(e.record.base), pct(e.record.claim), (long long)e.record.applied);
    w->seen_at[++w->count] = end;
}

static void check_intervals(struct world *w, const struct process *p, size_t offset) {
    const struct seen *from = &w->seen[w->seen_at[offset]], *end = &w->seen[w->seen_at[offset + 1]];
    for (const struct seen *s = from; s < end; s++) {
        const struct fc_claim_member *m = fc_claim_find(&p->log, s->id);
        uint64_t lo = m != NULL ? m->lo : 0, hi = m != NULL ? m->hi : 0;
        if (lo > s->share || hi < s->share)
            fail(w, "interval", "member %zu at @%zu sees [%.4g%%, %.4g%%] of %llu.%llu, which has %.4g%%", number_of(w, p),
                 offset, pct(lo), pct(hi), (unsigned long long)s->id.member - 1, (unsigned long long)s->id.incarnation,
                 pct(s->share));
    }
    for (size_t i = 0; i < p->log.count; i++) {
        const struct fc_claim_member *m = &p->log.members[i];
        bool there = m->lo == 0;
        for (const struct seen *s = from; s < end && !there; s++)
            there = s->id.member == m->id.member && s->id.incarnation == m->id.incarnation;
        if (!there)
            fail(w, "interval", "member %zu at @%zu keeps lo %.4g%% of %llu.%llu, which was dropped", number_of(w, p),
                 offset, pct(m->lo), (unsigned long long)m->id.member - 1, (unsigned long long)m->id.incarnation);
    }
    if (!fc_claim_closed(&p->log)) return;
    w->result->measures[CLAIM_CLOSED]++;
    if (fc_claim_hash(&p->log) != w->hashes[offset]) fail(w, "hash", "member %zu at @%zu", number_of(w, p), offset);
}

/* ---- a member ---- */

static void start(struct world *w, struct process *p, size_t next) {
    uint64_t incarnation = p->incarnation + 1, demand = p->demand;
    memset(p, 0, sizeof *p);
    p->alive = true;
    p->incarnation = incarnation;
    p->demand = demand;
    p->next = next;
    struct fc_claim_settings s = settings(w->c);
    fc_claim_log_init(&p->log, &s, p->table, w->c->table != 0 ? w->c->table : TABLE);
    fc_claim_self_init(&p->self, (struct fc_claim_id){number_of(w, p) + 1, incarnation}, TTL_MS * NS_PER_MS);
}

static uint64_t counted(struct world *w, struct process *p) {
    uint64_t sum = 0;
    while (p->used_first < p->used_end && p->uses[p->used_first % USES].ms + w->c->window_ms <= w->now_ms) p->used_first++;
    for (size_t i = p->used_first; i < p->used_end; i++) sum += p->uses[i % USES].permits;
    return sum;
}

static uint64_t usable(const struct world *w, const struct process *p) {
    return p->alive ? fc_claim_usable(&p->self, ns(w)) : 0;
}

static void send(struct world *w, struct process *p, uint64_t claim) {
    if (p->out.tail - p->out.head >= QUEUE - 2) return;
    uint64_t before = usable(w, p), still = w->c->window_ms != 0 ? fc_claim_share(counted(w, p), w->c->limit) : 0;
    if (w->c->defect == CLAIM_WINDOW_BASE_SHARE || (w->c->defect == CLAIM_WINDOW_LEAVE_ZERO && p->self.leaving)) still = 0;
    struct fc_claim_wish wish = {.claim = claim, .demand = p->demand, .counted = still};
    struct entry e = {.record = fc_claim_publish(&p->self, &p->log, &wish, ns(w))};
    p->out.entries[p->out.tail++ % QUEUE] = e;
    p->sent_ms = w->now_ms;
    if (w->c->defect == CLAIM_ONE_PHASE && fc_claim_learned(&p->log)) {
        p->self.share = e.record.claim;
        p->self.until_ns = ns(w) + TTL_MS * NS_PER_MS;
    }
    if (w->c->defect == CLAIM_BEFORE_ACCEPT && fc_claim_learned(&p->log)) {
        uint64_t others = 0;
        for (size_t i = 0; i < p->log.count; i++)
            if (p->log.members[i].id.member != p->self.id.member) others += p->log.members[i].hi;
        uint64_t left = others < FC_CLAIM_WHOLE ? FC_CLAIM_WHOLE - others : 0;
        if (least_of(e.record.claim, left) > p->self.share) p->self.share = least_of(e.record.claim, left);
    }
    if (w->c->defect == CLAIM_LOWER_LATE && !p->self.leaving) p->self.share = before;
    tell(w, "member %zu.%llu sends seq %llu base %.4g%% claim %.4g%%", number_of(w, p), (unsigned long long)p->incarnation,
         (unsigned long long)e.record.seq, pct(e.record.base), pct(e.record.claim));
}

static void leave(struct world *w, struct process *p) {
    if (!p->alive || p->paused || p->self.leaving || p->out.tail - p->out.head >= QUEUE - 3) return;
    fc_claim_leave(&p->self);
    send(w, p, 0);
    struct entry tombstone = {.buried = number_of(w, p) + 1};
    if (fc_claim_gone(&p->self)) p->out.entries[p->out.tail++ % QUEUE] = tombstone;
    tell(w, "member %zu leaves", number_of(w, p));
}

static void adversarial_send(struct world *w, struct process *p, const struct sim_event *e) {
    if (!p->alive || p->paused || p->self.leaving) return;
    struct fc_claim_wish wish = {.demand = p->demand};
    uint64_t claim;
    if (e->a < 5) claim = FC_CLAIM_WHOLE;
    else if (e->a < 8) claim = FC_CLAIM_WHOLE / w->c->members;
    else if (e->a < 10) claim = fc_claim_target(&p->log, p->self.id, &wish, 0, 0);
    else if (e->a < 11) claim = (uint64_t)e->b << 8;
    else claim = FC_CLAIM_WHOLE / 8 * (e->b % 9);
    send(w, p, claim);
}

static void beat(struct world *w, struct process *p, const struct sim_event *e) {
    if (!p->alive || p->paused || p->self.leaving) return;
    struct fc_claim_wish wish = {.demand = p->demand};
    uint64_t waited = w->now_ms - p->sent_ms;
    if (waited < HEARTBEAT_MS / 4) return;
    uint64_t target = fc_claim_target(&p->log, p->self.id, &wish, 0, 0), share = usable(w, p);
    uint64_t moved = target > share ? target - share : share - target;
    bool at_once = fc_claim_learned(&p->log) && moved > FC_CLAIM_WHOLE / 10 / w->c->members;
    if (!at_once && waited < HEARTBEAT_MS - 20 + p->jitter_ms) return;
    p->jitter_ms = e->a;
    send(w, p, target);
}

/* One's own record has come back. */
static void own_applied(struct world *w, struct process *p, const struct fc_claim_record *record) {
    uint64_t before = usable(w, p), until = p->self.until_ns;
    fc_claim_own(&p->self, &p->log, record, ns(w));
    const struct fc_claim_member *m = fc_claim_find(&p->log, p->self.id);
    if (w->c->defect == CLAIM_RAISE_ON_OLDER && m != NULL && m->seq == record->seq && p->self.until_ns != until &&
        !p->self.leaving)
        p->self.share = m->lo;
    if (w->c->defect == CLAIM_LEASE_FROM_APPLY && p->self.until_ns != until) p->self.until_ns = ns(w) + TTL_MS * NS_PER_MS;
    if (w->c->defect == CLAIM_ONE_PHASE && p->self.share < before) p->self.share = before;
    w->result->measures[CLAIM_RAISES] += usable(w, p) > before;
    tell(w, "member %zu.%llu applies its seq %llu: %.4g%% until %llu ms", number_of(w, p), (unsigned long long)p->incarnation,
         (unsigned long long)record->seq, pct(usable(w, p)), (unsigned long long)(p->self.until_ns / NS_PER_MS) - 1000);
}

static void deliver(struct world *w, struct process *p, uint64_t most) {
    if (!p->alive || p->paused) return;
    for (; most > 0 && p->next < w->count; most--) {
        size_t offset = p->next++;
        const struct entry *e = &w->entries[offset];
        bool before = fc_claim_learned(&p->log);
        fold(w, &p->log, offset, e);
        w->result->measures[CLAIM_LEARNED] += fc_claim_learned(&p->log) && !before;
        if (fc_claim_learned(&p->log)) check_intervals(w, p, offset);
        bool own = !e->tick && e->buried == 0 && e->record.id.member == p->self.id.member &&
                   e->record.id.incarnation == p->self.id.incarnation;
        if (own) own_applied(w, p, &e->record);
    }
}

static void use(struct world *w, struct process *p, uint64_t most) {
    if (!p->alive || p->paused || p->used_end - p->used_first >= USES || w->used_end == LOG_MAX) return;
    uint64_t share = fc_claim_permits(usable(w, p), w->c->limit), used = counted(w, p);
    uint64_t can = share > used ? share - used : 0;
    if (w->c->realistic) can = least_of(can, 1 + w->c->limit / 100);
    uint64_t n = most == 0 ? can : least_of(can, most);
    if (n == 0) return;
    p->uses[p->used_end++ % USES] = w->uses[w->used_end++] = (struct use){w->now_ms, n};
    w->used_in_window += n;
    for (; w->uses[w->used_first].ms + w->c->window_ms <= w->now_ms; w->used_first++)
        w->used_in_window -= w->uses[w->used_first].permits;
    tell(w, "member %zu uses %llu, %llu in the window", number_of(w, p), (unsigned long long)n,
         (unsigned long long)w->used_in_window);
    if (w->used_in_window > w->c->limit)
        fail(w, "window", "%llu uses of %llu in a window", (unsigned long long)w->used_in_window,
             (unsigned long long)w->c->limit);
}

/* ---- the adversary ---- */

static bool pop(const struct world *w, struct queue *q, struct entry *e) {
    if (q->head == q->tail || w->now_ms < q->stalled_until_ms) return false;
    *e = q->entries[q->head++ % QUEUE];
    return true;
}

static void append_ghost(struct world *w, uint32_t which) {
    if (w->ghost_count == 0) return;
    struct queue *q = &w->ghosts[which % w->ghost_count];
    struct entry e;
    if (pop(w, q, &e)) append(w, e);
    else if (q->head == q->tail) *q = w->ghosts[--w->ghost_count];
}

static void kill_and_start(struct world *w, struct process *p, const struct sim_event *e) {
    if (w->ghost_count < GHOSTS && p->out.head < p->out.tail) {
        struct queue *q = &w->ghosts[w->ghost_count++];
        *q = p->out;
        if (q->stalled_until_ms < w->now_ms + e->b) q->stalled_until_ms = w->now_ms + e->b;
    }
    start(w, p, w->count > e->a ? w->count - e->a : 0);
    tell(w, "member %zu is killed and starts as %zu.%llu at @%zu", number_of(w, p), number_of(w, p),
         (unsigned long long)p->incarnation, p->next);
}

static void leap(struct world *w, uint32_t which) {
    static const int64_t leaps_ms[] = {-3600000, -1000, -300, 300, 1000, 3600000};
    int64_t by = leaps_ms[which % 6];
    if (w->leaps == w->c->leaps || (by > 0 && w->leapt_ms != 0 && w->now_ms - w->leapt_ms < LEAP_APART_MS)) return;
    if (by > 0) w->leapt_ms = w->now_ms;
    w->leaps++;
    w->skew_ms += by;
    tell(w, "the broker's clock leaps by %lld ms", (long long)by);
}

static void duplicate(struct world *w, uint32_t which) {
    if (w->count == 0) return;
    const struct entry *e = &w->entries[w->count - 1 - which % least_of(w->count, 40)];
    if (!e->tick && e->buried == 0) append(w, *e);
}

static void pass(struct world *w, uint64_t ms) {
    if (w->measuring) {
        double served = 0, asked = 0, sum = 0;
        for (size_t i = 0; i < w->c->members; i++) {
            const struct process *p = &w->processes[i];
            sum += (double)usable(w, p);
            served += (double)least_of(usable(w, p), p->demand);
            asked += (double)p->demand;
        }
        if (asked > (double)FC_CLAIM_WHOLE) asked = (double)FC_CLAIM_WHOLE;
        w->measured_ms += (double)ms;
        w->area += sum * (double)ms;
        w->served += served * (double)ms, w->asked += asked * (double)ms;
        if (w->calm) w->calm_served += served * (double)ms, w->calm_asked += asked * (double)ms;
    }
    w->now_ms += ms;
}

static void happen(struct world *w, const struct sim_event *e) {
    struct process *p = &w->processes[e->who];
    struct entry entry;
    switch ((enum claim_event)e->kind) {
    case CLAIM_PASS: pass(w, e->a); return;
    case CLAIM_SEND: adversarial_send(w, p, e); return;
    case CLAIM_BEAT: beat(w, p, e); return;
    case CLAIM_APPEND:
        if (!pop(w, &p->out, &entry)) return;
        if (e->a != 0) append(w, entry);
        if (p->self.leaving && p->out.head == p->out.tail) p->alive = false;
        return;
    case CLAIM_APPEND_GHOST: append_ghost(w, e->a); return;
    case CLAIM_DELIVER: deliver(w, p, e->a); return;
    case CLAIM_STALL:
        p->out.stalled_until_ms = w->now_ms + e->a;
        tell(w, "the link of member %zu stalls for %u ms", e->who + (size_t)0, e->a);
        return;
    case CLAIM_PAUSE: p->paused = e->a != 0; return;
    case CLAIM_KILL: kill_and_start(w, p, e); return;
    case CLAIM_GAP:
        if (p->alive && p->next + e->a <= w->count) p->next += e->a;
        return;
    case CLAIM_LEAP: leap(w, e->a); return;
    case CLAIM_TICK: append(w, (struct entry){.tick = true}); return;
    case CLAIM_USE: use(w, p, e->a); return;
    case CLAIM_LEAVE: leave(w, p); return;
    case CLAIM_DEMAND: p->demand = FC_CLAIM_WHOLE / 1000 * e->a; return;
    case CLAIM_DUPLICATE: duplicate(w, e->a); return;
    case CLAIM_MEASURE: w->measuring = true, w->calm = e->a != 0; return;
    }
}

static void check_sum(struct world *w) {
    uint64_t sum = 0;
    for (size_t i = 0; i < w->c->members; i++) sum += usable(w, &w->processes[i]);
    if (sum > FC_CLAIM_WHOLE)
        fail(w, "sum", "%.5g%% of the limit is usable at %llu ms", pct(sum), (unsigned long long)w->now_ms - 1000);
}

static void begin(struct world *w, const struct claim_config *c, struct sim_result *result, bool told) {
    static const uint16_t demands[] = {10, 200, 800};
    w->c = c, w->result = result, w->told = told;
    w->now_ms = 1000, w->skew_ms = 0, w->leapt_ms = 0, w->leaps = 0;
    w->ghost_count = w->count = w->used_first = w->used_end = 0;
    w->used_in_window = 0;
    w->seen_at[0] = 0;
    w->measuring = w->calm = false;
    w->area = w->served = w->asked = w->calm_served = w->calm_asked = w->measured_ms = 0;
    struct fc_claim_settings s = settings(c);
    fc_claim_log_init(&w->truth, &s, w->truth_table, TABLE);
    /* The truth has nothing to learn: it knows that nobody was there before. */
    w->truth.clock_ms = s.ttl_log_ms + 1;
    for (size_t i = 0; i < c->members; i++) {
        w->processes[i].incarnation = 0;
        w->processes[i].demand = FC_CLAIM_WHOLE / 1000 * demands[i % 3];
        start(w, &w->processes[i], 0);
    }
}

static void finish(struct world *w) {
    static const char *const names[] = {"usable", "served", "served when calm", "learned",
                                        "raises", "closed", "relearned",        NULL};
    struct sim_result *r = w->result;
    r->names = names;
    r->measures[CLAIM_USABLE] = w->measured_ms == 0 ? 0 : w->area / w->measured_ms / (double)FC_CLAIM_WHOLE;
    r->measures[CLAIM_SERVED] = w->asked == 0 ? 0 : w->served / w->asked;
    r->measures[CLAIM_CALM] = w->calm_asked == 0 ? 0 : w->calm_served / w->calm_asked;
    for (size_t i = 0; i < w->c->members; i++)
        r->measures[CLAIM_RELEARNED] += (double)w->processes[i].log.forgot[FC_CLAIM_TABLE_FULL];
    for (size_t i = 0; i < w->c->members; i++)
        if (w->processes[i].log.forgot[FC_CLAIM_CONTRADICTION] != 0) fail(w, "contradiction", "member %zu saw one", i);
}

void claim_run(const void *config, const struct sim_event *events, const size_t *kept, size_t count, bool told,
               struct sim_result *result) {
    static struct world w;
    begin(&w, config, result, told);
    for (size_t i = 0; i < count && result->oracle == NULL; i++) {
        result->at = i;
        happen(&w, &events[kept[i]]);
        check_sum(&w);
    }
    finish(&w);
}

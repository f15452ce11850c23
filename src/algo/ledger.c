#include <flowctl/sys/ledger.h>

#include "base/wide.h"

#include <flowctl/token_bucket.h>
#include <string.h>

__extension__ typedef __int128 level; /* L: 1/period_ns of a permit */

#define MAGIC UINT64_C(0x31524447444c4346) /* "FCLDGDR1" */

/* Not 0, which means none; whole also for a store that counts in microseconds. */
#define FIRST_CLK_NS 1000

static level level_of(const flowctl_ledger *l) { return (level)((fc_u128)l->level_hi << 64 | l->level_lo); }

static void set_level(flowctl_ledger *l, level value) {
    l->level_hi = (uint64_t)((fc_u128)value >> 64);
    l->level_lo = (uint64_t)(fc_u128)value;
}

/* The most that L may be. */
static level ceiling(const flowctl_ledger *l) {
    return ((level)l->terms.burst - (level)l->out) * (level)l->terms.rate.period_ns;
}

static void clip(flowctl_ledger *l) {
    if (level_of(l) > ceiling(l)) set_level(l, ceiling(l));
}

static int64_t whole_permits(const flowctl_ledger *l) {
    level value = level_of(l), period = (level)l->terms.rate.period_ns, whole = value / period;
    return (int64_t)(value % period < 0 ? whole - 1 : whole);
}

static const flowctl_ledger_session *sessions_of(const flowctl_ledger *l) {
    return (const flowctl_ledger_session *)(const void *)(l + 1);
}

static uint64_t out_of(const flowctl_ledger_session *s) { return s->granted - s->used - s->back; }
static bool same(flowctl_session_id a, flowctl_session_id b) { return a.hi == b.hi && a.lo == b.lo; }
static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* How far the clock moves at most by a step of the store's time. */
static uint64_t step_ns(const flowctl_ledger *l) { return l->shortest_ttl_ns / 4; }

/* How long by the ledger's clock a lease of `ttl_ns` may be in use: two such steps, and a guard. */
static uint64_t margin(const flowctl_ledger *l, uint64_t ttl_ns) { return ttl_ns + 2 * step_ns(l) + (ttl_ns + 3) / 4; }

static bool in_quarantine(const flowctl_ledger *l) { return l->clk_ns <= l->quarantine_until_clk_ns; }

/* ---- settings ---- */

static bool terms_are_sound(const flowctl_lease_terms *t) {
    return t->rate.permits != 0 && t->rate.period_ns != 0 && t->rate.period_ns <= FLOWCTL_PERIOD_MAX_NS &&
           (fc_u128)t->rate.permits * FLOWCTL_NS_PER_SEC <= (fc_u128)FLOWCTL_RATE_MAX_PER_SEC * t->rate.period_ns &&
           t->burst != 0 && t->burst <= FLOWCTL_BURST_MAX && t->ttl_ns >= FLOWCTL_TTL_MIN_NS &&
           t->ttl_ns <= FLOWCTL_TTL_MAX_NS;
}

/* Other settings: what is there stays, less a fraction that the new period can't express. */
static void adopt(flowctl_ledger *l, const flowctl_lease_terms *terms) {
    level value = level_of(l), old = (level)l->terms.rate.period_ns, new = (level)terms->rate.period_ns;
    level whole = value / old, rest = value % old;
    if (rest < 0) rest += old, whole--;
    set_level(l, whole * new + rest *new / old);
    l->terms = *terms;
    /* A quarantine waits for the longest leases: they may have been lent before. */
    if (in_quarantine(l) && terms->ttl_ns > l->longest_ttl_ns)
        l->quarantine_until_clk_ns += margin(l, terms->ttl_ns) - margin(l, l->longest_ttl_ns);
    l->longest_ttl_ns = most(l->longest_ttl_ns, terms->ttl_ns);
    l->shortest_ttl_ns = least(l->shortest_ttl_ns, terms->ttl_ns);
    clip(l);
}

static bool begun(const flowctl_ledger *l) { return l->terms.burst != 0; }

static void begin(flowctl_ledger *l, const flowctl_lease_ask *ask, uint64_t now_ns) {
    l->terms = ask->terms;
    l->longest_ttl_ns = l->shortest_ttl_ns = ask->terms.ttl_ns;
    l->time_ns = now_ns;
    /* FLOWCTL_LEDGER_LOST left a 1 here. */
    if (l->quarantine_until_clk_ns != 0) l->quarantine_until_clk_ns = l->clk_ns + margin(l, l->longest_ttl_ns);
    else if (ask->start_full) set_level(l, ceiling(l));
}

void flowctl_ledger_init(flowctl_ledger *l, uint32_t room, uint64_t identity, flowctl_ledger_origin origin) {
    memset(l, 0, FLOWCTL_LEDGER_BYTES(room));
    l->magic = MAGIC;
    l->room = room;
    l->identity = identity;
    l->clk_ns = FIRST_CLK_NS;
    l->quarantine_until_clk_ns = origin == FLOWCTL_LEDGER_FIRST ? 0 : 1;
}

void flowctl_ledger_extend(flowctl_ledger *l, uint32_t room) {
    if (room > l->room) l->room = room;
}

/* ---- time ---- */

static void remove_session(flowctl_ledger *l, uint32_t at) {
    flowctl_ledger_session *sessions = flowctl_ledger_sessions(l);
    sessions[at] = sessions[--l->count];
}

static void expire(flowctl_ledger *l, uint32_t at) {
    uint64_t out = out_of(&flowctl_ledger_sessions(l)[at]);
    l->out -= out;
    l->expired += out;
    remove_session(l, at);
}

/* Another run of the store: what it lent before is not known for sure any more. Waits until none of it can be in use. */
static void quarantine(flowctl_ledger *l, uint64_t now_ns, uint64_t identity) {
    while (l->count != 0) expire(l, l->count - 1);
    if (level_of(l) > 0) set_level(l, 0);
    l->identity = identity;
    l->time_ns = now_ns;
    l->head_need = 0;
    l->quarantine_until_clk_ns = l->clk_ns + margin(l, l->longest_ttl_ns);
}

/*
 * A member that knows the clock of an earlier answer, and how long ago that was, vouches for more than one step. It knows nothing of when others were
 * answered since: their leases end no sooner for it.
 */
static void catch_up(flowctl_ledger *l, const flowctl_lease_ask *vouch) {
    if (vouch->seen_clk_ns == 0 || vouch->seen_clk_ns > l->clk_ns) return;
    uint64_t to_ns = vouch->seen_clk_ns + least(vouch->since_ns, FLOWCTL_PERIOD_MAX_NS);
    if (to_ns <= l->clk_ns) return;
    uint64_t by_ns = to_ns - l->clk_ns;
    for (uint32_t i = 0; i < l->count; i++)
        if (flowctl_ledger_sessions(l)[i].renewed_clk_ns >= vouch->seen_clk_ns)
            flowctl_ledger_sessions(l)[i].expires_clk_ns += by_ns;
    l->clk_ns = to_ns;
}

static void refill(flowctl_ledger *l, uint64_t ns) {
    set_level(l, level_of(l) + (level)l->terms.rate.permits * (level)least(ns, FLOWCTL_PERIOD_MAX_NS));
    clip(l);
}

/* Of the sessions that are over, the one that was first; l->count: none. */
static uint32_t first_over(const flowctl_ledger *l) {
    uint32_t first = l->count;
    for (uint32_t i = 0; i < l->count; i++) {
        uint64_t ends_ns = sessions_of(l)[i].expires_clk_ns;
        if (ends_ns < l->clk_ns && (first == l->count || ends_ns < sessions_of(l)[first].expires_clk_ns)) first = i;
    }
    return first;
}

/*
 * The clock and the level at now. `vouch`: the ask of a session that is known, or NULL. What a session held left no room for what was earned until it was
 * over: it may have been used at any time before.
 */
static void pass_time(flowctl_ledger *l, uint64_t now_ns, const flowctl_lease_ask *vouch) {
    uint64_t dt_ns = now_ns > l->time_ns ? now_ns - l->time_ns : 0, at_clk_ns = l->clk_ns;
    bool refills = !in_quarantine(l);
    l->time_ns = now_ns;
    l->clk_ns += least(dt_ns, step_ns(l));
    if (vouch != NULL) catch_up(l, vouch);
    for (uint32_t i; (i = first_over(l)) < l->count; expire(l, i)) {
        uint64_t ends_ns = most(at_clk_ns, sessions_of(l)[i].expires_clk_ns), before_ns = least(dt_ns, ends_ns - at_clk_ns);
        if (refills) refill(l, before_ns);
        dt_ns -= before_ns;
        at_clk_ns = ends_ns;
    }
    if (refills) refill(l, dt_ns);
    clip(l);
}

/* ---- sessions ---- */

static flowctl_ledger_session *find(flowctl_ledger *l, flowctl_session_id id) {
    for (uint32_t i = 0; i < l->count; i++)
        if (same(flowctl_ledger_sessions(l)[i].session, id)) return &flowctl_ledger_sessions(l)[i];
    return NULL;
}

static flowctl_ledger_session *open_session(flowctl_ledger *l, const flowctl_lease_ask *ask) {
    if (l->count == l->room) return NULL;
    flowctl_ledger_session *s = &flowctl_ledger_sessions(l)[l->count++];
    *s = (flowctl_ledger_session){.session = ask->session};
    if (ask->member != NULL) strncpy(s->name, ask->member, FLOWCTL_MEMBER_NAME_MAX);
    return s;
}

static void take_back(flowctl_ledger *l, flowctl_ledger_session *s, uint64_t back) {
    s->back += back;
    l->back += back;
    l->out -= back;
    set_level(l, level_of(l) + (level)back * (level)l->terms.rate.period_ns);
    clip(l);
}

/* Sums only grow; together they are never more than was granted. */
static void report(flowctl_ledger *l, flowctl_ledger_session *s, const flowctl_lease_ask *ask) {
    uint64_t used = ask->used > s->used ? least(ask->used - s->used, out_of(s)) : 0;
    s->used += used;
    l->used += used;
    l->out -= used;
    take_back(l, s, ask->back > s->back ? least(ask->back - s->back, out_of(s)) : 0);
}

/* "Lately", for those who are counted, by a clock that goes in steps: in between, a count changes only by the session that asks. */
static uint64_t counting_clk(const flowctl_ledger *l) { return l->clk_ns - l->clk_ns % (l->terms.ttl_ns / 16); }

/* Those who wanted something lately, or hold something: the burst is theirs. */
static uint64_t active(const flowctl_ledger *l) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        const flowctl_ledger_session *s = &sessions_of(l)[i];
        count += out_of(s) != 0 || (s->wanted_clk_ns != 0 && s->wanted_clk_ns + 2 * l->terms.ttl_ns >= counting_clk(l));
    }
    return count;
}

/* Those who got less than they wanted, lately; and whoever asks now. */
static uint64_t hungry(const flowctl_ledger *l, const flowctl_ledger_session *self) {
    uint64_t count = 1;
    for (uint32_t i = 0; i < l->count; i++) {
        const flowctl_ledger_session *s = &sessions_of(l)[i];
        count += s != self && s->short_clk_ns != 0 && s->short_clk_ns + l->terms.ttl_ns / 8 >= counting_clk(l);
    }
    return count;
}

/* ---- lending ---- */

static bool saved_for_another(const flowctl_ledger *l, flowctl_session_id id) {
    return l->head_need != 0 && l->clk_ns <= l->head_until_clk_ns && !same(l->head, id);
}

/* What this session may be lent now; less than `need` is nothing. */
static uint64_t lendable(const flowctl_ledger *l, const flowctl_ledger_session *s, uint64_t want, uint64_t need) {
    int64_t there = in_quarantine(l) ? 0 : whole_permits(l);
    if (saved_for_another(l, s->session)) there -= (int64_t)l->head_need;
    if (there <= 0) return 0;
    uint64_t share = most(1, 2 * l->terms.burst / most(1, active(l))), cap = most(share, need), out = out_of(s);
    uint64_t most_now = least((uint64_t)there, cap > out ? cap - out : 0);
    /* Where several are short, each takes its part of what is there, and not the first all of it. */
    uint64_t part = ((uint64_t)there + hungry(l, s) - 1) / hungry(l, s),
             grant = least(want, least(most_now, most(part, need)));
    return grant < need ? 0 : grant;
}

/* Who needs more than there is, is saved for until it asks again, or has not for a while. */
static void save(flowctl_ledger *l, const flowctl_ledger_session *s, uint64_t need, uint64_t grant) {
    bool mine = l->head_need != 0 && same(l->head, s->session);
    if (grant != 0 || need <= 1) {
        if (mine) l->head_need = 0;
    } else if (!saved_for_another(l, s->session) && need <= l->terms.burst) {
        l->head = s->session;
        l->head_need = need;
        l->head_until_clk_ns = l->clk_ns + l->terms.ttl_ns / 8;
    }
}

static uint64_t lend(flowctl_ledger *l, flowctl_ledger_session *s, uint64_t want, uint64_t need) {
    uint64_t grant = lendable(l, s, want, need);
    save(l, s, need, grant);
    set_level(l, level_of(l) - (level)grant * (level)l->terms.rate.period_ns);
    l->out += grant;
    l->granted += grant;
    s->granted += grant;
    s->short_clk_ns = grant < want ? l->clk_ns : 0;
    return grant;
}

static uint64_t retry_after(const flowctl_ledger *l, uint64_t need) {
    if (in_quarantine(l)) return l->quarantine_until_clk_ns - l->clk_ns + 1;
    level missing = (level)need * (level)l->terms.rate.period_ns - level_of(l), permits = (level)l->terms.rate.permits;
    if (missing <= 0) return 1;
    level wait = (missing + permits - 1) / permits;
    return wait > (level)FLOWCTL_PERIOD_MAX_NS ? FLOWCTL_PERIOD_MAX_NS : (uint64_t)wait;
}

/* ---- an ask ---- */

static flowctl_status check(const flowctl_lease_ask *ask) {
    if (ask->seq == 0 || ask->need > ask->want || ask->limit == NULL) return FLOWCTL_INVALID_ARGUMENT;
    return terms_are_sound(&ask->terms) ? FLOWCTL_OK : FLOWCTL_OUT_OF_RANGE;
}

/*
 * An account that is not the asker's: the store has ended that one, and an ask that came late or twice began another of the same name. Its owner's report
 * would pay for what was lent since, and its clock tell the time of a run that is lost.
 */
static bool is_another(const flowctl_ledger *l, const flowctl_ledger_session *s, const flowctl_lease_ask *ask) {
    if (ask->seen_identity != 0 && ask->seen_identity != l->identity) return true;
    return ask->used > s->granted || ask->back > s->granted - ask->used;
}

/* Whose ask it is; NULL, and reply->dead, if nobody's that is known. */
static flowctl_ledger_session *whose(flowctl_ledger *l, const flowctl_lease_ask *ask, flowctl_lease_reply *reply) {
    flowctl_ledger_session *s = find(l, ask->session);
    reply->dead = s != NULL ? is_another(l, s, ask) : ask->seq > 1;
    return reply->dead ? NULL : s;
}

static void answer(flowctl_ledger *l, flowctl_ledger_session *s, const flowctl_lease_ask *ask, flowctl_lease_reply *reply) {
    report(l, s, ask);
    if (ask->seq > s->seq) {
        s->seq = ask->seq;
        s->renewed_clk_ns = l->clk_ns;
        s->expires_clk_ns = most(s->expires_clk_ns, l->clk_ns + margin(l, l->terms.ttl_ns));
        if (ask->want != 0) {
            s->wanted_clk_ns = l->clk_ns;
            reply->grant = lend(l, s, ask->want, most(1, ask->need));
            if (reply->grant == 0) reply->retry_after_ns = retry_after(l, most(1, ask->need));
        }
    }
    reply->granted = s->granted;
    reply->lease_ns = l->terms.ttl_ns;
    if (ask->leaves) {
        take_back(l, s, out_of(s)); /* grants whose answers were lost */
        if (same(l->head, s->session)) l->head_need = 0;
        remove_session(l, (uint32_t)(s - flowctl_ledger_sessions(l)));
    }
}

void flowctl_ledger_ask(flowctl_ledger *l, const flowctl_lease_ask *ask, uint64_t now_ns, uint64_t identity,
                        flowctl_lease_reply *reply) {
    *reply = (flowctl_lease_reply){.size = reply->size, .status = check(ask), .session = ask->session, .seq = ask->seq};
    if (reply->status != FLOWCTL_OK) return;
    if (!begun(l)) begin(l, ask, now_ns);
    if (l->identity != identity) quarantine(l, now_ns, identity);
    pass_time(l, now_ns, whose(l, ask, reply) != NULL ? ask : NULL);
    if (ask->terms.version > l->terms.version) adopt(l, &ask->terms);
    flowctl_ledger_session *s = whose(l, ask, reply);
    if (s == NULL && !reply->dead && (s = open_session(l, ask)) == NULL) reply->status = FLOWCTL_NO_MEMORY;
    if (s != NULL) answer(l, s, ask, reply);
    reply->members = active(l);
    reply->scarce = s != NULL && saved_for_another(l, ask->session);
    reply->identity = identity;
    reply->clk_ns = l->clk_ns;
    reply->quarantine_ns = in_quarantine(l) ? l->quarantine_until_clk_ns - l->clk_ns + 1 : 0;
    reply->terms = l->terms;
}

/* ---- looking at it ---- */

bool flowctl_ledger_is_sound(const flowctl_ledger *l, size_t bytes) {
    if (bytes < sizeof *l || l->magic != MAGIC || l->count > l->room ||
        l->room > (bytes - sizeof *l) / sizeof(flowctl_ledger_session))
        return false;
    if (!begun(l)) return l->count == 0 && l->out == 0;
    uint64_t out = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        const flowctl_ledger_session *s = &sessions_of(l)[i];
        if (s->used > s->granted || s->back > s->granted - s->used || s->name[FLOWCTL_MEMBER_NAME_MAX] != '\0') return false;
        out += out_of(s);
    }
    return terms_are_sound(&l->terms) && l->longest_ttl_ns >= l->terms.ttl_ns && l->shortest_ttl_ns <= l->terms.ttl_ns &&
           l->shortest_ttl_ns >= FLOWCTL_TTL_MIN_NS && out == l->out && level_of(l) <= ceiling(l) &&
           l->granted == l->used + l->back + l->expired + l->out;
}

static flowctl_member_state member_state(const flowctl_ledger *l, const flowctl_ledger_session *s) {
    flowctl_member_state m = {.session = s->session, .seq = s->seq, .granted = s->granted, .used = s->used, .back = s->back};
    memcpy(m.name, s->name, sizeof m.name);
    m.expires_in_ns = s->expires_clk_ns > l->clk_ns ? s->expires_clk_ns - l->clk_ns : 0;
    m.active = s->wanted_clk_ns != 0 && s->wanted_clk_ns + 2 * l->terms.ttl_ns >= l->clk_ns;
    return m;
}

void flowctl_ledger_inspect(const flowctl_ledger *ledger, uint64_t now_ns, flowctl_limit_state *state,
                            flowctl_member_state *members, size_t room) {
    *state = (flowctl_limit_state){.size = state->size, .limit = state->limit, .members = members};
    if (!begun(ledger)) return;
    flowctl_ledger l = *ledger; /* without its sessions: none ends by looking */
    l.count = 0;
    pass_time(&l, now_ns, NULL);
    state->terms = l.terms;
    state->level = whole_permits(&l);
    state->out = l.out;
    state->granted = l.granted, state->used = l.used, state->back = l.back, state->expired = l.expired;
    state->quarantine_ns = in_quarantine(&l) ? l.quarantine_until_clk_ns - l.clk_ns + 1 : 0;
    state->clk_ns = l.clk_ns;
    for (uint32_t i = 0; i < ledger->count && state->member_count < room; i++)
        members[state->member_count++] = member_state(&l, &sessions_of(ledger)[i]);
}

/* The product's own functions, with one step before or after them that makes each wrong. */
#define flowctl_ledger_init product_init
#define flowctl_ledger_ask product_ask
#define flowctl_ledger_is_sound product_is_sound
#define flowctl_ledger_inspect product_inspect
#define flowctl_ledger_extend product_extend
#include "algo/ledger.c"

#include "sim/planted_ledger.h"

const char *const credit_defect_names[CREDIT_DEFECTS] = {
    [CREDIT_SOUND] = "sound",
    [CREDIT_NAIVE] = "refill up to the burst, whatever is out",
    [CREDIT_WALL_CLOCK] = "leases end by the wall clock",
    [CREDIT_LATE_REPORT] = "a late report pays for a newer lease",
    [CREDIT_SESSIONS_KEPT] = "sessions kept over a quarantine",
    [CREDIT_NO_QUARANTINE] = "no quarantine after a restart",
    [CREDIT_FULL_ON_CREATE] = "full after a loss",
    [CREDIT_OLD_FREED] = "a new process frees what the old one held",
    [CREDIT_RATCHET] = "the store's time never goes back",
    [CREDIT_VOUCH_ENDS] = "who vouches ends younger leases",
    [CREDIT_ENDS_FIRST] = "leases end before the refill",
    [CREDIT_ANY_ACCOUNT] = "another account of the name taken for one's own",
    [CREDIT_FROM_REPLY] = "a lease counts from the answer",
    [CREDIT_LATE_GRANT] = "a grant counted as lost is used after all",
    [CREDIT_LESS_BELIEVED] = "an answer that knows less is believed",
    [CREDIT_ANY_SESSION] = "an answer to an older session is believed",
    [CREDIT_GAP_IGNORED] = "a lost grant counts as used",
};

/* Credit of sessions that were kept, and that O does not count: in the place of the last session, which no test fills. */
static uint64_t *kept_out(flowctl_ledger *l) { return &flowctl_ledger_sessions(l)[l->room - 1].granted; }

static void keep_sessions(flowctl_ledger *l, uint64_t now_ns, uint64_t identity) {
    set_level(l, 0);
    *kept_out(l) = l->out;
    l->identity = identity;
    l->time_ns = now_ns;
    l->quarantine_until_clk_ns = l->clk_ns + margin(l, l->longest_ttl_ns);
}

/* Takes the account for the asker's, and the report as far as it goes. */
static void believe(flowctl_ledger *l, flowctl_lease_ask *ask) {
    flowctl_ledger_session *s = find(l, ask->session);
    ask->seen_identity = 0;
    if (s == NULL) return;
    ask->used = least(ask->used, s->granted);
    ask->back = least(ask->back, s->granted - ask->used);
}

static void reopen(flowctl_ledger *l, flowctl_lease_ask *ask, uint64_t now_ns) {
    pass_time(l, now_ns, find(l, ask->session) != NULL ? ask : NULL);
    if (find(l, ask->session) == NULL) open_session(l, ask);
    believe(l, ask);
}

static void free_older(flowctl_ledger *l, const flowctl_lease_ask *ask) {
    if (find(l, ask->session) != NULL || ask->seq > 1) return;
    for (uint32_t i = l->count; i-- > 0;)
        if (strcmp(flowctl_ledger_sessions(l)[i].name, ask->member) == 0) expire(l, i);
}

static void believe_clock(flowctl_ledger *l, flowctl_lease_ask *ask) {
    if (find(l, ask->session) == NULL || ask->seen_identity != l->identity || ask->seen_clk_ns == 0) return;
    l->clk_ns = most(l->clk_ns, ask->seen_clk_ns + ask->since_ns);
    ask->seen_clk_ns = 0;
}

static void end_first(flowctl_ledger *l, const flowctl_lease_ask *ask, uint64_t now_ns) {
    uint64_t dt_ns = now_ns > l->time_ns ? now_ns - l->time_ns : 0, by_ns = least(dt_ns, step_ns(l));
    flowctl_lease_reply unused;
    if (l->identity != ask->seen_identity) return;
    l->clk_ns += by_ns;
    if (whose(l, ask, &unused) != NULL) catch_up(l, ask);
    for (uint32_t i; (i = first_over(l)) < l->count;) expire(l, i);
    l->clk_ns -= by_ns; /* it will be added */
}

/* What is wrong before the ask; *lent: out, and not counted. */
static uint64_t spoil(enum credit_defect defect, flowctl_ledger *l, flowctl_lease_ask *ask, uint64_t now_ns,
                      uint64_t identity, uint64_t *lent) {
    *lent = 0;
    switch (defect) {
    case CREDIT_NAIVE: *lent = l->out; break;
    case CREDIT_WALL_CLOCK:
        l->clk_ns = now_ns - (now_ns > l->time_ns ? least(now_ns - l->time_ns, step_ns(l)) : 0);
        ask->seen_clk_ns = 0;
        break;
    case CREDIT_LATE_REPORT: reopen(l, ask, now_ns); break;
    case CREDIT_SESSIONS_KEPT:
        if (l->identity != identity) keep_sessions(l, now_ns, identity);
        l->terms.burst += *kept_out(l);
        pass_time(l, now_ns, NULL);
        l->terms.burst -= *kept_out(l);
        *lent = least(*kept_out(l), l->out);
        ask->seen_identity = 0;
        break;
    case CREDIT_NO_QUARANTINE: l->identity = identity, ask->seen_identity = 0; break;
    case CREDIT_OLD_FREED: free_older(l, ask); break;
    case CREDIT_RATCHET: return most(now_ns, l->time_ns);
    case CREDIT_VOUCH_ENDS: believe_clock(l, ask); break;
    case CREDIT_ENDS_FIRST: end_first(l, ask, now_ns); break;
    case CREDIT_ANY_ACCOUNT: believe(l, ask); break;
    default: break;
    }
    return now_ns;
}

void planted_ledger_ask(enum credit_defect defect, flowctl_ledger *l, const flowctl_lease_ask *ask, uint64_t now_ns,
                        uint64_t identity, flowctl_lease_reply *reply) {
    flowctl_lease_ask spoilt = *ask;
    if (!begun(l) && defect == CREDIT_WALL_CLOCK) l->clk_ns = now_ns;
    uint64_t lent = 0, time_ns = begun(l) ? spoil(defect, l, &spoilt, now_ns, identity, &lent) : now_ns;
    l->terms.burst += lent;
    product_ask(l, &spoilt, time_ns, identity, reply);
    l->terms.burst -= lent;
    reply->terms.burst -= lent;
    /* Stores that do not tell their runs apart. */
    if (defect == CREDIT_SESSIONS_KEPT || defect == CREDIT_NO_QUARANTINE || defect == CREDIT_ANY_ACCOUNT)
        reply->identity = 1;
}

void planted_ledger_init(enum credit_defect defect, flowctl_ledger *l, uint32_t room, uint64_t identity,
                         flowctl_ledger_origin origin) {
    product_init(l, room, identity, defect == CREDIT_FULL_ON_CREATE ? FLOWCTL_LEDGER_FIRST : origin);
}

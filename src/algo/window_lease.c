#include "algo/window_lease.h"

static uint64_t least_of(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most_of(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t rest_of(uint64_t all, uint64_t taken) { return all > taken ? all - taken : 0; }

static bool same(struct fc_window_id a, struct fc_window_id b) { return a.hi == b.hi && a.lo == b.lo; }

/* ---- the store ---- */

static struct fc_window_session *find(struct fc_window_store *s, struct fc_window_id id) {
    for (size_t i = 0; i < s->session_count; i++)
        if (same(s->sessions[i].id, id)) return &s->sessions[i];
    return NULL;
}

/* A lease, by the store's clock. */
static uint64_t lease_us(const struct fc_window_settings *s) { return s->ttl_us + 2 * s->step_max_us + s->guard_us; }

void fc_window_store_init(struct fc_window_store *store, const struct fc_window_settings *settings, uint64_t identity,
                          uint64_t wall_us, struct fc_window_slot *slots, size_t slot_capacity,
                          struct fc_window_session *sessions, size_t session_capacity) {
    *store = (struct fc_window_store){.settings = *settings,
                                      .identity = identity,
                                      .wall_us = wall_us,
                                      .slots = slots,
                                      .slot_capacity = slot_capacity,
                                      .sessions = sessions,
                                      .session_capacity = session_capacity};
    store->counted_us = settings->window_us + 2 * settings->step_max_us;
    store->clock_us = store->counted_us;
    /* Two more than the window takes: the oldest is partly outside, and the newest is not yet over. */
    store->slot_us = (store->counted_us + slot_capacity - 3) / (slot_capacity - 2);
}

static struct fc_window_slot *slot_at(const struct fc_window_store *s, size_t i) {
    size_t at = s->slot_first + i;
    return &s->slots[at < s->slot_capacity ? at : at - s->slot_capacity];
}

static bool in_window(const struct fc_window_store *s, uint64_t when_us) { return when_us + s->counted_us > s->clock_us; }

static void leave_window(struct fc_window_store *s) {
    while (s->slot_count != 0 && !in_window(s, slot_at(s, 0)->latest_us)) {
        s->dated -= slot_at(s, 0)->uses;
        s->slot_first = s->slot_first + 1 < s->slot_capacity ? s->slot_first + 1 : 0;
        s->slot_count--;
    }
}

/* The slot for a use of this moment. Should there be none left, the newest takes more than its time. */
static struct fc_window_slot *slot_of_now(struct fc_window_store *s) {
    struct fc_window_slot *newest = s->slot_count != 0 ? slot_at(s, s->slot_count - 1) : NULL;
    bool left = s->slot_count < s->slot_capacity;
    if (newest == NULL || (left && s->clock_us - newest->opened_us >= s->slot_us)) {
        newest = slot_at(s, s->slot_count++);
        *newest = (struct fc_window_slot){.opened_us = s->clock_us};
    }
    newest->latest_us = s->clock_us;
    newest->turn = s->turn;
    return newest;
}

/* A date in the past goes to the oldest slot that is not before it. */
static void date(struct fc_window_store *s, uint64_t uses, uint64_t when_us) {
    if (uses == 0 || !in_window(s, when_us)) return;
    struct fc_window_slot *slot = NULL;
    for (size_t i = 0; i < s->slot_count && slot == NULL; i++)
        if (slot_at(s, i)->latest_us >= when_us) slot = slot_at(s, i);
    if (slot == NULL || when_us == s->clock_us) slot = slot_of_now(s);
    slot->uses += uses;
    s->dated += uses;
}

static uint64_t out_of(const struct fc_window_session *session) { return session->granted - session->used - session->back; }

static void end_sessions(struct fc_window_store *s) {
    for (size_t i = 0; i < s->session_count;) {
        struct fc_window_session *session = &s->sessions[i];
        if (s->clock_us <= session->ends_us) {
            i++;
            continue;
        }
        s->out -= out_of(session);
        date(s, out_of(session), session->ends_us);
        *session = s->sessions[--s->session_count];
    }
}

/*
 * To what a holder vouches for: that `since` has passed since its answer. How old things after that answer are is known by the late clock
 * only, so they keep their age.
 */
static void catch_up(struct fc_window_store *s, const struct fc_window_request *request) {
    uint64_t now_us;
    if (request->store != s->identity || request->turn == 0) return;
    if (__builtin_add_overflow(request->clock_us, request->since_us, &now_us) || now_us <= s->clock_us) return;
    uint64_t late_us = now_us - s->clock_us;
    for (size_t i = 0; i < s->session_count; i++)
        if (s->sessions[i].turn > request->turn) s->sessions[i].ends_us += late_us;
    if (s->quarantine_turn > request->turn) s->quarantined_until_us += late_us;
    for (size_t i = 0; i < s->slot_count; i++) {
        struct fc_window_slot *slot = slot_at(s, i);
        if (slot->turn <= request->turn) continue;
        slot->opened_us += late_us;
        slot->latest_us += late_us;
    }
    s->clock_us = now_us;
}

static void advance(struct fc_window_store *s, uint64_t wall_us, const struct fc_window_request *request) {
    if (wall_us > s->wall_us) s->clock_us += least_of(wall_us - s->wall_us, s->settings.step_max_us);
    s->wall_us = wall_us;
    s->turn++;
    if (find(s, request->id) != NULL) catch_up(s, request);
    leave_window(s);
    end_sessions(s);
}

void fc_window_quarantine(struct fc_window_store *store) {
    store->session_count = 0;
    store->out = 0;
    store->quarantine_turn = ++store->turn;
    store->quarantined_until_us = store->clock_us + lease_us(&store->settings) + store->counted_us;
}

/* Takes over the sums; false if they can't be of this session. */
static bool report(struct fc_window_store *s, struct fc_window_session *session, uint64_t used, uint64_t back) {
    uint64_t total;
    used = most_of(used, session->used);
    back = most_of(back, session->back);
    if (__builtin_add_overflow(used, back, &total) || total > session->granted) return false;
    date(s, used - session->used, s->clock_us);
    s->out -= total - session->used - session->back;
    session->used = used;
    session->back = back;
    return true;
}

/* Two even parts at most, so that one holder can't keep all of it. */
static uint64_t grant_of(const struct fc_window_store *s, const struct fc_window_session *session, uint64_t want) {
    if (s->clock_us < s->quarantined_until_us) return 0;
    uint64_t part = most_of(1, s->settings.limit / s->session_count * 2);
    uint64_t room = rest_of(s->settings.limit, s->out + s->dated);
    return least_of(want, least_of(room, rest_of(part, out_of(session))));
}

struct fc_window_answer fc_window_lend(struct fc_window_store *store, uint64_t wall_us,
                                       const struct fc_window_request *request) {
    struct fc_window_answer answer = {.id = request->id, .outcome = FC_WINDOW_DEAD, .seq = request->seq};
    advance(store, wall_us, request);
    answer.clock_us = store->clock_us;
    answer.turn = store->turn;
    answer.store = store->identity;
    struct fc_window_session *session = find(store, request->id);
    if (session == NULL) {
        if (request->seq > 1 || request->used != 0 || request->back != 0) return answer;
        if (store->session_count == store->session_capacity) return answer.outcome = FC_WINDOW_FULL, answer;
        session = &store->sessions[store->session_count++];
        *session = (struct fc_window_session){.id = request->id, .ends_us = store->clock_us, .turn = store->turn};
    }
    if (!report(store, session, request->used, request->back)) return answer;
    if (request->seq <= session->seq) return answer.outcome = FC_WINDOW_STALE, answer;
    session->seq = request->seq;
    uint64_t grant = grant_of(store, session, request->want);
    session->granted += grant;
    store->out += grant;
    uint64_t ends = store->clock_us + lease_us(&store->settings);
    session->ends_us = most_of(session->ends_us, ends);
    session->turn = store->turn;
    answer.outcome = FC_WINDOW_ANSWERED;
    answer.granted = session->granted;
    return answer;
}

/* ---- the holder ---- */

void fc_window_holder_init(struct fc_window_holder *holder, struct fc_window_id id, uint64_t ttl_ns) {
    *holder = (struct fc_window_holder){.id = id, .ttl_ns = ttl_ns};
}

/* Credit that outlived its lease is never used: that can be reported. */
static void lapse(struct fc_window_holder *h, uint64_t now_ns) {
    if (now_ns < h->until_ns) return;
    h->back += h->credit;
    h->credit = 0;
}

/* Time since the store's clock was heard of, short by more than machines' clocks drift apart. */
static uint64_t since_us(const struct fc_window_holder *h, uint64_t now_ns) {
    uint64_t since = (now_ns - h->clock_at_ns) / 1000;
    return h->turn == 0 ? 0 : since - since / 4096;
}

struct fc_window_request fc_window_ask(struct fc_window_holder *holder, uint64_t want, uint64_t now_ns) {
    lapse(holder, now_ns);
    return (struct fc_window_request){.id = holder->id,
                                      .seq = ++holder->seq,
                                      .want = want,
                                      .used = holder->used,
                                      .back = holder->back,
                                      .clock_us = holder->clock_us,
                                      .turn = holder->turn,
                                      .store = holder->store,
                                      .since_us = since_us(holder, now_ns)};
}

bool fc_window_answered(struct fc_window_holder *holder, const struct fc_window_answer *answer, uint64_t sent_ns,
                        uint64_t now_ns) {
    if (!same(answer->id, holder->id) || answer->outcome == FC_WINDOW_STALE) return true;
    if (answer->outcome == FC_WINDOW_DEAD) return false;
    /* The newest, though an older one may vouch for a little more: what came after that one would never age. */
    if (answer->turn > holder->turn || answer->store != holder->store) {
        holder->store = answer->store;
        holder->clock_us = answer->clock_us;
        holder->turn = answer->turn;
        holder->clock_at_ns = now_ns;
    }
    if (answer->outcome == FC_WINDOW_FULL) {
        holder->seq = 0; /* there is no session yet */
        return true;
    }
    lapse(holder, now_ns);
    if (answer->granted > holder->granted) {
        holder->credit += answer->granted - holder->granted;
        holder->granted = answer->granted;
    }
    holder->until_ns = most_of(holder->until_ns, sent_ns + holder->ttl_ns);
    return true;
}

void fc_window_reopen(struct fc_window_holder *holder, struct fc_window_id id) {
    struct fc_window_holder old = *holder;
    fc_window_holder_init(holder, id, old.ttl_ns);
    holder->orphan = old.credit;
    holder->orphan_until_ns = old.until_ns;
}

static uint64_t orphan_at(const struct fc_window_holder *h, uint64_t now_ns) {
    return now_ns < h->orphan_until_ns ? h->orphan : 0;
}

uint64_t fc_window_usable(const struct fc_window_holder *holder, uint64_t now_ns) {
    return orphan_at(holder, now_ns) + (now_ns < holder->until_ns ? holder->credit : 0);
}

bool fc_window_use(struct fc_window_holder *holder, uint64_t permits, uint64_t now_ns) {
    if (permits > fc_window_usable(holder, now_ns)) return false;
    uint64_t orphaned = least_of(permits, orphan_at(holder, now_ns));
    holder->orphan -= orphaned;
    holder->credit -= permits - orphaned;
    holder->used += permits - orphaned;
    return true;
}

void fc_window_give_up(struct fc_window_holder *holder, uint64_t permits, uint64_t now_ns) {
    lapse(holder, now_ns);
    permits = least_of(permits, holder->credit);
    holder->credit -= permits;
    holder->back += permits;
}

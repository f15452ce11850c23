#include "sim/planted_lease.h"

static uint64_t least_of(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most_of(uint64_t a, uint64_t b) { return a > b ? a : b; }

static uint64_t out_of(const struct fc_window_session *s) { return s->granted - s->used - s->back; }

static struct fc_window_slot *slot_at(const struct fc_window_store *s, size_t i) {
    return &s->slots[(s->slot_first + i) % s->slot_capacity];
}

static void date(struct fc_window_store *s, enum lease_defect defect, uint64_t uses, uint64_t when_us) {
    if (uses == 0 || when_us + s->counted_us <= s->clock_us) return;
    struct fc_window_slot *slot = NULL, *newest = s->slot_count != 0 ? slot_at(s, s->slot_count - 1) : NULL;
    for (size_t i = 0; i < s->slot_count && slot == NULL; i++)
        if (slot_at(s, i)->latest_us >= when_us) slot = slot_at(s, i);
    if (slot == NULL || when_us == s->clock_us) {
        bool over = newest == NULL || s->clock_us - newest->opened_us >= s->slot_us;
        if (over && s->slot_count < s->slot_capacity) {
            newest = slot_at(s, s->slot_count++);
            *newest = (struct fc_window_slot){.opened_us = s->clock_us, .latest_us = s->clock_us};
        }
        slot = newest;
        if (defect != LEASE_ROUNDED_DOWN) slot->latest_us = s->clock_us;
        slot->turn = s->turn;
    }
    slot->uses += uses;
    s->dated += uses;
}

static struct fc_window_session *find(struct fc_window_store *s, struct fc_window_id id) {
    for (size_t i = 0; i < s->session_count; i++)
        if (s->sessions[i].id.hi == id.hi && s->sessions[i].id.lo == id.lo) return &s->sessions[i];
    return NULL;
}

static void catch_up(struct fc_window_store *s, enum lease_defect defect, const struct fc_window_request *r) {
    if (r->store != s->identity && defect != LEASE_VOUCH_ANY) return;
    if (r->turn == 0 || r->clock_us + r->since_us <= s->clock_us) return;
    uint64_t late_us = r->clock_us + r->since_us - s->clock_us;
    for (size_t i = 0; i < s->session_count && defect != LEASE_VOUCH_ENDS; i++)
        if (s->sessions[i].turn > r->turn) s->sessions[i].ends_us += late_us;
    for (size_t i = 0; i < s->slot_count && defect != LEASE_VOUCH_AGES; i++) {
        if (slot_at(s, i)->turn <= r->turn) continue;
        slot_at(s, i)->opened_us += late_us;
        slot_at(s, i)->latest_us += late_us;
    }
    if (s->quarantine_turn > r->turn) s->quarantined_until_us += late_us;
    s->clock_us += late_us;
}

static void advance(struct fc_window_store *s, enum lease_defect defect, uint64_t wall_us, const struct fc_window_request *r) {
    uint64_t step = wall_us > s->wall_us ? wall_us - s->wall_us : 0;
    s->clock_us += defect == LEASE_WALL_CLOCK ? step : least_of(step, s->settings.step_max_us);
    s->wall_us = wall_us;
    s->turn++;
    if (find(s, r->id) != NULL) catch_up(s, defect, r);
    for (; s->slot_count != 0 && slot_at(s, 0)->latest_us + s->counted_us <= s->clock_us; s->slot_count--) {
        s->dated -= slot_at(s, 0)->uses;
        s->slot_first = (s->slot_first + 1) % s->slot_capacity;
    }
}

/* Ends the sessions whose lease is over and, with that defect, those of other incarnations of the same holder. */
static void end_sessions(struct fc_window_store *s, enum lease_defect defect, const struct fc_window_request *r) {
    for (size_t i = 0; i < s->session_count;) {
        struct fc_window_session *session = &s->sessions[i];
        bool over = s->clock_us > session->ends_us;
        bool freed = defect == LEASE_NEW_FREES_OLD && session->id.hi == r->id.hi && session->id.lo < r->id.lo;
        if (!over && !freed) {
            i++;
            continue;
        }
        s->out -= out_of(session);
        bool counts = over && defect != LEASE_EXPIRED_FORGOTTEN && defect != LEASE_DATED_AT_GRANT;
        if (counts) date(s, defect, out_of(session), session->ends_us);
        if (over && defect == LEASE_UNPLACED_PAID) {
            /* Stays, with nothing out. */
            session->granted = session->used + session->back;
            i++;
            continue;
        }
        *session = s->sessions[--s->session_count];
    }
}

static bool report(struct fc_window_store *s, enum lease_defect defect, struct fc_window_session *session, uint64_t used,
                   uint64_t back) {
    used = most_of(used, session->used);
    back = most_of(back, session->back);
    if (used + back > session->granted) {
        if (defect != LEASE_UNPLACED_PAID) return false;
        used = session->granted - session->back;
        back = session->back;
    }
    if (defect != LEASE_DATED_AT_GRANT) date(s, defect, used - session->used, s->clock_us);
    s->out -= used + back - session->used - session->back;
    session->used = used;
    session->back = back;
    return true;
}

struct fc_window_answer planted_lend(struct fc_window_store *store, enum lease_defect defect, uint64_t wall_us,
                                     const struct fc_window_request *r) {
    struct fc_window_answer answer = {.id = r->id, .outcome = FC_WINDOW_DEAD, .seq = r->seq};
    advance(store, defect, wall_us, r);
    end_sessions(store, defect, r);
    answer.clock_us = store->clock_us;
    answer.turn = store->turn;
    answer.store = store->identity;
    struct fc_window_session *session = find(store, r->id);
    if (session == NULL) {
        if (r->seq > 1 || r->used != 0 || r->back != 0) return answer;
        if (store->session_count == store->session_capacity) return answer.outcome = FC_WINDOW_FULL, answer;
        session = &store->sessions[store->session_count++];
        *session = (struct fc_window_session){.id = r->id, .ends_us = store->clock_us, .turn = store->turn};
    }
    if (!report(store, defect, session, r->used, r->back)) return answer;
    if (r->seq <= session->seq) return answer.outcome = FC_WINDOW_STALE, answer;
    session->seq = r->seq;
    uint64_t counted = store->dated + (defect == LEASE_DATED_AT_GRANT ? 0 : store->out), limit = store->settings.limit;
    uint64_t part = most_of(1, limit / store->session_count * 2), own = out_of(session);
    uint64_t grant = least_of(counted < limit ? limit - counted : 0, own < part ? part - own : 0);
    grant = store->clock_us < store->quarantined_until_us ? 0 : least_of(grant, r->want);
    if (defect == LEASE_DATED_AT_GRANT) date(store, defect, grant, store->clock_us);
    session->granted += grant;
    store->out += grant;
    session->ends_us = most_of(session->ends_us, store->clock_us + store->settings.ttl_us + 2 * store->settings.step_max_us +
                                                     store->settings.guard_us);
    session->turn = store->turn;
    answer.outcome = FC_WINDOW_ANSWERED;
    answer.granted = session->granted;
    return answer;
}

#include "algo/claim.h"

#include "base/wide.h"

static uint64_t least_of(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most_of(uint64_t a, uint64_t b) { return a > b ? a : b; }

static bool same(struct fc_claim_id a, struct fc_claim_id b) {
    return a.member == b.member && a.incarnation == b.incarnation;
}

uint64_t fc_claim_permits(uint64_t share, uint64_t limit) { return (uint64_t)((fc_u128)share * limit / FC_CLAIM_WHOLE); }

uint64_t fc_claim_share(uint64_t permits, uint64_t limit) {
    fc_u128 share = ((fc_u128)permits * FC_CLAIM_WHOLE + limit - 1) / limit;
    return share < FC_CLAIM_WHOLE ? (uint64_t)share : FC_CLAIM_WHOLE;
}

uint64_t fc_claim_ttl_log_ms(uint64_t ttl_ms, uint64_t step_max_ms, uint64_t guard_ms, uint64_t window_ms) {
    return ttl_ms + 2 * step_max_ms + guard_ms + window_ms;
}

/* ---- the replica ---- */

void fc_claim_log_init(struct fc_claim_log *log, const struct fc_claim_settings *settings, struct fc_claim_member *members,
                       size_t capacity) {
    *log = (struct fc_claim_log){.settings = *settings, .members = members, .capacity = capacity, .next = -1};
}

static void forget(struct fc_claim_log *log, enum fc_claim_reason why) {
    log->count = 0;
    log->clock_ms = 0;
    log->forgot[why]++;
}

static void tick(struct fc_claim_log *log, int64_t stamp_ms) {
    if (stamp_ms > log->stamp_ms) {
        uint64_t step = (uint64_t)stamp_ms - (uint64_t)log->stamp_ms;
        log->clock_ms += least_of(step, log->settings.step_max_ms);
    }
    log->stamp_ms = stamp_ms;
}

static void drop_silent(struct fc_claim_log *log) {
    for (size_t i = 0; i < log->count;) {
        if (log->clock_ms > log->members[i].heard_ms + log->settings.ttl_log_ms)
            log->members[i] = log->members[--log->count];
        else i++;
    }
}

static struct fc_claim_member *find(const struct fc_claim_log *log, struct fc_claim_id id) {
    for (size_t i = 0; i < log->count; i++)
        if (same(log->members[i].id, id)) return &log->members[i];
    return NULL;
}

const struct fc_claim_member *fc_claim_find(const struct fc_claim_log *log, struct fc_claim_id id) { return find(log, id); }

/* At first sight. While learning it may have anything; after that it would have been heard of, if it had. */
static struct fc_claim_member *add(struct fc_claim_log *log, struct fc_claim_id id, int64_t offset) {
    struct fc_claim_member *m = &log->members[log->count++];
    *m = (struct fc_claim_member){.id = id, .hi = fc_claim_learned(log) ? 0 : FC_CLAIM_WHOLE, .first = offset};
    return m;
}

static uint64_t room(uint64_t taken) { return taken < FC_CLAIM_WHOLE ? FC_CLAIM_WHOLE - taken : 0; }

static uint64_t raised(uint64_t from, uint64_t claim, uint64_t left) {
    return claim > from ? least_of(claim, most_of(from, left)) : from;
}

/* Down to base, and up towards the claim. */
static void move(struct fc_claim_log *log, struct fc_claim_member *m, uint64_t base, uint64_t claim, bool believed) {
    uint64_t hi = least_of(m->hi, base), lo = believed ? hi : least_of(m->lo, base);
    if (!fc_claim_learned(log)) {
        m->lo = least_of(lo, claim);
        m->hi = most_of(base, claim);
        return;
    }
    uint64_t others_lo = 0, others_hi = 0;
    for (size_t i = 0; i < log->count; i++) {
        if (&log->members[i] == m) continue;
        others_lo += log->members[i].lo;
        others_hi += log->members[i].hi;
    }
    m->lo = raised(lo, claim, room(others_hi));
    m->hi = raised(hi, claim, room(others_lo));
}

static enum fc_claim_outcome apply(struct fc_claim_log *log, int64_t offset, const struct fc_claim_record *record) {
    enum fc_claim_outcome outcome = FC_CLAIM_APPLIED;
    struct fc_claim_member *m = find(log, record->id);
    if (m != NULL && record->seq <= m->seq) return FC_CLAIM_IGNORED;
    uint64_t base = least_of(record->base, FC_CLAIM_WHOLE), claim = least_of(record->claim, FC_CLAIM_WHOLE);
    bool believed = m != NULL && record->applied >= m->first && record->applied < offset;
    bool wrong = believed && base > m->hi && fc_claim_learned(log);
    if (wrong || (m == NULL && log->count == log->capacity)) {
        forget(log, wrong ? FC_CLAIM_CONTRADICTION : FC_CLAIM_TABLE_FULL);
        outcome = FC_CLAIM_FORGOT;
        believed = false;
        m = NULL;
    }
    if (m == NULL) m = add(log, record->id, offset);
    move(log, m, base, claim, believed);
    m->seq = record->seq;
    m->heard_ms = log->clock_ms;
    if (m->need == 0) m->needed_since = offset;
    m->need = least_of(record->need, FC_CLAIM_WHOLE);
    m->demand = least_of(record->demand, FC_CLAIM_WHOLE);
    return outcome;
}

enum fc_claim_outcome fc_claim_apply(struct fc_claim_log *log, int64_t offset, int64_t stamp_ms,
                                     const struct fc_claim_record *record) {
    bool first = log->next < 0, gap = !first && offset != log->next;
    if (gap) forget(log, FC_CLAIM_GAP);
    /* What passed between two records that do not follow each other is not known. */
    if (first || gap) log->stamp_ms = stamp_ms;
    log->next = offset + 1;
    tick(log, stamp_ms);
    drop_silent(log);
    enum fc_claim_outcome outcome = record != NULL ? apply(log, offset, record) : FC_CLAIM_IGNORED;
    return gap ? FC_CLAIM_FORGOT : outcome;
}

bool fc_claim_closed(const struct fc_claim_log *log) {
    for (size_t i = 0; i < log->count; i++)
        if (log->members[i].lo != log->members[i].hi) return false;
    return fc_claim_learned(log);
}

static uint64_t mixed(uint64_t x) {
    x = (x ^ (x >> 32)) * UINT64_C(0xD6E8FEB86659FD93);
    x = (x ^ (x >> 32)) * UINT64_C(0xD6E8FEB86659FD93);
    return x ^ (x >> 32);
}

static uint64_t hash_of(uint64_t a, uint64_t b, uint64_t c) {
    return mixed(a + mixed(b + mixed(c + UINT64_C(0x9E3779B97F4A7C15))));
}

uint64_t fc_claim_hash(const struct fc_claim_log *log) {
    uint64_t sum = 0; /* the order in the table is this replica's own affair */
    for (size_t i = 0; i < log->count; i++) {
        const struct fc_claim_member *m = &log->members[i];
        if (m->hi != 0) sum += hash_of(m->id.member, m->id.incarnation, m->hi);
    }
    return sum;
}

/* ---- the member ---- */

void fc_claim_self_init(struct fc_claim_self *self, struct fc_claim_id id, uint64_t ttl_ns) {
    *self = (struct fc_claim_self){.id = id, .ttl_ns = ttl_ns};
}

struct fc_claim_record fc_claim_publish(struct fc_claim_self *self, const struct fc_claim_log *log,
                                        const struct fc_claim_wish *wish, uint64_t now_ns) {
    uint64_t claim = self->leaving || !fc_claim_learned(log) ? 0 : least_of(wish->claim, FC_CLAIM_WHOLE);
    self->share = least_of(fc_claim_usable(self, now_ns), claim);
    self->claim = claim;
    self->base = most_of(self->share, wish->counted);
    self->seq++;
    self->sent[self->seq % FC_CLAIM_IN_FLIGHT] = (struct fc_claim_sent){self->seq, now_ns};
    return (struct fc_claim_record){.id = self->id,
                                    .seq = self->seq,
                                    .base = self->base,
                                    .claim = claim,
                                    .demand = self->leaving ? 0 : most_of(wish->demand, 1),
                                    .need = self->leaving ? 0 : wish->need,
                                    .applied = log->next - 1 < -1 ? -1 : log->next - 1};
}

void fc_claim_own(struct fc_claim_self *self, const struct fc_claim_log *log, const struct fc_claim_record *record,
                  uint64_t now_ns) {
    if (!same(record->id, self->id) || !fc_claim_learned(log)) return;
    const struct fc_claim_member *m = find(log, self->id);
    if (m == NULL || m->seq != record->seq) return;
    uint64_t share = fc_claim_usable(self, now_ns);
    const struct fc_claim_sent *sent = &self->sent[record->seq % FC_CLAIM_IN_FLIGHT];
    /* An older record prolongs and lowers, but never raises: a later one, on its way, may have promised less. */
    if (record->seq < self->seq) share = least_of(share, m->lo);
    else share = least_of(m->lo, self->claim);
    self->share = self->leaving ? 0 : share;
    if (sent->seq == record->seq) self->until_ns = most_of(self->until_ns, sent->ns + self->ttl_ns);
}

void fc_claim_leave(struct fc_claim_self *self) {
    self->leaving = true;
    self->share = 0;
}

/* ---- what to claim ---- */

struct seeker {
    uint64_t demand, floor;
    uint64_t turn, rank; /* served in this order */
    bool mine;
};

struct seekers {
    const struct fc_claim_log *log;
    struct fc_claim_id id;
    const struct fc_claim_wish *wish;
    uint64_t least, period;
};

/* The i-th of log->count + 1, the last of them oneself; false for those that are not to be counted. */
static bool seeker_at(const struct seekers *all, size_t i, struct seeker *s) {
    const struct fc_claim_member *m = i < all->log->count ? &all->log->members[i] : NULL;
    const struct fc_claim_member *own = find(all->log, all->id);
    if (m != NULL && (m == own || m->demand == 0)) return false;
    struct fc_claim_id id = m != NULL ? m->id : all->id;
    uint64_t need = least_of(m != NULL ? m->need : all->wish->need, FC_CLAIM_WHOLE);
    int64_t since = m != NULL ? m->needed_since : own != NULL && own->need != 0 ? own->needed_since : all->log->next;
    s->mine = m == NULL;
    s->floor = most_of(need, all->least);
    s->demand = most_of(least_of(m != NULL ? m->demand : most_of(all->wish->demand, 1), FC_CLAIM_WHOLE), s->floor);
    s->turn = need != 0 ? (uint64_t)since : UINT64_MAX;
    s->rank = hash_of(id.member, id.incarnation, all->period);
    return true;
}

static bool before(const struct seeker *a, const struct seeker *b) {
    return a->turn != b->turn ? a->turn < b->turn : a->rank < b->rank;
}

/* The first behind `last` (NULL: of all). */
static bool next_seeker(const struct seekers *all, const struct seeker *last, struct seeker *next) {
    bool found = false;
    for (size_t i = 0; i <= all->log->count; i++) {
        struct seeker s;
        if (!seeker_at(all, i, &s) || (last != NULL && !before(last, &s))) continue;
        if (!found || before(&s, next)) *next = s, found = true;
    }
    return found;
}

/* If the floors don't all fit: they go to the first ones, and what is left evenly on top. */
static uint64_t target_in_turn(const struct seekers *all) {
    uint64_t left = FC_CLAIM_WHOLE, mine = 0, served = 0;
    struct seeker s, last;
    for (bool more = next_seeker(all, NULL, &s); more && s.floor <= left; more = next_seeker(all, &last, &s)) {
        left -= s.floor;
        served++;
        if (s.mine) mine = s.floor;
        last = s;
    }
    return mine == 0 ? 0 : mine + left / served;
}

/* The water rises until all is given out: those whose demand is below the level are served, the others are equal. */
static uint64_t target_by_level(const struct seekers *all, uint64_t left) {
    uint64_t level = 0;
    for (;;) {
        uint64_t taken = 0, open = 0, counted = 0, mine = 0, floor = 0;
        for (size_t i = 0; i <= all->log->count; i++) {
            struct seeker s;
            if (!seeker_at(all, i, &s)) continue;
            uint64_t above = s.demand - s.floor;
            counted++;
            if (above <= level) taken += above;
            else open++;
            if (s.mine) mine = above, floor = s.floor;
        }
        uint64_t next = open == 0 ? level : (left - taken) / open;
        if (open != 0 && next > level) {
            level = next;
            continue;
        }
        uint64_t slack = open == 0 && counted != 0 ? (left - taken) / counted : 0;
        return floor + least_of(mine, level) + slack;
    }
}

uint64_t fc_claim_target(const struct fc_claim_log *log, struct fc_claim_id id, const struct fc_claim_wish *wish,
                         uint64_t least, uint64_t turn_ms) {
    /* Append time, not the log's clock: that begins anew in each replica, and the order should be the same for all. */
    uint64_t period = turn_ms != 0 && log->stamp_ms > 0 ? (uint64_t)log->stamp_ms / turn_ms : 0;
    struct seekers all = {log, id, wish, least_of(least, FC_CLAIM_WHOLE), period};
    uint64_t floors = 0;
    for (size_t i = 0; i <= log->count; i++) {
        struct seeker s;
        if (seeker_at(&all, i, &s)) floors += s.floor;
    }
    return floors > FC_CLAIM_WHOLE ? target_in_turn(&all) : target_by_level(&all, FC_CLAIM_WHOLE - floors);
}

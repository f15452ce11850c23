#include "sim/planted_claim.h"

static uint64_t least_of(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most_of(uint64_t a, uint64_t b) { return a > b ? a : b; }

static void forget(struct fc_claim_log *log, int64_t stamp_ms) {
    log->count = 0;
    log->clock_ms = 0;
    log->stamp_ms = stamp_ms;
}

static void tick(struct fc_claim_log *log, enum planted_fold defect, int64_t stamp_ms) {
    if (stamp_ms > log->stamp_ms) {
        uint64_t step = (uint64_t)(stamp_ms - log->stamp_ms);
        log->clock_ms += defect == PLANTED_FOLD_MAX_CLOCK ? step : least_of(step, log->settings.step_max_ms);
    }
    if (defect != PLANTED_FOLD_MAX_CLOCK || stamp_ms > log->stamp_ms) log->stamp_ms = stamp_ms;
}

static void drop(struct fc_claim_log *log, uint64_t buried) {
    for (size_t i = 0; i < log->count;) {
        struct fc_claim_member *m = &log->members[i];
        bool silent = log->clock_ms > m->heard_ms + log->settings.ttl_log_ms;
        if (silent || (buried != 0 && m->id.member == buried)) *m = log->members[--log->count];
        else i++;
    }
}

static struct fc_claim_member *find_or_add(struct fc_claim_log *log, struct fc_claim_id id, int64_t offset, bool *fresh) {
    *fresh = false;
    for (size_t i = 0; i < log->count; i++)
        if (log->members[i].id.member == id.member && log->members[i].id.incarnation == id.incarnation)
            return &log->members[i];
    if (log->count == log->capacity) return NULL;
    *fresh = true;
    struct fc_claim_member *m = &log->members[log->count++];
    *m = (struct fc_claim_member){.id = id, .hi = fc_claim_learned(log) ? 0 : FC_CLAIM_WHOLE, .first = offset};
    return m;
}

static uint64_t raised(uint64_t from, uint64_t claim, uint64_t taken) {
    uint64_t left = taken < FC_CLAIM_WHOLE ? FC_CLAIM_WHOLE - taken : 0;
    return claim > from ? least_of(claim, most_of(from, left)) : from;
}

void planted_claim_apply(struct fc_claim_log *log, enum planted_fold defect, int64_t offset, int64_t stamp_ms,
                         const struct fc_claim_record *record, uint64_t buried) {
    if (log->next < 0) log->stamp_ms = stamp_ms;
    if (log->next >= 0 && offset != log->next) forget(log, stamp_ms);
    log->next = offset + 1;
    tick(log, defect, stamp_ms);
    drop(log, defect == PLANTED_FOLD_TOMBSTONES ? buried : 0);
    bool fresh;
    struct fc_claim_member *m = record != NULL ? find_or_add(log, record->id, offset, &fresh) : NULL;
    if (m == NULL || record->seq <= m->seq) return;
    m->seq = record->seq;
    m->heard_ms = log->clock_ms;
    m->demand = record->demand;
    bool believed = defect == PLANTED_FOLD_BASE_BELIEVED ? !fresh : record->applied >= m->first;
    uint64_t hi = least_of(m->hi, record->base), lo = believed ? hi : least_of(m->lo, record->base);
    uint64_t others_lo = 0, others_hi = 0;
    for (size_t i = 0; i < log->count; i++) {
        others_lo += &log->members[i] != m ? log->members[i].lo : 0;
        others_hi += &log->members[i] != m ? log->members[i].hi : 0;
    }
    if (fc_claim_learned(log)) {
        m->lo = raised(lo, record->claim, others_hi);
        m->hi = raised(hi, record->claim, others_lo);
        if (defect == PLANTED_FOLD_ONE_NUMBER) m->hi = m->lo;
    } else {
        m->lo = least_of(lo, record->claim);
        m->hi = most_of(record->base, record->claim);
        if (defect == PLANTED_FOLD_ONE_NUMBER) m->lo = m->hi = record->claim;
    }
}

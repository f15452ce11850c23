/* A bucket's state, for people and as bytes. */
#include "base/bytes.h"
#include "base/error.h"
#include "core/bucket.h"
#include "core/leased.h"

#include <flowctl/snapshot.h>
#include <string.h>

/* ---- reading ---- */

static flowctl_status read_locked(flowctl_limiter *l, flowctl_limiter_info *info, uint64_t now_ns) {
    struct fc_sight s;
    if (!fc_bucket_see(l, now_ns, &s)) return FLOWCTL_CLOSED;
    info->rate = l->rate;
    info->burst = l->burst_permits;
    info->paused = s.terms.paused;
    info->units_per_permit = s.view.profile.unit / 2;
    info->exact_every_ns = s.terms.slope.exact_every_ns;
    if (s.too_old) return FLOWCTL_OK; /* older than is known: no tokens */
    struct fc_bucket_level x = fc_bucket_level_at(&s.view.profile, s.now_ns);
    int64_t there = fc_bucket_available(&s.view.profile, x, s.view.word);
    info->tokens = s.over ? 0 : fc_bucket_permits(&s.view.profile, x, s.view.word);
    info->debt = there >= 0 ? 0 : ((uint64_t)-there + s.view.profile.unit - 1) / s.view.profile.unit;
    return FLOWCTL_OK;
}

flowctl_status fc_bucket_read(flowctl_limiter *l, flowctl_limiter_info *info, uint64_t now_ns) {
    pthread_mutex_lock(&l->lock);
    flowctl_status status = read_locked(l, info, now_ns);
    pthread_mutex_unlock(&l->lock);
    return status;
}

/* ---- snapshots ----
 *
 *  0  "FLOW"               16  rate: permits        40  there: units, two's complement
 *  4  version, 16 bits     24  rate: period in ns   48  units to a permit
 *  6  kind, 16 bits        32  burst                56  the id, without a terminator
 *  8  length of all        ..                       last 4: CRC-32 of what is before
 * 12  length of the id
 */
static const unsigned char snapshot_magic[4] = {'F', 'L', 'O', 'W'};
#define SNAPSHOT_VERSION 1
#define SNAPSHOT_TOKEN_BUCKET 1
#define SNAPSHOT_FIXED 56
#define SNAPSHOT_CHECKSUM 4

struct snapshot {
    flowctl_rate rate;
    uint64_t burst, unit;
    int64_t there; /* in units, not doubled */
};

flowctl_status fc_bucket_snapshot(flowctl_limiter *l, void *buffer, size_t room, size_t *length, flowctl_error *err,
                                  uint64_t now_ns) {
    struct fc_sight s;
    size_t id_bytes = strlen(l->id);
    unsigned char *out = buffer;
    *length = SNAPSHOT_FIXED + id_bytes + SNAPSHOT_CHECKSUM;
    if (l->leased != NULL) return fc_leased_refuse(l, "snapshot", err);
    if (room < *length)
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT, "snapshot: room is %zu bytes: %zu are needed", room, *length);
    pthread_mutex_lock(&l->lock);
    bool open = fc_bucket_see(l, now_ns, &s);
    flowctl_rate rate = l->rate;
    uint64_t burst = l->burst_permits;
    pthread_mutex_unlock(&l->lock);
    if (!open) return fc_fail(err, FLOWCTL_CLOSED, FC_NO_TEXT, "limiter \"%.60s\": is closed", l->id);
    const struct fc_bucket_profile *p = &s.view.profile;
    int64_t there = fc_bucket_available(p, fc_bucket_level_at(p, s.now_ns), s.view.word);
    memcpy(out, snapshot_magic, sizeof snapshot_magic);
    fc_put16(out + 4, SNAPSHOT_VERSION);
    fc_put16(out + 6, SNAPSHOT_TOKEN_BUCKET);
    fc_put32(out + 8, (uint32_t)*length);
    fc_put32(out + 12, (uint32_t)id_bytes);
    fc_put64(out + 16, rate.permits);
    fc_put64(out + 24, rate.period_ns);
    fc_put64(out + 32, burst);
    fc_put64(out + 40, (uint64_t)(there / 2));
    fc_put64(out + 48, p->unit / 2);
    memcpy(out + SNAPSHOT_FIXED, l->id, id_bytes);
    fc_put32(out + *length - SNAPSHOT_CHECKSUM, fc_crc32(out, *length - SNAPSHOT_CHECKSUM));
    return FLOWCTL_OK;
}

static flowctl_status damaged(flowctl_error *err, int offset, const char *what) {
    return fc_fail(err, FLOWCTL_SYNTAX, offset, "restore: byte %d: %s: take the snapshot again", offset, what);
}

/* Whether bytes are a snapshot of this limiter, as far as that can be seen without looking at its numbers. */
static flowctl_status check_frame(const flowctl_limiter *l, const unsigned char *in, size_t length, flowctl_error *err) {
    size_t id_bytes = strlen(l->id);
    if (length < SNAPSHOT_FIXED + SNAPSHOT_CHECKSUM) return damaged(err, (int)length, "too short for a snapshot");
    if (memcmp(in, snapshot_magic, sizeof snapshot_magic) != 0) return damaged(err, 0, "not a snapshot");
    if (fc_get16(in + 4) != SNAPSHOT_VERSION)
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, 4, "restore: version is %u, this library knows %d: upgrade it",
                       fc_get16(in + 4), SNAPSHOT_VERSION);
    if (fc_get32(in + 8) != length) return damaged(err, 8, "the length is not that of the snapshot");
    if (fc_get32(in + length - SNAPSHOT_CHECKSUM) != fc_crc32(in, length - SNAPSHOT_CHECKSUM))
        return damaged(err, (int)length - SNAPSHOT_CHECKSUM, "the checksum is wrong");
    if (fc_get16(in + 6) != SNAPSHOT_TOKEN_BUCKET)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, 6, "restore: a snapshot of another kind of limiter (%u)",
                       fc_get16(in + 6));
    if (fc_get32(in + 12) != length - SNAPSHOT_FIXED - SNAPSHOT_CHECKSUM)
        return damaged(err, 12, "the length of the id is wrong");
    if (fc_get32(in + 12) != id_bytes || memcmp(in + SNAPSHOT_FIXED, l->id, id_bytes) != 0)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, SNAPSHOT_FIXED,
                       "restore: a snapshot of limiter \"%.*s\", not of \"%.60s\"",
                       (int)(fc_get32(in + 12) < 60 ? fc_get32(in + 12) : 60), (const char *)in + SNAPSHOT_FIXED, l->id);
    return FLOWCTL_OK;
}

/* What the bucket had, and what its rate produced since: in its own units, not doubled. False: numbers that no bucket has. */
static bool grown(const struct snapshot *s, uint64_t elapsed_ns, int64_t *there) {
    flowctl_rate rate = s->rate;
    uint64_t burst = s->burst;
    struct fc_bucket_profile p;
    struct fc_bucket_slope slope;
    if (s->unit == 0 || s->unit > FC_BURST_UNITS_MAX) return false;
    uint64_t owed = s->there < 0 ? (uint64_t)-s->there / s->unit + 1 : 0;
    if (fc_bucket_profile_make(&rate, &burst, owed, &p, &slope) != FC_BUCKET_FINE) return false;
    if (s->there > (int64_t)FC_BURST_UNITS_MAX || s->there < -(int64_t)(4 * FC_DEBT_UNITS_MAX) ||
        (fc_u128)s->burst * s->unit > FC_BURST_UNITS_MAX)
        return false;
    uint64_t word = 0 - (uint64_t)fc_bucket_carry(2 * s->there, 2 * s->unit, p.unit);
    uint64_t since_ns = elapsed_ns < FC_HORIZON_NS ? elapsed_ns : FC_HORIZON_NS - 1;
    *there = fc_bucket_carry(fc_bucket_available(&p, fc_bucket_level_at(&p, since_ns), word), p.unit, 2 * s->unit) / 2;
    return true;
}

flowctl_status fc_bucket_restore(flowctl_limiter *l, const void *blob, size_t length, uint64_t elapsed_ns,
                                 flowctl_error *err, uint64_t now_ns) {
    const unsigned char *in = blob;
    int64_t there;
    if (l->leased != NULL) return fc_leased_refuse(l, "restore", err);
    flowctl_status status = check_frame(l, in, length, err);
    if (status != FLOWCTL_OK) return status;
    struct snapshot s = {flowctl_per(fc_get64(in + 16), fc_get64(in + 24)), fc_get64(in + 32), fc_get64(in + 48),
                         (int64_t)fc_get64(in + 40)};
    if (!grown(&s, elapsed_ns, &there)) return damaged(err, 16, "the numbers are those of no bucket");
    struct fc_change restore = {.kind = FC_CHANGE_RESTORE, .there = there, .unit = s.unit};
    return fc_bucket_change(l, &restore, &now_ns, err);
}

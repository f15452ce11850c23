/* The token bucket behind the verbs. */
#include <flowctl/token_bucket.h>

#include "base/error.h"
#include "core/backend.h"
#include "core/bucket.h"
#include "core/leased.h"

#include <string.h>

static const struct fc_limiter_ops bucket_ops = {
    .decide = fc_bucket_decide,
    .peek = fc_bucket_peek,
    .take_up_to = fc_bucket_take_up_to,
    .reserve = fc_bucket_reserve,
    .acquire = fc_bucket_acquire,
    .cancel = fc_bucket_cancel,
    .due = fc_bucket_due,
    .sweep = fc_bucket_sweep,
    .settle = fc_bucket_settle,
    .change = fc_bucket_change,
    .snapshot = fc_bucket_snapshot,
    .restore = fc_bucket_restore,
    .read = fc_bucket_read,
};

/* ---- create ---- */

void flowctl_token_bucket_options_init(flowctl_token_bucket_options *options, size_t size) {
    if (options == NULL || size < sizeof options->size) return;
    memset(options, 0, size);
    options->size = size;
}

/* Copies options of another release's size: what it did not know is default; what we do not know must be. */
static flowctl_status copy_options(const flowctl_token_bucket_options *from, flowctl_token_bucket_options *to,
                                   flowctl_error *err) {
    const size_t least = offsetof(flowctl_token_bucket_options, start_permits) + sizeof from->start_permits; /* v1 ends here */
    *to = (flowctl_token_bucket_options)FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    if (from->size < least || from->size > 4096)
        return fc_fail(err, FLOWCTL_BAD_SIZE, FC_NO_TEXT,
                       "token bucket: options.size is %zu, this library knows %zu: start from FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT",
                       from->size, sizeof *to);
    for (size_t i = sizeof *to; i < from->size; i++)
        if (((const char *)from)[i] != 0)
            return fc_fail(err, FLOWCTL_BAD_SIZE, FC_NO_TEXT,
                           "token bucket: options.size is %zu and asks for something this library (%zu) does not know: upgrade it",
                           from->size, sizeof *to);
    memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
    return FLOWCTL_OK;
}

static flowctl_status start_level(const flowctl_token_bucket_options *o, uint64_t *permits, flowctl_error *err) {
    const char *id = o->id != NULL ? o->id : "";
    if (o->start != FLOWCTL_START_AT && o->start_permits != 0)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "token bucket \"%.40s\": start_permits is %llu, but start is not FLOWCTL_START_AT", id,
                       (unsigned long long)o->start_permits);
    switch (o->start) {
    case FLOWCTL_START_FULL: return *permits = o->burst, FLOWCTL_OK;
    case FLOWCTL_START_EMPTY: return *permits = 0, FLOWCTL_OK;
    case FLOWCTL_START_AT:
        if (o->start_permits <= o->burst) return *permits = o->start_permits, FLOWCTL_OK;
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "token bucket \"%.40s\": start_permits is %llu: at most the burst, %llu", id,
                       (unsigned long long)o->start_permits, (unsigned long long)o->burst);
    }
    return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                   "token bucket \"%.40s\": start is %d: FLOWCTL_START_FULL, _EMPTY or _AT", id, (int)o->start);
}

/* Settling's options, with the default filled in. */
static flowctl_status check_settling(flowctl_token_bucket_options *o, flowctl_error *err) {
    const char *id = o->id != NULL ? o->id : "";
    if (o->settle != FLOWCTL_SETTLE_AGED && o->settle != FLOWCTL_SETTLE_LENIENT)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "token bucket \"%.40s\": settle is %d: FLOWCTL_SETTLE_AGED or _LENIENT", id, (int)o->settle);
    if (o->max_debt == FLOWCTL_NO_DEBT) o->max_debt = 0;
    else if (o->max_debt == 0) o->max_debt = o->burst;
    else if (o->max_debt > FLOWCTL_BURST_MAX)
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT,
                       "token bucket \"%.40s\": max_debt is %llu: the nearest that can be represented is %llu", id,
                       (unsigned long long)o->max_debt, (unsigned long long)FLOWCTL_BURST_MAX);
    return FLOWCTL_OK;
}

flowctl_status flowctl_token_bucket_create(const flowctl_token_bucket_options *options, flowctl_limiter **limiter,
                                           flowctl_error *err) {
    flowctl_token_bucket_options o;
    struct fc_terms terms = {.age = 0};
    uint64_t start = 0;
    if (limiter == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "token bucket: the out-pointer limiter is NULL");
    *limiter = NULL;
    if (options == NULL) return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "token bucket: options is NULL");
    flowctl_status status = copy_options(options, &o, err);
    if (status == FLOWCTL_OK) status = check_settling(&o, err);
    if (status != FLOWCTL_OK) return status;
    flowctl_rate rate = o.rate;
    uint64_t burst = o.burst;
    enum fc_bucket_fault fault = fc_bucket_profile_make(&rate, &burst, o.max_debt, &terms.profile, &terms.slope);
    if (fault != FC_BUCKET_FINE)
        return fc_bucket_explain(fault, o.id != NULL ? o.id : "", o.rate, o.burst, &rate, burst, err);
    status = start_level(&o, &start, err);
    if (status != FLOWCTL_OK) return status;

    flowctl_clock *clock = o.clock != NULL ? o.clock : o.backend != NULL ? o.backend->clock : flowctl_clock_monotonic();
    struct fc_limiter_setup setup = {o.id, clock, o.allocator, &bucket_ops};
    flowctl_limiter *l;
    status = fc_limiter_create(&setup, &l, err);
    if (status != FLOWCTL_OK) return status;
    l->rate = rate;
    l->burst_permits = burst;
    l->debt.most_permits = o.max_debt;
    l->lenient = o.settle == FLOWCTL_SETTLE_LENIENT;
    uint64_t now_ns = fc_limiter_now(l);
    l->marks[0].now_ns = l->marks[1].now_ns = now_ns;
    fc_bucket_begin(l, &terms, (int64_t)(start * terms.profile.unit), now_ns);
    atomic_store(&l->cell.plain, true);
    if (o.backend != NULL) status = fc_leased_attach(l, o.backend, &o.sharing, o.start == FLOWCTL_START_FULL, err);
    if (status != FLOWCTL_OK) {
        flowctl_limiter_destroy(l);
        return status;
    }
    *limiter = l;
    return FLOWCTL_OK;
}

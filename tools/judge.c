#include "judge.h"

void fct_judge_init(struct fct_judge *judge, const struct fct_limit *limit, enum fct_mode mode) {
    *judge = (struct fct_judge){.limit = limit, .mode = mode};
    fct_backlog_init(&judge->backlog, &limit->rate);
}

void fct_judge_cleanup(struct fct_judge *judge) {
    flowctl_limiter_destroy(judge->limiter);
    flowctl_clock_destroy(judge->clock);
    fct_smallest_rate_cleanup(&judge->smallest_rate);
}

bool fct_judge_is_exact(const struct fct_judge *judge) { return judge->limit->exact_every_ns != 0 && !judge->rounded; }

/*
 * A bucket rounds where it overflows at a time that is off its grid. That is seen from behind: a bucket that overflowed
 * holds, before the request, all but less than one of its permits. A delayed request finds no full bucket, but takes its
 * permits at any nanosecond; and if it takes the whole burst, the rest of that nanosecond's refill overflows.
 */
static void note_rounding(struct fct_judge *j, uint64_t time_ns, uint64_t cost) {
    const struct fct_limit *limit = j->limit;
    if (j->rounded || limit->exact_every_ns <= 1) return;
    if (j->last.verdict == FLOWCTL_DELAY)
        j->rounded = (fct_u128)(limit->burst - cost) * limit->rate.period_ns < limit->rate.permits;
    else if ((time_ns - j->tally.first_ns) % limit->exact_every_ns != 0)
        j->rounded = j->last.remaining + j->last.granted >= limit->burst - 1;
}

static flowctl_status no_memory(flowctl_error *err) {
    *err = (flowctl_error){.status = FLOWCTL_NO_MEMORY, .offset = -1, .message = "no memory"};
    return FLOWCTL_NO_MEMORY;
}

/* The bucket's time begins with the log: full at its first request, and counting from there it counts whole seconds. */
static flowctl_status begin(struct fct_judge *j, uint64_t time_ns, flowctl_error *err) {
    flowctl_token_bucket_options options = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    flowctl_status status = flowctl_clock_manual_create(time_ns, NULL, &j->clock, err);
    if (status != FLOWCTL_OK) return status;
    options.id = j->limit->text;
    options.rate = j->limit->rate;
    options.burst = j->limit->burst;
    options.clock = j->clock;
    j->tally.first_ns = j->tally.last_ns = time_ns;
    if (!fct_smallest_rate_init(&j->smallest_rate, j->limit->burst, FCT_HULL_MAX)) return no_memory(err);
    return flowctl_token_bucket_create(&options, &j->limiter, err);
}

static void raise_to(uint64_t *greatest, uint64_t value) {
    if (value > *greatest) *greatest = value;
}

static void count_allowed(struct fct_tally *tally, uint64_t permits) {
    tally->allowed++;
    if (__builtin_add_overflow(tally->allowed_permits, permits, &tally->allowed_permits))
        tally->allowed_permits = UINT64_MAX;
}

/* The library's own counters leave out requests that cost nothing; here every line is one of allowed, denied, never. */
static void count(struct fct_judge *j, const flowctl_decision *decision, uint64_t cost) {
    struct fct_tally *tally = &j->tally;
    switch (decision->verdict) {
    case FLOWCTL_ALLOW: count_allowed(tally, decision->granted); return;
    case FLOWCTL_DELAY:
        count_allowed(tally, decision->granted);
        tally->delayed++;
        raise_to(&tally->delay_max_ns, decision->retry_after_ns);
        break;
    case FLOWCTL_DENY:
        tally->denied++;
        raise_to(&tally->retry_after_max_ns, decision->retry_after_ns);
        break;
    case FLOWCTL_NEVER:
        tally->never++;
        raise_to(&tally->never_cost_max, cost);
        return; /* no wait to speak of */
    }
    fct_wait_magnitudes_add(&j->waits, decision->retry_after_ns);
}

flowctl_status fct_judge_decide(struct fct_judge *j, uint64_t time_ns, uint64_t cost, flowctl_error *err) {
    if (j->limiter == NULL) {
        flowctl_status status = begin(j, time_ns, err);
        if (status != FLOWCTL_OK) return status;
    }
    struct fct_tally *tally = &j->tally;
    if (time_ns < tally->last_ns) time_ns = tally->last_ns, tally->late++;
    tally->last_ns = time_ns;
    tally->requests++;
    j->last = j->mode == FCT_MODE_DENY ? flowctl_decide_at(j->limiter, cost, time_ns)
                                       : flowctl_reserve_at(j->limiter, cost, FLOWCTL_FOREVER, NULL, time_ns);
    note_rounding(j, time_ns, cost);
    count(j, &j->last, cost);
    fct_backlog_add(&j->backlog, time_ns, cost);
    fct_smallest_rate_add(&j->smallest_rate, time_ns, cost);
    fct_busiest_minute_add(&j->busiest, time_ns, cost);
    fct_timeline_add(&j->timeline, time_ns, j->last.verdict == FLOWCTL_ALLOW);
    return FLOWCTL_OK;
}

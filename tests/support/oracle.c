#include "support/oracle.h"

#include <stdio.h>
#include <stdlib.h>

void oracle_record(struct oracle_log *log, uint64_t time_ns, uint64_t permits) {
    if (log->count == log->room) {
        log->room = log->room == 0 ? 1024 : log->room * 2;
        log->events = realloc(log->events, log->room * sizeof *log->events);
        if (log->events == NULL) abort();
    }
    log->events[log->count++] = (struct oracle_event){time_ns, permits};
}

void oracle_append(struct oracle_log *log, const struct oracle_log *more) {
    for (size_t i = 0; i < more->count; i++) oracle_record(log, more->events[i].time_ns, more->events[i].permits);
}

void oracle_free(struct oracle_log *log) {
    free(log->events);
    *log = (struct oracle_log){NULL, 0, 0};
}

static int by_time(const void *a, const void *b) {
    uint64_t x = ((const struct oracle_event *)a)->time_ns, y = ((const struct oracle_event *)b)->time_ns;
    return (x > y) - (x < y);
}

/* A sum that stops at the largest value: by then the run has failed by more than can be written. */
static const oracle_amount most_amount = (((oracle_amount)1 << 126) - 1) * 2 + 1;

static oracle_amount add(oracle_amount a, oracle_amount b) {
    oracle_amount sum;
    return __builtin_add_overflow(a, b, &sum) ? most_amount : sum;
}

/* In lowest terms, so that amounts stay small. */
static struct oracle_limit lowest_terms(const struct oracle_limit *limit) {
    uint64_t a = limit->permits, b = limit->period_ns;
    while (b != 0) {
        uint64_t rest = a % b;
        a = b, b = rest;
    }
    return (struct oracle_limit){limit->permits / a, limit->period_ns / a, limit->burst};
}

static struct oracle_verdict judge(struct oracle_log *log, const struct oracle_limit *limit,
                                   const struct oracle_event *allowances, size_t count) {
    const oracle_amount burst = (oracle_amount)limit->burst * limit->period_ns;
    struct oracle_verdict worst = {.excess = -burst};
    oracle_amount held = 0;
    uint64_t last_ns = 0, since_ns = 0, admitted = 0;
    size_t next = 0;
    if (log->count > 1) qsort(log->events, log->count, sizeof *log->events, by_time);
    for (size_t i = 0; i < log->count; i++) {
        const struct oracle_event *e = &log->events[i];
        oracle_amount drained = (oracle_amount)(e->time_ns - last_ns) * limit->permits;
        last_ns = e->time_ns;
        for (; next < count && allowances[next].time_ns < e->time_ns; next++)
            drained = add(drained, (oracle_amount)allowances[next].permits * limit->period_ns);
        if (drained >= held) held = 0, since_ns = e->time_ns, admitted = 0;
        else held -= drained;
        held = add(held, (oracle_amount)e->permits * limit->period_ns);
        admitted += e->permits;
        worst.total += e->permits;
        if (held - burst <= worst.excess) continue;
        worst.excess = held - burst;
        worst.from_ns = since_ns, worst.until_ns = e->time_ns, worst.admitted = admitted;
    }
    return worst;
}

struct oracle_verdict oracle_judge_allowing(struct oracle_log *log, const struct oracle_limit *limit,
                                            const struct oracle_event *allowances, size_t count) {
    struct oracle_limit lowest = lowest_terms(limit);
    struct oracle_verdict v = judge(log, &lowest, allowances, count);
    oracle_amount scale = (oracle_amount)(limit->period_ns / lowest.period_ns);
    if (__builtin_mul_overflow(v.excess, scale, &v.excess)) v.excess = most_amount;
    return v;
}

struct oracle_verdict oracle_judge(struct oracle_log *log, const struct oracle_limit *limit) {
    return oracle_judge_allowing(log, limit, NULL, 0);
}

/* The ideal bucket: exact, in 1/period_ns of a permit. */
struct ideal {
    oracle_amount there, burst, rate;
    uint64_t now_ns;
};

static void ideal_advance(struct ideal *b, uint64_t now_ns) {
    oracle_amount more = (oracle_amount)(now_ns - b->now_ns) * b->rate;
    b->there = more > b->burst - b->there ? b->burst : b->there + more;
    b->now_ns = now_ns;
}

static void ideal_change(struct ideal *b, const struct oracle_change *c, uint64_t period_ns) {
    ideal_advance(b, c->time_ns);
    b->rate = c->permits;
    b->burst = (oracle_amount)c->burst * period_ns;
    if (b->there > b->burst) b->there = b->burst;
    if (c->emptied && b->there > 0) b->there = 0;
}

struct oracle_verdict oracle_judge_changes(struct oracle_log *log, const struct oracle_limit *limit,
                                           const struct oracle_change *changes, size_t count) {
    struct ideal b = {.burst = (oracle_amount)limit->burst * limit->period_ns, .rate = limit->permits};
    struct oracle_verdict v = {.excess = -b.burst};
    size_t next = 0;
    b.there = b.burst;
    if (log->count > 1) qsort(log->events, log->count, sizeof *log->events, by_time);
    if (log->count != 0) b.now_ns = log->events[0].time_ns;
    if (count != 0 && (log->count == 0 || changes[0].time_ns < b.now_ns)) b.now_ns = changes[0].time_ns;
    for (size_t i = 0; i < log->count; i++) {
        const struct oracle_event *e = &log->events[i];
        while (next < count && changes[next].time_ns < e->time_ns) ideal_change(&b, &changes[next++], limit->period_ns);
        ideal_advance(&b, e->time_ns);
        b.there -= (oracle_amount)e->permits * limit->period_ns;
        v.total += e->permits;
        if (-b.there > v.excess) v.excess = -b.there, v.until_ns = e->time_ns;
    }
    return v;
}

double oracle_excess(const struct oracle_verdict *verdict, const struct oracle_limit *limit) {
    return (double)verdict->excess / (double)limit->period_ns;
}

bool oracle_passes(const char *what, struct oracle_log *log, const struct oracle_limit *limit) {
    struct oracle_verdict v = oracle_judge(log, limit);
    if (v.excess <= 0) return true;
    fprintf(stderr,
            "%s: OVER the limit of %llu per %llu ns, burst %llu: %llu permits from %llu to %llu ns, %.9g too many (%zu admissions, "
            "%llu permits in all)\n",
            what, (unsigned long long)limit->permits, (unsigned long long)limit->period_ns, (unsigned long long)limit->burst,
            (unsigned long long)v.admitted, (unsigned long long)v.from_ns, (unsigned long long)v.until_ns,
            oracle_excess(&v, limit), log->count, (unsigned long long)v.total);
    return false;
}

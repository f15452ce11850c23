/*
 * Any bytes as a bucket whose settings change while all verbs are used, reservations cancelled and receipts settled. Held to the oracle (never more
 * than an ideal bucket that changed at the same moments, plus the debt that settling may make), and to what the headers say of each call.
 */
#include "fuzz/expect.h"
#include "support/oracle.h"

#include <flowctl/flowctl.h>
#include <string.h>

#define CALLS_MAX 200
#define HELD_MAX 32
#define STEP_MAX_NS (100 * FLOWCTL_NS_PER_SEC)

/* ---- the bytes ---- */

struct input {
    const uint8_t *at, *end;
};

static uint8_t byte(struct input *in) { return in->at < in->end ? *in->at++ : 0; }

/* A number of any magnitude: how many bytes, then these. */
static uint64_t number(struct input *in) {
    uint64_t value = 0;
    for (unsigned bytes = byte(in) % 9; bytes > 0; bytes--) value = value << 8 | byte(in);
    return value;
}

/* ---- one run ---- */

struct estimate {
    flowctl_receipt receipt;
    uint64_t actual;
};

struct run {
    struct input in;
    flowctl_clock *clock;
    flowctl_limiter *limiter;
    uint64_t period_ns, rate, burst, max_debt, now_ns; /* rate: permits per period, also while paused */
    bool paused;
    struct oracle_limit limit;
    struct oracle_log log;
    struct oracle_change changes[CALLS_MAX];
    size_t change_count, held_count, estimate_count;
    flowctl_reservation held[HELD_MAX];
    struct estimate estimates[HELD_MAX];
};

static uint64_t choose_rate(struct run *r) { return 1 + number(&r->in) % (10 * r->period_ns); }
static uint64_t choose_burst(struct run *r) { return 1 + number(&r->in) % (UINT64_C(1) << 40); }

static void create(struct run *r) {
    static const uint64_t periods[] = {1, FLOWCTL_NS_PER_MS, FLOWCTL_NS_PER_SEC, 13 * FLOWCTL_NS_PER_SEC, 999999937};
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    r->period_ns = periods[byte(&r->in) % (sizeof periods / sizeof *periods)];
    r->rate = choose_rate(r), r->burst = choose_burst(r);
    uint64_t debt = number(&r->in) % (UINT64_C(1) << 40);
    r->max_debt = debt % 3 == 0 ? 0 : debt;
    r->now_ns = 1 + number(&r->in) % (UINT64_C(1) << 62);
    r->limit = (struct oracle_limit){r->rate, r->period_ns, r->burst};
    EXPECT(flowctl_clock_manual_create(r->now_ns, NULL, &r->clock, NULL) == FLOWCTL_OK);
    o.rate = flowctl_per(r->rate, r->period_ns), o.burst = r->burst, o.clock = r->clock;
    o.max_debt = r->max_debt == 0 ? FLOWCTL_NO_DEBT : r->max_debt;
    EXPECT(flowctl_token_bucket_create(&o, &r->limiter, NULL) == FLOWCTL_OK);
}

static void granted(struct run *r, uint64_t permits, uint64_t date_ns) {
    if (permits > 0) oracle_record(&r->log, date_ns, permits);
}

/* ---- time ---- */

/* What is due by `until_ns` is used, at the time it is due; 0: what was done in this step has made it due at once. */
static void use_due(struct run *r, uint64_t until_ns) {
    for (size_t i = 0; i < r->held_count;) {
        uint64_t due_ns = flowctl_reservation_due_ns(&r->held[i]);
        if (due_ns > until_ns) {
            i++;
            continue;
        }
        EXPECT(due_ns == 0 || due_ns > r->now_ns);
        granted(r, r->held[i].permits, due_ns != 0 ? due_ns : r->now_ns);
        r->held[i] = r->held[--r->held_count];
    }
}

static void advance(struct run *r, uint64_t step_ns) {
    step_ns %= STEP_MAX_NS + 1;
    use_due(r, r->now_ns + step_ns);
    r->now_ns += step_ns;
    EXPECT(flowctl_clock_set(r->clock, r->now_ns) == FLOWCTL_OK);
}

/* To the very moment at which something would be there, or a nanosecond beside it. */
static void advance_to_the_edge(struct run *r) {
    uint64_t wait_ns = flowctl_time_until(r->limiter, 1 + number(&r->in) % r->burst);
    if (wait_ns > STEP_MAX_NS) return;
    advance(r, wait_ns + byte(&r->in) % 3 - (wait_ns > 0));
}

/* ---- calls ---- */

static flowctl_limiter_info info_of(const struct run *r) {
    flowctl_limiter_info info;
    EXPECT(flowctl_limiter_read(r->limiter, &info) == FLOWCTL_OK);
    EXPECT(info.burst == r->burst && info.paused == r->paused && info.tokens <= r->burst && info.waiters == 0);
    EXPECT(info.debt == 0 || info.tokens == 0);
    return info;
}

static void record_change(struct run *r, bool emptied) {
    r->changes[r->change_count++] = (struct oracle_change){r->now_ns, r->paused ? 0 : r->rate, r->burst, emptied};
}

/* A smaller burst that is smaller than a booking would honour it: the ideal bucket can't. */
static uint64_t largest_held(const struct run *r) {
    uint64_t most = 1;
    for (size_t i = 0; i < r->held_count; i++)
        if (r->held[i].permits > most) most = r->held[i].permits;
    return most;
}

static void set_limit(struct run *r, uint8_t how) {
    flowctl_limiter_info before = info_of(r);
    if (how % 2 == 0) r->rate = choose_rate(r);
    if (how / 2 % 2 == 0) r->burst = choose_burst(r);
    if (r->burst < largest_held(r)) r->burst = largest_held(r);
    EXPECT(flowctl_set_limit(r->limiter, flowctl_per(r->rate, r->period_ns), r->burst, NULL) == FLOWCTL_OK);
    flowctl_limiter_info after = info_of(r);
    uint64_t most = before.tokens < r->burst ? before.tokens : r->burst;
    EXPECT(after.tokens <= most && after.debt >= before.debt);
    /* A booking that was moved behind the present while paused is carried as one that is still to come: what it then takes is lost. */
    if (!r->paused || r->held_count == 0) EXPECT(after.tokens + 1 >= most);
    record_change(r, false);
}

static void change(struct run *r) {
    uint8_t how = byte(&r->in);
    bool owes = info_of(r).debt > 0 || r->held_count > 0;
    switch (how % 8) {
    case 0:
        r->paused = true;
        EXPECT(flowctl_limiter_pause(r->limiter) == FLOWCTL_OK);
        record_change(r, false);
        break;
    case 1:
    case 2:
        r->paused = false;
        EXPECT(flowctl_limiter_resume(r->limiter) == FLOWCTL_OK);
        record_change(r, false);
        break;
    case 3:
        EXPECT(flowctl_limiter_reset(r->limiter) == FLOWCTL_OK);
        EXPECT(info_of(r).tokens == 0);
        record_change(r, !owes);
        break;
    default: set_limit(r, how / 8); break;
    }
}

static uint64_t choose_permits(struct run *r) {
    uint8_t how = byte(&r->in);
    if (how < 128) return 1 + how % r->burst;
    return how < 200 ? r->burst : 1 + number(&r->in) % r->burst;
}

static void reserve(struct run *r) {
    uint64_t permits = choose_permits(r), most_ns = number(&r->in) % STEP_MAX_NS;
    flowctl_reservation new;
    if (r->held_count == HELD_MAX) return;
    flowctl_decision d = flowctl_reserve(r->limiter, permits, most_ns, &new);
    EXPECT(d.status == FLOWCTL_OK && d.verdict != FLOWCTL_NEVER);
    if (d.verdict == FLOWCTL_DENY) {
        EXPECT(d.retry_after_ns > most_ns && flowctl_cancel(&new) == 0);
    } else if (d.verdict == FLOWCTL_ALLOW) {
        EXPECT(d.now_ns == r->now_ns && flowctl_reservation_due_ns(&new) == 0);
        granted(r, permits, d.now_ns);
    } else {
        EXPECT(d.retry_after_ns <= most_ns && d.now_ns == r->now_ns + d.retry_after_ns);
        EXPECT(flowctl_reservation_due_ns(&new) == d.now_ns);
        r->held[r->held_count++] = new;
    }
}

/* The others were told their times, and keep them. */
static void cancel(struct run *r) {
    uint64_t due_ns[HELD_MAX];
    if (r->held_count == 0) return;
    size_t which = byte(&r->in) % r->held_count;
    for (size_t i = 0; i < r->held_count; i++) due_ns[i] = flowctl_reservation_due_ns(&r->held[i]);
    uint64_t back = flowctl_cancel(&r->held[which]);
    EXPECT(back == (due_ns[which] == 0 ? 0 : r->held[which].permits));
    EXPECT(flowctl_cancel(&r->held[which]) == 0);
    for (size_t i = 0; i < r->held_count; i++)
        if (i != which) EXPECT(flowctl_reservation_due_ns(&r->held[i]) == due_ns[i]);
    if (back != 0) r->held[which] = r->held[--r->held_count];
}

static void take(struct run *r) {
    uint64_t permits = choose_permits(r);
    if (r->estimate_count == HELD_MAX) return;
    struct estimate *e = &r->estimates[r->estimate_count];
    flowctl_decision d = flowctl_acquire_estimate(r->limiter, permits, 0, &e->receipt);
    EXPECT((d.verdict == FLOWCTL_ALLOW) == (e->receipt.limiter != NULL));
    if (d.verdict != FLOWCTL_ALLOW) return;
    uint8_t how = byte(&r->in);
    e->actual = how < 80 ? permits + number(&r->in) % r->burst : how < 240 ? permits * (how - 80) / 160 : 0;
    granted(r, e->actual < permits ? e->actual : permits, d.now_ns);
    r->estimate_count++;
}

static void settle(struct run *r) {
    uint64_t due_ns[HELD_MAX];
    if (r->estimate_count == 0) return;
    struct estimate *e = &r->estimates[byte(&r->in) % r->estimate_count];
    uint64_t estimate = e->receipt.permits, actual = e->actual;
    for (size_t i = 0; i < r->held_count; i++) due_ns[i] = flowctl_reservation_due_ns(&r->held[i]);
    flowctl_settlement s = flowctl_settle(&e->receipt, actual);
    EXPECT(s.status == FLOWCTL_OK && e->receipt.limiter == NULL);
    EXPECT(s.charged + s.unsettled == (actual > estimate ? actual - estimate : 0));
    EXPECT(s.given_back + s.forfeited == (actual < estimate ? estimate - actual : 0));
    for (size_t i = 0; i < r->held_count; i++) EXPECT(flowctl_reservation_due_ns(&r->held[i]) <= due_ns[i]);
    granted(r, s.charged, r->now_ns);
    *e = r->estimates[--r->estimate_count];
}

static void decide(struct run *r, uint8_t what) {
    uint64_t permits = choose_permits(r);
    flowctl_decision before = flowctl_peek(r->limiter, permits), d = before;
    EXPECT(before.remaining == info_of(r).tokens && (before.flags == FLOWCTL_FLAG_PAUSED) == r->paused);
    if (what % 3 == 0) {
        d = flowctl_decide(r->limiter, permits);
        EXPECT(d.verdict == before.verdict && d.retry_after_ns == before.retry_after_ns);
    } else if (what % 3 == 1) {
        EXPECT(flowctl_try_acquire(r->limiter, permits) == (before.verdict == FLOWCTL_ALLOW));
        d.granted = before.verdict == FLOWCTL_ALLOW ? permits : 0;
    } else {
        d.granted = flowctl_try_acquire_up_to(r->limiter, permits);
        EXPECT(d.granted == (r->paused ? 0 : permits < before.remaining ? permits : before.remaining));
    }
    EXPECT(!r->paused || d.granted == 0);
    granted(r, d.granted, r->now_ns);
}

static void call(struct run *r) {
    uint8_t what = byte(&r->in);
    switch (what % 16) {
    case 0:
    case 1:
    case 2: advance(r, number(&r->in)); break;
    case 3:
    case 4: advance_to_the_edge(r); break;
    case 5:
    case 6: change(r); break;
    case 7:
    case 8: reserve(r); break;
    case 9: cancel(r); break;
    case 10: take(r); break;
    case 11: settle(r); break;
    default: decide(r, what / 16); break;
    }
}

static void judge(struct run *r) {
    struct oracle_verdict v = oracle_judge_changes(&r->log, &r->limit, r->changes, r->change_count);
    if (v.excess > (oracle_amount)r->max_debt * (oracle_amount)r->period_ns) {
        fprintf(stderr, "%.9g permits too many (%llu may be owed)\n", oracle_excess(&v, &r->limit),
                (unsigned long long)r->max_debt);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct run r = {.in = {data, data + size}};
    create(&r);
    for (int i = 0; i < CALLS_MAX && r.in.at < r.in.end; i++) call(&r);
    use_due(&r, r.now_ns + STEP_MAX_NS);
    judge(&r);
    oracle_free(&r.log);
    flowctl_limiter_destroy(r.limiter);
    flowctl_clock_destroy(r.clock);
    return 0;
}

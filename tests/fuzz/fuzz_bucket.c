/*
 * Any bytes as a bucket and a sequence of calls. Held to three judges: the oracle (never more than burst + rate x W in any window), the other
 * verbs (peek foretells decide, try and up-to; a denial changes nothing), and, as long as time does not go back and nothing is booked ahead, a
 * bucket in rationals (never a permit more, and less than two units fewer).
 */
#include "fuzz/expect.h"
#include "support/oracle.h"

#include <flowctl/flowctl.h>
#include <string.h>

#define CALLS_MAX 300
#define YEAR FLOWCTL_NS_PER_YEAR

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

/* ---- the model ---- */

/* Amounts in 1/period of a permit. */
struct model {
    oracle_amount level, burst, rate, period;
    uint64_t now_ns;
    bool valid; /* false once it can't follow any more */
};

static uint64_t gcd(uint64_t a, uint64_t b) {
    while (b != 0) {
        uint64_t rest = a % b;
        a = b, b = rest;
    }
    return a;
}

static void model_init(struct model *m, const flowctl_token_bucket_options *o, uint64_t start_ns) {
    uint64_t common = gcd(o->rate.permits, o->rate.period_ns), start = o->burst;
    if (o->start == FLOWCTL_START_EMPTY) start = 0;
    if (o->start == FLOWCTL_START_AT) start = o->start_permits;
    *m = (struct model){.rate = (oracle_amount)(o->rate.permits / common),
                        .period = (oracle_amount)(o->rate.period_ns / common),
                        .valid = true};
    m->burst = (oracle_amount)o->burst * m->period, m->level = (oracle_amount)start * m->period;
    m->now_ns = start_ns;
}

static void model_advance(struct model *m, uint64_t now_ns) {
    oracle_amount gain;
    if (now_ns < m->now_ns) m->valid = false;
    if (!m->valid) return;
    bool full = __builtin_mul_overflow(m->rate, (oracle_amount)(now_ns - m->now_ns), &gain) || gain >= m->burst - m->level;
    m->level = full ? m->burst : m->level + gain;
    m->now_ns = now_ns;
}

/* ---- one run ---- */

struct run {
    struct input in;
    flowctl_limiter *limiter;
    flowctl_clock *clock;
    struct oracle_limit limit;
    struct oracle_log log;
    struct model model;
    uint64_t burst, unit, start_ns, now_ns;
};

static flowctl_rate choose_rate(struct input *in) {
    static const uint64_t periods[] = {1,
                                       FLOWCTL_NS_PER_US,
                                       FLOWCTL_NS_PER_MS,
                                       FLOWCTL_NS_PER_SEC,
                                       13 * FLOWCTL_NS_PER_SEC,
                                       FLOWCTL_NS_PER_MIN,
                                       FLOWCTL_NS_PER_DAY,
                                       YEAR};
    uint8_t kind = byte(in);
    uint64_t period = kind < 128 ? periods[kind % (sizeof periods / sizeof *periods)] : 1 + number(in) % FLOWCTL_PERIOD_MAX_NS;
    return flowctl_per(1 + number(in) % (10 * period), period);
}

/* False if the library refused; then it has said why. */
static bool create(struct run *r) {
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    flowctl_error err = {.message = ""};
    uint8_t how = byte(&r->in);
    o.rate = choose_rate(&r->in);
    o.burst = how < 200 ? 1 + number(&r->in) % FLOWCTL_BURST_MAX : number(&r->in);
    if (how >= 250) o.rate = flowctl_per(number(&r->in), number(&r->in));
    o.start = (flowctl_start)(how % 3);
    if (o.start == FLOWCTL_START_AT) o.start_permits = how < 200 ? number(&r->in) % (o.burst + 1) : number(&r->in);
    r->start_ns = number(&r->in);
    EXPECT(flowctl_clock_manual_create(r->start_ns, NULL, &r->clock, NULL) == FLOWCTL_OK);
    o.clock = r->clock;
    flowctl_status status = flowctl_token_bucket_create(&o, &r->limiter, &err);
    if (status != FLOWCTL_OK) {
        EXPECT(how >= 200 && r->limiter == NULL && err.status == status && err.message[0] != '\0');
        return false;
    }
    r->burst = o.burst, r->now_ns = r->start_ns;
    model_init(&r->model, &o, r->start_ns);
    /* in lowest terms, or the oracle would need more than 128 bits */
    r->limit = (struct oracle_limit){(uint64_t)r->model.rate, (uint64_t)r->model.period, o.burst};
    return true;
}

static void granted(struct run *r, uint64_t permits, uint64_t date_ns) {
    if (permits == 0) return;
    oracle_record(&r->log, date_ns, permits);
    if (r->model.valid) r->model.level -= (oracle_amount)permits * r->model.period;
}

static bool same(flowctl_decision a, flowctl_decision b) {
    return a.verdict == b.verdict && a.status == b.status && a.granted == b.granted && a.remaining == b.remaining &&
           a.retry_after_ns == b.retry_after_ns && a.now_ns == b.now_ns;
}

/* What any decision must look like. */
static void check_shape(const struct run *r, flowctl_decision d, uint64_t permits) {
    EXPECT(d.status == FLOWCTL_OK && d.tier == FLOWCTL_NO_TIER && d.flags == 0);
    EXPECT(d.remaining <= r->burst);
    EXPECT((d.verdict == FLOWCTL_ALLOW) == (d.retry_after_ns == 0));
    EXPECT(d.granted == 0 || d.granted == permits);
    if (permits > r->burst) EXPECT(d.verdict == FLOWCTL_NEVER || d.verdict == FLOWCTL_DENY);
    else EXPECT(d.verdict != FLOWCTL_NEVER);
}

/* The permits there are, against the model: none too many, less than two units too few. */
static void check_level(const struct run *r, flowctl_decision d) {
    const struct model *m = &r->model;
    if (!m->valid || d.now_ns != m->now_ns) return;
    oracle_amount there = (oracle_amount)d.remaining * m->period, two_units = (2 * m->period - 1) / (oracle_amount)r->unit;
    EXPECT(there <= m->level);
    EXPECT(m->level - there < m->period + two_units + 1);
}

/* Only where looking ahead stays near the start: a far look moves what the limiter remembers. */
static void check_retry(const struct run *r, flowctl_decision d, uint64_t permits) {
    if (d.verdict != FLOWCTL_DENY || d.retry_after_ns > YEAR || d.now_ns < r->start_ns || d.now_ns - r->start_ns > 8 * YEAR)
        return;
    if (d.now_ns > UINT64_MAX - 2 * YEAR || !r->model.valid) return;
    EXPECT(flowctl_peek_at(r->limiter, permits, d.now_ns + d.retry_after_ns).verdict == FLOWCTL_ALLOW);
    EXPECT(flowctl_peek_at(r->limiter, permits, d.now_ns + d.retry_after_ns - 1).verdict == FLOWCTL_DENY);
}

static uint64_t choose_permits(struct run *r) {
    uint8_t how = byte(&r->in);
    if (how < 100) return 1 + how % r->burst;
    if (how < 150) return r->burst;
    if (how < 240) return 1 + number(&r->in) % r->burst;
    return number(&r->in);
}

static void decide(struct run *r, uint64_t n, flowctl_decision before) {
    flowctl_decision d = flowctl_decide_at(r->limiter, n, r->now_ns);
    check_shape(r, d, n);
    EXPECT(d.verdict == before.verdict && d.now_ns == before.now_ns && d.retry_after_ns == before.retry_after_ns);
    EXPECT(d.granted == (d.verdict == FLOWCTL_ALLOW ? n : 0));
    /* a bucket that overflowed may lose a unit to rounding, and with it the last whole permit */
    uint64_t lost = before.remaining - d.granted - d.remaining;
    EXPECT(lost == 0 || (lost == 1 && d.granted > 0 && before.remaining == r->burst));
    granted(r, d.granted, d.now_ns);
}

static void try(struct run *r, uint64_t n, flowctl_decision before) {
    bool got = flowctl_try_acquire_at(r->limiter, n, r->now_ns);
    EXPECT(got == (before.verdict == FLOWCTL_ALLOW));
    if (got) granted(r, n, before.now_ns);
}

static void try_up_to(struct run *r, uint64_t n, flowctl_decision before) {
    uint64_t got = flowctl_try_acquire_up_to_at(r->limiter, n, r->now_ns);
    EXPECT(got == (n < before.remaining ? n : before.remaining));
    granted(r, got, before.now_ns);
}

/* reserve, or acquire without waiting. */
static void book(struct run *r, uint64_t n, flowctl_decision before, bool acquire) {
    uint64_t most = acquire ? 0 : number(&r->in);
    flowctl_decision d =
        acquire ? flowctl_acquire_at(r->limiter, n, 0, r->now_ns) : flowctl_reserve_at(r->limiter, n, most, NULL, r->now_ns);
    check_shape(r, d, n);
    if (d.verdict == FLOWCTL_DELAY) {
        EXPECT(before.verdict == FLOWCTL_DENY && !acquire);
        EXPECT(d.retry_after_ns <= most && d.now_ns == before.now_ns + d.retry_after_ns);
        /* the last nanosecond of all can be booked, but a time to wait for it reads as for ever */
        EXPECT(d.retry_after_ns == before.retry_after_ns || d.now_ns == FLOWCTL_FOREVER);
        r->model.valid = false;
        granted(r, n, d.now_ns);
        return;
    }
    EXPECT(d.verdict == before.verdict && d.now_ns == before.now_ns && d.retry_after_ns == before.retry_after_ns);
    if (d.verdict == FLOWCTL_ALLOW) granted(r, n, d.now_ns);
}

static void read_info(struct run *r, flowctl_decision before) {
    flowctl_limiter_info info;
    EXPECT(flowctl_limiter_read_at(r->limiter, &info, r->now_ns) == FLOWCTL_OK);
    EXPECT(info.burst == r->burst && info.units_per_permit == r->unit && info.waiters == 0);
    EXPECT(info.tokens == before.remaining);
    EXPECT(info.debt == 0 || info.tokens == 0);
}

static void move_time(struct run *r) {
    uint8_t how = byte(&r->in);
    uint64_t step = number(&r->in);
    if (how < 200) r->now_ns = step > UINT64_MAX - r->now_ns ? UINT64_MAX : r->now_ns + step;
    else if (how < 240) r->now_ns = step > r->now_ns ? 0 : r->now_ns - step;
    else r->now_ns = step;
}

static void call(struct run *r) {
    uint8_t what = byte(&r->in);
    if (what < 80) {
        move_time(r);
        return;
    }
    uint64_t n = choose_permits(r);
    if (n == 0) {
        EXPECT(flowctl_try_acquire_at(r->limiter, 0, r->now_ns));
        return;
    }
    flowctl_decision before = flowctl_peek_at(r->limiter, n, r->now_ns), after;
    uint64_t total = r->log.count;
    model_advance(&r->model, before.now_ns);
    check_shape(r, before, n);
    check_level(r, before);
    check_retry(r, before, n);
    switch (what % 6) {
    case 0: try(r, n, before); break;
    case 1: try_up_to(r, n, before); break;
    case 2: book(r, n, before, false); break;
    case 3: book(r, n, before, true); break;
    case 4: read_info(r, before); break;
    default: decide(r, n, before); break;
    }
    after = flowctl_peek_at(r->limiter, n, r->now_ns);
    check_level(r, after);
    if (r->log.count == total) EXPECT(same(before, after)); /* nothing was granted, nothing has changed */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct run r = {.in = {data, data + size}};
    if (create(&r)) {
        flowctl_limiter_info info;
        EXPECT(flowctl_limiter_read(r.limiter, &info) == FLOWCTL_OK);
        r.unit = info.units_per_permit;
        for (int i = 0; i < CALLS_MAX && r.in.at < r.in.end; i++) call(&r);
        EXPECT(oracle_passes("fuzz_bucket", &r.log, &r.limit));
    }
    oracle_free(&r.log);
    flowctl_limiter_destroy(r.limiter);
    flowctl_clock_destroy(r.clock);
    return 0;
}

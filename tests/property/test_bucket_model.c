/*
 * Single-threaded, times in order, every verb: the library against a bucket in rationals (numerators over the rate's period, 128 bits wide).
 * Where the library says its grid is exact and the times lie on it, every answer must be the same; elsewhere it may hold back less than two
 * units (one for rounding now down, one for the last overflow), and never a unit too many.
 */
#include "support/bucket_setup.h"
#include "support/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define SIMULATED_NS (30 * FLOWCTL_NS_PER_YEAR)

struct model {
    oracle_amount level, burst; /* permits x period */
    oracle_amount rate, period;
    uint64_t now_ns;
};

static flowctl_rate lowest_terms(flowctl_rate r) {
    uint64_t a = r.permits, b = r.period_ns;
    while (b != 0) {
        uint64_t rest = a % b;
        a = b, b = rest;
    }
    return flowctl_per(r.permits / a, r.period_ns / a);
}

static void model_init(struct model *m, const struct bucket_setup *b) {
    flowctl_rate r = lowest_terms(b->rate);
    *m = (struct model){.rate = (oracle_amount)r.permits, .period = (oracle_amount)r.period_ns, .now_ns = b->start_ns};
    m->burst = (oracle_amount)b->burst * m->period;
    m->level = (oracle_amount)b->start_permits * m->period;
}

static void model_advance(struct model *m, uint64_t now_ns) {
    if (now_ns <= m->now_ns) return;
    oracle_amount gain;
    bool full = __builtin_mul_overflow(m->rate, (oracle_amount)(now_ns - m->now_ns), &gain) || gain >= m->burst - m->level;
    m->level = full ? m->burst : m->level + gain;
    m->now_ns = now_ns;
}

/* The first time at which the level is at least n permits. */
static oracle_amount model_due(const struct model *m, uint64_t permits) {
    oracle_amount lack = (oracle_amount)permits * m->period - m->level;
    return m->now_ns + (lack <= 0 ? 0 : (lack + m->rate - 1) / m->rate);
}

/* When the library says it is due. What is beyond 64 bits, counting the two units that it may hold back, it calls for ever. */
static oracle_amount told_due(const struct model *m, uint64_t permits, uint64_t retry_after_ns, uint64_t unit) {
    if (retry_after_ns != FLOWCTL_FOREVER) return (oracle_amount)m->now_ns + (oracle_amount)retry_after_ns;
    oracle_amount due = model_due(m, permits), two_units = 2 * m->period / m->rate / (oracle_amount)unit + 1;
    assert_true(due + two_units > (oracle_amount)UINT64_MAX);
    return due;
}

/* Whether the library, which has fewer permits than the model, holds back less than two units of `unit` to a permit. */
static bool less_than_two_units(const struct model *m, oracle_amount held_back, uint64_t unit) {
    return held_back <= (2 * m->period - 1) / (oracle_amount)unit;
}

struct run {
    struct bucket_setup b;
    struct model m;
    flowctl_limiter_info info;
    bool exact;
    uint64_t random;
    uint64_t checked_equal;
};

static void check_decision(struct run *r, uint64_t permits, flowctl_decision d) {
    bool fits = (oracle_amount)permits * r->m.period <= r->m.level;
    assert_int_equal(d.status, FLOWCTL_OK);
    assert_true(d.now_ns == r->m.now_ns);
    if (permits > r->b.burst) {
        assert_int_equal(d.verdict, FLOWCTL_NEVER);
        return;
    }
    if (d.verdict == FLOWCTL_ALLOW) assert_true(fits);
    else {
        assert_int_equal(d.verdict, FLOWCTL_DENY);
        assert_true(less_than_two_units(&r->m, r->m.level - (oracle_amount)permits * r->m.period, r->info.units_per_permit));
        assert_true(told_due(&r->m, permits, d.retry_after_ns, r->info.units_per_permit) >= model_due(&r->m, permits));
    }
    if (!r->exact) return;
    r->checked_equal++;
    assert_int_equal(d.verdict, fits ? FLOWCTL_ALLOW : FLOWCTL_DENY);
    if (!fits && r->info.exact_every_ns == 1)
        assert_true(told_due(&r->m, permits, d.retry_after_ns, r->info.units_per_permit) == model_due(&r->m, permits));
}

/* 0 … most, as likely small as large. */
static uint64_t wide(uint64_t *random, uint64_t most) { return test_magnitude(random, most + (most < UINT64_MAX)) - 1; }

static void charge(struct run *r, uint64_t permits) { r->m.level -= (oracle_amount)permits * r->m.period; }

static void step(struct run *r) {
    flowctl_limiter *l = r->b.limiter;
    uint64_t burst = r->b.burst, now = r->m.now_ns;
    uint64_t permits = 1 + (test_below(&r->random, 4) == 0 ? burst - 1 : wide(&r->random, burst - 1));
    if (test_below(&r->random, 40) == 0) permits = burst + 1 + wide(&r->random, UINT64_MAX - burst - 1);
    switch (test_below(&r->random, 5)) {
    case 0: {
        bool fits = permits <= burst && (oracle_amount)permits * r->m.period <= r->m.level;
        bool got = flowctl_try_acquire_at(l, permits, now);
        assert_true(!got || fits);
        if (r->exact) assert_true(got == fits);
        if (got) charge(r, permits);
        break;
    }
    case 1: {
        uint64_t got = flowctl_try_acquire_up_to_at(l, permits, now), most = (uint64_t)(r->m.level / r->m.period);
        if (most > permits) most = permits;
        assert_true(got <= most);
        if (r->exact) assert_true(got == most);
        charge(r, got);
        break;
    }
    case 2: check_decision(r, permits, flowctl_peek_at(l, permits, now)); break;
    default: {
        flowctl_decision d = flowctl_decide_at(l, permits, now);
        check_decision(r, permits, d);
        if (d.verdict == FLOWCTL_ALLOW) charge(r, permits);
        if (r->exact && d.verdict != FLOWCTL_NEVER) assert_true(d.remaining == (uint64_t)(r->m.level / r->m.period));
        break;
    }
    }
}

static void run_once(struct run *r) {
    uint64_t *random = &r->random;
    bucket_setup_random(&r->b, random);
    bucket_setup_make(&r->b);
    assert_int_equal(flowctl_limiter_read(r->b.limiter, &r->info), FLOWCTL_OK);
    model_init(&r->m, &r->b);
    uint64_t grid = r->info.exact_every_ns;
    bool on_grid = grid != 0 && test_below(random, 2) == 0;
    r->exact = grid == 1 || on_grid;
    uint64_t end = r->b.start_ns + SIMULATED_NS;
    for (int i = 0; i < 300; i++) {
        uint64_t now = r->m.now_ns + bucket_setup_random_step(&r->b, random, end - r->m.now_ns);
        if (on_grid) now -= (now - r->b.start_ns) % grid;
        model_advance(&r->m, now);
        step(r);
    }
    bucket_setup_free(&r->b);
}

static void agrees_with_rationals(void **state) {
    (void)state;
    struct run r = {.random = test_seed("bucket_model")};
    unsigned exact = 0;
    for (int i = 0; i < 20000; i++) {
        run_once(&r);
        exact += r.exact;
    }
    print_message("20000 buckets, %u of them to be equal at every step; %llu decisions compared for equality\n", exact,
                  (unsigned long long)r.checked_equal);
    assert_true(exact > 2000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_rationals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Permits that were taken as an estimate and not used: how many may go back into the bucket? The library's rule (what time has not replaced) against the
 * oracle, which sees only what was used, dated at its grant; and the rule of every other library, all of them, capped at the burst, which must be found.
 *
 * Time is what the rate has produced: 1 permit per nanosecond.
 */
#include "support/bucket_setup.h"
#include "support/seed.h"

#include "clock/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define STEPS 600
#define RUNS 2000
#define HELD 1024

struct estimate {
    flowctl_receipt receipt;
    uint64_t granted_ns, settle_ns, actual;
};

struct run {
    flowctl_limiter *l;
    struct oracle_log used;
    struct estimate held[HELD];
    size_t count;
    uint64_t random, burst, now_ns, unused, back;
};

static void settle_due(struct run *r) {
    for (size_t i = 0; i < r->count;) {
        struct estimate *e = &r->held[i];
        if (e->settle_ns > r->now_ns) {
            i++;
            continue;
        }
        uint64_t estimate = e->receipt.permits;
        flowctl_settlement s = flowctl_settle_at(&e->receipt, e->actual, r->now_ns);
        assert_int_equal(s.status, FLOWCTL_OK);
        assert_int_equal(s.given_back + s.forfeited, estimate - e->actual);
        assert_int_equal(flowctl_settle_at(&e->receipt, 0, r->now_ns).status, FLOWCTL_INVALID_ARGUMENT); /* once */
        r->unused += estimate - e->actual;
        r->back += s.given_back;
        *e = r->held[--r->count];
    }
}

static void take(struct run *r) {
    uint64_t most = test_below(&r->random, 5) != 0 ? r->burst / 3 + 1 : r->burst, permits = 1 + test_below(&r->random, most);
    if (test_below(&r->random, 10) >= 3 || r->count == HELD) {
        if (flowctl_try_acquire_at(r->l, permits, r->now_ns)) oracle_record(&r->used, r->now_ns, permits);
        return;
    }
    struct estimate *e = &r->held[r->count];
    if (flowctl_acquire_estimate_at(r->l, permits, 0, &e->receipt, r->now_ns).verdict != FLOWCTL_ALLOW) return;
    e->granted_ns = r->now_ns;
    e->settle_ns = r->now_ns + test_below(&r->random, 2 * r->burst + 1);
    e->actual = test_below(&r->random, permits + 1);
    if (e->actual > 0) oracle_record(&r->used, r->now_ns, e->actual);
    r->count++;
}

/* The worst excess, in permits; what was not used and what went back are added up. */
static double run(flowctl_settle_rule rule, uint64_t seed, uint64_t *unused, uint64_t *back) {
    static const uint64_t bursts[] = {2, 5, 10, 20, 50}, busy[] = {10, 50, 100, 300};
    struct run r = {.random = seed};
    r.burst = bursts[test_below(&r.random, 5)];
    uint64_t percent = busy[test_below(&r.random, 4)];
    flowctl_clock *clock = test_clock(0);
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    o.rate = flowctl_per(1, 1), o.burst = r.burst, o.clock = clock, o.settle = rule;
    assert_int_equal(flowctl_token_bucket_create(&o, &r.l, NULL), FLOWCTL_OK);
    for (r.now_ns = 0; r.now_ns < STEPS; r.now_ns++) {
        settle_due(&r);
        if (test_below(&r.random, 100) >= percent) continue;
        for (uint64_t calls = test_below(&r.random, 4); calls > 0; calls--) take(&r);
    }
    flowctl_counters c;
    flowctl_limiter_counters(r.l, &c);
    assert_int_equal(c.given_back_permits, r.back);
    assert_int_equal(c.forfeited_permits, r.unused - r.back);
    struct oracle_limit limit = test_limit(flowctl_per(1, 1), r.burst);
    struct oracle_verdict v = oracle_judge(&r.used, &limit);
    *unused += r.unused;
    *back += r.back;
    flowctl_limiter_destroy(r.l);
    flowctl_clock_destroy(clock);
    oracle_free(&r.used);
    return oracle_excess(&v, &limit);
}

static void what_goes_back_never_breaks_the_limit(void **state) {
    uint64_t random = *(uint64_t *)*state, unused = 0, back = 0;
    for (int i = 0; i < RUNS; i++) assert_true(run(FLOWCTL_SETTLE_AGED, test_random(&random), &unused, &back) <= 0);
    print_message("aged: %.1f %% of %llu permits went back\n", 100 * (double)back / (double)unused,
                  (unsigned long long)unused);
    assert_true(back * 100 > unused * 5);
}

static void giving_all_back_is_found(void **state) {
    uint64_t random = *(uint64_t *)*state, unused = 0, back = 0;
    int over = 0;
    for (int i = 0; i < RUNS; i++) over += run(FLOWCTL_SETTLE_LENIENT, test_random(&random), &unused, &back) > 0;
    print_message("lenient: %d of %d runs over the limit\n", over, RUNS);
    assert_int_equal(back, unused);
    assert_true(over > RUNS / 20);
}

/* ---- the order of word and clock ---- */

/* A clock that stands at `now_ns`; while it is read, for once, another thread is granted something a little later. */
struct busy_clock {
    flowctl_clock base;
    uint64_t now_ns;
    flowctl_limiter *l;
};

static uint64_t busy_now(const flowctl_clock *clock) {
    struct busy_clock *c = (struct busy_clock *)(uintptr_t)clock;
    uint64_t read_ns = c->now_ns;
    flowctl_limiter *l = c->l;
    c->l = NULL;
    if (l == NULL) return read_ns;
    c->now_ns += 10;
    assert_true(flowctl_try_acquire_at(l, 5, c->now_ns));
    return read_ns;
}

static void sleep_never(flowctl_clock *clock, struct fc_sleeper *sleeper, uint64_t until_ns) {
    (void)clock, (void)sleeper, (void)until_ns;
}
static void destroy_nothing(flowctl_clock *clock) { (void)clock; }

static void a_grant_between_word_and_clock_is_not_overlooked(void **state) {
    (void)state;
    static const struct fc_clock_ops ops = {busy_now, sleep_never, destroy_nothing};
    struct busy_clock clock = {{&ops}, 1000, NULL};
    flowctl_receipt receipt;
    flowctl_limiter *l = test_bucket(flowctl_per(1, 1), 100, &clock.base);
    assert_int_equal(flowctl_acquire_estimate(l, 60, 0, &receipt).verdict, FLOWCTL_ALLOW);
    clock.now_ns += 20;
    clock.l = l;
    flowctl_settlement s = flowctl_settle(&receipt, 0);
    assert_int_equal(clock.now_ns, 1030);
    assert_int_equal(s.given_back, 60 - 30); /* by the clock when it was read again, not the 40 of the first reading */
    flowctl_limiter_destroy(l);
}

int main(void) {
    uint64_t seed = test_seed("give_back");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(what_goes_back_never_breaks_the_limit, &seed),
        cmocka_unit_test_prestate(giving_all_back_is_found, &seed),
        cmocka_unit_test(a_grant_between_word_and_clock_is_not_overlooked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Settings that change while the bucket is in use, with every other verb in between: never more than an ideal bucket that changed at the same moments, plus the debt
 * that settling may make. And, with the plain verbs alone, never less than that bucket either, but for the units that rounding takes.
 */
#include "support/bucket_setup.h"
#include "support/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define PERIOD_NS FLOWCTL_NS_PER_SEC
#define STEPS 300
#define RUNS 4000
#define HELD 256

struct run {
    flowctl_clock *clock;
    flowctl_limiter *l;
    struct oracle_log log;
    struct oracle_limit limit;
    struct oracle_change changes[STEPS];
    size_t change_count;
    uint64_t rate, burst; /* now; rate is what it would be if it is paused */
    bool paused;
    flowctl_reservation held[HELD];
    size_t held_count;
    struct estimate {
        flowctl_receipt receipt;
        uint64_t actual;
    } estimates[HELD];
    size_t estimate_count;
    uint64_t random, now_ns, given_back;
};

static void begin(struct run *r, uint64_t seed, uint64_t max_debt) {
    *r = (struct run){.random = seed, .now_ns = 1000};
    r->rate = test_magnitude(&r->random, UINT64_C(10000000000));
    r->burst = test_magnitude(&r->random, 1000000);
    r->limit = (struct oracle_limit){r->rate, PERIOD_NS, r->burst};
    r->clock = test_clock(r->now_ns);
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    o.rate = flowctl_per(r->rate, PERIOD_NS), o.burst = r->burst, o.clock = r->clock, o.max_debt = max_debt;
    assert_int_equal(flowctl_token_bucket_create(&o, &r->l, NULL), FLOWCTL_OK);
}

static void end(struct run *r) {
    flowctl_limiter_destroy(r->l);
    flowctl_clock_destroy(r->clock);
    oracle_free(&r->log);
}

/* What is due by `until_ns` is used, at the time it is due. */
static void use_due(struct run *r, uint64_t until_ns) {
    for (size_t i = 0; i < r->held_count;) {
        uint64_t due_ns = flowctl_reservation_due_ns(&r->held[i]);
        if (due_ns > until_ns) {
            i++;
            continue;
        }
        /* 0: what was done in this step has made it due at once. */
        oracle_record(&r->log, due_ns != 0 ? due_ns : r->now_ns, r->held[i].permits);
        r->held[i] = r->held[--r->held_count];
    }
}

static void advance(struct run *r) {
    uint64_t gap = PERIOD_NS / r->rate + 1, step;
    switch (test_below(&r->random, 4)) {
    case 0: step = 1; break;
    case 1: step = test_magnitude(&r->random, gap); break;
    case 2: step = gap * test_magnitude(&r->random, r->burst + 1); break;
    default: step = gap * (1 + test_below(&r->random, 3)); break;
    }
    if (step > 100 * FLOWCTL_NS_PER_SEC) step = 100 * FLOWCTL_NS_PER_SEC;
    use_due(r, r->now_ns + step);
    r->now_ns += step;
    flowctl_clock_set(r->clock, r->now_ns);
}

static void record_change(struct run *r, bool emptied) {
    r->changes[r->change_count++] = (struct oracle_change){r->now_ns, r->paused ? 0 : r->rate, r->burst, emptied};
}

/* What is booked stays booked: a reset does not take it away, and a smaller burst must not be smaller than it for the ideal bucket to hold it. */
static uint64_t largest_held(const struct run *r) {
    uint64_t most = 1;
    for (size_t i = 0; i < r->held_count; i++)
        if (r->held[i].permits > most) most = r->held[i].permits;
    return most;
}

static bool owes(struct run *r) {
    flowctl_limiter_info info;
    assert_int_equal(flowctl_limiter_read_at(r->l, &info, r->now_ns), FLOWCTL_OK);
    return info.debt > 0 || r->held_count > 0;
}

static void change(struct run *r) {
    bool empties = !owes(r);
    switch (test_below(&r->random, 8)) {
    case 0:
        r->paused = true;
        assert_int_equal(flowctl_limiter_pause_at(r->l, r->now_ns), FLOWCTL_OK);
        break;
    case 1:
    case 2:
        r->paused = false;
        assert_int_equal(flowctl_limiter_resume_at(r->l, r->now_ns), FLOWCTL_OK);
        break;
    case 3:
        assert_int_equal(flowctl_limiter_reset_at(r->l, r->now_ns), FLOWCTL_OK);
        record_change(r, empties);
        return;
    default:
        if (test_below(&r->random, 2) == 0) r->rate = test_magnitude(&r->random, UINT64_C(10000000000));
        else r->rate = r->rate / 2 + test_below(&r->random, r->rate) + 1;
        if (r->rate > UINT64_C(10000000000)) r->rate = UINT64_C(10000000000);
        if (test_below(&r->random, 2) == 0) r->burst = largest_held(r) + test_magnitude(&r->random, 1000000) - 1;
        assert_int_equal(flowctl_set_limit_at(r->l, flowctl_per(r->rate, PERIOD_NS), r->burst, r->now_ns, NULL), FLOWCTL_OK);
    }
    record_change(r, false);
}

static uint64_t some_permits(struct run *r) {
    return test_below(&r->random, 4) == 0 ? r->burst : test_magnitude(&r->random, r->burst);
}

static void reserve_or_cancel(struct run *r) {
    if (r->held_count > 0 && test_below(&r->random, 3) == 0) {
        size_t i = test_below(&r->random, r->held_count);
        if (flowctl_cancel_at(&r->held[i], r->now_ns) != 0) r->held[i] = r->held[--r->held_count];
        return;
    }
    if (r->held_count == HELD) return;
    flowctl_reservation *h = &r->held[r->held_count];
    flowctl_decision d = flowctl_reserve_at(r->l, some_permits(r), 10 * FLOWCTL_NS_PER_SEC, h, r->now_ns);
    if (d.verdict == FLOWCTL_ALLOW) oracle_record(&r->log, d.now_ns, d.granted);
    if (d.verdict != FLOWCTL_DELAY) return;
    r->held_count++;
}

/* What is used is in the log: at its grant as far as the estimate went, and the rest, as far as it could be charged, when it was settled. */
static void take_or_settle(struct run *r) {
    if (r->estimate_count > 0 && test_below(&r->random, 2) == 0) {
        struct estimate *e = &r->estimates[test_below(&r->random, r->estimate_count)];
        uint64_t estimate = e->receipt.permits, actual = e->actual;
        flowctl_settlement s = flowctl_settle_at(&e->receipt, actual, r->now_ns);
        assert_int_equal(s.status, FLOWCTL_OK);
        assert_int_equal(s.charged + s.unsettled, actual > estimate ? actual - estimate : 0);
        assert_int_equal(s.given_back + s.forfeited, actual < estimate ? estimate - actual : 0);
        if (s.charged > 0) oracle_record(&r->log, r->now_ns, s.charged);
        r->given_back += s.given_back;
        *e = r->estimates[--r->estimate_count];
        return;
    }
    if (r->estimate_count == HELD) return;
    struct estimate *e = &r->estimates[r->estimate_count];
    flowctl_decision d = flowctl_acquire_estimate_at(r->l, some_permits(r), 0, &e->receipt, r->now_ns);
    if (d.verdict != FLOWCTL_ALLOW) return;
    e->actual = test_below(&r->random, 3) == 0 ? d.granted + test_magnitude(&r->random, r->burst)
                                               : test_below(&r->random, d.granted + 1);
    uint64_t used = e->actual < d.granted ? e->actual : d.granted;
    if (used > 0) oracle_record(&r->log, d.now_ns, used);
    r->estimate_count++;
}

static void plain_verb(struct run *r) {
    uint64_t permits = some_permits(r);
    if (test_below(&r->random, 2) == 0) {
        flowctl_decision d = flowctl_decide_at(r->l, permits, r->now_ns);
        if (r->paused) assert_int_equal(d.flags, FLOWCTL_FLAG_PAUSED);
        if (d.granted > 0) oracle_record(&r->log, d.now_ns, d.granted);
    } else {
        uint64_t got = flowctl_try_acquire_up_to_at(r->l, permits, r->now_ns);
        if (got > 0) oracle_record(&r->log, r->now_ns, got);
    }
}

static void never_over_whatever_changes(void **state) {
    uint64_t random = *(uint64_t *)*state, admitted = 0, changed = 0, back = 0;
    for (int i = 0; i < RUNS; i++) {
        struct run *r = calloc(1, sizeof *r);
        uint64_t debt = i % 2 == 0 ? FLOWCTL_NO_DEBT : 1 + test_below(&random, 1000);
        begin(r, test_random(&random), debt);
        for (int step = 0; step < STEPS; step++) {
            advance(r);
            switch (test_below(&r->random, 8)) {
            case 0: change(r); break;
            case 1:
            case 2: reserve_or_cancel(r); break;
            case 3: take_or_settle(r); break;
            default: plain_verb(r); break;
            }
        }
        struct oracle_verdict v = oracle_judge_changes(&r->log, &r->limit, r->changes, r->change_count);
        oracle_amount most = debt == FLOWCTL_NO_DEBT ? 0 : (oracle_amount)debt * PERIOD_NS;
        if (v.excess > most) print_message("run %d: %.9g permits too many\n", i, oracle_excess(&v, &r->limit));
        assert_true(v.excess <= most);
        admitted += r->log.count, changed += r->change_count, back += r->given_back;
        end(r);
        free(r);
    }
    print_message("%d runs, %llu admissions, %llu changes, %llu permits given back\n", RUNS, (unsigned long long)admitted,
                  (unsigned long long)changed, (unsigned long long)back);
    assert_true(admitted > RUNS * 20 && changed > RUNS * 10 && back > RUNS);
}

/* ---- beside an ideal bucket ---- */

struct ideal {
    oracle_amount there;
    uint64_t now_ns;
};

static void never_under_by_more_than_rounding(void **state) {
    uint64_t random = *(uint64_t *)*state;
    for (int i = 0; i < RUNS; i++) {
        struct run *r = calloc(1, sizeof *r);
        begin(r, test_random(&random), FLOWCTL_NO_DEBT);
        oracle_amount lost = 0, last_two_units = 2 * PERIOD_NS;
        struct ideal ideal = {(oracle_amount)r->burst * PERIOD_NS, r->now_ns};
        for (int step = 0; step < STEPS; step++) {
            advance(r);
            oracle_amount more = r->paused ? 0 : (oracle_amount)(r->now_ns - ideal.now_ns) * r->rate;
            oracle_amount most = (oracle_amount)r->burst * PERIOD_NS;
            ideal.there = ideal.there + more > most ? most : ideal.there + more;
            ideal.now_ns = r->now_ns;
            size_t before = r->log.count, changes = r->change_count;
            if (test_below(&r->random, 6) == 0) change(r);
            else plain_verb(r);
            if (r->change_count != changes) {
                most = (oracle_amount)r->burst * PERIOD_NS;
                if (ideal.there > most) ideal.there = most;
                if (r->changes[changes].emptied) ideal.there = 0;
            }
            for (; before < r->log.count; before++) ideal.there -= (oracle_amount)r->log.events[before].permits * PERIOD_NS;
            assert_true(ideal.there >= 0);
            flowctl_limiter_info info;
            assert_int_equal(flowctl_limiter_read_at(r->l, &info, r->now_ns), FLOWCTL_OK);
            /* Less than two units for the present, and two for every change, each in the units of its time: a permit at some 10^9/s. */
            oracle_amount two_units = 2 * PERIOD_NS / (oracle_amount)info.units_per_permit + 1;
            if (r->change_count != changes) lost += two_units + last_two_units;
            last_two_units = two_units;
            oracle_amount has = (oracle_amount)info.tokens * PERIOD_NS;
            assert_true(has <= ideal.there && has + PERIOD_NS + lost + two_units > ideal.there);
        }
        end(r);
        free(r);
    }
}

int main(void) {
    uint64_t seed = test_seed("changes");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(never_over_whatever_changes, &seed),
        cmocka_unit_test_prestate(never_under_by_more_than_rounding, &seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

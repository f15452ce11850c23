/*
 * G1 for times in any order, over years, with bookings: the callers' own times, put in order, never show more than burst + rate x length.
 * The limiter is given times before its beginning, far beyond its horizon and back, and everything between.
 */
#include "support/bucket_setup.h"
#include "support/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define STEPS 400

static uint64_t any_time(uint64_t *random, const struct bucket_setup *b, uint64_t last_ns) {
    switch (test_below(random, 12)) {
    case 0: return b->start_ns + test_magnitude(random, 100 * FLOWCTL_NS_PER_YEAR);
    case 1: return test_below(random, b->start_ns + 1);
    case 2: return test_below(random, 50) == 0 ? UINT64_MAX : last_ns;
    case 3:
    case 4: {
        uint64_t back = test_magnitude(random, 2 * FLOWCTL_NS_PER_YEAR);
        return last_ns > back ? last_ns - back : 0;
    }
    default: {
        uint64_t room = UINT64_MAX - last_ns, step;
        step = bucket_setup_random_step(b, random, FLOWCTL_NS_PER_YEAR);
        return last_ns + (step < room ? step : room);
    }
    }
}

static struct oracle_event one_call(struct bucket_setup *b, uint64_t *random, uint64_t now) {
    uint64_t burst = b->burst;
    uint64_t permits = test_below(random, 3) == 0 ? burst : test_magnitude(random, burst);
    flowctl_decision d;
    switch (test_below(random, 4)) {
    case 0: return (struct oracle_event){now, flowctl_try_acquire_at(b->limiter, permits, now) ? permits : 0};
    case 1: return (struct oracle_event){now, flowctl_try_acquire_up_to_at(b->limiter, permits, now)};
    case 2:
        d = flowctl_reserve_at(b->limiter, permits, test_magnitude(random, FLOWCTL_NS_PER_YEAR), NULL, now);
        return (struct oracle_event){d.now_ns, d.granted};
    default: d = flowctl_decide_at(b->limiter, permits, now); return (struct oracle_event){now, d.granted};
    }
}

static void never_over_in_any_order(void **state) {
    (void)state;
    uint64_t random = test_seed("bucket_order"), granted = 0;
    double closest = -1e300;
    for (int run = 0; run < 20000; run++) {
        struct bucket_setup b;
        struct oracle_log log = {NULL, 0, 0};
        bucket_setup_random(&b, &random);
        bucket_setup_make(&b);
        uint64_t now = b.start_ns;
        for (int i = 0; i < STEPS; i++) {
            now = any_time(&random, &b, now);
            struct oracle_event e = one_call(&b, &random, now);
            if (e.permits != 0) oracle_record(&log, e.time_ns, e.permits);
        }
        struct oracle_limit limit = test_limit(b.rate, b.burst);
        assert_true(oracle_passes("never_over_in_any_order", &log, &limit));
        struct oracle_verdict v = oracle_judge(&log, &limit);
        if (oracle_excess(&v, &limit) > closest) closest = oracle_excess(&v, &limit);
        granted += log.count;
        oracle_free(&log);
        bucket_setup_free(&b);
    }
    print_message("20000 buckets, %llu admissions, closest to the limit %+.9f permits\n", (unsigned long long)granted,
                  closest);
    assert_true(closest > -0.5);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(never_over_in_any_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

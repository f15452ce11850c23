/* The smallest rate, against its definition: the greatest (cost - burst) / length of all windows. */
#include "smallest_rate.h"

#include <flowctl/rate.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define REQUESTS_MAX 400

struct request {
    uint64_t time_ns, cost;
};

static uint64_t random_state = 1;

static uint64_t below(uint64_t n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

static uint64_t gcd(uint64_t a, uint64_t b) { return b == 0 ? a : gcd(b, a % b); }

/* Every window, one by one. */
static struct fct_rate_needed definition(const struct request *r, size_t count, uint64_t burst) {
    uint64_t permits = 0, period_ns = 1, moment_max = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t cost = 0;
        for (size_t j = i; j < count; j++) {
            cost += r[j].cost;
            uint64_t length = r[j].time_ns - r[i].time_ns;
            if (cost <= burst) continue;
            if (length == 0 && cost > moment_max) moment_max = cost;
            if (length != 0 && (fct_u128)(cost - burst) * period_ns > (fct_u128)permits * length)
                permits = cost - burst, period_ns = length;
        }
    }
    if (moment_max != 0) return (struct fct_rate_needed){.kind = FCT_RATE_NONE, .moment_max = moment_max, .exact = true};
    if (permits == 0) return (struct fct_rate_needed){.kind = FCT_RATE_ANY, .period_ns = 1, .exact = true};
    if ((permits - 1) / 10 >= period_ns) return (struct fct_rate_needed){.kind = FCT_RATE_TOO_HIGH, .exact = true};
    uint64_t divisor = gcd(permits, period_ns);
    return (struct fct_rate_needed){FCT_RATE_FOUND, permits / divisor, period_ns / divisor, 0, true};
}

static struct fct_rate_needed compute(const struct request *r, size_t count, uint64_t burst, size_t room) {
    struct fct_smallest_rate s;
    assert_true(fct_smallest_rate_init(&s, burst, room));
    for (size_t i = 0; i < count; i++) {
        fct_smallest_rate_add(&s, r[i].time_ns, r[i].cost);
        if (i % 7 == 0) fct_smallest_rate_get(&s); /* changes nothing */
    }
    struct fct_rate_needed needed = fct_smallest_rate_get(&s);
    fct_smallest_rate_cleanup(&s);
    return needed;
}

static void check(const struct request *r, size_t count, uint64_t burst) {
    struct fct_rate_needed expected = definition(r, count, burst), found = compute(r, count, burst, 512);
    assert_int_equal(found.kind, expected.kind);
    assert_int_equal(found.permits, expected.permits);
    assert_int_equal(found.period_ns, expected.period_ns);
    assert_int_equal(found.moment_max, expected.moment_max);
    assert_true(found.exact);
}

/* Traffic of several characters: even, in clumps, speeding up, slowing down, with gaps, coarse or fine in time. */
static void make(struct request *r, size_t count, unsigned character) {
    uint64_t time_ns = below(1000), step = 1 + below(1000);
    for (size_t i = 0; i < count; i++) {
        r[i] = (struct request){time_ns, below(10) == 0 ? 0 : 1 + below(1 + below(character % 3 == 0 ? 1 : 20))};
        switch (character % 6) {
        case 0: time_ns += below(2 * step); break;
        case 1: time_ns += below(4) == 0 ? step * 10 : below(2); break;
        case 2: time_ns += 1 + step * 100 / (i + 1); break;
        case 3: time_ns += 1 + step * i; break;
        case 4: time_ns += below(50) == 0 ? UINT64_C(100000000000) : 1 + below(step); break;
        default: time_ns += below(3); break;
        }
    }
}

static void random_traffic(void **state) {
    (void)state;
    static struct request r[REQUESTS_MAX];
    for (unsigned round = 0; round < 3000; round++) {
        size_t count = (size_t)below(round % 20 == 0 ? REQUESTS_MAX : 40);
        make(r, count, (unsigned)below(6));
        check(r, count, 1 + below(round % 2 == 0 ? 5 : 200));
    }
}

static void few_requests(void **state) {
    (void)state;
    const struct request r[] = {{5, 3}, {5, 4}, {9, 1}, {9, 0}};
    for (size_t count = 0; count <= 4; count++)
        for (uint64_t burst = 1; burst < 10; burst++) check(r, count, burst);
}

/* Traffic that speeds up without end keeps every point on the hull. */
static void large_hulls_are_thinned(void **state) {
    (void)state;
    enum { COUNT = 4000 };
    static struct request r[COUNT];
    for (uint64_t i = 0; i < COUNT; i++) r[i] = (struct request){i * 1000, i + 1};
    struct fct_rate_needed expected = definition(r, COUNT, 3000000), found = compute(r, COUNT, 3000000, 1024);
    assert_int_equal(expected.kind, FCT_RATE_FOUND);
    assert_int_equal(found.kind, FCT_RATE_FOUND);
    assert_false(found.exact);
    double ratio = (double)found.permits / (double)found.period_ns * (double)expected.period_ns / (double)expected.permits;
    if (ratio > 1 || ratio < 0.999) fail_msg("%.9f", ratio);
    assert_true(compute(r, COUNT, 3000000, COUNT).exact);
    assert_int_equal(compute(r, COUNT, 3000000, COUNT).permits, expected.permits);
}

/* Sums beyond 64 bits, the whole of time, and rates that no limit has. */
static void extremes(void **state) {
    (void)state;
    const struct request huge[] = {{0, UINT64_MAX}, {0, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}};
    struct fct_rate_needed needed = compute(huge, 3, 1, 8);
    assert_int_equal(needed.kind, FCT_RATE_NONE);
    assert_int_equal(needed.moment_max, UINT64_MAX);
    const struct request fast[] = {{0, 10}, {1, 11}};
    assert_int_equal(compute(fast, 2, 11, 8).kind, FCT_RATE_FOUND); /* 10 per ns */
    const struct request faster[] = {{0, 11}, {1, 11}};
    assert_int_equal(compute(faster, 2, 11, 8).kind, FCT_RATE_TOO_HIGH);
    const struct request slow[] = {{0, 1}, {UINT64_MAX, 1}};
    needed = compute(slow, 2, 1, 8);
    assert_int_equal(needed.kind, FCT_RATE_FOUND);
    assert_int_equal(needed.permits, 1);
    assert_true(needed.period_ns == UINT64_MAX);
    const uint64_t large = UINT64_C(1) << 61;
    const struct request many[] = {{0, large}, {large, large}, {2 * large, large}, {3 * large, large}};
    needed = compute(many, 4, large, 8);
    assert_int_equal(needed.permits, 1);
    assert_int_equal(needed.period_ns, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_traffic), cmocka_unit_test(few_requests),
                                       cmocka_unit_test(large_hulls_are_thinned), cmocka_unit_test(extremes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The arithmetic against its definition. x(t) = (t - t0) * permits * unit / period_ns is computed here as written, with 256-bit numbers and long
 * division: no reduced slope, no scaled multiplication, no word that wraps.
 */
#include "unit/fixture.h"

#include "algo/bucket.h"
#include "support/bucket_setup.h"
#include "support/seed.h"
#include "unit/reference.h"

#define SEC FLOWCTL_NS_PER_SEC
#define MS FLOWCTL_NS_PER_MS
#define US FLOWCTL_NS_PER_US
#define YEAR FLOWCTL_NS_PER_YEAR
#define WORLDS 20000

__extension__ typedef __int128 wide;

/* A profile, and what it was made from. */
struct world {
    flowctl_rate rate; /* as asked for, in any terms */
    uint64_t burst, booked, t0_ns;
    struct fc_bucket_profile profile;
    struct fc_bucket_slope slope;
    uint64_t unit; /* units to a permit, not doubled */
};

static void make(struct world *w) {
    flowctl_rate rate = w->rate;
    uint64_t burst = w->burst;
    assert_int_equal(fc_bucket_profile_make(&rate, &burst, w->booked, &w->profile, &w->slope), FC_BUCKET_FINE);
    assert_int_equal(burst, w->burst);
    assert_int_equal(w->profile.t0_ns, 0);
    assert_int_equal(w->profile.x1, 0);
    assert_int_equal(w->profile.unit % 2, 0);
    w->profile.t0_ns = w->t0_ns;
    w->unit = w->profile.unit / 2;
}

/* Its t0 leaves room for `reach_ns` behind it. */
static void make_random(struct world *w, uint64_t *random, uint64_t reach_ns) {
    struct bucket_setup setup = {.burst = 0};
    bucket_setup_random(&setup, random);
    w->rate = setup.rate, w->burst = setup.burst;
    w->booked = test_below(random, 3) == 0 ? test_magnitude(random, FLOWCTL_BURST_MAX) : 0;
    w->t0_ns = test_below(random, UINT64_MAX - reach_ns);
    make(w);
    w->profile.x1 = 2 * test_random(random); /* where the word and x stand modulo 2^64 must not matter */
}

/* The definition: units produced from t0 until t, rounded down, and doubled; *part tells whether something was rounded. */
static wide produced(const struct world *w, uint64_t t_ns, bool *part) {
    uint64_t rest;
    struct big units = big_mul(big_mul(big_of(t_ns - w->t0_ns), w->rate.permits), w->unit);
    units = big_div(units, w->rate.period_ns, &rest);
    assert_true(units.limb[3] == 0 && units.limb[2] == 0);
    if (part != NULL) *part = rest != 0;
    return 2 * (wide)((two_limbs)units.limb[1] << 64 | units.limb[0]);
}

/* A time in reach: any, or close to the moment at which another whole unit is complete. */
static uint64_t random_time(const struct world *w, uint64_t *random) {
    uint64_t dt = test_magnitude(random, FC_HORIZON_NS) - 1;
    if (test_below(random, 2) == 0) {
        dt -= dt % w->slope.q;
        dt += test_below(random, 3) - 1;
    }
    return w->t0_ns + (dt < FC_HORIZON_NS ? dt : 0);
}

/* ---- profile ---- */

static void the_grid_is_the_finest_that_can_be_counted(void **state) {
    (void)state;
    static const struct {
        flowctl_rate rate;
        uint64_t burst, unit, exact_every_ns;
    } rows[] = {
        {{1000, SEC}, 2000, 1000000, 1},           {{10, 1}, FLOWCTL_BURST_MAX, 1, 1},
        {{UINT64_C(10000000000), SEC}, 1, 1, 1},   {{30000000, SEC}, 1000000, 100, 1},
        {{7, 13 * SEC}, 10, 13 * SEC, 1},          {{14, 26 * SEC}, 10, 13 * SEC, 1}, /* the same in other terms */
        {{1, 10 * YEAR}, 1, 10 * YEAR, 1},         {{1, 10 * YEAR}, 1000, 10 * YEAR / US, US},
        {{1, SEC}, UINT64_C(1) << 49, 1000, MS},   {{1, SEC}, UINT64_C(1) << 50, 512, SEC},
        {{1, SEC}, UINT64_C(1) << 58, 2, SEC},     {{1, SEC}, FLOWCTL_BURST_MAX, 1, SEC},
        {{1, 999999937}, FLOWCTL_BURST_MAX, 1, 0}, /* a prime */
        {{1, 999999937}, UINT64_C(1) << 56, 8, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w = {.rate = rows[i].rate, .burst = rows[i].burst, .t0_ns = 5};
        make(&w);
        assert_int_equal(w.unit, rows[i].unit);
        assert_int_equal(w.slope.exact_every_ns, rows[i].exact_every_ns);
        assert_int_equal(w.profile.burst, 2 * rows[i].burst * rows[i].unit);
    }
}

static bool can_be_counted(const struct world *w, fc_u128 unit) {
    if (unit > UINT64_MAX) return false;
    struct big most = big_mul(big_of((uint64_t)unit), w->burst > w->booked ? w->burst : w->booked),
               refill = big_mul(big_of((uint64_t)unit), w->rate.permits);
    return big_compare(most, big_of(FC_BURST_UNITS_MAX)) <= 0 &&
           big_compare(refill, big_mul(big_of(w->rate.period_ns), FC_REFILL_UNITS_PER_NS_MAX)) <= 0;
}

/* The smallest unit with which the rate yields whole units every grid_ns. */
static fc_u128 unit_for_grid(const struct world *w, uint64_t grid_ns) {
    fc_u128 step = (fc_u128)w->rate.permits * grid_ns;
    return w->rate.period_ns / fc_gcd(step, w->rate.period_ns);
}

static void no_finer_grid_and_no_smaller_unit_would_do(void **state) {
    (void)state;
    static const uint64_t grids[] = {1, US, MS, SEC};
    uint64_t random = test_seed("bucket_grid");
    for (int i = 0; i < WORLDS; i++) {
        struct world w;
        make_random(&w, &random, FC_HORIZON_NS);
        uint64_t expected = 0;
        for (size_t k = COUNT(grids); k-- > 0;)
            if (can_be_counted(&w, unit_for_grid(&w, grids[k]))) expected = grids[k];
        assert_int_equal(w.slope.exact_every_ns, expected);
        assert_true(can_be_counted(&w, w.unit));
        if (expected != 0) assert_true(w.unit % unit_for_grid(&w, expected) == 0);
        if (expected != 1) assert_false(can_be_counted(&w, (fc_u128)w.unit * 2));
    }
}

static void the_slope_is_the_rate_in_units_and_in_lowest_terms(void **state) {
    (void)state;
    uint64_t random = test_seed("bucket_slope");
    for (int i = 0; i < WORLDS; i++) {
        struct world w;
        make_random(&w, &random, FC_HORIZON_NS);
        struct big left = big_mul(big_of(w.slope.p), w.rate.period_ns);
        struct big right = big_mul(big_mul(big_of(w.rate.permits), w.unit), w.slope.q);
        assert_int_equal(big_compare(left, right), 0);
        assert_true(fc_gcd(w.slope.p, w.slope.q) == 1);
        assert_true(w.slope.q <= FC_HORIZON_NS); /* reanchor always gets within reach */
    }
}

static void a_fault_leaves_the_nearest_value_that_is_accepted(void **state) {
    (void)state;
    static const struct {
        flowctl_rate rate;
        uint64_t burst;
        enum fc_bucket_fault fault;
        flowctl_rate nearest_rate;
        uint64_t nearest_burst;
    } rows[] = {
        {{11, 1}, 1, FC_BUCKET_RATE_HIGH, {UINT64_C(10000000000), SEC}, 1},
        {{UINT64_C(10000000001), SEC}, 1, FC_BUCKET_RATE_HIGH, {UINT64_C(10000000000), SEC}, 1},
        {{UINT64_MAX, 1}, 7, FC_BUCKET_RATE_HIGH, {UINT64_C(10000000000), SEC}, 7},
        {{UINT64_MAX, UINT64_MAX / 11}, 1, FC_BUCKET_RATE_HIGH, {UINT64_C(10000000000), SEC}, 1},
        {{1, 10 * YEAR + 1}, 1, FC_BUCKET_RATE_LOW, {1, 10 * YEAR}, 1},
        {{1, UINT64_MAX}, 1, FC_BUCKET_RATE_LOW, {1, 10 * YEAR}, 1},
        {{2, 20 * YEAR + 1}, 1, FC_BUCKET_RATE_LOW, {1, 10 * YEAR}, 1},
        {{1, SEC}, 0, FC_BUCKET_BURST_ZERO, {1, SEC}, 1},
        {{1, SEC}, FLOWCTL_BURST_MAX + 1, FC_BUCKET_BURST_HIGH, {1, SEC}, FLOWCTL_BURST_MAX},
        {{1, SEC}, UINT64_MAX, FC_BUCKET_BURST_HIGH, {1, SEC}, FLOWCTL_BURST_MAX},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fc_bucket_profile profile;
        struct fc_bucket_slope slope;
        flowctl_rate rate = rows[i].rate;
        uint64_t burst = rows[i].burst;
        assert_int_equal(fc_bucket_profile_make(&rate, &burst, 0, &profile, &slope), rows[i].fault);
        assert_int_equal(rate.permits, rows[i].nearest_rate.permits);
        assert_int_equal(rate.period_ns, rows[i].nearest_rate.period_ns);
        assert_int_equal(burst, rows[i].nearest_burst);
        assert_int_equal(fc_bucket_profile_make(&rate, &burst, 0, &profile, &slope), FC_BUCKET_FINE);
    }
}

static void a_rate_of_zero_is_a_fault_of_its_own(void **state) {
    (void)state;
    static const flowctl_rate rates[] = {{0, 0}, {0, SEC}, {1, 0}, {UINT64_MAX, 0}, {0, UINT64_MAX}};
    for (size_t i = 0; i < COUNT(rates); i++) {
        struct fc_bucket_profile profile;
        struct fc_bucket_slope slope;
        flowctl_rate rate = rates[i];
        uint64_t burst = 1;
        assert_int_equal(fc_bucket_profile_make(&rate, &burst, 0, &profile, &slope), FC_BUCKET_RATE_ZERO);
    }
}

static void the_rate_is_given_back_in_lowest_terms(void **state) {
    (void)state;
    struct fc_bucket_profile profile;
    struct fc_bucket_slope slope;
    flowctl_rate rate = {600, 60 * SEC};
    uint64_t burst = 1;
    assert_int_equal(fc_bucket_profile_make(&rate, &burst, 0, &profile, &slope), FC_BUCKET_FINE);
    assert_int_equal(rate.permits, 1);
    assert_int_equal(rate.period_ns, 100 * MS);
}

/* Long periods are legal as long as their lowest terms are not. What replaces one that isn't must be near: within a millionth. */
static void a_period_too_long_is_replaced_by_a_rate_that_is_near(void **state) {
    (void)state;
    uint64_t random = test_seed("bucket_nearest");
    unsigned far = 0;
    for (int i = 0; i < WORLDS; i++) {
        flowctl_rate asked = {test_magnitude(&random, UINT64_MAX),
                              FLOWCTL_PERIOD_MAX_NS + test_magnitude(&random, UINT64_MAX - FLOWCTL_PERIOD_MAX_NS)};
        flowctl_rate rate = asked;
        uint64_t burst = 1;
        struct fc_bucket_profile profile;
        struct fc_bucket_slope slope;
        if (fc_bucket_profile_make(&rate, &burst, 0, &profile, &slope) != FC_BUCKET_PERIOD_LONG) continue;
        double there = (double)rate.permits / (double)rate.period_ns, wanted = (double)asked.permits / (double)asked.period_ns;
        if (there < wanted * (1 - 1e-6) || there > wanted * (1 + 1e-6)) {
            if (far++ == 0)
                print_error("for %ju per %ju ns the nearest is said to be %ju per %ju ns: %g of it\n", asked.permits,
                            asked.period_ns, rate.permits, rate.period_ns, there / wanted);
        }
        assert_int_equal(fc_bucket_profile_make(&rate, &burst, 0, &profile, &slope), FC_BUCKET_FINE);
    }
    if (far != 0) fail_msg("%u rates were replaced by one that is further off than a millionth", far);
}

/* ---- level ---- */

static void floor_and_ceil_are_exact_at_every_time(void **state) {
    (void)state;
    uint64_t random = test_seed("bucket_level");
    for (int i = 0; i < WORLDS; i++) {
        struct world w;
        make_random(&w, &random, FC_HORIZON_NS);
        const uint64_t edges[] = {w.t0_ns, w.t0_ns + 1, w.t0_ns + FC_HORIZON_NS - 1};
        for (size_t k = 0; k < 20; k++) {
            uint64_t t = k < COUNT(edges) ? edges[k] : random_time(&w, &random);
            bool part;
            uint64_t floor = w.profile.x1 + (uint64_t)produced(&w, t, &part);
            struct fc_bucket_level x = fc_bucket_level_at(&w.profile, t);
            assert_int_equal(x.floor, floor);
            assert_int_equal(x.ceil, floor + 2 * part);
        }
    }
}

static void on_the_exact_grid_nothing_is_rounded(void **state) {
    (void)state;
    uint64_t random = test_seed("bucket_exact");
    for (int i = 0; i < WORLDS; i++) {
        struct world w;
        make_random(&w, &random, FC_HORIZON_NS);
        uint64_t grid = w.slope.exact_every_ns;
        if (grid == 0) continue;
        uint64_t steps = test_magnitude(&random, FC_HORIZON_NS / grid) - 1;
        struct fc_bucket_level x = fc_bucket_level_at(&w.profile, w.t0_ns + steps * grid);
        assert_int_equal(x.floor, x.ceil);
    }
}

static void reach_begins_at_the_anchor_and_ends_at_the_horizon(void **state) {
    (void)state;
    struct world w = {.rate = {1, SEC}, .burst = 1, .t0_ns = 100};
    make(&w);
    assert_false(fc_bucket_in_reach(&w.profile, 0));
    assert_false(fc_bucket_in_reach(&w.profile, 99));
    assert_true(fc_bucket_in_reach(&w.profile, 100));
    assert_true(fc_bucket_in_reach(&w.profile, 100 + FC_HORIZON_NS - 1));
    assert_false(fc_bucket_in_reach(&w.profile, 100 + FC_HORIZON_NS));
    assert_false(fc_bucket_in_reach(&w.profile, UINT64_MAX));
    /* and does not wrap around the end of time */
    w.t0_ns = UINT64_MAX - 5;
    make(&w);
    assert_true(fc_bucket_in_reach(&w.profile, UINT64_MAX));
    assert_false(fc_bucket_in_reach(&w.profile, 0));
    assert_false(fc_bucket_in_reach(&w.profile, 1000));
}

/* ---- the word ---- */

/* What the header of bucket.h says about a decision, without a word that wraps: `lag` is how far C stands behind x1. */
struct definition {
    wide available, base; /* base is relative to x1 */
};

static struct definition define(const struct world *w, wide lag, uint64_t t_ns) {
    bool part;
    wide v = produced(w, t_ns, &part), burst = (wide)w->profile.burst;
    if (v + lag >= burst) return (struct definition){burst, v + 2 * part - burst};
    return (struct definition){v + lag, -lag};
}

/* From booked far ahead to long full. */
static wide random_lag(const struct world *w, uint64_t *random) {
    wide lag = 2 * (wide)test_magnitude(random, w->profile.burst / 2);
    return test_below(random, 2) == 0 ? lag : -2 * (wide)test_magnitude(random, (UINT64_C(1) << 61) + FC_DEBT_UNITS_MAX);
}

static void a_decision_is_what_its_definition_says(void **state) {
    (void)state;
    uint64_t random = test_seed("bucket_decision");
    for (int i = 0; i < 5 * WORLDS; i++) {
        struct world w;
        make_random(&w, &random, FC_HORIZON_NS);
        uint64_t t = random_time(&w, &random), x1 = w.profile.x1, after = 0;
        wide lag = random_lag(&w, &random);
        uint64_t word = x1 - (uint64_t)lag, units = 2 * test_magnitude(&random, w.profile.burst / 2);
        struct definition d = define(&w, lag, t);
        struct fc_bucket_level x = fc_bucket_level_at(&w.profile, t);
        assert_true(fc_bucket_available(&w.profile, x, word) == d.available);
        assert_true(fc_bucket_base(&w.profile, x, word) == x1 + (uint64_t)d.base);
        assert_true(fc_bucket_permits(&w.profile, x, word) == (uint64_t)(d.available > 0 ? d.available / w.profile.unit : 0));
        assert_true(fc_bucket_take(&w.profile, x, word, units, &after) == (d.available >= (wide)units));
        if (d.available >= (wide)units) assert_true(after == x1 + (uint64_t)d.base + units);
        else assert_int_equal(after, 0);
    }
}

static void a_cost_above_the_burst_has_no_units(void **state) {
    (void)state;
    struct world w = {.rate = {1000, SEC}, .burst = 2000};
    make(&w);
    uint64_t units;
    assert_true(fc_bucket_units(&w.profile, 1, &units));
    assert_int_equal(units, 2000000);
    assert_true(fc_bucket_units(&w.profile, 2000, &units));
    assert_int_equal(units, w.profile.burst);
    static const uint64_t above[] =
        {2001, UINT64_MAX / 2000000, UINT64_MAX / 2000000 + 1, UINT64_C(1) << 57, UINT64_C(1) << 63, UINT64_MAX};
    for (size_t i = 0; i < COUNT(above); i++) assert_false(fc_bucket_units(&w.profile, above[i], &units));
}

/* ---- reanchor ---- */

static void after_a_new_anchor_every_decision_is_as_before(void **state) {
    (void)state;
    uint64_t random = test_seed("bucket_reanchor");
    for (int i = 0; i < WORLDS; i++) {
        struct world w;
        make_random(&w, &random, 1);
        uint64_t x1 = w.profile.x1;
        wide lag = random_lag(&w, &random);
        uint64_t now = w.t0_ns + test_magnitude(&random, UINT64_MAX - w.t0_ns);
        struct fc_bucket_profile moved = w.profile;
        uint64_t word = fc_bucket_reanchor(&moved, &w.slope, x1 - (uint64_t)lag, now);
        assert_true(moved.t0_ns <= now && fc_bucket_in_reach(&moved, now));
        assert_true(moved.unit == w.profile.unit && moved.burst == w.profile.burst);
        for (int k = 0; k < 10; k++) {
            uint64_t further = test_magnitude(&random, FC_HORIZON_NS - (now - moved.t0_ns)) - 1;
            uint64_t t = k == 0 || further > UINT64_MAX - now ? now : now + further;
            bool part;
            wide v = produced(&w, t, &part);
            struct definition d = define(&w, lag, t);
            struct fc_bucket_level x = fc_bucket_level_at(&moved, t);
            assert_true(x.floor == x1 + (uint64_t)v && x.ceil == x.floor + 2 * part);
            assert_true(fc_bucket_available(&moved, x, word) == d.available);
            assert_true(fc_bucket_base(&moved, x, word) == x1 + (uint64_t)d.base);
        }
    }
}

/* Over and over for five centuries: V and C pass 2^64 many times, nothing drifts. */
static void many_anchors_do_not_drift(void **state) {
    (void)state;
    uint64_t random = test_seed("bucket_drift");
    for (int i = 0; i < 200; i++) {
        struct world w;
        make_random(&w, &random, 500 * YEAR);
        struct fc_bucket_profile moved = w.profile;
        uint64_t word = w.profile.x1, now = w.t0_ns;
        while (now - w.t0_ns < 490 * YEAR) {
            now += test_magnitude(&random, 9 * YEAR);
            word = fc_bucket_reanchor(&moved, &w.slope, word, now);
            assert_int_equal(fc_bucket_level_at(&moved, now).floor, w.profile.x1 + (uint64_t)produced(&w, now, NULL));
            /* whatever is there is taken, so that the word is not always clipped */
            struct fc_bucket_level x = fc_bucket_level_at(&moved, now);
            uint64_t units = (uint64_t)fc_bucket_available(&moved, x, word);
            assert_true(fc_bucket_take(&moved, x, word, units, &word));
            assert_true(word == x.floor || word == x.ceil);
        }
    }
}

/* ---- time_of and book ---- */

/* Whether t is the first time at which `units` have been produced. */
static bool first_time_of(const struct world *w, uint64_t t_ns, wide units) {
    if (t_ns == FLOWCTL_FOREVER) return produced(w, UINT64_MAX - 1, NULL) < units;
    return produced(w, t_ns, NULL) >= units && (t_ns == w->t0_ns || produced(w, t_ns - 1, NULL) < units);
}

static void a_level_is_reached_at_its_first_time_and_not_before(void **state) {
    (void)state;
    uint64_t random = test_seed("bucket_time");
    for (int i = 0; i < 5 * WORLDS; i++) {
        struct world w;
        make_random(&w, &random, 1);
        uint64_t units = 2 * test_magnitude(&random, INT64_MAX / 2);
        uint64_t t = fc_bucket_time_of(&w.profile, &w.slope, w.profile.x1 + units);
        if (!first_time_of(&w, t, units))
            fail_msg("%ju/%ju t0 %ju: not the first time of %ju units: %ju", w.rate.permits, w.rate.period_ns, w.t0_ns,
                     units, t);
    }
}

static void a_level_beyond_the_end_of_time_is_reached_never(void **state) {
    (void)state;
    struct world w = {.rate = {1, SEC}, .burst = 5, .t0_ns = UINT64_MAX - 3 * SEC};
    make(&w);
    uint64_t unit = w.profile.unit;
    assert_true(fc_bucket_time_of(&w.profile, &w.slope, 2 * unit) == UINT64_MAX - SEC);
    assert_true(fc_bucket_time_of(&w.profile, &w.slope, 3 * unit - 2) == UINT64_MAX - 1); /* a unit per nanosecond */
    assert_true(fc_bucket_time_of(&w.profile, &w.slope, 3 * unit) == FLOWCTL_FOREVER);
    assert_true(fc_bucket_time_of(&w.profile, &w.slope, 3 * unit + 2) == FLOWCTL_FOREVER);
    assert_true(fc_bucket_time_of(&w.profile, &w.slope, 5 * unit) == FLOWCTL_FOREVER);
}

static void a_level_that_was_there_at_the_anchor_is_dated_there(void **state) {
    (void)state;
    struct world w = {.rate = {1, SEC}, .burst = 5, .t0_ns = 77};
    make(&w);
    assert_int_equal(fc_bucket_time_of(&w.profile, &w.slope, w.profile.x1), 77);
    assert_int_equal(fc_bucket_time_of(&w.profile, &w.slope, w.profile.x1 - 2), 77);
    assert_int_equal(fc_bucket_time_of(&w.profile, &w.slope, w.profile.x1 - w.profile.burst), 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grid_is_the_finest_that_can_be_counted),
        cmocka_unit_test(no_finer_grid_and_no_smaller_unit_would_do),
        cmocka_unit_test(the_slope_is_the_rate_in_units_and_in_lowest_terms),
        cmocka_unit_test(a_fault_leaves_the_nearest_value_that_is_accepted),
        cmocka_unit_test(a_rate_of_zero_is_a_fault_of_its_own),
        cmocka_unit_test(the_rate_is_given_back_in_lowest_terms),
        cmocka_unit_test(a_period_too_long_is_replaced_by_a_rate_that_is_near),
        cmocka_unit_test(floor_and_ceil_are_exact_at_every_time),
        cmocka_unit_test(on_the_exact_grid_nothing_is_rounded),
        cmocka_unit_test(reach_begins_at_the_anchor_and_ends_at_the_horizon),
        cmocka_unit_test(a_decision_is_what_its_definition_says),
        cmocka_unit_test(a_cost_above_the_burst_has_no_units),
        cmocka_unit_test(after_a_new_anchor_every_decision_is_as_before),
        cmocka_unit_test(many_anchors_do_not_drift),
        cmocka_unit_test(a_level_is_reached_at_its_first_time_and_not_before),
        cmocka_unit_test(a_level_beyond_the_end_of_time_is_reached_never),
        cmocka_unit_test(a_level_that_was_there_at_the_anchor_is_dated_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

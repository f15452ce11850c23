/* Creating a token bucket: options, what is refused and with which words, memory. */
#include "unit/fixture.h"

#include "core/limiter.h"

#include <stdio.h>
#include <stdlib.h>

#define SEC FLOWCTL_NS_PER_SEC
#define YEAR FLOWCTL_NS_PER_YEAR
/* Where the options of the first release ended. */
#define V1_BYTES (offsetof(flowctl_token_bucket_options, start_permits) + sizeof(uint64_t))

/* ---- options ---- */

static void the_init_function_is_the_initialiser(void **state) {
    (void)state;
    const flowctl_token_bucket_options initialiser = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    union {
        flowctl_token_bucket_options o;
        unsigned char bytes[sizeof(flowctl_token_bucket_options) + 16];
    } u;
    memset(&u, 0xff, sizeof u);
    flowctl_token_bucket_options_init(&u.o, sizeof u.o);
    assert_memory_equal(&u.o, &initialiser, sizeof u.o);
    assert_int_equal(u.bytes[sizeof u.o], 0xff);
    flowctl_token_bucket_options_init(&u.o, sizeof u); /* of a later release */
    assert_int_equal(u.o.size, sizeof u);
    assert_int_equal(u.bytes[sizeof u - 1], 0);
    flowctl_token_bucket_options_init(NULL, sizeof u.o);
    for (size_t size = 0; size < sizeof u.o.size; size++) {
        memset(&u, 0xff, sizeof u);
        flowctl_token_bucket_options_init(&u.o, size);
        for (size_t i = 0; i < sizeof u; i++) assert_int_equal(u.bytes[i], 0xff);
    }
}

static flowctl_token_bucket_options good_options(void) {
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    o.id = "orders", o.rate = flowctl_per_second(10), o.burst = 5;
    return o;
}

static void assert_created(const flowctl_token_bucket_options *o) {
    flowctl_error err = fixture_error();
    flowctl_limiter *l = NULL;
    if (flowctl_token_bucket_create(o, &l, &err) != FLOWCTL_OK) fail_msg("refused: %s", err.message);
    assert_non_null(l);
    assert_true(fixture_error_untouched(&err));
    flowctl_limiter_destroy(l);
    assert_int_equal(flowctl_token_bucket_create(o, &l, NULL), FLOWCTL_OK);
    flowctl_limiter_destroy(l);
}

/* Returns the detail. */
static flowctl_error assert_not_created(const flowctl_token_bucket_options *o, flowctl_status status) {
    flowctl_error err = fixture_error();
    flowctl_limiter *l = (flowctl_limiter *)&err;
    assert_int_equal(flowctl_token_bucket_create(o, &l, &err), status);
    assert_null(l);
    fixture_assert_failed(&err, status);
    assert_int_equal(err.offset, -1);
    l = (flowctl_limiter *)&err;
    assert_int_equal(flowctl_token_bucket_create(o, &l, NULL), status);
    assert_null(l);
    return err;
}

static void options_of_another_size_are_taken_when_they_ask_for_nothing_unknown(void **state) {
    (void)state;
    union {
        flowctl_token_bucket_options o;
        unsigned char bytes[4096 + 16];
    } u;
    static const size_t tails[] = {1, 8, 64, 4096 - sizeof(flowctl_token_bucket_options)};
    for (size_t i = 0; i < COUNT(tails); i++) {
        memset(&u, 0, sizeof u);
        u.o = good_options();
        u.o.size = sizeof u.o + tails[i];
        u.bytes[u.o.size] = 1; /* behind what is ours */
        assert_created(&u.o);
        u.bytes[u.o.size - 1] = 1;
        flowctl_error err = assert_not_created(&u.o, FLOWCTL_BAD_SIZE);
        assert_contains(err.message, "options.size");
        char size[32];
        snprintf(size, sizeof size, "%zu", u.o.size);
        assert_contains(err.message, size);
    }
}

/* A caller that was built with the first release's header: what it did not know is default, and not read. */
static void options_of_the_first_release_mean_the_defaults(void **state) {
    (void)state;
    flowctl_token_bucket_options o = good_options(), *old = malloc(V1_BYTES);
    flowctl_limiter *l;
    assert_non_null(old);
    o.size = V1_BYTES;
    memcpy(old, &o, V1_BYTES); /* nothing behind it: a sanitizer sees who reads on */
    assert_created(old);
    assert_int_equal(flowctl_token_bucket_create(old, &l, NULL), FLOWCTL_OK);
    assert_int_equal(l->debt.most_permits, o.burst);
    assert_false(l->lenient);
    flowctl_limiter_destroy(l);
    free(old);
}

static void options_of_an_impossible_size_are_refused(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, sizeof(size_t), V1_BYTES - 1, 4097, SIZE_MAX / 2, SIZE_MAX};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        flowctl_token_bucket_options o = good_options();
        o.size = sizes[i];
        flowctl_error err = assert_not_created(&o, FLOWCTL_BAD_SIZE);
        char size[32];
        snprintf(size, sizeof size, "options.size is %zu", sizes[i]);
        assert_contains(err.message, size);
        assert_contains(err.message, "FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT");
    }
}

static void null_is_an_invalid_argument_that_is_named(void **state) {
    (void)state;
    flowctl_token_bucket_options o = good_options();
    flowctl_error err = assert_not_created(NULL, FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "options is NULL");
    assert_int_equal(flowctl_token_bucket_create(&o, NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "limiter is NULL");
    assert_int_equal(flowctl_token_bucket_create(&o, NULL, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_token_bucket_create(NULL, NULL, NULL), FLOWCTL_INVALID_ARGUMENT);
}

/* A message names the bucket, the field, its value and the remedy. */
static void a_bad_value_is_named_with_its_field_and_remedy(void **state) {
    (void)state;
    static const struct {
        flowctl_rate rate;
        uint64_t burst;
        flowctl_start start;
        uint64_t start_permits;
        flowctl_status status;
        const char *parts[2];
    } rows[] = {
        {{0, SEC}, 5, FLOWCTL_START_FULL, 0, FLOWCTL_INVALID_ARGUMENT, {"rate is 0 per 1000000000 ns", "at least 1"}},
        {{10, 0}, 5, FLOWCTL_START_FULL, 0, FLOWCTL_INVALID_ARGUMENT, {"rate is 10 per 0 ns", "at least 1"}},
        {{0, 0}, 5, FLOWCTL_START_FULL, 0, FLOWCTL_INVALID_ARGUMENT, {"rate is 0 per 0 ns", "at least 1"}},
        {{10, SEC}, 0, FLOWCTL_START_FULL, 0, FLOWCTL_INVALID_ARGUMENT, {"burst is 0", "at least 1"}},
        {{10, SEC}, 5, FLOWCTL_START_AT, 6, FLOWCTL_INVALID_ARGUMENT, {"start_permits is 6", "at most the burst, 5"}},
        {{10, SEC}, 5, FLOWCTL_START_AT, UINT64_MAX, FLOWCTL_INVALID_ARGUMENT, {"start_permits is 18446744073709551615", "at most"}},
        {{10, SEC}, 5, FLOWCTL_START_FULL, 1, FLOWCTL_INVALID_ARGUMENT, {"start_permits is 1", "FLOWCTL_START_AT"}},
        {{10, SEC}, 5, FLOWCTL_START_EMPTY, 1, FLOWCTL_INVALID_ARGUMENT, {"start_permits is 1", "FLOWCTL_START_AT"}},
        {{10, SEC}, 5, (flowctl_start)3, 0, FLOWCTL_INVALID_ARGUMENT, {"start is 3", "FLOWCTL_START_FULL"}},
        {{10, SEC}, 5, (flowctl_start)1000, 0, FLOWCTL_INVALID_ARGUMENT, {"start is 1000", "FLOWCTL_START_FULL"}},
        {{10, SEC},
         FLOWCTL_BURST_MAX + 1,
         FLOWCTL_START_FULL,
         0,
         FLOWCTL_OUT_OF_RANGE,
         {"burst is 576460752303423489", "the nearest that can be represented is 576460752303423488"}},
        {{10, SEC}, UINT64_MAX, FLOWCTL_START_FULL, 0, FLOWCTL_OUT_OF_RANGE, {"burst is 18446744073709551615", "the nearest"}},
        {{11, 1}, 5, FLOWCTL_START_FULL, 0, FLOWCTL_OUT_OF_RANGE, {"rate is 11 per 1 ns, above 10^10 per second", "the nearest"}},
        {{1, 10 * YEAR + 1},
         5,
         FLOWCTL_START_FULL,
         0,
         FLOWCTL_OUT_OF_RANGE,
         {"rate is 1 per 315360000000000001 ns, below 1 per 10 years", "the nearest"}},
        {{3, 10 * YEAR + 1},
         5,
         FLOWCTL_START_FULL,
         0,
         FLOWCTL_OUT_OF_RANGE,
         {"rate is 3 per 315360000000000001 ns", "in lowest terms is above 10 years"}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        flowctl_token_bucket_options o = good_options();
        o.rate = rows[i].rate, o.burst = rows[i].burst, o.start = rows[i].start, o.start_permits = rows[i].start_permits;
        flowctl_error err = assert_not_created(&o, rows[i].status);
        assert_contains(err.message, "\"orders\"");
        for (size_t k = 0; k < COUNT(rows[i].parts); k++) assert_contains(err.message, rows[i].parts[k]);
    }
}

static void bad_settling_options_are_named(void **state) {
    (void)state;
    flowctl_token_bucket_options o = good_options();
    o.max_debt = FLOWCTL_BURST_MAX + 1;
    flowctl_error err = assert_not_created(&o, FLOWCTL_OUT_OF_RANGE);
    assert_contains(err.message, "max_debt is 576460752303423489");
    assert_contains(err.message, "the nearest that can be represented is 576460752303423488");
    o.max_debt = FLOWCTL_NO_DEBT - 1;
    assert_contains(assert_not_created(&o, FLOWCTL_OUT_OF_RANGE).message, "max_debt is 18446744073709551614");
    o.max_debt = 0, o.settle = (flowctl_settle_rule)2;
    err = assert_not_created(&o, FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "settle is 2");
    assert_contains(err.message, "FLOWCTL_SETTLE_AGED or _LENIENT");
    o.settle = FLOWCTL_SETTLE_LENIENT, o.max_debt = FLOWCTL_BURST_MAX;
    assert_created(&o);
    o.max_debt = FLOWCTL_NO_DEBT;
    assert_created(&o);
}

static void the_nearest_rate_a_message_names_is_accepted(void **state) {
    (void)state;
    static const flowctl_rate rates[] =
        {{11, 1},         {UINT64_MAX, 1},    {UINT64_C(10000000001), SEC}, {1, 10 * YEAR + 1},
         {1, UINT64_MAX}, {3, 10 * YEAR + 1}, {UINT64_MAX - 1, UINT64_MAX}};
    for (size_t i = 0; i < COUNT(rates); i++) {
        flowctl_token_bucket_options o = good_options();
        o.rate = rates[i];
        flowctl_error err = assert_not_created(&o, FLOWCTL_OUT_OF_RANGE);
        const char *nearest = strstr(err.message, "represented is ");
        assert_non_null(nearest);
        assert_int_equal(sscanf(nearest, "represented is %ju per %ju ns", &o.rate.permits, &o.rate.period_ns), 2);
        assert_created(&o);
    }
}

static void a_long_period_is_judged_in_lowest_terms(void **state) {
    (void)state;
    flowctl_token_bucket_options o = good_options();
    o.rate = flowctl_per(40, 400 * YEAR);
    assert_created(&o);
    o.rate = flowctl_per(UINT64_MAX, UINT64_MAX);
    assert_created(&o);
}

static void the_longest_message_is_terminated_and_names_the_nearest(void **state) {
    (void)state;
    char id[5000];
    memset(id, 'i', sizeof id);
    id[sizeof id - 1] = '\0';
    flowctl_token_bucket_options o = good_options();
    o.id = id, o.rate = flowctl_per(UINT64_MAX - 1, UINT64_MAX);
    flowctl_error err = assert_not_created(&o, FLOWCTL_OUT_OF_RANGE);
    assert_contains(err.message, " ns"); /* the nearest is not cut off */
    assert_true(strlen(err.message) < sizeof err.message - 1);
}

static void half_an_allocator_is_refused(void **state) {
    (void)state;
    struct counted c;
    counted_init(&c);
    flowctl_token_bucket_options o = good_options();
    o.allocator = &c.allocator;
    c.allocator.release = NULL;
    assert_contains(assert_not_created(&o, FLOWCTL_INVALID_ARGUMENT).message, "allocator");
    counted_init(&c);
    c.allocator.allocate = NULL;
    assert_contains(assert_not_created(&o, FLOWCTL_INVALID_ARGUMENT).message, "allocator");
    assert_int_equal(c.calls, 0);
}

/* ---- memory ---- */

static void each_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    for (size_t skew = 0; skew <= 8; skew += 8) {
        flowctl_status status = FLOWCTL_NO_MEMORY;
        for (unsigned n = 1; status != FLOWCTL_OK; n++) {
            struct counted c;
            counted_init(&c);
            c.fail_at = n, c.skew = skew;
            flowctl_token_bucket_options o = good_options();
            o.allocator = &c.allocator;
            flowctl_error err = fixture_error();
            flowctl_limiter *l = (flowctl_limiter *)&err;
            status = flowctl_token_bucket_create(&o, &l, &err);
            if (status == FLOWCTL_OK) {
                assert_true(c.blocks > 0 && n > 1);
                assert_int_equal((uintptr_t)l % 64, 0);
                c.fail_at = c.calls + 1; /* no verb allocates, but a reservation that waits */
                assert_int_equal(flowctl_reserve(l, 1, FLOWCTL_FOREVER, NULL).verdict, FLOWCTL_ALLOW);
                assert_true(flowctl_try_acquire(l, 4));
                flowctl_decide(l, 1), flowctl_acquire(l, 1, 0);
                assert_int_equal(c.calls + 1, c.fail_at);
            } else {
                assert_int_equal(status, FLOWCTL_NO_MEMORY);
                fixture_assert_failed(&err, FLOWCTL_NO_MEMORY);
                assert_contains(err.message, "\"orders\"");
                assert_null(l);
            }
            flowctl_limiter_destroy(l);
            assert_int_equal(c.blocks + c.bytes + c.wrong_releases, 0);
        }
    }
}

static void a_bucket_is_one_block_of_less_than_one_and_a_half_kilobytes(void **state) {
    (void)state;
    static const uint64_t bursts[] = {1, 1000, FLOWCTL_BURST_MAX};
    for (size_t i = 0; i < COUNT(bursts); i++) {
        struct counted c;
        counted_init(&c);
        flowctl_token_bucket_options o = good_options();
        flowctl_limiter *l;
        o.allocator = &c.allocator, o.burst = bursts[i], o.id = "";
        assert_int_equal(flowctl_token_bucket_create(&o, &l, NULL), FLOWCTL_OK);
        assert_int_equal(c.blocks, 1);
        assert_true(c.bytes <= 1536);
        flowctl_limiter_destroy(l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_init_function_is_the_initialiser),
        cmocka_unit_test(options_of_another_size_are_taken_when_they_ask_for_nothing_unknown),
        cmocka_unit_test(options_of_the_first_release_mean_the_defaults),
        cmocka_unit_test(options_of_an_impossible_size_are_refused),
        cmocka_unit_test(null_is_an_invalid_argument_that_is_named),
        cmocka_unit_test(a_bad_value_is_named_with_its_field_and_remedy),
        cmocka_unit_test(bad_settling_options_are_named),
        cmocka_unit_test(the_nearest_rate_a_message_names_is_accepted),
        cmocka_unit_test(a_long_period_is_judged_in_lowest_terms),
        cmocka_unit_test(the_longest_message_is_terminated_and_names_the_nearest),
        cmocka_unit_test(half_an_allocator_is_refused),
        cmocka_unit_test(each_allocation_may_fail_and_nothing_leaks),
        cmocka_unit_test(a_bucket_is_one_block_of_less_than_one_and_a_half_kilobytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

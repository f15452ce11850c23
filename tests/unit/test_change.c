/* Other settings for a bucket in use: what is kept, what is refused, and who is moved. */
#include "unit/fixture.h"

#include "core/limiter.h"
#include "support/seed.h"

#define SEC FLOWCTL_NS_PER_SEC
#define MS FLOWCTL_NS_PER_MS
#define NOW FIXTURE_START_NS

static uint64_t tokens(const struct bucket *b) { return bucket_info(b).tokens; }
static void set_ms(const struct bucket *b, uint64_t later_ms) { flowctl_clock_set(b->clock, NOW + later_ms * MS); }

static void assert_ok(flowctl_status status) { assert_int_equal(status, FLOWCTL_OK); }

/* ---- what is kept ---- */

static void each_verb_changes_what_it_names(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 20, 5);
    assert_ok(flowctl_set_rate(b.limiter, flowctl_per_minute(120), NULL));
    assert_true(bucket_info(&b).rate.permits == 1 && bucket_info(&b).rate.period_ns == 500 * MS);
    assert_int_equal(bucket_info(&b).burst, 20);
    assert_ok(flowctl_set_burst(b.limiter, 30, NULL));
    assert_true(bucket_info(&b).rate.permits == 1 && bucket_info(&b).rate.period_ns == 500 * MS);
    assert_int_equal(bucket_info(&b).burst, 30);
    assert_ok(flowctl_set_limit(b.limiter, flowctl_per(7, 13), 40, NULL));
    assert_true(bucket_info(&b).rate.permits == 7 && bucket_info(&b).rate.period_ns == 13);
    assert_int_equal(bucket_info(&b).burst, 40);
    assert_ok(flowctl_set_limit_at(b.limiter, flowctl_per_second(1), 50, NOW, NULL));
    assert_int_equal(bucket_info(&b).burst, 50);
    assert_int_equal(bucket_info(&b).units_per_permit, SEC);
    assert_int_equal(tokens(&b), 5);
    bucket_free(&b);
}

static void what_is_there_stays_clipped_to_a_smaller_burst(void **state) {
    (void)state;
    static const struct {
        uint64_t there, burst, kept, full_ms;                                            /* when it is full by 10/s */
    } rows[] = {{0, 20, 0, 2000}, {7, 20, 7, 1300}, {20, 20, 20, 0}, {20, 30, 20, 1000}, /* no new ones with a larger burst */
                {20, 5, 5, 0},    {7, 5, 5, 0},     {3, 5, 3, 200},  {20, 1, 1, 0},      {20, 1000, 20, 98000}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 20, rows[i].there);
        assert_ok(flowctl_set_burst(b.limiter, rows[i].burst, NULL));
        assert_int_equal(tokens(&b), rows[i].kept);
        assert_int_equal(flowctl_time_until(b.limiter, rows[i].burst), rows[i].full_ms * MS);
        assert_int_equal(flowctl_try_acquire_up_to(b.limiter, UINT64_MAX), rows[i].kept);
        bucket_free(&b);
    }
}

/* Full for an hour: what overflowed must not come back with a larger burst, nor with a larger one after a smaller one. */
static void what_had_overflowed_does_not_come_back(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 20, 20);
    set_ms(&b, 3600000);
    assert_ok(flowctl_set_burst(b.limiter, 1000, NULL));
    assert_int_equal(tokens(&b), 20);
    assert_ok(flowctl_set_burst(b.limiter, 5, NULL));
    assert_ok(flowctl_set_burst(b.limiter, 1000, NULL));
    assert_int_equal(tokens(&b), 5);
    bucket_free(&b);
}

/* Half a permit is kept to the nanosecond, whatever the grids are. */
static void fractions_are_carried_to_the_new_grid(void **state) {
    (void)state;
    static const flowctl_rate rates[] = {{20, SEC}, {1, SEC}, {10, SEC}, {1, 10}, {3, SEC}};
    static const uint64_t due_ms[] = {25, 500, 50, 0, 167};
    for (size_t i = 0; i < COUNT(rates); i++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 20, 3);
        set_ms(&b, 50); /* 3.5 */
        assert_ok(flowctl_set_rate(b.limiter, rates[i], NULL));
        assert_int_equal(tokens(&b), 3);
        uint64_t wait = flowctl_time_until(b.limiter, 4);
        if (i == 3) assert_int_equal(wait, 5);
        else assert_int_equal((wait + MS - 1) / MS, due_ms[i]);
        bucket_free(&b);
    }
}

static void the_rate_changes_from_that_moment_on(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 100, 0);
    assert_ok(flowctl_set_limit_at(b.limiter, flowctl_per_second(1), 100, NOW + 2 * SEC, NULL));
    assert_int_equal(flowctl_peek_at(b.limiter, 1, NOW + 2 * SEC).remaining, 20);
    assert_int_equal(flowctl_peek_at(b.limiter, 1, NOW + 7 * SEC).remaining, 25);
    assert_int_equal(flowctl_peek_at(b.limiter, 1, NOW).remaining, 20); /* a time before counts as that moment */
    assert_int_equal(flowctl_decide_at(b.limiter, 20, NOW).now_ns, NOW + 2 * SEC);
    assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, 100, NOW + 2 * SEC), 0);
    bucket_free(&b);
}

/* A change dated before the one before it takes effect where that one did. */
static void changes_out_of_order_create_nothing(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 100, 0);
    assert_ok(flowctl_set_limit_at(b.limiter, flowctl_per_second(20), 100, NOW + 2 * SEC, NULL));
    assert_ok(flowctl_set_limit_at(b.limiter, flowctl_per_second(10), 100, NOW, NULL));
    assert_ok(flowctl_set_limit_at(b.limiter, flowctl_per_second(10), 100, 0, NULL));
    assert_int_equal(flowctl_peek_at(b.limiter, 1, NOW + 3 * SEC).remaining, 30);
    bucket_free(&b);
}

static void ten_thousand_changes_of_a_full_bucket_lose_nothing(void **state) {
    (void)state;
    uint64_t random = test_seed("change_many");
    struct bucket b = bucket_new(flowctl_per_second(10), 20, 20);
    for (int i = 0; i < 10000; i++) {
        flowctl_rate rate = flowctl_per(test_magnitude(&random, 1000), test_magnitude(&random, 1000) * MS);
        assert_ok(flowctl_set_limit(b.limiter, rate, 20 + test_below(&random, 100), NULL));
        assert_int_equal(tokens(&b), 20);
    }
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 1000), 20);
    for (int i = 0; i < 10000; i++) { /* and an empty one gains nothing */
        assert_ok(flowctl_set_burst(b.limiter, 20 + test_below(&random, 100), NULL));
        assert_int_equal(tokens(&b), 0);
    }
    bucket_free(&b);
}

static void a_change_far_from_the_last_one_is_like_any_other(void **state) {
    (void)state;
    const uint64_t year = FLOWCTL_NS_PER_YEAR;
    struct bucket b = bucket_new(flowctl_per_second(10), 20, 0);
    for (uint64_t i = 1; i < 20; i++) {
        uint64_t now = NOW + i * 25 * year;
        assert_ok(flowctl_set_limit_at(b.limiter, flowctl_per_second(9 + i), 20, now, NULL));
        assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, 100, now), 20);
        assert_int_equal(flowctl_time_until_at(b.limiter, 1, now), (SEC + 8 + i) / (9 + i));
    }
    bucket_free(&b);
}

/* ---- what is refused ---- */

static void assert_unchanged(const struct bucket *b, const flowctl_limiter_info *before, uint64_t word) {
    flowctl_limiter_info after = bucket_info(b);
    assert_true(after.rate.permits == before->rate.permits && after.rate.period_ns == before->rate.period_ns);
    assert_true(after.burst == before->burst && after.tokens == before->tokens && after.debt == before->debt);
    assert_true(after.units_per_permit == before->units_per_permit && after.paused == before->paused);
    assert_true(atomic_load(&b->limiter->cell.word) == word);
}

static void what_is_no_limit_is_refused_and_changes_nothing(void **state) {
    (void)state;
    static const struct {
        flowctl_rate rate;
        uint64_t burst;
        flowctl_status status;
        const char *part;
    } rows[] = {{{0, SEC}, 5, FLOWCTL_INVALID_ARGUMENT, "rate is 0 per 1000000000 ns"},
                {{1, 0}, 5, FLOWCTL_INVALID_ARGUMENT, "rate is 1 per 0 ns"},
                {{1, SEC}, 0, FLOWCTL_INVALID_ARGUMENT, "burst is 0"},
                {{1, SEC}, FLOWCTL_BURST_MAX + 1, FLOWCTL_OUT_OF_RANGE, "burst is 576460752303423489"},
                {{11, 1}, 5, FLOWCTL_OUT_OF_RANGE, "above 10^10 per second"},
                {{1, FLOWCTL_PERIOD_MAX_NS + 1}, 5, FLOWCTL_OUT_OF_RANGE, "below 1 per 10 years"},
                {{3, FLOWCTL_PERIOD_MAX_NS + 1}, 5, FLOWCTL_OUT_OF_RANGE, "in lowest terms"}};
    struct bucket b = bucket_new(flowctl_per_second(10), 20, 7);
    flowctl_limiter_info before = bucket_info(&b);
    uint64_t word = atomic_load(&b.limiter->cell.word);
    for (size_t i = 0; i < COUNT(rows); i++) {
        flowctl_error err = fixture_error();
        assert_int_equal(flowctl_set_limit(b.limiter, rows[i].rate, rows[i].burst, &err), rows[i].status);
        fixture_assert_failed(&err, rows[i].status);
        assert_int_equal(err.offset, -1);
        assert_contains(err.message, rows[i].part);
        assert_contains(err.message, "\"unit\"");
        assert_unchanged(&b, &before, word);
        assert_int_equal(flowctl_set_limit_at(b.limiter, rows[i].rate, rows[i].burst, NOW + SEC, NULL), rows[i].status);
        bool rate = rows[i].burst == 5;
        err = fixture_error();
        assert_int_equal(rate ? flowctl_set_rate(b.limiter, rows[i].rate, &err)
                              : flowctl_set_burst(b.limiter, rows[i].burst, &err),
                         rows[i].status);
        assert_contains(err.message, rows[i].part);
        assert_unchanged(&b, &before, word);
    }
    bucket_free(&b);
}

static void null_is_an_invalid_argument_for_every_change(void **state) {
    (void)state;
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_set_rate(NULL, flowctl_per_second(1), &err), FLOWCTL_INVALID_ARGUMENT);
    fixture_assert_failed(&err, FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_set_rate(NULL, flowctl_per_second(1), NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_set_burst(NULL, 1, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_set_limit(NULL, flowctl_per_second(1), 1, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_set_limit_at(NULL, flowctl_per_second(1), 1, 0, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_pause(NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_pause_at(NULL, 0), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_resume(NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_resume_at(NULL, 0), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_reset(NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_reset_at(NULL, 0), FLOWCTL_INVALID_ARGUMENT);
}

static void a_closed_limiter_is_not_changed_nor_opened(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 20, 7);
    flowctl_error err = fixture_error();
    flowctl_limiter_close(b.limiter);
    assert_int_equal(flowctl_set_rate(b.limiter, flowctl_per_second(1), &err), FLOWCTL_CLOSED);
    fixture_assert_failed(&err, FLOWCTL_CLOSED);
    assert_int_equal(flowctl_set_burst(b.limiter, 1, NULL), FLOWCTL_CLOSED);
    assert_int_equal(flowctl_set_limit(b.limiter, flowctl_per_second(1), 1, NULL), FLOWCTL_CLOSED);
    assert_int_equal(flowctl_limiter_pause(b.limiter), FLOWCTL_CLOSED);
    assert_int_equal(flowctl_limiter_resume(b.limiter), FLOWCTL_CLOSED);
    assert_int_equal(flowctl_limiter_reset(b.limiter), FLOWCTL_CLOSED);
    assert_int_equal(flowctl_decide(b.limiter, 1).status, FLOWCTL_CLOSED);
    assert_false(flowctl_try_acquire(b.limiter, 1));
    bucket_free(&b);
}

/* ---- reservations ---- */

static void a_reservation_keeps_its_place_in_permits(void **state) {
    (void)state;
    static const struct {
        uint64_t rate, due_ms[2];
    } rows[] = {{10, {500, 1000}}, {20, {350, 600}}, {5, {800, 1800}}, {1, {3200, 8200}}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 20, 0);
        flowctl_reservation r[2];
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(flowctl_reserve(b.limiter, 5, FLOWCTL_FOREVER, &r[k]).verdict, FLOWCTL_DELAY);
        set_ms(&b, 200); /* three and eight ahead */
        assert_ok(flowctl_set_rate(b.limiter, flowctl_per_second(rows[i].rate), NULL));
        for (size_t k = 0; k < 2; k++) assert_int_equal(flowctl_reservation_due_ns(&r[k]), NOW + rows[i].due_ms[k] * MS);
        assert_int_equal(bucket_info(&b).debt, 8);
        assert_int_equal(flowctl_cancel(&r[1]), 5);
        assert_int_equal(bucket_info(&b).debt, 3);
        bucket_free(&b);
    }
}

static void a_reservation_above_a_smaller_burst_is_honoured(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 20, 0);
    flowctl_reservation large, next;
    flowctl_reserve(b.limiter, 15, FLOWCTL_FOREVER, &large);
    assert_ok(flowctl_set_burst(b.limiter, 5, NULL));
    assert_int_equal(flowctl_reservation_due_ns(&large), NOW + 1500 * MS);
    assert_int_equal(flowctl_reserve(b.limiter, 6, FLOWCTL_FOREVER, &next).verdict, FLOWCTL_NEVER);
    assert_int_equal(flowctl_reserve(b.limiter, 5, FLOWCTL_FOREVER, &next).verdict, FLOWCTL_DELAY);
    assert_true(flowctl_reservation_due_ns(&next) >= NOW + 2000 * MS);
    assert_int_equal(flowctl_cancel(&next), 5);
    assert_int_equal(flowctl_cancel(&large), 15);
    set_ms(&b, 100);
    assert_true(tokens(&b) <= 1);
    bucket_free(&b);
}

static void a_cancelled_place_survives_a_change(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 20, 0);
    flowctl_reservation first, last, again;
    flowctl_reserve(b.limiter, 5, FLOWCTL_FOREVER, &first);
    flowctl_reserve(b.limiter, 5, FLOWCTL_FOREVER, &last);
    assert_int_equal(flowctl_cancel(&first), 5);
    assert_ok(flowctl_set_rate(b.limiter, flowctl_per_second(5), NULL));
    assert_int_equal(flowctl_reserve(b.limiter, 5, FLOWCTL_FOREVER, &again).now_ns, NOW + SEC);
    assert_int_equal(flowctl_reservation_due_ns(&last), NOW + 2 * SEC);
    bucket_free(&b);
}

/* ---- reset ---- */

static void a_reset_empties_and_leaves_debt(void **state) {
    (void)state;
    static const struct {
        uint64_t there, booked, debt, next_ms;
    } rows[] = {{20, 0, 0, 100}, {7, 0, 0, 100}, {0, 0, 0, 100}, {0, 5, 5, 600}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 20, rows[i].there);
        flowctl_reservation r;
        if (rows[i].booked != 0) flowctl_reserve(b.limiter, rows[i].booked, FLOWCTL_FOREVER, &r);
        for (int again = 0; again < 2; again++) {
            assert_ok(flowctl_limiter_reset(b.limiter));
            assert_int_equal(tokens(&b), 0);
            assert_int_equal(bucket_info(&b).debt, rows[i].debt);
            assert_int_equal(flowctl_time_until(b.limiter, 1), rows[i].next_ms * MS);
        }
        if (rows[i].booked != 0) assert_int_equal(flowctl_reservation_due_ns(&r), NOW + 500 * MS);
        assert_ok(flowctl_limiter_reset_at(b.limiter, NOW + 1000 * SEC));
        assert_int_equal(flowctl_peek_at(b.limiter, 1, NOW + 1001 * SEC).remaining, 10);
        bucket_free(&b);
    }
}

static void a_reset_leaves_what_settling_owes(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 20, 2);
    flowctl_receipt r;
    assert_int_equal(flowctl_acquire_estimate(b.limiter, 1, 0, &r).verdict, FLOWCTL_ALLOW);
    assert_int_equal(flowctl_settle(&r, 7).charged, 6);
    assert_ok(flowctl_limiter_reset(b.limiter));
    assert_int_equal(bucket_info(&b).debt, 5);
    assert_int_equal(flowctl_time_until(b.limiter, 1), 600 * MS);
    bucket_free(&b);
}

/* ---- threads ---- */

#define WRITERS 3
#define CHANGES 5000

struct shared {
    flowctl_limiter *limiter;
    atomic_bool done;
    atomic_uint failed;
};

static void *change_often(void *argument) {
    struct shared *s = argument;
    for (uint64_t i = 1; i <= CHANGES; i++) {
        /* rate and burst belong together: whoever reads a pair of two changes has seen a mixture */
        uint64_t n = 1 + i % 100;
        if (flowctl_set_limit(s->limiter, flowctl_per_second(n), n, NULL) != FLOWCTL_OK) atomic_fetch_add(&s->failed, 1);
    }
    return NULL;
}

static void *read_often(void *argument) {
    struct shared *s = argument;
    while (!atomic_load(&s->done)) {
        flowctl_limiter_info info;
        flowctl_limiter_read(s->limiter, &info);
        if (info.rate.period_ns / 10 * info.burst != info.rate.permits * (SEC / 10)) atomic_fetch_add(&s->failed, 1);
        if (info.tokens > info.burst) atomic_fetch_add(&s->failed, 1);
        flowctl_decision d = flowctl_decide(s->limiter, 101);
        if (d.verdict != FLOWCTL_NEVER || d.remaining > 100) atomic_fetch_add(&s->failed, 1);
        flowctl_try_acquire(s->limiter, 1), flowctl_peek(s->limiter, 1);
        if (flowctl_try_acquire_up_to(s->limiter, 1000) > 100) atomic_fetch_add(&s->failed, 1);
    }
    return NULL;
}

static void writers_take_turns_and_readers_see_whole_settings(void **state) {
    (void)state;
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    struct shared s = {NULL, false, 0};
    pthread_t writers[WRITERS], readers[2];
    o.rate = flowctl_per_second(1), o.burst = 1;
    assert_ok(flowctl_token_bucket_create(&o, &s.limiter, NULL));
    for (size_t i = 0; i < COUNT(readers); i++) assert_int_equal(pthread_create(&readers[i], NULL, read_often, &s), 0);
    for (size_t i = 0; i < WRITERS; i++) assert_int_equal(pthread_create(&writers[i], NULL, change_often, &s), 0);
    for (size_t i = 0; i < WRITERS; i++) pthread_join(writers[i], NULL);
    atomic_store(&s.done, true);
    for (size_t i = 0; i < COUNT(readers); i++) pthread_join(readers[i], NULL);
    assert_int_equal(s.failed, 0);
    flowctl_limiter_destroy(s.limiter);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_verb_changes_what_it_names),
        cmocka_unit_test(what_is_there_stays_clipped_to_a_smaller_burst),
        cmocka_unit_test(what_had_overflowed_does_not_come_back),
        cmocka_unit_test(fractions_are_carried_to_the_new_grid),
        cmocka_unit_test(the_rate_changes_from_that_moment_on),
        cmocka_unit_test(changes_out_of_order_create_nothing),
        cmocka_unit_test(ten_thousand_changes_of_a_full_bucket_lose_nothing),
        cmocka_unit_test(a_change_far_from_the_last_one_is_like_any_other),
        cmocka_unit_test(what_is_no_limit_is_refused_and_changes_nothing),
        cmocka_unit_test(null_is_an_invalid_argument_for_every_change),
        cmocka_unit_test(a_closed_limiter_is_not_changed_nor_opened),
        cmocka_unit_test(a_reservation_keeps_its_place_in_permits),
        cmocka_unit_test(a_reservation_above_a_smaller_burst_is_honoured),
        cmocka_unit_test(a_cancelled_place_survives_a_change),
        cmocka_unit_test(a_reset_empties_and_leaves_debt),
        cmocka_unit_test(a_reset_leaves_what_settling_owes),
        cmocka_unit_test(writers_take_turns_and_readers_see_whole_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

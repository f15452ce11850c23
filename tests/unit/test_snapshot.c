/* A bucket's state as bytes: what is in them, what is refused, and what is there after a restore. */
#include "unit/fixture.h"

#include "base/bytes.h"
#include "core/limiter.h"
#include "support/bucket_setup.h"
#include "support/seed.h"

#include <stdlib.h>

#define SEC FLOWCTL_NS_PER_SEC
#define MS FLOWCTL_NS_PER_MS
#define NOW FIXTURE_START_NS
#define YEAR FLOWCTL_NS_PER_YEAR

struct blob {
    size_t length;
    unsigned char bytes[FLOWCTL_SNAPSHOT_BYTES(64)];
};

static struct blob snapshot_of(const struct bucket *b) {
    struct blob s;
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_limiter_snapshot(b->limiter, s.bytes, sizeof s.bytes, &s.length, &err), FLOWCTL_OK);
    assert_true(fixture_error_untouched(&err));
    return s;
}

static void restore(const struct bucket *b, const struct blob *s, uint64_t elapsed_ns) {
    flowctl_error err = fixture_error();
    if (flowctl_limiter_restore(b->limiter, s->bytes, s->length, elapsed_ns, &err) != FLOWCTL_OK)
        fail_msg("%s", err.message);
    assert_true(fixture_error_untouched(&err));
}

/* A fresh bucket, as a program has after a restart. */
static struct bucket fresh(void) { return bucket_new(flowctl_per_second(10), 10, 10); }

static void assert_state(const struct bucket *b, uint64_t tokens, uint64_t debt, uint64_t next_ns) {
    flowctl_limiter_info info = bucket_info(b);
    assert_int_equal(info.tokens, tokens);
    assert_int_equal(info.debt, debt);
    assert_int_equal(flowctl_time_until(b->limiter, tokens + 1), next_ns);
}

/* ---- the bytes ---- */

/* 7 of 10 at 10/s; and 3.25 owed. The checksums are zlib's. */
static const unsigned char golden[2][64] = {
    {0x46, 0x4c, 0x4f, 0x57, 0x01, 0x00, 0x01, 0x00, 0x40, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00,
     0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xe1, 0xf5, 0x05, 0x00, 0x00, 0x00, 0x00,
     0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x27, 0xb9, 0x29, 0x00, 0x00, 0x00, 0x00,
     0x00, 0xe1, 0xf5, 0x05, 0x00, 0x00, 0x00, 0x00, 0x75, 0x6e, 0x69, 0x74, 0xe6, 0xe4, 0x7a, 0x11},
    {0x46, 0x4c, 0x4f, 0x57, 0x01, 0x00, 0x01, 0x00, 0x40, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00,
     0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xe1, 0xf5, 0x05, 0x00, 0x00, 0x00, 0x00,
     0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0xe4, 0xa0, 0xec, 0xff, 0xff, 0xff, 0xff,
     0x00, 0xe1, 0xf5, 0x05, 0x00, 0x00, 0x00, 0x00, 0x75, 0x6e, 0x69, 0x74, 0xc2, 0x04, 0xbc, 0xed},
};

static struct bucket golden_bucket(int which) {
    struct bucket b = bucket_new(flowctl_per_second(10), 10, which == 0 ? 7 : 0);
    if (which == 0) return b;
    flowctl_reserve(b.limiter, 4, FLOWCTL_FOREVER, NULL);
    flowctl_clock_advance(b.clock, 75 * MS);
    return b;
}

static void the_bytes_are_the_same_on_every_machine(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bucket b = golden_bucket(i);
        struct blob s = snapshot_of(&b);
        assert_int_equal(s.length, sizeof golden[i]);
        assert_memory_equal(s.bytes, golden[i], sizeof golden[i]);
        bucket_free(&b);
    }
}

static void bytes_of_another_machine_are_restored(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bucket b = fresh();
        assert_int_equal(flowctl_limiter_restore(b.limiter, golden[i], sizeof golden[i], 0, NULL), FLOWCTL_OK);
        if (i == 0) assert_state(&b, 7, 0, 100 * MS);
        else assert_state(&b, 0, 4, 425 * MS);
        bucket_free(&b);
    }
}

static void a_buffer_too_small_tells_the_length(void **state) {
    (void)state;
    static const char *const ids[] = {"", "x", "a name of some length, as people give"};
    for (size_t i = 0; i < COUNT(ids); i++) {
        flowctl_token_bucket_options o = bucket_options(flowctl_per_second(10), 10, 5);
        o.id = ids[i];
        struct bucket b = bucket_with(o);
        unsigned char buffer[FLOWCTL_SNAPSHOT_BYTES(64)];
        const size_t needed = 60 + strlen(ids[i]);
        assert_true(needed <= FLOWCTL_SNAPSHOT_BYTES(strlen(ids[i])));
        for (size_t room = 0; room < needed; room++) {
            size_t length = 77;
            flowctl_error err = fixture_error();
            memset(buffer, 0x5a, sizeof buffer);
            assert_int_equal(flowctl_limiter_snapshot(b.limiter, room == 0 ? NULL : buffer, room, &length, &err),
                             FLOWCTL_OUT_OF_RANGE);
            fixture_assert_failed(&err, FLOWCTL_OUT_OF_RANGE);
            assert_int_equal(length, needed);
            for (size_t k = 0; k < sizeof buffer; k++) assert_int_equal(buffer[k], 0x5a);
        }
        size_t length = 0;
        assert_int_equal(flowctl_limiter_snapshot(b.limiter, buffer, needed, &length, NULL), FLOWCTL_OK);
        assert_int_equal(length, needed);
        for (size_t k = needed; k < sizeof buffer; k++) assert_int_equal(buffer[k], 0x5a);
        bucket_free(&b);
    }
}

static void taking_a_snapshot_changes_nothing(void **state) {
    (void)state;
    struct bucket b = golden_bucket(0);
    uint64_t word = atomic_load(&b.limiter->cell.word);
    struct blob first = snapshot_of(&b), second = snapshot_of(&b);
    assert_memory_equal(first.bytes, second.bytes, first.length);
    size_t length;
    static const uint64_t times[] = {0, NOW + 20 * YEAR, UINT64_MAX};
    for (size_t i = 0; i < COUNT(times); i++)
        assert_int_equal(flowctl_limiter_snapshot_at(b.limiter, first.bytes, sizeof first.bytes, &length, times[i], NULL),
                         FLOWCTL_OK);
    assert_true(atomic_load(&b.limiter->cell.word) == word);
    assert_int_equal(flowctl_peek(b.limiter, 1).remaining, 7);
    bucket_free(&b);
}

/* ---- round trips ---- */

static void time_that_has_passed_is_credited_up_to_both_bursts(void **state) {
    (void)state;
    static const struct {
        int which; /* golden */
        uint64_t burst, elapsed_ns, tokens, debt, next_ns;
    } rows[] = {
        {0, 10, 0, 7, 0, 100 * MS},
        {0, 10, 150 * MS, 8, 0, 50 * MS},
        {0, 10, 300 * MS, 10, 0, FLOWCTL_FOREVER},
        {0, 10, YEAR, 10, 0, FLOWCTL_FOREVER},
        {0, 10, 20 * YEAR, 10, 0, FLOWCTL_FOREVER},
        {0, 10, UINT64_MAX, 10, 0, FLOWCTL_FOREVER},
        {0, 20, UINT64_MAX, 10, 0, 100 * MS}, /* no more than it could have had */
        {0, 5, 0, 5, 0, FLOWCTL_FOREVER},
        {0, 5, SEC, 5, 0, FLOWCTL_FOREVER},
        {1, 10, 0, 0, 4, 425 * MS},
        {1, 10, 200 * MS, 0, 2, 225 * MS},
        {1, 10, 325 * MS, 0, 0, 100 * MS},
        {1, 10, 600 * MS, 2, 0, 25 * MS},
        {1, 10, UINT64_MAX, 10, 0, FLOWCTL_FOREVER},
        {1, 1, 0, 0, 4, 425 * MS}, /* a debt above the burst stays one */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bucket old = golden_bucket(rows[i].which), b = bucket_new(flowctl_per_second(10), rows[i].burst, rows[i].burst);
        struct blob s = snapshot_of(&old);
        restore(&b, &s, rows[i].elapsed_ns);
        assert_state(&b, rows[i].tokens, rows[i].debt, rows[i].next_ns);
        bucket_free(&old);
        bucket_free(&b);
    }
}

/* What its rate produced is the snapshot's rate; from now on it is the limiter's own. */
static void the_limiters_own_rate_and_burst_stay(void **state) {
    (void)state;
    struct bucket old = golden_bucket(0), b = bucket_new(flowctl_per(1, 7 * SEC), 1000, 1000);
    struct blob s = snapshot_of(&old);
    restore(&b, &s, 200 * MS);
    flowctl_limiter_info info = bucket_info(&b);
    assert_true(info.rate.permits == 1 && info.rate.period_ns == 7 * SEC && info.burst == 1000);
    assert_state(&b, 9, 0, 7 * SEC);
    bucket_free(&old);
    bucket_free(&b);
}

static void a_fraction_survives_to_the_nanosecond(void **state) {
    (void)state;
    uint64_t random = test_seed("snapshot_fraction");
    for (int i = 0; i < 2000; i++) {
        uint64_t ns = test_below(&random, 100 * MS);
        struct bucket old = bucket_new(flowctl_per_second(10), 10, 3), b = fresh();
        flowctl_clock_advance(old.clock, ns);
        struct blob s = snapshot_of(&old);
        restore(&b, &s, 0);
        assert_state(&b, 3, 0, 100 * MS - ns);
        bucket_free(&old);
        bucket_free(&b);
    }
}

/* Any two settings: what is there after is at most what there was and what the old rate made, and at most a few units less. */
static void never_more_is_restored_than_was_there_and_was_produced(void **state) {
    (void)state;
    uint64_t random = test_seed("snapshot_random");
    for (int i = 0; i < 3000; i++) {
        struct bucket_setup old, new;
        bucket_setup_random(&old, &random), bucket_setup_random(&new, &random);
        if (i % 2 == 0) new.rate = old.rate, new.burst = old.burst, new.start_permits = old.start_permits;
        bucket_setup_make(&old), bucket_setup_make(&new);
        uint64_t later = bucket_setup_random_step(&old, &random, YEAR),
                 elapsed = bucket_setup_random_step(&old, &random, YEAR);
        uint64_t now = old.start_ns + later;
        if (test_below(&random, 3) == 0) flowctl_reserve_at(old.limiter, old.burst, FLOWCTL_FOREVER, NULL, now);
        unsigned char bytes[64];
        size_t length;
        flowctl_limiter_info before, after;
        assert_int_equal(flowctl_limiter_snapshot_at(old.limiter, bytes, sizeof bytes, &length, now, NULL), FLOWCTL_OK);
        assert_int_equal(flowctl_limiter_read_at(old.limiter, &before, now + elapsed), FLOWCTL_OK);
        assert_int_equal(flowctl_limiter_restore(new.limiter, bytes, length, elapsed, NULL), FLOWCTL_OK);
        assert_int_equal(flowctl_limiter_read(new.limiter, &after), FLOWCTL_OK);
        uint64_t most = before.tokens < new.burst ? before.tokens : new.burst;
        assert_true(after.tokens <= most);
        if (i % 2 == 0) assert_true(after.tokens + 1 >= most && after.debt <= before.debt + 1);
        assert_true(after.debt >= before.debt);
        bucket_setup_free(&old), bucket_setup_free(&new);
    }
}

/* Up to the deepest that the options allow, and restored into a limiter that counts as finely or not. */
static void a_debt_of_any_size_survives(void **state) {
    (void)state;
    for (unsigned bits = 4; bits < 60; bits += 5) {
        for (int same = 0; same < 2; same++) {
            flowctl_token_bucket_options o = bucket_options(flowctl_per_second(10), 10, 0);
            o.max_debt = UINT64_C(1) << bits;
            struct bucket old = bucket_with(o), b = same != 0 ? bucket_with(o) : fresh();
            flowctl_receipt r;
            assert_int_equal(flowctl_acquire_estimate(old.limiter, 0, 0, &r).verdict, FLOWCTL_ALLOW);
            assert_int_equal(flowctl_settle(&r, o.max_debt).charged, o.max_debt);
            struct blob s = snapshot_of(&old);
            restore(&b, &s, 0);
            if (bucket_info(&b).debt < o.max_debt) fail_msg("of a debt of 2^%u, %ju are left", bits, bucket_info(&b).debt);
            bucket_free(&old);
            bucket_free(&b);
        }
    }
}

static void bookings_count_as_used(void **state) {
    (void)state;
    struct bucket old = fresh(), b = fresh();
    flowctl_reservation r;
    flowctl_try_acquire(old.limiter, 8);
    flowctl_reserve(old.limiter, 5, FLOWCTL_FOREVER, &r);
    struct blob s = snapshot_of(&old);
    restore(&b, &s, 0);
    assert_state(&b, 0, 3, 400 * MS);
    assert_int_equal(bucket_info(&b).waiters, 0);
    r.limiter = b.limiter; /* of the old one: nothing here */
    r.place = NULL, r.ticket = 0;
    assert_int_equal(flowctl_cancel(&r), 0);
    bucket_free(&old);
    bucket_free(&b);
}

static void a_pause_is_not_in_it_and_not_ended_by_it(void **state) {
    (void)state;
    struct bucket old = golden_bucket(0), b = fresh();
    flowctl_limiter_pause(old.limiter);
    struct blob s = snapshot_of(&old);
    assert_memory_equal(s.bytes, golden[0], sizeof golden[0]);
    restore(&b, &s, 0);
    assert_false(bucket_info(&b).paused);
    bucket_free(&b);
    b = fresh();
    flowctl_limiter_pause(b.limiter);
    restore(&b, &s, 0);
    assert_true(bucket_info(&b).paused);
    assert_int_equal(flowctl_limiter_resume(b.limiter), FLOWCTL_OK);
    assert_state(&b, 7, 0, 100 * MS);
    bucket_free(&old);
    bucket_free(&b);
}

static void it_may_be_restored_again_as_long_as_nothing_was_granted(void **state) {
    (void)state;
    struct bucket old = golden_bucket(0), b = fresh();
    struct blob s = snapshot_of(&old);
    for (int i = 0; i < 3; i++) {
        restore(&b, &s, 100 * MS);
        assert_state(&b, 8, 0, 100 * MS);
    }
    bucket_free(&old);
    bucket_free(&b);
}

/* ---- what is refused ---- */

static void assert_refused(const struct bucket *b, const void *bytes, size_t length, flowctl_status status, int offset) {
    flowctl_error err = fixture_error();
    uint64_t word = atomic_load(&b->limiter->cell.word);
    flowctl_status got = flowctl_limiter_restore(b->limiter, bytes, length, 0, &err);
    if (got != status) fail_msg("%s: %s", flowctl_status_name(got), got == FLOWCTL_OK ? "" : err.message);
    fixture_assert_failed(&err, status);
    if (offset >= 0) assert_int_equal(err.offset, offset);
    assert_int_equal(flowctl_limiter_restore(b->limiter, bytes, length, 0, NULL), status);
    assert_true(atomic_load(&b->limiter->cell.word) == word);
    assert_int_equal(flowctl_peek(b->limiter, 1).remaining, 10);
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    struct bucket b = fresh();
    for (size_t length = 0; length < sizeof golden[0]; length++) {
        unsigned char *exact = malloc(length + (length == 0)); /* a sanitizer sees who reads on */
        assert_non_null(exact);
        memcpy(exact, golden[0], length);
        assert_refused(&b, exact, length, FLOWCTL_SYNTAX, -1);
        free(exact);
    }
    unsigned char longer[sizeof golden[0] + 1] = {0};
    memcpy(longer, golden[0], sizeof golden[0]);
    assert_refused(&b, longer, sizeof longer, FLOWCTL_SYNTAX, 8);
    bucket_free(&b);
}

static void every_flipped_bit_is_found(void **state) {
    (void)state;
    struct bucket b = fresh();
    for (size_t bit = 0; bit < 8 * sizeof golden[0]; bit++) {
        unsigned char wrong[sizeof golden[0]];
        memcpy(wrong, golden[0], sizeof wrong);
        wrong[bit / 8] = (unsigned char)(wrong[bit / 8] ^ 1u << bit % 8);
        bool version = bit / 8 == 4 || bit / 8 == 5;
        assert_refused(&b, wrong, sizeof wrong, version ? FLOWCTL_OUT_OF_RANGE : FLOWCTL_SYNTAX, version ? 4 : -1);
    }
    bucket_free(&b);
}

/* A blob with a good checksum, and one field of another value. */
static struct blob forged(size_t at, unsigned bytes, uint64_t value) {
    struct blob s = {.length = sizeof golden[0]};
    memcpy(s.bytes, golden[0], s.length);
    fc_put(s.bytes + at, value, bytes);
    fc_put32(s.bytes + s.length - 4, fc_crc32(s.bytes, s.length - 4));
    return s;
}

static void what_belongs_to_something_else_is_refused(void **state) {
    (void)state;
    static const struct {
        size_t at;
        unsigned bytes;
        uint64_t value;
        flowctl_status status;
        int offset;
    } rows[] = {
        {0, 4, 0x574f4c46 + 1, FLOWCTL_SYNTAX, 0},
        {4, 2, 0, FLOWCTL_OUT_OF_RANGE, 4},
        {4, 2, 2, FLOWCTL_OUT_OF_RANGE, 4},
        {4, 2, 65535, FLOWCTL_OUT_OF_RANGE, 4},
        {6, 2, 0, FLOWCTL_INVALID_ARGUMENT, 6},
        {6, 2, 2, FLOWCTL_INVALID_ARGUMENT, 6},
        {8, 4, 63, FLOWCTL_SYNTAX, 8},
        {8, 4, UINT32_MAX, FLOWCTL_SYNTAX, 8},
        {12, 4, 3, FLOWCTL_SYNTAX, 12},
        {12, 4, UINT32_MAX, FLOWCTL_SYNTAX, 12},
        {56, 4, 0x20202020, FLOWCTL_INVALID_ARGUMENT, 56},
        {16, 8, 0, FLOWCTL_SYNTAX, 16},
        {16, 8, UINT64_MAX, FLOWCTL_SYNTAX, 16},
        {24, 8, 0, FLOWCTL_SYNTAX, 16},
        {24, 8, UINT64_MAX, FLOWCTL_SYNTAX, 16},
        {32, 8, 0, FLOWCTL_SYNTAX, 16},
        {32, 8, UINT64_MAX, FLOWCTL_SYNTAX, 16},
        {48, 8, 0, FLOWCTL_SYNTAX, 16},
        {48, 8, UINT64_MAX, FLOWCTL_SYNTAX, 16},
        {40, 8, UINT64_C(1) << 62, FLOWCTL_SYNTAX, 16},
        {40, 8, UINT64_C(1) << 63, FLOWCTL_SYNTAX, 16},
    };
    struct bucket b = fresh();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct blob s = forged(rows[i].at, rows[i].bytes, rows[i].value);
        assert_refused(&b, s.bytes, s.length, rows[i].status, rows[i].offset);
    }
    bucket_free(&b);
}

/* Numbers that are allowed one by one never make more than a burst, or a debt that can't be counted. */
static void forged_numbers_never_make_more_than_a_burst(void **state) {
    (void)state;
    uint64_t random = test_seed("snapshot_forged");
    unsigned accepted = 0;
    for (int i = 0; i < 20000; i++) {
        struct blob s = forged(16, 8, 1);
        struct bucket b = fresh();
        for (size_t at = 16; at < 56; at += 8)
            if (test_below(&random, 2) == 0) fc_put64(s.bytes + at, test_magnitude(&random, UINT64_MAX));
        if (test_below(&random, 2) == 0) fc_put64(s.bytes + 40, 0 - test_magnitude(&random, UINT64_C(1) << 62));
        fc_put32(s.bytes + s.length - 4, fc_crc32(s.bytes, s.length - 4));
        bool ok =
            flowctl_limiter_restore(b.limiter, s.bytes, s.length, test_magnitude(&random, UINT64_MAX), NULL) == FLOWCTL_OK;
        flowctl_limiter_info info = bucket_info(&b);
        assert_true(info.tokens <= 10);
        if (!ok) assert_int_equal(info.tokens, 10);
        accepted += ok;
        uint64_t wait = flowctl_time_until(b.limiter, 10);
        if (wait < YEAR) assert_int_equal(flowctl_peek_at(b.limiter, 10, NOW + wait).verdict, FLOWCTL_ALLOW);
        bucket_free(&b);
    }
    assert_true(accepted > 1000);
}

static void a_limiter_that_was_used_is_not_restored(void **state) {
    (void)state;
    for (int how = 0; how < 5; how++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 20, 11);
        flowctl_receipt r;
        if (how == 0) assert_true(flowctl_try_acquire(b.limiter, 1));
        if (how == 1) assert_int_equal(flowctl_reserve(b.limiter, 1, 0, NULL).verdict, FLOWCTL_ALLOW);
        if (how == 2) assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 1), 1);
        if (how == 3) assert_int_equal(flowctl_acquire_estimate(b.limiter, 1, 0, &r).verdict, FLOWCTL_ALLOW);
        if (how == 4) { /* charged, without a grant */
            assert_int_equal(flowctl_acquire_estimate(b.limiter, 0, 0, &r).verdict, FLOWCTL_ALLOW);
            assert_int_equal(flowctl_settle(&r, 1).charged, 1);
        }
        assert_refused(&b, golden[0], sizeof golden[0], FLOWCTL_INVALID_ARGUMENT, -1);
        bucket_free(&b);
    }
}

static void null_and_closed_are_refused(void **state) {
    (void)state;
    struct bucket b = fresh();
    unsigned char bytes[64];
    size_t length = 0;
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_limiter_snapshot(NULL, bytes, 64, &length, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "limiter is NULL");
    assert_int_equal(flowctl_limiter_snapshot(b.limiter, NULL, 64, &length, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "buffer is NULL");
    assert_int_equal(flowctl_limiter_snapshot(b.limiter, bytes, 64, NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "length is NULL");
    assert_int_equal(flowctl_limiter_restore(NULL, golden[0], 64, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "limiter is NULL");
    assert_int_equal(flowctl_limiter_restore(b.limiter, NULL, 64, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "blob is NULL");
    flowctl_limiter_close(b.limiter);
    assert_int_equal(flowctl_limiter_snapshot(b.limiter, bytes, 64, &length, &err), FLOWCTL_CLOSED);
    fixture_assert_failed(&err, FLOWCTL_CLOSED);
    assert_int_equal(flowctl_limiter_restore(b.limiter, golden[0], 64, 0, &err), FLOWCTL_CLOSED);
    bucket_free(&b);
}

static void receipts_of_before_a_restore_give_nothing_back(void **state) {
    (void)state;
    struct bucket b = fresh();
    flowctl_receipt r;
    flowctl_limiter_set_dry_run(b.limiter, true);
    assert_int_equal(flowctl_acquire_estimate(b.limiter, 11, 0, &r).flags, FLOWCTL_FLAG_DRY_RUN); /* not counted as granted */
    flowctl_limiter_set_dry_run(b.limiter, false);
    assert_int_equal(flowctl_limiter_restore(b.limiter, golden[0], sizeof golden[0], 0, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_settle(&r, 0).given_back, 0);
    assert_state(&b, 7, 0, 100 * MS);
    bucket_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_the_same_on_every_machine),
        cmocka_unit_test(bytes_of_another_machine_are_restored),
        cmocka_unit_test(a_buffer_too_small_tells_the_length),
        cmocka_unit_test(taking_a_snapshot_changes_nothing),
        cmocka_unit_test(time_that_has_passed_is_credited_up_to_both_bursts),
        cmocka_unit_test(the_limiters_own_rate_and_burst_stay),
        cmocka_unit_test(a_fraction_survives_to_the_nanosecond),
        cmocka_unit_test(never_more_is_restored_than_was_there_and_was_produced),
        cmocka_unit_test(a_debt_of_any_size_survives),
        cmocka_unit_test(bookings_count_as_used),
        cmocka_unit_test(a_pause_is_not_in_it_and_not_ended_by_it),
        cmocka_unit_test(it_may_be_restored_again_as_long_as_nothing_was_granted),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(what_belongs_to_something_else_is_refused),
        cmocka_unit_test(forged_numbers_never_make_more_than_a_burst),
        cmocka_unit_test(a_limiter_that_was_used_is_not_restored),
        cmocka_unit_test(null_and_closed_are_refused),
        cmocka_unit_test(receipts_of_before_a_restore_give_nothing_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

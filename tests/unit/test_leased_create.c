/* How a limiter becomes a member, and what it is refused for. */
#include "unit/script.h"

#include <stdio.h>

static void refused(const flowctl_token_bucket_options *o, flowctl_status status, const char *words) {
    flowctl_limiter *l = (flowctl_limiter *)(uintptr_t)1;
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_token_bucket_create(o, &l, &err), status);
    assert_null(l);
    fixture_assert_failed(&err, status);
    assert_contains(err.message, words);
    assert_int_equal(flowctl_token_bucket_create(o, &l, NULL), status);
}

static void ids_are_needed(void **state) {
    (void)state;
    struct shared s;
    char id[130];
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    o.id = NULL;
    refused(&o, FLOWCTL_INVALID_ARGUMENT, "id");
    o.id = "";
    refused(&o, FLOWCTL_INVALID_ARGUMENT, "0 bytes");
    memset(id, 'x', sizeof id);
    id[128] = '\0';
    o.id = id;
    refused(&o, FLOWCTL_INVALID_ARGUMENT, "128 bytes");
    id[127] = '\0';
    s.limiter = shared_create(&o);
    shared_free(&s);
}

static void times_have_bounds(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    o.sharing.refresh_ns = 0;
    o.sharing.ttl_ns = 10 * FLOWCTL_NS_PER_MS - 1;
    refused(&o, FLOWCTL_OUT_OF_RANGE, "ttl_ns");
    o.sharing.ttl_ns = FLOWCTL_NS_PER_HOUR + 1;
    refused(&o, FLOWCTL_OUT_OF_RANGE, "ttl_ns");
    o.sharing.ttl_ns = FLOWCTL_NS_PER_SEC;
    o.sharing.refresh_ns = FLOWCTL_NS_PER_MS - 1;
    refused(&o, FLOWCTL_OUT_OF_RANGE, "refresh_ns");
    o.sharing.refresh_ns = FLOWCTL_NS_PER_SEC / 4 + 1;
    refused(&o, FLOWCTL_OUT_OF_RANGE, "250000000");
    static const uint64_t right[][2] = {{10 * FLOWCTL_NS_PER_MS, 0},
                                        {10 * FLOWCTL_NS_PER_MS, FLOWCTL_NS_PER_MS},
                                        {FLOWCTL_NS_PER_HOUR, 0},
                                        {0, 0},
                                        {0, FLOWCTL_NS_PER_SEC / 4}};
    for (size_t i = 0; i < COUNT(right); i++) {
        o.sharing.ttl_ns = right[i][0], o.sharing.refresh_ns = right[i][1];
        flowctl_limiter *l = shared_create(&o);
        flowctl_backend_poll(s.backend);
        assert_int_equal(script_ask(&s.script, 0)->ask.terms.ttl_ns, right[i][0] != 0 ? right[i][0] : FLOWCTL_NS_PER_SEC);
        flowctl_limiter_destroy(l);
    }
    shared_free(&s);
}

static void unknown_values_are_refused(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    o.sharing.away = (flowctl_away)4;
    refused(&o, FLOWCTL_INVALID_ARGUMENT, "away");
    o.sharing.away = FLOWCTL_AWAY_CLOSED;
    o.sharing.needs = 0x100;
    refused(&o, FLOWCTL_INVALID_ARGUMENT, "needs");
    shared_free(&s);
}

static void what_the_backend_can_not_is_refused_by_name(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    o.settle = FLOWCTL_SETTLE_LENIENT;
    refused(&o, FLOWCTL_UNSUPPORTED, "LENIENT");
    o.settle = FLOWCTL_SETTLE_AGED;
    static const struct {
        uint32_t bit;
        const char *name;
    } needs[] = {{FLOWCTL_NEEDS_RESERVE, "reserve"}, {FLOWCTL_NEEDS_RESET, "reset"}, {FLOWCTL_NEEDS_SNAPSHOT, "snapshot"}},
      bits[] = {{FLOWCTL_CAN_SHARE, "SHARE"},
                {FLOWCTL_CAN_PERSIST, "PERSIST"},
                {FLOWCTL_CAN_SERVER_TIME, "SERVER_TIME"},
                {FLOWCTL_CAN_EXACT, "EXACT"},
                {UINT32_C(1) << 31, "UNKNOWN"}};
    for (size_t i = 0; i < COUNT(needs); i++) {
        o.sharing.needs = needs[i].bit;
        refused(&o, FLOWCTL_UNSUPPORTED, needs[i].name);
    }
    o.sharing.needs = 0;
    for (size_t i = 0; i < COUNT(bits); i++) {
        o.sharing.capabilities = bits[i].bit | FLOWCTL_CAN_STORE;
        refused(&o, FLOWCTL_UNSUPPORTED, bits[i].name);
    }
    o.sharing.capabilities = FLOWCTL_CAN_STORE | FLOWCTL_CAN_COUNT | FLOWCTL_CAN_LEND;
    s.limiter = shared_create(&o);
    shared_free(&s);
}

static void the_clock_is_that_of_the_backend(void **state) {
    (void)state;
    struct shared s;
    flowctl_clock *another;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    flowctl_clock_manual_create(FIXTURE_START_NS, NULL, &another, NULL);
    flowctl_clock *const wrong[] = {another, flowctl_clock_monotonic(), flowctl_clock_boottime()};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        o.clock = wrong[i];
        refused(&o, FLOWCTL_INVALID_ARGUMENT, "clock");
    }
    o.clock = s.clock;
    s.limiter = shared_create(&o);
    shared_free(&s);
    flowctl_clock_destroy(another);
}

/* The settings are checked before anything is shared. */
static void settings_are_checked_as_without(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    o.burst = 0;
    refused(&o, FLOWCTL_INVALID_ARGUMENT, "burst");
    o.burst = 100;
    o.rate = flowctl_per_second(0);
    refused(&o, FLOWCTL_INVALID_ARGUMENT, "rate");
    shared_pass(&s, FLOWCTL_NS_PER_SEC);
    assert_int_equal(s.script.asks, 0);
    shared_free(&s);
}

/* Options of the release before end before `backend`. */
static void options_of_the_old_size_are_not_shared(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    o.size = offsetof(flowctl_token_bucket_options, backend);
    s.limiter = shared_create(&o);
    assert_int_equal(shared_info(s.limiter).state, FLOWCTL_LEASE_LOCAL);
    assert_true(flowctl_try_acquire(s.limiter, 100));
    o.size = offsetof(flowctl_token_bucket_options, sharing); /* the defaults */
    flowctl_limiter *l = shared_create(&o);
    assert_int_equal(shared_info(l).state, FLOWCTL_LEASE_NONE);
    flowctl_limiter_destroy(l);
    shared_free(&s);
}

static void null_is_answered_everywhere(void **state) {
    (void)state;
    flowctl_sharing_info info;
    struct bucket b = bucket_new(flowctl_per_second(1), 1, 1);
    assert_int_equal(flowctl_limiter_sharing(NULL, &info), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_sharing(b.limiter, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_sharing_at(NULL, NULL, 0), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_wait_ready(NULL, 0), FLOWCTL_INVALID_ARGUMENT);
    flowctl_limiter_close(b.limiter);
    assert_int_equal(flowctl_limiter_sharing(b.limiter, &info), FLOWCTL_CLOSED);
    bucket_free(&b);
}

/* Each allocation fails once; nothing is left behind. */
static void without_memory_nothing_is_left(void **state) {
    (void)state;
    struct counted mine, backends;
    struct shared s = {.polls = 0};
    counted_init(&mine), counted_init(&backends);
    flowctl_clock_manual_create(FIXTURE_START_NS, NULL, &s.clock, NULL);
    flowctl_backend_options where = FLOWCTL_BACKEND_OPTIONS_INIT;
    where.ops = &script_ops;
    where.config = &s.script;
    where.clock = s.clock;
    where.drive = FLOWCTL_DRIVE_POLL;
    where.allocator = &backends.allocator;
    assert_int_equal(flowctl_backend_open(&where, &s.backend, NULL), FLOWCTL_OK);
    flowctl_token_bucket_options o = shared_options(&s);
    o.allocator = &mine.allocator;
    flowctl_limiter *l;
    for (unsigned i = 1; i <= 2; i++) {
        flowctl_error none;
        mine.calls = 0, mine.fail_at = i;
        assert_int_equal(flowctl_token_bucket_create(&o, &l, &none), FLOWCTL_NO_MEMORY);
        assert_contains(none.message, "no memory");
        assert_int_equal(mine.blocks, 0);
        mine.fail_at = 0;
    }
    backends.calls = 0, backends.fail_at = 1; /* the table of members */
    flowctl_error err;
    assert_int_equal(flowctl_token_bucket_create(&o, &l, &err), FLOWCTL_NO_MEMORY);
    assert_contains(err.message, "backend");
    assert_int_equal(mine.blocks, 0);
    backends.fail_at = 0;
    assert_int_equal(flowctl_token_bucket_create(&o, &l, NULL), FLOWCTL_OK);
    flowctl_backend_poll(s.backend);
    script_grant(&s.script, 0, 10);
    backends.calls = 0, backends.fail_at = 1; /* the last words */
    flowctl_limiter_destroy(l);
    assert_int_equal(mine.blocks + mine.wrong_releases, 0);
    flowctl_backend_destroy(s.backend);
    assert_int_equal(backends.blocks + backends.wrong_releases, 0);
    assert_int_equal(s.script.asks, 1);
    flowctl_clock_destroy(s.clock);
}

static void many_members_find_room(void **state) {
    (void)state;
    enum { MANY = 100 };
    struct shared s;
    flowctl_limiter *l[MANY];
    char id[16];
    shared_open(&s, flowctl_memory_backend(), NULL);
    flowctl_token_bucket_options o = shared_options(&s);
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "limit %d", i);
        o.id = id;
        l[i] = shared_create(&o);
    }
    shared_pass(&s, FLOWCTL_NS_PER_MS);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(shared_info(l[i]).state, FLOWCTL_LEASE_ACTIVE);
        assert_false(flowctl_try_acquire(l[i], 100));
    }
    shared_pass(&s, 2 * SHARED_REFRESH_NS);
    for (int i = 0; i < MANY; i++) assert_true(flowctl_try_acquire(l[i], 100)); /* each its own */
    for (int i = 0; i < MANY; i++) flowctl_limiter_destroy(l[(i * 37) % MANY]);
    shared_free(&s);
}

/* Two members with other ideas of how long a lease is: the first, or the higher version, says. */
static void two_lengths_of_a_lease(void **state) {
    (void)state;
    struct shared s;
    shared_open(&s, flowctl_memory_backend(), NULL);
    flowctl_token_bucket_options o = shared_options(&s);
    s.limiter = shared_create(&o);
    flowctl_backend_poll(s.backend);
    o.sharing.ttl_ns = 100 * FLOWCTL_NS_PER_MS;
    flowctl_limiter *same = shared_create(&o);
    flowctl_backend_poll(s.backend);
    assert_in_range(shared_info(same).lease_left_ns, 990 * FLOWCTL_NS_PER_MS, FLOWCTL_NS_PER_SEC);
    o.sharing.config_version = 1;
    flowctl_limiter *higher = shared_create(&o);
    flowctl_backend_poll(s.backend);
    assert_in_range(shared_info(higher).lease_left_ns, 99 * FLOWCTL_NS_PER_MS, 100 * FLOWCTL_NS_PER_MS);
    shared_pass(&s, 5 * FLOWCTL_NS_PER_SEC); /* idle, but for renewals */
    flowctl_limiter *const all[] = {s.limiter, same, higher};
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_int_equal(shared_info(all[i]).state, FLOWCTL_LEASE_ACTIVE);
        assert_in_range(shared_info(all[i]).lease_left_ns, 1, 100 * FLOWCTL_NS_PER_MS);
        assert_int_equal(shared_info(all[i]).failures, 0);
        assert_int_equal(shared_info(all[i]).sessions, 1);
    }
    flowctl_limiter_destroy(same), flowctl_limiter_destroy(higher);
    shared_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_needed),
        cmocka_unit_test(times_have_bounds),
        cmocka_unit_test(unknown_values_are_refused),
        cmocka_unit_test(what_the_backend_can_not_is_refused_by_name),
        cmocka_unit_test(the_clock_is_that_of_the_backend),
        cmocka_unit_test(settings_are_checked_as_without),
        cmocka_unit_test(options_of_the_old_size_are_not_shared),
        cmocka_unit_test(null_is_answered_everywhere),
        cmocka_unit_test(without_memory_nothing_is_left),
        cmocka_unit_test(many_members_find_room),
        cmocka_unit_test(two_lengths_of_a_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

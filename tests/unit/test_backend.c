/* Opening, driving and ending a backend. */
#include "unit/script.h"

#include "support/seed.h"

#define MS FLOWCTL_NS_PER_MS

static flowctl_backend_options options(struct script *script) {
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    o.ops = &script_ops;
    o.config = script;
    return o;
}

static void refused(const flowctl_backend_options *o, flowctl_status status, const char *words) {
    flowctl_backend *b = (flowctl_backend *)(uintptr_t)1;
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_backend_open(o, &b, &err), status);
    assert_null(b);
    fixture_assert_failed(&err, status);
    assert_contains(err.message, words);
}

static void options_are_checked(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend *b;
    flowctl_error err;
    flowctl_clock *clock;
    char name[FLOWCTL_MEMBER_NAME_MAX + 2];
    memset(name, 'm', sizeof name);
    name[sizeof name - 1] = '\0';
    flowctl_clock_manual_create(0, NULL, &clock, NULL);
    flowctl_backend_options o = options(&script);
    assert_int_equal(flowctl_backend_open(&o, NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_backend_open(NULL, &b, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_null(b);
    o.size--;
    refused(&o, FLOWCTL_BAD_SIZE, "size");
    o = options(&script), o.ops = NULL;
    refused(&o, FLOWCTL_INVALID_ARGUMENT, "ops");
    o = options(&script), o.drive = (flowctl_drive)2;
    refused(&o, FLOWCTL_INVALID_ARGUMENT, "drive");
    o = options(&script), o.clock = clock;
    refused(&o, FLOWCTL_INVALID_ARGUMENT, "FLOWCTL_DRIVE_POLL");
    o = options(&script), o.member = name;
    refused(&o, FLOWCTL_INVALID_ARGUMENT, "member");
    assert_int_equal(script.opened, 0);
    flowctl_backend_options_init(&o, sizeof o);
    assert_int_equal(o.size, sizeof o);
    flowctl_backend_options_init(NULL, sizeof o);
    flowctl_backend_options_init(&o, 1);
    flowctl_clock_destroy(clock);
}

/* ---- the vtable ---- */

static void a_vtable_must_be_whole(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend_options o = options(&script);
    flowctl_backend_ops ops;
#define BROKEN(change, status, words)   \
    do {                                \
        ops = script_ops, o.ops = &ops; \
        change;                         \
        refused(&o, status, words);     \
    } while (0)
    BROKEN(ops.size = 8, FLOWCTL_BAD_SIZE, "size");
    BROKEN(ops.version = 2, FLOWCTL_INVALID_ARGUMENT, "version");
    BROKEN(ops.name = NULL, FLOWCTL_INVALID_ARGUMENT, "name");
    BROKEN(ops.name = "two words", FLOWCTL_INVALID_ARGUMENT, "name");
    BROKEN(ops.open = NULL, FLOWCTL_INVALID_ARGUMENT, "open");
    BROKEN(ops.close = NULL, FLOWCTL_INVALID_ARGUMENT, "close");
    BROKEN(ops.lease = NULL, FLOWCTL_INVALID_ARGUMENT, "lease");
    BROKEN(ops.get = NULL, FLOWCTL_INVALID_ARGUMENT, "get");
    BROKEN(ops.put = NULL, FLOWCTL_INVALID_ARGUMENT, "put");
    BROKEN((ops.get = NULL, ops.put = NULL), FLOWCTL_INVALID_ARGUMENT, "get");
    BROKEN(ops.instance_bytes = 1, FLOWCTL_INVALID_ARGUMENT, "instance_bytes");
    BROKEN(ops.capabilities = UINT32_C(1) << 30, FLOWCTL_INVALID_ARGUMENT, "capabilities");
#undef BROKEN
    assert_int_equal(flowctl_backend_check(NULL, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_backend_check(&script_ops, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_backend_ops_capabilities(NULL), 0);
}

static uint32_t only_lend(const flowctl_backend_base *base) { return (void)base, FLOWCTL_CAN_LEND; }

static void capabilities_are_what_slots_and_vtable_say(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend_ops ops = script_ops;
    flowctl_backend_options o = options(&script);
    flowctl_backend *b;
    o.drive = FLOWCTL_DRIVE_POLL;
    ops.capabilities = FLOWCTL_CAN_EXACT | FLOWCTL_CAN_SHARE;
    o.ops = &ops;
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_backend_capabilities(b), FLOWCTL_CAN_EXACT | FLOWCTL_CAN_SHARE | FLOWCTL_CAN_LEND |
                                                          FLOWCTL_CAN_STORE | FLOWCTL_CAN_COUNT | FLOWCTL_CAN_WATCH |
                                                          FLOWCTL_CAN_INSPECT);
    assert_string_equal(flowctl_backend_name(b), "script");
    flowctl_backend_destroy(b);
    ops.able = only_lend; /* a decorator knows better */
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_backend_capabilities(b), FLOWCTL_CAN_LEND);
    flowctl_backend_destroy(b);
    assert_int_equal(flowctl_backend_capabilities(NULL), 0);
    assert_string_equal(flowctl_backend_name(NULL), "");
    assert_string_equal(flowctl_capability_name(FLOWCTL_CAN_EXACT), "EXACT");
    assert_string_equal(flowctl_capability_name(3), "UNKNOWN");
}

static flowctl_status refuse(flowctl_backend_base *base, const void *config, flowctl_error *err) {
    (void)base, (void)config;
    if (err != NULL) *err = (flowctl_error){FLOWCTL_NOT_PERMITTED, -1, "wrong password"};
    return FLOWCTL_NOT_PERMITTED;
}

static void what_open_says_is_passed_on(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    struct counted c;
    flowctl_backend_ops ops = script_ops;
    flowctl_backend_options o = options(&script);
    counted_init(&c);
    ops.open = refuse;
    o.ops = &ops;
    o.allocator = &c.allocator;
    refused(&o, FLOWCTL_NOT_PERMITTED, "wrong password");
    assert_int_equal(script.closed, 0); /* what was not opened is not closed */
    assert_int_equal(c.blocks + c.wrong_releases, 0);
}

static void without_memory(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    struct counted c;
    counted_init(&c);
    flowctl_backend_options o = options(&script);
    o.allocator = &c.allocator;
    for (unsigned i = 1; i <= 2; i++) {
        c.calls = 0, c.fail_at = i;
        refused(&o, FLOWCTL_NO_MEMORY, "no memory");
        assert_int_equal(c.blocks + c.wrong_releases, 0);
    }
    flowctl_allocator half = {c.allocator.allocate, NULL, NULL};
    o.allocator = &half;
    refused(&o, FLOWCTL_INVALID_ARGUMENT, "allocator");
}

/* ---- driving ---- */

static void polling_is_for_those_who_asked_for_it(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend_options o = options(&script);
    flowctl_backend *b;
    assert_int_equal(flowctl_backend_poll(NULL), FLOWCTL_FOREVER);
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_backend_poll(b), FLOWCTL_FOREVER);
    flowctl_backend_destroy(b);
    o.drive = FLOWCTL_DRIVE_POLL;
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    unsigned polls = script.polls;
    assert_int_equal(flowctl_backend_poll(b), FLOWCTL_FOREVER);
    assert_int_equal(script.polls, polls + 1);
    flowctl_backend_destroy(b);
    assert_int_equal(script.opened, 2);
    assert_int_equal(script.closed, 2);
}

static void a_store_that_wants_to_be_polled_is_polled(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend_options o = options(&script);
    flowctl_backend *b;
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    AWAIT(script.polls > 0);
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    unsigned before = script.polls;
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    assert_int_equal(script.polls, before); /* nothing is due */
    flowctl_ask_for_poll(script.base);
    AWAIT(script.polls > before);
    uint64_t now_ns = flowctl_clock_now(flowctl_clock_boottime());
    assert_in_range(flowctl_backend_time(script.base), now_ns, now_ns + FLOWCTL_NS_PER_SEC);
    flowctl_backend_destroy(b);
}

/* A thread of its own drives limiters. */
static void a_thread_keeps_leases_alive(void **state) {
    (void)state;
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *b;
    o.ops = flowctl_memory_backend();
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    struct shared s = {.backend = b};
    flowctl_token_bucket_options bucket = shared_options(&s);
    bucket.sharing.ttl_ns = 20 * MS;
    bucket.sharing.refresh_ns = 0;
    flowctl_limiter *l = shared_create(&bucket);
    assert_int_equal(flowctl_limiter_wait_ready(l, 5 * FLOWCTL_NS_PER_SEC), FLOWCTL_OK);
    assert_int_equal(flowctl_acquire(l, 100, 5 * FLOWCTL_NS_PER_SEC).verdict, FLOWCTL_ALLOW);
    assert_int_equal(flowctl_acquire(l, 10, 5 * FLOWCTL_NS_PER_SEC).verdict, FLOWCTL_ALLOW);
    flowctl_limiter_destroy(l);
    flowctl_backend_destroy(b);
}

/* However many rest, the one that wants something is asked for when it may be, and it alone. */
static void one_of_many_is_driven_when_it_is_due(void **state) {
    (void)state;
    enum { MANY = 1000 };
    static flowctl_limiter *l[MANY];
    static uint64_t tickets[MANY];
    uint64_t random = test_seed("backend");
    struct shared s;
    shared_open_script(&s);
    s.script.generous = true;
    flowctl_token_bucket_options o = shared_options(&s);
    o.sharing.ttl_ns = FLOWCTL_NS_PER_HOUR;
    for (unsigned i = 0; i < MANY; i++) {
        s.script.granted = 0;
        l[i] = shared_create(&o);
        flowctl_backend_poll(s.backend);
        assert_int_equal(s.script.asks, i + 1);
        tickets[i] = script_ask(&s.script, 0)->ticket;
    }
    shared_pass(&s, FLOWCTL_NS_PER_SEC);
    s.script.generous = false;
    for (unsigned i = 0; i < 100; i++) { /* fewer than may be unanswered at once */
        unsigned before = s.script.asks;
        uint64_t who = test_below(&random, MANY);
        if (tickets[who] == 0) continue; /* an ask of it is on its way */
        assert_false(flowctl_try_acquire(l[who], 100));
        assert_true(flowctl_backend_poll(s.backend) > shared_now(&s));
        assert_int_equal(s.script.asks, before + 1);
        assert_int_equal(script_ask(&s.script, 0)->ticket, tickets[who]);
        tickets[who] = 0;
    }
    for (unsigned i = 0; i < MANY; i++) flowctl_limiter_destroy(l[(i * 7) % MANY]);
    shared_free(&s);
}

/* Threads that are short, at limiters that come and go beside each other. */
static void *come_and_go(void *argument) {
    struct shared s = {.backend = argument};
    flowctl_token_bucket_options o = shared_options(&s);
    o.sharing.ttl_ns = FLOWCTL_NS_PER_HOUR;
    for (int i = 0; i < 300; i++) {
        flowctl_limiter *l = shared_create(&o);
        assert_int_equal(flowctl_limiter_wait_ready(l, 5 * FLOWCTL_NS_PER_SEC), FLOWCTL_OK);
        for (int j = 0; j < 20; j++) flowctl_try_acquire(l, 10);
        flowctl_limiter_destroy(l);
    }
    return NULL;
}

static void members_come_and_go_in_a_hurry(void **state) {
    (void)state;
    pthread_t threads[4];
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *b;
    o.ops = flowctl_memory_backend();
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, come_and_go, b);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    flowctl_backend_destroy(b);
}

/* ---- the end ---- */

static void destroy_with_asks_on_their_way(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    s.limiter = shared_create(&o);
    flowctl_backend_poll(s.backend); /* never answered */
    flowctl_limiter_destroy(s.limiter);
    s.limiter = NULL;
    script_grant(&s.script, 1, 10); /* or too late */
    shared_pass(&s, FLOWCTL_NS_PER_SEC);
    assert_int_equal(s.script.asks, 2);
    shared_free(&s);
    flowctl_backend_destroy(NULL);
    flowctl_limiter_destroy(NULL);
}

/* An answer is being taken while the limiter is destroyed. */
static atomic_bool enough;

static void *answer_all_the_time(void *argument) {
    struct script *script = argument;
    for (uint64_t n = 0; !atomic_load(&enough); n++) {
        flowctl_lease_reply r = {.size = sizeof r, .seq = 1, .grant = 1, .granted = 1, .lease_ns = FLOWCTL_NS_PER_SEC};
        if (n % 2 != 0) r = (flowctl_lease_reply){.size = sizeof r, .status = FLOWCTL_UNAVAILABLE, .seq = 1};
        for (uint64_t generation = n > 50 ? n - 50 : 0; generation < n + 50; generation++)
            flowctl_answer_lease(script->base, generation << 32 | UINT64_C(1) << 24, &r);
    }
    return NULL;
}

static void destroy_while_answers_come(void **state) {
    (void)state;
    struct shared s;
    pthread_t thread;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    atomic_store(&enough, false);
    pthread_create(&thread, NULL, answer_all_the_time, &s.script);
    for (int i = 0; i < 2000; i++) {
        flowctl_limiter *l = shared_create(&o);
        flowctl_backend_poll(s.backend);
        flowctl_try_acquire(l, 1);
        flowctl_limiter_destroy(l);
    }
    atomic_store(&enough, true);
    pthread_join(thread, NULL);
    shared_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_vtable_must_be_whole),
        cmocka_unit_test(capabilities_are_what_slots_and_vtable_say),
        cmocka_unit_test(what_open_says_is_passed_on),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(polling_is_for_those_who_asked_for_it),
        cmocka_unit_test(a_store_that_wants_to_be_polled_is_polled),
        cmocka_unit_test(a_thread_keeps_leases_alive),
        cmocka_unit_test(one_of_many_is_driven_when_it_is_due),
        cmocka_unit_test(members_come_and_go_in_a_hurry),
        cmocka_unit_test(destroy_with_asks_on_their_way),
        cmocka_unit_test(destroy_while_answers_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

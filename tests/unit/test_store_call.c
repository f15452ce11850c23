/* Values and counters at a backend, by calls that wait. */
#include "unit/script.h"

#include <flowctl/store.h>
#include <stdio.h>

#define MS FLOWCTL_NS_PER_MS
#define LONG (5 * FLOWCTL_NS_PER_SEC)

static flowctl_backend *open_memory(flowctl_drive drive) {
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *b;
    o.ops = flowctl_memory_backend();
    o.drive = drive;
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    return b;
}

static void values(flowctl_backend *b) {
    char room[8] = "????";
    size_t bytes = 99;
    uint64_t version = 99, first, second;
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_store_get(b, "k", room, sizeof room, &bytes, &version, LONG, &err), FLOWCTL_NOT_FOUND);
    fixture_assert_failed(&err, FLOWCTL_NOT_FOUND);
    assert_contains(err.message, "get \"k\"");
    assert_int_equal(flowctl_store_set(b, "k", "12345", 5, 0, FLOWCTL_VERSION_NONE, &first, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_store_set(b, "k", "x", 1, 0, FLOWCTL_VERSION_NONE, NULL, LONG, NULL), FLOWCTL_CONFLICT);
    assert_int_equal(flowctl_store_get(b, "k", room, sizeof room, &bytes, &version, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(bytes, 5);
    assert_int_equal(version, first);
    assert_memory_equal(room, "12345", 5);
    /* Too small: how long it is, and nothing of it. */
    memset(room, '?', sizeof room);
    assert_int_equal(flowctl_store_get(b, "k", room, 4, &bytes, NULL, LONG, &err), FLOWCTL_OUT_OF_RANGE);
    assert_int_equal(bytes, 5);
    assert_memory_equal(room, "????????", 8);
    assert_int_equal(flowctl_store_get(b, "k", NULL, 0, &bytes, NULL, LONG, NULL), FLOWCTL_OUT_OF_RANGE);
    assert_int_equal(bytes, 5);
    assert_int_equal(flowctl_store_get(b, "k", room, 5, &bytes, NULL, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_store_set(b, "k", NULL, 0, 0, first, &second, LONG, NULL), FLOWCTL_OK); /* empty, but there */
    assert_true(second != first && second != 0);
    assert_int_equal(flowctl_store_get(b, "k", NULL, 0, &bytes, NULL, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(bytes, 0);
    assert_int_equal(flowctl_store_remove(b, "k", first, LONG, NULL), FLOWCTL_CONFLICT);
    assert_int_equal(flowctl_store_remove(b, "k", second, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_store_remove(b, "k", FLOWCTL_VERSION_ANY, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_store_get(b, "k", room, sizeof room, &bytes, NULL, LONG, NULL), FLOWCTL_NOT_FOUND);
}

static void numbers(flowctl_backend *b) {
    uint64_t value;
    assert_int_equal(flowctl_store_increment(b, "n", 0, &value, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(value, 0);
    assert_int_equal(flowctl_store_increment(b, "n", 5, &value, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_store_increment(b, "n", 6, NULL, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_store_increment(b, "n", 1, &value, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(value, 12);
}

static void values_and_numbers_by_thread_and_by_poll(void **state) {
    (void)state;
    static const flowctl_drive drives[] = {FLOWCTL_DRIVE_THREAD, FLOWCTL_DRIVE_POLL};
    for (size_t i = 0; i < COUNT(drives); i++) {
        flowctl_backend *b = open_memory(drives[i]);
        values(b);
        numbers(b);
        flowctl_backend_destroy(b);
    }
}

/* Polled calls of a store that answers at once do not sleep. */
static void a_polled_call_returns_once_it_is_answered(void **state) {
    (void)state;
    flowctl_backend *b = open_memory(FLOWCTL_DRIVE_POLL);
    uint64_t began_ns = flowctl_clock_now(NULL);
    for (int i = 0; i < 2000; i++) assert_int_equal(flowctl_store_increment(b, "n", 1, NULL, LONG, NULL), FLOWCTL_OK);
    assert_true(flowctl_clock_now(NULL) - began_ns < FLOWCTL_NS_PER_SEC);
    flowctl_backend_destroy(b);
}

static void values_have_a_largest_size(void **state) {
    (void)state;
    static char value[FLOWCTL_STORE_VALUE_MAX + 1], back[FLOWCTL_STORE_VALUE_MAX];
    size_t bytes;
    flowctl_error err;
    flowctl_backend *b = open_memory(FLOWCTL_DRIVE_POLL);
    memset(value, 'v', sizeof value);
    assert_int_equal(flowctl_store_set(b, "k", value, sizeof value, 0, FLOWCTL_VERSION_ANY, NULL, LONG, &err),
                     FLOWCTL_OUT_OF_RANGE);
    assert_contains(err.message, "4097");
    assert_int_equal(flowctl_store_set(b, "k", value, sizeof back, 0, FLOWCTL_VERSION_ANY, NULL, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_store_get(b, "k", back, sizeof back, &bytes, NULL, LONG, NULL), FLOWCTL_OK);
    assert_memory_equal(value, back, sizeof back);
    flowctl_backend_destroy(b);
}

static void values_expire_by_the_backends_clock(void **state) {
    (void)state;
    struct shared s;
    size_t bytes;
    char room[8];
    shared_open(&s, flowctl_memory_backend(), NULL);
    assert_int_equal(flowctl_store_set(s.backend, "k", "v", 1, 100, FLOWCTL_VERSION_ANY, NULL, LONG, NULL), FLOWCTL_OK);
    shared_skip(&s, 99);
    assert_int_equal(flowctl_store_get(s.backend, "k", room, 8, &bytes, NULL, LONG, NULL), FLOWCTL_OK);
    shared_skip(&s, 1);
    assert_int_equal(flowctl_store_get(s.backend, "k", room, 8, &bytes, NULL, LONG, NULL), FLOWCTL_NOT_FOUND);
    shared_free(&s);
}

/* ---- wrong calls ---- */

static void wrong_calls_are_refused_by_name(void **state) {
    (void)state;
    struct shared s;
    char key[FLOWCTL_STORE_KEY_MAX + 2], room[4];
    size_t bytes;
    flowctl_error err;
    shared_open_script(&s);
    flowctl_backend *b = s.backend;
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = '\0';
    assert_int_equal(flowctl_store_get(NULL, "k", room, 4, &bytes, NULL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_store_get(b, NULL, room, 4, &bytes, NULL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_store_get(b, "", room, 4, &bytes, NULL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_store_get(b, key, room, 4, &bytes, NULL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "256");
    assert_int_equal(flowctl_store_get(b, "k", room, 4, NULL, NULL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_store_get(b, "k", NULL, 4, &bytes, NULL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_store_set(b, "k", NULL, 4, 0, 0, NULL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_store_set(NULL, "k", "v", 1, 0, 0, NULL, 0, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_store_remove(NULL, "k", 0, 0, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_store_increment(NULL, "k", 0, NULL, 0, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_store_watch(NULL, "k", NULL, NULL, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_backend_inspect(NULL, "k", NULL, NULL, 0, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_backend_inspect(b, "k", NULL, NULL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(s.script.calls, 0);
    shared_free(&s);
}

static void never_inspected(void *context, const struct flowctl_limit_state *limit) {
    (void)context, (void)limit;
    fail();
}

static void changed(void *context, const char *key) {
    (void)key;
    ++*(unsigned *)context;
}

static void what_there_is_no_slot_for_is_unsupported(void **state) {
    (void)state;
    struct shared s = {.polls = 0};
    char room[4];
    size_t bytes;
    flowctl_error err;
    shared_open(&s, &script_ops_lend, &s.script);
    flowctl_backend *b = s.backend;
    assert_int_equal(flowctl_store_get(b, "k", room, 4, &bytes, NULL, 0, &err), FLOWCTL_UNSUPPORTED);
    assert_contains(err.message, "\"lender\" can't STORE");
    assert_int_equal(flowctl_store_set(b, "k", "v", 1, 0, 0, NULL, 0, &err), FLOWCTL_UNSUPPORTED);
    assert_int_equal(flowctl_store_remove(b, "k", 0, 0, &err), FLOWCTL_UNSUPPORTED);
    assert_int_equal(flowctl_store_increment(b, "k", 0, NULL, 0, &err), FLOWCTL_UNSUPPORTED);
    assert_contains(err.message, "COUNT");
    assert_int_equal(flowctl_store_watch(b, "k", changed, NULL, &err), FLOWCTL_UNSUPPORTED);
    assert_contains(err.message, "WATCH");
    assert_int_equal(flowctl_backend_inspect(b, NULL, never_inspected, NULL, 0, &err), FLOWCTL_UNSUPPORTED);
    assert_contains(err.message, "INSPECT");
    shared_free(&s);
}

/* ---- a store that does not answer ---- */

static void a_call_ends_when_its_time_is_over(void **state) {
    (void)state;
    struct shared s;
    char room[4];
    size_t bytes;
    shared_open_script(&s);
    uint64_t began_ns = flowctl_clock_now(NULL);
    assert_int_equal(flowctl_store_get(s.backend, "k", room, 4, &bytes, NULL, 20 * MS, NULL), FLOWCTL_TIMED_OUT);
    assert_in_range(flowctl_clock_now(NULL) - began_ns, 20 * MS, 2 * FLOWCTL_NS_PER_SEC);
    /* Late, twice, and of the next call. */
    uint64_t late = s.script.call_ticket;
    flowctl_answer_store(s.script.base, late, &(flowctl_store_reply){.status = FLOWCTL_OK});
    flowctl_answer_store(s.script.base, late, &(flowctl_store_reply){.status = FLOWCTL_OK});
    assert_int_equal(flowctl_store_get(s.backend, "k", room, 4, &bytes, NULL, 0, NULL), FLOWCTL_TIMED_OUT);
    assert_int_equal(flowctl_backend_inspect(s.backend, NULL, never_inspected, NULL, MS, NULL), FLOWCTL_TIMED_OUT);
    flowctl_answer_inspect(s.script.base, s.script.call_ticket, FLOWCTL_OK, &(flowctl_limit_state){.size = 0});
    flowctl_answer_inspect(s.script.base, s.script.call_ticket, FLOWCTL_OK, NULL);
    shared_free(&s);
}

/* However long the caller would wait: the backend's own time-out. */
static void no_call_takes_longer_than_the_backend_allows(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *b;
    o.ops = &script_ops;
    o.config = &script;
    o.call_timeout_ns = 30 * MS;
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    uint64_t began_ns = flowctl_clock_now(NULL);
    assert_int_equal(flowctl_store_increment(b, "k", 1, NULL, FLOWCTL_FOREVER, NULL), FLOWCTL_TIMED_OUT);
    assert_in_range(flowctl_clock_now(NULL) - began_ns, 30 * MS, 2 * FLOWCTL_NS_PER_SEC);
    flowctl_backend_destroy(b);
}

/* A slot that blocks: the caller has to wait for it, since the store reads the caller's memory. It sleeps meanwhile. */
static void slow_increment(flowctl_backend_base *base, uint64_t ticket, const char *key, uint64_t by) {
    (void)base, (void)ticket, (void)key, (void)by;
    nanosleep(&(struct timespec){0, 200000000}, NULL);
}

static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * FLOWCTL_NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void waiting_for_a_slot_costs_no_processor(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend_ops slow = script_ops;
    slow.increment = slow_increment;
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *b;
    o.ops = &slow;
    o.config = &script;
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    uint64_t began_ns = cpu_ns();
    assert_int_equal(flowctl_store_increment(b, "k", 1, NULL, 20 * MS, NULL), FLOWCTL_TIMED_OUT);
    assert_true(cpu_ns() - began_ns < 50 * MS);
    flowctl_backend_destroy(b);
}

/* ---- watching ---- */

static void a_watcher_hears_of_changes(void **state) {
    (void)state;
    unsigned first = 0, second = 0;
    flowctl_backend *b = open_memory(FLOWCTL_DRIVE_POLL);
    assert_int_equal(flowctl_store_watch(b, "k", changed, &first, NULL), FLOWCTL_OK);
    flowctl_store_set(b, "k", "v", 1, 0, FLOWCTL_VERSION_ANY, NULL, LONG, NULL);
    flowctl_store_set(b, "other", "v", 1, 0, FLOWCTL_VERSION_ANY, NULL, LONG, NULL);
    assert_int_equal(first, 1);
    assert_int_equal(flowctl_store_watch(b, "k", changed, &second, NULL), FLOWCTL_OK); /* one for each key */
    flowctl_store_remove(b, "k", FLOWCTL_VERSION_ANY, LONG, NULL);
    assert_int_equal(first, 1);
    assert_int_equal(second, 1);
    assert_int_equal(flowctl_store_watch(b, "k", NULL, NULL, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_store_watch(b, "k", NULL, NULL, NULL), FLOWCTL_OK);
    flowctl_store_set(b, "k", "v", 1, 0, FLOWCTL_VERSION_ANY, NULL, LONG, NULL);
    assert_int_equal(second, 1);
    flowctl_backend_destroy(b);
}

/* What the store would not watch is not watched. */
static void a_watch_that_failed_is_forgotten(void **state) {
    (void)state;
    struct shared s;
    unsigned heard = 0;
    shared_open_script(&s);
    s.script.watch_status = FLOWCTL_UNAVAILABLE;
    flowctl_error err;
    assert_int_equal(flowctl_store_watch(s.backend, "k", changed, &heard, &err), FLOWCTL_UNAVAILABLE);
    flowctl_tell_changed(s.script.base, "k");
    assert_int_equal(heard, 0);
    s.script.watch_status = FLOWCTL_OK;
    assert_int_equal(flowctl_store_watch(s.backend, "k", changed, &heard, NULL), FLOWCTL_OK);
    flowctl_tell_changed(s.script.base, "k");
    flowctl_tell_changed(s.script.base, "unknown");
    assert_int_equal(heard, 1);
    shared_free(&s); /* and the watch with it */
}

/* ---- inspecting ---- */

struct seen {
    unsigned limits;
    char name[32];
    uint64_t granted, members;
};

static void look(void *context, const struct flowctl_limit_state *limit) {
    struct seen *seen = context;
    seen->limits++;
    snprintf(seen->name, sizeof seen->name, "%s", limit->limit);
    seen->granted = limit->granted;
    seen->members = limit->member_count;
}

static void limits_are_shown(void **state) {
    (void)state;
    struct shared s;
    struct seen seen = {0};
    shared_open(&s, flowctl_memory_backend(), NULL);
    flowctl_error err;
    assert_int_equal(flowctl_backend_inspect(s.backend, "shared", look, &seen, LONG, &err), FLOWCTL_NOT_FOUND);
    assert_int_equal(flowctl_backend_inspect(s.backend, NULL, look, &seen, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(seen.limits, 0);
    flowctl_token_bucket_options o = shared_options(&s);
    s.limiter = shared_create(&o);
    flowctl_backend_poll(s.backend);
    assert_false(flowctl_try_acquire(s.limiter, 50));
    shared_pass(&s, 2 * SHARED_REFRESH_NS);
    assert_int_equal(flowctl_backend_inspect(s.backend, "shared", look, &seen, LONG, NULL), FLOWCTL_OK);
    assert_int_equal(seen.limits, 1);
    assert_string_equal(seen.name, "shared");
    assert_int_equal(seen.members, 1);
    assert_int_equal(seen.granted, shared_info(s.limiter).granted_permits);
    shared_free(&s);
}

/* ---- probing ---- */

static void a_probe_asks_for_something_harmless(void **state) {
    (void)state;
    const flowctl_backend_ops *const ops[] = {flowctl_memory_backend(), &script_ops_lend};
    for (size_t i = 0; i < COUNT(ops); i++) {
        struct shared s = {.polls = 0};
        struct seen seen = {0};
        flowctl_backend_probed probed;
        s.script.generous = true;
        shared_open(&s, ops[i], &s.script);
        assert_int_equal(flowctl_backend_probe(s.backend, LONG, &probed, NULL), FLOWCTL_OK);
        assert_int_equal(probed.status, FLOWCTL_OK);
        assert_int_equal(probed.capabilities, flowctl_backend_capabilities(s.backend));
        assert_true(probed.latency_ns < LONG);
        if (i == 0) flowctl_backend_inspect(s.backend, NULL, look, &seen, LONG, NULL);
        assert_int_equal(seen.limits, 0);
        if (i == 1) assert_int_equal(script_ask(&s.script, 0)->ask.want, 0);
        shared_free(&s);
    }
}

static void a_probe_tells_what_is_wrong(void **state) {
    (void)state;
    struct shared s;
    flowctl_backend_probed probed;
    flowctl_error err;
    shared_open_script(&s);
    assert_int_equal(flowctl_backend_probe(s.backend, MS, &probed, &err), FLOWCTL_TIMED_OUT);
    assert_int_equal(probed.status, FLOWCTL_TIMED_OUT);
    assert_contains(err.message, "probe");
    assert_int_equal(flowctl_backend_probe(s.backend, MS, NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_backend_probe(NULL, MS, &probed, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(probed.status, FLOWCTL_INVALID_ARGUMENT);
    shared_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_numbers_by_thread_and_by_poll),
        cmocka_unit_test(a_polled_call_returns_once_it_is_answered),
        cmocka_unit_test(values_have_a_largest_size),
        cmocka_unit_test(values_expire_by_the_backends_clock),
        cmocka_unit_test(wrong_calls_are_refused_by_name),
        cmocka_unit_test(what_there_is_no_slot_for_is_unsupported),
        cmocka_unit_test(a_call_ends_when_its_time_is_over),
        cmocka_unit_test(no_call_takes_longer_than_the_backend_allows),
        cmocka_unit_test(waiting_for_a_slot_costs_no_processor),
        cmocka_unit_test(a_watcher_hears_of_changes),
        cmocka_unit_test(a_watch_that_failed_is_forgotten),
        cmocka_unit_test(limits_are_shown),
        cmocka_unit_test(a_probe_asks_for_something_harmless),
        cmocka_unit_test(a_probe_tells_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

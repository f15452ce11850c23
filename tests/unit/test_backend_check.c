/* A vtable that is not whole is refused by the name of what is missing. */
#include "fixture.h"

#include <flowctl/sys/backend.h>

static const flowctl_backend_ops *whole(void) { return flowctl_memory_backend(); }

static void refused(flowctl_backend_ops ops, flowctl_status status, const char *names) {
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_backend_check(&ops, &err), status);
    fixture_assert_failed(&err, status);
    assert_contains(err.message, names);
    assert_int_equal(flowctl_backend_check(&ops, NULL), status);
}

#define WITHOUT(field, status, names)        \
    do {                                     \
        flowctl_backend_ops part = *whole(); \
        part.field = 0;                      \
        refused(part, status, names);        \
    } while (0)

static void test_whole(void **state) {
    (void)state;
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_backend_check(whole(), &err), FLOWCTL_OK);
    assert_true(fixture_error_untouched(&err));
    assert_int_equal(flowctl_backend_check(NULL, &err), FLOWCTL_INVALID_ARGUMENT);
}

static void test_missing(void **state) {
    (void)state;
    WITHOUT(size, FLOWCTL_BAD_SIZE, "size");
    WITHOUT(version, FLOWCTL_INVALID_ARGUMENT, "version");
    WITHOUT(name, FLOWCTL_INVALID_ARGUMENT, "name");
    WITHOUT(instance_bytes, FLOWCTL_INVALID_ARGUMENT, "instance_bytes");
    WITHOUT(open, FLOWCTL_INVALID_ARGUMENT, "open");
    WITHOUT(close, FLOWCTL_INVALID_ARGUMENT, "close");
    WITHOUT(lease, FLOWCTL_INVALID_ARGUMENT, "lease");
    WITHOUT(get, FLOWCTL_INVALID_ARGUMENT, "get");
    WITHOUT(put, FLOWCTL_INVALID_ARGUMENT, "put");
}

static void test_odd(void **state) {
    (void)state;
    flowctl_backend_ops ops = *whole();
    ops.name = "two words";
    refused(ops, FLOWCTL_INVALID_ARGUMENT, "two words");
    ops = *whole();
    ops.size++;
    refused(ops, FLOWCTL_BAD_SIZE, "size");
    ops = *whole();
    ops.version++;
    refused(ops, FLOWCTL_INVALID_ARGUMENT, "version");
    ops = *whole();
    ops.get = NULL, ops.put = NULL;
    refused(ops, FLOWCTL_INVALID_ARGUMENT, "watch");
    ops = *whole();
    ops.increment = NULL;
    ops.capabilities |= FLOWCTL_CAN_COUNT;
    refused(ops, FLOWCTL_INVALID_ARGUMENT, "COUNT");
}

static void no_wait(flowctl_backend_base *base, uint64_t until_ns) { (void)base, (void)until_ns; }
static void no_interrupt(flowctl_backend_base *base) { (void)base; }
static int no_descriptor(const flowctl_backend_base *base) { return (void)base, -1; }
static uint64_t no_poll(flowctl_backend_base *base, uint64_t now_ns) { return (void)base, (void)now_ns, FLOWCTL_FOREVER; }

static void test_sleeping(void **state) {
    (void)state;
    flowctl_backend_ops ops = *whole();
    ops.poll = no_poll, ops.wait = no_wait, ops.interrupt = no_interrupt, ops.descriptor = no_descriptor;
    assert_int_equal(flowctl_backend_check(&ops, NULL), FLOWCTL_OK);
    ops.descriptor = NULL;
    assert_int_equal(flowctl_backend_check(&ops, NULL), FLOWCTL_OK);
    ops.poll = NULL;
    refused(ops, FLOWCTL_INVALID_ARGUMENT, "poll: NULL; wait needs it");
    ops.poll = no_poll, ops.interrupt = NULL;
    refused(ops, FLOWCTL_INVALID_ARGUMENT, "interrupt: NULL; wait needs it");
    ops.wait = NULL, ops.descriptor = no_descriptor;
    refused(ops, FLOWCTL_INVALID_ARGUMENT, "interrupt: NULL; descriptor needs it");
    ops.interrupt = no_interrupt;
    refused(ops, FLOWCTL_INVALID_ARGUMENT, "wait: NULL; interrupt needs it");
}

static void test_capabilities(void **state) {
    (void)state;
    flowctl_backend_ops ops = *whole();
    uint32_t all = FLOWCTL_CAN_LEND | FLOWCTL_CAN_SERVER_TIME | FLOWCTL_CAN_EXACT | FLOWCTL_CAN_STORE | FLOWCTL_CAN_COUNT |
                   FLOWCTL_CAN_WATCH | FLOWCTL_CAN_INSPECT;
    assert_int_equal(flowctl_backend_ops_capabilities(&ops), all);
    ops.get = NULL, ops.put = NULL, ops.watch = NULL, ops.increment = NULL, ops.inspect = NULL,
    ops.capabilities = FLOWCTL_CAN_SHARE;
    assert_int_equal(flowctl_backend_check(&ops, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_backend_ops_capabilities(&ops), FLOWCTL_CAN_LEND | FLOWCTL_CAN_SHARE);
    assert_int_equal(flowctl_backend_ops_capabilities(NULL), 0);
    assert_string_equal(flowctl_capability_name(FLOWCTL_CAN_EXACT), "EXACT");
    assert_string_equal(flowctl_capability_name(FLOWCTL_CAN_INSPECT), "INSPECT");
    assert_string_equal(flowctl_capability_name(3), "UNKNOWN");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),    cmocka_unit_test(test_missing),      cmocka_unit_test(test_odd),
        cmocka_unit_test(test_sleeping), cmocka_unit_test(test_capabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

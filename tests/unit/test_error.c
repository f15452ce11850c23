#include "unit/fixture.h"

#include "base/error.h"

static void returns_the_status_it_is_given(void **state) {
    (void)state;
    flowctl_error err;
    assert_int_equal(fc_fail(&err, FLOWCTL_CLOSED, 0, "x"), FLOWCTL_CLOSED);
    assert_int_equal(fc_fail(NULL, FLOWCTL_SYSTEM, 0, "%d", 1), FLOWCTL_SYSTEM);
}

static void fills_in_status_offset_and_message(void **state) {
    (void)state;
    flowctl_error err = fixture_error();
    fc_fail(&err, FLOWCTL_SYNTAX, 7, "rate \"%s\": %d", "1/x", 5);
    assert_int_equal(err.status, FLOWCTL_SYNTAX);
    assert_int_equal(err.offset, 7);
    assert_string_equal(err.message, "rate \"1/x\": 5");
}

static void a_long_message_is_cut_and_terminated(void **state) {
    (void)state;
    char text[1000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct {
        flowctl_error err;
        char behind[8];
    } area;
    memset(&area, 'Z', sizeof area);
    fc_fail(&area.err, FLOWCTL_SYNTAX, FC_NO_TEXT, "%s", text);
    assert_int_equal(strlen(area.err.message), sizeof area.err.message - 1);
    assert_memory_equal(area.behind, "ZZZZZZZZ", 8);
    assert_int_equal(area.err.offset, -1);
}

static void text_of_the_caller_is_no_format(void **state) {
    (void)state;
    flowctl_error err;
    flowctl_rate rate;
    assert_int_equal(flowctl_rate_parse("%n%s%s%s", &rate, NULL, &err), FLOWCTL_SYNTAX);
    assert_contains(err.message, "%n%s%s%s");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_the_status_it_is_given),
        cmocka_unit_test(fills_in_status_offset_and_message),
        cmocka_unit_test(a_long_message_is_cut_and_terminated),
        cmocka_unit_test(text_of_the_caller_is_no_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

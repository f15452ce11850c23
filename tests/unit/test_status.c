#include "unit/fixture.h"

#include <stdio.h>

static const flowctl_status all[] = {
#define STATUS(name, value, text) name,
    FLOWCTL_STATUS_MAP(STATUS)
#undef STATUS
};

/* Written out once more on purpose: values are a promise to callers that were compiled earlier. */
static void values_and_names_never_change(void **state) {
    (void)state;
    static const struct {
        int value;
        const char *name;
    } promised[] = {
        {0, "FLOWCTL_OK"},          {1, "FLOWCTL_INVALID_ARGUMENT"}, {2, "FLOWCTL_OUT_OF_RANGE"}, {3, "FLOWCTL_SYNTAX"},
        {4, "FLOWCTL_NO_MEMORY"},   {5, "FLOWCTL_CLOSED"},           {6, "FLOWCTL_BAD_SIZE"},     {7, "FLOWCTL_SYSTEM"},
        {8, "FLOWCTL_UNSUPPORTED"}, {9, "FLOWCTL_UNAVAILABLE"},      {10, "FLOWCTL_TIMED_OUT"},   {11, "FLOWCTL_CONFLICT"},
        {12, "FLOWCTL_NOT_FOUND"},  {13, "FLOWCTL_NOT_PERMITTED"},
    };
    assert_true(COUNT(all) >= COUNT(promised));
    for (size_t i = 0; i < COUNT(promised); i++)
        assert_string_equal(flowctl_status_name((flowctl_status)promised[i].value), promised[i].name);
}

static void every_status_has_a_text_of_its_own(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_true(strlen(flowctl_status_text(all[i])) > 0);
        for (size_t k = 0; k < i; k++) assert_string_not_equal(flowctl_status_text(all[i]), flowctl_status_text(all[k]));
    }
}

static void what_is_no_status_says_so(void **state) {
    (void)state;
    static const int none[] = {-1, 14, 1000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < COUNT(none); i++) {
        assert_string_equal(flowctl_status_name((flowctl_status)none[i]), "FLOWCTL_UNKNOWN");
        assert_non_null(flowctl_status_text((flowctl_status)none[i]));
    }
}

static void the_version_is_the_one_of_the_header(void **state) {
    (void)state;
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", FLOWCTL_VERSION_MAJOR, FLOWCTL_VERSION_MINOR, FLOWCTL_VERSION_PATCH);
    assert_string_equal(flowctl_version(), expected);
}

static void the_features_name_the_memory_backend(void **state) {
    (void)state;
    assert_contains(flowctl_features(), "memory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_names_never_change),
        cmocka_unit_test(every_status_has_a_text_of_its_own),
        cmocka_unit_test(what_is_no_status_says_so),
        cmocka_unit_test(the_version_is_the_one_of_the_header),
        cmocka_unit_test(the_features_name_the_memory_backend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit/script.h"

#include <flowctl/health.h>
#include <flowctl/store.h>

#define LONG (5 * FLOWCTL_NS_PER_SEC)
#define TTL FLOWCTL_NS_PER_SEC

static flowctl_status publish(struct shared *s, const char *component, flowctl_health health, const char *detail) {
    return flowctl_health_publish(s->backend, component, health, detail, TTL, LONG, NULL);
}

static flowctl_health_report read_report(struct shared *s, const char *component) {
    flowctl_health_report report;
    assert_int_equal(flowctl_health_read(s->backend, component, &report, LONG, NULL), FLOWCTL_OK);
    return report;
}

static void who_says_nothing_is_silent(void **state) {
    (void)state;
    struct shared s;
    shared_open(&s, flowctl_memory_backend(), NULL);
    flowctl_health_report r = read_report(&s, "db");
    assert_int_equal(r.health, FLOWCTL_HEALTH_SILENT);
    assert_int_equal(r.number, 0);
    assert_string_equal(r.detail, "");
    shared_free(&s);
}

static void what_was_published_is_read_until_it_expires(void **state) {
    (void)state;
    struct shared s;
    shared_open(&s, flowctl_memory_backend(), NULL);
    assert_int_equal(publish(&s, "db", FLOWCTL_HEALTH_DEGRADED, "slow disk"), FLOWCTL_OK);
    flowctl_health_report first = read_report(&s, "db");
    assert_int_equal(first.health, FLOWCTL_HEALTH_DEGRADED);
    assert_string_equal(first.detail, "slow disk");
    shared_skip(&s, TTL / 2);
    assert_int_equal(publish(&s, "db", FLOWCTL_HEALTH_OK, NULL), FLOWCTL_OK);
    flowctl_health_report second = read_report(&s, "db");
    assert_int_equal(second.health, FLOWCTL_HEALTH_OK);
    assert_string_equal(second.detail, "");
    assert_true(second.number > first.number);
    shared_skip(&s, TTL - 1);
    assert_int_equal(read_report(&s, "db").health, FLOWCTL_HEALTH_OK);
    shared_skip(&s, 1);
    assert_int_equal(read_report(&s, "db").health, FLOWCTL_HEALTH_SILENT);
    shared_free(&s);
}

static void long_details_are_cut(void **state) {
    (void)state;
    struct shared s;
    char detail[400];
    shared_open(&s, flowctl_memory_backend(), NULL);
    memset(detail, 'd', sizeof detail);
    detail[sizeof detail - 1] = '\0';
    assert_int_equal(publish(&s, "db", FLOWCTL_HEALTH_FAILED, detail), FLOWCTL_OK);
    assert_int_equal(strlen(read_report(&s, "db").detail), FLOWCTL_HEALTH_DETAIL_MAX);
    shared_free(&s);
}

static void the_worst_of_several(void **state) {
    (void)state;
    struct shared s;
    static const char *const all[] = {"a", "b", "c"};
    static const char *const wrong[] = {"a", NULL};
    flowctl_health_report reports[3];
    shared_open(&s, flowctl_memory_backend(), NULL);
    publish(&s, "a", FLOWCTL_HEALTH_OK, NULL), publish(&s, "b", FLOWCTL_HEALTH_FAILED, "x");
    assert_int_equal(flowctl_health_worst(s.backend, all, 0, NULL, LONG), FLOWCTL_HEALTH_OK);
    assert_int_equal(flowctl_health_worst(s.backend, all, 1, NULL, LONG), FLOWCTL_HEALTH_OK);
    assert_int_equal(flowctl_health_worst(s.backend, all, 2, reports, LONG), FLOWCTL_HEALTH_FAILED);
    assert_int_equal(flowctl_health_worst(s.backend, all, 3, reports, LONG), FLOWCTL_HEALTH_SILENT);
    assert_string_equal(reports[1].detail, "x");
    assert_int_equal(reports[2].health, FLOWCTL_HEALTH_SILENT);
    assert_int_equal(flowctl_health_worst(s.backend, wrong, 2, reports, LONG), FLOWCTL_HEALTH_SILENT);
    assert_int_equal(flowctl_health_worst(NULL, all, 1, NULL, LONG), FLOWCTL_HEALTH_SILENT);
    shared_free(&s);
}

static void what_is_no_report_is_a_syntax_error(void **state) {
    (void)state;
    struct shared s;
    flowctl_health_report r;
    static const unsigned char others[][4] = {{1, 0, 0}, {2, 0, 0, 0}, {1, 3, 0, 0}, {1, 255, 0, 0}};
    shared_open(&s, flowctl_memory_backend(), NULL);
    for (size_t i = 0; i < COUNT(others); i++) {
        flowctl_error err;
        assert_int_equal(flowctl_store_set(s.backend, "flowctl.health.db", others[i], i == 0 ? 3 : 4, 0, FLOWCTL_VERSION_ANY,
                                           NULL, LONG, NULL),
                         FLOWCTL_OK);
        assert_int_equal(flowctl_health_read(s.backend, "db", &r, LONG, &err), FLOWCTL_SYNTAX);
        assert_int_equal(r.health, FLOWCTL_HEALTH_SILENT);
        fixture_assert_failed(&err, FLOWCTL_SYNTAX);
    }
    static const char large[1000];
    flowctl_store_set(s.backend, "flowctl.health.db", large, sizeof large, 0, FLOWCTL_VERSION_ANY, NULL, LONG, NULL);
    assert_true(flowctl_health_read(s.backend, "db", &r, LONG, NULL) != FLOWCTL_OK);
    shared_free(&s);
}

static void wrong_calls(void **state) {
    (void)state;
    struct shared s = {.polls = 0};
    flowctl_health_report r;
    flowctl_error err;
    char name[202];
    memset(name, 'n', sizeof name);
    name[201] = '\0';
    shared_open(&s, flowctl_memory_backend(), NULL);
    flowctl_backend *b = s.backend;
    assert_int_equal(flowctl_health_publish(b, NULL, FLOWCTL_HEALTH_OK, "", TTL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_health_publish(b, "", FLOWCTL_HEALTH_OK, "", TTL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_health_publish(b, name, FLOWCTL_HEALTH_OK, "", TTL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_health_publish(b, "a", FLOWCTL_HEALTH_SILENT, "", TTL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_health_publish(b, "a", (flowctl_health)-1, "", TTL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_health_publish(b, "a", FLOWCTL_HEALTH_OK, "", FLOWCTL_NS_PER_MS - 1, 0, &err),
                     FLOWCTL_OUT_OF_RANGE);
    assert_int_equal(flowctl_health_publish(NULL, "a", FLOWCTL_HEALTH_OK, "", TTL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_health_read(b, "a", NULL, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_health_read(NULL, "a", &r, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_health_read(b, "", &r, 0, &err), FLOWCTL_INVALID_ARGUMENT);
    shared_free(&s);
    shared_open(&s, &script_ops_lend, &s.script);
    assert_int_equal(flowctl_health_publish(s.backend, "a", FLOWCTL_HEALTH_OK, "", TTL, 0, &err), FLOWCTL_UNSUPPORTED);
    assert_int_equal(flowctl_health_read(s.backend, "a", &r, 0, &err), FLOWCTL_UNSUPPORTED);
    shared_free(&s);
}

static void healths_have_names(void **state) {
    (void)state;
    static const char *const names[] = {"OK", "DEGRADED", "FAILED", "SILENT", "UNKNOWN"};
    for (unsigned i = 0; i < COUNT(names); i++) assert_string_equal(flowctl_health_name((flowctl_health)i), names[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_says_nothing_is_silent),
        cmocka_unit_test(what_was_published_is_read_until_it_expires),
        cmocka_unit_test(long_details_are_cut),
        cmocka_unit_test(the_worst_of_several),
        cmocka_unit_test(what_is_no_report_is_a_syntax_error),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(healths_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The combined format, byte by byte; whole lines through the command are in test_replay_lines.py. */
#include "log_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char good[] = "10.0.0.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 123 \"-\" \"agent\"";

/* From a block of the exact size: reading one byte too many is an error that sanitizers see. */
static bool parse(const char *text, size_t length, struct fct_event *event, struct fct_fault *fault) {
    static const struct fct_log_fields fields = {.time = "time"};
    struct fct_log_parser parser;
    fct_log_parser_init(&parser, NULL, &fields);
    char *line = malloc(length + (length == 0));
    memcpy(line, text, length);
    bool read = fct_log_parse(&parser, line, length, event, fault) == FCT_PARSED_EVENT;
    free(line);
    assert_true(read == (parser.format != NULL));
    fct_log_parser_cleanup(&parser);
    return read;
}

static void reads_time_and_bytes(void **state) {
    (void)state;
    struct fct_event event;
    struct fct_fault fault;
    assert_true(parse(good, strlen(good), &event, &fault));
    assert_int_equal(event.time_ns, UINT64_C(1431857103000000000));
    assert_int_equal(event.cost, 123);
}

/* A combined line cut anywhere is broken, but for where it is a common one. */
static void cut_anywhere(void **state) {
    (void)state;
    struct fct_event event;
    size_t size_begins = (size_t)(strstr(good, " 123") - good) + 1;
    for (size_t length = 0; length < strlen(good); length++) {
        struct fct_fault fault = {NULL, 0};
        bool common = length > size_begins && length <= size_begins + 3;
        assert_true(parse(good, length, &event, &fault) == common);
        if (common) continue;
        assert_non_null(fault.reason);
        assert_true(fault.column <= length + 1);
    }
}

/* Between the brackets, and what joins the fields: no byte may be another. */
static void any_byte_replaced(void **state) {
    (void)state;
    char line[sizeof good];
    for (size_t at = 0; at < strlen(good); at++)
        for (int byte = 0; byte < 256; byte++) {
            struct fct_event event;
            struct fct_fault fault;
            memcpy(line, good, sizeof good);
            line[at] = (char)byte;
            bool read = parse(line, strlen(good), &event, &fault);
            bool joint = at > strlen("10.0.0.1 - - ") && strchr("[]/: \"", good[at]) != NULL &&
                         at <= (size_t)(strchr(good, '"') - good);
            if (byte == 0 || (joint && byte != good[at])) assert_false(read);
        }
}

static void escapes(void **state) {
    (void)state;
    static const struct {
        const char *quoted;
        bool closed;
    } cases[] = {{"\"\"", true},    {"\"\\\"\"", true},    {"\"\\\\\"", true},
                 {"\"\\\"", false}, {"\"\\\\\\\"", false}, {"\"a\\", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[128];
        struct fct_event event;
        struct fct_fault fault;
        snprintf(line, sizeof line, "h - - [17/May/2015:10:05:03 +0000] %s 200 1", cases[i].quoted);
        assert_true(parse(line, strlen(line), &event, &fault) == cases[i].closed);
    }
}

static void names(void **state) {
    (void)state;
    char known[64], cut[6];
    assert_ptr_equal(fct_log_format_find("combined"), &fct_format_combined);
    assert_null(fct_log_format_find("Combined"));
    fct_log_format_names(known, sizeof known);
    assert_string_equal(known, "auto, combined, json, csv, regex");
    fct_log_format_names(cut, sizeof cut);
    assert_string_equal(cut, "auto,");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_time_and_bytes),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(any_byte_replaced),
        cmocka_unit_test(escapes),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

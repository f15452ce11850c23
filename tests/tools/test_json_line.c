/* JSON searched for fields: what is found, what is refused, and that nothing is read behind the end. */
#include "json_line.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* From a block of the exact size, which stays until the next call: values point into it. */
static bool find(const char *text, size_t length, const char *path, struct fct_json_value found[2], struct fct_fault *fault) {
    static char *copy;
    free(copy);
    copy = NULL;
    if (text == NULL) return false;
    copy = malloc(length + (length == 0));
    memcpy(copy, text, length);
    return fct_json_find(copy, length, (const char *const[]){path, NULL}, found, fault);
}

static void expect(const char *text, const char *path, enum fct_json_kind kind, const char *value) {
    struct fct_json_value found[2];
    struct fct_fault fault = {"", 0};
    char plain[64];
    size_t length;
    if (!find(text, strlen(text), path, found, &fault)) fail_msg("%s: column %zu: %s", text, fault.column, fault.reason);
    if (found[0].kind != kind) fail_msg("%s: %s is of kind %d", text, path, (int)found[0].kind);
    assert_int_equal(found[1].kind, FCT_JSON_NONE);
    if (kind == FCT_JSON_NONE || kind == FCT_JSON_OTHER) return;
    assert_true(fct_json_unescape(&found[0], plain, sizeof plain, &length));
    if (length != strlen(value) || memcmp(plain, value, length) != 0) fail_msg("%s: %.*s", text, (int)length, plain);
}

static void finds(void **state) {
    (void)state;
    expect("{\"t\":1}", "t", FCT_JSON_NUMBER, "1");
    expect(" {\t\"t\" : -0.5e+9 , \"u\" : [1,{}] } ", "t", FCT_JSON_NUMBER, "-0.5e+9");
    expect("{\"t\":1431857103.000000001}", "t", FCT_JSON_NUMBER, "1431857103.000000001");
    expect("{\"t\":\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"}", "t", FCT_JSON_STRING, "a\"\\/\b\f\n\r\tA");
    expect("{\"t\":\"\\u002b\\u00e9\\u20ac\\ud83d\\ude00\"}", "t", FCT_JSON_STRING, "+\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    expect("{\"t\":\"\\ud83d \\udE00\\ud83d\\u0041\"}", "t", FCT_JSON_STRING,
           "\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd"
           "A");
    expect("{\"t\":null}", "t", FCT_JSON_OTHER, NULL);
    expect("{\"t\":{}}", "t", FCT_JSON_OTHER, NULL);
    expect("{}", "t", FCT_JSON_NONE, NULL);
    expect("{\"tt\":1,\"\":2,\"T\":3,\"a\":{\"t\":4},\"b\":[{\"t\":5}]}", "t", FCT_JSON_NONE, NULL);
    expect("{\"\\u0074\\u00e9\":7}", "t\xc3\xa9", FCT_JSON_NUMBER, "7");
}

static void paths(void **state) {
    (void)state;
    expect("{\"http\":{\"x\":0,\"time\":1},\"time\":2}", "http.time", FCT_JSON_NUMBER, "1");
    expect("{\"http.time\":3}", "http.time", FCT_JSON_NUMBER, "3");
    expect("{\"a\":{\"b.c\":{\"d\":4}}}", "a.b.c.d", FCT_JSON_NUMBER, "4");
    expect("{\"http\":[{\"time\":1}]}", "http.time", FCT_JSON_NONE, NULL);
    expect("{\"http\":5}", "http.time", FCT_JSON_NONE, NULL);
    expect("{\"htt\":{\"p.time\":5},\"http.\":{\"time\":6}}", "http.time", FCT_JSON_NONE, NULL);
    expect("{\"x\":{\"http\":{\"time\":5}}}", "http.time", FCT_JSON_NONE, NULL);
    expect("{\"t\":1,\"t\":2}", "t", FCT_JSON_NUMBER, "2");
    expect("{\"a\":{\"t\":1},\"a\":{\"t\":2}}", "a.t", FCT_JSON_NUMBER, "2");
    expect("{\"a\":{\"t\":1},\"a\":{}}", "a.t", FCT_JSON_NONE, NULL);
}

static void refuses(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t column;
    } cases[] = {
        {"", 1},
        {"[]", 1},
        {"1", 1},
        {"{", 2},
        {"{\"t\"", 5},
        {"{\"t\":", 6},
        {"{\"t\":1", 7},
        {"{\"t\":1,", 8},
        {"{\"t\":1,}", 8},
        {"{,}", 2},
        {"{t:1}", 2},
        {"{'t':1}", 2},
        {"{\"t\":1}x", 8},
        {"{\"t\":01}", 7},
        {"{\"t\":1.}", 8},
        {"{\"t\":.5}", 6},
        {"{\"t\":+1}", 6},
        {"{\"t\":1e}", 8},
        {"{\"t\":-}", 7},
        {"{\"t\":tru}", 6},
        {"{\"t\":NaN}", 6},
        {"{\"t\":[1,]}", 9},
        {"{\"t\":[1}", 8},
        {"{\"t\":\"\\x\"}", 7},
        {"{\"t\":\"\\u12g4\"}", 7},
        {"{\"t\":\"a\tb\"}", 8},
        {"{\"t\":\"long long long \t\"}", 22},
        {"{\"t\":\"abc", 6},
        {"{\"t\" 1}", 6},
        {"{\"t\":1 \"u\":2}", 8},
        {"{\"t\":\"\\", 7},
        {"{\"t\":\"\\u00", 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fct_json_value found[2];
        struct fct_fault fault = {"", 0};
        if (find(cases[i].text, strlen(cases[i].text), "t", found, &fault)) fail_msg("%s is no JSON", cases[i].text);
        if (fault.column != cases[i].column) fail_msg("%s: column %zu: %s", cases[i].text, fault.column, fault.reason);
    }
}

static void depth(void **state) {
    (void)state;
    char text[2 * FCT_JSON_DEPTH_MAX + 64];
    for (int arrays = FCT_JSON_DEPTH_MAX - 2; arrays <= FCT_JSON_DEPTH_MAX; arrays++) {
        struct fct_json_value found[2];
        struct fct_fault fault = {"", 0};
        int used = snprintf(text, sizeof text, "{\"a\":");
        for (int i = 0; i < arrays; i++) text[used++] = '[';
        text[used++] = '1';
        for (int i = 0; i < arrays; i++) text[used++] = ']';
        used += snprintf(text + used, sizeof text - (size_t)used, ",\"t\":2}");
        assert_true(find(text, (size_t)used, "t", found, &fault) == (arrays < FCT_JSON_DEPTH_MAX));
    }
}

/* Every cut and every other byte at every place: what jansson takes for JSON is taken for JSON here, and the other way round. */
static void agrees_with_another_parser(void **state) {
    (void)state;
    static const char good[] = "{\"a\":{\"t\":[1,-2.5e3,true]}, \"u\" : \"x\\u00e9\\n\",\"t\":12}";
    char text[sizeof good];
    for (size_t at = 0; at < strlen(good); at++)
        for (int byte = 1; byte < 128; byte++) {
            struct fct_json_value found[2];
            struct fct_fault fault = {"", 0};
            memcpy(text, good, sizeof good);
            text[at] = (char)byte;
            json_t *json = json_loadb(text, strlen(good), 0, NULL);
            bool is_json = json_is_object(json), is_found = find(text, strlen(good), "t", found, &fault);
            json_decref(json);
            if (is_json != is_found) fail_msg("%s", text);
        }
    for (size_t length = 0; length < strlen(good); length++) {
        struct fct_json_value found[2];
        struct fct_fault fault = {"", 0};
        assert_false(find(good, length, "t", found, &fault));
        assert_true(fault.column >= 1 && fault.column <= length + 1);
    }
    find(NULL, 0, NULL, NULL, NULL);
}

static void unescape_has_bounds(void **state) {
    (void)state;
    const struct fct_json_value string = {FCT_JSON_STRING, "ab\\u20acd", 9, true};
    char out[8];
    size_t length;
    for (size_t size = 0; size < sizeof out; size++)
        assert_true(fct_json_unescape(&string, out, size, &length) == (size >= 6));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(paths),
        cmocka_unit_test(refuses),
        cmocka_unit_test(depth),
        cmocka_unit_test(agrees_with_another_parser),
        cmocka_unit_test(unescape_has_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

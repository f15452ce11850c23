/*
 * Any bytes as a line of JSON, searched for "t" and "a.b". Nothing crashes, what is found lies in the line, faults are explained; and
 * what jansson takes for an object is one here, with the same value at "t".
 */
#include "expect.h"
#include "json_line.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only what does not depend on how jansson keeps numbers. */
static void compare(const json_t *value, const struct fct_json_value *found) {
    char text[256];
    size_t length;
    if (value == NULL) {
        EXPECT(found->kind == FCT_JSON_NONE);
        return;
    }
    if (json_is_string(value)) {
        EXPECT(found->kind == FCT_JSON_STRING);
        if (!fct_json_unescape(found, text, sizeof text, &length)) return;
        EXPECT(length == json_string_length(value) && memcmp(text, json_string_value(value), length) == 0);
    } else if (json_is_integer(value)) {
        EXPECT(found->kind == FCT_JSON_NUMBER && found->length < sizeof text);
        memcpy(text, found->text, found->length);
        text[found->length] = '\0';
        EXPECT(strtoll(text, NULL, 10) == json_integer_value(value));
    } else {
        EXPECT(found->kind == (json_is_real(value) ? FCT_JSON_NUMBER : FCT_JSON_OTHER));
    }
}

/* jansson stops at depth 2048, we stop earlier; brackets in strings count here, too, which does no harm. */
static bool is_deep(const char *line, size_t size) {
    size_t brackets = 0;
    for (size_t i = 0; i < size; i++) brackets += line[i] == '[' || line[i] == '{';
    return brackets > FCT_JSON_DEPTH_MAX;
}

static void check(const char *line, size_t size) {
    struct fct_json_value found[2];
    struct fct_fault fault = {NULL, 0};
    bool read = fct_json_find(line, size, (const char *const[]){"t", "a.b"}, found, &fault);
    json_t *json = json_loadb(line, size, 0, NULL);
    if (!read) {
        EXPECT(fault.reason != NULL && fault.column >= 1 && fault.column <= size + 1);
        EXPECT(!json_is_object(json) || is_deep(line, size));
    } else {
        for (int i = 0; i < 2; i++)
            if (found[i].kind != FCT_JSON_NONE)
                EXPECT(found[i].text >= line && found[i].length <= size - (size_t)(found[i].text - line));
        if (json_is_object(json)) compare(json_object_get(json, "t"), &found[0]);
    }
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size != 0 && memchr(data, '\0', size) != NULL) return 0; /* such a line is refused before it is looked at */
    /* A copy of the exact size, so that one byte too many is one outside. */
    char *line = malloc(size == 0 ? 1 : size);
    if (line == NULL) return 0;
    if (size != 0) memcpy(line, data, size);
    check(line, size);
    free(line);
    return 0;
}

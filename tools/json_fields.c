#include "json_fields.h"

#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool fct_json_put(struct json_object *o, const char *key, struct json_object *value) {
    if (value != NULL && json_object_object_add(o, key, value) == 0) return true;
    json_object_put(value);
    return false;
}

bool fct_json_null(struct json_object *o, const char *key) { return json_object_object_add(o, key, NULL) == 0; }

bool fct_json_bool(struct json_object *o, const char *key, bool value) {
    return fct_json_put(o, key, json_object_new_boolean(value));
}

bool fct_json_text(struct json_object *o, const char *key, const char *text) {
    return fct_json_put(o, key, json_object_new_string(text));
}

bool fct_json_printable(struct json_object *o, const char *key, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy == NULL) return false;
    fct_text_printable(copy, size, text);
    bool done = fct_json_text(o, key, copy);
    free(copy);
    return done;
}

bool fct_json_number(struct json_object *o, const char *key, uint64_t value) {
    return fct_json_put(o, key, json_object_new_int64(value > INT64_MAX ? INT64_MAX : (int64_t)value));
}

bool fct_json_signed(struct json_object *o, const char *key, int64_t value) {
    return fct_json_put(o, key, json_object_new_int64(value));
}

bool fct_json_number_if(struct json_object *o, const char *key, bool any, uint64_t value) {
    return any ? fct_json_number(o, key, value) : fct_json_null(o, key);
}

/* 9 digits are enough for every purpose; for the exact value there are two integers. */
bool fct_json_real(struct json_object *o, const char *key, double value) {
    static char form[] = "%.9g";
    struct json_object *real = json_object_new_double(value);
    if (real != NULL) json_object_set_serializer(real, json_object_double_to_json_string, form, NULL);
    return fct_json_put(o, key, real);
}

bool fct_json_rate(struct json_object *o, const char *key, const flowctl_rate *rate) {
    struct json_object *inner = fct_json_inner(o, key, json_object_new_object());
    return inner != NULL && fct_json_number(inner, "permits", rate->permits) &&
           fct_json_number(inner, "period_ns", rate->period_ns);
}

struct json_object *fct_json_inner(struct json_object *o, const char *key, struct json_object *inner) {
    return fct_json_put(o, key, inner) ? inner : NULL;
}

struct json_object *fct_json_append(struct json_object *list) {
    struct json_object *item = json_object_new_object();
    if (item != NULL && json_object_array_add(list, item) == 0) return item;
    json_object_put(item);
    return NULL;
}

bool fct_json_write(struct json_object *o, bool pretty, FILE *out) {
    int flags = JSON_C_TO_STRING_NOSLASHESCAPE | (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);
    errno = 0;
    const char *text = json_object_to_json_string_ext(o, flags);
    /* A piece for which there was no memory is left out of the text, and only errno tells. */
    bool whole = text != NULL && errno != ENOMEM;
    if (whole) fprintf(out, "%s\n", text);
    return whole;
}

/* The JSON report, flattened: one row of names, one row of values (RFC 4180). A null is an empty field, a list is left out. */
#include "report_json.h"

#include <inttypes.h>
#include <string.h>

static void write_text(FILE *out, const char *text) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_value(FILE *out, const json_t *value) {
    if (json_is_string(value)) write_text(out, json_string_value(value));
    else if (json_is_integer(value)) fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value)) json_dumpf(value, out, JSON_ENCODE_ANY | FCT_REAL_FORM);
    else if (json_is_boolean(value)) fputs(json_is_true(value) ? "true" : "false", out);
}

enum row { NAMES, VALUES };

/* `prefix` NULL: the outer object, which begins the row. */
static void write_row(FILE *out, json_t *object, enum row row, const char *prefix) {
    const char *key;
    json_t *value;
    bool first = prefix == NULL;
    json_object_foreach(object, key, value) {
        if (json_is_object(value)) {
            write_row(out, value, row, key);
            continue;
        }
        if (json_is_array(value)) continue;
        if (!first) fputc(',', out);
        first = false;
        if (row == VALUES) write_value(out, value);
        else fprintf(out, "%s%s%s", prefix != NULL ? prefix : "", prefix != NULL ? "_" : "", key);
    }
}

bool fct_report_write_csv(const struct fct_report *report, FILE *out) {
    json_t *object = fct_report_to_json(report);
    if (object == NULL) return false;
    write_row(out, object, NAMES, NULL);
    fputs("\r\n", out);
    write_row(out, object, VALUES, NULL);
    fputs("\r\n", out);
    json_decref(object);
    return true;
}

/* The JSON report, flattened: one row of names, one row of values (RFC 4180). A null is an empty field, a list is left out. */
#include "report_json.h"

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

enum row { NAMES, VALUES };

/* `prefix` NULL: the outer object, which begins the row. False: no memory for the text of a number. */
static bool write_row(FILE *out, const struct json_object *object, enum row row, const char *prefix) {
    struct json_object_iter i;
    bool first = prefix == NULL;
    json_object_object_foreachC(object, i) {
        if (json_object_is_type(i.val, json_type_array)) continue;
        if (json_object_is_type(i.val, json_type_object)) {
            if (!write_row(out, i.val, row, i.key)) return false;
            continue;
        }
        if (!first) fputc(',', out);
        first = false;
        if (row == NAMES) {
            fprintf(out, "%s%s%s", prefix != NULL ? prefix : "", prefix != NULL ? "_" : "", i.key);
        } else if (i.val != NULL) {
            const char *text = json_object_get_string(i.val);
            if (text == NULL) return false;
            write_text(out, text);
        }
    }
    return true;
}

bool fct_report_write_csv(const struct fct_report *report, FILE *out) {
    struct json_object *object = fct_report_to_json(report);
    if (object == NULL) return false;
    bool done = write_row(out, object, NAMES, NULL);
    fputs("\r\n", out);
    done = done && write_row(out, object, VALUES, NULL);
    fputs("\r\n", out);
    json_object_put(object);
    return done;
}

/*
 * One JSON text (RFC 8259), searched for two fields without being built in memory. Numbers come back as they are written:
 * a parser that makes doubles of them loses nanoseconds. The whole text is checked, but for one thing: that strings are
 * UTF-8, which no time and no cost depends on. Pure.
 */
#ifndef FCT_JSON_LINE_H
#define FCT_JSON_LINE_H

#include "cursor.h"

enum fct_json_kind { FCT_JSON_NONE, FCT_JSON_STRING, FCT_JSON_NUMBER, FCT_JSON_OTHER };

/* A value in the line; of a string, what is between its quotes. */
struct fct_json_value {
    enum fct_json_kind kind;
    const char *text;
    size_t length;
    bool escaped; /* a string with backslashes */
};

/* What is nested deeper is refused. */
#define FCT_JSON_DEPTH_MAX 256

/*
 * Looks for paths[0] and paths[1] (NULL: for nothing), such as "time" or "http.time": the field of that name, dots and all,
 * or the field "time" of the object "http". If there are several the last one counts, as in most parsers.
 * False: the line is no JSON object, and *fault says where. FCT_JSON_NONE: there is no such field.
 */
bool fct_json_find(const char *line, size_t length, const char *const paths[2], struct fct_json_value found[2],
                   struct fct_fault *fault);

/* A string without its escapes, as UTF-8. False if it needs more than `size` bytes. */
bool fct_json_unescape(const struct fct_json_value *string, char *out, size_t size, size_t *length);

#endif

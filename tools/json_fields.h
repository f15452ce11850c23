/* Fields of a JSON object, as all reports write them. Each function is false without memory. */
#ifndef FCT_JSON_FIELDS_H
#define FCT_JSON_FIELDS_H

#include <flowctl/rate.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

/* Takes the reference. NULL is no null here, but a value for which there was no memory. */
bool fct_json_put(struct json_object *o, const char *key, struct json_object *value);

bool fct_json_null(struct json_object *o, const char *key);
bool fct_json_bool(struct json_object *o, const char *key, bool value);
bool fct_json_text(struct json_object *o, const char *key, const char *text);

/* A text that may be any bytes, such as a file's name; a JSON text may not. */
bool fct_json_printable(struct json_object *o, const char *key, const char *text);

/* JSON readers can rely on 63 bits at most: what is more is shown as that. */
bool fct_json_number(struct json_object *o, const char *key, uint64_t value);
bool fct_json_signed(struct json_object *o, const char *key, int64_t value);

/* null if there is none. */
bool fct_json_number_if(struct json_object *o, const char *key, bool any, uint64_t value);

/* With 9 digits. */
bool fct_json_real(struct json_object *o, const char *key, double value);

/* An object of `permits` and `period_ns`. */
bool fct_json_rate(struct json_object *o, const char *key, const flowctl_rate *rate);

/* An empty object or list inside another, to be filled; NULL without memory. */
struct json_object *fct_json_inner(struct json_object *o, const char *key, struct json_object *inner);

/* A new object at the end of a list, to be filled; NULL without memory. */
struct json_object *fct_json_append(struct json_object *list);

/* The whole text and the end of its line. False without memory; what could not be written shows in ferror(out). */
bool fct_json_write(struct json_object *o, bool pretty, FILE *out);

#endif

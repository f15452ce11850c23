/*
 * JSON Lines: one object a line, read by json-c. A time or a cost may be a number, or a string that holds one.
 *
 * Of a number with decimals or an exponent json-c keeps the text, which is read here digit by digit; an integer it keeps as one
 * of 64 bits, and what is larger as the largest of these. Its strict mode passes a few things that RFC 8259 does not: NaN and
 * Infinity, control bytes in strings, names in single quotes, and numbers such as "1.", "-.5" and "01.5". A name ends at an
 * escaped NUL.
 */
#include "event_fields.h"

#include <json-c/json.h>
#include <string.h>

/* What is nested deeper is refused. json-c counts what is inside the innermost object or array, too. */
#define DEPTH_MAX 256

/* ---- the line ---- */

static bool begins_object(struct fct_cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r')) c->at++;
    return (c->at < c->end && *c->at == '{') || fct_broken(c, "a JSON object belongs here");
}

/* Why there is no object, or not only one. A tokener without memory reports success, and returns nothing. */
static const char *reason_of(enum json_tokener_error error, const struct json_object *object) {
    if (error == json_tokener_continue) return json_tokener_error_desc(json_tokener_error_parse_eof);
    if (error != json_tokener_success) return json_tokener_error_desc(error);
    return object != NULL ? "nothing belongs behind the object" : "no memory";
}

/*
 * There is one tokener for all lines, but for a broken one, which costs it: json_tokener_reset() would keep half a surrogate
 * pair, for the next line to inherit.
 */
static void drop_tokener(struct fct_log_parser *parser) {
    if (parser->json != NULL) json_tokener_free(parser->json);
    parser->json = NULL;
}

static bool have_tokener(struct fct_log_parser *parser) {
    if (parser->json != NULL) return true;
    parser->json = json_tokener_new_ex(DEPTH_MAX + 1);
    if (parser->json == NULL) return false;
    /* What follows the object is looked at here: json-c alone would let a NUL pass. */
    json_tokener_set_flags(parser->json, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    return true;
}

/* A new reference; NULL on a fault. */
static struct json_object *read_object(struct fct_log_parser *parser, const char *line, size_t length,
                                       struct fct_fault *fault) {
    if (!begins_object(&(struct fct_cursor){line, line, line + length, fault})) return NULL;
    if (!have_tokener(parser)) return *fault = (struct fct_fault){"no memory", 0}, NULL;
    struct json_object *object = json_tokener_parse_ex(parser->json, line, (int)length);
    size_t end = json_tokener_get_parse_end(parser->json);
    if (object != NULL && end == length) return object;
    *fault = (struct fct_fault){reason_of(json_tokener_get_error(parser->json), object), end + 1};
    json_object_put(object);
    drop_tokener(parser);
    return NULL;
}

/* ---- its fields ---- */

/* "http.time": the field of that name, dots and all; else the field "time" of an object "http". *value NULL is a null. */
static bool find(const struct json_object *object, const char *path, struct json_object **value) {
    struct json_object_iter i;
    if (json_object_object_get_ex(object, path, value)) return true;
    if (strchr(path, '.') == NULL) return false;
    json_object_object_foreachC(object, i) {
        size_t length = strlen(i.key);
        if (strncmp(path, i.key, length) == 0 && path[length] == '.' && json_object_is_type(i.val, json_type_object) &&
            find(i.val, path + length + 1, value))
            return true;
    }
    return false;
}

enum part { TIME, COST };

/* Why the value is none; NULL if it may be one. The text lives as long as the value. */
static const char *to_text(struct json_object *value, enum part part, struct fct_field_text *field) {
    enum json_type type = json_object_get_type(value);
    if (type != json_type_string && type != json_type_int && type != json_type_double)
        return part == TIME ? "the time is neither a number nor a string" : "the cost is neither a number nor a string";
    if (type == json_type_int && json_object_get_uint64(value) == UINT64_MAX)
        return part == TIME ? "the time is 2^64 - 1 or more" : "the cost is 2^64 - 1 or more";
    field->text = json_object_get_string(value);
    if (field->text == NULL) return "no memory";
    field->length = type == json_type_string ? (size_t)json_object_get_string_len(value) : strlen(field->text);
    return NULL;
}

static enum fct_parsed read_event(const struct fct_log_fields *fields, const struct json_object *object,
                                  struct fct_event *event, struct fct_fault *fault) {
    const char *const paths[] = {[TIME] = fields->time, [COST] = fields->cost};
    struct fct_field_text texts[2] = {{NULL, 0, 0, false}, {NULL, 0, 0, false}};
    for (enum part part = TIME; part <= COST; part++) {
        struct json_object *value;
        if (paths[part] == NULL || !find(object, paths[part], &value)) continue;
        const char *reason = to_text(value, part, &texts[part]);
        if (reason != NULL) return *fault = (struct fct_fault){reason, 0}, FCT_PARSED_BROKEN;
    }
    return fct_event_from_fields(fields, &texts[TIME], &texts[COST], event, fault);
}

static enum fct_parsed parse(struct fct_log_parser *parser, const char *line, size_t length, struct fct_event *event,
                             struct fct_fault *fault) {
    struct json_object *object = read_object(parser, line, length, fault);
    if (object == NULL) return FCT_PARSED_BROKEN;
    enum fct_parsed parsed = read_event(parser->fields, object, event, fault);
    json_object_put(object);
    return parsed;
}

const struct fct_log_format fct_format_json = {.name = "json", .parse = parse, .cleanup = drop_tokener};

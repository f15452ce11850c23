/* JSON Lines: one object a line. A time or a cost may be a number, or a string that holds one. */
#include "event_fields.h"
#include "json_line.h"

/* A string with escapes is copied into `room`: some writers escape the + of an offset. */
static bool to_text(const char *line, const struct fct_json_value *value, char room[FCT_FIELD_TEXT_MAX],
                    struct fct_field_text *field) {
    *field = (struct fct_field_text){NULL, 0, 0, true};
    if (value->kind == FCT_JSON_NONE) return true;
    *field = (struct fct_field_text){value->text, value->length, (size_t)(value->text - line) + 1, !value->escaped};
    if (value->kind == FCT_JSON_OTHER) return false;
    if (!value->escaped) return true;
    field->text = room;
    return fct_json_unescape(value, room, FCT_FIELD_TEXT_MAX, &field->length);
}

static enum fct_parsed parse(struct fct_log_parser *parser, const char *line, size_t length, struct fct_event *event,
                             struct fct_fault *fault) {
    const struct fct_log_fields *fields = parser->fields;
    const char *const paths[2] = {fields->time, fields->cost};
    struct fct_json_value found[2];
    char rooms[2][FCT_FIELD_TEXT_MAX];
    struct fct_field_text texts[2];
    if (!fct_json_find(line, length, paths, found, fault)) return FCT_PARSED_BROKEN;
    for (int i = 0; i < 2; i++)
        if (!to_text(line, &found[i], rooms[i], &texts[i])) {
            *fault = (struct fct_fault){i == 0 ? "this is no time" : "this is no cost", texts[i].column};
            return FCT_PARSED_BROKEN;
        }
    return fct_event_from_fields(fields, &texts[0], &texts[1], event, fault);
}

const struct fct_log_format fct_format_json = {.name = "json", .parse = parse};

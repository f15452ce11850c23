/*
 * Comma-separated values (RFC 4180), the first line naming the fields unless their columns are given. A quote inside a field
 * that does not begin with one is taken as it is. A quoted field ends on its line: one with a line break is broken, twice.
 */
#include "event_fields.h"

#include <string.h>

struct field {
    const char *text; /* between the quotes, if it has some */
    size_t length;
    bool doubled; /* a quoted field with quotes in it, which are doubled */
};

static bool read_quoted(struct fct_cursor *c, struct field *field) {
    const char *opening = c->at++, *quote = c->at;
    *field = (struct field){c->at, 0, false};
    while ((quote = memchr(quote, '"', (size_t)(c->end - quote))) != NULL && quote + 1 < c->end && quote[1] == '"')
        quote += 2, field->doubled = true;
    if (quote == NULL) return fct_broken_at(c, opening, "the quote that opens here is not closed");
    field->length = (size_t)(quote - field->text);
    c->at = quote + 1;
    return c->at == c->end || *c->at == ',' || fct_broken(c, "a comma belongs behind the closing quote");
}

/* One field; the cursor then stands at a comma or at the end. */
static bool read_field(struct fct_cursor *c, struct field *field) {
    if (c->at < c->end && *c->at == '"') return read_quoted(c, field);
    const char *comma = c->at == c->end ? NULL : memchr(c->at, ',', (size_t)(c->end - c->at));
    if (comma == NULL) comma = c->end;
    *field = (struct field){c->at, (size_t)(comma - c->at), false};
    c->at = comma;
    return true;
}

/* To the next field; false behind the last one. */
static bool next_field(struct fct_cursor *c) {
    if (c->at == c->end) return false;
    c->at++;
    return true;
}

/* The text of a field without doubled quotes; false if it needs more than `size` bytes. */
static bool undouble(const struct field *field, char *out, size_t size, size_t *length) {
    *length = 0;
    for (size_t i = 0; i < field->length; i++) {
        if (*length == size) return false;
        out[(*length)++] = field->text[i];
        if (field->doubled && field->text[i] == '"') i++;
    }
    return true;
}

/* ---- the header ---- */

static bool is_named(const struct field *field, const char *name) {
    size_t used = 0;
    for (size_t i = 0; i < field->length; i++, used++) {
        if (name[used] != field->text[i]) return false;
        if (field->doubled && field->text[i] == '"') i++;
    }
    return name[used] == '\0';
}

static enum fct_parsed read_header(struct fct_log_parser *parser, const char *line, size_t length, struct fct_fault *fault) {
    static const char mark[] = "\xEF\xBB\xBF"; /* some spreadsheets begin a file so */
    const struct fct_log_fields *fields = parser->fields;
    struct fct_cursor c = {line, line, line + length, fault};
    size_t column = 0, time_column = 0, cost_column = 0;
    if (length >= 3 && memcmp(line, mark, 3) == 0) c.at += 3;
    do {
        struct field field;
        if (!read_field(&c, &field)) return FCT_PARSED_BROKEN;
        column++;
        if (time_column == 0 && is_named(&field, fields->time)) time_column = column;
        if (fields->cost != NULL && cost_column == 0 && is_named(&field, fields->cost)) cost_column = column;
    } while (next_field(&c));
    parser->missing = time_column == 0 ? fields->time : fields->cost != NULL && cost_column == 0 ? fields->cost : NULL;
    if (parser->missing != NULL) return FCT_PARSED_WRONG_HEADER;
    parser->time_column = time_column;
    parser->cost_column = cost_column;
    return FCT_PARSED_HEADER;
}

/* ---- a line ---- */

static bool to_text(const char *line, const struct field *field, char room[FCT_FIELD_TEXT_MAX], struct fct_field_text *text) {
    *text = (struct fct_field_text){field->text, field->length, (size_t)(field->text - line) + 1, !field->doubled};
    if (!field->doubled) return true;
    text->text = room;
    return undouble(field, room, FCT_FIELD_TEXT_MAX, &text->length);
}

static enum fct_parsed parse(struct fct_log_parser *parser, const char *line, size_t length, struct fct_event *event,
                             struct fct_fault *fault) {
    const size_t wanted[2] = {parser->time_column, parser->cost_column};
    struct fct_cursor c = {line, line, line + length, fault};
    char rooms[2][FCT_FIELD_TEXT_MAX];
    struct fct_field_text texts[2] = {{NULL, 0, 0, true}, {NULL, 0, 0, true}};
    size_t column = 0;
    if (parser->time_column == 0) return read_header(parser, line, length, fault);
    do {
        struct field field;
        if (!read_field(&c, &field)) return FCT_PARSED_BROKEN;
        column++;
        for (int i = 0; i < 2; i++)
            if (column == wanted[i] && !to_text(line, &field, rooms[i], &texts[i])) {
                *fault = (struct fct_fault){i == 0 ? "this is no time" : "this is no cost", texts[i].column};
                return FCT_PARSED_BROKEN;
            }
    } while (next_field(&c));
    return fct_event_from_fields(parser->fields, &texts[0], &texts[1], event, fault);
}

const struct fct_log_format fct_format_csv = {.name = "csv", .parse = parse};

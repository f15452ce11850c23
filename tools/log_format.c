#include "log_format.h"

#include <stdio.h>
#include <string.h>

static const struct fct_log_format *const formats[] = {&fct_format_combined, &fct_format_json, &fct_format_csv,
                                                       &fct_format_regex};
#define FORMATS (sizeof formats / sizeof *formats)

const struct fct_log_format *fct_log_format_find(const char *name) {
    for (size_t i = 0; i < FORMATS; i++)
        if (strcmp(formats[i]->name, name) == 0) return formats[i];
    return NULL;
}

void fct_log_format_names(char *out, size_t size) {
    size_t used = (size_t)snprintf(out, size, "auto");
    for (size_t i = 0; i < FORMATS && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, ", %s", formats[i]->name);
}

void fct_log_parser_init(struct fct_log_parser *parser, const struct fct_log_format *format,
                         const struct fct_log_fields *fields) {
    *parser = (struct fct_log_parser){.format = format,
                                      .fields = fields,
                                      .time_column = fields->time_column,
                                      .cost_column = fields->cost_column};
}

/* Any format may have been tried before one was found. */
void fct_log_parser_cleanup(struct fct_log_parser *parser) {
    for (size_t i = 0; i < FORMATS; i++)
        if (formats[i]->cleanup != NULL) formats[i]->cleanup(parser);
}

/* No host and no sensible name of a field begins with a brace; and only who expects names of fields has given some. */
static const struct fct_log_format *guess(const struct fct_log_parser *parser, const char *line, size_t length) {
    while (length > 0 && *line == ' ') line++, length--;
    if (length > 0 && *line == '{') return &fct_format_json;
    return parser->fields->given ? &fct_format_csv : &fct_format_combined;
}

enum fct_parsed fct_log_parse(struct fct_log_parser *parser, const char *line, size_t length, struct fct_event *event,
                              struct fct_fault *fault) {
    if (length == 0) return *fault = (struct fct_fault){"the line is empty", 0}, FCT_PARSED_BROKEN;
    /* Left behind by a crash or a log that was truncated while it was written; no text field is safe from it. */
    const char *nul = memchr(line, '\0', length);
    if (nul != NULL) return *fault = (struct fct_fault){"a NUL byte", (size_t)(nul - line) + 1}, FCT_PARSED_BROKEN;
    const struct fct_log_format *format = parser->format != NULL ? parser->format : guess(parser, line, length);
    enum fct_parsed parsed = format->parse(parser, line, length, event, fault);
    if (parsed != FCT_PARSED_BROKEN) parser->format = format;
    return parsed;
}

#include "log_format.h"

#include <string.h>

static const struct fct_log_format *const formats[] = {&fct_format_combined};
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

/* The first format that reads the line; else the complaint of the one that understood most of it. */
static bool detect(struct fct_log_parser *parser, const char *line, size_t length, struct fct_event *event,
                   struct fct_fault *fault) {
    *fault = (struct fct_fault){"no format reads it", 0};
    for (size_t i = 0; i < FORMATS; i++) {
        struct fct_fault own;
        if (formats[i]->parse(line, length, event, &own)) {
            parser->format = formats[i];
            return true;
        }
        if (own.column > fault->column) *fault = own;
    }
    return false;
}

bool fct_log_parse(struct fct_log_parser *parser, const char *line, size_t length, struct fct_event *event,
                   struct fct_fault *fault) {
    if (length == 0) return *fault = (struct fct_fault){"the line is empty", 0}, false;
    /* Left behind by a crash or a log that was truncated while it was written; no text field is safe from it. */
    const char *nul = memchr(line, '\0', length);
    if (nul != NULL) return *fault = (struct fct_fault){"a NUL byte", (size_t)(nul - line) + 1}, false;
    if (parser->format == NULL) return detect(parser, line, length, event, fault);
    return parser->format->parse(line, length, event, fault);
}

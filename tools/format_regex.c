/* Any log whose lines a regular expression can take apart. */
#include "event_fields.h"
#include "pattern.h"

static enum fct_parsed parse(struct fct_log_parser *parser, const char *line, size_t length, struct fct_event *event,
                             struct fct_fault *fault) {
    struct fct_group groups[2];
    struct fct_field_text texts[2];
    enum fct_match match = fct_pattern_match(parser->fields->pattern, line, length, groups);
    if (match != FCT_MATCHED) {
        *fault = (struct fct_fault){match == FCT_NOT_MATCHED ? "the pattern does not match"
                                                             : "the pattern needs too many attempts",
                                    0};
        return FCT_PARSED_BROKEN;
    }
    for (int i = 0; i < 2; i++)
        texts[i] = (struct fct_field_text){groups[i].at, groups[i].length,
                                           groups[i].at == NULL ? 0 : (size_t)(groups[i].at - line) + 1, true};
    return fct_event_from_fields(parser->fields, &texts[0], &texts[1], event, fault);
}

const struct fct_log_format fct_format_regex = {.name = "regex", .parse = parse};

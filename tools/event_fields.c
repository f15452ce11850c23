#include "event_fields.h"

/* A hyphen is how access logs write "none". */
static bool read_cost(const char *text, size_t length, uint64_t *cost, struct fct_fault *fault) {
    struct fct_cursor c = {text, text, text + length, fault};
    while (c.at < c.end && *c.at == ' ') c.at++;
    while (c.end > c.at && c.end[-1] == ' ') c.end--;
    const char *first = c.at;
    *cost = 0;
    if (c.end - c.at == 1 && *c.at == '-') return true;
    for (; c.at < c.end && fct_is_digit(*c.at); c.at++)
        if (__builtin_mul_overflow(*cost, 10, cost) || __builtin_add_overflow(*cost, (unsigned)(*c.at - '0'), cost))
            return fct_broken_at(&c, first, "the cost does not fit in 64 bits");
    return (c.at > first && c.at == c.end) || fct_broken(&c, "the cost is not a whole number");
}

static enum fct_parsed missing(struct fct_fault *fault, const char *reason) {
    *fault = (struct fct_fault){reason, 0};
    return FCT_PARSED_BROKEN;
}

/* From the column in the field to the column in the line. */
static enum fct_parsed broken(struct fct_fault *fault, const struct fct_field_text *field) {
    fault->column = field->verbatim ? field->column + fault->column - 1 : field->column;
    return FCT_PARSED_BROKEN;
}

enum fct_parsed fct_event_from_fields(const struct fct_log_fields *fields, const struct fct_field_text *time,
                                      const struct fct_field_text *cost, struct fct_event *event, struct fct_fault *fault) {
    event->cost = 0;
    if (time->text == NULL) return missing(fault, "it has no time");
    if (!fct_time_value(time->text, time->length, fields->time_unit, &event->time_ns, fault)) return broken(fault, time);
    if (fields->cost == NULL) return FCT_PARSED_EVENT;
    if (cost->text == NULL) return missing(fault, "it has no cost");
    return read_cost(cost->text, cost->length, &event->cost, fault) ? FCT_PARSED_EVENT : broken(fault, cost);
}

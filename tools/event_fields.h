/* From the texts of a line's time and cost to an event: what JSON, CSV and regex have in common. */
#ifndef FCT_EVENT_FIELDS_H
#define FCT_EVENT_FIELDS_H

#include "log_format.h"

/* The text of a field, and where it stands in the line. */
struct fct_field_text {
    const char *text; /* NULL: the line has no such field */
    size_t length;
    size_t column; /* of its first byte, from 1; 0 if it is not known */
    bool verbatim; /* the text is that of the line, not a copy without escapes: then any byte's column is known */
};

/* `cost` is not looked at if the fields name none. */
enum fct_parsed fct_event_from_fields(const struct fct_log_fields *fields, const struct fct_field_text *time,
                                      const struct fct_field_text *cost, struct fct_event *event, struct fct_fault *fault);

/* The longest text that can be a time or a cost, if it must be copied. */
#define FCT_FIELD_TEXT_MAX 128

#endif

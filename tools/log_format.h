/*
 * Log formats: each reads one line into one event. A new format is one file with a struct fct_log_format, and one entry in
 * the table of log_format.c.
 */
#ifndef FCT_LOG_FORMAT_H
#define FCT_LOG_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What a limit needs to know about a request. */
struct fct_event {
    uint64_t time_ns; /* since 1970, UTC */
    uint64_t bytes;   /* of the response; 0 if the log has none */
};

/* Why a line could not be read. */
struct fct_fault {
    const char *reason; /* static */
    size_t column;      /* the byte at fault, counted from 1; 0 if it is the line as a whole */
};

struct fct_log_format {
    const char *name, *summary;
    /* The line has no line end and at least one byte; none of them is NUL. False: *fault is filled in. Pure. */
    bool (*parse)(const char *line, size_t length, struct fct_event *event, struct fct_fault *fault);
};

extern const struct fct_log_format fct_format_combined;

/* The format of that name; NULL if there is none. */
const struct fct_log_format *fct_log_format_find(const char *name);

/* Prints the names, separated by ", ". */
void fct_log_format_names(char *out, size_t size);

/* Reads the lines of one log. `format` NULL: automatic, the first format that reads a line becomes the log's. */
struct fct_log_parser {
    const struct fct_log_format *format;
};

bool fct_log_parse(struct fct_log_parser *parser, const char *line, size_t length, struct fct_event *event,
                   struct fct_fault *fault);

#endif

/*
 * Log formats: each reads one line into one event. A new format is one file with a struct fct_log_format, and one entry in
 * the table of log_format.c.
 */
#ifndef FCT_LOG_FORMAT_H
#define FCT_LOG_FORMAT_H

#include "cursor.h"
#include "time_value.h"

#include <stdint.h>

/* What a limit needs to know about a request. */
struct fct_event {
    uint64_t time_ns; /* since 1970, UTC */
    uint64_t cost;    /* what the line says: the bytes of the response, or its cost field; 0 if it says nothing */
};

enum fct_parsed {
    FCT_PARSED_BROKEN,
    FCT_PARSED_EVENT,
    FCT_PARSED_HEADER,      /* the line names the fields of those behind it */
    FCT_PARSED_WRONG_HEADER /* it does not name the field that fct_log_parser.missing tells */
};

struct fct_pattern;
struct json_tokener;

/* Where the time and the cost stand in a line, for the formats whose lines don't say it themselves. */
struct fct_log_fields {
    const char *time;
    const char *cost; /* NULL: lines have none */
    enum fct_time_unit time_unit;
    bool given;                        /* by the user: automatic detection then leaves out what has no names */
    size_t time_column, cost_column;   /* CSV without a header: from 1, 0 for none; time_column 0: there is a header */
    const struct fct_pattern *pattern; /* regex */
};

/* Reads the lines of one log. `format` NULL: automatic, the first format that reads a line becomes the log's. */
struct fct_log_parser {
    const struct fct_log_format *format;
    const struct fct_log_fields *fields;
    size_t time_column, cost_column; /* CSV, once the header is read; time_column 0: not yet */
    const char *missing;
    struct json_tokener *json; /* JSON; NULL: not needed yet */
};

struct fct_log_format {
    const char *name;
    /* The line has no line end and at least one byte; none of them is NUL. BROKEN: *fault is filled in. */
    enum fct_parsed (*parse)(struct fct_log_parser *parser, const char *line, size_t length, struct fct_event *event,
                             struct fct_fault *fault);
    void (*cleanup)(struct fct_log_parser *parser); /* frees what parse() has kept in it; NULL: it keeps nothing */
};

extern const struct fct_log_format fct_format_combined, fct_format_json, fct_format_csv, fct_format_regex;

/* The format of that name; NULL if there is none. */
const struct fct_log_format *fct_log_format_find(const char *name);

/* Prints the names, separated by ", ". */
void fct_log_format_names(char *out, size_t size);

/* `fields` must outlive the parser. */
void fct_log_parser_init(struct fct_log_parser *parser, const struct fct_log_format *format,
                         const struct fct_log_fields *fields);
void fct_log_parser_cleanup(struct fct_log_parser *parser);

enum fct_parsed fct_log_parse(struct fct_log_parser *parser, const char *line, size_t length, struct fct_event *event,
                              struct fct_fault *fault);

#endif

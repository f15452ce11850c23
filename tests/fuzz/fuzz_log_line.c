/* Any bytes as a line of a log: nothing crashes, what is read is in range, and reading has no memory. */
#include "civil_time.h"
#include "log_format.h"

#include <flowctl/rate.h>
#include <stdlib.h>
#include <string.h>

/* The last second of FCT_YEAR_MAX, and the farthest time zone to the west. */
#define NEWEST_NS ((UINT64_C(194000) * 24 + 24) * FLOWCTL_NS_PER_HOUR)

static void expect(int condition) {
    if (!condition) abort();
}

/* On a fault, that it is explained and lies in the line; otherwise, that the event is plausible. */
static int check(const char *line, size_t length, const struct fct_log_format *format, struct fct_event *event) {
    static const struct fct_log_fields fields = {.time = "time"};
    struct fct_log_parser parser;
    struct fct_fault fault = {NULL, 0};
    fct_log_parser_init(&parser, format, &fields);
    enum fct_parsed parsed = fct_log_parse(&parser, line, length, event, &fault);
    fct_log_parser_cleanup(&parser);
    if (parsed == FCT_PARSED_EVENT) {
        expect(parser.format != NULL);
        expect(event->time_ns < NEWEST_NS && event->time_ns % FLOWCTL_NS_PER_SEC == 0);
        expect(length >= sizeof "h - - [17/May/2015:10:05:03 +0000] \"\" 200 -" - 1);
        expect(memchr(line, '\0', length) == NULL);
        return 1;
    }
    expect(fault.reason != NULL && fault.reason[0] != '\0');
    expect(fault.column <= length + 1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* A copy of the exact size, so that one byte too many is one outside. */
    char *line = malloc(size == 0 ? 1 : size);
    if (line == NULL) return 0;
    if (size != 0) memcpy(line, data, size);
    struct fct_event first = {0, 0}, second = {0, 0};
    size_t blank = 0;
    while (blank < size && line[blank] == ' ') blank++;
    /* What begins with a brace is taken for JSON, which has a target of its own. */
    const struct fct_log_format *automatic = blank < size && line[blank] == '{' ? &fct_format_combined : NULL;
    int read = check(line, size, automatic, &first);
    expect(check(line, size, &fct_format_combined, &second) == read);
    if (read) expect(first.time_ns == second.time_ns && first.cost == second.cost);
    free(line);
    return 0;
}

/*
 * Any two lines as a header and a line of CSV. Nothing crashes, faults lie in the line; and a line that a simple splitter, which works
 * byte by byte, takes apart has the same time and cost.
 */
#include "civil_time.h"
#include "expect.h"
#include "log_format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FIELD_MAX 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Field `wanted` without its quotes; false if there is none, or the line is no CSV. */
static bool split(const char *line, size_t size, size_t wanted, char *out, size_t *length) {
    enum { START, BARE, QUOTED, QUOTE_IN_QUOTED } state = START;
    size_t column = 1;
    *length = 0;
    for (size_t i = 0; i < size; i++) {
        char c = line[i];
        if (c == ',' && state != QUOTED) {
            state = START;
            column++;
            continue;
        }
        if (state == START && c == '"') {
            state = QUOTED;
            continue;
        }
        if (state == QUOTED && c == '"') {
            state = QUOTE_IN_QUOTED;
            continue;
        }
        if (state == QUOTE_IN_QUOTED && c != '"') return false;
        if (state == QUOTE_IN_QUOTED) state = QUOTED;
        if (state == START) state = BARE;
        if (column == wanted && *length == FIELD_MAX) return false;
        if (column == wanted) out[(*length)++] = c;
    }
    return state != QUOTED && column >= wanted;
}

static void check_line(struct fct_log_parser *parser, const char *line, size_t size) {
    struct fct_event event = {0, 0};
    struct fct_fault fault = {NULL, 0}, other;
    char time[FIELD_MAX];
    size_t length;
    uint64_t time_ns;
    enum fct_parsed parsed = fct_log_parse(parser, line, size, &event, &fault);
    EXPECT(parsed == FCT_PARSED_EVENT || parsed == FCT_PARSED_BROKEN);
    if (parsed == FCT_PARSED_BROKEN) {
        EXPECT(fault.reason != NULL && fault.column <= size + 1);
        return;
    }
    if (!split(line, size, parser->time_column, time, &length)) {
        EXPECT(length == FIELD_MAX); /* digits without end are a time, too, and are not copied */
        return;
    }
    EXPECT(fct_time_value(time, length, FCT_TIME_AUTO, &time_ns, &other) && time_ns == event.time_ns);
}

/* From blocks of the exact size, so that one byte too many is one outside. */
static char *copy(const uint8_t *data, size_t size) {
    char *block = malloc(size == 0 ? 1 : size);
    if (block != NULL && size != 0) memcpy(block, data, size);
    return block;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct fct_log_fields fields = {.time = "t", .cost = "n", .given = true};
    const uint8_t *lf = size == 0 ? NULL : memchr(data, '\n', size);
    size_t first = lf == NULL ? size : (size_t)(lf - data), second = lf == NULL ? 0 : size - first - 1;
    struct fct_log_parser parser;
    struct fct_event event;
    struct fct_fault fault = {NULL, 0};
    char *header = copy(data, first), *line = copy(lf == NULL ? data : lf + 1, second);
    fct_log_parser_init(&parser, &fct_format_csv, &fields);
    if (header != NULL && line != NULL) {
        enum fct_parsed parsed = fct_log_parse(&parser, header, first, &event, &fault);
        EXPECT(parsed != FCT_PARSED_EVENT);
        if (parsed == FCT_PARSED_WRONG_HEADER) EXPECT(parser.missing != NULL);
        if (parsed == FCT_PARSED_HEADER) check_line(&parser, line, second);
    }
    fct_log_parser_cleanup(&parser);
    free(header);
    free(line);
    return 0;
}

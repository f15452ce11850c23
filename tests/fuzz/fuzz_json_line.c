/*
 * Any two lines of JSON, searched for a time at "t" and at "a.b". Nothing crashes, faults lie in the line; what a line says does not depend
 * on the one before it, nor on whether its object is inside another.
 */
#include "expect.h"
#include "log_format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Objects may be nested 256 deep; one more is put around a line here. Brackets in strings count, too, which does no harm. */
#define BRACKETS_MAX 255

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    enum fct_parsed parsed;
    struct fct_event event;
    struct fct_fault fault;
};

/* From a block of the exact size, so that one byte too many is one outside. */
static struct result read_with(struct fct_log_parser *parser, const char *text, size_t size) {
    struct result r = {.parsed = FCT_PARSED_BROKEN};
    char *line = malloc(size == 0 ? 1 : size);
    EXPECT(line != NULL);
    if (size != 0) memcpy(line, text, size);
    r.parsed = fct_log_parse(parser, line, size, &r.event, &r.fault);
    free(line);
    EXPECT(r.parsed == FCT_PARSED_EVENT || r.parsed == FCT_PARSED_BROKEN);
    if (r.parsed == FCT_PARSED_BROKEN) EXPECT(r.fault.reason != NULL && r.fault.column <= size + 1);
    return r;
}

/* By a parser that has read `before`, unless that is NULL. */
static struct result read_line(const char *path, const char *before, size_t before_size, const char *line, size_t size) {
    const struct fct_log_fields fields = {.time = path, .given = true};
    struct fct_log_parser parser;
    fct_log_parser_init(&parser, &fct_format_json, &fields);
    if (before != NULL) read_with(&parser, before, before_size);
    struct result r = read_with(&parser, line, size);
    fct_log_parser_cleanup(&parser);
    return r;
}

static bool is_deep(const char *line, size_t size) {
    size_t brackets = 0;
    for (size_t i = 0; i < size; i++) brackets += line[i] == '[' || line[i] == '{';
    return brackets > BRACKETS_MAX;
}

/* {"x":LINE} */
static struct result read_inside(const char *path, const char *line, size_t size) {
    static const char head[] = "{\"x\":";
    char inner_path[16] = "x.";
    char *outer = malloc(size + sizeof head);
    EXPECT(outer != NULL);
    memcpy(outer, head, sizeof head - 1);
    memcpy(outer + sizeof head - 1, line, size);
    outer[sizeof head - 1 + size] = '}';
    struct result r = read_line(strncat(inner_path, path, 8), NULL, 0, outer, size + sizeof head);
    free(outer);
    return r;
}

static void check(const char *path, const char *before, size_t before_size, const char *line, size_t size) {
    struct result alone = read_line(path, NULL, 0, line, size);
    struct result second = read_line(path, before, before_size, line, size);
    EXPECT(second.parsed == alone.parsed);
    if (alone.parsed == FCT_PARSED_BROKEN) {
        EXPECT(strcmp(second.fault.reason, alone.fault.reason) == 0 && second.fault.column == alone.fault.column);
        return;
    }
    EXPECT(second.event.time_ns == alone.event.time_ns);
    if (is_deep(line, size)) return;
    struct result inside = read_inside(path, line, size);
    EXPECT(inside.parsed == FCT_PARSED_EVENT && inside.event.time_ns == alone.event.time_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data, *lf = size == 0 ? NULL : memchr(data, '\n', size);
    const char *line = lf != NULL ? lf + 1 : text;
    size_t line_size = size - (size_t)(line - text);
    if (size == 0) text = line = "";
    for (int i = 0; i < 2; i++)
        check(i == 0 ? "t" : "a.b", lf != NULL ? text : NULL, lf != NULL ? (size_t)(lf - text) : 0, line, line_size);
    return 0;
}

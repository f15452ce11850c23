/* Lines of every length around the limits, at every position in the reader's buffer. */
#include "line_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char path[] = "/tmp/flowctl_lines_XXXXXX";

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

static void repeat(FILE *file, char byte, size_t count) {
    while (count-- > 0) putc(byte, file);
}

/* Lines of these lengths, each filled with its own letter. */
static void write_lines(const size_t *lengths, size_t count, const char *line_end) {
    FILE *file = fopen(path, "w");
    for (size_t i = 0; i < count; i++) {
        repeat(file, (char)('a' + i % 26), lengths[i]);
        fputs(line_end, file);
    }
    fclose(file);
}

static void expect_lines(const size_t *lengths, size_t count) {
    struct fct_line_reader reader;
    const char *line;
    size_t length;
    assert_true(fct_line_reader_open(&reader, path));
    for (size_t i = 0; i < count; i++) {
        enum fct_line got = fct_line_reader_next(&reader, &line, &length);
        assert_int_equal(got, lengths[i] > FCT_LINE_MAX ? FCT_LINE_TOO_LONG : FCT_LINE_READ);
        assert_int_equal(reader.number, i + 1);
        if (got == FCT_LINE_TOO_LONG) continue;
        assert_int_equal(length, lengths[i]);
        for (size_t k = 0; k < length; k++)
            if (line[k] != (char)('a' + i % 26)) fail_msg("line %zu, byte %zu", i, k);
    }
    for (int i = 0; i < 2; i++) assert_int_equal(fct_line_reader_next(&reader, &line, &length), FCT_LINE_END);
    fct_line_reader_close(&reader);
}

static void lengths_around_the_limit(void **state) {
    (void)state;
    const size_t max = FCT_LINE_MAX;
    const size_t lengths[] = {0, 1,       max, 2,           max + 1, 3,  max - 1, max + 2, 0, 0, max + 262144,
                              5, 3 * max, 1,   2 * max + 1, max,     max};
    const char *const ends[] = {"\n", "\r\n"};
    for (int i = 0; i < 2; i++) {
        write_lines(lengths, sizeof lengths / sizeof *lengths, ends[i]);
        expect_lines(lengths, sizeof lengths / sizeof *lengths);
    }
}

/* The longest line, its CR the last byte of a read and its LF the first of the next. Reads are of a power of two. */
static void line_end_between_two_reads(void **state) {
    (void)state;
    for (size_t read_bytes = 4096; read_bytes <= FCT_LINE_MAX; read_bytes *= 2) {
        const size_t lengths[] = {read_bytes - 3, FCT_LINE_MAX, 1};
        write_lines(lengths, 3, "\r\n");
        expect_lines(lengths, 3);
    }
}

static void every_phase_of_the_buffer(void **state) {
    (void)state;
    enum { COUNT = 30000 };
    static size_t lengths[COUNT];
    for (size_t i = 0; i < COUNT; i++) lengths[i] = i * 7919 % 211;
    write_lines(lengths, COUNT, "\n");
    expect_lines(lengths, COUNT);
}

static void last_line_without_end(void **state) {
    (void)state;
    const size_t lengths[] = {3, 4}, too_long[] = {FCT_LINE_MAX + 1};
    FILE *file = fopen(path, "w");
    fputs("aaa\nbbbb", file);
    fclose(file);
    expect_lines(lengths, 2);
    file = fopen(path, "w");
    repeat(file, 'a', FCT_LINE_MAX + 1);
    fclose(file);
    expect_lines(too_long, 1);
    file = fopen(path, "w");
    fclose(file);
    expect_lines(lengths, 0);
}

/* A CR belongs to the line end only in front of a LF. */
static void carriage_returns(void **state) {
    (void)state;
    static const struct {
        const char *line;
        size_t length;
    } expected[] = {{"a\rb", 3}, {"\r", 1}, {"c\r", 2}};
    struct fct_line_reader reader;
    const char *line;
    size_t length;
    FILE *file = fopen(path, "w");
    fputs("a\rb\n\r\r\nc\r", file);
    fclose(file);
    assert_true(fct_line_reader_open(&reader, path));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fct_line_reader_next(&reader, &line, &length), FCT_LINE_READ);
        assert_int_equal(length, expected[i].length);
        assert_memory_equal(line, expected[i].line, length);
    }
    assert_int_equal(fct_line_reader_next(&reader, &line, &length), FCT_LINE_END);
    fct_line_reader_close(&reader);
}

static void missing(void **state) {
    (void)state;
    struct fct_line_reader reader;
    assert_false(fct_line_reader_open(&reader, "/nonexistent/file"));
    fct_line_reader_close(&reader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_around_the_limit),  cmocka_unit_test(line_end_between_two_reads),
        cmocka_unit_test(every_phase_of_the_buffer), cmocka_unit_test(last_line_without_end),
        cmocka_unit_test(carriage_returns),          cmocka_unit_test(missing),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}

/*
 * A file or a stream, line by line, of any size in bounded memory. A line ends with LF or CR LF; the last one may end with
 * the file. A line longer than FCT_LINE_MAX is skipped to its end and reported as such.
 */
#ifndef FCT_LINE_READER_H
#define FCT_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FCT_LINE_MAX ((size_t)1 << 20) /* bytes, without the line end */

enum fct_line {
    FCT_LINE_READ,
    FCT_LINE_TOO_LONG,
    FCT_LINE_END,
    FCT_LINE_INTERRUPTED, /* fct_interrupted() became true */
    FCT_LINE_FAILED       /* errno says why */
};

struct fct_line_reader {
    int fd;
    char *buffer;
    size_t start, end, scanned; /* what is not returned yet; up to where it is known to hold no LF */
    bool at_end, skipping;
    uint64_t bytes_read;
    uint64_t number; /* of the line returned last, from 1 */
};

/* `path` "-" is standard input. False: errno says why. */
bool fct_line_reader_open(struct fct_line_reader *reader, const char *path);
void fct_line_reader_close(struct fct_line_reader *reader);

/* The line stays valid until the next call. It may contain NUL bytes. */
enum fct_line fct_line_reader_next(struct fct_line_reader *reader, const char **line, size_t *length);

#endif

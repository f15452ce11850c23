#include "line_reader.h"

#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES ((size_t)256 << 10)
/* Behind the longest unfinished line, with its CR, one whole read has room. */
#define BUFFER_BYTES (FCT_LINE_MAX + 1 + READ_BYTES)

bool fct_line_reader_open(struct fct_line_reader *r, const char *path) {
    *r = (struct fct_line_reader){.fd = -1};
    r->buffer = malloc(BUFFER_BYTES);
    if (r->buffer == NULL) return false;
    r->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (r->fd >= 0) return true;
    free(r->buffer);
    r->buffer = NULL;
    return false;
}

void fct_line_reader_close(struct fct_line_reader *r) {
    if (r->fd > STDIN_FILENO) close(r->fd);
    free(r->buffer);
}

/* Adds to the buffer, moving what is left to its front. LINE_READ: go on looking, there may be more. */
static enum fct_line refill(struct fct_line_reader *r) {
    if (r->start > 0) {
        memmove(r->buffer, r->buffer + r->start, r->end - r->start);
        r->end -= r->start, r->scanned -= r->start, r->start = 0;
    }
    if (fct_wait_for_input(r->fd)) return FCT_LINE_INTERRUPTED;
    /* An interrupted read is looked at again above; a non-blocking one was waited for. */
    ssize_t got = read(r->fd, r->buffer + r->end, READ_BYTES);
    if (got < 0) return errno == EINTR || errno == EAGAIN ? FCT_LINE_READ : FCT_LINE_FAILED;
    r->at_end = got == 0;
    r->end += (size_t)got;
    r->bytes_read += (uint64_t)got;
    return FCT_LINE_READ;
}

/* Hands out what lies before `stop`; `next` is where the line behind it begins. */
static enum fct_line take(struct fct_line_reader *r, size_t stop, size_t next, const char **line, size_t *length) {
    bool too_long = r->skipping;
    *line = r->buffer + r->start;
    *length = stop - r->start;
    if (*length > 0 && next > stop && (*line)[*length - 1] == '\r') --*length;
    r->start = r->scanned = next;
    r->skipping = false;
    r->number++;
    return too_long || *length > FCT_LINE_MAX ? FCT_LINE_TOO_LONG : FCT_LINE_READ;
}

enum fct_line fct_line_reader_next(struct fct_line_reader *r, const char **line, size_t *length) {
    for (;;) {
        const char *lf = memchr(r->buffer + r->scanned, '\n', r->end - r->scanned);
        if (lf != NULL) {
            size_t stop = (size_t)(lf - r->buffer);
            return take(r, stop, stop + 1, line, length);
        }
        /* Without this mark a long line that comes in small pieces would be searched again for each of them. */
        r->scanned = r->end;
        if (r->at_end) return r->start == r->end && !r->skipping ? FCT_LINE_END : take(r, r->end, r->end, line, length);
        /* One byte more than a line may have can still be its CR. */
        if (r->end - r->start > FCT_LINE_MAX + 1) r->skipping = true;
        if (r->skipping) r->start = r->end;
        enum fct_line refilled = refill(r);
        if (refilled != FCT_LINE_READ) return refilled;
    }
}

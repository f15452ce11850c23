/* How far the reading is: one line on standard error, rewritten in place, only if that is a terminal. */
#ifndef FCT_PROGRESS_H
#define FCT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct fct_progress {
    bool on, shown;
    uint64_t total_bytes; /* 0: unknown */
    uint64_t begin_ns, next_ns;
};

/* `fd`: what is read; if it is a file, its size tells how much there is to do. -1: nothing is. */
void fct_progress_init(struct fct_progress *progress, int fd);

/* Shows bytes and lines if it is time to. */
void fct_progress_update(struct fct_progress *progress, uint64_t bytes, uint64_t lines);

/* Shows a text of the caller's own. */
void fct_progress_say(struct fct_progress *progress, const char *text);

/* Wipes the line, before anything else is written to the terminal. */
void fct_progress_clear(struct fct_progress *progress);

#endif

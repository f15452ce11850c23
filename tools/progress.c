#include "progress.h"

#include "text.h"

#include <flowctl/clock.h>
#include <flowctl/rate.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_NS (300 * FLOWCTL_NS_PER_MS) /* what is done sooner needs no progress */
#define EVERY_NS (100 * FLOWCTL_NS_PER_MS)
#define COLUMNS 79

void fct_progress_init(struct fct_progress *p, int fd) {
    struct stat file;
    *p = (struct fct_progress){.on = isatty(STDERR_FILENO) == 1};
    if (!p->on) return;
    if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode)) p->total_bytes = (uint64_t)file.st_size;
    p->begin_ns = flowctl_clock_now(NULL);
    p->next_ns = p->begin_ns + FIRST_NS;
}

void fct_progress_update(struct fct_progress *p, uint64_t bytes, uint64_t lines) {
    if (!p->on) return;
    uint64_t now_ns = flowctl_clock_now(NULL);
    if (now_ns < p->next_ns) return;
    char done[16], total[32] = "", many[16], speed[16], text[160];
    fct_text_short_number(done, sizeof done, (double)bytes);
    fct_text_short_number(many, sizeof many, (double)lines);
    fct_text_short_number(speed, sizeof speed, (double)lines * 1e9 / (double)(now_ns - p->begin_ns));
    if (p->total_bytes != 0) snprintf(total, sizeof total, " (%.0f %%)", 100.0 * (double)bytes / (double)p->total_bytes);
    snprintf(text, sizeof text, "read %s bytes%s, %s lines, %s lines/s", done, total, many, speed);
    fct_progress_say(p, text);
    p->next_ns = now_ns + EVERY_NS;
}

void fct_progress_say(struct fct_progress *p, const char *text) {
    if (!p->on) return;
    /* Padded to the width of any earlier line, so that no terminal needs to know how to erase. */
    fprintf(stderr, "\r%-*.*s", COLUMNS, COLUMNS, text);
    fflush(stderr);
    p->shown = true;
}

void fct_progress_clear(struct fct_progress *p) {
    if (!p->shown) return;
    fprintf(stderr, "\r%*s\r", COLUMNS, "");
    p->shown = false;
}

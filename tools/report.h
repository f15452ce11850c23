/* What a replay found, and the ways to write it down. */
#ifndef FCT_REPORT_H
#define FCT_REPORT_H

#include "comparison.h"
#include "judge.h"
#include "replay_options.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct fct_report {
    const struct fct_replay_options *options;
    const struct fct_judge *judge;
    const struct fct_judge *shadow; /* NULL: there is no second limit */
    const struct fct_comparison *comparison;
    const char *format; /* the name of the log's format; NULL if no line was read */
    uint64_t lines;     /* all, the broken ones too */
    uint64_t broken;
    uint64_t window_overflows;
    bool complete; /* false: interrupted */
};

/* Each writes the whole report. False: no memory; what could not be written shows in ferror(out). */
bool fct_report_write(const struct fct_report *report, FILE *out);
bool fct_report_write_table(const struct fct_report *report, FILE *out);
bool fct_report_write_json(const struct fct_report *report, FILE *out);
bool fct_report_write_csv(const struct fct_report *report, FILE *out);

/* The part of the table about the second limit. */
void fct_report_write_shadow(const struct fct_report *report, FILE *out);

#endif

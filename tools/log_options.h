/* The part of the command line that tells how to read the log: its format, and where time and cost stand. */
#ifndef FCT_LOG_OPTIONS_H
#define FCT_LOG_OPTIONS_H

#include "replay_options.h"

/* What was written, before it is known to be right; NULL or false: nothing. */
struct fct_log_words {
    const char *format, *time, *time_unit, *cost, *pattern;
    bool no_header;
};

/*
 * `name` is the command as the user typed it. Needs the limit: its unit makes the default cost. Returns FCT_EXIT_DONE, or says
 * what is wrong and returns FCT_EXIT_USAGE.
 */
int fct_log_options_read(struct fct_replay_options *o, const char *name, const struct fct_log_words *w);

#endif

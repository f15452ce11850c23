/* The command line of flowctl replay. */
#ifndef FCT_REPLAY_OPTIONS_H
#define FCT_REPLAY_OPTIONS_H

#include "judge.h"
#include "limit.h"
#include "log_format.h"

enum fct_output { FCT_OUTPUT_TABLE, FCT_OUTPUT_JSON, FCT_OUTPUT_CSV };

struct fct_replay_options {
    struct fct_limit limit;
    struct fct_limit shadow; /* text NULL: none */
    enum fct_mode mode;
    uint64_t cost;                       /* of every request, unless fields.cost names one */
    const struct fct_log_format *format; /* NULL: automatic */
    struct fct_log_fields fields;
    struct fct_pattern *pattern; /* ours to free; NULL: none */
    uint64_t sort_window_ns;
    enum fct_output output;
    const char *file; /* "-": standard input */
};

extern const char fct_replay_help[];

/* True: go on. False: *status is the exit status; an error, or help, has been printed. In either case, clean up. */
bool fct_replay_options_read(struct fct_replay_options *options, int argc, char **argv, int *status);
void fct_replay_options_cleanup(struct fct_replay_options *options);

#endif

/* flowctl inspect: the live state of limits that processes share, as their store sees it. */
#ifndef FCT_INSPECT_H
#define FCT_INSPECT_H

#include "backend_url.h"

#include <stdio.h>

struct fct_inspect_options {
    struct fct_backend_url url;
    const char *id; /* NULL: all limits */
    bool json;
    uint64_t watch_ns; /* 0: once */
};

/* A copy of what a store told of one limit. */
struct fct_limit_seen {
    flowctl_limit_state state; /* of which these are the texts and members */
    char *id;
    flowctl_member_state *members;
};

/* Of one limit, or of all, by id; members by name. */
struct fct_limits {
    struct fct_limit_seen *seen;
    size_t count;
    bool no_memory;
};

/* The inspector; `context` is a struct fct_limits, zeroes at first. */
void fct_limits_add(void *context, const flowctl_limit_state *state);
void fct_limits_sort(struct fct_limits *limits);
void fct_limits_cleanup(struct fct_limits *limits);

/* False: no memory. */
bool fct_inspect_write(const struct fct_inspect_options *options, const struct fct_limits *limits, FILE *out);

extern const char fct_inspect_help[];

/* argv[0] is "inspect". Returns the exit status. */
int fct_inspect_main(int argc, char **argv);

#endif

/* The limit of a command line: a written rate and a burst, checked by the library before any line is read. */
#ifndef FCT_LIMIT_H
#define FCT_LIMIT_H

#include <flowctl/rate.h>
#include <stdint.h>

struct fct_limit {
    const char *text;  /* as the user wrote it */
    flowctl_rate rate; /* lowest terms */
    flowctl_unit unit;
    uint64_t burst;
    uint64_t exact_every_ns; /* as in flowctl_limiter_info */
};

/*
 * Reads `rate_text` and `burst_text`, NULL for the default: the count of the rate, 600 for "600/min", rounded up to a
 * whole permit. Returns FCT_EXIT_DONE, or says what is wrong, with the names of the options, and returns FCT_EXIT_USAGE.
 */
int fct_limit_read(struct fct_limit *limit, const char *command, const char *const options[2], const char *rate_text,
                   const char *burst_text);

#endif

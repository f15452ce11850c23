/*
 * flowctl hammer: several processes take all they get of one shared limit, and what they were granted is judged.
 *
 * A parent forks workers, each of which opens the backend for itself (an open one would not survive the fork) and enters what it is granted in a file of its
 * own (admission_ring.h). Parent and workers talk through shared memory (hammer_board). When all have ended the parent reads the files and judges.
 */
#ifndef FCT_HAMMER_H
#define FCT_HAMMER_H

#include "backend_url.h"
#include "conformance.h"
#include "limit.h"

#include <flowctl/token_bucket.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/types.h>

#define FCT_HAMMER_PROCESSES_MAX 256

struct fct_hammer_options {
    struct fct_backend_url url;
    const char *id;
    struct fct_limit limit;
    flowctl_sharing_options sharing;
    uint64_t processes, duration_ns, cost;
    bool json;
    const char *log; /* NULL: a temporary directory */
};

/* ---- what parent and workers see of each other ---- */

enum fct_hammer_stage {
    FCT_HAMMER_STARTING, /* no lease yet */
    FCT_HAMMER_READY,    /* waits for the others */
    FCT_HAMMER_RUNNING,
    FCT_HAMMER_DONE,
    FCT_HAMMER_FAILED /* see message */
};

/* A worker's place; a cache line apart from the next. */
struct fct_hammer_seat {
    _Alignas(64) _Atomic int stage;
    _Atomic uint64_t granted, denied;                            /* permits; calls */
    _Atomic uint64_t asks, failures, sessions, away, round_trip; /* flowctl_sharing_info */
    char message[256];
    /* the parent's */
    pid_t pid;
    int status; /* as waitpid told */
    bool ended;
};

#define FCT_HAMMER_NO_END UINT64_MAX

/* CLOCK_BOOTTIME. The beginning, 0 until all are ready, is told before the end: an end without a beginning calls it all off. */
struct fct_hammer_board {
    _Atomic uint64_t begin_ns, end_ns;
    struct fct_hammer_seat seats[];
};

/* The name of a worker, which its file has too. */
void fct_hammer_name(char *out, size_t size, pid_t parent, unsigned number);

/* In the new process: works until the end, and does not return. */
_Noreturn void fct_hammer_work(const struct fct_hammer_options *options, struct fct_hammer_board *board, unsigned number,
                               const char *directory, pid_t parent);

/* The options of each worker's limiter, but for the backend. */
flowctl_token_bucket_options fct_hammer_bucket(const struct fct_hammer_options *options);

/* ---- the report ---- */

struct fct_hammer_result {
    const struct fct_hammer_options *options;
    const struct fct_hammer_board *board;
    struct fct_conformance judged; /* of all files in the directory */
    uint64_t *granted;             /* of each worker, by its file */
    uint64_t sum, admissions;      /* of these */
    uint64_t others;               /* admissions in the directory that are not of this run */
    uint64_t length_ns;            /* of the run, as long as it was */
    bool interrupted;
};

/* Permits granted / (rate x length): 1 is all of the rate; a burst that was there at the beginning may make it more. */
double fct_hammer_use(const struct fct_hammer_result *result);

/* False: no memory. */
bool fct_hammer_write(const struct fct_hammer_result *result, FILE *out);

/* How a worker ended, if not as it should; NULL if it did. */
const char *fct_hammer_trouble(const struct fct_hammer_seat *seat, char *out, size_t size);

/* ---- the command ---- */

extern const char fct_hammer_help[];

/* True: go on. False: *status is the exit status. In either case, clean up. */
bool fct_hammer_options_read(struct fct_hammer_options *options, int argc, char **argv, int *status);
void fct_hammer_options_cleanup(struct fct_hammer_options *options);

/* argv[0] is "hammer". Returns the exit status. */
int fct_hammer_main(int argc, char **argv);

#endif

/*
 * One limit, three processes: 200 requests a second for all of them together.
 *
 * Each opens the same store and makes a limiter of the same id: that is all. Here the store is a file (backend_file.c); with another backend two lines
 * would be different. One process dies in the middle without a word, and what it held comes back when its lease is over.
 */
#include "backend_file.h"

#include <flowctl/flowctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 3

static int fail(const flowctl_error *err) {
    fprintf(stderr, "%s\n", err->message);
    return 1;
}

/* Takes what it gets; returns how much that was. */
static unsigned long work(flowctl_limiter *limiter) {
    unsigned long done = 0;
    uint64_t end_ns = flowctl_clock_now(NULL) + flowctl_seconds(SECONDS);
    while (flowctl_clock_now(NULL) < end_ns)
        if (flowctl_acquire(limiter, 1, flowctl_millis(100)).verdict == FLOWCTL_ALLOW) done++;
    return done;
}

static int worker(const char *path, int out) {
    flowctl_error err;
    flowctl_backend_options where = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *store;
    where.ops = &file_backend_ops;
    where.config = path;
    if (flowctl_backend_open(&where, &store, &err) != FLOWCTL_OK) return fail(&err);

    flowctl_limiter *limiter;
    flowctl_token_bucket_options options = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    options.id = "requests";
    options.rate = flowctl_per_second(200);
    options.burst = 40;
    options.backend = store;
    options.sharing.ttl_ns = flowctl_millis(200); /* short, so that a new store lends after 0.35 s */
    if (flowctl_token_bucket_create(&options, &limiter, &err) != FLOWCTL_OK) return fail(&err);
    if (flowctl_limiter_wait_ready(limiter, flowctl_seconds(5)) != FLOWCTL_OK) return 1;

    unsigned long done = work(limiter);
    if (write(out, &done, sizeof done) != (ssize_t)sizeof done) return 1;
    flowctl_limiter_destroy(limiter); /* what it holds goes back at once */
    flowctl_backend_destroy(store);
    return 0;
}

int main(void) {
    char path[] = "/tmp/flowctl-example-XXXXXX";
    int ends[2], file = mkstemp(path);
    if (file < 0 || pipe(ends) != 0) return perror("shared_limit"), 1;
    close(file);
    pid_t children[3];
    for (int i = 0; i < 3; i++)
        if ((children[i] = fork()) == 0) _exit(worker(path, ends[1]));
    sleep(1);
    kill(children[2], SIGKILL);

    close(ends[1]); /* so that a worker that fails is the end of what there is to read */
    unsigned long done, sum = 0;
    int status, bad = 0;
    for (int i = 0; i < 2; i++) {
        if (read(ends[0], &done, sizeof done) != (ssize_t)sizeof done) return 1;
        printf("a process did %lu\n", done);
        sum += done;
    }
    for (int i = 0; i < 3; i++) bad |= waitpid(children[i], &status, 0) < 0 || (i < 2 && status != 0);
    printf("together %lu in %d s: at most %d, and what the third did before it died\n", sum, SECONDS, 200 * SECONDS + 40);
    unlink(path);
    return bad || sum > 200 * (SECONDS + 1) + 40;
}

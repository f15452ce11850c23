/* What the unit tests share: cmocka with the headers it wants before it, an allocator that counts and fails, threads that wait in acquire. */
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H

#include <flowctl/flowctl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Polls until `condition` holds; fails the test when it does not within a time that no loaded machine needs. */
#define AWAIT(condition)                                    \
    do {                                                    \
        for (unsigned looks = 0; !(condition); looks++) {   \
            assert_true(looks < 300000);                    \
            nanosleep(&(struct timespec){0, 100000}, NULL); \
        }                                                   \
    } while (0)

/* Asserts that `text` contains `part`, and shows both if not. */
#define assert_contains(text, part)                                                      \
    do {                                                                                 \
        if (strstr(text, part) == NULL) fail_msg("\"%s\" is not in \"%s\"", part, text); \
    } while (0)

/* ---- errors ---- */

/* An error filled with a pattern that no message has, and whether it still is. */
flowctl_error fixture_error(void);
bool fixture_error_untouched(const flowctl_error *err);

/* Asserts that the library filled in `err`: this status, a terminated message of one line that is not empty. */
void fixture_assert_failed(const flowctl_error *err, flowctl_status status);

/* ---- allocators ---- */

struct counted {
    flowctl_allocator allocator; /* hand this to the library */
    size_t blocks, bytes;        /* out at the moment */
    unsigned calls;
    unsigned fail_at;        /* the call that finds no memory, from 1; 0: none */
    size_t skew;             /* blocks begin so many bytes behind an address that malloc would give */
    unsigned wrong_releases; /* not the size, or not the block, that was allocated */
};
void counted_init(struct counted *c);

/* ---- a bucket on a manual clock ---- */

/* An ordinary time, so that earlier ones exist. */
#define FIXTURE_START_NS (1000 * FLOWCTL_NS_PER_SEC)

struct bucket {
    flowctl_clock *clock;
    flowctl_limiter *limiter;
};

/* Created at FIXTURE_START_NS with `start_permits`. */
struct bucket bucket_new(flowctl_rate rate, uint64_t burst, uint64_t start_permits);

/* The same with any options; their clock is replaced. */
struct bucket bucket_with(flowctl_token_bucket_options options);
flowctl_token_bucket_options bucket_options(flowctl_rate rate, uint64_t burst, uint64_t start_permits);

void bucket_free(struct bucket *b);
flowctl_counters bucket_counters(const struct bucket *b);
flowctl_limiter_info bucket_info(const struct bucket *b);

/* ---- threads inside acquire ---- */

struct caller {
    pthread_t thread;
    flowctl_limiter *limiter;
    uint64_t permits, max_wait_ns;
    flowctl_decision decision;
    atomic_bool returned;
};

/* Starts a thread that calls flowctl_acquire. */
void caller_start(struct caller *c, flowctl_limiter *limiter, uint64_t permits, uint64_t max_wait_ns);

/* The same, waiting as long as it takes, and returns once it sleeps on the bucket's clock. */
void caller_start_asleep(struct caller *c, const struct bucket *b, uint64_t permits);

/* The same, with a longest wait. */
void caller_start_asleep_for(struct caller *c, const struct bucket *b, uint64_t permits, uint64_t max_wait_ns);

/* Its decision; fails the test if it doesn't come back. */
flowctl_decision caller_join(struct caller *c);

/* Cancels it and asserts that it died inside acquire. */
void caller_cancel(struct caller *c);

/* Whether it is back already, without waiting for it. */
bool caller_returned(struct caller *c);

#endif

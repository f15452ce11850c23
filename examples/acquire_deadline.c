/*
 * Eight threads share one limit, 200 jobs per second, and none waits longer than 30 ms for a permit. When a permit is due is known
 * at once, so a job that would be too late is turned away at once, and its thread does something better than to wait.
 *
 *     8 threads, 200 jobs/s, burst 20, deadline 30 ms
 *      0.5 s     120 jobs done     50 turned away   200.0/s after the burst
 *      ...
 *      3.0 s     620 jobs done    300 turned away   200.0/s after the burst
 */
#include <flowctl/flowctl.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { THREADS = 8, RATE = 200, BURST = 20, DEADLINE_MS = 30, HALF_SECONDS = 6 };

struct shop {
    flowctl_limiter *limiter;
    _Atomic uint64_t done, turned_away;
};

static void sleep_ns(uint64_t ns) {
    struct timespec t = {(time_t)(ns / FLOWCTL_NS_PER_SEC), (long)(ns % FLOWCTL_NS_PER_SEC)};
    nanosleep(&t, NULL);
}

static void *work(void *argument) {
    struct shop *shop = argument;
    for (;;) {
        flowctl_decision d = flowctl_acquire(shop->limiter, 1, flowctl_millis(DEADLINE_MS));
        if (d.status != FLOWCTL_OK) return NULL; /* closed: time to go home */
        if (d.verdict == FLOWCTL_ALLOW) {
            shop->done++; /* the job itself */
        } else {
            shop->turned_away++;
            sleep_ns(flowctl_millis(20)); /* other work; a caller would get an error with d.retry_after_ns */
        }
    }
}

static void watch(struct shop *shop) {
    uint64_t start_ns = flowctl_clock_now(NULL);
    for (int i = 1; i <= HALF_SECONDS; i++) {
        uint64_t next_ns = start_ns + (uint64_t)i * flowctl_millis(500), now_ns = flowctl_clock_now(NULL);
        if (now_ns < next_ns) sleep_ns(next_ns - now_ns);
        double seconds = (double)(flowctl_clock_now(NULL) - start_ns) / (double)FLOWCTL_NS_PER_SEC;
        uint64_t done = shop->done;
        printf("%4.1f s  %6" PRIu64 " jobs done  %5" PRIu64 " turned away  %6.1f/s after the burst\n", seconds, done,
               shop->turned_away, done > BURST ? (double)(done - BURST) / seconds : 0.0);
        fflush(stdout);
    }
}

int main(void) {
    flowctl_error err;
    struct shop shop = {0};
    flowctl_token_bucket_options options = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    options.id = "jobs";
    options.rate = flowctl_per_second(RATE);
    options.burst = BURST;
    if (flowctl_token_bucket_create(&options, &shop.limiter, &err) != FLOWCTL_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%d threads, %d jobs/s, burst %d, deadline %d ms\n", THREADS, RATE, BURST, DEADLINE_MS);

    pthread_t threads[THREADS];
    int started = 0;
    while (started < THREADS && pthread_create(&threads[started], NULL, work, &shop) == 0) started++;
    if (started == THREADS) watch(&shop);
    else fprintf(stderr, "only %d threads could be started\n", started);

    /* Close wakes every thread that waits; destroy only when none can call any more. */
    flowctl_limiter_close(shop.limiter);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    flowctl_limiter_destroy(shop.limiter);
    return started == THREADS ? 0 : 1;
}

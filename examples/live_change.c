/*
 * A worker whose rate is changed while it works, by signals: SIGUSR1 halves it, SIGUSR2 doubles it, SIGHUP pauses and resumes, SIGTERM
 * ends. The library is not for signal handlers, so there is none: main waits for signals and makes the changes itself. Here the
 * program also sends them to itself, every 0.3 s; yours would get them from kill(1).
 *
 *     110 jobs in 0.1 s at 1000/s
 *     100 jobs in 0.1 s at 1000/s
 *     100 jobs in 0.1 s at 1000/s
 *     User defined signal 1
 *      50 jobs in 0.1 s at 500/s
 *     ...
 *     Hangup
 *       0 jobs in 0.1 s, paused
 */
#include <flowctl/flowctl.h>

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct shop {
    flowctl_limiter *limiter;
    _Atomic uint64_t done;
};

static void *work(void *argument) {
    struct shop *shop = argument;
    while (flowctl_acquire(shop->limiter, 1, FLOWCTL_FOREVER).verdict == FLOWCTL_ALLOW) shop->done++; /* the job itself */
    return NULL;                                                                                      /* closed */
}

static flowctl_status change(flowctl_limiter *limiter, int signal, flowctl_error *err) {
    flowctl_limiter_info info;
    flowctl_status status = flowctl_limiter_read(limiter, &info);
    if (status != FLOWCTL_OK) return status;
    if (signal == SIGHUP) return info.paused ? flowctl_limiter_resume(limiter) : flowctl_limiter_pause(limiter);
    /* A fraction: halved and doubled again it is what it was. */
    flowctl_rate rate = info.rate;
    if (signal == SIGUSR1) rate.period_ns *= 2;
    else rate.permits *= 2;
    return flowctl_set_rate(limiter, rate, err);
}

/* Takes signals until SIGTERM; after every 0.1 s without one, tells what was done. True if the limit has become what it was. */
static bool watch(struct shop *shop, const sigset_t *signals) {
    static const int script[] = {0, 0, SIGUSR1, 0, 0, SIGHUP, 0, 0, SIGHUP, 0, 0, SIGUSR2, 0, 0, SIGTERM};
    const int *next = script;
    flowctl_limiter_info first, last;
    if (flowctl_limiter_read(shop->limiter, &first) != FLOWCTL_OK) return false;
    for (uint64_t before = 0;;) {
        int signal = sigtimedwait(signals, NULL, &(struct timespec){.tv_nsec = 100000000});
        if (flowctl_limiter_read(shop->limiter, &last) != FLOWCTL_OK) return false;
        if (signal == SIGTERM) return last.rate.permits == first.rate.permits && last.rate.period_ns == first.rate.period_ns;
        if (signal > 0) {
            flowctl_error err = {.message = ""};
            flowctl_status status = change(shop->limiter, signal, &err);
            if (status == FLOWCTL_OK) puts(strsignal(signal));
            else fprintf(stderr, "%s: %s, nothing has changed\n", flowctl_status_text(status), err.message);
            continue;
        }
        uint64_t done = shop->done;
        printf("%3" PRIu64 " jobs in 0.1 s", done - before);
        if (last.paused) puts(", paused");
        else printf(" at %.0f/s\n", last.rate_per_sec);
        fflush(stdout);
        before = done;
        if (*next++ != 0) kill(getpid(), next[-1]);
    }
}

int main(void) {
    flowctl_error err;
    struct shop shop = {.limiter = NULL};
    flowctl_token_bucket_options options = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    options.rate = flowctl_per_second(1000);
    options.burst = 10;
    if (flowctl_token_bucket_create(&options, &shop.limiter, &err) != FLOWCTL_OK)
        return fprintf(stderr, "%s\n", err.message), 1;
    /* Blocked before there is a second thread, and so in all of them. */
    sigset_t signals;
    sigemptyset(&signals);
    for (int i = 0; i < 4; i++) sigaddset(&signals, (const int[]){SIGUSR1, SIGUSR2, SIGHUP, SIGTERM}[i]);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    pthread_t worker;
    int result = 1;
    if (pthread_create(&worker, NULL, work, &shop) == 0) {
        result = watch(&shop, &signals) ? 0 : 1;
        flowctl_limiter_close(shop.limiter); /* the worker goes home */
        pthread_join(worker, NULL);
    } else fprintf(stderr, "no thread\n");
    flowctl_limiter_destroy(shop.limiter);
    return result;
}

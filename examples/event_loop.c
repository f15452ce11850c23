/*
 * A limiter in an event loop. Messages come through a pipe, 40 at once and 20 more a second later; 50 per second may leave, 10 at
 * once. The loop never blocks in the limiter and never polls it: while messages wait, flowctl_time_until says when the next may
 * go, and that is the loop's one timer (here poll's timeout; a timerfd or your loop's own timer is the same).
 *
 *     60 messages sent in 1.2 s, 43 wake-ups: 3 by the pipe, 40 by the timer
 */
#include <flowctl/flowctl.h>

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FIRST = 40, LATER = 20 };

/* Stands for the rest of the world: a byte is a message. */
static void *feed(void *argument) {
    int fd = *(int *)argument;
    char messages[FIRST];
    memset(messages, 'm', sizeof messages);
    if (write(fd, messages, FIRST) == FIRST) {
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        if (write(fd, messages, LATER) != LATER) perror("write");
    }
    close(fd);
    return NULL;
}

/* Rounded up: a timer that is early would find the permit not there yet. */
static int poll_timeout(uint64_t ns) {
    uint64_t ms = ns / FLOWCTL_NS_PER_MS + (ns % FLOWCTL_NS_PER_MS != 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int loop(flowctl_limiter *limiter, int fd) {
    char buffer[256];
    int waiting = 0, sent = 0, by_pipe = 0, by_timer = 0;
    uint64_t start_ns = flowctl_clock_now(NULL);
    for (struct pollfd in = {.fd = fd, .events = POLLIN}; in.fd >= 0 || waiting > 0;) {
        int timeout = waiting > 0 ? poll_timeout(flowctl_time_until(limiter, 1)) : -1;
        int ready = poll(&in, 1, timeout);
        if (ready < 0) return perror("poll"), 1;
        if (ready == 0) by_timer++;
        if (ready > 0) {
            by_pipe++;
            ssize_t n = read(in.fd, buffer, sizeof buffer);
            if (n < 0) return perror("read"), 1;
            if (n == 0) in.fd = -1; /* the end; poll passes it over */
            waiting += (int)n;
        }
        for (; waiting > 0 && flowctl_try_acquire(limiter, 1); waiting--) sent++;
    }
    printf("%d messages sent in %.1f s, %d wake-ups: %d by the pipe, %d by the timer\n", sent,
           (double)(flowctl_clock_now(NULL) - start_ns) / (double)FLOWCTL_NS_PER_SEC, by_pipe + by_timer, by_pipe, by_timer);
    return sent == FIRST + LATER && by_timer <= sent ? 0 : 1;
}

int main(void) {
    flowctl_error err;
    flowctl_limiter *limiter;
    flowctl_token_bucket_options options = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    options.rate = flowctl_per_second(50);
    options.burst = 10;
    if (flowctl_token_bucket_create(&options, &limiter, &err) != FLOWCTL_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    int ends[2], result = 1;
    pthread_t feeder;
    if (pipe(ends) != 0) {
        perror("pipe");
    } else if (pthread_create(&feeder, NULL, feed, &ends[1]) != 0) {
        fprintf(stderr, "no thread\n");
        close(ends[0]), close(ends[1]);
    } else {
        result = loop(limiter, ends[0]);
        close(ends[0]);
        pthread_join(feeder, NULL);
    }
    flowctl_limiter_destroy(limiter);
    return result;
}

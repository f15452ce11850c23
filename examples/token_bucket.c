/*
 * Every way to ask a token bucket, with 100 permits per second and a burst of 10:
 *
 *     try:    10 of 15 calls passed
 *     decide: DENY, the next permit is 9.99 ms away
 *     later:  ALLOW, 0 left
 *     up to:  asked for 100, got 5
 *     never:  11 permits do not fit a burst of 10: NEVER
 *     peek:   DENY, and nothing was taken
 *     state:  "orders" 100/s burst 10, 0 tokens; 12 calls allowed (16 permits), 6 denied, 1 never
 */
#include <flowctl/flowctl.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static void sleep_ns(uint64_t ns) {
    struct timespec t = {(time_t)(ns / FLOWCTL_NS_PER_SEC), (long)(ns % FLOWCTL_NS_PER_SEC)};
    nanosleep(&t, NULL);
}

static void ask(flowctl_limiter *orders) {
    /* The usual call: all or nothing, now. */
    int passed = 0;
    for (int i = 0; i < 15; i++) passed += flowctl_try_acquire(orders, 1);
    printf("try:    %d of 15 calls passed\n", passed);

    /* The same, with when and why: for a Retry-After header, or to come back in time. */
    flowctl_decision d = flowctl_decide(orders, 1);
    printf("decide: %s, the next permit is %.2f ms away\n", flowctl_verdict_name(d.verdict),
           (double)d.retry_after_ns / (double)FLOWCTL_NS_PER_MS);
    if (d.verdict == FLOWCTL_DENY) sleep_ns(d.retry_after_ns);
    d = flowctl_decide(orders, 1);
    printf("later:  %s, %" PRIu64 " left\n", flowctl_verdict_name(d.verdict), d.remaining);

    /* A batch takes what there is. */
    sleep_ns(flowctl_millis(50));
    printf("up to:  asked for 100, got %" PRIu64 "\n", flowctl_try_acquire_up_to(orders, 100));

    /* "Never" is not "not yet": waiting would not help. */
    d = flowctl_decide(orders, 11);
    printf("never:  11 permits do not fit a burst of 10: %s\n", flowctl_verdict_name(d.verdict));

    /* A look takes and counts nothing. */
    d = flowctl_peek(orders, 10);
    printf("peek:   %s, and nothing was taken\n", flowctl_verdict_name(d.verdict));
}

static flowctl_status report(flowctl_limiter *limiter) {
    flowctl_limiter_info info;
    flowctl_counters n;
    flowctl_status status = flowctl_limiter_read(limiter, &info);
    if (status == FLOWCTL_OK) status = flowctl_limiter_counters(limiter, &n);
    if (status != FLOWCTL_OK) return status;
    printf("state:  \"%s\" %.0f/s burst %" PRIu64 ", %" PRIu64 " tokens; %" PRIu64 " calls allowed (%" PRIu64
           " permits), %" PRIu64 " denied, %" PRIu64 " never\n",
           info.id, info.rate_per_sec, info.burst, info.tokens, n.allowed, n.allowed_permits, n.denied, n.never);
    return FLOWCTL_OK;
}

int main(void) {
    flowctl_error err;
    flowctl_limiter *orders;
    flowctl_token_bucket_options options = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    options.id = "orders";
    options.rate = flowctl_per_second(100);
    options.burst = 10;
    if (flowctl_token_bucket_create(&options, &orders, &err) != FLOWCTL_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    ask(orders);
    flowctl_status status = report(orders);
    if (status != FLOWCTL_OK) fprintf(stderr, "%s\n", flowctl_status_text(status));
    flowctl_limiter_destroy(orders);
    return status == FLOWCTL_OK ? 0 : 1;
}

/*
 * Work whose cost is known only at the end: answers of a language model, paid in tokens, 60 000 per minute and 2000 at once. Each takes an
 * estimate before it starts and settles what it really used. Less: what time has not replaced yet goes back, the rest is forfeited.
 * More: it is charged, as a debt if need be, at most 500 below zero here; what is even beyond that can only be reported.
 *
 *     estimate  used  after    given back  forfeited  charged  unsettled   tokens  debt
 *          800   300  0.20 s          500          0        0          0     1900     0
 *          800   100  0.30 s          499        201        0          0     1899     0
 *          800  1100  0.20 s            0          0      300          0     1000     0
 *          800  3000  0.20 s            0          0      900       1300        0   500
 *     the next 100 had to wait 0.60 s
 *     taken 3300 - back 999 - forfeited 201 + charged 1200 + unsettled 1300 = 4600 used
 */
#include <flowctl/flowctl.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum { ESTIMATE = 800 };

struct answer {
    uint64_t tokens, ms;
};

/* Stands for the work: it takes its time and then knows what it has cost. */
static uint64_t stream_answer(const struct answer *a) {
    nanosleep(&(struct timespec){(time_t)(a->ms / 1000), (long)(a->ms % 1000 * 1000000)}, NULL);
    return a->tokens;
}

static flowctl_status answer(flowctl_limiter *limiter, const struct answer *a) {
    flowctl_receipt receipt;
    flowctl_limiter_info info;
    flowctl_decision d = flowctl_acquire_estimate(limiter, ESTIMATE, flowctl_seconds(2), &receipt);
    if (d.status != FLOWCTL_OK) return d.status;
    if (d.verdict != FLOWCTL_ALLOW) return printf("busy, try again in %" PRIu64 " ns\n", d.retry_after_ns), FLOWCTL_OK;
    uint64_t used = stream_answer(a);
    flowctl_settlement s = flowctl_settle(&receipt, used);
    if (s.status != FLOWCTL_OK) return s.status;
    flowctl_status status = flowctl_limiter_read(limiter, &info);
    if (status != FLOWCTL_OK) return status;
    printf("%8d %5" PRIu64 "  %.2f s %12" PRIu64 " %10" PRIu64 " %8" PRIu64 " %10" PRIu64 " %8" PRIu64 " %5" PRIu64 "\n",
           ESTIMATE, used, (double)a->ms / 1000, s.given_back, s.forfeited, s.charged, s.unsettled, info.tokens, info.debt);
    fflush(stdout);
    return FLOWCTL_OK;
}

/* A debt is paid by time: nobody is granted anything before. */
static flowctl_status wait_out_the_debt(flowctl_limiter *limiter, uint64_t permits) {
    uint64_t start_ns = flowctl_clock_now(NULL);
    flowctl_decision d = flowctl_acquire(limiter, permits, flowctl_seconds(2));
    if (d.status != FLOWCTL_OK) return d.status;
    printf("the next %" PRIu64 " %s %.2f s\n", permits,
           d.verdict == FLOWCTL_ALLOW ? "had to wait" : "would have had to wait more than",
           (double)(flowctl_clock_now(NULL) - start_ns) / (double)FLOWCTL_NS_PER_SEC);
    return FLOWCTL_OK;
}

static bool run(flowctl_limiter *limiter) {
    static const struct answer answers[] = {{300, 200}, {100, 300}, {1100, 200}, {3000, 200}};
    uint64_t used = 0;
    flowctl_status status = FLOWCTL_OK;
    printf("estimate  used  after    given back  forfeited  charged  unsettled   tokens  debt\n");
    for (size_t i = 0; status == FLOWCTL_OK && i < sizeof answers / sizeof answers[0]; i++) {
        status = answer(limiter, &answers[i]);
        used += answers[i].tokens;
    }
    if (status == FLOWCTL_OK) status = wait_out_the_debt(limiter, 100);
    flowctl_counters n;
    if (status == FLOWCTL_OK) status = flowctl_limiter_counters(limiter, &n);
    if (status != FLOWCTL_OK) return fprintf(stderr, "%s\n", flowctl_status_text(status)), false;
    used += 100;
    printf("taken %" PRIu64 " - back %" PRIu64 " - forfeited %" PRIu64 " + charged %" PRIu64 " + unsettled %" PRIu64
           " = %" PRIu64 " used\n",
           n.allowed_permits, n.given_back_permits, n.forfeited_permits, n.charged_permits, n.unsettled_permits, used);
    return n.allowed_permits + n.charged_permits + n.unsettled_permits == n.given_back_permits + n.forfeited_permits + used;
}

int main(void) {
    flowctl_error err;
    flowctl_limiter *limiter;
    flowctl_token_bucket_options options = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    options.id = "tokens";
    options.rate = flowctl_per_minute(60000);
    options.burst = 2000;
    options.max_debt = 500;
    if (flowctl_token_bucket_create(&options, &limiter, &err) != FLOWCTL_OK) return fprintf(stderr, "%s\n", err.message), 1;
    bool ok = run(limiter);
    flowctl_limiter_destroy(limiter);
    return ok ? 0 : 1;
}

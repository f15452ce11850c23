#include "support/bucket_setup.h"

#include "support/seed.h"

#include <stdio.h>
#include <stdlib.h>

static void must(flowctl_status status, const flowctl_error *err) {
    if (status == FLOWCTL_OK) return;
    fprintf(stderr, "test set-up: %s: %s\n", flowctl_status_name(status), err->message);
    abort();
}

flowctl_limiter *test_bucket(flowctl_rate rate, uint64_t burst, flowctl_clock *clock) {
    flowctl_limiter *l;
    flowctl_error err;
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    o.id = "test", o.rate = rate, o.burst = burst, o.clock = clock;
    must(flowctl_token_bucket_create(&o, &l, &err), &err);
    return l;
}

flowctl_clock *test_clock(uint64_t start_ns) {
    flowctl_clock *clock;
    flowctl_error err;
    must(flowctl_clock_manual_create(start_ns, NULL, &clock, &err), &err);
    return clock;
}

struct oracle_limit test_limit(flowctl_rate rate, uint64_t burst) {
    return (struct oracle_limit){rate.permits, rate.period_ns, burst};
}

static flowctl_rate random_rate(uint64_t *random) {
    static const uint64_t periods[] = {1,
                                       FLOWCTL_NS_PER_US,
                                       FLOWCTL_NS_PER_MS,
                                       FLOWCTL_NS_PER_SEC,
                                       13 * FLOWCTL_NS_PER_SEC,
                                       FLOWCTL_NS_PER_MIN,
                                       FLOWCTL_NS_PER_HOUR,
                                       FLOWCTL_NS_PER_DAY,
                                       FLOWCTL_NS_PER_YEAR};
    uint64_t period = test_below(random, 3) == 0 ? test_magnitude(random, FLOWCTL_PERIOD_MAX_NS)
                                                 : periods[test_below(random, sizeof periods / sizeof *periods)];
    return flowctl_per(test_magnitude(random, 10 * period), period);
}

void bucket_setup_random(struct bucket_setup *s, uint64_t *random) {
    *s = (struct bucket_setup){.rate = random_rate(random)};
    s->burst = test_magnitude(random, test_below(random, 3) == 0 ? FLOWCTL_BURST_MAX : 1000);
    s->start_ns = test_magnitude(random, UINT64_C(1) << 62);
    s->start_permits = test_below(random, 2) == 0 ? s->burst : test_below(random, s->burst + 1);
}

void bucket_setup_make(struct bucket_setup *s) {
    flowctl_error err;
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    s->clock = test_clock(s->start_ns);
    o.rate = s->rate, o.burst = s->burst, o.clock = s->clock, o.start = FLOWCTL_START_AT, o.start_permits = s->start_permits;
    must(flowctl_token_bucket_create(&o, &s->limiter, &err), &err);
}

void bucket_setup_free(struct bucket_setup *s) {
    flowctl_limiter_destroy(s->limiter);
    flowctl_clock_destroy(s->clock);
}

uint64_t bucket_setup_random_step(const struct bucket_setup *s, uint64_t *random, uint64_t most) {
    oracle_amount permits = 1, step;
    switch (test_below(random, 6)) {
    case 0: return 0;
    case 1: return most > 0;
    case 2: return test_magnitude(random, most + (most == 0));
    case 3: permits = (oracle_amount)s->burst; break;
    default: permits = (oracle_amount)test_magnitude(random, s->burst); break;
    }
    step = permits * (oracle_amount)s->rate.period_ns / (oracle_amount)s->rate.permits + (oracle_amount)test_below(random, 3);
    if (step > 0) step -= test_below(random, 2);
    return step > (oracle_amount)most ? most : (uint64_t)step;
}

#include "clock/clock.h"

static uint64_t monotonic_now(const flowctl_clock *clock) {
    (void)clock;
    return fc_monotonic_now();
}

static void monotonic_sleep(flowctl_clock *clock, struct fc_sleeper *sleeper, uint64_t until_ns) {
    (void)clock;
    fc_sleeper_wait(sleeper, until_ns);
    fc_sleeper_rise(sleeper);
}

/* Not owned by anybody: destroy leaves it alone. */
static void monotonic_destroy(flowctl_clock *clock) { (void)clock; }

static const struct fc_clock_ops monotonic_ops = {
    .now = monotonic_now,
    .sleep = monotonic_sleep,
    .destroy = monotonic_destroy,
};

flowctl_clock *flowctl_clock_monotonic(void) {
    static flowctl_clock monotonic = {&monotonic_ops};
    return &monotonic;
}

uint64_t flowctl_clock_now(const flowctl_clock *clock) {
    return clock == NULL ? fc_monotonic_now() : clock->ops->now(clock);
}

void flowctl_clock_destroy(flowctl_clock *clock) {
    if (clock != NULL) clock->ops->destroy(clock);
}

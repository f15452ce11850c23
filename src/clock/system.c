/*
 * The clocks of the system: CLOCK_MONOTONIC, which stands still while the machine sleeps, and CLOCK_BOOTTIME, which does not. Where the system has no other
 * than the one, they are the same.
 */
#include "clock/clock.h"

#include <flowctl/rate.h>

#ifdef CLOCK_BOOTTIME
#define BOOTTIME CLOCK_BOOTTIME
#else
#define BOOTTIME CLOCK_MONOTONIC
#endif
_Static_assert(CLOCK_MONOTONIC > 0 && CLOCK_MONOTONIC < 256 && BOOTTIME > 0 && BOOTTIME < 256, "an id fits in a byte");

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

static flowctl_clock monotonic = {&monotonic_ops};

flowctl_clock *flowctl_clock_monotonic(void) { return &monotonic; }

static uint64_t boottime_now(const flowctl_clock *clock) {
    (void)clock;
    return fc_system_now(BOOTTIME);
}

/* Threads sleep by the monotonic clock; after a sleep of the machine they look again, and find that it is late. */
static void boottime_sleep(flowctl_clock *clock, struct fc_sleeper *sleeper, uint64_t until_ns) {
    uint64_t now_ns = boottime_now(clock), monotonic_ns = fc_monotonic_now();
    uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    fc_sleeper_wait(sleeper, until_ns == FLOWCTL_FOREVER ? until_ns : monotonic_ns + left_ns);
    fc_sleeper_rise(sleeper);
}

static const struct fc_clock_ops boottime_ops = {
    .now = boottime_now,
    .sleep = boottime_sleep,
    .destroy = monotonic_destroy,
};

static flowctl_clock boottime = {&boottime_ops};

flowctl_clock *flowctl_clock_boottime(void) { return &boottime; }

uint8_t fc_clock_system_id(const flowctl_clock *clock) {
    return clock == &monotonic ? CLOCK_MONOTONIC : clock == &boottime ? BOOTTIME : 0;
}

uint64_t flowctl_clock_now(const flowctl_clock *clock) {
    return clock == NULL ? fc_monotonic_now() : clock->ops->now(clock);
}

void flowctl_clock_destroy(flowctl_clock *clock) {
    if (clock != NULL) clock->ops->destroy(clock);
}

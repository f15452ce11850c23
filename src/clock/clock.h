/* Clocks behind one vtable, and the way a thread sleeps until a clock reads some time. */
#ifndef FC_CLOCK_CLOCK_H
#define FC_CLOCK_CLOCK_H

#include <flowctl/clock.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

/*
 * One sleeping thread. It is woken by its clock or by fc_sleeper_wake; wakes are remembered, so none is lost between deciding to sleep and
 * sleeping. `lock` is a leaf: nothing else is taken while it is held.
 */
struct fc_sleeper {
    pthread_mutex_t lock;
    pthread_cond_t wakeup;
    bool woken;
    struct fc_sleeper *next, *previous; /* in a manual clock's list */
    uint64_t until_ns;
};

struct fc_clock_ops {
    uint64_t (*now)(const flowctl_clock *clock);
    /* Sleeps until the clock reads until_ns or the sleeper is woken. A pthread cancellation point; leaves everything unlocked. */
    void (*sleep)(flowctl_clock *clock, struct fc_sleeper *sleeper, uint64_t until_ns);
    void (*destroy)(flowctl_clock *clock);
};

/* A clock of any kind begins with this. */
struct flowctl_clock {
    const struct fc_clock_ops *ops;
};

/* The system's clocks without a call through a pointer. */
static inline uint64_t fc_system_now(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}
static inline uint64_t fc_monotonic_now(void) { return fc_system_now(CLOCK_MONOTONIC); }

/* What clock_gettime calls a clock, in one byte; 0: it is not one of the system's. */
uint8_t fc_clock_system_id(const flowctl_clock *clock);

/* A condition whose timed waits go by CLOCK_MONOTONIC. False if the system has no room for it. */
bool fc_monotonic_cond_init(pthread_cond_t *condition);

/* False if the system has no room for it. */
bool fc_sleeper_init(struct fc_sleeper *sleeper);
void fc_sleeper_cleanup(struct fc_sleeper *sleeper);
void fc_sleeper_wake(struct fc_sleeper *sleeper);

/* Waits until woken, at most until `until_ns` of CLOCK_MONOTONIC (FLOWCTL_FOREVER: no limit). Cancellation point. */
void fc_sleeper_wait(struct fc_sleeper *sleeper, uint64_t until_ns);

/* Consumes the wake. Apart from the wait, so that between the two a clock still sees who was woken. */
void fc_sleeper_rise(struct fc_sleeper *sleeper);

#endif

#include "clock/clock.h"

#include <flowctl/rate.h>

bool fc_monotonic_cond_init(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) return false;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool made = pthread_cond_init(condition, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return made;
}

bool fc_sleeper_init(struct fc_sleeper *sleeper) {
    *sleeper = (struct fc_sleeper){.woken = false};
    if (!fc_monotonic_cond_init(&sleeper->wakeup)) return false;
    if (pthread_mutex_init(&sleeper->lock, NULL) == 0) return true;
    pthread_cond_destroy(&sleeper->wakeup);
    return false;
}

void fc_sleeper_cleanup(struct fc_sleeper *sleeper) {
    pthread_cond_destroy(&sleeper->wakeup);
    pthread_mutex_destroy(&sleeper->lock);
}

void fc_sleeper_wake(struct fc_sleeper *sleeper) {
    pthread_mutex_lock(&sleeper->lock);
    sleeper->woken = true;
    pthread_cond_signal(&sleeper->wakeup);
    pthread_mutex_unlock(&sleeper->lock);
}

static void unlock(void *mutex) { pthread_mutex_unlock(mutex); }

/* In a function of its own, so that nothing of it lives across the cleanup below. */
static void wait_locked(struct fc_sleeper *sleeper, uint64_t until_ns) {
    struct timespec until = {(time_t)(until_ns / FLOWCTL_NS_PER_SEC), (long)(until_ns % FLOWCTL_NS_PER_SEC)};
    int timed_out = 0;
    while (!sleeper->woken && timed_out == 0) {
        if (until_ns == FLOWCTL_FOREVER) pthread_cond_wait(&sleeper->wakeup, &sleeper->lock);
        else timed_out = pthread_cond_timedwait(&sleeper->wakeup, &sleeper->lock, &until);
    }
}

void fc_sleeper_wait(struct fc_sleeper *sleeper, uint64_t until_ns) {
    pthread_mutex_lock(&sleeper->lock);
    pthread_cleanup_push(unlock, &sleeper->lock);
    wait_locked(sleeper, until_ns);
    pthread_cleanup_pop(1);
}

void fc_sleeper_rise(struct fc_sleeper *sleeper) {
    pthread_mutex_lock(&sleeper->lock);
    sleeper->woken = false;
    pthread_mutex_unlock(&sleeper->lock);
}

/* A clock that stands still until it is told. Lock order: clock, then sleeper. */
#include "base/error.h"
#include "base/memory.h"
#include "clock/clock.h"

#include <flowctl/rate.h>
#include <stdatomic.h>

struct manual_clock {
    flowctl_clock base;
    _Atomic uint64_t now_ns;
    pthread_mutex_t lock; /* of the list, and of changes to now_ns */
    struct fc_sleeper *sleepers;
    flowctl_allocator allocator;
};

static const struct fc_clock_ops manual_ops;

static struct manual_clock *manual(const flowctl_clock *clock) {
    return clock != NULL && clock->ops == &manual_ops ? (struct manual_clock *)clock : NULL;
}

static uint64_t manual_now(const flowctl_clock *clock) {
    return atomic_load_explicit(&((const struct manual_clock *)clock)->now_ns, memory_order_acquire);
}

static void wake_due(struct manual_clock *m) {
    uint64_t now = atomic_load_explicit(&m->now_ns, memory_order_relaxed);
    for (struct fc_sleeper *s = m->sleepers; s != NULL; s = s->next)
        if (s->until_ns <= now) fc_sleeper_wake(s);
}

struct listed {
    struct manual_clock *clock;
    struct fc_sleeper *sleeper;
};

static void unlist(void *argument) {
    struct listed *l = argument;
    struct fc_sleeper *s = l->sleeper;
    pthread_mutex_lock(&l->clock->lock);
    if (s->next != NULL) s->next->previous = s->previous;
    if (s->previous != NULL) s->previous->next = s->next;
    else l->clock->sleepers = s->next;
    pthread_mutex_unlock(&l->clock->lock);
}

static void manual_sleep(flowctl_clock *clock, struct fc_sleeper *sleeper, uint64_t until_ns) {
    struct listed l = {(struct manual_clock *)clock, sleeper};
    pthread_mutex_lock(&l.clock->lock);
    bool due = manual_now(clock) >= until_ns;
    if (!due) {
        sleeper->until_ns = until_ns;
        sleeper->previous = NULL;
        sleeper->next = l.clock->sleepers;
        if (sleeper->next != NULL) sleeper->next->previous = sleeper;
        l.clock->sleepers = sleeper;
    }
    pthread_mutex_unlock(&l.clock->lock);
    if (due) return;
    pthread_cleanup_push(unlist, &l);
    fc_sleeper_wait(sleeper, FLOWCTL_FOREVER);
    pthread_cleanup_pop(1);
    fc_sleeper_rise(sleeper);
}

static void manual_destroy(flowctl_clock *clock) {
    struct manual_clock *m = (struct manual_clock *)clock;
    pthread_mutex_destroy(&m->lock);
    fc_release(&m->allocator, m, sizeof *m);
}

static const struct fc_clock_ops manual_ops = {
    .now = manual_now,
    .sleep = manual_sleep,
    .destroy = manual_destroy,
};

flowctl_status flowctl_clock_manual_create(uint64_t start_ns, const flowctl_allocator *allocator, flowctl_clock **clock,
                                           flowctl_error *err) {
    if (clock == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "manual clock: the out-pointer clock is NULL");
    *clock = NULL;
    flowctl_allocator own;
    flowctl_status status = fc_allocator_choose(allocator, &own, err);
    if (status != FLOWCTL_OK) return status;
    struct manual_clock *m = fc_allocate(&own, sizeof *m);
    if (m == NULL) return fc_fail(err, FLOWCTL_NO_MEMORY, FC_NO_TEXT, "manual clock: no memory for %zu bytes", sizeof *m);
    m->base.ops = &manual_ops;
    m->allocator = own;
    atomic_init(&m->now_ns, start_ns);
    if (pthread_mutex_init(&m->lock, NULL) != 0) {
        fc_release(&own, m, sizeof *m);
        return fc_fail(err, FLOWCTL_SYSTEM, FC_NO_TEXT, "manual clock: the system gives no mutex");
    }
    *clock = &m->base;
    return FLOWCTL_OK;
}

static void set_and_wake(struct manual_clock *m, uint64_t now_ns) {
    atomic_store_explicit(&m->now_ns, now_ns, memory_order_release);
    wake_due(m);
}

flowctl_status flowctl_clock_set(flowctl_clock *clock, uint64_t now_ns) {
    struct manual_clock *m = manual(clock);
    if (m == NULL) return FLOWCTL_INVALID_ARGUMENT;
    pthread_mutex_lock(&m->lock);
    set_and_wake(m, now_ns);
    pthread_mutex_unlock(&m->lock);
    return FLOWCTL_OK;
}

flowctl_status flowctl_clock_advance(flowctl_clock *clock, uint64_t delta_ns) {
    struct manual_clock *m = manual(clock);
    if (m == NULL) return FLOWCTL_INVALID_ARGUMENT;
    pthread_mutex_lock(&m->lock);
    uint64_t now = manual_now(clock);
    set_and_wake(m, delta_ns > UINT64_MAX - now ? UINT64_MAX : now + delta_ns);
    pthread_mutex_unlock(&m->lock);
    return FLOWCTL_OK;
}

unsigned flowctl_clock_sleepers(flowctl_clock *clock) {
    struct manual_clock *m = manual(clock);
    if (m == NULL) return 0;
    unsigned count = 0;
    pthread_mutex_lock(&m->lock);
    for (struct fc_sleeper *s = m->sleepers; s != NULL; s = s->next) {
        pthread_mutex_lock(&s->lock);
        count += !s->woken;
        pthread_mutex_unlock(&s->lock);
    }
    pthread_mutex_unlock(&m->lock);
    return count;
}

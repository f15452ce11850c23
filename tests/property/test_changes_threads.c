/*
 * Settings that change under threads that decide, wait, reserve and cancel. When exactly a change took effect is not told, only between which two readings of
 * the clock; the oracle is given the more generous of both settings in between.
 */
#include "support/bucket_setup.h"
#include "support/hammer.h"
#include "support/seed.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sched.h>

#include <cmocka.h>

#define THREADS 3
#define CHANGES 4000
#define MOST_PERMITS 4

struct settings {
    uint64_t rate, burst;
};

struct writer {
    flowctl_limiter *l;
    uint64_t random;
    struct settings first;
    struct oracle_change changes[2 * CHANGES];
    size_t count;
    _Atomic bool stop;
};

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

static void *change_settings(void *argument) {
    struct writer *w = argument;
    struct settings now = w->first;
    while (w->count < 2 * CHANGES && !atomic_load(&w->stop)) {
        /* No burst below what one call asks for: a booking for more than the burst would still be honoured. */
        struct settings next = {test_magnitude(&w->random, 20000000), MOST_PERMITS + test_below(&w->random, 200)};
        bool paused = test_below(&w->random, 20) == 0 && w->count + 2 < 2 * CHANGES; /* not for the rest of the run */
        uint64_t before_ns = flowctl_clock_now(NULL);
        if (paused) flowctl_limiter_pause(w->l), next = (struct settings){0, now.burst};
        else {
            flowctl_set_limit(w->l, flowctl_per_second(next.rate), next.burst, NULL);
            flowctl_limiter_resume(w->l);
        }
        uint64_t after_ns = flowctl_clock_now(NULL);
        w->changes[w->count++] =
            (struct oracle_change){before_ns, larger(now.rate, next.rate), larger(now.burst, next.burst), false};
        w->changes[w->count++] = (struct oracle_change){after_ns, next.rate, next.burst, false};
        now = next;
        for (uint64_t i = test_below(&w->random, 4); i > 0; i--) sched_yield();
    }
    return NULL;
}

static bool granted(flowctl_decision d, struct oracle_event *admitted) {
    *admitted = (struct oracle_event){d.now_ns, d.granted};
    return d.granted != 0;
}

/*
 * Threads that wait come last to every permit, so there is little of it. Reservations are told a time that a change makes wrong: they are cancelled,
 * and the few that were due before that are not counted.
 */
static bool attempt(void *target, uint64_t *random, struct oracle_event *admitted) {
    struct writer *w = target;
    uint64_t permits = 1 + test_below(random, MOST_PERMITS);
    switch (test_below(random, 16)) {
    case 0: return granted(flowctl_acquire(w->l, permits, test_below(random, 50000)), admitted);
    case 1: {
        flowctl_reservation r;
        flowctl_decision d = flowctl_reserve(w->l, permits, FLOWCTL_NS_PER_SEC, &r);
        if (d.verdict == FLOWCTL_ALLOW) return granted(d, admitted);
        flowctl_cancel(&r);
        return false;
    }
    default: return granted(flowctl_decide(w->l, permits), admitted);
    }
}

static void run(uint64_t seed, uint64_t *admitted, uint64_t *changed) {
    static struct writer w;
    w = (struct writer){.random = seed, .first = {1000000, 50}};
    struct oracle_limit limit = {w.first.rate, FLOWCTL_NS_PER_SEC, w.first.burst};
    struct oracle_log log = {NULL, 0, 0};
    pthread_t thread;
    w.l = test_bucket(flowctl_per_second(w.first.rate), w.first.burst, NULL);
    assert_int_equal(pthread_create(&thread, NULL, change_settings, &w), 0);
    hammer_run(&(struct hammer){attempt, &w, THREADS, 30000, seed}, &log);
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    struct oracle_verdict v = oracle_judge_changes(&log, &limit, w.changes, w.count);
    if (v.excess > 0) print_message("seed %llu: %.9g too many\n", (unsigned long long)seed, oracle_excess(&v, &limit));
    assert_true(v.excess <= 0);
    flowctl_limiter_info info;
    assert_int_equal(flowctl_limiter_read(w.l, &info), FLOWCTL_OK);
    assert_int_equal(info.waiters, 0);
    *admitted += log.count, *changed += w.count / 2;
    flowctl_limiter_destroy(w.l);
    oracle_free(&log);
}

/* How much happens in a run is up to the scheduler: as many runs as it takes. */
static void never_over_while_settings_change(void **state) {
    uint64_t seed = *(uint64_t *)*state, admitted = 0, changed = 0;
    int runs = 0;
    while (admitted < 100000 || changed < 5000) run(seed + (uint64_t)runs++, &admitted, &changed);
    print_message("%d runs, %llu admissions, %llu changes\n", runs, (unsigned long long)admitted, (unsigned long long)changed);
}

int main(void) {
    uint64_t seed = test_seed("changes_threads");
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(never_over_while_settings_change, &seed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

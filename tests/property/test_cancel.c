/*
 * Reservations that are cancelled in the middle of the queue: how much of them may be given back? The library's rule (the place is offered to the next
 * that fits) against the oracle, and beside it the rules that look right and are not, which the same oracle must find.
 *
 * Time is what the rate has produced: 1 permit per nanosecond.
 */
#include "support/bucket_setup.h"
#include "support/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define STEPS 400
#define RUNS 3000
#define LIVE 512

struct sums {
    double worst;
    uint64_t over, asked, lost;
};

/* ---- the library ---- */

struct live {
    flowctl_reservation r;
    uint64_t due_ns;
};

struct run {
    flowctl_limiter *l;
    struct oracle_log log;
    struct live live[LIVE];
    size_t count;
    uint64_t random, burst, now_ns;
};

static void release_due(struct run *r) {
    for (size_t i = 0; i < r->count;) {
        if (r->live[i].due_ns > r->now_ns) {
            i++;
            continue;
        }
        assert_int_equal(flowctl_cancel_at(&r->live[i].r, r->now_ns), 0); /* harmless when it is due */
        oracle_record(&r->log, r->live[i].due_ns, r->live[i].r.permits);
        r->live[i] = r->live[--r->count];
    }
}

static void reserve(struct run *r, uint64_t permits) {
    struct live new = {.due_ns = 0};
    if (r->count == LIVE) return;
    flowctl_decision d = flowctl_reserve_at(r->l, permits, 6 * r->burst, &new.r, r->now_ns);
    if (d.verdict == FLOWCTL_ALLOW) oracle_record(&r->log, d.now_ns, permits);
    if (d.verdict != FLOWCTL_DELAY) return;
    new.due_ns = d.now_ns;
    assert_int_equal(flowctl_reservation_due_ns(&new.r) == 0, false);
    r->live[r->count++] = new;
}

static void cancel_one(struct run *r) {
    size_t i = test_below(&r->random, r->count);
    flowctl_reservation copy = r->live[i].r;
    assert_int_equal(flowctl_cancel_at(&r->live[i].r, r->now_ns), copy.permits);
    assert_int_equal(flowctl_cancel_at(&r->live[i].r, r->now_ns), 0); /* once */
    assert_int_equal(flowctl_cancel_at(&copy, r->now_ns), 0);
    r->live[i] = r->live[--r->count];
}

static void run_library(uint64_t seed, struct sums *sums) {
    static const uint64_t bursts[] = {1, 2, 5, 10, 20};
    struct run r = {.random = seed};
    r.burst = bursts[test_below(&r.random, 5)];
    flowctl_clock *clock = test_clock(0);
    r.l = test_bucket(flowctl_per(1, 1), r.burst, clock);
    for (r.now_ns = 0; r.now_ns < STEPS; r.now_ns++) {
        flowctl_clock_set(clock, r.now_ns);
        release_due(&r);
        for (uint64_t calls = test_below(&r.random, 4); calls > 0; calls--) {
            uint64_t permits = 1 + test_below(&r.random, r.burst), choice = test_below(&r.random, 100);
            if (choice < 35) {
                if (flowctl_try_acquire_at(r.l, permits, r.now_ns)) oracle_record(&r.log, r.now_ns, permits);
            } else if (choice < 70) {
                reserve(&r, permits);
            } else if (r.count > 0) {
                cancel_one(&r);
            }
        }
    }
    struct oracle_limit limit = test_limit(flowctl_per(1, 1), r.burst);
    assert_true(oracle_passes("cancel", &r.log, &limit));
    flowctl_counters c;
    flowctl_limiter_counters(r.l, &c);
    sums->asked += c.cancelled_permits;
    sums->lost += c.expired_permits;
    flowctl_limiter_destroy(r.l);
    flowctl_clock_destroy(clock);
    oracle_free(&r.log);
}

static void cancelled_places_are_used_again_and_never_too_early(void **state) {
    uint64_t random = *(uint64_t *)*state;
    struct sums sums = {.worst = 0};
    for (int i = 0; i < RUNS; i++) run_library(test_random(&random), &sums);
    print_message("%d runs: %llu permits cancelled, %.1f %% found no taker\n", RUNS, (unsigned long long)sums.asked,
                  100 * (double)sums.lost / (double)sums.asked);
    assert_true(sums.asked > 100000);
    assert_true(sums.lost * 100 < sums.asked * 20);
}

/* ---- the rules that look right ---- */

enum rule {
    GIVE_ALL,      /* add the permits back */
    GIVE_UNCLAIMED /* add them back, less what was reserved since beyond a burst: the one of a well-known library */
};

struct ticket {
    int64_t end, permits;
};

static void run_planted(enum rule rule, uint64_t random, struct sums *sums) {
    static const int64_t bursts[] = {1, 2, 5, 10, 20};
    const int64_t burst = bursts[test_below(&random, 5)];
    int64_t word = -burst;
    struct ticket live[LIVE];
    size_t count = 0;
    struct oracle_log log = {NULL, 0, 0};
    for (int64_t now = 0; now < STEPS; now++) {
        if (word < now - burst) word = now - burst;
        for (size_t i = 0; i < count;) {
            if (live[i].end > now) {
                i++;
                continue;
            }
            oracle_record(&log, (uint64_t)now, (uint64_t)live[i].permits);
            live[i] = live[--count];
        }
        for (uint64_t calls = test_below(&random, 4); calls > 0; calls--) {
            int64_t permits = 1 + (int64_t)test_below(&random, (uint64_t)burst);
            uint64_t choice = test_below(&random, 100);
            if (choice < 35 && now - word >= permits) {
                word += permits;
                oracle_record(&log, (uint64_t)now, (uint64_t)permits);
            } else if (choice >= 35 && choice < 70 && word - now < 6 * burst && count < LIVE) {
                word += permits;
                if (word <= now) oracle_record(&log, (uint64_t)now, (uint64_t)permits);
                else live[count++] = (struct ticket){word, permits};
            } else if (choice >= 70 && count > 0) {
                size_t i = test_below(&random, count);
                int64_t since = word - live[i].end, back = live[i].permits;
                if (rule == GIVE_UNCLAIMED && back > burst - since) back = burst - since > 0 ? burst - since : 0;
                word -= back;
                live[i] = live[--count];
            }
        }
    }
    struct oracle_limit limit = {1, 1, (uint64_t)burst};
    struct oracle_verdict v = oracle_judge(&log, &limit);
    sums->over += v.excess > 0;
    oracle_free(&log);
}

static void the_rules_that_look_right_are_found(void **state) {
    uint64_t random = *(uint64_t *)*state;
    struct sums all = {.worst = 0}, unclaimed = {.worst = 0};
    for (int i = 0; i < RUNS; i++) {
        run_planted(GIVE_ALL, test_random(&random), &all);
        run_planted(GIVE_UNCLAIMED, test_random(&random), &unclaimed);
    }
    print_message("over the limit: %llu and %llu of %d runs\n", (unsigned long long)all.over,
                  (unsigned long long)unclaimed.over, RUNS);
    assert_true(all.over > RUNS / 4);
    assert_true(unclaimed.over > RUNS / 100);
}

int main(void) {
    uint64_t seed = test_seed("cancel");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(cancelled_places_are_used_again_and_never_too_early, &seed),
        cmocka_unit_test_prestate(the_rules_that_look_right_are_found, &seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What all kinds of limiters share: how verbs treat NULL, closed and a cost of nothing, the clock forms, counters, reading, the refill hook. */
#include "unit/fixture.h"

#include "core/limiter.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEC FLOWCTL_NS_PER_SEC
#define NOW FIXTURE_START_NS

/* ---- every verb through one door ---- */

typedef flowctl_decision (*verb)(flowctl_limiter *limiter, uint64_t permits);

static flowctl_decision by_acquire(flowctl_limiter *l, uint64_t n) { return flowctl_acquire(l, n, 0); }
static flowctl_decision by_acquire_forever(flowctl_limiter *l, uint64_t n) { return flowctl_acquire(l, n, FLOWCTL_FOREVER); }
static flowctl_decision by_acquire_at(flowctl_limiter *l, uint64_t n) { return flowctl_acquire_at(l, n, 0, NOW); }
static flowctl_decision by_decide_at(flowctl_limiter *l, uint64_t n) { return flowctl_decide_at(l, n, NOW); }
static flowctl_decision by_peek_at(flowctl_limiter *l, uint64_t n) { return flowctl_peek_at(l, n, NOW); }
static flowctl_decision by_reserve(flowctl_limiter *l, uint64_t n) { return flowctl_reserve(l, n, 0, NULL); }
static flowctl_decision by_reserve_at(flowctl_limiter *l, uint64_t n) { return flowctl_reserve_at(l, n, 0, NULL, NOW); }

static const verb verbs[] = {flowctl_decide, by_decide_at, flowctl_peek,  by_peek_at,        by_reserve,
                             by_reserve_at,  by_acquire,   by_acquire_at, by_acquire_forever};

static void assert_refused(flowctl_decision d, flowctl_status status) {
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.status, status);
    assert_int_equal(d.granted, 0);
    assert_int_equal(d.remaining, 0);
    assert_true(d.retry_after_ns == FLOWCTL_FOREVER);
    assert_int_equal(d.tier, FLOWCTL_NO_TIER);
    assert_int_equal(d.flags, 0);
}

static const uint64_t costs[] = {0, 1, 5, 11, UINT64_MAX};

static void a_null_handle_is_an_invalid_argument_for_every_verb(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(verbs); i++)
        for (size_t k = 0; k < COUNT(costs); k++) assert_refused(verbs[i](NULL, costs[k]), FLOWCTL_INVALID_ARGUMENT);
    for (size_t k = 0; k < COUNT(costs); k++) {
        assert_false(flowctl_try_acquire(NULL, costs[k]));
        assert_false(flowctl_try_acquire_at(NULL, costs[k], NOW));
        assert_int_equal(flowctl_try_acquire_up_to(NULL, costs[k]), 0);
        assert_int_equal(flowctl_try_acquire_up_to_at(NULL, costs[k], NOW), 0);
        assert_true(flowctl_time_until(NULL, costs[k]) == FLOWCTL_FOREVER);
        assert_true(flowctl_time_until_at(NULL, costs[k], NOW) == FLOWCTL_FOREVER);
    }
    flowctl_limiter_close(NULL);
    flowctl_limiter_destroy(NULL);
}

static void null_is_an_invalid_argument_for_every_reading(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
    flowctl_counters counters;
    flowctl_limiter_info info;
    assert_int_equal(flowctl_limiter_counters(NULL, &counters), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_counters(b.limiter, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_read(NULL, &info), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_read(b.limiter, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_read_at(NULL, &info, NOW), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_limiter_read_at(b.limiter, NULL, NOW), FLOWCTL_INVALID_ARGUMENT);
    bucket_free(&b);
}

static void verdicts_have_names(void **state) {
    (void)state;
    assert_string_equal(flowctl_verdict_name(FLOWCTL_DENY), "DENY");
    assert_string_equal(flowctl_verdict_name(FLOWCTL_ALLOW), "ALLOW");
    assert_string_equal(flowctl_verdict_name(FLOWCTL_DELAY), "DELAY");
    assert_string_equal(flowctl_verdict_name(FLOWCTL_NEVER), "NEVER");
    assert_string_equal(flowctl_verdict_name((flowctl_verdict)4), "UNKNOWN");
    assert_string_equal(flowctl_verdict_name((flowctl_verdict)-1), "UNKNOWN");
}

static void a_decision_nobody_filled_in_grants_nothing(void **state) {
    (void)state;
    flowctl_decision d = {0};
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.granted, 0);
}

/* ---- closed ---- */

static void after_close_every_verb_answers_closed(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
    for (int again = 0; again < 2; again++) {
        flowctl_limiter_close(b.limiter);
        for (size_t i = 0; i < COUNT(verbs); i++)
            for (size_t k = 0; k < COUNT(costs); k++) assert_refused(verbs[i](b.limiter, costs[k]), FLOWCTL_CLOSED);
        for (size_t k = 0; k < COUNT(costs); k++) {
            assert_false(flowctl_try_acquire(b.limiter, costs[k]));
            assert_false(flowctl_try_acquire_at(b.limiter, costs[k], NOW));
            assert_int_equal(flowctl_try_acquire_up_to(b.limiter, costs[k]), 0);
            assert_true(flowctl_time_until(b.limiter, costs[k]) == FLOWCTL_FOREVER);
        }
    }
    bucket_free(&b);
}

static void closed_lasts_at_every_time(void **state) {
    (void)state;
    static const uint64_t times[] = {0, NOW - 1, NOW, NOW + FLOWCTL_PERIOD_MAX_NS, UINT64_MAX};
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
    flowctl_limiter_close(b.limiter);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT(times); i++) {
            assert_refused(flowctl_decide_at(b.limiter, 1, times[i]), FLOWCTL_CLOSED);
            assert_refused(flowctl_reserve_at(b.limiter, 1, FLOWCTL_FOREVER, NULL, times[i]), FLOWCTL_CLOSED);
            assert_refused(flowctl_acquire_at(b.limiter, 1, FLOWCTL_FOREVER, times[i]), FLOWCTL_CLOSED);
            assert_false(flowctl_try_acquire_at(b.limiter, 1, times[i]));
        }
    }
    bucket_free(&b);
}

static void a_closed_limiter_is_still_counted_but_counts_no_more(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
    assert_true(flowctl_try_acquire(b.limiter, 3));
    flowctl_counters before = bucket_counters(&b);
    flowctl_limiter_close(b.limiter);
    for (size_t i = 0; i < COUNT(verbs); i++) verbs[i](b.limiter, 1);
    flowctl_try_acquire(b.limiter, 1);
    flowctl_try_acquire_up_to(b.limiter, 1);
    flowctl_counters after = bucket_counters(&b);
    assert_int_equal(after.allowed, 1);
    assert_memory_equal(&before, &after, sizeof before);
    bucket_free(&b);
}

/* flowctl.h: on failure out-parameters are set to NULL or left alone. */
static void reading_a_closed_limiter_leaves_the_info_alone(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
    flowctl_limiter_info info, before;
    memset(&info, 0x5a, sizeof info);
    before = info;
    flowctl_limiter_close(b.limiter);
    assert_int_equal(flowctl_limiter_read(b.limiter, &info), FLOWCTL_CLOSED);
    assert_int_equal(flowctl_limiter_read_at(b.limiter, &info, NOW), FLOWCTL_CLOSED);
    assert_memory_equal(&info, &before, sizeof info);
    bucket_free(&b);
}

/* ---- cost 0 ---- */

static void a_cost_of_nothing_is_allowed_changes_nothing_and_is_not_counted(void **state) {
    (void)state;
    static const uint64_t levels[] = {0, 4, 10};
    for (size_t level = 0; level < COUNT(levels); level++) {
        struct bucket b = bucket_new(flowctl_per_second(10), 10, levels[level]);
        uint64_t word = atomic_load(&b.limiter->cell.word);
        for (size_t i = 0; i < COUNT(verbs); i++) {
            flowctl_decision d = verbs[i](b.limiter, 0);
            assert_int_equal(d.verdict, FLOWCTL_ALLOW);
            assert_int_equal(d.status, FLOWCTL_OK);
            assert_int_equal(d.granted, 0);
            assert_int_equal(d.remaining, levels[level]);
            assert_int_equal(d.retry_after_ns, 0);
            assert_int_equal(d.now_ns, NOW);
            assert_int_equal(d.tier, FLOWCTL_NO_TIER);
        }
        assert_true(flowctl_try_acquire(b.limiter, 0));
        assert_true(flowctl_try_acquire_at(b.limiter, 0, NOW));
        assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 0), 0);
        assert_int_equal(flowctl_time_until(b.limiter, 0), 0);
        flowctl_counters sum = bucket_counters(&b), zero = {0};
        assert_memory_equal(&sum, &zero, sizeof sum);
        assert_true(atomic_load(&b.limiter->cell.word) == word);
        bucket_free(&b);
    }
}

static void a_cost_of_nothing_is_allowed_in_debt_and_at_any_time(void **state) {
    (void)state;
    static const uint64_t times[] = {0, NOW, NOW + SEC, UINT64_MAX, 0};
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 0);
    assert_int_equal(flowctl_reserve(b.limiter, 10, FLOWCTL_FOREVER, NULL).verdict, FLOWCTL_DELAY);
    for (size_t i = 0; i < COUNT(times); i++) {
        assert_true(flowctl_try_acquire_at(b.limiter, 0, times[i]));
        assert_int_equal(flowctl_decide_at(b.limiter, 0, times[i]).verdict, FLOWCTL_ALLOW);
        assert_int_equal(flowctl_time_until_at(b.limiter, 0, times[i]), 0);
    }
    bucket_free(&b);
}

/* ---- clock forms ---- */

static void assert_same_decision(flowctl_decision a, flowctl_decision b) {
    assert_int_equal(a.verdict, b.verdict);
    assert_int_equal(a.status, b.status);
    assert_int_equal(a.granted, b.granted);
    assert_int_equal(a.remaining, b.remaining);
    assert_int_equal(a.retry_after_ns, b.retry_after_ns);
    assert_int_equal(a.now_ns, b.now_ns);
}

/* Two buckets, one asked by its clock, one by the same times. */
static void a_verb_with_a_clock_is_the_verb_at_the_time_of_the_clock(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 4), twin = bucket_new(flowctl_per_second(10), 10, 4);
    flowctl_limiter *l = b.limiter, *t = twin.limiter;
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t now = flowctl_clock_now(b.clock), n = 1 + i % 12;
        assert_int_equal(flowctl_try_acquire(l, n), flowctl_try_acquire_at(t, n, now));
        assert_same_decision(flowctl_peek(l, n), flowctl_peek_at(t, n, now));
        assert_int_equal(flowctl_time_until(l, n), flowctl_time_until_at(t, n, now));
        assert_same_decision(flowctl_decide(l, n), flowctl_decide_at(t, n, now));
        assert_int_equal(flowctl_try_acquire_up_to(l, i % 3), flowctl_try_acquire_up_to_at(t, i % 3, now));
        assert_same_decision(flowctl_reserve(l, n, SEC / 4, NULL), flowctl_reserve_at(t, n, SEC / 4, NULL, now));
        assert_same_decision(flowctl_acquire(l, n, 0), flowctl_acquire_at(t, n, 0, now));
        flowctl_limiter_info a, c;
        assert_int_equal(flowctl_limiter_read(l, &a), FLOWCTL_OK);
        assert_int_equal(flowctl_limiter_read_at(t, &c, now), FLOWCTL_OK);
        assert_true(a.tokens == c.tokens && a.debt == c.debt && a.now_ns == c.now_ns && a.now_ns == now);
        flowctl_clock_advance(b.clock, 37 * FLOWCTL_NS_PER_MS * (i % 7));
    }
    bucket_free(&b);
    bucket_free(&twin);
}

/* Without a clock of its own a limiter reads the monotonic one. */
static void the_monotonic_clock_is_the_default(void **state) {
    (void)state;
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    flowctl_limiter *l;
    o.rate = flowctl_per_second(10), o.burst = 10;
    uint64_t before = flowctl_clock_now(NULL);
    assert_int_equal(flowctl_token_bucket_create(&o, &l, NULL), FLOWCTL_OK);
    flowctl_decision d = flowctl_decide(l, 1);
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_true(d.now_ns >= before && d.now_ns <= flowctl_clock_now(NULL));
    flowctl_limiter_destroy(l);
}

/* ---- counters ---- */

static void assert_counted(const struct bucket *b, uint64_t allowed, uint64_t permits, uint64_t denied, uint64_t never) {
    flowctl_counters sum = bucket_counters(b);
    assert_int_equal(sum.allowed, allowed);
    assert_int_equal(sum.allowed_permits, permits);
    assert_int_equal(sum.denied, denied);
    assert_int_equal(sum.never, never);
}

static void every_verb_counts_what_it_did_once(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 100, 100);
    flowctl_limiter *l = b.limiter;
    flowctl_try_acquire(l, 3);
    assert_counted(&b, 1, 3, 0, 0);
    flowctl_decide(l, 4);
    assert_counted(&b, 2, 7, 0, 0);
    flowctl_try_acquire_up_to(l, 5);
    assert_counted(&b, 3, 12, 0, 0);
    flowctl_reserve(l, 6, 0, NULL);
    assert_counted(&b, 4, 18, 0, 0);
    flowctl_acquire(l, 7, 0);
    assert_counted(&b, 5, 25, 0, 0);
    flowctl_try_acquire_up_to(l, 1000);
    assert_counted(&b, 6, 100, 0, 0);

    flowctl_try_acquire(l, 1), flowctl_decide(l, 1), flowctl_try_acquire_up_to(l, 1), flowctl_reserve(l, 1, 0, NULL),
        flowctl_acquire(l, 1, 0);
    assert_counted(&b, 6, 100, 5, 0);
    flowctl_try_acquire(l, 101), flowctl_decide(l, 101), flowctl_reserve(l, 101, FLOWCTL_FOREVER, NULL),
        flowctl_acquire(l, UINT64_MAX, FLOWCTL_FOREVER);
    assert_counted(&b, 6, 100, 5, 4);
    flowctl_peek(l, 1), flowctl_peek(l, 101), flowctl_time_until(l, 1);
    assert_counted(&b, 6, 100, 5, 4);
    assert_int_equal(bucket_counters(&b).waited, 0);
    bucket_free(&b);
}

static void a_reservation_counts_its_wait(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 0);
    flowctl_reserve(b.limiter, 5, FLOWCTL_FOREVER, NULL);
    flowctl_reserve(b.limiter, 2, FLOWCTL_FOREVER, NULL);
    assert_counted(&b, 2, 7, 0, 0);
    flowctl_counters sum = bucket_counters(&b);
    assert_int_equal(sum.waited, 2);
    assert_int_equal(sum.wait_ns, 500 * FLOWCTL_NS_PER_MS + 700 * FLOWCTL_NS_PER_MS);
    bucket_free(&b);
}

/* ---- read ---- */

static void info_tells_the_state(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_minute(600), 20, 7);
    flowctl_limiter_info info = bucket_info(&b);
    assert_string_equal(info.id, "unit");
    assert_int_equal(info.rate.permits, 1);
    assert_int_equal(info.rate.period_ns, 100 * FLOWCTL_NS_PER_MS);
    assert_true(info.rate_per_sec == 10.0);
    assert_int_equal(info.burst, 20);
    assert_int_equal(info.tokens, 7);
    assert_int_equal(info.debt, 0);
    assert_int_equal(info.waiters, 0);
    assert_int_equal(info.exact_every_ns, 1);
    assert_int_equal(info.units_per_permit, 100 * FLOWCTL_NS_PER_MS);
    assert_int_equal(info.now_ns, NOW);
    assert_true(info.actual_per_sec == 0 && info.utilisation == 0);
    bucket_free(&b);
}

static void tokens_are_whole_and_never_above_the_burst(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 5, 0);
    static const struct {
        uint64_t later_ns, tokens;
    } rows[] =
        {{0, 0}, {99999999, 0}, {100000000, 1}, {199999999, 1}, {500000000, 5}, {SEC, 5}, {FLOWCTL_PERIOD_MAX_NS * 3, 5}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        flowctl_limiter_info info;
        assert_int_equal(flowctl_limiter_read_at(b.limiter, &info, NOW + rows[i].later_ns), FLOWCTL_OK);
        assert_int_equal(info.tokens, rows[i].tokens);
    }
    bucket_free(&b);
}

static void debt_is_rounded_up_and_shrinks(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 0);
    flowctl_reserve(b.limiter, 3, FLOWCTL_FOREVER, NULL);
    static const struct {
        uint64_t later_ns, debt, tokens;
    } rows[] = {{0, 3, 0}, {1, 3, 0}, {100000000, 2, 0}, {299999999, 1, 0}, {300000000, 0, 0}, {400000000, 0, 1}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        flowctl_limiter_info info;
        assert_int_equal(flowctl_limiter_read_at(b.limiter, &info, NOW + rows[i].later_ns), FLOWCTL_OK);
        assert_int_equal(info.debt, rows[i].debt);
        assert_int_equal(info.tokens, rows[i].tokens);
    }
    bucket_free(&b);
}

static void assert_rate(struct bucket *b, uint64_t later_ns, double per_sec, double utilisation) {
    flowctl_limiter_info info;
    flowctl_clock_set(b->clock, NOW + later_ns);
    assert_int_equal(flowctl_limiter_read(b->limiter, &info), FLOWCTL_OK);
    if (info.actual_per_sec != per_sec) fail_msg("actual %g, not %g", info.actual_per_sec, per_sec);
    if (info.utilisation != utilisation) fail_msg("utilisation %g, not %g", info.utilisation, utilisation);
}

/* All numbers here are exact in binary. */
static void the_actual_rate_is_that_of_the_last_seconds(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(8), 1000, 1000);
    flowctl_limiter *l = b.limiter;
    assert_rate(&b, 0, 0, 0);
    flowctl_try_acquire(l, 16);
    assert_rate(&b, 0, 0, 0);        /* no time has passed */
    assert_rate(&b, SEC / 2, 32, 4); /* above 1: a burst is used up */
    assert_rate(&b, SEC, 16, 2);
    flowctl_try_acquire(l, 16);
    assert_rate(&b, 2 * SEC, 16, 2); /* since 1 s: the first 16 lie before it */
    assert_rate(&b, 5 * SEC / 2, 16 / 1.5, 16 / 1.5 / 8);
    assert_rate(&b, 3 * SEC, 0, 0); /* since 2 s */
    flowctl_try_acquire(l, 40);
    assert_rate(&b, 13 * SEC, 4, 0.5);                 /* read seldom: since the last time */
    assert_rate(&b, 12 * SEC, 40 / 9.0, 40 / 9.0 / 8); /* a clock that steps back does no harm */
    assert_rate(&b, 0, 0, 0);
    bucket_free(&b);
}

static void reading_takes_and_counts_nothing(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(8), 10, 10);
    uint64_t word = atomic_load(&b.limiter->cell.word);
    for (int i = 0; i < 10; i++) bucket_info(&b);
    assert_true(atomic_load(&b.limiter->cell.word) == word);
    assert_counted(&b, 0, 0, 0, 0);
    bucket_free(&b);
}

/* ---- the refill hook ---- */

struct hook {
    unsigned calls, brings; /* brings permits the first so many times */
    uint64_t permits, now_ns;
};

static bool bring(flowctl_limiter *l, uint64_t permits, uint64_t now_ns, void *context) {
    struct hook *h = context;
    h->permits = permits, h->now_ns = now_ns;
    if (++h->calls > h->brings) return false;
    atomic_fetch_sub(&l->cell.word, permits * atomic_load(&l->cell.unit)); /* the tag stays: units are even */
    return true;
}

static struct bucket hooked_bucket(struct hook *h, unsigned brings) {
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 0);
    *h = (struct hook){.brings = brings};
    b.limiter->refill = bring;
    b.limiter->refill_context = h;
    return b;
}

static flowctl_decision by_try(flowctl_limiter *l, uint64_t n) {
    bool got = flowctl_try_acquire(l, n);
    return (flowctl_decision){.verdict = got ? FLOWCTL_ALLOW : FLOWCTL_DENY, .granted = got ? n : 0};
}

static const verb asking[] = {by_try, flowctl_decide, by_reserve, by_acquire};

static void the_hook_is_asked_before_a_denial_and_can_turn_it(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(asking); i++) {
        struct hook h;
        struct bucket b = hooked_bucket(&h, 1);
        flowctl_decision d = asking[i](b.limiter, 4);
        if (d.verdict != FLOWCTL_ALLOW)
            fail_msg("verb %zu: %s after %u calls of the hook", i, flowctl_verdict_name(d.verdict), h.calls);
        assert_int_equal(d.granted, 4);
        assert_int_equal(h.calls, 1);
        assert_int_equal(h.permits, 4);
        assert_int_equal(h.now_ns, NOW);
        assert_counted(&b, 1, 4, 0, 0);
        bucket_free(&b);
    }
}

static void a_hook_that_brings_nothing_leaves_a_denial(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(asking); i++) {
        struct hook h;
        struct bucket b = hooked_bucket(&h, 0);
        assert_int_equal(asking[i](b.limiter, 4).verdict, FLOWCTL_DENY);
        if (h.calls != 1) fail_msg("verb %zu: %u calls of the hook", i, h.calls);
        assert_counted(&b, 0, 0, 1, 0);
        bucket_free(&b);
    }
}

static void the_hook_brings_at_least_one_permit_for_up_to(void **state) {
    (void)state;
    struct hook h;
    struct bucket b = hooked_bucket(&h, 1);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 7), 1);
    assert_int_equal(h.calls, 1);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 7), 0);
    assert_int_equal(h.calls, 2);
    bucket_free(&b);
}

static void the_hook_is_not_asked_when_it_could_not_help(void **state) {
    (void)state;
    struct hook h;
    struct bucket b = hooked_bucket(&h, UINT32_MAX);
    flowctl_decide(b.limiter, 0);
    flowctl_peek(b.limiter, 1);
    flowctl_time_until(b.limiter, 1);
    flowctl_decide(b.limiter, 11); /* more than the burst */
    flowctl_try_acquire(b.limiter, UINT64_MAX);
    flowctl_limiter_close(b.limiter);
    flowctl_decide(b.limiter, 1);
    assert_int_equal(h.calls, 0);
    bucket_free(&b);
}

/* ---- life ---- */

static void the_id_is_copied(void **state) {
    (void)state;
    char id[300];
    static const char *const expected[] = {"", "orders", NULL};
    for (size_t i = 0; i < COUNT(expected); i++) {
        memset(id, 'x', sizeof id);
        id[sizeof id - 1] = '\0';
        if (expected[i] != NULL) strcpy(id, expected[i]);
        flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
        flowctl_limiter *l;
        flowctl_limiter_info info;
        o.rate = flowctl_per_second(1), o.burst = 1, o.id = id;
        char *kept = strdup(id);
        assert_int_equal(flowctl_token_bucket_create(&o, &l, NULL), FLOWCTL_OK);
        memset(id, '!', sizeof id - 1);
        assert_int_equal(flowctl_limiter_read(l, &info), FLOWCTL_OK);
        assert_string_equal(info.id, kept);
        flowctl_limiter_destroy(l);
        free(kept);
    }
}

static void no_id_is_an_empty_one(void **state) {
    (void)state;
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    flowctl_limiter *l;
    flowctl_limiter_info info;
    o.rate = flowctl_per_second(1), o.burst = 1;
    assert_int_equal(flowctl_token_bucket_create(&o, &l, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_limiter_read(l, &info), FLOWCTL_OK);
    assert_string_equal(info.id, "");
    flowctl_limiter_destroy(l);
}

/* What the child found; the parent asserts, for cmocka belongs to it. */
static int in_the_child(flowctl_limiter *l) {
    if (flowctl_peek(l, 1).remaining != 6) return 1;
    if (!flowctl_try_acquire(l, 6)) return 2;
    if (flowctl_try_acquire(l, 1)) return 3;
    flowctl_limiter_close(l);
    flowctl_limiter_destroy(l);
    return 0;
}

static void a_child_process_has_a_copy(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
    assert_true(flowctl_try_acquire(b.limiter, 4));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(in_the_child(b.limiter));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(bucket_info(&b).tokens, 6); /* what the child took is its own affair */
    assert_true(flowctl_try_acquire(b.limiter, 6));
    bucket_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_null_handle_is_an_invalid_argument_for_every_verb),
        cmocka_unit_test(null_is_an_invalid_argument_for_every_reading),
        cmocka_unit_test(verdicts_have_names),
        cmocka_unit_test(a_decision_nobody_filled_in_grants_nothing),
        cmocka_unit_test(after_close_every_verb_answers_closed),
        cmocka_unit_test(closed_lasts_at_every_time),
        cmocka_unit_test(a_closed_limiter_is_still_counted_but_counts_no_more),
        cmocka_unit_test(reading_a_closed_limiter_leaves_the_info_alone),
        cmocka_unit_test(a_cost_of_nothing_is_allowed_changes_nothing_and_is_not_counted),
        cmocka_unit_test(a_cost_of_nothing_is_allowed_in_debt_and_at_any_time),
        cmocka_unit_test(a_verb_with_a_clock_is_the_verb_at_the_time_of_the_clock),
        cmocka_unit_test(the_monotonic_clock_is_the_default),
        cmocka_unit_test(every_verb_counts_what_it_did_once),
        cmocka_unit_test(a_reservation_counts_its_wait),
        cmocka_unit_test(info_tells_the_state),
        cmocka_unit_test(tokens_are_whole_and_never_above_the_burst),
        cmocka_unit_test(debt_is_rounded_up_and_shrinks),
        cmocka_unit_test(the_actual_rate_is_that_of_the_last_seconds),
        cmocka_unit_test(reading_takes_and_counts_nothing),
        cmocka_unit_test(the_hook_is_asked_before_a_denial_and_can_turn_it),
        cmocka_unit_test(a_hook_that_brings_nothing_leaves_a_denial),
        cmocka_unit_test(the_hook_brings_at_least_one_permit_for_up_to),
        cmocka_unit_test(the_hook_is_not_asked_when_it_could_not_help),
        cmocka_unit_test(the_id_is_copied),
        cmocka_unit_test(no_id_is_an_empty_one),
        cmocka_unit_test(a_child_process_has_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Watching a limiter: dry run, and listeners. Nobody waits in a dry run: what would hang here has failed. */
#include "unit/fixture.h"

#include "core/limiter.h"

#define SEC FLOWCTL_NS_PER_SEC
#define MS FLOWCTL_NS_PER_MS
#define NOW FIXTURE_START_NS

static void set_ms(const struct bucket *b, uint64_t later_ms) { flowctl_clock_set(b->clock, NOW + later_ms * MS); }

/* ---- every verb through one door ---- */

typedef flowctl_decision (*verb)(flowctl_limiter *limiter, uint64_t permits);

static flowctl_decision by_try(flowctl_limiter *l, uint64_t n) {
    bool got = flowctl_try_acquire(l, n);
    return (flowctl_decision){.verdict = got ? FLOWCTL_ALLOW : FLOWCTL_DENY,
                              .granted = got ? n : 0,
                              .flags = got ? FLOWCTL_FLAG_DRY_RUN : 0};
}
static flowctl_decision by_reserve(flowctl_limiter *l, uint64_t n) { return flowctl_reserve(l, n, 0, NULL); }
static flowctl_decision by_acquire(flowctl_limiter *l, uint64_t n) { return flowctl_acquire(l, n, 0); }
static flowctl_decision by_take(flowctl_limiter *l, uint64_t n) {
    flowctl_receipt r;
    return flowctl_acquire_estimate(l, n, 0, &r);
}
static flowctl_decision by_reserve_ahead(flowctl_limiter *l, uint64_t n) {
    return flowctl_reserve(l, n, FLOWCTL_FOREVER, NULL);
}
static flowctl_decision by_waiting(flowctl_limiter *l, uint64_t n) { return flowctl_acquire(l, n, FLOWCTL_FOREVER); }
static flowctl_decision by_waiting_take(flowctl_limiter *l, uint64_t n) {
    flowctl_receipt r;
    return flowctl_acquire_estimate(l, n, FLOWCTL_FOREVER, &r);
}

/* Those that don't wait, and those that would. */
static const verb at_once[] = {by_try, flowctl_decide, by_reserve, by_acquire, by_take};
static const verb ahead[] = {by_reserve_ahead, by_waiting, by_waiting_take};

/* ---- dry run ---- */

static struct bucket dry_bucket(uint64_t there) {
    struct bucket b = bucket_new(flowctl_per_second(10), 10, there);
    assert_int_equal(flowctl_limiter_set_dry_run(b.limiter, true), FLOWCTL_OK);
    assert_true(bucket_info(&b).dry_run);
    return b;
}

static void assert_through(flowctl_decision d, uint64_t granted, uint32_t flags) {
    assert_int_equal(d.status, FLOWCTL_OK);
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_int_equal(d.granted, granted);
    assert_int_equal(d.retry_after_ns, 0);
    assert_int_equal(d.flags, flags);
}

static void assert_counted(const struct bucket *b, uint64_t allowed, uint64_t denied, uint64_t never, uint64_t through) {
    flowctl_counters sum = bucket_counters(b);
    assert_int_equal(sum.allowed, allowed);
    assert_int_equal(sum.denied, denied);
    assert_int_equal(sum.never, never);
    assert_int_equal(sum.dry_run_allowed, through);
}

static void what_would_be_denied_is_let_through_and_charges_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(at_once); i++) {
        struct bucket b = dry_bucket(3);
        uint64_t word = atomic_load(&b.limiter->cell.word);
        assert_through(at_once[i](b.limiter, 5), 5, FLOWCTL_FLAG_DRY_RUN);
        assert_counted(&b, 0, 1, 0, 1);
        assert_through(at_once[i](b.limiter, 11), 11, FLOWCTL_FLAG_DRY_RUN);
        assert_through(at_once[i](b.limiter, UINT64_MAX), UINT64_MAX, FLOWCTL_FLAG_DRY_RUN);
        assert_counted(&b, 0, 1, 2, 3);
        assert_true(atomic_load(&b.limiter->cell.word) == word);
        bucket_free(&b);
    }
}

static void what_is_there_is_charged_and_not_flagged(void **state) {
    (void)state;
    for (size_t i = 1; i < COUNT(at_once); i++) {
        struct bucket b = dry_bucket(7);
        assert_through(at_once[i](b.limiter, 5), 5, 0);
        assert_int_equal(bucket_info(&b).tokens, 2);
        assert_counted(&b, 1, 0, 0, 0);
        bucket_free(&b);
    }
    struct bucket b = dry_bucket(7);
    assert_true(flowctl_try_acquire(b.limiter, 5));
    assert_int_equal(bucket_info(&b).tokens, 2);
    assert_counted(&b, 1, 0, 0, 0);
    bucket_free(&b);
}

/* observe.h: "charged for when it would have been granted, and becomes ALLOW with the flag". */
static void what_would_wait_is_charged_ahead_and_let_through_at_once(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(ahead); i++) {
        struct bucket b = dry_bucket(3);
        assert_through(ahead[i](b.limiter, 5), 5, FLOWCTL_FLAG_DRY_RUN);
        assert_int_equal(bucket_info(&b).debt, 2);
        assert_int_equal(bucket_info(&b).waiters, 0);
        assert_counted(&b, 1, 0, 0, 0);
        assert_int_equal(bucket_counters(&b).waited, 1);
        assert_int_equal(bucket_counters(&b).wait_ns, 200 * MS);
        assert_through(ahead[i](b.limiter, 11), 11, FLOWCTL_FLAG_DRY_RUN);
        assert_counted(&b, 1, 0, 1, 1);
        bucket_free(&b);
    }
}

static void up_to_gives_all_and_charges_what_is_there(void **state) {
    (void)state;
    struct bucket b = dry_bucket(3);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 2), 2);
    assert_counted(&b, 1, 0, 0, 0);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 7), 7);
    assert_int_equal(bucket_counters(&b).allowed_permits, 3);
    assert_counted(&b, 2, 0, 0, 1);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 7), 7);
    assert_counted(&b, 2, 1, 0, 2);
    bucket_free(&b);
}

static void peek_and_time_until_say_what_would_be_answered(void **state) {
    (void)state;
    struct bucket b = dry_bucket(3);
    static const uint64_t costs[] = {3, 5, 11};
    for (size_t i = 0; i < COUNT(costs); i++) {
        assert_through(flowctl_peek(b.limiter, costs[i]), 0, costs[i] > 3 ? FLOWCTL_FLAG_DRY_RUN : 0);
        assert_int_equal(flowctl_time_until(b.limiter, costs[i]), 0);
    }
    assert_counted(&b, 0, 0, 0, 0);
    bucket_free(&b);
}

static void closed_wrong_and_paused_calls_stay_what_they_are(void **state) {
    (void)state;
    assert_int_equal(flowctl_limiter_set_dry_run(NULL, true), FLOWCTL_INVALID_ARGUMENT);
    struct bucket b = dry_bucket(3);
    flowctl_limiter_pause(b.limiter);
    for (size_t i = 1; i < COUNT(at_once); i++)
        assert_through(at_once[i](b.limiter, 1), 1, FLOWCTL_FLAG_DRY_RUN | FLOWCTL_FLAG_PAUSED);
    assert_through(by_waiting(b.limiter, 1), 1, FLOWCTL_FLAG_DRY_RUN | FLOWCTL_FLAG_PAUSED);
    assert_int_equal(bucket_info(&b).tokens, 3);
    flowctl_limiter_close(b.limiter);
    for (size_t i = 1; i < COUNT(at_once); i++) {
        assert_int_equal(at_once[i](b.limiter, 5).status, FLOWCTL_CLOSED);
        assert_int_equal(at_once[i](NULL, 5).status, FLOWCTL_INVALID_ARGUMENT);
    }
    assert_false(flowctl_try_acquire(b.limiter, 5));
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 5), 0);
    bucket_free(&b);
}

static void it_can_be_turned_on_and_off_in_use(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(atomic_load(&b.limiter->cell.plain));
        assert_false(flowctl_try_acquire(b.limiter, 5));
        flowctl_limiter_set_dry_run(b.limiter, true);
        assert_false(atomic_load(&b.limiter->cell.plain));
        assert_true(flowctl_try_acquire(b.limiter, 5));
        flowctl_limiter_set_dry_run(b.limiter, true);
        flowctl_limiter_set_dry_run(b.limiter, false);
        assert_false(bucket_info(&b).dry_run);
    }
    assert_true(flowctl_try_acquire(b.limiter, 3)); /* nothing was charged meanwhile */
    bucket_free(&b);
}

static void who_waits_already_goes_on_waiting(void **state) {
    (void)state;
    struct caller a;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 0);
    caller_start_asleep(&a, &b, 3);
    flowctl_limiter_set_dry_run(b.limiter, true);
    set_ms(&b, 299);
    assert_int_equal(flowctl_clock_sleepers(b.clock), 1);
    set_ms(&b, 300);
    flowctl_decision d = caller_join(&a);
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_int_equal(d.flags, 0);
    bucket_free(&b);
}

/* ---- listeners ---- */

enum kind { ALLOWED, DENIED, NEAR };

struct heard {
    enum kind kind;
    uint64_t permits; /* or what remains */
    flowctl_decision decision;
    pthread_t thread;
    flowctl_limiter *limiter;
};

struct ear {
    flowctl_listener listener;
    struct heard heard[64];
    atomic_uint count;
    unsigned depth; /* how deep its callbacks ask again */
};

static struct heard *hear(struct ear *e, enum kind kind, flowctl_limiter *l, uint64_t permits) {
    struct heard *h = &e->heard[atomic_load(&e->count)];
    assert_true(atomic_load(&e->count) < COUNT(e->heard));
    *h = (struct heard){.kind = kind, .permits = permits, .thread = pthread_self(), .limiter = l};
    return h;
}

static void on_allowed(void *context, flowctl_limiter *l, uint64_t permits, const flowctl_decision *d) {
    struct ear *e = context;
    hear(e, ALLOWED, l, permits)->decision = *d;
    atomic_fetch_add(&e->count, 1);
    if (e->depth > 0) e->depth--, flowctl_decide(l, 1);
}
static void on_denied(void *context, flowctl_limiter *l, uint64_t permits, const flowctl_decision *d) {
    struct ear *e = context;
    hear(e, DENIED, l, permits)->decision = *d;
    atomic_fetch_add(&e->count, 1);
    if (e->depth > 0) e->depth--, flowctl_reserve(l, 1, FLOWCTL_FOREVER, NULL);
}
static void on_near_limit(void *context, flowctl_limiter *l, uint64_t remaining) {
    struct ear *e = context;
    hear(e, NEAR, l, remaining);
    atomic_fetch_add(&e->count, 1);
}

static void listen(struct ear *e, const struct bucket *b) {
    memset(e, 0, sizeof *e);
    e->listener = (flowctl_listener){sizeof e->listener, e, on_allowed, on_denied, NULL, 0, NULL};
    assert_int_equal(flowctl_limiter_set_listener(b->limiter, &e->listener), FLOWCTL_OK);
}

/* Heard once more, on this thread. */
static const flowctl_decision *assert_heard(const struct ear *e, unsigned number, enum kind kind, flowctl_limiter *l,
                                            uint64_t permits) {
    const struct heard *h = &e->heard[number];
    assert_int_equal(atomic_load(&e->count), number + 1);
    assert_int_equal(h->kind, kind);
    assert_int_equal(h->permits, permits);
    assert_ptr_equal(h->limiter, l);
    assert_true(pthread_equal(h->thread, pthread_self()));
    return &h->decision;
}

static void each_decision_is_told_once_as_it_was(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(at_once); i++) {
        static struct ear e;
        struct bucket b = bucket_new(flowctl_per_second(10), 10, 7);
        listen(&e, &b);
        at_once[i](b.limiter, 5);
        const flowctl_decision *d = assert_heard(&e, 0, ALLOWED, b.limiter, 5);
        assert_true(d->verdict == FLOWCTL_ALLOW && d->granted == 5 && d->remaining == 2 && d->retry_after_ns == 0 &&
                    d->now_ns == NOW);
        at_once[i](b.limiter, 5);
        d = assert_heard(&e, 1, DENIED, b.limiter, 5);
        assert_true(d->verdict == FLOWCTL_DENY && d->granted == 0 && d->remaining == 2 && d->retry_after_ns == 300 * MS);
        at_once[i](b.limiter, 11);
        d = assert_heard(&e, 2, DENIED, b.limiter, 11);
        assert_true(d->verdict == FLOWCTL_NEVER && d->retry_after_ns == FLOWCTL_FOREVER);
        at_once[i](b.limiter, 0);
        flowctl_limiter_close(b.limiter);
        at_once[i](b.limiter, 1);
        assert_int_equal(atomic_load(&e.count), 3); /* asking for nothing, or of a closed limiter, is no decision */
        bucket_free(&b);
    }
}

/* The decision that is told of up_to is one: an ALLOW needs no retry. */
static void up_to_tells_what_it_got(void **state) {
    (void)state;
    static struct ear e;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 7);
    listen(&e, &b);
    flowctl_try_acquire_up_to(b.limiter, 3);
    const flowctl_decision *d = assert_heard(&e, 0, ALLOWED, b.limiter, 3);
    assert_true(d->verdict == FLOWCTL_ALLOW && d->granted == 3 && d->remaining == 4 && d->retry_after_ns == 0);
    flowctl_try_acquire_up_to(b.limiter, 9);
    d = assert_heard(&e, 1, ALLOWED, b.limiter, 4);
    assert_true(d->verdict == FLOWCTL_ALLOW && d->granted == 4 && d->remaining == 0);
    uint64_t retry_after_ns = d->retry_after_ns;
    flowctl_try_acquire_up_to(b.limiter, 9);
    d = assert_heard(&e, 2, DENIED, b.limiter, 9);
    assert_true(d->verdict == FLOWCTL_DENY && d->granted == 0 && d->retry_after_ns == 100 * MS);
    bucket_free(&b);
    assert_int_equal(retry_after_ns, 0);
}

static void a_reservation_is_told_when_it_is_booked(void **state) {
    (void)state;
    static struct ear e;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 0);
    flowctl_reservation r;
    listen(&e, &b);
    flowctl_reserve(b.limiter, 5, FLOWCTL_FOREVER, &r);
    const flowctl_decision *d = assert_heard(&e, 0, ALLOWED, b.limiter, 5);
    assert_true(d->verdict == FLOWCTL_DELAY && d->retry_after_ns == 500 * MS && d->now_ns == NOW + 500 * MS);
    flowctl_cancel(&r);
    bucket_free(&b);
}

static void only_decisions_are_told(void **state) {
    (void)state;
    static struct ear e;
    flowctl_reservation r;
    flowctl_receipt receipt;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 7);
    flowctl_acquire_estimate(b.limiter, 2, 0, &receipt);
    flowctl_reserve(b.limiter, 10, FLOWCTL_FOREVER, &r);
    listen(&e, &b);
    flowctl_peek(b.limiter, 1), flowctl_time_until(b.limiter, 1), bucket_info(&b), bucket_counters(&b);
    flowctl_cancel(&r), flowctl_settle(&receipt, 5);
    flowctl_set_burst(b.limiter, 20, NULL), flowctl_limiter_pause(b.limiter), flowctl_limiter_resume(b.limiter),
        flowctl_limiter_reset(b.limiter);
    assert_int_equal(atomic_load(&e.count), 0);
    bucket_free(&b);
}

static void one_that_waited_tells_it_by_its_own_thread(void **state) {
    (void)state;
    static struct ear e;
    struct caller a;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 0);
    listen(&e, &b);
    caller_start_asleep(&a, &b, 3);
    assert_int_equal(atomic_load(&e.count), 0);
    set_ms(&b, 300);
    caller_join(&a);
    assert_int_equal(atomic_load(&e.count), 1);
    assert_true(e.heard[0].kind == ALLOWED && pthread_equal(e.heard[0].thread, a.thread));
    assert_int_equal(e.heard[0].decision.now_ns, NOW + 300 * MS);
    bucket_free(&b);
}

/* With no lock held: a callback may use the limiter it is told of. */
static void callbacks_may_call_verbs_of_the_same_limiter(void **state) {
    (void)state;
    static struct ear e;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 5);
    listen(&e, &b);
    e.depth = 3;
    assert_int_equal(flowctl_decide(b.limiter, 2).remaining, 3); /* as it was when it decided */
    assert_int_equal(atomic_load(&e.count), 4);
    assert_int_equal(bucket_info(&b).tokens, 0);
    e.depth = 2; /* the denial books one, which is told as a grant, whose callback asks again */
    assert_int_equal(flowctl_decide(b.limiter, 1).verdict, FLOWCTL_DENY);
    assert_int_equal(atomic_load(&e.count), 7);
    assert_int_equal(bucket_info(&b).debt, 1);
    bucket_free(&b);
}

static void in_a_dry_run_it_is_told_as_it_would_have_been(void **state) {
    (void)state;
    static struct ear e;
    struct bucket b = dry_bucket(3);
    listen(&e, &b);
    assert_int_equal(flowctl_decide(b.limiter, 5).verdict, FLOWCTL_ALLOW);
    const flowctl_decision *d = assert_heard(&e, 0, DENIED, b.limiter, 5);
    assert_true(d->verdict == FLOWCTL_DENY && d->granted == 0 && d->retry_after_ns == 200 * MS && d->flags == 0);
    bucket_free(&b);
}

/* ---- near the limit ---- */

struct step {
    uint64_t advance_ms, take;
    unsigned calls; /* so far */
};

static void assert_near(uint64_t near, const struct step *steps, size_t count) {
    static struct ear e;
    struct bucket b = bucket_new(flowctl_per_second(10), 100, 100);
    listen(&e, &b);
    e.listener.on_allowed = NULL, e.listener.on_denied = NULL, e.listener.on_near_limit = on_near_limit;
    e.listener.near_limit_permits = near;
    assert_int_equal(flowctl_limiter_set_listener(b.limiter, &e.listener), FLOWCTL_OK);
    for (size_t i = 0; i < count; i++) {
        flowctl_clock_advance(b.clock, steps[i].advance_ms * MS);
        flowctl_decision d = flowctl_decide(b.limiter, steps[i].take);
        unsigned calls = atomic_load(&e.count);
        if (calls != steps[i].calls) fail_msg("near %ju, step %zu: %u calls, not %u", near, i, calls, steps[i].calls);
        if (i > 0 && steps[i].calls > steps[i - 1].calls) assert_heard(&e, calls - 1, NEAR, b.limiter, d.remaining);
    }
    bucket_free(&b);
}

static void near_the_limit_is_told_once_until_twice_as_much_was_there(void **state) {
    (void)state;
    static const struct step steps[] = {
        {0, 79, 0},    /* 21 are left */
        {0, 1, 1},     /* 20 */
        {0, 1, 1},     /* 19: told already */
        {0, 19, 1},    /* 0 */
        {0, 1, 1},     /* a denial tells nothing */
        {3900, 38, 1}, /* from 39 to 1: not twice as much */
        {3900, 40, 2}, /* from 40 to 0 */
        {2000, 20, 2}, /* from 20 */
        {4000, 1, 2},  /* from 40 to 39 */
        {0, 39, 3},
    };
    assert_near(20, steps, COUNT(steps));
}

static void or_until_a_full_burst_was_there(void **state) {
    (void)state;
    static const struct step high[] = {
        {0, 39, 0},     /* 61 are left */
        {0, 1, 1},      /* 60 */
        {3900, 39, 1},  /* from 99 */
        {4000, 40, 2},  /* from 100, a full bucket: told again */
        {100000, 1, 2}, /* from full to 99 */
        {0, 39, 3},
    };
    assert_near(60, high, COUNT(high));
    static const struct step nothing[] = {{0, 99, 0}, {0, 1, 1}, {0, 1, 1}, {100, 1, 2}, {200, 1, 2}, {0, 1, 3}};
    assert_near(0, nothing, COUNT(nothing));
    static const struct step always[] = {{0, 1, 1}, {0, 1, 1}, {100000, 1, 2}};
    assert_near(1000, always, COUNT(always));
}

/* ---- setting it ---- */

static void it_can_be_replaced_and_unset_in_use(void **state) {
    (void)state;
    static struct ear first, second;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
    listen(&first, &b);
    assert_false(atomic_load(&b.limiter->cell.plain));
    flowctl_try_acquire(b.limiter, 1);
    listen(&second, &b);
    flowctl_try_acquire(b.limiter, 1);
    assert_int_equal(flowctl_limiter_set_listener(b.limiter, NULL), FLOWCTL_OK);
    assert_true(atomic_load(&b.limiter->cell.plain)); /* the plain path again */
    flowctl_try_acquire(b.limiter, 1);
    assert_true(atomic_load(&first.count) == 1 && atomic_load(&second.count) == 1);
    listen(&first, &b);
    flowctl_limiter_set_dry_run(b.limiter, true);
    flowctl_limiter_set_listener(b.limiter, NULL);
    assert_false(atomic_load(&b.limiter->cell.plain)); /* a dry run is not plain either */
    flowctl_limiter_set_dry_run(b.limiter, false);
    assert_true(atomic_load(&b.limiter->cell.plain));
    bucket_free(&b);
}

static void a_listener_without_callbacks_does_no_harm(void **state) {
    (void)state;
    const flowctl_listener nobody = {.size = sizeof nobody, .near_limit_permits = 100};
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 5);
    assert_int_equal(flowctl_limiter_set_listener(b.limiter, &nobody), FLOWCTL_OK);
    assert_true(flowctl_try_acquire(b.limiter, 3));
    assert_false(flowctl_try_acquire(b.limiter, 3));
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 3), 2);
    bucket_free(&b);
}

static void a_listener_of_another_size_is_refused(void **state) {
    (void)state;
    static struct ear e, wrong;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
    assert_int_equal(flowctl_limiter_set_listener(NULL, NULL), FLOWCTL_INVALID_ARGUMENT);
    listen(&e, &b);
    wrong.listener = e.listener, wrong.listener.context = &wrong;
    static const size_t sizes[] = {0, 1, sizeof(flowctl_listener) - 1, sizeof(flowctl_listener) + 1, SIZE_MAX};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        wrong.listener.size = sizes[i];
        assert_int_equal(flowctl_limiter_set_listener(b.limiter, &wrong.listener), FLOWCTL_BAD_SIZE);
    }
    flowctl_decide(b.limiter, 1); /* and the one before stays */
    assert_int_equal(atomic_load(&e.count), 1);
    assert_int_equal(atomic_load(&wrong.count), 0);
    bucket_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_would_be_denied_is_let_through_and_charges_nothing),
        cmocka_unit_test(what_is_there_is_charged_and_not_flagged),
        cmocka_unit_test(what_would_wait_is_charged_ahead_and_let_through_at_once),
        cmocka_unit_test(up_to_gives_all_and_charges_what_is_there),
        cmocka_unit_test(peek_and_time_until_say_what_would_be_answered),
        cmocka_unit_test(closed_wrong_and_paused_calls_stay_what_they_are),
        cmocka_unit_test(it_can_be_turned_on_and_off_in_use),
        cmocka_unit_test(who_waits_already_goes_on_waiting),
        cmocka_unit_test(each_decision_is_told_once_as_it_was),
        cmocka_unit_test(up_to_tells_what_it_got),
        cmocka_unit_test(a_reservation_is_told_when_it_is_booked),
        cmocka_unit_test(only_decisions_are_told),
        cmocka_unit_test(one_that_waited_tells_it_by_its_own_thread),
        cmocka_unit_test(callbacks_may_call_verbs_of_the_same_limiter),
        cmocka_unit_test(in_a_dry_run_it_is_told_as_it_would_have_been),
        cmocka_unit_test(near_the_limit_is_told_once_until_twice_as_much_was_there),
        cmocka_unit_test(or_until_a_full_burst_was_there),
        cmocka_unit_test(it_can_be_replaced_and_unset_in_use),
        cmocka_unit_test(a_listener_without_callbacks_does_no_harm),
        cmocka_unit_test(a_listener_of_another_size_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Booking ahead and cancelling. One permit every 100 ms, nothing there: what is booked is due at the sum of all before it. */
#include "unit/fixture.h"

#include "core/limiter.h"
#include "support/oracle.h"
#include "support/seed.h"

#define SEC FLOWCTL_NS_PER_SEC
#define MS FLOWCTL_NS_PER_MS
#define NOW FIXTURE_START_NS

static struct bucket empty_bucket(void) { return bucket_new(flowctl_per_second(10), 10, 0); }

static uint64_t word_of(const struct bucket *b) { return atomic_load(&b->limiter->cell.word); }

static void set_ms(const struct bucket *b, uint64_t later_ms) { flowctl_clock_set(b->clock, NOW + later_ms * MS); }

/* Books, due at `due_ms`. */
static flowctl_reservation booked(const struct bucket *b, uint64_t permits, uint64_t due_ms) {
    flowctl_reservation r;
    uint64_t now_ns = flowctl_clock_now(b->clock);
    flowctl_decision d = flowctl_reserve(b->limiter, permits, FLOWCTL_FOREVER, &r);
    assert_int_equal(d.status, FLOWCTL_OK);
    assert_int_equal(d.verdict, FLOWCTL_DELAY);
    assert_int_equal(d.granted, permits);
    assert_int_equal((d.now_ns - NOW) / MS, due_ms);
    assert_int_equal((d.now_ns - NOW) % MS, 0);
    assert_int_equal(d.retry_after_ns, d.now_ns - now_ns);
    assert_int_equal(r.permits, permits);
    assert_int_equal(flowctl_reservation_due_ns(&r), d.now_ns);
    return r;
}

static void assert_next_ms(const struct bucket *b, uint64_t ms) {
    assert_int_equal(flowctl_time_until(b->limiter, 1), ms * MS);
}

static void assert_lost(const struct bucket *b, uint64_t cancelled, uint64_t expired) {
    assert_int_equal(bucket_counters(b).cancelled_permits, cancelled);
    assert_int_equal(bucket_counters(b).expired_permits, expired);
}

/* ---- the latest ---- */

static void the_latest_that_is_cancelled_was_never_there(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    uint64_t word = word_of(&b);
    flowctl_reservation r = booked(&b, 3, 300);
    assert_int_equal(flowctl_cancel(&r), 3);
    assert_true(word_of(&b) == word);
    assert_next_ms(&b, 100);
    assert_lost(&b, 3, 0);
    bucket_free(&b);
}

static void cancelling_from_the_end_leaves_no_trace(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    flowctl_reservation r[10];
    uint64_t words[10];
    for (uint64_t i = 0; i < 10; i++) words[i] = word_of(&b), r[i] = booked(&b, i + 1, 50 * (i + 1) * (i + 2));
    for (size_t i = 10; i-- > 0;) {
        assert_int_equal(flowctl_cancel(&r[i]), i + 1);
        assert_true(word_of(&b) == words[i]);
    }
    assert_lost(&b, 55, 0);
    set_ms(&b, 1000);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 100), 10); /* all that time has made */
    bucket_free(&b);
}

/* The room of one that was cancelled earlier goes back with the tail. */
static void room_at_the_end_goes_back_whatever_the_order(void **state) {
    (void)state;
    static const size_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < COUNT(orders); i++) {
        struct bucket b = empty_bucket();
        uint64_t word = word_of(&b);
        flowctl_reservation r[3] = {booked(&b, 3, 300), booked(&b, 4, 700), booked(&b, 2, 900)};
        for (size_t k = 0; k < 3; k++) assert_true(flowctl_cancel(&r[orders[i][k]]) > 0);
        assert_true(word_of(&b) == word);
        assert_lost(&b, 9, 0);
        bucket_free(&b);
    }
}

static void half_of_what_was_there_comes_back_too(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 4);
    flowctl_reservation r = booked(&b, 10, 600);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 1), 0);
    set_ms(&b, 150);
    assert_int_equal(flowctl_cancel(&r), 10);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 100), 5);
    assert_next_ms(&b, 50);
    bucket_free(&b);
}

/* Somebody with a later time was granted something behind it: it can't go back into the word, and is lost. */
static void the_latest_with_a_grant_behind_it_is_lost_and_counted(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    flowctl_reservation r = booked(&b, 5, 500);
    assert_true(flowctl_try_acquire_at(b.limiter, 3, NOW + 900 * MS));
    assert_int_equal(flowctl_cancel(&r), 5);
    assert_lost(&b, 5, 5);
    assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, 100, NOW + 1000 * MS), 2);
    bucket_free(&b);
}

/* ---- in the middle ---- */

static void a_place_goes_to_the_next_that_fits(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    booked(&b, 2, 200);
    flowctl_reservation middle = booked(&b, 4, 600), last = booked(&b, 3, 900);
    assert_int_equal(flowctl_cancel(&middle), 4);
    assert_int_equal(flowctl_reservation_due_ns(&last), NOW + 900 * MS); /* keeps its time */
    assert_next_ms(&b, 1000);                                            /* and the word stays */
    booked(&b, 5, 1400);                                                 /* too large: behind all */
    booked(&b, 3, 500);                                                  /* fits */
    booked(&b, 2, 1600);                                                 /* one is left: too few */
    booked(&b, 1, 600);                                                  /* the remainder, to the end */
    booked(&b, 1, 1700);
    set_ms(&b, 2000);
    assert_true(flowctl_try_acquire(b.limiter, 1));
    assert_lost(&b, 4, 0);
    bucket_free(&b);
}

static void a_place_of_the_exact_size_is_filled(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    flowctl_reservation r[4] = {booked(&b, 4, 400), booked(&b, 4, 800), booked(&b, 4, 1200), booked(&b, 4, 1600)};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(flowctl_cancel(&r[i]), 4);
        r[i] = booked(&b, 4, 400 * (i + 1));
    }
    assert_int_equal(flowctl_cancel(&r[1]) + flowctl_cancel(&r[2]), 8);
    booked(&b, 8, 1200); /* two places side by side are one */
    assert_lost(&b, 20, 0);
    bucket_free(&b);
}

static void a_place_that_is_due_already_can_be_had_at_once(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    flowctl_reservation first = booked(&b, 5, 500);
    booked(&b, 5, 1000);
    set_ms(&b, 300);
    assert_int_equal(flowctl_cancel(&first), 5);
    assert_false(flowctl_try_acquire(b.limiter, 1)); /* the word lies ahead: only the slow path looks between */
    flowctl_reservation r;
    flowctl_decision d = flowctl_reserve(b.limiter, 3, 0, &r);
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_int_equal(d.now_ns, NOW + 300 * MS);
    assert_int_equal(d.retry_after_ns, 0);
    assert_int_equal(flowctl_cancel(&r), 0);         /* used at once: nothing to cancel */
    d = flowctl_acquire(b.limiter, 1, 100 * MS - 1); /* or hangs */
    assert_int_equal(d.verdict, FLOWCTL_DENY);       /* its fourth permit comes at 400 */
    assert_int_equal(d.retry_after_ns, 100 * MS);
    booked(&b, 2, 500);
    bucket_free(&b);
}

static void a_place_too_late_for_the_wait_is_denied_with_its_time(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    booked(&b, 3, 300);
    flowctl_reservation middle = booked(&b, 3, 600);
    booked(&b, 3, 900);
    assert_int_equal(flowctl_cancel(&middle), 3);
    flowctl_decision d = flowctl_reserve(b.limiter, 2, 500 * MS - 1, NULL);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.retry_after_ns, 500 * MS);
    assert_int_equal(d.now_ns, NOW);
    booked(&b, 3, 600); /* the denial took nothing of it */
    assert_lost(&b, 3, 0);
    bucket_free(&b);
}

static void a_place_that_nobody_takes_expires_and_is_counted(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    booked(&b, 2, 200);
    flowctl_reservation middle = booked(&b, 4, 600), last = booked(&b, 3, 900);
    assert_int_equal(flowctl_cancel(&middle), 4);
    booked(&b, 1, 300);
    set_ms(&b, 899);
    assert_int_equal(flowctl_reservation_due_ns(&last), NOW + 900 * MS);
    assert_lost(&b, 4, 0);
    set_ms(&b, 900);
    assert_int_equal(flowctl_reservation_due_ns(&last), 0);
    assert_lost(&b, 4, 3);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 100), 0); /* nothing comes of it */
    set_ms(&b, 1000);
    assert_int_equal(flowctl_try_acquire_up_to(b.limiter, 100), 1);
    bucket_free(&b);
}

/* Never a burst more than the limit, though the room is older than a burst. */
static void room_further_back_than_the_burst_is_gone(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    flowctl_reservation r[3] = {booked(&b, 10, 1000), booked(&b, 10, 2000), booked(&b, 10, 3000)};
    assert_int_equal(flowctl_cancel(&r[0]) + flowctl_cancel(&r[1]), 20);
    set_ms(&b, 1900);
    flowctl_reservation a;
    assert_int_equal(flowctl_reserve(b.limiter, 10, 0, &a).verdict, FLOWCTL_ALLOW); /* of 19 that time made, a burst of 10 */
    assert_int_equal(flowctl_reserve(b.limiter, 1, 0, &a).verdict, FLOWCTL_DENY);
    booked(&b, 1, 2000);
    bucket_free(&b);
}

#define MOST 3

/* Books and cancels, with a change of the limit in between, and returns what it admits, all at one moment. */
static void book_and_cancel(const struct bucket *b, const struct oracle_limit *limit, uint64_t *random,
                            struct oracle_log *log) {
    flowctl_reservation r[12];
    for (size_t k = 0; k < COUNT(r); k++) {
        uint64_t permits = test_below(random, 2) == 0 ? MOST : 1 + test_below(random, MOST);
        if (k == COUNT(r) / 2) flowctl_set_limit(b->limiter, flowctl_per_second(limit->permits), limit->burst, NULL);
        flowctl_reserve(b->limiter, permits, FLOWCTL_FOREVER, &r[k]);
        if (k > 1 && test_below(random, 3) == 0) flowctl_cancel(&r[test_below(random, k)]);
    }
    for (size_t k = 0; k < COUNT(r); k++) {
        uint64_t due_ns = flowctl_reservation_due_ns(&r[k]);
        if (due_ns != 0) oracle_record(log, due_ns, r[k].permits);
    }
}

/* Whole bursts, at rates that are whole at no nanosecond. */
static void places_that_are_taken_again_keep_the_limit_to_the_last_unit(void **state) {
    (void)state;
    uint64_t random = test_seed("reservations_places");
    unsigned over = 0;
    for (int i = 0; i < 20000; i++) {
        struct oracle_limit limit = {test_magnitude(&random, UINT64_C(10000000000)), SEC, MOST + test_below(&random, 3)};
        struct bucket b = bucket_new(flowctl_per_second(10), 10, 0);
        struct oracle_log log = {NULL, 0, 0};
        book_and_cancel(&b, &limit, &random, &log);
        struct oracle_verdict v = oracle_judge(&log, &limit);
        if (v.excess > 0 && over++ == 0) oracle_passes("the first", &log, &limit);
        oracle_free(&log);
        bucket_free(&b);
    }
    if (over != 0) fail_msg("%u of 20000 are over the limit", over);
}

/* ---- once ---- */

static void cancelling_twice_gives_back_once_also_by_copies(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    flowctl_reservation r = booked(&b, 3, 300), copy = r;
    assert_int_equal(flowctl_cancel(&r), 3);
    assert_int_equal(flowctl_cancel(&r), 0);
    assert_int_equal(flowctl_cancel(&copy), 0);
    flowctl_reservation next = booked(&b, 3, 300); /* takes over the memory of the first */
    assert_int_equal(flowctl_cancel(&r), 0);
    assert_int_equal(flowctl_cancel(&copy), 0);
    assert_int_equal(flowctl_reservation_due_ns(&copy), 0);
    assert_int_equal(flowctl_cancel(&next), 3);
    assert_lost(&b, 6, 0);
    bucket_free(&b);
}

static void after_it_was_due_nothing_is_given_back(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    flowctl_reservation r = booked(&b, 3, 300);
    assert_int_equal(flowctl_cancel_at(&r, NOW + 300 * MS), 0);
    assert_int_equal(flowctl_cancel_at(&r, NOW), 0); /* and looking back does not undo it */
    assert_int_equal(flowctl_reservation_due_ns(&r), 0);
    assert_lost(&b, 0, 0);
    r = booked(&b, 2, 500);
    assert_int_equal(flowctl_cancel_at(&r, NOW + 500 * MS - 1), 2);
    bucket_free(&b);
}

static void after_close_nothing_is_given_back(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    flowctl_reservation r = booked(&b, 3, 300);
    flowctl_limiter_close(b.limiter);
    assert_int_equal(flowctl_cancel(&r), 0);
    assert_true(flowctl_reservation_due_ns(&r) == FLOWCTL_FOREVER);
    assert_lost(&b, 0, 0);
    bucket_free(&b);
}

static void null_zeroed_and_refused_reservations_are_nothing(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    flowctl_reservation zeroed = {0}, r;
    assert_int_equal(flowctl_cancel(NULL) + flowctl_cancel_at(NULL, NOW) + flowctl_reservation_due_ns(NULL), 0);
    assert_int_equal(flowctl_cancel(&zeroed) + flowctl_cancel_at(&zeroed, NOW) + flowctl_reservation_due_ns(&zeroed), 0);
    static const struct {
        uint64_t permits, max_wait_ns;
        flowctl_verdict verdict;
    } rows[] = {{1, 0, FLOWCTL_DENY}, {11, FLOWCTL_FOREVER, FLOWCTL_NEVER}, {0, 0, FLOWCTL_ALLOW}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        memset(&r, 0x5a, sizeof r);
        assert_int_equal(flowctl_reserve(b.limiter, rows[i].permits, rows[i].max_wait_ns, &r).verdict, rows[i].verdict);
        assert_int_equal(flowctl_cancel(&r), 0);
        assert_int_equal(flowctl_reservation_due_ns(&r), 0);
    }
    memset(&r, 0x5a, sizeof r);
    assert_int_equal(flowctl_reserve(NULL, 1, 0, &r).status, FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_cancel(&r), 0);
    assert_int_equal(flowctl_reserve(b.limiter, 2, FLOWCTL_FOREVER, NULL).verdict, FLOWCTL_DELAY); /* never to be cancelled */
    assert_next_ms(&b, 300);
    bucket_free(&b);
}

#define RACERS 4
#define RACES 2000

struct race {
    pthread_barrier_t start;
    flowctl_reservation reservations[RACES];
    uint64_t given_back[RACERS];
};

struct racer {
    struct race *race;
    size_t number;
};

static void *cancel_all(void *argument) {
    struct racer *me = argument;
    pthread_barrier_wait(&me->race->start);
    for (size_t i = 0; i < RACES; i++) {
        flowctl_reservation own = me->race->reservations[i];
        me->race->given_back[me->number] += flowctl_cancel(&own);
    }
    return NULL;
}

static void of_threads_that_race_exactly_one_gives_back(void **state) {
    (void)state;
    static struct race race;
    struct racer racers[RACERS];
    pthread_t threads[RACERS];
    uint64_t sum = 0;
    struct bucket b = empty_bucket();
    uint64_t word = word_of(&b);
    for (size_t i = 0; i < RACES; i++) race.reservations[i] = booked(&b, 1, 100 * (i + 1));
    assert_int_equal(pthread_barrier_init(&race.start, NULL, RACERS), 0);
    for (size_t i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){&race, i};
        race.given_back[i] = 0;
        assert_int_equal(pthread_create(&threads[i], NULL, cancel_all, &racers[i]), 0);
    }
    for (size_t i = 0; i < RACERS; i++) pthread_join(threads[i], NULL), sum += race.given_back[i];
    pthread_barrier_destroy(&race.start);
    assert_int_equal(sum, RACES);
    assert_true(word_of(&b) == word);
    assert_lost(&b, RACES, 0);
    bucket_free(&b);
}

/* ---- with threads that wait ---- */

static void threads_that_wait_move_up_into_the_place(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    struct caller a, c;
    flowctl_reservation r = booked(&b, 5, 500);
    caller_start_asleep(&a, &b, 3);
    caller_start_asleep(&c, &b, 2);
    assert_int_equal(flowctl_cancel(&r), 5);
    AWAIT(flowctl_clock_sleepers(b.clock) == 2);
    assert_next_ms(&b, 600);
    set_ms(&b, 300);
    assert_int_equal(caller_join(&a).now_ns, NOW + 300 * MS);
    set_ms(&b, 500);
    assert_int_equal(caller_join(&c).now_ns, NOW + 500 * MS);
    assert_lost(&b, 5, 0);
    bucket_free(&b);
}

static void they_pass_a_reservation_only_if_they_fit_before_it(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    struct caller small, large;
    flowctl_reservation first = booked(&b, 3, 300), told = booked(&b, 2, 500);
    caller_start_asleep(&large, &b, 4); /* 900 */
    caller_start_asleep(&small, &b, 2); /* 1100 */
    assert_int_equal(flowctl_cancel(&first), 3);
    AWAIT(flowctl_clock_sleepers(b.clock) == 2);
    assert_int_equal(flowctl_reservation_due_ns(&told), NOW + 500 * MS);
    assert_next_ms(&b, 1200); /* large does not fit, and small does not overtake large */
    set_ms(&b, 900);
    assert_int_equal(caller_join(&large).now_ns, NOW + 900 * MS);
    set_ms(&b, 1100);
    assert_int_equal(caller_join(&small).now_ns, NOW + 1100 * MS);
    bucket_free(&b);
}

static void a_newcomer_takes_a_place_only_behind_those_that_wait(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    struct caller waiting, newcomer;
    flowctl_reservation first = booked(&b, 3, 300);
    booked(&b, 2, 500);
    caller_start_asleep(&waiting, &b, 4); /* 900 */
    assert_int_equal(flowctl_cancel(&first), 3);
    caller_start_asleep(&newcomer, &b, 1); /* fits at 100, but has come later than one that waits */
    booked(&b, 3, 300);                    /* a reservation may */
    set_ms(&b, 900);
    assert_int_equal(caller_join(&waiting).now_ns, NOW + 900 * MS);
    set_ms(&b, 1000);
    assert_int_equal(caller_join(&newcomer).now_ns, NOW + 1000 * MS);
    bucket_free(&b);
}

/* ---- memory ---- */

static void each_allocation_of_a_reservation_may_fail(void **state) {
    (void)state;
    for (unsigned n = 2; n < 6; n++) { /* the first is the limiter's own */
        struct counted c;
        counted_init(&c);
        c.fail_at = n;
        flowctl_token_bucket_options o = bucket_options(flowctl_per_second(10), 10, 0);
        o.allocator = &c.allocator;
        struct bucket b = bucket_with(o);
        uint64_t due_ms = 0;
        for (unsigned failed = 0; failed == 0;) {
            flowctl_reservation r = {.ticket = 7};
            uint64_t word = word_of(&b);
            flowctl_decision d = flowctl_reserve(b.limiter, 1, FLOWCTL_FOREVER, &r);
            if (d.verdict == FLOWCTL_DELAY) due_ms += 100;
            if (d.status == FLOWCTL_OK) continue;
            assert_int_equal(d.status, FLOWCTL_NO_MEMORY);
            assert_int_equal(d.verdict, FLOWCTL_DENY);
            assert_int_equal(d.granted, 0);
            assert_true(d.retry_after_ns == FLOWCTL_FOREVER);
            assert_int_equal(flowctl_cancel(&r), 0);
            assert_true(word_of(&b) == word);
            failed = 1;
        }
        booked(&b, 1, due_ms + 100); /* and once there is memory it goes on */
        bucket_free(&b);
        assert_int_equal(c.blocks + c.bytes + c.wrong_releases, 0);
    }
}

static void thousands_of_reservations_reuse_their_memory(void **state) {
    (void)state;
    enum { MANY = 5000 };
    static flowctl_reservation r[MANY];
    struct counted c;
    counted_init(&c);
    flowctl_token_bucket_options o = bucket_options(flowctl_per_second(10), 10, 0);
    o.allocator = &c.allocator;
    struct bucket b = bucket_with(o);
    uint64_t now_ns = NOW;
    size_t peak = 0;
    for (int round = 0; round < 4; round++) {
        flowctl_try_acquire_up_to_at(b.limiter, 10, now_ns);
        for (size_t i = 0; i < MANY; i++)
            assert_int_equal(flowctl_reserve_at(b.limiter, 1, FLOWCTL_FOREVER, &r[i], now_ns).verdict, FLOWCTL_DELAY);
        if (round == 0) peak = c.bytes;
        assert_int_equal(c.bytes, peak);
        for (size_t i = 0; i < MANY && round % 2 == 0; i++) assert_int_equal(flowctl_cancel_at(&r[i], now_ns), 1);
        now_ns += MANY * 100 * MS; /* the others come due */
    }
    assert_true(peak / MANY <= 140); /* reservation.h: about 130 bytes */
    assert_true(c.blocks < MANY / 25);
    bucket_free(&b);
    assert_int_equal(c.blocks + c.bytes + c.wrong_releases, 0);
}

/* What is refused, or due at once, leaves no booking behind. */
static void a_reservation_that_is_not_booked_keeps_no_memory(void **state) {
    (void)state;
    struct counted c;
    counted_init(&c);
    flowctl_token_bucket_options o = bucket_options(flowctl_per_second(10), 10, 0);
    o.allocator = &c.allocator;
    struct bucket b = bucket_with(o);
    for (int i = 0; i < 1000; i++) assert_int_equal(flowctl_reserve(b.limiter, 1, 0, NULL).verdict, FLOWCTL_DENY);
    assert_true(c.calls <= 2);
    flowctl_limiter_pause(b.limiter);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(flowctl_reserve(b.limiter, 1, FLOWCTL_FOREVER, NULL).verdict, FLOWCTL_DENY);
    assert_true(c.calls <= 2);
    bucket_free(&b);
}

/* ---- times ---- */

/* A booking is never due before it was asked for, whatever room there is. */
static void a_place_is_never_dated_before_the_call(void **state) {
    (void)state;
    struct bucket b = empty_bucket();
    flowctl_reservation first = booked(&b, 5, 500), r;
    booked(&b, 5, 1000);
    assert_int_equal(flowctl_cancel(&first), 5);
    flowctl_decision d = flowctl_reserve_at(b.limiter, 1, FLOWCTL_FOREVER, &r, NOW + 400 * MS);
    assert_int_equal(d.verdict, FLOWCTL_ALLOW);
    assert_int_equal(d.now_ns, NOW + 400 * MS);
    booked(&b, 3, 400); /* of somebody whose clock is behind: the rest of the room */
    bucket_free(&b);
}

/* limiter.h: DENY tells when the same request would fit; behind an anchor that was moved as well. */
static void behind_a_far_time_a_refused_reservation_tells_the_true_wait(void **state) {
    (void)state;
    struct bucket b = bucket_new(flowctl_per_second(10), 10, 10);
    uint64_t far = NOW + 30 * FLOWCTL_NS_PER_YEAR;
    assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, 1000, far), 10);
    flowctl_decision asked = flowctl_decide_at(b.limiter, 4, NOW),
                     d = flowctl_reserve_at(b.limiter, 4, FLOWCTL_FOREVER, NULL, NOW);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.now_ns, asked.now_ns);
    assert_int_equal(d.retry_after_ns, asked.retry_after_ns);
    d = flowctl_acquire_at(b.limiter, 4, FLOWCTL_FOREVER, NOW);
    assert_int_equal(d.verdict, FLOWCTL_DENY);
    assert_int_equal(d.retry_after_ns, asked.retry_after_ns);
    bucket_free(&b);
}

static void a_reservation_beyond_the_horizon_can_be_cancelled_there(void **state) {
    (void)state;
    const uint64_t year = FLOWCTL_NS_PER_YEAR;
    struct bucket b = bucket_new(flowctl_per(1, year), 5, 0);
    flowctl_reservation r;
    for (uint64_t age = 0; age < 100; age += 7) {
        uint64_t now = NOW + age * year;
        flowctl_try_acquire_up_to_at(b.limiter, 5, now);
        assert_int_equal(flowctl_reserve_at(b.limiter, 4, FLOWCTL_FOREVER, &r, now).now_ns, now + 4 * year);
        assert_int_equal(flowctl_cancel_at(&r, now + 4 * year - 1), 4);
        assert_int_equal(flowctl_try_acquire_up_to_at(b.limiter, 5, now + 4 * year), 4);
    }
    bucket_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latest_that_is_cancelled_was_never_there),
        cmocka_unit_test(cancelling_from_the_end_leaves_no_trace),
        cmocka_unit_test(room_at_the_end_goes_back_whatever_the_order),
        cmocka_unit_test(half_of_what_was_there_comes_back_too),
        cmocka_unit_test(the_latest_with_a_grant_behind_it_is_lost_and_counted),
        cmocka_unit_test(a_place_goes_to_the_next_that_fits),
        cmocka_unit_test(a_place_of_the_exact_size_is_filled),
        cmocka_unit_test(a_place_that_is_due_already_can_be_had_at_once),
        cmocka_unit_test(a_place_too_late_for_the_wait_is_denied_with_its_time),
        cmocka_unit_test(a_place_that_nobody_takes_expires_and_is_counted),
        cmocka_unit_test(room_further_back_than_the_burst_is_gone),
        cmocka_unit_test(places_that_are_taken_again_keep_the_limit_to_the_last_unit),
        cmocka_unit_test(cancelling_twice_gives_back_once_also_by_copies),
        cmocka_unit_test(after_it_was_due_nothing_is_given_back),
        cmocka_unit_test(after_close_nothing_is_given_back),
        cmocka_unit_test(null_zeroed_and_refused_reservations_are_nothing),
        cmocka_unit_test(of_threads_that_race_exactly_one_gives_back),
        cmocka_unit_test(threads_that_wait_move_up_into_the_place),
        cmocka_unit_test(they_pass_a_reservation_only_if_they_fit_before_it),
        cmocka_unit_test(a_newcomer_takes_a_place_only_behind_those_that_wait),
        cmocka_unit_test(each_allocation_of_a_reservation_may_fail),
        cmocka_unit_test(thousands_of_reservations_reuse_their_memory),
        cmocka_unit_test(a_reservation_that_is_not_booked_keeps_no_memory),
        cmocka_unit_test(a_place_is_never_dated_before_the_call),
        cmocka_unit_test(behind_a_far_time_a_refused_reservation_tells_the_true_wait),
        cmocka_unit_test(a_reservation_beyond_the_horizon_can_be_cancelled_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

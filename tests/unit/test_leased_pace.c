/* How often limiters ask when many of one backend are in use. */
#include "unit/script.h"

#include <flowctl/sys/ledger.h>

#include <stdio.h>

#define MS FLOWCTL_NS_PER_MS

enum { MANY = 1000 };

struct crowd {
    struct shared s;
    unsigned count;
    flowctl_limiter *l[MANY];
    uint64_t admitted[MANY];
};

static struct crowd crowd;

/* Limits of their own, that all are ready. */
static void crowd_open(unsigned count, uint64_t max_asks_per_sec, flowctl_rate rate, uint64_t burst) {
    crowd = (struct crowd){.count = count};
    shared_open_paced(&crowd.s, max_asks_per_sec);
    for (unsigned i = 0; i < count; i++) {
        char id[16];
        flowctl_token_bucket_options o = shared_options(&crowd.s);
        snprintf(id, sizeof id, "limit%u", i);
        o.id = id;
        o.rate = rate;
        o.burst = burst;
        crowd.l[i] = shared_create(&o);
    }
    shared_pass(&crowd.s, MS);
}

static void crowd_free(void) {
    for (unsigned i = 0; i < crowd.count; i++) flowctl_limiter_destroy(crowd.l[i]);
    shared_free(&crowd.s);
}

/* Each of the first `users` tries once in `every_ns`. */
static void use_for(uint64_t ns, unsigned users, uint64_t every_ns) {
    memset(crowd.admitted, 0, sizeof crowd.admitted);
    for (uint64_t end_ns = shared_now(&crowd.s) + ns; shared_now(&crowd.s) < end_ns; shared_pass(&crowd.s, every_ns))
        for (unsigned i = 0; i < users; i++) crowd.admitted[i] += flowctl_try_acquire(crowd.l[i], 1);
}

static uint64_t asks(void) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < crowd.count; i++) sum += shared_info(crowd.l[i]).asks;
    return sum;
}

/* ---- alone ---- */

static void alone_it_asks_as_often_as_it_was_told(void **state) {
    (void)state;
    crowd_open(1, 0, flowctl_per_second(1000), 100);
    use_for(FLOWCTL_NS_PER_SEC, 1, 5 * MS);
    assert_in_range(asks(), 90, 110);
    assert_int_equal(shared_info(crowd.l[0]).refresh_ns, SHARED_REFRESH_NS);
    crowd_free();
}

static void the_burst_that_is_needed_is_told(void **state) {
    (void)state;
    struct shared s;
    shared_open_script(&s);
    flowctl_token_bucket_options o = shared_options(&s);
    s.limiter = shared_create(&o);
    assert_int_equal(shared_info(s.limiter).burst_needed, 20); /* as far as is known */
    flowctl_backend_poll(s.backend);
    shared_skip(&s, 5 * MS);
    script_grant(&s.script, 1, 10);
    assert_int_equal(shared_info(s.limiter).burst_needed, 25);
    assert_int_equal(flowctl_set_rate(s.limiter, flowctl_per(7, 13 * FLOWCTL_NS_PER_SEC), NULL), FLOWCTL_OK);
    shared_pass(&s, 2 * SHARED_REFRESH_NS);
    script_grant(&s.script, 0, 0);
    assert_int_equal(shared_info(s.limiter).burst_needed, 1); /* 0.013, rounded up */
    flowctl_limiter_destroy(s.limiter);
    o.rate = flowctl_per(FLOWCTL_RATE_MAX_PER_SEC, FLOWCTL_NS_PER_SEC);
    o.burst = FLOWCTL_BURST_MAX;
    o.sharing.ttl_ns = FLOWCTL_TTL_MAX_NS;
    o.sharing.refresh_ns = FLOWCTL_TTL_MAX_NS / 4;
    s.limiter = shared_create(&o);
    assert_int_equal(shared_info(s.limiter).burst_needed, FLOWCTL_RATE_MAX_PER_SEC * 1800);
    struct bucket b = bucket_new(flowctl_per_second(1), 1, 1);
    assert_int_equal(shared_info(b.limiter).burst_needed + shared_info(b.limiter).refresh_ns, 0);
    bucket_free(&b);
    shared_free(&s);
}

/* ---- many ---- */

/* 10 000 asks a second for 1000 limiters that would make 100 000: each asks every 100 ms, and is lent as much as it uses. */
static void many_ask_no_more_than_they_may_together(void **state) {
    (void)state;
    crowd_open(MANY, 10000, flowctl_per_second(1000), 100);
    use_for(FLOWCTL_NS_PER_SEC, MANY, 5 * MS);
    uint64_t before = asks();
    use_for(4 * FLOWCTL_NS_PER_SEC, MANY, 5 * MS);
    assert_in_range(asks() - before, 4 * 9000, 4 * 10000 + MANY); /* one on the way for each */
    for (unsigned i = 0; i < MANY; i++) {
        flowctl_sharing_info info = shared_info(crowd.l[i]);
        assert_int_equal(info.refresh_ns, 100 * MS);
        assert_in_range(info.burst_needed, 200, 201);
        assert_int_equal(info.state, FLOWCTL_LEASE_ACTIVE);
        assert_in_range(crowd.admitted[i], 790, 800); /* of 800 tries */
    }
    crowd_free();
}

/* They all begin at once, and nobody knows yet how many they are. */
static void the_first_asks_are_few_as_well(void **state) {
    (void)state;
    crowd_open(MANY, 10000, flowctl_per_second(1000), 100);
    uint64_t before = asks();
    use_for(FLOWCTL_NS_PER_SEC, MANY, 5 * MS);
    assert_in_range(asks() - before, 1, 10000 + 3 * MANY);
    crowd_free();
}

/* What is asked for one by one is reported at once, each millisecond: not here. */
static void small_limits_keep_the_pace_too(void **state) {
    (void)state;
    enum { SMALL = 200 };
    crowd_open(SMALL, 2000, flowctl_per_second(10), 1);
    use_for(FLOWCTL_NS_PER_SEC, SMALL, 5 * MS);
    uint64_t before = asks();
    use_for(4 * FLOWCTL_NS_PER_SEC, SMALL, 5 * MS);
    assert_in_range(asks() - before, 1, 4 * 2000 + SMALL);
    for (unsigned i = 0; i < SMALL; i++) assert_true(crowd.admitted[i] >= 10);
    crowd_free();
}

/* A budget that would not even keep the leases alive is exceeded for that: four asks in a ttl. */
static void no_lease_ends_for_want_of_asks(void **state) {
    (void)state;
    crowd_open(MANY, 10, flowctl_per_second(1000), 1000);
    for (int i = 0; i < 100; i++) {
        use_for(100 * MS, MANY, 10 * MS);
        for (unsigned j = 0; j < MANY; j++) assert_int_equal(shared_info(crowd.l[j]).state, FLOWCTL_LEASE_ACTIVE);
    }
    assert_int_equal(shared_info(crowd.l[0]).refresh_ns, SHARED_TTL_NS / 4);
    assert_in_range(asks(), MANY * 10 * 3, MANY * 10 * 5);
    crowd_free();
}

/* ---- who counts ---- */

static void who_is_at_rest_does_not_count(void **state) {
    (void)state;
    crowd_open(MANY, 10000, flowctl_per_second(1000), 100);
    use_for(FLOWCTL_NS_PER_SEC, MANY, 5 * MS);
    assert_int_equal(shared_info(crowd.l[0]).refresh_ns, 100 * MS);
    use_for(2 * FLOWCTL_NS_PER_SEC, 10, 5 * MS);
    uint64_t before = shared_info(crowd.l[0]).asks;
    use_for(FLOWCTL_NS_PER_SEC, 10, 5 * MS);
    assert_int_equal(shared_info(crowd.l[0]).refresh_ns, SHARED_REFRESH_NS);
    assert_in_range(shared_info(crowd.l[0]).asks - before, 90, 110);
    crowd_free();
}

/* However many they are, their backend wakes up as for one. */
static void those_at_rest_are_looked_at_together(void **state) {
    (void)state;
    crowd_open(MANY, 0, flowctl_per_second(1000), 100);
    for (unsigned i = 0; i < MANY; i++) flowctl_try_acquire(crowd.l[i], 1), shared_pass(&crowd.s, MS / 7);
    shared_pass(&crowd.s, 5 * FLOWCTL_NS_PER_SEC);
    uint64_t before = asks();
    crowd.s.polls = 0;
    shared_pass(&crowd.s, FLOWCTL_NS_PER_SEC);
    assert_in_range(crowd.s.polls, 10, 101);
    assert_in_range(asks() - before, 2 * MANY, 4 * MANY); /* each renews its lease */
    crowd_free();
}

static void who_is_closed_or_gone_does_not_count(void **state) {
    (void)state;
    crowd_open(MANY, 10000, flowctl_per_second(1000), 100);
    use_for(FLOWCTL_NS_PER_SEC, MANY, 5 * MS);
    for (unsigned i = 1; i < MANY; i++) {
        if (i % 2 != 0) flowctl_limiter_close(crowd.l[i]);
        flowctl_limiter_destroy(crowd.l[i]);
    }
    crowd.count = 1;
    use_for(200 * MS, 1, 5 * MS);
    assert_int_equal(shared_info(crowd.l[0]).refresh_ns, SHARED_REFRESH_NS);
    crowd_free();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_it_asks_as_often_as_it_was_told),   cmocka_unit_test(the_burst_that_is_needed_is_told),
        cmocka_unit_test(many_ask_no_more_than_they_may_together), cmocka_unit_test(the_first_asks_are_few_as_well),
        cmocka_unit_test(small_limits_keep_the_pace_too),          cmocka_unit_test(no_lease_ends_for_want_of_asks),
        cmocka_unit_test(who_is_at_rest_does_not_count),           cmocka_unit_test(those_at_rest_are_looked_at_together),
        cmocka_unit_test(who_is_closed_or_gone_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

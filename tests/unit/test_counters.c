#include "unit/fixture.h"

#include "core/counters.h"

static flowctl_counters sum_of(const struct fc_counters *counters) {
    flowctl_counters sum;
    memset(&sum, 0x5a, sizeof sum);
    fc_counters_sum(counters, &sum);
    return sum;
}

static void begin_at_zero(void **state) {
    (void)state;
    static struct fc_counters counters;
    flowctl_counters sum = sum_of(&counters), zero = {0};
    assert_memory_equal(&sum, &zero, sizeof sum);
}

static void each_event_is_counted_where_it_belongs(void **state) {
    (void)state;
    static struct fc_counters counters;
    fc_count_allowed(&counters, 1);
    fc_count_allowed(&counters, 1);
    fc_count_allowed(&counters, 40);
    fc_count_denied(&counters);
    fc_count_never(&counters);
    fc_count_never(&counters);
    fc_count_waited(&counters, 500);
    fc_count_waited(&counters, 0);
    fc_count_waited(&counters, 7);
    flowctl_counters sum = sum_of(&counters);
    assert_int_equal(sum.allowed, 3);
    assert_int_equal(sum.allowed_permits, 42);
    assert_int_equal(sum.denied, 1);
    assert_int_equal(sum.never, 2);
    assert_int_equal(sum.waited, 3);
    assert_int_equal(sum.wait_ns, 507);
}

static void the_largest_grant_is_counted_exactly(void **state) {
    (void)state;
    static struct fc_counters counters;
    fc_count_allowed(&counters, FLOWCTL_BURST_MAX);
    fc_count_allowed(&counters, FLOWCTL_BURST_MAX);
    assert_int_equal(sum_of(&counters).allowed_permits, 2 * FLOWCTL_BURST_MAX);
}

static void stripes_do_not_share_cache_lines(void **state) {
    (void)state;
    assert_int_equal(sizeof(struct fc_stripe), 64);
    assert_int_equal(_Alignof(struct fc_counters), 64);
}

#define THREADS (2 * FC_STRIPES + 1)
#define ROUNDS 30000

static struct fc_counters shared;
static pthread_barrier_t start_line;

static void *count_often(void *argument) {
    if (argument != NULL) fc_own_stripe = *(const unsigned *)argument;
    pthread_barrier_wait(&start_line);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        fc_count_allowed(&shared, 1 + i % 3);
        fc_count_denied(&shared);
        if (i % 2 == 0) fc_count_never(&shared);
        fc_count_waited(&shared, i);
    }
    return NULL;
}

static void *stripe_of_this_thread(void *argument) {
    (void)argument;
    return fc_stripe_of(&shared);
}

static void threads_spread_over_all_stripes(void **state) {
    (void)state;
    bool used[FC_STRIPES] = {false};
    for (int i = 0; i < FC_STRIPES; i++) {
        pthread_t thread;
        void *stripe;
        assert_int_equal(pthread_create(&thread, NULL, stripe_of_this_thread, NULL), 0);
        pthread_join(thread, &stripe);
        size_t index = (size_t)((struct fc_stripe *)stripe - shared.stripes);
        assert_true(index < FC_STRIPES && !used[index]);
        used[index] = true;
    }
}

/* `stripe` NULL: each thread chooses its own. */
static void count_by_many_threads(unsigned *stripe) {
    pthread_t threads[THREADS];
    memset(&shared, 0, sizeof shared);
    assert_int_equal(pthread_barrier_init(&start_line, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, count_often, stripe), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start_line);
    flowctl_counters sum = sum_of(&shared);
    uint64_t permits = 0;
    for (uint64_t i = 0; i < ROUNDS; i++) permits += 1 + i % 3;
    assert_int_equal(sum.allowed, (uint64_t)THREADS * ROUNDS);
    assert_int_equal(sum.allowed_permits, THREADS * permits);
    assert_int_equal(sum.denied, (uint64_t)THREADS * ROUNDS);
    assert_int_equal(sum.never, (uint64_t)THREADS * ROUNDS / 2);
    assert_int_equal(sum.waited, (uint64_t)THREADS * ROUNDS);
    assert_int_equal(sum.wait_ns, (uint64_t)THREADS * ROUNDS * (ROUNDS - 1) / 2);
}

static void sums_over_many_threads_are_exact(void **state) {
    (void)state;
    count_by_many_threads(NULL);
}

static void threads_that_share_a_stripe_lose_nothing(void **state) {
    (void)state;
    unsigned stripe = 3;
    count_by_many_threads(&stripe);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begin_at_zero),
        cmocka_unit_test(each_event_is_counted_where_it_belongs),
        cmocka_unit_test(the_largest_grant_is_counted_exactly),
        cmocka_unit_test(stripes_do_not_share_cache_lines),
        cmocka_unit_test(threads_spread_over_all_stripes),
        cmocka_unit_test(sums_over_many_threads_are_exact),
        cmocka_unit_test(threads_that_share_a_stripe_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

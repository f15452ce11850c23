/* The oracle for limits that change finds what it must find: a reader that takes the profile before the clock, a burst that is raised without a clip. */
#include "support/oracle.h"
#include "support/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define STEPS 500

enum defect { NOTHING, PROFILE_FIRST, NO_CLIP };

/* A bucket in whole permits, `rate` of them per nanosecond: there is nothing to round. */
struct bucket {
    uint64_t rate, burst, t0_ns;
    int64_t x1, word;
};

static int64_t level(const struct bucket *b, uint64_t now_ns) { return b->x1 + (int64_t)((now_ns - b->t0_ns) * b->rate); }

static void change(struct bucket *b, enum defect defect, uint64_t rate, uint64_t burst, uint64_t now_ns) {
    int64_t x = level(b, now_ns);
    if (defect != NO_CLIP && b->word < x - (int64_t)b->burst) b->word = x - (int64_t)b->burst;
    b->x1 = x, b->t0_ns = now_ns, b->rate = rate, b->burst = burst;
}

/* Judges by `seen`, whatever the bucket's profile is now. */
static bool take(struct bucket *b, const struct bucket *seen, uint64_t permits, uint64_t now_ns) {
    if (now_ns < seen->t0_ns) now_ns = seen->t0_ns;
    int64_t x = level(seen, now_ns), base = b->word < x - (int64_t)seen->burst ? x - (int64_t)seen->burst : b->word;
    if (x - base < (int64_t)permits) return false;
    b->word = base + (int64_t)permits;
    return true;
}

static oracle_amount excess(enum defect defect, uint64_t random) {
    struct bucket b = {.rate = 1, .burst = 50, .word = -50};
    struct oracle_limit limit = {1, 1, 50};
    struct oracle_log log = {NULL, 0, 0};
    struct oracle_change changes[STEPS];
    size_t count = 0;
    for (uint64_t i = 0, now_ns = 1; i < STEPS; i++, now_ns += 1 + test_below(&random, 5)) {
        struct bucket seen = b; /* a reader looks at the profile */
        uint64_t date_ns = now_ns;
        if (test_below(&random, 5) == 0) { /* and somebody changes it */
            uint64_t rate = 1 + test_below(&random, 20), burst = 1 + test_below(&random, 100);
            change(&b, defect, rate, burst, now_ns);
            changes[count++] = (struct oracle_change){now_ns, rate, burst, false};
            if (defect == PROFILE_FIRST) date_ns = now_ns += 1 + test_below(&random, 5); /* only now it reads the clock */
            else if (test_below(&random, 2) == 0) seen = b, date_ns = ++now_ns;
        }
        uint64_t permits = 1 + test_below(&random, 20);
        if (take(&b, &seen, permits, date_ns)) oracle_record(&log, date_ns, permits);
    }
    oracle_amount worst = oracle_judge_changes(&log, &limit, changes, count).excess;
    oracle_free(&log);
    return worst;
}

static int runs_over(enum defect defect, uint64_t random) {
    int over = 0;
    for (int i = 0; i < 200; i++) over += excess(defect, test_random(&random)) > 0;
    return over;
}

static void defects_of_changes_are_found(void **state) {
    uint64_t seed = *(uint64_t *)*state;
    assert_int_equal(runs_over(NOTHING, seed), 0);
    assert_true(runs_over(PROFILE_FIRST, seed) > 20);
    assert_true(runs_over(NO_CLIP, seed) > 20);
}

static void without_changes_it_is_the_other_oracle(void **state) {
    uint64_t random = *(uint64_t *)*state;
    for (int i = 0; i < 500; i++) {
        const struct oracle_limit limit = {1 + test_below(&random, 9), 1 + test_below(&random, 9), 1 + test_below(&random, 9)};
        struct oracle_log log = {NULL, 0, 0};
        for (int k = 0; k < 30; k++) oracle_record(&log, test_below(&random, 100), 1 + test_below(&random, 3));
        assert_true(oracle_judge(&log, &limit).excess == oracle_judge_changes(&log, &limit, NULL, 0).excess);
        oracle_free(&log);
    }
}

int main(void) {
    uint64_t seed = test_seed("oracle_changes");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(defects_of_changes_are_found, &seed),
        cmocka_unit_test_prestate(without_changes_it_is_the_other_oracle, &seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

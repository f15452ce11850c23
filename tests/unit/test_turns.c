/* How many asks of one backend are on their way at once, and who is next. */
#include "core/turns.h"
#include "unit/script.h"

#include <stdio.h>

#define MS FLOWCTL_NS_PER_MS

enum { MANY = 4 * FC_TURNS };

static flowctl_limiter *l[MANY];

/* All want to begin. The script keeps the last asks: answers are given to those. */
static void open_many(struct shared *s, uint64_t ttl_ns) {
    shared_open_script(s);
    flowctl_token_bucket_options o = shared_options(s);
    o.sharing.ttl_ns = ttl_ns;
    for (unsigned i = 0; i < MANY; i++) {
        char id[16];
        snprintf(id, sizeof id, "limit%u", i);
        o.id = id;
        l[i] = shared_create(&o);
    }
    flowctl_backend_poll(s->backend);
}

static void free_many(struct shared *s) {
    for (unsigned i = 0; i < MANY; i++) flowctl_limiter_destroy(l[i]);
    shared_free(s);
}

static void so_many_are_on_their_way_and_no_more(void **state) {
    (void)state;
    struct shared s;
    open_many(&s, FLOWCTL_NS_PER_HOUR);
    assert_int_equal(s.script.asks, FC_TURNS);
    shared_pass(&s, 10 * MS);
    assert_int_equal(s.script.asks, FC_TURNS);
    free_many(&s);
}

static void each_answer_lets_one_more_ask(void **state) {
    (void)state;
    struct shared s;
    open_many(&s, FLOWCTL_NS_PER_HOUR);
    for (unsigned i = 0; i < MANY - FC_TURNS; i++) {
        script_refuse(&s.script, 0, FLOWCTL_UNAVAILABLE); /* the last that asked */
        flowctl_backend_poll(s.backend);
        assert_int_equal(s.script.asks, FC_TURNS + i + 1);
    }
    free_many(&s);
}

/* A generous store answers at once: all get their turn, in one pass or the next. */
static void nobody_is_forgotten(void **state) {
    (void)state;
    struct shared s;
    open_many(&s, FLOWCTL_NS_PER_HOUR);
    s.script.generous = true;
    for (unsigned i = 0; i < SCRIPT_ASKS; i++) script_refuse(&s.script, s.script.asks - i, FLOWCTL_UNAVAILABLE);
    shared_pass(&s, FLOWCTL_NS_PER_MIN);
    unsigned asked = 0;
    for (unsigned i = 0; i < MANY; i++) asked += shared_info(l[i]).asks != 0;
    assert_int_equal(asked, MANY);
    free_many(&s);
}

/* A store that never answers: what is given up makes room, so that all have asked after a while, but never more at a time. */
static void silence_is_no_reason_to_ask_faster(void **state) {
    (void)state;
    struct shared s;
    open_many(&s, FLOWCTL_NS_PER_SEC);
    unsigned before = s.script.asks;
    shared_pass(&s, FLOWCTL_NS_PER_SEC);
    unsigned in_a_second = s.script.asks - before, asked = 0;
    /* None is given up sooner than ttl / 16. */
    assert_in_range(in_a_second, FC_TURNS, 17 * FC_TURNS);
    shared_pass(&s, 10 * FLOWCTL_NS_PER_SEC);
    for (unsigned i = 0; i < MANY; i++) asked += shared_info(l[i]).asks != 0;
    assert_int_equal(asked, MANY);
    free_many(&s);
}

/* Who has a turn, waits for one, or never asked goes away: the others get what it had. */
static void leaving_gives_a_turn_back(void **state) {
    (void)state;
    struct shared s;
    open_many(&s, FLOWCTL_NS_PER_HOUR);
    for (unsigned i = 0; i < MANY; i += 2) flowctl_limiter_destroy(l[i]), l[i] = NULL;
    flowctl_backend_poll(s.backend);
    unsigned asked = 0;
    for (unsigned i = 1; i < MANY; i += 2) asked += shared_info(l[i]).asks != 0;
    assert_true(asked >= FC_TURNS);
    free_many(&s);
}

/* ---- the count itself ---- */

static void turns_are_given_in_order(void **state) {
    (void)state;
    static struct fc_turns turns;
    static struct fc_turn turn[FC_TURNS + 3];
    for (unsigned i = 0; i < FC_TURNS; i++) assert_true(fc_turn_take(&turns, &turn[i]));
    assert_true(fc_turn_take(&turns, &turn[0])); /* has it */
    for (unsigned i = FC_TURNS; i < FC_TURNS + 3; i++) {
        assert_false(fc_turn_take(&turns, &turn[i]));
        fc_turn_wait(&turns, &turn[i]);
        fc_turn_wait(&turns, &turn[i]); /* once */
    }
    assert_null(fc_turns_next(&turns));
    fc_turn_forget(&turns, &turn[FC_TURNS + 1]);
    fc_turn_end(&turns, &turn[5]);
    fc_turn_end(&turns, &turn[5]);                /* once */
    assert_false(fc_turn_take(&turns, &turn[5])); /* others wait */
    assert_ptr_equal(fc_turns_next(&turns), &turn[FC_TURNS]);
    assert_null(fc_turns_next(&turns));
    fc_turn_end(&turns, &turn[6]);
    assert_ptr_equal(fc_turns_next(&turns), &turn[FC_TURNS + 2]);
    fc_turn_end(&turns, &turn[7]);
    assert_null(fc_turns_next(&turns));
    assert_true(fc_turn_take(&turns, &turn[7]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_are_on_their_way_and_no_more),
        cmocka_unit_test(each_answer_lets_one_more_ask),
        cmocka_unit_test(nobody_is_forgotten),
        cmocka_unit_test(silence_is_no_reason_to_ask_faster),
        cmocka_unit_test(leaving_gives_a_turn_back),
        cmocka_unit_test(turns_are_given_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The list of what is booked ahead, by itself: 1 unit per permit and nanosecond, a burst of 10, V at 0. */
#include "unit/fixture.h"

#include "core/bookings.h"
#include "support/seed.h"

#define BURST 10
#define AT(n) (2 * (uint64_t)(n)) /* positions are doubled */

struct world {
    struct fc_bookings b;
    struct fc_terms terms;
    struct fc_cell cell;
    struct fc_booking bookings[8];
    struct counted memory;
};

static void world_init(struct world *w) {
    flowctl_rate rate = flowctl_per(1, 1);
    uint64_t burst = BURST;
    memset(w, 0, sizeof *w);
    assert_int_equal(fc_bucket_profile_make(&rate, &burst, 0, &w->terms.profile, &w->terms.slope), FC_BUCKET_FINE);
    assert_int_equal(w->terms.profile.unit, 2);
    counted_init(&w->memory);
}

static uint64_t word_of(const struct world *w) { return atomic_load(&w->cell.word); }

/* Books a reservation behind all others, as a swap of the word would. */
static struct fc_booking *append(struct world *w, size_t number, uint64_t permits) {
    struct fc_booking *e = &w->bookings[number];
    uint64_t word = word_of(w) & ~FC_TAG, tag = word_of(w) & FC_TAG, end = word + AT(permits);
    *e = (struct fc_booking){.permits = permits, .place = {word, end, end / 2}, .ticket = number + 1};
    fc_bookings_insert(&w->b, e, NULL, word);
    atomic_store(&w->cell.word, end | tag);
    return e;
}

/* Both ways round, in order, disjoint, and none in front of the base. */
static size_t assert_sound(const struct world *w) {
    size_t count = 0, back = 0;
    uint64_t last = w->b.base;
    for (const struct fc_booking *e = w->b.first; e != NULL; e = e->next, count++) {
        assert_true(e->listed);
        assert_true((int64_t)(e->place.start - last) >= 0 && (int64_t)(e->place.end - e->place.start) > 0);
        assert_true(e->next != NULL ? e->next->previous == e : w->b.last == e);
        last = e->place.end;
    }
    for (const struct fc_booking *e = w->b.last; e != NULL; e = e->previous) back++;
    assert_int_equal(count, back);
    return count;
}

static bool find(struct world *w, uint64_t permits, uint64_t now_ns, struct fc_place *place, struct fc_booking **before) {
    struct fc_booking wanted = {.permits = permits};
    bool found = fc_bookings_find_room(&w->b, &w->terms, now_ns, &wanted, before);
    *place = wanted.place;
    return found;
}

/* ---- memory ---- */

static void reservations_come_from_chunks_and_are_used_again(void **state) {
    (void)state;
    static struct world w;
    struct fc_booking *b[100];
    world_init(&w);
    uint64_t last_ticket = 0;
    for (size_t i = 0; i < COUNT(b); i++) {
        b[i] = fc_bookings_new(&w.b, &w.memory.allocator);
        assert_non_null(b[i]);
        assert_true(b[i]->ticket > last_ticket && !b[i]->listed && b[i]->sleeper == NULL);
        last_ticket = b[i]->ticket;
    }
    assert_int_equal(w.memory.blocks, 4);
    for (size_t i = 0; i < COUNT(b); i++) {
        fc_bookings_recycle(&w.b, b[i]);
        assert_int_equal(b[i]->ticket, 0); /* who holds on to it has nothing */
    }
    for (size_t i = 0; i < COUNT(b); i++) assert_true(fc_bookings_new(&w.b, &w.memory.allocator)->ticket > last_ticket);
    assert_int_equal(w.memory.calls, 4);
    fc_bookings_cleanup(&w.b, &w.memory.allocator);
    assert_int_equal(w.memory.blocks + w.memory.bytes + w.memory.wrong_releases, 0);
}

static void without_memory_there_is_no_reservation(void **state) {
    (void)state;
    static struct world w;
    world_init(&w);
    w.memory.fail_at = 1;
    assert_null(fc_bookings_new(&w.b, &w.memory.allocator));
    for (int i = 0; i < 31; i++) assert_non_null(fc_bookings_new(&w.b, &w.memory.allocator));
    w.memory.fail_at = w.memory.calls + 1;
    assert_null(fc_bookings_new(&w.b, &w.memory.allocator));
    fc_bookings_cleanup(&w.b, &w.memory.allocator);
    assert_int_equal(w.memory.blocks + w.memory.wrong_releases, 0);
}

/* ---- sweeping ---- */

static void those_that_are_due_are_over_and_the_room_before_them_expires(void **state) {
    (void)state;
    static struct world w;
    world_init(&w);
    append(&w, 0, 3), append(&w, 1, 4), append(&w, 2, 2);
    fc_bookings_sweep(&w.b, 2, 2);
    assert_int_equal(assert_sound(&w), 3);
    fc_bookings_sweep(&w.b, 3, 2);
    assert_int_equal(assert_sound(&w), 2);
    assert_int_equal(w.b.base, AT(3));
    assert_false(w.bookings[0].listed);
    fc_bookings_remove(&w.b, &w.bookings[1], &w.cell, &w.terms, 3);
    assert_int_equal(w.b.expired, 0);
    fc_bookings_sweep(&w.b, 8, 2);
    assert_int_equal(w.b.expired, 0);
    fc_bookings_sweep(&w.b, 9, 2);
    assert_int_equal(assert_sound(&w), 0);
    assert_int_equal(w.b.expired, 4);
    assert_false(w.b.gaps);
}

/* ---- room ---- */

static void room_is_found_only_where_something_was_taken_out(void **state) {
    (void)state;
    static struct world w;
    struct fc_place place;
    struct fc_booking *before;
    world_init(&w);
    for (size_t i = 0; i < 4; i++) append(&w, i, 4);
    assert_false(find(&w, 1, 0, &place, &before));
    fc_bookings_remove(&w.b, &w.bookings[1], &w.cell, &w.terms, 0);
    fc_bookings_recycle(&w.b, &w.bookings[1]);
    assert_false(find(&w, 5, 0, &place, &before));
    assert_true(find(&w, 4, 0, &place, &before));
    assert_true(before == &w.bookings[2] && place.start == AT(4) && place.end == AT(8) && place.due_ns == 8);
    assert_true(find(&w, 1, 0, &place, &before));
    assert_true(place.start == AT(4) && place.end == AT(5) && place.due_ns == 5);
    assert_true(find(&w, 1, 7, &place, &before));
    assert_int_equal(place.due_ns, 7); /* not before now */
    assert_true(word_of(&w) == AT(16));
}

/* A burst back is as far as a place may begin. */
static void room_too_far_back_is_cut_off(void **state) {
    (void)state;
    static struct world w;
    struct fc_place place;
    struct fc_booking *before;
    world_init(&w);
    for (size_t i = 0; i < 3; i++) append(&w, i, 9);
    fc_bookings_remove(&w.b, &w.bookings[0], &w.cell, &w.terms, 0);
    fc_bookings_remove(&w.b, &w.bookings[1], &w.cell, &w.terms, 0);
    assert_true(find(&w, 2, 15, &place, &before));
    assert_true(place.start == AT(5) && place.end == AT(7) && place.due_ns == 15);
    assert_true(find(&w, 2, 26, &place, &before));
    assert_true(place.start == AT(16) && place.end == AT(18));
    assert_false(find(&w, 3, 26, &place, &before));
}

static void what_lies_behind_a_wall_is_nobodys_room(void **state) {
    (void)state;
    static struct world w;
    struct fc_place place;
    struct fc_booking *before;
    world_init(&w);
    append(&w, 0, 3);
    atomic_store(&w.cell.word, AT(8)); /* somebody with a later time took five */
    append(&w, 1, 2);
    assert_true(w.bookings[1].walled && !w.bookings[0].walled);
    append(&w, 2, 2);
    fc_bookings_remove(&w.b, &w.bookings[0], &w.cell, &w.terms, 0);
    assert_false(find(&w, 1, 0, &place, &before));
    fc_bookings_remove(&w.b, &w.bookings[1], &w.cell, &w.terms, 0); /* the wall stays, in front of the next */
    assert_true(w.bookings[2].walled);
    assert_int_equal(w.b.expired, 2);
    assert_false(find(&w, 1, 0, &place, &before));
    fc_bookings_remove(&w.b, &w.bookings[2], &w.cell, &w.terms, 0);
    assert_true(word_of(&w) == AT(10)); /* back to its own start and no further */
    assert_int_equal(assert_sound(&w), 0);
}

/* ---- taking out ---- */

static void any_order_of_removal_ends_where_it_began(void **state) {
    (void)state;
    uint64_t random = test_seed("bookings_order");
    for (int round = 0; round < 500; round++) {
        static struct world w;
        world_init(&w);
        uint64_t tag = test_below(&random, 2), left = COUNT(w.bookings);
        atomic_store(&w.cell.word, AT(test_below(&random, 1000)) | tag);
        uint64_t word = word_of(&w);
        for (size_t i = 0; i < COUNT(w.bookings); i++) append(&w, i, 1 + test_below(&random, BURST));
        while (left > 0) {
            size_t i = (size_t)test_below(&random, COUNT(w.bookings));
            if (!w.bookings[i].listed) continue;
            fc_bookings_remove(&w.b, &w.bookings[i], &w.cell, &w.terms, 0);
            assert_int_equal(assert_sound(&w), --left);
            if (left > 0) assert_true((word_of(&w) & ~FC_TAG) == w.b.last->place.end);
        }
        assert_true(word_of(&w) == word); /* and its tag is kept */
        assert_int_equal(w.b.expired, 0);
    }
}

static void one_that_leaves_counts_as_used(void **state) {
    (void)state;
    static struct world w;
    struct fc_place place;
    struct fc_booking *before;
    world_init(&w);
    for (size_t i = 0; i < 4; i++) append(&w, i, 3);
    fc_bookings_forget(&w.b, &w.bookings[0]);
    assert_int_equal(w.b.base, AT(3));
    fc_bookings_forget(&w.b, &w.bookings[2]);
    assert_true(w.bookings[3].walled);
    fc_bookings_remove(&w.b, &w.bookings[1], &w.cell, &w.terms, 0);
    assert_false(find(&w, 1, 0, &place, &before)); /* a wall hides the room in front of it, too: under, never over */
    fc_bookings_forget(&w.b, &w.bookings[3]);
    fc_bookings_forget(&w.b, &w.bookings[3]); /* not listed any more: nothing */
    assert_int_equal(assert_sound(&w), 0);
    assert_true(word_of(&w) == AT(12));
}

/* ---- plans ---- */

static void a_plan_changes_nothing_until_it_is_followed(void **state) {
    (void)state;
    static struct world w;
    world_init(&w);
    for (size_t i = 0; i < 3; i++) append(&w, i, 5);
    assert_int_equal(fc_bookings_plan_back(&w.b, AT(4), &w.terms, 0), AT(11));
    for (size_t i = 0; i < 3; i++) assert_int_equal(w.bookings[i].place.end, AT(5 * (i + 1)));
    fc_bookings_follow(&w.b);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(w.bookings[i].place.end, AT(5 * (i + 1) - 4));
        assert_int_equal(w.bookings[i].place.due_ns, 5 * (i + 1) - 4);
    }
    assert_int_equal(w.b.base, AT(0) - AT(4));
}

/* Never before now, even if more is freed than they need; and what then lies further back than a burst has overflowed. */
static void moving_back_stops_at_the_present(void **state) {
    (void)state;
    static struct world w;
    world_init(&w);
    for (size_t i = 0; i < 3; i++) append(&w, i, 5);
    fc_bookings_plan_back(&w.b, AT(9), &w.terms, 2);
    fc_bookings_follow(&w.b);
    assert_int_equal(w.bookings[0].place.due_ns, 2);
    assert_int_equal(w.bookings[1].place.due_ns, 2);
    assert_int_equal(w.bookings[0].place.start, AT(2) - AT(BURST));
    assert_int_equal(w.bookings[2].place.due_ns, 7);
    assert_sound(&w);
}

static void carrying_keeps_the_distance_in_permits(void **state) {
    (void)state;
    static struct world w;
    flowctl_rate rate = flowctl_per(1, 4);
    uint64_t burst = BURST;
    struct fc_terms later = {.age = 0};
    world_init(&w);
    for (size_t i = 0; i < 3; i++) append(&w, i, 5);
    assert_int_equal(fc_bucket_profile_make(&rate, &burst, 0, &later.profile, &later.slope), FC_BUCKET_FINE);
    later.profile.t0_ns = 2, later.profile.x1 = AT(1000);
    struct fc_bucket_level now = fc_bucket_level_at(&w.terms.profile, 2);
    uint64_t word = fc_bookings_plan_carry(&w.b, &w.terms.profile, now, &later);
    assert_true(word == AT(1000) + 13 * later.profile.unit);
    fc_bookings_follow(&w.b);
    for (uint64_t i = 0; i < 3; i++) {
        assert_true(w.bookings[i].place.end == AT(1000) + (5 * (i + 1) - 2) * later.profile.unit);
        assert_int_equal(w.bookings[i].place.due_ns, 2 + 4 * (5 * (i + 1) - 2));
    }
    assert_sound(&w);
    later.paused = true;
    fc_bookings_plan_carry(&w.b, &later.profile, fc_bucket_level_at(&later.profile, 2), &later);
    fc_bookings_follow(&w.b);
    for (size_t i = 0; i < 3; i++) assert_true(w.bookings[i].place.due_ns == FLOWCTL_FOREVER);
}

/* ---- threads that wait ---- */

static bool woken(struct fc_sleeper *s) {
    bool was = s->woken;
    if (was) fc_sleeper_rise(s);
    return was;
}

static void only_those_whose_time_moves_are_woken(void **state) {
    (void)state;
    static struct world w;
    struct fc_sleeper sleepers[4];
    world_init(&w);
    for (size_t i = 0; i < 4; i++) {
        assert_true(fc_sleeper_init(&sleepers[i]));
        append(&w, i, 3)->sleeper = &sleepers[i];
    }
    fc_bookings_remove(&w.b, &w.bookings[1], &w.cell, &w.terms, 0);
    assert_true(!woken(&sleepers[0]) && woken(&sleepers[2]) && woken(&sleepers[3]));
    assert_true(w.bookings[2].place.due_ns == 6 && w.bookings[3].place.due_ns == 9 && word_of(&w) == AT(9));
    fc_bookings_plan_back(&w.b, 0, &w.terms, 0);
    fc_bookings_follow(&w.b);
    for (size_t i = 0; i < 4; i++) assert_false(woken(&sleepers[i]));
    fc_bookings_tell_never(&w.b, 3);
    for (size_t i = 0; i < 4; i++) assert_false(woken(&sleepers[i]) || w.bookings[i].never);
    fc_bookings_tell_never(&w.b, 2);
    assert_true(woken(&sleepers[0]) && !woken(&sleepers[1]) && woken(&sleepers[2]) && woken(&sleepers[3]));
    for (size_t i = 0; i < 4; i++) fc_sleeper_cleanup(&sleepers[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reservations_come_from_chunks_and_are_used_again),
        cmocka_unit_test(without_memory_there_is_no_reservation),
        cmocka_unit_test(those_that_are_due_are_over_and_the_room_before_them_expires),
        cmocka_unit_test(room_is_found_only_where_something_was_taken_out),
        cmocka_unit_test(room_too_far_back_is_cut_off),
        cmocka_unit_test(what_lies_behind_a_wall_is_nobodys_room),
        cmocka_unit_test(any_order_of_removal_ends_where_it_began),
        cmocka_unit_test(one_that_leaves_counts_as_used),
        cmocka_unit_test(a_plan_changes_nothing_until_it_is_followed),
        cmocka_unit_test(moving_back_stops_at_the_present),
        cmocka_unit_test(carrying_keeps_the_distance_in_permits),
        cmocka_unit_test(only_those_whose_time_moves_are_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

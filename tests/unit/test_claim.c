/* src/algo/claim.h: the fold of records, what a member makes of it, and what it claims. The proof under faults is tests/sim. */
#include "fixture.h"

#include "algo/claim.h"

#define WHOLE FC_CLAIM_WHOLE
#define TTL_NS UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static const struct fc_claim_settings settings = {2000, 400};

struct replica {
    struct fc_claim_log log;
    struct fc_claim_member table[8];
    int64_t offset, stamp_ms;
};

static void begin(struct replica *r, size_t capacity) {
    fc_claim_log_init(&r->log, &settings, r->table, capacity);
    r->offset = r->stamp_ms = 1000;
}

static enum fc_claim_outcome next(struct replica *r, const struct fc_claim_record *record) {
    return fc_claim_apply(&r->log, r->offset++, r->stamp_ms += 100, record);
}

static void learn(struct replica *r) {
    while (!fc_claim_learned(&r->log)) next(r, NULL);
}

static struct fc_claim_id id(uint64_t member) { return (struct fc_claim_id){member, 1}; }

/* A record of a member that has applied everything. */
static struct fc_claim_record claims(const struct replica *r, uint64_t member, uint64_t seq, uint64_t base, uint64_t claim) {
    return (struct fc_claim_record){id(member), seq, base, claim, claim, 0, r->offset - 1};
}

static enum fc_claim_outcome claim(struct replica *r, uint64_t member, uint64_t seq, uint64_t base, uint64_t share) {
    struct fc_claim_record record = claims(r, member, seq, base, share);
    return next(r, &record);
}

static void assert_interval(const struct replica *r, uint64_t member, uint64_t lo, uint64_t hi) {
    const struct fc_claim_member *m = fc_claim_find(&r->log, id(member));
    assert_non_null(m);
    assert_int_equal(m->lo, lo);
    assert_int_equal(m->hi, hi);
}

static void shares_and_permits_round_to_the_safe_side(void **state) {
    (void)state;
    assert_int_equal(fc_claim_permits(WHOLE, UINT64_MAX), UINT64_MAX);
    assert_int_equal(fc_claim_permits(WHOLE / 3, 3), 0);
    assert_int_equal(fc_claim_share(1, 3), WHOLE / 3 + 1);
    assert_int_equal(fc_claim_share(7, 3), WHOLE);
    for (uint64_t n = 1; n <= 7; n++) assert_true(fc_claim_permits(fc_claim_share(n, 7), 7) >= n);
    assert_int_equal(fc_claim_ttl_log_ms(1000, 400, 50, 300), 2150);
}

static void the_first_takes_what_it_claims_and_the_next_what_is_left(void **state) {
    (void)state;
    struct replica r;
    begin(&r, 8);
    learn(&r);
    claim(&r, 1, 1, 0, WHOLE / 4 * 3);
    claim(&r, 2, 1, 0, WHOLE);
    assert_interval(&r, 1, WHOLE / 4 * 3, WHOLE / 4 * 3);
    assert_interval(&r, 2, WHOLE / 4, WHOLE / 4);
    claim(&r, 1, 2, WHOLE / 2, WHOLE / 2); /* has lowered */
    claim(&r, 2, 2, WHOLE / 4, WHOLE / 2);
    assert_interval(&r, 2, WHOLE / 2, WHOLE / 2);
    assert_true(fc_claim_closed(&r.log));
}

static void learning_gives_intervals_that_close(void **state) {
    (void)state;
    struct replica r;
    begin(&r, 8);
    claim(&r, 1, 5, WHOLE / 8, WHOLE / 4);
    assert_interval(&r, 1, 0, WHOLE / 4);
    struct fc_claim_record old = claims(&r, 1, 6, WHOLE / 8, WHOLE / 4);
    old.applied = 999; /* before it appeared here: the base proves nothing */
    next(&r, &old);
    assert_interval(&r, 1, 0, WHOLE / 4);
    claim(&r, 1, 7, WHOLE / 8, WHOLE / 4);
    assert_interval(&r, 1, WHOLE / 8, WHOLE / 4);
    for (int i = 0; i < 16; i++) next(&r, NULL);
    claim(&r, 1, 8, WHOLE / 8, WHOLE / 4);
    assert_false(fc_claim_learned(&r.log));
    next(&r, NULL), next(&r, NULL);
    assert_true(fc_claim_learned(&r.log));
    assert_false(fc_claim_closed(&r.log));
    claim(&r, 1, 9, WHOLE / 8, WHOLE / 4);
    assert_interval(&r, 1, WHOLE / 4, WHOLE / 4);
}

static void who_is_silent_is_dropped_by_a_clock_that_cannot_leap(void **state) {
    (void)state;
    struct replica r;
    begin(&r, 8);
    learn(&r);
    claim(&r, 1, 1, 0, WHOLE);
    r.stamp_ms += 3600000; /* counts as 400 ms */
    next(&r, NULL);
    r.stamp_ms -= 7200000; /* as nothing */
    next(&r, NULL);
    assert_non_null(fc_claim_find(&r.log, id(1)));
    for (int i = 0; i < 16; i++) next(&r, NULL);
    assert_non_null(fc_claim_find(&r.log, id(1)));
    next(&r, NULL);
    assert_null(fc_claim_find(&r.log, id(1)));
    assert_int_equal(claim(&r, 1, 2, WHOLE, WHOLE / 2), FC_CLAIM_APPLIED);
    assert_interval(&r, 1, WHOLE / 2, WHOLE / 2); /* as a newcomer */
}

static void old_records_are_ignored(void **state) {
    (void)state;
    struct replica r;
    begin(&r, 8);
    learn(&r);
    claim(&r, 1, 2, 0, WHOLE / 2);
    assert_int_equal(claim(&r, 1, 2, 0, WHOLE), FC_CLAIM_IGNORED);
    assert_int_equal(claim(&r, 1, 1, 0, WHOLE), FC_CLAIM_IGNORED);
    assert_interval(&r, 1, WHOLE / 2, WHOLE / 2);
}

static void an_offset_that_is_not_the_next_forgets_all(void **state) {
    (void)state;
    static const int64_t steps[] = {1, -1, 100, -100};
    for (size_t i = 0; i < COUNT(steps); i++) {
        struct replica r;
        begin(&r, 8);
        learn(&r);
        claim(&r, 1, 1, 0, WHOLE);
        r.offset += steps[i];
        assert_int_equal(next(&r, NULL), FC_CLAIM_FORGOT);
        assert_false(fc_claim_learned(&r.log));
        assert_null(fc_claim_find(&r.log, id(1)));
        assert_int_equal(r.log.forgot[FC_CLAIM_GAP], 1);
    }
}

static void a_base_above_hi_means_that_the_replica_is_wrong(void **state) {
    (void)state;
    struct replica r;
    begin(&r, 8);
    learn(&r);
    claim(&r, 1, 1, 0, WHOLE / 2);
    assert_int_equal(claim(&r, 1, 2, WHOLE / 2 + 1, WHOLE), FC_CLAIM_FORGOT);
    assert_int_equal(r.log.forgot[FC_CLAIM_CONTRADICTION], 1);
    assert_interval(&r, 1, 0, WHOLE);
    /* From before it appeared here it proves nothing. */
    begin(&r, 8);
    learn(&r);
    struct fc_claim_record late = claims(&r, 1, 1, WHOLE / 2, WHOLE / 4);
    late.applied = -1;
    assert_int_equal(next(&r, &late), FC_CLAIM_APPLIED);
}

static void more_members_than_the_table_holds_forget_all(void **state) {
    (void)state;
    struct replica r;
    begin(&r, 2);
    learn(&r);
    claim(&r, 1, 1, 0, WHOLE / 4);
    claim(&r, 2, 1, 0, WHOLE / 4);
    assert_int_equal(claim(&r, 3, 1, 0, WHOLE / 4), FC_CLAIM_FORGOT);
    assert_int_equal(r.log.forgot[FC_CLAIM_TABLE_FULL], 1);
    assert_false(fc_claim_learned(&r.log));
    assert_interval(&r, 3, 0, WHOLE / 4);
}

static void the_hash_does_not_depend_on_the_table(void **state) {
    (void)state;
    struct replica a, b;
    begin(&a, 8), begin(&b, 8);
    learn(&a), learn(&b);
    claim(&a, 1, 1, 0, WHOLE / 4), claim(&a, 2, 1, 0, WHOLE / 8);
    claim(&b, 2, 1, 0, WHOLE / 8), claim(&b, 1, 1, 0, WHOLE / 4);
    assert_true(fc_claim_hash(&a.log) == fc_claim_hash(&b.log));
    claim(&b, 1, 2, WHOLE / 4, WHOLE / 4 + 1);
    assert_true(fc_claim_hash(&a.log) != fc_claim_hash(&b.log));
}

/* ---- the member ---- */

static struct fc_claim_record publish(struct fc_claim_self *self, const struct replica *r, uint64_t share, uint64_t counted,
                                      uint64_t now_ms) {
    struct fc_claim_wish wish = {share, share, 0, counted};
    return fc_claim_publish(self, &r->log, &wish, now_ms * MS);
}

static void come_back(struct fc_claim_self *self, struct replica *r, const struct fc_claim_record *record, uint64_t now_ms) {
    next(r, record);
    fc_claim_own(self, &r->log, record, now_ms * MS);
}

static void a_share_is_usable_from_its_return_until_ttl_after_its_sending(void **state) {
    (void)state;
    struct replica r;
    struct fc_claim_self self;
    begin(&r, 8);
    fc_claim_self_init(&self, id(1), TTL_NS);
    assert_int_equal(publish(&self, &r, WHOLE, 0, 1).claim, 0); /* has not learned */
    learn(&r);
    struct fc_claim_record record = publish(&self, &r, WHOLE / 2, 0, 100);
    assert_int_equal(fc_claim_usable(&self, 101 * MS), 0);
    come_back(&self, &r, &record, 900);
    assert_int_equal(fc_claim_usable(&self, 1100 * MS - 1), WHOLE / 2);
    assert_int_equal(fc_claim_usable(&self, 1100 * MS), 0);
    assert_int_equal(publish(&self, &r, WHOLE / 2, 0, 1100).base, 0);
}

static void it_lowers_at_once_and_raises_with_the_record_sent_last(void **state) {
    (void)state;
    struct replica r;
    struct fc_claim_self self;
    begin(&r, 8);
    learn(&r);
    fc_claim_self_init(&self, id(1), TTL_NS);
    struct fc_claim_record high = publish(&self, &r, WHOLE / 2, 0, 1);
    come_back(&self, &r, &high, 2);
    struct fc_claim_record higher = publish(&self, &r, WHOLE, 0, 3), low = publish(&self, &r, WHOLE / 4, 0, 4);
    assert_int_equal(low.base, WHOLE / 4);
    assert_int_equal(fc_claim_usable(&self, 5 * MS), WHOLE / 4);
    come_back(&self, &r, &higher, 6);
    assert_int_equal(fc_claim_usable(&self, 7 * MS), WHOLE / 4);
    come_back(&self, &r, &low, 8);
    assert_int_equal(fc_claim_usable(&self, 9 * MS), WHOLE / 4);
}

static void base_covers_what_a_window_counts_and_the_share_stays_at_the_claim(void **state) {
    (void)state;
    struct replica r;
    struct fc_claim_self self;
    begin(&r, 8);
    learn(&r);
    fc_claim_self_init(&self, id(1), TTL_NS);
    struct fc_claim_record record = publish(&self, &r, WHOLE, 0, 1);
    come_back(&self, &r, &record, 2);
    record = publish(&self, &r, WHOLE / 4, WHOLE / 2, 3);
    assert_int_equal(record.base, WHOLE / 2);
    come_back(&self, &r, &record, 4);
    assert_interval(&r, 1, WHOLE / 2, WHOLE / 2);
    assert_int_equal(fc_claim_usable(&self, 5 * MS), WHOLE / 4);
}

static void leaving_waits_for_what_is_counted(void **state) {
    (void)state;
    struct replica r;
    struct fc_claim_self self;
    begin(&r, 8);
    learn(&r);
    fc_claim_self_init(&self, id(1), TTL_NS);
    struct fc_claim_record record = publish(&self, &r, WHOLE, 0, 1);
    come_back(&self, &r, &record, 2);
    fc_claim_leave(&self);
    record = publish(&self, &r, WHOLE, WHOLE / 2, 3);
    assert_int_equal(record.claim, 0);
    assert_int_equal(record.base, WHOLE / 2);
    come_back(&self, &r, &record, 4);
    assert_int_equal(fc_claim_usable(&self, 5 * MS), 0);
    assert_false(fc_claim_gone(&self));
    publish(&self, &r, WHOLE, 0, 5);
    assert_true(fc_claim_gone(&self));
}

/* ---- targets ---- */

static void demand(struct replica *r, uint64_t member, uint64_t seq, uint64_t share, uint64_t need) {
    struct fc_claim_record record = {id(member), seq, 0, 0, share, need, r->offset - 1};
    next(r, &record);
}

static uint64_t target(const struct replica *r, uint64_t member, uint64_t share, uint64_t need, uint64_t least) {
    struct fc_claim_wish wish = {.demand = share, .need = need};
    return fc_claim_target(&r->log, id(member), &wish, least, 16000);
}

static void small_demands_are_met_and_the_rest_is_even(void **state) {
    (void)state;
    struct replica r;
    begin(&r, 8);
    learn(&r);
    assert_int_equal(target(&r, 1, 1, 0, 0), WHOLE); /* alone */
    demand(&r, 2, 1, WHOLE / 8, 0);
    demand(&r, 3, 1, WHOLE, 0);
    demand(&r, 4, 1, 0, 0); /* leaves */
    uint64_t half = (WHOLE - WHOLE / 8) / 2;
    assert_int_equal(target(&r, 1, WHOLE, 0, 0), half);
    assert_int_equal(target(&r, 3, WHOLE, 0, 0), (WHOLE - WHOLE / 8)); /* 1 has not published */
    demand(&r, 1, 1, WHOLE / 4, 0);
    demand(&r, 3, 2, WHOLE / 2, 0);
    uint64_t slack = (WHOLE - WHOLE / 8 - WHOLE / 4 - WHOLE / 2) / 3;
    assert_int_equal(target(&r, 1, WHOLE / 4, 0, 0), WHOLE / 4 + slack);
    assert_int_equal(target(&r, 2, WHOLE / 8, 0, 0), WHOLE / 8 + slack);
}

static void a_share_too_small_to_admit_anything_is_given_to_nobody(void **state) {
    (void)state;
    struct replica r;
    begin(&r, 8);
    learn(&r);
    for (uint64_t i = 1; i <= 5; i++) demand(&r, i, 1, WHOLE, 0);
    bool had[6] = {false};
    for (int turn = 0; turn < 40; turn++, r.stamp_ms += 16000) {
        next(&r, NULL);
        for (uint64_t i = 1; i <= 5; i++)
            if (fc_claim_find(&r.log, id(i)) == NULL) demand(&r, i, 1, WHOLE, 0);
        unsigned served = 0;
        for (uint64_t i = 1; i <= 5; i++) {
            uint64_t share = target(&r, i, WHOLE, 0, WHOLE / 2 - 10);
            assert_true(share == 0 || share == WHOLE / 2);
            served += share != 0;
            had[i] |= share != 0;
        }
        assert_int_equal(served, 2);
    }
    for (int i = 1; i <= 5; i++) assert_true(had[i]);
}

static void who_needs_it_comes_first(void **state) {
    (void)state;
    struct replica r;
    begin(&r, 8);
    learn(&r);
    for (uint64_t i = 1; i <= 5; i++) demand(&r, i, 1, WHOLE, 0);
    demand(&r, 4, 2, WHOLE, WHOLE / 4 * 3);
    demand(&r, 2, 2, WHOLE, WHOLE / 2);
    demand(&r, 4, 3, WHOLE, WHOLE / 4 * 3); /* still waits: its turn is that of its first */
    assert_int_equal(target(&r, 4, WHOLE, WHOLE / 4 * 3, 0), WHOLE);
    assert_int_equal(target(&r, 2, WHOLE, WHOLE / 2, 0), 0);
    demand(&r, 4, 4, WHOLE, 0);
    assert_int_equal(target(&r, 2, WHOLE, WHOLE / 2, 0), WHOLE / 2 + WHOLE / 10);
    assert_int_equal(target(&r, 4, WHOLE, 0, 0), WHOLE / 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_and_permits_round_to_the_safe_side),
        cmocka_unit_test(the_first_takes_what_it_claims_and_the_next_what_is_left),
        cmocka_unit_test(learning_gives_intervals_that_close),
        cmocka_unit_test(who_is_silent_is_dropped_by_a_clock_that_cannot_leap),
        cmocka_unit_test(old_records_are_ignored),
        cmocka_unit_test(an_offset_that_is_not_the_next_forgets_all),
        cmocka_unit_test(a_base_above_hi_means_that_the_replica_is_wrong),
        cmocka_unit_test(more_members_than_the_table_holds_forget_all),
        cmocka_unit_test(the_hash_does_not_depend_on_the_table),
        cmocka_unit_test(a_share_is_usable_from_its_return_until_ttl_after_its_sending),
        cmocka_unit_test(it_lowers_at_once_and_raises_with_the_record_sent_last),
        cmocka_unit_test(base_covers_what_a_window_counts_and_the_share_stays_at_the_claim),
        cmocka_unit_test(leaving_waits_for_what_is_counted),
        cmocka_unit_test(small_demands_are_met_and_the_rest_is_even),
        cmocka_unit_test(a_share_too_small_to_admit_anything_is_given_to_nobody),
        cmocka_unit_test(who_needs_it_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

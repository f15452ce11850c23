#include "unit/fixture.h"

#include "base/wide.h"

#include <stdlib.h>

#define SEC FLOWCTL_NS_PER_SEC
#define P FLOWCTL_UNIT_PERMITS
#define B FLOWCTL_UNIT_BYTES

/* An untouched out-parameter still has this. */
#define UNTOUCHED UINT64_C(0x1234567887654321)

/* ---- rates ---- */

struct accepted_rate {
    const char *text;
    uint64_t permits, period_ns; /* in any terms */
    flowctl_unit unit;
};

static void accepts(const struct accepted_rate *row) {
    flowctl_rate rate = {UNTOUCHED, UNTOUCHED};
    flowctl_unit unit = (flowctl_unit)77;
    flowctl_error err = fixture_error();
    if (flowctl_rate_parse(row->text, &rate, &unit, &err) != FLOWCTL_OK)
        fail_msg("\"%s\" was refused: %s", row->text, err.message);
    assert_true(fixture_error_untouched(&err));
    if ((fc_u128)rate.permits * row->period_ns != (fc_u128)row->permits * rate.period_ns)
        fail_msg("\"%s\" has another value", row->text);
    assert_true(fc_gcd(rate.permits, rate.period_ns) == 1);
    assert_int_equal(unit, row->unit);
    assert_int_equal(flowctl_rate_parse(row->text, &rate, NULL, NULL), FLOWCTL_OK);
}

static void the_examples_of_the_header_are_exact(void **state) {
    (void)state;
    static const struct accepted_rate rows[] = {
        {"600/min", 600, 60 * SEC, P}, {"7/13s", 7, 13 * SEC, P},    {"1.5M/s", 1500000, SEC, P}, {"5MB/s", 5000000, SEC, B},
        {"5MiB/s", 5 << 20, SEC, B},   {"1/day", 1, 86400 * SEC, P}, {"10/100ms", 100, SEC, P},
    };
    for (size_t i = 0; i < COUNT(rows); i++) accepts(&rows[i]);
}

static void every_multiple_counts_as_it_says(void **state) {
    (void)state;
    static const struct accepted_rate rows[] = {
        {"3/s", 3, SEC, P},
        {"3k/s", 3000, SEC, P},
        {"3M/s", 3000000, SEC, P},
        {"3G/s", 3000000000, SEC, P},
        {"3T/s", 3000000000000, SEC, P},
        {"3Ki/s", UINT64_C(3) << 10, SEC, P},
        {"3Mi/s", UINT64_C(3) << 20, SEC, P},
        {"3Gi/s", UINT64_C(3) << 30, SEC, P},
        {"3Ti/s", UINT64_C(3) << 40, SEC, P},
        {"3B/s", 3, SEC, B},
        {"3kB/s", 3000, SEC, B},
        {"3TiB/s", UINT64_C(3) << 40, SEC, B},
    };
    for (size_t i = 0; i < COUNT(rows); i++) accepts(&rows[i]);
}

static void every_period_is_as_long_as_it_says(void **state) {
    (void)state;
    static const struct {
        const char *words; /* separated by spaces */
        uint64_t ns;
    } rows[] = {
        {"ns", 1},
        {"us \xc2\xb5s", 1000},
        {"ms", 1000000},
        {"s sec second seconds", SEC},
        {"m min minute minutes", 60 * SEC},
        {"h hour hours", 3600 * SEC},
        {"d day days", 86400 * SEC},
        {"w week weeks", 7 * 86400 * SEC},
        {"y year years", 365 * 86400 * SEC},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char words[64], *rest = NULL;
        strcpy(words, rows[i].words);
        for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
            char text[64] = "11/3";
            strcat(text, word);
            accepts(&(struct accepted_rate){text, 11, 3 * rows[i].ns, P});
            text[2] = '/', strcpy(text + 3, word);
            accepts(&(struct accepted_rate){text, 11, rows[i].ns, P});
        }
    }
}

/* rate.h: "or the word in full". */
static void short_periods_may_be_written_in_full_too(void **state) {
    (void)state;
    static const struct accepted_rate rows[] = {
        {"1/nanosecond", 1, 1, P},       {"1/3nanoseconds", 1, 3, P},      {"1/microsecond", 1, 1000, P},
        {"1/3microseconds", 1, 3000, P}, {"1/millisecond", 1, 1000000, P}, {"1/3milliseconds", 1, 3000000, P},
    };
    for (size_t i = 0; i < COUNT(rows); i++) accepts(&rows[i]);
}

static void decimals_are_fractions_to_the_last_digit(void **state) {
    (void)state;
    static const struct accepted_rate rows[] = {
        {"0.1/s", 1, 10 * SEC, P},
        {"1.25/1.5s", 5, 6 * SEC, P},
        {"0.3333333333/s", 3333333333, 10 * SEC * SEC, P},
        {"2.50k/0.25ms", 10000, 1000000, P},
        {"0.001/0.001ns", 1, 1, P},
        {"000000000000000000000000000012/s", 12, SEC, P},
        {"18446744073709551615/s", UINT64_MAX, SEC, P},
        {"1/18446744073709551615ns", 1, UINT64_MAX, P},
        {"18446744073709551615/18446744073709551615ns", 1, 1, P},
        {"18446744073709551.615k/ns", UINT64_MAX, 1, P},
        {"1T/ns", 1000000000000, 1, P},
        {"18446744073709551616/s", UINT64_C(1) << 55, 1953125, P}, /* too long only on the way */
    };
    for (size_t i = 0; i < COUNT(rows); i++) accepts(&rows[i]);
}

/* rate.h: "what needs more than 64 bits in lowest terms is FLOWCTL_OUT_OF_RANGE"; so what needs fewer is not. */
static void zeroes_behind_the_last_digit_cost_no_bits(void **state) {
    (void)state;
    static const struct accepted_rate rows[] = {
        {"1.0000000000000000000000000/s", 1, SEC, P},
        {"2/1.5000000000000000000000000s", 4, 3 * SEC, P},
    };
    for (size_t i = 0; i < COUNT(rows); i++) accepts(&rows[i]);
}

struct refused {
    const char *text;
    flowctl_status status;
    int offset;
    const char *remedy;
};

#define A_NUMBER "a number belongs here"
#define A_MULTIPLE "a multiple is k, M, G, T"
#define A_RATE "a rate is COUNT/PERIOD"
#define A_PERIOD "a period is one of"
#define AN_END "nothing belongs behind the end"
#define NOT_ZERO "must be more than 0"
#define NOT_NEGATIVE "negative values are not allowed"
#define A_DIGIT "a digit belongs behind the point"
#define TOO_LONG "more than 64 bits"

/* The detail of a text that was refused: what it is, the text, where, and what to do. */
static void assert_refused(const struct refused *row, flowctl_status status, const flowctl_error *err, const char *what) {
    if (status != row->status) fail_msg("\"%s\" is %s", row->text, flowctl_status_name(status));
    fixture_assert_failed(err, row->status);
    if (err->offset != row->offset) fail_msg("offset %d, not %d: %s", err->offset, row->offset, err->message);
    assert_contains(err->message, row->remedy);
    assert_int_equal(strncmp(err->message, what, strlen(what)), 0);
    char start[20] = "";
    strncat(start, row->text, sizeof start - 1);
    assert_contains(err->message, start);
}

static void refuses_rate(const struct refused *row) {
    flowctl_rate rate = {UNTOUCHED, UNTOUCHED};
    flowctl_unit unit = (flowctl_unit)77;
    flowctl_error err = fixture_error();
    flowctl_status status = flowctl_rate_parse(row->text, &rate, &unit, &err);
    assert_refused(row, status, &err, "rate ");
    assert_true(rate.permits == UNTOUCHED && rate.period_ns == UNTOUCHED && unit == (flowctl_unit)77);
    assert_int_equal(flowctl_rate_parse(row->text, &rate, NULL, NULL), row->status);
}

static void what_is_no_rate_is_refused_with_place_and_remedy(void **state) {
    (void)state;
    static const struct refused rows[] = {
        {"", FLOWCTL_SYNTAX, 0, A_NUMBER},          {"/s", FLOWCTL_SYNTAX, 0, A_NUMBER},
        {"fast", FLOWCTL_SYNTAX, 0, A_NUMBER},      {"nan/s", FLOWCTL_SYNTAX, 0, A_NUMBER},
        {"inf/s", FLOWCTL_SYNTAX, 0, A_NUMBER},     {"+1/s", FLOWCTL_SYNTAX, 0, A_NUMBER},
        {".5/s", FLOWCTL_SYNTAX, 0, A_NUMBER},      {"-1/s", FLOWCTL_SYNTAX, 0, NOT_NEGATIVE},
        {"1/-5s", FLOWCTL_SYNTAX, 2, NOT_NEGATIVE}, {"0/s", FLOWCTL_SYNTAX, 0, NOT_ZERO},
        {"0.000/s", FLOWCTL_SYNTAX, 0, NOT_ZERO},   {"1/0s", FLOWCTL_SYNTAX, 2, NOT_ZERO},
        {"0/0s", FLOWCTL_SYNTAX, 0, NOT_ZERO},      {"1./s", FLOWCTL_SYNTAX, 2, A_DIGIT},
        {"1/2.s", FLOWCTL_SYNTAX, 4, A_DIGIT},      {"1", FLOWCTL_SYNTAX, 1, A_RATE},
        {"600 per min", FLOWCTL_SYNTAX, 3, A_RATE}, {"1,000/s", FLOWCTL_SYNTAX, 1, A_RATE},
        {"1.5.5/s", FLOWCTL_SYNTAX, 3, A_RATE},     {"1k5/s", FLOWCTL_SYNTAX, 2, A_RATE},
        {"1e3/s", FLOWCTL_SYNTAX, 1, A_MULTIPLE},   {"0x10/s", FLOWCTL_SYNTAX, 0, NOT_ZERO},
        {"5mB/s", FLOWCTL_SYNTAX, 1, A_MULTIPLE},   {"5Mb/s", FLOWCTL_SYNTAX, 1, A_MULTIPLE},
        {"5MBB/s", FLOWCTL_SYNTAX, 1, A_MULTIPLE},  {"5MiBs/s", FLOWCTL_SYNTAX, 1, A_MULTIPLE},
        {"1s", FLOWCTL_SYNTAX, 1, A_MULTIPLE},      {"1/", FLOWCTL_SYNTAX, 2, A_PERIOD},
        {"1/5", FLOWCTL_SYNTAX, 3, A_PERIOD},       {"1/x", FLOWCTL_SYNTAX, 2, A_PERIOD},
        {"1/S", FLOWCTL_SYNTAX, 2, A_PERIOD},       {"1/ss", FLOWCTL_SYNTAX, 2, A_PERIOD},
        {"1/month", FLOWCTL_SYNTAX, 2, A_PERIOD},   {"1/\xff\xff", FLOWCTL_SYNTAX, 2, A_PERIOD},
        {"1//s", FLOWCTL_SYNTAX, 2, A_PERIOD},      {"1/s/s", FLOWCTL_SYNTAX, 3, AN_END},
        {"1/s5", FLOWCTL_SYNTAX, 3, AN_END},
    };
    for (size_t i = 0; i < COUNT(rows); i++) refuses_rate(&rows[i]);
}

static void spaces_are_refused_wherever_they_stand(void **state) {
    (void)state;
    static const struct refused rows[] = {
        {" 1/s", FLOWCTL_SYNTAX, 0, A_NUMBER}, {"\t1/s", FLOWCTL_SYNTAX, 0, A_NUMBER},
        {"1 /s", FLOWCTL_SYNTAX, 1, A_RATE},   {"1 k/s", FLOWCTL_SYNTAX, 1, A_RATE},
        {"1/ s", FLOWCTL_SYNTAX, 2, A_PERIOD}, {"1/2 s", FLOWCTL_SYNTAX, 3, A_PERIOD},
        {"1/s ", FLOWCTL_SYNTAX, 3, AN_END},
    };
    for (size_t i = 0; i < COUNT(rows); i++) refuses_rate(&rows[i]);
}

static void a_line_end_is_refused_too(void **state) {
    (void)state;
    flowctl_rate rate;
    flowctl_error err;
    assert_int_equal(flowctl_rate_parse("1/s\n", &rate, NULL, &err), FLOWCTL_SYNTAX);
    assert_int_equal(err.offset, 3);
}

static void what_64_bits_can_not_hold_is_out_of_range(void **state) {
    (void)state;
    static const struct refused rows[] = {
        {"99999999999999999999999/s", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
        {"1/18446744073709551616ns", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
        {"0.00000000000000000001/s", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
        {"18446744073709551615T/ns", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
        {"18446744073709551615TiB/s", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
        {"1/18446744073709551615y", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
        {"1.000000000000000001/18446744073709551615y", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
        {"0.0000000000000000001/s", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
    };
    for (size_t i = 0; i < COUNT(rows); i++) refuses_rate(&rows[i]);
}

static char *long_text(char fill, const char *end) {
    const size_t length = 1 << 20;
    char *text = malloc(length + strlen(end) + 1);
    assert_non_null(text);
    memset(text, fill, length);
    strcpy(text + length, end);
    return text;
}

static void very_long_texts_are_judged_like_short_ones(void **state) {
    (void)state;
    static const struct {
        char fill;
        flowctl_status status;
        int offset;
    } rows[] = {{'0', FLOWCTL_OK, 0}, {'9', FLOWCTL_OUT_OF_RANGE, 28}, {'a', FLOWCTL_SYNTAX, 0}, {'\xb5', FLOWCTL_SYNTAX, 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *text = long_text(rows[i].fill, "1/s");
        flowctl_error err = fixture_error();
        flowctl_rate rate = {0, 0};
        assert_int_equal(flowctl_rate_parse(text, &rate, NULL, &err), rows[i].status);
        if (rows[i].status == FLOWCTL_OK) {
            assert_int_equal(rate.permits, 1);
        } else {
            fixture_assert_failed(&err, rows[i].status);
            assert_int_equal(err.offset, rows[i].offset);
        }
        free(text);
    }
}

/* ---- durations ---- */

static void durations_are_exact(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } rows[] = {
        {"60s", 60 * SEC},
        {"1.5h", 5400 * SEC},
        {"200ms", 200000000},
        {"0s", 0},
        {"0h", 0},
        {"0.0s", 0},
        {"0", 0},
        {"1ns", 1},
        {"0.5us", 500},
        {"2.5\xc2\xb5s", 2500},
        {"1min", 60 * SEC},
        {"1m", 60 * SEC},
        {"2days", 2 * 86400 * SEC},
        {"1w", 7 * 86400 * SEC},
        {"10y", FLOWCTL_PERIOD_MAX_NS},
        {"584years", 584 * FLOWCTL_NS_PER_YEAR},
        {"18446744073709551615ns", UINT64_MAX},
        {"18446744073.709551615s", UINT64_MAX},
        {"0.000000001s", 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t ns = UNTOUCHED;
        flowctl_error err = fixture_error();
        if (flowctl_duration_parse(rows[i].text, &ns, &err) != FLOWCTL_OK) fail_msg("%s: %s", rows[i].text, err.message);
        assert_int_equal(ns, rows[i].ns);
        assert_true(fixture_error_untouched(&err));
        assert_int_equal(flowctl_duration_parse(rows[i].text, &ns, NULL), FLOWCTL_OK);
    }
}

static void what_is_no_duration_is_refused_with_place_and_remedy(void **state) {
    (void)state;
    static const struct refused rows[] = {
        {"", FLOWCTL_SYNTAX, 0, A_NUMBER},
        {"s", FLOWCTL_SYNTAX, 0, A_NUMBER},
        {"60", FLOWCTL_SYNTAX, 2, A_PERIOD},
        {"1.5", FLOWCTL_SYNTAX, 3, A_PERIOD},
        {"-1s", FLOWCTL_SYNTAX, 0, NOT_NEGATIVE},
        {"1.s", FLOWCTL_SYNTAX, 2, A_DIGIT},
        {" 1s", FLOWCTL_SYNTAX, 0, A_NUMBER},
        {"1 s", FLOWCTL_SYNTAX, 1, A_PERIOD},
        {"1s ", FLOWCTL_SYNTAX, 2, AN_END},
        {"1h30m", FLOWCTL_SYNTAX, 2, AN_END},
        {"5k", FLOWCTL_SYNTAX, 1, A_PERIOD},
        {"0x5s", FLOWCTL_SYNTAX, 1, A_PERIOD},
        {"1/s", FLOWCTL_SYNTAX, 1, A_PERIOD},
        {"nan", FLOWCTL_SYNTAX, 0, A_NUMBER},
        {"0.5ns", FLOWCTL_OUT_OF_RANGE, 0, "not a whole number of nanoseconds"},
        {"1.0000000001s", FLOWCTL_OUT_OF_RANGE, 0, "not a whole number of nanoseconds"},
        {"585y", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
        {"18446744073709551615y", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
        {"18446744073709551616ns", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t ns = UNTOUCHED;
        flowctl_error err = fixture_error();
        flowctl_status status = flowctl_duration_parse(rows[i].text, &ns, &err);
        assert_refused(&rows[i], status, &err, "duration ");
        assert_true(ns == UNTOUCHED);
        assert_int_equal(flowctl_duration_parse(rows[i].text, &ns, NULL), rows[i].status);
    }
}

/* ---- counts ---- */

static void counts_are_exact(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t count;
        flowctl_unit unit;
    } rows[] = {
        {"50", 50, P},
        {"10k", 10000, P},
        {"5MiB", 5 << 20, B},
        {"0", 0, P},
        {"0B", 0, B},
        {"0Ki", 0, P},
        {"1.5k", 1500, P},
        {"0.5Ki", 512, P},
        {"0.001kB", 1, B},
        {"007", 7, P},
        {"18446744073709551615", UINT64_MAX, P},
        {"16777215Ti", UINT64_C(16777215) << 40, P},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t count = UNTOUCHED;
        flowctl_unit unit = (flowctl_unit)77;
        flowctl_error err = fixture_error();
        if (flowctl_count_parse(rows[i].text, &count, &unit, &err) != FLOWCTL_OK)
            fail_msg("%s: %s", rows[i].text, err.message);
        assert_int_equal(count, rows[i].count);
        assert_int_equal(unit, rows[i].unit);
        assert_true(fixture_error_untouched(&err));
        assert_int_equal(flowctl_count_parse(rows[i].text, &count, NULL, NULL), FLOWCTL_OK);
    }
}

static void what_is_no_count_is_refused_with_place_and_remedy(void **state) {
    (void)state;
    static const struct refused rows[] = {
        {"", FLOWCTL_SYNTAX, 0, A_NUMBER},
        {"k", FLOWCTL_SYNTAX, 0, A_NUMBER},
        {"-5", FLOWCTL_SYNTAX, 0, NOT_NEGATIVE},
        {"5 ", FLOWCTL_SYNTAX, 1, AN_END},
        {" 5", FLOWCTL_SYNTAX, 0, A_NUMBER},
        {"5s", FLOWCTL_SYNTAX, 1, A_MULTIPLE},
        {"5/s", FLOWCTL_SYNTAX, 1, AN_END},
        {"10kk", FLOWCTL_SYNTAX, 2, A_MULTIPLE},
        {"1e6", FLOWCTL_SYNTAX, 1, A_MULTIPLE},
        {"1_000", FLOWCTL_SYNTAX, 1, AN_END},
        {"0.5", FLOWCTL_OUT_OF_RANGE, 0, "not a whole number"},
        {"0.0001k", FLOWCTL_OUT_OF_RANGE, 0, "not a whole number"},
        {"18446744073709551616", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
        {"16777216Ti", FLOWCTL_OUT_OF_RANGE, 0, TOO_LONG},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t count = UNTOUCHED;
        flowctl_unit unit = (flowctl_unit)77;
        flowctl_error err = fixture_error();
        flowctl_status status = flowctl_count_parse(rows[i].text, &count, &unit, &err);
        assert_refused(&rows[i], status, &err, "count ");
        assert_true(count == UNTOUCHED && unit == (flowctl_unit)77);
        assert_int_equal(flowctl_count_parse(rows[i].text, &count, NULL, NULL), rows[i].status);
    }
}

/* ---- all three ---- */

static void null_is_an_invalid_argument_that_is_named(void **state) {
    (void)state;
    flowctl_rate rate;
    uint64_t out;
    flowctl_error err = fixture_error();
    assert_int_equal(flowctl_rate_parse(NULL, &rate, NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    fixture_assert_failed(&err, FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(err.offset, -1);
    assert_contains(err.message, "text is NULL");
    assert_int_equal(flowctl_rate_parse("1/s", NULL, NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "out-pointer is NULL");
    assert_int_equal(flowctl_duration_parse(NULL, &out, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_duration_parse("1s", NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "duration");
    assert_int_equal(flowctl_count_parse(NULL, &out, NULL, NULL), FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(flowctl_count_parse("1", NULL, NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "count");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_header_are_exact),
        cmocka_unit_test(every_multiple_counts_as_it_says),
        cmocka_unit_test(every_period_is_as_long_as_it_says),
        cmocka_unit_test(short_periods_may_be_written_in_full_too),
        cmocka_unit_test(decimals_are_fractions_to_the_last_digit),
        cmocka_unit_test(zeroes_behind_the_last_digit_cost_no_bits),
        cmocka_unit_test(what_is_no_rate_is_refused_with_place_and_remedy),
        cmocka_unit_test(spaces_are_refused_wherever_they_stand),
        cmocka_unit_test(a_line_end_is_refused_too),
        cmocka_unit_test(what_64_bits_can_not_hold_is_out_of_range),
        cmocka_unit_test(very_long_texts_are_judged_like_short_ones),
        cmocka_unit_test(durations_are_exact),
        cmocka_unit_test(what_is_no_duration_is_refused_with_place_and_remedy),
        cmocka_unit_test(counts_are_exact),
        cmocka_unit_test(what_is_no_count_is_refused_with_place_and_remedy),
        cmocka_unit_test(null_is_an_invalid_argument_that_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Any bytes as a rate, a duration and a count: nothing crashes, what is refused is explained, what is accepted reads the same once more. */
#include "fuzz/expect.h"

#include <flowctl/rate.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#define UNTOUCHED UINT64_C(0x1234567887654321)

static uint64_t gcd(uint64_t a, uint64_t b) {
    while (b != 0) {
        uint64_t rest = a % b;
        a = b, b = rest;
    }
    return a;
}

/* The error as it was, or a full explanation that points into the text. */
static void check_error(flowctl_status status, const flowctl_error *err, const char *text) {
    flowctl_error fresh;
    memset(&fresh, 0x5a, sizeof fresh);
    if (status == FLOWCTL_OK) {
        EXPECT(memcmp(err, &fresh, sizeof fresh) == 0);
        return;
    }
    EXPECT(status == FLOWCTL_SYNTAX || status == FLOWCTL_OUT_OF_RANGE);
    EXPECT(err->status == status);
    EXPECT(err->offset >= 0 && (size_t)err->offset <= strlen(text));
    EXPECT(memchr(err->message, '\0', sizeof err->message) != NULL && err->message[0] != '\0');
}

static flowctl_status parse_rate(const char *text, flowctl_rate *rate, flowctl_unit *unit) {
    flowctl_error err;
    memset(&err, 0x5a, sizeof err);
    *rate = flowctl_per(UNTOUCHED, UNTOUCHED), *unit = (flowctl_unit)77;
    flowctl_status status = flowctl_rate_parse(text, rate, unit, &err);
    check_error(status, &err, text);
    if (status == FLOWCTL_OK) EXPECT(*unit == FLOWCTL_UNIT_PERMITS || *unit == FLOWCTL_UNIT_BYTES);
    else EXPECT(rate->permits == UNTOUCHED && rate->period_ns == UNTOUCHED && *unit == (flowctl_unit)77);
    return status;
}

static flowctl_status parse_duration(const char *text, uint64_t *ns) {
    flowctl_error err;
    memset(&err, 0x5a, sizeof err);
    *ns = UNTOUCHED;
    flowctl_status status = flowctl_duration_parse(text, ns, &err);
    check_error(status, &err, text);
    if (status != FLOWCTL_OK) EXPECT(*ns == UNTOUCHED);
    return status;
}

static flowctl_status parse_count(const char *text, uint64_t *count, flowctl_unit *unit) {
    flowctl_error err;
    memset(&err, 0x5a, sizeof err);
    *count = UNTOUCHED, *unit = (flowctl_unit)77;
    flowctl_status status = flowctl_count_parse(text, count, unit, &err);
    check_error(status, &err, text);
    if (status == FLOWCTL_OK) EXPECT(*unit == FLOWCTL_UNIT_PERMITS || *unit == FLOWCTL_UNIT_BYTES);
    else EXPECT(*count == UNTOUCHED && *unit == (flowctl_unit)77);
    return status;
}

static void check_rate(const char *text) {
    flowctl_rate rate, again;
    flowctl_unit unit, unit_again;
    char plain[64];
    if (parse_rate(text, &rate, &unit) != FLOWCTL_OK) return;
    EXPECT(rate.permits > 0 && rate.period_ns > 0 && gcd(rate.permits, rate.period_ns) == 1);
    snprintf(plain, sizeof plain, "%" PRIu64 "%s/%" PRIu64 "ns", rate.permits, unit == FLOWCTL_UNIT_BYTES ? "B" : "",
             rate.period_ns);
    EXPECT(parse_rate(plain, &again, &unit_again) == FLOWCTL_OK);
    EXPECT(again.permits == rate.permits && again.period_ns == rate.period_ns && unit_again == unit);
}

static void check_duration(const char *text) {
    uint64_t ns, again;
    char plain[64];
    if (parse_duration(text, &ns) != FLOWCTL_OK) return;
    snprintf(plain, sizeof plain, "%" PRIu64 "ns", ns);
    EXPECT(parse_duration(plain, &again) == FLOWCTL_OK && again == ns);
}

static void check_count(const char *text) {
    uint64_t count, again;
    flowctl_unit unit, unit_again;
    char plain[64];
    if (parse_count(text, &count, &unit) != FLOWCTL_OK) return;
    snprintf(plain, sizeof plain, "%" PRIu64 "%s", count, unit == FLOWCTL_UNIT_BYTES ? "B" : "");
    EXPECT(parse_count(plain, &again, &unit_again) == FLOWCTL_OK && again == count && unit_again == unit);
}

/* Nothing that ends in a space is accepted, whatever comes before it. */
static void check_with_space_behind(const char *text) {
    size_t length = strlen(text);
    char *longer = malloc(length + 2);
    flowctl_rate rate;
    flowctl_unit unit;
    uint64_t value;
    EXPECT(longer != NULL);
    memcpy(longer, text, length);
    memcpy(longer + length, " ", 2);
    EXPECT(parse_rate(longer, &rate, &unit) != FLOWCTL_OK);
    EXPECT(parse_duration(longer, &value) != FLOWCTL_OK);
    EXPECT(parse_count(longer, &value, &unit) != FLOWCTL_OK);
    free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* A block of the exact size, so that reading behind the end shows. */
    char *text = malloc(size + 1);
    if (text == NULL) return 0;
    if (size != 0) memcpy(text, data, size);
    text[size] = '\0';
    check_rate(text);
    check_duration(text);
    check_count(text);
    check_with_space_behind(text);
    free(text);
    return 0;
}

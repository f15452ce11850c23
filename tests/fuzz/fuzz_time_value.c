/*
 * Any bytes as a time. Nothing crashes and faults lie in the text; a time is in range, and means the same when it is written as a date
 * and as a number; and what is taken for one unit by its magnitude is the same when that unit is told.
 */
#include "civil_time.h"
#include "expect.h"
#include "time_value.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The last second of the last year, and the farthest time zone to the west. */
#define NEWEST_NS (FCT_TIME_END_NS + UINT64_C(86400) * 1000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_again(const char *text, enum fct_time_unit unit, uint64_t expected) {
    struct fct_fault fault = {NULL, 0};
    uint64_t time_ns = 0;
    EXPECT(fct_time_value(text, strlen(text), unit, &time_ns, &fault) && time_ns == expected);
}

static void rewrite(uint64_t time_ns) {
    char text[FCT_ISO_TIME_SIZE + 32];
    if (time_ns >= FCT_TIME_END_NS) return; /* only dates in zones to the west reach there */
    fct_iso_time(text, sizeof text, time_ns);
    read_again(text, FCT_TIME_AUTO, time_ns);
    snprintf(text, sizeof text, "%" PRIu64 ".%09" PRIu64, time_ns / 1000000000, time_ns % 1000000000);
    read_again(text, FCT_TIME_S, time_ns);
    snprintf(text, sizeof text, "%" PRIu64 "e-3", time_ns);
    read_again(text, FCT_TIME_US, time_ns);
    snprintf(text, sizeof text, "%" PRIu64, time_ns);
    read_again(text, FCT_TIME_NS, time_ns);
}

static void check(const char *text, size_t size) {
    struct fct_fault fault = {NULL, 0};
    uint64_t time_ns, told_ns;
    bool same = false;
    if (!fct_time_value(text, size, FCT_TIME_AUTO, &time_ns, &fault)) {
        EXPECT(fault.reason != NULL && fault.column >= 1 && fault.column <= size + 1);
        return;
    }
    EXPECT(time_ns < NEWEST_NS);
    for (int unit = FCT_TIME_S; unit <= FCT_TIME_NS; unit++)
        same |= fct_time_value(text, size, (enum fct_time_unit)unit, &told_ns, &fault) && told_ns == time_ns;
    EXPECT(same);
    rewrite(time_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* A copy of the exact size, so that one byte too many is one outside. */
    char *text = malloc(size == 0 ? 1 : size);
    if (text == NULL) return 0;
    if (size != 0) memcpy(text, data, size);
    check(text, size);
    free(text);
    return 0;
}

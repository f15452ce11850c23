/**
 * @file rate.h  Rates, durations and counts, and how people write them.
 *
 * A rate is a fraction, permits per nanoseconds, and is never rounded: 7 per 13 s stays 7 per 13 s.
 *
 *     flowctl_rate r = flowctl_per_second(1000);
 *     if (flowctl_rate_parse("1.5M/s", &r, NULL, &err) != FLOWCTL_OK) fprintf(stderr, "%s\n", err.message);
 *
 * All functions here: any thread, never block, no allocation.
 */
#ifndef FLOWCTL_RATE_H
#define FLOWCTL_RATE_H

#include <flowctl/status.h>
#include <stdint.h>

FLOWCTL_BEGIN

#define FLOWCTL_NS_PER_US UINT64_C(1000)
#define FLOWCTL_NS_PER_MS UINT64_C(1000000)
#define FLOWCTL_NS_PER_SEC UINT64_C(1000000000)
#define FLOWCTL_NS_PER_MIN (60 * FLOWCTL_NS_PER_SEC)
#define FLOWCTL_NS_PER_HOUR (3600 * FLOWCTL_NS_PER_SEC)
#define FLOWCTL_NS_PER_DAY (86400 * FLOWCTL_NS_PER_SEC)
/** A year is 365 days. */
#define FLOWCTL_NS_PER_YEAR (365 * FLOWCTL_NS_PER_DAY)

/** The largest rate, 10^10 permits per second, and the longest period of a rate in lowest terms, 10 years. */
#define FLOWCTL_RATE_MAX_PER_SEC UINT64_C(10000000000)
#define FLOWCTL_PERIOD_MAX_NS (10 * FLOWCTL_NS_PER_YEAR)

/** `permits` every `period_ns`, evenly: a fraction, in any terms. */
typedef struct flowctl_rate {
    uint64_t permits;
    uint64_t period_ns;
} flowctl_rate;

static inline flowctl_rate flowctl_per(uint64_t permits, uint64_t period_ns) {
    flowctl_rate rate;
    rate.permits = permits;
    rate.period_ns = period_ns;
    return rate;
}
static inline flowctl_rate flowctl_per_second(uint64_t permits) { return flowctl_per(permits, FLOWCTL_NS_PER_SEC); }
static inline flowctl_rate flowctl_per_minute(uint64_t permits) { return flowctl_per(permits, FLOWCTL_NS_PER_MIN); }
static inline flowctl_rate flowctl_per_hour(uint64_t permits) { return flowctl_per(permits, FLOWCTL_NS_PER_HOUR); }
static inline flowctl_rate flowctl_per_day(uint64_t permits) { return flowctl_per(permits, FLOWCTL_NS_PER_DAY); }

/** Durations in nanoseconds. A product beyond 64 bits becomes FLOWCTL_FOREVER (584 years). */
#define FLOWCTL_FOREVER UINT64_MAX
static inline uint64_t flowctl_millis(uint64_t ms) {
    return ms > UINT64_MAX / FLOWCTL_NS_PER_MS ? FLOWCTL_FOREVER : ms * FLOWCTL_NS_PER_MS;
}
static inline uint64_t flowctl_seconds(uint64_t s) {
    return s > UINT64_MAX / FLOWCTL_NS_PER_SEC ? FLOWCTL_FOREVER : s * FLOWCTL_NS_PER_SEC;
}

/** What a written rate counts. */
typedef enum flowctl_unit {
    FLOWCTL_UNIT_PERMITS = 0, /**< "600/min" */
    FLOWCTL_UNIT_BYTES = 1    /**< "5MB/s", "5MiB/s" */
} flowctl_unit;

/**
 * Reads a rate: COUNT "/" [NUMBER] PERIOD. COUNT and NUMBER are decimals ("1.5"), COUNT with an optional multiple (k, M, G, T
 * for powers of 1000; Ki, Mi, Gi, Ti for powers of 1024) and an optional B for bytes. PERIOD is ns, us, ms, s, min (or m), h, d, w,
 * y (365 days), or the word in full. Examples: 600/min, 7/13s, 1.5M/s, 5MB/s, 5MiB/s, 1/day, 10/100ms.
 * The value is exact; what needs more than 64 bits in lowest terms is FLOWCTL_OUT_OF_RANGE. `unit` may be NULL.
 * On failure `*rate` is untouched and `err->offset` is the byte at fault.
 */
FLOWCTL_API flowctl_status flowctl_rate_parse(const char *text, flowctl_rate *rate, flowctl_unit *unit, flowctl_error *err);

/** Reads a duration: "60s", "1.5h", "200ms", "0". Any other bare number is refused, its unit can't be known. */
FLOWCTL_API flowctl_status flowctl_duration_parse(const char *text, uint64_t *ns, flowctl_error *err);

/** Reads a whole number of permits or bytes with the same multiples as a rate: "50", "10k", "5MiB". `unit` may be NULL. */
FLOWCTL_API flowctl_status flowctl_count_parse(const char *text, uint64_t *count, flowctl_unit *unit, flowctl_error *err);

/**
 * The simplest fraction that reads as the same double: 0.1 becomes 1 per 10 s, as it was meant, not 3602879701896397 / 2^55.
 * Zero, negative, NaN and infinite values are FLOWCTL_INVALID_ARGUMENT; values outside 1 per 10 years … 10^10/s are
 * FLOWCTL_OUT_OF_RANGE and the message names the nearest that is inside.
 */
FLOWCTL_API flowctl_status flowctl_rate_from_double(double permits_per_sec, flowctl_rate *rate, flowctl_error *err);

FLOWCTL_END
#endif

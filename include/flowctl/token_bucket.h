/**
 * @file token_bucket.h  The token bucket: a rate, and a burst that may pass at once.
 *
 * The bucket holds at most `burst` permits and gains `rate`, evenly and without rounding. In any interval of length W at most
 * burst + rate x W permits are granted; under enough demand, all but at most one unit per overflow of these are (info.units_per_permit).
 * How this is computed and why it holds: docs/algorithms.md.
 *
 *     flowctl_limiter *l;
 *     flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
 *     o.rate = flowctl_per_second(1000);
 *     o.burst = 2000;
 *     if (flowctl_token_bucket_create(&o, &l, &err) != FLOWCTL_OK) ...
 *
 * Memory: one block of less than 1.5 KiB plus the id, whatever the rate and burst.
 */
#ifndef FLOWCTL_TOKEN_BUCKET_H
#define FLOWCTL_TOKEN_BUCKET_H

#include <flowctl/allocator.h>
#include <flowctl/clock.h>
#include <flowctl/limiter.h>
#include <flowctl/sharing.h>

FLOWCTL_BEGIN

/** The largest burst, in permits. */
#define FLOWCTL_BURST_MAX (UINT64_C(1) << 59)

/** What is in the bucket at create. */
typedef enum flowctl_start {
    FLOWCTL_START_FULL = 0,
    FLOWCTL_START_EMPTY = 1,
    FLOWCTL_START_AT = 2 /**< `start_permits`. */
} flowctl_start;

/** flowctl_token_bucket_options.max_debt: settling never takes the bucket below zero. */
#define FLOWCTL_NO_DEBT UINT64_MAX

/** How much of what was not used goes back when a receipt is settled (settle.h). */
typedef enum flowctl_settle_rule {
    FLOWCTL_SETTLE_AGED = 0, /**< What time has not replaced yet. Never over the limit. */
    FLOWCTL_SETTLE_LENIENT = 1 /**< All of it, capped at the burst. Over the limit by what is given back beyond the aged rule. */
} flowctl_settle_rule;

/** Zero means default, but `rate` and `burst` must be given. Fields are only ever added at the end. */
typedef struct flowctl_token_bucket_options {
    size_t size;                        /**< sizeof this struct, as set by the initialiser. */
    const char *id;                     /**< A name for messages and metrics; copied; NULL: "". */
    flowctl_rate rate;                  /**< 1 per 10 years … 10^10 per second. */
    uint64_t burst;                     /**< 1 … FLOWCTL_BURST_MAX permits. */
    flowctl_clock *clock;               /**< NULL: monotonic, or the backend's. Must outlive the limiter. */
    const flowctl_allocator *allocator; /**< NULL: malloc and free. Copied. */
    flowctl_start start;
    uint64_t start_permits; /**< With FLOWCTL_START_AT: 0 … burst. Otherwise 0. */
    uint64_t max_debt;      /**< Permits that settling may charge beyond zero (settle.h). 0: as many as the burst at create;
                                 FLOWCTL_NO_DEBT: none. At most FLOWCTL_BURST_MAX. */
    flowctl_settle_rule settle;
    flowctl_backend *backend; /**< NULL: this process's own limit. Otherwise one that all limiters of this id at this store share
                                   (sharing.h); must outlive the limiter. The id must not be empty; start FULL is followed where the
                                   store can know that nobody used the limit before, and else begins empty. */
    flowctl_sharing_options sharing; /**< With a backend. */
} flowctl_token_bucket_options;

#define FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT                                                                             \
    {                                                                                                                 \
        sizeof(flowctl_token_bucket_options), 0, {0, 0}, 0, 0, 0, FLOWCTL_START_FULL, 0, 0, FLOWCTL_SETTLE_AGED, 0, { \
            FLOWCTL_AWAY_CLOSED, 0, 0, 0, 0, 0, 0, 0                                                                  \
        }                                                                                                             \
    }

/** The initialiser as a function: zeroes `size` bytes and sets the size. NULL and a size below that of a size_t are ignored. */
FLOWCTL_API void flowctl_token_bucket_options_init(flowctl_token_bucket_options *options, size_t size);

/**
 * Creates a token bucket whose time begins now, as its clock says.
 * @return OK; INVALID_ARGUMENT (NULL, zero rate or burst, unknown start, start_permits above burst); OUT_OF_RANGE (with the nearest
 *         value that can be represented); UNSUPPORTED (by the backend, by name); BAD_SIZE; NO_MEMORY; SYSTEM; CLOSED. On failure `*limiter` is NULL.
 */
FLOWCTL_API flowctl_status flowctl_token_bucket_create(const flowctl_token_bucket_options *options,
                                                       flowctl_limiter **limiter, flowctl_error *err);

FLOWCTL_END
#endif

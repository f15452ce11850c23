/*
 * Any bytes as a snapshot: whatever they are, nothing crashes, what is refused changes nothing, and what is accepted is a state that a bucket may have. Bytes
 * alone would never pass the checksum, so the first byte says how much of the frame is put right.
 */
#include "fuzz/expect.h"

#include <flowctl/flowctl.h>
#include <string.h>

#define BURST 10
#define BLOB_MAX 512
#define UNTOUCHED 0x5a

/* CRC-32, a second time: a target that used the library's would not see it fail. By a table of 16, as the library's is not. */
static uint32_t checksum(const uint8_t *in, size_t length) {
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                       0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        crc = table[(crc ^ in[i]) & 15] ^ crc >> 4;
        crc = table[(crc ^ in[i] >> 4) & 15] ^ crc >> 4;
    }
    return ~crc;
}

static void put(uint8_t *out, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> 8 * i);
}

/* Bit by bit: magic, version and kind; length; length of the id and the id; checksum. */
static void mend(uint8_t *blob, size_t length, uint8_t what) {
    if (length < 60) return;
    if (what & 1) memcpy(blob, "FLOW\1\0\1\0", 8);
    if (what & 2) put(blob + 8, length, 4);
    if (what & 4) put(blob + 12, length - 60, 4), memset(blob + 56, 'x', length - 60);
    if (what & 8) put(blob + length - 4, checksum(blob, length - 4), 4);
}

static flowctl_limiter *create(flowctl_clock *clock, size_t id_bytes) {
    char id[BLOB_MAX + 1] = "";
    flowctl_limiter *l;
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    memset(id, 'x', id_bytes);
    o.id = id, o.rate = flowctl_per_second(10), o.burst = BURST, o.clock = clock;
    EXPECT(flowctl_token_bucket_create(&o, &l, NULL) == FLOWCTL_OK);
    return l;
}

static void check_refused(flowctl_limiter *l, flowctl_status status, const flowctl_error *err, size_t length) {
    EXPECT(status == FLOWCTL_SYNTAX || status == FLOWCTL_INVALID_ARGUMENT || status == FLOWCTL_OUT_OF_RANGE);
    EXPECT(err->status == status && err->offset >= 0 && (size_t)err->offset <= length);
    EXPECT(memchr(err->message, '\0', sizeof err->message) != NULL && err->message[0] != '\0');
    EXPECT(flowctl_try_acquire(l, BURST) && !flowctl_try_acquire(l, 1)); /* as full as it was */
}

/* No more than a burst, and it goes on from there: the time that is told is the time, and a second snapshot restores the same. */
static void check_accepted(flowctl_limiter *l, flowctl_clock *clock, size_t id_bytes) {
    flowctl_limiter_info info, again;
    uint8_t blob[BLOB_MAX];
    size_t length;
    flowctl_error err;
    EXPECT(flowctl_limiter_read(l, &info) == FLOWCTL_OK);
    EXPECT(info.tokens <= BURST && info.burst == BURST && (info.debt == 0 || info.tokens == 0));
    uint64_t now_ns = flowctl_clock_now(clock), wait_ns = flowctl_time_until(l, BURST);
    if (wait_ns < FLOWCTL_NS_PER_YEAR) {
        EXPECT(flowctl_peek_at(l, BURST, now_ns + wait_ns).verdict == FLOWCTL_ALLOW);
        if (wait_ns > 0) EXPECT(flowctl_peek_at(l, BURST, now_ns + wait_ns - 1).verdict == FLOWCTL_DENY);
    }
    EXPECT(flowctl_limiter_snapshot(l, blob, sizeof blob, &length, &err) == FLOWCTL_OK);
    flowctl_limiter *twin = create(clock, id_bytes);
    EXPECT(flowctl_limiter_restore(twin, blob, length, 0, &err) == FLOWCTL_OK);
    EXPECT(flowctl_limiter_read(twin, &again) == FLOWCTL_OK);
    EXPECT(again.tokens <= info.tokens && again.debt >= info.debt);
    EXPECT(again.tokens + 1 >= info.tokens);
    flowctl_limiter_destroy(twin);
    EXPECT(flowctl_try_acquire_up_to(l, UINT64_MAX) == info.tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    uint8_t what = data[0];
    uint64_t elapsed_ns = data[1] < 64 ? (UINT64_C(1) << data[1]) - 1 : data[1] == 255 ? UINT64_MAX : 0;
    size_t length = size - 2 < BLOB_MAX - 1 ? size - 2 : BLOB_MAX - 1, id_bytes = what & 4 && length >= 60 ? length - 60 : 4;
    uint8_t *blob = malloc(length + (length == 0)); /* of the exact size, so that reading behind the end shows */
    flowctl_clock *clock;
    flowctl_error err;
    EXPECT(blob != NULL && flowctl_clock_manual_create(1000, NULL, &clock, NULL) == FLOWCTL_OK);
    memcpy(blob, data + 2, length);
    mend(blob, length, what);
    flowctl_limiter *l = create(clock, id_bytes);
    memset(&err, UNTOUCHED, sizeof err);
    flowctl_status status = flowctl_limiter_restore(l, blob, length, elapsed_ns, &err);
    if (status == FLOWCTL_OK) check_accepted(l, clock, id_bytes);
    else check_refused(l, status, &err, length);
    flowctl_limiter_destroy(l);
    flowctl_clock_destroy(clock);
    free(blob);
    return 0;
}

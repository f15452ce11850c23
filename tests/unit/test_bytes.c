#include "unit/fixture.h"

#include "base/bytes.h"
#include "support/seed.h"

static void numbers_are_little_endian_on_every_machine(void **state) {
    (void)state;
    static const unsigned char written[14] = {0x02, 0x01, 0x06, 0x05, 0x04, 0x03, 0x0e,
                                              0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08, 0x07};
    unsigned char out[14];
    fc_put16(out, 0x0102);
    fc_put32(out + 2, UINT32_C(0x03040506));
    fc_put64(out + 6, UINT64_C(0x0708090a0b0c0d0e));
    assert_memory_equal(out, written, sizeof out);
    assert_int_equal(fc_get16(written), 0x0102);
    assert_int_equal(fc_get32(written + 2), 0x03040506);
    assert_true(fc_get64(written + 6) == UINT64_C(0x0708090a0b0c0d0e));
}

static void what_is_put_is_got_again_at_any_address(void **state) {
    (void)state;
    uint64_t random = test_seed("bytes");
    for (int i = 0; i < 10000; i++) {
        unsigned char bytes[24];
        uint64_t value = test_magnitude(&random, UINT64_MAX);
        size_t at = (size_t)test_below(&random, 8);
        memset(bytes, 0x5a, sizeof bytes);
        fc_put64(bytes + 8 + at, value);
        assert_true(fc_get64(bytes + 8 + at) == value);
        assert_int_equal(fc_get32(bytes + 8 + at), (uint32_t)value);
        assert_int_equal(fc_get16(bytes + 8 + at), (uint16_t)value);
        for (size_t k = 0; k < sizeof bytes; k++)
            if (k < 8 + at || k >= 16 + at) assert_int_equal(bytes[k], 0x5a); /* nothing beside it */
    }
}

static void the_checksum_is_that_of_iso_3309(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t crc;
    } rows[] = {{"123456789", 0xCBF43926},
                {"", 0},
                {"a", 0xE8B7BE43},
                {"The quick brown fox jumps over the lazy dog", 0x414FA339}};
    for (size_t i = 0; i < COUNT(rows); i++) assert_int_equal(fc_crc32(rows[i].text, strlen(rows[i].text)), rows[i].crc);
    static const unsigned char zeroes[32] = {0};
    assert_int_equal(fc_crc32(zeroes, 32), 0x190A55AD);
}

/* Up to 32 bits in a row: the promise of a 32-bit checksum. */
static void the_checksum_finds_every_burst_of_wrong_bits(void **state) {
    (void)state;
    uint64_t random = test_seed("bytes_crc");
    unsigned char bytes[80];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)test_random(&random);
    const uint32_t good = fc_crc32(bytes, sizeof bytes);
    for (size_t at = 0; at + 5 <= sizeof bytes; at++) {
        for (int i = 0; i < 50; i++) {
            uint64_t wrong = ((uint64_t)(uint32_t)test_magnitude(&random, UINT32_MAX)) << test_below(&random, 8);
            uint64_t before = fc_get(bytes + at, 5);
            fc_put(bytes + at, before ^ wrong, 5);
            assert_true(fc_crc32(bytes, sizeof bytes) != good);
            fc_put(bytes + at, before, 5);
        }
    }
    assert_int_equal(fc_crc32(bytes, sizeof bytes), good);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_little_endian_on_every_machine),
        cmocka_unit_test(what_is_put_is_got_again_at_any_address),
        cmocka_unit_test(the_checksum_is_that_of_iso_3309),
        cmocka_unit_test(the_checksum_finds_every_burst_of_wrong_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

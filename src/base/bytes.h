/* Numbers as bytes, the same on every machine: little-endian, without alignment. And their checksum. */
#ifndef FC_BASE_BYTES_H
#define FC_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline void fc_put(unsigned char *out, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) out[i] = (unsigned char)(value >> (8 * i));
}
static inline uint64_t fc_get(const unsigned char *in, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = bytes; i-- > 0;) value = value << 8 | in[i];
    return value;
}

static inline void fc_put16(unsigned char *out, uint16_t value) { fc_put(out, value, 2); }
static inline void fc_put32(unsigned char *out, uint32_t value) { fc_put(out, value, 4); }
static inline void fc_put64(unsigned char *out, uint64_t value) { fc_put(out, value, 8); }
static inline uint16_t fc_get16(const unsigned char *in) { return (uint16_t)fc_get(in, 2); }
static inline uint32_t fc_get32(const unsigned char *in) { return (uint32_t)fc_get(in, 4); }
static inline uint64_t fc_get64(const unsigned char *in) { return fc_get(in, 8); }

/* CRC-32 as of ISO 3309 (the one of zlib): of "123456789" it is 0xCBF43926. Bit by bit: it is for a few dozen bytes. */
uint32_t fc_crc32(const void *bytes, size_t length);

#endif

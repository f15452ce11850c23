/* Offsets of the format that admission_ring.h describes; writer and reader share nothing else. */
#ifndef FCT_ADMISSION_LAYOUT_H
#define FCT_ADMISSION_LAYOUT_H

#define FCT_RING_MAGIC "FCTRING" /* 8 bytes with its zero */

enum {
    AT_VERSION = 8,
    AT_HEADER_BYTES = 12,
    AT_ENTRY_BYTES = 16,
    AT_ROLE = 20,
    AT_PID = 24,
    AT_MADE = 32,
    AT_NAME = 40,
    AT_COUNT = 128, /* a cache line of its own */
    AT_REFUSED = 192,
    AT_REFUSED_PERMITS = 200,
    AT_WAITED = 208,
    AT_WAIT_NS = 216,
    AT_FAILED = 224,
    AT_ANSWERED = 232,
    AT_ENDED = 240,
    HEADER_BYTES = 65536 /* so that chunks begin on pages, however large these are */
};

enum { ENTRY_TIME = 0, ENTRY_USED = 8, ENTRY_PERMITS = 16, ENTRY_LIMITER = 24, ENTRY_BYTES = 32 };

#endif

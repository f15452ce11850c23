/* Whole numbers of 256 bits as one counts on paper: for definitions that must not share a formula, or an overflow, with the library. */
#ifndef TESTS_UNIT_REFERENCE_H
#define TESTS_UNIT_REFERENCE_H

#include <stdint.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 two_limbs;

struct big {
    uint64_t limb[4]; /* the lowest first */
};

static inline struct big big_of(uint64_t n) { return (struct big){{n, 0, 0, 0}}; }

static inline struct big big_mul(struct big a, uint64_t n) {
    uint64_t carry = 0;
    for (int i = 0; i < 4; i++) {
        two_limbs product = (two_limbs)a.limb[i] * n + carry;
        a.limb[i] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
    if (carry != 0) abort(); /* a reference that overflows is none */
    return a;
}

static inline struct big big_add(struct big a, struct big b) {
    uint64_t carry = 0;
    for (int i = 0; i < 4; i++) {
        two_limbs sum = (two_limbs)a.limb[i] + b.limb[i] + carry;
        a.limb[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
    if (carry != 0) abort();
    return a;
}

/* a * 2^exponent */
static inline struct big big_shift(struct big a, unsigned exponent) {
    for (; exponent >= 32; exponent -= 32) a = big_mul(a, UINT64_C(1) << 32);
    return big_mul(a, UINT64_C(1) << exponent);
}

static inline int big_compare(struct big a, struct big b) {
    for (int i = 3; i >= 0; i--)
        if (a.limb[i] != b.limb[i]) return a.limb[i] < b.limb[i] ? -1 : 1;
    return 0;
}

/* The quotient, and the rest in *rest. */
static inline struct big big_div(struct big a, uint64_t divisor, uint64_t *rest) {
    *rest = 0;
    for (int i = 3; i >= 0; i--) {
        two_limbs part = (two_limbs)*rest << 64 | a.limb[i];
        a.limb[i] = (uint64_t)(part / divisor);
        *rest = (uint64_t)(part % divisor);
    }
    return a;
}

#endif

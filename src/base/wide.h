/* 128-bit arithmetic, in one place: the compiler's own type on 64-bit targets. */
#ifndef FC_BASE_WIDE_H
#define FC_BASE_WIDE_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 fc_u128;

static inline fc_u128 fc_gcd(fc_u128 a, fc_u128 b) {
    while (b != 0) {
        fc_u128 rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A fraction in lowest terms. */
struct fc_fraction {
    fc_u128 num, den;
};

/* *f *= num / den, den not 0, keeping lowest terms. False, and *f unchanged, if a term would not fit 128 bits. */
static inline bool fc_fraction_mul(struct fc_fraction *f, fc_u128 num, fc_u128 den) {
    fc_u128 own = fc_gcd(num, den);
    num /= own, den /= own;
    fc_u128 left = fc_gcd(f->num, den), right = fc_gcd(num, f->den);
    fc_u128 top, bottom;
    if (__builtin_mul_overflow(f->num / left, num / right, &top)) return false;
    if (__builtin_mul_overflow(f->den / right, den / left, &bottom)) return false;
    f->num = top, f->den = bottom;
    return true;
}

/* A walk along the continued fraction of num / den: its convergents are the best approximations by small fractions. */
struct fc_convergents {
    fc_u128 num, den; /* the rest that is still to be expanded */
    struct fc_fraction before, now;
};

static inline struct fc_convergents fc_convergents_of(fc_u128 num, fc_u128 den) {
    return (struct fc_convergents){num, den, {0, 1}, {1, 0}};
}

/* Steps to the next convergent, in `now`. False when the fraction is reached, or the next would not fit in 63 bits; then `now` stays. */
static inline bool fc_convergents_step(struct fc_convergents *c) {
    if (c->den == 0) return false;
    fc_u128 term = c->num / c->den, rest = c->num % c->den, num, den;
    if (__builtin_mul_overflow(term, c->now.num, &num) || __builtin_add_overflow(num, c->before.num, &num)) return false;
    if (__builtin_mul_overflow(term, c->now.den, &den) || __builtin_add_overflow(den, c->before.den, &den)) return false;
    if (num > INT64_MAX || den > INT64_MAX) return false;
    c->before = c->now;
    c->now = (struct fc_fraction){num, den};
    c->num = c->den, c->den = rest;
    return true;
}

#endif

/* Values as text for people. */
#ifndef FCT_TEXT_H
#define FCT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Copies `text` so that a terminal and a JSON document survive it: control bytes and bytes that are no UTF-8 become '?'.
 * Cuts what is too long, never inside a character.
 */
void fct_text_printable(char *out, size_t size, const char *text);

/* "250 ns", "1.5 ms", "3 min 20 s": about three digits. */
void fct_text_duration(char *out, size_t size, uint64_t ns);

/* "73.4/min", rounded up to three digits or to a whole number, per the shortest period that has one whole permit. */
void fct_text_rate(char *out, size_t size, uint64_t permits, uint64_t period_ns);

/* "367/300s": the fraction as a rate is written, in the largest unit of which the period is a multiple. */
void fct_text_exact_rate(char *out, size_t size, uint64_t permits, uint64_t period_ns);

/* "12.3 M": about three digits and a power of 1000. */
void fct_text_short_number(char *out, size_t size, double value);

/* Whether the terminal shows UTF-8, as far as the locale tells. */
bool fct_text_is_utf8(void);

#endif

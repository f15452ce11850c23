/* Random tests that can be run again: the seed is printed, and FLOWCTL_SEED=… repeats it. */
#ifndef FLOWCTL_TESTS_SEED_H
#define FLOWCTL_TESTS_SEED_H

#include <stdint.h>

/* The seed of this run, from FLOWCTL_SEED or from the clock; prints "NAME: seed …" to stderr. */
uint64_t test_seed(const char *name);

/* The next number of a splitmix64 sequence. */
uint64_t test_random(uint64_t *state);

/* Uniform in 0 … below - 1; below > 0. */
uint64_t test_below(uint64_t *state, uint64_t below);

/* As likely to have 5 bits as 50: 1 … most. */
uint64_t test_magnitude(uint64_t *state, uint64_t most);

#endif

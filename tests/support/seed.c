#include "support/seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t test_seed(const char *name) {
    const char *given = getenv("FLOWCTL_SEED");
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)t.tv_sec * 1000000007U ^ (uint64_t)t.tv_nsec;
    fprintf(stderr, "%s: seed %llu (FLOWCTL_SEED=%llu repeats this run)\n", name, (unsigned long long)seed,
            (unsigned long long)seed);
    return seed;
}

uint64_t test_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t test_below(uint64_t *state, uint64_t below) { return test_random(state) % below; }

uint64_t test_magnitude(uint64_t *state, uint64_t most) {
    uint64_t value = test_random(state) >> test_below(state, 64);
    return value % most + 1;
}

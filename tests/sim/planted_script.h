/* The script that lends, with a line of it replaced by one that looks harmless. What a defect replaces must be in the script exactly once. */
#ifndef FLOWCTL_TESTS_PLANTED_SCRIPT_H
#define FLOWCTL_TESTS_PLANTED_SCRIPT_H

#include "sim/redis_store.h"

struct planted_script {
    const char *what;
    struct {
        const char *from, *to;
    } lines[2]; /* the second may be missing */
};

/* Ends the program, saying why, if it can't be made. */
struct redis_store_script planted_script_load(const struct planted_script *planted);

#endif

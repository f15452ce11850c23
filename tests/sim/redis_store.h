/*
 * The very script that lends, in a real server, at simulated times: a store for simulations. Each ask goes to the product's ledger as well, cut to whole
 * microseconds; what the two answer, what they are afterwards, and what they tell people must be equal.
 *
 * They differ by what the script is: it counts in microseconds. So the first moment after a quarantine is 999 ns later, a wait is rounded up to the
 * microsecond, and a rate that needs more than 52 bits is a little lower. Of such a rate, and of one whose period is above 52 days, the level is kept to the
 * microsecond, so that up to two microseconds' worth is lost with each change of the settings. Sums of all sessions are modulo 2^52.
 */
#ifndef FLOWCTL_TESTS_REDIS_STORE_H
#define FLOWCTL_TESTS_REDIS_STORE_H

#include "sim/credit_store.h"

/* The server that FLOWCTL_TEST_REDIS_UNIX names; ends the program, saying why, if there is none. */
void redis_store_connect(void);
void redis_store_disconnect(void);

/* Another than the product's, by its name there. */
struct redis_store_script {
    char sha[41];
    bool compared; /* or else judged by what it does */
};

/* Has the server load a text. Ends the program if it is no Lua. */
struct redis_store_script redis_store_load(const char *text);

extern const struct credit_store_ops redis_store;

#endif

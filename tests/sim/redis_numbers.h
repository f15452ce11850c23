/*
 * The script's arithmetic at its corners: rates with odd periods, from once in ten years to 10^10 per second, bursts to 2^50, years between two asks, levels far below
 * zero, and changes from each to each. Judged by the comparison with the ledger alone (sim/redis_store.h).
 */
#ifndef FLOWCTL_TESTS_REDIS_NUMBERS_H
#define FLOWCTL_TESTS_REDIS_NUMBERS_H

#include "sim/harness.h"

/* `config` is a struct credit_config, of which only the script counts. */
void numbers_generate(const void *config, uint64_t seed, struct sim_list *list);
void numbers_run(const void *config, const struct sim_event *events, const size_t *kept, size_t count, bool told,
                 struct sim_result *result);

#endif

/* The store of algo/window_lease.c with one step gone wrong. Without a defect it lends as that one does: that is tested too. */
#ifndef FLOWCTL_TESTS_PLANTED_LEASE_H
#define FLOWCTL_TESTS_PLANTED_LEASE_H

#include "sim/lease_world.h"

struct fc_window_answer planted_lend(struct fc_window_store *store, enum lease_defect defect, uint64_t wall_us,
                                     const struct fc_window_request *request);

#endif

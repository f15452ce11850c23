/* A sliding window that a store lends, under an adversary; and that each of a list of mistakes is found. */
#include "sim/lease_world.h"

#include <stdio.h>
#include <stdlib.h>

#define LENT .holders = 4, .limit = 50, .window_us = 1000000, .ttl_us = 200000, .slots = 34
/* Long silences: the store's clock is often late. */
#define FEW .holders = 2, .limit = 10, .window_us = 1000000, .ttl_us = 600000, .slots = 34, .step_max_us = 2000

static const struct {
    const char *name;
    uint64_t seeds;
    struct lease_config config;
} sound[] = {
    {"lent", 3000, {LENT}},
    {"lent, leaps", 2000, {LENT, .leaps = 6}},
    {"lent, leaps and lost state", 2000, {LENT, .leaps = 6, .wipes = true}},
    {"lent, the copy without a defect", 500, {LENT, .leaps = 6, .wipes = true, .defect = LEASE_COPY}},
    {"lent, a clock that is late", 2000, {LENT, .leaps = 6, .wipes = true, .step_max_us = 5000}},
    {"lent, few holders", 3000, {FEW, .leaps = 6, .wipes = true}},
    {"lent, requests that come twice", 2000, {FEW, .leaps = 6, .wipes = true, .twice = true}},
    {"lent, few slots", 1000, {.holders = 3, .limit = 9, .window_us = 1000000, .ttl_us = 200000, .slots = 4, .leaps = 6}},
    {"lent, lease longer than the window",
     1000,
     {.holders = 4, .limit = 20, .window_us = 100000, .ttl_us = 300000, .slots = 18, .leaps = 6, .wipes = true}},
};

static const struct lease_config real =
    {.holders = 5, .limit = 400, .window_us = 1000000, .ttl_us = 200000, .slots = 66, .step_max_us = 5000, .realistic = true};
static const struct lease_config real_at_grant = {.holders = 5,
                                                  .limit = 400,
                                                  .window_us = 1000000,
                                                  .ttl_us = 200000,
                                                  .slots = 66,
                                                  .step_max_us = 5000,
                                                  .realistic = true,
                                                  .defect = LEASE_DATED_AT_GRANT};

static const struct {
    const char *name;
    uint64_t seeds;
    struct lease_config config;
} controls[] = {
    {"dated at the grant", 2000, {LENT, .defect = LEASE_DATED_AT_GRANT}},
    {"dated at the grant, in real life", 10, {0}},
    {"expired credit forgotten", 500, {LENT, .defect = LEASE_EXPIRED_FORGOTTEN}},
    {"a late report pays for a newer lease", 1000, {LENT, .defect = LEASE_UNPLACED_PAID}},
    {"a new incarnation frees the old one", 500, {LENT, .defect = LEASE_NEW_FREES_OLD}},
    {"no quarantine", 500, {LENT, .wipes = true, .defect = LEASE_NO_QUARANTINE}},
    {"quarantine without the window", 2000, {LENT, .wipes = true, .defect = LEASE_QUARANTINE_SHORT}},
    {"lease counted from the answer", 500, {LENT, .defect = LEASE_FROM_ANSWER}},
    {"the wall clock", 500, {LENT, .leaps = 6, .defect = LEASE_WALL_CLOCK}},
    {"catching up ends leases", 2000, {LENT, .defect = LEASE_VOUCH_ENDS}},
    {"the clock of another store", 20000, {FEW, .wipes = true, .twice = true, .defect = LEASE_VOUCH_ANY}},
    {"catching up ages dates", 4000, {FEW, .defect = LEASE_VOUCH_AGES}},
    {"dates rounded down",
     4000,
     {.holders = 3, .limit = 9, .window_us = 1000000, .ttl_us = 200000, .slots = 4, .defect = LEASE_ROUNDED_DOWN}},
};

int main(int argc, char **argv) {
    struct sim_options options;
    if (!sim_options_read(&options, argc, argv)) return 2;
    bool fine = true;
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        struct sim_case c = {sound[i].name, &sound[i].config, sound[i].seeds, lease_generate, lease_run};
        fine &= sim_holds(&c, &options, NULL);
    }
    struct sim_case c = {"real life", &real, 10, lease_generate, lease_run};
    double sums[8] = {-1, -1};
    fine &= sim_holds(&c, &options, sums);
    double share = sums[LEASE_SHARE] / (double)(options.seeds != 0 ? options.seeds : c.seeds);
    if (share >= 0) printf("  use of the limit: %.3f, at least 0.90 wanted\n", share);
    fine &= share < 0 || share >= 0.90;
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        const struct lease_config *config = controls[i].config.holders != 0 ? &controls[i].config : &real_at_grant;
        struct sim_case control = {controls[i].name, config, controls[i].seeds, lease_generate, lease_run};
        fine &= sim_finds(&control, &options);
    }
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Theorem B of the claim log, under an adversary; and that each of a list of mistakes is found. */
#include "sim/claim_world.h"

#include <stdio.h>
#include <stdlib.h>

#define RATE .members = 4, .limit = 8, .rounds = 8, .gaps = true
#define WINDOW .members = 4, .limit = 8, .rounds = 8, .gaps = true, .window_ms = 1000

static const struct {
    const char *name;
    uint64_t seeds;
    struct claim_config config;
} sound[] = {
    {"rate", 1500, {RATE}},
    {"rate, stalls, leaps and leaves", 1500, {RATE, .stalls = true, .leaps = 3, .leaves = true}},
    {"rate, a longer ttl_log", 500, {RATE, .stalls = true, .leaps = 3, .ttl_log_ms = 3000}},
    {"rate, a small table", 500, {RATE, .stalls = true, .table = 5}},
    {"rate, eight members", 300, {.members = 8, .limit = 8, .rounds = 12, .gaps = true, .stalls = true, .leaps = 3}},
    {"rate, the copy without a defect", 300, {RATE, .stalls = true, .leaps = 3, .fold = PLANTED_FOLD_COPY}},
    {"window", 1500, {WINDOW, .leaves = true}},
    {"window, stalls and leaps", 1500, {WINDOW, .leaves = true, .stalls = true, .leaps = 3}},
};

static const struct claim_config real_rate = {.members = 6, .limit = 1000, .leaps = 99, .realistic = true, .ttl_log_ms = 3000};
static const struct claim_config real_window = {.members = 6, .limit = 1000, .leaps = 99, .realistic = true, .window_ms = 500};

static const struct {
    const char *name;
    uint64_t seeds;
    struct claim_config config;
} controls[] = {
    {"one-phase share", 50, {RATE, .defect = CLAIM_ONE_PHASE}},
    {"use before accept", 50, {RATE, .defect = CLAIM_BEFORE_ACCEPT}},
    {"raise on an older own record", 500, {RATE, .defect = CLAIM_RAISE_ON_OLDER}},
    {"lower after publishing", 50, {RATE, .defect = CLAIM_LOWER_LATE}},
    {"lease from apply", 2000, {RATE, .defect = CLAIM_LEASE_FROM_APPLY}},
    {"max() clock", 500, {RATE, .leaps = 3, .fold = PLANTED_FOLD_MAX_CLOCK}},
    {"one number per member", 200, {RATE, .fold = PLANTED_FOLD_ONE_NUMBER}},
    {"base believed", 2000, {RATE, .stalls = true, .fold = PLANTED_FOLD_BASE_BELIEVED}},
    {"tombstones obeyed", 4000, {RATE, .leaves = true, .fold = PLANTED_FOLD_TOMBSTONES}},
    {"any-order duplicates", 2000, {RATE, .duplicates = true}},
    {"window leave with base 0", 2000, {WINDOW, .leaves = true, .defect = CLAIM_WINDOW_LEAVE_ZERO}},
    {"window base without its uses", 500, {WINDOW, .defect = CLAIM_WINDOW_BASE_SHARE}},
    {"ttl_log not above ttl", 2000, {RATE, .stalls = true, .leaps = 3, .ttl_log_ms = 1000}},
};

static bool use_is(const char *what, double share, double least) {
    printf("  %s: %.3f, at least %.2f wanted\n", what, share, least);
    return share >= least;
}

int main(int argc, char **argv) {
    struct sim_options options;
    if (!sim_options_read(&options, argc, argv)) return 2;
    bool fine = true;
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        struct sim_case c = {sound[i].name, &sound[i].config, sound[i].seeds, claim_generate, claim_run};
        fine &= sim_holds(&c, &options, NULL);
    }
    double sums[8];
    const struct {
        const char *name;
        const struct claim_config *config;
    } real[] = {{"real life, rate", &real_rate}, {"real life, window", &real_window}};
    for (size_t i = 0; i < 2; i++) {
        struct sim_case c = {real[i].name, real[i].config, 60, claim_generate, claim_run};
        sums[CLAIM_SERVED] = -1;
        fine &= sim_holds(&c, &options, sums);
        if (sums[CLAIM_SERVED] < 0) continue;
        double seeds = (double)(options.seeds != 0 ? options.seeds : c.seeds);
        fine &= use_is("of min(limit, demand) under faults", sums[CLAIM_SERVED] / seeds, 0.65);
        fine &= use_is("of min(limit, demand) when calm", sums[CLAIM_CALM] / seeds, 0.95);
    }
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        struct sim_case c = {controls[i].name, &controls[i].config, controls[i].seeds, claim_generate, claim_run};
        fine &= sim_finds(&c, &options);
    }
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Credit leases under an adversary; and that each of a list of mistakes is found. */
#include "sim/credit_world.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name;
    uint64_t seeds;
    struct credit_config config;
} sound[] = {
    {"pauses, kills, loss", 4000, {.members = 4}},
    {"steps of the store's time", 4000, {.members = 4, .steps = true}},
    {"restarts and lost state", 4000, {.members = 4, .restarts = true}},
    {"all of it, few members", 4000, {.members = 2, .steps = true, .restarts = true}},
    {"all of it, many members", 4000, {.members = 8, .steps = true, .restarts = true}},
    {"changes of the settings", 4000, {.members = 4, .steps = true, .configs = true}},
    {"all of it, and changes", 4000, {.members = 4, .steps = true, .restarts = true, .configs = true}},
};

/* Each has to break O1 or O1' within so many runs. */
static const struct {
    uint64_t seeds;
    struct credit_config config;
} controls[] = {
    {300, {.members = 4, .defect = CREDIT_NAIVE}},
    {300, {.members = 4, .steps = true, .defect = CREDIT_WALL_CLOCK}},
    {3000, {.members = 4, .defect = CREDIT_LATE_REPORT}},
    {1000, {.members = 4, .restarts = true, .defect = CREDIT_SESSIONS_KEPT}},
    {5000, {.members = 4, .restarts = true, .defect = CREDIT_NO_QUARANTINE}},
    {300, {.members = 4, .restarts = true, .defect = CREDIT_FULL_ON_CREATE}},
    {300, {.members = 4, .defect = CREDIT_OLD_FREED}},
    {2000, {.members = 4, .defect = CREDIT_VOUCH_ENDS}},
    {10000, {.members = 2, .defect = CREDIT_ENDS_FIRST}},
    {3000, {.members = 2, .restarts = true, .defect = CREDIT_ANY_ACCOUNT}},
    {20000, {.members = 2, .defect = CREDIT_FROM_REPLY}},
    {300, {.members = 4, .defect = CREDIT_LATE_GRANT}},
    {20000, {.members = 2, .defect = CREDIT_LESS_BELIEVED}},
    {3000, {.members = 2, .restarts = true, .defect = CREDIT_ANY_SESSION}},
};

static bool hold(const struct sim_options *options) {
    bool fine = true;
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        struct sim_case c = {sound[i].name, &sound[i].config, sound[i].seeds, credit_generate, credit_run};
        credit_worst();
        fine &= sim_holds(&c, options, NULL);
        struct credit_worst w = credit_worst();
        if (w.excess > -1e17) printf("  worst excess %+.3f (O1), worst U + L - B %+.3f (O1')\n", w.excess, w.lent);
    }
    return fine;
}

/* How much it breaks, in how many of the runs. */
static void measure(const struct sim_case *c, const struct sim_options *options) {
    struct sim_list list = {NULL, 0, 0};
    size_t kept[1024], broken = 0;
    for (size_t i = 0; i < 1024; i++) kept[i] = i;
    credit_worst();
    for (uint64_t seed = 0; seed < c->seeds; seed++) {
        struct sim_result result = {.oracle = NULL};
        list.count = 0;
        c->generate(c->config, options->first + seed, &list);
        c->run(c->config, list.events, kept, list.count, false, &result);
        broken += result.oracle != NULL;
    }
    struct credit_worst w = credit_worst();
    printf("  broken in %zu of %llu runs, U + L - B up to %+.1f\n", broken, (unsigned long long)c->seeds, w.lent);
    free(list.events);
}

static bool find(const struct sim_options *options) {
    bool fine = true;
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        struct sim_case c = {credit_defect_names[controls[i].config.defect], &controls[i].config, controls[i].seeds,
                             credit_generate, credit_run};
        fine &= sim_finds(&c, options);
        if (options->only == NULL) measure(&c, options);
    }
    return fine;
}

int main(int argc, char **argv) {
    struct sim_options options;
    if (!sim_options_read(&options, argc, argv)) return 2;
    bool fine = hold(&options);
    fine &= find(&options);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

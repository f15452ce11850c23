/* How much of a shared limit is used, with and without faults; and what mistakes that break no limit cost. */
#include "sim/credit_use.h"
#include "sim/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS FLOWCTL_NS_PER_MS
#define REAL .refresh_ns = 10 * MS, .delay_ns = MS / 4, .length_ns = 4000 * MS
#define SMALL .refresh_ns = 10 * MS, .delay_ns = MS / 4, .length_ns = 20000 * MS
#define HOUR (3600000 * (int64_t)MS)
#define FAULTY \
    .refresh_ns = 10 * MS, .delay_ns = MS / 4, .length_ns = 9000 * MS, .members = 8, .per_sec = 20000, .largest_cost = 1
#define EIGHT REAL, .members = 8, .per_sec = 20000, .largest_cost = 1

static const struct credit_scene scenes[] = {
    {"100 ms, even, refused", EIGHT, .burst = 2000, .load = 1.5, .demand = CREDIT_EVEN, .least_use = 0.98},
    {"100 ms, even, waiting", EIGHT, .burst = 2000, .load = 1.5, .demand = CREDIT_EVEN, .waits = true, .least_use = 0.98},
    {"100 ms, skewed, refused", EIGHT, .burst = 2000, .load = 1.5, .demand = CREDIT_SKEWED, .least_use = 0.98},
    {"100 ms, skewed, waiting", EIGHT, .burst = 2000, .load = 1.5, .demand = CREDIT_SKEWED, .waits = true, .least_use = 0.98},
    {"100 ms, one, refused", EIGHT, .burst = 2000, .load = 1.5, .demand = CREDIT_ONE, .least_use = 0.98},
    {"100 ms, shifting, refused", EIGHT, .burst = 2000, .load = 2, .demand = CREDIT_SHIFTING, .least_use = 0.95},
    {"100 ms, shifting, waiting", EIGHT, .burst = 2000, .load = 2, .demand = CREDIT_SHIFTING, .waits = true, .least_use = 0.95},
    {"100 ms, slow network", .refresh_ns = 10 * MS, .delay_ns = 2 * MS, .length_ns = 4000 * MS, .members = 8,
     .per_sec = 20000, .largest_cost = 1, .burst = 2000, .load = 1.5, .least_use = 0.95},
    {"100 ms, half the load", EIGHT, .burst = 2000, .load = 0.5, .demand = CREDIT_EVEN, .least_use = 0.98},
    {"100 ms, 0.9 of the load", EIGHT, .burst = 2000, .load = 0.9, .demand = CREDIT_EVEN, .least_use = 0.98},
    {"100 ms, 0.9 of it, skewed", EIGHT, .burst = 2000, .load = 0.9, .demand = CREDIT_SKEWED, .least_use = 0.98},
    {"25 ms, even, refused", EIGHT, .burst = 500, .load = 1.5, .demand = CREDIT_EVEN, .least_use = 0.9},
    {"25 ms, even, waiting", EIGHT, .burst = 500, .load = 1.5, .demand = CREDIT_EVEN, .waits = true, .least_use = 0.9},
    {"25 ms, skewed, refused", EIGHT, .burst = 500, .load = 1.5, .demand = CREDIT_SKEWED, .least_use = 0.9},
    {"25 ms, skewed, waiting", EIGHT, .burst = 500, .load = 1.5, .demand = CREDIT_SKEWED, .waits = true, .least_use = 0.9},
    {"25 ms, shifting, refused", EIGHT, .burst = 500, .load = 2, .demand = CREDIT_SHIFTING, .least_use = 0.9},
    {"25 ms, shifting, waiting", EIGHT, .burst = 500, .load = 2, .demand = CREDIT_SHIFTING, .waits = true, .least_use = 0.9},
    {"costs to 80 of 1000", REAL, .members = 8, .per_sec = 10000, .largest_cost = 80, .burst = 1000, .load = 1.5,
     .waits = true, .least_use = 0.9},
    {"costs to 80 of 100", SMALL, .members = 8, .per_sec = 1000, .largest_cost = 80, .burst = 100, .load = 1.5,
     .waits = true, .least_use = 0.9},
    {"costs to 80 of 100, refused", SMALL, .members = 8, .per_sec = 1000, .largest_cost = 80, .burst = 100, .load = 1.5,
     .least_use = 0.03},
    {"10 per second, burst 1", SMALL, .members = 8, .per_sec = 10, .largest_cost = 1, .burst = 1, .load = 1.5, .waits = true,
     .least_use = 0.9},
    {"10 per second, burst 1, refused", SMALL, .members = 8, .per_sec = 10, .largest_cost = 1, .burst = 1, .load = 10,
     .least_use = 0.4},
    {"100 per second, burst 5", SMALL, .members = 8, .per_sec = 100, .largest_cost = 1, .burst = 5, .load = 1.5,
     .waits = true, .least_use = 0.9},
    {"a newcomer", EIGHT, .burst = 2000, .load = 1.5, .demand = CREDIT_NEWCOMER, .least_use = 0.97},
    {"a newcomer, waiting", EIGHT, .burst = 2000, .load = 1.5, .demand = CREDIT_NEWCOMER, .waits = true, .least_use = 0.97},
    {"2 % lost", EIGHT, .burst = 2000, .load = 1.5, .loss_percent = 2, .least_use = 0.97},
    {"20 % lost", EIGHT, .burst = 2000, .load = 1.5, .loss_percent = 20, .least_use = 0.95},
    {"kills, pauses, 2 % lost", FAULTY, .burst = 2000, .load = 1.5, .loss_percent = 2, .fault_every_ns = 300 * MS,
     .least_use = 0.95},
    {"the same, waiting, skewed", FAULTY, .burst = 2000, .load = 1.5, .waits = true, .demand = CREDIT_SKEWED,
     .loss_percent = 2, .fault_every_ns = 300 * MS, .least_use = 0.95},
    {"kills and pauses, 25 ms", FAULTY, .burst = 500, .load = 1.5, .fault_every_ns = 300 * MS, .least_use = 0.9},
    {"restarts of the store", FAULTY, .burst = 2000, .load = 1.5, .fault_every_ns = 3000 * MS, .restarts = true,
     .least_use = 0.95},
    {"the store's time steps back", FAULTY, .burst = 2000, .load = 1.5, .step_ns = -HOUR, .least_use = 0.97},
    {"the store's time steps forward", FAULTY, .burst = 2000, .load = 1.5, .step_ns = HOUR, .least_use = 0.97},
    {"control: time never goes back", FAULTY, .burst = 2000, .load = 1.5, .step_ns = -HOUR, .defect = CREDIT_RATCHET,
     .most_use = 0.1},
    {"control: a lost grant counts as used", EIGHT, .burst = 2000, .load = 1.5, .loss_percent = 20,
     .defect = CREDIT_GAP_IGNORED, .most_use = 0.9},
};

/* Of some seeds: means, and the worst of what must not be. */
static struct credit_use run(const struct credit_scene *s, uint64_t first, uint64_t seeds) {
    struct credit_use all = {.sound = true, .excess = -1e18, .lent = -1e18};
    double n = (double)seeds;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        struct credit_use u = credit_use_run(s, seed);
        all.use += u.use / n, all.use_faulty += u.use_faulty / n;
        all.poorest += u.poorest / n, all.asks_per_sec += u.asks_per_sec / n;
        all.newcomer_ns += u.newcomer_ns / seeds;
        all.excess = u.excess > all.excess ? u.excess : all.excess;
        all.lent = u.lent > all.lent ? u.lent : all.lent;
        all.sound &= u.sound;
    }
    return all;
}

static bool judge(const struct credit_scene *s, const struct credit_use *u) {
    bool too_little = u->use < s->least_use, too_much = s->most_use != 0 && u->use > s->most_use;
    printf("%-38s use %.3f%s", s->name, u->use, too_little ? " TOO LITTLE" : too_much ? ", NOT FOUND" : "");
    if (s->fault_every_ns != 0) printf(" (%.3f under faults)", u->use_faulty);
    printf(", poorest %.2f, %.0f asks/s, O1 %+.1f, O1' %+.1f", u->poorest, u->asks_per_sec, u->excess, u->lent);
    if (u->newcomer_ns != 0) printf(", newcomer after %.0f ms", (double)u->newcomer_ns / 1e6);
    if (!u->sound) printf(", O4 BROKEN");
    if (u->excess > 0 || u->lent > 1e-6) printf(", OVER THE LIMIT");
    printf("\n");
    return !too_little && !too_much && u->sound && u->excess <= 0 && u->lent <= 1e-6;
}

int main(int argc, char **argv) {
    struct sim_options options;
    if (!sim_options_read(&options, argc, argv)) return 2;
    bool fine = true;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        if (options.only != NULL && strstr(scenes[i].name, options.only) == NULL) continue;
        struct credit_use u = run(&scenes[i], options.first, options.seeds != 0 ? options.seeds : 2);
        fine &= judge(&scenes[i], &u);
    }
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

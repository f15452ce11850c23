#include "sim/claim_world.h"
#include "support/seed.h"

#define STEPS 4000
#define STEP_MS 5
#define REALISTIC_MS 24000
#define FAULTS_UNTIL_MS 16000
#define CALM_FROM_MS 21500 /* a restarted member has learned, and three heartbeats are over */

static uint64_t below(uint64_t *r, uint64_t n) { return test_below(r, n); }

static void calm_round(const struct claim_config *c, uint64_t *r, struct sim_list *list) {
    sim_add(list, CLAIM_PASS, 0, 1 + below(r, 200), 0);
    for (size_t i = 0; i < c->members; i++) sim_add(list, CLAIM_SEND, i, below(r, 16), test_random(r));
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < c->members; i++) sim_add(list, CLAIM_APPEND, i, 1, 0);
    for (size_t i = 0; i < c->members; i++) sim_add(list, CLAIM_DELIVER, i, 1000, 0);
}

/* An event with consequences for long: rare. */
static void fault(const struct claim_config *c, uint64_t *r, size_t who, struct sim_list *list) {
    switch (below(r, 8)) {
    case 0:
        if (c->stalls) sim_add(list, CLAIM_STALL, who, 500 + below(r, 7000), 0);
        return;
    case 1:
    case 2: sim_add(list, CLAIM_PAUSE, who, below(r, 3) == 0, 0); return;
    case 3:
        if (below(r, 3) == 0)
            sim_add(list, CLAIM_KILL, who, below(r, 3) == 0 ? 0 : below(r, below(r, 2) ? 40 : 400), below(r, 8000));
        return;
    case 4:
        if (c->gaps && below(r, 4) == 0) sim_add(list, CLAIM_GAP, who, 1 + below(r, 5), 0);
        return;
    case 5:
        if (c->leaps != 0 && below(r, 3) == 0) sim_add(list, CLAIM_LEAP, 0, below(r, 6), 0);
        return;
    case 6: sim_add(list, CLAIM_TICK, 0, 0, 0); return;
    default:
        if (c->leaves && below(r, 3) == 0) sim_add(list, CLAIM_LEAVE, who, 0, 0);
    }
}

static void anything(const struct claim_config *c, uint64_t *r, const uint16_t *steps_ms, struct sim_list *list) {
    size_t who = (size_t)below(r, c->members);
    uint64_t dice = below(r, 100);
    if (dice < 14) sim_add(list, CLAIM_PASS, 0, steps_ms[below(r, 8)], 0);
    else if (dice < 40) sim_add(list, CLAIM_SEND, who, below(r, 16), test_random(r));
    else if (dice < 55) sim_add(list, CLAIM_APPEND, who, below(r, 25), 0);
    else if (dice < 62) sim_add(list, CLAIM_APPEND_GHOST, 0, test_random(r), 0);
    else if (dice < 88) sim_add(list, CLAIM_DELIVER, who, below(r, 4) != 0 ? 1 + below(r, 6) : 1000, 0);
    else if (dice < 94) fault(c, r, who, list);
    else if (dice < 96 && c->duplicates) sim_add(list, CLAIM_DUPLICATE, 0, test_random(r), 0);
    else if (c->window_ms != 0) sim_add(list, CLAIM_USE, who, below(r, 2) ? 0 : 1 + below(r, c->limit), 0);
}

static void adversary(const struct claim_config *c, uint64_t *r, struct sim_list *list) {
    static const uint16_t steps_ms[3][8] = {{1, 5, 20, 60, 100, 200, 400, 1200},
                                            {1, 1, 5, 10, 20, 40, 100, 300},
                                            {50, 100, 150, 200, 300, 400, 800, 3000}};
    const uint16_t *steps = steps_ms[below(r, 3)];
    sim_add(list, CLAIM_MEASURE, 0, 0, 0);
    while (list->count < STEPS) {
        if (below(r, 100) < c->rounds) calm_round(c, r, list);
        else anything(c, r, steps, list);
    }
}

/* What happens to a member in real life; about six times a second in all. */
static void some_fault(const struct claim_config *c, uint64_t *r, size_t *paused, struct sim_list *list) {
    static const uint16_t demands[] = {5, 50, 300, 2000};
    size_t who = (size_t)below(r, c->members);
    uint64_t dice = below(r, 100);
    if (dice < 2) sim_add(list, CLAIM_PAUSE, *paused = who, 1, 0);
    else if (dice < 8) sim_add(list, CLAIM_KILL, who, below(r, 10) < 7 ? 0 : 400, 20);
    else if (dice < 9) sim_add(list, CLAIM_LEAP, 0, below(r, 6), 0);
    else if (dice < 20) sim_add(list, CLAIM_PAUSE, *paused, 0, 0);
    else sim_add(list, CLAIM_DEMAND, who, demands[below(r, 4)], 0);
}

static void real_life(const struct claim_config *c, uint64_t *r, struct sim_list *list) {
    size_t paused = 0;
    for (uint64_t ms = 0; ms < REALISTIC_MS; ms += STEP_MS) {
        if (ms == 1000 || ms == CALM_FROM_MS) sim_add(list, CLAIM_MEASURE, 0, ms == CALM_FROM_MS, 0);
        if (ms == FAULTS_UNTIL_MS)
            for (size_t i = 0; i < c->members; i++) sim_add(list, CLAIM_PAUSE, i, 0, 0);
        if (ms > 1000 && ms < FAULTS_UNTIL_MS && below(r, 1000) < 6 * STEP_MS) some_fault(c, r, &paused, list);
        sim_add(list, CLAIM_PASS, 0, STEP_MS, 0);
        for (size_t i = 0; i < c->members; i++) {
            if (below(r, 2) == 0) sim_add(list, CLAIM_APPEND, i, 1, 0);
            if (below(r, 2) == 0) sim_add(list, CLAIM_DELIVER, i, 1000, 0);
            sim_add(list, CLAIM_BEAT, i, below(r, 41), 0);
            if (c->window_ms != 0) sim_add(list, CLAIM_USE, i, 0, 0);
        }
        if (below(r, 4) == 0) sim_add(list, CLAIM_APPEND_GHOST, 0, test_random(r), 0);
    }
}

void claim_generate(const void *config, uint64_t seed, struct sim_list *list) {
    const struct claim_config *c = config;
    /* Drawn once: sequences of neighbouring seeds would be the same one, shifted. */
    uint64_t random = test_random(&seed);
    if (c->realistic) real_life(c, &random, list);
    else adversary(c, &random, list);
}

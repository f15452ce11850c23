#include "sim/credit_world.h"

#include "support/seed.h"

#define STEPS 500

static uint64_t below(uint64_t *r, uint64_t n) { return test_below(r, n); }

/* Around the moments at which something ends: leases, their margins, refills, steps of the clock. */
static void pass(uint64_t *r, uint64_t ttl_us, struct sim_list *list) {
    const uint64_t ends_us[] = {ttl_us,         ttl_us * 7 / 4, ttl_us / 4, ttl_us / 2,
                                ttl_us * 3 / 4, ttl_us / 8,     ttl_us / 3, 10000};
    uint64_t dice = below(r, 10), us = 0;
    if (dice < 5) us = below(r, 8000);
    else if (dice < 8) us = below(r, ttl_us / 2);
    else us = ends_us[below(r, 8)] - ttl_us / 1000 + below(r, ttl_us / 400 + 1);
    sim_add(list, CREDIT_PASS, 0, us, below(r, 1000));
}

static void rare(const struct credit_config *c, uint64_t *r, size_t who, struct sim_list *list) {
    uint64_t dice = below(r, 20);
    if (dice < 5) sim_add(list, CREDIT_PAUSE, who, below(r, 3) == 0 ? 1 + below(r, 60) : 0, 0);
    else if (dice < 10) sim_add(list, CREDIT_RESUME, who, 0, 0);
    else if (dice < 13) sim_add(list, CREDIT_KILL, who, below(r, 1u << 30), test_random(r));
    else if (dice < 14) sim_add(list, CREDIT_ASK, who, 0, 2);
    else if (dice < 16 && c->steps) sim_add(list, CREDIT_STEP, 0, below(r, 6), 0);
    else if (dice < 18 && c->restarts) sim_add(list, below(r, 2) ? CREDIT_SNAPSHOT : CREDIT_RESTART, 0, below(r, 5), 0);
    else if (dice < 19 && c->restarts && below(r, 2)) sim_add(list, CREDIT_WIPE, 0, below(r, 2), 0);
    else if (c->configs) sim_add(list, CREDIT_CONFIG, who, below(r, 8), below(r, 8));
}

/* A quick round trip, as most are. */
static void round_trip(uint64_t *r, size_t who, struct sim_list *list) {
    sim_add(list, CREDIT_ASK, who, below(r, 3) == 0 ? 0 : 1 + below(r, 120), below(r, 8) == 0);
    sim_add(list, CREDIT_PASS, 0, below(r, 3000), below(r, 1000));
    sim_add(list, CREDIT_SERVE, 0, UINT32_MAX, 0);
    sim_add(list, CREDIT_PASS, 0, below(r, 3000), below(r, 1000));
    sim_add(list, CREDIT_ANSWER, 0, UINT32_MAX, 0);
}

static uint64_t which(uint64_t *r) { return below(r, 3) ? 0 : test_random(r); }

/* What a run is made of, in hundredths: each seed has its own temper. */
struct temper {
    uint64_t ttl_us;
    uint64_t busy;    /* round trips at once, and uses of all that is held */
    uint64_t trouble; /* faults */
    uint64_t doubled; /* asks that come again */
    uint64_t kept;    /* answers that stay on their way */
    bool silent;      /* nobody asks for long: what is held is used late, and is found to be over later still */
};

static void traffic(const struct credit_config *c, uint64_t *r, const struct temper *t, struct sim_list *list) {
    size_t who = (size_t)below(r, c->members);
    uint64_t dice = below(r, 86);
    if (dice < 16) pass(r, t->ttl_us, list);
    else if (dice < 34) sim_add(list, CREDIT_ASK, who, below(r, 3) == 0 ? 0 : 1 + below(r, 120), below(r, 8) == 0);
    else if (dice < 52) sim_add(list, CREDIT_SERVE, 0, which(r), (below(r, 15) == 0) | (below(r, 100) < t->doubled) << 1);
    else if (dice < 54) sim_add(list, CREDIT_LOSE, 0, which(r), 0);
    else if (dice < 70) sim_add(list, CREDIT_ANSWER, 0, which(r), below(r, 100) < t->kept);
    else if (dice < 84) sim_add(list, CREDIT_USE, who, below(r, 4) == 0 ? 0 : 1 + below(r, 40), 0);
    else sim_add(list, CREDIT_GIVE_UP, who, 1 + below(r, 30), 0);
}

/* All is taken, used late in the lease, and not reported; the next who asks, and may vouch for the time, finds it just over. */
static void late_use(const struct credit_config *c, uint64_t *r, const struct temper *t, struct sim_list *list) {
    size_t who = (size_t)below(r, c->members), other = (size_t)below(r, c->members);
    uint64_t late_us = below(r, t->ttl_us);
    round_trip(r, who, list);
    sim_add(list, CREDIT_PASS, 0, below(r, t->ttl_us / 8), 0);
    round_trip(r, other, list);
    sim_add(list, CREDIT_PASS, 0, late_us, below(r, 1000));
    sim_add(list, CREDIT_USE, who, 0, 0);
    if (below(r, 2)) sim_add(list, CREDIT_KILL, who, below(r, 1u << 30), test_random(r));
    sim_add(list, CREDIT_PASS, 0, t->ttl_us * 7 / 4 - late_us - below(r, t->ttl_us / 4), below(r, 1000));
    round_trip(r, other, list);
    sim_add(list, CREDIT_USE, other, 0, 0);
}

static void one(const struct credit_config *c, uint64_t *r, const struct temper *t, struct sim_list *list) {
    if (t->silent && below(r, 4)) {
        late_use(c, r, t, list);
    } else if (below(r, 100) < t->busy) {
        round_trip(r, (size_t)below(r, c->members), list);
        if (below(r, 3)) sim_add(list, CREDIT_USE, (size_t)below(r, c->members), 0, 0);
    } else if (below(r, 100) < t->trouble) rare(c, r, (size_t)below(r, c->members), list);
    else traffic(c, r, t, list);
}

void credit_generate(const void *config, uint64_t seed, struct sim_list *list) {
    const struct credit_config *c = config;
    static const uint64_t ttls_us[] = {100000, 100000, 1000000, 10000};
    uint64_t random = test_random(&seed), *r = &random, ttl = below(r, 4);
    struct temper t = {ttls_us[ttl],         below(r, 3) * 30,      5 + below(r, 3) * 5,
                       5 + below(r, 2) * 50, 10 + below(r, 2) * 40, below(r, 4) == 0};
    sim_add(list, CREDIT_SET, 0, below(r, 6), ttl);
    for (size_t i = 0; i < c->members; i++) sim_add(list, CREDIT_KILL, i, below(r, 1u << 30), test_random(r));
    while (list->count < STEPS) one(c, r, &t, list);
}

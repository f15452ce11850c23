#include "algo/bucket.h"

/* Burst and bookings have bounds of the same size (FC_DEBT_UNITS_MAX is defined so), and the larger of the two decides. */
static bool grid_fits(fc_u128 unit, const flowctl_rate *rate, uint64_t most) {
    return unit * most <= FC_BURST_UNITS_MAX && unit * rate->permits <= (fc_u128)FC_REFILL_UNITS_PER_NS_MAX * rate->period_ns;
}

/*
 * The finest of the grids 1 ns, 1 us, 1 ms, 1 s on which the rate produces a whole number of units per step. A unit of 1/denominator does it;
 * where that is coarser than every nanosecond, or too fine to be counted at all, doubling it as often as fits makes the most of 64 bits.
 */
static uint64_t choose_unit(const flowctl_rate *rate, uint64_t most, uint64_t *exact_every_ns) {
    static const uint64_t grids[] = {1, FLOWCTL_NS_PER_US, FLOWCTL_NS_PER_MS, FLOWCTL_NS_PER_SEC};
    uint64_t unit = 1;
    *exact_every_ns = 0;
    for (unsigned i = 0; i < sizeof grids / sizeof *grids && *exact_every_ns == 0; i++) {
        fc_u128 step = (fc_u128)rate->permits * grids[i];
        uint64_t denominator = rate->period_ns / (uint64_t)fc_gcd(step, rate->period_ns);
        if (grid_fits(denominator, rate, most)) unit = denominator, *exact_every_ns = grids[i];
    }
    if (*exact_every_ns != 1)
        while (grid_fits((fc_u128)unit * 2, rate, most)) unit *= 2;
    return unit;
}

/* p / q * 2^FC_SCALE_BITS, rounded up: two long-division steps of 62 bits, since q < 2^59. */
static fc_u128 scaled(uint64_t p, uint64_t q) {
    const int half = FC_SCALE_BITS / 2;
    fc_u128 value = p / q, rest = p % q;
    for (int i = 0; i < 2; i++) {
        rest <<= half;
        value = (value << half) + rest / q;
        rest %= q;
    }
    return value + (rest != 0);
}

/* The best approximation of a rate whose period is too long: the last convergent that is not. */
static flowctl_rate nearest_rate(const flowctl_rate *rate) {
    struct fc_convergents c = fc_convergents_of(rate->permits, rate->period_ns);
    struct fc_fraction best = {1, FLOWCTL_PERIOD_MAX_NS};
    while (fc_convergents_step(&c) && c.now.den <= FLOWCTL_PERIOD_MAX_NS)
        if (c.now.num != 0) best = c.now;
    return flowctl_per((uint64_t)best.num, (uint64_t)best.den);
}

static enum fc_bucket_fault check_rate(flowctl_rate *rate) {
    if (rate->permits == 0 || rate->period_ns == 0) return FC_BUCKET_RATE_ZERO;
    uint64_t common = (uint64_t)fc_gcd(rate->permits, rate->period_ns);
    rate->permits /= common, rate->period_ns /= common;
    if ((fc_u128)rate->permits * FLOWCTL_NS_PER_SEC > (fc_u128)FLOWCTL_RATE_MAX_PER_SEC * rate->period_ns) {
        *rate = flowctl_per_second(FLOWCTL_RATE_MAX_PER_SEC);
        return FC_BUCKET_RATE_HIGH;
    }
    if (rate->period_ns <= FLOWCTL_PERIOD_MAX_NS) return FC_BUCKET_FINE;
    bool low = (fc_u128)rate->permits * FLOWCTL_PERIOD_MAX_NS < rate->period_ns;
    *rate = low ? flowctl_per(1, FLOWCTL_PERIOD_MAX_NS) : nearest_rate(rate);
    return low ? FC_BUCKET_RATE_LOW : FC_BUCKET_PERIOD_LONG;
}

static enum fc_bucket_fault check_burst(uint64_t *burst) {
    if (*burst == 0) return *burst = 1, FC_BUCKET_BURST_ZERO;
    if (*burst > FC_BURST_UNITS_MAX) return *burst = FC_BURST_UNITS_MAX, FC_BUCKET_BURST_HIGH;
    return FC_BUCKET_FINE;
}

enum fc_bucket_fault fc_bucket_profile_make(flowctl_rate *rate, uint64_t *burst, uint64_t booked,
                                            struct fc_bucket_profile *profile, struct fc_bucket_slope *slope) {
    enum fc_bucket_fault fault = check_rate(rate);
    if (fault == FC_BUCKET_FINE) fault = check_burst(burst);
    if (fault != FC_BUCKET_FINE) return fault;
    uint64_t unit = choose_unit(rate, *burst > booked ? *burst : booked, &slope->exact_every_ns);
    fc_u128 p = (fc_u128)rate->permits * unit, common = fc_gcd(p, rate->period_ns);
    slope->p = (uint64_t)(p / common), slope->q = (uint64_t)(rate->period_ns / common);
    fc_u128 mult = scaled(slope->p, slope->q);
    *profile = (struct fc_bucket_profile){.mult_hi = (uint64_t)(mult >> 64),
                                          .mult_lo = (uint64_t)mult,
                                          .burst = 2 * *burst * unit,
                                          .unit = 2 * unit};
    return FC_BUCKET_FINE;
}

void fc_bucket_profile_halt(struct fc_bucket_profile *profile, struct fc_bucket_slope *slope) {
    profile->mult_hi = profile->mult_lo = 0;
    slope->p = 0, slope->q = 1;
    slope->exact_every_ns = 1;
}

int64_t fc_bucket_carry(int64_t amount, uint64_t unit, uint64_t other_unit) {
    /* In whole units; doubled again at the end. A fraction is cut towards zero, so a negative one is moved down by what was cut. */
    fc_u128 size = (fc_u128)(amount < 0 ? -(uint64_t)amount : (uint64_t)amount) / 2 * (other_unit / 2);
    fc_u128 whole = size / (unit / 2), most = UINT64_C(1) << 61;
    if (amount < 0 && whole * (unit / 2) != size) whole++;
    if (whole > most) whole = most;
    return amount < 0 ? -2 * (int64_t)whole : 2 * (int64_t)whole;
}

uint64_t fc_bucket_reanchor(struct fc_bucket_profile *profile, const struct fc_bucket_slope *slope, uint64_t word,
                            uint64_t now_ns) {
    /* Steps of q nanoseconds produce p units each, without a remainder. */
    uint64_t steps = (now_ns - profile->t0_ns) / slope->q;
    fc_u128 produced = (fc_u128)steps * slope->p * 2;
    int64_t there = (int64_t)(profile->x1 - word); /* at the old anchor */
    bool full =
        there >= 0 ? produced + (uint64_t)there >= profile->burst : produced >= (fc_u128)profile->burst + (uint64_t)-there;
    profile->t0_ns += steps * slope->q;
    profile->x1 += (uint64_t)produced;
    return full ? profile->x1 - profile->burst : word;
}

uint64_t fc_bucket_time_of(const struct fc_bucket_profile *profile, const struct fc_bucket_slope *slope, uint64_t level) {
    int64_t ahead = (int64_t)(level - profile->x1);
    if (ahead <= 0) return profile->t0_ns;
    if (slope->p == 0) return FLOWCTL_FOREVER;
    fc_u128 dt = ((fc_u128)((uint64_t)ahead / 2) * slope->q + slope->p - 1) / slope->p;
    fc_u128 time = profile->t0_ns + dt;
    return time >= UINT64_MAX ? FLOWCTL_FOREVER : (uint64_t)time;
}

#include "process/demand.h"

#include "support/seed.h"

#define MS UINT64_C(1000000)
#define MOST_MISSED (50 * MS)
#define LONGEST_WAIT (20 * MS)
#define WAVE (500 * MS) /* run.py times faults by the waves: WAVE_MS, CREST_MS */
#define CREST (100 * MS)

static void shift(struct demand *d, uint64_t now_ns) {
    static const double factors[] = {0, 0.1, 0.5, 1, 2, 4};
    switch (d->pattern) {
    case DEMAND_STEADY: d->factor = 1, d->shift_ns = UINT64_MAX; break;
    case DEMAND_BURSTY:
        d->factor = d->factor > 0 ? 0 : 4;
        d->shift_ns = now_ns + (d->factor > 0 ? 10 + test_below(&d->random, 190) : 30 + test_below(&d->random, 570)) * MS;
        break;
    case DEMAND_SHIFTING:
        d->factor = factors[test_below(&d->random, 6)];
        d->shift_ns = now_ns + (100 + test_below(&d->random, 2000)) * MS;
        break;
    case DEMAND_WAVES:
        d->factor = now_ns % WAVE < CREST ? 4 : 0;
        d->shift_ns = now_ns - now_ns % WAVE + (d->factor > 0 ? CREST : WAVE);
        break;
    }
    d->next_ns = now_ns;
}

uint64_t demand_next(struct demand *d, uint64_t now_ns, uint64_t *wait_ns) {
    if (now_ns >= d->shift_ns) shift(d, now_ns);
    uint64_t until_ns = d->factor > 0 && d->next_ns < d->shift_ns ? d->next_ns : d->shift_ns;
    if (d->factor == 0 || now_ns < until_ns) {
        *wait_ns = until_ns - now_ns < LONGEST_WAIT ? until_ns - now_ns : LONGEST_WAIT;
        return 0;
    }
    uint64_t permits = 1 + test_below(&d->random, d->most);
    if (now_ns - d->next_ns > MOST_MISSED) d->next_ns = now_ns - MOST_MISSED;
    d->next_ns += (uint64_t)((double)permits / (d->per_ns * d->factor));
    return permits;
}

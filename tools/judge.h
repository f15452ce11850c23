/* The limit at work: decides events in the order of their time, and keeps the tally. */
#ifndef FCT_JUDGE_H
#define FCT_JUDGE_H

#include "backlog.h"
#include "busiest_minute.h"
#include "limit.h"
#include "smallest_rate.h"
#include "timeline.h"
#include "wait_magnitudes.h"

#include <flowctl/flowctl.h>

enum fct_mode {
    FCT_MODE_DENY, /* what does not fit is refused */
    FCT_MODE_DELAY /* what does not fit waits its turn */
};

struct fct_tally {
    uint64_t requests;
    uint64_t allowed;         /* at once or after a wait */
    uint64_t allowed_permits; /* stops at UINT64_MAX */
    uint64_t denied, delayed, never;
    uint64_t late;               /* decided at a later time than their own */
    uint64_t never_cost_max;     /* the greatest cost above the burst */
    uint64_t retry_after_max_ns; /* of what was denied */
    uint64_t delay_max_ns;       /* of what was delayed */
    uint64_t first_ns, last_ns;  /* times of decisions; meaningless without requests */
};

struct fct_judge {
    const struct fct_limit *limit;
    enum fct_mode mode;
    flowctl_clock *clock;
    flowctl_limiter *limiter;
    bool rounded; /* see note_rounding */
    flowctl_decision last;
    struct fct_tally tally;
    struct fct_backlog backlog;
    struct fct_smallest_rate smallest_rate;
    struct fct_busiest_minute busiest;
    struct fct_timeline timeline;
    struct fct_wait_magnitudes waits;
};

void fct_judge_init(struct fct_judge *judge, const struct fct_limit *limit, enum fct_mode mode);
void fct_judge_cleanup(struct fct_judge *judge);

/* Whether nothing can have been rounded. */
bool fct_judge_is_exact(const struct fct_judge *judge);

/*
 * Decides one request; the decision is then in `last`. A time before that of the previous decision is late, and is taken
 * as that one: a limit can't go back in time. Fails only without memory.
 */
flowctl_status fct_judge_decide(struct fct_judge *judge, uint64_t time_ns, uint64_t cost, flowctl_error *err);

#endif

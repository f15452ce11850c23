/* The limiter of a worker: the one seam between these tests and the backends. */
#ifndef FLOWCTL_TESTS_SHARED_LIMIT_H
#define FLOWCTL_TESTS_SHARED_LIMIT_H

#include "backend_url.h"

#include <flowctl/flowctl.h>
#include <flowctl/sys/fault.h>

struct shared_limit_terms {
    const char *backend; /* a URL; NULL or "local": a bucket of each process's own, which several processes overrun together */
    const char *id;      /* of the limit: equal in all processes that share it */
    const char *member; /* of this process */
    flowctl_rate rate;
    uint64_t burst;
    uint64_t ttl_ns, refresh_ns; /* 0: the default */
    bool start_empty;            /* for local ones */
    bool faulty;                 /* what is said to the backend and what it says are mistreated: */
    flowctl_fault_rates faults;
    uint64_t seed;
};

struct shared_limit {
    flowctl_limiter *limiter;
    uint64_t to_boottime_ns; /* what to add to the limiter's times, modulo 2^64 */
    flowctl_backend *backend;
    flowctl_faults *faults;
    struct fct_backend_url url;
};

/* False: said on stderr. A store that does not answer is tried for a while. */
bool shared_limit_open(struct shared_limit *limit, const struct shared_limit_terms *terms);

/* The limiter's clock, as it reads it. */
uint64_t shared_limit_now_ns(const struct shared_limit *limit);

/* Also for a forked child, which may do nothing else with it. */
void shared_limit_close(struct shared_limit *limit);

#endif

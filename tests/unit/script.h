/* A store that answers when it is told to, what it is told to; and shared limiters on a manual clock, driven by hand. */
#ifndef TESTS_UNIT_SCRIPT_H
#define TESTS_UNIT_SCRIPT_H

#include "unit/fixture.h"

#include <flowctl/sys/backend.h>

#define SCRIPT_ASKS 64

struct script_ask {
    uint64_t ticket;
    flowctl_lease_ask ask; /* its texts are gone */
};

/* What the store was asked, and what it says. Handed to it as its config. */
struct script {
    flowctl_backend_base *base;
    unsigned asks; /* so many came; the last SCRIPT_ASKS are kept */
    struct script_ask ask[SCRIPT_ASKS];
    flowctl_lease_reply says; /* script_grant fills in seq, grant and granted; terms of burst 0: those of the ask */
    uint64_t granted;         /* so far */
    bool generous;            /* grants at once what is wanted */
    uint64_t call_ticket;     /* of the last call of another kind */
    unsigned calls, opened, closed;
    _Atomic unsigned polls;
    flowctl_status watch_status;
    uint32_t able;
    void (*in_lease)(struct script *script); /* called inside the slot */
    void *context;
};

extern const flowctl_backend_ops script_ops;      /* all slots */
extern const flowctl_backend_ops script_ops_lend; /* lends, and nothing else */

/* The ask number n, from 1; 0: the last. */
const struct script_ask *script_ask(const struct script *script, unsigned n);

/* Answers ask n (0: the last) with a grant; or with anything. */
void script_grant(struct script *script, unsigned n, uint64_t grant);
void script_reply(struct script *script, unsigned n, const flowctl_lease_reply *reply);
void script_refuse(struct script *script, unsigned n, flowctl_status status);

/* ---- shared limiters on a manual clock ---- */

#define SHARED_TTL_NS FLOWCTL_NS_PER_SEC
#define SHARED_REFRESH_NS (10 * FLOWCTL_NS_PER_MS)

struct shared {
    flowctl_clock *clock;
    flowctl_backend *backend;
    flowctl_limiter *limiter;
    struct script script;
    unsigned polls;
};

/* A backend that is polled, at FIXTURE_START_NS. */
void shared_open(struct shared *s, const flowctl_backend_ops *ops, const void *config);
void shared_open_script(struct shared *s);
/* The memory backend, with max_asks_per_sec. */
void shared_open_paced(struct shared *s, uint64_t max_asks_per_sec);

/* 1000/s, burst 100, id "shared", ttl 1 s, refresh 10 ms. */
flowctl_token_bucket_options shared_options(const struct shared *s);
flowctl_limiter *shared_create(const flowctl_token_bucket_options *o);

/* A script, and a limiter that was granted `held` at the start; it was asked once. */
void shared_with(struct shared *s, uint64_t held, flowctl_away away);
void shared_begin(struct shared *s, const flowctl_token_bucket_options *o, uint64_t held);

/* Frees limiter, backend and clock. */
void shared_free(struct shared *s);

/* Somebody is denied, so that the store is asked again, two refreshes later at the latest. */
void shared_ask_again(struct shared *s);

/* Lets so much time pass; polls whenever the backend says. */
void shared_pass(struct shared *s, uint64_t ns);
/* Time passes, and nobody polls. */
void shared_skip(struct shared *s, uint64_t ns);
uint64_t shared_now(const struct shared *s);

/* What it says of itself; checks that granted = used + back + held. */
flowctl_sharing_info shared_info(flowctl_limiter *l);

#endif

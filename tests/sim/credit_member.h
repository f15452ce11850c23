/*
 * A member of a shared limit, as the core has one: a cell of held credit, a session, a clock of its own that drifts. Small, so that a simulation can have
 * many, and stop them anywhere.
 */
#ifndef FLOWCTL_TESTS_CREDIT_MEMBER_H
#define FLOWCTL_TESTS_CREDIT_MEMBER_H

#include "algo/session.h"

#include "sim/planted_ledger.h"

struct credit_member {
    bool paused;
    int64_t held;
    uint64_t until_paused_op_ns; /* the date of what was begun before the pause; 0: nothing */
    uint64_t paused_op_cost, paused_op_now_ns;
    struct fc_session session;
    flowctl_lease_terms terms;
    uint64_t members, retry_after_ns, quarantine_ns;
    uint64_t used;  /* of all sessions */
    uint64_t names; /* sessions so far: each has a new id */
    char name[8];
    int64_t offset_ns, drift_ppm; /* of its clock */
    enum credit_defect defect;
};

/* A process starts: a new clock, a new session. */
void credit_member_start(struct credit_member *m, size_t number, const flowctl_lease_terms *terms, int64_t offset_ns,
                         int64_t drift_ppm);

/* Its clock, at a moment of real time. */
uint64_t credit_member_clock(const struct credit_member *m, uint64_t real_ns);

/* What may be used at real_ns. */
uint64_t credit_member_usable(const struct credit_member *m, uint64_t real_ns);

/* One operation, dated by the member's clock. */
bool credit_member_use(struct credit_member *m, uint64_t clock_ns, uint64_t cost);

/* The lease is over: what is held is void. */
void credit_member_lapse(struct credit_member *m, uint64_t clock_ns);

void credit_member_give_up(struct credit_member *m, uint64_t permits);

/* Fills in an ask that is sent now. */
void credit_member_ask(struct credit_member *m, uint64_t clock_ns, uint64_t want, uint64_t need, flowctl_lease_ask *ask);

/* An answer has come. */
enum fc_session_news credit_member_answer(struct credit_member *m, uint64_t clock_ns, const flowctl_lease_reply *reply);

#endif

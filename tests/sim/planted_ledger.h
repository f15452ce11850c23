/* Stores and members that are wrong on purpose, each by one step that looks harmless. The oracles must find every one of them. */
#ifndef FLOWCTL_TESTS_PLANTED_LEDGER_H
#define FLOWCTL_TESTS_PLANTED_LEDGER_H

#include <flowctl/sys/ledger.h>

enum credit_defect {
    CREDIT_SOUND,
    /* of the store */
    CREDIT_NAIVE,          /* refills up to the burst, whatever is out */
    CREDIT_WALL_CLOCK,     /* leases end by the store's wall clock */
    CREDIT_LATE_REPORT,    /* an unknown session begins anew, and its old report pays for the new lease */
    CREDIT_SESSIONS_KEPT,  /* a quarantine that leaves the sessions, and counts nothing as out */
    CREDIT_NO_QUARANTINE,  /* another run of the store goes on with the state it finds */
    CREDIT_FULL_ON_CREATE, /* a store that lost everything begins full */
    CREDIT_OLD_FREED,      /* a new process of a name frees what the one before held */
    CREDIT_RATCHET,        /* the store's time never goes back, so it stands still after a step back */
    CREDIT_VOUCH_ENDS,     /* a member that vouches for the time ends leases that are younger than its word */
    CREDIT_ENDS_FIRST,     /* what was held until a moment ago leaves room for all that was earned before */
    CREDIT_ANY_ACCOUNT, /* another account of the session's name is taken for its own, and a report for as much as the account has */
    /* of the member */
    CREDIT_FROM_REPLY,    /* a lease counts from the answer */
    CREDIT_LATE_GRANT,    /* a grant that was counted as lost is used when it comes after all */
    CREDIT_LESS_BELIEVED, /* an answer that was given before one that is known sets the sum of grants back */
    CREDIT_ANY_SESSION,   /* an answer to a session that ended is taken for one to the next */
    CREDIT_GAP_IGNORED,   /* a grant that was lost counts as used */
    CREDIT_DEFECTS
};

extern const char *const credit_defect_names[CREDIT_DEFECTS];

/* As flowctl_ledger_ask, but for the defect. */
void planted_ledger_ask(enum credit_defect defect, flowctl_ledger *ledger, const flowctl_lease_ask *ask, uint64_t now_ns,
                        uint64_t identity, flowctl_lease_reply *reply);

/* As flowctl_ledger_init, but for the defect. */
void planted_ledger_init(enum credit_defect defect, flowctl_ledger *ledger, uint32_t room, uint64_t identity,
                         flowctl_ledger_origin origin);

#endif

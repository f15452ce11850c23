/*
 * One exam for every backend, through its vtable, with a host that collects the answers. Each check runs in a process of its own, on a store of its own:
 * one that crashes or hangs has failed, and nothing else.
 */
#ifndef TESTS_CONTRACT_H
#define TESTS_CONTRACT_H

#include <flowctl/sys/backend.h>

struct contract_subject {
    const char *name;
    const flowctl_backend_ops *ops;
    const void *(*config)(void); /* of the store in use */
    void (*fresh)(void);         /* from now on another store, that nobody has used; NULL: each open makes one */
    uint32_t capabilities;       /* that it must have; no more, no less */
    unsigned sessions;           /* so many of one limit must find room */
    bool faulty;                 /* delays and repeats: only what holds in spite of it is examined */
};

/* All checks, or the one of this name. Prints what failed. @return how many failed; -1: there is none of that name. */
int contract_exam(const struct contract_subject *subject, const char *only);

struct contract_check;
/* The same for other checks, up to one without a name. */
int contract_run(const struct contract_subject *subject, const struct contract_check *checks, const char *only);

/* Its result as an exit code. */
int contract_main(const struct contract_subject *subject);

/* ---- for checks ---- */

/* Ends this process, as failed. */
__attribute__((noreturn, format(printf, 3, 4))) void contract_fail(const char *file, int line, const char *format, ...);

#define EXPECT(condition) ((condition) ? (void)0 : contract_fail(__FILE__, __LINE__, "%s", #condition))
#define EXPECT_NUMBER(a, relation, b)                                                                 \
    do {                                                                                              \
        unsigned long long a_is = (unsigned long long)(a), b_is = (unsigned long long)(b);            \
        if (!(a_is relation b_is))                                                                    \
            contract_fail(__FILE__, __LINE__, "%s %s %s: %llu, %llu", #a, #relation, #b, a_is, b_is); \
    } while (0)

struct contract_check {
    const char *name;
    void (*run)(const struct contract_subject *subject);
    uint32_t needs; /* capabilities; without them it is left out */
    bool in_spite_of_faults;
};
extern const struct contract_check contract_lease_checks[], contract_store_checks[],
    contract_shared_checks[]; /* to name NULL */

#endif

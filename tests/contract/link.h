/* An opened instance, what it is asked, and what it answers. A call that is not answered within two seconds fails the check. */
#ifndef TESTS_CONTRACT_LINK_H
#define TESTS_CONTRACT_LINK_H

#include "contract.h"

struct link;

struct link *link_open(const struct contract_subject *subject);
void link_close(struct link *l);
uint64_t link_now(void);
void link_rest(struct link *l, uint64_t ns); /* lets it poll */

/* ---- calls ---- */

struct stored {
    flowctl_store_reply reply; /* its value is in `value` */
    unsigned char value[FLOWCTL_STORE_VALUE_MAX];
};
flowctl_lease_reply link_lease(struct link *l, const flowctl_lease_ask *ask);
void link_send(struct link *l, const flowctl_lease_ask *ask); /* does not wait */
struct stored link_get(struct link *l, const char *key);
struct stored link_put(struct link *l, flowctl_store_put put);
struct stored link_increment(struct link *l, const char *key, uint64_t by);
flowctl_status link_watch(struct link *l, const char *key, bool on);
unsigned link_changes(struct link *l, const char *key); /* told so far */

struct inspected {
    flowctl_status status;
    size_t count;
    struct {
        char limit[FLOWCTL_LIMIT_ID_MAX + 1];
        flowctl_limit_state state;
        flowctl_member_state members[4]; /* the first few */
    } limits[16];
};
/* Freed by the caller. */
struct inspected *link_inspect(struct link *l, const char *limit);

/* The last ticket that was given, and how often it was answered. */
uint64_t link_last_ticket(const struct link *l);
unsigned link_answers(struct link *l, uint64_t ticket);

/* ---- members of a limit ---- */

struct member {
    struct link *link;
    flowctl_lease_ask ask;
    uint64_t granted; /* as far as it was told */
    uint64_t seen_ns;
    flowctl_lease_reply reply; /* the last */
};

flowctl_lease_terms terms_of(flowctl_rate rate, uint64_t burst, uint64_t ttl_ns, uint64_t version);

/* A session of its own. */
struct member member_of(struct link *l, const char *limit, flowctl_lease_terms terms);

/* The next ask. @return what it gained. Sets used and back in m->ask before, if there is something to report. */
uint64_t member_ask(struct member *m, uint64_t want, uint64_t need);

/* Ends the session; gives back what was not used. */
void member_leave(struct member *m);

/* Makes a limit that has all of its burst, and, by terms of version 2 that are returned, no refill to speak of. */
flowctl_lease_terms make_full(struct link *l, const char *limit, uint64_t burst, uint64_t ttl_ns);

/* The same settings as of the next version, with this rate. */
flowctl_lease_terms at_rate(flowctl_lease_terms terms, flowctl_rate rate);

#endif

/* Backends with one defect each: the exam must find it, by the check that looks for it. */
#include "backend_file.h"
#include "spoilt_file.h"
#include "subjects.h"

#include <flowctl/sys/ledger.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- defects in lending: a copy of the memory backend's idea, for one limit, with a place for each mistake ---- */

enum { ROOM = 400 };

enum defect {
    NONE,
    GRANTS_TWICE,
    FORGETS_AN_ANSWER,
    EXPIRES_AT_ONCE,
    ONE_FOR_ALL_IDS,
    REFILLS_TWICE,
    NO_CHECK_OF_VERSION,
    NO_EXPIRY
};
static enum defect defect;

struct lender {
    flowctl_backend_base base;
    unsigned asks;
    char ids[ROOM][FLOWCTL_LIMIT_ID_MAX + 1];
    flowctl_ledger *ledgers[ROOM];
};

static flowctl_status lender_open(flowctl_backend_base *base, const void *config, flowctl_error *err) {
    (void)base, (void)config, (void)err;
    return FLOWCTL_OK;
}

static void lender_close(flowctl_backend_base *base) {
    struct lender *l = (struct lender *)base;
    for (int i = 0; i < ROOM; i++) free(l->ledgers[i]);
}

static flowctl_ledger *ledger(struct lender *l, const char *id) {
    int i = 0;
    while (defect != ONE_FOR_ALL_IDS && l->ledgers[i] != NULL && strcmp(l->ids[i], id) != 0) i++;
    if (l->ledgers[i] == NULL) {
        l->ledgers[i] = malloc(FLOWCTL_LEDGER_BYTES(ROOM));
        flowctl_ledger_init(l->ledgers[i], ROOM, 1, FLOWCTL_LEDGER_FIRST);
        strcpy(l->ids[i], id);
    }
    return l->ledgers[i];
}

static void lender_lease(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_ask *ask) {
    struct lender *l = (struct lender *)base;
    flowctl_lease_reply reply = {.size = sizeof reply};
    flowctl_lease_ask as = *ask;
    if (ask->limit[0] == '\0' || strlen(ask->limit) > FLOWCTL_LIMIT_ID_MAX) {
        flowctl_answer_lease(base, ticket,
                             &(flowctl_lease_reply){.size = sizeof reply,
                                                    .status = FLOWCTL_INVALID_ARGUMENT,
                                                    .session = ask->session,
                                                    .seq = ask->seq});
        return;
    }
    flowctl_ledger *to = ledger(l, ask->limit);
    if (defect == GRANTS_TWICE && to->count != 0 && as.want != 0)
        for (uint32_t i = 0; i < to->count; i++)
            if (flowctl_ledger_sessions(to)[i].session.lo == as.session.lo && flowctl_ledger_sessions(to)[i].seq >= as.seq)
                flowctl_ledger_sessions(to)[i].seq = as.seq - 1;
    uint64_t now_ns = flowctl_backend_time(base);
    if (defect == REFILLS_TWICE) now_ns *= 2;
    flowctl_ledger_ask(to, &as, now_ns, 1, &reply);
    /* As long as the lease, and no margin. */
    if (defect == EXPIRES_AT_ONCE)
        for (uint32_t i = 0; i < to->count; i++)
            if (flowctl_ledger_sessions(to)[i].expires_clk_ns > to->clk_ns + as.terms.ttl_ns)
                flowctl_ledger_sessions(to)[i].expires_clk_ns = to->clk_ns + as.terms.ttl_ns;
    if (defect == FORGETS_AN_ANSWER && ++l->asks % 7 == 0) return;
    flowctl_answer_lease(base, ticket, &reply);
}

static const flowctl_backend_ops lender = {.size = sizeof lender,
                                           .version = FLOWCTL_BACKEND_VERSION,
                                           .name = "lender",
                                           .instance_bytes = sizeof(struct lender),
                                           .capabilities = FLOWCTL_CAN_SERVER_TIME,
                                           .open = lender_open,
                                           .close = lender_close,
                                           .lease = lender_lease};

/* ---- defects in storing: the file backend, spoilt ---- */

/* Adds by reading and writing, which others may do in between. The answers to both go nowhere. */
static uint64_t read_number;

static void keep_number(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_reply *reply) {
    (void)base, (void)ticket;
    read_number = reply->number;
    if (reply->value != NULL) memcpy(&read_number, reply->value, sizeof read_number);
}

static flowctl_backend_host silenced(const flowctl_backend_host *host) {
    flowctl_backend_host silent = *host;
    silent.stored = keep_number;
    return silent;
}

static void answer_number(flowctl_backend_base *base, uint64_t ticket, uint64_t number) {
    flowctl_answer_store(base, ticket, &(flowctl_store_reply){.size = sizeof(flowctl_store_reply), .number = number});
}

static void add_in_steps(flowctl_backend_base *base, uint64_t ticket, const char *key, uint64_t by) {
    const flowctl_backend_host *host = base->host, silent = silenced(host);
    base->host = &silent;
    file_backend_ops.get(base, ticket, key);
    usleep(50);
    uint64_t sum = read_number + by;
    flowctl_store_put put = {.key = key,
                             .value = &sum,
                             .bytes = sizeof sum,
                             .expected = FLOWCTL_ANY_VERSION,
                             .ttl_ns = FLOWCTL_NS_PER_HOUR};
    file_backend_ops.put(base, ticket, &put);
    base->host = host;
    answer_number(base, ticket, sum);
}

/* Says that it has added, and does it with the next. */
static void add_later(flowctl_backend_base *base, uint64_t ticket, const char *key, uint64_t by) {
    static uint64_t kept;
    const flowctl_backend_host *host = base->host, silent = silenced(host);
    base->host = &silent;
    file_backend_ops.increment(base, ticket, key, kept);
    base->host = host;
    kept = by;
    answer_number(base, ticket, read_number + by);
}

/* Full after it was opened again: the file is gone, and nobody waits for the leases of the one before. */
static flowctl_status open_and_forget(flowctl_backend_base *base, const void *config, flowctl_error *err) {
    unlink(config);
    return file_backend_ops.open(base, config, err);
}

static void put_anyway(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_put *put) {
    flowctl_store_put any = *put;
    any.expected = FLOWCTL_ANY_VERSION;
    file_backend_ops.put(base, ticket, &any);
}

static void put_for_ever(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_put *put) {
    flowctl_store_put stays = *put;
    stays.ttl_ns = 0;
    file_backend_ops.put(base, ticket, &stays);
}

/* ---- the exam of the exam ---- */

#define TRIES 5

static int wrong(const char *what, const struct contract_subject *subject, const char *check, bool must_fail) {
    int failed = contract_exam(subject, check);
    /* Some are only seen if a process is killed at the right moment, which on a slow machine may take another round. */
    for (int more = 0; must_fail && failed == 0 && more < TRIES; more++) failed = contract_exam(subject, check);
    bool as_it_should = must_fail ? failed == 1 : failed == 0;
    printf("%s: %s: %s\n", as_it_should ? "ok" : "WRONG", what, check == NULL ? "all checks" : check);
    return !as_it_should;
}

static int lenders(void) {
    static const struct {
        const char *what;
        enum defect defect;
        const char *check;
    } planted[] = {
        {"grants a repeated ask again", GRANTS_TWICE, "repeated"},
        {"forgets an answer", FORGETS_AN_ANSWER, "answers"},
        {"no margin when a lease is over", EXPIRES_AT_ONCE, "expiry"},
        {"one limit for all ids", ONE_FOR_ALL_IDS, "ids"},
        {"a clock twice as fast", REFILLS_TWICE, "refill"},
    };
    struct contract_subject s = {.name = "lender",
                                 .ops = &lender,
                                 .config = no_config,
                                 .capabilities = FLOWCTL_CAN_LEND | FLOWCTL_CAN_SERVER_TIME,
                                 .sessions = 300};
    int failed = wrong("no defect", &s, NULL, false);
    s.capabilities |= FLOWCTL_CAN_SHARE;
    failed += wrong("says that it shares", &s, "instances", true) + wrong("says that it shares", &s, "processes", true);
    s.capabilities &= ~FLOWCTL_CAN_SHARE;
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
        defect = planted[i].defect;
        failed += wrong(planted[i].what, &s, planted[i].check, true);
    }
    return failed;
}

static int files(void) {
    flowctl_backend_ops ops = file_backend_ops;
    struct contract_subject s = {.name = "file",
                                 .ops = &ops,
                                 .config = file_config,
                                 .fresh = fresh_file,
                                 .capabilities = FILE_CAPABILITIES};
    int failed = 0;
    ops.increment = add_in_steps;
    failed += wrong("adds in steps", &s, "numbers_together", true);
    ops.increment = add_later;
    failed += wrong("adds later", &s, "killed", true);
    ops = file_backend_ops;
    ops.open = open_and_forget;
    failed += wrong("forgets when opened again", &s, "reopened", true);
    ops = file_backend_ops;
    ops.put = put_anyway;
    failed += wrong("puts whatever the version is", &s, "values", true);
    ops.put = put_for_ever;
    failed += wrong("never forgets", &s, "value_expiry", true);
    ops = spoilt_file_backend_ops;
    spoil = (struct spoil){.slow = true};
    failed += wrong("writes in small pieces", &s, "killed", false);
    spoil = (struct spoil){.slow = true, .in_place = true};
    failed += wrong("writes in place", &s, "killed", true);
    spoil = (struct spoil){.slow = true, .unlocked = true};
    failed += wrong("does not lock", &s, "values_together", true);
    return failed;
}

int main(void) { return lenders() + files() == 0 ? 0 : 1; }

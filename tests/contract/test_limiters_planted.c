/* Backends that are wrong, each by one step, seen as users see them: the exam of limiters must find it. */
#include "backend_file.h"
#include "limiters.h"
#include "subjects.h"

#include <flowctl/sys/ledger.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 16, LIMITS = 4 };

enum defect {
    NONE,
    LENDS_DOUBLE,  /* twice as much as it writes down */
    REFILLS_TWICE, /* a clock twice as fast */
    ONE_FOR_ALL_IDS,
    FULL_WHEN_ALL_LEFT, /* forgets a limit with its last member */
    FORGETS_CHANGES
};
static enum defect defect;

struct wrong {
    flowctl_backend_base base;
    char ids[LIMITS][FLOWCTL_LIMIT_ID_MAX + 1];
    flowctl_ledger *ledgers[LIMITS];
};

static flowctl_status wrong_open(flowctl_backend_base *base, const void *config, flowctl_error *err) {
    (void)base, (void)config, (void)err;
    return FLOWCTL_OK;
}

static void wrong_close(flowctl_backend_base *base) {
    for (int i = 0; i < LIMITS; i++) free(((struct wrong *)base)->ledgers[i]);
}

static flowctl_ledger *ledger(struct wrong *w, const char *id) {
    int i = 0;
    while (defect != ONE_FOR_ALL_IDS && w->ledgers[i] != NULL && strcmp(w->ids[i], id) != 0) i++;
    if (w->ledgers[i] != NULL) return w->ledgers[i];
    w->ledgers[i] = malloc(FLOWCTL_LEDGER_BYTES(ROOM));
    if (w->ledgers[i] == NULL) abort();
    flowctl_ledger_init(w->ledgers[i], ROOM, 1, FLOWCTL_LEDGER_FIRST);
    strcpy(w->ids[i], id);
    return w->ledgers[i];
}

static void wrong_lease(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_ask *ask) {
    flowctl_lease_reply reply = {.size = sizeof reply};
    flowctl_lease_ask as = *ask;
    flowctl_ledger *l = ledger((struct wrong *)base, ask->limit);
    uint64_t now_ns = flowctl_backend_time(base);
    if (defect == REFILLS_TWICE) now_ns *= 2;
    if (defect == LENDS_DOUBLE) as.want = as.want / 2, as.need = as.need / 2, as.used = as.used / 2, as.back = as.back / 2;
    if (defect == FORGETS_CHANGES) as.terms.version = 0;
    flowctl_ledger_ask(l, &as, now_ns, 1, &reply);
    if (defect == LENDS_DOUBLE) reply.grant *= 2, reply.granted *= 2;
    if (defect == FULL_WHEN_ALL_LEFT && l->count == 0) flowctl_ledger_init(l, ROOM, 1, FLOWCTL_LEDGER_FIRST);
    flowctl_answer_lease(base, ticket, &reply);
}

static const flowctl_backend_ops wrong_ops = {.size = sizeof wrong_ops,
                                              .version = FLOWCTL_BACKEND_VERSION,
                                              .name = "wrong",
                                              .instance_bytes = sizeof(struct wrong),
                                              .capabilities = FLOWCTL_CAN_SERVER_TIME,
                                              .open = wrong_open,
                                              .close = wrong_close,
                                              .lease = wrong_lease};

/* The file backend, which tells of leases ten times as long as those that it keeps. */
static _Thread_local const flowctl_backend_host *true_host;

static void tell_longer(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_reply *reply) {
    flowctl_lease_reply longer = *reply;
    longer.lease_ns *= 10;
    true_host->leased(base, ticket, &longer);
}

static void lend_longer(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_ask *ask) {
    flowctl_backend_host liar = *base->host;
    true_host = base->host;
    liar.leased = tell_longer;
    base->host = &liar;
    file_backend_ops.lease(base, ticket, ask);
    base->host = true_host;
}

static int as_it_should(const struct contract_subject *s, const char *what, const char *check, bool must_fail) {
    int failed = contract_limiters_exam(s, check);
    bool right = failed == must_fail;
    printf("%s: %s: %s\n", right ? "ok" : "WRONG", what, check);
    return !right;
}

int main(void) {
    static const struct {
        const char *what;
        enum defect defect;
        const char *check;
    } planted[] = {
        {"lends twice what it writes down", LENDS_DOUBLE, "limiters_hammered"},
        {"a clock twice as fast", REFILLS_TWICE, "limiters_hammered"},
        {"one limit for all ids", ONE_FOR_ALL_IDS, "limiters_ids"},
        {"full when all have left", FULL_WHEN_ALL_LEFT, "limiters_restart"},
        {"forgets changes", FORGETS_CHANGES, "limiters_changed"},
    };
    struct contract_subject s = {.name = "wrong",
                                 .ops = &wrong_ops,
                                 .config = no_config,
                                 .capabilities = FLOWCTL_CAN_LEND | FLOWCTL_CAN_SERVER_TIME};
    int wrong = 0;
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
        defect = NONE;
        if (i == 0 || strcmp(planted[i].check, planted[i - 1].check) != 0)
            wrong += as_it_should(&s, "no defect", planted[i].check, false);
        defect = planted[i].defect;
        wrong += as_it_should(&s, planted[i].what, planted[i].check, true);
    }
    flowctl_backend_ops longer = file_backend_ops;
    s = (struct contract_subject){.name = "longer",
                                  .ops = &longer,
                                  .config = file_config,
                                  .fresh = fresh_file,
                                  .capabilities = FILE_CAPABILITIES};
    wrong += as_it_should(&s, "no defect", "limiters_forgotten", false);
    longer.lease = lend_longer;
    wrong += as_it_should(&s, "tells of longer leases than it keeps", "limiters_forgotten", true);
    return wrong == 0 ? 0 : 1;
}

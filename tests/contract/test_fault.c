/* Through faults that never happen, all holds; through delays and repeats, what a lease promises. And each fault happens. */
#include "backend_file.h"
#include "link.h"
#include "subjects.h"
#include "support/seed.h"

#include <flowctl/sys/fault.h>
#include <stdio.h>
#include <stdlib.h>

static flowctl_faults *faults;

static const void *over_memory(void) {
    static flowctl_fault_config c;
    c = (flowctl_fault_config){sizeof c, flowctl_memory_backend(), NULL, faults};
    return &c;
}

static const void *over_file(void) {
    static flowctl_fault_config c;
    c = (flowctl_fault_config){sizeof c, &file_backend_ops, file_config(), faults};
    return &c;
}

static const flowctl_fault_rates none = {.fail = 0};

/* Ten asks under these rates: how many were answered, and how often. */
static flowctl_fault_counts suffer(const struct contract_subject *s, flowctl_fault_rates rates, unsigned *answered,
                                   unsigned *answers) {
    flowctl_faults_set(faults, &none);
    struct link *l = link_open(s);
    struct member m = member_of(l, "suffers", terms_of(flowctl_per_second(5), 100, FLOWCTL_NS_PER_SEC, 9));
    flowctl_fault_counts before, after;
    flowctl_faults_count(faults, &before);
    flowctl_faults_set(faults, &rates);
    for (uint64_t i = 0; i < 10; i++) link_send(l, &m.ask), m.ask.seq++;
    link_rest(l, 20 * FLOWCTL_NS_PER_MS);
    *answered = *answers = 0;
    for (uint64_t t = 1; t <= 10; t++) *answered += link_answers(l, t) != 0, *answers += link_answers(l, t);
    flowctl_faults_count(faults, &after);
    flowctl_faults_set(faults, &none);
    link_close(l);
    after.dropped_requests -= before.dropped_requests, after.dropped_replies -= before.dropped_replies;
    after.duplicated_requests -= before.duplicated_requests, after.duplicated_replies -= before.duplicated_replies;
    after.delayed -= before.delayed, after.failed -= before.failed;
    return after;
}

static void each_fault(const struct contract_subject *s) {
    enum { ALWAYS = 1000000 };
    unsigned answered, answers;
    flowctl_fault_counts c = suffer(s, (flowctl_fault_rates){.drop_request = ALWAYS}, &answered, &answers);
    EXPECT(answered == 0 && c.dropped_requests == 10 && c.dropped_replies == 0);
    c = suffer(s, (flowctl_fault_rates){.drop_reply = ALWAYS}, &answered, &answers);
    EXPECT(answered == 0 && c.dropped_requests == 0 && c.dropped_replies == 10);
    c = suffer(s, (flowctl_fault_rates){.duplicate_request = ALWAYS}, &answered, &answers);
    EXPECT(answered == 10 && answers == 20 && c.duplicated_requests == 10);
    c = suffer(s, (flowctl_fault_rates){.duplicate_reply = ALWAYS}, &answered, &answers);
    EXPECT(answered == 10 && answers == 20 && c.duplicated_replies == 10);
    c = suffer(s, (flowctl_fault_rates){.delay_request = ALWAYS, .max_delay_ns = FLOWCTL_NS_PER_MS}, &answered, &answers);
    EXPECT(answered == 10 && answers == 10 && c.delayed == 10);
    c = suffer(s, (flowctl_fault_rates){.delay_reply = ALWAYS, .max_delay_ns = FLOWCTL_FOREVER}, &answered, &answers);
    EXPECT(answered == 0 && c.delayed == 10);
    c = suffer(s, (flowctl_fault_rates){.fail = ALWAYS}, &answered, &answers);
    EXPECT(answered == 10 && c.failed == 10);
    c = suffer(s, (flowctl_fault_rates){.drop_request = ALWAYS / 2}, &answered, &answers);
    unsigned first = answered;
    EXPECT_NUMBER(c.dropped_requests, ==, 10 - first);
}

/* The same seed and calls, the same faults. */
static void repeatable(const struct contract_subject *s, uint64_t seed) {
    unsigned of_run[2][16];
    for (int run = 0; run < 2; run++) {
        EXPECT(flowctl_faults_create(seed, &faults, NULL) == FLOWCTL_OK);
        for (unsigned i = 0; i < 16; i++) {
            unsigned answers;
            suffer(s, (flowctl_fault_rates){.drop_request = 300000, .drop_reply = 100000}, &of_run[run][i], &answers);
        }
        flowctl_faults_destroy(faults);
    }
    for (unsigned i = 0; i < 16; i++) EXPECT_NUMBER(of_run[0][i], ==, of_run[1][i]);
}

int main(void) {
    static const flowctl_fault_rates unkind = {.duplicate_request = 200000,
                                               .duplicate_reply = 200000,
                                               .delay_request = 300000,
                                               .delay_reply = 300000,
                                               .max_delay_ns = 2 * FLOWCTL_NS_PER_MS};
    struct contract_subject s = {.name = "fault",
                                 .ops = flowctl_fault_backend(),
                                 .config = over_memory,
                                 .capabilities = EMBEDDED_CAPABILITIES,
                                 .sessions = 300};
    uint64_t seed = test_seed("fault");
    repeatable(&s, seed);
    if (flowctl_faults_create(seed, &faults, NULL) != FLOWCTL_OK) return 1;
    each_fault(&s);
    int failed = contract_main(&s);
    flowctl_faults_set(faults, &unkind);
    s.name = "fault_over_file", s.config = over_file, s.fresh = fresh_file, s.capabilities = FILE_CAPABILITIES,
    s.faulty = true;
    failed += contract_main(&s);
    flowctl_faults_destroy(faults);
    return failed == 0 ? 0 : 1;
}

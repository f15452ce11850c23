#include "limiters.h"

#include "support/oracle.h"
#include "support/seed.h"

#include <flowctl/flowctl.h>
#include <flowctl/sys/fault.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS FLOWCTL_NS_PER_MS
#define TTL_NS (200 * MS)
#define PATIENCE_NS (10 * FLOWCTL_NS_PER_SEC)

enum { RATE = 20000, BURST = 4000, MEMBERS = 3, EVENTS = 1 << 18 };

/* ---- limiters ---- */

static flowctl_backend *open_ops(const flowctl_backend_ops *ops, const void *config) {
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *b;
    flowctl_error err = {.message = ""};
    o.ops = ops;
    o.config = config;
    if (flowctl_backend_open(&o, &b, &err) != FLOWCTL_OK) contract_fail(__FILE__, __LINE__, "%s", err.message);
    return b;
}

static flowctl_backend *open_backend(const struct contract_subject *s) { return open_ops(s->ops, s->config()); }

static flowctl_token_bucket_options options(flowctl_backend *b, const char *id, uint64_t per_sec, uint64_t burst) {
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    o.id = id;
    o.rate = flowctl_per_second(per_sec);
    o.burst = burst;
    o.backend = b;
    o.sharing.ttl_ns = TTL_NS;
    o.sharing.refresh_ns = 5 * MS;
    return o;
}

static flowctl_limiter *make(const flowctl_token_bucket_options *o) {
    flowctl_limiter *l;
    flowctl_error err = {.message = ""};
    if (flowctl_token_bucket_create(o, &l, &err) != FLOWCTL_OK) contract_fail(__FILE__, __LINE__, "%s", err.message);
    return l;
}

static flowctl_limiter *make_ready(const flowctl_token_bucket_options *o) {
    flowctl_limiter *l = make(o);
    EXPECT_NUMBER(flowctl_limiter_wait_ready(l, PATIENCE_NS), ==, FLOWCTL_OK);
    return l;
}

static uint64_t now(void) { return flowctl_clock_now(flowctl_clock_boottime()); }
static void rest(uint64_t ns) {
    nanosleep(&(struct timespec){(time_t)(ns / FLOWCTL_NS_PER_SEC), (long)(ns % FLOWCTL_NS_PER_SEC)}, NULL);
}

/* ---- what was admitted: by all threads of all processes ---- */

struct record {
    atomic_ullong count;
    struct oracle_event events[EVENTS];
};

static struct record *new_record(void) {
    void *page = mmap(NULL, sizeof(struct record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(page != MAP_FAILED);
    return page;
}

static void note(struct record *r, const flowctl_decision *d) {
    if (d->verdict != FLOWCTL_ALLOW || d->granted == 0) return;
    unsigned long long i = atomic_fetch_add(&r->count, 1);
    EXPECT_NUMBER(i, <, EVENTS);
    r->events[i] = (struct oracle_event){d->now_ns, d->granted};
}

/* Those of the time from `from_ns` until `until_ns`. */
static uint64_t judge(const char *what, struct record *r, uint64_t per_sec, uint64_t burst, uint64_t from_ns,
                      uint64_t until_ns) {
    struct oracle_log log = {NULL, 0, 0};
    uint64_t sum = 0;
    for (unsigned long long i = 0; i < r->count; i++) {
        if (r->events[i].time_ns < from_ns || r->events[i].time_ns >= until_ns) continue;
        oracle_record(&log, r->events[i].time_ns, r->events[i].permits);
        sum += r->events[i].permits;
    }
    struct oracle_limit limit = {per_sec, FLOWCTL_NS_PER_SEC, burst};
    if (!oracle_passes(what, &log, &limit)) contract_fail(__FILE__, __LINE__, "%s: over the limit", what);
    oracle_free(&log);
    return sum;
}

/* ---- threads that hammer ---- */

struct hammer {
    pthread_t thread;
    flowctl_limiter *limiter;
    struct record *record;
    uint64_t until_ns, random;
};

static void *hammer(void *argument) {
    struct hammer *h = argument;
    while (now() < h->until_ns) {
        uint64_t permits = 1 + test_below(&h->random, 20);
        flowctl_decision d = test_below(&h->random, 16) == 0 ? flowctl_acquire(h->limiter, permits, 2 * MS)
                                                             : flowctl_decide(h->limiter, permits);
        note(h->record, &d);
        rest(test_below(&h->random, 200) * FLOWCTL_NS_PER_US);
    }
    return NULL;
}

/* Two threads to each limiter. */
static void hammer_for(flowctl_limiter *const *limiters, unsigned count, struct record *record, uint64_t ns) {
    struct hammer threads[2 * MEMBERS];
    for (unsigned i = 0; i < 2 * count; i++) {
        threads[i] = (struct hammer){.limiter = limiters[i % count], .record = record, .until_ns = now() + ns};
        threads[i].random = now() ^ (uint64_t)getpid() << 32 ^ i;
        EXPECT(pthread_create(&threads[i].thread, NULL, hammer, &threads[i]) == 0);
    }
    for (unsigned i = 0; i < 2 * count; i++) pthread_join(threads[i].thread, NULL);
}

/* ---- checks ---- */

/* In one opened backend, or each in its own where they share. */
static void hammered(const struct contract_subject *s) {
    struct record *record = new_record();
    flowctl_backend *backends[MEMBERS];
    flowctl_limiter *limiters[MEMBERS];
    bool share = (s->capabilities & FLOWCTL_CAN_SHARE) != 0;
    for (int i = 0; i < MEMBERS; i++) {
        backends[i] = i == 0 || share ? open_backend(s) : backends[0];
        flowctl_token_bucket_options o = options(backends[i], "hammered", RATE, BURST);
        limiters[i] = make_ready(&o);
    }
    uint64_t began_ns = now();
    hammer_for(limiters, MEMBERS, record, 700 * MS);
    uint64_t sum = judge("hammered", record, RATE, BURST, 0, UINT64_MAX);
    uint64_t could = RATE * (now() - began_ns) / FLOWCTL_NS_PER_SEC;
    printf("       %llu of %llu permits\n", (unsigned long long)sum, (unsigned long long)could + BURST);
    if (!s->faulty) EXPECT_NUMBER(sum, >=, could * 6 / 10); /* 0.99, where nobody else wants the processors */
    for (int i = 0; i < MEMBERS; i++) {
        flowctl_sharing_info info;
        EXPECT(flowctl_limiter_sharing(limiters[i], &info) == FLOWCTL_OK);
        EXPECT_NUMBER(info.granted_permits, ==, info.used_permits + info.back_permits + info.held);
        EXPECT_NUMBER(info.sessions, ==, 1);
        flowctl_limiter_destroy(limiters[i]);
    }
    for (int i = MEMBERS - 1; i >= 0; i--)
        if (i == 0 || share) flowctl_backend_destroy(backends[i]);
}

static void hammer_in_child(const struct contract_subject *s, struct record *record) {
    flowctl_backend *b = open_backend(s);
    flowctl_token_bucket_options o = options(b, "processes", RATE, BURST);
    flowctl_limiter *l = make_ready(&o);
    hammer_for(&l, 1, record, 700 * MS);
    flowctl_limiter_destroy(l);
    flowctl_backend_destroy(b);
    _exit(0);
}

static void processes(const struct contract_subject *s) {
    struct record *record = new_record();
    pid_t children[MEMBERS];
    for (int i = 0; i < MEMBERS; i++) {
        children[i] = fork();
        EXPECT(children[i] >= 0);
        if (children[i] == 0) hammer_in_child(s, record);
    }
    for (int i = 0, status; i < MEMBERS; i++) {
        EXPECT(waitpid(children[i], &status, 0) == children[i]);
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    uint64_t sum = judge("processes", record, RATE, BURST, 0, UINT64_MAX);
    if (!s->faulty) EXPECT_NUMBER(sum, >=, RATE * 7 / 10 * 6 / 10);
}

/* Two ids do not know of each other: neither their settings nor what they used. */
static void ids(const struct contract_subject *s) {
    flowctl_backend *b = open_backend(s);
    flowctl_token_bucket_options one = options(b, "one", 1, 10), two = options(b, "two", RATE, 100);
    flowctl_limiter *l[] = {make_ready(&one), make_ready(&two)};
    flowctl_limiter_info info[2];
    for (int i = 0; i < 20; i++) flowctl_acquire(l[0], 10, MS);
    EXPECT(flowctl_acquire(l[1], 100, PATIENCE_NS).verdict == FLOWCTL_ALLOW);
    for (int i = 0; i < 2; i++) EXPECT(flowctl_limiter_read(l[i], &info[i]) == FLOWCTL_OK);
    EXPECT_NUMBER(info[0].burst, ==, 10);
    EXPECT_NUMBER(info[1].burst, ==, 100);
    for (int i = 0; i < 2; i++) flowctl_limiter_destroy(l[i]);
    flowctl_backend_destroy(b);
}

/* All gone, and begun again: no free burst. */
static void restart(const struct contract_subject *s) {
    struct record *record = new_record();
    bool persists = (s->capabilities & FLOWCTL_CAN_PERSIST) != 0;
    flowctl_backend *b = open_backend(s);
    for (int run = 0; run < 4; run++) {
        flowctl_token_bucket_options o = options(b, "restart", RATE, BURST);
        flowctl_limiter *l = make_ready(&o);
        hammer_for(&l, 1, record, 120 * MS);
        if (run % 2 != 0) flowctl_limiter_close(l);
        flowctl_limiter_destroy(l);
        if (!persists) continue;
        flowctl_backend_destroy(b);
        b = open_backend(s);
    }
    judge("restart", record, RATE, BURST, 0, UINT64_MAX);
    flowctl_backend_destroy(b);
}

struct waiter {
    pthread_t thread;
    flowctl_limiter *limiter;
    struct record *record;
    uint64_t permits;
    unsigned times;
};

static void *wait_for_permits(void *argument) {
    struct waiter *w = argument;
    for (unsigned i = 0; i < w->times; i++) {
        flowctl_decision d = flowctl_acquire(w->limiter, w->permits, PATIENCE_NS);
        EXPECT_NUMBER(d.verdict, ==, FLOWCTL_ALLOW);
        EXPECT_NUMBER(d.granted, ==, w->permits);
        note(w->record, &d);
    }
    return NULL;
}

/* Threads that wait at two members, for little and for all of the burst: each is served. */
static void waiting(const struct contract_subject *s) {
    static const uint64_t costs[] = {1, 10, 400, 7, 3, 250};
    enum { WAITERS = sizeof costs / sizeof *costs };
    struct record *record = new_record();
    struct waiter w[WAITERS];
    flowctl_backend *b = open_backend(s);
    flowctl_token_bucket_options o = options(b, "waiting", 4000, 400);
    flowctl_limiter *l[] = {make_ready(&o), make_ready(&o)};
    for (int i = 0; i < WAITERS; i++) {
        w[i] = (struct waiter){.limiter = l[i % 2], .record = record, .permits = costs[i], .times = costs[i] > 100 ? 2 : 20};
        EXPECT(pthread_create(&w[i].thread, NULL, wait_for_permits, &w[i]) == 0);
    }
    for (int i = 0; i < WAITERS; i++) pthread_join(w[i].thread, NULL);
    judge("waiting", record, 4000, 400, 0, UINT64_MAX);
    EXPECT(flowctl_acquire(l[0], 401, PATIENCE_NS).verdict == FLOWCTL_NEVER);
    flowctl_limiter_destroy(l[0]), flowctl_limiter_destroy(l[1]);
    flowctl_backend_destroy(b);
}

/* Nothing is held ahead of need: by threads that wait and threads that try again, at limiters that lie idle afterwards. */
static void *try_for_permits(void *argument) {
    struct hammer *h = argument;
    while (now() < h->until_ns) {
        flowctl_decision d = flowctl_decide(h->limiter, 1 + test_below(&h->random, 3));
        note(h->record, &d);
        rest(d.granted != 0 || d.retry_after_ns > 5 * MS ? 5 * MS : d.retry_after_ns);
    }
    return NULL;
}

static void one_by_one(const struct contract_subject *s) {
    struct record *record = new_record();
    struct waiter w[MEMBERS];
    struct hammer h[MEMBERS];
    flowctl_limiter *l[MEMBERS];
    flowctl_backend *b = open_backend(s);
    flowctl_token_bucket_options o = options(b, "one by one", 200, 5);
    o.sharing.one_by_one = true;
    for (int i = 0; i < MEMBERS; i++) {
        l[i] = make_ready(&o);
        w[i] = (struct waiter){.limiter = l[i], .record = record, .permits = 1 + (unsigned)i, .times = 20};
        h[i] = (struct hammer){.limiter = l[i], .record = record, .until_ns = now() + 500 * MS, .random = (unsigned)i};
        EXPECT(pthread_create(&w[i].thread, NULL, wait_for_permits, &w[i]) == 0);
        EXPECT(pthread_create(&h[i].thread, NULL, try_for_permits, &h[i]) == 0);
    }
    for (int i = 0; i < MEMBERS; i++) pthread_join(w[i].thread, NULL), pthread_join(h[i].thread, NULL);
    judge("one by one", record, 200, 5, 0, UINT64_MAX);
    for (int i = 0; i < MEMBERS; i++) {
        flowctl_sharing_info info = {.held = 1};
        for (uint64_t until_ns = now() + PATIENCE_NS; info.held != 0; rest(MS)) {
            EXPECT(flowctl_limiter_sharing(l[i], &info) == FLOWCTL_OK);
            EXPECT(now() < until_ns);
        }
    }
    /* All of the burst is one's, since nothing lies idle in the others. */
    rest(30 * MS);
    flowctl_decision d = flowctl_acquire(l[0], 5, PATIENCE_NS);
    EXPECT(d.verdict == FLOWCTL_ALLOW);
    for (int i = 0; i < MEMBERS; i++) flowctl_limiter_destroy(l[i]);
    flowctl_backend_destroy(b);
}

struct changer {
    flowctl_limiter *limiter;
    uint64_t at_ns, changed_ns;
};

static void *change_once(void *argument) {
    struct changer *c = argument;
    rest(c->at_ns);
    EXPECT(flowctl_set_limit(c->limiter, flowctl_per_second(RATE / 4), BURST / 4, NULL) == FLOWCTL_OK);
    c->changed_ns = now();
    return NULL;
}

/* A smaller limit holds for all once the leases of before are over. */
static void changed(const struct contract_subject *s) {
    struct record *record = new_record();
    flowctl_backend *b = open_backend(s);
    flowctl_token_bucket_options o = options(b, "changed", RATE, BURST);
    flowctl_limiter *l[] = {make_ready(&o), make_ready(&o)};
    struct changer c = {.limiter = l[0], .at_ns = 200 * MS};
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, change_once, &c) == 0);
    hammer_for(l, 2, record, 700 * MS);
    pthread_join(thread, NULL);
    judge("changed, before and after", record, RATE, BURST, 0, UINT64_MAX);
    uint64_t sum = judge("changed, after", record, RATE / 4, BURST / 4, c.changed_ns + TTL_NS, UINT64_MAX);
    EXPECT_NUMBER(sum, >, 0);
    for (int i = 0; i < 2; i++) {
        flowctl_limiter_info info;
        EXPECT(flowctl_limiter_read(l[i], &info) == FLOWCTL_OK);
        EXPECT_NUMBER(info.burst, ==, BURST / 4);
        flowctl_limiter_destroy(l[i]);
    }
    flowctl_backend_destroy(b);
}

/* Takes what is held, and asks for no more. */
static void take_held(flowctl_limiter *l, struct record *record) {
    flowctl_sharing_info info;
    EXPECT(flowctl_limiter_sharing(l, &info) == FLOWCTL_OK);
    if (info.held == 0) return;
    flowctl_decision d = flowctl_decide(l, info.held);
    note(record, &d);
}

/*
 * A member has a part of the burst, and is not driven any more: its store hears nothing of it. When its lease is long over, and the part was earned again, another
 * takes all of the burst, and then the first what it still has.
 */
static void forgotten(const struct contract_subject *s) {
    enum { SLOW = 3200, PART = BURST / 5 };
    struct record *record = new_record();
    flowctl_backend_options polled = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *driven = open_backend(s), *stopped;
    polled.ops = s->ops, polled.config = s->config();
    polled.drive = FLOWCTL_DRIVE_POLL;
    EXPECT(flowctl_backend_open(&polled, &stopped, NULL) == FLOWCTL_OK);
    flowctl_token_bucket_options o = options(stopped, "forgotten", SLOW, BURST);
    o.sharing.ttl_ns = TTL_NS / 2;
    flowctl_limiter *first = make_ready(&o);
    o.backend = driven;
    flowctl_limiter *other = make_ready(&o);
    rest((uint64_t)BURST * FLOWCTL_NS_PER_SEC / SLOW); /* it may have begun empty */
    for (uint64_t until_ns = now() + PATIENCE_NS; flowctl_peek(first, PART).verdict != FLOWCTL_ALLOW; rest(MS)) {
        flowctl_decision d = flowctl_decide(first, PART);
        note(record, &d);
        flowctl_backend_poll(stopped);
        EXPECT(now() < until_ns);
    }
    rest(TTL_NS * 7 / 8 + (uint64_t)PART * FLOWCTL_NS_PER_SEC / SLOW + TTL_NS / 2);
    flowctl_decision d = flowctl_acquire(other, BURST, PATIENCE_NS);
    note(record, &d);
    take_held(first, record);
    judge("forgotten", record, SLOW, BURST, 0, UINT64_MAX);
    if (!s->faulty) EXPECT(d.verdict == FLOWCTL_ALLOW);
    flowctl_limiter_destroy(first), flowctl_limiter_destroy(other);
    flowctl_backend_destroy(stopped), flowctl_backend_destroy(driven);
}

/* ---- through faults ---- */

static const flowctl_fault_rates none = {.fail = 0};
static const flowctl_fault_rates cut = {.drop_request = 1000000};

static flowctl_backend *open_faulty(const struct contract_subject *s, flowctl_faults **faults) {
    uint64_t seed = test_seed("limiters");
    EXPECT(flowctl_faults_create(seed, faults, NULL) == FLOWCTL_OK);
    flowctl_fault_config config = {sizeof config, s->ops, s->config(), *faults};
    return open_ops(flowctl_fault_backend(), &config);
}

/* A tenth of all is lost, a tenth comes twice, a tenth late: some of it later than a lease. */
static void through_faults(const struct contract_subject *s) {
    static const flowctl_fault_rates unkind = {.drop_request = 100000,
                                               .drop_reply = 100000,
                                               .duplicate_request = 100000,
                                               .duplicate_reply = 100000,
                                               .delay_request = 100000,
                                               .delay_reply = 100000,
                                               .max_delay_ns = 3 * TTL_NS};
    flowctl_faults *faults;
    struct record *record = new_record();
    flowctl_backend *b = open_faulty(s, &faults);
    flowctl_limiter *l[MEMBERS];
    flowctl_faults_set(faults, &unkind);
    for (int i = 0; i < MEMBERS; i++) {
        flowctl_token_bucket_options o = options(b, "faults", RATE, BURST);
        l[i] = make(&o);
    }
    hammer_for(l, MEMBERS, record, FLOWCTL_NS_PER_SEC);
    uint64_t sum = judge("through faults", record, RATE, BURST, 0, UINT64_MAX);
    EXPECT_NUMBER(sum, >, BURST);
    for (int i = 0; i < MEMBERS; i++) flowctl_limiter_destroy(l[i]);
    flowctl_backend_destroy(b);
    flowctl_faults_destroy(faults);
}

/* What it does for want of the store is counted apart, and over when the store is back. */
static void away_and_back(const struct contract_subject *s) {
    flowctl_faults *faults;
    flowctl_backend *b = open_faulty(s, &faults);
    flowctl_token_bucket_options o = options(b, "away", RATE, BURST);
    o.sharing.away = FLOWCTL_AWAY_LOCAL_SHARE;
    flowctl_limiter *l = make_ready(&o);
    flowctl_sharing_info info;
    flowctl_faults_set(faults, &cut);
    rest(2 * TTL_NS);
    EXPECT(flowctl_acquire(l, 100, PATIENCE_NS).verdict == FLOWCTL_ALLOW);
    EXPECT(flowctl_limiter_sharing(l, &info) == FLOWCTL_OK);
    EXPECT_NUMBER(info.state, ==, FLOWCTL_LEASE_EXPIRED);
    EXPECT_NUMBER(info.away_permits, >=, 100);
    flowctl_faults_set(faults, &none);
    EXPECT(flowctl_limiter_wait_ready(l, PATIENCE_NS) == FLOWCTL_OK);
    EXPECT(flowctl_acquire(l, 100, PATIENCE_NS).verdict == FLOWCTL_ALLOW);
    flowctl_limiter_destroy(l);
    flowctl_backend_destroy(b);
    flowctl_faults_destroy(faults);
}

const struct contract_check contract_limiter_checks[] = {
    {"limiters_hammered", hammered, FLOWCTL_CAN_LEND, true},
    {"limiters_processes", processes, FLOWCTL_CAN_SHARE, true},
    {"limiters_ids", ids, FLOWCTL_CAN_LEND, true},
    {"limiters_restart", restart, FLOWCTL_CAN_LEND, true},
    {"limiters_waiting", waiting, FLOWCTL_CAN_LEND, true},
    {"limiters_one_by_one", one_by_one, FLOWCTL_CAN_LEND, true},
    {"limiters_changed", changed, FLOWCTL_CAN_LEND, true},
    {"limiters_through_faults", through_faults, FLOWCTL_CAN_LEND, false},
    {"limiters_forgotten", forgotten, FLOWCTL_CAN_SHARE, true},
    {"limiters_away_and_back", away_and_back, FLOWCTL_CAN_LEND, false},
    {NULL, NULL, 0, false},
};

int contract_limiters_exam(const struct contract_subject *subject, const char *only) {
    return contract_run(subject, contract_limiter_checks, only);
}

/* Between instances, between processes, from one run to the next, and under kill -9. */
#include "link.h"
#include "support/seed.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES = 4 };

#define TTL_NS (50 * FLOWCTL_NS_PER_MS)

/* What the processes of a check tell each other. */
struct page {
    atomic_ullong granted, counted, begun, ready;
};

static struct page *new_page(void) {
    void *page = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(page != MAP_FAILED);
    return page;
}

/* ---- several at once ---- */

/* Each runs `work` in a process of its own; all must succeed. */
static void together(const struct contract_subject *s, void (*work)(const struct contract_subject *, struct page *),
                     struct page *page) {
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        EXPECT(children[i] >= 0);
        if (children[i] != 0) continue;
        work(s, page);
        _exit(0);
    }
    for (int i = 0, status; i < PROCESSES; i++) {
        EXPECT(waitpid(children[i], &status, 0) == children[i]);
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* All begin at once: on a fast machine the first would be done before the last exists. */
static struct link *open_together(const struct contract_subject *s, struct page *page) {
    struct link *l = link_open(s);
    page->ready++;
    while (page->ready < PROCESSES) link_rest(l, 20000);
    return l;
}

static void instances(const struct contract_subject *s) {
    struct link *one = link_open(s), *two = link_open(s);
    flowctl_lease_terms terms = make_full(one, "instances", 100, TTL_NS);
    struct member a = member_of(one, "instances", terms);
    EXPECT_NUMBER(member_ask(&a, 70, 0), ==, 70);
    if (s->capabilities & FLOWCTL_CAN_SHARE) {
        struct member b = member_of(two, "instances", terms);
        EXPECT_NUMBER(member_ask(&b, 100, 0), <=, 30);
        EXPECT_NUMBER(b.reply.members, ==, 2);
    } else {
        struct member b = member_of(two, "instances", make_full(two, "instances", 100, TTL_NS));
        EXPECT_NUMBER(member_ask(&b, 100, 0), ==, 100);
    }
    link_close(one);
    link_close(two);
}

static const flowctl_rate shared_rate = {10, FLOWCTL_NS_PER_MS};

static void spend(const struct contract_subject *s, struct page *page) {
    struct link *l = open_together(s, page);
    struct member m = member_of(l, "processes", terms_of(shared_rate, 200, TTL_NS, 3));
    for (uint64_t until_ns = link_now() + 250 * FLOWCTL_NS_PER_MS; link_now() < until_ns;) {
        page->granted += member_ask(&m, 20, 0);
        m.ask.used = m.granted;
        EXPECT_NUMBER(m.reply.status, ==, FLOWCTL_OK);
        link_rest(l, 100000);
    }
    link_close(l);
}

static void processes(const struct contract_subject *s) {
    struct page *page = new_page();
    struct link *l = link_open(s);
    make_full(l, "processes", 200, TTL_NS);
    link_close(l);
    uint64_t from_ns = link_now();
    together(s, spend, page);
    EXPECT_NUMBER(page->granted, <=, 200 + (link_now() - from_ns) * 10 / FLOWCTL_NS_PER_MS + 1);
    EXPECT_NUMBER(page->granted, >=, 200);
}

enum { TURNS = 100 };

static void count(const struct contract_subject *s, struct page *page) {
    struct link *l = open_together(s, page);
    for (int i = 0; i < TURNS; i++) EXPECT_NUMBER(link_increment(l, "together", 1).reply.status, ==, FLOWCTL_OK);
    link_close(l);
}

static void numbers_together(const struct contract_subject *s) {
    together(s, count, new_page());
    struct link *l = link_open(s);
    EXPECT_NUMBER(link_increment(l, "together", 0).reply.number, ==, PROCESSES * TURNS);
    link_close(l);
}

/* Read, add one, write if nobody else has: until it was done often enough. */
static void rewrite(const struct contract_subject *s, struct page *page) {
    struct link *l = open_together(s, page);
    for (int done = 0; done < TURNS;) {
        struct stored got = link_get(l, "together");
        uint64_t number = 0;
        EXPECT(got.reply.status == FLOWCTL_OK || got.reply.status == FLOWCTL_NOT_FOUND);
        if (got.reply.status == FLOWCTL_OK) memcpy(&number, got.value, sizeof number);
        number++;
        flowctl_store_put put = {.key = "together", .value = &number, .bytes = sizeof number, .expected = got.reply.version};
        put.ttl_ns = 100 * FLOWCTL_NS_PER_SEC;
        flowctl_status status = link_put(l, put).reply.status;
        EXPECT(status == FLOWCTL_OK || status == FLOWCTL_CONFLICT);
        done += status == FLOWCTL_OK;
    }
    link_close(l);
}

static void values_together(const struct contract_subject *s) {
    together(s, rewrite, new_page());
    struct link *l = link_open(s);
    uint64_t number = 0;
    struct stored got = link_get(l, "together");
    memcpy(&number, got.value, sizeof number);
    EXPECT_NUMBER(number, ==, PROCESSES * TURNS);
    link_close(l);
}

/* ---- from one run to the next ---- */

static void reopened(const struct contract_subject *s) {
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "reopened", 100, 10 * TTL_NS);
    struct member a = member_of(l, "reopened", terms);
    uint64_t sent_ns = link_now(), number = 77;
    EXPECT_NUMBER(member_ask(&a, 60, 0), ==, 60);
    if (s->capabilities & FLOWCTL_CAN_STORE)
        link_put(l, (flowctl_store_put){.key = "k", .value = &number, .bytes = sizeof number});
    if (s->capabilities & FLOWCTL_CAN_COUNT) link_increment(l, "n", 5);
    link_close(l);
    l = link_open(s);
    struct member b = member_of(l, "reopened", terms);
    EXPECT_NUMBER(member_ask(&b, 100, 0), <=, 40);
    a.link = l;
    member_ask(&a, 0, 0);
    if (link_now() - sent_ns < terms.ttl_ns) {
        EXPECT(!a.reply.dead);
        EXPECT_NUMBER(a.reply.granted, ==, 60);
    }
    if (s->capabilities & FLOWCTL_CAN_STORE) EXPECT(memcmp(link_get(l, "k").value, &number, sizeof number) == 0);
    if (s->capabilities & FLOWCTL_CAN_COUNT) EXPECT_NUMBER(link_increment(l, "n", 1).reply.number, ==, 6);
    link_close(l);
}

/* ---- kill -9 ---- */

enum { KILLS = 200, KILLED_BURST = 500 };

#define KILLED_TTL_NS (20 * FLOWCTL_NS_PER_MS)

static void hammer(const struct contract_subject *s, struct page *page) {
    struct link *l = link_open(s);
    struct member m = member_of(l, "killed", terms_of(shared_rate, KILLED_BURST, KILLED_TTL_NS, 3));
    bool counts = (s->capabilities & FLOWCTL_CAN_COUNT) && !s->faulty;
    for (unsigned i = 0;; i++) {
        uint64_t gained = member_ask(&m, 5, 0);
        page->granted += gained;
        m.ask.used = m.granted;
        if (m.reply.dead) m = member_of(l, "killed", m.ask.terms);
        if (!counts || i % 4 != 0) continue;
        page->begun++;
        EXPECT_NUMBER(link_increment(l, "killed", 1).reply.status, ==, FLOWCTL_OK);
        page->counted++;
    }
}

static void sound_after(const struct contract_subject *s, struct link *l, uint64_t granted) {
    if (!(s->capabilities & FLOWCTL_CAN_INSPECT)) return;
    struct inspected *in = link_inspect(l, "killed");
    EXPECT_NUMBER(in->count, ==, 1);
    const flowctl_limit_state *state = &in->limits[0].state;
    EXPECT_NUMBER(state->granted, >=, granted);
    EXPECT_NUMBER(state->granted, ==, state->used + state->back + state->expired + state->out);
    free(in);
}

/* Short lives, so that the kill falls into whatever the child is doing; longer ones where a machine is too slow to do
 * anything in so short a life. */
static void live(uint64_t *random, const struct page *page, int lives) {
    uint64_t most_ns = 4 * FLOWCTL_NS_PER_MS;
    if (page->granted == 0) most_ns <<= lives / 32;
    nanosleep(&(struct timespec){0, (long)test_below(random, most_ns)}, NULL);
}

static void killed(const struct contract_subject *s) {
    struct page *page = new_page();
    uint64_t random = test_seed("killed");
    struct link *l = link_open(s);
    make_full(l, "killed", KILLED_BURST, KILLED_TTL_NS);
    link_close(l);
    uint64_t from_ns = link_now();
    for (int i = 0; i < KILLS; i++) {
        pid_t child = fork();
        EXPECT(child >= 0);
        if (child == 0) hammer(s, page);
        live(&random, page, i);
        int status = 0;
        EXPECT(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
        EXPECT(WIFSIGNALED(status)); /* and did not fail before */
    }
    l = link_open(s);
    struct member m = member_of(l, "killed", terms_of(shared_rate, KILLED_BURST, KILLED_TTL_NS, 3));
    for (int i = 0; i < 100 && m.granted == 0; i++) member_ask(&m, 1, 0), link_rest(l, FLOWCTL_NS_PER_MS);
    EXPECT_NUMBER(m.granted, ==, 1);
    EXPECT_NUMBER(page->granted, >, 0); /* something was done at all */
    EXPECT_NUMBER(page->granted, <=, KILLED_BURST + (link_now() - from_ns) * 10 / FLOWCTL_NS_PER_MS + 1);
    if (!s->faulty) sound_after(s, l, page->granted);
    if ((s->capabilities & FLOWCTL_CAN_COUNT) && !s->faulty) {
        uint64_t number = link_increment(l, "killed", 0).reply.number;
        EXPECT_NUMBER(number, >=, page->counted);
        EXPECT_NUMBER(number, <=, page->begun);
    }
    link_close(l);
}

const struct contract_check contract_shared_checks[] = {
    {"instances", instances, FLOWCTL_CAN_LEND, true},
    {"processes", processes, FLOWCTL_CAN_LEND | FLOWCTL_CAN_SHARE, true},
    {"numbers_together", numbers_together, FLOWCTL_CAN_COUNT | FLOWCTL_CAN_SHARE, false},
    {"values_together", values_together, FLOWCTL_CAN_STORE | FLOWCTL_CAN_SHARE, false},
    {"reopened", reopened, FLOWCTL_CAN_LEND | FLOWCTL_CAN_PERSIST, false},
    {"killed", killed, FLOWCTL_CAN_LEND | FLOWCTL_CAN_SHARE, true},
    {NULL, NULL, 0, false},
};

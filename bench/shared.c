/*
 * What sharing costs, and how much of a limit is used: processes that try one limit, or many, of one store, for some seconds.
 *
 *     shared [OPTION]... URL         URL "local": each process has a limit of its own, the floor
 *
 *     --rate N --burst N             permits a second, and at once (1000000, 100000)
 *     --processes N --seconds N      (2, 3)
 *     --demand WHAT                  all: as fast as it goes; even, skewed, shifting: 1.25 x rate together, for process i of weight
 *                                    1, 1/(i+1), or 7/10 for one process of all at a time, another every second
 *     --newcomer                     the last process begins a second later
 *     --limits N                     so many limits, each of rate and burst / N (1)
 *     --refresh NS --ttl NS          of leases
 *
 * Prints a JSON object. `over`: what the worst interval of whole slots of 10 ms had beyond burst + rate x length; a decision is dated up to a batch of
 * 64 too early, so that up to 64 per process is none.
 */
#include "backend_url.h"

#include <flowctl/flowctl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES_MAX = 16, SLOTS_MAX = 10000, BATCH = 64 };
#define SLOT_NS (10 * FLOWCTL_NS_PER_MS)
#define NEWCOMER_NS FLOWCTL_NS_PER_SEC

enum demand { ALL, EVEN, SKEWED, SHIFTING };

static struct {
    const char *url;
    uint64_t rate, burst, seconds, refresh_ns, ttl_ns;
    unsigned processes, limits;
    enum demand demand;
    bool newcomer;
} options = {.rate = 1000000, .burst = 100000, .seconds = 3, .processes = 2, .limits = 1};

/* Of one process; in memory that all share. */
struct account {
    uint64_t decisions, granted, asks, started_ns, slots[SLOTS_MAX];
};

static struct page {
    uint64_t start_ns, ready;
    struct account accounts[PROCESSES_MAX];
} * page;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * FLOWCTL_NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "shared: %s\n", what);
    exit(1);
}

/* ---- a process ---- */

/* The share of the demand that process `i` has at a time. */
static double weight(unsigned i, uint64_t since_ns) {
    double sum = 0;
    switch (options.demand) {
    case ALL:
    case EVEN: return 1.0 / options.processes;
    case SKEWED:
        for (unsigned k = 0; k < options.processes; k++) sum += 1.0 / (k + 1);
        return 1.0 / (i + 1) / sum;
    case SHIFTING: return since_ns / FLOWCTL_NS_PER_SEC % options.processes == i ? 0.7 : 0.3 / (options.processes - 1);
    }
    return 0;
}

static void enter(struct account *a, uint64_t at_ns, uint64_t tried, uint64_t granted) {
    a->decisions += tried;
    a->granted += granted;
    if (at_ns >= page->start_ns && (at_ns - page->start_ns) / SLOT_NS < SLOTS_MAX) a->slots[(at_ns - page->start_ns) / SLOT_NS] += granted;
}

static void try_all(flowctl_limiter *l, struct account *a, uint64_t end_ns) {
    for (uint64_t at_ns; (at_ns = now()) < end_ns;) {
        uint64_t granted = 0;
        for (int i = 0; i < BATCH; i++) granted += flowctl_try_acquire(l, 1);
        enter(a, at_ns, BATCH, granted);
    }
}

/* What is due of the demand every millisecond; what a process was not on a core for is tried for then. */
static void try_paced(flowctl_limiter *const *l, struct account *a, unsigned who, uint64_t end_ns) {
    double owed = 0;
    unsigned next = 0;
    for (uint64_t at_ns, before_ns = now(); (at_ns = now()) < end_ns; before_ns = at_ns) {
        owed += 1.25 * (double)options.rate * weight(who, at_ns - page->start_ns) * (double)(at_ns - before_ns) / 1e9;
        while (owed >= 1) {
            uint64_t granted = 0, tried = 0;
            at_ns = now();
            for (; owed >= 1 && tried < BATCH; owed--, tried++, next = (next + 1) % options.limits) granted += flowctl_try_acquire(l[next], 1);
            enter(a, at_ns, tried, granted);
        }
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

static void open_limits(const struct fct_backend_url *url, flowctl_backend **store, flowctl_limiter **l) {
    flowctl_error err;
    char id[32];
    if (url != NULL && fct_backend_url_open(url, NULL, FLOWCTL_DRIVE_THREAD, store, &err) != FLOWCTL_OK) fail(err.message);
    for (unsigned i = 0; i < options.limits; i++) {
        flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
        snprintf(id, sizeof id, "bench %u", i);
        o.id = id;
        o.rate = flowctl_per(options.rate, options.limits * FLOWCTL_NS_PER_SEC);
        o.burst = options.burst / options.limits;
        o.backend = url != NULL ? *store : NULL;
        if (url != NULL) o.sharing.refresh_ns = options.refresh_ns, o.sharing.ttl_ns = options.ttl_ns;
        if (flowctl_token_bucket_create(&o, &l[i], &err) != FLOWCTL_OK) fail(err.message);
    }
    for (unsigned i = 0; i < options.limits && url != NULL; i++)
        if (flowctl_limiter_wait_ready(l[i], 30 * FLOWCTL_NS_PER_SEC) != FLOWCTL_OK) fail("the store does not lend");
}

static void work(const struct fct_backend_url *url, unsigned who) {
    struct account *a = &page->accounts[who];
    flowctl_backend *store = NULL;
    flowctl_limiter **l = calloc(options.limits, sizeof *l);
    if (l == NULL) fail("no memory");
    uint64_t late_ns = options.newcomer && who == options.processes - 1 ? NEWCOMER_NS : 0;
    if (late_ns == 0) open_limits(url, &store, l);
    __atomic_fetch_add(&page->ready, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&page->start_ns, __ATOMIC_SEQ_CST) == 0) usleep(1000);
    while (now() < page->start_ns + late_ns) usleep(100);
    a->started_ns = now();
    if (late_ns != 0) open_limits(url, &store, l);
    uint64_t end_ns = page->start_ns + options.seconds * FLOWCTL_NS_PER_SEC;
    if (options.demand == ALL) try_all(l[0], a, end_ns);
    else try_paced(l, a, who, end_ns);
    for (unsigned i = 0; i < options.limits; i++) {
        flowctl_sharing_info info;
        if (flowctl_limiter_sharing(l[i], &info) == FLOWCTL_OK) a->asks += info.asks;
        flowctl_limiter_destroy(l[i]);
    }
    flowctl_backend_destroy(store);
    exit(0);
}

/* ---- what it came to ---- */

static uint64_t in_slot(size_t slot) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < options.processes; i++) sum += page->accounts[i].slots[slot];
    return sum;
}

static double over(void) {
    double level = 0, worst = 0, per_slot = (double)options.rate * (double)SLOT_NS / 1e9;
    for (size_t slot = 0; slot < SLOTS_MAX; slot++) {
        level += (double)in_slot(slot) - per_slot;
        if (level > worst) worst = level;
        if (level < 0) level = 0;
    }
    return worst - (double)options.burst;
}

/* Milliseconds from the newcomer's start until it has nine tenths of an even share, over 50 ms. */
static double newcomer_ms(void) {
    const struct account *a = &page->accounts[options.processes - 1];
    double share = 0.9 * (double)options.rate / options.processes * 5 * (double)SLOT_NS / 1e9;
    for (size_t slot = (a->started_ns - page->start_ns) / SLOT_NS; slot + 5 < SLOTS_MAX; slot++) {
        uint64_t sum = 0;
        for (size_t k = slot; k < slot + 5; k++) sum += a->slots[k];
        if ((double)sum >= share) return (double)((slot + 5) * SLOT_NS - (a->started_ns - page->start_ns)) / 1e6;
    }
    return -1;
}

static void report(void) {
    uint64_t decisions = 0, granted = 0, asks = 0;
    printf("{\"per_process_per_s\": [");
    for (unsigned i = 0; i < options.processes; i++) {
        const struct account *a = &page->accounts[i];
        decisions += a->decisions, granted += a->granted, asks += a->asks;
        printf("%s%.0f", i == 0 ? "" : ", ", (double)a->decisions / (double)options.seconds);
    }
    double allowed = (double)options.rate * (double)options.seconds;
    printf("], \"decisions\": %llu, \"granted\": %llu, \"use\": %.4f, \"over\": %.0f, \"asks\": %llu", (unsigned long long)decisions,
           (unsigned long long)granted, (double)granted / allowed, over(), (unsigned long long)asks);
    if (options.newcomer) printf(", \"newcomer_ms\": %.0f", newcomer_ms());
    printf("}\n");
}

static void read_options(int argc, char **argv) {
    static const struct option names[] = {
        {"rate", required_argument, NULL, 'r'},      {"burst", required_argument, NULL, 'b'},  {"processes", required_argument, NULL, 'p'},
        {"seconds", required_argument, NULL, 's'},   {"demand", required_argument, NULL, 'd'}, {"newcomer", no_argument, NULL, 'n'},
        {"limits", required_argument, NULL, 'l'},    {"refresh", required_argument, NULL, 'f'}, {"ttl", required_argument, NULL, 't'},
        {NULL, 0, NULL, 0}};
    static const char *const demands[] = {"all", "even", "skewed", "shifting"};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        const char *value = optarg != NULL ? optarg : "";
        uint64_t number = strtoull(value, NULL, 10);
        switch (c) {
        case 'r': options.rate = number; break;
        case 'b': options.burst = number; break;
        case 'p': options.processes = (unsigned)number; break;
        case 's': options.seconds = number; break;
        case 'n': options.newcomer = true; break;
        case 'l': options.limits = (unsigned)number; break;
        case 'f': options.refresh_ns = number; break;
        case 't': options.ttl_ns = number; break;
        case 'd':
            while (strcmp(value, demands[options.demand]) != 0)
                if (++options.demand > SHIFTING) fail("--demand is all, even, skewed or shifting");
            break;
        default: exit(2);
        }
    }
    if (optind != argc - 1 || options.processes == 0 || options.processes > PROCESSES_MAX || options.limits == 0 ||
        options.seconds * FLOWCTL_NS_PER_SEC / SLOT_NS >= SLOTS_MAX)
        fail("see the beginning of its source");
    options.url = argv[optind];
}

int main(int argc, char **argv) {
    struct fct_backend_url url;
    flowctl_error err;
    read_options(argc, argv);
    if (options.url == NULL) return 2;
    bool local = strcmp(options.url, "local") == 0;
    if (!local && fct_backend_url_read(&url, options.url, &err) != FLOWCTL_OK) fail(err.message);
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) fail("no memory");
    for (unsigned i = 0; i < options.processes; i++)
        if (fork() == 0) work(local ? NULL : &url, i);
    while (__atomic_load_n(&page->ready, __ATOMIC_SEQ_CST) < options.processes) {
        usleep(1000);
        if (waitpid(-1, NULL, WNOHANG) > 0) fail("a process could not begin");
    }
    __atomic_store_n(&page->start_ns, now() + 10 * FLOWCTL_NS_PER_MS, __ATOMIC_SEQ_CST);
    int status, bad = 0;
    while (wait(&status) > 0) bad |= status;
    if (bad) fail("a process ended badly");
    report();
    return 0;
}

/*
 * Backends and limiters in the hands of a test: obeys one order a line, and answers each with one line of JSON. Ends with its input, after having destroyed
 * what is left. What a test does to the server meanwhile, and how soon, is the test's.
 *
 *     open NAME [url= host= port= unix= user= password= database= prefix= start=degraded drive=poll member=]
 *               [connect_ms= reply_ms= backoff_min_ms= backoff_max_ms= call_ms=]
 *     info NAME · probe NAME WAIT_MS · close NAME
 *     get NAME KEY · set NAME KEY VALUE [expected=] [ttl_ms=] · remove NAME KEY · increment NAME KEY BY · inspect NAME [LIMIT]
 *     turn NAME MS          with drive=poll: an event loop around its descriptor, for so long: how often it was polled, and why
 *
 *     limiter NAME BACKEND ID [rate=] [burst=] [ttl_ms=] [refresh_ms=] [away=] [version=] [count=]     count: so many, with ids ID0, ID1, ...
 *     try NAME PERMITS [CALLS] · acquire NAME PERMITS WAIT_MS · spend NAME MS · ready NAME WAIT_MS · sharing NAME · destroy NAME
 *     later NAME AFTER_MS PERMITS      another thread tries then, once
 *     pester NAME BACKEND ROUNDS US     another thread interrupts around a poll, so many times, and hesitates so long before its write: how often the
 *                                       descriptor stays readable in vain
 *
 *     fork LIMITER BACKEND [leave=yes]     what a child gets out of its parent's
 *     self                  descriptors, memory, threads, and time on the processor
 *     break                 writes where nobody reads, unguarded: ends by SIGPIPE, as the backend must not
 *     raw ...               see raw.c
 */
#include "driver.h"

#include <dirent.h>
#include <fcntl.h>
#include <flowctl/flowctl.h>
#include <flowctl/store.h>
#include <flowctl/sys/lease.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BACKENDS = 8, GROUPS = 64 };
#define NS_PER_MS UINT64_C(1000000)

static struct store {
    char name[NAME];
    flowctl_backend *backend;
    bool polled;
} stores[BACKENDS];

/* Limiters of one name. */
static struct group {
    char name[NAME];
    flowctl_limiter **limiters;
    size_t count;
} groups[GROUPS];

static struct errand {
    flowctl_limiter *limiter;
    uint64_t after_ns, permits;
    pthread_t thread;
} errands[GROUPS];
static size_t errand_count;

/* ---- orders ---- */

void broken(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "driver: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(3);
}

const char *word(const struct order *o, int at) {
    if (at >= o->count) broken("\"%s\" needs %d words more", o->words[0], at - o->count + 1);
    return o->words[at];
}

const char *value_of(const struct order *o, const char *key) {
    size_t length = strlen(key);
    for (int i = 1; i < o->count; i++)
        if (strncmp(o->words[i], key, length) == 0 && o->words[i][length] == '=') return o->words[i] + length + 1;
    return NULL;
}

uint64_t number_of(const struct order *o, const char *key, uint64_t otherwise) {
    const char *value = value_of(o, key);
    return value != NULL ? strtoull(value, NULL, 0) : otherwise;
}

uint64_t number_at(const struct order *o, int at, uint64_t otherwise) {
    return at < o->count && strchr(o->words[at], '=') == NULL ? strtoull(o->words[at], NULL, 0) : otherwise;
}

uint64_t ms_of(const struct order *o, const char *key) { return number_of(o, key, 0) * NS_PER_MS; }

uint64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * FLOWCTL_NS_PER_SEC + (uint64_t)now.tv_nsec;
}

void nap(uint64_t ns) {
    nanosleep(&(struct timespec){(time_t)(ns / FLOWCTL_NS_PER_SEC), (long)(ns % FLOWCTL_NS_PER_SEC)}, NULL);
}

/* ---- answers ---- */

static bool begun;

static void name_field(const char *name) {
    printf("%s\"%s\": ", begun ? ", " : "{", name);
    begun = true;
}

void say_number(const char *name, uint64_t value) { name_field(name), printf("%" PRIu64, value); }
void say_flag(const char *name, bool value) { name_field(name), printf(value ? "true" : "false"); }
void say_raw(const char *name, const char *json) { name_field(name), printf("%s", json); }
void say_text(const char *name, const char *value) { say_bytes(name, value, strlen(value)); }
void say_status(flowctl_status status) { say_text("status", flowctl_status_name(status) + strlen("FLOWCTL_")); }

void say_bytes(const char *name, const void *value, size_t count) {
    name_field(name);
    printf("\"");
    for (const unsigned char *at = value; count-- != 0; at++)
        if (*at < 0x20 || *at > 0x7e || *at == '"' || *at == '\\') printf("\\u%04x", *at);
        else putchar(*at);
    printf("\"");
}

void answer(void) {
    printf(begun ? "}\n" : "{}\n");
    fflush(stdout);
    begun = false;
}

static void say_error(flowctl_status status, const flowctl_error *err, uint64_t began_ns) {
    uint64_t took_ns = monotonic_ns() - began_ns;
    say_status(status);
    say_text("message", status != FLOWCTL_OK ? err->message : "");
    say_number("ms", took_ns / NS_PER_MS);
}

/* ---- backends ---- */

static struct store *find_store(const struct order *o, int at) {
    const char *name = word(o, at);
    for (struct store *s = stores; s < stores + BACKENDS; s++)
        if (s->backend != NULL && strcmp(s->name, name) == 0) return s;
    broken("no backend is \"%s\"", name);
}

flowctl_redis_options redis_options(const struct order *o) {
    flowctl_redis_options r = FLOWCTL_REDIS_OPTIONS_INIT;
    const char *start = value_of(o, "start");
    r.url = value_of(o, "url");
    r.host = value_of(o, "host");
    r.port = (int)number_of(o, "port", 0);
    r.unix_socket = value_of(o, "unix");
    r.user = value_of(o, "user");
    r.password = value_of(o, "password");
    r.database = (int)number_of(o, "database", 0);
    r.key_prefix = value_of(o, "prefix");
    r.connect_timeout_ns = ms_of(o, "connect_ms");
    r.reply_timeout_ns = ms_of(o, "reply_ms");
    r.backoff_min_ns = ms_of(o, "backoff_min_ms");
    r.backoff_max_ns = ms_of(o, "backoff_max_ms");
    if (start != NULL && strcmp(start, "degraded") == 0) r.start = FLOWCTL_REDIS_START_DEGRADED;
    return r;
}

static void open_store(const struct order *o) {
    struct store *s = stores;
    const char *drive = value_of(o, "drive");
    flowctl_redis_options redis = redis_options(o);
    flowctl_backend_options where = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_error err = {FLOWCTL_OK, 0, ""};
    while (s < stores + BACKENDS && s->backend != NULL) s++;
    if (s == stores + BACKENDS) broken("too many backends");
    snprintf(s->name, sizeof s->name, "%s", word(o, 1));
    s->polled = drive != NULL && strcmp(drive, "poll") == 0;
    where.ops = flowctl_redis_backend();
    where.config = &redis;
    where.drive = s->polled ? FLOWCTL_DRIVE_POLL : FLOWCTL_DRIVE_THREAD;
    where.member = value_of(o, "member");
    where.call_timeout_ns = ms_of(o, "call_ms");
    uint64_t began_ns = monotonic_ns();
    say_error(flowctl_backend_open(&where, &s->backend, &err), &err, began_ns);
}

static void close_store(const struct order *o) {
    struct store *s = find_store(o, 1);
    uint64_t began_ns = monotonic_ns();
    flowctl_backend_destroy(s->backend);
    say_number("ms", (monotonic_ns() - began_ns) / NS_PER_MS);
    s->backend = NULL;
}

static void tell_info(const struct order *o) {
    flowctl_redis_info info;
    if (flowctl_redis_info_read(find_store(o, 1)->backend, &info) != FLOWCTL_OK) broken("info");
    say_flag("ready", info.ready);
    say_text("fault", flowctl_redis_fault_name(info.fault));
    say_text("message", info.message);
    say_number("faults", info.faults);
    say_number("connects", info.connects);
    say_number("commands", info.commands);
    say_number("reloads", info.reloads);
}

static void probe(const struct order *o) {
    flowctl_backend_probed probed;
    flowctl_error err = {FLOWCTL_OK, 0, ""};
    uint64_t began_ns = monotonic_ns();
    say_error(flowctl_backend_probe(find_store(o, 1)->backend, number_at(o, 2, 1000) * NS_PER_MS, &probed, &err), &err,
              began_ns);
}

static void get(const struct order *o) {
    char value[4096];
    size_t bytes = 0;
    uint64_t version = 0, began_ns = monotonic_ns();
    flowctl_error err = {FLOWCTL_OK, 0, ""};
    flowctl_status status = flowctl_store_get(find_store(o, 1)->backend, word(o, 2), value, sizeof value, &bytes, &version,
                                              FLOWCTL_NS_PER_SEC, &err);
    say_error(status, &err, began_ns);
    if (status == FLOWCTL_OK) say_bytes("value", value, bytes), say_number("version", version);
}

static void set(const struct order *o) {
    const char *value = word(o, 3);
    uint64_t version = 0, began_ns = monotonic_ns();
    flowctl_error err = {FLOWCTL_OK, 0, ""};
    flowctl_status status =
        flowctl_store_set(find_store(o, 1)->backend, word(o, 2), value, strlen(value), ms_of(o, "ttl_ms"),
                          number_of(o, "expected", FLOWCTL_VERSION_ANY), &version, FLOWCTL_NS_PER_SEC, &err);
    say_error(status, &err, began_ns);
    say_number("version", version);
}

static void take_away(const struct order *o) {
    uint64_t began_ns = monotonic_ns();
    flowctl_error err = {FLOWCTL_OK, 0, ""};
    say_error(flowctl_store_remove(find_store(o, 1)->backend, word(o, 2), FLOWCTL_VERSION_ANY, FLOWCTL_NS_PER_SEC, &err),
              &err, began_ns);
}

static void increment(const struct order *o) {
    uint64_t value = 0, began_ns = monotonic_ns();
    flowctl_error err = {FLOWCTL_OK, 0, ""};
    flowctl_status status =
        flowctl_store_increment(find_store(o, 1)->backend, word(o, 2), number_at(o, 3, 1), &value, FLOWCTL_NS_PER_SEC, &err);
    say_error(status, &err, began_ns);
    say_number("value", value);
}

struct seen {
    size_t limits, members;
    uint64_t granted, used, back, out, expired;
};

static void see(void *context, const struct flowctl_limit_state *state) {
    struct seen *seen = context;
    seen->limits++;
    seen->members += state->member_count;
    seen->granted += state->granted, seen->used += state->used, seen->back += state->back;
    seen->out += state->out, seen->expired += state->expired;
}

static void inspect(const struct order *o) {
    struct seen seen = {0};
    uint64_t began_ns = monotonic_ns();
    flowctl_error err = {FLOWCTL_OK, 0, ""};
    say_error(flowctl_backend_inspect(find_store(o, 1)->backend, o->count > 2 ? o->words[2] : NULL, see, &seen,
                                      2 * FLOWCTL_NS_PER_SEC, &err),
              &err, began_ns);
    say_number("limits", seen.limits);
    say_number("members", seen.members);
    say_number("granted", seen.granted);
    say_number("used", seen.used);
    say_number("back", seen.back);
    say_number("out", seen.out);
    say_number("expired", seen.expired);
}

/* An event loop as a user would write it. */
static void turn(const struct order *o) {
    struct store *s = find_store(o, 1);
    struct pollfd watched = {.fd = flowctl_backend_descriptor(s->backend), .events = POLLIN};
    uint64_t polls = 0, readable = 0, until_ns = monotonic_ns() + number_at(o, 2, 0) * NS_PER_MS;
    for (uint64_t now_ns; (now_ns = monotonic_ns()) < until_ns; polls++) {
        uint64_t due_ns = flowctl_backend_poll(s->backend), clock_ns = flowctl_clock_now(flowctl_clock_boottime());
        uint64_t wait_ns = due_ns > clock_ns ? due_ns - clock_ns : 0;
        if (wait_ns > until_ns - now_ns) wait_ns = until_ns - now_ns;
        struct timespec wait = {(time_t)(wait_ns / FLOWCTL_NS_PER_SEC), (long)(wait_ns % FLOWCTL_NS_PER_SEC)};
        readable += ppoll(&watched, 1, &wait, NULL) > 0;
    }
    say_number("polls", polls);
    say_number("readable", readable);
}

/* ---- limiters ---- */

static struct group *find_group(const struct order *o, int at) {
    const char *name = word(o, at);
    for (struct group *g = groups; g < groups + GROUPS; g++)
        if (g->limiters != NULL && strcmp(g->name, name) == 0) return g;
    broken("no limiter is \"%s\"", name);
}

static flowctl_away away_of(const char *text) {
    static const char *const names[] = {"closed", "open", "share", "reuse"};
    for (unsigned i = 0; text != NULL && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], text) == 0) return (flowctl_away)i;
    return FLOWCTL_AWAY_CLOSED;
}

static void make_limiters(const struct order *o) {
    struct group *g = groups;
    char id[FLOWCTL_LIMIT_ID_MAX + 24];
    flowctl_error err = {FLOWCTL_OK, 0, ""};
    flowctl_status status = FLOWCTL_OK;
    flowctl_token_bucket_options t = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    uint64_t began_ns = monotonic_ns();
    while (g < groups + GROUPS && g->limiters != NULL) g++;
    if (g == groups + GROUPS) broken("too many limiters");
    snprintf(g->name, sizeof g->name, "%s", word(o, 1));
    t.backend = find_store(o, 2)->backend;
    t.rate = flowctl_per_second(number_of(o, "rate", 1000));
    t.burst = number_of(o, "burst", 100);
    t.sharing.ttl_ns = ms_of(o, "ttl_ms");
    t.sharing.refresh_ns = ms_of(o, "refresh_ms");
    t.sharing.config_version = number_of(o, "version", 0);
    t.sharing.away = away_of(value_of(o, "away"));
    size_t count = number_of(o, "count", 1);
    g->limiters = calloc(count, sizeof *g->limiters);
    if (g->limiters == NULL) broken("no memory");
    for (g->count = 0; g->count < count && status == FLOWCTL_OK; g->count++) {
        if (count == 1) snprintf(id, sizeof id, "%s", word(o, 3));
        else snprintf(id, sizeof id, "%s%zu", word(o, 3), g->count);
        t.id = id;
        status = flowctl_token_bucket_create(&t, &g->limiters[g->count], &err);
    }
    say_error(status, &err, began_ns);
}

static void unmake(struct group *g) {
    for (size_t i = 0; i < g->count; i++) flowctl_limiter_destroy(g->limiters[i]);
    free(g->limiters);
    g->limiters = NULL;
}

static void destroy(const struct order *o) {
    uint64_t began_ns = monotonic_ns();
    unmake(find_group(o, 1));
    say_number("ms", (monotonic_ns() - began_ns) / NS_PER_MS);
}

static uint64_t try_each(const struct group *g, uint64_t permits) {
    uint64_t allowed = 0;
    for (size_t i = 0; i < g->count; i++) allowed += flowctl_try_acquire(g->limiters[i], permits);
    return allowed;
}

static void try(const struct order *o) {
    uint64_t allowed = 0, calls = number_at(o, 3, 1);
    for (uint64_t i = 0; i < calls; i++) allowed += try_each(find_group(o, 1), number_at(o, 2, 1));
    say_number("allowed", allowed);
}

/* As many as there are, for so long. */
static void spend(const struct order *o) {
    const struct group *g = find_group(o, 1);
    uint64_t allowed = 0, until_ns = monotonic_ns() + number_at(o, 2, 0) * NS_PER_MS;
    do {
        allowed += try_each(g, 1);
        nap(200000);
    } while (monotonic_ns() < until_ns);
    say_number("allowed", allowed);
}

static void acquire(const struct order *o) {
    uint64_t began_ns = monotonic_ns();
    flowctl_decision d = flowctl_acquire(find_group(o, 1)->limiters[0], number_at(o, 2, 1), number_at(o, 3, 0) * NS_PER_MS);
    say_text("verdict", flowctl_verdict_name(d.verdict));
    say_status(d.status);
    say_number("ms", (monotonic_ns() - began_ns) / NS_PER_MS);
}

static void ready(const struct order *o) {
    const struct group *g = find_group(o, 1);
    flowctl_status status = FLOWCTL_OK;
    uint64_t began_ns = monotonic_ns();
    for (size_t i = 0; i < g->count && status == FLOWCTL_OK; i++)
        status = flowctl_limiter_wait_ready(g->limiters[i], number_at(o, 2, 1000) * NS_PER_MS);
    say_status(status);
    say_number("ms", (monotonic_ns() - began_ns) / NS_PER_MS);
}

static void sharing(const struct order *o) {
    flowctl_sharing_info info;
    if (flowctl_limiter_sharing(find_group(o, 1)->limiters[0], &info) != FLOWCTL_OK) broken("sharing");
    say_text("state", flowctl_lease_state_name(info.state));
    say_status(info.store);
    say_number("held", info.held);
    say_number("quarantine_ms", info.quarantine_ns / NS_PER_MS);
    say_number("version", info.config_version);
    say_number("members", info.members);
    say_number("asks", info.asks);
    say_number("replies", info.replies);
    say_number("failures", info.failures);
    say_number("sessions", info.sessions);
    say_number("granted", info.granted_permits);
    say_number("used", info.used_permits);
    say_number("away", info.away_permits);
}

static void *run_errand(void *context) {
    const struct errand *e = context;
    nap(e->after_ns);
    flowctl_try_acquire(e->limiter, e->permits);
    return NULL;
}

static void later(const struct order *o) {
    if (errand_count == GROUPS) broken("too many errands");
    struct errand *e = &errands[errand_count++];
    *e = (struct errand){find_group(o, 1)->limiters[0], number_at(o, 2, 0) * NS_PER_MS, number_at(o, 3, 1), pthread_self()};
    if (pthread_create(&e->thread, NULL, run_errand, e) != 0) broken("no thread");
}

static void await_errands(void) {
    while (errand_count != 0) pthread_join(errands[--errand_count].thread, NULL);
}

/* The library's write(2), as the linker is told: a thread may be stopped before it. */
static _Atomic uint64_t hesitation_ns;
ssize_t __real_write(int descriptor, const void *bytes, size_t count);
ssize_t __wrap_write(int descriptor, const void *bytes, size_t count);
ssize_t __wrap_write(int descriptor, const void *bytes, size_t count) {
    uint64_t ns = atomic_load(&hesitation_ns);
    if (ns != 0 && count == sizeof(uint64_t)) nap(ns);
    return __real_write(descriptor, bytes, count);
}

struct pest {
    flowctl_limiter *limiter;
    pthread_barrier_t start, end;
    uint64_t rounds;
};

static void *be_pest(void *context) {
    struct pest *p = context;
    for (uint64_t i = 0; i < p->rounds; i++) {
        pthread_barrier_wait(&p->start);
        if (i % 2 == 0) flowctl_limiter_pause(p->limiter);
        else flowctl_limiter_resume(p->limiter);
        pthread_barrier_wait(&p->end);
    }
    return NULL;
}

/* After a few polls nothing is left to be done, so that the descriptor can't be readable, whatever interrupted them. */
static void pester(const struct order *o) {
    struct pest p = {.limiter = find_group(o, 1)->limiters[0], .rounds = number_at(o, 3, 1)};
    struct store *s = find_store(o, 2);
    struct pollfd watched = {.fd = flowctl_backend_descriptor(s->backend), .events = POLLIN};
    uint64_t in_vain = 0, polls;
    pthread_t thread;
    atomic_store(&hesitation_ns, number_at(o, 4, 0) * 1000);
    pthread_barrier_init(&p.start, NULL, 2);
    pthread_barrier_init(&p.end, NULL, 2);
    if (pthread_create(&thread, NULL, be_pest, &p) != 0) broken("no thread");
    for (uint64_t i = 0; i < p.rounds; i++) {
        pthread_barrier_wait(&p.start);
        for (uint64_t until_ns = monotonic_ns() + 2 * atomic_load(&hesitation_ns); monotonic_ns() < until_ns;)
            flowctl_backend_poll(s->backend);
        pthread_barrier_wait(&p.end);
        for (polls = 0; polls < 20 && (flowctl_backend_poll(s->backend), poll(&watched, 1, 0) > 0);) polls++;
        in_vain += polls == 20;
    }
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&p.start);
    pthread_barrier_destroy(&p.end);
    atomic_store(&hesitation_ns, 0);
    say_number("in_vain", in_vain);
}

/* ---- the process ---- */

static size_t count_entries(const char *path) {
    DIR *folder = opendir(path);
    size_t count = 0;
    if (folder == NULL) broken("%s", path);
    while (readdir(folder) != NULL) count++;
    closedir(folder);
    return count - 2;
}

/* What a program that is started by this one would have, too. */
static size_t count_inherited(void) {
    size_t count = 0;
    for (int descriptor = 3; descriptor < 256; descriptor++) {
        int flags = fcntl(descriptor, F_GETFD);
        count += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    return count;
}

static void tell_self(const struct order *o) {
    (void)o;
    unsigned long pages = 0;
    struct rusage usage;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*u %lu", &pages) != 1) broken("statm");
    fclose(file);
    getrusage(RUSAGE_SELF, &usage);
    say_number("descriptors", count_entries("/proc/self/fd") - 1); /* that of the folder */
    say_number("inherited", count_inherited());
    say_number("rss_kb", pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024);
    say_number("threads", count_entries("/proc/self/task"));
    say_number("cpu_ms", (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                             (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
}

static void break_pipe(const struct order *o) {
    int ends[2];
    (void)o;
    if (pipe(ends) != 0) broken("pipe");
    close(ends[0]);
    if (write(ends[1], "x", 1) != 1) broken("SIGPIPE is ignored");
}

static void be_child(const struct order *o, int out) {
    struct group *g = find_group(o, 1);
    struct store *s = find_store(o, 2);
    char text[256], value[8];
    size_t bytes;
    flowctl_redis_info info;
    uint64_t allowed = try_each(g, 1);
    flowctl_decision d = flowctl_decide(g->limiters[0], 1);
    flowctl_status got = flowctl_store_get(s->backend, "a", value, sizeof value, &bytes, NULL, FLOWCTL_NS_PER_SEC, NULL);
    int length =
        snprintf(text, sizeof text,
                 "{\"allowed\": %" PRIu64 ", \"decision\": \"%s\", \"get\": \"%s\", \"info\": \"%s\", \"descriptor\": %d}",
                 allowed, flowctl_status_name(d.status), flowctl_status_name(got),
                 flowctl_status_name(flowctl_redis_info_read(s->backend, &info)), flowctl_backend_descriptor(s->backend));
    if (write(out, text, (size_t)length) != length) _exit(1);
    if (value_of(o, "leave") == NULL) {
        unmake(g);
        flowctl_backend_destroy(s->backend);
    }
    _exit(0);
}

static void fork_child(const struct order *o) {
    int ends[2], status;
    char text[256] = "";
    if (pipe(ends) != 0) broken("pipe");
    pid_t child = fork();
    if (child == 0) be_child(o, ends[1]);
    close(ends[1]);
    if (read(ends[0], text, sizeof text - 1) < 0) text[0] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    say_number("exit", (uint64_t)status);
    say_raw("child", text[0] != '\0' ? text : "{}");
}

/* ---- one after the other ---- */

static bool obey(const struct order *o) {
    static const struct {
        const char *verb;
        void (*run)(const struct order *o);
    } verbs[] =
        {{"open", open_store},  {"close", close_store}, {"info", tell_info},        {"probe", probe},     {"get", get},
         {"set", set},          {"remove", take_away},  {"increment", increment},   {"inspect", inspect}, {"turn", turn},
         {"try", try},          {"spend", spend},       {"limiter", make_limiters}, {"acquire", acquire}, {"ready", ready},
         {"sharing", sharing},  {"destroy", destroy},   {"pester", pester},         {"fork", fork_child}, {"later", later},
         {"break", break_pipe}, {"self", tell_self}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].verb, o->words[0]) != 0) continue;
        verbs[i].run(o);
        answer();
        return true;
    }
    return false;
}

static void obey_line(char *line) {
    struct order o = {.count = 0};
    char *rest = line;
    for (char *next; o.count < WORDS && (next = strtok_r(rest, " \n", &rest)) != NULL;) o.words[o.count++] = next;
    if (o.count != 0 && !obey(&o) && !obey_raw(&o)) broken("no order is \"%s\"", o.words[0]);
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    signal(SIGPIPE, SIG_DFL); /* what a test runner ignores is inherited */
    while (getline(&line, &room, stdin) > 0) obey_line(line);
    free(line);
    await_errands();
    for (struct group *g = groups; g < groups + GROUPS; g++)
        if (g->limiters != NULL) unmake(g);
    for (struct store *s = stores; s < stores + BACKENDS; s++) flowctl_backend_destroy(s->backend);
    end_raw();
    return 0;
}

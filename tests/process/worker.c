/*
 * One of several processes that share a limit: asks for permits as its demand says, and enters what it is admitted in DIRECTORY/NAME.ring
 * (admission_ring.h). The entry is the use, so it may be killed at any moment.
 *
 *     worker --log DIRECTORY --name NAME --rate RATE --burst PERMITS [OPTION]...
 *
 *     --backend URL      where the limit is shared; "local" (the default): nowhere
 *     --id ID            the name of the limit, "test"
 *     --ttl, --refresh   durations, of leases and between refills
 *     --start-empty      for local limits
 *     --duration D       how long to run, 10s; SIGTERM ends it earlier
 *     --ask RATE         permits asked for on the average, twice the rate
 *     --demand WHAT      steady, bursty, shifting or waves
 *     --costs N          one question is for 1 ... N permits
 *     --verb WHAT        decide, acquire, up-to, or mixed
 *     --seed N
 *     --fault-rates LIST mistreats what is said to the backend and what it says (sys/fault.h): drop=PPM,duplicate=PPM,delay=PPM,fail=PPM,
 *                        max-delay=TIME, in millionths of the requests, and of the replies
 *     --fork-after-init  fork at once; SIGUSR1 forks at any time. The child tries its parent's limiter for a while and enters what it is
 *                        admitted in DIRECTORY/NAME.forkN.ring: it must get nothing. Every other child destroys its copy at the end,
 *                        which must not touch what its parent holds.
 *
 * Exits with 0, 2 (can't begin), 4 (no more room for admissions: it stopped asking), 5 (a child crashed or hung).
 */
#include "admission_ring.h"
#include "process/demand.h"
#include "process/shared_limit.h"
#include "support/seed.h"

#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DONE = 0, CANT_BEGIN = 2, NO_ROOM = 4, BAD_CHILD = 5 };
enum verb { DECIDE, ACQUIRE, UP_TO, MIXED };

#define CHILD_NS UINT64_C(1500000000)
#define CHILD_ALARM_S 20 /* hung */

struct worker {
    struct shared_limit_terms terms;
    struct shared_limit limit;
    struct fct_ring ring;
    struct demand demand;
    const char *directory, *name;
    uint64_t duration_ns, seed;
    enum verb verb;
    bool fork_at_once, bad_child;
    pid_t child;
    unsigned forks;
};

/* Atomic: a signal may be handled by a backend's thread. */
static atomic_bool ending, fork_wanted;

static void note(int number) {
    if (number == SIGUSR1) fork_wanted = true;
    else ending = true;
}

/* Who starts a worker may block these, so that none comes before this. */
static void catch_signals(void) {
    sigset_t caught;
    sigemptyset(&caught);
    sigaddset(&caught, SIGTERM), sigaddset(&caught, SIGINT), sigaddset(&caught, SIGUSR1);
    struct sigaction action = {.sa_handler = note}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
    sigprocmask(SIG_UNBLOCK, &caught, NULL);
}

/* ---- asking ---- */

/* up-to has no decision to be dated by: it is given the time. */
static flowctl_decision ask_up_to(struct worker *w, uint64_t permits) {
    flowctl_decision d = {.now_ns = shared_limit_now_ns(&w->limit)};
    d.granted = flowctl_try_acquire_up_to_at(w->limit.limiter, permits, d.now_ns);
    d.verdict = d.granted != 0 ? FLOWCTL_ALLOW : FLOWCTL_DENY;
    return d;
}

static flowctl_decision ask_waiting(struct worker *w, uint64_t permits) {
    uint64_t begun_ns = fct_ring_now_ns();
    flowctl_decision d = flowctl_acquire(w->limit.limiter, permits, test_below(&w->seed, 20) * FLOWCTL_NS_PER_MS);
    uint64_t waited_ns = fct_ring_now_ns() - begun_ns;
    if (d.verdict == FLOWCTL_ALLOW && waited_ns > FLOWCTL_NS_PER_MS) fct_ring_waited(&w->ring, waited_ns);
    return d;
}

static flowctl_decision ask(struct worker *w, uint64_t permits) {
    enum verb verb = w->verb == MIXED ? (enum verb)test_below(&w->seed, MIXED) : w->verb;
    if (verb == ACQUIRE) return ask_waiting(w, permits);
    return verb == UP_TO ? ask_up_to(w, permits) : flowctl_decide(w->limit.limiter, permits);
}

static void enter(struct fct_ring *ring, const struct shared_limit *limit, const flowctl_decision *d, uint64_t permits) {
    uint64_t now_ns = fct_ring_now_ns();
    if (d->verdict == FLOWCTL_ALLOW) {
        struct fct_admission a = {d->now_ns + limit->to_boottime_ns, now_ns, d->granted, 0};
        fct_ring_append(ring, &a);
    } else {
        fct_ring_refused(ring, permits);
    }
    if (d->status != FLOWCTL_OK) fct_ring_failed(ring);
    fct_ring_answered(ring, now_ns);
}

static void sleep_ns(uint64_t ns) { nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL); }

/* ---- a child that tries what it has inherited ---- */

static _Noreturn void be_child(struct worker *w) {
    struct fct_ring ring;
    char name[FCT_RING_NAME_SIZE];
    alarm(CHILD_ALARM_S);
    snprintf(name, sizeof name, "%s.fork%u", w->name, w->forks);
    uint64_t until_ns = fct_ring_now_ns() + (w->duration_ns < CHILD_NS ? w->duration_ns : CHILD_NS);
    if (!fct_ring_create(&ring, w->directory, name, FCT_RING_FORKED))
        fprintf(stderr, "%s: %s\n", name, ring.message), _exit(1);
    while (fct_ring_now_ns() < until_ns && fct_ring_reserve(&ring)) {
        flowctl_decision d = flowctl_decide(w->limit.limiter, 1);
        enter(&ring, &w->limit, &d, 1);
        sleep_ns(FLOWCTL_NS_PER_MS);
    }
    if (w->forks % 2 == 0) shared_limit_close(&w->limit);
    fct_ring_cleanup(&ring);
    _exit(0);
}

/* True if there is no child any more. */
static bool reap(struct worker *w, int flags) {
    int status;
    if (w->child == 0) return true;
    pid_t ended = waitpid(w->child, &status, flags);
    if (ended != w->child) return false;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        w->bad_child = true;
        fprintf(stderr, "%s: child %u ended with status 0x%x%s\n", w->name, w->forks, (unsigned)status,
                WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ": it hung" : "");
    }
    w->child = 0;
    return true;
}

static void fork_if_wanted(struct worker *w) {
    if (!reap(w, WNOHANG) || !fork_wanted) return;
    fork_wanted = false;
    w->forks++;
    w->child = fork();
    if (w->child == 0) be_child(w);
    if (w->child < 0) perror("fork"), w->child = 0;
}

/* ---- a life ---- */

static int work(struct worker *w) {
    uint64_t until_ns = fct_ring_now_ns() + w->duration_ns, now_ns;
    fork_wanted = w->fork_at_once;
    while (!ending && (now_ns = fct_ring_now_ns()) < until_ns) {
        fork_if_wanted(w);
        if (!fct_ring_reserve(&w->ring)) return fprintf(stderr, "%s: %s\n", w->name, w->ring.message), NO_ROOM;
        uint64_t wait_ns, permits = demand_next(&w->demand, now_ns, &wait_ns);
        if (permits == 0) {
            sleep_ns(wait_ns);
            continue;
        }
        flowctl_decision d = ask(w, permits);
        enter(&w->ring, &w->limit, &d, permits);
    }
    return DONE;
}

static int run(struct worker *w) {
    int status = CANT_BEGIN;
    catch_signals();
    if (!fct_ring_create(&w->ring, w->directory, w->name, FCT_RING_WORKER)) {
        fprintf(stderr, "%s: %s\n", w->name, w->ring.message);
    } else if (shared_limit_open(&w->limit, &w->terms)) {
        status = work(w);
        while (w->child != 0) reap(w, 0); /* a signal may interrupt one */
        shared_limit_close(&w->limit);
    }
    fct_ring_cleanup(&w->ring);
    return status == DONE && w->bad_child ? BAD_CHILD : status;
}

/* ---- options ---- */

static bool wrong(const char *option, const char *value, const flowctl_error *err) {
    fprintf(stderr, "worker: --%s: \"%s\": %s\n", option, value, err != NULL ? err->message : "is none of those it can be");
    return false;
}

static bool choose(int *chosen, const char *option, const char *value, const char *const *names) {
    for (*chosen = 0; names[*chosen] != NULL; ++*chosen)
        if (strcmp(names[*chosen], value) == 0) return true;
    return wrong(option, value, NULL);
}

static bool read_duration(uint64_t *ns, const char *option, const char *value) {
    flowctl_error err;
    return flowctl_duration_parse(value, ns, &err) == FLOWCTL_OK || wrong(option, value, &err);
}

static bool read_rate(flowctl_rate *rate, const char *option, const char *value) {
    flowctl_error err;
    return flowctl_rate_parse(value, rate, NULL, &err) == FLOWCTL_OK || wrong(option, value, &err);
}

static bool read_count(uint64_t *count, const char *option, const char *value) {
    flowctl_error err;
    return flowctl_count_parse(value, count, NULL, &err) == FLOWCTL_OK || wrong(option, value, &err);
}

/* "drop=1000,max-delay=20ms" */
static bool read_fault(flowctl_fault_rates *r, char *word) {
    char *value = strchr(word, '=');
    uint64_t ppm = 0;
    if (value == NULL) return wrong("fault-rates", word, NULL);
    *value++ = '\0';
    if (strcmp(word, "max-delay") == 0) return read_duration(&r->max_delay_ns, "fault-rates", value);
    if (!read_count(&ppm, "fault-rates", value)) return false;
    if (ppm > 1000000) return wrong("fault-rates", value, NULL);
    if (strcmp(word, "drop") == 0) r->drop_request = r->drop_reply = (uint32_t)ppm;
    else if (strcmp(word, "duplicate") == 0) r->duplicate_request = r->duplicate_reply = (uint32_t)ppm;
    else if (strcmp(word, "delay") == 0) r->delay_request = r->delay_reply = (uint32_t)ppm;
    else if (strcmp(word, "fail") == 0) r->fail = (uint32_t)ppm;
    else return wrong("fault-rates", word, NULL);
    return true;
}

static bool read_faults(struct worker *w, char *list) {
    w->terms.faulty = true;
    for (char *word = strtok(list, ","); word != NULL; word = strtok(NULL, ","))
        if (!read_fault(&w->terms.faults, word)) return false;
    return true;
}

static const struct option known[] =
    {{"backend", required_argument, NULL, 'B'},     {"id", required_argument, NULL, 'i'},
     {"rate", required_argument, NULL, 'r'},        {"burst", required_argument, NULL, 'b'},
     {"ttl", required_argument, NULL, 't'},         {"refresh", required_argument, NULL, 'T'},
     {"log", required_argument, NULL, 'l'},         {"name", required_argument, NULL, 'n'},
     {"seed", required_argument, NULL, 's'},        {"duration", required_argument, NULL, 'd'},
     {"ask", required_argument, NULL, 'a'},         {"demand", required_argument, NULL, 'D'},
     {"costs", required_argument, NULL, 'c'},       {"verb", required_argument, NULL, 'v'},
     {"fault-rates", required_argument, NULL, 'F'}, {"start-empty", no_argument, NULL, 'e'},
     {"fork-after-init", no_argument, NULL, 'f'},   {NULL, 0, NULL, 0}};

static bool read_option(struct worker *w, int option, int index, flowctl_rate *asked) {
    static const char *const patterns[] = {"steady", "bursty", "shifting", "waves", NULL};
    static const char *const verbs[] = {"decide", "acquire", "up-to", "mixed", NULL};
    const char *name = index >= 0 ? known[index].name : "";
    int chosen;
    switch (option) {
    case 'B': w->terms.backend = optarg; return true;
    case 'i': w->terms.id = optarg; return true;
    case 'r': return read_rate(&w->terms.rate, name, optarg);
    case 'b': return read_count(&w->terms.burst, name, optarg);
    case 't': return read_duration(&w->terms.ttl_ns, name, optarg);
    case 'T': return read_duration(&w->terms.refresh_ns, name, optarg);
    case 'l': w->directory = optarg; return true;
    case 'n': w->name = w->terms.member = optarg; return true;
    case 's': w->seed = strtoull(optarg, NULL, 10); return true;
    case 'd': return read_duration(&w->duration_ns, name, optarg);
    case 'a': return read_rate(asked, name, optarg);
    case 'D':
        if (!choose(&chosen, name, optarg, patterns)) return false;
        w->demand.pattern = (enum demand_pattern)chosen;
        return true;
    case 'c': return read_count(&w->demand.most, name, optarg) && (w->demand.most != 0 || wrong(name, optarg, NULL));
    case 'v':
        if (!choose(&chosen, name, optarg, verbs)) return false;
        w->verb = (enum verb)chosen;
        return true;
    case 'F': return read_faults(w, optarg);
    case 'e': return w->terms.start_empty = true;
    case 'f': return w->fork_at_once = true;
    default: return false; /* getopt has said why */
    }
}

static bool read_options(struct worker *w, int argc, char **argv) {
    flowctl_rate asked = {0, 0};
    int option, index = -1;
    while ((option = getopt_long(argc, argv, "", known, &index)) != -1)
        if (!read_option(w, option, index, &asked)) return false;
    if (optind != argc || w->directory == NULL || w->name == NULL || w->terms.rate.permits == 0 || w->terms.burst == 0)
        return fprintf(stderr, "worker: --log, --name, --rate and --burst are needed, and no other arguments\n"), false;
    if (asked.permits == 0) asked = w->terms.rate, asked.permits *= 2;
    w->demand.per_ns = (double)asked.permits / (double)asked.period_ns;
    w->demand.random = w->terms.seed = w->seed;
    return true;
}

int main(int argc, char **argv) {
    static struct worker w = {.terms = {.id = "test"}, .duration_ns = 10 * FLOWCTL_NS_PER_SEC, .demand = {.most = 1}};
    return read_options(&w, argc, argv) ? run(&w) : CANT_BEGIN;
}

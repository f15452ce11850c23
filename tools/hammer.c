#include "hammer.h"

#include "admission_ring.h"
#include "command.h"
#include "interrupt.h"
#include "progress.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS (10 * FLOWCTL_NS_PER_MS)
#define SHOW_EVERY_NS FLOWCTL_NS_PER_SEC
#define LEAD_NS (5 * FLOWCTL_NS_PER_MS)           /* from the word to begin to the beginning */
#define END_PATIENCE_NS (10 * FLOWCTL_NS_PER_SEC) /* after the end; who hangs for longer is killed */

struct hammer {
    const struct fct_hammer_options *options;
    struct fct_hammer_board *board;
    size_t board_bytes;
    char directory[4096];
    bool temporary;
    unsigned started, running;
    uint64_t show_ns, killed_ns;
    struct fct_progress progress;
};

static int fail(struct hammer *h, const char *what, const char *why) {
    char shown[512];
    fct_progress_clear(&h->progress);
    fct_text_printable(shown, sizeof shown, what);
    fprintf(stderr, "flowctl hammer: %s: %s\n", shown, why);
    return FCT_EXIT_FAILED;
}

/* ---- the place ---- */

static int make_directory(struct hammer *h) {
    const char *log = h->options->log, *tmp = getenv("TMPDIR");
    h->temporary = log == NULL;
    int length = log != NULL ? snprintf(h->directory, sizeof h->directory, "%s", log)
                             : snprintf(h->directory, sizeof h->directory, "%s/flowctl_hammer_XXXXXX",
                                        tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
    if (length >= (int)sizeof h->directory) return fail(h, h->directory, strerror(ENAMETOOLONG));
    bool made = log != NULL ? mkdir(log, 0777) == 0 || errno == EEXIST : mkdtemp(h->directory) != NULL;
    return made ? FCT_EXIT_DONE : fail(h, h->directory, strerror(errno));
}

/* Only what was put there: each worker's file. */
static void remove_directory(const struct hammer *h) {
    char name[FCT_RING_NAME_SIZE], path[sizeof h->directory + FCT_RING_NAME_SIZE + 8];
    for (unsigned i = 0; i < h->started; i++) {
        fct_hammer_name(name, sizeof name, getpid(), i);
        snprintf(path, sizeof path, "%s/%s.ring", h->directory, name);
        unlink(path);
        snprintf(path, sizeof path, "%s/%s.new", h->directory, name);
        unlink(path);
    }
    rmdir(h->directory);
}

static int make_board(struct hammer *h) {
    size_t seats = h->options->processes * sizeof(struct fct_hammer_seat);
    h->board_bytes = sizeof *h->board + seats;
    void *at = mmap(NULL, h->board_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return fail(h, "shared memory", strerror(errno));
    h->board = at;
    atomic_store(&h->board->end_ns, FCT_HAMMER_NO_END);
    return FCT_EXIT_DONE;
}

/* ---- the workers ---- */

static int start(struct hammer *h) {
    pid_t parent = getpid();
    fflush(stdout); /* what a child inherits in buffers it might write once more */
    for (; h->started < h->options->processes; h->started++) {
        pid_t pid = fork();
        if (pid == 0) fct_hammer_work(h->options, h->board, h->started, h->directory, parent);
        if (pid < 0) return fail(h, "fork", strerror(errno));
        h->board->seats[h->started].pid = pid;
        h->running++;
    }
    return FCT_EXIT_DONE;
}

const char *fct_hammer_trouble(const struct fct_hammer_seat *s, char *out, size_t size) {
    if (WIFSIGNALED(s->status)) snprintf(out, size, "killed by signal %d", WTERMSIG(s->status));
    else if (atomic_load(&s->stage) == FCT_HAMMER_FAILED) fct_text_printable(out, size, s->message);
    else if (WEXITSTATUS(s->status) != 0) snprintf(out, size, "ended with status %d", WEXITSTATUS(s->status));
    else return NULL;
    return out;
}

static void note_end(struct hammer *h, unsigned number, int status) {
    char trouble[256];
    struct fct_hammer_seat *seat = &h->board->seats[number];
    seat->ended = true;
    seat->status = status;
    h->running--;
    if (fct_hammer_trouble(seat, trouble, sizeof trouble) == NULL) return;
    fct_progress_clear(&h->progress);
    fprintf(stderr, "flowctl hammer: process %u (pid %ld): %s\n", number + 1, (long)seat->pid, trouble);
}

static void reap(struct hammer *h) {
    int status;
    for (unsigned i = 0; i < h->started; i++) {
        struct fct_hammer_seat *seat = &h->board->seats[i];
        if (!seat->ended && waitpid(seat->pid, &status, WNOHANG) == seat->pid) note_end(h, i, status);
    }
}

static void kill_the_rest(struct hammer *h) {
    for (unsigned i = 0; i < h->started; i++)
        if (!h->board->seats[i].ended) kill(h->board->seats[i].pid, SIGKILL);
}

/* Those that are still on their way to the beginning. */
static unsigned unready(const struct hammer *h) {
    unsigned count = 0;
    for (unsigned i = 0; i < h->started; i++)
        count += !h->board->seats[i].ended && atomic_load(&h->board->seats[i].stage) == FCT_HAMMER_STARTING;
    return count;
}

/* ---- the run ---- */

static void show(struct hammer *h, uint64_t now_ns) {
    char text[128], many[32];
    uint64_t granted = 0, begin_ns = atomic_load(&h->board->begin_ns);
    if (!h->progress.on || now_ns < h->show_ns) return;
    h->show_ns = now_ns + SHOW_EVERY_NS;
    for (unsigned i = 0; i < h->started; i++) granted += atomic_load(&h->board->seats[i].granted);
    fct_text_short_number(many, sizeof many, (double)granted);
    double seconds = begin_ns != 0 && now_ns > begin_ns ? (double)(now_ns - begin_ns) / 1e9 : 0;
    double made = seconds * 1e9 * (double)h->options->limit.rate.permits / (double)h->options->limit.rate.period_ns;
    if (begin_ns == 0) snprintf(text, sizeof text, "waiting for the store to lend to %u processes", unready(h));
    else
        snprintf(text, sizeof text, "%.0f s, %s permits granted, use %.3f", seconds, many,
                 made > 0 ? (double)granted / made : 0);
    fct_progress_say(&h->progress, text);
}

/* The next step is due: everybody is ready, or the user has had enough, or somebody does not end. */
static void go_on(struct hammer *h, uint64_t now_ns) {
    struct fct_hammer_board *b = h->board;
    uint64_t end_ns = atomic_load(&b->end_ns);
    if (fct_interrupted() && end_ns > now_ns) {
        atomic_store(&b->end_ns, now_ns);
    } else if (atomic_load(&b->begin_ns) == 0 && end_ns == FCT_HAMMER_NO_END && unready(h) == 0) {
        atomic_store(&b->begin_ns, now_ns + LEAD_NS);
        atomic_store(&b->end_ns, now_ns + LEAD_NS + h->options->duration_ns);
    } else if (end_ns != FCT_HAMMER_NO_END && now_ns > end_ns + END_PATIENCE_NS && h->killed_ns == 0) {
        h->killed_ns = now_ns;
        kill_the_rest(h);
    }
}

static void run(struct hammer *h) {
    while (h->running != 0) {
        uint64_t now_ns = fct_ring_now_ns();
        reap(h);
        go_on(h, now_ns);
        show(h, now_ns);
        if (h->running != 0) nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    fct_progress_clear(&h->progress);
}

/* ---- the judgement ---- */

/* Which worker of this run a file is of; `started` if of none. */
static unsigned worker_of(const struct hammer *h, const struct fct_ring_info *info) {
    char name[FCT_RING_NAME_SIZE];
    for (unsigned i = 0; i < h->started; i++) {
        fct_hammer_name(name, sizeof name, getpid(), i);
        if (strcmp(name, info->name) == 0) return i;
    }
    return h->started;
}

static bool judge(const struct hammer *h, const struct fct_rings *rings, struct fct_hammer_result *r) {
    unsigned *workers = calloc(rings->ring_count + 1, sizeof *workers);
    r->granted = calloc(h->options->processes, sizeof *r->granted);
    fct_conformance_init(&r->judged, &h->options->limit.rate, h->options->limit.burst);
    for (size_t i = 0; workers != NULL && i < rings->ring_count; i++) workers[i] = worker_of(h, &rings->rings[i]);
    for (size_t i = 0; workers != NULL && r->granted != NULL && i < rings->count; i++) {
        const struct fct_dated *d = &rings->dated[i];
        unsigned worker = workers[d->ring];
        fct_conformance_add(&r->judged, d->admission.time_ns, d->admission.permits);
        if (worker == h->started) r->others++;
        else r->granted[worker] += d->admission.permits, r->sum += d->admission.permits, r->admissions++;
    }
    free(workers);
    return workers != NULL && r->granted != NULL;
}

/* All admissions as text, for checkers that are not ours. */
static int export(struct hammer *h, const struct fct_rings *rings) {
    char path[sizeof h->directory + 32];
    snprintf(path, sizeof path, "%s/admissions.txt", h->directory);
    FILE *out = fopen(path, "w");
    if (out == NULL) return fail(h, path, strerror(errno));
    for (size_t i = 0; i < rings->count; i++)
        fprintf(out, "%" PRIu64 " %" PRIu64 "\n", rings->dated[i].admission.time_ns, rings->dated[i].admission.permits);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) return fail(h, path, strerror(errno != 0 ? errno : EIO));
    return FCT_EXIT_DONE;
}

/* Who was killed from outside has done its part: its file tells what. Who could not work has not. */
static bool all_worked(const struct hammer *h) {
    for (unsigned i = 0; i < h->started; i++) {
        const struct fct_hammer_seat *seat = &h->board->seats[i];
        if (atomic_load(&seat->stage) == FCT_HAMMER_FAILED || h->killed_ns != 0) return false;
    }
    return h->started == h->options->processes;
}

static int report(struct hammer *h, struct fct_hammer_result *r) {
    uint64_t begin_ns = atomic_load(&h->board->begin_ns), end_ns = atomic_load(&h->board->end_ns);
    r->interrupted = fct_interrupted();
    r->length_ns = begin_ns != 0 && end_ns > begin_ns ? end_ns - begin_ns : 0;
    if (!fct_hammer_write(r, stdout)) return fail(h, "report", "no memory");
    if (r->judged.excess > 0 || !all_worked(h)) return FCT_EXIT_FAILED;
    return r->interrupted ? FCT_EXIT_INTERRUPTED : FCT_EXIT_DONE;
}

static int finish(struct hammer *h) {
    struct fct_rings rings;
    struct fct_hammer_result result = {.options = h->options, .board = h->board};
    int status = FCT_EXIT_DONE;
    fct_rings_init(&rings);
    if (!fct_rings_read(&rings, h->directory)) status = fail(h, "admissions", rings.message);
    fct_rings_sort(&rings, false);
    if (status == FCT_EXIT_DONE && !h->temporary) status = export(h, &rings);
    if (status == FCT_EXIT_DONE && !judge(h, &rings, &result)) status = fail(h, "admissions", "no memory");
    if (status == FCT_EXIT_DONE) status = report(h, &result);
    free(result.granted);
    fct_rings_cleanup(&rings);
    return status;
}

static int hammer(const struct fct_hammer_options *options) {
    struct hammer h = {.options = options};
    int status = make_directory(&h);
    if (status != FCT_EXIT_DONE) return status;
    if ((status = make_board(&h)) == FCT_EXIT_DONE) {
        fct_catch_interrupt();
        fct_progress_init(&h.progress, -1);
        if ((status = start(&h)) != FCT_EXIT_DONE) kill_the_rest(&h);
        run(&h);
        if (status == FCT_EXIT_DONE) status = finish(&h);
        munmap(h.board, h.board_bytes);
    }
    if (h.temporary) remove_directory(&h);
    return status;
}

int fct_hammer_main(int argc, char **argv) {
    struct fct_hammer_options options;
    int status;
    if (fct_hammer_options_read(&options, argc, argv, &status)) status = hammer(&options);
    fct_hammer_options_cleanup(&options);
    return status;
}

#include "inspect.h"

#include "command.h"
#include "interrupt.h"
#include "text.h"
#include "usage.h"

#include <flowctl/store.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_NS (5 * FLOWCTL_NS_PER_SEC)

static const char name[] = "flowctl inspect";

const char fct_inspect_help[] =
    "usage: flowctl inspect [OPTION]... BACKEND-URL [ID]\n"
    "\n"
    "Shows limits that processes share, as their store sees them now: all of a backend, or the one of an\n"
    "ID with its members. Nothing is changed by looking.\n"
    "BACKEND-URL is where they are: file:PATH, redis://HOST:PORT/DB, redis+unix:///SOCKET, or memory:\n"
    "(which is empty: it ends with its process).\n"
    "\n"
    "  --watch[=TIME]        again and again, until interrupted (default: each 1s)\n"
    "  --output FORM         table or json (default: table; with --watch, JSON is one object a line)\n"
    "  --help                this text\n"
    "\n"
    "what is shown:\n"
    "  level                 permits that can be lent now\n"
    "  out                   permits that are lent, and not reported used or given back\n"
    "  quarantine            nothing is lent for so long: the store can't know what it lent before\n"
    "  expires in            what the member holds comes back to the limit then, unless it asks again\n"
    "  active                the member wanted permits lately\n"
    "\n"
    "environment: FLOWCTL_REDIS_PASSWORD, for a server that wants one.\n"
    "\n"
    "examples:\n"
    "  flowctl inspect redis://127.0.0.1\n"
    "  flowctl inspect file:/var/lib/myprogram/limits\n"
    "  flowctl inspect --watch file:/var/lib/myprogram/limits mail\n"
    "  flowctl inspect --output json file:/var/lib/myprogram/limits mail | jq .limits[0].out\n"
    "\n"
    "exit status: 0 done, 1 not there, or the store does not answer, 2 wrong usage\n";

/* ---- a copy of the state ---- */

static void release(struct fct_limit_seen *seen) {
    free(seen->id);
    free(seen->members);
}

static bool copy(struct fct_limit_seen *to, const flowctl_limit_state *from) {
    *to = (struct fct_limit_seen){*from, strdup(from->limit), calloc(from->member_count + 1, sizeof *to->members)};
    if (to->id == NULL || to->members == NULL) return release(to), false;
    if (from->member_count != 0) memcpy(to->members, from->members, from->member_count * sizeof *to->members);
    to->state.limit = to->id;
    to->state.members = to->members;
    return true;
}

void fct_limits_add(void *context, const flowctl_limit_state *state) {
    struct fct_limits *limits = context;
    struct fct_limit_seen *more = realloc(limits->seen, (limits->count + 1) * sizeof *more);
    if (more != NULL) limits->seen = more;
    if (more != NULL && copy(&more[limits->count], state)) limits->count++;
    else limits->no_memory = true;
}

static int by_id(const void *a, const void *b) {
    const struct fct_limit_seen *x = a, *y = b;
    return strcmp(x->id, y->id);
}

static int by_name(const void *a, const void *b) {
    const flowctl_member_state *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->session.hi > y->session.hi) - (x->session.hi < y->session.hi);
}

void fct_limits_sort(struct fct_limits *limits) {
    if (limits->count > 1) qsort(limits->seen, limits->count, sizeof *limits->seen, by_id);
    for (size_t i = 0; i < limits->count; i++) {
        struct fct_limit_seen *s = &limits->seen[i];
        qsort(s->members, s->state.member_count, sizeof *s->members, by_name);
    }
}

void fct_limits_cleanup(struct fct_limits *limits) {
    for (size_t i = 0; i < limits->count; i++) release(&limits->seen[i]);
    free(limits->seen);
    *limits = (struct fct_limits){.seen = NULL};
}

/* ---- looking ---- */

static int fail(const char *what, const char *why) {
    char shown[256], reason[256];
    fct_text_printable(shown, sizeof shown, what);
    fct_text_printable(reason, sizeof reason, why);
    fprintf(stderr, "%s: %s: %s\n", name, shown, reason);
    return FCT_EXIT_FAILED;
}

static int not_found(const struct fct_inspect_options *o) {
    char url[160], id[160];
    fct_text_printable(url, sizeof url, o->url.shown);
    fct_text_printable(id, sizeof id, o->id);
    fprintf(stderr, "%s: %s: there is no limit \"%s\"; those that are there: %s %s\n", name, url, id, name, url);
    return FCT_EXIT_FAILED;
}

static int look(const struct fct_inspect_options *o, flowctl_backend *backend) {
    flowctl_error err = {.offset = -1};
    struct fct_limits all = {.seen = NULL};
    int exit_status = FCT_EXIT_DONE;
    flowctl_status status = flowctl_backend_inspect(backend, o->id, fct_limits_add, &all, PATIENCE_NS, &err);
    fct_limits_sort(&all);
    if (status == FLOWCTL_NOT_FOUND && o->id != NULL) exit_status = not_found(o);
    else if (status != FLOWCTL_OK) exit_status = fail(o->url.shown, err.message);
    else if (all.no_memory || !fct_inspect_write(o, &all, stdout)) exit_status = fail(o->url.shown, "no memory");
    fct_limits_cleanup(&all);
    return exit_status;
}

/* In short naps: an interrupt ends the waiting soon. */
static bool wait_for_next(uint64_t ns) {
    for (uint64_t nap_ns; ns > 0 && !fct_interrupted(); ns -= nap_ns) {
        nap_ns = ns < 50 * FLOWCTL_NS_PER_MS ? ns : 50 * FLOWCTL_NS_PER_MS;
        nanosleep(&(struct timespec){.tv_nsec = (long)nap_ns}, NULL);
    }
    return !fct_interrupted();
}

/* On a terminal each look replaces the one before. */
static int watch(const struct fct_inspect_options *o, flowctl_backend *backend) {
    bool clears = !o->json && isatty(STDOUT_FILENO) == 1;
    int status;
    fct_catch_interrupt();
    do {
        if (clears) fputs("\033[H\033[2J", stdout);
        status = look(o, backend);
        if (!o->json && !clears) putchar('\n');
        if (fflush(stdout) != 0) break;
    } while (status == FCT_EXIT_DONE && wait_for_next(o->watch_ns));
    return status;
}

static int run(const struct fct_inspect_options *o) {
    flowctl_error err = {.offset = -1};
    flowctl_backend *backend;
    if (fct_backend_url_find(&o->url, &err) != FLOWCTL_OK ||
        fct_backend_url_open(&o->url, NULL, FLOWCTL_DRIVE_POLL, &backend, &err) != FLOWCTL_OK)
        return fail(o->url.shown, err.message);
    int status = o->watch_ns != 0 ? watch(o, backend) : look(o, backend);
    flowctl_backend_destroy(backend);
    return status;
}

/* ---- the command line ---- */

static int read_watch(struct fct_inspect_options *o, const char *value) {
    flowctl_error err = {.offset = -1};
    o->watch_ns = FLOWCTL_NS_PER_SEC;
    if (value == NULL) return FCT_EXIT_DONE;
    if (flowctl_duration_parse(value, &o->watch_ns, &err) != FLOWCTL_OK)
        return fct_usage_error_in(name, "--watch", value, &err);
    if (o->watch_ns == 0) return fct_usage_error(name, "--watch: 0: give the time from look to look, as --watch=1s");
    return FCT_EXIT_DONE;
}

static int read_arguments(struct fct_inspect_options *o, int argc, char **argv) {
    char forms[128];
    flowctl_error err = {.offset = -1};
    fct_backend_url_forms(forms, sizeof forms);
    if (argc == 0) return fct_usage_error(name, "BACKEND-URL is missing: where the limits are kept: %s", forms);
    if (argc > 2) return fct_usage_error(name, "\"%s\": only one ID can be shown; leave it out for all", argv[2]);
    if (argc == 2) o->id = argv[1];
    if (o->id != NULL && (*o->id == '\0' || strlen(o->id) > FLOWCTL_LIMIT_ID_MAX))
        return fct_usage_error(name, "ID: \"%.40s\": an id has 1 to %d bytes", o->id, FLOWCTL_LIMIT_ID_MAX);
    if (fct_backend_url_read(&o->url, argv[0], &err) != FLOWCTL_OK)
        return fct_usage_error(name, "BACKEND-URL: %s", err.message);
    return FCT_EXIT_DONE;
}

/* True: go on. False: *status is the exit status. */
static bool read_options(struct fct_inspect_options *o, int argc, char **argv, int *status) {
    static const struct option known[] = {{"watch", optional_argument, NULL, 'w'},
                                          {"output", required_argument, NULL, 'o'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    opterr = 0;
    *status = FCT_EXIT_DONE;
    for (int option; *status == FCT_EXIT_DONE && (option = getopt_long(argc, argv, ":h", known, NULL)) != -1;) {
        switch (option) {
        case 'w': *status = read_watch(o, optarg); break;
        case 'o': *status = fct_usage_table_or_json(name, optarg, &o->json); break;
        case 'h': return fputs(fct_inspect_help, stdout), false;
        default: *status = fct_usage_wrong_option(name, option, argv);
        }
    }
    if (*status == FCT_EXIT_DONE) *status = read_arguments(o, argc - optind, argv + optind);
    return *status == FCT_EXIT_DONE;
}

int fct_inspect_main(int argc, char **argv) {
    struct fct_inspect_options options = {.id = NULL};
    int status;
    if (read_options(&options, argc, argv, &status)) status = run(&options);
    fct_backend_url_cleanup(&options.url);
    return status;
}

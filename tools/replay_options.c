#include "replay_options.h"

#include "command.h"
#include "usage.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char name[] = "flowctl replay";

const char fct_replay_help[] =
    "usage: flowctl replay --limit RATE [OPTION]... FILE\n"
    "\n"
    "Runs a limit over a log, in the log's own time, and tells what it would have done.\n"
    "FILE is an access log; - is standard input.\n"
    "\n"
    "  --limit RATE          COUNT/PERIOD: 600/min, 7/13s, 1.5k/s, 5MB/s (required)\n"
    "  --burst COUNT         permits that may pass at once (default: the COUNT of the limit)\n"
    "  --cost bytes|N        permits a request costs: the bytes of its response, or N\n"
    "                        (default: 1; bytes if the limit is in bytes)\n"
    "  --mode deny|delay     what does not fit is refused, or waits (default: deny)\n"
    "  --format FORMAT       auto or combined, which reads the common format too (default: auto)\n"
    "  --sort-window TIME    how far back in time a line may lie and still be sorted in\n"
    "                        (default: 60s; 0: the order of the file)\n"
    "  --output FORM         table, json or csv (default: table)\n"
    "  --help                this text\n"
    "\n"
    "examples:\n"
    "  flowctl replay --limit 600/min --burst 50 access.log\n"
    "  flowctl replay --limit 5MB/s --mode delay --output json access.log\n"
    "  zcat access.log.*.gz | flowctl replay --limit 20/s --sort-window 5min -\n"
    "\n"
    "exit status: 0 done, 1 input or output failed, 2 wrong usage, 130 interrupted (with a report)\n";

/* What was written, before it is known to be right. */
struct words {
    const char *limit, *burst, *cost, *mode, *format, *sort_window, *output;
};

/* Which of `count` words `value` is; -1 if none. */
static int choose(const char *value, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(value, words[i]) == 0) return i;
    return -1;
}

static int read_mode(struct fct_replay_options *o, const char *value) {
    static const char *const modes[] = {[FCT_MODE_DENY] = "deny", [FCT_MODE_DELAY] = "delay"};
    int chosen = value == NULL ? FCT_MODE_DENY : choose(value, modes, 2);
    if (chosen < 0) return fct_usage_error(name, "--mode: \"%s\": is neither deny nor delay", value);
    o->mode = (enum fct_mode)chosen;
    return FCT_EXIT_DONE;
}

static int read_output(struct fct_replay_options *o, const char *value) {
    static const char *const outputs[] = {[FCT_OUTPUT_TABLE] = "table", [FCT_OUTPUT_JSON] = "json", [FCT_OUTPUT_CSV] = "csv"};
    int chosen = value == NULL ? FCT_OUTPUT_TABLE : choose(value, outputs, 3);
    if (chosen < 0) return fct_usage_error(name, "--output: \"%s\": is none of table, json, csv", value);
    o->output = (enum fct_output)chosen;
    return FCT_EXIT_DONE;
}

static int read_format(struct fct_replay_options *o, const char *value) {
    char known[128];
    if (value == NULL || strcmp(value, "auto") == 0) return FCT_EXIT_DONE;
    o->format = fct_log_format_find(value);
    if (o->format != NULL) return FCT_EXIT_DONE;
    fct_log_format_names(known, sizeof known);
    return fct_usage_error(name, "--format: \"%s\": is none of %s", value, known);
}

static int read_sort_window(struct fct_replay_options *o, const char *value) {
    flowctl_error err = {.offset = -1};
    o->sort_window_ns = FLOWCTL_NS_PER_MIN;
    if (value == NULL || flowctl_duration_parse(value, &o->sort_window_ns, &err) == FLOWCTL_OK) return FCT_EXIT_DONE;
    return fct_usage_error_in(name, "--sort-window", value, &err);
}

/* Needs the limit: its unit makes the default. */
static int read_cost(struct fct_replay_options *o, const char *value) {
    flowctl_error err = {.offset = -1};
    bool limit_in_bytes = o->limit.unit == FLOWCTL_UNIT_BYTES;
    o->cost = 1;
    o->cost_is_bytes = value == NULL ? limit_in_bytes : strcmp(value, "bytes") == 0;
    if (value == NULL || o->cost_is_bytes) return FCT_EXIT_DONE;
    if (flowctl_count_parse(value, &o->cost, NULL, &err) != FLOWCTL_OK)
        return fct_usage_error_in(name, "--cost", value, &err);
    if (o->cost == 0)
        return fct_usage_error(name, "--cost: 0: a limit on requests that cost nothing limits nothing, give at least 1");
    if (limit_in_bytes)
        fprintf(stderr,
                "%s: note: the limit is in bytes, but --cost counts every request as %" PRIu64
                "; leave --cost out to count its bytes\n",
                name, o->cost);
    return FCT_EXIT_DONE;
}

static int read_file(struct fct_replay_options *o, int argc, char **argv) {
    if (argc == 0) return fct_usage_error(name, "FILE is missing: name a log, or - for standard input");
    if (argc > 1)
        return fct_usage_error(name, "\"%s\": only one FILE can be replayed; join several: cat FILE... | %s [OPTION]... -",
                               argv[1], name);
    o->file = argv[0];
    return FCT_EXIT_DONE;
}

/* In an order in which each part knows what it needs; the first mistake is the one that is reported. */
static int understand(struct fct_replay_options *o, const struct words *w, int argc, char **argv) {
    if (w->limit == NULL) return fct_usage_error(name, "--limit is missing: give a rate, as --limit 600/min");
    int status = fct_limit_read(&o->limit, name, w->limit, w->burst);
    if (status == FCT_EXIT_DONE) status = read_mode(o, w->mode);
    if (status == FCT_EXIT_DONE) status = read_output(o, w->output);
    if (status == FCT_EXIT_DONE) status = read_format(o, w->format);
    if (status == FCT_EXIT_DONE) status = read_sort_window(o, w->sort_window);
    if (status == FCT_EXIT_DONE) status = read_file(o, argc, argv);
    if (status == FCT_EXIT_DONE) status = read_cost(o, w->cost);
    return status;
}

/* getopt has advanced optind behind the argument it complains about. */
static int wrong_option(int kind, char **argv) {
    if (kind == ':') return fct_usage_error(name, "%s: needs a value", argv[optind - 1]);
    if (optopt != 0 && strncmp(argv[optind - 1], "--", 2) != 0)
        return fct_usage_error(name, "there is no option -%c", optopt);
    return fct_usage_error(name, "%s: there is no such option, or it takes no value, or it is short for several",
                           argv[optind - 1]);
}

bool fct_replay_options_read(struct fct_replay_options *options, int argc, char **argv, int *status) {
    enum { LIMIT = 256, BURST, COST, MODE, FORMAT, SORT_WINDOW, OUTPUT };
    static const struct option known[] = {{"limit", required_argument, NULL, LIMIT},
                                          {"burst", required_argument, NULL, BURST},
                                          {"cost", required_argument, NULL, COST},
                                          {"mode", required_argument, NULL, MODE},
                                          {"format", required_argument, NULL, FORMAT},
                                          {"sort-window", required_argument, NULL, SORT_WINDOW},
                                          {"output", required_argument, NULL, OUTPUT},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct words words = {.limit = NULL};
    *options = (struct fct_replay_options){.format = NULL};
    opterr = 0; /* getopt's own messages know no remedy */
    for (int option; (option = getopt_long(argc, argv, ":h", known, NULL)) != -1;) {
        switch (option) {
        case LIMIT: words.limit = optarg; break;
        case BURST: words.burst = optarg; break;
        case COST: words.cost = optarg; break;
        case MODE: words.mode = optarg; break;
        case FORMAT: words.format = optarg; break;
        case SORT_WINDOW: words.sort_window = optarg; break;
        case OUTPUT: words.output = optarg; break;
        case 'h': fputs(fct_replay_help, stdout); return *status = FCT_EXIT_DONE, false;
        default: return *status = wrong_option(option, argv), false;
        }
    }
    *status = understand(options, &words, argc - optind, argv + optind);
    return *status == FCT_EXIT_DONE;
}

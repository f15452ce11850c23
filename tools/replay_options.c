#include "replay_options.h"

#include "command.h"
#include "log_options.h"
#include "pattern.h"
#include "usage.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char name[] = "flowctl replay";

/* What was written, before it is known to be right. */
struct words {
    const char *limit, *burst, *shadow_limit, *shadow_burst, *mode, *sort_window, *output;
    struct fct_log_words log;
};

static int read_mode(struct fct_replay_options *o, const char *value) {
    static const char *const modes[] = {[FCT_MODE_DENY] = "deny", [FCT_MODE_DELAY] = "delay"};
    int chosen = value == NULL ? FCT_MODE_DENY : fct_choose(value, modes, 2);
    if (chosen < 0) return fct_usage_error(name, "--mode: \"%s\": is neither deny nor delay", value);
    o->mode = (enum fct_mode)chosen;
    return FCT_EXIT_DONE;
}

static int read_output(struct fct_replay_options *o, const char *value) {
    static const char *const outputs[] = {[FCT_OUTPUT_TABLE] = "table", [FCT_OUTPUT_JSON] = "json", [FCT_OUTPUT_CSV] = "csv"};
    int chosen = value == NULL ? FCT_OUTPUT_TABLE : fct_choose(value, outputs, 3);
    if (chosen < 0) return fct_usage_error(name, "--output: \"%s\": is none of table, json, csv", value);
    o->output = (enum fct_output)chosen;
    return FCT_EXIT_DONE;
}

static int read_sort_window(struct fct_replay_options *o, const char *value) {
    flowctl_error err = {.offset = -1};
    o->sort_window_ns = FLOWCTL_NS_PER_MIN;
    if (value == NULL || flowctl_duration_parse(value, &o->sort_window_ns, &err) == FLOWCTL_OK) return FCT_EXIT_DONE;
    return fct_usage_error_in(name, "--sort-window", value, &err);
}

/* One cost serves both limits: bytes for the one and requests for the other would compare nothing. */
static const char *const limit_options[] = {"--limit", "--burst"}, *const shadow_options[] = {"--shadow", "--shadow-burst"};

static int read_shadow(struct fct_replay_options *o, const struct words *w) {
    if (w->shadow_limit == NULL && w->shadow_burst != NULL)
        return fct_usage_error(name, "--shadow-burst: is for a --shadow, and there is none");
    if (w->shadow_limit == NULL) return FCT_EXIT_DONE;
    int status = fct_limit_read(&o->shadow, name, shadow_options, w->shadow_limit, w->shadow_burst);
    if (status != FCT_EXIT_DONE || w->log.cost != NULL || o->shadow.unit == o->limit.unit) return status;
    return fct_usage_error(name,
                           "--shadow: one of the two limits is in bytes and one is not: say with --cost what both count");
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
    int status = fct_limit_read(&o->limit, name, limit_options, w->limit, w->burst);
    if (status == FCT_EXIT_DONE) status = read_shadow(o, w);
    if (status == FCT_EXIT_DONE) status = read_mode(o, w->mode);
    if (status == FCT_EXIT_DONE) status = read_output(o, w->output);
    if (status == FCT_EXIT_DONE) status = read_sort_window(o, w->sort_window);
    if (status == FCT_EXIT_DONE) status = read_file(o, argc, argv);
    if (status == FCT_EXIT_DONE) status = fct_log_options_read(o, name, &w->log);
    return status;
}

bool fct_replay_options_read(struct fct_replay_options *options, int argc, char **argv, int *status) {
    enum {
        LIMIT = 256,
        BURST,
        SHADOW_LIMIT,
        SHADOW_BURST,
        MODE,
        SORT_WINDOW,
        OUTPUT,
        FORMAT,
        TIME,
        TIME_UNIT,
        COST,
        PATTERN,
        NO_HEADER
    };
    static const struct option known[] = {{"limit", required_argument, NULL, LIMIT},
                                          {"burst", required_argument, NULL, BURST},
                                          {"shadow", required_argument, NULL, SHADOW_LIMIT},
                                          {"shadow-burst", required_argument, NULL, SHADOW_BURST},
                                          {"mode", required_argument, NULL, MODE},
                                          {"sort-window", required_argument, NULL, SORT_WINDOW},
                                          {"output", required_argument, NULL, OUTPUT},
                                          {"format", required_argument, NULL, FORMAT},
                                          {"time", required_argument, NULL, TIME},
                                          {"time-unit", required_argument, NULL, TIME_UNIT},
                                          {"cost", required_argument, NULL, COST},
                                          {"pattern", required_argument, NULL, PATTERN},
                                          {"no-header", no_argument, NULL, NO_HEADER},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct words words = {.limit = NULL};
    *options = (struct fct_replay_options){.format = NULL};
    opterr = 0; /* getopt's own messages know no remedy */
    for (int option; (option = getopt_long(argc, argv, ":h", known, NULL)) != -1;) {
        switch (option) {
        case LIMIT: words.limit = optarg; break;
        case BURST: words.burst = optarg; break;
        case SHADOW_LIMIT: words.shadow_limit = optarg; break;
        case SHADOW_BURST: words.shadow_burst = optarg; break;
        case MODE: words.mode = optarg; break;
        case SORT_WINDOW: words.sort_window = optarg; break;
        case OUTPUT: words.output = optarg; break;
        case FORMAT: words.log.format = optarg; break;
        case TIME: words.log.time = optarg; break;
        case TIME_UNIT: words.log.time_unit = optarg; break;
        case COST: words.log.cost = optarg; break;
        case PATTERN: words.log.pattern = optarg; break;
        case NO_HEADER: words.log.no_header = true; break;
        case 'h': fputs(fct_replay_help, stdout); return *status = FCT_EXIT_DONE, false;
        default: return *status = fct_usage_wrong_option(name, option, argv), false;
        }
    }
    *status = understand(options, &words, argc - optind, argv + optind);
    return *status == FCT_EXIT_DONE;
}

void fct_replay_options_cleanup(struct fct_replay_options *options) { fct_pattern_free(options->pattern); }

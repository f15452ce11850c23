#include "hammer.h"

#include "command.h"
#include "usage.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char name[] = "flowctl hammer";

const char fct_hammer_help[] =
    "usage: flowctl hammer --limit RATE [OPTION]... BACKEND-URL ID\n"
    "\n"
    "Lets several processes take all they get of one shared limit, and judges what they were granted:\n"
    "whether any interval holds more than burst + rate x length, exactly, by the dates of the decisions.\n"
    "BACKEND-URL is where the limit is shared: file:PATH, redis://HOST:PORT/DB, redis+unix:///SOCKET,\n"
    "or memory: (for one process). ID is its name.\n"
    "\n"
    "  --limit RATE          COUNT/PERIOD: 1000/s, 600/min (required)\n"
    "  --burst COUNT         permits that may pass at once (default: the COUNT of the limit)\n"
    "  --processes N         (default: 4)\n"
    "  --duration TIME       (default: 10s)\n"
    "  --cost N              permits of each request (default: 1)\n"
    "  --ttl TIME            how long a lease lasts (default: 1s)\n"
    "  --refresh TIME        how often a process asks the store, at most (default: four times in\n"
    "                        the time that fills the burst, 1ms to 10ms)\n"
    "  --away POLICY         what a process does while the store is away: closed, open, local-share or\n"
    "                        reuse-last (default: closed)\n"
    "  --log DIR             keep the admissions in DIR, as files NAME.ring and all together in\n"
    "                        admissions.txt; those that are there already are judged with them\n"
    "                        (default: a temporary directory, removed at the end)\n"
    "  --output FORM         table or json (default: table)\n"
    "  --help                this text\n"
    "\n"
    "use is granted / (rate x duration); a burst that is there at the beginning may make it more than 1.\n"
    "excess is what the worst interval holds beyond burst + rate x length, in permits: 0 or less is good.\n"
    "An admission takes 32 bytes of disk, and 40 of memory at the end: for more than a million a second\n"
    "raise --cost.\n"
    "\n"
    "environment: FLOWCTL_REDIS_PASSWORD, for a server that wants one.\n"
    "\n"
    "examples:\n"
    "  flowctl hammer --limit 1000/s file:/tmp/limits demo\n"
    "  flowctl hammer --limit 1M/s --burst 100k --processes 8 redis://127.0.0.1 demo\n"
    "  flowctl hammer --limit 50k/s --burst 5k --processes 8 --cost 10 file:/tmp/limits demo\n"
    "  flowctl hammer --limit 100/s --burst 20 --log hammered --output json file:/tmp/limits demo\n"
    "\n"
    "exit status: 0 the limit held, 1 it did not, or a process could not work, 2 wrong usage,\n"
    "130 interrupted (with a report), and the limit held\n";

struct words {
    const char *limit, *burst, *processes, *duration, *cost, *ttl, *refresh, *away;
};

static int read_count(uint64_t *count, const char *option, const char *value, uint64_t most) {
    flowctl_error err = {.offset = -1};
    if (value == NULL) return FCT_EXIT_DONE;
    if (flowctl_count_parse(value, count, NULL, &err) != FLOWCTL_OK) return fct_usage_error_in(name, option, value, &err);
    if (*count == 0) return fct_usage_error(name, "%s: 0: give at least 1", option);
    if (*count > most) return fct_usage_error(name, "%s: %s: at most %llu", option, value, (unsigned long long)most);
    return FCT_EXIT_DONE;
}

static int read_duration(uint64_t *ns, const char *option, const char *value) {
    flowctl_error err = {.offset = -1};
    if (value == NULL) return FCT_EXIT_DONE;
    if (flowctl_duration_parse(value, ns, &err) != FLOWCTL_OK) return fct_usage_error_in(name, option, value, &err);
    if (*ns == 0) return fct_usage_error(name, "%s: 0: give more than nothing", option);
    return *ns <= FLOWCTL_NS_PER_YEAR ? FCT_EXIT_DONE : fct_usage_error(name, "%s: %s: at most a year", option, value);
}

static int read_away(struct fct_hammer_options *o, const char *value) {
    static const char *const policies[] = {[FLOWCTL_AWAY_CLOSED] = "closed",
                                           [FLOWCTL_AWAY_OPEN] = "open",
                                           [FLOWCTL_AWAY_LOCAL_SHARE] = "local-share",
                                           [FLOWCTL_AWAY_REUSE_LAST] = "reuse-last"};
    int chosen = value == NULL ? FLOWCTL_AWAY_CLOSED : fct_choose(value, policies, 4);
    if (chosen < 0) return fct_usage_error(name, "--away: \"%s\": is none of closed, open, local-share, reuse-last", value);
    o->sharing.away = (flowctl_away)chosen;
    return FCT_EXIT_DONE;
}

static int read_arguments(struct fct_hammer_options *o, int argc, char **argv) {
    char forms[128];
    flowctl_error err = {.offset = -1};
    fct_backend_url_forms(forms, sizeof forms);
    if (argc == 0) return fct_usage_error(name, "BACKEND-URL is missing: where the limit is shared: %s", forms);
    if (argc == 1) return fct_usage_error(name, "ID is missing: the name of the limit, such as test");
    if (argc > 2) return fct_usage_error(name, "\"%s\": only one limit can be hammered, BACKEND-URL ID", argv[2]);
    if (fct_backend_url_read(&o->url, argv[0], &err) != FLOWCTL_OK)
        return fct_usage_error(name, "BACKEND-URL: %s", err.message);
    if (o->processes > 1 && !fct_backend_url_is_shared(&o->url))
        return fct_usage_error(name, "BACKEND-URL: \"%s\": is not shared by several processes: give another, or --processes 1",
                               argv[0]);
    o->id = argv[1];
    return FCT_EXIT_DONE;
}

/* Only the library knows what it accepts: a limiter is made and thrown away, on a backend that is nowhere. */
static int check(const struct fct_hammer_options *o) {
    flowctl_error err = {.offset = -1};
    flowctl_backend_options where = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_token_bucket_options bucket = fct_hammer_bucket(o);
    flowctl_limiter *limiter = NULL;
    where.ops = flowctl_memory_backend();
    where.drive = FLOWCTL_DRIVE_POLL;
    flowctl_status status = flowctl_backend_open(&where, &bucket.backend, &err);
    if (status == FLOWCTL_OK) status = flowctl_token_bucket_create(&bucket, &limiter, &err);
    flowctl_limiter_destroy(limiter);
    flowctl_backend_destroy(bucket.backend);
    return status == FLOWCTL_OK ? FCT_EXIT_DONE : fct_usage_error(name, "%s", err.message);
}

static int understand(struct fct_hammer_options *o, const struct words *w, int argc, char **argv) {
    static const char *const limit_options[] = {"--limit", "--burst"};
    if (w->limit == NULL) return fct_usage_error(name, "--limit is missing: give a rate, as --limit 1000/s");
    int status = fct_limit_read(&o->limit, name, limit_options, w->limit, w->burst);
    if (status == FCT_EXIT_DONE) status = read_count(&o->processes, "--processes", w->processes, FCT_HAMMER_PROCESSES_MAX);
    if (status == FCT_EXIT_DONE) status = read_duration(&o->duration_ns, "--duration", w->duration);
    if (status == FCT_EXIT_DONE) status = read_count(&o->cost, "--cost", w->cost, FLOWCTL_BURST_MAX);
    if (status == FCT_EXIT_DONE) status = read_duration(&o->sharing.ttl_ns, "--ttl", w->ttl);
    if (status == FCT_EXIT_DONE) status = read_duration(&o->sharing.refresh_ns, "--refresh", w->refresh);
    if (status == FCT_EXIT_DONE) status = read_away(o, w->away);
    if (status == FCT_EXIT_DONE) status = read_arguments(o, argc, argv);
    if (status == FCT_EXIT_DONE && o->cost > o->limit.burst)
        status = fct_usage_error(name, "--cost: %s: is more than the burst and can never pass: raise --burst", w->cost);
    return status == FCT_EXIT_DONE ? check(o) : status;
}

bool fct_hammer_options_read(struct fct_hammer_options *options, int argc, char **argv, int *status) {
    enum { LIMIT = 256, BURST, PROCESSES, DURATION, COST, TTL, REFRESH, AWAY, LOG, OUTPUT };
    static const struct option known[] = {{"limit", required_argument, NULL, LIMIT},
                                          {"burst", required_argument, NULL, BURST},
                                          {"processes", required_argument, NULL, PROCESSES},
                                          {"duration", required_argument, NULL, DURATION},
                                          {"cost", required_argument, NULL, COST},
                                          {"ttl", required_argument, NULL, TTL},
                                          {"refresh", required_argument, NULL, REFRESH},
                                          {"away", required_argument, NULL, AWAY},
                                          {"log", required_argument, NULL, LOG},
                                          {"output", required_argument, NULL, OUTPUT},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct words words = {.limit = NULL};
    *options = (struct fct_hammer_options){.processes = 4, .duration_ns = 10 * FLOWCTL_NS_PER_SEC, .cost = 1};
    options->sharing.ttl_ns = FLOWCTL_NS_PER_SEC;
    *status = FCT_EXIT_DONE;
    opterr = 0;
    for (int option; *status == FCT_EXIT_DONE && (option = getopt_long(argc, argv, ":h", known, NULL)) != -1;) {
        switch (option) {
        case LIMIT: words.limit = optarg; break;
        case BURST: words.burst = optarg; break;
        case PROCESSES: words.processes = optarg; break;
        case DURATION: words.duration = optarg; break;
        case COST: words.cost = optarg; break;
        case TTL: words.ttl = optarg; break;
        case REFRESH: words.refresh = optarg; break;
        case AWAY: words.away = optarg; break;
        case LOG: options->log = optarg; break;
        case OUTPUT: *status = fct_usage_table_or_json(name, optarg, &options->json); break;
        case 'h': return fputs(fct_hammer_help, stdout), false;
        default: *status = fct_usage_wrong_option(name, option, argv);
        }
    }
    if (*status == FCT_EXIT_DONE) *status = understand(options, &words, argc - optind, argv + optind);
    return *status == FCT_EXIT_DONE;
}

void fct_hammer_options_cleanup(struct fct_hammer_options *options) { fct_backend_url_cleanup(&options->url); }

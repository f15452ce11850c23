/*
 * Judges what several processes were admitted of one limit: all their files of admissions (admission_ring.h) together, by the oracle.
 *
 *     checker [OPTION]... PERMITS PERIOD_NS BURST DIRECTORY
 *
 * A run is over the limit if some interval holds more than burst + rate x length, by the dates of the decisions. So is one in which a forked
 * child was admitted anything by its parent's limiter, or a decision is dated later than its use: dates ahead of time would hide an
 * excess. By dates of use an excess may be right (a process that is stopped between the answer and its use): it is told, not judged.
 *
 *     --by-use        judge by the dates of use
 *     --min-use F     fail too if less than this part of the rate was used: who admits nothing is never over a limit
 *     --min-end-use F the same from when all had settled to the end: what had failed must work again
 *     --export        print "TIME_NS PERMITS" of each admission instead, for the oracle command
 *
 * DIRECTORY/faults may say what was done to the processes: "TIME_NS WHAT" lines, and "# ..." lines about the whole run, such as its seed. Of the former "begin"
 * and "end" bound the use of the rate, "settled" is when what was done is over, and "allow PERMITS ..." allows so many more, once, to intervals that begin before
 * it and end after it. Exits with 0 for a good run, 1 for one over the limit, 2 if something can't be read, 3 for too little use.
 */
#include "admission_ring.h"
#include "process/narrowest.h"
#include "support/oracle.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 40 /* admissions of a window, half at each end */
#define BEFORE_NS UINT64_C(10000000000)

struct run {
    struct fct_rings rings;
    struct oracle_limit limit;
    const char *directory;
    double min_use, min_end_use;
    bool by_use, export;
    uint64_t begin_ns, settled_ns, end_ns;
    struct oracle_log allowed;
};

static uint64_t date(const struct fct_dated *d, bool by_use) { return by_use ? d->admission.used_ns : d->admission.time_ns; }

static struct oracle_log log_of(const struct run *r, bool by_use) {
    struct oracle_log log = {NULL, 0, 0};
    for (size_t i = 0; i < r->rings.count; i++)
        oracle_record(&log, date(&r->rings.dated[i], by_use), r->rings.dated[i].admission.permits);
    return log;
}

/* ---- the fault log ---- */

static FILE *open_faults(const struct run *r) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/faults", r->directory) >= (int)sizeof path) return NULL;
    return fopen(path, "r");
}

static void read_faults(struct run *r) {
    char line[512], what[16];
    uint64_t at, permits;
    FILE *faults = open_faults(r);
    if (faults == NULL) return;
    while (fgets(line, sizeof line, faults) != NULL) {
        if (sscanf(line, "%" SCNu64 " allow %" SCNu64, &at, &permits) == 2) oracle_record(&r->allowed, at, permits);
        if (sscanf(line, "%" SCNu64 " %15s", &at, what) != 2) continue;
        if (strcmp(what, "begin") == 0) r->begin_ns = at;
        if (strcmp(what, "settled") == 0) r->settled_ns = at;
        if (strcmp(what, "end") == 0) r->end_ns = at;
    }
    fclose(faults);
}

static void print_faults(const struct run *r, uint64_t from_ns, uint64_t until_ns) {
    char line[512], what[480];
    uint64_t at;
    FILE *faults = open_faults(r);
    if (faults == NULL) return;
    printf("faults from %.0f s before it (all: %s/faults)\n", (double)BEFORE_NS / 1e9, r->directory);
    while (fgets(line, sizeof line, faults) != NULL) {
        if (line[0] == '#') printf("  %s", line);
        if (sscanf(line, "%" SCNu64 " %479[^\n]", &at, what) != 2 || at + BEFORE_NS < from_ns || at > until_ns) continue;
        printf("  %+14.6f s  %s\n", (double)(int64_t)(at - from_ns) / 1e9, what);
    }
    fclose(faults);
}

/* ---- the smallest window ---- */

static void print_admission(const struct run *r, size_t i, uint64_t from_ns) {
    const struct fct_dated *d = &r->rings.dated[i];
    printf("  %+14.6f s  %6" PRIu64 "  %s", (double)(date(d, r->by_use) - from_ns) / 1e9, d->admission.permits,
           r->rings.rings[d->ring].name);
    uint64_t late = d->admission.used_ns - d->admission.time_ns;
    if (late >= 1000000) printf("  used %.3f s after its date", (double)late / 1e9);
    putchar('\n');
}

static void print_by_worker(const struct run *r, const struct narrowest *w) {
    for (size_t ring = 0; ring < r->rings.ring_count; ring++) {
        uint64_t permits = 0, count = 0;
        for (size_t i = w->first; i <= w->last; i++) {
            if (r->rings.dated[i].ring != ring) continue;
            permits += r->rings.dated[i].admission.permits;
            count++;
        }
        if (count != 0)
            printf("  %s: %" PRIu64 " permits in %" PRIu64 " admissions\n", r->rings.rings[ring].name, permits, count);
    }
}

static uint64_t allowed_within(const struct run *r, uint64_t from_ns, uint64_t until_ns) {
    uint64_t sum = 0;
    for (size_t i = 0; i < r->allowed.count; i++)
        if (r->allowed.events[i].time_ns >= from_ns && r->allowed.events[i].time_ns < until_ns)
            sum += r->allowed.events[i].permits;
    return sum;
}

static void print_narrowest(const struct run *r, const struct oracle_log *log) {
    struct allowances allowed = {r->allowed.events, r->allowed.count};
    struct narrowest w = narrowest_over(log->events, log->count, &r->limit, allowed);
    if (!w.found) return;
    uint64_t from_ns = log->events[w.first].time_ns, until_ns = log->events[w.last].time_ns;
    double most = (double)r->limit.burst + (double)allowed_within(r, from_ns, until_ns) +
                  (double)(until_ns - from_ns) * (double)r->limit.permits / (double)r->limit.period_ns;
    printf("smallest window over it: %" PRIu64 " permits in %.9f s, where %.6f were allowed; from %" PRIu64 " ns\n",
           w.permits, (double)(until_ns - from_ns) / 1e9, most, from_ns);
    size_t inside = w.last - w.first + 1;
    for (size_t i = 0; i < inside; i++) {
        if (inside > SHOWN && i == SHOWN / 2) {
            printf("  ... %zu more ...\n", inside - SHOWN);
            i = inside - SHOWN / 2;
        }
        print_admission(r, w.first + i, from_ns);
    }
    print_by_worker(r, &w);
    print_faults(r, from_ns, until_ns);
}

/* ---- judging ---- */

static bool judge(const struct run *r, bool by_use, bool tell) {
    struct oracle_log log = log_of(r, by_use);
    struct oracle_verdict v = oracle_judge_allowing(&log, &r->limit, r->allowed.events, r->allowed.count);
    printf("%s by dates of %s: %.6f permits\n", tell && v.excess > 0 ? "OVER THE LIMIT, excess" : "excess",
           by_use ? "use" : "decision", oracle_excess(&v, &r->limit));
    if (tell && v.excess > 0) {
        printf("worst window: %" PRIu64 " permits in %.9f s\n", v.admitted, (double)(v.until_ns - v.from_ns) / 1e9);
        print_narrowest(r, &log);
    }
    oracle_free(&log);
    return v.excess <= 0;
}

static bool forked_children_got_nothing(const struct run *r) {
    bool nothing = true;
    for (size_t i = 0; i < r->rings.ring_count; i++) {
        const struct fct_ring_info *info = &r->rings.rings[i];
        if (info->role != FCT_RING_FORKED || info->count == 0) continue;
        printf("FORKED CHILD %s: its parent's limiter admitted it %" PRIu64 " times\n", info->name, info->count);
        nothing = false;
    }
    return nothing;
}

static bool none_is_dated_ahead(const struct run *r) {
    uint64_t ahead = 0, latest = 0;
    for (size_t i = 0; i < r->rings.count; i++) {
        const struct fct_admission *a = &r->rings.dated[i].admission;
        if (a->time_ns > a->used_ns) ahead++;
        else if (a->used_ns - a->time_ns > latest) latest = a->used_ns - a->time_ns;
    }
    printf("used at most %.6f s after the date\n", (double)latest / 1e9);
    if (ahead != 0) printf("DATED AHEAD: %" PRIu64 " decisions bear a date after that of their use\n", ahead);
    return ahead == 0;
}

/* Permits by the time, as a part of what the rate makes in it. */
static double use_of_rate(const struct run *r, uint64_t begin, uint64_t end) {
    double used = 0, seconds = end > begin ? (double)(end - begin) / 1e9 : 0;
    for (size_t i = 0; i < r->rings.count; i++) {
        uint64_t at = date(&r->rings.dated[i], r->by_use);
        if (at >= begin && at <= end) used += (double)r->rings.dated[i].admission.permits;
    }
    double made = seconds * 1e9 * (double)r->limit.permits / (double)r->limit.period_ns;
    return made > 0 ? used / made : 0;
}

static bool is_enough(const struct run *r, const char *what, uint64_t begin, uint64_t end, double least) {
    double use = use_of_rate(r, begin, end);
    printf("use of the rate%s: %.4f over %.3f s\n", what, use, end > begin ? (double)(end - begin) / 1e9 : 0);
    if (use < least) printf("TOO LITTLE: at least %.4f was wanted\n", least);
    return use >= least;
}

static bool enough_is_used(const struct run *r) {
    uint64_t begin = r->begin_ns, end = r->end_ns;
    if (r->rings.count != 0 && begin == 0) begin = date(&r->rings.dated[0], r->by_use);
    if (r->rings.count != 0 && end == 0) end = date(&r->rings.dated[r->rings.count - 1], r->by_use);
    bool enough = is_enough(r, "", begin, end, r->min_use);
    bool told = r->settled_ns != 0 || r->min_end_use > 0;
    return (!told || is_enough(r, " at the end", r->settled_ns, end, r->min_end_use)) && enough;
}

static void print_sums(const struct run *r) {
    struct fct_ring_info sum = {.count = 0};
    size_t full = 0;
    for (size_t i = 0; i < r->rings.ring_count; i++) {
        const struct fct_ring_info *info = &r->rings.rings[i];
        sum.count += info->count, sum.refused += info->refused, sum.waited += info->waited, sum.failed += info->failed;
        full += info->ended == FCT_RING_NO_ROOM;
    }
    printf("%zu files: %" PRIu64 " admissions, %" PRIu64 " of them after waiting; %" PRIu64 " refusals, %" PRIu64
           " failures\n",
           r->rings.ring_count, sum.count, sum.waited, sum.refused, sum.failed);
    if (full != 0) printf("%zu workers stopped admitting because the disk was full\n", full);
}

static int check(struct run *r) {
    fct_rings_sort(&r->rings, r->by_use);
    read_faults(r);
    print_sums(r);
    bool good = judge(r, r->by_use, true);
    judge(r, !r->by_use, false);
    good = none_is_dated_ahead(r) && good;
    good = forked_children_got_nothing(r) && good;
    bool used = enough_is_used(r);
    return !good ? 1 : used ? 0 : 3;
}

static int export(struct run *r) {
    fct_rings_sort(&r->rings, r->by_use);
    for (size_t i = 0; i < r->rings.count; i++)
        printf("%" PRIu64 " %" PRIu64 "\n", date(&r->rings.dated[i], r->by_use), r->rings.dated[i].admission.permits);
    return fflush(stdout) == 0 ? 0 : 2;
}

static int usage(void) {
    fprintf(stderr,
            "usage: checker [--by-use] [--min-use FRACTION] [--min-end-use FRACTION] [--export] PERMITS PERIOD_NS BURST DIRECTORY\n");
    return 2;
}

static bool read_number(const char *text, uint64_t *value) {
    char *end;
    *value = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

static bool read_arguments(struct run *r, int argc, char **argv) {
    static const struct option known[] = {{"by-use", no_argument, NULL, 'u'},
                                          {"min-use", required_argument, NULL, 'm'},
                                          {"min-end-use", required_argument, NULL, 'e'},
                                          {"export", no_argument, NULL, 'x'},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 'u': r->by_use = true; break;
        case 'm': r->min_use = strtod(optarg, NULL); break;
        case 'e': r->min_end_use = strtod(optarg, NULL); break;
        case 'x': r->export = true; break;
        default: return false;
        }
    }
    if (argc - optind != 4) return false;
    r->directory = argv[optind + 3];
    return read_number(argv[optind], &r->limit.permits) && read_number(argv[optind + 1], &r->limit.period_ns) &&
           read_number(argv[optind + 2], &r->limit.burst) && r->limit.permits != 0 && r->limit.period_ns != 0;
}

int main(int argc, char **argv) {
    struct run r = {.by_use = false};
    if (!read_arguments(&r, argc, argv)) return usage();
    fct_rings_init(&r.rings);
    int status = 2;
    if (!fct_rings_read(&r.rings, r.directory)) fprintf(stderr, "checker: %s\n", r.rings.message);
    else if (r.rings.ring_count == 0) fprintf(stderr, "checker: %s: no file of admissions\n", r.directory);
    else status = r.export ? export(&r) : check(&r);
    fct_rings_cleanup(&r.rings);
    oracle_free(&r.allowed);
    return status;
}

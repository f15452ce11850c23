#include "sim/harness.h"

#include "sim/shrink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sim_add(struct sim_list *list, unsigned kind, size_t who, uint64_t a, uint64_t b) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 4096 : 2 * list->capacity;
        list->events = realloc(list->events, list->capacity * sizeof *list->events);
        if (list->events == NULL) abort();
    }
    list->events[list->count++] = (struct sim_event){(uint16_t)kind, (uint16_t)who, (uint32_t)a, (uint32_t)b};
}

static bool number(const char *text, uint64_t *value) {
    char *end;
    *value = strtoull(text, &end, 0);
    return *text != '\0' && *end == '\0';
}

bool sim_options_read(struct sim_options *options, int argc, char **argv) {
    *options = (struct sim_options){.first = 1, .budget = 4000};
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--seeds") == 0 && number(value, &options->seeds)) continue;
        if (strcmp(argv[i], "--seed") == 0 && number(value, &options->first)) continue;
        if (strcmp(argv[i], "--only") == 0 && *value != '\0') {
            options->only = value;
            continue;
        }
        fprintf(stderr, "usage: %s [--seeds N] [--seed FIRST] [--only NAME]\n", argv[0]);
        return false;
    }
    return true;
}

struct replay {
    const struct sim_case *c;
    const struct sim_event *events;
    const char *oracle; /* a shorter list has to fail by the same one */
};

static struct sim_result run(const struct replay *r, const size_t *kept, size_t count, bool told) {
    struct sim_result result;
    memset(&result, 0, sizeof result);
    r->c->run(r->c->config, r->events, kept, count, told, &result);
    return result;
}

static bool fails(void *context, const size_t *kept, size_t count) {
    const struct replay *r = context;
    struct sim_result result = run(r, kept, count, false);
    return result.oracle != NULL && strcmp(result.oracle, r->oracle) == 0;
}

static size_t *all_of(const struct sim_list *list) {
    size_t *kept = malloc((list->count + 1) * sizeof *kept);
    if (kept == NULL) abort();
    for (size_t i = 0; i < list->count; i++) kept[i] = i;
    return kept;
}

/* Runs a seed; if it fails, kept and count become the short list. */
static struct sim_result run_seed(const struct sim_case *c, uint64_t seed, size_t budget, struct sim_list *list,
                                  size_t **kept, size_t *count) {
    list->count = 0;
    c->generate(c->config, seed, list);
    *kept = all_of(list);
    *count = list->count;
    struct replay r = {c, list->events, NULL};
    struct sim_result result = run(&r, *kept, *count, false);
    if (result.oracle == NULL) return result;
    r.oracle = result.oracle;
    *count = sim_shrink(*kept, result.at + 1, fails, &r, budget);
    return result;
}

static bool wanted(const struct sim_case *c, const struct sim_options *o) {
    return o->only == NULL || strstr(c->name, o->only) != NULL;
}

static void tell_measures(const struct sim_result *last, const double sums[8], uint64_t seeds) {
    for (size_t i = 0; last->names != NULL && last->names[i] != NULL; i++)
        if (sums[i] != 0) printf("; %s %.3f", last->names[i], sums[i] / (double)seeds);
    printf("\n");
}

bool sim_holds(const struct sim_case *c, const struct sim_options *options, double sums[8]) {
    if (!wanted(c, options)) return true;
    double own[8] = {0};
    uint64_t seeds = options->seeds != 0 ? options->seeds : c->seeds;
    struct sim_list list = {NULL, 0, 0};
    struct sim_result result = {.oracle = NULL};
    for (uint64_t i = 0; i < seeds && result.oracle == NULL; i++) {
        size_t *kept, count;
        result = run_seed(c, options->first + i, options->budget, &list, &kept, &count);
        for (size_t m = 0; m < 8; m++) own[m] += result.measures[m];
        if (result.oracle != NULL) {
            printf("%s: FAILED at seed %llu (--seed %llu --seeds 1 --only \"%s\"): %s: %s\n%zu of %zu events are enough:\n",
                   c->name, (unsigned long long)(options->first + i), (unsigned long long)(options->first + i), c->name,
                   result.oracle, result.why, count, list.count);
            struct replay r = {c, list.events, result.oracle};
            printf("so that: %s\n", run(&r, kept, count, true).why);
        }
        free(kept);
    }
    free(list.events);
    if (result.oracle == NULL) {
        printf("%s: %llu seeds from %llu hold", c->name, (unsigned long long)seeds, (unsigned long long)options->first);
        tell_measures(&result, own, seeds);
    }
    if (sums != NULL) memcpy(sums, own, sizeof own);
    fflush(stdout);
    return result.oracle == NULL;
}

bool sim_finds(const struct sim_case *c, const struct sim_options *options) {
    if (!wanted(c, options)) return true;
    struct sim_list list = {NULL, 0, 0};
    bool found = false;
    for (uint64_t i = 0; i < c->seeds && !found; i++) {
        size_t *kept, count;
        struct sim_result result = run_seed(c, options->first + i, options->budget, &list, &kept, &count);
        found = result.oracle != NULL;
        if (found) {
            printf("%s: found by seed %llu, %zu of %zu events: %s: %s\n", c->name, (unsigned long long)(options->first + i),
                   count, list.count, result.oracle, result.why);
            /* One control is told when it is asked for alone: it shows how the defect works. */
            struct replay r = {c, list.events, result.oracle};
            if (options->only != NULL) printf("so that: %s\n", run(&r, kept, count, true).why);
        }
        free(kept);
    }
    if (!found)
        printf("%s: NOT FOUND in %llu seeds from %llu\n", c->name, (unsigned long long)c->seeds,
               (unsigned long long)options->first);
    free(list.events);
    fflush(stdout);
    return found;
}

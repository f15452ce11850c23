#include "support/hammer.h"

#include "support/seed.h"

#include <pthread.h>
#include <stdlib.h>

struct worker {
    const struct hammer *hammer;
    pthread_barrier_t *start;
    pthread_t thread;
    uint64_t random;
    struct oracle_log log;
};

static void *work(void *argument) {
    struct worker *w = argument;
    pthread_barrier_wait(w->start);
    for (uint64_t i = 0; i < w->hammer->attempts; i++) {
        struct oracle_event e;
        if (w->hammer->attempt(w->hammer->target, &w->random, &e)) oracle_record(&w->log, e.time_ns, e.permits);
    }
    return NULL;
}

void hammer_run(const struct hammer *hammer, struct oracle_log *log) {
    struct worker *workers = calloc(hammer->threads, sizeof *workers);
    pthread_barrier_t start;
    if (workers == NULL || pthread_barrier_init(&start, NULL, hammer->threads) != 0) abort();
    for (unsigned i = 0; i < hammer->threads; i++) {
        workers[i] = (struct worker){.hammer = hammer, .start = &start, .random = hammer->seed + i};
        test_random(&workers[i].random);
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) abort();
    }
    for (unsigned i = 0; i < hammer->threads; i++) {
        pthread_join(workers[i].thread, NULL);
        oracle_append(log, &workers[i].log);
        oracle_free(&workers[i].log);
    }
    pthread_barrier_destroy(&start);
    free(workers);
}

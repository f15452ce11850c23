/*
 * Two programs, one limit: this one works through a backlog in batches, with what the other leaves. redis_sender.c is the other.
 *
 *     redis_backfill redis://127.0.0.1:6379 [SECONDS]
 */
#include "redis_shared.h"

#include <stdlib.h>

#define BATCH 20

int main(int argc, char **argv) {
    struct shared s;
    unsigned sent = 0, batches = 0;
    if (shared_open(&s, argc > 1 ? argv[1] : "redis://127.0.0.1:6379", "backfill") != 0) return 1;
    uint64_t end_ns = flowctl_clock_now(NULL) + flowctl_seconds(argc > 2 ? strtoull(argv[2], NULL, 10) : 5);
    while (flowctl_clock_now(NULL) < end_ns) {
        if (flowctl_acquire(s.limiter, BATCH, flowctl_millis(100)).verdict != FLOWCTL_ALLOW) continue;
        sent += BATCH, batches++; /* and here a batch is sent */
    }
    printf("backfill: %u calls in %u batches\n", sent, batches);
    shared_close(&s);
    return 0;
}

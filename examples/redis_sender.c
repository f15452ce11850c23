/*
 * Two programs, one limit: this one answers people, so each request waits for its permit, a tenth of a second at most. redis_backfill.c is the other.
 *
 *     redis_sender redis://127.0.0.1:6379 [SECONDS]
 */
#include "redis_shared.h"

#include <stdlib.h>

int main(int argc, char **argv) {
    struct shared s;
    unsigned sent = 0, late = 0;
    if (shared_open(&s, argc > 1 ? argv[1] : "redis://127.0.0.1:6379", "sender") != 0) return 1;
    uint64_t end_ns = flowctl_clock_now(NULL) + flowctl_seconds(argc > 2 ? strtoull(argv[2], NULL, 10) : 5);
    while (flowctl_clock_now(NULL) < end_ns) {
        if (flowctl_acquire(s.limiter, 1, flowctl_millis(100)).verdict == FLOWCTL_ALLOW)
            sent++; /* and here the call is made */
        else late++;
    }
    printf("sender: %u calls, %u times too late\n", sent, late);
    shared_close(&s);
    return 0;
}

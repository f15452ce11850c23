#include "core/waiters.h"

bool fc_waiters_init(struct fc_waiters *waiters) {
    *waiters = (struct fc_waiters){.first = NULL};
    return pthread_cond_init(&waiters->empty, NULL) == 0;
}

void fc_waiters_cleanup(struct fc_waiters *waiters) { pthread_cond_destroy(&waiters->empty); }

void fc_waiters_join(struct fc_waiters *waiters, struct fc_waiter *waiter) {
    waiter->next = NULL;
    waiter->previous = waiters->last;
    if (waiters->last != NULL) waiters->last->next = waiter;
    else waiters->first = waiter;
    waiters->last = waiter;
    waiters->tail = waiter->end;
    waiters->count++;
}

void fc_waiters_wall(struct fc_waiters *waiters, uint64_t tail) {
    if (waiters->last != NULL) waiters->last->wall = true;
    waiters->tail = tail;
}

void fc_waiters_leave(struct fc_waiters *waiters, struct fc_waiter *waiter) {
    if (waiter->next != NULL) waiter->next->previous = waiter->previous;
    else waiters->last = waiter->previous;
    if (waiter->previous != NULL) waiter->previous->next = waiter->next;
    else waiters->first = waiter->next;
    /* The wall still stands behind the one before it, or at the head of the queue, where it is in nobody's way. */
    if (waiter->wall && waiter->previous != NULL) waiter->previous->wall = true;
    if (--waiters->count == 0) pthread_cond_broadcast(&waiters->empty);
}

void fc_waiters_wake_all(struct fc_waiters *waiters) {
    for (struct fc_waiter *w = waiters->first; w != NULL; w = w->next) fc_sleeper_wake(&w->sleeper);
}

void fc_waiters_give_up(struct fc_waiters *waiters, struct fc_waiter *waiter, struct fc_cell *cell,
                        const struct fc_bucket_slope *slope, uint64_t now_ns) {
    struct fc_bucket_profile profile;
    fc_cell_load_profile(cell, &profile);
    if (now_ns >= waiter->due_ns || !fc_bucket_in_reach(&profile, now_ns)) return;

    uint64_t word = waiter->start;
    struct fc_waiter *last = waiter;
    while (!last->wall && last->next != NULL) {
        last = last->next;
        if (!fc_bucket_book(&profile, slope, word, last->units, now_ns, FLOWCTL_FOREVER, &last->new_end, &last->new_due_ns))
            return;
        last->new_start = last->new_end - last->units;
        word = last->new_end;
    }
    if (!last->wall) {
        /* If the word is not where the last booking left it, somebody was granted permits behind it, and the place is not ours to give. */
        if (!fc_cell_swap(cell, waiters->tail, word)) return;
        waiters->tail = word;
    }
    for (struct fc_waiter *w = waiter; w != last;) {
        w = w->next;
        w->start = w->new_start, w->end = w->new_end, w->due_ns = w->new_due_ns;
        fc_sleeper_wake(&w->sleeper);
    }
}

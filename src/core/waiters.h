/*
 * The queue inside acquire. A waiter has booked its permits in the word when it joins, so it knows when it is due and sleeps until then: nobody
 * is handed anything by anybody, and no wake-up wakes two. One that gives up before it is due hands its place to those behind it.
 *
 * The limiter's lock guards all of this.
 */
#ifndef FC_CORE_WAITERS_H
#define FC_CORE_WAITERS_H

#include "clock/clock.h"
#include "core/cell.h"

struct fc_waiter {
    struct fc_sleeper sleeper;
    struct fc_waiter *next, *previous;
    uint64_t units;
    uint64_t start, end; /* its booking: the word before and after */
    uint64_t due_ns;
    bool wall;           /* something that can't be moved was booked right behind it */
    uint64_t new_start, new_end, new_due_ns; /* while moving up */
};

struct fc_waiters {
    struct fc_waiter *first, *last;
    uint64_t count;
    uint64_t tail; /* the word as the last booking left it */
    pthread_cond_t empty;
};

bool fc_waiters_init(struct fc_waiters *waiters);
void fc_waiters_cleanup(struct fc_waiters *waiters);

/* Joins at the end; start, end, due and units are filled in, and the word has been moved to end. */
void fc_waiters_join(struct fc_waiters *waiters, struct fc_waiter *waiter);

/* A booking that can't be moved took the word to `tail`. */
void fc_waiters_wall(struct fc_waiters *waiters, uint64_t tail);

/*
 * A waiter that is not due at now gives up its booking, and those behind it move up, as far as the next wall; the last place goes back to the
 * word. (What lies before a wall stays empty.) Call before fc_waiters_leave.
 */
void fc_waiters_give_up(struct fc_waiters *waiters, struct fc_waiter *waiter, struct fc_cell *cell,
                        const struct fc_bucket_slope *slope, uint64_t now_ns);

/* Leaves the queue, served or not. */
void fc_waiters_leave(struct fc_waiters *waiters, struct fc_waiter *waiter);

void fc_waiters_wake_all(struct fc_waiters *waiters);

#endif

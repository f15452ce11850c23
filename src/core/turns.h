/*
 * So many asks of a backend may be unanswered at once; who wants to ask then waits for a turn, in order. A store that is slower than its members would ask is thus asked as
 * fast as it answers, and not ever faster by those that take its silence for loss.
 *
 * Whoever has a turn keeps it until its ask is answered or given up, or it does not ask after all.
 */
#ifndef FC_CORE_TURNS_H
#define FC_CORE_TURNS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FC_TURNS 128

struct fc_turn {
    _Atomic bool held, wanted; /* wanted: none was left; it waits, or is about to */
    bool waiting;              /* listed. Under the backend's lock, as the links */
    struct fc_turn *next, *previous;
};

struct fc_turns {
    _Atomic uint32_t held, waiting;
    struct fc_turn *first, *last; /* under the backend's lock */
};

/* Any thread. False: it has to wait. */
bool fc_turn_take(struct fc_turns *turns, struct fc_turn *turn);
void fc_turn_end(struct fc_turns *turns, struct fc_turn *turn);

/* Under the lock. Lists one that has to wait. */
void fc_turn_wait(struct fc_turns *turns, struct fc_turn *turn);
/* Gives the first its turn; NULL if nobody waits or none is left. */
struct fc_turn *fc_turns_next(struct fc_turns *turns);
/* It goes away. */
void fc_turn_forget(struct fc_turns *turns, struct fc_turn *turn);

#endif

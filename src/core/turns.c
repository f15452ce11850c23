#include "core/turns.h"

#include <stddef.h>

static bool take_one(struct fc_turns *turns) {
    uint32_t held = atomic_load(&turns->held);
    do {
        if (held >= FC_TURNS) return false;
    } while (!atomic_compare_exchange_weak(&turns->held, &held, held + 1));
    return true;
}

bool fc_turn_take(struct fc_turns *turns, struct fc_turn *turn) {
    if (atomic_load(&turn->held)) return true;
    bool taken = atomic_load(&turns->waiting) == 0 && take_one(turns);
    atomic_store(&turn->held, taken);
    atomic_store(&turn->wanted, !taken);
    return taken;
}

void fc_turn_end(struct fc_turns *turns, struct fc_turn *turn) {
    if (atomic_exchange(&turn->held, false)) atomic_fetch_sub(&turns->held, 1);
}

static void unlist(struct fc_turns *turns, struct fc_turn *turn) {
    *(turn->previous != NULL ? &turn->previous->next : &turns->first) = turn->next;
    *(turn->next != NULL ? &turn->next->previous : &turns->last) = turn->previous;
    turn->waiting = false;
    atomic_fetch_sub(&turns->waiting, 1);
}

void fc_turn_wait(struct fc_turns *turns, struct fc_turn *turn) {
    if (turn->waiting) return;
    turn->waiting = true;
    turn->previous = turns->last;
    turn->next = NULL;
    *(turns->last != NULL ? &turns->last->next : &turns->first) = turn;
    turns->last = turn;
    atomic_fetch_add(&turns->waiting, 1);
}

struct fc_turn *fc_turns_next(struct fc_turns *turns) {
    struct fc_turn *turn = turns->first;
    if (turn == NULL || !take_one(turns)) return NULL;
    unlist(turns, turn);
    atomic_store(&turn->wanted, false);
    atomic_store(&turn->held, true);
    return turn;
}

void fc_turn_forget(struct fc_turns *turns, struct fc_turn *turn) {
    if (turn->waiting) unlist(turns, turn);
    fc_turn_end(turns, turn);
}

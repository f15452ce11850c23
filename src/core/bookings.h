/*
 * Permits that are promised ahead of time: to threads that wait in acquire, and by reservations.
 *
 * Each booking owns an interval of the word's space, [start, end), and is due when V reaches its end (at the first whole nanosecond). Intervals are disjoint and in order. What lies
 * between two of them and was cancelled is free: a later booking that fits may have it (docs/algorithms.md: any disjoint intervals keep the limit,
 * if each ends at or before x at its date and begins at or behind x - burst). So a cancelled booking leaves no trace but the room, and room at the
 * tail goes back into the word.
 *
 * The limiter's lock guards all of this.
 */
#ifndef FC_CORE_BOOKINGS_H
#define FC_CORE_BOOKINGS_H

#include "base/memory.h"
#include "clock/clock.h"
#include "core/terms.h"

struct fc_place {
    uint64_t start, end; /* in the word's space */
    uint64_t due_ns;
};

struct fc_booking {
    struct fc_booking *next, *previous;
    uint64_t permits;
    uint64_t not_before_ns; /* when it was asked for: it is never due before */
    struct fc_place place, planned;
    struct fc_sleeper *sleeper; /* of the thread that waits; NULL: a reservation, which keeps its place */
    uint64_t ticket;            /* of a reservation: never used twice; 0: none */
    bool listed;
    bool walled; /* what lies right in front of it is not free */
    bool never;  /* its thread asked for more than the burst is now */
};

struct fc_bookings {
    struct fc_booking *first, *last;
    uint64_t base; /* where the room in front of the first booking begins */
    uint64_t planned_base;
    bool gaps;        /* there may be free room between bookings */
    uint64_t tickets; /* the last one given out */
    uint64_t expired; /* permits that were cancelled and found no taker in time */
    struct fc_booking *spare;
    struct fc_booking_chunk *chunks;
};

/* A booking for a reservation, from the spare ones or from the allocator; NULL if there is no memory. Given back by sweeping or removing it. */
struct fc_booking *fc_bookings_new(struct fc_bookings *bookings, const flowctl_allocator *allocator);
void fc_bookings_recycle(struct fc_bookings *bookings, struct fc_booking *booking);
void fc_bookings_cleanup(struct fc_bookings *bookings, const flowctl_allocator *allocator);

/*
 * The place of a booking that begins at `start` or as little behind it as can be. It is due at a whole nanosecond, by which the rate may have made a bit more
 * than it needed; a booking of nearly the whole burst is then like a grant from a full bucket: it takes what lies behind ceil(x) - burst, and
 * nothing else may reach beyond floor(x) - burst, so its place begins there.
 */
struct fc_place fc_bookings_place(const struct fc_booking *booking, uint64_t start, const struct fc_terms *terms,
                                  uint64_t now_ns);

/* Those that are due are over. */
void fc_bookings_sweep(struct fc_bookings *bookings, uint64_t now_ns, uint64_t unit);

/*
 * Finds the first free room for booking->permits between the others, which a thread that waits takes only behind all that wait already. Fills in
 * its place, and *before, the booking that it comes in front of.
 */
bool fc_bookings_find_room(struct fc_bookings *bookings, const struct fc_terms *terms, uint64_t now_ns,
                           struct fc_booking *booking, struct fc_booking **before);

/* Lists a booking in front of `before`, or behind all others (NULL), where `word` is what the word was when it was booked. */
void fc_bookings_insert(struct fc_bookings *bookings, struct fc_booking *booking, struct fc_booking *before, uint64_t word);

/*
 * Takes a booking out before it is due. Threads that wait behind it move up, as far as reservations leave room, and are woken if they are due
 * earlier; room at the tail goes back into the word.
 */
void fc_bookings_remove(struct fc_bookings *bookings, struct fc_booking *booking, struct fc_cell *cell,
                        const struct fc_terms *terms, uint64_t now_ns);

/* A booking whose thread leaves: its place counts as used. Nothing if it is not listed any more. */
void fc_bookings_forget(struct fc_bookings *bookings, struct fc_booking *booking);

/*
 * Plans where all will lie, for a swap of the word that may fail; fc_bookings_follow carries the plan out once it has succeeded, and wakes the threads
 * whose due time moved. A plan returns what the word would be: the end of the last booking.
 *
 * back   `by` units were freed in front of all: they move towards the present, each as far as it can.
 * carry  other terms: every booking keeps its place in the order and its distance ahead, in permits. V stands at now.floor by the old terms
 *        and at later->profile.x1 by the new ones.
 */
uint64_t fc_bookings_plan_back(struct fc_bookings *bookings, uint64_t by, const struct fc_terms *terms, uint64_t now_ns);
uint64_t fc_bookings_plan_carry(struct fc_bookings *bookings, const struct fc_bucket_profile *old,
                                struct fc_bucket_level now, const struct fc_terms *later);
void fc_bookings_follow(struct fc_bookings *bookings);

/* Tells threads that wait for more than the burst that it will never be there; they leave by themselves. */
void fc_bookings_tell_never(struct fc_bookings *bookings, uint64_t burst_permits);

#endif

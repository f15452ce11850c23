#include "core/bookings.h"

#define CHUNK_BOOKINGS 31

struct fc_booking_chunk {
    struct fc_booking_chunk *next;
    struct fc_booking bookings[CHUNK_BOOKINGS];
};

/* Positions live modulo 2^64. */
static bool behind(uint64_t a, uint64_t b) { return (int64_t)(a - b) > 0; }
static uint64_t later_of(uint64_t a, uint64_t b) { return behind(a, b) ? a : b; }

/* ---- memory of reservations ---- */

struct fc_booking *fc_bookings_new(struct fc_bookings *b, const flowctl_allocator *allocator) {
    if (b->spare == NULL) {
        struct fc_booking_chunk *chunk = fc_allocate(allocator, sizeof *chunk);
        if (chunk == NULL) return NULL;
        chunk->next = b->chunks;
        b->chunks = chunk;
        for (unsigned i = 0; i < CHUNK_BOOKINGS; i++) fc_bookings_recycle(b, &chunk->bookings[i]);
    }
    struct fc_booking *new = b->spare;
    b->spare = new->next;
    *new = (struct fc_booking){.ticket = ++b->tickets};
    return new;
}

void fc_bookings_recycle(struct fc_bookings *b, struct fc_booking *booking) {
    booking->ticket = 0;
    booking->next = b->spare;
    b->spare = booking;
}

void fc_bookings_cleanup(struct fc_bookings *b, const flowctl_allocator *allocator) {
    while (b->chunks != NULL) {
        struct fc_booking_chunk *chunk = b->chunks;
        b->chunks = chunk->next;
        fc_release(allocator, chunk, sizeof *chunk);
    }
}

/* ---- the list ---- */

/* Where the room in front of a booking begins; NULL: the room behind all. */
static uint64_t room_begins(const struct fc_bookings *b, const struct fc_booking *booking) {
    const struct fc_booking *previous = booking != NULL ? booking->previous : b->last;
    return previous != NULL ? previous->place.end : b->base;
}

static void unlink_booking(struct fc_bookings *b, struct fc_booking *booking) {
    if (booking->next != NULL) booking->next->previous = booking->previous;
    else b->last = booking->previous;
    if (booking->previous != NULL) booking->previous->next = booking->next;
    else b->first = booking->next;
    booking->listed = false;
}

static void link_before(struct fc_bookings *b, struct fc_booking *booking, struct fc_booking *before) {
    booking->next = before;
    booking->previous = before != NULL ? before->previous : b->last;
    if (booking->previous != NULL) booking->previous->next = booking;
    else b->first = booking;
    if (before != NULL) before->previous = booking;
    else b->last = booking;
    booking->listed = true;
}

void fc_bookings_insert(struct fc_bookings *b, struct fc_booking *booking, struct fc_booking *before, uint64_t word) {
    if (before == NULL && b->first == NULL) b->base = word;
    booking->walled = before == NULL && room_begins(b, NULL) != word;
    link_before(b, booking, before);
}

void fc_bookings_sweep(struct fc_bookings *b, uint64_t now_ns, uint64_t unit) {
    for (struct fc_booking *first; (first = b->first) != NULL && first->place.due_ns <= now_ns;) {
        if (!first->walled) b->expired += (first->place.start - b->base) / unit;
        b->base = first->place.end;
        unlink_booking(b, first);
        if (first->sleeper == NULL) fc_bookings_recycle(b, first);
    }
    if (b->first == NULL) b->gaps = false;
}

/* ---- places ---- */

struct fc_place fc_bookings_place(const struct fc_booking *booking, uint64_t start, const struct fc_terms *terms,
                                  uint64_t now_ns) {
    const struct fc_bucket_profile *p = &terms->profile;
    uint64_t units = booking->permits * p->unit;
    struct fc_place place = {start, start + units, FLOWCTL_FOREVER};
    if (terms->paused) return place;
    if (now_ns < booking->not_before_ns) now_ns = booking->not_before_ns;
    place.due_ns = fc_bucket_time_of(p, &terms->slope, place.end);
    if (place.due_ns < now_ns) place.due_ns = now_ns;
    if (place.due_ns == FLOWCTL_FOREVER) return place;
    struct fc_bucket_level x = fc_bucket_level_at(p, place.due_ns);
    if (!behind(x.ceil - p->burst, start)) return place;
    return (struct fc_place){x.floor - p->burst, x.ceil - p->burst + units, place.due_ns};
}

/* Puts a booking into a place, and wakes its thread if that changes when it is due. */
static void move_to(struct fc_booking *booking, struct fc_place place) {
    bool retimed = place.due_ns != booking->place.due_ns;
    booking->place = place;
    if (retimed && booking->sleeper != NULL) fc_sleeper_wake(booking->sleeper);
}

/* A booking's place in the room in front of `before`, or behind all others. False: there is not enough room. */
static bool fits(const struct fc_bookings *b, const struct fc_booking *booking, const struct fc_booking *before,
                 const struct fc_terms *terms, uint64_t now_ns, struct fc_place *place) {
    if (before != NULL && before->walled) return false;
    *place = fc_bookings_place(booking, room_begins(b, before), terms, now_ns);
    return before == NULL || !behind(place->end, before->place.start);
}

bool fc_bookings_find_room(struct fc_bookings *b, const struct fc_terms *terms, uint64_t now_ns, struct fc_booking *booking,
                           struct fc_booking **before) {
    struct fc_place place;
    bool some = false;
    *before = NULL;
    if (!b->gaps) return false;
    for (struct fc_booking *e = b->first; e != NULL; e = e->next) {
        some |= !e->walled && behind(e->place.start, room_begins(b, e));
        if (*before == NULL && fits(b, booking, e, terms, now_ns, &place)) *before = e, booking->place = place;
        if (booking->sleeper != NULL && e->sleeper != NULL) *before = NULL;
    }
    b->gaps = some;
    return *before != NULL;
}

/* ---- taking one out ---- */

/* Threads that wait, from `e` on, each to the first room behind the one before it that is nearer than where it is. */
static void move_up(struct fc_bookings *b, struct fc_booking *e, const struct fc_terms *terms, uint64_t now_ns) {
    struct fc_booking *room = e;
    for (struct fc_booking *next; e != NULL && !e->walled; e = next) {
        struct fc_place place;
        next = e->next;
        if (e->sleeper == NULL) continue;
        if (room == e) room = next;
        unlink_booking(b, e);
        while (room != next && !fits(b, e, room, terms, now_ns, &place)) room = room->next;
        if (room == next) place = fc_bookings_place(e, room_begins(b, room), terms, now_ns);
        link_before(b, e, room);
        if (behind(e->place.start, place.start)) move_to(e, place);
    }
}

void fc_bookings_remove(struct fc_bookings *b, struct fc_booking *booking, struct fc_cell *cell,
                        const struct fc_terms *terms, uint64_t now_ns) {
    struct fc_booking *next = booking->next;
    uint64_t tail = b->last->place.end;
    bool walled = booking->walled;
    unlink_booking(b, booking);
    if (walled && next != NULL) {
        /* The room in front of it is somebody else's, and only one wall can be remembered: its own room is lost with it. */
        next->walled = true;
        b->expired += booking->permits;
    } else if (walled && b->first == NULL) {
        b->base = booking->place.start;
    } else if (next != NULL) {
        b->gaps = true;
        move_up(b, next, terms, now_ns);
    }
    uint64_t left = walled && next == NULL ? booking->place.start : room_begins(b, NULL);
    if (left == tail) return;
    struct fc_view seen = {.word = tail, .tag = atomic_load_explicit(&cell->word, memory_order_relaxed) & FC_TAG};
    if (!fc_cell_swap(cell, &seen, left)) b->expired += (tail - left) / terms->profile.unit;
}

void fc_bookings_forget(struct fc_bookings *b, struct fc_booking *booking) {
    if (!booking->listed) return;
    if (booking->previous == NULL) b->base = booking->place.end;
    else if (booking->next != NULL) booking->next->walled = true;
    unlink_booking(b, booking);
}

/* ---- all of them ---- */

uint64_t fc_bookings_plan_back(struct fc_bookings *b, uint64_t by, const struct fc_terms *terms, uint64_t now_ns) {
    uint64_t cursor = b->planned_base = b->base - by;
    for (struct fc_booking *e = b->first; e != NULL; e = e->next) {
        e->planned = fc_bookings_place(e, later_of(cursor, e->place.start - by), terms, now_ns);
        if (!behind(e->place.start, e->planned.start)) e->planned = e->place;
        cursor = e->planned.end;
    }
    return cursor;
}

/* A position on the new scale, rounded away from the present. */
static uint64_t carried(uint64_t position, const struct fc_bucket_profile *old, struct fc_bucket_level now,
                        const struct fc_bucket_profile *later) {
    return later->x1 - (uint64_t)fc_bucket_carry((int64_t)(now.floor - position), old->unit, later->unit);
}

uint64_t fc_bookings_plan_carry(struct fc_bookings *b, const struct fc_bucket_profile *old, struct fc_bucket_level now,
                                const struct fc_terms *later) {
    /* Room that had overflowed by the old burst must not come back with a larger one. */
    uint64_t base = later_of(b->base, now.ceil - old->burst);
    uint64_t cursor = b->planned_base = carried(base, old, now, &later->profile);
    for (struct fc_booking *e = b->first; e != NULL; e = e->next) {
        e->planned = fc_bookings_place(e, later_of(cursor, carried(e->place.start, old, now, &later->profile)), later,
                                       later->profile.t0_ns);
        cursor = e->planned.end;
    }
    return cursor;
}

void fc_bookings_follow(struct fc_bookings *b) {
    b->base = b->planned_base;
    for (struct fc_booking *e = b->first; e != NULL; e = e->next) move_to(e, e->planned);
}

void fc_bookings_tell_never(struct fc_bookings *b, uint64_t burst_permits) {
    for (struct fc_booking *e = b->first; e != NULL; e = e->next) {
        if (e->sleeper == NULL || e->permits <= burst_permits) continue;
        e->never = true;
        fc_sleeper_wake(e->sleeper);
    }
}

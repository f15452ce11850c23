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
    return previous != NULL ? previous->end : b->base;
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
    for (struct fc_booking *first; (first = b->first) != NULL && first->due_ns <= now_ns;) {
        if (!first->walled) b->expired += (first->start - b->base) / unit;
        b->base = first->end;
        unlink_booking(b, first);
        if (first->sleeper == NULL) fc_bookings_recycle(b, first);
    }
    if (b->first == NULL) b->gaps = false;
}

/* ---- room between bookings ---- */

/* What is left of the room in front of `before` for something that begins at or behind `from`. */
static bool room_for(const struct fc_bookings *b, const struct fc_booking *before, uint64_t lowest, uint64_t units,
                     uint64_t *start) {
    *start = later_of(room_begins(b, before), lowest);
    return before == NULL || (!before->walled && (int64_t)(before->start - *start) >= (int64_t)units);
}

static uint64_t due_of(const struct fc_terms *terms, uint64_t end, uint64_t now_ns) {
    if (terms->paused) return FLOWCTL_FOREVER;
    uint64_t due_ns = fc_bucket_time_of(&terms->profile, &terms->slope, end);
    return due_ns > now_ns ? due_ns : now_ns;
}

static uint64_t lowest_at(const struct fc_terms *terms, uint64_t now_ns) {
    return fc_bucket_level_at(&terms->profile, now_ns).ceil - terms->profile.burst;
}

bool fc_bookings_find_room(struct fc_bookings *b, const struct fc_terms *terms, uint64_t now_ns, struct fc_booking *booking,
                           struct fc_booking **before) {
    if (!b->gaps) return false;
    uint64_t lowest = lowest_at(terms, now_ns), units = booking->permits * terms->profile.unit, start;
    bool some = false;
    *before = NULL;
    for (struct fc_booking *e = b->first; e != NULL; e = e->next) {
        bool fits = room_for(b, e, lowest, units, &start);
        some |= !e->walled && behind(e->start, start);
        if (fits && *before == NULL) *before = e, booking->start = start;
        if (booking->sleeper != NULL && e->sleeper != NULL) *before = NULL;
    }
    b->gaps = some;
    if (*before == NULL) return false;
    booking->end = booking->start + units;
    booking->due_ns = due_of(terms, booking->end, now_ns);
    return true;
}

/* ---- taking one out ---- */

static void retime(struct fc_booking *booking, const struct fc_terms *terms, uint64_t now_ns) {
    uint64_t due_ns = due_of(terms, booking->end, now_ns);
    if (due_ns == booking->due_ns) return;
    booking->due_ns = due_ns;
    if (booking->sleeper != NULL) fc_sleeper_wake(booking->sleeper);
}

/* Threads that wait, from `e` on, each to the first room behind the one before it, at or behind `room`. */
static void move_up(struct fc_bookings *b, struct fc_booking *e, const struct fc_terms *terms, uint64_t now_ns) {
    struct fc_booking *room = e;
    uint64_t lowest = lowest_at(terms, now_ns);
    for (struct fc_booking *next; e != NULL && !e->walled; e = next) {
        next = e->next;
        if (e->sleeper == NULL) continue;
        uint64_t units = e->end - e->start, start;
        if (room == e) room = next;
        unlink_booking(b, e);
        while (!room_for(b, room, lowest, units, &start)) room = room->next;
        link_before(b, e, room);
        e->start = start;
        e->end = start + units;
        retime(e, terms, now_ns);
    }
}

void fc_bookings_remove(struct fc_bookings *b, struct fc_booking *booking, struct fc_cell *cell, const struct fc_terms *terms,
                        uint64_t now_ns) {
    struct fc_booking *next = booking->next;
    uint64_t tail = b->last->end, unit = terms->profile.unit;
    unlink_booking(b, booking);
    if (booking->walled) {
        /* The room in front of it is somebody else's, and only one wall can be remembered: its own room is lost with it. */
        if (next != NULL) next->walled = true, b->expired += booking->permits;
        else if (b->first == NULL) b->base = booking->start;
    } else if (next != NULL) {
        b->gaps = true;
        move_up(b, next, terms, now_ns);
    }
    uint64_t left = booking->walled && next == NULL ? booking->start : room_begins(b, NULL);
    if (left == tail) return;
    struct fc_view seen = {.word = tail, .tag = atomic_load_explicit(&cell->word, memory_order_relaxed) & FC_TAG};
    if (!fc_cell_swap(cell, &seen, left)) b->expired += (tail - left) / unit;
}

void fc_bookings_forget(struct fc_bookings *b, struct fc_booking *booking) {
    if (!booking->listed) return;
    if (booking->previous == NULL) b->base = booking->end;
    else if (booking->next != NULL) booking->next->walled = true;
    unlink_booking(b, booking);
}

/* ---- all of them ---- */

void fc_bookings_shift(struct fc_bookings *b, uint64_t by, const struct fc_terms *terms) {
    b->base -= by;
    for (struct fc_booking *e = b->first; e != NULL; e = e->next) {
        e->start -= by;
        e->end -= by;
        retime(e, terms, 0);
    }
}

/* A position on the new scale, rounded away from the present. */
static uint64_t carried(uint64_t position, const struct fc_bucket_profile *old, struct fc_bucket_level now,
                        const struct fc_bucket_profile *later) {
    return later->x1 - (uint64_t)fc_bucket_carry((int64_t)(now.floor - position), old->unit, later->unit);
}

/* Walks the bookings as they will lie: each at its carried place, or right behind the one before it. */
static uint64_t carried_start(const struct fc_booking *e, uint64_t cursor, const struct fc_bucket_profile *old,
                              struct fc_bucket_level now, const struct fc_bucket_profile *later) {
    return later_of(cursor, carried(e->start, old, now, later));
}

uint64_t fc_bookings_carried_tail(const struct fc_bookings *b, const struct fc_bucket_profile *old, struct fc_bucket_level now,
                                  const struct fc_bucket_profile *later) {
    uint64_t cursor = carried(b->base, old, now, later);
    for (const struct fc_booking *e = b->first; e != NULL; e = e->next)
        cursor = carried_start(e, cursor, old, now, later) + e->permits * later->unit;
    return cursor;
}

void fc_bookings_carry(struct fc_bookings *b, const struct fc_bucket_profile *old, struct fc_bucket_level now,
                       const struct fc_terms *later) {
    uint64_t cursor = b->base = carried(b->base, old, now, &later->profile);
    for (struct fc_booking *e = b->first; e != NULL; e = e->next) {
        e->start = carried_start(e, cursor, old, now, &later->profile);
        cursor = e->end = e->start + e->permits * later->profile.unit;
        retime(e, later, later->profile.t0_ns);
    }
}

/*
 * The members of a backend, its limiters: found by the slot in a ticket, and in order of when they are due. The order is the driver's, under the lock. A decision
 * that is short takes no lock: it lists its member as one that is in a hurry, and the next pass finds it there.
 */
#include "core/backend.h"
#include "core/leased.h"

#include <stddef.h>

#define FIRST_ROOM 8
#define NO_SLOT SIZE_MAX

static uint64_t slot_of(uint64_t ticket) { return ticket & FC_TICKET_SLOT_MASK; }

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* ---- in order ---- */

static struct fc_leased *first_due(const flowctl_backend *b) { return (struct fc_leased *)fc_due_first(&b->due); }

static void put_in_order(flowctl_backend *b, struct fc_leased *s, uint64_t not_before_ns) {
    fc_due_put(&b->due, &s->planned, most(atomic_load(&s->due_ns), not_before_ns));
}

static void list_as_hurried(flowctl_backend *b, struct fc_leased *s) {
    struct fc_leased *first = atomic_load(&b->hurried);
    do s->next_hurried = first;
    while (!atomic_compare_exchange_weak(&b->hurried, &first, s));
}

void fc_backend_hurry(flowctl_backend *b, struct fc_leased *s, uint64_t due_ns) {
    uint64_t planned_ns = atomic_load(&s->due_ns);
    do {
        if (due_ns >= planned_ns) return;
    } while (!atomic_compare_exchange_weak(&s->due_ns, &planned_ns, due_ns));
    if (!atomic_exchange(&s->hurried, true)) list_as_hurried(b, s);
    /* As it is by now: who found it listed, but before it was, may have woken a pass that did not see it. */
    fc_backend_wake(b, atomic_load(&s->due_ns));
}

/* Under the lock. */
static void put_hurried_in_order(flowctl_backend *b) {
    struct fc_leased *next, *s = atomic_exchange(&b->hurried, NULL);
    for (; s != NULL; s = next) {
        next = s->next_hurried;
        atomic_store(&s->hurried, false); /* first: who hurries it from now on lists it again */
        put_in_order(b, s, 0);
    }
}

/* There is room for 2^24 members: within 64 bits, if a round trip is at most a minute. */
uint64_t fc_backend_spacing_ns(const flowctl_backend *b) {
    uint64_t busy = atomic_load(&b->busy_members);
    return most(busy * FLOWCTL_NS_PER_SEC / b->max_asks_per_sec, busy * atomic_load(&b->round_trip_ns) / FC_TURNS);
}

/* Two that note theirs at once may lose one: it is an average. */
void fc_backend_note_round_trip(flowctl_backend *b, uint64_t ns) {
    uint64_t usual_ns = atomic_load(&b->round_trip_ns);
    if (ns > 60 * FLOWCTL_NS_PER_SEC) ns = 60 * FLOWCTL_NS_PER_SEC;
    atomic_store(&b->round_trip_ns, usual_ns - usual_ns / 16 + ns / 16);
}

/* ---- turns ---- */

static struct fc_leased *whose(struct fc_turn *turn) {
    return (struct fc_leased *)(void *)((char *)turn - offsetof(struct fc_leased, turn));
}

/* Under the lock. After this member was looked at, it may have to wait for a turn, or others have one: those are due, and true is returned. */
static bool pass_turns_on(flowctl_backend *b, struct fc_leased *s) {
    bool passed = false;
    if (s != NULL && atomic_load(&s->turn.wanted)) fc_turn_wait(&b->turns, &s->turn);
    for (struct fc_turn *next; (next = fc_turns_next(&b->turns)) != NULL; passed = true) {
        atomic_store(&whose(next)->due_ns, 0);
        put_in_order(b, whose(next), 0);
    }
    return passed;
}

/* ---- the table ---- */

/* Makes room for more. False: there is no memory, or there are too many. */
static bool grow(flowctl_backend *b) {
    size_t room = b->room != 0 ? 2 * b->room : FIRST_ROOM;
    if (room > FC_TICKET_SLOT_MASK + 1) return false;
    struct fc_slot *slots = fc_allocate(&b->allocator, room * sizeof *slots);
    struct fc_due **due = fc_allocate(&b->allocator, room * sizeof(struct fc_due *));
    if (slots == NULL || due == NULL) {
        fc_release(&b->allocator, slots, room * sizeof *slots);
        fc_release(&b->allocator, due, room * sizeof(struct fc_due *));
        return false;
    }
    for (size_t i = 0; i < b->room; i++) slots[i] = b->slots[i];
    for (size_t i = 0; i < b->due.count; i++) due[i] = b->due.items[i];
    for (size_t i = b->room; i < room; i++) slots[i].next_free = i + 1 < room ? i + 1 : NO_SLOT;
    size_t first_free = b->room;
    fc_members_free(b);
    b->slots = slots;
    b->due.items = due;
    b->room = room;
    b->free_slot = first_free;
    return true;
}

void fc_members_free(flowctl_backend *b) {
    fc_release(&b->allocator, b->slots, b->room * sizeof *b->slots);
    fc_release(&b->allocator, b->due.items, b->room * sizeof(struct fc_due *));
}

flowctl_status fc_backend_enter(flowctl_backend *b, struct fc_leased *s) {
    pthread_mutex_lock(&b->lock);
    bool full = b->room == 0 || b->free_slot == NO_SLOT, has_room = !full || grow(b);
    if (has_room) {
        size_t slot = b->free_slot;
        b->free_slot = b->slots[slot].next_free;
        b->generation = (b->generation + 1) & INT32_MAX;
        s->ticket = b->generation << 32 | slot;
        b->slots[slot].leased = s;
        put_in_order(b, s, 0);
    }
    pthread_mutex_unlock(&b->lock);
    return has_room ? FLOWCTL_OK : FLOWCTL_NO_MEMORY;
}

void fc_backend_leave(flowctl_backend *b, struct fc_leased *s, struct fc_farewell *farewell) {
    pthread_mutex_lock(&b->lock);
    uint64_t slot = slot_of(s->ticket);
    b->slots[slot].leased = NULL; /* nobody finds it by its ticket any more */
    while (s->users != 0) pthread_cond_wait(&b->changed, &b->lock);
    fc_turn_forget(&b->turns, &s->turn);
    bool passed = pass_turns_on(b, NULL);
    put_hurried_in_order(b); /* so that it is not listed */
    fc_due_remove(&b->due, &s->planned);
    b->slots[slot].next_free = b->free_slot;
    b->free_slot = slot;
    if (farewell != NULL) {
        farewell->next = b->farewells;
        b->farewells = farewell;
    }
    pthread_mutex_unlock(&b->lock);
    if (farewell != NULL || passed) fc_backend_wake(b, 0);
}

struct fc_leased *fc_members_visit(flowctl_backend *b, uint64_t ticket) {
    pthread_mutex_lock(&b->lock);
    struct fc_leased *s = slot_of(ticket) < b->room ? b->slots[slot_of(ticket)].leased : NULL;
    if (s != NULL && s->ticket != (ticket & ~FC_TICKET_SESSION_MASK)) s = NULL;
    if (s != NULL) s->users++;
    pthread_mutex_unlock(&b->lock);
    return s;
}

static void end_visit(flowctl_backend *b, struct fc_leased *s) {
    if (--s->users == 0) pthread_cond_broadcast(&b->changed);
}

void fc_members_end_visit(flowctl_backend *b, struct fc_leased *s) {
    pthread_mutex_lock(&b->lock);
    bool passed = pass_turns_on(b, s);
    put_in_order(b, s, 0);
    uint64_t due_ns = passed && !b->in_pass ? 0 : s->planned.at_ns; /* a pass that goes on sees to them */
    end_visit(b, s);
    pthread_mutex_unlock(&b->lock);
    fc_backend_wake(b, due_ns);
}

/* ---- driving ---- */

uint64_t fc_members_drive(flowctl_backend *b) {
    uint64_t now_ns = fc_backend_now(b);
    put_hurried_in_order(b);
    b->in_pass = true;
    struct fc_leased *s;
    while ((s = first_due(b)) != NULL && s->planned.at_ns <= now_ns) {
        s->users++;
        pthread_mutex_unlock(&b->lock);
        fc_leased_drive(s);
        pthread_mutex_lock(&b->lock);
        put_in_order(b, s, now_ns + 1); /* once in a pass, but for its turn */
        pass_turns_on(b, s);
        end_visit(b, s);
    }
    b->in_pass = false;
    return s != NULL ? s->planned.at_ns : FLOWCTL_FOREVER;
}

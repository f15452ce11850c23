/* Booking ahead: reservations, and threads that wait. */
#include "core/bucket.h"
#include "core/leased.h"

static uint64_t later(uint64_t ns, uint64_t by_ns) { return by_ns > FLOWCTL_FOREVER - ns ? FLOWCTL_FOREVER : ns + by_ns; }

/* ---- booking ---- */

enum booked { BOOKED_NOT, BOOKED_NOW, BOOKED_AHEAD };

/* While the limiter is paused, or has its permits from a store, a thread that waits takes its place at the end; when it will be due is not known. */
static bool book_unknown(flowctl_limiter *l, struct fc_booking *b, const struct fc_sight *s, bool waits, enum booked *booked,
                         flowctl_decision *answer) {
    const struct fc_bucket_profile *p = &s->view.profile;
    struct fc_bucket_level x = fc_bucket_level_at(p, s->now_ns);
    uint64_t start = fc_bucket_base(p, x, s->view.word);
    *booked = BOOKED_NOT;
    b->place = fc_bookings_place(b, start, &s->terms, s->now_ns);
    bool countable = (int64_t)(b->place.end - x.floor) <= (int64_t)(2 * FC_DEBT_UNITS_MAX);
    if (!countable || (b->place.due_ns == FLOWCTL_FOREVER && !waits))
        return *answer = fc_bucket_deny(s, FLOWCTL_FOREVER, s->now_ns), true;
    if (!fc_cell_swap(&l->cell, &s->view, b->place.end)) return false;
    if (b->place.due_ns != FLOWCTL_FOREVER) {
        /* It came from the store since it was found to be short. */
        *answer = fc_bucket_allow(s, b->permits, s->now_ns, b->place.end);
        *booked = BOOKED_NOW;
        return true;
    }
    fc_bookings_insert(&l->bookings, b, NULL, start);
    *booked = BOOKED_AHEAD;
    return true;
}

/* One attempt, under the lock: room between other bookings, or else the end. False: the word moved, look again. */
static bool book_once(flowctl_limiter *l, struct fc_booking *b, const struct fc_sight *s, uint64_t latest_ns,
                      enum booked *booked, flowctl_decision *answer) {
    struct fc_booking *before = NULL;
    struct fc_place *place = &b->place;
    struct fc_bucket_level x = fc_bucket_level_at(&s->view.profile, s->now_ns);
    *booked = BOOKED_NOT;
    bool inside = fc_bookings_find_room(&l->bookings, &s->terms, s->now_ns, b, &before),
         fits = inside && place->due_ns <= latest_ns;
    if (!inside) {
        *place = fc_bookings_place(b, s->view.word, &s->terms, s->now_ns);
        bool countable = (int64_t)(place->end - x.floor) <= (int64_t)(2 * FC_DEBT_UNITS_MAX);
        fits = countable && place->due_ns <= latest_ns && place->due_ns != FLOWCTL_FOREVER;
    }
    if (!fits) return *answer = fc_bucket_deny(s, place->due_ns, s->now_ns), true;
    if (!inside && !fc_cell_swap(&l->cell, &s->view, place->end)) return false;
    *booked = place->due_ns > s->now_ns ? BOOKED_AHEAD : BOOKED_NOW;
    /* What was taken at the end and is due now needs no place; inside, it must be remembered until it is swept. */
    if (inside || *booked == BOOKED_AHEAD) fc_bookings_insert(&l->bookings, b, before, s->view.word);
    if (inside && *booked == BOOKED_NOW) fc_bookings_sweep(&l->bookings, s->now_ns, s->view.profile.unit);
    *answer = fc_bucket_allow(s, b->permits, place->due_ns, inside ? s->view.word : place->end);
    return true;
}

/* Under the lock: books at the first place where the permits fit. BOOKED_NOT: *answer says why not. */
static enum booked book(flowctl_limiter *l, struct fc_booking *b, uint64_t max_wait_ns, flowctl_decision *answer) {
    for (;; fc_cell_pause()) {
        struct fc_sight s;
        uint64_t units, now_ns = b->not_before_ns;
        enum booked booked;
        if (!fc_bucket_see(l, now_ns, &s)) return *answer = fc_refused(FLOWCTL_CLOSED, now_ns), BOOKED_NOT;
        if (!fc_bucket_units(&s.view.profile, b->permits, &units))
            return *answer = fc_bucket_above_burst(&s, b->permits, now_ns), BOOKED_NOT;
        bool waits = b->sleeper != NULL && max_wait_ns != 0, unknown = s.terms.paused || s.terms.lent;
        if (s.too_old) return *answer = fc_bucket_peek(l, b->permits, now_ns), BOOKED_NOT;
        if (s.far) {
            fc_bucket_move_anchor(l, s.now_ns);
            continue;
        }
        if (s.over) {
            fc_leased_lapse(l, s.now_ns);
            continue;
        }
        b->not_before_ns = s.now_ns;
        fc_bookings_sweep(&l->bookings, s.now_ns, s.view.profile.unit);
        if (unknown ? book_unknown(l, b, &s, waits, &booked, answer)
                    : book_once(l, b, &s, later(s.now_ns, max_wait_ns), &booked, answer))
            return booked;
    }
}

/* ---- reservations ---- */

static bool is_closed(const flowctl_limiter *l) { return atomic_load_explicit(&l->closed, memory_order_acquire); }

/* Under the lock. */
static enum booked reserve_ahead(flowctl_limiter *l, uint64_t permits, uint64_t max_wait_ns, uint64_t *now_ns,
                                 flowctl_reservation *reservation, flowctl_decision *answer) {
    struct fc_booking *b = fc_bookings_new(&l->bookings, &l->allocator);
    if (b == NULL) return *answer = fc_refused(FLOWCTL_NO_MEMORY, *now_ns), BOOKED_NOT;
    b->permits = permits;
    b->not_before_ns = *now_ns;
    enum booked booked = book(l, b, max_wait_ns, answer);
    *now_ns = b->not_before_ns;
    if (booked == BOOKED_AHEAD && reservation != NULL) reservation->place = b, reservation->ticket = b->ticket;
    if (!b->listed && b->ticket != 0) fc_bookings_recycle(&l->bookings, b);
    return booked;
}

flowctl_decision fc_bucket_reserve(flowctl_limiter *l, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns,
                                   flowctl_reservation *reservation) {
    flowctl_decision answer;
    if (l->leased != NULL) return fc_refused(is_closed(l) ? FLOWCTL_CLOSED : FLOWCTL_UNSUPPORTED, now_ns);
    if (fc_bucket_at_once(l, permits, now_ns, &answer, NULL)) return answer;
    pthread_mutex_lock(&l->lock);
    enum booked booked = reserve_ahead(l, permits, max_wait_ns, &now_ns, reservation, &answer);
    pthread_mutex_unlock(&l->lock);
    if (booked == BOOKED_NOT) return fc_bucket_count_refusal(l, &answer), answer;
    fc_count_allowed(&l->counters, permits);
    if (booked == BOOKED_NOW) return answer;
    fc_count_waited(&l->counters, answer.now_ns - now_ns);
    answer.verdict = FLOWCTL_DELAY;
    answer.retry_after_ns = answer.now_ns - now_ns;
    return answer;
}

/* The booking of a reservation that is still ahead; NULL if it is over. Under the lock. */
static struct fc_booking *still_ahead(flowctl_limiter *l, const flowctl_reservation *r, uint64_t now_ns, struct fc_sight *s) {
    struct fc_booking *b = r->place;
    if (!fc_bucket_see(l, now_ns, s)) return NULL;
    fc_bookings_sweep(&l->bookings, s->now_ns, s->view.profile.unit);
    return b->ticket == r->ticket && b->listed ? b : NULL;
}

uint64_t fc_bucket_cancel(flowctl_limiter *l, const flowctl_reservation *r, uint64_t now_ns) {
    struct fc_sight s;
    pthread_mutex_lock(&l->lock);
    struct fc_booking *b = still_ahead(l, r, now_ns, &s);
    uint64_t permits = b != NULL ? b->permits : 0;
    if (b != NULL) {
        fc_bookings_remove(&l->bookings, b, &l->cell, &s.terms, s.now_ns);
        fc_bookings_recycle(&l->bookings, b);
        l->cancelled_permits += permits;
    }
    pthread_mutex_unlock(&l->lock);
    return permits;
}

uint64_t fc_bucket_due(flowctl_limiter *l, const flowctl_reservation *r, uint64_t now_ns) {
    struct fc_sight s;
    pthread_mutex_lock(&l->lock);
    struct fc_booking *b = still_ahead(l, r, now_ns, &s);
    uint64_t due_ns = b != NULL ? b->place.due_ns : 0;
    if (l->closed) due_ns = FLOWCTL_FOREVER;
    pthread_mutex_unlock(&l->lock);
    return due_ns;
}

void fc_bucket_sweep(flowctl_limiter *l) {
    struct fc_sight s;
    pthread_mutex_lock(&l->lock);
    if (fc_bucket_see(l, fc_limiter_now(l), &s)) fc_bookings_sweep(&l->bookings, s.now_ns, s.view.profile.unit);
    pthread_mutex_unlock(&l->lock);
}

/* ---- threads that wait ---- */

struct seat {
    flowctl_limiter *limiter;
    uint64_t deadline_ns;
    uint64_t left_ns;  /* when the wait was over */
    uint64_t retry_ns; /* and, too late for it, when it may be worth another try; FLOWCTL_FOREVER: paused */
    enum { SEAT_CANCELLED, SEAT_SERVED, SEAT_CLOSED, SEAT_TOO_LATE, SEAT_NEVER } outcome;
    fc_u128 age; /* at the due time; 0 if that can't be told */
    struct fc_sleeper sleeper;
    struct fc_waiter waiter;
    struct fc_booking booking;
};

/* What was granted may be settled later: the age is that of the due time, if the terms of that time are still in force. */
static fc_u128 age_when_due(flowctl_limiter *l, uint64_t due_ns) {
    struct fc_sight s;
    return fc_bucket_see(l, due_ns, &s) && s.now_ns == due_ns ? fc_terms_age(&s.terms, due_ns, false) : 0;
}

/* Takes the seat's booking off the list: as one that is over if it is due at now, and otherwise as one that was never made. */
static void leave(flowctl_limiter *l, struct seat *s, uint64_t now_ns) {
    struct fc_sight sight;
    if (fc_bucket_see(l, now_ns, &sight)) {
        fc_bookings_sweep(&l->bookings, sight.now_ns, sight.view.profile.unit);
        if (s->booking.listed && s->outcome != SEAT_SERVED)
            fc_bookings_remove(&l->bookings, &s->booking, &l->cell, &sight.terms, sight.now_ns);
    }
    fc_bookings_forget(&l->bookings, &s->booking);
}

static uint64_t retry_at(flowctl_limiter *l, const struct seat *s) {
    struct fc_sight sight;
    if (s->booking.place.due_ns != FLOWCTL_FOREVER) return s->booking.place.due_ns;
    return fc_bucket_see(l, s->left_ns, &sight) && !sight.terms.paused ? sight.retry_ns : FLOWCTL_FOREVER;
}

/*
 * Leaves the queue: served, closed, too late, or (a cancelled thread) before its time. Whoever destroys the limiter waits for the unlock, so nothing
 * of the limiter is touched behind it.
 */
static void stand_up(void *argument) {
    struct seat *s = argument;
    flowctl_limiter *l = s->limiter;
    pthread_mutex_lock(&l->lock);
    if (s->outcome == SEAT_SERVED) {
        s->age = age_when_due(l, s->booking.place.due_ns);
        fc_count_allowed(&l->counters, s->booking.permits);
        fc_count_waited(&l->counters, s->booking.place.due_ns - s->booking.not_before_ns);
    } else if (s->outcome == SEAT_TOO_LATE) {
        s->retry_ns = retry_at(l, s);
        fc_count_denied(&l->counters);
    } else if (s->outcome == SEAT_NEVER) {
        fc_count_never(&l->counters);
    }
    leave(l, s, s->outcome == SEAT_SERVED ? s->left_ns : fc_limiter_now(l));
    fc_limiter_stop_waiting(l, &s->waiter);
    pthread_mutex_unlock(&l->lock);
    fc_sleeper_cleanup(&s->sleeper);
}

/* Sleeps until due or too late; the due time may move meanwhile. Fills in the outcome. */
static void wait_until_due(struct seat *s) {
    flowctl_limiter *l = s->limiter;
    for (;;) {
        /* The clock first: a due time that is moved meanwhile must not be taken for reached. */
        s->left_ns = fc_limiter_now(l);
        pthread_mutex_lock(&l->lock);
        uint64_t due_ns = s->booking.place.due_ns;
        bool closed = l->closed, never = s->booking.never;
        pthread_mutex_unlock(&l->lock);
        if (s->left_ns >= due_ns) s->outcome = SEAT_SERVED;
        else if (closed) s->outcome = SEAT_CLOSED;
        else if (never) s->outcome = SEAT_NEVER;
        /* A due time that is known and too late is not waited for; one that is not known may still be told. */
        else if (s->left_ns < s->deadline_ns && (due_ns <= s->deadline_ns || due_ns == FLOWCTL_FOREVER)) {
            l->clock->ops->sleep(l->clock, &s->sleeper, due_ns < s->deadline_ns ? due_ns : s->deadline_ns);
            continue;
        } else s->outcome = SEAT_TOO_LATE;
        return;
    }
}

/* Books and sits down; false if it got its answer without a seat. */
static bool sit_down(struct seat *s, uint64_t max_wait_ns, flowctl_decision *answer) {
    flowctl_limiter *l = s->limiter;
    if (!fc_sleeper_init(&s->sleeper)) return *answer = fc_refused(FLOWCTL_SYSTEM, s->booking.not_before_ns), false;
    pthread_mutex_lock(&l->lock);
    enum booked booked = book(l, &s->booking, max_wait_ns, answer);
    if (booked == BOOKED_AHEAD) fc_limiter_wait(l, &s->waiter, &s->sleeper);
    if (booked == BOOKED_AHEAD && l->leased != NULL) fc_leased_waited_for(l);
    if (booked == BOOKED_NOW) s->age = age_when_due(l, answer->now_ns);
    pthread_mutex_unlock(&l->lock);
    s->deadline_ns = later(s->booking.not_before_ns, max_wait_ns);
    if (booked == BOOKED_AHEAD) return true;
    fc_sleeper_cleanup(&s->sleeper);
    if (booked == BOOKED_NOW) fc_count_allowed(&l->counters, s->booking.permits);
    else fc_bucket_count_refusal(l, answer);
    return false;
}

static flowctl_decision outcome(const struct seat *s) {
    flowctl_decision d = fc_refused(s->outcome == SEAT_CLOSED ? FLOWCTL_CLOSED : FLOWCTL_OK, s->left_ns);
    if (s->outcome == SEAT_SERVED) {
        d.verdict = FLOWCTL_ALLOW;
        d.granted = s->booking.permits;
        d.retry_after_ns = 0;
        d.now_ns = s->booking.place.due_ns;
    } else if (s->outcome == SEAT_NEVER) {
        d.verdict = FLOWCTL_NEVER;
    } else if (s->outcome == SEAT_TOO_LATE) {
        if (s->retry_ns == FLOWCTL_FOREVER) d.flags = FLOWCTL_FLAG_PAUSED;
        else d.retry_after_ns = s->retry_ns > s->left_ns ? s->retry_ns - s->left_ns : 0;
    }
    return d;
}

static void sign(flowctl_receipt *receipt, fc_u128 age) {
    if (receipt == NULL) return;
    receipt->age_hi = (uint64_t)(age >> 64);
    receipt->age_lo = (uint64_t)age;
}

flowctl_decision fc_bucket_acquire(flowctl_limiter *l, uint64_t permits, uint64_t max_wait_ns, uint64_t now_ns,
                                   flowctl_receipt *receipt) {
    flowctl_decision answer;
    struct seat seat = {.limiter = l, .booking = {.permits = permits, .not_before_ns = now_ns}};
    if (fc_bucket_at_once(l, permits, now_ns, &answer, receipt != NULL ? &seat.age : NULL)) {
        sign(receipt, seat.age);
        return answer;
    }
    if (answer.status != FLOWCTL_OK) return answer;
    seat.booking.sleeper = &seat.sleeper;
    if (!sit_down(&seat, max_wait_ns, &answer)) {
        sign(receipt, seat.age);
        return answer;
    }
    pthread_cleanup_push(stand_up, &seat);
    wait_until_due(&seat);
    pthread_cleanup_pop(1);
    sign(receipt, seat.age);
    return outcome(&seat);
}

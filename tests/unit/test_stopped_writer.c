/*
 * A thread that changes the settings may be stopped anywhere: by the scheduler, a debugger, a page fault. Deciding goes on meanwhile. First at each step of
 * a change, made by hand while another thread holds the lock; then at random instructions of a real one.
 */
#include "unit/fixture.h"

#include "core/limiter.h"
#include "support/oracle.h"
#include "support/seed.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>

#define SEC FLOWCTL_NS_PER_SEC
#define MS FLOWCTL_NS_PER_MS
#define NOW FIXTURE_START_NS

/* ---- each step ---- */

static void *hold_lock(void *argument) {
    flowctl_limiter *l = argument;
    pthread_mutex_lock(&l->lock);
    sem_t *sems = l->refill_context;
    sem_post(&sems[0]);
    sem_wait(&sems[1]);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* What the verbs must say: `there` of `burst`, a permit every `every_ms`. */
struct expected {
    uint64_t burst, there, every_ms;
};

struct asked {
    flowctl_limiter *limiter;
    flowctl_decision never, peeked, denied, decided;
    bool tried;
    uint64_t taken;
};

static void *ask(void *argument) {
    struct asked *a = argument;
    a->never = flowctl_decide_at(a->limiter, 1000, NOW);
    a->peeked = flowctl_peek_at(a->limiter, 1, NOW);
    a->denied = flowctl_decide_at(a->limiter, a->peeked.remaining + 1, NOW);
    a->decided = flowctl_decide_at(a->limiter, 1, NOW);
    a->tried = flowctl_try_acquire_at(a->limiter, 1, NOW);
    a->taken = flowctl_try_acquire_up_to_at(a->limiter, 1, NOW);
    return NULL;
}

/* Takes three permits in all. Fails if that does not come back. */
static void assert_decides(flowctl_limiter *l, const struct expected *e) {
    struct asked a = {.limiter = l};
    struct timespec limit;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, &a), 0);
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 20;
    assert_int_equal(pthread_timedjoin_np(thread, NULL, &limit), 0);
    assert_int_equal(a.never.verdict, FLOWCTL_NEVER);
    assert_int_equal(a.peeked.verdict, FLOWCTL_ALLOW);
    assert_int_equal(a.peeked.remaining, e->there);
    assert_int_equal(a.denied.verdict, e->there == e->burst ? FLOWCTL_NEVER : FLOWCTL_DENY);
    if (e->there != e->burst) assert_int_equal(a.denied.retry_after_ns, e->every_ms * MS);
    assert_int_equal(a.decided.verdict, FLOWCTL_ALLOW);
    assert_int_equal(a.decided.remaining, e->there - 1);
    assert_true(a.tried);
    assert_int_equal(a.taken, 1);
}

/* What a writer would prepare: 5 per second, burst 8, as many there as were. */
static struct fc_terms prepare(const struct fc_terms *old, uint64_t word, uint64_t there, uint64_t *after) {
    flowctl_rate rate = flowctl_per_second(5);
    uint64_t burst = 8;
    struct fc_terms next = *old;
    assert_int_equal(fc_bucket_profile_make(&rate, &burst, 0, &next.profile, &next.slope), FC_BUCKET_FINE);
    next.profile.t0_ns = NOW;
    next.profile.x1 = next.began = word + next.profile.burst + 2;
    *after = next.profile.x1 - there * next.profile.unit;
    return next;
}

static void half_shown(struct fc_cell *cell, const struct fc_bucket_profile *p) {
    fc_cell_shut(cell);
    atomic_store(&cell->t0_ns, p->t0_ns + 77);
    atomic_store(&cell->x1, 0);
    atomic_store(&cell->mult_hi, p->mult_hi);
}

enum step { LOCKED, HALF_WRITTEN, WRITTEN, SWAPPED, SHUT, HALF_SHOWN, SHOWN, STEPS };

/* Makes the change up to and with a step. */
static void change_until(flowctl_limiter *l, enum step last) {
    struct fc_terms old;
    struct fc_view seen;
    uint64_t after;
    fc_terms_read(&l->cell, l->terms, &old, &seen);
    struct fc_terms next = prepare(&old, seen.word, 7, &after);
    struct fc_terms_slot *slot = &l->terms[1 - seen.tag];
    if (last == HALF_WRITTEN) {
        atomic_store(&slot->stamp, atomic_load(&slot->stamp) + 1);
        for (size_t i = 0; i < FC_TERMS_WORDS / 2; i++) atomic_store(&slot->words[i], UINT64_MAX);
    }
    if (last >= WRITTEN) fc_terms_write(l->terms, seen.tag, &next);
    if (last >= SWAPPED) atomic_store(&l->cell.word, after | (1 - seen.tag));
    if (last >= SHUT) fc_cell_shut(&l->cell);
    if (last >= HALF_SHOWN) half_shown(&l->cell, &next.profile);
    if (last >= SHOWN) fc_cell_show(&l->cell, &next.profile, 1 - seen.tag, false);
}

static void at_every_step_decisions_go_on_and_are_right(void **state) {
    (void)state;
    const struct expected before = {10, 7, 100}, behind = {8, 7, 200};
    for (enum step step = LOCKED; step < STEPS; step++) {
        for (int tag = 0; tag < 2; tag++) {
            struct bucket b = bucket_new(flowctl_per_second(10), 10, 7);
            sem_t sems[2];
            pthread_t holder;
            if (tag == 1)
                assert_int_equal(flowctl_set_burst(b.limiter, 10, NULL), FLOWCTL_OK); /* the same by the other set */
            sem_init(&sems[0], 0, 0), sem_init(&sems[1], 0, 0);
            b.limiter->refill_context = sems; /* unused without a hook */
            assert_int_equal(pthread_create(&holder, NULL, hold_lock, b.limiter), 0);
            sem_wait(&sems[0]);
            change_until(b.limiter, step);
            assert_decides(b.limiter, step < SWAPPED ? &before : &behind);
            sem_post(&sems[1]);
            pthread_join(holder, NULL);
            assert_int_equal(flowctl_peek(b.limiter, 1).remaining, 4);
            assert_int_equal(flowctl_set_limit(b.limiter, flowctl_per_second(1), 5, NULL),
                             FLOWCTL_OK); /* the next writer mends it */
            assert_int_equal(flowctl_peek(b.limiter, 1).remaining, 4);
            assert_true(flowctl_try_acquire(b.limiter, 4));
            sem_destroy(&sems[0]), sem_destroy(&sems[1]);
            bucket_free(&b);
        }
    }
}

/* ---- random instructions ---- */

#define STOPS 300
#define BURST 100
#define RATE 2000

static sem_t stopped, go_on;

static void stop_here(int signal_number) {
    int saved = errno;
    (void)signal_number;
    sem_post(&stopped);
    while (sem_wait(&go_on) != 0) {
    }
    errno = saved;
}

struct writer {
    flowctl_limiter *limiter;
    atomic_bool done;
    atomic_uint failed;
    atomic_ulong changes;
};

static void *change_for_ever(void *argument) {
    struct writer *w = argument;
    for (uint64_t i = 0; !atomic_load(&w->done); i++) {
        flowctl_status s = i % 2 == 0 ? flowctl_set_limit(w->limiter, flowctl_per_second(RATE / 2), BURST, NULL)
                                      : flowctl_set_limit(w->limiter, flowctl_per_second(RATE), BURST / 2, NULL);
        if (s != FLOWCTL_OK) atomic_fetch_add(&w->failed, 1);
        atomic_fetch_add(&w->changes, 1);
    }
    return NULL;
}

/* Every verb that must not wait for the writer. Admissions go into the log. */
static void decide_meanwhile(flowctl_limiter *l, struct oracle_log *log) {
    for (int i = 0; i < 20; i++) {
        flowctl_decision d = flowctl_decide(l, BURST / 2);
        assert_int_equal(d.status, FLOWCTL_OK);
        assert_true(d.verdict == FLOWCTL_ALLOW || d.verdict == FLOWCTL_DENY);
        assert_true(d.remaining <= BURST);
        if (d.granted > 0) oracle_record(log, d.now_ns, d.granted);
        assert_int_equal(flowctl_decide(l, BURST + 1).verdict, FLOWCTL_NEVER);
        assert_true(flowctl_peek(l, 1).remaining <= BURST);
        assert_true(flowctl_time_until(l, 1) <= SEC / (RATE / 2) * BURST);
        uint64_t now_ns = flowctl_clock_now(NULL); /* before the grant, as its date is at the earliest */
        if (flowctl_try_acquire_at(l, 1, now_ns)) oracle_record(log, now_ns, 1);
    }
}

/* Whether the writer stands between its first store and its last. */
static bool in_the_middle(flowctl_limiter *l) {
    if (pthread_mutex_trylock(&l->lock) != 0) return true;
    pthread_mutex_unlock(&l->lock);
    return false;
}

static void a_writer_stopped_at_any_instruction_stops_nobody(void **state) {
    (void)state;
    uint64_t random = test_seed("stopped_writer");
    struct writer w = {.limiter = NULL};
    struct oracle_log log = {NULL, 0, 0};
    struct sigaction act = {.sa_handler = stop_here}, old;
    pthread_t thread;
    unsigned middle = 0;
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    o.rate = flowctl_per_second(RATE), o.burst = BURST;
    assert_int_equal(flowctl_token_bucket_create(&o, &w.limiter, NULL), FLOWCTL_OK);
    sem_init(&stopped, 0, 0), sem_init(&go_on, 0, 0);
    assert_int_equal(sigaction(SIGUSR1, &act, &old), 0);
    assert_int_equal(pthread_create(&thread, NULL, change_for_ever, &w), 0);
    for (int i = 0; i < STOPS; i++) {
        unsigned long changes = atomic_load(&w.changes);
        for (uint64_t spin = test_below(&random, 3000); spin > 0; spin--) atomic_signal_fence(memory_order_seq_cst);
        assert_int_equal(pthread_kill(thread, SIGUSR1), 0);
        while (sem_wait(&stopped) != 0) {
        }
        middle += in_the_middle(w.limiter);
        decide_meanwhile(w.limiter, &log);
        sem_post(&go_on);
        AWAIT(atomic_load(&w.changes) > changes);
    }
    atomic_store(&w.done, true);
    pthread_join(thread, NULL);
    sigaction(SIGUSR1, &old, NULL);
    print_message("%d stops, %u in the middle of a change, %lu changes, %zu admissions\n", STOPS, middle,
                  atomic_load(&w.changes), log.count);
    assert_int_equal(w.failed, 0);
    assert_true(middle > STOPS / 10); /* or this has shown nothing */
    assert_true(oracle_passes("stopped writer", &log, &(struct oracle_limit){RATE, SEC, BURST}));
    oracle_free(&log);
    assert_int_equal(flowctl_set_limit(w.limiter, flowctl_per(1, FLOWCTL_NS_PER_DAY), 10, NULL), FLOWCTL_OK);
    flowctl_try_acquire_up_to(w.limiter, 10);
    assert_int_equal(flowctl_decide(w.limiter, 1).verdict, FLOWCTL_DENY);
    assert_int_equal(flowctl_decide(w.limiter, 11).verdict, FLOWCTL_NEVER);
    flowctl_limiter_destroy(w.limiter);
    sem_destroy(&stopped), sem_destroy(&go_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_every_step_decisions_go_on_and_are_right),
        cmocka_unit_test(a_writer_stopped_at_any_instruction_stops_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

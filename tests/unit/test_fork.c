/* A child of a fork holds no lease. Each child's exit status is 0, or the line that failed; one that hangs is ended by an alarm. */
#include "unit/script.h"

#include <flowctl/sequence.h>
#include <flowctl/store.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_EXPECT(condition)                      \
    do {                                             \
        if (!(condition)) _exit(__LINE__ % 250 + 1); \
    } while (0)

static void in_child(void (*run)(void *), void *argument) {
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        run(argument);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status)) fail_msg("the child was ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0) fail_msg("the child failed at a line that is %d - 1 (mod 250)", WEXITSTATUS(status));
}

/* A backend with a thread of its own, and a limiter that is ready. */
struct family {
    flowctl_backend *backend;
    flowctl_limiter *limiter;
    flowctl_sequence *sequence;
};

static flowctl_backend *open_memory(void) {
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *b;
    o.ops = flowctl_memory_backend();
    return flowctl_backend_open(&o, &b, NULL) == FLOWCTL_OK ? b : NULL;
}

static flowctl_limiter *limiter_on(flowctl_backend *b) {
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    flowctl_limiter *l;
    o.id = "family";
    o.rate = flowctl_per_second(100000);
    o.burst = 10000;
    o.backend = b;
    if (flowctl_token_bucket_create(&o, &l, NULL) != FLOWCTL_OK) return NULL;
    if (flowctl_limiter_wait_ready(l, 5 * FLOWCTL_NS_PER_SEC) == FLOWCTL_OK) return l;
    flowctl_limiter_destroy(l);
    return NULL;
}

static void begin(struct family *f) {
    f->backend = open_memory();
    assert_non_null(f->backend);
    f->limiter = limiter_on(f->backend);
    assert_non_null(f->limiter);
    assert_int_equal(flowctl_sequence_create(f->backend, "numbers", 10, &f->sequence, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_acquire(f->limiter, 1000, 5 * FLOWCTL_NS_PER_SEC).verdict, FLOWCTL_ALLOW);
}

static void end(struct family *f) {
    flowctl_sequence_destroy(f->sequence);
    flowctl_limiter_destroy(f->limiter);
    flowctl_backend_destroy(f->backend);
}

static void hold_nothing(void *argument) {
    struct family *f = argument;
    flowctl_sharing_info info;
    flowctl_receipt r;
    CHILD_EXPECT(!flowctl_try_acquire(f->limiter, 1));
    CHILD_EXPECT(flowctl_try_acquire_up_to(f->limiter, 1) == 0);
    CHILD_EXPECT(flowctl_decide(f->limiter, 1).status == FLOWCTL_CLOSED);
    CHILD_EXPECT(flowctl_peek(f->limiter, 1).status == FLOWCTL_CLOSED);
    CHILD_EXPECT(flowctl_acquire(f->limiter, 1, FLOWCTL_FOREVER).status == FLOWCTL_CLOSED);
    CHILD_EXPECT(flowctl_acquire_estimate(f->limiter, 1, FLOWCTL_FOREVER, &r).status == FLOWCTL_CLOSED);
    CHILD_EXPECT(flowctl_limiter_sharing(f->limiter, &info) == FLOWCTL_CLOSED);
    CHILD_EXPECT(flowctl_limiter_wait_ready(f->limiter, FLOWCTL_FOREVER) == FLOWCTL_CLOSED);
    CHILD_EXPECT(flowctl_set_burst(f->limiter, 5, NULL) == FLOWCTL_CLOSED);
    CHILD_EXPECT(flowctl_limiter_pause(f->limiter) == FLOWCTL_CLOSED);
    flowctl_limiter_close(f->limiter);
}

static void a_child_holds_nothing(void **state) {
    (void)state;
    struct family f;
    begin(&f);
    in_child(hold_nothing, &f);
    assert_int_equal(flowctl_acquire(f.limiter, 1000, 5 * FLOWCTL_NS_PER_SEC).verdict, FLOWCTL_ALLOW);
    end(&f);
}

static void ask_for_closed_things(void *argument) {
    struct family *f = argument;
    flowctl_backend_probed probed;
    flowctl_limiter *l;
    size_t bytes;
    char room[8];
    uint64_t number;
    CHILD_EXPECT(flowctl_store_get(f->backend, "key", room, sizeof room, &bytes, NULL, FLOWCTL_FOREVER, NULL) ==
                 FLOWCTL_CLOSED);
    CHILD_EXPECT(flowctl_backend_probe(f->backend, FLOWCTL_FOREVER, &probed, NULL) == FLOWCTL_CLOSED);
    CHILD_EXPECT(flowctl_backend_poll(f->backend) == FLOWCTL_FOREVER);
    /* The rest of its block is the parent's. */
    CHILD_EXPECT(flowctl_sequence_next(f->sequence, FLOWCTL_FOREVER, &number, NULL) == FLOWCTL_CLOSED);
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    o.id = "late";
    o.rate = flowctl_per_second(1);
    o.burst = 1;
    o.backend = f->backend;
    CHILD_EXPECT(flowctl_token_bucket_create(&o, &l, NULL) == FLOWCTL_CLOSED);
}

static void a_backend_of_the_parent_is_closed(void **state) {
    (void)state;
    struct family f;
    uint64_t number;
    begin(&f);
    assert_int_equal(flowctl_sequence_next(f.sequence, FLOWCTL_NS_PER_SEC, &number, NULL), FLOWCTL_OK);
    in_child(ask_for_closed_things, &f);
    uint64_t next;
    assert_int_equal(flowctl_sequence_next(f.sequence, FLOWCTL_NS_PER_SEC, &next, NULL), FLOWCTL_OK);
    assert_int_equal(next, number + 1);
    end(&f);
}

static void destroy_all(void *argument) { end(argument); }

/* Wherever the backend's thread was: asleep, as a rule. */
static void a_child_destroys_what_it_inherited(void **state) {
    (void)state;
    struct family f;
    begin(&f);
    for (int i = 0; i < 20; i++) {
        in_child(destroy_all, &f);
        nanosleep(&(struct timespec){0, 700000}, NULL);
        flowctl_try_acquire_up_to(f.limiter, 10000);
    }
    end(&f);
}

struct waiting {
    struct family family;
    struct caller callers[3];
};

static void destroy_while_others_wait(void *argument) {
    struct waiting *w = argument;
    end(&w->family);
}

/* Threads that waited in acquire, or for the store, are not in the child: nobody waits for them. */
static void threads_that_waited_are_not_in_the_child(void **state) {
    (void)state;
    struct waiting w;
    begin(&w.family);
    flowctl_limiter_pause(w.family.limiter);
    for (int i = 0; i < 3; i++) caller_start(&w.callers[i], w.family.limiter, 10, 60 * FLOWCTL_NS_PER_SEC);
    flowctl_limiter_info info;
    AWAIT(flowctl_limiter_read(w.family.limiter, &info) == FLOWCTL_OK && info.waiters == 3);
    in_child(destroy_while_others_wait, &w);
    flowctl_limiter_resume(w.family.limiter);
    for (int i = 0; i < 3; i++) assert_int_equal(caller_join(&w.callers[i]).verdict, FLOWCTL_ALLOW);
    end(&w.family);
}

static void live_on_its_own(void *argument) {
    struct family *f = argument, own;
    own.backend = open_memory();
    CHILD_EXPECT(own.backend != NULL);
    own.limiter = limiter_on(own.backend);
    CHILD_EXPECT(own.limiter != NULL);
    CHILD_EXPECT(flowctl_acquire(own.limiter, 10, 5 * FLOWCTL_NS_PER_SEC).verdict == FLOWCTL_ALLOW);
    flowctl_limiter_destroy(f->limiter);
    flowctl_backend_destroy(f->backend);
    CHILD_EXPECT(flowctl_acquire(own.limiter, 10, 5 * FLOWCTL_NS_PER_SEC).verdict == FLOWCTL_ALLOW);
    flowctl_limiter_destroy(own.limiter);
    flowctl_backend_destroy(own.backend);
}

__attribute__((unused)) static void a_child_opens_its_own(void **state) {
    (void)state;
    struct family f;
    begin(&f);
    for (int i = 0; i < 5; i++) in_child(live_on_its_own, &f);
    assert_int_equal(flowctl_acquire(f.limiter, 10, 5 * FLOWCTL_NS_PER_SEC).verdict, FLOWCTL_ALLOW);
    end(&f);
}

static void fork_again(void *argument) {
    live_on_its_own(argument);
    flowctl_backend *b = open_memory();
    flowctl_limiter *l = limiter_on(b);
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        CHILD_EXPECT(flowctl_decide(l, 1).status == FLOWCTL_CLOSED);
        flowctl_limiter_destroy(l);
        flowctl_backend_destroy(b);
        _exit(0);
    }
    int status;
    CHILD_EXPECT(waitpid(child, &status, 0) == child && status == 0);
    CHILD_EXPECT(flowctl_decide(l, 1).status == FLOWCTL_OK);
    flowctl_limiter_destroy(l);
    flowctl_backend_destroy(b);
}

__attribute__((unused)) static void a_childs_child(void **state) {
    (void)state;
    struct family f;
    begin(&f);
    in_child(fork_again, &f);
    end(&f);
}

/* Forks while threads decide, drive and create. */
static atomic_bool enough;

static void *hammer(void *argument) {
    struct family *f = argument;
    while (!atomic_load(&enough)) {
        flowctl_try_acquire(f->limiter, 1);
        flowctl_limiter *l = limiter_on(f->backend);
        if (l != NULL) flowctl_try_acquire(l, 1), flowctl_limiter_destroy(l);
    }
    return NULL;
}

static void only_look(void *argument) {
    struct family *f = argument;
    CHILD_EXPECT(flowctl_decide(f->limiter, 1).status == FLOWCTL_CLOSED);
    flowctl_limiter_destroy(f->limiter);
}

static void forks_at_any_moment(void **state) {
    (void)state;
    struct family f;
    pthread_t threads[2];
    begin(&f);
    atomic_store(&enough, false);
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, hammer, &f), 0);
    for (int i = 0; i < 60; i++) in_child(only_look, &f);
    atomic_store(&enough, true);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    end(&f);
}

/* With a manual clock and FLOWCTL_DRIVE_POLL the same. */
static void closed_in_child(void *argument) {
    struct shared *s = argument;
    CHILD_EXPECT(!flowctl_try_acquire(s->limiter, 1));
    CHILD_EXPECT(flowctl_backend_poll(s->backend) == FLOWCTL_FOREVER);
    unsigned asks = s->script.asks;
    shared_free(s);
    CHILD_EXPECT(s->script.asks == asks); /* the session is the parent's to end */
    CHILD_EXPECT(s->script.closed == 0);
}

static void nothing_is_said_to_the_store_by_a_child(void **state) {
    (void)state;
    struct shared s;
    shared_with(&s, 10, FLOWCTL_AWAY_CLOSED);
    in_child(closed_in_child, &s);
    assert_true(flowctl_try_acquire(s.limiter, 10));
    shared_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_holds_nothing),
        cmocka_unit_test(a_backend_of_the_parent_is_closed),
        cmocka_unit_test(a_child_destroys_what_it_inherited),
        cmocka_unit_test(threads_that_waited_are_not_in_the_child),
#ifndef __SANITIZE_THREAD__ /* it can't follow threads that are started in a child of a program that had some */
        cmocka_unit_test(a_child_opens_its_own),
        cmocka_unit_test(a_childs_child),
#endif
        cmocka_unit_test(forks_at_any_moment),
        cmocka_unit_test(nothing_is_said_to_the_store_by_a_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

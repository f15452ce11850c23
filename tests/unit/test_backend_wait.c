/* Backends that have something to wait for: their thread sleeps in `wait`, an event loop by their descriptor. */
#include "unit/script.h"

#include <flowctl/store.h>
#include <flowctl/sys/fault.h>
#include <flowctl/sys/trace.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS FLOWCTL_NS_PER_MS
#define LONG (5 * FLOWCTL_NS_PER_SEC)

/* A script with a line to its store; of one at a time. */
static struct line {
    int interrupt, socket; /* eventfds: numbers that wait to be read */
    int both;              /* readable if one of them is */
    _Atomic unsigned waits, interrupts;
    _Atomic unsigned heard; /* what came by the socket */
    _Atomic uint64_t until_ns;
    sigset_t mask;   /* of the thread that waits */
    bool asks_again; /* each poll asks for another */
} line;

static void put(int fd) { assert_int_equal(eventfd_write(fd, 1), 0); }

static uint64_t take(int fd) {
    eventfd_t value = 0;
    return eventfd_read(fd, &value) == 0 ? value : 0;
}

static bool readable(int fd, int for_ms) { return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, for_ms) == 1; }

static int no_block(void) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(fd >= 0);
    assert_int_equal(epoll_ctl(line.both, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN}), 0);
    return fd;
}

static void line_up(void) {
    line = (struct line){.both = epoll_create1(EPOLL_CLOEXEC)};
    line.interrupt = no_block();
    line.socket = no_block();
}

static void line_down(void) { close(line.interrupt), close(line.socket), close(line.both); }

static void line_wait(flowctl_backend_base *base, uint64_t until_ns) {
    uint64_t now_ns = flowctl_backend_time(base), left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    pthread_sigmask(SIG_BLOCK, NULL, &line.mask);
    atomic_store(&line.until_ns, until_ns);
    atomic_fetch_add(&line.waits, 1);
    readable(line.both, left_ns > 1000000 * MS ? -1 : (int)((left_ns + MS - 1) / MS));
    take(line.interrupt);
}

static void line_interrupt(flowctl_backend_base *base) {
    (void)base;
    atomic_fetch_add(&line.interrupts, 1);
    put(line.interrupt);
}

static int line_descriptor(const flowctl_backend_base *base) { return (void)base, line.both; }

static uint64_t line_poll(flowctl_backend_base *base, uint64_t now_ns) {
    take(line.interrupt);
    atomic_fetch_add(&line.heard, (unsigned)take(line.socket));
    if (line.asks_again) flowctl_ask_for_poll(base);
    return script_ops.poll(base, now_ns);
}

/* Each member is lent the same once; for members that come and go while answers are given. */
static void lend_once(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_ask *ask) {
    flowctl_lease_reply r = {.size = sizeof r, .session = ask->session, .seq = ask->seq, .granted = 10, .members = 1};
    r.grant = ask->seq == 1 ? 10 : 0;
    r.identity = 1;
    r.lease_ns = ask->terms.ttl_ns;
    r.terms = ask->terms;
    flowctl_answer_lease(base, ticket, &r);
}

static flowctl_backend_ops line_ops(void) {
    flowctl_backend_ops ops = script_ops;
    ops.poll = line_poll;
    ops.wait = line_wait;
    ops.interrupt = line_interrupt;
    ops.descriptor = line_descriptor;
    return ops;
}

static flowctl_backend *open_ops(const flowctl_backend_ops *ops, const void *config, flowctl_drive drive) {
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *b;
    o.ops = ops;
    o.config = config;
    o.drive = drive;
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    return b;
}

/* Renewed so seldom that whatever moves it along, time does not. */
static flowctl_limiter *create_slow(flowctl_backend *b) {
    struct shared s = {.backend = b};
    flowctl_token_bucket_options o = shared_options(&s);
    o.sharing.ttl_ns = FLOWCTL_NS_PER_HOUR;
    o.sharing.refresh_ns = FLOWCTL_NS_PER_HOUR / 4;
    return shared_create(&o);
}

/* ---- a thread that sleeps in wait ---- */

static void with_nothing_to_do_the_thread_waits_for_ever(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    const flowctl_backend_ops ops = line_ops();
    line_up();
    flowctl_backend *b = open_ops(&ops, &script, FLOWCTL_DRIVE_THREAD);
    AWAIT(atomic_load(&line.waits) == 1);
    assert_int_equal(atomic_load(&line.until_ns), FLOWCTL_FOREVER);
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    assert_int_equal(atomic_load(&line.waits), 1);
    flowctl_backend_destroy(b); /* returns, though it waits for ever */
    assert_int_equal(script.closed, 1);
    line_down();
}

static void what_comes_by_the_line_is_polled(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    const flowctl_backend_ops ops = line_ops();
    line_up();
    flowctl_backend *b = open_ops(&ops, &script, FLOWCTL_DRIVE_THREAD);
    for (unsigned i = 1; i <= 100; i++) {
        put(line.socket);
        AWAIT(atomic_load(&line.heard) == i);
    }
    assert_int_equal(atomic_load(&line.interrupts), 0);
    flowctl_backend_destroy(b);
    line_down();
}

/* Whatever the thread is doing when somebody wants something, it does that soon: only that moves these limiters along. */
static void nobody_who_wants_something_is_overslept(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend_ops ops = line_ops();
    ops.lease = lend_once;
    line_up();
    flowctl_backend *b = open_ops(&ops, &script, FLOWCTL_DRIVE_THREAD);
    for (int i = 0; i < 1000; i++) {
        flowctl_limiter *l = create_slow(b);
        AWAIT(shared_info(l).state == FLOWCTL_LEASE_ACTIVE);
        flowctl_limiter_destroy(l);
    }
    flowctl_backend_destroy(b);
    line_down();
}

static void *ask_for_polls(void *argument) {
    flowctl_backend_base *base = argument;
    for (int i = 0; i < 20000; i++) flowctl_ask_for_poll(base);
    return NULL;
}

static void many_may_ask_at_once(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    const flowctl_backend_ops ops = line_ops();
    pthread_t threads[4];
    line_up();
    flowctl_backend *b = open_ops(&ops, &script, FLOWCTL_DRIVE_THREAD);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, ask_for_polls, script.base);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    unsigned before = atomic_load(&script.polls);
    flowctl_ask_for_poll(script.base);
    AWAIT(atomic_load(&script.polls) > before);
    flowctl_backend_destroy(b);
    line_down();
}

/* Its own poll takes the interrupt away that it caused itself. */
static void a_poll_that_asks_for_another_gets_it(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    const flowctl_backend_ops ops = line_ops();
    line_up();
    line.asks_again = true;
    flowctl_backend *b = open_ops(&ops, &script, FLOWCTL_DRIVE_THREAD);
    AWAIT(atomic_load(&script.polls) > 100);
    flowctl_backend_destroy(b);
    line_down();
}

static void changed(void *context, const char *key) { (void)context, (void)key; }

/* A call from another thread: the slots are called by the one that waits. */
static pthread_t slot_thread;
static flowctl_status note_thread(flowctl_backend_base *base, const char *key, bool on) {
    (void)base, (void)key, (void)on;
    slot_thread = pthread_self();
    return FLOWCTL_OK;
}

static void slots_are_called_by_the_thread_that_waits(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend_ops ops = line_ops();
    ops.watch = note_thread;
    line_up();
    flowctl_backend *b = open_ops(&ops, &script, FLOWCTL_DRIVE_THREAD);
    AWAIT(atomic_load(&line.waits) != 0);
    assert_int_equal(flowctl_store_watch(b, "k", changed, NULL, NULL), FLOWCTL_OK);
    assert_false(pthread_equal(slot_thread, pthread_self()));
    flowctl_backend_destroy(b);
    line_down();
}

/* ---- an event loop ---- */

static void the_thread_handles_no_signals(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend_ops ops = line_ops();
    sigset_t before, after;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    line_up();
    flowctl_backend *b = open_ops(&ops, &script, FLOWCTL_DRIVE_THREAD);
    AWAIT(atomic_load(&line.waits) != 0);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int n = 1; n < 32; n++) assert_int_equal(sigismember(&after, n), sigismember(&before, n));
    flowctl_backend_destroy(b); /* joins it: what it wrote can be read */
    const int blocked[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD, SIGPIPE},
              open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof blocked / sizeof *blocked; i++) assert_true(sigismember(&line.mask, blocked[i]) == 1);
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) assert_true(sigismember(&line.mask, open[i]) == 0);
    line_down();
}

static void a_descriptor_is_for_those_who_poll(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    const flowctl_backend_ops ops = line_ops();
    line_up();
    assert_int_equal(flowctl_backend_descriptor(NULL), -1);
    flowctl_backend *b = open_ops(&ops, &script, FLOWCTL_DRIVE_THREAD);
    assert_int_equal(flowctl_backend_descriptor(b), -1);
    flowctl_backend_destroy(b);
    b = open_ops(&script_ops, &script, FLOWCTL_DRIVE_POLL); /* has none */
    assert_int_equal(flowctl_backend_descriptor(b), -1);
    flowctl_backend_destroy(b);
    unsigned waits = atomic_load(&line.waits);
    b = open_ops(&ops, &script, FLOWCTL_DRIVE_POLL);
    assert_int_equal(flowctl_backend_descriptor(b), line.both);
    flowctl_backend_poll(b);
    assert_int_equal(atomic_load(&line.waits), waits);
    flowctl_backend_destroy(b);
    line_down();
}

static void *be_short(void *argument) {
    assert_false(flowctl_try_acquire(argument, 50));
    return NULL;
}

static void who_is_short_makes_it_readable(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    const flowctl_backend_ops ops = line_ops();
    pthread_t thread;
    line_up();
    flowctl_backend *b = open_ops(&ops, &script, FLOWCTL_DRIVE_POLL);
    int fd = flowctl_backend_descriptor(b);
    struct shared s = {.backend = b};
    flowctl_token_bucket_options o = shared_options(&s);
    flowctl_backend_poll(b);
    flowctl_limiter *l = shared_create(&o);
    assert_true(readable(fd, 0)); /* it wants its first lease */
    flowctl_backend_poll(b);
    script_grant(&script, 1, 10);
    while (readable(fd, 0)) flowctl_backend_poll(b);
    nanosleep(&(struct timespec){0, 20000000}, NULL); /* so that it may ask again */
    pthread_create(&thread, NULL, be_short, l);
    pthread_join(thread, NULL);
    assert_true(readable(fd, 0));
    unsigned before = script.asks;
    flowctl_backend_poll(b);
    assert_int_equal(script.asks, before + 1);
    flowctl_limiter_destroy(l);
    flowctl_backend_destroy(b);
    line_down();
}

static void what_comes_by_the_line_makes_it_readable(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    const flowctl_backend_ops ops = line_ops();
    line_up();
    flowctl_backend *b = open_ops(&ops, &script, FLOWCTL_DRIVE_POLL);
    int fd = flowctl_backend_descriptor(b);
    assert_int_equal(flowctl_backend_poll(b), FLOWCTL_FOREVER);
    assert_false(readable(fd, 0));
    put(line.socket);
    assert_true(readable(fd, 0));
    flowctl_backend_poll(b);
    assert_int_equal(atomic_load(&line.heard), 1);
    assert_false(readable(fd, 0));
    flowctl_backend_destroy(b);
    line_down();
}

/* A thread that waits for the store polls, too: the event loop was told a time that is too late by then. */
static void who_polls_beside_the_loop_tells_it(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    const flowctl_backend_ops ops = line_ops();
    uint64_t value;
    line_up();
    flowctl_backend *b = open_ops(&ops, &script, FLOWCTL_DRIVE_POLL);
    int fd = flowctl_backend_descriptor(b);
    assert_int_equal(flowctl_backend_poll(b), FLOWCTL_FOREVER);
    assert_int_equal(flowctl_store_increment(b, "n", 1, &value, MS, NULL), FLOWCTL_TIMED_OUT);
    assert_true(readable(fd, 0));
    flowctl_backend_poll(b);
    assert_false(readable(fd, 0));
    flowctl_limiter *l = create_slow(b);
    flowctl_backend_poll(b);
    assert_int_equal(flowctl_limiter_wait_ready(l, MS), FLOWCTL_TIMED_OUT);
    assert_true(readable(fd, 0));
    assert_true(flowctl_backend_poll(b) < FLOWCTL_FOREVER); /* when the ask is taken for lost */
    flowctl_limiter_destroy(l);
    flowctl_backend_destroy(b);
    line_down();
}

/* An event loop that does as it is told, and threads that are short. */
struct loop {
    flowctl_backend *backend;
    atomic_bool enough;
};

static void *be_event_loop(void *argument) {
    struct loop *loop = argument;
    int fd = flowctl_backend_descriptor(loop->backend);
    while (!atomic_load(&loop->enough)) {
        uint64_t next_ns = flowctl_backend_poll(loop->backend), now_ns = flowctl_clock_now(flowctl_clock_boottime());
        uint64_t left_ns = next_ns > now_ns ? next_ns - now_ns : 0;
        readable(fd, left_ns > 1000000 * MS ? -1 : (int)((left_ns + MS - 1) / MS));
    }
    return NULL;
}

static void an_event_loop_oversleeps_nobody(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend_ops ops = line_ops();
    pthread_t thread;
    ops.lease = lend_once;
    line_up();
    struct loop loop = {.backend = open_ops(&ops, &script, FLOWCTL_DRIVE_POLL)};
    pthread_create(&thread, NULL, be_event_loop, &loop);
    for (int i = 0; i < 1000; i++) {
        flowctl_limiter *l = create_slow(loop.backend);
        AWAIT(shared_info(l).state == FLOWCTL_LEASE_ACTIVE);
        flowctl_limiter_destroy(l);
    }
    atomic_store(&loop.enough, true);
    flowctl_ask_for_poll(script.base);
    put(line.socket);
    pthread_join(thread, NULL);
    flowctl_backend_destroy(loop.backend);
    line_down();
}

/* ---- decorators ---- */

static void no_sink(void *context, uint64_t now_ns, const char *text) { (void)context, (void)now_ns, (void)text; }

static void decorators_wait_as_what_is_inside(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend_ops ops = line_ops();
    flowctl_faults *faults;
    assert_int_equal(flowctl_faults_create(1, &faults, NULL), FLOWCTL_OK);
    flowctl_trace_config trace = {sizeof trace, &ops, &script, no_sink, NULL};
    flowctl_fault_config fault = {sizeof fault, flowctl_trace_backend(), &trace, faults};
    ops.lease = lend_once;
    line_up();
    flowctl_backend *b = open_ops(flowctl_fault_backend(), &fault, FLOWCTL_DRIVE_THREAD);
    assert_ptr_equal(flowctl_backend_instance(b, &ops), script.base);
    flowctl_limiter *l = create_slow(b);
    AWAIT(shared_info(l).state == FLOWCTL_LEASE_ACTIVE);
    AWAIT(atomic_load(&line.waits) != 0);
    flowctl_limiter_destroy(l);
    flowctl_backend_destroy(b);
    b = open_ops(flowctl_fault_backend(), &fault, FLOWCTL_DRIVE_POLL);
    assert_int_equal(flowctl_backend_descriptor(b), line.both);
    flowctl_backend_destroy(b);
    line_down();
    flowctl_faults_destroy(faults);
}

static void decorators_sleep_where_nothing_inside_waits(void **state) {
    (void)state;
    flowctl_trace_config trace = {sizeof trace, flowctl_memory_backend(), NULL, no_sink, NULL};
    flowctl_backend *b = open_ops(flowctl_trace_backend(), &trace, FLOWCTL_DRIVE_THREAD);
    for (int i = 0; i < 100; i++) {
        flowctl_limiter *l = create_slow(b);
        AWAIT(shared_info(l).state == FLOWCTL_LEASE_ACTIVE);
        flowctl_limiter_destroy(l);
    }
    flowctl_backend_destroy(b);
    b = open_ops(flowctl_trace_backend(), &trace, FLOWCTL_DRIVE_POLL);
    assert_int_equal(flowctl_backend_descriptor(b), -1);
    flowctl_backend_destroy(b);
}

static void an_instance_is_found_by_its_ops(void **state) {
    (void)state;
    struct script script = {.base = NULL};
    flowctl_backend *b = open_ops(&script_ops, &script, FLOWCTL_DRIVE_POLL);
    assert_ptr_equal(flowctl_backend_instance(b, &script_ops), script.base);
    assert_null(flowctl_backend_instance(b, flowctl_memory_backend()));
    assert_null(flowctl_backend_instance(b, NULL));
    assert_null(flowctl_backend_instance(NULL, &script_ops));
    flowctl_backend_destroy(b);
    flowctl_trace_config trace = {sizeof trace, &script_ops, &script, no_sink, NULL};
    b = open_ops(flowctl_trace_backend(), &trace, FLOWCTL_DRIVE_POLL);
    assert_ptr_equal(flowctl_backend_instance(b, &script_ops), script.base);
    assert_non_null(flowctl_backend_instance(b, flowctl_trace_backend()));
    assert_null(flowctl_backend_instance(b, flowctl_memory_backend()));
    flowctl_backend_destroy(b);
}

/* ---- the child of a fork ---- */

/* The line is its parent's: nothing in the child touches it. */
static void a_child_leaves_the_line_alone(void **state) {
    (void)state;
    static const flowctl_drive drives[] = {FLOWCTL_DRIVE_THREAD, FLOWCTL_DRIVE_POLL};
    for (size_t i = 0; i < COUNT(drives); i++) {
        struct script script = {.generous = true};
        const flowctl_backend_ops ops = line_ops();
        line_up();
        flowctl_backend *b = open_ops(&ops, &script, drives[i]);
        flowctl_limiter *l = create_slow(b);
        assert_int_equal(flowctl_limiter_wait_ready(l, LONG), FLOWCTL_OK);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(20);
            unsigned interrupts = atomic_load(&line.interrupts), waits = atomic_load(&line.waits);
            bool well = !flowctl_try_acquire(l, 1) && flowctl_backend_descriptor(b) == -1 &&
                        flowctl_backend_instance(b, &ops) == NULL && flowctl_backend_poll(b) == FLOWCTL_FOREVER &&
                        flowctl_set_burst(l, 7, NULL) == FLOWCTL_CLOSED;
            flowctl_limiter_destroy(l);
            flowctl_backend_destroy(b);
            well = well && script.closed == 0 && atomic_load(&line.interrupts) == interrupts;
            _exit(well && atomic_load(&line.waits) == waits ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        flowctl_limiter_destroy(l);
        flowctl_backend_destroy(b);
        assert_int_equal(script.closed, 1);
        line_down();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_nothing_to_do_the_thread_waits_for_ever),
        cmocka_unit_test(what_comes_by_the_line_is_polled),
        cmocka_unit_test(nobody_who_wants_something_is_overslept),
        cmocka_unit_test(many_may_ask_at_once),
        cmocka_unit_test(a_poll_that_asks_for_another_gets_it),
        cmocka_unit_test(slots_are_called_by_the_thread_that_waits),
        cmocka_unit_test(the_thread_handles_no_signals),
        cmocka_unit_test(a_descriptor_is_for_those_who_poll),
        cmocka_unit_test(who_is_short_makes_it_readable),
        cmocka_unit_test(what_comes_by_the_line_makes_it_readable),
        cmocka_unit_test(who_polls_beside_the_loop_tells_it),
        cmocka_unit_test(an_event_loop_oversleeps_nobody),
        cmocka_unit_test(decorators_wait_as_what_is_inside),
        cmocka_unit_test(decorators_sleep_where_nothing_inside_waits),
        cmocka_unit_test(an_instance_is_found_by_its_ops),
        cmocka_unit_test(a_child_leaves_the_line_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

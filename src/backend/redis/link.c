/*
 * The connection: one at a time, made anew with backoff and jitter when it ends. hiredis speaks the protocol; here are its events, over one epoll
 * descriptor with the socket and an eventfd in it, by which other threads interrupt.
 */
#include "base/error.h"
#include "redis.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* ---- errors ---- */

bool fc_redis_note(struct fc_redis *r, flowctl_redis_fault fault, const char *message) {
    r->fault = fault;
    pthread_mutex_lock(&r->lock);
    r->info.fault = fault;
    r->info.faults++;
    snprintf(r->info.message, sizeof r->info.message, "%s", message);
    pthread_mutex_unlock(&r->lock);
    /* A server that is no master any more: the name, or the address, may lead to the new one. */
    if (fault == FLOWCTL_REDIS_READONLY || fault == FLOWCTL_REDIS_REFUSED) r->doomed = true;
    return r->doomed;
}

static void set_ready(struct fc_redis *r, bool ready) {
    pthread_mutex_lock(&r->lock);
    r->info.ready = ready;
    r->info.connects += ready;
    pthread_mutex_unlock(&r->lock);
}

/* ---- what hiredis asks of an event loop ---- */

static void add_write(void *data) { ((struct fc_redis *)data)->wants_write = true; }
static void del_write(void *data) { ((struct fc_redis *)data)->wants_write = false; }
static void ignore(void *data) { (void)data; }

/* The context, and its socket, are no more. */
static void forget_context(void *data) {
    struct fc_redis *r = data;
    epoll_ctl(r->epoll, EPOLL_CTL_DEL, r->context->c.fd, NULL);
    r->context = NULL;
}

/* Not by us: then it has been noted why. */
static void disconnected(const redisAsyncContext *context, int status) {
    if (status != REDIS_OK) fc_redis_note(context->data, FLOWCTL_REDIS_DISCONNECTED, context->errstr);
}

/* A write to a connection that the server has closed must not end the program. */
static void write_quietly(redisAsyncContext *context) {
    sigset_t pipe, before, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    redisAsyncHandleWrite(context);
    if (!was_pending) sigtimedwait(&pipe, NULL, &(struct timespec){0, 0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void watch(struct fc_redis *r, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (r->wants_write ? EPOLLOUT : 0), .data.fd = r->context->c.fd};
    epoll_ctl(r->epoll, operation, r->context->c.fd, &event);
    r->watched_write = r->wants_write;
}

/* ---- coming and going ---- */

/* Half of it to all of it: clients that lost one server together do not come back together. */
static uint64_t backoff(struct fc_redis *r) {
    unsigned doublings = r->attempts < 20 ? r->attempts : 20;
    uint64_t ns = least(r->settings.backoff_min_ns << doublings, r->settings.backoff_max_ns);
    r->attempts++;
    r->random ^= r->random << 13, r->random ^= r->random >> 7, r->random ^= r->random << 17; /* xorshift */
    return ns / 2 + r->random % (ns / 2 + 1);
}

static void go_down(struct fc_redis *r, uint64_t now_ns) {
    if (r->phase == FC_REDIS_READY) set_ready(r, false), r->attempts = 0;
    r->phase = FC_REDIS_DOWN;
    r->doomed = false;
    r->deadline_ns = now_ns + backoff(r);
    if (r->context != NULL) redisAsyncFree(r->context); /* ends all that was sent */
    fc_redis_calls_give_up(r, fc_redis_fault_status(r->fault));
}

static void silent(struct fc_redis *r, uint64_t now_ns) {
    fc_redis_note(r, FLOWCTL_REDIS_SILENT,
                  r->phase == FC_REDIS_CONNECTING ? "the connection is not accepted in time"
                                                  : "the server does not answer in time");
    go_down(r, now_ns);
}

/* One of the answers that are awaited before anything else is sent. */
static void greeted(redisAsyncContext *context, void *answer, void *data) {
    struct fc_redis *r = data;
    const redisReply *reply = answer;
    (void)context;
    if (reply == NULL) return;
    if (reply->type == REDIS_REPLY_ERROR) {
        fc_redis_note(r, fc_redis_fault_of(reply->str), reply->str);
        r->doomed = true;
        return;
    }
    if (--r->greetings != 0 || r->doomed) return;
    r->phase = FC_REDIS_READY;
    r->attempts = 0;
    set_ready(r, true);
    fc_redis_calls_release(r);
}

static void greet(struct fc_redis *r, int count, const char **words) {
    r->greetings++;
    redisAsyncCommandArgv(r->context, greeted, r, count, words, NULL);
}

static void connected(const redisAsyncContext *context, int status) {
    struct fc_redis *r = context->data;
    if (status != REDIS_OK) { /* it will be freed, and found to be gone */
        fc_redis_note(r, FLOWCTL_REDIS_UNREACHABLE, context->c.errstr);
        return;
    }
    const struct fc_redis_settings *s = &r->settings;
    char database[16];
    snprintf(database, sizeof database, "%d", s->database);
    r->phase = FC_REDIS_GREETING;
    r->greetings = 0;
    if (s->user != NULL) greet(r, 3, (const char *[]){"AUTH", s->user, s->password});
    else if (s->password != NULL) greet(r, 2, (const char *[]){"AUTH", s->password});
    if (s->database != 0) greet(r, 2, (const char *[]){"SELECT", database});
    greet(r, 3, (const char *[]){"SCRIPT", "LOAD", fc_redis_lease_script.text});
}

static void begin_to_connect(struct fc_redis *r, uint64_t now_ns) {
    const struct fc_redis_settings *s = &r->settings;
    redisAsyncContext *context =
        s->unix_socket != NULL ? redisAsyncConnectUnix(s->unix_socket) : redisAsyncConnect(s->host, s->port);
    r->phase = FC_REDIS_CONNECTING;
    r->deadline_ns = now_ns + s->connect_timeout_ns;
    if (context == NULL || context->err != 0) {
        fc_redis_note(r, FLOWCTL_REDIS_UNREACHABLE, context == NULL ? "no memory" : context->errstr);
        if (context != NULL) redisAsyncFree(context);
        go_down(r, now_ns);
        return;
    }
    fcntl(context->c.fd, F_SETFD, FD_CLOEXEC);
    if (s->unix_socket == NULL) redisEnableKeepAlive(&context->c);
    context->data = r;
    context->ev.data = r;
    context->ev.addRead = context->ev.delRead = ignore;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = forget_context;
    r->context = context;
    r->wants_write = true;
    watch(r, EPOLL_CTL_ADD);
    redisAsyncSetConnectCallback(context, connected);
    redisAsyncSetDisconnectCallback(context, disconnected);
}

/* ---- being driven ---- */

static void drain(struct fc_redis *r) {
    uint64_t count;
    if (!atomic_exchange(&r->interrupted, false)) return;
    if (read(r->event, &count, sizeof count) < 0) return; /* not written yet: it will be read as one interrupt more */
}

static uint32_t socket_events(struct fc_redis *r) {
    struct epoll_event events[2];
    int count = epoll_wait(r->epoll, events, 2, 0);
    for (int i = 0; i < count; i++)
        if (events[i].data.fd != r->event) return events[i].events;
    return 0;
}

/* Lets hiredis read and write. It may end the context in each step. */
static void exchange(struct fc_redis *r) {
    uint32_t events = socket_events(r);
    bool writable = (events & EPOLLOUT) != 0 || r->phase > FC_REDIS_CONNECTING; /* what does not fit is written later */
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && r->phase > FC_REDIS_CONNECTING) redisAsyncHandleRead(r->context);
    if (r->context != NULL && r->wants_write && writable) write_quietly(r->context);
    if (r->context != NULL && r->phase == FC_REDIS_CONNECTING && (events & (EPOLLHUP | EPOLLERR)) != 0)
        write_quietly(r->context);
    if (r->context != NULL && r->wants_write != r->watched_write) watch(r, EPOLL_CTL_MOD);
}

static bool late(const struct fc_redis *r, uint64_t now_ns) {
    if (r->phase != FC_REDIS_READY) return now_ns >= r->deadline_ns;
    return r->sent.first != NULL && now_ns >= r->sent.first->sent_ns + r->settings.reply_timeout_ns;
}

static uint64_t next_due(const struct fc_redis *r) {
    if (r->phase != FC_REDIS_READY) return r->deadline_ns;
    return r->sent.first != NULL ? r->sent.first->sent_ns + r->settings.reply_timeout_ns : FLOWCTL_FOREVER;
}

uint64_t fc_redis_link_poll(struct fc_redis *r, uint64_t now_ns) {
    drain(r);
    if (r->phase == FC_REDIS_DOWN && now_ns >= r->deadline_ns) begin_to_connect(r, now_ns);
    if (r->context != NULL) exchange(r);
    if (r->phase == FC_REDIS_DOWN) return next_due(r);
    if (r->context == NULL || r->doomed) go_down(r, now_ns);
    else if (late(r, now_ns)) silent(r, now_ns);
    return next_due(r);
}

void fc_redis_link_wait(struct fc_redis *r, uint64_t until_ns) {
    uint64_t now_ns = flowctl_backend_time(&r->base), ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct pollfd descriptor = {.fd = r->epoll, .events = POLLIN};
    struct timespec limit = {(time_t)(ns / FLOWCTL_NS_PER_SEC), (long)(ns % FLOWCTL_NS_PER_SEC)};
    ppoll(&descriptor, 1, until_ns == FLOWCTL_FOREVER ? NULL : &limit, NULL);
    drain(r);
}

void fc_redis_link_interrupt(struct fc_redis *r) {
    const uint64_t one = 1;
    if (atomic_exchange(&r->interrupted, true)) return;
    if (write(r->event, &one, sizeof one) < 0) return; /* full of interrupts already */
}

/* ---- opening ---- */

static uint64_t monotonic_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * FLOWCTL_NS_PER_SEC + (uint64_t)now.tv_nsec;
}

/* By the real clock: that of the backend may be one that the program sets. */
static flowctl_status wait_until_ready(struct fc_redis *r, flowctl_error *err) {
    uint64_t end_ns = monotonic_now() + r->settings.connect_timeout_ns;
    for (;;) {
        fc_redis_link_poll(r, flowctl_backend_time(&r->base));
        uint64_t now_ns = monotonic_now();
        if (r->phase == FC_REDIS_READY) return FLOWCTL_OK;
        if (r->phase == FC_REDIS_DOWN || now_ns >= end_ns) break;
        struct timespec limit = {(time_t)((end_ns - now_ns) / FLOWCTL_NS_PER_SEC),
                                 (long)((end_ns - now_ns) % FLOWCTL_NS_PER_SEC)};
        ppoll(&(struct pollfd){.fd = r->epoll, .events = POLLIN}, 1, &limit, NULL);
    }
    if (r->phase != FC_REDIS_DOWN) silent(r, flowctl_backend_time(&r->base));
    const struct fc_redis_settings *s = &r->settings;
    if (s->unix_socket != NULL)
        return fc_fail(err, fc_redis_fault_status(r->fault), FC_NO_TEXT, "redis: %.80s: %.120s", s->unix_socket,
                       r->info.message);
    return fc_fail(err, fc_redis_fault_status(r->fault), FC_NO_TEXT, "redis: %.80s, port %d: %.120s", s->host, s->port,
                   r->info.message);
}

flowctl_status fc_redis_link_open(struct fc_redis *r, flowctl_error *err) {
    r->fault = FLOWCTL_REDIS_UNREACHABLE; /* until it was tried */
    if (getrandom(&r->random, sizeof r->random, 0) != (ssize_t)sizeof r->random) r->random = monotonic_now();
    r->random |= 1;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->epoll < 0 || r->event < 0 ||
        epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->event, &(struct epoll_event){.events = EPOLLIN, .data.fd = r->event}) != 0)
        return fc_fail(err, FLOWCTL_SYSTEM, FC_NO_TEXT, "redis: epoll: %s", strerror(errno));
    return r->settings.start == FLOWCTL_REDIS_START_FAIL ? wait_until_ready(r, err) : FLOWCTL_OK;
}

void fc_redis_link_close(struct fc_redis *r) {
    if (r->epoll < 0) return;
    r->fault = FLOWCTL_REDIS_DISCONNECTED;
    if (r->phase == FC_REDIS_READY && r->wants_write && !r->doomed) write_quietly(r->context); /* farewells */
    if (r->context != NULL) go_down(r, 0);
    if (r->event >= 0) close(r->event);
    close(r->epoll);
}

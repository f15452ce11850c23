/*
 * The connection: one at a time, made anew with backoff and jitter when it ends. hiredis connects, buffers, and reads the protocol; what to do when is
 * here, over one epoll descriptor with the socket and an eventfd in it, by which other threads interrupt.
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GOODBYE_NS (FLOWCTL_NS_PER_SEC / 10)

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* ---- errors ---- */

void fc_redis_note(struct fc_redis *r, flowctl_redis_fault fault, const char *message, size_t shown) {
    r->fault = fault;
    pthread_mutex_lock(&r->lock);
    r->info.fault = fault;
    r->info.faults++;
    snprintf(r->info.message, sizeof r->info.message, "%.*s", (int)least(shown, sizeof r->info.message), message);
    pthread_mutex_unlock(&r->lock);
    /* A server that is no master any more: the name, or the address, may lead to the new one. */
    if (fault == FLOWCTL_REDIS_READONLY || strncmp(message, "NOAUTH", 6) == 0) r->doomed = true;
}

void fc_redis_lose(struct fc_redis *r, flowctl_redis_fault fault, const char *message) {
    fc_redis_note(r, fault, message, SIZE_MAX);
    r->doomed = true;
}

static void set_ready(struct fc_redis *r, bool ready) {
    pthread_mutex_lock(&r->lock);
    r->info.ready = ready;
    r->info.connects += ready;
    pthread_mutex_unlock(&r->lock);
}

/* ---- the socket ---- */

static void watch(struct fc_redis *r, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (r->unsent ? EPOLLOUT : 0), .data.fd = r->context->fd};
    epoll_ctl(r->epoll, operation, r->context->fd, &event);
    r->watched_unsent = r->unsent;
}

/* A write to a connection that the server has closed must not end the program. */
static int write_quietly(redisContext *context, int *done) {
    sigset_t pipe, before, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    int result = redisBufferWrite(context, done);
    if (!was_pending) sigtimedwait(&pipe, NULL, &(struct timespec){0, 0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static void write_out(struct fc_redis *r) {
    int done = 0;
    if (write_quietly(r->context, &done) != REDIS_OK) fc_redis_lose(r, FLOWCTL_REDIS_DISCONNECTED, r->context->errstr);
    r->unsent = done == 0;
}

static void read_in(struct fc_redis *r, uint64_t now_ns) {
    redisContext *c = r->context;
    void *reply = NULL;
    int result = redisBufferRead(c);
    while (result == REDIS_OK && !r->doomed && (result = redisGetReplyFromReader(c, &reply)) == REDIS_OK && reply != NULL) {
        bool greeting = r->phase != FC_REDIS_READY;
        r->heard_ns = now_ns;
        fc_redis_call_answered(r, reply);
        freeReplyObject(reply);
        if (!greeting && !r->doomed) r->attempts = 0;
    }
    if (result != REDIS_OK) fc_redis_lose(r, FLOWCTL_REDIS_DISCONNECTED, c->errstr);
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
    if (r->phase == FC_REDIS_READY) set_ready(r, false);
    r->phase = FC_REDIS_DOWN;
    r->deadline_ns = now_ns + backoff(r);
    r->unsent = false;
    r->loading = NULL;
    if (r->context != NULL) {
        if (r->context->fd >= 0) epoll_ctl(r->epoll, EPOLL_CTL_DEL, r->context->fd, NULL);
        redisFree(r->context);
        r->context = NULL;
    }
    fc_redis_calls_give_up(r, fc_redis_fault_status(r->fault));
    r->doomed = false;
}

static void silent(struct fc_redis *r, uint64_t now_ns) {
    fc_redis_lose(r, FLOWCTL_REDIS_SILENT,
                  r->phase == FC_REDIS_CONNECTING ? "the connection is not accepted in time"
                                                  : "the server does not answer in time");
    go_down(r, now_ns);
}

static bool is_name_of(const redisReply *reply, const struct fc_redis_script *script) {
    return reply->type == REDIS_REPLY_STRING && strcmp(reply->str, script->sha) == 0;
}

/* One of the answers that are awaited before anything else is sent. */
static void greeted(struct fc_redis *r, struct fc_redis_call *call, const redisReply *reply, flowctl_status status) {
    if (status != FLOWCTL_OK) r->doomed = true;
    else if (call->loads != NULL && !is_name_of(reply, call->loads))
        fc_redis_lose(r, FLOWCTL_REDIS_OTHER, "what answers there is not a Redis server");
    if (r->doomed || --r->greetings != 0) return;
    r->phase = FC_REDIS_READY;
    set_ready(r, true);
    fc_redis_calls_release(r);
}

static struct fc_redis_call *greet(struct fc_redis *r, int count, const char **words) {
    struct fc_redis_call *call = fc_redis_call_new(greeted, 0, count, words, NULL);
    r->greetings++;
    if (call != NULL) fc_redis_call_write(r, call);
    else fc_redis_lose(r, FLOWCTL_REDIS_OTHER, "no memory");
    return call;
}

static void greet_with_password(struct fc_redis *r, int count, const char **words) {
    struct fc_redis_call *call = greet(r, count, words);
    if (call != NULL) call->secret = true;
}

static void greet_with_script(struct fc_redis *r, const struct fc_redis_script *script) {
    struct fc_redis_call *call = greet(r, 3, (const char *[]){"SCRIPT", "LOAD", script->text});
    if (call != NULL) call->loads = script;
}

static void be_connected(struct fc_redis *r) {
    const struct fc_redis_settings *s = &r->settings;
    char database[16];
    snprintf(database, sizeof database, "%d", s->database);
    r->phase = FC_REDIS_GREETING;
    r->greetings = 0;
    if (s->user != NULL) greet_with_password(r, 3, (const char *[]){"AUTH", s->user, s->password});
    else if (s->password != NULL) greet_with_password(r, 2, (const char *[]){"AUTH", s->password});
    if (s->database != 0) greet(r, 2, (const char *[]){"SELECT", database});
    greet_with_script(r, &fc_redis_lease_script);
    greet_with_script(r, &fc_redis_put_script);
}

/* The socket has something to tell of the attempt. */
static void end_attempt(struct fc_redis *r) {
    char text[80];
    int error = 0;
    if (getsockopt(r->context->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error}) != 0) error = errno;
    if (error != 0) fc_redis_lose(r, FLOWCTL_REDIS_UNREACHABLE, strerror_r(error, text, sizeof text));
    else be_connected(r);
}

static void begin_to_connect(struct fc_redis *r) {
    const struct fc_redis_settings *s = &r->settings;
    r->context = s->unix_socket != NULL ? redisConnectUnixNonBlock(s->unix_socket) : redisConnectNonBlock(s->host, s->port);
    r->phase = FC_REDIS_CONNECTING;
    r->deadline_ns = flowctl_backend_time(&r->base) + s->connect_timeout_ns; /* to look up the name may have taken long */
    if (r->context == NULL || r->context->err != 0) {
        fc_redis_lose(r, FLOWCTL_REDIS_UNREACHABLE, r->context == NULL ? "no memory" : r->context->errstr);
        return;
    }
    fcntl(r->context->fd, F_SETFD, FD_CLOEXEC);
    if (s->unix_socket == NULL) redisEnableKeepAlive(r->context);
    r->unsent = true; /* to be told when it is connected */
    watch(r, EPOLL_CTL_ADD);
}

/* ---- being driven ---- */

/* What the socket has; interrupts are taken note of by being here. */
static uint32_t socket_events(struct fc_redis *r) {
    struct epoll_event events[2];
    uint32_t found = 0;
    uint64_t count;
    for (int i = epoll_wait(r->epoll, events, 2, 0) - 1; i >= 0; i--) {
        if (events[i].data.fd != r->event) found = events[i].events;
        else if (read(r->event, &count, sizeof count) < 0) continue; /* another thread has taken it */
    }
    return found;
}

static void exchange(struct fc_redis *r, uint32_t events, uint64_t now_ns) {
    if (r->phase == FC_REDIS_CONNECTING && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) end_attempt(r);
    else if (r->phase > FC_REDIS_CONNECTING && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_in(r, now_ns);
    if (r->doomed || r->phase <= FC_REDIS_CONNECTING) return;
    if (r->unsent) write_out(r); /* what does not fit is written later */
    if (r->unsent != r->watched_unsent) watch(r, EPOLL_CTL_MOD);
}

/* When an answer must have come. Others that come meanwhile show that it is at work. */
static uint64_t answer_due(const struct fc_redis *r) {
    if (r->phase != FC_REDIS_READY) return r->deadline_ns;
    if (r->sent.first == NULL) return FLOWCTL_FOREVER;
    return most(r->sent.first->sent_ns, r->heard_ns) + r->settings.reply_timeout_ns;
}

uint64_t fc_redis_link_poll(struct fc_redis *r, uint64_t now_ns) {
    uint32_t events = socket_events(r);
    if (r->phase == FC_REDIS_DOWN && now_ns >= r->deadline_ns) begin_to_connect(r);
    else if (r->phase != FC_REDIS_DOWN) exchange(r, events, now_ns);
    if (r->phase == FC_REDIS_DOWN) return r->deadline_ns;
    if (r->doomed) go_down(r, now_ns);
    else if (now_ns >= answer_due(r)) silent(r, now_ns);
    return answer_due(r);
}

void fc_redis_link_wait(struct fc_redis *r, uint64_t until_ns) {
    uint64_t now_ns = flowctl_backend_time(&r->base), ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct pollfd descriptor = {.fd = r->epoll, .events = POLLIN};
    struct timespec limit = {(time_t)(ns / FLOWCTL_NS_PER_SEC), (long)(ns % FLOWCTL_NS_PER_SEC)};
    if (!atomic_load(&r->interrupted)) ppoll(&descriptor, 1, until_ns == FLOWCTL_FOREVER ? NULL : &limit, NULL);
    atomic_store(&r->interrupted, false);
}

void fc_redis_link_interrupt(struct fc_redis *r) {
    const uint64_t one = 1;
    atomic_store(&r->interrupted, true);
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
    uint64_t end_ns = 0;
    for (;;) {
        fc_redis_link_poll(r, flowctl_backend_time(&r->base));
        uint64_t now_ns = monotonic_now();
        if (end_ns == 0) end_ns = now_ns + r->settings.connect_timeout_ns;
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

/* A server that can't deliver its answers drops what it has not read yet: so they are waited for, while they come. */
static void say_goodbye(struct fc_redis *r) {
    uint64_t began_ns = monotonic_now(), heard_ns = began_ns;
    while (r->phase == FC_REDIS_READY && !r->doomed && r->sent.first != NULL) {
        const struct fc_redis_call *first = r->sent.first;
        exchange(r, socket_events(r), flowctl_backend_time(&r->base));
        uint64_t now_ns = monotonic_now();
        if (r->sent.first != first) heard_ns = now_ns;
        if (now_ns - heard_ns >= GOODBYE_NS || now_ns - began_ns >= r->settings.reply_timeout_ns) return;
        ppoll(&(struct pollfd){.fd = r->epoll, .events = POLLIN}, 1, &(struct timespec){.tv_nsec = GOODBYE_NS}, NULL);
    }
}

void fc_redis_link_close(struct fc_redis *r) {
    say_goodbye(r);
    r->fault = FLOWCTL_REDIS_DISCONNECTED;
    go_down(r, 0);
    if (r->event >= 0) close(r->event);
    if (r->epoll >= 0) close(r->epoll);
}

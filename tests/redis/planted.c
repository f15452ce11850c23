/*
 * Defects that the tests of the backend must find, one at a time, by FLOWCTL_PLANT: the linker leads what the library calls through here.
 * test_planted.py says which test finds which.
 */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_planted(const char *name) {
    const char *plant = getenv("FLOWCTL_PLANT");
    return plant != NULL && strcmp(plant, name) == 0;
}

/* A write to a connection that is gone raises its signal. */
int __real_pthread_sigmask(int how, const sigset_t *set, sigset_t *before);
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *before);
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *before) {
    return __real_pthread_sigmask(how, is_planted("unguarded") ? NULL : set, before);
}

/* What a connection had in memory stays there. */
void __real_redisFree(redisContext *context);
void __wrap_redisFree(redisContext *context);
void __wrap_redisFree(redisContext *context) {
    if (is_planted("context-leak")) close(context->fd);
    else __real_redisFree(context);
}

void __real_freeReplyObject(void *reply);
void __wrap_freeReplyObject(void *reply);
void __wrap_freeReplyObject(void *reply) {
    if (!is_planted("reply-leak")) __real_freeReplyObject(reply);
}

/* A socket stays open. */
int __real_epoll_ctl(int epoll, int operation, int descriptor, void *event);
int __wrap_epoll_ctl(int epoll, int operation, int descriptor, void *event);
int __wrap_epoll_ctl(int epoll, int operation, int descriptor, void *event) {
    if (operation == 1 /* EPOLL_CTL_ADD */ && is_planted("descriptor-leak") && dup(descriptor) < 0) abort();
    return __real_epoll_ctl(epoll, operation, descriptor, event);
}

/* Database 0 is taken for the right one. */
void *__real_fc_redis_call_new(void *done, uint64_t ticket, int count, const char **words, const size_t *lengths);
void *__wrap_fc_redis_call_new(void *done, uint64_t ticket, int count, const char **words, const size_t *lengths);
void *__wrap_fc_redis_call_new(void *done, uint64_t ticket, int count, const char **words, const size_t *lengths) {
    const char *other[] = {"SELECT", "0"};
    if (strcmp(words[0], "SELECT") == 0 && is_planted("any-database")) words = other;
    return __real_fc_redis_call_new(done, ticket, count, words, lengths);
}

/* A server's words are shown as they are. */
size_t __real_fc_redis_shown(const char *message, const char *secret);
size_t __wrap_fc_redis_shown(const char *message, const char *secret);
size_t __wrap_fc_redis_shown(const char *message, const char *secret) {
    return is_planted("secret-shown") ? strlen(message) : __real_fc_redis_shown(message, secret);
}

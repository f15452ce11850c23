/*
 * A child of a fork holds no lease: what its parent was lent is spent by the parent. All open backends are listed here; before a fork their locks are
 * taken, so that the child finds them whole, and in the child every limiter on them is closed before anything else runs.
 */
#include "core/backend.h"
#include "core/leased.h"

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static flowctl_backend *open_backends;

static void lock_all(void) {
    pthread_mutex_lock(&registry);
    for (flowctl_backend *b = open_backends; b != NULL; b = b->next) {
        pthread_mutex_lock(&b->lock);
        for (size_t i = 0; i < b->room; i++)
            if (b->slots[i].leased != NULL) pthread_mutex_lock(&b->slots[i].leased->limiter->lock);
    }
}

static void unlock_all(void) {
    for (flowctl_backend *b = open_backends; b != NULL; b = b->next) {
        for (size_t i = 0; i < b->room; i++)
            if (b->slots[i].leased != NULL) pthread_mutex_unlock(&b->slots[i].leased->limiter->lock);
        pthread_mutex_unlock(&b->lock);
    }
    pthread_mutex_unlock(&registry);
}

/*
 * The threads that waited, asked or were inside are not in the child. What they waited by is made anew there: a condition variable that somebody waits by
 * can't be destroyed, and a lock that somebody holds can't be taken.
 */
static void close_in_child(flowctl_limiter *l) {
    atomic_store(&l->closed, true);
    fc_cell_shut(&l->cell);
    l->waiters = NULL;
    l->waiter_count = l->guests = 0;
    l->leased->users = 0;
    pthread_cond_init(&l->nobody_inside, NULL);
}

static void orphan(flowctl_backend *b) {
    atomic_store(&b->orphan, true);
    b->calls = NULL;
    pthread_cond_init(&b->changed, NULL);
    pthread_mutex_init(&b->driver, NULL);
    fc_sleeper_init(&b->sleeper);
    for (size_t i = 0; i < b->room; i++)
        if (b->slots[i].leased != NULL) close_in_child(b->slots[i].leased->limiter);
}

static void orphan_all(void) {
    for (flowctl_backend *b = open_backends; b != NULL; b = b->next) orphan(b);
    unlock_all();
    open_backends = NULL;
}

static void install(void) { pthread_atfork(lock_all, unlock_all, orphan_all); }

void fc_fork_enter(flowctl_backend *b) {
    pthread_once(&once, install);
    pthread_mutex_lock(&registry);
    b->next = open_backends;
    b->previous = NULL;
    if (b->next != NULL) b->next->previous = b;
    open_backends = b;
    pthread_mutex_unlock(&registry);
}

void fc_fork_leave(flowctl_backend *b) {
    pthread_mutex_lock(&registry);
    if (b->next != NULL) b->next->previous = b->previous;
    if (b->previous != NULL) b->previous->next = b->next;
    else open_backends = b->next;
    pthread_mutex_unlock(&registry);
}

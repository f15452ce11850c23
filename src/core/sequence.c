#include <flowctl/sequence.h>

#include "base/error.h"
#include "core/backend.h"

#include <flowctl/store.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 200
#define DEFAULT_BLOCK 1000

struct flowctl_sequence {
    flowctl_backend *backend;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool fetching;             /* one thread asks for the next block, without the lock */
    uint64_t block, next, end; /* next == end: a new block is needed */
    char key[FLOWCTL_STORE_KEY_MAX + 1];
};

static bool make_locks(flowctl_sequence *s) {
    if (!fc_monotonic_cond_init(&s->changed)) return false;
    if (pthread_mutex_init(&s->lock, NULL) == 0) return true;
    pthread_cond_destroy(&s->changed);
    return false;
}

flowctl_status flowctl_sequence_create(flowctl_backend *b, const char *name, uint64_t block, flowctl_sequence **sequence,
                                       flowctl_error *err) {
    if (sequence == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "sequence: the out-pointer sequence is NULL");
    *sequence = NULL;
    if (b == NULL || name == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "sequence: the %s is NULL", b == NULL ? "backend" : "name");
    if (name[0] == '\0' || strlen(name) > NAME_MAX_BYTES)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "sequence: the name has %zu bytes: 1 to %d", strlen(name),
                       NAME_MAX_BYTES);
    if (block > UINT64_C(1) << 32)
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT, "sequence \"%.60s\": block is %llu: at most 2^32", name,
                       (unsigned long long)block);
    if (!(b->capabilities & FLOWCTL_CAN_COUNT))
        return fc_fail(err, FLOWCTL_UNSUPPORTED, FC_NO_TEXT, "sequence \"%.60s\": the backend \"%.40s\" can't COUNT", name,
                       b->ops->name);
    flowctl_sequence *s = fc_allocate(&b->allocator, sizeof *s);
    if (s == NULL)
        return fc_fail(err, FLOWCTL_NO_MEMORY, FC_NO_TEXT, "sequence \"%.60s\": no memory for %zu bytes", name, sizeof *s);
    if (!make_locks(s)) {
        fc_release(&b->allocator, s, sizeof *s);
        return fc_fail(err, FLOWCTL_SYSTEM, FC_NO_TEXT, "sequence \"%.60s\": the system gives no lock", name);
    }
    s->backend = b;
    s->block = block != 0 ? block : DEFAULT_BLOCK;
    snprintf(s->key, sizeof s->key, "flowctl.sequence.%s", name);
    *sequence = s;
    return FLOWCTL_OK;
}

void flowctl_sequence_destroy(flowctl_sequence *s) {
    if (s == NULL) return;
    /* In the child of a fork nobody is left to leave them. */
    if (!atomic_load(&s->backend->orphan)) {
        pthread_cond_destroy(&s->changed);
        pthread_mutex_destroy(&s->lock);
    }
    fc_release(&s->backend->allocator, s, sizeof *s);
}

/* A block whose answer was lost is a gap. Under the lock, which is given up meanwhile. */
static flowctl_status fetch_block(flowctl_sequence *s, uint64_t max_wait_ns, flowctl_error *err) {
    uint64_t end;
    s->fetching = true;
    pthread_mutex_unlock(&s->lock);
    flowctl_status status = flowctl_store_increment(s->backend, s->key, s->block, &end, max_wait_ns, err);
    pthread_mutex_lock(&s->lock);
    s->fetching = false;
    pthread_cond_broadcast(&s->changed);
    if (status != FLOWCTL_OK) return status;
    if (end < s->block)
        return fc_fail(err, FLOWCTL_OUT_OF_RANGE, FC_NO_TEXT, "sequence \"%.60s\": its numbers are used up", s->key);
    s->next = end - s->block + 1;
    s->end = end + 1;
    return FLOWCTL_OK;
}

/* Until there is a number, or the time is over. Under the lock. */
static flowctl_status wait_for_block(flowctl_sequence *s, uint64_t max_wait_ns, flowctl_error *err) {
    uint64_t now_ns = fc_monotonic_now(),
             until_ns = now_ns + (max_wait_ns > FLOWCTL_PERIOD_MAX_NS ? FLOWCTL_PERIOD_MAX_NS : max_wait_ns);
    const struct timespec until = {(time_t)(until_ns / FLOWCTL_NS_PER_SEC), (long)(until_ns % FLOWCTL_NS_PER_SEC)};
    for (; s->next == s->end; now_ns = fc_monotonic_now()) {
        uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
        if (!s->fetching) {
            flowctl_status status = fetch_block(s, left_ns, err);
            if (status != FLOWCTL_OK) return status;
        } else if (left_ns == 0) {
            return fc_fail(err, FLOWCTL_TIMED_OUT, FC_NO_TEXT, "%s: another thread waits for its next block", s->key);
        } else {
            pthread_cond_timedwait(&s->changed, &s->lock, &until);
        }
    }
    return FLOWCTL_OK;
}

flowctl_status flowctl_sequence_next(flowctl_sequence *s, uint64_t max_wait_ns, uint64_t *number, flowctl_error *err) {
    if (s == NULL || number == NULL)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "sequence: %s is NULL",
                       s == NULL ? "the sequence" : "the out-pointer number");
    /* The rest of a block is the parent's. */
    if (atomic_load(&s->backend->orphan))
        return fc_fail(err, FLOWCTL_CLOSED, FC_NO_TEXT, "%s: its backend was opened before a fork: open one in the child",
                       s->key);
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    pthread_mutex_lock(&s->lock);
    flowctl_status status = wait_for_block(s, max_wait_ns, err);
    if (status == FLOWCTL_OK) *number = s->next++;
    pthread_mutex_unlock(&s->lock);
    pthread_setcancelstate(state, NULL);
    return status;
}

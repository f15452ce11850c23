/**
 * @file store.h  Small values and counters at a backend: for sequence numbers, health, breaker state, and what a program wants to share besides.
 *
 * Each call waits for the store, at most `max_wait_ns`; never call them where a decision is made. After TIMED_OUT and UNAVAILABLE it is not known whether a put or
 * increment was done. A backend without the slot: UNSUPPORTED. Any thread, but not one that is inside a backend's slot or callback. With FLOWCTL_DRIVE_POLL the call polls
 * by itself.
 */
#ifndef FLOWCTL_STORE_H
#define FLOWCTL_STORE_H

#include <flowctl/backend.h>

FLOWCTL_BEGIN

/** The version of a value that does not exist yet, and of any value, for flowctl_store_set. */
#define FLOWCTL_VERSION_NONE UINT64_C(0)
#define FLOWCTL_VERSION_ANY UINT64_MAX

/**
 * Reads a value into `buffer`. `*bytes` is its length, also if that is more than `room` (then OUT_OF_RANGE, nothing copied). `version` may be NULL.
 * @return OK; NOT_FOUND; OUT_OF_RANGE; UNSUPPORTED; UNAVAILABLE; TIMED_OUT; INVALID_ARGUMENT.
 */
FLOWCTL_API flowctl_status flowctl_store_get(flowctl_backend *backend, const char *key, void *buffer, size_t room,
                                             size_t *bytes, uint64_t *version, uint64_t max_wait_ns, flowctl_error *err);

/**
 * Writes a value, if the one there has version `expected`. `ttl_ns` 0: it stays. `version` (may be NULL): the new one.
 * @return as get, and CONFLICT.
 */
FLOWCTL_API flowctl_status flowctl_store_set(flowctl_backend *backend, const char *key, const void *value, size_t bytes,
                                             uint64_t ttl_ns, uint64_t expected, uint64_t *version, uint64_t max_wait_ns,
                                             flowctl_error *err);

/** Removes a value, if it has version `expected`. Removing what is not there is OK with FLOWCTL_VERSION_ANY. */
FLOWCTL_API flowctl_status flowctl_store_remove(flowctl_backend *backend, const char *key, uint64_t expected,
                                                uint64_t max_wait_ns, flowctl_error *err);

/** Adds `by` to a number that began at 0, and tells what it is then. */
FLOWCTL_API flowctl_status flowctl_store_increment(flowctl_backend *backend, const char *key, uint64_t by, uint64_t *value,
                                                   uint64_t max_wait_ns, flowctl_error *err);

/** Called when a watched value may have changed, by the backend's thread; it may not call the store. */
typedef void flowctl_watcher(void *context, const char *key);

/** Watches a key, one watcher for each; NULL ends it. @return OK; UNSUPPORTED; UNAVAILABLE; TIMED_OUT; NO_MEMORY; INVALID_ARGUMENT. */
FLOWCTL_API flowctl_status flowctl_store_watch(flowctl_backend *backend, const char *key, flowctl_watcher *watcher,
                                               void *context, flowctl_error *err);

struct flowctl_limit_state;
/** Called for each limit, by the backend's thread. sys/lease.h says what is in it. */
typedef void flowctl_inspector(void *context, const struct flowctl_limit_state *state);

/** The live state of one limit, or of all (`limit` NULL). @return OK; NOT_FOUND; UNSUPPORTED; … */
FLOWCTL_API flowctl_status flowctl_backend_inspect(flowctl_backend *backend, const char *limit, flowctl_inspector *inspector,
                                                   void *context, uint64_t max_wait_ns, flowctl_error *err);

FLOWCTL_END
#endif

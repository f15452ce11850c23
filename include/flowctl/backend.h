/**
 * @file backend.h  Where limits are kept that several processes share.
 *
 *     flowctl_backend_options where = FLOWCTL_BACKEND_OPTIONS_INIT;
 *     where.ops = flowctl_memory_backend();
 *     flowctl_backend *b;
 *     if (flowctl_backend_open(&where, &b, &err) != FLOWCTL_OK) ...
 *     o.backend = b;                                   // and an id: all that changes for a token bucket
 *
 * Limiters of one id at one store are one limit: burst and rate hold for the sum of all of them, in all processes. What a backend can do is told by its
 * capability bits; a limiter that needs more is refused at create, by name.
 *
 * THREADS. By default each open backend has one thread of its own, which asks and is answered, and handles no signals; decisions never wait for it. With FLOWCTL_DRIVE_POLL there is
 * none, and the program calls flowctl_backend_poll from its event loop, as often as it says, and whenever flowctl_backend_descriptor is readable. All functions
 * here: any thread.
 *
 * FORK. A child holds no lease: its limiters on a backend answer CLOSED, as do sequences and calls of the store; to destroy them, and then the backend, is all that is
 * of use. The instance is not closed by that: what it has open is the parent's. Open
 * backends and create limiters after the fork.
 */
#ifndef FLOWCTL_BACKEND_H
#define FLOWCTL_BACKEND_H

#include <flowctl/allocator.h>
#include <flowctl/clock.h>
#include <flowctl/rate.h>
#include <stdbool.h>

FLOWCTL_BEGIN

typedef struct flowctl_backend flowctl_backend;
struct flowctl_backend_ops;

/** What a backend can do. */
#define FLOWCTL_CAN_LEND UINT32_C(1)        /**< Lends permits of a token bucket. */
#define FLOWCTL_CAN_SHARE UINT32_C(2)       /**< Several processes that open it share their limits. */
#define FLOWCTL_CAN_PERSIST UINT32_C(4)     /**< Limits survive the end of all processes. */
#define FLOWCTL_CAN_SERVER_TIME UINT32_C(8) /**< Refill is counted by one clock, the store's. */
#define FLOWCTL_CAN_EXACT UINT32_C(16)      /**< Never over the limit, in any window, whatever is lost, stopped or killed. */
#define FLOWCTL_CAN_STORE UINT32_C(32)      /**< get and put. */
#define FLOWCTL_CAN_COUNT UINT32_C(64)      /**< increment. */
#define FLOWCTL_CAN_WATCH UINT32_C(128)     /**< watch. */
#define FLOWCTL_CAN_INSPECT UINT32_C(256)   /**< inspect. */

/** "EXACT" for one bit; "UNKNOWN" otherwise. Static. */
FLOWCTL_API const char *flowctl_capability_name(uint32_t bit);

/** Who drives a backend. */
typedef enum flowctl_drive {
    FLOWCTL_DRIVE_THREAD = 0, /**< A thread of its own. */
    FLOWCTL_DRIVE_POLL = 1    /**< The program, by flowctl_backend_poll. */
} flowctl_drive;

/** flowctl_backend_options.max_asks_per_sec, if that is 0. */
#define FLOWCTL_ASKS_PER_SEC UINT64_C(20000)

typedef struct flowctl_backend_options {
    size_t size;
    const struct flowctl_backend_ops *ops; /**< Which backend: flowctl_memory_backend(), or one of yours (sys/backend.h). */
    const void *config;                    /**< Its own options; what they are, its header says. Only used during open. */
    flowctl_clock *clock; /**< NULL: flowctl_clock_boottime(). Must outlive the backend. Limiters on it use the same. */
    const flowctl_allocator *allocator; /**< NULL: malloc and free. Copied. */
    flowctl_drive drive;
    const char *member; /**< The name of this process for others to see; copied; NULL: host name and process id. */
    uint64_t call_timeout_ns; /**< A call of store.h that is not answered for so long has failed, however long it may wait; 0: 1 s. */
    /**
     * So many asks for permits a second at most, of all limiters on this backend that are in use: the more there are, the less often each of them asks, and the more ahead
     * (flowctl_sharing_info.refresh_ns). 0: FLOWCTL_ASKS_PER_SEC. On top come renewals of leases that are at rest, 3 in a ttl each; and a limiter in use asks 4 times in a ttl
     * at least, whatever is said here.
     */
    uint64_t max_asks_per_sec;
} flowctl_backend_options;

#define FLOWCTL_BACKEND_OPTIONS_INIT \
    { sizeof(flowctl_backend_options), 0, 0, 0, 0, FLOWCTL_DRIVE_THREAD, 0, 0, 0 }

/** The initialiser as a function. */
FLOWCTL_API void flowctl_backend_options_init(flowctl_backend_options *options, size_t size);

/**
 * Opens. @return OK; INVALID_ARGUMENT, BAD_SIZE (options, or a vtable that is not whole: the message names the slot); NO_MEMORY; SYSTEM; and what the
 * backend says. On failure `*backend` is NULL.
 */
FLOWCTL_API flowctl_status flowctl_backend_open(const flowctl_backend_options *options, flowctl_backend **backend,
                                                flowctl_error *err);

/**
 * Ends the thread, closes the store, frees. Its limiters and sequences must have been destroyed. NULL-safe. Blocks until a call that is in the
 * store has returned.
 */
FLOWCTL_API void flowctl_backend_destroy(flowctl_backend *backend);

/** FLOWCTL_CAN_… bits; 0 for NULL. */
FLOWCTL_API uint32_t flowctl_backend_capabilities(const flowctl_backend *backend);

/** The backend's name, "memory"; "" for NULL. Lives as long as its ops. */
FLOWCTL_API const char *flowctl_backend_name(const flowctl_backend *backend);

/** What a probe found. */
typedef struct flowctl_backend_probed {
    flowctl_status status; /**< OK: the store answered. */
    uint32_t capabilities;
    uint64_t latency_ns; /**< From asking to the answer. */
} flowctl_backend_probed;

/**
 * Asks the store for something harmless and waits for the answer, at most so long: reads a value that nobody writes, or, from a store without values, adds nothing to
 * a number, or asks for a lease of nothing. @return its status.
 */
FLOWCTL_API flowctl_status flowctl_backend_probe(flowctl_backend *backend, uint64_t max_wait_ns,
                                                 flowctl_backend_probed *probed, flowctl_error *err);

/** With FLOWCTL_DRIVE_POLL: does what is due. @return the time at which to call again, at the latest, by the backend's clock. */
FLOWCTL_API uint64_t flowctl_backend_poll(flowctl_backend *backend);

/**
 * With FLOWCTL_DRIVE_POLL: a descriptor that is readable when flowctl_backend_poll should be called, before the time that it told: an answer is there, or a
 * decision in another thread was short. Wait for it (poll, epoll), and leave the rest to flowctl_backend_poll; take it out of the event loop before flowctl_backend_destroy.
 * @return -1 if there is none: the backend can't (then poll now and then), it has a thread, or is NULL.
 */
FLOWCTL_API int flowctl_backend_descriptor(const flowctl_backend *backend);

/**
 * The embedded default: limits in this process's own memory, shared by limiters of the same id on the same open backend. Answers at once. Can do
 * all but SHARE and PERSIST. config: NULL.
 */
FLOWCTL_API const struct flowctl_backend_ops *flowctl_memory_backend(void);

FLOWCTL_END
#endif

/**
 * @file redis.h  Limits kept in a Redis or Valkey server: shared by all processes and machines that reach it. Library flowctl_redis (flowctl::redis).
 *
 *     flowctl_redis_options redis = FLOWCTL_REDIS_OPTIONS_INIT;
 *     redis.url = "redis://127.0.0.1:6379/0";
 *     flowctl_backend_options where = FLOWCTL_BACKEND_OPTIONS_INIT;
 *     where.ops = flowctl_redis_backend();
 *     where.config = &redis;
 *     if (flowctl_backend_open(&where, &b, &err) != FLOWCTL_OK) ...
 *
 * One script lends (docs/redis.md); a decision never waits for it. A limit is one key, `<prefix>{<id>}`. Redis 5 … 8, Valkey 7.2 and 8; a master without cluster mode.
 *
 * EXACT, whatever happens to messages, members and the server's state: restart with or without its data, fail-over to a replica that lags, FLUSHALL, eviction, a key
 * that is deleted, steps of the server's clock. After each of them nothing is lent for 1.75 x ttl. What breaks the bound: two masters of one data set that both
 * serve (each lends the whole limit); a limit's key put back from a copy while the same run of the server goes on (RESTORE); a forward step of the
 * server's clock by d lets min(rate x d, burst) pass once; a machine that stands still without its CLOCK_BOOTTIME going on.
 *
 * RANGES. burst at most 2^50, config_version at most 2^53: else the ask is answered OUT_OF_RANGE (flowctl_sharing_info.store). A rate whose period is above 52 days is
 * kept to the microsecond, and one whose terms exceed 2^52 in lowest terms is lowered by less than 1 in 10^12.
 *
 * THREADS. The backend's own thread does all the input and output; with FLOWCTL_DRIVE_POLL the caller of flowctl_backend_poll, which flowctl_backend_descriptor tells
 * when. Names of hosts are looked up when connecting, which may block that thread (give an address, or a socket's path, with FLOWCTL_DRIVE_POLL). Any number of
 * backends in one process. To destroy one takes as long as its server answers what was said last, but 0.1 s at most if it does not.
 */
#ifndef FLOWCTL_REDIS_H
#define FLOWCTL_REDIS_H

#include <flowctl/backend.h>

FLOWCTL_BEGIN

/** The longest key prefix, in bytes. */
#define FLOWCTL_REDIS_PREFIX_MAX 64

/** What flowctl_backend_open does if the server can't be reached, or does not let us in. */
typedef enum flowctl_redis_start {
    FLOWCTL_REDIS_START_FAIL = 0,    /**< Waits for the server, at most connect_timeout_ns, and fails. */
    FLOWCTL_REDIS_START_DEGRADED = 1 /**< Opens at once; connects when it can; meanwhile limiters do what their policy says. */
} flowctl_redis_start;

/** Zero and NULL mean the default. Options that are given twice, in the URL and as a field, must agree. */
typedef struct flowctl_redis_options {
    size_t size;
    /** redis://[[user]:password@]host[:port][/database], or redis+unix://[[user]:password@]/path/of/socket[?db=database]; percent-encoded. */
    const char *url;
    const char *host;        /**< A name, of whose addresses the first is taken, or an address. NULL: 127.0.0.1. */
    int port;                /**< 0: 6379. */
    const char *unix_socket; /**< Path; instead of host and port. */
    const char *user;        /**< NULL: the default user. */
    const char *password;    /**< NULL: none. */
    int database;            /**< 0 … */
    uint64_t connect_timeout_ns; /**< To be connected, let in, and have the script loaded, once the host's name is looked up. 0: 1 s. */
    uint64_t reply_timeout_ns; /**< A server that does not answer for so long is taken for gone, and connected to anew. 0: 1 s. */
    uint64_t backoff_min_ns; /**< Before the second attempt to connect; doubles, with jitter. 0: 50 ms. */
    uint64_t backoff_max_ns; /**< 0: 2 s. */
    const char *key_prefix;  /**< NULL: "flowctl:". At most FLOWCTL_REDIS_PREFIX_MAX bytes. */
    flowctl_redis_start start;
} flowctl_redis_options;

#define FLOWCTL_REDIS_OPTIONS_INIT \
    { sizeof(flowctl_redis_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, FLOWCTL_REDIS_START_FAIL }

/** The initialiser as a function. */
FLOWCTL_API void flowctl_redis_options_init(flowctl_redis_options *options, size_t size);

/** The vtable; its config is a flowctl_redis_options. Can do all but WATCH. */
FLOWCTL_API const struct flowctl_backend_ops *flowctl_redis_backend(void);

/** What went wrong last. X(identifier, value, name, status that asks are answered with). */
#define FLOWCTL_REDIS_FAULT_MAP(X)                                          \
    X(FLOWCTL_REDIS_FINE, 0, "none", FLOWCTL_OK)                            \
    X(FLOWCTL_REDIS_UNREACHABLE, 1, "unreachable", FLOWCTL_UNAVAILABLE)     \
    X(FLOWCTL_REDIS_DISCONNECTED, 2, "disconnected", FLOWCTL_UNAVAILABLE)   \
    X(FLOWCTL_REDIS_SILENT, 3, "silent", FLOWCTL_TIMED_OUT)                 \
    X(FLOWCTL_REDIS_REFUSED, 4, "refused", FLOWCTL_NOT_PERMITTED)           \
    X(FLOWCTL_REDIS_LOADING, 5, "loading", FLOWCTL_UNAVAILABLE)             \
    X(FLOWCTL_REDIS_BUSY, 6, "busy", FLOWCTL_UNAVAILABLE)                   \
    X(FLOWCTL_REDIS_READONLY, 7, "read-only", FLOWCTL_UNAVAILABLE)          \
    X(FLOWCTL_REDIS_CLUSTER, 8, "cluster", FLOWCTL_UNSUPPORTED)             \
    X(FLOWCTL_REDIS_OUT_OF_MEMORY, 9, "out of memory", FLOWCTL_NO_MEMORY)   \
    X(FLOWCTL_REDIS_FOREIGN_KEY, 10, "foreign key", FLOWCTL_UNSUPPORTED)    \
    X(FLOWCTL_REDIS_NEWER_LIMIT, 11, "newer limit", FLOWCTL_UNSUPPORTED)    \
    X(FLOWCTL_REDIS_FULL, 12, "full", FLOWCTL_NO_MEMORY)                    \
    X(FLOWCTL_REDIS_SCRIPT_LOST, 13, "script lost", FLOWCTL_UNAVAILABLE)    \
    X(FLOWCTL_REDIS_CANNOT_WRITE, 14, "cannot write", FLOWCTL_UNAVAILABLE)  \
    X(FLOWCTL_REDIS_BAD_DATABASE, 15, "bad database", FLOWCTL_OUT_OF_RANGE) \
    X(FLOWCTL_REDIS_OVERFLOW, 16, "overflow", FLOWCTL_OUT_OF_RANGE)         \
    X(FLOWCTL_REDIS_OTHER, 17, "other", FLOWCTL_UNAVAILABLE)

typedef enum flowctl_redis_fault {
#define FLOWCTL_REDIS_FAULT_ENUM(id, value, name, status) id = value,
    FLOWCTL_REDIS_FAULT_MAP(FLOWCTL_REDIS_FAULT_ENUM)
#undef FLOWCTL_REDIS_FAULT_ENUM
} flowctl_redis_fault;

/** "read-only"; "unknown" for a value that is none. Static. */
FLOWCTL_API const char *flowctl_redis_fault_name(flowctl_redis_fault fault);

typedef struct flowctl_redis_info {
    bool ready;                /**< Connected and let in. */
    flowctl_redis_fault fault; /**< The last; stays when all is well again. */
    char message[160];         /**< Of that fault, as the server or the system put it. */
    uint64_t faults, connects; /**< Answers with an error, or none; connections that became ready. */
    uint64_t commands;         /**< Sent. */
    uint64_t reloads;          /**< Times that the server had lost the script. */
} flowctl_redis_info;

/** How the connection is. @return OK; INVALID_ARGUMENT: not a backend of this kind. Any thread; a short lock. */
FLOWCTL_API flowctl_status flowctl_redis_info_read(flowctl_backend *backend, flowctl_redis_info *info);

FLOWCTL_END
#endif

/*
 * A file per worker of what it was admitted, which outlives the worker: for judging one limit over many processes afterwards.
 *
 *     fct_ring_create(&ring, "logs", "w3.1", FCT_RING_WORKER)
 *     while (fct_ring_reserve(&ring)) {                            first a place for the entry
 *         d = flowctl_decide(limiter, n);                          then the question
 *         if (d.verdict == FLOWCTL_ALLOW) fct_ring_append(&ring, &(struct fct_admission){...});      the entry is the use
 *         else fct_ring_refused(&ring, n);
 *     }
 *
 * ORDER. In these workers the use of a permit *is* its entry. One that was granted and not yet entered when the worker was killed was
 * never used, and nothing was lost; one that was entered was used, and is seen. So no use is ever missing. Who does real work with the
 * permits must append before the work, not after it: a permit too many in the file is harmless to a worker that died, one that is missing
 * hides an excess.
 *
 * KILL -9, at any instruction: the file is a shared mapping, what was stored in it stays (not through the end of the machine: nothing is
 * synced). An entry counts once `count` says so, which is stored after the entry, with release order. Readers load it with acquire, and
 * look at no entry beyond it; a file may be read while it is written. A file that is still being made has another name (.new).
 *
 * A FULL DISK. Room is allocated for a chunk of entries before the first of them is needed; append itself touches only what is there,
 * makes no system call and cannot fail. Where there is no more room reserve answers false, and the worker has to stop asking: rather
 * no admission than one that isn't recorded. `ended` then says NO_ROOM. Under RLIMIT_FSIZE the system sends SIGXFSZ as well: ignore it.
 * (On file systems that write elsewhere on every change, as btrfs, allocated room is no promise, and the worker would get SIGBUS.)
 *
 * FORK. The mappings aren't inherited: a child that appends to its parent's file crashes, it doesn't spoil it. It makes one of its own.
 * THREADS. One writer per file.
 *
 * THE FORMAT, for other checkers and writers. NAME.ring; all numbers little-endian; unknown versions are to be refused.
 *
 *     offset  bytes  what
 *          0      8  "FCTRING" and a zero
 *          8      4  version: 1
 *         12      4  where the entries begin: 65536
 *         16      4  bytes of an entry: 32
 *         20      4  role: 0 a worker, 1 a forked child that tries its parent's limiter and must get nothing
 *         24      8  process id
 *         32      8  when it was made
 *         40     64  name of the worker and its incarnation, padded with zeroes
 *        128      8  count of the entries that are there
 *        192      8  refused: questions answered with no
 *        200      8  permits that these asked for
 *        208      8  waited: admissions that had to wait
 *        216      8  nanoseconds that these waited
 *        224      8  failed: questions answered with a status that isn't OK
 *        232      8  when the last question was answered
 *        240      8  ended: 0 it runs or was killed, 1 it closed the file, 2 no room
 *
 *     entry:      0      8  time_ns: the date of the decision
 *                 8      8  used_ns: when it was entered
 *                16      8  permits, never 0
 *                24      8  limiter: a number, if the worker has several
 *
 * Times are CLOCK_BOOTTIME in nanoseconds, so that those of all processes of a machine compare.
 */
#ifndef FCT_ADMISSION_RING_H
#define FCT_ADMISSION_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FCT_RING_VERSION 1
#define FCT_RING_CHUNK ((uint64_t)32768) /* entries: 1 MiB */
#define FCT_RING_NAME_SIZE 64

enum fct_ring_role { FCT_RING_WORKER = 0, FCT_RING_FORKED = 1 };
enum fct_ring_end { FCT_RING_OPEN = 0, FCT_RING_CLOSED = 1, FCT_RING_NO_ROOM = 2 };

struct fct_admission {
    uint64_t time_ns, used_ns, permits, limiter;
};

/* ---- writing ---- */

struct fct_ring {
    unsigned char *header, *chunk;
    uint64_t count, first, end; /* entries published; those of the mapped chunk */
    int fd;
    char message[256]; /* why the last call failed */
};

/* Makes `directory`/`name`.ring, which must not exist. False: see message. Cleanup may follow in any case. */
bool fct_ring_create(struct fct_ring *ring, const char *directory, const char *name, enum fct_ring_role role);

/* Sees to a place for one more entry. False: there is none, and the file says so; nothing may be admitted any more. */
bool fct_ring_reserve(struct fct_ring *ring);

/* Enters an admission and publishes it. Needs a reserved place: aborts without. */
void fct_ring_append(struct fct_ring *ring, const struct fct_admission *admission);

/* Counters of the header. */
void fct_ring_refused(struct fct_ring *ring, uint64_t permits);
void fct_ring_waited(struct fct_ring *ring, uint64_t wait_ns);
void fct_ring_failed(struct fct_ring *ring);
void fct_ring_answered(struct fct_ring *ring, uint64_t now_ns);

/* Says CLOSED, unless there was no room, and lets go. */
void fct_ring_cleanup(struct fct_ring *ring);

/* CLOCK_BOOTTIME. */
uint64_t fct_ring_now_ns(void);

/* ---- reading ---- */

struct fct_ring_info {
    char name[FCT_RING_NAME_SIZE + 1];
    uint32_t role;
    uint64_t pid, made_ns, count, refused, refused_permits, waited, wait_ns, failed, answered_ns, ended;
};

struct fct_dated {
    struct fct_admission admission;
    size_t ring; /* index of its file in `rings` */
};

struct fct_rings {
    struct fct_ring_info *rings;
    size_t ring_count;
    struct fct_dated *dated; /* all admissions of all files: file by file until they are sorted */
    size_t count, room;
    char message[512]; /* why the last call failed */
};

/* Starts empty; then any number of files or directories may be read into it. */
void fct_rings_init(struct fct_rings *rings);

/* Adds one file. False if it can't be read, is no such file, of another version, shorter than its count, or has a torn entry. */
bool fct_rings_read_file(struct fct_rings *rings, const char *path);

/* Adds all files NAME.ring of a directory, by name. */
bool fct_rings_read(struct fct_rings *rings, const char *directory);

/* By the date of the decision, or of the use; equal ones by file and place. */
void fct_rings_sort(struct fct_rings *rings, bool by_use);

void fct_rings_cleanup(struct fct_rings *rings);

#endif

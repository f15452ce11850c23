#include "admission_ring.h"

#include "admission_layout.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ---- the words of the file ---- */

static _Atomic uint64_t *word(unsigned char *at) { return (_Atomic uint64_t *)(void *)at; }

static void put(unsigned char *at, uint64_t value, memory_order order) {
    atomic_store_explicit(word(at), htole64(value), order);
}

static void put32(unsigned char *at, uint32_t value) {
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

/* There is one writer: what it adds to can't change in between. */
static void add(unsigned char *at, uint64_t more) {
    put(at, le64toh(atomic_load_explicit(word(at), memory_order_relaxed)) + more, memory_order_relaxed);
}

uint64_t fct_ring_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* ---- room ---- */

static bool failed(struct fct_ring *ring, const char *what, int error) {
    snprintf(ring->message, sizeof ring->message, "%.180s: %.60s", what, strerror(error));
    return false;
}

static bool allocate(struct fct_ring *ring, uint64_t offset, uint64_t bytes) {
    int error;
    do error = posix_fallocate(ring->fd, (off_t)offset, (off_t)bytes);
    while (error == EINTR);
    return error == 0 || failed(ring, "no room for more admissions", error);
}

static unsigned char *map(struct fct_ring *ring, uint64_t offset, size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, (off_t)offset);
    if (at == MAP_FAILED) return failed(ring, "mmap", errno), NULL;
    madvise(at, bytes, MADV_DONTFORK);
    return at;
}

static const size_t chunk_bytes = FCT_RING_CHUNK * ENTRY_BYTES;

/* The old chunk goes last: should anything fail, what is there stays usable. */
static bool next_chunk(struct fct_ring *ring) {
    uint64_t offset = HEADER_BYTES + ring->end * ENTRY_BYTES;
    if (!allocate(ring, offset, chunk_bytes)) return false;
    unsigned char *chunk = map(ring, offset, chunk_bytes);
    if (chunk == NULL) return false;
    if (ring->chunk != NULL) munmap(ring->chunk, chunk_bytes);
    ring->chunk = chunk;
    ring->first = ring->end;
    ring->end += FCT_RING_CHUNK;
    return true;
}

bool fct_ring_reserve(struct fct_ring *ring) {
    if (ring->count < ring->end || next_chunk(ring)) return true;
    put(ring->header + AT_ENDED, FCT_RING_NO_ROOM, memory_order_release);
    return false;
}

/* ---- making a file ---- */

static bool fill_header(struct fct_ring *ring, const char *name, enum fct_ring_role role) {
    if (!allocate(ring, 0, HEADER_BYTES) || (ring->header = map(ring, 0, HEADER_BYTES)) == NULL) return false;
    unsigned char *h = ring->header;
    memcpy(h, FCT_RING_MAGIC, sizeof FCT_RING_MAGIC);
    put32(h + AT_VERSION, FCT_RING_VERSION);
    put32(h + AT_HEADER_BYTES, HEADER_BYTES);
    put32(h + AT_ENTRY_BYTES, ENTRY_BYTES);
    put32(h + AT_ROLE, (uint32_t)role);
    put(h + AT_PID, (uint64_t)getpid(), memory_order_relaxed);
    put(h + AT_MADE, fct_ring_now_ns(), memory_order_relaxed);
    for (size_t i = 0; name[i] != '\0'; i++) h[AT_NAME + i] = (unsigned char)name[i];
    return true;
}

/* link, unlike rename, refuses to replace what is there. */
static bool make(struct fct_ring *ring, const char *path, const char *unfinished, const char *name, enum fct_ring_role role) {
    ring->fd = open(unfinished, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (ring->fd < 0) return failed(ring, unfinished, errno);
    bool made = fill_header(ring, name, role) && next_chunk(ring);
    if (made && link(unfinished, path) != 0) made = failed(ring, path, errno);
    unlink(unfinished);
    return made;
}

bool fct_ring_create(struct fct_ring *ring, const char *directory, const char *name, enum fct_ring_role role) {
    char path[4096], unfinished[4096];
    *ring = (struct fct_ring){.fd = -1};
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL || strlen(name) > FCT_RING_NAME_SIZE)
        return failed(ring, name, EINVAL);
    int n = snprintf(path, sizeof path, "%s/%s.ring", directory, name);
    int m = snprintf(unfinished, sizeof unfinished, "%s/%s.new", directory, name);
    if (n < 0 || m < 0 || n >= (int)sizeof path || m >= (int)sizeof unfinished) return failed(ring, directory, ENAMETOOLONG);
    return make(ring, path, unfinished, name, role);
}

void fct_ring_cleanup(struct fct_ring *ring) {
    if (ring->header != NULL) {
        if (le64toh(atomic_load(word(ring->header + AT_ENDED))) == FCT_RING_OPEN)
            put(ring->header + AT_ENDED, FCT_RING_CLOSED, memory_order_release);
        munmap(ring->header, HEADER_BYTES);
    }
    if (ring->chunk != NULL) munmap(ring->chunk, chunk_bytes);
    if (ring->fd >= 0) close(ring->fd);
    *ring = (struct fct_ring){.fd = -1};
}

/* ---- entering ---- */

void fct_ring_append(struct fct_ring *ring, const struct fct_admission *a) {
    if (ring->count >= ring->end) abort();
    unsigned char *entry = ring->chunk + (ring->count - ring->first) * ENTRY_BYTES;
    put(entry + ENTRY_TIME, a->time_ns, memory_order_relaxed);
    put(entry + ENTRY_USED, a->used_ns, memory_order_relaxed);
    put(entry + ENTRY_PERMITS, a->permits, memory_order_relaxed);
    put(entry + ENTRY_LIMITER, a->limiter, memory_order_relaxed);
    put(ring->header + AT_COUNT, ++ring->count, memory_order_release);
}

void fct_ring_refused(struct fct_ring *ring, uint64_t permits) {
    add(ring->header + AT_REFUSED, 1);
    add(ring->header + AT_REFUSED_PERMITS, permits);
}

void fct_ring_waited(struct fct_ring *ring, uint64_t wait_ns) {
    add(ring->header + AT_WAITED, 1);
    add(ring->header + AT_WAIT_NS, wait_ns);
}

void fct_ring_failed(struct fct_ring *ring) { add(ring->header + AT_FAILED, 1); }

void fct_ring_answered(struct fct_ring *ring, uint64_t now_ns) {
    put(ring->header + AT_ANSWERED, now_ns, memory_order_relaxed);
}

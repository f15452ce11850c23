#include "spoilt_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct spoil spoil;

static off_t slot_of(off_t at); /* where it is written, or read */

static ssize_t spoilt_pread(int fd, void *into, size_t bytes, off_t at) { return pread(fd, into, bytes, slot_of(at)); }

static ssize_t spoilt_pwrite(int fd, const void *from, size_t bytes, off_t at) {
    if (spoil.disk_full) return errno = ENOSPC, -1;
    if (spoil.cut && ftruncate(fd, 0) == 0) spoil.cut = false;
    if (!spoil.slow || bytes <= 8) return pwrite(fd, from, bytes, slot_of(at));
    for (volatile int wait = 0; wait < 1000; wait++) {
    }
    return pwrite(fd, from, bytes < 64 ? bytes : 64, slot_of(at));
}

static int spoilt_fcntl(int fd, int command, struct flock *lock) { return spoil.unlocked ? 0 : fcntl(fd, command, lock); }

static ssize_t spoilt_read(int fd, void *into, size_t bytes) {
    ssize_t n = read(fd, into, bytes);
    if (n <= 0 || spoil.boot == NULL) return n;
    memcpy(into, spoil.boot, strlen(spoil.boot));
    return (ssize_t)strlen(spoil.boot);
}

#define pread spoilt_pread
#define pwrite spoilt_pwrite
#define fcntl spoilt_fcntl
#define read spoilt_read
#define file_backend_ops spoilt_file_backend_ops
#include "backend_file.c" /* NOLINT(bugprone-suspicious-include) */

static off_t slot_of(off_t at) {
    off_t behind = at - slot_at(0, 0);
    return spoil.in_place && behind >= 0 && behind / SLOT_BYTES % 2 == 1 ? at - SLOT_BYTES : at;
}

const long spoilt_words_at = HEADER_BYTES, spoilt_slots_at = HEADER_BYTES + PLACES * 8, spoilt_file_bytes = FILE_BYTES;

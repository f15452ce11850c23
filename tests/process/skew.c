/*
 * Preloaded into a process, this shifts the wall clock it sees, and no other clock: to show that a limit does not depend on it.
 *
 * FLOWCTL_SKEW_FILE names a file whose first 8 bytes are the offset in nanoseconds, signed and in the order of the machine. It is mapped, so
 * that whoever writes to the file shifts the clock of the running process. Without the file nothing is shifted.
 *
 * Nothing is looked up and nothing allocated: the system is asked directly, so this can be called from anywhere, before main too. Waiting
 * until a wall time is not shifted: who computes a deadline from this clock and waits for it on the real one waits too long or too
 * short, and that is a defect to be found.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static const volatile int64_t *offset_ns;

__attribute__((constructor)) static void map_offset(void) {
    const char *path = getenv("FLOWCTL_SKEW_FILE");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    void *at = mmap(NULL, sizeof *offset_ns, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) offset_ns = at;
    close(fd);
}

static void shift(struct timespec *t) {
    if (offset_ns == NULL) return;
    int64_t ns = (int64_t)t->tv_sec * SECOND + t->tv_nsec + *offset_ns;
    int64_t seconds = ns / SECOND - (ns % SECOND < 0);
    t->tv_sec = (time_t)seconds;
    t->tv_nsec = (long)(ns - seconds * SECOND);
}

static int is_wall_clock(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec *t) {
    int status = (int)syscall(SYS_clock_gettime, clock, t);
    if (status == 0 && is_wall_clock(clock)) shift(t);
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec t;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &t) != 0) return -1;
    now->tv_sec = t.tv_sec;
    now->tv_usec = t.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds) {
    struct timespec t;
    if (clock_gettime(CLOCK_REALTIME, &t) != 0) return (time_t)-1;
    if (seconds != NULL) *seconds = t.tv_sec;
    return t.tv_sec;
}

int timespec_get(struct timespec *t, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, t) == 0 ? base : 0;
}

#include "admission_ring.h"

#include "admission_layout.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void fct_rings_init(struct fct_rings *rings) { *rings = (struct fct_rings){.rings = NULL}; }

void fct_rings_cleanup(struct fct_rings *rings) {
    free(rings->rings);
    free(rings->dated);
    fct_rings_init(rings);
}

static bool refuse(struct fct_rings *rings, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct fct_rings *rings, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(rings->message, sizeof rings->message, format, args);
    va_end(args);
    return false;
}

/* ---- one file ---- */

struct mapped {
    unsigned char *bytes;
    size_t size;
    uint64_t count; /* as it was when the size was seen to hold it: it may have grown since */
};

static uint64_t get(const unsigned char *at, memory_order order) {
    return le64toh(atomic_load_explicit((const _Atomic uint64_t *)(const void *)at, order));
}

static uint64_t plain(const unsigned char *at) { return get(at, memory_order_relaxed); }

static uint32_t get32(const unsigned char *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static bool check_header(struct fct_rings *rings, const struct mapped *m, const char *path) {
    if (memcmp(m->bytes, FCT_RING_MAGIC, sizeof FCT_RING_MAGIC) != 0)
        return refuse(rings, "%s: is not a file of admissions", path);
    if (get32(m->bytes + AT_VERSION) != FCT_RING_VERSION)
        return refuse(rings, "%s: is of version %u; only %d can be read", path, get32(m->bytes + AT_VERSION),
                      FCT_RING_VERSION);
    if (get32(m->bytes + AT_HEADER_BYTES) != HEADER_BYTES || get32(m->bytes + AT_ENTRY_BYTES) != ENTRY_BYTES)
        return refuse(rings, "%s: its header or its entries have another length", path);
    return true;
}

static struct fct_ring_info info_of(const unsigned char *h) {
    struct fct_ring_info info = {.role = get32(h + AT_ROLE), .pid = plain(h + AT_PID), .made_ns = plain(h + AT_MADE)};
    memcpy(info.name, h + AT_NAME, FCT_RING_NAME_SIZE);
    info.refused = plain(h + AT_REFUSED), info.refused_permits = plain(h + AT_REFUSED_PERMITS);
    info.waited = plain(h + AT_WAITED), info.wait_ns = plain(h + AT_WAIT_NS);
    info.failed = plain(h + AT_FAILED), info.answered_ns = plain(h + AT_ANSWERED), info.ended = plain(h + AT_ENDED);
    return info;
}

static bool make_room(struct fct_rings *rings, uint64_t more) {
    struct fct_ring_info *infos = realloc(rings->rings, (rings->ring_count + 1) * sizeof *infos);
    if (infos == NULL) return refuse(rings, "no memory");
    rings->rings = infos;
    if (rings->room - rings->count >= more) return true;
    size_t room = (rings->count + more) * 3 / 2;
    struct fct_dated *dated = realloc(rings->dated, room * sizeof *dated);
    if (dated == NULL) return refuse(rings, "no memory");
    rings->dated = dated;
    rings->room = room;
    return true;
}

/* No writer enters 0 permits or the time 0: what is zero was not stored yet. */
static bool add_entries(struct fct_rings *rings, const struct mapped *m, const struct fct_ring_info *info, const char *path) {
    const unsigned char *entry = m->bytes + HEADER_BYTES;
    for (uint64_t i = 0; i < info->count; i++, entry += ENTRY_BYTES) {
        struct fct_admission a = {plain(entry + ENTRY_TIME), plain(entry + ENTRY_USED), plain(entry + ENTRY_PERMITS),
                                  plain(entry + ENTRY_LIMITER)};
        if (a.time_ns == 0 || a.used_ns == 0 || a.permits == 0)
            return refuse(rings, "%s: entry %llu of %llu is torn", path, (unsigned long long)i,
                          (unsigned long long)info->count);
        rings->dated[rings->count + i] = (struct fct_dated){a, rings->ring_count};
    }
    rings->count += info->count;
    rings->rings[rings->ring_count++] = *info;
    return true;
}

static bool add_mapped(struct fct_rings *rings, const struct mapped *m, const char *path) {
    if (!check_header(rings, m, path)) return false;
    struct fct_ring_info info = info_of(m->bytes);
    info.count = m->count;
    uint64_t there = (m->size - HEADER_BYTES) / ENTRY_BYTES;
    if (info.count > there)
        return refuse(rings, "%s: says it has %llu entries and has room for %llu", path, (unsigned long long)info.count,
                      (unsigned long long)there);
    return make_room(rings, info.count) && add_entries(rings, m, &info, path);
}

/* A file that is being written may grow between the look at its size and that at its count. */
static bool map_file(struct fct_rings *rings, struct mapped *m, int fd, const char *path) {
    struct stat status;
    for (size_t seen = 0;; seen = m->size) {
        if (fstat(fd, &status) != 0) return refuse(rings, "%s: %s", path, strerror(errno));
        if (status.st_size < HEADER_BYTES) return refuse(rings, "%s: is too short for a file of admissions", path);
        m->size = (size_t)status.st_size;
        void *at = mmap(NULL, m->size, PROT_READ, MAP_SHARED, fd, 0);
        if (at == MAP_FAILED) return refuse(rings, "%s: %s", path, strerror(errno));
        m->bytes = at;
        m->count = get(m->bytes + AT_COUNT, memory_order_acquire);
        if (m->size == seen || m->count <= (m->size - HEADER_BYTES) / ENTRY_BYTES) return true;
        munmap(at, m->size);
        m->bytes = NULL;
    }
}

bool fct_rings_read_file(struct fct_rings *rings, const char *path) {
    struct mapped m = {.bytes = NULL};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return refuse(rings, "%s: %s", path, strerror(errno));
    bool read = map_file(rings, &m, fd, path) && m.bytes != NULL && add_mapped(rings, &m, path);
    if (m.bytes != NULL) munmap(m.bytes, m.size);
    close(fd);
    return read;
}

/* ---- a directory ---- */

static int is_ring(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".ring") == 0;
}

bool fct_rings_read(struct fct_rings *rings, const char *directory) {
    struct dirent **found;
    int count = scandir(directory, &found, is_ring, alphasort);
    if (count < 0) return refuse(rings, "%s: %s", directory, strerror(errno));
    bool read = true;
    for (int i = 0; i < count; i++) {
        char path[4096];
        if (read && snprintf(path, sizeof path, "%s/%s", directory, found[i]->d_name) >= (int)sizeof path)
            read = refuse(rings, "%s: %s", directory, strerror(ENAMETOOLONG));
        read = read && fct_rings_read_file(rings, path);
        free(found[i]);
    }
    free(found);
    return read;
}

/* ---- in order ---- */

static int compare(uint64_t x, uint64_t y) { return (x > y) - (x < y); }

static int order_of_place(const struct fct_dated *x, const struct fct_dated *y) {
    return x->ring != y->ring ? compare(x->ring, y->ring) : compare(x->admission.used_ns, y->admission.used_ns);
}

static int order_of_decision(const void *a, const void *b) {
    const struct fct_dated *x = a, *y = b;
    int order = compare(x->admission.time_ns, y->admission.time_ns);
    return order != 0 ? order : order_of_place(x, y);
}

static int order_of_use(const void *a, const void *b) {
    const struct fct_dated *x = a, *y = b;
    int order = compare(x->admission.used_ns, y->admission.used_ns);
    return order != 0 ? order : order_of_place(x, y);
}

void fct_rings_sort(struct fct_rings *rings, bool by_use) {
    if (rings->count > 1) qsort(rings->dated, rings->count, sizeof *rings->dated, by_use ? order_of_use : order_of_decision);
}

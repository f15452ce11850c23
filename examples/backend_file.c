/*
 * A backend of one's own: limits in a file, shared by the processes of one machine, kept when they end. It sees public headers only.
 *
 * A backend has one job, to lend: it is given an ask and must answer it, once. All the arithmetic of that is in a ledger (sys/ledger.h), which is a block of
 * memory without pointers, so that what is left is this: lock, read the block, flowctl_ledger_ask, write the block, unlock, answer.
 * The rest of this file is about the four things that a store must get right and that the library can't know:
 *
 * 1 ALL OR NOTHING. Whoever is killed while it asks must leave the state of before, or of after. Each entry has two slots, and one word that says which of them
 *   is current. The other one is written, then the word. kill -9: what was written is in the kernel's memory and stays; the kernel doesn't stop a process in the
 *   middle of copying 8 bytes that lie in one page; and nobody else looks before the lock is free, which the kernel frees when the process is gone. So there
 *   is the old state or the new one, and never a mix.
 *   Power loss is another matter: the disk gets the pages in any order. For leases that is no harm: nobody who was lent anything is alive after it,
 *   another boot is another identity (3), and a slot whose checksum is wrong is an entry that was lost (4). Numbers, and values without expiry, are there to
 *   outlive a machine: for them the slot is on the disk before the word is written, and the word before the answer is given (`through`).
 *
 * 2 TIME. flowctl_backend_time: the clock that the backend was opened with. By default that is CLOCK_BOOTTIME, which is the same for all processes of a
 *   machine. Never the time of day: somebody may set it.
 *
 * 3 IDENTITY. A ledger is told in which "run" of the store it is; in another one, all leases are void and it first waits until nobody can use any. The run of a
 *   file is the time since the machine was started: BOOTTIME begins at 0 there. The kernel has a name for it.
 *
 * 4 LOSS. Files are deleted, cut, restored. An entry that isn't there may have been there: what was lent then may still be in use. FLOWCTL_LEDGER_LOST makes
 *   the ledger wait for that. Only in a file that has been there for longer than any lease is a missing entry one that never was: FLOWCTL_LEDGER_FIRST,
 *   which lends at once. What can't be noticed: an old copy put back while processes use the file. Stop them first.
 *   Somebody may delete the file, or put another one in its place, while we have it open, and we would go on alone in a file without a name. So after each
 *   lock we look whether what we locked is what the path means.
 *
 * pread and pwrite, not mmap: a mapped file that is cut by somebody, or whose disk is full, kills the process with SIGBUS. Here it is a return value.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* F_OFD_SETLK */
#endif
#include "backend_file.h"

#include <flowctl/sys/ledger.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- what is in the file ---- */

/* Entries there may be, and sessions of one limit at once. 24 MiB, of which only what was used takes room on the disk. */
enum { PLACES = 1024, SESSIONS = 64, HEADER_BYTES = 4096, SLOT_BYTES = 12288, FORMAT = 1 };
enum { FILE_BYTES = HEADER_BYTES + PLACES * 8 + PLACES * 2 * SLOT_BYTES };

static const char magic[8] = "fctlfile";

struct header {
    char magic[8];
    uint32_t format, slot_bytes; /* another layout of the ledger is another format too */
    uint64_t born_identity, born_ns;
    uint64_t version; /* of the last change of any value; begins at the time, so that none comes twice, not even from a file before this one */
};

/* GONE: a value was here. The place can be used again; but who looks for a key goes on behind it. */
enum kind { GONE, LIMIT, VALUE, NUMBER };

struct slot {
    uint64_t checksum; /* of what follows */
    uint32_t kind, bytes;
    uint64_t identity, expires_ns; /* of a value; expires_ns 0: it stays */
    uint64_t number;               /* a number; a value's version */
    char key[FLOWCTL_STORE_KEY_MAX + 1];
    union {
        unsigned char value[FLOWCTL_STORE_VALUE_MAX];
        uint64_t ledger[(FLOWCTL_LEDGER_BYTES(SESSIONS) + 7) / 8]; /* words, so that it is aligned */
    } content;
};
_Static_assert(sizeof(struct slot) <= SLOT_BYTES, "a slot has room for an entry");

/* ---- what is in memory ---- */

/* An instance begins with the base. Slots are called by one thread at a time, so one entry at a time is enough and no lock is needed here. */
struct file {
    flowctl_backend_base base;
    char *path;
    int fd; /* -1: not open */
    uint64_t identity;
    struct header header;
    struct slot slot; /* the entry that is looked at, */
    unsigned place;   /* where it is, PLACES: nowhere, */
    uint64_t word;    /* what the place's word is: 0 never used, 1 or 2 the slot that is current, */
    bool damaged;     /* and whether something unreadable lies where it should be */
};

static flowctl_ledger *ledger_of(struct file *f) { return (flowctl_ledger *)f->slot.content.ledger; }

/* FNV-1a, for places, checksums and the identity. */
static uint64_t hash(const void *bytes, size_t length) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (const unsigned char *b = bytes; length-- > 0; b++) h = (h ^ *b) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

static uint64_t checksum(const struct slot *s) { return hash(&s->kind, sizeof *s - offsetof(struct slot, kind)); }

/* ---- reading and writing; each answers with a status ---- */

static flowctl_status status_of(int error) {
    if (error == EACCES || error == EPERM || error == EROFS) return FLOWCTL_NOT_PERMITTED;
    if (error == ENOSPC || error == EDQUOT || error == ENOMEM) return FLOWCTL_NO_MEMORY;
    /* Not NOT_FOUND: that says that a value isn't there, and here it is the file, so who knows. */
    if (error == ENOENT || error == ENOTDIR || error == EAGAIN) return FLOWCTL_UNAVAILABLE;
    return FLOWCTL_SYSTEM;
}

/* What is behind the end reads as zeros: as if it had never been written. */
static flowctl_status read_at(struct file *f, off_t at, void *into, size_t bytes) {
    ssize_t n = pread(f->fd, into, bytes, at);
    if (n < 0) return status_of(errno);
    memset((char *)into + n, 0, bytes - (size_t)n);
    return FLOWCTL_OK;
}

/* A disk that gets full takes a part, and refuses the rest. */
static flowctl_status write_at(struct file *f, off_t at, const void *from, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        ssize_t n = pwrite(f->fd, (const char *)from + done, bytes - done, at + (off_t)done);
        if (n <= 0) return n == 0 ? FLOWCTL_NO_MEMORY : status_of(errno);
        done += (size_t)n;
    }
    return FLOWCTL_OK;
}

static flowctl_status flush(struct file *f, bool through) {
    return through && fdatasync(f->fd) != 0 ? status_of(errno) : FLOWCTL_OK;
}

static off_t word_at(unsigned place) { return HEADER_BYTES + (off_t)place * 8; }

static off_t slot_at(unsigned place, unsigned which) {
    return HEADER_BYTES + PLACES * 8 + ((off_t)place * 2 + which) * SLOT_BYTES;
}

/* ---- the lock ---- */

/*
 * A lock of the open file (OFD), not of the process: with the older kind, two instances in one process would not exclude each other, and closing any
 * descriptor of the file would free it. It is tried for about a second and no longer: a process that was stopped while it had it must not keep the others
 * from closing. And often, so that somebody who takes it all the time leaves enough gaps.
 */
static bool try_lock(struct file *f, short type) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    return fcntl(f->fd, F_OFD_SETLK, &lock) == 0;
}

static flowctl_status lock_file(struct file *f) {
    for (unsigned tries = 0; !try_lock(f, F_WRLCK); tries++) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) return status_of(errno);
        if (tries == 5000) return errno = EAGAIN, FLOWCTL_UNAVAILABLE;
        nanosleep(&(struct timespec){0, 100000}, NULL);
    }
    return FLOWCTL_OK;
}

static void leave(struct file *f) { try_lock(f, F_UNLCK); }

static void close_file(struct file *f) {
    if (f->fd >= 0) close(f->fd); /* which frees the lock as well */
    f->fd = -1;
}

/* ---- the file as a whole ---- */

/* Is what we have open still what the path means? */
static bool is_at_path(struct file *f, struct stat *ours) {
    struct stat there;
    return fstat(f->fd, ours) == 0 && stat(f->path, &there) == 0 && ours->st_ino == there.st_ino &&
           ours->st_dev == there.st_dev;
}

/* The size last: whoever is killed before leaves a file like one that was cut, and the next begins again. */
static flowctl_status make_anew(struct file *f) {
    uint64_t now_ns = flowctl_backend_time(&f->base);
    f->header = (struct header){{0}, FORMAT, sizeof(struct slot), f->identity, now_ns, now_ns};
    memcpy(f->header.magic, magic, sizeof magic);
    if (ftruncate(f->fd, 0) != 0) return status_of(errno);
    flowctl_status status = write_at(f, 0, &f->header, sizeof f->header);
    return status == FLOWCTL_OK && ftruncate(f->fd, FILE_BYTES) != 0 ? status_of(errno) : status;
}

/* Cut to nothing while one of us was writing: no header, and what that wrote, the end of some entry, behind a hole. Nobody else's file is like that. */
static bool was_cut_under_us(const struct header *h, off_t size) {
    static const char none[sizeof magic];
    if (memcmp(h->magic, none, sizeof none) != 0 || size > FILE_BYTES) return false;
    if (size == sizeof *h || size == FILE_BYTES) return true;
    if (size <= slot_at(0, 0)) return size > HEADER_BYTES && size % 8 == 0;
    return (size - slot_at(0, 0)) % SLOT_BYTES == sizeof(struct slot);
}

/* A file of somebody else is never written to. One of ours that was cut is made anew. */
static flowctl_status examine(struct file *f, const struct stat *is) {
    if (!S_ISREG(is->st_mode)) return FLOWCTL_UNSUPPORTED;
    if (is->st_size == 0) return make_anew(f);
    flowctl_status status = read_at(f, 0, &f->header, sizeof f->header);
    if (status != FLOWCTL_OK) return status;
    if (was_cut_under_us(&f->header, is->st_size)) return make_anew(f);
    if (memcmp(f->header.magic, magic, sizeof magic) != 0 || f->header.format != FORMAT ||
        f->header.slot_bytes != sizeof(struct slot))
        return FLOWCTL_UNSUPPORTED;
    return is->st_size == FILE_BYTES ? FLOWCTL_OK : make_anew(f);
}

/* Locks the file that is at the path now, with a header of ours. Anything but OK: nothing is locked. */
static flowctl_status enter(struct file *f) {
    for (unsigned tries = 0; tries < 8; tries++) {
        if (f->fd < 0 && (f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600)) < 0)
            return status_of(errno);
        struct stat is;
        flowctl_status status = lock_file(f);
        if (status != FLOWCTL_OK) return status;
        if (is_at_path(f, &is)) {
            if ((status = examine(f, &is)) != FLOWCTL_OK) leave(f);
            return status;
        }
        close_file(f); /* deleted, or another one is there: that one then */
    }
    return errno = EAGAIN, FLOWCTL_UNAVAILABLE;
}

/* ---- entries ---- */

static bool is_alive(struct file *f, const struct slot *s) {
    return s->expires_ns == 0 || (s->identity == f->identity && flowctl_backend_time(&f->base) < s->expires_ns);
}

/* Reads the current slot of a place that was used. `damaged`: it isn't what was written. */
static flowctl_status load(struct file *f, unsigned place, uint64_t word, bool *damaged) {
    flowctl_status status = read_at(f, slot_at(place, (unsigned)(word - 1) & 1), &f->slot, sizeof f->slot);
    *damaged = f->slot.checksum != checksum(&f->slot) || f->slot.kind > NUMBER || f->slot.key[FLOWCTL_STORE_KEY_MAX] != '\0';
    return status;
}

/*
 * Looks for an entry, from the place its key is hashed to up to one that never was used. Found: it is in f->slot. Not found: f->slot is empty but for kind
 * and key, and f->place the first that could take it.
 */
static flowctl_status find(struct file *f, enum kind kind, const char *key, bool *found) {
    unsigned at = (unsigned)((hash(key, strlen(key)) + kind) % PLACES), free_place = PLACES;
    uint64_t free_word = 0, word = 1;
    *found = f->damaged = false;
    for (unsigned n = 0; n < PLACES && word != 0; n++, at = (at + 1) % PLACES) {
        bool damaged = false;
        flowctl_status status = read_at(f, word_at(at), &word, sizeof word);
        if (status == FLOWCTL_OK && word != 0) status = load(f, at, word, &damaged);
        if (status != FLOWCTL_OK) return status;
        *found = word != 0 && !damaged && f->slot.kind == kind && strcmp(f->slot.key, key) == 0;
        f->place = at, f->word = word;
        if (*found) return FLOWCTL_OK;
        f->damaged = f->damaged || damaged;
        bool is_free = word == 0 || damaged || f->slot.kind == GONE || (f->slot.kind == VALUE && !is_alive(f, &f->slot));
        if (is_free && free_place == PLACES) free_place = at, free_word = word;
    }
    f->place = free_place, f->word = free_word;
    memset(&f->slot, 0, sizeof f->slot);
    f->slot.kind = kind;
    memcpy(f->slot.key, key, strlen(key)); /* looked up by those who know that it fits */
    return FLOWCTL_OK;
}

/* Whoever cuts the file does not ask for the lock: what we read before may have been there no more, and what we wrote is lost. */
static flowctl_status still_whole(struct file *f) {
    struct stat is;
    if (fstat(f->fd, &is) != 0) return status_of(errno);
    return is.st_size == FILE_BYTES ? FLOWCTL_OK : FLOWCTL_UNAVAILABLE;
}

/* The one step: the slot that isn't current, then the word. If anything fails before the word, nothing has happened. */
static flowctl_status store(struct file *f, bool through) {
    unsigned other = f->word == 1 ? 1 : 0;
    uint64_t word = other + 1;
    if (f->place == PLACES) return FLOWCTL_NO_MEMORY;
    f->slot.checksum = checksum(&f->slot);
    flowctl_status status = write_at(f, slot_at(f->place, other), &f->slot, sizeof f->slot);
    if (status == FLOWCTL_OK) status = flush(f, through);
    if (status == FLOWCTL_OK) status = write_at(f, word_at(f->place), &word, sizeof word);
    if (status == FLOWCTL_OK) status = flush(f, through);
    return status == FLOWCTL_OK ? still_whole(f) : status;
}

static bool fits(const char *text, size_t most) { return text != NULL && *text != '\0' && strlen(text) <= most; }

/* ---- slot `lease`: required ---- */

/* See LOSS, above. Two longest leases are more than any that was lent, with the ledger's margin. */
static flowctl_ledger_origin origin(struct file *f, uint64_t now_ns) {
    bool another_boot = f->header.born_identity != f->identity;
    bool old = now_ns > f->header.born_ns && now_ns - f->header.born_ns > 2 * FLOWCTL_TTL_MAX_NS;
    return !f->damaged && (another_boot || old) ? FLOWCTL_LEDGER_FIRST : FLOWCTL_LEDGER_LOST;
}

static flowctl_status lend(struct file *f, const flowctl_lease_ask *ask, flowctl_lease_reply *reply) {
    uint64_t now_ns = flowctl_backend_time(&f->base);
    bool found;
    flowctl_status status = find(f, LIMIT, ask->limit, &found);
    if (status != FLOWCTL_OK) return status;
    if (found && !flowctl_ledger_is_sound(ledger_of(f), FLOWCTL_LEDGER_BYTES(SESSIONS))) found = false, f->damaged = true;
    if (!found) flowctl_ledger_init(ledger_of(f), SESSIONS, f->identity, origin(f, now_ns));
    flowctl_ledger_ask(ledger_of(f), ask, now_ns, f->identity, reply);
    /* What was refused changed nothing that must be kept, and a limit is kept from its first session on. */
    if (reply->status != FLOWCTL_OK || (!found && reply->dead)) return FLOWCTL_OK;
    return store(f, false);
}

/* Only what has been stored is granted: if that failed, the answer says why, and nothing else. */
static void file_lease(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_ask *ask) {
    struct file *f = (struct file *)base;
    flowctl_lease_reply reply = {.size = sizeof reply, .session = ask->session, .seq = ask->seq};
    flowctl_status status = fits(ask->limit, FLOWCTL_LIMIT_ID_MAX) ? enter(f) : FLOWCTL_INVALID_ARGUMENT;
    if (status == FLOWCTL_OK) {
        status = lend(f, ask, &reply);
        leave(f);
    }
    if (status != FLOWCTL_OK)
        reply = (flowctl_lease_reply){.size = sizeof reply, .status = status, .session = ask->session, .seq = ask->seq};
    flowctl_answer_lease(base, ticket, &reply);
}

/* ---- slots `get` and `put`: optional, but both or neither ---- */

static void file_get(flowctl_backend_base *base, uint64_t ticket, const char *key) {
    struct file *f = (struct file *)base;
    flowctl_store_reply reply = {.size = sizeof reply};
    bool found = false;
    reply.status = fits(key, FLOWCTL_STORE_KEY_MAX) ? enter(f) : FLOWCTL_INVALID_ARGUMENT;
    if (reply.status == FLOWCTL_OK) {
        reply.status = find(f, VALUE, key, &found);
        leave(f);
    }
    if (reply.status == FLOWCTL_OK && (!found || !is_alive(f, &f->slot))) reply.status = FLOWCTL_NOT_FOUND;
    if (reply.status == FLOWCTL_OK)
        reply.value = f->slot.content.value, reply.bytes = f->slot.bytes, reply.version = f->slot.number;
    flowctl_answer_store(base, ticket, &reply);
}

static flowctl_status write_value(struct file *f, const flowctl_store_put *put) {
    uint64_t now_ns = flowctl_backend_time(&f->base);
    /* The version first: who is killed then has skipped one, and that is all. */
    if (f->header.version < f->slot.number) f->header.version = f->slot.number;
    f->header.version++;
    flowctl_status status = write_at(f, (off_t)offsetof(struct header, version), &f->header.version, sizeof f->header.version);
    if (status != FLOWCTL_OK) return status;
    f->slot.number = f->header.version;
    f->slot.identity = f->identity;
    f->slot.expires_ns = put->ttl_ns == 0 || put->ttl_ns > FLOWCTL_FOREVER - now_ns ? 0 : now_ns + put->ttl_ns;
    f->slot.bytes = (uint32_t)put->bytes;
    memset(&f->slot.content, 0, sizeof f->slot.content);
    if (put->bytes != 0) memcpy(f->slot.content.value, put->value, put->bytes);
    return store(f, f->slot.expires_ns == 0);
}

static flowctl_status change(struct file *f, const flowctl_store_put *put, uint64_t *version) {
    bool found;
    flowctl_status status = find(f, VALUE, put->key, &found);
    if (status != FLOWCTL_OK) return status;
    bool there = found && is_alive(f, &f->slot);
    *version = there ? f->slot.number : 0;
    if (put->expected != FLOWCTL_ANY_VERSION && put->expected != *version) return FLOWCTL_CONFLICT;
    if (put->value != NULL) {
        status = write_value(f, put);
        *version = f->slot.number;
        return status;
    }
    *version = 0;
    if (!there) return FLOWCTL_OK;
    f->slot.kind = GONE;
    return store(f, f->slot.expires_ns == 0);
}

static void file_put(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_put *put) {
    struct file *f = (struct file *)base;
    flowctl_store_reply reply = {.size = sizeof reply};
    if (!fits(put->key, FLOWCTL_STORE_KEY_MAX)) reply.status = FLOWCTL_INVALID_ARGUMENT;
    else if (put->value != NULL && put->bytes > FLOWCTL_STORE_VALUE_MAX) reply.status = FLOWCTL_OUT_OF_RANGE;
    else if ((reply.status = enter(f)) == FLOWCTL_OK) {
        reply.status = change(f, put, &reply.version);
        leave(f);
    }
    flowctl_answer_store(base, ticket, &reply);
}

/* ---- slot `increment`: optional ---- */

static flowctl_status add(struct file *f, const char *key, uint64_t by, uint64_t *sum) {
    bool found;
    flowctl_status status = find(f, NUMBER, key, &found);
    if (status != FLOWCTL_OK) return status;
    if (!found && f->damaged) return FLOWCTL_SYSTEM; /* that may have been it: no number is given twice */
    if (by > UINT64_MAX - f->slot.number) return FLOWCTL_OUT_OF_RANGE;
    *sum = f->slot.number += by;
    return store(f, true);
}

static void file_increment(flowctl_backend_base *base, uint64_t ticket, const char *key, uint64_t by) {
    struct file *f = (struct file *)base;
    flowctl_store_reply reply = {.size = sizeof reply};
    reply.status = fits(key, FLOWCTL_STORE_KEY_MAX) ? enter(f) : FLOWCTL_INVALID_ARGUMENT;
    if (reply.status == FLOWCTL_OK) {
        reply.status = add(f, key, by, &reply.number);
        leave(f);
    }
    flowctl_answer_store(base, ticket, &reply);
}

/* ---- slot `inspect`: optional; for people who look ---- */

/* What lies at a place, if it is a limit, and the one that is asked for. Told without the lock: whoever is told may take its time. */
static flowctl_status tell(struct file *f, uint64_t ticket, const char *limit, unsigned place, bool *found) {
    uint64_t word = 0;
    bool damaged = false;
    flowctl_member_state members[SESSIONS];
    flowctl_limit_state state = {.size = sizeof state, .limit = f->slot.key};
    flowctl_status status = enter(f);
    if (status != FLOWCTL_OK) return status;
    status = read_at(f, word_at(place), &word, sizeof word);
    if (status == FLOWCTL_OK && word != 0) status = load(f, place, word, &damaged);
    leave(f);
    if (status != FLOWCTL_OK || word == 0 || damaged || f->slot.kind != LIMIT) return status;
    if (limit != NULL && strcmp(limit, f->slot.key) != 0) return FLOWCTL_OK;
    if (!flowctl_ledger_is_sound(ledger_of(f), FLOWCTL_LEDGER_BYTES(SESSIONS))) return FLOWCTL_OK;
    *found = true;
    flowctl_ledger_inspect(ledger_of(f), flowctl_backend_time(&f->base), &state, members, SESSIONS);
    flowctl_answer_inspect(&f->base, ticket, FLOWCTL_OK, &state);
    return FLOWCTL_OK;
}

static void file_inspect(flowctl_backend_base *base, uint64_t ticket, const char *limit) {
    flowctl_status status = FLOWCTL_OK;
    bool found = limit == NULL;
    for (unsigned place = 0; status == FLOWCTL_OK && place < PLACES; place++)
        status = tell((struct file *)base, ticket, limit, place, &found);
    flowctl_answer_inspect(base, ticket, status == FLOWCTL_OK && !found ? FLOWCTL_NOT_FOUND : status, NULL);
}

/* ---- slots `open` and `close`: required ---- */

static void file_close(flowctl_backend_base *base) {
    struct file *f = (struct file *)base;
    close_file(f);
    free(f->path);
}

static const char boot_id[] = "/proc/sys/kernel/random/boot_id"; /* see IDENTITY, above */

static bool name_this_boot(struct file *f) {
    char text[64];
    f->fd = open(boot_id, O_RDONLY | O_CLOEXEC);
    ssize_t n = f->fd < 0 ? -1 : read(f->fd, text, sizeof text);
    close_file(f);
    if (n > 0) f->identity = hash(text, (size_t)n);
    return n > 0;
}

static flowctl_status fail(flowctl_error *err, flowctl_status status, const char *what, const char *why) {
    if (err == NULL) return status;
    *err = (flowctl_error){.status = status, .offset = -1};
    snprintf(err->message, sizeof err->message, "%.150s: %s", what, why);
    return status;
}

static const char *why_not(const struct file *f, flowctl_status status, int error) {
    if (status != FLOWCTL_UNSUPPORTED)
        return error == EAGAIN ? "locked by somebody else; is a process stopped?" : strerror(error);
    return memcmp(f->header.magic, magic, sizeof magic) == 0 ? "made by another version of this program; give another path"
                                                             : "no file of this program; give another path";
}

static flowctl_status file_open(flowctl_backend_base *base, const void *config, flowctl_error *err) {
    struct file *f = (struct file *)base;
    const char *path = config;
    f->fd = -1;
    if (path == NULL || *path == '\0')
        return fail(err, FLOWCTL_INVALID_ARGUMENT, "config", "empty; give the path of a file");
    if (!name_this_boot(f)) return fail(err, FLOWCTL_SYSTEM, boot_id, "can't be read; is /proc there?");
    if ((f->path = strdup(path)) == NULL) return fail(err, FLOWCTL_NO_MEMORY, path, "no memory");
    flowctl_status status = enter(f);
    if (status == FLOWCTL_OK) return leave(f), FLOWCTL_OK;
    fail(err, status, path, why_not(f, status, errno));
    return file_close(base), status;
}

/* What can be seen from the slots needs no bit: get and put, increment, inspect. There is no watch: nobody tells us when another process writes. */
const flowctl_backend_ops file_backend_ops = {
    .size = sizeof(flowctl_backend_ops),
    .version = FLOWCTL_BACKEND_VERSION,
    .name = "file",
    .instance_bytes = sizeof(struct file),
    .capabilities = FLOWCTL_CAN_SHARE | FLOWCTL_CAN_PERSIST | FLOWCTL_CAN_SERVER_TIME | FLOWCTL_CAN_EXACT,
    .open = file_open,
    .close = file_close,
    .lease = file_lease,
    .get = file_get,
    .put = file_put,
    .increment = file_increment,
    .inspect = file_inspect,
};

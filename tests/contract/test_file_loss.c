/* What is only true of files: deleted, cut, replaced, damaged, of somebody else, on a full disk, from before the machine was started. */
#include "link.h"
#include "spoilt_file.h"
#include "subjects.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TTL_NS (40 * FLOWCTL_NS_PER_MS)

static const struct contract_subject subject = {.name = "file_loss",
                                                .ops = &spoilt_file_backend_ops,
                                                .config = file_config,
                                                .fresh = fresh_file};

static const char *path(void) { return file_config(); }

static void write_into(long at, const void *bytes, size_t count) {
    int fd = open(path(), O_RDWR | O_CREAT, 0600);
    EXPECT(fd >= 0 && pwrite(fd, bytes, count, at) == (ssize_t)count);
    close(fd);
}

static uint64_t any_time(flowctl_backend_base *base) {
    (void)base;
    return link_now();
}

static flowctl_status try_open(const char *at, flowctl_error *err) {
    static const flowctl_backend_host nobody = {.size = sizeof nobody, .now = any_time};
    flowctl_backend_base *base = calloc(1, spoilt_file_backend_ops.instance_bytes);
    EXPECT(base != NULL);
    *base = (flowctl_backend_base){&spoilt_file_backend_ops, &nobody, NULL};
    flowctl_status status = spoilt_file_backend_ops.open(base, at, err);
    EXPECT(status != FLOWCTL_OK);
    free(base);
    return status;
}

static void expect_refused(const char *at, flowctl_status status, const char *because) {
    flowctl_error err = {FLOWCTL_OK, 0, ""};
    EXPECT_NUMBER(try_open(at, &err), ==, status);
    EXPECT_NUMBER(err.status, ==, status);
    if (strstr(err.message, because) == NULL)
        contract_fail(__FILE__, __LINE__, "\"%s\" is not in \"%s\"", because, err.message);
    EXPECT_NUMBER(try_open(at, NULL), ==, status);
}

/* Somebody was lent all there is; then `harm` is done. Nobody is lent anything before that lease is over, and then it goes on. */
static void survives(void (*harm)(void)) {
    struct link *l = link_open(&subject);
    flowctl_lease_terms terms = make_full(l, "limit", 100, TTL_NS);
    struct member holds = member_of(l, "limit", terms),
                  next = member_of(l, "limit", at_rate(terms, flowctl_per(100, FLOWCTL_NS_PER_MS)));
    uint64_t sent_ns = link_now();
    EXPECT_NUMBER(member_ask(&holds, 100, 0), ==, 100);
    harm();
    if (spoil.boot != NULL) link_close(l), l = link_open(&subject), next.link = holds.link = l;
    while (member_ask(&next, 1, 0) == 0) {
        EXPECT_NUMBER(next.reply.status, ==, FLOWCTL_OK);
        EXPECT_NUMBER(link_now() - sent_ns, <, 40 * TTL_NS);
        link_rest(l, 2 * FLOWCTL_NS_PER_MS);
    }
    EXPECT_NUMBER(next.seen_ns - sent_ns, >=, TTL_NS + TTL_NS / 2);
    member_ask(&holds, 0, 0);
    EXPECT(holds.reply.dead);
    link_close(l);
}

static void delete (void) { EXPECT(unlink(path()) == 0); }
static void cut(void) { EXPECT(truncate(path(), spoilt_slots_at + 5000) == 0); }
static void cut_to_nothing(void) { EXPECT(truncate(path(), 0) == 0); }
static void reboot(void) { spoil.boot = "another"; }

static void replace(void) {
    char other[300];
    snprintf(other, sizeof other, "%s.other", path());
    int fd = open(other, O_RDWR | O_CREAT | O_EXCL, 0600);
    EXPECT(fd >= 0 && rename(other, path()) == 0);
    close(fd);
}

static void damage_slots(void) {
    unsigned char noise[4096];
    memset(noise, 0xa5, sizeof noise);
    struct stat is;
    EXPECT(stat(path(), &is) == 0);
    for (long at = spoilt_slots_at; at < spoilt_file_bytes; at += 8192) {
        uint64_t word = 0;
        int fd = open(path(), O_RDONLY);
        EXPECT(pread(fd, &word, sizeof word, spoilt_words_at + (at - spoilt_slots_at) / 8192 / 2 * 8) == 8);
        close(fd);
        if (word != 0) write_into(at, noise, sizeof noise);
    }
}

static void deleted(const struct contract_subject *s) { (void)s, survives(delete); }
static void replaced(const struct contract_subject *s) { (void)s, survives(replace); }
static void truncated(const struct contract_subject *s) { (void)s, survives(cut); }
static void emptied(const struct contract_subject *s) { (void)s, survives(cut_to_nothing); }
static void damaged(const struct contract_subject *s) { (void)s, survives(damage_slots); }
static void rebooted(const struct contract_subject *s) { (void)s, survives(reboot); }

/* Two that had a file open which was deleted meet again in the new one. */
static void meeting_again(const struct contract_subject *s) {
    struct link *a = link_open(s), *b = link_open(s);
    make_full(a, "limit", 100, TTL_NS);
    delete ();
    flowctl_lease_terms terms = make_full(a, "limit", 100, TTL_NS);
    struct member m = member_of(a, "limit", terms), n = member_of(b, "limit", terms);
    EXPECT_NUMBER(member_ask(&m, 70, 0), ==, 70);
    EXPECT_NUMBER(member_ask(&n, 100, 0), ==, 30);
    link_close(a);
    link_close(b);
}

/* A new limit in a file of an earlier boot can never have been lent: it lends at once. */
static void new_limit_in_an_old_file(const struct contract_subject *s) {
    struct link *l = link_open(s);
    struct member m = member_of(l, "first", terms_of(flowctl_per_hour(1), 10, TTL_NS, 1));
    EXPECT(member_ask(&m, 1, 0) == 0 && m.reply.quarantine_ns != 0);
    link_close(l);
    reboot();
    l = link_open(s);
    m = member_of(l, "second", terms_of(flowctl_per_hour(1), 10, TTL_NS, 1));
    EXPECT_NUMBER(member_ask(&m, 10, 0), ==, 10);
    link_close(l);
}

/* A limit that would lend at once, in a file that is cut when the entry was looked for and not found: what it was before is not known any more. */
static void cut_under_the_lender(const struct contract_subject *s) {
    struct link *l = link_open(s);
    link_put(l, (flowctl_store_put){.key = "k", .value = "x", .bytes = 1});
    link_close(l);
    reboot();
    l = link_open(s);
    struct member m = member_of(l, "first", terms_of(flowctl_per_hour(1), 10, TTL_NS, 1)), n = m;
    spoil.cut = true;
    EXPECT(member_ask(&m, 10, 0) == 0 && m.reply.status == FLOWCTL_UNAVAILABLE);
    n.ask.session.lo++;
    EXPECT(member_ask(&n, 10, 0) == 0 && n.reply.status == FLOWCTL_OK && n.reply.quarantine_ns != 0);
    spoil.cut = true;
    EXPECT_NUMBER(link_put(l, (flowctl_store_put){.key = "k", .value = "x", .bytes = 1}).reply.status, ==,
                  FLOWCTL_UNAVAILABLE);
    EXPECT_NUMBER(link_get(l, "k").reply.status, ==, FLOWCTL_NOT_FOUND);
    spoil.cut = true;
    EXPECT_NUMBER(link_increment(l, "n", 1).reply.status, ==, FLOWCTL_UNAVAILABLE);
    EXPECT_NUMBER(link_increment(l, "n", 1).reply.number, ==, 1);
    link_close(l);
}

/* What is left of a file that was cut under a writer is no reason to refuse it: its word, or its entry, at any place. */
static void cut_under_a_writer(const struct contract_subject *s) {
    uint32_t slot_bytes = 0;
    struct link *l = link_open(s);
    int fd = open(path(), O_RDONLY);
    EXPECT(pread(fd, &slot_bytes, sizeof slot_bytes, 12) == sizeof slot_bytes);
    close(fd);
    long pitch = (spoilt_file_bytes - spoilt_slots_at) / 2048;
    const long ends[] = {spoilt_words_at + 8, spoilt_slots_at, spoilt_slots_at + (long)slot_bytes,
                         spoilt_slots_at + 77 * pitch + (long)slot_bytes, spoilt_file_bytes};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        cut_to_nothing();
        write_into(ends[i] - 1, "x", 1);
        EXPECT_NUMBER(link_get(l, "k").reply.status, ==, FLOWCTL_NOT_FOUND);
        cut_to_nothing();
        write_into(ends[i], "x", 1); /* another's: it ends where nothing of ours does */
        EXPECT_NUMBER(link_get(l, "k").reply.status, ==, FLOWCTL_UNSUPPORTED);
    }
    link_close(l);
}

static void values_and_boots(const struct contract_subject *s) {
    struct link *l = link_open(s);
    link_put(l, (flowctl_store_put){.key = "stays", .value = "x", .bytes = 1});
    link_put(l, (flowctl_store_put){.key = "goes", .value = "x", .bytes = 1, .ttl_ns = FLOWCTL_NS_PER_HOUR});
    link_increment(l, "n", 7);
    link_close(l);
    reboot();
    l = link_open(s);
    EXPECT_NUMBER(link_get(l, "stays").reply.status, ==, FLOWCTL_OK);
    EXPECT_NUMBER(link_get(l, "goes").reply.status, ==, FLOWCTL_NOT_FOUND);
    EXPECT_NUMBER(link_increment(l, "n", 1).reply.number, ==, 8);
    link_close(l);
}

static void foreign_files(const struct contract_subject *s) {
    static const char text[] = "dear diary, today I was not a store of limits";
    char far[300];
    (void)s;
    write_into(0, text, sizeof text);
    expect_refused(path(), FLOWCTL_UNSUPPORTED, "no file of this program");
    struct stat is;
    EXPECT(stat(path(), &is) == 0 && is.st_size == sizeof text); /* and left alone */
    write_into(0, "fctlfile\x63", 9);
    expect_refused(path(), FLOWCTL_UNSUPPORTED, "another version");
    expect_refused("/tmp", FLOWCTL_SYSTEM, "directory");
    expect_refused("/dev/null", FLOWCTL_UNSUPPORTED, "no file of this program");
    expect_refused("", FLOWCTL_INVALID_ARGUMENT, "path");
    expect_refused(NULL, FLOWCTL_INVALID_ARGUMENT, "path");
    snprintf(far, sizeof far, "%s.d/file", path());
    expect_refused(far, FLOWCTL_UNAVAILABLE, "No such file");
    if (geteuid() != 0) expect_refused("/proc/version", FLOWCTL_NOT_PERMITTED, "denied");
}

/* Somebody else's file appears at the path while we are at work. */
static void foreign_file_later(const struct contract_subject *s) {
    struct link *l = link_open(s);
    struct member m = member_of(l, "limit", terms_of(flowctl_per_second(1), 10, TTL_NS, 1));
    delete ();
    write_into(0, "mine!", 5);
    member_ask(&m, 1, 0);
    EXPECT_NUMBER(m.reply.status, ==, FLOWCTL_UNSUPPORTED);
    EXPECT_NUMBER(link_get(l, "k").reply.status, ==, FLOWCTL_UNSUPPORTED);
    delete ();
    member_ask(&m, 1, 0);
    EXPECT(m.reply.dead); /* a new file */
    link_close(l);
}

/* What can't be written has not happened. */
static void disk_full(const struct contract_subject *s) {
    spoil.disk_full = true;
    expect_refused(path(), FLOWCTL_NO_MEMORY, "No space");
    spoil.disk_full = false;
    struct link *l = link_open(s);
    flowctl_lease_terms terms = make_full(l, "limit", 100, TTL_NS);
    struct member m = member_of(l, "limit", terms);
    struct stored first = link_put(l, (flowctl_store_put){.key = "k", .value = "x", .bytes = 1});
    link_increment(l, "n", 5);
    spoil.disk_full = true;
    EXPECT_NUMBER(member_ask(&m, 10, 0), ==, 0);
    EXPECT(m.reply.status == FLOWCTL_NO_MEMORY && m.reply.granted == 0);
    EXPECT_NUMBER(link_increment(l, "n", 5).reply.status, ==, FLOWCTL_NO_MEMORY);
    EXPECT_NUMBER(link_put(l, (flowctl_store_put){.key = "k", .value = "y", .bytes = 1, .expected = first.reply.version})
                      .reply.status,
                  ==, FLOWCTL_NO_MEMORY);
    EXPECT_NUMBER(link_get(l, "k").reply.version, ==, first.reply.version);
    spoil.disk_full = false;
    m.ask.seq = 0;
    EXPECT_NUMBER(member_ask(&m, 100, 0), ==, 100);
    EXPECT_NUMBER(link_increment(l, "n", 0).reply.number, ==, 5);
    link_close(l);
}

/* A process that was stopped while it has the lock: an answer, in the end. */
static void locked_by_another(const struct contract_subject *s) {
    struct link *l = link_open(s);
    int fd = open(path(), O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    EXPECT(fcntl(fd, F_OFD_SETLK, &lock) == 0);
    EXPECT_NUMBER(link_get(l, "k").reply.status, ==, FLOWCTL_UNAVAILABLE);
    expect_refused(path(), FLOWCTL_UNAVAILABLE, "locked");
    close(fd);
    EXPECT_NUMBER(link_get(l, "k").reply.status, ==, FLOWCTL_NOT_FOUND);
    link_close(l);
}

/* No more entries than there are places; those of values that are gone are used again. */
static void all_places(const struct contract_subject *s) {
    struct link *l = link_open(s);
    char key[32];
    flowctl_store_put put = {.key = key, .value = "x", .bytes = 1, .ttl_ns = FLOWCTL_NS_PER_HOUR};
    flowctl_status status = FLOWCTL_OK;
    unsigned n = 0;
    for (; status == FLOWCTL_OK && n < 3000; n++) {
        snprintf(key, sizeof key, "%u", n);
        status = link_put(l, put).reply.status;
    }
    EXPECT(status == FLOWCTL_NO_MEMORY && n == 1025);
    struct member m = member_of(l, "limit", terms_of(flowctl_per_second(1), 10, TTL_NS, 1));
    member_ask(&m, 1, 0);
    EXPECT_NUMBER(m.reply.status, ==, FLOWCTL_NO_MEMORY);
    EXPECT_NUMBER(link_put(l, (flowctl_store_put){.key = "500", .expected = FLOWCTL_ANY_VERSION}).reply.status, ==,
                  FLOWCTL_OK);
    EXPECT_NUMBER(link_put(l, put).reply.status, ==, FLOWCTL_OK);
    EXPECT_NUMBER(link_get(l, key).reply.status, ==, FLOWCTL_OK);
    EXPECT_NUMBER(link_get(l, "1023").reply.status, ==, FLOWCTL_OK);
    link_close(l);
}

int main(void) {
    static const struct contract_check checks[] = {
        {"deleted", deleted, 0, false},
        {"replaced", replaced, 0, false},
        {"truncated", truncated, 0, false},
        {"emptied", emptied, 0, false},
        {"damaged", damaged, 0, false},
        {"rebooted", rebooted, 0, false},
        {"meeting_again", meeting_again, 0, false},
        {"new_limit_in_an_old_file", new_limit_in_an_old_file, 0, false},
        {"cut_under_the_lender", cut_under_the_lender, 0, false},
        {"cut_under_a_writer", cut_under_a_writer, 0, false},
        {"values_and_boots", values_and_boots, 0, false},
        {"foreign_files", foreign_files, 0, false},
        {"foreign_file_later", foreign_file_later, 0, false},
        {"disk_full", disk_full, 0, false},
        {"locked_by_another", locked_by_another, 0, false},
        {"all_places", all_places, 0, false},
        {NULL, NULL, 0, false},
    };
    return contract_run(&subject, checks, NULL) == 0 ? 0 : 1;
}

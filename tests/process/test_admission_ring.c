/* The files of admissions: what was published is there and whole, whenever the writer was killed; without room nothing is admitted. */
#include "admission_layout.h"
#include "admission_ring.h"
#include "support/seed.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define KILLS 200

static char directory[] = "/tmp/flowctl_ring_XXXXXX";

static const char *path_of(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s.ring", directory, name);
    return path;
}

/* Entry i of every test: all of its words follow from i, so that a wrong or torn one is seen. */
static struct fct_admission entry(uint64_t i) {
    uint64_t state = i;
    return (struct fct_admission){i + 1, test_random(&state) | 1, test_random(&state) | 1, test_random(&state)};
}

static bool is_entry(const struct fct_admission *a, uint64_t i) {
    struct fct_admission want = entry(i);
    return a->time_ns == want.time_ns && a->used_ns == want.used_ns && a->permits == want.permits &&
           a->limiter == want.limiter;
}

/* How many entries the file has; fails unless all of them are whole and in order. */
static uint64_t whole_entries(const char *name) {
    struct fct_rings rings;
    fct_rings_init(&rings);
    if (!fct_rings_read_file(&rings, path_of(name))) fail_msg("%s", rings.message);
    for (size_t i = 0; i < rings.count; i++)
        if (!is_entry(&rings.dated[i].admission, i)) fail_msg("%s: entry %zu is wrong", name, i);
    uint64_t count = rings.count;
    assert_int_equal(rings.rings[0].count, count);
    fct_rings_cleanup(&rings);
    return count;
}

static bool is_refused(const char *name, const char *why) {
    struct fct_rings rings;
    fct_rings_init(&rings);
    bool refused = !fct_rings_read_file(&rings, path_of(name));
    if (refused && strstr(rings.message, why) == NULL) fail_msg("expected \"%s\": %s", why, rings.message);
    fct_rings_cleanup(&rings);
    return refused;
}

static void append_entries(struct fct_ring *ring, uint64_t from, uint64_t until) {
    for (uint64_t i = from; i < until; i++) {
        struct fct_admission a = entry(i);
        assert_true(fct_ring_reserve(ring));
        fct_ring_append(ring, &a);
    }
}

/* ---- what goes in comes out ---- */

static void entries_and_counters_are_read_back(void **state) {
    (void)state;
    struct fct_ring ring;
    struct fct_rings rings;
    fct_rings_init(&rings);
    assert_true(fct_ring_create(&ring, directory, "back", FCT_RING_FORKED));
    append_entries(&ring, 0, 2 * FCT_RING_CHUNK + 5);
    fct_ring_refused(&ring, 3), fct_ring_refused(&ring, 4);
    fct_ring_waited(&ring, 1000);
    fct_ring_failed(&ring);
    fct_ring_answered(&ring, 77);
    fct_ring_cleanup(&ring);
    assert_int_equal(whole_entries("back"), 2 * FCT_RING_CHUNK + 5);
    assert_true(fct_rings_read_file(&rings, path_of("back")));
    const struct fct_ring_info *info = rings.rings;
    assert_string_equal(info->name, "back");
    assert_int_equal(info->role, FCT_RING_FORKED);
    assert_int_equal(info->pid, getpid());
    assert_true(info->made_ns != 0 && info->made_ns <= fct_ring_now_ns());
    assert_true(info->refused == 2 && info->refused_permits == 7 && info->waited == 1 && info->wait_ns == 1000);
    assert_true(info->failed == 1 && info->answered_ns == 77 && info->ended == FCT_RING_CLOSED);
    fct_rings_cleanup(&rings);
    unlink(path_of("back"));
}

static void a_file_is_never_replaced(void **state) {
    (void)state;
    struct fct_ring ring, again;
    assert_true(fct_ring_create(&ring, directory, "twice", FCT_RING_WORKER));
    append_entries(&ring, 0, 3);
    assert_false(fct_ring_create(&again, directory, "twice", FCT_RING_WORKER));
    assert_non_null(strstr(again.message, "exists"));
    fct_ring_cleanup(&again);
    append_entries(&ring, 3, 4);
    fct_ring_cleanup(&ring);
    assert_int_equal(whole_entries("twice"), 4);
    unlink(path_of("twice"));
}

static void names_are_names(void **state) {
    (void)state;
    char longest[FCT_RING_NAME_SIZE + 2] = {0};
    const char *const wrong[] = {"", ".", "..", "a/b", longest};
    struct fct_ring ring;
    memset(longest, 'x', FCT_RING_NAME_SIZE + 1);
    for (size_t i = 0; i < 5; i++) {
        assert_false(fct_ring_create(&ring, directory, wrong[i], FCT_RING_WORKER));
        fct_ring_cleanup(&ring);
    }
    assert_true(fct_ring_create(&ring, directory, longest + 1, FCT_RING_WORKER));
    fct_ring_cleanup(&ring);
    assert_int_equal(whole_entries(longest + 1), 0);
    unlink(path_of(longest + 1));
    assert_false(fct_ring_create(&ring, "/nowhere/at/all", "a", FCT_RING_WORKER));
    fct_ring_cleanup(&ring);
}

static void directories_are_merged_in_order(void **state) {
    (void)state;
    struct fct_ring a, b;
    struct fct_rings rings;
    assert_true(fct_ring_create(&a, directory, "a", FCT_RING_WORKER));
    assert_true(fct_ring_create(&b, directory, "b", FCT_RING_WORKER));
    for (uint64_t i = 1; i <= 100; i++) {
        assert_true(fct_ring_reserve(&a) && fct_ring_reserve(&b));
        fct_ring_append(&a, &(struct fct_admission){2 * i, 1000 - i, 1, 0});
        fct_ring_append(&b, &(struct fct_admission){2 * i + 1, i, 2, 0});
    }
    fct_rings_init(&rings);
    assert_true(fct_rings_read(&rings, directory));
    assert_int_equal(rings.ring_count, 2);
    assert_int_equal(rings.count, 200);
    fct_rings_sort(&rings, false);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(rings.dated[i].admission.time_ns, i + 2);
        assert_int_equal(rings.dated[i].admission.permits, rings.dated[i].ring + 1);
    }
    fct_rings_sort(&rings, true);
    for (size_t i = 1; i < 200; i++) assert_true(rings.dated[i - 1].admission.used_ns <= rings.dated[i].admission.used_ns);
    fct_rings_cleanup(&rings);
    assert_false(fct_rings_read(&rings, "/nowhere/at/all"));
    fct_rings_cleanup(&rings);
    fct_ring_cleanup(&a), fct_ring_cleanup(&b);
    unlink(path_of("a")), unlink(path_of("b"));
}

/* ---- damage is found ---- */

static void poke(const char *name, long offset, uint64_t value) {
    FILE *file = fopen(path_of(name), "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fwrite(&value, sizeof value, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

static void other_files_are_refused(void **state) {
    (void)state;
    struct fct_ring ring;
    assert_true(fct_ring_create(&ring, directory, "damaged", FCT_RING_WORKER));
    append_entries(&ring, 0, 10);
    fct_ring_cleanup(&ring);
    assert_int_equal(whole_entries("damaged"), 10);
    poke("damaged", AT_COUNT, 11);
    assert_true(is_refused("damaged", "entry 10 of 11 is torn"));
    poke("damaged", AT_COUNT, FCT_RING_CHUNK + 1);
    assert_true(is_refused("damaged", "has room for 32768"));
    poke("damaged", AT_COUNT, 10);
    poke("damaged", HEADER_BYTES + 3 * ENTRY_BYTES + ENTRY_PERMITS, 0);
    assert_true(is_refused("damaged", "entry 3 of 10 is torn"));
    poke("damaged", AT_VERSION, 2 | (uint64_t)HEADER_BYTES << 32);
    assert_true(is_refused("damaged", "version 2"));
    poke("damaged", AT_VERSION, 1 | (uint64_t)4096 << 32);
    assert_true(is_refused("damaged", "another length"));
    poke("damaged", 0, 0);
    assert_true(is_refused("damaged", "is not a file of admissions"));
    assert_int_equal(truncate(path_of("damaged"), 100), 0);
    assert_true(is_refused("damaged", "too short"));
    unlink(path_of("damaged"));
    assert_true(is_refused("damaged", "No such file"));
}

/* ---- writers that are killed ---- */

/* What the writer did, seen from outside: begun and done differ while an entry is on its way. */
struct witness {
    _Atomic uint64_t begun, done;
};

static void write_for_ever(const char *name, struct witness *w) {
    struct fct_ring ring;
    if (!fct_ring_create(&ring, directory, name, FCT_RING_WORKER)) _exit(1);
    for (uint64_t i = 0; fct_ring_reserve(&ring); i++) {
        struct fct_admission a = entry(i);
        atomic_store(&w->begun, i + 1);
        fct_ring_append(&ring, &a);
        atomic_store(&w->done, i + 1);
    }
    _exit(2);
}

/* Planted defect: counts the entry first and stores it a little later. */
static void write_count_first(const char *name, struct witness *w) {
    struct fct_ring ring;
    if (!fct_ring_create(&ring, directory, name, FCT_RING_WORKER)) _exit(1);
    for (uint64_t i = 0; i < ring.end; i++) {
        struct fct_admission a = entry(i);
        *(volatile uint64_t *)(void *)(ring.header + AT_COUNT) = i + 1;
        nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
        fct_ring_append(&ring, &a);
        atomic_store(&w->done, i + 1);
    }
    _exit(2);
}

static void kill_after(void (*writer)(const char *, struct witness *), const char *name, struct witness *w, long us) {
    atomic_store(&w->begun, 0);
    atomic_store(&w->done, 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) writer(name, w);
    while (atomic_load(&w->done) == 0) nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
    int status;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static struct witness *new_witness(void) {
    struct witness *w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(w != MAP_FAILED);
    return w;
}

static void a_killed_writer_leaves_what_it_published(void **state) {
    uint64_t seed = *(uint64_t *)*state;
    struct witness *w = new_witness();
    unsigned grown = 0;
    for (int i = 0; i < KILLS; i++) {
        kill_after(write_for_ever, "killed", w, (long)test_below(&seed, 4000));
        uint64_t count = whole_entries("killed");
        assert_true(atomic_load(&w->done) <= count && count <= atomic_load(&w->begun));
        grown += count > FCT_RING_CHUNK;
        unlink(path_of("killed"));
    }
    print_message("%u of %d writers were killed beyond their first chunk\n", grown, KILLS);
    munmap(w, sizeof *w);
}

static void counting_before_storing_is_found(void **state) {
    uint64_t seed = *(uint64_t *)*state;
    struct witness *w = new_witness();
    int found = 0;
    for (int i = 0; i < KILLS && found == 0; i++) {
        kill_after(write_count_first, "planted", w, (long)test_below(&seed, 500));
        found += is_refused("planted", "is torn");
        unlink(path_of("planted"));
    }
    assert_true(found > 0);
    munmap(w, sizeof *w);
}

static void a_file_can_be_read_while_it_is_written(void **state) {
    (void)state;
    struct witness *w = new_witness();
    pid_t child = fork();
    if (child == 0) write_for_ever("live", w);
    for (uint64_t last = 0, reads = 0; last <= FCT_RING_CHUNK || reads < 5; reads++) {
        uint64_t done = atomic_load(&w->done);
        if (done == 0) continue;
        uint64_t count = whole_entries("live");
        assert_true(count >= done && count >= last && count <= atomic_load(&w->begun));
        last = count;
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    unlink(path_of("live"));
    munmap(w, sizeof *w);
}

/* ---- no room ---- */

static int fill(const char *name, rlim_t bytes) {
    struct fct_ring ring;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, bytes});
    if (!fct_ring_create(&ring, directory, name, FCT_RING_WORKER)) return strstr(ring.message, "no room") != NULL ? 3 : 4;
    for (uint64_t i = 0; fct_ring_reserve(&ring); i++) {
        struct fct_admission a = entry(i);
        fct_ring_append(&ring, &a);
    }
    bool again = fct_ring_reserve(&ring), told = strstr(ring.message, "no room") != NULL;
    fct_ring_cleanup(&ring);
    return again || !told ? 5 : 0;
}

static int exit_of_fill(const char *name, rlim_t bytes) {
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(fill(name, bytes));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void without_room_nothing_is_reserved_and_nothing_is_lost(void **state) {
    (void)state;
    struct fct_rings rings;
    rlim_t chunk = FCT_RING_CHUNK * ENTRY_BYTES;
    assert_int_equal(exit_of_fill("full", HEADER_BYTES + 3 * chunk - 1), 0);
    assert_int_equal(whole_entries("full"), 2 * FCT_RING_CHUNK);
    fct_rings_init(&rings);
    assert_true(fct_rings_read_file(&rings, path_of("full")));
    assert_int_equal(rings.rings[0].ended, FCT_RING_NO_ROOM);
    fct_rings_cleanup(&rings);
    unlink(path_of("full"));
    assert_int_equal(exit_of_fill("none", HEADER_BYTES - 1), 3);
    assert_int_equal(exit_of_fill("none", HEADER_BYTES + chunk - 1), 3);
    assert_int_not_equal(access(path_of("none"), F_OK), 0);
}

static void a_forked_child_cannot_spoil_its_parents_file(void **state) {
    (void)state;
    struct fct_ring ring;
    int status;
    assert_true(fct_ring_create(&ring, directory, "forked", FCT_RING_WORKER));
    append_entries(&ring, 0, 4);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* sanitizers have a handler of their own */
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        fct_ring_append(&ring, &(struct fct_admission){1, 1, 1, 1});
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    append_entries(&ring, 4, 6);
    fct_ring_cleanup(&ring);
    assert_int_equal(whole_entries("forked"), 6);
    unlink(path_of("forked"));
}

static int make_directory(void **state) {
    static uint64_t seed;
    seed = test_seed("admission_ring");
    *state = &seed;
    return mkdtemp(directory) == NULL ? -1 : 0;
}

/* Fails if a test has left a file behind. */
static int remove_directory(void **state) {
    (void)state;
    return rmdir(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_and_counters_are_read_back),
        cmocka_unit_test(a_file_is_never_replaced),
        cmocka_unit_test(names_are_names),
        cmocka_unit_test(directories_are_merged_in_order),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(a_killed_writer_leaves_what_it_published),
        cmocka_unit_test(counting_before_storing_is_found),
        cmocka_unit_test(a_file_can_be_read_while_it_is_written),
        cmocka_unit_test(without_room_nothing_is_reserved_and_nothing_is_lost),
        cmocka_unit_test(a_forked_child_cannot_spoil_its_parents_file),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

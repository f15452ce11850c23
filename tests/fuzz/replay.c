/*
 * Runs a fuzz target without a fuzzer: replay_NAME MUTATIONS FILE-OR-FOLDER... feeds it every file, then so many mutations of them. These come
 * from a seed that is always the same unless FLOWCTL_SEED says otherwise. When the target aborts, the input is printed in hexadecimal.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_MAX 4096
#define FILES_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
    size_t size;
    uint8_t data[BYTES_MAX];
};

static struct bytes *corpus[FILES_MAX];
static size_t corpus_count;
static struct bytes current; /* what the target is looking at */

/* ---- when it fails ---- */

/* Only what a signal handler may do. */
static void say(const char *text, size_t length) {
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, text, length);
        if (written <= 0) return;
        text += written, length -= (size_t)written;
    }
}

static void print_input(int signal_number) {
    static const char digits[] = "0123456789abcdef";
    say("input: ", 7);
    for (size_t i = 0; i < current.size; i++) {
        char pair[2] = {digits[current.data[i] >> 4], digits[current.data[i] & 15]};
        say(pair, 2);
    }
    say("\n", 1);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void die(const char *what, const char *path) {
    fprintf(stderr, "%s: %s: %s\n", path, what, strerror(errno));
    exit(2);
}

/* ---- the corpus ---- */

static void load_file(const char *path) {
    FILE *file = fopen(path, "rb");
    struct bytes *b = malloc(sizeof *b);
    if (file == NULL || b == NULL) die("can't be read", path);
    if (corpus_count == FILES_MAX) die("too many files", path);
    b->size = fread(b->data, 1, sizeof b->data, file);
    if (ferror(file)) die("can't be read", path);
    fclose(file);
    corpus[corpus_count++] = b;
}

static void load(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) die("can't be found", path);
    if (!S_ISDIR(status.st_mode)) {
        load_file(path);
        return;
    }
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) die("can't be listed", path);
    for (int i = 0; i < count; i++) {
        char name[PATH_MAX];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') load_file(name);
        free(entries[i]);
    }
    free(entries);
}

/* ---- mutations ---- */

/* xorshift64*: here to be the same everywhere and for ever, so that a seed means something. */
static uint64_t random_state;

static size_t below(size_t n) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (size_t)((random_state * UINT64_C(2685821657736338717)) >> 33) % n;
}

static void insert(struct bytes *b, size_t at, const uint8_t *data, size_t size) {
    if (size > BYTES_MAX - b->size) size = BYTES_MAX - b->size;
    memmove(b->data + at + size, b->data + at, b->size - at);
    memcpy(b->data + at, data, size);
    b->size += size;
}

static void erase(struct bytes *b, size_t at, size_t size) {
    memmove(b->data + at, b->data + at + size, b->size - at - size);
    b->size -= size;
}

static void mutate(struct bytes *b) {
    static const uint8_t edges[] = {0, 1, 8, '0', '9', '.', '/', 'k', 's', 127, 128, 200, 240, 255};
    size_t at = below(b->size + 1), rest = b->size - at;
    uint8_t any = (uint8_t)below(256), edge = edges[below(sizeof edges)];
    switch (below(7)) {
    case 0: insert(b, at, &any, 1); break;
    case 1: insert(b, at, &edge, 1); break;
    case 2:
        if (rest > 0) erase(b, at, 1 + below(rest < 8 ? rest : 8));
        break;
    case 3:
        if (rest > 0) b->data[at] = any;
        break;
    case 4:
        if (rest > 0) b->data[at] = edge;
        break;
    case 5:
        if (rest > 0) b->data[at] = (uint8_t)(b->data[at] ^ 1u << below(8));
        break;
    default: {
        const struct bytes *other = corpus[below(corpus_count)];
        if (other->size == 0) break;
        size_t from = below(other->size);
        insert(b, at, other->data + from, 1 + below(other->size - from));
        break;
    }
    }
}

/* ---- main ---- */

static void run(void) { LLVMFuzzerTestOneInput(current.data, current.size); }

int main(int argc, char **argv) {
    static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    if (argc < 3) {
        fprintf(stderr, "usage: %s MUTATIONS FILE-OR-FOLDER...\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], print_input);
    for (int i = 2; i < argc; i++) load(argv[i]);
    if (corpus_count == 0) {
        fprintf(stderr, "%s: an empty corpus tests nothing\n", argv[2]);
        return 2;
    }
    for (size_t i = 0; i < corpus_count; i++) {
        current = *corpus[i];
        run();
    }
    const char *seed = getenv("FLOWCTL_SEED");
    random_state = seed != NULL ? strtoull(seed, NULL, 0) : 1;
    unsigned long mutations = strtoul(argv[1], NULL, 0);
    printf("%zu files, %lu mutations: FLOWCTL_SEED=%llu repeats this run\n", corpus_count, mutations,
           (unsigned long long)random_state);
    fflush(stdout);
    if (random_state == 0) random_state = 1; /* xorshift would stay there */
    for (unsigned long i = 0; i < mutations; i++) {
        current = *corpus[below(corpus_count)];
        for (size_t steps = 1 + below(8); steps > 0; steps--) mutate(&current);
        run();
    }
    for (size_t i = 0; i < corpus_count; i++) free(corpus[i]);
    return 0;
}

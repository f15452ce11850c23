#include "subjects.h"

#include <flowctl/redis.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/flowctl-contract-XXXXXX", path[sizeof folder + 8];
static pid_t owner;

const void *no_config(void) { return NULL; }
const void *file_config(void) { return path; }

static void clean_up(void) {
    if (getpid() != owner) return;
    unlink(path);
    rmdir(folder);
}

void fresh_file(void) {
    if (owner == 0) {
        if (mkdtemp(folder) == NULL) perror(folder), exit(1);
        owner = getpid();
        atexit(clean_up);
        snprintf(path, sizeof path, "%s/limits", folder);
    }
    unlink(path);
}

static flowctl_redis_options redis = FLOWCTL_REDIS_OPTIONS_INIT;

const void *redis_config(void) { return &redis; }

void fresh_redis(void) {
    static char prefix[FLOWCTL_REDIS_PREFIX_MAX + 1];
    static unsigned count;
    redis.url = getenv("FLOWCTL_TEST_REDIS");
    if (redis.url == NULL)
        fprintf(stderr, "FLOWCTL_TEST_REDIS is not set: run this by tests/servers/with_redis.py\n"), exit(1);
    snprintf(prefix, sizeof prefix, "exam:%d:%u:", (int)getpid(), ++count);
    redis.key_prefix = prefix;
}

#include "subjects.h"

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

#include "contract.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LONGEST_S = 20 };

void contract_fail(const char *file, int line, const char *format, ...) {
    const char *name = strrchr(file, '/');
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    fprintf(stderr, "    %s:%d: %s\n", name == NULL ? file : name + 1, line, what);
    _exit(1);
}

static bool passes(const struct contract_subject *subject, const struct contract_check *check) {
    fflush(NULL);
    if (subject->fresh != NULL) subject->fresh();
    pid_t child = fork();
    if (child < 0) return false;
    if (child == 0) {
        alarm(LONGEST_S);
        check->run(subject);
        exit(0); /* so that leaks are looked for, if the build does that */
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        fprintf(stderr, "    ended by signal %d%s\n", WTERMSIG(status), WTERMSIG(status) == SIGALRM ? ", too slow" : "");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool applies(const struct contract_subject *subject, const struct contract_check *check) {
    return (subject->capabilities & check->needs) == check->needs && (!subject->faulty || check->in_spite_of_faults);
}

int contract_run(const struct contract_subject *subject, const struct contract_check *checks, const char *only) {
    int failed = 0, done = 0;
    for (const struct contract_check *c = checks; c->name != NULL; c++) {
        if (!applies(subject, c) || (only != NULL && strcmp(only, c->name) != 0)) continue;
        bool passed = passes(subject, c);
        printf("%s %s.%s\n", passed ? "ok    " : "FAILED", subject->name, c->name);
        failed += !passed;
        done++;
    }
    return done == 0 ? -1 : failed;
}

int contract_exam(const struct contract_subject *subject, const char *only) {
    static const struct contract_check *const parts[] = {contract_lease_checks, contract_store_checks, contract_shared_checks};
    int failed = -1;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int here = contract_run(subject, parts[i], only);
        if (here >= 0) failed = (failed < 0 ? 0 : failed) + here;
    }
    return failed;
}

int contract_main(const struct contract_subject *subject) {
    int failed = contract_exam(subject, NULL);
    printf("%s: %d failed\n", subject->name, failed);
    return failed == 0 ? 0 : 1;
}

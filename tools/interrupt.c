#include "interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <sys/select.h>

static volatile sig_atomic_t interrupted;

static void note(int number) {
    (void)number;
    interrupted = 1;
}

void fct_catch_interrupt(void) {
    struct sigaction ignored, action = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    /* A job that a shell started in the background ignores SIGINT, and goes on doing so. */
    if (sigaction(SIGINT, NULL, &ignored) == 0 && ignored.sa_handler == SIG_IGN) return;
    sigaction(SIGINT, &action, NULL);
}

bool fct_interrupted(void) { return interrupted != 0; }

/* The signal is let in only inside pselect: one that came between a look at the flag and a read would be waited out. */
bool fct_wait_for_input(int fd) {
    sigset_t interrupt, before;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, &before);
    if (!interrupted && fd < FD_SETSIZE) { /* else we can't wait here, and the read itself will */
        fd_set readable;
        FD_ZERO(&readable);
        FD_SET(fd, &readable);
        pselect(fd + 1, &readable, NULL, NULL, NULL, &before);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return interrupted != 0;
}

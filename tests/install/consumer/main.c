/* A program outside the tree, as C11 and as C++17: makes a limiter, gets a permit, is told what is loaded. */
#include <flowctl/flowctl.h>

#include <stdio.h>
#include <string.h>

int main(void) {
    char built_for[32];
    flowctl_error err;
    flowctl_limiter *limiter = NULL;
    flowctl_token_bucket_options options = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    options.rate = flowctl_per_second(1000);
    options.burst = 2;
    if (flowctl_token_bucket_create(&options, &limiter, &err) != FLOWCTL_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    bool granted = flowctl_try_acquire(limiter, 2);
    bool never = flowctl_decide(limiter, 3).verdict == FLOWCTL_NEVER;
    flowctl_limiter_destroy(limiter);
    snprintf(built_for, sizeof built_for, "%d.%d.%d", FLOWCTL_VERSION_MAJOR, FLOWCTL_VERSION_MINOR, FLOWCTL_VERSION_PATCH);
    return granted && never && strcmp(built_for, flowctl_version()) == 0 ? 0 : 1;
}

#include "limit.h"

#include "command.h"
#include "usage.h"

#include <flowctl/token_bucket.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* COUNT of "COUNT/PERIOD". As a rate per nanosecond it is read with the same rules and comes back as an exact fraction. */
static bool default_burst(const char *rate_text, uint64_t *burst) {
    char count[128];
    flowctl_rate per_ns;
    size_t length = strcspn(rate_text, "/");
    if (length + sizeof "/ns" > sizeof count) return false;
    snprintf(count, sizeof count, "%.*s/ns", (int)length, rate_text);
    if (flowctl_rate_parse(count, &per_ns, NULL, NULL) != FLOWCTL_OK) return false;
    *burst = per_ns.permits / per_ns.period_ns + (per_ns.permits % per_ns.period_ns != 0);
    return true;
}

/* Only the library knows which limits it can represent: ask it with a bucket that is thrown away. */
static flowctl_status check(struct fct_limit *limit, flowctl_error *err) {
    flowctl_token_bucket_options options = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    flowctl_limiter_info info;
    flowctl_limiter *limiter;
    options.id = limit->text;
    options.rate = limit->rate;
    options.burst = limit->burst;
    flowctl_status status = flowctl_token_bucket_create(&options, &limiter, err);
    if (status != FLOWCTL_OK) return status;
    flowctl_limiter_read(limiter, &info);
    limit->rate = info.rate;
    limit->exact_every_ns = info.exact_every_ns;
    flowctl_limiter_destroy(limiter);
    return FLOWCTL_OK;
}

/* Rate, then burst, then both together: each message is about as little as possible. */
int fct_limit_read(struct fct_limit *limit, const char *command, const char *const options[2], const char *rate_text,
                   const char *burst_text) {
    flowctl_error err = {.offset = -1};
    const char *limit_option = options[0], *burst_option = options[1];
    *limit = (struct fct_limit){.text = rate_text};
    if (flowctl_rate_parse(rate_text, &limit->rate, &limit->unit, &err) != FLOWCTL_OK)
        return fct_usage_error_in(command, limit_option, rate_text, &err);
    if (burst_text != NULL) {
        if (flowctl_count_parse(burst_text, &limit->burst, NULL, &err) != FLOWCTL_OK)
            return fct_usage_error_in(command, burst_option, burst_text, &err);
        if (limit->burst == 0)
            return fct_usage_error(command, "%s: 0: a bucket that holds nothing grants nothing, give at least 1",
                                   burst_option);
    } else if (!default_burst(rate_text, &limit->burst)) {
        return fct_usage_error(command, "%s: \"%s\": no default burst can be made of this count: give one with %s",
                               limit_option, rate_text, burst_option);
    }
    if (check(limit, &err) != FLOWCTL_OK)
        return fct_usage_error(command, "%s and %s: %s", limit_option, burst_option, err.message);
    return FCT_EXIT_DONE;
}

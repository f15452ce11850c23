/* Opens nothing: that it links, and answers, is what is tested. */
#include <flowctl/flowctl.h>
#include <flowctl/redis.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    flowctl_redis_options redis = FLOWCTL_REDIS_OPTIONS_INIT;
    flowctl_backend_options where = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *backend = NULL;
    flowctl_error err;
    redis.url = "redis+unix:///there/is/no/socket";
    where.ops = flowctl_redis_backend();
    where.config = &redis;
    if (flowctl_backend_open(&where, &backend, &err) != FLOWCTL_UNAVAILABLE) return 1;
    puts(err.message);
    return strstr(err.message, "/there/is/no/socket") == NULL;
}

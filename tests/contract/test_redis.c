/* The exam on the server that FLOWCTL_TEST_REDIS names; with an argument, that of limiters. */
#include "limiters.h"
#include "subjects.h"

#include <flowctl/redis.h>

int main(int argc, char **argv) {
    const struct contract_subject redis = {.name = "redis",
                                           .ops = flowctl_redis_backend(),
                                           .config = redis_config,
                                           .fresh = fresh_redis,
                                           .capabilities = REDIS_CAPABILITIES,
                                           .sessions = 300};
    (void)argv;
    if (argc > 1) return contract_limiters_exam(&redis, NULL) == 0 ? 0 : 1;
    return contract_main(&redis);
}

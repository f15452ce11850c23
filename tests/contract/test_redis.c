#include "subjects.h"

#include <flowctl/redis.h>

int main(void) {
    return contract_main(&(struct contract_subject){.name = "redis",
                                                    .ops = flowctl_redis_backend(),
                                                    .config = redis_config,
                                                    .fresh = fresh_redis,
                                                    .capabilities = REDIS_CAPABILITIES,
                                                    .sessions = 300});
}

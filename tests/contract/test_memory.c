#include "subjects.h"

int main(void) {
    return contract_main(&(struct contract_subject){.name = "memory",
                                                    .ops = flowctl_memory_backend(),
                                                    .config = no_config,
                                                    .capabilities = EMBEDDED_CAPABILITIES,
                                                    .sessions = 300});
}

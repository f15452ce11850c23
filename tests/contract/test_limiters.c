/* Limiters over the backends that are here, both at once: most of the time they wait. */
#include "backend_file.h"
#include "limiters.h"
#include "subjects.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    const struct contract_subject memory = {.name = "memory",
                                            .ops = flowctl_memory_backend(),
                                            .config = no_config,
                                            .capabilities = EMBEDDED_CAPABILITIES},
                                  file = {.name = "file",
                                          .ops = &file_backend_ops,
                                          .config = file_config,
                                          .fresh = fresh_file,
                                          .capabilities = FILE_CAPABILITIES};
    pid_t child = fork();
    if (child == 0) exit(contract_limiters_exam(&memory, NULL) == 0 ? 0 : 1);
    int failed = contract_limiters_exam(&file, NULL), status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) failed++;
    return failed == 0 ? 0 : 1;
}

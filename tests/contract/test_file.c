#include "backend_file.h"
#include "subjects.h"

int main(void) {
    return contract_main(&(struct contract_subject){.name = "file",
                                                    .ops = &file_backend_ops,
                                                    .config = file_config,
                                                    .fresh = fresh_file,
                                                    .capabilities = FILE_CAPABILITIES,
                                                    .sessions = 64});
}

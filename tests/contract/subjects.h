/* Where the stores of subjects are. */
#ifndef TESTS_CONTRACT_SUBJECTS_H
#define TESTS_CONTRACT_SUBJECTS_H

#include "contract.h"

#define EMBEDDED_CAPABILITIES                                                                                 \
    (FLOWCTL_CAN_LEND | FLOWCTL_CAN_SERVER_TIME | FLOWCTL_CAN_EXACT | FLOWCTL_CAN_STORE | FLOWCTL_CAN_COUNT | \
     FLOWCTL_CAN_WATCH | FLOWCTL_CAN_INSPECT)
#define FILE_CAPABILITIES ((EMBEDDED_CAPABILITIES & ~FLOWCTL_CAN_WATCH) | FLOWCTL_CAN_SHARE | FLOWCTL_CAN_PERSIST)

/* For those without configuration. */
const void *no_config(void);

/* Options of the server that FLOWCTL_TEST_REDIS names, which has to be there; `fresh_redis`: with keys of their own. */
const void *redis_config(void);
void fresh_redis(void);
#define REDIS_CAPABILITIES FILE_CAPABILITIES

/* The path of a file in a folder of this test's own, which is gone when it ends; `fresh_file`: another one. */
const void *file_config(void);
void fresh_file(void);

#endif

/* Filling in the caller's error detail. */
#ifndef FC_BASE_ERROR_H
#define FC_BASE_ERROR_H

#include <flowctl/status.h>

/* Writes the detail if there is one to write to, and returns `status`, so that a failing function ends in `return fc_fail(…)`. */
__attribute__((format(printf, 4, 5))) flowctl_status fc_fail(flowctl_error *err, flowctl_status status, int offset,
                                                             const char *format, ...);

/* The offset of an error that is not about a text. */
#define FC_NO_TEXT (-1)

#endif

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

flowctl_status fc_fail(flowctl_error *err, flowctl_status status, int offset, const char *format, ...) {
    if (err == NULL) return status;
    err->status = status;
    err->offset = offset;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return status;
}

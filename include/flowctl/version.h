/** @file version.h  Which library is this? */
#ifndef FLOWCTL_VERSION_H
#define FLOWCTL_VERSION_H

#include <flowctl/export.h>

FLOWCTL_BEGIN

#define FLOWCTL_VERSION_MAJOR 0
#define FLOWCTL_VERSION_MINOR 1
#define FLOWCTL_VERSION_PATCH 0

/** The version of the library that is loaded, "MAJOR.MINOR.PATCH". Static; any thread. */
FLOWCTL_API const char *flowctl_version(void);

/** What was built into the library that is loaded, words separated by spaces ("memory"). Static; any thread. */
FLOWCTL_API const char *flowctl_features(void);

FLOWCTL_END
#endif

/** @file export.h  Symbol visibility and C++ linkage. Included by every other header. */
#ifndef FLOWCTL_EXPORT_H
#define FLOWCTL_EXPORT_H

#if defined(_WIN32)
#error "libflowctl supports POSIX systems"
#elif defined(FLOWCTL_BUILD) || !defined(FLOWCTL_STATIC)
#define FLOWCTL_API __attribute__((visibility("default")))
#else
#define FLOWCTL_API
#endif

#ifdef __cplusplus
#define FLOWCTL_BEGIN extern "C" {
#define FLOWCTL_END }
#else
#define FLOWCTL_BEGIN
#define FLOWCTL_END
#endif

#endif

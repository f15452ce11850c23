/** @file status.h  Errors by value: a status, and an optional detail that the caller owns. */
#ifndef FLOWCTL_STATUS_H
#define FLOWCTL_STATUS_H

#include <flowctl/export.h>
#include <stddef.h>

FLOWCTL_BEGIN

/** One list makes the enum, the names and the texts: X(identifier, value, text). Values never change. */
#define FLOWCTL_STATUS_MAP(X)                                                         \
    X(FLOWCTL_OK, 0, "no error")                                                      \
    X(FLOWCTL_INVALID_ARGUMENT, 1, "an argument is not allowed")                      \
    X(FLOWCTL_OUT_OF_RANGE, 2, "a value can't be represented")                        \
    X(FLOWCTL_SYNTAX, 3, "a text can't be read")                                      \
    X(FLOWCTL_NO_MEMORY, 4, "no memory")                                              \
    X(FLOWCTL_CLOSED, 5, "the object is closed")                                      \
    X(FLOWCTL_BAD_SIZE, 6, "an options struct has a size this library does not know") \
    X(FLOWCTL_SYSTEM, 7, "the operating system refused")                              \
    X(FLOWCTL_UNSUPPORTED, 8, "the backend does not offer that")                      \
    X(FLOWCTL_UNAVAILABLE, 9, "the store does not answer")                            \
    X(FLOWCTL_TIMED_OUT, 10, "the time allowed is over")                              \
    X(FLOWCTL_CONFLICT, 11, "somebody else was first")                                \
    X(FLOWCTL_NOT_FOUND, 12, "there is no such thing")                                \
    X(FLOWCTL_NOT_PERMITTED, 13, "the store does not permit that")

typedef enum flowctl_status {
#define FLOWCTL_STATUS_ENUM(name, value, text) name = value,
    FLOWCTL_STATUS_MAP(FLOWCTL_STATUS_ENUM)
#undef FLOWCTL_STATUS_ENUM
} flowctl_status;

/**
 * What went wrong, in words for a person: names the field, its value and the remedy.
 * Owned by the caller, filled only on failure; every function that takes one accepts NULL.
 */
typedef struct flowctl_error {
    flowctl_status status;
    int offset;        /**< Byte offset of the fault in the text that was read; -1 when there is no text. */
    char message[240]; /**< Always terminated. */
} flowctl_error;

/** The identifier of a status, "FLOWCTL_OK"; "FLOWCTL_UNKNOWN" for a value that is none. Static; any thread. */
FLOWCTL_API const char *flowctl_status_name(flowctl_status status);

/** One line about a status, for a log. Static; any thread. */
FLOWCTL_API const char *flowctl_status_text(flowctl_status status);

FLOWCTL_END
#endif

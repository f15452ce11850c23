/* Messages about a wrong command line: what is wrong, where, and what to do. */
#ifndef FCT_USAGE_H
#define FCT_USAGE_H

#include "text.h"

#include <flowctl/status.h>

/* Says what is wrong and where help is; returns FCT_EXIT_USAGE. `command` is as the user typed it: "flowctl replay". */
int fct_usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As above for a value that the library could not read: prints it with a caret under the byte at fault. */
int fct_usage_error_in(const char *command, const char *option, const char *text, const flowctl_error *err);

/* As above for what getopt_long, which was told to be silent, complains about: `kind` is '?' or ':', as it returned. */
int fct_usage_wrong_option(const char *command, int kind, char **argv);

/* The value of --output, for commands without CSV. Returns FCT_EXIT_DONE or FCT_EXIT_USAGE. */
int fct_usage_table_or_json(const char *command, const char *value, bool *json);

/* Which of `count` words `value` is; -1 if none. */
int fct_choose(const char *value, const char *const *words, int count);

#endif

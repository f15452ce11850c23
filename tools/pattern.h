/* A regular expression (Perl's, by PCRE2) with a group for the time, and one for the cost if there is one. */
#ifndef FCT_PATTERN_H
#define FCT_PATTERN_H

#include <flowctl/status.h>
#include <stdbool.h>
#include <stddef.h>

struct fct_pattern;

/* A piece of the line; `at` NULL: the group took no part in the match. */
struct fct_group {
    const char *at;
    size_t length;
};

enum fct_match { FCT_MATCHED, FCT_NOT_MATCHED, FCT_MATCH_GAVE_UP /* it would take too much time or memory */ };

/* Bytes, not characters: a log may hold any. NULL: *err has the reason and, if the text is wrong, the place. */
struct fct_pattern *fct_pattern_compile(const char *text, flowctl_error *err);
void fct_pattern_free(struct fct_pattern *pattern);

bool fct_pattern_has(const struct fct_pattern *pattern, const char *group);

/* Which groups matches give; NULL for none. The names must be there. */
void fct_pattern_choose(struct fct_pattern *pattern, const char *const names[2]);

/* The first match in the line, and its groups. Not for two threads at a time. */
enum fct_match fct_pattern_match(const struct fct_pattern *pattern, const char *line, size_t length,
                                 struct fct_group groups[2]);

#endif

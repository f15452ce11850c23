/* A place in a line, for what reads text from left to right and says in which column it stopped understanding. */
#ifndef FCT_CURSOR_H
#define FCT_CURSOR_H

#include <stdbool.h>
#include <stddef.h>

/* Why a line could not be read. */
struct fct_fault {
    const char *reason; /* static */
    size_t column;      /* the byte at fault, counted from 1; 0 if it is the line as a whole */
};

struct fct_cursor {
    const char *line, *at, *end;
    struct fct_fault *fault;
};

/* Always false, for the caller to return. */
static inline bool fct_broken(struct fct_cursor *c, const char *reason) {
    *c->fault = (struct fct_fault){reason, (size_t)(c->at - c->line) + 1};
    return false;
}

static inline bool fct_broken_at(struct fct_cursor *c, const char *at, const char *reason) {
    c->at = at;
    return fct_broken(c, reason);
}

static inline bool fct_skip(struct fct_cursor *c, char expected, const char *reason) {
    if (c->at == c->end || *c->at != expected) return fct_broken(c, reason);
    c->at++;
    return true;
}

static inline bool fct_is_digit(char ch) { return ch >= '0' && ch <= '9'; }

/* Exactly `count` digits, up to 9. */
static inline bool fct_read_digits(struct fct_cursor *c, int count, unsigned *value, const char *reason) {
    *value = 0;
    for (int i = 0; i < count; i++, c->at++) {
        if (c->at == c->end || !fct_is_digit(*c->at)) return fct_broken(c, reason);
        *value = *value * 10 + (unsigned)(*c->at - '0');
    }
    return true;
}

#endif

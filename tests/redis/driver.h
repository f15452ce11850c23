/* What the parts of the driver share: the words of an order, and the line that answers it. */
#ifndef TESTS_REDIS_DRIVER_H
#define TESTS_REDIS_DRIVER_H

#include <flowctl/redis.h>
#include <stdarg.h>

enum { WORDS = 32, NAME = 32 };

/* An order: a verb, words, and words of the form key=value. */
struct order {
    int count;
    char *words[WORDS];
};

/* The word at a place; the value of a key, or NULL. A number that is not there is `otherwise`. */
const char *word(const struct order *o, int at);
const char *value_of(const struct order *o, const char *key);
uint64_t number_of(const struct order *o, const char *key, uint64_t otherwise);
uint64_t number_at(const struct order *o, int at, uint64_t otherwise);
uint64_t ms_of(const struct order *o, const char *key); /* in nanoseconds; 0 if it is not there */

/* An answer is one line of JSON: begun by the first field, ended by `answer`. */
void say_number(const char *name, uint64_t value);
void say_text(const char *name, const char *value);
void say_bytes(const char *name, const void *value, size_t count);
void say_flag(const char *name, bool value);
void say_status(flowctl_status status); /* without FLOWCTL_ */
void say_raw(const char *name, const char *json);
void answer(void);

/* The test is wrong. */
_Noreturn void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t monotonic_ns(void);
void nap(uint64_t ns);

/* The options of a backend; its texts are those of the order. */
flowctl_redis_options redis_options(const struct order *o);

/* raw.c: a store asked through its vtable. False: none of its verbs. */
bool obey_raw(const struct order *o);
void end_raw(void);

#endif

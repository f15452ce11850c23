#include "sim/planted_script.h"

#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct fc_redis_script fc_redis_simulated_script;

static char *replaced(const char *text, const char *from, const char *to, const char *what) {
    const char *at = strstr(text, from);
    if (at == NULL || strstr(at + 1, from) != NULL) {
        fprintf(stderr, "%s: the script has %s \"%s\"\n", what, at == NULL ? "no" : "more than one", from);
        exit(2);
    }
    char *spoilt = malloc(strlen(text) + strlen(to) + 1);
    if (spoilt == NULL) abort();
    memcpy(spoilt, text, (size_t)(at - text));
    strcpy(stpcpy(spoilt + (at - text), to), at + strlen(from));
    return spoilt;
}

struct redis_store_script planted_script_load(const struct planted_script *planted) {
    char *text = replaced(fc_redis_simulated_script.text, planted->lines[0].from, planted->lines[0].to, planted->what);
    if (planted->lines[1].from != NULL) {
        char *once = text;
        text = replaced(once, planted->lines[1].from, planted->lines[1].to, planted->what);
        free(once);
    }
    struct redis_store_script script = redis_store_load(text);
    free(text);
    return script;
}

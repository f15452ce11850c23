#include "table.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a. */
static size_t hash(const char *key) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *key != '\0'; key++) h = (h ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    return (size_t)(h ^ h >> 32);
}

static struct fc_entry **chain_of(const struct fc_table *t, const char *key) {
    return &t->chains[hash(key) & (t->room - 1)];
}

void *fc_table_find(const struct fc_table *t, const char *key) {
    if (t->count == 0) return NULL;
    struct fc_entry *e = *chain_of(t, key);
    while (e != NULL && strcmp(e->key, key) != 0) e = e->next;
    return e;
}

static void link_in(struct fc_table *t, struct fc_entry *e) {
    struct fc_entry **chain = chain_of(t, e->key);
    e->next = *chain;
    *chain = e;
}

/* Twice as many chains. Without memory for them they just stay long, once there are any. */
static void grow(struct fc_table *t) {
    struct fc_table wider = {.room = t->room == 0 ? 16 : 2 * t->room};
    wider.chains = calloc(wider.room, sizeof(struct fc_entry *));
    if (wider.chains == NULL) return;
    for (size_t i = 0; i < t->room; i++)
        for (struct fc_entry *e = t->chains[i], *next; e != NULL; e = next) next = e->next, link_in(&wider, e);
    free(t->chains);
    t->chains = wider.chains;
    t->room = wider.room;
}

void *fc_table_add(struct fc_table *t, const char *key, size_t bytes) {
    size_t length = strlen(key) + 1;
    if (t->count >= t->room) grow(t);
    struct fc_entry *e = t->room == 0 ? NULL : calloc(1, bytes + length);
    if (e == NULL) return NULL;
    e->key = memcpy((char *)e + bytes, key, length);
    link_in(t, e);
    t->count++;
    return e;
}

void fc_table_remove(struct fc_table *t, void *entry) {
    struct fc_entry *e = entry, **at = chain_of(t, e->key);
    while (*at != e) at = &(*at)->next;
    *at = e->next;
    t->count--;
    free(e);
}

void fc_table_each(struct fc_table *t, void (*each)(void *context, void *entry), void *context) {
    for (size_t i = 0; i < t->room; i++)
        for (struct fc_entry *e = t->chains[i], *next; e != NULL; e = next) next = e->next, each(context, e);
}

void fc_table_clear(struct fc_table *t) {
    for (size_t i = 0; i < t->room; i++)
        for (struct fc_entry *e = t->chains[i], *next; e != NULL; e = next) next = e->next, free(e);
    free(t->chains);
    *t = (struct fc_table){0};
}

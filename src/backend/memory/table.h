/* Things by name. An entry is a struct that begins with a struct fc_entry; the table owns it. */
#ifndef FC_BACKEND_MEMORY_TABLE_H
#define FC_BACKEND_MEMORY_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct fc_entry {
    struct fc_entry *next;
    const char *key; /* in the same block */
};

/* Zeroed: empty. */
struct fc_table {
    struct fc_entry **chains;
    size_t room, count;
};

/* NULL: there is none. */
void *fc_table_find(const struct fc_table *t, const char *key);

/* A new entry of `bytes`, zeroed but for its struct fc_entry; there must be none. NULL: no memory. */
void *fc_table_add(struct fc_table *t, const char *key, size_t bytes);

void fc_table_remove(struct fc_table *t, void *entry);

/* Calls `each` for every entry; it may remove that one. */
void fc_table_each(struct fc_table *t, void (*each)(void *context, void *entry), void *context);

/* Frees all entries. */
void fc_table_clear(struct fc_table *t);

#endif

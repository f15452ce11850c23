#include "message.h"

#include <stdlib.h>
#include <string.h>

/* Where copies go; without a place they are only counted. */
struct room {
    char *at;
    size_t used;
};

static const void *keep(struct room *r, const void *what, size_t bytes) {
    if (what == NULL) return NULL;
    char *copy = NULL;
    if (r->at != NULL) {
        copy = r->at + r->used;
        if (bytes != 0) memcpy(copy, what, bytes);
    }
    r->used += bytes;
    return copy;
}

static const char *keep_text(struct room *r, const char *text) { return keep(r, text, text == NULL ? 0 : strlen(text) + 1); }

static void keep_all(struct room *r, struct fc_message *m) {
    switch (m->kind) {
    case FC_ASK_LEASE:
        m->ask.limit = keep_text(r, m->ask.limit);
        m->ask.member = keep_text(r, m->ask.member);
        break;
    case FC_ASK_GET:
    case FC_ASK_INSPECT: m->name = keep_text(r, m->name); break;
    case FC_ASK_PUT:
        m->put.key = keep_text(r, m->put.key);
        m->put.value = keep(r, m->put.value, m->put.bytes);
        break;
    case FC_ASK_INCREMENT: m->increment.key = keep_text(r, m->increment.key); break;
    case FC_STORED: m->stored.value = keep(r, m->stored.value, m->stored.bytes); break;
    case FC_LEASED: break;
    }
}

struct fc_message *fc_message_copy(const struct fc_message *m) {
    struct fc_message counted = *m;
    struct room none = {NULL, 0};
    keep_all(&none, &counted);
    struct fc_message *copy = malloc(sizeof *copy + none.used);
    if (copy == NULL) return NULL;
    *copy = *m;
    keep_all(&(struct room){(char *)(copy + 1), 0}, copy);
    return copy;
}

void fc_message_queue(struct fc_message **queue, struct fc_message *m) {
    while (*queue != NULL && (*queue)->due_ns <= m->due_ns) queue = &(*queue)->next;
    m->next = *queue;
    *queue = m;
}

struct fc_message *fc_message_due(struct fc_message **queue, uint64_t now_ns) {
    struct fc_message *first = *queue;
    if (first == NULL || first->due_ns > now_ns) return NULL;
    *queue = first->next;
    return first;
}

/* A request or a reply that waits, with copies of all it points to, and the queue of them by when they are due. */
#ifndef FC_BACKEND_WRAP_MESSAGE_H
#define FC_BACKEND_WRAP_MESSAGE_H

#include <flowctl/sys/backend.h>

enum fc_message_kind { FC_ASK_LEASE, FC_ASK_GET, FC_ASK_PUT, FC_ASK_INCREMENT, FC_ASK_INSPECT, FC_LEASED, FC_STORED };

struct fc_message {
    struct fc_message *next;
    uint64_t due_ns, ticket;
    enum fc_message_kind kind;
    union {
        flowctl_lease_ask ask;
        const char *name; /* get; inspect: NULL for all */
        flowctl_store_put put;
        struct {
            const char *key;
            uint64_t by;
        } increment;
        flowctl_lease_reply leased;
        flowctl_store_reply stored;
    };
};

/* One block with copies; NULL: no memory. Freed by free(). */
struct fc_message *fc_message_copy(const struct fc_message *m);

/* Behind those that are due at the same time. */
void fc_message_queue(struct fc_message **queue, struct fc_message *m);

/* Takes the first if it is due. */
struct fc_message *fc_message_due(struct fc_message **queue, uint64_t now_ns);

#endif

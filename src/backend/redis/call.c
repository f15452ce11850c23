#include "redis.h"

#include <stdlib.h>

static void append(struct fc_redis_calls *list, struct fc_redis_call *call) {
    call->next = NULL;
    if (list->first == NULL) list->first = call;
    else list->last->next = call;
    list->last = call;
}

static struct fc_redis_call *take_first(struct fc_redis_calls *list) {
    struct fc_redis_call *call = list->first;
    if (call != NULL) list->first = call->next;
    return call;
}

struct fc_redis_call *fc_redis_call_new(struct fc_redis *r, fc_redis_done *done, uint64_t ticket, int count,
                                        const char **arguments, const size_t *lengths) {
    struct fc_redis_call *call = calloc(1, sizeof *call);
    if (call == NULL) return NULL;
    int bytes = (int)redisFormatCommandArgv(&call->command, count, arguments, lengths);
    if (bytes < 0) return free(call), NULL;
    call->bytes = (size_t)bytes;
    call->redis = r;
    call->done = done;
    call->ticket = ticket;
    return call;
}

static void finish(struct fc_redis_call *call, const redisReply *reply, flowctl_status status) {
    call->done(call->redis, call, reply, status);
    redisFreeCommand(call->command);
    free(call);
}

static void write_out(struct fc_redis *r, struct fc_redis_call *call);

/* The server does not know the script (any more), so it has done nothing: the one case in which a command is sent again. */
static bool reload(struct fc_redis *r, struct fc_redis_call *call) {
    if (call->again || call->script == NULL || r->doomed) return false;
    pthread_mutex_lock(&r->lock);
    r->info.reloads++;
    pthread_mutex_unlock(&r->lock);
    call->again = true;
    if (redisAsyncCommand(r->context, NULL, NULL, "SCRIPT LOAD %s", call->script->text) != REDIS_OK) return false;
    write_out(r, call);
    return true;
}

static void answered(redisAsyncContext *context, void *answer, void *data) {
    struct fc_redis_call *call = data;
    struct fc_redis *r = call->redis;
    const redisReply *reply = answer;
    (void)context;
    take_first(&r->sent); /* answers come in order */
    if (reply == NULL) {
        /* We closed it, for that reason; or the server did. */
        finish(call, NULL, r->phase == FC_REDIS_DOWN ? fc_redis_fault_status(r->fault) : FLOWCTL_UNAVAILABLE);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        flowctl_redis_fault fault = fc_redis_fault_of(reply->str);
        if (fault == FLOWCTL_REDIS_SCRIPT_LOST && reload(r, call)) return;
        fc_redis_note(r, fault, reply->str);
        finish(call, NULL, fc_redis_fault_status(fault));
    } else {
        finish(call, reply, FLOWCTL_OK);
    }
}

static void write_out(struct fc_redis *r, struct fc_redis_call *call) {
    call->sent_ns = flowctl_backend_time(&r->base);
    if (redisAsyncFormattedCommand(r->context, answered, call, call->command, call->bytes) != REDIS_OK) {
        finish(call, NULL, FLOWCTL_UNAVAILABLE); /* it is closing */
        return;
    }
    append(&r->sent, call);
    pthread_mutex_lock(&r->lock);
    r->info.commands++;
    pthread_mutex_unlock(&r->lock);
}

void fc_redis_call_send(struct fc_redis *r, struct fc_redis_call *call) {
    if (r->phase == FC_REDIS_READY && !r->doomed) write_out(r, call);
    else if (r->phase == FC_REDIS_DOWN || r->doomed) finish(call, NULL, fc_redis_fault_status(r->fault));
    else append(&r->held, call);
}

void fc_redis_calls_release(struct fc_redis *r) {
    for (struct fc_redis_call *call; (call = take_first(&r->held)) != NULL;) fc_redis_call_send(r, call);
}

void fc_redis_calls_give_up(struct fc_redis *r, flowctl_status status) {
    for (struct fc_redis_call *call; (call = take_first(&r->held)) != NULL;) finish(call, NULL, status);
}

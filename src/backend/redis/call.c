#include "redis.h"

#include <stdlib.h>
#include <string.h>

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

struct fc_redis_call *fc_redis_call_new(fc_redis_done *done, uint64_t ticket, int count, const char **arguments,
                                        const size_t *lengths) {
    struct fc_redis_call *call = calloc(1, sizeof *call);
    if (call == NULL) return NULL;
    int bytes = (int)redisFormatCommandArgv(&call->command, count, arguments, lengths);
    if (bytes < 0) return free(call), NULL;
    call->bytes = (size_t)bytes;
    call->done = done;
    call->ticket = ticket;
    return call;
}

/* Whoever is told may send another from inside. */
static void finish(struct fc_redis *r, struct fc_redis_call *call, const redisReply *reply, flowctl_status status) {
    call->done(r, call, reply, status);
    redisFreeCommand(call->command);
    free(call);
}

/* ---- scripts that the server has lost ---- */

static void loaded(struct fc_redis *r, struct fc_redis_call *call, const redisReply *reply, flowctl_status status) {
    (void)reply, (void)status; /* if it was not, whoever needs it is told */
    if (r->loading == call->loads) r->loading = NULL;
}

static bool load(struct fc_redis *r, const struct fc_redis_script *script) {
    struct fc_redis_call *call = fc_redis_call_new(loaded, 0, 3, (const char *[]){"SCRIPT", "LOAD", script->text}, NULL);
    if (call == NULL) return false;
    call->loads = r->loading = script;
    fc_redis_call_write(r, call);
    pthread_mutex_lock(&r->lock);
    r->info.reloads++;
    pthread_mutex_unlock(&r->lock);
    return true;
}

/* The server does not know the script (any more), so it has done nothing: the one case in which a command is sent again. All that were under way when it
 * lost the script come here; the first of them loads it. */
static bool send_again(struct fc_redis *r, struct fc_redis_call *call) {
    if (call->again || call->script == NULL) return false;
    if (r->loading != call->script && !load(r, call->script)) return false;
    call->again = true;
    fc_redis_call_write(r, call);
    return true;
}

/* ---- answers ---- */

static void failed(struct fc_redis *r, struct fc_redis_call *call, const char *message) {
    flowctl_redis_fault fault = fc_redis_fault_of(message);
    if (fault == FLOWCTL_REDIS_SCRIPT_LOST && send_again(r, call)) return;
    fc_redis_note(r, fault, message, call->secret ? fc_redis_shown(message, r->settings.password) : SIZE_MAX);
    finish(r, call, NULL, fc_redis_fault_status(fault));
}

void fc_redis_call_answered(struct fc_redis *r, const redisReply *reply) {
    struct fc_redis_call *call = take_first(&r->sent);
    if (call == NULL) fc_redis_lose(r, FLOWCTL_REDIS_OTHER, "the server answers what it was not asked");
    else if (reply->type == REDIS_REPLY_ERROR) failed(r, call, reply->str);
    else finish(r, call, reply, FLOWCTL_OK);
}

/* ---- sending ---- */

void fc_redis_call_write(struct fc_redis *r, struct fc_redis_call *call) {
    call->sent_ns = flowctl_backend_time(&r->base);
    append(&r->sent, call);
    if (redisAppendFormattedCommand(r->context, call->command, call->bytes) != REDIS_OK)
        fc_redis_lose(r, FLOWCTL_REDIS_DISCONNECTED, r->context->errstr); /* no memory: what was sent is not whole */
    r->unsent = true;
    pthread_mutex_lock(&r->lock);
    r->info.commands++;
    pthread_mutex_unlock(&r->lock);
}

void fc_redis_call_send(struct fc_redis *r, struct fc_redis_call *call) {
    bool rests = r->phase == FC_REDIS_DOWN && flowctl_backend_time(&r->base) < r->deadline_ns;
    if (rests || r->doomed) finish(r, call, NULL, fc_redis_fault_status(r->fault));
    else if (r->phase == FC_REDIS_READY) fc_redis_call_write(r, call);
    else append(&r->held, call);
}

void fc_redis_calls_release(struct fc_redis *r) {
    for (struct fc_redis_call *call; (call = take_first(&r->held)) != NULL;) fc_redis_call_send(r, call);
}

void fc_redis_calls_give_up(struct fc_redis *r, flowctl_status status) {
    for (struct fc_redis_call *call; (call = take_first(&r->sent)) != NULL;) finish(r, call, NULL, status);
    for (struct fc_redis_call *call; (call = take_first(&r->held)) != NULL;) finish(r, call, NULL, status);
}

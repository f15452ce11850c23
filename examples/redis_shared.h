/* What redis_sender.c and redis_backfill.c have in common: the server, and the limit. Two programs share a limit if they say the same here. */
#ifndef EXAMPLES_REDIS_SHARED_H
#define EXAMPLES_REDIS_SHARED_H

#include <flowctl/flowctl.h>
#include <flowctl/redis.h>
#include <stdio.h>

#define ID "api.example.com"
#define PER_SECOND 500
#define BURST 100 /* a fifth of a second: enough for two programs that ask every 10 ms (docs/redis.md, "Sizing") */

struct shared {
    flowctl_backend *store;
    flowctl_limiter *limiter;
};

static inline void shared_close(struct shared *s) {
    flowctl_limiter_destroy(s->limiter); /* what it holds goes back at once */
    flowctl_backend_destroy(s->store);
}

/* 0; or 1, and a message. */
static inline int shared_open(struct shared *s, const char *url, const char *member) {
    flowctl_error err;
    flowctl_redis_options redis = FLOWCTL_REDIS_OPTIONS_INIT;
    flowctl_backend_options where = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_token_bucket_options limit = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    *s = (struct shared){NULL, NULL};
    redis.url = url;
    where.ops = flowctl_redis_backend();
    where.config = &redis;
    where.member = member; /* for `flowctl inspect` */
    if (flowctl_backend_open(&where, &s->store, &err) != FLOWCTL_OK) goto fail;
    limit.id = ID;
    limit.rate = flowctl_per_second(PER_SECOND);
    limit.burst = BURST;
    limit.backend = s->store;
    limit.sharing.ttl_ns = flowctl_millis(500);
    limit.sharing.away = FLOWCTL_AWAY_CLOSED; /* rather nothing than too much */
    if (flowctl_token_bucket_create(&limit, &s->limiter, &err) != FLOWCTL_OK) goto fail;
    /* A limit that the server does not know begins after 1.75 x ttl. */
    if (flowctl_limiter_wait_ready(s->limiter, flowctl_seconds(5)) == FLOWCTL_OK) return 0;
    snprintf(err.message, sizeof err.message, "the server does not lend");
fail:
    fprintf(stderr, "%s: %s\n", member, err.message);
    shared_close(s);
    return 1;
}

#endif

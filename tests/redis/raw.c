/*
 * A store asked through its vtable, by a host that counts answers: for what limiters do not show.
 *
 *     raw NAME [options as of open] [again=N]    opens. again: an answer that is none is followed by the same ask, from inside of the answer, so often
 *     ask NAME LIMIT [session= seq= want= need= used= back= rate= burst= ttl_ms= version= leaves=1 wait_ms=]     and waits for the answer
 *     send NAME LIMIT COUNT [session=]     asks of sessions of their own, whose answers are only counted
 *     drive NAME MS                        polls for so long
 *     tickets NAME                         how many were given, answered, answered twice, unknown or after the close; and by statuses
 *     shut NAME                            closes
 *     forget NAME                          its name is free again
 *
 * A session is named by a number; its seq, what it used (all that it was granted), and what was seen go on by themselves.
 */
#include "driver.h"

#include <flowctl/clock.h>
#include <flowctl/sys/backend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RAWS = 4, TICKETS = 65536, SESSIONS = 8, STATUSES = 16 };
#define NS_PER_MS UINT64_C(1000000)

struct session {
    uint64_t number, seq, seen_ns;
    flowctl_lease_reply last;
};

static struct raw {
    char name[NAME];
    flowctl_backend_base *base;
    bool closed;
    uint64_t tickets, answered, twice, unknown, late, again, by_status[STATUSES];
    unsigned char answers[TICKETS];
    struct session sessions[SESSIONS];
    flowctl_lease_ask repeated; /* of the last `send` */
    char limit[FLOWCTL_LIMIT_ID_MAX + 1];
    flowctl_lease_reply reply; /* to the last ticket that was waited for */
    uint64_t awaited;
} * raws[RAWS];

static uint64_t clock_ns(void) { return flowctl_clock_now(flowctl_clock_boottime()); }

static void poll_once(struct raw *r) { r->base->ops->poll(r->base, clock_ns()); }

static uint64_t new_ticket(struct raw *r) {
    if (++r->tickets == TICKETS) broken("too many tickets");
    return r->tickets;
}

/* ---- the host ---- */

static void count_answer(struct raw *r, uint64_t ticket) {
    if (ticket == 0 || ticket > r->tickets) r->unknown++;
    else if (r->answers[ticket]++ != 0) r->twice++;
    r->answered++;
    r->late += r->closed;
}

static void leased(flowctl_backend_base *base, uint64_t ticket, const flowctl_lease_reply *reply) {
    struct raw *r = base->host_context;
    count_answer(r, ticket);
    r->by_status[(unsigned)reply->status % STATUSES]++;
    if (ticket == r->awaited) r->reply = *reply;
    if (reply->status == FLOWCTL_OK || r->again == 0 || r->closed) return;
    r->again--;
    base->ops->lease(base, new_ticket(r), &r->repeated);
}

static void stored(flowctl_backend_base *base, uint64_t ticket, const flowctl_store_reply *reply) {
    (void)reply;
    count_answer(base->host_context, ticket);
}

static void inspected(flowctl_backend_base *base, uint64_t ticket, flowctl_status status, const flowctl_limit_state *state) {
    (void)status;
    if (state == NULL) count_answer(base->host_context, ticket);
}

static void changed(flowctl_backend_base *base, const char *key) { (void)base, (void)key; }
static void wake(flowctl_backend_base *base) { (void)base; }
static uint64_t now(flowctl_backend_base *base) { return (void)base, clock_ns(); }

static const flowctl_backend_host host = {sizeof host, leased, stored, inspected, changed, wake, now};

/* ---- verbs ---- */

static struct raw *find_raw(const struct order *o) {
    for (size_t i = 0; i < RAWS; i++)
        if (raws[i] != NULL && strcmp(raws[i]->name, word(o, 1)) == 0) return raws[i];
    broken("no store is \"%s\"", o->words[1]);
}

static void release(struct raw *r) {
    free(r->base);
    free(r);
}

static void open_raw(const struct order *o) {
    size_t place = 0;
    flowctl_error err = {FLOWCTL_OK, 0, ""};
    flowctl_redis_options redis = redis_options(o);
    const flowctl_backend_ops *ops = flowctl_redis_backend();
    while (place < RAWS && raws[place] != NULL) place++;
    struct raw *r = calloc(1, sizeof *r);
    if (r == NULL || place == RAWS || (r->base = calloc(1, ops->instance_bytes)) == NULL) broken("no room");
    snprintf(r->name, sizeof r->name, "%s", word(o, 1));
    r->again = number_of(o, "again", 0);
    *r->base = (flowctl_backend_base){ops, &host, r};
    flowctl_status status = ops->open(r->base, &redis, &err);
    say_status(status);
    say_text("message", status != FLOWCTL_OK ? err.message : "");
    if (status == FLOWCTL_OK) raws[place] = r;
    else release(r);
}

static struct session *session_of(struct raw *r, uint64_t number) {
    struct session *s = r->sessions;
    while (s < r->sessions + SESSIONS && s->number != number && s->number != 0) s++;
    if (s == r->sessions + SESSIONS) broken("too many sessions");
    s->number = number;
    return s;
}

static flowctl_lease_ask ask_of(const struct order *o, const char *limit, uint64_t used) {
    return (flowctl_lease_ask){.size = sizeof(flowctl_lease_ask),
                               .limit = limit,
                               .member = "driver",
                               .session = {UINT64_C(0xfeed), number_of(o, "session", 1)},
                               .seq = number_of(o, "seq", 1),
                               .want = number_of(o, "want", 0),
                               .need = number_of(o, "need", 0),
                               .used = number_of(o, "used", used),
                               .back = number_of(o, "back", 0),
                               .leaves = number_of(o, "leaves", 0) != 0,
                               .terms = {flowctl_per_second(number_of(o, "rate", 1000)), number_of(o, "burst", 100),
                                         number_of(o, "ttl_ms", 10) * NS_PER_MS, number_of(o, "version", 0)}};
}

static void say_reply(const flowctl_lease_reply *reply) {
    say_status(reply->status);
    say_flag("dead", reply->dead);
    say_number("grant", reply->grant);
    say_number("granted", reply->granted);
    say_number("lease_ms", reply->lease_ns / NS_PER_MS);
    say_number("quarantine_ms", (reply->quarantine_ns + NS_PER_MS - 1) / NS_PER_MS);
    say_number("members", reply->members);
    say_number("burst", reply->terms.burst);
    say_number("version", reply->terms.version);
}

static void ask_raw(const struct order *o) {
    struct raw *r = find_raw(o);
    struct session *s = session_of(r, number_of(o, "session", 1));
    flowctl_lease_ask ask = ask_of(o, word(o, 2), s->last.granted);
    uint64_t until_ns = clock_ns() + number_of(o, "wait_ms", 2000) * NS_PER_MS;
    s->seq = ask.seq = number_of(o, "seq", s->seq + 1);
    ask.seen_clk_ns = s->last.clk_ns;
    ask.seen_identity = s->last.identity;
    ask.since_ns = s->last.clk_ns != 0 ? (clock_ns() - s->seen_ns) / 1024 * 1023 : 0;
    r->awaited = new_ticket(r);
    r->base->ops->lease(r->base, r->awaited, &ask);
    while (r->answers[r->awaited] == 0 && clock_ns() < until_ns) {
        poll_once(r);
        if (r->answers[r->awaited] == 0) nap(100000);
    }
    if (r->answers[r->awaited] == 0) {
        say_text("status", "unanswered");
        return;
    }
    if (r->reply.status == FLOWCTL_OK) s->last = r->reply, s->seen_ns = clock_ns();
    if (r->reply.dead) s->seq = 0, s->last = (flowctl_lease_reply){.size = 0};
    say_reply(&r->reply);
}

static void send_raw(const struct order *o) {
    struct raw *r = find_raw(o);
    snprintf(r->limit, sizeof r->limit, "%s", word(o, 2));
    for (uint64_t i = 0, count = number_at(o, 3, 1); i < count; i++) {
        r->repeated = ask_of(o, r->limit, 0);
        r->repeated.session.lo += i;
        r->base->ops->lease(r->base, new_ticket(r), &r->repeated);
    }
}

static void drive(const struct order *o) {
    struct raw *r = find_raw(o);
    uint64_t until_ns = clock_ns() + number_at(o, 2, 0) * NS_PER_MS;
    do poll_once(r), nap(100000);
    while (clock_ns() < until_ns);
}

static void tell_tickets(const struct order *o) {
    const struct raw *r = find_raw(o);
    say_number("given", r->tickets);
    say_number("answered", r->answered);
    say_number("twice", r->twice);
    say_number("unknown", r->unknown);
    say_number("late", r->late);
    for (unsigned i = 0; i < STATUSES; i++)
        if (r->by_status[i] != 0) say_number(flowctl_status_name((flowctl_status)i) + strlen("FLOWCTL_"), r->by_status[i]);
}

static void shut(const struct order *o) {
    struct raw *r = find_raw(o);
    uint64_t began_ns = monotonic_ns();
    r->base->ops->close(r->base);
    r->closed = true;
    say_number("ms", (monotonic_ns() - began_ns) / NS_PER_MS);
}

static void forget(const struct order *o) {
    struct raw *r = find_raw(o);
    for (size_t i = 0; i < RAWS; i++)
        if (raws[i] == r) raws[i] = NULL;
    release(r);
}

bool obey_raw(const struct order *o) {
    static const struct {
        const char *verb;
        void (*run)(const struct order *o);
    } verbs[] = {{"raw", open_raw},         {"ask", ask_raw}, {"send", send_raw}, {"drive", drive},
                 {"tickets", tell_tickets}, {"shut", shut},   {"forget", forget}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].verb, o->words[0]) != 0) continue;
        verbs[i].run(o);
        answer();
        return true;
    }
    return false;
}

void end_raw(void) {
    for (size_t i = 0; i < RAWS; i++) {
        if (raws[i] == NULL) continue;
        if (!raws[i]->closed) raws[i]->base->ops->close(raws[i]->base);
        release(raws[i]);
    }
}

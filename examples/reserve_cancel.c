/*
 * A scheduler that books its sends ahead, five per second. Whoever books is told at once when the send is due, and may cancel until
 * then: the place goes to the next who books. A place that nobody wants is lost (expired); no later burst grows by it.
 *
 *     book    ada at    0 ms
 *     book    bob at  200 ms
 *     ...
 *     cancel  ada at 1000 ms      the latest
 *     book    dan at 1000 ms
 *     cancel  bob at  200 ms      in the middle
 *     cancel  bob at  600 ms
 *     book    eve at  200 ms
 *     8 permits booked, 3 cancelled, 1 of these expired: 5 sent
 */
#include <flowctl/flowctl.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

struct send {
    const char *to;
    flowctl_reservation reservation;
    uint64_t due_ns; /* on the limiter's clock */
    bool over;       /* sent or cancelled */
};
struct schedule {
    flowctl_limiter *limiter;
    struct send sends[8];
    int booked, sent;
};

static void tell(const struct schedule *s, const char *what, const struct send *send) {
    printf("%-7s %s at %4" PRIu64 " ms\n", what, send->to, (send->due_ns - s->sends[0].due_ns) / FLOWCTL_NS_PER_MS);
    fflush(stdout);
}

static bool book(struct schedule *s, const char *to) {
    struct send *send = &s->sends[s->booked];
    flowctl_decision d = flowctl_reserve(s->limiter, 1, flowctl_seconds(10), &send->reservation);
    if (d.verdict != FLOWCTL_ALLOW && d.verdict != FLOWCTL_DELAY)
        return fprintf(stderr, "no place for %s: %s\n", to, flowctl_verdict_name(d.verdict)), false;
    send->to = to;
    send->due_ns = d.now_ns; /* ALLOW: now; DELAY: d.retry_after_ns from now */
    s->booked++;
    return tell(s, "book", send), true;
}

/* False: too late, the permit is used. */
static bool cancel(struct schedule *s, int which) {
    struct send *send = &s->sends[which];
    if (flowctl_cancel(&send->reservation) == 0) return fprintf(stderr, "too late to cancel %s\n", send->to), false;
    send->over = true;
    return tell(s, "cancel", send), true;
}

static struct send *earliest(struct schedule *s) {
    struct send *first = NULL;
    for (struct send *e = s->sends; e < s->sends + s->booked; e++)
        if (!e->over && (first == NULL || e->due_ns < first->due_ns)) first = e;
    return first;
}

static void send_all(struct schedule *s) {
    for (struct send *e; (e = earliest(s)) != NULL; e->over = true, s->sent++) {
        uint64_t due_ns, now_ns; /* asked again after each sleep: 0 once it is due, later if the rate was lowered meanwhile */
        while ((due_ns = flowctl_reservation_due_ns(&e->reservation)) > (now_ns = flowctl_clock_now(NULL))) {
            uint64_t wait_ns = due_ns - now_ns;
            nanosleep(&(struct timespec){(time_t)(wait_ns / FLOWCTL_NS_PER_SEC), (long)(wait_ns % FLOWCTL_NS_PER_SEC)}, NULL);
        }
        tell(s, "send", e); /* the send itself */
    }
}

static bool run(struct schedule *s) {
    flowctl_counters n;
    bool ok = book(s, "ada") && book(s, "bob") && book(s, "cyd") && book(s, "bob") && book(s, "cyd") && book(s, "ada");
    ok = ok && cancel(s, 5) && book(s, "dan");
    ok = ok && cancel(s, 1) && cancel(s, 3) && book(s, "eve");
    if (ok) send_all(s);
    if (!ok || flowctl_limiter_counters(s->limiter, &n) != FLOWCTL_OK) return false;
    printf("%" PRIu64 " permits booked, %" PRIu64 " cancelled, %" PRIu64 " of these expired: %d sent\n", n.allowed_permits,
           n.cancelled_permits, n.expired_permits, s->sent);
    return s->sends[6].due_ns == s->sends[5].due_ns && s->sends[7].due_ns == s->sends[1].due_ns && n.expired_permits == 1;
}

int main(void) {
    flowctl_error err;
    struct schedule s = {0};
    flowctl_token_bucket_options options = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    options.rate = flowctl_per_second(5);
    options.burst = 1;
    if (flowctl_token_bucket_create(&options, &s.limiter, &err) != FLOWCTL_OK)
        return fprintf(stderr, "%s\n", err.message), 1;
    bool ok = run(&s);
    flowctl_limiter_destroy(s.limiter);
    return ok ? 0 : 1;
}

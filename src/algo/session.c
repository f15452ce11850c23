#include "algo/session.h"

/* A length of time of the store's clock as it may be at least by one that drifts. */
static uint64_t shortened(uint64_t ns) { return ns - ns / (1000000 / FC_DRIFT_PPM) - (ns != 0); }

void fc_session_begin(struct fc_session *s, flowctl_session_id id) { *s = (struct fc_session){.id = id}; }

void fc_session_ask(struct fc_session *s, uint64_t now_ns, int64_t held, flowctl_lease_ask *ask) {
    /* What was charged beyond what was lent is reported when something was lent for it. */
    s->used = s->granted - s->back - (held > 0 ? (uint64_t)held : 0);
    s->sent_ns[++s->seq % FC_SESSION_ASKS] = now_ns;
    ask->session = s->id;
    ask->seq = s->seq;
    ask->used = s->used;
    ask->back = s->back;
    ask->seen_identity = s->seen_identity;
    ask->seen_clk_ns = s->newest_seq != 0 ? s->seen_clk_ns : 0;
    ask->since_ns = s->newest_seq != 0 && now_ns > s->seen_at_ns ? shortened(now_ns - s->seen_at_ns) : 0;
}

/* The one from which most can be concluded now. */
static void see_clock(struct fc_session *s, uint64_t now_ns, const flowctl_lease_reply *reply) {
    uint64_t since_ns = now_ns > s->seen_at_ns ? shortened(now_ns - s->seen_at_ns) : 0;
    if (s->seen_identity != 0 && reply->clk_ns < s->seen_clk_ns + since_ns) return;
    s->seen_clk_ns = reply->clk_ns;
    s->seen_at_ns = now_ns;
}

/* Prolongs the lease; false if it is too long ago to know when it began. */
static bool prolong(struct fc_session *s, const flowctl_lease_reply *reply) {
    if (s->seq - reply->seq >= FC_SESSION_ASKS) return false;
    uint64_t sent_ns = s->sent_ns[reply->seq % FC_SESSION_ASKS], length_ns = shortened(reply->lease_ns);
    uint64_t until_ns = length_ns > UINT64_MAX - sent_ns ? UINT64_MAX : sent_ns + length_ns;
    if (until_ns > s->until_ns) s->until_ns = until_ns;
    return true;
}

enum fc_session_news fc_session_reply(struct fc_session *s, uint64_t now_ns, const flowctl_lease_reply *reply,
                                      uint64_t *credit) {
    *credit = 0;
    if (reply->session.hi != s->id.hi || reply->session.lo != s->id.lo) return FC_NEWS_NOTHING; /* of one that ended */
    if (reply->status != FLOWCTL_OK || reply->seq <= s->newest_seq || reply->seq > s->seq) return FC_NEWS_NOTHING;
    if (reply->dead) return FC_NEWS_DEAD;
    if (reply->grant > reply->granted || (s->seen_identity != 0 && reply->identity != s->seen_identity))
        return FC_NEWS_NOTHING;
    see_clock(s, now_ns, reply);
    s->newest_seq = reply->seq;
    s->seen_identity = reply->identity;
    /* Served before one that is known: this grant was taken for lost when that one's answer came. Or it is another account of this name. */
    uint64_t before = reply->granted - reply->grant;
    if (before < s->granted) return FC_NEWS_NOTHING;
    /* What was granted between the last answer seen and this one was lost on its way. */
    s->back += before - s->granted;
    s->granted = reply->granted;
    if (prolong(s, reply) && now_ns < s->until_ns) *credit = reply->grant;
    else s->back += reply->grant;
    return FC_NEWS_LEASE;
}

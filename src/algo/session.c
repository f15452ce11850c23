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
    ask->seen_clk_ns = s->newest_seq != 0 ? s->seen_clk_ns : 0;
    ask->since_ns = s->newest_seq != 0 && now_ns > s->seen_at_ns ? shortened(now_ns - s->seen_at_ns) : 0;
}

enum fc_session_news fc_session_reply(struct fc_session *s, uint64_t now_ns, const flowctl_lease_reply *reply,
                                      uint64_t *credit) {
    *credit = 0;
    if (reply->status != FLOWCTL_OK || reply->seq <= s->newest_seq || reply->seq > s->seq) return FC_NEWS_NOTHING;
    if (reply->dead) return FC_NEWS_DEAD;
    s->newest_seq = reply->seq;
    s->seen_clk_ns = reply->clk_ns;
    s->seen_at_ns = now_ns;
    /* This one's grant was taken for lost when an answer that counted it came by another way. */
    if (reply->grant != 0 && reply->granted <= s->granted) return FC_NEWS_NOTHING;
    /* What was granted between the last answer seen and this one was lost on its way. */
    if (reply->granted - reply->grant > s->granted) s->back += reply->granted - reply->grant - s->granted;
    s->granted = reply->granted;
    if (s->seq - reply->seq >= FC_SESSION_ASKS) return s->back += reply->grant, FC_NEWS_LEASE;
    uint64_t sent_ns = s->sent_ns[reply->seq % FC_SESSION_ASKS], length_ns = shortened(reply->lease_ns);
    uint64_t until_ns = length_ns > UINT64_MAX - sent_ns ? UINT64_MAX : sent_ns + length_ns;
    if (until_ns > s->until_ns) s->until_ns = until_ns;
    if (now_ns >= s->until_ns) s->back += reply->grant;
    else *credit = reply->grant;
    return FC_NEWS_LEASE;
}

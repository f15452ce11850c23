#include "sim/credit_member.h"

#include <stdio.h>
#include <string.h>

static void new_session(struct credit_member *m) {
    uint64_t who = m->session.id.hi;
    fc_session_begin(&m->session, (flowctl_session_id){who, ++m->names});
    m->held = 0;
}

void credit_member_start(struct credit_member *m, size_t number, const flowctl_lease_terms *terms, int64_t offset_ns,
                         int64_t drift_ppm) {
    uint64_t names = m->names;
    enum credit_defect defect = m->defect;
    *m = (struct credit_member){.terms = *terms, .names = names, .offset_ns = offset_ns, .drift_ppm = drift_ppm, .defect = defect};
    m->session.id.hi = number + 1;
    /* Two of one name: a process, and its successor that started while it was still there. */
    snprintf(m->name, sizeof m->name, "m%u", (unsigned)(number / 2 % 100));
    new_session(m);
}

uint64_t credit_member_clock(const struct credit_member *m, uint64_t real_ns) {
    return (uint64_t)((int64_t)real_ns + m->offset_ns + (int64_t)(real_ns / 1000000) * m->drift_ppm);
}

uint64_t credit_member_usable(const struct credit_member *m, uint64_t real_ns) {
    bool valid = fc_session_valid(&m->session, credit_member_clock(m, real_ns));
    return valid && m->held > 0 ? (uint64_t)m->held : 0;
}

bool credit_member_use(struct credit_member *m, uint64_t clock_ns, uint64_t cost) {
    if (!fc_session_valid(&m->session, clock_ns) || m->held < (int64_t)cost) return false;
    m->held -= (int64_t)cost;
    m->used += cost;
    return true;
}

void credit_member_give_up(struct credit_member *m, uint64_t permits) {
    m->held -= (int64_t)permits;
    fc_session_give_up(&m->session, permits);
}

void credit_member_lapse(struct credit_member *m, uint64_t clock_ns) {
    if (m->held > 0 && !fc_session_valid(&m->session, clock_ns)) credit_member_give_up(m, (uint64_t)m->held);
}

void credit_member_ask(struct credit_member *m, uint64_t clock_ns, uint64_t want, uint64_t need, flowctl_lease_ask *ask) {
    credit_member_lapse(m, clock_ns);
    *ask = (flowctl_lease_ask){.size = sizeof *ask,
                               .limit = "limit",
                               .member = m->name,
                               .want = want,
                               .need = need,
                               .terms = m->terms};
    fc_session_ask(&m->session, clock_ns, m->held, ask);
}

/* Wrong on purpose: what must not be made of an answer. */
static void plant_before(struct credit_member *m, flowctl_lease_reply *r) {
    struct fc_session *s = &m->session;
    if (m->defect == CREDIT_ANY_SESSION) r->session = s->id;
    if (r->dead || r->status != FLOWCTL_OK) return;
    uint64_t before = r->granted - r->grant;
    bool newer = r->seq > s->newest_seq;
    if (m->defect == CREDIT_GAP_IGNORED && newer && before > s->granted) s->granted = before;
    if (m->defect == CREDIT_LATE_GRANT && !newer) m->held += (int64_t)r->grant;
    if (m->defect == CREDIT_LESS_BELIEVED && newer && r->grant == 0 && before < s->granted) s->granted = before;
    /* An account that began again is taken for the one that was. */
    if ((m->defect == CREDIT_ANY_ACCOUNT || m->defect == CREDIT_LATE_REPORT) && before < s->granted)
        r->granted = s->granted + r->grant;
}

static void plant_after(struct credit_member *m, uint64_t clock_ns, const flowctl_lease_reply *r) {
    if (m->defect == CREDIT_FROM_REPLY) m->session.until_ns = clock_ns + r->lease_ns;
}

enum fc_session_news credit_member_answer(struct credit_member *m, uint64_t clock_ns, const flowctl_lease_reply *reply) {
    credit_member_lapse(m, clock_ns);
    flowctl_lease_reply heard = *reply;
    plant_before(m, &heard);
    uint64_t credit;
    enum fc_session_news news = fc_session_reply(&m->session, clock_ns, &heard, &credit);
    if (news == FC_NEWS_NOTHING) return news;
    if (reply->terms.version > m->terms.version) m->terms = reply->terms;
    m->members = reply->members;
    m->retry_after_ns = reply->retry_after_ns;
    m->quarantine_ns = reply->quarantine_ns;
    if (news == FC_NEWS_DEAD) {
        new_session(m);
        return news;
    }
    m->held += (int64_t)credit;
    plant_after(m, clock_ns, reply);
    return news;
}

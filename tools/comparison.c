#include "comparison.h"

static bool is_granted(const flowctl_decision *d) { return d->verdict == FLOWCTL_ALLOW || d->verdict == FLOWCTL_DELAY; }

static void compare_waits(struct fct_comparison *c, uint64_t line, uint64_t a, uint64_t b) {
    uint64_t difference = a > b ? a - b : b - a;
    if (difference <= c->wait_difference_max_ns) return;
    c->wait_difference_max_ns = difference;
    c->wait_difference_max_line = line;
}

void fct_comparison_add(struct fct_comparison *c, uint64_t line, uint64_t time_ns, const flowctl_decision *first,
                        const flowctl_decision *shadow) {
    bool a = first->verdict == FLOWCTL_ALLOW, b = shadow->verdict == FLOWCTL_ALLOW;
    uint64_t *count = a ? (b ? &c->both : &c->first_only) : (b ? &c->shadow_only : &c->neither);
    ++*count;
    if (is_granted(first) && is_granted(shadow)) compare_waits(c, line, first->retry_after_ns, shadow->retry_after_ns);
    if (a != b && c->shown < FCT_DIFFERENCES_SHOWN) c->differences[c->shown++] = (struct fct_difference){line, time_ns, a};
}

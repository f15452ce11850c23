/*
 * The judge of every test: given the dated admissions of a run, did more than burst + rate x W pass in any window of length W?
 *
 * Its arithmetic is rational: amounts are counted in 1/period_ns of a permit, so that a nanosecond drains `permits` of them and nothing is ever
 * rounded. One pass over the admissions in order of time, with a vessel that drains at the rate: what it holds above the burst is the excess of the
 * worst window that ends there. (That this equals the definition, all windows tried one by one, is itself a test: oracle_definition.py.)
 *
 * It knows nothing of how a limiter works; it shares no code with the library.
 */
#ifndef FLOWCTL_TESTS_ORACLE_H
#define FLOWCTL_TESTS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef __int128 oracle_amount;

struct oracle_event {
    uint64_t time_ns, permits;
};

struct oracle_limit {
    uint64_t permits, period_ns; /* the rate */
    uint64_t burst;
};

struct oracle_verdict {
    oracle_amount excess;       /* of the worst window, in 1/period_ns of a permit; at most 0 is a pass */
    uint64_t from_ns, until_ns; /* the worst window */
    uint64_t admitted;          /* permits in it */
    uint64_t total;             /* permits in all */
};

/*
 * A change of the limit: what an interval may hold is then the burst at its beginning, and what the rates of its parts make; a smaller burst cuts what
 * had gathered, a larger one has to fill.
 */
struct oracle_change {
    uint64_t time_ns;
    uint64_t permits; /* the rate from now on, per the limit's period_ns; 0: paused */
    uint64_t burst;
    bool emptied; /* nothing is left of what had gathered */
};

/* Room for admissions that grows; for one thread. */
struct oracle_log {
    struct oracle_event *events;
    size_t count, room;
};

void oracle_record(struct oracle_log *log, uint64_t time_ns, uint64_t permits);
void oracle_append(struct oracle_log *log, const struct oracle_log *more);
void oracle_free(struct oracle_log *log);

/* Sorts the log by time and judges it. */
struct oracle_verdict oracle_judge(struct oracle_log *log, const struct oracle_limit *limit);

/*
 * The same where more was allowed, once each: a window may hold the permits of all allowances from its first event on and before its last. In order of time.
 */
struct oracle_verdict oracle_judge_allowing(struct oracle_log *log, const struct oracle_limit *limit,
                                            const struct oracle_event *allowances, size_t count);

/*
 * The same for a limit that changed; changes in order of time. What is admitted at the very time of a change counts as admitted before it. `excess` is what
 * was admitted beyond an ideal bucket that was full in the beginning; the window is not told.
 */
struct oracle_verdict oracle_judge_changes(struct oracle_log *log, const struct oracle_limit *limit,
                                           const struct oracle_change *changes, size_t count);

/* The excess in permits, for people. */
double oracle_excess(const struct oracle_verdict *verdict, const struct oracle_limit *limit);

/* True if the run passes; otherwise says on stderr where it did not. */
bool oracle_passes(const char *what, struct oracle_log *log, const struct oracle_limit *limit);

#endif

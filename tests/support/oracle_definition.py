#!/usr/bin/env python3
"""The oracle against the definition of the limit: every window tried, in fractions.

usage: oracle_definition.py ORACLE
"""
import os
import random
import subprocess
import sys
import time
from fractions import Fraction


def definition(events, rate, burst):
    """The largest excess over all windows [s, e] that begin and end at an admission."""
    events = sorted(events)
    worst = Fraction(-burst)
    for i, (start, _) in enumerate(events):
        if i and events[i - 1][0] == start:
            continue
        admitted = 0
        for j in range(i, len(events)):
            admitted += events[j][1]
            worst = max(worst, admitted - burst - rate * (events[j][0] - start))
    return worst


def judged(oracle, events, permits, period_ns, burst):
    text = "".join(f"{t} {n}\n" for t, n in events)
    run = subprocess.run([oracle, str(permits), str(period_ns), str(burst)], input=text, capture_output=True, text=True)
    numerator, period, first, last, admitted, total = map(int, run.stdout.split())
    excess = Fraction(numerator, period)
    assert run.returncode == (excess > 0), (run.returncode, excess)
    assert total == sum(n for _, n in events)
    if events and excess > -burst:
        inside = sum(n for t, n in events if first <= t <= last)
        assert inside >= admitted and inside - burst - Fraction(permits, period) * (last - first) >= excess
    return excess


def random_run(rnd):
    permits, period_ns = rnd.choice([(1, 10), (7, 13), (3, 1), (10**10, 10**9), (1, 10**9), (999999937, 10**17 + 3)])
    burst = rnd.choice([1, 2, 5, 100, 2**40])
    gap = max(1, period_ns // permits)
    count = rnd.randrange(0, 25)
    events, now = [], rnd.choice([0, 0, 1000, 2**63])
    for _ in range(count):
        now = min(2**64 - 1, now + rnd.choice([0, 0, 1, gap // 2, gap, gap + 1, 5 * gap]))
        events.append((now, rnd.choice([1, 1, 2, max(1, burst // 2), burst])))
    rnd.shuffle(events)
    return events, permits, period_ns, burst


def main():
    oracle = sys.argv[1]
    seed = int(os.environ.get("FLOWCTL_SEED", time.time_ns()))
    print(f"oracle_definition: seed {seed} (FLOWCTL_SEED={seed} repeats this run)")
    rnd = random.Random(seed)
    over = 0
    for _ in range(600):
        events, permits, period_ns, burst = random_run(rnd)
        want = definition(events, Fraction(permits, period_ns), burst)
        got = judged(oracle, events, permits, period_ns, burst)
        assert got == want, (got, want, events, permits, period_ns, burst)
        over += want > 0
    assert 50 < over < 550, f"{over} of 600 runs over the limit: the runs do not try both answers"
    bad = subprocess.run([oracle, "1", "1", "1"], input="1 1\nx 1\n", capture_output=True, text=True)
    assert bad.returncode == 2 and "line 2" in bad.stderr, bad
    print(f"600 runs agree with the definition, {over} of them over the limit")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Drives the shared library through its C interface and judges it in fractions.

usage: bucket_fractions.py LIBFLOWCTL.SO

For rates from 1 per year to 10^10 per second, over simulated years, at times in any order:
  never over   every window of the dated admissions holds at most burst + rate x length (the definition, all windows)
  barely under what a bucket in fractions would have, less what it granted, differs from what the library has by less than one
               unit for rounding down and one for the last overflow
  exact        where the library says that its grid is exact, and on the grid, every answer is the fraction's answer
  retry-after  one nanosecond earlier is denied, then is allowed
"""
import ctypes
import math
import os
import random
import sys
import time
from fractions import Fraction

NS = 10**9
YEAR = 365 * 86400 * NS
ALLOW, DENY, FOREVER = 1, 0, 2**64 - 1


class Rate(ctypes.Structure):
    _fields_ = [("permits", ctypes.c_uint64), ("period_ns", ctypes.c_uint64)]


class Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("id", ctypes.c_char_p), ("rate", Rate), ("burst", ctypes.c_uint64),
                ("clock", ctypes.c_void_p), ("allocator", ctypes.c_void_p), ("start", ctypes.c_int),
                ("start_permits", ctypes.c_uint64), ("max_debt", ctypes.c_uint64), ("settle", ctypes.c_int)]


class Decision(ctypes.Structure):
    _fields_ = [("verdict", ctypes.c_int), ("status", ctypes.c_int), ("granted", ctypes.c_uint64),
                ("remaining", ctypes.c_uint64), ("retry_after_ns", ctypes.c_uint64), ("now_ns", ctypes.c_uint64),
                ("tier", ctypes.c_int32), ("flags", ctypes.c_uint32)]


class Info(ctypes.Structure):
    _fields_ = [("id", ctypes.c_char_p), ("rate", Rate), ("burst", ctypes.c_uint64), ("tokens", ctypes.c_uint64),
                ("debt", ctypes.c_uint64), ("waiters", ctypes.c_uint64), ("paused", ctypes.c_bool), ("dry_run", ctypes.c_bool),
                ("rate_per_sec", ctypes.c_double),
                ("actual_per_sec", ctypes.c_double), ("utilisation", ctypes.c_double),
                ("units_per_permit", ctypes.c_uint64), ("exact_every_ns", ctypes.c_uint64), ("now_ns", ctypes.c_uint64)]


def load(path):
    lib = ctypes.CDLL(path)
    lib.flowctl_decide_at.restype = lib.flowctl_peek_at.restype = Decision
    for verb in (lib.flowctl_decide_at, lib.flowctl_peek_at):
        verb.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64]
    lib.flowctl_limiter_destroy.argtypes = lib.flowctl_clock_destroy.argtypes = [ctypes.c_void_p]
    lib.flowctl_limiter_read_at.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64]
    lib.flowctl_clock_manual_create.argtypes = [ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    return lib


class Bucket:
    def __init__(self, lib, permits, period_ns, burst, start_ns):
        self.lib, self.clock, self.handle = lib, ctypes.c_void_p(), ctypes.c_void_p()
        assert lib.flowctl_clock_manual_create(start_ns, None, ctypes.byref(self.clock), None) == 0
        options = Options(ctypes.sizeof(Options), b"fractions", Rate(permits, period_ns), burst, self.clock, None, 0, 0, 0, 0)
        assert lib.flowctl_token_bucket_create(ctypes.byref(options), ctypes.byref(self.handle), None) == 0
        info = Info()
        assert lib.flowctl_limiter_read_at(self.handle, ctypes.byref(info), start_ns) == 0
        assert Fraction(info.rate.permits, info.rate.period_ns) == Fraction(permits, period_ns), "the effective rate"
        self.unit, self.grid = info.units_per_permit, info.exact_every_ns

    def decide(self, permits, now_ns):
        return self.lib.flowctl_decide_at(self.handle, permits, now_ns)

    def peek(self, permits, now_ns):
        return self.lib.flowctl_peek_at(self.handle, permits, now_ns)

    def close(self):
        self.lib.flowctl_limiter_destroy(self.handle)
        self.lib.flowctl_clock_destroy(self.clock)


def worst_window(admissions, rate, burst):
    """By definition: the excess of the worst window that begins and ends at an admission."""
    admissions = sorted(admissions)
    sums = [0]
    for _, permits in admissions:
        sums.append(sums[-1] + permits)
    worst = Fraction(-burst)
    for i, (start, _) in enumerate(admissions):
        for j in range(i, len(admissions)):
            worst = max(worst, sums[j + 1] - sums[i] - burst - rate * (admissions[j][0] - start))
    return worst


def random_limit(rnd):
    per_year = math.exp(rnd.uniform(0, math.log(10**10 * 86400 * 365)))
    kind = rnd.randrange(3)
    if kind == 0:
        rate = Fraction(max(1, round(per_year)), YEAR)
    elif kind == 1:
        rate = Fraction(rnd.choice([1, 7, 600, 1000, 3 * 10**6, 3 * 10**7, 6 * 10**8, 10**10]),
                        rnd.choice([NS, NS, 13 * NS, 60 * NS, 86400 * NS, YEAR]))
    else:
        rate = Fraction(rnd.randrange(1, 10**6), rnd.randrange(10**5, 10**14))
    rate = min(rate, Fraction(10))
    burst = rnd.choice([1, 2, 5, 1000, max(1, int(rate * NS)), rnd.randrange(1, 2**rnd.randrange(1, 50))])
    return rate, burst


def in_order(lib, rnd):
    """A bucket in fractions beside the library's."""
    rate, burst = random_limit(rnd)
    start = rnd.randrange(2**62)
    bucket = Bucket(lib, rate.numerator, rate.denominator, burst, start)
    on_grid = bucket.grid > 1
    exact = bucket.grid != 0
    unit = Fraction(1, bucket.unit)
    now, level, admissions = start, Fraction(burst), []
    gap = max(1, int(1 / rate))
    for _ in range(60):
        step = rnd.choice([0, 1, gap // 3, gap - 1, gap, gap + 1, 5 * gap, int(burst / rate), rnd.randrange(YEAR)])
        step = min(step, YEAR, start + 9 * YEAR - now)
        if on_grid:
            step -= step % bucket.grid
        now += step
        level = min(Fraction(burst), level + rate * step)
        permits = rnd.choice([1, 1, 2, burst, rnd.randrange(1, burst + 1)])
        if permits > burst:
            continue
        answer = bucket.decide(permits, now)
        if answer.verdict == ALLOW:
            assert level >= permits, f"granted {permits} of {level}"
            level -= permits
            admissions.append((now, permits))
        else:
            assert answer.verdict == DENY and level - permits < 2 * unit, f"denied {permits} of {level}"
            if exact:
                assert level < permits
            then = now + answer.retry_after_ns
            if then < start + 9 * YEAR:
                assert bucket.peek(permits, then).verdict == ALLOW
                assert bucket.peek(permits, then - 1).verdict == DENY
                earliest = now + math.ceil((permits - level) / rate)
                assert earliest <= then <= earliest + math.ceil(2 * unit / rate)
        remaining = math.floor(level)
        assert remaining - 1 <= answer.remaining <= remaining
        if exact:
            assert answer.remaining == remaining
    bucket.close()
    assert worst_window(admissions, rate, burst) <= 0
    return exact, len(admissions)


def any_order(lib, rnd):
    """Times jump back and forth; the definition is all that counts."""
    rate, burst = random_limit(rnd)
    start = 2**61
    bucket = Bucket(lib, rate.numerator, rate.denominator, burst, start)
    span = int(min(YEAR, max(1000, 20 * burst / rate)))
    admissions = []
    for _ in range(60):
        now = start + rnd.randrange(span)
        permits = rnd.choice([1, 1, 2, burst, rnd.randrange(1, burst + 1)])
        if permits <= burst and bucket.decide(permits, now).verdict == ALLOW:
            admissions.append((now, permits))
    bucket.close()
    assert worst_window(admissions, rate, burst) <= 0, (rate, burst, admissions)
    return len(admissions)


def planted(rnd):
    """A bucket that counts in whole permits: the definition must find it over."""
    over = 0
    for _ in range(200):
        rate, burst, consumed, now, admissions = Fraction(1, 1000), 1, -1, 0, []
        for _ in range(60):
            now += rnd.choice([1, 333, 999, 5000])
            produced = math.floor(rate * now)
            consumed = max(consumed, produced - burst)
            if produced - consumed >= 1:
                consumed += 1
                admissions.append((now, 1))
        over += worst_window(admissions, rate, burst) > 0
    assert over > 100, over


def main():
    lib = load(sys.argv[1])
    seed = int(os.environ.get("FLOWCTL_SEED", time.time_ns()))
    print(f"bucket_fractions: seed {seed} (FLOWCTL_SEED={seed} repeats this run)")
    rnd = random.Random(seed)
    planted(rnd)
    runs = [in_order(lib, rnd) for _ in range(1500)]
    exact, granted = sum(r[0] for r in runs), sum(r[1] for r in runs)
    assert 100 < exact < len(runs) and granted > 10 * len(runs)
    jumbled = sum(any_order(lib, rnd) for _ in range(1000))
    assert jumbled > 1000
    print(f"{len(runs)} buckets in order, {exact} exact at every step, {granted} grants; 1000 in any order, {jumbled} grants")


if __name__ == "__main__":
    main()

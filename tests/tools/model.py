"""What a replay must find, computed a second time from the definitions, in rationals, sharing nothing with the command."""
import datetime
import math
import re
from fractions import Fraction

LINE = re.compile(r'(\S+) (\S+) (.+?) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)'
                  r'( "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?')
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
NS = 10 ** 9


def read_log(path):
    """(time in ns, bytes) of each readable line, and how many are not."""
    events, broken = [], 0
    with open(path, encoding="latin-1", newline="\n") as file:
        for text in file:
            match = LINE.fullmatch(text.rstrip("\n"))
            if not match:
                broken += 1
                continue
            when = datetime.datetime.strptime(match[4], "%d/%b/%Y:%H:%M:%S %z") - EPOCH
            events.append(((when.days * 86400 + when.seconds) * NS, 0 if match[7] == "-" else int(match[7])))
    return events, broken


def sort_within(events, window_ns):
    """An event leaves when one has come that is `window_ns` newer; those that leave together leave by time, then by arrival."""
    newest, leaves, waiting = 0, [None] * len(events), []
    for arrival, (time, _) in enumerate(events):
        newest = max(newest, time)
        waiting.append(arrival)
        for earlier in [w for w in waiting if newest - events[w][0] >= window_ns]:
            leaves[earlier] = arrival
        waiting = [w for w in waiting if leaves[w] is None]
    order = sorted(range(len(events)), key=lambda i: (len(events) if leaves[i] is None else leaves[i], events[i][0], i))
    return [events[i] for i in order]


def date_decisions(events):
    """Decision times do not go back; whoever comes too late is decided at the newest."""
    dated, late, now = [], 0, events[0][0]
    for time, cost in events:
        late += time < now
        now = max(now, time)
        dated.append((now, cost))
    return dated, late


def decide(events, rate, burst, delay, outcomes=None):
    """
    The bucket by its definition. `rate` in permits per ns, a Fraction. A delayed request takes its permits when it is due, in whole
    nanoseconds, as any decision; so `now` can lie ahead, and the level before it is what it will be, less what still comes.
    `outcomes`, a list, gets for each event whether it passed at once, and its wait (None if it was not granted).
    """
    tally = dict(allowed=0, allowed_permits=0, denied=0, delayed=0, never=0, retry_after_max_ns=0, delay_max_ns=0)
    level, now = Fraction(burst), events[0][0]
    for time, cost in events:
        if time > now:
            level, now = min(Fraction(burst), level + (time - now) * rate), time
        due = now + max(0, math.ceil((cost - level) / rate))
        wait_ns = due - time if due > now or now > time else 0
        passes = cost <= burst and (cost == 0 or wait_ns == 0)
        if outcomes is not None:
            granted = passes or (delay and cost <= burst)
            outcomes.append((passes, (0 if passes else wait_ns) if granted else None))
        if cost > burst:
            tally["never"] += 1
            continue
        if cost != 0 and wait_ns > 0 and not delay:
            tally["denied"] += 1
            tally["retry_after_max_ns"] = max(tally["retry_after_max_ns"], wait_ns)
            continue
        tally["allowed"] += 1
        tally["allowed_permits"] += cost
        if cost != 0 and wait_ns > 0:
            tally["delayed"] += 1
            tally["delay_max_ns"] = max(tally["delay_max_ns"], wait_ns)
            level, now = min(Fraction(burst), level + (due - now) * rate), due
        level -= cost
    return tally


def smallest_burst(events, rate):
    """By search: the first burst with which the definition denies nothing."""
    def holds(burst):
        tally = decide(events, rate, burst, False)
        return tally["denied"] == 0 and tally["never"] == 0
    high = 1
    while not holds(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def busiest_minute(events):
    minutes = {}
    for time, cost in events:
        start = time // (60 * NS)
        requests, total = minutes.get(start, (0, 0))
        minutes[start] = (requests + 1, total + cost)
    start = max(minutes, key=lambda m: (minutes[m][0], -m))
    return dict(start=iso(start * 60 * NS), requests=minutes[start][0], cost=minutes[start][1])


def iso(time_ns):
    decimals = f".{time_ns % NS:09}" if time_ns % NS else ""
    return (EPOCH + datetime.timedelta(seconds=time_ns // NS)).strftime("%Y-%m-%dT%H:%M:%S") + decimals + "Z"


def smallest_rate(events, burst):
    """
    By trying every window: the greatest (cost - burst) / length, in permits per ns; None if requests of one moment cost more than
    the burst. Integers until the end, since there are millions of windows.
    """
    permits, period = 0, 1
    for begin, (start, _) in enumerate(events):
        cost = 0
        for time, own in events[begin:]:
            cost += own
            if cost > burst and time == start:
                return None
            if cost > burst and (cost - burst) * period > permits * (time - start):
                permits, period = cost - burst, time - start
    return Fraction(permits, period)


def compare(events, first, shadow, delay):
    """
    Two limits, each a rate and a burst, over events of (time, (cost, line)): the four counts, the first ten differences, and the
    greatest difference of waits with its line.
    """
    both = []
    for rate, burst in (first, shadow):
        outcomes = []
        decide([(time, cost) for time, (cost, _) in events], rate, burst, delay, outcomes)
        both.append(outcomes)
    counts, differences, waits = {(a, b): 0 for a in (True, False) for b in (True, False)}, [], (0, None)
    for (time, (_, line)), (a, wait_a), (b, wait_b) in zip(events, *both):
        counts[a, b] += 1
        if a != b:
            differences.append(dict(line=line, time=iso(time), passes="limit" if a else "shadow"))
        if None not in (wait_a, wait_b) and abs(wait_a - wait_b) > waits[0]:
            waits = (abs(wait_a - wait_b), line)
    return dict(both=counts[True, True], limit_only=counts[True, False], shadow_only=counts[False, True],
                neither=counts[False, False], differences=differences[:10], wait_difference_max_ns=waits[0],
                wait_difference_max_line=waits[1])


def expect(log, rate, burst, delay=False, window_ns=60 * NS, cost=1):
    """The findings of a whole replay. `log` from read_log; `cost` "bytes" or a number."""
    events, broken = log
    events = [(time, size if cost == "bytes" else cost) for time, size in events]
    dated, late = date_decisions(sort_within(events, window_ns))
    return dict(decide(dated, rate, burst, delay), requests=len(events), broken=broken, late=late,
                busiest_minute=busiest_minute(dated), first_time=iso(dated[0][0]), last_time=iso(dated[-1][0]))

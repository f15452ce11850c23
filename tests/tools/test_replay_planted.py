"""The agreement test must be able to fail: each defect here, planted into the model, has to disagree with the command."""
import unittest
from fractions import Fraction
from unittest import mock

import command
import model

NS = model.NS
SAMPLE = command.ARGUMENTS[0]
LOG = model.read_log(SAMPLE)
RATE, BURST = Fraction(7, 13 * NS), 7
COMPARED = ("allowed", "denied", "delayed", "late", "retry_after_max_ns", "delay_max_ns", "busiest_minute")


def disagreements(rate=RATE, burst=BURST, delay=False, window_ns=60 * NS, cost=1):
    expected = model.expect(LOG, rate, burst, delay, window_ns, cost)
    found = command.replay("--limit", "7/13s", "--burst", "7", "--mode", "delay" if delay else "deny", "--cost", str(cost), SAMPLE)
    return [name for name in COMPARED if expected[name] != found[name]]


def emission_interval(events, rate, burst, delay):
    """A bucket that keeps one time and whole nanoseconds per permit, rounded down."""
    interval, due, tally = int(1 / rate), 0, dict(allowed=0, denied=0, delayed=0, never=0, retry_after_max_ns=0, delay_max_ns=0)
    for now, cost in events:
        ahead = max(due, now) + cost * interval - (now + burst * interval)
        if ahead > 0:
            tally["denied"] += 1
            tally["retry_after_max_ns"] = max(tally["retry_after_max_ns"], ahead)
        else:
            tally["allowed"] += 1
            due = max(due, now) + cost * interval
    return tally


def starts_empty(events, rate, burst, delay):
    return REAL_DECIDE([(events[0][0], burst)] + events, rate, burst, delay)


def late_in_the_past(events):
    return events, sum(b[0] < a[0] for a, b in zip(events, events[1:]))


REAL_DECIDE = model.decide


class Planted(unittest.TestCase):
    def test_the_true_model_agrees(self):
        self.assertEqual(disagreements(), [])
        self.assertEqual(disagreements(delay=True), [])

    def test_not_sorted(self):
        with mock.patch.object(model, "sort_within", lambda events, window_ns: events):
            self.assertIn("late", disagreements())

    def test_sorted_by_newest_first(self):
        with mock.patch.object(model, "sort_within", lambda events, window_ns: sorted(events, reverse=True)):
            self.assertNotEqual(disagreements(), [])

    def test_integer_emission_interval(self):
        with mock.patch.object(model, "decide", emission_interval):
            self.assertIn("retry_after_max_ns", disagreements())

    def test_bucket_starts_empty(self):
        with mock.patch.object(model, "decide", starts_empty):
            self.assertNotEqual(disagreements(), [])

    def test_another_rate_or_burst(self):
        self.assertNotEqual(disagreements(rate=RATE * Fraction(1001, 1000)), [])
        self.assertNotEqual(disagreements(burst=BURST + 1), [])

    def test_delay_is_not_deny(self):
        with mock.patch.object(model, "decide", lambda e, r, b, delay: REAL_DECIDE(e, r, b, not delay)):
            self.assertNotEqual(disagreements(), [])


if __name__ == "__main__":
    command.main()

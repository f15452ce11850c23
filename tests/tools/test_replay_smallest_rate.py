"""The smallest rate is that of the definition, every window tried; with it nothing is denied, with a hair less something is."""
import random
import unittest
from fractions import Fraction

import command
import model
from command import line, replay, run

NS = model.NS
SAMPLE = command.ARGUMENTS[0]
PERIOD_MAX = 10 * 365 * 86400 * NS


def dated(events, window_ns=60 * NS, cost=1):
    return model.date_decisions(model.sort_within([(time, size if cost == "bytes" else cost) for time, size in events], window_ns))[0]


def as_fraction(report):
    rate = report["smallest_rate"]
    return None if rate["permits"] is None else Fraction(rate["permits"], rate["period_ns"])


def text(rate):
    return f"{rate.numerator}/{rate.denominator}ns"


def a_hair_less(rate):
    """Smaller by as little as a limit can be written, about one part in 10^9 or less; None if it can't be written."""
    times = min(10 ** 9 // rate.numerator + 1, PERIOD_MAX // rate.denominator)
    less = Fraction(rate.numerator * times - 1, rate.denominator * times) if times else Fraction(0)
    return less if less * PERIOD_MAX >= 1 else None


class SmallestRate(unittest.TestCase):
    def check(self, arguments, burst, events, data=b""):
        """Returns whether a hair less could be tried on an exact grid."""
        found = replay("--limit", "1/s", "--burst", str(burst), *arguments, data=data)
        expected = model.smallest_rate(events, burst)
        if expected is not None and expected > 10:  # per ns; no limit can have that
            expected = None
        self.assertEqual(as_fraction(found), expected, (arguments, burst))
        self.assertTrue(found["smallest_rate"]["exact"])
        if not expected:
            return False
        self.assertAlmostEqual(found["smallest_rate"]["per_sec"] / float(expected * NS), 1, places=8)
        return self.check_by_replay(arguments, burst, expected, data)

    def check_by_replay(self, arguments, burst, rate, data):
        if rate.denominator > PERIOD_MAX or rate * PERIOD_MAX < 1 or rate > 10:
            return False
        enough = replay("--limit", text(rate), "--burst", str(burst), *arguments, data=data)
        if enough["exact"]:
            self.assertEqual(enough["denied"] + enough["never"], 0, (arguments, burst, rate))
        less = a_hair_less(rate)
        if less is None:
            return False
        too_little = replay("--limit", text(less), "--burst", str(burst), *arguments, data=data)
        self.assertGreater(too_little["denied"], 0, (arguments, burst, less))
        self.assertEqual(as_fraction(too_little), rate)
        return enough["exact"]

    def test_sample(self):
        events, tried = model.read_log(SAMPLE)[0], 0
        for burst, window in ((1, "60s"), (10, "60s"), (30, "60s"), (30, "0s"), (50, "10s"), (97, "60s"), (1400, "60s"), (1499, "60s")):
            ns = int(window[:-1]) * NS
            tried += self.check(("--sort-window", window, SAMPLE), burst, dated(events, ns))
        self.assertGreaterEqual(tried, 4)

    def test_sample_costs(self):
        events = model.read_log(SAMPLE)[0]
        for burst in (100, 100_000_000, 300_000_000):
            self.check(("--cost", "bytes", SAMPLE), burst, dated(events, cost="bytes"))
        self.check(("--cost", "7", SAMPLE), 350, dated(events, cost=7))

    def test_mode_and_stream_change_nothing(self):
        with open(SAMPLE, "rb") as file:
            data = file.read()
        found = [replay("--limit", "30/min", "--burst", "10", *more, data=data)["smallest_rate"]
                 for more in ((SAMPLE,), ("-",), ("--mode", "delay", SAMPLE), ("--mode", "delay", "-"))]
        self.assertEqual(found[1:], found[:1] * 3)

    def test_small_random_logs(self):
        tried = 0
        for seed in range(150):
            choose = random.Random(seed)
            step = choose.choice((1, 1000, 10 ** 6, 10 ** 9, 10 ** 12))
            time, events = 1431857103 * NS, []
            for _ in range(choose.randrange(2, 60)):
                time += step * choose.choice((0, 1, choose.randrange(12), 100))
                events.append((time, choose.randrange(0, choose.choice((2, 10, 1000)))))
            data = "".join(f'{{"time": {time}, "n": {cost}}}\n' for time, cost in events).encode()
            arguments = ("--format", "json", "--cost", "n", "--time-unit", "ns", "--sort-window", "0s", "-")
            tried += self.check(arguments, choose.choice((1, 5, 50, 2000)), model.date_decisions(events)[0], data)
        self.assertGreaterEqual(tried, 15)

    def test_late_lines_count_where_they_are_decided(self):
        """With the log's own times the rate would be another."""
        data = b"".join(line(s) for s in (30, 121, 200, 31, 32))
        found = replay("--limit", "1/s", "--burst", "2", "--sort-window", "20s", "-", data=data)
        self.assertEqual((found["late"], as_fraction(found)), (2, None))  # three at second 121
        sorted_in = replay("--limit", "1/s", "--burst", "2", "--sort-window", "200s", "-", data=data)
        self.assertEqual((sorted_in["late"], as_fraction(sorted_in)), (0, Fraction(1, 2 * NS)))

    def test_none_and_any(self):
        three = line(1) * 3
        for burst, expected in ((2, None), (3, 0)):
            self.assertEqual(as_fraction(replay("--limit", "1/s", "--burst", str(burst), "-", data=three)), expected)
        out = run("replay", "--limit", "1/s", "--burst", "2", "-", data=three)[1]
        self.assertRegex(out, r"smallest rate +none: up to 3 permits are asked for at once; raise --burst to that\n")
        out = run("replay", "--limit", "1/s", "--burst", "3", "-", data=three)[1]
        self.assertRegex(out, r"smallest rate +any: ")
        for data in (b"", line(1)):
            rate = replay("--limit", "1/s", "-", data=data)["smallest_rate"]
            self.assertEqual(rate["permits"], 0 if data else None)
        above = line(1, "50") + line(9, "51")
        self.assertIsNone(as_fraction(replay("--limit", "1/s", "--burst", "50", "--cost", "bytes", "-", data=above)))
        fast = b'{"time":1,"n":11}\n{"time":2,"n":11}\n'
        limit = ("--limit", "1/s", "--burst", "11", "--cost", "n", "--time", "time", "--time-unit", "ns", "-")
        self.assertEqual(as_fraction(replay(*limit, data=fast)), None)
        self.assertRegex(run("replay", *limit, data=fast)[1], "smallest rate +more than any limit can have")

    def test_the_table_has_a_rate_to_copy(self):
        report = replay("--limit", "30/min", "--burst", "10", SAMPLE)
        out = run("replay", "--limit", "30/min", "--burst", "10", SAMPLE)[1]
        self.assertIn("smallest rate          2.55/s (exactly 7/2750ms) would deny nothing at this burst\n", out)
        self.assertEqual(as_fraction(report), Fraction(7, 2750 * 10 ** 6))
        for rate in ("2.55/s", "7/2750ms"):
            self.assertEqual(replay("--limit", rate, "--burst", "10", SAMPLE)["denied"], 0)


REAL_SMALLEST_RATE = model.smallest_rate


class Planted(unittest.TestCase):
    """Wrong ways to compute it; each has to disagree, or the agreement above would show nothing."""
    EVENTS = dated(model.read_log(SAMPLE)[0])

    def assert_disagrees(self, rate):
        self.assertNotEqual(rate, as_fraction(replay("--limit", "1/s", "--burst", "10", SAMPLE)))

    def test_the_true_one_agrees(self):
        self.assertEqual(REAL_SMALLEST_RATE(self.EVENTS, 10), as_fraction(replay("--limit", "1/s", "--burst", "10", SAMPLE)))

    def test_only_windows_from_the_first_request(self):
        start = self.EVENTS[0][0]
        totals = [(i + 1, time - start) for i, (time, _) in enumerate(self.EVENTS)]
        self.assert_disagrees(max(Fraction(cost - 10, length) for cost, length in totals if length and cost > 10))

    def test_without_the_cost_of_the_request_itself(self):
        self.assert_disagrees(REAL_SMALLEST_RATE(self.EVENTS, 11))

    def test_rounded_to_whole_permits_per_minute(self):
        true = REAL_SMALLEST_RATE(self.EVENTS, 10)
        self.assert_disagrees(Fraction(round(true * 60 * NS), 60 * NS))

    def test_unsorted(self):
        self.assert_disagrees(REAL_SMALLEST_RATE(dated(model.read_log(SAMPLE)[0], 0), 10))


if __name__ == "__main__":
    command.main()

"""Every decision of a whole log, as counts and extremes, agrees exactly with the model in rationals."""
import itertools
import os
import unittest
from fractions import Fraction

import command
import model

NS = model.NS
RATES = {  # as written, and permits per ns
    "60/min": Fraction(60, 60 * NS), "7/13s": Fraction(7, 13 * NS), "1/s": Fraction(1, NS), "1.5/s": Fraction(3, 2 * NS),
    "100/h": Fraction(100, 3600 * NS), "1000/day": Fraction(1000, 86400 * NS), "997/7min": Fraction(997, 420 * NS),
    "600M/s": Fraction(6, 10), "0.1/min": Fraction(1, 600 * NS),
}
WINDOWS = {"0": 0, "0s": 0, "10s": 10 * NS, "60s": 60 * NS, "2h": 7200 * NS}


class Agreement(unittest.TestCase):
    def check(self, path, log, rate, burst, mode="deny", window="60s", cost=1):
        arguments = ["--limit", rate, "--burst", str(burst), "--mode", mode, "--sort-window", window, "--cost", str(cost), path]
        per_ns = RATES[rate] if rate in RATES else BYTE_RATES[rate]
        expected = model.expect(log, per_ns, burst, mode == "delay", WINDOWS[window], cost)
        found = command.replay(*arguments)
        for name, value in expected.items():
            self.assertEqual(found[name], value, f"{name} of {arguments}")
        self.assertTrue(found["exact"] or (mode == "delay" and cost == burst), arguments)
        self.assertEqual(found["requests"], found["allowed"] + found["denied"] + found["never"])
        self.check_smallest_burst(found, arguments)

    def check_smallest_burst(self, found, arguments):
        """Replayed with it nothing is denied; with one less, something is."""
        smallest = found["smallest_burst"]
        changed = list(arguments)
        for burst, holds in ((smallest, True), (smallest - 1, False)):
            if burst == 0:
                continue
            changed[3], changed[5] = str(burst), "deny"
            again = command.replay(*changed)
            self.assertEqual(again["denied"] + again["never"] == 0, holds, changed)
            self.assertEqual(again["smallest_burst"], smallest)

    def test_sample_every_combination(self):
        for rate, burst, mode, window in itertools.product(RATES, (1, 7, 50), ("deny", "delay"), ("0", "10s", "60s")):
            self.check(SAMPLE, SAMPLE_LOG, rate, burst, mode, window)

    def test_sample_bytes(self):
        for rate, burst, mode in itertools.product(BYTE_RATES, (100, 50_000, 20_000_000), ("deny", "delay")):
            self.check(SAMPLE, SAMPLE_LOG, rate, burst, mode, cost="bytes")

    def test_sample_constant_cost(self):
        for cost in (2, 5, 1000):
            self.check(SAMPLE, SAMPLE_LOG, "60/min", 50, cost=cost)

    def test_sample_smallest_burst_by_search(self):
        for (rate, per_ns), window in itertools.product(RATES.items(), ("0", "60s")):
            dated, _ = model.date_decisions(model.sort_within([(t, 1) for t, _ in SAMPLE_LOG[0]], WINDOWS[window]))
            found = command.replay("--limit", rate, "--sort-window", window, SAMPLE)
            self.assertEqual(found["smallest_burst"], model.smallest_burst(dated, per_ns), (rate, window))

    def test_sample_is_not_in_order(self):
        """Else none of this would tell whether sorting works."""
        self.assertGreater(command.replay("--limit", "1/s", "--sort-window", "0", SAMPLE)["late"], 100)
        self.assertEqual(command.replay("--limit", "1/s", SAMPLE)["late"], 0)

    def test_default_burst_is_the_count(self):
        for rate, burst in (("600/min", 600), ("60/min", 60), ("1.5/s", 2), ("7/13s", 7), ("0.1/min", 1), ("5MB/s", 5_000_000),
                            ("5MiB/s", 5 << 20), ("1.5k/2s", 1500), ("3/3s", 3)):
            self.assertEqual(command.replay("--limit", rate, SAMPLE)["burst"], burst, rate)

    def test_whole_log(self):
        """Where the whole log is not at hand, the sample stands in for it."""
        path = next(p for p in reversed(command.ARGUMENTS) if os.path.exists(p))
        log = model.read_log(path)
        for rate, mode, window in itertools.product(("60/min", "7/13s", "100/h"), ("deny", "delay"), ("0s", "60s")):
            self.check(path, log, rate, 20, mode, window)
        self.check(path, log, "20kB/s", 5_000_000, cost="bytes")
        self.check(path, log, "20kB/s", 100_000_000, "delay", cost="bytes")


BYTE_RATES = {"20kB/s": Fraction(20_000, NS), "1MB/min": Fraction(10 ** 6, 60 * NS), "5MiB/h": Fraction(5 << 20, 3600 * NS)}
SAMPLE = command.ARGUMENTS[0]
SAMPLE_LOG = model.read_log(SAMPLE)

if __name__ == "__main__":
    command.main()

"""Two limits side by side: who would have been treated differently, request by request as the model decides."""
import itertools
import json
import unittest
from fractions import Fraction

import command
import model
from command import line, replay, run

NS = model.NS
SAMPLE = command.ARGUMENTS[0]
LIMITS = {"60/min": Fraction(1, NS), "7/13s": Fraction(7, 13 * NS), "100/h": Fraction(100, 3600 * NS), "20kB/s": Fraction(20000, NS)}


def numbered(cost):
    """The events of the sample in the order of decisions, each (time, (cost, line))."""
    events, number = [], 0
    with open(SAMPLE, "rb") as file:
        for number, text in enumerate(file, 1):
            match = model.LINE.fullmatch(text.decode("latin-1").rstrip("\n"))
            if match:
                events.append((number, match))
    log = iter(model.read_log(SAMPLE)[0])
    events = [(time, (size if cost == "bytes" else cost, number)) for (number, _), (time, size) in zip(events, log)]
    return model.date_decisions(model.sort_within(events, 60 * NS))[0]


class Shadow(unittest.TestCase):
    def shadow(self, first, second, mode="deny", cost=1):
        found = replay("--limit", first[0], "--burst", str(first[1]), "--shadow", second[0], "--shadow-burst", str(second[1]),
                       "--mode", mode, "--cost", str(cost), SAMPLE)
        self.assertTrue(found["exact"] and found["shadow"]["exact"])
        return found

    def test_agreement(self):
        events = numbered(1)
        for first, second, mode in itertools.product((("60/min", 10), ("7/13s", 7)), (("7/13s", 7), ("100/h", 50), ("60/min", 97)),
                                                     ("deny", "delay")):
            found = self.shadow(first, second, mode)["shadow"]
            expected = model.compare(events, (LIMITS[first[0]], first[1]), (LIMITS[second[0]], second[1]), mode == "delay")
            for name, value in expected.items():
                self.assertEqual(found[name], value, (name, first, second, mode))

    def test_agreement_in_bytes(self):
        events = numbered("bytes")
        for mode in ("deny", "delay"):
            found = self.shadow(("20kB/s", 5_000_000), ("20kB/s", 100_000_000), mode, "bytes")["shadow"]
            expected = model.compare(events, (LIMITS["20kB/s"], 5_000_000), (LIMITS["20kB/s"], 100_000_000), mode == "delay")
            self.assertEqual({name: found[name] for name in expected}, expected)

    def test_planted(self):
        """The comparison must notice limits that are not those of the command."""
        events, found = numbered(1), self.shadow(("60/min", 10), ("7/13s", 7))["shadow"]
        for first, second in ((("7/13s", 7), ("60/min", 10)), (("60/min", 10), ("7/13s", 8)), (("60/min", 11), ("7/13s", 7))):
            wrong = model.compare(events, (LIMITS[first[0]], first[1]), (LIMITS[second[0]], second[1]), False)
            self.assertNotEqual({name: found[name] for name in wrong}, wrong)

    def test_the_first_limit_is_not_disturbed(self):
        for mode in ("deny", "delay"):
            arguments = ("--limit", "60/min", "--burst", "10", "--mode", mode)
            alone, beside = replay(*arguments, SAMPLE), replay(*arguments, "--shadow", "7/13s", SAMPLE)
            self.assertIsNone(alone.pop("shadow"))
            shadow = beside.pop("shadow")
            self.assertEqual(alone, beside)
            self.assertEqual(sum(shadow[name] for name in ("both", "limit_only", "shadow_only", "neither")), alone["requests"])
            second = replay("--limit", "7/13s", "--mode", mode, SAMPLE)
            passed = second["allowed"] - second["delayed"]
            self.assertEqual(shadow["both"] + shadow["shadow_only"], passed)
            self.assertEqual((shadow["limit"], shadow["burst"], shadow["permits"], shadow["period_ns"]), ("7/13s", 7, 7, 13 * NS))

    def test_the_same_limit_differs_in_nothing(self):
        shadow = replay("--limit", "60/min", "--burst", "10", "--shadow", "1/s", "--shadow-burst", "10", SAMPLE)["shadow"]
        self.assertEqual((shadow["limit_only"], shadow["shadow_only"], shadow["differences"], shadow["wait_difference_max_line"]),
                         (0, 0, [], None))
        out = run("replay", "--limit", "1/s", "--shadow", "60/min", "--shadow-burst", "1", SAMPLE)[1]
        self.assertIn("no request is treated differently", out)

    def test_table(self):
        for mode, words in (("deny", ("allowed", "denied")), ("delay", ("at once", "held up"))):
            arguments = ("replay", "--limit", "30/min", "--burst", "10", "--shadow", "40/min", "--mode", mode)
            shadow = json.loads(run(*arguments, "--output", "json", SAMPLE)[1])["shadow"]
            out = run(*arguments, SAMPLE)[1]
            self.assertIn("shadow limit 40/min, burst 40\n", out)
            self.assertRegex(out, rf"shadow {words[0]} +shadow {words[1]}\n")
            self.assertRegex(out, rf"limit {words[0]} +{shadow['both']} +{shadow['limit_only']}\n")
            self.assertRegex(out, rf"limit {words[1]} +{shadow['shadow_only']} +{shadow['neither']}\n")
            for difference in shadow["differences"]:
                self.assertRegex(out, rf"line {difference['line']} +{difference['time']}  only the {difference['passes']} ")
            self.assertEqual("greatest difference of waits" in out, mode == "delay")

    def test_rounding_of_the_shadow_is_told(self):
        arguments = ("--limit", "1/s", "--shadow", "1/9y", "--shadow-burst", "1T", SAMPLE)
        found = replay(*arguments)
        self.assertEqual((found["exact"], found["shadow"]["exact"]), (True, False))
        self.assertIn("note: the shadow limit may have been rounded", run("replay", *arguments)[1])

    def test_lines_are_counted_with_broken_ones(self):
        data = b"broken\n" + line(1) + b"\n" + line(1)
        found = replay("--limit", "1/h", "--burst", "1", "--shadow", "1/h", "--shadow-burst", "2", "-", data=data)["shadow"]
        self.assertEqual(found["differences"], [{"line": 4, "time": "2015-05-17T10:00:01Z", "passes": "shadow"}])


if __name__ == "__main__":
    command.main()

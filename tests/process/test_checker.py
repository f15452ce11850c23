"""The checker finds what it must find and nothing else: planted files of admissions, and windows computed a second time in fractions.

usage: test_checker.py CHECKER ORACLE
"""
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import unittest
from fractions import Fraction

import rings

CHECKER, ORACLE = sys.argv[1:3]
SEED = int(os.environ.get("FLOWCTL_SEED", time.time_ns()))
LIMIT = (1000, 10**9, 50)
START = 5 * 10**9
EXCESS = re.compile(r"excess by dates of (\w+): (-?[\d.]+) permits")
WINDOW = re.compile(r"smallest window over it: (\d+) permits in ([\d.]+) s, where [\d.]+ were allowed; from (\d+) ns")


def narrowest(events, permits, period_ns, burst, allowed=()):
    """(length, most permits of that length) of the smallest window over the limit, all tried; None if there is none."""
    best, rate = None, Fraction(permits, period_ns)
    times = sorted({t for t, _ in events})
    for first in times:
        for last in times:
            inside = sum(n for t, n in events if first <= t <= last)
            besides = sum(n for t, n in allowed if first <= t < last)
            if last >= first and inside > burst + besides + rate * (last - first):
                best = min(best or (last - first, -inside), (last - first, -inside))
    return best and (best[0], -best[1])


class Checker(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name

    def check(self, *options, limit=LIMIT, expect=0):
        done = subprocess.run([CHECKER, *options, *map(str, limit), self.directory], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def write(self, name, admissions, **more):
        rings.write(self.directory, name, admissions, **more)

    def full_rate(self, workers, seconds=1):
        """All that the limit allows, and not a permit more, dealt out to the workers."""
        dealt = [[] for _ in range(workers)]
        dealt[0].append((START, 50))
        for i in range(1, 1000 * seconds + 1):
            dealt[i % workers].append((START + i * 10**6, 1))
        return dealt

    def write_all(self, dealt):
        for number, admissions in enumerate(dealt):
            self.write(f"w{number}.1", admissions)

    def test_all_that_is_allowed_passes(self):
        self.write_all(self.full_rate(4))
        text = self.check()
        self.assertEqual(EXCESS.findall(text), [("decision", "0.000000"), ("use", "0.000000")])
        self.assertIn("4 files: 1001 admissions", text)

    def test_one_permit_too_many_in_one_file(self):
        dealt = self.full_rate(4)
        dealt[2].append((START + 700 * 10**6, 1))
        self.write_all(dealt)
        text = self.check(expect=1)
        self.assertEqual(EXCESS.findall(text)[0], ("decision", "1.000000"))
        self.assertIn("OVER THE LIMIT", text)

    def test_one_nanosecond_too_early(self):
        dealt = self.full_rate(3)
        time_ns, permits = dealt[1][-1]
        dealt[1][-1] = (time_ns - 1, permits)
        self.write_all(dealt)
        self.assertEqual(EXCESS.findall(self.check(expect=1))[0][1], "0.000001")

    def test_each_alone_passes_and_together_they_do_not(self):
        dealt = [[(START + i * 10**6, 1) for i in range(500)] for _ in range(2)]
        for number, admissions in enumerate(dealt):
            self.write(f"w{number}.1", admissions)
            if number == 0:
                self.check()
        self.check(expect=1)

    def test_the_window_shows_who_was_admitted_what_and_what_was_done_before(self):
        self.write("w0.1", [(START - 10**9, 50)] + [(START + i * 10**3, 1) for i in range(30)])
        self.write("w1.7", [(START + i * 10**3 + 500, 1) for i in range(25)])
        with open(os.path.join(self.directory, "faults"), "w") as faults:
            faults.write(f"# seed 4711\n{START - 30 * 10**9} kill w9.9\n{START - 10**6} stop w0.1 for 0.010 s\n"
                         f"{START + 10**9} continue w0.1\n")
        text = self.check(expect=1)
        self.assertIn("smallest window over it: 51 permits in 0.000025", text)
        self.assertRegex(text, r"w0.1: 2[56] permits in 2[56] admissions\n  w1.7: 2[56] permits")
        self.assertRegex(text, r"faults from .*\n  # seed 4711\n +-0.001\d* s  stop w0.1 for 0.010 s\n")
        self.assertNotIn("w9.9", text)
        self.assertNotIn("continue", text)

    def test_a_forked_child_may_get_nothing(self):
        self.write("w0.1", [(START, 1)])
        self.write("w0.1.fork1", [], role=1)
        self.check()
        self.write("w0.1.fork2", [(START + 10**9, 1)], role=1)
        self.assertIn("FORKED CHILD w0.1.fork2: its parent's limiter admitted it 1 times", self.check(expect=1))

    def test_dates_of_use(self):
        """Held back by a stop, then used all at once: right by date, and told."""
        late = START + 10**9
        self.write("w0.1", [(START, 50, START)])
        self.write("w1.1", [(START + i * 10**6, 1, late) for i in range(1, 100)])
        text = self.check()
        self.assertEqual(EXCESS.findall(text), [("decision", "0.000000"), ("use", "49.000000")])
        self.assertIn("used at most 0.999000 s after the date", text)
        self.assertRegex(self.check("--by-use", expect=1), r"\+0.000000 s +1  w1.1  used 0.9\d\d s after its date")
        self.assertIn("OVER THE LIMIT, excess by dates of use: 49", self.check("--by-use", expect=1))

    def test_a_date_ahead_of_its_use(self):
        self.write("w0.1", [(START, 1, START), (START + 10, 1, START + 9)])
        self.assertIn("DATED AHEAD: 1 decisions", self.check(expect=1))

    def test_use_of_the_rate(self):
        self.write_all(self.full_rate(2))
        self.assertIn("use of the rate: 1.05", self.check("--min-use", "1.05"))
        with open(os.path.join(self.directory, "faults"), "w") as faults:
            faults.write(f"{START + 1} begin\n{START + 2 * 10**9} end\n")
        self.assertIn("use of the rate: 0.5000 over 2.000 s", self.check("--min-use", "0.49"))
        self.assertIn("TOO LITTLE", self.check("--min-use", "0.51", expect=3))

    def test_nothing_admitted_is_too_little(self):
        self.write("w0.1", [])
        self.assertEqual(EXCESS.findall(self.check())[0][1], "-50.000000")
        self.check("--min-use", "0.01", expect=3)

    def write_faults(self, *lines):
        with open(os.path.join(self.directory, "faults"), "w") as faults:
            faults.writelines(line + "\n" for line in lines)

    def test_use_at_the_end(self):
        self.write_all(self.full_rate(2, 2))
        self.write_faults(f"{START} begin", f"{START + 10**9} settled", f"{START + 4 * 10**9} end")
        text = self.check("--min-use", "0.5", "--min-end-use", "0.33")
        self.assertIn("use of the rate: 0.51", text)
        self.assertIn("use of the rate at the end: 0.3337 over 3.000 s", text)
        self.assertIn("TOO LITTLE", self.check("--min-end-use", "0.34", expect=3))
        self.write_faults(f"{START} begin")
        self.check("--min-end-use", "0.9", expect=3)  # it never settled

    def test_more_is_allowed_once(self):
        dealt = self.full_rate(3)
        dealt[0].append((START + 500 * 10**6 + 5, 30))
        self.write_all(dealt)
        at = START + 500 * 10**6 + 4
        for allowed, expect in (([(at, 30)], 0), ([(at, 29)], 1), ([(at - 10**6, 10), (at, 20)], 0), ([(at + 1, 30)], 1), ([(START - 1, 30)], 1)):
            self.write_faults("# seed 1", *(f"{time_ns} allow {permits} permits: a step" for time_ns, permits in allowed))
            self.check(expect=expect)
        self.write_faults(f"{at} allow 20 permits")
        self.assertEqual(EXCESS.findall(self.check(expect=1))[0][1], "10.000000")

    def test_what_cannot_be_read(self):
        self.assertIn("no file of admissions", self.check(expect=2))
        self.write("w0.1", [(START, 1), (0, 0)])
        self.assertIn("entry 1 of 2 is torn", self.check(expect=2))
        self.write("w0.1", [(START, 1)], version=7)
        self.assertIn("version 7", self.check(expect=2))
        for wrong in ((0, 1, 1), (1, 0, 1), ("x", 1, 1), (1, 1, "1x"), (-1, 1, 1)):
            self.assertIn("usage", self.check(limit=wrong, expect=2))
        self.assertIn("usage", self.check("--no-such", expect=2))

    def test_export_is_what_the_oracle_reads(self):
        dealt = self.full_rate(3)
        dealt[0].append((START + 5, 7))
        self.write_all(dealt)
        text = self.check("--export")
        self.assertEqual(len(text.splitlines()), 1002)
        oracle = subprocess.run([ORACLE, *map(str, LIMIT)], input=text, capture_output=True, text=True)
        self.assertEqual(oracle.returncode, 1)
        excess, period, *_ = map(int, oracle.stdout.split())
        self.assertEqual(f"{excess / period:.6f}", EXCESS.findall(self.check(expect=1))[0][1])

    def test_smallest_windows_by_definition(self):
        print(f"test_checker: seed {SEED} (FLOWCTL_SEED={SEED} repeats this run)")
        rnd, over = random.Random(SEED), 0
        for _ in range(150):
            permits, period_ns, gap = rnd.choice(((1, 10, 10), (7, 13, 2), (3, 1, 1), (1000, 10**9, 10**6)))
            burst, now, events = rnd.choice((1, 2, 5, 20)), START, []
            for _ in range(rnd.randrange(1, 40)):
                now += rnd.choice((0, 0, 1, gap // 2, gap, gap + 1, 4 * gap))
                events.append((now, rnd.choice((1, 1, 2, burst))))
            for worker in range(3):
                self.write(f"w{worker}.1", [event for i, event in enumerate(events) if i % 3 == worker])
            allowed = [(rnd.choice(events)[0] + rnd.choice((-1, 0, 1, gap)), rnd.choice((1, 2, burst))) for _ in range(rnd.choice((0, 0, 1, 3)))]
            allowed.sort()
            self.write_faults(*(f"{time_ns} allow {extra}" for time_ns, extra in allowed))
            want = narrowest(events, permits, period_ns, burst, allowed)
            text = self.check(limit=(permits, period_ns, burst), expect=0 if want is None else 1)
            over += want is not None
            found = WINDOW.search(text)
            got = found and (round(float(found[2]) * 10**9), int(found[1]))
            self.assertEqual(got, want, (events, permits, period_ns, burst, allowed))
        self.assertTrue(20 < over < 149, over)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)

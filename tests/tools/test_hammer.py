"""flowctl hammer: real processes on a real file; what it says of them is computed a second time, and what is wrong must be found."""
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
from fractions import Fraction

import command
from command import run

QUICK = ("--ttl", "100ms", "--duration", "1500ms")


def excess(lines, per_second, burst):
    """Of the worst interval, by the vessel, in fractions."""
    held, last, worst = Fraction(0), None, Fraction(-burst)
    for time_ns, permits in lines:
        held = max(Fraction(0), held - Fraction(time_ns - (last or time_ns), 10**9) * per_second) + permits
        last, worst = time_ns, max(worst, held - burst)
    return worst


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


class Hammer(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name
        self.url = "file:" + self.path("store")

    def path(self, name):
        return os.path.join(self.directory, name)

    def command(self, *options, url=None, id="test"):
        return [command.COMMAND, "hammer", "--output", "json", *QUICK, *options, url or self.url, id]

    def start(self, *options, **where):
        process = subprocess.Popen(self.command(*options, **where), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=command.environment(), preexec_fn=command.default_signals)
        self.addCleanup(self.stop, process)
        return process

    @staticmethod
    def stop(process):
        if process.poll() is None:
            process.kill()
        process.wait(60)
        process.stdout.close()
        process.stderr.close()

    def finish(self, process, expect=0):
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, expect, out + err)
        return json.loads(out), err

    def hammer(self, *options, expect=0, **where):
        return self.finish(self.start(*options, **where), expect)[0]

    def admissions(self, log):
        with open(os.path.join(log, "admissions.txt"), encoding="ascii") as file:
            return [tuple(map(int, line.split())) for line in file]

    @staticmethod
    def children(process):
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def wait_for(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_a_shared_limit_holds_and_is_used(self):
        log = self.path("log")
        report = self.hammer("--limit", "2000/s", "--burst", "200", "--processes", "3", "--log", log)
        lines = self.admissions(log)
        self.assertTrue(report["held"])
        self.assertLessEqual(report["excess"], 0)
        self.assertGreater(report["use"], 0.8)
        self.assertEqual(report["granted"], sum(permits for _, permits in lines))
        self.assertEqual(report["granted"], sum(p["granted"] for p in report["processes"]))
        self.assertAlmostEqual(report["excess"], float(excess(lines, 2000, 200)), 5)
        self.assertAlmostEqual(report["use"], report["granted"] / (2000 * report["length_ns"] / 1e9), 5)
        self.assertEqual([p["trouble"] for p in report["processes"]], [None] * 3)
        self.assertTrue(all(p["asks"] > 0 for p in report["processes"]))
        self.assertEqual(len([name for name in os.listdir(log) if name.endswith(".ring")]), 3)

    def test_two_buckets_taken_for_one_limit_are_over_it(self):
        """Both runs enter their admissions in one directory, and believe that they shared a limit."""
        log = self.path("log")
        options = ("--limit", "1000/s", "--burst", "50", "--processes", "2", "--log", log)
        runs = [self.start(*options, id=id) for id in ("one", "another")]
        out = [process.communicate(timeout=60) for process in runs]
        self.assertIn(1, [process.returncode for process in runs], out)
        report = self.hammer("--limit", "1000/s", "--burst", "50", "--processes", "1", "--duration", "100ms", "--log", log, expect=1)
        self.assertFalse(report["held"])
        self.assertGreater(report["excess"], 100)
        self.assertGreater(report["other_admissions"], 1000)
        self.assertAlmostEqual(report["excess"], float(excess(self.admissions(log), 1000, 50)), 4)
        worst = report["worst"]
        inside = sum(n for t, n in self.admissions(log) if worst["from_ns"] <= t <= worst["until_ns"])
        self.assertEqual(inside, worst["permits"])
        self.assertAlmostEqual(inside - 50 - (worst["until_ns"] - worst["from_ns"]) / 1e6, report["excess"], 4)

    def test_the_second_opinion_that_it_prints(self):
        status, out, err = run("hammer", "--limit", "500/s", "--processes", "2", *QUICK, "--log", self.path("log"), self.url, "test")
        self.assertEqual((status, err), (0, ""))
        line, = re.findall(r"^  (awk .*)$", out, re.M)
        second = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
        self.assertAlmostEqual(float(second.split()[1]), float(re.search(r"excess +(-?[\d.]+)", out)[1]), 2)

    def test_costs_and_memory(self):
        report = self.hammer("--limit", "1000/s", "--burst", "100", "--processes", "1", "--cost", "7", url="memory:")
        self.assertEqual(report["granted"] % 7, 0)
        self.assertEqual(report["granted"], 7 * report["admissions"])
        self.assertGreater(report["use"], 0.8)

    def test_a_process_that_is_killed_is_told(self):
        log = self.path("log")
        process = self.start("--limit", "1000/s", "--processes", "3", "--duration", "2s", "--log", log)
        self.wait_for(lambda: os.path.exists(log) and len([n for n in os.listdir(log) if n.endswith(".ring")]) == 3)
        victim = self.children(process)[0]
        os.kill(victim, signal.SIGKILL)
        report, err = self.finish(process)
        self.assertIn(f"(pid {victim}): killed by signal 9", err)
        self.assertEqual([p["pid"] for p in report["processes"] if p["trouble"] == "killed by signal 9"], [victim])
        self.assertTrue(report["held"])

    def test_an_interrupt_ends_it_with_a_report(self):
        log = self.path("log")
        process = self.start("--limit", "1000/s", "--processes", "2", "--duration", "1h", "--log", log)
        self.wait_for(lambda: os.path.exists(log) and len([n for n in os.listdir(log) if n.endswith(".ring")]) == 2)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        report, _ = self.finish(process, expect=130)
        self.assertFalse(report["complete"])
        self.assertLess(report["length_ns"], 60 * 10**9)

    def test_an_interrupt_before_the_beginning(self):
        process = self.start("--limit", "1000/s", "--processes", "2", "--ttl", "1h")
        self.wait_for(lambda: len(self.children(process)) == 2)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        report, err = self.finish(process, expect=130)
        self.assertEqual((report["granted"], report["use"], err), (0, 0, ""))

    def test_workers_end_with_their_parent(self):
        process = self.start("--limit", "1000/s", "--processes", "2", "--duration", "1h", "--log", self.path("log"))
        self.wait_for(lambda: len(self.children(process)) == 2)
        workers = self.children(process)
        process.kill()
        self.wait_for(lambda: not any(is_running(pid) for pid in workers))

    def test_a_store_that_can_not_be_opened(self):
        with open(self.path("other"), "w", encoding="ascii") as file:
            file.write("somebody's\n")
        report, err = self.finish(self.start("--limit", "10/s", "--processes", "2", url="file:" + self.path("other")), expect=1)
        self.assertIn("no file of this program", err)
        self.assertEqual(report["granted"], 0)
        self.assertIn("no file of this program", report["processes"][0]["trouble"])

    def test_nothing_is_left_behind(self):
        environment = dict(command.environment(), TMPDIR=self.path("tmp"))
        os.mkdir(self.path("tmp"))
        subprocess.run(self.command("--limit", "100/s", "--processes", "2"), env=environment, check=True, capture_output=True)
        self.assertEqual(os.listdir(self.path("tmp")), [])


if __name__ == "__main__":
    command.main()

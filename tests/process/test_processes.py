"""Workers and faults, from outside: what the harness says can be believed before any backend is judged with it.

usage: test_processes.py BIN
"""
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import rings

BIN = sys.argv[1]
RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run.py")
PATIENCE_S = 60

CLOCKS = """
import ctypes, json, sys, time
libc = ctypes.CDLL(None)
class Pair(ctypes.Structure):
    _fields_ = [("s", ctypes.c_long), ("part", ctypes.c_long)]
def wall():
    day, ns = Pair(), Pair()
    libc.gettimeofday(ctypes.byref(day), None)
    libc.timespec_get(ctypes.byref(ns), 1)
    return [time.time(), day.s + day.part / 1e6, libc.time(None), ns.s + ns.part / 1e9, time.clock_gettime(5)]
def others():
    return [time.clock_gettime(clock) for clock in (1, 4, 6, 7)]
for line in sys.stdin:
    print(json.dumps([wall(), others()]), flush=True)
"""


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        time.sleep(0.01)


class Temporary(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name

    def path(self, name):
        return os.path.join(self.directory, name)


class Skew(Temporary):
    def test_the_wall_clock_is_shifted_and_no_other(self):
        path = self.path("skew")
        with open(path, "wb") as file:
            file.write(bytes(8))
        environment = dict(os.environ, LD_PRELOAD=os.path.join(BIN, "skew.so"), FLOWCTL_SKEW_FILE=path)
        with subprocess.Popen([sys.executable, "-c", CLOCKS], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as process:
            for seconds in (0, 3600, -3600, 1, -1, 0.25):
                with open(path, "r+b") as file:
                    file.write(struct.pack("=q", int(seconds * 10**9)))
                before = time.time(), [time.clock_gettime(clock) for clock in (1, 4, 6, 7)]
                process.stdin.write("\n")
                process.stdin.flush()
                wall, others = json.loads(process.stdout.readline())
                after = time.time(), [time.clock_gettime(clock) for clock in (1, 4, 6, 7)]
                # time() has seconds, the coarse clock the last tick; CLOCK_TAI is not shifted apart from it.
                for clock, shown in enumerate(wall):
                    slack = (0.001, 0.001, 1, 0.001, 0.02)[clock]
                    self.assertTrue(before[0] + seconds - slack <= shown <= after[0] + seconds + 0.001,
                                    (clock, seconds, before[0], shown, after[0]))
                for first, shown, last in zip(before[1], others, after[1]):
                    self.assertTrue(first <= shown <= last, (seconds, first, shown, last))
            process.stdin.close()

    def test_without_a_file_nothing_is_shifted(self):
        environment = dict(os.environ, LD_PRELOAD=os.path.join(BIN, "skew.so"), FLOWCTL_SKEW_FILE=self.path("none"))
        shown = subprocess.run([sys.executable, "-c", "import time; print(time.time())"], env=environment, capture_output=True,
                               check=True, text=True)
        self.assertLess(abs(float(shown.stdout) - time.time()), PATIENCE_S)


class Worker(Temporary):
    def start(self, *options, **more):
        command = [os.path.join(BIN, "worker"), "--log", self.directory, "--rate", "1000/s", "--burst", "100", *options]
        worker = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **more)
        self.addCleanup(self.stop, worker)
        return worker

    @staticmethod
    def stop(worker):
        if worker.poll() is None:
            worker.kill()
        worker.wait(PATIENCE_S)
        worker.stderr.close()

    def finish(self, process, expect=0):
        err = process.communicate(timeout=PATIENCE_S)[1]
        self.assertEqual(process.returncode, expect, err)
        return err

    def check(self, expect, rate=1000, burst=100):
        done = subprocess.run([os.path.join(BIN, "checker"), str(rate), str(10**9), str(burst), self.directory],
                              capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout

    def test_one_worker_keeps_its_limit(self):
        self.finish(self.start("--name", "a", "--duration", "700ms", "--verb", "mixed", "--costs", "5", "--seed", "1"))
        text = self.check(0)
        self.assertIn("1 files", text)
        (header, entries), = rings.read_all(self.directory)
        self.assertEqual(header["ended"], 1)
        self.assertGreater(header["refused"], 0)
        self.assertGreater(sum(permits for _, _, permits, _ in entries), 300)

    def test_local_buckets_of_several_processes_are_over_it(self):
        workers = [self.start("--name", f"w{i}", "--duration", "400ms", "--seed", str(i)) for i in range(3)]
        for worker in workers:
            self.finish(worker)
        self.assertIn("OVER THE LIMIT", self.check(1))
        self.check(0, 3000, 300)

    def test_a_forked_child_uses_a_local_limiter_and_is_found(self):
        self.finish(self.start("--name", "w", "--duration", "300ms", "--ask", "10/s", "--fork-after-init"))
        text = self.check(1)
        self.assertIn("FORKED CHILD w.fork1", text)

    def test_a_worker_forks_when_it_is_told_to(self):
        worker = self.start("--name", "w", "--duration", "60s")
        wait_until(lambda: os.path.exists(self.path("w.ring")) and rings.read(self.path("w.ring"))[0]["count"] > 0)
        worker.send_signal(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(self.path("w.fork1.ring")))
        worker.terminate()
        self.finish(worker)
        self.assertEqual(rings.read(self.path("w.fork1.ring"))[0]["ended"], 1)

    def test_a_killed_worker_leaves_what_it_was_admitted(self):
        worker = self.start("--name", "w", "--duration", "60s")
        wait_until(lambda: os.path.exists(self.path("w.ring")) and rings.read(self.path("w.ring"))[0]["count"] > 50)
        worker.kill()
        self.finish(worker, expect=-signal.SIGKILL)
        self.assertEqual(rings.read(self.path("w.ring"))[0]["ended"], 0)
        self.check(0)

    def test_on_a_full_disk_a_worker_stops_admitting(self):
        """Room for one chunk of 32768 entries: what is admitted is recorded, then nothing is admitted."""
        room = rings.HEADER + 32768 * rings.ENTRY.size + 1000
        worker = self.start("--name", "w", "--rate", "1M/s", "--burst", "1M", "--ask", "1M/s", "--duration", "60s",
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)))
        self.assertIn("no room", self.finish(worker, expect=4))
        header, entries = rings.read(self.path("w.ring"))
        self.assertEqual((header["ended"], header["count"]), (2, 32768))
        self.assertEqual(sum(permits for _, _, permits, _ in entries), 32768)
        self.assertIn("1 workers stopped admitting because the disk was full", self.check(0, 10**6, 10**6))

    def test_without_any_room_it_does_not_begin(self):
        worker = self.start("--name", "w", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
        self.finish(worker, expect=2)
        self.assertEqual(os.listdir(self.directory), [])

    def share(self, name, *options):
        return self.start("--name", name, "--backend", "file:" + self.path("store"), "--ttl", "100ms", "--duration", "1s", *options)

    def test_a_limit_that_is_shared_holds(self):
        workers = [self.share(f"w{i}", "--seed", str(i), *more) for i, more in enumerate(
            ((), ("--fork-after-init",), ("--fault-rates", "drop=100000,duplicate=100000,delay=200000,fail=50000,max-delay=20ms")))]
        for worker in workers:
            self.finish(worker)
        self.assertIn("4 files", self.check(0))
        counts = {header["name"]: header["count"] for header, _ in rings.read_all(self.directory)}
        self.assertEqual(counts.pop("w1.fork1"), 0)
        self.assertTrue(all(counts.values()), counts)

    def test_two_shared_limits_taken_for_one_are_over_it(self):
        for worker in [self.share(f"w{id}", "--id", id) for id in ("a", "b")]:
            self.finish(worker)
        self.assertIn("OVER THE LIMIT", self.check(1))

    def test_wrong_options(self):
        for options in (["--name", "w", "--demand", "odd"], ["--name", "w", "--rate", "fast"], ["--name", "w", "--costs", "0"],
                        ["--name", "w", "--backend", "nothing:"], ["--name", "w", "--fault-rates", "drop"],
                        ["--name", "w", "--fault-rates", "drop=2000000"], ["--name", "w", "--fault-rates", "odd=1"], ["--name", "w", "rest"], [], ["--name", "a/b"]):
            self.assertNotEqual(self.finish(self.start(*options), expect=2), "", options)
            for name in os.listdir(self.directory):
                os.unlink(self.path(name))


class Faults(Temporary):
    def start(self, *options):
        directory = self.path("run")
        command = [sys.executable, "-B", RUN, BIN, "--directory", directory, *options]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.addCleanup(self.stop, run)
        return run

    @staticmethod
    def stop(run):
        """It ends what it has started; after a good test it has ended long ago."""
        if run.poll() is None:
            run.terminate()
        run.wait(PATIENCE_S)
        run.stdout.close()

    def run_to_the_end(self, expect, *options):
        run = self.start(*options)
        text = run.communicate(timeout=PATIENCE_S)[0]
        self.assertEqual(run.returncode, expect, text)
        with open(self.path("run/faults")) as faults:
            return text, faults.read()

    def test_a_limit_that_is_divided_holds_under_all_faults_but_forks(self):
        text, faults = self.run_to_the_end(0, "--divide", "--seconds", "4", "--processes", "3", "--every", "0.1", "--quiet", "0.5",
                                           "--longest-stop", "0.5", "--faults", "kill,leave,stop,cpu,skew", "--min-use", "0.05")
        for fault in ("begin", "kill", "stop", "continue", "skew", "cpu", "end", "# seed"):
            self.assertIn(fault, faults + text)

    def test_local_buckets_are_found_over_the_limit(self):
        text, _ = self.run_to_the_end(1, "--seconds", "2", "--processes", "3", "--faults", "fork", "--every", "0.1", "--seed", "7",
                                      "--quiet", "0.5")
        self.assertIn("OVER THE LIMIT", text)
        self.assertIn("FORKED CHILD", text)
        self.assertIn("# seed 7", text)

    def test_workers_that_end_by_themselves_are_told(self):
        text, _ = self.run_to_the_end(4, "--seconds", "1", "--processes", "1", "--faults", "none", "--backend", "nothing:")
        self.assertIn("ended with status 2", text)

    def test_faults_need_what_they_are_done_to(self):
        for options in (["--faults", "store"], ["--faults", "wipe"], ["--faults", "odd"], ["--faults", "all,wipe", "--backend", "memory:"],
                        ["--faults", "flush"], ["--faults", "servers", "--backend", "file:"], ["--faults", "two-masters,restore", "--backend", "redis:"]):
            run = self.start("--seconds", "1", *options)
            self.assertIn("--faults", run.communicate(timeout=PATIENCE_S)[0])
            self.assertEqual(run.returncode, 2, options)
            self.assertFalse(os.path.exists(self.path("run")))

    def test_an_interrupt_ends_what_was_started(self):
        run = self.start("--seconds", "60", "--processes", "3", "--faults", "stop,cpu", "--every", "0.05", "--longest-stop", "60")
        faults = self.path("run/faults")

        def begun():
            if not os.path.exists(faults):
                return False
            with open(faults) as file:
                text = file.read()
            return " stop w" in text and " cpu " in text
        wait_until(begun)
        with open(faults) as file:
            pids = [int(line.split()[-1]) for line in file if " pid " in line]
        self.assertGreaterEqual(len(pids), 3)
        run.send_signal(signal.SIGINT)
        text = run.communicate(timeout=PATIENCE_S)[0]
        self.assertEqual(run.returncode, 130, text)
        for pid in pids:
            self.assertFalse(os.path.exists(f"/proc/{pid}"), pid)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)

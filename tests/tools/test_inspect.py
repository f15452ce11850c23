"""flowctl inspect: what it shows is what processes hold, at a store that they use meanwhile."""
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

import command
from command import run

FIELDS = {"id", "rate", "burst", "ttl_ns", "version", "level", "out", "granted", "used", "back", "expired", "quarantine_ns", "clk_ns",
          "members"}
OF_MEMBERS = {"name", "session", "seq", "granted", "used", "back", "out", "expires_in_ns", "active"}


class Inspect(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = os.path.join(temporary.name, "store")
        self.url = "file:" + self.path

    def hammer(self, id, *options):
        process = subprocess.Popen([command.COMMAND, "hammer", "--limit", "600/min", "--burst", "30", "--ttl", "100ms", *options, self.url, id],
                                   stdout=subprocess.DEVNULL, preexec_fn=command.default_signals)
        self.addCleanup(self.stop, process)
        return process

    @staticmethod
    def stop(process):
        process.send_signal(signal.SIGINT)
        process.wait(60)

    def inspect(self, *arguments):
        status, out, err = run("inspect", "--output", "json", self.url, *arguments)
        self.assertEqual((status, err), (0, ""))
        report = json.loads(out)
        self.assertEqual(report["backend"], self.url)
        return report["limits"]

    def wait_for(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def members(self, id):
        return sum(len(limit["members"]) for limit in (self.inspect() if os.path.exists(self.path) else []) if limit["id"] == id)

    def test_limits_in_use(self):
        self.hammer("b", "--processes", "3", "--duration", "1h")
        self.hammer("a", "--processes", "1", "--duration", "1h")
        self.wait_for(lambda: self.members("a") == 1 and self.members("b") == 3)
        limits = self.inspect()
        self.assertEqual([limit["id"] for limit in limits], ["a", "b"])
        for limit in limits:
            self.assertEqual(set(limit), FIELDS)
        limit, = self.inspect("b")
        self.assertEqual((limit["rate"], limit["burst"], limit["ttl_ns"], limit["version"]),
                         ({"permits": 1, "period_ns": 10**8}, 30, 10**8, 0))
        self.assertEqual(limit["granted"], limit["used"] + limit["back"] + limit["expired"] + limit["out"])
        self.assertLessEqual(limit["level"] + limit["out"], 30)
        self.assertEqual(len({member["session"] for member in limit["members"]}), 3)
        self.assertEqual([member["name"] for member in limit["members"]], sorted(member["name"] for member in limit["members"]))
        for member in limit["members"]:
            self.assertEqual(set(member), OF_MEMBERS)
            self.assertEqual(member["out"], member["granted"] - member["used"] - member["back"])
            self.assertGreater(member["seq"], 0)
        self.assertEqual(sum(member["out"] for member in limit["members"]), limit["out"])

    def test_quarantine_ends(self):
        self.hammer("q", "--processes", "1", "--duration", "1h", "--ttl", "60s")
        self.wait_for(lambda: self.members("q") == 1)
        limit, = self.inspect("q")
        self.assertGreater(limit["quarantine_ns"], 0)
        self.assertEqual((limit["level"], limit["out"]), (0, 0))
        self.assertRegex(run("inspect", self.url)[1], r"(?m)^q .* 1  1 min")

    def test_tables(self):
        self.hammer("short", "--duration", "100ms", "--processes", "2").wait(60)
        status, out, err = run("inspect", self.url)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"(?m)^id +rate +burst +ttl +version +level +out +members +quarantine$")
        self.assertRegex(out, r"(?m)^short +10/s +30 +100 ms +0 +\d+ +0 +0  -$")
        self.assertIn("(none)", run("inspect", self.url, "short")[1])

    def test_nothing_is_changed_by_looking(self):
        self.hammer("still", "--duration", "100ms", "--processes", "1").wait(60)
        with open(self.path, "rb") as file:
            before = file.read()
        self.inspect()
        self.inspect("still")
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_what_is_not_there(self):
        status, out, err = run("inspect", self.url)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("No such file", err)
        self.assertFalse(os.path.exists(self.path), "looking must not make a store")
        self.hammer("there", "--duration", "100ms", "--processes", "1").wait(60)
        status, out, err = run("inspect", self.url, "gone")
        self.assertEqual((status, out), (1, ""))
        self.assertIn('there is no limit "gone"', err)
        self.assertEqual(run("inspect", "memory:"), (0, "no limits\n", ""))
        self.assertEqual(json.loads(run("inspect", "--output", "json", "memory:")[1]), {"backend": "memory:", "limits": []})

    def test_the_other_way_to_write_a_path(self):
        self.hammer("there", "--duration", "100ms", "--processes", "1").wait(60)
        self.assertIn("there", run("inspect", "file://" + self.path)[1])

    def test_watch(self):
        self.hammer("w", "--duration", "100ms", "--processes", "1").wait(60)
        with subprocess.Popen([command.COMMAND, "inspect", "--watch=50ms", "--output", "json", self.url], stdout=subprocess.PIPE,
                              text=True, preexec_fn=command.default_signals) as process:
            for _ in range(3):
                self.assertEqual(json.loads(process.stdout.readline())["limits"][0]["id"], "w")
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            self.assertEqual(process.wait(60), 0)


if __name__ == "__main__":
    command.main()

"""The man page is well formed, and knows what the command knows."""
import json
import re
import shutil
import subprocess
import unittest

import command
from command import line, run

COMMANDS = ("replay", "inspect", "hammer")
PAGE = command.ARGUMENTS[0]


class ManPage(unittest.TestCase):
    def setUp(self):
        with open(PAGE, encoding="utf-8") as file:
            self.source = file.read()

    def test_lint(self):
        mandoc = shutil.which("mandoc")
        self.assertIsNotNone(mandoc, "mandoc belongs to the test set-up")
        done = subprocess.run([mandoc, "-T", "lint", "-W", "warning", PAGE], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_options_are_those_of_the_help(self):
        in_help = set(re.findall(r"--[a-z][a-z-]*", run("help")[1] + "".join(run("help", name)[1] for name in COMMANDS)))
        in_page = {"-" + name for name in re.findall(r"\bFl (-[a-z][a-z-]*)", self.source)}
        self.assertEqual(in_help, in_page)
        self.assertGreater(len(in_page), 8)

    def test_every_field_is_described(self):
        reports = {"OUTPUT FIELDS": run("replay", "--limit", "1/s", "--output", "json", "-", data=line(1)),
                   "FIELDS OF INSPECT": run("inspect", "--output", "json", "memory:"),
                   "FIELDS OF HAMMER": run("hammer", "--output", "json", "--limit", "1/s", "--processes", "1", "--duration", "1ms",
                                           "memory:", "x")}
        for section, (status, out, err) in reports.items():
            self.assertEqual((status, err), (0, ""))
            text, = re.findall(rf"^\.Sh {section}\n(.*?)^\.Sh ", self.source, re.M | re.S)
            described = re.findall(r"^\.It Va (\w+)(?: ,)?(?: Va (\w+))?(?: ,)?(?: Va (\w+))?", text, re.M)
            self.assertEqual({name for names in described for name in names if name}, set(json.loads(out)), section)


if __name__ == "__main__":
    command.main()

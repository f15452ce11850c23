"""Wrong command lines: exit status 2, the option, the value, the remedy, and where help is."""
import unittest

import command
from command import line, run

COMMANDS = ("replay", "inspect", "hammer")
GOOD = ("replay", "--limit", "1/s", "-")


class Usage(unittest.TestCase):
    def assert_wrong(self, arguments, *said, help="replay"):
        status, out, err = run(*arguments)
        self.assertEqual((status, out), (2, ""), arguments)
        for text in said:
            self.assertIn(text, err)
        self.assertTrue(err.endswith(f"see 'flowctl {help} --help'\n"), err)

    def test_values(self):
        for option, value, *said in (
            ("--limit", "600", '"600"', "600/min"), ("--limit", "600/mn", "a period is one of", "    600/mn\n        ^\n"),
            ("--limit", "x/s", "    x/s\n    ^\n"), ("--limit", "0/s", "must be more than 0"), ("--limit", "-1/s", "negative"),
            ("--limit", "", "a number belongs here"), ("--limit", "1/20y", "the nearest that can be represented"),
            ("--limit", "20G/s", "10^10 per second"), ("--burst", "0", "give at least 1"), ("--burst", "-5", "negative"),
            ("--burst", "1.5", "not a whole number"), ("--burst", "4E", "a multiple is"),
            ("--cost", "0", "give at least 1"), ("--cost", "byte", '"byte"', "neither bytes nor a number", "give --time"), ("--cost", "5x", "    5x\n     ^\n"),
            ("--cost", "-5", "negative"), ("--cost", "", "a number belongs here"), ("--time-unit", "m", '"m"', "auto, s, ms, us, ns"), ("--mode", "drop", '"drop"', "deny nor delay"),
            ("--format", "nginx", '"nginx"', "auto, combined, json, csv, regex"), ("--sort-window", "60", "    60\n      ^\n"),
            ("--sort-window", "-1s", "negative"), ("--output", "xml", '"xml"', "table, json, csv"),
        ):
            self.assert_wrong((*GOOD[:3], option, value, "-"), option, *said)

    def test_options(self):
        self.assert_wrong(("replay", "-"), "--limit is missing", "--limit 600/min")
        self.assert_wrong(GOOD[:3], "FILE is missing", "-")
        self.assert_wrong((*GOOD, "more"), '"more"', "only one FILE", "cat")
        self.assert_wrong(("replay", "--lmit", "1/s", "-"), "--lmit")
        self.assert_wrong(("replay", "-q", "-"), "-q")
        self.assert_wrong(("replay", "--limit"), "--limit", "needs a value")
        self.assert_wrong((*GOOD, "--help=yes"), "--help=yes")
        self.assert_wrong((*GOOD, "--burst"), "--burst", "needs a value")

    def test_options_of_formats(self):
        regex = ("--format", "regex", "--pattern")
        for arguments, *said in (
            (("--format", "combined", "--time", "t"), "--time: the format combined", "leave --time out"),
            (("--format", "combined", "--time-unit", "s"), "--time-unit: the format combined", "leave --time-unit out"),
            (("--format", "combined", "--cost", "size"), '--cost: "size"', "neither bytes nor a number"),
            (("--format", "regex"), "--pattern is missing", "(?<time>"), ((*regex, "(?<time>.)", "--time", "t"), "--time: the format regex"),
            (("--pattern", "(?<time>.)"), "--pattern: is for --format regex only"),
            (("--format", "json", "--pattern", "(?<time>.)"), "--pattern: is for --format regex only"),
            ((*regex, "(.)"), "no group for the time", "(?<time>...)"), ((*regex, "(?<time>.)", "--cost", "size"), "(?<size>...)"),
            ((*regex, "(?<time>[a-)"), "--pattern:", "    (?<time>[a-)\n" + " " * 15 + "^\n"), ((*regex, "a(b"), "    a(b\n       ^\n"),
            ((*regex, "*"), "    *\n    ^\n"), (("--no-header",), "--no-header: is for --format csv only"),
            (("--format", "json", "--no-header"), "--no-header: is for --format csv only"),
            (("--format", "csv"), "--time is missing", "the name of the field"),
            (("--format", "csv", "--no-header"), "--time is missing", "the number of the column"),
            (("--format", "csv", "--no-header", "--time", "t"), '--time: "t"', "number of a column, from 1"),
            (("--format", "csv", "--no-header", "--time", "0"), '--time: "0"', "from 1"),
            (("--format", "csv", "--no-header", "--time", "9" * 30), "--time:", "from 1"),
            (("--format", "csv", "--no-header", "--time", "1", "--cost", "size"), '--cost: "size"', "column:3"),
            (("--format", "csv", "--no-header", "--time", "1", "--cost", "column:0"), '--cost: "column:0"', "column:3"),
            (("--time", ""), '--time: ""'),
        ):
            self.assert_wrong((*GOOD[:3], *arguments, "-"), *said)
        self.assert_wrong(("replay", "--limit", "1kB/s", *regex, "(?<time>.)", "-"), "no group for the cost", "(?<bytes>...)")

    def test_options_of_the_shadow(self):
        for arguments, *said in (
            (("--shadow-burst", "5"), "--shadow-burst", "there is none"), (("--shadow", "5"), "--shadow: ", "    5\n     ^\n"),
            (("--shadow", "5/s", "--shadow-burst", "0"), "--shadow-burst: 0", "give at least 1"),
            (("--shadow", "5/s", "--shadow-burst", "x"), "--shadow-burst: ", "    x\n    ^\n"),
            (("--shadow", "5/s", "--shadow-burst", str(2 ** 62)), "--shadow and --shadow-burst: ", str(2 ** 59)),
            (("--shadow", "5kB/s"), "--shadow: one of the two limits is in bytes", "--cost"),
        ):
            self.assert_wrong((*GOOD[:3], *arguments, "-"), *said)
        self.assertEqual(run("replay", "--limit", "1/s", "--shadow", "5kB/s", "--cost", "bytes", "-", data=line(1))[0], 0)

    def test_huge_values(self):
        self.assert_wrong((*GOOD[:3], "--burst", "9" * 30, "-"), "64 bits")
        self.assert_wrong((*GOOD[:3], "--burst", str(2 ** 62), "-"), "the nearest that can be represented is", str(2 ** 59))
        self.assert_wrong(("replay", "--limit", "9" * 300 + "/s", "-"), "--limit")
        self.assert_wrong(("replay", "--limit", "1/\x1b[31m", "-"), "--limit")
        self.assertNotIn("\x1b", run("replay", "--limit", "1/\x1b[31m", "-")[2])
        self.assertNotIn("\x1b", run("replay", "--limit", "1/s", "--mode", "\x1b[31m", "-")[2])

    def test_backends(self):
        for command in (("inspect",), ("hammer", "--limit", "1/s", "--processes", "1")):
            for arguments, *said in (
                ((), "BACKEND-URL is missing", "memory:, file:PATH"), (("consul://host", "x"), '"consul://host"', "there is memory:, file:PATH"),
                (("file:", "x"), "has no path"), (("file://host/path", "x"), "names a host", "file:///"), (("memory:x", "x"), "nothing behind it"),
                (("memory:", "a", "b"), '"b"', "only one"), (("memory:", "x" * 128), "127"), (("memory:", ""), "id"),
                (("--output", "csv", "memory:", "x"), '--output: "csv"', "neither table nor json"), (("--nonsense", "memory:"), "--nonsense"),
            ):
                self.assert_wrong((*command, *arguments), *said, help=command[0])
        self.assert_wrong(("inspect", "--watch=0", "memory:"), "--watch: 0", "--watch=1s", help="inspect")
        self.assert_wrong(("inspect", "--watch=5", "memory:"), "    5\n     ^\n", help="inspect")

    def test_options_of_hammer(self):
        for arguments, *said in (
            ((), "--limit is missing"), (("--limit", "5"), "    5\n     ^\n"), (("--limit", "9/s", "--burst", "0"), "give at least 1"),
            (("--limit", "9/s", "--processes", "0"), "--processes: 0"), (("--limit", "9/s", "--processes", "1000"), "at most 256"),
            (("--limit", "9/s", "--duration", "0"), "--duration: 0"), (("--limit", "9/s", "--duration", "5"), "    5\n     ^\n"),
            (("--limit", "9/s", "--ttl", "1ms"), "ttl_ns is 1000000", "10 ms"), (("--limit", "9/s", "--refresh", "1s"), "a quarter of ttl_ns"),
            (("--limit", "9/s", "--away", "shut"), '--away: "shut"', "closed, open, local-share, reuse-last"),
            (("--limit", "9/s", "--cost", "10"), "--cost: 10", "more than the burst"),
        ):
            self.assert_wrong(("hammer", "--processes", "1", *arguments, "memory:", "x"), *said, help="hammer")
        self.assert_wrong(("hammer", "--limit", "9/s", "memory:", "x"), "not shared by several processes", "--processes 1", help="hammer")
        self.assert_wrong(("hammer", "--limit", "9/s", "memory:"), "ID is missing", help="hammer")

    def test_commands(self):
        for arguments in (("nonsense",), ("help", "nonsense"), ("--nonsense",)):
            status, out, err = run(*arguments)
            self.assertEqual((status, out), (2, ""))
            self.assertIn(f'there is no command "{arguments[-1]}"', err)
            self.assertIn("  replay ", err)
        status, out, err = run()
        self.assertEqual((status, out), (2, ""))
        self.assertIn("usage: flowctl COMMAND", err)
        self.assertEqual(run("help", "replay", "more")[0], 2)

    def test_help(self):
        for arguments in (("replay", "--help"), ("help", "replay"), ("replay", "-h"), ("replay", "--limit", "x", "--help"),
                          ("inspect", "--help"), ("help", "hammer"), ("hammer", "-h")):
            status, out, err = run(*arguments)
            self.assertEqual((status, err), (0, ""))
            self.assertIn("examples:", out)
        for arguments in (("help",), ("--help",)):
            self.assertEqual(run(*arguments)[0], 0)
            for name in COMMANDS:
                self.assertIn(f"  {name} ", run(*arguments)[1])
        self.assertRegex(run("--version")[1], r"^flowctl \d+\.\d+\.\d+\n$")

    def test_help_fits_a_terminal(self):
        for name in COMMANDS:
            self.assertLessEqual(max(map(len, run("help", name)[1].split("\n"))), 100)

    def test_bytes_against_a_count(self):
        status, _, err = run("replay", "--limit", "5MB/s", "--cost", "1", "-", data=line(1))
        self.assertEqual(status, 0)
        self.assertIn("note: the limit is in bytes, but --cost", err)
        self.assertEqual(run("replay", "--limit", "5M/s", "--cost", "bytes", "-", data=line(1))[::2], (0, ""))


if __name__ == "__main__":
    command.main()

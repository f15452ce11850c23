"""The three forms of a report say the same."""
import csv
import io
import json
import os
import tempfile
import unittest

import command
from command import line, run

SAMPLE = command.ARGUMENTS[0]
REQUIRED = {"file", "limit", "rate", "burst", "mode", "cost", "lines", "requests", "allowed", "allowed_permits", "denied", "delayed",
            "never", "late", "broken", "retry_after_max_ns", "delay_max_ns", "first_time", "last_time", "busiest_minute",
            "smallest_burst", "exact", "complete"}


def flatten(report):
    flat = {}
    for name, value in report.items():
        if isinstance(value, dict):
            flat.update({f"{name}_{inner}": v for inner, v in value.items()})
        else:
            flat[name] = value
    return flat


def as_csv(value):
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


class Forms(unittest.TestCase):
    def both(self, *arguments, data=b""):
        status, text, _ = run("replay", *arguments, "--output", "json", data=data)
        self.assertEqual(status, 0)
        rows = list(csv.reader(io.StringIO(run("replay", *arguments, "--output", "csv", data=data)[1], newline="")))
        return json.loads(text), rows

    def test_csv_has_the_values_of_json(self):
        for arguments, data in ((("--limit", "60/min", SAMPLE), b""), (("--limit", "7/13s", "--mode", "delay", SAMPLE), b""),
                                (("--limit", "5kB/s", SAMPLE), b""), (("--limit", "1/s", "-"), b""),
                                (("--limit", "1/s", "--cost", "3", "-"), line(3))):
            report, rows = self.both(*arguments, data=data)
            self.assertEqual(len(rows), 2)
            self.assertEqual(dict(zip(*rows)), {name: as_csv(value) for name, value in flatten(report).items()})
            self.assertEqual(len(rows[0]), len(set(rows[0])))
            self.assertLessEqual(REQUIRED, set(report))

    def test_csv_quotes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'a,"b".log')
            with open(path, "wb") as file:
                file.write(line(1))
            _, rows = self.both("--limit", "1/s", path)
            self.assertEqual(rows[1][0], path)

    def test_table_has_the_numbers_of_json(self):
        arguments = ("replay", "--limit", "60/min", "--burst", "30", SAMPLE)
        report, table = json.loads(run(*arguments, "--output", "json")[1]), run(*arguments)[1]
        for name in ("requests", "allowed", "denied", "smallest_burst"):
            self.assertRegex(table, rf"\b{report[name]}\b", name)
        self.assertIn(report["busiest_minute"]["start"], table)
        self.assertIn(report["first_time"], table)

    def test_table_is_ascii_unless_the_locale_is_utf8(self):
        arguments = ("replay", "--limit", "60/min", "--burst", "30", SAMPLE)
        self.assertTrue(run(*arguments)[1].isascii())
        self.assertIn("#", run(*arguments)[1])
        self.assertIn("\u2588", run(*arguments, locale="C.UTF-8")[1])

    def test_lines_of_the_table_fit_a_terminal(self):
        for mode in ("deny", "delay"):
            table = run("replay", "--limit", "60/min", "--burst", "30", "--mode", mode, SAMPLE)[1]
            rows = table.split("requests per")[1].split("\n")
            self.assertLessEqual(len(rows), 45)
            self.assertLessEqual(max(len(text) for text in rows), 80)

    def test_rate_is_exact(self):
        report, _ = self.both("--limit", "600/min", "-", data=line(1))
        self.assertEqual(report["rate"], {"permits": 1, "period_ns": 100_000_000})
        self.assertEqual((report["burst"], report["limit"], report["cost"]), (600, "600/min", 1))
        report, _ = self.both("--limit", "5MB/s", "-", data=line(1))
        self.assertEqual((report["cost"], report["burst"]), ("bytes", 5_000_000))


if __name__ == "__main__":
    command.main()

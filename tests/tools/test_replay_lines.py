"""Lines that are broken, and lines that only look it."""
import unittest

import command
from command import line, replay, run

GOOD = line(3)
LIMIT = ("--limit", "1/s")


def broken(data, *arguments):
    """Replays one good line and `data`; returns what was said about it, and the report."""
    status, out, err = run("replay", *LIMIT, "--output", "csv", *arguments, "-", data=GOOD + data)
    assert status == 0, err
    names, values = out.split("\r\n")[:2]
    return err, dict(zip(names.split(","), values.split(",")))


class Lines(unittest.TestCase):
    def assert_broken(self, data, reason):
        err, report = broken(data)
        self.assertIn(f"line 2{'' if reason.startswith(',') else ': '}{reason}", err)
        self.assertEqual((report["lines"], report["broken"], report["requests"]), ("2", "1", "1"), data[:80])

    def test_each_kind_of_fault(self):
        for before, after, reason in (
            (b"200 100", b"20 100", ", column 62: a status of three digits"),
            (b"200 100", b"200 x", ", column 64: a size in bytes or -"),
            (b"200 100", b"200 18446744073709551616", ", column 64: the size does not fit in 64 bits"),
            (b"200 100", b"200 100x", ", column 67: a space belongs behind the size"),
            (b"200 100", b'200 100 "-"', ", column 71: a space and the agent"),
            (b"200 100", b'200 100 "-" "-" x', ", column 75: nothing belongs behind the agent"),
            (b'1.1" 200', b"1.1 200", ", column 43: the quote that opens here is not closed"),
            (b'1.1" 200', b'1.1\\" 200', ", column 43: the quote that opens here is not closed"),
            (b"17/May", b"32/May", ", column 15: the month has no such day"),
            (b"17/May", b"00/May", ", column 15: the month has no such day"),
            (b"17/May", b"7/May", ", column 16: a time is dd/Mon/yyyy"),
            (b"17/May/2015", b"29/Feb/2015", ", column 15: the month has no such day"),
            (b"17/May", b"17/Mai", ", column 18: a month belongs here"),
            (b"2015", b"1969", ", column 22: the year is not in 1970 to 2500"),
            (b"2015", b"2501", ", column 22: the year is not in 1970 to 2500"),
            (b"10:00:03", b"24:00:03", ", column 27: the day has no such time"),
            (b"10:00:03", b"10:60:03", ", column 27: the day has no such time"),
            (b"10:00:03", b"10:00:61", ", column 27: the day has no such time"),
            (b"+0000", b"+2400", ", column 36: a time zone is"),
            (b"+0000", b"UTC", ", column 36: a time zone is"),
            (b"17/May/2015:10:00:03 +0000", b"01/Jan/1970:00:00:00 +0100", ", column 15: the time lies before 1970"),
            (b"+0000]", b"+0000", ", column 41: a closing bracket"),
            (b"10.0.0.1 - - ", b" - - ", ", column 1: a host"),
            (b"10.0.0.1 - - ", b"10.0.0.1 ", ", column 32: a user and a time"),
            (b"10.0.0.1", b"10.0\x07.0.1", ", column 5: a host"),
            (b"GET", b"G\0T", ", column 45: a NUL byte"),
            (b"10.0.0.1", b"\0\0\0\0", ", column 1: a NUL byte"),
        ):
            self.assertIn(before, GOOD)
            self.assert_broken(GOOD.replace(before, after), reason)

    def test_whole_lines(self):
        self.assert_broken(b"\n", "the line is empty")
        self.assert_broken(b"\r\n", "the line is empty")
        self.assert_broken(b" \n", ", column 1: a host")
        self.assert_broken(b"x" * (1 << 20) + b"y\n", "longer than 1 MiB")
        self.assert_broken(b"x" * (5 << 20), "longer than 1 MiB")
        self.assert_broken(b"\0" * (3 << 20) + b"\n", "longer than 1 MiB")

    def test_longest_line(self):
        """1 MiB is a line, with or without CR; the lines around it are not harmed."""
        for end in (b"\n", b"\r\n"):
            start, stop = b'h - - [17/May/2015:10:00:04 +0000] "', b'" 200 7'
            longest = start + b"a" * ((1 << 20) - len(start) - len(stop)) + stop
            report = replay(*LIMIT, "-", data=GOOD + longest + end + GOOD)
            self.assertEqual((report["requests"], report["broken"]), (3, 0))
            report = replay(*LIMIT, "-", data=GOOD + b"h" + longest + end + GOOD)
            self.assertEqual((report["requests"], report["broken"]), (2, 1))

    def test_readable_all_the_same(self):
        for before, after in (
            (b"200 100", b"200 -"), (b"200 100", b'200 100 "-" "agent"'), (b"200 100", b"000 18446744073709551615"),
            (b"GET / HTTP/1.1", rb"\x16\x03\"\\"), (b"GET / HTTP/1.1", b""), (b"GET / HTTP/1.1", b"\xff\xfe [x] \xc3"),
            (b"- - [", b"- John Doe ["), (b"- - [", b"- a[b] ["), (b"10.0.0.1", b"2001:db8::1"), (b"10.0.0.1", b"host.example"),
            (b"10:00:03", b"23:59:60"), (b"17/May/2015", b"29/Feb/2016"), (b"2015", b"2500"), (b"+0000", b"-1159"),
            (b"\n", b"\r\n"), (b"\n", b""),
        ):
            report = replay(*LIMIT, "-", data=GOOD.replace(before, after))
            self.assertEqual((report["requests"], report["broken"]), (1, 0), after)

    def test_time_zone_and_leap_second(self):
        report = replay(*LIMIT, "-", data=line(3).replace(b"10:00:03 +0000", b"23:59:60 -0130"))
        self.assertEqual(report["first_time"], "2015-05-18T01:30:00Z")

    def test_ten_are_shown_and_the_rest_counted(self):
        err, report = broken(b"x\n" * 25)
        self.assertEqual(err.count(": line "), 10)
        self.assertIn("15 more broken lines", err)
        self.assertEqual(report["broken"], "25")

    def test_nothing_readable_is_a_failure(self):
        status, out, err = run("replay", *LIMIT, "-", data=b"one\ntwo\n")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("none of 2 lines could be read; the first: line 1: ", err)

    def test_no_lines_are_no_failure(self):
        report = replay(*LIMIT, "-", data=b"")
        self.assertEqual((report["lines"], report["requests"], report["first_time"], report["smallest_burst"]), (0, 0, None, None))
        self.assertEqual(run("replay", *LIMIT, "-", data=b"")[0], 0)

    def test_late_lines(self):
        data = line(30) + line(100) + line(10) + line(95)
        report = replay("--limit", "1/h", "--burst", "10", "--sort-window", "20s", "-", data=data)
        self.assertEqual((report["late"], report["last_time"]), (1, "2015-05-17T10:01:40Z"))
        self.assertEqual(replay("--limit", "1/h", "--sort-window", "90s", "-", data=data)["late"], 0)

    def test_costs(self):
        data = line(1, "-") + line(1, "0") + line(2, "50") + line(3, "51") + line(4, "18446744073709551615")
        report = replay("--limit", "10/s", "--burst", "50", "--cost", "bytes", "-", data=data)
        self.assertEqual((report["allowed"], report["never"], report["denied"]), (3, 2, 0))
        self.assertEqual((report["never_cost_max"], report["smallest_burst"]), (2 ** 63 - 1, None))
        out = run("replay", "--limit", "10/s", "--burst", "50", "--cost", "bytes", "-", data=data[:-22])[1]
        self.assertIn("can NEVER pass: raise --burst to at least", out)

    def test_cost_of_nothing_passes_an_empty_bucket(self):
        data = line(1, "5") + line(1, "0") + line(1, "5")
        for mode, delayed in (("deny", 0), ("delay", 1)):
            report = replay("--limit", "1/h", "--burst", "5", "--cost", "bytes", "--mode", mode, "-", data=data)
            self.assertEqual((report["allowed"], report["delayed"]), (2 + delayed, delayed))

    def test_bookings_too_far_ahead(self):
        """The library books 2^59 units ahead: here, a unit is a permit."""
        report = replay("--limit", "10G/s", "--burst", "300000T", "--cost", "200000T", "--mode", "delay", "-",
                        data=b"".join(line(s) for s in range(9)))
        self.assertGreater(report["denied"], 0)
        self.assertEqual(report["allowed"] + report["denied"], 9)

    def test_inexact_limits_say_so(self):
        report = replay("--limit", "1/9y", "--burst", "1T", "-", data=GOOD)
        self.assertFalse(report["exact"])
        for mode, cost, exact in (("deny", "1k", True), ("delay", "1k", False), ("delay", "999", True)):
            report = replay("--limit", "1/s", "--burst", "1k", "--mode", mode, "--cost", cost, "-", data=GOOD * 2)
            self.assertTrue(report["exact"])
            report = replay("--limit", "997/7min", "--burst", "1k", "--mode", mode, "--cost", cost, "-", data=GOOD * 2)
            self.assertEqual(report["exact"], exact, (mode, cost))
        self.assertIn("too odd", run("replay", "--limit", "1/9y", "--burst", "1T", "-", data=GOOD)[1])

    def test_centuries(self):
        """Longer than the horizon of a bucket."""
        data = b"".join(GOOD.replace(b"2015", b"%d" % year) * 3 for year in range(1970, 2501))
        report = replay("--limit", "1/y", "--burst", "2", "-", data=data)
        self.assertEqual((report["requests"], report["first_time"], report["last_time"]),
                         (531 * 3, "1970-05-17T10:00:03Z", "2500-05-17T10:00:03Z"))
        self.assertEqual(report["allowed"] + report["denied"], 531 * 3)
        self.assertEqual(run("replay", "--limit", "1/y", "-", data=data)[0], 0)


if __name__ == "__main__":
    command.main()

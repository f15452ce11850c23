"""The same requests in every format are the same to a limit; and times of less than a second count, to the nanosecond."""
import csv
import io
import itertools
import json
import random
import unittest
from fractions import Fraction

import command
import model
from command import replay

NS = model.NS
SAMPLE = command.ARGUMENTS[0]
LOG, BROKEN = model.read_log(SAMPLE)
FORMAT_FIELDS = ("file", "format", "cost")  # what a report says of the format
PATTERN = r'\[(?<time>[^]]+)\] "(?:[^"\\]|\\.)*" \d{3} (?<size>\d+|-)(?: "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*")?$'


def decimal(time_ns, unit_ns):
    """A number of units, exactly, without zeros at its end."""
    whole, rest = divmod(time_ns, unit_ns)
    return f"{whole}." + f"{rest:0{len(str(unit_ns)) - 1}}".rstrip("0") if rest else str(whole)


def offset_date(time_ns, hours=2):
    return model.iso(time_ns + hours * 3600 * NS)[:-1] + f"+{hours:02}:00"


TIMES = {  # how a time can be written, and the unit it needs
    "rfc3339": (model.iso, "auto"), "space": (lambda t: model.iso(t).replace("T", " ")[:-1], "auto"), "offset": (offset_date, "auto"),
    "s": (lambda t: decimal(t, NS), "auto"), "ms": (lambda t: decimal(t, 10 ** 6), "auto"),
    "us": (lambda t: decimal(t, 1000), "auto"), "ns": (str, "auto"), "s_told": (lambda t: decimal(t, NS), "s"),
    "ns_told": (str, "ns"),
}


def as_json(events, write, number):
    def one(time, cost):
        text = write(time) if number else json.dumps(write(time))
        return f'{{"http": {{"time": {text}, "note": "a \\"b\\" {{"}}, "size": {cost}, "list": [1, {{"size": 2}}]}}\n'
    return "".join(one(*event) for event in events).encode()


def as_csv(events, write, header=True):
    out = io.StringIO()
    writer = csv.writer(out)
    if header:
        writer.writerow(["note", 'my "time"', "size"])
    writer.writerows(['a "quoted", note' if i % 3 else "plain", write(time), cost] for i, (time, cost) in enumerate(events))
    return out.getvalue().encode()


def as_text(events, write):
    return "".join(f"INFO at <{write(time)}> size={cost}\n" for time, cost in events).encode()


def forms(events, name):
    """Every format that can hold the events, as its options and data; costs are in the field "size"."""
    write, unit = TIMES[name]
    tell = () if unit == "auto" else ("--time-unit", unit)
    number = name not in ("rfc3339", "space", "offset")
    yield ("--format", "json", "--time", "http.time", *tell), as_json(events, write, False)
    if number:
        yield ("--time", "http.time", *tell), as_json(events, write, True)
    yield ("--format", "csv", "--time", 'my "time"', *tell), as_csv(events, write)
    yield ("--time", 'my "time"', *tell), as_csv(events, write)
    yield ("--format", "csv", "--no-header", "--time", "2", *tell), as_csv(events, write, False)
    yield ("--format", "regex", "--pattern", r"<(?<time>[^>]+)> size=(?<size>\d+)", *tell), as_text(events, write)


def cost_option(options):
    return "column:3" if "--no-header" in options else "size"


def lines_differ(options):
    """A header is a line that is no request."""
    return "csv" in options and "--no-header" not in options or options[0] == "--time" and "my" in options[1]


def without(report, *names):
    return {name: value for name, value in report.items() if name not in FORMAT_FIELDS + names}


class Formats(unittest.TestCase):
    def check(self, options, data, limit, combined):
        found = replay(*limit, *options, "-", data=data)
        skipped = ("lines", "broken")
        self.assertEqual(without(found, *skipped), without(combined, *skipped), options)
        self.assertEqual(found["broken"], 0, options)
        self.assertEqual(found["lines"], len(LOG) + bool(lines_differ(options)), options)

    def test_the_sample_in_every_format(self):
        for mode, burst in itertools.product(("deny", "delay"), ("7", "50")):
            limit = ("--limit", "7/13s", "--burst", burst, "--mode", mode, "--output", "json")
            combined = replay(*limit, SAMPLE)
            for name in TIMES:
                for options, data in forms(LOG, name):
                    self.check(options, data, limit, combined)

    def test_costs_from_fields(self):
        for mode in ("deny", "delay"):
            limit = ("--limit", "20kB/s", "--burst", "50k", "--mode", mode)
            combined = replay(*limit, SAMPLE)
            for options, data in forms(LOG, "rfc3339"):
                self.check((*options, "--cost", cost_option(options)), data, limit, combined)

    def test_a_pattern_over_the_sample_itself(self):
        """Line by line the same, the broken one too."""
        limit = ("--limit", "20kB/s", "--burst", "5M")
        found = replay(*limit, "--format", "regex", "--pattern", PATTERN, "--cost", "size", SAMPLE)
        self.assertEqual(without(found), without(replay(*limit, SAMPLE)))
        self.assertEqual(found["format"], "regex")


def fine_log(seed, count=700):
    """Sub-second traffic in clumps, a little out of order, at any nanosecond."""
    random_number = random.Random(seed)
    time, events = 1431857103 * NS, []
    for _ in range(count):
        time += random_number.choice((0, 1, 999, random_number.randrange(10 ** 6), random_number.randrange(10 ** 9)))
        events.append((time - random_number.choice((0, 0, random_number.randrange(10 ** 8))), random_number.randrange(1, 30)))
    return events


FINE_LIMITS = {"50/s": Fraction(50, NS), "1/ms": Fraction(1, 10 ** 6), "7/13s": Fraction(7, 13 * NS), "100/us": Fraction(1, 10)}

ODD_LIMITS = {"997/7min": Fraction(997, 420 * NS), "11/17s": Fraction(11, 17 * NS),
              "999983/1000003us": Fraction(999983, 1000003000), "7/13h": Fraction(7, 13 * 3600 * NS),
              "123457/999983ms": Fraction(123457, 999983 * 10 ** 6)}
ODD_BURSTS = ("5", "50", "400", "1000000", "1000000000000")


class SubSecond(unittest.TestCase):
    def check(self, seed, name, rate, burst, delay):
        events = fine_log(seed)
        expected = model.expect((events, 0), FINE_LIMITS[rate], burst, delay, 10 ** 7, "bytes")
        for options, data in forms(events, name):
            found = replay("--limit", rate, "--burst", str(burst), "--mode", "delay" if delay else "deny", "--sort-window", "10ms",
                           *options, "--cost", cost_option(options), "-", data=data)
            self.assertTrue(found["exact"], (rate, burst))
            for field, value in expected.items():
                self.assertEqual(found[field], value, (field, rate, burst, delay, options))

    def test_agreement(self):
        seed = 0
        for rate, burst, delay in itertools.product(("50/s", "1/ms", "100/us"), (29, 500), (False, True)):
            for name in ("rfc3339", "s", "ms", "us", "ns", "ns_told"):
                seed += 1
                self.check(seed, name, rate, burst, delay)

    def test_the_log_tells_seconds_from_nanoseconds(self):
        """A model that cuts off decimals must disagree, or the agreement would not show that they count."""
        events = fine_log(1)
        options, data = next(forms(events, "rfc3339"))
        found = replay("--limit", "1/ms", "--burst", "29", "--sort-window", "10ms", *options, "--cost", "size", "-", data=data)
        for unit in (NS, 10 ** 6, 1000):
            cut = [(time - time % unit, cost) for time, cost in events]
            expected = model.expect((cut, 0), FINE_LIMITS["1/ms"], 29, False, 10 ** 7, "bytes")
            self.assertNotEqual({name: found[name] for name in expected}, expected)

    def test_exact_is_never_said_in_vain(self):
        """Odd rates, whose grid is coarser than the log's times: wherever the report says exact, it agrees with the model."""
        exact = rounded = 0
        for seed, ((rate, per_ns), burst, delay) in enumerate(itertools.product(ODD_LIMITS.items(), ODD_BURSTS, (False, True))):
            events = [(time, cost % 5) for time, cost in fine_log(seed, 300)]
            found = replay("--limit", rate, "--burst", burst, "--mode", "delay" if delay else "deny", "--sort-window", "10ms",
                           "--format", "json", "--time", "http.time", "--cost", "size", "-", data=as_json(events, model.iso, False))
            expected = model.expect((events, 0), per_ns, int(burst), delay, 10 ** 7, "bytes")
            differing = [name for name, value in expected.items() if found[name] != value]
            exact, rounded = exact + found["exact"], rounded + bool(differing)
            self.assertFalse(found["exact"] and differing, (rate, burst, delay, differing))
        self.assertGreater(exact, 5)
        self.assertGreater(rounded, 0)
        self.assertLess(exact, len(ODD_LIMITS) * len(ODD_BURSTS) * 2)

    def test_rounding_is_told(self):
        """7 per 13 s with this burst has no grid as fine as a nanosecond."""
        lines = [(NS, 1), (2 * NS, 1), (20 * NS + 1, 1)]
        for events, exact in ((lines, False), (lines[:2], True)):
            report = replay("--limit", "997/7min", "--burst", "1G", "--time", "http.time", "--cost", "size", "--time-unit", "ns", "-",
                            data=as_json(events, str, True))
            self.assertEqual(report["exact"], exact)


if __name__ == "__main__":
    command.main()

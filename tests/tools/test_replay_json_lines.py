"""What a JSON line says: to Python's parser the same lines are JSON, and the same numbers come out, to the last digit."""
import itertools
import json
import math
import random
import unittest
from fractions import Fraction

import command
import model
from command import replay, run

LIMIT = ("--limit", "1/s", "--burst", "1T", "--sort-window", "0")
SECONDS = (*LIMIT, "--format", "json", "--time", "t", "--time-unit", "s")
COST = ("--format", "json", "--time", "t", "--cost", "n")
GOOD = b'{"a":{"t":[1,-2.5e3,true,false,null,[]]}, "u" : "x\\u00e9\\n\\\\\\ud83d\\ude00" ,"n":7,"t":12}'


def numbers_as_text(line):
    """The object, the last of two names counting; None if the line is none. Control bytes in strings are taken by both, but for NUL."""
    if b"\0" in line:
        return None
    try:
        value = json.loads(line.decode("latin-1"), parse_float=str, parse_int=str, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def cost_of(line):
    """By Python; None: the line is broken."""
    value = numbers_as_text(line) or {}
    time, cost = value.get("t"), value.get("n")
    return int(cost) if all(isinstance(text, str) and text.isascii() and text.isdigit() for text in (time, cost)) else None


def changed_lines():
    """Every cut, and every other byte at every place; but for what json-c takes and Python does not: 'names', and "02.5"."""
    for length in range(1, len(GOOD)):
        yield GOOD[:length]
    for at in range(len(GOOD)):
        for byte in set(range(256)) - {GOOD[at], *b"\n'"}:
            line = GOOD[:at] + bytes((byte,)) + GOOD[at + 1:]
            if b",02.5" not in line:
                yield line


class AgainstPython(unittest.TestCase):
    def test_lines_changed_in_one_place(self):
        costs = [(line, cost_of(line)) for line in changed_lines()]
        good, broken = [(line, cost) for line, cost in costs if cost is not None], [line for line, cost in costs if cost is None]
        self.assertGreater(len(good), 2000)
        self.assertGreater(len(broken), 10000)
        self.check(good, [])
        self.check([(GOOD, 7)], broken)
        # What one line leaves behind must not reach the next.
        self.check([pair for pair in good for _ in range(5)], broken[:5 * len(good)])

    def check(self, good, broken):
        """Lines of both kinds take turns as long as there are two."""
        pairs = itertools.zip_longest((line for line, _ in good), broken)
        report = replay(*LIMIT, *COST, "-", data=b"\n".join(line for pair in pairs for line in pair if line is not None) + b"\n")
        self.assertEqual((report["requests"], report["broken"]), (len(good), len(broken)))
        self.assertEqual(report["allowed_permits"], sum(cost for _, cost in good))

    def first_time(self, number):
        return replay(*SECONDS, "-", data=b'{"x":"y","t":' + number.encode() + b"}\n")["first_time"]

    def assert_exact(self, number):
        text = numbers_as_text(b'{"t":' + number.encode() + b"}")["t"]
        self.assertEqual(self.first_time(number), model.iso(math.floor(Fraction(text) * model.NS)), number)

    def test_times_are_exact(self):
        """Written so that a double would lose digits of each."""
        for number in ("1431857103.000000001", "1431857103.123456789", "1431857103.999999999", "14318571030000000.01e-7",
                       "1.431857103000000001e9", "1.431857103000000001E+9", "1431857103000000001e-9", "1431857103000000001E-9",
                       "0.000000001", "0.0000000019", "1e-9", "1e9", "0e0", "4102444799.9999999999999999999999999999999999",
                       "1431857103." + "0" * 8 + "1" + "9" * 300, "0." + "0" * 300 + "1", "1431857103" + "0" * 300 + "1e-301",
                       "1431857103123456789" + "0" * 100 + "e-109", "0", "9007199254740993e-7", "16725225599.999999999"):
            self.assert_exact(number)
        self.assertEqual(self.first_time("1431857103.000000001"), "2015-05-17T10:05:03.000000001Z")

    def test_random_times_are_exact(self):
        random_number = random.Random(1)
        for _ in range(60):
            digits = str(random_number.randrange(1, 10 ** random_number.randrange(9, 40)))
            shift = random_number.randrange(-3, 4)
            point = max(1, len(digits) - random_number.randrange(0, 31))
            mantissa = f"{digits[:point]}.{digits[point:]}" if point < len(digits) else digits
            number = mantissa + random_number.choice(("", f"e{shift}", f"E{shift:+}"))
            if Fraction(number) < 16_000_000_000:
                self.assert_exact(number)

    def test_nanoseconds_as_integers(self):
        for time in (1431857103000000001, 2 ** 53 + 1, 2 ** 63 - 1, 2 ** 63, 2 ** 63 + 1, 16725225599999999999):
            report = replay(*LIMIT, "--format", "json", "--time", "t", "--time-unit", "ns", "-", data=f'{{"t":{time}}}\n'.encode())
            self.assertEqual(report["first_time"], model.iso(time))

    def test_costs_are_exact_or_refused(self):
        """json-c makes the largest number of 64 bits of all that are larger: none of them may pass as that."""
        for cost in (0, 2 ** 53 + 1, 2 ** 63 - 1, 2 ** 63, 2 ** 64 - 2, 2 ** 64 - 1, 2 ** 64, 10 ** 30):
            for text, fits in ((str(cost), cost < 2 ** 64 - 1), (f'"{cost}"', cost < 2 ** 64)):
                data = b'{"t":5,"n":1}\n' + f'{{"t":5,"n":{text}}}\n'.encode()
                status, out, err = run("replay", "--limit", "1/s", "--burst", "1", *COST, "--output", "json", "-", data=data)
                report = json.loads(out)
                self.assertEqual((status, report["broken"]), (0, 0 if fits else 1), text)
                reason = "the cost does not fit in 64 bits" if '"' in text else "the cost is 2^64 - 1 or more"
                self.assertEqual(f"line 2: {reason}" in err, not fits, err)
                if fits and cost > 1:
                    self.assertEqual(report["never_cost_max"], min(cost, 2 ** 63 - 1))


class Fields(unittest.TestCase):
    def found(self, field, text):
        """The time in seconds; None: the line has none."""
        options = (*LIMIT, "--format", "json", "--time", field, "--time-unit", "s")
        report = replay(*options, "-", data=f'{{"{field}":1}}\n{text}\n'.encode())
        self.assertEqual(report["broken"], 2 - report["requests"])
        times = {model.iso(second * model.NS): second for second in range(10)}
        return times[report["last_time"]] if report["broken"] == 0 else None

    def test_paths(self):
        for field, text, time in (
            ("t", '{"tt":1,"":2,"T":3,"a":{"t":4},"b":[{"t":5}]}', None), ("http.time", '{"http":{"x":0,"time":2},"time":3}', 2),
            ("http.time", '{"http.time":3}', 3), ("a.b.c.d", '{"a":{"b.c":{"d":4}}}', 4), ("a.b.c.d", '{"a.b.c":{"d":5}}', 5),
            ("a.b.c.d", '{"a":{"b":{"c":{}},"b.c":{"d":6}}}', 6), ("http.time", '{"http":[{"time":1}]}', None),
            ("http.time", '{"http":5}', None), ("http.time", '{"http":null}', None), ("http.time", '{"http.":{"time":6}}', None),
            ("http.time", '{"htt":{"p.time":5,".time":6}}', None), ("http.time", '{"x":{"http":{"time":5}}}', None),
            ("t\u00e9", '{"t\\u00e9":7}', 7), ("t\U0001f600", '{"t\\ud83d\\ude00":8}', 8),
        ):
            self.assertEqual(self.found(field, text), time, text)

    def test_the_last_of_two_counts(self):
        for field, text, time in (
            ("t", '{"t":2,"t":3}', 3), ("t", '{"t":"x","t":3}', 3), ("a.t", '{"a":{"t":2},"a":{"t":3}}', 3),
            ("a.t", '{"a":{"t":2},"a":{}}', None), ("t", '{"t":2,"\\u0074":3}', 3),
        ):
            self.assertEqual(self.found(field, text), time, text)

    def test_the_whole_name_goes_before_its_parts(self):
        for text in ('{"a.t":2,"a":{"t":3}}', '{"a":{"t":3},"a.t":2}'):
            self.assertEqual(self.found("a.t", text), 2, text)


class Lines(unittest.TestCase):
    def broken(self, data):
        status, out, err = run("replay", *SECONDS, "--output", "json", "-", data=b'{"t":5}\n' + data + b'\n{"t":6}\n')
        self.assertEqual(status, 0, err)
        self.assertEqual(json.loads(out)["requests"] + json.loads(out)["broken"], 3)
        return json.loads(out)["broken"]

    def test_nul_never_ends_a_line(self):
        for text in (b'{"t":7}\0', b'{"t":7}\0x', b'{"t":7}\0{"t":8}', b'{"t":7\0}', b'{"t":7,"x":"\0"}', b'\0{"t":7}', b'{"t":"7\\u0000"}'):
            self.assertEqual(self.broken(text), 1, text)

    def test_one_object_a_line(self):
        for text in (b'{"t":7}x', b'{"t":7}}', b'{"t":7}{"t":8}', b'{"t":7} {"t":8}', b'{"t":7},', b'{"t":7} 1', b'{"t":7}//', b'{"t":7}/**/'):
            self.assertEqual(self.broken(text), 1, text)
        for text in (b'{"t":7} ', b'{"t":7}\t', b' \t\r{"t":7} \t\r ', b'{"t":7}\r'):
            self.assertEqual(self.broken(text), 0, text)

    def test_half_a_pair_stays_in_its_line(self):
        report = replay(*LIMIT, "--format", "json", "--time", "t", "-",
                        data=b'{"t":"\\ud83d\n{"t":"1970-01-01T02:00:05\\u002b02:00"}\n')
        self.assertEqual((report["broken"], report["first_time"]), (1, "1970-01-01T00:00:05Z"))

    def test_depth(self):
        for depth, broken in ((255, 0), (256, 1), (5000, 1)):
            for opening, closing in (("[", "]"), ('{"a":', "}")):
                text = '{"t":7,"x":' + opening * depth + "1" + closing * depth + "}"
                self.assertEqual(self.broken(text.encode()), broken, (depth, opening))

    def test_the_longest_line(self):
        for text in (b'{"x":"' + b"a" * ((1 << 20) - 14) + b'","t":7}', b'{"x":[' + b"1," * ((1 << 19) - 9) + b'1],"t":7}'):
            self.assertLessEqual(len(text), 1 << 20)
            self.assertEqual(self.broken(text), 0)


if __name__ == "__main__":
    command.main()

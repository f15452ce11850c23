"""JSON, CSV and regex: broken lines with column and reason, and lines that are readable all the same."""
import unittest

import command
from command import replay, run

LIMIT = ("--limit", "1/s", "--burst", "10")
JSON = ("--format", "json", "--time", "t", "--cost", "n")
CSV = ("--format", "csv", "--time", "t", "--cost", "n")
PLAIN = ("--format", "csv", "--no-header", "--time", "2", "--cost", "column:3")
REGEX = ("--format", "regex", "--pattern", r"^(?:at (?<time>[^ ]+))?(?: n=(?<cost>\S+))?$")
GOOD_JSON, HEADER, GOOD_CSV, GOOD_REGEX = b'{"t":5,"n":1}\n', b"a,t,n\n", b"x,5,1\n", b"at 5 n=1\n"


class Broken(unittest.TestCase):
    def assert_broken(self, options, good, text, reason):
        status, out, err = run("replay", *LIMIT, *options, "--output", "csv", "-", data=good + text + b"\n")
        number = good.count(b"\n") + 1
        self.assertEqual(status, 0, err)
        self.assertIn(f": line {number}{'' if reason.startswith(',') else ': '}{reason}", err, text)
        names, values = out.split("\r\n")[:2]
        report = dict(zip(names.split(","), values.split(",")))
        self.assertEqual((report["broken"], report["requests"], report["lines"]), ("1", "1", str(number)), text)

    def test_json(self):
        for text, reason in (
            (b'{"n":1}', "it has no time"), (b'{"t":5}', "it has no cost"), (b'{"t":null,"n":1}', "the time is neither a number nor"),
            (b'{"t":[5],"n":1}', "the time is neither a number nor"), (b'{"t":5,"n":true}', "the cost is neither a number nor a string"),
            (b'{"t":"x","n":1}', "a time belongs here"), (b'{"t":"5x","n":1}', "nothing belongs behind the time"),
            (b'{"t":"\\u0035x","n":1}', "nothing belongs behind the time"), (b'{"t":-5,"n":1}', "the time lies before"),
            (b'{"t":5,"n":1.5}', "the cost is not a whole number"), (b'{"t":5,"n":-1}', "the cost is not"),
            (b'{"t":NaN,"n":1}', "a time belongs here"), (b'{"t":1e999,"n":1}', "the time is not in 1970 to 2500"),
            (b'{"t":5,"n":1e3}', "the cost is not"), (b'{"t":5,"n":""}', "the cost is not"),
            (b'{"t":5,"n":18446744073709551616}', "the cost is 2^64 - 1 or more"), (b'{"t":1' + b"0" * 30 + b"}", "the time is 2^64 - 1 or"),
            (b'{"t":5,"n":1', ", column 13: unexpected end of data"), (b'{"t":5,"n":1} x', ", column 15: nothing belongs behind"),
            (b'{"t":5,"n":tru}', ", column 15: boolean expected"), (b'{"t":5 "n":1}', ", column 8: object value separator ',' expected"),
            (b"[]", ", column 1: a JSON object"), (b"x", ", column 1: a JSON object"), (b"", "the line is empty"),
            (b"null", ", column 1: a JSON object"), (b'{"t":5,"n":1}\0', ", column 14: a NUL byte"),
            (b'{"t":5,"n":1,"x":"a\0b"}', ", column 20: a NUL byte"), (b'{"t":"' + b"5" * 200 + b'","n":1}', "the time is not"),
            (b'{"t":"\\u0035' + b"5" * 200 + b'","n":1}', "the time is not"),
            (b'{"t":5,"n":' + b"[" * 300 + b"]" * 300 + b"}", ", column 268: nesting too deep"),
        ):
            self.assert_broken(JSON, GOOD_JSON, text, reason)

    def test_csv(self):
        for text, reason in (
            (b"x", "it has no time"), (b"x,5", "it has no cost"), (b"x,,1", ", column 3: a time belongs here"),
            (b"x,5x,1", ", column 4: nothing belongs behind"), (b'x,"5x",1', ", column 5: nothing belongs behind"),
            (b'x,"5""",1', ", column 4: nothing belongs behind"), (b"x,5,", ", column 5: the cost is not"),
            (b"x,5,1 2", ", column 6: the cost is not"), (b'"x,5,1', ", column 1: the quote that opens here is not closed"),
            (b'x,5,1,"y', ", column 7: the quote that opens here is not closed"), (b'"x"y,5,1', ", column 4: a comma belongs"),
            (b"", "the line is empty"), (b"x;5;1", "it has no time"), (b'x,"' + b'""' * 200 + b'",1', ", column 4: this is no time"),
        ):
            self.assert_broken(CSV, HEADER + GOOD_CSV, text, reason)
            self.assert_broken(PLAIN, GOOD_CSV, text, reason)

    def test_regex(self):
        for text, reason in (
            (b"x", "the pattern does not match"), (b" n=1", "it has no time"), (b"at 5", "it has no cost"),
            (b"at x n=1", ", column 4: a time belongs"), (b"at 5 n=1x", ", column 9: the cost is not"), (b"", "the line is empty"),
        ):
            self.assert_broken(REGEX, GOOD_REGEX, text, reason)

    def test_a_pattern_that_explodes(self):
        """It must give the line up, not the log."""
        options = ("--format", "regex", "--pattern", r"^(?<time>5)$|^(a+)+$")
        self.assert_broken(options, b"5\n", b"a" * 5000 + b"b", "the pattern needs too many attempts")

    def test_nothing_readable(self):
        for options, data in ((JSON, b"x\ny\n"), (CSV, HEADER + b"x\n"), (REGEX, b"x\n")):
            status, out, err = run("replay", *LIMIT, *options, "-", data=data)
            self.assertEqual((status, out), (1, ""))
            self.assertIn("lines could be read", err)


class Readable(unittest.TestCase):
    def read(self, options, data):
        report = replay(*LIMIT, *options, "-", data=data)
        self.assertEqual((report["broken"], report["requests"]), (0, 1), data)
        return report["first_time"], report["busiest_minute"]["cost"]

    def test_json(self):
        for text, cost in (
            (b' { "t" : 5 , "n" : 7 } ', 7), (b'{"t":"5","n":"7"}', 7), (b'{"t":5,"n":"-"}', 0), (b'{"t":"1970-01-01T00:00:05","n":0}', 0),
            (b'{"t":9,"n":9,"t":5,"n":7}', 7), (b'{"t":5,"n":18446744073709551614,"x":"\xff"}', 2 ** 63 - 1),
            (b'{"t":"1970-01-01T02:00:05\\u002b02:00","n":7}', 7), (b'{"\\u0074":5.0,"n":7}\r', 7),
        ):
            self.assertEqual(self.read(JSON, text + b"\n"), ("1970-01-01T00:00:05Z", cost), text)

    def test_csv(self):
        for header, text, cost in (
            (b"a,t,n", b"x,5,7", 7), (b'"a","t","n"\r', b'"x,""y""","5","7"\r', 7), (b"\xef\xbb\xbft,n", b"5,7,more", 7),
            (b"n,a,t", b"-,,5", 0), (b"t,t,n", b"5,6,7", 7), (b"t,n", b' 5 ," 7 "', 7), (b"n,t", b'7,5\n'.strip(), 7),
            (b'a,t,n', b'5" disk,5,7', 7),
        ):
            self.assertEqual(self.read(CSV, header + b"\n" + text + b"\n"), ("1970-01-01T00:00:05Z", cost), text)
        self.assertEqual(self.read(PLAIN, b"x,5,7"), ("1970-01-01T00:00:05Z", 7))

    def test_regex(self):
        self.assertEqual(self.read(REGEX, b"at 5 n=7"), ("1970-01-01T00:00:05Z", 7))
        anywhere = ("--format", "regex", "--pattern", r"(?<time>\d+)s (?=.*\bn=(?<cost>\d+))")
        self.assertEqual(self.read(anywhere, b"\xff\xfe took 5s \xc3 n=7"), ("1970-01-01T00:00:05Z", 7))

    def test_column_beyond_all(self):
        status, _, err = run("replay", *LIMIT, "--format", "csv", "--no-header", "--time", "9", "-", data=b"1,2\n")
        self.assertEqual(status, 1)
        self.assertIn("it has no time", err)


class Automatic(unittest.TestCase):
    def test_the_first_readable_line_decides(self):
        combined = b'h - - [01/Jan/1970:00:00:05 +0000] "GET / HTTP/1.1" 200 7\n'
        for options, data, name in (((), combined, "combined"), ((), b'{"time":5}\n', "json"), (("--time", "t"), GOOD_JSON, "json"),
                                    (("--time", "t"), HEADER + GOOD_CSV, "csv"), ((), b"broken\n{}\n" + combined, "combined"),
                                    ((), b"broken\n{}\n" + b' {"time":5}\n', "json"), (("--cost", "bytes"), b'{"time":5,"bytes":7}\n', "json")):
            self.assertEqual(replay(*LIMIT, *options, "-", data=data)["format"], name, (options, data))
        self.assertIsNone(replay(*LIMIT, "-", data=b"")["format"])

    def test_bytes_of_the_limit_are_a_field(self):
        for options, data in ((("--format", "json"), b'{"time":5,"bytes":7}\n'), (("--time", "t"), b"t,bytes\n5,7\n"),
                              (("--format", "regex", "--pattern", r"(?<time>\d+) (?<bytes>\d+)"), b"5 7\n")):
            report = replay("--limit", "1kB/s", *options, "-", data=data)
            self.assertEqual((report["cost"], report["allowed_permits"]), ("bytes", 7), options)

    def test_cost_in_the_report(self):
        report = replay(*LIMIT, *JSON, "-", data=GOOD_JSON)
        self.assertEqual((report["cost"], report["format"]), ("n", "json"))
        self.assertIn('a request costs its "n"\n', run("replay", *LIMIT, *JSON, "-", data=GOOD_JSON)[1])
        self.assertEqual(replay(*LIMIT, *JSON[:4], "--cost", "3", "-", data=GOOD_JSON)["allowed_permits"], 3)

    def test_header_without_the_field(self):
        for options, option, field in ((("--time", "when"), "--time", "when"), (("--time", "t", "--cost", "bytes"), "--cost", "bytes")):
            for form in ((), ("--format", "csv")):
                status, out, err = run("replay", *LIMIT, *form, *options, "-", data=HEADER + GOOD_CSV)
                self.assertEqual((status, out), (2, ""))
                self.assertEqual(err, f'flowctl replay: standard input: line 1: the header names no field "{field}", which {option} '
                                      "asks for: a,t,n\nsee 'flowctl replay --help'\n")
        err = run("replay", *LIMIT, "--time", "t", "-", data=b"\x1b[31m,a\n")[2]
        self.assertNotIn("\x1b", err)


if __name__ == "__main__":
    command.main()

"""Where lines come from and reports go to: files, pipes, terminals, full disks, interrupts."""
import array
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import tempfile
import termios
import time
import unittest

import command
from command import line, replay, run

SAMPLE = command.ARGUMENTS[0]
LIMIT = ("--limit", "60/min")
PATIENCE_S = 20


def start(*arguments, **streams):
    return subprocess.Popen([command.COMMAND, "replay", *LIMIT, *arguments, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            env=command.environment(), preexec_fn=command.default_signals, **streams)


def unread(pipe):
    """Bytes that nobody has read from a pipe yet."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        time.sleep(0.01)


class Inputs(unittest.TestCase):
    def test_standard_input_and_file_give_the_same(self):
        with open(SAMPLE, "rb") as file:
            piped = replay(*LIMIT, "-", data=file.read())
        self.assertEqual(dict(piped, file=SAMPLE), replay(*LIMIT, SAMPLE))

    def test_any_chunks_give_the_same(self):
        with open(SAMPLE, "rb") as file:
            data = file.read()[:20_000]
        whole = replay(*LIMIT, "-", data=data)
        process = start("--output", "json", stderr=subprocess.DEVNULL)
        for at in range(0, len(data), 101):
            process.stdin.write(data[at:at + 101])
            process.stdin.flush()
        self.assertEqual(json.loads(process.communicate(timeout=PATIENCE_S)[0]), whole)

    def test_line_ends(self):
        lines = [line(s) for s in range(50)]
        reports = [replay(*LIMIT, "-", data=b"".join(lines)),
                   replay(*LIMIT, "-", data=b"".join(lines).replace(b"\n", b"\r\n")),
                   replay(*LIMIT, "-", data=b"".join(lines)[:-1])]
        self.assertEqual(reports[1:], reports[:1] * 2)

    def test_what_cannot_be_read(self):
        with tempfile.TemporaryDirectory() as folder:
            for path, reason in ((folder, "Is a directory"), (folder + "/none", "No such file or directory")):
                status, out, err = run("replay", *LIMIT, path)
                self.assertEqual((status, out, err), (1, "", f"flowctl replay: {path}: {reason}\n"))

    def test_odd_file_names(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in (b"a,b\".log", b"bell\x07\x1b[31m.log", b"\xff\xfe.log", "µ.log".encode(), b"-x.log"):
                path = os.path.join(folder.encode(), name)
                with open(path, "wb") as file:
                    file.write(line(1) + b"x\n")
                status, out, err = run("replay", *LIMIT, "--output", "json", path)
                self.assertEqual(status, 0)
                self.assertNotRegex(out + err, "[\x00-\x09\x0b-\x1f\x7f]")
                json.loads(out)


class Interrupts(unittest.TestCase):
    def interrupt(self, *arguments):
        process = start(*arguments, stderr=subprocess.PIPE)
        process.stdin.write(b"".join(line(s) for s in range(100)) + b"half a li")
        process.stdin.flush()
        wait_until(lambda: unread(process.stdin) == 0)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, 130)
        return out.decode()

    def test_report_so_far(self):
        report = json.loads(self.interrupt("--output", "json"))
        self.assertEqual((report["complete"], report["requests"], report["broken"]), (False, 100, 0))

    def test_table_says_so(self):
        self.assertIn("INTERRUPTED", self.interrupt())

    def test_before_any_line(self):
        process = start("--output", "json", stderr=subprocess.PIPE)
        process.stdin.write(b"h")
        process.stdin.flush()
        wait_until(lambda: unread(process.stdin) == 0)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE_S)
        self.assertEqual((process.returncode, json.loads(out)["requests"]), (130, 0))


class Outputs(unittest.TestCase):
    def test_full_disk(self):
        for arguments in (("replay", *LIMIT, SAMPLE), ("replay", *LIMIT, "--output", "json", SAMPLE),
                          ("replay", *LIMIT, "--output", "csv", SAMPLE), ("replay", "--help"), ("--version",), ("help",)):
            with open("/dev/full", "w") as full:
                status, _, err = run(*arguments, stdout=full)
            self.assertEqual(status, 1, arguments)
            self.assertIn("can't write to standard output: No space left on device", err)

    def test_reader_gone(self):
        reader, writer = os.pipe()
        os.close(reader)
        status, _, err = run("replay", *LIMIT, SAMPLE, stdout=writer)
        os.close(writer)
        self.assertEqual(status, 1)
        self.assertIn("Broken pipe", err)

    def test_closed(self):
        done = subprocess.run(["sh", "-c", '"$0" replay --limit 1/s "$1" >&-', command.COMMAND, SAMPLE], stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"can't write to standard output", done.stderr)


class Progress(unittest.TestCase):
    def test_on_a_terminal(self):
        terminal, end = pty.openpty()
        process = start("--output", "json", stderr=end)
        os.close(end)
        os.set_blocking(terminal, False)
        shown = bytearray()

        def fed_and_seen():
            process.stdin.write(line(1))
            process.stdin.flush()
            try:
                shown.extend(os.read(terminal, 4096))
            except BlockingIOError:
                pass
            return b"lines/s" in shown
        wait_until(fed_and_seen)
        out, _ = process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, 0)
        try:
            while piece := os.read(terminal, 4096):
                shown.extend(piece)
        except (BlockingIOError, OSError):
            pass
        os.close(terminal)
        self.assertRegex(bytes(shown), rb"\rread [0-9.]+( k)? bytes, [0-9.]+ lines, ")
        self.assertRegex(bytes(shown), rb"\r *\r$")
        self.assertNotRegex(out, rb"[\x00-\x09\x0b-\x1f\x7f]")

    def test_not_into_a_pipe(self):
        process = start("--output", "json", stderr=subprocess.PIPE)
        process.stdin.write(line(1))
        process.stdin.flush()
        time.sleep(0.5)  # longer than what has no progress even on a terminal
        process.stdin.write(line(2))
        out, err = process.communicate(timeout=PATIENCE_S)
        self.assertEqual(err, b"")
        self.assertFalse(re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", out))


if __name__ == "__main__":
    command.main()

"""Runs the flowctl command for the tests. The test scripts' first argument is its path."""
import json
import os
import signal
import subprocess
import sys
import unittest

COMMAND = sys.argv[1]
ARGUMENTS = sys.argv[2:]


def environment(locale="C"):
    return dict(os.environ, LC_ALL=locale)


def default_signals():
    """A test driver in the background ignores SIGINT, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(*arguments, data=b"", locale="C", **streams):
    """Runs to the end; returns exit status, stdout, stderr (text)."""
    streams.setdefault("stdout", subprocess.PIPE)
    done = subprocess.run([COMMAND, *arguments], input=data, stderr=subprocess.PIPE, timeout=120,
                          env=environment(locale), **streams)
    return done.returncode, (done.stdout or b"").decode(), done.stderr.decode()


def replay(*arguments, data=b""):
    """A replay that must succeed, as its JSON report."""
    status, out, err = run("replay", "--output", "json", *arguments, data=data)
    if status != 0:
        raise AssertionError(f"exit {status}: {arguments}: {err}")
    return json.loads(out)


def line(second, size="100", minute=0):
    """A readable log line of the given second."""
    return (f'10.0.0.1 - - [17/May/2015:10:{minute + second // 60:02}:{second % 60:02} +0000] "GET / HTTP/1.1" 200 {size}\n').encode()


def main():
    """Runs the test cases of the calling script."""
    unittest.main(argv=sys.argv[:1], verbosity=1)

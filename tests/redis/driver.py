"""The driver (driver.c) as an object, and what the tests of the Redis backend share.

    driver = Driver(PATH)
    driver.open("b", url=server.url()).status      an order is a method; its answer has the fields of the answer
"""
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import types
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))

import children  # noqa: E402
from redis_server import RedisServer  # noqa: E402

PATIENCE_S = 20


class Ended(Exception):
    """The driver ended in the middle of an order: how, and what it wrote."""


class Driver:
    def __init__(self, program, **environment):
        self.stderr = tempfile.TemporaryFile()
        self.process = children.start([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr, text=True, bufsize=1,
                                      env=dict(os.environ, **environment))

    def send(self, verb, *words, **options):
        """Without waiting for the answer."""
        try:
            self.process.stdin.write(" ".join([verb, *map(str, words), *(f"{key}={value}" for key, value in options.items())]) + "\n")
        except BrokenPipeError:
            raise self.ended() from None

    def receive(self):
        line = self.process.stdout.readline()
        if not line:
            raise self.ended()
        return types.SimpleNamespace(**json.loads(line))

    def order(self, verb, *words, **options):
        self.send(verb, *words, **options)
        return self.receive()

    def __getattr__(self, verb):
        return functools.partial(self.order, verb)

    def ended(self):
        return Ended(f"the driver ended with status {self.process.wait(PATIENCE_S)}:\n{self.errors()}")

    def errors(self):
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace")

    def end(self):
        """Orderly: it destroys what it has. Its status, and what it wrote."""
        self.process.stdin.close()
        return self.process.wait(PATIENCE_S), self.errors()

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.stderr):
            try:
                file.close()
            except BrokenPipeError:
                pass


def wait_until(condition, seconds=PATIENCE_S):
    """What it is at last."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        time.sleep(0.002)
    return result


class Case(unittest.TestCase):
    program, kind, slow_names = sys.argv[1:4]
    environment = {}
    with open(program, "rb") as file:  # then memory is not given back at once
        instrumented = re.search(rb"__([at])san_init", file.read())
    extra_threads = int(instrumented is not None and instrumented[1] == b"t")  # the thread sanitizer has one of its own

    def server(self, **options):
        server = RedisServer(self.kind, **options)
        self.addCleanup(server.stop)
        return server

    def driver(self, **environment):
        """It has to end well."""
        driver = Driver(self.program, **self.environment, **environment)
        self.addCleanup(driver.stop)
        self.addCleanup(self.end, driver)
        return driver

    def end(self, driver):
        if not driver.process.stdin.closed and driver.process.poll() is None:
            self.assertEqual(driver.end(), (0, ""))

    def open(self, driver, name, **options):
        answer = driver.open(name, **options)
        self.assertEqual((answer.status, answer.message), ("OK", ""))
        return answer

    def limiter(self, driver, name, backend, limit, **options):
        answer = driver.limiter(name, backend, limit, **options)
        self.assertEqual((answer.status, answer.message), ("OK", ""))

    def wait_for_fault(self, driver, backend, fault):
        """Its message."""
        try:
            return wait_until(lambda: (info := driver.info(backend)).fault == fault and info).message
        except AssertionError:
            raise AssertionError(f"no {fault}: {driver.info(backend)}") from None

    def wait_until_it_lends(self, driver, limiter):
        try:
            wait_until(lambda: driver.order("try", limiter, 1).allowed)
        except AssertionError:
            raise AssertionError(f"nothing is lent: {driver.sharing(limiter)}") from None


def main():
    unittest.main(argv=sys.argv[:1], verbosity=1)

#!/usr/bin/env python3
"""Four processes share one limit on a real Redis, to which bad things happen; then it is computed whether the limit held.

    redis_outage.py FLOWCTL [--plot FILE.svg]

The server is one of our own, on a private port and socket, with no persistence: killed, it has lost everything. With --plot the script is longer,
and what happened is drawn (docs/redis.md).
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, os.pardir, "tests", folder) for folder in ("servers", "process")]
import rings  # noqa: E402
from redis_server import RedisServer  # noqa: E402

RATE, BURST, TTL_S, PROCESSES = 2000, 400, 0.4, 4
BAR = 40


def kill(server):
    server.kill9()
    return "kill -9: the server and all it knew are gone"


def restart(server):
    server.restart()
    return "restart: it has nothing"


def flush(server):
    server.command("FLUSHALL")
    return "FLUSHALL"


def pause(server):
    server.pause()
    return "SIGSTOP: the server hangs"


def resume(server):
    server.resume()
    return "SIGCONT"


SHORT = [(3, kill), (5, restart)], 9
LONG = [(3, kill), (5, restart), (9, flush), (12, pause), (14, resume)], 17


class Admissions:
    """What the processes have been granted so far, from the files into which they write it."""

    def __init__(self, folder):
        self.folder, self.before = folder, 0

    def since_last(self):
        count = 0
        for name in os.listdir(self.folder):
            if name.endswith(".ring"):
                with open(os.path.join(self.folder, name), "rb") as ring:
                    ring.seek(128)  # rings.py
                    count += int.from_bytes(ring.read(8), "little")
        self.before, new = count, count - self.before
        return new


def show(elapsed, count, period, notes):
    bar = "#" * min(BAR + 10, round(BAR * count / (RATE * period)))
    print(f"{elapsed:5.1f} s  {count / period:6.0f}/s  {bar:<{BAR + 2}} {'; '.join(notes)}", flush=True)


def play(server, events, seconds, admissions, period=0.5):
    """Lets the events happen, each at its time, and shows what passes meanwhile."""
    start, left, done = time.monotonic(), list(events), []
    admissions.since_last()
    for step in range(1, round(seconds / period) + 1):
        notes, end = [], start + step * period
        while left and start + left[0][0] < end:
            at, event = left.pop(0)
            time.sleep(max(0, start + at - time.monotonic()))
            done.append((time.clock_gettime_ns(time.CLOCK_BOOTTIME), event(server)))
            notes.append(done[-1][1])
        time.sleep(max(0, end - time.monotonic()))
        show(step * period, admissions.since_last(), period, notes)
    return done


def hammer(flowctl, server, folder, seconds):
    return subprocess.Popen([flowctl, "hammer", "--limit", f"{RATE}/s", "--burst", str(BURST), "--processes", str(PROCESSES), "--duration", f"{seconds}s",
                             "--ttl", f"{round(1000 * TTL_S)}ms", "--log", folder, server.unix_url(), "demo"],
                            stdout=subprocess.PIPE, text=True)


def wait_for_first(admissions, process):
    while admissions.since_last() == 0:
        if process.poll() is not None:
            sys.exit("the processes could not begin")
        time.sleep(0.02)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flowctl")
    parser.add_argument("--plot", metavar="FILE")
    options = parser.parse_args()
    events, seconds = LONG if options.plot else SHORT
    with tempfile.TemporaryDirectory() as folder, RedisServer() as server:
        print(f"{PROCESSES} processes want all they can get of {RATE}/s, burst {BURST}, shared through {server.url()}; leases last {TTL_S} s")
        admissions = Admissions(folder)
        with hammer(options.flowctl, server, folder, seconds) as process:
            wait_for_first(admissions, process)
            done = play(server, events, seconds - 0.5, admissions)
            report = process.communicate()[0].split("\nadmissions:")[0]  # in a folder that is about to go
        print("\n" + report, end="")
        if options.plot:
            import outage_plot
            outage_plot.draw(options.plot, rings.read_all(folder), done, RATE, BURST)
            print(f"\n{options.plot} shows it")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())

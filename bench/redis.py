#!/usr/bin/env python3
"""Measures limits shared through Redis, beside those of others in the same rounds. Prints tables; the numbers of docs/redis.md are from it.

    redis.py BUILD [--peers DIR] [--rounds N] [--only speed|admitted|use|newcomer|many]

Rounds are interleaved: each has one run of everything, so that what else the machine does meets all alike. Best and median are of the rounds.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "tests", "servers"))
from redis_server import RedisServer  # noqa: E402

NOTHING_REFUSED = ("--rate", "1000000000", "--burst", "1000000000")


class Bench:
    def __init__(self, options):
        self.shared = os.path.join(options.build, "bench", "bench_shared")
        self.peers, self.rounds = options.peers, options.rounds

    def run(self, url, *options):
        done = subprocess.run([self.shared, *map(str, options), url], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, options))}: {done.stderr}")
        return json.loads(done.stdout)

    def peer(self, name, server, mode):
        """{metric: value} of what a peer prints: peer,work,threads,parameters,metric,value."""
        command = {
            "redis_rate": [f"{self.peers}/redis_rate", f"127.0.0.1:{server.port}", mode],
            "trypema": [f"{self.peers}/trypema/release/trypema-bench", f"redis://127.0.0.1:{server.port}/", mode],
            "bucket4j": ["java", "-cp", f"{self.peers}/bucket4j/classes:{self.peers}/bucket4j/lib/*", "Bucket4jRedis",
                         f"redis://127.0.0.1:{server.port}/", mode],
        }[name]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def peer_result(self, process):
        text = process.communicate()[0]
        return {line.split(",")[4]: float(line.split(",")[5]) for line in text.splitlines() if line.count(",") == 5}


def table(head, rows):
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)


def best_and_median(values, more_is_better=True):
    return (max if more_is_better else min)(values), statistics.median(values)


def million(value):
    return f"{value / 1e6:.3g} M" if value >= 1e6 else f"{value / 1e3:.3g} k" if value >= 1e3 else f"{value:.3g}"


# ---- speed ----

def ours_per_process(bench, url, *options):
    result = bench.run(url, "--demand", "all", "--seconds", 3, *options)
    return statistics.mean(result["per_process_per_s"]), result


def speed(bench):
    print("## Decisions per second and process\n")
    rows, asks, over = {}, [], []
    with RedisServer() as server:
        for _ in range(bench.rounds):
            for name, url, options in (("local, 1 process", "local", (*NOTHING_REFUSED, "--processes", 1)),
                                       ("leased, 1 process", server.url(), (*NOTHING_REFUSED, "--processes", 1)),
                                       ("leased, 2 processes", server.url(), (*NOTHING_REFUSED, "--processes", 2)),
                                       ("leased, 2 processes share 20 M/s", server.url(),
                                        ("--rate", 20000000, "--burst", 2000000, "--processes", 2))):
                server.command("FLUSHALL")
                value, result = ours_per_process(bench, url, *options)
                rows.setdefault(name, []).append(value)
                if result["asks"]:
                    asks.append(result["decisions"] / result["asks"])
                    over.append(result["over"])
            for name, mode in PEER_SPEEDS if bench.peers else ():
                found = bench.peer_result(bench.peer(name, server, mode))
                rows.setdefault(f"{name} {mode}", []).append(found.get("decisions_per_s", 0))
    floor = statistics.median(rows["local, 1 process"])
    table(("", "best", "median", "of local"), [(name, million(max(v)), million(statistics.median(v)), f"{statistics.median(v) / floor:.3g}")
                                               for name, v in rows.items()])
    pairs = [a / b for a, b in zip(rows["local, 1 process"], rows["leased, 1 process"])]
    print(f"A leased decision takes {statistics.median(pairs):.3f} x a local one (median of pairs). One ask per {million(min(asks))} decisions at least; "
          f"beyond the limit: {max(over):.0f} permits at most (a batch of 64 per process may be dated early).\n", flush=True)


PEER_SPEEDS = [("trypema", "hybrid"), ("redis_rate", "sync"), ("redis_rate", "pipe100"), ("bucket4j", "sync"), ("bucket4j", "async100")]


# ---- what two processes are granted together ----

def admitted(bench):
    print("## Granted to two processes that share 2000/s, burst 100, for 5.5 s\n\n11 100 are allowed by burst + rate x length.\n")
    rows = {}
    with RedisServer() as server:
        for _ in range(bench.rounds):
            server.command("FLUSHALL")
            result = bench.run(server.url(), "--rate", 2000, "--burst", 100, "--seconds", 5, "--processes", 2, "--demand", "all")
            rows.setdefault("flowctl (5 s: 10 100 are allowed)", []).append(result["granted"] / 10100)
            for name, mode in (("trypema", "admit-hybrid"), ("redis_rate", "admit"), ("bucket4j", "admit")) if bench.peers else ():
                server.command("FLUSHALL")
                both = [bench.peer(name, server, mode) for _ in range(2)]
                rows.setdefault(f"{name} {mode}", []).append(sum(bench.peer_result(p).get("granted", 0) for p in both) / 11100)
    table(("", "least", "median", "most, of what is allowed"), [(name, f"{min(v):.3f}", f"{statistics.median(v):.3f}", f"{max(v):.3f}") for name, v in rows.items()])


# ---- how much of a limit is used ----

BURSTS_MS = (100, 50, 25, 15, 10, 5, 2.5)


def use(bench):
    print("## Use of 1 M/s by 8 processes, of granted / (rate x time)\n")
    found, over = {}, []
    with RedisServer() as server:
        for _ in range(bench.rounds):
            for ms in BURSTS_MS:
                for demand in ("even", "skewed", "shifting"):
                    server.command("FLUSHALL")
                    result = bench.run(server.url(), "--rate", 1000000, "--burst", round(ms * 1000), "--processes", 8, "--seconds", 4, "--demand", demand)
                    found.setdefault((ms, demand), []).append(result["use"])
                    over.append(result["over"])
    table(("burst / rate", "even: best, median", "skewed", "shifting"),
          [(f"{ms:g} ms", *("{:.3f}, {:.3f}".format(*best_and_median(found[ms, d])) for d in ("even", "skewed", "shifting"))) for ms in BURSTS_MS])
    print(f"Beyond the limit: {max(over):.0f} permits at most.\n", flush=True)


def newcomer(bench):
    print("## Time until a newcomer among 8 has nine tenths of its share of 1 M/s\n")
    found = {}
    with RedisServer() as server:
        for _ in range(bench.rounds):
            for ms in (100, 25):
                server.command("FLUSHALL")
                result = bench.run(server.url(), "--rate", 1000000, "--burst", ms * 1000, "--processes", 8, "--seconds", 3, "--demand", "even", "--newcomer")
                found.setdefault(ms, []).append(result["newcomer_ms"])
    table(("burst / rate", "best", "median"), [(f"{ms} ms", "{:.0f} ms".format(min(v)), f"{statistics.median(v):.0f} ms") for ms, v in found.items()])
    print("Connecting, and the 50 ms over which it is measured, included.\n", flush=True)


# ---- many limits ----

def many(bench):
    print("## Many limits in 8 processes\n\nEach limit is in use all the time, in each process, 1.25 x its rate.\n")
    rows = []
    for limits, rate, burst, ttl_s, seconds in ((100, 100000, 20000, 1, 8), (1000, 1000000, 200000, 1, 8), (10000, 100000, 1000000, 15, 30)):
        with RedisServer() as server:
            cpu_s, began_s = server.cpu_seconds(), time.monotonic()
            result = bench.run(server.unix_url(), "--rate", rate, "--burst", burst, "--limits", limits, "--processes", 8, "--seconds", seconds, "--demand",
                               "even", "--ttl", ttl_s * 1000000000)
            took_s = time.monotonic() - began_s
            commands = int(server.info("stats")["total_commands_processed"])
            rows.append((str(limits), f"{rate // limits}/s, burst {burst // limits}, ttl {ttl_s} s", f"{100 * (server.cpu_seconds() - cpu_s) / took_s:.0f} %",
                         million(commands / took_s) + "/s", f"{result['use']:.3f}", f"{result['over']:.0f}"))
    table(("limits", "each", "CPU of the server", "commands", "use", "over"), rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--peers", metavar="DIR", help="where bench/peers was built")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=list(PARTS))
    options = parser.parse_args()
    bench = Bench(options)
    for name, part in PARTS.items():
        if options.only in (None, name):
            part(bench)
    return 0


PARTS = {"speed": speed, "admitted": admitted, "use": use, "newcomer": newcomer, "many": many}

if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""run.py again and again, each time with another limit, other leases and other faults, all from one seed; until the first bad run.

    soak.py BIN --minutes 10 --seed 1

Exits as run.py does: 0 if all runs were good. A bad one is repeated by the command that it prints; the instants of its faults differ a little each time.
"""
import argparse
import os
import random
import shlex
import subprocess
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))

import binaries
import redis_faults

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run.py")
LONGEST_RUN_S = 60


def has_valkey():
    try:
        return bool(binaries.find("valkey"))
    except binaries.NotFound:
        return False


HAS_VALKEY = has_valkey()


def draw(chance, seconds):
    """Options of a run."""
    rate = chance.choice((20, 200, 2000, 2000, 20000))
    ttl_ms = chance.choice((100, 300, 1000, 3000))
    backend = chance.choice(("file:", "redis:", "redis:", "valkey:" if HAS_VALKEY else "redis:"))
    faults = ("all", "all", "all,wipe", "kill", "stop", "store", "fork,kill", "none")
    if backend != "file:":
        faults = ("all,servers", "all,servers", "servers", "kill,stop," + ",".join(chance.sample(sorted(redis_faults.FAULTS), 3)), "all")
    return ["--seconds", f"{seconds:.0f}", "--seed", str(chance.getrandbits(32)), "--backend", backend,
            "--processes", str(chance.choice((2, 3, 5, 8))), "--rate", str(rate),
            "--burst", str(max(5, int(rate * chance.choice((0.01, 0.1, 0.1, 0.5))))), "--costs", str(chance.choice((1, 1, 1, 3, 5))),
            "--ttl", f"{ttl_ms}ms", "--refresh", f"{chance.choice((2, 10, ttl_ms // 4))}ms", "--ask", str(chance.choice((0.5, 2, 2, 10))),
            "--longest-stop", str(chance.choice((0.5, 3, 10))), "--every", str(chance.choice((0.2, 0.5, 2))), "--faults", chance.choice(faults),
            "--longest-outage", str(chance.choice((0.1, 1, 10))), "--server-every", str(chance.choice((0.2, 1, 4))),
            *chance.choice(((), (), ("--demand", "waves")))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("FLOWCTL_SEED", time.time_ns() % 2**32)))
    options = parser.parse_args()
    end_s, runs, chance = time.monotonic() + options.minutes * 60, 0, random.Random(options.seed)
    print(f"soak.py: seed {options.seed}, {options.minutes:g} minutes", flush=True)
    while (left_s := end_s - time.monotonic()) > 0:
        command = [sys.executable, "-B", RUN, options.bin, *draw(chance, max(3, min(LONGEST_RUN_S, left_s)))]
        print(f"\n$ {shlex.join(command)}", flush=True)
        try:
            status = subprocess.run(command, check=False).returncode
        except KeyboardInterrupt:
            return 130
        if status != 0:
            print(f"soak.py: seed {options.seed}: run {runs + 1} ended with status {status}", file=sys.stderr)
            return status
        runs += 1
    print(f"soak.py: seed {options.seed}: {runs} runs, all good")
    return 0


if __name__ == "__main__":
    sys.exit(main())

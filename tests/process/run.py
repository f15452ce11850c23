#!/usr/bin/env python3
"""One limit, many processes, and what can happen to processes: then all admissions together are judged.

    run.py BIN --seconds 60 --processes 8 --backend file:/tmp/limits --seed 1 --faults kill,stop

BIN holds worker, checker and skew.so. The order of the faults follows from the seed, their instants only roughly. What is done is written to
DIRECTORY/faults with the time of CLOCK_BOOTTIME, the clock of all dates here. Faults:

    kill    kill -9 at any moment; another incarnation follows after 0 to 4 s
    leave   SIGTERM, an orderly end; another incarnation follows
    stop    SIGSTOP for 10 ms to --longest-stop, then SIGCONT
    fork    the worker forks, and the child tries its parent's limiter
    cpu     busy processes, and more of them than processors, beside workers that are nicer
    skew    the wall clock of a worker jumps to another one, off by 1 s or 1 h (skew.c)
    store   some incarnations' talk with their store is mistreated: lost, repeated, late (sys/fault.h)
    wipe    the file of a file backend is deleted, or cut to nothing; not part of "all", as nothing is lent for a while then

With --backend redis: or valkey: the run has a private server, and besides one fault at a time of the server and one of the network; "servers" is all but those by name only and the planted ones:

{servers}

A planted one breaks what the bound stands on: then the run is good if the limit was exceeded, and by no more than is documented.

The worker's children and the workers themselves end by their own clock, should this program be killed. Exits as the checker does; with 4 if a
worker ended as none should, with 5 if what was planted did no harm.
"""
import argparse
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))

import redis_faults
from redis_store import RedisStore
from wall_clock import WallClock

FAULTS = ("kill", "leave", "stop", "fork", "cpu", "skew")
SHARED_FAULTS = ("store",)  # only where there is a store
SPECIAL_FAULTS = ("wipe",)  # only by name
SERVER_FAULTS = redis_faults.ALL
PRIVATE_SERVERS = ("redis:", "valkey:")
RATES = ("drop=20000", "duplicate=50000", "delay=100000,max-delay=80ms", "drop=200000,delay=200000,duplicate=100000,max-delay=400ms",
         "fail=100000", "drop=5000,duplicate=20000,delay=900000,max-delay=15ms")
DEMANDS = ("steady", "bursty", "shifting")  # drawn; waves are for all or none
SKEWS_S = (0, 1, -1, 3600, -3600)
TICK_S = 0.003
LONGER_MS = 10000  # workers would go on so long if they were not ended
FORKED_S = 2  # how long a child may outlive its parent
PATIENCE_S = 20
END_S = 1  # to be judged, after all has settled
BUSY = "import time\nend = time.monotonic() + {}\nwhile time.monotonic() < end: pass"


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def seconds_of(text):
    return int(text[:-2]) / 1000 if text.endswith("ms") else int(text[:-1])


def parser():
    parser = argparse.ArgumentParser(description=__doc__.format(servers=redis_faults.describe()), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--minutes", type=float, help="instead of --seconds")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--backend", default="local", help="a URL; file: without a path is a file beside those of the run, redis: and valkey: "
                        "without a host are a server of its own; local: nothing is shared, and the run must fail")
    parser.add_argument("--divide", action="store_true", help="local buckets of 1/N of the limit each: right, without a backend")
    parser.add_argument("--rate", type=int, default=2000, help="permits per second")
    parser.add_argument("--burst", type=int, default=200)
    parser.add_argument("--ttl", default="1s", help="of leases, as 300ms")
    parser.add_argument("--refresh", help="between refills, as 10ms")
    parser.add_argument("--ask", type=float, default=2, help="what all workers ask for, in parts of the rate")
    parser.add_argument("--demand", choices=(*DEMANDS, "waves"), help="of all workers; else each incarnation draws one")
    parser.add_argument("--costs", type=int, default=1, help="one question is for 1 ... N permits")
    parser.add_argument("--verb", default="mixed", choices=("decide", "acquire", "up-to", "mixed"))
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--faults", default="all", help="all (of members), servers, none, or a list of names; all,wipe is more than all")
    parser.add_argument("--every", type=float, default=0.5, help="seconds from fault to fault, on the average")
    parser.add_argument("--longest-stop", type=float, default=10, help="seconds")
    parser.add_argument("--server-every", type=float, default=0.5, help="seconds from the end of a server's fault to the next, on the average")
    parser.add_argument("--longest-outage", type=float, default=1, help="seconds, of a server or the network")
    parser.add_argument("--aof", choices=("always", "everysec"), help="of the server's log; else the seed decides")
    parser.add_argument("--quiet", type=float, default=3, help="seconds without new faults at the end")
    parser.add_argument("--min-use", type=float, default=0, help="of the rate, for the run to be good")
    parser.add_argument("--min-end-use", type=float, default=0, help="the same, after all that failed had time to come back")
    parser.add_argument("--directory", help="for the files of the run; must be new. Else a temporary one, kept if the run was bad")
    parser.add_argument("--tell", action="store_true", help="tell what is done while it is done")
    return parser


def named(name, shared):
    groups = {"all": FAULTS + (SHARED_FAULTS if shared else ()), "servers": tuple(redis_faults.FAULTS), "none": (), "": ()}
    return groups.get(name, (name,))


def check_faults(options, error):
    faults, private = set(options.faults), options.backend in PRIVATE_SERVERS
    unknown = faults - set(FAULTS + SHARED_FAULTS + SPECIAL_FAULTS) - set(SERVER_FAULTS)
    if unknown:
        error(f"--faults: no such fault: {', '.join(sorted(unknown))}")
    if not options.shared and faults & set(SHARED_FAULTS + SPECIAL_FAULTS):
        error("--faults: store and wipe need a --backend")
    if "wipe" in faults and not options.backend.startswith("file:"):
        error("--faults: wipe needs --backend file:PATH")
    if faults & set(SERVER_FAULTS) and not private:
        error("--faults: those of servers need --backend redis: or valkey:, a server of the run's own")
    if len(faults & set(redis_faults.PLANTED)) > 1:
        error("--faults: one planted fault at a time: what is allowed is another for each")


def arguments():
    options = parser().parse_args()
    if options.minutes is not None:
        options.seconds = options.minutes * 60
    if options.seed is None:
        options.seed = int(os.environ.get("FLOWCTL_SEED", time.time_ns() % 2**32))
    options.shared = options.backend != "local"
    options.faults = list(dict.fromkeys(fault for name in options.faults.split(",") for fault in named(name, options.shared)))
    check_faults(options, parser().error)
    options.ttl_s = seconds_of(options.ttl)
    options.networked = bool(set(options.faults) & redis_faults.NETWORKED)
    options.planted = next((fault for fault in options.faults if fault in redis_faults.PLANTED), None)
    return options


class Slot:
    """A place for a worker: one incarnation after the other."""

    def __init__(self, number, bin, directory):
        self.number = number
        self.process = None
        self.name = ""
        self.incarnation = 0
        self.restart_at = None  # not running
        self.continue_at = None  # stopped
        self.patience_until = None  # asked to end
        self.restart_s = 0  # and when it is to be followed by the next
        self.clock = WallClock(os.path.join(bin, "skew.so"), os.path.join(directory, f"skew{number}"))


class ServerFaults:
    """Those of some kinds, one after the other, beside all others."""

    def __init__(self, run, store, kinds):
        self.run, self.store = run, store
        self.kinds = [kind for kind in run.options.faults if kind in kinds]
        self.deck, self.steps = [], None
        self.next_s = self.pause_s()

    def pause_s(self):
        return self.run.options.server_every * self.run.random.uniform(0.5, 1.5)

    def under_way(self):
        return self.steps is not None

    def begin(self):
        if not self.deck:
            self.deck = self.run.random.sample(self.kinds, len(self.kinds))
        kind = self.deck.pop()
        self.steps = SERVER_FAULTS[kind](self.store)
        self.run.counts[kind] += 1

    def look_after(self, new_ones):
        if self.run.at_s() < self.next_s:
            return
        if self.steps is None and self.kinds and new_ones:
            self.begin()
        if self.steps is None:
            return
        wait_s = next(self.steps, None)
        if wait_s is None:
            self.steps, wait_s = None, self.pause_s()
        self.next_s = self.run.at_s() + wait_s


class Run:
    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.random = random.Random(options.seed)
        self.started_s = time.monotonic()
        self.counts = dict.fromkeys(options.faults, 0)
        self.unexpected, self.settled = 0, False
        self.busy = []
        self.deck = []
        self.log_file = open(os.path.join(directory, "faults"), "w", buffering=1)
        self.log_file.write(f"# seed {options.seed}\n# {' '.join(sys.argv)}\n")
        self.slots = [Slot(number, options.bin, directory) for number in range(options.processes)]
        self.store = RedisStore(options, self.random, self.log) if options.backend in PRIVATE_SERVERS else None
        # A part of the workers is cut off while the server loses what it holds: so two at a time.
        self.server_faults = [ServerFaults(self, self.store, kinds) for kinds in
                              ({**redis_faults.SERVER, **redis_faults.PLANTED}, {**redis_faults.NETWORK, **redis_faults.GAPS})]

    def log(self, what):
        self.log_file.write(f"{now_ns()} {what}\n")
        if self.options.tell:
            print(f"{self.at_s():9.3f} s  {what}", flush=True)

    def at_s(self):
        return time.monotonic() - self.started_s

    def left_s(self):
        return self.options.seconds - self.at_s()

    # ---- workers ----

    def command(self, slot):
        o = self.options
        share = o.processes if o.divide else 1
        ask = max(1, int(o.rate * o.ask / o.processes))
        command = [os.path.join(o.bin, "worker"), "--log", self.directory, "--name", slot.name, "--backend", self.store.url(slot.number) if self.store else o.backend,
                   "--rate", f"{o.rate // share}/s", "--burst", str(o.burst // share), "--ask", f"{ask}/s",
                   "--costs", str(o.costs), "--verb", o.verb, "--demand", o.demand or self.random.choice(DEMANDS),
                   "--seed", str(self.random.getrandbits(32)), "--duration", f"{int(max(0, self.left_s()) * 1000) + LONGER_MS}ms"]
        if o.divide:
            command.append("--start-empty")
        command += ["--ttl", o.ttl] + (["--refresh", o.refresh] if o.refresh else [])
        if "fork" in o.faults and self.random.random() < 0.2:
            command.append("--fork-after-init")
        if "store" in o.faults and self.random.random() < 0.3:
            command += ["--fault-rates", self.random.choice(RATES)]
            self.counts["store"] += 1
        return command

    def environment(self, slot):
        return {**os.environ, **(slot.clock.environment() if "skew" in self.options.faults else {})}

    def prepare(self):
        """In the new process. What is sent before the worker can handle it waits until it does."""
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGUSR1))
        if "cpu" in self.options.faults:
            os.nice(10)

    def start(self, slot):
        slot.incarnation += 1
        slot.name = f"w{slot.number}.{slot.incarnation}"
        slot.restart_at = None
        command = self.command(slot)
        with open(os.path.join(self.directory, "stderr"), "ab") as stderr:
            slot.process = subprocess.Popen(command, env=self.environment(slot), stderr=stderr,
                                            stdin=subprocess.DEVNULL, preexec_fn=self.prepare)
        rates = command[command.index("--fault-rates") + 1] if "--fault-rates" in command else ""
        self.log(f"start {slot.name}{' with ' + rates if rates else ''} pid {slot.process.pid}")

    def runs(self, slot):
        """It does, and wasn't asked to end."""
        return slot.restart_at is None and slot.patience_until is None and slot.process.poll() is None

    def end_at_once(self, slot, restart_s):
        slot.process.kill()
        slot.process.wait()
        slot.continue_at = slot.patience_until = None
        slot.restart_at = self.at_s() + restart_s

    def ask_to_end(self, slot, restart_s):
        """It may take its time, as others do meanwhile: look_after sees when it has ended."""
        if slot.continue_at is not None:
            self.go_on(slot)
        slot.process.terminate()
        slot.restart_s = restart_s
        slot.patience_until = self.at_s() + PATIENCE_S

    def complain(self, slot, what):
        self.unexpected += 1
        self.log(f"unexpected: {slot.name} {what}")
        print(f"run.py: {slot.name} {what}", file=sys.stderr)

    def go_on(self, slot):
        self.log(f"continue {slot.name}")
        slot.process.send_signal(signal.SIGCONT)
        slot.continue_at = None

    # ---- faults ----

    def can(self, kind, slot):
        """A stopped worker can be killed, and wall clocks jump whoever looks at them."""
        if kind in ("cpu", "skew", "wipe"):
            return True
        return self.runs(slot) and (kind == "kill" or slot.continue_at is None)

    def fault(self):
        """From a shuffled deck: every kind has its turn before one has its second, even in a short run."""
        if not self.deck:
            # What an incarnation has from its start isn't dealt.
            kinds = [kind for kind in self.options.faults if kind != "store" and kind not in SERVER_FAULTS]
            self.deck = self.random.sample(kinds, len(kinds))
        if not self.deck:
            return
        kind = self.deck[-1]
        for slot in self.random.sample(self.slots, len(self.slots)):
            if self.can(kind, slot):
                self.deck.pop()
                getattr(self, "fault_" + kind)(slot)
                self.counts[kind] += 1
                return

    def fault_kill(self, slot):
        self.log(f"kill {slot.name}{' while it is stopped' if slot.continue_at is not None else ''}")
        self.end_at_once(slot, self.random.choice((0, 0.05, 0.3, 1, 4)))

    def fault_leave(self, slot):
        self.log(f"leave {slot.name}")
        self.ask_to_end(slot, self.random.choice((0, 0.1, 1)))

    def fault_stop(self, slot):
        seconds = 0.01 * math.exp(self.random.uniform(0, math.log(max(1.001, self.options.longest_stop / 0.01))))
        self.log(f"stop {slot.name} for {seconds:.3f} s")
        slot.process.send_signal(signal.SIGSTOP)
        slot.continue_at = self.at_s() + seconds

    def fault_fork(self, slot):
        self.log(f"fork {slot.name}")
        slot.process.send_signal(signal.SIGUSR1)

    def fault_skew(self, slot):
        seconds = self.random.choice(SKEWS_S)
        self.log(f"skew {slot.name} by {seconds} s")
        slot.clock.set(seconds)

    def fault_cpu(self, _slot):
        seconds = self.random.uniform(0.2, 3)
        count = self.random.randint(1, 2 * (os.cpu_count() or 1))
        self.log(f"cpu {count} busy for {seconds:.3f} s")
        for _ in range(count):
            self.busy.append(subprocess.Popen([sys.executable, "-S", "-c", BUSY.format(seconds)], stdin=subprocess.DEVNULL))

    def fault_wipe(self, _slot):
        path = self.options.backend[len("file:"):]
        how = self.random.choice(("delete", "cut", "replace"))
        self.log(f"wipe: {how} {path}")
        try:
            if how == "delete":
                os.unlink(path)
            elif how == "cut":
                os.truncate(path, 0)
            else:
                with open(path + ".other", "wb"):
                    pass
                os.rename(path + ".other", path)
        except FileNotFoundError:
            self.log("wipe: there was none")

    # ---- the run ----

    def look_after(self, slot):
        if slot.continue_at is not None and self.at_s() >= slot.continue_at:
            self.go_on(slot)
        if slot.restart_at is not None:
            if self.at_s() >= slot.restart_at:
                self.start(slot)
            return
        status = slot.process.poll()
        if status is None:
            if slot.patience_until is not None and self.at_s() >= slot.patience_until:
                self.complain(slot, "did not end")
                self.end_at_once(slot, slot.restart_s)
            return
        if slot.patience_until is None or status != 0:
            self.complain(slot, f"ended with status {status}")
        slot.restart_at = self.at_s() + (0.5 if slot.patience_until is None else slot.restart_s)
        slot.continue_at = slot.patience_until = None

    def look_after_all(self, new_ones):
        for slot in self.slots:
            self.look_after(slot)
        for faults in self.server_faults:
            faults.look_after(new_ones)
        self.busy = [process for process in self.busy if process.poll() is None]
        time.sleep(TICK_S)

    def go(self):
        for slot in self.slots:
            self.start(slot)
        self.log("begin")
        next_fault, settled_s = self.at_s() + min(1, self.options.seconds / 10), None
        quiet = min(self.options.quiet, self.options.seconds / 2)
        while self.left_s() > 0 or not self.has_shown_its_end(settled_s):
            new_ones = self.left_s() > quiet
            self.look_after_all(new_ones)
            if new_ones and self.options.faults and self.at_s() >= next_fault:
                self.fault()
                next_fault = self.at_s() + self.random.expovariate(1 / self.options.every)
            if not new_ones and settled_s is None and not any(faults.under_way() for faults in self.server_faults):
                settled_s = self.at_s() + self.settling_s()
            if settled_s is not None and not self.settled and self.at_s() >= settled_s:
                self.log("settled")
                self.settled = True
        self.log("end")
        self.end_all()
        if "fork" in self.options.faults:
            time.sleep(max(0, FORKED_S - quiet))

    def has_shown_its_end(self, settled_s):
        """A run whose end is judged lasts until there is something to be judged."""
        return self.options.min_end_use == 0 or (settled_s is not None and self.at_s() >= settled_s + END_S)

    def settling_s(self):
        """A backend waits the longer before it tries again, the longer it was in vain; then the store may lend nothing for 1.75 x ttl."""
        return 0.5 + 2 * self.options.longest_outage + 2 * self.options.ttl_s

    def end_all(self):
        for slot in self.slots:
            if self.runs(slot):
                self.ask_to_end(slot, math.inf)
            else:
                slot.restart_s = math.inf
        while any(slot.restart_at is None for slot in self.slots):
            for slot in self.slots:
                if slot.restart_at is None:
                    self.look_after(slot)
            time.sleep(TICK_S)

    def clean_up(self):
        """Ends what is left, by its id: only what was started here and not yet waited for."""
        for process in [slot.process for slot in self.slots] + self.busy:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        if self.store is not None:
            self.store.stop()
        self.log_file.close()


def check(options, directory, rates=1, bursts=1):
    checker = [os.path.join(options.bin, "checker"), "--min-use", str(options.min_use / rates), "--min-end-use",
               str(options.min_end_use / rates), str(options.rate * rates), str(10**9), str(options.burst * bursts), directory]
    return subprocess.run(checker, check=False).returncode


def judge(options, counts, directory):
    status = check(options, directory)
    if options.planted is None:
        return status
    print(f"{options.planted} was planted: the limit {'was exceeded, as it had to be' if status == 1 else 'WAS NOT EXCEEDED'}", flush=True)
    if status != 1:
        return status or 5
    rates, bursts = redis_faults.PLANTED_BOUNDS[options.planted](counts[options.planted])
    print(f"by what it may do at most: {rates} x the rate, {bursts} x the burst", flush=True)
    return check(options, directory, rates, bursts)


def interrupt(_number, _frame):
    raise KeyboardInterrupt


def main():
    options = arguments()
    if options.directory:
        os.mkdir(options.directory)
    directory = options.directory or tempfile.mkdtemp(prefix="flowctl_process_")
    if options.backend == "file:":
        options.backend += os.path.join(directory, "store")
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    run = Run(options, directory)
    print(f"run.py: seed {options.seed}, {options.processes} processes, {options.seconds:g} s, backend {options.backend}", flush=True)
    status = 130
    try:
        run.go()
        print("faults: " + (", ".join(f"{count} {kind}" for kind, count in run.counts.items() if count) or "none"), flush=True)
        status = judge(options, run.counts, directory)
        if status == 0 and run.unexpected:
            status = 4
    except KeyboardInterrupt:
        print("run.py: interrupted", file=sys.stderr)
    finally:
        run.clean_up()
    with open(os.path.join(directory, "stderr"), errors="replace") as stderr:
        sys.stderr.write(stderr.read())
    if status in (0, 130) and not options.directory:
        shutil.rmtree(directory)
    else:
        print(f"run.py: the files are in {directory}")
    return status


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""One fault of a server, or of the way to it, on a limit that shows it: run.py with what makes a mistake of the store's come out.

    one_fault.py BIN FAULT [--backend valkey:] [OPTION OF run.py]...
    one_fault.py --list

Eight workers ask in waves, all for much more than there is and then nobody, and refill seldom: so at the beginning of a wave they hold most of the burst. A store that
forgets that, and lends the burst anew before they have used it, is over the limit at once. Tried with a store without the
quarantine: of three runs of each kind of loss two were over it, and of each kind at least one.
"""
import os
import sys

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run.py")
LIMIT = "--processes 8 --rate 300 --burst 60 --ttl 500ms --refresh 100ms --ask 8 --demand waves --faults {},kill,stop --every 1.5 --longest-stop 0.4"
# Losses: seldom, for the limit has to be in use again before the next; and short, for what is held has to be valid still when the burst is there again.
LOSS = "--rate 500 --seconds 10 --quiet 3.7 --server-every 1 --longest-outage 0.02 --min-use 0.03 --min-end-use 0.1"
OTHER = "--seconds 8 --quiet 4.6 --server-every 0.3 --longest-outage 0.6 --min-use 0.05 --min-end-use 0.1"
# Whoever finds the gap connects anew: the limit is little used as long as there are more.
GAP = "--seconds 7 --quiet 3 --server-every 0.3 --longest-outage 0.3 --min-use 0.02"
# A copy from the same phase of another wave would do no harm: a limit in steady use.
PLANTED = "--processes 4 --rate 2000 --burst 200 --ttl 300ms --refresh 10ms --ask 2 --demand steady --seconds 7 --quiet 2.5 --server-every 0.3 --longest-outage 0.3 --min-use 0.05"


def main():
    sys.path.append(os.path.join(os.path.dirname(RUN), "..", "servers"))
    import redis_faults
    if sys.argv[1:] == ["--list"]:
        print("\n".join(redis_faults.ALL))
        return 0
    bin, fault, *more = sys.argv[1:]
    kinds = {**dict.fromkeys(redis_faults.LOSSES, LOSS), **dict.fromkeys(redis_faults.GAPS, GAP), **dict.fromkeys(redis_faults.PLANTED, PLANTED)}
    kind = kinds.get(fault, OTHER)
    command = [sys.executable, "-B", RUN, bin, "--backend", "redis:", *LIMIT.format(fault).split(), *kind.split(), *more]
    os.execv(sys.executable, command)


if __name__ == "__main__":
    sys.exit(main())

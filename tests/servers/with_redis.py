#!/usr/bin/env python3
"""Runs a command beside a private server, and ends with its status.

    with_redis.py [--valkey] [--aof] -- COMMAND...

The command finds the server by FLOWCTL_TEST_REDIS (redis://127.0.0.1:PORT/0) and FLOWCTL_TEST_REDIS_UNIX (redis+unix:///PATH).
"""
import argparse
import os
import signal
import sys

import children
from redis_server import RedisServer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--valkey", action="store_true")
    parser.add_argument("--aof", action="store_true", help="each write is on the disk before it is answered")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with RedisServer("valkey" if options.valkey else "redis", appendfsync="always" if options.aof else None) as server:
        environment = dict(os.environ, FLOWCTL_TEST_REDIS=server.url(), FLOWCTL_TEST_REDIS_UNIX=server.unix_url())
        with children.start(options.command, env=environment) as command:
            try:
                status = command.wait()
            finally:
                command.kill()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())

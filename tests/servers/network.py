"""A proxy (proxy.py) that was started before a server, for the program that judges what gets through it."""
import atexit
import os
import subprocess
import sys

import children

PROXY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "proxy.py")


class Network:
    def __init__(self, server):
        """Before a RedisServer, or a port of this machine."""
        self.process = children.start([sys.executable, "-B", PROXY, self.target_of(server)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, bufsize=1)
        atexit.register(self.stop)
        self.port = int(self.process.stdout.readline())

    @staticmethod
    def target_of(server):
        return f"127.0.0.1:{getattr(server, 'port', server)}"

    def order(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        answer, *rest = self.process.stdout.readline().split()
        if answer != "ok":
            raise ValueError(" ".join([answer, *rest]))
        return rest

    def requests(self, *mode):
        self.order("requests", *mode)

    def replies(self, *mode):
        self.order("replies", *mode)

    def both(self, *mode):
        self.order("both", *mode)

    def black_hole(self):
        self.both("drop")

    def reset(self):
        self.order("reset")

    def refuse(self):
        self.order("refuse")

    def heal(self):
        self.order("accept")
        self.both("pass")

    def target(self, server):
        self.order("target", self.target_of(server))

    def stats(self):
        return dict(zip(("connections", "request_bytes", "reply_bytes", "dropped_bytes"), map(int, self.order("stats"))))

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        atexit.unregister(self.stop)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

"""A private Redis or Valkey server: in a folder, at a port and a socket of its own, ended with the program that started it.

    with RedisServer(appendfsync="always") as server:
        server.command("SET", "a", 1)
        server.kill9()
        server.restart()

Nothing is saved unless it is asked for. A server that is not found or does not start is an exception, with what it logged.
"""
import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from urllib.parse import quote

import binaries
import children
import resp
from wall_clock import WallClock

PATIENCE_S = 20
PORTS = range(15000, 32000)  # below those that the system deals out: a server that restarts finds its port free
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class DidNotStart(Exception):
    pass


def free_port():
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class RedisServer:
    def __init__(self, kind="redis", appendfsync=None, maxmemory=None, policy="noeviction", replicaof=None, user=None, password=None,
                 skew_so=None, settings=()):
        """appendfsync: "always" or "everysec", else there is no AOF. replicaof: a RedisServer, or (host, port). user without a password: none is
        needed. skew_so: its wall clock is self.clock. settings: more (name, value) pairs of its configuration."""
        self.program = binaries.find(kind)
        self.kind, self.user, self.password = kind, user, password
        self.process, self.paused = None, False
        self.folder = tempfile.mkdtemp(prefix=f"flowctl_{kind}_")
        atexit.register(self.stop)
        self.socket_path = os.path.join(self.folder, "socket")
        self.clock = WallClock(skew_so, os.path.join(self.folder, "skew")) if skew_so else None
        self.settings = {"bind": "127.0.0.1", "unixsocket": self.socket_path, "dir": self.folder, "save": '""', "logfile": "log",
                         "appendonly": "yes" if appendfsync else "no", "appendfsync": appendfsync or "everysec",
                         "repl-diskless-sync-delay": "0", "shutdown-timeout": "0", "enable-debug-command": "local", **dict(settings)}
        if maxmemory:
            self.settings.update({"maxmemory": maxmemory, "maxmemory-policy": policy})
        if user:
            self.settings["user"] = f"{user} on {'>' + password if password else 'nopass'} ~* &* +@all"
        elif password:
            self.settings["requirepass"] = password
        if replicaof:
            self.settings["replicaof"] = self.words_of(replicaof)
        try:
            self.start_at_some_port()
        except BaseException:
            self.stop()
            raise

    # ---- start and end ----

    @staticmethod
    def words_of(master):
        return f"127.0.0.1 {master.port}" if isinstance(master, RedisServer) else f"{master[0]} {master[1]}"

    def start_at_some_port(self):
        for last in (False, False, False, False, True):
            self.port = free_port()
            try:
                return self.start()
            except DidNotStart as why:
                if last or "Address already in use" not in str(why):
                    raise

    def start(self):
        self.settings["port"] = self.port
        config = os.path.join(self.folder, "server.conf")
        with open(config, "w") as file:
            file.writelines(f"{name} {value}\n" for name, value in self.settings.items())
        with open(os.path.join(self.folder, "stderr"), "ab") as stderr:
            self.process = children.start([self.program, config], stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, cwd=self.folder,
                                          env={**os.environ, **(self.clock.environment() if self.clock else {})})
        self.paused = False
        self.wait_until_it_answers()

    def wait_until_it_answers(self):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            if self.process.poll() is not None:
                raise DidNotStart(f"{self.program} ended with status {self.process.returncode}:\n{self.logged()}")
            try:
                if self.command("PING") == "PONG":
                    return
            except (OSError, resp.Error) as error:  # not yet listening; still loading
                if time.monotonic() > deadline:
                    self.kill9()
                    raise DidNotStart(f"{self.program} did not answer in {PATIENCE_S} s: {error}\n{self.logged()}") from error
            time.sleep(0.005)

    def logged(self):
        text = ""
        for name in ("stderr", "log"):
            path = os.path.join(self.folder, name)
            if os.path.exists(path):
                with open(path, errors="replace") as file:
                    text += file.read()
        return text[-3000:]

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def kill9(self):
        if self.runs():
            self.process.kill()
        if self.process is not None:
            self.process.wait()
        self.paused = False

    def end(self):
        """Orderly; its folder stays."""
        if self.runs():
            self.resume()
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                pass
        self.kill9()

    def restart(self):
        """The same port, socket and folder. Kills it if it still runs."""
        self.kill9()
        self.start()

    def stop(self):
        """For good."""
        self.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- what is done to it ----

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def promote(self):
        self.settings.pop("replicaof", None)
        self.command("REPLICAOF", "NO", "ONE")

    def follow(self, master):
        self.settings["replicaof"] = self.words_of(master)
        self.command("REPLICAOF", *self.settings["replicaof"].split())

    # ---- what is asked of it ----

    def connect(self, timeout_s=5):
        return resp.Connection(self.socket_path, timeout_s, self.user, self.password)

    def command(self, *words, timeout_s=5):
        with self.connect(timeout_s) as connection:
            return connection.call(*words)

    def info(self, section="all"):
        lines = self.command("INFO", section).split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def has_all_of(self, master):
        """Of what the master has written when this is asked; self is its replica."""
        wanted = int(master.info("replication")["master_repl_offset"])
        mine = self.info("replication")
        return mine["role"] == "slave" and mine["master_link_status"] == "up" and int(mine["slave_repl_offset"]) >= wanted

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def url(self, port=None):
        """port: of a proxy before it."""
        who = f"{quote(self.user or '', safe='')}:{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{who}127.0.0.1:{port or self.port}/0"

    def unix_url(self):
        return "redis+unix://" + self.socket_path

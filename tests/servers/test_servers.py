"""The private servers do what the tests that stand on them believe. usage: test_servers.py KIND SKEW_SO"""
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

import binaries
import resp
from redis_server import DidNotStart, RedisServer

KIND, SKEW_SO = sys.argv[1:3]
HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE_S = 30
BURN = "local n = 0; for i = 1, 5000000 do n = n + i end; return n"
START_AND_WAIT = f"""
import sys, time
sys.path.insert(0, {HERE!r})
from redis_server import RedisServer
server = RedisServer({KIND!r})
print(server.process.pid, flush=True)
time.sleep(60)
"""


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        time.sleep(0.005)


def is_gone(pid):
    return not os.path.exists(f"/proc/{pid}")


class Servers(unittest.TestCase):
    def start(self, **options):
        server = RedisServer(KIND, **options)
        self.addCleanup(server.stop)
        return server


class OneServer(Servers):
    def test_it_answers_at_its_port_and_its_socket(self):
        server = self.start()
        self.assertEqual(server.url(), f"redis://127.0.0.1:{server.port}/0")
        self.assertEqual(server.unix_url(), "redis+unix://" + server.socket_path)
        for address in (("127.0.0.1", server.port), server.socket_path):
            with resp.Connection(address) as connection:
                self.assertEqual(connection.call("PING"), "PONG")

    def test_it_is_of_the_kind_that_was_asked_for(self):
        self.assertEqual("valkey_version" in self.start().info("server"), KIND == "valkey")

    def test_replies_of_all_kinds(self):
        with self.start().connect() as connection:
            self.assertIsNone(connection.call("GET", "nothing"))
            self.assertEqual(connection.call("EVAL", "return {1, 'a', {false, ''}, redis.error_reply('E')}", 0)[:3], [1, "a", [None, ""]])
            with self.assertRaisesRegex(resp.Error, "ERR unknown command"):
                connection.call("NONSENSE")
            any_bytes = bytes(range(256)).decode("utf-8", "surrogateescape")
            connection.call("SET", "a", any_bytes)
            self.assertEqual(connection.call("GET", "a"), any_bytes)
            self.assertEqual(connection.call("STRLEN", "a"), 256)

    def test_two_at_once_have_nothing_in_common(self):
        one, other = self.start(), self.start()
        one.command("SET", "a", 1)
        self.assertIsNone(other.command("GET", "a"))

    def test_a_stop_leaves_no_process_and_no_folder(self):
        server = self.start()
        server.pause()  # a stopped process is ended, too
        server.stop()
        self.assertTrue(is_gone(server.process.pid))
        self.assertFalse(os.path.exists(server.folder))

    def test_its_time_on_the_processor_is_told(self):
        server = self.start()
        before = server.cpu_seconds()
        wait_until(lambda: server.command("EVAL", BURN, 0) and server.cpu_seconds() >= before + 0.1)


class State(Servers):
    def kept_after_kill(self, **options):
        server = self.start(**options)
        server.command("SET", "a", 1)
        before = server.info("server")["run_id"], server.port, server.process.pid
        server.kill9()
        self.assertTrue(is_gone(before[2]))
        server.restart()
        self.assertNotEqual(server.info("server")["run_id"], before[0])
        self.assertEqual(server.port, before[1])
        return server.command("GET", "a")

    def test_a_kill_loses_everything(self):
        self.assertIsNone(self.kept_after_kill())

    def test_a_kill_loses_nothing_that_is_always_written(self):
        self.assertEqual(self.kept_after_kill(appendfsync="always"), "1")

    def test_an_orderly_end_keeps_what_is_written_every_second(self):
        server = self.start(appendfsync="everysec")
        server.command("SET", "a", 1)
        server.end()
        server.restart()
        self.assertEqual(server.command("GET", "a"), "1")
        self.assertEqual(server.command("CONFIG", "GET", "appendfsync"), ["appendfsync", "everysec"])


class Memory(Servers):
    def fill(self, policy):
        """4 MB into 3 MB."""
        server = self.start(maxmemory="3mb", policy=policy)
        with server.connect() as connection:
            for number in range(400):
                connection.call("SET", f"junk{number}", "x" * 10000)
        return server

    def test_full_without_eviction(self):
        with self.assertRaisesRegex(resp.Error, "^OOM"):
            self.fill("noeviction")

    def test_full_with_eviction(self):
        self.assertGreater(int(self.fill("allkeys-lru").info("stats")["evicted_keys"]), 0)


class Access(Servers):
    def refused(self, server, words, *who):
        with self.assertRaisesRegex(resp.Error, words):
            with resp.Connection(server.socket_path, PATIENCE_S, *who) as connection:
                connection.call("PING")

    def test_a_password(self):
        server = self.start(password="a:b@c/d")
        self.assertEqual(server.command("PING"), "PONG")
        self.assertEqual(server.url(), f"redis://:a%3Ab%40c%2Fd@127.0.0.1:{server.port}/0")
        self.refused(server, "NOAUTH")
        self.refused(server, "WRONGPASS", None, "other")

    def test_a_user(self):
        server = self.start(user="bob", password="secret")
        self.assertEqual(server.command("ACL", "WHOAMI"), "bob")
        self.assertEqual(server.url(port=7), "redis://bob:secret@127.0.0.1:7/0")
        self.refused(server, "WRONGPASS", "bob", "other")


class Pause(Servers):
    def test_it_is_silent_and_then_goes_on(self):
        server = self.start()
        server.pause()
        with self.assertRaises(TimeoutError):
            server.command("SET", "a", 1, timeout_s=0.1)
        server.resume()
        wait_until(lambda: server.command("GET", "a") == "1")  # what was sent meanwhile is done late
        server.pause()
        server.restart()
        self.assertEqual(server.command("PING"), "PONG")


class Clock(Servers):
    def seconds_of(self, server, *command):
        seconds, micros = server.command(*command)
        return int(seconds) + int(micros) / 1e6

    def test_its_wall_clock_is_shifted_while_it_runs(self):
        server = self.start(skew_so=SKEW_SO)
        for shift in (0, 3600, -3600, 1, -1, 0):
            server.clock.set(shift)
            for command in (("TIME",), ("EVAL", "return redis.call('TIME')", 0)):
                before = time.time()
                shown = self.seconds_of(server, *command)
                self.assertTrue(before + shift - 0.001 <= shown <= time.time() + shift + 0.001, (shift, command))

    def test_its_monotonic_clock_is_not(self):
        """Its timers would rest for an hour: they delete what has expired, though nobody asks for it."""
        server = self.start(skew_so=SKEW_SO)
        server.clock.set(-3600)
        server.command("SET", "a", 1, "PX", 50)
        wait_until(lambda: server.command("DBSIZE") == 0)

    def test_a_shift_outlives_a_restart(self):
        server = self.start(skew_so=SKEW_SO)
        server.clock.set(3600)
        server.restart()
        self.assertGreater(self.seconds_of(server, "TIME"), time.time() + 3500)


class Replication(Servers):
    def pair(self):
        master = self.start()
        replica = self.start(replicaof=master)
        master.command("SET", "a", 1)
        wait_until(lambda: replica.has_all_of(master))
        self.assertEqual(replica.command("GET", "a"), "1")
        return master, replica

    def test_a_fail_over_to_a_replica_that_lags(self):
        master, replica = self.pair()
        replica.pause()
        master.command("SET", "a", 2)
        master.kill9()
        replica.resume()
        replica.promote()
        self.assertIn(replica.command("GET", "a"), ("1", "2"))  # what the system had taken already arrives
        replica.command("SET", "b", 1)
        master.restart()
        master.follow(replica)
        wait_until(lambda: master.has_all_of(replica))
        self.assertEqual(master.command("GET", "b"), "1")

    def test_two_masters(self):
        master, replica = self.pair()
        replica.promote()
        master.command("SET", "a", "here")
        replica.command("SET", "a", "there")
        self.assertEqual((master.command("GET", "a"), replica.command("GET", "a")), ("here", "there"))

    def test_a_restart_keeps_the_role(self):
        _, replica = self.pair()
        replica.restart()
        self.assertEqual(replica.info("replication")["role"], "slave")
        replica.promote()
        replica.restart()
        self.assertEqual(replica.info("replication")["role"], "master")


class Loud(Servers):
    def with_program(self, path):
        return mock.patch.dict(os.environ, {binaries.PLACES[KIND][0]: path})

    def test_no_server(self):
        with self.with_program("/nonexistent"), self.assertRaisesRegex(binaries.NotFound, "/nonexistent"):
            RedisServer(KIND)

    def test_one_that_ends_at_once(self):
        with self.with_program("/bin/false"), self.assertRaisesRegex(DidNotStart, "/bin/false ended with status 1"):
            RedisServer(KIND)

    def test_one_that_does_not_like_its_configuration(self):
        with self.assertRaisesRegex(DidNotStart, "(?i)bad directive"):
            RedisServer(KIND, settings=[("nonsense", "1")])


class OwnProcess(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.environment = dict(os.environ, TMPDIR=temporary.name)
        self.directory = temporary.name

    def start_and_end(self, number):
        with subprocess.Popen([sys.executable, "-B", "-c", START_AND_WAIT], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as parent:
            server = int(parent.stdout.readline())
            self.assertFalse(is_gone(server))
            parent.send_signal(number)
        wait_until(lambda: is_gone(server))

    def test_a_killed_test_leaves_no_server(self):
        self.start_and_end(signal.SIGKILL)

    def test_an_interrupted_one_leaves_no_folder_either(self):
        self.start_and_end(signal.SIGINT)
        self.assertEqual(os.listdir(self.directory), [])

    def beside(self, *command, options=()):
        return subprocess.run([sys.executable, "-B", os.path.join(HERE, "with_redis.py"), *(["--valkey"] if KIND == "valkey" else []), *options, "--", *command],
                              env=self.environment, capture_output=True, text=True, timeout=PATIENCE_S)

    def test_a_command_beside_a_server(self):
        talk = f"""
import os, sys
sys.path.insert(0, {HERE!r})
import resp
host, port = os.environ["FLOWCTL_TEST_REDIS"].removeprefix("redis://").removesuffix("/0").split(":")
path = os.environ["FLOWCTL_TEST_REDIS_UNIX"].removeprefix("redis+unix://")
for address in ((host, int(port)), path):
    with resp.Connection(address) as connection:
        print(connection.call("CONFIG", "GET", "appendonly")[1])
"""
        self.assertEqual(self.beside(sys.executable, "-c", talk).stdout, "no\nno\n")
        self.assertEqual(self.beside(sys.executable, "-c", talk, options=["--aof"]).stdout, "yes\nyes\n")
        self.assertEqual(os.listdir(self.directory), [])

    def test_its_status_is_that_of_the_command(self):
        for command, status in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)):
            self.assertEqual(self.beside("sh", "-c", command).returncode, status)
        self.environment[binaries.PLACES[KIND][0]] = "/nonexistent"
        self.assertEqual(self.beside("true").returncode, 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)

"""Each mode of the proxy does what it says, before a real server. usage: test_proxy.py"""
import socket
import struct
import subprocess
import sys
import time
import unittest

import network
import resp
from network import Network
from redis_server import RedisServer

PATIENCE_S = 30
DATA_PACKETS_IN = 152  # in struct tcp_info
SHORT_S = 0.1  # nothing has come so far


class ThroughTheProxy(unittest.TestCase):
    def setUp(self):
        self.server = RedisServer()
        self.addCleanup(self.server.stop)
        self.network = Network(self.server)
        self.addCleanup(self.network.stop)

    def connect(self, timeout_s=PATIENCE_S):
        connection = resp.Connection(("127.0.0.1", self.network.port), timeout_s)
        self.addCleanup(connection.close)
        return connection

    def assert_silent(self, connection):
        connection.socket.settimeout(SHORT_S)
        with self.assertRaises(TimeoutError):
            connection.socket.recv(1)
        connection.socket.settimeout(PATIENCE_S)

    def wait_for(self, value, key="a"):
        deadline = time.monotonic() + PATIENCE_S
        while self.server.command("GET", key) != value:
            self.assertLess(time.monotonic(), deadline)

    def test_pass(self):
        connection = self.connect()
        self.assertEqual(connection.call("SET", "a", "x" * 300000), "OK")
        self.assertEqual(connection.call("GET", "a"), "x" * 300000)
        stats = self.network.stats()
        self.assertEqual((stats["connections"], stats["dropped_bytes"]), (1, 0))
        self.assertGreater(min(stats["request_bytes"], stats["reply_bytes"]), 300000)

    def test_ends_are_passed_on(self):
        connection = self.connect()
        connection.call("PING")
        self.server.kill9()
        self.assertEqual(connection.socket.recv(1), b"")
        self.server.restart()
        connection = self.connect()
        self.assertEqual(connection.call("PING"), "PONG")
        connection.close()
        deadline = time.monotonic() + PATIENCE_S
        while self.network.stats()["connections"] != 0:
            self.assertLess(time.monotonic(), deadline)

    def test_delay(self):
        connection = self.connect()
        for direction, millis in ((self.network.requests, 50), (self.network.replies, 80)):
            direction("delay", millis)
            began = time.monotonic()
            connection.call("PING")
            self.assertGreaterEqual(time.monotonic() - began, millis / 1000)
            direction("pass")

    def test_delays_keep_the_order_and_do_not_add_up(self):
        self.network.requests("delay", 200, 100)
        connection = self.connect()
        began = time.monotonic()
        for number in range(50):
            connection.send("RPUSH", "list", number)
            time.sleep(0.002)  # chunks of their own
        self.assertEqual([connection.read() for _ in range(50)], list(range(1, 51)))
        self.assertTrue(0.2 <= time.monotonic() - began < 50 * 0.2)
        self.assertEqual(self.server.command("LRANGE", "list", 0, -1), [str(number) for number in range(50)])

    def test_replies_are_dropped_and_requests_get_through(self):
        connection = self.connect()
        self.network.replies("drop")
        connection.send("SET", "a", 1)
        self.wait_for("1")
        self.assert_silent(connection)
        self.network.heal()
        self.assertEqual(connection.call("ECHO", "second"), "second")  # the first reply never comes
        self.assertEqual(self.network.stats()["dropped_bytes"], len("+OK\r\n"))

    def test_requests_are_dropped(self):
        connection = self.connect()
        self.network.requests("drop")
        connection.send("SET", "a", 1)
        self.assert_silent(connection)
        self.network.heal()
        self.assertIsNone(connection.call("GET", "a"))

    def test_a_black_hole(self):
        connection = self.connect()
        self.network.black_hole()
        connection.send("SET", "a", 1)
        self.assert_silent(connection)
        late = self.connect()  # the network takes it, nobody answers
        late.send("PING")
        self.assert_silent(late)
        self.network.heal()
        self.assertEqual(connection.call("PING"), "PONG")
        self.assertIsNone(self.server.command("GET", "a"))

    def test_what_is_held_comes_after_all(self):
        connection = self.connect()
        self.network.both("hold")
        connection.send("SET", "a", 1)
        self.assert_silent(connection)
        self.assertIsNone(self.server.command("GET", "a"))
        self.network.heal()
        self.assertEqual(connection.read(), "OK")

    def test_a_reset(self):
        connections = [self.connect(), self.connect()]
        for connection in connections:
            connection.call("PING")
        self.network.reset()
        for connection in connections:
            with self.assertRaises(ConnectionResetError):
                connection.socket.recv(1)
        self.assertEqual(self.connect().call("PING"), "PONG")

    def test_refused(self):
        connection = self.connect()
        connection.call("PING")
        self.network.refuse()
        with self.assertRaises(ConnectionRefusedError):
            self.connect()
        self.assertEqual(connection.call("PING"), "PONG")
        port = self.network.port
        self.network.heal()
        self.assertEqual(self.network.port, port)
        self.assertEqual(self.connect().call("PING"), "PONG")

    def test_byte_by_byte(self):
        self.network.both("bytewise")
        connection = self.connect()
        connection.send("ECHO", "x" * 200)
        self.assertEqual(connection.read(), "x" * 200)
        # As the system counts it: a reader may find several packets at once. And it joins what has to wait.
        told = connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
        self.assertGreater(struct.unpack_from("=I", told, DATA_PACKETS_IN)[0], 20)

    def test_cut_in_the_middle_of_a_reply(self):
        connection = self.connect()
        connection.call("SET", "a", "x" * 100)
        self.network.replies("cut")
        connection.send("GET", "a")
        reply = b""
        with self.assertRaises(ConnectionResetError):
            while part := connection.socket.recv(1000):
                reply += part
            self.fail("ended in order")
        self.assertTrue(b"$100\r\nxxx".startswith(reply[:9]) and len(reply) < 100, reply)

    def test_another_target(self):
        with RedisServer() as other:
            other.command("SET", "a", "other")
            connection = self.connect()
            self.assertIsNone(connection.call("GET", "a"))
            self.network.target(other)
            with self.assertRaises(ConnectionResetError):
                connection.socket.recv(1)
            self.assertEqual(self.connect().call("GET", "a"), "other")

    def test_a_server_that_is_away(self):
        self.server.kill9()
        with self.assertRaises(ConnectionResetError):
            self.connect().socket.recv(1)

    def test_before_a_socket(self):
        proxy = subprocess.Popen([sys.executable, "-B", network.PROXY, self.server.socket_path], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        port = int(proxy.stdout.readline())
        with resp.Connection(("127.0.0.1", port)) as connection:
            self.assertEqual(connection.call("PING"), "PONG")
        proxy.communicate(timeout=PATIENCE_S)  # the end of its orders is its end
        self.assertEqual(proxy.returncode, 0)

    def test_wrong_orders(self):
        for order in (["nonsense"], ["replies"], ["replies", "nonsense"], ["replies", "delay"], ["replies", "delay", "x"], ["target", "x"]):
            with self.assertRaisesRegex(ValueError, "error"):
                self.network.order(*order)
        self.assertEqual(self.connect().call("PING"), "PONG")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)

"""Opening: what stands in the way is named, in time, and heals by itself. usage: test_start.py DRIVER SERVER SLOW_NAMES"""
import os
import re
import tempfile
import time

import driver
from fake_server import FakeServer, FullServer, commands, hold, name_of, say
from redis_server import free_port

CONNECT_MS = 150
SLACK_MS = 1000  # of a busy machine
SECRET = "hunter2"
NOT_REDIS = {  # what else may listen there: what it says, and what is told of it
    "silent": (hold, "TIMED_OUT", "the server does not answer in time"),
    "closes": (lambda connection: None, "UNAVAILABLE", "(Server closed the connection|Connection reset by peer)"),
    "HTTP": (lambda c: (c.recv(10), c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")), "UNAVAILABLE", 'Protocol error, got "H"'),
    "agrees to everything": (say(), "UNAVAILABLE", "not a Redis server"),
    "talks unasked": (lambda c: (c.sendall(b"+OK POP3 ready\r\n" * 20), hold(c)), "UNAVAILABLE", "not a Redis server"),
    "endless": (lambda c: (c.sendall(b"$1000\r\n"), hold(c)), "TIMED_OUT", "the server does not answer in time"),
}


class Start(driver.Case):
    def refused(self, status, words, **options):
        """Opening fails in time, with a message that names the cause and where; not degraded it would be told the same way."""
        d = self.driver()
        before = d.self().descriptors
        answer = d.open("b", connect_ms=CONNECT_MS, **options)
        self.assertEqual(answer.status, status, answer)
        self.assertRegex(answer.message, words)
        self.assertLess(answer.ms, CONNECT_MS + SLACK_MS)
        self.assertEqual(d.self().descriptors, before)
        self.assertLess(self.open(d, "b", connect_ms=CONNECT_MS, start="degraded", **options).ms, SLACK_MS)
        message = driver.wait_until(lambda: d.info("b").message)
        self.assertRegex(message, words.rpartition(": ")[2])
        self.assertFalse(d.info("b").ready)
        for told in (answer.message, message):
            self.assertNotIn(SECRET, told)
        return answer.message


class Unreachable(Start):
    def test_nobody_listens(self):
        self.refused("UNAVAILABLE", r"^redis: 127\.0\.0\.1, port \d+: Connection refused$", port=free_port())

    def test_no_such_socket(self):
        self.refused("UNAVAILABLE", "^redis: /nonexistent: No such file or directory$", unix="/nonexistent")

    def test_no_such_host(self):
        # One that can't be, so that nobody is asked for it.
        self.refused("UNAVAILABLE", "^redis: no..such..host, port 6379: Name or service not known", host="no..such..host")

    def test_names_that_take_long_to_look_up(self):
        """The time to connect begins when they are there."""
        port = self.server().port
        d = self.driver(LD_PRELOAD=self.slow_names, FLOWCTL_SLOW_NAMES_MS=str(2 * CONNECT_MS),
                        ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
        self.assertGreaterEqual(self.open(d, "fail", host="localhost", port=port, connect_ms=CONNECT_MS).ms, 2 * CONNECT_MS)
        self.open(d, "degraded", host="localhost", port=port, connect_ms=CONNECT_MS, start="degraded")
        driver.wait_until(lambda: d.info("degraded").ready)
        self.assertEqual(d.info("degraded").faults, 0)

    def test_nobody_accepts(self):
        with FullServer() as server:
            self.refused("TIMED_OUT", "the connection is not accepted in time", port=server.port)

    def test_something_else_listens(self):
        for name, (meet, status, words) in NOT_REDIS.items():
            with self.subTest(name), FakeServer(meet) as server:
                self.refused(status, words, port=server.port)

    def test_many_failures_leave_nothing_behind(self):
        d = self.driver()
        with FakeServer(lambda connection: connection.recv(100)) as server:
            places = {"port": free_port()}, {"unix": "/nonexistent"}, {"port": server.port}

            def fail(times):
                for _ in range(times):
                    for place in places:
                        self.assertNotEqual(d.open("b", connect_ms=CONNECT_MS, **place).status, "OK")
                return d.self()
            before, after = fail(20), fail(300)
        self.assertEqual(after.descriptors, before.descriptors)
        if not self.instrumented:
            self.assertLess(after.rss_kb - before.rss_kb, 500)


class Places(Start):
    def test_socket_and_port_and_ipv6(self):
        server = self.server(settings=[("bind", "127.0.0.1 ::1")])
        d = self.driver()
        for options in ({"url": server.url()}, {"url": server.unix_url()}, {"unix": server.socket_path}, {"host": "localhost", "port": server.port},
                        {"host": "::1", "port": server.port}, {"url": f"redis://[::1]:{server.port}/3"}):
            with self.subTest(**options):
                self.open(d, "b", **options)
                self.assertEqual(d.set("b", "a", options.get("url", "a")).status, "OK")
                d.close("b")

    def test_the_longest_path_of_a_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, (106 - len(folder) - 1) * "s")
            os.symlink(self.server().socket_path, path)
            d = self.driver()
            for times in range(3):
                self.open(d, f"b{times}", unix=path)
            self.assertRegex(d.open("b", unix=path + "s").message, "unix_socket has 107 bytes: at most 106")

    def test_a_database(self):
        server = self.server()
        d = self.driver()
        self.open(d, "b", url=server.url().removesuffix("0") + "3")
        d.set("b", "a", 1)
        self.assertEqual(server.command("INFO", "keyspace").split()[2].split(":")[0], "db3")
        server.restart()
        driver.wait_until(lambda: d.set("b", "a", 1).status == "OK")
        self.assertEqual(server.command("INFO", "keyspace").split()[2].split(":")[0], "db3")

    def test_a_database_that_is_not_there(self):
        """Never another in its place."""
        server = self.server(settings=[("databases", 4)])
        self.refused("OUT_OF_RANGE", "DB index is out of range", port=server.port, database=4)
        d = self.driver()
        self.open(d, "b", port=server.port, database=4, start="degraded", backoff_min_ms=5, backoff_max_ms=10)
        self.limiter(d, "l", "b", "x", ttl_ms=20)
        self.assertEqual(self.wait_for_fault(d, "b", "bad database"), "ERR DB index is out of range")
        driver.wait_until(lambda: d.sharing("l").status == "OUT_OF_RANGE")
        self.assertEqual(d.set("b", "a", 1).status, "OUT_OF_RANGE")
        driver.wait_until(lambda: d.info("b").faults > 10)
        self.assertEqual(server.command("DBSIZE"), 0)
        self.assertEqual(d.info("b").connects, 0)


class Password(Start):
    def test_it_is_wrong(self):
        server = self.server(password="other")
        self.refused("NOT_PERMITTED", "WRONGPASS", url=f"redis://:{SECRET}@127.0.0.1:{server.port}")

    def test_it_is_missing(self):
        self.refused("NOT_PERMITTED", "NOAUTH", port=self.server(password=SECRET).port)

    def test_there_is_none(self):
        self.refused("NOT_PERMITTED", "without any password configured", port=self.server().port, password=SECRET)

    def test_an_unknown_user(self):
        self.refused("NOT_PERMITTED", "WRONGPASS", port=self.server().port, user="bob", password=SECRET)

    def test_a_server_that_repeats_what_it_is_sent(self):
        server = self.server(settings=[("rename-command", 'AUTH ""')])
        message = self.refused("NOT_PERMITTED", "unknown command 'AUTH'$", port=server.port, user="bob", password=SECRET)
        self.assertNotIn("bob", message)
        self.refused("NOT_PERMITTED", "unknown command 'AUTH'$", port=server.port, password=200 * "x" + SECRET)
        with FakeServer(say(f"-ERR what is AUTH {SECRET} to me\r\n".encode())) as fake:
            self.refused("NOT_PERMITTED", "what is AUTH $", port=fake.port, password=SECRET)

    def test_a_server_that_has_no_room(self):
        server = self.server(settings=[("maxclients", "1")])
        with server.connect() as only:
            only.call("PING")
            self.refused("NOT_PERMITTED", "max number of clients", port=server.port)

    def test_letting_in_later(self):
        server = self.server(password="other")
        d = self.driver()
        self.open(d, "b", port=server.port, password=SECRET, start="degraded", backoff_min_ms=5, backoff_max_ms=20)
        self.limiter(d, "l", "b", "x", ttl_ms=20)
        self.assertIn("WRONGPASS", self.wait_for_fault(d, "b", "refused"))
        server.command("CONFIG", "SET", "requirepass", SECRET)
        self.wait_until_it_lends(d, "l")
        self.assertEqual((d.info("b").connects, d.info("b").ready), (1, True))


class Rights(Start):
    """As docs/redis.md lists them."""
    RIGHTS = "+auth +select +script|load +evalsha +time +info +hget +hgetall +hmget +exists +hset +hdel +pexpire +persist +del +incrby +scan"

    def setUp(self):
        self.redis = self.server()
        self.allow("on", ">" + SECRET, "-@all", "+auth", "+script|load")

    def allow(self, *rules):
        self.redis.command("ACL", "SETUSER", "bob", *rules)

    def test_each_right_that_is_missing_is_told_and_heals_when_given(self):
        d = self.driver()
        self.open(d, "b", port=self.redis.port, user="bob", password=SECRET, backoff_min_ms=5, backoff_max_ms=20)
        self.limiter(d, "l", "b", "x", ttl_ms=20)
        for message, *rules in (("NOPERM .*evalsha", "+evalsha"), ("NOPERM .*key", "%R~flowctl:*"), ("NOPERM .*key", "resetkeys", "~other:*"),
                                ("NOPERM .*key", "resetkeys", "~flowctl:*"), ("(script can't run this command|ACL failure in script)", "+info")):
            faults = d.info("b").faults
            driver.wait_until(lambda: d.info("b").faults > faults + 1 and re.search(message, d.info("b").message))
            self.assertEqual(d.info("b").fault, "refused")
            self.assertEqual(d.sharing("l").status, "NOT_PERMITTED")
            self.allow(*rules)
        self.allow(*self.RIGHTS.split())
        self.wait_until_it_lends(d, "l")
        for answer in (d.set("b", "a", 1), d.set("b", "a", 2, ttl_ms=1000), d.get("b", "a"), d.remove("b", "a"), d.increment("b", "n", 1), d.inspect("b"),
                       d.probe("b", 1000), d.inspect("b", "x")):
            self.assertEqual(answer.status, "OK")
        # Rights come and go on a connection that is there: nobody else on it has to suffer from them.
        self.assertEqual(d.info("b").connects, 1)

    def test_a_verb_that_is_not_permitted_disturbs_no_other(self):
        self.allow("~flowctl:*", *self.RIGHTS.replace("+incrby", "").split())
        d = self.driver()
        self.open(d, "b", port=self.redis.port, user="bob", password=SECRET)
        self.limiter(d, "l", "b", "x", ttl_ms=20)
        self.wait_until_it_lends(d, "l")
        for _ in range(20):
            self.assertEqual(d.increment("b", "n", 1).status, "NOT_PERMITTED")
        self.assertEqual((d.info("b").connects, d.sharing("l").failures), (1, 0))

    def test_a_user_who_is_deleted_and_comes_back(self):
        self.allow("~flowctl:*", *self.RIGHTS.split())
        d = self.driver()
        self.open(d, "b", port=self.redis.port, user="bob", password=SECRET, backoff_min_ms=5, backoff_max_ms=20)
        self.limiter(d, "l", "b", "x", ttl_ms=20)
        self.wait_until_it_lends(d, "l")
        self.redis.command("ACL", "DELUSER", "bob")
        self.assertIn("WRONGPASS", self.wait_for_fault(d, "b", "refused"))
        self.allow("on", ">" + SECRET, "~flowctl:*", *self.RIGHTS.split())
        self.wait_until_it_lends(d, "l")


class Degraded(Start):
    def test_the_policy_decides_until_the_server_appears(self):
        server = self.server()
        server.end()
        d = self.driver()
        self.assertLess(self.open(d, "b", port=server.port, start="degraded", backoff_min_ms=20, backoff_max_ms=100).ms, SLACK_MS)
        self.limiter(d, "closed", "b", "x", ttl_ms=40)
        self.limiter(d, "open", "b", "x", ttl_ms=40, away="open")
        driver.wait_until(lambda: d.sharing("open").state == "EXPIRED" and d.sharing("closed").state == "EXPIRED")
        self.assertEqual((d.spend("closed", 20).allowed, d.sharing("closed").status), (0, "UNAVAILABLE"))
        self.assertGreater(d.spend("open", 20).allowed, 5)
        self.assertEqual(self.wait_for_fault(d, "b", "unreachable"), "Connection refused")
        self.assertEqual(d.get("b", "a").status, "UNAVAILABLE")
        server.start()
        began = time.monotonic()
        driver.wait_until(lambda: d.info("b").ready)
        self.assertLess(time.monotonic() - began, 0.1 + SLACK_MS / 1000)
        self.wait_until_it_lends(d, "closed")
        self.assertEqual(d.sharing("open").state, "ACTIVE")

    def test_attempts_come_less_and_less_often(self):
        """Also while the server lets us in and then can't serve us: 5, 10, 20, 40, 80, 80 ... ms, or half of that."""
        reached = []
        meets = {"refuses": lambda connection: reached.append(time.monotonic()),
                 "is a replica": lambda connection: (reached.append(time.monotonic()), self.be_replica(connection))}
        for name, meet in meets.items():
            with self.subTest(name), FakeServer(meet) as server:
                reached.clear()
                d = self.driver()
                d.raw("r", port=server.port, start="degraded", backoff_min_ms=5, backoff_max_ms=80)
                began = time.monotonic()
                driver.wait_until(lambda: d.ask("r", "x", want=1) and len(reached) >= 12)
                # Eleven waits, of which seven are of 80 ms, jittered.
                self.assertGreater(time.monotonic() - began, (5 + 10 + 20 + 40 + 7 * 80) / 2 / 1000)

    def be_replica(self, connection):
        for words in commands(connection):
            if words[:2] == [b"SCRIPT", b"LOAD"]:
                connection.sendall(name_of(words[2]))
            else:
                connection.sendall(b"-READONLY You can't write against a read only replica.\r\n")


if __name__ == "__main__":
    driver.main()

"""The connection: servers that die, stop, cut, drip or say nothing; and who is left behind. usage: test_link.py DRIVER SERVER SLOW_NAMES"""
import signal
import struct
import time

import driver
from fake_server import FakeServer, FullServer, commands, hold, name_of
from network import Network

REPLY_MS = 100


class Link(driver.Case):
    def setUp(self):
        self.redis = self.server()
        self.d = self.driver()

    def connect(self, drive="thread", port=None, **options):
        """The backend "b" with the limiter "l", in use, and the raw store "r", all of them quick to notice and to come back."""
        quick = {"reply_ms": REPLY_MS, "connect_ms": 1000, "backoff_min_ms": 5, "backoff_max_ms": 20, **options}
        if "unix" not in options:
            quick["port"] = port or self.redis.port
        self.open(self.d, "b", drive=drive, **quick)
        self.assertEqual(self.d.raw("r", **quick).status, "OK")
        self.limiter(self.d, "l", "b", "x", ttl_ms=40)
        self.wait_until_it_lends(self.d, "l")
        self.wait_until_lent()

    def wait_until_lent(self):
        """Through the raw store."""
        driver.wait_until(lambda: self.d.ask("r", "y", want=1).__dict__.get("grant"))

    def each_answered_once(self):
        tickets = self.d.tickets("r")
        self.assertEqual((tickets.answered, tickets.twice, tickets.unknown, tickets.late), (tickets.given, 0, 0, 0))
        return tickets

    def send(self, count, **options):
        self.d.order("send", "r", "y", count, session=1000, **options)

    def drive_until_answered(self):
        driver.wait_until(lambda: self.d.drive("r", 1) and (now := self.d.tickets("r")).answered == now.given)

    def heals(self):
        self.wait_until_it_lends(self.d, "l")
        self.wait_until_lent()
        self.each_answered_once()


class Servers(Link):
    def test_killed_and_started_again(self):
        self.connect()
        for _ in range(3):
            self.send(20)
            self.redis.kill9()
            self.drive_until_answered()
            self.each_answered_once()
            self.assertEqual(self.wait_for_fault(self.d, "b", "unreachable"), "Connection refused")
            self.assertEqual(self.d.get("b", "a").status, "UNAVAILABLE")
            self.redis.restart()
            self.heals()

    def test_stopped_for_longer_than_it_may_be_silent(self):
        """What it answers when it goes on is answered to nobody: it counts at the server only."""
        self.connect()
        self.d.ask("r", "y")  # its account up to date
        before = self.d.inspect("b", "y").granted
        self.redis.pause()
        told = [self.d.ask("r", "y", want=1, wait_ms=10 * REPLY_MS) for _ in range(3)]
        self.assertEqual({answer.status for answer in told}, {"TIMED_OUT"})
        self.assertEqual(self.wait_for_fault(self.d, "b", "silent"), "the server does not answer in time")
        self.assertEqual(self.d.get("b", "a").status, "TIMED_OUT")
        driver.wait_until(lambda: self.d.sharing("l").state == "EXPIRED")
        self.redis.resume()
        self.heals()
        self.assertLessEqual(self.d.inspect("b", "y").granted, before + len(told) + 1)

    def test_one_that_is_slow_but_at_work_is_not_silent(self):
        """The last of many answers comes later than any may, but none is that long after the one before."""
        def meet(connection):
            for words in commands(connection):
                if words[0] == b"SCRIPT":
                    connection.sendall(name_of(words[2]))
                else:
                    time.sleep(REPLY_MS / 1000 / 5)
                    connection.sendall(b"-OOM\r\n")
        with FakeServer(meet) as server:
            self.assertEqual(self.d.raw("r", port=server.port, reply_ms=REPLY_MS).status, "OK")
            self.send(15)
            driver.wait_until(lambda: self.d.drive("r", 1) and self.d.tickets("r").answered == 15)
            self.assertEqual((self.d.tickets("r").NO_MEMORY, server.met), (15, 1))

    def test_answers_that_nobody_asked_for(self):
        for extra in (b"+OK\r\n", b"-ERR what\r\n", b":1\r\n", b"$-1\r\n", b"*0\r\n"):
            def meet(connection):
                for words in commands(connection):
                    connection.sendall(name_of(words[2]) if words[0] == b"SCRIPT" else b"-OOM\r\n" + extra)
            with self.subTest(extra), FakeServer(meet) as server:
                self.open(self.d, "b", port=server.port, backoff_min_ms=5, backoff_max_ms=5)
                self.assertEqual(self.d.inspect("b", "x").status, "NO_MEMORY")
                self.assertEqual(self.wait_for_fault(self.d, "b", "other"), "the server answers what it was not asked")
                driver.wait_until(lambda: self.d.info("b").connects > 1)
                self.d.close("b")

    FIELDS = ([b":0\r\n"] * 9 + [b"$16\r\n" + b"1" * 16 + b"\r\n", b"$16\r\n" + struct.pack("<QQ", 1, 10**9) + b"\r\n"] + [b":1\r\n"] * 3 +
              [b"<session>", b"<seq>"])

    def answering(self, left):
        """A server that answers one after the other, naming whom it answers where they say so."""
        def meet(connection):
            for words in commands(connection):
                if words[0] == b"SCRIPT":
                    connection.sendall(name_of(words[2]))
                else:
                    whom = b"$32\r\n" + words[5] + b"\r\n", b":" + words[8] + b"\r\n"
                    connection.sendall(left.pop(0).replace(b"<session>", whom[0]).replace(b"<seq>", whom[1]))
        return FakeServer(meet)

    def test_answers_of_another_shape(self):
        right, wrong = self.FIELDS, []
        for place in range(len(right) - 2):
            for other in (b"$-1\r\n", b"+1\r\n", b"*0\r\n", b":-1\r\n", b"$2\r\nab\r\n"):
                wrong.append(b"*16\r\n" + b"".join(right[:place] + [other] + right[place + 1:]))
        left = [b"*16\r\n" + b"".join(right), b"*17\r\n" + b"".join(right) + b"+more\r\n", *wrong]
        with self.answering(left) as server:
            self.assertEqual(self.d.raw("r", port=server.port).status, "OK")
            told = [self.d.ask("r", "x").status for _ in range(len(left))]
        self.assertEqual(told, ["OK"] * 2 + ["UNSUPPORTED"] * len(wrong))
        self.assertEqual((server.met, left), (1, []))
        self.each_answered_once()

    def test_answers_for_somebody_else(self):
        """Whoever is answered what was not meant for him believes nothing from then on: an answer was lost, and all behind it are shifted."""
        right = self.FIELDS
        for answer in (b"+OK\r\n", b":1\r\n", b"$-1\r\n", b"*0\r\n", b"*-1\r\n", b"*1\r\n*1\r\n:1\r\n", b"*14\r\n" + b"".join(right[:-2]),
                       b"*16\r\n" + b"".join(right[:-2]) + b"$32\r\n" + b"0" * 32 + b"\r\n<seq>", b"*16\r\n" + b"".join(right[:-1]) + b":77\r\n",
                       b"*16\r\n" + b"".join(right[:-2]) + b"<seq><session>", b"*16\r\n" + b"$-1\r\n" * 16):
            with self.subTest(answer), self.answering([answer, b"*16\r\n" + b"".join(right)]) as server:
                d = self.driver()
                self.assertEqual(d.raw("r", port=server.port, backoff_min_ms=1, backoff_max_ms=1).status, "OK")
                self.assertEqual(d.ask("r", "x").status, "UNAVAILABLE")
                driver.wait_until(lambda: d.ask("r", "x").status == "OK")
                self.assertEqual(server.met, 2)

    def test_shapes_that_values_and_inspections_do_not_have(self):
        for answer in (b"+OK\r\n", b":1\r\n", b"$-1\r\n", b"*0\r\n", b"*2\r\n:1\r\n:1\r\n", b"*2\r\n$-1\r\n$1\r\na\r\n", b"*2\r\n$1\r\n0\r\n$1\r\na\r\n",
                       b"*13\r\n" + b":1\r\n" * 13, b"*13\r\n$16\r\n" + bytes(16) + b"\r\n" + b":1\r\n" * 11 + b"*2\r\n*8\r\n" + b":1\r\n" * 8 + b"$1\r\na\r\n"):
            def meet(connection):
                for words in commands(connection):
                    connection.sendall(name_of(words[2]) if words[0] == b"SCRIPT" else answer)
            with self.subTest(answer), FakeServer(meet) as server:
                self.open(self.d, "b", port=server.port)
                verbs = [self.d.get("b", "a"), self.d.set("b", "a", 1), self.d.increment("b", "a", 1), self.d.inspect("b", "x"), self.d.inspect("b")]
                self.assertTrue({verb.status for verb in verbs} <= {"OK", "CONFLICT", "NOT_FOUND", "UNSUPPORTED"}, verbs)
                self.assertEqual((self.d.info("b").connects, verbs[4].limits), (1, 0))
                self.d.close("b")


class Networks(Link):
    def setUp(self):
        super().setUp()
        self.wire = Network(self.redis)
        self.addCleanup(self.wire.stop)

    def connect(self, **options):
        super().connect(port=self.wire.port, **options)

    def test_cut_in_the_middle_of_an_answer(self):
        self.connect()
        for _ in range(5):
            before = self.d.info("b")
            self.wire.replies("cut")
            self.send(5)
            self.drive_until_answered()
            driver.wait_until(lambda: self.d.info("b").faults > before.faults + 2)
            self.wire.heal()
            self.heals()
            driver.wait_until(lambda: self.d.info("b").connects > before.connects)

    def test_byte_by_byte(self):
        self.connect(reply_ms=10000)
        self.wire.both("bytewise")
        for _ in range(10):
            self.assertEqual(self.d.ask("r", "y", want=1).status, "OK")
        self.assertEqual((self.d.set("b", "a", "value").status, self.d.get("b", "a").value), ("OK", "value"))
        self.assertEqual(self.d.inspect("b").limits, 2)
        self.assertEqual((self.d.info("b").faults, self.d.info("b").connects), (0, 1))

    def test_answers_that_are_lost(self):
        """What was asked was done, as the server sees it; it is never asked a second time."""
        self.connect()
        driver.wait_until(lambda: self.d.ask("r", "y", want=3, need=3).__dict__.get("grant"))
        time.sleep(0.05)  # so that there are 3 more
        before = self.d.inspect("b", "y").granted
        self.wire.replies("drop")
        answer = self.d.ask("r", "y", want=3, need=3)
        self.assertEqual(answer.status, "TIMED_OUT")
        self.assertEqual(self.wait_for_fault(self.d, "b", "silent"), "the server does not answer in time")
        self.wire.heal()
        driver.wait_until(lambda: self.d.inspect("b", "y").status == "OK")
        self.assertEqual(self.d.inspect("b", "y").granted, before + 3)
        self.heals()

    def test_a_black_hole(self):
        self.connect()
        self.wire.black_hole()
        self.assertEqual(self.d.ask("r", "y", want=1).status, "TIMED_OUT")
        self.wait_for_fault(self.d, "b", "silent")
        self.wire.heal()
        self.heals()

    def test_reset_and_refused(self):
        self.connect()
        self.wire.refuse()
        self.wire.reset()
        self.wait_for_fault(self.d, "b", "unreachable")
        driver.wait_until(lambda: self.d.sharing("l").state == "EXPIRED")
        self.wire.heal()
        self.heals()

    def test_late_but_in_time(self):
        self.connect(reply_ms=10000)
        self.wire.replies("delay", REPLY_MS)
        for _ in range(3):
            self.assertEqual(self.d.ask("r", "y", want=1).status, "OK")
        self.assertEqual(self.d.info("b").connects, 1)


class Leaks(Link):
    def test_a_thousand_connections_leave_nothing_behind(self):
        self.connect(backoff_min_ms=1, backoff_max_ms=1)
        with self.redis.connect() as killer:
            def reconnect(times):
                for _ in range(times):
                    connects = self.d.info("b").connects
                    killer.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                    driver.wait_until(lambda: self.d.info("b").connects > connects)
                driver.wait_until(lambda: self.d.info("b").ready)
                driver.wait_until(lambda: self.d.ask("r", "y").status == "OK")
                return self.d.self()
            before, after = reconnect(200), reconnect(800)
        self.assertEqual(after.descriptors, before.descriptors)
        if not self.instrumented:
            self.assertLess(after.rss_kb - before.rss_kb, 400)
        self.heals()

    def test_many_asks_leave_nothing_behind(self):
        self.connect()

        def ask(times):
            for _ in range(times):
                self.send(100)
                self.drive_until_answered()
            return self.d.self().rss_kb
        before = ask(10)
        after = ask(40)
        if not self.instrumented:
            self.assertLess(after - before, 400)
        self.each_answered_once()

    def test_all_descriptors_are_given_back_and_none_is_inherited(self):
        before = self.d.self()
        for _ in range(3):
            self.connect()
            self.assertEqual(self.d.self().descriptors, before.descriptors + 6)
            self.assertEqual(self.d.self().inherited, 0)
            for verb, name in (("destroy", "l"), ("close", "b"), ("shut", "r")):
                self.d.order(verb, name)
            self.d.order("forget", "r")
        self.assertEqual(self.d.self().descriptors, before.descriptors)
        self.assertLessEqual(self.d.self().threads, 1 + self.extra_threads)


class Pipes(Link):
    def test_a_write_without_a_guard_is_the_end(self):
        with self.assertRaisesRegex(driver.Ended, f"status -{int(signal.SIGPIPE)}:"):
            self.d.order("break")

    def test_a_server_that_is_gone_when_we_write(self):
        self.connect(unix=self.redis.socket_path)
        for _ in range(5):
            self.assertEqual(self.d.ask("r", "y").status, "OK")
            self.redis.kill9()
            self.send(3)
            self.d.shut("r")  # writes what it has at once
            self.each_answered_once()
            self.d.order("forget", "r")
            self.redis.restart()
            driver.wait_until(lambda: self.d.raw("r", unix=self.redis.socket_path).status == "OK")
            self.wait_until_lent()

    def test_a_server_that_goes_again_and_again_under_load(self):
        self.connect(unix=self.redis.socket_path, backoff_min_ms=1, backoff_max_ms=1)
        self.limiter(self.d, "many", "b", "m", count=50, ttl_ms=40, refresh_ms=1)
        with self.redis.connect() as killer:
            for _ in range(100):
                self.d.send("spend", "many", 3)
                killer.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                self.d.receive()
        self.heals()


class Ends(Link):
    """Closing returns at once; each ticket is answered once, and none after that."""

    def close_amid(self, **options):
        self.assertEqual(self.d.raw("r", connect_ms=60000, reply_ms=60000, start="degraded", **options).status, "OK")
        self.open(self.d, "b", connect_ms=60000, reply_ms=60000, start="degraded", **options)
        self.limiter(self.d, "l", "b", "x", count=20)
        self.send(50)
        self.d.drive("r", 20)
        yield
        self.assertLess(self.d.destroy("l").ms + self.d.close("b").ms + self.d.shut("r").ms, 1000)
        self.assertEqual(self.each_answered_once().UNAVAILABLE, 50)
        self.d.order("forget", "r")

    def test_while_nobody_listens(self):
        with FakeServer(hold) as server:
            port = server.port
        list(self.close_amid(port=port, backoff_min_ms=30000, backoff_max_ms=30000))

    def test_while_nobody_accepts(self):
        with FullServer() as server:
            list(self.close_amid(port=server.port))

    def test_while_it_says_nothing(self):
        with FakeServer(hold) as server:
            list(self.close_amid(port=server.port))

    def test_while_asks_are_on_their_way(self):
        for place in ({"port": self.redis.port}, {"unix": self.redis.socket_path}):
            self.assertEqual(self.d.raw("warm", **place).status, "OK")
            steps = self.close_amid(**place)
            self.d.shut("warm")
            self.d.order("forget", "warm")
            # The first are answered before it is stopped.
            next(steps)
            self.drive_until_answered()
            answered = self.d.tickets("r").answered
            self.redis.pause()
            self.send(500)
            self.d.drive("r", 5)
            self.assertEqual(self.d.tickets("r").answered, answered)
            self.assertLess(self.d.shut("r").ms + self.d.destroy("l").ms + self.d.close("b").ms, 1000)
            self.assertEqual(self.each_answered_once().UNAVAILABLE, 500)
            self.d.order("forget", "r")
            self.redis.resume()

    def test_who_asks_again_from_inside_of_an_answer(self):
        """As a decorator may; when the connection ends, when there is none, and at the end."""
        for end in ("kill", "stop", "shut"):
            with self.subTest(end):
                self.redis.restart()
                self.assertEqual(self.d.raw("r", port=self.redis.port, reply_ms=REPLY_MS, again=200, backoff_min_ms=1, backoff_max_ms=2).status, "OK")
                self.redis.pause()
                self.send(100)
                self.d.drive("r", 5)
                if end == "kill":
                    self.redis.kill9()
                if end != "shut":
                    self.d.drive("r", 3 * REPLY_MS)
                self.d.shut("r")
                self.assertEqual(self.each_answered_once().given, 300)
                self.d.order("forget", "r")

    def test_those_who_leave_say_so(self):
        """What they held is there for others at once."""
        for drive in ("thread", "poll"):
            for place in ({"port": self.redis.port}, {"unix": self.redis.socket_path}):
                self.open(self.d, "b", drive=drive, **place)
                self.limiter(self.d, "l", "b", "z", count=1000, ttl_ms=5000)
                driver.wait_until(lambda: drive == "thread" or self.d.turn("b", 5))
                self.open(self.d, "other", **place)
                driver.wait_until(lambda: (drive == "thread" or self.d.turn("b", 5)) and self.d.inspect("other").members == 1000)
                self.d.destroy("l")
                self.d.close("b")
                driver.wait_until(lambda: self.d.inspect("other").members == 0, 2)
                self.d.close("other")


class Writes(Link):
    def reads_per_ask(self, action):
        """Of the server: one read takes all that came in one write, but 16 KiB at most."""
        before, asks_before = self.redis.info("stats"), self.asks()
        action()
        reads = int(self.redis.info("stats")["total_reads_processed"]) - int(before["total_reads_processed"])
        return reads / (self.asks() - asks_before)

    def asks(self):
        return int(self.redis.info("commandstats").get("cmdstat_evalsha", "calls=0,").split("=")[1].split(",")[0])

    def test_what_is_due_goes_together(self):
        self.open(self.d, "b", port=self.redis.port)
        self.limiter(self.d, "l", "b", "m", count=2000, ttl_ms=2000, refresh_ms=100)
        together = self.reads_per_ask(lambda: [self.d.order("try", "l", 1) for _ in range(10) if not time.sleep(0.1)])
        self.assertLess(together, 0.2)
        self.assertEqual(self.d.info("b").faults, 0)

    def test_what_is_sent_one_by_one_is_told_from_it(self):
        self.assertEqual(self.d.raw("r", port=self.redis.port).status, "OK")
        self.assertGreater(self.reads_per_ask(lambda: [self.d.ask("r", "y") for _ in range(100)]), 0.9)


class Poll(Link):
    """The program's own event loop around the descriptor."""

    def turn_until(self, condition):
        driver.wait_until(lambda: self.d.turn("b", 5) and condition())

    def open_polled(self, **options):
        self.open(self.d, "b", port=self.redis.port, drive="poll", backoff_min_ms=5, backoff_max_ms=20, **options)
        self.limiter(self.d, "l", "b", "x", ttl_ms=100)
        self.turn_until(lambda: self.d.order("try", "l", 1).allowed)

    def test_without_a_thread_it_lends(self):
        self.open_polled()
        self.assertLessEqual(self.d.self().threads, 1 + self.extra_threads)
        self.assertEqual((self.d.set("b", "a", 1).status, self.d.probe("b", 1000).status), ("OK", "OK"))

    def test_at_rest_it_is_polled_now_and_then(self):
        self.open_polled()
        self.d.turn("b", 200)
        asks = self.d.sharing("l").asks
        turned = self.d.turn("b", 1000)
        asks = self.d.sharing("l").asks - asks
        self.assertGreater(asks, 10)
        # To ask, to take the answer, and once more each.
        self.assertLess(turned.polls, 4 * asks + 10)

    def test_with_nothing_to_do_it_rests(self):
        self.open_polled()
        self.d.destroy("l")
        self.d.turn("b", 50)
        self.assertLess(self.d.turn("b", 500).polls, 4)

    def test_it_rests_between_attempts(self):
        self.open_polled(reply_ms=REPLY_MS)
        self.d.destroy("l")
        self.redis.kill9()
        self.turn_until(lambda: self.d.info("b").fault == "unreachable")
        self.d.turn("b", 100)
        self.assertLess(self.d.turn("b", 500).polls, 500 / 10 * 3 + 10)
        self.redis.restart()
        self.turn_until(lambda: self.d.info("b").ready)

    def test_it_wakes_for_another_thread(self):
        """Which is short in the middle of a rest of some 240 ms; without that nothing is asked meanwhile."""
        self.open(self.d, "b", port=self.redis.port, drive="poll")
        self.limiter(self.d, "l", "b", "x", ttl_ms=800, refresh_ms=30, burst=1000)
        self.turn_until(lambda: (now := self.d.sharing("l")).state == "ACTIVE" and not now.quarantine_ms)
        self.d.turn("b", 300)
        for awaited in (0, 1):
            asks = self.d.sharing("l").asks
            self.turn_until(lambda: self.d.sharing("l").asks > asks)
            self.d.turn("b", 50)
            asks = self.d.sharing("l").asks
            if awaited:
                self.d.later("l", 10, 1000)
            self.d.turn("b", 80)
            self.assertEqual(self.d.sharing("l").asks > asks, bool(awaited))

    def test_an_interrupt_at_the_moment_of_a_poll_is_no_busy_loop(self):
        self.open_polled()
        self.assertEqual(self.d.pester("l", "b", 100, 1000).in_vain, 0)

    def test_a_thread_at_rest_takes_no_time(self):
        self.connect()
        before = self.d.self().cpu_ms
        time.sleep(0.5)
        self.assertLess(self.d.self().cpu_ms - before, 150)


class Forks(Link):
    def test_a_child_is_silent_and_its_parent_undisturbed(self):
        for drive in ("thread", "poll"):
            self.connect(drive=drive) if drive == "thread" else Poll.open_polled(self)
            with self.subTest(drive):
                for leave in ({}, {"leave": "yes"}):
                    for _ in range(3):
                        answer = self.d.fork("l", "b", **leave)
                        self.assertEqual(answer.exit, 0)
                        self.assertEqual(answer.child, {"allowed": 0, "decision": "FLOWCTL_CLOSED", "get": "FLOWCTL_CLOSED",
                                                        "info": "FLOWCTL_INVALID_ARGUMENT", "descriptor": -1})
                self.assertEqual((self.d.info("b").connects, self.d.info("b").faults), (1, 0))
                driver.wait_until(lambda: (drive == "thread" or self.d.turn("b", 5)) and self.d.order("try", "l", 1).allowed)
            self.d.destroy("l")
            self.d.close("b")

    turn_until = Poll.turn_until

    def test_a_child_of_one_that_is_connecting(self):
        with FakeServer(hold) as server:
            self.open(self.d, "b", port=server.port, start="degraded")
            self.limiter(self.d, "l", "b", "x")
            self.assertEqual(self.d.fork("l", "b").exit, 0)


if __name__ == "__main__":
    driver.main()

"""What a server answers when it can't, or won't: each is told by its kind, harms no one's data, and heals. usage: test_faults.py DRIVER SERVER SLOW_NAMES"""
import os
import struct
import threading
import time

import driver
import resp
from fake_server import FakeServer, commands, name_of

KEY = "flowctl:{x}"
TTL_MS = 10  # the raw member's; nothing is lent for 1.75 of these when a limit is new


def text(data):
    """Bytes as resp.py has them."""
    return data.decode("utf-8", "surrogateescape")


def data(answer):
    return answer.encode("utf-8", "surrogateescape")


class Faults(driver.Case):
    def setUp(self):
        self.redis = self.server()
        self.d = self.driver()
        self.open(self.d, "b", url=self.redis.url(), backoff_min_ms=5, backoff_max_ms=20)
        self.assertEqual(self.d.raw("r", url=self.redis.url(), backoff_min_ms=5, backoff_max_ms=20).status, "OK")

    def wait_until_lent(self):
        driver.wait_until(lambda: self.d.ask("r", "x", want=1).__dict__.get("grant"))

    def ask_all(self, limit, count, **options):
        """As many sessions at once."""
        self.d.order("send", "r", limit, count, session=1000, **options)
        driver.wait_until(lambda: self.d.drive("r", 1) and (now := self.d.tickets("r")).answered == now.given)

    def told(self, status, fault, words):
        """By the limiters' backend: the raw one has no name for it."""
        self.assertEqual(self.d.ask("r", "x", want=1).status, status)
        self.assertEqual(self.d.inspect("b", "x").status, status)
        info = self.d.info("b")
        self.assertEqual(info.fault, fault)
        self.assertRegex(info.message, words)
        return info


class Scripts(Faults):
    def granted(self):
        return self.d.inspect("b", "x").granted

    def test_a_script_that_is_flushed_is_loaded_again_and_nothing_charged_twice(self):
        self.wait_until_lent()
        before, reloads = self.granted(), self.d.info("b").reloads
        for i in range(20):
            self.redis.command("SCRIPT", "FLUSH")
            self.assertEqual(self.d.set("b", "a", i).status, "OK")  # another script
            answer = self.d.ask("r", "x", want=1)
            self.assertEqual((answer.status, answer.grant), ("OK", 1))
        self.assertEqual(self.granted(), before + 20)
        self.assertEqual(self.d.info("b").reloads, reloads + 20)
        self.assertEqual((self.d.info("b").faults, self.d.info("b").connects), (0, 1))

    def test_opening_loads_all_scripts(self):
        self.assertEqual(self.d.set("b", "a", 1).status, "OK")
        self.assertEqual(self.d.inspect("b").status, "OK")
        self.assertEqual(self.d.info("b").reloads, 0)

    def test_it_is_loaded_once_for_all_that_were_under_way(self):
        self.wait_until_lent()
        script_bytes = self.bytes_of(lambda: self.redis.command("SCRIPT", "LOAD", "return '" + 1000 * "x" + "'")) // 1000 * 12000
        few = self.bytes_of(lambda: self.ask_all("y", 300))
        self.redis.command("SCRIPT", "FLUSH")
        again = self.bytes_of(lambda: self.ask_all("y", 300))
        self.assertLess(again - 2 * few, 3 * script_bytes)
        tickets = self.d.tickets("r")
        self.assertEqual((tickets.answered, tickets.twice, tickets.OK), (tickets.given, 0, tickets.given))

    def bytes_of(self, action):
        def count():
            return int(self.redis.info("stats")["total_net_input_bytes"])
        before = count()
        action()
        return count() - before

    def test_a_server_that_never_keeps_scripts(self):
        """Sent again once, and then told. Here EVALSHA finds the script or not as it happens; what is told holds in any case."""
        self.wait_until_lent()
        before, stop = self.granted(), threading.Event()

        def flush():
            with self.redis.connect() as connection:
                while not stop.is_set():
                    connection.call("SCRIPT", "FLUSH", "SYNC")
        flusher = threading.Thread(target=flush)
        flusher.start()
        try:
            granted = sum(self.d.ask("r", "x", want=1).__dict__.get("grant", 0) for _ in range(300))
        finally:
            stop.set()
            flusher.join()
        self.wait_until_lent()
        self.assertEqual(self.granted(), before + granted + 1)
        self.assertEqual(self.d.tickets("r").twice, 0)

    def test_a_lost_script_is_told_when_it_is_lost_again(self):
        heard = []

        def meet(connection):
            for words in commands(connection):
                heard.append(words[:2])
                connection.sendall(name_of(words[2]) if words[0] == b"SCRIPT" else b"-NOSCRIPT No matching script.\r\n")
        with FakeServer(meet) as server:
            self.open(self.d, "fake", port=server.port)
            heard.clear()
            self.assertEqual(self.d.inspect("fake", "x").status, "UNAVAILABLE")
            self.assertEqual([words[0] for words in heard], [b"EVALSHA", b"SCRIPT", b"EVALSHA"])
            info = self.d.info("fake")
            self.assertEqual((info.fault, info.faults, info.reloads, info.connects), ("script lost", 1, 1, 1))

    def test_a_strangers_script_that_runs_for_long(self):
        self.wait_until_lent()
        self.redis.command("CONFIG", "SET", "lua-time-limit", 1)
        with self.redis.connect(30) as stranger:
            stranger.send("EVAL", "while true do end", 0)
            driver.wait_until(lambda: self.d.inspect("b", "x").status == "UNAVAILABLE")
            self.told("UNAVAILABLE", "busy", "^BUSY")
            self.redis.command("SCRIPT", "KILL")
            self.wait_until_lent()
        self.assertEqual(self.d.info("b").connects, 1)


class Roles(Faults):
    def test_a_server_that_becomes_a_replica_and_is_promoted(self):
        other = self.server()
        self.wait_until_lent()
        self.redis.follow(other)
        driver.wait_until(lambda: self.redis.has_all_of(other))
        driver.wait_until(lambda: self.d.ask("r", "x", want=1).status == "UNAVAILABLE")
        driver.wait_until(lambda: self.d.inspect("b", "x").status == "UNAVAILABLE" and self.d.info("b").fault == "read-only")
        self.assertRegex(self.d.info("b").message, "replica")
        driver.wait_until(lambda: self.d.inspect("b", "x") and self.d.info("b").connects > 2)  # it looks for the master
        self.redis.promote()
        self.wait_until_lent()
        driver.wait_until(lambda: self.d.inspect("b", "x").status == "OK")

    def test_a_replica_at_the_start(self):
        replica = self.server(replicaof=self.redis)
        driver.wait_until(lambda: replica.has_all_of(self.redis))
        self.open(self.d, "replica", url=replica.url(), backoff_min_ms=5, backoff_max_ms=20)
        self.limiter(self.d, "l", "replica", "x", ttl_ms=20)
        self.wait_for_fault(self.d, "replica", "read-only")
        self.assertEqual(self.d.sharing("l").status, "UNAVAILABLE")
        replica.promote()
        self.wait_until_it_lends(self.d, "l")

    def test_a_replica_that_has_lost_its_master(self):
        replica = self.server(replicaof=self.redis, settings=[("replica-serve-stale-data", "no")])
        driver.wait_until(lambda: replica.has_all_of(self.redis))
        self.open(self.d, "replica", url=replica.url(), backoff_min_ms=5, backoff_max_ms=20)
        self.redis.end()
        driver.wait_until(lambda: self.d.inspect("replica", "x").status == "UNAVAILABLE" and self.d.info("replica").fault == "read-only")

    def test_a_cluster(self):
        cluster = self.server(settings=[("cluster-enabled", "yes")])
        self.open(self.d, "cluster", url=cluster.url())
        self.assertEqual(self.d.inspect("cluster", "x").status, "UNSUPPORTED")
        self.assertEqual((self.d.info("cluster").fault, self.d.info("cluster").connects), ("cluster", 1))
        answer = self.d.open("database", port=cluster.port, database=1)
        self.assertEqual(answer.status, "UNSUPPORTED")
        self.assertIn("SELECT is not allowed in cluster mode", answer.message)


class Trouble(Faults):
    def healed(self, connects=1):
        self.wait_until_lent()
        self.assertEqual(self.d.inspect("b", "x").status, "OK")
        self.assertEqual(self.d.info("b").connects, connects)

    def refuses_writes(self, fault, status, words):
        answer = self.d.ask("r", "x", want=1)
        self.assertEqual(answer.status, status)
        for write in (self.d.set("b", "a", 1), self.d.increment("b", "n", 1)):
            self.assertEqual(write.status, status)
            self.assertEqual(self.d.info("b").fault, fault)
            self.assertRegex(self.d.info("b").message, words)
        self.assertEqual(self.redis.command("DBSIZE"), 1)

    def test_no_memory(self):
        self.wait_until_lent()
        self.redis.command("CONFIG", "SET", "maxmemory", "1mb")
        before = self.redis.command("HGET", KEY, "@")
        self.refuses_writes("out of memory", "NO_MEMORY", "^OOM")
        self.assertEqual(self.redis.command("HGET", KEY, "@"), before)  # nothing by halves
        self.redis.command("CONFIG", "SET", "maxmemory", "0")
        self.healed()

    def test_too_few_replicas(self):
        self.wait_until_lent()
        self.redis.command("CONFIG", "SET", "min-replicas-to-write", 1)
        self.refuses_writes("cannot write", "UNAVAILABLE", "^NOREPLICAS")
        self.redis.command("CONFIG", "SET", "min-replicas-to-write", 0)
        self.healed()

    def test_a_disk_that_can_not_be_written(self):
        self.wait_until_lent()
        os.mkdir(os.path.join(self.redis.folder, "dump.rdb"))  # in the place of the file
        self.redis.command("CONFIG", "SET", "save", "3600 1000000")
        self.redis.command("BGSAVE")
        driver.wait_until(lambda: self.redis.info("persistence")["rdb_last_bgsave_status"] == "err")
        self.refuses_writes("cannot write", "UNAVAILABLE", "^MISCONF")
        os.rmdir(os.path.join(self.redis.folder, "dump.rdb"))
        self.redis.command("BGSAVE")
        driver.wait_until(lambda: self.redis.info("persistence")["rdb_last_bgsave_status"] == "ok")
        self.healed()

    def test_loading(self):
        self.wait_until_lent()
        with self.redis.connect(30) as loader:
            loader.call("MSET", *[word for number in range(400) for word in (f"junk{number}", os.urandom(500).hex())])
            loader.call("SAVE")
            loader.call("CONFIG", "SET", "loading-process-events-interval-bytes", 1024)
            loader.call("CONFIG", "SET", "key-load-delay", 2000)
            loader.send("DEBUG", "RELOAD", "NOSAVE")
            driver.wait_until(lambda: self.d.inspect("b", "x").status == "UNAVAILABLE")
            self.told("UNAVAILABLE", "loading", "^LOADING")
            answer = self.d.open("late", url=self.redis.url())
            self.assertEqual(answer.status, "UNAVAILABLE")
            self.assertIn("LOADING", answer.message)
            self.open(self.d, "later", url=self.redis.url(), start="degraded", backoff_min_ms=5, backoff_max_ms=20)
            self.wait_for_fault(self.d, "later", "loading")
            self.assertEqual(loader.read(), "OK")
        self.healed()
        driver.wait_until(lambda: self.d.info("later").ready)

    def test_more_members_than_there_is_room_for(self):
        self.ask_all("x", 1030, ttl_ms=60000)
        tickets = self.d.tickets("r")
        self.assertEqual((tickets.OK, tickets.NO_MEMORY), (1024, 6))
        self.assertEqual(self.d.ask("r", "x").status, "NO_MEMORY")
        self.assertEqual(self.d.ask("r", "x", session=1000, seq=2, leaves=1).status, "OK")
        self.assertEqual(self.d.ask("r", "x").status, "OK")

    def test_a_number_that_is_full(self):
        self.redis.command("SET", "flowctl:number:{n}", 2**63 - 2)
        self.assertEqual(self.d.increment("b", "n", 1).value, 2**63 - 1)
        self.assertEqual(self.d.increment("b", "n", 1).status, "OUT_OF_RANGE")
        self.assertEqual((self.d.info("b").fault, self.redis.command("GET", "flowctl:number:{n}")), ("overflow", str(2**63 - 1)))


class Keys(Faults):
    def dump(self, key=KEY):
        return self.redis.command("DUMP", key)

    def strangers(self, *commands, status="UNSUPPORTED", fault="foreign key", words="(WRONGTYPE|FLOWCTL_FOREIGN)"):
        """What a stranger has at the key stays as it is, and the limit is there when it has gone."""
        for command in commands:
            self.redis.command(*command)
        before = self.dump()
        self.told(status, fault, words)
        self.assertEqual(self.dump(), before)
        self.assertEqual(self.redis.command("PTTL", KEY), -1)
        self.redis.command("DEL", KEY)
        self.wait_until_lent()
        self.redis.command("DEL", KEY)

    def test_what_a_stranger_has_at_the_key(self):
        ledger = 296
        for commands in ([("SET", KEY, "x")], [("SET", KEY, "")], [("RPUSH", KEY, "x")], [("SADD", KEY, "x")], [("ZADD", KEY, 1, "x")],
                         [("XADD", KEY, "*", "a", "b")], [("HSET", KEY, "a", "b")], [("HSET", KEY, "@", "x")], [("HSET", KEY, "@", "")],
                         [("HSET", KEY, "@", text(struct.pack("<q", 1)))], [("HSET", KEY, "@", text(bytes(ledger)))],
                         [("HSET", KEY, "@", text(struct.pack("<q", -1) + bytes(ledger)))]):
            with self.subTest(commands):
                self.strangers(*commands)

    def test_a_limit_of_a_newer_library(self):
        self.wait_until_lent()
        ledger = data(self.redis.command("HGET", KEY, "@"))
        self.strangers(("HSET", KEY, "@", text(struct.pack("<q", 2) + ledger[8:])), ("PERSIST", KEY), fault="newer limit", words="FLOWCTL_NEWER .*newer library")

    def test_a_stranger_among_limits_does_not_hide_them(self):
        self.wait_until_lent()
        self.redis.command("SET", "flowctl:{other}", "x")
        self.redis.command("HSET", "flowctl:{third}", "@", "x")
        answer = self.d.inspect("b")
        self.assertEqual((answer.status, answer.limits), ("OK", 1))

    def test_limiters_are_told_and_heal(self):
        self.redis.command("SET", "flowctl:{y}", "x")
        self.limiter(self.d, "l", "b", "y", ttl_ms=20)
        self.wait_for_fault(self.d, "b", "foreign key")
        driver.wait_until(lambda: self.d.sharing("l").status == "UNSUPPORTED" and self.d.sharing("l").state == "EXPIRED")
        self.redis.command("DEL", "flowctl:{y}")
        self.wait_until_it_lends(self.d, "l")

    def test_a_key_that_is_deleted(self):
        """Who held something keeps it, and nothing is lent until that is over."""
        self.wait_until_lent()
        self.redis.command("DEL", KEY)
        answer = self.d.ask("r", "x", want=1)
        self.assertEqual((answer.status, answer.dead, answer.grant), ("OK", True, 0))
        answer = self.d.ask("r", "x", want=1)
        self.assertEqual((answer.dead, answer.grant), (False, 0))
        self.assertGreater(answer.quarantine_ms, TTL_MS)
        self.wait_until_lent()

    def test_values_and_numbers_of_strangers(self):
        key, number = "flowctl:value:{a}", "flowctl:number:{a}"
        for command in (("SET", key, "x"), ("HSET", key, "version", "7"), ("HSET", key, "version", "x", "value", "y"), ("HSET", key, "value", "y"),
                        ("HSET", key, "version", "0", "value", "y")):
            with self.subTest(command):
                self.redis.command(*command)
                before = self.dump(key)
                self.assertIn(self.d.get("b", "a").status, ("UNSUPPORTED", "NOT_FOUND"))
                self.assertEqual(self.dump(key), before)
                self.redis.command("DEL", key)
        for command in (("SET", number, "x"), ("HSET", number, "a", "b"), ("SET", number, "1.5")):
            with self.subTest(command):
                self.redis.command(*command)
                before = self.dump(number)
                self.assertEqual((self.d.increment("b", "a", 1).status, self.d.info("b").fault), ("UNSUPPORTED", "foreign key"))
                self.assertEqual(self.dump(number), before)
                self.redis.command("DEL", number)
        self.assertEqual(self.d.info("b").connects, 1)

    def test_what_a_newer_library_adds_is_kept(self):
        """Bytes behind what is known, fields that are none of ours: of the ledger, of this session, and of another's."""
        self.wait_until_lent()
        self.d.ask("r", "x", session=2, want=1, ttl_ms=10000, version=1)
        fields = self.redis.command("HGETALL", KEY)
        names = fields[::2]
        self.assertEqual(len(names), 3)
        tails = {name: text(f"tail of {name}".encode() + bytes(range(256))) for name in names}
        self.redis.command("HSET", KEY, *[word for name, value in zip(names, fields[1::2]) for word in (name, value + tails[name])])
        self.redis.command("HSET", KEY, "@2", "something new", "#", "x")
        seen = dict(zip(fields[::2], fields[1::2]))
        for want in (1, 2, 0):
            for session in (1, 2):
                answer = self.d.ask("r", "x", want=want, session=session, ttl_ms=10000, version=1)
                self.assertEqual((answer.status, answer.dead), ("OK", False))
        fields = self.redis.command("HGETALL", KEY)
        now = dict(zip(fields[::2], fields[1::2]))
        self.assertEqual((now.pop("@2"), now.pop("#")), ("something new", "x"))
        self.assertEqual(set(now), set(names))
        for name in names:
            self.assertTrue(now[name].endswith(tails[name]), name)
            self.assertNotEqual(now[name].removesuffix(tails[name]), seen[name])
        self.assertEqual(self.d.inspect("b", "x").members, 2)


class Places(Faults):
    def test_databases_and_prefixes_are_apart(self):
        address = {"port": self.redis.port}
        for name, options in (("one", {"prefix": "one:"}), ("two", {"prefix": "two:"}), ("three", {"database": 3})):
            self.open(self.d, name, **address, **options)
            self.d.set(name, "a", name)
            self.d.increment(name, "n", len(name))
            self.limiter(self.d, "l" + name, name, "x", ttl_ms=20)
            self.wait_until_it_lends(self.d, "l" + name)
        for name in ("one", "two", "three"):
            self.assertEqual((self.d.get(name, "a").value, self.d.increment(name, "n", 0).value), (name, len(name)))
            self.assertEqual(self.d.inspect(name).limits, 1)
        keys = [prefix + key for prefix in ("one:", "two:") for key in ("number:{n}", "value:{a}", "{x}")]
        self.assertEqual(sorted(self.redis.command("KEYS", "*")), keys)

    def test_the_longest_names_are_whole(self):
        """As long as they may be, and what differs in their last bytes is apart."""
        prefix = 63 * "p" + ":"
        self.open(self.d, "long", port=self.redis.port, prefix=prefix)
        wanted = set()
        for last in "ab":
            key, limit = 254 * "k" + last, 126 * "l" + last
            self.assertEqual(self.d.set("long", key, last).status, "OK")
            self.assertEqual(self.d.increment("long", key, ord(last)).value, ord(last))
            self.limiter(self.d, "l" + last, "long", limit, ttl_ms=20)
            self.wait_until_it_lends(self.d, "l" + last)
            wanted |= {f"{prefix}value:{{{key}}}", f"{prefix}number:{{{key}}}", f"{prefix}{{{limit}}}"}
        self.assertEqual(self.d.get("long", 254 * "k" + "a").value, "a")
        self.assertEqual(set(self.redis.command("KEYS", "*")), wanted)
        self.assertEqual(self.d.inspect("long").limits, 2)

    def test_two_servers_and_two_backends_at_one(self):
        other = self.server()
        self.open(self.d, "other", url=other.unix_url(), backoff_min_ms=5, backoff_max_ms=20)
        self.open(self.d, "same", url=self.redis.unix_url())
        for name in ("b", "same", "other"):
            self.limiter(self.d, "l" + name, name, "x", ttl_ms=20, rate=100, burst=20)
        for name in ("b", "same", "other"):
            self.wait_until_it_lends(self.d, "l" + name)
        driver.wait_until(lambda: self.d.sharing("lb").members == 2)
        self.assertEqual(self.d.sharing("lother").members, 1)
        other.kill9()
        self.wait_for_fault(self.d, "other", "unreachable")
        self.wait_until_it_lends(self.d, "lb")
        self.wait_until_it_lends(self.d, "lsame")
        self.assertEqual((self.d.info("b").faults, self.d.info("same").faults), (0, 0))
        other.restart()
        self.wait_until_it_lends(self.d, "lother")


if __name__ == "__main__":
    driver.main()

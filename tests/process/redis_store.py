"""The server that the workers of a run share a limit over, and the networks before it. What is done to it is in redis_faults.py."""
import math
import os
import time

import resp
from network import Network
from redis_server import RedisServer

KEY = "flowctl:{test}"  # of the worker's limit
SETTINGS = [("lua-time-limit", "50"), ("repl-diskless-load", "disabled")]
WAVE_MS, CREST_MS = 500, 100  # of demand.c
HELD_MS = 110  # after a crest members hold the most: all have what they last wanted, and nobody has given back yet
SIDES = 2  # networks: half of the workers each


class RedisStore:
    def __init__(self, options, chance, log):
        """options: of run.py. log: what is done is told to it."""
        self.options, self.chance, self.log = options, chance, log
        self.kind = options.backend.rstrip(":")
        self.appendfsync = options.aof or chance.choice(("always", "everysec"))
        self.longest_s = options.longest_outage
        self.server = self.start_server()
        self.networks = [Network(self.server) for _ in range(SIDES)] if options.networked else []
        self.cut_off = None  # one of them

    def start_server(self, replicaof=None):
        return RedisServer(self.kind, appendfsync=self.appendfsync, replicaof=replicaof, skew_so=os.path.join(self.options.bin, "skew.so"),
                           user="worker", password="p@ss:w/rd", settings=SETTINGS)

    def url(self, slot):
        """By the network of its side, if there are any; else straight."""
        if self.networks:
            return self.server.url(port=self.networks[slot % SIDES].port)
        return self.chance.choice((self.server.url(), self.server.unix_url()))

    def replace(self, server):
        """Another one is the master from now on."""
        self.server.stop()
        self.server = server
        for network in self.networks:
            network.target(server)

    def stop(self):
        for network in self.networks:
            network.stop()
        self.server.stop()

    # ---- for faults ----

    def command(self, *words):
        try:
            return self.server.command(*words)
        except resp.Error as error:
            self.log(f"{words[0]} was refused: {error}")
            return None

    def seconds(self, shortest_s=0.02):
        """How long: short ones as likely as long ones."""
        longest_s = max(shortest_s, self.longest_s)
        return shortest_s * math.exp(self.chance.uniform(0, math.log(longest_s / shortest_s)))

    def some_networks(self):
        return self.chance.choice((self.networks, self.networks, self.networks[:1], self.networks[1:]))

    def until_phase_s(self, phase_ms):
        """Of the waves of demand."""
        return (phase_ms * 10**6 - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) % (WAVE_MS * 10**6) / 10**9

    def cut_some_off(self):
        """Half of the workers keep what they hold, and know nothing, while the server loses what it knew."""
        if not self.networks or self.chance.random() < 0.3:
            return
        waves = self.options.demand == "waves"
        yield self.until_phase_s(CREST_MS + HELD_MS) if waves else self.chance.uniform(0, 0.1)
        self.cut_off = self.chance.choice(self.networks)
        self.log(f"network {self.networks.index(self.cut_off)}: nothing gets through")
        self.cut_off.both("hold")

    def let_them_back(self):
        """After they had time to use it, and others what the server lends anew."""
        if self.cut_off is None:
            return
        yield self.until_phase_s(CREST_MS) if self.options.demand == "waves" else self.chance.uniform(0, self.options.ttl_s)
        self.cut_off.heal()
        self.log(f"network {self.networks.index(self.cut_off)}: healed")
        self.cut_off = None

    def allow(self, permits, why):
        self.log(f"allow {math.floor(permits)} permits: {why}")

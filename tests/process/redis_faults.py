"""What can happen to a Redis server and the way to it. A fault is a function that does it to a RedisStore, step by step: it yields how many seconds pass until
it goes on. The first line of its text is what run.py --help tells of it.
"""
import glob
import os

from network import Network
from redis_store import KEY

WAIT_S = 0.01
PATIENCE = 2000  # waits
JUNK = "x" * 50000
CLOCKS_S = (0, 1, -1, 3600, -3600)

# ---- the server ----


def kill(store, what, while_down=lambda: None):
    yield from store.cut_some_off()
    seconds = store.seconds()
    store.log(f"server: kill -9, {what}; back after {seconds:.3f} s")
    store.server.kill9()
    while_down()
    yield seconds
    store.server.restart()
    store.log("server: restarted")


def kill_empty(store):
    """kill -9 of the server, which comes back with nothing"""
    yield from kill(store, "all is lost", lambda: [os.unlink(path) for path in files_of(store.server, "*")])


def kill_aof(store):
    """kill -9 of the server, which comes back with all that it had answered"""
    store.command("CONFIG", "SET", "appendfsync", "always")
    yield from kill(store, "nothing is lost")


def kill_cut(store):
    """kill -9 of the server, which comes back as it was a while before: what it had not yet written to the disk is lost"""
    store.command("CONFIG", "SET", "appendfsync", "everysec")
    yield from kill(store, "what came last is lost", lambda: cut(store))


def files_of(server, name):
    return glob.glob(os.path.join(server.folder, "appendonlydir", name))


def cut(store):
    for path in files_of(store.server, "*.incr.aof"):
        size = os.path.getsize(path)
        os.truncate(path, size - int(size * store.chance.choice((0.001, 0.1, 0.5))))
        store.log(f"server: {size - os.path.getsize(path)} of {size} bytes of its log are lost")


def stop(store):
    """SIGSTOP of the server for up to --longest-outage"""
    seconds = store.seconds()
    store.log(f"server: stopped for {seconds:.3f} s")
    store.server.pause()
    yield seconds
    store.server.resume()
    store.log("server: goes on")


def busy(store):
    """the server runs a script of somebody else's, for ever, until that is killed"""
    seconds = store.seconds(0.1)
    store.log(f"server: busy for {seconds:.3f} s")
    with store.server.connect() as connection:
        connection.send("EVAL", "while true do end", 0)
        yield seconds
        store.command("SCRIPT", "KILL")
    store.log("server: free again")


def demote(store):
    """the server becomes a replica, of nobody that could be reached, and master again"""
    yield from store.cut_some_off()
    seconds = store.seconds()
    store.log(f"server: a replica for {seconds:.3f} s")
    store.command("REPLICAOF", "127.0.0.1", 1)
    yield seconds
    store.command("REPLICAOF", "NO", "ONE")
    store.log("server: master again")


def clock(store):
    """the server's wall clock steps, by 1 s or 1 h, forwards or backwards; a forward step by d may let min(rate x d, burst) pass once"""
    server, options = store.server, store.options
    before = server.clock.seconds()
    after = store.chance.choice([seconds for seconds in CLOCKS_S if seconds != before])
    server.clock.set(after)
    store.log(f"server: its clock steps by {after - before:g} s")
    if after > before:  # dated after the step: what begins between the last ask before it and the next has no use of it
        store.allow(min(options.rate * (after - before), options.burst), "a forward step")
    yield 2 * store.options.ttl_s  # leases stand two within one TTL

# ---- fail-over ----


def wait_for(store, condition):
    for _ in range(PATIENCE):
        if condition():
            return
        yield WAIT_S
    raise TimeoutError(f"waited in vain for a replica:\n{store.server.logged()}")


def failover(store):
    """the master is killed and its replica, which lags by up to 1 s, takes its place"""
    lag_s, down_s = store.chance.choice((0, 0.05, 0.3, 1)), store.chance.choice((0, 0.05, 0.3))
    with Network(store.server) as link:
        replica = store.start_server(replicaof=("127.0.0.1", link.port))
        yield from wait_for(store, lambda: replica.has_all_of(store.server))
        if lag_s:  # to stop the replica would not do: the system takes for it what the master sends
            link.replies("drop")
            store.log(f"replica: gets nothing from here on, for {lag_s} s")
            yield lag_s
        yield from store.cut_some_off()
        store.log(f"server: kill -9; its replica takes over in {down_s} s")
        store.server.kill9()
    yield down_s
    replica.promote()
    store.replace(replica)
    store.log("server: the replica is master")


def two_masters(store):
    """PLANTED: the replica is promoted while the master serves, and one half of the workers goes to each"""
    replica = store.start_server(replicaof=store.server)
    yield from wait_for(store, lambda: replica.has_all_of(store.server))
    replica.promote()
    seconds = 2.5 * store.options.ttl_s + 1  # a new master lends nothing at first
    store.log(f"two masters for {seconds:.3f} s")
    store.networks[1].target(replica)
    yield seconds
    store.networks[1].target(store.server)
    store.log("one master again")
    replica.stop()

# ---- what it holds ----


def flush(store):
    """FLUSHALL, FLUSHDB"""
    word = store.chance.choice(("FLUSHALL", "FLUSHDB"))
    yield from store.cut_some_off()
    store.log(word)
    store.command(word)


def script_flush(store):
    """SCRIPT FLUSH"""
    store.log("SCRIPT FLUSH")
    store.command("SCRIPT", "FLUSH")
    yield 0


def delete(store):
    """DEL, UNLINK, expiry of the limit's key"""
    words = store.chance.choice((("DEL", KEY), ("UNLINK", KEY), ("PEXPIRE", KEY, 1)))
    yield from store.cut_some_off()
    store.log(" ".join(map(str, words)))
    store.command(*words)


def foreign(store):
    """somebody else's list stands at the limit's key for a while"""
    yield from store.cut_some_off()
    seconds = store.seconds()
    store.log(f"a list at the key for {seconds:.3f} s")
    with store.server.connect() as connection:
        for words in (("MULTI",), ("DEL", KEY), ("RPUSH", KEY, 1), ("EXEC",)):
            connection.call(*words)
    yield seconds
    store.command("DEL", KEY)
    store.log("the list is gone")


def restore(store):
    """PLANTED: the limit's key is put back from a copy, in the same run of the server; five times"""
    for _ in range(RESTORED):
        copy = store.command("DUMP", KEY)
        yield store.chance.uniform(0.1, 0.4)
        if copy is None:
            store.log("no key to be restored")
            continue
        store.log("DEL, and RESTORE of a copy")
        with store.server.connect() as connection:
            for words in (("MULTI",), ("DEL", KEY), ("RESTORE", KEY, 0, copy), ("EXEC",)):
                connection.call(*words)
        yield store.chance.uniform(0.1, 0.4)

# ---- memory ----


def fill(store, policy, is_enough):
    """is_enough(reply): None if the server refused."""
    used = int(store.server.info("memory")["used_memory"])
    store.command("CONFIG", "SET", "maxmemory", used + 10**6, "maxmemory-policy", policy)
    for number in range(400):
        if is_enough(store.command("SET", f"junk{number}", JUNK)):
            break
        if number % 10 == 0:
            yield WAIT_S


def make_room(store):
    store.command("CONFIG", "SET", "maxmemory", 0)
    keys = store.command("KEYS", "junk*")
    if keys:
        store.command("DEL", *keys)


def evict(store):
    """the memory is full of junk, and keys are evicted until the limit's is among them"""
    policy = store.chance.choice(("allkeys-lru", "allkeys-random"))
    yield from store.cut_some_off()
    store.log(f"memory: full, {policy}")
    yield from fill(store, policy, lambda _: store.command("EXISTS", KEY) == 0)
    store.log("memory: there is room again; " + ("the key is still there" if store.command("EXISTS", KEY) else "the key was evicted"))
    make_room(store)


def oom(store):
    """the memory is full, and writing is refused"""
    seconds = store.seconds(0.1)
    store.log(f"memory: full for {seconds:.3f} s")
    yield from fill(store, "noeviction", lambda reply: reply is None)
    yield seconds
    make_room(store)
    store.log("memory: there is room again")

# ---- the network ----


def on_network(directions, mode, numbers=lambda chance: (), healed_by_reset=False):
    """A fault that is a mode of the proxy for a while."""
    def fault(store):
        networks, seconds, more = store.some_networks(), store.seconds(), numbers(store.chance)
        sides = [str(store.networks.index(network)) for network in networks]
        store.log(f"network {' and '.join(sides)}: {directions} {mode} {' '.join(map(str, more))} for {seconds:.3f} s")
        for network in networks:
            network.order(directions, mode, *more)
        yield seconds
        for network in networks:
            if healed_by_reset:
                network.reset()
            network.heal()
        store.log("network: healed")
    return fault


def told(function, text):
    function.__doc__ = text
    return function


def net_reset(store):
    """all connections are reset, several times"""
    for _ in range(store.chance.randint(1, 4)):
        store.log("network: reset")
        for network in store.some_networks():
            network.reset()
        yield store.seconds()


def net_refuse(store):
    """all connections are reset, and new ones refused for a while"""
    networks, seconds = store.some_networks(), store.seconds()
    store.log(f"network: refuses for {seconds:.3f} s")
    for network in networks:
        network.refuse()
        network.reset()
    yield seconds
    for network in networks:
        network.heal()
    store.log("network: healed")


def client_kill(store):
    """CLIENT KILL: the server closes all connections"""
    store.log("CLIENT KILL")
    store.command("CLIENT", "KILL", "TYPE", "normal")
    yield 0


def late(chance):
    return chance.choice(((5, 5), (30, 10), (100, 200)))


def with_some_cut_off(fault):
    """Its part that cuts off is in the middle of the fault."""
    def both(store):
        yield from fault(store)
        yield from store.let_them_back()
    return told(both, fault.__doc__)


LOSSES = {"kill-empty": kill_empty, "kill-aof": kill_aof, "kill-cut": kill_cut, "demote": demote, "failover": failover, "flush": flush,
          "delete": delete, "foreign": foreign, "evict": evict}
SERVER = {**{name: with_some_cut_off(fault) for name, fault in LOSSES.items()}, "server-stop": stop, "busy": busy, "clock": clock,
          "script-flush": script_flush, "oom": oom, "client-kill": client_kill}
NETWORK = {
    "net-delay": told(on_network("both", "delay", late), "all is late, by up to 0.3 s each way"),
    "net-deaf": told(on_network("replies", "drop", healed_by_reset=True), "requests get through and replies are lost, until the connection is"),
    "net-mute": told(on_network("requests", "drop", healed_by_reset=True), "requests are lost, until the connection is"),
    "net-hole": told(on_network("both", "drop", healed_by_reset=True), "a black hole, until the connection is lost"),
    "net-hold": told(on_network("both", "hold"), "nothing gets through for a while, and then all of it"),
    "net-bytewise": told(on_network("both", "bytewise"), "byte by byte"),
    "net-cut": told(on_network("replies", "cut"), "connections are reset in the middle of a reply"),
    "net-reset": net_reset,
    "net-refuse": net_refuse,
}
FAULTS = {**SERVER, **NETWORK}
# By name only. No network does this, TCP sees to it; some middlemen may. Whoever finds the gap, since an answer names whom it is for, connects anew.
GAPS = {"net-gap": told(on_network("replies", "drop"), "by name only: replies are lost, and the connection goes on without them")}

# By name only. The limit is exceeded then, and has to be found so: with what is documented for each time, of (rate, burst) so many at most.
RESTORED = 5
PLANTED = {"two-masters": two_masters, "restore": restore}
PLANTED_BOUNDS = {"two-masters": lambda times: (2, 1 + times), "restore": lambda times: (1, 1 + RESTORED * times)}

NETWORKED = {*NETWORK, *GAPS, *LOSSES, "two-masters"}  # workers reach the server by the proxy


ALL = {**FAULTS, **GAPS, **PLANTED}


def describe():
    return "\n".join(f"    {name:13} {function.__doc__}" for name, function in ALL.items())

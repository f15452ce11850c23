#!/usr/bin/env python3
"""A network that misbehaves when it is told to: a TCP proxy before a server, a process of its own.

    proxy.py TARGET        TARGET: HOST:PORT, or the path of a socket

Prints the port on 127.0.0.1 that it listens at; then takes one order a line and answers each with a line, "ok" or "error ...". Ends with its input.

    requests MODE, replies MODE, both MODE     what is done to what comes from now on, on all connections:
        pass
        delay MS [JITTER_MS]    late by so much, in order
        drop                    thrown away; the connection stays. In both directions: a black hole
        hold                    kept, and sent when the mode changes: what TCP makes of a network that was away
        bytewise                each byte by itself; the system may join some
        cut                     half of it, then the connection is reset
    reset                       all connections, by RST
    refuse, accept              new connections: refused, as if nobody listened there; accepted again
    target TARGET               of connections from now on; those that are there are reset
    stats                       "ok CONNECTIONS REQUEST_BYTES REPLY_BYTES DROPPED_BYTES": open now; sent on; thrown away

Network (network.py) is the same as an object.
"""
import asyncio
import random
import socket
import struct
import sys

CHUNK = 65536
RST = struct.pack("ii", 1, 0)
MODES = {"pass": 0, "delay": (1, 2), "drop": 0, "hold": 0, "bytewise": 0, "cut": 0}


class Direction:
    """One for the requests of all connections, one for their replies."""

    def __init__(self):
        self.bytes = self.dropped = 0
        self.changed = asyncio.Event()
        self.set("pass")

    def set(self, mode, *numbers):
        few, most = (MODES[mode],) * 2 if isinstance(MODES[mode], int) else MODES[mode]
        if not few <= len(numbers) <= most:
            raise ValueError(f"{mode} takes {few} to {most} numbers")
        self.mode, self.numbers = mode, [float(number) / 1000 for number in numbers]
        self.changed.set()
        self.changed = asyncio.Event()

    def delay_s(self):
        return self.numbers[0] + random.uniform(0, sum(self.numbers[1:])) if self.mode == "delay" else 0


class Connection:
    def __init__(self, proxy, client):
        self.proxy, self.ends = proxy, [client]

    async def run(self):
        try:
            self.ends.append(await self.proxy.connect())
        except OSError:
            return self.reset()
        (from_client, to_client), (from_server, to_server) = self.ends
        pumps = [asyncio.ensure_future(self.pump(from_client, to_server, self.proxy.requests)),
                 asyncio.ensure_future(self.pump(from_server, to_client, self.proxy.replies))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for _, writer in self.ends:
            writer.close()

    async def pump(self, reader, writer, direction):
        """Reading goes on while what was read before waits to be late."""
        queue = asyncio.Queue()
        sender = asyncio.ensure_future(self.send_on(queue, writer, direction))
        try:
            while data := await reader.read(CHUNK):
                due = asyncio.get_running_loop().time() + direction.delay_s()
                queue.put_nowait((due, data))
            queue.put_nowait((0, b""))
            await sender
        finally:
            sender.cancel()

    async def send_on(self, queue, writer, direction):
        due = 0
        while True:
            wanted, data = await queue.get()
            if not data:
                return
            due = max(due, wanted)  # in order
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            while direction.mode == "hold":
                await direction.changed.wait()
            await self.send(data, writer, direction)

    async def send(self, data, writer, direction):
        mode = direction.mode
        if mode == "drop":
            direction.dropped += len(data)
            return
        if mode == "cut":
            data = data[:len(data) // 2]
        direction.bytes += len(data)
        step = 1 if mode == "bytewise" else len(data)
        for at in range(0, len(data), step or 1):
            writer.write(data[at:at + step])
            await writer.drain()
            if mode == "bytewise":
                await asyncio.sleep(0)
        if mode == "cut":
            self.reset()

    def reset(self):
        for _, writer in self.ends:
            try:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            except OSError:  # it has ended already
                continue
            writer.transport.abort()


class Proxy:
    def __init__(self, target):
        self.requests, self.replies = Direction(), Direction()
        self.connections = set()
        self.server, self.port = None, 0
        self.aim(target)

    def aim(self, target):
        host, _, port = target.rpartition(":")
        self.target = target if target.startswith("/") else (host, int(port))

    async def connect(self):
        if isinstance(self.target, str):
            return await asyncio.open_unix_connection(self.target)
        reader, writer = await asyncio.open_connection(*self.target)
        self.at_once(writer)
        return reader, writer

    @staticmethod
    def at_once(writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def accept(self):
        """At the same port as before."""
        if self.server is None:
            self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
            self.port = self.server.sockets[0].getsockname()[1]

    def refuse(self):
        if self.server is not None:
            self.server.close()
            self.server = None

    async def serve(self, reader, writer):
        self.at_once(writer)
        connection = Connection(self, (reader, writer))
        self.connections.add(connection)
        try:
            await connection.run()
        except (OSError, asyncio.CancelledError):  # the latter at the end
            connection.reset()
        finally:
            self.connections.discard(connection)

    def reset(self):
        for connection in list(self.connections):
            connection.reset()

    async def obey(self, order, *words):
        directions = {"requests": (self.requests,), "replies": (self.replies,), "both": (self.requests, self.replies)}
        if order in directions:
            for direction in directions[order]:
                direction.set(*words)
        elif order == "target":
            self.aim(*words)
            self.reset()
        elif order == "reset":
            self.reset()
        elif order == "refuse":
            self.refuse()
        elif order == "accept":
            await self.accept()
        elif order == "stats":
            dropped = self.requests.dropped + self.replies.dropped
            return f"ok {len(self.connections)} {self.requests.bytes} {self.replies.bytes} {dropped}"
        else:
            return f"error: no such order: {order}"
        return "ok"


async def main():
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    proxy = Proxy(sys.argv[1])
    await proxy.accept()
    print(proxy.port, flush=True)
    while line := await orders.readline():
        try:
            answer = await proxy.obey(*line.decode().split())
        except (TypeError, ValueError, KeyError, OSError) as error:
            answer = f"error: {error!r}"
        print(answer, flush=True)


if __name__ == "__main__":
    asyncio.run(main())

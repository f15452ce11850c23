"""Servers that are none: what connects is met by a function, in a thread of its own."""
import hashlib
import socket
import threading


class FakeServer:
    """meet: called with each connection (a socket), which is closed when it returns. Ends with the test."""

    def __init__(self, meet, family=socket.AF_INET):
        self.listener = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family)
        self.port = self.listener.getsockname()[1]
        self.meet, self.connections, self.met = meet, [], 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.met += 1
            self.connections.append(connection)
            threading.Thread(target=self.meet_one, args=(connection,), daemon=True).start()

    def meet_one(self, connection):
        try:
            self.meet(connection)
        except OSError:
            pass
        connection.close()

    def stop(self):
        self.listener.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def commands(connection):
    """What the other end says, as lists of bytes."""
    with connection.makefile("rb") as stream:
        while header := stream.readline():
            words = []
            for _ in range(int(header[1:])):
                size = int(stream.readline()[1:])
                words.append(stream.read(size + 2)[:-2])
            yield words


def name_of(script):
    """As the server answers when it is loaded."""
    return b"$40\r\n" + hashlib.sha1(script).hexdigest().encode() + b"\r\n"


def hold(connection):
    """Nothing is ever answered."""
    while connection.recv(65536):
        pass


def say(*answers, more=b"+OK\r\n"):
    """A function that answers each command with the next of these, then with `more`; "+OK" for the script that is loaded at first."""
    def meet(connection):
        left = list(answers)
        for words in commands(connection):
            connection.sendall(left.pop(0) if left else more)
    return meet


class FullServer:
    """A port where nobody accepts: its queue is full, so that more are not even refused."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.waiting = []
        while True:
            waiting = socket.socket()
            waiting.settimeout(0.05)
            self.waiting.append(waiting)
            try:
                waiting.connect(("127.0.0.1", self.port))
            except TimeoutError:
                break

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in (*self.waiting, self.listener):
            each.close()

"""A connection to a server that speaks Redis' protocol: as much of it as the tests of servers need. Shares no code with the library.

Texts may hold any bytes: what is not UTF-8 comes and goes as surrogates.
"""
import socket


class Error(Exception):
    """The server answered with an error; its text."""


class Connection:
    def __init__(self, address, timeout_s=5, user=None, password=None):
        """address: (host, port), or the path of a socket."""
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(timeout_s)
        self.replies = self.socket.makefile("rb")
        try:
            self.socket.connect(address)
            if password is not None:
                self.call("AUTH", *([user] if user else []), password)
        except BaseException:
            self.close()
            raise

    def send(self, *words):
        words = [str(word).encode("utf-8", "surrogateescape") for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))

    def take(self, size=None):
        data = self.replies.readline() if size is None else self.replies.read(size)
        if not data.endswith(b"\r\n") or (size is not None and len(data) != size):
            raise ConnectionError("the connection ended within a reply")
        return data[:-2].decode("utf-8", "surrogateescape")

    def read(self):
        """One reply. An error is raised if it is the whole reply, and an element if it is one of several."""
        line = self.take()
        kind, rest = line[0], line[1:]
        if kind == "+":
            return rest
        if kind == "-":
            raise Error(rest)
        if kind == ":":
            return int(rest)
        if rest == "-1":
            return None
        return self.take(int(rest) + 2) if kind == "$" else [self.element() for _ in range(int(rest))]

    def element(self):
        try:
            return self.read()
        except Error as error:
            return error

    def call(self, *words):
        self.send(*words)
        return self.read()

    def close(self):
        self.replies.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

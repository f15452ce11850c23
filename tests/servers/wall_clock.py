"""The wall clock of a process that skew.so (tests/process/skew.c) is preloaded into: shifted at any time, while the process runs."""
import mmap
import os
import struct


class WallClock:
    def __init__(self, skew_so, path):
        self.skew_so, self.path = os.path.abspath(skew_so), path
        with open(path, "w+b") as file:
            file.write(bytes(8))
            file.flush()
            self.offset = mmap.mmap(file.fileno(), 8)

    def set(self, seconds):
        """By so much, counted from the true time."""
        self.offset[:] = struct.pack("=q", int(seconds * 10**9))

    def seconds(self):
        return struct.unpack("=q", self.offset[:])[0] / 10**9

    def environment(self):
        """What the process is to be started with."""
        return {"LD_PRELOAD": self.skew_so, "FLOWCTL_SKEW_FILE": self.path,
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

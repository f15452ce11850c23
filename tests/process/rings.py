"""Files of admissions, read and written from their description in tools/admission_ring.h: shares no code with it."""
import os
import struct

HEADER = 65536
ENTRY = struct.Struct("<4Q")
FIELDS = ("refused", "refused_permits", "waited", "wait_ns", "failed", "answered_ns", "ended")


def write(directory, name, admissions, role=0, version=1, pid=1):
    """Admissions: (time_ns, permits) or (time_ns, permits, used_ns)."""
    header = bytearray(HEADER)
    struct.pack_into("<8s4I2Q64s", header, 0, b"FCTRING", version, HEADER, ENTRY.size, role, pid, 1, name.encode())
    struct.pack_into("<Q", header, 128, len(admissions))
    with open(os.path.join(directory, name + ".ring"), "wb") as file:
        file.write(header)
        for time_ns, permits, *used_ns in admissions:
            file.write(ENTRY.pack(time_ns, used_ns[0] if used_ns else time_ns, permits, 0))


def read(path):
    """(header as a dictionary, entries as (time_ns, used_ns, permits, limiter))"""
    with open(path, "rb") as file:
        data = file.read()
    magic, version, header, entry, role, pid, made_ns, name = struct.unpack_from("<8s4I2Q64s", data)
    assert (magic, version, header, entry) == (b"FCTRING\0", 1, HEADER, ENTRY.size), path
    count, = struct.unpack_from("<Q", data, 128)
    found = dict(zip(FIELDS, struct.unpack_from("<7Q", data, 192)), role=role, pid=pid, made_ns=made_ns,
                 name=name.rstrip(b"\0").decode(), count=count)
    return found, [ENTRY.unpack_from(data, HEADER + i * ENTRY.size) for i in range(count)]


def read_all(directory):
    return [read(os.path.join(directory, name)) for name in sorted(os.listdir(directory)) if name.endswith(".ring")]

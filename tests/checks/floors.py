#!/usr/bin/env python3
"""A source file includes only what is on its floor or below. Usage: floors.py ROOT

Floors, from the ground up: base, clock and algo, core, flow. A backend sees the public headers, base and algo. Clients, tools and
examples are users like any other: public headers only. CONTRIBUTING.md says why.
"""
import os
import re
import sys

# C11 and POSIX: all that the library may need from the system.
LIBC = set("""assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
    stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype fcntl poll pthread sched semaphore
    strings unistd sys/eventfd sys/wait sys/mman sys/random sys/socket sys/stat sys/time sys/timerfd sys/types sys/epoll""".split())
# Pure arithmetic: no clock, no lock, no memory, no I/O.
PURE = {"stdbool", "stdint", "stddef", "limits", "float", "string"}
PURE_PUBLIC = {"rate.h", "status.h", "limiter.h", "token_bucket.h", "export.h", "sys/lease.h", "sys/ledger.h"}

BELOW = {
    "include": set(),
    "src/base": {"src/base"},
    "src/clock": {"src/base", "src/clock"},
    "src/algo": {"src/base", "src/algo"},
    "src/core": {"src/base", "src/clock", "src/algo", "src/core"},
    "src/flow": {"src/base", "src/clock", "src/algo", "src/core", "src/flow"},
    "src/backend": {"src/base", "src/algo", "src/backend"},
    "src/client": {"src/client"},
    "tools": {"tools"},
    "examples": {"examples"},
}
# Single files of another floor: the command opens the backend that the examples have.
ALSO = {"tools": {"examples/backend_file.h"}}
# Parts that may use a library beyond libc; each is a link target of its own.
WITH_LIBRARIES = {"src/backend", "src/client", "tools"}

INCLUDE = re.compile(r'\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)"|(\S.*))')


def floor_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "src" else parts[0]


def resolve(root, path, name):
    """The file that #include "name" in `path` means, relative to root; None if there is none."""
    for folder in (os.path.dirname(path), "src", ""):
        candidate = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def part_of(path):
    """What siblings are apart from: a file's first word in flow, a folder in backend."""
    parts = path.split("/")
    return parts[2].split(".")[0].split("_")[0] if floor_of(path) == "src/flow" else parts[2]


def fault(root, path, system, quoted, computed):
    """Why an include is not allowed; None if it is."""
    floor = floor_of(path)
    if computed:
        return "an include must name its file"
    if system is not None and system.startswith("flowctl/"):
        if floor == "src/algo" and system[len("flowctl/"):] not in PURE_PUBLIC:
            return f"algo sees only {', '.join(sorted(PURE_PUBLIC))} of the public headers, not <{system}>"
        return None
    if system is not None:
        name = system[:-2] if system.endswith(".h") else system
        if floor == "src/algo" and name not in PURE:
            return f"algo is pure arithmetic and must not see <{system}>"
        if floor == "include" and name not in {"stdbool", "stddef", "stdint"}:
            return f"a public header must not bring in <{system}>"
        if floor not in WITH_LIBRARIES and name not in LIBC:
            return f"<{system}> is not of the C library"
        return None
    target = resolve(root, path, quoted)
    if target is None:
        return f'"{quoted}" is not there'
    if floor_of(target) not in BELOW[floor] and target not in ALSO.get(floor, ()):
        return f'{floor} must not see {floor_of(target)} ("{quoted}")'
    if floor in ("src/flow", "src/backend") and floor_of(target) == floor and part_of(target) != part_of(path):
        return f'siblings do not see each other ("{quoted}")'
    return None


def check(root):
    faults, files = [], 0
    for top in ("include", "src", "tools", "examples"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if not name.endswith((".c", ".h")):
                    continue
                path = os.path.relpath(os.path.join(folder, name), root)
                files += 1
                if floor_of(path) not in BELOW:
                    faults.append(f"{path}:1: {floor_of(path)} is on no floor")
                    continue
                with open(os.path.join(root, path), encoding="utf-8") as text:
                    for number, line in enumerate(text, 1):
                        found = INCLUDE.match(line)
                        why = found and fault(root, path, *found.groups())
                        if why:
                            faults.append(f"{path}:{number}: {why}")
    return faults, files


def main():
    faults, files = check(sys.argv[1])
    print("\n".join(faults))
    if files == 0:
        print("no source files found")
    print(f"{files} files, {len(faults)} faults")
    return 1 if faults or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

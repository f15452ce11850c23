#!/usr/bin/env python3
"""The shared library exports exactly what the public headers declare and needs nothing beyond libc; the static library's global
names all begin with flowctl_ or fc_.

Usage: exports.py INCLUDE SHARED STATIC [HEADER NEEDED...]

A library beside the main one has a HEADER of its own, and may need libraries whose names begin with NEEDED.
"""
import re
import subprocess
import sys

import declared

LIBC = re.compile(r"^(libc\.so\.\d+|ld-linux.*\.so\.\d+|libc\.musl-.*|libpthread\.so\.\d+)$")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def symbols(library, *options):
    """Names only; a symbol version behind the name does not matter here."""
    lines = run("nm", "--defined-only", "--format=posix", *options, library).splitlines()
    return {line.split()[0].split("@")[0] for line in lines if len(line.split()) > 2}


def compare(declared_names, exported):
    return ([f"declared, but not exported: {name}" for name in sorted(declared_names - exported)] +
            [f"exported, but not declared: {name}" for name in sorted(exported - declared_names)])


def foreign_names(names):
    return [f"a global name of the static library that may clash: {name}" for name in sorted(names)
            if not name.startswith(("flowctl_", "fc_"))]


def foreign_needs(library, allowed=()):
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", library))
    return [f"needs a library beyond libc: {name}" for name in needed if not LIBC.match(name) and not name.startswith(tuple(allowed))]


def main():
    include, shared, static, *apart = sys.argv[1:]
    names = declared.exported_functions(include, *apart[:1])
    faults = compare(names, symbols(shared, "-D")) + foreign_needs(shared, apart[1:]) + foreign_names(symbols(static, "-g"))
    print("\n".join(faults))
    print(f"{len(names)} functions, {len(faults)} faults")
    return 1 if faults or not names else 0


if __name__ == "__main__":
    sys.exit(main())

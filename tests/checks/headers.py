#!/usr/bin/env python3
"""Each public header compiles alone, twice over, as C11 and as C++17; declares its functions with FLOWCTL_API; documents them.

Usage: headers.py INCLUDE CC CXX
"""
import os
import re
import subprocess
import sys
import tempfile

import declared

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-fsyntax-only"]


def compile_faults(include, header, compilers):
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix, compiler, standard in ((".c", compilers[0], "-std=c11"), (".cpp", compilers[1], "-std=c++17")):
            source = os.path.join(folder, "alone" + suffix)
            with open(source, "w", encoding="utf-8") as out:
                out.write(f"#include <{header}>\n#include <{header}>\nint main(void);\nint main(void) {{ return 0; }}\n"
                          if suffix == ".c" else f"#include <{header}>\n#include <{header}>\nint main() {{ return 0; }}\n")
            run = subprocess.run([compiler, standard, *WARNINGS, "-I", include, source], capture_output=True, text=True)
            if run.returncode != 0:
                faults.append(f"{header}:1: does not compile alone with {standard}:\n{run.stderr}")
    return faults


def documented(lines, line):
    """A comment stands above the function, or above the group without blank lines that it belongs to."""
    above = line - 2
    while above >= 0 and lines[above].strip():
        if lines[above].strip().endswith("*/"):
            return True
        above -= 1
    return False


def text_faults(header, text):
    faults = []
    lines = text.split("\n")
    guard = re.sub(r"\W", "_", header[len("flowctl/"):] if header == "flowctl/flowctl.h" else header).upper()
    if f"#ifndef {guard}\n#define {guard}\n" not in text:
        faults.append(f"{header}:1: has no guard {guard}")
    if "@file" not in lines[0] + (lines[1] if len(lines) > 1 else ""):
        faults.append(f"{header}:1: does not begin with what it is about (@file)")
    for name, line, api in declared.functions(text):
        if not api:
            faults.append(f"{header}:{line}: {name} is declared without FLOWCTL_API")
        if not documented(lines, line):
            faults.append(f"{header}:{line}: {name} has no comment")
    return faults


def check(include, compilers):
    faults, names = [], declared.headers(include)
    for header in names:
        with open(os.path.join(include, header), encoding="utf-8") as text:
            faults += text_faults(header, text.read())
        if compilers:
            faults += compile_faults(include, header, compilers)
    with open(os.path.join(include, "flowctl/flowctl.h"), encoding="utf-8") as text:
        umbrella = text.read()
    for header in names:
        # export.h comes with any other; sys/ is for authors of backends, who ask for it.
        if header not in ("flowctl/flowctl.h", "flowctl/export.h") and "/sys/" not in header and header not in declared.APART and f"<{header}>" not in umbrella:
            faults.append(f"flowctl/flowctl.h:1: does not include <{header}>")
    return faults, len(names)


def main():
    faults, count = check(sys.argv[1], sys.argv[2:4])
    print("\n".join(faults))
    print(f"{count} headers, {len(faults)} faults")
    return 1 if faults or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

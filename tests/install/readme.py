#!/usr/bin/env python3
"""README.md tells the truth: its first C program compiles and runs; what it shows of
`flowctl` is what `flowctl` prints.

Usage: readme.py SOURCE LIBRARY CC [FLOWCTL]
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE, LIBRARY, CC = sys.argv[1:4]
FLOWCTL = sys.argv[4] if len(sys.argv) > 4 else None
with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as text:
    README = text.read()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.S | re.M)


class Readme(unittest.TestCase):
    maxDiff = None

    def test_the_program(self):
        with tempfile.TemporaryDirectory() as folder:
            source, program = os.path.join(folder, "readme.c"), os.path.join(folder, "readme")
            with open(source, "w", encoding="utf-8") as out:
                out.write(blocks("c")[0])
            subprocess.run([CC, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", f"{SOURCE}/include", source,
                            LIBRARY, "-pthread", "-o", program], check=True)
            subprocess.run([program], check=True)

    def test_the_commands(self):
        if FLOWCTL is None:  # FLOWCTL_WITH_TOOLS
            return
        path = f"{os.path.dirname(FLOWCTL)}:{os.environ['PATH']}"
        shown = [match for block in blocks("console") for match in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.M)]
        self.assertTrue(shown)
        for command, output in shown:
            real = subprocess.run(command, shell=True, cwd=SOURCE, env={**os.environ, "PATH": path}, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
            self.assertEqual(real.stdout, output, command)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

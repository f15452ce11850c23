#!/usr/bin/env python3
"""The export check finds what it is for, in a library made for it. Usage: test_exports.py CC"""
import os
import subprocess
import sys
import tempfile
import unittest

import exports

CC = sys.argv.pop() if len(sys.argv) > 1 else "cc"
SOURCE = """
int flowctl_one(void); int flowctl_leak(void); int helper(void);
int flowctl_one(void) { return 1; }
int flowctl_leak(void) { return 2; }
__attribute__((visibility("hidden"))) int helper(void) { return 3; }
"""


class Exports(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        source, self.object = (os.path.join(folder.name, name) for name in ("planted.c", "planted.o"))
        self.shared = os.path.join(folder.name, "libplanted.so")
        with open(source, "w", encoding="utf-8") as out:
            out.write(SOURCE)
        subprocess.run([CC, "-fPIC", "-c", source, "-o", self.object], check=True)
        subprocess.run([CC, "-shared", self.object, "-o", self.shared, "-Wl,--no-as-needed", "-lm"], check=True)

    def test_extra_and_missing(self):
        self.assertEqual(exports.compare({"flowctl_one", "flowctl_two"}, exports.symbols(self.shared, "-D")),
                         ["declared, but not exported: flowctl_two", "exported, but not declared: flowctl_leak"])

    def test_a_name_that_may_clash(self):
        found = exports.foreign_names(exports.symbols(self.object, "-g"))
        self.assertEqual(found, ["a global name of the static library that may clash: helper"])

    def test_another_library(self):
        self.assertEqual(exports.foreign_needs(self.shared), ["needs a library beyond libc: libm.so.6"])


if __name__ == "__main__":
    unittest.main()

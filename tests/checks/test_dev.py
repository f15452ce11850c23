#!/usr/bin/env python3
"""./dev: what it says without doing anything, and that nothing but passed tests passes. Usage: test_dev.py SOURCE"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = sys.argv.pop()
DEV = os.path.join(SOURCE, "dev")
LONG = "yes line | head -n 2000; "  # more than ctest keeps of a test's output when it is asked to be brief

# A test as a shell command, and what ctest is told about it: must all tests be said to have passed?
TESTS = {
    "passes": ("true", "", True),
    "prints": (LONG + "echo '[       OK ] one'", "", True),
    "fails": ("false", "", False),
    "skips": ("exit 77", "SKIP_RETURN_CODE 77", False),
    "disabled": ("true", "DISABLED TRUE", False),
    "skips_in_cmocka": (LONG + "echo '[  SKIPPED ] one'", "", False),
    "skips_in_unittest": (LONG + "echo 'OK (skipped=1)'", "", False),
}


class Dev(unittest.TestCase):
    def run_dev(self, *arguments):
        return subprocess.run([DEV, *arguments], capture_output=True, text=True, cwd="/")

    def test_help(self):
        bare, asked = self.run_dev(), self.run_dev("help")
        self.assertEqual((bare.returncode, bare.stdout), (0, asked.stdout))
        for command in ("demo", "test", "lint", "fuzz", "soak", "sim", "coverage", "format", "clean"):
            self.assertIn(f"  {command} ", bare.stdout)

    def test_unknown(self):
        run = self.run_dev("tset")
        self.assertEqual(run.returncode, 2)
        self.assertIn('"tset"', run.stderr)

    def test_only_what_passed_passes(self):
        for name, (command, properties, passes) in TESTS.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                shutil.copy(DEV, folder)
                build = os.path.join(folder, "build", "some")
                os.makedirs(build)
                os.makedirs(os.path.join(folder, "build", "logs"))
                with open(os.path.join(build, "CTestTestfile.cmake"), "w", encoding="utf-8") as out:
                    out.write(f'add_test(one "sh" "-c" [==[{command}]==])\n')
                    if properties:
                        out.write(f"set_tests_properties(one PROPERTIES {properties})\n")
                run = subprocess.run(["bash", "-c", "source ./dev help >/dev/null; run_ctest build/some"], cwd=folder,
                                     capture_output=True, text=True)
                self.assertEqual(run.returncode == 0, passes, run.stdout + run.stderr)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Installs, moves the installed tree elsewhere, and uses it from there as users do.

Usage: test_install.py SOURCE BUILD VERSION CC CXX
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD, VERSION, CC, CXX = sys.argv[1:6]
HERE = os.path.dirname(os.path.abspath(__file__))


def run(*command, env=None):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def cmake_project(source, build, *options):
    run("cmake", "-G", "Ninja", "-S", source, "-B", build, f"-DCMAKE_C_COMPILER={CC}", *options)
    run("cmake", "--build", build)


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.work = folder.name
        first = os.path.join(cls.work, "first")
        run("cmake", "--install", BUILD, "--prefix", first)
        # Nothing may remember where it was installed.
        cls.prefix = os.path.join(cls.work, "moved", "here")
        os.makedirs(os.path.dirname(cls.prefix))
        shutil.move(first, cls.prefix)
        cls.with_redis = os.path.exists(os.path.join(cls.prefix, "include", "flowctl", "redis.h"))
        cls.libdir = os.path.dirname(cls.only("**/libflowctl.a"))

    @classmethod
    def only(cls, pattern):
        found = glob.glob(os.path.join(cls.prefix, pattern), recursive=True)
        assert len(found) == 1, f"{pattern}: {found}"
        return found[0]

    def pkg_config(self, *options, package="flowctl"):
        return run("pkg-config", *options, package,
                   env={"PKG_CONFIG_PATH": os.path.join(self.libdir, "pkgconfig")}).split()

    def compile_and_run(self, compiler, name, *options, source="main.c"):
        program = os.path.join(self.work, name)
        language = ["-x", "c++", "-std=c++17"] if compiler == CXX else ["-std=c11"]
        run(compiler, *language, "-Wall", "-Wextra", "-Wpedantic", "-Werror", os.path.join(HERE, "consumer", source),
            "-x", "none", "-o", program, *options)
        run(program, env={"LD_LIBRARY_PATH": self.libdir})

    def test_what_is_there(self):
        for pattern in ("include/flowctl/flowctl.h", "**/libflowctl.so", f"**/libflowctl.so.{VERSION}", "**/flowctl.pc",
                        "**/flowctl-config.cmake", "**/LICENSE"):
            self.only(pattern)

    def test_no_file_names_the_build(self):
        for folder, _, names in os.walk(self.prefix):
            for name in names:
                if name.endswith((".cmake", ".pc", ".h")):
                    with open(os.path.join(folder, name), encoding="utf-8") as text:
                        content = text.read()
                    for path in (SOURCE, BUILD, self.work):
                        # As a whole path: a tree that lies in /flowctl must not find itself in "${dir}/flowctl.h".
                        self.assertNotRegex(content, rf"(?:(?<=-[IL])|(?<![\w.}}/<-])){re.escape(path)}(?![\w.-])", name)

    def test_find_package(self):
        build = os.path.join(self.work, "consumer")
        wanted = ".".join(VERSION.split(".")[:2])
        cmake_project(os.path.join(HERE, "consumer"), build, f"-DCMAKE_CXX_COMPILER={CXX}",
                      f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DWANTED={wanted}")
        for program in ("c_shared", "c_static", "cpp_shared", "cpp_static"):
            run(os.path.join(build, program))
        if self.with_redis:
            for program in ("redis_shared", "redis_static"):
                run(os.path.join(build, program))

    def test_pkg_config_redis(self):
        if self.with_redis:  # FLOWCTL_WITH_REDIS
            flags = self.pkg_config("--cflags", "--libs", package="flowctl-redis")
            self.assertNotIn("-lhiredis", flags)
            self.compile_and_run(CC, "pc_redis", *flags, source="redis.c")

    def test_pkg_config_shared(self):
        flags = self.pkg_config("--cflags", "--libs")
        self.compile_and_run(CC, "pc_c", *flags)
        self.compile_and_run(CXX, "pc_cpp", *flags)

    def test_pkg_config_static(self):
        self.compile_and_run(CC, "pc_static", "-static", *self.pkg_config("--cflags", "--libs", "--static"))

    def test_pkg_config_version(self):
        self.assertEqual(self.pkg_config("--modversion"), [VERSION])

    def test_command(self):
        command = os.path.join(self.prefix, "bin", "flowctl")
        if os.path.exists(command):  # FLOWCTL_WITH_TOOLS
            self.assertIn(VERSION, run(command, "--version"))
            self.only("**/man1/flowctl.1")

    def test_part_of_another_project(self):
        build = os.path.join(self.work, "embedded")
        cmake_project(os.path.join(HERE, "embedded"), build, f"-DFLOWCTL_SOURCE={SOURCE}")
        for program in ("e_shared", "e_static"):
            run(os.path.join(build, program))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

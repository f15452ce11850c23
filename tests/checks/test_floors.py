#!/usr/bin/env python3
"""The floor check finds what it is for: each planted include must be reported, at its line."""
import os
import tempfile
import unittest

import floors

TREE = {
    "include/flowctl/rate.h": "#include <stdint.h>\n",
    "src/base/error.h": "#include <flowctl/rate.h>\n",
    "src/clock/clock.h": '#include <pthread.h>\n#include "base/error.h"\n',
    "src/algo/bucket.c": '#include "base/error.h"\n#include <flowctl/rate.h>\n#include <stdint.h>\n',
    "src/core/limiter.h": '#include "clock/clock.h"\n',
    "src/flow/pool.h": '#include "core/limiter.h"\n',
    "src/flow/pool.c": '#include "flow/pool.h"\n',
    "src/flow/breaker.h": "",
    "src/backend/redis/redis.c": '#include <hiredis/hiredis.h>\n#include "base/error.h"\n',
    "src/backend/memory/memory.h": "",
    "tools/main.c": '#include <flowctl/flowctl.h>\n#include <json-c/json.h>\n#include "command.h"\n',
    "tools/command.h": "",
    "tools/backend_url.c": '#include "examples/backend_file.h"\n',
    "examples/one.c": "#include <flowctl/flowctl.h>\n#include <stdio.h>\n",
    "examples/backend_file.h": "",
    "examples/other.h": "",
}

PLANTS = [
    ("include/flowctl/rate.h", "#include <pthread.h>"),
    ("include/flowctl/rate.h", '#include "base/error.h"'),
    ("src/base/error.h", '#include "clock/clock.h"'),
    ("src/base/error.h", "#include <hiredis/hiredis.h>"),
    ("src/clock/clock.h", '#include "algo/bucket.c"'),
    ("src/algo/bucket.c", '#include "clock/clock.h"'),
    ("src/algo/bucket.c", '#include "../clock/clock.h"'),
    ("src/algo/bucket.c", "#include <stdlib.h>"),
    ("src/algo/bucket.c", "#  include <stdio.h>"),
    ("src/algo/bucket.c", "#include <pthread.h>"),
    ("src/algo/bucket.c", "#include <flowctl/clock.h>"),
    ("src/core/limiter.h", '#include "flow/pool.h"'),
    ("src/core/limiter.h", '#include "gone.h"'),
    ("src/core/limiter.h", "#include HEADER"),
    ("src/flow/pool.c", '#include "flow/breaker.h"'),
    ("src/backend/redis/redis.c", '#include "core/limiter.h"'),
    ("src/backend/redis/redis.c", '#include "clock/clock.h"'),
    ("src/backend/redis/redis.c", '#include "backend/memory/memory.h"'),
    ("tools/main.c", '#include "base/error.h"'),
    ("tools/main.c", '#include "../src/core/limiter.h"'),
    ("tools/main.c", '#include "examples/other.h"'),
    ("src/backend/redis/redis.c", '#include "examples/backend_file.h"'),
    ("examples/one.c", '#include "base/error.h"'),
    ("examples/one.c", "#include <json-c/json.h>"),
    ("src/odd/new.c", "#include <stdio.h>"),
]


def faults_with(extra_path=None, extra_line=None):
    with tempfile.TemporaryDirectory() as root:
        tree = dict(TREE)
        if extra_path:
            tree[extra_path] = extra_line + "\n" + tree.get(extra_path, "")
        for path, text in tree.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                out.write(text)
        return floors.check(root)[0]


class Floors(unittest.TestCase):
    def test_a_clean_tree_passes(self):
        self.assertEqual(faults_with(), [])

    def test_each_plant_is_found(self):
        for path, line in PLANTS:
            with self.subTest(path=path, line=line):
                found = faults_with(path, line)
                self.assertEqual(len(found), 1, found)
                self.assertTrue(found[0].startswith(f"{path}:1: "), found)


if __name__ == "__main__":
    unittest.main()

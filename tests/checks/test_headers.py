#!/usr/bin/env python3
"""The header check finds what it is for."""
import unittest

import declared
import headers

GOOD = """/** @file x.h  An example. */
#ifndef FLOWCTL_X_H
#define FLOWCTL_X_H

/** Does a thing. */
FLOWCTL_API int flowctl_do(int a,
                           int b);
FLOWCTL_API int flowctl_do_at(int a);

static inline int flowctl_twice(int a) {
    return 2 * flowctl_do(a, a);
}

typedef int (*flowctl_callback)(int a);

#endif
"""


def faults(old, new):
    changed = GOOD.replace(old, new)
    assert changed != GOOD
    return headers.text_faults("flowctl/x.h", changed)


class Headers(unittest.TestCase):
    def test_a_good_header_passes(self):
        self.assertEqual(headers.text_faults("flowctl/x.h", GOOD), [])
        self.assertEqual([name for name, _, _ in declared.functions(GOOD)], ["flowctl_do", "flowctl_do_at"])

    def test_no_api(self):
        self.assertIn("flowctl/x.h:8: flowctl_do_at is declared without FLOWCTL_API",
                      faults("FLOWCTL_API int flowctl_do_at", "int flowctl_do_at"))

    def test_no_comment(self):
        self.assertEqual(len(faults("/** Does a thing. */\n", "")), 2)

    def test_no_guard(self):
        self.assertEqual(faults("#ifndef FLOWCTL_X_H", "#ifndef X_H"), ["flowctl/x.h:1: has no guard FLOWCTL_X_H"])

    def test_not_introduced(self):
        self.assertEqual(len(faults("@file", "file")), 1)


if __name__ == "__main__":
    unittest.main()

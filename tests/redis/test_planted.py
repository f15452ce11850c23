"""The tests find what they are for: each with a defect that it must fail by, and without. usage: test_planted.py PLANTED_DRIVER SERVER SLOW_NAMES"""
import unittest

import driver
import test_link
import test_start

PLANTS = {
    "unguarded": (test_link.Pipes, "test_a_server_that_goes_again_and_again_under_load"),
    "context-leak": (test_link.Leaks, "test_a_thousand_connections_leave_nothing_behind"),
    "descriptor-leak": (test_link.Leaks, "test_all_descriptors_are_given_back_and_none_is_inherited"),
    "reply-leak": (test_link.Leaks, "test_many_asks_leave_nothing_behind"),
    "any-database": (test_start.Places, "test_a_database_that_is_not_there"),
    "secret-shown": (test_start.Password, "test_a_server_that_repeats_what_it_is_sent"),
}
BY_CHANCE = {"unguarded"}  # not at each try
NOT_INSTRUMENTED = {"context-leak", "reply-leak"}  # found by the memory that is used


class Planted(unittest.TestCase):
    def run_with(self, plant, case, name):
        driver.Case.environment = {"FLOWCTL_PLANT": plant}
        result = unittest.TestResult()
        case(name).run(result)
        return [text for _, text in result.failures + result.errors]

    def test_each_plant_is_found(self):
        for plant, (case, name) in PLANTS.items():
            if driver.Case.instrumented and plant in NOT_INSTRUMENTED:
                continue
            with self.subTest(plant):
                self.assertEqual(self.run_with("none", case, name), [])
                self.assertTrue(any(self.run_with(plant, case, name) for _ in range(5 if plant in BY_CHANCE else 1)))


if __name__ == "__main__":
    unittest.main(argv=driver.sys.argv[:1], verbosity=1)

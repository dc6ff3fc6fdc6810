"""What the errors say, and what they carry."""

from __future__ import annotations

import unittest

import migopy
from migopy.errors import MigopyException, StopTaskExecution, listing


class MigopyExceptionTest(unittest.TestCase):
    def test_shows_how_the_task_is_called(self) -> None:
        self.assertEqual(
            str(MigopyException('Type: {fab}:help')), 'Type: fab migrations:help'
        )

    def test_shows_the_fabfile_s_own_name_for_the_task(self) -> None:
        error = MigopyException('Type: {fab}:help')
        error.task_name = 'migr'
        self.assertEqual(str(error), 'Type: fab migr:help')

    def test_other_braces_stay(self) -> None:
        text = "{'a': 1} {} {0} {name}"
        self.assertEqual(str(MigopyException(text)), text)

    def test_has_the_message_of_1_0(self) -> None:
        self.assertEqual(MigopyException('went wrong').message, 'went wrong')

    def test_stop_is_no_error_of_migopy_s(self) -> None:
        """Else it would be shown in red."""
        self.assertFalse(issubclass(StopTaskExecution, MigopyException))

    def test_listing_indents_a_name_a_line(self) -> None:
        self.assertEqual(listing(['a', 'b']), '  a\n  b')


class NamesOfTest(unittest.TestCase):
    def test_the_names_of_1_0_are_in_the_package(self) -> None:
        names = {
            'MigrationsManager',
            'task',
            'MigopyException',
            'StopTaskExecution',
            'ColorsLogger',
            'Str',
            'cwd_in_syspath',
        }
        self.assertLessEqual(names, set(migopy.__all__))
        for name in names:
            self.assertTrue(callable(getattr(migopy, name)), name)

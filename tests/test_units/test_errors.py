"""What the errors say, and what they carry."""

from __future__ import annotations

import pickle
import sys
import unittest
from collections.abc import Iterator

from pymongo.errors import AutoReconnect, InvalidOperation

import migopy
import migopy.backfill
from migopy.codes import TRANSIENT
from migopy.commands import Command, FabSpelling
from migopy.errors import MigopyException, StopTaskExecution, listing
from migopy.server.bulks import is_transient


def kinds_of(kind: type[MigopyException]) -> Iterator[type[MigopyException]]:
    """Iterate over the errors that derive from one.

    One of a module that another test has imported anew meanwhile is none of these.
    """
    for each in kind.__subclasses__():
        if getattr(sys.modules.get(each.__module__), each.__name__, None) is each:
            yield each
        yield from kinds_of(each)


class MigopyExceptionTest(unittest.TestCase):
    def test_spells_its_commands_for_fab(self) -> None:
        error = MigopyException('Type: ', Command('help'), ' now')
        self.assertEqual(str(error), 'Type: fab migrations:help now')

    def test_is_spelled_by_each_face_in_its_own_way(self) -> None:
        error = MigopyException('Type: ', Command('help'))
        self.assertEqual(error.spelled(FabSpelling('migr')), 'Type: fab migr:help')

    def test_has_its_commands_as_data(self) -> None:
        error = MigopyException('See ', Command(), next=[Command('execute', to='4')])
        self.assertEqual(error.next, [Command(), Command('execute', to='4')])
        self.assertEqual(
            str(error), 'See fab migrations\nType: fab migrations:execute,to=4'
        )

    def test_braces_stay(self) -> None:
        text = "{'a': 1} {} {0} {name} {fab}"
        self.assertEqual(str(MigopyException(text)), text)

    def test_has_the_message_of_1_0(self) -> None:
        self.assertEqual(MigopyException('went wrong').message, 'went wrong')

    def test_each_is_pickled_whatever_it_is_made_of(self) -> None:
        """A process pool hands it over."""
        for kind in (MigopyException, *kinds_of(MigopyException)):
            with self.subTest(kind):
                error = kind.__new__(kind)
                MigopyException.__init__(error, 'Type: ', Command('execute', to='4'))
                # An ImportError has a `name` of its own, which it does not keep.
                error.told = '004_x.py'
                again = pickle.loads(pickle.dumps(error))
                self.assertIs(type(again), kind)
                self.assertEqual(str(again), 'Type: fab migrations:execute,to=4')
                self.assertEqual((again.next, again.told), (error.next, error.told))

    def test_those_of_a_loop_are_of_its_wing(self) -> None:
        """A traceback and a pickle name them so, whatever room they are in."""
        found = [getattr(migopy.backfill, name) for name in migopy.backfill.__all__]
        kinds = [each for each in found if isinstance(each, type)]
        errors = [each for each in kinds if issubclass(each, MigopyException)]
        self.assertIn(migopy.backfill.DocumentsFailed, errors)
        for each in errors:
            self.assertEqual(each.__module__, 'migopy.backfill', each)

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


class LabelTest(unittest.TestCase):
    def test_a_client_that_is_closed_is_not_tried_again(self) -> None:
        """PyMongo gives its error that label in a transaction, as it does others."""
        for error, expected in (
            (InvalidOperation('closed'), False),
            (AutoReconnect(), True),
        ):
            error._add_error_label(TRANSIENT)
            self.assertIs(is_transient(error), expected)

"""Files held against the registry; what a name selects. Nothing is read or written."""

from __future__ import annotations

import tempfile
import unittest
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bson import ObjectId

from migopy.commands import Command
from migopy.files import FileNames, Migration
from migopy.operations.agreed_plan import helpers_of
from migopy.run import (
    AlreadyBegun,
    AlreadyRegistered,
    AmbiguousName,
    Choice,
    LateRefused,
    NoFile,
    NotApplied,
    Plan,
    Unfinished,
    UnknownMigration,
)
from migopy.state import EXECUTED, FAILED, Agent, Holder, Record, Run

ANN = Agent('ann', 'host', 7)
NOON = datetime(2014, 1, 14, 12)


def files(*names: str) -> list[Migration]:
    migrations = [Migration(name, int(name.split('_')[0]), '/steps') for name in names]
    return sorted(migrations, key=lambda each: (each.number, each.name))


def records(*names: str, checksum: str | None = None) -> list[Record]:
    return [Record(ObjectId(), name, None, checksum, None) for name in names]


def plan(on_disk: str, registered: str = '', **more: Any) -> Plan:
    """Make a plan of names, separated by spaces."""
    return Plan(files(*on_disk.split()), records(*registered.split()), **more)


def run(name: str, direction: str = 'up', **more: Any) -> Run:
    return Run(name, direction, None, 'owner', ANN, '2.0', NOON, **more)


def holder(owner: str) -> Holder:
    return Holder(owner, ANN, 'execute', datetime(2014, 1, 14), None)


def names(migrations: list[Migration]) -> list[str]:
    return [each.name for each in migrations]


class WhatFitsTest(unittest.TestCase):
    def test_unregistered_is_what_has_no_record(self) -> None:
        self.assertEqual(
            names(plan('10_c.py 2_b.py 1_a.py', '2_b.py').unregistered),
            ['1_a.py', '10_c.py'],
        )

    def test_late_is_unregistered_with_a_smaller_number_than_a_registered_one(
        self,
    ) -> None:
        late = plan('1_a.py 2_b.py 2_c.py 3_d.py', '2_c.py').late
        self.assertEqual(names(late), ['1_a.py'])
        self.assertEqual(plan('1_a.py').late, [])

    def test_missing_is_registered_without_a_file(self) -> None:
        self.assertEqual(plan('1_a.py', '1_a.py 2_b.py').missing, ['2_b.py'])

    def test_a_missing_one_has_the_number_of_a_pending_one(self) -> None:
        parts = FileNames(r'(?P<migr_nr_1>\d+)-(?P<migr_nr_2>\d+)_')
        simple = FileNames(r'(?P<migr_nr>\d+)_')
        for file_names, on_disk, registered, expected in (
            (simple, '1_a.py 2_c.py', '1_a.py 02_b.py', {'2_c.py': '02_b.py'}),
            (simple, '1_a.py 2_c.py', '1_a.py 3_b.py', {}),
            (simple, '2_c.py', '2_a.py 2_b.py', {}),
            (simple, '2_b.py 2_c.py', '2_b.py', {}),
            (parts, '1-11_c.py', '11-1_b.py', {}),
            (parts, '1-11_c.py', '01-11_b.py', {'1-11_c.py': '01-11_b.py'}),
        ):
            with self.subTest(on_disk=on_disk, registered=registered):
                migrations = [Migration(each, 0, '') for each in on_disk.split()]
                known = records(*registered.split())
                found = Plan(migrations, known, file_names=file_names).same_number
                self.assertEqual(found, expected)

    def test_equal_numbers_are_grouped(self) -> None:
        self.assertEqual(
            plan('1_b.py 01_a.py 2_c.py 3_d.py 3_e.py').equal_numbers,
            [['01_a.py', '1_b.py'], ['3_d.py', '3_e.py']],
        )

    def test_changed_has_another_checksum_than_the_record(self) -> None:
        made = Plan(
            files('1_a.py', '2_b.py', '3_c.py'),
            [*records('1_a.py', '2_b.py', checksum='sha256:1'), *records('3_c.py')],
        )
        self.assertEqual(names(made.to_compare), ['1_a.py', '2_b.py'])
        checksums = {'1_a.py': 'sha256:1', '2_b.py': 'sha256:2'}
        made = Plan(made.migrations, made.records, checksums=checksums)
        self.assertEqual(made.changed, ['2_b.py'])

    def test_all_fits_with_an_unregistered_one(self) -> None:
        self.assertTrue(plan('1_a.py 2_b.py', '1_a.py').fits)

    def test_each_of_these_does_not_fit(self) -> None:
        unfit = {
            'late': plan('1_a.py 2_b.py', '2_b.py'),
            'missing': plan('1_a.py', '1_a.py 2_b.py'),
            'equal': plan('1_a.py 1_b.py'),
            'unfinished': plan('1_a.py', runs=[run('1_a.py')]),
            'changed': Plan(
                files('1_a.py'),
                records('1_a.py', checksum='x'),
                checksums={'1_a.py': 'y'},
            ),
        }
        for what, made in unfit.items():
            with self.subTest(what):
                self.assertFalse(made.fits)


class FindTest(unittest.TestCase):
    made = Choice(plan('001_x.py 2_y.py 002_z.py 10_y.py', '11_gone.py'))

    def test_a_name_is_the_file_name_or_what_stands_for_it(self) -> None:
        for name in (
            '001_x.py',
            '001_x',
            '001',
            '1',
            'mongomigrations/001_x.py',
            './001_x.py',
            '/srv/app/mongomigrations/001_x.py',
            ' 001_x.py ',
        ):
            with self.subTest(name):
                self.assertEqual(self.made.find(name).name, '001_x.py')

    def test_a_whole_name_is_never_ambiguous(self) -> None:
        self.assertEqual(self.made.find('2_y.py').name, '2_y.py')
        self.assertEqual(self.made.find('002_z').name, '002_z.py')

    def test_a_number_that_fits_several_is_an_error_that_lists_them(self) -> None:
        for name in ('2', '002'):
            with self.subTest(name), self.assertRaises(AmbiguousName) as caught:
                self.made.find(name)
            self.assertEqual(caught.exception.candidates, ['002_z.py', '2_y.py'])
            self.assertIn('\n  002_z.py\n  2_y.py\n', str(caught.exception))

    def test_an_unknown_name_is_an_error_with_the_nearest(self) -> None:
        with self.assertRaises(UnknownMigration) as caught:
            self.made.find('01_x.py')
        self.assertEqual(caught.exception.nearest[0], '001_x.py')
        self.assertIn('Did you mean 001_x.py', str(caught.exception))

    def test_these_are_unknown(self) -> None:
        for name in ('', ' ', '3', '00', 'x', '.py', '001_', '1_x.py.bak', '-1', '1.0'):
            with self.subTest(name), self.assertRaises(UnknownMigration):
                self.made.find(name)

    def test_a_registered_one_without_a_file_is_said_to_be(self) -> None:
        for name in ('11_gone.py', '11_gone'):
            with self.subTest(name), self.assertRaises(NoFile) as caught:
                self.made.find(name)
            self.assertEqual(caught.exception.name, '11_gone.py')


class SelectionTest(unittest.TestCase):
    def test_no_name_selects_all_that_is_unregistered_in_order(self) -> None:
        made = Choice(plan('3_c.py 1_a.py 2_b.py', '2_b.py'))
        self.assertEqual(names(made.to_execute(None, True)), ['1_a.py', '3_c.py'])
        self.assertEqual(names(made.to_ignore(None)), ['1_a.py', '3_c.py'])

    def test_a_name_selects_that_one(self) -> None:
        made = Choice(plan('1_a.py 2_b.py 3_c.py'))
        self.assertEqual(names(made.to_execute('2', True)), ['2_b.py'])
        self.assertEqual(names(made.to_ignore('2')), ['2_b.py'])

    def test_an_empty_name_selects_nothing(self) -> None:
        with self.assertRaises(UnknownMigration):
            Choice(plan('1_a.py')).to_execute('', True)

    def test_what_is_registered_is_not_run_again(self) -> None:
        made = Choice(plan('1_a.py', '1_a.py'))
        for select in (lambda: made.to_execute('1', True), lambda: made.to_ignore('1')):
            with self.assertRaises(AlreadyRegistered) as caught:
                select()
            self.assertIn('1_a.py is registered already', str(caught.exception))

    def test_to_run_it_again_it_is_told_how_many_stand_on_it(self) -> None:
        for done, said in (
            ('1_a.py', 'nothing was done.\nTo run it again, first undo it: fab'),
            ('1_a.py 2_b.py', '\n1 later one is applied on top of it, and may need'),
            (
                '1_a.py 2_b.py 3_c.py',
                '\n2 later ones are applied on top of it, and may need what it did.'
                '\nTo run it again, first undo it: fab migrations:rollback,1_a.py',
            ),
        ):
            with self.subTest(done):
                made = Choice(plan('1_a.py 2_b.py 3_c.py', done))
                with self.assertRaises(AlreadyRegistered) as caught:
                    made.to_execute('1', True)
                first = caught.exception
                error = AlreadyRegistered(first.name, first.how, True, first.later)
                self.assertIn(said, str(error))
                self.assertEqual(error.next, [Command('rollback', '1_a.py')])

    def test_ignore_goes_up_to_one(self) -> None:
        made = Choice(plan('3_c.py 1_a.py 2_b.py 4_d.py', '2_b.py'))
        self.assertEqual(names(made.to_ignore(None, '3')), ['1_a.py', '3_c.py'])

    def test_a_baseline_is_for_a_registry_with_nothing_in_it(self) -> None:
        made = Choice(plan('3_c.py 1_a.py 2_b.py'))
        self.assertEqual(names(made.to_begin_at('2')), ['1_a.py', '2_b.py'])
        with self.assertRaises(UnknownMigration):
            made.to_begin_at('9')
        with self.assertRaises(AlreadyBegun) as caught:
            Choice(plan('1_a.py 2_b.py', '1_a.py')).to_begin_at('2')
        [command] = caught.exception.next
        self.assertEqual(command, Command('ignore', to='2_b.py'))

    def test_late_ones_may_be_refused(self) -> None:
        made = Choice(plan('1_a.py 2_b.py', '2_b.py'))
        with self.assertRaises(LateRefused) as caught:
            made.to_execute(None, allow_late=False)
        self.assertEqual(caught.exception.names, ['1_a.py'])
        self.assertEqual(names(made.to_execute(None, allow_late=True)), ['1_a.py'])
        self.assertEqual(names(made.to_execute('1', allow_late=False)), ['1_a.py'])

    def test_rollback_takes_a_registered_one_and_any_with_force(self) -> None:
        made = Choice(plan('1_a.py 2_b.py', '1_a.py'))
        self.assertEqual(names(made.to_roll_back('1')), ['1_a.py'])
        with self.assertRaises(NotApplied) as caught:
            made.to_roll_back('2')
        [command] = caught.exception.next
        # Not the forced one: a `down` undoes what was done.
        self.assertEqual(command, Command('list'))
        self.assertEqual(names(made.to_roll_back('2', force=True)), ['2_b.py'])

    def test_rollback_takes_an_unfinished_one(self) -> None:
        """Cleaning up after an `up` that failed."""
        made = Choice(plan('1_a.py', runs=[run('1_a.py', outcome=FAILED)]))
        self.assertEqual(names(made.to_roll_back('1')), ['1_a.py'])

    def test_rollback_takes_the_last_or_all_where_there_are_fewer(self) -> None:
        made = Choice(plan('1_a.py 2_b.py 3_c.py', '1_a.py 3_c.py'))
        self.assertEqual(names(made.to_roll_back(None, last=1)), ['3_c.py'])
        self.assertEqual(names(made.to_roll_back(None, last=2)), ['3_c.py', '1_a.py'])
        self.assertEqual(names(made.to_roll_back(None, last=99)), ['3_c.py', '1_a.py'])
        self.assertEqual(Choice(plan('1_a.py')).to_roll_back(None, last=1), [])

    def test_doubles_are_all_a_migration_s_records(self) -> None:
        made = plan('1_a.py', '1_a.py 1_a.py')
        self.assertEqual(len(made.records_of(made.migrations[0])), 2)
        self.assertEqual(made.unregistered, [])


class UnfinishedTest(unittest.TestCase):
    def test_a_run_without_an_end_is(self) -> None:
        left = run('1_a.py')
        self.assertEqual(plan('1_a.py', runs=[left]).unfinished, [left])

    def test_a_run_that_failed_after_a_write_is(self) -> None:
        left = run('1_a.py', outcome=FAILED)
        self.assertEqual(plan('1_a.py', runs=[left]).unfinished, [left])

    def test_the_run_of_who_holds_the_lock_is_running(self) -> None:
        going_on = run('1_a.py')
        made = plan('1_a.py', runs=[going_on], holders=[holder('owner')])
        self.assertEqual((made.unfinished, made.open_runs.running), ([], [going_on]))
        made = plan('1_a.py', runs=[going_on], holders=[holder('another')])
        self.assertEqual((made.unfinished, made.open_runs.running), ([going_on], []))

    def test_a_run_whose_record_stands_has_only_not_been_completed(self) -> None:
        done = run('1_a.py')
        made = Plan(
            files('1_a.py'),
            [Record(done.id, '1_a.py', None, None, EXECUTED)],
            runs=[done],
        )
        self.assertEqual((made.unfinished, made.open_runs.ended), ([], [done]))

    def test_so_has_a_down_whose_record_is_gone(self) -> None:
        done = run('1_a.py', 'down', records=[ObjectId()])
        made = plan('1_a.py', runs=[done])
        self.assertEqual((made.unfinished, made.open_runs.ended), ([], [done]))

    def test_a_down_whose_record_stands_is(self) -> None:
        [record] = records('1_a.py')
        left = run('1_a.py', 'down', records=[record.id])
        made = Plan(files('1_a.py'), [record], runs=[left])
        self.assertEqual(made.unfinished, [left])

    def test_nothing_else_is_selected_until_it_is_settled(self) -> None:
        made = Choice(plan('1_a.py 2_b.py', runs=[run('1_a.py')]))
        selections = (
            lambda: made.to_execute(None, True),
            lambda: made.to_execute('2', True),
            lambda: made.to_ignore(None),
            lambda: made.to_roll_back('2'),
            lambda: made.to_roll_back(None, last=1),
        )
        for select in selections:
            with self.assertRaises(Unfinished) as caught:
                select()
            for command in ('execute', 'rollback', 'ignore'):
                self.assertIn(f'fab migrations:{command},1_a.py', str(caught.exception))
            self.assertIn('ann@host', str(caught.exception))

    def test_it_is_itself(self) -> None:
        made = Choice(plan('1_a.py 2_b.py', runs=[run('1_a.py')]))
        self.assertEqual(names(made.to_execute('1', True)), ['1_a.py'])
        self.assertEqual(names(made.to_ignore('1')), ['1_a.py'])
        self.assertEqual(names(made.to_roll_back('1')), ['1_a.py'])


class CountedName(str):
    """A name that counts how often it is compared with another one."""

    __hash__ = str.__hash__
    count = 0

    def __eq__(self, other: object) -> bool:
        CountedName.count += 1
        return str.__eq__(self, other)


class HelpersOfTest(unittest.TestCase):
    """The other Python files of the folder, which a written plan names."""

    def test_each_file_is_looked_up_and_not_compared_with_all(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            names = [f'{number:03}_step.py' for number in range(100)]
            for name in [*names, 'tool.py']:
                Path(folder, name).touch()
            site: Any = SimpleNamespace(directory=SimpleNamespace(path=folder))

            found = helpers_of(site, [CountedName(name) for name in names])

        self.assertEqual(list(found), ['tool.py'])
        self.assertLess(CountedName.count, 10 * len(names))

"""Hooks of a fabfile: before and after each migration, and after a run."""

from __future__ import annotations

import signal
from typing import Any
from unittest import mock

import migopy
from migopy import MigrationInfo, MigrationOutcome, MigrationsManager, RunOutcome
from migopy.run import registrations
from tests.faults import eventually
from tests.project import FABFILE, FabTest, PlainTest

INSERTS = """
    def up(db):
        db.notes.insert_many([{}, {}])

    def down(db):
        db.notes.delete_many({})
"""

FAILS = """
    def up(db):
        db.notes.insert_one({})
        1 / 0
"""

FAILS_AT_ONCE = 'def up(db):\n    1 / 0\n'


class HooksTest(PlainTest):
    """What they are told, and when."""

    def setUp(self) -> None:
        super().setUp()
        self.told: list[Any] = []

    def hooked(self, **attributes: Any) -> MigrationsManager:
        """Make a manager whose hooks keep what they are told."""
        told = self.told

        def before_migration(manager: Any, migration: MigrationInfo) -> None:
            told.append(migration)

        def after_migration(
            manager: Any, migration: MigrationInfo, outcome: MigrationOutcome
        ) -> None:
            told.append((migration, outcome))

        def after_run(manager: Any, outcome: RunOutcome) -> None:
            told.append((outcome, manager._site.lock.holder()))

        hooks = {
            'before_migration': before_migration,
            'after_migration': after_migration,
            'after_run': after_run,
        }
        return self.manager(**{**hooks, **attributes})

    def test_what_goes_well(self) -> None:
        self.migration('001_a.py', INSERTS)
        self.migration('002_b.py')
        manager = self.hooked()
        manager.execute()
        first, second = (MigrationInfo(name, 'up') for name in ('001_a.py', '002_b.py'))
        duration, other = (each[1].duration_ms for each in (self.told[1], self.told[3]))
        run = RunOutcome('execute', self.db.name, ['001_a.py', '002_b.py'])
        self.assertEqual(
            self.told,
            [
                first,
                (first, MigrationOutcome('executed', duration, 'notes 2 inserted')),
                second,
                (second, MigrationOutcome('executed', other)),
                (run._replace(not_run=[]), None),
            ],
        )
        self.assertIsInstance(duration, int)
        self.told.clear()
        manager.rollback('1')
        before, after, (run, _) = self.told
        self.assertEqual(before, MigrationInfo('001_a.py', 'down'))
        self.assertEqual(after[1].outcome, 'rolled back')
        self.assertEqual((run.command, run.done), ('rollback', ['001_a.py']))

    def test_what_fails(self) -> None:
        for text, effects in ((FAILS, 'notes 1 inserted'), (FAILS_AT_ONCE, '')):
            self.migration('001_a.py', text)
            self.migration('002_b.py')
            self.told.clear()
            with self.assertRaises(ZeroDivisionError):
                self.hooked().execute('1')
            error = 'ZeroDivisionError: division by zero'
            info = MigrationInfo('001_a.py', 'up')
            outcome = MigrationOutcome('failed', None, effects, error, bool(effects))
            before, after, (run, holder) = self.told
            self.assertEqual((before, after), (info, (info, outcome)))
            self.assertEqual((run.done, run.failed), ([], '001_a.py'))
            self.assertEqual((run.error, holder), (error, None))
            self.manager().ignore('1')
            self.db.migrations.drop()

    def test_what_was_not_run(self) -> None:
        self.migration('001_a.py', FAILS_AT_ONCE)
        self.migration('002_b.py')
        with self.assertRaises(ZeroDivisionError):
            self.hooked().execute()
        self.assertEqual(self.told[-1][0].not_run, ['002_b.py'])

    def test_in_a_transaction_the_migration_alone_is_undone(self) -> None:
        """What a hook writes is outside of it."""
        self.migration('001_a.py', f'transaction = True\n{FAILS_AT_ONCE}')

        def before_migration(manager: Any, migration: MigrationInfo) -> None:
            manager.db.audit.insert_one({'name': migration.name})

        with self.assertRaises(ZeroDivisionError):
            self.hooked(before_migration=before_migration).execute()
        self.assertEqual(self.contents('audit'), [{'name': '001_a.py'}])
        self.assertIn('nothing was changed', self.logger.of('red')[0])

    def test_what_a_hook_writes_is_no_migrations(self) -> None:
        self.migration('001_a.py', FAILS_AT_ONCE)

        def write(manager: Any, *what: object) -> None:
            manager.db.audit.insert_one({})

        manager = self.hooked(before_migration=write, after_migration=write)
        with self.assertRaises(ZeroDivisionError):
            manager.execute()
        self.assertIn('It had written nothing', self.logger.of('red')[0])
        self.migration('001_a.py', INSERTS)
        manager.execute()
        self.assertIn(': notes 2 inserted', self.logger.of('white_bold')[0])
        self.assertEqual(len(self.contents('audit')), 4)

    def test_where_nothing_runs_none_is_called(self) -> None:
        self.migration('001_a.py', INSERTS)
        manager = self.hooked()
        manager.execute(dry_run='yes')
        manager.ignore()
        manager.execute()
        with self.assertRaises(migopy.MigopyException):
            manager.execute('7')
        self.assertEqual(self.told, [])

    def test_an_error_in_one_is_told_and_harms_nothing(self) -> None:
        self.migration('001_a.py', INSERTS)
        self.migration('002_b.py')

        def fail(manager: Any, *what: object) -> None:
            raise LookupError('no chat')

        def leave(manager: Any, *what: object) -> None:
            raise SystemExit(3)

        def stop(manager: Any, *what: object) -> None:
            raise migopy.StopTaskExecution

        for hook in (fail, leave, stop):
            with self.subTest(hook.__name__):
                self.logger.said.clear()
                names = ('before_migration', 'after_migration', 'after_run')
                manager = self.manager(**dict.fromkeys(names, hook))
                manager.execute()
                self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
                said = '\n'.join(self.logger.of('white'))
                for name, count in zip(names, (2, 2, 1)):
                    self.assertEqual(said.count(f'{name} failed, which'), count, said)
                manager.rollback(last=2)
                self.assertEqual(self.registered(), [])
        self.assertIn('StopTaskExecution', said)

    def test_one_of_other_parameters_is_such_an_error(self) -> None:
        self.migration('001_a.py')

        def after_run(manager: Any) -> None: ...

        self.manager(after_run=after_run).execute()
        self.assertIn('takes 1 positional argument', self.logger.of('white')[-1])

    def test_a_failing_hook_hides_no_error_of_a_migration(self) -> None:
        self.migration('001_a.py', FAILS_AT_ONCE)

        def fail(manager: Any, *what: object) -> None:
            raise LookupError('no chat')

        with self.assertRaises(ZeroDivisionError):
            self.manager(after_migration=fail, after_run=fail).execute()

    def test_no_secret_reaches_them(self) -> None:
        self.migration('001_a.py', "def up(db):\n    raise ValueError('s3cret!')\n")
        with self.assertRaises(ValueError):
            self.hooked(MONGO_USER_PASS='s3cret').execute()
        self.assertEqual(self.told[1][1].error, 'ValueError: ***!')
        self.assertEqual(self.told[2][0].error, 'ValueError: ***!')

    def test_of_many_each_is_told_once(self) -> None:
        names = [f'{number:03}_x.py' for number in range(registrations.MANY + 5)]
        for name in names:
            self.migration(name)
        with mock.patch.object(registrations, 'EVERY', 1000):
            self.hooked().execute()
        after = [
            each[0].name
            for each in self.told
            if isinstance(each, tuple)
            and isinstance(each[0], MigrationInfo)
            and len(each) == 2
            and isinstance(each[1], MigrationOutcome)
        ]
        self.assertEqual(after, names)
        self.assertEqual(self.told[-1][0].done, names)

    def test_they_are_no_commands(self) -> None:
        names = [each.__name__ for each in self.hooked().tasks()]
        self.assertIn('execute', names)
        self.assertEqual([name for name in names if 'after' in name], [])
        self.assertEqual([name for name in names if 'before' in name], [])


class InterruptedTest(FabTest):
    """Ctrl-C and SIGTERM in a hook."""

    fabfile = FABFILE.replace(
        "MONGO_DATABASE = '{database}'",
        """MONGO_DATABASE = '{database}'

        def before_migration(self, migration):
            self.wait('before', migration.name)

        def after_migration(self, migration, outcome):
            self.wait('after', migration.name)

        def after_run(self, outcome):
            self.wait('run', 'run')

        @staticmethod
        def wait(*words):
            import pathlib
            import time

            if '_'.join(words) == pathlib.Path('where').read_text():
                pathlib.Path('waits').touch()
                time.sleep(100)
""",
    )

    def interrupted(self, where: str, number: signal.Signals) -> str:
        """Interrupt `execute` of two migrations in a hook; give what it says."""
        for name in ('001_a.py', '002_b.py'):
            self.migration(name, INSERTS)
        self.write('where', where)
        (self.folder / 'waits').unlink(missing_ok=True)
        process = self.start('migrations:execute')
        eventually(lambda: (self.folder / 'waits').exists(), 'the hook waits')
        process.send_signal(number)
        result = self.ended(process)
        self.assertEqual(result.status, 128 + number, result.said)
        self.assertNotIn('Unfinished', self.fab('migrations').said)
        self.assertIn('Nobody holds', self.fab('migrations:unlock').stdout)
        return result.said

    def test_before_the_first(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            said = self.interrupted('before_001_a.py', number)
            self.assertIn('It had written nothing', said)
            self.assertIn('Not run: 002_b.py', said)
            self.assertEqual((self.registered(), self.contents('notes')), ([], []))

    def test_after_the_first(self) -> None:
        self.interrupted('after_001_a.py', signal.SIGINT)
        self.assertEqual(self.registered(), ['001_a.py'])
        self.assertEqual(len(self.contents('notes')), 2)
        self.assertNotIn('interrupted', self.fab('migrations:history').stdout)

    def test_after_the_run(self) -> None:
        self.interrupted('run_run', signal.SIGINT)
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])

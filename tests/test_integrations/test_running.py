"""Runs that end otherwise than well: what has been done, what is said, what is left."""

from __future__ import annotations

import os
import signal
from typing import Any

from migopy.state import DURABLE
from tests.commands import Commands
from tests.faults import eventually
from tests.project import FabTest, PlainTest

RAN = """
    def up(db):
        db.ran.insert_one({{'name': '{0}'}})

    def down(db):
        db.ran.delete_one({{'name': '{0}'}})
"""


class BeforeAnythingRunsTest(PlainTest):
    """All that is going to run is imported and looked at before the first one runs."""

    def refused(self, name: str, source: str, subtask: str = 'execute') -> str:
        """Give the message, and make sure that nothing has been done."""
        self.migration('1_good.py', RAN.format('1_good.py'))
        file = self.migration(name, source)
        self.logger.said.clear()
        values = [name] if subtask == 'rollback' else []
        forced = {'force': 'yes'} if subtask == 'rollback' else {}
        self.manager_class().create_task()(subtask, *values, **forced)
        self.assertEqual(self.db.list_collection_names(), ['migrations_lock'])
        [(method, message)] = self.logger.said
        self.assertEqual(method, 'red')
        file.unlink()
        return message

    def test_a_syntax_error_in_the_last_file(self) -> None:
        message = self.refused('9_last.py', 'def up(db):\n    return 1 +')
        self.assertIn('9_last.py cannot be imported, so nothing was run', message)
        self.assertIn(f'{self.folder}/mongomigrations/9_last.py", line 2', message)
        self.assertIn('SyntaxError', message)
        self.assertIn('then type: fab migrations:execute', message)

    def test_an_import_error_in_the_last_file(self) -> None:
        message = self.refused('9_last.py', '\nimport no_such_module_of_anybody')
        self.assertIn(f'{self.folder}/mongomigrations/9_last.py", line 2', message)
        self.assertIn("No module named 'no_such_module_of_anybody'", message)

    def test_an_error_in_a_module_that_the_last_file_imports(self) -> None:
        self.write('mongomigrations/_broken.py', '\n\n1 / 0')
        message = self.refused('9_last.py', 'from . import _broken')
        self.assertIn('9_last.py", line 1', message)
        self.assertIn('_broken.py", line 3', message)
        self.assertIn('ZeroDivisionError', message)

    def test_a_file_that_ends_the_process(self) -> None:
        self.assertIn('SystemExit', self.refused('9_last.py', 'raise SystemExit(0)'))

    def test_a_file_without_up(self) -> None:
        message = self.refused('9_last.py', 'def down(db): pass')
        self.assertIn('9_last.py has no function `up`', message)
        self.assertIn('then type: fab migrations:execute', message)

    def test_an_up_that_would_return_before_its_work(self) -> None:
        for source in ('async def up(db): yield', 'def up(db): yield'):
            with self.subTest(source):
                self.assertIn('9_last.py has a', self.refused('9_last.py', source))

    def test_an_up_of_another_tool_that_wants_more_than_the_database(self) -> None:
        message = self.refused('9_last.py', 'def up(db, client): pass')
        self.assertIn('has a function `up` that cannot be called with', message)

    def test_a_rollback_without_down(self) -> None:
        message = self.refused('9_last.py', 'def up(db): pass', 'rollback')
        self.assertIn('9_last.py has no function `down`', message)
        self.assertIn('then type: fab migrations:rollback,9_last.py', message)

    def test_a_look_at_a_wrong_file_leads_to_no_run(self) -> None:
        """Who has typed a dry run, and then what is printed, must change nothing."""
        for source in (
            'def up(db):\n    return 1 +',
            'def down(db): pass',
            'def up(db): yield',
            'transaction = 1\ndef up(db): pass',
            'transactions = True\ndef up(db): pass',
            'parallel = 1\ndef up(db): pass',
            'undo = 1\ndef up(db): pass',
            'dependencies = 1\ndef upgrade(db): pass',
            "dependencies = ['no']\ndef upgrade(db): pass",
        ):
            self.migration('1_wrong.py', source)
            for command, options in (
                ('execute', {'dry_run': 'yes'}),
                ('preflight', {}),
                ('plan', {}),
                ('rehearse', {}),
            ):
                with self.subTest(source, command=command):
                    task = self.manager_class().create_task()
                    self.logger.said.clear()
                    task(command, '1_wrong.py', **options)
                    message = '\n'.join(self.logger.of('red'))
                    self.assertIn('1_wrong.py', message)
                    typed = f'type: fab migrations:{command},1_wrong.py'
                    said = message.replace(f'{typed},dry_run=yes', '')
                    said = said if options else message.replace(typed, '')
                    self.assertNotIn('fab migrations', said)


class FailingTest(FabTest):
    """A migration fails after one that did not, and before one that has not run."""

    def setUp(self) -> None:
        super().setUp()
        for name in ('1_good.py', '3_rest.py'):
            self.migration(name, RAN.format(name))

    def assert_stopped(self, kept: str = '1_good.py') -> None:
        """Fail unless the first alone has run and is registered."""
        self.assertEqual(self.registered(), [kept])
        self.assertEqual(self.contents('ran'), [{'name': kept}])
        lock = self.db.migrations_lock.find_one({}) or {}
        self.assertFalse(lock, 'the lock is held')

    def test_what_it_says_is_shown_as_it_is(self) -> None:
        self.migration('2_bad.py', "def up(db): raise ValueError('type {fab} {x}')")
        result = self.fab('migrations:execute')
        self.assertIn('ValueError: type {fab} {x}\n', result.stderr)
        self.assertIn('then type: fab migrations:execute\n', result.stderr)

    def test_of_many_the_first_and_the_last_are_named(self) -> None:
        self.migration('2_bad.py', 'def up(db): 1 / 0')
        for number in range(4, 16):
            self.migration(f'{number}_x.py')
        result = self.fab('migrations:execute')
        self.assertIn('\nExecuted before it: 1_good.py\n', result.stderr)
        self.assertIn('\nNot run: 3_rest.py, …, 15_x.py\n', result.stderr)

    def test_the_run_stops_there_and_says_what_has_run(self) -> None:
        file = self.migration(
            '2_bad.py',
            """
            import json

            def up(db):
                helper()

            def helper():
                json.loads('{')
            """,
        )
        result = self.fab('migrations:execute')
        self.assertEqual((result.status, result.stdout), (1, ''), result.said)
        self.assert_stopped()
        before, shown = result.stderr.split('Traceback (most recent call last):\n')
        self.assertTrue(before.endswith('2_bad.py failed in its up.\n'), before)
        self.assertTrue(shown.startswith(f'  File "{file}", line 5, in up\n'), shown)
        self.assertIn('json.decoder.JSONDecodeError: ', shown)
        self.assertIn('\nExecuted before it: 1_good.py\n', shown)
        self.assertIn('\nNot run: 3_rest.py\n', shown)
        self.assertIn('type: fab migrations:execute', shown)
        self.assertNotIn('/migopy/', result.stderr.replace(str(file), ''))
        self.assertEqual(result.stderr.count('JSONDecodeError'), 1)
        # Corrected, it goes on from there.
        self.migration('2_bad.py', RAN.format('2_bad.py'))
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.registered(), ['1_good.py', '2_bad.py', '3_rest.py'])
        self.assertEqual(len(self.contents('ran')), 3)

    #: Errors that are not written well: their texts cannot be had.
    ODD = """
import migopy

class Silent(Exception):
    def __str__(self):
        return self.nosuch

class Unmade(migopy.MigopyException):
    def __init__(self):
        pass
"""

    def test_any_way_to_fail_is_a_failure(self) -> None:
        """Status 1, said once, with a traceback."""
        ways = {
            'import sys; sys.exit(0)': 'SystemExit: 0',
            'import migopy; raise migopy.StopTaskExecution': 'StopTaskExecution',
            # Its cause is itself.
            'error = ValueError(5); raise error from error': 'ValueError: 5',
            # Each Python has words of its own for it.
            'raise Silent': 'Silent: <',
            'import migopy; raise migopy.MigopyException': 'MigopyException',
            'raise Unmade': 'Unmade',
        }
        for source, expected in ways.items():
            with self.subTest(source):
                self.db.ran.drop()
                self.db.migrations.drop()
                self.migration('2_bad.py', f'{self.ODD}\ndef up(db):\n    {source}')
                result = self.fab('migrations:execute')
                self.assertEqual(result.status, 1, result.said)
                self.assertEqual(result.stderr.count('Traceback'), 1, result.said)
                self.assertIn('2_bad.py failed in its up.\n', result.stderr)
                self.assertIn(expected, result.stderr)
                self.assert_stopped()

    def test_ctrl_c_is_130_and_frees_the_lock(self) -> None:
        self.migration(
            '2_bad.py',
            """
            import time

            def up(db):
                db.started.insert_one({})
                time.sleep(60)
            """,
        )
        process = self.start('migrations:execute')
        eventually(lambda: self.db.started.find_one(), 'the migration has begun')
        os.kill(process.pid, signal.SIGINT)
        result = self.ended(process)
        self.assertEqual((result.status, result.stdout), (130, ''), result.said)
        self.assertIn('2_bad.py was interrupted in its up', result.stderr)
        self.assertIn('Not run: 3_rest.py', result.stderr)
        self.assertIn('KeyboardInterrupt', result.stderr)
        self.assertEqual(result.stderr.count('Traceback'), 1)
        self.assert_stopped()

    def test_a_failing_down_leaves_the_registration(self) -> None:
        self.register('1_good.py')
        self.migration('1_good.py', 'def up(db): pass\ndef down(db): 1 / 0')
        result = self.fab('migrations:rollback,1')
        self.assertEqual(result.status, 1)
        self.assertIn('1_good.py failed in its down', result.stderr)
        self.assertIn('ZeroDivisionError', result.stderr)
        self.assertIn('type: fab migrations:rollback,1_good.py', result.stderr)
        self.assertEqual(self.registered(), ['1_good.py'])


class RollbackTest(PlainTest):
    """`down` of one migration."""

    def test_runs_down_once_and_takes_the_document_away(self) -> None:
        for name in ('1_a.py', '2_b.py'):
            self.migration(name, RAN.format(name))
        manager = self.manager()
        manager.execute()
        manager.rollback('1_a.py')
        self.assertEqual(self.contents('ran'), [{'name': '2_b.py'}])
        self.assertEqual(self.registered(), ['2_b.py'])

    def test_of_a_document_of_1_0_and_of_doubles(self) -> None:
        self.migration('1_a.py', RAN.format('1_a.py'))
        self.register('1_a.py', '1_a.py', '2_b.py')
        self.manager().rollback('1')
        self.assertEqual(self.registered(), ['2_b.py'])

    def test_of_one_that_failed_half_way(self) -> None:
        self.migration(
            '1_a.py',
            """
            def up(db):
                db.ran.insert_one({'name': 'half'})
                raise ZeroDivisionError

            def down(db):
                db.ran.delete_one({'name': 'half'})
            """,
        )
        manager = self.manager()
        with self.assertRaises(ZeroDivisionError):
            manager.execute()
        self.assertEqual(self.contents('ran'), [{'name': 'half'}])
        manager.rollback('1')
        self.assertEqual(self.contents('ran'), [])
        self.logger.said.clear()
        manager.show_status()
        self.assertEqual(self.logger.of('red'), ['1_a.py'])

    def test_can_be_executed_again(self) -> None:
        self.migration('1_a.py', RAN.format('1_a.py'))
        manager = self.manager()
        for _ in range(2):
            manager.execute()
            self.assertEqual(self.contents('ran'), [{'name': '1_a.py'}])
            manager.rollback('1')
            self.assertEqual(self.contents('ran'), [])


class OrderTest(FabTest):
    def test_equal_numbers_run_in_order_of_name_with_a_warning(self) -> None:
        for name in ('2_b.py', '02_c.py', '2_a.py', '1_z.py'):
            self.migration(name, RAN.format(name))
        result = self.assert_ok(
            self.fab('migrations', 'migrations:execute', 'migrations')
        )
        warning = (
            'Equal numbers (they run in order of name):\n  02_c.py, 2_a.py, 2_b.py\n'
        )
        self.assertEqual(result.stdout.count(warning), 2, result.said)
        self.assertEqual(result.stderr.count(warning), 1, result.said)
        self.assertEqual(
            [document['name'] for document in self.contents('ran')],
            ['1_z.py', '02_c.py', '2_a.py', '2_b.py'],
        )


class DurableTest(PlainTest):
    """What a migration writes is on disk before it is registered."""

    def test_its_writes_wait_for_the_journal(self) -> None:
        self.migration('1_a.py', 'def up(db): db.notes.insert_one({})')
        commands = Commands()
        options = {'event_listeners': [commands]}
        self.manager(MONGO_CLIENT_OPTIONS=options).execute()
        [command] = [each.command for each in commands.sent if is_note(each.command)]
        for concern in (command['writeConcern'], DURABLE.document):
            self.assertEqual((concern['w'], concern['j']), ('majority', True))


def is_note(command: Any) -> bool:
    return command.get('insert') == 'notes'


class ReadsTest(PlainTest):
    """What a migration reads where the address sends reads to secondaries."""

    def sent(self, options: dict[str, Any], *commands: str) -> list[str]:
        """Run commands; give those that went to the collection `ran`, as texts."""
        heard = Commands()
        host, port = self.client.address or ('', 0)
        name = self.client.admin.command('hello')['setName']
        manager = self.manager(
            MONGO_URI=f'mongodb://{host}:{port}/?replicaSet={name}',
            MONGO_CLIENT_OPTIONS={'event_listeners': [heard], **options},
        )
        for command in commands:
            getattr(manager, command)()
        said = [repr(event.command) for event in heard.sent]
        return [each for each in said if "'ran'" in each]

    def test_it_reads_what_it_has_written(self) -> None:
        """Another member may lack it, and documents would be left out unnoticed."""
        self.migration(
            '001_a.py',
            """
            def require(db):
                return db.ran.find_one() is None

            def up(db):
                db.ran.insert_one({'_id': 1})
                assert db.ran.count_documents({}) == 1

            def verify(db):
                return db.get_collection('ran').find_one() is not None
            """,
        )
        self.migration(
            '002_b.py',
            """
            async def up(db):
                assert await db.ran.find_one()
            """,
        )
        for mode in ('secondaryPreferred', 'nearest'):
            with self.subTest(mode):
                sent = self.sent({'readPreference': mode}, 'execute', 'verify')
                self.assertGreater(len(sent), 5)
                for each in sent:
                    self.assertNotIn(mode, each)
                self.db.migrations.delete_many({})
                self.db.ran.drop()

    def test_a_file_may_say_otherwise(self) -> None:
        self.migration(
            '001_a.py',
            """
            from pymongo import ReadPreference

            def up(db):
                far = db.ran.with_options(read_preference=ReadPreference.NEAREST)
                far.find_one()
            """,
        )
        self.assertIn('nearest', self.sent({}, 'execute')[0])

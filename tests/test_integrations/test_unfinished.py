"""Migrations that were left half done: named, refused, and settled in three ways."""

from __future__ import annotations

import os
import re
import signal
import uuid
from contextlib import ExitStack
from typing import Any
from unittest import mock

from bson import ObjectId
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from migopy.effects import listen
from migopy.run import NoFile, Unfinished
from migopy.state.agent import Agent
from migopy.state.history import History
from migopy.terminal import duration
from tests.faults import eventually, failing, obliging_server
from tests.project import FABFILE, NOTHING, WAITING, FabTest, PlainTest

# Before any client is made: one that migopy cannot hear may have written.
listen()

#: Each function writes, and fails until the database says that all is well.
FRAGILE = """
    def up(db):
        db.notes.insert_one({'by': 'up'})
        if not db.settings.find_one({'well': True}):
            raise ValueError('up broke')

    def down(db):
        db.notes.insert_one({'by': 'down'})
        if not db.settings.find_one({'well': True}):
            raise KeyError('down broke')
"""

FIRST, NEXT = '001_a.py', '002_b.py'

WAYS = ('execute', 'rollback', 'ignore')


class UnfinishedTestCase(PlainTest):
    def setUp(self) -> None:
        super().setUp()
        self.migration(FIRST, FRAGILE)

    def all_is_well(self, well: bool = True) -> None:
        self.db.settings.replace_one({}, {'well': well}, upsert=True)

    def fail_in(self, subtask: str, **options: str) -> None:
        with self.assertRaises((ValueError, KeyError)):
            getattr(self.manager(), subtask)(FIRST, **options)

    def shown(self) -> str:
        """Give what the status says."""
        self.logger.said.clear()
        self.manager().show_status()
        return '\n'.join(message for _, message in self.logger.said)

    def unsettled(self) -> list[dict[str, Any]]:
        return list(self.db.migrations_history.find({'unsettled': True}))

    def written(self) -> list[str]:
        return [note['by'] for note in self.db.notes.find()]


class FailedTest(UnfinishedTestCase):
    """A function raised after it had written something."""

    def assert_settled(self, registered: list[str], written: list[str]) -> None:
        self.assertEqual(self.unsettled(), [])
        self.assertNotIn('Unfinished', self.shown())
        self.assertEqual(self.registered(), registered)
        self.assertEqual(self.written(), written)
        # Nothing is in the way of what comes next.
        self.migration(NEXT, NOTHING)
        self.manager().execute(NEXT)
        self.assertIn(NEXT, self.registered())

    def test_status_says_when_who_and_why(self) -> None:
        self.fail_in('execute')
        [run] = self.unsettled()
        self.assertIn(
            f'Unfinished: {FIRST}: up started {run["started"]:%Y-%m-%d %H:%M:%S} UTC'
            f' by {Agent.current()} (process {os.getpid()}), ValueError: up broke',
            self.shown(),
        )

    def test_execute_refuses_and_gives_the_three_commands(self) -> None:
        self.fail_in('execute')
        self.migration(NEXT, NOTHING)
        commands = [('execute', None), ('execute', NEXT), ('ignore', None)]
        commands += [('ignore', NEXT), ('rollback', NEXT)]
        for subtask, name in commands:
            with self.subTest(f'{subtask} {name}'):
                with self.assertRaises(Unfinished) as caught:
                    getattr(self.manager(), subtask)(name)
                message = str(caught.exception)
                for way in WAYS:
                    self.assertIn(f'fab migrations:{way},{FIRST}', message)
        self.assertEqual((self.registered(), self.written()), ([], ['up']))

    def test_the_failure_gives_the_three_commands(self) -> None:
        self.fail_in('execute')
        [message] = self.logger.of('red')
        for way in WAYS:
            self.assertIn(f'fab migrations:{way},{FIRST}', message)
        self.assertIn('notes 1 inserted', message)

    def test_up_is_settled_by_execute(self) -> None:
        self.fail_in('execute')
        self.all_is_well()
        self.manager().execute(FIRST)
        self.assert_settled([FIRST], ['up', 'up'])

    def test_up_is_settled_by_rollback(self) -> None:
        self.fail_in('execute')
        self.all_is_well()
        self.manager().rollback(FIRST)
        self.assert_settled([], ['up', 'down'])

    def test_up_is_settled_by_ignore(self) -> None:
        self.fail_in('execute')
        self.manager().ignore(FIRST)
        self.assert_settled([FIRST], ['up'])
        self.assertEqual(self.db.migrations.find_one()['how'], 'ignored')

    def fail_in_down(self) -> None:
        self.all_is_well()
        self.manager().execute(FIRST)
        self.db.notes.drop()
        self.all_is_well(False)
        self.fail_in('rollback')

    def test_down_leaves_it_registered_and_unfinished(self) -> None:
        self.fail_in_down()
        self.assertEqual(self.registered(), [FIRST])
        self.assertIn(f'Unfinished: {FIRST}: down started', self.shown())
        self.migration(NEXT, NOTHING)
        with self.assertRaises(Unfinished) as caught:
            self.manager().execute()
        self.assertIn('mark it as rolled back', str(caught.exception))

    def test_down_is_settled_by_execute(self) -> None:
        self.fail_in_down()
        self.all_is_well()
        self.manager().execute(FIRST)
        self.assert_settled([FIRST], ['down', 'up'])

    def test_down_is_settled_by_rollback(self) -> None:
        self.fail_in_down()
        self.all_is_well()
        self.manager().rollback(FIRST)
        self.assert_settled([], ['down', 'down'])

    def test_down_is_settled_by_ignore(self) -> None:
        """Its `down` is taken as done, so it is no longer registered."""
        self.fail_in_down()
        self.manager().ignore(FIRST)
        self.assertEqual(
            self.logger.said[-1],
            ('white_bold', f'{FIRST} taken as rolled back: it is pending again'),
        )
        self.assert_settled([], ['down'])

    def test_down_of_an_unregistered_one_is_settled_by_execute(self) -> None:
        self.fail_in('rollback', force='yes')
        self.all_is_well()
        self.manager().execute(FIRST)
        self.assert_settled([FIRST], ['down', 'up'])

    def test_down_of_an_unregistered_one_is_settled_by_rollback(self) -> None:
        self.fail_in('rollback', force='yes')
        self.all_is_well()
        self.manager().rollback(FIRST)
        self.assert_settled([], ['down', 'down'])

    def test_down_of_an_unregistered_one_is_settled_by_ignore(self) -> None:
        """Not by registering it: nothing of its `up` is left."""
        self.fail_in('rollback', force='yes')
        self.manager().ignore(FIRST)
        self.assert_settled([], ['down'])

    def test_a_way_out_that_fails_hides_nothing(self) -> None:
        """The error in `down` hid the one in `up`: flamingock-java #660."""
        self.fail_in('execute')
        self.fail_in('rollback')
        shown = self.shown()
        self.assertIn('ValueError: up broke', shown)
        self.assertIn("KeyError: 'down broke'", shown)
        self.assertEqual(len(self.unsettled()), 2)
        # Of its last run it is that ignore says it is done.
        self.assertIn('mark it as rolled back', shown)
        self.assertNotIn(' it is done', shown)
        self.manager().ignore(FIRST)
        self.assert_settled([], ['up', 'down'])

    def test_a_second_up_of_a_registered_one_that_fails(self) -> None:
        self.fail_in_down()
        self.fail_in('execute')
        self.assertEqual((len(self.unsettled()), self.registered()), (2, [FIRST]))
        self.assertIn('- mark it as applied', self.shown())
        self.manager().ignore(FIRST)
        self.assert_settled([FIRST], ['down', 'up'])

    def test_each_of_two_is_settled_by_itself(self) -> None:
        self.migration(NEXT, FRAGILE)
        self.all_is_well()
        self.manager().execute()
        self.all_is_well(False)
        self.fail_in('rollback')
        # Somebody is half way in the second at the same time.
        run = dict(self.unsettled()[0], _id=ObjectId(), name=NEXT)
        run['records'] = [self.db.migrations.find_one({'name': NEXT})['_id']]
        self.db.migrations_history.insert_one(run)
        self.assertIn(FIRST, self.shown())
        self.assertIn(NEXT, self.shown())
        self.manager().ignore(NEXT)
        self.assertNotIn(f'Unfinished: {NEXT}', self.shown())
        self.assertIn(f'Unfinished: {FIRST}', self.shown())

    def test_one_whose_file_is_gone_says_so(self) -> None:
        self.fail_in('execute')
        (self.folder / 'mongomigrations' / FIRST).unlink()
        self.assertIn(f'Unfinished: {FIRST}', self.shown())
        for way in WAYS:
            for name in (FIRST, '1'):
                with self.subTest(way), self.assertRaises(NoFile) as caught:
                    getattr(self.manager(), way)(name)
                message = str(caught.exception)
                self.assertIn(f'{FIRST} is unfinished, but its file', message)
                self.assertIn(f'migrations:forget,{FIRST}', message)
        self.assertIn(f'migrations:forget,{FIRST}', self.shown())
        self.assertNotIn('migrations:ignore', self.shown())
        self.logger.said.clear()
        self.manager().forget('1')
        self.assertEqual(
            self.logger.of('white'),
            [
                f'{FIRST} may have written before (notes 1 inserted), and that was not'
                ' rolled back'
            ],
        )
        self.assertNotIn('nfinished', self.shown())

    def test_rollback_is_no_way_without_a_down(self) -> None:
        self.migration(FIRST, 'def up(db): db.a.insert_one({}); 1 / 0')
        with self.assertRaises(ZeroDivisionError):
            self.manager().execute()
        failed = self.logger.of('red')[-1]
        for said in (failed, self.shown()):
            self.assertIn('migrations:execute', said)
            self.assertNotIn('migrations:rollback', said)

    def test_an_attempt_that_wrote_nothing_tells_of_the_one_before(self) -> None:
        self.fail_in('execute')
        for source in (
            'def up(db): 1 / 0',
            'transaction = True\ndef up(db): db.a.insert_one({}); 1 / 0',
        ):
            self.migration(FIRST, source + '\ndef down(db): pass')
            with self.assertRaises(ZeroDivisionError):
                self.manager().execute(FIRST)
            said = self.logger.of('red')[-1]
            self.assertIn('has written nothing. An earlier one, of ', said)
            self.assertIn(
                'had left it unfinished.'
                ' Before you run it again, correct the file or the data. Type one of:',
                said,
            )
            for way in WAYS:
                self.assertIn(f'fab migrations:{way},{FIRST}', said)
            self.assertIn(f'Unfinished: {FIRST}', self.shown())

    def marks(self, subtasks: tuple[str, str], state: str) -> None:
        """Fail in both, the second before it writes, and type what is offered."""
        for subtask in subtasks:
            with self.assertRaises(ZeroDivisionError):
                getattr(self.manager(), subtask)(FIRST)
        said = self.logger.of('red')[-1]
        self.assertIn('had left it unfinished', said)
        mark = f'fab migrations:ignore,{FIRST}  - mark it as {state}'
        self.assertIn(mark, said)
        self.assertIn(mark, self.shown())
        self.manager().ignore(FIRST)

    def test_a_down_that_wrote_nothing_offers_what_settles_the_up(self) -> None:
        self.migration(
            FIRST,
            'def up(db):\n    db.notes.insert_one({})\n    1 / 0\n\n'
            'def down(db):\n    1 / 0\n',
        )
        self.marks(('execute', 'rollback'), 'applied')
        self.assertEqual(self.registered(), [FIRST])

    def test_an_up_that_wrote_nothing_offers_what_settles_the_down(self) -> None:
        self.register(FIRST)
        self.migration(
            FIRST,
            'def up(db):\n    1 / 0\n\n'
            'def down(db):\n    db.notes.insert_one({})\n    1 / 0\n',
        )
        self.marks(('rollback', 'execute'), 'rolled back')
        self.assertEqual(self.registered(), [])

    def test_history_says_it(self) -> None:
        self.fail_in('execute')
        self.manager().history()
        table = self.logger.of('white')[-1]
        self.assertIn('failed, unfinished', ' '.join(table.split()))

    def outcome_shown(self, error: str | None) -> list[str]:
        """Give what the history shows of an `up`, before and after it is settled.

        It was ended by what `error` says; `None` is that it was killed.
        """
        self.fail_in('execute')
        outcome = {} if error else {'outcome': None, 'duration_ms': None}
        self.db.migrations_history.update_many(
            {'unsettled': True},
            {'$set': {'error': error, 'interrupted': error is not None, **outcome}},
        )
        shown = []
        for _ in range(2):
            with mock.patch.dict(os.environ, COLUMNS='200'):
                self.manager().history()
            row = self.logger.of('white')[-1].splitlines()[2]
            shown.append(re.split('  +', row)[2])
            self.manager().ignore(FIRST)
            if self.registered():
                self.manager().forget(FIRST)
        self.db.migrations_history.drop()
        return shown

    def test_history_tells_apart_what_was_killed_interrupted_and_stopped(self) -> None:
        for error, said in (
            ('interrupted (Ctrl-C)', 'interrupted'),
            ('stopped by SIGTERM', 'stopped'),
            ('stopped by root@vm', 'stopped'),
        ):
            with self.subTest(error):
                shown = self.outcome_shown(error)
                self.assertEqual(shown, [f'{said}, unfinished', said])
        self.assertEqual(self.outcome_shown(None), ['unfinished', 'killed or cut off'])


class NothingWrittenTest(PlainTest):
    """A function that raised before its first write left nothing."""

    def assert_clean(self, text: str) -> None:
        """Fail unless the error leaves the migration as if it had not run."""
        self.migration(FIRST, text)
        with self.assertRaises((Exception, SystemExit, KeyboardInterrupt)):
            self.manager().execute()
        self.assertIn('It had written nothing', self.logger.of('red')[-1])
        self.assertEqual(list(self.db.migrations_history.find({'unsettled': True})), [])
        self.migration(FIRST, NOTHING)
        self.migration(NEXT, NOTHING)
        self.manager().execute()
        self.assertEqual(self.registered(), [FIRST, NEXT])

    def test_an_error_before_the_first_write(self) -> None:
        self.assert_clean(
            """
            def up(db):
                list(db.notes.find())
                db.list_collection_names()
                raise ValueError
            """
        )

    def test_an_exit_before_the_first_write(self) -> None:
        self.assert_clean(
            """
            import sys

            def up(db):
                sys.exit(3)
            """
        )

    def test_ctrl_c_before_the_first_write(self) -> None:
        self.assert_clean(
            """
            def up(db):
                raise KeyboardInterrupt
            """
        )

    def test_a_write_that_was_refused(self) -> None:
        self.db.create_collection('strict', validator={'a': {'$exists': True}})
        self.assert_clean(
            """
            def up(db):
                db.strict.insert_one({'b': 1})
            """
        )

    def test_the_same_of_down(self) -> None:
        self.migration(FIRST, 'def up(db): pass\ndef down(db): raise ValueError')
        self.manager().execute()
        with self.assertRaises(ValueError):
            self.manager().rollback(FIRST)
        self.assertEqual(self.registered(), [FIRST])
        self.assertEqual(list(self.db.migrations_history.find({'unsettled': True})), [])

    def test_a_client_of_its_own_is_watched_as_well(self) -> None:
        own = f"""
            from pymongo import MongoClient

            def up(db):
                with MongoClient('{self.uri}') as client:
                    client[db.name].notes.ACT
                raise ValueError
        """
        self.migration(FIRST, own.replace('ACT', "insert_one({'a': 1})"))
        with self.assertRaises(ValueError):
            self.manager().execute()
        self.assertEqual(
            self.db.migrations_history.count_documents({'unsettled': True}), 1
        )
        self.db.migrations_history.drop()
        self.assert_clean(own.replace('ACT', 'find_one()'))


class InterruptedTest(FabTest):
    """The process ended while a function ran."""

    fabfile = FABFILE.replace('MONGO_URI', 'LOCK_TTL = 2\n        MONGO_URI')

    def kill(self, command: str, count: int = 1) -> int:
        """Kill a command with SIGKILL when its migration has written."""
        process = self.start(f'migrations:{command}')
        eventually(lambda: self.db.ran.count_documents({}) >= count, 'a first write')
        process.kill()
        process.wait()
        return process.pid

    def await_lock(self) -> None:
        lock = {'$expr': {'$gt': ['$expires', '$$NOW']}}
        lives = self.db.migrations_lock.find_one
        eventually(lambda: not lives(lock), 'the end of the lock')

    def let_the_lock_live(self, seconds: int) -> None:
        expires = {'$add': ['$$NOW', seconds * 1000]}
        self.db.migrations_lock.update_one({}, [{'$set': {'expires': expires}}])

    def assert_named(self, name: str, direction: str, pid: int) -> None:
        """Fail unless status names it and execute refuses it with the ways out."""
        begun = {'unsettled': True, 'after': None}
        [run] = self.db.migrations_history.find(begun)
        shown, check = (
            self.ended(process)
            for process in (
                self.start('migrations', 'migrations:history', 'migrations:execute'),
                self.start('migrations:check'),
            )
        )
        self.assertIn(
            f'Unfinished: {name}: {direction} started'
            f' {run["started"]:%Y-%m-%d %H:%M:%S} UTC by {Agent.current()} (process'
            f' {pid}), killed, cut off or suspended in the middle of it',
            shown.stdout,
        )
        self.assertRegex(shown.stdout, rf'\d +{name} +unfinished ')
        ways = [f'fab migrations:{way},{name}' for way in WAYS]
        self.assert_error(shown, 'Unfinished, so nothing was done', *ways)
        self.assert_error(check, 'Some migrations need attention')
        for part in (f'Unfinished: {name}', *ways):
            self.assertIn(part, check.stdout)

    def test_by_kill_in_up_then_executed(self) -> None:
        self.migration(FIRST, WAITING)
        self.migration(NEXT)
        pid = self.kill('execute')
        self.await_lock()
        self.assert_named(FIRST, 'up', pid)
        self.assertEqual((self.registered(), self.db.ran.count_documents({})), ([], 1))
        self.write('go', '')
        self.assert_ok(self.fab(f'migrations:execute,{FIRST}', 'migrations:execute'))
        self.assertEqual(self.registered(), [FIRST, NEXT])
        self.assert_ok(self.fab('migrations:check'))

    def test_by_kill_in_up_then_rolled_back(self) -> None:
        self.migration(FIRST, WAITING)
        self.kill('execute')
        self.assert_ok(self.fab(f'migrations:rollback,{FIRST}'))
        self.assertEqual((self.registered(), self.db.ran.count_documents({})), ([], 0))
        self.assertNotIn('Unfinished', self.assert_ok(self.fab('migrations')).said)

    def test_by_kill_in_down_then_ignored(self) -> None:
        self.migration(FIRST, WAITING.replace('up', 'DOWN').replace('down', 'up'))
        text = (self.folder / 'mongomigrations' / FIRST).read_text()
        self.migration(FIRST, text.replace('DOWN', 'down'))
        self.assert_ok(self.fab('migrations:execute'))
        pid = self.kill(f'rollback,{FIRST}')
        self.await_lock()
        self.migration(NEXT)
        self.assert_named(FIRST, 'down', pid)
        self.assertEqual(self.registered(), [FIRST])
        self.assert_ok(self.fab(f'migrations:ignore,{FIRST}'))
        self.assertEqual(self.registered(), [])
        self.assertNotIn('Unfinished', self.assert_ok(self.fab('migrations')).said)

    def test_by_a_signal_that_asks_it_to_end(self) -> None:
        self.migration(FIRST, WAITING)
        process = self.start('migrations:execute')
        eventually(lambda: self.db.ran.count_documents({}), 'a first write')
        process.send_signal(signal.SIGTERM)
        result = self.ended(process)
        self.assertEqual(result.status, 128 + signal.SIGTERM, result.said)
        self.assertIn('was interrupted in its up', result.stderr)
        self.assertIn(f'fab migrations:ignore,{FIRST}', result.stderr)
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn(f'Unfinished: {FIRST}: up started', shown)
        self.assertIn('stopped by SIGTERM', shown)

    def test_while_the_lock_lives_it_counts_as_running(self) -> None:
        self.migration(FIRST, WAITING)
        self.kill('execute')
        # As if it ran on another machine, of whose processes nothing is known here.
        self.db.migrations_lock.update_one({}, {'$set': {'place': 'elsewhere'}})
        self.let_the_lock_live(seconds=3600)
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn('Running at this moment', shown)
        self.assertNotIn('Unfinished', shown)
        self.let_the_lock_live(seconds=0)
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn(f'Unfinished: {FIRST}', shown)

    def test_what_runs_again_is_not_offered_to_be_settled(self) -> None:
        self.migration(FIRST, WAITING)
        self.kill('execute')
        self.await_lock()
        self.kill(f'execute,{FIRST}', count=2)
        self.await_lock()
        self.kill(f'execute,{FIRST}', count=3)
        # As if it ran on another machine, of whose processes nothing is known here.
        self.db.migrations_lock.update_one({}, {'$set': {'place': 'elsewhere'}})
        self.let_the_lock_live(seconds=3600)
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertRegex(
            shown,
            r'Running at this moment:\n  [^\n]* UTC, after 2 attempts left unfinished,'
            r' the last of 2\d\d\d-[^\n]* UTC\n',
        )
        self.assertNotIn('Unfinished', shown)
        for command in ('execute', 'ignore', 'rollback'):
            self.assertNotIn(f'migrations:{command}', shown)
        self.let_the_lock_live(seconds=0)
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertEqual(shown.count(f'Unfinished: {FIRST}'), 3)

    def test_of_one_that_ended_well_before_it_all_is_known(self) -> None:
        """Its end would have been written to the history with the next mark."""
        self.migration(FIRST, 'import time\ndef up(db):\n    time.sleep(1)')
        self.migration(NEXT, WAITING)
        self.kill('execute')
        record = self.db.migrations.find_one({'name': FIRST}) or {}
        took = rf'{FIRST} +executed +{duration(record["duration_ms"])} '
        shown = self.assert_ok(self.fab('migrations:history')).stdout
        self.assertRegex(shown, took)
        # It began when the one before it was registered, not when both were marked.
        began = f'{record["executed_at"]:%Y-%m-%d %H:%M:%S}'
        self.assertRegex(shown, rf'{began} +{NEXT} +unfinished')
        status = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn(f'{NEXT}: up started {began} UTC', status)
        # So it stays once the history is put right.
        self.await_lock()
        self.assert_ok(self.fab(f'migrations:ignore,{NEXT}'))
        self.assertRegex(self.assert_ok(self.fab('migrations:history')).stdout, took)
        [run] = self.db.migrations_history.find({'name': FIRST})
        kept = ('ended', 'outcome', 'duration_ms', 'unsettled')
        self.assertEqual(
            [run[each] for each in kept],
            [record['executed_at'], 'executed', record['duration_ms'], False],
        )

    def test_a_transaction_left_nothing(self) -> None:
        self.migration(
            FIRST,
            """
            import os
            import time

            transaction = True

            def up(db):
                db.notes.insert_one({})
                open('inside', 'w').close()
                while not os.path.exists('go'):
                    time.sleep(0.02)
            """,
        )
        # A dead transaction would hold what it has touched for a minute.
        self.db.create_collection('notes')
        self.addCleanup(self.client.admin.command, 'killAllSessions', [])
        process = self.start('migrations:execute')
        eventually((self.folder / 'inside').exists, 'the transaction')
        process.kill()
        process.wait()
        self.await_lock()
        self.assertNotIn('Unfinished', self.assert_ok(self.fab('migrations')).said)
        self.write('go', '')
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.registered(), [FIRST])
        self.assertEqual(self.db.notes.count_documents({}), 1)

    def test_what_is_perhaps_changed_is_told_once(self) -> None:
        """A validator ends an update in the middle; it does not say where."""
        self.db.files.insert_many([{'key': 1}, {}])
        self.db.command('collMod', 'files', validator={'key': {'$exists': True}})
        self.migration(
            FIRST,
            """
            def up(db):
                db.files.update_many({}, {'$set': {'seen': True}})
            """,
        )
        self.assertIn(
            'It may have written already (files perhaps changed by update (error'
            ' 121)), so it is unfinished. Before you run it again, correct the file'
            ' or the data. Type one of:\n',
            self.fab('migrations:execute').stderr,
        )

    def test_a_client_that_cannot_be_watched_leaves_it_open_what_was_written(
        self,
    ) -> None:
        """One that the fabfile made before it made the manager."""
        early = 'from pymongo import MongoClient\nother = MongoClient("{uri}")\n'
        self.write('fabfile.py', self.filled(early) + self.filled(self.fabfile))
        self.migration(FIRST, 'def up(db):\n    raise ValueError')
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1)
        self.assertIn('It may have written already', result.stderr)
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn(f'Unfinished: {FIRST}', shown)


class DiedAfterwardsTest(UnfinishedTestCase):
    """The process ended between two writes of migopy's own."""

    def setUp(self) -> None:
        super().setUp()
        self.all_is_well()

    def forget_the_end(self, direction: str = 'up') -> None:
        """Make the history what it is when a process dies right after it registered."""
        self.db.migrations_history.update_many(
            {'direction': direction},
            {'$set': {'unsettled': True, 'outcome': None, 'ended': None}},
        )

    def test_what_is_registered_is_finished(self) -> None:
        self.manager().execute()
        self.forget_the_end()
        self.assertNotIn('Unfinished', self.shown())
        self.logger.said.clear()
        self.manager().history()
        self.assertIn('executed', self.logger.of('white')[-1])

    def test_so_is_a_down_whose_record_is_gone(self) -> None:
        self.manager().execute()
        self.manager().rollback(FIRST)
        self.forget_the_end('down')
        self.assertNotIn('Unfinished', self.shown())

    def test_it_stays_so_when_it_is_rolled_back_later(self) -> None:
        self.manager().execute()
        self.forget_the_end()
        self.manager().rollback(FIRST)
        self.assertNotIn('Unfinished', self.shown())
        self.assertEqual(self.unsettled(), [])

    def outcomes(self) -> list[str]:
        return [run['outcome'] for run in self.db.migrations_history.find()]

    def test_the_next_command_completes_the_history(self) -> None:
        self.manager().execute()
        self.forget_the_end()
        self.migration(NEXT, NOTHING)
        self.manager().execute()
        self.assertEqual(self.outcomes(), ['executed', 'executed'])

    def test_so_does_one_with_nothing_to_execute(self) -> None:
        self.manager().execute()
        self.forget_the_end()
        self.manager().execute()
        self.assertEqual((self.outcomes(), self.unsettled()), (['executed'], []))

    def test_a_way_out_that_was_registered_has_settled_it(self) -> None:
        """Or else ignore would take away what execute has registered."""
        self.all_is_well(False)
        self.fail_in('execute')
        self.all_is_well()
        self.manager().execute(FIRST)
        self.forget_the_end()
        self.assertEqual(len(self.unsettled()), 2)
        self.assertNotIn('Unfinished', self.shown())
        self.migration(NEXT, NOTHING)
        self.manager().execute()
        self.assertEqual(self.unsettled(), [])

    def test_a_down_of_an_unregistered_one_is_written_before_it_is_said(self) -> None:
        written: list[Any] = []
        history = self.db.migrations_history
        self.logger.white_bold = (  # type: ignore[method-assign]
            lambda message: written.append(history.find_one()['outcome'])
        )
        self.manager().rollback(FIRST, force='yes')
        self.assertEqual(written, ['rolled back'])

    def test_a_history_that_cannot_be_completed_does_no_harm(self) -> None:
        with mock.patch.object(History, 'send', side_effect=AutoReconnect('away')):
            self.manager().execute()
        self.assertEqual((self.registered(), self.outcomes()), ([FIRST], [None]))
        self.assertNotIn('Unfinished', self.shown())
        self.manager().execute()
        self.assertEqual((self.outcomes(), self.unsettled()), (['executed'], []))

    def test_an_end_that_comes_late_brings_nothing_back(self) -> None:
        """It is not waited for, so others may have done something meanwhile."""
        sent: list[Any] = []
        with mock.patch.object(History, 'send', lambda self, ends: sent.extend(ends)):
            self.manager().execute()
        history = self.db.migrations_history
        history.update_one({}, {'$set': {'name': NEXT}})
        History(history).send(sent)
        later = history.find_one()
        self.assertEqual((later['name'], later['outcome']), (NEXT, None))
        history.delete_many({})
        History(history).send(sent)
        self.assertEqual(list(history.find()), [])


class InDoubtTest(UnfinishedTestCase):
    """A commit whose outcome is not known."""

    def setUp(self) -> None:
        super().setUp()
        resources = ExitStack()
        self.addCleanup(resources.close)
        obliging = resources.enter_context(obliging_server())
        self.uri = obliging.uri
        self.client = resources.enter_context(MongoClient(obliging.uri))
        self.db = self.client[f'migopy_{uuid.uuid4().hex}']
        self.all_is_well()

    def test_is_not_unfinished_and_is_said(self) -> None:
        manager = self.manager(TRANSACTION=True)
        with (
            failing(self.client, 'commitTransaction', errorCode=51),
            self.assertRaises(OperationFailure),
        ):
            manager.execute()
        [message] = self.logger.of('red')
        self.assertIn('it cannot be known whether that was committed', message)
        self.assertEqual(self.unsettled(), [])
        self.assertNotIn('Unfinished', self.shown())
        self.manager(TRANSACTION=True).execute()
        self.assertEqual(self.registered(), [FIRST])
        self.assertEqual(self.written(), ['up'])

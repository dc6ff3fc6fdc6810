"""`rehearse`: pending migrations on a copy, up, down, up, and what differs then."""

from __future__ import annotations

import os
import signal
import tempfile
import unittest
from datetime import datetime
from typing import Any
from unittest import mock

from bson import Timestamp
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from migopy import MigopyException
from migopy.face.spelling import CommandSpelling
from migopy.operations.rehearsing import _of_versions
from migopy.rehearsal import measured, rehearser
from migopy.rehearsal import server as rehearsal_server
from migopy.rehearsal.server import PREFIX
from migopy.state import LockLost
from migopy.tell import Voice
from migopy.tell.voice import KeptLines
from tests import schema
from tests.faults import eventually
from tests.project import FAB, NOTHING, CommandTest, FabTest, PlainTest

NAME = '001_split.py'

SPLIT = """
    def up(db):
        for user in db.users.find():
            first, last = user['name'].split()
            names = {'first': first, 'last': last}
            db.users.update_one({'_id': user['_id']}, {'$set': names})
        db.users.create_index('last')

    def down(db):
        db.users.drop_index('last_1')
        db.users.update_many({}, {'$unset': {'first': 1, 'last': 1}})
"""

#: It leaves an index, a document, and a collection behind.
INEXACT = """
    def up(db):
        db.users.update_many({}, {'$set': {'seen': True}})
        db.users.create_index('seen')
        db.notes.insert_one({'_id': 1})
        db.command('collMod', 'users', validator={'name': {'$exists': True}})

    def down(db):
        db.users.update_many({'_id': {'$ne': 2}}, {'$unset': {'seen': 1}})
"""


def contents(db: Any) -> dict[str, Any]:
    """Give all that is in a database, but for the lock that is looked at."""
    return {
        name: (list(db[name].find()), db[name].index_information())
        for name in db.list_collection_names(filter={'type': 'collection'})
    }


class RehearseTest(PlainTest):
    """In this process, on a private server."""

    def setUp(self) -> None:
        super().setUp()
        self.db.users.insert_many(
            [{'_id': i, 'name': f'Ann {i}', 'at': Timestamp(0, 0)} for i in range(5)]
        )
        self.before = contents(self.db)
        # Other tests rehearse at the same time.
        self.scratch = self.folder / 'tmp'
        self.scratch.mkdir()
        own = mock.patch.object(tempfile, 'tempdir', str(self.scratch))
        own.start()
        self.addCleanup(own.stop)
        self.addCleanup(self.assert_untouched)

    def assert_untouched(self) -> None:
        self.assertEqual(contents(self.db), self.before)
        self.assertEqual(list(self.scratch.glob(f'{PREFIX}*')), [])

    def rehearse(self, *names: str, **options: Any) -> str:
        """Rehearse well; give all that was said."""
        self.logger.said.clear()
        self.manager().rehearse(*names, **options)
        return self.said()

    def fails(self, *names: str, **options: Any) -> str:
        """Rehearse what is found fault with; give all that was said."""
        self.logger.said.clear()
        with self.assertRaisesRegex(MigopyException, 'failed the rehearsal'):
            self.manager().rehearse(*names, **options)
        return self.said()

    def said(self) -> str:
        return '\n'.join(text for _, text in self.logger.said)

    def test_all_is_well(self) -> None:
        self.migration(NAME, SPLIT)
        self.migration('002_flag.py', NOTHING)
        self.migration('003_add.py', 'def up(db): db.notes.insert_one({})')
        said = self.rehearse()
        self.assertIn('The code of migrations really runs', said)
        self.assertRegex(
            said, rf'{NAME}: up .*users 5 updated, index last_1 made.*, down .*again'
        )
        self.assertEqual(said.count('brings back all that was'), 2)
        self.assertIn('003_add.py: up', said)
        self.assertIn('it has no down, so only its up was rehearsed', said)
        self.assertIn('was only read, and the copy is gone', said)

    def test_without_a_down_the_undo_is_rehearsed(self) -> None:
        self.migration(
            NAME,
            """
            undo = transaction = True

            def up(db):
                db.users.update_many({}, {'$set': {'seen': True}})
                db.notes.insert_one({'_id': 1})
            """,
        )
        self.migration(
            '002_pages.py',
            """
            import migopy

            undo = True

            def up(db):
                migopy.update_each(db.users, lambda each: {'$unset': {'name': 1}})
                db.users.create_index('x')
                db.command('collMod', 'users', validator={'name': 'Ann'})
                db.notes.drop()
            """,
        )
        self.migration('003_none.py', 'undo = "best effort"\n\ndef up(db): pass\n')
        said = self.rehearse()
        self.assertRegex(said, rf'{NAME}: up .*, undo .*, up again')
        self.assertRegex(said, r'002_pages.py: up .*, undo .*, up again')
        self.assertEqual(said.count('its undo brings back all that was'), 2)
        self.assertIn('Rehearsing the undo of 002_pages.py (2 of 3)', said)
        self.assertIn('it has no down, so only its up was rehearsed', said)

    def test_what_down_leaves_behind_is_named(self) -> None:
        self.migration(NAME, INEXACT)
        said = self.fails()
        for part in (
            'after its down it is not as it was',
            'index users.seen_1 is new',
            'the option validator of users differs',
            'documents of users differ',
            'collection notes is new',
        ):
            self.assertIn(part, said)
        # The second `up` fails, as the note is there already.
        self.assertIn('up again failed', said)
        self.assertIn('DuplicateKeyError', said)

    def test_it_says_where_not_all_that_differ_are_shown(self) -> None:
        self.migration(NAME, "def up(db): db.users.update_many({}, {'$set': {'a': 1}})")
        with open(self.folder / 'mongomigrations' / NAME, 'a') as file:
            file.write('\ndef down(db): pass\n')
        shown = KeptLines()
        with mock.patch.object(Voice, 'on_terminal', shown):
            self.fails()
        self.assertEqual(sum('~ users _id' in line for line in shown.said), 3)
        self.assertEqual(shown.said[-1].strip(), '(no more than 3 are shown)')

    def test_a_second_up_that_gives_something_else(self) -> None:
        self.migration(
            NAME,
            """
            import random

            def up(db):
                db.notes.insert_one({'lot': random.random()})

            def down(db):
                db.notes.drop()
            """,
        )
        said = self.fails()
        self.assertNotIn('after its down', said)
        self.assertIn('after its second up it is not as it was', said)
        self.assertIn('documents of notes differ', said)
        # What is large is not kept a second time, and differs all the same.
        with mock.patch.object(rehearser, 'KEPT_TWICE', 0):
            self.assertIn('documents of notes differ', self.fails())

    def test_where_only_generated_ids_differ_it_is_said(self) -> None:
        """As of the first migration of the README."""
        self.migration(
            NAME,
            """
            def up(db):
                notes = [{'content': 'test', 'n': n % 40} for n in range(99)]
                db.notes.insert_many(notes)

            def down(db):
                db.notes.delete_many({'content': 'test'})
            """,
        )
        said = self.rehearse()
        self.assertIn(
            'after its down it is not as it was, which does no harm:\n'
            '    the empty collection notes is new\n',
            said,
        )
        self.assertIn('after its second up it is not as it was, which does', said)
        self.assertIn('documents of notes have other generated _ids, nothing', said)

    def test_other_ids_after_a_down_are_a_loss(self) -> None:
        self.migration(
            NAME,
            """
            def up(db):
                db.users.delete_many({})

            def down(db):
                db.users.insert_many([{'n': n} for n in range(5)])
            """,
        )
        self.db.users.drop()
        self.db.users.insert_many([{'n': n} for n in range(5)])
        self.before = contents(self.db)
        said = self.fails()
        self.assertIn('after its down it is not as it was', said)
        self.assertIn('documents of users differ', said)

    def test_one_more_of_the_same_is_no_other_id(self) -> None:
        self.migration(
            NAME,
            """
            repeat = True

            def up(db):
                db.notes.insert_one({'content': 'test'})
            """,
        )
        self.assertIn('documents of notes differ', self.fails())

    def test_where_only_the_order_of_fields_differs_it_is_said(self) -> None:
        self.migration(
            NAME,
            """
            def up(db):
                db.users.update_many({}, {'$rename': {'name': 'title'}})

            def down(db):
                db.users.update_many({}, {'$rename': {'title': 'name'}})
            """,
        )
        said = self.rehearse()
        self.assertIn('have their fields in another order, nothing else', said)
        self.assertNotIn('brings back all', said)

    def test_it_stops_at_the_first_failure(self) -> None:
        self.migration(NAME, 'def up(db): db.users.update_one(1, 2)')
        self.migration('002_next.py')
        said = self.fails()
        self.assertIn('it failed in its up', said)
        self.assertIn('Not rehearsed: 002_next.py', said)
        # Nothing is said that one would type on the real database.
        self.assertNotIn('fab migrations:', said)

    def test_require_and_verify_are_asked(self) -> None:
        self.migration(NAME, f'{SPLIT}\n    def verify(db): return False\n')
        self.assertIn('it failed in its verify', self.fails())

    def test_one_to_and_none(self) -> None:
        for name in (NAME, '002_b.py', '003_c.py'):
            self.migration(name)
        self.assertIn('002_b.py', self.rehearse(to='002'))
        self.assertNotIn('003_c.py', self.rehearse(to='002'))
        self.register(NAME, '002_b.py', '003_c.py')
        self.before = contents(self.db)
        self.assertIn('Nothing to rehearse', self.rehearse())

    def test_a_sample(self) -> None:
        self.migration(
            NAME,
            """
            def up(db):
                db.users.update_many({}, {'$set': {'seen': True}})
                db.users.create_index('name', unique=True)
            """,
        )
        said = self.rehearse(sample='2')
        self.assertIn('users 2 updated', said)
        self.assertIn('(estimated)', said)
        self.assertIn('whether users.name_1 is unique is not known', said)

    def test_all_kinds_of_collections(self) -> None:
        self.db.create_collection('ring', capped=True, size=4096)
        self.db.ring.insert_many([{'_id': i} for i in range(3)])
        self.db.create_collection('names', viewOn='users', pipeline=[])
        self.db.create_collection('sorted', collation={'locale': 'de', 'strength': 2})
        self.db.sorted.insert_many([{'_id': each} for each in ('b', 'A', 'C', 1, None)])
        self.before = contents(self.db)
        self.migration(
            NAME,
            """
            def up(db):
                db.sorted.delete_one({'_id': 'C'})
                db.names.drop()

            def down(db):
                db.sorted.insert_one({'_id': 'C', 'new': 1})
            """,
        )
        said = self.fails()
        self.assertIn('collection names is missing', said)
        self.assertIn('documents of sorted differ', said)
        self.assertNotIn('ring', said)

    def series(self) -> None:
        """Have a time series; its documents are packed as they come."""
        if self.client.server_info()['versionArray'] < [5, 0]:
            self.skipTest('It has no time series.')
        made = {'timeField': 'at', 'metaField': 'of'}
        self.db.create_collection('events', timeseries=made)
        self.db.events.insert_many(
            {'_id': i, 'at': datetime(2026, 1, 1 + i), 'of': i % 2} for i in range(9)
        )
        self.before = contents(self.db)

    def test_a_time_series_that_is_made(self) -> None:
        self.series()
        self.migration(
            NAME,
            """
            from datetime import datetime

            def up(db):
                db.create_collection('heat', timeseries={'timeField': 'at'})
                db.heat.insert_many({'at': datetime(2026, 1, 1), 'n': n} for n in 'ab')
                db.heat.insert_one({'at': datetime(2026, 1, 1), 'n': 1, 'm': 1})

            def down(db):
                db.heat.drop()
            """,
        )
        said = self.rehearse()
        self.assertIn('documents of heat have other generated _ids, nothing', said)
        self.assertNotIn('events', said.partition('Rehearsing the up')[2])

    def test_a_time_series_that_is_changed(self) -> None:
        if self.client.server_info()['versionArray'] < [5, 0, 5]:
            self.skipTest('It deletes from none.')
        self.series()
        body = """
            from datetime import datetime

            def up(db):
                db.command('collMod', 'events', expireAfterSeconds=10**9)
                for i in (7, 8):
                    doc = {'_id': i, 'at': datetime(2026, 1, 1, i), 'of': 7}
                    db.events.insert_one(doc)
                db.events.create_index([('of', 1), ('at', 1)])

            def down(db):
                db.events.delete_many({'of': %s})
                db.events.drop_index('of_1_at_1')
                db.command('collMod', 'events', expireAfterSeconds='off')
        """
        self.migration(NAME, body % 7)
        self.assertIn('brings back all that was', self.rehearse())
        with mock.patch.object(measured, 'MOST', 3):
            said = self.rehearse()
        self.assertIn('documents of events were counted, not compared', said)
        self.migration(NAME, body % 1)
        self.assertIn('events has 7 documents in place of 9', self.fails())

    def test_a_time_series_that_is_packed_anew(self) -> None:
        self.series()
        body = """
            def up(db):
                docs = sorted(db.events.find(), key=lambda each: -each['_id'])
                db.events.drop()
                made = {'timeField': 'at', 'metaField': 'of'}
                db.create_collection('events', timeseries=made)
                for doc in docs:
                    db.events.insert_one({'of': doc['of'], **doc, %s})

            def down(db):
                pass
        """
        self.migration(NAME, body % '')
        self.assertIn('brings back all that was', self.rehearse())
        self.migration(NAME, body % "'n': 1")
        self.assertIn('documents of events differ', self.fails())
        with mock.patch.object(measured, 'MOST', 3):
            said = self.rehearse()
        self.assertIn('documents of events were counted, not compared', said)

    def test_a_view(self) -> None:
        """It is compared by its definition."""
        self.db.create_collection('names', viewOn='users', pipeline=[])
        self.before = contents(self.db)
        body = """
            def up(db):
                db.create_collection('ids', viewOn='users', pipeline=[])
                db.command('collMod', 'names', viewOn='users', pipeline=[{'$skip': 1}])

            def down(db):
                db.ids.drop()
                db.command('collMod', 'names', viewOn='users', pipeline=[%s])
        """
        self.migration(NAME, body % '')
        self.assertIn('brings back all that was', self.rehearse())
        self.migration(NAME, body % "{'$skip': 2}")
        self.assertIn('the option pipeline of names differs', self.fails())

    def test_a_transaction(self) -> None:
        self.migration(NAME, 'transaction = True\n' + INEXACT.replace('    ', '', 1))
        self.migration(
            NAME,
            """
            transaction = True

            def up(db):
                db.users.update_many({}, {'$set': {'seen': True}})

            def down(db):
                db.users.update_many({'_id': 1}, {'$unset': {'seen': 1}})
            """,
        )
        said = self.fails()
        self.assertIn('documents of users differ', said)
        self.assertNotIn('cannot be compared', said)

    def test_a_dump(self) -> None:
        manager = self.manager(MONGO_DUMP_DIRECTORY=str(self.folder / 'dumps'))
        manager.dbdump()
        [name] = [each.name for each in (self.folder / 'dumps').glob('2*')]
        self.db.users.delete_many({})
        self.before = contents(self.db)
        self.migration(NAME, SPLIT)
        manager.rehearse(from_=name)
        self.assertIn('users 5 updated', self.said())
        with self.assertRaisesRegex(MigopyException, 'exclude each other'):
            manager.rehearse(from_=name, sample=1)

    def test_a_model_that_would_write_to_the_real_database(self) -> None:
        for swallows in ('', 'try: '):
            end = '\n                except BaseException: pass' if swallows else ''
            self.migration(
                NAME,
                f"""
            from pymongo import MongoClient

            def up(db):
                {swallows or 'if True: '}MongoClient({self.uri!r})[
                    {self.db.name!r}].users.delete_many({{}}){end}
            """,
            )
            said = self.fails()
            self.assertIn('It tried to write to 127.0.0.1:', said)
            self.assertIn(f'(delete on {self.db.name}.users)', said)
            self.assertIn('refused before it was sent', said)

    def test_a_file_that_writes_while_it_is_imported(self) -> None:
        for swallows in ('if True', 'try'):
            end = 'except BaseException: pass' if swallows == 'try' else ''
            self.migration(
                NAME,
                f"""
                from pymongo import MongoClient

                {swallows}:
                    MongoClient({self.uri!r})[{self.db.name!r}].users.drop()
                {end}

                def up(db): pass
                """,
            )
            with self.assertRaisesRegex(MigopyException, 'It tried to write to'):
                self.manager().rehearse()

    def test_a_thread_is_refused_as_well(self) -> None:
        self.migration(
            NAME,
            f"""
            import threading
            from pymongo import MongoClient

            def write():
                MongoClient({self.uri!r})[{self.db.name!r}].users.drop()

            def up(db):
                thread = threading.Thread(target=write)
                thread.start()
                thread.join()
            """,
        )
        self.assertIn('It tried to write to', self.fails())

    def test_what_ends_it_early_is_not_told_as_of_the_real_database(self) -> None:
        self.migration(
            NAME,
            """
            def up(db):
                db.users.insert_one({'_id': 9})
                db.client._stands_for.close()
            """,
        )
        with self.assertRaises(MigopyException) as raised:
            self.manager().rehearse()
        said = str(raised.exception)
        self.assertRegex(said, f'{NAME} has run, .* not be registered .*close')
        self.assertIn(f'{self.db.name} was only read', said)
        self.assertNotRegex(said, 'unfinished|rollback|ignore')
        lost = mock.patch.object(rehearser.Rehearser, 'rehearse')
        with lost as method, self.assertRaises(MigopyException) as raised:
            method.side_effect = LockLost(None)
            self.manager().rehearse()
        self.assertIn(f'{self.db.name} was only read', str(raised.exception))
        self.assertNotIn('unfinished', str(raised.exception))

    def test_a_private_server_that_fails_is_named_as_the_cause(self) -> None:
        """Not what it answers while it ends."""
        private = rehearsal_server.private_server
        # A step that has failed without it is told, and ends nothing.
        for error in (AutoReconnect(), None):
            gone = self.assertRaisesRegex(MigopyException, 'was killed')
            with self.subTest(error=error), gone, private() as uri:
                with MongoClient[Any](uri) as client:
                    pid = client.admin.command('serverStatus')['pid']
                os.kill(pid, signal.SIGKILL)
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
                if error:
                    raise error
        full = mock.patch.object(rehearsal_server, 'FULL', '"s":')
        said = f'the disk of {self.scratch} is full'
        with full, self.assertRaisesRegex(MigopyException, said), private():
            raise AutoReconnect
        with mock.patch.object(rehearser.Rehearser, 'rehearse') as method:
            method.side_effect = rehearsal_server.ServerGone(is_full=True)
            self.migration(NAME, NOTHING)
            with self.assertRaises(MigopyException) as raised:
                self.manager().rehearse()
        self.assertRegex(str(raised.exception), rf'{said}.*\n.* was only read')
        spelled = raised.exception.spelled(CommandSpelling())
        self.assertIn('(--sample 10000)', spelled)

    def test_hooks_hear_nothing(self) -> None:
        heard: list[Any] = []
        self.migration(NAME, SPLIT)
        manager = self.manager(
            before_migration=lambda _self, info: heard.append(info),
            after_run=lambda _self, outcome: heard.append(outcome),
        )
        manager.rehearse()
        self.assertEqual(heard, [])

    def test_no_mongod(self) -> None:
        self.migration(NAME, SPLIT)
        known = os.environ.get('MIGOPY_MONGOD')
        os.environ['MIGOPY_MONGOD'] = '/nowhere/mongod'
        try:
            with self.assertRaisesRegex(MigopyException, 'MIGOPY_MONGOD'):
                self.manager().rehearse()
        finally:
            del os.environ['MIGOPY_MONGOD']
            if known:
                os.environ['MIGOPY_MONGOD'] = known


class VersionTest(unittest.TestCase):
    def test_an_older_server_for_the_copy_is_told_where_it_failed(
        self,
    ) -> None:
        """What it does not know is a riddle otherwise."""

        def site(*version: int) -> Any:
            text = '.'.join(map(str, version))
            said = {'versionArray': [*version, 0], 'version': text}
            return mock.Mock(**{'client.server_info.return_value': said})

        said = _of_versions(site(6, 0, 5), site(5, 0, 4))
        self.assertIn('to be on MongoDB 5.0.4, and the database is on 6.0.5', said)
        for ours in ((6, 0, 4), (6, 0, 5), (7, 0, 1)):
            self.assertEqual(_of_versions(site(6, 0, 5), site(*ours)), '')


class OnTest(PlainTest):
    """On a server that was named."""

    def setUp(self) -> None:
        super().setUp()
        self.db.users.insert_one({'_id': 1, 'name': 'Ann B'})
        self.migration(NAME, SPLIT)
        self.other = f'{self.db.name}_x'
        self.addCleanup(self.client.drop_database, self.other)

    def on(self, name: str = '') -> str:
        return self.uri.replace('/?', f'/{name}?')

    def names(self) -> list[str]:
        return [
            each
            for each in self.client.list_database_names()
            if each.startswith(self.db.name) and each != self.db.name
        ]

    def test_the_database_is_gone_afterwards(self) -> None:
        for name in (self.other, ''):
            self.manager().rehearse(on=self.on(name))
            self.assertEqual(self.names(), [])
        self.assertEqual(self.contents('users'), [{'name': 'Ann B'}])

    def test_what_is_refused(self) -> None:
        self.client[self.other].notes.insert_one({})
        same = self.on(self.db.name)
        for on, said in (
            (same, 'is the server of the database'),
            (same.replace('127.0.0.1', 'localhost'), 'is the server of the database'),
            (self.on(self.other), r'is not empty \(notes\)'),
            ('embedded:folder', 'takes the URI of a server'),
            ('mongodb://\udcff@h/d', 'takes the URI of a server'),
            ('mongodb://u:secret@h:x/d', 'on= cannot be used: (?!.*secret)'),
            (
                'mongodb://u:secret@127.0.0.1:1/d?serverSelectionTimeoutMS=100',
                'rehearsal on mongodb://127.0.0.1:1 has ended early: (?!.*secret)',
            ),
        ):
            with self.assertRaisesRegex(MigopyException, said):
                self.manager().rehearse(on=on)
        self.assertEqual(self.client[self.other].notes.count_documents({}), 1)
        self.assertEqual(self.contents('users'), [{'name': 'Ann B'}])

    def test_another_database_of_that_server_is_not_written(self) -> None:
        self.migration(
            NAME, f'def up(db): db.client[{self.db.name!r}].users.delete_many({{}})'
        )
        with self.assertRaisesRegex(MigopyException, 'failed the rehearsal'):
            self.manager().rehearse(on=self.on(self.other))
        self.assertEqual(self.contents('users'), [{'name': 'Ann B'}])

    def test_what_a_killed_one_left_is_taken_over(self) -> None:
        left = self.client[self.other]
        left.migopy_rehearsal.insert_one({'_id': 'scratch'})
        left.users.insert_one({'_id': 1})
        self.manager().rehearse(on=self.on(self.other))
        self.assertEqual(self.names(), [])


class InterruptedTest(FabTest):
    """A rehearsal that is ended in the middle."""

    def test_nothing_is_left(self) -> None:
        self.migration(
            NAME,
            """
            import pathlib, time

            def up(db):
                pathlib.Path('begun').touch()
                time.sleep(60)
            """,
        )
        own = self.folder / 'tmp'
        own.mkdir()
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start('migrations:rehearse', TMPDIR=str(own))
            begun = self.folder / 'begun'
            eventually(begun.exists, 'the migration has begun')
            begun.unlink()
            process.send_signal(number)
            self.assertEqual(self.ended(process).status, 128 + number)
            self.assertEqual(list(own.iterdir()), [])

    def test_what_a_killed_one_left_is_removed_by_the_next(self) -> None:
        self.migration(NAME, 'import os\ndef up(db): os.kill(os.getpid(), 9)')
        own = self.folder / 'tmp'
        own.mkdir()
        self.fab('migrations:rehearse', TMPDIR=str(own))
        self.assertEqual(len(list(own.glob(f'{PREFIX}*'))), 1)
        self.migration(NAME, NOTHING)
        self.assert_ok(self.fab('migrations:rehearse', TMPDIR=str(own)))
        self.assertEqual(list(own.iterdir()), [])


class FacesTest(CommandTest):
    """As it is typed."""

    def test_the_command_and_json(self) -> None:
        self.migration(NAME, SPLIT)
        self.migration('002_inexact.py', INEXACT)
        self.db.users.insert_many([{'_id': i, 'name': 'Ann Secret'} for i in (1, 2)])
        result = self.migopy('rehearse', '--sample', '10', '--json')
        self.assertEqual(result.status, 1, result.said)
        *events, last = map(schema.check, result.stdout.splitlines())
        self.assertIn('rehearsed', [each['event'] for each in events])
        first, second = last['rehearsed']
        self.assertTrue(first['ok'])
        self.assertEqual([each['direction'] for each in first['stages']][1], 'down')
        self.assertIn(
            {'collection': 'users', 'kind': 'documents', 'name': ''},
            second['after_down'],
        )
        self.assertNotIn('Secret', result.stdout)

    def test_from(self) -> None:
        self.migration(NAME, SPLIT)
        self.assert_error(
            self.migopy('rehearse', '--from', '2020'), 'There is no dump in'
        )

    def test_from_with_fab(self) -> None:
        self.migration(NAME, SPLIT)
        self.program = FAB
        said = self.fab('migrations:rehearse,from=2020').said
        self.assertIn('There is no dump in', said)
        self.assertNotIn('really runs', said)


class ManyTest(PlainTest):
    """One of many databases is rehearsed as if there were no others."""

    def test_one_is_named(self) -> None:
        self.migration(NAME, SPLIT)
        other = f'{self.db.name}_b'
        self.addCleanup(self.client.drop_database, other)
        for name in (self.db.name, other):
            with MongoClient(self.uri) as client:
                client[name].users.insert_one({'name': 'Ann B'})
        manager = self.manager(
            MONGO_DATABASE=None, MONGO_DATABASES=[self.db.name, other]
        )
        manager.perform('rehearse', [], {'only': other, 'sample': '1'})
        said = '\n'.join(text for _, text in self.logger.said)
        self.assertIn(f'on a copy of {other} on', said)
        self.assertIn('users 1 updated', said)

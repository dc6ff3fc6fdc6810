"""Dumps of real databases, and the way back, with and without MongoDB's own tools."""

from __future__ import annotations

import datetime
import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any
from unittest import mock

import bson
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, Regex, Timestamp
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.monitoring import CommandListener, CommandStartedEvent

from migopy.dumps import (
    Connection,
    Dump,
    DumpFailed,
)
from tests import server
from tests.dumps import MEGABYTE, DumpTest, everything, left, needs_tools

DAY = datetime.datetime(2020, 2, 29, 12, 30, 0, 250000)


def make_many_kinds(db: Database[Any]) -> None:
    """Make a collection of each kind, with indexes of each kind."""
    db['notes'].insert_many(
        [
            {'_id': number, 'title': f'note {number}', 'tags': ['a', 'b'] * number}
            for number in range(1000)
        ]
    )
    db['types'].insert_many(
        [
            {'_id': 'all', 'double': 1.0, 'zero': 0.0, 'nan': float('nan'), 'int': 1},
            {'_id': DAY, 'long': Int64(1), 'decimal': Decimal128('1.10'), 'none': None},
            {'_id': 1.5, 'binary': Binary(b'\0\1', 5), 'uuid': Binary(bytes(16), 4)},
            {'_id': MaxKey(), 'code': Code('f()', {'x': 1}), 'min': MinKey()},
            {'_id': {'z': 1, 'a': 2}, 'regex': Regex('^a', 'imx'), '': 'no name'},
            {'_id': 'far', 'date': bson.DatetimeMS(10**15), 'time': Timestamp(5, 6)},
        ]
    )
    db['types'].insert_one({'_id': 'empty time', 'a': 0.0, 'in': [Timestamp(0, 0)]})
    # An insert would set this one to now.
    db['types'].update_one({'_id': 'empty time'}, [{'$set': {'at': Timestamp(0, 0)}}])
    db.create_collection('empty')
    for name in ('a.b.c', 'a b/ü%+~-_*(){}&=', 'x' * 200, 'ü' * 60):
        db[name].insert_one({'_id': name})
        db[name].create_index('odd')
    big = 16 * MEGABYTE - len(bson.encode({'_id': 0, 'bytes': b''}))
    for number in range(2):
        db['big'].insert_one({'_id': number, 'bytes': bytes([number]) * big})
    db.create_collection('log', capped=True, size=8192, max=5)
    for number in range(9, 0, -1):
        db['log'].insert_one({'_id': number})
    db['strict'].insert_one({'_id': 'older than its validator'})
    validator = {
        'name': {'$regex': '^a', '$options': 'i', '$nin': ['aa']},
        'seen': {'$lt': DAY, '$gt': datetime.datetime(1, 1, 1)},
        'size': {'$lt': Int64(5), '$gt': 0.5, '$ne': 7},
        'kind': {'$not': Regex('^b', 'x')},
        '$jsonSchema': {'properties': {'$ref': {'bsonType': 'string'}}},
    }
    db.command('collMod', 'strict', validator=validator, validationAction='error')
    db.create_collection('french', collation={'locale': 'fr', 'backwards': True})
    db['french'].insert_many([{'_id': 'cote'}, {'_id': 'côte'}])
    db['french'].create_index('inherited')
    db['french'].create_index('plain', collation={'locale': 'simple'})
    db['french'].create_index('strength', collation={'locale': 'de', 'strength': 2})
    db.create_collection(
        'clustered', clusteredIndex={'key': {'_id': 1}, 'unique': True}
    )
    db['clustered'].insert_many([{'_id': number} for number in range(10)])
    db['clustered'].create_index('a')
    db.create_collection(
        'points',
        expireAfterSeconds=10**9,
        timeseries={'timeField': 't', 'metaField': 'm'},
    )
    db['points'].insert_many(
        [
            {'t': DAY, 'm': number % 3, 'v': value}
            for number, value in enumerate([1, 2.5, 'mixed', None, {'a': 1}])
        ]
    )
    db['points'].create_index([('m', 1), ('t', -1)])
    # Before MongoDB 3.4 each collection had such an index.
    before_3_4 = {'v': 1, 'key': {'_id': 1}, 'name': '_id_'}
    db.create_collection('before 3.4', idIndex=before_3_4)
    db.create_collection('changes', changeStreamPreAndPostImages={'enabled': True})
    english = {'locale': 'en'}
    match = [{'$match': {'title': {'$regex': '1'}}}]
    db.create_collection('view', viewOn='notes', pipeline=match, collation=english)
    db.create_collection('a view of it', viewOn='view', pipeline=[], collation=english)
    db['system.js'].insert_one({'_id': 'f', 'value': Code('function() { return 1 }')})
    notes = db['indexed']
    notes.insert_one(
        {'_id': 1, 'at': [1.0, 2.0], 'geo': {'type': 'Point', 'coordinates': [1, 2]}}
    )
    notes.create_index([('a', 1), ('b', -1)], unique=True, name='odd name é')
    notes.create_index('sparse', sparse=True, hidden=True)
    notes.create_index('partial', partialFilterExpression={'partial': {'$gt': DAY}})
    notes.create_index('expires', expireAfterSeconds=10**9)
    notes.create_index(
        [('title', 'text'), ('body', 'text')],
        weights={'title': 3},
        default_language='german',
    )
    notes.create_index([('geo', '2dsphere')])
    notes.create_index([('at', '2d')], bits=20)
    notes.create_index([('hash', 'hashed')])
    notes.create_index([('$**', 1)], wildcardProjection={'a.b': 1})
    from_the_shell = {'key': {'dotted.path': 1.0}, 'name': 'from the shell'}
    db.command('createIndexes', 'indexed', indexes=[from_the_shell])


def change_much(db: Database[Any]) -> None:
    """Do to a database what a deploy gone wrong may do."""
    db['notes'].update_many({}, {'$set': {'wrong': True}})
    db['notes'].create_index('wrong')
    db['types'].drop()
    db['big'].delete_many({})
    db['empty'].insert_one({})
    db.drop_collection('view')
    db['view'].insert_one({'now': 'a collection'})
    db.drop_collection('french')
    db.create_collection('french', viewOn='notes', pipeline=[])
    db['indexed'].drop_indexes()
    db.command('collMod', 'strict', validator={})
    db['log'].rename('log2')
    db.drop_collection('points')
    db['points'].insert_one({'now': 'a collection'})
    db['new'].insert_one({})
    db.create_collection('new view', viewOn='new', pipeline=[])
    db.create_collection('new points', timeseries={'timeField': 't'})
    db['system.js'].update_one({'_id': 'f'}, {'$set': {'value': Code('wrong')}})
    db['system.js'].insert_one({'_id': 'g', 'value': Code('wrong')})


class RoundTrip(DumpTest):
    """By PyMongo there, by PyMongo back; subclasses go by MongoDB's tools."""

    dumped_by_tool = restored_by_tool = False

    def connection(self, by_tool: bool) -> Connection | None:
        return Connection(self.uri) if by_tool else None

    def make(self, **options: Any) -> Dump:
        return self.dumps(self.connection(self.dumped_by_tool), **options).make(self.db)

    def restore(self, dump: Dump, **options: Any) -> None:
        connection = self.connection(self.restored_by_tool)
        self.dumps(connection, **options).restore(self.db, dump)

    def test_a_database_of_all_kinds_comes_back_byte_by_byte(self) -> None:
        self.needs_version(5, 3)
        make_many_kinds(self.db)
        before = everything(self.db)
        dump = self.make()
        change_much(self.db)
        self.restore(dump)
        after = everything(self.db)
        self.assertEqual(sorted(before), sorted(after))
        for name in before:
            with self.subTest(name):
                self.assertTrue(
                    before[name] == after[name], (before[name][:3], after[name][:3])
                )

    def test_what_stands_apart_is_neither_dumped_nor_dropped(self) -> None:
        self.db['notes'].insert_one({'_id': 1})
        self.db['a*lock'].insert_one({'_id': 'before'})
        dump = self.make(excluded={'a*lock'})
        self.assertEqual(['notes'], [stored.name for stored in dump.contents()])
        self.db['a*lock'].replace_one({}, {'held': True})
        self.db['notes'].drop()
        self.restore(dump, excluded={'a*lock'})
        self.assertTrue(self.db['a*lock'].find_one({'held': True}))
        self.assertEqual(1, self.db['notes'].count_documents({}))

    def test_an_empty_database_comes_back_empty(self) -> None:
        dump = self.make()
        self.assertEqual(0, sum(stored.count or 0 for stored in dump.contents()))
        self.db['notes'].insert_one({})
        self.restore(dump)
        self.assertEqual([], self.db.list_collection_names())

    def test_a_dump_is_its_owners_alone(self) -> None:
        self.db['notes'].insert_one({})
        dump = self.make()
        self.assertEqual(0o700, self.directory.stat().st_mode & 0o777)
        for path in [dump.path, *dump.path.rglob('*')]:
            wanted = 0o700 if path.is_dir() else 0o600
            self.assertEqual(wanted, path.stat().st_mode & 0o777, path)


@needs_tools
class RoundTripByTools(RoundTrip):
    dumped_by_tool = restored_by_tool = True


@needs_tools
class MongorestoreTakesOurs(RoundTrip):
    restored_by_tool = True


@needs_tools
class PyMongoTakesMongodumps(RoundTrip):
    dumped_by_tool = True


@needs_tools
class SameAsMongodump(DumpTest):
    def test_every_file_is_the_same_byte_by_byte(self) -> None:
        """But for mongodump's own note of its version, and a collision of names."""
        make_many_kinds(self.db)
        ours = self.dumps().make(self.db)
        theirs = self.dumps(Connection(self.uri)).make(self.db)
        names = {path.name for path in (theirs.path / self.db.name).iterdir()}
        names.discard('prelude.json')
        self.assertEqual(
            names, {path.name for path in (ours.path / self.db.name).iterdir()}
        )
        for name in names:
            with self.subTest(name):
                first, second = (
                    (dump.path / self.db.name / name).read_bytes()
                    for dump in (ours, theirs)
                )
                self.assertTrue(first == second, (first[:2000], second[:2000]))

    def test_a_name_that_mongorestore_mistakes_is_restored_by_pymongo(self) -> None:
        """It takes the `+` in a name too long for a file's for a space."""
        self.db['+' * 100].insert_one({'_id': 1})
        before = everything(self.db)
        dumps = self.dumps(Connection(self.uri))
        dump = dumps.make(self.db)
        self.db['+' * 100].drop()
        dumps.restore(self.db, dump)
        self.assertEqual(before, everything(self.db))

    def test_a_password_with_odd_characters_reaches_the_server(self) -> None:
        password = 'p@ss:/?#[]%+ "\\\'ä&=;'
        options = {'username': 'ann', 'password': password, 'authSource': 'shop'}
        wrong = {**options, 'password': 'wrong secret'}
        with (
            server.with_auth(password=password) as private,
            MongoClient('127.0.0.1', private.port, **options) as client,
        ):
            db = client['shop']
            db['notes'].insert_one({'_id': 1})
            dumps = self.dumps(Connection('127.0.0.1', private.port, **options))
            dump = dumps.make(db)
            db['notes'].drop()
            dumps.restore(db, dump)
            self.assertEqual([{'_id': 1}], list(db['notes'].find()))
            with self.assertRaises(DumpFailed) as caught:
                self.dumps(Connection('127.0.0.1', private.port, **wrong)).make(db)
        self.assertIn('auth', str(caught.exception).lower())
        self.assertNotIn('wrong secret', str(caught.exception) + str(self.said))


class PointInTimeTest(DumpTest):
    """What is written while a dump runs is in all of it or in none of it."""

    def setUp(self) -> None:
        super().setUp()
        self.db['a'].insert_many([{'_id': n, 'money': 10} for n in range(500)])
        self.db['b'].insert_many([{'_id': n, 'money': 10} for n in range(500)])

    def move_money(self, client: MongoClient[Any], number: int) -> None:
        """Move one piece of money from `a` to `b`, and note it, in a transaction."""
        db = client[self.db.name]
        with client.start_session() as session, session.start_transaction():
            poor, rich = {'_id': number % 500}, {'_id': (number * 7) % 500}
            db['a'].update_one(poor, {'$inc': {'money': -1}}, session=session)
            db['b'].update_one(rich, {'$inc': {'money': 1}}, session=session)
            db['moved'].insert_one({'_id': number}, session=session)

    def assert_one_time(self, dump: Dump) -> int:
        a, b, moved = (self.documents(dump, name) for name in ('a', 'b', 'moved'))
        self.assertEqual((500, 500), (len(a), len(b)))
        count = len(moved)
        self.assertEqual(5000 - count, sum(document['money'] for document in a))
        self.assertEqual(5000 + count, sum(document['money'] for document in b))
        return count

    def test_writes_between_two_collections_are_in_none(self) -> None:
        self.needs_version(5, 0)
        self.move_money(self.client, 0)
        numbers = iter(range(1, 100))

        def progress(collection: str, done: int, total: int | None) -> None:
            self.move_money(self.client, next(numbers))

        dump = self.dumps(progress=progress).make(self.db)
        self.assertEqual(1, self.assert_one_time(dump))
        self.assertGreater(next(numbers), 3)
        self.assertEqual([], self.said)

    def test_writes_by_others_all_the_time(self) -> None:
        self.needs_version(5, 0)
        self.move_money(self.client, 0)
        stop = threading.Event()
        started = threading.Event()

        def write() -> None:
            with server.client() as client:
                number = 0
                while not stop.is_set():
                    number += 1
                    self.move_money(client, number)
                    started.set()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            started.wait(30)
            counts = [
                self.assert_one_time(self.dumps().make(self.db)) for _ in range(2)
            ]
        finally:
            stop.set()
            writer.join()
        self.assertGreater(counts[1], counts[0])

    def test_a_capped_collection_is_said_to_be_apart(self) -> None:
        self.needs_version(5, 0)
        self.db.create_collection('log', capped=True, size=4096)
        self.db['log'].insert_one({'_id': 1})
        dump = self.dumps().make(self.db)
        self.assertEqual([{'_id': 1}], self.documents(dump, 'log'))
        # Servers that do have them in their snapshots say nothing.
        self.assertIn(
            self.said,
            (
                [],
                [
                    'log is capped, which this server leaves out of its snapshots: it'
                    ' is read at a time of its own.'
                ],
            ),
        )

    def test_a_server_without_snapshots_is_said_to_be_one(self) -> None:
        with server.standalone() as private, MongoClient(private.uri) as client:
            client['shop']['notes'].insert_one({'_id': 1})
            dumps = self.dumps()
            dump = dumps.make(client['shop'])
            self.assertEqual(
                [
                    'This server gives no snapshot: what is written while the dump runs'
                    ' may be in one collection of it and not in another.'
                ],
                self.said,
            )
            client['shop'].drop_collection('notes')
            dumps.restore(client['shop'], dump)
            self.assertEqual([{'_id': 1}], list(client['shop']['notes'].find()))

    def test_a_dump_longer_than_a_snapshot_lasts_goes_on_and_says_so(self) -> None:
        self.needs_version(5, 0)
        with (
            server.replica_set(members=1) as cluster,
            MongoClient(cluster.uri) as client,
        ):
            client.admin.command('setParameter', 1, minSnapshotHistoryWindowInSeconds=0)
            db = client['shop']
            for name in 'abc':
                db[name].insert_one({'_id': name})

            def progress(collection: str, done: int, total: int | None) -> None:
                # The server forgets the past about once a second, when it is written.
                for _ in range(20 if (collection, done) == ('b', 0) else 0):
                    db['other'].insert_one({})
                    time.sleep(0.1)

            dump = self.dumps(progress=progress).make(db)
        self.assertEqual([{'_id': 'c'}], self.documents(dump, 'c'))
        self.assertRegex(self.said[0], 'no longer has the snapshot .* From b on')
        self.assertEqual(1, len(self.said))


class ChangedUnderneathTest(DumpTest):
    """Collections that are made or dropped while a dump runs."""

    def setUp(self) -> None:
        super().setUp()
        for name in ('a', 'b', 'c'):
            self.db[name].insert_one({'_id': name})

    def make(self, change: Any, times: int = 1) -> Dump:
        """Dump, and do something after the first collection, the first few times."""
        left = iter(range(times))

        def progress(collection: str, done: int, total: int | None) -> None:
            if (collection, done) == ('a', 1) and next(left, None) is not None:
                change()

        return self.dumps(progress=progress).make(self.db)

    def names(self, dump: Dump) -> list[str]:
        return [stored.name for stored in dump.contents()]

    def test_a_collection_dropped_is_not_in_it_as_an_empty_one(self) -> None:
        self.needs_version(5, 0)
        dump = self.make(self.db['b'].drop)
        self.assertEqual(['a', 'c'], self.names(dump))
        self.assertRegex(self.said[0], 'The collection b was .*The dump starts over')

    def test_a_collection_renamed_is_in_it_once(self) -> None:
        dump = self.make(lambda: self.db['b'].rename('d'))
        self.assertEqual(['a', 'c', 'd'], self.names(dump))
        self.assertEqual([{'_id': 'b'}], self.documents(dump, 'd'))

    def test_a_collection_replaced_is_the_old_or_the_new_one(self) -> None:
        def replace() -> None:
            self.db['b'].drop()
            self.db['b'].insert_one({'_id': 'new'})

        dump = self.make(replace)
        self.assertEqual([{'_id': 'new'}], self.documents(dump, 'b'))

    def test_an_index_made_before_the_first_read_is_in_it(self) -> None:
        self.needs_version(5, 0)

        class BeforeFirstFind(CommandListener):
            def started(listener, event: CommandStartedEvent) -> None:  # noqa: N805
                if event.command_name == 'find' and 'x_1' not in indexes():
                    self.db['b'].create_index('x')

            def succeeded(self, event: object) -> None:
                pass

            failed = succeeded

        def indexes() -> dict[str, Any]:
            return self.db['b'].index_information()

        with server.client(event_listeners=[BeforeFirstFind()]) as client:
            dump = self.dumps().make(client[self.db.name])
        stored = {one.name: one for one in dump.contents()}['b']
        self.assertEqual(['_id_', 'x_1'], [index['name'] for index in stored.indexes])
        self.assertRegex(self.said[0], 'being made or dropped. The dump starts over')

    def test_changes_without_end_are_an_error(self) -> None:
        def replace() -> None:
            self.db['b'].drop()
            self.db['b'].insert_one({'_id': 'new'})

        with self.assertRaisesRegex(DumpFailed, 'The collection b was'):
            self.make(replace, times=100)
        self.assert_no_dump()

    def test_a_name_that_pymongo_refuses_is_an_error_that_says_what_to_do(self) -> None:
        self.db.command('create', 'a..b')
        with self.assertRaisesRegex(DumpFailed, r"'a\.\.b'.*Install mongodump"):
            self.dumps().make(self.db)
        self.assert_no_dump()


class KilledTest(DumpTest):
    """A dump that ends half way."""

    def run_dump(
        self, progress: str, limit: int = -1
    ) -> subprocess.CompletedProcess[str]:
        """Dump in a process of its own; `progress` is the body of the callback."""
        program = f"""
            import os, resource, signal, sys
            from pathlib import Path
            from pymongo import MongoClient
            from migopy.dumps import Dumps

            def progress(collection, done, total):
                {progress}

            if {limit} > 0:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
            db = MongoClient({self.uri!r})[{self.db.name!r}]
            Dumps(Path({str(self.directory)!r}), progress=progress).make(db)
        """
        return subprocess.run(
            [sys.executable, '-c', textwrap.dedent(program)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def setUp(self) -> None:
        super().setUp()
        self.db['a'].insert_one({'_id': 'a'})
        self.db['b'].insert_one({'_id': 'b', 'much': bytes(MEGABYTE)})

    def test_killed_at_once_it_is_not_listed_and_the_next_dump_tidies_up(self) -> None:
        kill = "if collection == 'b': os.kill(os.getpid(), signal.SIGKILL)"
        self.assertEqual(-signal.SIGKILL, self.run_dump(kill).returncode)
        self.assertEqual([], self.dumps().of(self.db.name))
        [part] = left(self.directory)
        self.assertTrue(list(part.rglob('a.bson')))
        dump = self.dumps().make(self.db)
        self.assertEqual([dump.path], left(self.directory))

    def test_told_to_end_it_leaves_nothing(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            kill = f"if collection == 'b': os.kill(os.getpid(), {number:d})"
            self.assertEqual(128 + number, self.run_dump(kill).returncode)
            self.assert_no_dump()

    def test_interrupted_it_leaves_nothing(self) -> None:
        def progress(collection: str, done: int, total: int | None) -> None:
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.dumps(progress=progress).make(self.db)
        self.assert_no_dump()

    def test_a_full_disk_leaves_nothing(self) -> None:
        """A limit on the size of files stands for the disk's."""
        ended = self.run_dump('pass', limit=MEGABYTE // 2)
        self.assertIn('DumpFailed', ended.stderr)
        self.assertIn(f'{self.directory}: File too large', ended.stderr)
        self.assert_no_dump()

    def test_a_folder_that_cannot_be_synced_has_no_dump(self) -> None:
        """It has its name by then, and is said to be gone."""

        def failing(path: Path) -> None:
            if path == self.directory:
                raise OSError(errno.EIO, 'Input/output error')

        failed = self.assertRaisesRegex(DumpFailed, 'Input/output error')
        with mock.patch('migopy.dumps.dumps.sync', failing), failed:
            self.dumps().make(self.db)
        self.assert_no_dump()

    def test_what_another_process_is_writing_is_left_alone(self) -> None:
        others: list[Dump] = []

        def progress(collection: str, done: int, total: int | None) -> None:
            if not others:
                others.append(self.dumps().make(self.db))

        dump = self.dumps(progress=progress).make(self.db)
        self.assertEqual([dump, *others], self.dumps().of(self.db.name))
        self.assertEqual([{'_id': 'a'}], self.documents(dump, 'a'))


class KeepTest(DumpTest):
    def test_the_newest_stay_and_what_is_no_dump_of_this_database(self) -> None:
        self.db['a'].insert_one({})
        other = self.client[f'{self.db.name}_other']
        others = self.dumps().make(other)
        foreign = self.directory / f'20000101T000000Z_{self.db.name}'
        foreign.mkdir()
        made = [self.dumps().make(self.db) for _ in range(3)]
        kept = self.dumps().make(self.db, keep=2)
        self.assertEqual([made[-1], kept], self.dumps().of(self.db.name))
        self.assertEqual(
            {foreign, others.path, made[-1].path, kept.path},
            set(left(self.directory)),
        )
        self.assertEqual(len(made), len({dump.name for dump in made}))

    def test_the_new_one_stays_also_where_the_clock_was_ahead(self) -> None:
        self.db['a'].insert_one({})
        first = self.dumps().make(self.db)
        ahead = first.path.with_name(f'29991231T000000Z_{self.db.name}')
        first.path.rename(ahead)
        for keep, kept in ((5, 2), (2, 2), (1, 1), (1, 1)):
            with self.subTest(keep=keep, kept=kept):
                new = self.dumps().make(self.db, keep=keep)
                there = self.dumps().of(self.db.name)
                self.assertEqual(new, there[-1])
                self.assertEqual(kept, len(there))
                self.assertTrue(new.path.exists())
        self.assertFalse(ahead.exists())

    def test_those_of_a_database_whose_name_begins_so_stay(self) -> None:
        other = self.client[f'{self.db.name}_other']
        others = [self.dumps().make(other) for _ in range(2)]
        self.dumps().make(self.db, keep=1)
        self.dumps().make(self.db, keep=1)
        self.assertEqual(others, self.dumps().of(other.name))

    def test_those_of_a_database_of_this_name_on_another_server_stay(self) -> None:
        ours = self.dumps().make(self.db)
        with server.standalone() as private, MongoClient(private.uri) as client:
            theirs = [self.dumps().make(client[self.db.name], keep=1) for _ in range(2)]
            self.assertEqual([ours, theirs[1]], self.dumps().of(self.db.name))
        new = self.dumps().make(self.db, keep=1)
        self.assertEqual([theirs[1], new], self.dumps().of(self.db.name))

    def test_a_server_is_one_by_whatever_name_it_was_reached(self) -> None:
        """A server that is no replica set has the name that the fabfile has for it."""
        with server.standalone() as private:
            made = []
            for host in ('127.0.0.1', 'localhost', 'LOCALHOST', '127.0.0.1'):
                with MongoClient(host, private.port) as client:
                    made.append(self.dumps().make(client[self.db.name], keep=2))
            self.assertEqual(made[-2:], self.dumps().of(self.db.name))

    def test_those_of_an_unknown_server_stay(self) -> None:
        made = [self.dumps().make(self.db) for _ in range(2)]
        for dump in made:
            manifest = dump.path / 'migopy.json'
            content = json.loads(manifest.read_text())
            manifest.write_text(json.dumps({**content, 'servers': []}))
        new = self.dumps().make(self.db, keep=1)
        names = [dump.name for dump in self.dumps().of(self.db.name)]
        self.assertEqual([dump.name for dump in (*made, new)], names)

    def test_none_from_before_what_is_unfinished_goes(self) -> None:
        """The first run of one is kept with each dump that is made after it."""
        good = [self.dumps().make(self.db, keep=2) for _ in range(2)]
        first = {'1': '004_fail.py'}
        ruined = [self.dumps().make(self.db, 2, first) for _ in range(4)]
        self.assertEqual([*good, *ruined[-2:]], self.dumps().of(self.db.name))
        self.assertEqual(first, self.dumps().of(self.db.name)[-1].unfinished)
        self.assertIn(
            '2 dumps more stay than MONGO_DUMP_KEEP says, as long as this is'
            ' unfinished: 004_fail.py',
            self.said,
        )
        # A second one has begun in between.
        second = {**first, '2': '005_fail.py'}
        both = [self.dumps().make(self.db, 1, second) for _ in range(3)]
        there = [*good, *ruined[-2:], both[-1]]
        self.assertEqual(there, self.dumps().of(self.db.name))
        # Now it is settled.
        last = self.dumps().make(self.db, keep=2)
        self.assertEqual([both[-1], last], self.dumps().of(self.db.name))

    def test_fewer_than_are_kept_all_stay(self) -> None:
        made = [self.dumps().make(self.db, keep=6) for _ in range(5)]
        self.assertEqual(made, self.dumps().of(self.db.name))

    def test_of_a_name_that_fits_in_no_line_nothing_is_left(self) -> None:
        db = self.db.client[f'{self.db.name[:40]}\x1b[2J\n']
        db.notes.insert_one({})
        self.addCleanup(self.db.client.drop_database, db.name)
        with self.assertRaises(DumpFailed) as caught:
            self.dumps().make(db)
        said = str(caught.exception)
        self.assertIn(f'{db.name!r} failed: its name does not fit in a line', said)
        self.assertNotIn('\x1b', said)
        self.assertEqual(self.dumps().of(db.name), [])
        self.assertFalse(self.dumps().directory.exists())

    def test_a_failed_dump_removes_none(self) -> None:
        made = [self.dumps().make(self.db) for _ in range(2)]
        self.db.command('create', 'a..b')
        with self.assertRaises(DumpFailed):
            self.dumps().make(self.db, keep=1)
        self.assertEqual(made, self.dumps().of(self.db.name))


class MemoryTest(DumpTest):
    """Memory does not grow with the collection."""

    def peak(self, megabytes: int) -> int:
        """Give the peak, in bytes, of a process that dumps and restores this much."""
        self.db['big'].drop()
        for _ in range(megabytes // 10):
            self.db['big'].insert_many(
                [{'noise': os.urandom(1000) * 10} for _ in range(1000)]
            )
        program = f"""
            import resource, sys
            from pathlib import Path
            from pymongo import MongoClient
            from migopy.dumps import Dumps

            db = MongoClient({self.uri!r})[{self.db.name!r}]
            dumps = Dumps(Path({str(self.directory)!r}))
            dumps.restore(db, dumps.make(db, keep=1))
            if sys.platform == 'linux':
                # Its ru_maxrss begins with the memory of the process that forked.
                status = Path('/proc/self/status').read_text()
                print(int(status.split('VmHWM:')[1].split()[0]) * 1024)
            else:
                print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        """
        return int(
            subprocess.check_output(
                [sys.executable, '-c', textwrap.dedent(program)], timeout=120
            )
        )

    def test_four_times_the_documents_take_the_same_memory(self) -> None:
        small, large = self.peak(40), self.peak(160)
        self.assertLess(large - small, 25 * MEGABYTE, (small, large))

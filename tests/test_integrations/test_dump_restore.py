"""What a restore leaves where it does not come to its end: what there was."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pymongo
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.server_api import ServerApi

from migopy.dumps import (
    DumpFailed,
    ForeignDump,
    RestoreFailed,
    RestoreRefused,
    UnknownDump,
)
from migopy.dumps.database import free_bytes, silent_members
from migopy.dumps.filling import Filler
from migopy.dumps.format import file_stem
from tests import server
from tests.dumps import DumpTest, everything, spoil

#: How many spoiled dumps are tried.
INPUTS = int(os.environ.get('MIGOPY_TEST_INPUTS', '1000')) // 10

DAY = datetime.datetime(2020, 2, 29)


class RestoreTest(DumpTest):
    """When a dump is not restored, or not all of it."""

    def setUp(self) -> None:
        super().setUp()
        for name in ('a', 'b', 'c'):
            self.db[name].insert_many([{'_id': number} for number in range(10)])
        self.db['b'].create_index('x', unique=True, sparse=True)
        self.dump = self.dumps().make(self.db)
        self.before = everything(self.db)

    def file(self, name: str) -> Path:
        return self.dump.path / self.db.name / name

    def assert_refused(self, reason: str) -> None:
        with self.assertRaisesRegex(RestoreRefused, reason):
            self.dumps().restore(self.db, self.dump)
        self.assertEqual(self.before, everything(self.db))

    def test_a_file_cut_short_is_refused_and_nothing_dropped(self) -> None:
        content = self.file('b.bson').read_bytes()
        self.file('b.bson').write_bytes(content[:-14])
        self.assert_refused('b.bson has .* bytes, not')

    def test_a_missing_file_is_refused_and_nothing_dropped(self) -> None:
        for name in ('b.bson', 'c.metadata.json'):
            content = self.file(name).read_bytes()
            self.file(name).unlink()
            self.assert_refused(f'{name} is missing')
            self.file(name).write_bytes(content)

    def test_damaged_documents_are_refused_and_nothing_dropped(self) -> None:
        content = bytearray(self.file('b.bson').read_bytes())
        content[14 * 3] = 200
        self.file('b.bson').write_bytes(content)
        self.assert_refused('b.bson is damaged at byte 42')

    def test_damaged_metadata_is_refused_and_nothing_dropped(self) -> None:
        content = self.file('b.metadata.json').read_text()
        self.file('b.metadata.json').write_text(content.replace('{', '[', 1))
        self.assert_refused('b.metadata.json is damaged')

    def test_a_dump_of_another_database_is_refused(self) -> None:
        other = self.client[f'{self.db.name}_other']
        with self.assertRaisesRegex(RestoreRefused, self.db.name):
            self.dumps().restore(other, self.dump)

    def rewrite(self, name: str, content: bytes) -> None:
        """Have a file say something else, and the manifest vouch for it."""
        self.file(name).write_bytes(content)
        manifest = json.loads((self.dump.path / 'migopy.json').read_text())
        manifest['files'][f'{self.db.name}/{name}'] = len(content)
        (self.dump.path / 'migopy.json').write_text(json.dumps(manifest))
        self.dump = self.dumps().find(self.db.name, self.dump.name)

    def rewrite_metadata(self, name: str, **changes: Any) -> None:
        document = json.loads(self.file(f'{name}.metadata.json').read_bytes())
        document.update(changes)
        self.rewrite(f'{name}.metadata.json', json.dumps(document).encode())

    def index(self, **options: Any) -> dict[str, Any]:
        return {'v': 2, 'key': {'y': 1}, 'name': 'y_1', **options}

    def test_documents_that_the_server_does_not_take_drop_nothing(self) -> None:
        content = self.file('b.bson').read_bytes()
        self.rewrite('b.bson', content[: 14 * 9] + content[:14])
        self.assert_refused('b: .* duplicate key .*[.]b index')
        self.rewrite('b.bson', content[:-1] + b'\0')
        self.dumps().restore(self.db, self.dump)
        self.assertEqual(self.before, everything(self.db))

    def test_indexes_that_the_server_does_not_take_drop_nothing(self) -> None:
        self.needs_version(5, 0)
        many = [self.index(key={f'k{n}': 1}, name=f'k{n}') for n in range(65)]
        for reason, indexes in {
            'duplicate key': [self.index(unique=True)],
            'Unknown index plugin': [self.index(key={'y': 'nonsense'})],
            'equivalent index already exists': [
                self.index(key={'a': 'text'}, name='a'),
                self.index(key={'b': 'text'}, name='b'),
            ],
            'too many indexes': many,
        }.items():
            with self.subTest(reason):
                self.rewrite_metadata('b', indexes=indexes)
                self.assert_refused(f'b: .*{reason}')

    def test_options_that_the_server_does_not_take_drop_nothing(self) -> None:
        for reason, options in {
            'size': {'capped': True},
            'locale': {'collation': {'locale': 'nonsense'}},
            'jsonSchema': {'validator': {'$jsonSchema': {'type': 7}}},
            'engine': {'storageEngine': {'nonsense': {}}},
            'pipeline': {'viewOn': 'a', 'pipeline': [{'$nonsense': 1}]},
        }.items():
            with self.subTest(reason):
                self.rewrite_metadata('c', options=options)
                if 'viewOn' in options:
                    del (manifest := self.manifest())['files'][f'{self.db.name}/c.bson']
                    self.write_manifest(manifest)
                self.assert_refused(f'c: .*{reason}')

    def test_names_that_the_server_does_not_take_drop_nothing(self) -> None:
        """Under the name that it has for now it would take each of them."""
        self.db['new'].insert_one({})
        self.before = everything(self.db)
        for name in ('$x', 'x.system.y', 'x' * 250):
            with self.subTest(name[:10]):
                for ending, content in {
                    'bson': b'',
                    'metadata.json': json.dumps(
                        {'indexes': [], 'collectionName': name}
                    ).encode(),
                }.items():
                    self.rewrite(f'{file_stem(name)}.{ending}', content)
                self.assert_refused(re.escape(name[:10]))
                manifest = self.manifest()
                for file in [*manifest['files']]:
                    if file.startswith(f'{self.db.name}/{file_stem(name)}.'):
                        del manifest['files'][file]
                self.write_manifest(manifest)

    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads(
            (self.dump.path / 'migopy.json').read_text()
        )
        return manifest

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        (self.dump.path / 'migopy.json').write_text(json.dumps(manifest))
        self.dump = self.dumps().find(self.db.name, self.dump.name)

    def test_a_disk_without_room_for_all_twice_drops_nothing(self) -> None:
        """Nor is it filled: a server whose disk is full ends."""
        self.db['new'].insert_one({})
        changed = everything(self.db)
        with mock.patch('migopy.dumps.exchange.free_bytes', return_value=10):
            with self.assertRaisesRegex(
                RestoreRefused, '(?s)has 10 bytes free.*again with in_place=yes[.]$'
            ):
                self.dumps().restore(self.db, self.dump)
            self.assertEqual(changed, everything(self.db))
            with self.subTest('one by one there is'):
                self.dumps().restore(self.db, self.dump, in_place=True)
                self.assertEqual(self.before, everything(self.db))

    def test_room_is_needed_for_the_journal_too(self) -> None:
        size = self.dump.size
        for free, fits in ((2 * size - 1, False), (2 * size, True)):
            with (
                self.subTest(fits=fits),
                mock.patch('migopy.dumps.exchange.free_bytes', return_value=free),
            ):
                if fits:
                    self.dumps().restore(self.db, self.dump)
                    continue
                needed = f'{2 * size:,} bytes more are needed'
                with self.assertRaisesRegex(RestoreRefused, needed):
                    self.dumps().restore(self.db, self.dump)

    def test_in_place_what_the_server_does_not_take_drops_nothing(self) -> None:
        self.rewrite_metadata('c', indexes=[self.index(unique=True)])
        with self.assertRaisesRegex(RestoreRefused, 'duplicate key'):
            self.dumps().restore(self.db, self.dump, in_place=True)
        self.assertEqual(self.before, everything(self.db))

    def test_the_server_tells_how_much_room_there_is(self) -> None:
        free = free_bytes(self.db)
        assert free is not None
        self.assertGreater(free, self.dump.size)

    def test_views_in_a_circle_drop_nothing(self) -> None:
        for name, below in {'u': 'v', 'v': 'w', 'w': 'a'}.items():
            self.db.create_collection(name, viewOn=below, pipeline=[])
        self.dump = self.dumps().make(self.db)
        self.before = everything(self.db)
        self.rewrite_metadata('w', options={'viewOn': 'u', 'pipeline': []})
        self.assert_refused('cycle')

    def test_an_index_option_of_long_ago_is_left_out(self) -> None:
        self.rewrite_metadata('b', indexes=[self.index(dropDups=True, odd=1)])
        self.dumps().restore(self.db, self.dump)
        self.assertIn('y_1', self.db['b'].index_information())

    def test_what_comes_of_the_server_s_end_is_to_be_tried_again(self) -> None:
        """The dump is none to look for another one for."""
        with (
            server.standalone() as private,
            MongoClient(private.uri, serverSelectionTimeoutMS=500) as client,
        ):
            db = client[self.db.name]
            db['a'].insert_many([{'_id': number} for number in range(9)])
            dump = self.dumps().make(db)
            before = everything(db)

            def progress(collection: str, done: int, total: int | None) -> None:
                private.kill()

            with self.assertRaisesRegex(
                RestoreRefused,
                '(?s)The database is as it was. When the server can be reached, type'
                ' the command again[.]$',
            ):
                self.dumps(progress=progress).restore(db, dump)
            private.restart()
            self.dumps().restore(db, dump)
            self.assertEqual(before, everything(db))

    def test_what_comes_of_an_election_is_to_be_tried_again(self) -> None:
        error = OperationFailure('operation was interrupted', 11602, {'code': 11602})
        with (
            mock.patch.object(Filler, 'create', side_effect=error),
            self.assertRaisesRegex(RestoreRefused, 'reached, type the command again'),
        ):
            self.dumps().restore(self.db, self.dump)
        self.assertEqual(self.before, everything(self.db))

    def test_an_interrupt_while_all_is_still_there_is_said(self) -> None:
        def progress(collection: str, done: int, total: int | None) -> None:
            if collection == 'b':
                raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.dumps(progress=progress).restore(self.db, self.dump)
        self.assertRegex(self.said[-1], 'Interrupted. .* is as it was')
        self.assertEqual(self.before, everything(self.db))

    def test_an_error_half_way_says_the_state_and_the_same_again_mends_it(self) -> None:
        """A time series is dropped and filled: it cannot be renamed."""
        self.needs_version(5, 0)
        self.db.create_collection('points', timeseries={'timeField': 't'})
        self.db['points'].insert_one({'t': DAY})
        self.dump = self.dumps().make(self.db)
        self.before = everything(self.db)
        for error in (OSError(28, 'No space left on device'), KeyboardInterrupt()):
            with self.subTest(error):
                self.db['new'].insert_one({})
                tries = iter((False, True))

                def progress(
                    collection: str, done: int, _total: int | None, tries: Any = tries
                ) -> None:
                    # First beside what there is, then in its place.
                    if (collection, done) == ('points', 0) and next(tries):
                        raise error  # noqa: B023

                with self.assertRaises((RestoreFailed, KeyboardInterrupt)) as caught:
                    self.dumps(progress=progress).restore(self.db, self.dump)
                message = str(caught.exception) + str(self.said)
                self.assertIn('is incomplete: 3 of 4 collections are back', message)
                if isinstance(error, OSError):
                    self.assertIn('No space left on device', message)
                    self.assertIn('type the command again', message)
                self.dumps().restore(self.db, self.dump)
                self.assertEqual(self.before, everything(self.db))

    def test_a_killed_restore_leaves_all_and_the_next_one_tidies_up(self) -> None:
        program = f"""
            import os, signal
            from pathlib import Path
            from pymongo import MongoClient
            from migopy.dumps import Dumps

            def progress(collection, done, total):
                if (collection, done) == ('c', 10):
                    os.kill(os.getpid(), signal.SIGKILL)

            db = MongoClient({self.uri!r})[{self.db.name!r}]
            dumps = Dumps(Path({str(self.directory)!r}), progress=progress)
            dumps.restore(db, dumps.find(db.name, {self.dump.name!r}))
        """
        killed = subprocess.run(
            [sys.executable, '-c', textwrap.dedent(program)],
            capture_output=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(-signal.SIGKILL, killed.returncode, killed.stderr)
        names = self.db.list_collection_names()
        left = {name for name in names if name.startswith('migopy_restoring.')}
        self.assertEqual(3, len(left))
        found = {k: v for k, v in everything(self.db).items() if k not in left}
        self.assertEqual(self.before, found)
        with self.subTest('it is in no dump'):
            dump = self.dumps().make(self.db)
            self.assertEqual(['a', 'b', 'c'], [one.name for one in dump.contents()])
        self.dumps().restore(self.db, self.dump)
        self.assertEqual(self.before, everything(self.db))

    def test_what_was_a_view_or_a_time_series_becomes_a_collection(self) -> None:
        self.needs_version(5, 0)
        for name in ('a', 'b'):
            self.db[name].drop()
        self.db.create_collection('a', viewOn='c', pipeline=[])
        self.db.create_collection('b', timeseries={'timeField': 't'})
        self.dumps().restore(self.db, self.dump)
        self.assertEqual(self.before, everything(self.db))

    def test_a_view_is_not_compared_with_what_has_a_name_today(self) -> None:
        french = {'locale': 'fr'}
        self.db.create_collection('v', viewOn='a', pipeline=[], collation=french)
        self.dump = self.dumps().make(self.db)
        before = everything(self.db)
        self.db['a'].drop()
        self.db['v'].drop()
        self.db.create_collection('a', viewOn='c', pipeline=[])
        self.dumps().restore(self.db, self.dump)
        self.assertEqual(before, everything(self.db))

    def test_the_progress_counts_documents(self) -> None:
        seen: list[tuple[str, int, int | None]] = []

        def progress(*news: Any) -> None:
            seen.append(news)

        self.dumps(progress=progress).restore(self.db, self.dump)
        wanted = [(name, done, 10) for name in 'abc' for done in (0, 10)]
        self.assertEqual(wanted, seen)
        seen.clear()
        self.dumps(progress=progress).make(self.db)
        self.assertEqual(wanted, seen)


class SpoiledTest(DumpTest):
    """Dumps spoiled at random are restored or refused, and nothing else happens."""

    def test_nothing_but_the_database_is_touched(self) -> None:
        seed = random.randrange(2**32)
        chance = random.Random(seed)
        other = self.client[f'{self.db.name}_other']
        self.addCleanup(self.client.drop_database, other.name)
        other['a'].insert_one({'_id': 1})
        self.db['a'].insert_many([{'_id': n, 'x': 'y'} for n in range(3)])
        self.db['a'].create_index('x')
        self.db.create_collection('view', viewOn='a', pipeline=[])
        self.db.create_collection('strict', validator={'n': {'$gt': 0}})
        good = self.dumps().make(self.db)
        kept = self.directory.parent / 'kept'
        shutil.copytree(good.path, kept)
        for number in range(INPUTS):
            with self.subTest(f'number {number} of seed {seed}'):
                before = everything(self.db)
                spoil(good.path, self.db.name, chance)
                try:
                    dump = self.dumps().find(self.db.name, good.name)
                    self.dumps().restore(self.db, dump)
                except RestoreRefused:
                    self.assertEqual(before, everything(self.db))
                except (UnknownDump, ForeignDump):
                    pass
                finally:
                    shutil.rmtree(good.path)
                    shutil.copytree(kept, good.path)
        self.assertEqual([{'_id': 1}], list(other['a'].find()))
        self.assertEqual(['a'], other.list_collection_names())
        names = self.client.list_database_names()
        self.assertFalse(set(names) - {*self.there, self.db.name, other.name})

    def setUp(self) -> None:
        super().setUp()
        self.there = self.client.list_database_names()


class RightsTest(DumpTest):
    """What users may do who may not do everything."""

    @contextlib.contextmanager
    def user(self, *roles: Any) -> Iterator[Database[dict[str, Any]]]:
        """Give a database as a user of these roles sees it."""
        as_ann = {'username': 'ann', 'password': 'secret', 'authSource': 'shop'}
        as_root = {'username': 'root', 'password': 'root', 'authSource': 'admin'}
        with (
            server.with_auth() as private,
            MongoClient(private.uri, **as_ann) as client,
            MongoClient(private.uri, **as_root) as root,
        ):
            self.root = root['shop']
            self.root.command('updateUser', 'ann', roles=list(roles))
            yield client['shop']

    def test_a_user_who_may_read_and_write_can_dump_and_restore(self) -> None:
        """But for what the server keeps from such users, which is said."""
        self.needs_version(5, 0)
        with self.user('readWrite') as db:
            db['notes'].insert_one({'_id': 1})
            db['notes'].create_index('a')
            db.create_collection('view', viewOn='notes', pipeline=[])
            db.create_collection('strict', validator={'n': {'$gt': 0}})
            db['strict'].insert_one({'_id': 1, 'n': 1})
            before = everything(db)
            dump = self.dumps().make(db)
            db['notes'].insert_one({'_id': 2})
            self.dumps().restore(db, dump)
            self.assertEqual(before, everything(db))
            db.create_collection('points', timeseries={'timeField': 't'})
            with self.assertRaisesRegex(DumpFailed, 'roles backup and restore'):
                self.dumps().make(db)

    def test_a_document_older_than_its_validator_drops_nothing(self) -> None:
        """To put it back takes the role `restore`."""
        with self.user('readWrite') as db:
            db['strict'].insert_one({'_id': 1})
            self.root.command('collMod', 'strict', validator={'n': {'$gt': 0}})
            dump = self.dumps().make(db)
            db['notes'].insert_one({'_id': 1})
            before = everything(db)
            with self.assertRaisesRegex(
                RestoreRefused, 'strict: Document failed validation.* role restore'
            ):
                self.dumps().restore(db, dump)
            self.assertEqual(before, everything(db))
            restore = {'role': 'restore', 'db': 'admin'}
            self.root.command('updateUser', 'ann', roles=['readWrite', restore])
            self.dumps().restore(db, dump)
            self.assertEqual([{'_id': 1}], list(db['strict'].find()))
            self.assertNotIn('notes', db.list_collection_names())

    def test_a_user_without_a_right_that_is_needed_drops_nothing(self) -> None:
        needed = ['find', 'listCollections', 'listIndexes', 'insert', 'remove']
        needed += ['update', 'createCollection', 'createIndex', 'dropCollection']
        needed += ['collStats']
        on_all = {'db': 'shop', 'collection': ''}
        with self.user('readWrite') as db:
            db['notes'].insert_one({'_id': 1})
            db['notes'].create_index('a')
            db['system.js'].insert_one({'_id': 'f', 'value': 1})
            dump = self.dumps().make(db)
            db['notes'].insert_one({'_id': 2})
            before = everything(db)
            for lacking in ('insert', 'createIndex', 'update', 'dropCollection'):
                with self.subTest(lacking):
                    self.root.command(
                        'createRole',
                        f'no {lacking}',
                        privileges=[
                            {'resource': on_all, 'actions': [*set(needed) - {lacking}]},
                            {
                                'resource': {'db': 'shop', 'collection': 'system.js'},
                                'actions': [*set(needed) - {lacking}],
                            },
                        ],
                        roles=[],
                    )
                    self.root.command('updateUser', 'ann', roles=[f'no {lacking}'])
                    with self.assertRaisesRegex(RestoreRefused, 'not authorized'):
                        self.dumps().restore(db, dump)
                    found = everything(self.root)
                    left = {name for name in found if name.startswith('migopy_rest')}
                    self.assertEqual(
                        before, {k: v for k, v in found.items() if k not in left}
                    )
                    # Only who may not drop leaves something.
                    self.assertEqual(lacking == 'dropCollection', bool(left))
            with self.subTest('one that may not rename can restore'):
                self.root.command(
                    'updateRole',
                    f'no {lacking}',
                    privileges=[
                        {'resource': on_all, 'actions': needed},
                        {
                            'resource': {'db': 'shop', 'collection': 'system.js'},
                            'actions': needed,
                        },
                    ],
                )
                self.dumps().restore(db, dump)
                self.assertEqual([{'_id': 1}], list(db['notes'].find()))


class MemberDownTest(DumpTest):
    def test_no_index_waits_for_a_member_that_is_down(self) -> None:
        """It would until that member is back, and the way back with it."""
        with (
            server.replica_set(3) as members,
            MongoClient(members.uri) as client,
        ):
            db = client[self.db.name]
            db['a'].insert_many([{'n': number} for number in range(9)])
            db['a'].create_index('n')
            before = everything(db)
            dump = self.dumps().make(db)
            db['a'].delete_many({})
            primary = members.primary()
            down = next(one for one in members.members if one is not primary)
            down.kill()
            silent = [f'127.0.0.1:{down.port}']
            deadline = time.monotonic() + 30
            while silent_members(db) != silent and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertEqual(silent_members(db), silent)
            with pymongo.timeout(60):
                self.dumps().restore(db, dump)
            self.assertEqual(before, everything(db))


class StrictApiTest(DumpTest):
    """A client that may only do what the Stable API has, renaming not among it."""

    def setUp(self) -> None:
        super().setUp()
        self.db['a'].insert_one({'_id': 1})
        self.db['b'].create_index([('x', 'text')])
        self.dump = self.dumps().make(self.db)
        self.before = everything(self.db)
        self.strict = server.client(server_api=ServerApi('1', strict=True))
        self.addCleanup(self.strict.close)
        self.strict_db = self.strict[self.db.name]

    def test_it_restores_what_it_has(self) -> None:
        self.needs_version(5, 0)
        self.db['b'].drop_indexes()
        self.db['b'].create_index('x', unique=True)
        before = everything(self.db)
        dump = self.dumps().make(self.strict_db)
        self.db['b'].drop()
        self.db['new'].insert_one({})
        self.dumps().restore(self.strict_db, dump)
        self.assertEqual(before, everything(self.db))

    def test_what_it_has_not_drops_nothing(self) -> None:
        self.needs_version(5, 0)
        with self.assertRaisesRegex(RestoreRefused, 'b: .*text index.*Leave strict'):
            self.dumps().restore(self.strict_db, self.dump)
        self.assertEqual(self.before, everything(self.db))

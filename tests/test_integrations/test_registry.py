"""The `migrations` collection: what is written there, what is read, and how often."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import socket
import textwrap
import time
import unittest
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

from bson import ObjectId
from pymongo import MongoClient, monitoring
from pymongo.errors import CursorNotFound, DuplicateKeyError

from migopy import MigopyException
from migopy.run import NotRegistered
from migopy.state import History, Lock, Registry, read
from migopy.state.own_indexes import RefusingIndex
from migopy.state.usable import Invalid, NoRegistry, Unmergeable
from tests.faults import failing, obliging_server
from tests.project import CommandTest, FabTest, PlainTest

NOTES = """
    def up(db):
        db.notes.insert_one({'content': 'test'})

    def down(db):
        db.notes.delete_one({'content': 'test'})
"""


class Listener(monitoring.CommandListener):
    """Keeps the commands that a client sends."""

    def __init__(self) -> None:
        self.commands: list[Any] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commands.append(event.command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...

    def to(self, collection: str) -> list[Any]:
        """List the commands that read or write a collection."""
        return [each for each in self.commands if collection in targets(each)]


def targets(command: Any) -> list[str]:
    """Name the collections that a command reads or writes."""
    names = [next(iter(command.values()))]
    for stage in command.get('pipeline', ()):
        names.append(stage.get('$merge', {}).get('into'))
    if 'getMore' in command:
        names.append(command['collection'])
    return names


class NoRegistryTest(FabTest):
    def test_nothing_runs_where_nothing_can_be_registered(self) -> None:
        self.migration('001_a.py', NOTES)
        kinds = {'view': {'viewOn': 'registered', 'pipeline': []}}
        if self.client.server_info()['versionArray'][0] >= 5:
            kinds['time series'] = {'timeseries': {'timeField': 'at'}}
        for kind, options in kinds.items():
            with self.subTest(kind):
                self.db.create_collection('migrations', **options)
                self.assert_error(
                    self.fab('migrations:execute'),
                    f'migrations is a {kind}, in which migopy can keep nothing, so'
                    ' nothing was run.\nSet MIGRATIONS_COLLECTION in the fabfile to'
                    ' the collection in which the migrations of this database are'
                    ' registered.\n',
                )
                self.assertEqual(self.contents('notes'), [])
                self.assertEqual(list(self.db.migrations_history.find()), [])
                self.db.drop_collection('migrations')
        self.assert_ok(self.fab('migrations:execute'))


#: What may be written to a collection that is made so only in some other way.
SCHEMA = {'$jsonSchema': {'required': ['by_whom']}}
MADE = {
    'has a collation': {'collation': {'locale': 'de'}},
    'is a clustered collection': {
        'clusteredIndex': {'key': {'_id': 1}, 'unique': True}
    },
    'is a capped collection, which drops its oldest documents': {
        'capped': True,
        'size': 100_000,
    },
}


class UnusableTest(PlainTest):
    """What could not be registered after it has run does not run."""

    def refused(self, kind: type[MigopyException], command: str, **more: Any) -> str:
        """Give what a command says that runs nothing and leaves nothing open."""
        with self.assertRaises(kind) as caught:
            self.manager().perform(command, (), more)
        self.assertEqual(self.contents('notes'), [])
        self.assertEqual(list(self.db.migrations_history.find()), [])
        self.assertIsNone(self.db.migrations_lock.find_one())
        return str(caught.exception)

    def in_mongosh(self, said: str) -> None:
        """Do what a message says that is to be typed there."""
        copy = r'getCollection\("(.+)"\)\.aggregate\(\[{\$out: "(.+)"}\]\)'
        rename = r'getCollection\("(.+)"\)\.renameCollection\("(.+)", true\)'
        mode = r'runCommand\({collMod: "(.+)", validationAction: "warn"}\)'
        if found := re.search(mode, said):
            self.db.command('collMod', found[1], validationAction='warn')
            return
        copied, renamed = re.search(copy, said), re.search(rename, said)
        assert copied, said
        assert renamed, said
        self.db[copied[1]].aggregate([{'$out': copied[2]}])
        self.db[renamed[1]].rename(renamed[2], dropTarget=True)

    def test_of_each_collection_however_it_is_made(self) -> None:
        self.migration('001_old.py')
        for transaction in ('', 'transaction = True\n'):
            self.migration('002_a.py', transaction + textwrap.dedent(NOTES))
            for made, options in MADE.items():
                for name in ('migrations', 'migrations_history', 'migrations_lock'):
                    version = self.client.server_info()['versionArray']
                    if 'clusteredIndex' in options and (
                        version < [5, 3]
                        # That is only read.
                        or name == 'migrations_lock'
                    ):
                        continue
                    # Nothing is deleted from one there, so that the lock stays.
                    is_left = 'capped' in options and name == 'migrations_lock'
                    if is_left and version < [5]:
                        continue
                    with self.subTest(made, name=name, transaction=transaction):
                        self.db.create_collection(name, **options)
                        self.register('001_old.py')
                        for command, more in (
                            ('execute', {}),
                            ('execute', {'dry_run': 'yes'}),
                            ('preflight', {}),
                            ('ignore', {}),
                        ):
                            said = self.refused(Unmergeable, command, **more)
                        self.assertIn(f'{name} {made}, so the server does not', said)
                        self.in_mongosh(said)
                        self.manager().execute()
                        self.assertEqual(self.registered(), ['001_old.py', '002_a.py'])
                        self.assertEqual(len(self.contents('notes')), 1)
                        self.client.drop_database(self.db.name)

    def test_the_copy_takes_the_name_of_no_other_collection(self) -> None:
        self.migration('001_a.py', NOTES)
        self.db.create_collection('migrations', **MADE['has a collation'])
        for name in ('migrations_plain', 'migrations_plain_'):
            self.db[name].insert_one({'of': 'others'})
        self.in_mongosh(self.refused(Unmergeable, 'execute'))
        self.manager().execute()
        for name in ('migrations_plain', 'migrations_plain_'):
            self.assertEqual(self.contents(name), [{'of': 'others'}])

    def test_east_of_greenwich_no_time_is_in_the_future(self) -> None:
        """As a validator sees it, which knows of UTC alone."""
        self.migration('001_a.py', NOTES)
        soon = datetime.now(timezone.utc) + timedelta(hours=1)
        before = {'started': {'$lt': soon}}
        self.db.create_collection('migrations_history', validator=before)
        self.addCleanup(time.tzset)
        with mock.patch.dict(os.environ, TZ='Asia/Tokyo'):
            time.tzset()
            self.manager().execute()
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_of_each_collection_that_is_validated(self) -> None:
        self.migration('001_a.py', NOTES)
        for name in ('migrations', 'migrations_history', 'migrations_lock'):
            with self.subTest(name):
                self.db.create_collection(name, validator=SCHEMA)
                said = self.refused(Invalid, 'execute')
                self.assertIn(f'The validator of {name} refuses', said)
                self.in_mongosh(said)
                self.manager().execute()
                self.assertEqual(len(self.contents('notes')), 1)
                self.client.drop_database(self.db.name)

    def test_a_validator_that_what_is_kept_passes_is_in_no_way(self) -> None:
        self.migration('001_a.py', NOTES)
        by_name = {'name': {'$regex': '^001_[a-z]+[.]py$'}}
        for name in ('migrations', 'migrations_history'):
            self.db.create_collection(name, validator=by_name)
        self.db.create_collection(
            'migrations_lock', validator=SCHEMA, validationLevel='off'
        )
        self.manager().execute()
        self.manager().rollback('1')
        self.manager().execute()
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_one_that_is_made_later_is_told_before_the_next_one_runs(self) -> None:
        self.migration('001_a.py')
        self.manager().execute()
        self.migration('002_b.py', NOTES)
        self.db.command('collMod', 'migrations', validator=SCHEMA)
        with self.assertRaises(Invalid):
            self.manager().execute(dry_run='yes')
        with self.assertRaises(NotRegistered) as caught:
            self.manager().execute()
        self.assertIn('Document failed validation\nIt counts', str(caught.exception))
        for _ in range(2):
            with self.assertRaises(Invalid) as invalid:
                self.manager().execute('2')
            self.assertEqual(len(self.contents('notes')), 1)
        self.in_mongosh(str(invalid.exception))
        self.manager().ignore('2')
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])

    def test_a_lock_that_is_a_view(self) -> None:
        self.migration('001_a.py', NOTES)
        self.db.create_collection('migrations_lock', viewOn='other', pipeline=[])
        said = self.refused(NoRegistry, 'execute')
        self.assertIn('migrations_lock is a view, in which migopy can keep', said)


#: What is said of a TTL index, and on what one deletes what has run.
DELETES = 'deletes what migopy keeps there after 3,600 s'
AT = {'executed_at': 1}

#: Indexes of others: on which collection, the keys and options, and what is said.
HARMFUL: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ('migrations', {'executed_at': 1}, {'expireAfterSeconds': 3600}, DELETES),
    ('migrations_history', {'started': 1}, {'expireAfterSeconds': 3600}, DELETES),
    ('migrations_history', {'ended': 1}, {'expireAfterSeconds': 3600}, DELETES),
    ('migrations_lock', {'since': 1}, {'expireAfterSeconds': 3600}, DELETES),
    # As another tool makes it for its own documents: it takes one that lacks the field.
    ('migrations', {'version': 1}, {'unique': True}, 'is unique, and not by name'),
    ('migrations', {'by': 1, 'how': 1}, {'unique': True, 'sparse': True}, 'is unique'),
    (
        'migrations',
        {'version': 1},
        {'unique': True, 'partialFilterExpression': {'checksum': {'$exists': True}}},
        'is unique, and not by name',
    ),
    ('migrations', {'by': '2dsphere'}, {}, 'takes nothing but places on earth'),
    ('migrations_history', {'version': 1}, {'unique': True}, 'is unique, and'),
    ('migrations_lock', {'x': 1}, {'unique': True}, 'is unique, and not by name'),
]

#: Indexes that keep migopy from nothing.
HARMLESS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ('migrations', {'expires': 1}, {'expireAfterSeconds': 3600}),
    (
        'migrations',
        {'executed_at': 1},
        {
            'expireAfterSeconds': 3600,
            'partialFilterExpression': {'version': {'$exists': True}},
        },
    ),
    ('migrations', {'version': 1}, {'unique': True, 'sparse': True}),
    (
        'migrations',
        {'version': 1},
        {'unique': True, 'partialFilterExpression': {'version': {'$gt': ''}}},
    ),
    ('migrations', {'how': 1, 'name': 1}, {'unique': True}),
    ('migrations', {'place': '2dsphere'}, {}),
    ('migrations', {'$**': 1}, {}),
    # Whoever does not want to keep all runs for ever.
    (
        'migrations_history',
        {'ended': 1},
        {'expireAfterSeconds': 3600, 'partialFilterExpression': {'unsettled': False}},
    ),
    ('migrations_lock', {'expires': 1}, {'expireAfterSeconds': 0}),
]


class IndexesOfOthersTest(PlainTest):
    """An index that deletes what has run, or refuses what is to be registered."""

    def make(
        self, collection: str, keys: dict[str, Any], options: dict[str, Any]
    ) -> None:
        self.db[collection].create_index(list(keys.items()), **options)

    def refused(self, told: str, command: str, *names: str, **more: Any) -> str:
        with self.assertRaises(MigopyException) as caught:
            self.manager().perform(command, names, more)
        said = str(caught.exception)
        self.assertIn(told, said)
        self.assertEqual(self.contents('notes'), [])
        self.assertIsNone(self.db.migrations_lock.find_one())
        return said

    def remove(self, said: str) -> None:
        """Do what a message says that is to be typed in mongosh."""
        found = re.search(r'getCollection\("(.+)"\)\.dropIndex\("(.+)"\)', said)
        assert found, said
        self.db[found[1]].drop_index(found[2])

    def test_nothing_runs_until_it_is_removed(self) -> None:
        self.migration('000_old.py')
        self.migration('001_a.py', NOTES)
        for collection, keys, options, told in HARMFUL:
            with self.subTest(collection, keys=keys, options=options):
                # As in a database of 1.0.
                self.db.migrations.insert_one({'name': '000_old.py'})
                self.make(collection, keys, options)
                for command, more in (
                    ('execute', {'dry_run': 'yes'}),
                    ('preflight', {}),
                    ('ignore', {}),
                    ('execute', {}),
                ):
                    said = self.refused(told, command, **more)
                self.assertEqual('Mark as' in said, keys == AT)
                self.remove(said)
                self.manager().execute()
                self.assertEqual(self.registered(), ['000_old.py', '001_a.py'])
                self.client.drop_database(self.db.name)

    def test_one_that_has_deleted_is_seen_before_anything_runs_twice(self) -> None:
        self.migration('001_a.py', NOTES)
        self.migration('002_b.py')
        self.manager().execute()
        self.db.notes.delete_many({})
        self.make('migrations', AT, {'expireAfterSeconds': 3600})
        self.db.migrations.delete_one({'name': '001_a.py'})
        self.migration('003_c.py', NOTES)
        for chosen in ((), ('001_a.py',)):
            with self.subTest(chosen):
                said = self.refused(DELETES, 'execute', *chosen)
        self.remove(said)
        self.manager().ignore('001_a.py')
        self.manager().execute()
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py', '003_c.py'])
        self.assertEqual(len(self.contents('notes')), 1)

    def test_others_are_in_no_way(self) -> None:
        self.migration('001_a.py', NOTES)
        self.migration('002_b.py', NOTES)
        for collection, keys, options in HARMLESS:
            with self.subTest(collection, keys=keys, options=options):
                self.make(collection, keys, options)
                self.manager().execute('1')
                self.manager().execute()
                self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
                self.client.drop_database(self.db.name)

    def test_a_lock_that_is_refused_is_not_tried_for_ever(self) -> None:
        self.migration('001_a.py', NOTES)
        self.make('migrations_lock', {'x': 1}, {'unique': True})
        self.db.migrations_lock.insert_one({'_id': 'worker'})
        with self.assertRaises(RefusingIndex) as caught:
            self.manager().execute()
        self.remove(str(caught.exception))
        self.manager().execute()
        self.assertEqual(self.registered(), ['001_a.py'])


class RefusedTest(CommandTest):
    """What has run, and could not be registered."""

    def test_a_migration_that_deletes_the_lock_of_its_command(self) -> None:
        self.migration('001_a.py', 'def up(db): db.migrations_lock.delete_one({})')
        result = self.migopy('execute')
        self.assert_error(
            result,
            'could not be registered: This command lost its lock: it has been taken'
            ' away. It was cut off or suspended for too long, or somebody typed'
            ' unlock, or its collection was dropped. Nothing was registered'
            ' since, but it may have written until now, even if somebody has meanwhile'
            ' rolled back or ignored the migration that it was running.\n'
            'See first what is unfinished: migopy\n',
        )
        # Whoever took the lock may have settled it by now.
        self.assertNotIn('It counts as unfinished', result.stderr)
        self.assertNotIn('fab ', result.stderr)


class DocumentTest(PlainTest):
    """What a registration says."""

    def documents(self) -> list[dict[str, Any]]:
        return self.contents('migrations')

    def test_of_an_executed_and_an_ignored_one(self) -> None:
        file = self.migration('1_a.py', 'import time\ndef up(db): time.sleep(0.1)')
        before = datetime.now(timezone.utc).replace(tzinfo=None)
        manager = self.manager()
        manager.execute('1')
        self.migration('2_b.py', NOTES)
        manager.ignore('2')
        executed, ignored = self.documents()
        after = datetime.now(timezone.utc).replace(tzinfo=None)
        self.assertEqual((executed['name'], executed['how']), ('1_a.py', 'executed'))
        self.assertEqual((ignored['name'], ignored['how']), ('2_b.py', 'ignored'))
        for document in (executed, ignored):
            # The server keeps milliseconds.
            when = document['executed_at']
            self.assertLessEqual(before.replace(microsecond=0), when)
            self.assertLessEqual(when, after)
            self.assertEqual(
                document['by'], f'{getpass.getuser()}@{socket.gethostname()}'
            )
        self.assertGreaterEqual(executed['duration_ms'], 100)
        self.assertLess(executed['duration_ms'], 60_000)
        self.assertEqual(ignored['duration_ms'], 0)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.assertEqual(executed['checksum'], f'sha256:{digest}')

    def test_it_has_these_fields(self) -> None:
        self.migration('1_a.py')
        self.manager().execute()
        [document] = self.documents()
        self.assertEqual(
            set(document),
            {'name', 'executed_at', 'duration_ms', 'checksum', 'by', 'how'},
        )

    def test_it_is_written_right_after_up_returned(self) -> None:
        """The next migration finds it."""
        self.migration('1_a.py')
        self.migration(
            '2_b.py',
            """
            def up(db):
                names = [document['name'] for document in db.migrations.find()]
                assert names == ['1_a.py'], names
            """,
        )
        self.manager().execute()
        self.assertEqual(self.registered(), ['1_a.py', '2_b.py'])

    def test_its_writes_wait_for_a_majority(self) -> None:
        self.migration('1_a.py')
        self.migration('2_b.py')
        listener = Listener()
        manager = self.manager(MONGO_CLIENT_OPTIONS={'event_listeners': [listener]})
        manager.execute('1')
        manager.ignore('2')
        manager.rollback('1')
        reads = ('find', 'getMore', 'listIndexes')
        writes = [
            each for each in listener.to('migrations') if next(iter(each)) not in reads
        ]
        kinds = [next(iter(each)) for each in writes]
        self.assertEqual(
            sorted(set(kinds)), ['aggregate', 'createIndexes', 'delete'], writes
        )
        for command in writes:
            self.assertEqual(command['writeConcern']['w'], 'majority', command)
        self.assertEqual(self.registered(), ['2_b.py'])


class DatabaseOf2014Test(FabTest):
    """A database that 1.0 wrote goes on working."""

    def test_it(self) -> None:
        for number in (1, 2, 3):
            self.migration(f'00{number}_x.py', NOTES)
        self.register('001_x.py', '002_x.py')
        result = self.assert_ok(self.fab('migrations'))
        self.assertEqual(
            result.stdout.splitlines()[:2], ['Unregistered migrations:', '003_x.py']
        )
        self.assertNotIn('Changed', result.said)
        self.assert_ok(self.fab('migrations:execute', 'migrations:rollback,001_x.py'))
        self.assertEqual(self.registered(), ['002_x.py', '003_x.py'])
        # The document of 1.0 is as it was.
        [document] = self.db.migrations.find({'name': '002_x.py'}, {'_id': 0})
        self.assertEqual(document, {'name': '002_x.py'})


class ReadingTest(PlainTest):
    """A document is the mark; whatever else it says is fine."""

    def test_unknown_fields_are_passed_over(self) -> None:
        self.migration('1_a.py')
        self.db.migrations.insert_one({'_id': 'x', 'name': '1_a.py', 'later': [1]})
        self.assertEqual(self.manager().unregistered(), [])

    def test_a_document_without_a_name_is_none(self) -> None:
        self.migration('1_a.py')
        self.db.migrations.insert_many([{'other': 1}, {'name': None}, {'name': 5}])
        self.assertEqual(self.manager().unregistered(), ['1_a.py'])
        self.manager().execute()

    def test_so_is_more_than_one_reply_can_hold(self) -> None:
        """Then the server keeps the rest for none who would ask for it."""
        names = [f'{number}_x.py' for number in range(1, 31)]
        for name in names:
            self.migration(name)
        long = {'how': 'x' * 1_000_000}
        self.db.migrations.insert_many([{'name': name, **long} for name in names[:-1]])
        listener = Listener()
        manager = self.manager(MONGO_CLIENT_OPTIONS={'event_listeners': [listener]})
        manager.show_status()
        self.assertEqual(self.logger.of('red'), names[-1:])
        sent = [next(iter(each)) for each in listener.commands]
        self.assertEqual(sent[:2], ['aggregate', 'killCursors'])
        [left] = listener.commands[1]['cursors']
        with self.assertRaises(CursorNotFound):
            self.db.command('getMore', left, collection='migrations_history')

    def test_in_order_of_time_and_then_of_the_id(self) -> None:
        """Of whatever types another tool has made them."""
        ids = [ObjectId() for _ in range(6)]
        early, late = datetime(2014, 1, 14), datetime(2026, 1, 14)
        rows = [
            (ids[4], early, '1_a.py'),
            (ids[1], late, '3_c.py'),
            (ids[5], early, '2_b.py'),
            (ids[2], late, '4_d.py'),
        ]
        for further in ([], [(10, late, '5_e.py'), (9, late, '6_f.py')]):
            self.db.migrations.drop()
            self.db.migrations.insert_many(
                [
                    {'_id': number, 'executed_at': when, 'name': name}
                    for number, when, name in [*rows, *further]
                ]
            )
            names = [each.name for each in Registry(self.db.migrations).read().records]
            # By their texts: '10', '6…', '9'.
            others = ['5_e.py'] if further else []
            after = ['6_f.py'] if further else []
            expected = ['1_a.py', '2_b.py', *others, '3_c.py', '4_d.py', *after]
            self.assertEqual(names, expected)

    def test_reading_writes_nothing(self) -> None:
        self.migration('1_a.py')
        manager = self.manager()
        manager.show_status()
        manager.unregistered()
        manager.help()
        self.assertEqual(self.db.list_collection_names(), [])


class LostReplyTest(unittest.TestCase):
    """A connection that is lost, or a primary that steps down, while it is read."""

    def test_it_is_read_again(self) -> None:
        with obliging_server() as server, MongoClient(server.uri) as client:
            history, registry = History(client.shop.history), Registry(client.shop.kept)
            lock = Lock(client.shop.lock, 60)
            client.shop.kept.insert_one({'name': '1_a.py'})
            for how in ({'closeConnection': True}, {'errorCode': 189}):
                for times in (1, 2):
                    with failing(client, 'aggregate', times=times, **how):
                        _, _, found = read(history, registry, lock, True)
                    names = [each.name for each in found.records]
                    self.assertEqual(names, ['1_a.py'])

    def test_indexes_are_made_all_the_same(self) -> None:
        with obliging_server() as server, MongoClient(server.uri) as client:
            for place, how in enumerate(
                ({'closeConnection': True}, {'errorCode': 189})
            ):
                db = client[f'shop{place}']
                for each in (History(db.history), Registry(db.kept)):
                    with failing(client, 'createIndexes', times=2, **how):
                        self.assertFalse(each.prepare())
                self.assertIn('name_1', db.kept.index_information())
                self.assertIn('unsettled_1', db.history.index_information())


class IndexTest(PlainTest):
    """The unique index on `name`."""

    def test_is_made_by_the_first_write(self) -> None:
        self.migration('1_a.py')
        self.manager().execute()
        self.assertTrue(self.db.migrations.index_information()['name_1']['unique'])
        with self.assertRaises(DuplicateKeyError):
            self.db.migrations.insert_one({'name': '1_a.py'})

    def test_doubles_are_a_warning_and_work_goes_on(self) -> None:
        for name in ('1_a.py', '2_b.py', '3_c.py'):
            self.migration(name, NOTES)
        self.register('1_a.py', '1_a.py')
        manager = self.manager()
        manager.show_status()
        self.assertEqual(self.logger.of('red'), ['2_b.py', '3_c.py'])
        manager.execute('2')
        manager.ignore('3')
        self.assertEqual(self.registered(), ['1_a.py', '1_a.py', '2_b.py', '3_c.py'])
        warnings = [
            each for each in self.logger.of('white') if 'more than once' in each
        ]
        self.assertEqual(len(warnings), 2)
        self.assertIn('1_a.py', warnings[0])
        self.assertNotIn('2_b.py', warnings[0])

    def test_another_index_on_name_is_a_warning_and_work_goes_on(self) -> None:
        self.migration('1_a.py')
        self.db.migrations.create_index('name')
        self.manager().execute()
        self.assertEqual(self.registered(), ['1_a.py'])
        warnings = [each for each in self.logger.of('white') if 'unique index' in each]
        self.assertEqual(len(warnings), 1)


class ManyFilesTest(PlainTest):
    """`fab migrations` with 10,000 files."""

    COUNT = 10_000

    def test_one_query_and_one_listing(self) -> None:
        names = [f'{number:05}_x.py' for number in range(self.COUNT)]
        for name in names:
            (self.folder / 'mongomigrations' / name).touch()
        checksum = f'sha256:{hashlib.sha256().hexdigest()}'
        self.db.migrations.insert_many(
            [{'name': name, 'checksum': checksum} for name in names[:-1]]
        )
        listener = Listener()
        manager = self.manager(MONGO_CLIENT_OPTIONS={'event_listeners': [listener]})
        began = time.process_time()
        with (
            mock.patch('os.scandir', wraps=os.scandir) as scandir,
            mock.patch('os.listdir', wraps=os.listdir) as listdir,
        ):
            manager.show_status()
        took = time.process_time() - began
        self.assertEqual(self.logger.of('red'), names[-1:])
        self.assertEqual((scandir.call_count, listdir.call_count), (1, 0))
        sent = [next(iter(each)) for each in listener.commands]
        self.assertEqual(sent, ['aggregate'])
        self.assertLess(took, 30)
        # So does a command that writes, where there is nothing to do.
        self.register(names[-1])
        listener.commands.clear()
        manager.execute()
        sent = [next(iter(each)) for each in listener.commands]
        self.assertEqual(sent, ['findAndModify', 'aggregate', 'delete'])

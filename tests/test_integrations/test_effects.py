"""Effects are what the server did, held against the database before and after."""

from __future__ import annotations

import contextlib
import datetime
import threading
import warnings
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

import gridfs
from bson.raw_bson import RawBSONDocument
from pymongo import (
    DeleteMany,
    DeleteOne,
    IndexModel,
    InsertOne,
    MongoClient,
    ReplaceOne,
    UpdateMany,
    UpdateOne,
)
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    CollectionInvalid,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    NotPrimaryError,
    OperationFailure,
    WriteConcernError,
    WriteError,
)
from pymongo.write_concern import WriteConcern

from migopy.effects import Changes, EffectsListener, Recording, unwatched_clients
from migopy.pymongo3 import COLLECTION_METHODS, legacy_database
from migopy.server import mongod
from tests import server

Up = Callable[[Any], object]

UNACKNOWLEDGED = WriteConcern(w=0)

MAP = 'function () { emit(this.even, this.number); }'
REDUCE = 'function (key, values) { return Array.sum(values); }'


def documents(database: Any) -> dict[str, dict[Any, Any]]:
    """Read a whole database: documents by `_id`, by collection."""
    found = database.list_collections(filter={'type': 'collection'})
    names = [each['name'] for each in found if not each['name'].startswith('system.')]
    return {name: {row['_id']: row for row in database[name].find()} for name in names}


class EffectsTest(server.DatabaseTest):
    """A migration that is listened to, in a database with ten numbered cities."""

    def setUp(self) -> None:
        super().setUp()
        self.listener = EffectsListener()
        self.watched = self.watched_client()
        self.fill()

    def watched_client(self, **options: Any) -> MongoClient[Any]:
        # After a fault PyMongo looks for the primary again at the next heartbeat.
        client: MongoClient[Any] = MongoClient(
            self.uri,
            event_listeners=[self.listener],
            heartbeatFrequencyMS=500,
            **options,
        )
        self.addCleanup(client.close)
        return client

    def fill(self) -> None:
        self.db.cities.insert_many(
            [{'_id': n, 'number': n, 'even': n % 2 == 0} for n in range(10)]
        )

    def effects_of(
        self, up: Up, raises: type[BaseException] | None = None
    ) -> Recording:
        outcome = self.assertRaises(raises) if raises else contextlib.nullcontext()
        with self.listener.recording() as effects, outcome:
            up(self.watched[self.db.name])
        return effects

    def check(
        self, up: Up, expected: str, raises: type[BaseException] | None = None
    ) -> Recording:
        """Run `up`; its effects must read as `expected`, its counts must be real."""
        before = documents(self.db)
        effects = self.effects_of(up, raises)
        after = documents(self.db)
        self.assertEqual(effects.describe(self.db.name), expected)
        for name in {*before, *after}:
            changes = effects.changes.get(f'{self.db.name}.{name}', Changes())
            was, now = before.get(name, {}), after.get(name, {})
            changed = [key for key in was.keys() & now.keys() if was[key] != now[key]]
            with self.subTest(collection=name):
                self.assertEqual(changes.inserted, len(now.keys() - was.keys()))
                self.assertEqual(changes.deleted, len(was.keys() - now.keys()))
                self.assertEqual(changes.modified + changes.found, len(changed))
        return effects

    def check_each(self, calls: list[Call], run: Callable[[Any], Any]) -> None:
        """Check every call, each on ten fresh cities; `run` gives the collection."""
        for call in calls:
            with self.subTest(call=call.name, expected=call.expected):
                self.db.cities.drop()
                self.fill()
                self.check(lambda db, call=call: call.run(run(db)), call.expected)


class Call(NamedTuple):
    """A call of a collection's method and what it does to the ten cities."""

    name: str
    run: Up
    expected: str


UPSERT_77 = ({'_id': 77}, {'$set': {'new': 1}})

DOCUMENT_CALLS = [
    Call('insert_one', lambda c: c.insert_one({}), 'cities 1 inserted'),
    Call('insert_many', lambda c: c.insert_many([{}, {}, {}]), 'cities 3 inserted'),
    Call(
        'insert_many',
        lambda c: c.insert_many([{}, {}], ordered=False),
        'cities 2 inserted',
    ),
    Call(
        'replace_one',
        lambda c: c.replace_one({'_id': 1}, {'new': 1}),
        'cities 1 updated',
    ),
    Call(
        'replace_one',
        lambda c: c.replace_one({'_id': 77}, {'new': 1}, upsert=True),
        'cities 1 inserted',
    ),
    Call('replace_one', lambda c: c.replace_one({'_id': 77}, {'new': 1}), ''),
    Call(
        'update_one',
        lambda c: c.update_one({'_id': 1}, {'$set': {'new': 1}}),
        'cities 1 updated',
    ),
    Call(
        'update_one',
        lambda c: c.update_one({'_id': 1}, {'$set': {'number': 1}}),
        'cities 1 matched, 0 updated',
    ),
    Call(
        'update_one',
        lambda c: c.update_one(*UPSERT_77, upsert=True),
        'cities 1 inserted',
    ),
    Call(
        'update_many',
        lambda c: c.update_many({'even': True}, {'$set': {'new': 1}}),
        'cities 5 updated',
    ),
    Call(
        'update_many',
        lambda c: c.update_many({}, {'$set': {'even': True}}),
        'cities 10 matched, 5 updated',
    ),
    Call(
        'update_many',
        lambda c: c.update_many(*UPSERT_77, upsert=True),
        'cities 1 inserted',
    ),
    Call(
        'update_many',
        lambda c: c.update_many({}, [{'$set': {'new': '$number'}}]),
        'cities 10 updated',
    ),
    Call('delete_one', lambda c: c.delete_one({'even': True}), 'cities 1 deleted'),
    Call('delete_one', lambda c: c.delete_one({'_id': 77}), ''),
    Call('delete_many', lambda c: c.delete_many({'even': True}), 'cities 5 deleted'),
    Call(
        'find_one_and_update',
        lambda c: c.find_one_and_update({'_id': 1}, {'$set': {'new': 1}}),
        'cities 1 found and updated',
    ),
    Call(
        'find_one_and_update',
        lambda c: c.find_one_and_update({'_id': 1}, {'$inc': {'n': 1}}, upsert=True),
        'cities 1 found and updated',
    ),
    Call(
        'find_one_and_update',
        lambda c: c.find_one_and_update(*UPSERT_77, upsert=True),
        'cities 1 inserted',
    ),
    Call('find_one_and_update', lambda c: c.find_one_and_update(*UPSERT_77), ''),
    Call(
        'find_one_and_replace',
        lambda c: c.find_one_and_replace({'_id': 1}, {'new': 1}),
        'cities 1 found and updated',
    ),
    Call(
        'find_one_and_replace',
        lambda c: c.find_one_and_replace({'_id': 77}, {'new': 1}, upsert=True),
        'cities 1 inserted',
    ),
    Call(
        'find_one_and_delete',
        lambda c: c.find_one_and_delete({'even': True}),
        'cities 1 deleted',
    ),
    Call('find_one_and_delete', lambda c: c.find_one_and_delete({'_id': 77}), ''),
    Call(
        'bulk_write',
        lambda c: c.bulk_write(
            [
                InsertOne({'_id': 'a'}),
                InsertOne({'_id': 'b'}),
                UpdateOne({'_id': 1}, {'$set': {'number': 1}}),
                UpdateMany({'_id': {'$lt': 3}}, {'$set': {'new': 1}}),
                ReplaceOne({'_id': 'c'}, {'new': 1}, upsert=True),
                DeleteOne({'_id': 8}),
                DeleteMany({'_id': {'$in': [7, 9]}}),
            ]
        ),
        'cities 3 inserted, 4 matched, 3 updated, 3 deleted',
    ),
    Call(
        'bulk_write',
        lambda c: c.bulk_write(
            [
                DeleteOne({'_id': 8}),
                InsertOne({'_id': 'a'}),
                UpdateOne(*UPSERT_77, upsert=True),
                UpdateOne({'_id': 1}, {'$set': {'new': 1}}),
            ],
            ordered=False,
        ),
        'cities 2 inserted, 1 updated, 1 deleted',
    ),
]

#: Run one after the other on the same collection.
SCHEMA_CALLS = [
    Call('create_index', lambda c: c.create_index('number'), 'index number_1 made'),
    Call('create_index', lambda c: c.create_index('number'), ''),
    Call(
        'create_indexes',
        lambda c: c.create_indexes([IndexModel('a'), IndexModel([('b', -1)])]),
        'index a_1 made, index b_-1 made',
    ),
    Call(
        'create_indexes',
        lambda c: c.create_indexes([IndexModel('a'), IndexModel('c')]),
        'some of the indexes a_1, c_1 made',
    ),
    Call('drop_index', lambda c: c.drop_index('number_1'), 'index number_1 dropped'),
    Call('drop_index', lambda c: c.drop_index([('c', 1)]), 'index c_1 dropped'),
    Call('drop_indexes', lambda c: c.drop_indexes(), 'all indexes but _id_ dropped'),
    Call(
        'drop_indexes',
        lambda c: c.drop_indexes(),
        'all indexes but _id_ dropped, if there were any',
    ),
]

READ_CALLS: dict[str, Up] = {
    'aggregate': lambda c: list(c.aggregate([{'$match': {}}])),
    'aggregate_raw_batches': lambda c: list(c.aggregate_raw_batches([])),
    'count_documents': lambda c: c.count_documents({}),
    'distinct': lambda c: c.distinct('even'),
    'estimated_document_count': lambda c: c.estimated_document_count(),
    'find': lambda c: list(c.find(batch_size=2)),
    'find_one': lambda c: c.find_one(),
    'find_raw_batches': lambda c: list(c.find_raw_batches()),
    'index_information': lambda c: c.index_information(),
    'list_indexes': lambda c: list(c.list_indexes()),
    'options': lambda c: c.options(),
    'watch': lambda c: c.watch().close(),
    'with_options': lambda c: c.with_options(write_concern=UNACKNOWLEDGED),
}

#: Not on a server without Atlas Search.
SEARCH_CALLS: dict[str, Up] = {
    'create_search_index': lambda c: c.create_search_index({'definition': {}}),
    'create_search_indexes': lambda c: c.create_search_indexes([]),
    'drop_search_index': lambda c: c.drop_search_index('x'),
    'list_search_indexes': lambda c: list(c.list_search_indexes()),
    'update_search_index': lambda c: c.update_search_index('x', {}),
}


class CollectionCallsTest(EffectsTest):
    """Whichever call of PyMongo's Collection a migration makes, it is counted."""

    def test_every_call_of_collection_is_among_these_tests(self) -> None:
        """A method that a later PyMongo brings is missed here, not by its users."""
        tried = {call.name for call in DOCUMENT_CALLS + SCHEMA_CALLS}
        tried |= {*READ_CALLS, *SEARCH_CALLS, 'drop', 'rename'}
        tried |= {'next'}  # refuses, as a collection is no iterator
        methods = {
            name
            for name, value in vars(Collection).items()
            if callable(value) and not name.startswith('_')
        }
        self.assertEqual(methods, tried)

    def test_calls_that_write_documents(self) -> None:
        """What the reply tells is what really changed, whether anything matched."""
        self.check_each(DOCUMENT_CALLS, lambda db: db.cities)

    def test_calls_that_change_indexes(self) -> None:
        """An index is made or dropped only where it was not, or was, there before."""
        for call in SCHEMA_CALLS:
            with self.subTest(call=call.name, expected=call.expected):
                expected = call.expected and f'cities {call.expected}'
                self.check(lambda db, call=call: call.run(db.cities), expected)

    def test_calls_that_read(self) -> None:
        """A read leaves no effect, not even an empty one."""
        for name, call in READ_CALLS.items():
            with self.subTest(call=name):
                effects = self.effects_of(lambda db, call=call: call(db.cities))
                self.assertEqual(effects.changes, {})

    def test_calls_for_atlas_search(self) -> None:
        """A server that does not know them refused them."""
        for name, call in SEARCH_CALLS.items():
            with self.subTest(call=name):
                effects = self.effects_of(
                    lambda db, call=call: call(db.cities), OperationFailure
                )
                self.assertFalse(effects.wrote)

    def test_drop_and_rename(self) -> None:
        """A dropped and a renamed collection are told, a missing one is no effect."""
        self.check(lambda db: db.nowhere.drop(), '')
        effects = self.effects_of(lambda db: db.cities.rename('towns'))
        self.assertEqual(
            effects.describe(self.db.name), 'collection cities renamed to towns'
        )
        self.db.cities.insert_one({})
        effects = self.effects_of(lambda db: db.towns.rename('cities', dropTarget=True))
        self.assertEqual(
            effects.describe(self.db.name),
            'collection towns renamed to cities in place of what was there',
        )
        effects = self.effects_of(lambda db: db.cities.drop())
        self.assertEqual(effects.describe(self.db.name), 'collection cities dropped')

    def test_an_index_on_a_new_collection(self) -> None:
        """The collection that it brought about is told as well."""
        self.check(
            lambda db: db.towns.create_index('x'),
            'collection towns made, index x_1 made',
        )

    def test_calls_of_2014(self) -> None:
        """What migopy takes over for PyMongo 3's methods is counted alike."""
        self.assertLessEqual(
            {call.name for call in LEGACY_CALLS}, {*COLLECTION_METHODS}
        )
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)
            self.check_each(
                LEGACY_CALLS, lambda db: legacy_database(db.client, db.name).cities
            )


LEGACY_CALLS = [
    Call('insert', lambda c: c.insert({'content': 'test'}), 'cities 1 inserted'),
    Call('insert', lambda c: c.insert([{}, {}]), 'cities 2 inserted'),
    Call('save', lambda c: c.save({'_id': 1, 'new': 1}), 'cities 1 updated'),
    Call('save', lambda c: c.save({'_id': 77}), 'cities 1 inserted'),
    Call(
        'update',
        lambda c: c.update({'even': True}, {'$set': {'new': 1}}),
        'cities 1 updated',
    ),
    Call(
        'update',
        lambda c: c.update({'even': True}, {'$set': {'new': 1}}, multi=True),
        'cities 5 updated',
    ),
    Call('remove', lambda c: c.remove({'even': True}), 'cities 5 deleted'),
    Call(
        'find_and_modify',
        lambda c: c.find_and_modify({'_id': 1}, {'$set': {'new': 1}}),
        'cities 1 found and updated',
    ),
    Call(
        'find_and_modify',
        lambda c: c.find_and_modify({'_id': 1}, remove=True),
        'cities 1 deleted',
    ),
    Call('ensure_index', lambda c: c.ensure_index('x'), 'cities index x_1 made'),
    Call('count', lambda c: c.count(), ''),
]


class CommandsTest(EffectsTest):
    """What has no call in Collection: outputs, other commands, files."""

    def test_an_output_is_named_not_counted(self) -> None:
        """No reply tells what $out, $merge and mapReduce wrote."""
        other = f'{self.db.name}_other'
        self.addCleanup(self.client.drop_database, other)
        pipelines = {
            'towns written by $out (count unknown)': {'$out': 'towns'},
            'villages written by $merge (count unknown)': {'$merge': 'villages'},
            'towns written by $merge (count unknown)': {'$merge': {'into': 'towns'}},
            f'{other}.a written by $out (count unknown)': {
                '$out': {'db': other, 'coll': 'a'}
            },
            f'{other}.b written by $merge (count unknown)': {
                '$merge': {'into': {'db': other, 'coll': 'b'}}
            },
        }
        for expected, stage in pipelines.items():
            for call in ('aggregate', 'aggregate_raw_batches'):
                with self.subTest(expected=expected, call=call):
                    effects = self.effects_of(
                        lambda db, call=call, stage=stage: getattr(db.cities, call)(
                            [{'$match': {'even': True}}, stage]
                        )
                    )
                    self.assertEqual(effects.describe(self.db.name), expected)
                    self.assertTrue(effects.wrote)

    def test_map_reduce(self) -> None:
        """Into a collection it is named; inline it wrote nothing."""
        outputs: dict[str, Any] = {
            'towns written by mapReduce (count unknown)': 'towns',
            'merged written by mapReduce (count unknown)': {'merge': 'merged'},
            '': {'inline': 1},
        }
        for expected, out in outputs.items():
            with self.subTest(out=out):
                effects = self.effects_of(
                    lambda db, out=out: db.command(
                        'mapReduce', 'cities', map=MAP, reduce=REDUCE, out=out
                    )
                )
                self.assertEqual(effects.describe(self.db.name), expected)

    def test_collections_made(self) -> None:
        """A collection, a view and a time series are made; one that exists is not."""
        self.needs_version(5, 0)
        self.check(lambda db: db.create_collection('towns'), 'collection towns made')
        self.check(
            lambda db: db.create_collection('even', viewOn='cities', pipeline=[]),
            'collection even made',
        )
        self.check(lambda db: db.even.drop(), 'collection even dropped')
        self.check(lambda db: db.create_collection('towns'), '', CollectionInvalid)
        self.check(lambda db: db.command('create', 'towns'), '', OperationFailure)
        effects = self.effects_of(
            lambda db: db.create_collection(
                'heat', timeseries={'timeField': 'at'}
            ).insert_one({'at': datetime.datetime(2014, 1, 14)})
        )
        self.assertEqual(
            effects.describe(self.db.name), 'collection heat made, 1 inserted'
        )

    def test_a_raw_command_counts_as_the_call_does(self) -> None:
        """`db.command()` sends what the methods send."""
        commands = {
            'cities 2 inserted': {'insert': 'cities', 'documents': [{}, {}]},
            'cities 1 deleted': {
                'delete': 'cities',
                'deletes': [{'q': {'_id': 1}, 'limit': 1}],
            },
            'cities 1 found and updated': {
                'findandmodify': 'cities',
                'query': {'_id': 2},
                'update': {'$set': {'new': 1}},
            },
        }
        for expected, command in commands.items():
            with self.subTest(expected=expected):
                self.check(lambda db, command=command: db.command(command), expected)

    def test_indexes_dropped_by_a_raw_command(self) -> None:
        """By a list of names, and by a key, of which the reply does not tell a name."""
        for field in 'abc':
            self.db.cities.create_index(field)
        self.check(
            lambda db: db.command('dropIndexes', 'cities', index=['a_1', 'b_1']),
            'cities index a_1 dropped, index b_1 dropped',
        )
        self.check(
            lambda db: db.command('deleteIndexes', 'cities', index={'c': 1}),
            'cities index on c dropped',
        )

    def test_all_indexes_of_a_clustered_collection(self) -> None:
        """It has no index `_id_`, so that a single one may be dropped or kept."""
        self.needs_version(5, 3)
        clustered = {'key': {'_id': 1}, 'unique': True}
        self.db.create_collection('towns', clusteredIndex=clustered)
        self.db.towns.create_index('x')
        self.check(
            lambda db: db.towns.drop_indexes(),
            'towns all indexes but _id_ dropped, if there were any',
        )
        self.check(lambda db: db.towns.drop_indexes(), '')

    def test_commands_without_a_count_are_named(self) -> None:
        """What is not counted is no secret."""
        name = self.db.name
        commands: dict[str, Up] = {
            'cities collMod done': lambda db: db.command(
                'collMod', 'cities', validationLevel='off'
            ),
            'collection capped made': lambda db: db.command(
                'cloneCollectionAsCapped', 'cities', toCollection='capped', size=4096
            ),
            'cities convertToCapped done': lambda db: db.command(
                'convertToCapped', 'cities', size=4096
            ),
            f'database {name} createUser done': lambda db: db.command(
                'createUser', 'ann', pwd='secret', roles=[]
            ),
            f'database {name} dropUser done': lambda db: db.command('dropUser', 'ann'),
            f'database {name} dropped, if it existed': lambda db: (
                db.client.drop_database(name)
            ),
        }
        for expected, up in commands.items():
            with self.subTest(expected=expected):
                effects = self.effects_of(up)
                self.assertEqual(effects.describe(name), expected)
                self.assertTrue(effects.wrote)

    def test_explaining_a_write_is_reading(self) -> None:
        """`explain` runs nothing."""
        delete = {'delete': 'cities', 'deletes': [{'q': {}, 'limit': 0}]}
        out = {'pipeline': [{'$out': 'towns'}], 'cursor': {}, 'explain': True}
        self.check(lambda db: db.command('explain', delete), '')
        self.check(lambda db: db.command('aggregate', 'cities', **out), '')

    def test_files_of_gridfs(self) -> None:
        """A file is one document in fs.files and some in fs.chunks."""
        effects = self.check(
            lambda db: gridfs.GridFS(db).put(b'x' * 600_000),
            'collection fs.chunks made, 3 inserted, index files_id_1_n_1 made; '
            'collection fs.files made, 1 inserted, index filename_1_uploadDate_1 made',
        )
        self.assertTrue(effects.wrote)
        self.check(
            lambda db: gridfs.GridFS(db).delete(db.fs.files.find_one()['_id']),
            'fs.chunks 3 deleted; fs.files 1 deleted',
        )

    def test_unacknowledged_writes_are_named(self) -> None:
        """PyMongo makes up a reply for w=0; nothing is counted from it."""
        calls: dict[str, Up] = {
            'insert': lambda c: c.insert_one({}),
            'update': lambda c: c.update_many({}, {'$set': {'new': 1}}),
            'delete': lambda c: c.bulk_write([DeleteOne({})], ordered=False),
            'findAndModify': lambda c: c.find_one_and_delete({}),
            'drop': lambda c: c.drop(),
        }
        for command, call in calls.items():
            with self.subTest(command=command):
                effects = self.effects_of(
                    lambda db, call=call: call(
                        db.cities.with_options(write_concern=UNACKNOWLEDGED)
                    )
                )
                self.assertTrue(effects.wrote)
                self.assertEqual(
                    effects.describe(self.db.name),
                    f'cities written by an unacknowledged {command} (count unknown)',
                )

    def test_another_database_is_named(self) -> None:
        """A migration may write elsewhere; its own database comes first."""
        other = f'a_{self.db.name}'
        self.addCleanup(self.client.drop_database, other)

        def up(db: Any) -> None:
            db.client[other].notes.insert_one({})
            db.cities.insert_one({})

        effects = self.effects_of(up)
        self.assertEqual(
            effects.describe(self.db.name),
            f'cities 1 inserted; {other}.notes 1 inserted',
        )


#: Commands that a server refuses before it has changed anything.
REFUSED: list[tuple[Any, ...]] = [
    ('collMod', 'nowhere'),
    ({'collMod': 'cities', 'validator': {'$nonsense': 1}},),
    ({'collMod': 'cities', 'index': {'name': 'none_1', 'hidden': True}},),
    ({'convertToCapped': 'nowhere', 'size': 1000},),
    ({'create': 'seen', 'viewOn': 'cities', 'pipeline': [{'$out': 'towns'}]},),
    ({'grantRolesToUser': 'nobody', 'roles': ['read']},),
    ('dropUser', 'nobody'),
    ('dropRole', 'nothing'),
    ({'createRole': 'readWrite', 'privileges': [], 'roles': []},),
    ({'createRole': 'mine', 'privileges': [], 'roles': ['nothing']},),
]


#: Indexes that one city has no values for: it is half a place and no place in lists.
UNINDEXABLE = [
    [('half', '2d')],
    [('far', '2d')],
    [('texts', '2d')],
    [('texts', 1), ('name', 'text')],
    [('texts', 'hashed')],
    [('texts', 1), ('half', 1)],
]


class FailedWritesTest(EffectsTest):
    """What an error leaves behind, as far as it can be known."""

    def test_documents_before_the_one_that_failed_are_counted(self) -> None:
        """An ordered batch stops there, an unordered one leaves it out."""
        batch = [{'_id': 'a'}, {'_id': 1}, {'_id': 'b'}]
        self.check(
            lambda db: db.cities.insert_many(batch), 'cities 1 inserted', BulkWriteError
        )
        self.db.cities.delete_one({'_id': 'a'})
        self.check(
            lambda db: db.cities.insert_many(batch, ordered=False),
            'cities 2 inserted',
            BulkWriteError,
        )
        mixed = [UpdateOne({'_id': 1}, {'$set': {'new': 1}}), *map(InsertOne, batch)]
        self.check(
            lambda db: db.cities.bulk_write(mixed), 'cities 1 updated', BulkWriteError
        )

    def test_what_the_server_refused_wrote_nothing(self) -> None:
        """Such a migration has left nothing, so it is not unfinished."""
        self.db.command('collMod', 'cities', validator={'number': {'$exists': True}})
        bad = {'$foo': {'number': 1}}
        calls: list[tuple[type[Exception], Up]] = [
            (DuplicateKeyError, lambda c: c.insert_one({'_id': 1, 'number': 1})),
            (WriteError, lambda c: c.insert_one({'no': 'number'})),
            (WriteError, lambda c: c.update_one({'_id': 1}, bad)),
            (WriteError, lambda c: c.update_many({}, bad)),
            (WriteError, lambda c: c.delete_one({'$foo': 1})),
            (OperationFailure, lambda c: c.find_one_and_update({'_id': 1}, bad)),
            (
                OperationFailure,
                lambda c: c.find_one_and_update({'_id': 1}, {'$unset': {'number': 1}}),
            ),
            (DuplicateKeyError, lambda c: c.create_index('even', unique=True)),
            (OperationFailure, lambda c: c.create_index([('a', 'nonsense')])),
            (OperationFailure, lambda c: c.drop_index('none_1')),
            (OperationFailure, lambda c: c.database.nowhere.rename('towns')),
            (OperationFailure, lambda c: c.database.command('nonsense')),
            (OperationFailure, lambda c: c.database.command('insert', 'cities')),
            (
                OperationFailure,
                lambda c: c.aggregate([{'$nonsense': 1}, {'$out': 'towns'}]),
            ),
            (DocumentTooLarge, lambda c: c.insert_one({'x': 'x' * 17_000_000})),
            (WriteError, lambda c: c.insert_one({'x': 'x' * 2**24})),
            (OperationFailure, lambda c: c.database.command('insert', '')),
            *[
                (OperationFailure, lambda c, typed=typed: c.database.command(*typed))
                for typed in REFUSED
            ],
            (
                OperationFailure,
                lambda c: c.aggregate(
                    [{'$set': {'_id': {'$toInt': 'x'}}}, {'$out': 'towns'}]
                ),
            ),
            (
                OperationFailure,
                lambda c: c.aggregate([{'$merge': {'into': 'towns', 'on': 'even'}}]),
            ),
            (OperationFailure, lambda c: c.create_index([('place', '2dsphere')])),
            *[
                (OperationFailure, lambda c, keys=keys: c.create_index(keys))
                for keys in UNINDEXABLE
            ],
            (OperationFailure, lambda c: c.create_index('even', nonsense=True)),
            (
                OperationFailure,
                lambda c: c.find_one_and_update(
                    {'_id': 1}, [{'$set': {'even': {'$toInt': 'x'}}}]
                ),
            ),
        ]
        self.db.towns.insert_one({'_id': 'a'})
        lists = {'half': [1], 'far': [200, 1], 'texts': ['a', 'b']}
        self.db.cities.update_one({'_id': 1}, {'$set': {'place': 'no place', **lists}})
        for error, call in calls:
            with self.subTest(error=error):
                effects = self.check(
                    lambda db, call=call: call(db.cities), '', raises=error
                )
                self.assertFalse(effects.wrote)

    def test_an_out_into_a_capped_collection_wrote_nothing(self) -> None:
        self.db.create_collection('log', capped=True, size=4096)
        self.check(
            lambda db: db.cities.aggregate([{'$out': 'log'}]), '', OperationFailure
        )

    def test_a_view_of_itself_wrote_nothing(self) -> None:
        self.db.command('create', 'one', viewOn='cities', pipeline=[])
        self.db.command('create', 'two', viewOn='one', pipeline=[])
        around = {'viewOn': 'two', 'pipeline': []}
        self.check(
            lambda db: db.command('collMod', 'one', **around), '', OperationFailure
        )

    def test_an_update_of_many_that_is_not_for_a_time_series_wrote_nothing(
        self,
    ) -> None:
        self.needs_version(5, 0)
        self.db.create_collection('seen', timeseries={'timeField': 'at'})
        for change in ({'$set': {'x': 1}}, [{'$set': {'x': 1}}]):
            effects = self.check(
                lambda db, change=change: db.seen.update_many({'x': 2}, change),
                '',
                OperationFailure,
            )
            self.assertFalse(effects.wrote)

    def test_an_update_of_many_that_stopped_half_way_is_named(self) -> None:
        """The server says that it changed none, though it may have changed some."""
        self.needs_version(5, 0)
        self.db.cities.create_index('unique', unique=True, sparse=True)
        divide = {'$divide': [1, {'$subtract': ['$number', 5]}]}
        calls: dict[str, tuple[type[Exception], Up]] = {
            'update (error 11000)': (
                DuplicateKeyError,
                lambda c: c.update_many({}, {'$set': {'unique': 1}}),
            ),
            'update (error 2)': (
                WriteError,
                lambda c: c.update_many({}, [{'$set': {'new': divide}}]),
            ),
            'delete (error 8)': (
                WriteError,
                lambda c: c.delete_many(
                    {'$where': 'if (this._id == 5) throw "no"; return true'}
                ),
            ),
        }
        for expected, (error, call) in calls.items():
            with self.subTest(expected=expected):
                before = documents(self.db)
                effects = self.effects_of(lambda db, call=call: call(db.cities), error)
                self.assertNotEqual(documents(self.db), before)
                self.assertTrue(effects.wrote)
                self.assertEqual(
                    effects.describe(self.db.name),
                    f'cities perhaps changed by {expected}',
                )

    def test_a_merge_that_stopped_half_way_is_named(self) -> None:
        """The error that refuses a single write proves nothing for a pipeline."""
        self.db.towns.create_index('even', unique=True)
        effects = self.effects_of(
            lambda db: db.cities.aggregate([{'$merge': 'towns'}]), DuplicateKeyError
        )
        self.assertTrue(self.db.towns.find_one())
        self.assertTrue(effects.wrote)
        self.assertEqual(
            effects.describe(self.db.name),
            'towns perhaps changed by aggregate (DuplicateKey)',
        )

    def test_a_write_that_ran_out_of_time_is_named(self) -> None:
        """How far it came, nobody says."""
        slow = {'q': {'$where': 'sleep(20) || true'}, 'u': {'$inc': {'n': 1}}}
        effects = self.effects_of(
            lambda db: db.command(
                'update', 'cities', updates=[{**slow, 'multi': True}], maxTimeMS=50
            ),
            ExecutionTimeout,
        )
        self.assertTrue(effects.wrote)

    def test_a_user_who_may_not_write_wrote_nothing(self) -> None:
        """An error of the access rules comes before anything is done."""
        calls: list[Up] = [
            lambda db: db.notes.insert_one({}),
            lambda db: db.notes.aggregate([{'$out': 'copy'}]),
            lambda db: db.command('collMod', 'notes'),
            lambda db: db.drop_collection('notes'),
        ]
        reader = {'username': 'ann', 'password': 'secret', 'authSource': 'shop'}
        ears = [self.listener]
        with (
            server.with_auth(roles=('read',)) as guarded,
            MongoClient(guarded.uri, event_listeners=ears, **reader) as client,
        ):
            for call in calls:
                with self.listener.recording() as effects:
                    self.assertRaises(OperationFailure, call, client.shop)
                self.assertEqual(effects.changes, {})


class FaultsTest(EffectsTest):
    """Connections that break and replies that are lost, by the server's failpoints."""

    server: server.Server

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        running = contextlib.ExitStack()
        cls.addClassCleanup(running.close)
        cls.server = running.enter_context(
            server.standalone(
                f'--replSet={mongod.REPLICA_SET}',
                '--setParameter=enableTestCommands=1',
            )
        )
        server.ReplicaSet([cls.server]).initiate()

    def setUp(self) -> None:
        super().setUp()
        self.uri = self.server.uri
        self.client = MongoClient(self.uri)
        self.addCleanup(self.client.close)
        self.db = self.client[self.db.name]
        self.addCleanup(self.client.drop_database, self.db.name)
        # A transaction that met a fault is open for a minute, and holds up the drop.
        self.addCleanup(self.client.admin.command, 'killAllSessions', [])
        self.watched = self.watched_client()
        self.fill()

    def make_fail(self, command: str, times: int = 1, **how: Any) -> None:
        """Make the server fail a command that the watched client sends."""
        self.client.admin.command(
            'configureFailPoint',
            'failCommand',
            mode={'times': times},
            data={'failCommands': [command], **how},
        )

    def test_a_write_that_was_sent_again_counts_once(self) -> None:
        """A lost connection is no doubt once the second attempt was answered."""
        self.make_fail('insert', closeConnection=True)
        self.check(lambda db: db.cities.insert_one({}), 'cities 1 inserted')

    def test_a_write_that_was_answered_twice_counts_once(self) -> None:
        """With some errors of the write concern PyMongo sends a write again."""
        error = {
            'code': 91,
            'errmsg': 'shutting down',
            'errorLabels': ['RetryableWriteError'],
        }
        calls: dict[str, tuple[str, Up]] = {
            'cities 1 inserted': ('insert', lambda c: c.insert_one({})),
            'cities 2 inserted': (
                'insert',
                lambda c: c.bulk_write([InsertOne({}), InsertOne({})]),
            ),
            'cities 1 found and updated': (
                'findAndModify',
                lambda c: c.find_one_and_update({'_id': 1}, {'$set': {'new': 1}}),
            ),
        }
        for expected, (command, call) in calls.items():
            with self.subTest(expected=expected):
                self.make_fail(command, writeConcernError=error)
                self.check(lambda db, call=call: call(db.cities), expected)

    def test_a_write_without_an_answer_is_named(self) -> None:
        """It may have been done; and what is done afterwards does not hide it."""
        self.watched = self.watched_client(retryWrites=False)
        self.make_fail('insert', closeConnection=True)

        def up(db: Any) -> None:
            with self.assertRaises(AutoReconnect):
                db.cities.insert_one({})
            db.cities.delete_one({'_id': 1})

        effects = self.effects_of(up)
        self.assertTrue(effects.wrote)
        self.assertEqual(
            effects.describe(self.db.name),
            'cities 1 deleted, perhaps changed by insert (no answer)',
        )

    def test_a_write_whose_every_attempt_is_lost_is_named(self) -> None:
        """Also where PyMongo tried again."""
        self.make_fail('insert', times=2, closeConnection=True)

        def up(db: Any) -> None:
            with self.assertRaises(AutoReconnect):
                db.cities.insert_one({})
            db.towns.insert_one({})

        self.assertEqual(
            self.effects_of(up).describe(self.db.name),
            'cities perhaps changed by insert (no answer); towns 1 inserted',
        )

    def test_an_unmet_write_concern_hides_no_write(self) -> None:
        """The write is done on the primary, whatever else."""
        error = {'code': 64, 'errmsg': 'waiting for replication timed out'}
        self.make_fail('insert', writeConcernError=error)
        self.check(
            lambda db: db.cities.insert_one({}), 'cities 1 inserted', WriteConcernError
        )
        self.make_fail('createIndexes', writeConcernError=error)
        effects = self.effects_of(
            lambda db: db.cities.create_index('number'), WriteConcernError
        )
        self.assertEqual(
            effects.describe(self.db.name),
            'cities perhaps changed by createIndexes (error 64)',
        )

    def test_a_server_that_is_not_primary_wrote_nothing(self) -> None:
        """That is proven for a single document, not for a batch."""
        self.watched = self.watched_client(retryWrites=False)
        self.make_fail('insert', errorCode=10107)
        effects = self.effects_of(lambda db: db.cities.insert_one({}), NotPrimaryError)
        self.assertFalse(effects.wrote)
        self.make_fail('insert', errorCode=10107)
        effects = self.effects_of(
            lambda db: db.cities.insert_many([{}, {}]), NotPrimaryError
        )
        self.assertTrue(effects.wrote)

    def test_the_label_of_the_server_that_nothing_was_written(self) -> None:
        """It holds for any error that bears it."""
        self.watched = self.watched_client(retryWrites=False)
        labels = ['RetryableWriteError', 'NoWritesPerformed']
        self.make_fail('insert', errorCode=91, errorLabels=labels)
        effects = self.effects_of(
            lambda db: db.cities.insert_many([{}, {}]), AutoReconnect
        )
        self.assertFalse(effects.wrote)

    def transaction(self, db: Any) -> None:
        with db.client.start_session() as session, session.start_transaction():
            db.cities.insert_one({}, session=session)

    def test_a_commit_that_was_sent_again_counts_once(self) -> None:
        """PyMongo repeats a commit that got no answer."""
        self.make_fail('commitTransaction', closeConnection=True)
        self.check(self.transaction, 'cities 1 inserted')

    def test_a_commit_without_an_answer_is_named(self) -> None:
        """Its writes are told, and that they may not have come about."""
        self.make_fail('commitTransaction', times=2, closeConnection=True)
        effects = self.effects_of(self.transaction, AutoReconnect)
        self.assertTrue(effects.wrote)
        self.assertEqual(
            effects.describe(self.db.name),
            'cities 1 inserted, perhaps not committed (no answer)',
        )

    def test_a_transaction_that_the_server_gave_up_left_nothing(self) -> None:
        """The label of a transient error says that it was not committed."""
        self.make_fail(
            'commitTransaction',
            errorCode=251,
            errorLabels=['TransientTransactionError'],
        )
        effects = self.effects_of(self.transaction, OperationFailure)
        self.assertEqual(effects.changes, {})


class TransactionsTest(EffectsTest):
    """A transaction's writes count once it is committed."""

    @contextlib.contextmanager
    def transaction(self, db: Any) -> Iterator[Any]:
        session = db.client.start_session()
        with session, session.start_transaction(), session.bind(end_session=False):
            yield session

    def test_a_committed_transaction(self) -> None:
        """All that was done in it is counted, next to what was done outside."""

        def up(db: Any) -> None:
            db.cities.insert_one({})
            with self.transaction(db):
                db.cities.update_many({}, {'$set': {'new': 1}})
                db.cities.delete_many({'even': True})
                db.towns.create_index('x')
            db.cities.insert_one({})

        self.check_text(
            up,
            'cities 2 inserted, 11 updated, 5 deleted; '
            'collection towns made, index x_1 made',
        )

    def check_text(self, up: Up, expected: str) -> None:
        self.assertEqual(self.effects_of(up).describe(self.db.name), expected)

    def test_an_aborted_transaction_left_nothing(self) -> None:
        """Whether it was aborted by a call, by an exception or by the server."""

        def by_call(db: Any) -> None:
            with self.transaction(db) as session:
                db.cities.insert_one({})
                session.abort_transaction()

        def by_exception(db: Any) -> None:
            with self.assertRaises(KeyboardInterrupt), self.transaction(db):
                db.cities.insert_one({})
                raise KeyboardInterrupt

        def by_server(db: Any) -> None:
            with self.assertRaises(DuplicateKeyError), self.transaction(db):
                db.cities.insert_one({})
                db.cities.insert_one({'_id': 1})

        def by_end_of_session(db: Any) -> None:
            with db.client.start_session() as session:
                session.start_transaction()
                db.cities.insert_one({}, session=session)

        for up in (by_call, by_exception, by_server, by_end_of_session):
            with self.subTest(up=up.__name__):
                effects = self.check(up, '')
                self.assertFalse(effects.wrote)

    def test_a_transaction_that_was_tried_again_counts_once(self) -> None:
        """`with_transaction()` runs its function anew after a transient error."""
        attempts: list[int] = []

        def work(session: Any) -> None:
            self.watched[self.db.name].cities.insert_one({}, session=session)
            attempts.append(1)
            if len(attempts) < 3:
                error = OperationFailure('conflict', 112)
                error._add_error_label('TransientTransactionError')
                raise error

        def up(db: Any) -> None:
            with db.client.start_session() as session:
                session.with_transaction(work)

        self.check(up, 'cities 1 inserted')
        self.assertEqual(len(attempts), 3)

    def test_an_open_transaction_counts_for_who_reads_before_the_end(self) -> None:
        """So the entry in the history, written in the transaction, can have it."""
        db = self.watched[self.db.name]
        with contextlib.ExitStack() as stack:
            session = stack.enter_context(self.transaction(db))
            with self.listener.recording() as first:
                db.cities.insert_one({})
            with self.listener.recording() as second:
                db.cities.delete_one({'_id': 1})
                with self.listener.own_work():
                    db.migrations.insert_one({'name': '001_x.py'})
            self.assertEqual(first.describe(self.db.name), 'cities 1 inserted')
            self.assertEqual(second.describe(self.db.name), 'cities 1 deleted')
            session.abort_transaction()

    def test_an_abort_among_migopys_own_work_is_heard(self) -> None:
        """The runner ends a transaction in which the migration wrote."""
        db = self.watched[self.db.name]
        with self.listener.recording() as effects:
            with self.listener.own_work(), self.transaction(db) as session:
                session.abort_transaction()
            with self.transaction(db) as session:
                db.cities.insert_one({})
                self.assertTrue(effects.wrote)
                with self.listener.own_work():
                    session.abort_transaction()
            self.assertFalse(effects.wrote)


class RecordingTest(EffectsTest):
    """Whose commands are counted, and when."""

    def test_all_threads_of_a_migration_are_counted(self) -> None:
        """Not one write of theirs is lost."""

        def up(db: Any) -> None:
            def work() -> None:
                for _ in range(100):
                    db.cities.insert_one({})
                    db.cities.update_one({'_id': 1}, {'$inc': {'count': 1}})

            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        effects = self.effects_of(up)
        changes = effects.changes[f'{self.db.name}.cities']
        self.assertEqual((changes.inserted, changes.modified), (800, 800))

    def test_migopys_own_work_is_left_out(self) -> None:
        """In its thread only: a lock renewed in the background hides no write."""
        renewing, written = threading.Event(), threading.Event()

        def renew() -> None:
            with self.listener.own_work():
                renewing.set()
                written.wait(10)
                self.watched[self.db.name].lock.insert_one({})

        def up(db: Any) -> None:
            thread = threading.Thread(target=renew)
            thread.start()
            renewing.wait(10)
            db.cities.insert_one({})
            written.set()
            thread.join()
            with self.listener.own_work():
                with self.listener.own_work():
                    pass
                db.migrations.insert_one({})
            db.cities.insert_one({})

        self.assertEqual(
            self.effects_of(up).describe(self.db.name), 'cities 2 inserted'
        )

    def test_only_what_happens_in_the_block_is_counted(self) -> None:
        """Before and after it the listener counts nothing."""
        db = self.watched[self.db.name]
        db.cities.insert_one({})
        with self.listener.recording() as effects:
            db.cities.insert_one({})
        db.cities.insert_one({})
        self.assertEqual(effects.describe(self.db.name), 'cities 1 inserted')

    def test_the_same_reply_in_another_class(self) -> None:
        """A client may decode its replies as it likes."""
        self.watched = self.watched_client(document_class=RawBSONDocument)

        def up(db: Any) -> None:
            db.cities.find_one_and_delete({'_id': 1})
            db.cities.update_many({}, {'$set': {'new': 1}})
            db.cities.create_index('new')

        self.check(up, 'cities 9 updated, 1 deleted, index new_1 made')

    def test_a_client_of_the_migrations_own_is_seen(self) -> None:
        """Its writes are not heard, so it must be known that it is there."""
        other = MongoClient(self.uri)
        self.addCleanup(other.close)
        self.assertTrue(unwatched_clients(self.listener))

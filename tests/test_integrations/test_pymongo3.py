"""A migration file of 2014 on today's PyMongo: results as PyMongo 3.13 gave them.

The expected values were taken from PyMongo 3.13 run on the same server, those of
`group`, which servers lost in 4.2, from PyMongo 3's documentation.
"""

from __future__ import annotations

import threading
import unittest
import uuid
import warnings
from collections import OrderedDict
from typing import Any, Callable

import bson
import gridfs
import pymongo
from bson import ObjectId
from bson.binary import UuidRepresentation
from bson.code import Code
from bson.codec_options import CodecOptions
from bson.errors import InvalidDocument
from bson.raw_bson import RawBSONDocument
from bson.son import SON
from pymongo import WriteConcern, monitoring
from pymongo.collation import Collation
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    DuplicateKeyError,
    InvalidOperation,
    OperationFailure,
    WriteConcernError,
    WriteError,
)

from migopy.pymongo3 import LegacyCollection, LegacyDatabase, legacy_database
from tests.server import DatabaseTest, standalone

README_MIGRATION = """
def up(db):
    db.notes.insert({'content': 'test'})

def down(db):
    db.notes.remove({'content': 'test'})
"""


class LegacyTest(DatabaseTest):
    """A test with an empty database that has the methods of PyMongo 3."""

    old: Any

    def setUp(self) -> None:
        super().setUp()
        self.old = legacy_database(self.client, self.db.name)
        quiet = warnings.catch_warnings()
        quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)
        warnings.simplefilter('ignore', DeprecationWarning)

    def ids(self, collection: str) -> list[Any]:
        return [each['_id'] for each in self.db[collection].find().sort('_id')]

    def assert_result(self, result: Any, expected: dict[str, Any]) -> None:
        """Compare a server's answer, but for what a replica set adds to it."""
        added = {'$clusterTime', 'operationTime', 'opTime', 'electionId'}
        self.assertIs(type(result), dict)
        self.assertEqual(
            {key: result[key] for key in result if key not in added}, expected
        )


class SentCommands(monitoring.CommandListener):
    """Remember the commands that a client sent."""

    def __init__(self) -> None:
        self.commands: list[Any] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commands.append(event.command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


class SentTest(LegacyTest):
    """What only the server sees."""

    def setUp(self) -> None:
        super().setUp()
        self.sent = SentCommands()
        # A direct connection would send a read preference of its own.
        client: Any = pymongo.MongoClient(
            self.uri, directConnection=False, event_listeners=[self.sent]
        )
        self.addCleanup(client.close)
        self.old = legacy_database(client, self.db.name)

    def test_timeout_is_no_cursor_timeout_turned_round(self) -> None:
        for timeout in (False, True):
            list(self.old.notes.find(timeout=timeout))
        sent = [each.get('noCursorTimeout', False) for each in self.sent.commands]
        self.assertEqual(sent, [True, False])

    def test_count_sends_the_hint_and_the_read_preference(self) -> None:
        self.db.notes.insert_one({'x': 1})
        nearest = pymongo.ReadPreference.NEAREST
        notes = self.old.notes.with_options(read_preference=nearest)
        notes.count(hint=[('_id', 1)])
        notes.find().hint([('_id', 1)]).count()
        for command in self.sent.commands:
            self.assertEqual(command['count'], 'notes')
            self.assertEqual(command['hint'], {'_id': 1})
            self.assertEqual(command['$readPreference']['mode'], 'nearest')

    def test_a_user_that_cannot_be_looked_up_is_not_created(self) -> None:
        with self.assertRaises(OperationFailure):
            self.old.add_user({'not': 'a name'}, 'secret')
        self.assertEqual(
            [next(iter(each)) for each in self.sent.commands], ['usersInfo']
        )

    def test_a_write_is_one_of_todays_commands(self) -> None:
        self.old.notes.insert({'_id': 1})
        self.old.notes.update({'_id': 1}, {'$set': {'x': 1}})
        self.old.notes.find_and_modify({'_id': 1}, {'$set': {'x': 2}})
        self.old.notes.remove({'_id': 1})
        names = [next(iter(each)) for each in self.sent.commands]
        self.assertEqual(names, ['insert', 'update', 'findAndModify', 'delete'])


class ReadmeTest(LegacyTest):
    """The migration file of the README of 2014, as it stands there."""

    def test_up_and_down(self) -> None:
        migration: dict[str, Any] = {'__name__': 'mongomigrations.001_example'}
        exec(compile(README_MIGRATION, '/x/001_example.py', 'exec'), migration)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('default')
            migration['up'](self.old)
            self.assertEqual(self.db.notes.find_one({}, {'_id': 0})['content'], 'test')
            migration['down'](self.old)
        self.assertEqual(self.db.notes.count_documents({}), 0)
        said = [(each.filename, each.lineno, str(each.message)) for each in caught]
        self.assertEqual(
            [each[:2] for each in said],
            [('/x/001_example.py', 3), ('/x/001_example.py', 6)],
        )
        self.assertRegex(said[0][2], r'insert\(\).*insert_one\(\)')
        self.assertRegex(said[1][2], r'remove\(\).*delete_many\(\)')


class InsertTest(LegacyTest):
    def test_one_gives_its_id_and_gets_it(self) -> None:
        document = {'content': 'test'}
        given = self.old.notes.insert(document)
        self.assertIsInstance(given, ObjectId)
        self.assertEqual(document, {'content': 'test', '_id': given})
        self.assertEqual(self.db.notes.find_one(), document)

    def test_one_with_an_id_keeps_it(self) -> None:
        self.assertEqual(self.old.notes.insert({'_id': 'mine'}), 'mine')

    def test_several_give_the_list_of_their_ids(self) -> None:
        documents = [{'x': 1}, {'_id': 5}]
        ids = self.old.notes.insert(documents)
        self.assertEqual(ids, [documents[0]['_id'], 5])
        self.assertEqual(self.db.notes.count_documents({}), 2)

    def test_a_list_of_one_gives_a_list(self) -> None:
        self.assertEqual(self.old.notes.insert([{'_id': 1}]), [1])

    def test_any_iterable_will_do(self) -> None:
        self.assertEqual(
            len(self.old.notes.insert({'i': i} for i in range(1000))), 1000
        )
        self.assertEqual(self.old.notes.insert(({'_id': 1}, {'_id': 2})), [1, 2])
        self.assertEqual(self.db.notes.count_documents({}), 1002)

    def test_none_at_all_is_an_error(self) -> None:
        for nothing in ([], (), iter([])):
            with self.assertRaises(InvalidOperation):
                self.old.notes.insert(nothing)

    def test_without_manipulate_documents_stay_as_they_are(self) -> None:
        document: dict[str, Any] = {'x': 1}
        self.assertIsNone(self.old.notes.insert(document, manipulate=False))
        self.assertEqual(document, {'x': 1})
        several: list[dict[str, Any]] = [{}, {'_id': 7}]
        self.assertEqual(self.old.notes.insert(several, False), [None, 7])
        self.assertEqual(several, [{}, {'_id': 7}])
        self.assertEqual(self.db.notes.count_documents({}), 3)

    def test_a_duplicate_is_an_error(self) -> None:
        self.old.notes.insert({'_id': 1})
        with self.assertRaises(DuplicateKeyError) as caught:
            self.old.notes.insert({'_id': 1})
        self.assertEqual(caught.exception.code, 11000)

    def test_a_duplicate_among_several_stops_there_with_its_own_error(self) -> None:
        with self.assertRaises(DuplicateKeyError) as caught:
            self.old.notes.insert([{'_id': i} for i in (1, 1, 2)])
        self.assertEqual(caught.exception.details['index'], 1)
        self.assertIsInstance(caught.exception.__cause__, BulkWriteError)
        self.assertEqual(self.ids('notes'), [1])

    def test_continue_on_error_goes_on_and_raises_the_last_error(self) -> None:
        with self.assertRaises(DuplicateKeyError) as caught:
            self.old.notes.insert(
                [{'_id': i} for i in (1, 1, 2, 2, 3)], continue_on_error=True
            )
        self.assertEqual(caught.exception.details['index'], 3)
        self.assertEqual(self.ids('notes'), [1, 2, 3])

    def test_another_error_among_several_is_a_write_error(self) -> None:
        self.db.create_collection('strict', validator={'x': {'$exists': True}})
        with self.assertRaises(WriteError) as caught:
            self.old.strict.insert([{'x': 1}, {'y': 1}])
        self.assertEqual(caught.exception.code, 121)
        self.assertNotIsInstance(caught.exception, BulkWriteError)

    def test_keys_are_checked_as_2014s_pymongo_did(self) -> None:
        for bad in ({'a.b': 1}, {'$a': 1}, {'a': {'b.c': 1}}, [{'a.b': 1}]):
            with self.subTest(bad), self.assertRaises(InvalidDocument):
                self.old.notes.insert(bad)
        self.assertEqual(self.db.notes.count_documents({}), 0)

    def test_check_keys_false_leaves_it_to_the_server(self) -> None:
        self.old.notes.insert({'_id': 1, 'a.b': 1}, check_keys=False)
        self.assertEqual(self.db.notes.find_one(), {'_id': 1, 'a.b': 1})

    def test_write_concern_options(self) -> None:
        for options in ({'w': 1}, {'j': True}, {'safe': True}, {'w': 1, 'wtimeout': 9}):
            with self.subTest(options):
                self.assertIsInstance(self.old.notes.insert({}, **options), ObjectId)
        for documents in ({}, [{}, {}]):
            with self.assertRaises(WriteConcernError):
                self.old.notes.insert(documents, w=50, wtimeout=1)

    def test_unacknowledged_gives_ids_and_swallows_errors(self) -> None:
        self.db.notes.insert_one({'_id': 1})
        self.assertEqual(self.old.notes.insert({'_id': 1}, w=0), 1)
        self.assertEqual(self.old.notes.insert({'_id': 1}, safe=False), 1)
        self.assertEqual(self.old.notes.insert([{'_id': 1}], w=0), [1])

    def test_codec_options_of_the_collection_are_used(self) -> None:
        options = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)
        notes = self.old.get_collection('notes', codec_options=options)
        one = uuid.uuid4()
        notes.insert({'_id': one})
        self.assertEqual(notes.find_one(one), {'_id': one})
        self.assertEqual(notes.find_and_modify({'_id': one}, remove=True), {'_id': one})

    def test_a_raw_document_is_sent_as_it_is(self) -> None:
        raw = RawBSONDocument(bson.encode({'_id': 4, 'x': 1}))
        self.old.notes.insert(raw)
        self.assertEqual(self.old.notes.save(raw), 4)
        self.assertEqual(self.db.notes.find_one(), {'_id': 4, 'x': 1})


class SaveTest(LegacyTest):
    def test_a_new_document_is_inserted_and_gets_its_id(self) -> None:
        document: dict[str, Any] = {'x': 1}
        self.assertEqual(self.old.notes.save(document), document['_id'])
        self.assertEqual(self.db.notes.find_one(), document)

    def test_an_id_that_stands_there_is_replaced_whole(self) -> None:
        self.db.notes.insert_one({'_id': 7, 'x': 1})
        self.assertEqual(self.old.notes.save({'_id': 7, 'y': 2}), 7)
        self.assertEqual(list(self.db.notes.find()), [{'_id': 7, 'y': 2}])

    def test_an_id_that_is_new_is_inserted(self) -> None:
        self.assertEqual(self.old.notes.save({'_id': 7, 'y': 2}), 7)
        self.assertEqual(list(self.db.notes.find()), [{'_id': 7, 'y': 2}])

    def test_load_change_save(self) -> None:
        self.db.notes.insert_many([{'_id': i, 'name': 'ANN'} for i in range(3)])
        for note in self.old.notes.find():
            note['name'] = note['name'].lower()
            self.old.notes.save(note, safe=True)
        self.assertEqual(self.db.notes.distinct('name'), ['ann'])

    def test_a_duplicate_in_a_unique_index_is_an_error(self) -> None:
        self.db.notes.create_index('x', unique=True)
        self.db.notes.insert_many([{'_id': 1, 'x': 1}, {'_id': 2, 'x': 2}])
        with self.assertRaises(DuplicateKeyError):
            self.old.notes.save({'_id': 2, 'x': 1})

    def test_keys_of_a_new_document_are_checked(self) -> None:
        with self.assertRaises(InvalidDocument):
            self.old.notes.save({'a.b': 1})

    def test_unacknowledged(self) -> None:
        self.assertEqual(self.old.notes.save({'_id': 8}, w=0), 8)


class UpdateTest(LegacyTest):
    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': i, 'x': i % 2} for i in range(4)])

    def test_operators_change_one(self) -> None:
        self.assert_result(
            self.old.notes.update({'x': 1}, {'$set': {'y': 1}}),
            {'n': 1, 'nModified': 1, 'ok': 1.0, 'updatedExisting': True},
        )
        self.assertEqual(self.db.notes.count_documents({'y': 1}), 1)

    def test_multi_changes_all(self) -> None:
        self.assert_result(
            self.old.notes.update({'x': 1}, {'$set': {'y': 1}}, multi=True),
            {'n': 2, 'nModified': 2, 'ok': 1.0, 'updatedExisting': True},
        )

    def test_no_change_is_not_a_modification(self) -> None:
        self.assert_result(
            self.old.notes.update({'x': 1}, {'$set': {'x': 1}}),
            {'n': 1, 'nModified': 0, 'ok': 1.0, 'updatedExisting': True},
        )

    def test_nothing_matches(self) -> None:
        self.assert_result(
            self.old.notes.update({'x': 9}, {'$set': {'y': 1}}),
            {'n': 0, 'nModified': 0, 'ok': 1.0, 'updatedExisting': False},
        )

    def test_upsert_gives_the_new_id(self) -> None:
        self.assert_result(
            self.old.notes.update({'_id': 'u'}, {'$inc': {'n': 1}}, upsert=True),
            {
                'n': 1,
                'nModified': 0,
                'ok': 1.0,
                'updatedExisting': False,
                'upserted': 'u',
            },
        )
        self.old.notes.update({'_id': 'u'}, {'$inc': {'n': 1}}, True)
        self.assertEqual(self.db.notes.find_one('u'), {'_id': 'u', 'n': 2})

    def test_a_whole_document_replaces_one(self) -> None:
        result = self.old.notes.update({'x': 1}, {'whole': 1})
        self.assertEqual(result['n'], 1)
        self.assertEqual(self.db.notes.count_documents({'whole': 1, 'x': None}), 1)

    def test_an_empty_document_replaces_one(self) -> None:
        self.old.notes.update({'_id': 0}, {})
        self.assertEqual(self.db.notes.find_one(0), {'_id': 0})

    def test_a_whole_document_is_upserted(self) -> None:
        result = self.old.notes.update({'_id': 9}, {'x': 5}, upsert=True)
        self.assertEqual(result['upserted'], 9)
        self.assertEqual(self.db.notes.find_one(9), {'_id': 9, 'x': 5})

    def test_a_whole_document_for_many_is_an_error(self) -> None:
        for document in ({'whole': 1}, {}):
            with self.assertRaises(WriteError) as caught:
                self.old.notes.update({'x': 1}, document, multi=True)
            self.assertEqual(caught.exception.code, 9)
        self.assertEqual(self.db.notes.count_documents({'x': 1}), 2)

    def test_operators_and_fields_together_are_the_servers_error(self) -> None:
        for mixed in (
            OrderedDict([('$set', {'a': 1}), ('b', 1)]),
            OrderedDict([('b', 1), ('$set', {'a': 1})]),
        ):
            with self.assertRaises(WriteError):
                self.old.notes.update({'_id': 0}, mixed)
        self.assertEqual(self.db.notes.find_one(0), {'_id': 0, 'x': 0})

    def test_a_duplicate_is_an_error(self) -> None:
        self.db.notes.create_index('un', unique=True, sparse=True)
        self.db.notes.update_one({'_id': 0}, {'$set': {'un': 1}})
        with self.assertRaises(DuplicateKeyError):
            self.old.notes.update({'_id': 1}, {'$set': {'un': 1}})

    def test_manipulate_check_keys_and_safe_are_taken(self) -> None:
        result = self.old.notes.update(
            {'_id': 0},
            {'$set': {'y': 1}},
            upsert=False,
            manipulate=True,
            safe=True,
            multi=False,
            check_keys=False,
        )
        self.assertEqual(result['nModified'], 1)

    def test_collation(self) -> None:
        self.db.notes.insert_one({'_id': 'ann'})
        result = self.old.notes.update(
            {'_id': 'ANN'},
            {'$set': {'y': 1}},
            collation=Collation(locale='en', strength=2),
        )
        self.assertEqual(result['n'], 1)

    def test_unacknowledged_gives_nothing(self) -> None:
        self.assertIsNone(self.old.notes.update({}, {'$set': {'y': 1}}, w=0))


class RemoveTest(LegacyTest):
    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': i, 'x': i % 2} for i in range(4)])

    def test_a_document_removes_all_that_match(self) -> None:
        self.assert_result(self.old.notes.remove({'x': 1}), {'n': 2, 'ok': 1.0})
        self.assertEqual(self.ids('notes'), [0, 2])

    def test_an_id_removes_its_document(self) -> None:
        self.assert_result(self.old.notes.remove(3), {'n': 1, 'ok': 1.0})
        self.assertEqual(self.ids('notes'), [0, 1, 2])

    def test_an_object_id_removes_its_document(self) -> None:
        one = self.old.notes.insert({'x': 'mine'})
        self.assertEqual(self.old.notes.remove(one)['n'], 1)

    def test_nothing_removes_all(self) -> None:
        self.assert_result(self.old.notes.remove(), {'n': 4, 'ok': 1.0})
        self.assert_result(self.old.notes.remove({}), {'n': 0, 'ok': 1.0})

    def test_nothing_leaves_indexes(self) -> None:
        self.db.notes.create_index('x')
        self.old.notes.remove(None, safe=True)
        self.assertIn('x_1', self.db.notes.index_information())

    def test_multi_false_removes_one(self) -> None:
        self.assertEqual(self.old.notes.remove({'x': 1}, multi=False)['n'], 1)
        self.assertEqual(self.db.notes.count_documents({'x': 1}), 1)

    def test_none_matches(self) -> None:
        self.assert_result(self.old.notes.remove({'x': 9}), {'n': 0, 'ok': 1.0})

    def test_a_bad_operator_is_a_write_error(self) -> None:
        with self.assertRaises(WriteError):
            self.old.notes.remove({'$foo': 1})

    def test_unacknowledged(self) -> None:
        self.assertNotIn('n', self.old.notes.remove({'x': 1}, w=0))


class FindAndModifyTest(LegacyTest):
    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': i, 'x': 3 - i, 'y': 0} for i in range(4)])
        self.change = self.old.notes.find_and_modify

    def test_gives_the_document_as_it_was(self) -> None:
        self.assertEqual(
            self.change({'_id': 1}, {'$inc': {'y': 1}}), {'_id': 1, 'x': 2, 'y': 0}
        )

    def test_new_gives_it_as_it_is(self) -> None:
        self.assertEqual(
            self.change(query={'_id': 1}, update={'$inc': {'y': 1}}, new=True),
            {'_id': 1, 'x': 2, 'y': 1},
        )

    def test_a_whole_document_replaces(self) -> None:
        self.assertEqual(
            self.change({'_id': 1}, {'whole': 1}, new=True), {'_id': 1, 'whole': 1}
        )

    def test_remove(self) -> None:
        self.assertEqual(
            self.change({'_id': 1}, remove=True), {'_id': 1, 'x': 2, 'y': 0}
        )
        self.assertIsNone(self.change({'_id': 1}, remove=True))

    def test_none_matches(self) -> None:
        self.assertIsNone(self.change({'_id': 9}, {'$inc': {'y': 1}}))

    def test_upsert(self) -> None:
        self.assertIsNone(self.change({'_id': 8}, {'$inc': {'y': 1}}, upsert=True))
        self.assertEqual(
            self.change({'_id': 9}, {'$inc': {'y': 1}}, True, new=True),
            {'_id': 9, 'y': 1},
        )

    def test_sort_chooses_which(self) -> None:
        update = {'$set': {'y': 1}}
        for sort in ([('x', pymongo.DESCENDING)], {'x': -1}, SON([('x', -1)])):
            self.assertEqual(self.change({}, update, sort=sort)['_id'], 0)
        self.assertEqual(self.change({}, update, sort=[('x', 1)])['_id'], 3)

    def test_fields(self) -> None:
        update = {'$inc': {'y': 1}}
        self.assertEqual(
            self.change({'_id': 0}, update, fields={'y': 1, '_id': 0}), {'y': 0}
        )
        self.assertEqual(
            self.change({'_id': 0}, update, fields=['y']), {'_id': 0, 'y': 1}
        )

    def test_full_response(self) -> None:
        self.assert_result(
            self.change({'_id': 0}, {'$inc': {'y': 1}}, full_response=True),
            {
                'lastErrorObject': {'n': 1, 'updatedExisting': True},
                'value': {'_id': 0, 'x': 3, 'y': 0},
                'ok': 1.0,
            },
        )

    def test_without_a_query_it_is_any(self) -> None:
        self.assertIsNotNone(self.change(update={'$set': {'y': 1}}))

    def test_a_duplicate_is_an_error(self) -> None:
        self.db.notes.create_index('x', unique=True)
        with self.assertRaises(DuplicateKeyError):
            self.change({'_id': 0}, {'$set': {'x': 0}})

    def test_the_collections_write_concern_is_sent_and_its_error_raised(self) -> None:
        notes = self.old.get_collection(
            'notes', write_concern=WriteConcern(w=50, wtimeout=1)
        )
        with self.assertRaises(WriteConcernError):
            notes.find_and_modify({'_id': 0}, {'$set': {'x': 0}})

    def test_collation(self) -> None:
        self.db.notes.insert_one({'_id': 'ann'})
        found = self.change(
            {'_id': 'ANN'},
            {'$set': {'y': 1}},
            collation=Collation(locale='en', strength=2),
        )
        self.assertEqual(found, {'_id': 'ann'})


class IndexTest(LegacyTest):
    def test_ensure_index_gives_the_name(self) -> None:
        self.assertEqual(self.old.notes.ensure_index('mike'), 'mike_1')
        self.assertEqual(
            self.old.notes.ensure_index([('mike', pymongo.DESCENDING), ('eliot', 1)]),
            'mike_-1_eliot_1',
        )
        self.assertEqual(self.old.notes.ensure_index('mike'), 'mike_1')
        self.assertEqual(len(self.db.notes.index_information()), 3)

    def test_options_of_2014(self) -> None:
        self.assertEqual(
            self.old.notes.ensure_index(
                'x', 300, unique=True, sparse=True, background=True, name='mine'
            ),
            'mine',
        )
        made = self.db.notes.index_information()['mine']
        self.assertTrue(made['unique'] and made['sparse'])
        self.old.notes.ensure_index('when', ttl=60, expireAfterSeconds=3600)
        made = self.db.notes.index_information()['when_1']
        self.assertEqual(made['expireAfterSeconds'], 3600)
        self.old.notes.create_index('y', cache_for=60)
        self.assertIn('y_1', self.db.notes.index_information())

    def test_drop_dups_is_passed_over_and_said(self) -> None:
        for method in ('ensure_index', 'create_index'):
            for option in ('drop_dups', 'dropDups'):
                notes = legacy_database(self.client, self.db.name).notes
                with self.subTest(method), warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter('always')
                    name = getattr(notes, method)('x', unique=True, **{option: True})
                self.assertEqual(name, 'x_1')
                self.assertRegex(
                    str(said[-1].message), f'{option}.*passed over.*duplicates'
                )
        self.assertNotIn('dropDups', self.db.notes.index_information()['x_1'])

    def test_duplicates_are_never_dropped(self) -> None:
        self.db.notes.insert_many([{'x': 1}, {'x': 1}])
        with self.assertRaises(DuplicateKeyError):
            self.old.notes.ensure_index('x', unique=True, drop_dups=True)
        self.assertEqual(self.db.notes.count_documents({}), 2)

    def test_create_index_is_pymongo_4s_otherwise(self) -> None:
        with self.client.start_session() as session:
            self.assertEqual(self.old.notes.create_index('x', session), 'x_1')
            self.assertEqual(
                self.old.notes.create_index('y', session=session, comment='why'), 'y_1'
            )
        with self.assertRaises(OperationFailure):
            self.old.notes.create_index('z', no_such_option=1)

    def test_reindex_on_a_single_server(self) -> None:
        with standalone() as server, pymongo.MongoClient(server.uri) as client:
            old: Any = legacy_database(client, 'shop')
            old.notes.insert({'x': 1})
            old.notes.ensure_index('x')
            answer = old.notes.reindex()
        self.assertEqual((answer['nIndexes'], answer['ok']), (2, 1.0))

    def test_reindex_in_a_replica_set_is_the_servers_error(self) -> None:
        self.db.notes.insert_one({'x': 1})
        with self.assertRaisesRegex(OperationFailure, 'standalone'):
            self.old.notes.reindex()


class CountTest(LegacyTest):
    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many(
            [{'_id': i, 'x': min(i, 2), 'at': [i, i]} for i in (1, 2, 3)]
        )

    def test_of_a_collection(self) -> None:
        count = self.old.notes.count
        self.assertEqual(count(), 3)
        self.assertEqual(count({'x': 2}), 2)
        self.assertEqual(count(filter={'x': 2}), 2)
        self.assertEqual(count(query={'x': 1}), 1)
        self.assertEqual(count({'x': 2}, limit=1), 1)
        self.assertEqual(count(skip=1, limit=0), 2)
        self.assertEqual(count({'x': 2}, hint=[('_id', 1)]), 2)
        self.assertEqual(count({'x': 2}, hint='_id_', maxTimeMS=1000), 2)
        self.assertIs(type(count()), int)

    def test_of_a_collection_that_is_not_there(self) -> None:
        self.assertEqual(self.old.nothing.count(), 0)
        self.assertEqual(self.old.nothing.find({'x': 1}).count(), 0)

    def test_a_filter_and_a_query_are_one_too_many(self) -> None:
        with self.assertRaises(ConfigurationError):
            self.old.notes.count({'x': 1}, query={'x': 1})

    def test_where_and_near(self) -> None:
        self.db.notes.create_index([('at', pymongo.GEO2D)])
        self.assertEqual(self.old.notes.count({'$where': 'this.x == 2'}), 2)
        near = {'at': {'$near': [0, 0], '$maxDistance': 2}}
        self.assertEqual(self.old.notes.count(near), 1)
        self.assertEqual(self.old.notes.find().where('this.x == 2').count(), 2)

    def test_of_a_cursor(self) -> None:
        find = self.old.notes.find
        self.assertEqual(find().count(), 3)
        self.assertEqual(find({'x': 2}).sort('x').count(), 2)
        self.assertEqual(find({'x': 2}).hint([('_id', 1)]).count(), 2)
        self.assertEqual(
            find({'x': 2}).clone().max_time_ms(999).comment('c').count(), 2
        )

    def test_of_a_cursor_with_limit_and_skip_only_if_asked(self) -> None:
        find = self.old.notes.find
        self.assertEqual(find().limit(1).skip(1).count(), 3)
        self.assertEqual(find().limit(1).count(True), 1)
        self.assertEqual(find().skip(1).count(with_limit_and_skip=True), 2)
        self.assertEqual(find()[1:2].count(True), 1)

    def test_of_a_cursor_with_a_collation(self) -> None:
        self.db.notes.insert_one({'_id': 'ann'})
        english = Collation(locale='en', strength=2)
        self.assertEqual(
            self.old.notes.find({'_id': 'ANN'}, collation=english).count(), 1
        )
        self.assertEqual(self.old.notes.count({'_id': 'ANN'}, collation=english), 1)

    def test_the_cursor_still_gives_its_documents(self) -> None:
        cursor = self.old.notes.find({'x': 2})
        self.assertEqual(cursor.count(), 2)
        self.assertEqual(len(list(cursor)), 2)
        self.assertEqual(cursor.count(), 2)

    def test_with_a_session(self) -> None:
        with self.client.start_session() as session:
            self.assertEqual(self.old.notes.count({'x': 2}, session=session), 2)
            self.assertEqual(self.old.notes.find({'x': 2}, session=session).count(), 2)


class GroupTest(LegacyTest):
    """The server lost `group`; `$accumulator` in JavaScript does the same."""

    counting = 'function(obj, prev) { prev.count++; }'

    def group(self, *arguments: Any) -> list[Any]:
        groups = self.old.things.group(*arguments)
        return sorted(groups, key=str)

    def setUp(self) -> None:
        super().setUp()
        self.db.things.insert_many(
            [{'x': 1}, {'x': 2}, {'x': 2}, {'x': 3, 'y': {'z': 5}}]
        )

    def test_counts_by_a_key(self) -> None:
        expected = [{'x': 1, 'count': 1}, {'x': 2, 'count': 2}, {'x': 3, 'count': 1}]
        for key in (['x'], {'x': 1}, {'x': True}):
            groups = self.group(key, {}, {'count': 0}, Code(self.counting))
            self.assertEqual(groups, expected)

    def test_a_condition_chooses_documents(self) -> None:
        self.assertEqual(
            self.group([], {'x': {'$gt': 1}}, {'count': 0}, self.counting),
            [{'count': 3}],
        )

    def test_no_key_is_one_group(self) -> None:
        for key in (None, [], {}):
            groups = self.group(key, {}, {'count': 0}, self.counting)
            self.assertEqual(groups, [{'count': 4}])

    def test_no_documents_are_no_groups(self) -> None:
        self.assertEqual(self.group([], {'x': 9}, {'count': 0}, self.counting), [])

    def test_a_missing_field_is_none_and_a_path_is_a_key(self) -> None:
        groups = self.group(['y.z'], {}, {'count': 0}, self.counting)
        self.assertEqual(groups, [{'y.z': 5, 'count': 1}, {'y.z': None, 'count': 3}])

    def test_a_function_gives_the_key(self) -> None:
        key = 'function(obj) { return obj.x == 2 ? {two: true} : {other: true}; }'
        self.assertEqual(
            self.group(key, {}, {'count': 0}, self.counting),
            [{'other': True, 'count': 2}, {'two': True, 'count': 2}],
        )

    def test_reduce_sees_key_and_document(self) -> None:
        adding = 'function(obj, prev) { prev.sum += obj.x + prev.x; }'
        groups = self.group(['x'], {}, {'sum': 100}, adding)
        self.assertEqual([each['sum'] for each in groups], [102, 108, 106])

    def test_finalize_changes_or_gives_another_value(self) -> None:
        arguments = (['x'], {'x': 2}, {'count': 0}, self.counting)
        self.assertEqual(
            self.group(*arguments, 'function(out) { out.count *= 10; }'),
            [{'x': 2, 'count': 20}],
        )
        self.assertEqual(
            self.group(*arguments, 'function(out) { return out.count; }'), [2]
        )

    def test_initial_values_are_each_groups_own(self) -> None:
        collecting = 'function(obj, prev) { prev.all.push(obj.x); }'
        groups = self.group(['x'], {}, {'all': []}, collecting)
        self.assertEqual([each['all'] for each in groups], [[1], [2, 2], [3]])

    def test_bad_javascript_is_the_servers_error(self) -> None:
        with self.assertRaises(OperationFailure):
            self.group([], {}, {}, '5 ++ 5')


class MapReduceTest(LegacyTest):
    """The example of the documentation: how often each tag occurs."""

    mapper = Code('function() { this.tags.forEach(function(tag) { emit(tag, 1); }); }')
    reducer = Code('function(key, values) { return Array.sum(values); }')

    def setUp(self) -> None:
        super().setUp()
        self.db.things.insert_many(
            [
                {'x': 1, 'tags': ['dog', 'cat']},
                {'x': 2, 'tags': ['cat']},
                {'x': 2, 'tags': ['mouse', 'cat', 'dog']},
                {'x': 3, 'tags': []},
            ]
        )
        self.tags = [
            {'_id': 'cat', 'value': 3.0},
            {'_id': 'dog', 'value': 2.0},
            {'_id': 'mouse', 'value': 1.0},
        ]

    def test_gives_the_collection_of_results(self) -> None:
        results = self.old.things.map_reduce(self.mapper, self.reducer, 'tags')
        self.assertEqual(results, self.db.tags)
        self.assertIs(type(results), LegacyCollection)
        self.assertEqual(list(results.find().sort('_id')), self.tags)

    def test_full_response(self) -> None:
        answer = self.old.things.map_reduce(
            self.mapper, self.reducer, 'tags', full_response=True
        )
        self.assert_result(answer, {'result': 'tags', 'ok': 1.0})

    def test_options_of_the_command(self) -> None:
        results = self.old.things.map_reduce(
            self.mapper, self.reducer, out={'merge': 'tags'}, query={'x': {'$lt': 2}}
        )
        self.assertEqual(
            list(results.find().sort('_id')),
            [{'_id': 'cat', 'value': 1.0}, {'_id': 'dog', 'value': 1.0}],
        )

    def test_another_database(self) -> None:
        other = f'{self.db.name}_out'
        self.addCleanup(self.client.drop_database, other)
        results = self.old.things.map_reduce(
            self.mapper, self.reducer, out=SON([('replace', 'tags'), ('db', other)])
        )
        self.assertEqual(results.full_name, f'{other}.tags')
        self.assertEqual(results.count(), 3)
        self.assertIs(type(results.database), LegacyDatabase)

    def test_inline(self) -> None:
        inline = self.old.things.inline_map_reduce(self.mapper, self.reducer)
        self.assertEqual(sorted(inline, key=str), self.tags)
        for answer in (
            self.old.things.inline_map_reduce(
                self.mapper, self.reducer, full_response=True
            ),
            self.old.things.map_reduce(self.mapper, self.reducer, {'inline': 1}),
        ):
            self.assertEqual(sorted(answer['results'], key=str), self.tags)
            self.assertEqual(answer['ok'], 1.0)

    def test_scope_limit_finalize(self) -> None:
        inline = self.old.things.inline_map_reduce(
            'function() { emit(1, factor); }',
            self.reducer,
            scope={'factor': 5},
            limit=2,
            finalize='function(key, value) { return value * 10; }',
        )
        self.assertEqual(inline, [{'_id': 1.0, 'value': 100.0}])

    def test_the_collections_write_concern_is_sent(self) -> None:
        things = self.old.things.with_options(
            write_concern=WriteConcern(w=50, wtimeout=1)
        )
        with self.assertRaises((WriteConcernError, OperationFailure)):
            things.map_reduce(self.mapper, self.reducer, 'tags')

    def test_bad_javascript_is_the_servers_error(self) -> None:
        with self.assertRaises(OperationFailure):
            self.old.things.inline_map_reduce('function() { nope(', self.reducer)


class BulkTest(LegacyTest):
    """The examples of the documentation's chapter on bulk writes."""

    def setUp(self) -> None:
        super().setUp()
        self.db.test.insert_many([{'i': i} for i in range(10)])

    def counts(self, **counts: Any) -> dict[str, Any]:
        names = ('nInserted', 'nMatched', 'nModified', 'nRemoved', 'nUpserted')
        lists: dict[str, Any] = {
            name: [] for name in ('upserted', 'writeErrors', 'writeConcernErrors')
        }
        return {**dict.fromkeys(names, 0), **lists, **counts}

    def test_ordered(self) -> None:
        bulk = self.old.test.initialize_ordered_bulk_op()
        bulk.find({}).remove()
        for number in (1, 2, 3):
            bulk.insert({'_id': number})
        bulk.find({'_id': 1}).update({'$set': {'foo': 'bar'}})
        bulk.find({'_id': 4}).upsert().update({'$inc': {'j': 1}})
        bulk.find({'j': 1}).replace_one({'j': 2})
        expected = self.counts(
            nInserted=3,
            nMatched=2,
            nModified=2,
            nRemoved=10,
            nUpserted=1,
            upserted=[{'index': 5, '_id': 4}],
        )
        self.assertEqual(bulk.execute(), expected)
        self.assertEqual(
            list(self.db.test.find().sort('_id')),
            [{'_id': 1, 'foo': 'bar'}, {'_id': 2}, {'_id': 3}, {'_id': 4, 'j': 2}],
        )

    def test_ordered_stops_at_the_first_error(self) -> None:
        self.db.test.insert_many([{'_id': 4, 'j': 2}])
        bulk = self.old.test.initialize_ordered_bulk_op()
        bulk.find({'j': 2}).replace_one({'i': 5})
        bulk.insert({'_id': 4})
        bulk.find({'i': 5}).remove_one()
        with self.assertRaises(BulkWriteError) as caught:
            bulk.execute()
        details = caught.exception.details
        self.assertEqual((details['nModified'], details['nRemoved']), (1, 0))
        (error,) = details['writeErrors']
        self.assertEqual(
            (error['index'], error['code'], error['op']), (1, 11000, {'_id': 4})
        )

    def test_unordered_attempts_all(self) -> None:
        self.db.test.insert_many([{'_id': i} for i in (1, 2, 3, 4)])
        bulk = self.old.test.initialize_unordered_bulk_op()
        bulk.insert({'_id': 1})
        bulk.find({'_id': 2}).remove_one()
        bulk.insert({'_id': 3})
        bulk.find({'_id': 4}).replace_one({'i': 1})
        with self.assertRaises(BulkWriteError) as caught:
            bulk.execute()
        details = caught.exception.details
        self.assertEqual((details['nRemoved'], details['nModified']), (1, 1))
        self.assertEqual([each['index'] for each in details['writeErrors']], [0, 2])

    def test_update_one_and_remove_one_touch_one(self) -> None:
        bulk = self.old.test.initialize_ordered_bulk_op()
        bulk.find({}).update_one({'$set': {'u': 1}})
        bulk.find({'u': None}).remove_one()
        bulk.find({'u': None}).update({'$set': {'v': 1}})
        expected = self.counts(nMatched=9, nModified=9, nRemoved=1)
        self.assertEqual(bulk.execute(), expected)

    def test_upserts_of_one(self) -> None:
        bulk = self.old.test.initialize_unordered_bulk_op()
        bulk.find({'_id': 77}).upsert().update_one({'$set': {'u': 1}})
        bulk.find({'_id': 78}).upsert().replace_one({'u': 2})
        upserted = [{'index': 0, '_id': 77}, {'index': 1, '_id': 78}]
        expected = self.counts(nUpserted=2, upserted=upserted)
        self.assertEqual(bulk.execute(), expected)

    def test_an_inserted_document_has_its_id_before_execution(self) -> None:
        bulk = self.old.test.initialize_ordered_bulk_op()
        parent: dict[str, Any] = {'name': 'parent'}
        bulk.insert(parent)
        bulk.insert({'_id': 'child', 'parent': parent['_id']})
        bulk.execute()
        child = self.db.test.find_one('child') or {}
        self.assertEqual(self.db.test.find_one(child['parent']), parent)

    def test_nothing_to_execute_and_executing_twice_are_errors(self) -> None:
        bulk = self.old.test.initialize_ordered_bulk_op()
        with self.assertRaises(InvalidOperation):
            bulk.execute()
        bulk.insert({'_id': 1})
        bulk.execute()
        with self.assertRaises(InvalidOperation):
            bulk.execute()

    def test_write_concern(self) -> None:
        bulk = self.old.test.initialize_ordered_bulk_op()
        bulk.insert({'_id': 1})
        self.assertIsNone(bulk.execute({'w': 0}))
        bulk = self.old.test.initialize_ordered_bulk_op()
        bulk.insert({'_id': 2})
        with self.assertRaises(BulkWriteError) as caught:
            bulk.execute(write_concern={'w': 50, 'wtimeout': 1})
        self.assertEqual(len(caught.exception.details['writeConcernErrors']), 1)

    def test_validation_can_be_bypassed(self) -> None:
        self.db.create_collection('strict', validator={'x': {'$exists': True}})
        bulk = self.old.strict.initialize_ordered_bulk_op(
            bypass_document_validation=True
        )
        bulk.insert({'y': 1})
        self.assertEqual(bulk.execute(), self.counts(nInserted=1))

    def test_operators_and_replacements_are_not_mixed_up(self) -> None:
        for add in (
            lambda bulk: bulk.find({}).update({'x': 1}),
            lambda bulk: bulk.find({}).replace_one({'$set': {'x': 1}}),
        ):
            bulk = self.old.test.initialize_ordered_bulk_op()
            with self.assertRaises(ValueError):
                add(bulk)
                bulk.execute()

    def test_an_upsert_has_no_remove(self) -> None:
        bulk = self.old.test.initialize_ordered_bulk_op()
        with self.assertRaises(AttributeError):
            bulk.find({}).upsert().remove()


class DatabaseMethodsTest(LegacyTest):
    def roles(self) -> dict[str, list[str]]:
        users = self.db.command('usersInfo')['users']
        return {
            user['user']: sorted(role['role'] for role in user['roles'])
            for user in users
        }

    def test_collection_names(self) -> None:
        self.db.create_collection('stored')
        self.db.create_collection('shown', viewOn='stored')
        self.assertEqual(
            sorted(self.old.collection_names()), ['shown', 'stored', 'system.views']
        )
        for names in (
            self.old.collection_names(include_system_collections=False),
            self.old.collection_names(False),
        ):
            self.assertEqual(sorted(names), ['shown', 'stored'])

    def test_a_user_is_created_changed_and_removed(self) -> None:
        self.assertIsNone(self.old.add_user('mike', 'password'))
        self.assertEqual(self.roles(), {'mike': ['dbOwner']})
        self.assertIsNone(self.old.add_user('mike', 'other'))
        self.assertEqual(self.roles(), {'mike': ['dbOwner']})
        self.assertIsNone(self.old.add_user('mike', 'other', read_only=True))
        self.assertEqual(self.roles(), {'mike': ['read']})
        self.assertIsNone(self.old.remove_user('mike'))
        self.assertEqual(self.roles(), {})

    def test_a_user_with_roles(self) -> None:
        self.addCleanup(self.db.command, 'dropUser', 'ann')
        self.old.add_user('ann', 'password', roles=['readWrite'], customData={'a': 1})
        self.assertEqual(self.roles(), {'ann': ['readWrite']})

    def test_the_first_user_of_a_server_that_wants_passwords(self) -> None:
        """The localhost exception: users may be made, but not be listed."""
        with standalone('--auth') as server:
            with pymongo.MongoClient(server.uri) as client:
                admin: Any = legacy_database(client, 'admin')
                admin.add_user('root', 'secret')
            with pymongo.MongoClient(
                server.uri, username='root', password='secret'
            ) as client:
                (root,) = client.admin.command('usersInfo')['users']
                self.assertEqual(root['roles'], [{'role': 'root', 'db': 'admin'}])
                admin = legacy_database(client, 'admin')
                admin.add_user('reader', 'secret', read_only=True)
                reader = client.admin.command('usersInfo', 'reader')['users'][0]
                self.assertEqual(reader['roles'][0]['role'], 'readAnyDatabase')

    def test_a_removed_user_that_never_was_is_the_servers_error(self) -> None:
        with self.assertRaises(OperationFailure):
            self.old.remove_user('nobody')

    def test_what_a_user_cannot_be(self) -> None:
        with self.assertRaises(ConfigurationError):
            self.old.add_user('x', 'password', read_only=True, roles=['read'])
        with self.assertRaises(ValueError):
            self.old.add_user('x', '')
        self.assertEqual(self.roles(), {})

    def test_a_created_user_can_log_in_with_the_password(self) -> None:
        self.old.add_user('mike', 'pass word')
        self.addCleanup(self.old.remove_user, 'mike')
        with pymongo.MongoClient(
            self.uri, username='mike', password='pass word', authSource=self.db.name
        ) as client:
            self.assertEqual(client[self.db.name].command('ping')['ok'], 1.0)

    def test_a_created_collection_is_legacy(self) -> None:
        log = self.old.create_collection('log', capped=True, size=4096)
        self.assertIs(type(log), LegacyCollection)
        self.assertIs(type(log.database), LegacyDatabase)
        self.assertEqual(log.insert({'_id': 1}), 1)
        self.assertTrue(self.db.log.options()['capped'])


class FindTest(LegacyTest):
    """Arguments of PyMongo 2's `find()` that PyMongo 4 refuses."""

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': i, 'x': i % 2, 'y': 0} for i in range(4)])

    def test_spec_and_fields(self) -> None:
        found = self.old.notes.find(spec={'x': 1}, fields=['x'])
        self.assertEqual(list(found), [{'_id': 1, 'x': 1}, {'_id': 3, 'x': 1}])
        found = self.old.notes.find({'_id': 1}, fields={'_id': 0, 'x': 1})
        self.assertEqual(list(found), [{'x': 1}])
        self.assertEqual(
            self.old.notes.find_one({'_id': 1}, fields=None), {'_id': 1, 'x': 1, 'y': 0}
        )

    def test_no_fields_give_the_id_alone(self) -> None:
        for nothing in ([], {}):
            self.assertEqual(self.old.notes.find_one(1, fields=nothing), {'_id': 1})

    def test_as_class(self) -> None:
        self.assertIs(
            type(self.old.notes.find_one(1, as_class=OrderedDict)), OrderedDict
        )
        (found,) = self.old.notes.find({'_id': 1}, as_class=SON)
        self.assertIs(type(found), SON)
        self.assertIs(type(self.old.notes.find_one(1, as_class=None)), dict)

    def test_read_preference_and_what_is_passed_over(self) -> None:
        found = self.old.notes.find(
            read_preference=pymongo.ReadPreference.PRIMARY_PREFERRED,
            slave_okay=True,
            manipulate=False,
            network_timeout=5,
            partial=False,
        )
        self.assertEqual(
            found.collection.read_preference,
            pymongo.ReadPreference.PRIMARY_PREFERRED,
        )
        self.assertEqual(found.count(), 4)

    def test_find_one_by_id(self) -> None:
        expected = {'_id': 1, 'x': 1, 'y': 0}
        self.assertEqual(self.old.notes.find_one(1), expected)
        self.assertEqual(self.old.notes.find_one(spec_or_id=1), expected)
        self.assertEqual(self.old.notes.find_one(spec_or_id={'_id': 1}), expected)

    def test_arguments_of_pymongo_4_mean_what_they_do_there(self) -> None:
        for arguments, options in (
            (({'x': 1}, {'y': 0}, 1, 1), {}),
            (({}, {}), {}),
            ((), {'filter': {'x': 1}, 'sort': [('_id', -1)], 'limit': 1}),
            ((), {'projection': []}),
        ):
            with self.subTest(arguments=arguments, options=options):
                self.assertEqual(
                    list(self.old.notes.find(*arguments, **options)),
                    list(self.db.notes.find(*arguments, **options)),
                )


class SameAsPyMongo4Test(LegacyTest):
    """What PyMongo 4 can do, the legacy objects can, where names clash as well."""

    def test_collections_named_like_dropped_methods(self) -> None:
        self.old.user.group.insert_one({'_id': 1})
        self.assertEqual(self.old.user.group.find_one(), {'_id': 1})
        self.old.notes.count.insert_many([{}, {}])
        self.assertEqual(self.old.notes.count.count(), 2)
        self.old.eval.insert({'_id': 1})
        self.assertEqual(
            sorted(self.db.list_collection_names()),
            ['eval', 'notes.count', 'user.group'],
        )

    def test_gridfs(self) -> None:
        files = gridfs.GridFS(self.old)
        content = b'0123456789' * 60_000
        one = files.put(content, filename='big.txt')
        self.assertEqual(files.get(one).read(), content)
        self.assertEqual(self.old.fs.files.count(), 1)
        bucket = gridfs.GridFSBucket(self.old)
        bucket.delete(one)
        self.assertEqual(self.old.fs.chunks.count(), 0)

    def test_aggregate_watch_and_commands(self) -> None:
        self.old.notes.insert([{'x': 1}, {'x': 2}])
        (total,) = self.old.notes.aggregate(
            [{'$group': {'_id': 0, 'n': {'$sum': '$x'}}}]
        )
        self.assertEqual(total['n'], 3)
        self.assertEqual(self.old.command('count', 'notes')['n'], 2)
        self.assertEqual(self.old.notes.rename('letters')['ok'], 1.0)
        self.assertEqual(self.old.letters.distinct('x'), [1, 2])
        self.old.drop_collection(self.old.letters)
        self.assertEqual(self.old.list_collection_names(), [])

    def test_a_session_can_be_passed(self) -> None:
        with self.client.start_session() as session:
            self.old.notes.insert_one({'_id': 1}, session=session)
            self.assertEqual(self.old.notes.find_one(1, session=session), {'_id': 1})
            self.assertIn('notes', self.old.collection_names(session=session))

    def test_threads_share_a_collection(self) -> None:
        notes = self.old.notes

        def insert(number: int) -> None:
            notes.insert({'_id': number})

        threads = [threading.Thread(target=insert, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        self.assertEqual(self.ids('notes'), list(range(8)))


class TransactionTest(LegacyTest):
    """With `session.bind()` an unchanged migration runs in a transaction, whole."""

    def setUp(self) -> None:
        super().setUp()
        self.db.create_collection('notes')
        self.db.notes.insert_one({'_id': 'before', 'x': 0})

    def aborted(self, work: Callable[[], Any]) -> Any:
        """Do the work in a transaction that is aborted; give what it gave."""
        with self.client.start_session() as session:
            session.start_transaction()
            with session.bind(end_session=False):
                result = work()
            session.abort_transaction()
        return result

    def assert_nothing_happened(self) -> None:
        self.assertEqual(list(self.db.notes.find()), [{'_id': 'before', 'x': 0}])

    def test_every_write_is_part_of_it(self) -> None:
        notes = self.old.notes

        def bulk() -> Any:
            operation = notes.initialize_ordered_bulk_op()
            operation.insert({'_id': 1})
            return operation.execute()

        for work, expected in (
            (lambda: notes.insert({'_id': 1}), 1),
            (lambda: notes.insert([{'_id': 1}, {'_id': 2}]), [1, 2]),
            (lambda: notes.save({'_id': 1}), 1),
            (lambda: notes.update({}, {'$set': {'x': 1}})['n'], 1),
            (lambda: notes.remove()['n'], 1),
            (lambda: notes.find_and_modify({}, remove=True)['x'], 0),
            (lambda: bulk()['nInserted'], 1),
        ):
            self.assertEqual(self.aborted(work), expected)
            self.assert_nothing_happened()

    def test_a_write_concern_does_not_break_it_nor_escape_it(self) -> None:
        """PyMongo sends it along (w=1), or writes outside (w=0, several)."""
        for options in ({'w': 1}, {'w': 'majority'}, {'j': True}, {'w': 0}):
            concern = WriteConcern(**options)
            notes = self.old.get_collection('notes', write_concern=concern)
            for work in (
                lambda options=options: self.old.notes.insert({'_id': 1}, **options),
                lambda options=options: self.old.notes.insert([{'_id': 1}], **options),
                lambda options=options: self.old.notes.remove(**options),
                lambda notes=notes: notes.find_and_modify({}, remove=True),
                lambda notes=notes: notes.insert_many([{'_id': 1}]),
                lambda notes=notes: notes.delete_many({}),
                lambda notes=notes: notes.bulk_write([pymongo.InsertOne({'_id': 1})]),
            ):
                with self.subTest(options):
                    self.aborted(work)
                    self.assert_nothing_happened()

    def test_reads_see_it(self) -> None:
        def work() -> tuple[Any, ...]:
            self.old.notes.insert([{'x': 1}, {'x': 1}])
            return (
                self.old.notes.count(),
                self.old.notes.count({'x': 1}, limit=0, hint=[('_id', 1)]),
                self.old.notes.find({'x': 1}).limit(1).count(True),
                self.old.notes.find({'x': 1}).hint([('_id', 1)]).count(),
                self.old.notes.group(
                    [], {'x': 1}, {'n': 0}, 'function(obj, prev) { prev.n++; }'
                ),
            )

        self.assertEqual(self.aborted(work), (3, 2, 1, 2, [{'n': 2}]))
        self.assert_nothing_happened()

    def test_an_index_of_a_new_collection_is_part_of_it(self) -> None:
        self.assertEqual(self.aborted(lambda: self.old.new.ensure_index('x')), 'x_1')
        self.assertEqual(self.db.list_collection_names(), ['notes'])

    def test_a_passed_session_counts_in_it_too(self) -> None:
        with self.client.start_session() as session:
            session.start_transaction()
            self.old.notes.insert_one({'x': 1}, session=session)
            self.assertEqual(self.old.notes.count({}, session=session), 2)
            self.assertEqual(self.old.notes.find({}, session=session).count(), 2)
            session.abort_transaction()
        self.assertEqual(self.old.notes.count(), 1)


if __name__ == '__main__':
    unittest.main()

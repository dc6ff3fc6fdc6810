"""Dropped methods that write: results as PyMongo 3.13 gave them.

The expected values were taken from PyMongo 3.13 run on the same server.
"""

from __future__ import annotations

import unittest
import uuid
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import bson
import pymongo
from bson import ObjectId
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, TypeCodec, TypeRegistry
from bson.decimal128 import Decimal128
from bson.errors import InvalidDocument
from bson.raw_bson import RawBSONDocument
from bson.son import SON
from pymongo import UpdateOne, WriteConcern
from pymongo.collation import Collation
from pymongo.errors import (
    BulkWriteError,
    DuplicateKeyError,
    InvalidOperation,
    WriteConcernError,
    WriteError,
)

from tests.legacy import LegacyTest


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


class Money(TypeCodec):
    """Keeps Python's decimals as those of the server."""

    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value: Any) -> Any:
        return Decimal128(value)

    def transform_bson(self, value: Any) -> Any:
        return value.to_decimal()


class CustomTypesTest(LegacyTest):
    """Values that only the author's codecs can write: PyMongo 4's calls and ours."""

    def test_each_call_writes_them(self) -> None:
        price, more = {'price': Decimal('1.50')}, {'$set': {'more': Decimal('2')}}
        calls: list[Any] = [
            lambda notes: notes.insert_one({'_id': 2, **price}),
            lambda notes: notes.insert_many([{'_id': 2, **price}]),
            lambda notes: notes.update_one(price, more),
            lambda notes: notes.update_many(price, more),
            lambda notes: notes.replace_one(price, {'more': Decimal('2')}),
            lambda notes: notes.delete_one(price),
            lambda notes: notes.delete_many(price),
            lambda notes: notes.find_one_and_update(price, more),
            lambda notes: notes.find_one_and_replace(price, {'more': Decimal('2')}),
            lambda notes: notes.find_one_and_delete(price),
            lambda notes: notes.bulk_write([UpdateOne(price, more)]),
            lambda notes: notes.insert({'_id': 2, **price}),
            lambda notes: notes.save({'_id': 1, **price, 'more': Decimal('2')}),
            lambda notes: notes.update(price, more),
            lambda notes: notes.remove(price),
        ]
        options = CodecOptions(type_registry=TypeRegistry([Money()]))
        database = self.old.with_options(codec_options=options)
        for notes in (
            self.old.get_collection('notes', codec_options=options),
            self.old.notes.with_options(codec_options=options),
            database.notes,
        ):
            for number, call in enumerate(calls):
                with self.subTest(call=number):
                    before = {'_id': 1, 'price': Decimal128('1.50')}
                    self.db.notes.delete_many({})
                    self.db.notes.insert_one(before)
                    call(notes)
                    self.assertNotEqual(list(self.db.notes.find()), [before])


if __name__ == '__main__':
    unittest.main()

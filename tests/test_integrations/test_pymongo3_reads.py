"""Dropped methods that read or administer: results as PyMongo 3.13 gave them.

The expected values were taken from PyMongo 3.13 run on the same server, those of
`group`, which servers lost in 4.2, from PyMongo 3's documentation.
"""

from __future__ import annotations

import unittest
import warnings
from collections import OrderedDict
from typing import Any

import pymongo
from bson.code import Code
from bson.son import SON
from pymongo import WriteConcern
from pymongo.collation import Collation
from pymongo.errors import (
    ConfigurationError,
    DuplicateKeyError,
    OperationFailure,
    WriteConcernError,
)

from migopy.pymongo3 import LegacyCollection, LegacyDatabase, legacy_database
from tests.legacy import LegacyTest
from tests.server import standalone


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
        self.needs_version(5, 0)
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
        # As migrations get it, where the server keeps no acknowledged write by itself.
        durable = self.old.with_options(write_concern=WriteConcern(j=True))
        for answer in (
            durable.things.map_reduce(self.mapper, self.reducer, {'inline': 1}),
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


if __name__ == '__main__':
    unittest.main()

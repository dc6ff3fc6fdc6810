"""What else files of 2014 use of PyMongo 2 and 3, UUIDs above all."""

from __future__ import annotations

import textwrap
import unittest
import uuid
import warnings
from typing import Any

import bson
import pymongo
from bson import SON, Binary, Code
from bson.binary import UuidRepresentation
from pymongo import CursorType

from migopy.pymongo3 import (
    DroppedByPyMongo,
    LegacyCollection,
    LegacyDatabase,
    UuidsReadAsBinary,
    legacy_database,
)
from tests.project import PlainTest
from tests.server import DatabaseTest, standalone

ONE = uuid.UUID(int=1)
TWO = uuid.UUID(int=2)
OLD = UuidRepresentation.PYTHON_LEGACY


class FileTest(DatabaseTest):
    """A test that runs source texts as migration files with a legacy database."""

    def setUp(self) -> None:
        super().setUp()
        self.notices: list[str] = []
        self.old: Any = legacy_database(self.client, self.db.name, self.notices.append)
        quiet = warnings.catch_warnings()
        quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)
        warnings.simplefilter('ignore', DeprecationWarning)

    def up(self, source: str, name: str = '001_x.py', **names: Any) -> Any:
        """Run the body of a migration; give what it calls `result`."""
        namespace: dict[str, Any] = {
            '__name__': 'mongomigrations.x',
            'db': self.old,
            'ONE': ONE,
            'TWO': TWO,
            'bson': bson,
            'pymongo': pymongo,
            **names,
        }
        exec(compile(textwrap.dedent(source), f'/here/{name}', 'exec'), namespace)
        return namespace.get('result')

    def assert_said(self, *patterns: str) -> None:
        """Compare what the files were told, in order, with patterns."""
        self.assertEqual(len(self.notices), len(patterns), self.notices)
        for notice, pattern in zip(self.notices, patterns):
            self.assertRegex(notice, pattern)


class UuidTest(FileTest):
    """PyMongo 3 wrote `uuid.UUID` as subtype 3 and read that as `uuid.UUID`."""

    def setUp(self) -> None:
        super().setUp()
        self.standing = Binary.from_uuid(ONE, OLD)
        self.db.users.insert_one({'_id': self.standing, 'name': 'ANN'})

    def test_dropped_calls_write_and_read_them_as_pymongo_3_did(self) -> None:
        result = self.up("""
            db.users.insert({'_id': TWO, 'friends': [ONE]})
            db.users.update({'_id': ONE}, {'$set': {'friend': TWO}})
            result = [
                db.users.count({'_id': TWO}),
                db.users.find_and_modify({'_id': ONE}, {'$set': {'x': 1}})['friend'],
                db.users.save({'_id': TWO, 'friends': [ONE, TWO]}),
            ]
        """)
        self.assertEqual(result, [1, TWO, TWO])
        stored = self.db.users.find_one({'_id': Binary.from_uuid(TWO, OLD)}) or {}
        self.assertEqual(
            stored['friends'], [Binary.from_uuid(each, OLD) for each in (ONE, TWO)]
        )

    def test_all_calls_of_such_a_file_do(self) -> None:
        """A collection that it took before is not different either."""
        result = self.up("""
            users = db.users
            db.log.insert({'begun': True})
            users.insert_one({'_id': TWO, 'name': 'BOB'})
            users.update_one({'_id': TWO}, {'$set': {'friend': ONE}})
            result = {
                'find': [user['_id'] for user in users.find().sort('_id')],
                'find_one': users.find_one({'_id': ONE})['name'],
                'distinct': users.distinct('friend'),
                'aggregate': [
                    each['_id']
                    for each in users.aggregate([{'$match': {'friend': ONE}}])
                ],
                'delete': users.delete_one({'_id': TWO}).deleted_count,
            }
        """)
        expected = {
            'find': [ONE, TWO],
            'find_one': 'ANN',
            'distinct': [ONE],
            'aggregate': [TWO],
            'delete': 1,
        }
        self.assertEqual(result, expected)

    def test_update_each_gives_and_takes_them_too(self) -> None:
        result = self.up("""
            from migopy import update_each
            db.log.insert({'begun': True})
            result = []
            def befriend(user):
                result.append(user['_id'])
                return {'$set': {'friend': TWO}}
            update_each(db.users, befriend)
        """)
        self.assertEqual(result, [ONE])
        stored = self.db.users.find_one() or {}
        self.assertEqual(stored['friend'], Binary.from_uuid(TWO, OLD))

    def test_a_cursor_of_before_the_first_use_goes_on_right(self) -> None:
        self.db.numbers.insert_many([{'n': n} for n in range(3)])
        self.db.numbers.insert_one({'n': 3, 'owner': self.standing})
        result = self.up(
            """
            result = []
            for user in db.numbers.find({}, batch_size=2).sort('n'):
                db.log.insert({'n': user['n']})
                result.append(user.get('owner'))
            """
        )
        self.assertEqual(result, [None, None, None, ONE])

    def test_a_file_that_read_one_is_stopped_at_its_first_dropped_call(self) -> None:
        """What it compared may have come out wrong: here every user is an orphan."""
        orphans = """
            for user in db.users.find():
                if user['_id'] not in [ONE]:
                    db.users.remove(user['_id'])
        """
        with self.assertRaises(UuidsReadAsBinary) as caught:
            self.up(orphans)
        self.assertEqual(self.db.users.count_documents({}), 1)
        said = str(caught.exception)
        for words in (
            'remove()',
            'equals no uuid.UUID',
            'uuid_representation=3',
            "MONGO_CLIENT_OPTIONS = {'uuidRepresentation': 'pythonLegacy'}",
        ):
            self.assertIn(words, said)
        self.assert_said(r'^001_x.py, line 2: here a UUID is read as bson.Binary')

    def test_what_the_error_says_to_write_is_right(self) -> None:
        begin = """
            db = db.with_options(codec_options=
                db.codec_options.with_options(uuid_representation=3))
            result = [db.users.find_one()['_id'], db.users.count({'_id': ONE})]
        """
        self.assertEqual(self.up(begin), [ONE, 1])
        self.assert_said('count')

    def test_what_the_client_was_given_is_kept(self) -> None:
        for representation, subtype in (('pythonLegacy', 3), ('standard', 4)):
            with pymongo.MongoClient(
                self.uri, uuidRepresentation=representation
            ) as client:
                self.old = legacy_database(client, self.db.name)
                read = self.up(
                    """
                    db.ids.remove()
                    db.ids.insert({'_id': TWO})
                    result = db.ids.find_one()['_id']
                    """
                )
            stored = (self.db.ids.find_one() or {})['_id']
            self.assertEqual((read, stored.subtype), (TWO, subtype))

    def test_a_file_of_pymongo_4_keeps_what_that_gives(self) -> None:
        """It is told, as it may be one of PyMongo 3 that uses no dropped call."""
        self.up("db.log.insert({'an old file': 'ran before'})", '000_old.py')
        self.notices.clear()
        result = self.up("""
            from bson.binary import UuidRepresentation as Uuids
            for user in db.users.find():
                new = user['_id'].as_uuid(Uuids.PYTHON_LEGACY)
                new = bson.Binary.from_uuid(new, Uuids.STANDARD)
                db.users.update_one({'_id': user['_id']}, {'$set': {'new': new}})
            result = db.users.find_one()
        """)
        self.assertEqual(result['new'], Binary.from_uuid(ONE))
        self.assertEqual(type(result['_id']), Binary)
        self.assert_said('line 3: here a UUID is read as bson.Binary')
        with self.assertRaisesRegex(ValueError, 'UuidRepresentation'):
            self.up("db.users.insert_one({'_id': TWO})")

    def test_subtype_4_stays_binary_and_is_said(self) -> None:
        self.db.users.delete_many({})
        self.db.users.insert_one({'_id': Binary.from_uuid(ONE)})
        result = self.up("""
            db.log.insert({})
            user = db.users.find_one()
            db.users.save(user)
            result = user['_id']
        """)
        self.assertEqual(result, Binary.from_uuid(ONE))
        self.assertEqual(self.db.users.find_one(), {'_id': Binary.from_uuid(ONE)})
        self.assert_said('insert', 'line 3: .*uuid_representation=4', 'save')

    def test_other_binary_is_nothing_to_say(self) -> None:
        self.db.files.insert_one({'_id': 1, 'data': b'x', 'other': Binary(b'y', 5)})
        self.assertEqual(self.up('result = db.files.find_one()')['data'], b'x')
        self.assertEqual(self.notices, [])

    def test_options_of_ones_own_are_left_alone(self) -> None:
        result = self.up("""
            own = db.get_collection('users', codec_options=bson.CodecOptions())
            read = own.find_one()['_id']
            db.log.insert({})
            result = [read, own.find_one()['_id']]
        """)
        self.assertEqual(result, [self.standing, self.standing])


class WrittenUuidTest(PlainTest):
    """PyMongo 3 wrote a `uuid.UUID` as it was; PyMongo 4 wants to be told how."""

    def failed(self, source: str) -> str:
        self.migration('001_x.py', source)
        with self.assertRaisesRegex(ValueError, 'UuidRepresentation'):
            self.manager().execute()
        return self.logger.of('red')[-1]

    def test_a_file_that_writes_one_is_told_what_to_write(self) -> None:
        for write in (
            "insert_one({'_id': uuid.UUID(int=1)})",
            "bulk_write([pymongo.InsertOne({'_id': uuid.UUID(int=1)})])",
            "find_one({'_id': uuid.UUID(int=1)})",
        ):
            with self.subTest(write):
                said = self.failed(
                    f'import uuid\nimport pymongo\n\n\ndef up(db):\n'
                    f'    db.users.{write}\n'
                )
                self.assertIn(
                    'PyMongo 3 took a uuid.UUID as a binary of subtype 3', said
                )
                self.assertIn('uuid_representation=3', said)
                self.assertIn("{'uuidRepresentation': 'pythonLegacy'}", said)

    def test_what_it_says_to_set_is_right(self) -> None:
        source = 'import uuid\n\n\ndef up(db):\n    db.users.insert_one({"_id": %s})\n'
        self.failed(source % 'uuid.UUID(int=1)')
        options = {'uuidRepresentation': 'pythonLegacy'}
        self.manager(MONGO_CLIENT_OPTIONS=options).execute()
        [user] = self.db.users.find()
        self.assertEqual(user['_id'], Binary.from_uuid(ONE, OLD))

    def test_an_error_of_the_file_that_tells_of_uuids_is_only_shown(self) -> None:
        source = 'def up(db):\n    raise ValueError("no UuidRepresentation")\n'
        self.assertNotIn('PyMongo 3', self.failed(source))


class ConnectionTest(FileTest):
    """`db.connection` was PyMongo 2's client; today it is a collection."""

    def test_another_database_by_way_of_it_is_refused(self) -> None:
        for source, database, collection in (
            ("db.connection['shop']", "['shop']", "'connection.shop'"),
            ("db.connection['shop'].notes.find_one()", "['shop']", "'connection.shop'"),
            (
                'db.connection.shop.notes.find_one()',
                "['shop']['notes']",
                "'connection.shop.notes'",
            ),
            (
                "db.connection.shop['notes'].remove()",
                "['shop']['notes']",
                "'connection.shop.notes'",
            ),
            (
                'db.connection.shop.collection_names()',
                "['shop']['collection_names']",
                'connection.shop',
            ),
        ):
            with self.subTest(source), self.assertRaises(DroppedByPyMongo) as caught:
                self.up(source)
            self.assertIn(f'write db.client{database}', str(caught.exception))
            self.assertIn(collection, str(caught.exception))

    def test_a_method_of_the_client_is_refused(self) -> None:
        for method, advice in (
            ('database_names', r'write db\.client\.database_names\(\)'),
            ('drop_database', r'write db\.client\.drop_database\(\)'),
            # What the client does not have any more either.
            ('end_request', 'leave it out'),
            ('copy_database', 'use mongodump and mongorestore'),
            ('disconnect', 'leave it out'),
            ('close', 'leave it out'),
        ):
            with (
                self.subTest(method),
                self.assertRaisesRegex(DroppedByPyMongo, advice),
            ):
                self.up(f'db.connection.{method}()')

    def test_collections_of_that_name_are_todays(self) -> None:
        result = self.up("""
            db.connection.insert_one({'_id': 1})
            db.connection.log.insert_one({'_id': 2})
            db['connection.log.old'].insert_one({'_id': 3})
            db['connection']['log']['old'].insert_one({'_id': 4})
            db.connection.log.insert({'_id': 5})
            db.connection.insert({'_id': 6})
            result = [
                db.connection.count_documents({}),
                db.connection.log.distinct('_id'),
                db.get_collection('connection').log.old.distinct('_id'),
                db.connection.name,
            ]
        """)
        self.assertEqual(result, [2, [2, 5], [3, 4], 'connection'])
        with self.assertRaisesRegex(TypeError, 'not callable'):
            self.up('db.connection()')


class ClientTest(FileTest):
    """`db.client` gives other databases, and the client's dropped methods."""

    def setUp(self) -> None:
        super().setUp()
        self.other = f'{self.db.name}_other'
        self.addCleanup(self.client.drop_database, self.other)

    def test_other_databases_are_legacy_and_tell_the_same_file_once(self) -> None:
        self.up(
            """
            db.notes.insert({'_id': 1})
            db.client[OTHER].notes.insert({'_id': 2})
            getattr(db.client, OTHER).notes.insert({'_id': 3})
            db.client.get_database(OTHER).notes.insert({'_id': 4})
            """,
            OTHER=self.other,
        )
        self.assertEqual(self.client[self.other].notes.distinct('_id'), [2, 3, 4])
        self.assert_said(r'insert\(\)')

    def test_it_is_the_client_but_for_that(self) -> None:
        client = self.old.client
        self.assertIsInstance(client, pymongo.MongoClient)
        self.assertEqual(client, self.client)
        self.assertEqual(self.client, client)
        self.assertEqual(hash(client), hash(self.client))
        self.assertEqual(repr(client), repr(self.client))
        self.assertEqual(client.address, self.client.address)
        self.assertIs(type(client.admin), LegacyDatabase)
        self.assertEqual(client[self.db.name], self.db)
        with self.assertRaises(AttributeError):
            _ = client._no_such

    def test_its_sessions_and_transactions_are_good_everywhere(self) -> None:
        self.db.create_collection('notes')
        self.up("""
            with db.client.start_session() as session:
                with session.start_transaction():
                    db.notes.insert_one({'_id': 1}, session=session)
                    db.client[db.name].notes.insert_one({'_id': 2}, session=session)
                with session.bind(end_session=False):
                    db.notes.insert({'_id': 3})
                db.client.list_database_names(session=session)
        """)
        self.assertEqual(self.db.notes.distinct('_id'), [1, 2, 3])

    def test_dropped_methods(self) -> None:
        self.assertIn('admin', self.up('result = db.client.database_names()'))
        self.assert_said(r'client.database_names\(\): write client.list_database_names')
        with standalone() as server, pymongo.MongoClient(server.uri) as client:
            self.old = legacy_database(client, 'shop')
            locked = self.up('result = db.client.fsync(lock=True)')
            unlocked = self.up('result = db.client.unlock()')
        self.assertEqual((locked['ok'], unlocked['ok']), (1.0, 1.0))

    def test_it_stays_open_as_what_has_run_is_to_be_registered_with_it(self) -> None:
        self.up("""
            db.client.close()
            db.notes.insert_one({'_id': 1})
            with db.notes.database.client as client:
                client[db.name].notes.insert_one({'_id': 2})
            db.notes.insert_one({'_id': 3})
        """)
        self.assertEqual(self.db.notes.distinct('_id'), [1, 2, 3])
        self.assert_said(r'^001_x\.py, line 2: client\.close\(\) does nothing here')

    def test_to_close_it_makes_no_file_one_of_pymongo_3(self) -> None:
        self.db.users.insert_one({'_id': Binary.from_uuid(ONE)})
        read = self.up("""
            db.client.close()
            result = db.users.find_one()['_id']
        """)
        self.assertIs(type(read), Binary)

    def test_a_database_of_such_a_name_is_still_one(self) -> None:
        self.assertEqual(self.old.client.fsync.name, 'fsync')
        with self.assertRaisesRegex(TypeError, "no method 'no_such'"):
            self.old.client.no_such()


class CommandTest(FileTest):
    """PyMongo raises nothing where a reply to `db.command()` has failed writes."""

    def test_each_kind_of_write_that_failed_is_told_of_once(self) -> None:
        self.db.users.insert_many([{'_id': 1, 'age': 1}, {'_id': 2, 'age': 'old'}])
        self.up("""
            grown = {'q': {}, 'u': {'$inc': {'age': 1}}, 'multi': True}
            for _ in range(2):
                db.command('update', 'users', updates=[grown])
            db.command({'insert': 'users', 'documents': [{'_id': 1}]})
        """)
        self.assert_said(
            r'^001_x\.py, line 4: this update has not written all .*: Cannot',
            r'^001_x\.py, line 5: this insert has not written all .*: E11000',
        )

    def test_of_one_that_has_written_nothing_is_said(self) -> None:
        self.up("""
            db.command('insert', 'users', documents=[{'_id': 3}])
            db.command('ping')
            db.command('dropIndexes', 'users', index='none', check=False)
        """)
        self.assert_said()


class SystemJsTest(FileTest):
    """`db.system_js` held functions; setting one today does nothing, silently."""

    def test_functions_are_refused(self) -> None:
        for source, advice in (
            ("db.system_js.add = 'function(a, b) { return a + b; }'", 'replace_one'),
            ("db.system_js['add'] = 'function() {}'", 'replace_one'),
            ('del db.system_js.add', 'delete_one'),
            ("del db.system_js['add']", 'delete_one'),
            ('db.system_js.add(1, 2)', 'in Python'),
            ("db.system_js['add'](1, 2)", 'in Python'),
            ('db.system_js.list()', 'distinct'),
        ):
            with self.subTest(source):
                with self.assertRaises(DroppedByPyMongo) as caught:
                    self.up(source)
                self.assertIn(f'{advice}', str(caught.exception))

    def test_what_is_said_to_be_written_is_right(self) -> None:
        with self.assertRaises(DroppedByPyMongo) as caught:
            self.up("db.system_js.add = 'function() {}'")
        advice = caught.exception.advice
        self.up(advice[len('write ') : -len(' instead')])
        self.assertEqual(
            self.db['system.js'].find_one(), {'_id': 'add', 'value': Code('…')}
        )

    def test_a_collection_of_that_name_is_todays(self) -> None:
        self.up("""
            db.system_js.insert_one({'_id': 1})
            db.system_js.log.insert({'_id': 2})
        """)
        self.assertEqual(self.db.system_js.distinct('_id'), [1])
        self.assertEqual(self.db.system_js.log.distinct('_id'), [2])


class TruthTest(FileTest):
    def test_a_collection_and_a_database_are_true(self) -> None:
        result = self.up("""
            result = [bool(db.notes), bool(db), None or db.notes]
            if not db.notes:
                raise AssertionError
        """)
        self.assertEqual(result, [True, True, self.db.notes])
        self.assert_said('truth of a collection.*is not None', 'truth of a database')


class AggregateTest(FileTest):
    """PyMongo 2 gave the server's answer, PyMongo 3 and 4 give a cursor."""

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n, 'x': n % 2} for n in range(4)])

    def test_the_result_of_pymongo_2(self) -> None:
        result = self.up("""
            answer = db.notes.aggregate({'$match': {'x': 1}})
            result = [answer['ok'], answer['result'], answer['result']]
        """)
        documents = [{'_id': 1, 'x': 1}, {'_id': 3, 'x': 1}]
        self.assertEqual(result, [1.0, documents, documents])
        self.assert_said(
            r'aggregate\(\{…\}\)', r"\['ok'\]", r"\['result'\]: write list"
        )

    def test_use_cursor_is_passed_over(self) -> None:
        result = self.up('result = list(db.notes.aggregate([], useCursor=False))')
        self.assertEqual(len(result), 4)

    def test_the_cursor_is_todays_otherwise(self) -> None:
        cursor = self.old.notes.aggregate([{'$sort': {'_id': 1}}], batchSize=2)
        self.assertIsInstance(cursor, pymongo.command_cursor.CommandCursor)
        self.assertEqual([each['_id'] for each in cursor], [0, 1, 2, 3])
        with self.assertRaisesRegex(TypeError, 'not subscriptable'):
            cursor['no_such']
        out = self.old.notes.aggregate([{'$out': 'copy'}])
        self.assertEqual(list(out), [])
        self.assertEqual(self.db.copy.count_documents({}), 4)
        with self.client.start_session() as session:
            found = list(self.old.notes.aggregate([], session=session))
        self.assertEqual(len(found), 4)
        self.assertEqual(self.notices, [])


class FindArgumentsTest(FileTest):
    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n, 'x': -n} for n in range(4)])

    def test_modifiers(self) -> None:
        self.db.notes.create_index('x')
        result = self.up("""
            def ids(**options):
                return [each.get('_id') for each in db.notes.find(**options)]
            result = [
                ids(modifiers={'$orderby': {'x': 1}, '$hint': {'x': 1}}),
                ids(modifiers={'$orderby': [('x', 1)], '$hint': 'x_1'}),
                ids(modifiers={'$hint': {'x': 1}, '$min': {'x': -1}}),
                ids(modifiers={'$hint': {'x': 1}, '$max': {'x': -1}}, sort=[('x', 1)]),
                ids(modifiers={'$hint': 'x_1', '$returnKey': True, '$comment': 'why'}),
                ids(modifiers={'$maxTimeMS': 9000}, sort=[('_id', -1)]),
                ids(modifiers=None),
                '$recordId' in db.notes.find_one(modifiers={'$showDiskLoc': True}),
            ]
        """)
        expected = [
            [3, 2, 1, 0],
            [3, 2, 1, 0],
            [1, 0],
            [3, 2],
            [None] * 4,
            [3, 2, 1, 0],
            [0, 1, 2, 3],
        ]
        self.assertEqual(result[:-1], expected)
        self.assert_said(r'find\(modifiers=…\)')

    def test_modifiers_that_servers_dropped_are_refused(self) -> None:
        for modifier in ('$explain', '$maxScan', '$query', '$snapshot', '$foo'):
            with self.assertRaises(DroppedByPyMongo) as caught:
                self.old.notes.find(modifiers={modifier: 1})
            self.assertIn(modifier, str(caught.exception))

    def test_an_argument_counts_for_more_than_its_modifier(self) -> None:
        found = self.old.notes.find(
            sort=[('_id', -1)], modifiers={'$orderby': {'x': 1}}
        )
        self.assertEqual(found[0]['_id'], 3)

    def test_tailable_and_await_data(self) -> None:
        self.db.create_collection('log', capped=True, size=4096)
        self.db.log.insert_one({'_id': 1})
        for options, kind in (
            ({'tailable': True}, CursorType.TAILABLE),
            ({'tailable': True, 'await_data': True}, CursorType.TAILABLE_AWAIT),
            ({'await_data': True}, CursorType.NON_TAILABLE),
            ({'tailable': False, 'exhaust': False}, CursorType.NON_TAILABLE),
        ):
            with self.subTest(options), self.old.log.find(**options) as cursor:
                self.assertEqual(next(cursor), {'_id': 1})
                tails = kind != CursorType.NON_TAILABLE
                self.assertEqual(cursor.alive, tails)
                awaits = bool(cursor._query_flags & 32)
                self.assertEqual(awaits, kind == CursorType.TAILABLE_AWAIT)

    def test_exhaust(self) -> None:
        found = self.old.notes.find(exhaust=True, batch_size=2)
        self.assertTrue(found._exhaust)
        self.assertEqual(len(list(found)), 4)
        with self.assertRaises(DroppedByPyMongo):
            self.old.notes.find(exhaust=True, tailable=True)

    def test_what_servers_dropped_is_refused_where_it_was_asked_for(self) -> None:
        for name in ('snapshot', 'max_scan', 'tag_sets'):
            with self.subTest(name):
                with self.assertRaisesRegex(DroppedByPyMongo, name):
                    self.old.notes.find(**{name: 1})
                self.assertEqual(len(list(self.old.notes.find(**{name: None}))), 4)
        with self.assertRaisesRegex(DroppedByPyMongo, 'max_time_ms'):
            self.old.notes.find().max_scan(5)


class GroupScopeTest(FileTest):
    """A function may bring values of its own, which all three see."""

    def test_scopes(self) -> None:
        self.db.things.insert_many([{'x': 1}, {'x': 2}, {'x': 2}])
        at_once = bson.ObjectId()
        key = Code('function(doc) { return {big: doc.x >= limit}; }', {'limit': 2})
        reducing = Code(
            'function(doc, out) { out.n += step; out.at = base.at; }',
            {'step': 10, 'base': SON([('at', at_once)])},
        )
        ending = Code('function(out) { out.n += more; out.step = step; }', {'more': 5})
        groups = self.old.things.group(key, {}, {'n': 0}, reducing, ending)
        at = {'at': at_once, 'step': 10}
        self.assertEqual(
            sorted(groups, key=str),
            [{'big': False, 'n': 15, **at}, {'big': True, 'n': 25, **at}],
        )

    def test_scopes_of_map_reduce(self) -> None:
        self.db.things.insert_many([{'x': 1}, {'x': 2}])
        functions = (
            Code('function() { emit(1, this.x * factor); }', {'factor': 10}),
            Code('function(key, xs) { return Array.sum(xs) + base; }', {'base': 1}),
        )
        ending = Code('function(key, x) { return x + more; }', {'more': 100})
        inline = self.old.things.inline_map_reduce(*functions, finalize=ending)
        self.assertEqual(inline, [{'_id': 1.0, 'value': 131.0}])
        results = self.old.things.map_reduce(*functions, 'out', scope={'base': 2})
        self.assertEqual(results.find_one(), {'_id': 1.0, 'value': 32.0})


class AdministrationTest(FileTest):
    def test_current_op(self) -> None:
        mine = self.up('result = db.current_op()')
        everyones = self.up('result = db.current_op(include_all=True)')
        self.assertEqual(mine['ok'], 1.0)
        self.assertLessEqual(len(mine['inprog']), len(everyones['inprog']))
        self.assert_said(r'current_op\(\): write client.admin.aggregate')

    def test_profiling(self) -> None:
        was = self.db.command('profile', -1)
        self.addCleanup(self.db.command, 'profile', 0, slowms=was['slowms'])
        result = self.up("""
            first = db.profiling_level()
            db.set_profiling_level(2, slow_ms=50)
            db.notes.find_one({'looked': 'for'})
            second = db.profiling_level()
            db.set_profiling_level(0)
            result = [first, second, db.profiling_level(), db.profiling_info()]
        """)
        self.assertEqual(result[:3], [0, 2, 0])
        self.assertIn(
            {'looked': 'for'},
            [each.get('command', {}).get('filter') for each in result[3]],
        )
        self.assertEqual(self.db.command('profile', -1)['slowms'], 50)
        with self.assertRaises(ValueError):
            self.old.set_profiling_level(3)

    def test_collections_of_these_names_are_todays(self) -> None:
        self.up("""
            db.current_op.insert_one({'_id': 1})
            db.eval.find_one()
        """)
        self.assertIs(type(self.old.eval), LegacyCollection)
        self.assertEqual(self.db.list_collection_names(), ['current_op'])


if __name__ == '__main__':
    unittest.main()

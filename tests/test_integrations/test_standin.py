"""What a transaction refuses is answered for in a dry run, and found out."""

from __future__ import annotations

import contextlib
import unittest.mock
from typing import Any

from bson import DatetimeMS
from pymongo import ASCENDING, GEOSPHERE, TEXT
from pymongo.errors import OperationFailure

from migopy.errors import MigopyException
from tests import server
from tests.commands import Commands
from tests.project import FabTest, PlainTest
from tests.shapes import up
from tests.tried import ERRORS, TriedTest


class FoundTest(TriedTest):
    """What is said of commands that no transaction can do."""

    def test_an_index(self) -> None:
        self.db.users.insert_many({'email': f'{n // 2}@x'} for n in range(6))
        said = self.tried(
            """
            db.users.create_index('name')
            try:
                db.users.create_index('email', unique=True)
            except DuplicateKeyError as error:
                assert error.code == 11000 and 'email_1' in str(error)
            """
        )
        self.assertIn(
            '001_x.py would do: users index name_1 made\n'
            '  would make index users.name_1: 6 documents\n'
            '  would fail to make index users.email_1 (unique): 6 documents,'
            ' 3 duplicated values: ',
            said,
        )
        for value in ("'0@x' (2)", "'1@x' (2)", "'2@x' (2)"):
            self.assertIn(value, said)

    def test_one_that_would_fail_fails(self) -> None:
        self.db.users.insert_many([{'email': None}, {}])
        said = self.tried("db.users.create_index('email', unique=True)", status=1)
        self.assertIn('1 duplicated value: None (2)\n', said)
        self.assertIn('001_x.py failed in its up', said)
        self.assertIn('DuplicateKeyError: E11000', said)
        self.assertIn('001_x.py", line 5, in up', said)

    def test_what_the_migration_has_written_is_looked_through(self) -> None:
        self.db.users.insert_many({'_id': n, 'email': 'same'} for n in range(3))
        said = self.tried(
            """
            db.users.delete_many({'_id': {'$gt': 0}})
            db.users.create_index('email', unique=True)
            db.users.insert_one({'_id': 9, 'email': 'other'})
            """
        )
        self.assertIn('index users.email_1 (unique): 1 document, no duplicates', said)

    def test_a_dropped_collection_is_empty_and_a_new_one_is_there(self) -> None:
        self.db.old.insert_many({'_id': n} for n in range(3))
        said = self.tried(
            """
            assert 'old' in db.list_collection_names()
            db.old.drop()
            assert 'old' not in db.list_collection_names()
            assert db.old.find_one() is None and db.old.count_documents({}) == 0
            try:
                db.old.rename('new')
            except OperationFailure as error:
                assert error.code == 26
            db.old.insert_one({'_id': 1, 'again': True})
            db.old.rename('new')
            assert db.new.find_one() == {'_id': 1, 'again': True}
            assert db.list_collection_names() == ['new'], db.list_collection_names()
            """
        )
        self.assertIn('  would drop collection old: 3 documents, 1 index\n', said)
        self.assertIn('  would rename old to new: 1 document\n', said)

    def test_what_was_dropped_is_made_again(self) -> None:
        self.db.old.insert_many({'_id': n, 'n': 1} for n in range(3))
        self.db.old.create_index('n', name='n')
        self.db.three.insert_one({})
        said = self.tried(
            """
            db.old.drop()
            db.old.create_index('m', unique=True, name='n')
            assert 'old' in db.list_collection_names()
            assert list(db.old.index_information()) == ['_id_', 'n']
            db.old.insert_many([{'m': 1}, {'m': 2}])
            for _ in range(2):
                db.create_collection('new', validator={'n': {'$type': 'int'}})
                db.new.create_index('a', name='x', unique=True)
                db.new.insert_one({'n': 1})
                db.new.drop()
            db.new.create_index('b', name='x')
            assert db.new.index_information()['x']['key'] == [('b', 1)]
            db.new.insert_one({'n': 1})
            db.new.rename('two')
            db.three.drop()
            db.two.rename('three')
            assert db.list_collection_names() == ['old', 'three']
            """
        )
        self.assertIn('would do: ', said)

    def test_a_validator(self) -> None:
        self.db.users.insert_many({'_id': n, 'age': n or 'none'} for n in range(5))
        said = self.tried(
            """
            db.command('collMod', 'users', validator={'age': {'$type': 'number'}})
            assert db.users.options()['validator'] == {'age': {'$type': 'number'}}
            """
        )
        self.assertIn(
            '  would change the validator of users: 5 documents, 1 of them do not fit:'
            ' _id 0\n',
            said,
        )

    def test_a_validator_that_rejects_nothing(self) -> None:
        """With a warning only, or with none for what does not fit yet."""
        self.db.users.insert_many({'_id': n, 'age': n} for n in range(5))
        self.db.create_collection('strict', validator={'n': 1})
        self.db.strict.insert_one({'_id': 1, 'n': 1})
        grown = "validator={'age': {'$lt': 3}}"
        for body in (
            f"""
            db.command('collMod', 'users', {grown}, validationAction='warn')
            db.users.insert_one({{'age': 7}})
            """,
            f"""
            db.command('collMod', 'users', {grown}, validationLevel='moderate')
            db.users.update_many({{'age': {{'$gt': 2}}}}, {{'$inc': {{'age': 1}}}})
            """,
            """
            db.command('collMod', 'strict', validationLevel='off')
            db.strict.update_one({}, {'$set': {'more': 1}})
            """,
        ):
            with self.subTest(body):
                self.tried(body)

    def test_an_index_is_changed_by_its_keys(self) -> None:
        self.db.users.insert_many({'_id': n, 'age': n, 'city': 1} for n in range(2))
        self.db.users.create_index('age', name='by_age')
        said = self.tried(
            """
            age = {'keyPattern': {'age': 1.0}, 'hidden': True}
            db.command('collMod', 'users', index=age)
            assert db.users.index_information()['by_age']['hidden']
            """
        )
        self.assertIn('  would change index users.by_age\n', said)

    def test_an_index_that_becomes_unique(self) -> None:
        self.needs_version(6, 0)
        self.db.users.insert_many({'_id': n, 'age': n, 'city': 1} for n in range(2))
        said = self.tried(
            """
            for name in ('age', 'city'):
                db.users.create_index(name)
                index = {'keyPattern': {name: 1}}
                db.command('collMod', 'users', index={**index, 'prepareUnique': True})
                db.command('collMod', 'users', index={**index, 'unique': True})
            """,
            status=1,
        )
        self.assertIn('users.age_1 (unique): 2 documents, no duplicates', said)
        self.assertIn('users.city_1 (unique): 2 documents, 1 duplicated value', said)
        self.assertIn('OperationFailure: Cannot convert the index to unique', said)

    def test_what_needs_an_index_that_would_be_there_is_no_failure(self) -> None:
        self.db.users.insert_one({'_id': 1, 'n': 1, 'name': 'x'})
        made = "db.users.create_index('n')"
        for body in (
            f"{made}\ndb.users.delete_many({{'n': 1}}, hint='n_1')",
            f"{made}\nlist(db.users.find({{'n': 1}}, hint='n_1'))",
            "db.users.create_index([('name', 'text')])\n"
            "list(db.users.find({'$text': {'$search': 'x'}}))",
        ):
            with self.subTest(body):
                said = self.tried(body, status=1)
                self.assertIn('cannot be shown to its end: line 6: it wants an', said)
                self.assertNotIn('failed in its up', said)
        said = self.tried("db.users.count_documents({'n': 1}, hint='m_1')", status=1)
        self.assertIn('failed in its up', said)

    def test_a_capped_collection_is_renamed(self) -> None:
        self.db.create_collection('log', capped=True, size=4096)
        self.db.log.insert_one({})
        said = self.tried("db.log.rename('old')", 'list(db.old.find())', status=1)
        self.assertIn('001_x.py would do: collection log renamed to old\n', said)
        self.assertIn('line 5: it uses old: ', said)
        self.assertIn('would be renamed, and it is capped', said)

    def test_dates_that_are_far_away_are_merged(self) -> None:
        self.db.users.insert_one({'_id': 1, 'far': DatetimeMS(10**15)})
        said = self.tried("db.users.aggregate([{'$merge': 'other'}])")
        self.assertIn('  would merge 1 document into other\n', said)

    def test_an_output_of_a_stage_that_has_to_be_the_first(self) -> None:
        point = {'type': 'Point', 'coordinates': [0, 0]}
        self.db.users.insert_many([{'at': point, 'said': 'red fox'}, {}, {'n': 1}])
        self.db.users.create_index([('said', TEXT)])
        self.db.users.create_index([('at', GEOSPHERE)])
        near = {'near': point, 'distanceField': 'far'}
        said = self.tried(
            f"""
            found = {{'$text': {{'$search': 'fox'}}}}
            db.users.aggregate([{{'$match': found}}, {{'$out': 'foxes'}}])
            db.users.aggregate([{{'$geoNear': {near}}}, {{'$merge': 'near'}}])
            """,
            """
            same = {'$expr': {'$eq': ['$n', '$$one']}}
            db.users.aggregate([{'$match': same}, {'$out': 'ones'}], let={'one': 1})
            """
            if self.client.server_info()['versionArray'] >= [5, 0]
            else 'pass',
        )
        self.assertIn('  would replace all of foxes (0) by 1 document\n', said)
        self.assertIn('  would merge 1 document into near\n', said)
        if self.client.server_info()['versionArray'] >= [5, 0]:
            self.assertIn('  would replace all of ones (0) by 1 document\n', said)

    def test_the_errors_of_the_server(self) -> None:
        """The same ones as without a dry run, and the dry run goes on after each."""
        self.db.users.insert_one({'_id': 1})
        self.db.users.create_index([('a', ASCENDING)], name='a')
        self.db.other.insert_one({})
        self.db.create_collection('some', viewOn='users', pipeline=[])
        self.db.users.create_index([('b', ASCENDING), ('c', ASCENDING)], name='two')
        ttl = "index={'name': %r, 'expireAfterSeconds': 9}"
        expire = f"db.command('collMod', 'users', {ttl})"
        calls = [
            expire % '_id_',
            expire % 'two',
            "db.users.drop_index('nothing')",
            "db.users.drop_index('_id_')",
            "db.users.create_index('a', name='other')",
            "db.users.create_index('b', name='a')",
            "db.users.create_index('c', nonsense=1)",
            "db.users.create_index([('x', 'nonsense')])",
            "db.command('create', 'users')",
            "db.command('collMod', 'nothing', validator={})",
            "db.command('collMod', 'users', validator={'$nonsense': 1})",
            "db.command('dropIndexes', 'nothing', index='*')",
            "db.users.rename('other')",
            "db.users.rename('users')",
            "db.nothing.rename('more')",
            "db.users.aggregate([{'$nonsense': 1}, {'$out': 'x'}])",
            "db.users.aggregate([{'$match': {}}, {'$out': 'x'}], hint='nothing')",
            "db.users.aggregate([{'$merge': {'into': 'other', 'on': 'n'}}])",
            "db.command('collMod', 'users', index={'name': 'a'})",
            "db.command('collMod', 'users', index={'name': 'b', 'hidden': True})",
            "db.command('collMod', 'users', index={'hidden': True})",
            "db.command('collMod', 'users', viewOn='other', pipeline=[])",
            "db.some.rename('more')",
            "db.some.create_index('a')",
            "db.some.drop_index('a')",
        ]
        if self.client.server_info()['versionArray'] < [5, 1]:
            calls.append(expire % 'a')
        if self.client.server_info()['versionArray'] >= [5, 0]:
            calls += [
                "db.command('dropIndexes', 'users')",
                "db.command('collMod', 'users', nonsense=1)",
                "db.command('collMod', 'users', validationLevel='nonsense')",
            ]
        codes = []
        for call in calls:
            with self.assertRaises(OperationFailure, msg=call) as caught:
                eval(call, {'db': self.db})
            codes.append(caught.exception.code)
        said = self.tried(
            f"""
            for call, code in zip({calls!r}, {codes!r}):
                try:
                    eval(call)
                except OperationFailure as error:
                    assert error.code == code, (call, code, error)
                else:
                    raise AssertionError(call)
            db.users.insert_one({{'_id': 2}})
            """
        )
        self.assertIn('001_x.py would do: users 1 inserted\n', said)

    def test_what_cannot_be_known_ends_one_alone(self) -> None:
        self.db.users.insert_one({'_id': 1})
        said = self.tried(
            "db.first.insert_one({'_id': 1})",
            """
            db.create_collection('v', viewOn='users', pipeline=[])
            list(db.v.find())
            db.never.insert_one({})
            """,
            "db.other.insert_one({'n': db.first.count_documents({})})",
            'db.v.find_one()',
            status=1,
        )
        self.assertIn('001_x.py would do: first 1 inserted\n', said)
        self.assertIn('002_x.py cannot be shown to its end: line 6: it uses ', said)
        self.assertIn('Until then it would do: collection v made\n', said)
        self.assertIn('As if it did nothing more: 003_x.py, 004_x.py\n', said)
        self.assertIn('003_x.py would do: other 1 inserted\n', said)
        self.assertIn('004_x.py cannot be shown to its end', said)
        self.assertIn('could not show all of 002_x.py, 004_x.py. To run all', said)
        self.assertIn('type the same without dry_run=yes.', said)
        self.assertNotIn('Dry run: nothing was changed', said)
        # That alone would still be a dry run.
        said = self.fab('migrations:execute,show=1').stderr
        self.assertIn('type the same without show=1 and dry_run=yes.', said)

    def test_a_function_stored_on_the_server_is_not_taken_for_a_failure(self) -> None:
        """`execute` stores it: no transaction can, so no dry run can show it."""
        said = self.tried("db['system.js'].insert_one({'_id': 'add'})", status=1)
        self.assertIn('001_x.py cannot be shown to its end: line 5: ', said)
        self.assertNotIn('failed in its up', said)

    def test_an_error_that_is_caught_is_told_with_its_line(self) -> None:
        self.db.users.insert_one({'_id': 1})
        said = self.tried(
            "db.first.insert_one({'_id': 1})",
            """
            try:
                db.users.insert_one({'_id': 1})
            except DuplicateKeyError:
                pass
            db.users.insert_one({'_id': 2})
            """,
            "db.other.insert_one({'_id': 1})",
            "db.first.update_one({}, {'$set': {'n': 1}})",
            'db.users.find_one()',
            status=1,
        )
        self.assertIn('002_x.py cannot be shown to its end: ', said)
        self.assertIn('insert on ', said)
        self.assertIn('002_x.py, line 6: E11000', said)
        self.assertIn('003_x.py would do: other 1 inserted\n', said)
        # It is tried in a new transaction, without what the first one wrote.
        self.assertIn('004_x.py cannot be shown to its end: line 5: it uses ', said)
        self.assertIn('what 001_x.py would have written', said)
        self.assertIn('005_x.py cannot be shown to its end: line 5: it uses ', said)

    def test_an_error_of_a_read_that_is_caught_is_told_with_its_line(self) -> None:
        self.db.users.insert_one({'_id': 1})
        said = self.tried(
            """
            try:
                list(db.users.find(hint='nothing'))
            except OperationFailure:
                db.users.insert_one({'_id': 2})
            """,
            status=1,
        )
        self.assertIn('001_x.py cannot be shown to its end: ', said)
        self.assertIn('find on ', said)
        self.assertIn('001_x.py, line 6: ', said)
        self.assertNotIn('60 s', said)

    def test_what_a_dropped_index_still_refuses_is_no_failure(self) -> None:
        self.db.users.insert_one({'_id': 1, 'email': 'a'})
        self.db.users.create_index('email', unique=True)
        said = self.tried(
            """
            db.users.drop_index('email_1')
            db.users.insert_one({'_id': 2, 'email': 'a'})
            """,
            status=1,
        )
        self.assertIn('line 6: what would be gone is still there: E11000', said)
        self.assertNotIn('failed in its up', said)

    def test_what_a_new_constraint_would_refuse_later_is_told(self) -> None:
        self.db.users.insert_one({'_id': 1, 'email': 'a'})
        for later, shown in (("'a'", False), ("'b'", True)):
            with self.subTest(later):
                said = self.tried(
                    f"""
                    db.users.create_index('email', unique=True)
                    db.users.insert_one({{'_id': 2, 'email': {later}}})
                    """,
                    status=0 if shown else 1,
                )
                refused = 'unique index users.email_1 would refuse what is written'
                self.assertIs(
                    refused in said.replace(f'{self.db.name}.', ''), not shown
                )
        for later, shown in (('{}', False), ("{'age': 1}", True)):
            with self.subTest(later):
                said = self.tried(
                    f"""
                    db.command('collMod', 'users', validator={{'age': {{'$gt': 0}}}})
                    db.users.insert_one({later})
                    """,
                    status=0 if shown else 1,
                )
                self.assertIs('would refuse what is written' in said, not shown)

    def test_one_in_a_transaction_is_refused_as_it_would_be(self) -> None:
        self.db.users.insert_one({'_id': 1})
        said = self.tried(
            "db.users.create_index('a')",
            status=1,
            top='transaction = True',
        )
        self.assertIn('cannot be tried in a transaction', said)
        self.assertIn('Executed, it would fail in the same way', said)

    def test_a_model_that_goes_past_the_db_keeps_the_others_going(self) -> None:
        self.db.users.insert_one({'_id': 1})
        self.write(
            'models.py',
            f"""
            class Model:
                client = None

                @classmethod
                def collection(cls):
                    return cls.client[{self.db.name!r}]['users']
            """,
        )
        self.write(
            'fabfile.py',
            self.filled(self.fabfile)
            .replace('import migopy', 'import migopy, models, pymongo')
            .replace(
                'MONGO_DATABASE',
                'MongoClient = lambda *a, **k: made(*a, **k); MONGO_DATABASE',
            )
            + '\n\ndef made(*a, **k):\n'
            + '    models.Model.client = pymongo.MongoClient(*a, **k)\n'
            + '    return models.Model.client\n',
        )
        said = self.tried(
            """
            import models
            models.Model.collection().update_one({}, {'$set': {'n': 1}})
            models.Model.collection().drop_indexes()
            """,
            "db.other.insert_one({'n': 1})",
            status=1,
        )
        self.assertIn(
            'line 7: no transaction can do dropIndexes, and a dry run stands in', said
        )
        self.assertIn('Until then it would do: users 1 updated\n', said)
        self.assertIn('002_x.py would do: other 1 inserted\n', said)

    def test_with_documents_shown(self) -> None:
        self.db.users.insert_many({'_id': n, 'n': n} for n in range(3))
        self.migration(
            '001_x.py',
            up("""
            db.users.aggregate([{'$match': {'n': {'$gt': 0}}}, {'$out': 'some'}])
            db.users.create_index('n')
            db.users.update_one({'_id': 0}, {'$set': {'n': 9}})
            """),
        )
        result = self.assert_ok(self.fab('migrations:execute,show=2'))
        for line in (
            '  would replace all of some (0) by 2 documents\n',
            '  + some _id 1\n      n: 1\n',
            '  + some _id 2\n      n: 2\n',
            '  ~ users _id 0\n      n: 0 -> 9\n',
        ):
            self.assertIn(line, result.stderr)

    def test_what_only_asks_is_asked_outside(self) -> None:
        self.db.users.insert_one({'_id': 1})
        self.db.users.create_index('a')
        said = self.tried(
            """
            import re
            assert db.client.server_info()['version']
            assert db.command('buildInfo')['version']
            assert db.command('collStats', 'users')['count'] == 1
            assert db.command('count', 'users', query={'_id': 2}) == {'n': 0, 'ok': 1.0}
            where = {'$or': [{'$where': 'this._id == 1'}]}
            assert db.command('count', 'users', query=where, limit=5)['n'] == 1
            assert db.users.count(where) == 1
            assert db.command('count', 'users', query={'a': None}, hint='a_1')['n'] == 1
            assert db.command('listIndexes', 'users')['cursor']['firstBatch'][1]['key']
            assert db.name in db.client.list_database_names()
            stats = list(db.users.aggregate([{'$indexStats': {}}]))
            assert sorted(each['name'] for each in stats) == ['_id_', 'a_1']
            assert db.users.estimated_document_count() == 1
            db.more.insert_one({})
            names = db.list_collection_names
            assert names() == ['more', 'users']
            assert names(filter={'name': {'$regex': '^mo'}}) == ['more']
            in_capitals = {'$regex': '^M|^U', '$options': 'i'}
            assert names(filter={'name': in_capitals}) == ['more', 'users']
            assert names(filter={'name': {**in_capitals, '$options': ''}}) == []
            assert names(filter={'name': re.compile('^us')}) == ['users']
            assert names(filter={'name': {'$in': ['more', 'less']}}) == ['more']
            assert names(filter={'name': {'$not': {'$regex': 'o'}}}) == ['users']
            assert names(filter={'type': 'view'}) == []
            _, index = db.users.list_indexes()
            assert index['key'] == {'a': 1}
            assert db.users.options() == {}
            db.users.drop_indexes()
            assert list(db.users.index_information()) == ['_id_']
            db.command('collMod', 'users', validator={'b': {'$exists': False}})
            assert 'validator' in next(db.list_collections(
                filter={'name': 'users'}))['options']
            """
        )
        self.assertIn('would do: ', said)

    def test_what_would_wait_for_the_dry_run_is_not_asked(self) -> None:
        self.db.users.insert_one({'_id': 1})
        for call in ("db.validate_collection('users')", "db.command('dbHash')"):
            with self.subTest(call):
                body = f"db.users.update_one({{}}, {{'$set': {{'n': 1}}}})\n{call}"
                said = self.tried(body, status=1)
                self.assertIn('001_x.py cannot be shown to its end: line 6: ', said)
                self.assertIn('Until then it would do: users 1 updated\n', said)

    def test_two_at_once(self) -> None:
        self.db.users.insert_many({'_id': n, 'n': n} for n in range(9))
        body = """
            db.users.create_index('n', unique=True)
            db.fresh.create_index('n', unique=True)
            db.fresh.insert_one({'n': 1})
            db.users.update_many({'_id': {'$gt': %d}}, {'$inc': {'n': 100}})
            """
        self.migration('001_x.py', up(body % 8))
        before = self.state()
        for result in self.fabs(*['migrations:execute,show=2'] * 2):
            self.assert_ok(result)
            self.assertIn('no duplicates', result.stderr)
        self.assertEqual(self.state(), before)


class FewRightsTest(FabTest):
    """A user who may do what a migration does, and little else."""

    COLLECTIONS = {
        'migrations': ('find', 'insert', 'update', 'createIndex', 'listIndexes'),
        'migrations_history': ('find', 'insert', 'update', 'createIndex'),
        'migrations_lock': ('find', 'insert', 'update', 'remove'),
        'users': ('find', 'update', 'createIndex'),
    }

    def setUp(self) -> None:
        super().setUp()
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.mongod = stack.enter_context(server.set_with_auth())
        as_root = {'username': 'root', 'password': 'root'}
        root = stack.enter_context(server.MongoClient(self.mongod.uri, **as_root))
        privileges = [
            {'resource': {'db': 'shop', 'collection': name}, 'actions': actions}
            for name, actions in self.COLLECTIONS.items()
        ]
        self.shop = root.shop
        self.shop.command('createRole', 'few', privileges=privileges, roles=[])
        self.shop.command('createUser', 'ann', pwd='secret', roles=['few'])
        uri = self.mongod.uri.replace('//', '//ann:secret@').replace('/?', '/shop?')
        fabfile = self.filled(self.fabfile).replace(self.uri, uri)
        self.write('fabfile.py', fabfile.replace(self.db.name, 'shop'))

    def test_documents_are_shown_and_what_needs_more_rights_is_told(self) -> None:
        self.shop.users.insert_many({'_id': n, 'n': n} for n in range(3))
        self.migration('001_a.py', up("db.users.update_many({}, {'$inc': {'n': 1}})"))
        self.migration('002_b.py', up("db.users.create_index('n')"))
        result = self.fab('migrations:execute,show=2')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('  ~ users _id 1\n      n: 1 -> 2\n', result.stderr)
        self.assertIn('002_b.py cannot be shown to its end: line 5: ', result.stderr)
        said = 'lacks a right to try createIndexes: listCollections\n'
        self.assertIn(said, result.stderr)
        self.assertNotIn('First give', result.stderr)
        self.assertIsNone(self.shop.users.find_one({'n': 3}))
        self.assertEqual(self.shop.list_collection_names(), ['users'])

    def test_nobody_is_told_to_execute_what_would_be_refused(self) -> None:
        self.shop.users.insert_one({'n': 1})
        self.migration('001_a.py', up("db.users.drop_index('n_1')"))
        result = self.fab('migrations:execute,dry_run=yes')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('ann@shop has no right to dropIndex on users', result.stderr)
        self.assertIn(
            'not show all of 001_a.py. First give the user the rights named above. To'
            ' run all of it, type the same without',
            result.stderr,
        )


class CustomLoggerTest(PlainTest):
    """A logger of the fabfile's hears what is found, but no values."""

    def test_values_stay_out_of_it(self) -> None:
        self.db.users.insert_many([{'email': 'ann@secret'}, {'email': 'ann@secret'}])
        self.migration(
            '001_x.py',
            up(
                """
                try:
                    db.users.create_index('email', unique=True)
                except DuplicateKeyError:
                    pass
                """,
                ERRORS,
            ),
        )
        self.manager().execute(dry_run='yes')
        said = '\n'.join(message for _, message in self.logger.said)
        self.assertIn('2 documents, 1 duplicated value', said)
        self.assertNotIn('secret', said)


class ReadConcernTest(PlainTest):
    """What is found out does not depend on how the fabfile's client reads."""

    def test_of_the_uri_is_for_no_transaction(self) -> None:
        self.db.users.insert_many([{'_id': 1, 'n': 1}, {'_id': 2, 'n': 2}])
        self.migration(
            '001_x.py',
            up(
                """
                db.users.create_index('n')
                db.notes.create_index('n')
                db.users.update_many({'n': {'$gt': 0}}, {'$inc': {'n': 1}})
                """
            ),
        )
        for level in ('linearizable', 'snapshot', 'available'):
            with self.subTest(level):
                self.logger.said.clear()
                uri = f'{self.uri}&readConcernLevel={level}'
                self.manager(MONGO_URI=uri).execute(dry_run='yes', show='5')
                said = '\n'.join(message for _, message in self.logger.said)
                self.assertIn('users 2 updated, index n_1 made', said)


class ProbeTest(PlainTest):
    """What only finds out whether the server takes a pipeline."""

    def test_it_goes_through_no_collection(self) -> None:
        self.migration(
            '001_x.py',
            up("db.users.aggregate([{'$match': {'n': 1}}, {'$out': 'ones'}])"),
        )
        commands = Commands()
        options = {'event_listeners': [commands]}
        self.manager(MONGO_CLIENT_OPTIONS=options).execute(dry_run='yes')
        probes = [
            pipeline
            for each in commands.sent
            if {'$limit': 1} in (pipeline := each.command.get('pipeline', []))
        ]
        self.assertEqual(probes, [[{'$limit': 1}, {'$match': {'n': 1}}]])


class DuplicatesTest(TriedTest):
    """Duplicates are those that the server finds."""

    def test_of_all_kinds_of_indexes(self) -> None:
        documents: list[dict[str, Any]] = [
            {'a': 1, 'b': [1, 2], 'c': {'d': 'x'}, 't': 'A', 's': 1},
            {'a': 1.0, 'b': [2, 3], 'c': {'d': 'y'}, 't': 'a'},
            {'a': None, 'b': [], 'c': {}, 't': 'b'},
            {'b': [[]], 'c': {'d': ['x', 'x']}, 't': 'c'},
            {'a': '1', 'b': 7, 't': 'd', 'e': [{'x': 1, 'y': 1}, {'x': 2, 'y': 2}]},
            {'a': 5, 'b': 8, 't': 'e', 'e': [{'x': 1, 'y': 2}, {'x': 3, 'y': 3}]},
        ]
        self.db.data.insert_many(documents)
        indexes = [
            ("'a'", ''),
            ("'b'", ''),
            ("'c.d'", ''),
            ("'t'", ''),
            ("'t'", ", collation={'locale': 'en', 'strength': 2}"),
            ("'s'", ''),
            ("'s'", ', sparse=True'),
            ("'a'", ", partialFilterExpression={'t': {'$gt': 'b'}}"),
            ("[('a', 1), ('t', 1)]", ''),
            ("[('a', 1), ('b', -1)]", ''),
            # Each item of an array has an entry of its own, and no others.
            ("[('e.x', 1), ('e.y', 1)]", ', sparse=True'),
            ("'e.x'", ', sparse=True'),
            ("'e.0.y'", ', sparse=True'),
            ("'e.z'", ", partialFilterExpression={'e.x': 3}"),
        ]
        calls = [
            f"db.data.create_index({keys}, unique=True, name='i'{more})"
            for keys, more in indexes
        ]
        fail = []
        for call in calls:
            try:
                eval(call, {'db': self.db})
                fail.append(False)
            except OperationFailure:
                fail.append(True)
            self.db.data.drop_indexes()
        self.assertIn(True, fail)
        self.assertIn(False, fail)
        self.tried(
            f"""
            for call, fails in zip({calls!r}, {fail!r}):
                try:
                    eval(call)
                    assert not fails, call
                    db.data.drop_index('i')
                except DuplicateKeyError:
                    assert fails, call
            """
        )


class ManyDocumentsTest(PlainTest):
    """Collections that are too large to be emptied or copied in a transaction."""

    def tried(self, body: str) -> str:
        self.db.large.drop()
        self.db.large.insert_many({'_id': n} for n in range(4))
        self.migration('001_x.py', up(body))
        before = self.db.command('dbHash')['md5']
        self.logger.said.clear()
        with (
            unittest.mock.patch('migopy.standin.documents.MOST', 3),
            contextlib.suppress(MigopyException),
        ):
            self.manager().execute(dry_run='yes')
        self.assertEqual(self.db.command('dbHash')['md5'], before)
        return '\n'.join(message for _, message in self.logger.said)

    def test_what_is_not_used_any_more_is_shown(self) -> None:
        for body, line in (
            ('db.large.drop()', 'would drop collection large: 4 documents, 1 index'),
            ("db.large.rename('new')", 'would rename large to new: 4 documents'),
            (
                "db.large.aggregate([{'$out': 'new'}])",
                'would write more documents to new than tried',
            ),
        ):
            with self.subTest(body):
                said = self.tried(body)
                self.assertIn(line, said)
                self.assertIn('001_x.py would do: ', said)
                self.assertIn('Dry run: nothing was changed', said)

    def test_what_is_used_later_cannot_be_known(self) -> None:
        for body, reason in (
            (
                'db.large.drop()\ndb.large.insert_one({})',
                'line 6: it uses large: ',
            ),
            (
                "db.large.rename('new')\ndb.new.find_one()",
                'line 6: it uses new: ',
            ),
            (
                "db.large.rename('new')\ndb.large.find_one()",
                'line 6: it uses large: ',
            ),
            (
                "db.large.aggregate([{'$out': 'new'}])\n"
                "list(db.users.aggregate([{'$lookup': {'from': 'new',"
                " 'localField': 'a', 'foreignField': 'b', 'as': 'c'}}]))",
                'line 6: it uses new: ',
            ),
        ):
            with self.subTest(body):
                self.assertIn(reason, self.tried(body))

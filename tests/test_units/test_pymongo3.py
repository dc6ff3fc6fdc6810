"""What PyMongo 4 dropped: which object answers to what, and who is warned."""

from __future__ import annotations

import textwrap
import threading
import unittest
import warnings
from typing import Any
from unittest import mock

import pymongo
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import InvalidOperation
from pymongo.write_concern import WriteConcern

from migopy.pymongo3 import (
    CLIENT_METHODS,
    COLLECTION_METHODS,
    DATABASE_METHODS,
    DroppedByPyMongo,
    LegacyCollection,
    LegacyCursor,
    LegacyDatabase,
    legacy_database,
)
from migopy.pymongo3.refusals import (
    REFUSED_CLIENT_METHODS,
    REFUSED_COLLECTION_METHODS,
    REFUSED_DATABASE_METHODS,
)


def run_file(name: str, source: str, **names: Any) -> dict[str, Any]:
    """Run a source text as the file of that name."""
    namespace = {'__name__': 'mongomigrations.x', **names}
    exec(compile(source, name, 'exec'), namespace)
    return namespace


class UnconnectedTest(unittest.TestCase):
    """A test with a database whose server is never asked."""

    def setUp(self) -> None:
        self.client: Any = pymongo.MongoClient('mongodb://127.0.0.1:1', connect=False)
        self.addCleanup(self.client.close)
        self.notices: list[str] = []
        self.db: Any = legacy_database(self.client, 'shop', self.notices.append)


class ClassesTest(UnconnectedTest):
    def test_is_a_database_of_pymongo(self) -> None:
        self.assertIsInstance(self.db, Database)
        self.assertIsInstance(self.db.notes, Collection)
        self.assertEqual(self.db.client, self.client)
        self.assertEqual(self.db.name, 'shop')

    def test_every_way_to_a_collection_gives_a_legacy_one(self) -> None:
        db = self.db
        ways = {
            'attribute': db.notes,
            'item': db['notes'],
            'get_collection': db.get_collection('notes'),
            'attribute of a collection': db.notes.old,
            'item of a collection': db.notes['old'],
            'with_options': db.notes.with_options(write_concern=WriteConcern(w=1)),
            'database with_options': db.with_options().notes,
            'back and forth': db.notes.database.notes,
            'of a cursor': db.notes.find().collection,
            'of a cloned cursor': db.notes.find().clone().collection,
        }
        for way, collection in ways.items():
            with self.subTest(way):
                self.assertIs(type(collection), LegacyCollection)
                self.assertIs(type(collection.database), LegacyDatabase)

    def test_every_way_to_a_cursor_gives_a_legacy_one(self) -> None:
        cursor = self.db.notes.find({'x': 1})
        for way, other in {
            'find': cursor,
            'clone': cursor.clone(),
            'sort': self.db.notes.find().sort('x'),
            'slice': self.db.notes.find()[2:5],
        }.items():
            with self.subTest(way):
                self.assertIs(type(other), LegacyCursor)

    def test_options_are_kept_on_every_way(self) -> None:
        concern = WriteConcern(w='majority')
        db = self.db.with_options(write_concern=concern)
        self.assertEqual(db.notes.old.write_concern, concern)
        special = self.db.get_collection('notes', write_concern=concern)
        self.assertEqual(special.old.write_concern, concern)
        self.assertEqual(special.database.write_concern, WriteConcern())

    def test_equality_and_hash_are_those_of_pymongo(self) -> None:
        plain = self.client.shop
        self.assertEqual(self.db, plain)
        self.assertEqual(plain.notes, self.db.notes)
        self.assertEqual({plain: 1, plain.notes: 2}[self.db.notes], 2)
        self.assertNotEqual(self.db.notes, self.db.other)

    def test_a_client_of_another_kind_gives_its_own_database(self) -> None:
        client = mock.MagicMock()
        self.assertIs(legacy_database(client, 'shop'), client['shop'])


class NamesTest(UnconnectedTest):
    """Whatever PyMongo 4 gives a meaning keeps it."""

    def test_a_dropped_methods_name_is_still_a_collection(self) -> None:
        for name in (
            *COLLECTION_METHODS,
            *DATABASE_METHODS,
            *REFUSED_COLLECTION_METHODS,
            *REFUSED_DATABASE_METHODS,
        ):
            with self.subTest(name):
                self.assertEqual(self.db.notes[name].name, f'notes.{name}')
                self.assertEqual(getattr(self.db.notes, name).name, f'notes.{name}')
                self.assertEqual(getattr(self.db, name).full_name, f'shop.{name}')

    def test_none_of_the_methods_is_one_of_pymongo_4(self) -> None:
        for owner, methods in (
            (Collection, (*COLLECTION_METHODS, *REFUSED_COLLECTION_METHODS)),
            (Database, (*DATABASE_METHODS, *REFUSED_DATABASE_METHODS)),
            (pymongo.MongoClient, (*CLIENT_METHODS, *REFUSED_CLIENT_METHODS)),
        ):
            for name in methods:
                self.assertFalse(hasattr(owner, name), name)

    def test_a_method_that_never_was_is_pymongos_error(self) -> None:
        for call in (self.db.notes.inzert, self.db.a.b.inzert, self.db.inzert):
            with self.assertRaisesRegex(TypeError, "'inzert' method .* no such method"):
                call({'x': 1})

    def test_methods_of_a_database_are_not_a_collections(self) -> None:
        with self.assertRaisesRegex(TypeError, 'not callable'):
            self.db.notes.collection_names()

    def test_methods_of_a_collection_are_not_a_databases(self) -> None:
        with self.assertRaisesRegex(TypeError, 'not callable'):
            self.db.insert({'x': 1})

    def test_names_with_a_leading_underscore_are_attributes(self) -> None:
        with self.assertRaises(AttributeError):
            _ = self.db._private
        with self.assertRaises(AttributeError):
            _ = self.db.notes._private


class ArgumentsTest(UnconnectedTest):
    """What PyMongo 2 and 3 understood differently is not guessed."""

    def setUp(self) -> None:
        super().setUp()
        quiet = warnings.catch_warnings()
        quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)
        warnings.simplefilter('ignore', DeprecationWarning)

    def test_arguments_after_those_both_agree_on_must_be_named(self) -> None:
        notes = self.db.notes
        for call, arguments, name in (
            (notes.insert, ({}, True, True), 'check_keys'),
            (notes.save, ({}, True, True), 'check_keys'),
            (notes.update, ({}, {}, False, False, True), 'multi'),
            (notes.remove, ({}, True), 'multi'),
        ):
            with self.subTest(name), self.assertRaisesRegex(TypeError, name):
                call(*arguments)

    def test_an_unknown_option_is_refused(self) -> None:
        for call in (self.db.notes.insert, self.db.notes.remove, self.db.notes.save):
            with self.assertRaisesRegex(TypeError, 'colour'):
                call({}, colour='red')

    def test_a_document_must_be_one(self) -> None:
        for call in (
            lambda: self.db.notes.insert(4),
            lambda: self.db.notes.insert(None),
            lambda: self.db.notes.insert(['text']),
            lambda: self.db.notes.save([{'x': 1}]),
            lambda: self.db.notes.update(4, {'$set': {'x': 1}}),
            lambda: self.db.notes.update({}, 4),
            lambda: self.db.notes.update({}, [{'$set': {'x': 1}}]),
            lambda: self.db.notes.map_reduce('m', 'r', 5),
        ):
            with self.assertRaises(TypeError):
                call()

    def test_find_and_modify_either_updates_or_removes(self) -> None:
        for options in ({}, {'update': {'x': 1}, 'remove': True}):
            with self.assertRaisesRegex(ValueError, 'either update or remove'):
                self.db.notes.find_and_modify({'x': 1}, **options)

    def test_options_of_find_that_pymongo_4_refuses(self) -> None:
        with self.assertRaises(TypeError):
            self.client.shop.notes.find(spec={'x': 1})
        with self.assertRaisesRegex(TypeError, 'multiple values'):
            self.db.notes.find({'x': 1}, spec={'x': 2})
        with self.assertRaises(TypeError):
            self.db.notes.find(colour='red')


class RefusalsTest(UnconnectedTest):
    """What cannot be run any more says what to write instead."""

    def test_methods(self) -> None:
        for owner, refused in (
            (self.db.notes, REFUSED_COLLECTION_METHODS),
            (self.db, REFUSED_DATABASE_METHODS),
            (self.db.client, REFUSED_CLIENT_METHODS),
        ):
            for name, advice in refused.items():
                with self.subTest(name):
                    with self.assertRaises(DroppedByPyMongo) as caught:
                        getattr(owner, name)()
                    self.assertIn(f'{name}()', caught.exception.use)
                    self.assertEqual(caught.exception.advice, advice)
        self.assertEqual(self.notices, [])

    def test_attributes_that_mattered(self) -> None:
        for name in ('uuid_subtype', 'read_preference', 'write_concern', 'tag_sets'):
            for owner in (self.db, self.db.notes):
                with (
                    self.subTest(name),
                    self.assertRaisesRegex(DroppedByPyMongo, 'write with_options'),
                ):
                    setattr(owner, name, 4)

    def test_attributes_that_did_not_are_passed_over(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)
            self.db.safe = True
            self.db.notes.slave_okay = True
        self.assertEqual(len(self.notices), 2)

    def test_an_attribute_of_ones_own_can_be_set(self) -> None:
        notes = self.db.notes
        notes.mine = 1
        self.assertEqual(notes.mine, 1)
        self.assertEqual(self.notices, [])


class DriverTest(UnconnectedTest):
    """The file that is told is neither PyMongo's nor one of migopy's own."""

    def told(self, *modules: str) -> str:
        """Call from a file through files of these modules; give who is told."""
        call = run_file('/here/001_x.py', 'def call(f):\n    f()')['call']
        use = self.db.notes.insert
        for module in modules:
            source = 'def call(f):\n    return lambda: f()'
            inner = {'__name__': module}
            exec(compile(source, f'/there/{module}.py', 'exec'), inner)
            use = inner['call'](use)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)
            with self.assertRaises(TypeError):
                call(use)
        return self.notices[-1].partition(',')[0]

    def test_no_room_of_the_driver_is(self) -> None:
        for module in (
            'migopy.pymongo3',
            'migopy.pymongo3.collection',
            'migopy.backfill.pages',
            'pymongo.synchronous.collection',
            'bson',
            'gridfs.synchronous.grid_file',
        ):
            self.db = legacy_database(self.client, 'shop', self.notices.append)
            with self.subTest(module):
                self.assertEqual(self.told(module), '001_x.py')

    def test_a_package_whose_name_begins_alike_is(self) -> None:
        for module in ('migopy_helpers', 'pymongo_inmemory', 'mongomigrations.y'):
            self.db = legacy_database(self.client, 'shop', self.notices.append)
            self.assertEqual(self.told(module), f'{module}.py')


class DeprecationsTest(UnconnectedTest):
    """A file is told once of each dropped method that it uses."""

    # These calls fail before a server is asked; they are uses all the same.
    insert = 'try:\n    db.notes.insert(4)\nexcept TypeError:\n    pass\n'
    save = 'try:\n    db.notes.save(4)\nexcept TypeError:\n    pass\n'
    insert_function = 'def use(db):\n' + textwrap.indent(insert, '    ')

    def warned(self, *files: tuple[str, str]) -> list[warnings.WarningMessage]:
        """Run files (name and source) and give the warnings, none filtered."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            for name, source in files:
                run_file(name, source, db=self.db, InvalidOperation=InvalidOperation)
        return [each for each in caught if each.category is DeprecationWarning]

    def test_the_warning_is_of_the_calling_file_and_names_the_replacement(
        self,
    ) -> None:
        (warning,) = self.warned(('/here/001_x.py', self.insert))
        self.assertEqual(warning.filename, '/here/001_x.py')
        self.assertEqual(warning.lineno, 2)
        self.assertRegex(str(warning.message), r'insert\(\).*insert_one\(\)')

    def test_a_method_is_said_once_a_file_even_if_all_warnings_are_shown(self) -> None:
        caught = self.warned(('/here/001_x.py', self.insert * 3))
        self.assertEqual(len(caught), 1)

    def test_another_method_and_another_file_are_said_too(self) -> None:
        caught = self.warned(
            ('/here/001_x.py', self.insert + self.save),
            ('/here/002_x.py', self.insert),
        )
        said = [(each.filename, str(each.message).split('(')[0]) for each in caught]
        self.assertEqual(
            said,
            [
                ('/here/001_x.py', 'PyMongo 4 dropped insert'),
                ('/here/001_x.py', 'PyMongo 4 dropped save'),
                ('/here/002_x.py', 'PyMongo 4 dropped insert'),
            ],
        )

    def test_another_database_object_says_it_again(self) -> None:
        self.warned(('/here/001_x.py', self.insert))
        self.db = legacy_database(self.client, 'shop')
        self.assertEqual(len(self.warned(('/here/001_x.py', self.insert))), 1)

    def test_databases_and_collections_with_options_say_it_together(self) -> None:
        reached = self.insert + self.insert.replace(
            'db.notes', 'db.with_options().get_collection("notes").with_options()'
        )
        self.assertEqual(len(self.warned(('/here/001_x.py', reached))), 1)

    def test_notify_hears_a_sentence_though_the_filters_hide_the_warning(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            run_file('/here/001_x.py', self.insert * 2, db=self.db)
        (notice,) = self.notices
        self.assertTrue(notice.startswith('001_x.py, line 2: '), notice)
        self.assertIn('insert_one() or insert_many()', notice)

    def test_filters_that_make_it_an_error_raise_it(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            with self.assertRaises(DeprecationWarning):
                self.db.notes.insert(4)

    def test_threads_say_it_once(self) -> None:
        inserts = run_file('/here/001_x.py', self.insert_function)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            threads = [
                threading.Thread(target=inserts['use'], args=(self.db,))
                for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=10)
        self.assertEqual(len(self.notices), 1)

    def test_a_helper_file_is_the_caller_when_it_calls(self) -> None:
        helper = run_file('/here/helpers.py', self.insert_function)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            run_file('/here/001_x.py', 'use(db)', use=helper['use'], db=self.db)
        self.assertEqual([each.filename for each in caught], ['/here/helpers.py'])

    def test_the_old_arguments_of_find_are_said_of_the_file_that_called_pymongo(
        self,
    ) -> None:
        """`find_one()` is PyMongo's, and calls `find()` in its own file."""
        self.client.close()
        source = (
            'try:\n    db.notes.find_one({}, fields=["x"])\n'
            'except InvalidOperation:\n    pass\n'
        )
        (warning,) = self.warned(('/here/001_x.py', source))
        self.assertEqual((warning.filename, warning.lineno), ('/here/001_x.py', 2))
        self.assertIn('projection', str(warning.message))

    def test_calls_of_pymongo_4_say_nothing(self) -> None:
        source = (
            'db.notes.find({}, {"x": 1}).sort("x").limit(1)\n'
            'db.notes.insert.with_options()\n'
            'db.get_collection("notes")\n'
        )
        self.assertEqual(self.warned(('/here/001_x.py', source)), [])
        self.assertEqual(self.notices, [])

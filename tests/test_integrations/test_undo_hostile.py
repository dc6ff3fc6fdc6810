"""Images that others have written, or that a copy of a database has taken along."""

from __future__ import annotations

from typing import Any

from bson.raw_bson import RawBSONDocument

from migopy import MigopyException
from migopy.operations.images import NoImagesKept
from tests import hostile
from tests.images import state_of
from tests.project import PlainTest

CHANGE = """
    import migopy

    undo = True

    def up(db):
        for batch in migopy.batches(db.a, 2):
            for each in batch:
                db.a.update_one({'_id': each['_id']}, {'$set': {'x': 1}})
        db.old.drop()
"""

SETS = {'runs': {'$exists': True}}


class ImagesTest(PlainTest):
    def setUp(self) -> None:
        super().setUp()
        self.db.a.insert_many({'_id': n} for n in range(5))
        self.db.old.insert_one({'_id': 1})
        self.migration('001_a.py', CHANGE)
        self.manager().execute()
        self.after = state_of(self.db)
        self.images = self.db.migrations_undo

    def test_no_collection_is_dropped_that_was_not_set_aside(self) -> None:
        """Who can write to the images alone would have others drop what he likes."""
        other = self.client[f'{self.db.name}_other']
        self.addCleanup(self.client.drop_database, other.name)
        other.users.insert_one({'_id': 1})
        names = [f'{other.name}.users', f'{self.db.name}.a']
        self.images.update_one(SETS, {'$set': {'aside': names}})
        self.manager().undo(forget='001')
        self.assertEqual(self.images.count_documents({}), 0)
        self.assertEqual(other.users.count_documents({}), 1)
        self.assertEqual(self.db.a.count_documents({}), 5)

    def test_a_copy_changes_nothing_in_the_database_that_it_is_of(self) -> None:
        """The images name collections with their database, which is the other one."""
        copy = self.client[f'{self.db.name}_copy']
        self.addCleanup(self.client.drop_database, copy.name)
        for name in self.db.list_collection_names():
            documents = list(self.db[name].find())
            if documents:
                copy[name].insert_many(documents)
        manager = self.manager(MONGO_DATABASE=copy.name)
        said = 'this one is a copy of'
        with self.assertRaisesRegex(NoImagesKept, said):
            manager.rollback('001', undo='yes')
        with self.assertRaisesRegex(NoImagesKept, said):
            manager.undo(forget='001')
        self.assertEqual(state_of(self.db), self.after)
        self.manager().rollback('001')
        self.assertEqual(self.db.old.count_documents({}), 1)
        self.assertEqual(self.db.a.count_documents({'x': 1}), 0)

    def test_what_migopy_does_not_write_there_is_damaged(self) -> None:
        for which, fields in (
            ({'data': {'$exists': True}}, {'ns': 5}),
            ({'data': {'$exists': True}}, {'ns': 'admin.users'}),
            ({'data': {'$exists': True}}, {'ns': f'{self.db.name}'}),
            ({'data': {'$exists': True}}, {'pieces': 'x'}),
            ({'data': {'$exists': True}}, {'data': 'x'}),
            ({'record': {'$exists': True}}, {'record': 5}),
            ({'record': {'$exists': True}}, {'record.aside': f'{self.db.name}.a'}),
            (SETS, {'made': 5}),
            (SETS, {'made_at': ['x'], 'made': [f'{self.db.name}.old']}),
            (SETS, {'aside': [5]}),
            (SETS, {'bytes': 'x'}),
            (SETS, {'chunks': -1}),
        ):
            with self.subTest(fields):
                self.assert_refused(which, {'$set': fields})

    def test_a_document_that_cannot_be_read_is_damaged(self) -> None:
        before: Any = self.images.find_one({'data': {'$exists': True}})
        spoiled: RawBSONDocument = hostile.with_unreadable(before, 'more')
        self.images.delete_one({'_id': before['_id']})
        self.images.insert_one(spoiled)
        with self.assertRaisesRegex(MigopyException, 'not as they were written'):
            self.manager().rollback('001')
        self.manager().undo()

    def assert_refused(self, which: dict[str, Any], change: dict[str, Any]) -> None:
        before: Any = self.images.find_one(which)
        self.images.update_one({'_id': before['_id']}, change)
        with self.assertRaises(MigopyException):
            self.manager().rollback('001')
        self.manager().undo()
        self.images.replace_one({'_id': before['_id']}, before)
        self.assertEqual(state_of(self.db), self.after)

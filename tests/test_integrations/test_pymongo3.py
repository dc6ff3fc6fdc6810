"""A migration file of 2014 on today's PyMongo, whole, and what stays as it is."""

from __future__ import annotations

import threading
import unittest
import warnings
from typing import Any, Callable

import gridfs
import pymongo
from pymongo import WriteConcern, monitoring
from pymongo.errors import (
    OperationFailure,
)

from migopy.pymongo3 import legacy_database
from tests.legacy import LegacyTest

README_MIGRATION = """
def up(db):
    db.notes.insert({'content': 'test'})

def down(db):
    db.notes.remove({'content': 'test'})
"""


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

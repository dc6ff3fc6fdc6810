"""`update_each` in a transaction, which ends with the first write that is refused."""

from __future__ import annotations

from typing import Any

from pymongo.errors import PyMongoError

from migopy import update_each
from migopy.backfill import DocumentsFailed
from tests.project import PlainTest
from tests.server import DatabaseTest


class TransactionTest(DatabaseTest):
    """A session that is bound and in a transaction."""

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n, 'u': n} for n in range(10)])
        self.db.notes.create_index('u', unique=True)

    def failed(self, function: Any, **options: Any) -> DocumentsFailed:
        """Call it in a transaction that is aborted then."""
        with self.client.start_session() as session, session.bind(end_session=False):
            session.start_transaction()
            with self.assertRaises(DocumentsFailed) as caught:
                update_each(self.db.notes, function, **options)
            session.abort_transaction()
        self.assertEqual(self.db.notes.count_documents({'x': 1}), 0)
        return caught.exception

    def test_what_the_server_refuses_ends_the_call_at_once(self) -> None:
        for on_error in ('raise', 'collect'):
            for size in (1, 3, 1000):
                with self.subTest(on_error=on_error, batch_size=size):
                    seen: list[int] = []

                    def change(note: Any, seen: list[int] = seen) -> Any:
                        seen.append(note['_id'])
                        return {'$set': {'x': 1, 'u': 0}} if note['_id'] == 4 else None

                    error = self.failed(change, on_error=on_error, batch_size=size)
                    [(key, reason)] = error.failures
                    self.assertEqual(key, 4)
                    self.assertIn('E11000', reason)
                    self.assertIn(
                        'With _id 4 the server ended the transaction: nothing that was'
                        ' written in it is kept, and nothing more was tried.',
                        str(error),
                    )
                    self.assertEqual(len(seen), {1: 5, 3: 6, 1000: 10}[size])

    def test_what_the_function_raises_is_collected(self) -> None:
        def change(note: Any) -> Any:
            if note['_id'] in (3, 5):
                raise ValueError('bad')
            return {'$set': {'x': 1}}

        error = self.failed(change, on_error='collect', batch_size=2)
        self.assertEqual([key for key, _ in error.failures], [3, 5])
        self.assertEqual(error.counts.updated, 8)
        self.assertNotIn('transaction', str(error))

    def test_so_is_what_bson_cannot_hold_as_it_is_never_sent(self) -> None:
        def change(note: Any) -> Any:
            return {'$set': {'x': {1} if note['_id'] in (3, 5) else 1}}

        error = self.failed(change, on_error='collect')
        self.assertEqual([key for key, _ in error.failures], [3, 5])
        self.assertEqual(error.counts.updated, 8)

    def test_one_that_failed_before_is_named_as_well(self) -> None:
        def change(note: Any) -> Any:
            if note['_id'] == 3:
                raise ValueError('bad')
            return {'$set': {'u': 0}} if note['_id'] == 7 else None

        error = self.failed(change, on_error='collect', batch_size=2)
        self.assertEqual([key for key, _ in error.failures], [3, 7])
        self.assertIn('With _id 7 the server ended', str(error))


class MigrationTest(PlainTest):
    """A migration in a transaction is not run again for a document that fails."""

    UP = """
        from pathlib import Path
        import migopy

        transaction = True

        def up(db):
            with open(Path(__file__).parent / 'calls.txt', 'a') as calls:
                calls.write('up ')
            migopy.update_each(db.notes, change, on_error='collect')

        def change(note):
            return {'$set': {'u': note['_id'] // 2}}
        """

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n} for n in range(10)])
        self.db.notes.create_index('u', unique=True, sparse=True)
        self.migration('1_a.py', self.UP)

    def calls(self) -> str:
        return (self.folder / 'mongomigrations' / 'calls.txt').read_text()

    def test_it_runs_once_and_names_the_document(self) -> None:
        for options in ({}, {'dry_run': 'yes'}):
            with self.subTest(options):
                with self.assertRaises(DocumentsFailed) as caught:
                    self.manager().perform('execute', (), options)
                self.assertNotIsInstance(caught.exception, PyMongoError)
                self.assertEqual([key for key, _ in caught.exception.failures], [1])
        self.assertEqual(self.calls(), 'up up ')
        self.assertEqual(self.registered(), [])
        self.assertEqual(self.db.notes.count_documents({'u': None}), 10)

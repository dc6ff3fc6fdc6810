"""Undo of what `update_each` has changed, page by page."""

from __future__ import annotations

from typing import Any
from unittest import mock

from pymongo.errors import BulkWriteError

from migopy.backfill import NotOnce
from migopy.run import OutsidePages, Unfinished
from migopy.undo import Conflicts, Images
from tests.images import state_of
from tests.project import PlainTest

EACH = """
    import migopy

    undo = True

    def change(document):
        if document['_id'] % 10 == 7:
            return migopy.DELETE
        if document['_id'] % 10 == 5:
            return {'only': 1}
        return {'$set': {'x': 1, 'n': document['n'] + 1}}

    def up(db):
        migopy.update_each(db.a, change, batch_size=10)
"""


class PagesTest(PlainTest):
    """`undo = True` without a transaction: changes go through `update_each`."""

    def setUp(self) -> None:
        super().setUp()
        self.db.a.insert_many({'_id': n, 'n': n} for n in range(45))
        self.before = state_of(self.db)
        self.migration('001_a.py', EACH)

    def assert_undone(self, manager: Any) -> None:
        manager.rollback('001')
        self.assertEqual(state_of(self.db), self.before)
        self.assertEqual(self.registered(), [])
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_it_is_undone(self) -> None:
        manager = self.manager()
        manager.execute()
        self.assertNotEqual(state_of(self.db), self.before)
        self.assert_undone(manager)

    def test_it_is_undone_a_transaction_a_chunk(self) -> None:
        manager = self.manager()
        manager.execute()
        with mock.patch('migopy.undo.undoing.DOCUMENTS', 0):
            self.assert_undone(manager)

    def test_a_document_that_was_changed_twice(self) -> None:
        again = '\n        migopy.update_each(db.a, change, batch_size=7)\n'
        self.migration('001_a.py', EACH.rstrip() + again)
        manager = self.manager()
        manager.execute()
        self.assert_undone(manager)
        manager.execute()
        with mock.patch('migopy.undo.undoing.DOCUMENTS', 0):
            self.assert_undone(manager)
            manager.execute()
            self.db.a.update_one({'_id': 3}, {'$set': {'n': -1}})
            after = state_of(self.db)
            with self.assertRaises(Conflicts):
                manager.rollback('001')
            self.assertEqual(state_of(self.db), after)

    def test_images_that_are_too_large_for_a_transaction_are_told_as_that(self) -> None:
        reason = 'transaction is too large and will not fit in the cache'
        sent = {'op': {'data': b'images'}, 'index': 0, 'errmsg': reason, 'code': 388}
        error = BulkWriteError({'writeErrors': [sent]})
        with (
            mock.patch.object(Images, 'add_and_save', side_effect=error),
            self.assertRaises(NotOnce) as caught,
        ):
            self.manager().execute()
        self.assertIn(
            f'undo = True cannot be kept, as {reason} (give it fewer documents at a',
            str(caught.exception),
        )
        self.assertFalse(any('data' in text for _, text in self.logger.said))
        self.assertEqual(state_of(self.db), self.before)

    def test_pages_halve_until_their_images_fit_into_a_transaction(self) -> None:
        add, tried, added = Images.add_and_save, list[int](), list[int]()

        def add_few(self: Images, documents: Any, kept: Any, session: Any) -> None:
            tried.append(kept.documents - sum(added))
            if tried[-1] > 3:
                sent = {'index': 0, 'errmsg': 'will not fit', 'code': 388}
                raise BulkWriteError({'writeErrors': [sent]})
            add(self, documents, kept, session)
            added.append(tried[-1])

        with mock.patch.object(Images, 'add_and_save', add_few):
            self.manager().execute()
        # In order, each once.
        self.assertEqual(tried, [10, 5, *[2] * 22, 1])
        self.assertEqual(self.db.a.count_documents({'x': 1}), 37)
        self.assert_undone(self.manager())

    def test_one_that_failed_goes_on_or_is_undone(self) -> None:
        failing = EACH.replace(
            'def change(document):',
            'def change(document):\n        if document["_id"] == 33:\n'
            '            raise OSError',
        )
        for way in ('undone', 'goes on'):
            with self.subTest(way):
                self.migration('001_a.py', failing)
                manager = self.manager()
                with self.assertRaises(Exception):  # noqa: B017
                    manager.execute()
                self.assertEqual(self.registered(), [])
                self.assertNotEqual(state_of(self.db), self.before)
                self.assertIn('rollback,001_a.py', '\n'.join(self.logger.of('red')))
                if way == 'goes on':
                    self.migration('001_a.py', EACH)
                    manager = self.manager()
                    manager.execute('001')
                    self.assertEqual(self.registered(), ['001_a.py'])
                self.assert_undone(manager)
                self.assertEqual(self.contents('ran'), [])

    def test_a_rollback_is_named_where_images_are_kept(self) -> None:
        text = """
            import migopy

            {}

            def change(document):
                if document['_id'] == 33:
                    raise OSError
                return {{'$inc': {{'n': 1}}}}

            def up(db):
                migopy.update_each(db.a, change)
        """
        way = 'rollback,001_a.py  - restore'
        for line, wish, is_named in (
            ('', True, True),
            ('undo = False', True, False),
            ("undo = 'best effort'", False, False),
        ):
            with self.subTest(line, wish=wish):
                self.migration('001_a.py', text.format(line))
                manager = self.manager(UNDO=wish)
                self.logger.said.clear()
                with self.assertRaises(Exception):  # noqa: B017
                    manager.execute()
                failed = '\n'.join(each for _, each in self.logger.said)
                self.logger.said.clear()
                manager.show_status()
                status = '\n'.join(each for _, each in self.logger.said)
                with self.assertRaises(Unfinished) as caught:
                    manager.execute()
                for said in (failed, status, str(caught.exception)):
                    self.assertEqual(way in said, is_named, said)
                manager.ignore('001')
                manager.forget('001')

    def test_what_is_written_otherwise_is_refused(self) -> None:
        for line in (
            "db.b.insert_one({'x': 1})",
            "db.a.update_one({}, {'$set': {'x': 1}})",
        ):
            with self.subTest(line):
                self.migration('001_a.py', f'undo = True\n\ndef up(db):\n    {line}\n')
                with self.assertRaises(OutsidePages):
                    self.manager().execute()
                self.assertEqual(state_of(self.db), self.before)
                self.assertEqual(self.registered(), [])
                self.assertEqual(len(list(self.db.a.list_indexes())), 1)

    def test_without_a_transaction_for_each_page_nothing_is_written(self) -> None:
        patch = mock.patch('migopy.backfill.transactions.is_bound', lambda: True)
        with patch, self.assertRaises(NotOnce):
            self.manager().execute()
        self.assertEqual(state_of(self.db), self.before)

    def test_a_page_whose_document_the_server_refuses(self) -> None:
        self.db.command('collMod', 'a', validator={'x': {'$exists': False}})
        self.migration(
            '001_a.py',
            """
            import migopy

            undo = True

            def up(db):
                migopy.update_each(
                    db.a,
                    lambda each: {'$set': {'x' if each['_id'] == 4 else 'y': 1}},
                    on_error='collect',
                )
            """,
        )
        manager = self.manager()
        with self.assertRaises(Exception):  # noqa: B017
            manager.execute()
        self.assertEqual(self.db.a.count_documents({'y': 1}), 44)
        self.assert_undone(manager)

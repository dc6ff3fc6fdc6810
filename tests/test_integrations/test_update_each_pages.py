"""Commands of the pages of `update_each`, in transactions, also with images."""

from __future__ import annotations

import textwrap
from decimal import Decimal
from typing import Any
from unittest import mock

from bson import Decimal128
from bson.codec_options import CodecOptions, TypeCodec, TypeRegistry
from pymongo.errors import OperationFailure

import migopy
from migopy.backfill import DocumentsFailed, exactly_once, writes
from migopy.backfill.exactly_once import TRIPS, TRIPS_WITH_IMAGES
from migopy.server import mongod
from migopy.undo.capture import NO_RUNS
from tests.commands import Commands
from tests.images import state_of
from tests.project import PlainTest

UP = """
    import migopy

    undo = {undo}

    def up(db):
        migopy.update_each(migopy.given(db), migopy.change{options})
"""


class Money(TypeCodec):
    """Keeps Python's decimals as those of the server."""

    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value: Any) -> Any:
        return Decimal128(value)

    def transform_bson(self, value: Any) -> Any:
        return value.to_decimal()


class PagesTest(PlainTest):
    """A migration that changes each note, some a page."""

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n, 'n': n} for n in range(12)])
        self.commands = Commands()

    def execute(
        self, change: Any, options: str = '', undo: bool = False, given: Any = None
    ) -> Any:
        """Execute it; `given` gives the collection, and what it returns the manager."""
        text = textwrap.dedent(UP).format(options=options, undo=undo)
        self.migration('1_a.py', text)
        heard = {'event_listeners': [self.commands]}
        manager = self.manager(MONGO_CLIENT_OPTIONS=heard)
        names = {'change': change, 'given': given or (lambda db: db.notes)}
        with mock.patch.multiple(migopy, create=True, **names):
            manager.perform('execute', ('1_a.py',), {})
        return manager

    def in_transactions(self) -> list[str]:
        sent = self.commands.sent
        return [each.command_name for each in sent if 'autocommit' in each.command]

    def statements(self, name: str, field: str) -> list[int]:
        """List how many statements the commands for the notes had."""
        sent = [each.command for each in self.commands.sent]
        return [len(each[field]) for each in sent if each.get(name) == 'notes']

    def lookups(self) -> list[str]:
        """List how the documents of pages were looked up: in a row, or by a list."""
        found = []
        for command in [each.command for each in self.commands.sent]:
            if command.get('find') == 'notes' and 'autocommit' in command:
                found.append(next(iter(command['filter']['_id'])))
        return found


class CommandsTest(PagesTest):
    """A page is sent in as few commands as there can be, and each change once."""

    def test_three_for_a_page(self) -> None:
        self.execute(lambda note: {'$inc': {'n': 100}}, ', batch_size=6')
        page = ['update', 'update', 'commitTransaction']
        self.assertEqual(self.in_transactions(), page * 2)
        self.assertEqual(len(page), TRIPS)

    def test_six_where_images_are_kept(self) -> None:
        self.execute(lambda note: {'$inc': {'n': 100}}, ', batch_size=6', undo=True)
        page = ['update', 'find', 'update', 'find', 'update', 'commitTransaction']
        self.assertEqual(self.in_transactions(), page * 2)
        self.assertEqual(len(page), TRIPS_WITH_IMAGES)

    def test_no_more_for_images_of_a_large_page(self) -> None:
        with mock.patch('migopy.undo.capture.PAIRS', 2):
            self.execute(lambda note: {'$inc': {'n': 100}}, undo=True)
        self.assertEqual(len(self.in_transactions()), TRIPS_WITH_IMAGES)
        chunks = self.db.migrations_undo.count_documents({'ns': {'$exists': True}})
        self.assertEqual(chunks, 6)

    def test_deletions_alone_and_among_others(self) -> None:
        self.execute(
            lambda note: (
                migopy.DELETE
                if note['n'] < 6
                else {'only': 1}
                if note['n'] == 9
                else {'$inc': {'n': 100}}
                if note['n'] != 7
                else migopy.DELETE
            ),
            ', batch_size=6',
        )
        self.assertEqual(self.statements('delete', 'deletes'), [6, 1])
        self.assertEqual(self.statements('update', 'updates'), [5])
        found = [note.get('n') for note in self.db.notes.find(sort=[('_id', 1)])]
        self.assertEqual(found, [106, 108, None, 110, 111])

    def test_more_than_a_command_holds(self) -> None:
        for name, patch, options in (
            ('statements', mock.patch.object(writes, 'STATEMENTS', 5), ''),
            ('bytes', mock.patch.object(writes, 'STATEMENTS', 100), ', batch_size=6'),
        ):
            with self.subTest(name), patch:
                self.db.migrations.delete_many({})
                self.db.notes.update_many({}, {'$set': {'calls': 0}})
                filling = b' ' * (6_000_000 if name == 'bytes' else 6)
                self.execute(
                    lambda note, filling=filling: (
                        {'$inc': {'calls': 1}, '$set': {'x': filling}}
                        if note['n'] < 4
                        else {'$inc': {'calls': 1}}
                    ),
                    options,
                )
                self.assertEqual(self.db.notes.count_documents({'calls': 1}), 12)
                self.assertNotIn('abortTransaction', self.in_transactions())

    def test_what_bson_cannot_hold_is_left_out(self) -> None:
        odd: dict[int, Any] = {3: {1}, 5: b' ' * 17_000_000, 8: 1 << 70}
        with self.assertRaises(DocumentsFailed) as caught:
            self.execute(
                lambda note: {'$inc': {'calls': 1}, '$set': {'x': odd.get(note['n'])}},
                ", on_error='collect', exactly_once=True",
            )
        failed = [key for key, _ in caught.exception.failures]
        self.assertEqual(failed, [3, 5, 8])
        self.assertEqual(self.db.notes.count_documents({'calls': 1}), 9)

    def test_values_are_written_as_the_collection_has_them(self) -> None:
        options: CodecOptions[Any] = CodecOptions(type_registry=TypeRegistry([Money()]))
        self.execute(
            lambda note: {'$set': {'price': Decimal('1.50')}},
            given=lambda db: db.notes.with_options(codec_options=options),
        )
        wanted = {'price': Decimal128('1.50')}
        self.assertEqual(self.db.notes.count_documents(wanted), 12)


class ImagesTest(PagesTest):
    """Documents of a page are read in a row where they stand so, and are exact."""

    def setUp(self) -> None:
        super().setUp()
        self.before = state_of(self.db)

    def assert_undone(self, manager: Any) -> None:
        manager.rollback('1_a.py')
        self.assertEqual(state_of(self.db), self.before)

    def test_in_a_row(self) -> None:
        manager = self.execute(
            lambda note: {'$inc': {'n': 100}}, ', batch_size=3', undo=True
        )
        self.assertEqual(self.lookups(), ['$gte', '$gte'] * 4)
        self.assert_undone(manager)

    def test_with_some_of_them_deleted(self) -> None:
        manager = self.execute(
            lambda note: migopy.DELETE if note['n'] % 2 else {'$inc': {'n': 1}},
            ', batch_size=6',
            undo=True,
        )
        self.assertEqual(self.lookups(), ['$gte', '$gte'] * 2)
        self.assert_undone(manager)

    def test_among_others_it_is_not_tried_for_ever(self) -> None:
        manager = self.execute(
            lambda note: {'$inc': {'n': 100}} if note['n'] % 2 else None,
            ', batch_size=4',
            undo=True,
        )
        found = self.lookups()
        self.assertEqual(found.count('$gte'), NO_RUNS)
        self.assertEqual(found.count('$in'), 6)
        self.assert_undone(manager)

    def test_ids_that_are_in_no_row(self) -> None:
        self.db.notes.delete_many({})
        ids = [None, 1, 2.5, 'a', {'x': 1}, b'b', True]
        self.db.notes.insert_many([{'_id': each, 'n': 1} for each in ids])
        self.before = state_of(self.db)
        manager = self.execute(lambda note: {'$set': {'n': 2}}, undo=True)
        self.assert_undone(manager)

    def test_what_others_changed_since_the_page_was_read(self) -> None:
        def change(note: Any) -> Any:
            if note['n'] == 5:
                statement = {'q': {'_id': 4}, 'u': {'$set': {'by': 'others'}}}
                command = {'update': 'notes', 'updates': [statement]}
                _, port = self.client.address or ('', 0)
                mongod.ask(port, command, self.db.name)
                self.before = state_of(self.db)
            return {'$inc': {'n': 100}}

        manager = self.execute(change, ', batch_size=6', undo=True)
        self.assertEqual(self.db.notes.count_documents({'n': {'$gte': 100}}), 12)
        self.assertEqual(self.lookups(), ['$gte', '$in', '$in', '$gte', '$gte'])
        self.assert_undone(manager)

    def test_a_page_that_is_tried_again_is_kept_once(self) -> None:
        fails = iter([True])
        write = exactly_once.Writes.write

        def busy(self: Any, changes: Any) -> Any:
            written = write(self, changes)
            if next(fails, False):
                error = OperationFailure('busy', 112)
                error._add_error_label('TransientTransactionError')
                raise error
            return written

        with mock.patch.object(exactly_once.Writes, 'write', busy):
            manager = self.execute(lambda note: {'$inc': {'n': 100}}, undo=True)
        self.assert_undone(manager)

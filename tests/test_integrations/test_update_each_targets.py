"""What `update_each` goes through: odd collections, odd documents, few commands."""

from __future__ import annotations

import datetime
import math
import time
from functools import partial
from typing import Any
from unittest import mock

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference
from pymongo.errors import OperationFailure
from pymongo.monitoring import CommandListener, CommandStartedEvent
from pymongo.server_api import ServerApi

import migopy
from migopy import DELETE, batches, update_each
from migopy.backfill import (
    Checkpoints,
    DocumentsFailed,
    NotACollection,
    ReplacedMeanwhile,
    UnreadableId,
)
from tests.server import DatabaseTest, client


class Commands(CommandListener):
    """Counts the commands that reach the server."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


def with_text(key: Any, text: bytes) -> RawBSONDocument:
    """Give a document with a text that may be no UTF-8."""
    data = bson.encode({'_id': key, 'text': '?' * len(text)})
    return RawBSONDocument(data.replace(b'?' * len(text), text))


def set_x(note: Any) -> Any:
    return {'$set': {'x': 1}}


class NeitherTest(DatabaseTest):
    """What was given in a collection's or a function's place."""

    def test_is_refused_with_what_to_write(self) -> None:
        self.db.notes.insert_one({})
        given: Any
        for given, function, said in (
            (
                *(self.db.notes.find(), set_x),
                'update_each needs a collection of a MongoClient, not a Cursor: write'
                ' update_each(db.notes, function, {…}), not'
                ' update_each(db.notes.find({…}), function)',
            ),
            (self.db, set_x, 'not a Database: write update_each'),
            ('notes', set_x, 'not a str: write update_each'),
            (
                *(self.db.notes, {'$set': {'x': 1}}),
                'update_each needs a function that is called with each document, not a'
                ' dict: lambda document: {…}',
            ),
        ):
            with self.subTest(said), self.assertRaises(TypeError) as caught:
                update_each(given, function)
            self.assertIn(said, str(caught.exception))

    def test_a_filter_in_the_place_of_the_size_is_told_so(self) -> None:
        given: Any = {'x': 1}
        right = "not {'x': 1}: write batches(db.notes, filter={…})"
        for size, said in ((given, right), (0, 'not 0')):
            with self.assertRaises(ValueError) as caught:
                next(batches(self.db.notes, size))
            self.assertTrue(str(caught.exception).endswith(said), caught.exception)


class PagesTest(DatabaseTest):
    """A page is one command, however many documents there are in it."""

    def test_of_whole_pages_and_bulks(self) -> None:
        self.db.notes.insert_many([{'_id': n} for n in range(3500)])
        answers: dict[str, Any] = {
            'update': {'$set': {'x': 1}},
            'replacement': {'y': 1},
            'none': None,
        }
        for name, answer in answers.items():
            commands = Commands()
            # A machine with much else to do may take longer for a page.
            patient = mock.patch('migopy.backfill.update_call.SECONDS', math.inf)
            listening = client(event_listeners=[commands])
            with self.subTest(name), patient, listening as heard:
                notes = heard[self.db.name].notes
                update_each(notes, lambda note, answer=answer: answer)
                # Four pages; then none, neither with min nor without.
                self.assertEqual(commands.names.count('find'), 6)
                self.assertNotIn('getMore', commands.names)
                self.assertEqual(
                    commands.names.count('update'), 0 if answer is None else 4
                )

    def test_a_slow_function_makes_smaller_bulks(self) -> None:
        """It could not be stopped, nor be seen to go on, before a thousand calls."""
        self.db.notes.insert_many([{'_id': n} for n in range(5)])
        for batch_size in (None, 3):
            commands = Commands()
            with (
                self.subTest(batch_size=batch_size),
                client(event_listeners=[commands]) as heard,
                mock.patch('migopy.backfill.update_call.SECONDS', -1),
            ):
                update_each(heard[self.db.name].notes, set_x, batch_size=batch_size)
                self.assertEqual(commands.names.count('update'), 5)

    def test_one_that_bson_cannot_hold_does_not_make_each_a_command(self) -> None:
        self.db.notes.insert_many([{'_id': n} for n in range(1000)])
        commands = Commands()
        with (
            client(event_listeners=[commands]) as heard,
            self.assertRaises(DocumentsFailed) as caught,
        ):
            update_each(
                heard[self.db.name].notes,
                lambda note: {'$set': {'x': {1} if note['_id'] == 700 else 1}},
                on_error='collect',
            )
        self.assertEqual([key for key, _ in caught.exception.failures], [700])
        self.assertEqual(caught.exception.counts.updated, 999)
        # As often as 1000 can be halved.
        self.assertLessEqual(commands.names.count('update'), 10)

    def test_nor_is_more_needed_for_those_that_changed_meanwhile(self) -> None:
        self.db.notes.insert_many([{'_id': n} for n in range(500)])
        commands = Commands()
        with client(event_listeners=[commands]) as heard:
            changed: list[Any] = []

            def change(note: Any) -> Any:
                if not changed:
                    self.db.notes.update_many({}, {'$set': {'by': 'others'}})
                    changed.append(True)
                return {**note, 'x': 1}

            counts = update_each(heard[self.db.name].notes, change)
        self.assertEqual(counts.replaced, 500)
        self.assertEqual(self.db.notes.count_documents({'by': 'others', 'x': 1}), 500)
        self.assertNotIn('getMore', commands.names)


class NotACollectionTest(DatabaseTest):
    """What cannot be gone through is told before anything is done."""

    def refused(self, name: str) -> str:
        def fail(note: Any) -> None:
            self.fail('it was called')

        with self.assertRaises(NotACollection) as caught:
            update_each(self.db[name], fail)
        return str(caught.exception)

    def test_a_view(self) -> None:
        self.db.notes.insert_one({'_id': 1})
        self.db.create_collection('recent', viewOn='notes', pipeline=[])
        self.assertEqual(
            self.refused('recent'),
            f'{self.db.name}.recent is a view: nothing can be written to it.'
            ' Give update_each the collection that it shows, notes. Nothing was done.',
        )

    def test_a_time_series_collection(self) -> None:
        if self.client.server_info()['versionArray'][0] < 5:
            return  # There is none.
        self.db.create_collection('weather', timeseries={'timeField': 'at'})
        self.db.weather.insert_one({'at': datetime.datetime(2014, 5, 6)})
        self.assertIn('weather is a time-series collection: ', self.refused('weather'))

    def test_in_a_transaction(self) -> None:
        self.db.create_collection('recent', viewOn='notes', pipeline=[])
        self.db.create_collection('notes')
        with self.client.start_session() as session, session.bind(end_session=False):
            session.start_transaction()
            self.db.notes.insert_one({'_id': 1})
            self.assertIn('is a view', self.refused('recent'))
            session.commit_transaction()
        # To ask has not ended it.
        self.assertEqual(self.db.notes.count_documents({}), 1)


class ReplacedTest(DatabaseTest):
    """Others put another collection in the place of the one that is gone through.

    What is left of it can be neither found nor changed, which is not to pass for done.
    """

    def replacing(self, how: str) -> Any:
        """Give a function for documents that does so at the third one."""
        others = client()
        self.addCleanup(others.close)
        db = others[self.db.name]
        self.db.drop_collection('notes')
        self.db.drop_collection('older')
        self.db.notes.insert_many([{'_id': n} for n in range(6)])

        def change(note: dict[str, Any]) -> dict[str, Any]:
            if note['_id'] == 2 and how == 'dropped':
                db.notes.drop()
            elif note['_id'] == 2 and how == 'renamed':
                db.notes.rename('older')
            elif note['_id'] == 2 and how == 'written by $out':
                db.notes.aggregate([{'$match': {'_id': {'$gt': 1}}}, {'$out': 'notes'}])
            return {'$set': {'x': 1}}

        return change

    def test_it_is_said(self) -> None:
        for how in ('dropped', 'renamed', 'written by $out'):
            change = self.replacing(how)
            with self.subTest(how), self.assertRaises(ReplacedMeanwhile) as caught:
                update_each(self.db.notes, change, batch_size=2)
            self.assertIn(f'{self.db.name}.notes is not the', str(caught.exception))

    def test_at_the_end_of_a_loop_over_batches_too(self) -> None:
        change, seen = self.replacing('renamed'), []
        with self.assertRaises(ReplacedMeanwhile):
            for batch in migopy.batches(self.db.notes, 2):
                seen += [change(each) for each in batch]
        self.assertEqual(len(seen), 4)


class NotToldTest(DatabaseTest):
    """A role may write and not be told what collections there are."""

    def setUp(self) -> None:
        super().setUp()
        refusal = OperationFailure('not authorized', 13)
        patched = mock.patch(
            'pymongo.database.Database.list_collections', side_effect=refusal
        )
        patched.start()
        self.addCleanup(patched.stop)

    def test_it_works_all_the_same(self) -> None:
        self.db.notes.insert_many([{'_id': n, 'text': 'a'} for n in range(3)])
        self.assertEqual(update_each(self.db.notes, set_x).updated, 3)
        self.assertEqual(update_each(self.db.notes, lambda note: {'x': 2}).replaced, 3)
        self.assertEqual(update_each(self.db.notes, lambda note: DELETE).deleted, 3)

    def test_but_it_begins_anew_as_the_collection_may_be_another_one(self) -> None:
        self.db.notes.insert_many([{'_id': n} for n in range(3)])
        entries: list[dict[str, Any]] = []
        for _ in range(2):
            run = Checkpoints(entries, lambda entries: None, lambda name: False)
            with run.in_force():
                self.assertEqual(update_each(self.db.notes, set_x).updated, 3)
            entries = run.entries


class FilterTest(DatabaseTest):
    """Filters that the server refuses, or that others read elsewhere."""

    def test_one_with_an_order_of_its_own_is_refused_at_once(self) -> None:
        for odd in ({'$text': {'$search': 'x'}}, {'$and': [{'at': {'$near': []}}]}):
            for begin in (partial(update_each, function=set_x), batches):
                with self.subTest(odd, begin=begin):
                    with self.assertRaises(ValueError) as caught:
                        begin(self.db.notes, filter=odd)
                    self.assertIn('in the order of _id', str(caught.exception))

    def test_what_the_server_says_can_be_read(self) -> None:
        with self.assertRaises(OperationFailure) as caught:
            update_each(self.db.notes, set_x, {'$no': 1})
        self.assertIn("full error: {'", str(caught.exception))
        self.assertNotIn('RawBSONDocument', str(caught.exception))
        self.assertEqual(type(caught.exception.details), dict)

    def test_all_are_counted_on_the_primary(self) -> None:
        """A set of one member has no secondary, which would be waited for."""
        self.db.notes.insert_one({'_id': 1})
        notes = self.db.notes.with_options(read_preference=ReadPreference.SECONDARY)
        began = time.monotonic()
        self.assertEqual(update_each(notes, set_x).updated, 1)
        self.assertEqual(len(list(batches(notes))), 1)
        # A secondary is waited for 30 seconds by default.
        self.assertLess(time.monotonic() - began, 25)


class CappedTest(DatabaseTest):
    """A capped collection, which on older servers keeps the size of its documents."""

    def setUp(self) -> None:
        super().setUp()
        self.db.create_collection('notes', capped=True, size=100_000)
        self.db.notes.insert_many([{'_id': n, 'n': n} for n in range(3)])

    def test_what_keeps_it_is_done(self) -> None:
        counts = update_each(self.db.notes, lambda note: {'$inc': {'n': 1}})
        self.assertEqual(counts.updated, 3)

    def test_what_does_not_is_told_in_one_sentence_where_it_is_refused(self) -> None:
        refuses = self.client.server_info()['versionArray'][0] < 6
        for answer in ({'$set': {'x': 1}}, {'x': 'a long text'}, DELETE):
            with self.subTest(answer):
                try:
                    update_each(
                        self.db.notes,
                        lambda note, answer=answer: answer,
                        on_error='collect',
                    )
                except DocumentsFailed as error:
                    self.assertTrue(refuses)
                    told = 'notes is a capped collection: on this server its'
                    self.assertEqual(str(error).count(told), 1)
                    self.assertEqual(error.counts.failed, 3)
                else:
                    self.assertFalse(refuses)

    def test_it_is_not_blamed_for_the_function(self) -> None:
        with self.assertRaises(DocumentsFailed) as caught:
            update_each(self.db.notes, lambda note: 1 / 0)
        self.assertNotIn('capped', str(caught.exception))


class TextTest(DatabaseTest):
    """A text that is not UTF-8, which PyMongo cannot decode."""

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_one({'_id': 1})
        self.db.notes.insert_one(with_text(2, b'\xff\xfe'))
        self.db.notes.insert_one({'_id': 3})

    def test_its_document_fails_as_any_other(self) -> None:
        for size in (1, 2, 1000):
            with self.subTest(size), self.assertRaises(DocumentsFailed) as caught:
                update_each(self.db.notes, set_x, batch_size=size, on_error='collect')
            [(key, reason)] = caught.exception.failures
            self.assertEqual(key, 2)
            self.assertIn('InvalidBSON', reason)
            self.assertEqual(caught.exception.counts.updated, 2)

    def test_the_run_after_goes_past_it(self) -> None:
        with self.assertRaises(DocumentsFailed) as caught:
            update_each(self.db.notes, set_x)
        self.assertEqual([key for key, _ in caught.exception.failures], [2])
        self.assertEqual(caught.exception.counts.updated, 1)

    def test_where_the_collection_decodes_it_it_is_written(self) -> None:
        lenient = self.db.get_collection(
            'notes',
            codec_options=bson.CodecOptions(unicode_decode_error_handler='replace'),
        )
        counts = update_each(lenient, lambda note: {**note, 'n': 1})
        self.assertEqual(counts.replaced, 3)
        self.assertEqual(lenient.find_one({'_id': 2})['text'], '\ufffd\ufffd')

    def test_in_an_id(self) -> None:
        for key in ('?', {'a': '?'}):
            with self.subTest(key):
                odd = RawBSONDocument(bson.encode({'_id': key}).replace(b'?', b'\xff'))
                self.db.odd.insert_one(odd)
                with self.assertRaises(UnreadableId) as caught:
                    update_each(self.db.odd, set_x)
                self.assertIn('is not UTF-8', str(caught.exception))
                str(caught.exception).encode()
                self.db.odd.drop()


class NamedByNobodyTest(DatabaseTest):
    """An `_id` that is decoded, and encoded again is another one."""

    def test_it_is_neither_passed_over_nor_read_for_ever(self) -> None:
        keys = {
            'a field twice': {'a': 2, 'b': 1},
            'undefined': {'a': None},
            'a pointer': bson.Code('abc'),
        }
        for what, key in keys.items():
            data = bson.encode({'_id': key})
            if what == 'a field twice':
                data = data.replace(b'b', b'a')
            elif what == 'undefined':
                data = data.replace(b'\x0aa', b'\x06a')
            else:
                data = data.replace(b'\x0d_id', b'\x0c_id')[:-1] + b'5' * 12 + b'\0'
                data = len(data).to_bytes(4, 'little') + data[4:]
            self.db.odd.insert_one(RawBSONDocument(data))
            self.db.odd.insert_one({'_id': bson.MaxKey()})
            for size in (1, 1000):
                with self.subTest(what, size=size):
                    with self.assertRaises(UnreadableId) as caught:
                        update_each(self.db.odd, set_x, batch_size=size)
                    self.assertIn('has a field twice, or', str(caught.exception))
            self.db.odd.drop()


class StableApiTest(DatabaseTest):
    """The strict Stable API, which lacks a part of what is used elsewhere."""

    def test_each_kind_of_answer_in_pages_of_any_size(self) -> None:
        if self.client.server_info()['versionArray'][0] < 5:
            return  # There is none.
        with client(server_api=ServerApi('1', strict=True)) as strict:
            notes = strict[self.db.name].notes
            for size in (1, 3, 1000):
                with self.subTest(size):
                    notes.insert_many([{'_id': n, 'n': 1.0} for n in range(10)])
                    counts = update_each(notes, set_x, {'n': 1}, batch_size=size)
                    self.assertEqual(counts.updated, 10)
                    counts = update_each(
                        notes, lambda note: {**note, 'x': -0.0}, batch_size=size
                    )
                    self.assertEqual(counts.replaced, 10)
                    counts = update_each(notes, lambda note: DELETE, batch_size=size)
                    self.assertEqual(counts.deleted, 10)

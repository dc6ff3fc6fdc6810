"""`migopy.update_each`: what it writes, what it names, and where it goes on."""

from __future__ import annotations

import contextlib
import datetime
import re
import signal
import subprocess
import sys
import textwrap
import threading
import uuid
from typing import Any, Callable
from unittest import mock

import bson
from bson.codec_options import CodecOptions
from bson.son import SON
from pymongo.errors import BulkWriteError, WriteError

from migopy import DELETE, update_each
from migopy.backfill import (
    Checkpoints,
    Counts,
    DocumentsFailed,
    batch_loop,
    calls,
    checkpoints,
    resuming,
)
from migopy.backfill.documents import AS_IT_IS, packed
from migopy.backfill.pages import Pages
from migopy.backfill.writes import Writes
from tests.faults import eventually
from tests.project import FabTest, PlainTest, clean_environment
from tests.server import DatabaseTest

#: `_id`s of all the types that one may have.
MIXED: list[Any] = [
    bson.MinKey(),
    None,
    float('nan'),
    bson.Decimal128('-5.5'),
    -1,
    0,
    0.5,
    bson.Int64(1),
    bson.Decimal128('2'),
    3.0,
    2**40,
    '',
    'a',
    'b',
    {},
    {'a': 1, 'b': {'c.d': 'e'}},
    {'b': 1, 'a': None},
    {'': bson.Int64(2)},
    {'a': [1, 2.5, {'b': None}, []]},
    {'a': bson.Regex('x', 'i')},
    {'a': bson.MinKey()},
    {'a': bson.MaxKey()},
    b'bytes',
    bson.Binary(b'0123456789abcdef', 4),
    bson.ObjectId('5' * 24),
    bson.ObjectId('6' * 24),
    False,
    True,
    bson.DatetimeMS(-1),
    datetime.datetime(2014, 5, 6),
    bson.DatetimeMS(10**15),
    bson.Timestamp(1, 2),
    bson.Code('f'),
    bson.Code('f', {'a': 1}),
    bson.MaxKey(),
]


class UpdateEachTest(DatabaseTest):
    """A test with a collection of five documents, `notes`."""

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n, 'n': n} for n in range(5)])

    def notes(self) -> list[dict[str, Any]]:
        return list(self.db.notes.find(sort=[('_id', 1)]))

    def failed(self, *arguments: Any, **options: Any) -> DocumentsFailed:
        with self.assertRaises(DocumentsFailed) as caught:
            update_each(self.db.notes, *arguments, **options)
        return caught.exception


class AnswersTest(UpdateEachTest):
    """What the function returns is what is done."""

    def test_each_kind_of_answer(self) -> None:
        answers: list[Any] = [
            {'$set': {'n': 'set'}},
            [{'$set': {'n': {'$add': ['$n', 10]}}}],
            {'whole': 'new'},
            None,
            DELETE,
        ]
        counts = update_each(self.db.notes, lambda note: answers[note['_id']])
        self.assertEqual(
            self.notes(),
            [
                {'_id': 0, 'n': 'set'},
                {'_id': 1, 'n': 11},
                {'_id': 2, 'whole': 'new'},
                {'_id': 3, 'n': 3},
            ],
        )
        self.assertEqual(
            vars(counts),
            {
                'matched': 5,
                'updated': 2,
                'replaced': 1,
                'deleted': 1,
                'left': 1,
                'gone': 0,
                'failed': 0,
            },
        )
        self.assertEqual(
            str(counts), '5 matched, 2 updated, 1 replaced, 1 deleted, 1 left'
        )

    def test_a_document_may_be_changed_in_place_and_returned(self) -> None:
        def change(note: dict[str, Any]) -> dict[str, Any]:
            note['twice'] = note.pop('n') * 2
            del note['_id']
            return note

        counts = update_each(self.db.notes, change)
        self.assertEqual(counts.replaced, 5)
        self.assertEqual(self.notes()[4], {'_id': 4, 'twice': 8})

    def test_only_what_fits_the_filter_is_read(self) -> None:
        counts = update_each(
            self.db.notes, lambda note: {'$set': {'n': 0}}, {'n': {'$gt': 2}}
        )
        self.assertEqual((counts.matched, counts.updated), (2, 2))
        self.assertEqual([note['n'] for note in self.notes()], [0, 1, 2, 0, 0])

    def test_it_is_called_in_order_and_in_this_thread_for_any_size_of_batches(
        self,
    ) -> None:
        for size in (1, 2, 5, 1000):
            with self.subTest(batch_size=size):
                seen: list[tuple[int, int]] = []
                update_each(
                    self.db.notes,
                    lambda note, seen=seen: seen.append(
                        (note['_id'], threading.get_ident())
                    ),
                    batch_size=size,
                )
                here = threading.get_ident()
                self.assertEqual(seen, [(n, here) for n in range(5)])

    def test_an_empty_collection_and_one_that_is_not_there(self) -> None:
        self.assertEqual(update_each(self.db.nothing, self.fail).matched, 0)
        self.assertEqual(str(update_each(self.db.nothing, self.fail)), '0 matched')
        self.assertEqual(self.db.list_collection_names(), ['notes'])

    def test_documents_come_as_the_collection_gives_them(self) -> None:
        key = uuid.uuid4()
        options: CodecOptions[Any] = CodecOptions(
            SON, tz_aware=True, uuid_representation=bson.binary.STANDARD
        )
        own = self.db.get_collection('own', codec_options=options)
        own.insert_one({'_id': key, 'at': datetime.datetime(2014, 5, 6)})

        def change(document: Any) -> dict[str, Any]:
            self.assertIsInstance(document, SON)
            self.assertEqual(document['_id'], key)
            return {'$set': {'key': key, 'at': document['at'].astimezone()}}

        before = own.find_one()
        self.assertEqual(update_each(own, change).updated, 1)
        self.assertEqual(own.find_one(), SON({**before, 'key': key}))

    def test_writes_are_several_at_a_time(self) -> None:
        threads = set()
        together = threading.Barrier(3, timeout=20)
        write = Writes.write

        def wait(*arguments: Any) -> Any:
            threads.add(threading.get_ident())
            together.wait()
            return write(*arguments)

        self.db.notes.insert_one({'_id': 5, 'n': 5})
        with mock.patch.object(Writes, 'write', wait):
            update_each(
                self.db.notes, lambda note: {'$inc': {'n': 1}}, batch_size=2, workers=3
            )
        self.assertEqual(len(threads), 3)
        self.assertNotIn(threading.get_ident(), threads)
        self.assertEqual([note['n'] for note in self.notes()], [1, 2, 3, 4, 5, 6])

    def test_a_page_holds_no_more_than_the_server_gives_at_once(self) -> None:
        self.db.large.insert_many([{'_id': n, 'x': b' ' * 6_000_000} for n in range(5)])
        pages = []
        page = Pages.after

        def note(*arguments: Any) -> Any:
            pages.append(page(*arguments))
            return pages[-1]

        with mock.patch.object(Pages, 'after', note):
            counts = update_each(self.db.large, lambda each: {'$set': {'x': 1}})
        self.assertEqual(counts.updated, 5)
        self.assertEqual([len(each) for each in pages], [2, 2, 1, 0])

    def test_arguments_that_make_no_sense(self) -> None:
        no_counts = (0, -1, '5', 1.5, True)
        for wrong in (
            {'on_error': 'pass'},
            {'workers': None},
            *({name: each} for name in ('batch_size', 'workers') for each in no_counts),
            {'workers': None},
            *({'exactly_once': each} for each in ('no', 'yes', 0, 1, None)),
        ):
            [name] = wrong
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, name):
                update_each(self.db.notes, self.fail, **wrong)  # type: ignore[arg-type]


class MeanwhileTest(UpdateEachTest):
    """Others write while it works."""

    def meddled(self, meddle: Callable[[], object], answer: Any) -> Counts:
        """Let another write come between the function's look at 2 and the write."""
        self.seen: list[Any] = []

        def change(note: dict[str, Any]) -> Any:
            if note['_id'] == 2:
                self.seen.append(note['n'])
                if len(self.seen) == 1:
                    meddle()
            return answer(note)

        counts = update_each(self.db.notes, change)
        total = sum(vars(counts).values()) - counts.matched
        self.assertEqual(total, counts.matched)
        return counts

    def set_2(self, n: int) -> Callable[[], object]:
        return lambda: self.db.notes.update_one({'_id': 2}, {'$set': {'n': n}})

    def test_a_replacement_never_undoes_another_change(self) -> None:
        counts = self.meddled(self.set_2(7), lambda note: {'m': note['n']})
        self.assertEqual(self.seen, [2, 7])
        self.assertEqual([note['m'] for note in self.notes()], [0, 1, 7, 3, 4])
        self.assertEqual(counts.replaced, 5)

    def test_a_document_that_changed_is_not_deleted_unseen(self) -> None:
        counts = self.meddled(
            self.set_2(7), lambda note: DELETE if note['n'] < 7 else None
        )
        self.assertEqual(self.notes(), [{'_id': 2, 'n': 7}])
        self.assertEqual((counts.deleted, counts.left), (4, 1))

    def test_an_update_leaves_the_other_fields(self) -> None:
        self.meddled(self.set_2(7), lambda note: {'$set': {'m': 1}})
        self.assertEqual(self.seen, [2])
        self.assertEqual(self.notes()[2], {'_id': 2, 'n': 7, 'm': 1})

    def test_nothing_that_was_deleted_comes_back(self) -> None:
        answers: dict[str, Any] = {
            'update': {'$set': {'m': 1}},
            'replacement': {'m': 1},
            'deletion': DELETE,
        }
        for name, answer in answers.items():
            with self.subTest(name):
                self.db.notes.delete_many({})
                self.db.notes.insert_many([{'_id': n, 'n': n} for n in range(5)])
                counts = self.meddled(
                    lambda: self.db.notes.delete_one({'_id': 2}),
                    lambda note, answer=answer: answer,
                )
                self.assertNotIn(2, [note['_id'] for note in self.notes()])
                self.assertEqual((counts.matched, counts.gone), (5, 1))

    def test_what_does_not_fit_the_filter_any_more_is_left(self) -> None:
        for name, answer in {
            'update': {'$set': {'m': 1}},
            'replacement': {'m': 1},
        }.items():
            with self.subTest(name):
                self.db.notes.delete_many({})
                self.db.notes.insert_many([{'_id': n, 'n': n} for n in range(5)])
                self.seen = []

                def change(note: dict[str, Any], answer: Any = answer) -> Any:
                    if note['_id'] == 2:
                        self.set_2(-1)()
                    return answer

                counts = update_each(self.db.notes, change, {'n': {'$gte': 0}})
                self.assertEqual(self.notes()[2], {'_id': 2, 'n': -1})
                self.assertEqual((counts.matched, counts.gone), (5, 1))

    def test_one_that_changes_all_the_time_is_given_up(self) -> None:
        def change(note: dict[str, Any]) -> dict[str, Any]:
            if note['_id'] == 2:
                self.set_2(note['n'] + 1)()
            return {'m': 1}

        error = self.failed(change)
        self.assertEqual([key for key, _ in error.failures], [2])
        self.assertIn('others changed it 100 times meanwhile', str(error))
        self.assertEqual(error.counts.replaced, 4)
        self.assertNotIn('m', self.notes()[2])

    def test_a_large_document_is_compared_as_long_as_the_statement_holds_it(
        self,
    ) -> None:
        cases: list[tuple[int, int | None, bool]] = [
            (9, None, True),
            (9, 1, True),
            (5, 11, True),
            (5, 13, False),
            (9, 9, False),
        ]
        for before, after, is_compared in cases:
            with self.subTest(before=before, after=after):
                self.db.large.insert_one({'_id': 1, 'x': b' ' * (before * 1_000_000)})
                seen: list[Any] = []

                def change(
                    note: Any, seen: list[Any] = seen, after: int | None = after
                ) -> Any:
                    seen.append(note.get('by'))
                    self.db.large.update_one({'_id': 1}, {'$set': {'by': 'others'}})
                    return (
                        DELETE if after is None else {'x': b' ' * (after * 1_000_000)}
                    )

                counts = update_each(self.db.large, change)
                self.assertEqual(counts.replaced + counts.deleted, 1)
                self.assertEqual(seen, [None, 'others'] if is_compared else [None])
                self.db.large.drop()


class FailuresTest(UpdateEachTest):
    """A document that fails is named by its `_id`."""

    def fail_at(self, *keys: int) -> Callable[[dict[str, Any]], Any]:
        def change(note: dict[str, Any]) -> Any:
            if note['_id'] in keys:
                raise KeyError('odd')
            return {'$set': {'done': True}}

        return change

    def done(self) -> list[int]:
        return [note['_id'] for note in self.notes() if 'done' in note]

    def test_all_before_the_failed_one_is_written_and_no_more(self) -> None:
        for size in (1, 2, 1000):
            with self.subTest(batch_size=size):
                self.db.notes.update_many({}, {'$unset': {'done': 1}})
                error = self.failed(self.fail_at(3), batch_size=size)
                self.assertIn(f'{self.db.notes.full_name}: the document', str(error))
                self.assertIn("_id 3 failed: KeyError: 'odd'", str(error))
                self.assertIsInstance(error.__cause__, KeyError)
                self.assertEqual(self.done(), [0, 1, 2])
                self.assertEqual((error.counts.updated, error.counts.failed), (3, 1))

    def test_collected_ones_are_listed_at_the_end(self) -> None:
        for size in (1, 2, 1000):
            with self.subTest(batch_size=size):
                self.db.notes.update_many({}, {'$unset': {'done': 1}})
                error = self.failed(
                    self.fail_at(1, 3), batch_size=size, on_error='collect'
                )
                self.assertEqual(
                    error.failures, [(1, "KeyError: 'odd'"), (3, "KeyError: 'odd'")]
                )
                self.assertIn('2 documents failed', str(error))
                self.assertIn("_id 1: KeyError: 'odd'", str(error))
                self.assertIn("_id 3: KeyError: 'odd'", str(error))
                self.assertEqual(self.done(), [0, 2, 4])
                self.assertEqual((error.counts.updated, error.counts.failed), (3, 2))

    def test_the_list_does_not_grow_without_end(self) -> None:
        self.db.notes.insert_many([{'_id': n} for n in range(5, 1500)])
        error = self.failed(lambda note: 1 / 0, on_error='collect')
        self.assertEqual(error.counts.failed, 1500)
        self.assertEqual(len(error.failures), 1000)
        self.assertLess(len(str(error)), 3000)
        self.assertIn('and 1,480 more', str(error))

    def test_an_answer_that_is_none(self) -> None:
        for answer in (True, 'x', {}, [], (), 1):
            with self.subTest(answer=answer):
                error = self.failed(lambda note, answer=answer: answer)
                self.assertIn('_id 0', str(error))
                self.assertIsInstance(error.__cause__, TypeError)

    def test_what_bson_cannot_hold(self) -> None:
        for odd in ({1}, 2**64, {2: 1}, b' ' * 17_000_000):
            with self.subTest(type(odd).__name__):
                error = self.failed(
                    lambda note, odd=odd: {'$set': {'x': odd if note['n'] == 2 else 1}},
                    on_error='collect',
                )
                self.assertEqual([key for key, _ in error.failures], [2])
                self.assertEqual(error.counts.updated, 4)
                self.assertIsNotNone(error.__cause__)

    def test_what_the_server_refuses(self) -> None:
        self.db.notes.create_index('u', unique=True, sparse=True)
        error = self.failed(
            lambda note: {'$set': {'u': note['n'] // 2}}, on_error='collect'
        )
        self.assertEqual(error.counts.updated, 3)
        self.assertEqual([key for key, _ in error.failures], [1, 3])
        self.assertIn('E11000', error.failures[0][1])
        self.assertIsInstance(error.__cause__, WriteError)

    def test_another_id_in_a_replacement(self) -> None:
        error = self.failed(lambda note: {'_id': note['n'] + 10})
        self.assertEqual(error.counts.failed, 5)
        self.assertEqual([note['_id'] for note in self.notes()], [0, 1, 2, 3, 4])

    def test_an_error_of_no_document_is_raised_as_it_is(self) -> None:
        odd = BulkWriteError({'writeErrors': [], 'writeConcernErrors': [{'code': 64}]})
        broken = mock.patch('pymongo.collection.Collection.bulk_write', side_effect=odd)
        with broken, self.assertRaises(BulkWriteError) as caught:
            update_each(self.db.notes, lambda note: {'$set': {'x': 1}})
        self.assertIs(caught.exception, odd)


class Kept:
    """What a run keeps in the database, kept here."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.saved = 0
        self.written: set[str] = set()

    def save(self, entries: list[dict[str, Any]]) -> None:
        self.saved += 1
        self.entries = bson.decode(bson.encode({'': entries}))['']

    def run(self) -> Checkpoints:
        """Begin a run that goes on from what was kept last."""
        return Checkpoints(self.entries, self.save, self.written.__contains__)


class GoingOnTest(UpdateEachTest):
    """From whatever `_id`, of whatever type, none is left out."""

    def test_stopped_after_each_document_among_all_types(self) -> None:
        options = AS_IT_IS
        mixed = self.db.get_collection('mixed', codec_options=options)
        mixed.insert_many([{'_id': key} for key in MIXED])
        self.stop_everywhere(mixed)

    def test_with_a_collation(self) -> None:
        collations: dict[str, dict[str, Any]] = {
            'letters': {'locale': 'en', 'strength': 2},
            'digits': {'locale': 'sv', 'numericOrdering': True, 'alternate': 'shifted'},
        }
        keys = ['b', 'a', 'C', 'd', 'ä', 'z', '10', '9', '-11', '', 1, bson.ObjectId()]
        keys += [{'text': 'B'}, {'text': 'a'}, {'texts': ['C', 'b']}]
        for name, collation in collations.items():
            with self.subTest(name):
                self.db.create_collection(name, collation=collation)
                self.db[name].insert_many([{'_id': key} for key in keys])
                self.stop_everywhere(self.db[name])

    def test_in_a_clustered_collection(self) -> None:
        if self.client.server_info()['versionArray'][:2] < [5, 3]:
            return  # There is none.
        by_id = {'key': {'_id': 1}, 'unique': True}
        self.db.create_collection('clustered', clusteredIndex=by_id)
        keys = ['b', 'a', 'C', 'd', 1, bson.ObjectId()]
        self.db.clustered.insert_many([{'_id': key} for key in keys])
        self.stop_everywhere(self.db.clustered)

    def stop_everywhere(self, collection: Any) -> None:
        """Stop before each document in turn, then go on to the end."""
        for size in (1, 2, 4):
            stopped_before = 0
            while True:
                kept = Kept()
                seen: list[bytes] = []
                first = kept.run()

                def stop(
                    document: Any, seen: list[bytes] = seen, limit: int = stopped_before
                ) -> Any:
                    if len(seen) == limit:
                        raise KeyboardInterrupt
                    seen.append(packed(document['_id']))
                    return {'$inc': {'calls': 1}}

                collection.update_many({}, {'$unset': {'calls': 1}})
                try:
                    with first.in_force():
                        update_each(collection, stop, batch_size=size)
                except KeyboardInterrupt:
                    first.save()
                else:
                    break
                begun = 'after' in kept.entries[0]
                with kept.run().in_force(), mock.patch.object(resuming, 'say') as say:
                    update_each(collection, self.renamed(stop, seen), batch_size=size)
                self.assertEqual(say.called, begun)
                everything = [
                    packed(each['_id'])
                    for each in collection.with_options(codec_options=AS_IT_IS).find(
                        sort=[('_id', 1)]
                    )
                ]
                self.assertEqual(sorted(set(seen)), sorted(everything))
                self.assertEqual(collection.count_documents({'calls': None}), 0)
                stopped_before += 1
            self.assertEqual(stopped_before, collection.count_documents({}))

    def renamed(
        self, model: Callable[..., Any], seen: list[bytes]
    ) -> Callable[..., Any]:
        """Give a function that does not stop, under the name of one that does."""

        def go_on(document: Any) -> Any:
            seen.append(packed(document['_id']))
            return {'$inc': {'calls': 1}}

        go_on.__qualname__ = model.__qualname__
        return go_on

    def test_those_that_failed_are_tried_first(self) -> None:
        kept, seen, bad = Kept(), [], {1, 3}

        def change(note: Any) -> Any:
            seen.append(note['_id'])
            if note['_id'] in bad:
                raise ValueError('bad')
            return {'$set': {'done': True}}

        def run(**options: Any) -> None:
            seen.clear()
            run = kept.run()
            try:
                with run.in_force(), mock.patch.object(resuming, 'say'):
                    update_each(self.db.notes, change, batch_size=2, **options)
            finally:
                run.save()

        with self.assertRaises(DocumentsFailed):
            run()
        self.assertEqual(seen, [0, 1])
        with self.assertRaises(DocumentsFailed):
            run()
        self.assertEqual(seen, [1])
        bad.remove(1)
        with self.assertRaises(DocumentsFailed):
            run(on_error='collect')
        self.assertEqual(seen, [1, 2, 3, 4])
        bad.clear()
        run()
        self.assertEqual(seen, [3])
        self.assertEqual(self.db.notes.count_documents({'done': True}), 5)

    def test_too_many_failures_to_remember_are_repeated(self) -> None:
        kept, seen = Kept(), []
        run = kept.run()

        def change(note: Any) -> Any:
            seen.append(note['_id'])
            if note['_id'] > 0:
                raise ValueError('bad')
            return None

        with mock.patch.object(checkpoints, 'REMEMBERED', 2), run.in_force():
            self.failed(change, batch_size=1, on_error='collect')
        run.save()
        seen.clear()
        with kept.run().in_force(), mock.patch.object(resuming, 'say'):
            self.failed(change, batch_size=1, on_error='collect')
        self.assertEqual(seen, [1, 2, 3, 4])

    def test_only_the_same_call_goes_on(self) -> None:
        def change(note: Any) -> Any:
            seen.append(note['_id'])
            if len(seen) == 3:
                raise KeyboardInterrupt
            return None

        def other(note: Any) -> Any:
            return change(note)

        def drop(_: Kept) -> None:
            notes = self.notes()
            self.db.notes.drop()
            self.db.notes.insert_many(notes)

        cases: dict[str, tuple[Callable[[Kept], Any], Any, Any, list[int]]] = {
            'the same': (lambda kept: None, change, None, [2, 3, 4]),
            'another function': (lambda kept: None, other, None, [0, 1, 2]),
            'another filter': (lambda kept: None, change, {'n': {'$gt': 0}}, [1, 2, 3]),
            'written to before': (
                lambda kept: kept.written.add(self.db.notes.full_name),
                change,
                None,
                [0, 1, 2],
            ),
            'made anew': (drop, change, None, [0, 1, 2]),
        }
        for name, (prepare, function, query, expected) in cases.items():
            with self.subTest(name):
                kept, seen = Kept(), []
                run = kept.run()
                with self.assertRaises(KeyboardInterrupt), run.in_force():
                    update_each(self.db.notes, change, batch_size=1, workers=1)
                run.save()
                self.assertEqual(seen, [0, 1, 2])
                kept.entries[0]['after'] = packed(1)
                prepare(kept)
                seen[:] = []
                again = kept.run()
                stopped = contextlib.suppress(KeyboardInterrupt)
                with again.in_force(), mock.patch.object(resuming, 'say'), stopped:
                    update_each(self.db.notes, function, query, batch_size=1)
                self.assertEqual(seen, expected)

    def test_a_call_that_was_done_is_passed_over_and_the_next_one_goes_on(self) -> None:
        self.db.other.insert_many([{'_id': n} for n in range(3)])
        kept, seen = Kept(), []

        def note(document: Any) -> None:
            seen.append(document['_id'])
            if len(seen) == 7:
                raise KeyboardInterrupt

        run = kept.run()
        with self.assertRaises(KeyboardInterrupt), run.in_force():
            update_each(self.db.notes, note, batch_size=1)
            update_each(self.db.other, note, batch_size=1, workers=1)
        run.save()
        self.assertEqual(seen, [0, 1, 2, 3, 4, 0, 1])
        seen.clear()
        with kept.run().in_force(), mock.patch.object(resuming, 'say') as say:
            update_each(self.db.notes, note, batch_size=1)
            update_each(self.db.other, note, batch_size=1)
        self.assertIn(seen, ([0, 1, 2], [1, 2]))
        self.assertIn('notes: was done by the run before', say.call_args_list[0].args)

    def test_a_call_that_begins_anew_takes_those_after_it_along(self) -> None:
        kept = Kept()
        first = kept.run()
        with first.in_force():
            update_each(self.db.notes, lambda note: None)
            update_each(self.db.notes, lambda note: None)
        first.save()
        seen: list[int] = []

        def named_otherwise(note: Any) -> None:
            return None

        with kept.run().in_force():
            update_each(self.db.notes, named_otherwise)
            counts = update_each(self.db.notes, lambda note: seen.append(note['_id']))
        self.assertEqual(counts.matched, 5)
        self.assertEqual(seen, [0, 1, 2, 3, 4])

    def test_it_is_kept_now_and_then_and_at_once_where_it_goes_on(self) -> None:
        kept = Kept()
        with kept.run().in_force():
            update_each(self.db.notes, lambda note: None, batch_size=1)
        self.assertEqual(kept.saved, 0)
        with (
            mock.patch.object(checkpoints, 'CHECKPOINT_EVERY', 0),
            kept.run().in_force(),
        ):
            update_each(self.db.notes, lambda note: None, batch_size=1)
        self.assertEqual(kept.saved, 6)
        with kept.run().in_force(), mock.patch.object(resuming, 'say'):
            update_each(self.db.notes, lambda note: None, batch_size=1)
        self.assertEqual(kept.saved, 7)


class MigrationTest(PlainTest):
    """A migration that uses it, in a transaction and without."""

    UP = """
        import migopy

        def up(db):
            {before}
            migopy.update_each(db.notes, {name}, batch_size=2, workers=1)
            {after}

        def {name}(note):
            if note['_id'] == {bad}:
                raise ValueError('bad')
            return {{'$inc': {{'calls': 1}}}}

        def down(db):
            migopy.update_each(db.notes, take_back, batch_size=2)

        def take_back(note):
            if note['_id'] == {bad_down}:
                raise ValueError('bad')
            return {{'$unset': {{'calls': 1}}}}
        """

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n} for n in range(10)])

    def write_up(self, **values: Any) -> None:
        """Write `1_a.py`; it fails at the document `bad`."""
        defaults = {'before': 'pass', 'name': 'change', 'after': 'pass'}
        values = {**defaults, 'bad': None, 'bad_down': None, **values}
        self.migration('1_a.py', textwrap.dedent(self.UP).format(**values))

    def perform(self, subtask: str = 'execute', *values: str, **options: str) -> None:
        self.manager().perform(subtask, values, options)

    def expect_failure(self, *values: str, subtask: str = 'execute') -> None:
        with self.assertRaises(DocumentsFailed):
            self.perform(subtask, *values)

    def calls(self) -> list[int]:
        found = self.db.notes.find(sort=[('_id', 1)])
        return [note.get('calls', 0) for note in found]

    def said(self, part: str) -> bool:
        return any(part in message for _, message in self.logger.said)

    def test_the_next_run_goes_on_after_the_document_that_failed(self) -> None:
        self.write_up(bad=5)
        self.expect_failure()
        self.assertEqual(self.calls(), [1] * 5 + [0] * 5)
        self.assertTrue(self.said('the document with _id 5 failed: ValueError: bad'))
        self.write_up(bad=8)
        self.expect_failure('1_a.py')
        self.assertTrue(self.said('notes: goes on after _id 5, 5 documents are done'))
        self.assertEqual(self.calls(), [1] * 8 + [0] * 2)
        self.write_up()
        self.perform('execute', '1_a.py')
        self.assertEqual(self.calls(), [1] * 10)
        self.assertEqual(self.registered(), ['1_a.py'])
        kept = [run['checkpoints'] for run in self.db.migrations_history.find()]
        self.assertEqual(kept[-1], [])

    def test_what_is_done_counts_where_it_fits_the_filter_no_more(self) -> None:
        """It is told how far it is of all documents, not of those that are left."""
        text = """
            import migopy

            def up(db):
                {}

            def change(note):
                if note['_id'] == {}:
                    raise ValueError('bad')
                return {{'$set': {{'new': True}}}}

            def change_all(db, notes):
                for note in notes:
                    db.notes.update_one({{'_id': note['_id']}}, change(note))
        """
        fresh = "{'new': {'$exists': False}}"
        loops = {
            '1_a.py': f'migopy.update_each(db.notes, change, {fresh}, batch_size=2)',
            '2_b.py': f'for notes in migopy.batches(db.notes, 2, {fresh}):'
            ' change_all(db, notes)',
        }
        mixed: list[Any] = [4.5, 'a', None, datetime.datetime(2026, 1, 1)]
        self.db.notes.insert_many([{'_id': each} for each in mixed])
        for name, loop in loops.items():
            self.db.notes.update_many({}, {'$unset': {'new': 1}})
            shown: list[tuple[int, int | None]] = []

            def show(_: str, count: int, total: int | None, into: Any = shown) -> None:
                into.append((count, total))

            shows = mock.Mock(return_value=contextlib.nullcontext(show))
            with (
                self.subTest(name),
                mock.patch.object(calls, 'meter', shows),
                mock.patch.object(batch_loop, 'meter', shows),
            ):
                self.migration(name, textwrap.dedent(text).format(loop, 6))
                with self.assertRaises((DocumentsFailed, ValueError)):
                    self.perform('execute')
                shown.clear()
                self.migration(name, textwrap.dedent(text).format(loop, -1))
                self.perform('execute', name)
                self.assertGreater(shown[0][0], 0)
                self.assertEqual({total for _, total in shown}, {14})
                self.assertEqual(shown[-1][0], 14)

    def test_of_a_failure_the_lines_of_the_migration_are_shown_alone(self) -> None:
        self.write_up(bad=5)
        self.expect_failure()
        [message] = self.logger.of('red')
        files = re.findall(r'File ".*/(.+)", line \d+, in (\w+)', message)
        self.assertEqual(files, [('1_a.py', 'change'), ('1_a.py', 'up')], message)

    def test_of_an_interruption_in_the_function_as_well(self) -> None:
        self.write_up(bad=5)
        path = self.folder / 'mongomigrations' / '1_a.py'
        text = path.read_text().replace("raise ValueError('bad')", 'raise SystemExit')
        path.write_text(text)
        with self.assertRaises(SystemExit):
            self.perform()
        [message] = self.logger.of('red')
        files = re.findall(r'File ".*/(.+)", line \d+, in (\w+)', message)
        self.assertEqual(files, [('1_a.py', 'up'), ('1_a.py', 'change')], message)

    def test_after_a_run_that_failed_at_once_as_well(self) -> None:
        self.write_up(bad=5)
        self.expect_failure()
        self.expect_failure('1_a.py')
        self.expect_failure('1_a.py')
        self.write_up()
        self.perform('execute', '1_a.py')
        self.assertEqual(self.calls(), [1] * 10)

    def test_a_finished_call_is_passed_over_where_what_follows_failed(self) -> None:
        self.write_up(after='1 / 0')
        with self.assertRaises(ZeroDivisionError):
            self.perform()
        self.write_up()
        self.perform('execute', '1_a.py')
        self.assertTrue(self.said('notes: was done by the run before'))
        self.assertEqual(self.calls(), [1] * 10)

    def test_it_begins_anew_where_documents_might_be_left_out(self) -> None:
        reset = "db.notes.update_many({{}}, {{'$unset': {{'{}': 1}}}})"
        cases = {
            'written to before': {'before': reset.format('calls')},
            'written to before, to no effect': {'before': reset.format('nothing')},
            'renamed': {'name': 'otherwise'},
        }
        for name, again in cases.items():
            with self.subTest(name):
                self.db.notes.update_many({}, {'$unset': {'calls': 1}})
                self.db.migrations.delete_many({})
                self.write_up(bad=5)
                self.expect_failure()
                self.write_up(**again)
                self.perform('execute', '1_a.py')
                self.assertNotIn(0, self.calls())
                self.assertGreater(self.calls()[0] + ('calls' in str(again)), 1)
                why = 'written there' if 'before' in again else 'its function'
                over = 'notes: starts over with the first document, and so'
                self.assertRegex(self.logger.said[-2][1], f'{over}.*{why}')

    def test_it_goes_on_behind_what_defines_how_documents_lie(self) -> None:
        """In a line that does no harm twice, as most that define something are."""
        defines = {
            'an index': "db.notes.create_index('n')",
            'an index, dropped': 'db.notes.drop_indexes()',
            'a validator': "db.command('collMod', 'notes', validator={{}})",
        }
        for name, line in defines.items():
            with self.subTest(name):
                self.db.notes.update_many({}, {'$unset': {'calls': 1}})
                self.db.migrations.delete_many({})
                self.write_up(bad=5, before=line.format())
                self.expect_failure()
                self.write_up(before=line.format())
                self.perform('execute', '1_a.py')
                self.assertEqual(self.calls(), [1] * 10)

    def test_a_down_in_between_is_not_passed_over(self) -> None:
        self.write_up(bad=5, bad_down=3)
        self.expect_failure()
        self.expect_failure('1_a.py', subtask='rollback')
        self.assertEqual(self.calls(), [0] * 3 + [1] * 2 + [0] * 5)
        self.write_up()
        self.perform('execute', '1_a.py')
        self.assertEqual(self.calls(), [1] * 3 + [2] * 2 + [1] * 5)

    def test_what_to_type_next_tells_that_it_goes_on(self) -> None:
        on = ': its backfill goes on, the rest begins again\n'
        self.write_up(bad=5, bad_down=6)
        self.expect_failure()
        self.assertTrue(self.said(f'run its up again{on}'))
        self.logger.said.clear()
        self.manager().show_status()
        self.assertTrue(self.said(f'run its up again{on}'))
        self.write_up(bad_down=6)
        self.perform('execute', '1_a.py')
        self.expect_failure('1_a.py', subtask='rollback')
        self.logger.said.clear()
        self.manager().show_status()
        self.assertTrue(self.said('run its up again\n'))
        self.assertTrue(self.said(f'run its down{on}'))

    def test_a_down_goes_on_as_well(self) -> None:
        self.write_up(bad_down=6)
        self.perform()
        self.expect_failure('1_a.py', subtask='rollback')
        self.write_up()
        self.perform('rollback', '1_a.py')
        self.assertTrue(self.said('notes: goes on after _id 6'))
        self.assertEqual(self.calls(), [0] * 10)

    def test_in_a_transaction_all_is_in_it_and_nothing_is_kept(self) -> None:
        self.write_up(bad=5)
        path = self.folder / 'mongomigrations' / '1_a.py'
        text = path.read_text()
        path.write_text(f'transaction = True\n{text}')
        self.expect_failure()
        self.assertEqual(self.calls(), [0] * 10)
        path.write_text(f'transaction = True\n{text.replace("== 5", "== 55")}')
        self.perform()
        self.assertEqual(self.calls(), [1] * 10)
        self.assertFalse(self.said('goes on'))
        for run in self.db.migrations_history.find():
            self.assertNotIn('checkpoints', run)

    def test_a_dry_run_shows_what_it_would_do_and_changes_nothing(self) -> None:
        self.write_up()
        self.perform('execute', dry_run='yes')
        self.assertTrue(self.said('1_a.py would do: notes 10 updated'))
        self.assertEqual(self.calls(), [0] * 10)
        self.assertEqual(self.db.list_collection_names(), ['notes'])

    def test_its_own_writes_are_not_taken_for_the_migrations(self) -> None:
        self.write_up()
        with mock.patch.object(checkpoints, 'CHECKPOINT_EVERY', 0):
            self.perform()
        (said,) = self.logger.of('white_bold')
        self.assertTrue(said.endswith(': notes 10 updated'), said)

    def test_a_session_that_is_bound_elsewhere_holds_all_of_it(self) -> None:
        with self.client.start_session() as session, session.bind(end_session=False):
            session.start_transaction()
            counts = update_each(self.db.notes, lambda note: DELETE, batch_size=3)
            session.abort_transaction()
        self.assertEqual(counts.deleted, 10)
        self.assertEqual(len(self.calls()), 10)


class KilledTest(FabTest):
    """The process ends in the middle."""

    SLOW = """
        import time
        import migopy

        def up(db):
            migopy.update_each(db.notes, change, batch_size=10, workers=2)

        def change(note):
            time.sleep(0.002)
            return {'$inc': {'calls': 1}}
        """

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n} for n in range(1500)])
        self.migration('1_a.py', self.SLOW)

    def test_after_sigkill_and_ctrl_c_it_goes_on_and_leaves_nothing_out(self) -> None:
        for how in (signal.SIGKILL, signal.SIGINT):
            with self.subTest(how.name):
                self.db.notes.update_many({}, {'$unset': {'calls': 1}})
                self.db.migrations.delete_many({})
                self.db.migrations_history.delete_many({})
                process = self.start('migrations:execute')
                self.await_checkpoint()
                process.send_signal(how)
                process.communicate(timeout=60)
                self.db.migrations_lock.delete_many({})
                self.assertEqual(self.registered(), [])
                result = self.assert_ok(self.fab('migrations:execute,1_a.py'))
                found = re.search(r'goes on after _id (\d+), (\d+) doc', result.stderr)
                if found is None:
                    self.fail(result.said)
                reached = int(found[1])
                self.assertGreater(reached, 100)
                self.assertEqual(int(found[2]), reached + 1)
                calls = [note['calls'] for note in self.db.notes.find()]
                self.assertEqual(len(calls), 1500)
                self.assertEqual(set(calls[: reached + 1]), {1})
                # Those of the last moments only, a second and the bulks in flight.
                self.assertLess(calls.count(2), 1000)

    def await_checkpoint(self) -> None:
        query = {'checkpoints.count': {'$gt': 100}}
        history = self.db.migrations_history
        eventually(lambda: history.find_one(query), 'a checkpoint')


class MemoryTest(DatabaseTest):
    """Memory does not grow with the collection."""

    PEAK = """
        import sys, migopy
        from pymongo import MongoClient
        notes = MongoClient(sys.argv[1])[sys.argv[2]].notes
        query = {'_id': {'$lt': int(sys.argv[3])}}
        counts = migopy.update_each(
            notes, lambda note: {'n': note['_id']}, query, batch_size=200
        )
        status = open('/proc/self/status').read()
        print(counts.replaced, status.partition('VmHWM:')[2].split()[0])
        """

    def peak(self, count: int) -> int:
        """Give a process's peak, in bytes, that replaces so many documents."""
        command = [sys.executable, '-c', textwrap.dedent(self.PEAK)]
        command += [self.uri, self.db.name, str(count)]
        ended = subprocess.run(
            command, env=clean_environment(), capture_output=True, text=True, timeout=90
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        replaced, peak = ended.stdout.split()
        self.assertEqual(int(replaced), count)
        return int(peak) * 1024

    def test_of_ten_times_as_many_documents(self) -> None:
        text = 'x' * 500
        self.db.notes.insert_many([{'_id': n, 'x': text} for n in range(40_000)])
        # 36,000 documents more are 19 MB as BSON, and more as Python's.
        self.assertLess(self.peak(40_000) - self.peak(4_000), 6_000_000)

"""What `update_each` makes of answers, and what it keeps of how far it has come."""

from __future__ import annotations

import pickle
import unittest
from datetime import datetime
from typing import Any
from unittest import mock

import bson
from bson import Decimal128, Int64, MinKey, ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, ReplaceOne, UpdateOne

from migopy import DELETE
from migopy.backfill import DocumentsFailed, checkpoints, entries
from migopy.backfill.answers import Counts, kind_of
from migopy.backfill.changes import Batch, Changes
from migopy.backfill.checkpoints import Checkpoint, Checkpoints
from migopy.backfill.documents import id_of, packed


class AnswersTest(unittest.TestCase):
    def test_kinds(self) -> None:
        kinds: list[tuple[Any, type | None]] = [
            (None, None),
            (DELETE, DeleteOne),
            ({'$set': {'a': 1}}, UpdateOne),
            ([{'$set': {'a': 1}}], UpdateOne),
            ({'a': 1}, ReplaceOne),
            ({'_id': 1}, ReplaceOne),
        ]
        for answer, kind in kinds:
            with self.subTest(answer=answer):
                self.assertIs(kind_of(answer), kind)

    def test_what_is_none_of_them_is_an_error_that_shows_it(self) -> None:
        for answer in ({}, [], (), 'text', True, 1, object()):
            with self.subTest(answer=answer), self.assertRaises(TypeError) as caught:
                kind_of(answer)
            self.assertIn(repr(answer), str(caught.exception))

    def test_delete_reads_as_it_is_written(self) -> None:
        self.assertEqual(repr(DELETE), 'migopy.DELETE')

    def test_there_is_one_delete_also_where_it_was_pickled(self) -> None:
        self.assertIs(pickle.loads(pickle.dumps(DELETE)), DELETE)


class ChangesTest(unittest.TestCase):
    """What the function is given of a page."""

    def test_what_it_has_no_time_for_is_left_for_the_next_batch(self) -> None:
        def change(document: Any) -> Any:
            seen.append(document['_id'])
            return {'$set': {'a': 1}} if document['_id'] % 2 else None

        seen: list[int] = []
        changes = Changes(
            change, {}, bson.DEFAULT_CODEC_OPTIONS, collated=False, keeps_seen=False
        )
        page = [RawBSONDocument(bson.encode({'_id': n})) for n in range(10)]
        batch = changes.of(page, seconds=-1)
        self.assertEqual((batch.last, batch.counts.matched, seen), (0, 1, [0]))
        batch = changes.of(page[batch.counts.matched :], seconds=60)
        self.assertEqual((batch.last, batch.counts.matched), (9, 9))
        self.assertEqual([each.id for each in batch.changes], [1, 3, 5, 7, 9])
        self.assertEqual(seen, list(range(10)))


class IdTest(unittest.TestCase):
    """The `_id` of a document as the server has sent it."""

    def test_it_is_the_one_that_decoding_gives(self) -> None:
        keys: list[Any] = [
            ObjectId(),
            0,
            -1,
            2**31 - 1,
            -(2**31),
            Int64(5),
            5.0,
            Decimal128('5'),
            'é',
            None,
            MinKey(),
            True,
            b'x',
            datetime(2026, 1, 2),
            {'a': 1},
        ]
        for key in keys:
            for document in ({'_id': key, 'n': 1}, {'n': 1, '_id': key}):
                with self.subTest(document=document):
                    got = id_of(RawBSONDocument(bson.encode(document)))
                    self.assertEqual((got, type(got)), (key, type(key)))


class DocumentsFailedTest(unittest.TestCase):
    def test_it_is_pickled_by_the_path_of_the_wing(self) -> None:
        """A process pool hands it over; the rooms of the wing may change."""
        error = DocumentsFailed(
            'db.notes', [(1, 'odd')], Counts(matched=2, failed=1, left=1), 'Note.'
        )
        data = pickle.dumps(error)
        self.assertIn(b'migopy.backfill\x94\x8c\x0fDocumentsFailed', data)
        self.assertNotIn(b'answers', data)
        again = pickle.loads(data)
        self.assertIs(type(again), DocumentsFailed)
        self.assertEqual(str(again), str(error))
        self.assertEqual((again.failures, again.counts), (error.failures, error.counts))
        self.assertIn('odd\nNote.\nOf all', str(error))

    def test_an_id_that_is_very_long_is_cut_in_its_text(self) -> None:
        key = {'a': 'x' * 5000}
        for count in (1, 2):
            error = DocumentsFailed(
                'db.notes', [(key, 'odd')] * count, Counts(matched=count, failed=count)
            )
            self.assertLess(len(str(error)), 300 * count + 100)
            self.assertEqual(error.failures[0][0], key)


class CountsTest(unittest.TestCase):
    def test_they_add_up_and_say_what_is_not_zero(self) -> None:
        counts = Counts(matched=1500, updated=1500)
        counts.add(Counts(matched=2, gone=1, failed=1))
        self.assertEqual(str(counts), '1,502 matched, 1,500 updated, 1 gone, 1 failed')


def batch(last: Any, retried: Any = ()) -> Batch:
    return Batch(counts=Counts(matched=2), last=last, retried=retried)


class CheckpointTest(unittest.TestCase):
    """What is kept covers what is written."""

    def setUp(self) -> None:
        self.kept: dict[str, Any] = {}
        self.changes = 0
        self.checkpoint = Checkpoint(self.kept, self.changed)

    def changed(self) -> None:
        self.changes += 1

    def again(self) -> Checkpoint:
        return Checkpoint({**self.kept}, self.changed)

    def test_nothing_is_done_before_the_first_batch(self) -> None:
        for checkpoint in (self.checkpoint, self.again()):
            self.assertFalse(checkpoint.is_begun)
            self.assertFalse(checkpoint.is_done)
            self.assertEqual((checkpoint.failed, checkpoint.count), ([], 0))
        self.assertEqual(self.changes, 0)

    def test_what_it_has_not_written_itself_is_not_gone_on_from(self) -> None:
        good = {'collection': 'db.c', 'key': 'k', 'after': packed(5), 'count': 5}
        odd: list[Any] = [None, 1, 'x', [], {}, b'x', True, [b'x'], [1], packed(5)]
        self.assertTrue(entries.is_sound({**good, 'failed': [packed(4)]}))
        self.assertTrue(entries.is_sound({'collection': 'db.c', 'key': 'k'}))
        for value in odd:
            self.assertFalse(entries.is_sound(value), value)
            for field in ('key', 'after', 'count', 'failed', 'done'):
                entry = {**good, field: value}
                is_sound = entries.is_sound(entry)
                kept = Checkpoints([entry], lambda entries: None, lambda name: False)
                begun = kept.begin('db.c', 'k')
                with self.subTest(field=field, value=value):
                    self.assertIsInstance(begun.count, int)
                    self.assertIsInstance(begun.failed, list)
                    self.assertIs(begun.is_begun, is_sound and entry['key'] == 'k')

    def test_a_batch_of_no_documents_leads_nowhere(self) -> None:
        self.checkpoint.passed(batch(5), [])
        place = self.checkpoint.following(Batch(), [])
        self.assertEqual(place.entry, self.kept)

    def test_an_id_that_is_none_is_an_id(self) -> None:
        self.checkpoint.passed(batch(None), [])
        self.assertTrue(self.again().is_begun)
        self.assertIsNone(self.again().after)

    def test_those_that_failed_stay_until_they_are_done(self) -> None:
        self.checkpoint.passed(batch(5), [4, 5])
        self.checkpoint.passed(batch(9), [8])
        again = self.again()
        self.assertEqual((again.after, again.failed, again.count), (9, [4, 5, 8], 1))
        again.passed(batch(5, retried=[4, 5]), [5])
        self.assertEqual((again.after, again.failed, again.count), (9, [8, 5], 2))
        self.assertEqual(self.checkpoint.failed, [4, 5, 8])

    def test_what_the_run_before_kept_stays_as_it_was(self) -> None:
        self.checkpoint.passed(batch(5), [4, 5])
        again = self.again()
        again.passed(batch(9), [9])
        again.passed(batch(5, retried=[4]), [])
        self.assertEqual((self.checkpoint.failed, again.failed), ([4, 5], [5, 9]))

    def test_of_those_tried_again_none_is_forgotten(self) -> None:
        """Not even where more were remembered by an earlier version."""
        self.checkpoint.passed(batch(900), list(range(900)))
        with mock.patch.object(checkpoints, 'REMEMBERED', 10):
            again = self.again()
            again.passed(batch(9, retried=list(range(10))), list(range(10)))
            self.assertEqual(len(again.failed), 900)
            again.passed(batch(2000), [1999])
        self.assertEqual((again.after, len(again.failed)), (900, 900))

    def test_beyond_those_that_are_remembered_it_stays_where_it_is(self) -> None:
        self.checkpoint.passed(batch(5), [])
        self.checkpoint.passed(batch(900), list(range(900)))
        self.checkpoint.passed(batch(2000), list(range(900, 1001)))
        self.checkpoint.passed(batch(3000), [])
        self.assertEqual(self.again().after, 900)
        self.assertEqual(self.again().failed, list(range(900)))

    def test_a_batch_is_as_much_work_after_many_failures_as_after_none(self) -> None:
        with mock.patch.object(checkpoints, 'packed', wraps=packed) as pack:
            for start in range(0, 80_000, 1000):
                failed = list(range(start, start + 500))
                self.checkpoint.passed(batch(start + 999), failed)
        # Of each batch that is remembered those that failed, and the last.
        self.assertEqual(pack.call_count, 2 * 501)
        self.assertEqual(len(self.kept['failed']), 1000)
        self.assertEqual(self.changes, 2)


class CheckpointsTest(unittest.TestCase):
    """Which entry a call goes on from."""

    def begin(
        self, earlier: list[dict[str, Any]], *keys: str, written: str = ''
    ) -> list[bool]:
        """Tell of calls, of which each has a key, whether they go on."""
        checkpoints = Checkpoints(earlier, lambda entries: None, written.__eq__)
        return [checkpoints.begin('db.notes', key).is_begun for key in keys]

    ENTRIES = (
        {'key': 'a', 'after': b'\x0a\x00\x00\x00\x0a_id\x00\x00'},
        {'key': 'b', 'after': b'\x0a\x00\x00\x00\x0a_id\x00\x00'},
    )

    def test_the_same_calls_go_on(self) -> None:
        self.assertEqual(
            self.begin([*self.ENTRIES], 'a', 'b', 'c'), [True, True, False]
        )

    def test_after_another_call_none_goes_on(self) -> None:
        self.assertEqual(self.begin([*self.ENTRIES], 'c', 'b'), [False, False])

    def test_nor_where_the_collection_was_written_to(self) -> None:
        begun = self.begin([*self.ENTRIES], 'a', 'b', written='db.notes')
        self.assertEqual(begun, [False, False])

    def test_that_it_starts_over_is_said_where_there_was_a_place_to_go_on(self) -> None:
        started = [{'key': 'a'}]
        for earlier, is_said in ((self.ENTRIES, True), (started, False)):
            checkpoints = Checkpoints([*earlier], lambda entries: None, bool)
            anew = checkpoints.begin('db.notes', 'c').anew
            self.assertEqual('another one now' in anew, is_said)

"""Many documents by `_id`, and runs of them, as the server gives them."""

from __future__ import annotations

import datetime
from typing import Any

from bson import Binary, Int64, MaxKey, MinKey, ObjectId, encode
from bson.raw_bson import RawBSONDocument

from migopy.differences import (
    are_in_a_row,
    fetch,
    id_of,
    queries_for,
    queries_for_values,
)
from migopy.differences.lookup import AT_ONCE, MOST_BYTES
from tests.server import DatabaseTest

#: In the server's order, two of each type and one of those of which there is only one.
IDS: list[Any] = [
    MinKey(),
    None,
    1,
    2.5,
    Int64(3),
    'a',
    'b',
    {'a': 1},
    {'a': 2},
    Binary(b'x', 0),
    Binary(b'y', 0),
    ObjectId(b'a' * 12),
    ObjectId(b'b' * 12),
    False,
    True,
    datetime.datetime(2020, 1, 1),
    datetime.datetime(2021, 1, 1),
    MaxKey(),
]


class RunTest(DatabaseTest):
    """Documents that stand one after another, compared with what was read before."""

    def filled(self, ids: list[Any]) -> list[bytes]:
        documents = [encode({'_id': each, 'x': 1}) for each in ids]
        self.db.a.delete_many({})
        self.db.a.insert_many(map(RawBSONDocument, documents))
        return documents

    def are_in_a_row(self, run: list[bytes]) -> bool:
        return are_in_a_row(self.db.a, run, None)

    def test_all_of_a_type_and_never_past_it(self) -> None:
        documents = self.filled(IDS)
        kinds = {'numbers': (2, 5), 'texts': (5, 7), 'bytes': (9, 11)}
        kinds |= {'object ids': (11, 13), 'dates': (15, 17)}
        for name, (first, last) in kinds.items():
            with self.subTest(name):
                self.assertTrue(self.are_in_a_row(documents[first:last]))
                self.assertTrue(self.are_in_a_row(documents[first : first + 1]))
                self.assertFalse(self.are_in_a_row(documents[first : last + 1]))
        # Of what is not asked for so it is not told; it raises no error.
        for each in (0, 1, 7, 13, 17):
            self.assertFalse(self.are_in_a_row(documents[each : each + 1]))

    def test_anything_else_is_no_run(self) -> None:
        documents = self.filled([*range(10)])
        self.assertTrue(self.are_in_a_row(documents))
        self.assertTrue(self.are_in_a_row(documents[3:7]))
        self.assertFalse(self.are_in_a_row([documents[3], documents[5]]))
        self.assertFalse(self.are_in_a_row([documents[3], documents[2]]))
        self.assertFalse(self.are_in_a_row([*documents, encode({'_id': 10})]))
        for other in ({'_id': 4}, {'_id': 4.0, 'x': 1}, {'_id': 4, 'x': 1.0}):
            run = [*documents[:4], encode(other), *documents[5:]]
            with self.subTest(other):
                self.assertFalse(self.are_in_a_row(run))


class AskedTest(DatabaseTest):
    """Queries by `_id`, as many as it takes."""

    def test_each_kind_of_id_both_ways(self) -> None:
        documents = [encode({'_id': each, 'x': 1}) for each in IDS]
        self.db.a.insert_many(map(RawBSONDocument, documents))
        values = [id_of(each) for each in documents]
        for asked in (queries_for(IDS), queries_for_values(values)):
            self.assertEqual([each.number for each in asked], [len(IDS)])
            self.assertEqual(fetch(self.db.a, asked, None), b''.join(documents))

    def test_more_than_one_query_takes(self) -> None:
        self.assertEqual(queries_for([]), [])
        many = queries_for([*range(3 * AT_ONCE + 1)])
        self.assertEqual(sum(each.number for each in many), 3 * AT_ONCE + 1)
        self.assertLessEqual(max(each.number for each in many), AT_ONCE)
        long = queries_for(['x' * (MOST_BYTES // 3)] * 5)
        self.assertEqual([each.number for each in long], [2, 1, 2])
        self.assertEqual([each.number for each in queries_for(['x' * MOST_BYTES])], [1])

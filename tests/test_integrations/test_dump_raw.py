"""Documents read undecoded are those that PyMongo reads, and come without asking."""

from __future__ import annotations

from typing import Any
from unittest import mock

import bson
from pymongo.cursor import RawBatchCursor

from migopy.dumps import raw_batches
from tests import server


class RawBatchesTest(server.DatabaseTest):
    """`raw_batches` gives what `find_raw_batches` gives, and counts it."""

    def read(self, **options: Any) -> tuple[bytes, int]:
        batches = list(raw_batches(self.db['some'], None, **options))
        return (
            b''.join(batch.data for batch in batches),
            sum(batch.documents for batch in batches),
        )

    def fill(self, count: int) -> bytes:
        documents = [
            {'_id': n, 'array': [{'0': n}, [n]], 'text': 'x' * (n % 300)}
            for n in range(count)
        ]
        self.db['some'].drop()
        self.db.create_collection('some')
        if documents:
            self.db['some'].insert_many(documents)
        return b''.join(map(bson.encode, documents))

    def test_any_number_of_documents_is_read_and_counted(self) -> None:
        for count in (0, 1, 10, 11, 100, 101, 1000, 1001, 12_345):
            wanted = self.fill(count)
            for batch_size in (0, 1, 7, 100, 5000):
                if batch_size != 1 or count < 1000:
                    with self.subTest(count, batch_size=batch_size):
                        self.assertEqual(
                            (wanted, count), self.read(batch_size=batch_size)
                        )
        self.assertEqual(10, self.read(limit=10)[1])

    def test_it_is_not_pymongos_slow_way(self) -> None:
        """A PyMongo that is built otherwise should be noticed here first."""
        wanted = self.fill(3000)
        slow = RawBatchCursor._unpack_response
        with mock.patch.object(
            RawBatchCursor, '_unpack_response', autospec=True, side_effect=slow
        ) as called:
            self.assertEqual((wanted, 3000), self.read(batch_size=1000))
        self.assertEqual(0, called.call_count)

    def test_where_pymongo_is_built_otherwise_it_keeps_its_own_way(self) -> None:
        wanted = self.fill(3000)
        with mock.patch(
            'migopy.dumps.raw._RawBatches._unpack_response',
            RawBatchCursor._unpack_response,
        ):
            self.assertEqual((wanted, 3000), self.read(batch_size=1000))

    def test_through_a_router_each_batch_is_asked_for(self) -> None:
        wanted = self.fill(3000)
        with mock.patch('migopy.dumps.raw._SERVERS', set()):
            self.assertEqual((wanted, 3000), self.read(batch_size=1000))

    def test_one_that_is_left_in_the_middle_leaves_the_client_usable(self) -> None:
        """The server goes on sending, so its connection is of no more use."""
        self.fill(3000)
        some = self.db['some']
        for _ in range(3):
            batches = raw_batches(some, None, batch_size=10)
            self.assertEqual([10, 10], [next(batches).documents for _ in range(2)])
            batches.close()
            self.assertEqual(3000, some.count_documents({}))

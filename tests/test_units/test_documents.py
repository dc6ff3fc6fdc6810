"""Documents that PyMongo cannot read, read field by field; no server."""

from __future__ import annotations

import random
import struct
import unittest
from datetime import datetime
from typing import Any

import bson
from bson import (
    Binary,
    Code,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument

from migopy.server.client import AS_THEY_ARE
from migopy.state.documents import AT_ONCE, RAW, all_readable, batch_of, readable
from tests.hostile import document, unreadable

#: A value of each type that a server keeps.
VALUES: list[Any] = [
    1.5,
    'text ✓',
    {'a': {'b': 1}},
    [1, [2]],
    b'bytes',
    Binary(bytes(16), 4),
    ObjectId(),
    True,
    datetime(2014, 1, 14),
    None,
    Regex('a.b', 'im'),
    Code('f()'),
    Code('f()', {'x': 1}),
    5,
    Timestamp(1, 2),
    Int64(2**62),
    Decimal128('1.5'),
    MinKey(),
    MaxKey(),
]


def read(content: bytes) -> dict[str, Any]:
    return readable(RawBSONDocument(content, RAW), AS_THEY_ARE)


class ReadableTest(unittest.TestCase):
    def test_what_can_be_read_is_what_pymongo_reads(self) -> None:
        given = {str(number): value for number, value in enumerate(VALUES)}
        self.assertEqual(read(bson.encode(given)), given)

    def test_of_what_pymongo_refuses_all_other_fields_are_there(self) -> None:
        for place in range(len(VALUES) + 1):
            fields = [
                (str(number), bson.encode({str(number): value})[4:-1])
                for number, value in enumerate(VALUES)
            ]
            fields.insert(place, ('bad', unreadable('bad')))
            content = document(*(field for _, field in fields))
            with self.assertRaises(InvalidBSON):
                bson.decode(content, AS_THEY_ARE)
            expected = {str(number): value for number, value in enumerate(VALUES)}
            self.assertEqual(read(content), expected)

    def test_of_many_at_once_one_that_is_refused_keeps_none_of_the_others_away(
        self,
    ) -> None:
        contents = [bson.encode({'n': number}) for number in range(2 * AT_ONCE + 10)]
        for place in (0, AT_ONCE - 1, AT_ONCE, len(contents) - 1):
            number = bson.encode({'n': place})[4:-1]
            contents[place] = document(number, unreadable('bad'))
        found = list(all_readable(contents, AS_THEY_ARE))
        self.assertEqual(found, [{'n': number} for number in range(len(contents))])

    def test_a_reply_is_taken_apart_into_the_very_bytes(self) -> None:
        """So are what cannot be read, and more documents than one digit counts."""
        for count in (0, 1, 9, 11, 101, 1001):
            contents = [bson.encode({'n': number}) for number in range(count)]
            contents[1:2] = [document(unreadable('bad'))]
            array = document(
                *(b'\x03%d\0' % n + each for n, each in enumerate(contents))
            )
            others = {'id': Int64(-(2**62)), 'ns': 'a.b', 'more': {'firstBatch': 1}}
            rest = bson.encode(others)[4:-1]
            batch = b'\x04firstBatch\0' + array
            for fields in ((batch, rest), (rest, batch)):
                documents, left = batch_of(document(*fields))
                self.assertEqual(list(documents), contents)
                self.assertEqual(left, -(2**62))

    def test_old_types_are_passed_over_as_well(self) -> None:
        undefined = b'\x06u\0'
        symbol = b'\x0es\0' + struct.pack('<i', 2) + b'x\0'
        pointer = b'\x0cp\0' + struct.pack('<i', 2) + b'c\0' + bytes(12)
        last = b'\x10z\0' + struct.pack('<i', 5)
        found = read(document(undefined, symbol, pointer, unreadable('bad'), last))
        self.assertEqual(set(found), {'u', 's', 'p', 'z'})
        self.assertEqual(found['z'], 5)

    def test_a_field_within_one_takes_the_whole_one_with_it(self) -> None:
        inner = document(unreadable('bad'))
        content = document(b'\x03x\0' + inner, b'\x08y\0\x01')
        self.assertEqual(read(content), {'y': True})

    def test_dates_out_of_range_and_texts_that_are_none_are_read(self) -> None:
        content = document(
            b'\x09d\0' + struct.pack('<q', 2**63 - 1),
            b'\x02t\0' + struct.pack('<i', 3) + b'\xff\xfe\0',
            unreadable('bad'),
        )
        found = read(content)
        self.assertEqual(int(found['d']), 2**63 - 1)
        self.assertEqual(found['t'], '\ufffd\ufffd')

    def test_what_no_server_keeps_ends_it(self) -> None:
        """Bytes at random: neither an error nor an endless loop."""
        dice = random.Random(14)
        whole = bytearray(
            document(
                unreadable('bad'),
                *(
                    bson.encode({str(number): value})[4:-1]
                    for number, value in enumerate(VALUES)
                ),
            )
        )
        for _ in range(3000):
            content = bytearray(whole)
            for _ in range(dice.randint(1, 4)):
                content[dice.randrange(4, len(content) - 1)] = dice.randrange(256)
            self.assertIsInstance(read(bytes(content)), dict)

"""Documents compared as bytes, and the lines that tell of them."""

from __future__ import annotations

import datetime
import unittest
import uuid
from typing import Any, Callable

from bson import (
    SON,
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
    decode,
    encode,
)
from bson.datetime_ms import DatetimeMS

from migopy.differences import Comparison, Difference, aligned, changes
from migopy.differences.raw import Value, document_of, elements, id_of, with_id
from migopy.differences.scan import IN_A_ROW, Reader, pass_over_changed, pass_over_same
from migopy.tell.differences import fields, lines
from migopy.tell.values import cut_both, identity, in_full
from migopy.texts import alike

#: A value of each type that PyMongo writes.
VALUES = [
    1,
    Int64(1),
    1.0,
    'text',
    {'a': {'b': 1}},
    [1, [2, {}]],
    Binary(b'bytes', 128),
    Binary(uuid.UUID(int=1).bytes, 4),
    ObjectId(),
    True,
    datetime.datetime(2020, 1, 1),
    None,
    Regex('a.*', 'i'),
    Code('x'),
    Code('x', {'y': 1}),
    Timestamp(1, 2),
    Decimal128('1.50'),
    MinKey(),
    MaxKey(),
    DBRef('a', 1),
]

FOREVER = float('inf')


def told(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """List the lines of a change."""
    return list(fields(Difference(encode(before), encode(after))))


class RawTest(unittest.TestCase):
    def test_each_type_is_taken_apart_and_put_together(self) -> None:
        names = [f'f{place}' for place in range(len(VALUES))]
        document = encode(dict(zip(names, VALUES)))
        found = list(elements(document))
        self.assertEqual([name.decode() for name, _ in found], names)
        for value, (_, raw) in zip(VALUES, found):
            with self.subTest(value):
                self.assertEqual(document_of('v', raw), encode({'v': value}))
                selected = with_id(raw).raw
                self.assertEqual(selected, encode({'_id': {'$eq': value}}))

    def test_an_id_is_found_wherever_it_stands(self) -> None:
        for document in ({'_id': 1, 'a': 2}, {'a': 2, '_id': 1}):
            self.assertEqual(id_of(encode(document)).decoded(), 1)
        with self.assertRaises(LookupError):
            id_of(encode({'a': 1}))

    def test_numbers_of_different_types_are_not_the_same(self) -> None:
        found = {id_of(encode({'_id': each})) for each in (1, Int64(1), 1.0)}
        self.assertEqual(len(found), 3)

    def test_what_no_codec_reads_is_read(self) -> None:
        value = Value(0x02, b'\x03\0\0\0\xff\xfe\0')
        self.assertEqual(value.decoded(), '\ufffd\ufffd')
        far = encode({'_id': DatetimeMS(2**60)})
        self.assertEqual(in_full(id_of(far).decoded()), f'DatetimeMS({2**60})')


class PassingTest(unittest.TestCase):
    """What is the same is passed over, however it is cut into batches."""

    def passed(self, before: list[bytes], after: list[bytes]) -> tuple[int, Any, Any]:
        one, other = Reader(iter(before)), Reader(iter(after))
        count = pass_over_same(one, other, FOREVER)
        return count, one.document, other.document

    def test_up_to_the_first_that_differs(self) -> None:
        for size in (1, 10, 5000):
            same = [encode({'_id': n, 't': 'x' * size}) for n in range(50)]
            for place in (0, 1, 25, 49):
                other = list(same)
                other[place] = encode({'_id': place, 't': 'x' * (size - 1) + 'y'})
                batches = [b''.join(other[:30]), b''.join(other[30:])]
                for cut in (1, 20, 50):
                    with self.subTest(size=size, place=place, cut=cut):
                        others = [b''.join(same[:cut]), b''.join(same[cut:])]
                        self.assertEqual(
                            self.passed(others, batches),
                            (place, same[place], other[place]),
                        )

    def test_to_the_end(self) -> None:
        same = [encode({'_id': n}) for n in range(10)]
        self.assertEqual(self.passed(same, [b''.join(same)]), (10, None, None))
        self.assertEqual(self.passed(same, same[:4]), (4, same[4], None))
        self.assertEqual(self.passed([], same), (0, None, same[0]))
        self.assertEqual(self.passed([b'', *same], [*same, b'']), (10, None, None))


class ChangedTest(unittest.TestCase):
    """Documents that were changed are passed over while their `_id`s are the same."""

    #: `_id`s of each type, of which `id_of` finds one or another way.
    IDS = (*range(20), 'a', Int64(1), 1.0, ObjectId(), {'a': 1}, None, MaxKey())

    def documents(self, changed: Callable[[int], bool]) -> list[bytes]:
        return [
            encode({'_id': id, **({'x': place} if changed(place) else {})})
            for place, id in enumerate(self.IDS)
        ]

    def passed(self, before: list[bytes], after: list[bytes]) -> tuple[Any, ...]:
        one, other = Reader(iter(before)), Reader(iter(after))
        pairs, count = pass_over_changed(one, other)
        return pairs, count, one.document, other.document

    def test_all_of_one_batch(self) -> None:
        old = self.documents(lambda place: False)
        new = self.documents(lambda place: True)
        pairs = [*map(Difference, old, new)]
        count = len(pairs)
        joined = [b''.join(old)], [b''.join(new)]
        self.assertEqual(self.passed(*joined), (pairs, count, None, None))
        self.assertEqual(self.passed(old, new), (pairs[:1], 1, old[1], new[1]))

    def test_those_between_are_none_of_them(self) -> None:
        old = self.documents(lambda place: False)
        new = self.documents(lambda place: place % 3 == 0)
        pairs = [Difference(*each) for each in zip(old, new) if each[0] != each[1]]
        self.assertEqual(aligned(b''.join(old), b''.join(new)), pairs)

    def test_it_ends_behind_many_that_are_the_same(self) -> None:
        old = self.documents(lambda place: False)
        new = self.documents(lambda place: place == 1)
        found = self.passed([b''.join(old)], [b''.join(new)])
        count = 2 + IN_A_ROW
        pairs = [Difference(old[1], new[1])]
        self.assertEqual(found, (pairs, count, old[count], new[count]))

    def test_it_ends_before_another_id(self) -> None:
        old = [encode({'_id': each}) for each in (1, 2, 3, 5)]
        for id in (4, 3.0, Int64(3), '3', {'_id': 3}):
            new = [encode({'_id': each, 'x': 1}) for each in (1, 2, id, 5)]
            found = self.passed([b''.join(old)], [b''.join(new)])
            pairs = [*map(Difference, old, new)][:2]
            self.assertEqual(found, (pairs, 2, old[2], new[2]))
            self.assertIsNone(aligned(b''.join(old), b''.join(new)))

    def test_one_that_came_or_is_gone_is_not_aligned(self) -> None:
        old = self.documents(lambda place: False)
        for place in (0, 7, len(old) - 1):
            fewer = old[:place] + old[place + 1 :]
            self.assertIsNone(aligned(b''.join(old), b''.join(fewer)))
            self.assertIsNone(aligned(b''.join(fewer), b''.join(old)))
        self.assertIsNone(aligned(b'', old[0]))
        self.assertEqual(aligned(b'', b''), [])


class FieldsTest(unittest.TestCase):
    """A changed document is told field by field."""

    def test_what_changed_came_and_went(self) -> None:
        self.assertEqual(
            told(
                {'_id': 1, 'same': 1, 'a': 1, 'gone': 2},
                {'_id': 1, 'same': 1, 'a': 3, 'new': 'x'},
            ),
            ['a:    1 -> 3', 'gone: 2 -> (none)', "new:  (none) -> 'x'"],
        )

    def test_within_documents_and_arrays_of_one_length(self) -> None:
        self.assertEqual(
            told(
                {'a': {'b': {'c': 1, 'd': 2}}, 'l': [1, {'x': 1}], 'm': [1]},
                {'a': {'b': {'c': 1, 'd': 3}}, 'l': [1, {'x': 2}], 'm': [1, 2]},
            ),
            ['a.b.d: 2 -> 3', 'l.1.x: 1 -> 2', 'm:     [1] -> [1, 2]'],
        )

    def test_a_number_of_another_type_is_told_as_that(self) -> None:
        self.assertEqual(told({'n': 1}, {'n': Int64(1)}), ['n: 1 (int) -> 1 (long)'])
        self.assertEqual(told({'n': 1}, {'n': 1.0}), ['n: 1 -> 1.0'])

    def test_of_the_order_of_fields_it_is_told(self) -> None:
        self.assertEqual(
            told({'a': 1, 'b': 2}, {'b': 2, 'a': 1}),
            ['(its fields have another order)'],
        )
        self.assertEqual(
            told({'d': {'a': 1, 'b': 2}}, {'d': {'b': 2, 'a': 1}}),
            ["d: {'a': 1, 'b': 2} -> {'b': 2, 'a': 1}"],
        )

    def test_an_empty_one_in_place_of_another(self) -> None:
        self.assertEqual(told({'d': {}}, {'d': []}), ['d: {} -> []'])
        self.assertEqual(told({'d': {'x': 1}}, {'d': {}}), ['d.x: 1 -> (none)'])
        self.assertEqual(told({'d': None}, {}), ['d: None -> (none)'])

    def test_a_name_that_stands_twice_is_no_error(self) -> None:
        twice = document_of('a', Value(0x10, b'\1\0\0\0'))[4:-1] * 2
        document = (len(twice) + 5).to_bytes(4, 'little') + twice + b'\0'
        self.assertEqual(changes(document, encode({'a': 1})), [])
        within = document_of('d', Value(0x03, document))
        [change] = changes(within, encode({'d': {'a': 1}}))
        self.assertEqual(change.path, (b'd',))

    def test_of_many_fields_the_first_are_told(self) -> None:
        found = told({}, {f'f{n}': n for n in range(40)})
        self.assertEqual(len(found), 13)
        self.assertEqual(found[-1], 'and 28 more fields')


class ValuesTest(unittest.TestCase):
    def test_each_type_can_be_read(self) -> None:
        for value, shown in (
            (None, 'None'),
            (datetime.datetime(2020, 1, 2, 3, 4, 5), '2020-01-02 03:04:05'),
            (
                datetime.datetime(2020, 1, 2, 3, 4, 5, 6000),
                '2020-01-02 03:04:05.006',
            ),
            (Int64(5), '5'),
            (b'\x00\xffabc', 'Binary(00ff616263, 5 bytes)'),
            (
                Binary(b'a' * 99, 128),
                'Binary(6161616161616161…, 99 bytes, subtype 128)',
            ),
            (
                Binary(uuid.UUID(int=1).bytes, 4),
                "UUID('00000000-0000-0000-0000-000000000001')",
            ),
            (Binary(b'short', 4), 'Binary(73686f7274, 5 bytes, subtype 4)'),
            (SON([('a', [1, SON()])]), "{'a': [1, {}]}"),
            (Decimal128('1.50'), "Decimal128('1.50')"),
            (MinKey(), 'MinKey()'),
            (list(range(50)), f'[{", ".join(map(str, range(20)))}, … 30 more]'),
        ):
            self.assertEqual(in_full(value), shown)

    def test_depth_is_bounded(self) -> None:
        deep: Any = 1
        for _ in range(50):
            deep = {'a': [deep]}
        self.assertLess(len(in_full(deep)), 60)
        self.assertIn('…', in_full(deep))

    def test_nothing_steers_a_terminal(self) -> None:
        hostile = '\x1b[31m\n\r\u202e\ud800'.encode('utf-8', 'surrogatepass')
        text = hostile.decode('utf-8', 'replace')
        document = {text.replace('\0', ''): text, 'c': Code(text), 'r': Regex(text)}
        for shown in [in_full(document), *told({}, document), *told(document, {})]:
            self.assertRegex(shown, r'^[^\x00-\x1f\x7f-\x9f\u202e\ud800]*$')

    def test_long_texts_are_cut_where_they_begin_to_differ(self) -> None:
        one, other = cut_both(repr('x' * 500 + 'old'), repr('x' * 500 + 'new'))
        self.assertEqual((one, other), ("…xxxxxxxxxxxxold'", "…xxxxxxxxxxxxnew'"))
        one, other = cut_both(repr('a' * 500), repr('b' * 500))
        self.assertEqual(len(one), 60)
        self.assertTrue(one.startswith("'aaa") and one.endswith('…'))

    def test_no_password_of_a_uri_is_cut_in_half(self) -> None:
        address = f'mongodb://ann:{"s3cret" * 30}@h/'
        for one, other in (
            (f'{address}{"x" * 100}old', f'{address}{"x" * 100}new'),
            (f'{"x" * 60}{address}', f'{"y" * 60}{address}'),
        ):
            for text in cut_both(one, other):
                self.assertNotIn('s3', text)
        self.assertNotIn('s3', identity(f'{"x" * 60}{address}'))

    def test_how_far_texts_are_alike(self) -> None:
        for one, other, count in (
            ('', '', 0),
            ('a', '', 0),
            ('abc', 'abd', 2),
            ('abc', 'abc', 3),
            ('abc', 'abcd', 3),
            ('x', 'abc', 0),
        ):
            self.assertEqual(alike(one, other), count, (one, other))


class LinesTest(unittest.TestCase):
    def test_all_kinds(self) -> None:
        comparison = Comparison(
            'shop.users',
            5,
            [
                Difference(encode({'_id': 1, 'a': 1}), encode({'_id': 1, 'a': 2})),
                Difference(None, encode({'_id': 'x', 'b': True})),
                Difference(encode({'_id': None}), None),
            ],
            compared=1_024_000,
        )
        self.assertEqual(
            [tuple(line) for line in lines(comparison, 'shop')],
            [
                ('white', '  ~ users _id 1'),
                ('white', '      a: 1 -> 2'),
                ('green', "  + users _id 'x'"),
                ('white', '      b: True'),
                ('red', '  - users _id None'),
                (
                    'white',
                    '  compared 1,024,000 documents of users, then the time was out:'
                    ' found 3 of 5',
                ),
            ],
        )

    def test_another_database_is_named(self) -> None:
        comparison = Comparison('other.users', 5, is_whole=True)
        self.assertEqual(list(lines(comparison, 'shop')), [])
        comparison.differences = [Difference(None, encode({'_id': 1}))]
        [line] = lines(comparison, 'shop')
        self.assertEqual(line.text, '  + other.users _id 1')

    def test_what_cannot_be_compared_says_why(self) -> None:
        comparison = Comparison('shop.users', 5, reason='it is gone')
        [line] = lines(comparison, 'shop')
        self.assertEqual(line.text, '  users cannot be compared: it is gone')

    def test_bytes_are_decoded_as_they_are(self) -> None:
        document = encode({'_id': 1})
        self.assertEqual(decode(document), {'_id': 1})


if __name__ == '__main__':
    unittest.main()

"""`update_each` replaces and deletes only what is exactly what the function saw."""

from __future__ import annotations

import datetime
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from bson.son import SON

from migopy import DELETE, update_each
from migopy.backfill.comparison import LEVELS, PLACES, unchanged
from migopy.backfill.documents import RAW
from tests.server import DatabaseTest

#: Values of which several are equal to the server, under a collation still more.
VALUES: list[Any] = [
    *(0, 0.0, -0.0, bson.Int64(0), bson.Decimal128('0'), bson.Decimal128('-0')),
    *(1, 1.0, bson.Int64(1), bson.Decimal128('1'), bson.Decimal128('1.00')),
    *(bson.Decimal128('0E+3'), float('nan'), bson.Decimal128('NaN'), float('inf')),
    *(2**53, float(2**53), 1e300, 1.1, bson.Decimal128('1.1'), True, False, None),
    *('', 'x', 'X', 'e', 'é', 'a\0b', 'A\0b', 'ab', '1', '-1', '1,0', '10', '010'),
    *([], [1], [1.0], [[1]], [[1.0]], ['x'], ['X'], [{'a': [{'b': 0.0}]}]),
    *([{'a': [{'b': -0.0}]}], {}, {'a': 1}, {'a': 1.0}, {'A': 1}),
    *(SON([('a', 1), ('b', 2)]), SON([('b', 2), ('a', 1)])),
    *({'a.b': 1}, {'a.b': 1.0}, {'$a': 1}, {'$a': 'x'}, {'$a': 'X'}, {'': 1}),
    *(bson.DBRef('a', 1), bson.DBRef('a', 1.0), b'x', bson.Binary(b'x', 5)),
    *(bson.Regex('x'), bson.Regex('X'), bson.Regex('x', 'i'), bson.Code('x')),
    *(datetime.datetime(2014, 5, 6), bson.DatetimeMS(10**15), bson.Timestamp(1, 2)),
    *(bson.ObjectId('5' * 24), bson.MinKey(), bson.MaxKey()),
]

#: Under the second one digits are numbers, and signs and points are nothing.
COLLATIONS: list[dict[str, Any]] = [
    {},
    {'locale': 'en', 'strength': 1},
    {'locale': 'en', 'strength': 1, 'numericOrdering': True, 'alternate': 'shifted'},
]

ANY_DATE: CodecOptions[Any] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO
)


def raw(document: Any) -> RawBSONDocument:
    return RawBSONDocument(bson.encode(document), codec_options=RAW)


class UnchangedTest(DatabaseTest):
    """The query finds a document that is the same in each byte, and no other."""

    def create(self, name: str, collation: dict[str, Any]) -> Any:
        options = {'collation': collation} if collation else {}
        return self.db.create_collection(name, **options)

    def test_each_value_is_only_itself(self) -> None:
        for number, collation in enumerate(COLLATIONS):
            notes = self.create(f'notes{number}', collation)
            queries = [unchanged(raw({'_id': 1, 'v': v}), True) for v in VALUES]
            if not collation:
                queries += [unchanged(raw({'_id': 1, 'v': v}), False) for v in VALUES]
            # Each says of a document whether it is found.
            fields = {str(n): query['$expr'] for n, query in enumerate(queries)}
            for value in VALUES:
                notes.delete_many({})
                notes.insert_one({'_id': 1, 'v': value})
                [said] = notes.aggregate([{'$project': fields}])
                found = [int(n) for n in fields if said[n]]
                expected = [n for n, each in enumerate(VALUES * 2) if each is value]
                with self.subTest(value=value, collation=collation):
                    self.assertEqual(found, expected[: 1 if collation else 2])

    def test_the_id_is_part_of_it(self) -> None:
        self.db.notes.insert_one({'_id': 1})
        self.assertIsNone(self.db.notes.find_one(unchanged(raw({'_id': 1.0}), False)))

    def found(self, now: Any, seen: Any) -> bool:
        """Tell whether a document that is `now` is found by what was seen."""
        self.db.notes.delete_many({})
        self.db.notes.insert_one({'_id': 1, 'v': now})
        query = unchanged(raw({'_id': 1, 'v': seen}), True)
        return self.db.notes.find_one(query) is not None

    def test_as_deep_as_is_said_and_deeper_by_value(self) -> None:
        for name, as_deep in (('a', 100), ('', LEVELS + 1)):
            for levels in (as_deep, as_deep + 1):
                one: Any = 1
                other: Any = 1.0
                for _ in range(levels - 1):
                    one, other = {name: one}, {name: other}
                with self.subTest(name=name, levels=levels):
                    self.assertTrue(self.found(one, one))
                    self.assertIs(self.found(one, other), levels > as_deep and not name)
                    self.assertFalse(self.found(one, 2))

    def test_in_a_document_of_many_parts(self) -> None:
        for count in (PLACES - 2, PLACES - 1, PLACES, 1000):
            parts = {f'p{n}': {'n': [n], 'x': n} for n in range(count)}
            other = {**parts, 'p3': {'n': [3.0], 'x': 3}}
            with self.subTest(count):
                self.assertTrue(self.found(parts, parts))
                self.assertFalse(self.found(parts, other))

    def test_where_others_made_another_thing_of_a_part(self) -> None:
        for now in (1, 'x', None, [], [{'n': 1}], {'n': {'m': 1}}):
            with self.subTest(now):
                self.assertFalse(self.found(now, {'n': 1, 'o': [1]}))
                self.assertFalse(self.found({'n': 1, 'o': [1]}, now))


class MeanwhileTest(DatabaseTest):
    """Others change a document to something that is equal to the server."""

    #: What the function saw, and what it is when the answer arrives.
    CHANGES = (
        (1, 1.0),
        (0.0, -0.0),
        ([{'a': 1}], [{'a': bson.Int64(1)}]),
        (bson.Decimal128('1.0'), bson.Decimal128('1.00')),
        ('test', 'TEST'),
    )

    def changed(self, key: Any, before: Any, after: Any, answer: Any) -> list[Any]:
        """Change a document after the function's first look; give all that it saw."""
        notes = self.db.get_collection('notes', codec_options=ANY_DATE)
        notes.insert_one({'_id': key, 'v': before})
        seen: list[Any] = []

        def change(note: dict[str, Any]) -> Any:
            seen.append(note['v'])
            if len(seen) == 1:
                notes.update_one({'_id': key}, {'$set': {'v': after}})
            return answer(note)

        counts = update_each(notes, change)
        self.assertEqual(counts.matched, counts.replaced + counts.deleted)
        return seen

    def test_the_function_sees_it_again(self) -> None:
        strength = {'locale': 'en', 'strength': 2}
        self.db.create_collection('notes', collation=strength)
        for key in (1, 'text', bson.ObjectId()):
            for before, after in self.CHANGES:
                with self.subTest(key=key, before=before, after=after):
                    seen = self.changed(
                        key, before, after, lambda note: {'w': note['v']}
                    )
                    self.assertEqual(repr(seen), repr([before, after]))
                    [note] = self.db.notes.find()
                    self.assertEqual(repr(note['w']), repr(after))
                    self.db.notes.delete_many({})
                    seen = self.changed(key, before, after, lambda note: DELETE)
                    self.assertEqual(repr(seen), repr([before, after]))
                    self.assertEqual(self.db.notes.count_documents({}), 0)

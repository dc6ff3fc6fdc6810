"""Images without a server: packed and unpacked, what an undo decides, merging."""

from __future__ import annotations

import random
import unittest
from datetime import datetime, timezone
from typing import Any

from bson import Int64, decode, encode

from migopy.differences import Difference
from migopy.undo import KEEP, OURS, STOP, THEIRS
from migopy.undo.chunk_groups import BYTES, DOCUMENTS, grouped, pairs_of
from migopy.undo.document_decisions import decide
from migopy.undo.image_sets import Chunk, ImageSet
from migopy.undo.packing import packed, unpacked


def document(chance: random.Random) -> bytes:
    """Make a document of random fields."""
    names = chance.sample('abcdefgh', chance.randrange(6))
    values: list[Any] = [1, 'text', None, {'x': 1, 'y': [1, 2]}, b'\0' * 9, 2.5]
    return encode({'_id': 1, **{name: chance.choice(values) for name in names}})


class PairsTest(unittest.TestCase):
    """Documents before and after, in few bytes."""

    def test_all_pairs_come_back(self) -> None:
        chance = random.Random(1)
        pairs = [Difference(None, encode({'_id': 1})), Difference(encode({}), None)]
        for _ in range(2000):
            pair = Difference(document(chance), document(chance))
            pairs += [pair, pair._replace(after=None), Difference(None, pair.after)]
        self.assertEqual(unpacked(packed(pairs)), pairs)
        self.assertEqual(unpacked(packed([])), [])

    def test_fields_added_behind_all_others_and_taken_away(self) -> None:
        whole = {'_id': 1, 'a': '', 'b': b'\0\0', 'c': None}
        for count in range(len(whole) + 1):
            some = encode(dict([*whole.items()][:count]))
            for pair in (
                Difference(some, encode(whole)),
                Difference(encode(whole), some),
            ):
                self.assertEqual(unpacked(packed([pair])), [pair])

    def test_values_of_the_same_bytes_and_another_type(self) -> None:
        for one, other in (
            (Int64(0), 0.0),
            (Int64(1), datetime.fromtimestamp(0, timezone.utc)),
        ):
            pair = Difference(encode({'_id': one}), encode({'_id': other}))
            self.assertEqual(unpacked(packed([pair])), [pair])
            pair = Difference(encode({'_id': one, 'x': 1}), encode({'_id': other}))
            self.assertEqual(unpacked(packed([pair])), [pair])

    def test_what_was_changed_is_seen(self) -> None:
        data = packed([Difference(encode({'_id': 1}), encode({'_id': 1, 'x': 2}))])
        for broken in (b'', b'nothing', data[:-1], data[:5] + b'\0' + data[6:]):
            with self.subTest(broken), self.assertRaises(ValueError):
                unpacked(broken)


class GroupsTest(unittest.TestCase):
    """Chunks that are restored together."""

    def setUp(self) -> None:
        at = datetime(2014, 5, 6, tzinfo=timezone.utc)
        self.kept = ImageSet('1_a.py', at, [])

    def chunk(self, number: int, namespace: str, count: int, size: int = 10) -> Chunk:
        pair = Difference(bytes(size), None)
        return Chunk(self.kept.id, number, namespace, 1, [pair] * count)

    def groups(self, *chunks: Chunk) -> list[list[int]]:
        found = list(grouped(self.kept, chunks))
        for group in found:
            self.assertEqual(
                len(pairs_of(group)), sum(len(each.pairs) for each in group)
            )
        return [[each.number for each in group] for group in found]

    def test_up_to_so_many_documents_and_bytes(self) -> None:
        some = [self.chunk(n, 'b.a', DOCUMENTS // 2) for n in (4, 3, 2, 1, 0)]
        self.assertEqual(self.groups(*some), [[4, 3], [2, 1], [0]])
        large = [self.chunk(n, 'b.a', 1, BYTES // 3) for n in (3, 2, 1, 0)]
        self.assertEqual(self.groups(*large), [[3, 2, 1], [0]])
        larger = [self.chunk(n, 'b.a', 1, 2 * BYTES) for n in (1, 0)]
        self.assertEqual(self.groups(*larger), [[1], [0]])
        self.assertEqual(self.groups(), [])

    def test_of_one_collection_with_no_document_in_two(self) -> None:
        names = ['b.a', 'b.a', 'b.c', 'b.a', 'b.twice', 'b.twice']
        self.kept.repeated = ['b.twice']
        some = [self.chunk(n, name, 1) for n, name in enumerate(names)]
        self.assertEqual(self.groups(*some), [[0, 1], [2], [3], [4], [5]])

    def test_a_definition_is_alone(self) -> None:
        definition = self.chunk(1, 'b.a', 0)
        definition.record = object()  # type: ignore[assignment]
        some = [self.chunk(2, 'b.a', 1), definition, self.chunk(0, 'b.a', 1)]
        self.assertEqual(self.groups(*some), [[2], [1], [0]])


class DecidingTest(unittest.TestCase):
    """What a document is to be, by what it was, became and is."""

    def test_nobody_else_means_what_it_was(self) -> None:
        chance = random.Random(2)
        for _ in range(500):
            before, after = document(chance), document(chance)
            for wish in (STOP, KEEP, THEIRS, OURS):
                decision = decide(Difference(before, after), after, wish)
                wanted = after if decision.is_left else decision.wanted
                self.assertEqual((wanted, decision.conflict), (before, None))

    def test_fields_of_others_are_never_touched_unless_they_are_ours(self) -> None:
        chance = random.Random(3)
        for _ in range(2000):
            before, after = document(chance), document(chance)
            current = document(chance)
            for wish in (STOP, KEEP, THEIRS):
                decision = decide(Difference(before, after), current, wish)
                wanted = current if decision.is_left else decision.wanted
                self.assertIsNotNone(wanted)
                was, made, now = map(decode, (before, after, current))
                then = decode(wanted or b'')
                for name in {*was, *made, *now}:
                    theirs = made.get(name, self) != now.get(name, self)
                    if theirs:
                        kept = then.get(name, self)
                        self.assertEqual(kept, now.get(name, self), (name, wish))
                    elif decision.conflict is None:
                        self.assertEqual(then.get(name, self), was.get(name, self))

    def test_fields_within_fields(self) -> None:
        before = encode({'_id': 1, 'a': {'x': 1, 'y': [1, 2]}, 'b': 1})
        after = encode({'_id': 1, 'a': {'x': 2, 'y': [1, 3]}, 'c': 1})
        current = encode({'_id': 1, 'a': {'x': 2, 'y': [1, 3], 'z': 0}, 'c': 1})
        decision = decide(Difference(before, after), current, STOP)
        self.assertIsNone(decision.conflict)
        wanted = {'_id': 1, 'a': {'x': 1, 'y': [1, 2], 'z': 0}, 'b': 1}
        self.assertEqual(decode(decision.wanted or b''), wanted)
        longer = encode({'_id': 1, 'a': {'x': 2, 'y': [1, 3, 4]}, 'c': 1})
        decision = decide(Difference(before, after), longer, STOP)
        self.assertEqual(decision.conflict, ('was changed since', ['a.y.1']))

    def test_items_of_an_array_that_others_have_changed_are_not_guessed(self) -> None:
        before = encode({'_id': 1, 'a': [{'x': 1, 'k': 'A'}, {'x': 1, 'k': 'B'}]})
        after = encode({'_id': 1, 'a': [{'x': 2, 'k': 'A'}, {'x': 2, 'k': 'B'}]})
        # The first is gone, another one has come behind the second.
        current = encode({'_id': 1, 'a': [{'x': 2, 'k': 'B'}, {'x': 2, 'k': 'C'}]})
        pair = Difference(before, after)
        decision = decide(pair, current, STOP)
        said = ['a.0.x', 'a.1.x']
        self.assertEqual(decision.conflict, ('was changed since', said))
        self.assertTrue(decision.is_left)
        theirs = decide(pair, current, THEIRS)
        self.assertTrue(theirs.is_left and theirs.wanted == current)
        self.assertEqual(decide(pair, current, OURS).wanted, before)

    def test_the_order_of_fields_is_a_change_as_well(self) -> None:
        before, after = encode({'a': 1, 'b': 2}), encode({'a': 1, 'b': 3})
        reordered = encode({'b': 3, 'a': 1})
        decision = decide(Difference(before, after), reordered, STOP)
        self.assertTrue(decision.is_left and decision.conflict)
        decision = decide(Difference(before, after), reordered, OURS)
        self.assertEqual(decision.wanted, before)

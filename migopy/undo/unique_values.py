"""Find the documents that now have unique values which others are to get back."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

from migopy.differences import (
    ARRAY,
    DOCUMENT,
    Value,
    collection_of,
    document_with,
    documents,
    id_of,
)
from migopy.dumps import raw_batches
from migopy.undo.unique_keys import (
    Key,
    Unique,
    comparable,
    comparable_key,
    fields_of,
    names_of,
)

#: Keys in one query, and about their bytes.
AT_ONCE = 1000
MOST_BYTES = 4_000_000

#: Types that `$in` may take for operators or patterns: a document, a regex.
NOT_IN = frozenset({DOCUMENT, 0x0B})

#: What identifies a document: its collection, and its `_id` in a comparable form.
Who = tuple[str, Hashable]

#: What documents are going to be; `None` if they are going to be deleted.
Fates = Mapping[Who, 'bytes | None']


class Restored(NamedTuple):
    """A document that is to be restored: what it is now, and what it is to be."""

    id: Value
    current: bytes | None
    wanted: bytes


class Claim(NamedTuple):
    """A unique value that one document is to get back and another one has now.

    `place` is the name that their collection has now, `namespace` the one it had.
    """

    namespace: str
    place: str
    id: Value
    unique: Unique
    key: Hashable
    holder: Value

    @property
    def claimer(self) -> Who:
        """Tell which document is to get it back."""
        return who(self.place, self.id)

    @property
    def having(self) -> Who:
        """Tell which document has it now."""
        return who(self.place, self.holder)


def who(place: str, id: Value) -> Who:
    """Identify a document by its `_id`, whatever type of number that is."""
    return place, comparable(id)


def claims(
    client: Any,
    namespace: str,
    place: str,
    indexes: Sequence[Unique],
    restored: Sequence[Restored],
) -> Iterator[Claim]:
    """Find out who has the unique values that documents are to get back.

    Documents that have them already are not looked up. Raises `PyMongoError`.
    """
    names = names_of(indexes)
    keys: dict[Unique, dict[Value, Key]] = {each: {} for each in indexes}
    for id, current, wanted in restored:
        then = fields_of(wanted, names)
        now = None if current is None else fields_of(current, names)
        if now == then:
            continue
        for index in indexes:
            key = index.key_of(then)
            if key is not None and (now is None or index.key_of(now) != key):
                keys[index][id] = key
    collection = collection_of(client, place)
    for index, wanting in keys.items():
        for id, value, holder in _held(collection, index, wanting):
            if comparable(holder) != comparable(id):
                yield Claim(namespace, place, id, index, value, holder)


def lost(found: Sequence[Claim], fates: Fates) -> dict[Who, Claim]:
    """Tell which documents cannot get a unique value back, with one such value each.

    Either its holder keeps it, or the holder should lose it but cannot be restored for
    the same reason. `fates` are what is planned for documents of the undo.
    """
    waiting: dict[Who, list[Claim]] = {}
    refused: list[Claim] = []
    for claim in found:
        if not _has(claim, fates.get(claim.claimer)):
            continue
        if claim.having not in fates or _has(claim, fates[claim.having]):
            refused.append(claim)
        else:
            waiting.setdefault(claim.having, []).append(claim)
    left: dict[Who, Claim] = {}
    while refused:
        claim = refused.pop()
        if claim.claimer not in left:
            left[claim.claimer] = claim
            refused += waiting.pop(claim.claimer, [])
    return left


def _has(claim: Claim, document: bytes | None) -> bool:
    """Tell whether a document has the value of a claim."""
    if document is None:
        return False
    key = claim.unique.key_of(fields_of(document, names_of([claim.unique])))
    return key is not None and comparable_key(key) == claim.key


def _held(
    collection: Collection[Any], index: Unique, keys: Mapping[Value, Key]
) -> Iterator[tuple[Value, Hashable, Value]]:
    """Iterate over keys that exist: who is to get each, and who has it now."""
    names = names_of([index])
    for part in _parts(keys):
        by_key: dict[Hashable, Value] = {}
        for document in _having(collection, index, [keys[each] for each in part]):
            by_key = by_key or {comparable_key(keys[each]): each for each in part}
            key = index.key_of(fields_of(document, names))
            same = None if key is None else comparable_key(key)
            if same in by_key:
                yield by_key[same], same, id_of(document)


def _having(
    collection: Collection[Any], index: Unique, keys: Sequence[Key]
) -> Iterator[bytes]:
    """Iterate over the documents that have one of these keys in an index."""
    either = _array(list(_alternatives(index, keys)))
    query = RawBSONDocument(document_with([(b'$or', either)]))
    batches = raw_batches(
        collection,
        None,
        at_once=False,
        filter=query,
        projection=[path[0].decode() for path in index.paths],
        hint=index.hint,
        collation={'locale': 'simple'},
    )
    for batch in batches:
        yield from documents(batch.data)


def _alternatives(index: Unique, keys: Sequence[Key]) -> Iterator[Value]:
    """Make queries for keys, one for all keys that differ only in the last field."""
    fields = [b'.'.join(each) for each in index.paths]
    last: dict[Key, list[Value]] = {}
    for key in keys:
        if key[-1].type in NOT_IN:
            yield _document(zip(fields, map(_equal, key)))
        else:
            last.setdefault(key[:-1], []).append(key[-1])
    for first, values in last.items():
        any_of = _document([(b'$in', _array(values))])
        yield _document(zip(fields, [*map(_equal, first), any_of]))


def _equal(value: Value) -> Value:
    return _document([(b'$eq', value)])


def _document(fields: Iterable[tuple[bytes, Value]]) -> Value:
    return Value(DOCUMENT, document_with(fields))


def _array(values: Sequence[Value]) -> Value:
    return Value(ARRAY, document_with((b'%d' % n, v) for n, v in enumerate(values)))


def _parts(keys: Mapping[Value, Key]) -> Iterator[list[Value]]:
    """Iterate over the `_id`s of as many keys as one query has."""
    part: list[Value] = []
    size = 0
    for id, key in keys.items():
        length = sum(len(each.data) for each in key)
        if part and (len(part) == AT_ONCE or size + length > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(id)
        size += length
    if part:
        yield part

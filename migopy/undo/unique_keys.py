"""The keys that documents have in unique indexes, each of them only once."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from migopy.differences import ARRAY, DOCUMENT, Value, elements

#: A document's key in an index: the values of the index's fields, in order.
Key = tuple[Value, ...]

#: The value in a key for a field that is missing.
NULL = Value(0x0A, b'')

#: Types that a query treats differently from an index: arrays, whose items an index has
#: one by one, and two that MongoDB has given up.
UNTOLD = frozenset({ARRAY, 0x06, 0x0C})

DECIMAL = 0x13
#: Bytes of a value that is too long to be put into a query.
LONGEST = 1_000_000

NUMBERS = frozenset({0x01, 0x10, 0x12, DECIMAL})

#: Options of an index whose keys are not foreseen here, or that no query can be told to
#: use.
NOT_PLAIN = ('collation', 'hidden', 'partialFilterExpression')


class Untold(Exception):
    """A document's key in an index is not known."""


class Unique(NamedTuple):
    """A unique index: its name, and the paths of its fields.

    `hint` is the name of the index by which its keys are found, if that is another.
    """

    name: str
    paths: tuple[tuple[bytes, ...], ...]
    is_sparse: bool
    hint: str = ''

    def key_of(self, fields: Mapping[bytes, Value]) -> Key | None:
        """Give a document's key by its fields; `None` where it is not known.

        For a sparse index it is known only if all fields are there.
        """
        try:
            key = tuple(_at(path, fields) for path in self.paths)
        except Untold:
            return None
        return None if self.is_sparse and NULL in key else key


def plain_unique(indexes: Mapping[str, Mapping[str, Any]]) -> list[Unique]:
    """List a collection's unique indexes whose keys can be foreseen.

    One with `_id` in it is left out, as it never refuses a document.
    """
    return [
        Unique(
            name,
            tuple(tuple(each.encode().split(b'.')) for each in index['key']),
            bool(index.get('sparse')),
        )
        for name, index in indexes.items()
        if index.get('unique') and _is_plain(index)
    ]


def found_by(wanted: Iterable[Unique], there: Iterable[Unique]) -> list[Unique]:
    """List the wanted indexes whose keys an existing index can find, as its hint."""
    by_paths = {each.paths: each for each in there}
    return [
        each._replace(
            hint=by_paths[each.paths].name,
            is_sparse=each.is_sparse or by_paths[each.paths].is_sparse,
        )
        for each in wanted
        if each.paths in by_paths
    ]


def names_of(indexes: Sequence[Unique]) -> frozenset[bytes]:
    """Give the fields, of the document itself, that indexes look at."""
    return frozenset(path[0] for each in indexes for path in each.paths)


def fields_of(document: bytes, names: Collection[bytes]) -> dict[bytes, Value]:
    """Give the fields of a document that have these names."""
    found: dict[bytes, Value] = {}
    for name, value in elements(document):
        if name in names:
            found[name] = value
            if len(found) == len(names):
                break
    return found


def comparable(value: Value) -> Hashable:
    """Give a value that is equal whenever an index takes two for equal: 1 and 1.0."""
    if value.type in NUMBERS:
        return 'number', _number(value)
    if value.type in (DOCUMENT, ARRAY):
        fields = elements(value.data)
        return value.type, tuple((name, comparable(each)) for name, each in fields)
    return value


def comparable_key(key: Key) -> Hashable:
    """Give the same for a key."""
    return tuple(comparable(each) for each in key)


def _is_plain(index: Mapping[str, Any]) -> bool:
    if any(index.get(each) for each in NOT_PLAIN) or '_id' in index['key']:
        return False
    return all(isinstance(way, (int, float)) for way in index['key'].values())


def _at(path: Sequence[bytes], fields: Mapping[bytes, Value]) -> Value:
    """Give the value at a path; raises `Untold`."""
    value = fields.get(path[0], NULL)
    for name in path[1:]:
        _require_told(value)
        inside = fields_of(value.data, (name,)) if value.type == DOCUMENT else {}
        value = inside.get(name, NULL)
    _require_told(value)
    return value


def _require_told(value: Value) -> None:
    if value.type in UNTOLD or len(value.data) > LONGEST:
        raise Untold


def _number(value: Value) -> Hashable:
    number: Any = value.decoded()
    if value.type == DECIMAL:
        number = number.to_decimal()
        return 'NaN' if number.is_nan() else number
    return 'NaN' if number != number else number

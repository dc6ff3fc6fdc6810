"""Tell which documents a command may change, if it names them by `_id`."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from bson import SON, Binary, Decimal128, Int64, ObjectId, encode

from migopy.differences import Value, elements

#: Types that are encoded the same with any codec options. UUIDs are not.
PLAIN = frozenset(
    {
        Binary,
        Decimal128,
        Int64,
        ObjectId,
        bool,
        bytes,
        datetime.datetime,
        float,
        int,
        str,
        type(None),
    }
)

NOTHING = object()

Ids = Iterator['list[Any] | None']


def targeted_by(name: str, command: Mapping[str, Any]) -> list[Value] | None:
    """List the `_id`s of all documents that a command may change.

    `None` if it does not name them.
    """
    look = LOOKS.get(name)
    if look is None:
        return None
    found: list[Any] = []
    for ids in look(command):
        if ids is None:
            return None
        found += ids
    return values_of(found)


def values_of(ids: list[Any]) -> list[Value]:
    """Encode `_id`s as the server has them."""
    _, array = next(elements(encode({'ids': ids})))
    return [each for _, each in elements(array.data)]


def _defined(command: Mapping[str, Any]) -> Ids:
    yield []


def _inserted(command: Mapping[str, Any]) -> Ids:
    for document in command['documents']:
        yield _equal(document.get('_id', NOTHING))


def _updated(command: Mapping[str, Any]) -> Ids:
    for each in command['updates']:
        yield _selected(each.get('q'), each)


def _deleted(command: Mapping[str, Any]) -> Ids:
    for each in command['deletes']:
        yield _selected(each.get('q'), each)


def _modified(command: Mapping[str, Any]) -> Ids:
    yield _selected(command.get('query'), command)


def _selected(query: Any, statement: Mapping[str, Any]) -> list[Any] | None:
    # Under a collation several documents may match the same `_id`.
    if not isinstance(query, Mapping) or statement.get('collation'):
        return None
    wanted = query.get('_id', NOTHING)
    if isinstance(wanted, Mapping) and len(wanted) == 1:
        [(operator, value)] = wanted.items()
        if operator == '$eq':
            return _equal(value)
        # An upsert for none of several gets an `_id` that the server makes.
        if operator == '$in' and not statement.get('upsert'):
            is_plain = isinstance(value, (list, tuple)) and all(map(_is_plain, value))
            return list(value) if is_plain else None
    return _equal(wanted)


def _equal(value: Any) -> list[Any] | None:
    return [value] if _is_plain(value) else None


def _is_plain(value: Any) -> bool:
    if type(value) in (dict, SON):
        is_value = not any(str(key).startswith('$') for key in value)
        return is_value and all(map(_is_plain, value.values()))
    return type(value) in PLAIN


LOOKS = {
    'create': _defined,
    'createIndexes': _defined,
    'delete': _deleted,
    'findAndModify': _modified,
    'findandmodify': _modified,
    'insert': _inserted,
    'update': _updated,
}

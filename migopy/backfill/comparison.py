"""A query that finds a document only if it still is what was seen.

The server compares values: to it 1, 1.0 and Decimal 1.00 are equal, so are 0.0 and
-0.0, and under a collection's collation `TEST` may equal `test`. A replacement would
then undo what others wrote. So what looks alike is also compared by its type or its
text. No server tells apart the bits of a NaN, and the numbers in the scope of
JavaScript code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from bson.decimal128 import Decimal128
from bson.raw_bson import RawBSONDocument

Expression = dict[str, Any]

#: Levels below a place that are compared by type as well: each takes four of the 200
#: levels that a statement may have. What is nested deeper is compared by value alone.
LEVELS = 40

#: Places that are compared one by one; if there are more, the whole document is.
PLACES = 16

#: Values that are compared by type; those whose digits are compared as well; and texts,
#: between which a collation may see no difference.
NUMBER, DIGITS, TEXT = 'number', 'digits', 'text'


class Place(NamedTuple):
    """A list or a document within a document that holds what looks alike.

    `path` leads to it in an expression; `levels` says how deep such values lie below
    it, `kinds` of which kinds they are.
    """

    path: str
    is_list: bool
    levels: int
    kinds: frozenset[str]


def unchanged(seen: RawBSONDocument, collated: bool) -> Expression:
    """Give a query that matches only a document that is still what was seen.

    `collated` is whether the collection has a collation, or may have one.
    """
    # MongoDB 4.4 rewrites `{$eq: ['$$ROOT', <constant>]}` as a query for a field, and
    # fails as `$$ROOT` is no field. With a variable it does not.
    same: Expression = {'$eq': ['$$ROOT', '$$seen']}
    places = tuple(islice(_places(seen, '$$one', collated), PLACES + 1))
    if len(places) > PLACES:
        places = tuple(_whole(seen, '$$one', collated))
    if places:
        # A document that is not equal may not have these places.
        same = {'$cond': [same, _are_alike(places, collated), False]}
    return {'$expr': {'$let': {'vars': {'seen': {'$literal': seen}}, 'in': same}}}


def _places(value: Any, path: str, collated: bool) -> Iterator[Place]:
    if isinstance(value, list):
        yield from _whole(value, path, collated)
        return
    fields = value.items()
    inner = {name: each for name, each in fields if _is_nested(each)}
    if not all(map(_is_plain, inner)):
        yield from _whole(value, path, collated)
        return
    kinds = {_kind(each, collated) for _, each in fields}
    if found := frozenset(kind for kind in kinds if kind):
        yield Place(path, False, 1, found)
    for name, each in inner.items():
        yield from _places(each, f'{path}.{name}', collated)


def _whole(value: Any, path: str, collated: bool) -> Iterator[Place]:
    kinds: set[str] = set()
    levels = min(_levels(_members(value), collated, kinds), LEVELS)
    if levels:
        yield Place(path, isinstance(value, list), levels, frozenset(kinds))


def _levels(members: Iterable[Any], collated: bool, kinds: set[str]) -> int:
    """Tell how deep the last value to be compared lies; 0 if there is none."""
    deepest = 0
    for each in members:
        if _is_nested(each):
            deeper = _levels(_members(each), collated, kinds)
            deepest = max(deepest, deeper and deeper + 1)
        elif kind := _kind(each, collated):
            kinds.add(kind)
            deepest = max(deepest, 1)
    return deepest


def _is_nested(value: Any) -> bool:
    # Checked for each value; to check for any Mapping takes ten times as long.
    return isinstance(value, (RawBSONDocument, list))


def _members(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else dict(value.items()).values()


def _is_plain(name: str) -> bool:
    """Tell whether a field can be named in a path."""
    return bool(name) and '.' not in name and not name.startswith('$')


def _kind(value: Any, collated: bool) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal128) or (isinstance(value, float) and value == 0):
        return DIGITS
    if isinstance(value, (int, float)):
        return NUMBER
    return TEXT if collated and isinstance(value, str) else None


@lru_cache(maxsize=256)
def _are_alike(places: tuple[Place, ...], collated: bool) -> Expression:
    """Give an expression that is true if both have the same types, digits and texts."""
    both = {
        '$map': {
            'input': ['$$ROOT', '$$seen'],
            'as': 'one',
            'in': [_outline_of(place, collated) for place in places],
        }
    }
    # One expression for both halves what is sent and parsed.
    return {'$eq': [{'$size': {'$setUnion': [both]}}, 1]}


def _outline_of(place: Place, collated: bool) -> Expression:
    if place.is_list:
        return _outline(place.path, '', place.levels, place.kinds, collated)
    fields = {'$objectToArray': place.path}
    return _outline(fields, '.v', place.levels, place.kinds, collated)


def _outline(
    members: Any, suffix: str, levels: int, kinds: frozenset[str], collated: bool
) -> Expression:
    """Give an expression that lists the types of members, each as `$$m1<suffix>`."""
    name = f'm{levels}'
    value = f'$${name}{suffix}'
    kind = {'$type': value}
    outline: Expression = kind
    if DIGITS in kinds:
        digits: Any = {'$toString': value}
        digits = [kind, _as_name(digits) if collated else digits]
        outline = _either(kind, ['double', 'decimal'], digits, outline)
    if TEXT in kinds:
        # No name holds a NUL.
        lines = {'$map': {'input': {'$split': [value, '\0']}, 'in': _as_name('$$this')}}
        outline = _either(kind, ['string'], lines, outline)
    if levels > 1:
        fields = {'$map': {'input': {'$objectToArray': value}, 'in': '$$this.v'}}
        inner = {'$cond': [{'$isArray': value}, value, fields]}
        deeper = _outline(inner, '', levels - 1, kinds, collated)
        outline = _either(kind, ['object', 'array'], deeper, outline)
    return {'$map': {'input': members, 'as': name, 'in': outline}}


def _either(kind: Expression, kinds: list[str], then: Any, other: Any) -> Expression:
    return {'$cond': [{'$in': [kind, kinds]}, then, other]}


def _as_name(text: Any) -> Expression:
    """Make a text a field's name, which is compared byte by byte."""
    return {'$arrayToObject': [[{'k': text, 'v': 0}]]}

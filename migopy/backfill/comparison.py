"""A query that finds a document only if it still is what was seen.

The server compares values: 1, 1.0 and Decimal 1.00 are equal to it, so are 0.0 and
-0.0, and under a collection's collation `TEST` may equal `test`. A replacement would
undo what others wrote then. So what looks alike is compared by its type, or by its
text, as well. The bits of a NaN and the numbers in the scope of JavaScript code are
what no server tells apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from bson.decimal128 import Decimal128
from bson.raw_bson import RawBSONDocument

Expression = dict[str, Any]

#: Levels of a document that are compared by types: each takes four of the 200 levels
#: that a statement may have. What is nested deeper is compared by values alone.
LEVELS = 40

#: Values that are compared by their type; those whose digits are compared as well;
#: those in which a collation may see no difference.
NUMBER, DIGITS, TEXT = 'number', 'digits', 'text'


def unchanged(seen: RawBSONDocument, collated: bool) -> Expression:
    """Give a query for a document that is what was seen.

    `collated` is whether the collection has a collation, or may have one.
    """
    kinds: set[str] = set()
    levels = min(_levels(seen.values(), collated, kinds), LEVELS)
    # MongoDB 4.4 makes a query for a field of `{$eq: ['$$ROOT', <constant>]}`, and
    # fails as `$$ROOT` is none. Of a variable it makes none.
    same: Expression = {'$eq': ['$$ROOT', '$$seen']}
    if levels:
        same = {'$and': [same, _are_alike(levels, frozenset(kinds), collated)]}
    return {'$expr': {'$let': {'vars': {'seen': {'$literal': seen}}, 'in': same}}}


def _levels(members: Iterable[Any], collated: bool, kinds: set[str]) -> int:
    """Tell how deep it is to the last value that has to be looked at; 0 for none."""
    deepest = 0
    for each in members:
        if isinstance(each, (Mapping, list)):
            inner = each.values() if isinstance(each, Mapping) else each
            deeper = _levels(inner, collated, kinds)
            deepest = max(deepest, deeper and deeper + 1)
        elif kind := _kind(each, collated):
            kinds.add(kind)
            deepest = max(deepest, 1)
    return deepest


def _kind(value: Any, collated: bool) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal128) or (isinstance(value, float) and value == 0):
        return DIGITS
    if isinstance(value, (int, float)):
        return NUMBER
    return TEXT if collated and isinstance(value, str) else None


@lru_cache(maxsize=256)
def _are_alike(levels: int, kinds: frozenset[str], collated: bool) -> Expression:
    """Give what is true if the types (and digits, texts) of both are the same."""
    both = {
        '$map': {
            'input': ['$$ROOT', '$$seen'],
            'as': 'one',
            'in': _outline({'$objectToArray': '$$one'}, levels, kinds, collated, '.v'),
        }
    }
    # One expression for both is half as much to be sent and parsed.
    return {'$eq': [{'$size': {'$setUnion': [both]}}, 1]}


def _outline(
    members: Expression,
    levels: int,
    kinds: frozenset[str],
    collated: bool,
    suffix: str = '',
) -> Expression:
    """Give what lists the types of members; `$$m1<suffix>` is one of them."""
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
        deeper = _outline(inner, levels - 1, kinds, collated)
        outline = _either(kind, ['object', 'array'], deeper, outline)
    return {'$map': {'input': members, 'as': name, 'in': outline}}


def _either(kind: Expression, kinds: list[str], then: Any, other: Any) -> Expression:
    return {'$cond': [{'$in': [kind, kinds]}, then, other]}


def _as_name(text: Any) -> Expression:
    """Make a text a field's name, which is compared byte by byte."""
    return {'$arrayToObject': [[{'k': text, 'v': 0}]]}

"""Values of a database, as a person reads them in a line."""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from bson import Binary, Code, Int64, ObjectId, Regex
from bson.datetime_ms import DatetimeMS

from migopy.secrets import redacted, redacted_short
from migopy.texts import alike, one_line

#: How many characters are shown of a value, of a name, and before the first difference
#: of two long values.
WIDEST = 60
WIDEST_NAME = 40
BEFORE = 12

#: How many items of an array, or fields of a document, are looked at.
ITEMS = 20

#: How many levels of documents within documents are shown.
DEPTH = 5

#: Bytes of binary data that are shown.
BYTES = 8

#: The subtype of a UUID.
UUID = 4

#: Names of types by their number, for two values that look the same.
TYPES = {
    0x01: 'double',
    0x02: 'string',
    0x03: 'document',
    0x04: 'array',
    0x05: 'binary',
    0x06: 'undefined',
    0x0A: 'null',
    0x0C: 'dbPointer',
    0x0E: 'symbol',
    0x10: 'int',
    0x12: 'long',
    0x13: 'decimal',
}


def in_full(value: Any, depth: int = DEPTH) -> str:
    """Give a value in one line, without what could steer a terminal.

    It is not cut, except for parts that nobody would read to their end.
    """
    if isinstance(value, str) and not isinstance(value, Code):
        return repr(str(value))
    if isinstance(value, Mapping):
        return _within('{}', _fields(value, depth), len(value), depth)
    if isinstance(value, (list, tuple)):
        items = (in_full(each, depth - 1) for each in value[:ITEMS])
        return _within('[]', items, len(value), depth)
    return one_line(_scalar(value))


def _fields(document: Mapping[str, Any], depth: int) -> Iterable[str]:
    for _, (name, value) in zip(range(ITEMS), document.items()):
        yield f'{name!r}: {in_full(value, depth - 1)}'


def _within(brackets: str, parts: Iterable[str], count: int, depth: int) -> str:
    if depth <= 0 and count:
        return f'{brackets[0]}…{brackets[1]}'
    listed = list(parts)
    if count > len(listed):
        listed.append(f'… {count - len(listed):,} more')
    return f'{brackets[0]}{", ".join(listed)}{brackets[1]}'


def _scalar(value: Any) -> str:
    if isinstance(value, bytes):
        return _binary(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=' ', timespec='milliseconds').removesuffix('.000')
    if isinstance(value, DatetimeMS):
        return f'DatetimeMS({int(value)})'
    if isinstance(value, Regex):
        return f'Regex({value.pattern!r})'
    if isinstance(value, Int64):
        return str(int(value))
    return repr(value)


def _binary(value: bytes) -> str:
    subtype = value.subtype if isinstance(value, Binary) else 0
    if subtype == UUID and len(value) == 16:
        return f"UUID('{uuid.UUID(bytes=bytes(value))}')"
    more = '…' if len(value) > BYTES else ''
    kind = f', subtype {subtype}' if subtype else ''
    return f'Binary({value[:BYTES].hex()}{more}, {len(value):,} bytes{kind})'


def cut(text: str, width: int = WIDEST) -> str:
    """Cut a long text at its end."""
    return redacted_short(text, width)


def cut_both(one: str, other: str) -> tuple[str, str]:
    """Cut two long texts so that the first difference can be seen."""
    one, other = redacted(one), redacted(other)
    if len(one) <= WIDEST and len(other) <= WIDEST:
        return one, other
    same = alike(one, other)
    start = same - BEFORE
    if start <= BEFORE or same < WIDEST // 2:
        return cut(one), cut(other)
    return cut(f'…{one[start:]}'), cut(f'…{other[start:]}')


def name(part: bytes) -> str:
    """Give a field's name, in quotes where it could be misread."""
    text = part.decode('utf-8', 'replace')
    if re.fullmatch(r'[\w$-]+', text):
        return cut(text, WIDEST_NAME)
    return cut(repr(text), WIDEST_NAME)


def identity(value: Any) -> str:
    """Give an `_id` in one line; an ObjectId is never cut."""
    if isinstance(value, ObjectId):
        return repr(value)
    return cut(in_full(value))

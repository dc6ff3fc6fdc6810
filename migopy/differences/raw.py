"""Documents as bytes: compared as the server has them, whatever a codec makes of them.

The layout is that of the BSON specification, version 1.1 (bsonspec.org).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from bson import decode
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

#: Options that decode whatever the server may have.
READABLE: CodecOptions[Any] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler='replace',
)

DOCUMENT, ARRAY = 0x03, 0x04
REGEX = 0x0B

#: The size in bytes of values whose type has a fixed size.
SIZES = {
    0x01: 8,
    0x06: 0,
    0x07: 12,
    0x08: 1,
    0x09: 8,
    0x0A: 0,
    0x10: 4,
    0x11: 8,
    0x12: 8,
    0x13: 16,
    0x7F: 0,
    0xFF: 0,
}

#: Bytes to add to the length with which a value begins.
BESIDE = {0x02: 4, 0x03: 0, 0x04: 0, 0x05: 5, 0x0C: 16, 0x0D: 4, 0x0E: 4, 0x0F: 0}

#: Types of an `_id` for which `$gte` finds all that come behind it: double, string,
#: binary, ObjectId, date, int, long.
ORDERED = frozenset({0x01, 0x02, 0x05, 0x07, 0x09, 0x10, 0x12})

LENGTH = struct.Struct('<i')


class Value(NamedTuple):
    """A value as the server has it: its type's number, and its bytes."""

    type: int
    data: bytes

    def decoded(self) -> Any:
        """Give it as Python has it."""
        return decode(document_of('v', self), READABLE)['v']


def length_at(data: bytes, place: int) -> int:
    """Read the length that stands at a place."""
    return int(LENGTH.unpack_from(data, place)[0])


def elements(document: bytes) -> Iterator[tuple[bytes, Value]]:
    """Iterate over the fields of a document, their names as bytes."""
    place, end = 4, len(document) - 1
    while place < end:
        kind = document[place]
        name_end = document.index(0, place + 1)
        name = document[place + 1 : name_end]
        start = name_end + 1
        place = start + _size(kind, document, start)
        yield name, Value(kind, document[start:place])


def _size(kind: int, document: bytes, start: int) -> int:
    size = SIZES.get(kind)
    if size is not None:
        return size
    if kind == REGEX:
        return document.index(0, document.index(0, start) + 1) + 1 - start
    return BESIDE[kind] + length_at(document, start)


def id_of(document: bytes) -> Value:
    """Give the `_id` of a document, which the server keeps in the first place.

    Raises `LookupError` where a document has none.
    """
    # Nearly all documents have it there, and every one is asked for it.
    if document[5:9] == b'_id\0':
        kind = document[4]
        size = SIZES.get(kind)
        if size is None:
            size = _size(kind, document, 9)
        return Value(kind, document[9 : 9 + size])
    for name, value in elements(document):
        if name == b'_id':
            return value
    raise LookupError('_id')


def document_of(name: str, value: Value) -> bytes:
    """Make a document of one field."""
    return document_with([(name.encode(), value)])


def document_with(fields: Iterable[tuple[bytes, Value]]) -> bytes:
    """Make a document of fields, their names as bytes."""
    parts = [b'%c%b\0%b' % (value.type, name, value.data) for name, value in fields]
    body = b''.join(parts) + b'\0'
    return LENGTH.pack(len(body) + 4) + body


def with_id(value: Value) -> RawBSONDocument:
    """Make the filter that selects the document with an `_id`, of whatever type."""
    equal = Value(DOCUMENT, document_of('$eq', value))
    return RawBSONDocument(document_of('_id', equal))


def documents(batch: bytes) -> Iterator[bytes]:
    """Take a batch of documents apart."""
    length, size = LENGTH.unpack_from, len(batch)
    place = 0
    while place < size:
        end = place + length(batch, place)[0]
        yield batch[place:end]
        place = end

"""Read documents field by field if PyMongo cannot read them as a whole.

MongoDB stores what PyMongo refuses to decode, such as binary data of subtype 2 with a
wrong inner length. One such field, of another tool or an attacker, must not keep every
command from its work.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from bson import CodecOptions, decode, decode_all
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

Document = dict[str, Any]

#: Documents as bytes: ten thousand take 5 MB, decoded all at once 8 MB.
RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)

#: Documents that are decoded together, which takes PyMongo a third less time.
AT_ONCE = 100

#: Bytes of a value, by the BSON specification's number of its type.
_SIZES = {
    **dict.fromkeys((0x06, 0x0A, 0x7F, 0xFF), 0),
    0x08: 1,
    0x10: 4,
    **dict.fromkeys((0x01, 0x09, 0x11, 0x12), 8),
    0x07: 12,
    0x13: 16,
}

#: Bytes that a value has besides those that the number at its beginning counts.
_BESIDES = {
    **dict.fromkeys((0x03, 0x04, 0x0F), 0),
    **dict.fromkeys((0x02, 0x0D, 0x0E), 4),
    0x05: 5,
    0x0C: 16,
}

_REGEX = 0x0B


#: Where a document says how many bytes it has: a 32-bit integer at its beginning.
_LENGTH = struct.Struct('<i')


def raw(collection: Collection[Document]) -> Collection[Any]:
    """Give a collection whose documents come as bytes, for `readable`."""
    return collection.with_options(codec_options=RAW)


def all_readable(
    documents: Iterable[bytes], options: CodecOptions[Any]
) -> Iterator[Document]:
    """Decode documents like `readable`, a hundred at a time."""
    documents = iter(documents)
    while batch := list(islice(documents, AT_ONCE)):
        try:
            yield from decode_all(b''.join(batch), options)
        except InvalidBSON:
            for each in batch:
                yield readable(RawBSONDocument(each), options)


def batch_of(cursor: bytes) -> tuple[Iterator[bytes], int]:
    """Take a reply's `cursor` apart: its documents, and its id, 0 if these are all.

    PyMongo would make an object of each document, which for ten thousand takes two
    fifths of the time and 3 MB.
    """
    fields = {
        cursor[begin + 1 : value - 1]: slice(value, end)
        for begin, value, end in _places(cursor)
    }
    left = int.from_bytes(cursor[fields[b'id']], 'little', signed=True)
    return _documents(cursor, fields[b'firstBatch']), left


def _documents(content: bytes, array: slice) -> Iterator[bytes]:
    """Iterate over the documents of an array that holds nothing else."""
    place, end, length_at = array.start + 4, array.stop - 1, _LENGTH.unpack_from
    while place < end:
        start = content.index(0, place) + 1
        place = start + length_at(content, start)[0]
        yield content[start:place]


def readable(document: RawBSONDocument, options: CodecOptions[Any]) -> Document:
    """Decode a document; fields that PyMongo cannot read are left out.

    `options` are those of the collection that it is from.
    """
    try:
        return dict(decode(document.raw, options))
    except InvalidBSON:
        fields: Document = {}
        for field in _fields(bytes(document.raw)):
            try:
                fields.update(decode(field, options))
            except InvalidBSON:
                continue
        return fields


def _fields(content: bytes) -> Iterator[bytes]:
    """Give each field of a document as a document of its own."""
    for begin, _, end in _places(content):
        field = content[begin:end]
        yield _LENGTH.pack(len(field) + 5) + field + b'\0'


def _places(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Iterate over fields: where each one begins, where its value does, and the end.

    It stops at anything that is no BSON, which a server does not store.
    """
    start, end = 4, len(content) - 1
    while start < end:
        value = content.index(0, start) + 1
        size = _size(content, content[start], value)
        if size is None or not value <= value + size <= end:
            return
        yield start, value, value + size
        start = value + size


def _size(content: bytes, kind: int, start: int) -> int | None:
    """Give the size of the value that begins at `start`; `None` if there is none."""
    if kind in _SIZES:
        return _SIZES[kind]
    if kind == _REGEX:
        options = content.index(0, start) + 1
        return content.index(0, options) + 1 - start
    if kind not in _BESIDES or start + 4 > len(content):
        return None
    counted: int = _LENGTH.unpack_from(content, start)[0]
    return counted + _BESIDES[kind]

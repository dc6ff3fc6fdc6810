"""Documents as the server sent them, and `_id`s that no options change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bson
from bson import ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference
from pymongo.collection import Collection

from migopy.errors import MigopyException
from migopy.secrets import redacted_short

Document = dict[str, Any]

#: Reads an `_id` as it is, whatever the options of its collection.
AS_IT_IS: CodecOptions[Document] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
#: Reads a document for its `_id`, even if texts in other fields are not UTF-8.
RAW = AS_IT_IS.with_options(
    document_class=RawBSONDocument, unicode_decode_error_handler='surrogateescape'
)

#: The beginning of a document whose `_id` is an ObjectId, or a small number.
_OBJECT_ID = b'\x07_id\0'
_INT32 = b'\x10_id\0'

#: The type of an `_id` that PyMongo decodes, but never writes.
_DB_POINTER = 0x0C

#: Characters of an `_id` that a message shows.
SHOWN_OF_ID = 200

BY_ID = [('_id', 1)]


def packed(key: Any) -> bytes:
    """Put an `_id` into bytes, which no options of a collection change."""
    return bson.encode({'_id': key})


def unpacked(data: bytes) -> Any:
    """Give back what `packed` took."""
    return bson.decode(data, codec_options=AS_IT_IS)['_id']


def shown(key: Any) -> str:
    """Give an `_id` as a message shows it, cut if it is very long."""
    return redacted_short(repr(key), SHOWN_OF_ID)


def both(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Combine two queries; the second may be empty."""
    return {'$and': [one, other]} if other else one


def on_primary(collection: Collection[Any]) -> Collection[Any]:
    """Give a collection that is read from the primary, which is written to as well."""
    return collection.with_options(read_preference=ReadPreference.PRIMARY)


def id_of(document: RawBSONDocument) -> Any:
    """Give the `_id` of a document; one that is a document itself is decoded.

    Raises `UnreadableId`.
    """
    raw = document.raw
    # Nearly all are of these types, and decoding a document for its `_id` alone takes
    # as long as all else that is done with it here.
    begins = raw[4:9]
    if begins == _OBJECT_ID:
        return ObjectId(bytes(raw[9:21]))
    if begins == _INT32:
        return int.from_bytes(raw[9:13], 'little', signed=True)
    key = document['_id']
    try:
        if isinstance(key, RawBSONDocument):
            data = packed(key)
            key = unpacked(data)
            is_same = packed(key) == data
        else:
            is_same = begins[0] != _DB_POINTER
            if isinstance(key, str):
                key.encode()
    except (UnicodeEncodeError, InvalidBSON) as error:
        raise UnreadableId(key, 'the text of its _id is not UTF-8') from error
    if not is_same:
        # No query would find it, and pages might begin with it for ever.
        reason = 'its _id has a field twice, or a type that PyMongo does not write'
        raise UnreadableId(key, reason)
    return key


class UnreadableId(MigopyException):
    """An `_id` is what PyMongo cannot send as it is, so no query can name it."""

    # As it is pickled and shown, whatever room it is in.
    __module__ = 'migopy.backfill'

    def __init__(self, key: Any, reason: str) -> None:
        text = key.raw if isinstance(key, RawBSONDocument) else key
        super().__init__(
            f'The document with _id {shown(text)} cannot be named in a query:'
            f' {reason}. Give it another _id, with the driver that wrote it, or leave'
            ' it out by a filter.'
        )

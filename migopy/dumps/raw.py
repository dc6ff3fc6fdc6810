"""The documents of a collection as the server sends them, undecoded, batch by batch."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import CursorType
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.cursor import RawBatchCursor

from migopy.dumps.documents import SIZE

_ARRAY = 4
_SERVERS = {'RSPrimary', 'RSSecondary', 'Standalone'}


class Batch(NamedTuple):
    """Documents one after the other, as in a `.bson` file, and how many they are."""

    data: bytes
    documents: int


def raw_batches(
    collection: Collection[Any],
    session: ClientSession | None,
    *,
    at_once: bool = True,
    **options: Any,
) -> Generator[Batch, None, None]:
    """Read a collection; `options` are those of PyMongo's `find_raw_batches`.

    A server sends batch after batch without being asked for each (an exhaust cursor),
    unless there is a limit. A router before 7.1 cannot do that. With `at_once` false it
    is not done: in a transaction something else may have to be sent meanwhile.
    """
    cursor: RawBatchCursor[Any]
    if _is_server(collection):
        if at_once and 'limit' not in options:
            options['cursor_type'] = CursorType.EXHAUST
        cursor = _RawBatches(collection, session=session, **options)
    else:
        cursor = collection.find_raw_batches(session=session, **options)
    with cursor:
        for batch in cursor:
            yield batch if isinstance(batch, Batch) else Batch(batch, _count(batch))


class _RawBatches(RawBatchCursor[Any]):
    """PyMongo's cursor of raw batches, for a third of the time.

    PyMongo makes an object of each document of a reply, only to throw it away. In a
    PyMongo that is built otherwise than 4.17 to 4.20 it keeps doing so.
    """

    def _unpack_response(self, response: Any, *arguments: Any, **named: Any) -> Any:
        payload = getattr(response, 'payload_document', None)
        if payload is not None:
            reply = dict(RawBSONDocument(payload))
            raw = bytes(reply['cursor'].raw) if 'cursor' in reply else b''
            # What a server sends begins with the batch.
            if raw and raw[4] == _ARRAY:
                return [{**reply, 'cursor': _read_cursor(raw)}]
        return super()._unpack_response(response, *arguments, **named)


def _is_server(collection: Collection[Any]) -> bool:
    """Tell whether the client is connected to servers, not to a router."""
    members = collection.database.client.topology_description.server_descriptions()
    return bool(_SERVERS & {one.server_type_name for one in members.values()})


def _read_cursor(raw: bytes) -> dict[str, Any]:
    """Read the field `cursor` of a reply; its batch becomes a list of one `Batch`."""
    start = raw.index(b'\0', 5) + 1
    name = raw[5 : start - 1].decode()
    end = start + SIZE.unpack_from(raw, start)[0]
    batch = _joined(raw, start, end)
    rest = SIZE.pack(4 + len(raw) - end) + raw[end:]
    return {**bson.decode(rest), name: [batch] if batch.documents else []}


def _joined(raw: bytes, start: int, end: int) -> Batch:
    """Take the documents out of the array that is in these bytes of a reply.

    The names of an array's elements are its indices: '0', '1'.
    """
    documents: list[bytes] = []
    add, size_at = documents.append, SIZE.unpack_from
    position = start + 4
    # A byte for the type, the name, and a byte for its end.
    before, count, longer = 3, 0, 10
    while position < end - 1:
        if count == longer:
            before, longer = before + 1, longer * 10
        position += before
        first = position
        position += size_at(raw, first)[0]
        add(raw[first:position])
        count += 1
    return Batch(b''.join(documents), count)


def _count(batch: bytes) -> int:
    position = count = 0
    while position < len(batch):
        position += SIZE.unpack_from(batch, position)[0]
        count += 1
    return count

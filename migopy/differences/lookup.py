"""Many documents by their `_id`s, of whatever type those are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from migopy.differences.raw import (
    ARRAY,
    DOCUMENT,
    Value,
    document_of,
    document_with,
    documents,
    id_of,
    with_id,
)
from migopy.dumps import raw_batches

#: `_id`s in one query, and their bytes.
AT_ONCE = 1000
MOST_BYTES = 4_000_000


def look_up(
    collection: Collection[Any], ids: Sequence[Value], session: ClientSession | None
) -> dict[Value, bytes]:
    """Give the documents with these `_id`s, each by the `_id` that was asked for.

    One whose `_id` is equal to the server and of another type, as 1 and 1.0 are, is
    the one that was asked for. Raises `PyMongoError`.
    """
    found: dict[Value, bytes] = {}
    rest = list(ids)
    while rest:
        size = count = 0
        for each in rest[:AT_ONCE]:
            if size > MOST_BYTES:
                break
            size += len(each.data)
            count += 1
        asked, rest = rest[:count], rest[count:]
        found.update(_look_up(collection, asked, session))
    return found


def _look_up(
    collection: Collection[Any], ids: Sequence[Value], session: ClientSession | None
) -> dict[Value, bytes]:
    wanted = set(ids)
    query = RawBSONDocument(document_of('_id', _any_of(ids)))
    at_most = len(ids) + 1
    batches = raw_batches(
        collection, session, filter=query, limit=at_most, batch_size=at_most
    )
    by_id = {id_of(each): each for batch in batches for each in documents(batch.data)}
    if wanted.issuperset(by_id):
        return by_id
    # Some are of another type than the one that was asked for.
    for id in wanted - set(by_id):
        for batch in collection.find_raw_batches(with_id(id), limit=1, session=session):
            for each in documents(batch):
                by_id[id] = each
    return {id: each for id, each in by_id.items() if id in wanted}


def _any_of(ids: Sequence[Value]) -> Value:
    array = document_with((b'%d' % place, id) for place, id in enumerate(ids))
    return Value(DOCUMENT, document_of('$in', Value(ARRAY, array)))

"""Many documents by their `_id`s, of whatever type those are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from bson import encode
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from migopy.differences.raw import (
    ARRAY,
    DOCUMENT,
    ORDERED,
    Value,
    document_of,
    document_with,
    documents,
    id_of,
    with_id,
)
from migopy.dumps import raw_batches

#: How many `_id`s, and bytes of them, are put into one query.
AT_ONCE = 4000
MOST_BYTES = 4_000_000


class IdQuery(NamedTuple):
    """A query for the documents with some `_id`s, and how many `_id`s they are."""

    query: RawBSONDocument
    number: int


def queries_for(ids: Sequence[Any]) -> list[IdQuery]:
    """Make the queries for documents by their `_id`s, as Python has those."""
    if len(ids) <= AT_ONCE:
        data = encode({'_id': {'$in': list(ids)}})
        if len(data) <= MOST_BYTES or len(ids) == 1:
            return [IdQuery(RawBSONDocument(data), len(ids))] if ids else []
    middle = len(ids) // 2
    return queries_for(ids[:middle]) + queries_for(ids[middle:])


def queries_for_values(ids: Sequence[Value]) -> list[IdQuery]:
    """Make the queries for documents by their `_id`s, as the server has those."""
    return [
        IdQuery(RawBSONDocument(document_of('_id', _any_of(part))), len(part))
        for part in _parts(ids)
    ]


def fetch(
    collection: Collection[Any],
    queries: Sequence[IdQuery],
    session: ClientSession | None,
) -> bytes:
    """Read the documents that queries are for, and give them one behind the other.

    They are in the order of the index, so each time in the same order. Raises
    `PyMongoError`.
    """
    return b''.join(_fetch_one(collection, *each, session) for each in queries)


def are_in_a_row(
    collection: Collection[Any], run: Sequence[bytes], session: ClientSession | None
) -> bool:
    """Tell whether documents stand there unchanged, in this order, with none between.

    That takes one read of a part of the index. It is `False` as well if `_id`s of this
    type cannot be read so. Raises `PyMongoError`.
    """
    first = id_of(run[0])
    if first.type not in ORDERED:
        return False
    behind = Value(DOCUMENT, document_of('$gte', first))
    query = RawBSONDocument(document_of('_id', behind))
    wanted = b''.join(run)
    place = 0
    batches = raw_batches(
        collection,
        session,
        filter=query,
        sort=[('_id', 1)],
        limit=len(run),
        batch_size=len(run),
    )
    with closing(batches):
        for data, _ in batches:
            # Other documents between them may be large, so none of them is waited for.
            if not wanted.startswith(data, place):
                return False
            place += len(data)
    return place == len(wanted)


def range_queries(documents: Sequence[bytes]) -> list[IdQuery]:
    """Make the query for documents from the first of these to the last, by `_id`.

    Nothing if `_id`s of this type cannot be read so. If other documents are between
    them, one more document comes than these are.
    """
    first, last = id_of(documents[0]), id_of(documents[-1])
    if first.type not in ORDERED:
        return []
    limits = document_with([(b'$gte', first), (b'$lte', last)])
    query = RawBSONDocument(document_of('_id', Value(DOCUMENT, limits)))
    return [IdQuery(query, len(documents))]


def look_up(
    collection: Collection[Any], ids: Sequence[Value], session: ClientSession | None
) -> dict[Value, bytes]:
    """Give the documents with these `_id`s, each by the `_id` that was asked for.

    For the server 1 and 1.0 are equal, so a document is found by an `_id` of either
    type. Raises `PyMongoError`.
    """
    known: dict[Value, bytes] = {}
    for part in _parts(ids):
        data = fetch(collection, queries_for_values(part), session)
        known.update(match_to_ids(collection, part, data, session))
    return known


def look_up_one(
    collection: Collection[Any], id: Value, session: ClientSession | None = None
) -> bytes | None:
    """Give the document with an `_id`, of whatever type; raises `PyMongoError`."""
    found = collection.find_raw_batches(with_id(id), limit=1, session=session)
    return next((each for batch in found for each in documents(batch)), None)


def match_to_ids(
    collection: Collection[Any],
    ids: Sequence[Value],
    data: bytes,
    session: ClientSession | None,
) -> dict[Value, bytes]:
    """Give documents by their `_id`s, as `look_up` does, where they were read already.

    `data` are all that were found for `ids`, one behind the other. Raises
    `PyMongoError`.
    """
    wanted = set(ids)
    by_id = {id_of(each): each for each in documents(data)}
    if wanted.issuperset(by_id):
        return by_id
    # Some are of another type than the one that was asked for.
    for id in wanted - set(by_id):
        document = look_up_one(collection, id, session)
        if document is not None:
            by_id[id] = document
    return {id: each for id, each in by_id.items() if id in wanted}


def _fetch_one(
    collection: Collection[Any],
    query: RawBSONDocument,
    count: int,
    session: ClientSession | None,
) -> bytes:
    at_most = count + 1
    batches = raw_batches(
        collection, session, filter=query, limit=at_most, batch_size=at_most
    )
    return b''.join(batch.data for batch in batches)


def _parts(ids: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Iterate over as many `_id`s as one query has."""
    rest = ids
    while rest:
        size = count = 0
        for each in rest[:AT_ONCE]:
            if size > MOST_BYTES:
                break
            size += len(each.data)
            count += 1
        yield rest[:count]
        rest = rest[count:]


def _any_of(ids: Sequence[Value]) -> Value:
    array = document_with((b'%d' % place, id) for place, id in enumerate(ids))
    return Value(DOCUMENT, document_of('$in', Value(ARRAY, array)))

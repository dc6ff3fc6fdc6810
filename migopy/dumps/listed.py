"""The collections of a database as it has them now, each as a dump holds it."""

from __future__ import annotations

from collections.abc import Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import InvalidName, OperationFailure

from migopy.codes import NAMESPACE_NOT_FOUND, OUTSIDE_STABLE_API
from migopy.dumps.database import dumped, is_replicated
from migopy.dumps.documents import BATCH_BYTES
from migopy.dumps.format import Document, Stored

#: MongoDB 5.0, the first to read from a snapshot outside of transactions.
_SNAPSHOT_WIRE_VERSION = 13

SNAPSHOT_TOO_OLD = 239
SNAPSHOT_UNAVAILABLE = 246

_QUERY_PLAN_KILLED = 175

#: How many collections are asked for their indexes at a time.
_AT_A_TIME = 8


class Unreadable(Exception):
    """A database that PyMongo cannot read as a whole; the text is the reason."""


class Changed(Unreadable):
    """A collection was made, dropped or changed while it was read."""


@dataclass(frozen=True)
class Listed:
    """A collection, a view or a time series, as the server has it now.

    `uuid` is that of the collection with the documents, in hex; a view has none. Two
    are equal if nothing but documents was changed in between.
    """

    stored: Stored = field(compare=False)
    metadata: str
    uuid: str | None


def stored_in(db: Database[Any], excluded: Set[str] = frozenset()) -> list[Listed]:
    """List what belongs in a dump, but for the collections named in `excluded`.

    Raises `Unreadable` for what PyMongo cannot read.
    """
    found = {str(one['name']): one for one in db.list_collections()}
    names = dumped(found, excluded)
    # A server that is far away is not waited for once for each collection.
    with ThreadPoolExecutor(_AT_A_TIME, 'migopy-dumps') as pool:
        described = list(
            pool.map(lambda name: _described(db, name, found[name]['options']), names)
        )
    result = []
    for stored in described:
        uuid = None
        if not stored.is_view:
            if stored.data_name not in found:
                raise Unreadable(
                    f'PyMongo cannot read the time series {stored.label} from this'
                    ' server. Install mongodump, which can.'
                )
            uuid = found[stored.data_name]['info']['uuid'].hex()
        result.append(Listed(stored, stored.metadata(uuid), uuid))
    return result


def _described(db: Database[Any], name: str, options: Document) -> Stored:
    if 'viewOn' in options:
        return Stored(name, options, [])
    try:
        indexes = [dict(index) for index in db[name].list_indexes()]
    except InvalidName as error:
        raise Unreadable(
            f'PyMongo cannot address the collection {name!r}: {error}. Install'
            ' mongodump, which can.'
        ) from error
    return Stored(name, options, indexes)


@contextmanager
def changes_noticed(stored: Stored) -> Iterator[None]:
    """Raise `Changed` if a collection was dropped while it was read in the block."""
    codes = {NAMESPACE_NOT_FOUND, _QUERY_PLAN_KILLED}
    if not stored.is_capped:
        codes.add(SNAPSHOT_UNAVAILABLE)
    try:
        yield
    except OperationFailure as error:
        if error.code in codes:
            raise Changed(f'The collection {stored.label} was changed') from error
        raise


def has_snapshots(db: Database[Any]) -> bool:
    """Tell whether the server gives sessions that read all of one moment."""
    hello = db.client.admin.command('hello')
    return is_replicated(hello) and hello['maxWireVersion'] >= _SNAPSHOT_WIRE_VERSION


class Extent(NamedTuple):
    """About how many documents a collection has, and how many of them make a batch.

    A batch size of 0 leaves it to the server.
    """

    documents: int
    batch_size: int


def extent_of(collection: Collection[Any]) -> Extent:
    """Ask how much there is to read, each shard for its part.

    PyMongo holds a reply in memory several times over, so batches are to be small.
    """
    try:
        found = list(collection.aggregate([{'$collStats': {'storageStats': {}}}]))
    except OperationFailure as error:
        if error.code != OUTSIDE_STABLE_API:
            return Extent(collection.estimated_document_count(), 0)
        # The stable API had no `count` before MongoDB 5.0.9.
        parts = list(collection.aggregate([{'$collStats': {'count': {}}}]))
        return Extent(sum(int(part['count']) for part in parts), 0)
    parts = [one['storageStats'] for one in found]
    average = max((int(part.get('avgObjSize') or 0) for part in parts), default=0)
    documents = sum(int(part.get('count') or 0) for part in parts)
    return Extent(documents, max(1, BATCH_BYTES // average) if average else 0)

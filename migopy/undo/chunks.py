"""Chunks of images, read from their documents; these may be as somebody left them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bson import MaxKey, ObjectId
from bson.errors import BSONError

from migopy.differences import Difference
from migopy.undo.definition_records import DefinitionRecord
from migopy.undo.image_sets import Chunk, ImageSet
from migopy.undo.packing import Damaged, unpacked

Document = dict[str, Any]

#: Databases of the server's own, of which no images are kept.
SERVERS_OWN = ('admin', 'config', 'local')


def of_chunks(id: ObjectId, first: int | None = None, last: int = 0) -> Document:
    """Select the chunks of a set by `_id`, all or from one number to another.

    An `_id` with more fields sorts after one that is its beginning.
    """
    begin: Document = {'images': id}
    end: Document = {'images': id, 'chunk': MaxKey()}
    if first is not None:
        begin['chunk'] = first
        end = {'images': id, 'chunk': last, 'piece': MaxKey()}
    return {'_id': {'$gte': begin, '$lt': end}}


def readable(kept: ImageSet, found: Iterable[Document]) -> Iterator[Document]:
    """Iterate over documents; raises `Damaged` for one that cannot be read."""
    try:
        yield from found
    except BSONError as error:
        raise Damaged(kept.name) from error


def chunk_of(kept: ImageSet, pieces: Sequence[Document], own: str) -> Chunk:
    """Read a chunk from its pieces; `own` is the name of the collection of images.

    Raises `Damaged` for anything that migopy does not write.
    """
    try:
        return _chunk_of(kept, pieces, own)
    except (ValueError, KeyError, TypeError, AttributeError, BSONError) as error:
        raise Damaged(kept.name) from error


def is_aside(namespace: str, own: str, id: ObjectId) -> bool:
    """Tell whether a collection was set aside for a set of images.

    `own` is the name of the collection of images, in whose documents others may have
    written the name of any collection.
    """
    return namespace.partition('.')[2].startswith(f'{own}.{id}.')


def _chunk_of(kept: ImageSet, pieces: Sequence[Document], own: str) -> Chunk:
    head = pieces[0]
    number, namespace = head['_id']['chunk'], head['ns']
    places = [each['_id']['piece'] for each in pieces]
    numbers = {each['_id']['chunk'] for each in pieces}
    if places != list(range(head['pieces'])) or numbers != {number}:
        raise ValueError('a piece is missing')
    database, _, name = namespace.partition('.')
    if not name or database in SERVERS_OWN:
        raise ValueError('it is of no collection that a migration changes')
    record = None
    pairs: list[Difference] = []
    if 'record' in head:
        record = DefinitionRecord.of(head['record'])
        if record.aside and not is_aside(record.aside, own, kept.id):
            raise ValueError('it was not set aside for these images')
    else:
        pairs = unpacked(b''.join(each['data'] for each in pieces))
    return Chunk(kept.id, number, namespace, len(pieces), pairs, record)

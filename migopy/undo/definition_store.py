"""Keep the records of definitions in the collection of images, as chunks."""

from __future__ import annotations

import time
from typing import Any

from pymongo.errors import PyMongoError

from migopy.server import is_transient
from migopy.state import begin, commit
from migopy.undo.chunks import chunk_of, of_chunks, readable
from migopy.undo.definition_records import DefinitionRecord
from migopy.undo.image_sets import Chunk, ImageSet
from migopy.undo.images import Images

Document = dict[str, Any]

#: Seconds for the commit of a definition.
PATIENCE = 30.0


class Busy(Exception):
    """A page is being written at this moment, so no record can be added."""


def add_record(
    images: Images, kept: ImageSet, namespace: str, record: DefinitionRecord
) -> Chunk:
    """Add the record of a definition, and wait until a majority has it.

    It is counted in `kept`. Raises `Busy`, `PyMongoError`.
    """
    chunk = Chunk(kept.id, kept.chunks, namespace, 1, [], record)
    kept.chunks += 1
    kept.defined += 1
    wanted = {'_id': kept.id, 'chunks': chunk.number}
    document = {**_head(chunk), 'record': record.document()}
    try:
        with (
            images.own_work(),
            images.client.start_session() as session,
            begin(session),
        ):
            known = {'$set': kept.document()}
            found = images.collection.update_one(wanted, known, session=session)
            if not found.matched_count:
                raise Busy
            images.collection.insert_one(document, session=session)
            commit(session, time.monotonic() + PATIENCE)
    except PyMongoError as error:
        if is_transient(error):
            raise Busy from error
        raise
    return chunk


def note_outcome(images: Images, chunk: Chunk, record: DefinitionRecord) -> None:
    """Note what came of a command that changed a definition."""
    outcome = {f'record.{key}': each for key, each in record.outcome().items()}
    with images.own_work(), images.client.start_session() as session:
        images.collection.update_one(
            {'_id': _head(chunk)['_id']}, {'$set': outcome}, session=session
        )


def recorded(images: Images, kept: ImageSet, **wanted: Any) -> list[Chunk]:
    """Read the chunks with records of definitions that are left, the last one first.

    `wanted` are values of fields of their records.
    """
    fields = {f'record.{key}': each for key, each in wanted.items()}
    own = images.collection.name
    query = {**of_chunks(kept.id), 'record': {'$exists': True}, **fields}
    with images.client.start_session() as session:
        found = images.collection.find(query, sort=[('_id', -1)], session=session)
        return [chunk_of(kept, [each], own) for each in readable(kept, found)]


def unsettled(images: Images, kept: ImageSet) -> list[Chunk]:
    """Read the records of commands whose outcome is not known."""
    return recorded(images, kept, is_settled=False) if kept.defined else []


def aside_of(images: Images, kept: ImageSet, number: int) -> str:
    """Give the name for a collection that the chunk of a number sets aside."""
    return f'{images.collection.name}.{kept.id}.{number}'


def _head(chunk: Chunk) -> Document:
    """Give the fields of a chunk that say which one it is."""
    return {
        '_id': {'images': chunk.id, 'chunk': chunk.number, 'piece': 0},
        'ns': chunk.namespace,
        'pieces': chunk.pieces,
    }

"""Documents deleted and copied within a dry run's transaction, as far as that goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

from migopy.standin.world import World

#: How many documents are deleted or copied within the transaction, and of how many
#: bytes. It holds them all, and takes time; of more it is said that it is not done.
MOST = 100_000
MOST_BYTES = 64_000_000

#: Documents as they are; their dates may be ones that no `datetime` can be.
RAW: CodecOptions[Any] = CodecOptions(
    document_class=RawBSONDocument,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)

#: Documents in one insert.
BATCH = 1000


def empty(world: World, namespace: str, reason: str) -> None:
    """Have a collection empty for what follows; too many documents are off limits.

    `reason` says what has emptied it.
    """
    known = world.known(namespace)
    # No transaction deletes from these.
    is_fixed = known is not None and (
        known.kind != 'collection'
        or (bool(known.options.get('capped')) and not known.is_new)
    )
    if is_fixed:
        world.off_limits[namespace] = reason
    elif world.estimate(namespace) > MOST:
        world.off_limits[namespace] = f'{reason}, and it has too many documents'
    else:
        world.collection(namespace).delete_many({}, session=world.session)


def read_all(world: World, namespace: str) -> list[RawBSONDocument] | None:
    """Read all documents of a collection, `None` where they are too many."""
    if world.estimate(namespace) > MOST:
        return None
    cursor = (
        world.collection(namespace).with_options(RAW).find({}, session=world.session)
    )
    return limited(cursor)


def limited(documents: Any) -> list[RawBSONDocument] | None:
    """Take all documents of a cursor, `None` where they are too many."""
    kept: list[RawBSONDocument] = []
    size = 0
    with documents:
        for document in documents:
            kept.append(document)
            size += len(document.raw)
            if len(kept) > MOST or size > MOST_BYTES:
                return None
    return kept


def insert(world: World, namespace: str, documents: Sequence[RawBSONDocument]) -> None:
    """Insert documents as they are."""
    collection = world.collection(namespace)
    for start in range(0, len(documents), BATCH):
        collection.insert_many(documents[start : start + BATCH], session=world.session)

"""A database as bytes, to see whether an undo is exact."""

from __future__ import annotations

from typing import Any

from bson import CodecOptions
from bson.raw_bson import RawBSONDocument

RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)


def state_of(db: Any) -> dict[str, list[bytes]]:
    """Read all documents but those of migopy, as bytes, in the order of `_id`."""
    names = [
        each
        for each in sorted(db.list_collection_names())
        if not each.startswith('migrations')
    ]
    return {name: documents_of(db[name]) for name in names}


def documents_of(collection: Any) -> list[bytes]:
    """Read the documents of a collection as bytes, in the order of `_id`."""
    found = collection.with_options(codec_options=RAW).find(sort=[('_id', 1)])
    return [bytes(each.raw) for each in found]

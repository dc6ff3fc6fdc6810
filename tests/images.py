"""A database as bytes, to see whether an undo is exact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import CodecOptions
from bson.raw_bson import RawBSONDocument

#: What to set in `migopy.undo`, so that an undo takes a transaction for two documents.
CHUNK_BY_CHUNK = {
    'undoing.DOCUMENTS': -1,
    'capture.PAIRS': 2,
    'chunk_groups.DOCUMENTS': 2,
}

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


def definitions_of(db: Any) -> dict[str, Any]:
    """Read what all collections and views but migopy's own are defined as."""
    found = {}
    for each in db.list_collections():
        name = each['name']
        if name.startswith(('migrations', 'system.')):
            continue
        indexes = [] if each['type'] == 'view' else db[name].list_indexes()
        found[name] = {
            'type': each['type'],
            'uuid': each['info'].get('uuid'),
            'options': without_defaults(each['options']),
            'indexes': {index['name']: dict(index) for index in indexes},
        }
    return found


def without_defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what the server keeps of a validator that is gone."""
    defaults = {'validationLevel': 'strict', 'validationAction': 'error'}
    return {key: each for key, each in options.items() if defaults.get(key) != each}

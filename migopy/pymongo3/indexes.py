"""The dropped methods for indexes: `ensure_index`, `reindex`."""

from __future__ import annotations

from typing import Any

from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from migopy.pymongo3.sending import Document


def ensure_index(
    collection: Collection[Any],
    key_or_list: Any,
    cache_for: float = 300,
    **options: Any,
) -> str:
    """Create an index where it is not there yet, and give its name.

    `cache_for` is passed over: the server is always asked.
    """
    return collection.create_index(key_or_list, **options)


def reindex(
    collection: Collection[Any],
    session: ClientSession | None = None,
    **options: Any,
) -> Document:
    """Rebuild the indexes; a server that is part of a replica set refuses it."""
    return dict(
        collection.database.command(
            'reIndex', collection.name, session=session, **options
        )
    )

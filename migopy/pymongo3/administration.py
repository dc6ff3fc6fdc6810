"""The dropped methods that tell of a database."""

from __future__ import annotations

from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database


def collection_names(
    database: Database[Any],
    include_system_collections: bool = True,
    session: ClientSession | None = None,
) -> list[str]:
    """Give the names of the collections, with or without those of the system."""
    names = database.list_collection_names(session=session)
    if include_system_collections:
        return names
    return [name for name in names if not name.startswith('system.')]

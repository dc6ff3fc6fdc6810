"""The dropped methods that describe a database or a server, or set its profiler."""

from __future__ import annotations

from typing import Any

import pymongo
from pymongo.client_session import ClientSession
from pymongo.database import Database

from migopy.pymongo3.sending import Document, without_none


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


def current_op(
    database: Database[Any],
    include_all: bool = False,
    session: ClientSession | None = None,
) -> Document:
    """Give the server's answer, with the operations that it runs as `inprog`."""
    command = {'currentOp': 1, '$all': include_all}
    return dict(database.client.admin.command(command, session=session))


def profiling_level(
    database: Database[Any], session: ClientSession | None = None
) -> int:
    """Give what the profiler records: 0 nothing, 1 what is slow, 2 everything."""
    return int(database.command('profile', -1, session=session)['was'])


def set_profiling_level(
    database: Database[Any],
    level: int,
    slow_ms: int | None = None,
    session: ClientSession | None = None,
) -> None:
    """Set what the profiler records, and what is slow, in milliseconds.

    Raises `ValueError` for a level that is not 0, 1 or 2.
    """
    if level not in (0, 1, 2):
        raise ValueError("set_profiling_level()'s level must be 0, 1 or 2")
    command = {'profile': level, 'slowms': slow_ms}
    database.command(without_none(command), session=session)


def profiling_info(
    database: Database[Any], session: ClientSession | None = None
) -> list[Any]:
    """Give what the profiler recorded."""
    return list(database['system.profile'].find(session=session))


def database_names(
    client: pymongo.MongoClient[Any], session: ClientSession | None = None
) -> list[str]:
    """Give the names of the databases."""
    return client.list_database_names(session)


def fsync(client: pymongo.MongoClient[Any], **options: Any) -> Document:
    """Write all to disk, and with `lock=True` refuse writes until `unlock()`."""
    return dict(client.admin.command('fsync', **options))


def unlock(
    client: pymongo.MongoClient[Any], session: ClientSession | None = None
) -> Document:
    """Take writes again after `fsync(lock=True)`."""
    return dict(client.admin.command('fsyncUnlock', session=session))

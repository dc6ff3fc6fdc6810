"""The dropped methods for indexes, users, the profiler, and lists of names."""

from __future__ import annotations

from typing import Any

import pymongo
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ConfigurationError, OperationFailure

from migopy.codes import UNAUTHORIZED
from migopy.pymongo3.sending import Document, without_none


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


def add_user(
    database: Database[Any],
    name: str,
    password: str | None = None,
    read_only: bool | None = None,
    session: ClientSession | None = None,
    **options: Any,
) -> None:
    """Create a user, or change the one of that name.

    Without `roles` a new user may do everything in this database, with `read_only`
    read it. Raises `ConfigurationError` for `roles` along with `read_only`.
    """
    if password == '':
        raise ValueError("add_user()'s password can't be empty")
    if read_only is not None and 'roles' in options:
        raise ConfigurationError('add_user() takes either read_only or roles')
    exists = _user_exists(database, name, session)
    if read_only or (not exists and 'roles' not in options):
        options['roles'] = [_default_role(database, bool(read_only))]
    if password is not None:
        options['pwd'] = password
    command = 'updateUser' if exists else 'createUser'
    database.command({command: name, **options}, session=session)


def _user_exists(
    database: Database[Any], name: str, session: ClientSession | None
) -> bool:
    try:
        reply = database.command('usersInfo', name, session=session)
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        # A server without users lets the first one be created, but none be listed.
        return False
    return bool(reply['users'])


def _default_role(database: Database[Any], read_only: bool) -> str:
    """Name the role that PyMongo 3 gave; `admin`'s are for all databases."""
    if database.name == 'admin':
        return 'readAnyDatabase' if read_only else 'root'
    return 'read' if read_only else 'dbOwner'


def remove_user(
    database: Database[Any], name: str, session: ClientSession | None = None
) -> None:
    """Remove a user; raises `OperationFailure` where there is none of that name."""
    database.command('dropUser', name, session=session)


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

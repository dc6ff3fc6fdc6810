"""The dropped `add_user` and `remove_user`."""

from __future__ import annotations

from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import ConfigurationError, OperationFailure

from migopy.codes import UNAUTHORIZED


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

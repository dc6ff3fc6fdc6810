"""A database on a server that was named, taken for a rehearsal and given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from pymongo.database import Database

from migopy.errors import MigopyException, enumerated

#: The collection that says that a database is a rehearsal's scratch one.
MARK = 'migopy_rehearsal'

#: Endings of the names of the databases that keep documents as they were.
BESIDE = ('_before', '_after')


class SameDatabase(MigopyException):
    """A rehearsal was to run on the very database that it is to spare."""

    def __init__(self, where: str, database: str) -> None:
        self.where = where
        self.database = database
        super().__init__(
            f'{where} is the server of the database {database} itself, so nothing was'
            ' done.\nLeave `on` out to rehearse on a private server, or name another'
            f' database behind the host: …/{database}_rehearsal'
        )


class NotScratch(MigopyException):
    """The database for a rehearsal holds what no rehearsal has left there."""

    def __init__(self, database: str, names: list[str]) -> None:
        self.database = database
        self.names = names
        super().__init__(
            f'The database {database} for the rehearsal is not empty'
            f' ({enumerated(names)}), so nothing was done.\n'
            'Name one that is, behind the host: mongodb://HOST/DATABASE'
        )


class InUse(MigopyException):
    """Another rehearsal runs on the same database; `holder` is it."""

    def __init__(self, database: str, holder: object) -> None:
        self.database = database
        self.holder = holder
        super().__init__(
            f'Another rehearsal runs on the database {database}: {holder}\n'
            'Nothing was done. Wait for its end, or name another database behind the'
            ' host: mongodb://HOST/DATABASE'
        )


def require_another(original: Database[Any], scratch: Database[Any]) -> None:
    """Raise `SameDatabase` if both are the same one.

    A server may have many names, so its process is compared. Behind a router a document
    is written to the scratch database for a moment, if that is empty, and looked for in
    the other one.
    """
    if original.name.lower() != scratch.name.lower():
        return
    ours, other = (_process(each) for each in (original, scratch))
    host, port = scratch.client.address or ('the server', None)
    where = host if port is None else f'{host}:{port}'
    if ours == other:
        raise SameDatabase(where, original.name)
    require_scratch(scratch)
    token = {'_id': uuid4().hex}
    scratch[MARK].insert_one(token)
    try:
        is_same = original[MARK].find_one(token) is not None
    finally:
        scratch[MARK].delete_one(token)
    if is_same:
        scratch.drop_collection(MARK)
        raise SameDatabase(where, original.name)


def require_scratch(database: Database[Any]) -> None:
    """Raise `NotScratch` unless a database is empty, or marked as a rehearsal's."""
    names = database.list_collection_names()
    if names and MARK not in names:
        raise NotScratch(database.name, sorted(names))


@contextmanager
def occupied(database: Database[Any], kept: str) -> Iterator[None]:
    """Empty a database and those beside it for the block, and drop them afterwards.

    The collection `kept` is there until then. Raises `NotScratch`.
    """
    taken = [database, *(beside(database, suffix) for suffix in BESIDE)]
    for each in taken:
        require_scratch(each)
        mark(each)
    for each in taken:
        _empty(each, kept)
    try:
        yield
    finally:
        for each in taken:
            each.client.drop_database(each.name)


def mark(database: Database[Any]) -> None:
    """Mark a database as a rehearsal's."""
    database[MARK].update_one({'_id': 'scratch'}, {'$set': {'is': True}}, upsert=True)


def beside(database: Database[Any], suffix: str) -> Database[Any]:
    """Give the database beside another one whose name has a suffix."""
    client: Any = database.client
    return Database(client, f'{database.name}{suffix}')


def _empty(database: Database[Any], kept: str) -> None:
    """Drop what a killed rehearsal has left in a database, except one collection."""
    for name in database.list_collection_names():
        if name not in (MARK, kept) and not name.startswith('system.'):
            database.drop_collection(name)


def _process(database: Database[Any]) -> object:
    hello = database.client.admin.command('hello')
    return hello.get('topologyVersion', {}).get('processId', object())

"""Which collections of a database belong in a dump."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import ReadPreference, WriteConcern
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from migopy.codes import NAMESPACE_NOT_FOUND
from migopy.dumps.format import STAGED, SYSTEM_JS


def plain_database(db: Database[Any]) -> Database[Any]:
    """Give the database with PyMongo's own settings, whatever the project has set."""
    return db.client.get_database(
        db.name,
        codec_options=CodecOptions(),
        read_preference=ReadPreference.PRIMARY,
        read_concern=ReadConcern(),
        write_concern=WriteConcern('majority'),
    )


def dumped(names: Iterable[str], excluded: Set[str] = frozenset()) -> list[str]:
    """Pick what belongs in a dump from a database's collections, without `excluded`.

    Of the server's own collections only `system.js` does, as with mongodump; views and
    time series are listed by their own names, too. What a killed restore has left never
    does.
    """
    return sorted(
        name
        for name in names
        if (name == SYSTEM_JS or not name.startswith(('system.', STAGED)))
        and name not in excluded
    )


def drop(db: Database[Any], names: Iterable[str]) -> None:
    """Drop collections, as far as they exist; `system.js` is only emptied."""
    for name in names:
        if name == SYSTEM_JS:
            db[name].delete_many({})
        else:
            db.command({'drop': name}, allowable_errors=[NAMESPACE_NOT_FOUND])


def servers_of(db: Database[Any]) -> list[str]:
    """List the addresses of the members of a database's server.

    They are the addresses that the members use for each other: here a tunnel may give
    them others.
    """
    hello = db.client.admin.command('hello')
    nodes = [f'{host}:{port}' for host, port in db.client.nodes]
    return sorted(hello.get('hosts') or nodes)


def is_replicated(hello: Mapping[str, Any]) -> bool:
    """Tell whether it is a replica set, or a router, that has answered so."""
    return 'setName' in hello or hello.get('msg') == 'isdbgrid'


def silent_members(db: Database[Any]) -> list[str]:
    """List the members of the replica set that do not answer, as far as a client hears.

    One that was given the address of a single member hears of no other.
    """
    members = db.client.topology_description.server_descriptions()
    return sorted(
        f'{host}:{port}'
        for (host, port), each in members.items()
        if each.server_type_name == 'Unknown'
    )


def free_bytes(db: Database[Any]) -> int | None:
    """Give the free bytes on the server's disk, `None` if it does not tell."""
    try:
        stats = db.command('dbStats')
        return int(stats['fsTotalSize']) - int(stats['fsUsedSize'])
    except (OperationFailure, KeyError, TypeError, ValueError):
        return None

"""What is to be known of a dump that was made elsewhere, or by mongodump alone."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from pymongo.database import Database

from migopy.dumps.database import dumped, servers_of
from migopy.dumps.errors import FAILURES, RestoreRefused, reason_of
from migopy.dumps.folder import Dump
from migopy.dumps.format import shown


def origin(db: Database[Any], dump: Dump) -> list[str]:
    """Tell from which server a dump was made, if that is not the database's.

    As the members have other addresses for each other than a tunnel or a router has,
    it may be the same one all the same. Raise `RestoreRefused` where the server does
    not tell its address.
    """
    try:
        here = servers_of(db)
    except FAILURES as error:
        raise RestoreRefused(dump.name, reason_of(error, dump.path.parent)) from error
    if dump.is_of(set(here)):
        return []
    there = ', '.join(sorted(dump.servers))
    return [f'{dump.name} was made from {there}; here the server is {", ".join(here)}']


def cautions(db: Database[Any], dump: Dump, apart: Set[str]) -> list[str]:
    """Tell which collections a restore would drop, and what it would leave out.

    It may be a dump of some collections, as nothing in it tells. Raise `RestoreRefused`
    where it is not sound.
    """
    try:
        lacking = set(dumped(db.list_collection_names(), apart)) - dump.names
    except FAILURES as error:
        raise RestoreRefused(dump.name, reason_of(error, dump.path.parent)) from error
    said = []
    if lacking:
        names = ', '.join(map(shown, sorted(lacking)))
        said.append(f'{dump.name} lacks what {db.name} has, which is dropped: {names}')
    if dump.has_oplog:
        said.append(
            'Its oplog.bson is not replayed, so its collections may be of different'
            ' moments.'
        )
    return said

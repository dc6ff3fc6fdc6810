"""What is to be known of a dump that mongodump has made for somebody."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from pymongo.database import Database

from migopy.dumps.database import dumped
from migopy.dumps.errors import FAILURES, RestoreRefused, reason_of
from migopy.dumps.folder import Dump
from migopy.dumps.format import shown


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

"""Whether the user may keep in migopy's collections what it has to keep there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from migopy.codes import UNAUTHORIZED
from migopy.commands import Again
from migopy.errors import MigopyException
from migopy.server import STATUS, Privileges

#: What it does with the documents of each collection. (A lock that may not be removed
#: runs out at once.)
OWN_ACTIONS = 'find', 'insert', 'update'

#: What it does with those of the collection that images are kept in.
OF_IMAGES = 'find', 'insert', 'remove', 'update'

#: Fits no document.
NOTHING = {'$expr': False}


class MayNotRecord(MigopyException):
    """The user lacks `actions` on a `collection` of migopy's."""

    def __init__(
        self, user: str, collection: Collection[Any], actions: Sequence[str]
    ) -> None:
        self.collection = collection.name
        self.actions = actions
        database = collection.database.name
        super().__init__(
            f'{user} has no right to {", ".join(actions)} on {collection.full_name},'
            ' where migopy keeps what has run, so nothing was done.\n'
            f'Give the user the role readWrite on the database {database}, or one that'
            f' allows {", ".join(OWN_ACTIONS)} on {collection.name} there. Then type',
            Again(),
        )


def require_rights(collections: Sequence[Collection[Any]]) -> None:
    """Make sure that the user may write documents of migopy's, with one request.

    Raises `MayNotRecord`.
    """
    privileges = privileges_of(collections[0])
    if privileges is None:
        return
    for collection in collections:
        lacked = privileges.lacks(collection.full_name, OWN_ACTIONS)
        if lacked and is_refused(collection, lacked[0]):
            raise MayNotRecord(privileges.user, collection, lacked)


def privileges_of(collection: Collection[Any]) -> Privileges | None:
    """Ask what the user may do; gives `None` where that is not told.

    A client of the Stable API that is strict may not ask.
    """
    try:
        return Privileges(collection.database.client.admin.command(STATUS))
    except OperationFailure:
        return None


def is_refused(collection: Collection[Any], action: str) -> bool:
    """Try without a change whether a right that the user lacks is asked for.

    A server that needs no login tells of a user's rights as well, and asks for none.
    """
    name = collection.name
    unchanging: dict[str, dict[str, Any]] = {
        'find': {'find': name, 'filter': NOTHING},
        'insert': {
            'aggregate': name,
            'pipeline': [{'$match': NOTHING}, {'$merge': {'into': name}}],
            'cursor': {},
        },
        'remove': {'delete': name, 'deletes': [{'q': NOTHING, 'limit': 1}]},
        'update': {
            'update': name,
            'updates': [{'q': NOTHING, 'u': {'$set': {'a': 1}}}],
        },
    }
    try:
        collection.database.command(unchanging[action])
    except OperationFailure as error:
        return error.code == UNAUTHORIZED
    return False

"""Whether the user may keep images, looked at before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from migopy.codes import UNAUTHORIZED
from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.run import Step
from migopy.site import Site
from migopy.state import OF_IMAGES, is_refused, privileges_of


class MayNotKeep(MigopyException):
    """The user lacks `actions` on images, and a migration is to keep some.

    `name` is the migration's, `namespace` the collection that they are kept in.
    """

    def __init__(self, name: str, namespace: str, actions: Sequence[str]) -> None:
        self.name = name
        self.namespace = namespace
        self.actions = actions
        database, _, collection = namespace.partition('.')
        super().__init__(
            f'{name} is to keep images (undo), and the user has no right to'
            f' {", ".join(actions)} on {namespace}, where they are kept; nothing was'
            ' run.\n'
            f'Give the user the role readWrite on the database {database}, or one that'
            f' allows find, insert, update and remove on {collection} there. Or write'
            ' `undo = False` at the top of the file. Then look: ',
            Command(),
        )


def is_denied(error: OperationFailure) -> bool:
    """Tell whether a user may not read images."""
    return error.code == UNAUTHORIZED


def require_right(site: Site, steps: Sequence[Step]) -> None:
    """Make sure that the user may keep images, if a step does.

    Raises `MayNotKeep`.
    """
    step = next((each for each in steps if each.images is True), None)
    if step is not None:
        collection = site.images.collection
        lacked = _lacked(collection)
        if lacked and is_refused(collection, lacked[0]):
            raise MayNotKeep(step.name, collection.full_name, lacked)


def _lacked(collection: Collection[Any]) -> Sequence[str]:
    """List what the user may not do there, or has to try, as nobody tells that."""
    privileges = privileges_of(collection)
    if privileges is None:
        return ['find']
    return privileges.lacks(collection.full_name, OF_IMAGES)

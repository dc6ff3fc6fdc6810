"""Whether the user may keep images, looked at before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.errors import OperationFailure

from migopy.codes import UNAUTHORIZED
from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.run import Step
from migopy.site import Site
from migopy.state import OF_IMAGES, privileges_of


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
    """Make sure that the user may keep images, if a step does, with one request.

    Raises `MayNotKeep`.
    """
    step = next((each for each in steps if each.images is True), None)
    if step is not None:
        namespace = site.images.collection.full_name
        privileges = privileges_of(site.images.collection)
        lacked = (
            _denied(site)
            if privileges is None
            else privileges.lacks(namespace, OF_IMAGES)
        )
        if lacked:
            raise MayNotKeep(step.name, namespace, lacked)


def _denied(site: Site) -> list[str]:
    """Try to read images where the server does not tell what the user may do."""
    try:
        site.images.of_runs([])
    except OperationFailure as error:
        if not is_denied(error):
            raise
        return ['find']
    return []

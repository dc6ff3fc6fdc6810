"""The errors of a migration that does what no image can be kept of."""

from __future__ import annotations

from migopy.commands import Again
from migopy.effects import RefusedWrite
from migopy.errors import MigopyException

#: What writes documents, in a transaction as well.
IN_TRANSACTIONS = frozenset(
    {'bulkWrite', 'delete', 'findAndModify', 'findandmodify', 'insert', 'update'}
)


class NotImaged(MigopyException):
    """A command was refused before it was sent, as no image can be kept of it.

    `command` is its name, `namespace` what it was for.
    """

    def __init__(self, refused: RefusedWrite) -> None:
        self.command = refused.command
        self.namespace = refused.namespace
        super().__init__(
            'No image can be kept of what it was about to do'
            f' ({refused.command} on {refused.namespace}): {refused.reason}. It was'
            ' refused before it was sent.\n'
            'Do it in a file of its own with `undo = False` at the top, without a'
            ' transaction, or leave it out.'
        )


class OutsidePages(MigopyException):
    """A write outside of pages and batches was refused before it was sent.

    `command` is its name, `namespace` what it was for.
    """

    def __init__(self, refused: RefusedWrite) -> None:
        self.command = refused.command
        self.namespace = refused.namespace
        super().__init__(
            f'It tried to write ({refused.command} on {refused.namespace}) outside of'
            ' update_each and of the batches of migopy.batches. With'
            ' undo = True and without a transaction no image can be kept of that, so it'
            ' was refused before it was sent.\n'
            'Write it with update_each, or in a loop over migopy.batches, in the thread'
            ' of the loop, with the db that it was given and without a session. Or have'
            f' {_else(refused)} at the top of the file.'
        )


def _else(refused: RefusedWrite) -> str:
    """Name the settings that help: no transaction takes `$out` or drops a database."""
    if refused.command in IN_TRANSACTIONS:
        return '`undo = False` or `transaction = True`'
    return '`undo = False`'


def refusal_of(refused: RefusedWrite) -> NotImaged | OutsidePages:
    """Give the error for a write that a keeper of images has refused."""
    return NotImaged(refused) if refused.reason else OutsidePages(refused)


class NoImagesHere(MigopyException):
    """Behind a router no images can be kept; `name` is the migration's."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name}: undo = True needs a replica set, and this server is a router of a'
            ' sharded cluster, so nothing was run.\n'
            'Write `undo = False` at the top of the file, then type',
            Again(),
        )

"""Why no images can be kept of what a migration is about to do."""

from __future__ import annotations

from migopy.commands import Again
from migopy.effects import RefusedWrite
from migopy.errors import MigopyException

#: What writes documents, in a transaction as well.
IN_TRANSACTIONS = frozenset(
    {'bulkWrite', 'delete', 'findAndModify', 'findandmodify', 'insert', 'update'}
)


class NotImaged(MigopyException):
    """A command that no image can be kept of was refused before it was sent.

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
    """A write of which no image can be kept was refused before it was sent.

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
    """Say what else helps: a transaction takes no $out, and drops no database."""
    if refused.command in IN_TRANSACTIONS:
        return '`undo = False` or `transaction = True`'
    return '`undo = False`'


def refusal_of(refused: RefusedWrite) -> NotImaged | OutsidePages:
    """Give the error for a write that was refused as no image can be kept of it."""
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

"""The command that met the first error in a transaction, and the line it came from."""

from __future__ import annotations

import os
from typing import NamedTuple

from migopy.callers import calling_file
from migopy.codes import NOT_IN_TRANSACTION, TOO_LARGE, TRANSACTION_OVER, TRANSIENT
from migopy.effects.bulk import first_failure
from migopy.effects.commands import READS
from migopy.effects.tally import Document


def has_errors(reply: Document) -> bool:
    """Tell whether a command that succeeded has met errors in a part of its work."""
    return 'writeErrors' in reply or bool(reply.get('nErrors'))


class FailedCommand(NamedTuple):
    """A command that the server answered with an error.

    Invariant: if it was in a transaction, that has ended on the server, whatever the
    caller makes of the error; it may go on only where no transaction can do it. Then
    `is_refused` of one that may write. `file` and `line` are where it was sent from.
    """

    command: str
    namespace: str
    reason: str
    file: str
    line: int
    is_refused: bool = False

    @classmethod
    def now(
        cls, command: str, namespace: str, sent: Document, failure: Document
    ) -> FailedCommand:
        """Make it of a server's reply, in the thread that gets the reply.

        `sent` is the command as it was sent.
        """
        caller = calling_file()
        error = failure
        if failure.get('writeErrors'):
            error = failure['writeErrors'][0]
        elif failure.get('nErrors') and (told := first_failure(sent, failure)):
            namespace, error = told
        reason = str(error.get('errmsg') or error.get('codeName') or 'an error')
        reason = ' '.join(reason.split())
        refused = command not in READS and error.get('code') == NOT_IN_TRANSACTION
        return cls(command, namespace, reason, caller.file_name, caller.line, refused)

    def __str__(self) -> str:
        return (
            f'{self.command} on {self.namespace} in {os.path.basename(self.file)},'
            f' line {self.line}: {self.reason}'
        )


def is_of_its_own(failure: Document) -> bool:
    """Tell whether an error is the command's own.

    One that only says that the transaction is over, or may be tried again, is not.
    """
    labels = failure.get('errorLabels', ())
    return TRANSIENT not in labels and failure.get('code') not in TRANSACTION_OVER


def is_aborted(failure: Document) -> bool:
    """Tell whether the error of a commit says that the transaction is aborted."""
    labels = failure.get('errorLabels', ())
    return TRANSIENT in labels or failure.get('code') in TOO_LARGE

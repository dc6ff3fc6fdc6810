"""What a command would do, found out in a dry run, and that it cannot be known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Foretold(NamedTuple):
    """What one command would do, in words.

    Invariant: `text` tells nothing of what people have stored; `values` are theirs, for
    the eyes of whoever asked and for no log, each with how often it is there, if that
    is known. If something stands in the command's way, `obstacle` is `DUPLICATES` or
    another word for it; `namespace`, `subject` (an index there) and `number` say where,
    and how many documents or values do, at most `COUNTED`. Nothing stops where it is
    `EXPIRED`: those are all counted, or `unknown` says why they were not.
    """

    text: str
    values: Sequence[tuple[Any, int | None]] = ()
    obstacle: str = ''
    namespace: str = ''
    subject: str = ''
    number: int = 0
    unknown: str = ''


class Unanswerable(BaseException):
    """A command whose outcome cannot be known in a dry run; it was not sent.

    It ends the trial of a migration. `reason` is a sentence's part. No `Exception`, as
    a migration may swallow its own.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


#: What can stand in the way of a unique index, and of a validator.
DUPLICATES = 'duplicates'
MISFITS = 'validator'

#: What stands in no way, and is deleted afterwards.
EXPIRED = 'expired'

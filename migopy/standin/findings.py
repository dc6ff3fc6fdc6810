"""What a command would do, found out in a dry run, and that it cannot be known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Foretold(NamedTuple):
    """What one command would do, in words.

    Invariant: `text` tells nothing of what people have stored; `values` are theirs, for
    the eyes of who asked and for no log, each with how often it is there, if that is
    known. One that something stands in the way of has its `obstacle`, `DUPLICATES` or
    another word, the `namespace`, the `subject` there (an index) and the `number` of
    documents or values that do, at most `COUNTED`.
    """

    text: str
    values: Sequence[tuple[Any, int | None]] = ()
    obstacle: str = ''
    namespace: str = ''
    subject: str = ''
    number: int = 0


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

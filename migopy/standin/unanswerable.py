"""What ends the trial of a migration: something that cannot be known."""

from __future__ import annotations


class Unanswerable(BaseException):
    """A command whose outcome cannot be known in a dry run; it was not sent.

    `reason` is a sentence's part. No `Exception`, as a migration may swallow its own.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

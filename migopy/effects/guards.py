"""The interfaces of what is asked before a command is sent, and the refusal."""

from __future__ import annotations

from typing import Optional, Protocol

from migopy.effects.tally import Document
from migopy.texts import one_line

#: Where a command goes: a host and its port, or a socket's path.
Address = tuple[str, Optional[int]]


class Guard(Protocol):
    """Sees commands before they are sent."""

    def see(
        self, name: str, database: str, command: Document, address: Address
    ) -> None:
        """See a command that is about to be sent to an address.

        To keep it from being sent, raise a `BaseException` that is no `Exception`.
        """


class Keeper(Protocol):
    """Keeps what a step is about to change, and refuses what it cannot keep."""

    def inside(self, name: str, database: str, command: Document) -> str | None:
        """See a write in the session's transactions; say why it may not be sent.

        `None` lets it go. Raises nothing.
        """

    def take(
        self, name: str, database: str, command: Document, address: Address
    ) -> str | None:
        """Keep what a write past the session changes, and give `None`.

        Or say why the write may not be sent, perhaps `''`. Raises nothing.
        """

    def settle(self, command: Document) -> None:
        """Hear that a command was answered; it may be one that was taken."""


class RefusedWrite(BaseException):
    """A write past the session that a step is to keep to; it was not sent.

    `command` is its name, `namespace` what it was for, `reason` what its keeper said,
    if there was one, each in one line. It is no `Exception`, as PyMongo swallows those
    of a listener, and a migration may swallow its own.
    """

    def __init__(self, command: str, namespace: str, reason: str = '') -> None:
        self.command = command
        self.namespace = namespace = one_line(namespace)
        self.reason = one_line(reason)
        super().__init__(f'{command} on {namespace} is outside of the transaction')

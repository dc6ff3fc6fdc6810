"""Who is asked before a command is sent, and the refusal of one."""

from __future__ import annotations

from typing import Optional, Protocol

from migopy.effects.tally import Document

#: Where a command goes: a host and its port, or a socket's path.
Address = tuple[str, Optional[int]]


class Guard(Protocol):
    """Who sees what is sent before it is."""

    def see(
        self, name: str, database: str, command: Document, address: Address
    ) -> None:
        """See a command for a server's address.

        What is raised here, no `Exception`, keeps it from going.
        """


class Keeper(Protocol):
    """Who keeps what a step is about to change, and refuses what it cannot keep."""

    def inside(self, name: str, database: str, command: Document) -> str | None:
        """See a write in the session's transactions; give why it may not go.

        Raises nothing.
        """

    def take(
        self, name: str, database: str, command: Document, address: Address
    ) -> str | None:
        """Keep what a write past the session changes, and give `None`.

        Or give why the write may not go, perhaps `''`.

        Raises nothing.
        """

    def settle(self, command: Document) -> None:
        """Hear that a command was answered that may have been taken."""


class RefusedWrite(BaseException):
    """A write past the session that a step is to keep to; it was not sent.

    `command` is its name, `namespace` what it was for, `reason` why its keeper has
    refused it, if that had one. No `Exception`, as PyMongo swallows those of a
    listener, and a migration may swallow its own.
    """

    def __init__(self, command: str, namespace: str, reason: str = '') -> None:
        self.command = command
        self.namespace = namespace
        self.reason = reason
        super().__init__(f'{command} on {namespace} is outside of the transaction')

"""What a client sends to its server."""

from __future__ import annotations

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)


class Commands(CommandListener):
    """Keeps the commands that a client sends."""

    def __init__(self) -> None:
        self.sent: list[CommandStartedEvent] = []
        #: The names of those that failed, in the order of their ends.
        self.failures: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.sent.append(event)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None:
        self.failures.append(event.command_name)

    @property
    def names(self) -> list[str]:
        return [event.command_name for event in self.sent]

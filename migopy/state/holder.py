"""Who holds the lock, and the errors that tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.state.agent import Agent, date_of, is_gone, number_of, place, text_of

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Holder:
    """Who holds the lock, as its document says.

    Invariant: any document can be read. A text that is absent or of another type reads
    `?`, a date `None`. The command is kept in the field `subtask`.
    """

    owner: str
    agent: Agent
    command: str
    since: datetime | None
    expires: datetime | None
    #: Where the process id means something, as `place` gives it.
    place: str = '?'
    #: Seconds since it last renewed the lock, where that can be known.
    renewed: float | None = field(default=None, compare=False)

    @classmethod
    def of(cls, document: Document) -> Holder:
        """Read the lock's document."""
        return cls(
            owner=text_of(document, 'owner'),
            agent=Agent.of(document),
            command=text_of(document, 'subtask'),
            since=date_of(document, 'since'),
            expires=date_of(document, 'expires'),
            place=text_of(document, 'place'),
            renewed=number_of(document, 'renewed'),
        )

    @property
    def is_gone(self) -> bool:
        """Tell whether its process is known to have ended: on this machine, killed."""
        return self.place == place() != '' and is_gone(self.agent.pid)

    def __str__(self) -> str:
        since = f'{self.since:%Y-%m-%d %H:%M:%S} UTC' if self.since else '?'
        return f'{self.agent} (process {self.agent.pid}, {self.command}) since {since}'


class Locked(MigopyException):
    """Another command holds the lock; `holder` is a `Holder`, `waited` in seconds."""

    def __init__(self, holder: Holder, waited: float) -> None:
        self.holder = holder
        self.waited = waited
        super().__init__(
            f'Another migration command is running: {holder}. Waited {waited:g} s;'
            ' nothing was done.\nTry again when it has ended. If that process is'
            ' certainly gone, type: ',
            Command('unlock'),
        )


class StillRunning(MigopyException):
    """The command that holds the lock seems to be running; `holder` is a `Holder`."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        super().__init__(
            f'That command renewed its lock {holder.renewed or 0:.0f} s ago, so it'
            f' seems to be running: {holder}. Nothing was done.\n'
            'If that process is certainly gone, type: ',
            Command('unlock', force='yes'),
        )


class LockLost(MigopyException):
    """The lock was lost while work was done under it; `holder` has it now, if any."""

    def __init__(self, holder: Holder | None) -> None:
        self.holder = holder
        now = f'it is held by {holder}' if holder else 'it has been taken away'
        super().__init__(
            f'This command lost its lock: {now}. It was cut off or suspended for too'
            ' long, or somebody typed unlock. Nothing was registered since.\n'
            'See what is unfinished: ',
            Command(),
        )

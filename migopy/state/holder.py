"""Who holds the lock, and the errors that tell of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.state.agent import Agent, is_gone, place
from migopy.state.fields import date_of, line_or_unknown, number_of
from migopy.state.renewal import RENEWAL

Document = Mapping[str, Any]

RUNNING = 'Another migration command is running'

#: The `_id` of the worker's lock.
WORKER = 'worker'

#: A lock is suspicious if it lasts so many times longer than it should. Less may be due
#: to other settings for the same database, or to a new primary's clock.
FAR = 10


@dataclass(frozen=True)
class Holder:
    """Who holds the lock, as its document says.

    Invariant: any document can be read. A text that is absent or of another type reads
    `?`, a date or a number `None`. The command is kept in the field `subtask`. `lasts`
    is known only where the server's time was read with the document.
    """

    owner: str
    agent: Agent
    command: str
    since: datetime | None
    expires: datetime | None
    #: The list of processes in which the id means something, as `place` gives it.
    place: str = '?'
    #: The seconds that it said the lock lasts without renewal.
    ttl: float | None = field(default=None, compare=False)
    #: The seconds that it still lasts; infinite where `expires` is no date.
    lasts: float | None = field(default=None, compare=False)
    #: The seconds that a lock lasts by the settings of who reads it.
    usual: float | None = field(default=None, compare=False)
    #: The owner that had the lock before and did not release it, if there is one.
    former: str = field(default='', compare=False)
    #: Whether it is the worker's lock, which is not in the way of other commands.
    is_worker: bool = False

    @classmethod
    def of(
        cls,
        document: Document,
        now: datetime | None = None,
        usual: float | None = None,
    ) -> Holder:
        """Read the lock's document; `now` is the server's time, in UTC without a zone.

        `usual` is the `LOCK_TTL` of the fabfile here, in seconds.
        """
        expires = date_of(document, 'expires')
        return cls(
            owner=line_or_unknown(document, 'owner'),
            agent=Agent.of(document),
            command=line_or_unknown(document, 'subtask'),
            since=date_of(document, 'since'),
            expires=expires,
            place=line_or_unknown(document, 'place'),
            ttl=number_of(document, 'ttl'),
            lasts=None if now is None else _seconds(now, expires),
            usual=usual,
            former=line_or_unknown(document, 'former') if 'former' in document else '',
            is_worker=document.get('_id') == WORKER,
        )

    @property
    def unlocking(self) -> Command:
        """Give the command that takes its lock away, if it is gone."""
        return Command('unlock', worker='yes' if self.is_worker else None)

    @property
    def lasts_too_long(self) -> bool:
        """Tell whether the lock lasts far longer than locks do.

        A server's clock may have been set back, or somebody has written it to keep all
        others from deploying.
        """
        if self.lasts is None or self.usual is None:
            return False
        return self.lasts > FAR * self.usual

    @property
    def renewed(self) -> float | None:
        """Give the seconds since it last renewed the lock; `None` if that is not known.

        It is 0 if a clock was set back a little. A lock that lasts far longer than it
        says itself was never renewed.
        """
        if self.ttl is None or self.lasts is None or math.isinf(self.lasts):
            return None
        if not self.lasts <= FAR * self.ttl:  # nor for what is no number
            return None
        return max(0.0, self.ttl - self.lasts)

    @property
    def notices(self) -> float | None:
        """Give the seconds in which it notices, if it runs, that its lock was taken.

        `None` where the document says no time that locks have.
        """
        if self.ttl is None or self.usual is None:
            return None
        if not 0 < self.ttl <= FAR * self.usual:
            return None
        return math.ceil(self.ttl * RENEWAL)

    @property
    def is_gone(self) -> bool:
        """Tell whether its process, on this machine, is known to have ended."""
        return self.place == place() != '' and is_gone(self.agent.pid)

    def __str__(self) -> str:
        since = f'{self.since:%Y-%m-%d %H:%M:%S} UTC' if self.since else '?'
        said = f'{self.agent} (process {self.agent.pid}, {self.command}) since {since}'
        if not self.lasts_too_long:
            return said
        until = f'{self.expires:%Y-%m-%d %H:%M:%S} UTC' if self.expires else '?'
        return (
            f'{said}. Suspicious: it is to last until {until}, far longer than LOCK_TTL'
            f' ({self.usual:g} s)'
        )


def _seconds(now: datetime, expires: datetime | None) -> float:
    return math.inf if expires is None else (expires - now).total_seconds()


class Locked(MigopyException):
    """Another command holds the lock; `holder` is a `Holder`, `waited` in seconds.

    With `waited` of `None` it is told to a command that never waits.
    """

    exit_status = 3

    def __init__(self, holder: Holder, waited: float | None) -> None:
        self.holder = holder
        self.waited = waited or 0.0
        running = "A worker's lock is held" if holder.is_worker else RUNNING
        how_long = (
            'A command that only looks ahead does not wait for it'
            if waited is None
            else f'Waited {waited:g} s'
        )
        super().__init__(
            f'{running}: {holder}. {how_long};'
            ' nothing was done.\nTry again when it has ended. If that process is'
            ' certainly gone, type: ',
            holder.unlocking,
        )


class StillRunning(MigopyException):
    """The command that holds the lock seems to be running; `holder` is a `Holder`."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        super().__init__(
            f'That command renewed its lock {holder.renewed or 0:.0f} s ago, so it'
            f' seems to be running: {holder}. Nothing was done.\n'
            'If that process is certainly gone, type: ',
            Command('unlock', **holder.unlocking.options, force='yes'),
        )


class TakenMeanwhile(MigopyException):
    """Somebody else has taken the lock by now; `holder` is a `Holder`."""

    is_for_good = True

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        super().__init__(
            'Another command has taken the lock since unlock was typed, so nothing was'
            f' done: {holder}.\nIf that process is certainly gone, type: ',
            holder.unlocking,
        )


class LockLost(MigopyException):
    """The lock was lost while work was done under it; `holder` has it now, if any."""

    def __init__(self, holder: Holder | None) -> None:
        self.holder = holder
        now = f'it is held by {holder}' if holder else 'it has been taken away'
        dropped = '' if holder else ', or its collection was dropped'
        super().__init__(
            f'This command lost its lock: {now}. It was cut off or suspended for too'
            f' long, or somebody typed unlock{dropped}. Nothing was registered since,'
            ' but it may have written until now, even if somebody has meanwhile rolled'
            ' back or ignored the migration that it was running.\n'
            'See first what is unfinished: ',
            Command(),
        )

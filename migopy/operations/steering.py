"""`pause`, `resume`, `speed` and `stop`: steer a command that runs elsewhere.

That is the worker if `worker` is true, or if there is no other command. A request is
written into the lock's document, which that command reads whenever it renews the lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from migopy.commands import Command, Part
from migopy.errors import MigopyException
from migopy.operations.orders import NothingHere
from migopy.site import Site
from migopy.state import Doing, Holder, Seen, Steering
from migopy.tell import Steered

#: Seconds to wait until a command has told what it does, until it has heard a request,
#: and until it has ended.
TOLD_WITHIN = 3.0
HEARD_WITHIN = 10.0
ENDED_WITHIN = 60.0

#: Seconds between two looks.
LOOK_EVERY = 0.1


class NothingRuns(NothingHere):
    """No command holds the lock, so there is nothing to steer."""

    def __init__(self, command: str) -> None:
        self.command = command
        super().__init__(
            f'No migration command is running, so there is nothing to {command};'
            ' nothing was done.\nSee what is pending: ',
            Command(),
        )


class NoMigrationRuns(MigopyException):
    """The command with the lock runs no migration now; `holder` is a `Holder`."""

    def __init__(self, command: str, seen: Seen) -> None:
        self.holder = seen.holder
        super().__init__(
            f'{seen.holder} runs no migration at this moment that could be told to'
            f' {command}; nothing was done.\n',
            *_what_else(command, seen),
        )


class NotSteerable(MigopyException):
    """The running migration is in no loop that can be steered; `name` is its name."""

    def __init__(self, command: str, seen: Seen, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} cannot be told to {command}: at this moment it is in no'
            ' update_each, batches or migopy.progress. Nothing was done.\n',
            *_what_else(command, seen),
        )


class NotInTransaction(MigopyException):
    """A transaction must not wait; `name` is the migration that runs in one."""

    def __init__(self, command: str, seen: Seen, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} cannot be told to {command}: it runs in a transaction, which the'
            ' server ends after a minute. Nothing was done.\n'
            'To end it with nothing changed: ',
            seen.command('stop'),
        )


class NotPaused(MigopyException):
    """Nobody has paused what runs; `name` is the migration, if one runs."""

    def __init__(self, seen: Seen) -> None:
        self.name = seen.doing.name if seen.doing else ''
        what = self.name or str(seen.holder)
        super().__init__(
            f'Nobody has typed pause for {what}; nothing was done.\nSee what it does: ',
            seen.command('watch'),
        )


def _what_else(command: str, seen: Seen) -> list[Part]:
    """Say what can be done about a command that hears nothing."""
    end = f'To end it all the same: {seen.way_to_end}.\n' if command == 'stop' else ''
    return [f'{end}See what it does: ', seen.command('watch')]


def pause(site: Site, worker: bool) -> Steered:
    """Make what runs wait between two batches; raises what `_ask` does."""
    return _ask(site, 'pause', worker, _waits, paused=True)


def resume(site: Site, worker: bool) -> Steered:
    """Make what was paused go on; raises what `_ask` does, and `NotPaused`."""
    seen = Steering(site.lock).look(worker=worker)
    if seen is not None and not seen.asked.paused:
        raise NotPaused(seen)
    return _ask(site, 'resume', worker, paused=False)


def speed(site: Site, worker: bool, max_per_second: float | None) -> Steered:
    """Set how many documents a second are written; `None` is as before."""
    steered = _ask(site, 'speed', worker, max_per_second=max_per_second)
    return steered._replace(max_per_second=max_per_second)


def stop(site: Site, worker: bool) -> Steered:
    """Make what runs end after its batch, and wait; raises what `_ask` does."""
    return _ask(site, 'stop', worker, lambda doing: False, ENDED_WITHIN, stop=True)


def _waits(doing: Doing) -> bool:
    return bool(doing.waits)


def _ask(
    site: Site,
    command: str,
    worker: bool,
    is_done: Callable[[Doing], bool] = lambda doing: True,
    patience: float = HEARD_WITHIN,
    **wish: bool | float | None,
) -> Steered:
    """Send a request to what runs, and wait until it has heard it and `is_done`.

    Raises `NothingRuns`, `NoMigrationRuns`, `NotSteerable`, `NotInTransaction`.
    """
    steering = Steering(site.lock)
    holder, doing = _steerable(steering, command, worker)
    asked = steering.ask(holder, **wish)
    if asked is None:
        raise NothingRuns(command)
    number = asked.number
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        seen = steering.look(holder.owner)
        if seen is None:
            runs = site.history.of_owner(holder.owner)
            mine = [run for run in runs if run.name == doing.name]
            was_stopped = asked.stop and bool(mine and mine[-1].interrupted)
            is_heard = was_stopped and command == 'stop'
            run = mine[-1] if mine else None
            return Steered(command, doing, is_heard, run, was_stopped, worker)
        doing, asked = seen.doing or doing, seen.asked
        if doing.heard >= number and is_done(doing):
            return Steered(command, doing, True, worker=worker)
        time.sleep(LOOK_EVERY)
    return Steered(command, doing, False, worker=worker)


def _steerable(steering: Steering, command: str, worker: bool) -> tuple[Holder, Doing]:
    """Find what runs, and wait a moment for what it tells."""
    deadline = time.monotonic() + TOLD_WITHIN
    while True:
        seen = steering.look(worker=worker)
        if seen is None:
            raise NothingRuns(command)
        doing = seen.doing
        if doing is not None and doing.in_loop:
            if doing.in_transaction and command != 'stop':
                raise NotInTransaction(command, seen, doing.name)
            return seen.holder, doing
        if time.monotonic() > deadline:
            if doing is None:
                raise NoMigrationRuns(command, seen)
            raise NotSteerable(command, seen, doing.name)
        time.sleep(LOOK_EVERY)

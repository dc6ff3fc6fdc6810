"""Register what has run; many quick migrations wait for a majority together.

A registration is written after its migration's own writes. A failover takes away the
end of the server's log, so never the writes without the registration. Waiting for a
majority makes sure that "executed", once said, stays true. So of many quick migrations
it is said a little later, after one wait for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from migopy.effects import Effects
from migopy.errors import MigopyException
from migopy.files import Migration
from migopy.run.marks import Marks
from migopy.run.plan import Plan
from migopy.run.unfinished import ways_out
from migopy.server import lacked_by, reason_of
from migopy.state import (
    UNWRITTEN,
    GuardedWriter,
    History,
    Lock,
    LockLost,
    Registry,
    Run,
)

#: From this many steps on, registrations wait for a majority together.
MANY = 50

#: Seconds between two waits for a majority.
EVERY = 0.05


class NotRegistered(MigopyException):
    """A function ran to its end, but the registry could not be told so.

    `name` is the migration's; the cause is chained.
    """

    def __init__(self, run: Run, file: Migration | None, cause: BaseException) -> None:
        self.name = run.name
        said: Sequence[object] = [reason_of(cause)]
        if isinstance(cause, MigopyException):
            said = cause.parts
        elif (lacked := lacked_by(cause)) is not None:
            said = [f'the user may not run {lacked.command}.\n{lacked.advice}']
        # Once the lock was taken, somebody else may have settled it already.
        if not isinstance(cause, LockLost):
            ways = ways_out(run.name, run.direction, file, bool(run.images))
            said = [*said, '\nIt counts as unfinished until you type one of:\n', *ways]
        super().__init__(
            f'{run.name}: its {run.direction} has run, but that could not be'
            ' registered: ',
            *said,
        )


class Ended(NamedTuple):
    """A run that has ended well, and what it did."""

    run: Run
    effects: Effects


class Registrations:
    """The registrations of one run's steps.

    Invariant: `add` and `settle` give the runs, in order and each once, that a
    majority has registered by then. No other run may be said to have ended.
    """

    def __init__(
        self,
        registry: Registry,
        history: History,
        lock: Lock,
        plan: Plan,
        marks: Marks,
        together: bool,
    ) -> None:
        """Take where to register; `together` lets several wait for one majority."""
        self._registry = registry
        self._history = history
        self._lock = lock
        self._writer = GuardedWriter(lock)
        self._plan = plan
        self._marks = marks
        self._together = together
        self._pending: list[Ended] = []
        self._settled = time.monotonic()

    def add(self, run: Run, effects: Effects) -> Sequence[Ended]:
        """Register a run that has ended well; give those that are durable now.

        Raises `NotRegistered`.
        """
        ended = Ended(run, effects)
        try:
            if self._plan.records_of(run):
                self._writer.repeat(partial(self._unregister, run))
            if not self._together:
                self._register(run)
                self._marks.end(run)
                return [ended]
            if self._is_due:
                return self._make_durable([*self._pending, ended])
            self._writer.insert(self._registry.collection, run.record())
        except UNWRITTEN as error:
            raise self._not_registered(run, error) from error
        self._pending.append(ended)
        return []

    def note(self, run: Run, effects: Effects) -> Sequence[Ended]:
        """Take a run that is registered; give those that are durable now.

        Raises `NotRegistered`.
        """
        if not self._together:
            self._marks.end(run)
            return [Ended(run, effects)]
        self._pending.append(Ended(run, effects))
        return self.settle() if self._is_due else []

    def settle(self) -> Sequence[Ended]:
        """Wait once for a majority to have all that is pending, and give that.

        Raises `NotRegistered`; then all of it is still pending.
        """
        if not self._pending:
            return []
        try:
            return self._make_durable(self._pending)
        except UNWRITTEN as error:
            raise self._not_registered(self._pending[0].run, error) from error

    @property
    def _is_due(self) -> bool:
        return time.monotonic() - self._settled >= EVERY

    def _register(self, run: Run) -> None:
        if run.direction == 'up':
            self._writer.merge(self._registry.collection, [run.record()])
        elif not self._plan.records_of(run):
            # The registry has nothing to tell of it, only the history has.
            self._writer.merge(self._history.collection, self._marks.ends_of(run))

    def _not_registered(self, run: Run, cause: BaseException) -> NotRegistered:
        return NotRegistered(run, self._plan.file_of(run.name), cause)

    def _unregister(self, run: Run) -> None:
        self._lock.check()
        self._registry.remove(self._plan.records_of(run))

    def _make_durable(self, ended: Sequence[Ended]) -> Sequence[Ended]:
        """Register runs, waiting for a majority, and give them.

        Where the registration of one still stands that changes nothing; where a
        failover undid it, it stands again.
        """
        records = [each.run.record() for each in ended]
        self._writer.merge(self._registry.collection, records)
        # After it: a run that has ended well in the history alone would run again.
        for each in ended:
            self._marks.end(each.run)
        self._pending = []
        self._settled = time.monotonic()
        return ended

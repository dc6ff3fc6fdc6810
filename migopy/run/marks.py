"""Write to the history that runs begin, before their steps, and how they end."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from migopy.files import BEFORE, Migration
from migopy.run.plan import Plan
from migopy.run.step import Step
from migopy.run.unfinished import OpenRuns
from migopy.state import (
    MARK,
    Agent,
    GuardedWriter,
    History,
    Lock,
    Run,
)

Document = dict[str, Any]

#: How many steps are marked at once. A step that was marked in advance begins when the
#: one before it is registered, which tells as much as a mark of its own.
MARKED_AT_ONCE = 100

#: What PyMongo calls a server that passes commands on to shards.
ROUTERS = frozenset({'Mongos', 'LoadBalancer'})


class Marks:
    """Marks and ends of runs, in as few writes as can be.

    Invariant: a run that `begin` gives has its mark in the history. A run marked in
    advance starts when the run named in `after` is registered.
    """

    def __init__(self, history: History, lock: Lock, plan: Plan, at_once: int) -> None:
        """Take what runs are made of; up to `at_once` steps are marked together."""
        self._history = history
        self._lock = lock
        self._writer = GuardedWriter(lock)
        self._plan = plan
        self._at_once = at_once
        self._agent = Agent.current()
        self._marked: deque[Run] = deque()
        #: What the history is to hear of ended runs, with the next marks.
        self._ends: list[Document] = [
            _end_of(run, plan.open_runs) for run in plan.open_runs.ended
        ] + [run.begun() for run in plan.unfinished if run.after is not None]

    def begin(
        self, steps: Sequence[Step], place: int, session: ClientSession | None = None
    ) -> Run:
        """Give the run of the step at a place, marked; further ones may be too.

        `session` is that of its transaction, which the next command ends if this one is
        killed. Raises `LockLost`.
        """
        if not self._marked:
            next_ones = steps[place : place + self._at_once]
            self._mark(_to_mark(next_ones), session)
        run = self._marked.popleft()
        run.started = self._lock.now()
        return run

    def new_run(
        self, migration: Migration, direction: str, checksum: str | None
    ) -> Run:
        """Make a run that starts now."""
        records = self._plan.records_of(migration)
        phase = self._plan.phase_of(migration)
        return Run.new(
            migration.name,
            direction,
            checksum,
            self._lock.owner,
            self._lock.now(),
            self._agent,
            records=[record.id for record in records],
            phase=None if phase == BEFORE else phase,
            replaces=self._plan.replaces.get(migration.name, ()),
        )

    def end(self, run: Run) -> None:
        """Remember that a run has ended well, to be written with the next marks."""
        self._ends += self.ends_of(run)

    def ends_of(self, run: Run) -> list[Document]:
        """Give what the history is to hear when a run has ended well."""
        earlier = self._plan.unfinished_of(run)
        return [run.document(), *(each.settled() for each in earlier)]

    def complete(self, patience: float | None = None) -> None:
        """Write the ends that are not written yet, an earlier command's too.

        Tries for `patience` seconds, by default as long as the lock could be held.
        """
        if self._ends:
            self._writer.merge(self._history.collection, self._ends, patience=patience)
            self._ends.clear()

    def send(self) -> None:
        """Send the ends that are not written yet, and do not wait for an answer.

        For a command that then waits until its lock is released. If the message is
        lost, the next command that writes makes up for it.
        """
        if self._ends:
            with suppress(PyMongoError):
                self._history.send(self._ends)
            self._ends.clear()

    def withdraw(self) -> None:
        """Remove the marks of steps that will not run, an earlier command's too."""
        self._history.forget([*self._plan.open_runs.ahead, *self._marked])
        self._marked.clear()

    def _mark(self, steps: Sequence[Step], session: ClientSession | None) -> None:
        runs: list[Run] = []
        for step in steps:
            run = self.new_run(step.migration, step.direction, step.loaded.checksum)
            # What a transaction has not committed is not half done.
            run.unsettled = not step.in_transaction
            run.images = step.images is True or None
            run.after = runs[-1].id if runs else None
            runs.append(run)
        of_session = {'session': session.session_id['id']} if session else {}
        begun = [{**run.document(), **of_session} for run in runs]
        marks = [*self._ends, *begun]
        self._writer.merge(self._history.collection, marks, MARK)
        self._ends.clear()
        self._marked.extend(runs)


def _end_of(run: Run, open_runs: OpenRuns) -> Document:
    """Give what the history is to hear of an earlier run, as the registry tells it."""
    if open_runs.outcome_of(run) == run.outcome:
        return run.settled()
    record = open_runs.record_of(run)
    if record is None:
        return run.completed(None, None)
    return run.completed(record.executed_at, record.duration_ms)


def _to_mark(steps: Sequence[Step]) -> Sequence[Step]:
    """Give the first steps that can be marked at once.

    A step in a transaction is marked alone: what it registers is not seen before it is
    over. So is a `down`, which unregisters and so does not tell that the next begins.
    """
    alone = (
        number
        for number, step in enumerate(steps)
        if step.in_transaction or step.direction == 'down'
    )
    return steps[: next(alone, len(steps)) or 1]


def has_one_log(client: Any) -> bool:
    """Tell whether all writes of a client are in one server's log, in their order.

    Behind a router each shard has its own.
    """
    servers = client.topology_description.server_descriptions().values()
    return not any(each.server_type_name in ROUTERS for each in servers)

"""Run the steps of a plan: mark the start, run, register."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from pymongo import WriteConcern
from pymongo.errors import DuplicateKeyError, PyMongoError

from migopy.effects import Effects
from migopy.errors import MigopyException
from migopy.history import EXECUTED, FAILED, IGNORED, ROLLED_BACK, History, Run
from migopy.lock import Agent, Lock, LockLost
from migopy.migration import LoadedMigration, Migration, excerpt
from migopy.plan import Plan, ways_out
from migopy.registry import Document, Record, Registry

#: A mark before `up` survives whatever keeps the writes of `up`, as it precedes them
#: in the server's log; so it need not wait for a majority.
MARK = WriteConcern(1)

#: Documents in one write of `ignore`.
BATCH = 1000


class NotRegistered(MigopyException):
    """A function ran to its end, but the registry could not be told so.

    `name` is the migration's; the cause is chained.
    """

    def __init__(self, run: Run, cause: BaseException) -> None:
        self.name = run.name
        super().__init__(
            f'{run.name}: its {run.direction} has run, but that could not be'
            f' registered: {cause}\n'
            'It counts as unfinished until you type one of:\n'
            f'{ways_out(run)}'
        )


@dataclass(frozen=True)
class Failure:
    """What is known when a migration has failed.

    `error` is what it raised, `unfinished` whether it may have written before.
    """

    run: Run
    error: BaseException
    traceback: str
    unfinished: bool
    done: Sequence[str]
    not_run: Sequence[str]

    @property
    def message(self) -> str:
        """Say what happened, what has run and what has not, and what to type."""
        how = 'was interrupted' if _is_interrupt(self.error) else 'failed'
        lines = [f'{self.run.name} {how} in its {self.run.direction}.', self.traceback]
        if self.done:
            lines.append(f'Executed before it: {", ".join(self.done)}')
        if self.not_run:
            lines.append(f'Not run: {", ".join(self.not_run)}')
        if self.unfinished:
            lines.append(
                'It may have written already, so it is unfinished. Type one of:'
            )
            lines.append(ways_out(self.run))
        else:
            again = (
                'execute' if self.run.direction == 'up' else f'rollback,{self.run.name}'
            )
            lines.append(
                'It had written nothing. Correct it, then type: {fab}:' + again
            )
        return '\n'.join(lines)


def _is_interrupt(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt)


class Observer(Protocol):
    """Who is told of a run's progress; printing stays out of the runner."""

    def starting(self, name: str, direction: str, place: int, count: int) -> None:
        """Hear that a function is about to run, the `place`th of `count`."""

    def finished(self, run: Run, effects: Effects) -> None:
        """Hear that a run has ended well and that the registry says so."""

    def failed(self, failure: Failure) -> None:
        """Hear that a run has failed; the error is raised after this."""


class Runner:
    """Runs loaded migrations under a lock that is held.

    Invariant: a start is marked before the function runs, and an end is told to the
    observer only after the registry has it. Who lost the lock writes neither.
    """

    def __init__(
        self,
        db: Any,
        lock: Lock,
        registry: Registry,
        history: History,
        plan: Plan,
        recording: Callable[[], AbstractContextManager[Effects]],
        observer: Observer,
        version: str,
    ) -> None:
        self.db = db
        self._lock = lock
        self._registry = registry
        self._history = history
        self._plan = plan
        self._recording = recording
        self._observer = observer
        self._version = version
        #: What the history is to hear of ended runs, with the mark of the next one.
        self._ended: list[Document] = [run.completed() for run in plan.uncompleted]

    def execute(self, migrations: Sequence[LoadedMigration]) -> None:
        """Run `up` of each and register it right after.

        A record is replaced where the `down` of a registered migration was left half
        done. Raises what the migration raised, `LockLost`, `NotRegistered`.
        """
        names = [each.name for each in migrations]
        functions = [each.function('up') for each in migrations]
        with self._flushed():
            for place, (loaded, up) in enumerate(zip(migrations, functions)):
                self._observer.starting(loaded.name, 'up', place + 1, len(names))
                run = self._started(loaded, 'up')
                effects = self._call(up, run, loaded, names[:place], names[place + 1 :])
                with self._registering(run):
                    self._remove(self._plan.records_of(loaded.migration))
                    self._lock.write(self._registry.collection, [self._record(run)])
                self._finish(run, effects)

    def rollback(self, loaded: LoadedMigration) -> None:
        """Run `down` of a migration and take its records away, if it has any.

        Raises what the migration raised, `LockLost`, `NotRegistered`.
        """
        down = loaded.function('down')
        records = self._plan.records_of(loaded.migration)
        with self._flushed():
            self._observer.starting(loaded.name, 'down', 1, 1)
            run = self._started(loaded, 'down', records)
            effects = self._call(down, run, loaded, [], [])
            with self._registering(run):
                self._remove(records)
            run.outcome = ROLLED_BACK
            self._finish(run, effects)

    def ignore(self, migrations: Sequence[Migration]) -> None:
        """Register migrations without running them."""
        runs = [self._new_run(each, each.checksum(), 'up') for each in migrations]
        for run in runs:
            run.end(IGNORED, 0)
        with self._flushed():
            for start in range(0, len(runs), BATCH):
                batch = runs[start : start + BATCH]
                self._lock.write(
                    self._registry.collection, [self._record(run) for run in batch]
                )
                for run in batch:
                    self._finish(run, Effects())

    def unregister(self, migration: Migration) -> None:
        """Take a migration's records away without running its `down`."""
        run = self._new_run(migration, migration.checksum(), 'down')
        run.end(IGNORED, 0)
        with self._flushed():
            self._remove(self._plan.records_of(migration))
            self._finish(run, Effects())

    def _remove(self, records: Sequence[Record]) -> None:
        if records:
            self._lock.check()
            self._registry.remove(records)

    def _finish(self, run: Run, effects: Effects) -> None:
        earlier = [each for each in self._plan.unfinished if each.name == run.name]
        self._ended += [run.document(), *(each.settled() for each in earlier)]
        self._observer.finished(run, effects)

    def _started(
        self, loaded: LoadedMigration, direction: str, records: Sequence[Record] = ()
    ) -> Run:
        run = self._new_run(loaded.migration, loaded.checksum, direction)
        run.record = records[0].id if records else None
        marks = [*self._ended, run.document()]
        self._lock.write(self._history.collection, marks, MARK)
        self._ended.clear()
        return run

    def _new_run(self, migration: Migration, checksum: str, direction: str) -> Run:
        return Run(
            name=migration.name,
            direction=direction,
            checksum=checksum,
            owner=self._lock.owner,
            agent=Agent.current(),
            version=self._version,
        )

    def _call(
        self,
        function: Callable[[Any], object],
        run: Run,
        loaded: LoadedMigration,
        done: Sequence[str],
        not_run: Sequence[str],
    ) -> Effects:
        began = time.perf_counter()
        with self._recording() as effects:
            try:
                function(self.db)
            # KeyboardInterrupt and SystemExit too: what is half done is to be known.
            except BaseException as error:
                self._note_failure(run, error, began, effects)
                self._observer.failed(
                    Failure(
                        run=run,
                        error=error,
                        traceback=excerpt(error, loaded.migration.path),
                        unfinished=run.unsettled,
                        done=done,
                        not_run=not_run,
                    )
                )
                raise
        run.end(EXECUTED, _milliseconds(began))
        run.effects = effects.as_document()
        return effects

    def _note_failure(
        self, run: Run, error: BaseException, began: float, effects: Effects
    ) -> None:
        run.end(FAILED, _milliseconds(began), unsettled=effects.wrote)
        run.error = f'{type(error).__name__}: {error}'
        run.effects = effects.as_document()
        # The start is marked, so a failure that cannot be noted is no less known.
        with suppress(PyMongoError, LockLost):
            self._lock.write(self._history.collection, [run.document()])

    @contextmanager
    def _registering(self, run: Run) -> Iterator[None]:
        try:
            yield
        except (LockLost, DuplicateKeyError, PyMongoError) as error:
            raise NotRegistered(run, error) from error

    @contextmanager
    def _flushed(self) -> Iterator[None]:
        try:
            yield
        finally:
            if self._ended:
                with suppress(PyMongoError, LockLost):
                    self._lock.write(self._history.collection, self._ended)

    def _record(self, run: Run) -> Document:
        return {
            '_id': run.id,
            'name': run.name,
            'executed_at': run.ended,
            'duration_ms': run.duration_ms,
            'checksum': run.checksum,
            'by': str(run.agent),
            'how': IGNORED if run.outcome == IGNORED else EXECUTED,
        }


def _milliseconds(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)

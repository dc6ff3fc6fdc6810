"""Run the steps of a plan: mark the start, run, register."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from migopy.backfill import Checkpoints
from migopy.commands import Command, Part, Spelling, spelled
from migopy.effects import Effects, EffectsListener, Recording, unwatched_clients
from migopy.errors import MigopyException, enumerated
from migopy.files.migration import LoadedMigration, Migration
from migopy.run.announcements import Announcements
from migopy.run.plan import Plan, ways_out
from migopy.run.transaction import WroteOutside, aborted, commit_together, why_refused
from migopy.signals import is_interruption
from migopy.state.history import EXECUTED, FAILED, IGNORED, History, Run
from migopy.state.lock import Agent, Lock, LockLost
from migopy.state.registry import DURABLE, MARK, Document, Record, Registry
from migopy.terminal.progress import Heartbeats, heartbeats
from migopy.traces import excerpt, summary

#: Steps from which on their registrations wait for a majority together.
MANY = 50

#: How many of these are marked at once. Where a step that is marked begins with the
#: registration of the one before it, that says as much as a mark of its own.
MARKED_AT_ONCE = 100

#: What PyMongo calls a server that passes commands on to shards.
ROUTERS = frozenset({'Mongos', 'LoadBalancer'})

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
            'It counts as unfinished until you type one of:\n',
            *ways_out(run.name, run.direction),
        )


class Step(NamedTuple):
    """One function of a loaded migration, to be run.

    `refuses_transaction` is whether its file says `transaction = False`.
    """

    loaded: LoadedMigration
    direction: str
    in_transaction: bool
    refuses_transaction: bool

    @classmethod
    def of(
        cls, loaded: LoadedMigration, direction: str, transaction: bool = False
    ) -> Step:
        """Make a step of `up` or `down`; `transaction` is the manager's default.

        Raises `NoSuchFunction`, `BadTransaction`.
        """
        loaded.function(direction)
        refuses = not loaded.in_transaction(default=True)
        return cls(loaded, direction, loaded.in_transaction(transaction), refuses)

    @property
    def name(self) -> str:
        """Give the migration's name."""
        return self.loaded.name

    def released(self) -> Step:
        """Let go of the module until the function is called."""
        return self._replace(loaded=self.loaded.released())

    def call(self, db: Any) -> None:
        """Run the function."""
        self.loaded.call(self.direction, db)


class CannotTry(MigopyException):
    """A migration that a dry run cannot show; `name` is its name."""

    def __init__(self, step: Step, reason: str, not_shown: Sequence[str]) -> None:
        self.name = step.name
        self.not_shown = not_shown
        lines = [f'{step.name} cannot be tried in a transaction: {reason}']
        if not_shown:
            lines.append(f'Those after it cannot be shown: {enumerated(not_shown)}')
        lines.append('The dry run has changed nothing. Without it: ')
        super().__init__('\n'.join(lines), Command(verb(step.direction), step.name))


@dataclass(frozen=True)
class Failure:
    """What is known when a migration has failed.

    `error` is what it raised, `unfinished` whether it may have left writes behind;
    `written` says which, as far as that is known. `in_doubt` is whether its
    transaction may have been committed.
    """

    step: Step
    error: BaseException
    done: Sequence[str] = ()
    not_run: Sequence[str] = ()
    unfinished: bool = False
    in_doubt: bool = False
    written: str = ''
    dry_run: bool = False

    def said(self, spelling: Spelling) -> str:
        """Say what happened, what has run and what has not, and what to type."""
        how = 'was interrupted' if is_interruption(self.error) else 'failed'
        said = excerpt(self.error, self.step.loaded.migration.path)
        if isinstance(self.error, MigopyException):
            said = said.replace(str(self.error), self.error.spelled(spelling))
        lines = [f'{self.step.name} {how} in its {self.step.direction}.', said]
        if self.done:
            done = 'Executed' if self.step.direction == 'up' else 'Rolled back'
            lines.append(f'{done} before it: {enumerated(self.done)}')
        if self.not_run:
            lines.append(f'Not run: {enumerated(self.not_run)}')
        return '\n'.join([*lines, spelled(self._left_behind(), spelling)])

    def _left_behind(self) -> list[Part]:
        name = self.step.name
        again = Command(verb(self.step.direction), name)
        if self.dry_run:
            again = Command(verb(self.step.direction), name, dry_run='yes')
            return ['The dry run has changed nothing. To try again: ', again]
        if self.unfinished:
            written = self.written or 'it cannot be known what'
            return [
                f'It may have written already ({written}), so it is unfinished.'
                ' Type one of:\n',
                *ways_out(name, self.step.direction),
            ]
        if self.in_doubt:
            return [
                'It ran in a transaction, and it cannot be known whether that was'
                ' committed: all was done and registered, or nothing. See: ',
                Command(),
            ]
        if not self.step.in_transaction:
            return ['It had written nothing. Correct it, then type: ', again]
        refusal = why_refused(self.error)
        if refusal:
            return [
                f'A transaction cannot do this: {refusal}. Nothing was changed.\n'
                f'Write `transaction = False` at the top of {name}, then type: ',
                again,
            ]
        return [
            'It ran in a transaction, so nothing was changed. Correct it, then type: ',
            again,
        ]


def verb(direction: str) -> str:
    """Give the subtask that runs `up` or `down`."""
    return 'execute' if direction == 'up' else 'rollback'


class Observer(Protocol):
    """Who is told of a run's progress; printing stays out of the runner."""

    def starting(self, step: Step, place: int, count: int) -> None:
        """Hear that a step is about to run, the `place`th of `count`."""

    def finished(self, run: Run, effects: Effects) -> None:
        """Hear that a run has ended well and that the registry says so."""

    def failed(self, failure: Failure) -> None:
        """Hear that a run has failed; the error is raised after this."""

    def running(self, step: Step, effects: Recording, seconds: float) -> None:
        """Hear now and then, from another thread, of a step that takes long."""

    def trying(self, step: Step, place: int, count: int) -> None:
        """Hear that a step is about to run in a dry run."""

    def tried(self, step: Step, effects: Effects) -> None:
        """Hear what a step would do, had it not been a dry run."""


class Runner:
    """Runs steps under a lock that is held.

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
        listener: EffectsListener,
        observer: Observer,
        version: str,
    ) -> None:
        self.db = db
        #: As a migration gets it that does not run in a transaction.
        self._durable_db = _durable(db)
        self._lock = lock
        self._registry = registry
        self._history = history
        self._plan = plan
        self._listener = listener
        self._observer = observer
        self._version = version
        #: What the history is to hear of ended runs, with the mark of the next one.
        self._ended: list[Document] = [
            run.completed() if plan.has_taken_effect(run) else run.settled()
            for run in plan.uncompleted
        ] + [run.begun() for run in plan.unfinished if run.after is not None]
        #: Runs that are marked, and have not begun.
        self._marked: deque[Run] = deque()
        self._agent = Agent.current()
        self._heartbeats = Heartbeats()
        #: Where many run, what is to be told of those that have ended.
        self._announcements: Announcements | None = None

    def run(self, steps: Sequence[Step]) -> None:
        """Run steps in order, each one registered right after it has run.

        Raises what a migration raised, `LockLost`, `NotRegistered`.
        """
        names = [step.name for step in steps]
        with self._flushed(), self._beating(), self._announced(steps):
            for place, step in enumerate(steps):
                self._observer.starting(step, place + 1, len(steps))
                run = self._started(steps, place)
                effects = self._run(step, run, names)
                if not step.in_transaction:
                    self._register(run)
                self._finish(run, effects)

    def ignore(self, migrations: Sequence[Migration]) -> None:
        """Register migrations without running them.

        One whose `down` was left half done is instead unregistered: its `down` is
        taken as done.
        """
        unfinished = [each for each in migrations if self._plan.runs_of(each)]
        others = [each for each in migrations if each not in unfinished]
        with self._flushed():
            self.complete_history()
            for migration in unfinished:
                last = self._plan.runs_of(migration)[-1]
                run = self._ignored(migration, last.direction)
                self._register(run)
                self._finish(run, Effects())
            for start in range(0, len(others), BATCH):
                batch = others[start : start + BATCH]
                runs = [self._ignored(migration, 'up') for migration in batch]
                self._lock.write(
                    self._registry.collection, [self._record(run) for run in runs]
                )
                for run in runs:
                    self._finish(run, Effects())
                self.complete_history()

    def try_out(self, steps: Sequence[Step]) -> None:
        """Run steps in one transaction that is then aborted, so nothing is changed.

        Nothing is marked or registered, and no lock is needed. Raises what a
        migration raised, and `CannotTry` for one that is not to run in a transaction.
        """
        names = [step.name for step in steps]
        with self._beating(), aborted(self.db.client) as session:
            for place, step in enumerate(steps):
                self._observer.trying(step, place + 1, len(steps))
                if step.refuses_transaction:
                    reason = 'it says transaction = False'
                    raise CannotTry(step, reason, names[place + 1 :])
                with self._listener.recording(self.db.name) as effects:
                    try:
                        self._call_bound(step, session, effects)
                    except Exception as error:
                        not_run = names[place + 1 :]
                        if why_refused(error) is not None:
                            where = excerpt(error, step.loaded.migration.path)
                            raise CannotTry(step, f'\n{where}', not_run) from error
                        self._observer.failed(
                            Failure(step, error, not_run=not_run, dry_run=True)
                        )
                        raise
                    self._observer.tried(step, effects)

    def _run(self, step: Step, run: Run, names: Sequence[str]) -> Effects:
        began = time.perf_counter()
        with self._listener.recording(self.db.name) as effects:
            try:
                if step.in_transaction:
                    commit_together(
                        self.db.client, partial(self._attempt, step, run, effects)
                    )
                else:
                    with self._checkpoints(run, effects).in_force():
                        self._call(step, self._durable_db, effects)
                    self._end(run, began, effects)
            except LockLost:
                raise
            # KeyboardInterrupt and SystemExit too: what is half done is to be known.
            except BaseException as error:
                self._note_failure(step, run, error, began, effects)
                self._tell_of_those_before()
                place = names.index(step.name)
                self._observer.failed(
                    Failure(
                        step,
                        error,
                        done=names[:place],
                        not_run=names[place + 1 :],
                        unfinished=run.unsettled,
                        in_doubt=_is_in_doubt(step, effects),
                        written=effects.describe(self.db.name),
                    )
                )
                raise
        return effects

    def _checkpoints(self, run: Run, effects: Effects) -> Checkpoints:
        """Let `update_each` go on where the last run stopped, if it is unfinished."""
        last = self._plan.runs_of(run)[-1:]
        earlier = [each.checkpoints for each in last if each.direction == run.direction]
        checkpoints = Checkpoints(
            earlier=(earlier and earlier[0]) or [],
            save=partial(self._save, run),
            was_written=partial(_has_written, effects),
        )
        run.checkpoints = checkpoints.entries
        return checkpoints

    def _save(self, run: Run, checkpoints: list[Document]) -> None:
        document = {'_id': run.id, 'checkpoints': checkpoints}
        with self._listener.own_work():
            # As with the mark of a start, what it tells of is before it in the log.
            self._lock.write(self._history.collection, [document], MARK)

    def _attempt(
        self, step: Step, run: Run, effects: Recording, session: ClientSession
    ) -> None:
        began = time.perf_counter()
        self._call_bound(step, session, effects)
        self._end(run, began, effects)
        with self._listener.own_work():
            self._registry.remove(self._plan.records_of(step.loaded.migration), session)
            if run.direction == 'up':
                self._registry.add(self._record(run), session)
            self._history.complete(run, self._plan.runs_of(run), session)
            self._lock.check()

    def _call(self, step: Step, db: Any, effects: Recording) -> None:
        with self._heartbeats.of(partial(self._observer.running, step, effects)):
            step.call(db)

    def _call_bound(
        self, step: Step, session: ClientSession, effects: Recording
    ) -> None:
        with session.bind(end_session=False):
            self._call(step, self.db, effects)
        if effects.outside.wrote:
            raise WroteOutside(effects.outside, self.db.name)

    def _end(self, run: Run, began: float, effects: Effects) -> None:
        run.end(run.good_outcome, self._lock.now(), _milliseconds(began))
        run.effects = effects.as_document()

    def _note_failure(
        self,
        step: Step,
        run: Run,
        error: BaseException,
        began: float,
        effects: Recording,
    ) -> None:
        if _is_in_doubt(step, effects):
            # Its document says how it ended if it was committed, as the registry does.
            run.unsettled = False
            return
        if step.in_transaction:
            unsettled = effects.outside.wrote
        else:
            unsettled = effects.wrote or unwatched_clients(self._listener)
        run.end(FAILED, self._lock.now(), _milliseconds(began), unsettled)
        run.error = summary(error)
        run.effects = effects.as_document()
        # The start is marked, so a failure that cannot be noted is no less known.
        with suppress(PyMongoError, LockLost), self._listener.own_work():
            self._lock.write(self._history.collection, [run.document()], patience=0)

    def _register(self, run: Run) -> None:
        records = self._plan.records_of(run)
        try:
            if records:
                self._lock.persist(partial(self._unregister, records))
            if run.direction == 'up':
                self._add(self._record(run))
            elif not records:
                # The registry has nothing to tell of it, only the history has.
                self._lock.write(self._history.collection, self._ends(run))
        except (LockLost, PyMongoError) as error:
            raise NotRegistered(run, error) from error

    def _add(self, record: Document) -> None:
        if self._announcements:
            self._lock.insert(self._registry.collection, record)
        else:
            self._lock.write(self._registry.collection, [record])

    def _unregister(self, records: Sequence[Record]) -> None:
        self._lock.check()
        self._registry.remove(records)

    def _finish(self, run: Run, effects: Effects) -> None:
        if self._announcements:
            self._announcements.add(run, effects)
        else:
            self._ended += self._ends(run)
            self._observer.finished(run, effects)

    @contextmanager
    def _beating(self) -> Iterator[None]:
        with heartbeats() as self._heartbeats:
            yield

    @contextmanager
    def _announced(self, steps: Sequence[Step]) -> Iterator[None]:
        """Let many steps wait for a majority together, where there is one log."""
        up = bool(steps) and steps[0].direction == 'up'
        if not (up and len(steps) >= MANY and _has_one_log(self.db.client)):
            yield
            return
        self._announcements = Announcements(self._observer.finished, self._make_durable)
        try:
            with self._announcements.regularly(self._listener.own_work):
                yield
            try:
                self._announcements.tell()
            except (LockLost, PyMongoError) as error:
                raise NotRegistered(self._announcements.first, error) from error
        except BaseException:
            self._tell_of_those_before()
            raise
        finally:
            self._announcements = None

    def _tell_of_those_before(self) -> None:
        if self._announcements:
            with suppress(PyMongoError, LockLost), self._listener.own_work():
                self._announcements.tell()

    def _make_durable(self, runs: Sequence[Run]) -> None:
        records = [self._record(run) for run in runs]
        self._lock.write(self._registry.collection, records)
        # After them: a run that has ended well in the history alone would run again.
        ends = [document for run in runs for document in self._ends(run)]
        # Lost, it is made up for by the next command that writes.
        with suppress(PyMongoError, LockLost):
            self._lock.write(self._history.collection, ends, MARK)

    def _ends(self, run: Run) -> list[Document]:
        """Give what the history is to hear when a run has ended well."""
        earlier = self._plan.runs_of(run)
        return [run.document(), *(each.settled() for each in earlier)]

    def _started(self, steps: Sequence[Step], place: int) -> Run:
        if not self._marked:
            ahead = MARKED_AT_ONCE if self._announcements else 1
            self._mark(_to_mark(steps[place : place + ahead]))
        run = self._marked.popleft()
        run.started = self._lock.now()
        return run

    def _mark(self, steps: Sequence[Step]) -> None:
        runs: list[Run] = []
        for step in steps:
            loaded = step.loaded
            run = self._new_run(loaded.migration, step.direction, loaded.checksum)
            # What a transaction has not committed is not half done.
            run.unsettled = not step.in_transaction
            run.after = runs[-1].id if runs else None
            runs.append(run)
        marks = [*self._ended, *(run.document() for run in runs)]
        self._lock.write(self._history.collection, marks, MARK)
        self._ended.clear()
        self._marked.extend(runs)

    def _ignored(self, migration: Migration, direction: str) -> Run:
        run = self._new_run(migration, direction, migration.checksum())
        run.end(IGNORED, run.started, 0)
        return run

    def _new_run(self, migration: Migration, direction: str, checksum: str) -> Run:
        records = self._plan.records_of(migration)
        return Run(
            name=migration.name,
            direction=direction,
            checksum=checksum,
            started=self._lock.now(),
            owner=self._lock.owner,
            agent=self._agent,
            version=self._version,
            records=[record.id for record in records],
        )

    @contextmanager
    def _flushed(self) -> Iterator[None]:
        self._history.forget(self._plan.never_begun)
        try:
            yield
        except BaseException:
            # Lost, it is made up for by the next command that writes.
            with suppress(PyMongoError, LockLost), self._listener.own_work():
                self.complete_history(patience=0)
                self._history.forget(self._marked)
            raise
        self.complete_history()

    def complete_history(self, patience: float | None = None) -> None:
        """Write the ends of runs that are not written yet, an earlier command's too."""
        if self._ended:
            self._lock.write(self._history.collection, self._ended, patience=patience)
            self._ended.clear()

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


def _to_mark(steps: Sequence[Step]) -> Sequence[Step]:
    """Give the first steps that can be marked at once.

    One in a transaction is alone: what it registers is not seen before it is over.
    """
    count = next((n for n, step in enumerate(steps) if step.in_transaction), len(steps))
    return steps[: count or 1]


def _durable(db: Any) -> Any:
    """Give the database to a migration so that it keeps what it has acknowledged.

    Replica sets do so since MongoDB 5.0. Others may lose the last moments in a crash or
    a failover, and the migration would be registered all the same when the server is
    back. A write concern that the fabfile has set is left as it is.
    """
    if db.write_concern.is_server_default:
        return db.with_options(write_concern=DURABLE)
    return db


def _is_in_doubt(step: Step, effects: Recording) -> bool:
    """Tell whether a transaction may have been committed though it failed."""
    return step.in_transaction and effects.wrote and not effects.outside.wrote


def _milliseconds(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)


def _has_written(effects: Effects, namespace: str) -> bool:
    """Tell whether a write was sent to a collection, even one that changed nothing."""
    database = namespace.partition('.')[0]
    return any(
        name == database or namespace in name.split(' + ') for name in effects.changes
    )


def _has_one_log(client: Any) -> bool:
    """Tell whether all that is written through a client is in one server's log.

    Behind a router each shard has its own.
    """
    servers = client.topology_description.server_descriptions().values()
    return not any(each.server_type_name in ROUTERS for each in servers)

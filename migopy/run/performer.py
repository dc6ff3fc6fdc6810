"""Perform one step: call its function, in a transaction or not; note how it ended."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pymongo
from pymongo.client_session import ClientSession

from migopy.effects import BeforeBuild, Effects, Guard, Recording
from migopy.lazy import lazy
from migopy.pymongo3 import commented
from migopy.run.attempts import commit_together
from migopy.run.cautions import is_empty
from migopy.run.conditions import carry_out
from migopy.run.imaging import images_of, keeper_of, pages_of
from migopy.run.left_running import end_on_server, still_running
from migopy.run.observer import Aftermath, Observer
from migopy.run.own_collections import OwnCollections
from migopy.run.plan import Plan
from migopy.run.quorum import teller_of_members
from migopy.run.site import Site
from migopy.run.step import Step
from migopy.run.transaction import kept_inside, why_refused
from migopy.signals import is_interruption
from migopy.state import (
    FAILED,
    FAILURE_SECONDS,
    MAJORITY,
    MARK,
    UNWRITTEN,
    GuardedWriter,
    KeptPages,
    LockLost,
    Run,
)
from migopy.terminal import told_by
from migopy.traces import summary

if TYPE_CHECKING:
    from migopy.backfill import Checkpoints


@dataclass(frozen=True)
class Outcome:
    """How a step ended.

    Invariant: either it ended well and `error` is `None`, or `aftermath` says what it
    left behind.
    """

    effects: Effects
    error: BaseException | None = None
    aftermath: Aftermath = Aftermath.NOTHING
    #: What it wrote before it failed, and what it may have written unheard.
    written: str = ''
    #: Whether `update_each` can go on where it was interrupted.
    goes_on: bool = False


class Performer:
    """Performs steps whose start is marked, one at a time.

    Invariant: a failure is written to the history where that can be done; what cannot
    be known is taken for unfinished.
    """

    def __init__(self, site: Site, plan: Plan, observer: Observer) -> None:
        self._site = site
        self._plan = plan
        self._observer = observer
        self._writer = GuardedWriter(site.lock)
        self._own = OwnCollections(site)

    def perform(
        self,
        step: Step,
        run: Run,
        place: int,
        count: int,
        session: ClientSession | None,
    ) -> Outcome:
        """Run a step, the `place`th of `count`, and note in its run how it ended.

        In a transaction, which is one of `session`, it is registered with it. Raises
        `LockLost`.
        """
        began = time.perf_counter()
        checkpoints: Checkpoints | None = None
        teller = teller_of_members(self._site, step, self._observer)
        with self._recording(self._own, teller) as effects:
            try:
                # Interrupted in a hook here, the migration has written nothing.
                self._observer.starting(step, place, count, effects)
                title = f'migopy: {run.direction} of {run.name}, run {run.id}'
                with self._told_of(step, place, count, effects), commented(title):
                    if session is not None:
                        commit_together(
                            self._site.db.client,
                            session,
                            step,
                            self._observer,
                            partial(self._attempt, step, run, effects),
                        )
                    else:
                        checkpoints = self._checkpoints(run, effects)
                        self._call_plainly(step, run, effects, checkpoints)
                        self._end(step, run, began, effects)
            except LockLost:
                end_on_server(self._site, step, effects, self._observer)
                raise
            # KeyboardInterrupt and SystemExit too: what is half done is to be known.
            except BaseException as error:
                end_on_server(self._site, step, effects, self._observer)
                # The lost lock ended it, so that is raised, unless a person did.
                if self._site.lock.is_lost and not is_interruption(error):
                    with self._site.listener.own_work():
                        holder = self._site.lock.holder()
                    raise LockLost(holder) from error
                aftermath = self._note_failure(step, run, error, began, effects)
                written = describe_written(effects, self._site.db.name)
                is_kept = checkpoints is not None and checkpoints.is_kept
                goes_on = bool(run.interrupted) and is_kept
                return Outcome(effects, error, aftermath, written, goes_on)
            finally:
                self._observer.stopped(step)
        return Outcome(effects)

    @lazy
    def _durable_db(self) -> Any:
        """Give the database to migrations so that it keeps what it has acknowledged.

        Replica sets do so since MongoDB 5.0. Other servers may lose their last moments
        in a crash or a failover, and the migration would still be registered when the
        server is back. A write concern that the fabfile has set stays as it is.
        """
        db = self._site.db
        if db.write_concern.is_server_default:
            return db.with_options(write_concern=MAJORITY)
        return db

    def _told_of(
        self, step: Step, place: int, count: int, effects: Recording
    ) -> AbstractContextManager[None]:
        """Have `watch` told of a step in the block, and the step steered."""
        about = {
            'name': step.name,
            'direction': step.direction,
            'place': place,
            'count': count,
            'in_transaction': step.in_transaction,
        }
        name = self._site.db.name
        return self._site.lock.helm.step(
            about,
            effects=lambda: effects.answered.describe(name),
            end=lambda: list(still_running(self._site, effects)),
        )

    def _recording(
        self, guard: Guard | None = None, before_build: BeforeBuild | None = None
    ) -> AbstractContextManager[Recording]:
        return self._site.listener.recording(
            self._site.db.name,
            guard=guard,
            guards_strays=self._own.guards_strays,
            before_build=before_build,
        )

    def _checkpoints(self, run: Run, effects: Recording) -> Checkpoints:
        """Give what keeps how far the run's calls of `update_each` have come.

        They go on where the last run stopped, if that is unfinished.
        """
        # `fab migrations` runs nothing and is to start fast.
        from migopy.backfill import Checkpoints

        site = self._site
        return Checkpoints(
            earlier=self._earlier(run),
            save=partial(self._save, run),
            was_written=effects.has_written,
            pages=KeptPages(site.history, run.id, site.lock, site.listener.own_work),
            pace=site.settings.pace,
            heartbeats=lambda: site.heartbeats,
            recording=self._recording,
        )

    def _call_plainly(
        self, step: Step, run: Run, effects: Recording, checkpoints: Checkpoints
    ) -> None:
        """Call the function outside of a transaction."""
        earlier = self._plan.unfinished_of(run)
        paging = pages_of(step, run, self._site, effects, earlier, self._observer)
        told = told_by(self._observer.speaker)
        try:
            with paging as images, checkpoints.in_force(images), told:
                carry_out(step, self._site, self._durable_db, effects, self._own)
        finally:
            run.checkpoints = checkpoints.known

    def _earlier(self, run: Run) -> list[dict[str, Any]]:
        """Give how far earlier runs have come that were left unfinished.

        From then on they go no further, even if a process was only suspended. If the
        last one was killed before it noted how far it was, what the run before it noted
        holds, as long as the file has not changed since.
        """
        earlier: list[dict[str, Any]] | None = None
        is_same = True
        for each in reversed(self._plan.unfinished_of(run)):
            with self._site.listener.own_work():
                kept = self._site.history.take_over(each)
            is_same = is_same and each.direction == run.direction
            if is_same and earlier is None:
                earlier = kept
                is_same = kept is not None or each.checksum == run.checksum
        return earlier or []

    def _save(self, run: Run, checkpoints: list[dict[str, Any]]) -> None:
        document = {'_id': run.id, 'checkpoints': checkpoints}
        with self._site.listener.own_work():
            # As with the mark of a start, what it tells of is before it in the log.
            self._writer.merge(self._site.history.collection, [document], MARK)

    def _attempt(
        self, step: Step, run: Run, effects: Recording, session: ClientSession
    ) -> None:
        """Call the function and register it, all in a session's transaction."""
        began = time.perf_counter()
        keeper = keeper_of(step, self._site)
        inside = kept_inside(session, effects, self._site.db.name, keeper)
        bound = session.bind(end_session=False)
        earlier = self._plan.unfinished_of(run)
        with images_of(step, run, self._site, session, earlier) as images:
            with inside, bound, told_by(self._observer.speaker):
                carry_out(step, self._site, self._site.db, effects, self._own, session)
            images.keep(effects, self._observer)
        self._end(step, run, began, effects)
        registry, history = self._site.registry, self._site.history
        with self._site.listener.own_work():
            registry.remove(self._plan.records_of(run), session)
            if run.direction == 'up':
                registry.add(run.record(), session)
            history.complete(run, self._plan.unfinished_of(run), session)
            self._site.lock.check()

    def _end(self, step: Step, run: Run, began: float, effects: Effects) -> None:
        run.end(run.good_outcome, self._site.lock.now(), _milliseconds(began))
        # An empty one has done nothing, whatever others have done meanwhile.
        did = Effects() if is_empty(step.function) else effects
        run.effects = did.as_document()

    def _note_failure(
        self,
        step: Step,
        run: Run,
        error: BaseException,
        began: float,
        effects: Recording,
    ) -> Aftermath:
        """Write what is known of a failed run to the history; tell what it left."""
        if step.in_transaction:
            unsettled = effects.outside.wrote or bool(effects.unknowns())
            if effects.wrote and not unsettled:
                # The document that its transaction wrote says how it ended, if that
                # was committed, as the registry does.
                run.unsettled = False
                return Aftermath.IN_DOUBT
            clean = Aftermath.REFUSED if why_refused(error) else Aftermath.ABORTED
        else:
            unsettled = effects.wrote or bool(effects.unknowns())
            clean = Aftermath.NOTHING
        run.end(FAILED, self._site.lock.now(), _milliseconds(began), unsettled)
        run.error = summary(error, self._site.secrets)
        run.interrupted = is_interruption(error) or None
        run.effects = effects.as_document()
        # The start is marked, so a failure that cannot be noted is no less known.
        own_work = self._site.listener.own_work()
        with suppress(*UNWRITTEN), own_work, pymongo.timeout(FAILURE_SECONDS):
            history = self._site.history.collection
            self._writer.merge(history, [run.document()], patience=0)
        return Aftermath.UNFINISHED if unsettled else clean


def describe_written(effects: Recording, database: str) -> str:
    """Say what was written, and what cannot be known of it, in one line."""
    return '; '.join(filter(None, [effects.describe(database), *effects.unheard()]))


def _milliseconds(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)

"""Rehearse migrations on a scratch database: up, down, up, and compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any, Protocol, cast

from pymongo.database import Database

from migopy.commands import Command, Part
from migopy.dumps import plain_database
from migopy.effects import Effects, Recording
from migopy.errors import MigopyException
from migopy.rehearsal.comparing import deviations, only_counted
from migopy.rehearsal.copying import Copied
from migopy.rehearsal.fingerprint import Fingerprint, fingerprint_of
from migopy.rehearsal.guard import Guard, RefusedElsewhere
from migopy.rehearsal.preserving import Preserver
from migopy.rehearsal.report import Caution, Rehearsed, Stage, Teller
from migopy.rehearsal.scratch import BESIDE, MARK, beside
from migopy.run import (
    Aftermath,
    Failure,
    Observer,
    Plan,
    Runner,
    Site,
    Step,
    function_of,
)
from migopy.signals import is_interruption
from migopy.state import LockLost, Run

#: Collections up to so many bytes are kept after the first `up` as well.
KEPT_TWICE = 100_000_000


class Ground(Site, Protocol):
    """What a rehearsal needs of its scratch site."""

    def plan(self) -> Plan:
        """Read the files and the scratch registry."""


class StageObserver:
    """The observer of one run: it keeps how that ended, and passes on a few events.

    Invariant: it hears every other event of `Observer` as well, and says nothing.
    """

    def __init__(self, teller: Teller, place: int, count: int) -> None:
        """Take who is told, and which of how many migrations it is."""
        self.speaker = teller.speaker
        self._teller = teller
        self._place = place
        self._count = count
        self.run: Run | None = None
        self.effects = Effects()
        self.failure: Failure | None = None

    def warned(self, *said: Part) -> None:
        """Pass a warning on."""
        self._teller.warned(*said)

    def starting(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Tell what is about to run."""
        self.effects = effects
        self._teller.begins(step, self._place, self._count, effects)

    def stopped(self, step: Step) -> None:
        """Tell that it is over."""
        self._teller.ends(step)

    def finished(self, run: Run, effects: Effects) -> None:
        """Keep how it ended."""
        self.run, self.effects = run, effects

    def failed(self, failure: Failure) -> None:
        """Keep why it failed."""
        self.failure = failure

    def __getattr__(self, event: str) -> Callable[..., None]:
        if event not in vars(Observer):
            raise AttributeError(event)
        return _pass_over


class Rehearser:
    """Rehearses migrations, one after the other, on a scratch database.

    Invariant: each begins with what the one before has left after its second `up`. The
    lock of the scratch database is held, and no other database is written to.
    """

    def __init__(
        self,
        ground: Ground,
        guard: Guard,
        copied: Copied,
        teller: Teller,
        undo_of: Callable[[Step], Step | None],
    ) -> None:
        """Take the scratch site, the guard of all that is sent, and what was copied.

        `undo_of` gives the step that undoes an `up` by its images, if there is one.
        """
        self._undo_of = undo_of
        self._ground = ground
        self._guard = guard
        self._copied = copied
        self._teller = teller
        self._db: Database[Any] = plain_database(ground.db)
        self._beside = [beside(self._db, suffix) for suffix in BESIDE]
        registry = ground.registry.collection.name
        beside_it = {f'{registry}_{each}' for each in ('history', 'lock', 'undo')}
        self._excluded: Set[str] = {registry, MARK, *beside_it}

    def rehearse(self, ups: Sequence[Step], downs: Sequence[Step | None]) -> list[str]:
        """Rehearse all, until one fails; give the names of those that had no turn.

        `downs` belong to the `ups` in their order. A migration without a `down` has
        `None`; if it keeps images, they are its way back. A repeatable one has to give
        the same result a second time.
        """
        count = len(ups)
        # All but the migrations themselves is migopy's own work.
        with self._ground.listener.own_work():
            state = self._state()
            for place, (up, down) in enumerate(zip(ups, downs), start=1):
                found, state = self._one(up, down, state, place, count)
                self._teller.rehearsed(found)
                if found.failure is not None:
                    return [each.name for each in ups[place:]]
        return []

    def _one(
        self, up: Step, down: Step | None, before: Fingerprint, place: int, count: int
    ) -> tuple[Rehearsed, Fingerprint]:
        found = Rehearsed(up.name, down is not None, up.loaded.said().repeat)
        was = self._preserver(0, before)
        found.stages.append(self._run(up, [was], place, count))
        if found.failure is not None:
            return self._end(found, before, [was])
        after = self._state(found, before, was)
        found.cautions += self._cautions(found.stages[0], before, after)
        found.estimate = self._estimate(found.stages[0])
        if down is None and up.images:
            down = self._undo_of(up)
        if down is None and not found.repeats:
            return self._end(found, after, [was])
        first = self._preserver(1, after)
        if down is not None:
            found.stages.append(self._run(down, [was, first], place, count))
            if found.failure is not None:
                return self._end(found, after, [was, first])
            now = self._state(found, after, first)
            found.after_down = deviations(was, now, is_made_again=False)
            found.cautions += _counted(was.state, now)
        found.stages.append(self._run(up, [first], place, count))
        if found.failure is not None:
            return self._end(found, after, [was, first])
        again = self._state(found, after, first)
        found.after_up = deviations(first, again, is_made_again=True)
        counted = _counted(first.state, again)
        found.cautions += [each for each in counted if each not in found.cautions]
        return self._end(found, again, [was, first])

    def _end(
        self, found: Rehearsed, state: Fingerprint, preservers: Iterable[Preserver]
    ) -> tuple[Rehearsed, Fingerprint]:
        for each in preservers:
            each.forget()
        return found, state

    def _state(
        self,
        found: Rehearsed | None = None,
        since: Fingerprint | None = None,
        preserver: Preserver | None = None,
    ) -> Fingerprint:
        """Take the fingerprint of the database.

        With a state from before, only what was written to since is read again; all is
        read if a stage may have written what nobody has heard.
        """
        # Images keep dropped collections in collections of their own.
        excluded = {*self._excluded, *self._ground.images.names()}
        if found is None or preserver is None or _may_be_unheard(found):
            return fingerprint_of(self._db, excluded)
        return fingerprint_of(self._db, excluded, since, preserver.touched)

    def _preserver(self, which: int, state: Fingerprint) -> Preserver:
        own_work = self._ground.listener.own_work
        # What was before is what people look for; a second copy of all takes long.
        most = KEPT_TWICE if which else None
        return Preserver(self._db, self._beside[which], state, own_work, most)

    def _run(
        self, step: Step, preservers: Sequence[Preserver], place: int, count: int
    ) -> Stage:
        """Run one function as `execute` or `rollback` does."""
        observer = StageObserver(self._teller, place, count)
        self._guard.begin(preservers)
        kept = sum(each.seconds for each in preservers)
        error: BaseException | None = None
        try:
            plan = self._ground.plan()
            runner = Runner(self._ground, plan, cast(Observer, observer))
            runner.run([step], Command('rehearse', step.name))
        except LockLost:
            raise
        except BaseException as raised:
            if is_interruption(raised) or observer.failure is None:
                raise
            error = raised
        finally:
            refused = self._guard.end()
        kept = sum(each.seconds for each in preservers) - kept
        failure = observer.failure if refused is None else _failure(step, refused)
        run = observer.run
        milliseconds = 0 if run is None else run.duration_ms or 0
        if isinstance(error, RefusedElsewhere) and failure is None:
            raise error
        return Stage(
            step.doing,
            max(0, milliseconds - round(kept * 1000)),
            observer.effects,
            failure,
        )

    def _cautions(
        self, stage: Stage, before: Fingerprint, now: Fingerprint
    ) -> list[Caution]:
        """List what cannot be told of the first `up`."""
        effects = stage.effects
        unheard = effects.unknowns() if isinstance(effects, Recording) else []
        own = self._db.name
        others = {
            each for each in _namespaces(effects) if each.partition('.')[0] != own
        }
        cautions = [Caution('unheard', each) for each in unheard]
        cautions += [Caution('other database', each) for each in sorted(others)]
        if self._copied.sample is None:
            return cautions
        for name, shape in sorted(now.items()):
            known = before[name].unique if name in before else set()
            for index in sorted(shape.unique - known):
                if self._copied.factor({name}) is not None:
                    cautions.append(Caution('unique', f'{name}.{index}'))
        return cautions

    def _estimate(self, stage: Stage) -> int | None:
        """Estimate what an `up` on a sample takes on all documents, in milliseconds."""
        if self._copied.sample is None:
            return None
        own = f'{self._db.name}.'
        namespaces = _namespaces(stage.effects)
        touched = {each[len(own) :] for each in namespaces if each.startswith(own)}
        factor = self._copied.factor(touched)
        return None if factor is None else round(stage.milliseconds * factor)


def _counted(was: Fingerprint, now: Fingerprint) -> list[Caution]:
    return [Caution('counted', each) for each in only_counted(was, now)]


def _namespaces(effects: Effects) -> list[str]:
    """List the collections that were changed, and databases where none is named."""
    return [one for each in effects.changes for one in each.split(' + ')]


def _may_be_unheard(found: Rehearsed) -> bool:
    effects = [each.effects for each in found.stages]
    return any(isinstance(each, Recording) and each.unknowns() for each in effects)


def _failure(step: Step, error: MigopyException) -> Failure:
    return Failure(
        migration=step.migration,
        direction=step.direction,
        error=error,
        aftermath=Aftermath.NOTHING,
        asked=Command('rehearse', step.name),
        function=function_of(error, step.direction),
    )


def _pass_over(*_what: object) -> None:
    """Hear an event that is not told in a rehearsal."""

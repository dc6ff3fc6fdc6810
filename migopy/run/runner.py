"""Run the steps of a plan: mark the start, run, register."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

import pymongo
from pymongo.client_session import ClientSession

from migopy.commands import Command
from migopy.effects import Effects
from migopy.errors import kept_within
from migopy.files import Migration
from migopy.run.cautions import tell_of_empty
from migopy.run.conditions import function_of
from migopy.run.marks import MARKED_AT_ONCE, Marks, has_one_log
from migopy.run.observer import Aftermath, Failure, Observer
from migopy.run.performer import Outcome, Performer
from migopy.run.plan import Plan
from migopy.run.registrations import MANY, Ended, NotRegistered, Registrations
from migopy.run.site import Site
from migopy.run.step import Step
from migopy.run.transaction import is_too_large, why_refused
from migopy.run.unfinished import is_of_worker, resumes
from migopy.state import FAREWELL_SECONDS, IGNORED, UNWRITTEN, GuardedWriter, Run

#: Documents in one write of `ignore`.
BATCH = 1000


class Runner:
    """Runs steps under a lock that is held.

    Invariant: a start is marked before the function runs, and the observer hears of an
    end only after the registry has it. A runner that has lost the lock writes neither.
    """

    def __init__(
        self,
        site: Site,
        plan: Plan,
        observer: Observer,
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what to run with; `begun` is called when a start is in the history."""
        self._site = site
        self._plan = plan
        self._observer = observer
        self._writer = GuardedWriter(site.lock)
        self._performer = Performer(site, plan, observer)
        self._begun = begun

    def run(self, steps: Sequence[Step], asked: Command) -> None:
        """Run steps in order, each one registered right after it has run.

        `asked` is the command that goes on with all of them. Raises what a migration
        raised, `LockLost`, `NotRegistered`.
        """
        one_log = has_one_log(self._site.db.client)
        marks = self._marks(MARKED_AT_ONCE if one_log else 1)
        up = bool(steps) and steps[0].direction == 'up'
        together = up and len(steps) >= MANY and one_log
        registrations = self._registrations(marks, together)
        marks.withdraw()
        try:
            for place in range(len(steps)):
                ended = self._run_one(steps, place, marks, registrations, asked)
                self._tell(ended)
                tell_of_empty(steps[place], self._plan, self._observer)
            self._tell(registrations.settle())
        except BaseException:
            self._leave(marks, registrations)
            raise
        marks.send()

    def ignore(self, migrations: Sequence[Migration]) -> None:
        """Register migrations without running them.

        A migration whose `down` was left half done is unregistered instead: its `down`
        counts as done. An existing record is replaced. The observer hears at the end
        which ones are registered. Raises `LockLost`, `NotRegistered`.
        """
        marks = self._marks(1)
        registrations = self._registrations(marks, together=False)
        marks.withdraw()
        marks.complete()
        known = [
            each
            for each in migrations
            if self._plan.unfinished_of(each) or self._plan.records_of(each)
        ]
        unregistered = []
        for migration in known:
            unfinished = self._plan.unfinished_of(migration)
            direction = unfinished[-1].direction if unfinished else 'up'
            if direction == 'down':
                unregistered.append(migration)
            run = self._ignored(marks, migration, direction)
            self._tell(registrations.add(run, Effects()))
        marks.complete()
        others = [each for each in migrations if each not in known]
        for start in range(0, len(others), BATCH):
            runs = [
                self._ignored(marks, migration, 'up')
                for migration in others[start : start + BATCH]
            ]
            records = [run.record() for run in runs]
            self._writer.merge(self._site.registry.collection, records)
            for run in runs:
                self._tell(registrations.note(run, Effects()))
            marks.complete()
        registered = [each.name for each in migrations if each not in unregistered]
        self._observer.marked(registered)

    def complete_history(self) -> None:
        """Write the ends of an earlier command's runs that it could not write."""
        self._marks(1).send()

    def _marks(self, at_once: int) -> Marks:
        site = self._site
        return Marks(site.history, site.lock, self._plan, at_once)

    def _registrations(self, marks: Marks, together: bool) -> Registrations:
        site, plan = self._site, self._plan
        return Registrations(
            site.registry, site.history, site.lock, plan, marks, together
        )

    def _ignored(self, marks: Marks, migration: Migration, direction: str) -> Run:
        run = marks.new_run(migration, direction, migration.checksum())
        run.end(IGNORED, run.started, 0)
        return run

    def _tell(self, ended: Sequence[Ended]) -> None:
        for run, effects in ended:
            self._observer.finished(run, effects)

    def _leave(self, marks: Marks, registrations: Registrations) -> None:
        """Report and write what is known of the steps that have ended, if possible.

        What cannot be written the next command that writes makes up for.
        """
        with suppress(*UNWRITTEN), self._site.listener.own_work():
            self._tell_of_those_before(registrations)
            with pymongo.timeout(FAREWELL_SECONDS):
                marks.complete(patience=0)
                marks.withdraw()

    def _tell_of_those_before(self, registrations: Registrations) -> None:
        with suppress(NotRegistered), self._site.listener.own_work():
            self._tell(registrations.settle())

    def _session_for(self, step: Step) -> AbstractContextManager[ClientSession | None]:
        """Give the session of a step's transaction, if it runs in one."""
        if not step.in_transaction:
            return nullcontext()
        session: ClientSession = self._site.db.client.start_session()
        return session

    def _run_one(
        self,
        steps: Sequence[Step],
        place: int,
        marks: Marks,
        registrations: Registrations,
        asked: Command,
    ) -> Sequence[Ended]:
        """Run and register one step; give those that are durable now."""
        step = steps[place]
        # Before anything is marked: another database may take long.
        with step.turn, self._session_for(step) as session:
            run = marks.begin(steps, place, session)
            self._begun()
            count = len(steps)
            outcome = self._performer.perform(step, run, place + 1, count, session)
        if outcome.error is not None and _can_be_in_parts(step, outcome):
            self._observer.warned(
                f'{step.name}: too large for one transaction of this server, so it is'
                ' restored in several'
            )
            in_parts = step._replace(in_transaction=False)
            rest = [*steps[:place], in_parts, *steps[place + 1 :]]
            return self._run_one(rest, place, marks, registrations, asked)
        if outcome.error is not None:
            self._tell_of_those_before(registrations)
            self._observer.failed(self._failure(steps, place, run, outcome, asked))
            raise outcome.error
        if step.in_transaction:
            return registrations.note(run, outcome.effects)
        return registrations.add(run, outcome.effects)

    def _failure(
        self,
        steps: Sequence[Step],
        place: int,
        run: Run,
        outcome: Outcome,
        asked: Command,
    ) -> Failure:
        """Put together what is known of a step that has failed."""
        step, error = steps[place], outcome.error
        assert error is not None  # noqa: S101 - only such are put together
        names = [each.name for each in steps]
        rest = _rest_of(asked, names[place:])
        next = _in_place_of_plan(rest, names[place:]) if place else rest
        return Failure(
            migration=step.migration,
            direction=step.direction,
            error=kept_within(error, rest),
            aftermath=outcome.aftermath,
            asked=next,
            done=names[:place],
            not_run=names[place + 1 :],
            written=outcome.written,
            refusal=why_refused(error) or '',
            earlier=self._plan.unfinished_of(run),
            function=function_of(error, step.doing),
            goes_on=is_of_worker(run) and outcome.goes_on,
            resumes=resumes(run),
            keeps_images=step.images is True,
            is_for_rest=bool(place) and next != asked,
        )


def _can_be_in_parts(step: Step, outcome: Outcome) -> bool:
    """Tell whether an undo whose transaction was too large can be done in several."""
    if step.undo is None or not step.in_transaction or outcome.error is None:
        return False
    is_clean = outcome.aftermath in (Aftermath.ABORTED, Aftermath.REFUSED)
    return is_clean and is_too_large(outcome.error)


def _rest_of(asked: Command, names: Sequence[str]) -> Command:
    """Give the command that goes on with the migrations that are left.

    It is the same one, except that `last` counts only those.
    """
    if asked.values:
        return Command(asked.name, names[0], **asked.options)
    if 'last' in asked.options:
        return asked.having(last=len(names))
    return asked


def _in_place_of_plan(asked: Command, names: Sequence[str]) -> Command:
    """Give the command that goes on with the migrations that are left.

    After `execute,plan=…` that is a new `plan`: the old one has those that have run.
    """
    if 'plan' not in asked.options:
        return asked
    file = asked.options['plan']
    if len(names) == 1:
        return Command('plan', names[0], file=file)
    return Command('plan', to=names[-1], file=file)

"""What happens, told in JSON: the observer of a run that a machine reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from migopy.commands import Part, Spelling, spelled
from migopy.state import Holder, Run
from migopy.tell.heartbeats import Heartbeats
from migopy.tell.json_data import (
    of_dump,
    of_effects,
    of_error,
    of_failure,
    of_holder,
    of_run,
)
from migopy.tell.json_lines import Lines
from migopy.traces import summary

if TYPE_CHECKING:
    from migopy.differences import Comparison
    from migopy.dumps import Dump
    from migopy.effects import Effects, Recording
    from migopy.files import Migration
    from migopy.preflight import Finding
    from migopy.run import Failure, Plan, Step
    from migopy.standin import Foretold


class JsonEvents:
    """Tells a machine of the events of a run, a line each.

    Invariant: it tells what `Narrator` tells, as data.
    """

    def __init__(self, lines: Lines, spelling: Spelling, database: str) -> None:
        """Take the lines, and how commands and collections are named."""
        self._lines = lines
        self._spelling = spelling
        self._database = database
        self._heartbeats = Heartbeats(beside_bars=True)

    @property
    def speaker(self) -> Any:
        """Give nothing: a migration's own lines are for a person."""
        return None

    def waiting(self, holder: Holder) -> None:
        """Tell for whom this command waits."""
        self._lines.event('waiting', holder=of_holder(holder), is_gone=holder.is_gone)

    def planned(self, doing: str, plan: Plan, migrations: Sequence[Migration]) -> None:
        """Tell what is going to run."""
        late = {each.name for each in plan.late}
        names = [each.name for each in migrations]
        self._lines.event(
            'planned',
            doing=doing,
            migrations=names,
            late=[name for name in names if name in late],
            equal_numbers=plan.equal_numbers,
        )

    def repeated(self, runs: Sequence[Run]) -> None:
        """Tell what this command has done already, for another host."""
        self._lines.event('repeated', runs=[of_run(None, run) for run in runs])

    def warned(self, *said: Part) -> None:
        """Tell of something that does not keep the run from going on."""
        self._lines.event('warned', message=spelled(said, self._spelling))

    def starting(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Tell what is about to run, and now and then how far it is."""
        self._begin(step, place, count, effects, dry_run=False)

    def trying(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Tell what is about to run in a dry run."""
        self._begin(step, place, count, effects, dry_run=True)

    def _begin(
        self, step: Step, place: int, count: int, effects: Recording, dry_run: bool
    ) -> None:
        self._lines.event(
            'started',
            name=step.name,
            direction=step.direction,
            place=place,
            count=count,
            in_transaction=step.in_transaction or dry_run,
            dry_run=dry_run,
        )
        self._heartbeats.begin(partial(self._running, step, effects))

    def _running(self, step: Step, effects: Recording, seconds: float) -> None:
        self._lines.event(
            'progress',
            name=step.name,
            direction=step.direction,
            seconds=round(seconds, 3),
            effects=of_effects(effects.answered, self._database),
        )

    def repeating(self, step: Step, error: Exception) -> None:
        """Tell that a step's transaction is tried again, and why."""
        self._lines.event('retried', name=step.name, reason=summary(error))

    def stopped(self, step: Step) -> None:
        """Hear that a step's function is over."""
        self._heartbeats.end()

    def finished(self, run: Run, effects: Effects) -> None:
        """Tell how a run ended, once the registry has it."""
        self._lines.event(
            _word(run),
            name=run.name,
            direction=run.direction,
            started=run.started,
            ended=run.ended,
            duration_ms=run.duration_ms,
            effects=of_effects(effects, self._database),
        )

    def empty(self, name: str) -> None:
        """Tell that an `up` that has run is empty."""
        self.warned(f'The up of {name} is empty, and does not run again')

    def marked(self, names: Sequence[str]) -> None:
        """Tell nothing: each was told of as ignored."""

    def put_right(self, run: Run, runs_it: str = '') -> None:
        """Tell what was put right in the registry."""
        self._lines.event(_word(run), name=run.name)

    def failed(self, failure: Failure) -> None:
        """Tell what failed, what it left behind and what to type."""
        error, left = (
            of_error(failure.error, self._spelling),
            of_failure(failure, self._spelling),
        )
        self._lines.event('failed', error=error, **left)
        self._lines.answer(failed=left)

    def nothing_up_to(self, doing: str, name: str) -> None:
        """Tell nothing: the status is the answer."""

    def awaiting(self, name: str, is_running: bool) -> None:
        """Tell which migration is waited for, and whether a worker runs it."""
        self._lines.event('awaiting', name=name, is_running=is_running)

    def left(self, names: Sequence[str]) -> None:
        """Tell what is left for a worker."""
        self._lines.event('left', migrations=list(names))

    def elsewhere(self, names: Sequence[str], here: str) -> None:
        """Tell what is for other environments."""
        self._lines.event('elsewhere', migrations=list(names), environment=here or None)

    def over(self, error: BaseException | None) -> None:
        """Say nothing: the last line tells how the command ended."""

    def tried(self, step: Step, effects: Effects) -> None:
        """Tell what a step would do."""
        self._lines.event(
            'tried',
            name=step.name,
            direction=step.direction,
            effects=of_effects(effects, self._database),
        )

    def found(self, step: Step, findings: Sequence[Foretold]) -> None:
        """Tell what commands would do that a transaction refuses.

        The values that stand in the way are people's, and for no log.
        """
        said = [finding.text for finding in findings]
        self._lines.event('found', name=step.name, findings=said)

    def untold(
        self, step: Step, effects: Effects, reason: str, after: Sequence[str]
    ) -> None:
        """Tell up to which point it is known what a step would do, and why."""
        self._lines.event(
            'untold',
            name=step.name,
            direction=step.direction,
            reason=reason,
            effects=of_effects(effects, self._database),
            after=list(after),
        )

    def compared(
        self, step: Step, comparisons: Sequence[Comparison], since: str
    ) -> None:
        """Say nothing: documents are people's, and for no log."""

    def foreseen(self, findings: Sequence[Finding], names: Sequence[str]) -> None:
        """Tell what to know before migrations run."""
        found = [each.as_document() for each in findings]
        self._lines.event('foreseen', findings=found)

    def nothing_to_try(self) -> None:
        """Say nothing: the last line says that all is well."""

    def tried_all(self, imported: Sequence[str]) -> None:
        """Say nothing: each step was told of, and what an import has written."""

    def verified(self, migration: Migration) -> None:
        """Tell that `verify` of a migration found all as it should be."""
        self._lines.event('verified', name=migration.name)

    def dumping(self, database: str) -> None:
        """Tell that a database is about to be dumped."""
        self._lines.event('dumping', database=database)

    def way_back(self, dump: Dump, is_of_earlier: bool = False) -> None:
        """Name the dump that was made before a migration failed."""
        self._lines.event('way_back', dump=of_dump(dump))

    def restoring(self, dump: Dump) -> None:
        """Tell what a restore does, before it does."""
        self._lines.event('restoring', dump=of_dump(dump))

    def restored(self, dump: Dump) -> None:
        """Tell that the database is as the dump had it."""
        self._lines.event('restored', dump=of_dump(dump))


def _word(run: Run) -> str:
    return str(run.outcome).replace(' ', '_')

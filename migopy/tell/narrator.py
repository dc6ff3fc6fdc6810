"""What happens, told in text: the observer of a run that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from migopy.commands import Command, Part, Spelling, spelled
from migopy.errors import enumerated
from migopy.state import IGNORED, Holder, Run
from migopy.tell.amounts import IS_LOST, ago
from migopy.tell.failures import failure_text
from migopy.tell.heartbeats import Heartbeats
from migopy.tell.kept_dumps import tell_way_back
from migopy.tell.runs import ended_as
from migopy.tell.voice import Voice
from migopy.terminal import duration
from migopy.traces import summary

if TYPE_CHECKING:
    from migopy.differences import Comparison
    from migopy.dumps import Dump
    from migopy.effects import Effects, Recording
    from migopy.files import Migration
    from migopy.preflight import Finding
    from migopy.run import Failure, Plan, Step
    from migopy.standin import Foretold
    from migopy.tell.rehearsals import RehearsalTeller


class Narrator:
    """Tells a person of the events of a run, through a manager's voice.

    Invariant: it decides nothing, and an event is told in full before the next one.
    """

    def __init__(self, voice: Voice, spelling: Spelling, database: str) -> None:
        """Take the voice, how commands are spelled, and a database's name.

        The collections of that database are shown without its name.
        """
        self._voice = voice
        self._spelling = spelling
        self.database = database
        self._heartbeats = Heartbeats()
        self._told: BaseException | None = None

    @property
    def speaker(self) -> Any:
        """Give the voice, which the lines of a migration's loops go to as well."""
        return self._voice

    def rehearsal(self) -> RehearsalTeller:
        """Give who tells of a rehearsal."""
        from migopy.tell.rehearsals import RehearsalTeller

        return RehearsalTeller(self._voice, self._spelling, self.database)

    def has_told(self, error: BaseException) -> bool:
        """Tell whether an error was the last one that `failed` told of."""
        return error is self._told

    def about(self, title: str) -> None:
        """Say which database, on which host, what follows is about.

        A logger of the fabfile's gets what it got from 1.0.
        """
        if title and not self._voice.is_custom:
            self._voice.white(title)

    def waiting(self, holder: Holder) -> None:
        """Say which command this one waits for."""
        if holder.is_gone:
            self._voice.white(f'The command that held the lock is gone: {holder}')
            return
        whom = "a worker's lock" if holder.is_worker else 'another migration command'
        said = (
            f'Waiting for {whom}: {holder}\nIf that process is certainly gone, type: ',
            holder.unlocking,
        )
        self._voice.white(spelled(said, self._spelling))

    def planned(self, doing: str, plan: Plan, migrations: Sequence[Migration]) -> None:
        """Warn of equal numbers and late ones, and list the migrations if several."""
        if doing == 'execute':
            tell_equal_numbers(self._voice, plan)
            self._late(plan, migrations)
        if len(migrations) > 1:
            names = enumerated([each.name for each in migrations])
            verb = 'roll back' if doing == 'rollback' else doing
            self._voice.white(f'Going to {verb} {len(migrations)} migrations: {names}')

    def repeated(self, runs: Sequence[Run]) -> None:
        """Say that this command has been carried out already, and what it did."""
        did = enumerated(
            [f'{run.name} {run.outcome or run.good_outcome}' for run in runs]
        )
        self._voice.white(
            f'This command has been carried out already, for another host: {did}.'
            ' Nothing was done again.'
        )

    def warned(self, *said: Part) -> None:
        """Say something that does not keep the run from going on."""
        self._voice.white(spelled(said, self._spelling))

    def starting(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Say what is about to run, and now and then that it still does."""
        doing = 'Executing' if step.direction == 'up' else 'Rolling back'
        self._voice.white(f'{doing} {step.name}{_of(place, count)}')
        self._heartbeats.begin(partial(self._running, step, effects))

    def trying(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Say what is about to run in a dry run."""
        self._voice.white(f'Trying the {step.doing} of {step.name}{_of(place, count)}')
        self._heartbeats.begin(partial(self._running, step, effects))

    def repeating(self, step: Step, error: Exception) -> None:
        """Say that a step's transaction is tried again, and why."""
        self._voice.white(f'{step.name}: tried again, as {summary(error)}')

    def stopped(self, step: Step) -> None:
        """Hear that a step's function is over."""
        self._heartbeats.end()

    def finished(self, run: Run, effects: Effects) -> None:
        """Say how a run ended, once the registry has it."""
        if run.outcome == IGNORED:
            again = '' if run.direction == 'up' else ': it is pending again'
            self._voice.white_bold(f'{run.name} {ended_as(run)}{again}')
            return
        changes = effects.describe(self.database) or '; '.join(effects.unheard())
        ended = f'{run.name} {run.outcome} in {duration(run.duration_ms or 0)}'
        self._voice.white_bold(f'{ended}: {changes or "nothing changed"}')

    def empty(self, name: str) -> None:
        """Say that an `up` is empty, and how to have it run once it is written."""
        said = f'The up of {name} is empty, and does not run again.'
        first = ' If it is still to be written, first: ', Command('forget', name)
        self._voice.white(spelled((said, *first), self._spelling))

    def marked(self, names: Sequence[str]) -> None:
        """Say what it means that migrations were ignored, and the way back.

        A logger of the fabfile's gets what it got from 1.0.
        """
        if self._voice.is_custom or not names:
            return
        said = 'It counts as applied and will not run. To have it pending again: '
        if len(names) > 1:
            said = (
                'They count as applied and will not run. To have the first one pending'
                ' again: '
            )
        way_back = Command('forget', names[0])
        self._voice.white(spelled((said, way_back), self._spelling))

    def put_right(self, run: Run, runs_it: str = '') -> None:
        """Say what was put right in the registry, and what runs it now."""
        again = f': pending again, the next {runs_it} runs it' if runs_it else ''
        self._voice.white_bold(f'{run.name} {run.outcome}{again}')

    def failed(self, failure: Failure) -> None:
        """Say what failed, what has run and what has not."""
        self._told = failure.error
        self._voice.red(failure_text(failure, self._spelling))

    def nothing_up_to(self, doing: str, name: str) -> None:
        """Say that all up to a migration is done, before the status follows."""
        self._voice.white(f'Nothing to {doing} up to {name}')

    def awaiting(self, name: str, is_running: bool) -> None:
        """Say which migration is waited for, and how to start a worker."""
        said: list[Part] = [f'Waiting for {name}, which a worker runs']
        if not is_running:
            said = [f'Waiting for {name}, which no worker runs at this moment. ']
            said += ['To run it, type in another terminal: ', Command('work')]
        self._voice.white(spelled(said, self._spelling))

    def left(self, names: Sequence[str]) -> None:
        """Say what is left for a worker, and how to start one."""
        said = f'Left for the background: {enumerated(names)}. To run that: '
        self._voice.white(spelled((said, Command('work')), self._spelling))

    def elsewhere(self, names: Sequence[str], here: str) -> None:
        """Say what did not run here, as it is for other environments."""
        why = f'not for {here}' if here else 'no environment is named here'
        said = f'Left out, as {why}: {enumerated(names)}. See: '
        self._voice.white(spelled((said, Command('list')), self._spelling))

    def over(self, error: BaseException | None) -> None:
        """Say nothing: each migration was told of."""

    def tried(self, step: Step, effects: Effects) -> None:
        """Say what a step would do; an undo that only looks has said so itself."""
        if step.undo and not step.in_transaction and not effects.wrote:
            return
        changes = effects.describe(self.database) or 'nothing'
        self._voice.white_bold(f'{step.name} would do: {changes}')

    def found(self, step: Step, findings: Sequence[Foretold]) -> None:
        """Say what commands would do that a transaction refuses.

        What people have stored is said on the terminal alone.
        """
        from migopy.tell.dry_run_findings import tell_findings

        tell_findings(self._voice, findings, self.database)

    def untold(
        self, step: Step, effects: Effects, reason: str, after: Sequence[str]
    ) -> None:
        """Say up to which point it is known what a step would do, and why."""
        changes = effects.describe(self.database) or 'nothing'
        short = reason.replace(f' {self.database}.', ' ')
        lines = [
            f'{step.name} cannot be shown to its end: {short}',
            f'Until then it would do: {changes}',
        ]
        if after:
            lines.append(f'As if it did nothing more: {enumerated(after)}')
        self._voice.red('\n'.join(lines))

    def compared(
        self, step: Step, comparisons: Sequence[Comparison], since: str
    ) -> None:
        """Show documents that a step would change, on the terminal alone."""
        # Imported late: `fab migrations` compares nothing, and has to start fast.
        from migopy.tell.differences import tell

        tell(self._voice.on_terminal, comparisons, since, self.database)

    def foreseen(self, findings: Sequence[Finding], names: Sequence[str]) -> None:
        """Say what to know before migrations run, a line each."""
        from migopy.tell.preflight_findings import tell_shortly

        tell_shortly(self._voice, self._spelling, findings, names)

    def nothing_to_try(self) -> None:
        """Say that nothing would run."""
        self._voice.green('Nothing would run')

    def tried_all(self, imported: Sequence[str]) -> None:
        """Say that a dry run is over."""
        but = ''
        if imported:
            but = f' but what the import of {enumerated(imported)} has written'
        self._voice.green(f'Dry run: nothing was changed{but}')

    def verified(self, migration: Migration) -> None:
        """Say that a migration is as it should be."""
        self._voice.white_bold(f'{migration.name} verified')

    def dumping(self, database: str) -> None:
        """Say nothing: bars or lines tell how far it is, and the end where it lies."""

    def way_back(self, dump: Dump, is_of_earlier: bool = False) -> None:
        """Name the dump that was made before a migration failed."""
        tell_way_back(self._voice, self._spelling, dump, is_of_earlier)

    def restoring(self, dump: Dump) -> None:
        """Say what a restore does, before it does."""
        self._voice.white(
            f'Going to bring {dump.database} back to {dump.name}, {ago(dump)}.'
            f'\n{IS_LOST}'
        )

    def restored(self, dump: Dump) -> None:
        """Say that the database is as the dump had it."""
        self._voice.white_bold(f'{dump.database} is as it was in {dump.name}')

    def _late(self, plan: Plan, migrations: Sequence[Migration]) -> None:
        last = plan.last_registered
        if last is not None:
            for each in plan.late:
                if each in migrations:
                    self._voice.white(
                        f'{each.name} is late: {last.name} is registered already'
                    )

    def _running(self, step: Step, effects: Recording, seconds: float) -> None:
        changes = effects.answered.describe(self.database) or 'nothing changed'
        passed = duration(round(seconds * 1000))
        self._voice.white(f'{step.name} running for {passed}: {changes} so far')


def tell_equal_numbers(voice: Voice, plan: Plan) -> None:
    """Warn of names that share a number."""
    if plan.equal_numbers:
        voice.white('Equal numbers (they run in order of name):')
        for names in plan.equal_numbers:
            voice.white(f'  {", ".join(names)}')


def _of(place: int, count: int) -> str:
    return f' ({place} of {count})' if count > 1 else ''

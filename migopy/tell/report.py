"""What a command says of plans and runs, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from migopy.commands import Command, Part, Spelling, spelled
from migopy.errors import enumerated
from migopy.run.plan import Plan, by_migration, describe_unfinished, ways_out_of
from migopy.state.history import IGNORED, Run
from migopy.terminal.console import ColorsLogger, duration, table

if TYPE_CHECKING:
    from migopy.dumps import Dump
    from migopy.effects import Effects, Recording
    from migopy.files.migration import Migration
    from migopy.run.runner import Failure, Step
    from migopy.state.lock import Holder


class Reporter:
    """Tells a person what is and what happens, through a manager's logger.

    Invariant: it decides nothing. `failed` remembers the error that it has told.
    """

    def __init__(self, logger: ColorsLogger, spelling: Spelling, database: str) -> None:
        """Take the logger, how commands are spelled, and a database's name.

        The collections of that database are shown without its name.
        """
        self._logger = logger
        self._spelling = spelling
        self._database = database
        #: The error that was told last, so that nobody tells it again.
        self.told: BaseException | None = None

    def status(self, plan: Plan, unregistered: Sequence[str]) -> None:
        """Show 1.0's list of what has not run, then what does not fit."""
        if unregistered:
            self._logger.white_bold('Unregistered migrations:')
            for name in unregistered:
                self._logger.red(name)
            if not plan.unfinished:
                self._next('To execute them: ', Command('execute'))
        else:
            self._logger.green('All migrations registered')
            if not plan.migrations and not plan.records:
                self._next(
                    'To write the first one: ', Command('create', 'what_it_does')
                )
        self.what_does_not_fit(plan)

    def what_does_not_fit(self, plan: Plan) -> None:
        """Show late, changed, missing, equal, running and unfinished ones, if any."""
        self._section(
            'Late (a higher number is registered already):',
            [each.name for each in plan.late],
        )
        self._section('Changed since executed:', plan.changed)
        self._section('Missing (registered, but there is no file):', plan.missing)
        self.equal_numbers(plan)
        self._section(
            'Running at this moment:',
            [f'{run.name} ({run.direction}) by {run.agent}' for run in plan.running],
        )
        for runs in by_migration(plan.unfinished):
            for run in runs:
                self._logger.red(f'Unfinished: {describe_unfinished(run)}')
            self._next(*ways_out_of(runs))

    def help(self, lines: Iterable[str]) -> None:
        """Show lines about the commands."""
        for line in lines:
            self._logger.white(line)

    def help_in_full(self, title: str, lines: Iterable[str]) -> None:
        """Show all about one command."""
        self._logger.white_bold(title)
        self.help(lines)

    def about_to(self, doing: str, migrations: Sequence[Migration]) -> None:
        """Say what is going to be done, before it is, where it is more than one."""
        if len(migrations) < 2:
            return
        names = enumerated([each.name for each in migrations])
        self._logger.white(f'Going to {doing} {len(migrations)} migrations: {names}')

    def nothing_to_roll_back(self) -> None:
        """Say that nothing was executed since."""
        self._logger.green('No migration to roll back')

    def nothing_to_try(self) -> None:
        """Say that nothing would run."""
        self._logger.green('Nothing would run')

    def dumped(self, dump: Dump) -> None:
        """Say where a dump is."""
        self._logger.white_bold(f'Dumped to {dump.path} ({_size(dump.size)})')

    def dumps(self, dumps: Sequence[Dump]) -> None:
        """List dumps with size and age, and how to go back to one."""
        if not dumps:
            self._next('There are no dumps. To make one: ', Command('dbdump'))
            return
        rows = [(dump.name, _size(dump.size), _age(dump)) for dump in dumps]
        self._logger.white(table(('Dump', 'Size', 'Age'), rows))
        self._next('To go back to one: ', Command('dbrestore', dumps[-1].name))

    def about_to_restore(self, dump: Dump) -> None:
        """Say what a restore does, before it does."""
        self._logger.white(
            f'Going to bring {dump.database} back to {dump.name}, made {_ago(dump)}.\n'
            'What was made since is dropped.'
        )

    def restored(self, dump: Dump) -> None:
        """Say that the database is as the dump had it."""
        self._logger.white_bold(f'{dump.database} is as it was in {dump.name}')

    def way_back(self, dump: Dump) -> None:
        """Name the dump that was made before a migration failed."""
        self._next(
            f'The dump {dump.name} was made before this run. To go back to it:\n  ',
            Command('dbrestore', dump.name),
        )

    def history(self, plan: Plan, runs: Sequence[Run]) -> None:
        """Show runs as a table, in the order given."""
        if not runs:
            self._logger.white('No migration has run yet')
            return
        rows = [
            (
                f'{run.started:%Y-%m-%d %H:%M:%S}',
                '\n'.join(filter(None, [run.name, run.error])),
                plan.state_of(run),
                '' if run.duration_ms is None else duration(run.duration_ms),
                str(run.agent),
            )
            for run in runs
        ]
        titles = ('Started (UTC)', 'Migration', 'Outcome', 'Took', 'By')
        self._logger.white(table(titles, rows))

    def equal_numbers(self, plan: Plan) -> None:
        """Warn of names that share a number."""
        self._section(
            'Equal numbers (they run in order of name):',
            [', '.join(names) for names in plan.equal_numbers],
        )

    def late(self, plan: Plan, migrations: Sequence[Migration]) -> None:
        """Give notice of late ones among the migrations that are to be executed."""
        last = plan.last_registered
        if last is not None:
            for each in plan.late:
                if each in migrations:
                    self._logger.white(
                        f'{each.name} is late: {last.name} is registered already'
                    )

    def waiting(self, holder: Holder) -> None:
        """Say for whom this command waits."""
        self._logger.white(f'Waiting for another migration command: {holder}')

    def starting(self, step: Step, place: int, count: int) -> None:
        """Say what is about to run."""
        doing = 'Executing' if step.direction == 'up' else 'Rolling back'
        of = f' ({place} of {count})' if count > 1 else ''
        self._logger.white(f'{doing} {step.name}{of}')

    def finished(self, run: Run, effects: Effects) -> None:
        """Say how a run ended, once the registry has it."""
        if run.outcome == IGNORED:
            done = 'ignored' if run.direction == 'up' else 'taken as rolled back'
            self._logger.white_bold(f'{run.name} {done}')
            return
        changes = effects.describe(self._database) or 'nothing changed'
        self._logger.white_bold(
            f'{run.name} {run.outcome} in {duration(run.duration_ms or 0)}: {changes}'
        )

    def trying(self, step: Step, place: int, count: int) -> None:
        """Say what is about to run in a dry run."""
        of = f' ({place} of {count})' if count > 1 else ''
        self._logger.white(f'Trying the {step.direction} of {step.name}{of}')

    def running(self, step: Step, effects: Recording, seconds: float) -> None:
        """Say how long a step has been running, and what it has done so far."""
        changes = effects.answered.describe(self._database) or 'nothing changed'
        passed = duration(round(seconds * 1000))
        self._logger.white(f'{step.name} running for {passed}: {changes} so far')

    def tried(self, step: Step, effects: Effects) -> None:
        """Say what a step would do."""
        changes = effects.describe(self._database) or 'nothing'
        self._logger.white_bold(f'{step.name} would do: {changes}')

    def failed(self, failure: Failure) -> None:
        """Say what failed, what has run and what has not."""
        self.told = failure.error
        self._logger.red(failure.said(self._spelling))

    def _section(self, title: str, lines: Sequence[str]) -> None:
        if lines:
            self._logger.white(title)
            for line in lines:
                self._logger.white(f'  {line}')

    def _next(self, *said: Part) -> None:
        self._logger.white(spelled(said, self._spelling))


def _size(count: float) -> str:
    for unit in ('bytes', 'KB', 'MB', 'GB'):
        if count < 1000:
            return f'{count:.0f} {unit}' if count >= 10 else f'{count:.1f} {unit}'
        count /= 1000
    return f'{count:,.1f} TB'


def _ago(dump: Dump) -> str:
    if dump.age is None:
        return 'at a time that is not known, as the clock was ahead'
    return f'{_age(dump)} ago'


def _age(dump: Dump) -> str:
    if dump.age is None:
        return '? (the clock was ahead)'
    seconds = int(dump.age.total_seconds())
    count, unit = seconds, 'second'
    for length, longer in ((86_400, 'day'), (3600, 'hour'), (60, 'minute')):
        if seconds >= length:
            count, unit = seconds // length, longer
            break
    return f'{count} {unit}{"" if count == 1 else "s"}'

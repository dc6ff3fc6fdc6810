"""The reasons why a command does not take what was typed, with the next step."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from migopy.commands import Command, Option, Part, Where
from migopy.errors import MigopyException, listing
from migopy.files import BACKGROUND, BEFORE
from migopy.state import IGNORED, Run


class UnknownMigration(MigopyException):
    """A name that fits no file; `name` is what was typed."""

    def __init__(self, name: str, nearest: Sequence[str]) -> None:
        self.name = name
        self.nearest = nearest
        meant = f' Did you mean {" or ".join(nearest)}?' if nearest else ''
        super().__init__(
            f'There is no migration {str(name)!r}.{meant}\nSee those that have not run:'
            ' ',
            Command(),
            ', and those that have: ',
            Command('history'),
        )


class NoNumberOfRuns(MigopyException):
    """A number of runs for `history` that is too small; `text` was typed."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f'history takes a number of runs from 1 on, or the name of a migration, and'
            f' {text} is neither.\nType: ',
            Command('history', 20),
        )


class AmbiguousName(MigopyException):
    """A short name that fits several files; `candidates` are their names.

    `applied` are the names of what has run, as far as that was read.
    """

    def __init__(
        self, name: str, candidates: Sequence[str], applied: Collection[str] = ()
    ) -> None:
        self.name = name
        self.candidates = candidates
        lines = [
            f'{each} (applied)' if each in applied else each for each in candidates
        ]
        super().__init__(
            f'{str(name)!r} may be any of:\n{listing(lines)}\nType the whole name.'
        )


class NoFile(MigopyException):
    """A migration whose file is gone, though the database knows it.

    `name` is its name, `is_applied` whether it is registered; else it is unfinished.
    `renamed` is as of `Renamed`: what has its content would run if it was forgotten.
    """

    def __init__(self, name: str, is_applied: bool, renamed: Mapping[str, str]) -> None:
        self.name = name
        self.is_applied = is_applied
        state = 'applied' if is_applied else 'unfinished'
        new = next((new for new, old in renamed.items() if old == name), None)
        said: list[Part] = [
            'Bring the file back (from version control, say), then type the command'
            ' again. If it is gone for good: ',
            Command('forget', name),
        ]
        if new is not None:
            over = f'{new} has its content. To carry its record over: '
            said = [over, Command('rename', name, new)]
        super().__init__(
            f'{name} is {state}, but its file is missing; nothing was done.\n', *said
        )


class Renamed(MigopyException):
    """Pending files with the content of applied migrations whose files are missing.

    `renamed` has the old name by the new one. Executed, they would run twice.
    """

    def __init__(self, renamed: Mapping[str, str]) -> None:
        self.renamed = renamed
        said: list[Part] = ['Applied already under another name, so nothing was done:']
        for new, old in renamed.items():
            said += [
                f'\n  {new} has the content of {old}, whose file is missing.'
                '\nTo carry its record over: ',
                Command('rename', old, new),
                '\nIf it is another migration that is to run, first: ',
                Command('forget', old),
            ]
        super().__init__(*said)


class AlreadyRegistered(MigopyException):
    """A migration that is registered already; `name` is its name.

    `how` is how it was registered, `later` how many were executed after it. A rollback
    is named only if the migration `is_to_run`, and not if it has never run, or has
    changed nothing (`in_vain`): its `down` would undo what others have done. One that
    is `one_way` has no `down`.
    """

    def __init__(
        self,
        name: str,
        how: str | None = None,
        is_to_run: bool = False,
        later: int = 0,
        in_vain: bool = False,
        one_way: bool = False,
    ) -> None:
        self.name = name
        self.how = how
        self.is_to_run = is_to_run
        self.later = later
        next_step: list[Part] = ['See all: ', Command('list')]
        if is_to_run:
            undone = Command('rollback', name)
            next_step = ['To run it again, first undo it: ', undone]
            if one_way:
                next_step[0] = (
                    'It has no down(). To run it again, first write one that undoes'
                    ' what has run, then type: '
                )
            if later:
                are = '1 later one is' if later == 1 else f'{later:,} later ones are'
                on_top = f'{are} applied on top of it, and may need what it did.\n'
                next_step = [on_top, *next_step]
        if is_to_run and in_vain:
            forgotten = Command('forget', name)
            next_step = ['Its run changed nothing. To have it pending: ', forgotten]
        if is_to_run and how == IGNORED:
            next_step = [
                'It was ignored: its up() was not run to its end. To have it pending: ',
                Command('forget', name),
            ]
        said = f'{name} is registered already; nothing was done.\n'
        super().__init__(said, *next_step)


class OtherEnvironment(MigopyException):
    """A migration that runs in other environments; `name` is its name.

    `environments` are those, `here` is this one, `''` where none is named.
    """

    def __init__(self, name: str, environments: Sequence[str], here: str) -> None:
        self.name = name
        self.environments = environments
        self.here = here
        said = f'{name} is for {" and ".join(environments)} alone'
        if here:
            super().__init__(
                f'{said}, and this is {here}; nothing was done.\nWhere that is set: ',
                Command('settings'),
            )
        else:
            super().__init__(
                f'{said}, and none is named here; nothing was done.\nIf this is one of'
                ' them, set MIGOPY_ENVIRONMENT in the environment, or ENVIRONMENT ',
                Where(),
                ', to its name, then type the command again. See: ',
                Command(),
            )


class OtherPhase(MigopyException):
    """A migration that another command runs, by its phase; `name` is its name."""

    is_for_good = True

    def __init__(self, name: str, phase: str) -> None:
        self.name = name
        self.phase = phase
        doing = 'work' if phase == BACKGROUND else 'execute'
        super().__init__(
            f'{name} says phase = {phase!r}; nothing was done.\nTo run it, type: ',
            Command(doing, name),
        )


class Before(MigopyException):
    """A migration has to wait for one with a smaller number, whose name is `earlier`.

    `name` is that of the one which waits, `to` that of the last one wanted, if any.
    """

    def __init__(self, name: str, earlier: str, to: str | None = None) -> None:
        self.name = name
        self.earlier = earlier
        self.to = to
        super().__init__(
            f'{name} comes after {earlier}, which has not run and is to run before the'
            ' new code; nothing was done.\nRun that first: ',
            Command('execute', to=to, phase=BEFORE),
        )


class AtWork(MigopyException):
    """A worker is running the migration at this moment; `run` is that run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(
            f'A worker is running {run.name} at this moment: {run.agent} (process'
            f' {run.agent.pid}); nothing was done.\nWait until it has ended, or stop'
            ' that process with Ctrl-C or SIGTERM, then type the command again. See: ',
            Command(),
        )


class NotApplied(MigopyException):
    """A migration to roll back that is not applied; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} is not applied, so there is nothing to roll back; nothing was'
            ' done.\nSee what is applied: ',
            Command('list'),
            '\nA down() would undo what was never done; ',
            Option('force', 'yes'),
            ' runs one all the same.',
        )


class NotExecuted(MigopyException):
    """The migration to go back to was not executed; `name` is its name."""

    is_for_good = True

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} is not among those executed, so there is no way back to it;'
            ' nothing was done.\nSee what was executed when: ',
            Command('history'),
        )


class NameNeeded(MigopyException):
    """A rollback without a name; `last` is the migration executed last, if any."""

    def __init__(self, last: str | None) -> None:
        self.last = last
        hint: list[Part] = (
            [f'{last} was executed last. To undo it, type: ', Command('rollback', last)]
            if last
            else ['No migration has been executed, so there is nothing to undo.']
        )
        super().__init__('rollback needs the name of a migration.\n', *hint)


class LateRefused(MigopyException):
    """Late migrations where `ALLOW_LATE` is false; `names` are theirs."""

    def __init__(self, names: Sequence[str], last: str) -> None:
        self.names = names
        super().__init__(
            f'Late, as {last} is registered already, so nothing was done:\n'
            f'{listing(names)}\n'
            'ALLOW_LATE = False refuses them. Give them higher numbers, or run one by'
            ' its name: ',
            Command('execute', names[0]),
        )


class AlreadyBegun(MigopyException):
    """A baseline for a database that has registered migrations, `count` of them.

    `name` is the migration's that was named.
    """

    is_for_good = True

    def __init__(self, name: str, count: int) -> None:
        self.name = name
        self.count = count
        super().__init__(
            'A baseline is for a database that has nothing registered yet; here'
            f' {count:,} {"is" if count == 1 else "are"} registered.'
            ' Nothing was done.\n'
            f'To mark what is pending up to {name} as applied all the same: ',
            Command('ignore', to=name),
        )

"""Hold the files against the registry: what is to run, and what does not fit."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby

from bson import ObjectId

from migopy.commands import Command, Part
from migopy.errors import MigopyException, listing
from migopy.files.migration import Migration
from migopy.state.history import IGNORED, Run
from migopy.state.lock import Holder
from migopy.state.registry import Record


class UnknownMigration(MigopyException):
    """A name that fits no file; `name` is what was typed."""

    def __init__(self, name: str, nearest: Sequence[str]) -> None:
        self.name = name
        self.nearest = nearest
        meant = f' Did you mean {" or ".join(nearest)}?' if nearest else ''
        super().__init__(
            f'There is no migration {name!r}.{meant}\nSee those that have not run: ',
            Command(),
            ', and those that have: ',
            Command('history'),
        )


class AmbiguousName(MigopyException):
    """A short name that fits several files; `candidates` are their names."""

    def __init__(self, name: str, candidates: Sequence[str]) -> None:
        self.name = name
        self.candidates = candidates
        super().__init__(
            f'{name!r} may be any of:\n{listing(candidates)}\nType the whole name.'
        )


class NoFile(MigopyException):
    """A migration whose file is gone, though it has run; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} has run, but its file is missing. Bring the file back'
            ' (from version control, say), then type the command again.'
        )


class AlreadyRegistered(MigopyException):
    """A migration that is not to run twice; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} is registered already; nothing was done.\n'
            'To run it again, first undo it: ',
            Command('rollback', name),
        )


class NotExecuted(MigopyException):
    """A migration to go back to that is not executed; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} is not among those executed, so there is no way back to it;'
            ' nothing was done.\nSee what was executed when: ',
            Command('history'),
        )


class Unfinished(MigopyException):
    """Migrations that may be half done stand in the way; `runs` are theirs."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        said: list[Part] = ['Unfinished, so nothing was done:']
        for each in by_migration(runs):
            said += [f'\n{describe_unfinished(run)}' for run in each]
            said += ['\n', *ways_out_of(each)]
        super().__init__(*said)


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


@dataclass(frozen=True)
class Plan:
    """All files against all records, at one moment.

    Invariant: pure; made of what was read, it reads nothing, writes nothing and
    prints nothing. `migrations` are in the order in which they run. `checksums` has
    those of the registered files whose record has another, by name; `runs` are the
    unsettled ones, and `holder` who holds the lock.
    """

    migrations: Sequence[Migration]
    records: Sequence[Record] = ()
    checksums: Mapping[str, str] = field(default_factory=dict)
    runs: Sequence[Run] = ()
    holder: Holder | None = None

    @cached_property
    def registered(self) -> dict[str, Record]:
        """Give the records by name."""
        return {record.name: record for record in self.records}

    @cached_property
    def _by_name(self) -> dict[str, Migration]:
        return {each.name: each for each in self.migrations}

    @cached_property
    def _records(self) -> dict[str, list[Record]]:
        records: dict[str, list[Record]] = {}
        for record in self.records:
            records.setdefault(record.name, []).append(record)
        return records

    @cached_property
    def unregistered(self) -> list[Migration]:
        """List what has not run yet, in the order in which it will."""
        registered = self.registered
        return [each for each in self.migrations if each.name not in registered]

    @property
    def last_registered(self) -> Migration | None:
        """Give the registered migration with the highest number."""
        registered = self.registered
        newest_first = reversed(self.migrations)
        return next((each for each in newest_first if each.name in registered), None)

    @property
    def late(self) -> list[Migration]:
        """List the unregistered with a smaller number than a registered one."""
        last = self.last_registered
        if last is None:
            return []
        return [each for each in self.unregistered if each.number < last.number]

    @property
    def missing(self) -> list[str]:
        """List the registered names without a file."""
        files = {each.name for each in self.migrations}
        return [name for name in self.registered if name not in files]

    @property
    def with_checksum(self) -> list[Migration]:
        """List the registered whose record says what the file was."""
        registered = self.registered
        return [
            each
            for each in self.migrations
            if each.name in registered and registered[each.name].checksum
        ]

    @property
    def changed(self) -> list[str]:
        """List those whose file is not the one that was executed.

        A record without a checksum (1.0's) is never changed.
        """
        registered = self.registered
        return [
            name
            for name, checksum in self.checksums.items()
            if registered[name].checksum != checksum
        ]

    @property
    def equal_numbers(self) -> list[list[str]]:
        """List the groups of names that share a number."""
        if len({each.number for each in self.migrations}) == len(self.migrations):
            return []
        groups = groupby(self.migrations, key=lambda each: each.number)
        named = [[each.name for each in group] for _, group in groups]
        return [names for names in named if len(names) > 1]

    @cached_property
    def begun(self) -> list[Run]:
        """List the unsettled runs without those that are marked and have not begun.

        One that is marked to run after another begins with that one's registration.
        """
        if not any(map(_is_ahead, self.runs)):
            return list(self.runs)
        ends = {
            record.id: record.since
            for record in self.records
            # Somebody else's may be of any type.
            if isinstance(record.id, ObjectId)
        }
        begun = []
        for run in self.runs:
            if run.after in ends and _is_ahead(run):
                begun.append(replace(run, started=max(run.started, ends[run.after])))
            elif run.id in ends or not _is_ahead(run):
                begun.append(run)
        return begun

    @property
    def never_begun(self) -> list[Run]:
        """List the marks of runs that have not begun, and will not when it is over."""
        begun = [run.id for run in self.begun]
        return [run for run in self.runs if run.id not in begun]

    @cached_property
    def unfinished(self) -> list[Run]:
        """List the runs that left a migration half done, or may have."""
        return [
            run
            for run in self.begun
            if not (self._is_running(run) or self._is_settled(run))
        ]

    @property
    def running(self) -> list[Run]:
        """List the runs that the holder of the lock is at."""
        return [
            run
            for run in self.begun
            if self._is_running(run) and not self._is_settled(run)
        ]

    @property
    def fits(self) -> bool:
        """Tell whether all is as it should be, what is unregistered left aside."""
        return not (
            self.late
            or self.changed
            or self.missing
            or self.equal_numbers
            or self.unfinished
        )

    @property
    def uncompleted(self) -> list[Run]:
        """List the runs that the registry settles, which the history does not say."""
        return [run for run in self.begun if self._is_settled(run)]

    def has_taken_effect(self, run: Run) -> bool:
        """Tell whether it was an uncompleted run itself that changed the registry."""
        if run.outcome is not None or not self._is_settled(run):
            return False
        if run.direction == 'down':
            return bool(run.records)
        return run.id in self._ids_of(run)

    def _is_settled(self, run: Run) -> bool:
        """Tell whether a migration's records have changed since a run of it began.

        They do when the run has ended well, or a later one that settles it.
        """
        now = self._ids_of(run)
        if run.direction == 'down' and run.records:
            return not any(each in run.records for each in now)
        return any(each not in run.records for each in now)

    def _ids_of(self, run: Run) -> list[object]:
        return [record.id for record in self.records_of(run)]

    def _is_running(self, run: Run) -> bool:
        holder = self.holder
        return run.outcome is None and holder is not None and run.owner == holder.owner

    def find(self, name: str) -> Migration:
        """Select one migration by its file name, `001_x`, `001` or `1`.

        Raises `UnknownMigration`, `AmbiguousName`, `NoFile`.
        """
        wanted = os.path.basename(name.strip())
        named = self._by_name.get(wanted) or self._by_name.get(f'{wanted}.py')
        if named is not None:
            return named
        fitting = [
            each
            for each in self.migrations
            if wanted.isdecimal() and each.number == int(wanted)
        ]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise AmbiguousName(name, [each.name for each in fitting])
        for missing in [*self.missing, *(run.name for run in self.unfinished)]:
            if wanted in (missing, missing[: -len('.py')]):
                raise NoFile(missing)
        names = [each.name for each in self.migrations]
        raise UnknownMigration(name, difflib.get_close_matches(wanted, names, 3))

    def name_of(self, name: str) -> str:
        """Give the whole name of a migration, of one without a file too.

        Raises `UnknownMigration`, `AmbiguousName`.
        """
        try:
            return self.find(name).name
        except NoFile as error:
            return error.name

    def state_of(self, run: Run) -> str:
        """Say in a word or two how a run ended, or that it has not."""
        if _has(run, self.unfinished):
            return f'{run.outcome}, unfinished' if run.outcome else 'unfinished'
        if _has(run, self.running):
            return 'running'
        if _has(run, self.uncompleted) and self.has_taken_effect(run):
            return run.good_outcome
        return run.outcome or 'died, settled'

    def records_of(self, migration: Migration | Run) -> list[Record]:
        """List a migration's records, of which there may be doubles."""
        return self._records.get(migration.name, [])

    def to_rollback(self, name: str) -> Migration:
        """Select the migration to roll back, registered or not, as in 1.0.

        Raises what `find` does, and `Unfinished` where another one is.
        """
        chosen = self.find(name)
        self._refuse_unfinished(chosen)
        return chosen

    def to_roll_back_last(self, count: int) -> list[Migration]:
        """Select the `count` executed last, newest first by the time of execution.

        Raises `NoFile`, and `Unfinished`.
        """
        self._refuse_unfinished(None)
        newest_first = [record.name for record in reversed(self._executed)]
        return [self.find(name) for name in newest_first[:count]]

    def to_roll_back_to(self, name: str) -> list[Migration]:
        """Select all that were executed after the one named, newest first.

        Raises what `find` does, `NotExecuted`, and `Unfinished`.
        """
        self._refuse_unfinished(None)
        mark = self.find(name).name
        names = [record.name for record in self._executed]
        if mark not in names:
            raise NotExecuted(mark)
        return self.to_roll_back_last(len(names) - names.index(mark) - 1)

    @property
    def last_executed(self) -> str | None:
        """Give the name of the migration that was executed last."""
        executed = self._executed
        return executed[-1].name if executed else None

    @property
    def _executed(self) -> list[Record]:
        return [each for each in self.registered.values() if each.how != IGNORED]

    def to_execute(
        self, name: str | None, allow_late: bool, to: str | None = None
    ) -> list[Migration]:
        """Select what `execute` runs: all that is unregistered, or the one named.

        With `to` those up to and with that one. Raises what `find` does,
        `AlreadyRegistered`, `Unfinished` unless it is the unfinished one that is
        named, and `LateRefused`.
        """
        chosen = None if name is None else self.find(name)
        last = None if to is None else self.find(to)
        self._refuse_unfinished(chosen)
        if chosen is not None:
            if chosen.name in self.registered and not self.runs_of(chosen):
                raise AlreadyRegistered(chosen.name)
            return [chosen]
        late = self.late
        wanted = self.unregistered
        if last is not None:
            end = (last.number, last.name)
            wanted = [each for each in wanted if (each.number, each.name) <= end]
        if late and not allow_late and self.last_registered:
            raise LateRefused([each.name for each in late], self.last_registered.name)
        return wanted

    def to_ignore(self, name: str | None) -> list[Migration]:
        """Select what `ignore` registers; raises as `to_execute` does."""
        return self.to_execute(name, allow_late=True)

    def runs_of(self, migration: Migration | Run) -> list[Run]:
        """List a migration's unfinished runs, the oldest first."""
        return [run for run in self.unfinished if run.name == migration.name]

    def _refuse_unfinished(self, chosen: Migration | None) -> None:
        unfinished = self.unfinished
        if any(chosen and run.name == chosen.name for run in unfinished):
            return
        if unfinished:
            raise Unfinished(unfinished)


def _is_ahead(run: Run) -> bool:
    return run.after is not None and run.outcome is None


def _has(run: Run, runs: Sequence[Run]) -> bool:
    return any(each.id == run.id for each in runs)


def describe_unfinished(run: Run) -> str:
    """Say in a line which migration is unfinished, since when, by whom and why."""
    if run.outcome is None:
        why = 'the process ended in the middle of it'
    else:
        why = run.error or 'it failed after it had written'
    return (
        f'{run.name}: {run.direction} started {run.started:%Y-%m-%d %H:%M:%S} UTC'
        f' by {run.agent} (process {run.agent.pid}), {why}'
    )


def by_migration(runs: Sequence[Run]) -> list[list[Run]]:
    """Group runs by migration, in the order of their first ones."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.name, []).append(run)
    return list(groups.values())


def ways_out_of(runs: Sequence[Run]) -> list[Part]:
    """List the commands that settle a migration's unfinished runs, the last of all."""
    return ways_out(runs[-1].name, runs[-1].direction)


def ways_out(name: str, direction: str) -> list[Part]:
    """List the three commands that settle an unfinished `up` or `down`, a line each."""
    done = 'mark it as applied' if direction == 'up' else 'mark it as rolled back'
    return [
        *('  ', Command('execute', name), '  - run its up again\n'),
        *('  ', Command('rollback', name), '  - run its down\n'),
        *('  ', Command('ignore', name), f'  - {done}'),
    ]

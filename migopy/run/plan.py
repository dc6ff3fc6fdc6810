"""Hold the files against the registry: what is pending, and what does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

from migopy.files import (
    BACKGROUND,
    BEFORE,
    NOTHING,
    PHASES,
    FileNames,
    Migration,
    Said,
)
from migopy.run import replacing
from migopy.run.needs import named, problems
from migopy.run.unfinished import OpenRuns, State, is_of_worker, sort_out
from migopy.state import IGNORED, Holder, Record, Run


@dataclass(frozen=True)
class Plan:
    """All files against all records, at one moment.

    Invariant: pure; made of what was read, it reads nothing, writes nothing and
    prints nothing. `migrations` are in the order in which they run. `checksums` has
    those of the registered files whose record has another, by name; `runs` are those
    that the history calls unsettled, and `holders` are who holds the two locks. `said`
    has what pending files say of themselves, by name, where they say anything.
    """

    migrations: Sequence[Migration]
    records: Sequence[Record] = ()
    checksums: Mapping[str, str] = field(default_factory=dict)
    runs: Sequence[Run] = ()
    holders: Sequence[Holder] = ()
    #: How many documents in the registry are another tool's.
    foreign: int = 0
    #: Which name each pending file had when it was applied, by the name it has now.
    renamed: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, Said] = field(default_factory=dict)
    #: What this environment is called, `''` where none is named.
    environment: str = ''
    replaces: replacing.Replaces = field(default_factory=dict)
    #: What tells the number in the name of a migration without a file.
    file_names: FileNames | None = None

    @cached_property
    def own(self) -> dict[str, Record]:
        """Give the records by name."""
        return {record.name: record for record in self.records}

    @cached_property
    def stand_ins(self) -> dict[str, Record]:
        """Give those that have no record, as what they replace has them, by name."""
        return replacing.stand_ins(self.replaces, self.own)

    @cached_property
    def registered(self) -> dict[str, Record]:
        """Give what is applied by name: records, and what stands for others."""
        return {**self.own, **self.stand_ins}

    @cached_property
    def replaced(self) -> dict[str, str]:
        """Give the file that stands for each name that has none of its own."""
        names = ((old, name) for name, olds in self.replaces.items() for old in olds)
        return {old: name for old, name in names if old not in self._files}

    @cached_property
    def _records(self) -> dict[str, list[Record]]:
        records: dict[str, list[Record]] = {}
        for record in self.records:
            records.setdefault(record.name, []).append(record)
        return records

    def records_of(self, migration: Migration | Run) -> list[Record]:
        """List a migration's records, of which there may be doubles."""
        return self._records.get(migration.name, [])

    @cached_property
    def unregistered(self) -> list[Migration]:
        """List what is pending, in the order in which it will run."""
        others = self.registered.keys() | self.elsewhere.keys()
        return [each for each in self.migrations if each.name not in others]

    @cached_property
    def elsewhere(self) -> dict[str, Sequence[str]]:
        """Give what has not run and is for other environments: which, by its name."""
        return {
            name: said.environments
            for name, said in self.said.items()
            if not said.is_for(self.environment)
        }

    @property
    def has_indexes(self) -> bool:
        """Tell whether a command of migopy 2 has made the indexes of its collections.

        It makes them before it registers anything, and only its records have a
        checksum. Where a name is registered twice, the unique one is still to be made.
        """
        is_of_2 = any(record.checksum for record in self.records)
        return is_of_2 and len(self.records) == len(self.own)

    @property
    def executed(self) -> list[Record]:
        """List the records of what was executed and not ignored, the oldest first."""
        return [each for each in self.own.values() if each.how != IGNORED]

    @property
    def last_registered(self) -> Migration | None:
        """Give the registered migration with the highest number."""
        registered = self.registered
        newest_first = reversed(self.migrations)
        return next((each for each in newest_first if each.name in registered), None)

    def said_of(self, migration: Migration) -> Said:
        """Tell what a pending file says of itself."""
        return self.said.get(migration.name, NOTHING)

    def phase_of(self, migration: Migration) -> str:
        """Tell the phase of a migration: of an applied one that of its record."""
        record = self.registered.get(migration.name)
        if record is None:
            return self.said_of(migration).phase
        return record.phase if record.phase in PHASES else BEFORE

    @property
    def background(self) -> list[Migration]:
        """List the pending ones that a worker is to run, in order."""
        return [each for each in self.unregistered if self.phase_of(each) == BACKGROUND]

    @property
    def late(self) -> list[Migration]:
        """List the unregistered with a smaller number than a registered one.

        One whose phase comes first in a roll-out is not what makes another one late.
        """
        last = dict.fromkeys(PHASES, -1)
        registered = self.registered
        for each in self.migrations:
            if each.name in registered:
                for phase in PHASES[: PHASES.index(self.phase_of(each)) + 1]:
                    last[phase] = max(last[phase], each.number)
        return [
            each
            for each in self.unregistered
            if each.number < last[self.phase_of(each)]
        ]

    @property
    def missing(self) -> list[str]:
        """List the registered names without a file."""
        known = self._files.keys() | self.replaced.keys()
        return [name for name in self.own if name not in known]

    def stands_for(self, name: str) -> Migration | None:
        """Give the file that replaces a migration, if one does."""
        by = self.replaced.get(name) or self.replaced.get(f'{name}.py')
        return self._files.get(by) if by else None

    def number_of(self, name: str) -> int | None:
        """Give the number in a migration's name, which need not have a file."""
        return self.file_names.number(name) if self.file_names else None

    @cached_property
    def _files(self) -> dict[str, Migration]:
        return {each.name: each for each in self.migrations}

    def file_of(self, name: str) -> Migration | None:
        """Give a migration's file, `None` where there is none any more."""
        return self._files.get(name)

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
        """List the groups of names that share a number.

        Groups that are all registered are among them, though they do no harm.
        """
        if len({each.number for each in self.migrations}) == len(self.migrations):
            return []
        groups = groupby(self.migrations, key=lambda each: each.number)
        named = [[each.name for each in group] for _, group in groups]
        return [names for names in named if len(names) > 1]

    @cached_property
    def open_runs(self) -> OpenRuns:
        """Give the runs that the history leaves open, each in its state."""
        return sort_out(self.runs, self._records, self.holders)

    @property
    def unfinished(self) -> Sequence[Run]:
        """List the runs that left a migration half done, or may have."""
        return self.open_runs.unfinished

    @property
    def in_the_way(self) -> list[Run]:
        """List the unfinished runs that no other migration runs beside.

        What a worker has begun in the background is no deploy's concern.
        """
        return [run for run in self.unfinished if not is_of_worker(run)]

    @property
    def at_work(self) -> list[Run]:
        """List what a worker runs at this moment."""
        workers = {each.owner for each in self.holders if each.is_worker}
        return [run for run in self.open_runs.running if run.owner in workers]

    def unfinished_of(self, migration: Migration | Run) -> list[Run]:
        """List a migration's unfinished runs, the oldest first."""
        return [run for run in self.unfinished if run.name == migration.name]

    def state_of(self, run: Run) -> State:
        """Tell the state of a run of the history."""
        return self.open_runs.state_of(run)

    def outcome_of(self, run: Run) -> str | None:
        """Tell how a run ended, by the registry where the history does not say.

        `None` where it did not end, though its migration may have been settled since.
        """
        if run.id in self.open_runs.took_effect:
            return run.good_outcome
        return run.outcome

    @cached_property
    def wrong(self) -> list[tuple[str, str]]:
        """List the pending ones that say what cannot be used: the name, and why."""
        wrong = [(name, said.wrong) for name, said in self.said.items() if said.wrong]
        known = self.registered.keys() | self.replaced.keys()
        wrong += replacing.problems(self.migrations, self.replaces, self.own)
        needed = problems(self.migrations, self.said, known)
        return [*wrong, *(each for each in needed if each[0] not in self.elsewhere)]

    def waits_for(self, migration: Migration) -> list[Migration]:
        """List the pending ones that a pending file says it needs."""
        needs = self.said_of(migration).needs
        found = [
            named(need, self.migrations) or self.stands_for(need) for need in needs
        ]
        return [each for each in found if each and each.name not in self.registered]

    @property
    def open_numbers(self) -> list[list[str]]:
        """List the groups of equal numbers of which one is still to run."""
        pending = {each.name for each in self.unregistered}
        return [names for names in self.equal_numbers if pending.intersection(names)]

    @property
    def fits(self) -> bool:
        """Tell whether all is as it should be, what is unregistered left aside."""
        return not (
            self.late
            or self.changed
            or self.missing
            or self.open_numbers
            or self.unfinished
            or self.wrong
        )

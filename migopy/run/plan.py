"""Compare the files with the registry: what is pending, and what does not fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

from migopy.files import (
    BACKGROUND,
    BEFORE,
    NOTHING,
    PHASES,
    Migration,
    Said,
)
from migopy.run import replacing
from migopy.run.applied import Applied
from migopy.run.needs import named, problems
from migopy.run.unfinished import OpenRuns, goes_on, is_of_worker, sort_out
from migopy.state import Holder, Run


@dataclass(frozen=True)
class Plan(Applied):
    """All files against all records and open runs, at one moment.

    Invariant: pure; made of what was read, it reads nothing, writes nothing and prints
    nothing. `checksums` has, by name, the checksums of registered files whose record
    has another; `runs` are those that the history calls unsettled, and `holders` hold
    the two locks. `said` has, by name, what pending files say of themselves.
    """

    checksums: Mapping[str, str] = field(default_factory=dict)
    #: The name of the first changed one, if its run is known to have done nothing.
    in_vain: frozenset[str] = frozenset()
    #: The same, if its file surely has no `down`, and keeps no images.
    one_way: frozenset[str] = frozenset()
    #: Names of registered files that were read, and are what was executed.
    unchanged: frozenset[str] = frozenset()
    runs: Sequence[Run] = ()
    holders: Sequence[Holder] = ()
    #: How many documents in the registry are another tool's.
    foreign: int = 0
    #: Which name each pending file had when it was applied, by the name it has now.
    renamed: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, Said] = field(default_factory=dict)
    #: What this environment is called, `''` where none is named.
    environment: str = ''

    @cached_property
    def unregistered(self) -> list[Migration]:
        """List what is pending, in the order in which it will run.

        What is to run again, as it has changed, is among them.
        """
        done: Collection[str] = self.registered
        if self.again or self.elsewhere:
            done = self.registered.keys() - self.again | self.elsewhere.keys()
        return [each for each in self.migrations if each.name not in done]

    @cached_property
    def elsewhere(self) -> dict[str, Sequence[str]]:
        """Give by name what has not run and is for other environments: which ones."""
        return {
            name: said.environments
            for name, said in self.said.items()
            if not said.is_for(self.environment)
        }

    def said_of(self, migration: Migration) -> Said:
        """Tell what a pending file says of itself."""
        return self.said.get(migration.name, NOTHING)

    def other_places_of(self, migration: Migration) -> Sequence[str]:
        """Give the environments that a file is for, where this is none of those."""
        repeat = self.repeats.get(migration.name)
        said = repeat.said if repeat else self.said_of(migration)
        return () if said.is_for(self.environment) else said.environments

    def phase_of(self, migration: Migration) -> str:
        """Tell a migration's phase; an applied one has that of its record."""
        record = self.registered.get(migration.name)
        if record is None or migration.name in self.again:
            return self.said_of(migration).phase
        return record.phase if record.phase in PHASES else BEFORE

    @property
    def background(self) -> list[Migration]:
        """List the pending ones that a worker is to run, in order."""
        return [each for each in self.unregistered if self.phase_of(each) == BACKGROUND]

    @property
    def late(self) -> list[Migration]:
        """List the unregistered with a smaller number than a registered one.

        A migration of an earlier phase of a roll-out does not make another one late,
        nor does one that runs after all others, whatever its number is.
        """
        if not self.unregistered:
            return []
        last = dict.fromkeys(PHASES, -1)
        registered = self.registered
        for each in self.once:
            if each.name in registered:
                for phase in PHASES[: PHASES.index(self.phase_of(each)) + 1]:
                    last[phase] = max(last[phase], each.number)
        return [
            each
            for each in self.unregistered
            if each.name not in self.repeats and each.number < last[self.phase_of(each)]
        ]

    @property
    def to_compare(self) -> list[Migration]:
        """List the registered migrations whose files may differ from their records."""
        registered = self.registered
        return [
            each
            for each in self.migrations
            if each.name not in self.unchanged
            and each.name in registered
            and registered[each.name].checksum
        ]

    @property
    def changed(self) -> list[str]:
        """List those whose file is not the one that was executed.

        A record without a checksum (1.0's) is never changed. What runs again when it
        changes is pending then, and not among these.
        """
        registered = self.registered
        return [
            name
            for name, checksum in self.checksums.items()
            if registered[name].checksum != checksum and name not in self.repeats
        ]

    @property
    def equal_numbers(self) -> list[list[str]]:
        """List the groups of names that share a number.

        Groups that are all registered are included, though they do no harm.
        """
        if len({each.number for each in self.once}) == len(self.once):
            return []
        groups = groupby(self.once, key=lambda each: each.number)
        named = [[each.name for each in group] for _, group in groups]
        return [names for names in named if len(names) > 1]

    @cached_property
    def same_number(self) -> dict[str, str]:
        """Give by pending file the one missing name that has its number, if one has.

        It may be that one, renamed and edited since; its content does not tell.
        """
        gone = [each for each in self.missing if each not in self.renamed.values()]
        if not gone or self.file_names is None:
            return {}
        new = [each.name for each in self.unregistered if self.is_untouched(each)]
        # Of names in several parts, the numbers of all have to be as wide.
        numbers = {
            name: number
            for number, name in self.file_names.sorted_out([*gone, *new])[0]
        }
        olds: dict[int, list[str]] = {}
        for name in gone:
            if name in numbers:
                olds.setdefault(numbers[name], []).append(name)
        alike = {name: olds.get(numbers.get(name, -1), []) for name in new}
        return {
            name: found[0]
            for name, found in alike.items()
            if len(found) == 1 and name not in self.renamed
        }

    @cached_property
    def open_runs(self) -> OpenRuns:
        """Give the runs that the history leaves open, each in its state."""
        if not self.runs:
            return OpenRuns()
        return sort_out(self.runs, self._records, self.holders)

    def is_untouched(self, migration: Migration) -> bool:
        """Tell whether it has no record, and no run of it is open.

        Only then it can be one that is applied under another name: what has begun
        itself is to be settled first.
        """
        begun = (*self.unfinished, *self.open_runs.running)
        name = migration.name
        return name not in self.own and all(run.name != name for run in begun)

    @property
    def unfinished(self) -> Sequence[Run]:
        """List the runs that left a migration half done, or may have."""
        return self.open_runs.unfinished

    @property
    def to_settle(self) -> list[Run]:
        """List the unfinished runs that can be settled now.

        A migration that runs at this moment is left out: how that run ends decides.
        """
        running = {run.name for run in self.open_runs.running}
        return [run for run in self.unfinished if run.name not in running]

    @property
    def needs_decision(self) -> bool:
        """Tell whether any of those is nothing that a worker goes on with by itself."""
        last = {run.name: run for run in self.to_settle}.values()
        return not all(goes_on(run) and self.file_of(run.name) for run in last)

    @property
    def in_the_way(self) -> list[Run]:
        """List the unfinished runs that keep other migrations from running.

        What a worker has begun in the background does not concern a deploy.
        """
        return [run for run in self.unfinished if not is_of_worker(run)]

    @property
    def restores(self) -> list[Run]:
        """List the restores that have left the database incomplete."""
        return [run for run in self.unfinished if run.is_restore]

    @property
    def at_work(self) -> list[Run]:
        """List what a worker runs at this moment."""
        workers = {each.owner for each in self.holders if each.is_worker}
        return [run for run in self.open_runs.running if run.owner in workers]

    def unfinished_of(self, migration: Migration | Run) -> list[Run]:
        """List a migration's unfinished runs, the oldest first."""
        return [run for run in self.unfinished if run.name == migration.name]

    @cached_property
    def wrong(self) -> list[tuple[str, str]]:
        """List the pending ones that say what cannot be used: the name, and why."""
        if not (self.said or self.replaces):
            return []
        wrong = [(name, said.wrong) for name, said in self.said.items() if said.wrong]
        known = self.registered.keys() | self.replaced.keys() | self.done.keys()
        wrong += replacing.problems(self.migrations, self.replaces, self.done)
        needed = problems(self.migrations, self.said, known, self.repeats)
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
        """List the groups of equal numbers that have a pending migration in them."""
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

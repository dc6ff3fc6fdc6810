"""The files against the records: what is applied, by its own run or as a part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from migopy.files import FileNames, Migration
from migopy.run import repeating, replacing
from migopy.state import IGNORED, Record, Run


@dataclass(frozen=True)
class Applied:
    """All files against all records, at one moment.

    Invariant: pure; made of what was read. `migrations` are in the order in which they
    run; `repeats` are those that run again whenever they change, and stand last.
    """

    migrations: Sequence[Migration]
    records: Sequence[Record] = ()
    #: What each file replaces, by its name.
    replaces: replacing.Replaces = field(default_factory=dict)
    repeats: repeating.Repeats = field(default_factory=dict)
    #: What tells the number in the name of a migration without a file.
    file_names: FileNames | None = None

    @cached_property
    def own(self) -> dict[str, Record]:
        """Give the records by name."""
        return {record.name: record for record in self.records}

    @cached_property
    def ran_as_part(self) -> dict[str, str]:
        """Give by name what ran as a part of another one, and that one's name."""
        squashes = [each for each in self.own.values() if each.replaces]
        parts = ((old, each.name) for each in squashes for old in each.replaces)
        return {old: name for old, name in parts if old not in self.own}

    @cached_property
    def done(self) -> dict[str, Record]:
        """Give all that has run, by itself or as a part of another one, by name."""
        if not self.ran_as_part:
            return self.own
        parts = {
            old: self.own[name]._replace(name=old, checksum=None, replaces=())
            for old, name in self.ran_as_part.items()
        }
        return {**parts, **self.own}

    @cached_property
    def stand_ins(self) -> dict[str, Record]:
        """Give records for files without one, if all that they replace have one."""
        return replacing.stand_ins(self.replaces, self.done)

    @cached_property
    def registered(self) -> dict[str, Record]:
        """Give what is applied by name: records, and what stands for others.

        A file that has run as a part of another one is among them.
        """
        if not (self.ran_as_part or self.stand_ins):
            return self.own
        parts = {
            each.name: self.done[each.name]
            for each in self.migrations
            if each.name in self.ran_as_part
        }
        return {**self.own, **parts, **self.stand_ins}

    @cached_property
    def again(self) -> frozenset[str]:
        """Give the names of those that are applied and have changed, to run again."""
        return repeating.due(self.repeats, self.own)

    @cached_property
    def once(self) -> Sequence[Migration]:
        """List those that run once, whose numbers are their order."""
        if not self.repeats:
            return self.migrations
        return [each for each in self.migrations if each.name not in self.repeats]

    @cached_property
    def replaced(self) -> dict[str, str]:
        """Give the file that stands for each name that has none of its own."""
        names = ((old, name) for name, olds in self.replaces.items() for old in olds)
        return {old: name for old, name in names if old not in self._files}

    @cached_property
    def elsewhere_squashed(self) -> dict[str, Sequence[str]]:
        """Give what has run in place of others that are known here: those, by name.

        It has no file: this folder is older than it, or was made in another way.
        """
        gone = [name for name in self._without_file if self.own[name].replaces]
        if not gone:
            return {}
        known = self._files.keys() | self.replaced.keys()
        return {
            name: self.own[name].replaces
            for name in gone
            if known.intersection(self.own[name].replaces)
        }

    @cached_property
    def _without_file(self) -> Sequence[str]:
        """List the registered names that have no file here, nor one in their place."""
        files, replaced = self._files, self.replaced
        return [each for each in self.own if each not in files and each not in replaced]

    @cached_property
    def _records(self) -> dict[str, list[Record]]:
        records: dict[str, list[Record]] = {}
        for record in self.records:
            records.setdefault(record.name, []).append(record)
        return records

    def records_of(self, migration: Migration | Run) -> list[Record]:
        """List a migration's records; there may be more than one."""
        return self.of_name(migration.name)

    def of_name(self, name: str) -> list[Record]:
        """List the records of a migration, which may have no file."""
        return self._records.get(name, [])

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
        """List the records of what was executed and not ignored, the oldest first.

        Those that run again are left out: they are no steps of a way back.
        """
        return [
            each
            for each in self.own.values()
            if each.how != IGNORED and each.name not in self.repeats
        ]

    def executed_after(self, name: str) -> list[str]:
        """List what was executed after a migration, the oldest first."""
        names = [each.name for each in self.executed]
        return names[names.index(name) + 1 :] if name in names else []

    @property
    def last_registered(self) -> Migration | None:
        """Give the registered migration with the highest number."""
        registered = self.registered
        newest_first = reversed(self.once)
        return next((each for each in newest_first if each.name in registered), None)

    def are_behind(self, migrations: Sequence[Migration]) -> bool:
        """Tell whether one of them comes before the last registered one.

        It is from another branch, or its registration is gone.
        """
        last = self.last_registered
        if last is None:
            return False
        place = self.place_of(last)
        return any(self.place_of(each) < place for each in migrations)

    @property
    def missing(self) -> list[str]:
        """List the registered names without a file."""
        squashed = self.elsewhere_squashed
        return [name for name in self._without_file if name not in squashed]

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

    def place_of(self, migration: Migration) -> int:
        """Give the place of a file in the order in which all would run."""
        return self._places[migration.name]

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {each.name: place for place, each in enumerate(self.migrations)}

"""Files that replace others: what they stand for, and what does not fit.

Pure: files and records are given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from migopy.commands import Command
from migopy.errors import MigopyException, enumerated
from migopy.files import ARCHIVE, Migration
from migopy.state import Record

#: The names that each file replaces, in order, by its own name.
Replaces = Mapping[str, Sequence[str]]


class HalfReplaced(MigopyException):
    """A file replaces migrations that are applied in part.

    `name` is its name, `why` what does not fit, `wanting` the name of the last one that
    is not applied.
    """

    def __init__(self, name: str, why: str, wanting: str) -> None:
        self.name = name
        self.why = why
        self.wanting = wanting
        super().__init__(
            f'{name} {why}. It can neither be run nor be skipped, so nothing was'
            f' done.\nBring back the folder as it was before {name} was made (from'
            ' version control, say), then type: ',
            Command('execute', to=wanting),
        )


class StillThere(MigopyException):
    """A file replaces others that are not all in the archive; `name` is its name."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        super().__init__(
            f'{name} {why}, so nothing was done.\nTo move what it replaces: ',
            Command('squash', to=name),
        )


class Replaced(MigopyException):
    """A migration that is a part of another file now.

    `name` is its name, `by` that of the file that replaces it.
    """

    is_for_good = True

    def __init__(self, name: str, by: str) -> None:
        self.name = name
        self.by = by
        super().__init__(
            f'{name} is a part of {by}, which replaces it; nothing was done.\n'
            f'Its file, if squash moved it, is in the folder {ARCHIVE}. See: ',
            Command('list'),
        )


class NotRunAsOne(MigopyException):
    """A file that was not run itself cannot be rolled back; `name` is its name."""

    is_for_good = True

    def __init__(self, name: str, replaces: Sequence[str]) -> None:
        self.name = name
        super().__init__(
            f'{name} counts as applied, as what it replaces is:'
            f' {enumerated(replaces)}. It has not run here itself, so nothing was'
            ' done.\nTo roll those back, bring back the folder as it was before'
            f' {name} was made. See: ',
            Command('history'),
        )


class RanAsPart(MigopyException):
    """A migration that has run as a part of another one; `name` is its name.

    `by` is the name of the one that has its record.
    """

    is_for_good = True

    def __init__(self, name: str, by: str) -> None:
        self.name = name
        self.by = by
        super().__init__(
            f'{name} has run here as a part of {by}, which replaces it; nothing was'
            ' done.\nSee what is applied: ',
            Command('list'),
        )


class InPlaceOf(MigopyException):
    """A migration without a file here stands for some that have one.

    `name` is its name, `olds` are those that it replaces.
    """

    is_for_good = True

    def __init__(self, name: str, olds: Sequence[str]) -> None:
        self.name = name
        self.olds = olds
        super().__init__(
            f'{name} has run here in place of {enumerated(olds)}, and has no file in'
            ' this folder; nothing was done.\nUse the folder that has it (a newer'
            ' version of it, say), and type the command there. See: ',
            Command('list'),
        )


def stand_ins(replaces: Replaces, records: Mapping[str, Record]) -> dict[str, Record]:
    """Make records for files that have none, if all that they replace have one.

    Each is a copy of the last of those records, without a checksum.
    """
    return {
        name: records[olds[-1]]._replace(name=name, checksum=None)
        for name, olds in replaces.items()
        if name not in records and all(old in records for old in olds)
    }


def half_applied(
    replaces: Replaces, records: Collection[str]
) -> Iterator[tuple[str, list[str]]]:
    """Iterate over files that replace what is applied in part, and what is not."""
    for name, olds in replaces.items():
        wanting = [old for old in olds if old not in records]
        if name not in records and 0 < len(wanting) < len(olds):
            yield name, wanting


def still_there(
    replaces: Replaces, migrations: Sequence[Migration]
) -> Iterator[tuple[str, list[Migration]]]:
    """Iterate over files that replace what is still among the files, and that."""
    files = {each.name: each for each in migrations}
    for name, olds in replaces.items():
        there = [files[old] for old in olds if old in files]
        if there:
            yield name, there


def problems(
    migrations: Sequence[Migration], replaces: Replaces, records: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Iterate over files that cannot stand for what they replace: the name, and why."""
    for name, wanting in half_applied(replaces, records):
        yield name, half(replaces[name], wanting)
    for name, there in still_there(replaces, migrations):
        yield name, there_still(there)


def half(olds: Sequence[str], wanting: Sequence[str]) -> str:
    """Say which of the replaced migrations are not applied."""
    return f'replaces {enumerated(olds)}, not applied here: {enumerated(wanting)}'


def there_still(there: Sequence[Migration]) -> str:
    """Say which of the replaced migrations still have their file."""
    names = enumerated([each.name for each in there])
    return f'replaces what is still among the migrations: {names}'

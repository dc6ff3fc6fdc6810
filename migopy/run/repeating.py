"""Files that run again, after all others, whenever their content has changed.

Their number says nothing of when: they run in order of name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.files import Migration, Said, Unreadable, glances
from migopy.state import Record


class Repeat(NamedTuple):
    """What was read of a file that runs again: its checksum, and what it says."""

    checksum: str
    said: Said


#: The files that run again, by name.
Repeats = Mapping[str, Repeat]


class LookedThrough(NamedTuple):
    """The files that run again, and the names of those that are as they were run."""

    repeats: dict[str, Repeat]
    unchanged: frozenset[str]


class NoWayBack(MigopyException):
    """A file that runs again has no `down`; `name` is its name."""

    is_for_good = True

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} has no down(), and needs none: it runs again whenever it changes'
            ' (repeat = True). Nothing was run.\nTo go back, bring back the content'
            ' that the file had before (from version control, say), then type: ',
            Command('execute', name),
        )


class NoPlaceAmong(MigopyException):
    """A file that runs again is no place to go back to; `name` is its name."""

    is_for_good = True

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} runs after all others whenever it changes (repeat = True), so'
            ' there is no way back to it; nothing was done.\n'
            'See what was executed when: ',
            Command('history'),
        )


def repeats_of(migrations: Sequence[Migration]) -> dict[str, Repeat]:
    """Read the files, and give those that run again, by name."""
    return look_through(migrations, {}).repeats


def look_through(
    migrations: Sequence[Migration], records: Mapping[str, Record]
) -> LookedThrough:
    """Read each file once; one that cannot be read is in neither result."""
    repeats: dict[str, Repeat] = {}
    unchanged: set[str] = set()
    for each, (checksum, is_repeatable) in glances(migrations):
        name = each.name
        record = records.get(name)
        if record is not None and record.checksum == checksum:
            unchanged.add(name)
        if is_repeatable:
            with suppress(Unreadable):
                repeats[name] = Repeat(checksum, each.said())
    return LookedThrough(repeats, frozenset(unchanged))


def in_order(migrations: Sequence[Migration], repeats: Repeats) -> list[Migration]:
    """Put the files that run again after all others, in order of name."""
    if not repeats:
        return list(migrations)
    once = [each for each in migrations if each.name not in repeats]
    again = [each for each in migrations if each.name in repeats]
    return [*once, *sorted(again, key=lambda each: each.name)]


def due(repeats: Repeats, records: Mapping[str, Record]) -> frozenset[str]:
    """Give the names of files that last ran with another content, or an unknown one."""
    return frozenset(
        name
        for name, each in repeats.items()
        if name in records and records[name].checksum != each.checksum
    )

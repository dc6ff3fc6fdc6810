"""What a command on many databases ends with where something went wrong."""

from __future__ import annotations

from collections.abc import Sequence

from migopy.commands import Command
from migopy.errors import MigopyException, enumerated
from migopy.many.databases import shown


class Failed(MigopyException):
    """A command that has failed for some of many databases; `titles` are theirs."""

    def __init__(self, titles: Sequence[str], count: int, again: Command) -> None:
        self.titles = titles
        names = enumerated([shown(title) for title in titles])
        super().__init__(
            f'{len(titles):,} of {count:,} databases failed: {names}\n'
            'What went wrong in each stands above. To go on, type: ',
            again,
        )


class CanaryFailed(MigopyException):
    """The databases that came first have failed, so no other one was begun."""

    def __init__(self, titles: Sequence[str], not_begun: int, again: Command) -> None:
        self.titles = titles
        names = enumerated([shown(title) for title in titles])
        super().__init__(
            f'The canary failed ({names}), so {not_begun:,} others were not begun.\n'
            'When what stands above is settled, type: ',
            again,
        )


class DumpOfOne(MigopyException):
    """A dump is to be restored into many databases, each of which has its own."""

    def __init__(self, name: str) -> None:
        super().__init__(
            'A dump is that of one database; nothing was done.\nType: ',
            Command('dbrestore', name, only='NAME'),
        )


class WatchOne(MigopyException):
    """What runs is watched in one database at a time, and many were meant."""

    def __init__(self) -> None:
        super().__init__(
            'watch is for one database at a time; nothing was done.\nType: ',
            Command('watch', only='NAME'),
        )

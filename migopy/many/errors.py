"""What a command on many databases ends with where something went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from migopy.commands import Command, Part
from migopy.errors import MigopyException, some_of
from migopy.many.databases import Database, narrowed_to, shown
from migopy.traces import summary


class Failed(MigopyException):
    """A command that has failed for some of many databases; `titles` are theirs."""

    def __init__(self, titles: Sequence[str], count: int, said: Sequence[Part]) -> None:
        self.titles = titles
        names = some_of([shown(title) for title in titles])
        number = (
            f'{len(titles):,} of {count:,} databases failed: {names}\n'
            'What went wrong in each stands above.'
            if count > 1
            else f'It failed in {names}.\nWhat went wrong stands above.'
        )
        super().__init__(number, *([' ', *said] if said else []))


class CanaryFailed(MigopyException):
    """The databases that came first have failed, so no other one was begun."""

    def __init__(
        self, titles: Sequence[str], not_begun: int, again: Command | None = None
    ) -> None:
        self.titles = titles
        names = some_of([shown(title) for title in titles])
        others = '1 other was' if not_begun == 1 else f'{not_begun:,} others were'
        super().__init__(
            f'The canary failed ({names}), so {others} not begun.',
            *(['\nWhen what stands above is settled, type: ', again] if again else []),
        )


class DumpOfOne(MigopyException):
    """A dump is to be restored into many databases, each of which has its own."""

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        super().__init__(
            'A dump holds one database alone; nothing was done.\nType: ',
            Command('dbrestore', name, **options, only='NAME'),
        )


class NotNewAnyMore(MigopyException):
    """Another command has begun in a database that was new when its turn came."""

    def __init__(self, to: str | None) -> None:
        super().__init__(
            "It was new, and NEW_DATABASES is 'ignore'; but another command has run"
            ' here meanwhile, so nothing was marked as applied.\nTo run what is pending'
            ' now, type: ',
            Command('execute', to=to),
        )


class InDatabase(MigopyException):
    """What went wrong in one of many databases; `database` is that one.

    The cause is chained; `is_told` is whether a person has been told of it already.
    """

    def __init__(self, database: Database, error: Exception, is_told: bool) -> None:
        self.database = database
        self.is_told = is_told
        parts = error.parts if isinstance(error, MigopyException) else [summary(error)]
        super().__init__(
            *(
                narrowed_to(part, database.only) if isinstance(part, Command) else part
                for part in parts
            )
        )

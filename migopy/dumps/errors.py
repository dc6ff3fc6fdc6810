"""Why a dump was not made, not found or not restored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from migopy.commands import Command
from migopy.errors import MigopyException, listing


class DumpFailed(MigopyException):
    """There is no new dump of `database`, nor half of one."""

    def __init__(self, database: str, reason: str) -> None:
        self.database = database
        self.reason = reason
        super().__init__(
            f'The dump of the database {database} failed: {reason}\n'
            'Nothing is left of it. When the cause is mended, type: ',
            Command('dbdump'),
        )


class RestoreRefused(MigopyException):
    """The dump `name` cannot be restored; the database was not touched."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(
            f'The dump {name} was not restored: {reason}\n'
            'The database is as it was. See the dumps there are: ',
            Command('dbrestore'),
        )


class RestoreFailed(MigopyException):
    """The restore of the dump `name` stopped half way; `state` says where."""

    def __init__(self, name: str, database: str, state: str, reason: str) -> None:
        self.name = name
        self.database = database
        self.state = state
        self.reason = reason
        super().__init__(
            f'The restore of the dump {name} stopped: {reason}\n'
            f'The database {database} is incomplete: {state} The dump is intact. When'
            ' the cause is mended, type the same again: ',
            Command('dbrestore', name),
        )


class UnknownDump(MigopyException):
    """No dump, or more than one, goes by `name`; `names` are those there are."""

    def __init__(self, name: str, directory: Path, names: Sequence[str]) -> None:
        self.name = name
        self.names = names
        several = [known for known in names if known.startswith(name)]
        said: list[object]
        if name and several:
            said = [f'Several dumps begin with {name}:\n{listing(several)}']
        elif names:
            said = [f'There is no dump {name!r} in {directory}. There are:\n']
            said += [listing(names)]
        else:
            said = [f'There is no dump in {directory}. Make one: ', Command('dbdump')]
        super().__init__(*said)


class DirectoryUnreadable(MigopyException):
    """The folder of the dumps, `directory`, cannot be read."""

    def __init__(self, directory: Path, reason: str) -> None:
        self.directory = directory
        super().__init__(
            f'The dumps in {directory} cannot be read: {reason}\n'
            'Correct MONGO_DUMP_DIRECTORY, then type: ',
            Command('dbrestore'),
        )

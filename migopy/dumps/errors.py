"""Why a dump was not made, not found or not restored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bson.errors import BSONError
from pymongo.errors import OperationFailure, PyMongoError

from migopy import server
from migopy.codes import NOT_VALID, OUTSIDE_STABLE_API, UNAUTHORIZED
from migopy.commands import Again, Command
from migopy.dumps.documents import Damaged
from migopy.dumps.exchange import NoRoom, NotTaken
from migopy.dumps.folder import Dump
from migopy.dumps.format import shown
from migopy.dumps.listed import Unreadable
from migopy.dumps.tools import ToolFailed
from migopy.errors import MigopyException, listing
from migopy.state import is_passing

#: Errors that come from outside: the server, the disk, a dump, a tool.
FAILURES = (
    PyMongoError,
    BSONError,
    OSError,
    Damaged,
    NoRoom,
    NotTaken,
    Unreadable,
    ToolFailed,
)


_ALLOWING_ROLES = 'The roles backup and restore, on admin, allow it.'


class DumpFailed(MigopyException):
    """There is no new dump of `database`, nor half of one."""

    def __init__(self, database: str, reason: str) -> None:
        self.database = database
        self.reason = reason
        super().__init__(
            f'The dump of the database {database} failed: {reason}\n'
            'Nothing is left of it. When the cause is mended, type',
            Again(),
        )


class RestoreRefused(MigopyException):
    """The dump `name` cannot be restored; the database is as it was.

    `lacks_room` is whether that was the reason, so that less room would do `in_place`;
    `is_passing` whether the same may be taken the next time, after an election, say.
    """

    def __init__(
        self,
        name: str,
        reason: str,
        lacks_room: bool = False,
        is_passing: bool = False,
    ) -> None:
        self.name = name
        self.reason = reason
        self.lacks_room = lacks_room
        said: list[object] = ['See the dumps there are: ', Command('dbrestore')]
        if is_passing:
            said = ['When the server can be reached, type', Again()]
        if lacks_room:
            said = [
                'Make room on the disk, or restore in place: each collection is tried'
                ' beside, then all are dropped and filled. If that is interrupted, the'
                ' database is incomplete. For that, type',
                Again(in_place='yes'),
            ]
        super().__init__(
            f'The dump {name} was not restored: {reason}\nThe database is as it was. ',
            *said,
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
            ' the cause is mended, type',
            Again(),
        )


class UnknownDump(MigopyException):
    """No dump, or more than one, goes by `name`; `names` are those there are.

    `reason` tells why what has this name is none.
    """

    def __init__(
        self, name: str, directory: Path, names: Sequence[str], reason: str = ''
    ) -> None:
        self.name = name
        self.names = names
        several = [known for known in names if known.startswith(name)]
        said: list[object]
        if reason and names:
            said = [f'{reason}\nNothing was done. What can be restored:\n']
            said += [listing(names)]
        elif reason:
            said = [f'{reason}\nNothing was done. To make a dump of this database: ']
            said += [Command('dbdump')]
        elif name and several:
            said = [f'Several dumps begin with {name}:\n{listing(several)}']
        elif names:
            said = [f'There is no dump {name!r} in {directory}. There are:\n']
            said += [listing(names)]
        else:
            said = [f'There is no dump in {directory}. Make one: ', Command('dbdump')]
        super().__init__(*said)


class ForeignDump(MigopyException):
    """A dump was made by mongodump alone, without a manifest of migopy's."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        super().__init__(
            f'{dump.path} was not made by dbdump: nothing vouches that it is whole, and'
            ' as it was written. If you trust it, type: ',
            Command('dbrestore', dump.name, foreign='yes'),
        )


class DumpOfOtherServer(MigopyException):
    """A dump is of a database of the same name on another server."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        super().__init__(
            f'{dump.name} is of {dump.database} on {", ".join(sorted(dump.servers))},'
            ' another database of this name; nothing was done.\n'
            'To see those of this one: ',
            Command('dbrestore'),
            '\nIf you want that one here all the same, type: ',
            Command('dbrestore', dump.name, foreign='yes'),
        )


class DirectoryUnreadable(MigopyException):
    """The folder of the dumps, `directory`, cannot be read."""

    def __init__(self, directory: Path, reason: str) -> None:
        self.directory = directory
        super().__init__(
            f'The dumps in {directory} cannot be read: {reason}\n'
            'Correct MONGO_DUMP_DIRECTORY, then type: ',
            Command('dbrestore'),
        )


def refused(name: str, error: Exception, directory: Path) -> RestoreRefused:
    """Make of one of the `FAILURES` the error of a restore that has changed nothing."""
    reason = reason_of(error, directory)
    cause = error.error if isinstance(error, NotTaken) else error
    return RestoreRefused(name, reason, isinstance(error, NoRoom), is_passing(cause))


def reason_of(error: BaseException, directory: Path) -> str:
    """Say what went wrong, and what would mend it; `directory` is that of the dumps."""
    if isinstance(error, NotTaken):
        reason = reason_of(error.error, directory)
        name = shown(error.collection)
        return f'{name}: {reason.replace(error.staged, name)}'
    if isinstance(error, OperationFailure):
        details = error.details or {}
        # A bulk of inserts has the error of its first document.
        [first, *_] = details.get('writeErrors') or [details]
        code = first.get('code', error.code)
        reason = server.reason_of(error)
        if code == UNAUTHORIZED:
            lacked = server.lacked_by(error)
            is_plain = lacked is not None and not lacked.is_of_system
            reason += f'. {lacked.advice if lacked and is_plain else _ALLOWING_ROLES}'
        if code == NOT_VALID:
            reason += (
                '. It is older than the validator of its collection; the role restore,'
                ' on admin, lets you put it back.'
            )
        if code == OUTSIDE_STABLE_API:
            reason += '. Leave strict out of server_api for this command.'
        return reason
    if isinstance(error, ToolFailed) and '(Unauthorized)' in str(error):
        return f'{error}\n{_ALLOWING_ROLES}'
    if isinstance(error, OSError):
        return f'{error.filename or directory}: {error.strerror or error}'
    return str(error)

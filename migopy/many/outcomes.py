"""How a command ended for one of many databases, and what that means for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from migopy.errors import MigopyException
from migopy.face import Agreed, WrongOptions
from migopy.files import (
    BadParallel,
    BadSaid,
    BadTransaction,
    BadUndo,
    DoesNothing,
    ImportFailed,
    NoSuchFunction,
    OtherDatabase,
    OtherShape,
    Unreadable,
)
from migopy.many.databases import Database
from migopy.many.gathered import Gathered
from migopy.many.status import Standing
from migopy.operations import LeftOut, NothingHere
from migopy.run import (
    Aftermath,
    AlreadyRegistered,
    AmbiguousName,
    NameNeeded,
    NotApplied,
    Unfinished,
    UnknownMigration,
)
from migopy.server import AccessDenied, NoPrimary, ServerUnreachable, UnsupportedServer

if TYPE_CHECKING:
    from migopy.state import Run, Seen

#: Commands that show all databases in one table, unless a fabfile has its own.
LOOKING = frozenset({'check', 'show_status'})

#: Commands that say nothing of a database in which they had nothing to do.
QUIET = frozenset({'execute', 'ignore', 'rehearse', 'rollback', 'verify', 'work'})

#: Commands that say once, for all databases, why they had nothing to do.
TOLD_ONCE = frozenset({'verify'})

#: Errors that every database would meet: they come of files or of what was typed.
FOR_ALL = (
    BadParallel,
    BadSaid,
    BadTransaction,
    BadUndo,
    DoesNothing,
    ImportFailed,
    NameNeeded,
    NoSuchFunction,
    OtherDatabase,
    OtherShape,
    Unreadable,
    WrongOptions,
)

#: Errors of a server that the next database on it would meet, too. (A missing primary
#: is none of them: a new one is elected within seconds.)
OF_LOST = (ServerUnreachable, UnsupportedServer)

#: Errors that all databases on one server meet.
OF_SERVER = (NoPrimary, *OF_LOST)

#: Errors that say that there is nothing to do here, but perhaps in other databases.
IDLE = (
    AlreadyRegistered,
    LeftOut,
    NotApplied,
    NothingHere,
)

#: Errors of a typed name that fits nothing, and the commands that look it up in the
#: database: for those it may fit in another one.
UNKNOWN = (AmbiguousName, UnknownMigration)
LOOKED_UP = frozenset({'forget', 'history', 'rename'})

#: What came of a database, in a word.
DONE, NOTHING, FAILURE = 'done', 'with nothing to do', 'failed'
GONE, NOT_BEGUN = 'gone', 'not begun'
WORDS = (DONE, NOTHING, FAILURE, GONE, NOT_BEGUN)


@dataclass(frozen=True)
class Outcome:
    """How a command ended for one of many databases.

    Invariant: it is data. `error` is `None` if it ended well. `said` are the messages
    that the command had to show; `seconds` is how long it took. `gathered` is what was
    done to the database, `standing` what a command that only looks has read of it.
    """

    database: Database
    gathered: Gathered
    error: BaseException | None = None
    said: Sequence[str] = ()
    seconds: float = 0.0
    standing: Standing | None = None
    #: For `watch`: the command that holds the lock, and the runs of the one before it.
    seen: Seen | None = None
    ended: Sequence[Run] = ()
    #: For a question: the migrations that a command would take, or the owner of a lock,
    #: and who that is.
    concerned: Sequence[str] = ()
    remark: str = ''
    #: What was agreed to before this turn, or is to hold for the next one.
    agreed: Agreed | None = None
    #: What the command had to show, as data, if JSON was asked for.
    shown: Mapping[str, Any] = field(default_factory=dict)
    #: Whether the database was gone when its turn came.
    is_gone: bool = False
    #: Whether there was nothing to do; `error` may be what says so.
    is_idle: bool = False
    #: Whether every other database would meet the same error.
    is_of_all: bool = False

    @property
    def is_failure(self) -> bool:
        """Tell whether something went wrong."""
        return self.error is not None and not self.is_idle


#: How the first turn of a database has ended, in which another command held its lock;
#: `None` in its first turn.
Turn = Optional[Outcome]


def is_idle(command: str, error: BaseException) -> bool:
    """Tell whether an error says that there is nothing to do in its database."""
    if isinstance(error, UNKNOWN):
        return command in LOOKED_UP
    return isinstance(error, IDLE)


def is_of_all(command: str, are_apart: bool, error: BaseException) -> bool:
    """Tell whether every other database would meet the same error.

    `are_apart` is whether some of them may be on servers of their own.
    """
    if isinstance(error, UNKNOWN):
        return command not in LOOKED_UP
    if isinstance(error, AccessDenied):
        return error.is_of_user and not are_apart
    if isinstance(error, OF_SERVER):
        return not are_apart
    if isinstance(error, MigopyException) and error.is_of_process:
        return True
    return isinstance(error, FOR_ALL)


def is_in_history(outcome: Outcome) -> bool:
    """Tell whether a failure is one that the database's history tells of."""
    failure = outcome.gathered.failure
    if failure is not None:
        return failure.aftermath not in (Aftermath.DRY_RUN, Aftermath.LOOKED)
    return isinstance(outcome.error, Unfinished)


def word(outcome: Outcome) -> str:
    """Say in a word what came of a database."""
    if outcome.is_failure:
        return FAILURE
    if outcome.is_gone:
        return GONE
    return NOTHING if outcome.is_idle else DONE

"""Effects that are being counted while commands are sent and answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
)

from migopy.effects.commands import READS, namespace_of
from migopy.effects.evidence import Evidence
from migopy.effects.failures import FailedCommand, is_of_its_own
from migopy.effects.guards import Address, Guard, Keeper, RefusedWrite
from migopy.effects.ledger import UNTOLD, Ledger, doubt_of
from migopy.effects.refusals import NO_ANSWER
from migopy.effects.tally import Document, Effects, Tally, changes_of
from migopy.effects.unheard import Children, unwatched_clients

#: Hears of a command that builds indexes: the database, the command, the address.
BeforeBuild = Callable[[str, Document, Address], None]

#: The command that builds indexes.
BUILDS = 'createIndexes'

#: How many unknown things are named.
MOST_UNKNOWNS = 10


class Sent(NamedTuple):
    """A command that was sent, as PyMongo's event tells it.

    `owners` are the recordings that it belongs to, `others` those that it may belong
    to.
    """

    name: str
    command: Document
    event: CommandStartedEvent
    owners: tuple[Recording, ...]
    others: tuple[Recording, ...]


class Unended(NamedTuple):
    """What may still run on the server although nobody waits for it any more.

    `sessions` are the ids of the sessions that it runs in. `builds` are commands that
    build indexes, with their databases: a build may outlive its command.
    """

    sessions: list[bytes]
    builds: list[tuple[str, Document]]


class Recording(Effects):
    """Effects that are being counted.

    Invariant: it counts the commands that are known to be its own, notes those that may
    be, and ignores all others. It also notes commands that got no reply and were not
    refused before they did anything. Once closed, it does not change any more.
    """

    def __init__(
        self,
        listener: CommandListener,
        unanswered: dict[int, Sent],
        database: str = '',
        outer: Recording | None = None,
        evidence: Evidence | None = None,
        guard: Guard | None = None,
        guards_strays: bool = False,
        before_build: BeforeBuild | None = None,
    ) -> None:
        """Take the listener, and its commands that are not answered yet.

        `database` is the name of the database that the step is for; `outer` is the
        recording that this one is a part of, and that counts all it counts. `evidence`
        notes where the changes are. `guard` sees each command before it is sent, with
        `guards_strays` also what threads of an unknown origin send. `before_build`
        hears of each command that builds indexes before it is sent.
        """
        super().__init__()
        self.database = database
        #: Itself and the recordings it is a part of, the outermost first.
        self.chain: tuple[Recording, ...] = (*(outer.chain if outer else ()), self)
        self.is_open = True
        #: The id of the only session in which it may write now, if it is limited.
        self.only: bytes | None = None
        #: Whether that holds for threads of an unknown origin, too.
        self.refuses_strays = False
        #: What keeps changes outside of that session, if there is such a keeper.
        self.keeper: Keeper | None = None
        #: The first write that was refused.
        self.refused: RefusedWrite | None = None
        #: The first command that met an error in a transaction of that session, or one
        #: that only reads, in whatever session, as long as no other one has.
        self.failed: FailedCommand | None = None
        #: How many of its own writes were answered, and how many seconds they took.
        self.answers = 0
        self.seconds = 0.0
        self.ledger = Ledger()
        self.evidence = evidence
        self.guard = guard
        self.guards_strays = guards_strays
        self.children = Children()
        #: The sessions of commands whose connection was lost before an answer.
        self.lost: list[bytes] = []
        self._before_build = before_build
        #: Commands that build indexes and had no good answer, with their databases.
        self.unbuilt: list[tuple[str, Document]] = []
        self._listener = listener
        self._unanswered = unanswered
        self._is_sure = True

    @property
    def changes(self) -> Tally:
        """Give the changes by namespace, with notes for commands without a reply."""
        return self._noting(self.ledger.total(), self._sent())

    @property
    def answered(self) -> Effects:
        """Give what was done so far, without what is on its way."""
        return Effects(self.ledger.total(doubts=False))

    @property
    def outside(self) -> Effects:
        """Give what is not part of a transaction that is open.

        Once it was kept to a session: what is not part of that session's
        transactions, be it in another transaction, with another client or in no
        transaction at all.
        """
        sent = [
            each for each in self._sent() if not self.ledger.is_inside(each.command)
        ]
        return Effects(self._noting(self.ledger.outside(), sent))

    def unknowns(self) -> list[str]:
        """Say, in clauses, what may have been written without being heard.

        One is `a child process was started (mongoimport)`. If there are none, all that
        was written outside of the transaction is in `outside`, with its figures.
        """
        said = self.unheard()
        for namespace, changes in self.outside.changes.items():
            said += [
                f'{namespace} was {note}'
                for note in changes.notes
                if note.startswith('perhaps changed')
            ]
        return _shortened(said)

    def unheard(self) -> list[str]:
        """Say who may have written without being heard.

        These are the `unknowns` that are not told with the figures as well.
        """
        said = self.children.told()
        if not self._has_heard_all():
            said.append('a client that migopy does not hear may have written')
        return _shortened(said)

    def lose(self, database: str, command: Document, failure: Document) -> None:
        """Hear that a command failed, with a server's error or without a reply."""
        if not self.is_open:
            return
        if 'ok' not in failure and 'lsid' in command:
            self.lost.append(command['lsid']['id'])
        if BUILDS in command:
            self.unbuilt.append((database, command))

    def unended(self) -> Unended:
        """Tell which of its commands, that have no answer, may still run."""
        mine = [
            (each.event.database_name, each.command)
            for each in self._unanswered.copy().values()
            if self in each.owners
        ]
        asked = [command['lsid']['id'] for _, command in mine if 'lsid' in command]
        builds = [each for each in mine if BUILDS in each[1]]
        sessions = list(dict.fromkeys([*asked, *self.lost]))
        return Unended(sessions, [*self.unbuilt, *builds])

    @contextmanager
    def kept_to(
        self, session_id: Document, strays: bool = False, keeper: Keeper | None = None
    ) -> Iterator[None]:
        """Refuse, in the block, all writes but those of a session's transaction.

        `session_id` is a session's `session_id`. Another write that is known to be this
        recording's is not sent: `RefusedWrite` is raised, and kept in `refused`. A
        write from a thread of an unknown origin may be the application's, so it is sent
        and is in `outside`; with `strays` it is refused as well, if no other recording
        is open. What `keeper` takes is sent, and counts as the step's.
        """
        self.ledger.session = self.only = session_id['id']
        self.failed = None
        self.refuses_strays = strays
        self.keeper = keeper
        try:
            yield
        finally:
            self.only = self.keeper = None

    def show(self, event: CommandStartedEvent) -> None:
        """Show a command that is about to be sent to the guards."""
        sent = event.command_name, event.database_name, event.command
        for each in self.chain:
            if each.guard is not None:
                each.guard.see(*sent, event.connection_id)

    def show_build(self, event: CommandStartedEvent) -> None:
        """Show a command that builds indexes before it is sent."""
        if self._before_build is not None:
            self._before_build(event.database_name, event.command, event.connection_id)

    def refuse(self, event: CommandStartedEvent) -> None:
        """Raise `RefusedWrite` for a write past the session that is kept to."""
        name, database = event.command_name, event.database_name
        command = event.command
        is_inside = 'autocommit' in command and command['lsid']['id'] == self.only
        if is_inside and self.keeper is None:
            return
        namespace = namespace_of(name, database, command)
        if namespace is None:
            return
        reason: str | None = ''
        if is_inside and self.keeper is not None:
            reason = self.keeper.inside(name, database, command)
            if reason is None:
                return
        elif self.keeper is not None:
            reason = self.keeper.take(name, database, command, event.connection_id)
        if reason is None:
            self.ledger.cover(command)
            return
        refused = RefusedWrite(name, namespace, reason)
        # A recording around this one that is limited to a session has to know as well.
        for each in self.chain:
            if each.only is not None:
                each.refused = each.refused or refused
        raise refused

    def settle(self, command: Document, microseconds: int) -> None:
        """Hear how long a command took until its reply, or until it failed."""
        self.answers += 1
        self.seconds += microseconds / 1e6
        if self.keeper is not None and self.ledger.uncover(command):
            self.keeper.settle(command)

    def meet_error(
        self, name: str, database: str, command: Document, failure: Document
    ) -> None:
        """Hear of an error, which ends the transaction that the command was in."""
        inside = 'autocommit' in command and command['lsid']['id'] == self.only
        is_first = self.failed is None or self.failed.command in READS
        if inside and is_first and is_of_its_own(failure):
            namespace = namespace_of(name, database, command) or database
            self.failed = FailedCommand.now(name, namespace, command, failure)

    def fail_to_read(self, event: CommandFailedEvent) -> None:
        """Hear that a command that only reads met an error, in whatever session."""
        failure = event.failure
        for each in self.chain:
            if each.only and each.failed is None and is_of_its_own(failure):
                read = event.command_name, event.database_name
                each.failed = FailedCommand.now(*read, {}, failure)

    def close(self) -> None:
        """Close it: commands without a reply now count as never answered."""
        self._unanswered = dict(enumerate(self._sent()))
        self._is_sure = self._has_heard_all()
        self.children.close()
        self.is_open = False

    def _has_heard_all(self) -> bool:
        if self.is_open:
            return not unwatched_clients(self._listener)
        return self._is_sure

    def _sent(self) -> Iterable[Sent]:
        sent = self._unanswered.copy().values()
        return [each for each in sent if self in each.owners or self in each.others]

    def _noting(self, total: Tally, sent: Iterable[Sent]) -> Tally:
        for name, command, event, owners, _ in sent:
            reason = NO_ANSWER if self in owners else UNTOLD
            doubt = doubt_of(name, event.database_name, command, reason)
            if doubt:
                changes_of(total, doubt[0]).doubt(doubt[1])
        return total


def _shortened(said: list[str]) -> list[str]:
    more = len(said) - MOST_UNKNOWNS
    return said if more <= 0 else [*said[:MOST_UNKNOWNS], f'and {more:,} more']

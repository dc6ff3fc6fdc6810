"""Keep account of commands: counted, in doubt, or in an open transaction."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import NamedTuple

from migopy.effects.bulk import told_apart
from migopy.effects.commands import DEFINING, count_reply, namespace_of
from migopy.effects.failures import is_aborted
from migopy.effects.refusals import NO_ANSWER, reason_of, was_refused
from migopy.effects.tally import Changes, Document, Tally, add_tally, changes_of, sum_of

#: How many retried writes are remembered at a time: one a thread, in practice fewer.
ATTEMPTS = 1000

#: Why it is not known whose a write was.
UNTOLD = "in a thread that may be another migration's"


class Attempt(NamedTuple):
    """A retryable write that PyMongo may be sending again under the same number.

    `doubt` is the collection and the phrase to note if no reply ever comes; it is
    `None` once a reply was counted.
    """

    number: int
    doubt: tuple[str, str] | None


@dataclass
class Transaction:
    """What an open transaction has done so far.

    If a commit was tried and its outcome is not known, `doubt` says why.
    """

    number: int
    tally: Tally = field(default_factory=dict)
    doubt: str = ''

    def outcome(self) -> Tally:
        """Give what it did, with a note if that may not have been committed."""
        outcome = sum_of([self.tally])
        if self.doubt:
            for changes in outcome.values():
                changes.note(f'perhaps not committed ({self.doubt})')
        return outcome


class Ledger:
    """Adds up what replies tell; any thread may call it, also within such a call.

    Invariant: an aborted transaction left nothing, an open one counts as if it were
    committed; a write that was sent again counts once; an error that does not prove
    that nothing was done is noted.

    `session` is the id of the session whose transactions are the step's own; `None` if
    all transactions are.
    """

    def __init__(self) -> None:
        self.session: bytes | None = None
        self._lock = threading.RLock()
        #: The commands on their way whose changes a keeper has kept, by `id`.
        self._covered: set[int] = set()
        #: What a dry run has answered in place of the server.
        self._pretended: Tally = {}
        self._settled: Tally = {}
        #: What transactions of the step's own session have committed, and what was done
        #: by commands whose changes were kept.
        self._committed: Tally = {}
        # Both by the id of the session; PyMongo keeps a small pool of sessions.
        self._attempts: dict[bytes, Attempt] = {}
        self._transactions: dict[bytes, Transaction] = {}

    def total(self, doubts: bool = True) -> Tally:
        """Give what was done in all; `doubts` are of what may still be answered."""
        with self._lock:
            total = sum_of([self._settled, self._committed, self._pretended])
            for each in self._transactions.values():
                add_tally(total, each.outcome() if doubts else each.tally)
            return self._with_doubts(total) if doubts else total

    def outside(self) -> Tally:
        """Give what is not part of the step's own transactions, an open one's too."""
        with self._lock:
            total = sum_of([self._settled])
            for session, transaction in self._transactions.items():
                if self._is_foreign(session):
                    add_tally(total, transaction.outcome())
            return self._with_doubts(total)

    def is_inside(self, command: Document) -> bool:
        """Tell whether a command is part of one of the step's own transactions.

        A command whose changes were kept counts as that.
        """
        if 'autocommit' not in command:
            return id(command) in self._covered
        return not self._is_foreign(command['lsid']['id'])

    def cover(self, command: Document) -> None:
        """Count a command that is about to be sent as one of the step's own."""
        with self._lock:
            self._covered.add(id(command))

    def uncover(self, command: Document) -> bool:
        """Forget a command that is over; returns whether it was covered."""
        with self._lock:
            is_covered = id(command) in self._covered
            self._covered.discard(id(command))
            return is_covered

    def has(self, command: Document) -> bool:
        """Tell whether anything was written in the transaction of a command."""
        return self._transaction(command) is not None

    def count(
        self,
        name: str,
        database: str,
        command: Document,
        reply: Document,
        is_own: bool = True,
    ) -> None:
        """Count what a reply tells; if it may be another's, only note it."""
        with self._lock:
            if name == 'commitTransaction':
                home = self._home(command['lsid']['id'])
                add_tally(home, self._end_transaction(command))
                return
            if self._attempts and self._is_counted(command):
                return
            namespace = namespace_of(name, database, command)
            if namespace is None:
                return
            tally = self._tally(command)
            if is_own and (told := told_apart(name, command, reply)) is not None:
                add_tally(tally, told)
            else:
                changes = changes_of(tally, namespace)
                changes.is_written_to |= name not in DEFINING
                if is_own:
                    count_reply(name, changes, command, reply)
                else:
                    _note_untold(name, changes, command, reply)
            if 'writeConcernError' in reply and is_retryable(command):
                self._remember(command, None)

    def pretend(
        self, name: str, database: str, command: Document, reply: Document
    ) -> None:
        """Count what would be done; nothing was sent, so nothing of it is outside."""
        namespace = namespace_of(name, database, command)
        if namespace is not None:
            with self._lock:
                changes = changes_of(self._pretended, namespace)
                count_reply(name, changes, command, reply)

    def note(self, namespace: str, what: str) -> None:
        """Count what was done to a collection; `what` is the end of a phrase."""
        with self._lock:
            changes_of(self._settled, namespace).add(Changes(collection=[what]))

    def doubt(
        self,
        name: str,
        database: str,
        command: Document,
        failure: Document,
        is_own: bool = True,
    ) -> None:
        """Note what is not known after an error."""
        if name == 'commitTransaction':
            if is_aborted(failure):
                self.abort(command)
            else:
                self.doubt_commit(command, reason_of(failure))
            return
        reason = reason_of(failure) if is_own else UNTOLD
        doubt = doubt_of(name, database, command, reason)
        if doubt is None or was_refused(name, command, failure):
            return
        with self._lock:
            if is_retryable(command):
                self._remember(command, doubt)
            else:
                changes_of(self._tally(command), doubt[0]).doubt(doubt[1])

    def abort(self, command: Document) -> None:
        """Forget the transaction that a command belongs to."""
        with self._lock:
            self._end_transaction(command)

    def doubt_commit(self, command: Document, reason: str = NO_ANSWER) -> None:
        """Remember that a transaction may be committed, or not."""
        with self._lock:
            transaction = self._transaction(command)
            if transaction:
                transaction.doubt = reason

    def _is_foreign(self, session: bytes) -> bool:
        return self.session is not None and session != self.session

    def _home(self, session: bytes) -> Tally:
        return self._committed if session == self.session else self._settled

    def _with_doubts(self, total: Tally) -> Tally:
        for attempt in self._attempts.values():
            if attempt.doubt:
                changes_of(total, attempt.doubt[0]).doubt(attempt.doubt[1])
        return total

    def _remember(self, command: Document, doubt: tuple[str, str] | None) -> None:
        session, number = command['lsid']['id'], command['txnNumber']
        if self._attempts.get(session) == Attempt(number, None):
            return  # the attempt before this one was counted
        # PyMongo sends again at once, so an early one has had its last attempt. A
        # session that met a network error is not used again, its entry stays.
        if session not in self._attempts and len(self._attempts) == ATTEMPTS:
            self._give_up(next(iter(self._attempts)))
        elif session in self._attempts and self._attempts[session].number != number:
            self._give_up(session)
        self._attempts[session] = Attempt(number, doubt)

    def _give_up(self, session: bytes) -> None:
        doubt = self._attempts.pop(session).doubt
        if doubt:
            changes_of(self._settled, doubt[0]).doubt(doubt[1])

    def _is_counted(self, command: Document) -> bool:
        if not is_retryable(command):
            return False
        session = command['lsid']['id']
        attempt = self._attempts.get(session)
        if attempt is None or attempt.number != command['txnNumber']:
            return False
        if attempt.doubt:
            del self._attempts[session]
        return attempt.doubt is None

    def _tally(self, command: Document) -> Tally:
        if 'autocommit' not in command:
            is_own = id(command) in self._covered
            return self._committed if is_own else self._settled
        session, number = command['lsid']['id'], command['txnNumber']
        transaction = self._transactions.get(session)
        if transaction is None or transaction.number != number:
            # The server drops the one before unless it was committed.
            if transaction is not None and transaction.doubt:
                add_tally(self._home(session), transaction.outcome())
            transaction = self._transactions[session] = Transaction(number)
        return transaction.tally

    def _transaction(self, command: Document) -> Transaction | None:
        transaction = self._transactions.get(command['lsid']['id'])
        if transaction and transaction.number == command['txnNumber']:
            return transaction
        return None

    def _end_transaction(self, command: Document) -> Tally:
        transaction = self._transaction(command)
        if transaction is None:
            return {}
        del self._transactions[command['lsid']['id']]
        return transaction.tally


def same_transaction(one: Document, other: Document) -> bool:
    """Tell whether a command belongs to the transaction of another one."""
    return all(
        one.get(key) == other[key] for key in ('lsid', 'txnNumber', 'autocommit')
    )


def is_retryable(command: Document) -> bool:
    """Tell whether PyMongo may send a command again under the same number."""
    return 'txnNumber' in command and 'autocommit' not in command


def doubt_of(
    name: str, database: str, command: Document, reason: str
) -> tuple[str, str] | None:
    """Give what a command may have changed and how to note it; `None` for a read."""
    namespace = namespace_of(name, database, command)
    if namespace is None or name == 'commitTransaction':
        return None
    return namespace, f'perhaps changed by {name} ({reason})'


def _note_untold(
    name: str, changes: Changes, command: Document, reply: Document
) -> None:
    done = Changes()
    count_reply(name, done, command, reply)
    if done.wrote:
        changes.note(f'perhaps changed by {name} ({UNTOLD})')

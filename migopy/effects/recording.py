"""Effects that are being counted while commands are sent and answered."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pymongo.monitoring import CommandStartedEvent

from migopy.effects.commands import count_reply, namespace_of
from migopy.effects.refusals import NO_ANSWER, reason_of, was_refused
from migopy.effects.tally import (
    Document,
    Effects,
    Tally,
    add_tally,
    changes_of,
    sum_of,
)

#: How many writes may be sent again at one time: threads, in practice fewer.
ATTEMPTS = 1000

#: A command that was sent: its name, itself, and PyMongo's event.
Sent = tuple[str, Document, CommandStartedEvent]


class Attempt(NamedTuple):
    """A retryable write that PyMongo may be sending again under the same number.

    `doubt` is the collection and the phrase to note if no reply ever comes; `None`
    says that the reply was counted.
    """

    number: int
    doubt: tuple[str, str] | None


@dataclass
class Transaction:
    """What a transaction did that is neither committed nor aborted.

    `doubt` says why it is not known whether it was committed, if that was tried.
    """

    number: int
    tally: Tally = field(default_factory=dict)
    doubt: str = ''

    def outcome(self) -> Tally:
        """Give what it did, noting where that may not have been committed."""
        outcome = sum_of([self.tally])
        if self.doubt:
            for changes in outcome.values():
                changes.note(f'perhaps not committed ({self.doubt})')
        return outcome


class Recording(Effects):
    """Effects that are being counted.

    Invariant: an aborted transaction left nothing, an open one counts as if it were
    committed; a write that was sent again counts once; a command that is neither
    answered nor refused before it did anything is noted.

    `unanswered` holds the commands that were sent and not answered yet.
    """

    def __init__(self, unanswered: dict[int, Sent]) -> None:
        super().__init__()
        self._unanswered = unanswered
        self._lock = threading.Lock()
        self._settled: Tally = {}
        # Both by the id of the session, of which PyMongo keeps a small pool.
        self._attempts: dict[bytes, Attempt] = {}
        self._transactions: dict[bytes, Transaction] = {}

    @property
    def changes(self) -> Tally:
        """Give the changes by namespace, with a note for what is not answered yet."""
        return self._total(self._sent(), transactions=True)

    @property
    def answered(self) -> Effects:
        """Give what was done so far, whatever is on its way."""
        return Effects(self._total([], transactions=True))

    @property
    def outside(self) -> Effects:
        """Give what is not part of a transaction that is open."""
        sent = [each for each in self._sent() if 'autocommit' not in each[1]]
        return Effects(self._total(sent, transactions=False))

    def _sent(self) -> Iterable[Sent]:
        return self._unanswered.copy().values()

    def _total(self, sent: Iterable[Sent], transactions: bool) -> Tally:
        with self._lock:
            total = sum_of([self._settled])
            if transactions:
                for transaction in self._transactions.values():
                    add_tally(total, transaction.outcome())
            doubts = [attempt.doubt for attempt in self._attempts.values()]
        for name, command, event in sent:
            doubts.append(doubt_of(name, event.database_name, command, NO_ANSWER))
        for doubt in doubts:
            if doubt:
                changes_of(total, doubt[0]).note(doubt[1])
        return total

    def close(self) -> None:
        """Take what is not answered now for unanswered for good."""
        self._unanswered = self._unanswered.copy()

    def count(
        self, name: str, database: str, command: Document, reply: Document
    ) -> None:
        """Count what a reply tells."""
        with self._lock:
            if name == 'commitTransaction':
                add_tally(self._settled, self._end_transaction(command))
                return
            if self._attempts and self._is_counted(command):
                return
            namespace = namespace_of(name, database, command)
            if namespace is None:
                return
            count_reply(
                name, changes_of(self._tally(command), namespace), command, reply
            )
            if 'writeConcernError' in reply and is_retryable(command):
                self._remember(command, None)

    def doubt(
        self, name: str, database: str, command: Document, failure: Document
    ) -> None:
        """Note what an error leaves open."""
        if name == 'commitTransaction':
            if 'TransientTransactionError' in failure.get('errorLabels', ()):
                self.abort(command)
            else:
                self.doubt_commit(command, reason_of(failure))
            return
        doubt = doubt_of(name, database, command, reason_of(failure))
        if doubt is None or was_refused(name, command, failure):
            return
        with self._lock:
            if is_retryable(command):
                self._remember(command, doubt)
            else:
                changes_of(self._tally(command), doubt[0]).note(doubt[1])

    def abort(self, command: Document) -> None:
        """Forget the transaction that a command belongs to."""
        with self._lock:
            self._end_transaction(command)

    def doubt_commit(self, command: Document, reason: str) -> None:
        """Remember that a transaction may be committed, or not."""
        with self._lock:
            transaction = self._transaction(command)
            if transaction:
                transaction.doubt = reason

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
            changes_of(self._settled, doubt[0]).note(doubt[1])

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
            return self._settled
        session, number = command['lsid']['id'], command['txnNumber']
        transaction = self._transactions.get(session)
        if transaction is None or transaction.number != number:
            # The server drops the one before unless it was committed.
            if transaction is not None and transaction.doubt:
                add_tally(self._settled, transaction.outcome())
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

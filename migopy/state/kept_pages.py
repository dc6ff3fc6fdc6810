"""Keep which pages of a run are written, in the transaction that writes each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from bson import ObjectId
from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from migopy.state.concerns import MARK
from migopy.state.guarded import GuardedWriter
from migopy.state.history import History
from migopy.state.holder import LockLost
from migopy.state.lock import Lock

Document = dict[str, Any]


class KeptPages:
    """How many pages of a run are written, in its document of the history.

    Invariant: a page is added only if the number is that of the page before, in the
    transaction that writes it. So no page is added twice, and none by a run that
    another one has taken over (`History.take_over`), however late its commands arrive.
    """

    def __init__(
        self,
        history: History,
        run_id: ObjectId,
        lock: Lock,
        own_work: Callable[[], AbstractContextManager[object]],
    ) -> None:
        """Take the history, the run, the lock, which is held, and migopy's own work."""
        self._collection: Collection[Document] = history.collection
        self._run_id = run_id
        self._lock = lock
        self._own_work = own_work
        self._count = 0
        #: Whether a page is on its way, so that only the database knows how far it is.
        self.is_unsure = False

    @property
    def client(self) -> Any:
        """Give the client, whose transactions can hold them."""
        return self._collection.database.client

    def open(self, session: ClientSession, checkpoints: Sequence[Document]) -> None:
        """Note the session of the transactions that follow; raises `LockLost`.

        After a crash the next run uses it to end what is left of them.
        """
        note = {
            '_id': self._run_id,
            'pages': self._count,
            'session': session.session_id['id'],
            'checkpoints': list(checkpoints),
        }
        with self._own_work():
            GuardedWriter(self._lock).merge(self._collection, [note], MARK)

    def add(self, checkpoints: Sequence[Document], session: ClientSession) -> bool:
        """Add a page in a session's transaction, with how far the calls are then.

        Returns whether the number was that of the page before.
        """
        query = {'_id': self._run_id, 'pages': self._count}
        change = {'pages': self._count + 1, 'checkpoints': list(checkpoints)}
        with self._own_work():
            added = self._collection.update_one(
                query, {'$set': change}, session=session
            )
        return added.matched_count == 1

    def correct(self, checkpoints: Sequence[Document], session: ClientSession) -> None:
        """Correct the checkpoints of the page that the transaction has added."""
        change = {'checkpoints': list(checkpoints)}
        with self._own_work():
            self._collection.update_one(
                {'_id': self._run_id}, {'$set': change}, session=session
            )

    def require_added(self) -> None:
        """Make sure that a page is there, added by a commit whose reply was lost.

        Raises `LockLost` where it is not, for then another run has taken over.
        """
        found = self._collection.find_one({'_id': self._run_id}, ['pages']) or {}
        if found.get('pages') != self._count + 1:
            raise LockLost(self._lock.holder())

    def count(self) -> None:
        """Hear that a page was added for good."""
        self._count += 1
        self.is_unsure = False

    def check(self) -> None:
        """Make sure that the lock is still ours; raises `LockLost`."""
        with self._own_work():
            self._lock.check()

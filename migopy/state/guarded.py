"""Write what only the holder of the lock may write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from migopy.state.concerns import (
    DURABLE,
    MARK,
    NoMajority,
    no_majority,
    repeat,
    told_if_slow,
)
from migopy.state.holder import LockLost
from migopy.state.lock import Lock

Document = dict[str, Any]

#: The errors that a guarded write may raise.
UNWRITTEN = (LockLost, NoMajority, PyMongoError)

#: MongoDB's ConversionFailure, which a guarded write provokes if the lock is lost.
CONVERSION_FAILURE = 241

#: How often a write is tried if the lock runs out each time.
ATTEMPTS = 3


class GuardedWriter:
    """Writes to migopy's collections under a lock that is held.

    Invariant: a write is one operation on the server, and fails as a whole if the lock
    is not ours or has run out. So a command that has lost the lock writes nothing,
    however late its writes arrive.
    """

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    def merge(
        self,
        target: Collection[Document],
        documents: Sequence[Document],
        write_concern: WriteConcern = DURABLE,
        patience: float | None = None,
    ) -> None:
        """Merge documents into a collection by `_id`.

        Tries again as `repeat` does. Raises `LockLost`.
        """
        pipeline = [
            *self._guarded({'documents': {'$literal': list(documents)}}),
            {'$unwind': '$documents'},
            {'$replaceRoot': {'newRoot': '$documents'}},
            _merge_into(target, 'merge'),
        ]
        source = self._lock.collection.with_options(write_concern=write_concern)
        send = partial(source.aggregate, pipeline)
        self.repeat(partial(self._run, send, target), patience)

    def insert(self, target: Collection[Document], document: Document) -> None:
        """Insert a new document, which the primary alone acknowledges.

        It takes less time than `merge`, which waits for others. Raises `LockLost`.
        """
        source = self._lock.collection
        # A plain command makes no cursor, which saves an eighth of the time. It does
        # not report a missing majority, so it is only for writes that wait for none.
        command = {
            'aggregate': source.name,
            'pipeline': [
                *self._guarded({'$literal': document}),
                _merge_into(target, 'fail'),
            ],
            'cursor': {},
            'writeConcern': MARK.document,
        }
        send = partial(source.database.command, command)
        try:
            self.repeat(partial(self._run, send, target))
        except DuplicateKeyError as error:
            # An earlier attempt succeeded; its reply was lost.
            if (error.details or {}).get('keyPattern') != {'_id': 1}:
                raise

    def repeat(self, work: Callable[[], object], patience: float | None = None) -> None:
        """Call `work`, which may be repeated, until the network lets it succeed.

        Tries for `patience` seconds, by default as long as the lock could be ours,
        then raises what `work` does, or `NoMajority`.
        """
        try:
            repeat(work, self._lock.ttl if patience is None else patience)
        except PyMongoError as error:
            missing = no_majority(error, self._lock.collection.database.client)
            if missing is None:
                raise
            raise missing from error

    def _run(self, send: Callable[[], object], target: Collection[Document]) -> None:
        for _ in range(ATTEMPTS):
            try:
                told_if_slow(send, target)
                return
            except OperationFailure as error:
                if error.code != CONVERSION_FAILURE:
                    raise
            # Renews an expired lock that nobody has taken.
            self._lock.check()
        raise LockLost(self._lock.holder())

    def _guarded(self, given: Document) -> list[Document]:
        """Make a pipeline that gives a document, or fails if the lock is lost."""
        own = [
            {'$match': {'_id': self._lock.id, 'owner': self._lock.owner}},
            {'$match': {'$expr': {'$gt': ['$expires', '$$NOW']}}},
        ]
        held = {'$size': '$own'}
        # An error is the one way to refuse: without input $merge would do nothing and
        # report success.
        refusal = {'$toInt': {'$concat': ['lost', {'$toString': held}]}}
        return [
            {'$facet': {'own': own}},
            {'$replaceWith': {'$cond': [{'$eq': [held, 1]}, given, refusal]}},
        ]


def _merge_into(target: Collection[Document], when_matched: str) -> Document:
    merge = {'into': target.name, 'on': '_id', 'whenMatched': when_matched}
    return {'$merge': merge}

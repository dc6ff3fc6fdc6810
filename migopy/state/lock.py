"""One deploy at a time: a lock in the database, on the server's clock."""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pymongo import ReturnDocument, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import (
    ConnectionFailure,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
)

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.state.registry import DURABLE, MARK

Document = dict[str, Any]

#: MongoDB's ConversionFailure, which `Lock.write` provokes where the lock is lost.
CONVERSION_FAILURE = 241

#: How often a write is tried whose lock runs out each time.
ATTEMPTS = 3

#: Errors of a server that stops or is no longer primary, after which the same command
#: may be sent again: the codes of MongoDB's specification of retryable writes.
PASSING = frozenset(
    {6, 7, 64, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}
)


@dataclass(frozen=True)
class Agent:
    """Who runs a command: a user on a host, in a process."""

    user: str
    host: str
    pid: int

    @classmethod
    def current(cls) -> Agent:
        """Describe this process."""
        try:
            user = getpass.getuser()
        # A container's user id may have no name: KeyError, from Python 3.13 OSError.
        except (KeyError, OSError):
            user = str(os.getuid())
        return cls(user, socket.gethostname(), os.getpid())

    def __str__(self) -> str:
        return f'{self.user}@{self.host}'


@dataclass(frozen=True)
class Holder:
    """Who holds the lock, as its document says; an absent field reads `?`."""

    owner: str
    agent: Agent
    subtask: str
    since: datetime | None
    expires: datetime | None

    @classmethod
    def of(cls, document: Document) -> Holder:
        """Read the lock's document."""
        return cls(
            owner=str(document.get('owner', '?')),
            agent=Agent(
                str(document.get('user', '?')),
                str(document.get('host', '?')),
                int(document.get('pid', 0)),
            ),
            subtask=str(document.get('subtask', '?')),
            since=document.get('since'),
            expires=document.get('expires'),
        )

    def __str__(self) -> str:
        since = f'{self.since:%Y-%m-%d %H:%M:%S} UTC' if self.since else '?'
        return f'{self.agent} (process {self.agent.pid}, {self.subtask}) since {since}'


class Locked(MigopyException):
    """Another command holds the lock; `holder` is a `Holder`, `waited` in seconds."""

    def __init__(self, holder: Holder, waited: float) -> None:
        self.holder = holder
        self.waited = waited
        super().__init__(
            f'Another migration command is running: {holder}. Waited {waited:g} s;'
            ' nothing was done.\nTry again when it has ended. If it is dead for sure,'
            ' type: ',
            Command('unlock'),
        )


class LockLost(MigopyException):
    """The lock was lost while work was done under it; `holder` has it now, if any."""

    def __init__(self, holder: Holder | None) -> None:
        self.holder = holder
        now = f'it is held by {holder}' if holder else 'it has been taken away'
        super().__init__(
            f'This command lost its lock: {now}. It was cut off or suspended for too'
            ' long, or somebody typed unlock. Nothing was registered since.\n'
            'See what is unfinished: ',
            Command(),
        )


class Lock:
    """The right to change a database's migrations, in one document.

    Invariant: of all commands at most one is the owner; only the owner releases;
    time is the server's. While held, a thread renews it, so it lasts as long as the
    work; of a holder that died it is free after `ttl` seconds.
    """

    ID = 'lock'
    POLL = 0.2

    def __init__(
        self,
        collection: Collection[Document],
        ttl: float,
        own_work: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Take the lock's collection and `ttl`, the seconds it lasts unrenewed.

        `own_work` is entered by the thread that renews.
        """
        self.collection = collection.with_options(write_concern=DURABLE)
        self.ttl = ttl
        #: A random id, new each time that the lock is held.
        self.owner = ''
        self._own_work = own_work
        self._lost = threading.Event()
        self._block = threading.Lock()
        self._thread: int | None = None
        #: The server's time, and this process's at the same moment.
        self._since = (datetime.min, 0.0)

    @property
    def is_held(self) -> bool:
        """Tell whether this thread is in the object's `held` block."""
        return self._thread == threading.get_ident()

    def now(self) -> datetime:
        """Give the server's time, in UTC without a zone, while the lock is held.

        The clocks of those who deploy may differ; what they did has one order.
        """
        since, then = self._since
        now = since + timedelta(seconds=time.monotonic() - then)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def holder(self) -> Holder | None:
        """Read who holds the lock at this moment, by the server's clock."""
        found = self.collection.aggregate(
            [
                {'$match': {'_id': self.ID}},
                {'$match': {'$expr': {'$gt': ['$expires', '$$NOW']}}},
            ]
        )
        return next((Holder.of(document) for document in found), None)

    @contextmanager
    def held(
        self, subtask: str, wait: float, waiting: Callable[[Holder], None]
    ) -> Iterator[None]:
        """Hold the lock during the block.

        Waits up to `wait` seconds for another holder, of whom `waiting` is told
        once; then raises `Locked`. A failure of the network is raised as itself.
        Another thread with the same object waits until the block has ended.
        """
        with self._block:
            self._thread = threading.get_ident()
            self.owner = uuid.uuid4().hex
            self._lost.clear()
            try:
                self._acquire(subtask, wait, waiting)
                with self._renewed():
                    yield
            finally:
                self._thread = None

    def check(self) -> None:
        """Make sure, by a write to the server, that the lock is still ours.

        Raises `LockLost`.
        """
        if self._lost.is_set() or not self._renew():
            self._lost.set()
            raise LockLost(self.holder())

    def write(
        self,
        target: Collection[Document],
        documents: Sequence[Document],
        write_concern: WriteConcern = DURABLE,
        patience: float | None = None,
    ) -> None:
        """Merge documents into a collection by `_id`, if the lock is still ours.

        It is one operation on the server, which fails as a whole where the lock is
        not ours or its time is out, so that who lost it writes nothing. It is
        repeated as `persist` does. Raises `LockLost`.
        """
        merge = {'into': target.name, 'on': '_id', 'whenMatched': 'merge'}
        pipeline = [
            *self._guarded({'documents': {'$literal': list(documents)}}),
            {'$unwind': '$documents'},
            {'$replaceRoot': {'newRoot': '$documents'}},
            {'$merge': merge},
        ]
        self.persist(partial(self._run, pipeline, write_concern), patience)

    def insert(self, target: Collection[Document], document: Document) -> None:
        """Insert a new document as `write` does, in less time, not waiting for others.

        The primary alone acknowledges it. Raises `LockLost`.
        """
        merge = {'into': target.name, 'on': '_id', 'whenMatched': 'fail'}
        pipeline = [*self._guarded({'$literal': document}), {'$merge': merge}]
        try:
            self.persist(partial(self._run, pipeline, MARK))
        except DuplicateKeyError as error:
            # Of its `_id` there is one where an earlier try has come to pass unheard.
            if (error.details or {}).get('keyPattern') != {'_id': 1}:
                raise

    def persist(
        self, work: Callable[[], object], patience: float | None = None
    ) -> None:
        """Call `work`, which may be repeated, until the network lets it succeed.

        Tries for `patience` seconds, by default as long as the lock could be ours,
        then raises what `work` does.
        """
        deadline = time.monotonic() + (self.ttl if patience is None else patience)
        while True:
            try:
                work()
                return
            except (ConnectionFailure, OperationFailure) as error:
                passing = isinstance(error, ConnectionFailure) or error.code in PASSING
                if not passing or time.monotonic() > deadline:
                    raise
            time.sleep(self.POLL)

    def unlock(self) -> Holder | None:
        """Take the lock away from whoever holds it; returns whom it robbed."""
        document = self.collection.find_one_and_delete({'_id': self.ID})
        return Holder.of(document) if document else None

    def _run(self, pipeline: list[Document], write_concern: WriteConcern) -> None:
        source = self.collection.with_options(write_concern=write_concern)
        for _ in range(ATTEMPTS):
            try:
                source.aggregate(pipeline)
                return
            except OperationFailure as error:
                if error.code != CONVERSION_FAILURE:
                    raise
            # Where its time is out and nobody has taken it, it is ours again by this.
            self.check()
        raise LockLost(self.holder())

    def _guarded(self, given: Document) -> list[Document]:
        """Make the pipeline that gives a document, or fails where the lock is lost."""
        own = [
            {'$match': {'_id': self.ID, 'owner': self.owner}},
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

    def _acquire(
        self, subtask: str, wait: float, waiting: Callable[[Holder], None]
    ) -> None:
        deadline = time.monotonic() + wait
        told = False
        while True:
            holder = self._try(subtask)
            if holder.owner == self.owner:
                self._since = (holder.since or datetime.min, time.monotonic())
                return
            if not told:
                waiting(holder)
                told = True
            if time.monotonic() >= deadline:
                raise Locked(holder, wait)
            time.sleep(min(self.POLL, max(0.0, deadline - time.monotonic())))

    def _try(self, subtask: str) -> Holder:
        agent = Agent.current()
        mine = {
            '_id': self.ID,
            'owner': self.owner,
            'user': {'$literal': agent.user},
            'host': {'$literal': agent.host},
            'pid': agent.pid,
            'subtask': {'$literal': subtask},
            'since': '$$NOW',
            'expires': self._expiry(),
        }
        free = {'$not': [{'$gt': ['$expires', '$$NOW']}]}
        while True:
            try:
                document: Any = self.collection.find_one_and_update(
                    {'_id': self.ID},
                    [{'$replaceWith': {'$cond': [free, mine, '$$ROOT']}}],
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
                return Holder.of(document)
            except DuplicateKeyError:
                # Two upserts met: the other one made the document, so look again.
                continue

    def _renew(self) -> bool:
        renewed = self.collection.update_one(
            {'_id': self.ID, 'owner': self.owner},
            [{'$set': {'expires': self._expiry()}}],
        )
        return renewed.matched_count == 1

    @contextmanager
    def _renewed(self) -> Iterator[None]:
        """Renew the lock during the block, then release it."""
        released = threading.Event()
        renewal = threading.Thread(
            target=self._renew_until, args=(released,), name='migopy-lock', daemon=True
        )
        try:
            renewal.start()
            yield
        finally:
            released.set()
            if renewal.is_alive():
                renewal.join(timeout=self.POLL)
            self._release()

    def _renew_until(self, released: threading.Event) -> None:
        with self._own_work():
            while not released.wait(self.ttl / 3):
                try:
                    if not self._renew():
                        self._lost.set()
                        return
                except PyMongoError:
                    # Tried again at the next turn; every write asks the server anyway.
                    continue

    def _release(self) -> None:
        try:
            self.collection.delete_one({'_id': self.ID, 'owner': self.owner})
        except PyMongoError:
            # It frees itself when its time is out; a first error is not hidden.
            return

    def _expiry(self) -> Document:
        return {'$add': ['$$NOW', int(self.ttl * 1000)]}
